//! How lines are written: none of these forms is one of the first generator's.

use std::fmt::Write;

use super::traffic::DAY;
use crate::{
    calendar::{MONTHS, date},
    random::Random,
};

/// The form of a service's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `ts=… lvl=… caller=… msg=…`, with values as fields.
    Logfmt,
    /// The Elastic Common Schema.
    Ecs,
    /// Serilog's compact form, which names no level where it is information.
    Clef,
    /// RFC 5424.
    Syslog,
    /// Go's standard `log`, which has no levels.
    Go,
    /// Zap's console.
    Zap,
}

/// How bad a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Info,
    Warn,
    Error,
    Fatal,
}

/// A value that a line tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Whole(i64),
    Percent(f64),
    /// Milliseconds.
    Taken(f64),
}

/// How times that work took are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// `took=12.5ms`.
    Unit,
    /// `took_ms=12.5`.
    Name,
    /// `took=0.0125s`.
    Seconds,
}

impl Form {
    /// Whether what a runtime writes by itself gets into the log as it is.
    pub const fn takes_traces(self) -> bool {
        matches!(self, Self::Logfmt | Self::Go | Self::Zap)
    }
}

/// How a service writes.
#[derive(Clone, Copy, Debug)]
pub struct Hand {
    pub form: Form,
    pub timing: Timing,
    pub service: &'static str,
    /// Minutes that its clock is ahead of UTC, where it says so.
    pub zone: i64,
}

impl Hand {
    pub fn any(random: &mut Random, service: &'static str) -> Self {
        use Form::{Clef, Ecs, Go, Logfmt, Syslog, Zap};
        Self {
            form: *random.one_of(&[Logfmt, Ecs, Clef, Syslog, Go, Zap]),
            timing: *random.one_of(&[Timing::Unit, Timing::Name, Timing::Seconds]),
            service,
            zone: *random.one_of(&[0, 0, 120, -420]),
        }
    }

    /// A line, with its end, at this second since 1970.
    pub fn line(&self, second: f64, weight: Weight, place: usize, text: &str, fields: &[(&str, Value)]) -> String {
        let service = self.service;
        let index = weight as usize;
        let iso = self.iso(second);
        let pairs = self.pairs(fields);
        match self.form {
            Form::Logfmt => {
                let level = ["info", "warn", "error", "fatal"][index];
                format!("ts={iso} lvl={level} caller={service}.go:{place} msg=\"{text}\"{}\n", plain(&pairs))
            }
            Form::Ecs => {
                let level = ["info", "warn", "error", "fatal"][index];
                let head = format!(
                    "\"@timestamp\":\"{iso}\",\"log.level\":\"{level}\",\"service.name\":\"{service}\",\"message\":\"{text}\""
                );
                format!("{{{head}{}}}\n", json(&pairs))
            }
            Form::Clef => {
                let level = ["", ",\"@l\":\"Warning\"", ",\"@l\":\"Error\"", ",\"@l\":\"Fatal\""][index];
                let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (pascal(&name), value)).collect();
                format!(
                    "{{\"@t\":\"{iso}\",\"@m\":\"{text}\"{level},\"SourceContext\":\"{service}\"{}}}\n",
                    json(&pairs)
                )
            }
            Form::Syslog => {
                // Facility local0.
                let priority = 16 * 8 + [6, 4, 3, 2][index];
                format!("<{priority}>1 {iso} node-3 {service} 811 - - {text}{}\n", plain(&pairs))
            }
            Form::Go => {
                let level = ["", "WARN: ", "ERROR: ", "FATAL: "][index];
                let [year, month, day, hour, minute, second, _] = parts(second);
                let time = format!("{year}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}");
                format!("{time} {service}.go:{place}: {level}{text}{}\n", plain(&pairs))
            }
            Form::Zap => {
                let level = ["info", "warn", "error", "fatal"][index];
                let values = json(&pairs);
                let values = if values.is_empty() { values } else { format!("\t{{{}}}", &values[1..]) };
                format!("{iso}\t{level}\t{service}/handler.go:{place}\t{text}{values}\n")
            }
        }
    }

    fn pairs(&self, fields: &[(&str, Value)]) -> Vec<(String, String)> {
        let pair = |(name, value): &(&str, Value)| match (value, self.timing) {
            (Value::Whole(value), _) => ((*name).to_owned(), value.to_string()),
            (Value::Percent(value), _) => ((*name).to_owned(), format!("{value:.1}%")),
            (Value::Taken(taken), Timing::Unit) => ((*name).to_owned(), format!("{taken:.1}ms")),
            (Value::Taken(taken), Timing::Name) => (format!("{name}_ms"), format!("{taken:.1}")),
            (Value::Taken(taken), Timing::Seconds) => ((*name).to_owned(), format!("{:.4}s", taken / 1000.0)),
        };
        fields.iter().map(pair).collect()
    }

    fn iso(&self, second: f64) -> String {
        let zone = self.zone;
        let [year, month, day, hour, minute, second, milli] = parts(second + 60.0 * zone as f64);
        let offset = match zone {
            0 => "Z".to_owned(),
            _ => format!("{}{:02}:{:02}", if zone < 0 { '-' } else { '+' }, zone.abs() / 60, zone.abs() % 60),
        };
        format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}{offset}")
    }
}

