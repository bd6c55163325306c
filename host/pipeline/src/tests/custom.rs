//! Rollouts with a metric of the operator's own, which one health check measures beside what the host sees.

use autodevops_model::{Measurement, Observation, Rate};

use super::scene::{Scene, plan};
use crate::{EventKind, Input, Origin, Outcome, Plan, Rule, Sample, Trigger};

fn shop() -> Plan {
    let mut plan = plan();
    plan.triggers.push(Trigger::new("checkouts", Rule::RateBelow(0.9)));
    plan
}

/// Goes on to the end, where a health check says that so many of 200 went through wherever it is asked.
fn ends(plan: Plan, checkouts: u64, is_host_blind: bool) -> (Outcome, Scene) {
    let mut scene = Scene::new(plan);
    for _ in 0..1000 {
        let command = scene.command();
        if let crate::Command::Finish(outcome) = command {
            return (outcome, scene);
        }
        let Input::Measured { mut samples, error } = scene.answer(&command) else {
            scene.obey(&command);
            continue;
        };
        let told = |sample: &Sample| Sample {
            source: "shop-health".into(),
            origin: Origin { publisher: "the shop".into(), component: "sha256:shop".into() },
            observed_by_host: false,
            measurements: vec![Measurement {
                metric: "checkouts".into(),
                unit: "ratio".into(),
                release: "new".into(),
                observation: Observation::Rate(Rate { events: checkouts, total: 200 }),
                window: sample.window.clone(),
            }],
            ..sample.clone()
        };
        let more: Vec<Sample> = samples.iter().map(told).collect();
        samples.retain(|_| !is_host_blind);
        samples.extend(more);
        scene.say(Input::Measured { samples, error }).unwrap();
    }
    panic!("it never ends");
}

#[test]
fn a_release_is_promoted_by_what_the_host_saw_and_by_one_health_checks_own_metric_beside_it() {
    let (outcome, scene) = ends(shop(), 200, false);
    assert_eq!(outcome, Outcome::Healed);
    assert_eq!(scene.production(), [("new", 100)]);
    assert!(
        !scene.has(|event| matches!(event, EventKind::StepExtended { .. } | EventKind::Held { .. })),
        "no step waits"
    );
}

#[test]
fn a_release_of_which_the_health_checks_own_metric_is_bad_is_turned_back_at_the_first_step() {
    let mut shop = shop();
    shop.soak = std::time::Duration::ZERO;
    let (outcome, scene) = ends(shop, 120, false);
    let Outcome::RolledBack { reason } = outcome else { panic!("{outcome}") };
    assert!(reason.contains("checkouts: 60.0 %"), "{reason}");
    assert_eq!(scene.traffic_was().iter().max(), Some(&5));
}

#[test]
fn where_the_host_sees_nothing_a_health_checks_own_metric_promotes_nothing() {
    let (outcome, scene) = ends(shop(), 200, true);
    assert!(matches!(outcome, Outcome::Aborted { .. }), "{outcome}");
    assert!(!scene.traffic_was().contains(&25));
}
