//! Events of the same fault, together.

use std::collections::BTreeMap;

use autodevops_sdk::types::{Evidence, Issue, IssueKind, Location, Severity, StackFrame};
use serde::{Deserialize, Serialize};

use crate::{
    event::{Event, in_project, relative},
    rate::Series,
    record::Level,
    template::{cut, fingerprint, template},
};

/// Frames of the project's own code that tell faults apart.
const TOP_FRAMES: usize = 3;

/// Lines that are kept of a group.
const MAX_EVIDENCE: usize = 5;

/// A warning without an exception is worth a word when it was seen so often.
const FREQUENT: u64 = 5;

/// One fault.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    template: String,
    exception: Option<String>,
    message: String,
    level: Level,
    guessed: bool,
    count: u64,
    first: Option<i64>,
    last: Option<i64>,
    dated: bool,
    evidence: Vec<Evidence>,
    stack: Vec<StackFrame>,
    location: Option<Location>,
    series: Series,
    /// The source that told of it first.
    source: String,
    /// Number of the event that was counted last, for leaving.
    seen: u64,
}

/// All groups, bounded: the least recently seen leave first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Groups {
    by_fingerprint: BTreeMap<String, Group>,
    events: u64,
}

impl Groups {
    /// Counts an event.
    pub fn add(&mut self, source: &str, event: Event, root: &str, max_groups: usize) {
        self.events += 1;
        let mut stack = event.frames;
        for frame in &mut stack {
            frame.file = relative(&frame.file, root);
        }
        let own = stack.iter().filter(|frame| frame.own_code).take(TOP_FRAMES);
        let frames: Vec<String> =
            own.map(|frame| format!("{} {}", frame.function.as_deref().unwrap_or_default(), frame.file)).collect();
        let template = template(&event.message);
        let kind =
            event.exception.as_deref().unwrap_or(if event.message.starts_with("HTTP 5") { "http" } else { "log" });
        let mut parts = vec![kind, &template];
        parts.extend(frames.iter().map(String::as_str));
        let id = fingerprint(&parts);
        let events = self.events;
        let group = self.by_fingerprint.entry(id).or_insert_with(|| Group {
            template,
            exception: event.exception,
            message: event.message,
            level: event.level,
            guessed: event.guessed,
            count: 0,
            first: None,
            last: None,
            dated: true,
            evidence: Vec::new(),
            location: stack.iter().find(|frame| frame.own_code && in_project(&frame.file)).map(|frame| Location {
                path: frame.file.clone(),
                line: frame.line,
                column: frame.column,
            }),
            stack,
            series: Series::default(),
            source: source.to_owned(),
            seen: 0,
        });
        group.count += 1;
        group.seen = events;
        group.level = group.level.max(event.level);
        if let Some(time) = event.time {
            group.first = Some(group.first.map_or(time.nanoseconds, |first| first.min(time.nanoseconds)));
            group.last = Some(group.last.map_or(time.nanoseconds, |last| last.max(time.nanoseconds)));
            group.dated &= time.dated;
            group.series.add(time.nanoseconds);
        }
        // The first event with all its lines, then the first line of each further one.
        let lines = if group.count == 1 { MAX_EVIDENCE } else { 1 };
        for (line, text) in event.evidence.into_iter().take(lines) {
            if group.evidence.len() < MAX_EVIDENCE {
                group.evidence.push(Evidence { source: source.to_owned(), line, text });
            }
        }
        if self.by_fingerprint.len() > max_groups.max(1) {
            self.leave();
        }
    }

    /// A tenth of the groups leave: those that were seen longest ago.
    fn leave(&mut self) {
        let mut seen: Vec<u64> = self.by_fingerprint.values().map(|group| group.seen).collect();
        seen.sort_unstable();
        let border = seen.get(seen.len() / 10).copied().unwrap_or_default();
        self.by_fingerprint.retain(|_, group| group.seen > border);
    }

    /// The groups that are issues, in no order. `heard` says when a source was heard of first and last.
    pub fn issues(&self, heard: impl Fn(&str) -> Option<(i64, i64)>) -> Vec<Issue> {
        self.by_fingerprint
            .iter()
            .filter(|(_, group)| group.level > Level::Warning || group.exception.is_some() || group.count >= FREQUENT)
            .map(|(fingerprint, group)| group.issue(fingerprint, heard(&group.source)))
            .collect()
    }
}

impl Group {
    fn issue(&self, fingerprint: &str, heard: Option<(i64, i64)>) -> Issue {
        let title = match &self.exception {
            Some(exception) if self.message.is_empty() => exception.clone(),
            Some(exception) => format!("{exception}: {}", self.message),
            None => self.template.clone(),
        };
        let severity = self.severity();
        let confidence = match (self.guessed, self.level, self.stack.is_empty()) {
            (true, ..) => 0.5,
            (_, Level::Warning, true) => 0.6,
            (_, _, true) => 0.9,
            (_, _, false) => 0.95,
        };
        let rise = heard.and_then(|(first, last)| self.series.rise(first, last));
        Issue {
            exception: self.exception.clone(),
            message: self.message.clone(),
            confidence,
            count: self.count,
            first_seen: self.first.filter(|_| self.dated),
            last_seen: self.last.filter(|_| self.dated),
            evidence: self.evidence.clone(),
            location: self.location.clone(),
            stack: self.stack.clone(),
            rate: rise.map(|rise| rise.change),
            ..Issue::new(fingerprint, IssueKind::Exception, severity, cut(&title, 300))
        }
    }

    /// The level's; and what takes the whole service down is critical whatever it was logged as.
    fn severity(&self) -> Severity {
        const DEADLY: [&str; 6] =
            ["OutOfMemory", "out of memory", "MemoryError", "StackOverflow", "Segmentation fault", "heap limit"];
        let named = |text: &str| DEADLY.iter().any(|deadly| text.contains(deadly));
        if self.level >= Level::Error && (self.exception.as_deref().is_some_and(named) || named(&self.message)) {
            return Severity::Critical;
        }
        self.level.severity()
    }
}
