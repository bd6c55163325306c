//! The words and numbers by which a decision is checked by hand, and what lies between two buckets.

use super::super::{
    latency::{quantile_bound, slower, spread},
    ruling::{chance, percent},
};
use super::*;

#[test]
fn shares_are_told_in_per_cent_with_the_digits_that_count() {
    for (share, words) in [
        (0.0, "0.0 %"),
        (1e-12, "0.0 %"),
        (0.000_000_001_234, "0.000000123 %"),
        (0.000_001, "0.000100 %"),
        (0.000_099_9, "0.00999 %"),
        (0.0001, "0.01 %"),
        (0.00123, "0.12 %"),
        (0.0094, "0.94 %"),
        (0.0096, "1.0 %"),
        (0.05, "5.0 %"),
        (0.1234, "12.3 %"),
        (1.0, "100.0 %"),
    ] {
        assert_eq!(percent(share), words);
    }
}

#[test]
fn chances_are_told_as_one_in_so_many_with_two_digits_where_they_are_small() {
    for (rare, words) in [
        (0.25, "25.0 %"),
        (0.01, "1.0 %"),
        (0.0099, "1 in 100"),
        (0.00789, "1 in 130"),
        (0.0005, "1 in 2,000"),
        (1.0 / 12_345.0, "1 in 12,000"),
        (1.0 / 987_654.0, "1 in 990,000"),
        (1e-6, "1 in 1,000,000"),
        (1e-12, "1 in 1,000,000,000,000"),
        (1e-13, "less than 1 in 1,000,000,000,000"),
        (0.0, "less than 1 in 1,000,000,000,000"),
    ] {
        assert_eq!(chance(rare), words);
    }
}

/// Half of 200 within a tenth of a second, and ever fewer after it.
fn falling() -> Observation {
    histogram(&[(0.1, 100), (0.2, 150), (0.4, 190), (f64::MAX, 200)])
}

#[test]
fn within_a_bucket_requests_are_told_apart_by_a_straight_line_and_beyond_doubt_by_its_end() {
    for (seconds, sure, about) in [
        (0.05, 100, 150.0),
        (0.1, 100, 100.0),
        (0.2, 50, 50.0),
        (0.25, 10, 40.0),
        (0.3, 10, 30.0),
        (0.4, 10, 10.0),
        (1.0, 0, 10.0),
    ] {
        let slower = slower(&falling(), seconds).unwrap();
        assert_eq!((slower.sure.events(), slower.sure.total()), (sure, 200), "{seconds} s");
        assert!((slower.about - about).abs() < 1e-9, "{seconds} s: {}", slower.about);
    }
    assert!(slower(&histogram(&[(0.1, 5)]), 0.2).is_none(), "no bucket reaches so far");
    assert!(slower(&histogram(&[]), 0.2).is_none());
    let each = Observation::Samples(vec![0.1, 0.3, 0.3, 0.4]);
    for (seconds, count) in [(0.05, 4), (0.2, 3), (0.3, 1), (0.4, 0)] {
        let slower = slower(&each, seconds).unwrap();
        assert_eq!((slower.sure.events(), slower.sure.total(), slower.about), (count, 4, count as f64), "{seconds} s");
    }
    let rate = Observation::Rate(Rate { events: 1, total: 2 });
    assert!(slower(&rate, 0.1).is_none() && quantile_bound(&rate, 0.5).is_none() && spread(&rate).is_none());
}

#[test]
fn a_quantile_is_the_bound_of_the_bucket_that_it_lies_in() {
    for (quantile, bound) in
        [(0.1, 0.1), (0.5, 0.1), (0.51, 0.2), (0.75, 0.2), (0.76, 0.4), (0.95, 0.4), (0.96, f64::MAX)]
    {
        assert_eq!(quantile_bound(&falling(), quantile), Some((bound, 200)), "{quantile}");
    }
    let (bound, total) = quantile_bound(&Observation::Samples((1..=100).map(f64::from).collect()), 0.5).unwrap();
    assert!((bound - 50.5).abs() <= 0.5 && total == 100, "{bound}");
    assert_eq!(spread(&falling()).unwrap().count(), 200);
}

fn number(verdict: &Verdict, name: &str) -> f64 {
    verdict.numbers.iter().find(|(other, _)| other == name).unwrap_or_else(|| panic!("{name}: {verdict:?}")).1
}

