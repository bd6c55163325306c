//! What fails is tried again, given up, or turns the run back; and a host that was killed goes on where it was.

use std::time::Duration;

use autodevops_model::{Deployment, ErrorKind};

use super::scene::{SECOND, Scene, error, plan, release};
use crate::{Command, Decision, EffectOutcome, Environment, Event, EventKind, Input, Outcome, Plan, Refused, RunStage};

fn fail(scene: &mut Scene, kind: ErrorKind) {
    let command = scene.command();
    let key = command.key().unwrap().to_owned();
    if command.needs_intent() {
        scene.say(Input::Intent { key: key.clone() }).unwrap();
        scene.say(Input::Effect { key, outcome: EffectOutcome::Failed(error(kind)) }).unwrap();
    } else {
        scene.say(Input::Failed { key, error: error(kind) }).unwrap();
    }
}

#[test]
fn what_is_unavailable_is_tried_again_ever_later_with_the_same_key_and_then_given_up() {
    let mut scene = Scene::new(plan()).until(RunStage::Build);
    for wait in [5, 10, 20, 40] {
        let before = scene.command();
        fail(&mut scene, ErrorKind::Unavailable);
        assert_eq!(scene.commands(), [Command::WaitUntil(scene.now.after(wait * SECOND))]);
        scene.go();
        assert_eq!(scene.command(), before);
    }
    fail(&mut scene, ErrorKind::Unavailable);
    let (outcome, _) = scene.outcome();
    assert_eq!(outcome, Outcome::HandedOver { reason: "`r1/build` failed: unavailable: no answer".into() });
}

#[test]
fn what_fails_otherwise_is_not_tried_again() {
    for kind in [ErrorKind::Failed, ErrorKind::Denied, ErrorKind::InvalidInput, ErrorKind::Unsupported] {
        let mut scene = Scene::new(plan()).until(RunStage::StagingDeploy);
        fail(&mut scene, kind);
        assert!(matches!(scene.outcome().0, Outcome::HandedOver { .. }));
    }
}

#[test]
fn tests_that_cannot_be_generated_are_missed_only_where_the_fix_has_none() {
    let mut plan = plan();
    plan.test_generators = true;
    let mut scene = Scene::new(plan.clone()).until(RunStage::TestGeneration);
    fail(&mut scene, ErrorKind::Failed);
    assert_eq!(scene.run.stage(), RunStage::Checks);
    let mut scene = Scene::new(plan);
    let mut fix = super::scene::fix("functions/cart.js");
    fix.tests.clear();
    scene.say(Input::Proposed { plugin: "recipes".into(), fix }).unwrap();
    let mut scene = scene.until(RunStage::TestGeneration);
    fail(&mut scene, ErrorKind::Failed);
    assert!(matches!(scene.outcome().0, Outcome::HandedOver { .. }));
}

#[test]
fn without_a_fix_the_run_is_handed_over() {
    let mut scene = Scene::new(plan());
    scene.say(Input::NoProposal { reason: "no recipe fits".into() }).unwrap();
    assert_eq!(scene.outcome().0, Outcome::HandedOver { reason: "no plugin has a fix: no recipe fits".into() });
}

#[test]
fn a_split_that_fails_after_traffic_was_moved_turns_the_run_back() {
    let mut scene = Scene::new(plan()).until_step(5);
    while scene.run.watch().is_some() {
        scene.go();
    }
    fail(&mut scene, ErrorKind::Failed);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.production(), [("old", 100)]);
}

#[test]
fn a_rollback_is_never_given_up_and_people_are_told() {
    let mut plan = plan();
    plan.notifiers = vec!["chat".into()];
    let mut scene = Scene::new(plan).until_step(25);
    scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
    let mut pauses = Vec::new();
    let begun = (scene.now, scene.events.len());
    while scene.now < begun.0.after(24 * 3600 * SECOND) {
        let before = scene.now;
        while scene.command().key() != Some("r1/rollback/production") {
            scene.go();
        }
        pauses.push(std::time::Duration::from_nanos(scene.now.0.abs_diff(before.0)).as_secs());
        fail(&mut scene, ErrorKind::Denied);
    }
    // In a hurry for two minutes, then less often, so that a day of it does not fill the journal.
    assert_eq!(pauses[..8], [0, 5, 10, 10, 10, 10, 10, 10]);
    assert_eq!(pauses[11..19], [10, 10, 20, 40, 80, 160, 300, 300]);
    assert_eq!(pauses.iter().max(), Some(&300));
    assert!(scene.events.len() - begun.1 < 700, "{}", scene.events.len() - begun.1);
    assert!(scene.run.held().unwrap().contains("going back failed once and is tried on"), "{:?}", scene.run.held());
    assert_eq!(scene.names().iter().filter(|name| **name == "held").count(), 1);
    assert_eq!(scene.outcome().1.production(), [("old", 100)]);
}

