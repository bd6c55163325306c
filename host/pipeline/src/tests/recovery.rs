//! One rollback for one incident: what follows where it was no help.

use std::time::Duration;

use autodevops_model::ErrorKind;

use super::scene::{SECOND, Scene, error, plan};
use crate::{Command, Decision, EffectOutcome, EventKind, Input, Level, Outcome, Plan, Refused};

/// People are told by a ladder.
fn laddered() -> Plan {
    let mut plan = plan();
    plan.notifiers = vec!["chat".into()];
    let level = |after, notifier: &str| Level { after: after * SECOND, notifiers: vec![notifier.into()] };
    plan.escalation = vec![level(10, "mail"), level(30, "pager")];
    plan
}

/// A release that fails is taken back, and of stable's next 1000 requests so many fail.
fn taken_back(plan: Plan, failing: u64) -> Scene {
    let mut scene = Scene::new(plan).until_step(25);
    scene.seen = (150, 200);
    for _ in 0..50 {
        if scene.run.recovering().is_some() {
            scene.stable_seen = (failing, 1000);
            return scene;
        }
        scene.go();
    }
    panic!("it was never taken back");
}

fn count(scene: &Scene, name: &str) -> usize {
    scene.names().iter().filter(|seen| **seen == name).count()
}

#[test]
fn the_rollback_helped_and_the_run_is_over() {
    let scene = taken_back(laddered(), 3);
    let since = scene.now;
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.now, since.after(SECOND), "one look, after the interval");
    assert_eq!((count(&scene, "stable-looked"), count(&scene, "escalated")), (1, 0));
}

#[test]
fn the_rollback_was_no_help_and_nothing_more_is_moved_but_people_are_told_level_by_level() {
    let scene = taken_back(laddered(), 700);
    let moved = scene.traffic_was();
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.traffic_was(), moved);
    assert_eq!((count(&scene, "rolled-back"), count(&scene, "turned-back"), count(&scene, "escalated")), (2, 1, 2));
    let told = |scene: &Scene| {
        let keys = scene.events.iter().filter_map(|event| match &event.event {
            EventKind::EffectDone { key } => Some(key.rsplit('/').next().unwrap().to_owned()),
            _ => None,
        });
        keys.collect::<Vec<_>>()
    };
    assert_eq!(told(&scene), ["chat", "chat", "mail", "pager"]);
    assert_eq!(scene.production(), [("old", 100)]);
}

#[test]
fn what_is_seen_after_the_rollback_is_told_as_the_one_look_that_it_is() {
    // Too few of all to be a hard trip, and far more than the threshold.
    let mut plan = laddered();
    plan.decision = Decision::default();
    let (_, scene) = taken_back(plan, 300).outcome();
    let looked = scene.events.iter().find_map(|event| match &event.event {
        EventKind::StableLooked { verdict } => Some(verdict.words.clone()),
        _ => None,
    });
    let words = looked.unwrap();
    assert!(words.starts_with("30.0 % of 1000 requests failed, threshold 5.0 %; above it"), "{words}");
    assert!(!words.contains("bad window") && !words.contains("the next begins"), "{words}");
}

#[test]
fn whoever_has_it_in_hand_ends_the_run() {
    let mut scene = taken_back(laddered(), 700);
    while count(&scene, "stable-looked") == 0 {
        scene.go();
    }
    let alarm = scene.run.alarm().unwrap();
    assert!(alarm.reason.contains("that fails too (hard trip: 700 of 1000"), "{}", alarm.reason);
    scene.say(Input::Acknowledge { by: "ada".into(), reason: "it is the database".into(), link: None }).unwrap();
    let (_, scene) = scene.outcome();
    assert_eq!(count(&scene, "escalated"), 0);
}

