//! The analysis: sources in, issues out. It knows nothing of components and of the host.

mod faults;
mod reading;
mod together;

use std::collections::BTreeMap;

use autodevops_sdk::types::{Issue, IssueKind};
use serde::{Deserialize, Serialize};
pub use together::SharedSource;

use crate::{
    baseline::Baseline,
    colour,
    detect::{self, Belief, Finding, series::Series},
    group::Coverage,
    grouping::{Former, Group, GroupId, Grouping},
    groups::Groups,
    header::Layouts,
    join,
    line::Line,
    maps::{Looked, Maps},
    noise,
    record::Words,
    settings::Settings,
    source::Source,
    time::{self, LogTime},
};

/// Most bytes of a checkpoint.
const MAX_CHECKPOINT_BYTES: usize = 16 << 20;
/// Most sources that are followed at once; the least recently pushed leave first.
const MAX_SOURCES: usize = 2000;
/// Kinds of lines whose rates, gaps and durations are kept, over all sources; each source has its share of them.
const MAX_TRACKS: usize = 3000;
/// The least share of a source.
const MIN_TRACKS: usize = 24;
/// A route of a web server takes about as much as so many of them, with those that are seldom.
const TRACKS_PER_ROUTE: usize = 20;
/// Routes that any source may have.
const MIN_ROUTES: usize = 4;

/// All that the engine remembers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    sources: BTreeMap<String, Source>,
    grouping: Grouping,
    groups: Groups,
    /// The times that logs covered which are followed no more: those with a date, and those without.
    coverage: [Coverage; 2],
    pushes: u64,
    /// Sources that are followed no more, since there were too many.
    #[serde(default)]
    left_sources: u64,
    /// The faults that were there before.
    baseline: Baseline,
    /// The scripts whose source maps are looked for.
    #[serde(default)]
    looked: Looked,
    /// The headers' forms, which are found again.
    #[serde(skip)]
    layouts: Layouts,
    /// Room for a line without its colours.
    #[serde(skip)]
    room: Vec<u8>,
}

/// Analyzes logs in constant memory. What it reports depends on the bytes alone: not on how they are parted, nor on when it
/// was saved and restored.
#[derive(Default)]
pub struct Engine {
    means: Means,
    state: State,
}

/// What lines are read by, and what does not change by them.
#[derive(Default)]
struct Means {
    settings: Settings,
    words: Words,
    maps: Maps,
}

/// What one of several sources may keep.
struct Share {
    tracks: usize,
    routes: usize,
}

impl Share {
    /// Of one of so many.
    fn of(sources: usize) -> Self {
        let tracks = (MAX_TRACKS / sources.max(1)).max(MIN_TRACKS);
        Self { tracks, routes: (tracks / TRACKS_PER_ROUTE).max(MIN_ROUTES) }
    }
}

impl Engine {
    /// A new analysis.
    pub fn new(settings: Settings) -> Self {
        Self::default().with(settings)
    }

    /// An analysis that goes on from a checkpoint, with the default settings.
    ///
    /// # Errors
    /// When the bytes are no checkpoint.
    pub fn restore(checkpoint: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(Self { state: serde_json::from_slice(checkpoint)?, ..Self::default() })
    }

    /// The same analysis with other settings.
    #[must_use]
    pub fn with(mut self, settings: Settings) -> Self {
        self.means.settings = settings;
        self
    }

    /// The same analysis with source maps.
    #[must_use]
    pub fn with_maps(mut self, maps: Maps) -> Self {
        self.means.maps = maps;
        self
    }

    /// Adds bytes of a source. Parts of one source come in order and may end anywhere.
    pub fn push(&mut self, name: &str, bytes: &[u8]) {
        self.push_and_tell(name, bytes, |_| ());
        // Nobody was told of them.
        self.state.grouping.take_former();
    }

