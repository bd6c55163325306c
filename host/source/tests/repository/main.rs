//! Git by plumbing, against real repositories: what is taken, what is refused, and that the operator's checkout stays as it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod commits;
mod exports;
mod fixture;
mod positions;
mod proposals;
mod reverts;
