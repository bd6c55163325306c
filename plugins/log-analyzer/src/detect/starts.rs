//! When the service of a source was started: what stops or begins then is more often a version that says less or more than something
//! that went wrong.

use super::{durations::words, track::Track};
use crate::time::SECOND;

/// Words of a line that tells of a start.
const STARTS: [&str; 12] = [
    "starting",
    "started",
    "startup",
    "restarted",
    "booting",
    "booted",
    "listening",
    "serving",
    "ready",
    "launched",
    "deployed",
    "initialized",
];
/// Most starts that are kept of a kind of lines: what comes more often tells of something else that starts.
const MOST: usize = 64;
/// A line that stopped came last this long before the start, or so many times as long as usual.
const BEFORE_SECONDS: f64 = 90.0;
const BEFORE_TIMES: f64 = 5.0;

/// Whether lines like this tell of a start.
pub fn tells(shape: &str) -> bool {
    words(shape.as_bytes()).iter().any(|word| STARTS.contains(&word.as_str()))
}

/// Notes a start of a kind that is kept already; those of a kind that has too many are let go.
pub fn note(kept: &mut Vec<i64>, count: u64, at: i64) {
    if count > MOST as u64 {
        kept.clear();
    } else {
        kept.push(at);
    }
}

/// The starts of a service, in nanoseconds.
pub struct Starts(Vec<i64>);

impl Starts {
    /// Those that the kinds of lines tell of.
    pub fn new<'a>(tracks: impl Iterator<Item = &'a Track>) -> Self {
        Self(tracks.flat_map(|track| track.starts.iter().copied()).collect())
    }

    /// Whether a kind that comes each `usual` seconds stopped with a start, after its last line at `last`.
    pub fn stopped(&self, last: i64, usual: f64) -> bool {
        self.between(last, BEFORE_SECONDS.max(BEFORE_TIMES * usual))
    }

    /// Whether a kind that comes each `usual` seconds began with a start, with its first line at `first`.
    pub fn began(&self, first: i64, usual: f64) -> bool {
        let seconds = BEFORE_SECONDS.max(BEFORE_TIMES * usual);
        self.between(first.saturating_sub((seconds * SECOND as f64) as i64), seconds)
    }

    fn between(&self, from: i64, seconds: f64) -> bool {
        let to = from.saturating_add((seconds * SECOND as f64) as i64);
        self.0.iter().any(|start| (from..=to).contains(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_starts_are_known_and_others_are_not() {
        for text in
            ["listening on port <*>", "wardbook <*> is booting", "ready to take requests", "Started in <*> seconds"]
        {
            assert!(tells(text), "{text}");
        }
        for text in ["cart read for user <*>", "already done", "heartbeat ok"] {
            assert!(!tells(text), "{text}");
        }
    }

    #[test]
    fn what_stops_or_begins_with_a_start_is_told_by_its_time() {
        let starts = Starts(vec![1000 * SECOND]);
        for (last, usual, expected) in [(950, 1.0, true), (900, 1.0, false), (900, 30.0, true), (1001, 30.0, false)] {
            assert_eq!(starts.stopped(last * SECOND, usual), expected, "{last}");
        }
        for (first, usual, expected) in [(1050, 1.0, true), (1100, 1.0, false), (1100, 30.0, true), (999, 30.0, false)]
        {
            assert_eq!(starts.began(first * SECOND, usual), expected, "{first}");
        }
    }

    #[test]
    fn what_starts_all_the_time_is_no_service() {
        let mut kept = Vec::new();
        (1..=64).for_each(|count| note(&mut kept, count, count as i64));
        assert_eq!(kept.len(), 64);
        note(&mut kept, 65, 65);
        assert!(kept.is_empty());
    }
}
