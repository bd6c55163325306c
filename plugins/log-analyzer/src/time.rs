//! Times as logs write them.

mod clock;
mod date;

use serde::{Deserialize, Serialize};

use self::{
    clock::{Clock, clock, number, zone},
    date::{named, parts},
};

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;
/// Nanoseconds of a year as it is counted where times have none.
const YEAR: i64 = 365 * 86_400 * SECOND;
/// Days of 1970 before the first of March.
const FEBRUARY_ENDS: i64 = 59;

/// Digits in a row that are counted: one more than any time has.
const MAX_DIGITS: usize = 20;

/// A smaller number, of 1973, is no time.
const EARLIEST_SECOND: f64 = 1e8;
/// The first second of 2201: no log is of a later time, and far later ones have no nanoseconds in 64 bits.
const LATEST_SECOND: f64 = 7_289_654_400.0;

/// A time read off a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTime {
    /// Nanoseconds since 1970, in UTC where the line names a zone, else as if it did.
    pub nanoseconds: i64,
    /// Whether the line names the year. Without one the time orders lines but is no date.
    pub dated: bool,
}

/// Reads a time at the start of the text; gives it and how many bytes it takes.
pub fn read(text: &[u8]) -> Option<(LogTime, usize)> {
    let digits = text.iter().take(MAX_DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
    match digits {
        4 => iso(text).or_else(|| parts(text)),
        1 | 2 => parts(text),
        8 => run_together(text),
        6 => compact(text),
        10 | 13 | 16 | 19 => epoch(text, digits),
        0 => named(text).or_else(|| glog(text)),
        _ => None,
    }
}

/// Whether no time begins there, whatever digits are behind the first letters.
pub fn is_none(text: &[u8]) -> bool {
    let named = |at| text.get(at..at + 3).is_some_and(|name| date::month(name).is_some());
    // Behind a weekday and a comma comes the day.
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && !named(0)
        && !named(4)
        && text.get(3) != Some(&b',')
        && lettered(text).is_none()
}

/// A time in an epoch's seconds or milliseconds.
pub fn from_epoch(number: f64) -> Option<LogTime> {
    let seconds = match number {
        n if (EARLIEST_SECOND..1e11).contains(&n) => n,
        n if (1e11..1e14).contains(&n) => n / 1e3,
        n if (1e14..1e17).contains(&n) => n / 1e6,
        n if (1e17..9e18).contains(&n) => n / 1e9,
        _ => return None,
    };
    if seconds >= LATEST_SECOND {
        return None;
    }
    Some(LogTime { nanoseconds: (seconds * 1e6).round() as i64 * 1000, dated: true })
}

fn is(text: &[u8], at: usize, any: &[u8]) -> Option<()> {
    any.contains(text.get(at)?).then_some(())
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant, "days_from_civil").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn dated(date: (i64, i64, i64), clock: &Clock, zone: i64) -> Option<LogTime> {
    let (year, month, day) = date;
    if !(1970..=2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + clock.seconds - zone;
    Some(LogTime { nanoseconds: seconds * SECOND + clock.nanoseconds, dated: true })
}

/// `2026-11-23T10:00:00.123Z`, `2026/11/23 10:00:00,123`: what most logs write, told at once.
fn iso(text: &[u8]) -> Option<(LogTime, usize)> {
    is(text, 4, b"-/.")?;
    is(text, 7, b"-/.")?;
    let date = (number(text, 0, 4)?, number(text, 5, 2)?, number(text, 8, 2)?);
    is(text, 10, b"T -_")?;
    let clock = clock(text, 11)?;
    let (zone, end) = zone(text, clock.end);
    Some((dated(date, &clock, zone)?, end))
}

/// `081109 203615`, `081109 20:36:15`, and with a blank for a hour's first digit.
fn compact(text: &[u8]) -> Option<(LogTime, usize)> {
    is(text, 6, b" ")?;
    let date = (2000 + number(text, 0, 2)?, number(text, 2, 2)?, number(text, 4, 2)?);
    let packed = number(text, 7, 2).zip(number(text, 9, 2)).zip(number(text, 11, 2));
    let Some(((hour, minute), second)) = packed else {
        let clock = clock(text, 7 + usize::from(text.get(7) == Some(&b' ')))?;
        return Some((dated(date, &clock, 0)?, clock.end));
    };
    if hour > 23 || minute > 59 || second > 60 || text.get(13).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let clock = Clock { seconds: hour * 3600 + minute * 60 + second, nanoseconds: 0, end: 13 };
    Some((dated(date, &clock, 0)?, clock.end))
}

/// `20171223-22:15:29:606`, `20171224T001530`.
fn run_together(text: &[u8]) -> Option<(LogTime, usize)> {
    is(text, 8, b"-T ")?;
    let date = (number(text, 0, 4)?, number(text, 4, 2)?, number(text, 6, 2)?);
    let clock = match clock(text, 9) {
        Some(clock) => clock,
        None => {
            let (hour, minute, second) = (number(text, 9, 2)?, number(text, 11, 2)?, number(text, 13, 2)?);
            if hour > 23 || minute > 59 || second > 60 || text.get(15).is_some_and(u8::is_ascii_digit) {
                return None;
            }
            Clock { seconds: hour * 3600 + minute * 60 + second, nanoseconds: 0, end: 15 }
        }
    };
    let (zone, end) = zone(text, clock.end);
    Some((dated(date, &clock, zone)?, end))
}

/// An epoch's seconds, or thousandths of them, millionths or billionths, and of seconds a fraction.
fn epoch(text: &[u8], digits: usize) -> Option<(LogTime, usize)> {
    let unit = 10i64.checked_pow(u32::try_from(19 - digits).ok()?)?;
    let whole: i64 = std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()?;
    let nanoseconds = whole.checked_mul(unit)?;
    if !(EARLIEST_SECOND as i64 * SECOND..LATEST_SECOND as i64 * SECOND).contains(&nanoseconds) {
        return None;
    }
    let (part, end) = clock::fraction(text, digits, b".").unwrap_or((0, digits));
    // Behind a fraction of a thousandth nothing is kept.
    let part = if unit == SECOND { part } else { 0 };
    Some((LogTime { nanoseconds: nanoseconds + part, dated: true }, end))
}

/// A time without a year, counted as if it were in 1970.
fn undated(month: i64, day: i64, clock: &Clock) -> Option<LogTime> {
    if !(1..=31).contains(&day) {
        return None;
    }
    let seconds = days(1970, month, day) * 86_400 + clock.seconds;
    Some(LogTime { nanoseconds: seconds * SECOND + clock.nanoseconds, dated: false })
}

/// What makes a time without a year, in nanoseconds, one of the year in which it is nearest to another such. These years have no 29th of
/// February.
pub fn years(undated: i64, now: i64) -> i64 {
    now.saturating_sub(undated).saturating_add(YEAR / 2).div_euclid(YEAR).saturating_mul(YEAR)
}

/// A time without a year, in the year in which it is nearest to a time with one; both in nanoseconds.
pub fn near(undated: i64, dated: i64) -> i64 {
    // It may be counted on from one of a year before.
    let undated = undated.rem_euclid(YEAR);
    let day = dated.div_euclid(SECOND * 86_400);
    let year = 1970 + (day as f64 / 365.2425).floor() as i64;
    let in_year = |year: i64| {
        // Years in which there is a 29th of February are a day longer from March on.
        let leaps = undated.div_euclid(SECOND * 86_400) >= FEBRUARY_ENDS && days(year, 3, 1) - days(year, 2, 28) > 1;
        let shift = days(year, 1, 1) + i64::from(leaps);
        undated.saturating_add(shift.saturating_mul(SECOND * 86_400))
    };
    let years = [in_year(year), in_year(year - 1), in_year(year + 1)];
    years.into_iter().min_by_key(|at| at.abs_diff(dated)).unwrap_or(undated)
}

/// `E1123 10:00:00.123456`, and with a year `E20261123 10:00:00.123456`: the level's letter is left to the record.
fn glog(text: &[u8]) -> Option<(LogTime, usize)> {
    let blank = lettered(text)?;
    let at = blank - 4;
    let (month, day) = (number(text, at, 2)?, number(text, at + 2, 2)?);
    let clock = clock(text, blank + 1)?;
    let time = match at {
        1 => (1..=12).contains(&month).then(|| undated(month, day, &clock))?,
        _ => dated((number(text, 1, 4)?, month, day), &clock, 0),
    };
    Some((time?, clock.end))
}

/// Where the blank is behind a level's letter and a date, with a year or without.
pub fn lettered(text: &[u8]) -> Option<usize> {
    is(text, 0, b"IWEF")?;
    [5, 9].into_iter().find(|blank| is(text, *blank, b" ").is_some())
}

/// A time of the day alone, `10:00:00.123`, in nanoseconds since midnight, and its length: it says not of which day.
pub fn of_day(text: &[u8]) -> Option<(i64, usize)> {
    is(text, 2, b":")?;
    let Clock { seconds, nanoseconds, end } = clock(text, 0)?;
    is(text, end, b" ]")?;
    Some((seconds * SECOND + nanoseconds, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_that_logs_use() {
        // Seconds by `date -u -d … +%s`.
        for (text, seconds, len) in [
            ("2026-11-23T10:00:00.123Z rest", 1_795_428_000, 24),
            ("2026-11-23 11:00:00,123+01:00", 1_795_428_000, 29),
            ("2026/11/23 10:00:00 [error]", 1_795_428_000, 19),
            ("17/06/09 20:10:40 INFO", 1_497_039_040, 17),
            ("10/Oct/2000:13:55:36 -0700] x", 971_211_336, 26),
            ("081109 203615 148 INFO", 1_226_262_975, 13),
            ("1795428000 x", 1_795_428_000, 10),
            ("1795428000123 x", 1_795_428_000, 13),
            ("1795428000123456 x", 1_795_428_000, 16),
            ("1795428000123456789 x", 1_795_428_000, 19),
            ("1795428000.123 x", 1_795_428_000, 14),
            // .NET, Windows and databases, whose day comes first or second
            ("23/11/2026 10:00:00 x", 1_795_428_000, 19),
            ("11/23/2026 10:00:00 AM x", 1_795_428_000, 22),
            ("11/23/2026, 10:00:00 PM x", 1_795_471_200, 23),
            ("3/2/2026 4:05:06 PM x", 1_772_467_506, 19),
            ("23.11.2026 10:00:00,123 x", 1_795_428_000, 23),
            ("03.02.2026 10:00:00 x", 1_770_112_800, 19),
            ("23-11-2026 10:00:00 x", 1_795_428_000, 19),
            ("23.11.26 10:00:00 x", 1_795_428_000, 17),
            ("11/23/26 10:00:00 x", 1_795_428_000, 17),
            ("2026/11/23 9:59:60 x", 1_795_428_000, 18),
            ("261123 10:00:00 x", 1_795_428_000, 15),
            ("261123  9:59:60 x", 1_795_428_000, 15),
            ("2026-11-23 11:00:00.123+01 [7] x", 1_795_428_000, 26),
            ("2026-11-23 10:00:00.123 UTC [7] x", 1_795_428_000, 27),
            // with the month's name
            ("Nov 23, 2026 10:00:00 AM x", 1_795_428_000, 24),
            ("Nov 23, 2026, 10:00:00\u{202f}AM x", 1_795_428_000, 27),
            ("Nov  3, 2026 10:00:00 AM x", 1_793_700_000, 24),
            ("Nov 23 2026 10:00:00: x", 1_795_428_000, 20),
            ("Mon, 23 Nov 2026 10:00:00 GMT x", 1_795_428_000, 29),
            ("Mon, 23 Nov 2026 11:00:00 +0100 x", 1_795_428_000, 31),
            ("23 Nov 2026 10:00:00.123 x", 1_795_428_000, 24),
            ("Mon Nov 23 10:00:00 UTC 2026 x", 1_795_428_000, 28),
            ("Mon Nov 23 10:00:00.123456 2026] x", 1_795_428_000, 31),
            ("20171223-22:15:29:606|Step", 1_514_067_329, 21),
            ("20171224-0:3:7:12|Step", 1_514_073_787, 17),
            ("20171223T221529Z x", 1_514_067_329, 16),
            ("Sun Dec 04 04:47:44 2005] x", 1_133_671_664, 24),
            ("23-Nov-2026 10:00:00 UTC] PHP", 1_795_428_000, 24),
            ("23-Nov-2026 10:00:00 more", 1_795_428_000, 20),
            ("E20261123 10:00:00.123456 7 a.cc:1] m", 1_795_428_000, 25),
        ] {
            let (time, used) = read(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(time.nanoseconds.div_euclid(SECOND), seconds, "{text}");
            assert!(time.dated, "{text}");
            assert_eq!(used, len, "{text}");
        }
    }

    #[test]
    fn a_time_without_a_year_is_put_into_the_one_where_it_is_near() {
        let at = |text: &str| read(text.as_bytes()).unwrap().0.nanoseconds;
        for (undated, dated) in [
            ("Nov 23 10:00:00", "2026-11-23T10:00:00Z"),
            ("Feb 28 10:00:00", "2028-02-28T10:00:00Z"),
            ("Mar  1 10:00:00", "2028-03-01T10:00:00Z"),
            ("Mar  1 10:00:00", "2027-03-01T10:00:00Z"),
        ] {
            assert_eq!(near(at(undated), at(dated) + 3 * SECOND), at(dated), "{undated} {dated}");
        }
        let over = near(at("Dec 31 23:59:00"), at("2027-01-01T00:01:00Z"));
        assert_eq!(over, at("2026-12-31T23:59:00Z"));
        assert_eq!(near(at("Jan  1 00:01:00"), at("2026-12-31T23:59:00Z")), at("2027-01-01T00:01:00Z"));
        // Counted on from the year before, and back into it.
        for counted in [YEAR, -YEAR, 3 * YEAR] {
            assert_eq!(near(at("Jan  1 00:01:00") + counted, at("2026-12-31T23:59:00Z")), at("2027-01-01T00:01:00Z"));
            assert_eq!(near(at("Mar  1 10:00:00") + counted, at("2028-03-01T10:00:00Z")), at("2028-03-01T10:00:00Z"));
        }
    }

    #[test]
    fn a_time_without_a_year_is_no_date() {
        for text in [
            "10.30 16:49:06] chrome",
            "Jun 14 15:16:01 combo sshd",
            "Jun  4 15:16:01 combo",
            "E0614 15:16:01.123456 7 x.cc:1] m",
            "03-17 16:13:38.811  1702",
            "11/23 10:00:00 x",
            "23 Nov 10:00:00.123 * x",
        ] {
            assert!(!read(text.as_bytes()).unwrap_or_else(|| panic!("{text}")).0.dated);
        }
    }

    #[test]
    fn what_is_no_time_is_not_taken_for_one() {
        for text in [
            "",
            "1234",
            "2026-13-45T99:00:00",
            "Junk 14",
            "123456 abcdef",
            "12345678901234567890",
            "9292929292 x",
            "9999999999999999999",
            "10.0.0.1 - -",
            "10.10.34.11 10:00:00",
            "1.2.3 10:00",
            "31/31/2026 10:00:00",
            "123/11/2026 10:00:00",
            "11/23/2026 13:00",
            "2026-11-23 25:00:00",
            "Mon, soon 10:00:00",
            "Nov 2026 10:00:00 x",
            "12 34 56 10:00:00",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
