//! Bytes by what they are to a message, and texts that are the same but for their digits: several bytes at a time, since a step
//! of a loop costs much in the sandbox, where each asks whether the time is up.

use std::ops::Range;

/// Bytes that are looked at together.
type Chunk = [u8; 16];
/// Bytes of a [`Block`].
const BLOCK_BYTES: usize = 64;

/// What a byte is, by number: a control character or a blank.
pub const BLANK: usize = 0;
/// Punctuation that stands for itself.
pub const MARK: usize = 1;
/// A decimal digit.
pub const DIGIT: usize = 2;
/// A slash of either kind.
pub const SLASH: usize = 3;
/// A colon.
pub const COLON: usize = 4;
/// A dot.
pub const DOT: usize = 5;
/// An at sign.
pub const AT: usize = 6;
/// No hex digit, and none of the first two.
pub const OTHER: usize = 7;
/// How many classes there are.
const NUMBER: usize = 8;

/// FNV-1a: the same on every machine, so that a checkpoint holds anywhere.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The classes of each byte, a bit for each.
const CLASSES: [u8; 256] = {
    let mut classes = [1 << OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        let of = byte as u8;
        classes[byte] = match of {
            b'0'..=b'9' => 1 << DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => 0,
            b'/' | b'\\' => 1 << SLASH | 1 << OTHER,
            b':' => 1 << COLON | 1 << OTHER,
            b'.' => 1 << DOT | 1 << OTHER,
            b'@' => 1 << AT | 1 << OTHER,
            b',' | b';' | b'=' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b'"' | b'\'' | b'`' | b'|' => {
                1 << MARK
            }
            0..=b' ' | 0x7f => 1 << BLANK,
            _ => 1 << OTHER,
        };
        byte += 1;
    }
    classes
};

/// Whether a byte is blank or a mark, between which the words are.
pub fn parts(byte: u8) -> bool {
    // In bounds: there are classes for each byte.
    CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & (1 << BLANK | 1 << MARK) != 0)
}

/// Which of a chunk's bytes are of each class, the first in the lowest bit.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn of_chunk(chunk: &Chunk) -> [u16; NUMBER] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // A product puts the lowest bit of each byte beside those of the others: none meets another on the way.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let classes = chunk.map(|byte| CLASSES.get(usize::from(byte)).copied().unwrap_or_default());
    let (halves, _) = classes.as_chunks::<8>();
    let gathered = |half: &[u8; 8], class: usize| {
        ((u64::from_le_bytes(*half) >> class & EACH).wrapping_mul(GATHER) >> (u64::BITS - 8)) as u16
    };
    std::array::from_fn(|class| halves.iter().rev().fold(0, |bits, half| bits << 8 | gathered(half, class)))
}

/// The same by the sandbox's vector instructions.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
fn of_chunk(chunk: &Chunk) -> [u16; NUMBER] {
    use std::arch::wasm32::{
        i8x16_bitmask, i8x16_ne, u8x16_shr, u8x16_splat, u8x16_swizzle, v128, v128_and, v128_load, v128_not,
    };

    /// Sixteen bytes as a vector.
    #[inline]
    fn vector(bytes: &Chunk) -> v128 {
        // SAFETY: all sixteen bytes are read, and no alignment is asked for.
        unsafe { v128_load(bytes.as_ptr().cast()) }
    }

    /// For each lower half of a byte, which upper halves make it one of the class, or of [`OTHER`] none: a bit for each of the
    /// first eight.
    const fn rows(class: usize) -> Chunk {
        let mut rows = [0; 16];
        let mut byte = 0;
        while byte < 128 {
            let is = CLASSES[byte] >> class & 1 != 0;
            if is != (class == OTHER) {
                rows[byte % 16] |= 1 << (byte / 16);
            }
            byte += 1;
        }
        rows
    }
    const ROWS: [Chunk; NUMBER] = [rows(0), rows(1), rows(2), rows(3), rows(4), rows(5), rows(6), rows(7)];
    const UPPER: Chunk = [1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0];

    let bytes = vector(chunk);
    let lower = v128_and(bytes, u8x16_splat(15));
    let upper = u8x16_swizzle(vector(&UPPER), u8x16_shr(bytes, 4));
    std::array::from_fn(|class| {
        let row = ROWS.get(class).map_or(upper, vector);
        let of = i8x16_ne(v128_and(u8x16_swizzle(row, lower), upper), u8x16_splat(0));
        i8x16_bitmask(if class == OTHER { v128_not(of) } else { of })
    })
}

/// Which of so many bytes are of each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block([u64; NUMBER]);

