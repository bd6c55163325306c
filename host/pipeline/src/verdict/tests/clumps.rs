//! Failures that come in clumps by client.

use super::*;

fn design_effect(release: &str, effect: f64) -> Measurement {
    let observation = Observation::Samples(vec![effect]);
    Measurement { metric: DESIGN_EFFECT.into(), ..rate(release, 0, 0) }.with(observation)
}

/// What the rule on errors says of so many where the host found this design effect.
fn clumped(events: u64, total: u64, effect: f64) -> Judgement {
    judged(&errors(), &host(vec![rate("new", events, total), design_effect("new", effect)]), None)
}

#[test]
fn what_fails_as_it_was_counted_must_fail_as_it_weighs() {
    for (effect, outcome) in
        [(0.3, Outcome::Failed), (1.0, Outcome::Failed), (2.0, Outcome::Failed), (30.0, Outcome::Inconclusive)]
    {
        let judgement = clumped(90, 900, effect);
        assert_eq!(judgement.outcome, outcome, "{effect}");
        assert!(!judgement.lacking, "that it fails by the counts is no want of samples: {effect}");
    }
    // Thirty times as many clients fail in the same way.
    assert_eq!(clumped(2700, 27_000, 30.0).outcome, Outcome::Failed);
}

#[test]
fn where_each_request_is_a_clump_of_its_own_nothing_is_said_of_clumps() {
    let as_counted = judged(&errors(), &host(vec![rate("new", 90, 900)]), None);
    assert_eq!(clumped(90, 900, 1.0).verdicts, as_counted.verdicts);
}

#[test]
fn it_is_told_how_many_they_weigh_as_so_that_it_can_be_checked_by_hand() {
    let judgement = clumped(90, 900, 30.0);
    let verdict = &judgement.verdicts[0];
    assert_eq!(
        verdict.words,
        "90 of 900 requests failed, in clumps by client (design effect 30.00), so that they weigh as 3 of 30: 10.0 % of 30 requests failed, \
         threshold 5.0 %; above it, but it may be chance: the 99 % lower bound is 2.9 %"
    );
    let number = |wanted: &str| verdict.numbers.iter().find(|(name, _)| name == wanted).map(|(_, number)| *number);
    for (name, wanted) in [
        ("events", 3.0),
        ("requests", 30.0),
        ("design-effect", 30.0),
        ("counted-events", 90.0),
        ("counted-requests", 900.0),
    ] {
        assert_eq!(number(name), Some(wanted), "{name}");
    }
}

#[test]
fn a_release_that_so_few_clients_see_is_neither_passed_nor_failed() {
    for (events, total) in [(4, 600), (200, 600)] {
        let judgement = clumped(events, total, 31.0);
        let verdict = &judgement.verdicts[0];
        assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Inconclusive, true), "{events}");
        assert_eq!(verdict.method, Some(Method::MinSamples));
        assert!(
            verdict.words.ends_with("weigh as 0 of 19: 19 requests, of 20 that a decision needs") || events == 200,
            "{}",
            verdict.words
        );
    }
    // One client more makes it enough; then the counts as they are pass it.
    let judgement = clumped(4, 600, 30.0);
    assert_eq!(judgement.outcome, Outcome::Passed);
    assert_eq!(
        judgement.verdicts[0].words,
        judged(&errors(), &host(vec![rate("new", 4, 600)]), None).verdicts[0].words
    );
}

#[test]
fn hard_trips_count_all_as_they_are() {
    let judgement = clumped(300, 600, 300.0);
    assert_eq!((judgement.outcome, judgement.at_once), (Outcome::Failed, true));
    assert_eq!(judgement.verdicts[0].words, "hard trip: 300 of 600 requests failed");
}

#[test]
fn only_what_the_host_observed_of_errors_is_weighed() {
    let plan = plan(&[("carts-lost", Rule::RateAbove(0.05))]);
    let lost = Measurement { metric: "carts-lost".into(), ..rate("new", 90, 900) };
    let judgement = judged(&plan, &host(vec![lost, design_effect("new", 30.0)]), None);
    assert_eq!(judgement.outcome, Outcome::Failed, "of another rate nobody knows whose they are");
    let said = sample("shop", false, vec![rate("new", 90, 900), design_effect("new", 30.0)]);
    assert_eq!(judged(&errors(), &[said], None).outcome, Outcome::Failed, "a plugin does not know clients");
    let other = host(vec![rate("new", 90, 900), design_effect("old", 30.0)]);
    assert_eq!(judged(&errors(), &other, None).outcome, Outcome::Failed, "of another release");
}

#[test]
fn no_trigger_is_about_the_design_effect_itself() {
    let seen = host(vec![rate("new", 0, 900), design_effect("new", 30.0)]);
    let judgement = judged(&plan(&[("carts-lost", Rule::RateAbove(0.05))]), &seen, None);
    assert_eq!(judgement.verdicts[0].words, "nobody measured `carts-lost` of `new`; measured of it were error-rate");
}

#[test]
fn what_stable_did_before_is_remembered_as_it_was_counted() {
    assert!(!crate::stable::weighs(&design_effect("old", 30.0), 0));
    assert!(crate::stable::weighs(&rate("old", 90, 900), 900));
}

