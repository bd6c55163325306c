//! How often something was seen, and whether that changed.

use super::{
    bins::Bins,
    change::{self, Setting},
    series::{Series, Window, between},
};

/// Most values in which a change is looked for.
const MOST_VALUES: usize = 150;
/// Fewest values, so that a coarser look is taken.
const LEAST_VALUES: usize = 18;
/// Each look has steps so many times as long as the one before.
const COARSER: usize = 4;
/// The least variance of the square root of a count, times two: 1 for chance (Anscombe, 1948), less for what is regular.
const LEAST_VARIANCE: f64 = 0.1;
/// Seconds in a day.
const DAY: f64 = 86_400.0;

/// A rate that changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Changed {
    /// When, in nanoseconds.
    pub from: i64,
    /// Until when, where it ended.
    pub to: Option<i64>,
    /// Events a minute that were to be expected then.
    pub expected: f64,
    /// Events a minute that there were.
    pub current: f64,
    /// Minutes that it lasted.
    pub minutes: f64,
    /// About the logarithm of how much more likely the counts are with the change than without.
    pub evidence: f64,
    /// How high the next such pulse is, as a share of this one.
    pub rival: f64,
}

impl Changed {
    /// How many times as many there were as expected.
    pub fn ratio(&self) -> f64 {
        self.current / self.expected.max(1e-9)
    }

    /// Events that were too many, or too few.
    pub fn excess(&self) -> f64 {
        (self.current - self.expected) * self.minutes
    }
}

/// The change that stands out most in a log that covers the times from `first` to `last`, in nanoseconds; `load` is what the
/// series may follow.
pub fn change(series: &Series, load: Option<&Series>, (first, last): (i64, i64)) -> Option<Changed> {
    let coarse = look(&series.coarse, load.map(|load| &load.coarse), first, last);
    if series.fine.step() == series.coarse.step() {
        return coarse;
    }
    let fine = look(&series.fine, load.map(|load| &load.fine), first, last);
    [fine, coarse].into_iter().flatten().max_by(|a, b| a.evidence.total_cmp(&b.evidence))
}

fn look(counts: &Bins<u32>, load: Option<&Bins<u32>>, first: i64, last: i64) -> Option<Changed> {
    let window = between(counts, first, last);
    let load = load.map(|load| between(load, first, last)).filter(|load| load.step == window.step);
    let mut times = window.counts.len().div_ceil(MOST_VALUES).max(1);
    let mut best: Option<Changed> = None;
    while window.counts.len() / times >= LEAST_VALUES
        || best.is_none() && window.counts.len() / times >= change::MIN_VALUES
    {
        let load = load.as_ref().map(|load| load.coarser(times));
        let found = in_window(&window.coarser(times), load.as_ref());
        if let Some(found) = found.filter(|found| best.is_none_or(|best| found.evidence > best.evidence)) {
            best = Some(found);
        }
        times *= COARSER;
    }
    best
}

fn root(count: f64) -> f64 {
    2.0 * (count + 0.375).sqrt()
}

fn count_of(root: f64) -> f64 {
    (root.max(0.0) / 2.0).powi(2) - 0.375
}

