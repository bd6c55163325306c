//! A recorded call gives the same again, bit for bit, when the world that it saw is gone; and what is not the same is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use autodevops_model::{CheckInput, Report};
use autodevops_policy::{Access, Grant, Preopen, Span};
use autodevops_product_tests::{Probe, memory::Memory, plugin_folder, sandbox, shelf::Shelf};
use autodevops_sandbox::{
    CallContext, CallError,
    replay::{Match, Order, Outcome, Recording, RecordingError},
};

/// Answers one request, in two parts.
fn serve_once() -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut request = Vec::new();
        let mut part = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            let length = stream.read(&mut part).unwrap();
            assert!(length > 0, "the request is cut");
            request.extend_from_slice(&part[..length]);
        }
        write!(
            stream,
            "HTTP/1.1 203 OK\r\ncontent-length: 10\r\nx-served: by the test\r\nconnection: close\r\n\r\nfirst"
        )
        .unwrap();
        stream.flush().unwrap();
        write!(stream, "after").unwrap();
    });
    (url, served)
}

const NOWHERE: &str = "http://127.0.0.1:9/";

/// A probe that is granted everything there is in the folder.
fn granted(folder: &Path, url: &str) -> Probe {
    let preopen = Preopen { host: Some(folder.to_owned()), access: Access::ReadWrite };
    let mut probe = Probe::new();
    probe.grant = Grant {
        files: [("/data".to_owned(), preopen)].into(),
        http: vec![url.parse().unwrap()],
        clocks: true,
        random: true,
        keyvalue: true,
        ..Grant::default()
    };
    probe.keyvalue = Some(Arc::new(Memory::default()));
    probe
}

async fn record(probe: &Probe, shelf: &Arc<Shelf>, act: &str, argument: &str) -> Result<Report, CallError> {
    let input = CheckInput { changed: vec!["ä\n\"".into()], tests: vec![], fix: None, issue: None, url: None };
    let context =
        CallContext { run: "run-1".into(), recordings: Some(Arc::clone(shelf) as _), ..CallContext::default() };
    probe.plugin(act, argument).check(&context, input).await
}

/// Records a probe that asks for whatever there is, and takes the world away.
async fn recorded_world() -> (Report, Recording) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "text").unwrap();
    let (url, served) = serve_once();
    let shelf = Shelf::new(64 << 20);
    let report = record(&granted(folder.path(), &url), &shelf, "world", &format!("/data {url}")).await.unwrap();
    served.join().unwrap();
    (report, Recording::read("r", &shelf.last()).unwrap())
}

fn probe_component() -> Vec<u8> {
    plugin_folder("probe").component
}

#[tokio::test]
async fn whatever_a_plugin_asked_the_world_it_is_answered_again_when_the_world_is_gone() {
    let (report, recording) = recorded_world().await;
    assert!(report.summary.contains("text") && report.summary.contains("203 firstafter"), "{}", report.summary);
    let replay = recording.replay(&sandbox(), &probe_component()).await.unwrap();
    let [function] = replay.functions.as_slice() else { panic!("{replay:?}") };
    assert_eq!(function.result, Match::Same, "{function:?}");
    assert_eq!(function.recorded, Some(Outcome::Output(serde_json::to_string(&report).unwrap())));
    assert_eq!(function.host_calls, recording.host_calls() as u64);
    assert!(function.host_calls > 20, "{}", function.host_calls);
}

#[tokio::test]
async fn one_host_call_more_is_where_a_replay_parts() {
    let (_, mut recording) = recorded_world().await;
    // The component's configuration decides about the further look at the clock; it is read from the recording.
    for (key, value) in &mut recording.header.config {
        if key == "act" {
            *value = "\"world-and-once-more\"".replace('"', if value.starts_with('"') { "\"" } else { "" });
        }
    }
    let replay = recording.replay(&sandbox(), &probe_component()).await.unwrap();
    let Match::Parted(parted) = &replay.functions[0].result else { panic!("{replay:?}") };
    assert!(parted.found.contains("wasi:clocks/wall-clock now"), "{parted}");
    assert!(!parted.expected.contains("wasi:clocks/wall-clock now"), "{parted}");
    assert_eq!(replay.functions[0].host_calls, parted.call - 1, "it ends there");
    // Asked by what it asks for, it is answered all the same.
    let replay = recording.replay_in(Order::Matching, &sandbox(), &probe_component()).await.unwrap();
    assert_eq!(replay.functions[0].strayed.as_ref(), Some(parted));
    assert_eq!(replay.functions[0].result, Match::Same, "{replay:?}");
}

