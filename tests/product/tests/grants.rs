//! What a plugin is granted works, and nothing beyond it does: files, requests, keys and values, the log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs,
    io::{Read, Write as _},
    net::TcpListener,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use autodevops_model::CheckInput;
use autodevops_policy::{Access, Grant, Preopen, Span};
use autodevops_product_tests::{Probe, memory::Memory};
use autodevops_sandbox::{CallContext, CallFailure};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tracing_subscriber::fmt::format::FmtSpan;

fn folders(folders: &[(&str, &Path, Access)]) -> Grant {
    let files = folders.iter().map(|(guest, host, access)| {
        ((*guest).to_owned(), Preopen { host: Some((*host).to_owned()), access: *access })
    });
    Grant { files: files.collect(), ..Grant::default() }
}

#[tokio::test]
async fn no_link_leads_from_a_folder_that_is_only_read_into_one_that_is_written() {
    let root = tempfile::tempdir().unwrap();
    let (read, written) = (root.path().join("read"), root.path().join("written"));
    fs::create_dir(&read).unwrap();
    fs::create_dir(&written).unwrap();
    fs::write(read.join("a"), "text").unwrap();
    let mut probe = Probe::new();
    probe.grant = folders(&[("/data", &read, Access::ReadOnly), ("/other", &written, Access::ReadWrite)]);
    assert!(probe.call("link", "/data/a /other/a").await.is_err());
    assert!(!written.join("a").exists());
    probe.grant = folders(&[("/data", &read, Access::ReadWrite), ("/other", &written, Access::ReadWrite)]);
    assert!(probe.call("link", "/data/a /other/a").await.is_ok());
}

#[tokio::test]
async fn a_pipe_in_a_granted_folder_is_refused_and_blocks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap();
    assert!(made.success());
    let mut probe = Probe::new();
    probe.grant = folders(&[("/data", folder.path(), Access::ReadWrite)]);
    for act in ["read", "write"] {
        let error = probe.call(act, "/data/pipe").await.unwrap_err();
        assert!(!matches!(error.failure, CallFailure::OutOfTime(_)), "{act}: {error}");
    }
}

/// What is there when it is looked at, is not what is there when it is opened: whatever comes of it, no byte of the pipe does.
#[tokio::test]
async fn a_pipe_put_in_the_place_of_a_file_between_look_and_open_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let (odd, pipe) = (folder.path().join("odd"), folder.path().join("pipe"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::write(&odd, "file").unwrap();
    // Both ends are open, and it is full: nobody has to wait for it.
    let mut ends = fs::File::options().read(true).write(true).open(&pipe).unwrap();
    ends.write_all(&[b'p'; 4096]).unwrap();
    let mut probe = Probe::new();
    probe.grant = folders(&[("/data", folder.path(), Access::ReadOnly)]);
    let plugin = probe.plugin("read", "/data/odd");
    let done = Arc::new(AtomicBool::new(false));
    let swapping = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            while !done.load(Ordering::Relaxed) {
                // Each takes the other's place, at once.
                renameat_with(CWD, &odd, CWD, &pipe, RenameFlags::EXCHANGE).unwrap();
            }
        }
    });
    let (mut read, mut refused) = (0, 0);
    for _ in 0..2_000 {
        let input = CheckInput { changed: vec![], tests: vec![], fix: None, issue: None, url: None };
        match plugin.check(&CallContext::default(), input).await {
            Ok(report) => {
                assert_eq!(report.summary, "file");
                read += 1;
            }
            Err(error) => {
                assert!(!matches!(error.failure, CallFailure::OutOfTime(_)), "{error}");
                refused += 1;
            }
        }
    }
    done.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
}

/// Answers one request with `text/plain`.
fn serve_once(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut request = Vec::new();
        let mut part = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            let length = stream.read(&mut part).unwrap();
            assert!(length > 0, "the request is cut");
            request.extend_from_slice(&part[..length]);
        }
        let length = answer.len();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}").unwrap();
        String::from_utf8(request).unwrap()
    });
    (address, thread)
}

#[tokio::test]
async fn a_request_goes_to_an_origin_that_is_granted_by_its_address() {
    let (address, server) = serve_once("hello");
    let mut probe = Probe::new().with_limits(|limits| limits.wall_time = Span(Duration::from_secs(10)));
    probe.grant.http = vec![address.parse().unwrap()];
    assert_eq!(probe.call("fetch", &format!("{address}/a?b=1")).await.unwrap().summary, "200 hello");
    let request = server.join().unwrap();
    assert!(request.starts_with("GET /a?b=1 HTTP/1.1\r\n"), "{request}");
}

