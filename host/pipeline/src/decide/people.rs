//! People's words: approval, refusal, abort, rollback.

use autodevops_model::Outcome as CheckOutcome;

use super::{Draft, Link, Refused};
use crate::{Environment, EventKind, Gate, Outcome, SafetyCheck, needs_person, safety};

impl Draft {
    /// Looks whether there is a way back, then asks people, where anything needs their word.
    pub(super) fn open_production(&mut self) {
        let verdict = safety::rollback(&self.run);
        self.safety(SafetyCheck::RollbackCapability, verdict.clone());
        if verdict.outcome == CheckOutcome::Failed {
            let reason = format!("{}: {}", verdict.rule, verdict.words);
            return self.turn_back(Outcome::HandedOver { reason });
        }
        let reasons = self.reasons_to_ask();
        if reasons.is_empty() {
            let reason = "no approval is required, and nothing in the change needs one".to_owned();
            self.push(EventKind::GatePassed { gate: Gate::Production, reason });
        } else {
            self.ask(Gate::Production, reasons.join("; "));
        }
    }

    fn reasons_to_ask(&self) -> Vec<String> {
        let plan = self.run.plan();
        let mut reasons = Vec::new();
        if plan.approval.required {
            reasons.push(format!("{} requires approval", plan.production));
        }
        reasons.extend(self.run.tried_before());
        let changed = self.run.changed();
        let named = needs_person(changed.iter().map(String::as_str));
        reasons.extend(named.into_iter().map(|(path, why)| format!("the change touches `{path}`: {why}")));
        reasons.extend(self.run.open_doubts().map(|(name, verdict)| format!("{name}: {}", verdict.words)));
        if !self.run.capabilities().split_traffic {
            reasons.push("the target cannot split traffic: all of it moves at once".to_owned());
        }
        reasons
    }

    /// Whether their word may let a release go on: an approver's whom nothing excludes.
    pub(super) fn may_approve(&self, by: &str) -> Result<(), Refused> {
        self.may_answer(by)?;
        let plan = self.run.plan();
        match plan.approval.why_not(by, self.run.plugin()) {
            Some(why) => Err(Refused::MayNotApprove { by: by.to_owned(), service: plan.service.clone(), why }),
            None => Ok(()),
        }
    }

    /// An approver is one who is named in the plan; where none is named, anyone whom the host lets speak.
    pub(super) fn may_answer(&self, by: &str) -> Result<(), Refused> {
        let plan = self.run.plan();
        let approvers = &plan.approval.approvers;
        if approvers.is_empty() || approvers.iter().any(|approver| approver == by) {
            return Ok(());
        }
        let (by, service, approvers) = (by.to_owned(), plan.service.clone(), approvers.join(", "));
        Err(Refused::NotApprover { by, service, approvers })
    }

    pub(super) fn not_ending(&self) -> Result<(), Refused> {
        match self.run.ending() {
            Some(outcome) => Err(Refused::ending(&self.run, outcome)),
            None => Ok(()),
        }
    }

    /// The gate that is open to answers, who agreed so far, and the nonce of the link that this answer came by.
    fn open_gate(&self, link: Option<Link>) -> Result<(Gate, Vec<String>, Option<String>), Refused> {
        if let Some(link) = link.as_ref().filter(|link| self.run.link_used(&link.nonce)) {
            // Said before anything else: what the link asked for is done.
            self.by_link(Some(link.clone()), link.asked)?;
        }
        if !self.run.asks_of_data() {
            self.not_ending()?;
        }
        let Some(gate) = self.run.gate() else {
            let (run, stage) = (self.run.id().to_owned(), self.run.stage().name());
            return Err(Refused::NothingToApprove { run, stage });
        };
        let nonce = self.by_link(link, gate.number)?;
        // A person's hold stops the gate's clock.
        if gate.until <= self.at && self.run.on_hold().is_none() {
            return Err(Refused::Expired { run: self.run.id().to_owned() });
        }
        Ok((gate.gate, gate.approved.iter().map(|approved| approved.by.clone()).collect(), nonce))
    }

