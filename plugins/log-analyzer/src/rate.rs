//! Whether a rate rose against its own past.
//!
//! Counts by the minute are split at each minute into a baseline and a current window. The split that explains them best is
//! tested: twice the logarithm of the likelihood ratio of two Poisson rates against one is the square of a normal deviate
//! (Wilks). It is divided by the counts' dispersion, since errors come in clumps, and by which regular counts say more.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::time::SECOND;

/// Nanoseconds in a minute.
const MINUTE: i64 = 60 * SECOND;
/// Minutes that are kept.
const MAX_MINUTES: usize = 240;
/// Fewest minutes of a baseline.
const MIN_BASELINE_MINUTES: usize = 5;
/// Fewest minutes of a current window.
const MIN_CURRENT_MINUTES: usize = 3;
/// Fewest events of a baseline; what has none is new, which is another issue.
const MIN_BASELINE_EVENTS: f64 = 20.0;
/// Least normal deviate: about one in ten thousand, with 240 splits tried.
const MIN_DEVIATE: f64 = 4.3;
/// Least relative rise that matters.
const MIN_RISE: f64 = 0.15;
/// One-sided 95 % quantile of the normal distribution: a rise counts when `MIN_RISE` lies below its upper bound.
const QUANTILE: f64 = 1.645;

/// Counts by the minute, of the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    start: i64,
    counts: VecDeque<u32>,
}

/// A rate that rose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rise {
    /// Events a minute before.
    pub baseline: f64,
    /// Events a minute now.
    pub current: f64,
    /// Minutes that `current` was measured over.
    pub minutes: u64,
    /// How many standard deviations the rise is.
    pub deviate: f64,
}

impl Series {
    /// Counts an event.
    pub fn add(&mut self, nanoseconds: i64) {
        self.add_many(nanoseconds.div_euclid(MINUTE), 1);
    }

    /// Takes in another series' counts.
    pub fn merge(&mut self, other: &Self) {
        for (minute, count) in (other.start..).zip(&other.counts).filter(|(_, count)| **count > 0) {
            self.add_many(minute, *count);
        }
    }

    fn add_many(&mut self, minute: i64, number: u32) {
        if self.counts.is_empty() {
            self.start = minute;
        }
        let most = MAX_MINUTES as i64;
        let mut index = minute - self.start;
        if index < 0 {
            // Late; what does not fit any more is left out.
            if self.counts.len() as i64 - index > most {
                return;
            }
            for _ in index..0 {
                self.counts.push_front(0);
            }
            self.start = minute;
            index = 0;
        }
        if index >= 2 * most {
            self.counts.clear();
            self.start = minute;
            index = 0;
        }
        while index >= self.counts.len() as i64 {
            self.counts.push_back(0);
            if self.counts.len() > MAX_MINUTES {
                self.counts.pop_front();
                self.start += 1;
                index -= 1;
            }
        }
        if let Some(count) = usize::try_from(index).ok().and_then(|index| self.counts.get_mut(index)) {
            *count = count.saturating_add(number);
        }
    }

    /// The rise, where there is one, in a log that covers the times from `first` to `last`.
    pub fn rise(&self, first: i64, last: i64) -> Option<Rise> {
        // Whole minutes only.
        let begin = first.checked_add(MINUTE - 1)?.div_euclid(MINUTE);
        let end = last.checked_add(SECOND)?.div_euclid(MINUTE);
        let begin = begin.max(end - MAX_MINUTES as i64);
        let counts: Vec<f64> = (begin..end)
            .map(|minute| {
                let index = usize::try_from(minute - self.start).ok();
                index.and_then(|index| self.counts.get(index)).copied().map_or(0.0, f64::from)
            })
            .collect();
        rise(&counts)
    }
}

