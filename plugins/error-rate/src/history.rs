//! Readings that are kept, and what happened between two of them.
//!
//! Each reading holds, beside the counter's raw value, all that it grew by since the first reading, with resets taken out as
//! Prometheus' `increase()` does. So the growth over any window is one difference, whatever happened inside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::settings::Series;

/// A counter at one time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    /// Its value as it was read.
    pub raw: f64,
    /// All that it grew by since the first reading of the history.
    pub grown: f64,
    /// When it was read last: nanoseconds since 1970-01-01T00:00:00Z.
    pub seen: i64,
}

/// All counters at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// When: nanoseconds since 1970-01-01T00:00:00Z.
    pub time: i64,
    /// The counters.
    #[serde(with = "pairs")]
    pub counters: BTreeMap<Series, Counter>,
}

/// JSON's keys are texts only.
mod pairs {
    use serde::{Deserializer, Serializer};

    use super::*;

    pub fn serialize<S: Serializer>(map: &BTreeMap<Series, Counter>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Series, Counter>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

impl Reading {
    /// The reading that follows `previous`.
    ///
    /// With nothing before it, what a counter grew by is unknown and counts as nothing. A counter that the reading before did
    /// not have started from zero since. One that went down was reset and started from zero too. One that is gone is carried on
    /// for `keep` nanoseconds: it may be back.
    pub fn after(previous: Option<&Self>, values: BTreeMap<Series, f64>, time: i64, keep: i64) -> Self {
        let mut counters: BTreeMap<Series, Counter> = previous
            .into_iter()
            .flat_map(|previous| &previous.counters)
            .filter(|(_, counter)| time.saturating_sub(counter.seen) <= keep)
            .map(|(series, counter)| (series.clone(), *counter))
            .collect();
        for (series, raw) in values {
            let grown = match (previous, counters.get(&series)) {
                (None, _) => 0.0,
                (Some(_), None) => raw,
                (Some(_), Some(before)) if raw < before.raw => before.grown + raw,
                (Some(_), Some(before)) => before.grown + (raw - before.raw),
            };
            counters.insert(series, Counter { raw, grown, seen: time });
        }
        Self { time, counters }
    }

    /// What the release's counters grew by since `base`, by series.
    pub fn growth<'a>(&'a self, base: &'a Self, release: &'a str) -> impl Iterator<Item = (&'a Series, f64)> {
        self.counters.iter().filter(move |(series, _)| series.release == release).map(|(series, counter)| {
            let before = base.counters.get(series).map_or(0.0, |counter| counter.grown);
            (series, (counter.grown - before).max(0.0))
        })
    }
}

/// Which of the times a window starts with: the one nearest to its start, which may be the one that ends it. What went on long before says
/// nothing about the window, and the host takes nothing for it that began much earlier.
pub fn base_of(times: &[i64], start: i64, end: i64) -> Option<i64> {
    times.iter().copied().filter(|time| *time <= end).min_by_key(|time| time.abs_diff(start))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::settings::Kind;

    fn values(pairs: &[(&str, f64)]) -> BTreeMap<Series, f64> {
        let series =
            |release: &str| Series { release: release.into(), kind: Kind::Requests("2xx".into()), rest: String::new() };
        pairs.iter().map(|(release, value)| (series(release), *value)).collect()
    }

    fn history(readings: &[&[(&str, f64)]]) -> Vec<Reading> {
        let mut all: Vec<Reading> = Vec::new();
        for (index, pairs) in readings.iter().enumerate() {
            let next = Reading::after(all.last(), values(pairs), index as i64 * 10, 1000);
            all.push(next);
        }
        all
    }

    fn growth(from: &Reading, to: &Reading, release: &str) -> f64 {
        to.growth(from, release).map(|(_, grown)| grown).sum()
    }

    #[test]
    fn growth_is_a_difference_of_readings() {
        let all = history(&[&[("a", 100.0)], &[("a", 130.0)], &[("a", 131.0)]]);
        assert_eq!(growth(&all[0], &all[2], "a"), 31.0);
        assert_eq!(growth(&all[1], &all[2], "a"), 1.0);
        assert_eq!(growth(&all[0], &all[0], "a"), 0.0);
    }

    #[test]
    fn a_reset_loses_only_what_was_never_read() {
        let all = history(&[&[("a", 100.0)], &[("a", 130.0)], &[("a", 5.0)], &[("a", 9.0)]]);
        assert_eq!(growth(&all[0], &all[3], "a"), 39.0);
    }

    #[test]
    fn a_release_that_came_since_the_last_reading_started_from_zero() {
        let all = history(&[&[("a", 100.0)], &[("a", 101.0), ("b", 7.0)]]);
        assert_eq!(growth(&all[0], &all[1], "b"), 7.0);
    }

    #[test]
    fn what_the_first_reading_found_is_no_growth() {
        let all = history(&[&[("a", 100.0)]]);
        assert_eq!(growth(&all[0], &all[0], "a"), 0.0);
        assert_eq!(all[0].counters.values().next().unwrap().grown, 0.0);
    }

    #[test]
    fn a_counter_that_is_gone_for_a_while_goes_on_where_it_was() {
        let all = history(&[&[("a", 100.0)], &[], &[("a", 104.0)]]);
        assert_eq!(growth(&all[0], &all[2], "a"), 4.0);
        let late = Reading::after(all.last(), values(&[]), 5000, 1000);
        assert!(late.counters.is_empty());
    }

    #[test]
    fn a_window_starts_with_the_reading_that_is_nearest_to_its_start() {
        assert_eq!(base_of(&[10, 20, 30, 40], 25, 40), Some(20));
        assert_eq!(base_of(&[10, 20, 30, 40], 20, 40), Some(20));
        assert_eq!(base_of(&[30, 40], 25, 40), Some(30));
        assert_eq!(base_of(&[10, 930, 960], 900, 960), Some(930));
        assert_eq!(base_of(&[10, 20, 30, 40], 27, 40), Some(30));
        assert_eq!(base_of(&[10, 20, 30, 40], 27, 29), Some(20), "none that is after its end");
        assert_eq!(base_of(&[], 25, 40), None);
    }

    #[test]
    fn a_reading_survives_its_json_form() {
        let all = history(&[&[("a", 100.0)], &[("a", 130.5), ("b", 1.0)]]);
        let text = serde_json::to_string(&all[1]).unwrap();
        assert_eq!(serde_json::from_str::<Reading>(&text).unwrap(), all[1]);
    }

    proptest! {
        #[test]
        fn growth_over_a_window_is_the_sum_over_its_parts(raws in prop::collection::vec(0u32..1000, 2..20), cut: prop::sample::Index) {
            let mut all: Vec<Reading> = Vec::new();
            for (index, raw) in raws.iter().enumerate() {
                let next = Reading::after(all.last(), values(&[("a", f64::from(*raw))]), index as i64, 1000);
                all.push(next);
            }
            let cut = &all[cut.index(all.len())];
            let (first, last) = (&all[0], &all[all.len() - 1]);
            prop_assert_eq!(growth(first, last, "a"), growth(first, cut, "a") + growth(cut, last, "a"));
            let expected: u32 = raws.windows(2).map(|pair| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] }).sum();
            prop_assert_eq!(growth(first, last, "a"), f64::from(expected));
        }
    }
}
