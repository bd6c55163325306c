//! A release that is up is probed on: whether it still answers is told, and told again when it does.

use std::{fs, time::Duration};

use autodevops_edge::{Client, Phase, ReleaseStatus};
use http::Request;
use http_body_util::Full;

use crate::{
    lifecycle::{status_of, until_status},
    support::{PRODUCTION, TestEdge, is_alive, release::until},
};

/// How often it is probed here, and how long a probe may take: long enough for a machine that has much to do.
const EVERY: Duration = Duration::from_millis(300);

/// A front door with a release whose probes are answered as the letters say.
async fn probed(probes: &str, again: Option<Duration>) -> TestEdge {
    let edge = TestEdge::with(|options| {
        let environment = options.environments.get_mut(PRODUCTION).unwrap();
        environment.probe = "/probe".into();
        environment.probe_again = again;
    });
    answer(&edge, probes);
    let edge = edge.serve().await;
    edge.start("r-1").await;
    edge
}

fn answer(edge: &TestEdge, probes: &str) {
    let root = edge.root("r-1");
    fs::write(root.join("new"), probes).unwrap();
    fs::rename(root.join("new"), root.join("probes")).unwrap();
}

/// How many probes came so far.
fn count(edge: &TestEdge) -> usize {
    fs::read(edge.root("r-1").join("probed")).unwrap_or_default().len()
}

async fn gauge(edge: &TestEdge, value: u8) -> bool {
    let line = format!("autodevops_release_up{{environment=\"production\",release=\"r-1\"}} {value}");
    edge.metrics().await.lines().any(|told| told == line)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_lives_and_does_not_answer_its_probe_any_more_is_told_so_until_it_does() {
    let mut edge = probed(".", Some(EVERY)).await;
    let sound = status_of(&edge, "r-1").await;
    let pid = sound.pid.unwrap();
    // It is told as by a front door, and to a host, that does not know of it.
    let told = serde_json::to_value(&sound).unwrap();
    assert_eq!(told.get("probe-fails"), None);
    assert_eq!(serde_json::from_value::<ReleaseStatus>(told).unwrap(), sound);
    assert!(!sound.probe_fails && gauge(&edge, 1).await);
    // What answers with an error, and what never answers.
    for broken in ["x", "h"] {
        let before = count(&edge);
        answer(&edge, broken);
        let told = until_status(&edge, "r-1", |status| status.probe_fails).await;
        assert!(count(&edge) >= before + 3, "three in a row");
        assert_eq!((told.phase, told.pid, told.restarts, told.crash_loop), (Phase::Up, Some(pid), 0, false));
        assert!(is_alive(pid) && gauge(&edge, 0).await);
        answer(&edge, ".");
        let told = until_status(&edge, "r-1", |status| !status.probe_fails).await;
        assert_eq!((told.phase, told.pid), (Phase::Up, Some(pid)));
    }
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_or_two_that_are_missed_tell_nothing() {
    // One that takes longer is missed, too.
    let mut edge = probed(".x.xx.xx.", Some(Duration::from_secs(1))).await;
    while count(&edge) < 10 {
        assert!(!status_of(&edge, "r-1").await.probe_fails, "after {} probes", count(&edge));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_without_a_path_of_its_own_to_be_probed_by_is_not_asked_once_it_is_up() {
    let mut edge = probed("xx.x", None).await;
    assert_eq!(count(&edge), 3, "until it is ready");
    tokio::time::sleep(4 * EVERY).await;
    assert!(count(&edge) == 3 && !status_of(&edge, "r-1").await.probe_fails);
    edge.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_started_anew_has_missed_nothing_and_one_that_is_being_stopped_is_not_probed() {
    let mut edge = probed(".x", Some(EVERY)).await;
    until_status(&edge, "r-1", |status| status.probe_fails).await;
    let url = edge.client.url(PRODUCTION, "r-1").await.unwrap();
    let get = |path: &str| Request::get(format!("{url}{path}")).body(Default::default()).unwrap();
    // What a closed connection leaves unanswered is asked once more, but for a request with a body.
    let crash = Request::post(format!("{url}/crash")).body(Full::from("x")).unwrap();
    assert_eq!(edge.send(crash).await.status(), 502);
    until_status(&edge, "r-1", |status| status.restarts == 1 && status.phase == Phase::Up && !status.probe_fails).await;

    // A request that it is answering holds it.
    let (slow, stopped, probes) = tokio::join!(edge.send(get("/slow")), stop(&edge.client, &edge), async {
        let root = edge.root("r-1");
        until(|| root.join("stopping").exists()).await;
        tokio::time::sleep(EVERY).await;
        let before = count(&edge);
        tokio::time::sleep(4 * EVERY).await;
        let after = count(&edge);
        fs::write(root.join("go"), "").unwrap();
        (before, after)
    });
    assert_eq!((slow.status(), stopped), (200, ()));
    assert_eq!(probes.0, probes.1);
    edge.end().await;
}

/// Stops the release once it has a slow request.
async fn stop(client: &Client, edge: &TestEdge) {
    let root = edge.root("r-1");
    until(|| root.join("slow-began").exists()).await;
    fs::write(root.join("stopping"), "").unwrap();
    client.stop(PRODUCTION, "stop r-1", 1, "r-1").await.unwrap();
}