/// The deciding verdict, and that its numbers are these, to a thousandth of each.
fn decided(judgement: &Judgement, words: &str, numbers: &[(&str, f64)]) {
    let verdict = &judgement.verdicts[0];
    assert_eq!(verdict.words, words);
    for (name, wanted) in numbers {
        let found = number(verdict, name);
        assert!((found - wanted).abs() <= wanted.abs() * 1e-3, "{name} is {found}, not {wanted}");
    }
}

#[test]
fn a_share_against_its_limit_is_told_with_the_bound_that_decided() {
    let of = |events, total| judged(&errors(), &host(vec![rate("new", events, total)]), None);
    decided(
        &of(37, 500),
        "7.4 % of 500 requests failed, threshold 5.0 %; above it even at the 99 % lower bound 5.1 %; a release at 2.0 % shows so many \
         with a chance of 1 in 47,000,000,000; bad window 1 of 2 in a row: so far it may be chance, the next begins at 00:10:00Z or later",
        &[
            ("events", 37.0),
            ("requests", 500.0),
            ("rate", 0.074),
            ("lower-bound", 0.051_092),
            ("upper-bound", 0.106_031),
            ("threshold", 0.05),
            ("chance", 2.131_749e-11),
        ],
    );
    decided(
        &of(0, 500),
        "0.0 % of 500 requests failed, threshold 5.0 %; below it even at the 99 % upper bound 1.1 %",
        &[("upper-bound", 0.010_708)],
    );
    decided(
        &of(1, 100),
        "1.0 % of 100 requests failed, threshold 5.0 %; not above it, but that may be chance: the 99 % upper bound is 6.9 %",
        &[("lower-bound", 0.001_376), ("upper-bound", 0.068_938)],
    );
    decided(
        &of(10, 100),
        "10.0 % of 100 requests failed, threshold 5.0 %; above it, but it may be chance: the 99 % lower bound is 5.0 %",
        &[("lower-bound", 0.049_526)],
    );
    decided(&of(0, 19), "19 requests, of 20 that a decision needs", &[("requests", 19.0)]);
    decided(&of(5, 10), "hard trip: 5 of 10 requests failed", &[("events", 5.0), ("requests", 10.0)]);
    assert_eq!(of(5, 10).verdicts[0].rule, "error-rate at or above 50.0 % at once");
    assert_eq!(of(0, 500).verdicts[0].rule, "error-rate above 5.0 %");
}

#[test]
fn beside_a_baseline_that_breaks_the_limit_it_is_told_what_that_one_does() {
    let of = |events| judged(&errors(), &host(vec![rate("new", events, 500), rate("old", 150, 500)]), Some("old"));
    decided(
        &of(60),
        "12.0 % of 500 requests failed, threshold 5.0 %; the baseline itself is at 30.0 % (150 of 500), and the candidate is not worse: \
         stable is broken, not by this release",
        &[("baseline-rate", 0.3), ("baseline-events", 150.0), ("baseline-requests", 500.0), ("chance", 1.0)],
    );
    decided(
        &of(240),
        "48.0 % of 500 requests failed, threshold 5.0 %; the baseline itself is at 30.0 % (150 of 500), and the candidate is worse: so by \
         chance in 1 in 280,000,000; bad window 1 of 2 in a row: so far it may be chance, the next begins at 00:10:00Z or later",
        &[("rate", 0.48), ("chance", 3.535_463e-9)],
    );
    // Where stable has no traffic now, it is told that this is what it did before.
    let before = [rate("old", 150, 500)];
    let samples = host(vec![rate("new", 60, 500)]);
    let words = judge(&errors(), &Round { before: &before, ..round(&samples, None) }).verdicts[0].words.clone();
    assert!(
        words.contains("; the baseline itself was last at 30.0 % (150 of 500), and the candidate is not worse: "),
        "{words}"
    );
    assert!(of(180).verdicts[0].words.ends_with("(150 of 500), and the candidate is not surely worse"));
    assert_eq!(of(180).outcome, Outcome::Inconclusive);
    let alike =
        "(150 of 500), and the candidate is surely not worse by a third of that: stable is broken, not by this release";
    assert!(of(151).verdicts[0].words.ends_with(alike) && of(151).outcome == Outcome::Passed);
}

