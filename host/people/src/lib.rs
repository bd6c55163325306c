//! Who speaks to the runs. Pure but for the system's users: no clock, no network, no files.
//!
//! A person is known by the kernel's word on the control socket, by a [`Token`] over HTTP, or by a one-time [`Link`](Claim) that was
//! sent to them. Of a token only its hash is kept. A name that belongs to nobody of these is told apart by [`nobody`], before a run waits
//! for it in vain.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod known;
mod link;
mod speaker;
mod token;

pub use known::{Nobody, nobody, nobody_among};
pub use link::{Action, BadLink, Claim, LinkKey};
pub use speaker::{May, Speaker};
pub use token::{BadHash, NoRandomness, Token, TokenHash};
