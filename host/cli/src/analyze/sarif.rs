//! The issues as SARIF 2.1.0 (OASIS), for code scanning and the tools that read it.

use std::collections::BTreeSet;

use autodevops_model::{Issue, Severity};
use serde_json::{Value, json};

use super::table::kind;

/// One run with a result for each issue, and a rule for each kind of them.
pub fn log(issues: &[Issue]) -> Value {
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
            "results": results,
        }],
    })
}

fn result(issue: &Issue, rule: Option<usize>) -> Value {
    let message =
        if issue.reason.is_empty() { issue.title.clone() } else { format!("{}: {}", issue.title, issue.reason) };
    let mut result = json!({
        "ruleId": kind(issue.kind),
        "ruleIndex": rule,
        "level": level(issue.severity),
        "message": { "text": message },
        "partialFingerprints": { "autodevops/v1": issue.fingerprint },
        "occurrenceCount": issue.count.max(1),
        // The standard's rank goes from 0 to 100.
        "rank": (issue.confidence * 100.0).clamp(0.0, 100.0),
        "locations": locations(issue),
    });
    let related: Vec<Value> = issue
        .evidence
        .iter()
        .zip(1..)
        .map(|(line, id)| {
            let mut place = place(&line.source, line.line, None);
            place["id"] = json!(id);
            place["message"] = json!({ "text": line.text });
            place
        })
        .collect();
    result["relatedLocations"] = json!(related);
    result
}

/// Where it is in the project, else the first line of the log that shows it.
fn locations(issue: &Issue) -> Vec<Value> {
    let in_project = issue.location.as_ref().map(|at| place(&at.path, u64::from(at.line), at.column));
    let in_log = || issue.evidence.first().map(|line| place(&line.source, line.line, None));
    in_project.or_else(in_log).into_iter().collect()
}

/// A physical location; lines and columns count from 1, and what is less is left out.
fn place(path: &str, line: u64, column: Option<u32>) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(path) } });
    if line > 0 {
        let mut region = json!({ "startLine": line });
        if let Some(column) = column.filter(|column| *column > 0) {
            region["startColumn"] = json!(column);
        }
        physical["region"] = region;
    }
    json!({ "physicalLocation": physical })
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
mod tests {
    use autodevops_model::{Evidence, IssueKind, Location};

    use super::*;

    #[test]
    fn the_log_has_what_the_standard_requires() {
        let issue = |kind| Issue {
            location: Some(Location { path: "lib/my file.js".into(), line: 3, column: Some(0) }),
            evidence: vec![Evidence { source: "app.log".into(), line: 0, text: "x".into() }],
            ..Issue::new("ab", kind, Severity::Critical, "boom")
        };
        let log = log(&[issue(IssueKind::NewPattern), issue(IssueKind::Exception)]);
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["name"], "autodevops");
        for result in run["results"].as_array().unwrap() {
            let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
            assert!(["none", "note", "warning", "error"].contains(&result["level"].as_str().unwrap()));
            assert!(result["message"]["text"].is_string());
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], "lib/my%20file.js");
            assert_eq!(place["region"], json!({ "startLine": 3 }));
            assert!(result["relatedLocations"][0]["physicalLocation"].get("region").is_none());
        }
        assert_eq!(super::log(&[])["runs"][0]["results"], json!([]));
    }
}
