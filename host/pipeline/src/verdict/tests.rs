use super::*;
use autodevops_model::Measurement;

const WHOLE: Window = Window { start: 0, end: 600_000_000_000 };

fn rate(release: &str, events: u64, total: u64) -> Measurement {
    Measurement {
        metric: "error-rate".into(),
        unit: "ratio".into(),
        release: release.into(),
        observation: Observation::Rate(Rate { events, total }),
        window: WHOLE,
    }
}

fn latency(release: &str, observation: Observation) -> Measurement {
    Measurement { metric: "latency".into(), unit: "seconds".into(), ..rate(release, 0, 0) }.with(observation)
}

trait With {
    fn with(self, observation: Observation) -> Self;
}

impl With for Measurement {
    fn with(self, observation: Observation) -> Self {
        Self { observation, ..self }
    }
}

fn sample(source: &str, observed_by_host: bool, measurements: Vec<Measurement>) -> Sample {
    Sample { source: source.into(), observed_by_host, window: WHOLE, measurements }
}

fn plan(rules: &[(&str, Rule)]) -> Plan {
    let mut plan = Plan::defaults("shop");
    let trigger = |(metric, rule): &(&str, Rule)| Trigger {
        metric: (*metric).into(),
        rule: *rule,
        window: std::time::Duration::from_secs(300),
        min_samples: 20,
        critical: true,
    };
    plan.triggers = rules.iter().map(trigger).collect();
    plan
}

fn errors() -> Plan {
    plan(&[("error-rate", Rule::RateAbove(0.05))])
}

fn judged(plan: &Plan, samples: &[Sample], baseline: Option<&str>) -> Judgement {
    judge(plan, &Round { samples, candidate: "new", baseline, before: &[], whole: &WHOLE, independent: true })
}

fn host(measurements: Vec<Measurement>) -> [Sample; 1] {
    [sample("edge", true, measurements)]
}

#[test]
fn so_many_errors_fail_and_one_less_does_not() {
    for (total, needed) in [(20, 4), (50, 7), (100, 11), (500, 37)] {
        assert!(wilson_lower(needed, total) > 0.05, "{needed} of {total}");
        assert!(wilson_lower(needed - 1, total) <= 0.05, "{} of {total}", needed - 1);
        assert_eq!(judged(&errors(), &host(vec![rate("new", needed, total)]), None).outcome, Outcome::Failed);
        assert_ne!(judged(&errors(), &host(vec![rate("new", needed - 1, total)]), None).outcome, Outcome::Failed);
    }
}

/// The chance of at least `least` events among `total` at a true share of `p`: the exact binomial.
fn chance(least: u64, total: u64, p: f64) -> f64 {
    let mut term = (1.0 - p).powi(i32::try_from(total).unwrap());
    let mut below = 0.0;
    for k in 0..least {
        below += term;
        term *= (total - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
    }
    1.0 - below
}

#[test]
fn a_service_at_two_per_cent_is_failed_by_chance_less_than_twice_in_a_thousand_windows() {
    for total in Trigger::MIN_SAMPLES..=600 {
        let needed = (0..=total).find(|events| wilson_lower(*events, total) > 0.05).unwrap();
        assert!(chance(needed, total, 0.02) < 0.002, "{needed} of {total}: {}", chance(needed, total, 0.02));
    }
}

#[test]
fn the_rule_finds_a_bad_release_as_often_as_the_reference_says() {
    for (total, needed, at_ten, at_twenty) in [(20, 4, 0.13, 0.59), (50, 7, 0.23, 0.90), (100, 11, 0.42, 0.99)] {
        assert!((chance(needed, total, 0.10) - at_ten).abs() < 0.01, "{total}: {}", chance(needed, total, 0.10));
        assert!((chance(needed, total, 0.20) - at_twenty).abs() < 0.01, "{total}: {}", chance(needed, total, 0.20));
    }
}

#[test]
fn too_few_requests_decide_nothing() {
    let judgement = judged(&errors(), &host(vec![rate("new", 0, 19)]), None);
    assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Inconclusive, true));
    let judgement = judged(&errors(), &host(vec![rate("new", 0, 20)]), None);
    assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Passed, true));
}

#[test]
fn silence_and_a_misspelt_metric_never_pass() {
    assert_eq!(judged(&errors(), &[], None).outcome, Outcome::Inconclusive);
    assert_eq!(judged(&errors(), &host(vec![]), None).outcome, Outcome::Inconclusive);
    let misspelt = plan(&[("eror-rate", Rule::RateAbove(0.05))]);
    let judgement = judged(&misspelt, &host(vec![rate("new", 0, 900)]), None);
    assert_eq!(judgement.outcome, Outcome::Inconclusive);
    assert_eq!(judgement.verdicts[0].words, "nobody measured `eror-rate`");
}

