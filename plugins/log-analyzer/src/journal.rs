//! The system's journal, as `journalctl -o export` and `-o json` write it.
//!
//! An exported entry is a line for each field, `NAME=value`, with an empty line behind the last. The value of a field that is no plain
//! text comes behind its name's line: its length in 64 bits, little end first, its bytes, and a line's end.
//! Source: <https://systemd.io/JOURNAL_EXPORT_FORMATS/>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    json::Structured,
    record::Level,
    time::{self, LogTime},
};

/// What every exported entry begins with.
const BEGIN: &[u8] = b"__CURSOR=";
/// Fields that name the program; the first that is there counts.
const PROGRAM: [&[u8]; 3] = [b"SYSLOG_IDENTIFIER", b"_SYSTEMD_UNIT", b"_COMM"];
/// Bytes of a program's name that are kept.
const MAX_PROGRAM_BYTES: usize = 100;
/// Bytes of a binary field's length.
const LENGTH_BYTES: usize = 8;
/// Bytes of a message that are kept.
const MAX_MESSAGE_BYTES: usize = 64 << 10;
/// Bytes that a binary field may have; `journalctl` writes no longer ones.
const MAX_FIELD_BYTES: usize = 768 << 20;
/// Bytes that one may have where other lines came, or no whole entry yet: there anyone who can write a line can write the beginning of an
/// entry, and what the field is said to hold is read past.
const MAX_UNSURE_BYTES: usize = 64 << 10;

/// What a line is to the entries of a journal.
#[derive(Debug, PartialEq)]
pub enum Taken {
    /// Not a part of any.
    Not,
    /// A part of one that goes on.
    Part,
    /// The end of one: what it says, and the line with its message.
    Whole(Structured, u64),
}

/// Puts the entries of one source together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    entry: Option<Entry>,
    /// Whether lines came that are of no entry.
    #[serde(default)]
    mixed: bool,
    /// Whether a whole entry came.
    #[serde(default)]
    whole: bool,
    /// Entries that were not believed, since they say that they hold more than they may.
    #[serde(default)]
    pub refused: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    time: Option<i64>,
    priority: Option<u8>,
    /// The program, and which of [`PROGRAM`] told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    program: Option<(usize, String)>,
    message: String,
    /// The line that its message is in.
    line: u64,
    binary: Option<Binary>,
}

/// A binary field that is being read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Binary {
    /// Whether it is the message; others are read past.
    is_message: bool,
    bytes: Vec<u8>,
    /// Bytes that were read, those included that are not kept.
    read: usize,
    /// Line ends in it.
    ends: usize,
}

impl Export {
    /// Takes the next line, without its end.
    pub fn take(&mut self, number: u64, line: &[u8]) -> Taken {
        if line.starts_with(BEGIN) {
            let before = self.entry.replace(Entry { line: number, ..Entry::default() });
            // An entry whose end was not seen ends where the next begins.
            let before = before.map(Entry::finish).filter(|(read, _)| !read.message.is_empty());
            return before.map_or(Taken::Part, |(read, line)| Taken::Whole(read, line));
        }
        let Some(entry) = &mut self.entry else {
            self.mixed |= !line.is_empty();
            return Taken::Not;
        };
        if line.is_empty() && entry.binary.is_none() {
            let (read, line) = std::mem::take(entry).finish();
            self.entry = None;
            self.whole |= read.time.is_some();
            return Taken::Whole(read, line);
        }
        let most = if self.whole && !self.mixed { MAX_FIELD_BYTES } else { MAX_UNSURE_BYTES };
        match entry.field(number, line, most) {
            Field::Taken => return Taken::Part,
            Field::TooLong => self.refused += 1,
            Field::Not => {}
        }
        // It is no journal, or a cut one.
        self.entry = None;
        self.mixed = true;
        Taken::Not
    }
}

/// What a line is to an entry.
#[derive(PartialEq, Eq)]
enum Field {
    Taken,
    /// It begins a field that is said to be longer than it may be.
    TooLong,
    Not,
}

impl Entry {
    /// Takes a line of the entry, whose binary fields have at most so many bytes.
    fn field(&mut self, number: u64, line: &[u8], most: usize) -> Field {
        let is_of_name = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        let end = line.iter().take_while(|byte| is_of_name(byte)).count();
        let (name, behind) = line.split_at(end);
        let is_field = !name.is_empty() && matches!(behind.first(), None | Some(b'='));
        if let Some(binary) = self.binary.as_mut().filter(|binary| !(is_field && binary.may_be_over())) {
            if binary.add(line) {
                self.end_binary();
            } else if binary.length().is_some_and(|length| length > most) {
                return Field::TooLong;
            }
            return Field::Taken;
        }
        self.end_binary();
        match (name, behind.strip_prefix(b"=")) {
            _ if !is_field => return Field::Not,
            (b"MESSAGE", None) => {
                self.line = number;
                self.binary = Some(Binary { is_message: true, ..Binary::default() });
            }
            (_, None) => self.binary = Some(Binary::default()),
            (b"MESSAGE", Some(value)) => (self.message, self.line) = (text(value), number),
            (b"PRIORITY", Some(value)) => self.priority = digit(value),
            (b"__REALTIME_TIMESTAMP", Some(value)) => self.time = microseconds(value).map(|time| time.nanoseconds),
            (_, Some(value)) => self.program(name, value),
        }
        Field::Taken
    }

