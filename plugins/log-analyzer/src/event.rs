//! Records out of lines: a head, and the lines of a stack trace that follow it.

use autodevops_sdk::types::StackFrame;
use serde::{Deserialize, Serialize};

use crate::{
    line::Line,
    pending::{Pending, is_traceback, text_of, told},
    record::{self, Level, Told, Words},
    time::LogTime,
    trace,
};

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
    /// Frames of it whose caller is not the one that comes next: the runtime's is in between, or a wait.
    pub gaps: Vec<usize>,
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
    #[inline]
    pub fn line(&mut self, line: &Line<'_>, words: &Words) -> Option<Event> {
        let mut finished = None;
        if let Some(pending) = &mut self.pending {
            if pending.absorb(line, words) {
                return None;
            }
            finished = self.finish();
        }
        if line.headed {
            self.headed = true;
        }
        if line.time.is_some() {
            self.last_time = line.time;
        }
        // Most lines tell of no fault, whatever else they say.
        if !(line.plain && line.level.is_some_and(|level| level < Level::Warning)) {
            self.pending = self.begin(line, words);
        }
        finished
    }

    /// Takes a structured line, whose stack trace comes in one piece.
    pub fn structured(&mut self, line: &Line<'_>, stack: &str, words: &Words) -> Option<Event> {
        let finished = self.finish();
        self.headed = true;
        if line.time.is_some() {
            self.last_time = line.time;
        }
        let told = told(line, words);
        let mut pending = Pending::new(line, told);
        let of_message = pending.section().exception.take();
        for text in stack.lines() {
            let indented = text.starts_with([' ', '\t']);
            let text = text.as_bytes();
            let part = Line {
                time: None,
                level: None,
                content: text,
                plain: false,
                headed: false,
                indented,
                raw: b"",
                ..*line
            };
            pending.absorb(&part, words);
        }
        if let Some(section) = pending.sections.first_mut().filter(|section| section.exception.is_none()) {
            section.exception = of_message;
        }
        // A message of several lines need not tell of a fault.
        self.pending = (self.interests(line, told) || pending.has_trace()).then_some(pending);
        finished
    }

    /// Whether a record is being put together: the last line is a part of it.
    pub const fn holds(&self) -> bool {
        self.pending.is_some()
    }

    /// The record that was not finished yet.
    #[cold]
    pub fn finish(&mut self) -> Option<Event> {
        self.pending.take().and_then(Pending::finish)
    }

    fn begin(&self, line: &Line<'_>, words: &Words) -> Option<Pending> {
        let told = told(line, words);
        let interesting = self.interests(line, told);
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

    /// Whether a line tells of a fault.
    fn interests(&self, line: &Line<'_>, told: Told) -> bool {
        match line.level {
            Some(level) if level >= Level::Warning => true,
            Some(_) => told.exception && (is_traceback(line.content) || trace::head(&text_of(line.content)).is_some()),
            None => self.tells_by_itself(line, told),
        }
    }

    /// Whether a line without a level tells of a fault.
    fn tells_by_itself(&self, line: &Line<'_>, told: Told) -> bool {
        if told.exception
            && (is_traceback(line.content) || (!line.indented && trace::head(&text_of(line.content)).is_some()))
        {
            return !line.content.starts_with(b"throw ");
        }
        if told.critical {
            return true;
        }
        // A line without a header in a log with headers goes on with a message.
        let loose = self.headed && !line.headed;
        told.fault.is_some() && !line.indented && !loose && !is_code(line.content) && !is_access(line.raw)
    }
}

fn is_access(raw: &[u8]) -> bool {
    memchr::memmem::find(raw, b" HTTP/").is_some()
}

/// Source code that Node and Python print above and in a trace.
fn is_code(text: &[u8]) -> bool {
    text.starts_with(b"throw ") || text.starts_with(b"raise ") || text.ends_with(b";") || text.ends_with(b"{")
}
