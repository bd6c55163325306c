use std::time::Duration;

use autodevops_pipeline::{Decision, Method, Plan, Rule, Step, Trigger};

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
    Traffic { per_second, candidate: stable.clone().with("error-rate", errors), stable, clients: None }
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
fn a_bad_release_is_turned_back_at_the_first_step_by_what_needs_no_second_look() {
    let plan = plan();
    for seed in 0..20 {
        let rehearsal = rehearse(&plan, &traffic(&plan, 0.2, 10.0), seed).unwrap();
        let by = [Method::Sprt, Method::HardTrip].map(Some);
        let back = matches!(&rehearsal.ending, Ending::TurnedBack { percent: 5, method } if by.contains(method));
        assert!(back, "{rehearsal:?}");
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
    let traffic = Traffic { per_second: 40.0, candidate, stable, clients: None };
    let rehearsal = rehearse(&plan, &traffic, 5).unwrap();
    assert!(matches!(rehearsal.ending, Ending::TurnedBack { method: Some(Method::MannWhitney), .. }), "{rehearsal:?}");
    // The first of the two bad windows that it takes decides nothing.
    let last = rehearsal.steps.last().unwrap();
    assert_eq!(last.decided, Some(last.lasted), "{rehearsal:?}");
    assert!(last.lasted >= 2 * plan.interval, "{rehearsal:?}");
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

/// A plan of so many services.
fn plan_of(services: usize) -> Plan {
    let mut plan = plan();
    let service = |n: usize| autodevops_pipeline::Service {
        name: format!("service-{n}"),
        paths: vec![format!("services/{n}")],
        staging: format!("staging-{n}"),
        production: format!("production-{n}"),
    };
    plan.services = (0..services).map(service).collect();
    plan
}

#[test]
fn several_services_are_rehearsed_together_and_one_that_is_bad_takes_all_back() {
    let plan = plan_of(3);
    let good = rehearse(&plan, &traffic(&plan, 0.02, 10.0), 1).unwrap();
    assert_eq!(good.ending, Ending::Promoted, "{good:?}");
    let alone = rehearse(&plan_of(1), &traffic(&plan, 0.02, 10.0), 1).unwrap();
    assert!(
        good.requests > 2 * alone.requests,
        "each service has traffic of its own: {} {}",
        good.requests,
        alone.requests
    );
    for seed in 0..20 {
        let rehearsal = rehearse(&plan, &traffic(&plan, 0.2, 10.0), seed).unwrap();
        assert!(matches!(rehearsal.ending, Ending::TurnedBack { percent: 5, .. }), "{rehearsal:?}");
    }
}

#[test]
fn a_glance_finds_a_bad_release_before_the_next_measurement_would() {
    let mut without = plan();
    without.glance = Duration::ZERO;
    let lasted = |plan: &Plan| -> Duration {
        (0..20).map(|seed| rehearse(plan, &traffic(plan, 0.2, 10.0), seed).unwrap().lasted).sum()
    };
    let (with, without) = (lasted(&plan()), lasted(&without));
    assert!(with + 20 * Duration::from_secs(20) < without, "{with:?} {without:?}");
    let rehearsal = rehearse(&plan(), &traffic(&plan(), 0.2, 10.0), 1).unwrap();
    assert_ne!(rehearsal.lasted.as_secs() % 60, 0, "not at a measurement: {rehearsal:?}");
}

#[test]
fn a_fresh_baseline_is_compared_with_as_it_is_in_a_run() {
    let mut plan = plan();
    plan.baseline = autodevops_pipeline::Baseline::Fresh;
    let good = rehearse(&plan, &traffic(&plan, 0.02, 40.0), 2).unwrap();
    assert_eq!(good.ending, Ending::Promoted, "{good:?}");
    let stable = Behaviour::good(&plan);
    let candidate = Behaviour { slowness: 1.6, ..stable.clone() };
    let slow = rehearse(&plan, &Traffic { per_second: 40.0, candidate, stable, clients: None }, 5).unwrap();
    assert!(matches!(slow.ending, Ending::TurnedBack { method: Some(Method::MannWhitney), .. }), "{slow:?}");
}

#[test]
fn what_a_glance_sees_is_what_the_same_traffic_shows_later() {
    let (plan, traffic) = (plan(), traffic(&plan(), 0.1, 20.0));
    let mut world = World::new(&plan, &traffic, 9);
    let shares = Shares { candidate: 25, baseline: 25 };
    let mut bad = 0_u32;
    for n in 1..=240 {
        bad += u32::from(world.tick(n * 250_000_000, shares));
    }
    world.pass(60_000_000_000, shares);
    let seen = world.candidate();
    let errors = seen.events["error-rate"];
    assert!((200..400).contains(&seen.requests) && u64::from(bad) <= errors && bad > 0, "{seen:?} {bad}");
    let window = autodevops_model::Window { start: 0, end: 60_000_000_000 };
    let sample = world.sample(&window, "candidate", Some("stable"));
    let totals: Vec<u64> = sample
        .measurements
        .iter()
        .filter_map(|one| match &one.observation {
            autodevops_model::Observation::Rate(rate) => Some(rate.total),
            _ => None,
        })
        .collect();
    assert_eq!(totals[0], seen.requests);
    assert!((200..400).contains(&totals[1]), "the baseline is seen over the same time: {totals:?}");
}

/// The same, with clients of whom this share sees nothing but errors of either release.
fn by_clients(traffic: Traffic, number: usize, failing: f64) -> Traffic {
    Traffic { clients: Some(Clients { number, failing, slow: 0.0 }), ..traffic }
}

#[test]
fn a_good_release_is_promoted_though_a_client_or_two_of_it_see_nothing_but_errors() {
    let plan = plan();
    let mut failed = 0;
    for seed in 0..20 {
        let traffic = by_clients(traffic(&plan, 0.0, 10.0), 400, 0.0025);
        let rehearsal = rehearse(&plan, &traffic, seed).unwrap();
        assert_eq!(rehearsal.ending, Ending::Promoted, "{seed}: {rehearsal:?}");
        failed += rehearsal.failed;
    }
    assert!(failed > 200, "{failed}");
}

#[test]
fn a_release_that_fails_for_all_clients_is_turned_back_as_soon_as_one_whose_requests_are_nobodys() {
    let plan = plan();
    for seed in 0..20 {
        let rehearsal = rehearse(&plan, &by_clients(traffic(&plan, 0.2, 10.0), 400, 0.0), seed).unwrap();
        assert!(matches!(rehearsal.ending, Ending::TurnedBack { percent: 5, .. }), "{rehearsal:?}");
        assert!(rehearsal.failed < 60 && rehearsal.lasted <= Duration::from_secs(300), "{rehearsal:?}");
    }
}

#[test]
fn failures_in_clumps_by_client_turn_no_good_release_back() {
    let plan = plan();
    for seed in 0..40 {
        let rehearsal = rehearse(&plan, &by_clients(traffic(&plan, 0.0, 10.0), 200, 0.02), seed).unwrap();
        assert!(!matches!(rehearsal.ending, Ending::TurnedBack { .. }), "{seed}: {rehearsal:?}");
    }
}

/// With 2 % of 400 clients who wait three seconds each time, whichever release answers.
fn with_slow_clients(traffic: Traffic) -> Traffic {
    Traffic { clients: Some(Clients { number: 400, failing: 0.0, slow: 0.02 }), ..traffic }
}

#[test]
fn slow_requests_in_clumps_by_client_turn_no_good_release_back_and_one_that_is_slow_for_all_is() {
    let plan = plan();
    let (mut promoted, mut caught) = (0, 0);
    for seed in 0..40 {
        let mut traffic = with_slow_clients(traffic(&plan, 0.0, 20.0));
        let rehearsal = rehearse(&plan, &traffic, seed).unwrap();
        assert!(!matches!(rehearsal.ending, Ending::TurnedBack { .. }), "{seed}: {rehearsal:?}");
        promoted += usize::from(rehearsal.ending == Ending::Promoted);
        traffic.candidate.slowness = 2.0;
        let rehearsal = rehearse(&plan, &traffic, seed).unwrap();
        caught += usize::from(matches!(rehearsal.ending, Ending::TurnedBack { .. }));
    }
    // Where one client of twenty waits each time, nobody can tell: a person is asked.
    assert!(promoted > 20 && caught > 35, "of 40: {promoted} promoted, {caught} caught");
}

#[test]
fn how_long_each_clients_requests_take_is_seen_by_client_and_told_as_the_front_door_does() {
    let plan = plan();
    let traffic = with_slow_clients(traffic(&plan, 0.0, 100.0));
    let mut world = World::new(&plan, &traffic, 3);
    let minute = 60_000_000_000;
    world.pass(minute, Shares::beside_stable(50));
    let seen = world.candidate();
    let took: u64 = seen.of_clients.took.iter().flatten().map(|count| u64::from(*count)).sum();
    assert_eq!((took, seen.latency.iter().sum::<u64>()), (seen.requests, seen.requests));
    let slow = seen.of_clients.took.iter().filter(|took| took[11] > 5).count();
    assert!((1..=12).contains(&slow), "{slow} of about 200 clients");
    let window = autodevops_model::Window { start: 0, end: minute };
    let sample = world.sample(&window, "candidate", Some("stable"));
    let effects = |release: &str| {
        let mut of = sample.measurements.iter().filter(|seen| seen.release == release);
        let told = of.find(|seen| seen.metric == autodevops_pipeline::LATENCY_EFFECTS).unwrap();
        let autodevops_model::Observation::Samples(effects) = &told.observation else { panic!("{told:?}") };
        effects.clone()
    };
    for release in ["candidate", "stable"] {
        let effects = effects(release);
        // About thirty requests of each client take either long or not.
        assert!(effects.len() == 15 && (15.0..45.0).contains(&effects[10]), "{release}: {effects:?}");
    }
}

#[test]
fn clients_stay_with_a_release_and_what_a_few_of_them_see_is_counted_as_the_front_door_does() {
    let plan = plan();
    let traffic = by_clients(traffic(&plan, 0.0, 100.0), 20, 0.05);
    let mut capped = 0;
    for seed in 0..40 {
        let mut world = World::new(&plan, &traffic, seed);
        let minute = 60_000_000_000;
        world.pass(minute, Shares::beside_stable(25));
        let early: Vec<bool> = world.candidate().of_clients.errors.iter().map(|errors| *errors > 0).collect();
        world.pass(2 * minute, Shares::beside_stable(25));
        let seen = world.candidate();
        assert_eq!(seen.of_clients.errors.iter().sum::<u64>(), seen.events["error-rate"]);
        assert_eq!(early, seen.of_clients.errors.iter().map(|errors| *errors > 0).collect::<Vec<_>>());
        let window = autodevops_model::Window { start: 0, end: 2 * minute };
        let sample = world.sample(&window, "candidate", None);
        let rate = sample.measurements.iter().find(|seen| seen.metric == "error-rate").unwrap();
        let autodevops_model::Observation::Rate(rate) = &rate.observation else { panic!("{rate:?}") };
        let failing = early.iter().filter(|errors| **errors).count() as u64;
        assert_eq!(rate.total, seen.requests);
        assert_eq!(rate.events, if failing > 2 { seen.events["error-rate"] } else { 3 * failing }, "{seen:?}");
        capped += u64::from(failing == 1);
    }
    assert!(capped > 3, "{capped}");
}

#[test]
fn a_metric_that_the_front_door_does_not_measure_is_told_by_a_health_check_and_passes_beside_the_hosts_errors() {
    let mut plan = plan();
    plan.triggers.push(Trigger::new("checkouts", Rule::RateBelow(0.9)));
    let traffic = traffic(&plan, 0.02, 20.0);
    let mut world = World::new(&plan, &traffic, 7);
    let minute = 60_000_000_000;
    world.pass(minute, Shares::beside_stable(25));
    let window = autodevops_model::Window { start: 0, end: minute };
    let named = |sample: &autodevops_pipeline::Sample| -> Vec<String> {
        sample.measurements.iter().map(|seen| format!("{} of {}", seen.metric, seen.release)).collect()
    };
    let (seen, told) = (world.sample(&window, "new", Some("old")), world.told(&window, "new", Some("old")).unwrap());
    assert!(seen.observed_by_host && named(&seen).iter().all(|name| !name.starts_with("checkouts")), "{seen:?}");
    assert_eq!(
        (told.observed_by_host, named(&told)),
        (false, vec!["checkouts of new".into(), "checkouts of old".into()])
    );
    assert_eq!(World::new(&self::plan(), &traffic, 7).told(&window, "new", None), None);

    let good = rehearse(&plan, &traffic, 3).unwrap();
    assert_eq!(good.ending, Ending::Promoted, "{good:?}");
    let mut bad = traffic.clone();
    bad.candidate = bad.candidate.with("checkouts", 0.7);
    let bad = rehearse(&plan, &bad, 3).unwrap();
    assert!(matches!(bad.ending, Ending::TurnedBack { percent: 5, .. }), "{bad:?}");
    assert!(bad.lasted >= plan.interval, "no glance sees what a health check tells: {bad:?}");
    // Where nothing is there by which the host sees for itself, nobody takes the plugin's word.
    plan.triggers.retain(|trigger| trigger.metric == "checkouts");
    let alone = rehearse(&plan, &traffic, 3).unwrap();
    assert_eq!(alone.ending, Ending::Held { percent: 5 }, "{alone:?}");
}
