//! Records out of lines: a head, and the lines of a stack trace that follow it.

use autodevops_sdk::types::StackFrame;
use serde::{Deserialize, Serialize};

use crate::{
    record::{self, Level, Told, Words},
    template::cut,
    time::LogTime,
    trace::{self, Part},
};

/// Bytes of a record's text that are kept.
const MAX_CONTENT_BYTES: usize = 2000;
/// Bytes of a line that are kept as evidence.
const MAX_EVIDENCE_BYTES: usize = 1000;
/// Lines of one record that are kept as evidence.
const MAX_EVIDENCE_LINES: usize = 4;
/// Exceptions that caused one another, in one record.
const MAX_SECTIONS: usize = 8;
/// Frames of one exception that are kept.
const MAX_FRAMES: usize = 32;
/// Lines that may follow a record's head, or its last frame, before it counts as finished.
const MAX_LOOSE_LINES: u32 = 10;

const TRACEBACK: &str = "Traceback (most recent call last)";

/// A line with its header read.
pub struct Line<'a> {
    /// Its number in the source, from 1.
    pub number: u64,
    /// When.
    pub time: Option<LogTime>,
    /// How bad, where it says so.
    pub level: Option<Level>,
    /// The program that the header names, as the system's log does; empty where it does not.
    pub program: &'a [u8],
    /// What is behind the header.
    pub text: &'a [u8],
    /// Whether there is a header.
    pub headed: bool,
    /// Whether the text is indented.
    pub indented: bool,
    /// The line as it is.
    pub raw: &'a [u8],
}

/// A record that tells of a fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub time: Option<LogTime>,
    /// How bad, where it says so.
    pub level: Option<Level>,
    /// What the head says.
    pub content: String,
    /// Type and message of the exception.
    pub exception: Option<(String, String)>,
    /// Its stack, innermost frame first.
    pub stack: Vec<StackFrame>,
    /// Lines that show it.
    pub lines: Vec<(u64, String)>,
    /// The status of an access log's line.
    pub status: Option<u16>,
    /// What its words tell.
    pub told: Told,
}

impl Event {
    /// Whether both are of one group for sure.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.content == other.content
            && self.level == other.level
            && self.status == other.status
            && self.told == other.told
            && self.exception == other.exception
            && self.stack.is_empty()
            && other.stack.is_empty()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    #[default]
    Open,
    PythonBody,
    PythonDone,
}

/// One exception of a chain.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Section {
    exception: Option<(String, String)>,
    frames: Vec<StackFrame>,
    python: bool,
}

impl Section {
    fn has_own_code(&self) -> bool {
        self.frames.iter().any(|frame| frame.own_code)
    }

    fn add(&mut self, frame: StackFrame) {
        if self.frames.len() < MAX_FRAMES {
            self.frames.push(frame);
        } else if self.python {
            // Python's innermost frame comes last.
            self.frames.remove(0);
            self.frames.push(frame);
        }
    }
}

/// A record that may go on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Pending {
    time: Option<LogTime>,
    level: Option<Level>,
    content: String,
    told: Told,
    status: Option<u16>,
    sections: Vec<Section>,
    /// The section that tells why.
    primary: usize,
    /// The next traceback is of what the last one caused.
    caused: bool,
    state: State,
    /// Lines since the last that belonged to the record for sure.
    loose: u32,
    lines: Vec<(u64, String)>,
}

/// Puts the records of one source together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Assembler {
    pending: Option<Pending>,
    last_time: Option<LogTime>,
    /// Whether the last line that was no continuation had a header.
    headed: bool,
}

impl Assembler {
    /// Takes the next line; gives the record that it shows to be finished.
    pub fn line(&mut self, line: &Line<'_>, words: &Words) -> Option<Event> {
        if self.pending.as_mut().is_some_and(|pending| pending.absorb(line, words)) {
            return None;
        }
        let finished = self.finish();
        if line.headed {
            self.headed = true;
        }
        if line.time.is_some() {
            self.last_time = line.time;
        }
        self.pending = self.begin(line, words);
        finished
    }

    /// Takes a structured line, whose stack trace comes in one piece.
    pub fn structured(&mut self, line: &Line<'_>, stack: Option<&str>, words: &Words) -> Option<Event> {
        let Some(stack) = stack else { return self.line(line, words) };
        let finished = self.finish();
        self.headed = true;
        if line.time.is_some() {
            self.last_time = line.time;
        }
        let mut pending = Pending::new(line, told(line, words));
        let of_message = pending.section().exception.take();
        for text in stack.lines() {
            let indented = text.starts_with([' ', '\t']);
            let text = text.as_bytes();
            let part = Line { time: None, level: None, text, headed: false, indented, raw: b"", ..*line };
            pending.absorb(&part, words);
        }
        if let Some(section) = pending.sections.first_mut().filter(|section| section.exception.is_none()) {
            section.exception = of_message;
        }
        self.pending = Some(pending);
        finished
    }

