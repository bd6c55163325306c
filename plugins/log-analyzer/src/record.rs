//! How bad a line is: by its level, and by its words.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};
use autodevops_sdk::types::Severity;
use serde::{Deserialize, Serialize};

use crate::access::Access;

/// Bytes in which an address is looked for around a word.
const MAX_ADDRESS_BYTES: usize = 256;

/// How a level maps to what matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Trace, debug.
    Debug,
    /// Info, notice.
    Info,
    /// Warnings.
    Warning,
    /// Errors.
    Error,
    /// Fatal errors and worse.
    Fatal,
}

impl Level {
    /// Severity of an issue that lines of the level tell of.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Debug | Self::Info => Severity::Info,
            Self::Warning => Severity::Warning,
            Self::Error => Severity::Error,
            Self::Fatal => Severity::Critical,
        }
    }

    /// A level by its name, in any case.
    pub fn named(name: &[u8]) -> Option<Self> {
        let mut lower = [0; 9];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"trace" | b"debug" | b"fine" | b"finer" | b"finest" | b"verbose" | b"dbg" | b"trc" | b"vrb" => Self::Debug,
            b"info" | b"notice" | b"information" | b"inf" => Self::Info,
            b"warn" | b"warning" | b"wrn" => Self::Warning,
            b"error" | b"err" | b"severe" | b"failure" | b"dpanic" => Self::Error,
            // Syslog's `alert` is worse than its `crit`, as that of Google's logs and web servers is.
            b"fatal" | b"critical" | b"crit" | b"panic" | b"alert" | b"emerg" | b"emergency" | b"ftl" => Self::Fatal,
            _ => return None,
        })
    }

    /// A level by the name that .NET's console has for it, which are words of prose elsewhere.
    pub const fn of_console(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"trce" | b"dbug" => Self::Debug,
            b"fail" => Self::Error,
            _ => return None,
        })
    }

    /// A level by the number that pino and bunyan write, or by that of syslog (RFC 5424, section 6.2.1), as GELF has it.
    pub const fn numbered(number: u64) -> Option<Self> {
        Some(match number {
            0..=2 => Self::Fatal,
            3 => Self::Error,
            4 => Self::Warning,
            5 | 6 => Self::Info,
            7 => Self::Debug,
            10..=29 => Self::Debug,
            30..=39 => Self::Info,
            40..=49 => Self::Warning,
            50..=59 => Self::Error,
            60..=99 => Self::Fatal,
            _ => return None,
        })
    }
}

/// What a text tells by its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Whether it tells of a fault, and then whether for sure: with a word that is not denied (`no errors`, `0 failed`,
    /// `error=0`, `errors: 0`).
    pub fault: Option<bool>,
    /// Whether the service as a whole is at stake.
    pub critical: bool,
    /// Whether it may name an exception.
    pub exception: bool,
}

/// What a word says of the text that it stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// A fault, for sure.
    Fault,
    /// A fault, perhaps.
    Maybe,
    /// The service as a whole is at stake.
    Critical,
    /// Part of an exception's name, where it starts with a capital letter.
    Name,
}

const WORDS: [(&str, Says); 28] = [
    ("error", Says::Fault),
    ("error", Says::Name),
    ("exception", Says::Maybe),
    ("exception", Says::Name),
    ("fatal", Says::Fault),
    ("panic", Says::Fault),
    ("critical", Says::Fault),
    ("unhandled", Says::Fault),
    ("uncaught", Says::Fault),
    ("segfault", Says::Fault),
    ("out of memory", Says::Fault),
    ("failed", Says::Maybe),
    ("failure", Says::Maybe),
    ("timed out", Says::Maybe),
    ("denied", Says::Maybe),
    ("refused", Says::Maybe),
    ("out of memory", Says::Critical),
    ("outofmemoryerror", Says::Critical),
    ("segfault", Says::Critical),
    ("segmentation fault", Says::Critical),
    ("kernel panic", Says::Critical),
    ("panicked at", Says::Critical),
    ("panic: ", Says::Critical),
    ("oom-killer", Says::Critical),
    ("core dumped", Says::Critical),
    ("traceback", Says::Name),
    ("timeout", Says::Name),
    ("interrupt", Says::Name),
];

/// Words that tell of a fault, looked for all at once.
pub struct Words(Option<AhoCorasick>);

impl Default for Words {
    fn default() -> Self {
        let words = WORDS.iter().map(|(word, _)| word);
        let kind = Some(AhoCorasickKind::DFA);
        Self(AhoCorasickBuilder::new().ascii_case_insensitive(true).kind(kind).build(words).ok())
    }
}

impl Words {
    /// Whether the text tells of anything.
    pub fn tell(&self, text: &[u8]) -> bool {
        self.told(text) != Told::default()
    }

