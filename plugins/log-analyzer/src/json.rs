//! Lines that are JSON objects, as structured loggers write them (pino, bunyan, winston, Google Cloud Logging, Serilog, GELF,
//! OpenTelemetry, …).

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;

use crate::{
    journal,
    record::Level,
    time::{self, LogTime},
};

/// Names of a level's field, and so on, in any case; the first that is there counts.
const LEVEL: &[&str] =
    &["level", "severity", "lvl", "levelname", "log.level", "@level", "@l", "loglevel", "severityText", "PRIORITY"];
const TIME: &[&str] =
    &["time", "timestamp", "ts", "@timestamp", "@t", "date", "datetime", "asctime", "__REALTIME_TIMESTAMP"];
const MESSAGE: &[&str] = &[
    "msg",
    "message",
    "@m",
    "renderedMessage",
    "textPayload",
    "event",
    "log",
    "short_message",
    "body",
    "@mt",
    "messageTemplate",
];
const ERROR: &[&str] = &["err", "error", "exception", "exc"];
const STACK: &[&str] =
    &["stack", "stack_trace", "stacktrace", "error.stack_trace", "exc_info", "traceback", "trace", "exception", "@x"];
const PAYLOAD: &[&str] = &["jsonPayload"];
/// The time of Serilog's compact form, which names no level where it is information.
const COMPACT_TIME: &str = "@t";

/// What a structured line says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Structured {
    /// When.
    pub time: Option<LogTime>,
    /// How bad.
    pub level: Option<Level>,
    /// What.
    pub message: String,
    /// The stack trace, where there is one; its first line is the exception's head.
    pub stack: Option<String>,
}

/// Reads the line; none when it is no JSON object.
pub fn read(line: &[u8]) -> Option<Structured> {
    let Fields(fields) = serde_json::from_slice(line).ok()?;
    let field = |name: &str| fields.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value);
    let payload = field("jsonPayload").and_then(Value::as_object);
    let find = |names: &[&str]| {
        let of_payload = || names.iter().find_map(|name| payload?.get(*name));
        names.iter().find_map(|name| field(name)).or_else(of_payload)
    };
    let level = find(LEVEL).and_then(|value| match value {
        Value::String(name) => Level::named(name.as_bytes()).or_else(|| journal::priority(name)),
        Value::Number(number) => number.as_u64().and_then(Level::numbered),
        _ => None,
    });
    let level = level.or_else(|| field(COMPACT_TIME).map(|_| Level::Info));
    let time = find(TIME).and_then(|value| match value {
        Value::String(text) => journal::microseconds(text.as_bytes()).or_else(|| Some(time::read(text.as_bytes())?.0)),
        Value::Number(number) => number.as_f64().and_then(time::from_epoch),
        _ => None,
    });
    let error = find(ERROR).and_then(Value::as_object);
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let stack = error
        .and_then(|error| error.get("stack").or_else(|| error.get("stacktrace")))
        .or_else(|| find(STACK))
        .and_then(text);
    let message = find(MESSAGE).and_then(|message| text(message).or_else(|| journal::bytes(message)));
    let of_error = || {
        let error = error?;
        let message = error.get("message").or_else(|| error.get("msg")).and_then(text)?;
        let kind = error.get("type").or_else(|| error.get("name")).and_then(text);
        Some(kind.map_or(message.clone(), |kind| format!("{kind}: {message}")))
    };
    let plain = || find(ERROR).and_then(text);
    let stack = stack.filter(|stack| stack.contains('\n'));
    // A stack says what the error is; without one its own message does, behind what was going on.
    let cause = if stack.is_none() { of_error().or_else(plain) } else { None };
    let message = match (message, cause) {
        (Some(message), Some(cause)) if message.contains(&cause) => message,
        (Some(message), Some(cause)) => format!("{message}: {cause}"),
        (Some(message), None) => message,
        (None, cause) => cause.or_else(of_error).or_else(plain).unwrap_or_default(),
    };
    Some(Structured { time, level, message, stack })
}

