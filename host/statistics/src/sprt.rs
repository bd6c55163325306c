//! The sequential probability ratio test of a rate: with each request it is asked anew whether what was seen so far comes from a low
//! rate or a high one (A. Wald, "Sequential tests of statistical hypotheses", Ann. Math. Stat. 16, 1945).

use crate::Share;

/// Why there is no such test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BadSprt {
    /// The rates must lie between 0 and 1, the low one below the high one.
    Rates(f64, f64),
    /// The chances of being wrong must lie between 0 and 1, and be less than one together.
    Chances(f64, f64),
}

/// A test of a rate `low` against a rate `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sprt {
    low: f64,
    high: f64,
    alpha: f64,
    beta: f64,
}

/// What the test says so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The rate is the low one.
    Low,
    /// The rate is the high one.
    High,
    /// More must be seen.
    Open,
}

/// Where the test stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// How much likelier the high rate makes what was seen than the low one: the logarithm of the ratio.
    pub evidence: f64,
    /// At this and below, the rate is the low one.
    pub low_at: f64,
    /// At this and above, the rate is the high one.
    pub high_at: f64,
    /// What follows.
    pub decision: Decision,
}

impl Sprt {
    /// A test that takes the low rate for the high one with a chance of about `alpha`, and the high one for the low with a chance
    /// of about `beta`.
    ///
    /// # Errors
    /// [`BadSprt`] where the rates or the chances are none.
    pub fn new(low: f64, high: f64, alpha: f64, beta: f64) -> Result<Self, BadSprt> {
        if !(low > 0.0 && low < high && high < 1.0) {
            return Err(BadSprt::Rates(low, high));
        }
        if !(alpha > 0.0 && beta > 0.0 && alpha + beta < 1.0) {
            return Err(BadSprt::Chances(alpha, beta));
        }
        Ok(Self { low, high, alpha, beta })
    }

    /// What one event adds to the evidence.
    fn event(&self) -> f64 {
        (self.high / self.low).ln()
    }

    /// What each request without an event adds; below zero.
    fn rest(&self) -> f64 {
        (-self.high).ln_1p() - (-self.low).ln_1p()
    }

    /// Where the test stands after all that was seen. The order in which it was seen does not matter.
    pub fn course(&self, seen: Share) -> Course {
        let evidence = seen.events() as f64 * self.event() + seen.rest().events() as f64 * self.rest();
        let (low_at, high_at) = (self.low_at(), self.high_at());
        let decision = if evidence >= high_at {
            Decision::High
        } else if evidence <= low_at {
            Decision::Low
        } else {
            Decision::Open
        };
        Course { evidence, low_at, high_at, decision }
    }

    fn low_at(&self) -> f64 {
        (self.beta / (1.0 - self.alpha)).ln()
    }

    fn high_at(&self) -> f64 {
        ((1.0 - self.beta) / self.alpha).ln()
    }

    /// The share of events that speaks for neither rate.
    pub fn balance(&self) -> f64 {
        self.rest() / (self.rest() - self.event())
    }
}
