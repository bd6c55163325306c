//! Clocks that run ahead, jump or are not set yet.

use autodevops_sdk::types::IssueKind;
use log_analyzer::Engine;

/// Two hours of a service: a request each five seconds, an error each ten minutes, and one each ten seconds from minute 90 on.
fn service() -> Vec<String> {
    let mut lines = Vec::new();
    for second in (0..7200_u32).step_by(5) {
        let time = format!("2026-11-23T{:02}:{:02}:{:02}Z", 10 + second / 3600, second / 60 % 60, second % 60);
        lines.push(format!("{time} INFO request {second} answered"));
        if second % 600 == 0 || second >= 5400 && second % 10 == 0 {
            lines.push(format!("{time} ERROR ledger is locked by {second}"));
        }
    }
    lines
}

fn kinds(lines: &[String]) -> Vec<IssueKind> {
    let mut engine = Engine::default();
    engine.push("shop.log", (lines.join("\n") + "\n").as_bytes());
    engine.issues().iter().map(|issue| issue.kind).collect()
}

#[test]
fn lines_of_a_time_that_is_not_hide_no_burst_and_make_none() {
    let right = service();
    assert_eq!(kinds(&right), [IssueKind::ErrorBurst]);
    for time in ["2093-01-01T00:00:00Z", "2026-12-31T00:00:00Z", "1970-01-01T00:00:07Z"] {
        let wrong = |text: &str| format!("{time} INFO {text}");
        for at in [0, 1, 700, right.len()] {
            for count in [1, 5, 15] {
                let mut lines = right.clone();
                lines.splice(at..at, (0..count).map(|_| wrong("request 17 answered")));
                assert_eq!(kinds(&lines), [IssueKind::ErrorBurst], "{count} lines of {time} at {at}");
            }
        }
    }
}
