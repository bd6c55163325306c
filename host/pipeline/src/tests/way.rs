//! The way of a run that goes well, and what each step needs.

use autodevops_model::{Observation, Outcome as CheckOutcome, Rate};

use super::scene::{SECOND, Scene, plan, started};
use crate::{
    Command, Decision, Environment, EventKind, Gate, Input, Method, Outcome, Run, RunStage, SafetyCheck, Timestamp,
};

#[test]
fn a_run_that_goes_well_takes_every_stage_in_order_and_heals() {
    let mut plan = plan();
    plan.test_generators = true;
    let (outcome, scene) = Scene::new(plan).outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert_eq!(scene.traffic_was(), [5, 25, 50, 100]);
    assert_eq!(scene.production(), [("new", 100)]);
    let milestones = [
        "started",
        "fix-proposed",
        "reviewed",
        "tests-generated",
        "checked",
        "committed",
        "built",
        "deployed",
        "traffic-set",
        "automated-tested",
        "step-entered",
        "step-passed",
        "gate-passed",
        "deployed",
        "traffic-set",
        "step-entered",
        "step-passed",
        "traffic-set",
        "step-entered",
        "step-passed",
        "traffic-set",
        "step-entered",
        "step-passed",
        "traffic-set",
        "step-entered",
        "step-passed",
        "step-entered",
        "step-passed",
        "rollback-checked",
        "finished",
    ];
    let names: Vec<_> = scene.names().into_iter().filter(|name| milestones.contains(name)).collect();
    assert_eq!(names, milestones);
}

#[test]
fn every_step_lasts_its_time_and_is_measured_at_its_end() {
    let (_, scene) = Scene::new(plan()).outcome();
    let (mut entered, mut measured) = (None, None);
    for event in &scene.events {
        match &event.event {
            EventKind::StepEntered { until, .. } => entered = Some(*until),
            EventKind::Measured { .. } => measured = Some(event.at),
            EventKind::StepPassed { .. } => {
                assert!(event.at >= entered.unwrap());
                assert_eq!(measured, Some(event.at));
            }
            _ => {}
        }
    }
}

#[test]
fn all_tests_of_the_change_go_along_and_generated_ones_replace_none_of_the_fixs_own() {
    let mut plan = plan();
    plan.test_generators = true;
    let scene = Scene::new(plan).until(RunStage::Commit);
    let tests: Vec<_> = scene.run.tests().into_iter().map(|test| (test.path, test.content)).collect();
    let named = |path: &str, content: &str| (path.to_owned(), content.to_owned());
    assert_eq!(tests, [named("tests/cart.test.js", "own"), named("tests/more.test.js", "generated")]);
    assert_eq!(scene.run.changed(), ["functions/cart.js", "tests/cart.test.js", "tests/more.test.js"]);
}

