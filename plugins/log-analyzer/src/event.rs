//! Events out of lines: a fault with all the lines that belong to it.

use autodevops_sdk::types::StackFrame;
use serde::{Deserialize, Serialize};

use crate::{
    json,
    record::{FaultWords, Header, Level, header, server_error},
    template::cut,
    time::LogTime,
    trace::{self, Part, head, part, python_frame},
};

/// Frames that are kept of a trace.
const MAX_FRAMES: usize = 20;

/// Lines of an event that are kept as evidence.
const MAX_EVIDENCE: usize = 5;

/// Bytes that are kept of a line.
const MAX_EVIDENCE_BYTES: usize = 400;

/// Bytes that are kept of a message.
const MAX_MESSAGE_BYTES: usize = 1000;

const TRACEBACK: &str = "Traceback (most recent call last):";

/// A fault that a log tells of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When; absent where the log has no times.
    pub time: Option<LogTime>,
    /// How bad.
    pub level: Level,
    /// Whether only words say so, no level and no trace.
    pub guessed: bool,
    /// The exception's type.
    pub exception: Option<String>,
    /// What it says.
    pub message: String,
    /// The trace, innermost frame first.
    pub frames: Vec<StackFrame>,
    /// Lines that show it, with their numbers.
    pub evidence: Vec<(u64, String)>,
}

/// How far the trace of an event has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Trace {
    /// Node or the JVM: frames follow the head.
    Follows,
    /// Python: frames come first, then the head.
    Python,
    /// Python: the head was read; another traceback may be chained to it.
    PythonEnded,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    event: Event,
    trace: Trace,
    /// Counts as a fault only when a trace follows.
    tentative: bool,
}

/// Puts a source's lines together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Assembler {
    pending: Option<Pending>,
    last_time: Option<LogTime>,
    lines: u64,
    leveled: u64,
}

impl Assembler {
    /// Takes a line; gives the event that it ends, and one that it is by itself.
    pub fn line(&mut self, number: u64, line: &[u8], words: Option<&FaultWords>, mut sink: impl FnMut(Event)) {
        if let Some(pending) = &mut self.pending {
            if pending.takes(number, line) {
                return;
            }
            if let Some(event) = self.finish() {
                sink(event);
            }
        }
        if line.trim_ascii().is_empty() {
            return;
        }
        self.lines += 1;
        if line.first() == Some(&b'{') {
            if let Some(structured) = json::read(line) {
                self.leveled += u64::from(structured.level.is_some());
                self.last_time = structured.time.or(self.last_time);
                if let Some(event) = self.structured(number, line, structured) {
                    sink(event);
                }
                return;
            }
        }
        let head = header(line);
        self.leveled += u64::from(head.level.is_some());
        self.last_time = head.time.or(self.last_time);
        self.pending = self.start(number, line, head, words);
    }

    /// The event that is still open, as if the log ended here.
    pub fn finish(&mut self) -> Option<Event> {
        let pending = self.pending.take()?;
        let mut event = pending.event;
        if pending.trace != Trace::Follows {
            event.frames.reverse();
        }
        event.frames.truncate(MAX_FRAMES);
        (!pending.tentative || !event.frames.is_empty()).then_some(event)
    }

    /// When the source spoke last.
    pub const fn last_time(&self) -> Option<LogTime> {
        self.last_time
    }

    fn start(&self, number: u64, line: &[u8], found: Header, words: Option<&FaultWords>) -> Option<Pending> {
        let content = line.get(found.content..).unwrap_or_default();
        let level = found.level;
        let loud = level.is_some_and(|level| level >= Level::Warning);
        let may_be_exception = || {
            [&b"Error"[..], b"xception", b"Traceback", b"Timeout"]
                .iter()
                .any(|word| memchr::memmem::find(content, word).is_some())
        };
        if !loud && !may_be_exception() {
            return self.unleveled(number, line, content, level, words);
        }
        let text = String::from_utf8_lossy(content);
        if text.contains(TRACEBACK) {
            let before = text.split(TRACEBACK).next().unwrap_or_default().trim();
            let event = self.event(number, line, level.unwrap_or(Level::Error).max(Level::Error), None, before);
            return Some(Pending { event, trace: Trace::Python, tentative: false });
        }
        match head(&text) {
            Some((exception, message)) => {
                let level = level.unwrap_or(Level::Error);
                let event = self.event(number, line, level.max(Level::Warning), Some(exception), message);
                Some(Pending { event, trace: Trace::Follows, tentative: level < Level::Warning })
            }
            None if loud => {
                let event = self.event(number, line, level.unwrap_or(Level::Error), None, &text);
                Some(Pending { event, trace: Trace::Follows, tentative: false })
            }
            None => self.unleveled(number, line, content, level, words),
        }
    }

