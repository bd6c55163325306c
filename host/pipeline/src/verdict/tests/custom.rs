//! Metrics that the host does not measure, by what one plugin says of them.

use super::*;

fn checkouts(events: u64, total: u64) -> Measurement {
    Measurement { metric: "checkouts".into(), ..rate("new", events, total) }
}

/// The host's errors, and what a trigger of the operator's own is about.
fn shop() -> Plan {
    plan(&[("error-rate", Rule::RateAbove(0.05)), ("checkouts", Rule::RateBelow(0.9))])
}

fn beside(edge: Vec<Measurement>, told: Vec<Measurement>) -> [Sample; 2] {
    [sample("edge", true, edge), sample("shop-health", false, told)]
}

fn of<'a>(judgement: &'a Judgement, rule: &str) -> &'a Verdict {
    judgement.verdicts.iter().find(|verdict| verdict.rule.starts_with(rule)).unwrap()
}

#[test]
fn what_one_plugin_alone_measures_passes_beside_the_hosts_own_errors_that_pass() {
    let judgement = judged(&shop(), &beside(vec![rate("new", 0, 500)], vec![checkouts(490, 500)]), None);
    assert_eq!(judgement.outcome, Outcome::Passed, "{:?}", judgement.verdicts);
    let words = &of(&judgement, "checkouts").words;
    assert!(
        words.ends_with("; `shop-health` says so, beside the `error-rate` that the host observed, which passes"),
        "{words}"
    );
    let judgement = judged(&shop(), &beside(vec![rate("new", 0, 500)], vec![checkouts(380, 500)]), None);
    assert_eq!((judgement.outcome, judgement.critical), (Outcome::Failed, true), "it can fail as ever");
}

#[test]
fn without_the_hosts_own_errors_that_pass_over_the_whole_watch_no_plugin_passes_its_metric_alone() {
    let good = || vec![checkouts(490, 500)];
    let late = Window { start: 300_000_000_000, ..WHOLE };
    let short = Sample { window: late, ..sample("edge", true, vec![rate("new", 0, 500)]) };
    let liars = ["liar", "liars-friend"].map(|name| sample(name, false, vec![rate("new", 0, 500)]));
    for (what, samples) in [
        ("nobody looked", vec![sample("shop-health", false, good())]),
        ("the host saw nothing", beside(vec![], good()).to_vec()),
        ("it saw too little", beside(vec![rate("new", 0, 40)], good()).to_vec()),
        ("it saw another release", beside(vec![rate("old", 0, 500)], good()).to_vec()),
        ("it saw the last minutes", vec![short, sample("shop-health", false, good())]),
        ("two plugins say what it did not see", [&liars[..], &[sample("shop-health", false, good())]].concat()),
    ] {
        let judgement = judged(&shop(), &samples, None);
        assert_eq!((judgement.outcome, judgement.lacking), (Outcome::Inconclusive, true), "{what}");
        let words = &of(&judgement, "checkouts").words;
        let doubt = "; but only `shop-health` says so: production needs a second source of another publisher, or the host's own `error-rate` \
                     that passes";
        assert!(words.ends_with(doubt), "{what}: {words}");
    }
}

#[test]
fn a_metric_that_the_host_measures_itself_is_not_passed_by_a_plugins_word() {
    let plan = plan(&[
        ("error-rate", Rule::RateAbove(0.05)),
        ("latency", Rule::QuantileAbove { quantile: 0.95, seconds: 2.0 }),
    ]);
    let took = |slow: u64, total: u64| latency("new", histogram(&[(2.0, total - slow), (f64::INFINITY, total)]));
    let samples = beside(vec![rate("new", 0, 500), took(0, 40)], vec![took(0, 5000)]);
    let judgement = judged(&plan, &samples, None);
    assert_eq!(judgement.outcome, Outcome::Inconclusive);
    let words = &of(&judgement, "latency").words;
    assert!(words.ends_with("only `shop-health` says so: production needs what the host observed, or a second source of another publisher"), "{words}");
}

#[test]
fn only_a_trigger_on_errors_that_decides_and_compares_with_nothing_vouches_for_a_release() {
    let told = || beside(vec![rate("new", 0, 500), rate("old", 25, 500)], vec![checkouts(490, 500)]);
    let mut shop = shop();
    let outcome = |plan: &Plan| judged(plan, &told(), Some("old")).outcome;
    assert_eq!(outcome(&shop), Outcome::Passed);
    shop.triggers[0].dry_run = true;
    assert_eq!(outcome(&shop), Outcome::Inconclusive, "what decides nothing vouches for nothing");
    let worse =
        plan(&[("error-rate", Rule::WorseBy { ratio: 0.2, quantile: None }), ("checkouts", Rule::RateBelow(0.9))]);
    let judgement = judged(&worse, &told(), Some("old"));
    assert_eq!(of(&judgement, "error-rate").outcome, Outcome::Passed);
    assert_eq!(
        judgement.outcome,
        Outcome::Inconclusive,
        "with all of the traffic there would be the plugin's word alone"
    );
    let alone = plan(&[("checkouts", Rule::RateBelow(0.9))]);
    assert_eq!(outcome(&alone), Outcome::Inconclusive);
    let staging = told();
    let round = Round { independent: false, ..round(&staging, None) };
    assert_eq!(judge(&alone, &round).outcome, Outcome::Passed, "staging takes one source");
}

#[test]
fn whoever_lies_about_a_metric_of_their_own_gains_nothing() {
    let errors = errors();
    for events in [0, 3, 8, 20, 40, 90] {
        let seen = vec![rate("new", events, 500)];
        let without = judged(&errors, &beside(seen.clone(), vec![checkouts(500, 500)]), None).outcome;
        let with = judged(&shop(), &beside(seen, vec![checkouts(500, 500), rate("new", 0, 50_000)]), None).outcome;
        assert_eq!(with, without, "{events} of 500 failed");
    }
}
