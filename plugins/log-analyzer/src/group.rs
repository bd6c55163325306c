//! Events that are the same fault, and the issue that they make.

use autodevops_sdk::types::{Evidence, Issue, IssueKind, Location, Severity, StackFrame};
use serde::{Deserialize, Serialize};

use crate::{
    detect::series::Series, event::Event, identity::Template, ids, path, record::Level, template::cut, time::LogTime,
};

/// Bytes of a message that are kept.
const MAX_MESSAGE_BYTES: usize = 2000;
/// Bytes of a title.
const MAX_TITLE_BYTES: usize = 160;
/// Lines of evidence of a group.
pub const MAX_EVIDENCE: usize = 10;
/// Bytes of a group's evidence after which only its lines' beginnings are kept.
const MAX_EVIDENCE_BYTES: usize = 4000;
/// Bytes that a group takes besides its texts.
const GROUP_BYTES: usize = 1500;

/// Warnings without an exception that make an issue.
const FREQUENT: u64 = 10;
/// Requests and traces that are kept of a group.
const MAX_IDS: usize = 24;

/// The times that a log covers: from its first to its last.
pub type Coverage = Option<(i64, i64)>;

/// Events that are the same fault.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    /// What is reported of it.
    pub issue: Issue,
    /// What its fingerprint was made of, where that may become more general.
    pub template: Option<Template>,
    /// Whether it counts without being frequent.
    sure: bool,
    /// Events by the minute, of times with a date or of those without.
    pub series: Series,
    /// Which of them.
    pub dated: bool,
    /// When it was seen first and last, in nanoseconds, of times like those of the series.
    pub times: Coverage,
    /// Requests and traces that its lines name, as hashes.
    pub ids: Vec<u64>,
    /// When it was seen first, in events.
    pub begun: u64,
    /// When it was seen last, in events.
    pub used: u64,
    /// About how many bytes it took in a checkpoint when it last changed.
    pub weight: usize,
}

impl Group {
    /// The group of an event, which is not counted yet.
    pub fn new(fingerprint: String, event: &Event, severity: Severity, root: &str, begun: u64) -> Self {
        let message = match &event.exception {
            Some((_, message)) if !message.is_empty() => message,
            _ => &event.content,
        };
        let title = match (&event.exception, event.status) {
            (Some((kind, message)), _) if message.is_empty() => kind.clone(),
            (Some((kind, message)), _) => format!("{kind}: {message}"),
            (None, Some(status)) => format!("HTTP {status}: {}", event.content),
            (None, None) => event.content.clone(),
        };
        let title = if title.is_empty() { "an error without a message".to_owned() } else { title };
        let issue = Issue {
            message: cut(message, MAX_MESSAGE_BYTES).to_owned(),
            exception: event.exception.as_ref().map(|(kind, _)| kind.clone()),
            confidence: 0.0,
            count: 0,
            location: location(&event.stack, root),
            stack: event.stack.clone(),
            ..Issue::new(fingerprint, IssueKind::Exception, severity, shorten(&title))
        };
        let dated = event.time.is_none_or(|time| time.dated);
        Self {
            issue,
            template: None,
            sure: false,
            series: Series::default(),
            dated,
            times: None,
            ids: Vec::new(),
            begun,
            used: begun,
            weight: 0,
        }
    }

    /// Counts an event at its time.
    pub fn count(&mut self, time: LogTime) {
        let at = time.nanoseconds;
        // The first time that counts says how they are told.
        if self.times.is_none() {
            self.dated = time.dated;
        }
        if time.dated == self.dated {
            self.series.add(at);
            self.times = Some(self.times.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        }
        if time.dated {
            self.issue.first_seen = Some(self.issue.first_seen.map_or(at, |first| first.min(at)));
            self.issue.last_seen = Some(self.issue.last_seen.map_or(at, |last| last.max(at)));
        }
    }

    /// Notes the requests and traces that the lines name.
    pub fn name<'a>(&mut self, lines: impl Iterator<Item = &'a [u8]>) {
        let mut names = lines.flat_map(ids::of);
        while self.wants_names()
            && let Some(id) = names.next()
        {
            if !self.ids.contains(&id) {
                self.ids.push(id);
            }
        }
    }

    /// Whether there is room for more of them.
    pub const fn wants_names(&self) -> bool {
        self.ids.len() < MAX_IDS
    }

    /// The same, mattering so much by the operator's word.
    #[must_use]
    pub fn of_severity(&self, severity: Severity) -> Self {
        let mut group = self.clone();
        group.sure = severity >= Severity::Error;
        group.issue.severity = severity;
        group
    }

    /// Whether its events are faults for sure; warnings are not.
    pub const fn is_sure(&self) -> bool {
        self.sure
    }

    /// Whether it is reported.
    pub fn is_issue(&self) -> bool {
        self.sure || self.issue.count >= FREQUENT
    }

