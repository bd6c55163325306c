//! What follows from what came in.

mod alarm;
mod compare;
mod effects;
mod people;
mod refused;
mod steer;

pub use effects::RETRY_AFTER;
pub use refused::Refused;

use std::time::Duration;

use autodevops_model::{
    Deployment, ErrorKind, Fix, Outcome as CheckOutcome, Release, Since, SnapshotInfo, Split, StageError, TestFile,
};

use crate::{
    Awaited, Command, Environment, Event, EventKind, Gate, Live, NamedReport, Outcome, Run, RunStage, SafetyCheck,
    Sample, Signal, Timestamp, VERSION, Verdict, finite, run::Attempt, safety,
};

/// What came in: what came of a command, a person's word, or the passing of time.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants say what came in, their fields are named by what they hold")]
pub enum Input {
    /// A plugin proposed a fix.
    Proposed { plugin: String, fix: Box<Fix> },
    /// No plugin has a fix.
    NoProposal { reason: String },
    /// The run has its services to itself, with a fence above all before it. What serves of each of the plan's services now, and the
    /// commit that a fix of that starts from.
    Claimed { key: String, fence: u64, base: String, live: Vec<Live> },
    /// Another run has a service that this one is to have, or waited for it before.
    ServicesTaken { key: String, of: Awaited },
    /// The reviews came back.
    Reviewed { key: String, reports: Vec<NamedReport> },
    /// The tests came back.
    TestsGenerated { key: String, tests: Vec<TestFile> },
    /// The checks came back.
    Checked { key: String, reports: Vec<NamedReport> },
    /// The change is in git.
    Committed { key: String, branch: String, commit: String },
    /// The artifact is made.
    Built { key: String, release: Release },
    /// The effect is about to be tried: comes before everything that [`Command::needs_intent`](crate::Command::needs_intent).
    Intent { key: String },
    /// The effect was tried, or found to have taken place.
    Effect { key: String, outcome: EffectOutcome },
    /// Another command with a key failed.
    Failed { key: String, error: StageError },
    /// The tests of the staged release came back.
    AutomatedTested { key: String, reports: Vec<NamedReport> },
    /// Measurements came back: a sample for each source and window, and what went wrong with the others.
    Measured { samples: Vec<Sample>, error: Option<String> },
    /// A glance at what the host counts: see [`Run::glance`].
    Glanced { samples: Vec<Sample> },
    /// Candidates lost their part of production's traffic without the run's doing: the target gave it back to stable, of these services.
    TrafficReturned { services: Vec<String> },
    /// A person complained, or the watched logs show a critical error; it counts where it concerns the candidate.
    Signal(Signal),
    /// A person agrees. The host has made sure of who speaks, here and below, and of the link where they came by one.
    Approve { by: String, reason: String, bypass: bool, link: Option<Link> },
    /// A person refuses.
    Reject { by: String, reason: String, link: Option<Link> },
    /// A person answers this one of the run's questions, by approving or rejecting: where another is open now, it is no answer.
    Answer { question: u32, word: Box<Input> },
    /// A person holds the run where it is.
    Hold { by: String, reason: String },
    /// A person lets the run go on that someone held.
    EndHold { by: String, reason: String },
    /// A person passes the watch under way, without waiting for its end.
    Skip { by: String, reason: String },
    /// A person gives the candidate all of production's traffic at once.
    RollForward { by: String, reason: String },
    /// A person makes the watch under way longer: by so much, or by as long as it was meant to be.
    Extend { by: String, reason: String, span: Option<Duration> },
    /// A person has it in hand: nobody further need be told.
    Acknowledge { by: String, reason: String, link: Option<Link> },
    /// A person ends the run.
    Abort { by: String, reason: String },
    /// A person takes the release back.
    Rollback { by: String, reason: String },
    /// What serves, by the target's word, of each of the run's services.
    Serving { key: String, found: Vec<Found> },
    /// A host takes the run over, with a fence above all before it.
    Resume { fence: u64 },
    /// The clock of the host's machine is so far behind what it told before.
    ClockWentBack { behind: Duration },
    /// Time passed.
    Tick,
}

/// What serves of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The service; empty where the project has one.
    pub service: String,
    /// Production's shares; none where nothing was ever deployed.
    pub splits: Vec<Split>,
    /// The release that had all of production last, where the target tells it.
    pub whole: Option<Release>,
    /// Staging's.
    pub staging: Vec<Split>,
}

