//! What each event makes of a run. Nothing is decided here: what was decided is in the event.

mod effects;

use std::{collections::HashSet, time::Duration};

use autodevops_model::{Measurement, Outcome as CheckOutcome, Severity};

use super::{
    Approved, Attempt, Decided, Effect, OnHold, ReplayError, Run, RunStage, Watch,
    member::{Member, all_of, of_plan},
};
use crate::{
    Environment, Event, EventKind, Gate, Outcome, Sample, Strike, Timestamp, VERSION, Verdict, plan::touched,
    stable::weighs,
};

impl Run {
    /// A run from its first event.
    ///
    /// # Errors
    /// The event is not `started`, is of another version, or its plan cannot be followed.
    pub fn start(event: &Event) -> Result<Self, ReplayError> {
        if event.v != VERSION {
            return Err(ReplayError::Version { index: 0, found: event.v });
        }
        let EventKind::Started { run, issue, plan, base, fence, live, capabilities, former } = &event.event else {
            return Err(ReplayError::NotStarted { found: event.event.name() });
        };
        plan.validate()?;
        if live.len() != plan.services.len() {
            return Err(ReplayError::Live { services: plan.services.len(), live: live.len() });
        }
        Ok(Self {
            id: run.clone(),
            issue: (**issue).clone(),
            plan: (**plan).clone(),
            base: base.clone(),
            fence: *fence,
            touched: (0..plan.services.len()).collect(),
            members: of_plan(plan, live),
            claimed: false,
            awaited: None,
            begun_anew: 0,
            capabilities: capabilities.clone(),
            former: former.clone(),
            started: event.at,
            last: event.at,
            stage: RunStage::Fix,
            plugin: None,
            fix: None,
            tests: Vec::new(),
            blocked: None,
            reviews: Vec::new(),
            checks: Vec::new(),
            safety: Default::default(),
            branch: None,
            commit: None,
            passed: 0,
            watch: None,
            between: None,
            watches: 0,
            held: None,
            on_hold: None,
            frozen: None,
            gate: None,
            alarm: None,
            asked: 0,
            links: Default::default(),
            last_seen: Vec::new(),
            stable_broken: None,
            recovering: None,
            data: Default::default(),
            exposed: None,
            signals: Vec::new(),
            effects: Default::default(),
            attempts: Default::default(),
            notes: Vec::new(),
            told: 0,
            unsure: false,
            moves: 0,
            diverged: None,
            ending: None,
            ending_since: Timestamp::default(),
            back_since: None,
            finished: false,
        })
    }

    /// A run from all its events.
    ///
    /// # Errors
    /// The events are no run: see [`ReplayError`].
    pub fn replay(events: &[Event]) -> Result<Self, ReplayError> {
        let (first, rest) = events.split_first().ok_or(ReplayError::Empty)?;
        let mut run = Self::start(first)?;
        for (index, event) in (1..).zip(rest) {
            if event.v != VERSION {
                return Err(ReplayError::Version { index, found: event.v });
            }
            if matches!(event.event, EventKind::Started { .. }) {
                return Err(ReplayError::StartedTwice { index });
            }
            if run.finished {
                return Err(ReplayError::AfterEnd { index });
            }
            run.apply(event);
        }
        Ok(run)
    }

