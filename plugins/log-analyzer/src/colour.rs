//! The sequences that programs write to a terminal for its colours, which tell nothing.

use memchr::memchr;

/// What every sequence begins with.
const ESCAPE: u8 = 0x1b;
/// Bytes of a sequence at most; what is longer is none.
const MAX_BYTES: usize = 256;

/// Whether there may be sequences in the bytes.
pub fn may_be_in(bytes: &[u8]) -> bool {
    memchr(ESCAPE, bytes).is_some()
}

/// The line without them: itself where it has none, else made in `room`.
pub fn without<'a>(line: &'a [u8], room: &'a mut Vec<u8>) -> &'a [u8] {
    if !may_be_in(line) {
        return line;
    }
    room.clear();
    let mut rest = line;
    while let Some(at) = memchr(ESCAPE, rest) {
        let (before, sequence) = rest.split_at(at);
        room.extend_from_slice(before);
        let length = length(sequence);
        // An escape alone is no sequence: it stays, for whoever cleans the text.
        room.extend_from_slice(sequence.get(..usize::from(length == 0)).unwrap_or_default());
        rest = sequence.get(length.max(1)..).unwrap_or_default();
    }
    room.extend_from_slice(rest);
    room
}

/// The length of the sequence at the start, or 0 where it is none (ECMA-48, section 5.4; an operating system's command ends with a bell
/// or `ESC \`).
fn length(text: &[u8]) -> usize {
    let text = text.get(..MAX_BYTES.min(text.len())).unwrap_or_default();
    let end = match text.get(1) {
        Some(b'[') => text.iter().skip(2).position(|byte| matches!(byte, 0x40..=0x7e)).map(|at| at + 3),
        Some(b']') => {
            let bell = memchr(0x07, text).map(|at| at + 1);
            bell.or_else(|| memchr::memmem::find(text, b"\x1b\\").map(|at| at + 2))
        }
        // A character set's.
        Some(b'(' | b')') => Some(3),
        _ => None,
    };
    end.filter(|end| *end <= text.len()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_are_taken_off_and_all_else_stays() {
        for (line, expected) in [
            ("plain", "plain"),
            ("\x1b[2m2026\x1b[0m \x1b[31;1mERROR\x1b[0m no", "2026 ERROR no"),
            ("\x1b]8;;http://a.example\x07link\x1b]8;;\x1b\\ end", "link end"),
            ("\x1b(Ba\x1b[Kb", "ab"),
            ("a\x1b b\x1b", "a\x1b b\x1b"),
            ("\x1b[31", "\x1b[31"),
        ] {
            assert_eq!(without(line.as_bytes(), &mut Vec::new()), expected.as_bytes(), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_left_is_of_the_line_and_in_its_order(line in "[ab\x1b\\[\\]m0;\x07\\\\]{0,60}") {
            let mut room = Vec::new();
            let mut rest = line.bytes();
            for byte in without(line.as_bytes(), &mut room) {
                prop_assert!(rest.any(|other| other == *byte));
            }
        }
    }
}
