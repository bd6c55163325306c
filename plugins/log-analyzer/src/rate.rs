//! Counts by the minute, and whether the last of them are more than those before.

use std::collections::VecDeque;

use autodevops_sdk::types::RateChange;
use serde::{Deserialize, Serialize};

use crate::time::SECOND;

/// Minutes that are remembered.
const MINUTES: usize = 360;

/// Lengths of the windows that are compared with what came before them, in minutes.
const WINDOWS: [i64; 5] = [5, 10, 15, 30, 60];

/// A rate rises when it is by so much above its past: the smallest change that people asked to hear of.
const LEAST_RISE: f64 = 1.15;

/// Standard deviations by which a window must exceed what its past predicts. Several windows of many groups are looked at, so
/// this is far out: one-sided 3·10⁻⁵ for each.
const LEAST_DEVIATION: f64 = 4.0;

/// Events in a window, below which nothing is said.
const LEAST_EVENTS: f64 = 20.0;

/// Events by the minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series(VecDeque<(i64, u32)>);

/// A rise, and how many standard deviations it lies above its past.
#[derive(Clone, Debug, PartialEq)]
pub struct Rise {
    /// The rates.
    pub change: RateChange,
    /// Standard deviations.
    pub deviation: f64,
}

impl Series {
    /// Counts an event. Those that come late are counted where they belong while that minute is remembered.
    pub fn add(&mut self, nanoseconds: i64) {
        let minute = nanoseconds.div_euclid(60 * SECOND);
        match self.0.iter().rposition(|(known, _)| *known <= minute) {
            Some(at) if self.0.get(at).is_some_and(|(known, _)| *known == minute) => {
                if let Some((_, count)) = self.0.get_mut(at) {
                    *count = count.saturating_add(1);
                }
            }
            Some(at) => self.0.insert(at + 1, (minute, 1)),
            None if self.0.len() < MINUTES => self.0.push_front((minute, 1)),
            None => {}
        }
        while self.0.len() > MINUTES {
            self.0.pop_front();
        }
    }

    /// The clearest rise of the last minutes over those before them, between the first and the last time that the source was
    /// heard of. A count of events is compared as Poisson counts are: given all events, those of the window are binomial
    /// (Przyborowski and Wilenski 1940), here by its normal approximation.
    pub fn rise(&self, first: i64, last: i64) -> Option<Rise> {
        // The first and the last minute are not whole.
        let start = first.div_euclid(60 * SECOND) + 1;
        let end = last.div_euclid(60 * SECOND);
        let start = start.max(self.0.front().map_or(start, |(minute, _)| *minute).min(end)).max(end - MINUTES as i64);
        let start = start.min(first.div_euclid(60 * SECOND) + 1).max(end - MINUTES as i64);
        let count = |from: i64, to: i64| -> f64 {
            self.0.iter().filter(|(minute, _)| (from..to).contains(minute)).map(|(_, count)| f64::from(*count)).sum()
        };
        WINDOWS
            .into_iter()
            .filter_map(|window| {
                let border = end - window;
                let past = border - start;
                if past < 2 * window {
                    return None;
                }
                let (now, before) = (count(border, end), count(start, border));
                if now < LEAST_EVENTS || before < 1.0 {
                    return None;
                }
                let (rate_now, rate_before) = (now / window as f64, before / past as f64);
                let share = window as f64 / (window + past) as f64;
                let expected = (now + before) * share;
                let deviation = (now - expected) / (expected * (1.0 - share)).sqrt();
                (rate_now >= LEAST_RISE * rate_before && deviation >= LEAST_DEVIATION).then(|| Rise {
                    change: RateChange {
                        baseline_per_minute: rate_before,
                        current_per_minute: rate_now,
                        window_seconds: window.unsigned_abs() * 60,
                    },
                    deviation,
                })
            })
            .max_by(|a, b| a.deviation.total_cmp(&b.deviation))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// So many events in each minute, spread over it.
    fn series(counts: &[u32]) -> (Series, i64) {
        let mut series = Series::default();
        for (minute, count) in counts.iter().enumerate() {
            for index in 0..*count {
                series.add(minute as i64 * 60 * SECOND + i64::from(index) * (59 * SECOND / i64::from(*count)));
            }
        }
        (series, counts.len() as i64 * 60 * SECOND)
    }

    #[test]
    fn a_rise_by_fifteen_percent_is_found_when_counts_are_large_enough() {
        let counts: Vec<u32> = (0..120).map(|minute| if minute < 100 { 200 } else { 232 }).collect();
        let (series, end) = series(&counts);
        let rise = series.rise(0, end).unwrap();
        assert!((rise.change.baseline_per_minute - 200.0).abs() < 7.0, "{rise:?}");
        assert!(rise.change.current_per_minute > 220.0, "{rise:?}");
    }

    #[test]
    fn a_steady_rate_and_a_falling_one_do_not_rise() {
        for counts in [vec![200; 120], (0..120).map(|minute| 300 - minute).collect::<Vec<u32>>(), vec![1; 120]] {
            let (series, end) = series(&counts);
            assert_eq!(series.rise(0, end), None);
        }
    }

    #[test]
    fn a_few_events_say_nothing() {
        let mut counts = vec![0; 60];
        counts.extend([3, 3, 3]);
        let (series, end) = series(&counts);
        assert_eq!(series.rise(0, end), None);
    }

    proptest! {
        #[test]
        fn noise_around_a_steady_rate_is_no_rise(noise in prop::collection::vec(0u32..10, 120)) {
            // Uniform noise of variance 8 around 100: far less than a Poisson count's own.
            let counts: Vec<u32> = noise.iter().map(|noise| 95 + noise).collect();
            let (series, end) = series(&counts);
            prop_assert_eq!(series.rise(0, end), None);
        }

        #[test]
        fn memory_is_bounded(minutes in prop::collection::vec(0i64..100_000, 0..2000)) {
            let mut series = Series::default();
            for minute in minutes {
                series.add(minute * 60 * SECOND);
            }
            prop_assert!(series.0.len() <= MINUTES);
            prop_assert!(series.0.iter().zip(series.0.iter().skip(1)).all(|(a, b)| a.0 < b.0));
        }
    }
}
