//! What turns a release back at once.

use super::*;

#[test]
fn half_of_ten_requests_failed_trips_at_once_and_by_the_hosts_count_where_there_is_one() {
    let few = judged(&errors(), &host(vec![rate("new", 5, 10)]), None);
    assert!(few.at_once && !few.lacking, "what speaks against it is more than the want of samples");
    let fewer = judged(&errors(), &host(vec![rate("new", 5, 9)]), None);
    assert!(!fewer.at_once && fewer.lacking);
    assert!(!judged(&errors(), &host(vec![rate("new", 4, 10)]), None).at_once);
    assert!(judged(&errors(), &[sample("plugin", false, vec![rate("new", 9, 10)])], None).at_once);
    let calm = [sample("plugin", false, vec![rate("new", 9, 10)]), sample("edge", true, vec![rate("new", 0, 100)])];
    assert!(!judged(&errors(), &calm, None).at_once);
}

#[test]
fn a_hard_trip_needs_no_trigger_that_names_the_error_rate() {
    let slow = plan(&[("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 })]);
    assert!(judged(&slow, &host(vec![rate("new", 5, 10)]), None).at_once);
    assert!(!judged(&slow, &host(vec![rate("new", 4, 10)]), None).at_once);
}

#[test]
fn what_is_no_failure_trips_nothing_however_often_it_happens() {
    let mut plan = plan(&[("cache-miss", Rule::RateAbove(0.4))]);
    plan.triggers[0].critical = false;
    let missed = |events, total| Measurement { metric: "cache-miss".into(), ..rate("new", events, total) };
    for observed_by_host in [false, true] {
        let cold = [sample("cache", observed_by_host, vec![missed(10, 10)])];
        assert!(!judged(&plan, &cold, None).at_once, "a cold cache misses all");
        let failing = [sample("cache", observed_by_host, vec![missed(10, 10), rate("new", 5, 10)])];
        assert!(judged(&plan, &failing, None).at_once, "requests that fail trip beside it");
    }
    let many = judged(&plan, &host(vec![missed(900, 1000)]), None);
    assert_eq!(
        (many.outcome, many.critical, many.at_once),
        (Outcome::Failed, false, false),
        "it is judged all the same"
    );
}

#[test]
fn a_hard_trip_is_critical_even_where_its_trigger_is_not() {
    let mut plan = errors();
    plan.triggers[0].critical = false;
    let judgement = judged(&plan, &host(vec![rate("new", 10, 10)]), None);
    assert!(judgement.at_once && judgement.critical);
    let judgement = judged(&plan, &host(vec![rate("new", 40, 100)]), None);
    assert_eq!((judgement.outcome, judgement.critical), (Outcome::Failed, false));
}

#[test]
fn a_crash_loop_or_a_dead_probe_trips_at_once_by_the_hosts_word_alone() {
    for metric in [CRASH_LOOP, PROBE] {
        let sign = |release: &str| Measurement { metric: metric.into(), ..rate(release, 1, 1) };
        let judgement = judged(&errors(), &host(vec![rate("new", 0, 3), sign("new")]), Some("old"));
        assert!(judgement.at_once && judgement.critical, "{metric}");
        assert!(judgement.verdicts[0].words.starts_with("hard trip: the release"), "{}", judgement.verdicts[0].words);
        let plugins = [sample("plugin", false, vec![rate("new", 0, 3), sign("new")])];
        assert!(!judged(&errors(), &plugins, Some("old")).at_once);
        let both = host(vec![rate("new", 0, 3), sign("new"), sign("old")]);
        assert!(!judged(&errors(), &both, Some("old")).at_once, "the machine's fault, not the release's");
    }
}

#[test]
fn a_release_that_fails_nearly_whoever_asks_is_not_passed_for_that_they_are_few() {
    let of = |counted, all, total| {
        let all = Measurement { metric: ALL_ERRORS.into(), ..rate("new", all, total) };
        judged(&errors(), &host(vec![rate("new", counted, total), all]), None)
    };
    let judgement = of(3, 600, 600);
    assert_eq!((judgement.outcome, judgement.at_once, judgement.lacking), (Outcome::Inconclusive, false, false));
    assert_eq!(
        judgement.verdicts[0].told(),
        "all-errors below 50.0 % is not decided: 600 of 600 requests failed, 3 by the count in which a few clients make no trend: a person must say whether \
         it is their own doing"
    );
    assert_eq!(of(3, 300, 600).outcome, Outcome::Inconclusive, "exactly so many");
    assert_eq!(of(3, 299, 600).outcome, Outcome::Passed);
    // Nor does it keep from being turned back what fails by the count.
    assert_eq!(of(90, 600, 600).outcome, Outcome::Failed);
    let all = |release: &str, events| Measurement { metric: ALL_ERRORS.into(), ..rate(release, events, 600) };
    let beside = |baseline, events| {
        judged(&errors(), &host(vec![rate("new", 3, 600), all("new", events), all("old", 600)]), baseline).outcome
    };
    assert_eq!(beside(None, 299), Outcome::Passed, "of another release");
    assert_eq!(beside(None, 600), Outcome::Inconclusive);
    assert_eq!(beside(Some("old"), 600), Outcome::Passed, "the baseline fails as well for those who ask");
}
