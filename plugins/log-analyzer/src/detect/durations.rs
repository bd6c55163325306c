//! How long things took, as lines say, and whether they take longer.

use serde::{Deserialize, Serialize};
use sketches_ddsketch::{Config, DDSketch};

use super::{
    bins::{Bins, Merge},
    change::{self, Setting},
    numbers::{self, Number},
};
use crate::time::SECOND;

/// Most steps of time that are told apart.
const STEPS: usize = 96;
/// The widest of them, in seconds: about two days are looked at closely. Those before are kept in wider ones, of about two weeks.
const WIDEST_SECONDS: i64 = 2048;
const FAR_SECONDS: i64 = 16_384;
/// Most places with durations in lines of one kind.
const MAX_PLACES: usize = 2;
/// The relative error of a quantile.
const ACCURACY: f64 = 0.03;
/// Fewest values of a part whose quantiles are compared.
const MIN_VALUES: usize = 5;
/// How often the share of values above one is told more precisely.
const HALVINGS: usize = 16;
/// Fewest values of all.
const MIN_TOTAL: u64 = 40;
/// Least slowdown that matters, of the median and of the slowest tenth.
const SLOWER: [(f64, f64); 2] = [(0.5, 1.3), (0.9, 1.5)];
/// The share of values below the one before, under which they are a count and no durations.
const FALLS: f64 = 0.1;
/// Seconds in a day.
const DAY: f64 = 86_400.0;

/// Words of a name that say what is timed.
const TIMED: [&str; 12] = [
    "took",
    "duration",
    "elapsed",
    "latency",
    "responsetime",
    "requesttime",
    "timetaken",
    "exectime",
    "processingtime",
    "totaltime",
    "cost",
    "rt",
];
/// Words of a name of times that are no measure of work.
const UNTIMED: [&str; 23] = [
    "uptime",
    "timeout",
    "interval",
    "ttl",
    "age",
    "expire",
    "expires",
    "since",
    "delay",
    "retry",
    "retrying",
    "backoff",
    "remaining",
    "left",
    "every",
    "sleep",
    "sleeping",
    "period",
    "deadline",
    "limit",
    "max",
    "window",
    "schedule",
];
/// Words before an `after` that make it one of a time that was set: `timed out after`, `once again after`.
const WAITED: [&str; 2] = ["out", "again"];

/// Durations of some time; nothing where there were none, since the least of none is infinite, and JSON has no such number.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Sketch(Option<Box<DDSketch>>);

impl Merge for Sketch {
    fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            // All are made alike, so that none is refused.
            (Some(own), Some(other)) => drop(own.merge(other)),
            (own @ None, other) => own.clone_from(other),
            (Some(_), None) => {}
        }
    }
}

impl Sketch {
    fn add(&mut self, value: f64) {
        self.0.get_or_insert_with(|| Box::new(DDSketch::new(Config::new(ACCURACY, 1024, 1e-9)))).add(value);
    }

    fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |sketch| sketch.count())
    }

    fn quantile(&self, share: f64) -> Option<f64> {
        self.0.as_ref()?.quantile(share).ok().flatten().filter(|value| *value > 0.0)
    }

    /// The share of its values that are greater.
    fn above(&self, value: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..HALVINGS {
            let middle = (low + high) / 2.0;
            if self.quantile(middle).is_some_and(|quantile| quantile > value) { high = middle } else { low = middle }
        }
        1.0 - (low + high) / 2.0
    }
}

/// About the logarithm of how unlikely it is that so many of some values are greater than a quantile of others by chance alone: the
/// quantile of few values is no normal value (Kulldorff's scan statistic for shares, 1997). Neither share is known: that of the others is
/// of as many as they are.
fn by_values(before: &Sketch, since: &Sketch, share: f64) -> Option<f64> {
    let (known, count) = (before.count() as f64, since.count() as f64);
    // Values that are the same to the sketch are not greater.
    let above = since.above(before.quantile(share)? * (1.0 + ACCURACY));
    let usual = 1.0 - share;
    if above <= usual {
        return Some(0.0);
    }
    let all = (above * count + usual * known) / (count + known);
    let term = |part: f64, whole: f64| if part > 0.0 { part * (part / whole).ln() } else { 0.0 };
    let apart = |own: f64| term(own, all) + term(1.0 - own, 1.0 - all);
    Some(count * apart(above) + known * apart(usual))
}

