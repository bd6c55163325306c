//! What is next to a run under way fails: that goes on.

use std::sync::Mutex;

use autodevops_model::{IssueKind, Severity, Stage};
use autodevops_pipeline::{Command, Event, Input, Outcome, Run};
use autodevops_record::testing::Story;

use super::*;
use crate::testing::{Plugin, Scene, analyzer, answer, is_shared, never, plugin, serves, target};

/// What was said.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    /// How often something was said that begins so.
    fn times(&self, start: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|text| text.starts_with(start)).count()
    }
}

impl Observer for Heard {
    fn event(&self, _: &Run, _: &Event) {}

    fn doing(&self, _: &Run, _: &Command) {}

    fn notice(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_goes_back_though_the_analyzer_fails_and_the_queue_cannot_be_noted() {
    // A function without an answer traps.
    let analyzer = plugin("analyzer", Stage::Analyzer, &[]);
    let scene = Scene::open(&[target(&[]), analyzer], "[logs]\nwatch = [\"log\"]\n");
    scene.check_in("log", "");
    let (project, heard) = (&scene.project, Arc::new(Heard::default()));
    let run = scene.run(&Story::default(), is_shared);
    let observer: Arc<dyn Observer> = heard.clone();
    let controller = Arc::new(Controller::new(Arc::clone(project), Arc::clone(&observer)).unwrap());
    let word = Input::Abort { by: "ada".into(), reason: "enough".into() };
    assert!(controller.say(run.id(), word).await.unwrap().ending().is_some());
    // What cannot be read is not replaced, as nothing is on a full disk.
    project.journal.put_fact("loop/queue", b"?").unwrap();
    let (stopper, stop) = tokio::sync::watch::channel(false);
    let serving = tokio::spawn(serve(controller, observer, None, stop));
    let outcome = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(!serving.is_finished(), "it goes on");
            if let Some(outcome) = project.log.read(run.id()).unwrap().unwrap().run.outcome().cloned() {
                return outcome;
            }
        }
    });
    assert!(matches!(outcome.await.unwrap(), Outcome::Aborted { .. }));
    stopper.send_replace(true);
    serving.await.unwrap().unwrap();
    let told =
        (heard.times("the logs are not followed"), heard.times("which issues wait for their runs cannot be noted"));
    assert_eq!(told, (1, 1), "{heard:?}", heard = heard.0.lock().unwrap());
}

/// The driver of this run ends early.
struct Ends {
    run: String,
    /// What was said.
    told: Mutex<Vec<String>>,
}

impl Observer for Ends {
    fn event(&self, run: &Run, _: &Event) {
        assert_ne!(run.id(), self.run, "its driver ends");
    }

    fn doing(&self, _: &Run, _: &Command) {}

    fn notice(&self, text: &str) {
        self.told.lock().unwrap().push(text.to_owned());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_left_over_goes_back_at_once_though_the_driver_of_another_run_fails() {
    let scene = Scene::open(&[target(&[])], "[logs]\nwatch = [\"log\"]\n");
    scene.check_in("log", "");
    let fails = scene.run(&Story { run: "62e23fd1-1".into(), ..Story::default() }, is_shared);
    let back = scene.run(&Story { run: "62e23fd1-2".into(), ..Story::default() }, is_shared);
    let project = &scene.project;
    let names: Vec<String> = project.log.unfinished().unwrap().iter().map(|logged| logged.run.id().into()).collect();
    assert_eq!(names, [fails.id(), back.id()], "the one that fails is first");
    let observer: Arc<dyn Observer> = Arc::new(Ends { run: fails.id().into(), told: Mutex::default() });
    let controller = Arc::new(Controller::new(Arc::clone(project), Arc::clone(&observer)).unwrap());
    let word = Input::Abort { by: "ada".into(), reason: "enough".into() };
    assert!(controller.say(back.id(), word).await.unwrap().ending().is_some());
    let (stopper, stop) = tokio::sync::watch::channel(false);
    let serving = tokio::spawn(serve(controller, observer, None, stop));
    let outcome = tokio::time::timeout(AGAIN / 3, async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if let Some(outcome) = project.log.read(back.id()).unwrap().unwrap().run.outcome().cloned() {
                return outcome;
            }
        }
    });
    assert!(matches!(outcome.await.unwrap(), Outcome::Aborted { .. }));
    assert_eq!(project.log.read(fails.id()).unwrap().unwrap().run.outcome(), None);
    stopper.send_replace(true);
    serving.await.unwrap().unwrap();
}