    /// Adds bytes of a source, and tells the group of each line that they finish, in order.
    pub fn push_and_tell(&mut self, name: &str, bytes: &[u8], mut tell: impl FnMut(GroupId)) {
        self.state.pushes += 1;
        let mut source = self.state.sources.remove(name).unwrap_or_default();
        source.used = self.state.pushes;
        let mut reader = std::mem::take(&mut source.lines);
        let (state, means) = (&mut self.state, &self.means);
        // Most logs have no colours, which one look at all of the bytes tells.
        let coloured = colour::may_be_in(bytes) || reader.unfinished().is_some_and(|(_, line)| colour::may_be_in(line));
        reader.push(bytes, |number, line| {
            tell(if coloured {
                state.coloured(name, &mut source, number, line, means)
            } else {
                state.line(name, &mut source, number, line, means)
            });
        });
        source.lines = reader;
        source.assembler.settle(&self.means.words);
        self.state.sources.insert(name.to_owned(), source);
        if self.state.sources.len() > MAX_SOURCES {
            self.state.leave_out_a_source(&self.means);
        }
    }

    /// The groups of the lines so far, in the order in which they were first seen.
    pub fn groups(&self) -> Vec<Group> {
        self.state.grouping.groups()
    }

    /// Patterns that are no more since this was last asked: their lines belong elsewhere now, or nowhere.
    pub fn take_former(&mut self) -> Vec<Former> {
        self.state.grouping.take_former()
    }

    /// The issues so far, those that matter most first. An unfinished last line counts as finished.
    pub fn issues(&self) -> Vec<Issue> {
        let mut state = self.state.clone();
        let names: Vec<String> = state.sources.keys().cloned().collect();
        for name in &names {
            state.finish(name, &self.means);
        }
        let findings = state.found(&self.means.settings);
        let mut issues = noise::hold_back(findings, self.means.settings.max_new_per_hour);
        if state.groups.left() > 0 {
            log::warn!(
                "{} kinds of issue were left out; raise `max-groups` in this plugin's configuration to keep more",
                state.groups.left()
            );
        }
        if state.left_sources > 0 {
            log::warn!(
                "{} sources were left out, the least recently read first, since {MAX_SOURCES} are kept: of those their faults are known, and not what became of the rates of their lines; analyze fewer at once",
                state.left_sources
            );
        }
        issues.sort_by(|a, b| {
            let about_lines = |issue: &Issue| issue.kind >= IssueKind::RateChange;
            (b.severity as u8)
                .cmp(&(a.severity as u8))
                .then(about_lines(a).cmp(&about_lines(b)))
                .then(b.count.cmp(&a.count))
                .then_with(|| a.fingerprint.cmp(&b.fingerprint))
        });
        issues
    }

    /// The same analysis, with faults that are known from before.
    #[must_use]
    pub fn knowing(mut self, baseline: Baseline) -> Self {
        self.state.baseline = baseline;
        self
    }

    /// Learns the faults so far, and forgets what was not seen for as many days as the settings say: the faults that are known now.
    pub fn learn(&mut self) -> &mut Baseline {
        let days = self.means.settings.baseline_days;
        let State { sources, groups, baseline, .. } = &mut self.state;
        let sources = sources.iter().filter_map(|(name, source)| Some((name.as_str(), source.seen[0]?)));
        baseline.learn(sources, groups.iter(), days);
        baseline
    }

    /// All that is needed to go on later, at most 16 MiB.
    ///
    /// # Errors
    /// When the state has no JSON form, which no state lacks.
    pub fn checkpoint(&self) -> Result<Vec<u8>, serde_json::Error> {
        self.checkpoint_within(MAX_CHECKPOINT_BYTES)
    }

