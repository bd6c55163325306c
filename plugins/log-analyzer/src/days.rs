//! The days of a log whose lines tell the time of the day alone.

use serde::{Deserialize, Serialize};

use crate::time::{LogTime, SECOND};

/// Nanoseconds of a day.
const DAY: i64 = 86_400 * SECOND;
/// A clock that falls back by more went over midnight; by less, lines are late.
const HALF: i64 = DAY / 2;
/// Nanoseconds that a line of the day before may be late.
const LATE: i64 = 3600 * SECOND;

/// How many days went by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    /// Since the first line.
    day: i64,
    /// The last time of the day, in nanoseconds since midnight.
    last: Option<i64>,
}

impl Days {
    /// The time of the next line, by its nanoseconds since midnight: without a year, and on the first of January where the log begins.
    pub fn time(&mut self, of_day: i64) -> LogTime {
        let last = self.last.unwrap_or(of_day);
        let mut day = self.day;
        if last - of_day > HALF {
            self.day += 1;
            day = self.day;
        } else if day > 0 && of_day - last > HALF && last + DAY - of_day <= LATE {
            // It is of the evening before, and late.
            return LogTime { nanoseconds: (day - 1) * DAY + of_day, dated: false };
        }
        self.last = Some(of_day);
        LogTime { nanoseconds: day * DAY + of_day, dated: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_falls_back_by_more_than_half_a_day_went_over_midnight() {
        let hour = |hour: f64| (hour * 3600.0) as i64 * SECOND;
        let mut days = Days::default();
        for (of_day, since) in [
            (10.0, 10.0),
            (23.5, 23.5),
            // Late ones, on either side of midnight.
            (23.25, 23.25),
            (0.25, 24.25),
            (23.75, 23.75),
            (0.5, 24.5),
            // A silence of most of a day, and another midnight.
            (22.5, 46.5),
            (1.0, 49.0),
        ] {
            let time = days.time(hour(of_day));
            assert_eq!(time, LogTime { nanoseconds: hour(since), dated: false }, "{of_day}");
        }
    }
}
