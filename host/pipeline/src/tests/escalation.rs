//! Who is told when nobody answers, who may not answer, and the links by which people do.

use autodevops_model::ErrorKind;

use super::scene::{SECOND, Scene, error, plan};
use crate::{Command, EventKind, Input, Level, Link, Outcome, Plan, Refused, RunStage};

fn laddered() -> Plan {
    let mut plan = plan();
    plan.approval.required = true;
    plan.notifiers = vec!["chat".into()];
    let level = |after, notifier: &str| Level { after: after * SECOND, notifiers: vec![notifier.into()] };
    plan.escalation = vec![level(10, "mail"), level(30, "pager")];
    plan
}

/// The notifications so far: who is told, and when, in seconds after the gate opened.
fn told(scene: &Scene, since: i64) -> Vec<(String, i64)> {
    let intended = scene.events.iter().filter_map(|event| match &event.event {
        EventKind::EffectIntended { key, environment: None, .. } => {
            let plugin = key.rsplit('/').next().unwrap().to_owned();
            Some((plugin, (event.at.0 - since) / 1_000_000_000))
        }
        _ => None,
    });
    intended.collect()
}

fn until_seconds(scene: &mut Scene, since: i64, seconds: i64) {
    while scene.now.0 < since + seconds * 1_000_000_000 {
        scene.go();
    }
}

fn names(told: &[(String, i64)]) -> Vec<(&str, i64)> {
    told.iter().map(|(name, at)| (name.as_str(), *at)).collect()
}

fn ack(by: &str) -> Input {
    Input::Acknowledge { by: by.into(), reason: "I am on it".into(), link: None }
}

fn by_link(asked: u32, nonce: &str) -> Input {
    let link = Some(Link { asked, nonce: nonce.into() });
    Input::Approve { by: "ada".into(), reason: String::new(), bypass: false, link }
}

#[test]
fn the_longer_nobody_answers_the_more_people_are_told() {
    let mut scene = Scene::new(laddered()).until(RunStage::Approval);
    let since = scene.now.0;
    until_seconds(&mut scene, since, 35);
    assert_eq!(names(&told(&scene, since)), [("chat", 0), ("mail", 10), ("pager", 30)]);
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Aborted { reason: "nobody approved in time".into() });
    assert_eq!(names(&told(&scene, since)).last(), Some(&("chat", 60)), "each level is told once");
}

#[test]
fn nobody_further_is_told_once_someone_has_it_in_hand() {
    let mut scene = Scene::new(laddered()).until(RunStage::Approval);
    let since = scene.now.0;
    until_seconds(&mut scene, since, 12);
    scene.say(ack("bob")).unwrap();
    assert_eq!(scene.say(ack("cyd")), Err(Refused::AlreadyAcknowledged { by: "bob".into() }));
    assert_eq!(scene.run.alarm().unwrap().acknowledged.as_deref(), Some("bob"));
    until_seconds(&mut scene, since, 50);
    assert_eq!(names(&told(&scene, since)), [("chat", 0), ("mail", 10)]);
    assert_eq!(scene.run.stage(), RunStage::Approval, "it is no answer");
}

#[test]
fn time_that_runs_out_aborts_and_tells_everyone_who_is_left() {
    let mut plan = laddered();
    plan.approval.timeout = 20 * SECOND;
    let mut scene = Scene::new(plan).until(RunStage::Approval);
    let since = scene.now.0;
    scene.say(ack("bob")).unwrap();
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Aborted { reason: "nobody approved in time".into() });
    assert_eq!(names(&told(&scene, since)), [("chat", 0), ("mail", 20), ("pager", 20), ("chat", 20)]);
}

