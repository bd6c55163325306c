//! Snapshots by hand and for runs, with a guard whose answers are fixed.

use std::{
    sync::{Arc, Mutex},
    task::Poll,
};

use autodevops_driver::parts::Ledger as _;
use autodevops_pipeline::{Command, EffectOutcome, Event, EventKind, Input, VERSION};
use autodevops_record::testing::Story;
use autodevops_sandbox::{CallReport, Observer};
use serde_json::{Value, json};

use super::*;
use crate::{
    stages::Stages,
    testing::{Answer, Scene, answer, answer_to, is_shared, plugin, refusal, serves, target},
};

/// Later than any moment at which these tests run.
const LATER: i64 = i64::MAX;

fn info(id: &str, taken: i64) -> Value {
    json!({ "id": id, "taken": taken, "bytes": 7 })
}

fn guard(name: &'static str, answers: &[Answer]) -> crate::testing::Plugin {
    let usual = [
        answer("snapshot", info("taken", LATER)),
        answer("verify", Value::Null),
        answer("changed", json!("3 rows")),
        answer("restore", Value::Null),
        answer("list", json!([info("a-1", 1), info("a-2", 5), info("b-1", 9)])),
    ];
    plugin(name, Stage::StateGuard, &[answers, &usual[..]].concat())
}

fn scene(answers: &[Answer]) -> Scene {
    Scene::open(&[target(&[]), guard("guard", answers)], "")
}

fn ids(snapshots: &[Snapshot]) -> Vec<&str> {
    snapshots.iter().map(|one| one.snapshot.id.as_str()).collect()
}

#[tokio::test]
async fn snapshots_of_all_guards_are_told_by_their_times_and_found_by_the_beginnings_of_their_names() {
    let other = guard("other", &[answer("list", json!([info("c-1", 3), info("a-2x", 4)]))]);
    let scene = Scene::open(&[target(&[]), guard("guard", &[]), other], "");
    let all = list(&scene.project, "production").await.unwrap();
    assert_eq!(ids(&all), ["a-1", "c-1", "a-2x", "a-2", "b-1"]);
    assert_eq!(all[1].guard, "other");
    let found = async |start: &str| {
        find(&scene.project, "production", start).await.map(|(guard, one)| (guard.name().to_owned(), one.snapshot.id))
    };
    assert_eq!(found("c").await.unwrap(), ("other".into(), "c-1".into()));
    assert_eq!(found("a-2").await.unwrap(), ("guard".into(), "a-2".into()), "a whole name is that one");
    let error = found("a").await.unwrap_err();
    assert_eq!(error.to_string(), "3 snapshots of production start with `a`; give more of the name");
    let one = Scene::open(&[target(&[]), guard("guard", &[answer("list", json!([info("a-1", 1)]))])], "");
    for start in ["", " "] {
        let error = find(&one.project, "production", start).await.map(drop).unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().starts_with("nothing is named; "), "{error}");
        assert!(verify(&one.project, "production", Some(start)).await.is_err(), "nor is it each of them");
    }
    let error = found("x").await.unwrap_err().to_string();
    assert!(error.starts_with("production has no snapshot `x`"), "{error}");
}

#[tokio::test]
async fn without_a_guard_there_is_nothing_to_go_back_to() {
    let scene = Scene::open(&[target(&[])], "");
    let error = list(&scene.project, "production").await.unwrap_err();
    assert!(error.is::<Usage>() && error.to_string().starts_with("no plugin keeps data"), "{error}");
    assert!(snapshot(&scene.project, "production", "ada").await.unwrap_err().is::<Usage>());
    assert_eq!(before_deploy(&scene.project, "production", "ada").await.unwrap(), []);
}

