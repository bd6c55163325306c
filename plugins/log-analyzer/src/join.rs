//! Findings that are one thing: the same in several sources, or one the cause of another. The probable cause comes first.
//!
//! Faults are one only where they name the same request or trace. What follows from a fault (fewer lines of another kind, work
//! that takes longer, a line that stops) is put to it by its time alone, as it names no request.

use autodevops_sdk::types::{IssueKind, Related, Severity};

use crate::detect::Finding;

/// Most issues that are named as related to one.
const MAX_RELATED: usize = 10;
/// Lines of evidence of one issue.
const MAX_EVIDENCE: usize = 10;
/// Below this confidence something is rather no issue: the pipeline takes up none that is less sure.
const UNSURE: f64 = 0.5;

/// The findings, those that are one thing as one.
pub fn join(mut findings: Vec<Finding>) -> Vec<Finding> {
    // By how likely each is the cause of others: what is sure first, then faults, then what began first.
    findings.sort_by(|a, b| {
        let by = |finding: &Finding| (is_unsure(finding), rank(finding), finding.onset);
        by(a).cmp(&by(b)).then_with(|| (&a.issue.fingerprint, &a.source).cmp(&(&b.issue.fingerprint, &b.source)))
    });
    let mut causes: Vec<Finding> = Vec::new();
    for finding in findings {
        match causes.iter_mut().find(|cause| is_one(cause, &finding)) {
            Some(cause) => take_in(cause, finding),
            None => causes.push(finding),
        }
    }
    causes
}

/// Whether it is rather nothing than something: what is sure is not told of as what came of it.
fn is_unsure(finding: &Finding) -> bool {
    finding.issue.confidence < UNSURE
}

/// Faults are causes of all else; what stopped or slowed down is one of rates.
const fn rank(finding: &Finding) -> u8 {
    match finding.issue.kind {
        IssueKind::CriticalError
        | IssueKind::NewPattern
        | IssueKind::ErrorBurst
        | IssueKind::Exception
        | IssueKind::Anomaly => 0,
        IssueKind::LatencyRegression | IssueKind::Prediction => 1,
        IssueKind::VanishedHeartbeat => 2,
        IssueKind::RateChange => 3,
    }
}

fn is_one(cause: &Finding, finding: &Finding) -> bool {
    if cause.issue.fingerprint == finding.issue.fingerprint {
        return true;
    }
    let same_time = cause.onset.abs_diff(finding.onset) <= cause.blur.max(finding.blur).unsigned_abs();
    match (rank(cause), rank(finding)) {
        (0, 0) => cause.ids.iter().any(|id| finding.ids.contains(id)),
        // A fault that was always there is no cause of what began later; a value that grows is a thing of its own.
        (0, _) => same_time && cause.issue.kind != IssueKind::Exception && finding.issue.kind != IssueKind::Prediction,
        (1, 1) => same_time && cause.issue.kind == finding.issue.kind && cause.issue.kind != IssueKind::Prediction,
        _ => same_time && cause.issue.kind != IssueKind::Prediction,
    }
}

/// Puts what came with a finding, or of it, to it.
pub fn take_in(cause: &mut Finding, finding: Finding) {
    let Finding { issue, source, ids, known, .. } = finding;
    cause.known |= known && issue.fingerprint == cause.issue.fingerprint;
    let own = &mut cause.issue;
    own.severity = own.severity.max(if issue.kind == own.kind { issue.severity } else { Severity::Info });
    let room = MAX_EVIDENCE.saturating_sub(own.evidence.len());
    let lines = if issue.fingerprint == own.fingerprint { issue.evidence.len() } else { 1 };
    own.evidence.extend(issue.evidence.into_iter().take(lines.min(room)));
    cause.ids.extend(ids);
    if issue.fingerprint == own.fingerprint {
        own.count += issue.count;
        own.first_seen = [own.first_seen, issue.first_seen].into_iter().flatten().min();
        own.last_seen = own.last_seen.max(issue.last_seen);
        own.confidence = own.confidence.max(issue.confidence);
    }
    if own.related.len() < MAX_RELATED && (issue.fingerprint != own.fingerprint || source != cause.source) {
        own.related.push(Related { fingerprint: issue.fingerprint, kind: issue.kind, source, title: issue.title });
    }
}

#[cfg(test)]
mod tests {
    use autodevops_sdk::types::Issue;
    use proptest::prelude::*;

    use super::*;
    use crate::time::SECOND;

    fn finding(kind: IssueKind, source: &str, title: &str, onset: i64, ids: &[u64]) -> Finding {
        Finding {
            issue: Issue::new(crate::template::fingerprint(&[title]), kind, Severity::Error, title),
            onset: onset * SECOND,
            dated: true,
            source: source.to_owned(),
            blur: 30 * SECOND,
            ids: ids.to_vec(),
            known: false,
        }
    }

