//! What hangs together: requests of one client fail together or not at all, so that they say less than as many of as many clients.

use crate::Share;

/// The values that were seen in one cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cluster {
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub squares: f64,
    /// How many they are.
    pub number: f64,
}

/// By how much more the mean varies that was seen in these clusters than it would if their values were independent: the design effect of a
/// ratio of sums (Cochran, "Sampling Techniques", 3rd edition, 1977, section 9A; for shares J. N. K. Rao and A. J. Scott, "A simple method for
/// the analysis of clustered binary data", Biometrics 48, 1992), by which numbers are divided before they are tested. It is below 1 where
/// values hang together less than by chance. None of fewer than two clusters, and where all values are the same.
pub fn design_effect_of_mean(clusters: impl IntoIterator<Item = Cluster>) -> Option<f64> {
    let (mut clusters_seen, mut sum, mut squares, mut number) = (0.0, 0.0, 0.0, 0.0);
    let (mut of_sums, mut of_both, mut of_numbers) = (0.0, 0.0, 0.0);
    for cluster in clusters {
        clusters_seen += 1.0;
        sum += cluster.sum;
        squares += cluster.squares;
        number += cluster.number;
        of_sums += cluster.sum * cluster.sum;
        of_both += cluster.sum * cluster.number;
        of_numbers += cluster.number * cluster.number;
    }
    let mean = sum / number;
    let spread = squares - number * mean * mean;
    // What is left of it where all are the same is the error of the sums.
    if clusters_seen < 2.0 || spread.is_nan() || spread <= 1e-9 * squares {
        return None;
    }
    // The squares of what each cluster has beyond its share, summed up.
    let residuals = (of_sums - 2.0 * mean * of_both + mean * mean * of_numbers).max(0.0);
    Some(clusters_seen / (clusters_seen - 1.0) * residuals / spread)
}

/// The same of the share of events in these clusters, each `(events, total)`: none where none or all are events.
pub fn design_effect(clusters: impl IntoIterator<Item = (u64, u64)>) -> Option<f64> {
    design_effect_of_mean(clusters.into_iter().map(|(events, total)| Cluster {
        sum: events as f64,
        squares: events as f64,
        number: total as f64,
    }))
}

impl Share {
    /// As many independent ones as it weighs where the design effect is this, to the nearest: itself at 1 and below, and where it is no number.
    #[must_use]
    pub fn weighed(self, effect: f64) -> Self {
        if effect > 1.0 {
            let weighed = |count: u64| (count as f64 / effect).round() as u64;
            return Self::new(weighed(self.events()), weighed(self.total()));
        }
        self
    }
}
