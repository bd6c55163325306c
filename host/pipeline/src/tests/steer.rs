//! Holding a run, letting it go on, passing a step, making one longer; and what is watched on meanwhile.

use std::time::Duration;

use super::scene::{SECOND, Scene, plan};
use crate::{Command, Environment, EventKind, Gate, Input, Outcome, Plan, Refused, RunStage, Timestamp};

fn hold() -> Input {
    Input::Hold { by: "ada".into(), reason: "let me look".into() }
}

fn resume() -> Input {
    Input::EndHold { by: "ada".into(), reason: "it is fine".into() }
}

fn skip(by: &str, reason: &str) -> Input {
    Input::Skip { by: by.into(), reason: reason.into() }
}

fn extend(span: Option<Duration>) -> Input {
    Input::Extend { by: "ada".into(), reason: String::new(), span }
}

fn named(approvers: &[&str]) -> Plan {
    let mut plan = plan();
    plan.approval.approvers = approvers.iter().map(|name| (*name).to_owned()).collect();
    plan
}

/// Lets the world do as it is told for so long.
fn pass_time(scene: &mut Scene, span: Duration) {
    let end = scene.now.after(span);
    while scene.now < end {
        let idle = matches!(scene.command(), Command::WaitUntil(until) if until > end);
        if idle {
            scene.now = end;
            scene.say(Input::Tick).unwrap();
        } else {
            scene.go();
        }
    }
}

#[test]
fn a_run_is_held_in_every_stage_and_goes_on_where_it_was() {
    let mut whole = Scene::new(plan());
    let (mut held, healed) = (0, Scene::new(plan()).outcome().1.traffic_was());
    while !matches!(whole.command(), Command::Finish(_)) {
        let mut scene = Scene { run: whole.run.clone(), events: whole.events.clone(), ..whole };
        match scene.say(hold()) {
            Ok(_) => {
                let (stage, shares) = (scene.run.stage(), scene.production().len());
                assert_eq!(scene.say(hold()), Err(Refused::HeldAlready { run: "r1".into(), by: "ada".into() }));
                pass_time(&mut scene, 100 * SECOND);
                assert_eq!(
                    (scene.run.stage(), scene.production().len()),
                    (stage, shares),
                    "nothing was begun or passed"
                );
                let moved = scene.run.share(Environment::Production) > 0;
                assert!(!moved || scene.run.watch().is_some(), "what has traffic is watched: {stage}");
                scene.say(resume()).unwrap();
                let (outcome, scene) = scene.outcome();
                assert_eq!((outcome, scene.traffic_was()), (Outcome::Healed, healed.clone()), "held in {stage}");
                held += 1;
            }
            Err(refused) => assert!(matches!(refused, Refused::Ending { .. }), "{refused}"),
        }
        whole.go();
    }
    assert!(held > 25, "{held}");
}

#[test]
fn what_speaks_against_a_release_turns_it_back_while_it_is_on_hold() {
    let mut scene = Scene::new(plan()).until_step(25);
    scene.say(hold()).unwrap();
    scene.seen = (100, 200);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.production(), [("old", 100)]);
}

