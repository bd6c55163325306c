//! The parts of a run's state.

use std::{fmt, time::Duration};

use autodevops_model::{Deployment, Split, StageError};

use crate::{Environment, Gate, Strike, Timestamp, Verdict};

/// Where a run is, in the order it goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunStage {
    /// A fix is looked for.
    Fix,
    /// Plugins review the change.
    CodeReview,
    /// Tests are written.
    TestGeneration,
    /// Plugins check the change in the sandbox.
    Checks,
    /// The change goes into git.
    Commit,
    /// The artifact is made.
    Build,
    /// The release is brought into staging and gets its traffic.
    StagingDeploy,
    /// Plugins test the staged release at its address.
    AutomatedTesting,
    /// Staging is watched.
    Soak,
    /// It is looked whether there is a way back, and people are asked.
    Approval,
    /// The release is brought into production, without traffic.
    ProductionDeploy,
    /// Production's traffic moves by steps.
    Rollout,
    /// All traffic is on the candidate, and it is watched.
    Monitoring,
    /// It is looked whether a rollback is needed.
    RollbackCheck,
    /// The run ends: traffic returns to stable where it was moved, and people are told.
    Ending,
    /// The run is over.
    Finished,
}

impl RunStage {
    /// The stage's name, in kebab-case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fix => "fix",
            Self::CodeReview => "code-review",
            Self::TestGeneration => "test-generation",
            Self::Checks => "checks",
            Self::Commit => "commit",
            Self::Build => "build",
            Self::StagingDeploy => "staging-deploy",
            Self::AutomatedTesting => "automated-testing",
            Self::Soak => "soak",
            Self::Approval => "approval",
            Self::ProductionDeploy => "production-deploy",
            Self::Rollout => "rollout",
            Self::Monitoring => "monitoring",
            Self::RollbackCheck => "rollback-check",
            Self::Ending => "ending",
            Self::Finished => "finished",
        }
    }
}

impl fmt::Display for RunStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A watch under way: the soak, a step or the monitoring.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// Where.
    pub environment: Environment,
    /// The candidate's share of the traffic.
    pub percent: u8,
    /// When it began.
    pub started: Timestamp,
    /// How many watches of production were begun before it that the plan knows nothing of: since traffic was away, or the run was held.
    pub again: u32,
    /// When it can be passed.
    pub until: Timestamp,
    /// How often it was made longer.
    pub extensions: u32,
    /// Until when it was measured; its start, before it was measured at all.
    pub measured: Timestamp,
    /// Bad windows in a row, of each rule that the last measurements show to be crossed.
    pub strikes: Vec<Strike>,
    /// How many measurements in a row failed, all of one or a part.
    pub errors: u32,
    /// The last verdict.
    pub verdict: Option<Verdict>,
    /// Whether it is kept while people are waited for: it can turn the release back, and is never passed.
    pub kept: bool,
}

impl Watch {
    /// When it is to be measured next: after the interval, and at its end.
    pub fn due(&self, interval: Duration) -> Timestamp {
        let next = self.measured.after(interval);
        if self.measured < self.until { next.min(self.until) } else { next }
    }
}

/// A gate that waits for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenGate {
    /// What is asked.
    pub gate: Gate,
    /// When it expires.
    pub until: Timestamp,
    /// Why it is asked.
    pub reason: String,
    /// Who agreed so far.
    pub approved: Vec<Approved>,
    /// Which of the run's questions it is, from 1.
    pub number: u32,
}

/// People are needed, and more of them are told the longer nobody answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Which of the run's questions it is, from 1.
    pub number: u32,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
    /// How many levels of the escalation were told.
    pub told: u32,
    /// Who has it in hand.
    pub acknowledged: Option<String>,
}

/// A run that a person holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnHold {
    /// Who.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// A person's agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// Who.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// Whether it stands for all by the emergency bypass.
    pub bypass: bool,
}

/// An effect that was intended; what came of it is not known yet. After a restart the target is asked by its key first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The key that the target knows it by.
    pub key: String,
    /// The service that it is about; empty for a notification, and where the project has one.
    pub service: String,
    /// The fence that it was tried with.
    pub fence: u64,
    /// Where; absent for a notification.
    pub environment: Option<Environment>,
    /// The shares that were asked; empty for a deploy and a notification.
    pub splits: Vec<Split>,
}

/// How trying something went so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attempt {
    pub(crate) count: u32,
    pub(crate) retry: Option<Timestamp>,
    pub(crate) error: StageError,
    /// What was asked last: it may have been done, and the answer lost.
    pub(crate) asked: Option<Effect>,
}

/// What is known of one environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lane {
    pub(crate) deployed: Option<Deployment>,
    /// The fresh baseline, once it is there; only ever in production.
    pub(crate) baseline: Option<Deployment>,
    pub(crate) traffic: Vec<Split>,
    /// The candidate has traffic, or may have: its intent is on record.
    pub(crate) moved: bool,
    /// How often the target gave the candidate's traffic back by itself; numbers the keys of the steps taken anew.
    pub(crate) returns: u32,
    /// How many rollbacks are done; numbers the key of the next one.
    pub(crate) rollbacks: u32,
    /// Taking it back was given up; only ever staging.
    pub(crate) given_up: bool,
}

/// A safety check that was decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decided {
    pub(crate) verdict: Verdict,
    /// A person agreed to go on although it could not tell.
    pub(crate) accepted: bool,
}
