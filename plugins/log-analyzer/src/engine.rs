//! The analyzer without its component: sources in, issues out, all of it in a checkpoint.

use std::collections::BTreeMap;

use autodevops_sdk::types::{Issue, IssueKind, Severity};
use serde::{Deserialize, Serialize};

use crate::{
    event::{Assembler, Event},
    groups::Groups,
    lines::LineReader,
    rate::Series,
    record::{FaultWords, Level},
    template::fingerprint,
};

/// Sources that are followed at once.
const MAX_SOURCES: usize = 1000;

/// A rate that doubled is an error, a smaller rise a warning.
const DOUBLED: f64 = 2.0;

/// What the operator sets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Folder in which the service's files lie where it runs.
    pub root: String,
    /// Texts that make a line no issue.
    pub ignore: Vec<String>,
    /// Most groups that are kept.
    pub max_groups: usize,
}

/// One source's state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Source {
    lines: LineReader,
    assembler: Assembler,
    /// First and last time that a line was read of, in nanoseconds.
    heard: Option<(i64, i64)>,
    /// Errors and worse.
    errors: Series,
    /// When an error was seen first and last, where lines name their year.
    dated: bool,
}

/// The analyzer.
#[derive(Clone, Serialize, Deserialize)]
pub struct Engine {
    settings: Settings,
    sources: BTreeMap<String, Source>,
    groups: Groups,
    #[serde(skip, default = "matcher")]
    words: Option<std::sync::Arc<FaultWords>>,
}

fn matcher() -> Option<std::sync::Arc<FaultWords>> {
    FaultWords::new().map(std::sync::Arc::new)
}

impl Engine {
    /// A new analyzer.
    pub fn new(settings: Settings) -> Self {
        Self { settings, sources: BTreeMap::new(), groups: Groups::default(), words: matcher() }
    }

    /// Adds a part of a source, which may end anywhere.
    pub fn push(&mut self, name: &str, part: &[u8]) {
        if !self.sources.contains_key(name) {
            if self.sources.len() >= MAX_SOURCES {
                return;
            }
            self.sources.insert(name.to_owned(), Source { dated: true, ..Source::default() });
        }
        let Self { settings, sources, groups, words } = self;
        let Some(source) = sources.get_mut(name) else { return };
        let Source { lines, assembler, heard, errors, dated } = source;
        lines.push(part, |number, line| {
            let mut sink = Sink { name, settings, groups, errors };
            assembler.line(number, line, words.as_deref(), |event| sink.take(event));
            if let Some(time) = assembler.last_time() {
                *dated &= time.dated;
                let now = time.nanoseconds;
                *heard = Some(heard.map_or((now, now), |(first, last)| (first.min(now), last.max(now))));
            }
        });
    }

    /// The issues so far, the gravest first. What is unfinished counts as finished; nothing changes by asking.
    pub fn issues(&self) -> Vec<Issue> {
        let mut view = self.clone();
        view.finish();
        let mut issues = view.groups.issues(|name| view.sources.get(name).and_then(|source| source.heard));
        issues.extend(view.sources.iter().filter_map(|(name, source)| rising(name, source)));
        issues.sort_by(|a, b| {
            let key = |issue: &Issue| (severity_rank(issue.severity), issue.count);
            key(b).cmp(&key(a)).then_with(|| a.fingerprint.cmp(&b.fingerprint))
        });
        issues
    }

    fn finish(&mut self) {
        let Self { settings, sources, groups, words } = self;
        for (name, source) in sources {
            let mut sink = Sink { name, settings, groups, errors: &mut source.errors };
            if let Some((number, line)) = source.lines.unfinished() {
                source.assembler.line(number, line, words.as_deref(), |event| sink.take(event));
            }
            if let Some(event) = source.assembler.finish() {
                sink.take(event);
            }
        }
    }
}

const fn severity_rank(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Warning => 1,
        Severity::Error => 2,
        Severity::Critical => 3,
    }
}

/// Where a source's events go.
struct Sink<'a> {
    name: &'a str,
    settings: &'a Settings,
    groups: &'a mut Groups,
    errors: &'a mut Series,
}

impl Sink<'_> {
    fn take(&mut self, event: Event) {
        let ignored = |text: &String| event.evidence.iter().any(|(_, line)| line.contains(text.as_str()));
        if self.settings.ignore.iter().filter(|text| !text.is_empty()).any(ignored) {
            return;
        }
        if let Some(time) = event.time.filter(|_| event.level >= Level::Error) {
            self.errors.add(time.nanoseconds);
        }
        self.groups.add(self.name, event, &self.settings.root, self.settings.max_groups);
    }
}