/// A plan that compares rates, with this ratio and this effect.
fn compared(ratio: f64, effect: Option<f64>) -> Plan {
    let mut plan = plan(&[("error-rate", Rule::WorseBy { ratio, quantile: None })]);
    plan.triggers[0].effect = effect;
    plan
}

fn beside(plan: &Plan, new: (u64, u64), old: (u64, u64)) -> Judgement {
    judged(plan, &host(vec![rate("new", new.0, new.1), rate("old", old.0, old.1)]), Some("old"))
}

#[test]
fn rates_that_are_compared_are_told_with_what_is_allowed() {
    let mut plan = compared(0.2, None);
    decided(
        &beside(&plan, (30, 500), (100, 5000)),
        "6.0 % of 500 requests against 2.0 % of 5000 of the baseline, allowed 2.4 % (20.0 % more); worse: so by chance in 1 in 910,000; \
         bad window 1 of 2 in a row: so far it may be chance, the next begins at 00:10:00Z or later",
        &[("rate", 0.06), ("baseline-rate", 0.02), ("allowed", 0.024), ("z", 5.613_743), ("chance", 1.102_247e-6)],
    );
    decided(
        &beside(&plan, (11, 500), (100, 5000)),
        "2.2 % of 500 requests against 2.0 % of 5000 of the baseline, allowed 2.4 % (20.0 % more)",
        &[("z", 0.303_226), ("chance", 0.428_790)],
    );
    decided(
        &beside(&plan, (1, 20), (0, 1000)),
        "5.0 % of 20 requests against 0.0 % of 1000 of the baseline, allowed 0.0 % (20.0 % more); worse, but it may be chance: 2.0 %",
        &[("chance", 0.019_608)],
    );
    plan.triggers[0].direction = Direction::Decrease;
    let words = &beside(&plan, (30, 500), (500, 5000)).verdicts[0].words;
    let wanted = "6.0 % of 500 requests against 10.0 % of 5000 of the baseline, allowed 8.0 % (20.0 % less); worse";
    assert!(words.starts_with(wanted), "{words}");
    plan.triggers[0].effect = Some(0.005);
    let words = &beside(&plan, (30, 500), (500, 5000)).verdicts[0].words;
    assert!(words.contains(", allowed 8.0 % (20.0 % less), and any difference of at most 0.50 %; worse"), "{words}");
}

#[test]
fn exactly_what_is_allowed_is_allowed() {
    let outcome = |direction, ratio, effect, new, old| {
        let mut plan = compared(ratio, effect);
        plan.triggers[0].direction = direction;
        beside(&plan, (new, 512), (old, 512)).outcome
    };
    // Of a quarter and an eighth: by the effect, which is an eighth of all, and by the ratio, which is twice as many.
    for (ratio, effect, wanted) in [
        (0.2, Some(0.125), Outcome::Passed),
        (0.2, Some(0.1249), Outcome::Failed),
        (1.0, None, Outcome::Passed),
        (0.99, None, Outcome::Failed),
    ] {
        assert_eq!(outcome(Direction::Increase, ratio, effect, 128, 64), wanted, "{ratio} {effect:?}");
    }
    for (ratio, effect, wanted) in [
        (0.2, Some(0.125), Outcome::Passed),
        (0.2, Some(0.1249), Outcome::Failed),
        (0.5, None, Outcome::Passed),
        (0.49, None, Outcome::Failed),
    ] {
        assert_eq!(outcome(Direction::Decrease, ratio, effect, 64, 128), wanted, "{ratio} {effect:?}");
    }
}

/// So many latencies of one length.
fn each(release: &str, seconds: f64, count: usize) -> Measurement {
    latency(release, Observation::Samples(vec![seconds; count]))
}

