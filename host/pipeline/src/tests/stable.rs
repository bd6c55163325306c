//! Where the stable release is the broken one: traffic does not go back to it without a person's word.

use autodevops_model::{ErrorKind, Observation};

use super::scene::{SECOND, Scene, error, plan};
use crate::{
    CRASH_LOOP, Command, Counted, EffectOutcome, Environment, EventKind, Gate, Input, Level, Outcome, PROBE, Plan,
    Refused, RunStage, Signal,
};

mod beside_all;
mod remembered;

/// A plan with steps of ten minutes, and people who are told when nobody answers.
fn watched() -> Plan {
    let mut plan = plan();
    for step in &mut plan.steps {
        step.duration = 600 * SECOND;
    }
    plan.interval = 60 * SECOND;
    plan.notifiers = vec!["chat".into()];
    plan.escalation = vec![Level { after: 10 * SECOND, notifiers: vec!["pager".into()] }];
    plan
}

/// Three who complain: something that the candidate fails by, whatever is measured.
fn complain(scene: &mut Scene) {
    for id in ["1", "2", "3"] {
        let signal = Signal {
            counted: Counted::Complaints,
            id: format!("{id}-{}", scene.now.0),
            by: None,
            service: None,
            release: None,
            at: scene.now,
            text: "no".into(),
        };
        scene.say(Input::Signal(signal)).unwrap();
    }
}

fn forward(reason: &str) -> Input {
    Input::RollForward { by: "ada".into(), reason: reason.into() }
}

/// A rollout at 25 % with a stable release of which so many of 1000 requests fail, seen at least once.
fn at_a_quarter(failing: u64) -> Scene {
    let mut scene = Scene::new(watched()).until_step(25);
    scene.stable_seen = (failing, 1000);
    let begin = scene.now;
    while scene.now < begin.after(130 * SECOND) {
        scene.go();
    }
    scene
}

#[test]
fn traffic_does_not_go_back_to_a_release_that_does_not_serve_and_people_are_asked() {
    let mut scene = at_a_quarter(700);
    complain(&mut scene);
    assert_eq!(scene.production(), [("old", 75), ("new", 25)]);
    assert_eq!(scene.run.stage(), RunStage::Rollout);
    let reason = scene.run.gate().unwrap().reason.clone();
    assert!(
        reason.contains("traffic does not go back to `old`, which is broken itself (hard trip: 700 of 1000"),
        "{reason}"
    );
    let another = "or have another release serve: `autodevops rollback production --to RELEASE`, or `autodevops deploy --to production`";
    assert!(reason.ends_with(another), "{reason}");
    assert!(scene.run.leaves_production() && scene.run.way_to_end().contains(" --question 1`; have another release"));
    assert!(scene.has(|event| matches!(event, EventKind::StableBroken { .. })));
    assert!(scene.run.watch().is_some());
    assert_eq!(scene.run.glance(scene.now), None, "people are asked already");
}

#[test]
fn a_person_has_the_release_go_forward_where_there_is_nothing_to_go_back_to() {
    let mut scene = at_a_quarter(700);
    complain(&mut scene);
    assert_eq!(scene.say(forward(" ")), Err(Refused::RollForwardWithoutReason));
    scene.say(forward("the old one is down")).unwrap();
    assert!(scene.run.gate().is_none() && scene.run.stable_broken().is_none());
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert_eq!(scene.traffic_was(), [5, 25, 100], "one step is left, and it is watched");
    let watched = |percent| {
        scene.has(|event| matches!(event, EventKind::StepEntered { environment: Environment::Production, percent: p, .. } if *p == percent))
    };
    assert!(watched(100) && !watched(50));
}

#[test]
fn nobody_goes_forward_with_a_release_that_fails_or_has_no_traffic_or_has_all_of_it() {
    let early = Scene::new(watched()).until(RunStage::Soak);
    let refused = early.run.decide(forward("now"), early.now);
    assert!(matches!(refused, Err(Refused::NothingToRollForward { stage: "soak", .. })), "{refused:?}");
    let late = Scene::new(watched()).until_step(100);
    assert!(matches!(late.run.decide(forward("now"), late.now), Err(Refused::NothingToRollForward { .. })));
    // One bad window, and stable is well.
    let mut failing = Scene::new(watched()).until_step(25);
    failing.seen = (60, 200);
    while failing.run.watch().is_some_and(|watch| watch.strikes.is_empty()) {
        failing.go();
    }
    assert!(matches!(failing.run.decide(forward("now"), failing.now), Err(Refused::NotNow { .. })));
    let mut plan = watched();
    plan.approval.approvers = vec!["bob".into()];
    let named = Scene::new(plan).until_step(5);
    assert!(matches!(named.run.decide(forward("now"), named.now), Err(Refused::NotApprover { .. })));
}

