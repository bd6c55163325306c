//! Which of two sets of values tends to be greater, by ranks: no shape of a distribution is assumed.

use crate::{
    Distribution,
    distribution::{Bucket, Kind},
    normal,
};

/// Why two sets of values are not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incomparable {
    /// One of them is empty.
    Empty,
    /// They are counted by buckets of different bounds.
    Buckets,
}

/// What the test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitney {
    /// In how many pairs, one value of each, the first's is the greater; ties count half.
    pub u: f64,
    /// How many pairs there are.
    pub pairs: f64,
    /// The standard deviation of `u` where there is no difference, ties taken into account.
    pub deviation: f64,
    /// How many standard deviations `u` is above its mean, corrected for continuity.
    pub z: f64,
    /// The chance of such a `u` or a higher one where there is no difference.
    pub chance: f64,
}

impl MannWhitney {
    /// The share of pairs in which the first's value is the greater; one half where there is no difference.
    pub fn superiority(&self) -> f64 {
        self.u / self.pairs
    }
}

/// Whether the first tends to be greater than the second: the one-sided Mann–Whitney U test (H. B. Mann and D. R. Whitney, "On a
/// test of whether one of two random variables is stochastically larger than the other", Ann. Math. Stat. 18, 1947), by the normal
/// approximation with corrections for ties and continuity, as `scipy.stats.mannwhitneyu(…, alternative="greater",
/// method="asymptotic")`. Values in one bucket are ties; single values are put into the other's buckets.
///
/// # Errors
/// [`Incomparable`]: one is empty, or the buckets differ.
pub fn mann_whitney(first: &Distribution, second: &Distribution) -> Result<MannWhitney, Incomparable> {
    if first.count() == 0 || second.count() == 0 {
        return Err(Incomparable::Empty);
    }
    Ok(by_groups(&groups(first, second)?))
}

/// How many of each have the same rank, by growing rank.
fn groups(first: &Distribution, second: &Distribution) -> Result<Vec<(u64, u64)>, Incomparable> {
    match (&first.0, &second.0) {
        (Kind::Values(first), Kind::Values(second)) => Ok(of_values(first, second)),
        (Kind::Buckets(first), Kind::Buckets(second)) => {
            let same = first.len() == second.len() && first.iter().zip(second).all(|(a, b)| a.high == b.high);
            if !same {
                return Err(Incomparable::Buckets);
            }
            Ok(first.iter().zip(second).map(|(a, b)| (a.count, b.count)).collect())
        }
        (Kind::Values(values), Kind::Buckets(buckets)) => {
            Ok(binned(values, buckets).into_iter().zip(buckets).map(|(count, bucket)| (count, bucket.count)).collect())
        }
        (Kind::Buckets(buckets), Kind::Values(values)) => {
            Ok(buckets.iter().map(|bucket| bucket.count).zip(binned(values, buckets)).collect())
        }
    }
}

fn binned(values: &[f64], buckets: &[Bucket]) -> Vec<u64> {
    let mut counts = vec![0; buckets.len()];
    for value in values {
        let place = buckets.partition_point(|bucket| bucket.high < *value).min(buckets.len().saturating_sub(1));
        if let Some(count) = counts.get_mut(place) {
            *count += 1;
        }
    }
    counts
}

fn of_values(first: &[f64], second: &[f64]) -> Vec<(u64, u64)> {
    let mut groups: Vec<(u64, u64)> = Vec::new();
    let (mut a, mut b) = (first.iter().peekable(), second.iter().peekable());
    loop {
        let value = match (a.peek(), b.peek()) {
            (Some(one), Some(other)) => one.min(**other),
            (Some(only), None) | (None, Some(only)) => **only,
            (None, None) => return groups,
        };
        let mut group = (0, 0);
        while a.next_if(|next| **next == value).is_some() {
            group.0 += 1;
        }
        while b.next_if(|next| **next == value).is_some() {
            group.1 += 1;
        }
        groups.push(group);
    }
}

fn by_groups(groups: &[(u64, u64)]) -> MannWhitney {
    let (mut u, mut below, mut ties) = (0.0, 0.0, 0.0);
    let (mut first, mut second) = (0.0, 0.0);
    for &(a, b) in groups {
        let (a, b) = (a as f64, b as f64);
        u += a * (below + b / 2.0);
        below += b;
        let tied = a + b;
        ties += tied * tied * tied - tied;
        first += a;
        second += b;
    }
    let (pairs, all) = (first * second, first + second);
    // The variance: Mann and Whitney 1947; for ties: Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", 4.1.
    let tied = if all > 1.0 { ties / (all * (all - 1.0)) } else { 0.0 };
    let deviation = (pairs / 12.0 * (all + 1.0 - tied)).max(0.0).sqrt();
    let above = u - pairs / 2.0 - 0.5;
    // Where all values are ties, nothing was seen of a difference.
    let z = if deviation > 0.0 { above / deviation } else { 0.0 };
    let chance = if deviation > 0.0 { normal::upper_tail(z) } else { 1.0 };
    MannWhitney { u, pairs, deviation, z, chance }
}