    /// Takes the program's name, where the field holds it and none that says it better came.
    fn program(&mut self, name: &[u8], value: &[u8]) {
        let Some(rank) = PROGRAM.iter().position(|known| *known == name) else { return };
        if self.program.as_ref().is_none_or(|(known, _)| rank < *known) {
            let value = value.get(..MAX_PROGRAM_BYTES).unwrap_or(value);
            self.program = Some((rank, String::from_utf8_lossy(value).into_owned()));
        }
    }

    fn end_binary(&mut self) {
        if let Some(binary) = self.binary.take().filter(|binary| binary.is_message) {
            let end = binary.bytes.len().min(LENGTH_BYTES.saturating_add(binary.length().unwrap_or_default()));
            // The field's own end is of it where a line's end lost a byte.
            self.message = text(binary.bytes.get(LENGTH_BYTES..end).unwrap_or_default().trim_ascii_end());
        }
    }

    /// What it says, and the line that its message is in.
    fn finish(mut self) -> (Structured, u64) {
        self.end_binary();
        let time = self.time.map(|nanoseconds| LogTime { nanoseconds, dated: true });
        let component = self.program.map(|(_, program)| program).unwrap_or_default();
        let level = self.priority.and_then(level);
        (Structured { time, level, message: self.message, stack: None, component }, self.line)
    }
}

impl Binary {
    /// Adds a line of the field and its end; whether it was the last.
    fn add(&mut self, line: &[u8]) -> bool {
        let room = if self.is_message { MAX_MESSAGE_BYTES } else { 0 } + LENGTH_BYTES;
        let room = room.saturating_sub(self.bytes.len());
        self.bytes.extend(line.iter().chain(b"\n").take(room));
        self.read += line.len() + 1;
        self.ends += 1;
        self.length().is_some_and(|length| self.read > length.saturating_add(LENGTH_BYTES))
    }

    fn length(&self) -> Option<usize> {
        let bytes = self.bytes.first_chunk::<LENGTH_BYTES>()?;
        Some(usize::try_from(u64::from_le_bytes(*bytes)).unwrap_or(usize::MAX))
    }

    /// Whether it may have ended already: a line's end may have been two bytes, of which one was not seen.
    fn may_be_over(&self) -> bool {
        self.length().is_some_and(|length| self.read + self.ends > length.saturating_add(LENGTH_BYTES))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..MAX_MESSAGE_BYTES).unwrap_or(bytes)).into_owned()
}

fn digit(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'0'..=b'7'] => Some(digit - b'0'),
        _ => None,
    }
}

/// The level of a priority, as `syslog(3)` counts them. What a service prints is given 6 whatever it says: that is no level.
fn level(priority: u8) -> Option<Level> {
    Level::numbered(u64::from(priority)).filter(|_| priority != 6)
}

/// The level in a field that holds a priority in digits.
pub fn priority(value: &str) -> Option<Level> {
    digit(value.as_bytes()).and_then(level)
}

/// Microseconds since 1970, in digits.
pub fn microseconds(value: &[u8]) -> Option<LogTime> {
    if value.len() != 16 {
        return None;
    }
    let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    Some(LogTime { nanoseconds: number.checked_mul(time::SECOND / 1_000_000)?, dated: true })
}

