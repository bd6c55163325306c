//! Releases and the front door itself: started, stopped, crashed, killed and started again.

use std::{path::PathBuf, time::Duration};

use crate::support::{PRODUCTION, TestEdge, is_alive, process, release, release::until, splits};
use autodevops_bubblewrap::Refused;
use autodevops_edge::{CommandLimits, Phase, ReleaseStatus, RunSpec, Start, TrafficState, release_log, serve};
use autodevops_model::{ErrorKind, StageError};
use http::Request;
use http_body_util::Full;

pub async fn status_of(edge: &TestEdge, id: &str) -> ReleaseStatus {
    let status = edge.client.status().await.unwrap();
    status.environments[PRODUCTION].releases.iter().find(|status| status.release.id == id).unwrap().clone()
}

pub async fn until_status(edge: &TestEdge, id: &str, done: impl Fn(&ReleaseStatus) -> bool) -> ReleaseStatus {
    for _ in 0..2000 {
        let status = status_of(edge, id).await;
        if done(&status) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {:?}", status_of(edge, id).await);
}

fn kind<T>(result: Result<T, StageError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_being_killed_the_front_door_serves_what_it_served_and_knows_what_was_done() {
    let edge = TestEdge::new();
    let mut process = process::spawn(&edge).await;
    edge.start("r-1").await;
    edge.start("r-2").await;
    edge.split(&[("r-1", 100)]).await;
    edge.client.set_traffic(PRODUCTION, "step", 5, splits(&[("r-1", 60), ("r-2", 40)])).await.unwrap();
    let pids = [status_of(&edge, "r-1").await.pid.unwrap(), status_of(&edge, "r-2").await.pid.unwrap()];
    assert_eq!(edge.client.running().unwrap(), Some(process.id()));

    process.kill().unwrap();
    process.wait().unwrap();
    until(|| pids.iter().all(|pid| !is_alive(*pid))).await;
    assert_eq!(edge.client.running().unwrap(), None);
    assert_eq!(kind(edge.client.status().await), Some(ErrorKind::Unavailable));

    let mut process = process::spawn(&edge).await;
    let traffic = edge.client.traffic(PRODUCTION).await.unwrap().unwrap();
    assert_eq!(traffic.splits, splits(&[("r-1", 60), ("r-2", 40)]));
    assert_eq!((traffic.fence, traffic.stable, traffic.returned_at), (5, Some(release("r-1")), None));
    // A request waits for a release that is still getting ready.
    for client in 0..20 {
        assert_eq!(edge.get_as(client, "/").await.status(), 200);
    }
    let before = until_status(&edge, "r-1", |status| status.phase == Phase::Up).await;
    edge.client.start(edge.start_of("r-1", "start r-1", 5)).await.unwrap();
    assert_eq!(status_of(&edge, "r-1").await.pid, before.pid);
    assert_eq!(edge.client.find(PRODUCTION, "start r-2").await.unwrap(), Some(release("r-2")));
    assert_eq!(edge.client.find(PRODUCTION, "start r-3").await.unwrap(), None);
    assert_eq!(kind(edge.client.start(edge.start_of("r-3", "start r-3", 4)).await), Some(ErrorKind::Denied));
    assert_eq!(kind(edge.client.renew(PRODUCTION, 4).await), Some(ErrorKind::Denied));
    let pids = [status_of(&edge, "r-1").await.pid.unwrap(), status_of(&edge, "r-2").await.pid.unwrap()];
    edge.client.shutdown().await.unwrap();
    assert!(process.wait().unwrap().success());
    assert!(pids.iter().all(|pid| !is_alive(*pid)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_returns_to_the_stable_release_when_nobody_renews_also_over_a_restart() {
    let mut edge = TestEdge::with(|options| options.lease = Duration::from_millis(300)).serve().await;
    edge.start("r-1").await;
    edge.start("r-2").await;
    edge.split(&[("r-1", 100)]).await;
    let returned = async |edge: &TestEdge| {
        for _ in 0..1000 {
            let traffic = edge.client.traffic(PRODUCTION).await.unwrap().unwrap();
            if traffic.returned_at.is_some() {
                assert_eq!((traffic.splits, traffic.lease_until), (splits(&[("r-1", 100)]), None));
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("traffic did not return");
    };
    edge.split(&[("r-1", 50), ("r-2", 50)]).await;
    let first = edge.client.traffic(PRODUCTION).await.unwrap().unwrap().lease_until.unwrap();
    assert!(edge.client.renew(PRODUCTION, 1).await.unwrap().lease_until.unwrap() > first);
    returned(&edge).await;
    for client in 0..40 {
        assert_eq!(edge.get_as(client, "/").await.release(), "r-1");
    }
    assert_eq!(edge.client.renew(PRODUCTION, 1).await.unwrap().splits, splits(&[("r-1", 100)]));
    edge.split(&[("r-1", 50), ("r-2", 50)]).await;
    edge.end().await;
    let mut edge = edge.serve().await;
    returned(&edge).await;
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_that_nobody_renews_does_not_return_to_a_stable_release_that_is_down_until_it_is_up_again() {
    let mut edge = TestEdge::with(|options| options.lease = Duration::from_millis(300)).serve().await;
    edge.start("r-1").await;
    edge.start("r-2").await;
    edge.split(&[("r-1", 100)]).await;
    std::fs::write(edge.root("r-1").join("broken"), "").unwrap();
    drop(edge.try_send(http::Request::get(edge.url("/crash")).body(Default::default()).unwrap()).await);
    until_status(&edge, "r-1", |status| status.phase != Phase::Up).await;
    edge.split(&[("r-1", 50), ("r-2", 50)]).await;
    let traffic = async || edge.client.traffic(PRODUCTION).await.unwrap().unwrap();
    let until_traffic = async |done: fn(&TrafficState) -> bool| {
        for _ in 0..2000 {
            let traffic = traffic().await;
            if done(&traffic) {
                return traffic;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?}", traffic().await);
    };
    let kept = until_traffic(|traffic| traffic.kept_since.is_some()).await;
    assert_eq!((kept.splits, kept.returned_at), (splits(&[("r-1", 50), ("r-2", 50)]), None));
    let mut on_candidate = None;
    for client in 0..64 {
        if edge.client.answering(PRODUCTION, &format!("{client:016x}")).await.unwrap().as_deref() == Some("r-2") {
            on_candidate = Some(client);
        }
    }
    let answer = edge.get_as(on_candidate.unwrap(), "/").await;
    assert_eq!((answer.status(), answer.release()), (200, "r-2"), "whoever it works for keeps it");
    std::fs::remove_file(edge.root("r-1").join("broken")).unwrap();
    let returned = until_traffic(|traffic| traffic.returned_at.is_some()).await;
    assert_eq!((returned.splits, returned.kept_since), (splits(&[("r-1", 100)]), None));
    assert!(edge.client.answering(PRODUCTION, "ann").await.unwrap_err().info.message.contains("names no client"));
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_each_release_writes_is_in_a_log_of_its_own_too() {
    let mut edge = TestEdge::new().serve().await;
    edge.start("r-1").await;
    edge.start("r-2").await;
    let log = edge.folder.path().join("logs/production.log");
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
    let wrote = |id: &str| format!("serving {}", edge.root(id).display());
    for (id, other) in [("r-1", "r-2"), ("r-2", "r-1")] {
        let own = release_log(&log, id);
        until(|| read(&own).contains(&wrote(id)) && read(&log).contains(&wrote(id))).await;
        assert!(!read(&own).contains(&wrote(other)));
    }
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_crashes_is_started_again_and_requests_wait_for_it() {
    let mut edge = TestEdge::new().serve().await;
    edge.start("r-1").await;
    edge.split(&[("r-1", 100)]).await;
    let before = status_of(&edge, "r-1").await;
    let crash = Request::post(edge.url("/crash")).body(Full::from("x")).unwrap();
    let answer = edge.send(crash).await;
    assert_eq!((answer.status(), answer.header("x-autodevops-error")), (502, "edge"));
    assert_eq!(edge.get("/").await.status(), 200);
    let after = until_status(&edge, "r-1", |status| status.restarts == 1 && status.phase == Phase::Up).await;
    assert!(after.pid != before.pid && !after.crash_loop);

    std::fs::write(edge.root("r-1").join("broken"), "").unwrap();
    edge.send(Request::post(edge.url("/crash")).body(Full::from("x")).unwrap()).await;
    until_status(&edge, "r-1", |status| status.crash_loop).await;
    assert!(
        edge.metrics().await.contains("autodevops_release_crash_loop{environment=\"production\",release=\"r-1\"} 1")
    );
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stable_release_answers_for_a_candidate_that_is_down() {
    let mut edge = TestEdge::new().serve().await;
    edge.start("r-1").await;
    edge.start("r-2").await;
    edge.split(&[("r-1", 100)]).await;
    edge.split(&[("r-1", 1), ("r-2", 99)]).await;
    let mut clients = 0..;
    let client = loop {
        let client = clients.next().unwrap();
        if edge.get_as(client, "/").await.release() == "r-2" {
            break client;
        }
    };
    std::fs::write(edge.root("r-2").join("broken"), "").unwrap();
    // Also the request that it crashes on, which has no body and may be asked again.
    let url = edge.client.url(PRODUCTION, "r-2").await.unwrap();
    let post = Request::post(format!("{url}/crash")).body(Full::from("x")).unwrap();
    assert_eq!(edge.send(post).await.status(), 502);
    for _ in 0..5 {
        let answer = edge.get_as(client, "/").await;
        assert_eq!((answer.status(), answer.release()), (200, "r-1"));
    }
    let refused = edge.client.set_traffic(PRODUCTION, "more", 1, splits(&[("r-2", 100)])).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Failed);
    assert!(refused.info.message.contains("does not answer now"), "{refused}");
    edge.split(&[("r-1", 100)]).await;
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_does_not_get_ready_is_told_with_the_end_of_its_output() {
    let mut edge = TestEdge::with(|options| options.ready_timeout = Duration::from_millis(500)).serve().await;
    std::fs::write(edge.root("r-1").join("broken"), "").unwrap();
    let error = edge.client.start(edge.start_of("r-1", "k", 1)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Failed);
    assert!(error.info.message.contains("ended before it was ready (exit status: 1)"), "{error}");
    let (name, output) = &error.info.details[0];
    assert!(name == "output" && output.contains("Cannot find module './prices'"), "{error}");
    let log = std::fs::read_to_string(edge.folder.path().join("logs/production.log")).unwrap();
    assert!(log.contains("Error: Cannot find module './prices'\n"), "{log}");

    std::fs::write(edge.root("r-2").join("silent"), "").unwrap();
    let error = edge.client.start(edge.start_of("r-2", "k", 1)).await.unwrap_err();
    assert!(error.info.message.contains("was not ready after 0.5 s: it does not listen"), "{error}");
    assert!(edge.client.status().await.unwrap().environments[PRODUCTION].releases.is_empty());
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_make_no_sense_are_refused() {
    let mut edge = TestEdge::new().serve().await;
    let client = &edge.client;
    assert_eq!(client.traffic(PRODUCTION).await.unwrap(), None);
    edge.start("r-1").await;
    edge.split(&[("r-1", 100)]).await;
    let elsewhere = client.traffic("staging").await.unwrap_err();
    assert!(elsewhere.info.message.contains("no environment `staging`; it has production"), "{elsewhere}");
    assert_eq!(kind(client.url(PRODUCTION, "r-9").await), Some(ErrorKind::InvalidInput));
    assert_eq!(kind(client.stop(PRODUCTION, "k1", 1, "r-1").await), Some(ErrorKind::InvalidInput));
    assert_eq!(kind(client.stop(PRODUCTION, "k2", 1, "r-9").await), Some(ErrorKind::InvalidInput));
    assert_eq!(kind(client.start(edge.start_of("R 1", "k3", 1)).await), Some(ErrorKind::InvalidInput));
    let mut other = edge.start_of("r-1", "k4", 1);
    other.run = RunSpec::Files { public: "public".into() };
    assert_eq!(kind(client.start(other).await), Some(ErrorKind::InvalidInput));
    let reused = client.set_traffic(PRODUCTION, "start r-1", 1, splits(&[("r-1", 100)])).await;
    assert_eq!(kind(reused), Some(ErrorKind::InvalidInput));
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_and_a_port_have_one_front_door() {
    let mut edge = TestEdge::new().serve().await;
    let second = serve(edge.options.clone()).await.unwrap_err().to_string();
    assert!(second.contains(&format!("(process {})", std::process::id())), "{second}");
    let mut options = edge.options.clone();
    options.state = edge.folder.path().join("other");
    let taken = serve(options.clone()).await.unwrap_err().to_string();
    let address = edge.address;
    assert!(
        taken.starts_with(&format!("the environment `production` cannot listen on {address}: "))
            && taken.ends_with("; end what listens there, or configure another port"),
        "{taken}"
    );
    assert!(!options.state.join("edge.sock").exists());
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_folder_may_have_a_long_name() {
    let mut edge = TestEdge::with(|options| options.state = options.state.join("long-".repeat(40))).serve().await;
    edge.start("r-1").await;
    edge.split(&[("r-1", 100)]).await;
    assert_eq!(edge.get("/").await.status(), 200);
    edge.end().await;
    assert!(!edge.options.state.join("sockets").exists() && !edge.options.state.join("edge.sock").exists());
}

/// A release that is a command: this test program. None where there is no bubblewrap, which is told.
fn command_of(edge: &TestEdge, id: &str, limits: CommandLimits) -> Option<Start> {
    match autodevops_bubblewrap::outside() {
        Ok(_) => {}
        Err(Refused::Absent) => {
            println!("skipped: bubblewrap is not installed");
            return None;
        }
        Err(error) => panic!("{error}"),
    }
    let program = std::env::current_exe().unwrap();
    let folder: PathBuf = program.parent().unwrap().into();
    let mut start = edge.start_of(id, &format!("start {id}"), 1);
    start.run = RunSpec::Command {
        argv: vec![program.to_str().unwrap().into(), "release_process".into(), "--exact".into(), "--nocapture".into()],
        env: [("RELEASE_ARGUMENTS".to_owned(), "serve --root /app --socket /run/release/s".to_owned())].into(),
        read: vec![folder],
        limits,
    };
    Some(start)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_runs_in_bubblewrap_and_sees_nothing_of_the_machine() {
    let mut edge = TestEdge::new().serve().await;
    let Some(start) = command_of(&edge, "r-1", CommandLimits::default()) else { return edge.end().await };
    edge.client.start(start).await.unwrap();
    edge.split(&[("r-1", 100)]).await;
    let seen = edge.get("/sandbox").await.text();
    assert_eq!(seen, "uid=65534 processes=2 devices=lo home=false write=false variables=false");
    let plain = edge.get("/plain-error").await;
    assert_eq!((plain.status(), plain.header("x-autodevops-error")), (500, "application"));
    let pid = status_of(&edge, "r-1").await.pid.unwrap();
    edge.end().await;
    assert!(!is_alive(pid));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_takes_no_more_memory_and_processes_than_it_may() {
    let mut edge = TestEdge::new().serve().await;
    let enough = CommandLimits::default();
    let little = |memory, processes| CommandLimits { memory, processes };
    for (id, limits, had) in [
        ("r-1", enough, "memory=true threads=true"),
        ("r-2", little(128 << 20, enough.processes), "memory=false threads=true"),
        ("r-3", little(enough.memory, 50), "memory=true threads=false"),
    ] {
        let Some(start) = command_of(&edge, id, limits) else { break };
        edge.client.start(start).await.unwrap();
        edge.split(&[(id, 100)]).await;
        assert_eq!(edge.get("/greedy").await.text(), had, "{id}");
    }
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_stopped_is_asked_to_end_and_has_time_to() {
    let mut edge = TestEdge::new().serve().await;
    let Some(mut start) = command_of(&edge, "r-1", CommandLimits::default()) else { return edge.end().await };
    let RunSpec::Command { argv, .. } = &mut start.run else { panic!("it is a command") };
    // What is asked first is the command itself, around what serves.
    let around = "\"$@\" & served=$!
        trap 'echo asked to end; sleep 0.2; kill $served; wait $served; echo ended by itself; exit 0' TERM
        while :; do sleep 0.05; done";
    argv.splice(0..0, ["/bin/sh", "-c", around, "sh"].map(str::to_owned));
    edge.client.start(start).await.unwrap();
    let pid = status_of(&edge, "r-1").await.pid.unwrap();
    edge.client.stop(PRODUCTION, "stop r-1", 1, "r-1").await.unwrap();
    until(|| !is_alive(pid)).await;
    let log = edge.options.environments[PRODUCTION].log.clone();
    edge.end().await;
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("asked to end") && log.contains("ended by itself"), "{log}");
}
