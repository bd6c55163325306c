//! The controller of a whole project: which issues have runs, and what people may say to those.

use autodevops_model::{ErrorInfo, ErrorKind, IssueKind, Severity, Stage, StageError};
use autodevops_pipeline::{EffectOutcome, Environment, EventKind, RunStage};
use autodevops_record::testing::Story;
use serde_json::json;

mod back;
mod driven;
mod services;
mod waits;

use super::*;
use crate::{
    live::{Live, Origin},
    testing::{
        Answer, Door, Nobody, Scene, answer, git, held, is_shared, local_target, plugin, refusal, serves, target,
    },
    usage::is_misuse,
};

fn controller(scene: &Scene) -> Controller {
    Controller::new(scene.project.clone(), Arc::new(Nobody)).unwrap()
}

fn scene(more: &str) -> Scene {
    Scene::open(&[target(&[])], more)
}

/// A change that was released as `new` over `old`.
fn released(more: &str) -> (Scene, String) {
    let scene = scene(more);
    let change = scene.check_in("public/index.html", "<p>broken</p>\n");
    scene.serves(
        "production",
        &scene.release("old"),
        now().before(std::time::Duration::from_secs(60)),
        Origin::Deploy("ada".into()),
    );
    let new = autodevops_model::Release { commit: change.clone(), ..scene.release("new") };
    scene.serves("production", &new, now(), Origin::Deploy("ada".into()));
    (scene, change)
}

fn issue(fingerprint: &str) -> Issue {
    let one = Issue::new(fingerprint, IssueKind::Exception, Severity::Error, "it fails");
    Issue { confidence: 0.9, count: 10, first_seen: Some(1), last_seen: Some(2), ..one }
}

fn over(run: &Run) -> bool {
    run.outcome().is_some()
}

fn wanted(controller: &Controller, issues: &[Issue]) -> Vec<String> {
    controller.wanted(issues.to_vec()).into_iter().map(|issue| issue.fingerprint).collect()
}

#[test]
fn an_issue_is_wanted_from_each_of_its_bounds_on() {
    let scene = scene("[issues]\nmin-severity = \"error\"\nmin-confidence = \"50 %\"\nmin-count = 3\n");
    let controller = controller(&scene);
    let just = Issue { confidence: 0.5, count: 3, ..issue("just") };
    let issues = [
        Issue { severity: Severity::Warning, ..issue("mild") },
        Issue { confidence: 0.49, ..issue("unsure") },
        Issue { count: 2, ..issue("rare") },
        just.clone(),
        Issue { severity: Severity::Critical, ..issue("grave") },
    ];
    assert_eq!(wanted(&controller, &issues), ["just", "grave"]);
    assert_eq!(controller.choose(issues.to_vec(), None).unwrap(), Some(just));
    assert_eq!(controller.choose(Vec::new(), None).unwrap(), None);
}

#[test]
fn an_issue_that_had_its_run_is_wanted_only_where_it_came_back() {
    let scene = scene("");
    let run = scene.run(&Story::default(), over);
    assert_eq!(run.outcome(), Some(&Outcome::Healed));
    let controller = controller(&scene);
    let of_run = &run.issue().fingerprint;
    let later = run.last_event_at().after(std::time::Duration::from_secs(3600)).0;
    assert_eq!(wanted(&controller, &[issue(of_run)]), [""; 0]);
    assert_eq!(wanted(&controller, &[Issue { last_seen: Some(later), ..issue(of_run) }]), std::slice::from_ref(of_run));
    assert_eq!(wanted(&controller, &[issue("another")]), ["another"]);
}

