//! What is to be done now, by those who can touch the world.

use autodevops_model::{Notification, Release, SnapshotInfo, Split, Window};

use crate::{Environment, Gate, Outcome, Timestamp};

/// Something to do. What has a key is repeatable; the same key means the same command. `service` names the service that it is about;
/// it is empty where the project has one.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants say what to do, their fields are named by what they hold")]
pub enum Command {
    /// Ask the fix generators, in order, until one has a fix.
    Propose { key: String },
    /// Have the services to the run alone, until it moves nothing more, all or none; then look what serves of each of the project's. Where
    /// another run has one, say which, and the next time wait until that is another one.
    Claim { key: String, services: Vec<String> },
    /// Have the plugins review the change.
    Review { key: String, plugins: Vec<String> },
    /// Have tests written.
    GenerateTests { key: String },
    /// Have the plugins check the change in the sandbox.
    RunChecks { key: String, plugins: Vec<String> },
    /// Put the change into git.
    Commit { key: String },
    /// Make the artifact of the commit.
    Build { service: String, key: String, commit: String },
    /// Bring the release into the environment. Record the intent first.
    Deploy { service: String, environment: Environment, key: String, fence: u64, release: Release },
    /// Share the traffic so. Record the intent first.
    SetTraffic { service: String, environment: Environment, key: String, fence: u64, splits: Vec<Split> },
    /// Have the plugins test the staged releases at their addresses, if there are any; the host may look for itself too.
    AutomatedTests { key: String, staged: Vec<Staged>, plugins: Vec<String> },
    /// Look what serves production of each of the run's services: another host drove the run before, and someone may have deployed meanwhile.
    Compare { key: String },
    /// Measure the releases over each of the windows.
    Measure { environment: Environment, subjects: Vec<Subject>, windows: Vec<Window> },
    /// A person must answer; ask by whatever interface there is, and wait.
    AskApproval { gate: Gate, until: Timestamp, reason: String },
    /// Have the guard take a snapshot of production's data and verify it. Record the intent first.
    Snapshot { key: String, plugin: String },
    /// Have the guard go back to its snapshot of production's data. Record the intent first.
    Restore { key: String, plugin: String, fence: u64, snapshot: SnapshotInfo },
    /// Tell people through the plugin. Record the intent first.
    Notify { key: String, plugin: String, notification: Notification, asked: Option<Asked> },
    /// Nothing before this moment, unless someone speaks; then give a tick.
    WaitUntil(Timestamp),
    /// The run is over.
    Finish(Outcome),
}

/// A release that is to be measured, of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The service; empty where the project has one.
    pub service: String,
    /// The release that is judged.
    pub candidate: String,
    /// The release it is compared with, where both have traffic.
    pub baseline: Option<String>,
    /// The release that traffic goes back to, where it is not the baseline itself: only whether it is broken is asked of it, by its counts
    /// where it has traffic, and by whether it runs and answers where it has none.
    pub stable: Option<String>,
}

/// A release that is staged, of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// The service; empty where the project has one.
    pub service: String,
    /// Address at which it alone answers, where the target has previews.
    pub url: Option<String>,
}

/// What a notification asks people for, so that whoever carries it can offer an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which of the run's questions it is, from 1: what a [`Link`](crate::Link) must name.
    pub number: u32,
    /// Until when an answer is taken.
    pub until: Timestamp,
    /// Whether it can be approved or rejected; otherwise it can be acknowledged only.
    pub gate: bool,
}

impl Command {
    /// The command's key, where it has one: what an input about it names.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Propose { key }
            | Self::Claim { key, .. }
            | Self::Compare { key }
            | Self::Review { key, .. }
            | Self::GenerateTests { key }
            | Self::RunChecks { key, .. }
            | Self::Commit { key }
            | Self::Build { key, .. }
            | Self::Deploy { key, .. }
            | Self::SetTraffic { key, .. }
            | Self::AutomatedTests { key, .. }
            | Self::Snapshot { key, .. }
            | Self::Restore { key, .. }
            | Self::Notify { key, .. } => Some(key),
            Self::Measure { .. } | Self::AskApproval { .. } | Self::WaitUntil(_) | Self::Finish(_) => None,
        }
    }

    /// Whether the intent must be on record before it is done: it changes the world outside.
    pub const fn needs_intent(&self) -> bool {
        matches!(
            self,
            Self::Deploy { .. }
                | Self::SetTraffic { .. }
                | Self::Notify { .. }
                | Self::Snapshot { .. }
                | Self::Restore { .. }
        )
    }
}