#[test]
fn between_two_steps_the_share_that_is_out_is_watched_while_the_run_is_on_hold() {
    let mut scene = Scene::new(plan()).until_step(5);
    while scene.run.watch().is_some() {
        scene.go();
    }
    scene.say(hold()).unwrap();
    let watch = scene.run.watch().unwrap();
    assert!(watch.kept && watch.percent == 5, "{watch:?}");
    let refused = scene.say(skip("ada", "go")).unwrap_err();
    assert_eq!(refused, Refused::OnHold { run: "r1".into(), by: "ada".into() });
    assert!(
        refused
            .to_string()
            .ends_with("is on hold by ada, and goes nowhere until it is resumed: `autodevops resume r1`")
    );
    assert!(matches!(scene.say(extend(None)), Err(Refused::NoStep { .. })));
    pass_time(&mut scene, 10 * SECOND);
    assert_eq!(scene.production(), [("old", 95), ("new", 5)]);
    scene.say(resume()).unwrap();
    assert_eq!(scene.run.watch(), None);
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn a_step_whose_traffic_came_after_the_hold_is_watched_as_that_step() {
    let mut scene = Scene::new(plan()).until_step(5);
    while scene.run.watch().is_some() {
        scene.go();
    }
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    scene.say(hold()).unwrap();
    scene.say(Input::Effect { key, outcome: crate::EffectOutcome::Done }).unwrap();
    let watch = scene.run.watch().unwrap();
    assert!(!watch.kept && watch.percent == 25, "{watch:?}");
}

#[test]
fn staging_is_watched_while_production_waits_for_approval_and_can_end_the_run() {
    let mut plan = plan();
    plan.approval.required = true;
    let mut scene = Scene::new(plan).until(RunStage::Approval);
    let watch = scene.run.watch().unwrap();
    assert!(watch.kept && watch.environment == Environment::Staging, "{watch:?}");
    pass_time(&mut scene, 30 * SECOND);
    let measured = scene.names().iter().filter(|name| **name == "measured").count();
    assert!(measured > 20, "{measured}");
    assert_eq!(scene.run.stage(), RunStage::Approval, "watching passes nothing");
    scene.seen = (100, 200);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(&outcome, Outcome::HandedOver { reason } if reason.starts_with("staging at 100 %")), "{outcome}");
    assert!(scene.traffic_was().is_empty());
}

#[test]
fn a_trigger_that_is_not_critical_is_told_once_while_approval_is_waited_for() {
    let mut plan = plan();
    plan.approval.required = true;
    plan.notifiers = vec!["chat".into()];
    plan.triggers[0].critical = false;
    plan.hard_trip.rate = 1.0;
    let mut scene = Scene::new(plan).until(RunStage::Approval);
    scene.seen = (60, 200);
    pass_time(&mut scene, 30 * SECOND);
    let held = |scene: &Scene| scene.names().iter().filter(|name| **name == "held").count();
    assert_eq!((held(&scene), scene.run.gate().unwrap().gate), (1, Gate::Production));
    assert!(scene.run.held().unwrap().contains("30.0 % of 200 requests"), "{:?}", scene.run.held());
}

#[test]
fn a_hold_stops_the_clock_of_what_waits_for_approval() {
    let mut plan = named(&["ada", "bob"]);
    plan.approval.required = true;
    let mut scene = Scene::new(plan).until(RunStage::Approval);
    let until = scene.run.gate().unwrap().until;
    scene.say(hold()).unwrap();
    let begun = scene.now;
    pass_time(&mut scene, 500 * SECOND);
    assert!(scene.now > until && scene.run.gate().is_some(), "nobody ran out of time");
    assert!(matches!(
        scene.say(Input::EndHold { by: "mallory".into(), reason: String::new() }),
        Err(Refused::NotApprover { .. })
    ));
    let held = Duration::from_nanos((scene.now.0 - begun.0) as u64);
    scene.say(resume()).unwrap();
    assert_eq!(scene.run.gate().unwrap().until, until.after(held));
    assert_eq!(scene.say(resume()), Err(Refused::NotOnHold { run: "r1".into() }));
    assert!(matches!(scene.outcome().0, Outcome::Aborted { .. }));
}

