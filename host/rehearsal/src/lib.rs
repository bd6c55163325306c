//! Rehearses rollouts: the decision core as it is, in a world of simulated traffic. How long a step takes to decide with so much
//! traffic, how often it would be wrong, how many people would see errors first: nothing here decides, it only counts.
//!
//! A seed makes a rehearsal; the same seed makes the same one.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod crowd;
mod play;
mod world;

pub use crowd::{Clients, OfClients};
pub use play::{Ending, Rehearsal, StepTaken, rehearse};
pub use world::{Behaviour, Observed, Shares, Traffic, World};

#[cfg(test)]
mod tests;
