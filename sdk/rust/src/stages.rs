//! One trait for each stage. Implement it and name the type in [`export!`](crate::export).
//!
//! Every call runs in a fresh instance, so all but the analyzer are functions without `self`: there is nothing to keep.

use crate::{
    Error, Result,
    types::{
        Capabilities, CheckInput, Deployment, Event, Fix, Grouped, Issue, LineGroup, LiveState, Measurement, Proposal,
        Release, Report, SnapshotInfo, Split, TestFile, Window,
    },
};

/// Finds issues in logs, in constant memory.
///
/// A session is dropped and restored from its checkpoint now and then; what it reports must not depend on when. The crate's
/// front page has a complete example.
pub trait Analyzer: Default + 'static {
    /// Goes on from what [`checkpoint`](Self::checkpoint) gave, in another instance. A new session is the default value.
    ///
    /// # Errors
    /// `invalid-input` when the bytes are none of this plugin's checkpoints.
    fn restore(checkpoint: &[u8]) -> Result<Self>;

    /// Adds bytes of a source. Parts of one source come in order and may end anywhere, inside a character too.
    ///
    /// # Errors
    /// When the analysis cannot go on; bytes that make no sense are not an error.
    fn push(&mut self, source: &str, bytes: &[u8]) -> Result<()>;

    /// Adds bytes as [`push`](Self::push) does, and tells the group of each line that they finish.
    ///
    /// # Errors
    /// `unsupported` where the analyzer tells no groups, which is the default.
    fn push_grouped(&mut self, _source: &str, _bytes: &[u8]) -> Result<Grouped> {
        Err(Error::not_supported("this analyzer tells no groups of lines"))
    }

    /// What all numbers of groups stand for that are still in use.
    ///
    /// # Errors
    /// `unsupported` where the analyzer tells no groups, which is the default.
    fn groups(&mut self) -> Result<Vec<LineGroup>> {
        Err(Error::not_supported("this analyzer tells no groups of lines"))
    }

    /// The issues so far; an unfinished last line counts as finished.
    ///
    /// # Errors
    /// When they cannot be told.
    fn issues(&mut self) -> Result<Vec<Issue>>;

    /// All that is needed to go on later, at most 16 MiB.
    ///
    /// # Errors
    /// When the state cannot be written.
    fn checkpoint(&mut self) -> Result<Vec<u8>>;

    /// Takes in what another session made of other sources, by its checkpoint, as if their bytes had been pushed here: so that the
    /// host reads large sources side by side.
    ///
    /// # Errors
    /// `unsupported` where the analyzer cannot, which is the default: the host then gives it all sources in one session.
    /// `invalid-input` when the bytes are none of this plugin's checkpoints, or are about a source that was pushed here, too.
    fn join(&mut self, _checkpoint: &[u8]) -> Result<()> {
        Err(Error::not_supported("this analyzer reads all sources in one session"))
    }
}

/// Proposes a change that ends an issue. The repository is at `/repo`, read-only, where it was granted.
///
/// ```
/// use autodevops_sdk::{FixGenerator, Result, types::{Issue, Proposal}};
///
/// struct Never;
///
/// impl FixGenerator for Never {
///     fn propose(issue: Issue) -> Result<Proposal> {
///         Ok(Proposal::None(format!("no recipe for {}", issue.title)))
///     }
/// }
///
/// autodevops_sdk::export!(fix_generator: Never);
/// # fn main() {}
/// ```
pub trait FixGenerator: 'static {
    /// A fix, or none with the reason.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn propose(issue: Issue) -> Result<Proposal>;
}

/// Writes tests for a fix. The repository as it was is at `/repo`, read-only, where it was granted.
///
/// ```
/// use autodevops_sdk::{Result, TestGenerator, types::{Fix, Issue, TestFile}};
///
/// struct Own;
///
/// impl TestGenerator for Own {
///     fn generate(_issue: Issue, fix: Fix) -> Result<Vec<TestFile>> {
///         Ok(fix.tests)
///     }
/// }
///
/// autodevops_sdk::export!(test_generator: Own);
/// # fn main() {}
/// ```
pub trait TestGenerator: 'static {
    /// Tests that fail without the fix and pass with it.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn generate(issue: Issue, fix: Fix) -> Result<Vec<TestFile>>;
}

/// Looks at a change. The project is at `/before` and `/after`, read-only, where they were granted.
///
/// Two metrics have a meaning to the host: `line-coverage` (a ratio: how many of the changed lines tests reach) is held against the
/// operator's least coverage, and `secrets-found` (a count) shows that the change was scanned for weaknesses, without which the
/// security scan is not taken for passed.
///
/// ```
/// use autodevops_sdk::{Check, Result, types::{CheckInput, Outcome, Report}};
///
/// struct FewFiles;
///
/// impl Check for FewFiles {
///     fn run(input: CheckInput) -> Result<Report> {
///         let outcome = if input.changed.len() <= 10 { Outcome::Passed } else { Outcome::Failed };
///         Ok(Report::new(outcome, format!("{} files change", input.changed.len())))
///     }
/// }
///
/// autodevops_sdk::export!(check: FewFiles);
/// # fn main() {}
/// ```
pub trait Check: 'static {
    /// What was found; thresholds are the host's.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn run(input: CheckInput) -> Result<Report>;
}

