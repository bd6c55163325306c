//! Outlines that were seen: most lines are like one before but for their numbers, so that they need not be taken apart.
//!
//! An outline is the message with each number in it as one digit: `0` for most, another where it is nothing, or has dots in it, as an
//! address does, and how long it is where that may tell whether it is a value. Messages of one outline are taken apart in the same way, and where no word of theirs has a digit in it they are of one shape.
//! Outlines are compared, not only their hashes: nobody can write a line that is taken for another.
//!
//! It holds nothing that cannot be found again, so it is not saved, and an outline may be forgotten at any time.

use crate::digits::Digits;

/// Outlines that are remembered at most: they take 2 MiB.
const MAX_OUTLINES: usize = 1 << 12;
/// Bytes of a message that is looked up.
const MAX_BYTES: usize = Digits::MOST_BYTES;
/// Bytes of an outline that are looked at together.
const BLOCK_BYTES: usize = 32;
/// Bytes that an outline takes at most: whole blocks.
const ROOM_BYTES: usize = MAX_BYTES.next_multiple_of(BLOCK_BYTES);
/// Bytes that are copied at once, which may be more than are asked for.
const PIECE_BYTES: usize = 16;
/// Bytes of the last pieces of a text.
const SMALL_BYTES: usize = 8;
/// From so many digits on it does not matter how many there are: a group of an address has four.
const MANY: usize = 5;
/// Stands for a number with dots in it, which is no part of a name or of an address in hex.
const DOTTED: usize = 6;
/// Stands for a lone zero, and for a number with dots of which the first or the last part is one: what is said of nothing may be denied by
/// it.
const NOTHING: usize = 7;
/// See above.
const DOTTED_NOTHING: usize = 8;
/// Messages that are looked up before it is asked whether that is of use.
const TRIED: u32 = 256;
/// Messages that are taken apart at once where it was not.
const LEFT_OUT: u32 = 4096;

/// What a message is but for its numbers, by a number that no other outline has or had in an analysis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form(pub u64);

/// How long an outline is, or nothing where there is none, and what became of its message.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    length: usize,
    slot: usize,
    plain: bool,
    form: Form,
}

/// Outlines, each in the place that its hash gives it: the newer stays.
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
    /// The form that is given next.
    next: u64,
}

impl Outlines {
    /// The slot of the pattern of a message whose outline is known, whether its words are plain, and its form.
    #[inline]
    pub fn get(&mut self, text: &[u8]) -> Option<(usize, bool, Form)> {
        if self.left_out > 0 {
            self.left_out -= 1;
            self.last.written.length = 0;
            return None;
        }
        self.tried += 1;
        if self.tried > TRIED {
            self.left_out = if self.found < TRIED / 4 { LEFT_OUT } else { 0 };
            (self.tried, self.found) = (1, 0);
        }
        self.last.read(text);
        let (outline, length) = (self.last.written.blocks(), self.last.written.length);
        let place = place(outline);
        let known = self.known.get(place).filter(|known| known.length == length && length > 0)?;
        let start = place * ROOM_BYTES;
        let (blocks, _) = self.texts.get(start..start + outline.len() * BLOCK_BYTES)?.as_chunks();
        if !outline.iter().zip(blocks).all(|(one, other)| is_same(one, other)) {
            return None;
        }
        self.found += 1;
        Some((known.slot, known.plain, known.form))
    }

    /// Remembers the message that was looked up last, none of whose words has a digit in it; gives its form, unless it is of none.
    pub fn put(&mut self, slot: usize, plain: bool) -> Option<Form> {
        let (outline, length) = (self.last.written.blocks(), self.last.written.length);
        if length == 0 {
            return None;
        }
        if self.known.is_empty() {
            self.known.resize(MAX_OUTLINES, Known::default());
            self.texts.resize(MAX_OUTLINES * ROOM_BYTES, 0);
        }
        let place = place(outline);
        let start = place * ROOM_BYTES;
        let text = self.texts.get_mut(start..start + outline.len() * BLOCK_BYTES);
        let (known, text) = self.known.get_mut(place).zip(text)?;
        text.copy_from_slice(outline.as_flattened());
        let form = Form(self.next);
        *known = Known { length, slot, plain, form };
        self.next += 1;
        Some(form)
    }

