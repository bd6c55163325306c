use std::time::Duration;

use autodevops_pipeline::{Decision, Method, Plan, Step};

use crate::*;

/// Steps of ten minutes at so much a second.
fn plan() -> Plan {
    let mut plan = Plan::defaults("shop");
    plan.steps = [5, 25, 100].map(|percent| Step { percent, duration: Duration::from_secs(600) }).to_vec();
    plan.monitoring = Duration::from_secs(600);
    plan
}

fn traffic(plan: &Plan, errors: f64, per_second: f64) -> Traffic {
    let stable = Behaviour::good(plan);
    Traffic { per_second, candidate: stable.clone().with("error-rate", errors), stable }
}

#[test]
fn a_seed_makes_a_rehearsal_and_another_seed_another() {
    let plan = plan();
    let traffic = traffic(&plan, 0.02, 10.0);
    let one = rehearse(&plan, &traffic, 1).unwrap();
    assert_eq!(one, rehearse(&plan, &traffic, 1).unwrap());
    assert_ne!(one.requests, rehearse(&plan, &traffic, 2).unwrap().requests);
}

#[test]
fn a_good_release_is_promoted_over_every_step_and_its_monitoring() {
    let plan = plan();
    for seed in 0..20 {
        let rehearsal = rehearse(&plan, &traffic(&plan, 0.02, 10.0), seed).unwrap();
        assert_eq!(rehearsal.ending, Ending::Promoted, "{rehearsal:?}");
        let steps: Vec<_> = rehearsal.steps.iter().map(|step| (step.percent, step.passed)).collect();
        assert_eq!(steps, [(5, true), (25, true), (100, true), (100, true)]);
        assert!(rehearsal.steps.iter().all(|step| step.requests > 200 && step.decided.is_some()));
    }
}

#[test]
fn a_bad_release_is_turned_back_at_the_first_step_by_the_sequential_test() {
    let plan = plan();
    for seed in 0..20 {
        let rehearsal = rehearse(&plan, &traffic(&plan, 0.2, 10.0), seed).unwrap();
        let back = Ending::TurnedBack { percent: 5, method: Some(Method::Sprt) };
        assert_eq!(rehearsal.ending, back, "{rehearsal:?}");
        assert!(rehearsal.failed < 60 && rehearsal.lasted <= Duration::from_secs(300), "{rehearsal:?}");
    }
}

#[test]
fn without_visitors_a_person_is_asked_and_nothing_is_promoted() {
    let plan = plan();
    for per_second in [0.0, 0.01] {
        let rehearsal = rehearse(&plan, &traffic(&plan, 0.02, per_second), 3).unwrap();
        assert_eq!(rehearsal.ending, Ending::Held { percent: 5 });
        assert_eq!(rehearsal.steps.len(), 1);
    }
}

#[test]
fn a_slow_release_is_turned_back() {
    let plan = plan();
    let stable = Behaviour::good(&plan);
    let candidate = Behaviour { slowness: 1.6, ..stable.clone() };
    let traffic = Traffic { per_second: 40.0, candidate, stable };
    let rehearsal = rehearse(&plan, &traffic, 5).unwrap();
    assert!(matches!(rehearsal.ending, Ending::TurnedBack { method: Some(Method::MannWhitney), .. }), "{rehearsal:?}");
}

#[test]
fn a_plan_that_cannot_be_followed_is_not_rehearsed() {
    let mut plan = plan();
    let traffic = traffic(&plan, 0.02, 1.0);
    plan.steps.clear();
    assert!(rehearse(&plan, &traffic, 1).is_err());
}

#[test]
fn what_the_sequential_test_saves_is_seen() {
    let (with, mut without) = (plan(), plan());
    without.decision = Decision { sequential_up_to: 0, ..without.decision };
    let failed =
        |plan: &Plan| (0..20).map(|seed| rehearse(plan, &traffic(plan, 0.15, 10.0), seed).unwrap().failed).sum::<u64>();
    assert!(failed(&with) < failed(&without), "{} {}", failed(&with), failed(&without));
}
