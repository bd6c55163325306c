//! What of a log is no text: counted, and left out where it could only be in the way.

use std::fmt;

use memchr::{memchr, memrchr};
use serde::Serialize;

/// Bytes of a line that are given to analyzers; the rest of it is left out.
pub const LINE_BYTES: usize = 64 << 10;
/// Zeros in a row that are a hole, as a writer leaves it that goes on behind where its log was truncated.
const HOLE_BYTES: usize = 64;
/// Bytes of a log's beginning by which it is told whether it is text.
const LOOK_BYTES: usize = 64 << 10;
/// A log is no text where more than one of so many bytes steers a terminal or says nothing at all.
const TEXT_PER_CONTROL: usize = 50;
/// Fewest bytes that are a judgement on a log.
const MIN_LOOK_BYTES: usize = 64;

/// What of a log was not read as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Amiss {
    /// Whether it begins as no text does.
    pub binary: bool,
    /// Lines of more than 64 KiB, of which the rest was left out.
    pub cut_lines: u64,
    /// Bytes that are no UTF-8.
    pub undecodable_bytes: u64,
    /// Zeros; many in a row were left out.
    pub nul_bytes: u64,
}

impl fmt::Display for Amiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { binary, cut_lines, undecodable_bytes, nul_bytes } = *self;
        let count = |count: u64, what: &str| (count > 0).then(|| format!("{count} {what}"));
        let parts = [
            binary.then(|| "it looks like no text, and was read as if it were".to_owned()),
            count(cut_lines, &format!("lines cut at {} KiB", LINE_BYTES >> 10)),
            count(undecodable_bytes, "bytes that are no UTF-8"),
            count(nul_bytes, "zero bytes"),
        ];
        write!(f, "{}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// Looks through one log's parts, which may end anywhere.
#[derive(Clone, Debug, Default)]
pub struct Sieve {
    /// Bytes of the unfinished line.
    line: usize,
    /// The beginning of a character that is not whole yet.
    unfinished: Vec<u8>,
    looked: usize,
    control: usize,
    cut_lines: u64,
    undecodable: u64,
    nul: u64,
}

impl Sieve {
    /// What is to be read of the part: the part itself, or what is left of it in `room`.
    pub fn sift<'a>(&mut self, part: &'a [u8], room: &'a mut Vec<u8>) -> &'a [u8] {
        self.look(part);
        self.decode(part);
        if memchr(0, part).is_none() && !self.has_long_line(part) {
            self.line = match memrchr(b'\n', part) {
                Some(end) => part.len() - end - 1,
                None => self.line + part.len(),
            };
            return part;
        }
        room.clear();
        for piece in part.split_inclusive(|byte| *byte == b'\n') {
            self.keep(piece, room);
        }
        room
    }

    /// What was amiss so far. An unfinished character at the end is none.
    pub fn amiss(&self) -> Amiss {
        Amiss {
            binary: self.looked >= MIN_LOOK_BYTES && self.control * TEXT_PER_CONTROL > self.looked,
            cut_lines: self.cut_lines,
            undecodable_bytes: self.undecodable + self.unfinished.len() as u64,
            nul_bytes: self.nul,
        }
    }

    /// Counts bytes that stand in no text. Zeros are counted apart: logs have holes.
    fn look(&mut self, part: &[u8]) {
        let looked = part.get(..LOOK_BYTES.saturating_sub(self.looked).min(part.len())).unwrap_or_default();
        let is_control = |byte: &&u8| matches!(**byte, 1..=7 | 14..=26 | 28..=31 | 127);
        self.control += looked.iter().filter(is_control).count();
        self.looked += looked.iter().filter(|byte| **byte != 0).count();
    }

    fn decode(&mut self, part: &[u8]) {
        let mut rest = part;
        if !self.unfinished.is_empty() {
            let before = self.unfinished.len();
            self.unfinished.extend(rest.iter().take(4 - before.min(4)));
            match std::str::from_utf8(&self.unfinished).map_err(|error| (error.valid_up_to(), error.error_len())) {
                Err((0, None)) => return,
                Err((0, Some(_))) => self.undecodable += before as u64,
                _ => {
                    let len = self.unfinished.first().map_or(1, |first| length(*first));
                    rest = rest.get(len.saturating_sub(before)..).unwrap_or_default();
                }
            }
            self.unfinished.clear();
        }
        while let Err(error) = std::str::from_utf8(rest) {
            let behind = rest.get(error.valid_up_to()..).unwrap_or_default();
            let Some(wrong) = error.error_len() else {
                self.unfinished.extend(behind);
                return;
            };
            self.undecodable += wrong as u64;
            rest = behind.get(wrong..).unwrap_or_default();
        }
    }

    /// Whether a line of the part is too long; looks at no more than one line's end in 64 KiB.
    fn has_long_line(&self, part: &[u8]) -> bool {
        let mut start = 0;
        let mut before = self.line;
        loop {
            let rest = part.get(start..).unwrap_or_default();
            // A line of the greatest length and its end.
            let room = (LINE_BYTES + 1).saturating_sub(before);
            if rest.len() < room {
                return false;
            }
            match memrchr(b'\n', rest.get(..room).unwrap_or_default()) {
                Some(end) => (start, before) = (start + end + 1, 0),
                None => return true,
            }
        }
    }

    /// Keeps a line, or a part of one with its end, but for holes and for what is too much.
    fn keep(&mut self, piece: &[u8], room: &mut Vec<u8>) {
        let (text, ends) = match piece.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (piece, false),
        };
        let mut rest = text;
        while let Some(at) = memchr(0, rest) {
            let (before, zeros) = rest.split_at(at);
            let zero_bytes = zeros.iter().take_while(|byte| **byte == 0).count();
            let (zeros, behind) = zeros.split_at(zero_bytes);
            self.nul += zero_bytes as u64;
            self.add(before, room);
            if zero_bytes < HOLE_BYTES {
                self.add(zeros, room);
            }
            rest = behind;
        }
        self.add(rest, room);
        if ends {
            room.push(b'\n');
            self.line = 0;
        }
    }

    fn add(&mut self, bytes: &[u8], room: &mut Vec<u8>) {
        let kept = bytes.len().min(LINE_BYTES.saturating_sub(self.line));
        room.extend(bytes.iter().take(kept));
        if kept < bytes.len() && self.line <= LINE_BYTES {
            self.cut_lines += 1;
            // One more than fits says that the line was cut already.
            self.line = LINE_BYTES + 1;
        } else {
            self.line += kept;
        }
    }
}

