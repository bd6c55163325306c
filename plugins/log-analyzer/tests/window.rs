//! Which lines are read where the operator names a time.

use autodevops_sdk::types::Issue;
use log_analyzer::{Bound, Engine, Settings};

fn bound(text: &str) -> Bound {
    Bound::try_from(text.to_owned()).unwrap()
}

fn analyze(log: &str, since: &str, until: &str) -> Vec<Issue> {
    let settings = Settings { since: bound(since), until: bound(until), ..Settings::default() };
    let mut engine = Engine::new(settings.clone());
    for part in log.as_bytes().chunks(100) {
        engine.push("app.log", part);
        // It goes on where it was, also amid a record.
        engine = Engine::restore(&engine.checkpoint().unwrap()).unwrap().with(settings.clone());
    }
    engine.issues()
}

/// A failure with a stack trace each ten minutes from 10:00 to 10:50.
fn log() -> String {
    (0..6)
        .map(|n| {
            format!(
                "2026-11-23T10:{n}0:00Z INFO order {n}\n2026-11-23T10:{n}0:01Z ERROR TypeError: x is undefined\n    at total (lib/order.js:12:7)\n"
            )
        })
        .collect()
}

#[test]
fn counts_and_evidence_are_of_the_lines_in_between() {
    let log = log();
    for (since, until, count, first_line) in [
        ("", "", 6, 2),
        ("2026-11-23T10:20:00Z", "", 4, 8),
        ("", "2026-11-23T10:20:00Z", 2, 2),
        ("2026-11-23T10:10:01Z", "2026-11-23T10:30:01Z", 3, 5),
        ("2026-11-23T12:10:02+02:00", "2026-11-23 10:30:00", 1, 8),
    ] {
        let issues = analyze(&log, since, until);
        assert_eq!(issues.len(), 1, "{since} to {until}");
        assert_eq!((issues[0].count, issues[0].evidence[0].line), (count, first_line), "{since} to {until}");
        // A stack trace has no time of its own, and goes with its head.
        assert_eq!(issues[0].stack.len(), 1);
        let last = issues[0].evidence.iter().map(|evidence| evidence.line).max().unwrap();
        assert!(last < first_line + 3 * count, "{:?}", issues[0].evidence);
    }
    assert_eq!(analyze(&log, "2026-11-23T11:00:00Z", ""), []);
    assert_eq!(analyze(&log, "2026-11-23T10:10:02Z", "2026-11-23T10:20:00Z"), []);
}

#[test]
fn a_line_without_a_year_is_of_the_nearest_and_one_without_a_day_is_not_in_between() {
    let count = |line: &str| analyze(line, "2026-11-23T00:00:00Z", "").len();
    assert_eq!(count("Nov 23 10:00:00 web shop[7]: error: disk is full\n"), 1);
    assert_eq!(count("Nov 22 10:00:00 web shop[7]: error: disk is full\n"), 0);
    assert_eq!(count("10:00:00 error: disk is full\n"), 0);
}
