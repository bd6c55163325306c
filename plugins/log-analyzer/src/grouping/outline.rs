//! Outlines that were seen: most lines are like one before but for their numbers, so that they need not be taken apart.
//!
//! An outline is the message with each number in it as one digit: `0` for most, another where it has dots in it, as an address does, and
//! how long it is where that may tell whether it is a value. Messages of one outline are taken apart in the same way, and where no word of theirs has a digit in it they are of one shape.
//! Outlines are compared, not only their hashes: nobody can write a line that is taken for another.
//!
//! It holds nothing that cannot be found again, so it is not saved, and an outline may be forgotten at any time.

use std::fmt;

use crate::{bytes::is_same, digits::Digits};

/// Outlines that are remembered at most: they take 2 MiB.
const MAX_OUTLINES: usize = 1 << 12;
/// Bytes of a message that is looked up.
const MAX_BYTES: usize = Digits::MOST_BYTES;
/// Bytes that are copied at once, which may be more than are asked for.
const PIECE_BYTES: usize = 16;
/// From so many digits on it does not matter how many there are: a group of an address has four.
const MANY: usize = 5;
/// Stands for a number with dots in it, which is no part of a name or of an address in hex.
const DOTTED: usize = 6;
/// Messages that are looked up before it is asked whether that is of use.
const TRIED: u32 = 256;
/// Messages that are taken apart at once where it was not.
const LEFT_OUT: u32 = 4096;

/// How long an outline is, or nothing where there is none, and what became of its message.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    length: usize,
    slot: usize,
    plain: bool,
}

/// Outlines, each in the place that its hash gives it: the newer stays. A copy knows none.
#[derive(Default)]
pub struct Outlines {
    known: Vec<Known>,
    /// The outlines themselves, each in a part of this of the same length: so none needs memory of its own.
    texts: Vec<u8>,
    /// The outline of the message that was looked up last.
    last: Outline,
    /// Messages that were looked up since it was asked whether that is of use, and those that were known.
    tried: u32,
    found: u32,
    /// Messages that are not looked up: of late few were known.
    left_out: u32,
}

impl Clone for Outlines {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Outlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlines").finish_non_exhaustive()
    }
}

impl Outlines {
    /// The slot of the pattern of a message whose outline is known, and whether its words are plain.
    #[inline]
    pub fn get(&mut self, text: &[u8]) -> Option<(usize, bool)> {
        if self.left_out > 0 {
            self.left_out -= 1;
            self.last.length = 0;
            return None;
        }
        self.tried += 1;
        if self.tried > TRIED {
            self.left_out = if self.found < TRIED / 4 { LEFT_OUT } else { 0 };
            (self.tried, self.found) = (1, 0);
        }
        self.last.read(text);
        let outline = self.last.bytes();
        let place = place(outline);
        let known = self.known.get(place).filter(|known| known.length > 0)?;
        let start = place * MAX_BYTES;
        if !is_same(outline, self.texts.get(start..start + known.length)?) {
            return None;
        }
        self.found += 1;
        Some((known.slot, known.plain))
    }

    /// Remembers the message that was looked up last, none of whose words has a digit in it.
    pub fn put(&mut self, slot: usize, plain: bool) {
        let outline = self.last.bytes();
        if outline.is_empty() {
            return;
        }
        if self.known.is_empty() {
            self.known.resize(MAX_OUTLINES, Known::default());
            self.texts.resize(MAX_OUTLINES * MAX_BYTES, 0);
        }
        let (place, length) = (place(outline), outline.len());
        let start = place * MAX_BYTES;
        if let (Some(known), Some(text)) = (self.known.get_mut(place), self.texts.get_mut(start..start + length)) {
            text.copy_from_slice(outline);
            *known = Known { length, slot, plain };
        }
    }

    /// Forgets all, since slots have changed.
    pub fn clear(&mut self) {
        self.known.fill(Known::default());
    }
}