    /// The record that was not finished yet.
    pub fn finish(&mut self) -> Option<Event> {
        self.pending.take().and_then(Pending::finish)
    }

    fn begin(&self, line: &Line<'_>, words: &Words) -> Option<Pending> {
        let told = told(line, words);
        let interesting = match line.level {
            Some(level) if level >= Level::Warning => true,
            Some(_) => told.exception && (is_traceback(line.text) || trace::head(&text_of(line.text)).is_some()),
            None => self.tells_by_itself(line, told),
        };
        let status = if interesting || line.level.is_some() { None } else { record::server_error(line.raw) };
        if !interesting && status.is_none() {
            return None;
        }
        let mut pending = Pending::new(line, told);
        if let Some((status, request)) = status {
            pending.status = Some(status);
            pending.content = text_of(request);
            pending.told = Told::default();
            pending.section().exception = None;
        }
        pending.time = pending.time.or(self.last_time);
        Some(pending)
    }

    /// Whether a line without a level tells of a fault.
    fn tells_by_itself(&self, line: &Line<'_>, told: Told) -> bool {
        if told.exception && (is_traceback(line.text) || (!line.indented && trace::head(&text_of(line.text)).is_some()))
        {
            return !line.text.starts_with(b"throw ");
        }
        if told.critical {
            return true;
        }
        // A line without a header in a log with headers goes on with a message.
        let loose = self.headed && !line.headed;
        told.fault.is_some() && !line.indented && !loose && !is_code(line.text) && !is_access(line.raw)
    }
}

fn told(line: &Line<'_>, words: &Words) -> Told {
    words.told(line.text.get(..MAX_CONTENT_BYTES).unwrap_or(line.text))
}

fn is_traceback(text: &[u8]) -> bool {
    memchr::memmem::find(text, TRACEBACK.as_bytes()).is_some()
}

fn is_access(raw: &[u8]) -> bool {
    memchr::memmem::find(raw, b" HTTP/").is_some()
}

/// Source code that Node and Python print above and in a trace.
fn is_code(text: &[u8]) -> bool {
    text.starts_with(b"throw ") || text.starts_with(b"raise ") || text.ends_with(b";") || text.ends_with(b"{")
}

/// The text for people, bounded, without control characters.
fn text_of(bytes: &[u8]) -> String {
    clean(bytes, MAX_CONTENT_BYTES)
}

fn clean(bytes: &[u8], most: usize) -> String {
    let bytes = bytes.get(..most).unwrap_or(bytes);
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~');
    if bytes.iter().fold(true, |plain, byte| plain & is_plain(byte)) {
        return String::from_utf8(bytes.to_vec()).unwrap_or_default();
    }
    let text = String::from_utf8_lossy(bytes);
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.truncate(cut(&text, most).len());
    text
}

impl Pending {
    fn new(line: &Line<'_>, told: Told) -> Self {
        let content = text_of(line.text.trim_ascii()).trim().to_owned();
        let mut pending = Self { time: line.time, level: line.level, told, ..Self::default() };
        let mut section = Section::default();
        if told.exception && content.contains(TRACEBACK) {
            section.python = true;
            pending.state = State::PythonBody;
        } else {
            section.exception = trace::head(&content).map(owned);
        }
        pending.content = match text_of(line.program) {
            program if program.is_empty() => content,
            program => format!("{program}: {content}"),
        };
        pending.sections.push(section);
        pending.keep(line);
        pending
    }

    fn section(&mut self) -> &mut Section {
        let last = self.sections.len().saturating_sub(1);
        if self.sections.is_empty() {
            self.sections.push(Section::default());
        }
        &mut self.sections[last]
    }

    fn open(&mut self, section: Section, is_primary: bool) {
        if self.sections.len() < MAX_SECTIONS {
            self.sections.push(section);
            if is_primary {
                self.primary = self.sections.len() - 1;
            }
        }
    }

    fn keep(&mut self, line: &Line<'_>) {
        if self.lines.len() < MAX_EVIDENCE_LINES && !line.raw.is_empty() {
            self.lines.push((line.number, clean(line.raw, MAX_EVIDENCE_BYTES)));
        }
    }

    /// Whether the line belongs to the record; then it is taken.
    fn absorb(&mut self, line: &Line<'_>, words: &Words) -> bool {
        if line.headed && self.state == State::Open && !looks_like_a_part(line.text) {
            return false;
        }
        let text = text_of(line.text);
        let belongs = match self.state {
            State::PythonBody => self.absorb_python(line, &text, words),
            State::PythonDone => self.absorb_after_python(&text),
            State::Open => self.absorb_open(line, &text, words),
        };
        if belongs {
            self.time = self.time.or(line.time);
        }
        belongs
    }

