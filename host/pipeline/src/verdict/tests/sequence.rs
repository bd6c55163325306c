//! What the sequential test decides, and what is left to the others of a chance that is shared.

use super::*;

/// A plan as runs have it, at a step that is decided by the sequential test.
fn small_step(plan: &Plan, samples: &[Sample], baseline: Option<&str>) -> Judgement {
    judge(plan, &Round { percent: 5, ..round(samples, baseline) })
}

fn sequential() -> Plan {
    Plan { decision: Decision::default(), ..errors() }
}

#[test]
fn the_sequential_test_fails_at_once_and_passes_with_few_requests() {
    // One metric, two steps of at most 25 %: 0.1 % each.
    assert_eq!(sequential().sequential_tests(), 2);
    let judgement = small_step(&sequential(), &host(vec![rate("new", 6, 24)]), None);
    assert_eq!((judgement.outcome, judgement.at_once, judgement.critical), (Outcome::Failed, true, true));
    let verdict = &judgement.verdicts[0];
    assert_eq!((verdict.method, verdict.word()), (Some(Method::Sprt), "fail"));
    assert_eq!(
        verdict.words,
        "25.0 % of 24 requests failed, threshold 5.0 %; sequential test: evidence 6 × ln(8.0 %/2.0 %) + 18 × ln(92.0 %/98.0 %) = \
         7.18, at or above 6.86 = ln(95.0 %/(0.20 %/2)): it fails"
    );
    let open = small_step(&sequential(), &host(vec![rate("new", 5, 24)]), None);
    assert_eq!((open.outcome, open.at_once, open.lacking), (Outcome::Inconclusive, false, false));
    let clean = small_step(&sequential(), &host(vec![rate("new", 0, 48)]), None);
    assert_eq!((clean.outcome, clean.verdicts[0].method), (Outcome::Passed, Some(Method::Sprt)));
    assert_eq!(small_step(&sequential(), &host(vec![rate("new", 0, 47)]), None).outcome, Outcome::Inconclusive);
    let large = judged(&sequential(), &host(vec![rate("new", 0, 48)]), None);
    assert_eq!(large.outcome, Outcome::Inconclusive, "at a large step the bound must be below");
}

#[test]
fn the_sequential_test_asks_no_more_of_a_candidate_than_of_the_baseline() {
    let both = |events| host(vec![rate("new", events, 100), rate("old", 40, 1000)]);
    assert_eq!(small_step(&sequential(), &host(vec![rate("new", 10, 100)]), Some("old")).outcome, Outcome::Failed);
    let judgement = small_step(&sequential(), &both(10), Some("old"));
    assert_eq!(judgement.outcome, Outcome::Inconclusive, "{:?}", judgement.verdicts[0]);
    assert!(judgement.verdicts[0].words.contains("16.0 %/4.0 %"), "{}", judgement.verdicts[0].words);
    assert_eq!(small_step(&sequential(), &both(25), Some("old")).outcome, Outcome::Failed);
    // A stable that is broken is no excuse for being far worse still.
    let broken = |events| host(vec![rate("new", events, 30), rate("old", 120, 1000)]);
    let judgement = small_step(&sequential(), &broken(19), Some("old"));
    assert_eq!(judgement.verdicts[0].method, Some(Method::HardTrip), "a hard trip comes first");
    let mut plan = sequential();
    plan.hard_trip.rate = 0.8;
    let judgement = small_step(&plan, &broken(19), Some("old"));
    assert_eq!((judgement.outcome, judgement.at_once), (Outcome::Failed, true));
    let verdict = &judgement.verdicts[0];
    assert_eq!(verdict.method, Some(Method::Sprt));
    assert!(verdict.words.contains("the baseline is at 12.0 % (120 of 1000); sequential test"), "{}", verdict.words);
    let judgement = small_step(&plan, &broken(0), Some("old"));
    assert_eq!((judgement.outcome, judgement.verdicts[0].method), (Outcome::Passed, Some(Method::TwoProportions)));
}

#[test]
fn the_sequential_test_never_goes_against_the_threshold_itself() {
    // Between the rates the test leans to the bad one from 4.4 % on: of very many requests, that would fail them.
    let judgement = small_step(&sequential(), &host(vec![rate("new", 470, 10_000)]), None);
    assert_ne!(judgement.outcome, Outcome::Failed, "{:?}", judgement.verdicts[0]);
    let beside = host(vec![rate("new", 18, 300), rate("old", 49, 1000)]);
    let judgement = small_step(&sequential(), &beside, Some("old"));
    let words = &judgement.verdicts[0].words;
    assert!(words.ends_with("for the good rate, but above the threshold"), "{words}");
    assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Inconclusive, false));
    // And a baseline near the threshold moves the test above it.
    let near = host(vec![rate("new", 90, 1000), rate("old", 49, 1000)]);
    let judgement = small_step(&sequential(), &near, Some("old"));
    assert_eq!((judgement.outcome, judgement.at_once), (Outcome::Failed, false), "{:?}", judgement.verdicts[0]);
}

#[test]
fn a_bad_window_counts_only_if_it_does_not_come_by_chance_in_a_whole_rollout() {
    let few = host(vec![rate("new", 4, 20)]);
    let plan = sequential();
    let judgement = judged(&plan, &few, None);
    assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Inconclusive, false));
    assert!(judgement.verdicts[0].words.contains("may come by chance (1 in 1,700)"), "{}", judgement.verdicts[0].words);
    assert_eq!(judged(&plan, &host(vec![rate("new", 9, 20)]), None).outcome, Outcome::Failed);
    assert_eq!(judged(&plan, &host(vec![rate("new", 37, 500)]), None).outcome, Outcome::Failed);
}

