//! A record of one line that is like one before but for its numbers: it is kept as it was written, and most often nothing more is done with
//! it than to count it.

use std::ops::Range;

use crate::{
    envelope::Stream,
    event::Event,
    grouping::{Form, GroupId},
    line::Line,
    pending::{Pending, Writer, looks_like_a_part, told},
    record::{Level, Words},
    time::LogTime,
};

/// Bytes of a line that is kept.
const MAX_BYTES: usize = 2000;

/// The record's line, and what is known of it.
#[derive(Clone, Debug)]
pub struct Unread {
    /// What its message is but for its numbers.
    pub form: Form,
    /// How bad it is.
    pub level: Level,
    number: u64,
    time: Option<LogTime>,
    /// The last time before, where the line has none.
    before: Option<LogTime>,
    stream: Option<Stream>,
    group: GroupId,
    plain: bool,
    indented: bool,
    raw: Vec<u8>,
    component: Range<usize>,
    content: Range<usize>,
}

impl Unread {
    /// The record of a line with a header, which takes the room; none where the line's parts are not in it as it was written, or where it
    /// is long. `before` is the last time before.
    #[inline]
    pub fn of(line: &Line<'_>, before: Option<LogTime>, room: &mut Vec<u8>) -> Option<Self> {
        let (form, level) = line.form.zip(line.level).filter(|_| line.headed && line.raw.len() <= MAX_BYTES)?;
        let (component, content) = (within(line.raw, line.component)?, within(line.raw, line.content)?);
        let mut raw = std::mem::take(room);
        raw.clear();
        raw.extend_from_slice(line.raw);
        let Line { number, time, stream, group, plain, indented, .. } = *line;
        Some(Self { form, level, number, time, before, stream, group, plain, indented, raw, component, content })
    }

    /// What is kept, for the next.
    pub fn into_room(self) -> Vec<u8> {
        self.raw
    }

    /// The line as it is.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Who wrote it.
    pub fn component(&self) -> &[u8] {
        self.raw.get(self.component.clone()).unwrap_or_default()
    }

    /// When.
    pub fn time(&self) -> Option<LogTime> {
        self.time.or(self.before)
    }

    /// Whether a line is no part of the record, by its header and by how it begins.
    #[inline]
    pub fn is_ended_by(&self, line: &Line<'_>) -> bool {
        let writer =
            Writer { level: Some(self.level), component: self.component(), stream: self.stream, time: self.time };
        line.headed && !writer.goes_on(line) && !looks_like_a_part(line.content)
    }

    /// The record as one that may go on.
    #[cold]
    pub fn pending(&self, words: &Words) -> Pending {
        let Self { form, level, number, time, stream, group, plain, indented, .. } = *self;
        let line = Line {
            number,
            time,
            of_day: None,
            level: Some(level),
            component: self.component(),
            stream,
            content: self.raw.get(self.content.clone()).unwrap_or_default(),
            group,
            plain,
            form: Some(form),
            headed: true,
            indented,
            raw: &self.raw,
        };
        let mut pending = Pending::new(&line, told(&line, words));
        pending.time = self.time();
        pending
    }

    /// The record, when it tells of a fault.
    pub fn read(&self, words: &Words) -> Option<Event> {
        self.pending(words).finish()
    }
}

/// Where a part of a line is in it.
fn within(raw: &[u8], part: &[u8]) -> Option<Range<usize>> {
    if part.is_empty() {
        return Some(0..0);
    }
    let start = part.as_ptr().addr().checked_sub(raw.as_ptr().addr())?;
    Some(start..start.checked_add(part.len())?).filter(|range| range.end <= raw.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &str = "081109 203615 148 WARN shop: order 17 is late";

    fn line(raw: &str) -> Line<'_> {
        Line {
            level: Some(Level::Warning),
            component: &raw.as_bytes()[23..27],
            form: Some(Form(1)),
            plain: false,
            ..Line { content: &raw.as_bytes()[29..], ..Line::of(raw) }
        }
    }

    #[test]
    fn a_record_that_is_read_late_is_the_one_that_is_read_at_once() {
        let before = Some(LogTime { nanoseconds: 7, dated: true });
        let words = Words::default();
        let unread = Unread::of(&line(RAW), before, &mut Vec::new()).unwrap();
        let mut pending = Pending::new(&line(RAW), told(&line(RAW), &words));
        pending.time = before;
        let event = unread.read(&words).unwrap();
        assert_eq!((event.content.as_str(), event.time), ("shop: order 17 is late", before));
        assert_eq!(Some(event), pending.finish());
    }

    #[test]
    fn what_is_long_or_not_as_it_was_written_is_read_at_once() {
        let mut room = Vec::new();
        assert!(Unread::of(&line(RAW), None, &mut room).is_some());
        assert!(Unread::of(&Line { content: b"order 17 is late", ..line(RAW) }, None, &mut room).is_none());
        assert!(Unread::of(&Line { form: None, ..line(RAW) }, None, &mut room).is_none());
        assert!(Unread::of(&Line { headed: false, ..line(RAW) }, None, &mut room).is_none());
        let long = RAW.to_owned() + &" late".repeat(MAX_BYTES / 5);
        assert!(Unread::of(&line(&long), None, &mut room).is_none());
    }

    #[test]
    fn a_line_of_the_same_writer_and_moment_may_go_on_with_it_and_others_do_not() {
        let unread = Unread::of(&line(RAW), None, &mut Vec::new()).unwrap();
        assert!(!unread.is_ended_by(&line(RAW)));
        assert!(!unread.is_ended_by(&Line { headed: false, ..line(RAW) }));
        assert!(!unread.is_ended_by(&Line { component: b"", content: b"at a.js:1:2", ..line(RAW) }));
        assert!(unread.is_ended_by(&Line { component: b"cart", ..line(RAW) }));
        assert!(unread.is_ended_by(&Line { level: Some(Level::Info), ..line(RAW) }));
    }
}