/// The fields of an object that matter; others are skipped over.
struct Fields(Vec<(&'static str, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    match name {
                        Some(name) => fields.push((name, map.next_value()?)),
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A field's name, where the field matters.
struct Name(Option<&'static str>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_str<E>(self, text: &str) -> Result<Name, E> {
                let mut names = [LEVEL, TIME, MESSAGE, ERROR, STACK, PAYLOAD].into_iter().flatten();
                Ok(Name(names.find(|name| name.eq_ignore_ascii_case(text)).copied()))
            }
        }

        deserializer.deserialize_identifier(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structured_lines_of_usual_loggers_are_read() {
        for (line, level, message, stack) in [
            (
                r#"{"level":50,"time":1795428000123,"msg":"failed","err":{"type":"TypeError","message":"x","stack":"TypeError: x\n    at a (b.js:1:2)"}}"#,
                Level::Error,
                "failed",
                true,
            ),
            (
                r#"{"severity":"ERROR","timestamp":"2026-11-23T10:00:00Z","jsonPayload":{"message":"m"}}"#,
                Level::Error,
                "m",
                false,
            ),
            (r#"{"level":"warn","message":"slow","timestamp":"2026-11-23T10:00:00Z"}"#, Level::Warning, "slow", false),
            (
                r#"{"level":"error","msg":"cannot pay","err":{"type":"RangeError","message":"m"},"ts":1795428000.5}"#,
                Level::Error,
                "cannot pay: RangeError: m",
                false,
            ),
            (
                r#"{"level":"error","msg":"cannot pay","error":"no route","ts":1795428000.5}"#,
                Level::Error,
                "cannot pay: no route",
                false,
            ),
            (
                r#"{"level":"error","err":{"name":"RangeError","message":"m"},"ts":1795428000.5}"#,
                Level::Error,
                "RangeError: m",
                false,
            ),
        ] {
            let read = read(line.as_bytes()).unwrap();
            assert_eq!(read.level, Some(level), "{line}");
            assert_eq!(read.message, message, "{line}");
            assert_eq!(read.stack.is_some(), stack, "{line}");
            assert_eq!(read.time.unwrap().nanoseconds / time::SECOND, 1_795_428_000, "{line}");
        }
    }

    #[test]
    fn the_levels_of_forms_that_name_them_otherwise_are_read() {
        for (line, level, message) in [
            (r#"{"@t":"2026-11-23T10:00:00Z","@m":"cart is empty","Cart":7}"#, Level::Info, "cart is empty"),
            (
                r#"{"@t":"2026-11-23T10:00:00Z","@mt":"{Cart} is full","@l":"Error","Cart":7}"#,
                Level::Error,
                "{Cart} is full",
            ),
            (
                r#"{"Timestamp":"2026-11-23T10:00:00Z","Level":"Warning","RenderedMessage":"slow"}"#,
                Level::Warning,
                "slow",
            ),
            (r#"{"Timestamp":"2026-11-23T10:00:00Z","LogLevel":"Critical","Message":"gone"}"#, Level::Fatal, "gone"),
            (
                r#"{"version":"1.1","short_message":"refused","timestamp":1795428000.1,"level":3}"#,
                Level::Error,
                "refused",
            ),
            (r#"{"timestamp":"2026-11-23T10:00:00Z","severityText":"WARN","body":"late"}"#, Level::Warning, "late"),
        ] {
            let read = read(line.as_bytes()).unwrap();
            assert_eq!((read.level, read.message.as_str()), (Some(level), message), "{line}");
            assert_eq!(read.time.unwrap().nanoseconds / time::SECOND, 1_795_428_000, "{line}");
        }
        let thrown = br#"{"@t":"2026-11-23T10:00:00Z","@m":"pay","@l":"Error","@x":"System.Exception: no\n   at Shop.Pay() in /src/Pay.cs:line 7"}"#;
        assert!(read(thrown).unwrap().stack.is_some_and(|stack| stack.starts_with("System.Exception: no")));
    }

    #[test]
    fn what_is_no_object_is_left_to_others() {
        assert_eq!(read(b"{not json"), None);
        assert_eq!(read(b"[1,2]"), None);
    }
}