#[test]
fn what_was_seen_only_while_a_release_was_out_that_was_taken_back_is_not_wanted() {
    let scene = scene("");
    let run = scene.run(&Story { candidate_errors: 200, ..Story::default() }, over);
    assert!(matches!(run.outcome(), Some(Outcome::RolledBack { .. })), "{:?}", run.outcome());
    let controller = controller(&scene);
    let within =
        |first: i64| Issue { first_seen: Some(first), last_seen: Some(run.last_event_at().0), ..issue("another") };
    assert_eq!(wanted(&controller, &[within(run.started_at().0)]), [""; 0]);
    assert_eq!(wanted(&controller, &[within(run.started_at().0 - 1)]), ["another"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_taken_back_is_not_tried_again_by_itself_once_the_events_of_its_run_are_forgotten() {
    let scene = scene("[retention]\njournal = \"7d\"\n");
    let run = scene.run(&Story { candidate_errors: 200, ..Story::default() }, over);
    let version = scene.project.log.read(run.id()).unwrap().unwrap().version;
    scene.project.audit.let_go(run.id(), "finished", version, true);
    let (of_run, ended) = (&run.issue().fingerprint, run.last_event_at());
    let later = |days: u32| ended.after(days * std::time::Duration::from_secs(86_400));
    let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_nanos(later(10).0.unsigned_abs());
    gc::collect(&scene.project, false, at, &mut Vec::new()).await.unwrap();
    assert!(scene.project.log.read(run.id()).unwrap().is_none(), "it is forgotten");
    let controller = controller(&scene);
    let goes_on = Issue { first_seen: Some(1), last_seen: Some(later(11).0), ..issue(of_run) };
    assert_eq!(wanted(&controller, std::slice::from_ref(&goes_on)), [""; 0], "to try again is a person's word");
    let of_release = Issue { first_seen: Some(run.started_at().0), last_seen: Some(ended.0), ..issue("another") };
    assert_eq!(wanted(&controller, &[of_release]), [""; 0], "it was that release's own");
    let former = controller.handled().get(of_run).unwrap().former(None).unwrap();
    assert_eq!((former.run.as_str(), former.rolled_back.as_deref()), (run.id(), Some(run.id())));
    // A run of later stands above it.
    let healed = scene.run(&Story { run: "62e23fd1-2".into(), at: later(12), ..Story::default() }, over);
    let known = self::controller(&scene).handled().get(of_run).unwrap().clone();
    assert_eq!((known.run.as_str(), known.outcome), (healed.id(), Some(Outcome::Healed)));
}

#[test]
fn a_named_issue_has_a_run_whatever_was_done_about_it_but_not_two_at_once() {
    let scene = scene("");
    let run = scene.run(&Story::default(), |run| run.fix().is_some());
    let controller = controller(&scene);
    let issues = || vec![issue("aa11"), issue("aa22"), issue(&run.issue().fingerprint)];
    let chosen = |start: &str| controller.choose(issues(), Some(start)).map_err(|error| error.to_string());
    assert_eq!(chosen("aa1").unwrap().unwrap().fingerprint, "aa11");
    assert_eq!(chosen("aa").unwrap_err(), "`aa` is the beginning of 2 fingerprints; give more of it");
    let nothing = controller.choose(vec![issue("aa11")], Some("")).unwrap_err();
    assert!(nothing.is::<Usage>() && nothing.to_string().starts_with("nothing is named; give"), "{nothing}");
    assert_eq!(chosen("bb").unwrap_err(), "no issue `bb` was found in the watched logs");
    assert_eq!(chosen("62e2").unwrap_err(), "run 62e23fd1-1 handles this issue now; see `autodevops show 62e23fd1-1`");
    let rare = Issue { count: 0, ..issue("rare") };
    assert!(controller.choose(vec![rare], Some("rare")).unwrap().is_some());
}

#[test]
fn a_run_is_named_by_its_issue_and_a_number_that_no_run_has_or_had() {
    let scene = scene("");
    let controller = controller(&scene);
    let of_run = issue("62e23fd1200296c4");
    assert_eq!(controller.name(&of_run), "62e23fd1-1");
    scene.run(&Story::default(), over);
    assert_eq!(controller.name(&of_run), "62e23fd1-2");
    // Its events may be forgotten, and it is on record still.
    scene.project.audit.begin("62e23fd1-2");
    scene.project.audit.note("62e23fd1-2", "x", None, "y");
    scene.project.audit.let_go("62e23fd1-2", "x", 0, true);
    assert_eq!(controller.name(&of_run), "62e23fd1-3");
    assert_eq!(controller.name(&issue("aa11")), "aa11-1");
}

#[test]
fn a_run_is_known_by_the_beginning_of_its_name() {
    let scene = scene("");
    for name in ["aa-1", "aa-11", "bb-1"] {
        scene.run(&Story { run: name.into(), ..Story::default() }, over);
    }
    let controller = controller(&scene);
    let named = |start: &str| controller.named(start).map_err(|error| error.to_string());
    assert_eq!((named("b").unwrap(), named("aa-1").unwrap()), ("bb-1".into(), "aa-1".into()));
    assert_eq!(named("aa").unwrap_err(), "2 runs start with `aa`; give more of the name");
    let nothing = named("").unwrap_err();
    assert!(nothing.starts_with("nothing is named; give the name of a run"), "{nothing}");
    assert_eq!(named("cc").unwrap_err(), "there is no run `cc`; see `autodevops runs`");
}

#[tokio::test]
async fn a_run_that_nobody_drives_is_spoken_to_in_the_journal() {
    let scene = scene("");
    let run = scene.run(&Story::default(), is_shared);
    let controller = controller(&scene);
    let word = || Input::Abort { by: "ada".into(), reason: "enough".into() };
    let after = controller.say("62e2", word()).await.unwrap();
    assert!(after.id() == run.id() && after.ending().is_some());
    assert!(controller.unfinished().unwrap()[0].run.ending().is_some(), "it is on record");
    let error = controller.say("cc", word()).await.unwrap_err().to_string();
    assert!(error.starts_with("there is no run `cc`"), "{error}");
}

#[tokio::test]
async fn a_run_that_a_word_ends_while_nobody_drives_it_leaves_its_services_to_those_who_wait() {
    let scene = scene("");
    let run = scene.run(&Story::default(), |run| run.stage() == RunStage::Checks);
    let controller = controller(&scene);
    let (claims, shop) = (&scene.project.claims, ["shop".to_owned()]);
    assert_eq!(run.claimed_services(), shop);
    let changes = claims.changes();
    assert_eq!(claims.ask("other", &shop).unwrap_err().run, run.id());
    let read_before = controller.unfinished().unwrap().remove(0);
    controller.say(run.id(), Input::Hold { by: "ada".into(), reason: "r".into() }).await.unwrap();
    assert_eq!(claims.ask("other", &shop).unwrap_err().run, run.id(), "it goes on some time");
    let after = controller.say(run.id(), Input::Abort { by: "ada".into(), reason: "enough".into() }).await.unwrap();
    assert!(after.outcome().is_some(), "it had moved nothing");
    assert!(changes.has_changed().unwrap(), "who waits is told");
    claims.ask("other", &shop).unwrap();
    let written = scene.project.log.read(run.id()).unwrap().unwrap().version;
    let end = controller.drive(read_before, false).await.unwrap();
    assert!(matches!(end, End::Finished(Outcome::Aborted { .. })), "{end:?}");
    assert_eq!(scene.project.log.read(run.id()).unwrap().unwrap().version, written, "it was over");
    let issue = Issue { fingerprint: run.issue().fingerprint.clone(), ..issue("x") };
    assert!(
        controller.choose(vec![issue.clone()], Some(&issue.fingerprint)).unwrap().is_some(),
        "it is known to be over"
    );
}

#[tokio::test]
async fn a_run_that_only_tells_people_what_came_of_it_leaves_its_services_to_those_who_wait() {
    let scene = scene("");
    let run = scene.run(&Story::default(), is_shared);
    let controller = controller(&scene);
    let (claims, shop) = (&scene.project.claims, ["shop".to_owned()]);
    controller.say(run.id(), Input::Rollback { by: "ada".into(), reason: "odd orders".into() }).await.unwrap();
    let mut changes = claims.changes();
    for place in ["production", "staging"] {
        assert_eq!(claims.ask("other", &shop).unwrap_err().run, run.id(), "{place} is to go back");
        let key = format!("{}/rollback/{place}", run.id());
        controller.say(run.id(), Input::Intent { key: key.clone() }).await.unwrap();
        changes.mark_unchanged();
        controller.say(run.id(), Input::Effect { key, outcome: EffectOutcome::Done }).await.unwrap();
    }
    let after = controller.unfinished().unwrap().remove(0).run;
    assert!(after.only_tells() && after.outcome().is_none());
    assert!(changes.has_changed().unwrap(), "who waits is told");
    assert_eq!(claims.ask("other", &shop), Ok(()));
    // A host that comes to drive it now knows as well.
    assert_eq!(after.claimed_services(), [""; 0]);
}

#[tokio::test]
async fn only_what_is_over_and_did_not_heal_is_tried_again_with_a_reason() {
    let scene = scene("");
    scene.run(&Story { run: "a-1".into(), ..Story::default() }, |run| run.fix().is_some());
    let declined = async |controller: &Controller, run: &str, reason: &str| {
        let error = controller.retry(run, "ada", reason).await.unwrap_err();
        assert!(error.is::<Declined>(), "{error:#}");
        error.to_string()
    };
    let told = declined(&controller(&scene), "a-1", "r").await;
    assert!(told.starts_with("run a-1 is not over"), "{told}");
    let without = controller(&scene).retry("a-1", "ada", " ").await.unwrap_err();
    assert!(is_misuse(&without) && without.to_string().starts_with("to try again needs a reason"), "{without}");
    let without = controller(&scene).revert("a-1", "ada", " ").await.unwrap_err();
    assert!(is_misuse(&without) && without.to_string().starts_with("to revert needs a reason"), "{without}");
    let skip = anyhow::Error::from(autodevops_pipeline::Refused::SkipWithoutReason).context("run a-1");
    assert!(is_misuse(&skip) && !is_misuse(&anyhow::anyhow!(Declined(String::new()))));
    let scene = self::scene("");
    scene.run(&Story { run: "b-1".into(), ..Story::default() }, over);
    let told = declined(&controller(&scene), "b-1", "r").await;
    assert!(told.starts_with("run b-1 healed its issue"), "{told}");
    let scene = self::scene("");
    for name in ["c-1", "c-2"] {
        scene.run(&Story { run: name.into(), builds: false, ..Story::default() }, over);
    }
    let told = declined(&controller(&scene), "c-1", "r").await;
    assert!(told.starts_with("run c-2 came after it"), "{told}");
}

fn whole(answers: &[Answer], more: &str) -> Scene {
    whole_with(answers, None, more)
}

/// The same with one more plugin.
fn whole_with(answers: &[Answer], further: Option<crate::testing::Plugin>, more: &str) -> Scene {
    let all = |place: &str| serves(place, &[("old", 100)], Some("old"));
    let answers = [answers, &[all("production"), all("staging")]].concat();
    let mut plugins = vec![
        target(&answers),
        plugin("analyzer", Stage::Analyzer, &[]),
        plugin("fixer", Stage::FixGenerator, &[]),
        // Of two publishers, and not the same component.
        plugin("health", Stage::HealthCheck, &[answer("measure", json!([]))]),
        plugin("health-two", Stage::HealthCheck, &[]),
    ];
    plugins.extend(further);
    let scene = Scene::open(&plugins, more);
    for place in ["production", "staging"] {
        scene.served(place, &[scene.release("old")]);
    }
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_begins_of_what_serves_and_is_known_at_once() {
    let scene = whole(&[], "");
    let controller = controller(&scene);
    let logged = controller.start(issue("aa11")).await.unwrap();
    let run = &logged.run;
    assert_eq!((run.id(), run.base(), run.stage()), ("aa11-1", scene.base.as_str(), RunStage::Fix));
    assert_eq!(run.members().next().unwrap().stable(Environment::Production), Some(&scene.release("old")));
    let known: Vec<String> = controller.unfinished().unwrap().iter().map(|one| one.run.id().to_owned()).collect();
    assert_eq!(known, ["aa11-1"]);
    assert_eq!((controller.newest("aa11"), controller.newest("bb")), (Some("aa11-1".into()), None));
    let error = controller.start(issue("bb22")).await.unwrap_err();
    assert!(
        error.is::<Declined>() && error.to_string().starts_with("run aa11-1 is not over, and runs follow each other"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_keeps_a_run_from_beginning_is_on_record_and_leaves_none() {
    for (answers, more, told) in [
        (vec![serves("production", &[("by-hand", 100)], Some("by-hand"))], "", "production serves"),
        (vec![answer("describe", refusal("failed", "no target"))], "", "no target"),
    ] {
        let scene = whole(&answers, more);
        let controller = controller(&scene);
        let error = format!("{:#}", controller.start(issue("aa11")).await.unwrap_err());
        assert!(error.contains(told), "{error}");
        assert_eq!(controller.unfinished().unwrap().len(), 0);
        assert_eq!(scene.project.audit.log().names().unwrap(), ["aa11-1"]);
    }
    let scene = whole(&[], "[loop]\nruns-a-day = 1\n");
    scene.run(&Story { at: now(), ..Story::default() }, over);
    let error = controller(&scene).start(issue("aa11")).await.unwrap_err();
    assert!(error.is::<crate::limits::Waits>(), "{error:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_tried_again_is_begun_for_whoever_drives_runs() {
    let scene = whole(&[], "");
    scene.run(&Story { builds: false, ..Story::default() }, over);
    let controller = controller(&scene);
    let run = controller.retry("62e23fd1-1", "ada", "the build machine was broken").await.unwrap();
    assert_eq!((run.id(), run.former().unwrap().run.as_str()), ("62e23fd1-2", "62e23fd1-1"));
    let retry = run.former().unwrap().retry.clone().unwrap();
    assert_eq!((retry.by.as_str(), retry.reason.as_str()), ("ada", "the build machine was broken"));
    assert_eq!(controller.take_begun().unwrap().run.id(), "62e23fd1-2");
    assert!(controller.take_begun().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_is_collected_while_a_run_is_driven() {
    let scene = scene("");
    let controller = controller(&scene);
    controller.collect(&mut Vec::new()).await.unwrap();
    let (sender, _words) = mpsc::channel(1);
    controller.speakers.lock().unwrap().insert("a-1".into(), sender);
    let error = controller.collect(&mut Vec::new()).await.unwrap_err().to_string();
    assert!(error.starts_with("run a-1 is under way, and may be about to use"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_only_tells_people_keeps_nothing_from_being_collected() {
    let scene = scene("");
    let run = scene.run(&Story::default(), |run| run.ending() == Some(&Outcome::Healed));
    let controller = controller(&scene);
    let (sender, _words) = mpsc::channel(1);
    controller.speakers.lock().unwrap().insert(run.id().to_owned(), sender);
    controller.collect(&mut Vec::new()).await.unwrap();
}

#[test]
fn beside_a_run_only_what_was_there_before_its_release_may_start_where_there_is_room() {
    let scene = scene("");
    let controller = controller(&scene);
    let issues = [issue("aa11"), issue("bb22")];
    assert_eq!(controller.wanted_beside(&issues).unwrap(), Some(0));
    assert_eq!(controller.wanted_beside(&[]).unwrap(), None);
    scene.run(&Story::default(), |run| run.fix().is_some());
    assert_eq!(controller.wanted_beside(&issues).unwrap(), None, "there is one service, and it has its run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_people_do_by_hand_is_done_one_after_the_other() {
    let info = json!({ "id": "s-1", "taken": 5, "bytes": 7 });
    let guard = [
        answer("snapshot", info.clone()),
        answer("verify", serde_json::Value::Null),
        answer("changed", serde_json::Value::Null),
        answer("list", json!([info])),
    ];
    let plugins = [
        target(&[]),
        plugin("analyzer", Stage::Analyzer, &[]),
        plugin("fixer", Stage::FixGenerator, &[]),
        plugin("health", Stage::HealthCheck, &[]),
        plugin("guard", Stage::StateGuard, &guard),
    ];
    let scene = Scene::open(&plugins, "");
    let controller = controller(&scene);
    let made = controller.deploy(&["production".to_owned()], "ada").await.unwrap();
    assert_eq!(Live::new(&scene.project.journal).current("production").unwrap(), Some(made[0].release.clone()));
    assert_eq!(controller.snapshot("production", "ada").await.unwrap().len(), 1);
    let restored = controller.restore("production", "s-1", Written::Stays, "ada").await.unwrap();
    assert_eq!(restored.to.snapshot.id, "s-1");
    let (scene, change) = released("");
    scene.serves("production", &scene.release("old"), now(), Origin::Rollback(crate::live::WentBack::new("ada", "")));
    let reverted = self::controller(&scene).revert("new", "ada", "r").await.unwrap();
    assert_eq!(reverted.undone, change);
}
