//! What happens in a run. Events are the run: they are written once and never recomputed.
//!
//! # Versions
//! A journal outlives the build that wrote it. Every event carries the version of the shape it was written in, and every build reads
//! all versions before its own ([`Event::read`]). Whoever changes the shape of an event, or of anything that events hold:
//! - writes with a [`VERSION`] that is one above the last release's. Between two releases it is raised once, not with each change. It
//!   is raised for an added field too: a build that does not know the field must refuse it, not drop it;
//! - adds a field only with a `#[serde(default)]` that means what runs did before there was the field;
//! - adds a kind freely, and takes none away: one that is not written any more is still read;
//! - renames, splits or retypes nothing without an upcast in `event/read.rs`, which makes the old shape the new one.
//!
//! The fold is bound in the same way: the events of an older version amount to the state they always amounted to. Journals of older
//! versions are committed with what they amounted to, and tests hold today's build to them.
//!
//! A newer version is refused by name, and nothing of such a run is touched: no guess is made of what an unknown event may mean.

mod evidence;
mod read;

use std::{fmt, time::Duration};

use autodevops_model::{
    Capabilities, Deployment, Fix, Issue, Release, Report, Since, SnapshotInfo, Split, StageError, TestFile,
};
use serde::{Deserialize, Serialize};

use crate::{Awaited, Former, Plan, Signal, Timestamp};

pub(crate) use evidence::{JUDGED_AT_ALL, MEASURED_AT_ALL};
pub use evidence::{Method, Origin, Sample, Verdict};
pub use read::UnreadableEvent;

/// The version of the events' shape that this build writes; it reads those before, too.
pub const VERSION: u32 = 3;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Event {
    /// Version of the shape: [`VERSION`].
    pub v: u32,
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: EventKind,
}

/// One of the two environments of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// Where a release is tried.
    Staging,
    /// Where it serves people.
    Production,
}

impl Environment {
    /// What events were about before they said so.
    const fn production() -> Self {
        Self::Production
    }

    /// `staging` or `production`, whatever the operator calls it.
    pub const fn role(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

/// What served of a service when the run started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Live {
    /// Staging's stable release.
    pub staging: Option<Release>,
    /// Production's stable release: the baseline, and where a rollback goes.
    pub production: Option<Release>,
}

/// A report and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NamedReport {
    /// The plugin.
    pub plugin: String,
    /// What it found.
    pub report: Report,
}

/// The five safety checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SafetyCheck {
    /// Reviews of the change found nothing that stops it.
    CodeQuality,
    /// Tests reach the changed lines.
    TestCoverage,
    /// The release is not slower than it may be.
    PerformanceBaseline,
    /// No plugin found a weakness.
    SecurityScan,
    /// There is a release to go back to, and the target can go back.
    RollbackCapability,
}

impl SafetyCheck {
    /// All of them, in the order they are decided in.
    pub const ALL: [Self; 5] = [
        Self::CodeQuality,
        Self::TestCoverage,
        Self::SecurityScan,
        Self::PerformanceBaseline,
        Self::RollbackCapability,
    ];

    /// The check's name, as in its JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CodeQuality => "code-quality",
            Self::TestCoverage => "test-coverage",
            Self::PerformanceBaseline => "performance-baseline",
            Self::SecurityScan => "security-scan",
            Self::RollbackCapability => "rollback-capability",
        }
    }
}

/// What a person is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// To let the release into production.
    Production,
    /// To go on although the evidence does not suffice: a person's word passes the check or the step that is held.
    Held,
    /// To have production's data go back to the snapshot, after the release was taken back.
    Data,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The fix serves.
    Healed,
    /// The fix was taken back.
    RolledBack {
        /// Why.
        reason: String,
    },
    /// Someone or a timeout ended it.
    Aborted {
        /// Why.
        reason: String,
    },
    /// A person must go on.
    HandedOver {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healed => f.write_str("healed"),
            Self::RolledBack { reason } => write!(f, "rolled back: {reason}"),
            Self::Aborted { reason } => write!(f, "aborted: {reason}"),
            Self::HandedOver { reason } => write!(f, "handed over to a person: {reason}"),
        }
    }
}