    /// Forgets all, since slots have changed.
    pub fn clear(&mut self) {
        self.known.fill(Known::default());
    }
}

/// Bytes of an outline, or what is behind it: zeros.
type Block = [u8; BLOCK_BYTES];

/// A block by eights.
#[inline]
fn eights(block: &Block) -> impl Iterator<Item = u64> {
    block.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight))
}

#[inline]
fn is_same(one: &Block, other: &Block) -> bool {
    eights(one).zip(eights(other)).fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
}

/// Where an outline's place is.
#[inline]
fn place(outline: &[Block]) -> usize {
    let add = |hash: u64, part: u64| (hash.rotate_left(5) ^ part).wrapping_mul(0x517c_c1b7_2722_0a95);
    // The eights of a block go into a hash each, of which none waits for another.
    let mut hashes = [0; BLOCK_BYTES / 8];
    for block in outline {
        hashes.iter_mut().zip(eights(block)).for_each(|(hash, part)| *hash = add(*hash, part));
    }
    let hash = hashes.into_iter().fold(0, add);
    // The high bits of a product are the best mixed.
    (hash >> (u64::BITS - MAX_OUTLINES.ilog2())) as usize
}

/// An outline as far as it is written, with room for a piece and a block behind it.
#[derive(Clone)]
struct Written {
    bytes: [u8; ROOM_BYTES + 2 * PIECE_BYTES + BLOCK_BYTES],
    length: usize,
}

impl Written {
    /// What is written, and zeros behind it.
    #[inline]
    fn blocks(&self) -> &[Block] {
        let (blocks, _) = self.bytes.as_chunks();
        blocks.get(..self.length.div_ceil(BLOCK_BYTES)).unwrap_or_default()
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        if let Some(to) = self.bytes.get_mut(self.length) {
            *to = byte;
        }
        self.length += 1;
    }

    /// Adds a part of the text by pieces, of which more may be copied than is left.
    #[inline]
    fn copy(&mut self, text: &[u8], start: usize, end: usize) {
        let mut at = start;
        while at < end {
            let to = self.length + at - start;
            match (text.get(at..at + PIECE_BYTES), self.bytes.get_mut(to..to + PIECE_BYTES)) {
                (Some(piece), Some(room)) => room.copy_from_slice(piece),
                (_, Some(room)) => {
                    copy_end(text, at, room);
                    break;
                }
                _ => break,
            }
            at += PIECE_BYTES;
        }
        self.length += end - start;
    }

    #[inline]
    fn end(&mut self) {
        if let Some(behind) = self.bytes.get_mut(self.length..self.length + BLOCK_BYTES) {
            behind.fill(0);
        }
    }
}

/// That of the last message; empty where it is too long to be looked up.
#[derive(Clone)]
struct Outline {
    written: Written,
    digits: Digits,
}

impl Default for Outline {
    fn default() -> Self {
        let written = Written { bytes: [0; ROOM_BYTES + 2 * PIECE_BYTES + BLOCK_BYTES], length: 0 };
        Self { written, digits: Digits::default() }
    }
}

impl Outline {
    // By itself, as is what it calls first: what is inlined into much has too few registers in the sandbox.
    #[inline(never)]
    fn read(&mut self, text: &[u8]) {
        let Self { written, digits } = self;
        written.length = 0;
        if text.len() > MAX_BYTES {
            return;
        }
        digits.read(text);
        let (mut at, mut edges) = (0, digits.edges());
        while let Some(number) = edges.next() {
            written.copy(text, at, number);
            at = edges.next().unwrap_or(text.len());
            let told =
                if digits.is_dotted(number, at) { told_dotted(text, number, at) } else { told(text, number, at) };
            written.push(b'0' + told as u8);
        }
        written.copy(text, at, text.len());
        written.end();
    }
}