    /// Takes in an event that was written to the journal.
    pub fn apply(&mut self, event: &Event) {
        let at = event.at;
        self.last = self.last.max(at);
        match &event.event {
            EventKind::Started { .. }
            | EventKind::NoFix { .. }
            | EventKind::AbortRequested { .. }
            | EventKind::RollbackRequested { .. }
            | EventKind::SkipRequested { .. }
            | EventKind::DataKept { .. }
            | EventKind::SnapshotOutdated { .. }
            | EventKind::CountReached { .. } => {}
            EventKind::ClockWentBack { reason, .. } => {
                self.tell(at, Severity::Warning, "the clock went back", reason);
            }
            EventKind::StableBroken { reason } => self.stable_broken = Some(reason.clone()),
            EventKind::Signalled { signal } => self.signalled(at, signal),
            EventKind::Resumed { fence } => (self.fence, self.unsure, self.awaited) = (*fence, true, None),
            EventKind::Compared { .. } => self.unsure = false,
            EventKind::Diverged { service, found, reason, environment, serves } => {
                if *environment == Environment::Production {
                    self.found(service, *environment, found);
                }
                self.diverge(reason, *environment);
                if let Some(serves) = serves {
                    self.goes_back_to(service, serves);
                }
            }
            EventKind::StagingFound { service, found } => self.found(service, Environment::Staging, found),
            EventKind::FixProposed { plugin, fix } => {
                self.plugin = Some(plugin.clone());
                self.touched = touched(&self.plan.services, fix.edits.iter().map(|edit| edit.path.as_str()));
                self.fix = Some((**fix).clone());
                self.stage = RunStage::CodeReview;
            }
            EventKind::ServicesAwaited { of } => self.awaited = Some(of.clone()),
            EventKind::ServicesClaimed { fence, .. } => {
                self.fence = *fence;
                // What serves was looked at just now.
                (self.claimed, self.awaited, self.unsure) = (true, None, false);
            }
            EventKind::BegunAnew { base, live, .. } => {
                self.base.clone_from(base);
                self.members = of_plan(&self.plan, live);
                self.touched = (0..self.members.len()).collect();
                (self.plugin, self.fix, self.awaited) = (None, None, None);
                self.begun_anew += 1;
                self.stage = RunStage::Fix;
            }
            EventKind::Reviewed { reports, verdict } => {
                // Runs of before had all services from their beginning on, and claimed none.
                self.claimed = true;
                self.reviews.clone_from(reports);
                self.checked(verdict, self.plan.review.is_empty());
            }
            EventKind::TestsGenerated { tests } => {
                self.tests.clone_from(tests);
                self.stage = RunStage::Checks;
            }
            EventKind::Checked { reports, verdict } => {
                self.checks.clone_from(reports);
                self.checked(verdict, self.plan.checks.is_empty());
            }
            EventKind::AutomatedTested { reports, verdict } => {
                self.checked(verdict, self.plan.automated.is_empty() && reports.is_empty());
            }
            EventKind::SafetyChecked { check, verdict } => {
                self.safety.insert(check.name(), Decided { verdict: verdict.clone(), accepted: false });
            }
            EventKind::Committed { branch, commit } => {
                self.branch = Some(branch.clone());
                self.commit = Some(commit.clone());
                self.stage = RunStage::Build;
            }
            EventKind::Built { service, release } => {
                if let Some(member) = self.member_mut(service) {
                    member.release = Some(release.clone());
                }
                if self.members().all(|member| member.release.is_some()) {
                    self.stage = RunStage::StagingDeploy;
                }
            }
            EventKind::EffectIntended { .. }
            | EventKind::EffectDone { .. }
            | EventKind::EffectFailed { .. }
            | EventKind::Deployed { .. }
            | EventKind::BaselineDeployed { .. }
            | EventKind::TrafficSet { .. }
            | EventKind::TrafficReturned { .. }
            | EventKind::SnapshotTaken { .. }
            | EventKind::DataRestored { .. }
            | EventKind::RolledBack { .. } => self.effect(at, &event.event),
            EventKind::StepEntered { .. }
            | EventKind::Measured { .. }
            | EventKind::Judged { .. }
            | EventKind::StepPassed { .. }
            | EventKind::StepExtended { .. }
            | EventKind::ExtendRequested { .. }
            | EventKind::WatchKept { .. } => self.watched(at, &event.event),
            EventKind::Held { .. }
            | EventKind::ApprovalAsked { .. }
            | EventKind::Acknowledged { .. }
            | EventKind::Escalated { .. }
            | EventKind::HoldRequested { .. }
            | EventKind::ResumeRequested { .. } => self.people(at, &event.event),
            EventKind::RollForwardRequested { .. } => {
                // The last step is left: what serves everyone is watched as long as any.
                self.passed = self.steps().len().saturating_sub(1);
                (self.watch, self.between, self.stable_broken) = (None, None, None);
                (self.gate, self.held, self.alarm) = (None, None, None);
            }
            EventKind::StableLooked { verdict } => {
                self.recovering = None;
                if verdict.outcome == CheckOutcome::Failed {
                    self.no_help(at, verdict);
                }
            }
            EventKind::Frozen { until, reason } => self.frozen = Some((*until, reason.clone())),
            EventKind::Approved { by, reason, bypass, link } => {
                self.links.extend(link.clone());
                if let Some(gate) = &mut self.gate {
                    gate.approved.push(Approved { by: by.clone(), reason: reason.clone(), bypass: *bypass });
                }
            }
            EventKind::GatePassed { gate, .. } => self.gate_passed(*gate),
            EventKind::Rejected { link, .. } => {
                self.links.extend(link.clone());
                self.answered();
            }
            EventKind::ApprovalExpired { .. } => self.answered(),
            EventKind::TurnedBack { outcome } => {
                self.end(outcome);
                self.ending_since = at;
                match outcome {
                    Outcome::RolledBack { .. } | Outcome::Healed => {}
                    Outcome::Aborted { .. } => self.tell(at, Severity::Error, "aborted", &outcome.to_string()),
                    Outcome::HandedOver { .. } => self.tell(at, Severity::Error, "handed over", &outcome.to_string()),
                }
                self.stage = RunStage::Ending;
            }
            EventKind::RollbackChecked { needed, reason } => {
                if !needed {
                    self.end(&Outcome::Healed);
                    self.tell(at, Severity::Info, "healed", reason);
                    self.stage = RunStage::Ending;
                }
            }
            EventKind::Finished { outcome } => {
                self.ending = Some(outcome.clone());
                self.finished = true;
                self.stage = RunStage::Finished;
            }
        }
        self.fold_data(at, &event.event);
    }