/// The durations of one place in lines of one kind.
#[derive(Clone, Serialize, Deserialize)]
pub struct Durations {
    /// What the place is called.
    pub name: String,
    /// Seconds of one; none where the line names no unit.
    pub unit: Option<f64>,
    bins: Bins<Sketch>,
    /// Those that left the others.
    #[serde(default = "far", skip_serializing_if = "Bins::is_empty")]
    far: Bins<Sketch>,
    total: u64,
    last: f64,
    falls: u64,
}

const fn far() -> Bins<Sketch> {
    Bins::new(STEPS, FAR_SECONDS)
}

/// What takes longer than before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowdown {
    /// Since when, in nanoseconds.
    pub from: i64,
    /// Until when, where it ended.
    pub to: Option<i64>,
    /// Median before and since, then the 95th percentile.
    pub median: (f64, f64),
    /// The 95th percentile before and since.
    pub slow: (f64, f64),
    /// By how much the quantile grew that grew most clearly.
    pub ratio: f64,
    /// About the logarithm of how much more likely the values are with the change than without.
    pub evidence: f64,
}

/// Whether a number is a duration: none if not, else the seconds of one, where that is known.
pub fn unit(number: &Number<'_>) -> Option<Option<f64>> {
    let name = words(number.name);
    let is_untimed = |word: &String| UNTIMED.contains(&word.as_str());
    if name.iter().any(is_untimed)
        || is_after(number).is_some_and(|word| is_untimed(&word) || WAITED.contains(&word.as_str()))
    {
        return None;
    }
    if !number.unit.is_empty() {
        // A lone `m` is as often a length or a million.
        return numbers::seconds(number.unit).filter(|_| number.unit != b"m").map(Some);
    }
    let last = name.last()?.as_str();
    let seconds = match last {
        "ms" | "millis" | "msec" => Some(1e-3),
        "us" | "micros" | "usec" => Some(1e-6),
        "ns" | "nanos" => Some(1e-9),
        "s" | "sec" | "secs" | "seconds" if name.len() > 1 => Some(1.0),
        _ => None,
    };
    let joined = name.concat();
    (seconds.is_some()
        || TIMED.iter().any(|timed| joined == *timed || last == *timed || joined.ends_with(timed) && timed.len() > 4))
    .then_some(seconds)
}

/// What a number says when it is after, `retry after 5s`: `done after 5s` tells how long that took.
fn is_after(number: &Number<'_>) -> Option<String> {
    if !number.name.eq_ignore_ascii_case(b"after") {
        return None;
    }
    let before = number.before.trim_ascii_end();
    let before = before.get(..before.len().saturating_sub(number.name.len()))?.trim_ascii_end();
    let length = before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    words(before.get(before.len() - length..)?).pop()
}

/// The words of a name in lower case: `responseTimeMs`, `response_time_ms`, `response-time-ms`.
pub fn words(name: &[u8]) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for byte in name {
        let starts = byte.is_ascii_uppercase() && lower;
        if !byte.is_ascii_alphanumeric() || starts {
            words.push(String::new());
        }
        if byte.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        lower = byte.is_ascii_lowercase() || byte.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

impl std::fmt::Debug for Durations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Durations").field("name", &self.name).field("total", &self.total).finish_non_exhaustive()
    }
}

impl Durations {
    /// Those of a place that a number was found in.
    pub fn new(name: &[u8], unit: Option<f64>) -> Self {
        let name = String::from_utf8_lossy(name).into_owned();
        Self { name, unit, bins: Bins::new(STEPS, WIDEST_SECONDS), far: far(), total: 0, last: 0.0, falls: 0 }
    }

    /// Adds a number of a line to its place in it. Places are learnt as long as there is `room` for them, which they take. Whether it
    /// is of one that is known.
    pub fn take(known: &mut Vec<Self>, number: &Number<'_>, at: i64, learning: bool, room: &mut usize) -> bool {
        if let Some(known) = known.iter_mut().find(|known| known.name.as_bytes() == number.name) {
            if let Some(unit) = unit(number) {
                let scale = match (unit, known.unit) {
                    (Some(unit), Some(known)) => unit / known,
                    _ => 1.0,
                };
                known.add(at, number.value * scale);
            }
            return true;
        }
        if learning
            && known.len() < MAX_PLACES
            && *room > 0
            && let Some(unit) = unit(number)
        {
            *room -= 1;
            let mut new = Self::new(number.name, unit);
            new.add(at, number.value);
            known.push(new);
            return true;
        }
        false
    }

