//! Measured values that go to a limit: a disk that fills, a pool that runs out.
//!
//! A straight line is fitted to the means over time, to all of them and to shorter and shorter ends, since a leak may have begun
//! late. It counts where it explains nearly all, rises alike in both halves, and gets to the limit soon enough to matter.
//!
//! What can be used up is told by words that are known, or else by the numbers themselves: what stands beside a limit and goes up and
//! down is a level, whatever it is called, and what goes one way only is a count of what is done.

use serde::{Deserialize, Serialize};

use super::{
    bins::{Bins, Merge},
    durations::words,
    numbers::Number,
};
use crate::time::SECOND;

/// Most steps of time that are told apart.
const STEPS: usize = 128;
/// The widest of them, in seconds.
const WIDEST_SECONDS: i64 = 2048;
/// Fewest steps of a trend.
const MIN_STEPS: usize = 10;
/// The shares of all steps that trends are looked for in, at the end.
const ENDS: [f64; 4] = [1.0, 0.7, 0.45, 0.3];
/// The least share of the variance that a trend explains.
const LEAST_EXPLAINED: f64 = 0.7;
/// The longest time to the limit, as a multiple of the time that was looked at.
const HORIZON: f64 = 4.0;
/// How much steeper one half may be than the other.
const BENT: f64 = 2.5;
/// The normal distribution's quantile that leaves 5 % on each side.
const QUANTILE: f64 = 1.645;

/// The least share of a level's moves that go the one way, and the other: what is counted goes but one way, and begins anew.
const BOTH_WAYS: f64 = 0.15;

/// Words of what is used up.
const RESOURCES: [&str; 36] = [
    "disk",
    "memory",
    "mem",
    "heap",
    "cpu",
    "pool",
    "connection",
    "connections",
    "queue",
    "buffer",
    "space",
    "storage",
    "volume",
    "inode",
    "inodes",
    "fd",
    "fds",
    "descriptors",
    "handles",
    "threads",
    "quota",
    "capacity",
    "usage",
    "used",
    "utilization",
    "utilisation",
    "cache",
    "backlog",
    "lag",
    "slots",
    "swap",
    "sessions",
    "rss",
    "workers",
    "filesystem",
    "depth",
];
/// Words of what is meant to get to its end.
const PROGRESS: [&str; 20] = [
    "progress",
    "completed",
    "complete",
    "done",
    "processed",
    "step",
    "epoch",
    "batch",
    "chunk",
    "stage",
    "page",
    "part",
    "downloaded",
    "uploaded",
    "synced",
    "loading",
    "attempt",
    "retry",
    "iteration",
    "finished",
];
/// Words of what is left, which goes to nothing.
const LEFT: [&str; 6] = ["free", "available", "avail", "remaining", "left", "headroom"];
/// Words of a limit.
const LIMITS: [&str; 6] = ["limit", "max", "maximum", "capacity", "total", "quota"];

/// Those that make a name one of a limit by standing first in it.
const BOUNDS: [&str; 3] = ["limit", "max", "maximum"];
/// Units of sizes, as names have them behind what they measure.
const SIZES: [&str; 10] = ["b", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "tib", "bytes"];

/// The mean of some time's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    sum: f64,
    number: u32,
}

impl Merge for Mean {
    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.number = self.number.saturating_add(other.number);
    }
}

/// The values of one place in lines of one kind, and where they must not get to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gauge {
    /// What the place is called.
    pub name: String,
    /// The unit of its values, as the line writes it.
    pub unit: String,
    limit: f64,
    bins: Bins<Mean>,
    last: f64,
    /// Whether the words of its lines tell that it can be used up; else its moves have to.
    #[serde(default = "is_told", skip_serializing_if = "Clone::clone")]
    is_used_up: bool,
    /// How often it rose, and fell.
    #[serde(default)]
    moves: (u64, u64),
}

/// What was kept before moves were was told by words.
const fn is_told() -> bool {
    true
}

/// A value that gets to its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// The value now, by the trend.
    pub value: f64,
    /// The limit.
    pub limit: f64,
    /// How much more in a minute.
    pub per_minute: f64,
    /// Since when, in nanoseconds.
    pub from: i64,
    /// When it gets there most likely, earliest and latest.
    pub expected: i64,
    /// See above.
    pub earliest: i64,
    /// See above.
    pub latest: i64,
    /// How many standard errors the slope is.
    pub evidence: f64,
}

/// What a line's words tell of the numbers in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// They tell of something that can be used up.
    pub is_used_up: bool,
    /// They name a limit.
    names_limit: bool,
}

