//! The secret that shapes are hashed with: who writes a log must not be able to write two messages of one hash, of which one would be
//! taken for the other.

use std::hash::{BuildHasher as _, RandomState};

/// A secret, another one for each analysis.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// What a hash begins with.
    pub start: u64,
    halves: [u64; 2],
}

impl Default for Key {
    fn default() -> Self {
        // The standard library has the system's randomness for its own maps, and hashes with it by SipHash.
        let state = RandomState::new();
        let half = |number: u64| state.hash_one(number) >> 32 | 1;
        Self { start: state.hash_one(0_u64), halves: [half(1), half(2)] }
    }
}

impl Key {
    /// Mixes a hash: each half of it is multiplied by a half of the secret, and the products, of which the high bits are the best mixed, are
    /// put across each other. (That is how the crate foldhash does it where there is no product of 128 bits, as in the sandbox.)
    #[inline]
    pub const fn mix(self, hash: u64) -> u64 {
        let [low, high] = self.halves;
        (hash & 0xffff_ffff).wrapping_mul(low) ^ (hash >> 32).wrapping_mul(high).rotate_right(32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_analysis_hashes_alike_is_no_secret_of_another() {
        let (one, other) = (Key::default(), Key::default());
        assert_ne!((one.start, one.mix(7)), (other.start, other.mix(7)));
    }

    #[test]
    fn each_bit_of_a_hash_changes_about_half_of_those_of_its_half_and_some_of_the_highest() {
        let key = Key::default();
        let mut highest = 0;
        for bit in 0..64 {
            let changed: u32 = (0..64_u64)
                .map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
                .map(|hash| (key.mix(hash) ^ key.mix(hash ^ 1 << bit)).count_ones())
                .sum();
            assert!(changed > 64, "{bit}: {changed}");
            highest |= key.mix(0) ^ key.mix(1 << bit);
        }
        assert!(highest.count_ones() > 48, "{highest:x}");
    }
}
