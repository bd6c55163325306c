//! A fresh baseline: the stable release, started anew beside itself, with as much of the traffic as the candidate.

use autodevops_model::{Capabilities, ErrorKind};
use proptest::prelude::*;

use super::scene::{Scene, capabilities, error, issue, live, plan, release};
use crate::{
    Baseline, Command, EffectOutcome, Environment, EventKind, Input, Outcome, Plan, Run, RunStage, Step, Timestamp,
};

const PRODUCTION: Environment = Environment::Production;

fn compared() -> Plan {
    Plan { baseline: Baseline::Fresh, ..plan() }
}

/// On a target that can start what serves beside itself, or not.
fn scene_of(plan: Plan, fresh_baseline: bool) -> Scene {
    let target = Capabilities { fresh_baseline, ..capabilities() };
    Scene::of(Run::started("r1", issue(), plan, "old-commit", 7, vec![live()], target, Timestamp(0)))
}

fn scene() -> Scene {
    scene_of(compared(), true)
}

#[test]
fn at_small_steps_it_has_as_much_as_the_candidate_and_stable_the_rest() {
    let scene = scene().until_step(5);
    assert_eq!(scene.production(), [("old", 90), ("new-baseline", 5), ("new", 5)]);
    let scene = scene.until_step(25);
    assert_eq!(scene.production(), [("old", 50), ("new-baseline", 25), ("new", 25)]);
    let scene = scene.until_step(50);
    assert_eq!(scene.production(), [("old", 50), ("new", 50)]);
    let (outcome, scene) = scene.outcome();
    assert_eq!((outcome, scene.production()), (Outcome::Healed, vec![("new", 100)]));
}

#[test]
fn it_is_the_stable_release_under_another_name_and_there_before_any_traffic_is_moved() {
    let scene = scene().until_step(5);
    let place = |wanted: fn(&EventKind) -> bool| scene.events.iter().position(|event| wanted(&event.event)).unwrap();
    let there = place(|event| matches!(event, EventKind::BaselineDeployed { .. }));
    let moved = place(|event| matches!(event, EventKind::TrafficSet { environment: Environment::Production, .. }));
    let deployed = place(|event| matches!(event, EventKind::Deployed { environment: Environment::Production, .. }));
    assert!(deployed < there && there < moved);
    let member = scene.run.members().next().unwrap();
    let baseline = &member.fresh_baseline().unwrap().release;
    let old = release("old");
    assert_eq!(
        (baseline.id.as_str(), &baseline.artifact, &baseline.commit),
        ("new-baseline", &old.artifact, &old.commit)
    );
}

#[test]
fn the_candidate_is_compared_with_it_and_stable_is_looked_at_beside() {
    let scene = scene().until_step(5);
    let subject = scene.run.subjects(scene.run.watch().unwrap()).remove(0);
    assert_eq!(subject.baseline.as_deref(), Some("new-baseline"));
    assert_eq!(subject.stable.as_deref(), Some("old"));
    let scene = scene.until_step(50);
    let subject = scene.run.subjects(scene.run.watch().unwrap()).remove(0);
    assert_eq!((subject.baseline.as_deref(), subject.stable), (Some("old"), None));
}

#[test]
fn a_verdict_says_which_baseline_it_was_come_to_by() {
    let mut plan = compared();
    plan.triggers.push(crate::Trigger::new("error-rate", crate::Rule::WorseBy { ratio: 0.2, quantile: None }));
    let words = |scene: &Scene, percent: u8| -> Vec<String> {
        let mut judged = scene.events.iter().skip_while(|event| {
            !matches!(event.event, EventKind::StepEntered { environment: PRODUCTION, percent: of, .. } if of == percent)
        });
        let others = judged.find_map(|event| match &event.event {
            EventKind::Judged { verdict, others } => Some(std::iter::once(verdict).chain(others)),
            _ => None,
        });
        others.unwrap().map(|verdict| verdict.words.clone()).collect()
    };
    let (_, scene) = scene_of(plan, true).outcome();
    let said = "; the baseline is `new-baseline`, started with the release and of its size";
    assert!(words(&scene, 5).iter().any(|words| words.ends_with(said)), "{:?}", words(&scene, 5));
    assert!(
        words(&scene, 50).iter().all(|words| !words.contains("started with the release")),
        "stable itself is as large"
    );
}

