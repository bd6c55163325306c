//! Drives runs: takes the core's commands to plugins, git and timers, and writes what came back into the journal.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod analysis;
pub mod plugins;
