//! What became of a call, for those who keep account of it: the audit, the recording, the operator.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use autodevops_model::Stage;
use autodevops_policy::Meter;

/// The name of the operation of a request's [`Record`].
pub const HTTP: &str = "http";

/// One operation of a plugin, as it is kept. Nothing in it is secret: no bodies, no values, no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The operation's name, such as `http` or `open`.
    pub operation: &'static str,
    /// What it was about, in a line of at most [`MAX_SUMMARY_BYTES`]: a path, a method and URL without its query, a bucket.
    pub summary: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// Why it was refused, before it was done or while it was under way; none where it was allowed.
    pub reason: Option<String>,
    /// From the start of the call; the first time, where it was done more than once.
    pub at: Duration,
    /// How long the host took over it; what is done on what was acquired included.
    pub duration: Duration,
    /// Bytes that were passed, both ways together.
    pub bytes: u64,
    /// How often it was done: what is equal in what it was, what it was about and what was decided is one record.
    pub count: u64,
}

/// Longest summary of a [`Record`], in bytes.
pub const MAX_SUMMARY_BYTES: usize = 256;

/// What became of one call.
#[derive(Clone, Debug)]
pub struct CallReport {
    /// The run, as the call's context names it.
    pub run: Arc<str>,
    /// The plugin.
    pub plugin: Arc<str>,
    /// Digest of its component, `blake3:` and 64 hex digits.
    pub digest: Arc<str>,
    /// The stage; none for a script.
    pub stage: Option<Stage>,
    /// The stage's function, such as `propose`.
    pub function: &'static str,
    /// When it began.
    pub started: SystemTime,
    /// How long it took on the clock.
    pub wall: Duration,
    /// How long the plugin's own code ran.
    pub guest: Duration,
    /// How it failed, in words, without what the guest wrote; none when it gave a result.
    pub failure: Option<String>,
    /// What it asked the host for, oldest first. All of it: files and buckets that it only looked at are, beyond the first ten thousand,
    /// one record for all others.
    pub records: Vec<Record>,
    /// What it used of its limits, what it still held when it ended included.
    pub used: Meter,
    /// Tokens of a language model that it used since the report before, by its own word; none where it told of none.
    pub tokens: Option<u64>,
    /// Digest of its recording, `blake3:` and 64 hex digits; none where it was not recorded, or its session goes on.
    pub recording: Option<String>,
}

/// Is told of every call when it has ended. Called on the call's own task: it must not block for long.
pub trait Observer: Send + Sync {
    /// A call has ended.
    fn finished(&self, report: CallReport);
}
