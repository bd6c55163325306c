//! The issues as SARIF 2.1.0 (OASIS), for code scanning and the tools that read it.

use std::collections::BTreeSet;

use autodevops_model::{Issue, Severity};
use autodevops_orchestrator::analysis::{Analysis, Skipped};
use serde_json::{Map, Value, json};

use super::table::kind;

/// One run with a result for each issue, a rule for each kind of them, and a notification for each log that was not read as it is.
pub fn log(analysis: &Analysis) -> Value {
    let issues = &analysis.issues;
    let kinds: BTreeSet<&str> = issues.iter().map(|issue| kind(issue.kind)).collect();
    let rules: Vec<Value> = kinds
        .iter()
        .map(|kind| json!({ "id": kind, "shortDescription": { "text": kind.replace('-', " ") } }))
        .collect();
    let index = |issue: &Issue| kinds.iter().position(|known| *known == kind(issue.kind));
    let results: Vec<Value> = issues.iter().map(|issue| result(issue, index(issue))).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "autodevops",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": !analysis.is_partial(),
                "toolExecutionNotifications": analysis.skipped.iter().map(notification).collect::<Vec<_>>(),
            }],
            "results": results,
        }],
    })
}

fn notification(skipped: &Skipped) -> Value {
    json!({
        "level": if skipped.trouble.is_some() { "error" } else { "warning" },
        "message": { "text": skipped.to_string() },
        "locations": [place(&skipped.source, 0, None)],
    })
}

fn result(issue: &Issue, rule: Option<usize>) -> Value {
    let message =
        if issue.reason.is_empty() { issue.title.clone() } else { format!("{}: {}", issue.title, issue.reason) };
    let related = issue.evidence.iter().zip(1..).map(|(line, id)| {
        let message = ("message".to_owned(), json!({ "text": line.text }));
        let own = [("id".to_owned(), json!(id)), message];
        Value::Object(place(&line.source, line.line, None).into_iter().chain(own).collect())
    });
    json!({
        "ruleId": kind(issue.kind),
        "ruleIndex": rule,
        "level": level(issue.severity),
        "message": { "text": message },
        "partialFingerprints": { "autodevops/v1": issue.fingerprint },
        "occurrenceCount": issue.count.max(1),
        // The standard's rank goes from 0 to 100.
        "rank": (issue.confidence * 100.0).clamp(0.0, 100.0),
        "locations": locations(issue),
        "relatedLocations": related.collect::<Vec<_>>(),
    })
}

/// Where it is in the project, else the first line of the log that shows it.
fn locations(issue: &Issue) -> Vec<Map<String, Value>> {
    let in_project = issue.location.as_ref().map(|at| place(&at.path, u64::from(at.line), at.column));
    let in_log = || issue.evidence.first().map(|line| place(&line.source, line.line, None));
    in_project.or_else(in_log).into_iter().collect()
}

/// A physical location; lines and columns count from 1, and what is less is left out.
fn place(path: &str, line: u64, column: Option<u32>) -> Map<String, Value> {
    let column = column.filter(|column| *column > 0).map(|column| ("startColumn".to_owned(), json!(column)));
    let region: Map<String, Value> =
        std::iter::once(("startLine".to_owned(), json!(line))).chain(column).filter(|_| line > 0).collect();
    let artifact = ("artifactLocation".to_owned(), json!({ "uri": uri(path) }));
    let region = (!region.is_empty()).then(|| ("region".to_owned(), Value::Object(region)));
    let physical: Map<String, Value> = std::iter::once(artifact).chain(region).collect();
    std::iter::once(("physicalLocation".to_owned(), Value::Object(physical))).collect()
}

/// A path as a URI reference (RFC 3986): what has a meaning there is escaped.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Error | Severity::Critical => "error",
    }
}

#[cfg(test)]
mod tests;