#[test]
fn latencies_that_are_compared_are_told_with_the_shift_and_what_is_allowed() {
    let with = |ratio| plan(&[("latency", Rule::WorseBy { ratio, quantile: None })]);
    let both = host(vec![each("new", 0.2, 20), each("old", 0.1, 30)]);
    let judgement = judged(&with(0.2), &both, Some("old"));
    let verdict = &judgement.verdicts[0];
    let begin = "20 requests against 30 of the baseline: worse in 100.0 % of all pairs (Mann–Whitney z = ";
    let end = "; by 0.1000 s (at least 0.1000 s with 99 % confidence) on the baseline's median of 0.1000 s, allowed 0.0200 s, 20.0 % of \
               that; bad window 1 of 2 in a row: so far it may be chance, the next begins at 00:10:00Z or later";
    assert!(verdict.words.starts_with(begin) && verdict.words.ends_with(end), "{}", verdict.words);
    assert_eq!(judgement.outcome, Outcome::Failed);
    for (name, wanted) in [
        ("requests", 20.0),
        ("baseline-requests", 30.0),
        ("superiority", 1.0),
        ("baseline-median", 0.1),
        ("shift", 0.1),
        ("allowed", 0.02),
    ] {
        assert!((number(verdict, name) - wanted).abs() < 1e-9, "{name}: {verdict:?}");
    }
    assert_eq!(judged(&with(1.0), &both, Some("old")).outcome, Outcome::Passed, "twice as long is what is allowed");
    let mut less = with(0.2);
    less.triggers[0].direction = Direction::Decrease;
    assert_eq!(judged(&less, &both, Some("old")).outcome, Outcome::Passed, "longer is better here");
    let shorter = host(vec![each("new", 0.1, 20), each("old", 0.2, 30)]);
    assert_eq!(judged(&less, &shorter, Some("old")).outcome, Outcome::Failed);
    assert_eq!(judged(&with(0.2), &shorter, Some("old")).outcome, Outcome::Passed);
}

#[test]
fn a_quantile_that_is_compared_is_told_with_the_baselines_and_what_is_allowed() {
    let plan = plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile: Some(0.95) })]);
    let judgement = judged(&plan, &host(vec![each("new", 0.13, 100), each("old", 0.1, 100)]), Some("old"));
    decided(
        &judgement,
        "100.0 % of 100 requests are above 0.120 s (the baseline's quantile 0.95 is 0.100 s, and 20.0 % more), threshold 5.0 %; above it even \
         at the 99 % lower bound 94.9 %; a release at 5.0 % shows so many with a chance of less than 1 in 1,000,000,000,000; bad window 1 of 2 in a row: so far it \
         may be chance, the next begins at 00:10:00Z or later",
        &[("events", 100.0), ("lower-bound", 0.948_66)],
    );
    assert_eq!(judgement.verdicts[0].method, Some(Method::Quantile));
    // Of buckets a difference below ten milliseconds is none, of single values each is one.
    let quick = |seconds: f64| histogram(&[(seconds, 100), (1.0, 100), (f64::MAX, 100)]);
    let buckets = host(vec![latency("new", quick(0.0125)), latency("old", quick(0.005))]);
    let floor = judged(&plan, &buckets, Some("old"));
    assert_eq!(floor.outcome, Outcome::Passed);
    let words = "0.0 % of 100 requests are above 0.015 s (the baseline's quantile 0.95 is 0.005 s, and 0.010 s more)";
    assert!(floor.verdicts[0].words.starts_with(words), "{}", floor.verdicts[0].words);
    let values = host(vec![each("new", 0.0125, 100), each("old", 0.005, 100)]);
    assert_eq!(judged(&plan, &values, Some("old")).outcome, Outcome::Failed);
}

#[test]
fn what_is_compared_has_the_unit_that_it_was_measured_in_where_the_contract_knows_it() {
    let plan = plan(&[("heap", Rule::WorseBy { ratio: 0.2, quantile: None })]);
    for (unit, shown) in [("bytes", "0.1000 bytes, allowed"), ("count", "0.1000, allowed"), ("<b>", "0.1000, allowed")]
    {
        let of =
            |release, seconds| Measurement { metric: "heap".into(), unit: unit.into(), ..each(release, seconds, 30) };
        let words = judged(&plan, &host(vec![of("new", 0.2), of("old", 0.1)]), Some("old")).verdicts[0].words.clone();
        assert!(words.contains(&format!("the baseline's median of {shown}")), "{words}");
    }
}

#[test]
fn what_is_allowed_by_the_smallest_difference_that_counts_is_no_share_of_the_median() {
    let mut plan = plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile: None })]);
    plan.triggers[0].effect = Some(0.05);
    let both = host(vec![each("new", 0.2, 30), each("old", 0.1, 30)]);
    let words = judged(&plan, &both, Some("old")).verdicts[0].words.clone();
    assert!(words.contains("median of 0.1000 s, allowed 0.0500 s, the least that counts; bad window"), "{words}");
}

