//! Too many new issues at once are no help: those beyond a bound are told of together, in one.
//!
//! Hours are those of the log, and within one the worst are told first, then the earliest: what was told once stays told, and a
//! cause, which comes before what it causes, is among them. What is critical, and what is known from before, is never held back.

use std::collections::BTreeMap;

use autodevops_sdk::types::{Issue, IssueKind, Related, Severity};

use crate::{detect::Finding, group::shorten, kind_name, template::fingerprint, time::SECOND};

/// Nanoseconds of an hour.
const HOUR: i64 = 3600 * SECOND;
/// Most that are named of what is held back: the contract's most related.
const NAMED: usize = 10;
/// Of those, how many are in the reason too.
const IN_REASON: usize = 3;
/// Lines of evidence.
const LINES: usize = 5;

/// The issues, with those beyond so many that began in one hour as one.
pub fn hold_back(findings: Vec<Finding>, most: usize) -> Vec<Issue> {
    let (mut told, mut hours) = (Vec::new(), BTreeMap::<i64, Vec<Finding>>::new());
    for finding in findings {
        if finding.known || finding.issue.severity >= Severity::Critical {
            told.push(finding.issue);
        } else {
            hours.entry(finding.onset.div_euclid(HOUR)).or_default().push(finding);
        }
    }
    let mut held = Vec::new();
    for (_, mut begun) in hours {
        if begun.len() > most {
            begun.sort_by(|a, b| {
                let severity = (b.issue.severity as u8).cmp(&(a.issue.severity as u8));
                severity.then(a.onset.cmp(&b.onset)).then_with(|| a.issue.fingerprint.cmp(&b.issue.fingerprint))
            });
            held.extend(begun.drain(most..).map(|finding| (finding.source, finding.issue)));
        }
        told.extend(begun.into_iter().map(|finding| finding.issue));
    }
    if !held.is_empty() {
        told.push(summary(held, most));
    }
    told
}

/// One issue about all that were held back.
fn summary(mut held: Vec<(String, Issue)>, most: usize) -> Issue {
    held.sort_by(|(_, a), (_, b)| b.count.cmp(&a.count).then_with(|| a.fingerprint.cmp(&b.fingerprint)));
    let mut kinds = BTreeMap::<&str, usize>::new();
    for (_, issue) in &held {
        *kinds.entry(kind_name(issue.kind)).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, number)| format!("{number} {kind}")).collect();
    let often: Vec<String> = held
        .iter()
        .take(IN_REASON)
        .map(|(_, issue)| format!("`{}` ({} times)", issue.template.as_deref().unwrap_or(&issue.title), issue.count))
        .collect();
    let title = format!("{} more new issues, told of as one", held.len());
    let reason = format!(
        "more than {most} new issues began within one hour; those held back are {}; the most frequent of them: {}",
        kinds.join(", "),
        often.join(", ")
    );
    let issues = || held.iter().map(|(_, issue)| issue);
    Issue {
        count: issues().map(|issue| issue.count).sum(),
        first_seen: issues().filter_map(|issue| issue.first_seen).min(),
        last_seen: issues().filter_map(|issue| issue.last_seen).max(),
        evidence: issues().filter_map(|issue| issue.evidence.first()).take(LINES).cloned().collect(),
        reason,
        related: held
            .iter()
            .take(NAMED)
            .map(|(source, issue)| Related {
                fingerprint: issue.fingerprint.clone(),
                kind: issue.kind,
                source: source.clone(),
                title: issue.title.clone(),
            })
            .collect(),
        ..Issue::new(fingerprint(&["held back"]), IssueKind::Anomaly, Severity::Warning, shorten(&title))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(number: u64, onset: i64, severity: Severity) -> Finding {
        let issue = Issue {
            count: 1 + number % 7,
            ..Issue::new(format!("{number:016x}"), IssueKind::NewPattern, severity, format!("fault {number}"))
        };
        Finding { issue, onset, dated: true, source: "app.log".to_owned(), blur: 0, ids: Vec::new(), known: false }
    }

    #[test]
    fn what_is_beyond_the_bound_of_an_hour_is_one_issue_that_says_how_many_which_kinds_and_which_most() {
        let mut findings: Vec<Finding> =
            (0..30).map(|number| finding(number, number as i64 * SECOND, Severity::Error)).collect();
        findings.push(finding(40, 2 * HOUR, Severity::Warning));
        let issues = hold_back(findings, 10);
        assert_eq!(issues.len(), 12);
        let one = issues.iter().find(|issue| issue.kind == IssueKind::Anomaly).unwrap();
        assert_eq!(one.title, "20 more new issues, told of as one");
        assert!(one.reason.contains("more than 10 new issues") && one.reason.contains("are 20 new-pattern"), "{one:?}");
        assert!(one.reason.contains("`fault 13` (7 times)"), "{}", one.reason);
        assert_eq!((one.related.len(), one.count), (10, (10..30).map(|number| 1 + number % 7).sum()));
        for number in 0..10 {
            assert!(issues.iter().any(|issue| issue.title == format!("fault {number}")), "{number}");
        }
    }

    #[test]
    fn what_is_worse_comes_first_and_what_is_critical_or_known_is_never_held_back() {
        let mut findings: Vec<Finding> = (0..20).map(|number| finding(number, 0, Severity::Warning)).collect();
        findings.push(finding(90, SECOND, Severity::Error));
        findings.push(finding(91, SECOND, Severity::Critical));
        findings.push(Finding { known: true, ..finding(92, SECOND, Severity::Warning) });
        let titles: Vec<String> = hold_back(findings, 1).into_iter().map(|issue| issue.title).collect();
        for told in ["fault 90", "fault 91", "fault 92", "20 more new issues, told of as one"] {
            assert!(titles.iter().any(|title| title == told), "{told}: {titles:?}");
        }
        assert_eq!(titles.len(), 4);
    }

    #[test]
    fn within_the_bound_nothing_changes() {
        let issues = hold_back((0..10).map(|number| finding(number, i64::MIN, Severity::Error)).collect(), 10);
        assert!(issues.len() == 10 && issues.iter().all(|issue| issue.kind == IssueKind::NewPattern));
    }
}