/// The one-time link that a person answered by. That it was signed by this host and is in time, the host has made sure of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which of the run's questions it answers: the [`Asked`](crate::Asked)'s number.
    pub asked: u32,
    /// What makes it unlike every other link; on record once it was used.
    pub nonce: String,
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq)]
pub enum EffectOutcome {
    /// A deploy took place.
    Deployed(Deployment),
    /// Traffic was set, or people were told.
    Done,
    /// A snapshot was taken, and is whole.
    Snapshot(SnapshotInfo),
    /// The data is as it was in the snapshot.
    Restored {
        /// What was there until then, where a snapshot of it could be taken.
        before: Option<SnapshotInfo>,
        /// Whether that was written to since the snapshot that was gone back to.
        since: Since,
    },
    /// It failed; the target may or may not have done it.
    Failed(StageError),
    /// It was not tried: the host itself has people told no more for now. That is no try of it.
    Postponed {
        /// Why, in words.
        error: StageError,
        /// After how long it has its turn.
        after: Duration,
    },
}

/// The events that follow so far, and the run as they make it.
pub(crate) struct Draft {
    pub(crate) run: Run,
    pub(crate) at: Timestamp,
    events: Vec<Event>,
}

impl Run {
    /// What follows from an input. The events of one decision are written to the journal together, then applied in order.
    /// None follow from an input that changes nothing.
    ///
    /// # Errors
    /// [`Refused`] says why the input is not taken; then nothing is recorded.
    pub fn decide(&self, input: Input, now: Timestamp) -> Result<Vec<Event>, Refused> {
        if let Some(outcome) = self.outcome() {
            return match input {
                Input::Tick => Ok(Vec::new()),
                _ => Err(Refused::finished(self, outcome)),
            };
        }
        // Time never runs backwards within a run, even if the host's clock does.
        let mut draft = Draft { run: self.clone(), at: now.max(self.last_event_at()), events: Vec::new() };
        draft.take(input)?;
        draft.settle();
        Ok(draft.events)
    }
}

impl Draft {
    pub(crate) fn push(&mut self, event: EventKind) {
        let event = Event { v: VERSION, at: self.at, event };
        self.run.apply(&event);
        self.events.push(event);
    }

    /// Has the run end so, after traffic is back where it was.
    pub(crate) fn turn_back(&mut self, outcome: Outcome) {
        self.push(EventKind::TurnedBack { outcome });
    }

    /// Asks people to let the run go on.
    pub(crate) fn ask(&mut self, gate: Gate, reason: String) {
        let until = self.at.after(self.run.plan().approval.timeout);
        self.push(EventKind::ApprovalAsked { gate, until, reason });
    }

    /// Holds the run, and asks people.
    pub(crate) fn hold(&mut self, reason: String) {
        self.push(EventKind::Held { reason: reason.clone() });
        self.ask(Gate::Held, reason);
    }

    fn safety(&mut self, check: SafetyCheck, verdict: Verdict) {
        self.push(EventKind::SafetyChecked { check, verdict });
    }

