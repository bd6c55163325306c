//! Lines of `key=value` pairs, as Go's loggers write them (logrus, slog, go-kit, Heroku's logfmt).

use crate::{
    fields,
    json::{self, Structured},
    record::Level,
    time::{self, LogTime},
};

/// Bytes of a line's first key.
const MAX_KEY_BYTES: usize = 16;

/// Reads the line; none when it does not say what happened, and when or how bad.
pub fn read(line: &[u8]) -> Option<Structured> {
    let key = line.get(..MAX_KEY_BYTES.min(line.len()))?.iter().take_while(|byte| is_of_key(**byte)).count();
    if key == 0 || line.get(key) != Some(&b'=') {
        return None;
    }
    let text = std::str::from_utf8(line).ok()?;
    let (mut level, mut time, mut message, mut error) = (None, None, None, None);
    let (mut stack, mut component) = (None, None);
    let mut rest = text;
    while let Some((key, value, behind)) = pair(rest) {
        rest = behind;
        match key {
            "level" | "lvl" | "severity" => level = level.or(Level::named(value.as_bytes())),
            "time" | "ts" | "t" | "timestamp" => time = time.or_else(|| read_time(&value)),
            "msg" | "message" | "event" => message = message.or(Some(value)),
            "err" | "error" | "exception" => error = error.or(Some(value)),
            "stack" | "stacktrace" | "trace" | "traceback" => {
                stack = stack.or(Some(value)).filter(|stack: &String| stack.contains('\n'));
            }
            "logger" => component = component.or(Some(value)),
            _ => {}
        }
    }
    if level.is_none() && time.is_none() {
        return None;
    }
    let error = error.filter(|error| !error.is_empty());
    let message = match (message, error) {
        (Some(message), Some(error)) => json::with_cause(&message, &error),
        (Some(message), None) => message,
        (None, error) => {
            let others = others(text)?;
            error.or_else(|| (!others.is_empty()).then_some(others))?
        }
    };
    Some(Structured { time, level, message, stack, component: component.unwrap_or_default() })
}

/// What a line of pairs alone says that has no message: those that tell neither the time nor the level. None where it has other words.
#[cold]
fn others(text: &str) -> Option<String> {
    let mut others = Vec::new();
    let mut rest = text;
    while let Some((key, value, behind)) = pair(rest) {
        if !rest.trim_start().get(key.len()..)?.starts_with('=') {
            return None;
        }
        rest = behind;
        if !matches!(key, "level" | "lvl" | "severity" | "time" | "ts" | "t" | "timestamp" | "logger") {
            others.push((key, value));
        }
    }
    Some(fields::join(others.iter().map(|(name, value)| (*name, value.as_str()))))
}

fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@')
}

fn read_time(value: &str) -> Option<LogTime> {
    match value.parse::<f64>() {
        Ok(number) => time::from_epoch(number),
        Err(_) => time::read(value.as_bytes()).map(|(time, _)| time),
    }
}

/// The first pair, and what is behind it. A key without a value has an empty one.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start();
    let end = text.find(['=', ' ']).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    let Some(value) = rest.strip_prefix('=') else {
        return (!key.is_empty()).then(|| (key, String::new(), rest));
    };
    let Some(quoted) = value.strip_prefix('"') else {
        let (value, rest) = value.split_at(value.find(' ').unwrap_or(value.len()));
        return Some((key, value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((key, value, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, escaped)) => value.push(escaped),
                None => break,
            },
            character => value.push(character),
        }
    }
    Some((key, value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_usual_loggers_are_read() {
        for (line, level, message) in [
            (
                r#"time="2026-11-23T10:00:00Z" level=error msg="cannot \"pay\"" err="no route" order=7"#,
                Some(Level::Error),
                "cannot \"pay\": no route",
            ),
            ("time=2026-11-23T10:00:00.000Z level=WARN msg=slow took=3s", Some(Level::Warning), "slow"),
            (r#"ts=1795428000.123 caller=main.go:12 msg="started""#, None, "started"),
            ("level=warn time=2026-11-23T10:00:00Z job=mail took=3s", Some(Level::Warning), "job=mail took=3s"),
            (r#"level=error err="no route" job=mail"#, Some(Level::Error), "no route"),
            (r#"level=info msg="unfinished"#, Some(Level::Info), "unfinished"),
        ] {
            let read = read(line.as_bytes()).unwrap();
            assert_eq!((read.level, read.message.as_str()), (level, message), "{line}");
            assert!(read.time.is_none_or(|time| time.nanoseconds / time::SECOND == 1_795_428_000), "{line}");
        }
    }

    #[test]
    fn a_requests_trace_hides_no_stack_and_who_wrote_it_is_told() {
        let read = read(br#"level=error logger=shop.cart trace=4bf9 msg=m stack="E: e\n at a (b.js:1:2)""#).unwrap();
        assert_eq!((read.stack.as_deref(), read.component.as_str()), (Some("E: e\n at a (b.js:1:2)"), "shop.cart"));
    }

    #[test]
    fn a_stack_is_unescaped() {
        let read = read(br#"level=error msg=m stack="Error: e\n    at a (b.js:1:2)""#).unwrap();
        assert_eq!(read.stack.as_deref(), Some("Error: e\n    at a (b.js:1:2)"));
    }

    #[test]
    fn other_lines_are_left_to_others() {
        for line in ["x=1 y=2", "level=error", "level=error cannot pay", "a plain line with a=b", "=", "msg=x", ""] {
            assert_eq!(read(line.as_bytes()), None, "{line}");
        }
    }
}
