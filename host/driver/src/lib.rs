//! Runs as the journal holds them, and what is known to serve.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod live;
pub mod log;
