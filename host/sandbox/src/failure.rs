//! Why a call gave no result.

use autodevops_model::{Stage, StageError};
use autodevops_policy::{Bytes, Denial, Limit, OverLimit};
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace, component::ResourceTableError};

use crate::{activations::TooManyActivations, http::Scrubber, quota::Quota};

/// In errors of the engine that have no type of their own, what tells which limit was gone over.
const TEXTS: [(&str, Limit); 5] = [
    ("fuel allocated for hostcalls has been exhausted", Limit::Output),
    ("store handle limit exceeded", Limit::Resources),
    ("resource limit exceeded: instance count", Limit::Instances),
    ("resource limit exceeded: memory count", Limit::Memories),
    ("resource limit exceeded: table count", Limit::Tables),
];

/// The kinds of failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    /// The plugin's own error: it ran to its end and says that it could not do it.
    #[error("{0}")]
    Refused(StageError),
    /// The plugin trapped: a panic, an abort, an access outside its memory.
    #[error("trapped: {0}")]
    Trap(String),
    /// The call's time ran out.
    #[error("ran out of time after {0}; raise `limits.wall-time` if it needs more")]
    OutOfTime(autodevops_policy::Span),
    /// The call's memory ran out.
    #[error("ran out of its {0} of memory; raise `limits.memory` if it needs more")]
    OutOfMemory(Bytes),
    /// Its calls nested too deep.
    #[error("ran out of its {0} of stack; raise `stack` in [sandbox] if it needs more")]
    OutOfStack(Bytes),
    /// It went over another of its limits.
    #[error("went over its limit of {} {}; raise `limits.{}` if it needs more", .0.allowed, .0.limit.what(), .0.limit)]
    OverLimit(OverLimit),
    /// It asked for something that was not granted and could not go on.
    #[error("{0}")]
    Denied(Denial),
    /// What it gave back is no valid value, or too large.
    #[error("gave back something that is not taken: {0}")]
    BadOutput(String),
    /// The host could not make the call.
    #[error("the call could not be made: {0}")]
    Host(String),
}

impl CallFailure {
    /// Without the secrets of the call, whatever the plugin or the engine says.
    pub(crate) fn scrubbed(self, scrubber: &Scrubber) -> Self {
        if scrubber.is_empty() {
            return self;
        }
        match self {
            Self::Refused(mut error) => {
                error.info.message = scrubber.scrub(&error.info.message);
                for (name, value) in &mut error.info.details {
                    (*name, *value) = (scrubber.scrub(name), scrubber.scrub(value));
                }
                Self::Refused(error)
            }
            Self::Trap(text) => Self::Trap(scrubber.scrub(&text)),
            Self::BadOutput(text) => Self::BadOutput(scrubber.scrub(&text)),
            Self::Host(text) => Self::Host(scrubber.scrub(&text)),
            Self::Denied(Denial::NotGranted { plugin, what, remedy }) => {
                Self::Denied(Denial::NotGranted { plugin, what: scrubber.scrub(&what), remedy })
            }
            other @ (Self::OutOfTime(_)
            | Self::OutOfMemory(_)
            | Self::OutOfStack(_)
            | Self::OverLimit(_)
            | Self::Denied(Denial::OverLimit(_))) => other,
        }
    }
}

/// A failed call: which plugin, which stage, why, and what the guest wrote to stderr last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The plugin.
    pub plugin: String,
    /// The stage that was called; none for a script.
    pub stage: Option<Stage>,
    /// Why.
    pub failure: CallFailure,
    /// The end of what the guest wrote to stderr, a panic's message included; control characters are escaped.
    pub stderr: String,
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.stage {
            Some(stage) => write!(f, "plugin `{}` ({stage}) {}", self.plugin, self.failure)?,
            None => write!(f, "`{}` {}", self.plugin, self.failure)?,
        }
        let stderr = self.stderr.trim();
        if !stderr.is_empty() {
            write!(f, "\nits last words:\n{stderr}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CallError {}

/// What an error of the engine says about a call.
pub(crate) fn of_engine(error: &wasmtime::Error, quota: &Quota, stack: Bytes) -> CallFailure {
    match error.downcast_ref::<Denial>() {
        Some(Denial::OverLimit(over)) => return CallFailure::OverLimit(over.clone()),
        Some(denial) => return CallFailure::Denied(denial.clone()),
        None => {}
    }
    if let Some(too_many) = error.downcast_ref::<TooManyActivations>() {
        return CallFailure::Trap(too_many.to_string());
    }
    if error.downcast_ref::<Trap>() == Some(&Trap::StackOverflow) {
        return CallFailure::OutOfStack(stack);
    }
    match quota.exceeded() {
        Some(over) if over.limit == Limit::Memory => return CallFailure::OutOfMemory(quota.limits().memory),
        Some(over) => return CallFailure::OverLimit(over),
        None => {}
    }
    if let Some(limit) = limit_of(error) {
        return CallFailure::OverLimit(quota.exceed(limit));
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return CallFailure::Trap(format!("it ended itself with exit code {}", exit.0));
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return CallFailure::Trap(trap.to_string());
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return CallFailure::Host(format!("the pool of instances is in use ({error:#}); lower the calls at once"));
    }
    // Where there are frames of the guest, it was in the middle of something: the host did not take what it was given.
    match error.downcast_ref::<WasmBacktrace>() {
        Some(_) => CallFailure::Trap(error.root_cause().to_string()),
        None => CallFailure::BadOutput(error.root_cause().to_string()),
    }
}

/// The limit that an error names which the engine itself makes.
fn limit_of(error: &wasmtime::Error) -> Option<Limit> {
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return Some(Limit::Resources);
    }
    let cause = error.root_cause().to_string();
    TEXTS.iter().find(|(text, _)| cause.contains(text)).map(|(_, limit)| *limit)
}

/// The limit by which the engine refused a host call that the guest was in the middle of: not what the guest gives back itself.
pub(crate) fn host_call_over(error: &wasmtime::Error) -> Option<Limit> {
    error.downcast_ref::<WasmBacktrace>()?;
    limit_of(error)
}