/// What can happen. `service` names the service that it happened to; it is empty where the project has one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the variants say what happened, their fields are named by what they hold")]
pub enum EventKind {
    /// The run began; always the first event.
    Started {
        run: String,
        issue: Box<Issue>,
        plan: Box<Plan>,
        base: String,
        fence: u64,
        /// Of each of the plan's services, in their order.
        live: Vec<Live>,
        capabilities: Capabilities,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        former: Option<Former>,
    },
    /// A host took the run over, with a fence above all before it: an older host's effects are refused from now on.
    Resumed { fence: u64 },
    /// What serves production is what the run made of it, or is about to.
    Compared {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        service: String,
        found: Vec<Split>,
    },
    /// What serves is something else: a person deployed past the run.
    Diverged {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        service: String,
        found: Vec<Split>,
        reason: String,
        #[serde(default = "Environment::production")]
        environment: Environment,
        /// The release that has all of it, where that is known: if the run has production again, this is what it goes back to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        serves: Option<Release>,
    },
    /// What serves staging is not what the run left there, and so not the run's to take back.
    StagingFound {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        service: String,
        found: Vec<Split>,
    },
    /// A plugin proposed a fix.
    FixProposed { plugin: String, fix: Box<Fix> },
    /// No plugin has a fix.
    NoFix { reason: String },
    /// Services that the run is to release are another run's: it waits until that moves nothing more.
    ServicesAwaited { of: Awaited },
    /// The services are this run's until it moves nothing more: no other run releases them. Effects carry this fence from now on, above
    /// that of whoever released them before.
    ServicesClaimed { services: Vec<String>, fence: u64 },
    /// While the run waited for its services, another release of them came to serve: it looks for a fix anew, of what serves now.
    BegunAnew {
        base: String,
        /// Of each of the plan's services, in their order.
        live: Vec<Live>,
        reason: String,
    },
    /// Reviews of the change came back.
    Reviewed { reports: Vec<NamedReport>, verdict: Verdict },
    /// Tests were written; perhaps none.
    TestsGenerated { tests: Vec<TestFile> },
    /// Checks in the sandbox came back.
    Checked { reports: Vec<NamedReport>, verdict: Verdict },
    /// One of the five safety checks was decided.
    SafetyChecked { check: SafetyCheck, verdict: Verdict },
    /// The change is in git.
    Committed { branch: String, commit: String },
    /// The artifact is made.
    Built {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        service: String,
        release: Release,
    },
    /// An effect is about to be asked of a target.
    EffectIntended {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        service: String,
        key: String,
        fence: u64,
        environment: Option<Environment>,
        splits: Vec<Split>,
    },
    /// The effect took place.
    EffectDone { key: String },
    /// A command failed; it is tried again at `retry`, or given up.
    EffectFailed { key: String, error: StageError, attempt: u32, retry: Option<Timestamp> },
    /// The release is in the environment, without traffic.
    Deployed {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        service: String,
        environment: Environment,
        key: String,
        deployment: Deployment,
    },
    /// An instance of the stable release is in production, without traffic: the candidate is compared with it.
    BaselineDeployed {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        service: String,
        key: String,
        deployment: Deployment,
    },
    /// Traffic is shared so.
    TrafficSet {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        service: String,
        environment: Environment,
        key: String,
        splits: Vec<Split>,
    },
    /// Tests of the staged release came back.
    AutomatedTested { reports: Vec<NamedReport>, verdict: Verdict },
    /// The target gave the candidate's share back to stable by itself: nobody renewed it in time. The step is taken anew.
    TrafficReturned {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        service: String,
        environment: Environment,
        to: String,
    },
    /// A watch began: the soak, a step or the monitoring; `percent` is the candidate's share.
    StepEntered { environment: Environment, percent: u8, until: Timestamp },
    /// What was observed; nothing where measuring failed, with the reason.
    Measured { samples: Vec<Sample>, error: Option<String> },
    /// What was observed was judged: by the verdict that decided, and all others.
    Judged {
        verdict: Verdict,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        others: Vec<Verdict>,
    },
    /// A person complained, or the watched logs show a critical error that is new, while the candidate has production's traffic.
    Signalled { signal: Signal },
    /// The candidate failed and stays where it is: the stable release is broken itself. People are asked until they answer.
    StableBroken { reason: String },
    /// There were so many signals that they speak against the release.
    CountReached { verdict: Verdict },
    /// The watch was passed.
    StepPassed { environment: Environment, percent: u8, reason: String },
    /// The watch was made longer for want of evidence.
    StepExtended { until: Timestamp, extension: u32, reason: String },
    /// The step is held: it is neither good enough nor bad enough.
    Held { reason: String },
    /// The run waits before production for the end of a freeze.
    Frozen { until: Timestamp, reason: String },
    /// A person is asked.
    ApprovalAsked { gate: Gate, until: Timestamp, reason: String },
    /// A person agreed; `link` is the one-time link that they did it by.
    Approved {
        by: String,
        reason: String,
        bypass: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
    },
    /// Enough people agreed.
    GatePassed { gate: Gate, reason: String },
    /// A person refused; `link` is the one-time link that they did it by.
    Rejected {
        by: String,
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
    },
    /// Nobody answered in time.
    ApprovalExpired { gate: Gate },
    /// A person asked to end the run.
    AbortRequested { by: String, reason: String },
    /// A person asked to take the release back.
    RollbackRequested { by: String, reason: String },
    /// A person holds the run: nothing new is begun and nothing is passed until someone resumes it. What speaks against the
    /// release still turns it back.
    HoldRequested { by: String, reason: String },
    /// A person lets the run go on that someone held.
    ResumeRequested { by: String, reason: String },
    /// A person passes the watch under way without waiting for its end.
    SkipRequested { by: String, reason: String },
    /// A person gives the candidate all of production's traffic at once: forward, where there is nothing good to go back to.
    RollForwardRequested { by: String, reason: String },
    /// A person makes the watch under way longer.
    ExtendRequested { by: String, reason: String, until: Timestamp },
    /// A person has it in hand: nobody further is told.
    Acknowledged {
        by: String,
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
    },
    /// Nobody answered or acknowledged for as long as the escalation's level says, from 1: its people are told.
    Escalated { level: u32, reason: String },
    /// The candidate is watched on while people are waited for: what speaks against it turns it back, nothing passes it.
    WatchKept { environment: Environment, percent: u8 },
    /// The run turns back: traffic returns to stable where it was moved, then the run ends so.
    TurnedBack { outcome: Outcome },
    /// The environment serves its stable release again.
    RolledBack {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        service: String,
        environment: Environment,
        to: String,
        reason: String,
    },
    /// After the rollback it was looked whether stable serves well: where it does not, the rollback was no help, and people are needed.
    StableLooked { verdict: Verdict },
    /// A guard took a snapshot of production's data, which is whole.
    SnapshotTaken { plugin: String, key: String, snapshot: SnapshotInfo },
    /// The snapshots say no more how production's data is before the release: they are taken anew.
    SnapshotOutdated { reason: String },
    /// Production's data is as it was in the snapshot; what was there until then is in another, `before`. Whether that was written to
    /// `since` the snapshot was told from version 3 on.
    DataRestored {
        plugin: String,
        key: String,
        snapshot: String,
        before: Option<SnapshotInfo>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Since>,
    },
    /// Production's data stays as the release left it that was taken back.
    DataKept { reason: String },
    /// After monitoring it was looked whether a rollback is needed.
    RollbackChecked { needed: bool, reason: String },
    /// The clock of the host's machine went back by so much. The run's time goes on from where it was.
    ClockWentBack { behind: Duration, reason: String },
    /// The run is over.
    Finished { outcome: Outcome },
}

