use autodevops_model::{Bucket, Measurement, Rate};
use autodevops_statistics::Share;

use super::*;
use crate::{Decision, Direction, NoData, Origin};

mod beside;
mod chances;
mod clumps;
mod covered;
mod custom;
mod ends;
mod sequence;
mod trips;
mod why;
mod words;

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
    // Each is another's, by its name.
    let origin = Origin { publisher: format!("{source}-makers"), component: format!("sha256:{source}") };
    Sample { service: String::new(), source: source.into(), origin, observed_by_host, window: WHOLE, measurements }
}

fn plan(rules: &[(&str, Rule)]) -> Plan {
    let mut plan = Plan::defaults("shop");
    plan.triggers = rules.iter().map(|(metric, rule)| Trigger::new(*metric, *rule)).collect();
    plan.decision = Decision::single();
    plan
}

fn errors() -> Plan {
    plan(&[("error-rate", Rule::RateAbove(0.05))])
}

fn round<'a>(samples: &'a [Sample], baseline: Option<&'a str>) -> Round<'a> {
    Round {
        samples,
        candidate: "new",
        baseline,
        fresh: false,
        before: &[],
        strikes: &[],
        whole: &WHOLE,
        independent: true,
        percent: 50,
        chances: 1,
    }
}

fn judged(plan: &Plan, samples: &[Sample], baseline: Option<&str>) -> Judgement {
    judge(plan, &round(samples, baseline))
}

fn host(measurements: Vec<Measurement>) -> [Sample; 1] {
    [sample("edge", true, measurements)]
}

#[test]
fn so_many_errors_fail_and_one_less_does_not() {
    for (total, needed) in [(20, 4), (50, 7), (100, 11), (500, 37)] {
        assert!(lower(needed, total) > 0.05, "{needed} of {total}");
        assert!(lower(needed - 1, total) <= 0.05, "{} of {total}", needed - 1);
        assert_eq!(judged(&errors(), &host(vec![rate("new", needed, total)]), None).outcome, Outcome::Failed);
        assert_ne!(judged(&errors(), &host(vec![rate("new", needed - 1, total)]), None).outcome, Outcome::Failed);
    }
}

fn lower(events: u64, total: u64) -> f64 {
    Share::new(events, total).wilson_lower(CONFIDENCE)
}

fn chance(least: u64, total: u64, p: f64) -> f64 {
    Share::new(least, total).tail(p)
}

#[test]
fn a_service_at_two_per_cent_is_failed_by_chance_less_than_twice_in_a_thousand_windows() {
    for total in Trigger::MIN_SAMPLES..=600 {
        let needed = (0..=total).find(|events| lower(*events, total) > 0.05).unwrap();
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
    assert_eq!(judgement.verdicts[0].method, Some(Method::MinSamples));
    let judgement = judged(&errors(), &host(vec![rate("new", 0, 20)]), None);
    assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Inconclusive, true));
    let judgement = judged(&errors(), &host(vec![rate("new", 0, 104)]), None);
    assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Passed, true));
}

