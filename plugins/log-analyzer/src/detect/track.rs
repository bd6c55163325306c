//! What is kept of the lines of one kind in one source.

use serde::{Deserialize, Serialize};

use super::{
    durations::Durations,
    gaps::Gaps,
    gauges::{self, Gauge},
    numbers,
    series::Series,
    starts,
};
use crate::{bytes::is_plain, line::Line, pending::text_of, record::Level, template::template};

/// Lines of a kind, from its first, in which its numbers are learnt.
const LEARNT_FROM: u64 = 12;
/// Later, each so many lines are looked at for numbers that were not there before.
const LOOK_AGAIN: u64 = 256;
/// Most places with values that have a limit.
const MAX_PLACES: usize = 2;
/// Bytes of a line that are kept as evidence.
const EVIDENCE_BYTES: usize = 500;

/// Whether numbers are learnt of the line that is the so-manieth of its kind.
pub const fn learns(count: u64) -> bool {
    count <= LEARNT_FROM || count.is_multiple_of(LOOK_AGAIN)
}

/// How many more places with numbers may be followed: what they take is many times what all else of a kind does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Room {
    /// Places with durations.
    pub durations: usize,
    /// Places with values that have a limit.
    pub gauges: usize,
}

/// Lines of one kind in one source.
#[derive(Clone, Serialize, Deserialize)]
pub struct Track {
    /// What they have in common, by the first of them: it stays the same whatever is learnt later.
    pub shape: String,
    /// How many.
    pub count: u64,
    /// When the first and the last came, in nanoseconds.
    pub seen: (i64, i64),
    /// How often over time.
    pub series: Series,
    /// The times between.
    pub gaps: Gaps,
    /// How long what they tell of took.
    pub durations: Vec<Durations>,
    /// What they measure.
    pub gauges: Vec<Gauge>,
    /// Whether they are for those who debug.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub debugs: bool,
    /// Whether they tell of a start of the service, and when that was, in nanoseconds; empty where there were too many.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    tells_start: bool,
    /// See above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<i64>,
    /// The first line and the last.
    pub first: (u64, String),
    /// See above.
    pub last: (u64, String),
    /// When it was seen last, in lines.
    pub used: u64,
    /// Whether there may have been lines before the first that is known of, which nothing is kept of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub came_before: bool,
}

impl Track {
    /// Of a kind whose first line this is.
    pub fn new(line: &Line<'_>, at: i64) -> Self {
        let first = (line.number, shorten(line.raw));
        let shape = template(&text_of(line.content));
        Self {
            debugs: line.level == Some(Level::Debug),
            tells_start: starts::tells(&shape),
            starts: Vec::new(),
            shape,
            count: 0,
            seen: (at, at),
            series: Series::default(),
            gaps: Gaps::default(),
            durations: Vec::new(),
            gauges: Vec::new(),
            last: first.clone(),
            first,
            used: 0,
            came_before: false,
        }
    }

    /// Adds a line. Places with numbers are learnt as long as there is room for them.
    pub fn add(&mut self, line: &Line<'_>, at: i64, used: u64, room: &mut Room) {
        self.count += 1;
        self.used = used;
        let before = self.seen.1;
        self.seen = (self.seen.0.min(at), before.max(at));
        self.series.add(at);
        self.gaps.add(at);
        if self.tells_start {
            starts::note(&mut self.starts, self.count, at);
        }
        // One line a second is evidence enough.
        if at / crate::time::SECOND != before / crate::time::SECOND {
            self.last.0 = line.number;
            self.last.1.clear();
            show(line.raw, &mut self.last.1);
        }
        let learning = learns(self.count);
        if learning || !self.durations.is_empty() || !self.gauges.is_empty() {
            self.numbers(line, at, learning, room);
        }
    }

    fn numbers(&mut self, line: &Line<'_>, at: i64, learning: bool, room: &mut Room) {
        let text = numbers::told(line);
        let told = if learning || !self.gauges.is_empty() { gauges::told(text) } else { None };
        let (durations, gauges) = (&mut self.durations, &mut self.gauges);
        numbers::scan(text, |number| {
            if Durations::take(durations, &number, at, learning, &mut room.durations) {
                return;
            }
            let Some(told) = told else { return };
            let Some(limit) = gauges::limit(&number, text, told) else { return };
            if let Some(known) = gauges.iter_mut().find(|known| known.name.as_bytes() == number.name) {
                known.add(at, number.value, limit);
            } else if learning && gauges.len() < MAX_PLACES && room.gauges > 0 {
                room.gauges -= 1;
                let mut new = Gauge::new(&number, limit, told);
                new.add(at, number.value, limit);
                gauges.push(new);
            }
        });
    }

    /// Takes in lines of another kind that turned out to be of this one.
    pub fn merge(&mut self, other: &Self) {
        if other.seen.0 < self.seen.0 {
            self.shape.clone_from(&other.shape);
            self.first.clone_from(&other.first);
        }
        if other.seen.1 > self.seen.1 {
            self.last.clone_from(&other.last);
        }
        self.count += other.count;
        self.used = self.used.max(other.used);
        self.debugs &= other.debugs;
        self.came_before |= other.came_before;
        self.starts.extend(&other.starts);
        self.seen = (self.seen.0.min(other.seen.0), self.seen.1.max(other.seen.1));
        self.series.merge(&other.series);
        self.gaps.merge(&other.gaps);
        for durations in &other.durations {
            match self.durations.iter_mut().find(|known| known.name == durations.name && known.unit == durations.unit) {
                Some(known) => known.merge(durations),
                None => self.durations.push(durations.clone()),
            }
        }
        for gauge in &other.gauges {
            match self.gauges.iter_mut().find(|known| known.name == gauge.name) {
                Some(known) => known.merge(gauge),
                None => self.gauges.push(gauge.clone()),
            }
        }
    }
}

fn shorten(raw: &[u8]) -> String {
    let mut text = String::new();
    show(raw, &mut text);
    text
}

/// Adds a line to a text as it is shown.
fn show(raw: &[u8], text: &mut String) {
    let raw = raw.get(..EVIDENCE_BYTES).unwrap_or(raw);
    match std::str::from_utf8(raw.trim_ascii_end()) {
        Ok(plain) if is_plain(raw) => text.push_str(plain),
        _ => text.push_str(text_of(raw).trim_end()),
    }
}
