//! How lines are written: each source of a system in a form of its own.

use super::words::Domain;
use crate::{
    calendar::{MONTHS, date},
    random::Random,
};

/// How bad a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    Debug,
    Info,
    Warning,
    Error,
    Fatal,
}

/// The form of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Python's `logging` as most set it.
    Python,
    /// Everything in brackets.
    Brackets,
    /// Python's `structlog`.
    Structlog,
    /// Serilog's console.
    Serilog,
    /// Rust's `tracing`.
    Tracing,
    /// RFC 3164 as files have it: no year, no level but in the text.
    Plain,
    /// PostgreSQL's.
    Postgres,
}

impl Style {
    /// Whether what a runtime writes by itself gets into the log as it is.
    pub const fn takes_traces(self) -> bool {
        matches!(self, Self::Python | Self::Brackets | Self::Serilog | Self::Tracing)
    }
}

/// How durations are written.
#[derive(Clone, Copy)]
enum Timing {
    /// `12.5 ms`
    Spaced,
    /// `0.0125s`
    Seconds,
    /// As Go prints them: `1m3.2s`, `1.5s`, `12.5ms`, `80µs`.
    Go,
}

/// How a source writes.
#[derive(Clone, Copy)]
pub struct Hand {
    pub style: Style,
    timing: Timing,
    who: &'static str,
}

impl Hand {
    /// The hands of the workers, the scheduler and the database of a system.
    pub fn any(random: &mut Random, domain: &Domain) -> [Self; 3] {
        use Style::{Brackets, Plain, Postgres, Python, Serilog, Structlog, Tracing};
        let mut hand = |styles: &[Style], who| Self {
            style: *random.one_of(styles),
            timing: *random.one_of(&[Timing::Spaced, Timing::Seconds, Timing::Go]),
            who,
        };
        [
            hand(&[Python, Brackets, Structlog, Serilog, Tracing], domain.name),
            hand(&[Python, Plain, Plain, Tracing], "timerd"),
            hand(&[Postgres], "postgres"),
        ]
    }

    /// Milliseconds as it writes them.
    pub fn taken(&self, ms: f64) -> String {
        match self.timing {
            Timing::Spaced => format!("{ms:.1} ms"),
            Timing::Seconds => format!("{:.4}s", ms / 1000.0),
            Timing::Go if ms < 1.0 => format!("{:.0}µs", ms * 1000.0),
            Timing::Go if ms < 1000.0 => format!("{ms:.3}ms"),
            Timing::Go if ms < 60_000.0 => format!("{:.3}s", ms / 1000.0),
            Timing::Go => format!("{}m{:.3}s", (ms / 60_000.0) as u64, ms % 60_000.0 / 1000.0),
        }
    }

    /// A line, with its end, at this second since 1970.
    pub fn line(&self, second: f64, grade: Grade, place: usize, text: &str) -> String {
        let who = self.who;
        let index = grade as usize;
        let ms = (second * 1000.0).round() as i64;
        let (year, month, day) = date(ms.div_euclid(86_400_000));
        let clock = ms.rem_euclid(86_400_000);
        let (hour, minute, sec, milli) = (clock / 3_600_000, clock / 60_000 % 60, clock / 1000 % 60, clock % 1000);
        let (day_of, clock) = (format!("{year}-{month:02}-{day:02}"), format!("{hour:02}:{minute:02}:{sec:02}"));
        match self.style {
            Style::Python => {
                let level = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"][index];
                format!("{day_of} {clock},{milli:03} {level} [{who}.pool:{place}] {text}\n")
            }
            Style::Brackets => {
                let level = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL"][index];
                format!("[{day_of} {clock}.{milli:03}] [worker-{}] [{level}] {text}\n", place % 7)
            }
            Style::Structlog => {
                let level = ["debug", "info", "warning", "error", "critical"][index];
                format!(
                    "{{\"event\": \"{text}\", \"logger\": \"{who}\", \"level\": \"{level}\", \"timestamp\": \"{day_of}T{clock}.{milli:03}Z\"}}\n"
                )
            }
            Style::Serilog => {
                let level = ["DBG", "INF", "WRN", "ERR", "FTL"][index];
                format!("{day_of} {clock}.{milli:03} +00:00 [{level}] {text}\n")
            }
            Style::Tracing => {
                let level = ["DEBUG", " INFO", " WARN", "ERROR", "ERROR"][index];
                format!("{day_of}T{clock}.{milli:03}000Z {level} {who}::pool: {text}\n")
            }
            Style::Plain => {
                let level = ["", "", "warning: ", "error: ", "fatal: "][index];
                let month = MONTHS[month as usize - 1];
                format!("{month} {day:2} {clock} yard-2 {who}[{}]: {level}{text}\n", 700 + place % 3)
            }
            Style::Postgres => {
                let level = ["DEBUG1", "LOG", "WARNING", "ERROR", "FATAL"][index];
                format!("{day_of} {clock}.{milli:03} UTC [{}] {level}:  {text}\n", 2000 + place)
            }
        }
    }
}
