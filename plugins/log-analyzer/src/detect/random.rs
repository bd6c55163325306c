//! Chance that repeats, for tests.

/// A generator of pseudo-random numbers (SplitMix64; Steele, Lea, Flood, 2014).
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A share from 0 up to, not including, 1.
    pub fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Poisson counts by the time between events.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        loop {
            sum -= (1.0 - self.share()).ln();
            if sum > mean {
                return count;
            }
            count += 1.0;
        }
    }
}