/// What a line with these words tells; nothing where it tells of what is meant to get to its end.
pub fn told(line: &[u8]) -> Option<Told> {
    let words = words(line);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    (!has(&PROGRESS)).then(|| Told { is_used_up: has(&RESOURCES), names_limit: has(&LIMITS) })
}

/// The limit of a number, where it has one: by the words of its line, or since one stands beside it.
pub fn limit(number: &Number<'_>, line: &[u8], told: Told) -> Option<f64> {
    let name = words(number.name);
    let is = |names: &[&str]| name.iter().any(|word| names.contains(&word.as_str()));
    if is(&LIMITS) && !is(&["used", "usage"]) {
        return None;
    }
    if told.is_used_up {
        let next = words(number.rest.get(..12).unwrap_or(number.rest)).into_iter().next();
        let is_left = is(&LEFT) || next.as_deref().is_some_and(|word| LEFT.contains(&word));
        if is_left {
            return Some(0.0);
        }
        if number.unit == b"%" || is(&["percent", "pct"]) || number.unit == b"percent" {
            return (number.value <= 100.0).then_some(100.0);
        }
        // `free disk space 812 MB`: what is left is named further before.
        let is_named = is(&RESOURCES) && words(line).iter().any(|word| LEFT.contains(&word.as_str()));
        if is_named && of_pair(number).is_none() {
            return Some(0.0);
        }
    }
    of_pair(number).or_else(|| {
        if !told.names_limit {
            return None;
        }
        let is_used = is(&RESOURCES);
        let mut named = None;
        let mut before = None;
        super::numbers::scan(line, |other| {
            let is_limit = is_limit(&words(other.name));
            // `active=12 max=50`: what stands right before a limit is what it limits, whatever it is called.
            let is_of_it = if is_used {
                other.unit == number.unit || number.unit.is_empty()
            } else {
                before == Some(number.name.as_ptr()) && other.unit == number.unit
            };
            if is_limit && is_of_it && other.value >= number.value {
                named = named.or(Some(other.value));
            }
            before = Some(other.name.as_ptr());
        });
        named
    })
}

/// Whether a name's words are those of a limit: `max`, `heap_limit`, `max_connections`, and with a unit behind it, `total_gb`.
fn is_limit(name: &[String]) -> bool {
    let is = |word: Option<&String>, words: &[&str]| word.is_some_and(|word| words.contains(&word.as_str()));
    let has_unit = is(name.last(), &SIZES);
    is(name.last(), &LIMITS) || is(name.first(), &BOUNDS) || has_unit && is(name.iter().rev().nth(1), &LIMITS)
}

/// The second of `12/50`, `12 / 50` and `12 of 50`.
fn of_pair(number: &Number<'_>) -> Option<f64> {
    let rest = number.rest.trim_ascii_start();
    let rest = rest.strip_prefix(b"/").or_else(|| rest.strip_prefix(b"of "))?.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    // A date, or a path.
    if rest.get(digits) == Some(&b'/') {
        return None;
    }
    let limit: f64 = std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()?;
    (limit >= number.value && limit > 0.0).then_some(limit)
}

