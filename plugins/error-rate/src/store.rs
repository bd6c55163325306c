//! Where readings are kept: one value each, and an index of them, within bounds of age, number and bytes.

use autodevops_sdk::{Error, Result, keyvalue::Store};
use serde::{Deserialize, Serialize};

use crate::history::Reading;

/// Most bytes that all readings have together.
const MAX_BYTES: usize = 8 << 20;

/// A clock that was set back further than this starts a new history: its times cannot be put in order with the old ones.
const CLOCK_SLACK: i64 = 60_000_000_000;

/// Of readings that are older than this, in nanoseconds, not all are kept.
const THIN_AFTER: i64 = 3_600_000_000_000;

/// Two of those are about so far apart, in nanoseconds: of a window as long ago as that, a few minutes more or less are as good.
const THIN: i64 = 300_000_000_000;

/// One reading, as the index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    time: i64,
    bytes: usize,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Longest age, in nanoseconds.
    pub keep: i64,
    /// Most readings.
    pub count: usize,
}

/// The readings of one source.
pub struct Readings<'a, S> {
    store: &'a S,
    source: String,
    index: Vec<Entry>,
}

impl<'a, S: Store> Readings<'a, S> {
    /// What is kept of the source.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: &'a S, source: String) -> Result<Self> {
        let index = match store.get(&format!("{source}/index"))? {
            Some(bytes) => read(&bytes, "the index of the readings")?,
            None => Vec::new(),
        };
        Ok(Self { store, source, index })
    }

    /// The times of all readings, growing.
    pub fn times(&self) -> Vec<i64> {
        self.index.iter().map(|entry| entry.time).collect()
    }

    /// The reading of a time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn at(&self, time: i64) -> Result<Reading> {
        let bytes = self.store.get(&self.key(time))?;
        let bytes = bytes.ok_or_else(|| Error::failure("a reading that the index names is gone from the store"))?;
        read(&bytes, "a reading")
    }

    /// The time for a reading that is made now: later than all others. A history that lies in the future is forgotten.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn next_time(&mut self, now: i64) -> Result<i64> {
        let Some(last) = self.index.last() else { return Ok(now) };
        if last.time.saturating_sub(now) > CLOCK_SLACK {
            log::warn!("the clock was set back: readings before are forgotten");
            for entry in std::mem::take(&mut self.index) {
                self.store.delete(&self.key(entry.time))?;
            }
            return Ok(now);
        }
        Ok(now.max(last.time.saturating_add(1)))
    }

    /// Adds a reading, and lets go of those that are out of bounds, and of the older ones that lie close to others.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn add(&mut self, reading: &Reading, bounds: Bounds) -> Result<()> {
        let bytes = autodevops_sdk::encode(reading)?;
        self.store.set(&self.key(reading.time), &bytes)?;
        self.index.push(Entry { time: reading.time, bytes: bytes.len() });
        self.thin(reading.time)?;
        let mut total: usize = self.index.iter().map(|entry| entry.bytes).sum();
        let mut excess = 0;
        for (at, entry) in self.index.iter().enumerate() {
            let left = self.index.len() - at;
            let too_old = reading.time.saturating_sub(entry.time) > bounds.keep;
            // The newest stays in any case: the next reading is compared with it.
            if left == 1 || !(too_old || left > bounds.count || total > MAX_BYTES) {
                break;
            }
            total -= entry.bytes;
            excess += 1;
        }
        for entry in self.index.drain(..excess).collect::<Vec<_>>() {
            self.store.delete(&self.key(entry.time))?;
        }
        self.store.set(&format!("{}/index", self.source), &autodevops_sdk::encode(&self.index)?)
    }

    /// Lets go of each older reading without which its neighbours are no further apart than [`THIN`].
    fn thin(&mut self, now: i64) -> Result<()> {
        let mut kept: Vec<Entry> = Vec::with_capacity(self.index.len());
        for (at, entry) in self.index.iter().enumerate() {
            let next = self.index.get(at + 1).filter(|next| now.saturating_sub(next.time) >= THIN_AFTER);
            match (kept.last(), next) {
                (Some(before), Some(next)) if next.time.saturating_sub(before.time) <= THIN => {
                    self.store.delete(&self.key(entry.time))?;
                }
                _ => kept.push(*entry),
            }
        }
        self.index = kept;
        Ok(())
    }

    fn key(&self, time: i64) -> String {
        format!("{}/{time:020}", self.source)
    }
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::failure(format!("{what} cannot be read: {error}; empty the plugin's store")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use autodevops_sdk::keyvalue::Memory;

    use super::*;

    fn reading(time: i64) -> Reading {
        Reading { time, counters: BTreeMap::new() }
    }

    fn add(store: &Memory, times: &[i64], bounds: Bounds) -> Vec<i64> {
        let mut readings = Readings::open(store, "s".into()).unwrap();
        for time in times {
            readings.add(&reading(*time), bounds).unwrap();
        }
        Readings::open(store, "s".into()).unwrap().times()
    }

    #[test]
    fn the_oldest_leave_when_there_are_too_many_and_nothing_of_them_stays() {
        let store = Memory::default();
        assert_eq!(add(&store, &[1, 2, 3, 4, 5], Bounds { keep: 1000, count: 3 }), [3, 4, 5]);
        let keys = store.keys().unwrap();
        assert_eq!(keys.len(), 4, "three readings and the index: {keys:?}");
    }

    #[test]
    fn the_oldest_leave_when_they_are_too_old_but_the_newest_never() {
        assert_eq!(add(&Memory::default(), &[1, 50, 100], Bounds { keep: 60, count: 10 }), [50, 100]);
        assert_eq!(add(&Memory::default(), &[1, 2], Bounds { keep: 0, count: 0 }), [2]);
    }

    #[test]
    fn two_sources_share_nothing() {
        let store = Memory::default();
        add(&store, &[1, 2], Bounds { keep: 100, count: 10 });
        assert_eq!(Readings::open(&store, "other".into()).unwrap().times(), Vec::<i64>::new());
    }

    #[test]
    fn a_clock_that_steps_back_a_little_is_put_in_order_and_one_far_back_starts_anew() {
        let store = Memory::default();
        add(&store, &[CLOCK_SLACK, 2 * CLOCK_SLACK], Bounds { keep: i64::MAX, count: 10 });
        let mut readings = Readings::open(&store, "s".into()).unwrap();
        assert_eq!(readings.next_time(2 * CLOCK_SLACK - 5).unwrap(), 2 * CLOCK_SLACK + 1);
        assert_eq!(readings.next_time(7).unwrap(), 7);
        assert!(readings.times().is_empty());
    }

    #[test]
    fn an_index_that_cannot_be_read_says_what_to_do() {
        let store = Memory::default();
        store.set("s/index", b"{").unwrap();
        let error = Readings::open(&store, "s".into()).err().unwrap();
        assert!(error.message().contains("empty the plugin's store"), "{}", error.message());
    }

    #[test]
    fn of_what_was_read_long_ago_a_reading_every_few_minutes_stays() {
        const MINUTE: i64 = 60_000_000_000;
        let store = Memory::default();
        let times: Vec<i64> = (0..180).map(|minute| minute * MINUTE).collect();
        let kept = add(&store, &times, Bounds { keep: i64::MAX, count: 1000 });
        let (old, young): (Vec<i64>, Vec<i64>) = kept.iter().partition(|time| 179 * MINUTE - **time >= THIN_AFTER);
        assert_eq!(young, times[120..], "of the last hour all");
        assert_eq!(old.first(), Some(&0), "the history reaches as far back");
        assert!(old.windows(2).all(|pair| pair[1] - pair[0] <= THIN) && old.len() <= 26, "{old:?}");
        // What was let go of is gone from the store as well.
        let readings = Readings::open(&store, "s".into()).unwrap();
        assert!(readings.at(MINUTE).is_err() && kept.iter().all(|time| readings.at(*time).is_ok()));
    }
}
