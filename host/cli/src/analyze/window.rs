//! The time that is analyzed: the analyzer reads the lines' times, so that it is told which to leave out.

use anyhow::Result;
use autodevops_orchestrator::catalog::Catalog;
use autodevops_pipeline::Timestamp;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{arguments::Analyze, moment::moment, output::Usage};

/// The analyzer's configuration of the first time, and of the last.
const KEYS: [&str; 2] = ["since", "until"];

/// Tells the analyzer which time the options name, where they name any.
///
/// # Errors
/// [`Usage`], when a time is none, nothing is between them, or the analyzer does not tell times apart.
pub fn set(catalog: Catalog, options: &Analyze, now: Timestamp) -> Result<Catalog> {
    let times = [&options.since, &options.until].map(|text| text.as_deref().map(|text| moment(text, now)).transpose());
    let [since, until] = times;
    let (since, until) = (since?, until?);
    if since.zip(until).is_some_and(|(since, until)| since > until) {
        return Err(Usage("--since is later than --until, so that no line is in between".to_owned()).into());
    }
    if since.or(until).is_none() {
        return Ok(catalog);
    }
    let manifest = catalog.open(&options.plugin)?.manifest;
    let name = &manifest.name;
    if let Some(key) = KEYS.iter().find(|key| !manifest.config.contains_key(**key)) {
        let told = "it has no configuration";
        return Err(Usage(format!("the analyzer `{name}` takes no --since and --until: {told} `{key}`")).into());
    }
    let given = KEYS.into_iter().zip([since, until]).filter_map(|(key, at)| Some((key.to_owned(), text(at?))));
    let config = given.map(|(key, text)| (key, Value::String(text))).collect();
    Ok(catalog.with_config_now(name, config))
}

/// The moment as RFC 3339, in UTC.
fn text(at: Timestamp) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(at.0.into()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_with_all_their_digits() {
        assert_eq!(text(Timestamp(1_795_168_800_000_000_000)), "2026-11-20T10:00:00Z");
        assert_eq!(text(Timestamp(1_795_168_800_250_000_000)), "2026-11-20T10:00:00.25Z");
    }
}