    /// Refuses an answer to another question than the one that is open. That none is open is told by the answer itself.
    pub(super) fn answers_question(&self, question: u32) -> Result<(), Refused> {
        match self.run.gate().filter(|gate| gate.number != question) {
            Some(gate) => Err(Refused::AnotherQuestion {
                run: self.run.id().to_owned(),
                question,
                open: gate.number,
                reason: gate.reason.clone(),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn approve(
        &mut self,
        by: String,
        reason: String,
        bypass: bool,
        link: Option<Link>,
    ) -> Result<(), Refused> {
        let (gate, mut agreed, link) = self.open_gate(link)?;
        self.may_approve(&by)?;
        let approval = self.run.plan().approval.clone();
        if bypass && !approval.emergency_bypass {
            return Err(Refused::BypassOff { service: self.run.plan().service.clone(), count: approval.count });
        }
        if bypass && reason.trim().is_empty() {
            return Err(Refused::BypassWithoutReason);
        }
        let missing = approval.count.saturating_sub(u32::try_from(agreed.len()).unwrap_or(u32::MAX));
        if agreed.contains(&by) && !bypass {
            return Err(Refused::AlreadyApproved { by, missing });
        }
        agreed.push(by.clone());
        self.push(EventKind::Approved { by: by.clone(), reason: reason.clone(), bypass, link });
        if !bypass && missing > 1 {
            return Ok(());
        }
        let why = because(&reason);
        let reason = match bypass {
            true => format!("emergency bypass by {by}{why}"),
            false => format!("{} agreed{why}", agreed.join(", ")),
        };
        self.push(EventKind::GatePassed { gate, reason: reason.clone() });
        if let Some(watch) = self.run.watch().filter(|watch| gate == Gate::Held && !watch.kept) {
            let (environment, percent) = (watch.environment, watch.percent);
            self.push(EventKind::StepPassed { environment, percent, reason });
        }
        Ok(())
    }

    pub(super) fn reject(&mut self, by: String, reason: String, link: Option<Link>) -> Result<(), Refused> {
        let (gate, _, link) = self.open_gate(link)?;
        self.may_answer(&by)?;
        let why = because(&reason);
        self.push(EventKind::Rejected { by: by.clone(), reason, link });
        if gate == Gate::Data {
            self.keep_data(format!("it stays as the release left it: by {by}{why}"));
            return Ok(());
        }
        self.turn_back(Outcome::Aborted { reason: format!("rejected by {by}{why}") });
        Ok(())
    }

    /// Ends a run whose people did not answer, and tells everyone who could have: silence never approves. Where what it would go back to is
    /// broken itself, they are asked anew.
    pub(super) fn expire(&mut self, gate: Gate) {
        let reason = "nobody approved in time";
        let asked = self.run.gate().map(|gate| gate.reason.clone()).unwrap_or_default();
        if self.asks_again(&format!("{asked}; {reason}")) {
            return;
        }
        self.escalate_all(reason);
        self.push(EventKind::ApprovalExpired { gate });
        self.turn_back(Outcome::Aborted { reason: reason.to_owned() });
    }

    /// Ends the run, in any stage; where traffic was moved it goes back first, as [`Self::by_word`] says.
    pub(super) fn abort(&mut self, by: String, reason: String) -> Result<(), Refused> {
        self.not_ending()?;
        let why = because(&reason);
        self.push(EventKind::AbortRequested { by: by.clone(), reason });
        let wanted = format!("{by} aborts the run{why}");
        self.by_word(&wanted, Outcome::Aborted { reason: format!("by {by}{why}") });
        Ok(())
    }

    /// Takes the release back, at any time after production's traffic was touched, as [`Self::by_word`] says.
    pub(super) fn take_back(&mut self, by: String, reason: String) -> Result<(), Refused> {
        self.not_ending()?;
        if !self.run.is_moved(Environment::Production) {
            return Err(Refused::NothingToRollBack { run: self.run.id().to_owned() });
        }
        let why = because(&reason);
        self.push(EventKind::RollbackRequested { by: by.clone(), reason });
        let wanted = format!("{by} takes the release back{why}");
        self.by_word(&wanted, Outcome::RolledBack { reason: format!("by {by}{why}") });
        Ok(())
    }

    /// Ends the run so, as a person wants it. Where traffic would go back to what does not serve and nobody was told so, it stays, and they
    /// are asked: whoever says it again, or rejects the release, knows.
    fn by_word(&mut self, wanted: &str, outcome: Outcome) {
        if self.run.stable_broken().is_some() || !self.stays(wanted, &[]) {
            self.turn_back(outcome);
        }
    }
}

/// Why, behind who; nothing where they did not say.
fn because(reason: &str) -> String {
    if reason.trim().is_empty() { String::new() } else { format!(": {reason}") }
}
