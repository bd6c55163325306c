//! After a rollback: whether it helped. There is one rollback for one incident; where the fault is still there, people are needed.

use autodevops_model::{Outcome as CheckOutcome, Window};

use crate::{
    Command, Environment, EventKind, Method, Outcome, Round, Run, Sample, Timestamp, Verdict, decide::Draft, judge,
};

impl Run {
    /// Since when stable serves again, while it was not looked whether it serves well.
    pub const fn recovering(&self) -> Option<Timestamp> {
        self.recovering
    }

    /// Whether what comes is a look at stable, after its traffic came back.
    pub(crate) fn is_taken_back(&self, environment: Environment) -> bool {
        environment == Environment::Production && matches!(self.ending(), Some(Outcome::RolledBack { .. }))
    }

    /// When stable is to be looked at.
    pub(crate) fn recovery_due(&self) -> Option<Timestamp> {
        Some(self.recovering?.after(self.plan().interval))
    }

    /// The look at stable.
    pub(crate) fn look_at_stable(&self, now: Timestamp) -> Option<Command> {
        Some(Command::Measure {
            environment: Environment::Production,
            candidate: self.stable(Environment::Production)?.id.clone(),
            baseline: None,
            windows: vec![Window { start: self.recovering?.0, end: now.0 }],
        })
    }
}

impl Draft {
    /// Whether these samples are of stable since its traffic came back; then that was the look at it.
    pub(crate) fn looked_at_stable(&mut self, samples: &[Sample], error: Option<&str>) -> bool {
        let Some(since) = self.run.recovering() else { return false };
        let verdict = self.recovery(samples, since).unwrap_or_else(|| Verdict {
            outcome: CheckOutcome::Inconclusive,
            rule: "stable after the rollback".to_owned(),
            words: format!("nothing was measured: {}", error.unwrap_or("nobody measured stable")),
            numbers: Vec::new(),
            window: None,
            method: Some(if error.is_some() { Method::Error } else { Method::NoData }),
            dry_run: false,
        });
        self.push(EventKind::StableLooked { verdict });
        true
    }

    fn recovery(&self, samples: &[Sample], since: Timestamp) -> Option<Verdict> {
        let stable = self.run.stable(Environment::Production)?;
        let whole = samples.iter().map(|sample| &sample.window).find(|window| window.start == since.0)?.clone();
        let round = Round {
            samples,
            candidate: &stable.id,
            baseline: None,
            before: &[],
            whole: &whole,
            independent: true,
            percent: 100,
        };
        judge(self.run.plan(), &round).verdicts.into_iter().next()
    }
}