    fn take(&mut self, input: Input) -> Result<(), Refused> {
        match input {
            Input::Proposed { plugin, fix } => {
                self.in_place(RunStage::Fix, "fix")?;
                self.push(EventKind::FixProposed { plugin, fix: finite::fix(fix) });
            }
            Input::NoProposal { reason } => {
                self.in_place(RunStage::Fix, "fix")?;
                self.push(EventKind::NoFix { reason: reason.clone() });
                self.turn_back(Outcome::HandedOver { reason: format!("no plugin has a fix: {reason}") });
            }
            input @ (Input::Claimed { .. } | Input::ServicesTaken { .. }) => self.claimed(input)?,
            Input::Reviewed { key, reports } => {
                self.answers(RunStage::CodeReview, "reviews", &key)?;
                self.reviewed(finite::reports(reports));
            }
            Input::TestsGenerated { key, tests } => {
                self.answers(RunStage::TestGeneration, "tests", &key)?;
                self.push(EventKind::TestsGenerated { tests });
            }
            Input::Checked { key, reports } => {
                self.answers(RunStage::Checks, "checks", &key)?;
                self.checked(finite::reports(reports));
            }
            Input::Committed { key, branch, commit } => {
                self.answers(RunStage::Commit, "commit", &key)?;
                self.push(EventKind::Committed { branch, commit });
            }
            Input::Built { key, release } => {
                let Command::Build { service, .. } = self.answers(RunStage::Build, "release", &key)? else {
                    return Err(self.unknown(&key));
                };
                self.push(EventKind::Built { service, release });
            }
            Input::AutomatedTested { key, reports } => {
                self.answers(RunStage::AutomatedTesting, "automated tests", &key)?;
                self.automated_tested(finite::reports(reports));
            }
            Input::Intent { key } => self.intent(key)?,
            Input::Effect { key, outcome } => self.effect(key, outcome)?,
            Input::Failed { key, error } => self.failed(key, error)?,
            Input::Measured { samples, error } => self.measured(finite::samples(samples), error)?,
            Input::Glanced { samples } => self.glanced(finite::samples(samples))?,
            Input::Signal(signal) => self.signalled(signal)?,
            Input::Approve { by, reason, bypass, link } => self.approve(by, reason, bypass, link)?,
            Input::Reject { by, reason, link } => self.reject(by, reason, link)?,
            Input::Answer { question, word } => {
                self.answers_question(question)?;
                self.take(*word)?;
            }
            Input::Hold { by, reason } => self.put_on_hold(by, reason)?,
            Input::EndHold { by, reason } => self.end_hold(by, reason)?,
            Input::Skip { by, reason } => self.skip(by, reason)?,
            Input::RollForward { by, reason } => self.roll_forward(by, reason)?,
            Input::Extend { by, reason, span } => self.extend(by, reason, span)?,
            Input::Acknowledge { by, reason, link } => self.acknowledge(by, reason, link)?,
            Input::Abort { by, reason } => self.abort(by, reason)?,
            Input::Rollback { by, reason } => self.take_back(by, reason)?,
            Input::Resume { fence } => {
                let current = self.run.fence();
                if fence <= current {
                    return Err(Refused::StaleFence { fence, current });
                }
                self.push(EventKind::Resumed { fence });
            }
            Input::Serving { key, found } => self.compare(key, &found)?,
            Input::TrafficReturned { services } => self.traffic_returned(&services)?,
            Input::ClockWentBack { behind } => {
                let reason = format!(
                    "this machine's clock is {} s behind what it told before; time goes on from there, so that nothing comes late: set the \
                     clock right",
                    behind.as_secs()
                );
                self.push(EventKind::ClockWentBack { behind, reason });
            }
            Input::Tick => {}
        }
        Ok(())
    }

    /// What was seen at the step no longer says anything of what comes: the step begins anew.
    fn traffic_returned(&mut self, services: &[String]) -> Result<(), Refused> {
        self.in_place(RunStage::Rollout, "return of traffic")?;
        let environment = Environment::Production;
        for service in services {
            let split = self.run.member(service).filter(|member| member.traffic(environment).len() > 1);
            if let Some(to) = split.and_then(|member| member.stable(environment)).map(|stable| stable.id.clone()) {
                self.push(EventKind::TrafficReturned { service: service.clone(), environment, to });
            }
        }
        Ok(())
    }

    fn in_place(&self, stage: RunStage, input: &'static str) -> Result<(), Refused> {
        if self.run.stage() == stage {
            return Ok(());
        }
        Err(Refused::OutOfPlace { run: self.run.id().to_owned(), stage: self.run.stage().name(), input })
    }

    /// What the run commands that the input answers.
    pub(crate) fn answers(&self, stage: RunStage, input: &'static str, key: &str) -> Result<Command, Refused> {
        self.in_place(stage, input)?;
        self.due(key).ok_or_else(|| self.unknown(key))
    }

    /// What is to be done now under that key.
    fn due(&self, key: &str) -> Option<Command> {
        self.run.work().into_iter().find(|work| work.key() == Some(key))
    }

    pub(crate) fn unknown(&self, key: &str) -> Refused {
        Refused::UnknownKey { run: self.run.id().to_owned(), key: key.to_owned() }
    }

    fn reviewed(&mut self, reports: Vec<NamedReport>) {
        let verdict = safety::reported("code review", &self.run.plan().review, &reports);
        self.push(EventKind::Reviewed { reports, verdict: verdict.clone() });
        self.safety(SafetyCheck::CodeQuality, verdict);
    }

    fn checked(&mut self, reports: Vec<NamedReport>) {
        let plan = self.run.plan();
        let own = safety::reported("sandboxed checks", &plan.checks, &reports);
        let coverage = safety::coverage(plan, &reports);
        let security = safety::security(self.run.reviews().iter().chain(&reports));
        let verdict = safety::worst([&own, &coverage, &security]).unwrap_or(&own).clone();
        self.push(EventKind::Checked { reports, verdict });
        self.safety(SafetyCheck::TestCoverage, coverage);
        self.safety(SafetyCheck::SecurityScan, security);
    }

    fn automated_tested(&mut self, reports: Vec<NamedReport>) {
        let verdict = safety::reported("automated testing", &self.run.plan().automated, &reports);
        self.push(EventKind::AutomatedTested { reports, verdict });
    }