    fn checkpoint_within(&self, most_bytes: usize) -> Result<Vec<u8>, serde_json::Error> {
        let bytes = serde_json::to_vec(&self.state)?;
        if bytes.len() <= most_bytes {
            return Ok(bytes);
        }
        // Thousands of sources with a huge unfinished line each: their lines are cut.
        let mut state = self.state.clone();
        let most = most_bytes / 8 / state.sources.len().max(1);
        for source in state.sources.values_mut() {
            source.lines.shorten(most);
            source.parts.shorten(most);
            source.evidence.clear();
            source.routes.forget_evidence();
        }
        let mut bytes = serde_json::to_vec(&state)?;
        // Thousands of kinds of lines with long numbers, or of routes: what says least leaves, of each source alike.
        while bytes.len() > most_bytes {
            let share = (bytes.len() - most_bytes) / state.sources.len().max(1) + 1;
            let saved: usize = state.sources.values_mut().map(|source| source.shrink(share)).sum();
            if saved == 0 && state.sources.is_empty() {
                break;
            }
            if saved == 0 {
                // Thousands of records that are not finished yet.
                (0..state.sources.len().div_ceil(8)).for_each(|_| state.leave_out_a_source(&self.means));
            }
            bytes = serde_json::to_vec(&state)?;
        }
        Ok(bytes)
    }
}

/// Has the coverage reach over these times, too.
fn cover(coverage: &mut Coverage, (from, to): (i64, i64)) {
    *coverage = Some(coverage.map_or((from, to), |(first, last)| (first.min(from), last.max(to))));
}

/// What both cover.
fn joint(mut all: [Coverage; 2], more: &[Coverage; 2]) -> [Coverage; 2] {
    for (all, more) in all.iter_mut().zip(more) {
        more.iter().for_each(|times| cover(all, *times));
    }
    all
}

impl State {
    /// Has what is kept of lines by their group know of groups that became others.
    #[inline]
    fn follow_moves(&mut self, source: &mut Source) {
        if let Some(moves) = self.grouping.take_moves() {
            let most = Share::of(self.sources.len() + 1).tracks;
            self.sources.values_mut().chain([source]).for_each(|source| source.watched.follow(most, &moves));
        }
    }

    /// Takes a line whose header is read and whose group is known; `stack` is the trace that comes with it in one piece.
    #[inline]
    fn take(&mut self, name: &str, source: &mut Source, line: &mut Line<'_>, stack: Option<&str>, means: &Means) {
        let Means { words, settings, .. } = means;
        if !source.passing.takes(line.time, &settings.since, &settings.until) {
            return;
        }
        let time = line.time.or_else(|| source.time_of_day(line.of_day?));
        line.time = self.believe(source, time);
        let finished = match stack {
            Some(stack) => source.assembler.structured(line, stack, words),
            None => source.assembler.line(line, words, |line| self.groups.know(line)),
        };
        // What the record holds that is being put together tells of a fault.
        let share = Share::of(self.sources.len() + 1);
        let time = line.time.filter(|time| source.watched.tells(*time));
        let is_request = time.is_some_and(|time| source.routes.line(line, time.nanoseconds, share.routes));
        source.watched.line(line, source.assembler.holds(), is_request, share.tracks);
        if let Some(finished) = finished {
            self.finished(name, source, finished, means);
        }
    }

    /// The line's time, where it is believed.
    fn believe(&mut self, source: &mut Source, time: Option<LogTime>) -> Option<LogTime> {
        let mut time = time?;
        if !time.dated && source.watched.covers().is_none() {
            self.start(source, time);
        }
        match source.watched.believe(&mut time) {
            Belief::Yes => {}
            Belief::No => return None,
            Belief::Anew { not } => {
                source.begin_anew();
                self.groups.were_not(not);
            }
        }
        let [dated, undated] = &mut source.seen;
        cover(if time.dated { dated } else { undated }, (time.nanoseconds, time.nanoseconds));
        Some(time)
    }

    /// Has a source's first time without a year be of the year in which it is near to those of other sources.
    #[cold]
    fn start(&self, source: &mut Source, time: LogTime) {
        let seen = self.sources.values().map(|other| other.seen[1]).chain([self.coverage[1]]);
        if let Some((_, newest)) = seen.flatten().max_by_key(|(_, last)| *last) {
            source.watched.start_near(time, newest);
        }
    }

