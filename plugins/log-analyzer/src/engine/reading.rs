//! Lines out of what stands around them: which format each has, and what it says of itself.

use super::{Means, State};
use crate::{
    colour,
    envelope::{self, Inner, Mark, Stream},
    grouping::GroupId,
    header::{self, Header},
    journal::Taken,
    json::{self, Structured},
    line::Line,
    logfmt,
    record::Level,
    source::Source,
    time::LogTime,
};

/// What some programs begin a text in UTF-8 with.
const MARK_OF_UTF_8: &[u8] = b"\xef\xbb\xbf";

/// What stands around a line that another one holds.
#[derive(Default)]
struct Around<'a> {
    time: Option<LogTime>,
    level: Option<Level>,
    component: &'a [u8],
    stream: Option<Stream>,
}

impl State {
    /// A line that may have a terminal's colours.
    pub(super) fn coloured(
        &mut self,
        name: &str,
        source: &mut Source,
        number: u64,
        raw: &[u8],
        means: &Means,
    ) -> GroupId {
        let mut room = std::mem::take(&mut self.room);
        let group = self.line(name, source, number, colour::without(raw, &mut room), means);
        self.room = room;
        group
    }

    pub(super) fn line(&mut self, name: &str, source: &mut Source, number: u64, raw: &[u8], means: &Means) -> GroupId {
        let raw =
            if raw.first() == MARK_OF_UTF_8.first() { raw.strip_prefix(MARK_OF_UTF_8).unwrap_or(raw) } else { raw };
        let container = envelope::container(raw);
        match container {
            Some(mark) if source.parts.takes(&mark.0) => self.part(name, source, number, raw, mark, means),
            _ => self.whole(name, source, number, raw, container.map(|(mark, _)| mark.stream), means),
        }
    }

    /// A part of a line: its end is the line.
    #[cold]
    fn part(
        &mut self,
        name: &str,
        source: &mut Source,
        number: u64,
        raw: &[u8],
        mark: (Mark, usize),
        means: &Means,
    ) -> GroupId {
        match source.parts.add(number, raw, mark) {
            Some(part) => self.whole(name, source, part.number, &part.bytes, Some(mark.0.stream), means),
            None => self.nothing(means),
        }
    }

    /// The group of lines that say nothing by themselves.
    fn nothing(&mut self, Means { words, settings, .. }: &Means) -> GroupId {
        self.grouping.group(b"", settings.max_patterns, |text| words.tell(text)).0
    }

    /// A whole line.
    pub(super) fn whole(
        &mut self,
        name: &str,
        source: &mut Source,
        number: u64,
        raw: &[u8],
        stream: Option<Stream>,
        means: &Means,
    ) -> GroupId {
        let Means { words, settings, .. } = means;
        let text = raw.trim_ascii_start();
        let structured = match source.journal.take(number, raw) {
            // The entry's end is its line.
            Taken::Part => return self.nothing(means),
            Taken::Whole(entry, line) => {
                let entry = entry.parted();
                let message = entry.message.clone();
                return self.structured(name, source, (line, message.as_bytes()), entry, Around::default(), means);
            }
            Taken::Not => match text.first() {
                Some(b'{') => json::read(text),
                Some(b'a'..=b'z') => logfmt::read(text),
                _ => None,
            },
        };
        if let Some(read) = structured {
            return self.structured(name, source, (number, raw), read, Around::default(), means);
        }
        let mut read = self.layouts.read(raw);
        let headed = read.time.is_some() || read.level.is_some();
        let start = if headed { read.content } else { 0 };
        let mut content = raw.get(start..).unwrap_or_default();
        // What says nothing of how bad it is, or by a priority alone, may be around a line of another format.
        if read.time.is_some()
            && (read.level.is_none() || raw.first() == Some(&b'<'))
            && let Some(inner) = envelope::inner(content)
        {
            let Header { time, level, component, .. } = read;
            match inner {
                Inner::Structured(inner) => {
                    let around = Around { time, level, component, stream };
                    return self.structured(name, source, (number, raw), inner, around, means);
                }
                Inner::Headed(inner) => {
                    read.level = inner.level.or(level);
                    read.component = if inner.component.is_empty() { component } else { inner.component };
                    content = content.get(inner.content..).unwrap_or_default();
                }
            }
        }
        let start = raw.len() - content.len();
        let before = raw.get(..start).unwrap_or_default();
        let indented =
            content.first().is_some_and(u8::is_ascii_whitespace) || matches!(before, [.., b' ', b' '] | [.., b'\t']);
        let (group, plain, form) = self.grouping.group(content, settings.max_patterns, |text| words.tell(text));
        let Header { time, of_day, level, component, .. } = read;
        let mut line =
            Line { number, time, of_day, level, component, stream, content, group, plain, form, headed, indented, raw };
        self.follow_moves(source);
        self.take(name, source, &mut line, None, means);
        group
    }

    /// A line of fields, or a journal's entry, with its number and what is shown of it, and what stands around it.
    #[cold]
    fn structured(
        &mut self,
        name: &str,
        source: &mut Source,
        (number, raw): (u64, &[u8]),
        read: Structured,
        around: Around<'_>,
        means: &Means,
    ) -> GroupId {
        let Means { words, settings, .. } = means;
        let read = envelope::within(read).parted();
        let mut room = Vec::new();
        let text = colour::without(read.message.as_bytes(), &mut room);
        let of_message = header::header(text);
        let content = if (of_message.level.is_some() || of_message.time.is_some()) && read.level.is_none() {
            text.get(of_message.content..).unwrap_or_default()
        } else {
            text
        };
        let level = read.level.or(of_message.level).or(around.level);
        let components = [of_message.component, read.component.as_bytes(), around.component];
        let of_line = if read.level.is_none() { 0 } else { 1 };
        let component = components.into_iter().skip(of_line).find(|component| !component.is_empty());
        let (group, plain, form) = self.grouping.group(content, settings.max_patterns, |text| words.tell(text));
        let mut line = Line {
            number,
            time: around.time.or(read.time).or(of_message.time),
            of_day: None,
            level,
            component: component.unwrap_or_default(),
            stream: around.stream,
            content,
            group,
            plain,
            form,
            headed: level.is_some() || around.time.is_some() || read.time.is_some(),
            indented: content.first().is_some_and(u8::is_ascii_whitespace),
            raw,
        };
        self.follow_moves(source);
        self.take(name, source, &mut line, read.stack.as_deref(), means);
        group
    }
}