#[test]
fn a_rate_above_the_threshold_that_may_be_chance_is_inconclusive() {
    let judgement = judged(&errors(), &host(vec![rate("new", 2, 20)]), None);
    assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Inconclusive, false));
}

#[test]
fn one_source_that_is_not_the_host_cannot_pass_but_can_fail() {
    let lone = [sample("plugin", false, vec![rate("new", 0, 500)])];
    let judgement = judged(&errors(), &lone, None);
    assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Inconclusive, true));
    assert!(judgement.verdicts[0].words.contains("only `plugin` says so"), "{}", judgement.verdicts[0].words);
    let twice = [lone[0].clone(), lone[0].clone()];
    assert_eq!(judged(&errors(), &twice, None).outcome, Outcome::Inconclusive);
    let two = [lone[0].clone(), sample("other", false, vec![rate("new", 1, 400)])];
    assert_eq!(judged(&errors(), &two, None).outcome, Outcome::Passed);
    let bad = [sample("plugin", false, vec![rate("new", 90, 500)])];
    assert_eq!(judged(&errors(), &bad, None).outcome, Outcome::Failed);
    let round =
        Round { samples: &lone, candidate: "new", baseline: None, before: &[], whole: &WHOLE, independent: false };
    assert_eq!(judge(&errors(), &round).outcome, Outcome::Passed, "staging takes one source");
}

#[test]
fn a_lying_plugin_cannot_outvote_the_host() {
    let samples = [
        sample("edge", true, vec![rate("new", 60, 500)]),
        sample("liar", false, vec![rate("new", 0, 50_000)]),
        sample("liars-friend", false, vec![rate("new", 0, 50_000)]),
    ];
    assert_eq!(judged(&errors(), &samples, None).outcome, Outcome::Failed);
}

#[test]
fn half_of_ten_requests_failed_trips_at_once_and_by_the_hosts_count_where_there_is_one() {
    assert!(judged(&errors(), &host(vec![rate("new", 5, 10)]), None).tripped);
    assert!(!judged(&errors(), &host(vec![rate("new", 5, 9)]), None).tripped);
    assert!(!judged(&errors(), &host(vec![rate("new", 4, 10)]), None).tripped);
    assert!(judged(&errors(), &[sample("plugin", false, vec![rate("new", 9, 10)])], None).tripped);
    let calm = [sample("plugin", false, vec![rate("new", 9, 10)]), sample("edge", true, vec![rate("new", 0, 100)])];
    assert!(!judged(&errors(), &calm, None).tripped);
}

#[test]
fn a_hard_trip_needs_no_trigger_that_names_the_error_rate() {
    let slow = plan(&[("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 })]);
    assert!(judged(&slow, &host(vec![rate("new", 5, 10)]), None).tripped);
    assert!(!judged(&slow, &host(vec![rate("new", 4, 10)]), None).tripped);
}

#[test]
fn a_hard_trip_is_critical_even_where_its_trigger_is_not() {
    let mut plan = errors();
    plan.triggers[0].critical = false;
    let judgement = judged(&plan, &host(vec![rate("new", 10, 10)]), None);
    assert!(judgement.tripped && judgement.critical);
    let judgement = judged(&plan, &host(vec![rate("new", 40, 100)]), None);
    assert_eq!((judgement.outcome, judgement.critical), (Outcome::Failed, false));
}

#[test]
fn a_stable_release_that_is_broken_itself_excuses_a_candidate_that_is_no_worse() {
    let better = host(vec![rate("new", 60, 500), rate("old", 150, 500)]);
    assert_eq!(judged(&errors(), &better, Some("old")).outcome, Outcome::Passed);
    let worse = host(vec![rate("new", 240, 500), rate("old", 150, 500)]);
    assert_eq!(judged(&errors(), &worse, Some("old")).outcome, Outcome::Failed);
    let both = host(vec![rate("new", 300, 500), rate("old", 290, 500)]);
    let judgement = judged(&errors(), &both, Some("old"));
    assert_eq!((judgement.outcome, judgement.tripped), (Outcome::Inconclusive, false));
}

fn histogram(buckets: &[(f64, u64)]) -> Observation {
    Observation::Histogram(buckets.iter().map(|&(le, count)| Bucket { le, count }).collect())
}

#[test]
fn a_slow_tail_fails_and_the_performance_verdict_says_so() {
    let plan = plan(&[
        ("error-rate", Rule::RateAbove(0.05)),
        ("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 }),
    ]);
    let slow = histogram(&[(1.0, 80), (2.0, 80), (5.0, 100), (f64::MAX, 100)]);
    let judgement = judged(&plan, &host(vec![rate("new", 0, 100), latency("new", slow)]), None);
    assert_eq!(judgement.outcome, Outcome::Failed);
    assert_eq!(judgement.performance.unwrap().outcome, Outcome::Failed);
    let quick = histogram(&[(1.0, 99), (2.0, 100), (5.0, 100), (f64::MAX, 100)]);
    let judgement = judged(&plan, &host(vec![rate("new", 0, 100), latency("new", quick)]), None);
    assert_eq!(judgement.outcome, Outcome::Passed);
}

#[test]
fn a_few_milliseconds_more_are_no_reason_to_turn_back_and_many_are() {
    let plan = plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile: 0.95 })]);
    let of = |release, counts: [u64; 4]| {
        let buckets: Vec<_> = [0.005, 0.01, 0.1, f64::MAX].into_iter().zip(counts).collect();
        latency(release, histogram(&buckets))
    };
    let quick = of("old", [500, 500, 500, 500]);
    let noise = of("new", [300, 500, 500, 500]);
    let slow = of("new", [100, 100, 500, 500]);
    assert_eq!(judged(&plan, &host(vec![noise, quick.clone()]), Some("old")).outcome, Outcome::Passed);
    assert_ne!(judged(&plan, &host(vec![slow, quick]), Some("old")).outcome, Outcome::Passed);
}

