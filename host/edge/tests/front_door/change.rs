//! Everything that a client does, while releases come and go.

use std::time::{Duration, Instant};

use autodevops_load::{
    Clients,
    changes::{FIRST, rollouts},
    clients::CROWD,
};

use crate::support::{
    PRODUCTION, TestEdge,
    process::{self, Memory},
    release::until,
    wire::Wire,
};

/// The same as the bench has 200, 20 and 20 of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_over_24_weight_changes_3_deploys_and_3_rollbacks() {
    let mut edge = TestEdge::new().serve().await;
    edge.start(FIRST).await;
    edge.split(&[(FIRST, 100)]).await;
    let clients = Clients::begin(edge.address, &CROWD);
    for change in rollouts(3, 4) {
        clients.over(&change, edge.make(&change)).await;
    }
    let seen = clients.end().await.unwrap();
    println!("{seen}");
    assert_eq!(seen.failures, Vec::<String>::new());
    assert_eq!(seen.missed(), [], "each kind of request was under way over each kind of change:\n{seen}");
    let text = edge.metrics().await;
    assert!(!text.lines().any(|line| line.contains("code=\"000\"} ") && !line.ends_with(" 0")), "{text}");
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgraded_connection_goes_both_ways_and_a_drain_gives_it_a_bounded_time() {
    let mut edge = TestEdge::with(|options| options.drain = Duration::from_millis(600)).serve().await;
    edge.start("r-1").await;
    edge.start("r-2").await;
    edge.split(&[("r-1", 100)]).await;
    let mut socket = Wire::upgraded(edge.address).await;
    edge.split(&[("r-2", 100)]).await;
    // It stays with its release, also when that has no share any more.
    socket.say("still here").await;
    assert_eq!(socket.until("here").await.unwrap(), "still here");
    let began = Instant::now();
    let stop = edge.client.stop(PRODUCTION, "stop", 1, "r-1");
    let (stopped, ()) = tokio::join!(stop, async {
        // The release is draining: what was begun goes on.
        socket.say("and now").await;
        assert_eq!(socket.until("now").await.unwrap(), "and now");
        assert_eq!(socket.rest().await, "");
    });
    stopped.unwrap();
    let took = began.elapsed();
    assert!((Duration::from_millis(500)..Duration::from_secs(8)).contains(&took), "{took:?}");

    // One that ends in time is not waited for any longer.
    let mut socket = Wire::upgraded(edge.address).await;
    edge.start("r-3").await;
    edge.split(&[("r-3", 100)]).await;
    socket.say("bye").await;
    assert_eq!(socket.until("bye").await.unwrap(), "bye");
    drop(socket);
    edge.client.stop(PRODUCTION, "stop r-2", 1, "r-2").await.unwrap();
    // A release that does not agree answers in HTTP.
    let mut plain = Wire::to(edge.address).await;
    let ask = "GET / HTTP/1.1\r\nhost: shop\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(plain.ask(ask).await.unwrap().status, 200);
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_passed_on_as_they_come_in_both_directions() {
    let mut edge = TestEdge::new().serve().await;
    edge.start("r-1").await;
    edge.split(&[("r-1", 100)]).await;
    let root = edge.root("r-1");
    let mut wire = Wire::to(edge.address).await;
    wire.say("GET /stream HTTP/1.1\r\nhost: shop\r\n\r\n").await;
    wire.until("first").await.unwrap();
    std::fs::write(root.join("go"), "").unwrap();
    wire.until("second\r\n0\r\n\r\n").await.unwrap();

    wire.say("POST /count HTTP/1.1\r\nhost: shop\r\ncontent-length: 10\r\n\r\nfirst").await;
    until(|| root.join("came").exists()).await;
    assert_eq!(wire.ask("other").await.unwrap().body, "10");
    // One that waits to be asked for its body is asked.
    wire.say("POST /count HTTP/1.1\r\nhost: shop\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n").await;
    assert_eq!(wire.until("\r\n\r\n").await.unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(wire.ask("body").await.unwrap().body, "4");
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_of_100_megabytes_takes_no_memory() {
    let edge = TestEdge::new();
    let mut process = process::spawn(&edge).await;
    edge.start("r-1").await;
    edge.split(&[("r-1", 100)]).await;
    let mut wire = Wire::to(edge.address).await;
    wire.ask("POST /count HTTP/1.1\r\nhost: shop\r\ncontent-length: 1\r\n\r\nx").await.unwrap();
    let before = Memory::of(process.id());
    wire.say("POST /count HTTP/1.1\r\nhost: shop\r\ncontent-length: 100000000\r\n\r\n").await;
    let part = vec![b'x'; 1_000_000];
    for _ in 0..100 {
        wire.try_say(&part).await.unwrap();
    }
    assert_eq!(wire.reply().await.unwrap().body, "100000000");
    let grown = Memory::of(process.id()).peak.saturating_sub(before.peak);
    assert!(grown < 8 << 20, "it took {grown} bytes");
    edge.client.shutdown().await.unwrap();
    assert!(process.wait().unwrap().success());
}
