//! The statistics that verdicts rest on: counts and latencies in, bounds and chances out. No I/O, no clock, no opinion on what is
//! good: that is decided by who asks.
//!
//! | question | answer |
//! |---|---|
//! | how high, how low may a share be, of which `k` of `n` were seen | [`Share::wilson_lower`], [`Share::wilson_upper`] |
//! | how rarely are so many seen where the share is `p` | [`Share::tail`], exact |
//! | is one share higher than another | [`two_proportions`]; [`fisher`], exact |
//! | by how much may one share be higher than another | [`difference_upper`], by Newcombe |
//! | for how many independent ones do events of the same clients stand | [`design_effect`], [`design_effect_of_mean`], [`Share::weighed`] |
//! | are latencies longer than others, and by how much | [`mann_whitney`], [`shift`], from samples or histograms |
//! | does a stream of events come from a low rate or a high one | [`Sprt`] |
//! | what is left of a small chance when many questions are asked | [`bonferroni`], [`holm`] |
//!
//! Distributions and special functions are those of `statrs`. Every formula names its source, and is compared with what SciPy
//! computes (`fixtures/make.py`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod clusters;
mod distribution;
mod exact;
mod family;
mod normal;
mod proportion;
mod rank;
mod shift;
mod sprt;

pub use clusters::{Cluster, design_effect, design_effect_of_mean};
pub use distribution::Distribution;
pub use exact::fisher;
pub use family::{bonferroni, holm};
pub use normal::{quantile, upper_tail};
pub use proportion::{Share, TwoProportions, difference_upper, two_proportions};
pub use rank::{Incomparable, MannWhitney, mann_whitney};
pub use shift::{Shift, shift};
pub use sprt::{BadSprt, Course, Decision, Sprt};

#[cfg(test)]
mod tests;
