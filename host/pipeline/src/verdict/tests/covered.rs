//! What plugins say that their measurements cover, beside what they were asked of.

use super::*;

const SECOND: i64 = 1_000_000_000;

/// With an interval of a minute.
const SLACK: i64 = 120 * SECOND;

const fn window(start: i64, end: i64) -> Window {
    Window { start: start * SECOND, end: end * SECOND }
}

/// What somebody says of the whole watch, and what of it they saw.
fn told(source: &str, covered: &Window, events: u64, total: u64) -> Sample {
    asked(source, &WHOLE, covered, events, total)
}

fn asked(source: &str, asked: &Window, covered: &Window, events: u64, total: u64) -> Sample {
    let seen = Measurement { window: covered.clone(), ..rate("new", events, total) };
    Sample { window: asked.clone(), ..sample(source, false, vec![seen]) }
}

/// What two publishers' plugins come to that both saw this: without the host it takes as many.
fn of_both(covered: &Window, events: u64) -> Judgement {
    judged(&errors(), &["one", "two"].map(|source| told(source, covered, events, 500)), None)
}

fn passes(covered: &Window) -> bool {
    of_both(covered, 0).outcome == Outcome::Passed
}

fn fails(covered: &Window) -> bool {
    of_both(covered, 90).outcome == Outcome::Failed
}

#[test]
fn what_is_of_another_time_than_was_asked_is_as_if_it_had_not_been_seen() {
    let (start, end) = (WHOLE.start, WHOLE.end);
    for covered in [Window { start: start - SLACK, end }, Window { start, end: end + SLACK }] {
        assert!(passes(&covered) && fails(&covered), "{covered:?} is near enough");
    }
    for covered in [
        Window { start: start - SLACK - 1, end },
        Window { start, end: end + SLACK + 1 },
        window(-3600, -3000),
        window(900, 1200),
        Window { start: end, end: start },
    ] {
        assert!(!passes(&covered) && !fails(&covered), "{covered:?}");
        let judgement = of_both(&covered, 400);
        assert_eq!(
            (judgement.outcome, judgement.lacking),
            (Outcome::Inconclusive, true),
            "it trips nothing: {covered:?}"
        );
        assert_eq!(judgement.verdicts[0].method, Some(Method::NoData), "it is no error");
        assert_eq!(judgement.verdicts[0].window, None, "it takes back no bad window before");
    }
    let words = &of_both(&window(-3600, 600), 0).verdicts[0].words;
    let wanted =
        "`error-rate` of `new` was measured by `one` over 23:00:00Z to 00:10:00Z, not over 00:00:00Z to 00:10:00Z";
    assert_eq!(words, wanted);
}

#[test]
fn a_baseline_of_another_time_excuses_nothing() {
    let beside = |covered: Window| {
        let old = Measurement { window: covered, ..rate("old", 400, 500) };
        let mut both = ["one", "two"].map(|source| told(source, &WHOLE, 400, 500));
        both.iter_mut().for_each(|sample| sample.measurements.push(old.clone()));
        judged(&errors(), &both, Some("old")).outcome
    };
    assert_ne!(beside(WHOLE), Outcome::Failed);
    assert_eq!(beside(window(-3600, 600)), Outcome::Failed);
}

#[test]
fn what_covers_a_part_of_the_watch_can_fail_and_passes_nothing() {
    let (start, end) = (WHOLE.start, WHOLE.end);
    for covered in [Window { start: start + SLACK, end }, Window { start, end: end - SLACK }] {
        assert!(passes(&covered), "{covered:?} is near enough");
    }
    for covered in [window(590, 600), Window { start: start + SLACK + 1, end }, Window { start, end: end - SLACK - 1 }]
    {
        assert!(!passes(&covered) && fails(&covered), "{covered:?}");
        assert!(of_both(&covered, 0).lacking);
    }
    let words = &of_both(&window(590, 600), 0).verdicts[0].words;
    assert!(words.ends_with("; but `one` saw 00:09:50Z to 00:10:00Z of 00:00:00Z to 00:10:00Z"), "{words}");
    // It speaks against nothing that another saw from beginning to end.
    let full = sample("edge", true, vec![rate("new", 0, 500)]);
    let unsure = told("one", &window(300, 600), 30, 500);
    assert_eq!(judged(&errors(), &[full, unsure], None).outcome, Outcome::Passed);
}