#[test]
fn nobody_answers_and_everything_stays_as_it_is_while_they_are_asked_again() {
    let mut scene = at_a_quarter(700);
    complain(&mut scene);
    let begin = scene.now;
    while scene.now < begin.after(150 * SECOND) {
        scene.go();
    }
    assert_eq!(scene.production(), [("old", 75), ("new", 25)]);
    let count = |name: &str| scene.names().iter().filter(|seen| **seen == name).count();
    let expired = count("approval-expired");
    assert!(expired >= 2, "{expired}");
    assert_eq!(
        (count("approval-asked"), count("escalated")),
        (expired + 1, expired),
        "the ladder begins anew each time"
    );
    assert!(scene.run.gate().is_some(), "it waits for a person");
    assert_eq!(count("turned-back"), 0);
}

#[test]
fn a_person_can_stay_with_the_release_or_go_back_all_the_same() {
    let mut scene = at_a_quarter(700);
    complain(&mut scene);
    let approve = Input::Approve { by: "ada".into(), reason: "better than none".into(), bypass: false, link: None };
    scene.say(approve).unwrap();
    assert_eq!((scene.run.stable_broken(), scene.run.steps_passed()), (None, 2));

    let mut scene = at_a_quarter(700);
    complain(&mut scene);
    scene.say(Input::Rollback { by: "ada".into(), reason: "known to be worse".into() }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::RolledBack { reason: "by ada: known to be worse".into() });
    assert_eq!(scene.production(), [("old", 100)]);
}

#[test]
fn who_takes_a_release_back_to_one_that_does_not_serve_is_told_and_asked_first() {
    let (by, reason) = (|| "ada".to_owned(), || "enough".to_owned());
    for word in [
        || Input::Abort { by: "ada".into(), reason: "enough".into() },
        || Input::Rollback { by: "ada".into(), reason: "enough".into() },
    ] {
        let mut scene = at_a_quarter(700);
        assert_eq!(scene.run.stable_broken(), None, "nothing speaks against the release");
        scene.say(word()).unwrap();
        assert_eq!((scene.production(), scene.run.ending()), (vec![("old", 75), ("new", 25)], None));
        let asked = scene.run.gate().unwrap().reason.clone();
        assert!(asked.starts_with("ada ") && asked.contains(": enough; traffic does not go back to `old`"), "{asked}");
        assert!(scene.run.untold().any(|note| note.notification.body.starts_with(&asked)));
        // Who says it again knows.
        scene.say(word()).unwrap();
        let (_, scene) = scene.outcome();
        assert_eq!(scene.production(), [("old", 100)]);
    }
    // While someone holds the run, and where nothing is wrong with stable.
    let mut scene = at_a_quarter(700);
    scene.say(Input::Hold { by: by(), reason: reason() }).unwrap();
    scene.say(Input::Abort { by: by(), reason: reason() }).unwrap();
    assert!(scene.run.ending().is_none() && scene.run.stable_broken().is_some());
    scene.say(Input::Abort { by: by(), reason: reason() }).unwrap();
    assert!(scene.run.ending().is_some());
    let mut scene = at_a_quarter(0);
    scene.say(Input::Abort { by: by(), reason: reason() }).unwrap();
    assert!(scene.run.ending().is_some());
}

#[test]
fn a_stable_that_serves_again_is_gone_back_to_when_the_candidate_fails_on() {
    let mut scene = at_a_quarter(700);
    complain(&mut scene);
    scene.stable_seen = (0, 1000);
    scene.seen = (190, 200);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.production(), [("old", 100)]);
}

#[test]
fn what_a_plugin_says_of_requests_that_the_host_has_too_few_of_does_not_take_the_place_of_what_it_saw() {
    let mut scene = at_a_quarter(700);
    while !matches!(scene.command(), Command::Measure { environment: Environment::Production, .. }) {
        scene.go();
    }
    scene.stable_seen = (0, 1000);
    let command = scene.command();
    let Input::Measured { samples: mut lies, .. } = scene.answer(&command) else { panic!("{command:?}") };
    for sample in &mut lies {
        (sample.source, sample.observed_by_host) = ("liar".into(), false);
    }
    scene.stable_seen = (0, 9);
    let Input::Measured { mut samples, error } = scene.answer(&command) else { panic!("{command:?}") };
    samples.splice(0..0, lies);
    scene.say(Input::Measured { samples, error }).unwrap();
    complain(&mut scene);
    let reason = scene.run.stable_broken().unwrap();
    assert!(reason.contains("hard trip: 700 of 1000"), "{reason}");
    assert_eq!(scene.production(), [("old", 75), ("new", 25)]);
}