/// A project that serves `old`, in whose log a failure is that this analyzer is given.
fn failing(analyzer: Plugin) -> Scene {
    let all = |place: &str| serves(place, &[("old", 100)], Some("old"));
    let plugins = [
        target(&[all("production"), all("staging")]),
        analyzer,
        plugin("fixer", Stage::FixGenerator, &[]),
        plugin("health", Stage::HealthCheck, &[answer("measure", serde_json::json!([]))]),
        plugin("health-two", Stage::HealthCheck, &[]),
    ];
    let scene = Scene::open(&plugins, "[logs]\nwatch = [\"log\"]\n");
    for place in ["production", "staging"] {
        scene.served(place, &[scene.release("old")]);
    }
    scene.check_in("log", "it fails\n");
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_begins_at_once_though_the_driver_of_one_that_only_tells_people_failed_which_alone_waits() {
    let one = Issue::new("f00d", IssueKind::Exception, Severity::Critical, "it fails");
    let issue = Issue { confidence: 0.9, count: 10, first_seen: Some(1), last_seen: Some(2), ..one };
    let scene = failing(analyzer(&[issue]));
    let fails = scene.run(&Story { candidate_errors: 200, ..Story::default() }, Run::only_tells);
    assert!(fails.outcome().is_none());
    let (project, heard) = (&scene.project, Arc::new(Ends { run: fails.id().into(), told: Mutex::default() }));
    let observer: Arc<dyn Observer> = heard.clone();
    let controller = Arc::new(Controller::new(Arc::clone(project), Arc::clone(&observer)).unwrap());
    let (stopper, stop) = tokio::sync::watch::channel(false);
    let serving = tokio::spawn(serve(controller, observer, None, stop));
    let begun = tokio::time::timeout(AGAIN / 3, async {
        while project.log.read("f00d-1").unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let begun = begun.await;
    let told = || heard.told.lock().unwrap().clone();
    begun.unwrap_or_else(|_| panic!("{:?}", told()));
    let ended = || told().iter().filter(|text| text.starts_with("a run's driver ended early")).count();
    let seen = tokio::time::timeout(AGAIN / 3, async {
        while ended() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    seen.await.unwrap_or_else(|_| panic!("{:?}", told()));
    tokio::time::sleep(3 * LOOK).await;
    assert_eq!(ended(), 1, "it was driven, and is not tried again yet: {:?}", told());
    stopper.send_replace(true);
    serving.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_people_begin_is_driven_while_the_analyzer_does_not_answer() {
    let answers = [never("[method]session.push"), answer("[method]session.issues", serde_json::json!([]))];
    let scene = failing(plugin("analyzer", Stage::Analyzer, &answers));
    let first = scene.run(&Story { builds: false, ..Story::default() }, |run| run.outcome().is_some());
    let (project, heard) = (&scene.project, Arc::new(Heard::default()));
    let observer: Arc<dyn Observer> = heard.clone();
    let controller = Arc::new(Controller::new(Arc::clone(project), Arc::clone(&observer)).unwrap());
    let (_stopper, stop) = tokio::sync::watch::channel(false);
    let serving = tokio::spawn(serve(Arc::clone(&controller), observer, None, stop));
    // The log is given to the analyzer meanwhile.
    tokio::time::sleep(LOOK / 2).await;
    let run = controller.retry(first.id(), "ada", "the build machine was broken").await.unwrap();
    let outcome = tokio::time::timeout(LOOK * 20, async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if let Some(outcome) = project.log.read(run.id()).unwrap().unwrap().run.outcome().cloned() {
                return outcome;
            }
        }
    });
    let outcome = outcome.await.expect("it waits for no analyzer");
    assert!(matches!(outcome, Outcome::HandedOver { .. }), "no fix generator answers: {outcome:?}");
    assert_eq!(heard.times("the logs are not followed"), 0, "the analyzer is waited for still");
    assert!(!serving.is_finished());
    serving.abort();
}

#[test]
fn what_was_told_is_told_again_after_all_was_well() {
    let (heard, mut told) = (Heard::default(), Told::default());
    for (text, times) in [("it fails", 1), ("it fails", 1), ("it fails otherwise", 2), ("it fails", 3)] {
        told.once(&heard, text.to_owned());
        assert_eq!(heard.times("it fails"), times);
    }
    told.clear();
    told.once(&heard, "it fails".to_owned());
    assert_eq!(heard.times("it fails"), 4);
}

#[tokio::test]
async fn what_is_found_in_the_logs_is_known_and_how_far_they_were_read_outlives_the_process() {
    let issue = Issue::new("f00d", IssueKind::CriticalError, Severity::Critical, "out of memory");
    let scene = Scene::open(&[target(&[]), analyzer(std::slice::from_ref(&issue))], "[logs]\nwatch = [\"log\"]\n");
    scene.check_in("log", "FATAL out of memory\n");
    let heard = Arc::new(Heard::default());
    let logs = || Logs::new(Arc::clone(&scene.project), heard.clone(), None);
    let mut first = logs();
    assert_eq!([first.poll().await, first.poll().await], [Some(Read::All), Some(Read::Nothing)]);
    assert_eq!(first.issues().await, Some(vec![issue]));
    assert_eq!(logs().poll().await, Some(Read::All), "it is not kept yet");
    first.save().await;
    assert_eq!(logs().poll().await, Some(Read::Nothing));
    assert_eq!(heard.times(""), 0);
}

#[tokio::test]
async fn logs_that_could_not_be_followed_are_not_tried_again_at_once() {
    let scene = Scene::open(&[target(&[]), analyzer(&[])], "[logs]\nwatch = [\"log\"]\n");
    let heard = Arc::new(Heard::default());
    let mut logs = Logs::new(Arc::clone(&scene.project), heard.clone(), None);
    std::fs::write(scene.shop().join("log"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    assert_eq!(logs.issues().await, None);
    assert_eq!(heard.times("the logs are not followed"), 1);
    std::fs::write(scene.shop().join("log"), "a line\n").unwrap();
    assert_eq!((logs.issues().await, logs.poll().await), (None, None));
}
