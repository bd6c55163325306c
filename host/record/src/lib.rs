//! The deployment record: what the events of runs, and deploys by hand, amount to. Pure: no clock, no I/O.
//!
//! [`of_run`] folds a run's events into its [`Attempt`]s: one for each environment that it brought its release to. An attempt is
//! small and complete, so that it outlives the events: whoever clears old runs out of the journal keeps their attempts.
//! [`report`] answers a [`Question`] about attempts, by service and environment; [`exposition`] gives them to Prometheus. [`rollouts`]
//! are what a run's rollouts look like over time.
//!
//! What the words mean:
//! - An attempt begins with its run, or with a person's deploy, and *serves* from the moment at which all traffic is the release's.
//!   It was *kept* where the release serves on after it was watched, *rolled back* where it had traffic and lost it, and
//!   *stopped* where it never had any.
//! - Time *waiting* is time in which a person was asked, or a run was held or frozen, or waited for another to release its services; all
//!   else up to serving is *active*, watches included.
//! - Of the four measures of DORA (<https://dora.dev/guides/dora-metrics-four-keys/>): lead time is that from the change's commit to
//!   serving; a change failed where it was rolled back; service is restored where a fault that was seen is healed by a release that
//!   serves.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod attempt;
mod exposition;
mod fold;
mod numbers;
mod report;
mod rollout;
mod seen;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use attempt::{Attempt, By, Ending, Entry, TakenBack, settled};
pub use exposition::{CONTENT_TYPE, exposition};
pub use fold::of_run;
pub use numbers::{Share, Spread};
pub use report::{Change, Complaint, Dora, Group, Impact, PerThousand, Question, Report, Satisfaction, Series, report};
pub use rollout::{Point, Rollout, rollouts};
pub use seen::Seen;

#[cfg(test)]
mod tests;