    /// The titles of what came of it, each with those that came with it.
    fn joined(findings: Vec<Finding>) -> Vec<(String, Vec<String>)> {
        let titles = |finding: Finding| {
            let related = finding.issue.related.into_iter().map(|related| related.title).collect();
            (finding.issue.title, related)
        };
        join(findings).into_iter().map(titles).collect()
    }

    use IssueKind::{Exception, LatencyRegression, NewPattern, Prediction, RateChange, VanishedHeartbeat};

    #[test]
    fn faults_that_name_the_same_request_are_one_and_the_first_is_the_cause() {
        let joined = joined(vec![
            finding(NewPattern, "gateway", "502", 102, &[1, 2]),
            finding(NewPattern, "orders", "no answer", 101, &[2, 3]),
            finding(NewPattern, "database", "deadlock", 100, &[3]),
        ]);
        assert_eq!(joined, [("deadlock".to_owned(), vec!["no answer".to_owned(), "502".to_owned()])]);
    }

    #[test]
    fn faults_of_the_same_moment_that_name_other_requests_or_none_are_apart() {
        let other = vec![finding(NewPattern, "a", "x", 100, &[1]), finding(NewPattern, "b", "y", 100, &[2])];
        assert_eq!(joined(other).len(), 2);
        let none = vec![finding(NewPattern, "a", "x", 100, &[]), finding(NewPattern, "b", "y", 100, &[])];
        assert_eq!(joined(none).len(), 2);
    }

    #[test]
    fn what_changes_with_a_new_fault_is_put_to_it_and_what_changed_before_or_later_is_not() {
        for kind in [RateChange, LatencyRegression, VanishedHeartbeat] {
            let with =
                |onset| vec![finding(NewPattern, "a", "fault", 100, &[]), finding(kind, "b", "change", onset, &[])];
            assert_eq!(joined(with(110)), [("fault".to_owned(), vec!["change".to_owned()])], "{kind:?}");
            assert_eq!(joined(with(200)).len(), 2, "{kind:?}");
            assert_eq!(joined(with(20)).len(), 2, "{kind:?}");
        }
    }

    #[test]
    fn what_is_sure_is_no_part_of_what_is_not() {
        let mut both = vec![finding(NewPattern, "a", "fault", 100, &[]), finding(RateChange, "a", "change", 110, &[])];
        (both[0].issue.confidence, both[1].issue.confidence) = (0.2, 0.9);
        assert_eq!(joined(both.clone()), [("change".to_owned(), vec!["fault".to_owned()])]);
        both[0].issue.confidence = 0.6;
        assert_eq!(joined(both), [("fault".to_owned(), vec!["change".to_owned()])]);
    }

    #[test]
    fn a_fault_that_was_always_there_is_no_cause_and_a_value_that_grows_is_a_thing_of_its_own() {
        let always = vec![finding(Exception, "a", "fault", 100, &[]), finding(RateChange, "a", "change", 100, &[])];
        assert_eq!(joined(always).len(), 2);
        let grows = vec![finding(NewPattern, "a", "fault", 100, &[]), finding(Prediction, "a", "disk", 100, &[])];
        assert_eq!(joined(grows).len(), 2);
    }

    #[test]
    fn the_same_in_two_sources_is_one_issue_that_counts_both() {
        let mut both = vec![finding(NewPattern, "a", "x", 100, &[]), finding(NewPattern, "b", "x", 900, &[])];
        both[1].issue.count = 4;
        let joined = join(both);
        assert_eq!((joined.len(), joined[0].issue.count, joined[0].source.as_str()), (1, 5, "a"));
        assert_eq!(joined[0].issue.related[0].source, "b");
    }

    proptest! {
        #[test]
        fn the_order_of_findings_does_not_matter_and_none_is_lost(
            parts in prop::collection::vec((0_usize..6, 0_i64..200, 0_u64..5), 1..9),
            turn in any::<prop::sample::Index>(),
        ) {
            let kinds = [NewPattern, Exception, RateChange, LatencyRegression, VanishedHeartbeat, Prediction];
            let make = || -> Vec<Finding> {
                let one = |(number, (kind, onset, id)): (usize, &(usize, i64, u64))| {
                    finding(kinds[*kind], "a", &format!("{number}"), *onset, &[*id])
                };
                parts.iter().enumerate().map(one).collect()
            };
            let mut turned = make();
            turned.rotate_left(turn.index(parts.len()));
            let first = joined(make());
            prop_assert_eq!(&joined(turned), &first);
            let told: usize = first.iter().map(|(_, related)| 1 + related.len()).sum();
            prop_assert_eq!(told, parts.len());
        }
    }
}