#[test]
fn a_rollback_that_does_not_succeed_is_told_higher_and_higher() {
    let mut plan = laddered();
    plan.approval.required = false;
    plan.retries = 1;
    let mut scene = Scene::new(plan).until_step(25);
    scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
    let begun = scene.now.0;
    while scene.now.0 < begun + 120 * 1_000_000_000 {
        match scene.command() {
            Command::SetTraffic { key, .. } => {
                scene.say(Input::Intent { key: key.clone() }).unwrap();
                let outcome = crate::EffectOutcome::Failed(error(ErrorKind::Unavailable));
                scene.say(Input::Effect { key, outcome }).unwrap();
            }
            _ => drop(scene.go()),
        }
    }
    assert!(scene.run.alarm().unwrap().reason.starts_with("going back failed"));
    let mut who: Vec<_> = told(&scene, begun).into_iter().map(|(name, _)| name).collect();
    who.dedup();
    assert_eq!(who, ["chat", "mail", "pager"]);
    scene.say(ack("ada")).unwrap();
    assert_eq!(scene.outcome().1.production(), [("old", 100)]);
}

#[test]
fn nothing_is_acknowledged_where_nobody_is_asked() {
    let mut scene = Scene::new(plan()).until(RunStage::Checks);
    assert_eq!(scene.say(ack("bob")), Err(Refused::NothingToAcknowledge { run: "r1".into() }));
}

#[test]
fn the_author_of_a_change_and_who_is_excluded_may_refuse_it_and_not_approve_it() {
    let mut plan = plan();
    plan.approval.required = true;
    plan.approval.author = "Fix Bot <bot@example.com>".into();
    plan.approval.excluded = vec!["author".into(), "eve".into()];
    for by in ["Fix Bot", "fix bot", "bot@example.com", "bot", "recipes", "eve"] {
        let mut scene = Scene::new(plan.clone()).until(RunStage::Approval);
        let approve = Input::Approve { by: by.into(), reason: String::new(), bypass: false, link: None };
        let refused = scene.say(approve).unwrap_err();
        assert!(matches!(refused, Refused::MayNotApprove { .. }), "{by}: {refused}");
        scene.say(Input::Reject { by: by.into(), reason: "no".into(), link: None }).unwrap();
    }
    let mut scene = Scene::new(plan).until(RunStage::Approval);
    scene.say(by_link(1, "n")).unwrap();
    assert_eq!(scene.run.stage(), RunStage::ProductionDeploy);
}

#[test]
fn a_notification_says_what_it_asks_for_and_a_link_answers_that_alone() {
    let mut plan = laddered();
    plan.approval.count = 2;
    let mut scene = Scene::new(plan).until(RunStage::Approval);
    let until = scene.run.gate().unwrap().until;
    let asked = scene.commands().into_iter().find_map(|command| match command {
        Command::Notify { asked, .. } => asked,
        _ => None,
    });
    assert_eq!(asked, Some(crate::Asked { number: 1, until, gate: true }));
    assert_eq!(scene.say(by_link(2, "n")), Err(Refused::LinkOfAnother { run: "r1".into() }));
    scene.say(by_link(1, "n")).unwrap();
    assert_eq!(scene.say(by_link(1, "n")), Err(Refused::LinkUsed { run: "r1".into() }));
    assert_eq!(scene.say(by_link(1, "m")), Err(Refused::AlreadyApproved { by: "ada".into(), missing: 1 }));
    let link = Some(Link { asked: 1, nonce: "n".into() });
    let reject = Input::Reject { by: "ada".into(), reason: String::new(), link: link.clone() };
    assert_eq!(scene.say(reject), Err(Refused::LinkUsed { run: "r1".into() }));
    let used = Input::Acknowledge { by: "ada".into(), reason: String::new(), link };
    assert_eq!(scene.say(used), Err(Refused::LinkUsed { run: "r1".into() }));
}

#[test]
fn a_link_that_was_used_says_so_after_what_it_asked_for_is_over() {
    let mut plan = plan();
    plan.approval.required = true;
    let mut scene = Scene::new(plan).until(RunStage::Approval);
    scene.say(by_link(1, "n")).unwrap();
    assert_eq!(scene.say(by_link(1, "n")), Err(Refused::LinkUsed { run: "r1".into() }));
    assert!(matches!(scene.say(by_link(1, "other")), Err(Refused::NothingToApprove { .. })));
}

