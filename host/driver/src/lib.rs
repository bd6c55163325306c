//! Drives one run: asks the decision core what is to be done, has the world do it, writes what came of it, and asks again.
//!
//! A driver reaches the world, the journal and the time through the narrow traits of [`parts`]: the orchestrator's plugins, git and
//! targets stand behind them, or a simulated world in which everything fails.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod claims;
pub mod clock;
pub mod driver;
pub mod ledger;
pub mod live;
pub mod log;
pub mod parts;