/// A value that is no plain text, which `-o json` writes as a list of its bytes.
pub fn bytes(value: &Value) -> Option<String> {
    let byte = |value: &Value| value.as_u64().and_then(|byte| u8::try_from(byte).ok());
    let bytes: Vec<u8> = value.as_array()?.iter().map(byte).collect::<Option<_>>()?;
    (!bytes.is_empty()).then(|| text(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the entries of these bytes say, each with its message's line; and the lines that are of none.
    fn read(bytes: &[u8]) -> (Vec<(Structured, u64)>, Vec<u64>) {
        let (mut export, mut entries, mut others) = (Export::default(), Vec::new(), Vec::new());
        for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            match export.take(number, line.strip_suffix(b"\r").unwrap_or(line)) {
                Taken::Not => others.push(number),
                Taken::Part => {}
                Taken::Whole(entry, line) => entries.push((entry, line)),
            }
        }
        (entries, others)
    }

    fn entry(fields: &[u8]) -> Vec<u8> {
        [b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795428000123456\n", fields, b"_PID=7\n\n"].concat()
    }

    fn binary(name: &str, value: &[u8]) -> Vec<u8> {
        [name.as_bytes(), b"\n", &(value.len() as u64).to_le_bytes(), value, b"\n"].concat()
    }

    #[test]
    fn entries_are_read_one_by_one() {
        let fields = b"_COMM=sh\nPRIORITY=3\nSYSLOG_IDENTIFIER=shop\n_SYSTEMD_UNIT=web.service\nMESSAGE=disk is full\n";
        let log = [&b"plain\n"[..], &entry(fields), &entry(b"MESSAGE=ok\n"), b"plain\n"];
        let (entries, others) = read(&log.concat());
        assert_eq!(others, [1, 16]);
        let [(first, 8), (second, 13)] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((first.level, first.message.as_str()), (Some(Level::Error), "disk is full"));
        assert_eq!(first.time, Some(LogTime { nanoseconds: 1_795_428_000_123_456_000, dated: true }));
        assert_eq!((second.level, second.message.as_str()), (None, "ok"));
        assert_eq!((first.component.as_str(), second.component.as_str()), ("shop", ""));
    }

    #[test]
    fn binary_fields_hold_whatever_their_length_says() {
        let trace = "Error: no route\n\n    at pay (lib/pay.js:3:1)\nMESSAGE=not this\n__CURSOR";
        for message in [trace, "ten bytes!", "a\r\nb\r\n", "", "one\n"] {
            let fields = [
                binary("COREDUMP", &[0, b'\n', 255, b'\n', b'\n', 1]),
                binary("MESSAGE", message.as_bytes()),
                b"PRIORITY=2\n".to_vec(),
            ];
            let log = [entry(&fields.concat()), entry(b"MESSAGE=next\n")].concat();
            let (entries, others) = read(&log);
            assert_eq!(others, Vec::<u64>::new(), "{message:?}");
            let [(first, _), (next, _)] = entries.as_slice() else { panic!("{message:?}: {entries:?}") };
            assert_eq!(first.level, Some(Level::Fatal), "{message:?}");
            assert_eq!(first.message.lines().collect::<Vec<_>>(), message.lines().collect::<Vec<_>>());
            assert_eq!(next.message, "next");
        }
    }

    #[test]
    fn what_is_cut_or_lies_about_its_length_costs_one_entry_at_most() {
        let lying = [b"MESSAGE\n".to_vec(), vec![255; 8], b"text\n".to_vec()].concat();
        let short = [b"MESSAGE\n".to_vec(), 4000_u64.to_le_bytes().to_vec(), b"text\n".to_vec()].concat();
        for broken in [lying, short, b"__CURSOR=1\nMESSAGE=x\nlower case\n".to_vec(), b"__CURSOR=1\n__CUR".to_vec()] {
            let log = [&entry(&broken)[..], &b"\n"[..], &entry(b"MESSAGE=next\n")].concat();
            let (entries, _) = read(&log);
            assert_eq!(entries.last().map(|(entry, _)| entry.message.as_str()), Some("next"));
        }
    }

    #[test]
    fn a_forged_length_swallows_no_log() {
        let forged = [b"__CURSOR=x\nX\n".to_vec(), (700_u64 << 20).to_le_bytes().to_vec(), b"\n".to_vec()].concat();
        let log = "2026-11-23T10:00:00Z ERROR disk is full\n".repeat(100);
        for before in ["", "2026-11-23T10:00:00Z INFO started\n"] {
            let (entries, others) = read(&[before.as_bytes(), &forged, log.as_bytes()].concat());
            assert_eq!((entries.len(), others.len() >= 100), (0, true), "{others:?}");
        }
    }

    #[test]
    fn a_long_field_of_a_journal_alone_is_read_past() {
        let dump: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let log = [entry(b"MESSAGE=first\n"), entry(&binary("COREDUMP", &dump)), entry(b"MESSAGE=next\n")].concat();
        let (entries, others) = read(&log);
        let messages: Vec<&str> = entries.iter().map(|(entry, _)| entry.message.as_str()).collect();
        assert_eq!((messages, others), (vec!["first", "", "next"], vec![]));
    }

    #[test]
    fn fields_of_the_json_form_are_read() {
        assert_eq!((priority("3"), priority("6"), priority("12")), (Some(Level::Error), None, None));
        assert_eq!(bytes(&serde_json::json!([71, 114, 252])).as_deref(), Some("Gr\u{fffd}"));
        assert_eq!((bytes(&serde_json::json!([])), bytes(&serde_json::json!([256]))), (None, None));
    }
}
