//! Issues about errors that became more frequent.

use autodevops_sdk::types::{Evidence, Issue, IssueKind, Severity};

use crate::{
    detect::{
        Finding, change_of, history,
        load::Load,
        more,
        rates::{self, Changed},
        series::Series,
        sure_of_burst, told,
    },
    group::shorten,
    template::fingerprint,
    time::SECOND,
};

/// The least evidence.
const MIN_EVIDENCE: f64 = 3.0;
/// The least relative rise that matters, less what counting makes of it.
const MIN_RATIO: f64 = 1.13;
/// Fewest errors that are too many.
const MIN_EXCESS: f64 = 5.0;
/// How high a second pulse may be, as a share of the first: what comes again is usual.
const MAX_RIVAL: f64 = 0.6;

/// Errors that are so many of all lines are followed by the others, rather than follow them.
const MOST_OF_LOAD: f64 = 0.2;

/// The least confidence of what is called a burst: a fault whose lines come in clumps is one that the service has.
pub const LEAST_SURE: f64 = 0.5;

/// The rise of errors, where there is one.
pub fn change(errors: &Series, load: &Series, coverage: (i64, i64)) -> Option<Changed> {
    let (first, last) = coverage;
    let load = Some(load).filter(|load| errors.sum(first, last) < MOST_OF_LOAD * load.sum(first, last));
    rates::change(errors, load.map(Load::All), coverage, MAX_RIVAL).filter(|changed| {
        changed.evidence >= MIN_EVIDENCE
            && sure_of_burst(changed.evidence) >= LEAST_SURE
            && changed.ratio() >= MIN_RATIO
            && changed.excess() >= MIN_EXCESS
    })
}

/// Makes an issue about a fault one about its burst.
pub fn of_fault(issue: &mut Issue, changed: &Changed) {
    issue.kind = IssueKind::ErrorBurst;
    issue.title = shorten(&format!("{} often: {}", more(changed.ratio(), "as"), issue.title));
    issue.severity = issue.severity.max(severity(changed));
    issue.confidence = sure_of_burst(changed.evidence);
    issue.rate = Some(change_of(changed));
    issue.reason = told(changed);
}

/// An issue about all errors of a source.
pub fn of_source(
    source: &str,
    count: u64,
    changed: &Changed,
    errors: &Series,
    coverage: (i64, i64),
    dated: bool,
    evidence: Vec<Evidence>,
) -> Finding {
    let title = format!("{} errors in {source}", more(changed.ratio(), "as many"));
    let issue = Issue {
        message: title.clone(),
        confidence: sure_of_burst(changed.evidence),
        count,
        first_seen: dated.then_some(coverage.0),
        last_seen: dated.then_some(coverage.1),
        evidence,
        rate: Some(change_of(changed)),
        reason: told(changed),
        history: history(errors, coverage),
        ..Issue::new(
            fingerprint(&["rising-rate", "source", source]),
            IssueKind::ErrorBurst,
            severity(changed),
            shorten(&title),
        )
    };
    Finding {
        issue,
        onset: changed.from,
        dated,
        source: source.to_owned(),
        blur: 60 * SECOND,
        ids: Vec::new(),
        known: false,
    }
}

/// A rate that rose by half is as bad as an error.
fn severity(changed: &Changed) -> Severity {
    if changed.ratio() >= 1.5 { Severity::Error } else { Severity::Warning }
}
