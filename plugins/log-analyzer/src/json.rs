//! Lines that are JSON objects, as structured loggers write them (pino, bunyan, winston, Google Cloud Logging, …).

use serde_json::{Map, Value};

use crate::{
    record::Level,
    time::{self, LogTime},
};

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
    let object: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let payload = object.get("jsonPayload").and_then(Value::as_object);
    let find = |names: &[&str]| {
        let places = [Some(&object), payload];
        places.into_iter().flatten().find_map(|place| names.iter().find_map(|name| place.get(*name)))
    };
    let level = find(&["level", "severity", "lvl", "levelname", "log.level", "@level"]).and_then(|value| match value {
        Value::String(name) => Level::named(name.as_bytes()),
        Value::Number(number) => number.as_u64().and_then(Level::numbered),
        _ => None,
    });
    let time = find(&["time", "timestamp", "ts", "@timestamp", "date", "datetime"]).and_then(|value| match value {
        Value::String(text) => time::read(text.as_bytes()).map(|(time, _)| time),
        Value::Number(number) => number.as_f64().and_then(time::from_epoch),
        _ => None,
    });
    let error = find(&["err", "error", "exception", "exc"]).and_then(Value::as_object);
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let stack = error
        .and_then(|error| error.get("stack").or_else(|| error.get("stacktrace")))
        .or_else(|| find(&["stack", "stack_trace", "stacktrace", "exc_info", "traceback", "trace"]))
        .and_then(text);
    let message = find(&["msg", "message", "textPayload", "event", "log"]).and_then(text);
    let of_error = || {
        let error = error?;
        let message = error.get("message").or_else(|| error.get("msg")).and_then(text)?;
        let kind = error.get("type").or_else(|| error.get("name")).and_then(text);
        Some(kind.map_or(message.clone(), |kind| format!("{kind}: {message}")))
    };
    let plain = || find(&["err", "error", "exception"]).and_then(text);
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
    fn what_is_no_object_is_left_to_others() {
        assert_eq!(read(b"{not json"), None);
        assert_eq!(read(b"[1,2]"), None);
    }
}
