//! Values that were seen: one by one, or counted by buckets.

/// Values that were seen, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution(pub(crate) Kind);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Growing.
    Values(Vec<f64>),
    /// Bounds grow; what lies beyond the last finite bound is counted there.
    Buckets(Vec<Bucket>),
}

/// So many values between two bounds, the upper one included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) count: u64,
}

impl Bucket {
    /// Whether it has no upper bound.
    pub(crate) fn is_open(&self) -> bool {
        self.high == f64::INFINITY
    }
}

impl Distribution {
    /// Single values. What is no number is left out.
    pub fn of_values(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        Self(Kind::Values(values))
    }

    /// Values by cumulative counts at growing upper bounds, the first bucket reaching from 0: the last bound may be
    /// `f64::INFINITY` or `f64::MAX`, which have no upper bound. A count below the one before it adds nothing.
    pub fn of_cumulative(buckets: impl IntoIterator<Item = (f64, u64)>) -> Self {
        let (mut low, mut below) = (0.0_f64, 0);
        let mut counted = Vec::new();
        for (bound, count) in buckets {
            let high = if bound >= f64::MAX || bound.is_nan() { f64::INFINITY } else { bound };
            counted.push(Bucket { low: low.min(high), high, count: count.saturating_sub(below) });
            below = below.max(count);
            low = high;
        }
        Self(Kind::Buckets(counted))
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        match &self.0 {
            Kind::Values(values) => values.len() as u64,
            Kind::Buckets(buckets) => buckets.iter().map(|bucket| bucket.count).sum(),
        }
    }

    /// The value that the share `quantile` of all is at most: of buckets by a straight line within the bucket; the last bucket's
    /// lower bound where it has no upper one. None of nothing.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = (quantile.clamp(0.0, 1.0) * count as f64).max(1.0);
        match &self.0 {
            Kind::Values(values) => values.get(rank.ceil() as usize - 1).or(values.last()).copied(),
            Kind::Buckets(buckets) => {
                let mut below = 0;
                let bucket = buckets.iter().find(|bucket| {
                    let reached = (below + bucket.count) as f64 >= rank;
                    if !reached {
                        below += bucket.count;
                    }
                    reached
                })?;
                if bucket.is_open() || bucket.count == 0 {
                    return Some(bucket.low);
                }
                let share = (rank - below as f64) / bucket.count as f64;
                Some(bucket.low + (bucket.high - bucket.low) * share)
            }
        }
    }
}