#[test]
fn taken_back_or_returned_all_traffic_is_stables() {
    let by = || ("ada".to_owned(), "no".to_owned());
    for end in [Input::Rollback { by: by().0, reason: by().1 }, Input::Abort { by: by().0, reason: by().1 }] {
        let mut scene = scene().until_step(25);
        scene.say(end).unwrap();
        let (_, scene) = scene.outcome();
        assert_eq!(scene.production(), [("old", 100)]);
    }
    let mut scene = scene().until_step(25);
    scene.say(Input::TrafficReturned { services: vec![String::new()] }).unwrap();
    assert_eq!(scene.production(), [("old", 100)]);
    let scene = scene.until_step(25);
    assert_eq!(scene.production(), [("old", 50), ("new-baseline", 25), ("new", 25)]);
}

#[test]
fn one_that_does_not_start_ends_the_run_before_anything_is_moved() {
    let mut scene = scene().until(RunStage::ProductionDeploy);
    scene.go();
    let Command::Deploy { key, release, .. } = scene.command() else { panic!("{:?}", scene.command()) };
    assert_eq!((key.as_str(), release.id.as_str()), ("r1/deploy/baseline", "new-baseline"));
    scene.say(Input::Intent { key: key.clone() }).unwrap();
    scene.say(Input::Effect { key, outcome: EffectOutcome::Failed(error(ErrorKind::Failed)) }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert!(matches!(&outcome, Outcome::HandedOver { reason } if reason.contains("r1/deploy/baseline")), "{outcome:?}");
    assert!(scene.traffic_was().is_empty());
}

#[test]
fn without_a_step_that_leaves_room_or_a_target_that_can_none_is_started() {
    let mut large = compared();
    large.steps.retain(|step| step.percent >= 50);
    for scene in [scene_of(large, true), scene_of(compared(), false), scene_of(plan(), true)] {
        let (outcome, scene) = scene.outcome();
        assert_eq!(outcome, Outcome::Healed);
        assert!(!scene.has(|event| matches!(event, EventKind::BaselineDeployed { .. })));
    }
}

#[test]
fn its_name_ends_as_the_candidates_and_is_no_longer_than_targets_take() {
    let long = |count: usize| "a".repeat(count);
    for (candidate, fresh) in [
        ("new".to_owned(), "new-baseline".to_owned()),
        (long(55), format!("{}-baseline", long(55))),
        (long(56), format!("{}-baseline", long(55))),
        (format!("shop-{}-{}", long(9), "b".repeat(54)), format!("{}-baseline", "b".repeat(54))),
    ] {
        let mut scene = scene().until(RunStage::Build);
        let Command::Build { key, .. } = scene.command() else { panic!("{:?}", scene.command()) };
        scene.say(Input::Built { key, release: release(&candidate) }).unwrap();
        let made = scene.run.members().next().unwrap().fresh().unwrap().id;
        assert_eq!(made, fresh);
        assert!(made.len() <= 64);
    }
}

proptest! {
    #[test]
    fn whatever_the_steps_shares_add_up_and_the_two_that_are_compared_are_of_one_size(
        mut shares in proptest::collection::btree_set(1_u8..100, 1..5),
    ) {
        shares.insert(100);
        let mut plan = compared();
        let duration = plan.steps[0].duration;
        plan.steps = shares.iter().map(|percent| Step { percent: *percent, duration }).collect();
        let (outcome, scene) = scene_of(plan, true).outcome();
        prop_assert_eq!(outcome, Outcome::Healed);
        for event in &scene.events {
            let EventKind::TrafficSet { environment: PRODUCTION, splits, .. } = &event.event else { continue };
            prop_assert_eq!(splits.iter().map(|split| u32::from(split.percent)).sum::<u32>(), 100);
            let share = |id: &str| splits.iter().find(|split| split.release == id).map(|split| split.percent);
            let candidate = share("new").unwrap();
            prop_assert_eq!(share("new-baseline"), (candidate <= Baseline::FRESH_UP_TO).then_some(candidate));
            prop_assert!(share("new-baseline").is_none() || share("old").unwrap() >= candidate);
        }
    }
}