#[test]
fn a_baseline_whose_failures_come_in_clumps_weighs_less_too() {
    let plan = plan(&[("error-rate", Rule::WorseBy { ratio: 0.2, quantile: None })]);
    let with = |effects: Vec<Measurement>| {
        let rates = vec![rate("new", 60, 1000), rate("old", 20, 1000)];
        judged(&plan, &host(rates.into_iter().chain(effects).collect()), Some("old"))
    };
    assert_eq!(with(vec![]).outcome, Outcome::Failed);
    for effects in [vec![design_effect("new", 20.0)], vec![design_effect("old", 30.0)]] {
        let judgement = with(effects);
        assert_eq!(judgement.outcome, Outcome::Inconclusive, "{judgement:?}");
    }
    let both = with(vec![design_effect("new", 20.0), design_effect("old", 30.0)]);
    assert_eq!(
        both.verdicts[0].words,
        "60 of 1000 requests failed, in clumps by client (design effect 20.00), so that they weigh as 3 of 50; 20 of 1000 requests of the \
         baseline failed, in clumps by client (design effect 30.00), so that they weigh as 1 of 33: 6.0 % of 50 requests against 3.0 % of 33 \
         of the baseline, allowed 3.6 % (20.0 % more); worse, but it may be chance: 47.7 %"
    );
}

/// A release's latencies of which so many are in each of the buckets up to half a second, two, five, and without a bound.
fn took(release: &str, counts: [u64; 4]) -> Measurement {
    let mut below = 0;
    let buckets = [0.5, 2.0, 5.0, f64::INFINITY].into_iter().zip(counts).map(|(le, count)| {
        below += count;
        Bucket { le, count: below }
    });
    let observation = Observation::Histogram(buckets.collect());
    Measurement { metric: "latency".into(), unit: "seconds".into(), ..rate(release, 0, 0) }.with(observation)
}

fn latency_effects(release: &str, effects: [f64; 4]) -> Measurement {
    Measurement { metric: LATENCY_EFFECTS.into(), ..rate(release, 0, 0) }.with(Observation::Samples(effects.to_vec()))
}

#[test]
fn what_is_slow_as_it_was_counted_must_be_slow_as_it_weighs() {
    let plan = plan(&[("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 })]);
    let with = |effects: Option<[f64; 4]>| {
        let effects = effects.map(|effects| latency_effects("new", effects));
        judged(&plan, &host([took("new", [800, 10, 90, 0])].into_iter().chain(effects).collect()), None)
    };
    // Only that of the bound that the rule is about matters.
    for (effects, outcome) in [
        (None, Outcome::Failed),
        (Some([30.0, 1.0, 30.0, 30.0]), Outcome::Failed),
        (Some([1.0, 30.0, 1.0, 1.0]), Outcome::Inconclusive),
    ] {
        assert_eq!(with(effects).outcome, outcome, "{effects:?}");
    }
    assert_eq!(
        with(Some([1.0, 30.0, 1.0, 1.0])).verdicts[0].words,
        "90 of 900 requests took longer than 2 s, in clumps by client (design effect 30.00), so that they weigh as 3 of 30: 10.0 % of 30 \
         requests are slower than 2 s, threshold 5.0 %; above it, but it may be chance: the 99 % lower bound is 2.9 %"
    );
}

#[test]
fn what_is_quick_enough_passes_by_the_plain_counts_however_few_clients_there_are() {
    let plan = plan(&[("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 })]);
    let seen = host(vec![took("new", [880, 10, 10, 0]), latency_effects("new", [1.0, 300.0, 1.0, 1.0])]);
    let judgement = judged(&plan, &seen, None);
    assert_eq!(judgement.outcome, Outcome::Passed, "{judgement:?}");
}

#[test]
fn latencies_that_are_compared_weigh_by_their_ranks_or_where_a_quantile_is_by_the_greatest() {
    let quick = || took("old", [500, 400, 100, 0]);
    let slow = || took("new", [50, 100, 850, 0]);
    for (quantile, effects, outcome) in [
        (None, [1.0, 1.0, 1.0, 1.0], Outcome::Failed),
        (None, [300.0, 300.0, 300.0, 1.0], Outcome::Failed),
        (None, [1.0, 1.0, 1.0, 300.0], Outcome::Inconclusive),
        (Some(0.5), [1.0, 1.0, 1.0, 1.0], Outcome::Failed),
        (Some(0.5), [1.0, 1.0, 300.0, 1.0], Outcome::Inconclusive),
    ] {
        let plan = plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile })]);
        let effects_of = |release| latency_effects(release, effects);
        let seen = host(vec![slow(), quick(), effects_of("new"), effects_of("old")]);
        let judgement = judged(&plan, &seen, Some("old"));
        assert_eq!(judgement.outcome, outcome, "{quantile:?} {effects:?}: {judgement:?}");
    }
}

#[test]
fn what_a_plugin_says_of_latencies_weighs_as_it_counts() {
    let plan = plan(&[("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 })]);
    let said = sample("shop", false, vec![took("new", [800, 10, 90, 0]), latency_effects("new", [30.0; 4])]);
    assert_eq!(judged(&plan, &[said], None).outcome, Outcome::Failed);
    assert!(!crate::stable::weighs(&latency_effects("old", [30.0; 4]), 0), "nor is it remembered");
}
