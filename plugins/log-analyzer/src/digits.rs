//! Where a text has its decimal digits, sixteen bytes at a time.

/// Bytes that are looked at together.
type Chunk = [u8; 16];
/// Bytes of a block.
const BLOCK_BYTES: usize = u64::BITS as usize;
const BLOCKS: usize = 8;

/// Which of a chunk's bytes are digits, the first in the lowest bit.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
fn of_chunk(chunk: &Chunk) -> u16 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // A product puts the lowest bit of each byte beside those of the others: none meets another on the way.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let of_half = |half: &[u8; 8]| {
        // What is left of a digit is below ten: no sum carries into the next byte, since the highest bit is left out of it.
        let left = u64::from_le_bytes(*half) ^ (EACH * u64::from(b'0'));
        let above = ((left & (EACH * 0x7f)) + EACH * (0x80 - 10)) | left;
        ((!above >> 7 & EACH).wrapping_mul(GATHER) >> (u64::BITS - 8)) as u16
    };
    let (halves, _) = chunk.as_chunks();
    halves.iter().rev().fold(0, |bits, half| bits << 8 | of_half(half))
}

/// The same by the sandbox's vector instructions.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
fn of_chunk(chunk: &Chunk) -> u16 {
    use std::arch::wasm32::{i8x16_bitmask, i8x16_sub, u8x16_lt, u8x16_splat, v128_load};

    // SAFETY: all sixteen bytes are read, and no alignment is asked for.
    let bytes = unsafe { v128_load(chunk.as_ptr().cast()) };
    i8x16_bitmask(u8x16_lt(i8x16_sub(bytes, u8x16_splat(b'0')), u8x16_splat(10)))
}

/// Where in a text of a few hundred bytes the digits are.
#[derive(Clone, Debug, Default)]
pub struct Digits {
    blocks: [u64; BLOCKS],
    /// How many blocks the text has.
    number: usize,
}

impl Digits {
    /// Bytes that are looked at; what is behind them is taken for no digit.
    pub const MOST_BYTES: usize = BLOCKS * BLOCK_BYTES;

    /// Looks at another text.
    #[inline]
    pub fn read(&mut self, text: &[u8]) {
        *self = Self { blocks: [0; BLOCKS], number: text.len().div_ceil(BLOCK_BYTES).min(BLOCKS) };
        let (chunks, rest) = text.as_chunks();
        chunks.iter().enumerate().for_each(|(at, chunk)| self.add(at, of_chunk(chunk)));
        if !rest.is_empty() {
            let bits = match text.last_chunk() {
                // Those before are shifted out: cheaper than a copy of the last.
                Some(chunk) => of_chunk(chunk) >> (size_of::<Chunk>() - rest.len()),
                None => {
                    let mut chunk = Chunk::default();
                    chunk.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
                    of_chunk(&chunk)
                }
            };
            self.add(chunks.len(), bits);
        }
    }

    #[inline]
    fn add(&mut self, chunk: usize, bits: u16) {
        let at = chunk * size_of::<Chunk>();
        if let Some(block) = self.blocks.get_mut(at / BLOCK_BYTES) {
            *block |= u64::from(bits) << (at % BLOCK_BYTES);
        }
    }

    #[inline]
    fn find(&self, at: usize, of: impl Fn(u64) -> u64) -> usize {
        let block = |number: usize| of(self.blocks.get(number).copied().unwrap_or_default());
        let (mut number, place) = (at / BLOCK_BYTES, at % BLOCK_BYTES);
        let mut bits = block(number) >> place << place;
        while bits == 0 && number < self.number {
            number += 1;
            bits = block(number);
        }
        number * BLOCK_BYTES + bits.trailing_zeros() as usize
    }

    /// The first digit from `at` on; behind the text where there is none.
    #[inline]
    pub fn next(&self, at: usize) -> usize {
        self.find(at, |bits| bits)
    }

    /// The first byte from `at` on that is no digit, which may be that behind the text.
    #[inline]
    pub fn next_other(&self, at: usize) -> usize {
        self.find(at, |bits| !bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn digits_are_found_as_by_a_look_at_each_byte(
            text in prop_oneof![prop::collection::vec(any::<u8>(), 0..=Digits::MOST_BYTES), prop::collection::vec(b'/'..=b':', 0..200)],
            before in prop::collection::vec(any::<u8>(), 0..300),
            from in 0usize..=Digits::MOST_BYTES,
        ) {
            let mut digits = Digits::default();
            digits.read(&before);
            digits.read(&text);
            let from = from.min(text.len());
            let find = |is: bool| text.iter().skip(from).position(|byte| byte.is_ascii_digit() == is).map(|at| from + at);
            match find(true) {
                Some(at) => prop_assert_eq!(digits.next(from), at),
                None => prop_assert!(digits.next(from) >= text.len()),
            }
            prop_assert_eq!(digits.next_other(from), find(false).unwrap_or(text.len()));
        }
    }
}