/// Puts releases into environments: one step when told, each with a key that makes it repeatable and a fence. A fence lower than the
/// highest that was seen in the same environment is refused with `denied`; what was seen in another one says nothing here.
///
/// ```
/// use autodevops_sdk::{DeployTarget, Error, Result, types::{Capabilities, Deployment, LiveState, Release, Split}};
///
/// struct Nowhere;
///
/// impl DeployTarget for Nowhere {
///     fn describe() -> Result<Capabilities> {
///         Ok(Capabilities {
///             split_traffic: false, preview: false, instant_rollback: false, fenced: false, keeps_state: true,
///             fresh_baseline: false,
///         })
///     }
///     fn deploy(environment: String, _key: String, _fence: u64, _release: Release) -> Result<Deployment> {
///         Err(Error::not_supported(format!("{environment} takes no releases")))
///     }
///     fn set_traffic(_environment: String, _key: String, _fence: u64, _splits: Vec<Split>) -> Result<()> {
///         Err(Error::not_supported("there is no traffic here"))
///     }
///     fn live(_environment: String) -> Result<Option<LiveState>> {
///         Ok(None)
///     }
///     fn find(_environment: String, _key: String) -> Result<Option<Deployment>> {
///         Ok(None)
///     }
/// }
///
/// autodevops_sdk::export!(deploy_target: Nowhere);
/// # fn main() {}
/// ```
pub trait DeployTarget: 'static {
    /// What the target can do.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn describe() -> Result<Capabilities>;

    /// Brings the release in, ready and without traffic.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn deploy(environment: String, key: String, fence: u64, release: Release) -> Result<Deployment>;

    /// Sets the shares of traffic.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn set_traffic(environment: String, key: String, fence: u64, splits: Vec<Split>) -> Result<()>;

    /// What serves now; none when nothing was ever deployed.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn live(environment: String) -> Result<Option<LiveState>>;

    /// The deployment that the key made, where it made one.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn find(environment: String, key: String) -> Result<Option<Deployment>>;
}

/// Measures releases that serve. What the numbers mean is decided by the host.
///
/// Each measurement's window is what it really covers, such as from one reading of counters to another. The host takes it for what was asked
/// for where it begins and ends no further from that than two intervals between measurements or a tenth of the window, and passes nothing by
/// what covers a part.
///
/// ```
/// use autodevops_sdk::{HealthCheck, Result, types::{Measurement, Observation, Rate, Window}};
///
/// struct Quiet;
///
/// impl HealthCheck for Quiet {
///     fn measure(candidate: String, _baseline: Option<String>, window: Window) -> Result<Vec<Measurement>> {
///         let observation = Observation::Rate(Rate { events: 0, total: 0 });
///         Ok(vec![Measurement {
///             metric: "error-rate".into(), unit: "ratio".into(), release: candidate, observation, window,
///         }])
///     }
/// }
///
/// autodevops_sdk::export!(health_check: Quiet);
/// # fn main() {}
/// ```
pub trait HealthCheck: 'static {
    /// What was observed of the candidate, and of the baseline where there is one.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn measure(candidate: String, baseline: Option<String>, window: Window) -> Result<Vec<Measurement>>;
}

/// Tells people. The same key twice tells them once.
///
/// ```
/// use autodevops_sdk::{Notifier, Result, types::Event};
///
/// struct Log;
///
/// impl Notifier for Log {
///     fn notify(key: String, event: Event) -> Result<()> {
///         log::info!("{key}: {} {}", event.run, event.title);
///         Ok(())
///     }
/// }
///
/// autodevops_sdk::export!(notifier: Log);
/// # fn main() {}
/// ```
pub trait Notifier: 'static {
    /// Tells people of the event.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn notify(key: String, event: Event) -> Result<()>;
}

/// Keeps an environment's state, such as a database, safe across a rollback.
///
/// ```
/// use autodevops_sdk::{Error, Result, StateGuard, types::SnapshotInfo};
///
/// struct Stateless;
///
/// impl StateGuard for Stateless {
///     fn snapshot(_environment: String, key: String) -> Result<SnapshotInfo> {
///         Ok(SnapshotInfo { id: key, taken: 0, bytes: 0 })
///     }
///     fn verify(_environment: String, id: String) -> Result<Option<String>> {
///         Ok(Some(format!("snapshot {id} holds nothing")))
///     }
///     fn restore(_environment: String, _key: String, _fence: u64, id: String) -> Result<()> {
///         Err(Error::not_supported(format!("snapshot {id} holds nothing")))
///     }
///     fn list(_environment: String) -> Result<Vec<SnapshotInfo>> {
///         Ok(Vec::new())
///     }
///     fn forget(_environment: String, _id: String) -> Result<()> {
///         Ok(())
///     }
/// }
///
/// autodevops_sdk::export!(state_guard: Stateless);
/// # fn main() {}
/// ```
pub trait StateGuard: 'static {
    /// Takes a snapshot.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn snapshot(environment: String, key: String) -> Result<SnapshotInfo>;

    /// What keeps the snapshot from being gone back to, in words; none where it is whole.
    ///
    /// # Errors
    /// When it cannot be told; the case says why.
    fn verify(environment: String, id: String) -> Result<Option<String>>;

    /// How the state differs from what it was when the snapshot was taken, in words: what going back would lose to the service.
    /// None where nothing was written since.
    ///
    /// # Errors
    /// `unsupported` where the guard cannot tell, which is the default; and when it cannot be told now.
    fn changed(_environment: String, _id: String) -> Result<Option<String>> {
        Err(Error::not_supported("this guard does not tell what was written since a snapshot"))
    }

    /// Goes back to the snapshot.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn restore(environment: String, key: String, fence: u64, id: String) -> Result<()>;

    /// The snapshots that are kept, oldest first.
    ///
    /// # Errors
    /// When it cannot be told; the case says why.
    fn list(environment: String) -> Result<Vec<SnapshotInfo>>;

    /// Removes the snapshot. One that is not there is removed already.
    ///
    /// # Errors
    /// When it cannot be done; the case says why.
    fn forget(environment: String, id: String) -> Result<()>;
}
