//! A deploy and a way back by hand, with a target whose answers are fixed.

use autodevops_record::testing::Story;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Answer, Scene, answer, answer_to, git, plugin, refusal, target};

fn scene(answers: &[Answer], more: &str) -> Scene {
    Scene::open(&[target(answers)], more)
}

fn live(scene: &Scene, place: &str) -> Option<String> {
    Live::new(&scene.project.journal).current(place).unwrap().map(|release| release.id)
}

fn ended(scene: &Scene) -> Vec<(String, Option<Ending>)> {
    let attempts = scene.project.records.attempts().unwrap();
    attempts.into_iter().map(|attempt| (attempt.environment, attempt.ending)).collect()
}

/// Deploys to these; what was made live and what was there before, or the error.
async fn deployed(scene: &Scene, environments: &[&str]) -> Result<Vec<MadeLive>, String> {
    let environments: Vec<String> = environments.iter().map(|one| (*one).to_owned()).collect();
    let made = async {
        let built = build_all(&scene.project, &environments).await?;
        let snapshots = keep_data(&scene.project, &environments, "ada").await?;
        deploy(&scene.project, &environments, built, snapshots, "ada").await
    };
    made.await.map_err(|error| format!("{error:#}"))
}

async fn gone_back(scene: &Scene, to: Option<&str>, at_once: bool) -> Result<Vec<MadeLive>, String> {
    gone_back_in(scene, "production", to, at_once).await
}

async fn gone_back_in(
    scene: &Scene,
    environment: &str,
    to: Option<&str>,
    at_once: bool,
) -> Result<Vec<MadeLive>, String> {
    let gone = async {
        go_back(&scene.project, way_back(&scene.project, environment, to, at_once)?, "ada", "carts empty").await
    };
    gone.await.map_err(|error: Error| format!("{error:#}"))
}

/// All plugins that a project's stages name, which do not matter here.
fn others() -> [crate::testing::Plugin; 3] {
    use autodevops_model::Stage;
    [
        plugin("analyzer", Stage::Analyzer, &[]),
        plugin("fixer", Stage::FixGenerator, &[]),
        plugin("health", Stage::HealthCheck, &[]),
    ]
}

