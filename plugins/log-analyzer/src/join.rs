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

/// The findings, those that are one thing as one.
pub fn join(mut findings: Vec<Finding>) -> Vec<Finding> {
    // By how likely each is the cause of others: faults first, then what began first.
    findings.sort_by(|a, b| {
        (rank(a), a.onset, &a.issue.fingerprint, &a.source).cmp(&(rank(b), b.onset, &b.issue.fingerprint, &b.source))
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

fn take_in(cause: &mut Finding, finding: Finding) {
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
