//! Shares, of which some events out of a total were seen.

use crate::{exact, normal};

/// Events out of a total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    events: u64,
    total: u64,
}

impl Share {
    /// No more than all can be events: what is more is cut off.
    pub const fn new(events: u64, total: u64) -> Self {
        Self { events: if events < total { events } else { total }, total }
    }

    /// How many had the property.
    pub const fn events(self) -> u64 {
        self.events
    }

    /// How many there were.
    pub const fn total(self) -> u64 {
        self.total
    }

    /// The share that was seen, from 0 to 1; 0 of nothing.
    pub fn rate(self) -> f64 {
        if self.total == 0 { 0.0 } else { self.events as f64 / self.total as f64 }
    }

    /// Those that had not the property.
    pub const fn rest(self) -> Self {
        Self { events: self.total - self.events, total: self.total }
    }

    /// The true share is above this with the one-sided `confidence`, such as 0.99: the lower end of the score interval
    /// (E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927). 0 of nothing.
    pub fn wilson_lower(self, confidence: f64) -> f64 {
        self.wilson(-normal::quantile(confidence)).unwrap_or(0.0)
    }

    /// The true share is below this with the one-sided `confidence`: the upper end of the score interval. 1 of nothing.
    pub fn wilson_upper(self, confidence: f64) -> f64 {
        self.wilson(normal::quantile(confidence)).unwrap_or(1.0)
    }

    fn wilson(self, z: f64) -> Option<f64> {
        if self.total == 0 || !z.is_finite() {
            return None;
        }
        let (n, p, z2) = (self.total as f64, self.rate(), z * z);
        let middle = p + z2 / (2.0 * n);
        let spread = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        Some(((middle + spread) / (1.0 + z2 / n)).clamp(0.0, 1.0))
    }

    /// The chance of seeing so many events or more where the true share is `p`: the binomial distribution's upper tail, exact.
    pub fn tail(self, p: f64) -> f64 {
        exact::binomial_tail(self.events, self.total, p)
    }
}

/// What the test of two shares says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoProportions {
    /// How many standard errors the first share is above the second.
    pub z: f64,
    /// The chance of a difference as high or higher where both true shares are the same.
    pub chance: f64,
}

/// Whether the first share is above the second: the one-sided two-proportion z-test with the pooled share (as in Fleiss, Levin and
/// Paik, "Statistical Methods for Rates and Proportions", 3rd edition, section 3.1, without correction for continuity). It takes
/// many events; of few ask [`fisher`](crate::fisher). None where nothing, all or none was seen.
pub fn two_proportions(first: Share, second: Share) -> Option<TwoProportions> {
    if first.total == 0 || second.total == 0 {
        return None;
    }
    let (n1, n2) = (first.total as f64, second.total as f64);
    let pooled = (first.events as f64 + second.events as f64) / (n1 + n2);
    let spread = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
    if spread <= 0.0 {
        return None;
    }
    let z = (first.rate() - second.rate()) / spread;
    Some(TwoProportions { z, chance: normal::upper_tail(z) })
}

/// The true first share is above the second by less than this with the one-sided `confidence`: the upper end of Newcombe's hybrid score
/// interval (R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven methods",
/// Statistics in Medicine 17, 1998, method 10). From -1 to 1.
pub fn difference_upper(first: Share, second: Share, confidence: f64) -> f64 {
    let above = first.wilson_upper(confidence) - first.rate();
    let below = second.rate() - second.wilson_lower(confidence);
    first.rate() - second.rate() + above.hypot(below)
}