impl Block {
    /// What is behind a text: blank.
    const END: Self = Self([u64::MAX, 0, 0, 0, 0, 0, 0, 0]);

    #[inline]
    fn of(bytes: &[u8; BLOCK_BYTES]) -> Self {
        let (chunks, _) = bytes.as_chunks();
        let mut block = Self::default();
        chunks.iter().enumerate().for_each(|(at, chunk)| block.add(at, of_chunk(chunk)));
        block
    }

    /// A block whose beginning is the rest of a text, fewer bytes than it has.
    #[inline]
    fn of_end(rest: &[u8], text: &[u8]) -> Self {
        let mut block = Self::default();
        let (chunks, last) = rest.as_chunks();
        chunks.iter().enumerate().for_each(|(at, chunk)| block.add(at, of_chunk(chunk)));
        if !last.is_empty() {
            let classes = match text.last_chunk() {
                // Those before are shifted out: cheaper than a copy of the last.
                Some(chunk) => of_chunk(chunk).map(|bits| bits >> (size_of::<Chunk>() - last.len())),
                None => {
                    let mut chunk = Chunk::default();
                    chunk.iter_mut().zip(last).for_each(|(to, byte)| *to = *byte);
                    of_chunk(&chunk).map(|bits| bits & !(u16::MAX << last.len()))
                }
            };
            block.add(chunks.len(), classes);
        }
        block.0[BLANK] |= u64::MAX << rest.len();
        block
    }

    #[inline]
    fn add(&mut self, chunk: usize, classes: [u16; NUMBER]) {
        self.0
            .iter_mut()
            .zip(classes)
            .for_each(|(block, bits)| *block |= u64::from(bits) << (chunk * size_of::<Chunk>()));
    }

    /// Where the bytes of a class are.
    #[inline]
    pub fn of_class(&self, class: usize) -> u64 {
        self.0.get(class).copied().unwrap_or_default()
    }

    /// The classes of the bytes of a span, a bit for each; those aside that end a run.
    #[inline]
    fn classes(&self, span: u64) -> u8 {
        let has = |class: usize| u8::from(self.of_class(class) & span != 0) << class;
        has(DIGIT) | has(SLASH) | has(COLON) | has(DOT) | has(AT) | has(OTHER)
    }

    /// Where a run of bytes ends that are neither blank nor marks.
    #[inline]
    fn parts(&self) -> u64 {
        self.of_class(BLANK) | self.of_class(MARK)
    }
}

/// Where in a text the bytes of each class are. What is behind its end is blank.
#[derive(Clone, Debug, Default)]
pub struct Map(Vec<Block>);

impl Map {
    /// Looks at another text.
    #[inline]
    pub fn read(&mut self, text: &[u8]) {
        self.0.clear();
        let (blocks, rest) = text.as_chunks();
        self.0.extend(blocks.iter().map(Block::of));
        self.0.push(Block::of_end(rest, text));
    }

    #[inline]
    fn block(&self, number: usize) -> &Block {
        self.0.get(number).unwrap_or(&Block::END)
    }

    /// The first place from `at` on that is one of those that `of` names.
    #[inline]
    fn next(&self, at: usize, of: impl Fn(&Block) -> u64) -> usize {
        let (mut number, place) = (at / BLOCK_BYTES, at % BLOCK_BYTES);
        let mut bits = of(self.block(number)) >> place << place;
        while bits == 0 && number < self.0.len() {
            number += 1;
            bits = of(self.block(number));
        }
        number * BLOCK_BYTES + bits.trailing_zeros() as usize
    }

    /// The first place from `at` on that is not blank, or one behind the text.
    #[inline]
    pub fn next_solid(&self, at: usize) -> usize {
        self.next(at, |block| !block.of_class(BLANK))
    }

    /// The first place from `at` on that is blank or a mark.
    #[inline]
    pub fn next_part(&self, at: usize) -> usize {
        self.next(at, Block::parts)
    }

    /// The first place from `at` on that is blank.
    #[inline]
    pub fn next_blank(&self, at: usize) -> usize {
        self.next(at, |block| block.of_class(BLANK))
    }

    /// The first place of the class in the range.
    #[inline]
    pub fn first(&self, class: usize, range: Range<usize>) -> Option<usize> {
        Some(self.next(range.start, |block| block.of_class(class))).filter(|at| *at < range.end)
    }

    /// Whether the byte there is of the class.
    #[inline]
    pub fn is(&self, class: usize, at: usize) -> bool {
        self.block(at / BLOCK_BYTES).of_class(class) >> (at % BLOCK_BYTES) & 1 != 0
    }