    /// The findings, and what came with each.
    fn found(&self, settings: &Settings) -> Vec<Finding> {
        let mut loads = [Series::default(), Series::default()];
        for source in self.sources.values() {
            let [dated, undated] = &mut loads;
            (if source.watched.is_dated() { dated } else { undated }).merge(source.watched.all());
        }
        let coverage = self.sources.values().fold(self.coverage, |all, source| joint(all, &source.seen));
        let mut findings = self.groups.findings(coverage, &loads, &self.baseline, settings);
        let of_errors = findings.iter().any(|finding| {
            matches!(finding.issue.kind, IssueKind::ErrorBurst | IssueKind::NewPattern | IssueKind::CriticalError)
        });
        let mut patterns = BTreeMap::new();
        for group in self.grouping.groups() {
            patterns.extend(group.patterns.iter().map(|pattern| (*pattern, (group.id, group.template.clone()))));
        }
        for (name, source) in &self.sources {
            let before = findings.len();
            source.routes.find(name, &source.watched, &mut findings);
            if !of_errors && findings.len() == before {
                findings.extend(source.errors_rose(name));
            }
            findings.extend(detect::find(name, &source.watched, &patterns));
            source.tell(name);
        }
        findings.retain(|finding| !settings.ignores(&finding.issue));
        for finding in &mut findings {
            if let Some(severity) = settings.severity_of(&finding.issue) {
                finding.issue.severity = severity;
            }
        }
        // What names no year is of the year in which it is near to what does.
        if let [Some((_, now)), _] = coverage {
            for finding in findings.iter_mut().filter(|finding| !finding.dated && finding.onset != i64::MIN) {
                finding.onset = time::near(finding.onset, now);
            }
        }
        join::join(findings)
    }

    /// Follows the source no longer that was pushed least recently.
    fn leave_out_a_source(&mut self, means: &Means) {
        let oldest = self.sources.iter().min_by_key(|(_, source)| source.used).map(|(name, _)| name.clone());
        let Some(name) = oldest else { return };
        self.finish(&name, means);
        if let Some(source) = self.sources.remove(&name) {
            self.coverage = joint(self.coverage, &source.seen);
            self.left_sources += 1;
        }
    }

    /// Takes what a source has not finished as finished.
    fn finish(&mut self, name: &str, means: &Means) {
        let Some(mut source) = self.sources.remove(name) else { return };
        let unfinished = source.lines.unfinished().map(|(number, line)| (number, line.to_vec()));
        if let Some((number, line)) = unfinished {
            self.coloured(name, &mut source, number, &line, means);
        }
        for part in source.parts.finish() {
            self.whole(name, &mut source, part.number, &part.bytes, None, means);
        }
        if let Some(finished) = source.assembler.finish() {
            self.finished(name, &mut source, finished, means);
        }
        self.sources.insert(name.to_owned(), source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_that_would_be_too_large_leaves_out_the_lines_that_say_least() {
        let mut engine = Engine::default();
        for minute in 0..40 {
            for kind in 0..40_u8 {
                let letters = [b'a' + kind / 10, b'a' + kind % 10, b'a' + kind % 7].map(char::from);
                let name = letters.iter().collect::<String>().repeat(usize::from(kind) + 2);
                // One kind comes all the time, the others for a while.
                if kind == 7 || minute / 10 == kind / 10 {
                    let line =
                        format!("2026-11-23T10:{minute:02}:{kind:02}Z INFO {name} took {} ms\n", minute % 31 + 1);
                    engine.push("app.log", line.as_bytes());
                }
            }
        }
        let whole = engine.checkpoint().unwrap();
        let most = whole.len() * 2 / 3;
        let small = engine.checkpoint_within(most).unwrap();
        assert!(small.len() <= most && small.len() > most / 2, "{} of {}", small.len(), whole.len());
        let names = |bytes: &[u8]| {
            let State { mut sources, .. } = serde_json::from_slice(bytes).unwrap();
            sources.remove("app.log").unwrap().watched.shapes()
        };
        let (all, left) = (names(&whole), names(&small));
        assert!(left.len() < all.len() && !left.is_empty(), "{left:?}");
        assert!(left.iter().any(|shape| shape.starts_with("aha")), "{left:?}");
    }
}
