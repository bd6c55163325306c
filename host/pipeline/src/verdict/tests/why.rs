//! Why a rule that is crossed turns back, or does not yet: what its verdict says of that.

use super::*;
use crate::{Strike, Timestamp};

/// The words on a failed window of ten minutes after so many bad ones, the last of which ended at that second.
fn after(plan: &Plan, windows: u32, until: i64) -> String {
    let until = Timestamp(until * 1_000_000_000);
    let strikes = [Strike { service: String::new(), rule: "error-rate above 5.0 %".into(), windows, until }];
    let bad = host(vec![rate("new", 40, 100)]);
    judge(plan, &Round { strikes: &strikes, ..round(&bad, None) }).verdicts[0].words.clone()
}

#[test]
fn a_bad_window_says_which_it_is_and_when_the_next_may_begin() {
    let wait =
        |row, at| format!("; bad window {row} in a row: so far it may be chance, the next begins at {at} or later");
    let first = judged(&errors(), &host(vec![rate("new", 40, 100)]), None);
    assert!(first.verdicts[0].words.ends_with(&wait("1 of 2", "00:10:00Z")), "{:?}", first.verdicts[0]);
    let mut three = errors();
    three.decision.bad_windows = 3;
    let mut one = errors();
    one.decision.bad_windows = 1;
    for (plan, windows, until, end) in [
        // It has moments in common with the one before: that one is counted, until its own end.
        (&errors(), 1, 300, wait("1 of 2", "00:05:00Z")),
        (&errors(), 1, 0, "; bad window 2 of 2 in a row".to_owned()),
        (&errors(), 2, 0, "; bad window 3 in a row, where 2 are enough".to_owned()),
        (&three, 1, 0, wait("2 of 3", "00:10:00Z")),
        (&one, 0, 0, "; one bad window is enough".to_owned()),
    ] {
        let words = after(plan, windows, until);
        assert!(words.ends_with(&end), "{words}");
    }
    let mut none = errors();
    none.decision.bad_windows = 0;
    assert!(!after(&none, 1, 0).contains("bad window"), "none are counted");
}

#[test]
fn a_rule_that_is_not_critical_says_whether_others_turn_it_back_with_it_or_a_person_is_asked() {
    let mut plan = plan(&["a", "b", "c"].map(|name| (name, Rule::RateAbove(0.05))));
    plan.decision.bad_windows = 1;
    plan.decision.min_score = 0.5;
    plan.triggers.iter_mut().for_each(|trigger| trigger.critical = false);
    let first = |plan: &Plan, failing: &[&str]| {
        let of = |name: &str| {
            let events = if failing.contains(&name) { 200 } else { 0 };
            Measurement { metric: name.into(), ..rate("new", events, 500) }
        };
        let judgement = judged(plan, &host(["a", "b", "c"].map(of).to_vec()), None);
        let verdict = judgement.verdicts.into_iter().next().unwrap();
        let score = verdict.numbers.iter().find(|(name, _)| name == "score").map(|(_, score)| *score);
        (judgement.critical, verdict.words.split_once("enough; ").map(|(_, why)| why.to_owned()), score)
    };
    let asked = |left| {
        format!(
            ": what is not crossed has {left} of all triggers' weights, no less than `min-score` (50.0 %), so a person is asked"
        )
    };
    let back = |left| {
        format!(
            ": what is not crossed has {left} of all triggers' weights, less than `min-score` (50.0 %), so it is turned back"
        )
    };
    for (weight, failing, with, why) in [
        (1.0, &["a"][..], "", asked("66.7 %")),
        (1.0, &["a", "b"], ", nor is b above 5.0 %, which is crossed too", back("33.3 %")),
        (1.0, &["a", "b", "c"], ", nor are b above 5.0 % and c above 5.0 %, which are crossed too", back("0.0 %")),
        (3.0, &["a"], "", back("40.0 %")),
        (2.0, &["a"], "", asked("50.0 %")),
    ] {
        plan.triggers[0].weight = weight;
        let (critical, words, score) = first(&plan, failing);
        assert_eq!(words, Some(format!("not critical{with}{why}")), "{failing:?}");
        assert_eq!(critical, score.unwrap() < 0.5, "{failing:?}");
    }
    // What turns back by itself, and what is not enough yet, weighs nothing.
    plan.decision.bad_windows = 2;
    assert_eq!(first(&plan, &["a"]).2, None);
    plan.decision.bad_windows = 1;
    plan.triggers[0].critical = true;
    assert_eq!(first(&plan, &["a"]), (true, None, None));
}