#[test]
fn people_are_told_at_once_of_a_rollback_that_is_refused_and_later_of_one_whose_target_is_away() {
    for (kind, tries) in [(ErrorKind::Failed, 1), (ErrorKind::Denied, 1), (ErrorKind::Unavailable, 5)] {
        let mut plan = plan();
        plan.notifiers = vec!["chat".into()];
        let mut scene = Scene::new(plan).until_step(100);
        scene.say(Input::Rollback { by: "ada".into(), reason: "odd orders".into() }).unwrap();
        let mut tried = 0;
        while scene.run.held().is_none() {
            while scene.command().key() != Some("r1/rollback/production") {
                scene.go();
            }
            fail(&mut scene, kind);
            tried += 1;
        }
        assert_eq!(tried, tries, "{kind:?}");
        let held = scene.run.held().unwrap();
        assert!(held.contains("is tried on") && held.contains("no answer; look at the target"), "{held}");
        assert!(scene.run.alarm().is_some() && scene.run.untold().any(|note| note.notification.body.starts_with(held)));
        assert_eq!(scene.outcome().1.production(), [("old", 100)]);
    }
}

#[test]
fn people_are_told_of_a_rollback_that_takes_longer_than_two_minutes_though_nothing_failed() {
    let mut plan = plan();
    plan.notifiers = vec!["chat".into()];
    let mut scene = Scene::new(plan).until_step(25);
    scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
    let (key, begun) = ("r1/rollback/production".to_owned(), scene.now);
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    // The target does not answer.
    scene.now = begun.after(119 * SECOND);
    scene.say(Input::Tick).unwrap();
    assert_eq!((scene.run.held(), scene.run.goes_back_in_vain()), (None, false));
    scene.now = begun.after(120 * SECOND);
    scene.say(Input::Tick).unwrap();
    let held = scene.run.held().unwrap();
    assert!(held.contains("going back takes longer than the 2 min") && held.contains("has not answered"), "{held}");
    assert!(held.contains("`autodevops rollback production --to RELEASE`") && scene.run.goes_back_in_vain(), "{held}");
    assert!(scene.run.alarm().is_some() && scene.run.untold().any(|note| note.notification.body.contains("2 min")));
    scene.say(Input::Tick).unwrap();
    assert_eq!(scene.names().iter().filter(|name| **name == "held").count(), 1, "once");
    scene.say(Input::Effect { key, outcome: EffectOutcome::Done }).unwrap();
    assert!(scene.run.held().is_none(), "it is back");
    assert_eq!(scene.outcome().1.production(), [("old", 100)]);
}

#[test]
fn a_staging_that_cannot_be_taken_back_does_not_keep_the_run_from_ending() {
    let mut scene = Scene::new(plan()).until(RunStage::Soak);
    scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
    assert_eq!(scene.command().key(), Some("r1/rollback/staging"));
    fail(&mut scene, ErrorKind::Failed);
    assert!(matches!(scene.outcome().0, Outcome::Aborted { .. }));
}

#[test]
fn an_effect_without_an_outcome_is_commanded_again_with_its_key_and_intended_once() {
    let mut scene = Scene::new(plan()).until(RunStage::ProductionDeploy);
    let command = scene.command();
    let key = command.key().unwrap().to_owned();
    assert_eq!(scene.say(Input::Intent { key: key.clone() }).unwrap().len(), 1);
    assert_eq!(scene.command(), command);
    assert_eq!(scene.say(Input::Intent { key: key.clone() }).unwrap().len(), 0);
    assert_eq!(scene.run.pending().map(|effect| effect.key.as_str()).collect::<Vec<_>>(), [key.as_str()]);
    scene.go();
    assert_eq!(scene.run.pending().count(), 0);
}

