//! The times between lines of one kind: whether they came regularly, and stopped.
//!
//! The times are taken as a gamma distribution of the shape that their variation says; how likely a gap so long is follows from
//! Chernoff's bound on its tail. The longest gap of many is judged by all of them.

use serde::{Deserialize, Serialize};

use crate::time::SECOND;

/// Fewest gaps that say what is usual.
const MIN_GAPS: u64 = 6;
/// The least and the most regular that is believed: the shape of the gamma distribution.
const SHAPES: (f64, f64) = (0.25, 8.0);
/// The normal distribution's quantile that leaves a tenth: of the shapes that so many gaps may have, the least regular tenth is left out.
const QUANTILE: f64 = 1.28;
/// A silence is so many times as long as the next longest.
const LONGER: f64 = 2.5;
/// A silence that ended has taken so many times as long as usual; restarts are shorter.
const LONGER_WHEN_OVER: f64 = 6.0;
/// A silence that goes on has taken so many times as long as usual.
const LONGER_WHEN_OPEN: f64 = 3.0;
/// The shortest silences, in seconds.
const SHORTEST_OPEN: f64 = 5.0;
const SHORTEST_OVER: f64 = 60.0;

/// A time without a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Gap {
    /// When the last line before it came, in nanoseconds.
    from: i64,
    /// Its length, in nanoseconds.
    length: i64,
}

/// The times between lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gaps {
    last: Option<i64>,
    number: u64,
    /// Mean and sum of squared deviations, in seconds (Welford, 1962).
    mean: f64,
    squares: f64,
    /// Lines of the same time as the last, which are in none of the former yet: where times are told by the second, most are.
    #[serde(default, skip_serializing_if = "is_none")]
    same: u64,
    longest: [Gap; 2],
}

/// A line that stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Silence {
    /// When the last line came, in nanoseconds.
    pub from: i64,
    /// When the next came, where one did.
    pub to: Option<i64>,
    /// Seconds between lines, usually.
    pub usual: f64,
    /// Seconds of the silence.
    pub lasted: f64,
    /// Lines that were to be expected meanwhile.
    pub missed: f64,
    /// How regular the lines were: the spread of the times between them, as a share of their mean.
    pub spread: f64,
    /// About the logarithm of how unlikely it is.
    pub evidence: f64,
}

impl Gaps {
    /// Notes a line; those that come late do not count.
    pub fn add(&mut self, at: i64) {
        let Some(last) = self.last else {
            self.last = Some(at);
            return;
        };
        let length = at.saturating_sub(last);
        if length == 0 {
            self.same += 1;
            return;
        }
        if length < 0 {
            return;
        }
        (self.number, self.mean, self.squares) = self.all();
        (self.last, self.same) = (Some(at), 0);
        self.number += 1;
        let seconds = length as f64 / SECOND as f64;
        let before = seconds - self.mean;
        self.mean += before / self.number as f64;
        self.squares += before * (seconds - self.mean);
        self.keep(Gap { from: last, length });
    }

    fn keep(&mut self, gap: Gap) {
        let [first, second] = &mut self.longest;
        if gap.length > first.length {
            *second = *first;
            *first = gap;
        } else if gap.length > second.length {
            *second = gap;
        }
    }

    /// Number, mean and squares of all gaps (Chan, Golub and LeVeque, 1983, for those without any length).
    #[inline]
    fn all(&self) -> (u64, f64, f64) {
        if self.same == 0 {
            return (self.number, self.mean, self.squares);
        }
        let (number, same) = (self.number as f64, self.same as f64);
        let share = number / (number + same);
        (self.number + self.same, self.mean * share, self.squares + self.mean * self.mean * same * share)
    }

    /// Seconds between lines, usually.
    pub fn usual(&self) -> f64 {
        self.all().1.max(1e-3)
    }

    /// The longest time without a line, in nanoseconds, that was not the only one so long.
    pub const fn often_away(&self) -> i64 {
        let [_, second] = self.longest;
        second.length
    }

    /// How irregular the lines are: the spread of the times between them, as a share of their mean.
    pub fn spread(&self) -> f64 {
        let (number, mean, squares) = self.all();
        spread(number, mean, squares)
    }

    /// How much of the time between two is in the longest gaps; all in nanoseconds.
    pub fn within(&self, from: i64, to: i64) -> i64 {
        let inside = |gap: &Gap| gap.from.saturating_add(gap.length).min(to).saturating_sub(gap.from.max(from)).max(0);
        self.longest.iter().map(inside).sum()
    }

    /// Takes in the lines of another kind that turned out to be of this one.
    pub fn merge(&mut self, other: &Self) {
        // What came in turns is told apart no more: the rates add up, and a gap is one where both have it.
        if other.all().0 > self.all().0 {
            *self = Self { last: self.last.max(other.last), ..other.clone() };
        } else {
            self.last = self.last.max(other.last);
        }
    }

    /// The silence that stands out, in a log that goes on until `end`. `expected` says how many lines were to be expected between
    /// two times by what else was logged; none where nothing else was.
    pub fn silence(&self, end: i64, expected: impl Fn(i64, i64) -> Option<f64>) -> Option<Silence> {
        let last = self.last?;
        let open = Gap { from: last, length: end.saturating_sub(last) };
        let [first, second] = self.longest;
        let open = self.judge(open, first, None, &expected);
        open.or_else(|| self.judge(first, second, Some(first.from.saturating_add(first.length)), &expected))
    }

