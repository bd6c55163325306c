//! Events that are the same fault, and the issues that they make.

use std::collections::{BTreeMap, HashMap};

use autodevops_sdk::types::{Evidence, Issue, IssueKind, Location, RateChange, Severity, StackFrame};
use serde::{Deserialize, Serialize};

use crate::{
    event::Event,
    miner::{Miner, stands_for},
    path,
    rate::{Rise, Series},
    record::Level,
    template::{cut, fingerprint, template},
};

/// Bytes of a message that are kept.
const MAX_MESSAGE_BYTES: usize = 2000;
/// Bytes of a title.
const MAX_TITLE_BYTES: usize = 160;
/// Lines of evidence of a group.
const MAX_EVIDENCE: usize = 10;
/// Bytes of a group's evidence after which only its lines' beginnings are kept.
const MAX_EVIDENCE_BYTES: usize = 4000;
/// Frames of the project's own code that tell faults apart.
const TELLING_FRAMES: usize = 3;
/// Warnings without an exception that make an issue.
const FREQUENT: u64 = 10;
/// Bytes that all groups may take in a checkpoint, by [`Group::weight`].
const MAX_BYTES: usize = 11 << 20;
/// Bytes that a group takes besides its texts.
const GROUP_BYTES: usize = 1500;

/// Most templates whose groups are kept at hand.
const MAX_KNOWN: usize = 1000;

/// The times that a log covers: from its first to its last.
pub type Coverage = Option<(i64, i64)>;

/// Events that are the same fault.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Group {
    issue: Issue,
    /// What its fingerprint was made of, where that may become more general.
    template: Option<Template>,
    /// Whether it counts without being frequent.
    sure: bool,
    /// Events by the minute, of times with a date or of those without.
    series: Series,
    dated: bool,
    /// When it was seen last, in events.
    used: u64,
    weight: usize,
}

/// What records without a stack have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Template {
    /// Exceptions of this type, or records of this severity.
    of: String,
    text: String,
}

impl Template {
    fn fingerprint(&self) -> String {
        fingerprint(&[&self.of, &self.text])
    }
}

/// All groups: bounded in number and bytes, the least recently seen leave first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Groups {
    groups: BTreeMap<String, Group>,
    events: u64,
    weight: usize,
    /// Groups that had to leave.
    left: u64,
    miner: Miner,
    /// The groups of templates, as long as the miner learns nothing new.
    #[serde(skip)]
    known: HashMap<Template, String>,
    /// The last record without a stack, and its group: logs repeat themselves.
    #[serde(skip)]
    last: Option<(Event, Severity, String)>,
}

impl Groups {
    /// Adds an event; gives how much it matters.
    pub fn add(&mut self, source: &str, event: Event, root: &str, most: usize) -> Severity {
        self.events += 1;
        let (severity, key) = match self.last.take() {
            Some((last, severity, key)) if last.says_the_same(&event) => (severity, key),
            _ => {
                let severity = severity(&event);
                let key = match template_of(&event, severity) {
                    Some(template) => self.mine(template, &event, severity, root),
                    None => key(&event, root),
                };
                (severity, key)
            }
        };
        let dated = event.time.is_some_and(|time| time.dated);
        let group = self.groups.entry(key.clone()).or_insert_with(|| Group::new(key.clone(), &event, severity, root));
        group.used = self.events;
        group.issue.count += 1;
        group.rise_to(severity, &event);
        if let Some(time) = event.time.filter(|_| dated == group.dated) {
            group.series.add(time.nanoseconds);
        }
        if let Some(time) = event.time.filter(|time| time.dated) {
            let time = time.nanoseconds;
            group.issue.first_seen = Some(group.issue.first_seen.map_or(time, |first| first.min(time)));
            group.issue.last_seen = Some(group.issue.last_seen.map_or(time, |last| last.max(time)));
        }
        if group.issue.evidence.len() < MAX_EVIDENCE {
            group.show(source, &event.lines);
            self.weight -= group.weight;
            group.weight = group.weight();
            self.weight += group.weight;
        }
        if self.groups.len() > most || self.weight > MAX_BYTES {
            self.make_room(most);
        }
        if event.stack.is_empty() {
            self.last = Some((event, severity, key));
        }
        severity
    }

