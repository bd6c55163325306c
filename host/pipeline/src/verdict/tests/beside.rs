//! What a candidate is beside the stable release.

use super::*;

#[test]
fn a_stable_release_that_is_broken_itself_excuses_a_candidate_that_is_no_worse() {
    let better = host(vec![rate("new", 60, 500), rate("old", 150, 500)]);
    assert_eq!(judged(&errors(), &better, Some("old")).outcome, Outcome::Passed);
    let worse = host(vec![rate("new", 240, 500), rate("old", 150, 500)]);
    assert_eq!(judged(&errors(), &worse, Some("old")).outcome, Outcome::Failed);
    let both = host(vec![rate("new", 300, 500), rate("old", 290, 500)]);
    let judgement = judged(&errors(), &both, Some("old"));
    assert_eq!((judgement.outcome, judgement.at_once), (Outcome::Inconclusive, false));
}

#[test]
fn a_baseline_that_may_be_broken_keeps_no_release_that_is_surely_good() {
    let beside =
        |events, total| judged(&errors(), &host(vec![rate("new", events, total), rate("old", 16, 218)]), Some("old"));
    let early = beside(0, 78);
    assert_eq!((early.outcome, early.lacking), (Outcome::Inconclusive, true));
    let late = beside(0, 513);
    assert_eq!((late.outcome, late.verdicts[0].method), (Outcome::Passed, Some(Method::Wilson)));
    // Above the limit, it is neither good nor the worse one.
    let above = beside(34, 513);
    assert_eq!((above.outcome, above.lacking), (Outcome::Inconclusive, false));
}

#[test]
fn a_baseline_at_the_limit_is_not_broken() {
    let beside =
        |old| judged(&errors(), &host(vec![rate("new", 37, 500), rate("old", old, 1000)]), Some("old")).outcome;
    assert_eq!((beside(50), beside(51)), (Outcome::Failed, Outcome::Inconclusive));
}

#[test]
fn a_few_milliseconds_more_are_no_reason_to_turn_back_and_many_are() {
    let plan = plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile: Some(0.95) })]);
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
    let plan = plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile: Some(0.95) })]);
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
fn a_quantile_that_is_not_seen_to_be_worse_passes_and_lacks_nothing_and_too_few_or_perhaps_worse_does_not() {
    let plan = plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile: Some(0.95) })]);
    let of = |slow: usize, total: usize| {
        latency("new", Observation::Samples([vec![1.0; slow], vec![0.1; total - slow]].concat()))
    };
    let old = latency("old", Observation::Samples(vec![0.1; 400]));
    let judged = |samples: &[Sample]| {
        let judgement = judged(&plan, samples, Some("old"));
        (judgement.outcome, judgement.lacking)
    };
    let seen = |slow, total| judged(&host(vec![of(slow, total), old.clone()]));
    assert_eq!(seen(0, 10), (Outcome::Inconclusive, true), "too few");
    assert_eq!(seen(4, 40), (Outcome::Inconclusive, false), "a tenth is above, but may be chance");
    assert_eq!(seen(1, 40).0, Outcome::Passed);
    // Another who saw too few keeps nobody from passing it.
    let few = sample("monitor", false, vec![of(0, 10), old.clone()]);
    let enough = sample("edge", true, vec![of(1, 40), old.clone()]);
    for both in [[few.clone(), enough.clone()], [enough, few]] {
        assert_eq!(judged(&both).0, Outcome::Passed);
    }
}

#[test]
fn latencies_that_are_longer_by_what_may_be_chance_pass_however_much_that_is() {
    let plan = plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile: None })]);
    let values = |count: u32, more: f64| {
        Observation::Samples((0..count).map(|index| 0.4 * f64::from(index) / f64::from(count) + more).collect())
    };
    let judged = |more| {
        judged(&plan, &host(vec![latency("new", values(20, more)), latency("old", values(40, 0.0))]), Some("old"))
    };
    let judgement = judged(0.07);
    let words = &judgement.verdicts[0].words;
    assert_eq!(judgement.outcome, Outcome::Passed, "{words}");
    assert!(words.ends_with("; not more than by chance"), "{words}");
    assert_eq!(judged(0.3).outcome, Outcome::Failed);
}

#[test]
fn under_all_traffic_a_candidate_is_excused_by_what_stable_was_last_seen_to_do() {
    let before = [rate("old", 150, 500)];
    let outcome = |samples: &[Sample]| judge(&errors(), &Round { before: &before, ..round(samples, None) }).outcome;
    assert_eq!(outcome(&host(vec![rate("new", 60, 500)])), Outcome::Passed);
    assert_eq!(outcome(&host(vec![rate("new", 240, 500)])), Outcome::Failed);
}

