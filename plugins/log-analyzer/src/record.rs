//! What a line says about itself before it says anything else: its time and its level; and whether it tells of a fault.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};
use autodevops_sdk::types::Severity;
use serde::{Deserialize, Serialize};

use crate::time::{self, LogTime};

/// Bytes in which a header is looked for.
const HEADER_BYTES: usize = 160;

/// Words of a header that are looked at for a level.
const HEADER_WORDS: usize = 12;

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
            b"trace" | b"debug" | b"fine" | b"finer" | b"finest" | b"verbose" => Self::Debug,
            b"info" | b"notice" | b"information" => Self::Info,
            b"warn" | b"warning" => Self::Warning,
            b"error" | b"err" | b"severe" | b"failure" | b"alert" => Self::Error,
            b"fatal" | b"critical" | b"crit" | b"panic" | b"emerg" | b"emergency" => Self::Fatal,
            _ => return None,
        })
    }

    /// A level by the number that pino and bunyan write.
    pub const fn numbered(number: u64) -> Option<Self> {
        Some(match number {
            10..=29 => Self::Debug,
            30..=39 => Self::Info,
            40..=49 => Self::Warning,
            50..=59 => Self::Error,
            60..=99 => Self::Fatal,
            _ => return None,
        })
    }
}

/// A line's header, and where its content starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// When.
    pub time: Option<LogTime>,
    /// How bad, where the line says so.
    pub level: Option<Level>,
    /// The program that wrote it, as the system's log names it; empty where it does not.
    pub program: &'a [u8],
    /// Byte offset of the content.
    pub content: usize,
}

/// Reads a plain line's header.
pub fn header(line: &[u8]) -> Header<'_> {
    let start = line.iter().take_while(|byte| matches!(byte, b' ' | b'[' | b'(')).count().min(2);
    let text = line.get(start..).unwrap_or_default();
    let (time, after) = match time::read(text) {
        Some((time, len)) => (Some(time), start + len),
        None => match second_word_is_a_time(text) {
            Some((time, end)) => (Some(time), start + end),
            None => access_time(line).map_or((None, 0), |time| (Some(time), 0)),
        },
    };
    let glog = match text.first() {
        Some(b'E') => Some(Level::Error),
        Some(b'W') => Some(Level::Warning),
        Some(b'I') => Some(Level::Info),
        Some(b'F') => Some(Level::Fatal),
        _ => None,
    };
    if let Some(level) = glog.filter(|_| time.is_some() && after > start && text.get(5) == Some(&b' ')) {
        let content = after + usize::from(line.get(after) == Some(&b' '));
        return Header { time, level: Some(level), program: b"", content };
    }
    let rest = line.get(after..).unwrap_or_default();
    let (program, tag) = match time {
        Some(time) if after > 0 => stream(rest).unwrap_or_else(|| program(rest, time).unwrap_or_default()),
        _ => Default::default(),
    };
    let after = after + tag;
    let first = match (time, tag) {
        (None, _) => First::BeforeColon,
        (Some(_), 0) => First::Any,
        _ => First::None,
    };
    let (level, end) = level(line, after, first);
    let content = if level.is_some() { end } else { after };
    let skipped = line.get(content..).unwrap_or_default();
    let skip = skipped
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b']' | b':' | b'|' | b'-' | b'\t' | b')' | b'!'))
        .count();
    let content = content + skip;
    let thread = if time.is_some() && level.is_some() { thread(line.get(content..).unwrap_or_default()) } else { 0 };
    Header { time, level, program, content: content + thread }
}

/// The mark that container runtimes put behind the time, ` stderr F`; it names no program.
fn stream(text: &[u8]) -> Option<(&[u8], usize)> {
    let marks = [" stdout F", " stderr F", " stdout P", " stderr P"];
    let mark = marks.iter().find(|mark| text.starts_with(mark.as_bytes()))?;
    Some((b"", mark.len()))
}