#[test]
fn a_host_that_takes_over_carries_a_higher_fence_and_the_same_keys() {
    let mut scene = Scene::new(plan()).until(RunStage::ProductionDeploy);
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    assert_eq!(scene.say(Input::Resume { fence: 7 }), Err(Refused::StaleFence { fence: 7, current: 7 }));
    scene.say(Input::Resume { fence: 8 }).unwrap();
    assert_eq!(scene.command().key(), Some("r1/compare/8"));
    scene.go();
    assert!(matches!(scene.command(), Command::Deploy { key: again, fence: 8, .. } if again == key));
    let intent = scene.say(Input::Intent { key }).unwrap();
    assert!(matches!(intent[0].event, EventKind::EffectIntended { fence: 8, .. }));
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn an_effect_must_be_intended_and_a_key_must_be_due() {
    let mut scene = Scene::new(plan()).until(RunStage::StagingDeploy);
    let key = scene.command().key().unwrap().to_owned();
    let done = |key: &str| Input::Effect { key: key.into(), outcome: EffectOutcome::Done };
    assert!(matches!(scene.say(done(&key)), Err(Refused::NotIntended { .. })));
    assert!(matches!(scene.say(done("r1/traffic/production/100")), Err(Refused::UnknownKey { .. })));
    let skip = Input::Intent { key: "r1/traffic/production/100".into() };
    assert!(matches!(scene.say(skip), Err(Refused::UnknownKey { .. })));
    let early = Input::Checked { key: "r1/checks".into(), reports: Vec::new() };
    assert!(matches!(scene.say(early), Err(Refused::OutOfPlace { stage: "staging-deploy", .. })));
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    assert!(matches!(scene.say(done(&key)), Err(Refused::OutOfPlace { .. })), "a deploy is not just done");
}

#[test]
fn a_target_that_deploys_something_else_fails() {
    let mut scene = Scene::new(plan()).until(RunStage::StagingDeploy);
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    let deployment = autodevops_model::Deployment { release: release("other"), url: None };
    scene.say(Input::Effect { key, outcome: EffectOutcome::Deployed(deployment) }).unwrap();
    assert!(scene.run.members().all(|member| member.deployment(Environment::Staging).is_none()));
    assert!(scene.outcome().0.to_string().contains("deployed `other`"));
}

#[test]
fn people_are_told_of_what_matters_and_a_notifier_that_fails_stops_nothing() {
    let mut plan = plan();
    plan.notifiers = vec!["chat".into(), "mail".into()];
    plan.approval.required = true;
    let mut scene = Scene::new(plan).until(RunStage::Approval);
    let titles: Vec<_> = scene
        .commands()
        .into_iter()
        .filter_map(|command| match command {
            Command::Notify { key, plugin, notification, .. } => Some((key, plugin, notification.title)),
            _ => None,
        })
        .collect();
    let title = "shop: approval asked: TypeError: total is undefined".to_owned();
    assert_eq!(
        titles,
        [("r1/notify/1/chat".into(), "chat".into(), title.clone()), ("r1/notify/1/mail".into(), "mail".into(), title)]
    );
    fail(&mut scene, ErrorKind::Denied);
    scene.go();
    scene.say(Input::Approve { by: "ada".into(), reason: String::new(), bypass: false, link: None }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    let told = |key: &str| scene.has(|event| matches!(event, EventKind::EffectDone { key: done } if done == key));
    assert!(!told("r1/notify/1/chat") && told("r1/notify/1/mail") && told("r1/notify/2/chat"));
}

/// The target gave the only service's traffic back.
fn returned() -> Input {
    Input::TrafficReturned { services: vec![String::new()] }
}

#[test]
fn a_step_whose_share_was_not_renewed_is_taken_anew_by_another_key() {
    let mut scene = Scene::new(plan()).until_step(25);
    scene.now = scene.now.after(2 * SECOND);
    let events = scene.say(returned()).unwrap();
    assert!(matches!(&events[0].event, EventKind::TrafficReturned { to, .. } if to == "old"));
    assert_eq!((scene.production(), scene.run.watch()), (vec![("old", 100)], None));
    assert_eq!(scene.say(returned()).unwrap(), [], "it is known");
    assert_eq!(scene.command().key(), Some("r1/traffic/production/25/2"));
    let begun = scene.now;
    scene = scene.until_step(25);
    assert!(scene.run.watch().unwrap().started >= begun, "what was seen before does not count");
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert_eq!(scene.traffic_was(), [5, 25, 25, 50, 100]);
    let mut early = Scene::new(plan()).until(RunStage::Soak);
    assert!(matches!(early.say(returned()), Err(Refused::OutOfPlace { .. })));
}

/// The evidence that the next measurement would have to reach to turn the release back.
fn fails_at(scene: &mut Scene) -> f64 {
    loop {
        let judged = scene.go().into_iter().find_map(|event| match event.event {
            EventKind::Judged { verdict, .. } => Some(verdict),
            _ => None,
        });
        if let Some(verdict) = judged {
            return verdict
                .numbers
                .iter()
                .find(|(name, _)| name == "fail-at")
                .unwrap_or_else(|| panic!("{verdict:?}"))
                .1;
        }
    }
}

#[test]
fn each_watch_that_begins_anew_has_half_the_chance_to_be_wrong_that_the_one_before_had() {
    let mut plan = plan();
    plan.decision = Decision::default();
    let again = |scene: &Scene| scene.run.watch().unwrap().again;
    let mut scene = Scene::new(plan.clone()).until_step(5);
    scene.seen = (0, 20);
    assert_eq!(again(&scene), 0);
    let first = fails_at(&mut scene);
    for times in 1..=2_u32 {
        scene.say(returned()).unwrap();
        scene = scene.until_step(5);
        assert_eq!(again(&scene), times);
        let wanted = first + 2_f64.ln() * f64::from(times);
        assert!((fails_at(&mut scene) - wanted).abs() < 0.001, "Wald's bound is ln((1 - beta)/alpha)");
    }
    // A rollout as it is planned has the whole of it at each step, and in the monitoring.
    let mut scene = Scene::new(plan).until(RunStage::Rollout);
    while scene.run.outcome().is_none() {
        assert!(scene.run.watch().is_none_or(|watch| watch.again == 0));
        if matches!(scene.command(), Command::Finish(_)) {
            break;
        }
        scene.go();
    }
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn a_clock_that_went_back_is_on_record_and_changes_nothing_until_the_run_is_over() {
    let back = || Input::ClockWentBack { behind: Duration::from_secs(3600) };
    let mut scene = Scene::new(plan()).until_step(5);
    let before = scene.commands();
    let events = scene.say(back()).unwrap();
    let [Event { event: EventKind::ClockWentBack { behind, reason }, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*behind, Duration::from_secs(3600));
    assert!(reason.contains("clock is 3600 s behind") && reason.contains("set the clock right"), "{reason}");
    assert_eq!(scene.commands(), before);
    // Where there is someone to tell, they are told.
    let mut told = Scene::new(Plan { notifiers: vec!["chat".into()], ..plan() }).until_step(5);
    told.say(back()).unwrap();
    let notes: Vec<_> = told.run.untold().map(|note| note.notification.clone()).collect();
    assert!(
        notes.len() == 1 && notes[0].title.contains("the clock went back") && notes[0].body == *reason,
        "{notes:?}"
    );
    let (_, mut scene) = scene.outcome();
    scene.go();
    assert!(matches!(scene.say(back()), Err(Refused::Finished { .. })));
}

#[test]
fn an_answer_that_comes_after_a_later_move_is_done_says_nothing_of_what_serves() {
    let mut scene = Scene::new(plan()).until_step(5);
    // The next step's move is intended, and its host falls asleep.
    let key = loop {
        match scene.command() {
            Command::SetTraffic { key, .. } => break key,
            _ => drop(scene.go()),
        }
    };
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    let fence = scene.run.fence() + 1;
    scene.say(Input::Resume { fence }).unwrap();
    scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
    while scene.run.is_moved(Environment::Production) {
        scene.go();
    }
    let late = Input::Effect { key: key.clone(), outcome: EffectOutcome::Done };
    assert!(matches!(scene.say(late), Err(Refused::UnknownKey { key: of, .. }) if of == key));
    assert_eq!(scene.production(), [("old", 100)]);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::Aborted { .. }), "{outcome}");
    let back =
        |event: &&Event| matches!(event.event, EventKind::RolledBack { environment: Environment::Production, .. });
    assert_eq!(scene.events.iter().filter(back).count(), 1);
}

/// Staging has its candidate, production goes back, and the target refused that.
fn back_in_vain() -> Scene {
    let mut scene = Scene::new(plan()).until_step(25);
    scene.say(Input::Rollback { by: "ada".into(), reason: "odd orders".into() }).unwrap();
    assert!(!scene.run.goes_back_in_vain(), "it may work");
    fail(&mut scene, ErrorKind::Failed);
    assert!(scene.run.goes_back_in_vain());
    scene
}

fn serves(scene: &Scene, release: &str) -> Input {
    let splits = vec![autodevops_model::Split { release: release.into(), percent: 100 }];
    let found = vec![crate::Found { whole: None, service: String::new(), splits, staging: Vec::new() }];
    Input::Serving { key: scene.run.look_key(), found }
}

#[test]
fn where_going_back_is_refused_people_are_told_what_they_can_do_and_what_they_have_serve_ends_it() {
    let mut scene = back_in_vain();
    let held = scene.run.held().unwrap();
    assert!(held.contains("`autodevops rollback production --to RELEASE`"), "{held}");
    scene.say(Input::Resume { fence: 9 }).unwrap();
    let told = serves(&scene, "older");
    let since = scene.events.len();
    scene.say(told).unwrap();
    assert!(!scene.run.goes_back_in_vain() && scene.run.alarm().is_none());
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.production(), [("older", 100)]);
    assert!(!scene.names().contains(&"data-kept"), "it has no data to keep");
    let moved: Vec<Environment> = scene.events[since..]
        .iter()
        .filter_map(|event| match &event.event {
            EventKind::EffectIntended { environment, .. } => *environment,
            _ => None,
        })
        .collect();
    assert_eq!(moved, [Environment::Staging], "what a person had serve stays, and staging goes back");
}

#[test]
fn while_going_back_may_work_or_where_it_is_what_serves_nothing_changes() {
    let mut scene = Scene::new(plan()).until_step(25);
    scene.say(Input::Rollback { by: "ada".into(), reason: "odd orders".into() }).unwrap();
    let told = serves(&scene, "older");
    scene.say(told).unwrap_err();
    // Where a person had another one serve meanwhile, that stays.
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key }).unwrap();
    scene.say(Input::Resume { fence: 9 }).unwrap();
    let told = serves(&scene, "older");
    scene.say(told).unwrap();
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.production(), [("older", 100)]);
    // The release that it goes back to was started by hand: it is given its traffic by the run, as it was to be.
    let mut scene = back_in_vain();
    let told = serves(&scene, "old");
    assert_eq!(scene.say(told).unwrap(), []);
    assert!(scene.run.goes_back_in_vain());
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }) && scene.production() == [("old", 100)], "{outcome}");
}