    fn judge(
        &self,
        gap: Gap,
        next: Gap,
        to: Option<i64>,
        expected: impl Fn(i64, i64) -> Option<f64>,
    ) -> Option<Silence> {
        let lasted = gap.length as f64 / SECOND as f64;
        let (number, mean, squares) = if to.is_some() { self.without(lasted) } else { self.all() };
        if number < MIN_GAPS {
            return None;
        }
        let usual = mean.max(1e-3);
        let spread = spread(number, mean, squares);
        let (times, shortest) =
            if to.is_some() { (LONGER_WHEN_OVER, SHORTEST_OVER) } else { (LONGER_WHEN_OPEN, SHORTEST_OPEN) };
        let longer = lasted >= LONGER * next.length as f64 / SECOND as f64;
        if lasted < times * usual || lasted < shortest || !longer {
            return None;
        }
        let by_time = lasted / usual;
        let missed =
            expected(gap.from, gap.from.saturating_add(gap.length)).map_or(by_time, |by_load| by_load.min(by_time));
        if missed < times {
            return None;
        }
        // Few gaps may look regular by chance.
        let sure = 1.0 - QUANTILE * (2.0 / number as f64).sqrt();
        let shape = (sure / (spread * spread)).clamp(SHAPES.0, SHAPES.1);
        let evidence = shape * (missed - 1.0 - missed.ln()) - (number as f64).ln();
        Some(Silence { from: gap.from, to, usual, lasted, missed, spread, evidence })
    }

    /// Number, mean and squares without one gap.
    fn without(&self, seconds: f64) -> (u64, f64, f64) {
        let (all, mean_of_all, squares) = self.all();
        let number = all.saturating_sub(1);
        if number == 0 {
            return (0, 0.0, 0.0);
        }
        let mean = (mean_of_all * all as f64 - seconds) / number as f64;
        (number, mean, (squares - (seconds - mean_of_all) * (seconds - mean)).max(0.0))
    }
}

const fn is_none(same: &u64) -> bool {
    *same == 0
}

/// The spread of so many times as a share of their mean; times to the second say no more than that.
fn spread(number: u64, mean: f64, squares: f64) -> f64 {
    (squares / number.max(1) as f64 + 0.08).sqrt() / mean.max(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::random::Random;

    fn of(times: impl IntoIterator<Item = f64>) -> Gaps {
        let mut gaps = Gaps::default();
        times.into_iter().for_each(|second| gaps.add((second * SECOND as f64) as i64));
        gaps
    }

    #[test]
    fn a_heartbeat_that_stops_is_seen_and_one_that_is_late_is_not() {
        let gaps = of((0..30).map(|beat| f64::from(beat) * 30.0));
        let silence = gaps.silence(1200 * SECOND, |_, _| None).unwrap();
        assert_eq!((silence.from / SECOND, silence.to, silence.usual), (870, None, 30.0));
        assert!(silence.missed > 10.0 && silence.evidence > 10.0, "{silence:?}");
        assert_eq!(gaps.silence(920 * SECOND, |_, _| None), None);
    }

    #[test]
    fn a_silence_that_ended_has_an_end() {
        let gaps = of((0..60).filter(|beat| !(30..50).contains(beat)).map(|beat| f64::from(beat) * 30.0));
        let silence = gaps.silence(1780 * SECOND, |_, _| None).unwrap();
        assert_eq!((silence.from / SECOND, silence.to.map(|to| to / SECOND)), (870, Some(1500)));
    }

    #[test]
    fn what_stops_with_all_the_rest_has_not_vanished() {
        let gaps = of((0..30).map(|beat| f64::from(beat) * 30.0));
        assert_eq!(gaps.silence(1200 * SECOND, |_, _| Some(1.0)), None);
    }

    #[test]
    fn time_in_the_longest_gaps_is_told() {
        let gaps = of([0.0, 1.0, 2.0, 30.0, 31.0, 90.0, 91.0]);
        assert_eq!(gaps.within(0, 91 * SECOND) / SECOND, 28 + 59);
        assert_eq!(gaps.within(20 * SECOND, 40 * SECOND) / SECOND, 10 + 9);
        assert_eq!(gaps.within(0, 2 * SECOND), 0);
    }

    #[test]
    fn lines_of_one_time_count_as_gaps_of_no_length() {
        let times = [0.0, 0.0, 2.0, 2.0, 2.0, 5.0, 5.0];
        let gaps = of(times);
        let lengths: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
        let squares: f64 = lengths.iter().map(|length| (length - mean).powi(2)).sum();
        let (number, of_gaps, squares_of_gaps) = gaps.all();
        assert_eq!(number, lengths.len() as u64);
        assert!((of_gaps - mean).abs() < 1e-12 && (squares_of_gaps - squares).abs() < 1e-12, "{gaps:?}");
        assert!((gaps.usual() - mean).abs() < 1e-12 && (gaps.spread() - spread(number, mean, squares)).abs() < 1e-12);
        let saved = serde_json::to_string(&gaps).unwrap();
        assert_eq!(serde_json::from_str::<Gaps>(&saved).unwrap(), gaps);
    }

    #[test]
    fn chance_is_no_silence() {
        let mut wrong = 0;
        for seed in 0..500 {
            let mut random = Random::new(seed);
            let mut now = 0.0;
            let gaps = of((0..100).map(|_| {
                now -= (1.0 - random.share()).ln() * 20.0;
                now
            }));
            let end = ((now + random.share() * 60.0) * SECOND as f64) as i64;
            wrong += usize::from(gaps.silence(end, |_, _| None).is_some_and(|silence| silence.evidence > 4.0));
        }
        assert!(wrong <= 5, "{wrong} of 500");
    }
}
