//! Production's data: a snapshot before the release, and what becomes of it after a rollback.

mod asked;
mod by_hand;

use autodevops_model::{ErrorKind, Since, SnapshotInfo, Split};

use super::scene::{SECOND, Scene, capabilities, error, issue, live, plan, release};
use crate::{
    Command, DataPlan, EffectOutcome, Environment, EventKind, Found, Gate, Input, Level, Link, Outcome, Plan, Refused,
    Restore, Run, RunStage, Timestamp,
};

fn kept(preserve: bool, restore: Restore) -> Plan {
    let mut plan = plan();
    let guards = vec!["sqlite".into(), "files".into()];
    plan.data = DataPlan { guards, preserve, restore, settle: 5 * SECOND };
    plan.notifiers = vec!["chat".into()];
    plan
}

/// A rollout at 25 % whose release is taken back now, up to where traffic is back.
fn taken_back(plan: Plan) -> Scene {
    let mut scene = Scene::new(plan).until_step(25);
    scene.say(Input::Rollback { by: "ada".into(), reason: "no".into() }).unwrap();
    for _ in 0..20 {
        if scene.has(|event| matches!(event, EventKind::RolledBack { environment: Environment::Production, .. })) {
            return scene;
        }
        scene.go();
    }
    panic!("traffic is not back");
}

fn place(scene: &Scene, wanted: impl Fn(&EventKind) -> bool) -> usize {
    scene.events.iter().position(|event| wanted(&event.event)).expect("it happened")
}

fn restored(scene: &Scene) -> Vec<&str> {
    scene
        .events
        .iter()
        .filter_map(|event| match &event.event {
            EventKind::DataRestored { plugin, .. } => Some(plugin.as_str()),
            _ => None,
        })
        .collect()
}

/// Goes on until people are asked about the data.
fn until_asked(mut scene: Scene) -> Scene {
    for _ in 0..50 {
        if scene.run.gate().is_some_and(|gate| gate.gate == Gate::Data) {
            return scene;
        }
        scene.go();
    }
    panic!("nobody is asked; {:?}", scene.commands());
}

#[test]
fn each_guard_takes_a_snapshot_before_the_release_comes_to_production() {
    let (outcome, scene) = Scene::new(kept(true, Restore::Ask)).outcome();
    assert_eq!(outcome, Outcome::Healed);
    let snapshots = scene.names().iter().filter(|name| **name == "snapshot-taken").count();
    assert_eq!((snapshots, scene.run.snapshots().len()), (2, 2));
    let last = scene.events.iter().rposition(|event| matches!(event.event, EventKind::SnapshotTaken { .. })).unwrap();
    let deployed =
        place(&scene, |event| matches!(event, EventKind::EffectIntended { key, .. } if key == "r1/deploy/production"));
    assert!(last < deployed);
    assert!(!scene.has(|event| matches!(event, EventKind::DataKept { .. } | EventKind::DataRestored { .. })));
}