/// The host and the program that the system's log puts behind the time, ` host program[12]:`: the program, and the length.
fn program(text: &[u8], time: LogTime) -> Option<(&[u8], usize)> {
    let text = text.get(..HEADER_BYTES.min(text.len()))?;
    let host = text.strip_prefix(b" ")?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    let host_length = host.iter().take_while(|byte| is_name(byte)).count();
    let tag = host.get(host_length..)?.strip_prefix(b" ").filter(|_| host_length > 0)?;
    let length = tag.iter().position(|byte| matches!(byte, b' ' | b':'))?;
    if length == 0 || tag.get(length) != Some(&b':') {
        return None;
    }
    let tag = tag.get(..length)?;
    let name = match memchr::memchr(b'[', tag) {
        Some(bracket) if tag.ends_with(b"]") => tag.get(..bracket)?,
        // Without a process only the form of the time says that it is the system's log.
        _ if !time.dated => tag,
        _ => return None,
    };
    // A space before either, and the colon.
    (!name.is_empty()).then_some((name, 1 + host_length + 1 + length + 1))
}

/// Length of a thread's name in brackets, which is there when a logger's name follows: `[main] org.shop.Order: …`.
fn thread(text: &[u8]) -> usize {
    let name = text.get(..HEADER_BYTES.min(text.len())).unwrap_or_default();
    let close = if name.first() == Some(&b'[') { memchr::memmem::find(name, b"] ") } else { None };
    let Some(behind) = close.map(|close| close + 2) else { return 0 };
    let logger = text.get(behind..).unwrap_or_default();
    let end = logger.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"._$".contains(byte)).count();
    let (logger, rest) = logger.split_at(end);
    let is_logger = logger.contains(&b'.') && (rest.starts_with(b": ") || rest.starts_with(b" - "));
    if is_logger { behind } else { 0 }
}

/// The time behind a first word, such as a host's name or a mark; and where it ends.
fn second_word_is_a_time(text: &[u8]) -> Option<(LogTime, usize)> {
    let space = memchr::memchr(b' ', text.get(..40.min(text.len()))?)?;
    let rest = text.get(space + 1..)?;
    if !rest.first()?.is_ascii_digit() {
        return None;
    }
    time::read(rest).map(|(time, len)| (time, space + 1 + len))
}

/// The time of an access log's line, in brackets behind the client.
fn access_time(line: &[u8]) -> Option<LogTime> {
    let head = line.get(..HEADER_BYTES.min(line.len()))?;
    let open = memchr::memchr(b'[', head)?;
    time::read(line.get(open + 1..)?).map(|(time, _)| time)
}

/// When a header's first word is a level, in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    /// Always.
    Any,
    /// With a colon behind it.
    BeforeColon,
    /// Never.
    None,
}

