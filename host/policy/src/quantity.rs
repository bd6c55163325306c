//! Quantities as people write them: `10m`, `5 %`, `64 MiB`. A number without a unit is refused.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Text that is no such quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// There is a number and nothing after it.
    #[error("`{0}` has no unit; write for example {1}")]
    NoUnit(String, &'static str),
    /// What stands after the number is no unit of this quantity.
    #[error("`{0}` has the unknown unit `{1}`; known are {2}")]
    UnknownUnit(String, String, &'static str),
    /// There is no number where one should be.
    #[error("`{0}` is not a number with a unit; write for example {1}")]
    NotANumber(String, &'static str),
    /// The number is outside what the quantity can be.
    #[error("`{0}` is out of range: {1}")]
    OutOfRange(String, &'static str),
}

/// A span of time, such as `250ms`, `10m` or `1h 30m`. What is read is a whole number of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

/// A share, such as `5 %`; from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(f64);

/// A number of bytes, such as `64 MiB` or `2 MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// Longest span that is read.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

const SPAN_EXAMPLE: &str = "`10m` or `1h 30m`";
const SPAN_UNITS: &str = "ms, s, m, h and d";
const BYTES_EXAMPLE: &str = "`64 MiB`";
const BYTES_UNITS: &str = "B, kB, MB, GB, KiB, MiB and GiB";

/// Splits `12.5 rest` into the number's text and the rest, trimmed.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest.trim_start()))
}

impl Span {
    /// In whole seconds, rounded up: who asks for a span gets no less.
    pub fn whole_seconds(self) -> u64 {
        self.0.as_secs().saturating_add(u64::from(self.0.subsec_nanos() > 0))
    }
}

impl Bytes {
    /// Rounded down to the largest unit of which there is at least one, for people: `3 MiB` of 3.5 MiB.
    #[must_use]
    pub fn rounded(self) -> Self {
        let shift = [30, 20, 10].into_iter().find(|shift| self.0 >> shift > 0).unwrap_or(0);
        Self(self.0 >> shift << shift)
    }
}

impl FromStr for Span {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let mut rest = text.trim();
        let mut total = Duration::ZERO;
        if rest.is_empty() {
            return Err(QuantityError::NotANumber(text.into(), SPAN_EXAMPLE));
        }
        while !rest.is_empty() {
            let (value, after) = number(rest).ok_or_else(|| QuantityError::NotANumber(text.into(), SPAN_EXAMPLE))?;
            let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at_checked(end).unwrap_or((after, ""));
            let seconds = match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" => 86400.0,
                "" => return Err(QuantityError::NoUnit(text.into(), SPAN_EXAMPLE)),
                other => return Err(QuantityError::UnknownUnit(text.into(), other.into(), SPAN_UNITS)),
            };
            let part = Duration::try_from_secs_f64(value * seconds)
                .map_err(|_| QuantityError::OutOfRange(text.into(), "it is too long"))?;
            total = total.checked_add(part).ok_or_else(|| QuantityError::OutOfRange(text.into(), "it is too long"))?;
            rest = after.trim_start();
        }
        if total > LONGEST {
            return Err(QuantityError::OutOfRange(text.into(), "it is longer than a hundred years"));
        }
        // Nothing is measured more finely, and what is shown is read back as the same.
        let milliseconds = total.as_nanos().saturating_add(500_000) / 1_000_000;
        if milliseconds == 0 && !total.is_zero() {
            return Err(QuantityError::OutOfRange(text.into(), "it is shorter than a millisecond"));
        }
        Ok(Self(Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut milliseconds = self.0.as_millis();
        if milliseconds == 0 {
            return f.write_str("0s");
        }
        let mut first = true;
        for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
            let count = milliseconds / length;
            if count > 0 {
                write!(f, "{}{count}{unit}", if first { "" } else { " " })?;
                first = false;
                milliseconds %= length;
            }
        }
        Ok(())
    }
}

impl Percent {
    /// From a value from 0 to 100; none outside.
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=100.0).contains(&value).then_some(Self(value))
    }

    /// The value, from 0 to 100.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// The share as a fraction, from 0 to 1.
    pub fn ratio(self) -> f64 {
        self.0 / 100.0
    }
}