impl Gauge {
    /// One of a place that a number was found in.
    pub fn new(number: &Number<'_>, limit: f64, told: Told) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            name: text(number.name),
            unit: text(number.unit),
            limit,
            bins: Bins::new(STEPS, WIDEST_SECONDS),
            last: number.value,
            is_used_up: told.is_used_up,
            moves: (0, 0),
        }
    }

    /// Adds a value.
    pub fn add(&mut self, at: i64, value: f64, limit: f64) {
        if let Some(mean) = self.bins.at_mut(at.div_euclid(SECOND)) {
            mean.merge(&Mean { sum: value, number: 1 });
            self.moves.0 += u64::from(value > self.last);
            self.moves.1 += u64::from(value < self.last);
            (self.last, self.limit) = (value, limit);
        }
    }

    /// Takes in the values of a place that turned out to be the same.
    pub fn merge(&mut self, other: &Self) {
        self.bins.merge(&other.bins);
        self.moves = (self.moves.0 + other.moves.0, self.moves.1 + other.moves.1);
        self.is_used_up |= other.is_used_up;
    }

    /// Whether it goes up and down, as a level does.
    fn is_level(&self) -> bool {
        let (rises, falls) = self.moves;
        rises.min(falls) as f64 >= BOTH_WAYS * (rises + falls).max(1) as f64
    }

    /// The trend to the limit, where there is one.
    pub fn trend(&self) -> Option<Trend> {
        if !self.is_used_up && !self.is_level() {
            return None;
        }
        let filled = self.bins.iter().filter(|(_, mean)| mean.number > 0);
        let half = self.bins.step() as f64 / 2.0;
        let points: Vec<(f64, f64)> =
            filled.map(|(second, mean)| (second as f64 + half, mean.sum / f64::from(mean.number))).collect();
        let all = points.last()?.0 - points.first()?.0;
        let of_end = |share: &f64| {
            let skip = (points.len() as f64 * (1.0 - share)) as usize;
            let end = points.get(skip..).filter(|end| end.len() >= MIN_STEPS)?;
            self.of(end, all)
        };
        // The end that a line explains best; what began late is bent when more is looked at.
        let (trend, _) = ENDS.iter().filter_map(of_end).max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        Some(trend)
    }

    /// The trend of the points, and how much of their variance it explains.
    fn of(&self, points: &[(f64, f64)], all: f64) -> Option<(Trend, f64)> {
        let line = Line::through(points)?;
        let (first, last) = (points.first()?.0, points.last()?.0);
        let (before, after) = points.split_at(points.len() / 2);
        let halves = [Line::through(before)?.slope, Line::through(after)?.slope];
        let towards = (self.limit - line.at(last)).signum();
        let value = line.at(last);
        let left = (self.limit - value) / line.slope;
        let straight = halves.iter().all(|half| {
            half * line.slope > 0.0 && half.abs() < line.slope.abs() * BENT && half.abs() * BENT > line.slope.abs()
        });
        let moved = (line.slope * (last - first)).abs();
        let matters = moved >= 0.08 * self.limit.abs().max(value.abs()).max(1e-9);
        if line.slope * towards <= 0.0
            || line.explained < LEAST_EXPLAINED
            || !straight
            || !matters
            || left <= 0.0
            || left > HORIZON * all.min(2.0 * (last - first))
        {
            return None;
        }
        // The slope's error is by far the largest; what surrounds the line adds to it.
        let faster = line.slope.abs() + QUANTILE * line.error;
        let slower = (line.slope.abs() - QUANTILE * line.error).max(line.slope.abs() / 20.0);
        let gap = (self.limit - value).abs();
        let nanoseconds = |seconds: f64| ((last + seconds) * SECOND as f64) as i64;
        let trend = Trend {
            value,
            limit: self.limit,
            per_minute: line.slope * 60.0,
            from: (first * SECOND as f64) as i64,
            expected: nanoseconds(left),
            earliest: nanoseconds((gap - QUANTILE * line.spread).max(0.0) / faster),
            latest: nanoseconds((gap + QUANTILE * line.spread) / slower),
            evidence: line.slope.abs() / line.error.max(1e-12),
        };
        Some((trend, line.explained))
    }
}

/// A straight line by least squares.
struct Line {
    slope: f64,
    middle: (f64, f64),
    /// Share of the variance that it explains.
    explained: f64,
    /// Standard error of the slope, with neighbours that depend on each other saying less.
    error: f64,
    /// Standard deviation of what is left over.
    spread: f64,
}

