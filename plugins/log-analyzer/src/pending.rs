//! A record whose lines are not all there yet: its head, and the stack traces below it.

use autodevops_sdk::types::StackFrame;
use serde::{Deserialize, Serialize};

use crate::{
    bytes::is_plain,
    envelope::Stream,
    event::{Alone, Event},
    grouping::Form,
    line::Line,
    record::{Level, Told, Words},
    template::cut,
    time::{self, LogTime},
    trace::{self, Part},
};

/// Bytes of a record's text that are kept.
const MAX_CONTENT_BYTES: usize = 2000;
/// Bytes of a line that are kept as evidence.
pub const MAX_EVIDENCE_BYTES: usize = 1000;
/// Lines of one record that are kept as evidence.
const MAX_EVIDENCE_LINES: usize = 4;
/// Exceptions that caused one another, in one record.
const MAX_SECTIONS: usize = 8;
/// Frames of one exception that are kept.
const MAX_FRAMES: usize = 32;
/// Bytes of a frame's file, and of its function's name, that are kept.
const MAX_NAME_BYTES: usize = 400;
/// Lines of one program that are so many nanoseconds apart may be of one record, though each has a header.
const MOMENT: u64 = time::SECOND.unsigned_abs();
/// Lines that may follow a record's head, or its last frame, before it counts as finished.
const MAX_LOOSE_LINES: u32 = 10;

/// Empty lines in a row that may be within a record.
const MAX_EMPTY_LINES: u32 = 3;

const TRACEBACK: &str = "Traceback (most recent call last)";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    #[default]
    Open,
    PythonBody,
    PythonDone,
}

/// One exception of a chain.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Section {
    pub exception: Option<(String, String)>,
    frames: Vec<StackFrame>,
    /// How many of them the head tells of itself.
    #[serde(default)]
    of_head: usize,
    /// Frames whose caller is not the one that comes next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<usize>,
    python: bool,
}

impl Section {
    fn has_own_code(&self) -> bool {
        self.frames.iter().any(|frame| frame.own_code)
    }

    /// Takes the text for the exception's head, if it is one.
    fn head(&mut self, text: &str) {
        self.exception = trace::head(text).map(owned);
        if self.exception.is_some() {
            // Ruby and PHP say there where it was raised, and below only who called that.
            trace::ruby_raised(text).or_else(|| trace::php_thrown(text)).into_iter().for_each(|frame| self.add(frame));
            self.of_head = self.frames.len();
        }
    }

    fn add(&mut self, mut frame: StackFrame) {
        for name in std::iter::once(&mut frame.file).chain(&mut frame.function) {
            name.truncate(cut(name, MAX_NAME_BYTES).len());
        }
        if self.frames.len() < MAX_FRAMES {
            self.frames.push(frame);
        } else if self.python {
            // Python's innermost frame comes last.
            self.frames.remove(0);
            self.frames.push(frame);
        }
    }

    /// Says that whatever comes next did not call the last frame itself.
    fn part(&mut self) {
        if let Some(last) = self.frames.len().checked_sub(1)
            && self.gaps.last() != Some(&last)
        {
            self.gaps.push(last);
        }
    }
}

/// Who wrote the last line of a record, and how.
pub struct Writer<'a> {
    /// How bad the record is.
    pub level: Option<Level>,
    /// The program.
    pub component: &'a [u8],
    /// The stream of its container.
    pub stream: Option<Stream>,
    /// When.
    pub time: Option<LogTime>,
}

impl Writer<'_> {
    /// Whether a line with a header is of the same writer and moment, so that it goes on with the record where its content does: what
    /// collects the lines of a program puts a header before each, and a level where it knows of one.
    pub fn goes_on(&self, line: &Line<'_>) -> bool {
        let near = self.time.zip(line.time).is_none_or(|(last, time)| {
            last.dated == time.dated && last.nanoseconds.abs_diff(time.nanoseconds) <= MOMENT
        });
        // A priority is that of the program's stream, whatever the head says of itself.
        (line.level.is_none() || line.level == self.level || line.raw.starts_with(b"<"))
            && near
            && line.stream == self.stream
            && line.component == self.component
    }
}