#[tokio::test]
async fn whether_data_was_written_to_is_told_of_the_newest_that_is_whole_and_of_a_named_one() {
    let told = async |scene: &Scene, start: Option<&str>| {
        let verified = verify(&scene.project, "production", start).await.unwrap();
        let words = |one: Verified| (one.of.snapshot.id, one.fault, one.since.map(|since| since.to_string()));
        verified.into_iter().map(words).collect::<Vec<_>>()
    };
    let changed = Some("it was written to since: 3 rows".to_owned());
    let at = |id: &str, fault: Option<&str>, since: Option<String>| (id.to_owned(), fault.map(str::to_owned), since);
    let scene = scene(&[]);
    let all = told(&scene, None).await;
    assert_eq!(all, [at("a-1", None, None), at("a-2", None, None), at("b-1", None, changed.clone())]);
    assert_eq!(told(&scene, Some("a-1")).await, [at("a-1", None, changed.clone())]);
    assert_eq!(since(&scene.project, "production", "a-1").await.unwrap(), Since::Changed("3 rows".into()));
    let scene = self::scene(&[answer("verify", json!("half of it"))]);
    assert_eq!(told(&scene, Some("b")).await, [at("b-1", Some("half of it"), None)]);
    let scene = self::scene(&[answer("changed", refusal("unavailable", "no line"))]);
    let words = told(&scene, Some("b")).await[0].2.clone().unwrap();
    assert!(words.ends_with("is not known: plugin `guard`: no line"), "{words}");
}

#[tokio::test]
async fn a_snapshot_by_hand_is_on_record_and_one_that_is_not_whole_is_none() {
    let scene = scene(&[]);
    assert_eq!(ids(&snapshot(&scene.project, "production", "ada").await.unwrap()), ["taken"]);
    assert_eq!(names(&[]), "no snapshot");
    let mut told = Vec::new();
    let mut note = |entry: &autodevops_journal::audit::Entry| {
        if let autodevops_journal::audit::Entry::Note(note) = entry {
            told.push((note.by.clone().unwrap(), note.summary.clone()));
        }
    };
    let log = scene.project.audit.log();
    let name = log.names().unwrap().remove(0);
    assert!(name.starts_with("by-hand-"), "{name}");
    log.each(Some(&name), |sealed| sealed.seal.entries.iter().for_each(&mut note)).unwrap();
    let note = |text: &str| ("ada".to_owned(), text.to_owned());
    assert_eq!(told, [note("takes a snapshot of the data of production"), note("snapshot taken")]);
    let scene = self::scene(&[answer("verify", json!("half of it"))]);
    let error = format!("{:#}", snapshot(&scene.project, "production", "ada").await.unwrap_err());
    assert_eq!(error, "`guard` does not do it: snapshot taken by `guard` cannot be gone back to: half of it");
}

#[tokio::test]
async fn data_that_was_written_to_goes_back_only_by_a_persons_word_and_is_kept() {
    let scene = scene(&[]);
    let error = restore(&scene.project, "production", "a-1", Written::Stays, "ada").await.unwrap_err();
    assert!(error.is::<Usage>() && error.to_string().contains("it was written to since: 3 rows"), "{error}");
    let restored = restore(&scene.project, "production", "a-1", Written::IsLost, "ada").await.unwrap();
    assert_eq!((restored.to.snapshot.id.as_str(), restored.from.since), ("a-1", Since::Changed("3 rows".into())));
    assert_eq!(restored.from.before.unwrap().id, "taken");
    // What is as it was needs nobody's word, and nothing is done that could fail.
    let unwritten = [
        answer("changed", Value::Null),
        answer("restore", refusal("failed", "stuck")),
        answer("snapshot", refusal("failed", "full")),
    ];
    let scene = self::scene(&unwritten);
    let restored = restore(&scene.project, "production", "a-1", Written::Stays, "ada").await.unwrap();
    assert_eq!(restored.from, GoneBack { before: None, since: Since::Unchanged });
    let restored = restore(&scene.project, "production", "a-1", Written::IsLost, "ada").await.unwrap();
    assert_eq!(
        restored.from,
        GoneBack { before: None, since: Since::Unchanged },
        "what cannot be kept is lost by a person's word"
    );
    let scene = self::scene(&[answer("restore", refusal("failed", "stuck"))]);
    let error = restore(&scene.project, "production", "a-1", Written::IsLost, "ada").await.unwrap_err();
    assert!(format!("{error:#}").contains("stuck"), "{error:#}");
    let rolled_back = Story { run: "a-1".into(), candidate_errors: 200, ..Story::default() };
    scene.run(&rolled_back, Run::only_tells);
    let error = restore(&scene.project, "production", "a-1", Written::IsLost, "ada").await.unwrap_err().to_string();
    assert!(!error.contains("is not over"), "it only tells people: {error}");
    scene.run(&Story::default(), is_shared);
    let error = restore(&scene.project, "production", "a-1", Written::IsLost, "ada").await.unwrap_err().to_string();
    assert!(error.starts_with("run 62e23fd1-1 is not over, and what it does next may count on the data"), "{error}");
}