/// Where an outline's place is.
#[inline]
fn place(outline: &[u8]) -> usize {
    let add = |hash: u64, part: u64| (hash.rotate_left(5) ^ part).wrapping_mul(0x517c_c1b7_2722_0a95);
    let mut hash = outline.as_chunks().0.iter().fold(0, |hash, eight| add(hash, u64::from_le_bytes(*eight)));
    if let Some(last) = outline.last_chunk() {
        hash = add(hash, u64::from_le_bytes(*last));
    }
    // The high bits of a product are the best mixed.
    (hash >> (u64::BITS - MAX_OUTLINES.ilog2())) as usize
}

/// Room for an outline, and for a piece behind it.
#[derive(Clone)]
struct Outline {
    bytes: [u8; MAX_BYTES + 2 * PIECE_BYTES],
    length: usize,
    digits: Digits,
}

impl Default for Outline {
    fn default() -> Self {
        Self { bytes: [0; MAX_BYTES + 2 * PIECE_BYTES], length: 0, digits: Digits::default() }
    }
}

impl Outline {
    /// That of the last message; empty where it is too long to be looked up.
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    #[inline]
    fn read(&mut self, text: &[u8]) {
        self.length = 0;
        if text.len() > MAX_BYTES {
            return;
        }
        self.digits.read(text);
        let mut at = 0;
        while at < text.len() {
            let number = self.digits.next(at).min(text.len());
            self.copy(text, at, number);
            at = self.digits.next_other(number).min(text.len());
            if number < at {
                let told = if self.digits.is_whole(number, at) { told(text, number, at) } else { DOTTED };
                let digit = b'0' + told as u8;
                if let Some(to) = self.bytes.get_mut(self.length) {
                    *to = digit;
                }
                self.length += 1;
            }
        }
    }

    /// Copies a part of the text by pieces, the last of which may be longer than what is left.
    #[inline]
    fn copy(&mut self, text: &[u8], start: usize, end: usize) {
        let mut at = start;
        while at < end {
            let to = self.length + at - start;
            match (text.get(at..at + PIECE_BYTES), self.bytes.get_mut(to..to + PIECE_BYTES)) {
                (Some(piece), Some(room)) => room.copy_from_slice(piece),
                _ => {
                    let rest = text.get(at..end).unwrap_or_default();
                    self.bytes.iter_mut().skip(to).zip(rest).for_each(|(to, byte)| *to = *byte);
                    break;
                }
            }
            at += PIECE_BYTES;
        }
        self.length += end - start;
    }
}

