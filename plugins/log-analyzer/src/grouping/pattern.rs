//! What a message says when its values are left out: the same for all lines that one statement of a program wrote.

use super::lex::{self, Sink};
use crate::bytes::{Map, hash};

/// Parts of a message that are looked at.
const MAX_PARTS: usize = 150;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Something that changes from line to line.
    Value,
    /// A mark between words.
    Mark(u8),
    /// A word, by its hash.
    Word(u64),
}

/// A part, and where it lies in the text that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: Kind,
    /// Where it starts.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
}

/// The message's parts, with what belongs together taken together: a number and its unit, a list of numbers, a value in
/// brackets, a date's words.
pub fn parts(text: &[u8]) -> Vec<Part> {
    let mut raw = Raw { text, parts: Vec::new(), loose: Vec::new() };
    lex::scan(text, &mut Map::default(), &mut raw);
    let Raw { mut parts, loose, .. } = raw;
    name_values(text, &mut parts, &loose);
    let mut out: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        out.push(part);
        while settle(text, &mut out) {}
    }
    out
}

struct Raw<'a> {
    text: &'a [u8],
    parts: Vec<Part>,
    /// Whether a blank follows.
    loose: Vec<bool>,
}

impl Raw<'_> {
    fn push(&mut self, kind: Kind, start: usize, end: usize, loose: bool) {
        if self.parts.len() < MAX_PARTS {
            // A text is shorter than 4 GiB: only its first bytes are looked at.
            self.parts.push(Part { kind, start: start as u32, end: end as u32 });
            self.loose.push(loose);
        }
    }
}

impl Sink for Raw<'_> {
    fn word(&mut self, start: usize, end: usize) {
        let word = self.text.get(start..end).unwrap_or_default();
        self.push(Kind::Word(hash(word)), start, end, false);
    }

    fn value(&mut self, start: usize, end: usize) {
        self.push(Kind::Value, start, end, false);
    }

    fn mark(&mut self, byte: u8, start: usize, end: usize, loose: bool) {
        self.push(Kind::Mark(byte), start, end, loose);
    }
}

fn bytes<'a>(text: &'a [u8], part: &Part) -> &'a [u8] {
    text.get(part.start as usize..part.end as usize).unwrap_or_default()
}

const EQUALS: Kind = Kind::Mark(b'=');

/// What is a value by what stands beside it: a date's words, `true` and the like behind a `=`, nothing behind a key.
fn name_values(text: &[u8], parts: &mut Vec<Part>, loose: &[bool]) {
    let mut out = Vec::with_capacity(parts.len());
    for (at, part) in parts.iter().enumerate() {
        let (before, after) = (at.checked_sub(1).and_then(|at| parts.get(at)), parts.get(at + 1));
        let after_kind = after.map(|after| after.kind);
        let mut part = *part;
        // `<1` is a value as `1` is; `<1>` has brackets.
        if matches!(part.kind, Kind::Mark(b'<' | b'>'))
            && after_kind == Some(Kind::Value)
            && parts.get(at + 2).is_none_or(|next| next.kind != Kind::Mark(b'>'))
        {
            continue;
        }
        if matches!(part.kind, Kind::Word(_)) {
            let word = bytes(text, &part);
            let dated = is_month(word) && after_kind == Some(Kind::Value)
                || is_weekday(word)
                    && (matches!(after_kind, Some(Kind::Value | Kind::Mark(b',')))
                        || after.is_some_and(|after| is_month(bytes(text, after))));
            if dated || before.is_some_and(|before| before.kind == EQUALS) && is_constant(word) {
                part.kind = Kind::Value;
            }
        }
        out.push(part);
        // `user= rhost=a`: a key without a value has an empty one.
        let keyed = part.kind == EQUALS
            && before.is_some_and(|before| matches!(before.kind, Kind::Word(_)) && before.end == part.start);
        let empty = match after_kind {
            None | Some(Kind::Mark(b',' | b';' | b')' | b']' | b'}')) => true,
            _ => loose.get(at) == Some(&true) && parts.get(at + 2).is_some_and(|next| next.kind == EQUALS),
        };
        if keyed && empty {
            out.push(Part { kind: Kind::Value, start: part.end, end: part.end });
        }
    }
    *parts = out;
}