    /// Adds a value.
    pub fn add(&mut self, at: i64, value: f64) {
        if !(value.is_finite() && value > 0.0) {
            return;
        }
        self.total += 1;
        self.falls += u64::from(value < self.last);
        self.last = value;
        let second = at.div_euclid(SECOND);
        while let Some((begun, left)) = self.bins.leave_for(second) {
            if let Some(sketch) = self.far.at_mut(begun) {
                sketch.merge(&left);
            }
        }
        if let Some(sketch) = self.bins.at_mut(second) {
            sketch.add(value);
        }
    }

    /// Takes in those of a place that turned out to be the same.
    pub fn merge(&mut self, other: &Self) {
        self.far.merge(&other.far);
        self.bins.merge(&other.bins);
        self.total += other.total;
        self.falls += other.falls;
    }

    /// The slowdown that stands out, of the last days or of all; `load` gives what was logged from one second to another.
    pub fn slowdown(&self, load: impl Fn(i64, i64) -> f64) -> Option<Slowdown> {
        if self.total < MIN_TOTAL || (self.falls as f64) < FALLS * self.total as f64 {
            return None;
        }
        let near = self.look(&self.bins, &load);
        if self.far.is_empty() {
            return near;
        }
        let mut all = self.far.clone();
        all.merge(&self.bins);
        let far = self.look(&all, &load);
        [near, far].into_iter().flatten().max_by(|a, b| a.evidence.total_cmp(&b.evidence))
    }

    fn look(&self, bins: &Bins<Sketch>, load: impl Fn(i64, i64) -> f64) -> Option<Slowdown> {
        let parts = self.parts(bins);
        let step = bins.step();
        let begin = |index: usize| parts.get(index).map_or(0, |(second, _, _)| *second);
        let loads: Vec<f64> = parts
            .iter()
            .map(|(from, to, _)| (load(*from, *to) / ((to - from).max(1) as f64 / step as f64)).sqrt())
            .collect();
        let length = parts.last().map_or(0, |(_, to, _)| *to) - begin(0);
        let day = DAY / (length as f64 / parts.len().max(1) as f64).max(1.0);
        let mut best: Option<(f64, f64, change::Change)> = None;
        for (share, least) in SLOWER {
            let values: Vec<f64> =
                parts.iter().map(|(_, _, sketch)| sketch.quantile(share).unwrap_or(1e-9).ln()).collect();
            let variance = ACCURACY * ACCURACY / 3.0;
            let setting = Setting { day: Some(day), load: &loads, follows: false, variance };
            let Some(found) = change::find(&values, setting) else { continue };
            let slower = found.height.exp() >= least && found.rival < 0.6;
            if slower && best.as_ref().is_none_or(|(_, _, best)| found.evidence > best.evidence) {
                best = Some((share, found.height.exp(), found));
            }
        }
        let (share, ratio, found) = best?;
        let (mut before, mut since) = (Sketch::default(), Sketch::default());
        for (index, (_, _, sketch)) in parts.iter().enumerate() {
            if (found.from..found.to).contains(&index) { since.merge(sketch) } else { before.merge(sketch) }
        }
        let tried = 1.5 * (parts.len() as f64).ln();
        let by_values = by_values(&before, &since, share)? - tried;
        let both = |share: f64| Some((before.quantile(share)?, since.quantile(share)?));
        Some(Slowdown {
            from: begin(found.from).saturating_mul(SECOND),
            to: (found.to < parts.len()).then(|| begin(found.to).saturating_mul(SECOND)),
            median: both(0.5)?,
            slow: both(0.95)?,
            ratio,
            evidence: found.evidence.min(by_values),
        })
    }

    /// Parts with enough values each: the second that it begins, the one that it ends, and its values.
    fn parts(&self, bins: &Bins<Sketch>) -> Vec<(i64, i64, Sketch)> {
        let step = bins.step();
        let filled = bins.iter().filter(|(_, sketch)| sketch.count() > 0).count();
        let each = MIN_VALUES.max(self.total as usize / filled.max(1) / 3);
        let mut parts: Vec<(i64, i64, Sketch)> = Vec::new();
        for (second, sketch) in bins.iter().filter(|(_, sketch)| sketch.count() > 0) {
            match parts.last_mut().filter(|(_, _, last)| last.count() < each) {
                Some((_, to, last)) => {
                    last.merge(sketch);
                    *to = second + step;
                }
                None => parts.push((second, second + step, sketch.clone())),
            }
        }
        parts
    }
}