#[tokio::test]
async fn before_a_run_asks_whether_data_goes_back_nobody_has_it_go_back_by_hand() {
    let scene = scene(&[]);
    let run = scene.run_that_may_restore();
    let error = restore(&scene.project, "production", "a-1", Written::IsLost, "ada").await.unwrap_err().to_string();
    assert!(error.starts_with("run 62e23fd1-1 is not over, and what it does next may count on the data"), "{error}");
    let logged = scene.project.log.read(run.id()).unwrap().unwrap();
    let event = EventKind::DataKept { reason: "nobody wants it back".into() };
    let kept = Event { v: VERSION, at: logged.run.last_event_at(), event };
    scene.project.ledger().append(&logged.run, logged.version, &[kept]).unwrap();
    restore(&scene.project, "production", "a-1", Written::IsLost, "ada").await.unwrap();
}

#[tokio::test]
async fn what_is_there_is_kept_anew_where_the_snapshot_of_an_earlier_try_is_not_of_now() {
    let kept = async |answers: &[Answer]| {
        let scene = scene(answers);
        let guard = scene.project.plugins.for_stage("guard", Stage::StateGuard).unwrap();
        keep(&guard, &CallContext::default(), "production", "k").await.map(|snapshot| snapshot.id)
    };
    // By its time it is of now; or it is older, and nothing was written since.
    assert_eq!(kept(&[]).await.unwrap(), "taken");
    let first = |taken: i64| answer("snapshot", info("first", taken));
    assert_eq!(kept(&[first(1), answer("changed", Value::Null)]).await.unwrap(), "first");
    assert_eq!(kept(&[first(LATER), answer("changed", refusal("failed", "x"))]).await.unwrap(), "first");
}