/// What comes of the first notification that is to be told now: how long it waits, where it is tried again.
fn comes_of_telling(scene: &mut Scene, outcome: crate::EffectOutcome) -> Option<i64> {
    let note = scene.commands().into_iter().find_map(|command| match command {
        Command::Notify { key, .. } => Some(key),
        _ => None,
    });
    let key = note.expect("somebody is to be told");
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    let events = scene.say(Input::Effect { key, outcome }).unwrap();
    let EventKind::EffectFailed { retry, .. } = events[0].event else { panic!("{events:?}") };
    let wait = retry.map(|retry| (retry.0 - scene.now.0) / 1_000_000_000);
    scene.now = retry.unwrap_or(scene.now);
    wait
}

fn unavailable() -> crate::EffectOutcome {
    crate::EffectOutcome::Failed(error(ErrorKind::Unavailable))
}

/// A run that waits for approval for long, and nobody heard of it.
fn unheard() -> Scene {
    let mut plan = plan();
    (plan.approval.required, plan.notifiers) = (true, vec!["chat".into()]);
    plan.approval.timeout = 7200 * SECOND;
    Scene::new(plan).until(RunStage::Approval)
}

#[test]
fn a_question_is_put_until_it_is_answered_however_long_a_notifier_is_away() {
    let mut scene = unheard();
    let mut waits: Vec<_> = (0..8).filter_map(|_| comes_of_telling(&mut scene, unavailable())).collect();
    assert_eq!(waits.split_off(4), [80, 160, 300, 300]);
    assert_eq!(waits, [5, 10, 20, 40]);
    assert!(!scene.run.has_untold(), "who does not wait for people leaves");
    // Once somebody answered, a late one is not put again, and holds up no end.
    scene.say(Input::Reject { by: "ada".into(), reason: "no".into(), link: None }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::Aborted { .. }));
    let told = |name: &str| scene.has(|event| matches!(event, EventKind::EffectDone { key } if key == name));
    assert!(told("r1/notify/2/chat") && !told("r1/notify/1/chat"));
    // Nor once somebody has it in hand.
    let mut scene = unheard();
    for _ in 0..5 {
        comes_of_telling(&mut scene, unavailable());
    }
    let asks = |scene: &Scene| scene.commands().iter().any(|command| matches!(command, Command::Notify { .. }));
    assert!(asks(&scene));
    scene.say(ack("bob")).unwrap();
    assert!(!asks(&scene));
}

fn refused(kind: ErrorKind) -> crate::EffectOutcome {
    crate::EffectOutcome::Failed(error(kind))
}

#[test]
fn a_question_that_a_notifier_refuses_is_put_anew_until_whoever_set_it_up_mended_that() {
    let mut scene = unheard();
    for kind in [ErrorKind::InvalidInput, ErrorKind::Denied, ErrorKind::Unsupported, ErrorKind::Failed] {
        assert_eq!(comes_of_telling(&mut scene, refused(kind)), Some(300), "{kind}");
        assert!(!scene.run.has_untold(), "who does not wait for people leaves");
    }
    scene.run = crate::Run::replay(&scene.events).unwrap();
    let told = |scene: &Scene, number: u32| {
        let name = format!("r1/notify/{number}/chat");
        scene.has(|event| matches!(event, EventKind::EffectDone { key } if *key == name))
    };
    for _ in 0..3 {
        // Production is watched on meanwhile.
        scene.go();
    }
    assert!(told(&scene, 1), "{:?}", scene.names());
    assert!(scene.run.gate().is_some() && scene.run.untold().next().is_none(), "it is told once");
    // One that is only away after that is tried as often as any.
    let mut scene = unheard();
    assert_eq!(comes_of_telling(&mut scene, refused(ErrorKind::Failed)), Some(300));
    assert_eq!(comes_of_telling(&mut scene, unavailable()), Some(10));
    assert!(scene.run.has_untold());
}