#[test]
fn rates_are_compared_by_the_two_proportion_test_and_one_error_of_few_is_none() {
    let mut plan = plan(&[("error-rate", Rule::WorseBy { ratio: 0.2, quantile: None })]);
    let both = |new: (u64, u64), old: (u64, u64)| host(vec![rate("new", new.0, new.1), rate("old", old.0, old.1)]);
    let judgement = judged(&plan, &both((30, 500), (100, 5000)), Some("old"));
    assert_eq!((judgement.outcome, judgement.verdicts[0].method), (Outcome::Failed, Some(Method::TwoProportions)));
    assert_eq!(judged(&plan, &both((11, 500), (100, 5000)), Some("old")).outcome, Outcome::Passed, "within 20 %");
    assert_eq!(judged(&plan, &both((1, 20), (0, 1000)), Some("old")).outcome, Outcome::Inconclusive);
    plan.triggers[0].effect = Some(0.05);
    assert_eq!(judged(&plan, &both((30, 500), (100, 5000)), Some("old")).outcome, Outcome::Passed, "below the floor");
    plan.triggers[0].effect = None;
    plan.triggers[0].direction = Direction::Decrease;
    assert_eq!(judged(&plan, &both((30, 500), (500, 5000)), Some("old")).outcome, Outcome::Failed);
    assert_eq!(judged(&plan, &both((60, 500), (500, 5000)), Some("old")).outcome, Outcome::Passed);
}

#[test]
fn where_all_triggers_compare_and_nothing_is_there_to_compare_with_that_is_said() {
    let plan = plan(&[("error-rate", Rule::WorseBy { ratio: 0.2, quantile: None })]);
    let judgement = judged(&plan, &host(vec![rate("new", 0, 500)]), None);
    assert_eq!((judgement.outcome, judgement.lacking, judgement.verdicts.len()), (Outcome::Inconclusive, false, 1));
    assert!(judgement.verdicts[0].words.starts_with("nothing was judged: all triggers"), "{:?}", judgement.verdicts);
}

/// So many latencies around `seconds`, the same each time.
fn around(seconds: f64, count: u32) -> Observation {
    Observation::Samples((0..count).map(|n| seconds * (0.5 + f64::from((n * 37) % count) / f64::from(count))).collect())
}

#[test]
fn latencies_are_compared_by_ranks_and_must_be_longer_by_a_fifth() {
    let plan = plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile: None })]);
    let both = |new: f64, count| host(vec![latency("new", around(new, count)), latency("old", around(0.1, 500))]);
    let outcome = |new, count| judged(&plan, &both(new, count), Some("old")).outcome;
    let judgement = judged(&plan, &both(0.15, 200), Some("old"));
    assert_eq!((judgement.outcome, judgement.verdicts[0].method), (Outcome::Failed, Some(Method::MannWhitney)));
    assert_eq!(judgement.performance.unwrap().outcome, Outcome::Failed);
    assert_eq!(outcome(0.1, 200), Outcome::Passed);
    assert_eq!(outcome(0.11, 2000), Outcome::Passed, "surely slower, but by a tenth only");
    assert_eq!(outcome(0.15, 19), Outcome::Inconclusive);
    assert_eq!(outcome(0.05, 200), Outcome::Passed);
    let buckets =
        |counts: [u64; 5]| histogram(&[0.05, 0.1, 0.25, 0.5, f64::MAX].into_iter().zip(counts).collect::<Vec<_>>());
    let moved = host(vec![
        latency("new", buckets([0, 20, 180, 200, 200])),
        latency("old", buckets([300, 900, 1000, 1000, 1000])),
    ]);
    assert_eq!(judged(&plan, &moved, Some("old")).outcome, Outcome::Failed);
    let other = host(vec![
        latency("new", buckets([0, 20, 180, 200, 200])),
        latency("old", histogram(&[(1.0, 90), (f64::MAX, 100)])),
    ]);
    assert_eq!(judged(&plan, &other, Some("old")).verdicts[0].word(), "error");
}

#[test]
fn more_failures_than_the_baseline_has_are_no_worse_performance() {
    let worse = Rule::WorseBy { ratio: 0.2, quantile: None };
    let refunds = |release: &str, events| Measurement { metric: "refunds".into(), ..rate(release, events, 500) };
    let slow = latency("new", histogram(&[(2.0, 300), (f64::MAX, 500)]));
    let seen = host(vec![
        rate("new", 100, 500),
        rate("old", 10, 500),
        refunds("new", 100),
        refunds("old", 10),
        slow,
        latency("old", histogram(&[(2.0, 500), (f64::MAX, 500)])),
    ]);
    for metric in ["error-rate", "refunds"] {
        let judgement = judged(&plan(&[(metric, worse)]), &seen, Some("old"));
        assert_eq!((judgement.outcome, judgement.performance), (Outcome::Failed, None), "{metric}");
    }
    let both = plan(&[("refunds", worse), ("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 })]);
    let judgement = judged(&both, &seen, Some("old"));
    assert!(judgement.performance.unwrap().rule.starts_with("latency"));
    let unseen = judged(&plan(&[("error-rate", worse)]), &host(vec![refunds("new", 0)]), Some("old"));
    assert_eq!((unseen.outcome, unseen.performance), (Outcome::Inconclusive, None));
}