#[test]
fn where_nobody_can_look_the_run_ends_all_the_same() {
    let mut scene = taken_back(laddered(), 0);
    while !matches!(scene.command(), Command::Measure { .. }) {
        scene.go();
    }
    scene.say(Input::Measured { samples: Vec::new(), error: Some("no answer".into()) }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(count(&scene, "escalated"), 0);
}

#[test]
fn what_was_measured_before_the_rollback_and_comes_once_more_is_no_look_at_stable() {
    let mut scene = Scene::new(laddered()).until_step(25);
    scene.seen = (150, 200);
    let before = loop {
        let command = scene.command();
        if scene.run.recovering().is_some() {
            break scene.events.iter().rev().find_map(|event| match &event.event {
                EventKind::Measured { samples, .. } => Some(samples.clone()),
                _ => None,
            });
        }
        scene.obey(&command);
    };
    scene.stable_seen = (700, 1000);
    let late = Input::Measured { samples: before.unwrap(), error: None };
    assert!(matches!(scene.say(late), Err(Refused::OutOfPlace { input: "measurement", .. })));
    assert_eq!(count(&scene, "stable-looked"), 0);
    while count(&scene, "stable-looked") == 0 {
        scene.go();
    }
    assert!(scene.run.alarm().unwrap().reason.contains("that fails too"), "the look at it is still to come");
}

#[test]
fn a_person_who_aborts_is_not_told_whether_that_helped() {
    let mut scene = Scene::new(laddered()).until_step(25);
    scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
    let (_, scene) = scene.outcome();
    assert_eq!((count(&scene, "rolled-back"), count(&scene, "stable-looked")), (2, 0));
}

#[test]
fn stable_is_looked_at_as_what_was_warm_before_whatever_delay_a_new_release_has() {
    let mut plan = laddered();
    // Longer than it is until the look.
    plan.triggers.iter_mut().for_each(|trigger| trigger.initial_delay = 2 * SECOND);
    // A fifth of stable's requests fail: no hard trip, and too many by the trigger.
    let mut scene = taken_back(plan, 200);
    while count(&scene, "stable-looked") == 0 {
        scene.go();
    }
    assert!(scene.run.alarm().unwrap().reason.contains("that fails too"), "{:?}", scene.run.alarm());
}

#[test]
fn stable_is_looked_at_so_long_after_production_went_back_whenever_staging_did() {
    let mut scene = taken_back(laddered(), 3);
    let since = scene.run.recovering();
    while count(&scene, "rolled-back") < 2 {
        scene.now = scene.now.after(SECOND / 10);
        scene.go();
    }
    assert_eq!((scene.run.recovering(), count(&scene, "stable-looked")), (since, 0));
}

#[test]
fn a_notifier_that_is_away_keeps_the_run_until_people_heard_or_can_be_taken_to_have_heard_elsewhere() {
    let mut plan = laddered();
    plan.escalation.clear();
    let mut scene = taken_back(plan, 700);
    while count(&scene, "stable-looked") == 0 {
        scene.go();
    }
    let raised = scene.run.alarm().unwrap().since;
    let away = |scene: &mut Scene| match scene.command() {
        Command::Notify { key, .. } => {
            scene.say(Input::Intent { key: key.clone() }).unwrap();
            scene.say(Input::Effect { key, outcome: EffectOutcome::Failed(error(ErrorKind::Unavailable)) }).unwrap();
        }
        _ => drop(scene.go()),
    };
    // Once staging is back, too.
    while !scene.run.only_tells() || scene.run.has_untold() {
        away(&mut scene);
    }
    assert!(scene.run.outcome().is_none() && scene.run.leaves_production(), "nobody is hindered meanwhile");
    let mut in_hand = Scene { run: scene.run.clone(), events: scene.events.clone(), ..Scene::new(laddered()) };
    in_hand.now = scene.now;
    in_hand.say(Input::Acknowledge { by: "ada".into(), reason: "I saw it".into(), link: None }).unwrap();
    assert!(in_hand.run.outcome().is_some(), "whoever has it in hand ends it at once");
    while scene.run.outcome().is_none() {
        away(&mut scene);
    }
    let waited = Duration::from_nanos((scene.now.0 - raised.0) as u64).as_secs();
    assert!((24 * 3600..24 * 3600 + 301).contains(&waited), "{waited} s");
}

#[test]
fn a_notifier_that_refuses_what_people_are_needed_for_is_tried_on_and_keeps_no_run_that_is_over() {
    let mut scene = taken_back(laddered(), 700);
    while count(&scene, "stable-looked") == 0 {
        scene.go();
    }
    let refuse = |scene: &mut Scene, tries: &mut usize| match scene.command() {
        Command::Notify { key, asked, .. } => {
            *tries += usize::from(asked.is_some());
            scene.say(Input::Intent { key: key.clone() }).unwrap();
            scene.say(Input::Effect { key, outcome: EffectOutcome::Failed(error(ErrorKind::Denied)) }).unwrap();
        }
        _ => drop(scene.go()),
    };
    let (since, mut tries) = (scene.now, 0);
    while scene.run.outcome().is_none() {
        refuse(&mut scene, &mut tries);
    }
    assert_eq!((count(&scene, "escalated"), tries), (2, 3), "each level is told, and the last level ends it");
    assert!(scene.now < since.after(40 * SECOND), "{:?}", scene.now);
}

#[test]
fn a_run_whose_alarm_nobody_heard_of_waits_a_day_for_that_to_the_moment() {
    let mut plan = plan();
    (plan.notifiers, plan.retries) = (vec!["chat".into()], 0);
    let mut scene = taken_back(plan, 700);
    // The notifier is away.
    for _ in 0..40 {
        match scene.command() {
            Command::Notify { key, .. } => {
                scene.say(Input::Intent { key: key.clone() }).unwrap();
                let outcome = EffectOutcome::Failed(error(ErrorKind::Unavailable));
                scene.say(Input::Effect { key, outcome }).unwrap();
            }
            command => drop(scene.obey(&command)),
        }
    }
    let until = scene.run.alarm().unwrap().since.after(24 * 3600 * SECOND);
    assert!(scene.run.is_to_tell(until.before(Duration::from_nanos(1))) && !scene.run.is_to_tell(until));
}
