//! What people are told, and what of it they can answer.

use autodevops_model::{Notification, Severity};

use super::scene::{SECOND, Scene, plan};
use crate::{Asked, Command, Input, Level, Plan, RunStage, Timestamp};

fn telling() -> Plan {
    let mut plan = plan();
    plan.notifiers = vec!["chat".into()];
    plan
}

/// What is to be told now.
fn notes(scene: &Scene) -> Vec<(Notification, Option<Asked>)> {
    let commands = scene.commands().into_iter();
    let note = |command| match command {
        Command::Notify { notification, asked, .. } => Some((notification, asked)),
        _ => None,
    };
    commands.filter_map(note).collect()
}

fn only(scene: &Scene) -> (Notification, Option<Asked>) {
    let mut notes = notes(scene);
    assert_eq!(notes.len(), 1, "{notes:?}");
    notes.remove(0)
}

#[test]
fn who_is_asked_is_told_what_where_to_look_and_how_to_answer() {
    let mut plan = telling();
    plan.approval.required = true;
    let scene = Scene::new(plan).until(RunStage::Approval);
    let (told, asked) = only(&scene);
    let body = "production requires approval\n\nAnswer with `autodevops approve r1 --question 1` or `autodevops reject r1 --question 1`. \
                Say that you have it in hand with `autodevops ack r1`.";
    let wanted = Notification {
        run: "r1".into(),
        stage: "approval".into(),
        severity: Severity::Error,
        title: "shop: approval asked: TypeError: total is undefined".into(),
        body: body.into(),
        links: vec![("staging".into(), "http://new.test".into())],
        at: scene.now.0,
    };
    assert_eq!(told, wanted);
    assert_eq!(asked, Some(Asked { number: 1, until: scene.run.gate().unwrap().until, gate: true }));
}

#[test]
fn how_a_run_ends_is_told_as_gravely_as_it_is() {
    let healed = Scene::new(telling()).until(RunStage::Ending);
    let (told, asked) = only(&healed);
    assert_eq!((told.severity, asked), (Severity::Info, None));
    assert_eq!(told.body, "new passed every step and the monitoring");
    let mut aborted = Scene::new(telling()).until(RunStage::Checks);
    aborted.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
    let (told, asked) = only(&aborted);
    assert_eq!((told.severity, told.links.len(), asked), (Severity::Error, 0, None));
    assert_eq!(told.title, "shop: aborted: TypeError: total is undefined");
    assert_eq!(told.body, "aborted: by ada: enough");
    let mut handed_over = Scene::new(telling());
    handed_over.say(Input::NoProposal { reason: "no recipe fits".into() }).unwrap();
    let (told, _) = only(&handed_over);
    assert_eq!((told.severity, told.stage.as_str()), (Severity::Error, "fix"));
    assert_eq!(told.title, "shop: handed over: TypeError: total is undefined");
}

#[test]
fn what_no_gate_asks_can_be_had_in_hand_for_a_day() {
    let mut plan = telling();
    plan.retries = 0;
    plan.escalation = vec![Level { after: 60 * SECOND, notifiers: vec!["pager".into()] }];
    let mut scene = Scene::new(plan).until_step(25);
    scene.say(Input::Abort { by: "ada".into(), reason: "enough".into() }).unwrap();
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    let outcome = crate::EffectOutcome::Failed(super::scene::error(autodevops_model::ErrorKind::Unavailable));
    scene.say(Input::Effect { key, outcome }).unwrap();
    let since = scene.run.alarm().unwrap().since;
    let (told, asked) = notes(&scene).pop().unwrap();
    assert_eq!(asked, Some(Asked { number: 1, until: Timestamp(since.0).after(24 * 3600 * SECOND), gate: false }));
    assert_eq!(told.severity, Severity::Error, "people are needed");
    assert!(
        told.body.starts_with("going back failed once and is tried on: unavailable: no answer; look at the target")
    );
    assert!(told.body.ends_with("\n\nSay that you have it in hand with `autodevops ack r1`."), "{}", told.body);
}

#[test]
fn a_question_is_an_error_and_critical_once_it_is_put_to_further_people() {
    // By this a notifier that tells only what matters so much still tells it.
    let mut plan = telling();
    plan.approval.required = true;
    plan.escalation = vec![Level { after: 10 * SECOND, notifiers: vec!["pager".into()] }];
    let mut scene = Scene::new(plan).until(RunStage::Approval);
    assert_eq!(only(&scene).0.severity, Severity::Error);
    let asked = scene.now;
    let further = |scene: &Scene| notes(scene).into_iter().find(|(note, _)| note.title.contains("escalation 1"));
    while further(&scene).is_none() {
        assert!(scene.now < asked.after(20 * SECOND), "nobody further is told");
        scene.go();
    }
    let (told, asks) = further(&scene).unwrap();
    assert_eq!(told.severity, Severity::Critical);
    assert_eq!(asks, Some(Asked { number: 1, until: scene.run.gate().unwrap().until, gate: true }));
}
