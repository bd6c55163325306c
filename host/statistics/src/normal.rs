//! The standard normal distribution.

use statrs::distribution::{ContinuousCDF, Normal};

/// The value below which the share `confidence` of the distribution lies: 2.326 for 0.99. Infinite at 0 and 1, and for what is no
/// share.
pub fn quantile(confidence: f64) -> f64 {
    if confidence > 0.0 && confidence < 1.0 {
        Normal::standard().inverse_cdf(confidence)
    } else if confidence <= 0.0 {
        f64::NEG_INFINITY
    } else {
        f64::INFINITY
    }
}

/// The share of the distribution that lies above `z`.
pub fn upper_tail(z: f64) -> f64 {
    Normal::standard().sf(z)
}
