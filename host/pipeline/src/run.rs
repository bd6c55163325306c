//! The state of a run: what its events amount to.

mod fold;
mod member;
mod notes;
mod parts;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use autodevops_model::{Capabilities, Fix, Issue, Outcome as CheckOutcome, TestFile};

use crate::{
    Awaited, BadPlan, Environment, Event, EventKind, Former, Live, NamedReport, Outcome, Plan, SafetyCheck, Sample,
    Signal, Timestamp, VERSION, Verdict,
};

pub use member::Member;
pub use parts::{Alarm, Approved, Effect, OnHold, OpenGate, RunStage, Watch};

pub(crate) use member::name_of;
pub(crate) use notes::Note;
pub(crate) use parts::{Attempt, Decided, Lane};

/// Why events are no run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// There are none.
    #[error("the run has no events; start it with a `started` event")]
    Empty,
    /// The first is not `started`.
    #[error(
        "the run's first event is `{found}`, not `started`; its journal lost its beginning: restore it from a backup"
    )]
    NotStarted {
        /// The event's name.
        found: &'static str,
    },
    /// What served is not of its plan's services.
    #[error(
        "the run's plan has {services} services, and what served of {live} is on record; restore its journal from a backup"
    )]
    Live {
        /// How many services there are.
        services: usize,
        /// Of how many it is known.
        live: usize,
    },
    /// A second `started`.
    #[error("event {index} starts the run a second time; two runs were written under one name")]
    StartedTwice {
        /// Its number, from 0.
        index: usize,
    },
    /// It was not brought to today's shape.
    #[error("event {index} has version {found} where {VERSION} is folded; read it by `Event::read`")]
    Version {
        /// Its number, from 0.
        index: usize,
        /// Its version.
        found: u32,
    },
    /// Something after the end.
    #[error("event {index} follows the run's end; two hosts wrote to one run")]
    AfterEnd {
        /// Its number, from 0.
        index: usize,
    },
    /// The plan cannot be followed.
    #[error(transparent)]
    Plan(#[from] BadPlan),
}

/// A rollback takes so long at most; people are told of one that takes longer. From the product's founding document.
const ROLLBACK_WITHIN: Duration = Duration::from_secs(120);

/// A run: the fold of its events. Equal events make equal runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    id: String,
    issue: Issue,
    plan: Plan,
    base: String,
    fence: u64,
    capabilities: Capabilities,
    pub(crate) former: Option<Former>,
    started: Timestamp,
    last: Timestamp,
    stage: RunStage,
    plugin: Option<String>,
    fix: Option<Fix>,
    tests: Vec<TestFile>,
    /// The verdict that keeps the stage from being passed: of the reviews, the checks or the automated tests.
    blocked: Option<Verdict>,
    reviews: Vec<NamedReport>,
    checks: Vec<NamedReport>,
    safety: BTreeMap<&'static str, Decided>,
    branch: Option<String>,
    commit: Option<String>,
    /// The project's services.
    members: Vec<Member>,
    /// Which of them the run releases.
    touched: Vec<usize>,
    /// Whether these are the run's to have to itself.
    pub(crate) claimed: bool,
    pub(crate) awaited: Option<Awaited>,
    /// How often the run looked for another fix, since something else came to serve while it waited.
    pub(crate) begun_anew: u32,
    /// How many of the plan's steps are passed.
    passed: usize,
    watch: Option<Watch>,
    /// The watch of the step before, until the next one's traffic is there.
    between: Option<Watch>,
    /// How many watches of production were begun.
    watches: u32,
    held: Option<String>,
    on_hold: Option<OnHold>,
    /// Until when a freeze keeps it from production, and why.
    frozen: Option<(Timestamp, String)>,
    gate: Option<OpenGate>,
    alarm: Option<Alarm>,
    /// How many questions people were asked.
    asked: u32,
    /// Nonces of the links that were used.
    links: BTreeSet<String>,
    /// What the last measurement saw.
    pub(crate) last_seen: Vec<Sample>,
    /// Why traffic is not given back to stable by itself.
    pub(crate) stable_broken: Option<String>,
    /// Since when stable serves again after a rollback, while it was not looked at.
    pub(crate) recovering: Option<Timestamp>,
    /// What is known of production's data.
    pub(crate) data: crate::data::Data,
    /// Since when a candidate has production's traffic.
    exposed: Option<Timestamp>,
    /// What was signalled since then.
    pub(crate) signals: Vec<Signal>,
    effects: BTreeMap<String, Effect>,
    attempts: BTreeMap<String, Attempt>,
    notes: Vec<Note>,
    /// How often people were told something.
    told: u32,
    /// Another host drove the run before, and what serves was not looked at since.
    unsure: bool,
    /// How often production's shares changed, by what is on record: an older look at them says nothing of those.
    moves: u32,
    /// Why production is not what the run made of it; a person must say whether the run has it again.
    diverged: Option<String>,
    ending: Option<Outcome>,
    /// Since when it ends.
    ending_since: Timestamp,
    /// Since when nothing of production is the run's any more, where it was.
    back_since: Option<Timestamp>,
    finished: bool,
}