#[test]
fn a_candidate_is_compared_with_the_baseline_of_the_same_time() {
    let plan = plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile: 0.95 })]);
    let values = |seconds: f64| Observation::Samples(vec![seconds; 100]);
    let both = |new: f64, old: f64| host(vec![latency("new", values(new)), latency("old", values(old))]);
    assert_eq!(judged(&plan, &both(0.11, 0.10), Some("old")).outcome, Outcome::Passed);
    assert_eq!(judged(&plan, &both(0.13, 0.10), Some("old")).outcome, Outcome::Failed);
    let alone = host(vec![latency("new", values(0.1))]);
    let judgement = judged(&plan, &alone, Some("old"));
    assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Inconclusive, true));
    let endless = host(vec![latency("new", values(1.0)), latency("old", histogram(&[(1.0, 10), (f64::MAX, 100)]))]);
    assert_eq!(judged(&plan, &endless, Some("old")).outcome, Outcome::Passed);
}

#[test]
fn a_short_bad_window_keeps_a_good_watch_from_passing() {
    let own = Window { start: 300_000_000_000, ..WHOLE };
    let bad = Sample { window: own, ..sample("edge", true, vec![rate("new", 30, 100)]) };
    let good = sample("edge", true, vec![rate("new", 30, 2000)]);
    assert_eq!(judged(&errors(), &[good.clone(), bad.clone()], None).outcome, Outcome::Failed);
    let quiet = Sample { measurements: vec![rate("new", 0, 3)], ..bad.clone() };
    assert_eq!(judged(&errors(), &[good.clone(), quiet], None).outcome, Outcome::Passed);
    let other = Sample { window: Window { start: 599_000_000_000, ..WHOLE }, ..bad };
    assert_eq!(judged(&errors(), &[good, other], None).outcome, Outcome::Passed, "a window that is not the trigger's");
}

#[test]
fn a_source_with_too_few_requests_holds_up_nothing_that_another_has_seen_enough_of() {
    let late = sample("late", false, vec![rate("new", 0, 3)]);
    let enough = sample("edge", true, vec![rate("new", 0, 300)]);
    assert_eq!(judged(&errors(), &[late.clone(), enough], None).outcome, Outcome::Passed);
    let bad = sample("edge", true, vec![rate("new", 60, 300)]);
    assert_eq!(judged(&errors(), &[late, bad], None).outcome, Outcome::Failed);
}

#[test]
fn under_all_traffic_a_candidate_is_excused_by_what_stable_was_last_seen_to_do() {
    let before = [rate("old", 150, 500)];
    let round = |samples: &[Sample]| {
        let round =
            Round { samples, candidate: "new", baseline: None, before: &before, whole: &WHOLE, independent: true };
        judge(&errors(), &round).outcome
    };
    assert_eq!(round(&host(vec![rate("new", 60, 500)])), Outcome::Passed);
    assert_eq!(round(&host(vec![rate("new", 240, 500)])), Outcome::Failed);
}