#[test]
fn the_chance_is_shared_among_every_test_and_every_look_of_a_whole_rollout() {
    let mut plan = Plan::defaults("shop");
    assert_eq!(plan.sequential_tests(), 4, "errors and the slow tail, at 5 % and at 25 %");
    plan.triggers[1].dry_run = true;
    assert_eq!(plan.sequential_tests(), 2);
    plan.decision.sequential_up_to = 100;
    assert_eq!(plan.sequential_tests(), 5, "four steps and the monitoring");
    plan.decision.sequential_up_to = 0;
    assert_eq!(plan.sequential_tests(), 1, "a chance is never shared among none");
    // Minutes: 30 of the soak, 10, 30, 60 and 120 of the steps, and 60 after them; each twice, and each step four times as long at most.
    assert_eq!(plan.looks(), (30 + 10 + 30 + 60 + 120 + 60) * 2 * 4);
    plan.interval = std::time::Duration::from_secs(45 * 60);
    plan.max_extensions = 0;
    assert_eq!(plan.looks(), (1 + 1 + 1 + 2 + 3 + 2) * 2, "a look that was begun is one");
}

#[test]
fn a_comparison_that_may_come_by_chance_in_a_whole_rollout_fails_nothing_either() {
    let rule = Rule::WorseBy { ratio: 0.2, quantile: None };
    let outcome = |decision: Decision, metric: &str, both: [Measurement; 2]| {
        let plan = Plan { decision, ..plan(&[(metric, rule)]) };
        let judgement = judged(&plan, &host(both.into()), Some("old"));
        (judgement.outcome, judgement.verdicts[0].words.contains("it may come by chance"))
    };
    // Twice as many errors, and a time that is half as long again: so by chance in less than 1 of 100, and in more than 1 of a million.
    let rates = || [rate("new", 22, 500), rate("old", 100, 5000)];
    let few = |release, seconds: f64, count: u32| {
        let spread = |n: u32| seconds * (0.5 + f64::from((n * 37) % count) / f64::from(count));
        latency(release, Observation::Samples((0..count).map(spread).collect()))
    };
    let ranks = || [few("new", 0.15, 23), few("old", 0.1, 23)];
    assert_eq!(outcome(Decision::single(), "error-rate", rates()), (Outcome::Failed, false));
    assert_eq!(outcome(Decision::default(), "error-rate", rates()), (Outcome::Inconclusive, true));
    // Beside a baseline that is broken itself.
    let broken = |decision: Decision| {
        let plan = Plan { decision, ..errors() };
        judged(&plan, &host(vec![rate("new", 90, 500), rate("old", 60, 500)]), Some("old")).outcome
    };
    assert_eq!((broken(Decision::single()), broken(Decision::default())), (Outcome::Failed, Outcome::Inconclusive));
    assert_eq!(outcome(Decision::single(), "latency", ranks()), (Outcome::Failed, false));
    assert_eq!(outcome(Decision::default(), "latency", ranks()), (Outcome::Inconclusive, true));
}

#[test]
fn what_needs_no_second_window_hurries_nothing_that_another_trigger_turns_back_for() {
    // The second is crossed by far, and turns nothing back.
    let mut plan =
        plan(&[("latency", Rule::WorseBy { ratio: 0.2, quantile: Some(0.95) }), ("a", Rule::RateAbove(0.05))]);
    plan.decision = Decision { bad_windows: 1, min_score: 0.0, ..Decision::default() };
    let values = |seconds: f64| Observation::Samples(vec![seconds; 100]);
    let a = Measurement { metric: "a".into(), ..rate("new", 200, 500) };
    let samples = host(vec![latency("new", values(0.2)), latency("old", values(0.1)), a]);
    let ends = |critical: [bool; 2]| {
        let mut plan = plan.clone();
        plan.triggers.iter_mut().zip(critical).for_each(|(trigger, critical)| trigger.critical = critical);
        let judgement = small_step(&plan, &samples, Some("old"));
        (judgement.outcome, judgement.critical, judgement.at_once)
    };
    assert_eq!(ends([true, false]), (Outcome::Failed, true, false));
    assert_eq!(ends([true, true]), (Outcome::Failed, true, true));
    assert_eq!(ends([false, false]), (Outcome::Failed, false, true), "a person is asked at once");
}

#[test]
fn beside_a_baseline_near_the_limit_the_sequential_test_fails_first_and_beside_one_that_may_be_above_it_the_limit_itself()
 {
    let ends = |(events, total), (old, of)| {
        let judgement =
            small_step(&sequential(), &host(vec![rate("new", events, total), rate("old", old, of)]), Some("old"));
        (judgement.outcome, judgement.at_once, judgement.verdicts[0].method)
    };
    for few in [(8, 30), (16, 80)] {
        assert_eq!(ends(few, (16, 400)), (Outcome::Failed, true, Some(Method::Sprt)), "{few:?}");
    }
    // That it is worse than that one may be chance.
    assert_eq!(ends((48, 300), (16, 218)), (Outcome::Failed, false, Some(Method::Wilson)));
}
