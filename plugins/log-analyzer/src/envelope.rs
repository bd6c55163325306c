//! What runtimes and collectors put around a program's line: its content is a line of another format, or a part of one.

use serde::{Deserialize, Serialize};

use crate::{
    header::{self, Header},
    json::{self, Structured},
    lines::hex,
    logfmt,
};

/// Bytes of a line in parts that are kept of each stream: four times what runtimes part lines at.
const MAX_PARTS_BYTES: usize = 64 << 10;
/// Where the blank behind the time of a container's line may be.
const BEHIND_TIME: std::ops::Range<usize> = 19..40;

/// A container's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// What it writes.
    Out,
    /// What it complains of.
    Err,
}

/// The mark that a container's runtime puts behind the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The stream.
    pub stream: Stream,
    /// Whether the line goes on with the stream's next.
    pub partial: bool,
    /// Bytes of the mark, with the blanks around it.
    pub length: usize,
}

/// The mark of a line that a container's runtime wrote, `2026-11-23T10:00:00.000000001Z stderr F `, and where its content starts.
#[inline]
pub fn container(raw: &[u8]) -> Option<(Mark, usize)> {
    if raw.get(10) != Some(&b'T') {
        return None;
    }
    let end = BEHIND_TIME.start + memchr::memchr(b' ', raw.get(BEHIND_TIME.start..BEHIND_TIME.end.min(raw.len()))?)?;
    let mark = header::stream(raw.get(end..)?)?;
    Some((mark, end + mark.length))
}

/// The lines of one source that are written in parts, of each stream one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    out: Option<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    err: Option<Part>,
}

/// A line as far as it came: with the time and the mark of its first part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The number of its first line.
    pub number: u64,
    /// Its bytes.
    #[serde(with = "hex")]
    pub bytes: Vec<u8>,
}

impl Parts {
    fn of(&mut self, stream: Stream) -> &mut Option<Part> {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        }
    }

    /// Whether the line goes on with others, or ends what others began.
    #[inline]
    pub fn takes(&self, mark: &Mark) -> bool {
        let waiting = match mark.stream {
            Stream::Out => &self.out,
            Stream::Err => &self.err,
        };
        mark.partial || waiting.is_some()
    }

    /// Adds a line; gives the whole, where it is its last part.
    pub fn add(&mut self, number: u64, raw: &[u8], (mark, content): (Mark, usize)) -> Option<Part> {
        let waiting = self.of(mark.stream);
        match waiting {
            Some(part) => part.add(raw.get(content..).unwrap_or_default()),
            None => {
                let mut part = Part { number, bytes: Vec::new() };
                part.add(raw);
                *waiting = Some(part);
            }
        }
        if mark.partial { None } else { waiting.take() }
    }

    /// Those whose last part did not come.
    pub fn finish(&mut self) -> impl Iterator<Item = Part> + use<> {
        let mut left: Vec<Part> = [self.out.take(), self.err.take()].into_iter().flatten().collect();
        left.sort_by_key(|part| part.number);
        left.into_iter()
    }

    /// Cuts what came so far.
    pub fn shorten(&mut self, most: usize) {
        [&mut self.out, &mut self.err].into_iter().flatten().for_each(|part| part.bytes.truncate(most));
    }
}

impl Part {
    fn add(&mut self, bytes: &[u8]) {
        let room = MAX_PARTS_BYTES.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }
}

/// A line within another.
#[derive(Debug, PartialEq)]
pub enum Inner<'a> {
    /// One of fields.
    Structured(Structured),
    /// One with a header of its own.
    Headed(Header<'a>),
}

/// The line that the content of another is, where it has a format of its own that says when or how bad.
#[inline]
pub fn inner(content: &[u8]) -> Option<Inner<'_>> {
    let tells = |read: &Structured| read.time.is_some() || read.level.is_some();
    match content {
        [b'{', ..] => json::read(content).filter(tells).map(Inner::Structured),
        [b'a'..=b'z', ..] => logfmt::read(content).filter(tells).map(Inner::Structured),
        [b'I' | b'W' | b'E' | b'F', b'0'..=b'9', ..] | [b'[', b'0'..=b'9', ..] => {
            let header = header::header(content);
            header.time.is_some().then_some(Inner::Headed(header))
        }
        _ => None,
    }
}

/// A line of fields, or the one that its message is: what collectors put the lines of programs into.
pub fn within(outer: Structured) -> Structured {
    match inner(outer.message.trim().as_bytes()) {
        Some(Inner::Structured(inner)) => Structured {
            time: outer.time.or(inner.time),
            level: inner.level.or(outer.level),
            message: inner.message,
            stack: inner.stack.or(outer.stack),
            component: if inner.component.is_empty() { outer.component } else { inner.component },
        },
        Some(Inner::Headed(_)) | None => outer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_containers_line_is_told_by_its_mark() {
        for (line, stream, partial, content) in [
            ("2026-11-23T10:00:00.000000001Z stdout F text", Stream::Out, false, "text"),
            ("2026-11-23T10:00:00.000000001+01:00 stderr P  half", Stream::Err, true, " half"),
            ("2026-11-23T10:00:00Z stderr F:x:y text", Stream::Err, false, "text"),
            ("2026-11-23T10:00:00.1Z stderr F ", Stream::Err, false, ""),
            ("2026-11-23T10:00:00.1Z stderr F", Stream::Err, false, ""),
        ] {
            let (mark, at) = container(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((mark.stream, mark.partial, &line[at..]), (stream, partial, content), "{line}");
        }
        for line in ["2026-11-23T10:00:00.1Z stdout Found", "2026-11-23T10:00:00.1Z INFO x", "x stdout F x", ""] {
            assert_eq!(container(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn parts_of_both_streams_become_their_lines_and_are_bounded() {
        let mut parts = Parts::default();
        let mut add = |number, line: &str| {
            let mark = container(line.as_bytes()).unwrap();
            parts.takes(&mark.0).then(|| parts.add(number, line.as_bytes(), mark))
        };
        assert_eq!(add(1, "2026-11-23T10:00:00Z stdout F whole"), None);
        assert_eq!(add(2, "2026-11-23T10:00:00Z stdout P one, "), Some(None));
        assert_eq!(add(3, "2026-11-23T10:00:00Z stderr P other, "), Some(None));
        assert_eq!(add(4, "2026-11-23T10:00:01Z stdout P two, "), Some(None));
        let Some(Some(whole)) = add(5, "2026-11-23T10:00:02Z stdout F three") else { panic!() };
        assert_eq!((whole.number, whole.bytes.as_slice()), (2, &b"2026-11-23T10:00:00Z stdout P one, two, three"[..]));
        (6..100).for_each(|number| drop(add(number, &format!("2026-11-23T10:00:00Z stderr P {}", "x".repeat(9000)))));
        let left: Vec<Part> = parts.finish().collect();
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].number, left[0].bytes.len()), (3, MAX_PARTS_BYTES));
        assert_eq!(parts, Parts::default());
    }
}
