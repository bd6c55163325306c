//! What is wrong with a watched service.

use serde::{Deserialize, Serialize};

/// How much an issue or a finding matters, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Something is off, and nobody is hurt yet.
    Warning,
    /// Work fails.
    Error,
    /// The service as a whole is at stake.
    Critical,
}

/// What an issue is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssueKind {
    /// An exception or an error record that was there from the beginning.
    Exception,
    /// An error that the service as a whole does not survive.
    CriticalError,
    /// A fault that was not there before.
    NewPattern,
    /// Errors that became more frequent.
    #[serde(alias = "rising-rate")]
    ErrorBurst,
    /// Other lines that became more or less frequent.
    RateChange,
    /// What is timed takes longer.
    #[serde(alias = "slow-response")]
    LatencyRegression,
    /// A line that came regularly and stopped.
    VanishedHeartbeat,
    /// A measured value that will reach its limit.
    Prediction,
    /// Anything else that a person should look at.
    Anomaly,
}

/// One frame of a stack trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StackFrame {
    /// The function's name as the trace gives it; absent for top-level code.
    pub function: Option<String>,
    /// The file as the trace gives it.
    pub file: String,
    /// Line number, from 1.
    pub line: u32,
    /// Column number, from 1, where the trace gives one.
    pub column: Option<u32>,
    /// Whether the frame is the project's own code, not a library's or the runtime's.
    pub own_code: bool,
}

/// A line of a watched source that supports an issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Evidence {
    /// The source's name, as it was pushed to the analyzer.
    pub source: String,
    /// Line number in the source, from 1.
    pub line: u64,
    /// The line's text, shortened to at most 2,000 bytes.
    pub text: String,
}

/// A place in the project's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Location {
    /// Path relative to the project's root, with `/` between its parts.
    pub path: String,
    /// First line, from 1.
    pub line: u32,
    /// Column, from 1, where it is known.
    pub column: Option<u32>,
}

/// A measured change of a rate against its own past.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RateChange {
    /// Events per minute before.
    pub baseline_per_minute: f64,
    /// Events per minute now.
    pub current_per_minute: f64,
    /// Length of the window that `current` was measured over, in seconds.
    pub window_seconds: u64,
}

/// How often something was seen over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct History {
    /// When the first count begins: nanoseconds since 1970-01-01T00:00:00Z.
    pub start: i64,
    /// Length of the time that one count covers, in seconds.
    pub step_seconds: u32,
    /// Counts, oldest first, at most 120.
    pub counts: Vec<u32>,
}

/// When a measured value will reach its limit, if it goes on as it did. All times are nanoseconds since
/// 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Forecast {
    /// The value when it was last seen.
    pub value: f64,
    /// The limit that it goes to.
    pub limit: f64,
    /// When it most likely gets there.
    pub expected: i64,
    /// The beginning of the time in which it gets there with 90 % certainty.
    pub earliest: i64,
    /// The end of that time.
    pub latest: i64,
}

/// Something that came with an issue, and most likely of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Related {
    /// What it would be known by as an issue of its own.
    pub fingerprint: String,
    /// What it is about.
    pub kind: IssueKind,
    /// The source in which it was seen.
    pub source: String,
    /// One line for a person.
    pub title: String,
}

/// Something that is wrong with the watched service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Issue {
    /// Stable identity: equal for two occurrences of the same fault, over restarts and log rotation. Lowercase hex.
    pub fingerprint: String,
    /// What the issue is about.
    pub kind: IssueKind,
    /// One line for a person.
    pub title: String,
    /// The exception's type, such as `TypeError`, where there is one.
    pub exception: Option<String>,
    /// The message as first seen, shortened to at most 4,000 bytes.
    pub message: String,
    /// How much it matters.
    pub severity: Severity,
    /// How sure the analyzer is that this is a fault, from 0 to 1.
    pub confidence: f64,
    /// How often it was seen.
    pub count: u64,
    /// When it was first seen: nanoseconds since 1970-01-01T00:00:00Z; absent when the log has no times.
    pub first_seen: Option<i64>,
    /// When it was last seen, in the same unit.
    pub last_seen: Option<i64>,
    /// Lines that show it, at most ten.
    pub evidence: Vec<Evidence>,
    /// Where in the project the fault is, where that is known.
    pub location: Option<Location>,
    /// The stack trace of the first occurrence, innermost frame first.
    pub stack: Vec<StackFrame>,
    /// The change of rate, for issues about a rate.
    pub rate: Option<RateChange>,
    /// Why it is reported: one sentence with the numbers; empty where there is no more to say than the title.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What its lines have in common, with `<*>` for each part that varies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// How often it was seen over time, where its lines tell the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// Where it goes, for predictions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// What came with it, at most ten; the issue itself is the probable cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

impl Issue {
    /// An issue that was seen once, with nothing known but this; the rest is filled by struct update.
    pub fn new(fingerprint: impl Into<String>, kind: IssueKind, severity: Severity, title: impl Into<String>) -> Self {
        let title = title.into();
        Self {
            fingerprint: fingerprint.into(),
            kind,
            message: title.clone(),
            title,
            exception: None,
            severity,
            confidence: 1.0,
            count: 1,
            first_seen: None,
            last_seen: None,
            evidence: Vec::new(),
            location: None,
            stack: Vec::new(),
            rate: None,
            reason: String::new(),
            template: None,
            history: None,
            forecast: None,
            related: Vec::new(),
        }
    }
}