#[test]
fn keys_say_what_is_done_and_never_change() {
    let scene = Scene::new(plan()).until_step(5);
    let keys: Vec<_> = scene
        .events
        .iter()
        .filter_map(|event| match &event.event {
            EventKind::EffectIntended { key, fence: 7, .. } => Some(key.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        keys,
        ["r1/deploy/staging", "r1/traffic/staging/100", "r1/deploy/production", "r1/traffic/production/5"]
    );
}

#[test]
fn a_step_with_too_few_requests_is_made_longer_then_held_and_never_passed_by_silence() {
    let mut scene = Scene::new(plan()).until_step(5);
    scene.seen = (0, 3);
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Aborted { reason: "nobody approved in time".into() });
    assert_eq!(scene.names().iter().filter(|name| **name == "step-extended").count(), 3);
    assert!(scene.has(|event| matches!(event, EventKind::ApprovalExpired { gate: Gate::Held })));
    assert_eq!(scene.traffic_was(), [5, 0]);
    assert_eq!(scene.production(), [("old", 100)]);
}

#[test]
fn a_held_step_goes_on_by_itself_once_there_is_evidence() {
    let mut scene = Scene::new(plan()).until_step(5);
    scene.seen = (0, 3);
    while scene.run.held().is_none() {
        scene.go();
    }
    scene.seen = (0, 300);
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert!(!scene.has(|event| matches!(event, EventKind::Approved { .. })));
}

#[test]
fn staging_without_visitors_passes_at_its_end_and_says_so() {
    let mut scene = Scene::new(plan()).until(RunStage::Soak);
    scene.seen = (0, 2);
    let scene = scene.until(RunStage::ProductionDeploy);
    assert!(scene.has(|event| matches!(event,
        EventKind::StepPassed { environment: Environment::Staging, reason, .. } if reason.contains("seen to serve 2 requests"))));
}

#[test]
fn staging_that_cannot_be_measured_is_held() {
    let mut scene = Scene::new(plan()).until(RunStage::Soak);
    while scene.run.held().is_none() {
        match scene.command() {
            Command::Measure { .. } => {
                let error = Some("the edge does not answer".to_owned());
                scene.say(Input::Measured { samples: Vec::new(), error }).unwrap();
            }
            _ => drop(scene.go()),
        }
    }
    let reason = "staging at 100 %: measuring failed 4 times in a row: the edge does not answer";
    assert_eq!((scene.run.held(), scene.run.watch().unwrap().errors), (Some(reason), 4));
}

#[test]
fn staging_that_nobody_measures_passes_and_production_that_nobody_measures_does_not() {
    let mut scene = Scene::new(plan()).until(RunStage::Soak);
    while scene.run.held().is_none() {
        match scene.command() {
            Command::Measure { .. } => drop(scene.say(Input::Measured { samples: Vec::new(), error: None }).unwrap()),
            _ => drop(scene.go()),
        }
    }
    assert_eq!((scene.run.stage(), scene.run.steps_passed()), (RunStage::Rollout, 0));
}

#[test]
fn a_held_step_is_still_watched_and_turned_back_when_it_fails() {
    let mut scene = Scene::new(plan()).until_step(5);
    scene.seen = (0, 3);
    while scene.run.held().is_none() {
        scene.go();
    }
    scene.seen = (100, 200);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(scene.production(), [("old", 100)]);
}

#[test]
fn the_hosts_own_look_at_a_staged_release_counts_where_no_plugin_is_set() {
    let mut plan = plan();
    plan.automated.clear();
    for (outcome, goes_on) in [(CheckOutcome::Passed, true), (CheckOutcome::Failed, false)] {
        let mut scene = Scene::new(plan.clone()).until(RunStage::AutomatedTesting);
        let reports = vec![super::scene::report("probe", outcome)];
        scene.say(Input::AutomatedTested { key: "r1/automated".into(), reports }).unwrap();
        assert_eq!(scene.run.stage() == RunStage::Soak, goes_on);
    }
    assert_eq!(Scene::new(plan).outcome().0, Outcome::Healed);
}

#[test]
fn one_bad_measurement_turns_nothing_back_and_two_in_a_row_do() {
    let mut scene = Scene::new(plan()).until_step(5);
    scene.seen = (40, 200);
    scene.go();
    while !matches!(scene.go().last().map(|event| event.event.clone()), Some(EventKind::Judged { .. })) {}
    assert!(matches!(&*scene.run.watch().unwrap().strikes, [strike] if strike.windows == 1));
    scene.seen = (0, 200);
    let mut relapse = Scene { events: scene.events.clone(), run: scene.run.clone(), ..scene };
    assert_eq!(scene_outcome(&mut relapse, (0, 200)), Outcome::Healed);
    let mut again = Scene::new(plan()).until_step(5);
    assert!(matches!(scene_outcome(&mut again, (40, 200)), Outcome::RolledBack { .. }));
    assert_eq!(again.run.steps_passed(), 0);
}

fn scene_outcome(scene: &mut Scene, seen: (u64, u64)) -> Outcome {
    scene.seen = seen;
    for _ in 0..500 {
        if let Command::Finish(outcome) = scene.command() {
            return outcome;
        }
        scene.go();
    }
    panic!("it never ends");
}

#[test]
fn a_small_step_is_turned_back_by_the_sequential_test_at_the_first_measurement_that_decides() {
    let mut plan = plan();
    plan.decision = Decision::default();
    let mut scene = Scene::new(plan).until_step(5);
    scene.seen = (20, 100);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(&outcome, Outcome::RolledBack { reason } if reason.contains("sequential test")), "{outcome}");
    let at = |name: &str| scene.events.iter().rfind(|event| event.event.name() == name).unwrap().at;
    assert!(at("rolled-back") <= at("step-entered").after(SECOND));
    let mut judged = scene.events.iter().filter_map(|event| match &event.event {
        EventKind::Judged { verdict, others } => Some((verdict, others)),
        _ => None,
    });
    let (verdict, others) = judged.next_back().unwrap();
    assert_eq!((verdict.method, others.len()), (Some(Method::Sprt), 1), "all that was judged is on record");
}

