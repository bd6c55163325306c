//! The numbers of a line, each with its name and its unit, as far as the line says.

use crate::line::Line;

/// Bytes of a line in which numbers are looked for.
const MAX_BYTES: usize = 2000;
/// Bytes of a name or a unit that are looked at.
const MAX_NAME_BYTES: usize = 40;

/// A number of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number<'a> {
    /// Its value.
    pub value: f64,
    /// The word before it: `took` of `took 12 ms`, `duration_ms` of `"duration_ms":12`.
    pub name: &'a [u8],
    /// The letters behind it, or `%`; empty where there are none.
    pub unit: &'a [u8],
    /// What follows its unit.
    pub rest: &'a [u8],
    /// What stands before it, its name included.
    pub before: &'a [u8],
}

/// The part of a line that tells its numbers: a structured line's other fields are in the line only.
pub fn told<'a>(line: &Line<'a>) -> &'a [u8] {
    if line.raw.first() == Some(&b'{') || memchr::memchr(b'=', line.raw).is_some() { line.raw } else { line.content }
}

/// Calls `each` with the numbers of the text: those that stand for themselves, not parts of names, times, addresses and versions.
pub fn scan<'a>(text: &'a [u8], mut each: impl FnMut(Number<'a>)) {
    let text = text.get(..MAX_BYTES).unwrap_or(text);
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
        let start = at + found;
        let length = text.get(start..).map_or(0, length);
        at = start + length;
        let before = text.get(..start).unwrap_or_default();
        let after = text.get(at..).unwrap_or_default();
        if joins(before.last().copied(), before.get(..before.len().saturating_sub(1)).and_then(<[u8]>::last).copied()) {
            at += after.iter().take_while(|byte| is_part_of_word(**byte)).count();
            continue;
        }
        if let Some((value, length)) = text.get(start..).and_then(several) {
            at = start + length;
            each(Number { value, name: name(before), unit: b"s", rest: text.get(at..).unwrap_or_default(), before });
            continue;
        }
        let unit = unit(after);
        let rest = after.get(after.len() - unit.1..).unwrap_or_default();
        if unit.0.is_empty() && goes_on(after) {
            at += after.iter().take_while(|byte| is_part_of_word(**byte) || matches!(byte, b':' | b'-' | b'.')).count();
            continue;
        }
        let digits = text.get(start..start + length).and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(value) = digits.and_then(|digits| digits.parse().ok()) {
            each(Number { value, name: name(before), unit: unit.0, rest, before });
        }
    }
}

/// Bytes of the digits, with a decimal point between them.
fn length(text: &[u8]) -> usize {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(text);
    match text.get(whole..) {
        Some([b'.', rest @ ..]) if rest.first().is_some_and(u8::is_ascii_digit) => whole + 1 + digits(rest),
        _ => whole,
    }
}

/// A time in several units, each shorter than the one before, `1m30.5s` as Go prints it or `1min 30.5s` as systemd does: its seconds,
/// and its bytes.
fn several(text: &[u8]) -> Option<(f64, usize)> {
    let (mut sum, mut at, mut shortest, mut units) = (0.0, 0, f64::INFINITY, 0);
    loop {
        let next = text.get(at..).unwrap_or_default();
        let next = if units > 0 { next.strip_prefix(b" ").unwrap_or(next) } else { next };
        let digits = length(next);
        let behind = next.get(digits..).unwrap_or_default();
        let letters = behind.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
        let one = match behind.get(..letters).unwrap_or_default() {
            b"d" => Some(86_400.0),
            b"h" => Some(3600.0),
            unit => seconds(unit),
        };
        let value = next.get(..digits).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<f64>().ok());
        let (Some(one), Some(value)) = (one.filter(|one| *one < shortest), value) else { break };
        (sum, shortest, units) = (sum + one * value, one, units + 1);
        at = text.len() - behind.len() + letters;
    }
    let ends = !text.get(at).copied().is_some_and(is_part_of_word);
    (units > 1 && ends).then_some((sum, at))
}

const fn is_part_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Whether what stands before makes the digits a part of something.
fn joins(before: Option<u8>, further: Option<u8>) -> bool {
    match before {
        Some(b'.' | b'/' | b'#' | b'@') => true,
        Some(b'-' | b':' | b'+') => further.is_some_and(is_part_of_word),
        Some(byte) => is_part_of_word(byte),
        None => false,
    }
}

