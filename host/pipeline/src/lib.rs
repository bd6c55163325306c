//! The decision core of a run: a fold over events, and what follows from it. No clock, no I/O, no async: time is passed in.
//!
//! A run's state is [`Run::replay`] of its events. [`Run::commands`] says what is to be done now; it depends on the state
//! and the time alone, so a host that was killed asks again and gets the same commands with the same keys. [`Run::decide`] takes what
//! came of a command, a person's word, a measurement or the passing of time, and gives the events that follow. The events
//! of one decision belong together and are written to the journal as one.
//!
//! What a run does by itself, and where it asks:
//! - A check that failed ends the run before anything is deployed ([`Outcome::HandedOver`]). One that could not tell holds the
//!   run, and a person is asked ([`Gate::Held`]); silence aborts, it never approves. A review or check that no plugin is set for
//!   is a reason to ask before production, even where no approval is required; so is a change that [`needs_person`] names.
//! - A watch is passed at its end, by a verdict that passed. In production that needs what the host observed or two sources.
//!   Too few requests make a step longer, then hold it. In staging, where nobody may come by, they pass.
//! - Between the measurements the host's own counts are looked at many times a second ([`Glance`]), for what needs no second look.
//! - A rule that is crossed turns back when it is in so many windows in a row that have no moment in common ([`Strike`]) as
//!   [`Decision::bad_windows`] says, two by the defaults. At once it does where half of the requests fail ([`HardTrip`]), and at small
//!   steps where the sequential test says so ([`Decision::sequential_up_to`]). A trigger that is not critical holds the step instead.
//!   So many complaints, or a new critical error, turn back at once: they are counted, not measured ([`CountTrigger`]), and that there
//!   are none passes nothing. A held step is watched on: it passes or turns back by itself.
//! - A release that may fail as often as a hard trip turns back for is promoted by a person alone, also beside a baseline that is as bad.
//! - Turning back sets traffic to what was stable when the run started; but where that does not serve itself, nothing is moved without
//!   a person's word: they are asked until they answer. Production's rollback is tried for ever; people are
//!   told when it does not succeed.
//! - Whoever may speak to a run can hold it, make a step longer, abort it, or say that they have it in hand; to resume it, to
//!   skip a step and to approve takes an approver who is not excluded, such as the author of the change. While people are waited
//!   for, what was released is watched on, and can be turned back. The longer nobody answers, the more people are told.
//! - A change that touches several services makes a release of each ([`Member`]). They are promoted together or not at all: a step moves
//!   the traffic of one after the other, is measured once all have its share, and is passed where each of them passes. What turns one
//!   back turns all back, in the reverse order, and each goes back whatever comes of the others. One service is a set of one.
//! - Runs of a project of several services go on side by side. Once a run has a fix it claims the services that the fix touches, and
//!   has them until it moves nothing more; where they are another run's it waits ([`Awaited`]), and where another release came to serve
//!   meanwhile it looks for a fix anew.
//! - Where state guards are set, a snapshot of production's data is taken and verified before the release comes there; where the data
//!   must be preserved, nothing comes there without it. After a rollback of production, traffic first, the data goes back only where the
//!   plan says so ([`DataPlan`]) or a person does ([`Gate::Data`]): what was written since is lost by that; silence keeps it as it is.
//! - In a [`Freeze`] a run does not begin with production, and waits for its end. What has begun goes on, and back.
//! - A host that takes a run over looks what serves before anything else, and one that drives it looks before it moves production's traffic
//!   and with each measurement. Where someone deployed past the run, it is held: approved, it takes the environment over again; refused, it
//!   ends and leaves it as it is.
//! - After a rollback stable is looked at once. Where it fails too, the rollback was no help: nothing more is moved, and people are told
//!   level by level, until one says that they have it in hand.
//! - A run has one fix and one rollback. What comes after is for a person, or for a new run; and one for a fault whose last release had
//!   to be taken back ([`Former`]) asks a person before production, whatever its plan says.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod claim;
mod command;
mod commands;
mod data;
mod decide;
mod event;
mod finite;
mod former;
mod freeze;
mod glance;
mod plan;
mod recovery;
mod rollout;
mod run;
mod safety;
mod signal;
mod stable;
mod strike;
mod time;
mod verdict;

pub use claim::Awaited;
pub use command::{Asked, Command, Staged, Subject};
pub use decide::{EffectOutcome, Found, Input, Link, RETRY_AFTER, Refused};
pub use event::{
    Environment, Event, EventKind, Gate, Live, Method, NamedReport, Origin, Outcome, SafetyCheck, Sample,
    UnreadableEvent, VERSION, Verdict,
};
pub use former::{Former, Retry};
pub use freeze::Freeze;
pub use glance::Glance;
pub use plan::{
    AUTHOR, Approval, BadPlan, Baseline, CountTrigger, Counted, DataPlan, Decision, Direction, HardTrip, Level, NoData,
    Plan, Restore, Rule, Service, Step, Trigger,
};
pub use run::{Alarm, Approved, Effect, Member, OnHold, OpenGate, ReplayError, Run, RunStage, Watch};
pub use safety::{SCANNED, needs_person};
pub use signal::Signal;
pub use strike::Strike;
pub use time::Timestamp;
pub use verdict::{
    ALL_ERRORS, CONFIDENCE, CRASH_LOOP, DESIGN_EFFECT, ERROR_RATE, Judgement, LATENCY, LATENCY_EFFECTS, PROBE, Round,
    judge,
};

#[cfg(test)]
mod tests;