#[test]
fn a_hard_trip_turns_back_at_the_first_measurement() {
    let mut scene = Scene::new(plan()).until_step(5);
    scene.seen = (9, 10);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::RolledBack { reason } if reason.contains("hard trip: 9 of 10")));
    assert_eq!(scene.traffic_was(), [5, 0]);
    let at = |name: &str| scene.events.iter().rfind(|event| event.event.name() == name).unwrap().at;
    assert!(at("rolled-back") <= at("step-entered").after(SECOND));
}

#[test]
fn a_trigger_that_is_not_critical_holds_the_step_and_asks() {
    let mut plan = plan();
    plan.triggers[0].critical = false;
    let mut scene = Scene::new(plan).until_step(25);
    scene.seen = (40, 200);
    while scene.run.held().is_none() {
        scene.go();
    }
    assert_eq!(scene.production(), [("old", 75), ("new", 25)]);
    scene.say(Input::Approve { by: "eve".into(), reason: "a known outage".into(), bypass: false, link: None }).unwrap();
    assert_eq!(scene.run.steps_passed(), 2);
    scene.seen = (0, 200);
    assert_eq!(scene.outcome().0, Outcome::Healed);
}

#[test]
fn a_fix_that_helps_but_does_not_cure_is_kept_when_stable_is_the_broken_one() {
    let mut scene = Scene::new(plan()).until_step(5);
    (scene.seen, scene.stable_seen) = ((20, 200), (300, 1000));
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert!(scene.has(|event| matches!(event,
        EventKind::Judged { verdict, .. } if verdict.words.contains("the baseline itself is at 30.0 %"))));
}

#[test]
fn a_release_that_breaks_under_all_traffic_or_in_monitoring_goes_back_to_the_stable_one() {
    for stage in [RunStage::Rollout, RunStage::Monitoring] {
        let mut scene = match stage {
            RunStage::Rollout => Scene::new(plan()).until_step(100),
            stage => Scene::new(plan()).until(stage),
        };
        scene.seen = (40, 200);
        let (outcome, scene) = scene.outcome();
        assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
        assert!(scene.has(|event| matches!(event, EventKind::RollbackChecked { needed: true, .. })));
        assert_eq!(scene.production(), [("old", 100)]);
    }
}

#[test]
fn a_release_that_fails_its_soak_never_reaches_production_and_leaves_staging() {
    let mut scene = Scene::new(plan()).until(RunStage::Soak);
    scene.seen = (40, 200);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::HandedOver { .. }), "{outcome}");
    assert!(scene.run.members().all(|member| member.deployment(Environment::Production).is_none()));
    assert_eq!(super::scene::shares(super::scene::traffic(&scene.run, Environment::Staging)), [("old", 100)]);
}

#[test]
fn a_target_that_cannot_split_moves_all_at_once_after_a_persons_word() {
    let mut first = started(plan());
    if let EventKind::Started { capabilities, .. } = &mut first.event {
        capabilities.split_traffic = false;
    }
    let mut scene = Scene::of(first).until(RunStage::Approval);
    assert!(scene.run.gate().unwrap().reason.contains("cannot split traffic"));
    scene.say(Input::Approve { by: "eve".into(), reason: String::new(), bypass: false, link: None }).unwrap();
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert_eq!(scene.traffic_was(), [100]);
}