/// The functions that a plugin is called for.
#[derive(Default)]
struct Calls(Mutex<Vec<&'static str>>);

impl Observer for Calls {
    fn finished(&self, report: CallReport) {
        self.0.lock().unwrap().push(report.function);
    }
}

#[tokio::test]
async fn a_snapshot_is_taken_anew_only_where_one_is_there_that_is_old_and_something_was_written_since() {
    for (taken, changed, expected) in [
        (LATER, json!("3 rows"), &["snapshot"][..]),
        (1, Value::Null, &["snapshot", "changed"]),
        (1, json!("3 rows"), &["snapshot", "changed", "snapshot"]),
    ] {
        let scene = scene(&[answer("snapshot", info("first", taken)), answer("changed", changed)]);
        let guard = scene.project.plugins.for_stage("guard", Stage::StateGuard).unwrap();
        let calls = Arc::new(Calls::default());
        let context = CallContext { observer: Some(calls.clone()), ..CallContext::default() };
        keep(&guard, &context, "production", "k").await.unwrap();
        assert_eq!(*calls.0.lock().unwrap(), expected, "taken at {taken}");
    }
}

/// What comes of a run's effect on production's data, where that serves these shares.
async fn effect_beside(serving: &[(&str, u8)], answers: &[Answer], command: &Command) -> Result<EffectOutcome, String> {
    let scene = Scene::open(&[target(&[serves("production", serving, Some("old"))]), guard("guard", answers)], "");
    let run = scene.run(&Story::default(), is_shared);
    match Stages::new(scene.project.clone()).effect(&run, command, false).await {
        Input::Effect { outcome: EffectOutcome::Failed(error), .. } => Err(error.info.message),
        Input::Effect { outcome, .. } => Ok(outcome),
        other => panic!("{other:?}"),
    }
}

async fn effect(answers: &[Answer], command: &Command) -> Result<EffectOutcome, String> {
    effect_beside(&[("old", 95), ("new", 5)], answers, command).await
}

fn goes_back() -> Command {
    let snapshot = SnapshotInfo { id: "a-1".into(), taken: 1, bytes: 7 };
    Command::Restore { key: "k".into(), plugin: "guard".into(), fence: 7, snapshot }
}

#[tokio::test]
async fn data_of_before_is_not_put_under_a_release_that_someone_had_serve_since() {
    let error = effect_beside(&[("by-hand", 100)], &[], &goes_back()).await.unwrap_err();
    let expected = "production serves by-hand 100 % where this run left old 95 %, new 5 %: someone had it serve since, and data of before \
                    is not put under it";
    assert_eq!(error, expected);
    let takes = Command::Snapshot { key: "k".into(), plugin: "guard".into() };
    assert!(effect_beside(&[("by-hand", 100)], &[], &takes).await.is_ok(), "what takes nothing back looks at nothing");
    // While that is made live, it waits.
    let scene = scene(&[]);
    let run = scene.run(&Story::default(), is_shared);
    let (stages, command) = (Stages::new(scene.project.clone()), goes_back());
    let by_hand = scene.project.moves.write().await;
    let mut waits = std::pin::pin!(stages.effect(&run, &command, false));
    let now = std::future::poll_fn(|context| Poll::Ready(waits.as_mut().poll(context))).await;
    assert!(now.is_pending());
    drop(by_hand);
    waits.await;
}

#[tokio::test]
async fn a_runs_snapshot_must_be_whole_and_its_data_goes_back_only_where_it_can_be_kept() {
    let key = || "k".to_owned();
    let takes = |plugin: &str| Command::Snapshot { key: key(), plugin: plugin.into() };
    let of = |id: &str, taken: i64| SnapshotInfo { id: id.into(), taken, bytes: 7 };
    assert_eq!(effect(&[], &takes("guard")).await, Ok(EffectOutcome::Snapshot(of("taken", LATER))));
    let error = effect(&[answer("verify", json!("half of it"))], &takes("guard")).await.unwrap_err();
    assert!(error.contains("cannot be gone back to: half of it"), "{error}");
    assert!(effect(&[], &takes("gaurd")).await.unwrap_err().contains("gaurd"));
    let back = goes_back();
    let expected = EffectOutcome::Restored { before: Some(of("taken", LATER)), since: Since::Changed("3 rows".into()) };
    assert_eq!(effect(&[], &back).await, Ok(expected));
    let error = effect(&[answer("snapshot", refusal("failed", "full"))], &back).await.unwrap_err();
    assert_eq!(error, "what is there now cannot be kept, and going back would lose it: plugin `guard`: full");
    let unwritten = [answer("changed", Value::Null), answer("restore", refusal("failed", "stuck"))];
    assert!(matches!(effect(&unwritten, &back).await, Ok(EffectOutcome::Restored { since: Since::Unchanged, .. })));
}

#[tokio::test]
async fn of_old_snapshots_those_that_a_run_may_go_back_to_stay() {
    let gone = async |scene: &Scene, oldest: i64| {
        let mut gone = Vec::new();
        forget_old(&scene.project, oldest, true, &mut gone).await.unwrap();
        gone.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    let scene = scene(&[answer_to("list", "staging", json!([]))]);
    assert_eq!(gone(&scene, 5).await, ["a-1"], "what is just as old stays");
    assert_eq!(gone(&scene, 6).await, ["a-1", "a-2"]);
    assert_eq!(gone(&scene, 100).await, ["a-1", "a-2"], "the newest stays");
}
