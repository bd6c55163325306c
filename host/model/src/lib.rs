//! The nouns that every room of the host shares: issue, fix, report, release, measurement.
//!
//! Each type mirrors one of the WIT package `autodevops:types` or `autodevops:stages`, field by field, so that values cross
//! the sandbox's edge without loss; `serde` gives them their form in the journal. Nothing here acts, and nothing here is
//! imported from another room.

mod error;
mod event;
mod fix;
mod issue;
mod lines;
mod measurement;
mod release;
mod report;
mod stage;

pub use error::{ErrorInfo, ErrorKind, StageError};
pub use event::{Notification, Since, SnapshotInfo};
pub use fix::{Edit, FileChange, Fix, Proposal, Risk, RollbackPlan, TestFile, TextEdit};
pub use issue::{Evidence, Forecast, History, Issue, IssueKind, Location, RateChange, Related, Severity, StackFrame};
pub use lines::{Grouped, LineGroup};
pub use measurement::{Bucket, Measurement, Observation, Rate, Window};
pub use release::{Capabilities, Deployment, LiveState, Release, Shares, Split};
pub use report::{CheckInput, Finding, Metric, Outcome, Report, TestResult};
pub use stage::{Stage, UnknownStage};
