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
