//! Dates whose parts stand in any order, and may be names.

use super::{
    LogTime,
    clock::{Clock, clock, number, short, zone},
    dated, is, undated,
};

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
/// Bytes of a zone's name, such as `America/Argentina/Buenos_Aires`.
const MAX_ZONE_BYTES: usize = 40;

/// A month by its name.
pub fn month(name: &[u8]) -> Option<i64> {
    MONTHS.iter().zip(1..).find(|(month, _)| **month == name).map(|(_, number)| number)
}

/// A part of a date.
#[derive(Clone, Copy)]
struct Part {
    number: i64,
    /// Digits of it; none of a month's name.
    digits: usize,
}

impl Part {
    /// One, two or four digits, or a month's name; and where it ends.
    fn read(text: &[u8], at: usize) -> Option<(Self, usize)> {
        if let Some(number) = number(text, at, 4) {
            return Some((Self { number, digits: 4 }, at + 4));
        }
        if let Some((number, end)) = short(text, at) {
            return Some((Self { number, digits: end - at }, end));
        }
        let number = month(text.get(at..at + 3)?)?;
        Some((Self { number, digits: 0 }, at + 3))
    }

    const fn is_year(self) -> bool {
        self.digits == 4
    }

    const fn is_name(self) -> bool {
        self.digits == 0
    }

    /// The year that it is, where one of two digits is of this century.
    const fn year(self) -> i64 {
        if self.digits == 2 { 2000 + self.number } else { self.number }
    }
}

/// `23/11/2026 10:00:00`, `17/06/09 20:10:40`, `10/Oct/2000:13:55:36 -0700`, `23-Nov-2026 10:00:00 UTC`, `23 Nov 2026 10:00:00`,
/// `2026/1/2 3:04:05`; and without a year `10.30 16:49:06`.
pub fn parts(text: &[u8]) -> Option<(LogTime, usize)> {
    let (first, end) = Part::read(text, 0)?;
    let sign = *text.get(end).filter(|sign| b"/-. ".contains(sign))?;
    let (second, end) = Part::read(text, end + 1)?;
    if second.is_year() || (sign == b' ') != (second.is_name() && sign == b' ') {
        return None;
    }
    let third = if text.get(end) == Some(&sign) { Part::read(text, end + 1) } else { None };
    // `23 Nov 10:00:00`: the hour is no year.
    let third = third.filter(|(_, end)| sign != b' ' || text.get(*end) != Some(&b':'));
    let Some((third, end)) = third else {
        if first.is_year() {
            return None;
        }
        let clock = behind(text, end, b" ")?;
        let is_day_first = second.is_name() || first.number > 12;
        let (month, day) = if is_day_first { (second.number, first.number) } else { (first.number, second.number) };
        return Some((in_no_year(month, day, &clock)?, clock.end));
    };
    let date = in_order(sign, first, second, third)?;
    let clock = behind(text, end, b" T:-_")?;
    let (zone, end) = zone(text, clock.end);
    let end = if second.is_name() && sign == b'-' && end == clock.end { named_zone(text, end) } else { end };
    Some((dated(date, &clock, zone)?, end))
}

/// Year, month and day of three parts with a sign between.
fn in_order(sign: u8, first: Part, second: Part, third: Part) -> Option<(i64, i64, i64)> {
    if first.is_year() {
        return (!third.is_year()).then_some((first.number, second.number, third.number));
    }
    if third.is_name() || third.digits == 1 {
        return None;
    }
    let (a, b) = (first.number, second.number);
    if second.is_name() {
        return Some((third.year(), b, a));
    }
    // Two digits each are year, month and day, as programs write them, but for what can be none, and for dots, which people write.
    if third.digits == 2 && first.digits == 2 && b <= 12 && sign != b'.' {
        return Some((first.year(), b, third.number));
    }
    // Only with slashes, and by some, is the month written first.
    let is_day_first = b <= 12 && (a > 12 || sign != b'/');
    Some(if is_day_first { (third.year(), b, a) } else { (third.year(), a, b) })
}

fn in_no_year(month: i64, day: i64, clock: &Clock) -> Option<LogTime> {
    (1..=12).contains(&month).then(|| undated(month, day, clock))?
}

/// The clock behind a date, with a comma or one of the signs between.
fn behind(text: &[u8], end: usize, signs: &[u8]) -> Option<Clock> {
    let end = end + usize::from(text.get(end) == Some(&b','));
    is(text, end, signs)?;
    clock(text, end + 1)
}

/// Where the name of a zone ends, of which the offset is not known: brackets tell it from a word of the message.
fn named_zone(text: &[u8], end: usize) -> usize {
    let zone = text.get(end..).unwrap_or_default();
    let is_of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(byte);
    let name = zone.iter().skip(1).take(MAX_ZONE_BYTES).take_while(is_of_name).count();
    let is_zone = name > 0 && zone.first() == Some(&b' ') && zone.get(name + 1) == Some(&b']');
    end + if is_zone { name + 1 } else { 0 }
}

/// `Nov 23 10:00:00`, `Nov  3 10:00:00`, `Nov 23, 2026 10:00:00 AM`; with a weekday before, and a year behind, as Apache writes it:
/// `Mon Nov 23 10:00:00 2026`, `Mon, 23 Nov 2026 10:00:00 GMT`.
pub fn named(text: &[u8]) -> Option<(LogTime, usize)> {
    if let Some(month) = month(text.get(..3)?) {
        return month_first(text, month);
    }
    let ((time, len), skipped) = match text.get(3..5)? {
        b", " => (parts(text.get(5..)?)?, 5),
        [b' ', _] => (month_first(text.get(4..)?, month(text.get(4..7)?)?)?, 4),
        _ => return None,
    };
    Some((time, skipped + len))
}

fn month_first(text: &[u8], month: i64) -> Option<(LogTime, usize)> {
    is(text, 3, b" ")?;
    // A day of one digit has a blank before it, or none.
    let (day, end) = short(text, 4 + usize::from(text.get(4) == Some(&b' ')))?;
    if let Some((year, clock)) = year_behind(text, end + usize::from(text.get(end) == Some(&b','))) {
        let (zone, end) = zone(text, clock.end);
        return Some((dated((year, month, day), &clock, zone)?, end));
    }
    is(text, end, b" ")?;
    let clock = clock(text, end + 1)?;
    // The name of a zone may come first.
    let (zone, end) = zone(text, clock.end);
    if let Some(year) = is(text, end, b" ").and_then(|()| number(text, end + 1, 4))
        && !text.get(end + 5).is_some_and(u8::is_ascii_alphanumeric)
    {
        return Some((dated((year, month, day), &clock, zone)?, end + 5));
    }
    Some((undated(month, day, &clock)?, clock.end))
}

/// The year behind a month and a day, and the clock behind it.
fn year_behind(text: &[u8], end: usize) -> Option<(i64, Clock)> {
    is(text, end, b" ")?;
    let year = number(text, end + 1, 4)?;
    Some((year, behind(text, end + 5, b" ")?))
}
