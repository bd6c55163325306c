//! Where in a line its times are.

use super::{HEADER_BYTES, from};
use crate::{
    record::Level,
    time::{self, LogTime},
};

/// Words behind the first time that are looked at for another.
pub const WORDS_TO_LATER_TIME: usize = 4;
/// Nanoseconds that two zones are apart at most, and that a line may be on its way.
const ZONES: u64 = 15 * 3600 * time::SECOND.unsigned_abs();

/// The time behind a first word, such as a host's name, a file's or a mark; and where it ends.
pub fn second_word_is_a_time(text: &[u8]) -> Option<(LogTime, usize)> {
    let space = memchr::memchr(b' ', text.get(..60.min(text.len()))?)?;
    let word = text.get(..space)?;
    let rest = text.get(space + 1..)?;
    if !rest.first()?.is_ascii_digit() || word.iter().any(|byte| matches!(byte, b'=' | b'"' | b',')) {
        return None;
    }
    time::read(rest).map(|(time, len)| (time, space + 1 + len))
}

/// A header may give the time twice, with a host between: the last is the most precise. One that is further from the first than zones
/// are apart is the message's.
pub fn later_time(line: &[u8], after: usize, first: LogTime) -> Option<(LogTime, usize)> {
    let mut at = after;
    let mut found = None;
    let mut words = 0;
    while words < WORDS_TO_LATER_TIME {
        let (word, start) = word_at(line, at);
        word.first()?;
        if start > at
            && may_be_a_time(word)
            && let Some((time, taken)) = time::read(from(line, start))
            && !is_bare_number(from(line, start), taken)
            && is_near(time, first)
        {
            at = start + taken;
            found = Some((time, at));
            words = 0;
            continue;
        }
        if ends_header(word) {
            break;
        }
        at = start + word.len();
        words += 1;
    }
    found
}

/// Whether two times of a header may be of one moment, in two zones.
fn is_near(time: LogTime, first: LogTime) -> bool {
    let apart = match (time.dated, first.dated) {
        (false, true) => time::near(time.nanoseconds, first.nanoseconds).abs_diff(first.nanoseconds),
        (true, false) => time::near(first.nanoseconds, time.nanoseconds).abs_diff(time.nanoseconds),
        _ => time.nanoseconds.abs_diff(first.nanoseconds),
    };
    apart <= ZONES
}

/// The next word, as far as it may be of a header, and where it starts.
pub fn word_at(line: &[u8], at: usize) -> (&[u8], usize) {
    let rest = from(line, at);
    let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
    let word = from(rest, blanks);
    let len = word.iter().take(HEADER_BYTES).take_while(|byte| **byte != b' ').count();
    (word.get(..len).unwrap_or_default(), at + blanks)
}

/// Whether a word looks like the beginning of a time.
pub fn may_be_a_time(word: &[u8]) -> bool {
    word.first()
        .is_some_and(|first| first.is_ascii_digit() && word.len() >= 8 || word.len() == 3 && first.is_ascii_uppercase())
}

/// Whether no time is looked for behind a word: it is the level, or a message begins there. A host's name has a digit or a sign in it.
pub fn ends_header(word: &[u8]) -> bool {
    let letters = word.iter().skip_while(|byte| !byte.is_ascii_alphabetic());
    let name = letters.clone().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let start = word.len() - letters.count();
    word.ends_with(b":")
        || name == word.len()
        || word.get(start..start + name).is_some_and(|name| Level::named(name).is_some())
}

/// The time in brackets behind other words, as access logs have it behind the client; and whether what was asked for stands behind it as
/// it does there, `[10/Oct/2000:13:55:36 -0700] "GET /`.
pub fn access_time(line: &[u8]) -> Option<(LogTime, bool)> {
    let head = line.get(..HEADER_BYTES.min(line.len()))?;
    memchr::memchr_iter(b'[', head).find_map(|open| {
        let text = line.get(open + 1..)?;
        let (time, length) = time::read(text)?;
        Some((time, from(text, length).starts_with(b"] \"")))
    })
}

/// Whether a time is a number alone.
pub fn is_bare_number(text: &[u8], len: usize) -> bool {
    text.get(..len).unwrap_or_default().iter().all(u8::is_ascii_digit)
        && text.get(len).is_none_or(|next| *next != b']' && *next != b')')
}
