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
    /// Lines whose time was not believed.
    pub doubted: u64,
    /// How often the clock was set.
    pub jumps: u64,
}

impl Clock {
    /// The line's time, where it is believed.
    pub fn admit(&mut self, time: LogTime) -> Option<i64> {
        let at = time.nanoseconds;
        let Some((first, last)) = self.covers else {
            *self = Self { covers: Some((at, at)), dated: time.dated, now: at, ..*self };
            return Some(at);
        };
        if time.dated != self.dated {
            self.doubted += 1;
            return None;
        }
        let near = |now: i64| at >= now.saturating_sub(LATE) && at <= now.saturating_add(AHEAD);
        if !near(self.now) {
            self.agreed = if near(self.other) { self.agreed + 1 } else { 1 };
            self.other = at;
            if self.agreed < AGREED {
                self.doubted += 1;
                return None;
            }
            (self.now, self.agreed) = (at, 0);
            self.jumps += 1;
        } else {
            self.agreed = 0;
        }
        self.now = self.now.max(at);
        self.covers = Some((first.min(at), last.max(at)));
        Some(at)
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
        assert_eq!(clock.admit(at(1000)), Some(1000 * SECOND));
        assert_eq!(clock.admit(at(900_000)), None);
        assert_eq!(clock.admit(at(1001)), Some(1001 * SECOND));
        assert_eq!(clock.covers, Some((1000 * SECOND, 1001 * SECOND)));
        let believed = (0..30).filter(|second| clock.admit(at(900_000 + second)).is_some()).count();
        assert_eq!((believed, clock.jumps), (11, 1));
    }
}