    /// A line without a level: an access log's, or one whose words tell of a fault where no line has levels.
    fn unleveled(
        &self,
        number: u64,
        line: &[u8],
        content: &[u8],
        level: Option<Level>,
        words: Option<&FaultWords>,
    ) -> Option<Pending> {
        if level.is_some() {
            return None;
        }
        if let Some((status, request)) = server_error(line) {
            let request = String::from_utf8_lossy(request);
            let path = request.split(['?', '#']).next().unwrap_or_default();
            let event = self.event(number, line, Level::Error, None, &format!("HTTP {status} {path}"));
            return Some(Pending { event, trace: Trace::Follows, tentative: false });
        }
        let indented = line.first().is_some_and(u8::is_ascii_whitespace);
        let levels_are_usual = self.leveled * 2 > self.lines;
        if indented || levels_are_usual || !words?.tells(content) {
            return None;
        }
        let mut event = self.event(number, line, Level::Warning, None, &String::from_utf8_lossy(content));
        event.guessed = true;
        Some(Pending { event, trace: Trace::Follows, tentative: false })
    }

    fn structured(&self, number: u64, line: &[u8], read: json::Structured) -> Option<Event> {
        let level = read.level.unwrap_or(if read.stack.is_some() { Level::Error } else { Level::Info });
        if level < Level::Warning && read.stack.is_none() {
            return None;
        }
        let level = level.max(Level::Warning);
        let Some(stack) = read.stack else {
            let found = head(&read.message).map(|(name, message)| (name.to_owned(), message.to_owned()));
            let (exception, message) = found.map_or((None, read.message), |(name, message)| (Some(name), message));
            return Some(self.event(number, line, level, exception.as_deref(), &message));
        };
        // The stack is a log of its own: its head and frames are those of the event.
        let mut inner = Self::default();
        let mut events = Vec::new();
        for text in stack.lines() {
            inner.line(number, text.as_bytes(), None, |event| events.push(event));
        }
        events.extend(inner.finish());
        let mut event = self.event(number, line, level, None, &read.message);
        if let Some(inner) = events.into_iter().next() {
            event.exception = inner.exception;
            event.frames = inner.frames;
            if event.exception.is_some() || event.message.is_empty() {
                event.message = inner.message;
            }
        }
        Some(event)
    }

    fn event(&self, number: u64, line: &[u8], level: Level, exception: Option<&str>, message: &str) -> Event {
        Event {
            time: self.last_time,
            level,
            guessed: false,
            exception: exception.map(str::to_owned),
            message: cut(message.trim(), MAX_MESSAGE_BYTES).to_owned(),
            frames: Vec::new(),
            evidence: vec![(number, shown(line))],
        }
    }
}

impl Pending {
    /// Whether the line belongs to the event; then it is taken.
    fn takes(&mut self, number: u64, line: &[u8]) -> bool {
        let first = line.first().copied();
        match self.trace {
            Trace::Follows => {
                // Frames are indented; causes are not.
                if !matches!(first, Some(b' ' | b'\t' | b'C' | b'[')) {
                    return false;
                }
                match part(&String::from_utf8_lossy(line)) {
                    Some(Part::Frame(frame)) => self.event.frames.push(frame),
                    Some(Part::Cause(_) | Part::Filler) => {}
                    None => return false,
                }
                self.event.frames.truncate(MAX_FRAMES);
            }
            Trace::Python => {
                let text = String::from_utf8_lossy(line);
                match python_frame(&text) {
                    Some(frame) => {
                        // The last frames are the innermost: those before them make room.
                        if self.event.frames.len() >= MAX_FRAMES {
                            self.event.frames.remove(0);
                        }
                        self.event.frames.push(frame);
                    }
                    None if first.is_none_or(|byte| byte.is_ascii_whitespace()) => {}
                    None => {
                        let (name, message) = head(&text).unwrap_or_else(|| {
                            let text = text.trim();
                            text.split_once(": ").unwrap_or((text, ""))
                        });
                        self.event.exception = Some(cut(name, 200).to_owned());
                        self.event.message = cut(message.trim(), MAX_MESSAGE_BYTES).to_owned();
                        self.trace = Trace::PythonEnded;
                    }
                }
            }
            Trace::PythonEnded => {
                let text = String::from_utf8_lossy(line);
                if text.starts_with(TRACEBACK) {
                    self.event.frames.clear();
                    self.trace = Trace::Python;
                } else if !text.trim().is_empty()
                    && !text.starts_with("During handling of the above exception")
                    && !text.starts_with("The above exception was the direct cause")
                {
                    return false;
                }
            }
        }
        if self.event.evidence.len() < MAX_EVIDENCE && !line.is_empty() {
            self.event.evidence.push((number, shown(line)));
        }
        true
    }
}