    /// The first place in the range that is not of the class.
    #[inline]
    pub fn first_not(&self, class: usize, range: Range<usize>) -> Option<usize> {
        Some(self.next(range.start, |block| !block.of_class(class))).filter(|at| *at < range.end)
    }

    /// The classes of the range's bytes, a bit for each; those aside that end a run. Most ranges are within one block.
    #[inline(always)]
    pub fn classes(&self, range: Range<usize>) -> u8 {
        let end = range.end.saturating_sub(1);
        let (first, last) = (range.start / BLOCK_BYTES, end / BLOCK_BYTES);
        let from_start = u64::MAX << (range.start % BLOCK_BYTES);
        let to_end = u64::MAX >> (BLOCK_BYTES - 1 - end % BLOCK_BYTES);
        if first == last {
            return self.block(first).classes(from_start & to_end);
        }
        let ends = self.block(first).classes(from_start) | self.block(last).classes(to_end);
        (first + 1..last).fold(ends, |classes, number| classes | self.block(number).classes(u64::MAX))
    }
}

/// Eight bytes with each digit as `0`.
#[inline]
pub const fn without_digits(eight: [u8; 8]) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let bytes = u64::from_le_bytes(eight);
    // What is left of a digit is below ten: no sum carries into the next byte, since the highest bit is left out of it.
    let left = bytes ^ (EACH * b'0' as u64);
    let above = (((left & (EACH * 0x7f)) + EACH * (0x80 - 10)) | left) & (EACH * 0x80);
    let digits = ((above ^ (EACH * 0x80)) >> 7) * 0xff;
    bytes ^ (left & digits)
}

