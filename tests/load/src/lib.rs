//! Generated traffic: for the sample shop, and for a front door that is changed under it.
//!
//! For the shop an open [loop](driver): requests leave when they are due, whether earlier ones were answered or not, so a service
//! that stalls is seen to stall. Clients are sticky, as browsers are: each keeps the cookies that it was given. Every failure is put
//! down either to the application's own code or to everything else, which is what a deploy must never cause.
//!
//! For a front door [clients] of every [habit], each as fast as it is answered, over [changes] of what serves: what fails is told with
//! the change that it came after. A [site] answers them.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod body;
pub mod changes;
pub mod clients;
pub mod driver;
pub mod habit;
pub mod mix;
pub mod random;
pub mod report;
pub mod site;

pub use changes::{Change, Kind, rollouts};
pub use clients::{Clients, Seen};
pub use driver::{Plan, RELEASE, Running, start};
pub use habit::Habit;
pub use report::{Outcome, Report, Tally};
