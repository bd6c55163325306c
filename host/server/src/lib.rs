//! How other processes speak with the one that drives the runs: a socket in the state folder, that its owner and root may
//! open, and HTTP where it is set up. Who speaks is known by the kernel's word, by a token or by a signed link, not by the speaker's.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod client;
mod control;
mod desk;
mod http;
mod message;
mod peer;
mod summary;

pub use client::{Unreachable, ask};
pub use control::{Control, Desk};
pub use desk::{RunDesk, Runs, answer};
pub use http::{Api, Back, HttpApi, Office, Unheard};
pub use message::{Reply, Request, Said, Sequel, Word};
pub use peer::{Peer, this_user};
pub use summary::{needed, outcome_name, summary};