#[test]
fn a_question_that_is_refused_is_put_no_more_once_it_is_answered_and_holds_up_no_end() {
    let mut scene = unheard();
    comes_of_telling(&mut scene, refused(ErrorKind::Denied));
    scene.say(Input::Reject { by: "ada".into(), reason: "no".into(), link: None }).unwrap();
    let keys = |scene: &Scene| scene.run.untold().map(|note| note.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&scene), ["r1/notify/2/chat"], "that it is over is to be told");
    let since = scene.now;
    assert_eq!(comes_of_telling(&mut scene, refused(ErrorKind::Denied)), None, "that asks nothing, and is given up");
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::Aborted { .. }));
    assert_eq!(since, scene.now);
    // Answered while it is being put.
    let mut scene = unheard();
    let Command::Notify { key, .. } = scene.command() else { panic!("nobody is told") };
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    scene.say(ack("bob")).unwrap();
    scene.say(Input::Effect { key, outcome: refused(ErrorKind::Denied) }).unwrap();
    assert_eq!(keys(&scene), [""; 0]);
}

#[test]
fn what_is_no_question_is_given_up_as_ever() {
    let mut plan = plan();
    plan.notifiers = vec!["chat".into()];
    let mut healed = Scene::new(plan.clone()).until(RunStage::Ending);
    let waits: Vec<_> = (0..5).map(|_| comes_of_telling(&mut healed, unavailable())).collect();
    assert_eq!(waits, [Some(5), Some(10), Some(20), Some(40), None]);
    let mut healed = Scene::new(plan).until(RunStage::Ending);
    assert_eq!(comes_of_telling(&mut healed, refused(ErrorKind::InvalidInput)), None);
    assert!(healed.run.outcome().is_some());
}

#[test]
fn what_waits_for_its_turn_to_be_told_uses_up_no_try() {
    let mut plan = plan();
    (plan.notifiers, plan.retries) = (vec!["chat".into()], 1);
    let mut scene = Scene::new(plan).until(RunStage::Ending);
    let turn =
        |seconds| crate::EffectOutcome::Postponed { error: error(ErrorKind::Unavailable), after: seconds * SECOND };
    for _ in 0..6 {
        assert_eq!(comes_of_telling(&mut scene, turn(41)), Some(41));
    }
    assert_eq!(comes_of_telling(&mut scene, turn(100_000)), Some(600));
    assert_eq!(comes_of_telling(&mut scene, unavailable()), Some(5), "that was the first try");
    assert_eq!(comes_of_telling(&mut scene, turn(1)), Some(1));
    assert_eq!(comes_of_telling(&mut scene, unavailable()), None);
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn a_notifier_that_says_when_to_come_again_is_taken_at_its_word() {
    let mut scene = Scene::new(laddered()).until(RunStage::Approval);
    let Command::Notify { key, .. } = scene.command() else { panic!("nobody is told") };
    let mut limited = error(ErrorKind::Unavailable);
    limited.info.details.push((crate::RETRY_AFTER.into(), "42".into()));
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    scene.say(Input::Effect { key: key.clone(), outcome: crate::EffectOutcome::Failed(limited) }).unwrap();
    let retry = |scene: &Scene| match scene.events.last().unwrap().event {
        EventKind::EffectFailed { retry: Some(retry), .. } => (retry.0 - scene.now.0) / 1_000_000_000,
        ref other => panic!("{}", other.name()),
    };
    assert_eq!(retry(&scene), 42);
    scene.now = scene.now.after(43 * SECOND);
    let mut endless = error(ErrorKind::Unavailable);
    endless.info.details.push((crate::RETRY_AFTER.into(), u64::MAX.to_string()));
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    let events = scene.say(Input::Effect { key, outcome: crate::EffectOutcome::Failed(endless) }).unwrap();
    let EventKind::EffectFailed { retry: Some(retry), .. } = events[0].event else { panic!("{events:?}") };
    assert_eq!((retry.0 - scene.now.0) / 1_000_000_000, 600);
}
