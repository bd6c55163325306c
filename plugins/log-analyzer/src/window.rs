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
    /// Lines that tell a time and no date, so that there is no telling.
    pub undated: u64,
}

impl Passing {
    /// Whether the next line, with this time, is between the two, both of which are within.
    pub fn takes(&mut self, time: Option<LogTime>, since: &Bound, until: &Bound) -> bool {
        if since.1.is_none() && until.1.is_none() {
            return true;
        }
        if let Some(LogTime { nanoseconds, dated }) = time {
            self.undated += u64::from(!dated);
            self.within = dated
                && since.1.is_none_or(|since| nanoseconds >= since.nanoseconds)
                && until.1.is_none_or(|until| nanoseconds <= until.nanoseconds);
        }
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
        let undated = Some(LogTime { nanoseconds: 0, dated: false });
        assert!(!passing.takes(undated, &since, &until));
        assert_eq!(passing.undated, 1);
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