fn whole(target: crate::testing::Plugin, more: &[crate::testing::Plugin], rules: &str) -> Scene {
    Scene::open(&[&[target], &others()[..], more].concat(), rules)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_checked_in_is_deployed_and_on_record() {
    let scene = whole(target(&[]), &[], "");
    scene.served("production", &[scene.release("old")]);
    let made = deployed(&scene, &["staging", "production"]).await.unwrap();
    let [staged, released] = made.as_slice() else { panic!("{made:?}") };
    assert_eq!((staged.words(), staged.place.as_str(), &staged.before), ("staging".into(), "staging", &None));
    assert_eq!((released.words(), released.before.as_ref()), ("production".into(), Some(&scene.release("old"))));
    assert!(released.snapshots.is_empty() && released.service.is_empty());
    for place in ["staging", "production"] {
        assert_eq!(live(&scene, place), Some(released.release.id.clone()));
    }
    let attempts = scene.project.records.attempts().unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.production).collect::<Vec<_>>(), [false, true]);
    for attempt in attempts {
        assert_eq!(attempt.release.as_deref(), Some(released.release.id.as_str()));
        assert_eq!((attempt.ending, attempt.by), (Some(Ending::Kept), By::Person("ada".into())));
        let committed = git(&scene.shop(), &["show", "--no-patch", "--format=%ct", "HEAD"]).parse::<i64>().unwrap();
        assert_eq!(attempt.committed, Some(Timestamp(committed * 1_000_000_000)));
        let moments = [attempt.committed, attempt.exposed, attempt.served, attempt.ended].map(Option::unwrap);
        assert!(moments.is_sorted(), "{moments:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deploy_that_does_not_come_up_moves_nothing_and_is_on_record_as_stopped() {
    let scene = whole(target(&[answer_to("deploy", "production", refusal("failed", "no room"))]), &[], "");
    scene.served("production", &[scene.release("old")]);
    let error = deployed(&scene, &["production"]).await.unwrap_err();
    assert!(error.starts_with("production: ") && error.contains("no room"), "{error}");
    assert_eq!(live(&scene, "production"), Some("old".into()));
    assert_eq!(ended(&scene), [("production".into(), Some(Ending::Stopped))]);
    let error = deployed(&scene, &["prodcution"]).await.unwrap_err();
    assert_eq!(error, "there is no environment `prodcution`; there are production, staging");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_is_deployed_beside_a_run_that_is_not_over() {
    let scene = whole(target(&[]), &[], "");
    scene.run(&Story::default(), |run| run.fix().is_some());
    let error = deployed(&scene, &["production"]).await.unwrap_err();
    assert!(error.starts_with("run 62e23fd1-1 is not over; wait for its end"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn only_productions_data_is_kept_before_a_deploy_and_where_it_must_be_nothing_moves_without() {
    let taken = json!({ "id": "s-1", "taken": 5, "bytes": 7 });
    let whole_one = [answer("snapshot", taken), answer("verify", Value::Null)];
    let guard = |answers: &[Answer]| plugin("guard", autodevops_model::Stage::StateGuard, answers);
    let scene = whole(target(&[]), &[guard(&whole_one)], "");
    let made = deployed(&scene, &["staging", "production"]).await.unwrap();
    let snapshots: Vec<usize> = made.iter().map(|live| live.snapshots.len()).collect();
    assert_eq!(snapshots, [0, 1]);
    assert_eq!((made[1].snapshots[0].guard.as_str(), made[1].snapshots[0].snapshot.id.as_str()), ("guard", "s-1"));
    let broken = [whole_one[0].clone(), answer("verify", json!("half of it"))];
    let scene = whole(target(&[]), &[guard(&broken)], "");
    assert_eq!(deployed(&scene, &["production"]).await.unwrap()[0].snapshots, []);
    let scene = whole(target(&[]), &[guard(&broken)], "[data]\npreserve = true\n");
    let error = deployed(&scene, &["production"]).await.unwrap_err();
    assert!(error.contains("must be preserved") && error.contains("half of it"), "{error}");
    assert_eq!(live(&scene, "production"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_goes_back_within_the_window_is_not_asked_twice() {
    let scene = scene(&[], "[rollout]\nrollback-window = \"1h\"\n");
    let recent = now().before(Duration::from_secs(1800));
    scene.served("production", &[scene.release("old")]);
    scene.serves("production", &scene.release("new"), recent, Origin::Deploy("ada".into()));
    let made = gone_back(&scene, None, false).await.unwrap();
    assert_eq!((made[0].release.id.as_str(), made[0].before.as_ref().unwrap().id.as_str()), ("old", "new"));
    assert_eq!(live(&scene, "production"), Some("old".into()));
    let taken_back = scene.project.journal.facts("record/").unwrap();
    let entries: Vec<Entry> = serde_json::from_slice(&taken_back[0].1).unwrap();
    assert!(matches!(&entries[..], [Entry::TakenBack(of)] if of.release == "new" && of.by == "ada"), "{entries:?}");
    let name = taken_back[0].0.strip_prefix("record/").unwrap();
    let mut told = Vec::new();
    let mut note = |entry: &autodevops_journal::audit::Entry| {
        if let autodevops_journal::audit::Entry::Note(note) = entry {
            told.push(note.summary.clone());
        }
    };
    scene.project.audit.log().each(Some(name), |sealed| sealed.seal.entries.iter().for_each(&mut note)).unwrap();
    assert_eq!(
        told,
        [
            &format!("goes back to release old ({}) in production: carts empty", scene.release("old").artifact),
            "production serves release old"
        ]
    );
    let history = Live::new(&scene.project.journal).history("production").unwrap();
    assert_eq!(history[0].by, Origin::Rollback(WentBack::new("ada", "carts empty")));
    let error = gone_back(&scene, None, false).await.unwrap_err();
    assert!(error.contains("was gone back from: new"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn after_the_window_going_back_is_meant_only_when_it_is_said() {
    let scene = scene(&[], "[rollout]\nrollback-window = \"1h\"\n");
    let long_ago = now().before(Duration::from_secs(7300));
    scene.served("production", &[scene.release("old")]);
    scene.serves("production", &scene.release("new"), long_ago, Origin::Deploy("ada".into()));
    let error = gone_back(&scene, None, false).await.unwrap_err();
    assert!(
        error.starts_with("production has had new for 2h 1m 4") && error.contains("`rollback-window` (1h)"),
        "{error}"
    );
    assert_eq!(live(&scene, "production"), Some("new".into()));
    assert_eq!(gone_back(&scene, None, true).await.unwrap()[0].release.id, "old");
    // Staging has no window.
    scene.served("staging", &[scene.release("old"), scene.release("new")]);
    let made = gone_back_in(&scene, "staging", None, false).await.unwrap();
    assert_eq!(made[0].release.id, "old");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_run_released_has_its_window_from_the_end_of_the_run() {
    let scene = scene(&[], "[rollout]\nrollback-window = \"1h\"\n");
    let begun = now().before(Duration::from_secs(1800));
    let run = scene.run(&Story { at: begun, ..Story::default() }, |run| run.outcome().is_some());
    scene.served("production", &[scene.release("old")]);
    let since = now().before(Duration::from_secs(7200));
    scene.serves("production", &scene.release("new"), since, Origin::Run(run.id().to_owned()));
    in_window(&scene.project, "production").unwrap();
    in_window(&scene.project, "nowhere").unwrap();
    scene.serves("production", &scene.release("newer"), since, Origin::Run("forgotten-1".into()));
    in_window(&scene.project, "production").unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_several_all_or_none_are_made_live() {
    let scene = scene(&[answer_to("deploy", "production", refusal("failed", "no room"))], "");
    let project = &scene.project;
    scene.served("staging", &[scene.release("old")]);
    let moves = || {
        let places = [project.config.places_of("staging"), project.config.places_of("production")].concat();
        places.into_iter().map(|place| (place, scene.release("new"))).collect::<Vec<_>>()
    };
    let error = together(project, moves(), &Origin::Deploy("ada".into())).await.unwrap_err();
    assert!(
        format!("{error:#}").starts_with("production: failed: no room") || format!("{error:#}").contains("no room"),
        "{error:#}"
    );
    assert_eq!(live(&scene, "staging"), Some("old".into()), "it was taken back");
    assert!(!format!("{error:#}").contains("not all could be taken back"), "{error:#}");
    // What had nothing before it cannot be taken back, and that is said.
    let scene = self::scene(&[answer_to("deploy", "production", refusal("failed", "no room"))], "");
    let project = &scene.project;
    let places = [project.config.places_of("staging"), project.config.places_of("production")].concat();
    let moves = places.into_iter().map(|place| (place, scene.release("new"))).collect();
    let error = format!("{:#}", together(project, moves, &Origin::Deploy("ada".into())).await.unwrap_err());
    assert!(
        error.starts_with("not all could be taken back (staging still serves new: nothing served there before)"),
        "{error}"
    );
    assert_eq!(live(&scene, "staging"), Some("new".into()));
}

#[test]
fn of_several_services_it_is_said_which() {
    let made = |service: &str| MadeLive {
        environment: "production".into(),
        service: service.into(),
        place: "p".into(),
        release: crate::testing::release("new"),
        before: None,
        snapshots: Vec::new(),
    };
    assert_eq!((made("").words(), made("cart").words()), ("production".into(), "production of cart".into()));
}