    /// The group of a template, made when there is none. Groups that it turned out to stand for are merged into it.
    fn mine(&mut self, template: Template, event: &Event, severity: Severity, root: &str) -> String {
        if let Some(key) = self.known.get(&template).filter(|key| self.groups.contains_key(*key)) {
            return key.clone();
        }
        let learnt = self.miner.learn(template.text.clone());
        let asked = template;
        let template = Template { text: learnt.template, of: asked.of.clone() };
        let key = template.fingerprint();
        if learnt.general {
            self.generalize(&template, &key);
        }
        if learnt.new || self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(asked, key.clone());
        let group = self.groups.entry(key.clone()).or_insert_with(|| Group::new(key.clone(), event, severity, root));
        group.template = Some(template);
        key
    }

    fn generalize(&mut self, template: &Template, key: &str) {
        let is_special = |group: &Group| {
            group.template.as_ref().is_some_and(|special| {
                special.of == template.of && special != template && stands_for(&template.text, &special.text)
            })
        };
        let special: Vec<String> =
            self.groups.iter().filter(|(_, group)| is_special(group)).map(|(key, _)| key.clone()).collect();
        for special in special {
            let Some(mut group) = self.groups.remove(&special) else { continue };
            self.weight -= group.weight;
            if let Some(known) = self.groups.remove(key) {
                self.weight -= known.weight;
                group.merge(&known);
            }
            key.clone_into(&mut group.issue.fingerprint);
            group.template = Some(template.clone());
            group.weight = group.weight();
            self.weight += group.weight;
            self.groups.insert(key.to_owned(), group);
        }
    }

    /// Takes out the least recently seen, an eighth more than needed, so that it is not needed again at once.
    fn make_room(&mut self, most: usize) {
        let mut used: Vec<(u64, String)> = self.groups.iter().map(|(key, group)| (group.used, key.clone())).collect();
        used.sort_unstable();
        let (number, bytes) = (most - most / 8, MAX_BYTES - MAX_BYTES / 8);
        for (_, key) in used {
            if self.groups.len() <= number.max(1) && self.weight <= bytes {
                break;
            }
            if let Some(group) = self.groups.remove(&key) {
                self.weight -= group.weight;
                self.left += 1;
            }
        }
    }

    /// The issues, those that matter most first; `coverage` is of times with a date and of those without.
    pub fn issues(&self, dated: Coverage, undated: Coverage) -> Vec<Issue> {
        let mut issues = Vec::new();
        for group in self.groups.values().filter(|group| group.sure || group.issue.count >= FREQUENT) {
            let coverage = if group.dated { dated } else { undated };
            if let Some(rise) = coverage.and_then(|(first, last)| group.series.rise(first, last)) {
                issues.push(group.rising(&rise));
            }
            issues.push(group.issue.clone());
        }
        issues
    }

    /// Groups that had to leave.
    pub fn left(&self) -> u64 {
        self.left
    }
}

