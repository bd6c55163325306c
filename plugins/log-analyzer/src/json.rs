//! Lines that are JSON objects, as structured loggers write them (pino, bunyan, winston, Google Cloud Logging, Serilog, GELF,
//! OpenTelemetry, …).

mod telemetry;

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{
    fields, journal,
    record::Level,
    time::{self, LogTime},
};

/// Names of a level's field, and so on, in any case; the first that is there counts.
const LEVEL: &[&str] =
    &["level", "severity", "lvl", "levelname", "log.level", "@level", "@l", "loglevel", "severityText", "PRIORITY"];
const TIME: &[&str] = &[
    "time",
    "timestamp",
    "ts",
    "@timestamp",
    "@t",
    "date",
    "datetime",
    "asctime",
    "__REALTIME_TIMESTAMP",
    "timeMillis",
    "instant",
    "timeUnixNano",
    "observedTimeUnixNano",
];
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
const ERROR: &[&str] = &["err", "error", "exception", "exc", "thrown", "error.message", "error.type"];
const STACK: &[&str] =
    &["stack", "stack_trace", "stacktrace", "error.stack_trace", "exc_info", "traceback", "trace", "exception", "@x"];
const COMPONENT: &[&str] =
    &["SYSLOG_IDENTIFIER", "_SYSTEMD_UNIT", "_COMM", "logger", "loggerName", "logger_name", "log.logger"];
const PAYLOAD: &[&str] = &["jsonPayload", RESOURCES];
/// What OpenTelemetry's exporters write: many records in a line.
const RESOURCES: &str = "resourceLogs";
/// Fields that say where and by whom an event was written, in which number, and not what happened.
const NUMBERS: &[&str] = &[
    "insertId",
    "pid",
    "hostname",
    "host",
    "logName",
    "trace",
    "spanId",
    "span_id",
    "trace_id",
    "traceId",
    "receiveTimestamp",
    "v",
];
/// Frames of an exception that are read.
const MAX_FRAMES: usize = 64;
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
    /// The program or the logger that wrote it; empty where the line does not say.
    pub component: String,
}

impl Structured {
    /// The same with the first line as the message, where the message has several: all of them are the stack, where there is no other.
    pub fn parted(mut self) -> Self {
        let whole = self.message.trim_end().trim_start_matches(['\r', '\n']);
        if let Some((head, _)) = whole.split_once('\n') {
            let (head, whole) = (head.trim_end().to_owned(), whole.to_owned());
            self.stack.get_or_insert(whole);
            self.message = head;
        }
        self
    }
}

/// Reads the line; none when it is no JSON object.
pub fn read(line: &[u8]) -> Option<Structured> {
    let Fields(fields) = serde_json::from_slice(line).ok()?;
    let field = |name: &str| fields.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value);
    if let Some(resources) = field(RESOURCES) {
        return telemetry::read(resources);
    }
    let payload = field("jsonPayload").and_then(Value::as_object);
    let each = |names: &'static [&'static str]| {
        let of_line = names.iter().filter_map(move |name| field(name));
        of_line.chain(names.iter().filter_map(move |name| payload?.get(*name)))
    };
    let level = each(LEVEL).find_map(level_of).or_else(|| level_of(field("log")?.as_object()?.get("level")?));
    let level = level.or_else(|| field(COMPACT_TIME).map(|_| Level::Info));
    let time = each(TIME).find_map(time_of);
    let error = each(ERROR).find_map(Value::as_object);
    let stack = error
        .and_then(|error| ["stack", "stacktrace", "stack_trace"].iter().find_map(|name| lines(error.get(*name)?)))
        // A trace may also be a request's, told by its number.
        .or_else(|| each(STACK).find_map(lines))
        .or_else(|| thrown(error?).filter(|stack| stack.contains('\n')));
    let message = each(MESSAGE).find_map(|message| text(message).or_else(|| journal::bytes(message)));
    let message = message.or_else(|| telemetry::text(field("body")?));
    let of_error = || {
        let of = |name: &str| error.and_then(|error| text(error.get(name)?));
        let message = of("message").or_else(|| of("msg")).or_else(|| text(field("error.message")?))?;
        let kind = of("type").or_else(|| of("name")).or_else(|| text(field("error.type")?));
        Some(kind.map_or(message.clone(), |kind| format!("{kind}: {message}")))
    };
    let plain = || each(ERROR).find_map(text);
    // A stack says what the error is; without one its own message does, behind what was going on.
    let cause = if stack.is_none() { of_error().or_else(plain) } else { None };
    let message = match (message, cause) {
        (Some(message), Some(cause)) if message.contains(&cause) => message,
        (Some(message), Some(cause)) => with_cause(&message, &cause),
        (Some(message), None) => message,
        (None, cause) => cause.or_else(of_error).or_else(plain).unwrap_or_else(|| of_fields(line)),
    };
    let component = each(COMPONENT).find_map(text).or_else(|| text(field("log")?.as_object()?.get("logger")?));
    Some(Structured { time, level, message, stack, component: component.unwrap_or_default() })
}