    /// Records what follows by itself, until something must be done outside or waited for.
    fn settle(&mut self) {
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        if self.run.stage() == RunStage::Finished {
            return false;
        }
        if self.escalate() {
            return true;
        }
        if let Some(outcome) = self.run.ending().cloned() {
            return self.finish(outcome);
        }
        if self.run.on_hold().is_some() {
            return self.watch_on_hold();
        }
        if let Some((gate, until)) = self.run.gate().map(|open| (open.gate, open.until)) {
            if until <= self.at {
                self.expire(gate);
                return true;
            }
            // A step that could not be taken is held with no watch of its own.
            let unwatched = gate == Gate::Production || self.run.stage() == RunStage::Rollout;
            return unwatched && self.run.watch().is_none() && self.run.diverged().is_none() && self.keep_watch();
        }
        if let Some(reason) = self.run.diverged().map(str::to_owned) {
            self.hold(reason);
            return true;
        }
        if let Some(verdict) = self.run.blocked().cloned() {
            let reason = format!("{}: {}", verdict.rule, verdict.words);
            if verdict.outcome == CheckOutcome::Failed {
                self.turn_back(Outcome::HandedOver { reason });
            } else {
                self.hold(format!("{reason}; a person must say whether to go on"));
            }
            return true;
        }
        let plan = self.run.plan();
        match self.run.stage() {
            RunStage::CodeReview if self.run.must_claim() => return false,
            RunStage::CodeReview if plan.review.is_empty() => self.reviewed(Vec::new()),
            RunStage::TestGeneration if !plan.test_generators => {
                self.push(EventKind::TestsGenerated { tests: Vec::new() });
            }
            RunStage::Checks if plan.checks.is_empty() => self.checked(Vec::new()),
            RunStage::Approval => self.open_production(),
            RunStage::ProductionDeploy => {
                return self.freeze() || self.watch_while_frozen() || self.ask_after_freeze() || self.snapshots_anew();
            }
            RunStage::Soak | RunStage::Rollout | RunStage::Monitoring if self.run.watch().is_none() => {
                return self.enter();
            }
            RunStage::RollbackCheck => {
                let reason = format!("{} passed every step and the monitoring", self.run.candidates());
                self.push(EventKind::RollbackChecked { needed: false, reason });
            }
            _ => return false,
        }
        true
    }

    /// Says that a freeze keeps the run from production, once for each end that it waits for.
    fn freeze(&mut self) -> bool {
        let Some((until, freeze)) = self.run.freeze(self.at) else { return false };
        let (until, reason) = (until, freeze.reason.clone());
        if self.run.frozen().is_some_and(|(before, _)| *before == until) {
            return false;
        }
        self.push(EventKind::Frozen { until, reason });
        true
    }

    /// What is wrong with going back, where people must know: it was refused, it fails again and again, or it takes too long.
    fn going_back_is_hard(&self, work: &[Command]) -> Option<String> {
        let attempts = work.iter().filter_map(|command| self.run.attempt(command.key()?));
        let last = attempts.max_by_key(|attempt| attempt.count);
        // What is not just unavailable will hardly come by waiting.
        let is_told = |attempt: &&Attempt| {
            attempt.error.kind != ErrorKind::Unavailable || attempt.count > self.run.plan().retries
        };
        // What else belongs to the error, such as the end of a release's output, is on record with the attempt.
        let words = |attempt: &Attempt| format!("{}: {}", attempt.error.kind, attempt.error.info.message);
        if let Some(attempt) = last.filter(is_told) {
            let times = if attempt.count == 1 { "once".to_owned() } else { format!("{} times", attempt.count) };
            return Some(format!("failed {times} and is tried on: {}", words(attempt)));
        }
        self.run.rollback_due().filter(|due| *due <= self.at)?;
        let last = last.map_or_else(|| "the target has not answered".to_owned(), words);
        Some(format!("takes longer than the 2 min that it should take at most, and goes on: {last}"))
    }

    /// Ends the run once traffic is back and people are told, or these were given up.
    fn finish(&mut self, outcome: Outcome) -> bool {
        if let Some(follows) = self.data_waits() {
            return follows;
        }
        let work = self.run.work();
        if !work.is_empty() {
            let trouble = self.going_back_is_hard(&work).filter(|_| self.run.held().is_none());
            let Some(trouble) = trouble else { return false };
            let another = self.run.another_release();
            let reason = format!("going back {trouble}; look at the target, or have another release serve: {another}");
            self.push(EventKind::Held { reason });
            return true;
        }
        if self.settle_data() {
            return true;
        }
        let nobody_yet = self.run.next_level().is_some();
        if self.run.recovering().is_some() || nobody_yet || self.run.is_to_tell(self.at) {
            return false;
        }
        self.push(EventKind::Finished { outcome });
        true
    }
}