#[test]
fn an_answer_while_the_run_is_on_hold_is_taken_and_acted_on_afterwards() {
    let mut plan = plan();
    plan.approval.required = true;
    let mut scene = Scene::new(plan).until(RunStage::Approval);
    scene.say(hold()).unwrap();
    scene.say(Input::Approve { by: "bob".into(), reason: String::new(), bypass: false, link: None }).unwrap();
    pass_time(&mut scene, 20 * SECOND);
    assert_eq!(scene.run.stage(), RunStage::ProductionDeploy);
    assert!(scene.run.members().all(|member| member.deployment(Environment::Production).is_none()));
    assert_eq!(scene.run.watch().map(|watch| watch.environment), Some(Environment::Staging));
    scene.say(resume()).unwrap();
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn an_approver_with_a_reason_passes_a_step_before_its_time() {
    let mut scene = Scene::new(named(&["ada"])).until_step(25);
    let begun = scene.now;
    assert!(matches!(scene.say(skip("mallory", "now")), Err(Refused::NotApprover { .. })));
    assert_eq!(scene.say(skip("ada", " ")), Err(Refused::SkipWithoutReason));
    scene.say(skip("ada", "the incident is known")).unwrap();
    let scene = scene.until_step(50);
    assert_eq!(scene.now, begun, "nothing was waited for");
    let reason = "skipped by ada: the incident is known";
    assert!(
        scene.has(|event| matches!(event, EventKind::StepPassed { percent: 25, reason: why, .. } if why == reason))
    );
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn nothing_is_skipped_that_is_no_step_or_that_fails_or_that_waits_for_an_answer() {
    let mut scene = Scene::new(plan()).until(RunStage::Checks);
    assert_eq!(scene.say(skip("ada", "now")), Err(Refused::NoStep { run: "r1".into(), stage: "checks" }));
    let mut gated = plan();
    gated.approval.required = true;
    let mut scene = Scene::new(gated).until(RunStage::Approval);
    assert!(matches!(scene.say(skip("ada", "now")), Err(Refused::GateOpen { .. })));
    assert!(matches!(scene.say(extend(None)), Err(Refused::NoStep { .. })));
    let mut scene = Scene::new(plan()).until_step(25);
    scene.seen = (30, 200);
    while scene.run.watch().is_some_and(|watch| watch.strikes.is_empty()) {
        scene.go();
    }
    assert!(matches!(scene.say(skip("ada", "now")), Err(Refused::NotNow { .. })));
}

#[test]
fn a_step_is_made_longer_by_as_much_as_is_said_or_by_its_own_length() {
    let mut scene = Scene::new(plan()).until_step(5);
    let until = scene.run.watch().unwrap().until;
    assert_eq!(scene.say(extend(Some(Duration::ZERO))), Err(Refused::NoSpan));
    scene.say(extend(Some(60 * SECOND))).unwrap();
    assert_eq!(scene.run.watch().unwrap().until, until.after(60 * SECOND));
    scene.say(extend(None)).unwrap();
    assert_eq!(scene.run.watch().unwrap().until, until.after(63 * SECOND));
    let begun = scene.now;
    let scene = scene.until_step(25);
    assert!(scene.now >= Timestamp(begun.0).after(63 * SECOND));
    assert!(!scene.has(|event| matches!(event, EventKind::StepExtended { .. })), "the run's own count is its own");
}

#[test]
fn more_time_answers_a_step_that_is_held_for_want_of_evidence() {
    let mut plan = named(&["ada"]);
    plan.max_extensions = 0;
    let mut scene = Scene::new(plan).until_step(5);
    scene.seen = (0, 3);
    while scene.run.gate().is_none() {
        scene.go();
    }
    let mallory = Input::Extend { by: "mallory".into(), reason: String::new(), span: None };
    assert!(matches!(scene.say(mallory), Err(Refused::NotApprover { .. })));
    scene.say(extend(Some(10 * SECOND))).unwrap();
    assert_eq!((scene.run.gate(), scene.run.held(), scene.run.alarm()), (None, None, None));
    scene.seen = (0, 200);
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn what_people_are_asked_about_a_step_stays_open_over_a_hold() {
    let mut plan = plan();
    plan.max_extensions = 0;
    let mut scene = Scene::new(plan).until_step(5);
    scene.seen = (0, 3);
    while scene.run.gate().is_none() {
        scene.go();
    }
    let held = scene.run.held().map(str::to_owned);
    scene.say(hold()).unwrap();
    scene.say(resume()).unwrap();
    assert_eq!((scene.run.gate().map(|gate| gate.gate), scene.run.held()), (Some(Gate::Held), held.as_deref()));
    assert!(held.is_some());
}

#[test]
fn what_staging_serves_is_not_watched_any_more_once_the_steps_begin() {
    let mut scene = Scene::new(plan()).until(RunStage::Rollout);
    scene.say(Input::Hold { by: "ada".into(), reason: "wait".into() }).unwrap();
    scene.say(Input::Tick).unwrap();
    assert!(scene.run.watch().is_none(), "{:?}", scene.run.watch());
}
