//! People steer a run: hold it, let it go on, pass a step, make a step longer. And what is watched on meanwhile.

use std::time::Duration;

use super::{Draft, Refused};
use crate::{Environment, EventKind, Gate, RunStage};

impl Draft {
    /// Begins nothing new and passes nothing, until someone resumes. Anyone who may speak may stop.
    pub(super) fn put_on_hold(&mut self, by: String, reason: String) -> Result<(), Refused> {
        self.not_ending()?;
        if let Some(hold) = self.run.on_hold() {
            return Err(Refused::HeldAlready { run: self.run.id().to_owned(), by: hold.by.clone() });
        }
        self.push(EventKind::HoldRequested { by, reason });
        Ok(())
    }

    /// Lets the run go on: an approver's word, as what follows may reach production.
    pub(super) fn end_hold(&mut self, by: String, reason: String) -> Result<(), Refused> {
        self.not_ending()?;
        if self.run.on_hold().is_none() {
            return Err(Refused::NotOnHold { run: self.run.id().to_owned() });
        }
        self.may_approve(&by)?;
        self.push(EventKind::ResumeRequested { by, reason });
        Ok(())
    }

    /// Passes the watch without the evidence that its end would bring: an approver's word, with a reason on record.
    pub(super) fn skip(&mut self, by: String, reason: String) -> Result<(), Refused> {
        self.not_ending()?;
        self.not_on_hold()?;
        if let Some(gate) = self.run.gate() {
            let (run, reason) = (self.run.id().to_owned(), gate.reason.clone());
            return Err(Refused::GateOpen { run, reason });
        }
        let (environment, percent) = self.step_under_way()?;
        self.may_approve(&by)?;
        if reason.trim().is_empty() {
            return Err(Refused::SkipWithoutReason);
        }
        let watch = self.run.watch();
        if let Some(verdict) = watch.filter(|watch| !watch.strikes.is_empty()).and_then(|watch| watch.verdict.as_ref())
        {
            return Err(Refused::NotNow { words: verdict.words.clone() });
        }
        self.push(EventKind::SkipRequested { by: by.clone(), reason: reason.clone() });
        let reason = format!("skipped by {by}: {reason}");
        self.push(EventKind::StepPassed { environment, percent, reason });
        Ok(())
    }

    /// Gives the candidate all of production's traffic at once, past the steps that are left but the last, whose watch and what follows it
    /// stay: an approver's word, with a reason on record. Where stable is broken itself, this is the way out; where it is not, nothing
    /// must speak against the candidate.
    pub(super) fn roll_forward(&mut self, by: String, reason: String) -> Result<(), Refused> {
        self.not_ending()?;
        self.not_on_hold()?;
        let last = self.run.steps_passed().saturating_add(1) >= self.run.steps().len();
        let shared = self.run.share(Environment::Production) > 0;
        if self.run.stage() != RunStage::Rollout || !shared || last || self.run.diverged().is_some() {
            let (run, stage) = (self.run.id().to_owned(), self.run.stage().name());
            return Err(Refused::NothingToRollForward { run, stage });
        }
        self.may_approve(&by)?;
        if reason.trim().is_empty() {
            return Err(Refused::RollForwardWithoutReason);
        }
        let strikes = self.run.watch().filter(|watch| !watch.strikes.is_empty() && self.run.stable_broken().is_none());
        if let Some(verdict) = strikes.and_then(|watch| watch.verdict.as_ref()) {
            return Err(Refused::NotNow { words: verdict.words.clone() });
        }
        self.push(EventKind::RollForwardRequested { by, reason });
        Ok(())
    }

    /// Makes the watch longer. Where the step is held, this answers what people were asked: to wait for more evidence.
    pub(super) fn extend(&mut self, by: String, reason: String, span: Option<Duration>) -> Result<(), Refused> {
        self.not_ending()?;
        self.step_under_way()?;
        if self.run.gate().is_some() {
            self.may_answer(&by)?;
        }
        let watch = self.run.watch();
        let span = span.or_else(|| watch.map(|watch| self.length(watch))).unwrap_or_default();
        if span.is_zero() {
            return Err(Refused::NoSpan);
        }
        let from = watch.map_or(self.at, |watch| watch.until.max(self.at));
        self.push(EventKind::ExtendRequested { by, reason, until: from.after(span) });
        Ok(())
    }

    fn not_on_hold(&self) -> Result<(), Refused> {
        match self.run.on_hold() {
            Some(hold) => Err(Refused::OnHold { run: self.run.id().to_owned(), by: hold.by.clone() }),
            None => Ok(()),
        }
    }

    /// The watch that can be passed.
    fn step_under_way(&self) -> Result<(Environment, u8), Refused> {
        match self.run.watch().filter(|watch| !watch.kept) {
            Some(watch) => Ok((watch.environment, watch.percent)),
            None => Err(Refused::NoStep { run: self.run.id().to_owned(), stage: self.run.stage().name() }),
        }
    }

    /// While a person holds the run, what has traffic is watched: as its step, where that can begin, or else for what speaks against it.
    pub(super) fn watch_on_hold(&mut self) -> bool {
        let Some(watch) = self.run.watch() else { return self.enter() || self.keep_watch() };
        // The step's traffic came after the hold.
        watch.kept && self.run.stage() == RunStage::Rollout && self.enter()
    }

    /// While a freeze keeps the run from production, staging is watched on; once it ends, that is over.
    pub(super) fn watch_while_frozen(&mut self) -> bool {
        let frozen = self.run.freeze(self.at).is_some();
        frozen && self.run.watch().is_none() && self.keep_watch()
    }

    /// What was seen while a freeze lasted is asked about before production.
    pub(super) fn ask_after_freeze(&mut self) -> bool {
        let seen = self.run.held().filter(|_| self.run.freeze(self.at).is_none()).map(str::to_owned);
        if let Some(reason) = seen {
            self.ask(Gate::Held, reason);
            return true;
        }
        false
    }

    /// Watches the candidate on where it has traffic and no step watches it.
    pub(super) fn keep_watch(&mut self) -> bool {
        let production = self.run.share(Environment::Production);
        let staged = matches!(self.run.stage(), RunStage::Approval | RunStage::ProductionDeploy);
        let (environment, percent) = match self.run.share(Environment::Staging) {
            _ if production > 0 => (Environment::Production, production),
            staging if staging > 0 && staged => (Environment::Staging, staging),
            _ => return false,
        };
        self.push(EventKind::WatchKept { environment, percent });
        true
    }

    /// What is seen while nothing can be passed: it is told, and goes on being watched.
    pub(crate) fn seen_in_passing(&mut self, reason: String) {
        let asked = self.run.gate().is_some_and(|gate| gate.gate == Gate::Held);
        if self.run.held().is_none() && !asked {
            self.push(EventKind::Held { reason });
        }
    }
}