/// What an outline tells of a number's length: all up to a bound where it may be part of a name or of an address, else nothing.
#[inline]
fn told(text: &[u8], start: usize, end: usize) -> usize {
    // A name has letters behind its number, and an address has hex digits and colons.
    let before = start.checked_sub(1).and_then(|before| text.get(before));
    let is_part = matches!(text.get(end), Some(b':' | b'$' | b'a'..=b'z' | b'A'..=b'Z'))
        || matches!(before, Some(b':' | b'a'..=b'f' | b'A'..=b'F'));
    if is_part { (end - start).min(MANY) } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        bytes::Map,
        grouping::{lex, lex::Sink},
    };

    fn outline(text: &[u8]) -> Vec<u8> {
        let mut outline = Outline::default();
        // What was there before is no part of it.
        outline.read(&[b'7'; 300]);
        outline.read(text);
        outline.bytes().to_vec()
    }

    /// A message's parts without its values, and whether a word has a digit in it.
    #[derive(Default)]
    struct Parts<'a>(&'a [u8], Vec<u8>, bool);

    impl Sink for Parts<'_> {
        fn word(&mut self, start: usize, end: usize) {
            self.1.push(b' ');
            self.1.extend(&self.0[start..end]);
            self.2 |= self.0[start..end].iter().any(u8::is_ascii_digit);
        }

        fn value(&mut self, _: usize, _: usize) {
            self.1.extend(b" <*>");
        }

        fn mark(&mut self, byte: u8, _: usize, _: usize, loose: bool) {
            self.1.extend([byte, u8::from(loose)]);
        }
    }

    fn parts(text: &[u8]) -> Parts<'_> {
        let mut parts = Parts(text, Vec::new(), false);
        lex::scan(text, &mut Map::default(), &mut parts);
        parts
    }

    #[test]
    fn a_number_is_told_by_its_length_where_that_may_matter_alone() {
        for (text, expected) in [
            ("order 4711 failed", "order 0 failed"),
            ("from /10.251.73.220:50010:Got 7", "from /6:5:Got 0"),
            ("took 1.5 s. 7... 1..2", "took 6 s. 0... 0..0"),
            ("Http2Exception in a1b22", "Http1Exception in a1b2"),
            ("12", "0"),
            ("", ""),
            ("took 12ms, 3 s, 123456$", "took 2ms, 0 s, 5$"),
        ] {
            assert_eq!(String::from_utf8(outline(text.as_bytes())).unwrap(), expected, "{text}");
        }
        assert!(outline(&[b'a'; MAX_BYTES + 1]).is_empty());
    }

    #[test]
    fn only_what_is_of_an_outline_is_known_and_slots_that_changed_are_forgotten() {
        let mut outlines = Outlines::default();
        assert_eq!(outlines.get(b"order 17 failed"), None);
        outlines.put(3, true);
        assert_eq!(outlines.get(b"order 4711 failed"), Some((3, true)));
        assert_eq!(outlines.get(b"order x failed"), None);
        outlines.clear();
        assert_eq!(outlines.get(b"order 4711 failed"), None);
    }

    #[test]
    fn nothing_is_looked_up_for_a_while_where_little_is_known() {
        let mut outlines = Outlines::default();
        let mut looked_up = 0;
        let name = |number: u32| number.to_string().bytes().map(|digit| char::from(digit + 49)).collect::<String>();
        for number in 0..20_000 {
            outlines.get(name(number).as_bytes());
            looked_up += u32::from(!outlines.last.bytes().is_empty());
            outlines.put(1, true);
        }
        assert!((TRIED..2000).contains(&looked_up), "{looked_up}");
        assert_eq!((outlines.known.len(), outlines.texts.len()), (MAX_OUTLINES, 2 << 20));
    }

    /// Texts of one form with several numbers in the place of each.
    fn alike() -> impl Strategy<Value = (String, String)> {
        let words = prop_oneof![
            4 => "[a-cx:./=?&@$,_ -]{1,4}",
            1 => prop::sample::select(vec!["Http", "Exception", " ", "://", "...", "ab", "Error", "\u{e9}", "", "(", "/x/"])
                .prop_map(str::to_owned),
        ];
        let number = || prop_oneof![2 => "[0-9]{1,7}", 1 => "[0-9]{1,4}(\\.[0-9]{1,3}){1,3}"];
        prop::collection::vec((words, number(), number()), 1..9).prop_map(|parts| {
            let text = |of: fn(&(String, String, String)) -> &String| {
                parts.iter().flat_map(|part| [part.0.as_str(), of(part)]).collect::<String>()
            };
            (text(|part| &part.1), text(|part| &part.2))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn messages_of_one_outline_are_of_one_shape((one, other) in alike()) {
            if outline(one.as_bytes()) == outline(other.as_bytes()) {
                let (one, other) = (parts(one.as_bytes()), parts(other.as_bytes()));
                prop_assert_eq!(one.2, other.2);
                prop_assert!(one.2 || one.1 == other.1, "{} {}", String::from_utf8_lossy(&one.1), String::from_utf8_lossy(&other.1));
            }
        }

        #[test]
        fn an_outline_is_the_text_with_each_number_as_a_digit(text in "[a-c0-9:. \u{e9}-]{0,200}") {
            let is_digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
            let places: Vec<(u8, bool)> = text
                .bytes()
                .enumerate()
                .map(|(at, byte)| (byte, is_digit(at) || byte == b'.' && at > 0 && is_digit(at - 1) && is_digit(at + 1)))
                .collect();
            let expected = places.chunk_by(|(_, a), (_, b)| a == b).flat_map(|chunk| {
                if chunk[0].1 { b"0".to_vec() } else { chunk.iter().map(|(byte, _)| *byte).collect() }
            });
            let zeros = outline(text.as_bytes()).into_iter().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
            prop_assert_eq!(zeros.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        }
    }
}
