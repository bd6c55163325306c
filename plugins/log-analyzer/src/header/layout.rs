//! Headers of a form that was seen: nearly all lines of a log have one, and need not be read field by field again.
//!
//! A form is the header's bytes with each digit as `0`, as far as anything is looked at to read it: lines that have these bytes
//! in common differ in their time alone, which is read anew. What is kept of a form follows from the line, so that it is not
//! saved, and may be forgotten at any time.

use std::ops::Range;

use super::{
    Header, dashed,
    fields::behind_numbers,
    from, header, lettered, opening, piped, program, stream,
    when::{WORDS_TO_LATER_TIME, ends_header, may_be_a_time, word_at},
};
use crate::{
    bytes::{is_but_for_digits, is_same, without_digits},
    record::Level,
    time::{self, LogTime},
};

/// Bytes of the longest form that is kept.
const MAX_BYTES: usize = 128;
/// Bytes that tell in which set a form is kept.
const KEY_BYTES: usize = 24;
/// Bytes of the longest time.
const MAX_TIME_BYTES: usize = 32;
/// Bytes of a weekday and a month.
const NAMES_BYTES: usize = 7;
/// Sets of forms, a power of two.
const SETS: usize = 32;
/// Forms of a set: a program's loggers, the levels that they write, and how long a process' number is.
const FORMS: usize = 8;

/// Bytes behind the key by which it is guessed which form of a set a line has: most often a logger's name is there.
const GUESS_BYTES: usize = 24;
/// Guesses that are kept, a power of two.
const GUESSES: usize = 256;

/// The forms that were seen last.
#[derive(Clone, Debug, Default)]
pub struct Layouts {
    sets: Vec<Set>,
    /// The places in their sets of the forms that lines of the same hash had last.
    guesses: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Set {
    layouts: Vec<Layout>,
    /// The one that is replaced next.
    oldest: usize,
}

/// A form, and what a header of it says.
#[derive(Clone, Debug)]
struct Layout {
    masked: Vec<u8>,
    /// Where the time starts.
    start: usize,
    /// The last time that was read, as it was written: most lines of a second have the same.
    written: Vec<u8>,
    time: LogTime,
    level: Level,
    component: Range<usize>,
    content: usize,
}

impl Layouts {
    /// Reads a plain line's header: the same as [`header`], and faster.
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Header<'a> {
        let Some((key, behind)) = line.split_first_chunk::<KEY_BYTES>() else { return header(line) };
        if self.sets.is_empty() {
            self.sets.resize_with(SETS, Set::default);
            self.guesses.resize(GUESSES, 0);
        }
        let of_key = hash(0, key);
        let guess = behind
            .first_chunk::<GUESS_BYTES>()
            .and_then(|behind| self.guesses.get_mut(place(hash(of_key, behind), GUESSES)));
        let Some(set) = self.sets.get_mut(place(of_key, SETS)) else { return header(line) };
        let guessed = guess.as_deref().and_then(|guess| set.layouts.get_mut(usize::from(*guess)));
        if let Some(known) = guessed.and_then(|layout| layout.read(line)) {
            return known;
        }
        let known = set.layouts.iter_mut().enumerate().find_map(|(at, layout)| Some((at, layout.read(line)?)));
        if let Some((at, known)) = known {
            guess.into_iter().for_each(|guess| *guess = at as u8);
            return known;
        }
        let header = header(line);
        if let Some(layout) = Layout::of(line, &header) {
            set.put(layout);
        }
        header
    }
}

impl Set {
    fn put(&mut self, layout: Layout) {
        if self.layouts.len() < FORMS {
            self.layouts.push(layout);
        } else if let Some(oldest) = self.layouts.get_mut(self.oldest) {
            *oldest = layout;
            self.oldest = (self.oldest + 1) % FORMS;
        }
    }
}

impl Layout {
    /// The form of a line's header: none where a digit's value may tell how it is read, or where much behind it is looked at.
    fn of(line: &[u8], header: &Header<'_>) -> Option<Self> {
        let level = header.level?;
        let start = opening(line);
        let text = from(line, start);
        let (time, len) = time::read(text)?;
        // A priority's digits count, and what Google's loggers write is told by much of it.
        let is_other = line.starts_with(b"<") || time::lettered(text).is_some();
        if is_other || header.time != Some(time) || len > MAX_TIME_BYTES {
            return None;
        }
        let reach = reach(line, start + len, time, header)?.max(KEY_BYTES);
        let masked = line.get(..reach).filter(|_| reach <= MAX_BYTES)?;
        let masked = masked.iter().map(|byte| if byte.is_ascii_digit() { b'0' } else { *byte }).collect();
        let component = match header.component {
            b"" => 0..0,
            component => {
                let at = component.as_ptr().addr().checked_sub(line.as_ptr().addr())?;
                at..at + component.len()
            }
        };
        let written = text.get(..len)?.to_vec();
        Some(Self { masked, start, written, time, level, component, content: header.content })
    }

