//! What the operator can say of issues, and what is told when there are too many.

use std::fmt::Write as _;

use autodevops_sdk::types::{Issue, IssueKind, Severity};
use log_analyzer::{Engine, Settings};

fn analyze(settings: &str, text: &str) -> Vec<Issue> {
    let settings: Settings = serde_json::from_str(settings).unwrap();
    let mut engine = Engine::new(settings.checked().unwrap());
    engine.push("app.log", text.as_bytes());
    engine.issues()
}

fn only(settings: &str, text: &str) -> Issue {
    let mut issues = analyze(settings, text);
    assert_eq!(issues.len(), 1, "{issues:#?}");
    issues.remove(0)
}

#[test]
fn a_severity_is_overridden_by_a_text_and_by_a_fingerprint_and_the_fingerprint_stays() {
    let error = "2026-11-23T10:00:00Z ERROR ledger 12 is locked\n";
    let plain = only("{}", error);
    assert_eq!((plain.severity, plain.kind), (Severity::Error, IssueKind::Exception));
    let text = only(r#"{"severities":["is locked=critical"]}"#, error);
    assert_eq!((text.severity, text.kind), (Severity::Critical, IssueKind::CriticalError));
    assert_eq!(text.fingerprint, plain.fingerprint);
    let rule = format!(r#"{{"severities":["fingerprint:{}=critical"]}}"#, &plain.fingerprint[..8]);
    assert_eq!(only(&rule, error).severity, Severity::Critical);
    // As one warning is no issue, so is one error that counts as one.
    assert_eq!(analyze(r#"{"severities":["is locked=warning"]}"#, error), []);
    assert_eq!(only(r#"{"severities":["is locked=warning"]}"#, &error.repeat(10)).severity, Severity::Warning);
    let warning = "2026-11-23T10:00:00Z WARN ledger 12 is locked\n";
    assert_eq!(analyze("{}", warning), []);
    assert_eq!(only(r#"{"severities":["is locked=error"]}"#, warning).severity, Severity::Error);
}

#[test]
fn errors_that_count_as_warnings_make_no_burst_of_the_sources_errors() {
    let mut text = String::new();
    for minute in 0..60 {
        for n in 0..40 {
            writeln!(text, "2026-11-23T10:{minute:02}:{n:02}Z INFO order {n} received").unwrap();
        }
        // Many kinds of error rise a little each.
        for n in 0..if minute < 40 { 4 } else { 30 } {
            let name = ["ann", "bob", "cid", "dan", "eve", "fay"][n % 6];
            writeln!(text, "2026-11-23T10:{minute:02}:{:02}Z ERROR {name}{name} of the ledger broke", n * 2).unwrap();
        }
    }
    let bursts = |settings| analyze(settings, &text).iter().filter(|issue| issue.kind == IssueKind::ErrorBurst).count();
    assert!(bursts("{}") > 0);
    let issues = analyze(r#"{"severities":["of the ledger=info"]}"#, &text);
    assert!(issues.iter().all(|issue| issue.severity <= Severity::Info), "{issues:#?}");
}

#[test]
fn an_issue_is_ignored_by_its_fingerprint() {
    let text = "2026-11-23T10:00:00Z ERROR ledger 12 is locked\n2026-11-23T10:00:01Z ERROR disk is full\n";
    let issues = analyze("{}", text);
    assert_eq!(issues.len(), 2);
    let settings = format!(r#"{{"ignore":["fingerprint:{}"]}}"#, issues[0].fingerprint);
    assert_eq!(only(&settings, text).fingerprint, issues[1].fingerprint);
}

#[test]
fn too_many_new_issues_in_an_hour_are_told_of_as_one_after_the_first() {
    let name = |n: usize| format!("{0}{0}", ["ba", "ce", "di", "fo", "gu", "ha", "ke", "li"][n % 8]);
    let text: String =
        (0..64).map(|n| format!("2026-11-23T10:00:{:02}Z ERROR {}{} broke\n", n % 60, name(n), name(n / 8))).collect();
    let issues = analyze(r#"{"max-new-per-hour":5}"#, &text);
    assert_eq!(issues.len(), 6, "{issues:#?}");
    let summary = issues.iter().find(|issue| issue.kind == IssueKind::Anomaly).unwrap();
    assert_eq!((summary.severity, summary.related.len()), (Severity::Warning, 10));
    assert!(summary.reason.contains("those held back are") && !summary.evidence.is_empty(), "{summary:#?}");
    let critical = text.replace(" ERROR ", " FATAL ");
    assert!(analyze(r#"{"max-new-per-hour":5}"#, &critical).len() > 6, "what is critical is told of");
}

#[test]
fn a_level_in_words_behind_the_systems_program_is_its_level() {
    for (line, severity) in [
        ("Nov 23 10:00:01 web1 shop[812]: fatal: no space left on device", Severity::Critical),
        ("Nov 23 10:00:01 web1 shop[812]: FATAL: no space left on device", Severity::Critical),
        ("Nov 23 10:00:01 web1 shop[812]: FATAL no space left on device", Severity::Critical),
        ("Nov 23 10:00:01 web1 shop[812]: panic: assignment to entry in nil map", Severity::Critical),
        ("Nov 23 10:00:01 web1 shop: emerg: cannot go on", Severity::Critical),
        ("<34>1 2026-11-23T10:00:01Z web1 shop 812 - - fatal: no space left on device", Severity::Critical),
        ("Nov 23 10:00:01 web1 shop[812]: error: disk is away", Severity::Error),
    ] {
        let issue = only("{}", line);
        assert_eq!(
            (issue.severity, issue.severity == Severity::Critical),
            (severity, issue.kind == IssueKind::CriticalError),
            "{line}: {issue:#?}"
        );
    }
    for line in [
        "Nov 23 10:00:01 web1 shop[812]: fatal errors are written to /var/log/fatal",
        "Nov 23 10:00:01 web1 shop[812]: warning: disk is slow",
    ] {
        assert!(analyze("{}", line).iter().all(|issue| issue.kind != IssueKind::CriticalError), "{line}");
    }
}

#[test]
fn in_an_access_log_the_route_and_the_status_tell_failures_apart_and_the_client_does_not() {
    let agents = [
        "curl/8.4.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
        "python-requests/2.31",
        "-",
        "Googlebot/2.1 (+http://www.google.com/bot.html)",
    ];
    let mut text = String::new();
    for n in 0..600 {
        let (path, status) = match n % 10 {
            0 => (format!("/api/orders/{n}?page={n}"), 503),
            1 => (format!("/api/carts/{n}/items"), 500),
            2 => (format!("/api/carts/{n}/items"), 404),
            _ => (format!("/api/orders/{n}"), 200),
        };
        writeln!(
            text,
            "10.0.{}.{} - - [23/Nov/2026:10:{:02}:{:02} +0000] \"GET {path} HTTP/1.1\" {status} {} \"https://shop.example/{n}\" \"{}\"",
            n % 4,
            n % 250,
            n / 60,
            n % 60,
            n * 7,
            agents[n % agents.len()]
        )
        .unwrap();
    }
    let mut titles: Vec<String> = analyze("{}", &text)
        .into_iter()
        .filter(|issue| issue.severity >= Severity::Error)
        .map(|issue| format!("{} {}", issue.count, issue.title.split("api").next().unwrap_or_default()))
        .collect();
    titles.sort();
    assert_eq!(titles, ["60 HTTP 500: GET /", "60 HTTP 503: GET /"]);
    let mut engine = Engine::default();
    engine.push("access.log", text.as_bytes());
    assert!(engine.groups().len() <= 8, "{:#?}", engine.groups());
}
