//! Several sources that tell of one thing, and several that tell of several.

use std::fmt::Write as _;

use autodevops_sdk::types::{Issue, IssueKind};
use log_analyzer::Engine;

/// An hour of ordinary lines; what `fault` gives for a minute comes in it.
fn log(ordinary: &str, fault: impl Fn(u32) -> String) -> String {
    let mut text = String::new();
    for minute in 0..60 {
        for n in 0..4 {
            writeln!(text, "2026-11-23T10:{minute:02}:{:02}.000Z INFO {ordinary} {n}", n * 15).unwrap();
        }
        text += &fault(minute);
    }
    text
}

fn analyze(sources: &[(&str, String)]) -> Vec<Issue> {
    let mut engine = Engine::default();
    for (name, text) in sources {
        engine.push(name, text.as_bytes());
    }
    engine.issues()
}

fn failing(id: &'static str, level: &'static str, text: &'static str, millisecond: u32) -> impl Fn(u32) -> String {
    move |minute| {
        if minute < 30 {
            return String::new();
        }
        format!("2026-11-23T10:{minute:02}:50.{millisecond:03}Z {level} {text} {id}=7f3a9c{minute:02}\n")
    }
}

#[test]
fn a_request_that_fails_through_three_services_is_one_issue_and_the_deepest_is_the_cause() {
    let sources = [
        ("gateway.log", log("answered", failing("request_id", "ERROR", "upstream gave no answer", 30))),
        ("orders.log", log("stored", failing("traceId", "ERROR", "order could not be stored", 20))),
        ("database.log", log("executed", failing("req", "ERROR", "deadlock was found", 10))),
    ];
    let issues = analyze(&sources);
    assert_eq!(issues.len(), 1, "{issues:#?}");
    assert!(issues[0].title.starts_with("deadlock was found"), "{}", issues[0].title);
    assert_eq!(issues[0].kind, IssueKind::NewPattern);
    let related: Vec<&str> = issues[0].related.iter().map(|related| related.source.as_str()).collect();
    assert_eq!(related, ["orders.log", "gateway.log"]);
}

#[test]
fn two_services_that_fail_at_the_same_time_for_other_requests_are_two_issues() {
    let other = log("sent", |minute| {
        if minute < 30 {
            String::new()
        } else {
            format!("2026-11-23T10:{minute:02}:50Z ERROR relay is away request_id=0b1d{minute:02}\n")
        }
    });
    let sources = [
        ("orders.log", log("stored", failing("request_id", "ERROR", "order could not be stored", 20))),
        ("mail.log", other),
    ];
    let issues = analyze(&sources);
    assert_eq!(issues.len(), 2, "{issues:#?}");
    assert!(issues.iter().all(|issue| issue.related.is_empty()), "{issues:#?}");
}

#[test]
fn a_log_without_years_is_put_beside_one_with_them() {
    let without_years = |text: String| text.replace("2026-11-23T", "Nov 23 ").replace(".000Z INFO", " web1 shop[7]:");
    let database = without_years(log("executed", failing("req", "web1 shop[7]: error:", "deadlock was found", 0)))
        .replace(".000Z web1", " web1");
    let sources = [
        ("orders.log", log("stored", failing("traceId", "ERROR", "order could not be stored", 20))),
        ("database.log", database),
    ];
    let issues = analyze(&sources);
    assert_eq!(issues.len(), 1, "{issues:#?}");
    assert_eq!((issues[0].kind, issues[0].related.len()), (IssueKind::NewPattern, 1));
    assert!(issues[0].title.contains("deadlock was found"), "{}", issues[0].title);
}