#[test]
fn where_data_must_be_preserved_nothing_comes_to_production_without_a_snapshot() {
    let mut scene = Scene::new(kept(true, Restore::Ask)).until(RunStage::ProductionDeploy);
    let Command::Snapshot { key, .. } = scene.command() else { panic!("{:?}", scene.command()) };
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    let failed = EffectOutcome::Failed(error(ErrorKind::Failed));
    scene.say(Input::Effect { key, outcome: failed }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert!(matches!(&outcome, Outcome::HandedOver { reason } if reason.contains("r1/snapshot/sqlite")), "{outcome:?}");
    assert!(scene.run.members().all(|member| member.deployment(Environment::Production).is_none()));
    assert_eq!(scene.production(), [("old", 100)]);
}

#[test]
fn where_it_need_not_a_snapshot_that_fails_is_told_and_the_run_goes_on() {
    let mut scene = Scene::new(kept(false, Restore::Ask)).until(RunStage::ProductionDeploy);
    let Command::Snapshot { key, .. } = scene.command() else { panic!("{:?}", scene.command()) };
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    scene.say(Input::Effect { key, outcome: EffectOutcome::Failed(error(ErrorKind::Failed)) }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    let by: Vec<&str> = scene.run.snapshots().iter().map(|(by, _)| by.as_str()).collect();
    assert_eq!(by, ["files"]);
}

#[test]
fn a_snapshot_that_was_under_way_when_someone_held_the_run_is_the_runs() {
    let mut scene = Scene::new(kept(true, Restore::Ask)).until(RunStage::ProductionDeploy);
    let command = scene.command();
    let key = command.key().unwrap().to_owned();
    scene.say(Input::Intent { key }).unwrap();
    scene.say(Input::Hold { by: "ada".into(), reason: "wait".into() }).unwrap();
    let input = scene.answer(&command);
    scene.say(input).unwrap();
    assert_eq!(scene.run.snapshots().len(), 1);
    scene.say(Input::EndHold { by: "ada".into(), reason: "on".into() }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    // It shows how the data was before the hold: both are taken anew.
    assert_eq!(scene.names().iter().filter(|name| **name == "snapshot-taken").count(), 4);
    assert_eq!(scene.run.snapshots().len(), 2);
}

#[test]
fn a_snapshot_that_failed_while_someone_held_the_run_is_not_gone_without() {
    let mut scene = Scene::new(kept(true, Restore::Ask)).until(RunStage::ProductionDeploy);
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    scene.say(Input::Hold { by: "ada".into(), reason: "wait".into() }).unwrap();
    let failed = EffectOutcome::Failed(error(ErrorKind::Failed));
    scene.say(Input::Effect { key: key.clone(), outcome: failed }).unwrap();
    scene.say(Input::EndHold { by: "ada".into(), reason: "on".into() }).unwrap();
    assert_eq!(scene.command().key(), Some(key.as_str()));
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn a_snapshot_that_is_unavailable_is_tried_again() {
    let mut scene = Scene::new(kept(true, Restore::Ask)).until(RunStage::ProductionDeploy);
    let Command::Snapshot { key, .. } = scene.command() else { panic!("{:?}", scene.command()) };
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    scene
        .say(Input::Effect { key: key.clone(), outcome: EffectOutcome::Failed(error(ErrorKind::Unavailable)) })
        .unwrap();
    assert!(matches!(scene.command(), Command::WaitUntil(_)), "{:?}", scene.commands());
    scene.go();
    assert_eq!(scene.command().key(), Some(key.as_str()), "under the same key");
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn a_target_that_keeps_no_data_is_refused_before_production() {
    let target = autodevops_model::Capabilities { keeps_state: false, ..capabilities() };
    let first =
        Run::started("r1", issue(), kept(true, Restore::Ask), "old-commit", 7, vec![live()], target, Timestamp(0));
    let (outcome, scene) = Scene::of(first).outcome();
    assert!(
        matches!(&outcome, Outcome::HandedOver { reason } if reason.contains("the target keeps none across a change of release")),
        "{outcome:?}"
    );
    assert!(scene.run.snapshots().is_empty());
    let mut nobody = kept(true, Restore::Ask);
    nobody.data.guards.clear();
    assert!(nobody.validate().unwrap_err().to_string().contains("no plugin keeps it"));
}

#[test]
fn people_are_asked_after_traffic_is_back_and_with_their_word_the_data_goes_back() {
    let mut scene = until_asked(taken_back(kept(true, Restore::Ask)));
    assert_eq!(scene.production(), [("old", 100)]);
    let reason = scene.run.gate().unwrap().reason.clone();
    assert!(reason.contains("of `sqlite`, taken") && reason.contains("loses what was written since"), "{reason}");
    assert!(scene.commands().iter().all(|command| !matches!(command, Command::Restore { .. })));
    let approve = Input::Approve { by: "ada".into(), reason: "orders are gone".into(), bypass: false, link: None };
    scene.say(approve).unwrap();
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(restored(&scene), ["sqlite", "files"]);
}

#[test]
fn silence_and_refusal_keep_the_data_as_it_is_and_the_run_ends() {
    let (outcome, scene) = until_asked(taken_back(kept(true, Restore::Ask))).outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert!(
        scene.has(|event| matches!(event, EventKind::DataKept { reason } if reason.contains("nobody said in time")))
    );
    assert_eq!(restored(&scene), Vec::<&str>::new());
    let mut scene = until_asked(taken_back(kept(true, Restore::Ask)));
    scene.say(Input::Reject { by: "ada".into(), reason: "new orders".into(), link: None }).unwrap();
    assert!(scene.run.gate().is_none());
    let again = scene.say(Input::Reject { by: "ada".into(), reason: "again".into(), link: None });
    assert!(matches!(again, Err(Refused::Ending { .. })), "{again:?}");
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert!(
        scene.has(|event| matches!(event, EventKind::DataKept { reason } if reason.contains("by ada: new orders")))
    );
    assert_eq!(restored(&scene), Vec::<&str>::new());
}

#[test]
fn by_the_plan_it_goes_back_by_itself_after_what_was_taken_back_has_drained() {
    let mut scene = taken_back(kept(true, Restore::OnRollback));
    let back = scene.now;
    let key = loop {
        match scene.command() {
            Command::Restore { key, .. } => break key,
            _ => drop(scene.go()),
        }
    };
    assert!(scene.now >= back.after(5 * SECOND), "{:?} {:?}", scene.now, back);
    let before = SnapshotInfo { id: "what-was-there".to_owned(), taken: scene.now.0, bytes: 1 };
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    let since = Since::Changed("it has 13 bytes, and one that is taken now has 22".to_owned());
    scene.say(Input::Effect { key, outcome: EffectOutcome::Restored { before: Some(before), since } }).unwrap();
    let told = |command: &Command| match command {
        Command::Notify { notification, .. } => Some(notification.body.clone()),
        _ => None,
    };
    let told: Vec<String> = scene.commands().iter().filter_map(told).collect();
    let wanted = "; it was written to since: it has 13 bytes, and one that is taken now has 22; what was there until then, written by \
                  whomever, is kept in snapshot what-was-there";
    assert!(told.iter().any(|body| body.ends_with(wanted)), "{told:?}");
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(restored(&scene), ["sqlite", "files"]);
    assert!(!scene.has(|event| matches!(event, EventKind::ApprovalAsked { .. })));
}

#[test]
fn by_the_plan_it_never_does() {
    let (outcome, scene) = taken_back(kept(true, Restore::Never)).outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert!(scene.has(|event| matches!(event, EventKind::DataKept { .. })));
    assert_eq!(restored(&scene), Vec::<&str>::new());
}

#[test]
fn a_restore_that_fails_is_told_and_the_run_ends_all_the_same() {
    let mut scene = taken_back(kept(true, Restore::OnRollback));
    let key = loop {
        match scene.command() {
            Command::Restore { key, .. } => break key,
            _ => drop(scene.go()),
        }
    };
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    scene.say(Input::Effect { key, outcome: EffectOutcome::Failed(error(ErrorKind::Failed)) }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(restored(&scene), ["files"], "the other guard goes back");
}

#[test]
fn where_production_had_no_traffic_of_the_release_its_data_is_left_alone() {
    let mut scene = Scene::new(kept(true, Restore::OnRollback)).until(RunStage::ProductionDeploy);
    scene.go();
    scene.say(Input::Abort { by: "ada".into(), reason: "no".into() }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::Aborted { .. }), "{outcome:?}");
    assert!(!scene.has(|event| matches!(event, EventKind::DataRestored { .. } | EventKind::DataKept { .. })));
}

/// A scene whose snapshots are taken, and whose release is not in production yet.
fn about_to_deploy(mut plan: Plan, change: impl FnOnce(&mut Plan)) -> Scene {
    change(&mut plan);
    let mut scene = Scene::new(plan).until(RunStage::ProductionDeploy);
    while matches!(scene.command(), Command::Snapshot { .. }) {
        scene.go();
    }
    assert!(matches!(scene.command(), Command::Deploy { .. }), "{:?}", scene.commands());
    scene
}

/// That the snapshots are taken anew, under keys of their own, before anything is deployed.
fn taken_anew(mut scene: Scene) {
    scene.say(Input::Tick).unwrap();
    while !matches!(scene.command(), Command::Snapshot { .. }) {
        scene.go();
    }
    assert!(scene.run.snapshots().is_empty());
    let names = scene.names();
    assert_eq!(names.iter().filter(|name| **name == "snapshot-outdated").count(), 1);
    assert_eq!(scene.command().key(), Some("r1/snapshot/sqlite/2"));
    let (outcome, scene) = scene.outcome();
    assert_eq!((outcome, scene.run.snapshots().len()), (Outcome::Healed, 2));
}

#[test]
fn a_freeze_between_the_snapshot_and_the_release_has_it_taken_anew() {
    let minute = 60 * SECOND;
    let freeze = |from: u16, to: u16| crate::Freeze {
        first: 3,
        last: 3,
        from,
        to,
        time_zone: "UTC".into(),
        reason: "a quiet hour".into(),
    };
    let mut scene = about_to_deploy(kept(true, Restore::Ask), |plan| plan.freeze = vec![freeze(5, 8)]);
    scene.now = Timestamp(0).after(6 * minute);
    scene.say(Input::Tick).unwrap();
    assert!(scene.run.frozen().is_some());
    scene.now = Timestamp(0).after(8 * minute);
    taken_anew(scene);
}

#[test]
fn a_snapshot_of_before_a_hold_or_another_host_is_taken_anew() {
    let mut held = about_to_deploy(kept(true, Restore::Ask), |_| {});
    held.say(Input::Hold { by: "ada".into(), reason: "wait".into() }).unwrap();
    held.say(Input::EndHold { by: "ada".into(), reason: "on".into() }).unwrap();
    taken_anew(held);
    let mut taken_over = about_to_deploy(kept(true, Restore::Ask), |_| {});
    taken_over.say(Input::Resume { fence: 8 }).unwrap();
    taken_anew(taken_over);
}

#[test]
fn a_snapshot_that_is_old_when_the_release_comes_is_taken_anew_and_a_young_one_is_not() {
    for (waited, anew) in [(599, false), (600, false), (601, true)] {
        let mut scene = about_to_deploy(kept(true, Restore::Ask), |plan| plan.freeze.clear());
        scene.now = scene.now.after(waited * SECOND);
        scene.say(Input::Tick).unwrap();
        assert_eq!(matches!(scene.command(), Command::Snapshot { .. }), anew, "{waited} s");
    }
}

#[test]
fn once_the_release_is_on_its_way_its_snapshot_stays() {
    let mut scene = about_to_deploy(kept(true, Restore::Ask), |_| {});
    let key = scene.command().key().unwrap().to_owned();
    scene.say(Input::Intent { key }).unwrap();
    scene.say(Input::Resume { fence: 8 }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert!(!scene.has(|event| matches!(event, EventKind::SnapshotOutdated { .. })));
}

#[test]
fn a_hold_before_the_first_snapshot_is_begun_has_none_taken_anew() {
    let mut scene = Scene::new(kept(true, Restore::Ask)).until(RunStage::ProductionDeploy);
    assert!(matches!(scene.command(), Command::Snapshot { .. }));
    scene.say(Input::Hold { by: "ada".into(), reason: "wait".into() }).unwrap();
    scene.say(Input::EndHold { by: "ada".into(), reason: "on".into() }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert!(!scene.has(|event| matches!(event, EventKind::SnapshotOutdated { .. })));
}

#[test]
fn people_are_asked_about_the_data_once_it_is_known_whether_the_rollback_was_any_help() {
    let mut scene = Scene::new(kept(true, Restore::Ask)).until_step(25);
    scene.seen = (190, 200);
    while scene.run.recovering().is_none() {
        scene.go();
    }
    while scene.run.recovering().is_some() {
        assert!(scene.run.gate().is_none(), "{:?}", scene.run.gate());
        scene.go();
    }
    let scene = until_asked(scene);
    assert!(scene.has(|event| matches!(event, EventKind::StableLooked { .. })));
}

/// A release that failed is back, so does what it went back to, and people are asked about the data.
fn no_help() -> Scene {
    let mut plan = kept(true, Restore::Ask);
    let level = |after: u32| Level { after: after * SECOND, notifiers: vec!["pager".into()] };
    plan.escalation = vec![level(10), level(30)];
    let mut scene = Scene::new(plan).until_step(25);
    scene.seen = (190, 200);
    while scene.run.recovering().is_none() {
        scene.go();
    }
    scene.stable_seen = (700, 1000);
    until_asked(scene)
}

fn escalations(scene: &Scene) -> usize {
    scene.names().iter().filter(|name| **name == "escalated").count()
}

fn reject(scene: &mut Scene) {
    scene.say(Input::Reject { by: "ada".into(), reason: "new orders".into(), link: None }).unwrap();
}

#[test]
fn who_says_what_becomes_of_the_data_did_not_say_that_they_see_to_what_fails() {
    let mut scene = no_help();
    let (gate, alarm) = (scene.run.gate().unwrap().clone(), scene.run.alarm_beside().unwrap().clone());
    assert_ne!(gate.number, alarm.number);
    assert!(alarm.reason.contains("that fails too (hard trip: 700 of 1000"), "{}", alarm.reason);
    assert!(
        gate.reason.starts_with("production serves the release before again, and that fails too;"),
        "{}",
        gate.reason
    );
    let way = format!(
        "answer with `autodevops approve r1 --question {0}` or `autodevops reject r1 --question {0}`; say that you have it in hand with \
         `autodevops ack r1`",
        gate.number
    );
    assert_eq!(scene.run.way_to_end(), way);
    reject(&mut scene);
    assert!(scene.run.gate().is_none());
    assert_eq!(scene.run.alarm_beside(), Some(&alarm), "nobody said that they have it in hand");
    assert_eq!(scene.run.way_to_end(), "say that you have it in hand with `autodevops ack r1`");
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!(escalations(&scene), 2);
}

#[test]
fn the_ladder_goes_on_beside_the_question_and_silence_about_the_data_does_not_end_it() {
    let mut scene = no_help();
    let (asked, until) = (scene.now, scene.run.gate().unwrap().until);
    while escalations(&scene) < 2 {
        scene.go();
    }
    assert!(scene.now <= asked.after(31 * SECOND) && scene.now < until);
    let pager = scene.run.untold().find(|note| note.plugin == "pager").unwrap();
    let body = &pager.notification.body;
    assert!(body.contains("that fails too") && body.ends_with("in hand with `autodevops ack r1`."), "{body}");
    assert!(!body.contains("--question"), "they were not told what is asked beside it: {body}");
    let (_, scene) = scene.outcome();
    assert!(scene.has(|event| matches!(event, EventKind::DataKept { .. })));
    assert_eq!(escalations(&scene), 2, "none is told twice");
}

#[test]
fn whoever_has_what_fails_in_hand_says_so_by_the_link_of_either_message_and_is_asked_about_the_data_still() {
    for asked in [1, 2] {
        let mut scene = no_help();
        let link = Some(Link { asked, nonce: "n".into() });
        scene.say(Input::Acknowledge { by: "ada".into(), reason: "the database".into(), link }).unwrap();
        assert_eq!(scene.run.alarm_beside().unwrap().acknowledged.as_deref(), Some("ada"));
        assert!(scene.run.asks_of_data());
        reject(&mut scene);
        let (_, scene) = scene.outcome();
        assert_eq!(escalations(&scene), 0);
        assert!(scene.has(|event| matches!(event, EventKind::DataKept { .. })));
    }
    // A question of before is none of it.
    let mut scene = no_help();
    let link = Some(Link { asked: 0, nonce: "n".into() });
    let refused = scene.say(Input::Acknowledge { by: "ada".into(), reason: String::new(), link });
    assert_eq!(refused, Err(Refused::LinkOfAnother { run: "r1".into() }));
}

#[test]
fn where_what_fails_is_in_hand_and_nobody_says_what_becomes_of_the_data_every_level_is_told_of_that() {
    let mut scene = no_help();
    while escalations(&scene) < 1 {
        scene.go();
    }
    scene.say(Input::Acknowledge { by: "ada".into(), reason: "the database".into(), link: None }).unwrap();
    while scene.run.asks_of_data() {
        scene.go();
    }
    let pagers: Vec<_> = scene.run.untold().filter(|note| note.plugin == "pager").collect();
    let expected = "nobody said in time whether the data shall go back, and it stays as the release left it; see `autodevops show r1` and \
                    `autodevops state restore`";
    let told: Vec<_> = pagers.iter().map(|note| (note.notification.body.as_str(), note.asked)).collect();
    assert_eq!(told, [(expected, None); 2]);
    assert_eq!(scene.run.alarm_beside().unwrap().acknowledged.as_deref(), Some("ada"));
    assert!(matches!(scene.outcome().0, Outcome::RolledBack { .. }));
}

#[test]
fn where_another_release_serves_by_a_persons_hand_nobody_is_needed_for_what_served_nor_asked_about_its_data() {
    let mut scene = no_help();
    assert!(scene.run.only_tells() && scene.run.leaves_production() && scene.run.is_about("production"));
    assert!(scene.run.may_restore() && scene.run.is_in_the_way(), "while people are asked");
    let splits = vec![Split { release: "fixed".into(), percent: 100 }];
    let found = Found { service: String::new(), splits, whole: Some(release("fixed")), staging: Vec::new() };
    scene.say(Input::Serving { key: scene.run.look_key(), found: vec![found] }).unwrap();
    assert_eq!((scene.run.gate(), scene.run.alarm(), scene.run.may_restore()), (None, None, false));
    let kept =
        |event: &EventKind| matches!(event, EventKind::DataKept { reason } if reason.contains("a person had it serve"));
    assert!(scene.has(kept));
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome:?}");
    assert_eq!((scene.production(), escalations(&scene)), (vec![("fixed", 100)], 0));
}

#[test]
fn a_run_hinders_those_who_move_traffic_while_its_own_or_its_data_goes_back_and_no_longer() {
    let mut scene = Scene::new(kept(true, Restore::OnRollback)).until_step(25);
    scene.say(Input::Rollback { by: "ada".into(), reason: "no".into() }).unwrap();
    let restored = |scene: &Scene| restored(scene).len();
    while restored(&scene) < 2 {
        assert!(!scene.run.only_tells() && !scene.run.leaves_production(), "{:?}", scene.commands());
        assert!(scene.run.is_in_the_way());
        scene.go();
    }
    assert!(scene.run.only_tells() && scene.run.leaves_production() && !scene.run.may_restore());
    assert!(!scene.run.is_in_the_way());
    assert!(!scene.run.is_about("production"), "nobody is needed for it");
}