#[tokio::test]
async fn any_byte_that_is_changed_and_any_part_that_is_missing_is_found() {
    let shelf = Shelf::new(64 << 20);
    record(&Probe::new(), &shelf, "clock", "").await.unwrap();
    let whole = shelf.last();
    Recording::read("r", &whole).unwrap();
    for index in 0..whole.len() {
        let mut changed = whole.clone();
        changed[index] ^= 1;
        assert!(Recording::read("r", &changed).is_err(), "byte {index} of {}", whole.len());
        let error = Recording::read("r", &whole[..index]).unwrap_err();
        let expected = if index == 0 { "is no recording" } else { "is cut off" };
        let damaged = matches!(error, RecordingError::Damaged { .. });
        assert!(damaged || error.to_string().contains(expected), "{index} bytes: {error}");
    }
    let half = Recording::read("r", &whole[..whole.len() / 2]).unwrap_err().to_string();
    assert!(half.contains("r is cut off") && half.contains("record the run again"), "{half}");
    let mut newer = whole;
    newer[8] = 9;
    let error = Recording::read("r", &newer).unwrap_err();
    assert!(matches!(error, RecordingError::Version { version: 9, .. }), "{error}");
}

#[tokio::test]
async fn a_call_whose_time_ran_out_is_the_same_up_to_its_last_host_call() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "text").unwrap();
    let probe = granted(folder.path(), NOWHERE).with_limits(|limits| {
        limits.wall_time = Span(Duration::from_millis(200));
        limits.host_calls = 100_000_000;
    });
    for (act, argument) in [("forever", "/data/a"), ("loop", "")] {
        let shelf = Shelf::new(256 << 20);
        record(&probe, &shelf, act, argument).await.unwrap_err();
        let recording = Recording::read("r", &shelf.last()).unwrap();
        let replay = recording.replay(&sandbox(), &probe_component()).await.unwrap();
        assert_eq!(replay.functions[0].result, Match::SameSoFar, "{act}: {replay:?}");
        assert_eq!(replay.functions[0].host_calls, recording.host_calls() as u64, "{act}");
    }
}

#[tokio::test]
async fn a_failure_is_replayed_with_its_words() {
    for act in ["panic", "refuse", "exit", "recurse", "allocate", "sleep", "nothing"] {
        let shelf = Shelf::new(64 << 20);
        let error = record(&Probe::new(), &shelf, act, "because").await.unwrap_err();
        let recording = Recording::read("r", &shelf.last()).unwrap();
        let replay = recording.replay(&sandbox(), &probe_component()).await.unwrap();
        assert_eq!(replay.functions[0].result, Match::Same, "{act}: {replay:?}");
        assert_eq!(replay.functions[0].stderr, error.stderr, "{act}");
    }
}

#[tokio::test]
async fn a_recording_that_outgrew_its_bound_says_so_and_keeps_the_outcome() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "x".repeat(100_000)).unwrap();
    let shelf = Shelf::new(50_000);
    let report = record(&granted(folder.path(), NOWHERE), &shelf, "read", "/data/a").await.unwrap();
    assert_eq!(report.summary.len(), 100_000, "the call itself is not harmed");
    let recording = Recording::read("r", &shelf.last()).unwrap();
    assert!(recording.outgrown().unwrap().0 > 100_000);
    let replay = recording.replay(&sandbox(), &probe_component()).await.unwrap();
    let Match::NotReplayable(reason) = &replay.functions[0].result else { panic!("{replay:?}") };
    assert!(reason.contains("[recording]"), "{reason}");
    assert!(matches!(&replay.functions[0].recorded, Some(Outcome::Output(_))));
    assert!(!replay.is_same());
}
