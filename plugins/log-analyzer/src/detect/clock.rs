//! The time of a source's lines, where some of them may lie.

use serde::{Deserialize, Serialize};

use crate::time::{LogTime, SECOND};

/// A line may be so much older than the newest.
const LATE: i64 = 3600 * SECOND;
/// A line may be so much newer than the newest.
const AHEAD: i64 = 24 * 3600 * SECOND;
/// So many lines in a row that agree on another time are believed.
const AGREED: u32 = 20;

/// The time of a source's lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The times that it covers, in nanoseconds.
    pub covers: Option<(i64, i64)>,
    /// Whether they have a year.
    pub dated: bool,
    now: i64,
    other: i64,
    agreed: u32,
    /// Lines since the clock was set.
    believed: u32,
    /// What was not believed.
    pub doubts: Doubts,
}

/// Whether a line's time is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// It is.
    Yes,
    /// It is far from the others'.
    No,
    /// It is, and what was believed before was no time of the log's.
    Anew {
        /// From when to when that was, in nanoseconds.
        not: (i64, i64),
    },
}

/// What was not believed of the lines' times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubts {
    /// Lines whose time was not believed.
    pub lines: u64,
    /// Those among them that tell a time later than what was believed.
    pub ahead: u64,
    /// How often the clock was set.
    pub jumps: u64,
}

impl Clock {
    /// Whether the line's time is believed. One without a year where the others have one is, and moves nothing.
    pub fn admit(&mut self, time: LogTime) -> Belief {
        let at = time.nanoseconds;
        let Some((first, last)) = self.covers else {
            *self = Self { covers: Some((at, at)), dated: time.dated, now: at, believed: 1, ..*self };
            return Belief::Yes;
        };
        if time.dated != self.dated {
            self.doubts.lines += 1;
            return Belief::Yes;
        }
        let near = |now: i64| at >= now.saturating_sub(LATE) && at <= now.saturating_add(AHEAD);
        if near(self.now) {
            self.agreed = 0;
        } else {
            self.agreed = if near(self.other) { self.agreed + 1 } else { 1 };
            self.other = at;
            if self.agreed < AGREED {
                self.doubts.lines += 1;
                self.doubts.ahead += u64::from(at > self.now);
                return Belief::No;
            }
            self.doubts.jumps += 1;
            // A log may begin with a few lines of a clock that was not set yet, or that ran ahead.
            let anew = self.believed < AGREED;
            (self.now, self.agreed, self.believed) = (at, 0, 1);
            if anew {
                self.covers = Some((at, at));
                return Belief::Anew { not: (first, last) };
            }
        }
        self.believed = self.believed.saturating_add(1);
        self.now = self.now.max(at);
        self.covers = Some((first.min(at), last.max(at)));
        Belief::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> LogTime {
        LogTime { nanoseconds: second * SECOND, dated: true }
    }

    #[test]
    fn one_line_far_away_is_not_believed_and_many_are() {
        let mut clock = Clock::default();
        assert!((1000..1030).all(|second| clock.admit(at(second)) == Belief::Yes));
        let times = [900_000, 1030];
        assert_eq!(times.map(|second| clock.admit(at(second))), [Belief::No, Belief::Yes]);
        assert_eq!(clock.covers, Some((1000 * SECOND, 1030 * SECOND)));
        let believed = (0..30).filter(|second| clock.admit(at(900_000 + second)) == Belief::Yes).count();
        assert_eq!((believed, clock.doubts), (11, Doubts { lines: 20, ahead: 20, jumps: 1 }));
    }

    #[test]
    fn a_log_that_begins_in_the_future_or_before_its_clock_was_set_begins_anew() {
        for wrong in [4_000_000_000, 3] {
            let mut clock = Clock::default();
            clock.admit(at(wrong));
            clock.admit(at(wrong + 1));
            let beliefs: Vec<Belief> = (0..100).map(|second| clock.admit(at(1_000_000 + second))).collect();
            assert_eq!(clock.covers, Some((1_000_019 * SECOND, 1_000_099 * SECOND)), "{wrong}");
            assert_eq!(
                (beliefs[18], beliefs[19], beliefs[20]),
                (Belief::No, Belief::Anew { not: (wrong * SECOND, (wrong + 1) * SECOND) }, Belief::Yes)
            );
            assert_eq!(clock.doubts.jumps, 1);
        }
    }
}
