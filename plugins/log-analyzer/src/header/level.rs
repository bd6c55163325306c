//! The word of a header that is its level.

use super::HEADER_BYTES;
use crate::record::Level;

/// When a header's first word is a level, in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Always.
    Any,
    /// With a colon behind it.
    BeforeColon,
}

/// The first word of the header that is a level: in capitals anywhere in it, or in any case where it stands in brackets, in
/// `level=…`, or first.
pub fn level(line: &[u8], after: usize, first: First, words: usize) -> (Option<Level>, usize) {
    let end = (after + HEADER_BYTES).min(line.len());
    let mut at = after;
    let (mut word_index, mut prose) = (0, 0);
    let mut after_capitals = false;
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
            let capitals = word.iter().all(u8::is_ascii_uppercase);
            let bracketed = matches!((before, behind), (Some(b'[' | b'<' | b'('), Some(b']' | b'>' | b')')))
                || matches!((before, behind), (Some(b':'), Some(b']')));
            let assigned = matches!(before, Some(b'=')) || matches!(before, Some(b'"'));
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

fn rest_of(line: &[u8], at: usize, end: usize) -> &[u8] {
    line.get(at..end).unwrap_or_default()
}