impl Line {
    fn through(points: &[(f64, f64)]) -> Option<Self> {
        let number = points.len() as f64;
        if number < 3.0 {
            return None;
        }
        let middle = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / number, sum.1 + point.1 / number));
        let wide: f64 = points.iter().map(|point| (point.0 - middle.0).powi(2)).sum();
        let high: f64 = points.iter().map(|point| (point.1 - middle.1).powi(2)).sum();
        let both: f64 = points.iter().map(|point| (point.0 - middle.0) * (point.1 - middle.1)).sum();
        if wide <= 0.0 || high <= 0.0 {
            return None;
        }
        let slope = both / wide;
        let left: Vec<f64> = points.iter().map(|point| point.1 - middle.1 - slope * (point.0 - middle.0)).collect();
        let rest: f64 = left.iter().map(|left| left * left).sum();
        let beside: f64 = left.iter().zip(left.iter().skip(1)).map(|(a, b)| a * b).sum();
        let correlation = (beside / rest.max(f64::MIN_POSITIVE)).clamp(0.0, 0.9);
        let variance = rest / (number - 2.0) * (1.0 + correlation) / (1.0 - correlation);
        let error = (variance / wide).sqrt();
        Some(Self { slope, middle, explained: 1.0 - rest / high, error, spread: (rest / (number - 2.0)).sqrt() })
    }

    fn at(&self, time: f64) -> f64 {
        self.middle.1 + self.slope * (time - self.middle.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{numbers, random::Random};

    fn limit_in(text: &str) -> Option<f64> {
        let mut found = None;
        let told = told(text.as_bytes())?;
        numbers::scan(text.as_bytes(), |number| found = found.or(limit(&number, text.as_bytes(), told)));
        found
    }

    #[test]
    fn limits_are_known_by_form_and_name() {
        assert_eq!(limit_in("disk usage at 81% on /data"), Some(100.0));
        assert_eq!(limit_in("connection pool: 12/50 in use"), Some(50.0));
        assert_eq!(limit_in("heap used=512 max=1024"), Some(1024.0));
        assert_eq!(limit_in("queue depth 12 limit 500"), Some(500.0));
        assert_eq!(limit_in("free disk space 812 MB"), Some(0.0));
        assert_eq!(limit_in("disk looked at used_gb=81 total_gb=500"), Some(500.0));
        assert_eq!(limit_in(r#"{"msg":"pool","ActiveNow":12,"MaxSize":50}"#), Some(50.0));
        assert_eq!(limit_in(r#"{"msg":"pool figures","active":12,"max":50}"#), Some(50.0));
        // Whatever it is of.
        assert_eq!(limit_in("berths 12 of 50"), Some(50.0));
        assert_eq!(limit_in("leases taken=12 limit=50"), Some(50.0));
        assert_eq!(limit_in("wagons waiting: 12 (limit 50)"), Some(50.0));
        for text in [
            "processed 12/50 files from the queue",
            "epoch 3/10",
            "took 12 ms",
            "cache hit for 12",
            "success rate 81%",
            "3 tries left",
            "pool tries=3 waited=7",
        ] {
            assert_eq!(limit_in(text), None, "{text}");
        }
    }

    fn gauge(value: impl Fn(f64) -> f64) -> Gauge {
        let mut random = Random::new(1);
        let mut gauge = None;
        for minute in 0..120 {
            let value = value(f64::from(minute)) + random.share() * 2.0 - 1.0;
            let number = Number { value, name: b"usage", unit: b"%", rest: b"", before: b"" };
            let told = Told { is_used_up: true, names_limit: false };
            gauge.get_or_insert_with(|| Gauge::new(&number, 100.0, told)).add(
                i64::from(minute) * 60 * SECOND,
                value,
                100.0,
            );
        }
        gauge.unwrap()
    }

    #[test]
    fn a_trend_gets_to_its_limit_in_the_time_that_is_foretold() {
        let trend = gauge(|minute| 40.0 + minute * 0.4).trend().unwrap();
        let expected = trend.expected as f64 / SECOND as f64 / 60.0;
        assert!((expected - 150.0).abs() < 5.0, "{expected}");
        assert!(trend.earliest < trend.expected && trend.expected < trend.latest, "{trend:?}");
        let late = gauge(|minute| if minute < 80.0 { 40.0 } else { 40.0 + (minute - 80.0) }).trend().unwrap();
        assert!((late.expected as f64 / SECOND as f64 / 60.0 - 140.0).abs() < 8.0, "{late:?}");
    }

    #[test]
    fn what_no_word_tells_of_is_a_level_where_it_goes_both_ways_and_a_count_where_it_goes_one() {
        let number = Number { value: 0.0, name: b"berths", unit: b"", rest: b"", before: b"" };
        let of = |values: &dyn Fn(i64) -> f64| {
            let told = Told { is_used_up: false, names_limit: false };
            let mut gauge = Gauge::new(&number, 100.0, told);
            (0..120).for_each(|minute| gauge.add(minute * 60 * SECOND, values(minute), 100.0));
            gauge.trend()
        };
        let wavers = |minute: i64| 20.0 + minute as f64 * 0.4 + [0.0, 3.0, -3.0][minute as usize % 3];
        assert!(of(&wavers).is_some());
        assert_eq!(of(&|minute| 20.0 + minute as f64 * 0.4), None);
        // From the beginning again, and again.
        assert_eq!(of(&|minute| (minute % 20) as f64 * 5.0), None);
    }

    #[test]
    fn what_stands_falls_or_swings_gets_to_no_limit() {
        assert_eq!(gauge(|_| 50.0).trend(), None);
        assert_eq!(gauge(|minute| 90.0 - minute * 0.3).trend(), None);
        assert_eq!(gauge(|minute| 50.0 + 30.0 * (minute / 9.0).sin()).trend(), None);
    }
}
