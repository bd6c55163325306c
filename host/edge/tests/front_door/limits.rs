//! Clients and releases that are slow or greedy: each limit, and that it bites.

use std::time::{Duration, Instant};

use crate::support::{TestEdge, wire::Wire};
use autodevops_edge::{LeastPace, Limits};

/// So short a time that it is over in a test, and so long that what is quick is within it.
const SHORT: Duration = Duration::from_millis(500);

async fn edge(change: impl FnOnce(&mut Limits)) -> TestEdge {
    let edge = TestEdge::with(|options| change(&mut options.limits)).serve().await;
    edge.start("r-1").await;
    edge.split(&[("r-1", 100)]).await;
    edge
}

/// That something took about as long as the limit, and not as long as what else could end it.
fn assert_short(began: Instant) {
    let took = began.elapsed();
    assert!((SHORT.mul_f64(0.8)..Duration::from_secs(10)).contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_its_head_in_drops_is_cut_off_and_so_is_an_idle_one() {
    let mut edge = edge(|limits| limits.head_time = SHORT).await;
    let began = Instant::now();
    let mut slow = Wire::to(edge.address).await;
    slow.say("GET / HTTP/1.1\r\nhost: shop\r\n").await;
    // What comes drop by drop does not make the time longer.
    let mut drops = 0;
    while slow.try_say(b"x: y\r\n").await.is_ok() && drops < 400 {
        drops += 1;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(slow.rest().await, "");
    assert_short(began);
    let mut idle = Wire::to(edge.address).await;
    assert_eq!(idle.ask("GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap().status, 200);
    let began = Instant::now();
    assert_eq!(idle.rest().await, "");
    assert_short(began);
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_large_is_refused() {
    let mut edge = edge(|limits| limits.head_bytes = 16 << 10).await;
    for (bytes, status) in [(8 << 10, 200), (80 << 10, 431)] {
        let mut wire = Wire::to(edge.address).await;
        let head = format!("GET / HTTP/1.1\r\nhost: shop\r\nx: {}\r\n\r\n", "y".repeat(bytes));
        // The refusal may come before all of it was taken.
        drop(wire.try_say(head.as_bytes()).await);
        assert_eq!(wire.reply().await.map(|reply| reply.status), Ok(status), "{bytes}");
    }
    let many = "x: y\r\n".repeat(200);
    let mut wire = Wire::to(edge.address).await;
    let reply = wire.ask(&format!("GET / HTTP/1.1\r\nhost: shop\r\n{many}\r\n")).await.unwrap();
    assert_eq!(reply.status, 431);
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_and_upgraded_connections_that_stand_still_are_cut_off() {
    let mut edge = edge(|limits| limits.idle = SHORT).await;
    // The client does not go on with its body.
    let (began, mut wire) = (Instant::now(), Wire::to(edge.address).await);
    wire.say("POST /count HTTP/1.1\r\nhost: shop\r\ncontent-length: 10\r\n\r\nfirst").await;
    let reply = wire.reply().await.unwrap();
    assert!(reply.status == 408 && reply.head.contains("x-autodevops-error: edge"), "{reply:?}");
    assert_eq!(wire.rest().await, "");
    assert_short(began);

    // The release does not go on with its answer.
    let (began, mut wire) = (Instant::now(), Wire::to(edge.address).await);
    wire.say("GET /stream HTTP/1.1\r\nhost: shop\r\n\r\n").await;
    let text = wire.rest().await;
    assert!(text.contains("first") && !text.contains("0\r\n\r\n"), "{text}");
    assert_short(began);

    // The client does not read: the release is let go of, which shows in the counters.
    let began = Instant::now();
    let mut wire = Wire::to(edge.address).await;
    wire.say("GET /endless HTTP/1.1\r\nhost: shop\r\n\r\n").await;
    let count = "autodevops_request_duration_seconds_count{environment=\"production\",release=\"r-1\"} 2";
    while !edge.metrics().await.contains(count) {
        assert!(began.elapsed() < Duration::from_secs(10), "it was not let go of");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_short(began);

    // Nobody says anything.
    let mut socket = Wire::upgraded(edge.address).await;
    let began = Instant::now();
    for _ in 0..4 {
        // What is said makes the time longer.
        tokio::time::sleep(SHORT / 2).await;
        socket.say("word").await;
        assert_eq!(socket.until("word").await.unwrap(), "word");
    }
    assert!(began.elapsed() > SHORT);
    let began = Instant::now();
    assert_eq!(socket.rest().await, "");
    assert_short(began);
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_its_body_in_drops_is_cut_off_and_one_that_is_slow_is_not() {
    let mut edge = edge(|limits| limits.upload = LeastPace { bytes: 1000, within: SHORT }).await;
    let head = "POST /count HTTP/1.1\r\nhost: shop\r\ncontent-length: 4000\r\n\r\n";
    let began = Instant::now();
    let mut slow = Wire::to(edge.address).await;
    slow.say(head).await;
    let mut drops = 0;
    while slow.try_say(b"x").await.is_ok() && drops < 400 {
        drops += 1;
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(drops < 400, "it could go on for ever");
    let reply = slow.reply().await.unwrap();
    assert!(reply.status == 408 && reply.head.contains("x-autodevops-error: edge"), "{reply:?}");
    assert_short(began);
    // Ten times as fast, and still far slower than a line is.
    let mut steady = Wire::to(edge.address).await;
    steady.say(head).await;
    for _ in 0..16 {
        steady.say(&"x".repeat(250)).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(steady.reply().await.unwrap().status, 200);
    edge.end().await;
}
