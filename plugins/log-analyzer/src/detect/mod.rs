//! What is wrong with lines that are no faults by themselves: rates that changed, lines that stopped, work that takes longer,
//! values that get to their limits.
//!
//! ```text
//! line ── clock ──> track: counts, gaps, durations, gauges ── change ──> finding ──> issue
//!        of a source  one for each group of the source
//! ```

mod bins;
mod change;
mod clock;
mod debugging;
pub mod durations;
mod find;
mod gaps;
mod gauges;
pub mod load;
pub mod numbers;
#[cfg(test)]
mod random;
pub mod rates;
pub mod series;
mod starts;
mod sure;
pub mod track;
mod wordings;

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry};

pub use clock::{Belief, Doubts};
pub use find::{Finding, Slow, change_of, find, history, lasting, more, slowdown, told};
use serde::{Deserialize, Serialize};
pub use sure::{burst as sure_of_burst, new_warning as sure_of_warning, sure_of_critical, sure_of_fault};

use self::{
    clock::Clock,
    gaps::Gaps,
    series::Series,
    track::{Room, Track},
};
use crate::{grouping::GroupId, line::Line, time::LogTime};

/// What is kept of the lines of one source.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Watched {
    /// The time of its lines.
    clock: Clock,
    /// All of them over time.
    all: Series,
    gaps: Gaps,
    lines: u64,
    tracks: BTreeMap<GroupId, Track>,
    /// Kinds that were left out for want of room: what is kept of one that comes again does not begin with its first line.
    #[serde(default)]
    left: BTreeSet<GroupId>,
    /// Whether some of them were forgotten.
    #[serde(default)]
    forgot: bool,
    /// Places with durations, and with values that have a limit, of all tracks.
    places: (usize, usize),
}

/// For each kind that may be kept, so many that were left out are remembered.
const LEFT_PER_TRACK: usize = 4;
/// One place with durations for so many kinds of lines that may be kept: 3,000 kinds with two each would take half a gigabyte.
const SHARE_OF_DURATIONS: usize = 10;
/// One place with values that have a limit for so many.
const SHARE_OF_GAUGES: usize = 4;

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched")
            .field("lines", &self.lines)
            .field("tracks", &self.tracks.len())
            .finish_non_exhaustive()
    }
}

impl Watched {
    /// Whether the time that a line tells is believed; one without a year is put where it is near the others.
    pub fn believe(&mut self, time: &mut LogTime) -> Belief {
        let belief = self.clock.admit(time);
        if matches!(belief, Belief::Anew { .. }) {
            // What was counted before is of a time that was not.
            (self.all, self.gaps, self.tracks, self.places) = Default::default();
            (self.left, self.forgot) = Default::default();
        }
        belief
    }

    /// Has the first time be put near this one, in nanoseconds, where neither has a year.
    pub fn start_near(&mut self, time: LogTime, now: i64) {
        self.clock.start_near(time, now);
    }

    /// Whether a time is told as the source tells its own: with a year, or without.
    pub const fn tells(&self, time: LogTime) -> bool {
        time.dated == self.clock.dated
    }

    /// Adds a line, with its time if that is believed. Faults are counted with the others, but tracked elsewhere, and so is how long
    /// requests took. At most `most` kinds are kept.
    pub fn line(&mut self, line: &Line<'_>, is_fault: bool, is_request: bool, most: usize) {
        self.lines += 1;
        let Some(LogTime { nanoseconds: at, .. }) = line.time.filter(|time| self.tells(*time)) else {
            return;
        };
        self.all.add(at);
        self.gaps.add(at);
        if is_fault {
            return;
        }
        let mut room = Room {
            durations: if is_request { 0 } else { (most / SHARE_OF_DURATIONS).saturating_sub(self.places.0) },
            gauges: (most / SHARE_OF_GAUGES).saturating_sub(self.places.1),
        };
        let before = room;
        if let Some(track) = self.tracks.get_mut(&line.group) {
            track.add(line, at, self.lines, &mut room);
        } else {
            if self.tracks.len() >= most.max(1) {
                self.make_room(most);
            }
            let mut track = Track::new(line, at);
            track.came_before = self.forgot || self.left.remove(&line.group);
            track.add(line, at, self.lines, &mut room);
            self.tracks.insert(line.group, track);
        }
        self.places.0 += before.durations - room.durations;
        self.places.1 += before.gauges - room.gauges;
    }

