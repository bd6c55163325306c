//! The local target's front door: a process of its own, so that production outlives the host.
//!
//! [`serve`] listens on one address per environment and splits the requests among releases by weight. Each release is a
//! process that answers on a Unix socket of its own and is started again when it ends by itself. [`Client`] tells the
//! front door what to do, over a socket in its state folder.
//!
//! - A client is sticky: a cookie holds a random client id, or a header names it (see [`Sorting`]), and the id and the shares
//!   alone say which release answers it. When shares change, only the clients move that have to.
//! - Requests are carried as they come, on a few threads that share nothing: bodies are not held, WebSockets and the like go
//!   both ways, and what is slow or greedy is bounded by [`Limits`].
//! - A release that gains traffic answers its probe then; where it is probed on while it is up, the status says when it stops to. One that loses all of it ends what it is answering before it is
//!   stopped.
//! - A candidate's share is a lease. When nobody renews it, traffic returns to the release that last had all of it; where that one does not
//!   answer and the candidate does, it stays as it is until it does.
//! - What was told is on disk before it is done, so that a restart serves what was served.
//! - Another front door can take over, as for an upgrade: see [`take_over`]. No request fails for it.
//! - An answer that the front door made itself has the header `x-autodevops-error: edge`; every other answer names its
//!   release in `x-autodevops-release`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod asked;
mod assign;
mod body;
mod calls;
mod client;
mod clients;
mod clock;
mod control;
mod environment;
mod forward;
mod handover;
mod headers;
mod lanes;
mod listener;
mod lock;
mod metrics;
mod options;
mod output;
mod pool;
mod program;
mod protocol;
mod proxy;
mod record;
mod refusal;
mod release;
mod runtime_folder;
mod serve;
pub mod socket;
mod sorting;
mod spawn;
mod stats;
mod store;
mod supervise;
mod tunnel;

pub use asked::OfClient;
pub use assign::ClientId;
pub use client::Client;
pub use clients::{OfMany, latency_effects, of_many};
pub use options::{EdgeError, EdgeOptions, EnvironmentOptions, LeastPace, Limits, Sorting, Testers};
pub use output::{release_log, release_logs};
pub use protocol::{
    CommandLimits, EnvironmentStatus, LATENCY_BOUNDS_SECONDS, Observed, Phase, ReleaseStatus, RunSpec, Sample, Start,
    Status, TrafficState,
};
pub use serve::{serve, take_over};

/// The header in which an answer names the release that gave it.
pub const RELEASE_HEADER: &str = "x-autodevops-release";
/// The header in which an answer says whose error it is: `application`, or `edge` where the front door made the answer.
pub const ERROR_HEADER: &str = "x-autodevops-error";
/// The cookie that holds the client's random id.
pub const CLIENT_COOKIE: &str = "autodevops-client";
