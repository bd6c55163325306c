//! The front door's own end: another process takes over, or it is killed.

use std::{
    io::Read,
    os::unix::process::ExitStatusExt,
    time::{Duration, Instant},
};

use autodevops_edge::socket;
use autodevops_load::{Clients, clients::CROWD};
use autodevops_model::Window;
use http::Request;
use http_body_util::Full;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::support::{PRODUCTION, TestEdge, is_alive, process, release::until, splits, wire::Wire};

async fn pids(edge: &TestEdge) -> Vec<u32> {
    let status = edge.client.status().await.unwrap();
    status.environments[PRODUCTION].releases.iter().map(|release| release.pid.unwrap()).collect()
}

/// How many requests were observed, of all releases together.
async fn observed(edge: &TestEdge, releases: &[&str]) -> u64 {
    let mut sum = 0;
    for release in releases {
        let window = Window { start: 0, end: i64::MAX };
        sum += edge.client.observe(PRODUCTION, release, window).await.unwrap().traffic.requests;
    }
    sum
}

/// Waits until so many were observed: a request is counted when its answer is through, which the client may see first.
async fn until_observed(edge: &TestEdge, releases: &[&str], count: u64) {
    let began = Instant::now();
    while observed(edge, releases).await != count {
        assert!(began.elapsed() < Duration::from_secs(20), "{} in place of {count}", observed(edge, releases).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_served_by(edge: &TestEdge, pid: u32) {
    let began = Instant::now();
    while !edge.client.status().await.is_ok_and(|status| status.pid == pid) {
        assert!(began.elapsed() < Duration::from_secs(20), "{pid} does not serve");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_takes_over_and_no_request_fails() {
    let edge = TestEdge::with(|options| options.drain = Duration::from_secs(3));
    let mut first = process::spawn(&edge).await;
    edge.start("r-1").await;
    edge.start("r-2").await;
    edge.split(&[("r-1", 100)]).await;
    edge.client.set_traffic(PRODUCTION, "step", 5, splits(&[("r-1", 60), ("r-2", 40)])).await.unwrap();
    let url = edge.client.url(PRODUCTION, "r-2").await.unwrap();
    let clients = Clients::begin(edge.address, &CROWD);
    clients.go_on(200).await;
    let mut socket = Wire::upgraded(edge.address).await;
    let mut idle = Wire::to(edge.address).await;
    idle.ask("GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();

    let mut generations = vec![(first.id(), pids(&edge).await)];
    let mut second = process::spawn_taking_over(&edge);
    until_served_by(&edge, second.id()).await;
    generations.push((second.id(), pids(&edge).await));
    assert_eq!(edge.client.running().unwrap(), Some(second.id()));
    // A connection that was idle then can be used once more, and is told that it was the last time.
    let reply = idle.ask("GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    assert!(reply.status == 200 && reply.head.contains("connection: close"), "{reply:?}");
    assert_eq!(idle.rest().await, "");
    // What was upgraded goes on for the time to drain.
    socket.say("still here").await;
    assert_eq!(socket.until("here").await.unwrap(), "still here");
    let traffic = edge.client.traffic(PRODUCTION).await.unwrap().unwrap();
    assert_eq!((traffic.splits, traffic.fence), (splits(&[("r-1", 60), ("r-2", 40)]), 5));
    assert_eq!(edge.client.url(PRODUCTION, "r-2").await.unwrap(), url);
    let answer = edge.send(Request::get(&url).body(Full::default()).unwrap()).await;
    assert_eq!((answer.status(), answer.release()), (200, "r-2"));
    clients.go_on(200).await;
    // While the first is ending, no third can take over.
    let mut early = process::spawn_taking_over(&edge);
    assert!(!early.wait().unwrap().success());
    assert_eq!(socket.rest().await, "");
    assert!(first.wait().unwrap().success());
    // What was told before is known: the same key has no other effect.
    edge.client.set_traffic(PRODUCTION, "step", 5, splits(&[("r-1", 60), ("r-2", 40)])).await.unwrap();
    clients.go_on(100).await;
    let seen = clients.end().await.unwrap();
    assert_eq!(seen.failures, Vec::<String>::new());
    // The last answers are counted, too, by then.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let text = edge.metrics().await;
    let total: u64 = text
        .lines()
        .filter_map(|line| line.strip_prefix("autodevops_requests_total")?.rsplit(' ').next()?.parse::<u64>().ok())
        .sum();
    assert!(total > 500, "{total}");
    until_observed(&edge, &["r-1", "r-2"], total).await;
    assert!(!text.lines().any(|line| line.contains("code=\"000\"} ") && !line.ends_with(" 0")), "{text}");
    assert!(generations[0].1.iter().all(|pid| !is_alive(*pid)));
    assert!(generations[1].1.iter().all(|pid| is_alive(*pid)));
    edge.client.shutdown().await.unwrap();
    assert!(second.wait().unwrap().success());
    assert_eq!(edge.client.running().unwrap(), None);
    assert!(!edge.options.state.join("sockets").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_cannot_serve_what_is_served_takes_nothing_over() {
    let edge = TestEdge::new();
    let mut first = process::spawn(&edge).await;
    edge.start("r-1").await;
    edge.split(&[("r-1", 100)]).await;
    for _ in 0..5 {
        assert_eq!(edge.get("/").await.status(), 200);
    }
    std::fs::write(edge.root("r-1").join("broken"), "").unwrap();
    let mut second = process::spawn_taking_over(&edge);
    assert!(!second.wait().unwrap().success());
    let mut said = String::new();
    second.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(
        said.contains("up in the front door that serves, and does not get ready in this one within 5 s: ")
            && said.contains("Cannot find module './prices'"),
        "{said}"
    );
    assert_eq!(edge.client.running().unwrap(), Some(first.id()));
    assert_eq!(edge.get("/").await.status(), 200);
    // What it counted is still its own, and it does what it is told.
    until_observed(&edge, &["r-1"], 6).await;
    edge.start("r-2").await;
    edge.split(&[("r-2", 100)]).await;
    assert_eq!(edge.get("/").await.release(), "r-2");
    edge.client.shutdown().await.unwrap();
    assert!(first.wait().unwrap().success());
    let mut none = process::spawn_taking_over(&edge);
    assert!(!none.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_hangs_while_the_old_one_stands_still_for_it_is_ended_and_has_changed_nothing() {
    let mut edge = TestEdge::with(|options| options.takeover = Duration::from_secs(3)).serve().await;
    edge.start("r-1").await;
    edge.start("r-2").await;
    edge.split(&[("r-1", 100)]).await;
    assert_eq!(edge.get("/").await.release(), "r-1");
    let record = edge.options.state.join("production.json");
    let before = std::fs::read(&record).unwrap();
    let mut hanging = process::spawn_hanging(&edge);
    until(|| edge.client.running().unwrap() == Some(hanging.id())).await;
    // It stands still, and shares are to be set: they wait, and not for long.
    tokio::time::timeout(Duration::from_secs(10), edge.client.renew(PRODUCTION, 1)).await.unwrap().unwrap();
    assert_eq!(hanging.wait().unwrap().signal(), Some(9));
    until(|| edge.client.running().unwrap() == Some(std::process::id())).await;
    assert_eq!(std::fs::read(&record).unwrap(), before);
    tokio::time::timeout(Duration::from_secs(10), edge.split(&[("r-2", 100)])).await.unwrap();
    assert_eq!(edge.get("/").await.release(), "r-2");
    // What was counted before is still its own.
    until_observed(&edge, &["r-1", "r-2"], 2).await;
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_is_up_waits_for_no_front_door_that_asks_to_take_over_and_says_nothing_more() {
    let mut edge = TestEdge::with(|options| options.takeover = Duration::from_secs(4)).serve().await;
    edge.start("r-1").await;
    edge.split(&[("r-1", 100)]).await;
    let stream = socket::connect(&socket::control(&edge.options.state)).await.unwrap();
    let mut silent = BufReader::new(stream);
    silent.write_all(b"{\"call\":\"take-over\"}\n").await.unwrap();
    let mut offer = String::new();
    silent.read_line(&mut offer).await.unwrap();
    assert!(offer.contains("listeners"), "{offer}");
    // What traffic goes back to is started once more, under a fence of its own, and given all of the traffic.
    let soon = Duration::from_secs(3);
    tokio::time::timeout(soon, edge.client.start(edge.start_of("r-1", "back", 2))).await.unwrap().unwrap();
    let all = edge.client.set_traffic(PRODUCTION, "all", 2, splits(&[("r-1", 100)]));
    tokio::time::timeout(soon, all).await.unwrap().unwrap();
    let new = edge.client.start(edge.start_of("r-2", "new", 3));
    let mut new = Box::pin(new);
    let early = tokio::time::timeout(Duration::from_millis(300), new.as_mut()).await;
    assert!(early.is_err(), "the other one would not know of it");
    // It is not waited for long.
    tokio::time::timeout(Duration::from_secs(20), new).await.unwrap().unwrap();
    assert_eq!(silent.read_line(&mut offer).await.unwrap(), 0, "it is over for that one");
    assert_eq!(edge.get("/").await.release(), "r-1");
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_counted_outlives_a_kill() {
    let edge = TestEdge::new();
    let mut process = process::spawn(&edge).await;
    edge.start("r-1").await;
    edge.split(&[("r-1", 100)]).await;
    for _ in 0..20 {
        assert_eq!(edge.get("/").await.status(), 200);
    }
    let kept = edge.options.state.join("production.counters");
    until(|| std::fs::read_to_string(&kept).is_ok_and(|text| text.contains("\"classes\":[20,0,0,0,0]"))).await;
    process.kill().unwrap();
    process.wait().unwrap();
    let mut process = process::spawn(&edge).await;
    until_observed(&edge, &["r-1"], 20).await;
    assert!(edge.metrics().await.contains("release=\"r-1\",code=\"2xx\"} 20"));
    edge.client.shutdown().await.unwrap();
    assert!(process.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_front_doors_own_log_is_put_aside_when_it_is_full() {
    let edge = TestEdge::with(|options| options.own_log = Some(options.state.with_file_name("edge.log")));
    let log = edge.options.own_log.clone().unwrap();
    let full = 64 << 20;
    std::fs::File::create(&log).unwrap().set_len(full).unwrap();
    let mut process = process::spawn(&edge).await;
    let aside = log.with_file_name("edge.log.1");
    for stream in [1, 2] {
        let open = format!("/proc/{}/fd/{stream}", process.id());
        until(|| aside.exists() && std::fs::read_link(&open).is_ok_and(|open| open == log)).await;
    }
    assert!(std::fs::metadata(&aside).unwrap().len() >= full && std::fs::metadata(&log).unwrap().len() < full);
    edge.client.shutdown().await.unwrap();
    assert!(process.wait().unwrap().success());
}
