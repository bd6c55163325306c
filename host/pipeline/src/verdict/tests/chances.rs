//! How often a whole rollout would be decided wrongly by what is looked at again and again: exactly, not by a simulation. Four times a
//! second is as often as after every request.

use super::*;
use crate::{Service, verdict::is_crossed_at_once};

/// Of how many requests the chances are followed: of a good release the evidence is far below zero by then.
const REQUESTS: u64 = 600;

/// More events than ever are needed of so many requests.
const EVENTS: usize = 80;

/// The defaults with a fourth metric, of so many services that are promoted together.
fn plan_of(services: u64) -> Plan {
    let mut plan = Plan::defaults("shop");
    plan.triggers.push(Trigger::new("checkout-error-rate", Rule::RateAbove(0.05)));
    let service = |n| Service {
        name: format!("service-{n}"),
        paths: vec![format!("services/{n}")],
        staging: format!("staging-{n}"),
        production: format!("production-{n}"),
    };
    plan.services = (0..services).map(service).collect();
    plan
}

/// The fewest events of each number of requests, from 0 on, by which a release is turned back at once.
fn needed(plan: &Plan, percent: u8) -> Vec<usize> {
    needed_again(plan, percent, 0)
}

/// The same of a watch after so many others that the plan knows nothing of.
fn needed_again(plan: &Plan, percent: u8, again: u32) -> Vec<usize> {
    let chances = (plan.services.len() as u64) << again;
    let crossed = |events: usize, total: u64| {
        let samples = host(vec![rate("new", events as u64, total)]);
        is_crossed_at_once(plan, &Round { percent, chances, ..round(&samples, None) })
    };
    let fewest = |total: u64| {
        let most = (total as usize).min(EVENTS);
        let all: Vec<usize> = (0..=most).collect();
        all.partition_point(|events| !crossed(*events, total))
    };
    (0..=REQUESTS).map(fewest).collect()
}

/// The chance that a release with this rate of errors is turned back at once by any of all looks, one after each request.
fn ever_crossed(needed: &[usize], rate: f64) -> f64 {
    let (mut open, mut crossed) = (vec![0.0; EVENTS + 2], 0.0);
    open[0] = 1.0;
    for least in &needed[1..] {
        for events in (0..open.len()).rev() {
            let one_less = if events == 0 { 0.0 } else { open[events - 1] };
            open[events] = open[events] * (1.0 - rate) + one_less * rate;
        }
        let beyond = (*least).min(open.len());
        crossed += open[beyond..].iter().sum::<f64>();
        open[beyond..].fill(0.0);
    }
    crossed
}

#[test]
fn a_good_rollout_is_turned_back_by_chance_in_three_of_a_thousand_at_most_however_many_services_it_has() {
    for services in [1, 3, 8] {
        let plan = plan_of(services);
        let shares = plan.triggers.iter().filter(|trigger| trigger.is_sequential()).count();
        assert_eq!(shares, 3, "the fourth is a comparison, which no glance looks at");
        let watches = plan.steps.iter().map(|step| step.percent).chain([100]);
        let each: f64 = watches.map(|percent| ever_crossed(&needed(&plan, percent), 0.02)).sum();
        let at_once = each * shares as f64 * services as f64;
        let whole = at_once + plan.decision.window_alpha;
        assert!(at_once <= plan.decision.alpha, "{services}: {at_once}");
        assert!(at_once >= plan.decision.alpha / 4.0, "{services}: {at_once}: a test that never errs finds nothing");
        assert!(whole <= 0.003, "{services}: {whole}");
    }
}

#[test]
fn watches_that_begin_anew_come_to_the_chances_of_one_step_more_however_many_they_are() {
    let plan = plan_of(1);
    let share = plan.decision.alpha / plan.sequential_tests() as f64;
    let more: f64 = (1..=8).map(|again| ever_crossed(&needed_again(&plan, 5, again), 0.02)).sum();
    assert!(more <= share, "{more} of {share}");
    let alike: f64 = 8.0 * ever_crossed(&needed(&plan, 5), 0.02);
    assert!(alike > share, "{alike} of {share}: it would be more if each had the same");
    assert!(ever_crossed(&needed_again(&plan, 5, 2), 0.10) >= 0.95, "a bad release is turned back all the same");
}

#[test]
fn a_hard_trip_of_a_good_release_is_rare_beyond_any_number_of_looks() {
    let mut plan = plan_of(3);
    plan.decision.sequential_up_to = 0;
    assert!(ever_crossed(&needed(&plan, 5), 0.02) < 2e-6);
}

#[test]
fn a_bad_release_is_turned_back_at_the_first_step_though_three_services_share_the_chance_to_be_wrong() {
    for services in [1, 3, 8] {
        let caught = ever_crossed(&needed(&plan_of(services), 5), 0.10);
        assert!(caught >= 0.95, "{services}: {caught}");
    }
}