    fn end(&mut self, outcome: &Outcome) {
        self.awaited = None;
        self.ending = Some(outcome.clone());
        (self.watch, self.between) = (None, None);
        (self.gate, self.held, self.blocked) = (None, None, None);
        (self.alarm, self.on_hold, self.diverged, self.stable_broken) = (None, None, None, None);
        self.frozen = None;
    }

    /// What was reached with the environment is not there any more: where a person gives it to the run again, production's step is taken
    /// anew, and staging is deployed to, tested and watched anew.
    fn diverge(&mut self, reason: &str, environment: Environment) {
        (self.watch, self.between) = (None, None);
        (self.gate, self.held, self.alarm) = (None, None, None);
        match (environment, self.stage) {
            (Environment::Production, RunStage::Monitoring | RunStage::RollbackCheck) => {
                self.passed = self.passed.saturating_sub(1);
                self.stage = RunStage::Rollout;
            }
            (Environment::Staging, RunStage::AutomatedTesting | RunStage::Soak | RunStage::Approval) => {
                self.blocked = None;
                self.stage = RunStage::StagingDeploy;
            }
            _ => {}
        }
        // Nobody is asked of a run that ends, and what it went back to is looked at no more.
        let asked = self.stage != RunStage::Ending;
        self.recovering.take_if(|_| !asked);
        (self.unsure, self.diverged, self.frozen) = (false, asked.then(|| reason.to_owned()), None);
    }

    /// Goes on after the reviews, the checks or the automated tests, or stays. Where no plugin is set for the stage it goes
    /// on: a review or a check that was left out is a reason to ask a person before production; the staged release is judged
    /// by the soak and by production's steps too.
    fn checked(&mut self, verdict: &Verdict, nobody_set: bool) {
        if verdict.outcome == CheckOutcome::Passed || nobody_set {
            self.after_check();
        } else {
            self.blocked = Some(verdict.clone());
        }
    }

