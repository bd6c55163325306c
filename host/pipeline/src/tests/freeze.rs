//! What a freeze keeps a run from, and what it does not.

use super::scene::{SECOND, Scene, plan};
use crate::{Command, Environment, Event, EventKind, Freeze, Input, Outcome, Plan, Run, RunStage, Timestamp};

/// On the day that scenes play on, a Thursday, from a minute to another.
fn frozen(from: u16, to: u16) -> Plan {
    let mut plan = plan();
    let (time_zone, reason) = ("UTC".into(), "a quiet hour".into());
    plan.freeze = vec![Freeze { first: 3, last: 3, from, to, time_zone, reason }];
    plan
}

const HOUR: Timestamp = Timestamp(3_600_000_000_000);

#[test]
fn a_run_waits_before_production_for_the_end_of_a_freeze_and_says_so_once() {
    let mut scene = Scene::new(frozen(0, 60)).until(RunStage::ProductionDeploy);
    let waits = |command: &Command| matches!(command, Command::WaitUntil(until) if *until <= HOUR);
    assert!(scene.commands().iter().all(waits), "{:?}", scene.commands());
    assert_eq!(scene.run.frozen(), Some(&(HOUR, "a quiet hour".to_owned())));
    for _ in 0..3 {
        scene.now = scene.now.after(SECOND);
        scene.say(Input::Tick).unwrap();
    }
    assert_eq!(scene.names().iter().filter(|name| **name == "frozen").count(), 1);
    assert!(!scene.has(|event| matches!(event, EventKind::Deployed { environment: Environment::Production, .. })));
    scene.now = HOUR;
    scene.say(Input::Tick).unwrap();
    let (outcome, scene) = scene.outcome();
    assert_eq!((outcome, scene.run.frozen()), (Outcome::Healed, None));
}

#[test]
fn a_run_that_waits_for_a_freeze_can_be_ended_at_any_time() {
    let mut scene = Scene::new(frozen(0, 60)).until(RunStage::ProductionDeploy);
    scene.say(Input::Abort { by: "ada".into(), reason: String::new() }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::Aborted { .. }), "{outcome}");
    assert!(scene.now < HOUR, "nothing waits for the freeze");
}

#[test]
fn staging_is_watched_on_while_a_freeze_lasts_and_what_fails_there_ends_the_run() {
    let mut scene = Scene::new(frozen(0, 60)).until(RunStage::ProductionDeploy);
    let watch = scene.run.watch().unwrap();
    assert!(watch.kept && watch.environment == Environment::Staging);
    scene.seen = (150, 200);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::HandedOver { .. }), "{outcome}");
    assert!(scene.now < HOUR && scene.traffic_was().is_empty());
}

#[test]
fn what_speaks_against_the_release_in_a_freeze_is_asked_about_before_production() {
    let mut plan = frozen(0, 60);
    plan.triggers.iter_mut().for_each(|trigger| trigger.critical = false);
    let mut scene = Scene::new(plan).until(RunStage::ProductionDeploy);
    scene.seen = (60, 200);
    while scene.run.held().is_none() {
        scene.go();
    }
    assert!(scene.run.gate().is_none(), "it waits for the freeze anyway");
    scene.now = HOUR;
    assert!(scene.run.work().is_empty(), "{:?}", scene.run.work());
    scene.say(Input::Tick).unwrap();
    assert!(scene.run.gate().is_some());
    scene.seen = (0, 200);
    let approval = Input::Approve { by: "ada".into(), reason: "known".into(), bypass: false, link: None };
    let follows = scene.say(approval).unwrap();
    let passes = |event: &Event| matches!(event.event, EventKind::StepPassed { .. });
    assert!(!follows.iter().any(passes), "staging was passed before, and is only watched on: {follows:?}");
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn a_freeze_that_begins_later_holds_up_no_step_and_no_way_back() {
    let mut plan = frozen(1, 600);
    plan.steps.iter_mut().for_each(|step| step.duration = 30 * SECOND);
    let (outcome, scene) = Scene::new(plan.clone()).outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert!(scene.now > Timestamp(60_000_000_000) && !scene.names().contains(&"frozen"));

    let mut scene = Scene::new(plan).until_step(50);
    scene.seen = (200, 200);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.production(), [("old", 100)]);
}

#[test]
fn a_deploy_that_may_have_been_begun_is_seen_through() {
    let mut plan = frozen(1, 600);
    plan.soak = 58 * SECOND;
    let mut scene = Scene::new(plan).until(RunStage::ProductionDeploy);
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key }).unwrap();
    scene.now = Timestamp(61_000_000_000);
    // The host was killed, and another one goes on.
    scene.run = Run::replay(&scene.events).unwrap();
    assert!(matches!(scene.command(), Command::Deploy { environment: Environment::Production, .. }));
}
