//! The word of a header that is its level.

use super::HEADER_BYTES;
use crate::record::{Level, denies};

/// Names of a field that holds the level, in any case.
const KEYS: [&[u8]; 7] = [b"level", b"lvl", b"severity", b"loglevel", b"levelname", b"log.level", b"log_level"];

/// Bytes of the longest of them.
const LONGEST_KEY: usize = 9;

/// When a header's first word is a level, in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Always.
    Any,
    /// With a colon behind it.
    BeforeColon,
}

/// The first word of the header that is a level: in capitals anywhere in it, or in any case where it stands in brackets, in
/// `level=…`, or first. What a client asked for is no header's, nor is what stands behind it: it may hold any words.
pub fn level(line: &[u8], after: usize, first: First, words: usize) -> (Option<Level>, usize) {
    let end = (after + HEADER_BYTES).min(line.len());
    let mut at = after;
    let (mut word_index, mut prose) = (0, 0);
    let mut after_capitals = false;
    let mut denied = false;
    while word_index < words && prose < 2 {
        let rest = line.get(at..end).unwrap_or_default();
        let skip = rest.iter().take_while(|byte| !byte.is_ascii_alphabetic()).count();
        let word_start = at + skip;
        let rest = line.get(word_start..end).unwrap_or_default();
        let len = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if len == 0 {
            break;
        }
        let word = rest.get(..len).unwrap_or_default();
        at = word_start + len;
        // Letters of a name with digits, such as a node's or a date's, are no word.
        let is_word = len > 1 && !line.get(at).is_some_and(u8::is_ascii_digit);
        let index = word_index;
        let after_denial = std::mem::replace(&mut denied, denies(word));
        if asks(word, line.get(at..end).unwrap_or_default()) {
            break;
        }
        let named_program =
            std::mem::replace(&mut after_capitals, word.len() > 1 && word.iter().all(u8::is_ascii_uppercase));
        word_index += usize::from(is_word);
        // Words alone in lower case are a sentence's, which has its own words for what is bad.
        let alone = |byte: Option<&u8>| byte.is_none_or(|byte| *byte == b' ');
        let lower = is_word && word.iter().all(u8::is_ascii_lowercase);
        prose += usize::from(
            lower && alone(line.get(at)) && alone(word_start.checked_sub(1).and_then(|before| line.get(before))),
        );
        if (3..=9).contains(&len) {
            let before = word_start.checked_sub(1).and_then(|index| line.get(index));
            let behind = line.get(at);
            let part_of_a_name = matches!(before, Some(b'.' | b'_' | b'$' | b'/' | b'@'))
                || matches!(behind, Some(b'.' | b'_' | b'$' | b'/' | b'@' | b'('))
                || behind.is_some_and(u8::is_ascii_digit);
            // `Error: …` is an exception of that name.
            let is_exception = word == b"Error" && behind == Some(&b':');
            if part_of_a_name || is_exception {
                continue;
            }
            let of_address = matches!(before, Some(b'?' | b'&' | b'+' | b'%' | b'#'))
                || matches!(behind, Some(b'=' | b'&' | b'+' | b'%'));
            let assigned =
                matches!(before, Some(b'=' | b'"')) && is_assigned(line.get(..word_start).unwrap_or_default());
            if of_address || before == Some(&b'=') && !assigned {
                continue;
            }
            let capitals = word.iter().all(u8::is_ascii_uppercase) && !after_denial;
            let bracketed = matches!((before, behind), (Some(b'[' | b'<' | b'('), Some(b']' | b'>' | b')')))
                || matches!((before, behind), (Some(b':'), Some(b']')));
            let leading = index == 0 && (first == First::Any || first == First::BeforeColon && behind == Some(&b':'));
            // `PHP Warning:  …`, `PHP Fatal error:  …`: the program's name is before it.
            let kind = if rest_of(line, at, end).starts_with(b" error:") { b" error".len() } else { 0 };
            let of_program = index == 1 && named_program && line.get(at + kind) == Some(&b':') && !lower;
            if (capitals || bracketed || assigned || leading || of_program)
                && let Some(level) = Level::named(word)
            {
                return (Some(level), at + if of_program { kind } else { 0 });
            }
            if leading
                && behind == Some(&b':')
                && let Some(level) = Level::of_console(word)
            {
                return (Some(level), at);
            }
        }
    }
    (None, after)
}

/// Whether a word is the method of a request whose address stands behind it, `GET /cart`.
fn asks(word: &[u8], behind: &[u8]) -> bool {
    word.len() > 2
        && word.iter().all(u8::is_ascii_uppercase)
        && Level::named(word).is_none()
        && [&b" /"[..], b" http://", b" https://"].iter().any(|start| behind.starts_with(start))
}

/// Whether what stands before a value says that it is the level: `level=`, `level="`, `"level":"`, and no part of an address.
fn is_assigned(before: &[u8]) -> bool {
    let without_quote = |text: &[u8]| text.len() - usize::from(text.ends_with(b"\""));
    let sign = before.get(..without_quote(before)).unwrap_or_default().trim_ascii_end();
    let key = match sign.split_last() {
        Some((b'=', key)) => key,
        // In prose a colon stands behind any word.
        Some((b':', key)) if key.ends_with(b"\"") => key,
        _ => return false,
    };
    let key = key.get(..without_quote(key)).unwrap_or_default();
    let of_key = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
    let length = key.iter().rev().take(LONGEST_KEY + 1).take_while(of_key).count();
    let (first, name) = key.split_at(key.len() - length);
    KEYS.iter().any(|known| name.eq_ignore_ascii_case(known))
        && matches!(first.last(), None | Some(b' ' | b'\t' | b',' | b';' | b'{' | b'[' | b'(' | b'|' | b'"'))
}

fn rest_of(line: &[u8], at: usize, end: usize) -> &[u8] {
    line.get(at..end).unwrap_or_default()
}
