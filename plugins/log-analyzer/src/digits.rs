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

/// Which bytes of a block are digits, and which are dots.
#[inline]
fn of_block(block: &[u8; BLOCK_BYTES]) -> [u64; 2] {
    let (chunks, _) = block.as_chunks();
    chunks.iter().rev().fold([0; 2], |[digits, dots], chunk| {
        let [more_digits, more_dots] = of_chunk(chunk);
        let bits = u16::BITS;
        [digits << bits | u64::from(more_digits), dots << bits | u64::from(more_dots)]
    })
}

/// The same of the rest of a text, fewer bytes than a block has.
#[inline]
fn of_end(rest: &[u8], text: &[u8]) -> [u64; 2] {
    if rest.is_empty() {
        return [0; 2];
    }
    if let Some(block) = text.last_chunk() {
        // Those before are shifted out: cheaper than a copy of the last.
        return of_block(block).map(|bits| bits >> (BLOCK_BYTES - rest.len()));
    }
    let (chunks, last) = rest.as_chunks();
    let mut found = [0; 2];
    let mut add = |at: usize, of: [u16; 2]| {
        found.iter_mut().zip(of).for_each(|(found, bits)| *found |= u64::from(bits) << (at * size_of::<Chunk>()));
    };
    chunks.iter().enumerate().for_each(|(at, chunk)| add(at, of_chunk(chunk)));
    if !last.is_empty() {
        let bits = match text.last_chunk() {
            Some(chunk) => of_chunk(chunk).map(|bits| bits >> (size_of::<Chunk>() - last.len())),
            None => {
                let mut chunk = Chunk::default();
                chunk.iter_mut().zip(last).for_each(|(to, byte)| *to = *byte);
                of_chunk(&chunk)
            }
        };
        add(chunks.len(), bits);
    }
    found
}

/// Where in a text of a few hundred bytes its numbers are: digits, and single dots between them.
#[derive(Clone, Debug, Default)]
pub struct Digits {
    /// By turns where a number begins, and the first place behind it.
    edges: [u64; BLOCKS],
    /// The dots within numbers.
    dots: [u64; BLOCKS],
    /// How many blocks the text has, with the place behind it.
    number: usize,
}

impl Digits {
    /// Bytes that are looked at; what is behind them is taken for no digit.
    pub const MOST_BYTES: usize = BLOCKS * BLOCK_BYTES - 1;

    /// Looks at another text.
    // By itself: what is inlined into much has too few registers in the sandbox.
    #[inline(never)]
    pub fn read(&mut self, text: &[u8]) {
        let text = text.get(..Self::MOST_BYTES).unwrap_or(text);
        let (blocks, rest) = text.as_chunks();
        self.number = 0;
        // A block is done with when the next is known: whether a dot is in a number, the digit behind it tells.
        let (mut last, mut of_last) = ([0; 2], [0; 2]);
        for block in blocks {
            let of_block = of_block(block);
            if self.number > 0 {
                last = self.add(self.number - 1, last, of_last, of_block);
            }
            (of_last, self.number) = (of_block, self.number + 1);
        }
        let of_end = of_end(rest, text);
        if self.number > 0 {
            last = self.add(self.number - 1, last, of_last, of_end);
        }
        self.add(self.number, last, of_end, [0; 2]);
        self.number += 1;
    }

    /// Adds a block: what is digits and dots there and behind it. Gives its digits and its numbers; before it were others.
    #[inline]
    fn add(
        &mut self,
        at: usize,
        [digits_before, numbers_before]: [u64; 2],
        [digits, dots]: [u64; 2],
        behind: [u64; 2],
    ) -> [u64; 2] {
        const LAST: u32 = u64::BITS - 1;
        let inside = (digits << 1 | digits_before >> LAST) & (digits >> 1 | behind[0] << LAST);
        let dots = dots & inside;
        let numbers = dots | digits;
        if let Some((edges, place)) = self.edges.get_mut(at).zip(self.dots.get_mut(at)) {
            (*edges, *place) = (numbers ^ (numbers << 1 | numbers_before >> LAST), dots);
        }
        [digits, numbers]
    }

    /// Where the numbers begin and end, by turns: none ends where the text does not.
    #[inline]
    pub fn edges(&self) -> Edges<'_> {
        let (first, blocks) = self.edges.split_first().map_or((0, &[][..]), |(first, blocks)| (*first, blocks));
        Edges { bits: first, base: 0, blocks: blocks.get(..self.number.saturating_sub(1)).unwrap_or_default() }
    }

    /// Whether there are dots in a number.
    #[inline]
    pub fn is_dotted(&self, start: usize, end: usize) -> bool {
        let dots = |block: usize| self.dots.get(block).copied().unwrap_or_default();
        let last = end.saturating_sub(1);
        let (first_block, last_block) = (start / BLOCK_BYTES, last / BLOCK_BYTES);
        let from_start = u64::MAX << (start % BLOCK_BYTES);
        let to_end = u64::MAX >> (BLOCK_BYTES - 1 - last % BLOCK_BYTES);
        if first_block == last_block {
            return dots(first_block) & from_start & to_end != 0;
        }
        dots(first_block) & from_start != 0
            || dots(last_block) & to_end != 0
            || (first_block + 1..last_block).any(|block| dots(block) != 0)
    }
}

/// The places where numbers begin and end.
#[derive(Clone, Debug)]
pub struct Edges<'a> {
    bits: u64,
    base: usize,
    blocks: &'a [u64],
}

impl Iterator for Edges<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.bits == 0 {
            let (block, rest) = self.blocks.split_first()?;
            (self.bits, self.blocks) = (*block, rest);
            self.base += BLOCK_BYTES;
        }
        let at = self.base + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(at)
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
                prop::collection::vec(b'.'..=b'0', 0..=Digits::MOST_BYTES),
                "[0-9.]{0,200}".prop_map(String::into_bytes),
            ],
            before in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut digits = Digits::default();
            digits.read(&before);
            digits.read(&text);
            let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
            let of_number = |at: usize| {
                is_digit(at) || text.get(at) == Some(&b'.') && at > 0 && is_digit(at - 1) && is_digit(at + 1)
            };
            let expected: Vec<usize> =
                (0..=text.len()).filter(|at| of_number(*at) != (*at > 0 && of_number(*at - 1))).collect();
            let edges: Vec<usize> = digits.edges().collect();
            prop_assert_eq!(&edges, &expected);
            for number in edges.chunks(2) {
                let dotted = text[number[0]..number[1]].contains(&b'.');
                prop_assert_eq!(digits.is_dotted(number[0], number[1]), dotted);
            }
        }
    }
}