/// A line of nginx in the combined form, with the seconds that the request took behind it, as many have it.
pub fn combined(second: f64, from: usize, request: &str, status: u16, bytes: usize, taken: f64) -> String {
    let [year, month, day, hour, minute, clock, _] = parts(second);
    let month = MONTHS[month as usize - 1];
    let time = format!("{day:02}/{month}/{year}:{hour:02}:{minute:02}:{clock:02} +0000");
    let address = format!("172.19.{}.{}", from / 250 % 4, from % 250 + 1);
    format!(
        "{address} - - [{time}] \"{request} HTTP/1.1\" {status} {bytes} \"-\" \"okhttp/4.12.0\" rt={:.3}\n",
        taken / 1000.0
    )
}

/// Year, month, day, hour, minute, second and millisecond of a second since 1970.
fn parts(second: f64) -> [i64; 7] {
    let millis = (second * 1000.0).floor() as i64;
    let day_millis = (DAY * 1000.0) as i64;
    let (year, month, day) = date(millis.div_euclid(day_millis));
    let clock = millis.rem_euclid(day_millis);
    [year, month, day, clock / 3_600_000, clock / 60_000 % 60, clock / 1000 % 60, clock % 1000]
}

fn plain(pairs: &[(String, String)]) -> String {
    pairs.iter().fold(String::new(), |mut all, (name, value)| {
        let _ = write!(all, " {name}={value}");
        all
    })
}

/// The pairs as an object's, each with a comma before it.
fn json(pairs: &[(String, String)]) -> String {
    pairs.iter().fold(String::new(), |mut all, (name, value)| {
        let quote = if value.parse::<f64>().is_ok() { "" } else { "\"" };
        let _ = write!(all, ",\"{name}\":{quote}{value}{quote}");
        all
    })
}

/// `took_ms` as `TookMs`.
fn pascal(name: &str) -> String {
    let capital = |word: &str| word.get(..1).map_or_else(String::new, |first| first.to_uppercase() + &word[1..]);
    name.split('_').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_written_as_its_authors_write_it() {
        let fields = [("seat", Value::Whole(7)), ("took", Value::Taken(12.5))];
        let line = |form, timing| {
            let hand = Hand { form, timing, service: "rail", zone: 120 };
            hand.line(1_795_428_000.25, Weight::Warn, 88, "seat held", &fields)
        };
        for (form, timing, expected) in [
            (
                Form::Logfmt,
                Timing::Unit,
                "ts=2026-11-23T12:00:00.250+02:00 lvl=warn caller=rail.go:88 msg=\"seat held\" seat=7 took=12.5ms\n",
            ),
            (
                Form::Ecs,
                Timing::Name,
                "{\"@timestamp\":\"2026-11-23T12:00:00.250+02:00\",\"log.level\":\"warn\",\"service.name\":\"rail\",\
                 \"message\":\"seat held\",\"seat\":7,\"took_ms\":12.5}\n",
            ),
            (
                Form::Clef,
                Timing::Name,
                "{\"@t\":\"2026-11-23T12:00:00.250+02:00\",\"@m\":\"seat held\",\"@l\":\"Warning\",\
                 \"SourceContext\":\"rail\",\"Seat\":7,\"TookMs\":12.5}\n",
            ),
            (
                Form::Syslog,
                Timing::Seconds,
                "<132>1 2026-11-23T12:00:00.250+02:00 node-3 rail 811 - - seat held seat=7 took=0.0125s\n",
            ),
            (Form::Go, Timing::Unit, "2026/11/23 10:00:00 rail.go:88: WARN: seat held seat=7 took=12.5ms\n"),
            (
                Form::Zap,
                Timing::Unit,
                "2026-11-23T12:00:00.250+02:00\twarn\trail/handler.go:88\tseat held\t{\"seat\":7,\"took\":\"12.5ms\"}\n",
            ),
        ] {
            assert_eq!(line(form, timing), expected);
        }
        assert_eq!(
            combined(1_795_428_000.25, 260, "GET /v1/seats", 200, 512, 35.0),
            "172.19.1.11 - - [23/Nov/2026:10:00:00 +0000] \"GET /v1/seats HTTP/1.1\" 200 512 \"-\" \"okhttp/4.12.0\" rt=0.035\n"
        );
    }
}