impl Run {
    /// The first event of a run. `live` is what serves of each of the plan's services, `capabilities` are production's target's.
    #[allow(clippy::too_many_arguments, reason = "all of it is decided at the start and never again")]
    pub fn started(
        run: impl Into<String>,
        issue: Issue,
        plan: Plan,
        base: impl Into<String>,
        fence: u64,
        live: Vec<Live>,
        capabilities: Capabilities,
        at: Timestamp,
    ) -> Event {
        let (run, base) = (run.into(), base.into());
        let (issue, plan) = (Box::new(issue), Box::new(plan));
        let former = None;
        Event {
            v: VERSION,
            at,
            event: EventKind::Started { run, issue, plan, base, fence, live, capabilities, former },
        }
    }

    /// The run's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it is.
    pub const fn stage(&self) -> RunStage {
        self.stage
    }

    /// What it answers.
    pub const fn issue(&self) -> &Issue {
        &self.issue
    }

    /// What it does, as it was when it started.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The commit that what serves was built from.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The fence that its effects carry.
    pub const fn fence(&self) -> u64 {
        self.fence
    }

    /// What production's target can do.
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// When it started.
    pub const fn started_at(&self) -> Timestamp {
        self.started
    }

    /// When its last event was.
    pub const fn last_event_at(&self) -> Timestamp {
        self.last
    }

    /// The plugin whose fix it is.
    pub fn plugin(&self) -> Option<&str> {
        self.plugin.as_deref()
    }

    /// The fix.
    pub const fn fix(&self) -> Option<&Fix> {
        self.fix.as_ref()
    }

    /// All tests of the change: the fix's own, then the generated ones. They are committed with it. A generated test
    /// never takes the place of one of the fix's own.
    pub fn tests(&self) -> Vec<TestFile> {
        let own = self.fix.iter().flat_map(|fix| &fix.tests);
        let mut tests: Vec<TestFile> = Vec::new();
        for test in own.chain(&self.tests) {
            if tests.iter().all(|other| other.path != test.path) {
                tests.push(test.clone());
            }
        }
        tests
    }