    /// Takes out those that say least: seldom, and long ago.
    fn make_room(&mut self, most: usize) {
        let mut kept: Vec<(u64, GroupId)> =
            self.tracks.iter().map(|(id, track)| (track.used + track.count.min(50) * 100, *id)).collect();
        kept.sort_unstable();
        for (_, id) in kept.iter().take(self.tracks.len() - (most - most / 8).min(self.tracks.len()) + 1) {
            self.leave_out(*id);
        }
        self.bound_left(most);
    }

    /// Forgets kinds that were left out, where there are too many.
    fn bound_left(&mut self, most: usize) {
        while self.left.len() > most.saturating_mul(LEFT_PER_TRACK) {
            self.left.pop_first();
            self.forgot = true;
        }
    }

    fn leave_out(&mut self, id: GroupId) {
        if let Some(track) = self.tracks.remove(&id) {
            self.left.insert(id);
            self.places.0 = self.places.0.saturating_sub(track.durations.len());
            self.places.1 = self.places.1.saturating_sub(track.gauges.len());
        }
    }

    /// Takes out those that say least until so many bytes of a checkpoint are saved, or none is left; gives what was saved.
    pub fn shrink(&mut self, bytes: usize) -> usize {
        let mut kept: Vec<(u64, GroupId)> =
            self.tracks.iter().map(|(id, track)| (track.used + track.count.min(50) * 100, *id)).collect();
        kept.sort_unstable();
        let mut saved = 0;
        for (_, id) in kept {
            if saved >= bytes {
                break;
            }
            saved += self.tracks.get(&id).and_then(|track| serde_json::to_vec(track).ok()).map_or(0, |text| text.len());
            self.leave_out(id);
        }
        saved
    }

    /// Gives the kinds of lines other numbers, and keeps at most `most` of them.
    pub fn renumber(&mut self, most: usize, mut number: impl FnMut(GroupId) -> GroupId) {
        self.left = std::mem::take(&mut self.left).into_iter().map(&mut number).collect();
        for (id, track) in std::mem::take(&mut self.tracks) {
            match self.tracks.entry(number(id)) {
                Entry::Occupied(mut known) => known.get_mut().merge(&track),
                Entry::Vacant(new) => drop(new.insert(track)),
            }
        }
        let count = |of: fn(&Track) -> usize| self.tracks.values().map(of).sum();
        self.places = (count(|track| track.durations.len()), count(|track| track.gauges.len()));
        if self.tracks.len() > most {
            self.make_room(most);
        }
    }

    /// Has what is kept of kinds that became others be of those, and forgets what is of kinds that never come again by the number that
    /// they had: that they do not come says nothing then. At most `most` kinds are kept.
    pub fn follow(&mut self, most: usize, moves: &HashMap<GroupId, Option<GroupId>>) {
        let moved: Vec<GroupId> = self.tracks.keys().filter(|id| moves.contains_key(id)).copied().collect();
        if moved.is_empty() {
            return;
        }
        moved.iter().filter(|id| moves.get(id) == Some(&None)).for_each(|id| self.leave_out(*id));
        self.renumber(most, |id| moves.get(&id).copied().flatten().unwrap_or(id));
    }

    /// What the lines of each kind have in common.
    #[cfg(test)]
    pub fn shapes(&self) -> Vec<String> {
        self.tracks.values().map(|track| track.shape.clone()).collect()
    }

    /// The times that it covers, in nanoseconds.
    pub const fn covers(&self) -> Option<(i64, i64)> {
        self.clock.covers
    }

    /// Whether its times have a year.
    pub const fn is_dated(&self) -> bool {
        self.clock.dated
    }

    /// All lines over time.
    pub const fn all(&self) -> &Series {
        &self.all
    }

    /// What was not believed of the lines' times.
    pub const fn doubts(&self) -> Doubts {
        self.clock.doubts
    }
}
