//! Two snapshots' files, byte for byte.

use std::{io::Read, ops::Range};

use autodevops_sdk::Result;

/// So many of a file's first bytes are looked at for where it says when it was taken.
pub const HEAD: usize = 128;

/// Bytes that are compared at once.
const PART: usize = 64 << 10;

/// The first byte, counted from 0, at which two files of one length differ; but for those that say when each was taken.
///
/// # Errors
/// When one of them cannot be read.
pub fn first_difference(
    one: &mut impl Read,
    other: &mut impl Read,
    dated: fn(&[u8]) -> Range<usize>,
) -> Result<Option<u64>> {
    let (mut left, mut right) = (Vec::with_capacity(PART), Vec::with_capacity(PART));
    let mut at = 0;
    loop {
        next(one, &mut left)?;
        next(other, &mut right)?;
        if at == 0 {
            for part in [&mut left, &mut right] {
                let range = dated(&part[..part.len().min(HEAD)]);
                if let Some(bytes) = part.get_mut(range) {
                    bytes.fill(0);
                }
            }
        }
        if left != right {
            let same = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
            return Ok(Some(at + same as u64));
        }
        if left.is_empty() {
            return Ok(None);
        }
        at += left.len() as u64;
    }
}

fn next(file: &mut impl Read, part: &mut Vec<u8>) -> Result<()> {
    part.clear();
    file.take(PART as u64).read_to_end(part)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEVER: fn(&[u8]) -> Range<usize> = |_| 0..0;

    #[test]
    fn when_a_file_was_taken_is_no_difference() {
        let (one, other) = ([1_u8; 200], [[2_u8; 100], [1; 100]].concat());
        let difference = |dated| first_difference(&mut one.as_slice(), &mut other.as_slice(), dated).unwrap();
        assert_eq!(difference(NEVER), Some(0));
        assert_eq!(difference(|_| 0..99), Some(99));
        assert_eq!(difference(|_| 0..100), None);
        // Of a place beyond the head nothing is said.
        assert_eq!(difference(|head| head.len()..300), Some(0));
    }

    proptest! {
        #[test]
        fn the_first_byte_that_differs_is_found_wherever_it_is(
            length in 1_usize..4 * PART,
            at in any::<prop::sample::Index>(),
            after in any::<u8>(),
        ) {
            let one = vec![7_u8; length];
            let at = at.index(length);
            let mut other = one.clone();
            other[at] = 8;
            other[at + 1..].fill(after);
            prop_assert_eq!(first_difference(&mut one.as_slice(), &mut one.as_slice(), NEVER).unwrap(), None);
            prop_assert_eq!(first_difference(&mut one.as_slice(), &mut other.as_slice(), NEVER).unwrap(), Some(at as u64));
        }
    }
}