#[tokio::test]
async fn a_request_to_what_is_not_granted_is_denied_and_never_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut probe = Probe::new();
    let url = format!("http://127.0.0.1:{port}/");
    let error = probe.call("fetch", &url).await.unwrap_err();
    assert!(matches!(error.failure, CallFailure::Denied(_)), "{error}");
    assert!(error.to_string().contains(&url), "{error}");
    probe.grant.http = vec![format!("http://127.0.0.1:{port}/metrics").parse().unwrap()];
    assert!(probe.call("fetch", &url).await.is_err(), "another path");
    assert!(probe.call("fetch", &format!("http://localhost:{port}/metrics")).await.is_err(), "another name");
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nothing was sent");
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_call_its_time_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut probe = Probe::new().with_limits(|limits| limits.wall_time = Span(Duration::from_millis(300)));
    probe.grant.http = vec![address.parse().unwrap()];
    let error = probe.call("fetch", &address).await.unwrap_err();
    assert!(matches!(error.failure, CallFailure::OutOfTime(_)), "{error}");
}

#[tokio::test]
async fn what_a_call_keeps_is_there_in_the_next_one_unless_it_failed() {
    let mut probe = Probe::new();
    probe.keyvalue = Some(Arc::new(Memory::default()));
    let error = probe.call("keep", "a").await.unwrap_err();
    assert!(error.to_string().contains("[plugins.probe.grant] keyvalue = true"), "{error}");
    probe.grant.keyvalue = true;
    assert_eq!(probe.call("keep", "a").await.unwrap().summary, "");
    assert_eq!(probe.call("keep", "b").await.unwrap().summary, "a");
    assert!(probe.call("keep-and-refuse", "c").await.is_err());
    assert_eq!(probe.call("keep", "d").await.unwrap().summary, "b", "a failed call keeps nothing");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the host's trace holds, from this level on, after the probe did something. Of each span there is a line when it ends.
async fn trace_of(act: &str, level: tracing::Level) -> String {
    let lines = Lines::default();
    let written = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(level)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || written.clone())
        .finish();
    let probe = Probe::new().with_limits(|limits| limits.host_calls = 10_000);
    let context = CallContext { run: "run-7".to_owned(), ..CallContext::default() };
    let input = autodevops_model::CheckInput { changed: vec![], tests: vec![], fix: None, issue: None, url: None };
    let plugin = probe.plugin(act, "");
    let _guard = tracing::subscriber::set_default(subscriber);
    plugin.check(&context, input).await.unwrap();
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn what_a_plugin_logs_is_in_the_trace_with_plugin_run_and_stage() {
    let text = trace_of("answer", tracing::Level::INFO).await;
    let line = text.lines().find(|line| line.contains("checking 0 files")).expect(&text);
    for part in [" INFO ", "plugin=\"probe\"", "run=\"run-7\"", "stage=\"check\""] {
        assert!(line.contains(part), "{line}");
    }
}

#[tokio::test]
async fn what_a_plugin_traces_is_there_too_with_its_fields_and_spans() {
    let text = trace_of("trace", tracing::Level::INFO).await;
    let line = text.lines().find(|line| line.contains("slow bank")).expect(&text);
    assert!(line.contains(" WARN ") && line.contains("attempt=") && line.contains("order.id="), "{line}");
}

#[tokio::test]
async fn each_host_call_is_a_span_with_what_was_asked_and_decided_and_its_time() {
    let text = trace_of("log", tracing::Level::TRACE).await;
    let spans: Vec<_> = text.lines().filter(|line| line.contains("host_call{") && line.contains("close")).collect();
    let logged = spans.iter().filter(|line| line.contains("operation=\"log\"") && line.contains("allowed=true"));
    assert_eq!(logged.count(), 1_000, "{text}");
    assert!(spans.iter().all(|line| line.contains("plugin=\"probe\"") && line.contains("time.busy=")), "{text}");
}

#[tokio::test]
async fn log_lines_beyond_the_limit_are_told_of_once() {
    let text = trace_of("log", tracing::Level::INFO).await;
    assert_eq!(text.lines().filter(|line| line.contains("line ")).count(), 10, "{text}");
    assert!(text.contains("dropped=990"), "{text}");
    assert!(!text.lines().any(|line| line.starts_with("ERROR forged")), "{text}");
}
