//! What hangs together: requests of one client fail together or not at all, so that they say less than as many of as many clients.

use crate::Share;

/// By how much more the share of events varies that was seen in these clusters, each `(events, total)`, than it would if they were independent:
/// the design effect (J. N. K. Rao and A. J. Scott, "A simple method for the analysis of clustered binary data", Biometrics 48, 1992), by
/// which events and total are divided before they are tested. It is below 1 where they hang together less than by chance. None of fewer
/// than two clusters, and where none or all are events.
pub fn design_effect(clusters: impl IntoIterator<Item = (u64, u64)>) -> Option<f64> {
    let (mut number, mut x, mut n, mut xx, mut xn, mut nn) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (events, total) in clusters {
        let (events, total) = (events as f64, total as f64);
        number += 1.0;
        x += events;
        n += total;
        xx += events * events;
        xn += events * total;
        nn += total * total;
    }
    if number < 2.0 || x <= 0.0 || x >= n {
        return None;
    }
    let share = x / n;
    // The squares of what each cluster has beyond its share, summed up.
    let residuals = (xx - 2.0 * share * xn + share * share * nn).max(0.0);
    Some(number / (number - 1.0) * residuals / (n * share * (1.0 - share)))
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
