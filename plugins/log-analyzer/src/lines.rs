//! Lines out of parts that end anywhere, each bounded.

use memchr::memchr;
use serde::{Deserialize, Serialize};

/// Bytes of a line that are looked at; the rest is skipped.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// The unfinished last line of a source, and how many lines came before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineReader {
    #[serde(with = "hex")]
    partial: Vec<u8>,
    /// Bytes of the unfinished line that were skipped.
    skipped: u64,
    /// Lines that were finished.
    pub count: u64,
}

impl LineReader {
    /// Gives each line that the part finishes, with its number from 1, without its end.
    pub fn push(&mut self, mut part: &[u8], mut line: impl FnMut(u64, &[u8])) {
        while let Some(end) = memchr(b'\n', part) {
            let (head, rest) = part.split_at(end);
            part = rest.get(1..).unwrap_or_default();
            self.count += 1;
            if self.partial.is_empty() && self.skipped == 0 {
                line(self.count, trim(head.get(..MAX_LINE_BYTES).unwrap_or(head)));
            } else {
                self.keep(head);
                line(self.count, trim(&self.partial));
                self.partial.clear();
                self.skipped = 0;
            }
        }
        self.keep(part);
    }

    /// The unfinished last line, with the number that it will have.
    pub fn unfinished(&self) -> Option<(u64, &[u8])> {
        (!self.partial.is_empty()).then(|| (self.count + 1, trim(&self.partial)))
    }

    /// Cuts the unfinished line.
    pub fn shorten(&mut self, most: usize) {
        let cut = self.partial.len().saturating_sub(most);
        self.partial.truncate(most);
        self.skipped += cut as u64;
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE_BYTES.saturating_sub(self.partial.len()).min(bytes.len());
        let (kept, skipped) = bytes.split_at(room);
        self.partial.extend_from_slice(kept);
        self.skipped += skipped.len() as u64;
    }
}

/// Bytes as hex digits: text of known size for any bytes.
pub mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let text: String = digits.filter_map(|digit| DIGITS.get(usize::from(digit))).map(|c| char::from(*c)).collect();
        serializer.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        text.as_bytes().chunks(2).map(|digits| pair(digits).ok_or_else(|| D::Error::custom("no hex digits"))).collect()
    }
}

fn trim(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(parts: &[&[u8]]) -> Vec<(u64, Vec<u8>)> {
        let mut reader = LineReader::default();
        let mut lines = Vec::new();
        for part in parts {
            reader.push(part, |number, line| lines.push((number, line.to_vec())));
        }
        lines.extend(reader.unfinished().map(|(number, line)| (number, line.to_vec())));
        lines
    }

    #[test]
    fn ends_of_lines_are_taken_off() {
        assert_eq!(read(&[b"a\r\nb\n\nc"]), [(1, b"a".to_vec()), (2, b"b".to_vec()), (3, vec![]), (4, b"c".to_vec())]);
    }

    #[test]
    fn a_long_line_is_cut_and_costs_no_memory() {
        let mut reader = LineReader::default();
        let part = vec![b'x'; 1 << 20];
        for _ in 0..50 {
            reader.push(&part, |_, _| unreachable!());
        }
        assert!(reader.partial.capacity() <= 2 * MAX_LINE_BYTES);
        let mut lines = Vec::new();
        reader.push(b"end\nnext\n", |number, line| lines.push((number, line.len())));
        assert_eq!(lines, [(1, MAX_LINE_BYTES), (2, 4)]);
    }

    proptest! {
        #[test]
        fn parts_may_end_anywhere(text in "[ab\r\n]{0,200}", cuts in prop::collection::vec(0usize..200, 0..6)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&parts), read(&[bytes]));
        }
    }
}
