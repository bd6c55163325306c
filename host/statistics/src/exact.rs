//! Exact chances of counts. Tails are summed term by term from their largest: `statrs`' incomplete beta function, which would give
//! them too, stops after 140 terms of its continued fraction, which is not enough for ten thousands of requests.

use statrs::function::factorial::ln_factorial;

use crate::Share;

/// A term this small beside the sum changes none of its digits.
const NEGLIGIBLE: f64 = 1e-17;

/// Sums a first term and what follows, each the one before it times a ratio that falls below one.
fn sum(first: f64, ratios: impl Iterator<Item = f64>) -> f64 {
    let (mut total, mut term) = (first, first);
    for ratio in ratios {
        term *= ratio;
        total += term;
        if term <= total * NEGLIGIBLE {
            break;
        }
    }
    total
}

/// The chance of at least `events` out of `total` where each has the chance `p`.
pub fn binomial_tail(events: u64, total: u64, p: f64) -> f64 {
    if events == 0 || p >= 1.0 {
        return 1.0;
    }
    if events > total || p <= 0.0 || p.is_nan() {
        return 0.0;
    }
    let odds = p / (1.0 - p);
    let term = |k: u64| (ln_choose(total, k) + k as f64 * p.ln() + (total - k) as f64 * (-p).ln_1p()).exp();
    if events as f64 >= total as f64 * p {
        let ratios = (events..total).map(|k| (total - k) as f64 / (k + 1) as f64 * odds);
        sum(term(events), ratios).min(1.0)
    } else {
        let below = events - 1;
        let ratios = (1..=below).rev().map(|k| k as f64 / (total - k + 1) as f64 / odds);
        (1.0 - sum(term(below), ratios)).clamp(0.0, 1.0)
    }
}

/// The chance that so many of all events or more fall on the first, where both true shares are the same: Fisher's exact test,
/// one-sided (R. A. Fisher, "The logic of inductive inference", J. R. Stat. Soc. 98, 1935). 1 where nothing was seen.
pub fn fisher(first: Share, second: Share) -> f64 {
    let (k1, n1, n2) = (first.events(), first.total(), second.total());
    let events = k1 + second.events();
    let least = events.saturating_sub(n2);
    let most = events.min(n1);
    if k1 <= least {
        return 1.0;
    }
    // The hypergeometric distribution of the events that fall on the first.
    let all = ln_choose(n1 + n2, events);
    let term = |k: u64| (ln_choose(n1, k) + ln_choose(n2, events - k) - all).exp();
    let mean = events as f64 * n1 as f64 / (n1 + n2) as f64;
    if k1 as f64 >= mean {
        let ratio = |k: u64| (n1 - k) as f64 / (k + 1) as f64 * ((events - k) as f64 / (n2 + k + 1 - events) as f64);
        sum(term(k1), (k1..most).map(ratio)).min(1.0)
    } else {
        let ratio = |k: u64| k as f64 / (n1 - k + 1) as f64 * ((n2 + k - events) as f64 / (events - k + 1) as f64);
        (1.0 - sum(term(k1 - 1), (least + 1..k1).rev().map(ratio))).clamp(0.0, 1.0)
    }
}

fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}