    /// Matters as much as the worst of its events, and is as sure as the surest.
    pub fn rise_to(&mut self, severity: Severity, event: &Event) {
        // Who logs an exception without its stack as information has dealt with it.
        let handled = event.level.is_some_and(|level| level <= Level::Info);
        self.sure |= (event.exception.is_some() && !handled) || !event.stack.is_empty();
        self.rise(severity, confidence(event));
    }

    /// The same of a record of this level without an exception.
    pub fn rise_to_record(&mut self, severity: Severity, level: Level) {
        self.rise(severity, record_confidence(level));
    }

    fn rise(&mut self, severity: Severity, confidence: f64) {
        self.sure |= severity >= Severity::Error;
        self.issue.severity = self.issue.severity.max(severity);
        self.issue.confidence = self.issue.confidence.max(confidence);
    }

    /// Takes in what another group counted, whose fault turned out to be the same.
    pub fn merge(&mut self, other: &Self) {
        let (issue, others) = (&mut self.issue, &other.issue);
        issue.count += others.count;
        issue.first_seen = [issue.first_seen, others.first_seen].into_iter().flatten().min();
        issue.last_seen = issue.last_seen.max(others.last_seen);
        let room = MAX_EVIDENCE.saturating_sub(issue.evidence.len());
        issue.evidence.extend(others.evidence.iter().take(room).cloned());
        if self.dated == other.dated {
            self.series.merge(&other.series);
            self.times = [self.times, other.times].into_iter().flatten().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        }
        let room = MAX_IDS.saturating_sub(self.ids.len());
        self.ids.extend(other.ids.iter().take(room));
        self.used = self.used.max(other.used);
        self.sure |= other.sure;
        self.issue.severity = self.issue.severity.max(other.issue.severity);
        self.issue.confidence = self.issue.confidence.max(other.issue.confidence);
    }

    /// Keeps lines as evidence: all of the first event, one of each later.
    pub fn show(&mut self, source: &str, lines: &[(u64, String)]) {
        let most = if self.issue.evidence.is_empty() { lines.len() } else { 1 };
        for (line, text) in lines.iter().take(most) {
            let mut text = text.clone();
            if self.issue.evidence.len() >= MAX_EVIDENCE {
                return;
            }
            let taken: usize = self.issue.evidence.iter().map(|evidence| evidence.text.len()).sum();
            if taken + text.len() > MAX_EVIDENCE_BYTES {
                text.truncate(cut(&text, 100).len());
            }
            self.issue.evidence.push(Evidence { source: cut(source, 300).to_owned(), line: *line, text });
        }
    }

    /// About how many bytes it takes in a checkpoint.
    pub fn weight(&self) -> usize {
        // A quote or a backslash takes two bytes in JSON.
        let escaped = |text: &str| text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        let issue = &self.issue;
        let evidence: usize = issue.evidence.iter().map(|line| escaped(&line.text) + escaped(&line.source) + 50).sum();
        let frame = |frame: &StackFrame| escaped(&frame.file) + frame.function.as_deref().map_or(0, escaped) + 90;
        let stack: usize = issue.stack.iter().map(frame).sum();
        GROUP_BYTES
            + self.template.as_ref().map_or(0, |template| escaped(&template.text))
            + escaped(&issue.title)
            + escaped(&issue.message)
            + evidence
            + stack
    }
}

/// The text as a title: its beginning.
pub fn shorten(title: &str) -> String {
    let short = cut(title, MAX_TITLE_BYTES);
    if short.len() < title.len() { format!("{}…", cut(short, MAX_TITLE_BYTES - 3)) } else { title.to_owned() }
}

/// How much an event matters.
pub fn severity(event: &Event) -> Severity {
    match event.level {
        None | Some(Level::Error) if event.told.critical => Severity::Critical,
        Some(Level::Debug | Level::Info) if event.stack.is_empty() => Severity::Warning,
        Some(Level::Debug | Level::Info) => Severity::Error,
        Some(level) => level.severity(),
        None if event.exception.is_some() || !event.stack.is_empty() || event.status.is_some() => Severity::Error,
        None if event.told.fault == Some(true) => Severity::Error,
        None => Severity::Warning,
    }
}

fn confidence(event: &Event) -> f64 {
    match event.level {
        _ if !event.stack.is_empty() => 0.95,
        Some(level) if level >= Level::Error => record_confidence(level),
        _ if event.exception.is_some() => 0.85,
        _ if event.status.is_some() => 0.8,
        _ => 0.5,
    }
}

fn record_confidence(level: Level) -> f64 {
    if level >= Level::Error { 0.9 } else { 0.5 }
}

fn location(stack: &[StackFrame], root: &str) -> Option<Location> {
    let frame = stack.iter().find(|frame| frame.own_code)?;
    let path = path::relative(&frame.file, root)?;
    Some(Location { path, line: frame.line, column: frame.column })
}