/// Bytes of the character that begins so.
const fn length(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sifted(parts: &[&[u8]]) -> (Vec<u8>, Amiss) {
        let (mut sieve, mut room, mut all) = (Sieve::default(), Vec::new(), Vec::new());
        for part in parts {
            all.extend_from_slice(sieve.sift(part, &mut room));
        }
        (all, sieve.amiss())
    }

    #[test]
    fn text_is_passed_on_as_it_is() {
        let text = "2026-11-23 Grüße \x1b[31mERROR\x1b[0m\ttab\r\n".repeat(9000);
        assert_eq!(sifted(&[text.as_bytes()]), (text.into_bytes(), Amiss::default()));
    }

    #[test]
    fn text_is_not_copied_unless_a_line_is_too_long() {
        let greatest = [vec![b'x'; LINE_BYTES], vec![b'\n']].concat();
        for text in [&b"a line\nand anoth"[..], &greatest, &[&greatest[..], b"and more\n"].concat()] {
            let mut room = Vec::new();
            assert!(std::ptr::eq(Sieve::default().sift(text, &mut room), text));
        }
        let (all, amiss) = sifted(&[&[b'x'; LINE_BYTES + 1], b"\n"]);
        assert_eq!((all, amiss), (greatest, Amiss { cut_lines: 1, ..Amiss::default() }));
    }

    #[test]
    fn the_rest_of_a_long_line_is_left_out_and_the_line_is_counted_once() {
        let part = vec![b'x'; LINE_BYTES / 2];
        let (all, amiss) = sifted(&[b"a\n", &part, &part, &part, &part, b"\nend\n", &part, &part, b"\n"]);
        assert_eq!(amiss, Amiss { cut_lines: 1, ..Amiss::default() });
        let lengths: Vec<usize> = all.split(|byte| *byte == b'\n').map(<[u8]>::len).collect();
        assert_eq!(lengths, [1, LINE_BYTES, 3, LINE_BYTES, 0]);
        let (all, amiss) = sifted(&[&[b'x'; 3 * LINE_BYTES], b"\nend"]);
        assert_eq!((all.len(), amiss.cut_lines), (LINE_BYTES + 4, 1));
    }

    #[test]
    fn a_hole_is_left_out_and_the_line_behind_it_is_read() {
        let hole = vec![0; 200_000];
        let (all, amiss) = sifted(&[b"one\n", &hole, &hole, b"two\n", b"th\0ree\n"]);
        assert_eq!(all, b"one\ntwo\nth\0ree\n");
        assert_eq!(amiss, Amiss { nul_bytes: 400_001, ..Amiss::default() });
    }

    #[test]
    fn as_many_zeros_as_make_a_hole_are_left_out_and_fewer_are_a_part_of_their_line() {
        let zeros = |count: usize| [&b"a"[..], &vec![0; count], b"b\n"].concat();
        assert_eq!(sifted(&[&zeros(HOLE_BYTES - 1)]).0, zeros(HOLE_BYTES - 1));
        assert_eq!(sifted(&[&zeros(HOLE_BYTES)]).0, b"ab\n");
        let half = vec![b'x'; LINE_BYTES / 2];
        let (all, amiss) = sifted(&[b"\0", &half, &half, b"\nend\n"]);
        assert_eq!((all.len(), amiss.cut_lines), (LINE_BYTES + 5, 1), "a line with zeros may be too long, too");
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_counted_and_passed_on() {
        let (all, amiss) = sifted(&["Gr\u{fc}\u{df}e \u{1f600}\n".as_bytes(), b"\xffGr\xfc\xdfe\n", b"\xe2\x82"]);
        assert_eq!(amiss.undecodable_bytes, 5);
        assert!(all.ends_with(b"Gr\xfc\xdfe\n\xe2\x82"));
    }

    #[test]
    fn a_character_that_comes_in_pieces_is_one_and_what_was_begun_and_is_none_is_counted() {
        let undecodable = |parts: &[&[u8]]| sifted(parts).1.undecodable_bytes;
        assert_eq!(undecodable(&[b"a\xf0", b"\x9f", b"\x98", b"\x80\n"]), 0, "a byte at a time");
        assert_eq!(undecodable(&[b"a\xf0\x9f", b"\x98"]), 3, "what is not whole at the end");
        assert_eq!(undecodable(&[b"a\xe2\x82", b"b\n"]), 2);
        assert_eq!(undecodable(&[b"\xff\xff\xff\n\xe2\x82", b"b\n"]), 5);
    }

    #[test]
    fn what_is_no_text_is_told_from_what_is() {
        let noise: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert!(sifted(&[&noise]).1.binary);
        assert!(!sifted(&["Журнал: ошибка 日志 错误\n".repeat(99).as_bytes()]).1.binary);
        assert!(!sifted(&[b"\x1b[1m\x07short"]).1.binary);
        let line = "x".repeat(TEXT_PER_CONTROL - 1) + "\x07";
        assert!(!sifted(&[line.repeat(2).as_bytes()]).1.binary, "one of so many bytes is not too much");
        assert!(sifted(&[(line.repeat(2) + "\x07").as_bytes()]).1.binary);
        assert!(!sifted(&[&[0; 4096], "2026-11-23 INFO after a hole\n".repeat(9).as_bytes()]).1.binary);
    }

    proptest! {
        #[test]
        fn it_makes_no_difference_where_parts_end(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "a", "\n", "ü", "😀", "\u{7f}", "long", "\u{1}", "€",
            ]), 0..60),
            broken in prop::collection::vec((0usize..60, any::<u8>()), 0..4),
            cuts in prop::collection::vec(0usize..200, 0..8),
        ) {
            let mut bytes: Vec<u8> = pieces.concat().replace("long", &"y".repeat(LINE_BYTES - 1)).into_bytes();
            for (at, byte) in broken {
                // A zero at a border is told of a hole only where it is whole.
                if at < bytes.len() && byte != 0 { bytes[at] = byte; }
            }
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(sifted(&parts), sifted(&[&bytes]));
        }
    }
}