#[test]
fn a_source_of_the_plugins_own_promotes_nothing() {
    let mut scene = Scene::new(plan()).until_step(5);
    while scene.run.held().is_none() {
        let command = scene.command();
        match scene.answer(&command) {
            Input::Measured { mut samples, error } => {
                samples.iter_mut().for_each(|sample| sample.observed_by_host = false);
                scene.say(Input::Measured { samples, error }).unwrap();
            }
            _ => drop(scene.go()),
        }
    }
    assert!(scene.run.held().unwrap().contains("only `edge` says so"));
    assert_eq!(scene.run.steps_passed(), 0);
}

#[test]
fn all_five_safety_checks_are_on_record() {
    let (_, scene) = Scene::new(plan()).outcome();
    for check in SafetyCheck::ALL {
        assert_eq!(scene.run.safety(check).map(|verdict| verdict.outcome), Some(CheckOutcome::Passed), "{check:?}");
    }
}

#[test]
fn the_same_state_gives_the_same_commands() {
    let mut scene = Scene::new(plan());
    while !matches!(scene.command(), Command::Finish(_)) {
        let replayed = Run::replay(&scene.events).unwrap();
        assert_eq!(replayed.commands(scene.now), scene.commands());
        scene.go();
    }
}

#[test]
fn a_watch_is_due_after_each_interval_and_at_its_end() {
    let watch = Scene::new(plan()).until_step(5).run.watch().unwrap().clone();
    let at = |seconds: u32| Timestamp(0).after(seconds * SECOND);
    for (measured, due) in [(0, 3), (3, 5), (4, 5), (5, 8), (6, 9)] {
        let watch = crate::Watch { measured: at(measured), until: at(5), ..watch.clone() };
        assert_eq!(watch.due(3 * SECOND), at(due), "measured at {measured} s");
    }
}

#[test]
fn under_all_traffic_nothing_is_learned_of_stable_any_more() {
    let mut scene = Scene::new(plan()).until_step(100);
    scene.seen = (24, 200);
    for _ in 0..100 {
        let command = scene.command();
        if let Some(outcome) = scene.run.ending() {
            assert!(matches!(outcome, Outcome::RolledBack { .. }), "it was excused: {outcome}");
            return;
        }
        let Command::Measure { windows, subjects, .. } = &command else {
            scene.obey(&command);
            continue;
        };
        let mut samples = scene.samples(windows, &subjects[0]);
        for sample in &mut samples {
            // Someone says of stable, which has no traffic, that it is far worse.
            let mut of_stable = sample.measurements[0].clone();
            of_stable.release = "old".into();
            of_stable.observation = Observation::Rate(Rate { events: 300, total: 1000 });
            sample.measurements.push(of_stable);
        }
        scene.say(Input::Measured { samples, error: None }).unwrap();
    }
    panic!("it never ends");
}

#[test]
fn a_step_ends_with_the_measurement_at_its_end_and_is_extended_from_there_as_often_as_the_plan_says() {
    let (_, scene) = Scene::new(plan()).outcome();
    let mut begun = None;
    for event in &scene.events {
        match event.event {
            EventKind::StepEntered { .. } => begun = Some(event.at),
            EventKind::StepPassed { environment: Environment::Production, percent, .. } if percent < 100 => {
                assert_eq!(event.at, begun.unwrap().after(3 * SECOND), "{percent} %");
            }
            _ => {}
        }
    }
    let mut plan = plan();
    plan.max_extensions = 2;
    let mut scene = Scene::new(plan).until_step(5);
    scene.seen = (0, 3);
    let begun = scene.run.watch().unwrap().started;
    while scene.run.held().is_none() {
        scene.go();
    }
    let extended: Vec<_> = scene
        .events
        .iter()
        .filter_map(|event| match event.event {
            EventKind::StepExtended { until, extension, .. } => Some((extension, until)),
            _ => None,
        })
        .collect();
    assert_eq!(extended, [(1, begun.after(6 * SECOND)), (2, begun.after(9 * SECOND))]);
    assert_eq!(scene.now, begun.after(9 * SECOND));
    let held = scene.run.held().unwrap();
    assert!(held.ends_with("; extended 2 times") && !held.contains("no second bad window"), "{held}");
}