/// Whether what follows makes the digits a part of something, such as a time or an address.
fn goes_on(after: &[u8]) -> bool {
    match after {
        [b':' | b'.' | b'-', next, ..] => next.is_ascii_alphanumeric(),
        [byte, ..] => is_part_of_word(*byte),
        [] => false,
    }
}

/// The unit behind a number, and how many bytes are left behind it; a word behind a space is one where it is known.
fn unit(after: &[u8]) -> (&[u8], usize) {
    let letters = |text: &[u8]| {
        if text.first() == Some(&b'%') {
            return 1;
        }
        let count = text.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
        if text.get(count).is_some_and(|byte| byte.is_ascii_digit() || *byte == b'_') { 0 } else { count }
    };
    let close = letters(after);
    if close > 0 {
        return (after.get(..close).unwrap_or_default(), after.len() - close);
    }
    let Some([b' ', spaced @ ..]) = after.first().map(|_| after) else { return (b"", after.len()) };
    let length = letters(spaced);
    let word = spaced.get(..length).unwrap_or_default();
    if seconds(word).is_some() || bytes(word).is_some() || word == b"%" || word == b"percent" {
        return (word, after.len() - 1 - length);
    }
    (b"", after.len())
}

/// The word before a number, without what stands between them.
fn name(before: &[u8]) -> &[u8] {
    let end = before.iter().rposition(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').map_or(0, |last| last + 1);
    if before.len() - end > 4 {
        return b"";
    }
    let word = before.get(..end).unwrap_or_default();
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let length = word.iter().rev().take(MAX_NAME_BYTES).take_while(|byte| is_inside(byte)).count();
    word.get(end - length..).unwrap_or_default()
}

/// Seconds of a unit of time.
pub fn seconds(unit: &[u8]) -> Option<f64> {
    Some(match unit {
        b"ns" | b"nanos" | b"nanoseconds" => 1e-9,
        b"us" | b"usec" | b"micros" | b"microseconds" | b"\xc2\xb5s" | b"\xce\xbcs" => 1e-6,
        b"ms" | b"msec" | b"msecs" | b"millis" | b"milliseconds" | b"millisecond" => 1e-3,
        b"s" | b"sec" | b"secs" | b"seconds" | b"second" => 1.0,
        b"m" | b"min" | b"mins" | b"minutes" => 60.0,
        _ => return None,
    })
}

/// Bytes of a unit of size.
pub fn bytes(unit: &[u8]) -> Option<f64> {
    Some(match unit {
        b"B" | b"bytes" => 1.0,
        b"K" | b"KB" | b"kB" | b"KiB" => 1024.0,
        b"M" | b"MB" | b"MiB" => 1_048_576.0,
        b"G" | b"GB" | b"GiB" => 1_073_741_824.0,
        b"T" | b"TB" | b"TiB" => 1_099_511_627_776.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Vec<(f64, String, String)> {
        let mut found = Vec::new();
        let owned = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        scan(text.as_bytes(), |number| found.push((number.value, owned(number.name), owned(number.unit))));
        found
    }

    #[test]
    fn numbers_have_their_names_and_units() {
        for (text, expected) in [
            ("request took 12ms", vec![(12.0, "took", "ms")]),
            ("done in 0.35 s", vec![(0.35, "in", "s")]),
            (r#"{"duration_ms":17,"status":200}"#, vec![(17.0, "duration_ms", ""), (200.0, "status", "")]),
            ("latency=1.5µs queue=7", vec![(1.5, "latency", "µs"), (7.0, "queue", "")]),
            ("disk usage: 81.5% of /dev/sda1", vec![(81.5, "usage", "%")]),
            ("pool 12/50 in use", vec![(12.0, "pool", "")]),
            ("at 10:11:12.5 from 10.0.0.1:80 v1.2.3 order-17 a1 2026-01-02", vec![]),
            ("heap is 512 MB", vec![(512.0, "is", "MB")]),
            ("took 1m30.5s, 3 rows", vec![(90.5, "took", "s"), (3.0, "1m30.5s", "")]),
            ("after 2h0m0.25s", vec![(7200.25, "after", "s")]),
            ("finished in 1min 30s", vec![(90.0, "in", "s")]),
            ("waited 12ms 3 times", vec![(12.0, "waited", "ms"), (3.0, "12ms", "")]),
            ("commit 3d4h7f, 1m2m, 5s5s", vec![]),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(value, name, unit)| (value, name.to_owned(), unit.to_owned())).collect();
            assert_eq!(all(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_numbers_or_none(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            scan(&text, |number| assert!(number.value.is_finite() || number.value > 0.0));
        }
    }
}
