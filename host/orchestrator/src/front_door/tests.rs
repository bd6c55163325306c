//! What a front door is told, by one whose answers are fixed.

use std::sync::Arc;

use autodevops_edge::{Observed, Phase, ReleaseStatus, Sample};
use autodevops_pipeline::{Member, RunStage};
use autodevops_record::testing::Story;
use autodevops_sandbox::Compiler;

use super::*;
use crate::{
    clock,
    testing::{Door, Said, Scene, local_target, target},
};

fn held(scene: &Scene, id: &str, percent: u8) -> ReleaseStatus {
    ReleaseStatus {
        release: scene.release(id),
        phase: Phase::Up,
        pid: None,
        restarts: 0,
        crash_loop: false,
        probe_fails: false,
        percent,
        url: "http://127.0.0.1:1".into(),
    }
}

/// The releases that are stopped where these places are looked at, and these are kept.
async fn stopped(scene: &Scene, places: fn(&str) -> bool, keep: &[&str]) -> Vec<String> {
    let ids = [("served-long-ago", 0), ("before", 0), ("old", 0), ("new", 5), ("named", 0), ("left", 0)];
    let releases = ids.map(|(id, percent)| held(scene, id, percent)).to_vec();
    let door = Door { releases, ..Door::default() };
    let calls = door.calls.clone();
    door.open(scene);
    tidy(&scene.project, places, keep).await.unwrap();
    let calls = calls.lock().unwrap();
    calls.iter().filter_map(|call| call.strip_prefix("stop ").map(str::to_owned)).collect()
}

#[tokio::test]
async fn what_nobody_goes_back_to_is_stopped_and_nothing_else() {
    for (places, keep, expected) in [
        ((|place| place == "production") as fn(&str) -> bool, &["named"][..], &["served-long-ago", "left"][..]),
        (|_| true, &[], &["served-long-ago", "named", "left"]),
        (|place| place == "staging", &[], &[]),
    ] {
        let scene = Scene::open(&[local_target(&[])], "");
        let releases = ["served-long-ago", "before", "live"].map(|id| scene.release(id));
        scene.served("production", &releases);
        assert_eq!(stopped(&scene, places, keep).await, expected);
    }
    let scene = Scene::open(&[target(&[])], "");
    assert_eq!(stopped(&scene, |_| true, &[]).await, [""; 0], "another target's are its own");
}

#[tokio::test]
async fn where_a_run_is_not_over_nothing_is_stopped_and_beside_it_what_is_not_needed_is() {
    let of = |services: &[&str]| Story {
        services: services.iter().map(|name| (*name).into()).collect(),
        ..Story::default()
    };
    for (story, expected) in [
        (of(&[]), &[][..]),
        // Its places are its own services', and `production` is another's.
        (of(&["cart", "shop"]), &["served-long-ago", "before", "named", "left"]),
    ] {
        let scene = Scene::open(&[local_target(&[])], "");
        let run = scene.run(&story, |run| run.stage() == RunStage::Fix);
        let is_of = |member: &Member| member.place(Environment::Production) == "production";
        assert_eq!(run.members().any(is_of), expected.is_empty());
        assert_eq!(stopped(&scene, |_| true, &[]).await, expected, "{:?}", story.services);
    }
}

#[tokio::test]
async fn nothing_is_stopped_where_a_run_began_while_the_front_door_said_what_serves() {
    let scene = Arc::new(Scene::open(&[local_target(&[])], ""));
    scene.served("production", &[scene.release("old")]);
    let begins = Arc::clone(&scene);
    let meanwhile: Arc<dyn Fn() + Send + Sync> =
        Arc::new(move || drop(begins.run(&Story::default(), |run| run.fix().is_some())));
    let door = Door { releases: vec![held(&scene, "left", 0)], meanwhile: Some(meanwhile), ..Door::default() };
    let calls = door.calls.clone();
    door.open(&scene);
    tidy(&scene.project, |_| true, &[]).await.unwrap();
    assert_eq!(*calls.lock().unwrap(), ["status"]);
}