    fn absorb_python(&mut self, line: &Line<'_>, text: &str, words: &Words) -> bool {
        if let Some(frame) = trace::python_frame(text) {
            self.section().add(frame);
            self.keep(line);
            self.loose = 0;
            return true;
        }
        let trimmed = text.trim();
        self.loose += 1;
        if self.loose > MAX_LOOSE_LINES {
            return false;
        }
        if line.indented || trimmed.is_empty() {
            return true;
        }
        let Some((kind, message)) = trace::python_head(trimmed) else {
            return line.headed && line.level == self.level && looks_like_code(trimmed);
        };
        self.section().exception = Some(owned((kind, message)));
        self.told.critical |= told(line, words).critical;
        self.keep(line);
        self.state = State::PythonDone;
        self.loose = 0;
        true
    }

    fn absorb_after_python(&mut self, text: &str) -> bool {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            self.loose += 1;
            return self.loose <= 3;
        }
        if trimmed.starts_with("The above exception was the direct cause") {
            self.caused = true;
            return true;
        }
        if trimmed.starts_with("During handling of the above exception") {
            self.caused = false;
            return true;
        }
        if trimmed.starts_with(TRACEBACK) && self.loose > 0 {
            let is_primary = !self.caused;
            self.open(Section { python: true, ..Section::default() }, is_primary);
            self.state = State::PythonBody;
            self.loose = 0;
            return true;
        }
        false
    }

    fn absorb_open(&mut self, line: &Line<'_>, text: &str, words: &Words) -> bool {
        match trace::part(text, line.indented || line.headed) {
            Some(Part::Frame(frame)) => {
                self.section().add(frame);
                self.keep(line);
                self.loose = 0;
                return true;
            }
            Some(Part::Cause(cause)) => {
                let exception = trace::head(&cause).map(owned);
                self.open(Section { exception, ..Section::default() }, true);
                self.told.critical |= told(line, words).critical;
                self.keep(line);
                self.loose = 0;
                return true;
            }
            Some(Part::Filler) => return true,
            None => {}
        }
        let bare = self.sections.iter().all(|section| section.exception.is_none() && section.frames.is_empty());
        if text.trim_start().starts_with(TRACEBACK) && bare && self.status.is_none() {
            self.section().python = true;
            self.state = State::PythonBody;
            self.loose = 0;
            return true;
        }
        if line.headed || self.status.is_some() {
            return false;
        }
        if let Some(head) = trace::head(text).filter(|_| !line.indented) {
            // The head of the exception that the record tells of; else another record.
            if bare && self.loose < MAX_LOOSE_LINES {
                self.section().exception = Some(owned(head));
                self.told.critical |= told(line, words).critical;
                self.keep(line);
                self.loose = 0;
                return true;
            }
            return false;
        }
        self.loose += 1;
        let has_frames = self.sections.iter().any(|section| !section.frames.is_empty());
        self.loose <= MAX_LOOSE_LINES
            && (line.indented
                || (!has_frames && told(line, words).fault.is_none() && !is_traceback(line.text))
                || text.trim() == "}")
    }

    fn finish(mut self) -> Option<Event> {
        let bare = self.sections.iter().all(|section| section.exception.is_none() && section.frames.is_empty());
        if bare && self.state != State::Open && self.level.is_none() {
            return None;
        }
        let primary = match self.sections.get(self.primary) {
            Some(section) if section.has_own_code() => self.primary,
            _ => self.sections.iter().rposition(Section::has_own_code).unwrap_or(self.primary),
        };
        let mut section =
            if primary < self.sections.len() { self.sections.swap_remove(primary) } else { Section::default() };
        if section.python {
            section.frames.reverse();
        }
        let Self { time, level, content, told, status, lines, .. } = self;
        Some(Event { time, level, content, exception: section.exception, stack: section.frames, lines, status, told })
    }
}

fn owned((kind, message): (&str, &str)) -> (String, String) {
    (cut(kind, 200).to_owned(), message.trim().to_owned())
}

/// Code lines of a traceback whose indent a header took.
fn looks_like_code(text: &str) -> bool {
    text.contains(['(', '=', '[']) || text.starts_with("raise ") || text.starts_with("return ")
}

/// Whether a line behind a header may go on with a trace.
fn looks_like_a_part(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    [&b"at "[..], b"Caused by", b"[cause]", b"Traceback", b"... "].iter().any(|start| text.starts_with(start))
}