#[test]
fn silence_and_a_misspelt_metric_never_pass() {
    assert_eq!(judged(&errors(), &[], None).outcome, Outcome::Inconclusive);
    assert_eq!(judged(&errors(), &host(vec![]), None).outcome, Outcome::Inconclusive);
    let misspelt = plan(&[("eror-rate", Rule::RateAbove(0.05))]);
    let judgement = judged(&misspelt, &host(vec![rate("new", 0, 900)]), None);
    assert_eq!(judgement.outcome, Outcome::Inconclusive);
    assert_eq!(judgement.verdicts[0].words, "nobody measured `eror-rate` of `new`; measured of it were error-rate");
    assert_eq!(judgement.verdicts[0].method, Some(Method::NoData));
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
    // One component under two names is one source, and so is what one publisher has under two names, or what nobody is named for.
    let named = |publisher: &str, component: &str| Sample {
        origin: Origin { publisher: publisher.into(), component: component.into() },
        ..two[1].clone()
    };
    let Origin { publisher, component } = &lone[0].origin;
    for second in [named("others", component), named(publisher, "sha256:other"), named("", "sha256:other")] {
        let both = [lone[0].clone(), second];
        assert_eq!(judged(&errors(), &both, None).outcome, Outcome::Inconclusive, "{:?}", both[1].origin);
    }
    // Nor does a second one that saw the last minutes alone, or one that is not sure.
    let mut late = two.clone();
    late[1].window.start = WHOLE.end - 300_000_000_000;
    late[1].measurements[0].window = late[1].window.clone();
    assert_eq!(judged(&errors(), &late, None).outcome, Outcome::Inconclusive);
    let unsure = [lone[0].clone(), sample("other", false, vec![rate("new", 2, 20)])];
    assert_eq!(judged(&errors(), &unsure, None).outcome, Outcome::Inconclusive);
    let bad = [sample("plugin", false, vec![rate("new", 90, 500)])];
    assert_eq!(judged(&errors(), &bad, None).outcome, Outcome::Failed);
    let round = Round { independent: false, ..round(&lone, None) };
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
fn nothing_of_a_watch_counts_until_its_initial_delay_is_over() {
    let mut trigger = Trigger::new("error-rate", Rule::RateAbove(0.05));
    let begun = |trigger: &Trigger, end| trigger.begun(&Window { start: 5, end });
    assert_eq!(begun(&trigger, 5), Some(Window { start: 5, end: 5 }));
    trigger.initial_delay = std::time::Duration::from_nanos(10);
    assert_eq!((begun(&trigger, 14), begun(&trigger, 15)), (None, None));
    assert_eq!(begun(&trigger, 16), Some(Window { start: 15, end: 16 }));
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
    let quick = histogram(&[(1.0, 199), (2.0, 200), (5.0, 200), (f64::MAX, 200)]);
    let judgement = judged(&plan, &host(vec![rate("new", 0, 200), latency("new", quick)]), None);
    assert_eq!(judgement.outcome, Outcome::Passed);
}

#[test]
fn a_short_bad_window_keeps_a_good_watch_from_passing() {
    let own = Window { start: 300_000_000_000, ..WHOLE };
    let bad = Sample { window: own, ..sample("edge", true, vec![rate("new", 30, 100)]) };
    let good = sample("edge", true, vec![rate("new", 30, 2000)]);
    assert_eq!(judged(&errors(), &[good.clone(), bad.clone()], None).outcome, Outcome::Failed);
    let better = sample("edge", true, vec![rate("new", 30, 4000)]);
    let quiet = Sample { measurements: vec![rate("new", 0, 3)], ..bad.clone() };
    assert_eq!(judged(&errors(), &[better, quiet], None).outcome, Outcome::Passed);
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
fn the_fixed_sample_rule_decides_as_published() {
    let decides = |events, total| judged(&errors(), &host(vec![rate("new", events, total)]), None).outcome;
    for (events, total) in [(11, 100), (37, 500)] {
        assert_eq!(decides(events, total), Outcome::Failed);
    }
    for (events, total) in [(10, 100), (36, 500), (3, 5), (1, 100)] {
        assert_eq!(decides(events, total), Outcome::Inconclusive, "{events} of {total}");
    }
    assert_eq!(decides(0, 500), Outcome::Passed);
}

#[test]
fn a_dry_run_is_on_record_and_decides_nothing() {
    let mut plan = plan(&[("error-rate", Rule::RateAbove(0.05)), ("latency", Rule::RateAbove(0.01))]);
    plan.triggers[1].dry_run = true;
    let bad = Measurement { metric: "latency".into(), ..rate("new", 400, 500) };
    let judgement = judged(&plan, &host(vec![rate("new", 0, 500), bad]), None);
    assert_eq!((judgement.outcome, judgement.at_once), (Outcome::Passed, false));
    let dry = judgement.verdicts.last().unwrap();
    assert!(dry.dry_run && dry.outcome == Outcome::Failed);
    assert!(!judgement.verdicts[0].dry_run);
}

#[test]
fn triggers_that_are_not_critical_turn_back_together_when_the_score_is_low() {
    let rule = Rule::RateAbove(0.05);
    let mut plan = plan(&[("a", rule), ("b", rule), ("c", rule)]);
    plan.decision.min_score = 0.5;
    plan.triggers.iter_mut().for_each(|trigger| trigger.critical = false);
    let failing = |names: &[&str]| {
        let of = |name: &str| {
            let events = if names.contains(&name) { 200 } else { 0 };
            Measurement { metric: name.into(), ..rate("new", events, 500) }
        };
        host(["a", "b", "c"].map(of).to_vec())
    };
    let judgement = judged(&plan, &failing(&["a"]), None);
    assert_eq!((judgement.outcome, judgement.critical), (Outcome::Failed, false));
    assert!(judged(&plan, &failing(&["a", "b"]), None).critical);
    plan.triggers[2].weight = 3.0;
    assert!(!judged(&plan, &failing(&["a", "b"]), None).critical, "3 of 5 do not fail");
    assert!(judged(&plan, &failing(&["c"]), None).critical);
}

#[test]
fn silence_fails_a_trigger_that_says_so_once_its_window_is_over() {
    let mut plan = errors();
    let own = Window { start: 300_000_000_000, ..WHOLE };
    let silent = Sample { window: own, ..sample("edge", true, vec![rate("new", 0, 0)]) };
    let whole = sample("edge", true, vec![rate("new", 0, 300)]);
    assert_eq!(judged(&plan, &[whole.clone(), silent.clone()], None).outcome, Outcome::Passed);
    plan.triggers[0].no_data = NoData::Fail;
    let judgement = judged(&plan, &[whole.clone(), silent.clone()], None);
    assert_eq!((judgement.outcome, judgement.at_once), (Outcome::Failed, false));
    assert_eq!(judgement.verdicts[0].method, Some(Method::NoData));
    let staged = [whole.clone(), silent.clone()];
    let judgement = judge(&plan, &Round { independent: false, ..round(&staged, None) });
    assert_ne!(judgement.outcome, Outcome::Failed, "staging may have no visitors");
    let seen = Sample { measurements: vec![rate("new", 0, 1)], ..silent };
    assert_eq!(judged(&plan, &[whole, seen], None).outcome, Outcome::Passed);
    let begun = Window { start: 0, end: 60_000_000_000 };
    let early = [Sample { window: begun.clone(), ..sample("edge", true, vec![rate("new", 0, 0)]) }];
    let judgement = judge(&plan, &Round { whole: &begun, ..round(&early, None) });
    assert_eq!(judgement.outcome, Outcome::Inconclusive, "its window is not over");
}

#[test]
fn latencies_are_no_silence_and_none_of_them_is() {
    let mut plan = plan(&[("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 1.0 })]);
    plan.triggers[0].no_data = NoData::Fail;
    let buckets = |count| Observation::Histogram(vec![Bucket { le: 0.5, count }, Bucket { le: f64::INFINITY, count }]);
    for (seen, outcome) in [
        (buckets(1), Outcome::Passed),
        (buckets(0), Outcome::Failed),
        (Observation::Samples(vec![0.1]), Outcome::Passed),
        (Observation::Samples(Vec::new()), Outcome::Failed),
    ] {
        let own = Window { start: 300_000_000_000, ..WHOLE };
        let of_own = Sample { window: own, ..sample("edge", true, vec![latency("new", seen.clone())]) };
        let whole = sample("edge", true, vec![latency("new", buckets(300))]);
        assert_eq!(judged(&plan, &[whole, of_own], None).outcome, outcome, "{seen:?}");
    }
}

#[test]
fn what_was_measured_in_another_way_is_an_error_that_names_it_and_passes_nothing() {
    let judgement =
        judged(&errors(), &host(vec![rate("new", 0, 500).with(Observation::Samples(vec![0.1; 500]))]), None);
    assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Inconclusive, true), "it is not the release's fault");
    let verdict = &judgement.verdicts[0];
    assert_eq!((verdict.word(), verdict.window.clone()), ("error", None));
    assert!(verdict.words.starts_with("`error-rate` was not measured as events out of a total"), "{}", verdict.words);
}

#[test]
fn a_rate_below_its_limit_fails_as_its_rest_above_it() {
    let plan = plan(&[("checkouts", Rule::RateBelow(0.95))]);
    let of = |events| host(vec![Measurement { metric: "checkouts".into(), ..rate("new", events, 100) }]);
    assert_eq!(judged(&plan, &of(89), None).outcome, Outcome::Failed);
    assert_eq!(judged(&plan, &of(90), None).outcome, Outcome::Inconclusive);
    assert_eq!(judged(&plan, &of(100), None).outcome, Outcome::Inconclusive);
}

#[test]
fn one_client_that_only_sees_errors_fails_nothing_though_a_plugin_tells_the_hosts_own_count() {
    let all = |events, total| Measurement { metric: ALL_ERRORS.into(), ..rate("new", events, total) };
    let edge = sample("edge", true, vec![rate("new", 3, 400), all(90, 400)]);
    let told = |events, total| sample("plugin", false, vec![rate("new", events, total)]);
    let outcome = |samples: &[Sample]| judged(&errors(), samples, None).outcome;
    assert_eq!(outcome(&[edge.clone(), told(90, 405)]), Outcome::Passed, "it repeats the front door's counters");
    assert_eq!(outcome(&[edge.clone(), told(140, 400)]), Outcome::Failed, "it has seen errors that the host has not");
    assert_eq!(outcome(&[edge.clone(), told(90, 900)]), Outcome::Failed, "it has seen other requests");
    assert_eq!(outcome(&[told(90, 400)]), Outcome::Failed, "nobody else has seen them");
    let own = Window { start: 300_000_000_000, ..WHOLE };
    let lately = Sample { window: own, ..sample("edge", true, vec![rate("new", 0, 400), all(90, 400)]) };
    let whole = sample("edge", true, vec![rate("new", 3, 400), all(10, 400)]);
    assert_eq!(outcome(&[whole, lately, told(90, 400)]), Outcome::Failed, "the host has not seen them in that window");
    let misspelt = plan(&[("eror-rate", Rule::RateAbove(0.05))]);
    assert!(judged(&misspelt, &[edge], None).verdicts[0].words.ends_with("measured of it were error-rate"));
}