#[tokio::test]
async fn one_that_answers_is_not_started_again() {
    for target in [local_target, target] {
        let scene = Scene::open(&[target(&[])], "");
        assert!(!crashed(&scene.project), "there was none");
        Door::default().open(&scene);
        assert!(!ensure(&scene.project).await.unwrap());
        assert_eq!(crashed(&scene.project), scene.project.is_local(), "nobody holds its lock, and its socket is there");
    }
}

#[tokio::test]
async fn this_hosts_time_is_not_behind_that_of_a_front_door_that_runs_already() {
    let scene = Scene::open(&[local_target(&[])], "");
    // It began before the clock was set back a little.
    let told = clock::now().after(Duration::from_millis(1500));
    let observed = Observed {
        release: "old".into(),
        window: Window { start: 0, end: told.0 },
        traffic: Sample::default(),
        preview: Sample::default(),
    };
    let (releases, observed) = (vec![held(&scene, "old", 100)], [("old".to_owned(), observed)].into());
    Door { releases, observed, ..Door::default() }.open(&scene);
    assert!(!ensure(&scene.project).await.unwrap());
    assert!(clock::now() >= told);
}

#[test]
fn a_front_door_is_set_up_as_the_configuration_says() {
    let scene = Scene::open(
        &[local_target(&[])],
        "[edge]\nlease = \"20s\"\ndrain = \"7s\"\nready-timeout = \"8s\"\nheader-timeout = \"9s\"\nmax-header = \"32 KiB\"\n\
         idle-timeout = \"2m\"\nmin-upload = \"50 B\"\nanswer-timeout = \"40s\"\nmetrics = \"127.0.0.1:3\"\nclient-header = \"x-user\"\n\
         testers = { header = \"x-test\", value = \"yes-yes-yes\" }\n",
    );
    let seconds = Duration::from_secs;
    let set = options(&scene.project, false).unwrap();
    assert_eq!((set.lease, set.drain, set.ready_timeout), (seconds(20), seconds(7), seconds(8)));
    assert_eq!((set.limits.head_time, set.limits.head_bytes, set.limits.idle), (seconds(9), 32 << 10, seconds(120)));
    assert_eq!(
        (set.limits.upload.bytes, set.limits.upload.within, set.limits.answer_time),
        (1500, UPLOAD_WITHIN, seconds(40))
    );
    assert_eq!((set.metrics, set.own_log), (Some("127.0.0.1:3".parse().unwrap()), None));
    assert_eq!(set.sorting.client_header.unwrap(), "x-user");
    let testers = set.sorting.testers.unwrap();
    assert_eq!(
        (testers.header.unwrap(), testers.cookie, testers.value.as_bytes()),
        (HeaderName::from_static("x-test"), None, &b"yes-yes-yes"[..])
    );
    let listens: Vec<String> = set.environments.iter().map(|(name, of)| format!("{name} {}", of.listen)).collect();
    assert_eq!(listens, ["production 127.0.0.1:2", "staging 127.0.0.1:1"]);
    assert_eq!(options(&scene.project, true).unwrap().own_log, Some(log(&scene.project)));
    assert_eq!(scene.project.renewal(), seconds(5), "several times before the lease ends");
}

#[test]
fn a_release_is_probed_on_where_its_service_names_a_path_for_it() {
    let scene = Scene::open_of_two(&[local_target(&[])], "");
    let file = scene.shop().join("autodevops.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let of_cart = "public = \"cart\"\n";
    assert!(text.contains(of_cart), "{text}");
    std::fs::write(&file, text.replace(of_cart, &format!("{of_cart}ready = \"/health\"\n"))).unwrap();
    let project = Project::open(&file, Compiler::InProcess).unwrap();
    let environments = options(&project, false).unwrap().environments;
    let probed: Vec<_> =
        environments.iter().map(|(name, of)| (name.as_str(), of.probe.as_str(), of.probe_again)).collect();
    let again = Some(Duration::from_secs(5));
    let expected = [
        ("production-cart", "/health", again),
        ("production-shop", "/", None),
        ("staging-cart", "/health", again),
        ("staging-shop", "/", None),
    ];
    assert_eq!(probed, expected);
}

#[test]
fn of_a_log_only_what_was_written_since_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("edge.log");
    assert_eq!(written(&log, 0), "");
    std::fs::write(&log, "before\nafter\n").unwrap();
    assert_eq!(
        (written(&log, 7).as_str(), written(&log, 0).as_str(), written(&log, 99).as_str()),
        ("after", "before\nafter", "")
    );
}