/// A duration for people: 12 ms, 1.5 s.
pub fn shown(value: f64, unit: Option<f64>) -> String {
    let Some(unit) = unit else { return three(value) };
    let seconds = value * unit;
    match seconds {
        s if s < 1e-6 => format!("{} ns", three(s * 1e9)),
        s if s < 1e-3 => format!("{} µs", three(s * 1e6)),
        s if s < 1.0 => format!("{} ms", three(s * 1e3)),
        s => format!("{} s", three(s)),
    }
}

/// About three digits that count.
pub fn three(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::random::Random;

    #[test]
    fn durations_are_told_from_other_numbers() {
        let of = |text: &str| {
            let mut found = None;
            numbers::scan(text.as_bytes(), |number| found = unit(&number).or(found));
            found
        };
        assert_eq!(of("request took 12ms"), Some(Some(1e-3)));
        assert_eq!(of("responseTimeMs=12"), Some(Some(1e-3)));
        assert_eq!(of("latency: 12"), Some(None));
        assert_eq!(of("query finished in 1.2 s"), Some(Some(1.0)));
        assert_eq!(of("clip transcoded after 1.2 s"), Some(Some(1.0)));
        assert_eq!(of("clip transcoded after 1m1.2s"), Some(Some(1.0)));
        for text in
            ["uptime=123s", "retry after 5s", "timed out after 5s", "timeout 30s", "size=12", "port 80", "items: 12"]
        {
            assert_eq!(of(text), None, "{text}");
        }
    }

    fn durations(seed: u64, slow: impl Fn(i64) -> f64) -> Durations {
        let (mut random, mut durations) = (Random::new(seed), Durations::new(b"took", Some(1e-3)));
        for second in 0..3600 {
            if random.share() < 0.3 {
                // About log-normal.
                let normal = (0..6).map(|_| random.share()).sum::<f64>() - 3.0;
                durations.add(second * SECOND, 50.0 * normal.exp() * slow(second));
            }
        }
        durations
    }

    #[test]
    fn a_slowdown_is_seen_with_its_size_and_time_and_chance_is_none() {
        let (mut wrong, mut right) = (0, 0);
        for seed in 0..60 {
            let slowdown = durations(seed, |_| 1.0).slowdown(|_, _| 1.0);
            wrong += usize::from(slowdown.is_some_and(|slowdown| slowdown.evidence > 5.0));
            let slowdown = durations(seed, |second| if second > 2400 { 2.0 } else { 1.0 }).slowdown(|_, _| 1.0);
            right += usize::from(slowdown.is_some_and(|slowdown| {
                slowdown.evidence > 5.0
                    && (slowdown.from / SECOND - 2400).abs() < 200
                    && (1.5..3.0).contains(&(slowdown.median.1 / slowdown.median.0))
            }));
        }
        assert!(wrong <= 2 && right >= 40, "{wrong} {right}");
    }

    #[test]
    fn a_count_that_grows_is_no_duration() {
        let mut durations = Durations::new(b"at", Some(1.0));
        (0..2000).for_each(|second| durations.add(second * SECOND, second as f64 + 1.0));
        assert_eq!(durations.slowdown(|_, _| 1.0), None);
    }

    #[test]
    fn durations_are_shown_with_three_digits() {
        assert_eq!(shown(1234.0, Some(1e-3)), "1.23 s");
        assert_eq!(shown(12.0, Some(1e-3)), "12 ms");
        assert_eq!(shown(0.35, None), "0.35");
    }

    #[test]
    fn a_slowdown_of_a_day_is_found_though_days_went_by_since() {
        let mut random = Random::new(9);
        let mut durations = Durations::new(b"took", Some(1e-3));
        for minute in 0..8 * 24 * 60_i64 {
            let slow = if (2 * 1440..3 * 1440).contains(&minute) { 3.0 } else { 1.0 };
            durations.add(minute * 60 * SECOND, slow * 20.0 * (1.0 + random.share()));
        }
        let found = durations.slowdown(|_, _| 1.0).unwrap();
        let day = 1440 * 60 * SECOND;
        assert!(found.ratio > 2.5 && found.evidence > 10.0, "{found:?}");
        assert!((found.from - 2 * day).abs() < day / 3 && found.to.is_some(), "{found:?}");
        let bytes = serde_json::to_vec(&durations).unwrap();
        let again: Durations = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(again.slowdown(|_, _| 1.0), Some(found));
    }
}