#[test]
fn the_sequential_tests_bounds_are_told_with_the_chances_that_make_them() {
    let mut plan = Plan { decision: Decision::default(), ..errors() };
    let judged = |plan: &Plan, chances, events, total| {
        let samples = host(vec![rate("new", events, total)]);
        judge(plan, &Round { percent: 5, chances, ..round(&samples, None) }).verdicts.swap_remove(0)
    };
    // One metric and two small steps, of one service and of three.
    for (chances, events, total, end, tests) in [
        (1, 8, 24, "at or above 6.86 = ln(95.0 %/(0.20 %/2)): it fails", 2.0),
        (3, 9, 24, "at or above 7.96 = ln(95.0 %/(0.20 %/6)): it fails", 6.0),
        (1, 0, 48, "at or below -2.99 = ln(5.0 %/(100.0 % − 0.20 %/2)): it is good", 2.0),
        (1, 3, 24, "between -2.99 = ln(5.0 %/(100.0 % − 0.20 %/2)) and 6.86 = ln(95.0 %/(0.20 %/2)): undecided", 2.0),
    ] {
        let verdict = judged(&plan, chances, events, total);
        assert!(verdict.words.ends_with(end), "{}", verdict.words);
        let number = |name: &str| verdict.numbers.iter().find(|(other, _)| other == name).unwrap().1;
        assert_eq!((number("alpha"), number("tests"), number("beta")), (0.002, tests, 0.05));
        let made = ((1.0 - number("beta")) / (number("alpha") / number("tests"))).ln();
        assert!((made - number("fail-at")).abs() < 1e-9);
    }
    plan.decision.sequential_up_to = 5;
    let alone = judged(&plan, 1, 8, 24).words;
    assert!(alone.ends_with("at or above 6.16 = ln(95.0 %/0.20 %): it fails"), "{alone}");
}

#[test]
fn a_window_that_is_bad_says_how_rare_it_must_be_among_all_metrics_and_looks() {
    let rules = [("a", 5), ("b", 5), ("c", 5)].map(|(name, limit)| (name, Rule::RateAbove(f64::from(limit) / 100.0)));
    let plan = Plan { decision: Decision::default(), ..plan(&rules) };
    assert_eq!(plan.looks(), 2480);
    let words = |events: [u64; 3]| {
        let of = |(name, events): (&str, u64)| Measurement { metric: name.into(), ..rate("new", events, 100) };
        let measured = ["a", "b", "c"].into_iter().zip(events).map(of).collect();
        judged(&plan, &host(measured), None).verdicts.into_iter().map(|verdict| verdict.words).collect::<Vec<_>>()
    };
    // 0.1 % / 2480 / 3 is 1 in 7,440,000; where one is rarer, the others share that among two: 1 in 4,960,000.
    let three = "rarer than 1 in 7,400,000, 0.10 % shared among 3 metrics and 2480 looks";
    let two = "rarer than 1 in 5,000,000, 0.10 % shared among 2 metrics and 2480 looks";
    let both = words([30, 11, 0]);
    assert!(both[0].contains(&format!("; {three}; bad window 1 of 2")), "{}", both[0]);
    let doubt = |least: &str| format!("it may come by chance (1 in 180,000): it must be {least}; more must be seen");
    assert!(both[1].ends_with(&doubt(two)), "{}", both[1]);
    let alone = words([11, 0, 0]);
    assert!(alone[0].ends_with(&doubt(three)), "{}", alone[0]);
}

#[test]
fn what_decides_at_once_and_what_decides_nothing_counts_no_windows() {
    let bad = host(vec![rate("new", 40, 100)]);
    let sequential = Plan { decision: Decision::default(), ..errors() };
    let judgement = judge(&sequential, &Round { percent: 5, ..round(&bad, None) });
    assert_eq!(judgement.verdicts[0].method, Some(Method::Sprt));
    let tripped = judged(&errors(), &host(vec![rate("new", 5, 10)]), None);
    let mut dry = plan(&[("error-rate", Rule::RateAbove(0.05)), ("error-rate", Rule::RateAbove(0.1))]);
    dry.triggers[0].dry_run = true;
    let dry = judged(&dry, &bad, None);
    let dry = dry.verdicts.iter().find(|verdict| verdict.dry_run).unwrap();
    for verdict in [&judgement.verdicts[0], &tripped.verdicts[0], dry] {
        assert!(verdict.outcome == Outcome::Failed && !verdict.words.contains("bad window"), "{verdict:?}");
    }
    assert!(!judged(&errors(), &host(vec![rate("new", 0, 500)]), None).verdicts[0].words.contains("bad window"));
}