/// The issue that a source's errors became more frequent.
fn rising(name: &str, source: &Source) -> Option<Issue> {
    let (first, last) = source.heard?;
    let rise = source.errors.rise(first, last)?;
    let change = rise.change;
    let factor = change.current_per_minute / change.baseline_per_minute;
    let minutes = change.window_seconds / 60;
    let title = format!(
        "Errors in {name} rose by {:.0} %: {:.1} a minute over the last {minutes} minutes, {:.1} before",
        (factor - 1.0) * 100.0,
        change.current_per_minute,
        change.baseline_per_minute
    );
    let severity = if factor >= DOUBLED { Severity::Error } else { Severity::Warning };
    Some(Issue {
        confidence: (0.9 + rise.deviation / 100.0).min(0.99),
        count: (change.current_per_minute * minutes as f64).round() as u64,
        first_seen: source.dated.then(|| last - (change.window_seconds as i64) * crate::time::SECOND),
        last_seen: source.dated.then_some(last),
        rate: Some(change),
        ..Issue::new(fingerprint(&["rising-rate", name]), IssueKind::RisingRate, severity, title)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn engine() -> Engine {
        Engine::new(Settings { max_groups: 100, ..Settings::default() })
    }

    fn analyze(log: &[u8]) -> Vec<Issue> {
        let mut engine = engine();
        engine.push("app.log", log);
        engine.issues()
    }

    const TRACE: &str = "2026-11-23T10:00:00Z ERROR TypeError: Cannot read properties of undefined (reading 'city')\n    \
                         at shippingLabel (/srv/app/functions/lib/orders.js:12:34)\n    \
                         at handler (/srv/app/functions/index.js:30:5)\n";

    #[test]
    fn the_same_fault_is_one_issue_with_its_place() {
        let later = TRACE.replace("10:00:00", "10:05:00").replace(":12:34", ":14:34");
        let issues = analyze(format!("{TRACE}2026-11-23T10:01:00Z INFO fine\n{later}").as_bytes());
        assert_eq!(issues.len(), 1);
        let issue = &issues[0];
        assert_eq!((issue.count, issue.severity), (2, Severity::Error));
        assert_eq!(issue.title, "TypeError: Cannot read properties of undefined (reading 'city')");
        let location = issue.location.as_ref().unwrap();
        assert_eq!((location.path.as_str(), location.line, location.column), ("functions/lib/orders.js", 12, Some(34)));
        assert_eq!(issue.evidence[0].line, 1);
        assert_eq!(issue.last_seen.unwrap() - issue.first_seen.unwrap(), 300 * crate::time::SECOND);
        assert_eq!(issue.fingerprint.len(), 16);
    }

    #[test]
    fn a_rise_of_errors_by_fifteen_percent_is_an_issue() {
        let mut log = String::new();
        for minute in 0..120 {
            let errors = if minute < 90 { 200 } else { 232 };
            for index in 0..errors {
                let second = index * 59 / errors;
                log += &format!(
                    "2026-11-23T{:02}:{:02}:{second:02}Z ERROR processing of order {index} failed\n",
                    10 + minute / 60,
                    minute % 60
                );
            }
        }
        let issues = analyze(log.as_bytes());
        let rising = issues.iter().find(|issue| issue.kind == IssueKind::RisingRate).unwrap();
        assert!(rising.title.contains("rose by 1"), "{}", rising.title);
        assert!(issues.iter().any(|issue| issue.kind == IssueKind::Exception && issue.rate.is_some()));
    }

    #[test]
    fn a_healthy_log_has_no_issues() {
        assert_eq!(analyze(b""), []);
        assert_eq!(analyze(b"2026-11-23T10:00:00Z INFO started, 0 errors\n2026-11-23T10:00:01Z DEBUG error=0\n"), []);
    }

    #[test]
    fn binary_noise_and_endless_lines_are_survived() {
        let mut engine = engine();
        let noise: Vec<u8> = (0..200_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        engine.push("a", &noise);
        engine.push("a", &vec![b'x'; 50 << 20]);
        engine.push("a", format!("\n{}", TRACE.replace('\n', "\r\n")).as_bytes());
        assert!(engine.issues().iter().any(|issue| issue.exception.as_deref() == Some("TypeError")));
        assert!(serde_json::to_vec(&engine).unwrap().len() < 16 << 20);
    }

    #[test]
    fn a_log_of_unique_faults_is_bounded() {
        let mut engine = engine();
        for index in 0..2000 {
            let name: String = format!("{index:04}").bytes().map(|byte| char::from(byte - b'0' + b'a')).collect();
            engine.push("a", format!("2026-11-23T10:00:00Z ERROR fault {name} happened\n").as_bytes());
        }
        assert!(engine.issues().len() <= 101);
    }

    #[test]
    fn what_is_ignored_is_no_issue() {
        let settings = Settings { ignore: vec!["shippingLabel".into()], max_groups: 10, ..Settings::default() };
        let mut engine = Engine::new(settings);
        engine.push("a", TRACE.as_bytes());
        assert_eq!(engine.issues(), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn parts_and_checkpoints_change_nothing(cuts in prop::collection::vec(0usize..900, 0..6), at in 0usize..6) {
            let log = format!("{TRACE}{{\"level\":\"error\",\"msg\":\"no stock for 7\"}}\n2026-11-23T10:01:00Z WARN slow\n\
                               Traceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\n    x\nKeyError: 'k'\n{TRACE}");
            let bytes = log.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let mut parts = engine();
            for (index, pair) in cuts.windows(2).enumerate() {
                parts.push("app.log", &bytes[pair[0]..pair[1]]);
                if index == at {
                    parts = serde_json::from_slice(&serde_json::to_vec(&parts).unwrap()).unwrap();
                }
            }
            prop_assert_eq!(parts.issues(), analyze(bytes));
        }
    }
}
