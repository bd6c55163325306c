//! Requests on their way through the front door.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::support::{PRODUCTION, TestEdge, release::until};
use autodevops_edge::Testers;
use autodevops_model::Window;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Full;

/// Ids that are spread as random ones are.
fn clients(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

async fn releases_of_clients(edge: &TestEdge, count: u64) -> BTreeMap<u64, String> {
    let mut releases = BTreeMap::new();
    for client in clients(count) {
        releases.insert(client, edge.get_as(client, "/").await.release().to_owned());
    }
    releases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_split_by_the_shares_stay_where_they_are_and_move_only_to_what_grows() {
    let mut edge = TestEdge::new().serve().await;
    edge.start("r-1").await;
    edge.start("r-2").await;
    edge.split(&[("r-1", 100)]).await;
    let mut before = releases_of_clients(&edge, 250).await;
    assert!(before.values().all(|release| release == "r-1"));
    for (share, least, most) in [(5, 1, 40), (25, 35, 95), (50, 90, 160), (100, 250, 250)] {
        edge.split(&[("r-1", 100 - share), ("r-2", share)]).await;
        let after = releases_of_clients(&edge, 250).await;
        assert_eq!(after, releases_of_clients(&edge, 250).await, "a client moved by itself");
        let on_candidate = after.values().filter(|release| *release == "r-2").count();
        assert!((least..=most).contains(&on_candidate), "{share} %: {on_candidate}");
        for (client, release) in &after {
            assert!(*release == before[client] || release == "r-2", "{client:x} went back");
        }
        before = after;
    }
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn someone_new_is_given_an_id_and_keeps_it() {
    let mut edge = TestEdge::new().serve().await;
    edge.start("r-1").await;
    edge.split(&[("r-1", 100)]).await;
    let answer = edge.get("/").await;
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("autodevops-client="), "{cookie}");
    let request = Request::get(edge.url("/headers")).header(header::COOKIE, format!("{cookie}; cart=7"));
    let again = edge.send(request.body(Full::default()).unwrap()).await;
    assert_eq!(again.header("set-cookie"), "");
    // What belongs to the front door or to one connection is not the application's.
    let seen = again.text();
    assert!(seen.contains("cart=7") && !seen.contains("autodevops-client"), "{seen}");
    assert!(seen.contains("\"x-forwarded-for\": \"127.0.0.1\"") && seen.contains("x-forwarded-proto"), "{seen}");
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_ends_what_it_is_answering_before_it_is_stopped() {
    let edge = Arc::new(TestEdge::new().serve().await);
    edge.start("r-1").await;
    edge.start("r-2").await;
    edge.split(&[("r-1", 100)]).await;
    let (root, slow) = (edge.root("r-1"), Arc::clone(&edge));
    let slow = tokio::spawn(async move { slow.get("/slow").await });
    until(|| root.join("slow-began").exists()).await;
    edge.split(&[("r-2", 100)]).await;
    let stopping = Arc::clone(&edge);
    let stopping = tokio::spawn(async move { stopping.client.stop(PRODUCTION, "stop", 1, "r-1").await });
    assert_eq!(edge.get("/").await.release(), "r-2");
    assert!(!slow.is_finished() && !stopping.is_finished());
    std::fs::write(root.join("go"), "").unwrap();
    let answer = slow.await.unwrap();
    assert_eq!((answer.status(), answer.release(), answer.text().as_str()), (200, "r-1", "slow"));
    stopping.await.unwrap().unwrap();
    Arc::into_inner(edge).unwrap().end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_says_whose_error_it_is() {
    let mut edge = TestEdge::with(|options| {
        options.limits.answer_time = Duration::from_millis(200);
    });
    edge = edge.serve().await;
    let nothing = edge.get("/").await;
    assert_eq!((nothing.status(), nothing.header("x-autodevops-error"), nothing.release()), (503, "edge", ""));
    edge.start("r-1").await;
    edge.split(&[("r-1", 100)]).await;
    let thrown = edge.get("/error").await;
    assert_eq!((thrown.status(), thrown.header("x-autodevops-error"), thrown.release()), (500, "application", "r-1"));
    let plain = edge.get("/plain-error").await;
    assert_eq!((plain.status(), plain.header("x-autodevops-error")), (500, ""));
    let late = edge.get("/hang").await;
    assert_eq!((late.status(), late.header("x-autodevops-error")), (504, "edge"));
    let mut text = edge.metrics().await;
    for _ in 0..100 {
        if text.contains("release=\"r-1\",code=\"5xx\"} 2") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        text = edge.metrics().await;
    }
    for line in [
        "autodevops_requests_total{environment=\"production\",release=\"r-1\",code=\"5xx\"} 2",
        "autodevops_requests_total{environment=\"production\",release=\"r-1\",code=\"000\"} 1",
        "autodevops_unrouted_requests_total{environment=\"production\"} 1",
        "autodevops_release_up{environment=\"production\",release=\"r-1\"} 1",
        "autodevops_traffic_percent{environment=\"production\",release=\"r-1\"} 100",
        "autodevops_request_duration_seconds_count{environment=\"production\",release=\"r-1\"} 3",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_alone_answers_at_its_own_address_and_is_counted_apart() {
    let mut edge = TestEdge::new().serve().await;
    edge.start("r-1").await;
    edge.start("r-2").await;
    edge.split(&[("r-1", 100)]).await;
    let url = edge.client.url(PRODUCTION, "r-2").await.unwrap();
    for path in ["/", "/error"] {
        let answer = edge.send(Request::get(format!("{url}{path}")).body(Full::default()).unwrap()).await;
        assert_eq!((answer.release(), answer.header("set-cookie")), ("r-2", ""));
    }
    for client in clients(5) {
        edge.get_as(client, "/error").await;
        for _ in 0..4 {
            edge.get_as(1, "/error").await;
        }
    }
    let window = Window { start: 0, end: i64::MAX };
    let mut observed = edge.client.observe(PRODUCTION, "r-1", window.clone()).await.unwrap();
    for _ in 0..100 {
        if observed.traffic.requests == 25 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        observed = edge.client.observe(PRODUCTION, "r-1", window.clone()).await.unwrap();
    }
    assert_eq!((observed.traffic.requests, observed.traffic.errors, observed.traffic.errors_of_many), (25, 25, 8));
    assert_eq!(observed.traffic.buckets().last().unwrap().count, 25);
    assert!(observed.window.start > 0 && observed.window.end > observed.window.start);
    let candidate = edge.client.observe(PRODUCTION, "r-2", window).await.unwrap();
    assert_eq!((candidate.traffic.requests, candidate.preview.requests, candidate.preview.errors), (0, 2, 1));
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_names_the_client_where_it_is_set_up_and_stays_with_its_release_as_the_share_grows() {
    let user = HeaderName::from_static("x-user");
    let mut edge = TestEdge::with(|options| options.sorting.client_header = Some(user.clone())).serve().await;
    edge.start("r-1").await;
    edge.start("r-2").await;
    edge.split(&[("r-1", 100)]).await;
    let releases = async |edge: &TestEdge| {
        let mut releases = Vec::new();
        for n in 0..300 {
            let request = Request::get(edge.url("/")).header(&user, format!("user-{n}")).body(Full::default());
            let answer = edge.send(request.unwrap()).await;
            assert_eq!(answer.header("set-cookie"), "");
            releases.push(answer.release().to_owned());
        }
        releases
    };
    edge.split(&[("r-1", 95), ("r-2", 5)]).await;
    let before = releases(&edge).await;
    edge.split(&[("r-1", 75), ("r-2", 25)]).await;
    let after = releases(&edge).await;
    let on_candidate = |releases: &[String]| releases.iter().filter(|release| *release == "r-2").count();
    assert!((3..=35).contains(&on_candidate(&before)), "{}", on_candidate(&before));
    assert!((45..=105).contains(&on_candidate(&after)), "{}", on_candidate(&after));
    assert!(before.iter().zip(&after).all(|(before, after)| before == after || after == "r-2"));
    // Without the header a client is known by its cookie.
    assert!(edge.get("/").await.header("set-cookie").starts_with("autodevops-client="));
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn testers_meet_the_candidate_whatever_its_share_and_are_counted_apart() {
    let testers = Testers {
        header: Some(HeaderName::from_static("x-preview")),
        cookie: Some("preview".into()),
        value: HeaderValue::from_static("open-sesame"),
    };
    for testers in [Some(testers), None] {
        let is_set_up = testers.is_some();
        let mut edge = TestEdge::with(|options| options.sorting.testers = testers.clone()).serve().await;
        edge.start("r-1").await;
        edge.start("r-2").await;
        edge.split(&[("r-1", 100)]).await;
        // A client that the split gives to the stable release at any share that this test sets.
        edge.split(&[("r-1", 60), ("r-2", 40)]).await;
        let seen = releases_of_clients(&edge, 20).await;
        let (client, _) = seen.into_iter().find(|(_, release)| release == "r-1").unwrap();
        edge.split(&[("r-1", 99), ("r-2", 1)]).await;
        let own = format!("autodevops-client={client:016x}");
        let ask = async |name: &str, value: &str| {
            let request = Request::get(edge.url("/headers")).header(header::COOKIE, &own);
            edge.send(request.header(name, value).body(Full::default()).unwrap()).await
        };
        let expected = if is_set_up { "r-2" } else { "r-1" };
        for (name, value) in [("x-preview", "open-sesame"), ("cookie", "preview=open-sesame")] {
            let answer = ask(name, value).await;
            assert_eq!(answer.release(), expected, "{name}");
            assert_eq!(answer.text().contains("open-sesame"), !is_set_up, "{}", answer.text());
        }
        assert_eq!(ask("x-preview", "guessed").await.release(), "r-1");
        let window = Window { start: 0, end: i64::MAX };
        let candidate = edge.client.observe(PRODUCTION, "r-2", window).await.unwrap();
        assert_eq!(candidate.preview.requests, if is_set_up { 2 } else { 0 });
        edge.end().await;
    }
}
