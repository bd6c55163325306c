//! Logs that are long, or written as quickly as they are read.

use std::{fs::OpenOptions, io::Write as _, path::PathBuf};

use autodevops_pipeline::{Input, Outcome};
use autodevops_record::testing::Story;
use autodevops_sandbox::{CallReport, Observer};

use super::*;
use crate::{
    controller::Controller,
    serve::serve,
    testing::{Nobody, Scene, analyzer, is_shared, target},
};

/// A log that goes on whenever some of it was read.
struct GoesOn(PathBuf);

impl Observer for GoesOn {
    fn finished(&self, report: CallReport) {
        if report.function == "push" {
            let mut log = OpenOptions::new().append(true).open(&self.0).unwrap();
            log.write_all(b"it goes on\n").unwrap();
        }
    }
}

/// A project with a log of one line, and its watch.
async fn watched(goes_on: bool) -> (Scene, Watch) {
    let scene = Scene::open(&[target(&[]), analyzer(&[])], "[logs]\nwatch = [\"log\"]\n");
    scene.check_in("log", "it begins\n");
    let mut watch = Watch::open(&scene.project).await.unwrap();
    if goes_on {
        watch.context.observer = Some(Arc::new(GoesOn(scene.shop().join("log"))));
        watch.begin_anew();
    }
    (scene, watch)
}

#[tokio::test]
async fn a_log_that_is_written_as_quickly_as_it_is_read_is_read_for_a_turn() {
    let (_scene, mut watch) = watched(true).await;
    let read = tokio::time::timeout(TURN * 20, watch.poll()).await.expect("it comes to an end");
    assert_eq!(read.unwrap(), Read::Part);
    let (_scene, mut watch) = watched(false).await;
    assert_eq!([watch.poll().await.unwrap(), watch.poll().await.unwrap()], [Read::All, Read::Nothing]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_that_is_left_over_goes_back_while_a_log_is_written_as_quickly_as_it_is_read() {
    let (scene, watch) = watched(true).await;
    let run = scene.run(&Story::default(), is_shared);
    let project = &scene.project;
    let controller = Arc::new(Controller::new(Arc::clone(project), Arc::new(Nobody)).unwrap());
    let word = Input::Abort { by: "ada".into(), reason: "enough".into() };
    assert!(controller.say(run.id(), word).await.unwrap().ending().is_some());
    let (stopper, stop) = tokio::sync::watch::channel(false);
    let serving = tokio::spawn(serve(controller, Arc::new(Nobody), Some(watch), stop));
    let outcome = tokio::time::timeout(TURN * 20, async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if let Some(outcome) = project.log.read(run.id()).unwrap().unwrap().run.outcome().cloned() {
                return outcome;
            }
        }
    });
    assert!(matches!(outcome.await.unwrap(), Outcome::Aborted { .. }));
    stopper.send_replace(true);
    tokio::time::timeout(TURN * 20, serving).await.expect("it hears that it is to stop").unwrap().unwrap();
}

#[tokio::test]
async fn a_log_that_is_gone_is_forgotten() {
    let scene = Scene::open(&[target(&[]), analyzer(&[])], "[logs]\nwatch = [\"logs/*.log\"]\n");
    let log = |day: &str| scene.shop().join(format!("logs/{day}.log"));
    let mut watch = Watch::open(&scene.project).await.unwrap();
    for day in ["monday", "tuesday"] {
        scene.check_in(&format!("logs/{day}.log"), "a line\n");
    }
    assert_eq!(watch.poll().await.unwrap(), Read::All);
    std::fs::remove_file(log("monday")).unwrap();
    std::fs::write(log("tuesday"), "a line\nanother\n").unwrap();
    // What may still be written to is waited for.
    while watch.follower.followed().len() > 1 {
        watch.poll().await.unwrap();
    }
    watch.save().await.unwrap();
    let known = std::cell::RefCell::new(Vec::new());
    watch.sieves.keep(|source| {
        known.borrow_mut().push(source.to_owned());
        true
    });
    assert_eq!(known.into_inner(), [log("tuesday").to_str().unwrap()]);
}

#[test]
fn as_much_is_read_at_once_as_takes_a_part_of_a_turn() {
    let (most, least) = (MOST_BYTES, LEAST_BYTES);
    for (bytes, took, next) in [
        (least, Duration::ZERO, 2 * least),
        (most / 2, TURN / 9, most),
        (most, TURN / 9, most),
        (most, TURN / 2, most),
        (2 * least, TURN, 2 * least),
        (most, TURN * 2, most / 4),
        (2 * least, TURN * 2, least),
        (least, TURN * 60, least),
    ] {
        assert_eq!(budget(bytes, took), next, "{bytes} took {took:?}");
    }
}
