//! Whole runs in a simulated world: the real decision core and the real driver, and around them targets, traffic, a clock, a disk,
//! plugins and people that a seed makes fail.
//!
//! A seed becomes a [`tape`] of numbers, of which every choice of the world takes the next one; 0 is the calm choice, and so is what
//! comes after the tape's end. What may never be, whatever happens, is asserted in [`rules`] as the world changes, of what truly serves. A
//! tape that breaks a rule is shrunk, and then told with every event and every call.
//!
//! What a world may have:
//! - hosts that die before and after every effect and every write, and that sleep through their successor and wake; that leave a run which
//!   waits for people;
//! - answers that come late, twice or never: a second time at once or late, after the next effect began, or to another host;
//! - a clock that jumps, back too, and a disk that is full for a while;
//! - a new release that fails, or is slower; an old one that fails as well, beside the new one or once it is back; releases that end by
//!   themselves, or that someone stops;
//! - reviews and checks that pass a bad fix: they know nothing of it. A health check that says that all is well, or that all is bad;
//! - a target for which a plugin speaks that lies, for a while or for ever: it does nothing and says that it did, names another release, or
//!   tells of other shares than there are. What holds then is said in [`rules::ended`];
//! - two runs side by side, of services apart or of the same: in one host's hands, with one journal and one set of targets. Who has which
//!   services is said by the real claims; the one may go on from what the other released;
//! - people who speak when they like, or never; who complain, deploy past the run, or set a target right that cannot go back.
//!
//! What holds in all of them:
//! - production's weights add up, and none is that of a release which was stopped; two releases share it only where a step says so;
//!   services are at most a step apart;
//! - no run moves a service that another has to itself, what the one released stays as it left it until the other has it, and nobody has any
//!   service once all runs are over;
//! - a release that is seen to be down loses its share at once, and traffic goes back to none that is while something serves, but by a
//!   person's word;
//! - each effect is asked for by one key, after its intent, and not again once it is done;
//! - a step is passed by evidence or by a person; silence and lies pass nothing, and cost one rollback at most;
//! - while stable is seen to fail itself, its share grows by a person's word alone;
//! - a rollback that was decided takes place whatever fails beside it, and is not believed while the release has traffic still;
//! - every run ends, or waits for a person who is named and was told, or for a run that does, and for nothing else.
//!
//! Nothing is threaded and nothing waits: the driver's futures are polled, and the clock is moved to what they wait for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod affair;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod calm;
#[cfg(test)]
mod driving;
mod faults;
mod host;
mod keeper;
mod measure;
mod rules;
mod run;
mod shrink;
mod stock;
mod tape;
mod target;
mod world;

pub use run::{BrokenRule, Summary, simulate};
pub use shrink::{Broken, check, check_in};
pub use tape::Tape;
pub use world::Options;