/// A record that may go on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pending {
    pub time: Option<LogTime>,
    level: Option<Level>,
    pub content: String,
    pub told: Told,
    pub status: Option<u16>,
    pub sections: Vec<Section>,
    /// The section that tells why.
    primary: usize,
    /// The next traceback is of what the last one caused.
    caused: bool,
    state: State,
    /// Lines since the last that belonged to the record for sure.
    loose: u32,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    component: Vec<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stream: Option<Stream>,
    /// The time of its last line.
    #[serde(default)]
    last: Option<LogTime>,
    /// Whether a line of a trace came.
    #[serde(default)]
    traced: bool,
    lines: Vec<(u64, String)>,
    /// What its only line is but for its numbers, where that tells what it comes to.
    #[serde(skip)]
    form: Option<Form>,
}

impl Pending {
    /// A record that begins with the line.
    pub fn new(line: &Line<'_>, told: Told) -> Self {
        let mut content = text_of(line.content.trim_ascii());
        if content.trim().len() < content.len() {
            content = content.trim().to_owned();
        }
        let mut pending = Self {
            time: line.time,
            level: line.level,
            told,
            component: line.component.to_vec(),
            stream: line.stream,
            last: line.time,
            ..Self::default()
        };
        let mut section = Section::default();
        if told.exception && content.contains(TRACEBACK) {
            section.python = true;
            pending.state = State::PythonBody;
        } else {
            section.head(&content);
            let is_plain = is_plain(line.content) && is_plain(line.component);
            pending.form = line.form.filter(|_| is_plain && section.exception.is_none());
        }
        pending.content = match text_of(line.component) {
            program if program.is_empty() => content,
            program => [&program, ": ", &content].concat(),
        };
        pending.sections.push(section);
        pending.keep(line);
        pending
    }

    /// The exception that is told of last.
    pub fn section(&mut self) -> &mut Section {
        let last = self.sections.len().saturating_sub(1);
        if self.sections.is_empty() {
            self.sections.push(Section::default());
        }
        &mut self.sections[last]
    }

