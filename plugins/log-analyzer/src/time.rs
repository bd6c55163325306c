//! Times as logs write them.

use serde::{Deserialize, Serialize};

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;
/// Nanoseconds of a year as it is counted where times have none.
const YEAR: i64 = 365 * 86_400 * SECOND;
/// Days of 1970 before the first of March.
const FEBRUARY_ENDS: i64 = 59;

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

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Reads a time at the start of the text; gives it and how many bytes it takes.
pub fn read(text: &[u8]) -> Option<(LogTime, usize)> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match digits {
        4 => iso(text),
        2 => slashed(text).or_else(|| access(text)).or_else(|| php(text)).or_else(|| dotted(text)),
        8 => run_together(text),
        6 => compact(text),
        10 | 13 => epoch(text, digits),
        0 => syslog(text).or_else(|| glog(text)),
        _ => None,
    }
}

/// Whether no time begins there, whatever digits are behind the first letters.
pub fn is_none(text: &[u8]) -> bool {
    let named = |at| text.get(at..at + 3).is_some_and(|name| month(name).is_some());
    text.first().is_some_and(u8::is_ascii_alphabetic) && !named(0) && !named(4) && lettered(text).is_none()
}

/// A time in an epoch's seconds or milliseconds.
pub fn from_epoch(number: f64) -> Option<LogTime> {
    let seconds = match number {
        n if (1e8..1e11).contains(&n) => n,
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

fn number(text: &[u8], at: usize, len: usize) -> Option<i64> {
    let digits = text.get(at..at + len)?;
    digits.iter().try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
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

struct Clock {
    seconds: i64,
    nanoseconds: i64,
    len: usize,
}

/// `HH:MM:SS`, then a fraction behind `.`, `,` or `:`.
fn clock(text: &[u8], at: usize) -> Option<Clock> {
    let (hour, minute, second) = (number(text, at, 2)?, number(text, at + 3, 2)?, number(text, at + 6, 2)?);
    is(text, at + 2, b":")?;
    is(text, at + 5, b":")?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut len = 8;
    let mut nanoseconds = 0;
    if is(text, at + 8, b".,:").is_some() && text.get(at + 9).is_some_and(u8::is_ascii_digit) {
        let fraction = text.get(at + 9..)?;
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let used = digits.min(9);
        nanoseconds = number(fraction, 0, used)? * 10i64.pow(9 - u32::try_from(used).ok()?);
        len = 9 + digits;
    }
    Some(Clock { seconds: hour * 3600 + minute * 60 + second, nanoseconds, len })
}

/// `Z`, `+01:00`, `+0100`, ` +0100`: seconds east of UTC, and its length.
fn zone(text: &[u8], at: usize) -> (i64, usize) {
    let space = usize::from(text.get(at) == Some(&b' '));
    let sign = match text.get(at + space) {
        Some(b'Z') if space == 0 => return (0, 1),
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return (0, 0),
    };
    let colon = usize::from(text.get(at + space + 3) == Some(&b':'));
    let offset = number(text, at + space + 1, 2).zip(number(text, at + space + 3 + colon, 2));
    match offset {
        Some((hours, minutes)) => (sign * (hours * 3600 + minutes * 60), space + 5 + colon),
        None => (0, 0),
    }
}

fn dated(date: (i64, i64, i64), clock: &Clock, zone: i64) -> Option<LogTime> {
    let (year, month, day) = date;
    if !(1970..=2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + clock.seconds - zone;
    Some(LogTime { nanoseconds: seconds * SECOND + clock.nanoseconds, dated: true })
}

/// `2026-11-23T10:00:00.123Z`, `2026/11/23 10:00:00,123`.
fn iso(text: &[u8]) -> Option<(LogTime, usize)> {
    is(text, 4, b"-/.")?;
    is(text, 7, b"-/.")?;
    let date = (number(text, 0, 4)?, number(text, 5, 2)?, number(text, 8, 2)?);
    is(text, 10, b"T -_")?;
    let clock = clock(text, 11)?;
    let (zone, len) = zone(text, 11 + clock.len);
    Some((dated(date, &clock, zone)?, 11 + clock.len + len))
}

/// `17/06/09 20:10:40`: year, month, day.
fn slashed(text: &[u8]) -> Option<(LogTime, usize)> {
    is(text, 2, b"/")?;
    is(text, 5, b"/")?;
    is(text, 8, b" ")?;
    let date = (2000 + number(text, 0, 2)?, number(text, 3, 2)?, number(text, 6, 2)?);
    let clock = clock(text, 9)?;
    Some((dated(date, &clock, 0)?, 9 + clock.len))
}

/// `10/Oct/2000:13:55:36 -0700`.
fn access(text: &[u8]) -> Option<(LogTime, usize)> {
    is(text, 2, b"/")?;
    is(text, 6, b"/")?;
    is(text, 11, b":")?;
    let month = month(text.get(3..6)?)?;
    let clock = clock(text, 12)?;
    let (zone, len) = zone(text, 12 + clock.len);
    Some((dated((number(text, 7, 4)?, month, number(text, 0, 2)?), &clock, zone)?, 12 + clock.len + len))
}

fn month(name: &[u8]) -> Option<i64> {
    MONTHS.iter().zip(1..).find(|(month, _)| **month == name).map(|(_, number)| number)
}

/// `081109 203615`.
fn compact(text: &[u8]) -> Option<(LogTime, usize)> {
    is(text, 6, b" ")?;
    let date = (2000 + number(text, 0, 2)?, number(text, 2, 2)?, number(text, 4, 2)?);
    let (hour, minute, second) = (number(text, 7, 2)?, number(text, 9, 2)?, number(text, 11, 2)?);
    if hour > 23 || minute > 59 || second > 60 || text.get(13).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let clock = Clock { seconds: hour * 3600 + minute * 60 + second, nanoseconds: 0, len: 6 };
    Some((dated(date, &clock, 0)?, 13))
}

/// `20171223-22:15:29:606`, `20171224T001530`; some write the clock without leading zeros: `20171224-0:3:7:12`.
fn run_together(text: &[u8]) -> Option<(LogTime, usize)> {
    is(text, 8, b"-T ")?;
    let date = (number(text, 0, 4)?, number(text, 4, 2)?, number(text, 6, 2)?);
    if let Some(clock) = clock(text, 9) {
        let (zone, len) = zone(text, 9 + clock.len);
        return Some((dated(date, &clock, zone)?, 9 + clock.len + len));
    }
    let rest = text.get(9..)?;
    if let Some(((hour, minute), second)) = number(rest, 0, 2).zip(number(rest, 2, 2)).zip(number(rest, 4, 2)) {
        if hour > 23 || minute > 59 || second > 60 || rest.get(6).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let clock = Clock { seconds: hour * 3600 + minute * 60 + second, nanoseconds: 0, len: 6 };
        let (zone, len) = zone(text, 15);
        return Some((dated(date, &clock, zone)?, 15 + len));
    }
    let (mut at, mut parts) = (9, [0; 4]);
    for (index, part) in parts.iter_mut().enumerate() {
        if index > 0 && is(text, at, b":").is_none() {
            return None;
        }
        at += usize::from(index > 0);
        let len = text.get(at..)?.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        *part = number(text, at, len).filter(|_| len > 0)?;
        at += len;
    }
    let [hour, minute, second, millisecond] = parts;
    if hour > 23 || minute > 59 || second > 60 || millisecond > 999 {
        return None;
    }
    let clock =
        Clock { seconds: hour * 3600 + minute * 60 + second, nanoseconds: millisecond * 1_000_000, len: at - 9 };
    Some((dated(date, &clock, 0)?, at))
}

/// `10.30 16:49:06`: month and day.
fn dotted(text: &[u8]) -> Option<(LogTime, usize)> {
    is(text, 2, b".-")?;
    is(text, 5, b" ")?;
    let clock = clock(text, 6)?;
    let (month, day) = (number(text, 0, 2)?, number(text, 3, 2)?);
    (1..=12).contains(&month).then(|| undated(month, day, &clock))?.map(|time| (time, 6 + clock.len))
}

fn epoch(text: &[u8], digits: usize) -> Option<(LogTime, usize)> {
    let whole = number(text, 0, digits)?;
    let len = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    Some((from_epoch(whole as f64)?, len))
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

/// `Nov 23 10:00:00`, `Nov  3 10:00:00`, and with a weekday and a year around it as Apache writes it.
fn syslog(text: &[u8]) -> Option<(LogTime, usize)> {
    let Some(month) = month(text.get(..3)?) else {
        is(text, 3, b" ")?;
        month(text.get(4..7)?)?;
        let (time, len) = syslog(text.get(4..)?)?;
        return Some((time, len + 4));
    };
    is(text, 3, b" ")?;
    // A day of one digit has a blank before it, or none.
    let (day, behind) = match (text.get(4)?, text.get(5)?) {
        (b' ', _) => (number(text, 5, 1)?, 6),
        (_, b' ') => (number(text, 4, 1)?, 5),
        _ => (number(text, 4, 2)?, 6),
    };
    is(text, behind, b" ")?;
    let clock = clock(text, behind + 1)?;
    let end = behind + 1 + clock.len;
    if let Some(year) = is(text, end, b" ").and_then(|()| number(text, end + 1, 4))
        && !text.get(end + 5).is_some_and(u8::is_ascii_alphanumeric)
    {
        return Some((dated((year, month, day), &clock, 0)?, end + 5));
    }
    Some((undated(month, day, &clock)?, end))
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
    Some((time?, blank + 1 + clock.len))
}

/// Where the blank is behind a level's letter and a date, with a year or without.
pub fn lettered(text: &[u8]) -> Option<usize> {
    is(text, 0, b"IWEF")?;
    [5, 9].into_iter().find(|blank| is(text, *blank, b" ").is_some())
}

/// `23-Nov-2026 10:00:00 UTC`, with the name of a zone, of which UTC alone is known.
fn php(text: &[u8]) -> Option<(LogTime, usize)> {
    is(text, 2, b"-")?;
    is(text, 6, b"-")?;
    is(text, 11, b" ")?;
    let clock = clock(text, 12)?;
    let time = dated((number(text, 7, 4)?, month(text.get(3..6)?)?, number(text, 0, 2)?), &clock, 0)?;
    let end = 12 + clock.len;
    let zone = text.get(end..).unwrap_or_default();
    let name =
        zone.iter().skip(1).take(40).take_while(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(byte)).count();
    // Brackets tell a zone from a word of the message.
    let is_zone = name > 0 && zone.first() == Some(&b' ') && zone.get(name + 1) == Some(&b']');
    Some((time, end + if is_zone { name + 1 } else { 0 }))
}

/// The length of a time of the day alone, `10:00:00.123`: it says not when.
pub fn of_day(text: &[u8]) -> Option<usize> {
    let clock = clock(text, 0)?;
    is(text, clock.len, b" ]")?;
    Some(clock.len)
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
        ] {
            assert!(!read(text.as_bytes()).unwrap_or_else(|| panic!("{text}")).0.dated);
        }
    }

    #[test]
    fn what_is_no_time_is_not_taken_for_one() {
        for text in
            ["", "1234", "2026-13-45T99:00:00", "Junk 14", "123456 abcdef", "12345678901234567890", "9292929292 x"]
        {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
