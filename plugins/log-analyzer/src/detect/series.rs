//! Counts over time, in constant memory: a fine one of the last hours, and a coarse one of all.

use serde::{Deserialize, Serialize};

use super::bins::Bins;
use crate::time::SECOND;

/// Counts that the fine series keeps.
const FINE_COUNTS: usize = 300;
/// The widest step of the fine series, in seconds: about five hours are kept.
const FINE_SECONDS: i64 = 64;
/// Counts that the coarse series keeps.
const COARSE_COUNTS: usize = 400;
/// The widest step of the coarse series, in seconds: about nineteen days are kept.
const COARSE_SECONDS: i64 = 4096;
/// A step with nothing stands out where there are so many on average in those with any.
const MUCH: f64 = 8.0;
/// Steps in which it is looked for how events come together: what comes together within one does so at once.
const CLUMP_STEPS: usize = 100;
/// The fewest of such steps.
const LONG_CLUMP_STEPS: usize = 12;
/// Where little is known of it, events are taken to come by so many at once, as if that had been seen of so many of them: what
/// failed is often tried again.
pub const CLUMP: f64 = 1.25;
/// See above.
pub const CLUMP_SEEN: f64 = 2.0;
/// Most counts that are shown to people.
const SHOWN_COUNTS: usize = 60;

/// The counts of the whole steps between two times in nanoseconds, as far back as they are kept.
pub fn between(counts: &Bins<u32>, first: i64, last: i64) -> Window {
    let step = counts.step().saturating_mul(SECOND);
    let begin = first.saturating_add(step - 1).div_euclid(step);
    let end = last.saturating_add(SECOND).div_euclid(step);
    let begin = begin.max(end.saturating_sub(counts.most() as i64));
    Window {
        start: begin.saturating_mul(counts.step()),
        step: counts.step(),
        counts: (begin..end).map(|at| counts.get(at).copied().map_or(0.0, f64::from)).collect(),
    }
}

/// Counts of whole steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Second at which the first step begins.
    pub start: i64,
    /// Seconds of a step.
    pub step: i64,
    /// The counts.
    pub counts: Vec<f64>,
}

impl Window {
    /// The same with so many steps in one; what is left over at the beginning goes.
    pub fn coarser(&self, times: usize) -> Self {
        let times = times.max(1);
        let skip = self.counts.len() % times;
        let counts = self.counts.get(skip..).unwrap_or_default();
        Self {
            start: self.start + skip as i64 * self.step,
            step: self.step * times as i64,
            counts: counts.chunks(times).map(|chunk| chunk.iter().sum()).collect(),
        }
    }

    /// The same without so many of the last steps.
    #[must_use]
    pub fn before(mut self, steps: usize) -> Self {
        self.counts.truncate(self.counts.len().saturating_sub(steps));
        self
    }

    /// Nanoseconds at which a step begins.
    pub fn time(&self, index: usize) -> i64 {
        (self.start + index as i64 * self.step).saturating_mul(SECOND)
    }
}

/// Counts of one thing over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Of the last hours.
    pub fine: Bins<u32>,
    /// Of the last weeks.
    pub coarse: Bins<u32>,
}

impl Default for Series {
    fn default() -> Self {
        Self { fine: Bins::new(FINE_COUNTS, FINE_SECONDS), coarse: Bins::new(COARSE_COUNTS, COARSE_SECONDS) }
    }
}

