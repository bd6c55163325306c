//! Issues about rates that rose.

use autodevops_sdk::types::{Evidence, Issue, IssueKind, RateChange, Severity};

use crate::{
    group::{Coverage, shorten},
    rate::Rise,
    template::fingerprint,
};

/// An issue about one kind of fault.
pub fn of_group(issue: &Issue, rise: &Rise) -> Issue {
    let (severity, change) = measure(rise);
    Issue {
        kind: IssueKind::ErrorBurst,
        fingerprint: fingerprint(&["rising-rate", &issue.fingerprint]),
        title: shorten(&format!("{} often: {}", more(rise, "as"), issue.title)),
        severity: severity.min(issue.severity),
        confidence: sureness(rise),
        rate: Some(change),
        ..issue.clone()
    }
}

/// An issue about all errors of a source.
pub fn of_source(source: &str, count: u64, rise: &Rise, seen: Coverage, evidence: Vec<Evidence>) -> Issue {
    let (severity, change) = measure(rise);
    let title = format!(
        "{} errors in {source}: {:.1} a minute over {} minutes, {:.1} before",
        more(rise, "as many"),
        rise.current,
        rise.minutes,
        rise.baseline
    );
    Issue {
        message: title.clone(),
        confidence: sureness(rise),
        count,
        first_seen: seen.map(|(first, _)| first),
        last_seen: seen.map(|(_, last)| last),
        evidence,
        rate: Some(change),
        ..Issue::new(fingerprint(&["rising-rate", "source", source]), IssueKind::ErrorBurst, severity, shorten(&title))
    }
}

/// How much more: `15 % more`, or from three times on, `4 times as`.
fn more(rise: &Rise, equally: &str) -> String {
    let ratio = rise.current / rise.baseline;
    if ratio < 3.0 { format!("{:.0} % more", (ratio - 1.0) * 100.0) } else { format!("{ratio:.0} times {equally}") }
}

/// A rate that rose by half is as bad as an error.
fn measure(rise: &Rise) -> (Severity, RateChange) {
    let severity = if rise.current >= rise.baseline * 1.5 { Severity::Error } else { Severity::Warning };
    let change = RateChange {
        baseline_per_minute: rise.baseline,
        current_per_minute: rise.current,
        window_seconds: rise.minutes * 60,
    };
    (severity, change)
}

/// From 0.9 at the least deviate that is reported, towards 1.
fn sureness(rise: &Rise) -> f64 {
    1.0 - 0.43 / rise.deviate.max(4.3)
}