#[test]
fn a_long_watch_may_lack_a_tenth_and_a_short_interval_leaves_ten_seconds() {
    let passes = |plan: &Plan, length: i64, lacks: i64| {
        let whole = window(0, length);
        let covered = Window { start: lacks, ..whole.clone() };
        let both = ["one", "two"].map(|source| asked(source, &whole, &covered, 0, 500));
        judge(plan, &Round { whole: &whole, ..round(&both, None) }).outcome == Outcome::Passed
    };
    let mut plan = errors();
    assert!(passes(&plan, 7200, 720 * SECOND) && !passes(&plan, 7200, 720 * SECOND + 1));
    plan.interval = std::time::Duration::from_secs(1);
    assert!(passes(&plan, 60, 10 * SECOND) && !passes(&plan, 60, 10 * SECOND + 1));
}

/// Judges a second look at ten minutes, after a bad window until then.
fn after(until: i64, samples: &[Sample]) -> Judgement {
    let mut plan = errors();
    plan.decision.bad_windows = 2;
    let strikes = [Strike {
        service: String::new(),
        rule: plan.triggers[0].name(),
        windows: 1,
        until: crate::Timestamp(until * SECOND),
    }];
    judge(&plan, &Round { strikes: &strikes, ..round(samples, None) })
}

#[test]
fn a_bad_window_is_what_was_seen_and_the_next_has_no_moment_in_common_with_it() {
    let next = window(300, 600);
    let judgement = after(300, &[asked("monitor", &next, &window(200, 500), 90, 500)]);
    assert_eq!((judgement.outcome, judgement.confirmed), (Outcome::Failed, false), "a part of it was bad before");
    assert_eq!(judgement.verdicts[0].window, Some(window(200, 500)));
    let judgement = after(300, &[asked("monitor", &next, &window(300, 500), 90, 500)]);
    assert!(judgement.confirmed);
    let mut strikes = Vec::new();
    Strike::take_in(&mut strikes, judgement.verdicts.iter());
    assert_eq!(strikes[0].until.0, 500 * SECOND, "it ended when what was seen did");
    // Of two that were asked of the next, the one counts that saw nothing else, whichever is asked first.
    let two = [("one", window(290, 600)), ("two", window(300, 600))];
    for order in [[0, 1], [1, 0]] {
        let both = order.map(|at: usize| asked(two[at].0, &next, &two[at].1, 90, 500));
        assert!(after(300, &both).confirmed, "{order:?}");
    }
}

#[test]
fn what_the_host_counted_is_of_the_window_that_it_was_asked_of() {
    let covered = [window(-3600, 600), window(590, 600), window(0, 900)];
    for covered in covered {
        let of = |asked_of: &Window, events| Sample {
            observed_by_host: true,
            ..asked("edge", asked_of, &covered, events, 500)
        };
        assert_eq!(judged(&errors(), &[of(&WHOLE, 0)], None).outcome, Outcome::Passed, "{covered:?}");
        let judgement = after(300, &[of(&window(300, 600), 90)]);
        assert!(judgement.confirmed, "{covered:?}");
        assert_eq!(judgement.verdicts[0].window, Some(window(300, 600)));
    }
}

#[test]
fn only_of_what_nobody_measured_is_it_told_who_measured_that_at_another_time() {
    let words = |samples: &[Sample]| judged(&errors(), samples, Some("old")).verdicts[0].words.clone();
    // Another release, another metric.
    for other in [rate("old", 0, 500), Measurement { metric: "refund-rate".into(), ..rate("new", 0, 500) }] {
        let astray = Measurement { window: window(-3600, 600), ..other };
        assert!(words(&[sample("one", false, vec![astray])]).starts_with("nobody measured `error-rate` of `new`"));
    }
    let few = sample("edge", true, vec![rate("new", 5, 19)]);
    let astray = told("one", &window(-3600, 600), 0, 500);
    assert_eq!(words(&[few, astray.clone()]), "19 requests, of 20 that a decision needs");
    // That nothing came in is known.
    let mut plan = errors();
    plan.triggers[0].no_data = NoData::Fail;
    let words = &judged(&plan, &[astray], None).verdicts[0].words;
    assert!(words.starts_with("nothing came in of `error-rate` over its whole window"), "{words}");
}
