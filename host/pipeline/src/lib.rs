//! The decision core of a run: a fold over events, and what follows from it. No clock, no I/O, no async: time is passed in.
//!
//! A run's state is [`Run::replay`] of its events. [`Run::commands`] says what is to be done now; it depends on the state
//! and the time alone, so a host that was killed asks again and gets the same commands with the same keys. [`Run::decide`] takes what
//! came of a command, a person's word, a measurement or the passing of time, and gives the events that follow. The events
//! of one decision belong together and are written to the journal as one.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod command;
mod commands;
mod decide;
mod event;
mod finite;
mod plan;
mod rollout;
mod run;
mod safety;
mod time;
mod verdict;

pub use command::Command;
pub use decide::{EffectOutcome, Input, Refused};
pub use event::{
    Environment, Event, EventKind, Gate, Live, NamedReport, Outcome, SafetyCheck, Sample, VERSION, Verdict,
};
pub use plan::{Approval, BadPlan, HardTrip, Plan, Rule, Step, Trigger};
pub use run::{Approved, Effect, OpenGate, ReplayError, Run, RunStage, Watch};
pub use safety::needs_person;
pub use time::Timestamp;
pub use verdict::{Judgement, Round, judge, wilson_lower};

#[cfg(test)]
mod tests;
