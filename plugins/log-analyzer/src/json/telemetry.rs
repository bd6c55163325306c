//! Lines of OpenTelemetry's exporters, each with the records of a moment.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>, and the protocol's `logs.proto`.

use serde_json::{Map, Value};

use super::{Structured, level_of, text as text_of};
use crate::{fields, record::Level, time};

/// Records of a line that are looked at.
const MAX_RECORDS: usize = 1000;

/// What a line says: the worst of its records, and of several the first. None where it has no record.
pub fn read(resources: &Value) -> Option<Structured> {
    let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let scopes = resources.as_array()?.iter().flat_map(|resource| list(resource, "scopeLogs"));
    let records = scopes.flat_map(|scope| list(&scope, "logRecords")).take(MAX_RECORDS);
    let read = records.filter_map(|record| record.as_object().map(record_of));
    read.reduce(|worst, next| if next.level > worst.level { next } else { worst })
}

fn record_of(record: &Map<String, Value>) -> Structured {
    let named = record.get("severityText").and_then(level_of);
    let level = named.or_else(|| level(record.get("severityNumber")?.as_u64()?));
    let at = ["timeUnixNano", "observedTimeUnixNano"].iter().find_map(|name| nanoseconds(record.get(*name)?));
    let message = record.get("body").and_then(text).unwrap_or_else(|| {
        let is_known = |name: &str| name.ends_with("UnixNano") || name.starts_with("severity") || name.ends_with("Id");
        fields::text(record, is_known)
    });
    Structured { time: at, level, message, ..Structured::default() }
}

/// Nanoseconds since 1970, in digits or as a number.
fn nanoseconds(value: &Value) -> Option<time::LogTime> {
    let number = value.as_str().map_or_else(|| value.as_f64(), |digits| digits.parse().ok())?;
    time::from_epoch(number).filter(|_| number > 1e17)
}

/// The level of a severity's number: four to each, from trace on.
fn level(number: u64) -> Option<Level> {
    Some(match number {
        1..=8 => Level::Debug,
        9..=12 => Level::Info,
        13..=16 => Level::Warning,
        17..=20 => Level::Error,
        21..=24 => Level::Fatal,
        _ => return None,
    })
}

/// A body that is a text.
pub fn text(body: &Value) -> Option<String> {
    text_of(body.get("stringValue")?)
}