/// A line as evidence: valid text, without control characters, bounded.
pub fn shown(line: &[u8]) -> String {
    let line = line.get(..MAX_EVIDENCE_BYTES.min(line.len())).unwrap_or_default();
    String::from_utf8_lossy(line).chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| !c.is_control()).collect()
}

/// A path as the project's root sees it: without the folder that the service lies in where it runs.
pub fn relative(path: &str, root: &str) -> String {
    const USUAL: [&str; 6] = ["/workspace/", "/srv/app/", "/usr/src/app/", "/app/", "/var/task/", "/code/"];
    let root = root.trim_end_matches('/');
    let stripped = (!root.is_empty())
        .then(|| path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')))
        .flatten()
        .or_else(|| USUAL.iter().find_map(|usual| path.strip_prefix(usual)));
    let path = stripped.unwrap_or(path);
    path.strip_prefix("./").unwrap_or(path).to_owned()
}

/// Whether a path can be one in the project.
pub fn in_project(path: &str) -> bool {
    !path.starts_with('/') && trace::is_own(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(log: &str) -> Vec<Event> {
        let mut assembler = Assembler::default();
        let words = FaultWords::new();
        let mut events = Vec::new();
        for (line, number) in log.lines().zip(1..) {
            assembler.line(number, line.as_bytes(), words.as_ref(), |event| events.push(event));
        }
        events.extend(assembler.finish());
        events
    }

    #[test]
    fn a_node_trace_is_one_event_with_its_frames() {
        let log = "2026-11-23T10:00:00.123Z ERROR request failed: TypeError: Cannot read properties of undefined (reading 'name')\n\
                   \x20   at formatOrder (functions/lib/orders.js:12:34)\n\
                   \x20   at Layer.handle (/srv/app/node_modules/express/lib/layer.js:95:5)\n\
                   2026-11-23T10:00:01.000Z INFO next";
        let events = events(log);
        assert_eq!(events.len(), 1);
        let event = &events[0];
        assert_eq!(event.exception.as_deref(), Some("TypeError"));
        assert_eq!(event.message, "Cannot read properties of undefined (reading 'name')");
        assert_eq!(event.frames.len(), 2);
        assert_eq!((event.frames[0].own_code, event.frames[1].own_code), (true, false));
        assert_eq!(event.evidence[1], (2, "    at formatOrder (functions/lib/orders.js:12:34)".into()));
    }

    #[test]
    fn a_python_trace_ends_with_its_exception_and_may_be_chained() {
        let log = "Traceback (most recent call last):\n  File \"/app/shop.py\", line 3, in load\n    x = d['a']\n        ~^^^^^\n\
                   KeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\n\
                   Traceback (most recent call last):\n  File \"/app/main.py\", line 9, in main\n    load()\n\
                   \x20 File \"/app/shop.py\", line 5, in load\n    raise ShopError(1)\nshop.ShopError: no price\nnext line";
        let events = events(log);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].exception.as_deref(), Some("shop.ShopError"));
        assert_eq!(events[0].message, "no price");
        assert_eq!((events[0].frames[0].file.as_str(), events[0].frames[0].line), ("/app/shop.py", 5));
    }

    #[test]
    fn an_exception_that_is_only_mentioned_is_no_event() {
        assert_eq!(events("2026-11-23T10:00:00Z INFO retrying after TypeError: x\n2026-11-23T10:00:00Z INFO ok"), []);
        assert_eq!(events("2026-11-23T10:00:00Z INFO x: TypeError: x\n    at a (b.js:1:2)").len(), 1);
    }

    #[test]
    fn a_structured_line_is_an_event_by_itself() {
        let log = r#"{"level":"error","msg":"failed","err":{"stack":"TypeError: x\n    at a (b.js:1:2)\n    at c (d.js:3:4)"}}"#;
        let events = events(log);
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].exception.as_deref(), events[0].frames.len()), (Some("TypeError"), 2));
        assert_eq!(super::tests::events(r#"{"level":"info","msg":"error budget is fine"}"#), []);
    }

    #[test]
    fn words_tell_only_where_no_line_has_a_level() {
        assert_eq!(events("connection to db failed").len(), 1);
        assert!(events("connection to db failed")[0].guessed);
        let leveled = "2026-11-23T10:00:00Z INFO a\n2026-11-23T10:00:00Z INFO b\ncontinued text that failed";
        assert_eq!(events(leveled), []);
    }

    #[test]
    fn paths_are_taken_relative_to_the_services_folder() {
        assert_eq!(relative("/opt/shop/lib/a.js", "/opt/shop/"), "lib/a.js");
        assert_eq!(relative("/usr/src/app/lib/a.js", ""), "lib/a.js");
        assert_eq!(relative("./lib/a.js", ""), "lib/a.js");
    }
}