/// The first word of the header that is a level: in capitals anywhere in it, or in any case where it stands in brackets, in
/// `level=…`, or first.
fn level(line: &[u8], after: usize, first: First) -> (Option<Level>, usize) {
    let end = (after + HEADER_BYTES).min(line.len());
    let mut at = after;
    let mut word_index = 0;
    while word_index < HEADER_WORDS {
        let rest = line.get(at..end).unwrap_or_default();
        let skip = rest.iter().take_while(|byte| !byte.is_ascii_alphabetic()).count();
        let word_start = at + skip;
        let rest = line.get(word_start..end).unwrap_or_default();
        let len = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if len == 0 {
            break;
        }
        let word = rest.get(..len).unwrap_or_default();
        at = word_start + len;
        // Letters of a name with digits, such as a node's or a date's, are no word.
        let is_word = len > 1 && !line.get(at).is_some_and(u8::is_ascii_digit);
        let index = word_index;
        word_index += usize::from(is_word);
        if (3..=9).contains(&len) {
            let before = word_start.checked_sub(1).and_then(|index| line.get(index));
            let behind = line.get(at);
            let part_of_a_name = matches!(before, Some(b'.' | b'_' | b'$' | b'/' | b'@'))
                || matches!(behind, Some(b'.' | b'_' | b'$' | b'/' | b'@' | b'('))
                || behind.is_some_and(u8::is_ascii_digit);
            // `Error: …` is an exception of that name.
            let is_exception = word == b"Error" && behind == Some(&b':');
            if part_of_a_name || is_exception {
                continue;
            }
            let capitals = word.iter().all(u8::is_ascii_uppercase);
            let bracketed = matches!((before, behind), (Some(b'[' | b'<' | b'('), Some(b']' | b'>' | b')')))
                || matches!((before, behind), (Some(b':'), Some(b']')));
            let assigned = matches!(before, Some(b'=')) || matches!(before, Some(b'"'));
            let leading = index == 0 && (first == First::Any || first == First::BeforeColon && behind == Some(&b':'));
            if (capitals || bracketed || assigned || leading)
                && let Some(level) = Level::named(word)
            {
                return (Some(level), at);
            }
        }
    }
    (None, after)
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
    /// What the text tells.
    pub fn told(&self, text: &[u8]) -> Told {
        let mut told = Told::default();
        let Some(words) = &self.0 else { return told };
        for found in words.find_overlapping_iter(text) {
            let Some((word, says)) = WORDS.get(found.pattern().as_usize()) else { continue };
            let before = text.get(..found.start()).unwrap_or_default();
            let behind = text.get(found.end()..).unwrap_or_default();
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

fn denied_before(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let word = before.rsplit(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    matches!(word, b"no" | b"No" | b"0" | b"without" | b"zero" | b"any" | b"on")
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

/// The status of an access log's line when it tells of a server's error, and the request.
pub fn server_error(line: &[u8]) -> Option<(u16, &[u8])> {
    let http = memchr::memmem::find(line, b" HTTP/")?;
    let quote = http + memchr::memchr(b'"', line.get(http..)?)?;
    let status = line.get(quote + 1..)?.trim_ascii_start();
    let [b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = status else { return None };
    if rest.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let open = memchr::memrchr(b'"', line.get(..http)?)?;
    Some((500 + u16::from(b - b'0') * 10 + u16::from(c - b'0'), line.get(open + 1..http)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_found_where_logs_write_them() {
        for (line, level, content) in [
            ("2026-11-23T10:00:00Z ERROR request failed", Some(Level::Error), "request failed"),
            ("2015-10-18 18:01:47,978 INFO [main] org.a.B: Created", Some(Level::Info), "org.a.B: Created"),
            ("[Sun Dec 04 04:47:44 2005] [error] mod_jk child", Some(Level::Error), "mod_jk child"),
            ("081109 203615 148 INFO dfs.DataNode: Receiving", Some(Level::Info), "dfs.DataNode: Receiving"),
            ("level=warn msg=\"slow\"", Some(Level::Warning), "msg=\"slow\""),
            ("E1123 10:00:00.123456 7 a.cc:1] bad", Some(Level::Error), "7 a.cc:1] bad"),
            ("Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass; user unknown", None, "check pass; user unknown"),
            ("Jul  1 00:21:28 combo logrotate: ALERT exited", Some(Level::Error), "exited"),
            ("2026-11-23T10:00:00.1Z web1 shop[7]:     at f (a.js:1:2)", None, "at f (a.js:1:2)"),
            ("2026-11-23T10:00:00.1Z stderr F ERROR disk is full", Some(Level::Error), "disk is full"),
            ("2026-11-23 10:00:00 Error: no such file", None, "Error: no such file"),
            ("npm ERR! code ELIFECYCLE", Some(Level::Error), "code ELIFECYCLE"),
            ("2026-11-23 10:00:00 request failed: x", None, "request failed: x"),
            ("error: cannot connect", Some(Level::Error), "cannot connect"),
            ("2026-11-23 10:00:00 app.ERROR.log opened", None, "app.ERROR.log opened"),
            ("just words about an error here", None, "just words about an error here"),
        ] {
            let header = header(line.as_bytes());
            assert_eq!(header.level, level, "{line}");
            assert_eq!(&line[header.content..], content, "{line}");
        }
    }

    #[test]
    fn an_error_that_is_denied_is_none() {
        let words = Words::default();
        for text in ["no errors found", "0 failed, 12 passed", "error=0", "errors: 0", "terror", "failure=false"] {
            assert_eq!(words.told(text.as_bytes()).fault, None, "{text}");
        }
        for text in ["connection failed", "an ERROR occurred", "NullPointerException thrown", "errors: 12"] {
            assert!(words.told(text.as_bytes()).fault.is_some(), "{text}");
        }
    }

    #[test]
    fn a_servers_error_is_read_off_an_access_log() {
        let line = br#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /api/orders/7 HTTP/1.1" 503 12 "-" "curl""#;
        assert_eq!(server_error(line), Some((503, &b"GET /api/orders/7"[..])));
        assert_eq!(server_error(br#"x "GET / HTTP/1.1" 200 5000"#), None);
        assert!(header(line).time.unwrap().dated);
    }
}