/// The next measurement is a plugin's alone, which says that so many of stable's thousand requests failed.
fn only_a_plugin_sees(scene: &mut Scene, failing: u64) {
    while !matches!(scene.command(), Command::Measure { environment: Environment::Production, .. }) {
        scene.go();
    }
    scene.stable_seen = (failing, 1000);
    let command = scene.command();
    let Input::Measured { mut samples, error } = scene.answer(&command) else { panic!("{command:?}") };
    samples.iter_mut().for_each(|sample| sample.observed_by_host = false);
    scene.say(Input::Measured { samples, error }).unwrap();
}

#[test]
fn what_a_plugin_alone_says_of_stable_does_not_take_the_place_of_what_the_host_saw() {
    // The host saw it broken, and sees nothing now.
    let mut scene = at_a_quarter(700);
    only_a_plugin_sees(&mut scene, 0);
    complain(&mut scene);
    assert!(scene.run.stable_broken().is_some());
    assert_eq!(scene.production(), [("old", 75), ("new", 25)]);
    // The other way round: a plugin that says that all is bad keeps nothing from going back.
    let mut scene = at_a_quarter(0);
    only_a_plugin_sees(&mut scene, 700);
    complain(&mut scene);
    assert!(matches!(scene.outcome().0, Outcome::RolledBack { .. }));
}

#[test]
fn a_plugin_that_says_that_all_is_bad_makes_no_lesser_evil_of_a_stable_that_is_worse_by_the_hosts_own_count() {
    // While the host sees that all is well, and while it sees nothing of it.
    for is_blind in [false, true] {
        let mut scene = at_a_quarter(700).until(RunStage::Monitoring);
        // Twice a plugin says that nine of ten requests fail.
        for _ in 0..40 {
            let command = scene.command();
            let Input::Measured { mut samples, error } = scene.answer(&command) else {
                scene.obey(&command);
                continue;
            };
            let mut lies = samples.clone();
            for sample in &mut lies {
                (sample.source, sample.observed_by_host) = ("liar".into(), false);
                for seen in &mut sample.measurements {
                    if let Observation::Rate(rate) = &mut seen.observation {
                        rate.events = rate.total * 9 / 10;
                    }
                }
            }
            samples.retain(|_| !is_blind);
            samples.extend(lies);
            scene.say(Input::Measured { samples, error }).unwrap();
            if scene.run.stable_broken().is_some() || scene.run.ending().is_some() {
                break;
            }
        }
        let reason = scene.run.stable_broken().unwrap();
        assert!(
            reason.contains("does not go back to `old`, which is broken itself (hard trip: 700 of 1000"),
            "{reason}"
        );
        assert_eq!(scene.production(), [("new", 100)]);
    }
}

#[test]
fn where_the_host_sees_nothing_it_is_a_plugins_word_that_counts() {
    let mut scene = Scene::new(watched()).until_step(5);
    only_a_plugin_sees(&mut scene, 700);
    complain(&mut scene);
    assert!(scene.run.stable_broken().is_some());
}

#[test]
fn a_stable_that_only_has_the_fault_of_the_run_is_gone_back_to() {
    let mut scene = at_a_quarter(120);
    complain(&mut scene);
    assert!(matches!(scene.outcome().0, Outcome::RolledBack { .. }));
}

#[test]
fn after_the_last_step_it_is_what_stable_last_did_that_counts() {
    let mut scene = at_a_quarter(0);
    scene = scene.until_step(50);
    scene.stable_seen = (800, 1000);
    let mut scene = scene.until(RunStage::Monitoring);
    complain(&mut scene);
    assert_eq!(scene.production(), [("new", 100)]);
    assert!(scene.run.stable_broken().is_some());
    assert!(!scene.has(|event| matches!(event, EventKind::RollbackChecked { .. })));
}

#[test]
fn at_the_last_step_stable_is_looked_at_though_nothing_is_compared_with_it() {
    let scene = Scene::new(watched()).until_step(100);
    let subject = scene.run.subjects(scene.run.watch().unwrap()).remove(0);
    assert_eq!((subject.baseline, subject.stable.as_deref()), (None, Some("old")));
    let scene = Scene::new(watched()).until(RunStage::Soak);
    let subject = scene.run.subjects(scene.run.watch().unwrap()).remove(0);
    assert_eq!((subject.baseline, subject.stable), (None, None), "staging has one release");
}

#[test]
fn a_candidate_that_is_worse_by_the_same_metric_is_the_greater_evil() {
    let mut scene = at_a_quarter(550);
    scene.seen = (199, 200);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.production(), [("old", 100)]);
}

/// Goes on until traffic is to be moved, and has that fail for good.
fn move_fails(scene: &mut Scene) {
    loop {
        let command = scene.command();
        let Command::SetTraffic { key, .. } = &command else {
            scene.go();
            continue;
        };
        scene.say(Input::Intent { key: key.clone() }).unwrap();
        let outcome = EffectOutcome::Failed(error(ErrorKind::Failed));
        return drop(scene.say(Input::Effect { key: key.clone(), outcome }).unwrap());
    }
}

