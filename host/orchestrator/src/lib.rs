//! Drives runs: takes the core's commands to plugins, git and timers, and writes what came back into the journal.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub use autodevops_driver::{driver, live, log};

pub mod aftermath;
pub mod analysis;
pub mod audit;
mod base;
mod build;
pub mod by_hand;
pub mod catalog;
pub mod clock;
mod commands;
pub mod controller;
pub mod credentials;
pub mod data;
pub mod feedback;
pub mod follow;
pub mod front_door;
pub mod gc;
pub mod grouping;
mod handled;
pub mod input;
mod keyvalue;
pub mod limits;
mod local;
pub mod mail;
mod metrics;
mod moved;
pub mod notices;
pub mod people;
pub mod plugins;
mod probe;
pub mod program;
pub mod project;
pub mod record;
pub mod recordings;
pub mod revert;
pub mod sandbox;
pub mod serve;
mod serving;
pub mod signals;
pub mod source_maps;
mod sources;
mod stages;
pub mod state;
mod target;
#[cfg(test)]
mod testing;
mod tests_of;
mod tokens;
pub mod usage;
pub mod watch;