#[test]
fn a_rate_is_told_by_what_it_counts_and_only_requests_that_failed_failed() {
    let said = |metric: &str, rule: Rule, events: u64| {
        let measured = Measurement { metric: metric.into(), ..rate("new", events, 100) };
        judged(&plan(&[(metric, rule)]), &host(vec![measured]), None).verdicts[0].told()
    };
    for (metric, rule, events, begin) in [
        (
            "error-rate",
            Rule::RateAbove(0.05),
            11,
            "error-rate above 5.0 %: 11.0 % of 100 requests failed, threshold 5.0 %;",
        ),
        (
            "cache-miss",
            Rule::RateAbove(0.4),
            60,
            "cache-miss above 40.0 %: cache-miss: 60.0 % of 100 requests, threshold 40.0 %;",
        ),
        (
            "checkouts",
            Rule::RateBelow(0.95),
            89,
            "checkouts below 95.0 %: checkouts: 89.0 %, the rest: 11.0 % of 100 requests, threshold 5.0 %; above it even at",
        ),
    ] {
        let said = said(metric, rule, events);
        assert!(said.starts_with(begin), "{said}");
    }
}

#[test]
fn a_decision_is_told_with_the_rule_and_the_service_that_it_is_about() {
    let of = |service: &str, outcome, rule: &str, words: &str| Verdict {
        service: service.into(),
        outcome,
        rule: rule.into(),
        words: words.into(),
        ..nothing_to_compare()
    };
    let (failed, passed, undecided) = (Outcome::Failed, Outcome::Passed, Outcome::Inconclusive);
    for (verdict, told) in [
        (of("", failed, "errors above 5 %", "6 of 9"), "errors above 5 %: 6 of 9"),
        (of("", passed, "errors above 5 %", "0 of 9"), "errors above 5 % is not crossed: 0 of 9"),
        (of("shop", undecided, "errors above 5 %", "shop: 1 of 9"), "shop: errors above 5 % is not decided: 1 of 9"),
        (of("shop", failed, "errors above 5 %", "6 of 9"), "shop: errors above 5 %: 6 of 9"),
        (of("", undecided, "measured at all", "nothing was measured: x"), "nothing was measured: x"),
        (of("shop", undecided, "judged at all", "shop: nothing was judged"), "shop: nothing was judged"),
        (of("", failed, "", "three complaints"), "three complaints"),
    ] {
        assert_eq!(verdict.told(), told);
    }
}

#[test]
fn what_nobody_measured_and_what_was_seen_too_seldom_is_told_by_its_name_and_by_what_is_needed() {
    let slower = |quantile| plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile })]);
    let words = |plan: &Plan, samples: &[Sample]| judged(plan, samples, Some("old")).verdicts[0].words.clone();
    let alone = host(vec![each("new", 0.1, 30)]);
    assert_eq!(words(&slower(None), &alone), "nobody measured `latency` of the baseline, to compare with");
    let few = |new, old| host(vec![each("new", 0.1, new), each("old", 0.1, old)]);
    assert_eq!(
        words(&slower(None), &few(19, 5)),
        "19 requests, and 5 of the baseline, of 20 that a decision needs of each"
    );
    assert_eq!(words(&slower(Some(0.5)), &few(20, 5)), "5 requests of the baseline, of 20 that a decision needs");
    let words = beside(&compared(0.2, None), (0, 19), (0, 5)).verdicts[0].words.clone();
    assert_eq!(words, "19 requests, and 5 of the baseline, of 20 that a decision needs of each");
}

#[test]
fn a_comparison_needs_enough_requests_of_both() {
    for quantile in [None, Some(0.5)] {
        let plan = plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile })]);
        let method = |new, old| {
            judged(&plan, &host(vec![each("new", 0.1, new), each("old", 0.1, old)]), Some("old")).verdicts[0].method
        };
        assert_ne!(method(20, 20), Some(Method::MinSamples), "{quantile:?}");
        assert_eq!(
            (method(19, 20), method(20, 19)),
            (Some(Method::MinSamples), Some(Method::MinSamples)),
            "{quantile:?}"
        );
    }
    let method = |new, old| beside(&compared(0.2, None), (0, new), (0, old)).verdicts[0].method;
    assert_eq!(method(20, 20), Some(Method::TwoProportions));
    assert_eq!((method(19, 20), method(20, 19)), (Some(Method::MinSamples), Some(Method::MinSamples)));
}