    /// The line's header, where it has this form.
    #[inline]
    fn read<'a>(&mut self, line: &'a [u8]) -> Option<Header<'a>> {
        let head = line.get(..self.masked.len())?;
        if !is_but_for_digits(head, &self.masked) {
            return None;
        }
        let written = head.get(self.start..self.start + self.written.len())?;
        if !is_same(written, &self.written) {
            let (time, len) = time::read(from(line, self.start))?;
            if len != self.written.len() || time.dated != self.time.dated {
                return None;
            }
            self.time = time;
            self.written.copy_from_slice(written);
        }
        let component = line.get(self.component.clone())?;
        Some(Header { time: Some(self.time), of_day: None, level: Some(self.level), component, content: self.content })
    }
}

/// Adds bytes without their digits to a hash.
#[inline]
fn hash<const BYTES: usize>(before: u64, bytes: &[u8; BYTES]) -> u64 {
    let (parts, _) = bytes.as_chunks::<8>();
    let add =
        |hash: u64, part: &[u8; 8]| (hash.rotate_left(5) ^ without_digits(*part)).wrapping_mul(0x517c_c1b7_2722_0a95);
    parts.iter().fold(before, add)
}

/// The place of a hash among so many, a power of two.
#[inline]
fn place(hash: u64, number: usize) -> usize {
    // The high bits of a product are the best mixed.
    (hash >> (u64::BITS - number.ilog2())) as usize
}

