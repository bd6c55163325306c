//! Having plugins look at a change.

use autodevops_model::{CheckInput, ErrorKind, Finding, Outcome, Report, Severity, Stage, StageError};
use autodevops_pipeline::{NamedReport, Run};
use autodevops_sandbox::{CallContext, CallError, CallFailure};

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
        let input = CheckInput {
            changed: run.changed(),
            tests,
            fix: run.fix().cloned(),
            issue: Some(run.issue().clone()),
            url: url.map(str::to_owned),
        };
        let context =
            CallContext { run: run.id().to_owned(), mounts: vec![mount("/before", &before), mount("/after", &after)] };
        let mut reports = Vec::new();
        for name in plugins {
            let plugin = self.project.plugins.for_stage(name, Stage::Check).map_err(|error| of_host(&error))?;
            let report = match plugin.check(&context, input.clone()).await {
                Ok(report) => report,
                Err(error) => report_of(&error)?,
            };
            reports.push(NamedReport { plugin: name.clone(), report });
        }
        Ok(reports)
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
        CallFailure::Trap(_) | CallFailure::BadOutput(_) => {
            (Outcome::Failed, "look at what the check ran; if that is in order, the check itself is at fault")
        }
    };
    let text = error.to_string();
    let finding = Finding {
        rule: "check-did-not-end".to_owned(),
        severity: Severity::Error,
        message: text.clone(),
        remedy: remedy.to_owned(),
        location: None,
    };
    let summary = text.lines().next().unwrap_or_default().to_owned();
    Ok(Report { outcome, summary, findings: vec![finding], metrics: Vec::new(), tests: Vec::new() })
}

#[cfg(test)]
mod tests {
    use autodevops_model::ErrorInfo;
    use autodevops_policy::{Bytes, Span};

    use super::*;

    fn report(failure: CallFailure) -> Result<Outcome, ErrorKind> {
        let error = CallError { plugin: "c".into(), stage: Some(Stage::Check), failure, stderr: String::new() };
        report_of(&error).map(|report| report.outcome).map_err(|error| error.kind)
    }

    fn refused(kind: ErrorKind) -> CallFailure {
        CallFailure::Refused(StageError { kind, info: ErrorInfo { message: "m".into(), details: vec![] } })
    }

    #[test]
    fn a_check_that_does_not_end_failed_and_one_that_cannot_tell_never_passed() {
        for failure in [
            CallFailure::OutOfTime(Span(std::time::Duration::from_secs(1))),
            CallFailure::OutOfMemory(Bytes(1)),
            CallFailure::Trap("t".into()),
            CallFailure::BadOutput("b".into()),
        ] {
            assert_eq!(report(failure), Ok(Outcome::Failed));
        }
        assert_eq!(report(refused(ErrorKind::Unsupported)), Ok(Outcome::Inconclusive));
        assert_eq!(report(refused(ErrorKind::Unavailable)), Err(ErrorKind::Unavailable));
        assert_eq!(report(CallFailure::Host("h".into())), Err(ErrorKind::Failed));
    }
}
