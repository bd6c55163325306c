//! What becomes of a request while the call goes on: on whatever thread, after the host call that sent it.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU16, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::refusal::Refusal;

/// What became of one request so far.
#[derive(Default)]
pub struct Outcome {
    /// When it was asked for, from the start of the call.
    at: Duration,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
    status: AtomicU16,
    refused: OnceLock<Refusal>,
}

impl Outcome {
    /// Of a request that is asked for now.
    pub fn begun(at: Duration) -> Self {
        Self { at, ..Self::default() }
    }

    /// So many more bytes went over the wire.
    pub fn passed(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// The response's headers came, with this status.
    pub fn answered(&self, status: u16) {
        self.status.store(status, Relaxed);
    }

    /// It has taken so long.
    pub fn lasted(&self, time: Duration) {
        self.nanoseconds.store(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// The host goes no further with it. What it was refused for first counts.
    pub fn refuse(&self, refusal: Refusal) {
        let _ = self.refused.set(refusal);
    }

    /// Why the host went no further with it, if it did not.
    pub fn refused(&self) -> Option<&Refusal> {
        self.refused.get()
    }

    pub const fn at(&self) -> Duration {
        self.at
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Relaxed))
    }

    /// Its response's status; none before there is one.
    pub fn status(&self) -> Option<u16> {
        Some(self.status.load(Relaxed)).filter(|status| *status != 0)
    }
}
