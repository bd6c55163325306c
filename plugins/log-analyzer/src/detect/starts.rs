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
/// A line that stopped came last this long before the start, or no longer than it was away before, or so long that this many were to
/// be expected meanwhile.
const BEFORE_SECONDS: i64 = 90;
const BEFORE_LINES: f64 = 5.0;
/// A service that is starting does its work before it says that it is ready, for so long.
const STARTING_SECONDS: i64 = 30;

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

    /// Whether a kind whose last line came at this time stopped with a start; `expected` says how many clumps of its lines were to be
    /// expected between two times, and `usual` how long it was away more than once while it came, all in nanoseconds.
    pub fn stopped(&self, last: i64, usual: i64, expected: impl Fn(i64, i64) -> f64) -> bool {
        let start = self.0.iter().copied().filter(|start| *start >= last).min();
        start.is_some_and(|start| is_soon(start.saturating_sub(last), usual) || expected(last, start) <= BEFORE_LINES)
    }

    /// Whether a kind whose first line came at this time began with a start.
    pub fn began(&self, first: i64, usual: i64, expected: impl Fn(i64, i64) -> f64) -> bool {
        let starting = STARTING_SECONDS * SECOND;
        let start = self.0.iter().copied().filter(|start| *start <= first.saturating_add(starting)).max();
        start.is_some_and(|start| is_soon(first.saturating_sub(start), usual) || expected(start, first) <= BEFORE_LINES)
    }
}

/// Whether a time without a line tells nothing.
const fn is_soon(apart: i64, usual: i64) -> bool {
    apart <= BEFORE_SECONDS * SECOND || apart <= usual
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
    fn what_stops_or_begins_with_a_start_is_told_by_how_much_was_to_be_expected_between() {
        let starts = Starts(vec![1000 * SECOND]);
        let each = |usual: f64| move |from: i64, to: i64| (to - from) as f64 / SECOND as f64 / usual;
        for (last, usual, expected) in [(950, 1.0, true), (900, 1.0, false), (900, 30.0, true), (1001, 30.0, false)] {
            assert_eq!(starts.stopped(last * SECOND, 0, each(usual)), expected, "{last}");
        }
        let begun = [(1050, 1.0, true), (1100, 1.0, false), (1100, 30.0, true), (990, 30.0, true), (960, 30.0, false)];
        for (first, usual, expected) in begun {
            assert_eq!(starts.began(first * SECOND, 0, each(usual)), expected, "{first}");
        }
        // As long away as it had been before, or was since.
        assert!(
            starts.stopped(600 * SECOND, 400 * SECOND, each(1.0))
                && !starts.stopped(600 * SECOND, 399 * SECOND, each(1.0))
        );
        assert!(
            starts.began(1400 * SECOND, 400 * SECOND, each(1.0))
                && !starts.began(1400 * SECOND, 399 * SECOND, each(1.0))
        );
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