    fn after_check(&mut self) {
        self.blocked = None;
        self.stage = match self.stage {
            RunStage::CodeReview => RunStage::TestGeneration,
            RunStage::Checks => RunStage::Commit,
            RunStage::AutomatedTesting => RunStage::Soak,
            stage => stage,
        };
    }

    /// What people are asked and told, and what they say beside their answers.
    fn people(&mut self, at: Timestamp, event: &EventKind) {
        match event {
            EventKind::Held { reason } => {
                self.held = Some(reason.clone());
                if self.stage == RunStage::Ending {
                    self.alarm_raised(at, reason);
                } else if self.watch.as_ref().is_none_or(|watch| !watch.kept) && self.on_hold.is_none() {
                    // People are asked in the same breath, and told by that.
                    return;
                }
                let body = format!("{reason}{}", self.how_to_answer());
                self.tell(at, Severity::Error, "held", &body);
            }
            EventKind::ApprovalAsked { gate, until, reason } => {
                self.question_put(at, *gate, *until, reason);
            }
            EventKind::Acknowledged { by, link, .. } => {
                self.links.extend(link.clone());
                if let Some(alarm) = &mut self.alarm {
                    alarm.acknowledged = Some(by.clone());
                }
            }
            EventKind::Escalated { level, reason } => self.escalated(at, *level, reason),
            EventKind::HoldRequested { by, reason } => {
                self.on_hold = Some(OnHold { by: by.clone(), reason: reason.clone(), since: at });
            }
            EventKind::ResumeRequested { .. } => {
                let held = self.on_hold.take().map_or(0, |hold| at.0.saturating_sub(hold.since.0));
                let held = Duration::from_nanos(u64::try_from(held).unwrap_or(0));
                // Whoever is waited for has the time that they had.
                if let Some(gate) = &mut self.gate {
                    gate.until = gate.until.after(held);
                }
                if let Some(alarm) = &mut self.alarm {
                    alarm.since = alarm.since.after(held);
                }
                self.watch.take_if(|watch| watch.kept);
                // What was seen meanwhile is seen again, and asked about now.
                if self.gate.as_ref().is_none_or(|gate| gate.gate != Gate::Held) {
                    self.held = None;
                }
            }
            _ => {}
        }
    }

    fn gate_passed(&mut self, gate: Gate) {
        self.answered();
        self.held = None;
        if gate == Gate::Production {
            // Staging was watched on while people were asked.
            self.watch = None;
            self.stage = RunStage::ProductionDeploy;
        } else if gate == Gate::Data {
            // What it lets go on is the data's affair.
        } else if self.diverged.take().is_some() {
            // The run has production again; what kept it before is asked anew.
        } else if self.blocked.is_some() {
            for decided in self.safety.values_mut() {
                decided.accepted |= decided.verdict.outcome == CheckOutcome::Inconclusive;
            }
            self.after_check();
        } else {
            // A step that could not be taken is taken now; what served meanwhile was watched on, and stable is as broken as it was.
            self.watch.take_if(|watch| watch.kept && self.stage == RunStage::Rollout);
            self.stable_broken = None;
        }
    }

    /// A watch that begins now.
    fn begun(&mut self, started: Timestamp, environment: Environment, percent: u8, until: Timestamp) -> Watch {
        let production = environment == Environment::Production;
        // By the plan there was one for each step that is passed.
        let again = self.watches.saturating_sub(u32::try_from(self.passed).unwrap_or(u32::MAX));
        self.watches = self.watches.saturating_add(u32::from(production));
        Watch {
            environment,
            percent,
            started,
            again: if production { again } else { 0 },
            until,
            extensions: 0,
            measured: started,
            strikes: Vec::new(),
            errors: 0,
            verdict: None,
            kept: false,
        }
    }

