//! How other processes speak with the one that drives the runs: a socket in the state folder, that its owner and root may
//! open. Who speaks is known by the kernel's word, not by the speaker's.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod client;
mod control;
mod desk;
mod message;
mod peer;

pub use client::{Unreachable, ask};
pub use control::{Control, Desk};
pub use desk::{RunDesk, answer};
pub use message::{Reply, Request, Word};
pub use peer::{Peer, this_user};