#[test]
fn what_a_plugin_repeats_of_the_hosts_count_may_be_off_by_a_tenth_or_by_five() {
    let all = |events, total| Measurement { metric: ALL_ERRORS.into(), ..rate("new", events, total) };
    for (of_host, told, repeats) in [
        ((90, 400), (90, 440), true),
        ((90, 400), (90, 441), false),
        ((90, 400), (90, 360), true),
        ((90, 400), (90, 359), false),
        ((90, 400), (99, 400), true),
        ((90, 400), (100, 400), false),
        ((15, 40), (15, 45), true),
        ((15, 40), (15, 46), false),
        ((15, 40), (20, 40), true),
        ((15, 40), (21, 40), false),
    ] {
        let mut plan = errors();
        plan.hard_trip.rate = 1.0;
        let (events, total) = of_host;
        let edge = sample("edge", true, vec![rate("new", 0, 2000), all(events, total)]);
        let plugin = sample("plugin", false, vec![rate("new", told.0, told.1)]);
        let outcome = judged(&plan, &[edge, plugin], None).outcome;
        assert_eq!(outcome == Outcome::Passed, repeats, "{of_host:?} {told:?}");
    }
}

#[test]
fn only_a_plugins_error_rate_repeats_the_hosts_count() {
    let named = |metric: &str, seen: Measurement| Measurement { metric: metric.into(), ..seen };
    // What the host counts is its own, also where no client has more than three errors.
    let edge = sample("edge", true, vec![rate("new", 0, 500), named(ALL_ERRORS, rate("new", 0, 500))]);
    assert_eq!(judged(&errors(), &[edge], None).outcome, Outcome::Passed);
    // What has another name is another thing, whatever its numbers are.
    let plan = plan(&[("carts-lost", Rule::RateAbove(0.05))]);
    let edge = sample("edge", true, vec![rate("new", 0, 400), named(ALL_ERRORS, rate("new", 90, 400))]);
    let shop = sample("shop", false, vec![named("carts-lost", rate("new", 90, 400))]);
    assert_eq!(judged(&plan, &[edge, shop], None).outcome, Outcome::Failed);
}

#[test]
fn beside_a_baseline_that_trips_a_release_that_may_trip_itself_is_promoted_by_nobody_but_a_person() {
    let beside = |events, total| host(vec![rate("new", events, total), rate("old", 1000, 1000)]);
    let half = judged(&errors(), &beside(50, 100), Some("old"));
    assert_eq!((half.outcome, half.lacking, half.critical), (Outcome::Inconclusive, false, false));
    assert_eq!(half.verdicts[0].rule, "error-rate surely below 50.0 %");
    assert_eq!(
        half.verdicts[0].words,
        "50 of 100 requests failed, 50.0 %; no worse than the baseline, which is broken, but at the 99 % upper bound 61.3 % not surely \
         below the 50.0 % that are too many beside any: a person must say whether it is the lesser evil"
    );
    // What was seen of it may be less by chance alone.
    assert_eq!(judged(&errors(), &beside(12, 25), Some("old")).outcome, Outcome::Inconclusive);
    assert_eq!(
        judged(&errors(), &beside(38, 100), Some("old")).outcome,
        Outcome::Passed,
        "it is surely better than that"
    );
    // Alone, beside what was seen of stable when that had traffic; and where no trigger names the error rate.
    let before = [rate("old", 1000, 1000)];
    let alone = host(vec![rate("new", 50, 100), latency("new", histogram(&[(1.0, 200), (f64::MAX, 200)]))]);
    let after = Round { before: &before, ..round(&alone, None) };
    assert_eq!(judge(&errors(), &after).outcome, Outcome::Inconclusive);
    let quick = plan(&[("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 })]);
    assert_eq!(judge(&quick, &after).verdicts[0].rule, "error-rate surely below 50.0 %");
    assert_eq!(judge(&quick, &after).outcome, Outcome::Inconclusive);
    // A last look that is short says nothing of the whole watch.
    let mut looks = [beside(20, 100), beside(5, 10)].concat();
    looks[1].window.start = 500_000_000_000;
    assert_eq!(judged(&errors(), &looks, Some("old")).outcome, Outcome::Passed);
}
