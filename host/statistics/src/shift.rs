//! By how much one set of values is greater than another.

use crate::{
    Distribution, Incomparable,
    distribution::{Bucket, Kind},
    mann_whitney, normal,
};

/// Halvings of the range in which a difference of bucketed values is looked for: more than a number's digits.
const HALVINGS: usize = 60;

/// A share of all pairs that is none, but for the rounding of sums.
const ROUNDING: f64 = 1e-9;

/// By how much the first is greater than the second, in the values' unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The median of the differences of all pairs.
    pub estimate: f64,
    /// The shift is above this, with the one-sided confidence that was asked for.
    pub lower: f64,
    /// The shift is below this, with the same confidence.
    pub upper: f64,
}

/// The Hodges–Lehmann estimate of a shift (J. L. Hodges and E. L. Lehmann, "Estimates of location based on rank tests", Ann. Math.
/// Stat. 34, 1963), with the bounds that belong to the Mann–Whitney test (Hollander, Wolfe and Chicken, "Nonparametric Statistical
/// Methods", 3rd edition, section 4.3): of the sorted differences of all pairs the middle one, and those so many places from either
/// end as a count that is at most too low by chance. Values in a bucket are taken to be spread evenly over it; those in a bucket
/// without an upper bound, to lie at its lower one.
///
/// # Errors
/// [`Incomparable`], as [`mann_whitney`].
pub fn shift(first: &Distribution, second: &Distribution, confidence: f64) -> Result<Shift, Incomparable> {
    let test = mann_whitney(first, second)?;
    let place = test.pairs / 2.0 - normal::quantile(confidence) * test.deviation;
    match (&first.0, &second.0) {
        (Kind::Values(first), Kind::Values(second)) => Ok(of_values(first, second, place)),
        _ => Ok(of_pieces(&pieces(first), &pieces(second), place)),
    }
}

fn of_values(first: &[f64], second: &[f64], place: f64) -> Shift {
    let pairs = first.len() as u128 * second.len() as u128;
    let nth = |rank: u128| nth_difference(first, second, rank);
    let estimate = f64::midpoint(nth((pairs - 1) / 2), nth(pairs / 2));
    if place < 1.0 || place.is_nan() {
        return Shift { estimate, lower: f64::NEG_INFINITY, upper: f64::INFINITY };
    }
    let rank = (place.floor() as u128 - 1).min((pairs - 1) / 2);
    Shift { estimate, lower: nth(rank), upper: nth(pairs - 1 - rank) }
}

/// A number's place among all numbers, so that halves of a range of numbers have as many of them.
fn ordinal(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
}

fn number(ordinal: i64) -> f64 {
    f64::from_bits(if ordinal < 0 { i64::MIN.wrapping_sub(ordinal) } else { ordinal }.cast_unsigned())
}

/// The difference of so high a rank, from 0, among those of all pairs: found by halving, since all pairs would be too many to sort.
/// Both are sorted and not empty.
fn nth_difference(first: &[f64], second: &[f64], rank: u128) -> f64 {
    let ends = |first: Option<&f64>, second: Option<&f64>| {
        first.zip(second).map_or(0, |(first, second)| ordinal(first - second))
    };
    let (mut low, mut high) = (ends(first.first(), second.last()), ends(first.last(), second.first()));
    while low < high {
        let middle = low + (high.wrapping_sub(low).cast_unsigned() / 2).cast_signed();
        if at_most(first, second, number(middle)) > rank {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    number(low)
}

/// How many differences are at most this.
fn at_most(first: &[f64], second: &[f64], difference: f64) -> u128 {
    let (mut count, mut above) = (0, 0);
    for value in first {
        // The greater the first's value, the greater the second's must be.
        while second.get(above).is_some_and(|other| value - other > difference) {
            above += 1;
        }
        count += (second.len() - above) as u128;
    }
    count
}

/// Evenly spread from `low` to `high`, which may be one point.
#[derive(Clone, Copy)]
struct Piece {
    low: f64,
    high: f64,
    weight: f64,
}

fn pieces(distribution: &Distribution) -> Vec<Piece> {
    match &distribution.0 {
        Kind::Values(values) => values.iter().map(|value| Piece { low: *value, high: *value, weight: 1.0 }).collect(),
        Kind::Buckets(buckets) => {
            let piece = |bucket: &Bucket| Piece {
                low: bucket.low,
                high: if bucket.is_open() { bucket.low } else { bucket.high },
                weight: bucket.count as f64,
            };
            buckets.iter().filter(|bucket| bucket.count > 0).map(piece).collect()
        }
    }
}

fn of_pieces(first: &[Piece], second: &[Piece], place: f64) -> Shift {
    let weight = |pieces: &[Piece]| pieces.iter().map(|piece| piece.weight).sum::<f64>();
    let pairs = weight(first) * weight(second);
    // Between two halves there may be a gap: its middle, as of an even number of values.
    let half = |nudge: f64| where_reached(first, second, pairs / 2.0 * nudge);
    let estimate = f64::midpoint(half(1.0 - ROUNDING), half(1.0 + ROUNDING));
    if place < 1.0 || place.is_nan() {
        return Shift { estimate, lower: f64::NEG_INFINITY, upper: f64::INFINITY };
    }
    let (lower, upper) = (where_reached(first, second, place), where_reached(first, second, pairs - place));
    Shift { estimate, lower, upper }
}

/// The difference that so many pairs are at most.
fn where_reached(first: &[Piece], second: &[Piece], wanted: f64) -> f64 {
    let least = |pieces: &[Piece]| pieces.iter().map(|piece| piece.low).fold(f64::INFINITY, f64::min);
    let most = |pieces: &[Piece]| pieces.iter().map(|piece| piece.high).fold(f64::NEG_INFINITY, f64::max);
    let (mut low, mut high) = (least(first) - most(second), most(first) - least(second));
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        let reached: f64 = first
            .iter()
            .flat_map(|one| {
                second.iter().map(move |other| one.weight * other.weight * share_at_most(one, other, middle))
            })
            .sum();
        if reached >= wanted {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// The chance that a value of one piece less a value of the other is at most `difference`: for two spread evenly the integral over
/// a rectangle, cut by a line.
fn share_at_most(one: &Piece, other: &Piece, difference: f64) -> f64 {
    let (width, depth) = (one.high - one.low, other.high - other.low);
    let share = match (width > 0.0, depth > 0.0) {
        (false, false) => f64::from(u8::from(one.low - other.low <= difference)),
        (true, false) => (difference + other.low - one.low) / width,
        (false, true) => (other.high - one.low + difference) / depth,
        (true, true) => {
            let area = |corner: f64| {
                let side = (difference - corner).max(0.0);
                side * side / 2.0
            };
            let corners = area(one.low - other.high) - area(one.high - other.high) - area(one.low - other.low)
                + area(one.high - other.low);
            corners / (width * depth)
        }
    };
    share.clamp(0.0, 1.0)
}