#[tokio::test]
async fn that_a_front_door_listens_elsewhere_than_the_configuration_says_is_told() {
    let elsewhere = ("production", "127.0.0.1:9");
    for (listens, metrics, is_told) in [
        (&[("staging", "127.0.0.1:1")][..], None, false),
        (&[("staging", "127.0.0.1:1")], Some("127.0.0.1:3".parse().unwrap()), true),
        (&[("staging", "127.0.0.1:1"), ("preview", "127.0.0.1:4")], None, true),
        (&[], None, true),
        (&[("staging", "127.0.0.1:9")], None, true),
        (&[("staging", "127.0.0.1:1"), elsewhere], None, true),
    ] {
        let scene = Scene::open(&[local_target(&[])], "");
        Door { listens: listens.to_vec(), metrics, ..Door::default() }.open(&scene);
        let said = Said::listen();
        assert!(!ensure(&scene.project).await.unwrap());
        assert_eq!(said.times("listens as the configuration was") > 0, is_told, "{listens:?} {metrics:?}");
    }
}

/// This test's own program is no front door, and ends with what it says to that.
const ENDED: &str = "the front door ended with exit status: ";

#[tokio::test]
async fn a_front_door_that_does_not_start_says_why() {
    let scene = Scene::open(&[local_target(&[])], "");
    let logs = scene.project.state.path().join("logs/edge.log");
    std::fs::write(&logs, "of one before\n").unwrap();
    let error = ensure(&scene.project).await.unwrap_err().to_string();
    assert!(error.starts_with(ENDED) && error.contains("config") && !error.contains("of one before"), "{error}");
    let written = std::fs::read_to_string(logs).unwrap();
    assert!(written.starts_with("of one before\n") && written.contains("config"), "{written}");
}

#[tokio::test]
async fn a_front_door_is_replaced_only_where_one_runs_and_once_the_new_one_answers() {
    let scene = Scene::open(&[target(&[])], "");
    let told = async |scene: &Scene| upgrade(&scene.project).await.unwrap_err().to_string();
    assert!(told(&scene).await.starts_with("this project's releases are not served by a front door here"));
    let scene = Scene::open(&[local_target(&[])], "");
    assert!(told(&scene).await.starts_with("no front door runs"));
    Door::default().open(&scene);
    let file = std::fs::File::create(scene.project.state.edge().join("edge.lock")).unwrap();
    file.lock().unwrap();
    assert!(scene.project.edge.running().unwrap().is_some());
    let error = told(&scene).await;
    assert!(error.starts_with(ENDED), "the one that runs answers, and it is another's answer: {error}");
}

fn process(scene: &Scene, since: Instant) -> Process {
    Process { child: Command::new("true").spawn().unwrap(), log: log(&scene.project), begin: 0, since }
}

#[tokio::test]
async fn a_front_door_is_waited_for_no_longer_than_it_may_take() {
    let scene = Scene::open(&[local_target(&[])], "");
    let now = Instant::now();
    process(&scene, now).look().await.unwrap();
    let late = now.checked_sub(START_LIMIT + Duration::from_secs(1)).unwrap();
    let error = process(&scene, late).look().await.unwrap_err().to_string();
    assert!(error.starts_with("the front door does not answer after 60 s; see "), "{error}");
    assert!(error.ends_with("logs/edge.log"), "{error}");
}

#[tokio::test]
async fn of_a_front_door_that_is_left_to_itself_no_ended_process_is_kept() {
    let scene = Scene::open(&[local_target(&[])], "");
    let process = process(&scene, Instant::now());
    let of_system = PathBuf::from(format!("/proc/{}", process.child.id()));
    process.leave();
    let limit = Instant::now() + Duration::from_secs(20);
    while of_system.exists() {
        assert!(Instant::now() < limit, "nobody heard of its end");
        tokio::time::sleep(LOOK).await;
    }
}
