//! Generated traffic for the sample shop.
//!
//! An open loop: requests leave when they are due, whether earlier ones were answered or not, so a service that stalls is seen
//! to stall. Clients are sticky, as browsers are: each keeps the cookies that it was given. Every failure is put down either
//! to the application's own code or to everything else, which is what a deploy must never cause.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod driver;
pub mod mix;
pub mod random;
pub mod report;

pub use driver::{Plan, Running, start};
pub use report::{Outcome, Report, Tally};
