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
