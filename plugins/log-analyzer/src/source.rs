//! What is known of one source, and what is to be said of it as a whole.

use autodevops_sdk::types::Evidence;
use serde::{Deserialize, Serialize};

use crate::{
    days::Days,
    detect::{Doubts, Finding, Watched, series::Series},
    envelope,
    event::Assembler,
    group::Coverage,
    journal,
    lines::LineReader,
    rising,
    routes::Routes,
    time::LogTime,
    window::Passing,
};

/// Lines of evidence of an issue about a source.
pub const MAX_EVIDENCE: usize = 5;

/// What is known of one source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Source {
    /// Its bytes as lines.
    pub lines: LineReader,
    /// Its lines as records.
    pub assembler: Assembler,
    /// The journal's entry that is being read.
    #[serde(default)]
    pub journal: journal::Export,
    /// The lines that a container's runtime wrote in parts.
    #[serde(default)]
    pub parts: envelope::Parts,
    /// Which of its lines are within the time that is analyzed.
    #[serde(default)]
    pub passing: Passing,
    /// The days that went by, where its lines tell the time of the day alone.
    #[serde(default)]
    pub days: Days,
    /// Its errors over time.
    pub errors: Series,
    /// How many those are.
    pub count: u64,
    /// What is kept of its lines by kind.
    pub watched: Watched,
    /// The requests that it tells of.
    #[serde(default)]
    pub routes: Routes,
    /// The times that its lines tell: those with a date, and those without.
    pub seen: [Coverage; 2],
    /// The first lines of errors, by their numbers.
    pub evidence: Vec<(u64, String)>,
    /// The push that was its last.
    pub used: u64,
}

impl Source {
    /// The time of a line that tells the time of the day alone, in nanoseconds since midnight; none where others of the source tell dates.
    pub fn time_of_day(&mut self, nanoseconds: i64) -> Option<LogTime> {
        let tells_dates = self.watched.covers().is_some() && self.watched.is_dated();
        (!tells_dates).then(|| self.days.time(nanoseconds))
    }

    /// Counts an error of this time.
    pub fn count_error(&mut self, time: Option<LogTime>) {
        self.count += 1;
        if let Some(time) = time.filter(|time| self.watched.tells(*time)) {
            self.errors.add(time.nanoseconds);
        }
    }

    /// Forgets what was counted by a time that was none of the source's.
    pub fn begin_anew(&mut self) {
        self.seen = Default::default();
        self.errors = Series::default();
        self.routes = Routes::default();
    }

    /// Takes out what says least until so many bytes of a checkpoint are saved, or none is left; gives what was saved.
    pub fn shrink(&mut self, bytes: usize) -> usize {
        let saved = self.watched.shrink(bytes);
        saved + self.routes.shrink(bytes.saturating_sub(saved))
    }

    /// Says what of its lines was left out, or not believed.
    pub fn tell(&self, name: &str) {
        if self.journal.refused > 0 {
            log::warn!(
                "{name}: {} lines look like a journal's entry that holds more than it may, and are read like any other line",
                self.journal.refused
            );
        }
        let Passing { undated, untold, .. } = self.passing;
        if undated > 0 {
            log::warn!(
                "{name}: {undated} lines tell no year, and are taken for those of the year that is nearest to `since` and `until`"
            );
        }
        if untold > 0 {
            log::warn!(
                "{name}: {untold} lines come before any that tells a date, and are left out where `since` or `until` is set: with neither, all are read"
            );
        }
        let Doubts { lines, ahead, jumps } = self.watched.doubts();
        if lines > 0 {
            log::warn!(
                "{name}: {lines} lines tell a time far from their neighbours', or in another form; {ahead} of them tell one in their future; they count in no rate, and the clock was set {jumps} times"
            );
        }
    }

    /// An issue about all errors of the source, where they became more frequent while no single kind of them did.
    pub fn errors_rose(&self, name: &str) -> Option<Finding> {
        let [dated, undated] = self.seen;
        let coverage = dated.or(undated)?;
        let changed = rising::change(&self.errors, self.watched.all(), coverage)?;
        let line = |(line, text): &(u64, String)| Evidence { source: name.to_owned(), line: *line, text: text.clone() };
        Some(rising::of_source(
            name,
            self.count,
            &changed,
            &self.errors,
            coverage,
            dated.is_some(),
            self.evidence.iter().map(line).collect(),
        ))
    }
}