fn approve(scene: &mut Scene) {
    let (by, reason) = ("ada".into(), "stay".into());
    scene.say(Input::Approve { by, reason, bypass: false, link: None }).unwrap();
}

#[test]
fn a_move_that_fails_for_good_does_not_give_traffic_back_to_a_broken_stable_and_is_tried_again_on_a_persons_word() {
    // A person said to stay with the release; then the target fails to give it more.
    let mut scene = at_a_quarter(700);
    complain(&mut scene);
    approve(&mut scene);
    move_fails(&mut scene);
    assert_eq!((scene.production(), scene.run.ending()), (vec![("old", 75), ("new", 25)], None));
    let reason = scene.run.gate().unwrap().reason.clone();
    assert!(reason.starts_with("`r1/traffic/production/50` failed:") && reason.contains("no answer"), "{reason}");
    assert!(reason.contains("does not go back to `old`, which is broken itself"), "{reason}");
    let watch = scene.run.watch().unwrap();
    assert!(watch.kept && watch.percent == 25, "what has traffic is watched on: {watch:?}");
    assert!(
        scene.commands().iter().all(|command| !command.needs_intent() || matches!(command, Command::Notify { .. }))
    );
    approve(&mut scene);
    assert!(scene.commands().iter().any(|command| command.key() == Some("r1/traffic/production/50")));
    let (outcome, scene) = scene.outcome();
    assert_eq!((outcome, scene.traffic_was()), (Outcome::Healed, vec![5, 25, 50, 100]));
}

#[test]
fn a_person_goes_forward_or_back_where_a_move_failed_and_stable_is_broken() {
    for (word, production) in [(forward("stable is down"), [("new", 100)].as_slice()), (reject(), &[("old", 100)])] {
        let mut scene = at_a_quarter(700);
        move_fails(&mut scene);
        scene.say(word).unwrap();
        let (_, scene) = scene.outcome();
        assert_eq!(scene.production(), production);
    }
}

fn reject() -> Input {
    Input::Reject { by: "ada".into(), reason: "known to be worse".into(), link: None }
}

#[test]
fn a_move_that_fails_for_good_turns_back_to_a_stable_that_serves_again() {
    let mut scene = at_a_quarter(700);
    scene.stable_seen = (0, 1000);
    move_fails(&mut scene);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.production(), [("old", 100)]);
}

#[test]
fn a_step_that_is_held_for_want_of_evidence_does_not_go_back_to_a_broken_stable_when_nobody_answers() {
    let mut scene = at_a_quarter(700);
    scene.seen = (0, 3);
    while scene.run.gate().is_none() {
        scene.go();
    }
    let begin = scene.now;
    while scene.now < begin.after(150 * SECOND) {
        scene.go();
    }
    assert_eq!((scene.production(), scene.run.ending()), (vec![("old", 75), ("new", 25)], None));
    assert!(scene.has(|event| matches!(event, EventKind::StableBroken { .. })));
    let gate = scene.run.gate().unwrap();
    assert!(gate.gate == Gate::Held && gate.reason.contains("nobody approved in time; traffic does not go back"));
    // It serves again: the next silence ends the run as any.
    scene.stable_seen = (0, 1000);
    approve(&mut scene);
    assert_eq!(scene.run.stable_broken(), None);
}

#[test]
fn a_run_goes_forward_from_a_step_against_which_nothing_speaks_and_not_before_the_first() {
    let mut scene = Scene::new(plan()).until(RunStage::Rollout);
    assert_eq!(scene.production(), [("old", 100)]);
    let refused = scene.run.decide(forward("now"), scene.now);
    assert!(matches!(refused, Err(Refused::NothingToRollForward { stage: "rollout", .. })), "{refused:?}");
    while scene.run.watch().is_none_or(|watch| watch.verdict.is_none()) {
        scene.go();
    }
    assert!(scene.run.watch().unwrap().strikes.is_empty());
    scene.say(forward("it is wanted now")).unwrap();
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn what_was_seen_of_stable_stands_until_as_many_requests_say_otherwise() {
    // A step just began: of nine requests none failed, or there was none.
    for few in [0, 9] {
        let mut scene = at_a_quarter(700);
        scene.stable_seen = (0, few);
        let begin = scene.now;
        while scene.now < begin.after(70 * SECOND) {
            scene.go();
        }
        complain(&mut scene);
        let reason = scene.run.stable_broken().unwrap();
        assert!(reason.contains("hard trip: 700 of 1000"), "{reason}");
    }
    let mut scene = at_a_quarter(700);
    scene.stable_seen = (0, 10);
    let begin = scene.now;
    while scene.now < begin.after(70 * SECOND) {
        scene.go();
    }
    complain(&mut scene);
    assert!(scene.run.stable_broken().is_none());
}