fn rise(counts: &[f64]) -> Option<Rise> {
    let minutes = counts.len();
    let total: f64 = counts.iter().sum();
    let mut best: Option<(usize, f64, f64)> = None;
    let mut before: f64 = counts.iter().take(MIN_BASELINE_MINUTES).sum();
    for split in MIN_BASELINE_MINUTES..(minutes + 1).saturating_sub(MIN_CURRENT_MINUTES) {
        let share = split as f64 / minutes as f64;
        let after = total - before;
        let rises = after / (minutes - split) as f64 > before / split as f64;
        if rises {
            let part = |count: f64, share: f64| if count > 0.0 { count * (count / (total * share)).ln() } else { 0.0 };
            let squared = 2.0 * (part(before, share) + part(after, 1.0 - share));
            if best.is_none_or(|(_, _, most)| squared > most) {
                best = Some((split, before, squared));
            }
        }
        before += counts.get(split).copied().unwrap_or_default();
    }
    let (split, before, squared) = best.filter(|(_, before, _)| *before >= MIN_BASELINE_EVENTS)?;
    let after = total - before;
    let (baseline, current) = (before / split as f64, after / (minutes - split) as f64);
    let (past, now) = counts.split_at(split);
    let residual = |counts: &[f64], rate: f64| counts.iter().map(|count| (count - rate).powi(2) / rate).sum::<f64>();
    let freedom = (minutes - 2) as f64;
    let dispersion = (residual(past, baseline) + residual(now, current)) / freedom;
    // Counts that are more regular than chance say more, as far as their dispersion is sure.
    let dispersion = if dispersion >= 1.0 {
        dispersion
    } else {
        (dispersion * (1.0 + 2.0 * (2.0 / freedom).sqrt())).clamp(0.1, 1.0)
    };
    let deviate = (squared / dispersion).sqrt();
    let ratio = current / baseline;
    let error = ratio * ((1.0 / before + 1.0 / after) * dispersion).sqrt();
    let enough = ratio - 1.0 + QUANTILE * error >= MIN_RISE && ratio - 1.0 >= MIN_RISE / 2.0;
    (deviate >= MIN_DEVIATE && enough).then_some(Rise { baseline, current, minutes: (minutes - split) as u64, deviate })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator of pseudo-random numbers (SplitMix64), so that the tests are the same each time.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }

        /// Poisson counts by the time between events.
        fn poisson(&mut self, mean: f64) -> f64 {
            let (mut sum, mut count) = (0.0, 0.0);
            loop {
                sum -= (1.0 - self.next()).ln();
                if sum > mean {
                    return count;
                }
                count += 1.0;
            }
        }
    }

    #[test]
    fn a_rise_of_fifteen_percent_is_found() {
        let mut found = 0;
        for seed in 0..100 {
            let mut random = Random(seed);
            let counts: Vec<f64> =
                (0..120).map(|minute| random.poisson(if minute < 60 { 100.0 } else { 115.0 })).collect();
            if let Some(rise) = rise(&counts) {
                found += 1;
                assert!((rise.current / rise.baseline - 1.15).abs() < 0.06, "{rise:?}");
            }
        }
        assert!(found >= 95, "{found} of 100");
    }

    #[test]
    fn a_regular_rise_of_fifteen_percent_is_found_with_few_events() {
        let counts: Vec<f64> = (0..60).map(|minute| if minute < 30 { 20.0 } else { 23.0 }).collect();
        let rise = rise(&counts).unwrap();
        assert_eq!((rise.baseline, rise.current, rise.minutes), (20.0, 23.0, 30));
    }

    #[test]
    fn noise_alone_is_no_rise() {
        let mut found = 0;
        for seed in 0..1000 {
            let mut random = Random(seed * 7919);
            let mean = 1.0 + random.next() * 200.0;
            let minutes = 10 + (random.next() * 230.0) as usize;
            let counts: Vec<f64> = (0..minutes).map(|_| random.poisson(mean)).collect();
            found += usize::from(rise(&counts).is_some());
        }
        assert!(found <= 3, "{found} of 1000");
    }

    #[test]
    fn errors_in_clumps_are_no_rise() {
        let mut found = 0;
        for seed in 0..500 {
            let mut random = Random(seed * 104_729);
            let counts: Vec<f64> = (0..120).map(|_| random.poisson(6.0) * 10.0).collect();
            found += usize::from(rise(&counts).is_some());
        }
        assert!(found <= 3, "{found} of 500");
    }

    #[test]
    fn what_is_new_or_falls_or_rises_by_little_is_no_rise() {
        let steps = |a: f64, b: f64| -> Vec<f64> { (0..60).map(|minute| if minute < 30 { a } else { b }).collect() };
        assert_eq!(rise(&steps(0.0, 100.0)), None);
        assert_eq!(rise(&steps(100.0, 50.0)), None);
        assert_eq!(rise(&steps(10_000.0, 10_500.0)), None);
        assert_eq!(rise(&[]), None);
    }

    #[test]
    fn late_and_far_events_keep_the_series_small() {
        let mut series = Series::default();
        for minute in [1000, 999, 1001, 500, 1_000_000, 999_999, i64::MAX / MINUTE, i64::MIN / MINUTE] {
            series.add(minute * MINUTE);
            assert!(series.counts.len() <= MAX_MINUTES);
        }
        assert_eq!(series.rise(i64::MIN, i64::MAX), None);
    }
}
