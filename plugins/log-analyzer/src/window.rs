//! The time that is analyzed, where the operator names one: lines outside of it are read past.

use serde::{Deserialize, Serialize};

use crate::time::{self, LogTime};

/// A time that the operator sets, as it is written; none where it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bound(String, Option<LogTime>);

impl TryFrom<String> for Bound {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        match time::read(text.as_bytes()) {
            Some((time, length)) if time.dated && length == text.len() => Ok(Self(text, Some(time))),
            _ => Err(format!("`{text}` is no time; write it as `2026-11-23T10:00:00Z`, in UTC where it names no zone")),
        }
    }
}

impl From<Bound> for String {
    fn from(bound: Bound) -> Self {
        bound.0
    }
}

/// Which of a source's lines are within: one without a time goes with the line before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passing {
    within: bool,
    /// Whether any line told a time.
    timed: bool,
    /// Lines that tell a month and a day and no year: they are taken for those of the year in which they are nearest to the bounds.
    pub undated: u64,
    /// Lines before the first that tells a date, such as those that tell the time of day alone: there is no telling when they are of.
    pub untold: u64,
}

impl Passing {
    /// Whether the next line, with this time, is between the two, both of which are within.
    pub fn takes(&mut self, time: Option<LogTime>, since: &Bound, until: &Bound) -> bool {
        if since.1.is_none() && until.1.is_none() {
            return true;
        }
        if let Some(LogTime { nanoseconds, dated }) = time {
            self.undated += u64::from(!dated);
            self.timed = true;
            let bound = until.1.or(since.1).map_or(nanoseconds, |bound| bound.nanoseconds);
            let at = if dated { nanoseconds } else { time::near(nanoseconds, bound) };
            self.within = since.1.is_none_or(|since| at >= since.nanoseconds)
                && until.1.is_none_or(|until| at <= until.nanoseconds);
        }
        self.untold += u64::from(!self.timed);
        self.within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(text: &str) -> Bound {
        Bound::try_from(text.to_owned()).unwrap()
    }

    fn at(seconds: i64) -> Option<LogTime> {
        Some(LogTime { nanoseconds: (1_795_428_000 + seconds) * time::SECOND, dated: true })
    }

    #[test]
    fn both_ends_are_within_and_a_line_without_a_time_goes_with_the_one_before() {
        let (since, until) = (bound("2026-11-23T10:00:00Z"), bound("2026-11-23T12:00:10+02:00"));
        let mut passing = Passing::default();
        let lines = [None, at(-1), None, at(0), None, at(10), at(11), None, at(5)];
        let taken = lines.map(|time| passing.takes(time, &since, &until));
        assert_eq!(taken, [false, false, false, true, true, true, false, false, true]);
        assert_eq!((passing.undated, passing.untold), (0, 1));
    }

    #[test]
    fn a_time_without_a_year_is_of_the_year_that_is_nearest_to_the_bounds() {
        let read = |text: &str| time::read(text.as_bytes()).map(|(time, _)| time);
        let (since, until) = (bound("2026-12-31T23:00:00Z"), bound("2027-01-01T01:00:00Z"));
        let mut passing = Passing::default();
        let lines = ["Dec 31 22:59:59", "Dec 31 23:30:00", "Jan  1 00:30:00", "Jan  1 01:00:01", "Jun 30 00:00:00"];
        let taken = lines.map(|line| passing.takes(read(line), &since, &until));
        assert_eq!(taken, [false, true, true, false, false]);
        assert_eq!((passing.undated, passing.untold), (5, 0));
        // Of one bound alone.
        assert!(Passing::default().takes(read("Jan  3 00:00:00"), &since, &bound("")));
        assert!(!Passing::default().takes(read("Dec  3 00:00:00"), &since, &bound("")));
    }

    #[test]
    fn without_a_time_all_is_within() {
        assert!(Passing::default().takes(None, &bound(""), &bound("")));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["yesterday", "10:00:00", "Nov 23 10:00:00", "2026-11-23T10:00:00Z or so"] {
            let error = Bound::try_from(text.to_owned()).unwrap_err();
            assert!(error.contains(text) && error.contains("2026-11-23T10:00:00Z"), "{error}");
        }
    }
}
