//! The time of the day, and its zone.

use super::{SECOND, is};

/// A time of the day.
pub struct Clock {
    /// Seconds since midnight.
    pub seconds: i64,
    /// Nanoseconds behind them.
    pub nanoseconds: i64,
    /// Where in the text it ends.
    pub end: usize,
}

/// A blank that some write before `AM`.
const NARROW_BLANK: &[u8] = "\u{202f}".as_bytes();

/// So many digits at a place, as a number.
pub fn number(text: &[u8], at: usize, len: usize) -> Option<i64> {
    let digits = text.get(at..at + len)?;
    digits.iter().try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// One digit or two, as a number, and where they end.
pub fn short(text: &[u8], at: usize) -> Option<(i64, usize)> {
    match number(text, at, 2) {
        Some(number) => Some((number, at + 2)),
        None => number(text, at, 1).map(|number| (number, at + 1)),
    }
}

/// `HH:MM:SS`, some without leading zeros; then a fraction behind `.` or `,`, or milliseconds behind `:`; then `AM` or `PM`.
#[inline]
pub fn clock(text: &[u8], at: usize) -> Option<Clock> {
    let (mut hour, minute, second, behind) = strict(text, at).or_else(|| loose(text, at))?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanoseconds, mut end) =
        fraction(text, behind, b".,").or_else(|| milliseconds(text, behind)).unwrap_or((0, behind));
    if let Some((is_afternoon, behind)) = half(text, end).filter(|_| (1..=12).contains(&hour)) {
        hour = hour % 12 + if is_afternoon { 12 } else { 0 };
        end = behind;
    }
    Some(Clock { seconds: hour * 3600 + minute * 60 + second, nanoseconds, end })
}

#[inline]
fn strict(text: &[u8], at: usize) -> Option<(i64, i64, i64, usize)> {
    is(text, at + 2, b":")?;
    is(text, at + 5, b":")?;
    Some((number(text, at, 2)?, number(text, at + 3, 2)?, number(text, at + 6, 2)?, at + 8))
}

#[cold]
fn loose(text: &[u8], at: usize) -> Option<(i64, i64, i64, usize)> {
    let (hour, end) = short(text, at)?;
    is(text, end, b":")?;
    let (minute, end) = short(text, end + 1)?;
    is(text, end, b":")?;
    let (second, end) = short(text, end + 1)?;
    Some((hour, minute, second, end))
}

/// A fraction behind one of the signs, in billionths, and where it ends.
pub fn fraction(text: &[u8], at: usize, signs: &[u8]) -> Option<(i64, usize)> {
    is(text, at, signs)?;
    let digits = text.get(at + 1..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let used = digits.min(9);
    let part = number(text, at + 1, used).filter(|_| digits > 0)?;
    Some((part * 10i64.pow(9 - u32::try_from(used).ok()?), at + 1 + digits))
}

/// Milliseconds behind a colon, some without leading zeros, in nanoseconds, and where they end.
fn milliseconds(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let (part, end) = fraction(text, at, b":")?;
    let digits = end - at - 1;
    let part = if digits < 3 { number(text, at + 1, digits)? * (SECOND / 1000) } else { part };
    Some((part, end))
}

/// `AM`, or `PM`: whether it is the latter, and where it ends.
fn half(text: &[u8], at: usize) -> Option<(bool, usize)> {
    let at = match text.get(at)? {
        b' ' => at + 1,
        b'A' | b'P' | b'a' | b'p' => at,
        _ if text.get(at..)?.starts_with(NARROW_BLANK) => at + NARROW_BLANK.len(),
        _ => return None,
    };
    let is_afternoon = match text.get(at)? {
        b'A' | b'a' => false,
        b'P' | b'p' => true,
        _ => return None,
    };
    is(text, at + 1, b"Mm")?;
    (!text.get(at + 2).is_some_and(u8::is_ascii_alphanumeric)).then_some((is_afternoon, at + 2))
}

/// `Z`, `+01:00`, `+0100`, `+01`, ` +0100`, ` UTC`: seconds east of UTC, and where it ends.
#[inline]
pub fn zone(text: &[u8], at: usize) -> (i64, usize) {
    let space = usize::from(text.get(at) == Some(&b' '));
    let sign = match text.get(at + space) {
        Some(b'Z') if space == 0 => return (0, at + 1),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(b'U' | b'G') => return (0, universal(text, at + space).unwrap_or(at)),
        _ => return (0, at),
    };
    let behind = at + space + 1;
    let Some(hours) = number(text, behind, 2) else { return (0, at) };
    let colon = usize::from(text.get(behind + 2) == Some(&b':'));
    match number(text, behind + 2 + colon, 2) {
        Some(minutes) => (sign * (hours * 3600 + minutes * 60), behind + 4 + colon),
        // Databases write whole hours so.
        None if space + colon == 0 && !text.get(behind + 2).is_some_and(u8::is_ascii_alphanumeric) => {
            (sign * hours * 3600, behind + 2)
        }
        None => (0, at),
    }
}

/// Where `UTC` or `GMT` ends.
fn universal(text: &[u8], at: usize) -> Option<usize> {
    let is = matches!(text.get(at..at + 3)?, b"UTC" | b"GMT")
        && !text.get(at + 3).is_some_and(|next| next.is_ascii_alphanumeric() || b"+-:".contains(next));
    is.then_some(at + 3)
}