fn in_window(window: &Window, load: Option<&Window>) -> Option<Changed> {
    let values: Vec<f64> = window.counts.iter().copied().map(root).collect();
    let load: Vec<f64> = match load {
        Some(load) if load.counts.len() == values.len() => {
            load.counts.iter().zip(&window.counts).map(|(all, own)| root((all - own).max(0.0))).collect()
        }
        _ => Vec::new(),
    };
    let setting = Setting { day: Some(DAY / window.step as f64), load: &load, variance: LEAST_VARIANCE };
    let found = change::find(&values, setting)?;
    let length = found.to.saturating_sub(found.from).max(1) as f64;
    let minutes = length * window.step as f64 / 60.0;
    let events: f64 = window.counts.get(found.from..found.to)?.iter().sum();
    // What was just before says what was to be expected, where the model makes less of the change.
    let edge = (values.len() / 20).clamp(3, 8);
    let mean = |part: Option<&[f64]>| {
        part.filter(|part| part.len() >= 3).map(|part| part.iter().sum::<f64>() / part.len() as f64)
    };
    let before = mean(window.counts.get(found.from.saturating_sub(edge)..found.from));
    let after = mean(window.counts.get(found.to..(found.to + edge).min(values.len())));
    let beside = match (before, after) {
        (Some(before), Some(after)) => Some((before + after) / 2.0),
        (before, after) => before.or(after),
    };
    let by_model = count_of(found.expected).max(0.0);
    let expected = match beside {
        Some(beside) if found.height > 0.0 => by_model.min(beside),
        Some(beside) => by_model.max(beside),
        None => by_model,
    };
    // The square root of few counts is no normal value: chance must not make them either (Kulldorff's scan statistic, 1997).
    let total: f64 = window.counts.iter().sum();
    let outside = (values.len() as f64 - length).max(1.0);
    let usual =
        ((total - events + 0.5) * length / outside).max(if found.height > 0.0 { expected * length } else { 0.0 });
    let by_count = if events > 0.0 { events * (events / usual).ln() } else { 0.0 } - (events - usual);
    let tried = 1.5 * (values.len() as f64).ln();
    Some(Changed {
        from: window.time(found.from),
        to: (found.to < values.len()).then(|| window.time(found.to)),
        expected: expected * length / minutes,
        current: events / minutes,
        minutes,
        evidence: found.evidence.min(by_count - tried),
        rival: found.rival,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{detect::random::Random, time::SECOND};

    /// A series of so many events in each minute, at even times, and what it covers.
    fn series(counts: &[f64]) -> (Series, (i64, i64)) {
        let mut series = Series::default();
        for (minute, count) in counts.iter().enumerate() {
            for event in 0..*count as i64 {
                series.add(minute as i64 * 60 * SECOND + event * 60 * SECOND / *count as i64);
            }
        }
        (series, (0, counts.len() as i64 * 60 * SECOND))
    }

    fn found(counts: &[f64]) -> Option<Changed> {
        let (series, coverage) = series(counts);
        change(&series, None, coverage)
    }

    #[test]
    fn chance_and_clumps_are_no_change() {
        let mut wrong = 0;
        for seed in 0..300 {
            let mut random = Random::new(seed * 7919);
            let (mean, minutes) = (1.0 + random.share() * 60.0, 20 + (random.share() * 220.0) as usize);
            let clump = if seed % 3 == 0 { 5.0 } else { 1.0 };
            let counts: Vec<f64> = (0..minutes).map(|_| random.poisson(mean / clump) * clump).collect();
            wrong += usize::from(found(&counts).is_some_and(|found| found.evidence > 6.0));
        }
        assert!(wrong <= 3, "{wrong} of 300");
    }

    #[test]
    fn a_wave_is_no_change_and_a_step_on_it_is() {
        let wave = |minute: f64| 40.0 + 30.0 * (minute / 240.0 * std::f64::consts::TAU * 1.5).sin();
        let (mut waves, mut steps) = (0, 0);
        for seed in 0..100 {
            let mut random = Random::new(seed);
            let counts: Vec<f64> = (0..240).map(|minute| random.poisson(wave(f64::from(minute)))).collect();
            waves += usize::from(found(&counts).is_some_and(|found| found.evidence > 6.0));
            let counts: Vec<f64> = (0..240)
                .map(|minute| random.poisson(wave(f64::from(minute)) * if minute < 150 { 1.0 } else { 2.0 }))
                .collect();
            let all: Vec<f64> =
                (0..240).zip(&counts).map(|(minute, own)| own + wave(f64::from(minute)) * 3.0).collect();
            let (load, _) = series(&all);
            let (series, coverage) = series(&counts);
            let found = change(&series, Some(&load), coverage);
            steps += usize::from(found.is_some_and(|found| found.evidence > 6.0 && found.ratio() > 1.5));
        }
        assert!(waves <= 6 && steps >= 90, "{waves} {steps}");
    }

    #[test]
    fn fifteen_percent_more_of_a_regular_rate_is_seen_with_its_size_and_time() {
        let counts: Vec<f64> = (0..60).map(|minute| if minute < 40 { 100.0 } else { 115.0 }).collect();
        let found = found(&counts).unwrap();
        assert!((found.ratio() - 1.15).abs() < 0.02 && found.evidence > 6.0, "{found:?}");
        assert!((found.from / SECOND - 2400).abs() <= 64 && found.to.is_none(), "{found:?}");
    }

    #[test]
    fn a_burst_that_ends_has_an_end() {
        let counts: Vec<f64> = (0..120).map(|minute| if (70..78).contains(&minute) { 40.0 } else { 4.0 }).collect();
        let found = found(&counts).unwrap();
        assert!(found.ratio() > 6.0 && found.to.is_some_and(|to| (to / SECOND - 78 * 60).abs() <= 64), "{found:?}");
    }
}
