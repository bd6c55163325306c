//! Moments as people write them: `2026-11-20T10:00:00Z`, `2026-11-20`, or so long ago: `7d`.

use autodevops_pipeline::Timestamp;
use autodevops_policy::Span;
use time::{
    Date, OffsetDateTime, PrimitiveDateTime,
    format_description::well_known::{Iso8601, Rfc3339},
};

use crate::output::Usage;

/// The moment that the text means, seen from `now`: RFC 3339, the same without a zone (in UTC), a day (its beginning, in UTC), or a span
/// before now, with or without `ago`.
///
/// # Errors
/// [`Usage`], with examples.
pub fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Usage> {
    let wanted = text.trim();
    let ago = wanted.strip_suffix("ago").unwrap_or(wanted).trim();
    if wanted == "now" {
        return Ok(now);
    }
    if let Ok(span) = ago.parse::<Span>() {
        return Ok(now.before(span.0));
    }
    // Times are shown with a space between day and hour.
    let joined = wanted.replacen(' ', "T", 1);
    let at = OffsetDateTime::parse(&joined, &Rfc3339)
        .or_else(|_| PrimitiveDateTime::parse(&joined, &Iso8601::DATE_TIME).map(PrimitiveDateTime::assume_utc))
        .or_else(|_| Date::parse(wanted, &Iso8601::DATE).map(|day| day.midnight().assume_utc()));
    let at = at.map_err(|_| {
        Usage(format!(
            "`{text}` is no moment; write for example `2026-11-20T10:00:00Z`, `2026-11-20T10:00:00+02:00`, `2026-11-20 10:00` (in UTC), \
             `2026-11-20`, or how long ago: `7d`, `1h 30m ago`"
        ))
    })?;
    Ok(Timestamp(i64::try_from(at.unix_timestamp_nanos()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        let now = Timestamp(1_795_168_800_000_000_000);
        let hour = 3_600_000_000_000;
        for (text, at) in [
            ("now", now.0),
            ("2026-11-20T10:00:00Z", now.0),
            ("2026-11-20T12:00:00+02:00", now.0),
            ("2026-11-20 10:00:00Z", now.0),
            ("2026-11-20 10:00", now.0),
            ("2026-11-20T10:00:00", now.0),
            ("2026-11-20T10:00:00.5", now.0 + 500_000_000),
            ("2026-11-20", now.0 - 10 * hour),
            ("1h", now.0 - hour),
            ("1d 2h ago", now.0 - 26 * hour),
        ] {
            assert_eq!(moment(text, now).unwrap(), Timestamp(at), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "2026-11-20 25:00", "10:00", "7", "ago"] {
            assert!(moment(text, now).unwrap_err().to_string().contains("is no moment"), "{text}");
        }
    }
}