impl FromStr for Percent {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        const EXAMPLE: &str = "`5 %`";
        let (value, unit) = number(text.trim()).ok_or_else(|| QuantityError::NotANumber(text.into(), EXAMPLE))?;
        match unit {
            "%" => Self::new(value).ok_or(QuantityError::OutOfRange(text.into(), "a share is from 0 % to 100 %")),
            "" => Err(QuantityError::NoUnit(text.into(), EXAMPLE)),
            other => Err(QuantityError::UnknownUnit(text.into(), other.into(), "%")),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

impl FromStr for Bytes {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (value, unit) = number(text.trim()).ok_or_else(|| QuantityError::NotANumber(text.into(), BYTES_EXAMPLE))?;
        let scale: f64 = match unit {
            "B" => 1.0,
            "kB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "KiB" => 1024.0,
            "MiB" => 1_048_576.0,
            "GiB" => 1_073_741_824.0,
            "" => return Err(QuantityError::NoUnit(text.into(), BYTES_EXAMPLE)),
            other => return Err(QuantityError::UnknownUnit(text.into(), other.into(), BYTES_UNITS)),
        };
        let bytes = value * scale;
        // 2^53: beyond it a float no longer holds every whole number.
        if bytes > 9_007_199_254_740_992.0 {
            return Err(QuantityError::OutOfRange(text.into(), "it is too large"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above; never negative")]
        Ok(Self(bytes.round() as u64))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(f, "{} {unit}", self.0 / size);
            }
        }
        write!(f, "{} B", self.0)
    }
}

/// Quantities are strings in files; a bare number is read as one too, so that it is answered with the unit that is missing.
///
/// # Errors
/// When there is neither text nor a number, or the text is no such quantity.
pub fn deserialize_quantity<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = QuantityError>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written<'a> {
        Text(Cow<'a, str>),
        Whole(i64),
        Real(f64),
    }
    let text = match Written::deserialize(deserializer)? {
        Written::Text(text) => text,
        Written::Whole(number) => number.to_string().into(),
        Written::Real(number) => number.to_string().into(),
    };
    text.parse().map_err(de::Error::custom)
}

macro_rules! written_as_text {
    ($($type:ty),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_quantity(deserializer)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

written_as_text!(Span, Percent, Bytes);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("10m", 600_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("1.5 s", 1500),
            ("2d", 172_800_000),
        ] {
            assert_eq!(text.parse::<Span>().unwrap().0, Duration::from_millis(milliseconds), "{text}");
        }
    }

    #[test]
    fn a_span_in_whole_seconds_is_no_shorter_than_it_was() {
        for (text, seconds) in [("0s", 0), ("1ms", 1), ("1s", 1), ("1001ms", 2), ("30m", 1800)] {
            assert_eq!(text.parse::<Span>().unwrap().whole_seconds(), seconds, "{text}");
        }
        assert_eq!(Span(Duration::MAX).whole_seconds(), u64::MAX);
    }

    #[test]
    fn bytes_for_people_are_whole_in_the_largest_unit_that_there_is_one_of() {
        for (bytes, text) in
            [(0, "0 B"), (1023, "1023 B"), (2500, "2 KiB"), ((7 << 20) / 2, "3 MiB"), (1 << 30, "1 GiB")]
        {
            assert_eq!(Bytes(bytes).rounded().to_string(), text, "{bytes}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_refused_with_an_example() {
        assert_eq!(
            "10".parse::<Span>().unwrap_err().to_string(),
            "`10` has no unit; write for example `10m` or `1h 30m`"
        );
        assert_eq!("5".parse::<Percent>().unwrap_err().to_string(), "`5` has no unit; write for example `5 %`");
        assert_eq!("64".parse::<Bytes>().unwrap_err().to_string(), "`64` has no unit; write for example `64 MiB`");
    }

    #[test]
    fn an_unknown_unit_is_answered_with_the_known_ones() {
        assert_eq!(
            "10 minutes".parse::<Span>().unwrap_err().to_string(),
            "`10 minutes` has the unknown unit `minutes`; known are ms, s, m, h and d"
        );
        assert_eq!(
            "5 MIB".parse::<Bytes>().unwrap_err().to_string(),
            "`5 MIB` has the unknown unit `MIB`; known are B, kB, MB, GB, KiB, MiB and GiB"
        );
    }

    #[test]
    fn spans_are_whole_milliseconds_of_a_hundred_years_at_most() {
        for (text, milliseconds) in [("1.4ms", 1), ("0.0025s", 3), ("0.001 d", 86_400), ("0s", 0), ("0.5ms", 1)] {
            assert_eq!(text.parse::<Span>().unwrap().0, Duration::from_millis(milliseconds), "{text}");
        }
        for (text, fault) in [
            ("0.4ms", "shorter than a millisecond"),
            ("37000d", "longer than a hundred years"),
            ("99999999999999999999999d", "too long"),
        ] {
            assert!(text.parse::<Span>().unwrap_err().to_string().contains(fault), "{text}");
        }
    }

    #[test]
    fn a_share_lies_between_0_and_100_percent() {
        assert_eq!("5 %".parse::<Percent>().unwrap().ratio(), 0.05);
        assert!("101 %".parse::<Percent>().unwrap_err().to_string().contains("out of range"));
        assert!("-1 %".parse::<Percent>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back_as_the_same(milliseconds in 0u64..10_000_000_000, bytes in 0u64..1 << 50) {
            let span = Span(Duration::from_millis(milliseconds));
            prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
            let bytes = Bytes(bytes);
            prop_assert_eq!(bytes.to_string().parse::<Bytes>().unwrap(), bytes);
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in "\\PC{0,24}") {
            let _ = (text.parse::<Span>(), text.parse::<Percent>(), text.parse::<Bytes>());
        }
    }
}