#[test]
fn what_comes_of_an_effect_is_of_its_kind() {
    let mut scene = Scene::new(plan()).until(RunStage::StagingDeploy);
    let deployed = || EffectOutcome::Deployed(Deployment { release: release("new"), url: None });
    // What is deployed is not done until it is said what it was; and a move of traffic deploys nothing.
    for (outcome, is_move) in [(EffectOutcome::Done, false), (deployed(), true)] {
        let key = loop {
            match scene.command() {
                Command::Deploy { key, .. } if !is_move => break key,
                Command::SetTraffic { key, .. } if is_move => break key,
                _ => drop(scene.go()),
            }
        };
        scene.say(Input::Intent { key: key.clone() }).unwrap();
        let refused = scene.say(Input::Effect { key, outcome });
        assert!(matches!(refused, Err(Refused::OutOfPlace { input: "outcome of that kind", .. })), "{refused:?}");
    }
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn staging_that_a_host_before_moved_late_is_tested_once_the_release_is_there() {
    let mut scene = Scene::new(plan()).until(RunStage::AutomatedTesting);
    let all = |release: &str| vec![autodevops_model::Split { release: release.into(), percent: 100 }];
    // Someone deploys past the run; then a host that slept moves it after all, and that is found.
    for staging in ["hotfix", "new"] {
        let fence = scene.run.fence() + 1;
        scene.say(Input::Resume { fence }).unwrap();
        let found =
            vec![crate::Found { whole: None, service: String::new(), splits: all("old"), staging: all(staging) }];
        scene.say(Input::Serving { key: scene.run.compare_key(), found }).unwrap();
        assert!(scene.run.gate().is_some(), "{staging}");
    }
    scene.say(Input::Approve { by: "ada".into(), reason: "mine".into(), bypass: false, link: None }).unwrap();
    assert_eq!(scene.outcome().0, Outcome::Healed);
}
