//! Records out of lines: a head, and the lines of a stack trace that follow it.

use autodevops_sdk::types::StackFrame;
use serde::{Deserialize, Serialize};

use crate::{
    grouping::Form,
    line::Line,
    pending::{Pending, is_traceback, text_of, told},
    record::{self, Level, Told, Words},
    time::LogTime,
    trace,
    unread::Unread,
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
    /// What it is but for its numbers, where it is of one line that says how bad it is.
    pub alone: Option<Alone>,
}

/// What a record of one line is but for its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alone {
    /// What its message is.
    pub form: Form,
    /// Who wrote it.
    pub component: Vec<u8>,
}

/// A record to which no more lines belong.
pub enum Finished {
    /// One that is read.
    Read(Event),
    /// One of a kind that was known when it came.
    Unread(Unread),
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
    /// In the place of the former.
    #[serde(skip)]
    unread: Option<Unread>,
    /// Room for the next.
    #[serde(skip)]
    room: Vec<u8>,
    last_time: Option<LogTime>,
    /// Whether the last line that was no continuation had a header.
    headed: bool,
}

impl Assembler {
    /// Takes the next line; gives the record that it shows to be finished. `is_known` says of a line whether its record is of a kind that
    /// is known: it is one by itself.
    #[inline]
    pub fn line(
        &mut self,
        line: &Line<'_>,
        words: &Words,
        is_known: impl FnOnce(&Line<'_>) -> bool,
    ) -> Option<Finished> {
        let mut finished = None;
        let warns = line.level.is_some_and(|level| level >= Level::Warning);
        let known = warns && is_known(line);
        match &self.unread {
            Some(unread) if known || unread.is_ended_by(line) => finished = self.unread.take().map(Finished::Unread),
            Some(_) => self.settle(words),
            None => {}
        }
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
        if known {
            self.unread = Unread::of(line, self.last_time, &mut self.room);
        }
        // Most lines tell of no fault, whatever else they say.
        if self.unread.is_none() && !(line.plain && line.level.is_some() && !warns) {
            self.pending = self.begin(line, words);
        }
        finished
    }

    /// Reads the record that is being put together, where it is not: it is saved like any other.
    #[cold]
    pub fn settle(&mut self, words: &Words) {
        if let Some(unread) = self.unread.take() {
            self.pending = Some(unread.pending(words));
            self.take_back(unread);
        }
    }

    /// Takes back what a record took that is counted.
    pub fn take_back(&mut self, unread: Unread) {
        self.room = unread.into_room();
    }

    /// Takes a structured line, whose stack trace comes in one piece.
    pub fn structured(&mut self, line: &Line<'_>, stack: &str, words: &Words) -> Option<Finished> {
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
        self.pending.is_some() || self.unread.is_some()
    }

    /// The record that was not finished yet.
    #[cold]
    pub fn finish(&mut self) -> Option<Finished> {
        match self.unread.take() {
            Some(unread) => Some(Finished::Unread(unread)),
            None => self.pending.take().and_then(Pending::finish).map(Finished::Read),
        }
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
        if told == Told::default() || record::is_access(line.raw) {
            return false;
        }
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
        told.fault.is_some() && !line.indented && !loose && !is_code(line.content) && !asks(line.raw)
    }
}

fn asks(raw: &[u8]) -> bool {
    memchr::memmem::find(raw, b" HTTP/").is_some()
}

/// Source code that Node and Python print above and in a trace.
fn is_code(text: &[u8]) -> bool {
    text.starts_with(b"throw ") || text.starts_with(b"raise ") || text.ends_with(b";") || text.ends_with(b"{")
}
