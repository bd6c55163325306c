//! What is gathered for the next seal. A call's report is kept as it came, and made an entry when it is sealed: whoever waits for the
//! call does not wait for that.

use std::{
    borrow::Cow,
    time::{Duration, UNIX_EPOCH},
};

use autodevops_journal::audit::{Call, Entry, Operation};
use autodevops_policy::Limit;
use autodevops_sandbox::{CallReport, Record};

/// A thing that is to be on record.
#[allow(
    clippy::large_enum_variant,
    reason = "almost all are reports, which are moved once: a box would be one more allocation a call"
)]
pub enum Piece {
    /// A call, as it was told.
    Report(CallReport),
    /// What is an entry already.
    Entry(Entry),
}

impl Piece {
    /// As it is sealed.
    pub fn into_entry(self) -> Entry {
        match self {
            Self::Report(report) => Entry::Call(call(report)),
            Self::Entry(entry) => entry,
        }
    }
}

/// A call as it is on record.
pub fn call(report: CallReport) -> Call {
    let used = Limit::ALL.iter().map(|limit| (Cow::Borrowed(limit.key()), report.used.used(*limit)));
    let operation = |record: Record| Operation {
        operation: Cow::Borrowed(record.operation),
        summary: record.summary,
        allowed: record.allowed,
        at_ns: whole(record.at),
        duration_ns: whole(record.duration),
        bytes: record.bytes,
        count: record.count,
        reason: record.reason,
    };
    Call {
        plugin: report.plugin.to_string(),
        digest: report.digest.to_string(),
        interface: report.stage.map(|stage| Cow::Borrowed(stage.name())),
        function: Cow::Borrowed(report.function),
        calls: 1,
        at_ns: whole(report.started.duration_since(UNIX_EPOCH).unwrap_or_default()),
        wall_ns: whole(report.wall),
        guest_ns: whole(report.guest),
        failure: report.failure,
        recording: report.recording,
        operations: report.records.into_iter().map(operation).collect(),
        further: 0,
        used: used.filter(|(_, amount)| *amount > 0).collect(),
    }
}

fn whole(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