/// Copies the end of a text, which is shorter than a piece.
#[inline]
fn copy_end(text: &[u8], start: usize, room: &mut [u8]) {
    let Some(last) = text.last_chunk::<SMALL_BYTES>() else {
        return room.iter_mut().zip(text.iter().skip(start)).for_each(|(to, byte)| *to = *byte);
    };
    // Those before are shifted out: cheaper than one after the other.
    let behind = text.len() - start;
    let (first, rest) = if behind <= SMALL_BYTES {
        (u64::from_le_bytes(*last) >> ((SMALL_BYTES - behind) * 8), 0)
    } else {
        let first = text.get(start..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        (u64::from_le_bytes(first), u64::from_le_bytes(*last) >> ((2 * SMALL_BYTES - behind) * 8))
    };
    let (eights, _) = room.as_chunks_mut();
    eights.iter_mut().zip([first, rest]).for_each(|(to, eight)| *to = eight.to_le_bytes());
}

/// What an outline tells of a number's length: all up to a bound where it may be part of a name or of an address, else nothing.
#[inline]
fn told(text: &[u8], start: usize, end: usize) -> usize {
    if end - start == 1 && text.get(start) == Some(&b'0') {
        return NOTHING;
    }
    // A name has letters behind its number, and an address has hex digits and colons.
    let before = start.checked_sub(1).and_then(|before| text.get(before));
    let is_near = |byte: Option<&u8>, of: u8| {
        byte.and_then(|byte| NEAR.get(usize::from(*byte))).is_some_and(|classes| classes & of != 0)
    };
    if is_near(text.get(end), BEHIND) | is_near(before, BEFORE) { (end - start).min(MANY) } else { 0 }
}

/// Classes of bytes that make a number before them, or behind them, a part of a name or of an address.
const BEHIND: u8 = 1;
const BEFORE: u8 = 2;
/// The classes of each byte: a look at a table is no branch, which of those there may be could not be told in advance.
const NEAR: [u8; 256] = {
    let mut near = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        near[byte] = match byte as u8 {
            b':' | b'a'..=b'f' | b'A'..=b'F' => BEHIND | BEFORE,
            b'$' | b'g'..=b'z' | b'G'..=b'Z' => BEHIND,
            _ => 0,
        };
        byte += 1;
    }
    near
};

/// What an outline tells of a number with dots in it.
#[inline]
fn told_dotted(text: &[u8], start: usize, end: usize) -> usize {
    let number = text.get(start..end).unwrap_or_default();
    if number.starts_with(b"0.") || number.ends_with(b".0") { DOTTED_NOTHING } else { DOTTED }
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
        let (bytes, length) = (outline.written.blocks().as_flattened(), outline.written.length);
        assert!(bytes[length..].iter().all(|byte| *byte == 0));
        bytes[..length].to_vec()
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
            ("0 of 10, x0, 00, 0.5, 1.0, 10.0.10", "7 of 0, x7, 0, 8, 8, 6"),
        ] {
            assert_eq!(String::from_utf8(outline(text.as_bytes())).unwrap(), expected, "{text}");
        }
        assert!(outline(&[b'a'; MAX_BYTES + 1]).is_empty());
    }

    #[test]
    fn only_what_is_of_an_outline_is_known_and_slots_that_changed_are_forgotten() {
        let mut outlines = Outlines::default();
        assert_eq!(outlines.get(b"order 17 failed"), None);
        let form = outlines.put(3, true).unwrap();
        assert_eq!(outlines.get(b"order 4711 failed"), Some((3, true, form)));
        assert_eq!(outlines.get(b"order x failed"), None);
        assert_ne!(outlines.put(3, true), Some(form));
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
            looked_up += u32::from(outlines.last.written.length > 0);
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