/// A message, and what caused it behind its first line.
pub fn with_cause(message: &str, cause: &str) -> String {
    match message.trim_end().split_once('\n') {
        Some((head, rest)) => format!("{}: {cause}\n{rest}", head.trim_end()),
        None => format!("{}: {cause}", message.trim_end()),
    }
}

/// A text of several lines.
fn lines(value: &Value) -> Option<String> {
    text(value).filter(|text| text.contains('\n'))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn level_of(value: &Value) -> Option<Level> {
    match value {
        Value::String(name) => Level::named(name.as_bytes()).or_else(|| journal::priority(name)),
        Value::Number(number) => number.as_u64().and_then(Level::numbered),
        _ => None,
    }
}

fn time_of(value: &Value) -> Option<LogTime> {
    match value {
        Value::String(text) => journal::microseconds(text.as_bytes())
            .or_else(|| Some(time::read(text.as_bytes())?.0))
            .or_else(|| time::from_epoch(text.parse().ok()?)),
        Value::Number(number) => number.as_f64().and_then(time::from_epoch),
        // Log4j's.
        Value::Object(instant) => {
            let seconds = instant.get("epochSecond")?.as_i64()?;
            let part =
                instant.get("nanoOfSecond").and_then(Value::as_i64).filter(|part| (0..time::SECOND).contains(part));
            let LogTime { nanoseconds, dated } = time::from_epoch(seconds as f64)?;
            Some(LogTime { nanoseconds: nanoseconds + part.unwrap_or_default(), dated })
        }
        _ => None,
    }
}

/// What Log4j writes of an exception: its frames one by one, as the JVM would print them.
fn thrown(error: &Map<String, Value>) -> Option<String> {
    let of = |value: &Map<String, Value>, name: &str| value.get(name).and_then(text);
    let frames = error.get("extendedStackTrace")?;
    let mut lines = vec![format!("{}: {}", of(error, "name")?, of(error, "message").unwrap_or_default())];
    match frames {
        Value::String(trace) => return Some(trace.clone()),
        Value::Array(frames) => lines.extend(frames.iter().take(MAX_FRAMES).filter_map(|frame| {
            let frame = frame.as_object()?;
            let line = frame.get("line").and_then(Value::as_i64).unwrap_or_default();
            let (class, method) = (of(frame, "class")?, of(frame, "method")?);
            Some(format!("\tat {class}.{method}({}:{line})", of(frame, "file").unwrap_or_default()))
        })),
        _ => return None,
    }
    Some(lines.join("\n"))
}

/// What an event says by its fields, which are read anew: most events have a message.
#[cold]
fn of_fields(line: &[u8]) -> String {
    let Ok(Value::Object(event)) = serde_json::from_slice(line) else { return String::new() };
    // A request, and a call of Google's API, are told as their own logs do.
    if let Some(request) = event.get("httpRequest").and_then(Value::as_object) {
        let of = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
        let status = request.get("status").map(ToString::to_string).unwrap_or_default();
        return format!("{} {} status={}", of("requestMethod"), of("requestUrl"), status.trim_matches('"'));
    }
    if let Some(call) = event.get("protoPayload").and_then(Value::as_object) {
        let of = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default();
        let status = call.get("status").and_then(|status| text(status.get("message")?));
        let call = format!("{} {}", of("serviceName"), of("methodName"));
        if call.len() > 1 {
            return status.map_or(call.clone(), |status| format!("{call}: {status}"));
        }
    }
    let is_known = |name: &str| {
        [LEVEL, TIME, NUMBERS, COMPONENT].into_iter().flatten().any(|known| known.eq_ignore_ascii_case(name))
    };
    let payload = event.get("jsonPayload").and_then(Value::as_object);
    fields::text(payload.unwrap_or(&event), is_known)
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
                let mut names = [LEVEL, TIME, MESSAGE, ERROR, STACK, COMPONENT, PAYLOAD].into_iter().flatten();
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
    fn events_without_a_message_are_told_by_their_fields() {
        for (line, level, message) in [
            (
                r#"{"severity":"ERROR","timestamp":"2026-11-23T10:00:00Z","insertId":"a1","httpRequest":{"requestMethod":"GET","requestUrl":"https://a.example/cart","status":500,"latency":"0.1s"}}"#,
                Level::Error,
                "GET https://a.example/cart status=500",
            ),
            (
                r#"{"severity":"ERROR","timestamp":"2026-11-23T10:00:00Z","protoPayload":{"@type":"t","serviceName":"storage.googleapis.com","methodName":"storage.objects.get","status":{"code":7,"message":"denied"}}}"#,
                Level::Error,
                "storage.googleapis.com storage.objects.get: denied",
            ),
            (
                r#"{"user":{"id":7,"name":"ann"},"level":"warn","action":"login","time":1795428000000,"pid":12}"#,
                Level::Warning,
                "action=login user.id=7 user.name=ann",
            ),
            (
                r#"{"severity":"WARNING","timestamp":"2026-11-23T10:00:00Z","jsonPayload":{"queue":"mail","depth":9}}"#,
                Level::Warning,
                "depth=9 queue=mail",
            ),
            (
                r#"{"@timestamp":"2026-11-23T10:00:00Z","log":{"level":"error","logger":"a"},"error":{"type":"java.io.IOException","message":"full"}}"#,
                Level::Error,
                "java.io.IOException: full",
            ),
            (
                r#"{"@timestamp":"2026-11-23T10:00:00Z","log.level":"ERROR","error.type":"IOError","error.message":"full"}"#,
                Level::Error,
                "IOError: full",
            ),
            (
                r#"{"timeMillis":1795428000123,"thread":"main","level":"ERROR","loggerName":"a.B","message":"m"}"#,
                Level::Error,
                "m",
            ),
            (
                r#"{"instant":{"epochSecond":1795428000,"nanoOfSecond":123000000},"level":"FATAL","loggerName":"a.B","message":"m"}"#,
                Level::Fatal,
                "m",
            ),
            (
                r#"{"timeUnixNano":"1795428000123000000","severityText":"ERROR","body":{"stringValue":"late"}}"#,
                Level::Error,
                "late",
            ),
            (
                r#"{"resourceLogs":[{"resource":{},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1795428000000000001","severityNumber":9,"body":{"stringValue":"fine"}},{"timeUnixNano":"1795428000000000002","severityNumber":17,"severityText":"Error","body":{"stringValue":"no route"},"attributes":[]}]}]}]}"#,
                Level::Error,
                "no route",
            ),
        ] {
            let read = read(line.as_bytes()).unwrap();
            assert_eq!((read.level, read.message.as_str()), (Some(level), message), "{line}");
            assert_eq!(read.time.map(|time| time.nanoseconds / time::SECOND), Some(1_795_428_000), "{line}");
        }
    }

    #[test]
    fn what_is_called_a_trace_and_is_none_hides_no_stack() {
        for line in [
            r#"{"severity":"ERROR","trace":"projects/p/traces/0af7","jsonPayload":{"message":"m","stack_trace":"E: x\n\tat a.B.c(B.java:7)"}}"#,
            r#"{"level":"ERROR","message":"m","trace":"4bf9","exception":"E: x\n\tat a.B.c(B.java:7)"}"#,
            r#"{"level":"ERROR","message":"m","stack":"web","exception":"E: x\n\tat a.B.c(B.java:7)"}"#,
            r#"{"level":"ERROR","message":"m","err":{"message":"x","stack":"none"},"exception":"E: x\n\tat a.B.c(B.java:7)"}"#,
        ] {
            assert_eq!(read(line.as_bytes()).unwrap().stack.as_deref(), Some("E: x\n\tat a.B.c(B.java:7)"), "{line}");
        }
    }

    #[test]
    fn a_message_of_several_lines_is_a_head_and_a_stack() {
        for (message, stack, expected) in [
            ("E: x\n  at f (a.js:1:2)", None, ("E: x", Some("E: x\n  at f (a.js:1:2)"))),
            ("\nE: x\r\n  at f (a.js:1:2)\n", None, ("E: x", Some("E: x\r\n  at f (a.js:1:2)"))),
            ("failed\nsoon", Some("E: y\n  at g"), ("failed", Some("E: y\n  at g"))),
            ("  one line\n", None, ("  one line\n", None)),
        ] {
            let read =
                Structured { message: message.to_owned(), stack: stack.map(str::to_owned), ..Structured::default() };
            let parted = read.parted();
            assert_eq!((parted.message.as_str(), parted.stack.as_deref()), expected, "{message:?}");
        }
        assert_eq!(with_cause("E: x\n  at f\n", "no route"), "E: x: no route\n  at f");
        assert_eq!(with_cause("failed\n", "no route"), "failed: no route");
    }

    #[test]
    fn who_wrote_an_event_is_its_component() {
        for (line, component) in [
            (r#"{"_COMM":"sh","_SYSTEMD_UNIT":"shop.service","SYSLOG_IDENTIFIER":"shop","MESSAGE":"m"}"#, "shop"),
            (r#"{"_COMM":"sh","_SYSTEMD_UNIT":"shop.service","MESSAGE":"m"}"#, "shop.service"),
            (r#"{"level":"INFO","loggerName":"a.B","message":"m"}"#, "a.B"),
            (r#"{"log":{"level":"error","logger":"a.B"},"message":"m"}"#, "a.B"),
            (r#"{"level":"info","message":"m"}"#, ""),
        ] {
            assert_eq!(read(line.as_bytes()).unwrap().component, component, "{line}");
        }
    }

    #[test]
    fn log4js_exceptions_have_a_stack() {
        let line = br#"{"timeMillis":1795428000123,"level":"ERROR","message":"pay","thrown":{"name":"java.io.IOException","message":"full","extendedStackTrace":[{"class":"a.Store","method":"write","file":"Store.java","line":7}]}}"#;
        let stack = read(line).unwrap().stack.unwrap();
        assert_eq!(stack, "java.io.IOException: full\n\tat a.Store.write(Store.java:7)");
    }

    #[test]
    fn what_is_no_object_is_left_to_others() {
        assert_eq!(read(b"{not json"), None);
        assert_eq!(read(b"[1,2]"), None);
    }
}
