//! Runs in the journal, as a driver writes them.

use std::collections::BTreeSet;

use anyhow::Result;
use autodevops_journal::{AppendError, Journal, JournalError};
use autodevops_model::{Outcome as CheckOutcome, Release, Split};
use autodevops_pipeline::{Environment, Event, EventKind, Run};

use crate::{
    live::{Live, Origin, WasLive},
    log::RunLog,
    parts::Ledger,
};

/// The name under which fences are counted.
const FENCES: &str = "effects";

/// The ledger that the journal is.
#[derive(Clone, Debug)]
pub struct JournalLedger(RunLog);

impl JournalLedger {
    /// In this journal.
    pub fn new(journal: Journal) -> Self {
        Self(RunLog::new(journal))
    }

    /// Takes the room that is kept for the end of a run on a full disk.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn keep_reserve(&self) -> Result<(), JournalError> {
        self.0.journal().keep_reserve()
    }

    /// Brings what is known to serve up to date with what a run did. A host of a version that wrote the two one after the other may
    /// have ended between them.
    ///
    /// # Errors
    /// When the journal cannot be used.
    pub fn catch_up(&self, run: &Run, events: &[Event]) -> Result<()> {
        let mut known = BTreeSet::new();
        for made in events.iter().rev().filter_map(|event| made_live(run, event)) {
            let live = Live::new(self.0.journal());
            // What a person put there since is not the run's to tell.
            let is_past = |was: &WasLive| was.since > made.live.since;
            if known.insert(made.place.clone()) && !live.history(&made.place)?.first().is_some_and(is_past) {
                live.set(&made.place, made.live)?;
            }
        }
        Ok(())
    }
}

impl Ledger for JournalLedger {
    fn append(&self, run: &Run, version: u64, events: &[Event]) -> Result<u64, AppendError> {
        let live = Live::new(self.0.journal());
        let mut facts = Vec::new();
        for made in events.iter().filter_map(|event| made_live(run, event)) {
            facts.extend(live.next(&made.place, made.live)?);
        }
        let append = || self.0.append(run.id(), version, events, &facts);
        let journal = self.0.journal();
        if !urgent(run, events) {
            return append();
        }
        let needs_others =
            |event: &Event| matches!(event.event, EventKind::TurnedBack { .. } | EventKind::EffectFailed { .. });
        if events.iter().any(needs_others) {
            // The target that is to take traffic back may lie on the same disk and have to write, too.
            journal.free_reserve()?;
        }
        with_reserve(append, |error| matches!(error, AppendError::Full { .. }), || journal.free_reserve())
    }

    fn next_fence(&self) -> Result<u64> {
        let journal = self.0.journal();
        // Without it a run could not even be taken over to go back.
        let next = || journal.next_fence(FENCES);
        Ok(with_reserve(next, |error| matches!(error, JournalError::Full { .. }), || journal.free_reserve())?)
    }
}

/// Writes, on a full disk with ever more of the reserve, while there is any.
fn with_reserve<T, E: From<JournalError>>(
    write: impl Fn() -> Result<T, E>,
    is_full: impl Fn(&E) -> bool,
    free: impl Fn() -> Result<bool, JournalError>,
) -> Result<T, E> {
    loop {
        match write() {
            Err(error) if is_full(&error) && free()? => {}
            done => return done,
        }
    }
}

/// Whether these events of a run have the reserve: production's traffic is to go back, or a verdict says that it should; or it was moved, and
/// what serves is watched by what is known of that; or a person says that it should go back, whatever comes of that. A move itself begins only
/// where there is room without it.
pub fn urgent(run: &Run, events: &[Event]) -> bool {
    let is_urgent = |event: &Event| match &event.event {
        EventKind::TurnedBack { .. } | EventKind::AbortRequested { .. } | EventKind::RollbackRequested { .. } => true,
        EventKind::Judged { verdict, .. } => verdict.outcome == CheckOutcome::Failed,
        EventKind::TrafficSet { environment, .. } => *environment == Environment::Production,
        _ => false,
    };
    run.ending().is_some() || events.iter().any(is_urgent)
}

/// An environment that one release was given.
struct MadeLive {
    /// What the target calls it.
    place: String,
    live: WasLive,
}

fn made_live(run: &Run, event: &Event) -> Option<MadeLive> {
    let (service, environment, id) = match &event.event {
        EventKind::TrafficSet { service, environment, splits, .. } => match splits.as_slice() {
            [Split { release, percent: 100 }] => (service, *environment, release),
            _ => return None,
        },
        EventKind::RolledBack { service, environment, to, .. } => (service, *environment, to),
        _ => return None,
    };
    let member = run.member(service)?;
    let known: [Option<&Release>; 2] = [member.release(), member.stable(environment)];
    let release = known.into_iter().flatten().find(|known| known.id == *id)?.clone();
    let live = WasLive { release, since: event.at, by: Origin::Run(run.id().to_owned()) };
    Some(MadeLive { place: member.place(environment).to_owned(), live })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn full() -> JournalError {
        JournalError::Full { path: "journal.db".into() }
    }

    fn is_full(error: &JournalError) -> bool {
        matches!(error, JournalError::Full { .. })
    }

    /// What comes of a write that needs so many pieces of so large a reserve, and what is left of that.
    fn written(needed: u32, kept: u32) -> (Result<&'static str, JournalError>, u32) {
        let left = Cell::new(kept);
        let write = || if kept - left.get() < needed { Err(full()) } else { Ok("written") };
        let free = || {
            let any = left.get() > 0;
            left.set(left.get().saturating_sub(1));
            Ok(any)
        };
        (with_reserve(write, is_full, free), left.get())
    }

    #[test]
    fn no_more_of_the_reserve_is_taken_than_the_write_needs() {
        for (needed, left) in [(0, 5), (1, 4), (3, 2), (5, 0)] {
            let (done, kept) = written(needed, 5);
            assert_eq!((done.unwrap(), kept), ("written", left));
        }
        let (done, left) = written(6, 5);
        assert!(is_full(&done.unwrap_err()) && left == 0, "where all of it is not enough it is said");
    }

    #[test]
    fn what_fails_otherwise_takes_nothing_of_the_reserve() {
        let busy = || Err::<(), _>(JournalError::Busy { path: "journal.db".into() });
        let error = with_reserve(busy, is_full, || panic!("nothing is to be freed")).unwrap_err();
        assert!(matches!(error, JournalError::Busy { .. }));
        let error = with_reserve(|| Err::<(), _>(full()), is_full, || busy().map(|()| true)).unwrap_err();
        assert!(matches!(error, JournalError::Busy { .. }), "that it cannot be freed is said");
    }
}