    /// What the text tells.
    pub fn told(&self, text: &[u8]) -> Told {
        let mut told = Told::default();
        let Some(words) = &self.0 else { return told };
        for found in words.find_overlapping_iter(text) {
            let Some((word, says)) = WORDS.get(found.pattern().as_usize()) else { continue };
            let before = text.get(..found.start()).unwrap_or_default();
            let behind = text.get(found.end()..).unwrap_or_default();
            if is_of_address(before) {
                continue;
            }
            let capital = text.get(found.start()).is_some_and(u8::is_ascii_uppercase);
            match says {
                Says::Critical => told.critical = true,
                Says::Name => told.exception |= capital,
                Says::Fault | Says::Maybe if told.fault == Some(true) => {}
                Says::Fault | Says::Maybe => {
                    // `Exception` is part of a type's name or stands for one; `exception` is a word of prose.
                    let of_name = *word == "exception" && capital;
                    let inside = before.last().is_some_and(u8::is_ascii_alphabetic);
                    if (!inside || of_name) && !denied_before(before) && !denied_behind(behind) {
                        told.fault = Some(*says == Says::Fault || of_name);
                    }
                }
            }
        }
        told
    }
}

/// Whether a text ends within a path or an address, whose words are those of whoever asked for it.
fn is_of_address(before: &[u8]) -> bool {
    let parts = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'(' | b'[' | b'<' | b',');
    let end = before.get(before.len().saturating_sub(MAX_ADDRESS_BYTES)..).unwrap_or_default();
    let start = end.iter().rposition(parts);
    let word = end.get(start.map_or(0, |at| at + 1)..).unwrap_or_default();
    let has = |part: &[u8]| memchr::memmem::find(word, part).is_some();
    // What is longer is no word of prose.
    let is_long = start.is_none() && before.len() > MAX_ADDRESS_BYTES;
    is_long || word.first() == Some(&b'/') || word.contains(&b'?') || has(b"://") || has(b"=/")
}

fn denied_before(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let word = before.rsplit(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    denies(word) || matches!(word, b"0" | b"any" | b"on")
}

/// Whether a word, in any case, says that what stands behind it is not there.
pub fn denies(word: &[u8]) -> bool {
    [&b"no"[..], b"without", b"zero"].iter().any(|denial| word.eq_ignore_ascii_case(denial))
}

fn denied_behind(behind: &[u8]) -> bool {
    let behind = behind.strip_prefix(b"s").unwrap_or(behind);
    let value = behind.trim_ascii_start();
    let Some(value) = value.strip_prefix(b"=").or_else(|| value.strip_prefix(b":")) else { return false };
    let value = value.trim_ascii_start();
    matches!(value, [b'0', rest @ ..] if !rest.first().is_some_and(u8::is_ascii_digit))
        || value.starts_with(b"none")
        || value.starts_with(b"null")
        || value.starts_with(b"false")
}

/// Whether a line is one of an access log, whose words are its clients'.
pub fn is_access(line: &[u8]) -> bool {
    let mut ends = memchr::memmem::find_iter(line, b"] \"");
    ends.any(|end| line.get(end.saturating_sub(6)..end).is_some_and(is_zone)) || Access::of_server(line).is_some()
}

/// ` +0200`, with which the time in an access log's brackets ends.
fn is_zone(text: &[u8]) -> bool {
    matches!(text, [b' ', b'+' | b'-', digits @ ..] if digits.iter().all(u8::is_ascii_digit))
}

/// The status of an access log's line when it tells of a server's error, and the request.
pub fn server_error(line: &[u8]) -> Option<(u16, &[u8])> {
    let access = Access::of_server(line).filter(Access::failed)?;
    Some((access.status, access.request))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_denied_is_none() {
        let words = Words::default();
        for text in [
            "no errors found",
            "NO ERROR",
            "No Error",
            "0 failed, 12 passed",
            "error=0",
            "errors: 0",
            "terror",
            "failure=false",
        ] {
            assert_eq!(words.told(text.as_bytes()).fault, None, "{text}");
        }
        for text in ["connection failed", "an ERROR occurred", "NullPointerException thrown", "errors: 12"] {
            assert!(words.told(text.as_bytes()).fault.is_some(), "{text}");
        }
    }

    #[test]
    fn words_of_an_address_tell_nothing() {
        let words = Words::default();
        let long = format!("x{}segfault", "-a".repeat(MAX_ADDRESS_BYTES));
        for text in [
            "GET /docs/segfault 200",
            "GET /x?q=fatal&r=error 200",
            "path=/errors took 3 ms",
            "see https://a.example/error",
            "opened '/var/log/error.log'",
            &long,
        ] {
            assert_eq!(words.told(text.as_bytes()), Told::default(), "{text}");
        }
        for (line, is) in [
            (r#"10.0.0.1 - a] "b [10/Oct/2000:13:55:36 -0700] "FATAL x" 400 12"#, true),
            (r#"2026-11-23T10:00:00Z "GET /segfault HTTP/1.1" 200 12"#, true),
            (r#"panic: [x] "y""#, false),
        ] {
            assert_eq!(is_access(line.as_bytes()), is, "{line}");
        }
        for text in ["GET /docs failed", "state=error", "/usr/bin/shop: segfault", "src/main.c:12: error: x", "(error)"]
        {
            assert!(words.told(text.as_bytes()).fault.is_some(), "{text}");
        }
    }

    #[test]
    fn a_servers_error_is_read_off_an_access_log() {
        let line = br#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /api/orders/7 HTTP/1.1" 503 12 "-" "curl""#;
        assert_eq!(server_error(line), Some((503, &b"GET /api/orders/7"[..])));
        assert_eq!(server_error(br#"x "GET / HTTP/1.1" 200 5000"#), None);
    }
}
