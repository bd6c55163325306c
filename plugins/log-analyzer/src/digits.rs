//! Where a text has its numbers, sixteen bytes at a time.

/// Bytes that are looked at together.
type Chunk = [u8; 16];
/// Bytes of a block.
const BLOCK_BYTES: usize = u64::BITS as usize;
const BLOCKS: usize = 8;

/// Which of a chunk's bytes are digits, and which are dots, the first in the lowest bit.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
fn of_chunk(chunk: &Chunk) -> [u16; 2] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // A product puts the lowest bit of each byte beside those of the others: none meets another on the way.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let gathered = |highest: u64| ((highest >> 7 & EACH).wrapping_mul(GATHER) >> (u64::BITS - 8)) as u16;
    // Which bytes are below a bound when these bits of theirs are turned round. No sum carries into the next byte, since the highest bit is
    // left out of it.
    let below = |half: &[u8; 8], turned: u8, bound: u64| {
        let left = u64::from_le_bytes(*half) ^ (EACH * u64::from(turned));
        let above = ((left & (EACH * 0x7f)) + EACH * (0x80 - bound)) | left;
        gathered(!above)
    };
    let (halves, _) = chunk.as_chunks();
    let of = |turned, bound| halves.iter().rev().fold(0, |bits, half| bits << 8 | below(half, turned, bound));
    [of(b'0', 10), of(b'.', 1)]
}

/// The same by the sandbox's vector instructions.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
fn of_chunk(chunk: &Chunk) -> [u16; 2] {
    use std::arch::wasm32::{i8x16_bitmask, i8x16_eq, i8x16_sub, u8x16_lt, u8x16_splat, v128_load};

    // SAFETY: all sixteen bytes are read, and no alignment is asked for.
    let bytes = unsafe { v128_load(chunk.as_ptr().cast()) };
    let digits = u8x16_lt(i8x16_sub(bytes, u8x16_splat(b'0')), u8x16_splat(10));
    [i8x16_bitmask(digits), i8x16_bitmask(i8x16_eq(bytes, u8x16_splat(b'.')))]
}

/// Where in a text of a few hundred bytes its numbers are: digits, and single dots between them.
#[derive(Clone, Debug, Default)]
pub struct Digits {
    digits: [u64; BLOCKS],
    /// The numbers, and until then the dots.
    numbers: [u64; BLOCKS],
    /// How many blocks the text has.
    number: usize,
}

impl Digits {
    /// Bytes that are looked at; what is behind them is taken for no digit.
    pub const MOST_BYTES: usize = BLOCKS * BLOCK_BYTES;

    /// Looks at another text.
    #[inline]
    pub fn read(&mut self, text: &[u8]) {
        let number = text.len().div_ceil(BLOCK_BYTES).min(BLOCKS);
        *self = Self { digits: [0; BLOCKS], numbers: [0; BLOCKS], number };
        let (chunks, rest) = text.as_chunks();
        chunks.iter().enumerate().for_each(|(at, chunk)| self.add(at, of_chunk(chunk)));
        if !rest.is_empty() {
            let bits = match text.last_chunk() {
                // Those before are shifted out: cheaper than a copy of the last.
                Some(chunk) => of_chunk(chunk).map(|bits| bits >> (size_of::<Chunk>() - rest.len())),
                None => {
                    let mut chunk = Chunk::default();
                    chunk.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
                    of_chunk(&chunk)
                }
            };
            self.add(chunks.len(), bits);
        }
        let mut before = 0;
        for (at, numbers) in self.numbers.iter_mut().enumerate().take(number) {
            let digits = self.digits.get(at).copied().unwrap_or_default();
            let behind = self.digits.get(at + 1).copied().unwrap_or_default();
            let inside = (digits << 1 | before >> (BLOCK_BYTES - 1)) & (digits >> 1 | behind << (BLOCK_BYTES - 1));
            *numbers = *numbers & inside | digits;
            before = digits;
        }
    }

    #[inline]
    fn add(&mut self, chunk: usize, [digits, dots]: [u16; 2]) {
        let at = chunk * size_of::<Chunk>();
        for (blocks, bits) in [(&mut self.digits, digits), (&mut self.numbers, dots)] {
            if let Some(block) = blocks.get_mut(at / BLOCK_BYTES) {
                *block |= u64::from(bits) << (at % BLOCK_BYTES);
            }
        }
    }

    #[inline]
    fn find(&self, blocks: &[u64; BLOCKS], at: usize, of: impl Fn(u64) -> u64) -> usize {
        let block = |number: usize| of(blocks.get(number).copied().unwrap_or_default());
        let (mut number, place) = (at / BLOCK_BYTES, at % BLOCK_BYTES);
        let mut bits = block(number) >> place << place;
        while bits == 0 && number < self.number {
            number += 1;
            bits = block(number);
        }
        number * BLOCK_BYTES + bits.trailing_zeros() as usize
    }

    /// The first number from `at` on begins there; behind the text where there is none.
    #[inline]
    pub fn next(&self, at: usize) -> usize {
        self.find(&self.numbers, at, |bits| bits)
    }

    /// The first byte from `at` on that is of no number, which may be that behind the text.
    #[inline]
    pub fn next_other(&self, at: usize) -> usize {
        self.find(&self.numbers, at, |bits| !bits)
    }

    /// Whether there are digits alone in a number.
    #[inline]
    pub fn is_whole(&self, start: usize, end: usize) -> bool {
        self.find(&self.digits, start, |bits| !bits) >= end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_found_as_by_a_look_at_each_byte(
            text in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..=Digits::MOST_BYTES),
                prop::collection::vec(b'-'..=b':', 0..200),
                "[0-9.]{0,200}".prop_map(String::into_bytes),
            ],
            before in prop::collection::vec(any::<u8>(), 0..300),
            from in 0usize..=Digits::MOST_BYTES,
        ) {
            let mut digits = Digits::default();
            digits.read(&before);
            digits.read(&text);
            let from = from.min(text.len());
            let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
            let of_number = |at: usize| is_digit(at) || text[at] == b'.' && at > 0 && is_digit(at - 1) && is_digit(at + 1);
            let find = |is: bool| (from..text.len()).find(|at| of_number(*at) == is);
            match find(true) {
                Some(at) => {
                    prop_assert_eq!(digits.next(from), at);
                    let end = digits.next_other(at);
                    prop_assert_eq!(digits.is_whole(at, end), (at..end).all(is_digit));
                }
                None => prop_assert!(digits.next(from) >= text.len()),
            }
            prop_assert_eq!(digits.next_other(from), find(false).unwrap_or(text.len()));
        }
    }
}