impl EventKind {
    /// The event's name, as in its JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Resumed { .. } => "resumed",
            Self::Compared { .. } => "compared",
            Self::Diverged { .. } => "diverged",
            Self::StagingFound { .. } => "staging-found",
            Self::FixProposed { .. } => "fix-proposed",
            Self::NoFix { .. } => "no-fix",
            Self::ServicesAwaited { .. } => "services-awaited",
            Self::ServicesClaimed { .. } => "services-claimed",
            Self::BegunAnew { .. } => "begun-anew",
            Self::Reviewed { .. } => "reviewed",
            Self::TestsGenerated { .. } => "tests-generated",
            Self::Checked { .. } => "checked",
            Self::SafetyChecked { .. } => "safety-checked",
            Self::Committed { .. } => "committed",
            Self::Built { .. } => "built",
            Self::EffectIntended { .. } => "effect-intended",
            Self::EffectDone { .. } => "effect-done",
            Self::EffectFailed { .. } => "effect-failed",
            Self::Deployed { .. } => "deployed",
            Self::BaselineDeployed { .. } => "baseline-deployed",
            Self::TrafficSet { .. } => "traffic-set",
            Self::TrafficReturned { .. } => "traffic-returned",
            Self::AutomatedTested { .. } => "automated-tested",
            Self::StepEntered { .. } => "step-entered",
            Self::Measured { .. } => "measured",
            Self::Judged { .. } => "judged",
            Self::Signalled { .. } => "signalled",
            Self::StableBroken { .. } => "stable-broken",
            Self::CountReached { .. } => "count-reached",
            Self::StepPassed { .. } => "step-passed",
            Self::StepExtended { .. } => "step-extended",
            Self::Held { .. } => "held",
            Self::Frozen { .. } => "frozen",
            Self::ApprovalAsked { .. } => "approval-asked",
            Self::Approved { .. } => "approved",
            Self::GatePassed { .. } => "gate-passed",
            Self::Rejected { .. } => "rejected",
            Self::ApprovalExpired { .. } => "approval-expired",
            Self::AbortRequested { .. } => "abort-requested",
            Self::RollbackRequested { .. } => "rollback-requested",
            Self::HoldRequested { .. } => "hold-requested",
            Self::ResumeRequested { .. } => "resume-requested",
            Self::SkipRequested { .. } => "skip-requested",
            Self::RollForwardRequested { .. } => "roll-forward-requested",
            Self::ExtendRequested { .. } => "extend-requested",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Escalated { .. } => "escalated",
            Self::WatchKept { .. } => "watch-kept",
            Self::TurnedBack { .. } => "turned-back",
            Self::RolledBack { .. } => "rolled-back",
            Self::StableLooked { .. } => "stable-looked",
            Self::SnapshotTaken { .. } => "snapshot-taken",
            Self::SnapshotOutdated { .. } => "snapshot-outdated",
            Self::DataRestored { .. } => "data-restored",
            Self::DataKept { .. } => "data-kept",
            Self::RollbackChecked { .. } => "rollback-checked",
            Self::ClockWentBack { .. } => "clock-went-back",
            Self::Finished { .. } => "finished",
        }
    }
}