    fn watched(&mut self, at: Timestamp, event: &EventKind) {
        match (event, self.watch.as_mut().or(self.between.as_mut())) {
            (&EventKind::StepEntered { environment, percent, until }, _) => {
                self.watch = Some(self.begun(at, environment, percent, until));
                self.between = None;
            }
            (&EventKind::WatchKept { environment, percent }, _) => {
                let watch = self.begun(at, environment, percent, Timestamp(i64::MAX));
                self.watch = Some(Watch { kept: true, ..watch });
                self.between = None;
            }
            (&EventKind::ExtendRequested { until, .. }, Some(watch)) => {
                watch.until = until;
                // More time is what people answered.
                (self.gate, self.held, self.alarm) = (None, None, None);
            }
            (EventKind::Measured { samples, error }, Some(watch)) => {
                if watch.environment == Environment::Production && watch.percent < 100 {
                    for member in &mut self.members {
                        remember(member, samples, watch.started, self.plan.hard_trip.min_samples);
                    }
                }
                let end = samples.iter().map(|sample| Timestamp(sample.window.end)).max();
                watch.measured = end.unwrap_or(at).max(watch.measured);
                watch.errors = if error.is_some() { watch.errors + 1 } else { 0 };
                self.last_seen.clone_from(samples);
            }
            (EventKind::Judged { verdict, others }, Some(watch)) => {
                Strike::take_in(&mut watch.strikes, std::iter::once(verdict).chain(others));
                watch.verdict = Some(verdict.clone());
            }
            (&EventKind::StepExtended { until, extension, .. }, Some(watch)) => {
                (watch.until, watch.extensions) = (until, extension);
            }
            (EventKind::StepPassed { .. }, _) => {
                let passed = self.watch.take();
                (self.stable_broken, self.gate, self.held, self.alarm) = (None, None, None, None);
                self.stage = match self.stage {
                    RunStage::Soak => RunStage::Approval,
                    RunStage::Rollout => {
                        self.passed += 1;
                        let done = self.passed >= self.steps().len();
                        if done { RunStage::Monitoring } else { RunStage::Rollout }
                    }
                    RunStage::Monitoring => RunStage::RollbackCheck,
                    stage => stage,
                };
                // What people let pass is not held against the release before there is more of it.
                let by_evidence =
                    |watch: &Watch| watch.verdict.as_ref().is_some_and(|it| it.outcome == CheckOutcome::Passed);
                self.between = passed.filter(|watch| self.stage == RunStage::Rollout && by_evidence(watch));
            }
            _ => {}
        }
    }
}

/// Keeps what the samples over the whole watch say of a service's stable release: the host's word before a plugin's, which takes the place
/// of no earlier word of the host, nor of a metric that the host has too few requests of. Nor do less than `least` requests of those of
/// before: a watch that just began says nothing yet.
fn remember(member: &mut Member, samples: &[Sample], started: Timestamp, least: u64) {
    let stable = member.stable(Environment::Production).map_or("", |release| &release.id);
    let over = |sample: &&Sample| sample.window.start == started.0 && sample.service == member.label();
    let mut whole: Vec<_> = samples.iter().filter(over).collect();
    whole.sort_by_key(|sample| !sample.observed_by_host);
    let sees = |sample: &&&Sample| sample.measurements.iter().any(|seen| seen.release == stable);
    let observed = whole.iter().find(sees).is_some_and(|sample| sample.observed_by_host);
    let (mut hosts, mut seen): (HashSet<&str>, Vec<Measurement>) = (HashSet::new(), Vec::new());
    for sample in whole {
        for measurement in sample.measurements.iter().filter(|measurement| measurement.release == stable) {
            let metric = measurement.metric.as_str();
            if sample.observed_by_host {
                hosts.insert(metric);
            }
            let stands = sample.observed_by_host || !hosts.contains(metric);
            if stands && weighs(measurement, least) && seen.iter().all(|other| other.metric != metric) {
                seen.push(measurement.clone());
            }
        }
    }
    if !seen.is_empty() && (observed || !member.observed) {
        // A metric of which there is nothing new is what it was, unless that was a plugin's word.
        member.before.retain(|old| member.observed == observed && seen.iter().all(|new| new.metric != old.metric));
        member.before.append(&mut seen);
        member.observed = observed;
    }
}