#[test]
fn what_is_longer_by_an_extension_is_so_by_its_own_length() {
    for (environment, length) in [(Environment::Staging, 7), (Environment::Production, 11)] {
        let mut plan = plan();
        (plan.soak, plan.monitoring) = (7 * SECOND, 11 * SECOND);
        let stage = if environment == Environment::Staging { RunStage::Soak } else { RunStage::Monitoring };
        let mut scene = Scene::new(plan).until(stage);
        while scene.run.watch().is_none() {
            scene.go();
        }
        let until = scene.run.watch().unwrap().until;
        scene.say(Input::Extend { by: "ada".into(), reason: "see".into(), span: None }).unwrap();
        assert_eq!(scene.run.watch().unwrap().until, until.after(length * SECOND), "{environment:?}");
    }
}

#[test]
fn a_watch_of_staging_without_a_length_is_passed_at_once_and_a_step_without_one_is_watched() {
    let mut plan = plan();
    plan.soak = std::time::Duration::ZERO;
    plan.steps.iter_mut().for_each(|step| step.duration = std::time::Duration::ZERO);
    let (outcome, scene) = Scene::new(plan).outcome();
    assert_eq!(outcome, Outcome::Healed);
    let entered = |at: Environment| {
        scene.has(|event| matches!(event, EventKind::StepEntered { environment, .. } if *environment == at))
    };
    assert!(!entered(Environment::Staging) && entered(Environment::Production));
}

#[test]
fn the_performance_check_is_on_record_once_for_each_outcome_in_a_row() {
    let (_, scene) = Scene::new(plan()).outcome();
    let checked = |event: &&crate::Event| {
        matches!(event.event, EventKind::SafetyChecked { check: SafetyCheck::PerformanceBaseline, .. })
    };
    assert_eq!(scene.events.iter().filter(checked).count(), 1);
}

#[test]
fn only_what_had_all_of_production_is_checked_for_its_way_back() {
    for (percent, checked) in [(5, false), (100, true)] {
        let mut scene = Scene::new(plan()).until_step(percent);
        scene.seen = (190, 200);
        let (outcome, scene) = scene.outcome();
        assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
        assert_eq!(scene.has(|event| matches!(event, EventKind::RollbackChecked { needed: true, .. })), checked);
    }
    let mut scene = Scene::new(plan()).until(RunStage::Soak);
    scene.seen = (190, 200);
    let (outcome, scene) = scene.outcome();
    assert!(matches!(outcome, Outcome::HandedOver { .. }), "{outcome}");
    assert!(!scene.has(|event| matches!(event, EventKind::RollbackChecked { .. })));
}

#[test]
fn time_brings_nothing_to_a_run_that_is_over() {
    let (_, mut scene) = Scene::new(plan()).outcome();
    assert_eq!(scene.say(Input::Tick).unwrap(), []);
}

#[test]
fn without_a_limit_of_failed_measurements_none_holds_a_step() {
    let mut plan = plan();
    plan.error_limit = 0;
    let mut scene = Scene::new(plan).until_step(5);
    while !matches!(scene.command(), Command::Measure { .. }) {
        scene.go();
    }
    scene.say(Input::Measured { samples: Vec::new(), error: Some("no answer".into()) }).unwrap();
    assert_eq!(scene.run.held(), None);
    let (outcome, scene) = scene.outcome();
    assert_eq!(outcome, Outcome::Healed);
    assert!(!scene.names().contains(&"held"));
}

#[test]
fn a_stage_that_no_plugin_is_set_for_is_not_begun() {
    let mut plan = plan();
    (plan.review, plan.checks) = (Vec::new(), Vec::new());
    let mut scene = Scene::new(plan);
    scene.go();
    assert_eq!(scene.run.stage(), RunStage::Commit, "neither a review nor a check is commanded");
}
