//! Whole runs in a simulated world: the real decision core and the real driver, and around them targets, traffic, a clock, a disk,
//! plugins and people that a seed makes fail.
//!
//! A seed becomes a [`tape`] of numbers, of which every choice of the world takes the next one; 0 is the calm choice, and so is what
//! comes after the tape's end. Hosts die before and after every effect and every write; answers come late, twice or never; plugins
//! lie; hosts sleep through their successor and wake; the clock jumps, back too; the disk is full for a while; people speak when they
//! like. What may never be, whatever happens, is asserted in [`rules`] as the world changes. A tape that breaks a rule is shrunk, and
//! then told with every event and every call.
//!
//! Nothing is threaded and nothing waits: the driver's futures are polled, and the clock is moved to what they wait for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(test)]
mod answers;
#[cfg(test)]
mod calm;
#[cfg(test)]
mod driving;
mod host;
mod keeper;
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