/// How many bytes of the line are looked at to read its header, which has its level behind the time; `after` is where the time
/// ends. None where it is not so, or where something else may be there that is looked at further.
fn reach(line: &[u8], after: usize, time: LogTime, header: &Header<'_>) -> Option<usize> {
    let rest = from(line, after);
    let another = stream(rest).is_some()
        || program(line, after, time).is_some()
        || piped(rest).is_some()
        || lettered(rest).is_some()
        || dashed(rest).is_some();
    // A level's letter may have a tag behind it, a program's name a dash.
    let (numbers, _) = behind_numbers(rest);
    let letter = matches!(from(rest, numbers), [b'A'..=b'Z', b' ' | b'/', ..]);
    let skip = rest.iter().take_while(|byte| matches!(byte, b' ' | b']' | b')')).count();
    let (name, start) = word_at(line, after + skip);
    let name_end = start + name.len();
    // Or a mark without letters before it.
    let dash = name.contains(&b'.')
        && name.last().is_some_and(u8::is_ascii_alphabetic)
        && !matches!(from(line, name_end), [b' ', b'a'..=b'z' | b'A'..=b'Z', ..]);
    if another || letter || dash {
        return None;
    }
    let mut at = after;
    for _ in 0..3 {
        let (word, start) = word_at(line, at);
        word.first()?;
        at = start + word.len();
    }
    let three_words = at + 1;
    let mut names = 0;
    at = after;
    for _ in 0..WORDS_TO_LATER_TIME {
        let (word, start) = word_at(line, at);
        if may_be_a_time(word) {
            if !time::is_none(from(line, start)) {
                return None;
            }
            names = start + NAMES_BYTES;
        }
        at = start + word.len();
        if ends_header(word) {
            break;
        }
    }
    let blanks = |at: usize| from(line, at).iter().take_while(|byte| **byte == b' ').count();
    let content = if header.component.is_empty() {
        // The first word of the content might have been a logger's name.
        let (word, start) = word_at(line, header.content);
        let end = start + word.len();
        let behind = end + blanks(end);
        if word.starts_with(b"[") || matches!(from(line, behind), [b'[', ..] | [b'-', b'-', ..]) {
            return None;
        }
        behind + 2
    } else {
        header.content + blanks(header.content) + 1
    };
    // A zone, or a year, may stand behind a time.
    [three_words, at + 1, names, content, name_end + 3, after + 8].into_iter().max()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parts of headers, of which many make one, and some none.
    const PARTS: [&str; 62] = [
        "081109 203615",
        "2026-11-23T10:00:00Z",
        "2026-11-23 10:00:00,123",
        "[2026-11-23T10:00:00Z",
        "17/06/09 20:10:40",
        "Jun 14 15:16:01",
        "1795428000",
        "1117838570 2005.06.03",
        "E1123 10:00:00.123456",
        "E20261123 10:00:00.123456",
        "[23-Nov-2026 10:00:00 UTC] PHP Fatal error: ",
        "10:00:00.123 ",
        "[10.30 16:49:06]",
        "<34>",
        "+0100",
        "2005",
        "2026-11-23",
        "99:99:99",
        " ",
        " ",
        " ",
        " ",
        "  ",
        " - ",
        " 148 ",
        " 12345678 ",
        " INFO ",
        " WARN ",
        "ERROR",
        " [main] ",
        "[error]",
        " D ",
        "dfs.DataNode$Xceiver: ",
        "c.shop.Cart - ",
        "shop::cart] ",
        "nova.compute [req-1 - -] ",
        "12345 --- [exec-1] o.s.Web   : ",
        "chrome.exe *64 - ",
        "|Step|3000|",
        "combo ",
        "sshd[19939]: ",
        "GET ",
        " Sun Dec 4 04:47:44 ",
        "Receiving block blk_12",
        "Created 17",
        "user ann",
        "Error: no",
        ": ",
        "[12]",
        "11/23/2026 10:00:00 AM",
        "Nov 23, 2026 10:00:00",
        "12/11/26 9:05:07 ",
        "2026-11-23T10:00:00.123456+00:00 web1 kernel: ",
        " UTC ",
        " AM ",
        " | main | 12 | ",
        "nginx.exe [12] - ",
        "I/Tag( 12): ",
        " 1702  2395 D ",
        " level=\"error\" ",
        "NO ",
        " /x?level=error",
    ];

    /// Lines of parts, each with other digits several times, and cut somewhere.
    fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let parts = prop::collection::vec(prop::sample::select(&PARTS[..]), 1..9);
        let digits = prop::collection::vec((prop::collection::vec(0u8..10, 1..40), any::<bool>(), 0usize..200), 2..6);
        (parts, digits).prop_map(|(parts, digits)| {
            let line = parts.concat();
            let other = |(digits, keeps, cut): (Vec<u8>, bool, usize)| {
                let mut digits = digits.into_iter().cycle();
                let mut next =
                    |byte: u8| if byte.is_ascii_digit() && !keeps { b'0' + digits.next().unwrap() } else { byte };
                line.bytes().map(&mut next).take(if cut > 100 { 1000 } else { cut }).collect()
            };
            digits.into_iter().map(other).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn a_known_form_is_read_as_a_new_one(lines in prop::collection::vec(lines(), 1..4)) {
            let mut layouts = Layouts::default();
            for line in lines.iter().flatten().chain(lines.iter().flatten()) {
                prop_assert_eq!(layouts.read(line), header(line), "{}", String::from_utf8_lossy(line));
            }
        }
    }

    #[test]
    fn forms_that_logs_have_are_known() {
        for (line, again) in [
            (
                "081109 203615 148 INFO dfs.DataNode$DataXceiver: Receiving block",
                "081110 203659 971 INFO dfs.DataNode$DataXceiver: Received x",
            ),
            (
                "2015-10-18 18:01:47,978 INFO [main] org.a.B: Created",
                "2015-10-18 19:01:47,123 INFO [main] org.a.B: Closed 12",
            ),
            (
                "2026-11-23 10:00:00,123 - shop.cart - ERROR - cannot pay 12",
                "2026-11-23 10:00:01,123 - shop.cart - ERROR - cannot pay 17",
            ),
            (
                "2026-03-02T10:00:00.123Z INFO GET /api/orders/17 200 12 ms",
                "2026-03-02T10:00:00.124Z INFO GET /api/orders/99 200 7 ms",
            ),
        ] {
            let header = header(line.as_bytes());
            let mut layout = Layout::of(line.as_bytes(), &header).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(layout.read(line.as_bytes()), Some(header));
            assert_eq!(layout.read(again.as_bytes()), Some(super::header(again.as_bytes())));
        }
    }

    #[test]
    fn forms_are_bounded_in_number() {
        let mut layouts = Layouts::default();
        for (a, b) in ('a'..='z').flat_map(|a| ('a'..='z').map(move |b| (a, b))) {
            layouts.read(format!("081109 203615 INFO {a}{b}.Node: done with block").as_bytes());
        }
        assert!(layouts.sets.len() == SETS && layouts.sets.iter().all(|set| set.layouts.len() <= FORMS));
        assert!(layouts.sets.iter().any(|set| set.layouts.len() == FORMS));
    }
}