    /// Whether it has an exception's head, or a frame.
    pub fn has_trace(&self) -> bool {
        self.sections.iter().any(|section| section.exception.is_some() || !section.frames.is_empty())
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
    pub fn absorb(&mut self, line: &Line<'_>, words: &Words) -> bool {
        let writer = Writer { level: self.level, component: &self.component, stream: self.stream, time: self.last };
        let beside = line.headed && writer.goes_on(line);
        if line.headed && self.state == State::Open && !beside && !looks_like_a_part(line.content) {
            return false;
        }
        let text = text_of(line.content);
        let belongs = match self.state {
            State::PythonBody => self.absorb_python(line, &text, words),
            State::PythonDone => self.absorb_after_python(&text),
            State::Open => self.absorb_open(line, &text, words, beside),
        };
        if belongs {
            self.form = None;
            self.time = self.time.or(line.time);
            self.last = line.time.or(self.last);
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
            return self.loose <= MAX_EMPTY_LINES;
        }
        let caused = trimmed.starts_with("The above exception was the direct cause");
        if caused || trimmed.starts_with("During handling of the above exception") {
            self.caused = caused;
            // What collects lines may leave out empty ones.
            self.loose += 1;
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

    /// `beside` says that the line's header is one that each line of the record has.
    fn absorb_open(&mut self, line: &Line<'_>, text: &str, words: &Words, beside: bool) -> bool {
        let part = if beside { self.part_beside(line, text) } else { trace::part(text, line.indented || line.headed) };
        self.traced |= part.is_some();
        match part {
            Some(Part::Frame(frame)) => {
                if text.trim_start().starts_with("at async ") {
                    self.section().part();
                }
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
            Some(Part::Filler) => {
                self.section().part();
                return true;
            }
            None => {}
        }
        if self.is_rubys_cause(text) {
            let mut section = Section::default();
            section.head(text);
            self.open(section, true);
            self.keep(line);
            self.loose = 0;
            return true;
        }
        let bare = self.sections.iter().all(|section| section.exception.is_none() && section.frames.is_empty());
        if text.trim_start().starts_with(TRACEBACK) && bare && self.status.is_none() {
            self.section().python = true;
            self.state = State::PythonBody;
            self.loose = 0;
            return true;
        }
        if (beside || !line.headed) && !self.traced && self.says_where_rust_panicked() {
            // What it is comes below where it was.
            self.content.push(' ');
            self.content.push_str(text.trim());
            self.traced = true;
            self.keep(line);
            return true;
        }
        if beside && text.trim().is_empty() {
            self.loose += 1;
            return self.loose <= MAX_EMPTY_LINES;
        }
        if line.headed || self.status.is_some() {
            return false;
        }
        let names_event = names_event(&self.content);
        if names_event && line.indented && self.content.ends_with(']') {
            // .NET's console says what happened below who says it.
            self.content = cut(&format!("{}: {}", self.content, text.trim()), MAX_CONTENT_BYTES).to_owned();
            self.section().head(text);
            self.keep(line);
            return true;
        }
        if trace::head(text).is_some() && (!line.indented || names_event) {
            // The head of the exception that the record tells of; else another record.
            if bare && self.loose < MAX_LOOSE_LINES {
                self.section().head(text);
                self.told.critical |= told(line, words).critical;
                self.keep(line);
                self.loose = 0;
                return true;
            }
            return false;
        }
        self.loose += 1;
        let has_frames = self.sections.iter().any(|section| section.frames.len() > section.of_head);
        self.loose <= MAX_LOOSE_LINES
            && (line.indented
                || (!has_frames && told(line, words).fault.is_none() && !is_traceback(line.content))
                || text.trim() == "}")
    }

    /// The part of a trace that a line is that has a header as the record's other lines.
    fn part_beside(&self, line: &Line<'_>, text: &str) -> Option<Part> {
        match trace::part(text, line.indented) {
            // A call is a part of a trace, and no record of its own, where one has begun.
            Some(Part::Filler) if !self.traced && !trace::begins(text) => None,
            None => trace::part(text, true),
            part => part,
        }
    }

    /// Whether the head is `thread 'main' panicked at src/main.rs:5:10:`.
    fn says_where_rust_panicked(&self) -> bool {
        self.told.critical && self.content.ends_with(':') && self.content.contains("panicked at ")
    }

    /// Whether the head of an exception is that of one that Ruby tells of as the cause of those above.
    fn is_rubys_cause(&self, text: &str) -> bool {
        let Some(first) = self.sections.first().filter(|section| section.of_head > 0) else { return false };
        trace::ruby_raised(text).is_some()
            && trace::head(text).is_some_and(|(kind, message)| {
                // The same again is another record.
                first.exception.as_ref().is_none_or(|(known, told)| kind != known || message.trim() != told)
            })
    }

    /// The record, when it tells of a fault.
    pub fn finish(mut self) -> Option<Event> {
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
        let Self { time, level, content, told, status, lines, form, component, .. } = self;
        let alone = form.filter(|_| level >= Some(Level::Warning)).map(|form| Alone { form, component });
        let Section { exception, frames: stack, gaps, .. } = section;
        Some(Event { time, level, content, exception, stack, gaps, lines, status, told, alone })
    }
}

fn owned((kind, message): (&str, &str)) -> (String, String) {
    (cut(kind, 200).to_owned(), message.trim().to_owned())
}

/// Whether a text begins with a logger and an event's number, `Shop.Cart[0]`.
fn names_event(text: &str) -> bool {
    let word = text.split(' ').next().unwrap_or_default();
    let number = word.trim_end_matches(':').strip_suffix(']').and_then(|word| word.rsplit_once('['));
    number.is_some_and(|(name, number)| {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && !name.contains('[')
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Code lines of a traceback whose indent a header took.
fn looks_like_code(text: &str) -> bool {
    text.contains(['(', '=', '[']) || text.starts_with("raise ") || text.starts_with("return ")
}

/// Whether a line behind a header may go on with a trace.
pub fn looks_like_a_part(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    [&b"at "[..], b"Caused by", b"[cause]", b"Traceback", b"... "].iter().any(|start| text.starts_with(start))
}

/// What the words of a line tell.
pub fn told(line: &Line<'_>, words: &Words) -> Told {
    if line.plain {
        return Told::default();
    }
    words.told(line.content.get(..MAX_CONTENT_BYTES).unwrap_or(line.content))
}

/// Whether a Python traceback begins there.
pub fn is_traceback(text: &[u8]) -> bool {
    memchr::memmem::find(text, TRACEBACK.as_bytes()).is_some()
}

/// The text for people, bounded, without control characters.
pub fn text_of(bytes: &[u8]) -> String {
    clean(bytes, MAX_CONTENT_BYTES)
}

fn clean(bytes: &[u8], most: usize) -> String {
    let bytes = bytes.get(..most).unwrap_or(bytes);
    if is_plain(bytes) {
        return String::from_utf8(bytes.to_vec()).unwrap_or_default();
    }
    let text = String::from_utf8_lossy(bytes);
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.truncate(cut(&text, most).len());
    text
}