impl Series {
    /// Counts an event.
    pub fn add(&mut self, nanoseconds: i64) {
        let second = nanoseconds.div_euclid(SECOND);
        for counts in [&mut self.fine, &mut self.coarse] {
            if let Some(count) = counts.at_mut(second) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// Takes in another series' counts.
    pub fn merge(&mut self, other: &Self) {
        self.fine.merge(&other.fine);
        self.coarse.merge(&other.coarse);
    }

    /// About how many there were from one time to another, in nanoseconds.
    pub fn sum(&self, from: i64, to: i64) -> f64 {
        let step = self.coarse.step() * SECOND;
        let share = |second: i64| {
            let begin = second.saturating_mul(SECOND);
            let inside = begin.saturating_add(step).min(to).saturating_sub(begin.max(from));
            inside.max(0) as f64 / step as f64
        };
        self.coarse.iter().map(|(second, count)| f64::from(*count) * share(second)).sum()
    }

    /// The share of the time between two, in nanoseconds, in which there was nothing though there is much at other times, and seldom
    /// nothing, by the counts in which that is most.
    pub fn lost(&self, from: i64, to: i64) -> f64 {
        let share = |counts: &Bins<u32>| {
            let filled = counts.iter().filter(|(_, count)| **count > 0);
            let (number, sum) =
                filled.fold((0_u32, 0.0), |(number, sum), (_, count)| (number + 1, sum + f64::from(*count)));
            // What is not kept any more tells nothing.
            let Some((kept, _)) = counts.iter().next().filter(|_| sum >= MUCH * f64::from(number.max(1))) else {
                return 0.0;
            };
            let within = between(counts, from.max(kept.saturating_mul(SECOND)), to);
            let none = within.counts.iter().filter(|count| **count < 0.5).count();
            let others = counts.iter().count().saturating_sub(within.counts.len()).max(1);
            let none_else = counts.iter().count().saturating_sub(number as usize + none);
            let usual = (none_else as f64 / others as f64).min(1.0);
            (none as f64 / within.counts.len().max(1) as f64 - usual).max(0.0)
        };
        share(&self.fine).max(share(&self.coarse))
    }

    /// How many events come at once, as far as that can be told by how much counts vary from one step to the next, by more than chance
    /// has it: their variance as a share of their mean, which is 1 for events of their own, and the mean size of the clump that an
    /// event is in where they come in clumps (a compound Poisson process; McCullagh and Nelder, 1989, section 6.2). Neighbours are
    /// compared, so that seasons and trends say nothing (von Neumann, 1941), and none across or near the ends of a change from one time
    /// to another; all times are in nanoseconds.
    pub fn clumps(&self, (first, last): (i64, i64), change: (i64, i64)) -> f64 {
        let window = between(&self.coarse, first, last);
        together(&window.coarser(window.counts.len().div_ceil(CLUMP_STEPS)), change).0
    }

    /// The same of what may come together for longer, such as all that fails while something is away: the most of several steps, by more
    /// than few steps have it by chance.
    pub fn long_clumps(&self, (first, last): (i64, i64), change: (i64, i64)) -> f64 {
        let window = between(&self.coarse, first, last);
        let mut steps = CLUMP_STEPS;
        let mut most = self.clumps((first, last), change);
        while steps > LONG_CLUMP_STEPS {
            steps /= 2;
            let (size, pairs) = together(&window.coarser(window.counts.len().div_ceil(steps)), change);
            most = most.max(size / (1.0 + (3.0 / f64::from(pairs.max(1))).sqrt()));
        }
        most
    }

    /// Few counts that cover the times between two, for people: nanoseconds of the first's begin, seconds of a step, counts.
    pub fn shown(&self, first: i64, last: i64) -> Window {
        let step = self.coarse.step() * SECOND;
        let begin = first.div_euclid(step).saturating_mul(step);
        let window = between(&self.coarse, begin, (last.div_euclid(step) + 1).saturating_mul(step));
        window.coarser(window.counts.len().div_ceil(SHOWN_COUNTS))
    }
}

/// How many of a window's events come at once, and the pairs of steps that tell of it.
fn together(window: &Window, change: (i64, i64)) -> (f64, u32) {
    let (from, to) = change;
    let beside = to.saturating_sub(from).max(window.step.saturating_mul(SECOND));
    let ends = [from.saturating_sub(beside), from, to, to.saturating_add(beside)];
    let part = |index: usize| ends.iter().filter(|end| window.time(index) >= **end).count();
    let pairs = window.counts.iter().zip(window.counts.iter().skip(1)).enumerate();
    // What is beside a change may be a part of it.
    let within = pairs.filter(|(index, _)| part(*index) == part(*index + 1) && part(*index).is_multiple_of(2));
    let (squares, mean, number) = within.fold((0.0, 0.0, 0), |(squares, mean, number), (_, (one, next))| {
        (squares + (one - next).powi(2) / 2.0, mean + (one + next) / 2.0, number + u32::from(one + next > 0.0))
    });
    (((squares + CLUMP * CLUMP_SEEN) / (mean + CLUMP_SEEN)).max(1.0), number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_are_kept_while_they_fit_and_never_grow_beyond(seconds in proptest::collection::vec(0_i64..1_000_000, 1..400)) {
            let mut series = Series::default();
            for second in &seconds {
                series.add(second * SECOND);
            }
            prop_assert_eq!(series.coarse.iter().map(|(_, count)| *count).sum::<u32>() as usize, seconds.len());
            prop_assert!(series.coarse.iter().count() <= COARSE_COUNTS && series.fine.iter().count() <= FINE_COUNTS);
        }

        #[test]
        fn the_order_of_near_times_does_not_matter(mut seconds in proptest::collection::vec(0_i64..5000, 1..200)) {
            let count = |seconds: &[i64]| {
                let mut series = Series::default();
                seconds.iter().for_each(|second| series.add(second * SECOND));
                series.coarse.iter().map(|(_, count)| *count).sum::<u32>()
            };
            let before = count(&seconds);
            seconds.sort_unstable();
            prop_assert_eq!(before, count(&seconds));
        }
    }

    #[test]
    fn late_and_far_events_keep_the_series_small() {
        let mut series = Series::default();
        for second in [60_000, 59_940, 30_000, 60_000_000, 59_999_940, i64::MAX / SECOND, i64::MIN / SECOND] {
            series.add(second * SECOND);
            assert!(series.fine.iter().count() <= FINE_COUNTS && series.coarse.iter().count() <= COARSE_COUNTS);
        }
    }

    #[test]
    fn a_merge_adds_up() {
        let mut series = [Series::default(), Series::default()];
        for second in 0..1000 {
            series[usize::from(second % 3 == 0)].add(second * SECOND);
        }
        let [mut one, other] = series;
        one.merge(&other);
        assert_eq!(between(&one.fine, 0, 1000 * SECOND).counts.iter().sum::<f64>(), 1000.0);
    }

    #[test]
    fn events_that_come_together_are_told_from_those_that_do_not() {
        let of = |size: usize, season: f64| {
            let mut random = crate::detect::random::Random::new(11);
            let mut series = Series::default();
            for second in 0..40_000_i64 {
                let busy = 1.0 + season * (second as f64 / 8000.0 * std::f64::consts::TAU).sin();
                if random.share() < 0.02 * busy {
                    (0..size).for_each(|_| series.add(second * SECOND));
                }
            }
            series.clumps((0, 40_000 * SECOND), (i64::MAX, i64::MAX))
        };
        for (size, season, expected) in [(1, 0.0, 1.0), (1, 0.8, 1.0), (3, 0.0, 3.0), (3, 0.8, 3.0), (12, 0.0, 12.0)] {
            let clumps = of(size, season);
            assert!((clumps / expected - 1.0).abs() < 0.35, "{size} {season}: {clumps}");
        }
        let nothing = Series::default().clumps((0, 40_000 * SECOND), (0, 0));
        assert!((nothing - CLUMP).abs() < 1e-9, "{nothing}");
    }

    #[test]
    fn time_in_which_nothing_came_is_lost_where_much_comes_at_other_times() {
        let of = |every: i64| {
            let mut series = Series::default();
            (0..6000)
                .step_by(every as usize)
                .filter(|second| !(3000..3300).contains(second))
                .for_each(|second| series.add(second * SECOND));
            series
        };
        assert!(of(1).lost(3000 * SECOND, 3300 * SECOND) > 0.9);
        assert!((0.4..0.6).contains(&of(1).lost(3000 * SECOND, 3600 * SECOND)));
        assert_eq!(of(1).lost(1000 * SECOND, 2000 * SECOND), 0.0);
        // Where a line comes every ten minutes, five without one are none that are lost.
        assert_eq!(of(600).lost(3000 * SECOND, 3300 * SECOND), 0.0);
    }
}