impl Group {
    fn new(fingerprint: String, event: &Event, severity: Severity, root: &str) -> Self {
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
            count: 0,
            location: location(&event.stack, root),
            stack: event.stack.clone(),
            ..Issue::new(fingerprint, IssueKind::Exception, severity, shorten(&title))
        };
        let dated = event.time.is_none_or(|time| time.dated);
        Self { issue, template: None, sure: false, series: Series::default(), dated, used: 0, weight: 0 }
    }

    /// Matters as much as the worst of its events, and is as sure as the surest.
    fn rise_to(&mut self, severity: Severity, event: &Event) {
        // Who logs an exception without its stack as information has dealt with it.
        let handled = event.level.is_some_and(|level| level <= Level::Info);
        self.sure |= (event.exception.is_some() && !handled) || !event.stack.is_empty() || severity >= Severity::Error;
        self.issue.severity = self.issue.severity.max(severity);
        self.issue.confidence = self.issue.confidence.max(confidence(event));
    }

    /// Takes in what another group counted, whose fault turned out to be the same.
    fn merge(&mut self, other: &Self) {
        let (issue, others) = (&mut self.issue, &other.issue);
        issue.count += others.count;
        issue.first_seen = [issue.first_seen, others.first_seen].into_iter().flatten().min();
        issue.last_seen = issue.last_seen.max(others.last_seen);
        let room = MAX_EVIDENCE.saturating_sub(issue.evidence.len());
        issue.evidence.extend(others.evidence.iter().take(room).cloned());
        if self.dated == other.dated {
            self.series.merge(&other.series);
        }
        self.used = self.used.max(other.used);
        self.sure |= other.sure;
        self.issue.severity = self.issue.severity.max(other.issue.severity);
        self.issue.confidence = self.issue.confidence.max(other.issue.confidence);
    }

    /// Keeps lines as evidence: all of the first event, one of each later.
    fn show(&mut self, source: &str, lines: &[(u64, String)]) {
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
    fn weight(&self) -> usize {
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

    fn rising(&self, rise: &Rise) -> Issue {
        let (severity, change) = measure(rise);
        Issue {
            kind: IssueKind::RisingRate,
            fingerprint: fingerprint(&["rising-rate", &self.issue.fingerprint]),
            title: shorten(&format!("{} often: {}", more(rise, "as"), self.issue.title)),
            severity: severity.min(self.issue.severity),
            confidence: sureness(rise),
            rate: Some(change),
            ..self.issue.clone()
        }
    }
}

/// An issue about all errors of a source.
pub fn rising_source(source: &str, count: u64, rise: &Rise, seen: Coverage, evidence: Vec<Evidence>) -> Issue {
    let (severity, change) = measure(rise);
    let title = format!(
        "{} errors in {source}: {:.1} a minute over {} minutes, {:.1} before",
        more(rise, "as many"),
        rise.current,
        rise.minutes,
        rise.baseline
    );
    Issue {
        message: cut(&title, MAX_MESSAGE_BYTES).to_owned(),
        confidence: sureness(rise),
        count,
        first_seen: seen.map(|(first, _)| first),
        last_seen: seen.map(|(_, last)| last),
        evidence,
        rate: Some(change),
        ..Issue::new(fingerprint(&["rising-rate", "source", source]), IssueKind::RisingRate, severity, shorten(&title))
    }
}

/// How much more: `15 % more`, or from three times on, `4 times as`.
fn more(rise: &Rise, equally: &str) -> String {
    let ratio = rise.current / rise.baseline;
    if ratio < 3.0 { format!("{:.0} % more", (ratio - 1.0) * 100.0) } else { format!("{ratio:.0} times {equally}") }
}

/// A rate that rose by half is as bad as an error.
fn measure(rise: &Rise) -> (Severity, RateChange) {
    let severity = if rise.current >= rise.baseline * 1.5 { Severity::Error } else { Severity::Warning };
    let change = RateChange {
        baseline_per_minute: rise.baseline,
        current_per_minute: rise.current,
        window_seconds: rise.minutes * 60,
    };
    (severity, change)
}

/// From 0.9 at the least deviate that is reported, towards 1.
fn sureness(rise: &Rise) -> f64 {
    1.0 - 0.43 / rise.deviate.max(4.3)
}

fn shorten(title: &str) -> String {
    let short = cut(title, MAX_TITLE_BYTES);
    if short.len() < title.len() { format!("{}…", cut(short, MAX_TITLE_BYTES - 3)) } else { title.to_owned() }
}

fn severity(event: &Event) -> Severity {
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
        Some(level) if level >= Level::Error => 0.9,
        _ if event.exception.is_some() => 0.85,
        _ if event.status.is_some() => 0.8,
        _ => 0.5,
    }
}

fn location(stack: &[StackFrame], root: &str) -> Option<Location> {
    let frame = stack.iter().find(|frame| frame.own_code)?;
    let path = path::relative(&frame.file, root)?;
    Some(Location { path, line: frame.line, column: frame.column })
}

/// What tells records without a stack apart: the exception's type, or the status, or the severity; and the template.
fn template_of(event: &Event, severity: Severity) -> Option<Template> {
    if !event.stack.is_empty() {
        return None;
    }
    let (of, text) = match (&event.exception, event.status) {
        (_, Some(status)) => (format!("status {status}"), template(&event.content)),
        (Some((kind, message)), None) if !message.is_empty() => (format!("exception {kind}"), template(message)),
        _ => {
            let severity = match severity {
                Severity::Info => "info",
                Severity::Warning => "warning",
                Severity::Error => "error",
                Severity::Critical => "critical",
            };
            (format!("record {severity}"), template(&event.content))
        }
    };
    Some(Template { of, text })
}

/// What tells traces apart: the exception's type, its message's template and the first own frames.
fn key(event: &Event, root: &str) -> String {
    let (kind, message) =
        event.exception.as_ref().map_or(("", event.content.as_str()), |(kind, message)| (kind, message));
    let message = template(message);
    let own: Vec<&StackFrame> = event.stack.iter().filter(|frame| frame.own_code).take(TELLING_FRAMES).collect();
    let frames = if own.is_empty() { event.stack.iter().take(TELLING_FRAMES).collect() } else { own };
    let frames: Vec<String> = frames
        .into_iter()
        .map(|frame| {
            let file = path::relative(&frame.file, root).unwrap_or_else(|| frame.file.clone());
            format!("{}@{file}", frame.function.as_deref().unwrap_or("-"))
        })
        .collect();
    let mut parts = vec!["trace", kind, &message];
    parts.extend(frames.iter().map(String::as_str));
    fingerprint(&parts)
}
