//! No rule is a dead end: of enough requests each comes to a decision, whatever the baseline did.

use proptest::prelude::*;

use super::*;

/// As many requests as any rollout sees.
const MANY: u64 = 4_000_000;

/// Bounds of buckets as the front door's, in seconds.
const BOUNDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::MAX];

fn some(share: f64, total: u64) -> u64 {
    (share * total as f64).round() as u64
}

/// Requests of which this share are that bad, by a rule: as they would be measured.
fn seen(rule: Rule, release: &str, bad: f64, total: u64) -> Measurement {
    match rule {
        Rule::RateBelow(_) => rate(release, total - some(bad, total), total),
        // The slow ones take longer than any limit, the others a hundredth of a second.
        Rule::QuantileAbove { .. } => {
            let quick = total - some(bad, total);
            latency(release, histogram(&[(0.01, quick), (5.0, quick), (10.0, total), (f64::MAX, total)]))
        }
        _ => rate(release, some(bad, total), total),
    }
}

/// So many requests that take from half of this time to half as long again, in seconds.
fn lasting(release: &str, seconds: f64, total: u64) -> Measurement {
    let at_most = |bound: f64| some((bound / seconds - 0.5).clamp(0.0, 1.0), total);
    latency(release, histogram(&BOUNDS.map(|bound| (bound, at_most(bound)))))
}

/// A rule that holds a share against a limit, and the limit.
fn limits() -> impl Strategy<Value = (Rule, f64)> {
    (0.002_f64..0.5, 0..3).prop_map(|(limit, kind)| match kind {
        0 => (Rule::RateAbove(limit), limit),
        1 => (Rule::RateBelow(1.0 - limit), limit),
        _ => (Rule::QuantileAbove { quantile: 1.0 - limit, seconds: 2.0 }, limit),
    })
}

/// Decided one by one, or as in a run; at a small step or a large one.
fn ways() -> impl Strategy<Value = (Decision, u8)> {
    (prop_oneof![Just(Decision::single()), Just(Decision::default())], prop_oneof![Just(5), Just(50)])
}

fn ruled(rule: Rule, (decision, percent): (Decision, u8), both: [Measurement; 2]) -> Judgement {
    let metric = both[0].metric.clone();
    let plan = Plan { decision, ..plan(&[(&metric, rule)]) };
    let samples = host(both.into());
    // Of so many failures the hard trip needs no rule: it is the rule that is asked here.
    let plan = Plan { hard_trip: crate::HardTrip { min_samples: u64::MAX, ..plan.hard_trip }, ..plan };
    judge(&plan, &Round { percent, ..round(&samples, Some("old")) })
}

proptest! {
    #[test]
    fn a_release_that_is_far_below_its_limit_passes_whatever_the_baseline_did(
        (rule, limit) in limits(),
        way in ways(),
        below in 0.0_f64..0.6,
        base in 0.0_f64..1.0,
        of in prop_oneof![0_u64..1000, Just(MANY)],
    ) {
        let both = [seen(rule, "new", limit * below, MANY), seen(rule, "old", base, of)];
        let judgement = ruled(rule, way, both);
        prop_assert_eq!(judgement.outcome, Outcome::Passed, "{:?}", judgement.verdicts);
    }

    #[test]
    fn a_release_that_is_far_above_its_limit_and_the_baseline_fails(
        (rule, limit) in limits(),
        way in ways(),
        above in 1.5_f64..4.0,
        base in 0.0_f64..0.5,
    ) {
        let bad = (limit.max(base) * above + 0.02).min(0.95);
        let both = [seen(rule, "new", bad, MANY), seen(rule, "old", base, MANY)];
        let judgement = ruled(rule, way, both);
        prop_assert_eq!(judgement.outcome, Outcome::Failed, "{:?}", judgement.verdicts);
    }

    #[test]
    fn beside_a_baseline_that_is_surely_broken_a_better_release_passes(
        (rule, limit) in limits(),
        way in ways(),
        base in 1.2_f64..2.0,
        better in 0.5_f64..0.95,
    ) {
        let base = limit * base;
        let both = [seen(rule, "new", base * better, MANY), seen(rule, "old", base, MANY)];
        let judgement = ruled(rule, way, both);
        prop_assert_eq!(judgement.outcome, Outcome::Passed, "{:?}", judgement.verdicts);
    }

    #[test]
    fn a_rate_that_is_compared_passes_within_what_is_allowed_and_fails_far_beyond(
        base in 0.0_f64..0.4,
        ratio in 0.05_f64..0.5,
        way in ways(),
        within in 0.0_f64..0.9,
        beyond in 1.3_f64..2.0,
    ) {
        let rule = Rule::WorseBy { ratio, quantile: None };
        let outcome = |bad: f64| ruled(rule, way, [rate("new", some(bad, MANY), MANY), rate("old", some(base, MANY), MANY)]);
        let judgement = outcome(base * (1.0 + ratio) * within);
        prop_assert_eq!(judgement.outcome, Outcome::Passed, "{:?}", judgement.verdicts);
        let judgement = outcome((base * (1.0 + ratio) * beyond + 0.01).min(1.0));
        prop_assert_eq!(judgement.outcome, Outcome::Failed, "{:?}", judgement.verdicts);
    }

    #[test]
    fn a_latency_that_is_compared_passes_when_it_is_no_longer_and_fails_when_it_is_far_longer(
        base in 0.05_f64..1.0,
        ratio in 0.05_f64..0.5,
        quantile in prop_oneof![Just(None), Just(Some(0.5)), Just(Some(0.95))],
        way in ways(),
        within in 0.3_f64..1.0,
        beyond in 3.0_f64..6.0,
    ) {
        let rule = Rule::WorseBy { ratio, quantile };
        let outcome = |times: f64| ruled(rule, way, [lasting("new", base * times, MANY), lasting("old", base, MANY)]);
        let judgement = outcome(within);
        prop_assert_eq!(judgement.outcome, Outcome::Passed, "{:?}", judgement.verdicts);
        // A quantile is only known to lie in a bucket, whose bounds may be two and a half times apart: more than two of them are sure.
        let apart = if quantile.is_some() { 4.0 } else { 1.0 };
        let judgement = outcome((1.0 + ratio) * beyond * apart);
        prop_assert_eq!(judgement.outcome, Outcome::Failed, "{:?}", judgement.verdicts);
    }
}

/// A limit within a bucket leaves open how many are beyond it: of the candidate and of the baseline alike.
#[test]
fn beside_a_broken_baseline_buckets_count_the_same_for_both() {
    let slow = |release| latency(release, histogram(&[(1.0, 500), (2.5, 800), (5.0, 1000), (f64::MAX, 1000)]));
    let rule = Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 };
    let judgement = ruled(rule, (Decision::single(), 50), [slow("new"), slow("old")]);
    assert_eq!(judgement.outcome, Outcome::Passed, "{:?}", judgement.verdicts);
}

#[test]
fn the_sequential_test_passes_nothing_by_what_buckets_leave_open() {
    let rule = Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 };
    let of = |within: u64| latency("new", histogram(&[(1.0, 60 - within), (2.5, 60), (5.0, 60), (f64::MAX, 60)]));
    let old = latency("old", histogram(&[(1.0, 0), (2.5, 0), (5.0, 0), (f64::MAX, 0)]));
    let outcome = |within| ruled(rule, (Decision::default(), 5), [of(within), old.clone()]);
    assert_eq!(outcome(0).outcome, Outcome::Passed);
    let judgement = outcome(6);
    assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Inconclusive, true), "{:?}", judgement.verdicts);
}