    /// Paths that the change touches, its tests among them; sorted.
    pub fn changed(&self) -> Vec<String> {
        let edits = self.fix.iter().flat_map(|fix| fix.edits.iter().map(|edit| edit.path.clone()));
        let mut paths: Vec<String> = edits.chain(self.tests().into_iter().map(|test| test.path)).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// The branch that the change is on.
    pub fn branch(&self) -> Option<&str> {
        self.branch.as_deref()
    }

    /// The change's commit.
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// The watch under way.
    pub const fn watch(&self) -> Option<&Watch> {
        self.watch.as_ref()
    }

    /// What is glanced at: the watch under way; or that of the step before, while the next one's traffic is on its way, however long the
    /// target takes for that.
    pub(crate) fn glanced_at(&self) -> Option<&Watch> {
        self.watch.as_ref().or(self.between.as_ref())
    }

    /// The gate that waits for people, with those who agreed so far.
    pub const fn gate(&self) -> Option<&OpenGate> {
        self.gate.as_ref()
    }

    /// What was decided of a safety check.
    pub fn safety(&self, check: SafetyCheck) -> Option<&Verdict> {
        self.safety.get(check.name()).map(|decided| &decided.verdict)
    }

    /// Why it is held.
    pub fn held(&self) -> Option<&str> {
        self.held.as_deref()
    }

    /// Who holds it, and why.
    pub const fn on_hold(&self) -> Option<&OnHold> {
        self.on_hold.as_ref()
    }

    /// What people are needed for, and who was told.
    pub const fn alarm(&self) -> Option<&Alarm> {
        self.alarm.as_ref()
    }

    /// The level of the escalation that comes next, from 1, and when; none while someone has it in hand.
    pub(crate) fn next_level(&self) -> Option<(u32, Timestamp)> {
        let alarm = self.alarm.as_ref().filter(|alarm| alarm.acknowledged.is_none() && self.on_hold.is_none())?;
        let level = self.plan.escalation.get(usize::try_from(alarm.told).unwrap_or(usize::MAX))?;
        Some((alarm.told + 1, alarm.since.after(level.after)))
    }

    pub(crate) fn link_used(&self, nonce: &str) -> bool {
        self.links.contains(nonce)
    }

    /// Until when a freeze keeps it from beginning with production, and why.
    pub const fn frozen(&self) -> Option<&(Timestamp, String)> {
        self.frozen.as_ref()
    }

    /// Effects that were intended and whose outcome is not known.
    pub fn pending(&self) -> impl Iterator<Item = &Effect> {
        self.effects.values()
    }

    /// How it is about to end, while traffic returns and people are told.
    pub const fn ending(&self) -> Option<&Outcome> {
        self.ending.as_ref()
    }

    /// Until when production should have gone back, where it is to; none once it has.
    pub(crate) fn rollback_due(&self) -> Option<Timestamp> {
        let goes_back = self.ending().is_some_and(|outcome| *outcome != Outcome::Healed);
        (goes_back && self.is_moved(Environment::Production)).then(|| self.ending_since.after(ROLLBACK_WITHIN))
    }

    /// Since when all of production is back where it was before the run; none while it is not, or where it never left.
    pub const fn back_since(&self) -> Option<Timestamp> {
        self.back_since
    }

    /// How it ended.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.ending.as_ref().filter(|_| self.finished)
    }

    /// Whether someone took a fence above the run's before, and what serves was not looked at since.
    pub(crate) const fn was_resumed(&self) -> bool {
        self.unsure
    }

    pub(crate) fn is_unsure(&self) -> bool {
        self.unsure && self.ending.is_none() && !self.must_claim()
    }

    pub(crate) const fn moves(&self) -> u32 {
        self.moves
    }

    pub(crate) fn diverged(&self) -> Option<&str> {
        self.diverged.as_deref()
    }

    pub(crate) const fn blocked(&self) -> Option<&Verdict> {
        self.blocked.as_ref()
    }

    pub(crate) fn attempt(&self, key: &str) -> Option<&Attempt> {
        self.attempts.get(key)
    }

    /// What was asked and failed: it is asked again, or was given up.
    pub(crate) fn failed(&self) -> impl Iterator<Item = &Effect> {
        self.attempts.values().filter_map(|attempt| attempt.asked.as_ref())
    }

    pub(crate) fn effect_of(&self, key: &str) -> Option<&Effect> {
        self.effects.get(key)
    }

    /// Since when a candidate has production's traffic; none while it has not.
    pub const fn exposed(&self) -> Option<Timestamp> {
        self.exposed
    }

    /// What the reviews found.
    pub fn reviews(&self) -> &[NamedReport] {
        &self.reviews
    }

    /// What the sandboxed checks found.
    pub fn checks(&self) -> &[NamedReport] {
        &self.checks
    }

    /// How many steps of production's rollout are passed.
    pub const fn steps_passed(&self) -> usize {
        self.passed
    }

    /// Safety checks that could not tell and that nobody agreed to go on without.
    pub(crate) fn open_doubts(&self) -> impl Iterator<Item = (&'static str, &Verdict)> {
        let performance = SafetyCheck::PerformanceBaseline.name();
        let open = |decided: &Decided| !decided.accepted && decided.verdict.outcome == CheckOutcome::Inconclusive;
        let doubts = self.safety.iter().filter(move |(name, decided)| **name != performance && open(decided));
        doubts.map(|(name, decided)| (*name, &decided.verdict))
    }
}