/// Whether all bytes are of ASCII, and no control characters.
#[inline]
pub fn is_plain(text: &[u8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // The highest bit is set by what has it, by 0x7f and one, and by what is below a blank less that. Bytes that carry or borrow have set
    // their own.
    let plain = |eight: &[u8; 8]| {
        let bytes = u64::from_le_bytes(*eight);
        (bytes | bytes.wrapping_add(EACH) | bytes.wrapping_sub(EACH * 0x20)) & (EACH * 0x80) == 0
    };
    match text.last_chunk() {
        Some(last) => text.as_chunks().0.iter().all(plain) && plain(last),
        None => text.iter().all(|byte| matches!(byte, b' '..=b'~')),
    }
}

/// Whether a chunk is the known one when its digits are taken for `0`.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
fn is_chunk_but_for_digits(chunk: &Chunk, known: &Chunk) -> bool {
    let (eights, _) = chunk.as_chunks();
    eights.iter().zip(known.as_chunks().0).all(|(eight, known)| without_digits(*eight) == u64::from_le_bytes(*known))
}

/// The same by the sandbox's vector instructions.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
fn is_chunk_but_for_digits(chunk: &Chunk, known: &Chunk) -> bool {
    use std::arch::wasm32::{i8x16_sub, u8x16_lt, u8x16_splat, v128_any_true, v128_bitselect, v128_load, v128_xor};

    // SAFETY: all sixteen bytes of each are read, and no alignment is asked for.
    let (bytes, known) = unsafe { (v128_load(chunk.as_ptr().cast()), v128_load(known.as_ptr().cast())) };
    let zeros = u8x16_splat(b'0');
    let digits = u8x16_lt(i8x16_sub(bytes, zeros), u8x16_splat(10));
    !v128_any_true(v128_xor(v128_bitselect(zeros, bytes, digits), known))
}

/// Whether a text is the known one, which is without its digits, when its own are taken for `0`; both are of one length.
#[inline]
pub fn is_but_for_digits(text: &[u8], known: &[u8]) -> bool {
    // The last chunk, which may overlap, comes first: what is like another differs from it there most often.
    match (text.last_chunk(), known.last_chunk()) {
        (Some(last), Some(known_last)) => {
            is_chunk_but_for_digits(last, known_last)
                && text.as_chunks().0.iter().zip(known.as_chunks().0).all(|(a, b)| is_chunk_but_for_digits(a, b))
        }
        _ => agree(text, known, without_digits),
    }
}

/// Whether both are the same; for short ones, of which most are.
#[inline]
pub fn is_same(text: &[u8], known: &[u8]) -> bool {
    text.len() == known.len() && agree(text, known, u64::from_le_bytes)
}

/// By eights, the last of which may overlap.
#[inline]
fn agree(text: &[u8], known: &[u8], seen: fn([u8; 8]) -> u64) -> bool {
    let same = |(text, known): (&[u8; 8], &[u8; 8])| seen(*text) == u64::from_le_bytes(*known);
    match (text.last_chunk(), known.last_chunk()) {
        (Some(last), Some(known_last)) => {
            text.as_chunks().0.iter().zip(known.as_chunks().0).all(same) && same((last, known_last))
        }
        _ => text.iter().zip(known).all(|(byte, known)| {
            let alone = |byte: u8| [byte, 0, 0, 0, 0, 0, 0, 0];
            seen(alone(*byte)) == u64::from_le_bytes(alone(*known))
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_of(byte: u8, class: usize) -> bool {
        CLASSES[usize::from(byte)] >> class & 1 != 0
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![prop::collection::vec(any::<u8>(), 0..200), "[a-h0-9 .:/@=,-]{0,200}".prop_map(String::into_bytes),]
    }

    #[test]
    fn a_byte_is_of_the_classes_that_it_is_meant_to_be() {
        let classes = |byte: u8| (0..NUMBER).filter(|class| is_of(byte, *class)).collect::<Vec<_>>();
        for (bytes, expected) in [
            (&b" \t\n\0\x7f"[..], vec![BLANK]),
            (b",;=()[]{}<>\"'`|", vec![MARK]),
            (b"0123456789", vec![DIGIT]),
            (b"abcdefABCDEF", vec![]),
            (b"/\\", vec![SLASH, OTHER]),
            (b":", vec![COLON, OTHER]),
            (b".", vec![DOT, OTHER]),
            (b"@", vec![AT, OTHER]),
            (b"gzGZ_-+*$%&?!#~^\x80\xff", vec![OTHER]),
        ] {
            for byte in bytes {
                assert_eq!(classes(*byte), expected, "{byte}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_map_says_of_each_byte_what_it_is(text in text()) {
            let mut map = Map::default();
            map.read(&text);
            for (at, byte) in text.iter().enumerate() {
                for class in 0..NUMBER {
                    prop_assert_eq!(map.is(class, at), is_of(*byte, class), "{} {}", at, class);
                }
            }
            prop_assert!(map.is(BLANK, text.len()) && map.is(BLANK, text.len() + 1000));
        }

        #[test]
        fn a_map_finds_what_a_look_at_each_byte_does(text in text(), from in 0usize..200, len in 1usize..150) {
            let mut map = Map::default();
            map.read(&text);
            let end = (from + len).min(text.len());
            let from = from.min(end);
            let find = |is: &dyn Fn(u8) -> bool| text.iter().skip(from).position(|byte| is(*byte)).map(|at| from + at);
            prop_assert_eq!(map.next_part(from), find(&parts).unwrap_or(text.len()));
            let solid = map.next_solid(from);
            prop_assert!(find(&|byte| !is_of(byte, BLANK)).map_or(solid >= text.len(), |at| at == solid));
            for class in 0..NUMBER {
                let first = find(&|byte| is_of(byte, class)).filter(|at| *at < end);
                prop_assert_eq!(map.first(class, from..end), first);
                let other = find(&|byte| !is_of(byte, class)).filter(|at| *at < end);
                prop_assert_eq!(map.first_not(class, from..end), other);
            }
            if from < end {
                let seen = text[from..end].iter().fold(0, |seen, byte| seen | CLASSES[usize::from(*byte)]);
                prop_assert_eq!(map.classes(from..end), seen & !(1 << BLANK | 1 << MARK));
            }
        }

        #[test]
        fn digits_are_left_out_of_any_bytes(bytes: [u8; 8]) {
            let expected = bytes.map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
            prop_assert_eq!(without_digits(bytes).to_le_bytes(), expected);
        }

        #[test]
        fn plain_is_what_each_byte_is(text in prop_oneof![text(), prop::collection::vec(0x1e_u8..0x82, 0..20)]) {
            prop_assert_eq!(is_plain(&text), text.iter().all(|byte| matches!(byte, b' '..=b'~')));
        }

        #[test]
        fn texts_agree_where_their_bytes_do(text in prop::collection::vec(any::<u8>(), 0..50), at in 0usize..50, other: u8) {
            let mask = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
            let mut changed = text.clone();
            if let Some(byte) = changed.get_mut(at) {
                *byte = other;
            }
            let known: Vec<u8> = changed.iter().copied().map(mask).collect();
            let masked: Vec<u8> = text.iter().copied().map(mask).collect();
            prop_assert_eq!(is_but_for_digits(&text, &known), masked == known);
            prop_assert_eq!(is_same(&text, &changed), text == changed);
            prop_assert!(!is_same(&text, &[&text[..], b"0"].concat()));
        }
    }
}