fn is_month(word: &[u8]) -> bool {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    MONTHS.iter().any(|month| *month == word)
}

fn is_weekday(word: &[u8]) -> bool {
    const DAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    DAYS.iter().any(|day| *day == word)
}

/// Values that programming languages have words for.
fn is_constant(word: &[u8]) -> bool {
    [&b"true"[..], b"false", b"null", b"none", b"nil"].iter().any(|constant| word.eq_ignore_ascii_case(constant))
}

/// Units that stand behind a number, in lower case.
const UNITS: [&[u8]; 53] = [
    b"ns",
    b"us",
    b"ms",
    b"s",
    b"sec",
    b"secs",
    b"second",
    b"seconds",
    b"msec",
    b"msecs",
    b"usec",
    b"usecs",
    b"millis",
    b"millisecond",
    b"milliseconds",
    b"microsecond",
    b"microseconds",
    b"nanosecond",
    b"nanoseconds",
    b"min",
    b"mins",
    b"minute",
    b"minutes",
    b"h",
    b"hour",
    b"hours",
    b"day",
    b"days",
    b"b",
    b"kb",
    b"mb",
    b"gb",
    b"tb",
    b"kib",
    b"mib",
    b"gib",
    b"tib",
    b"byte",
    b"bytes",
    b"k",
    b"m",
    b"g",
    b"%",
    b"percent",
    b"bps",
    b"kbps",
    b"mbps",
    b"gbps",
    b"hz",
    b"khz",
    b"mhz",
    b"ghz",
    b"rpm",
];

/// Whether a word is a unit, in any case.
fn is_unit(word: &[u8]) -> bool {
    word.len() <= 12 && UNITS.iter().any(|unit| word.eq_ignore_ascii_case(unit))
}

/// Takes the last parts together where they are one value; whether it did.
fn settle(text: &[u8], out: &mut Vec<Part>) -> bool {
    let last = out.get(out.len().saturating_sub(4)..).unwrap_or_default();
    let taken = match last {
        [.., Part { kind: Kind::Value, .. }, Part { kind: Kind::Value, .. }] => 2,
        [.., Part { kind: Kind::Value, .. }, part @ Part { kind: Kind::Word(_), .. }] if is_unit(bytes(text, part)) => {
            2
        }
        // `(1.2 MB)`, but not right behind a name: `chdir(/p)`.
        [before, open, Part { kind: Kind::Value, .. }, close]
            if is_pair(open.kind, close.kind) && !touches(before, open) =>
        {
            3
        }
        [open, Part { kind: Kind::Value, .. }, close] if is_pair(open.kind, close.kind) => 3,
        [.., before, open, close] if is_pair(open.kind, close.kind) && !touches(before, open) => 2,
        [.., Part { kind: Kind::Value, .. }, Part { kind: Kind::Mark(mark), .. }, Part { kind: Kind::Value, .. }]
            if b",:;|-.".contains(mark) =>
        {
            3
        }
        _ => return false,
    };
    let first = out.len() - taken;
    let end = out.last().map_or(0, |last| last.end);
    out.truncate(first + 1);
    if let Some(value) = out.last_mut() {
        value.kind = Kind::Value;
        value.end = end;
    }
    true
}

/// Whether a bracket opens right behind a name.
fn touches(before: &Part, open: &Part) -> bool {
    before.end == open.start && matches!(before.kind, Kind::Word(_))
}

fn is_pair(open: Kind, close: Kind) -> bool {
    let (Kind::Mark(open), Kind::Mark(close)) = (open, close) else { return false };
    matches!((open, close), (b'(', b')') | (b'[', b']') | (b'{', b'}'))
}
