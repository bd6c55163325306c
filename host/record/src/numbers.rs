//! Numbers about many attempts.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// So many out of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Those that are meant.
    pub of: u64,
    /// All.
    pub total: u64,
}

impl Share {
    /// From 0 to 1; none where there is nothing at all.
    pub fn ratio(self) -> Option<f64> {
        (self.total > 0).then(|| self.of as f64 / self.total as f64)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written {
            of: u64,
            total: u64,
            ratio: Option<f64>,
        }
        Written { of: self.of, total: self.total, ratio: self.ratio() }.serialize(serializer)
    }
}

/// How times are spread. In JSON in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Spread {
    /// How many there are.
    pub count: u64,
    /// Half of them are shorter, in seconds.
    pub median: f64,
    /// Nine of ten are shorter, in seconds.
    pub p90: f64,
    /// The longest, in seconds.
    pub longest: f64,
}

impl Spread {
    /// Of these times; none without any.
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Option<Self> {
        let mut seconds: Vec<f64> = times.into_iter().map(|time| time.as_secs_f64()).collect();
        seconds.sort_by(f64::total_cmp);
        Some(Self {
            count: seconds.len() as u64,
            median: quantile(&seconds, 0.5)?,
            p90: quantile(&seconds, 0.9)?,
            longest: *seconds.last()?,
        })
    }
}

/// The value that so many of the sorted ones are not above: the nearest rank, always one of the values.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The middle of the values.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_spread_is_of_what_is_there() {
        assert_eq!(Spread::of([]), None);
        let spread = Spread::of((1..=10).map(Duration::from_secs)).unwrap();
        assert_eq!((spread.count, spread.median, spread.p90, spread.longest), (10, 5.0, 9.0, 10.0));
        let one = Spread::of([Duration::from_millis(1500)]).unwrap();
        assert_eq!((one.median, one.p90, one.longest), (1.5, 1.5, 1.5));
    }

    #[test]
    fn nothing_out_of_nothing_is_no_share() {
        assert_eq!(Share::default().ratio(), None);
        assert_eq!(serde_json::to_string(&Share { of: 1, total: 4 }).unwrap(), r#"{"of":1,"total":4,"ratio":0.25}"#);
    }

    proptest! {
        #[test]
        fn a_spread_is_in_order(times in proptest::collection::vec(0_u64..1_000_000, 1..50)) {
            let spread = Spread::of(times.iter().map(|time| Duration::from_millis(*time))).unwrap();
            prop_assert!(spread.median <= spread.p90 && spread.p90 <= spread.longest);
            prop_assert_eq!(spread.count, times.len() as u64);
        }
    }
}
