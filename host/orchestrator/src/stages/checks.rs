//! Having plugins look at a change.

use autodevops_model::{CheckInput, ErrorKind, Finding, Outcome, Report, Severity, Stage, StageError};
use autodevops_pipeline::{NamedReport, Run};
use autodevops_sandbox::{CallError, CallFailure};

use super::{Stages, of_call, of_host, source::mount};
use crate::tests_of::tests_in;

impl Stages {
    /// Has each plugin look at the change, before anything is deployed.
    pub(super) async fn check(&self, run: &Run, plugins: &[String]) -> Result<Vec<NamedReport>, StageError> {
        self.check_at(run, plugins, None).await
    }

    /// Has each plugin look at the change, and at what is staged where there is an address.
    pub(super) async fn check_at(
        &self,
        run: &Run,
        plugins: &[String],
        url: Option<&str>,
    ) -> Result<Vec<NamedReport>, StageError> {
        if plugins.is_empty() {
            return Ok(Vec::new());
        }
        let before = self.base_tree(run).await?;
        let after = self.changed_tree(run).await?;
        let mut tests = tests_in(&after);
        tests.extend(run.tests().into_iter().map(|test| test.path));
        tests.sort();
        tests.dedup();
        let mounts = vec![mount("/before", &before), mount("/after", &after)];
        let context = self.project.context(run.id(), mounts);
        let mut reports = Vec::new();
        for name in plugins {
            let plugin = self.project.plugins.for_stage(name, Stage::Check).map_err(|error| of_host(&error))?;
            if let Err(refused) = self.project.may_call(&plugin, Stage::Check) {
                reports.push(NamedReport { plugin: name.clone(), report: not_asked(&refused.to_string()) });
                continue;
            }
            let evidence = self.evidence(&plugin);
            let input = CheckInput {
                changed: run.changed(),
                tests: tests.clone(),
                fix: run.fix().map(|fix| evidence.fix(fix)),
                issue: Some(evidence.issue(run)),
                url: url.map(str::to_owned),
            };
            let report = match plugin.check(&context, input).await {
                Ok(report) => bounded(report),
                Err(error) => report_of(&error)?,
            };
            reports.push(NamedReport { plugin: name.clone(), report });
        }
        Ok(reports)
    }
}

/// What stands in the place of a check's report that was not asked: nobody can tell.
fn not_asked(why: &str) -> Report {
    let remedy = "wait until then, or raise the cap, and have the run tried again";
    without_result(Outcome::Inconclusive, "check-not-asked", &format!("it was not asked: {why}"), remedy)
}

/// Findings, tests and metrics of one report that are recorded.
const MAX_ENTRIES: usize = 2000;

/// Longest text of a report that is recorded, in bytes.
const MAX_TEXT_BYTES: usize = 4000;

/// The report with no more than a journal should hold; the gravest findings and the failed tests first. Its outcome stays.
fn bounded(mut report: Report) -> Report {
    let Report { summary, findings, metrics, tests, .. } = &mut report;
    cut(summary);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings.truncate(MAX_ENTRIES);
    for finding in findings {
        cut(&mut finding.rule);
        cut(&mut finding.message);
        cut(&mut finding.remedy);
        finding.location.iter_mut().for_each(|location| cut(&mut location.path));
    }
    metrics.truncate(MAX_ENTRIES);
    for metric in metrics {
        cut(&mut metric.name);
        cut(&mut metric.unit);
    }
    if tests.len() > MAX_ENTRIES {
        tests.sort_by_key(|test| test.outcome == Outcome::Passed);
        tests.truncate(MAX_ENTRIES);
    }
    for test in tests {
        cut(&mut test.file);
        cut(&mut test.name);
        test.message.iter_mut().for_each(cut);
    }
    report
}

fn cut(text: &mut String) {
    if text.len() > MAX_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        text.push('…');
    }
}

/// A check that did not come to an end is a failed check, not a failed run: what it ran may have been made to do that. One that
/// was refused something could not tell.
fn report_of(error: &CallError) -> Result<Report, StageError> {
    let (outcome, remedy) = match &error.failure {
        CallFailure::Refused(own) if own.kind == ErrorKind::Unavailable => return Err(of_call(error)),
        CallFailure::Host(_) => return Err(of_call(error)),
        CallFailure::Refused(_) => (Outcome::Inconclusive, "see what the check says and correct it"),
        CallFailure::Denied(_) => (Outcome::Inconclusive, "grant what it asks for, or take the check out of [stages]"),
        CallFailure::OutOfTime(_) => (Outcome::Failed, "look for an endless loop in what the check ran"),
        CallFailure::OutOfMemory(_) => (Outcome::Failed, "look for unbounded growth in what the check ran"),
        CallFailure::OutOfStack(_) => (Outcome::Failed, "look for endless recursion in what the check ran"),
        CallFailure::OverLimit(_) => (Outcome::Failed, "look at what the check ran; if it needs more, raise the limit"),
        CallFailure::Trap(_) | CallFailure::BadOutput(_) => {
            (Outcome::Failed, "look at what the check ran; if that is in order, the check itself is at fault")
        }
    };
    Ok(without_result(outcome, "check-did-not-end", &error.to_string(), remedy))
}

/// The report of a check that gave none.
fn without_result(outcome: Outcome, rule: &str, why: &str, remedy: &str) -> Report {
    let finding = Finding {
        rule: rule.to_owned(),
        severity: Severity::Error,
        message: why.to_owned(),
        remedy: remedy.to_owned(),
        location: None,
    };
    let summary = why.lines().next().unwrap_or_default().to_owned();
    Report { outcome, summary, findings: vec![finding], metrics: Vec::new(), tests: Vec::new() }
}

#[cfg(test)]
mod tests;
