//! The time of a source's lines, where some of them may lie.
//!
//! Most lines are near the newest. One that is not waits, with those that agree with it, until there are enough of them: a few that move
//! on tell of a silence, many of a clock that was set. Those that wait are not believed.

use serde::{Deserialize, Serialize};

use crate::time::{self, LogTime, SECOND};

/// Nanoseconds of a day.
const DAY: i64 = 86_400 * SECOND;
/// A line may be so much older than the newest.
const LATE: i64 = 3600 * SECOND;
/// A line may be so much newer than the newest.
const AHEAD: i64 = DAY;
/// A silence may be usual up to this: that of a job that runs once a month. Lines that agree are no further apart.
const USUAL: i64 = 35 * DAY;
/// The longest silence: what is further ahead is of another clock.
const LONGEST: i64 = 366 * DAY;
/// So many lines in a row that agree on another time are believed.
const AGREED: u32 = 20;
/// Fewest lines that tell of a silence for the first time.
const FEW: u32 = 3;
/// For each so many lines since the last silence, one more: where there are many, a few that wait are no loss, and what is believed
/// wrongly hides much.
const LINES_PER_FEW: u32 = 8;

/// The time of a source's lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clock {
    /// The times that it covers, in nanoseconds.
    pub covers: Option<(i64, i64)>,
    /// Whether they have a year.
    pub dated: bool,
    /// The newest, in nanoseconds.
    now: i64,
    /// What makes a time without a year one of the year in which it is near the others; in nanoseconds.
    years: i64,
    /// Lines since the clock was set.
    believed: u32,
    /// How many of them came before the last silence.
    before: u32,
    /// Silences up to so many nanoseconds are usual.
    silence: i64,
    /// The newest time before a silence that is not sure yet: what comes back to it shows that there was none.
    unsure: Option<i64>,
    /// Lines in a row that agree on another time.
    others: Others,
    /// What was not believed.
    pub doubts: Doubts,
}

/// Lines in a row that agree on a time which is not believed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Others {
    lines: u32,
    dated: bool,
    first: i64,
    newest: i64,
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
    /// Whether the line's time is believed; one without a year is put where it is near the others. Where the others have a year and it
    /// has none, or the other way round, it is, and moves nothing.
    #[inline]
    pub fn admit(&mut self, time: &mut LogTime) -> Belief {
        let at = time.nanoseconds.saturating_add(self.years);
        match self.covers {
            Some((first, last)) if is_near(at, self.now) && time.dated == self.dated => {
                time.nanoseconds = at;
                self.others.lines = 0;
                self.believed = self.believed.saturating_add(1);
                self.now = self.now.max(at);
                self.covers = Some((first.min(at), last.max(at)));
                Belief::Yes
            }
            covers => self.weigh(time, covers),
        }
    }

    /// Has the first time be put near this one, in nanoseconds, where neither has a year.
    pub fn start_near(&mut self, time: LogTime, now: i64) {
        self.years = time::years(time.nanoseconds, now);
    }

    #[cold]
    fn weigh(&mut self, time: &mut LogTime, covers: Option<(i64, i64)>) -> Belief {
        let Some(not) = covers else {
            time.nanoseconds = time.nanoseconds.saturating_add(self.years);
            self.begin(*time);
            return Belief::Yes;
        };
        if time.dated != self.dated {
            return self.weigh_other_kind(time, not);
        }
        if !self.dated {
            let years = time::years(time.nanoseconds, self.now);
            if years != self.years {
                self.years = years;
                return self.admit(time);
            }
        }
        let at = time.nanoseconds.saturating_add(self.years);
        self.others.take(at, self.dated);
        let Others { lines, first, newest, .. } = self.others;
        let silence = first.saturating_sub(self.now);
        let enough = self.enough(silence);
        let is_silence = (1..=LONGEST).contains(&silence) && (newest > first || enough <= 1);
        // What came back was never gone.
        let came_back = self.unsure.is_some_and(|before| is_near(first, before)) && self.since_silence() < AGREED;
        let needed = match (is_silence, came_back) {
            (true, _) => enough,
            (_, true) => FEW,
            _ => AGREED,
        };
        if lines < needed {
            self.doubts.lines += 1;
            self.doubts.ahead += u64::from(at > self.now);
            return Belief::No;
        }
        self.others.lines = 0;
        time.nanoseconds = at;
        if is_silence {
            // That they waited is no doubt of theirs.
            self.doubts.lines = self.doubts.lines.saturating_sub(u64::from(lines) - 1);
            self.doubts.ahead = self.doubts.ahead.saturating_sub(u64::from(lines) - 1);
            self.unsure = (silence > self.silence).then_some(self.now);
            self.silence = self.silence.max(silence.saturating_add(silence / 2).min(USUAL));
            self.before = self.believed;
            self.believed = self.believed.saturating_add(1);
            self.now = at;
            self.covers = Some((not.0.min(at), not.1.max(at)));
            return Belief::Yes;
        }
        self.doubts.jumps += 1;
        // A log may begin with a few lines of a clock that was not set yet, or that ran ahead.
        if came_back || self.believed < AGREED {
            self.begin(*time);
            return Belief::Anew { not };
        }
        (self.now, self.believed, self.before, self.unsure) = (at, 1, 0, None);
        self.covers = Some((not.0.min(at), not.1.max(at)));
        Belief::Yes
    }

    /// A log may begin with lines of another form: what is more than twice as often tells its time.
    fn weigh_other_kind(&mut self, time: &LogTime, not: (i64, i64)) -> Belief {
        self.others.take(time.nanoseconds, time.dated);
        let lines = self.others.lines;
        if lines <= self.believed.saturating_add(1).saturating_mul(2) {
            self.doubts.lines += 1;
            return Belief::Yes;
        }
        self.doubts.lines = self.doubts.lines.saturating_sub(u64::from(lines) - 1);
        self.years = 0;
        self.begin(*time);
        Belief::Anew { not }
    }

    fn begin(&mut self, LogTime { nanoseconds: at, dated }: LogTime) {
        let Self { years, doubts, .. } = *self;
        *self = Self { covers: Some((at, at)), dated, now: at, years, believed: 1, doubts, ..Self::default() };
    }

    fn since_silence(&self) -> u32 {
        self.believed.saturating_sub(self.before)
    }

    /// How many lines tell of a silence of so many nanoseconds.
    fn enough(&self, silence: i64) -> u32 {
        let enough = (self.since_silence() / LINES_PER_FEW).clamp(FEW, AGREED);
        if silence <= self.silence { enough / LINES_PER_FEW } else { enough }
    }
}

impl Others {
    fn take(&mut self, at: i64, dated: bool) {
        let agrees = self.lines > 0
            && self.dated == dated
            && at >= self.newest.saturating_sub(LATE)
            && at <= self.newest.saturating_add(USUAL);
        if agrees {
            self.lines = self.lines.saturating_add(1);
            self.newest = self.newest.max(at);
        } else {
            *self = Self { lines: 1, dated, first: at, newest: at };
        }
    }
}

fn is_near(at: i64, now: i64) -> bool {
    at >= now.saturating_sub(LATE) && at <= now.saturating_add(AHEAD)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3600;

    /// What is said of lines with these times, in seconds.
    fn admit(clock: &mut Clock, seconds: impl IntoIterator<Item = i64>) -> Vec<Belief> {
        let time = |second| LogTime { nanoseconds: second * SECOND, dated: true };
        seconds.into_iter().map(|second| clock.admit(&mut time(second))).collect()
    }

    fn believed(beliefs: &[Belief]) -> usize {
        beliefs.iter().filter(|belief| **belief != Belief::No).count()
    }

    fn covers(clock: &Clock) -> Option<(i64, i64)> {
        clock.covers.map(|(first, last)| (first / SECOND, last / SECOND))
    }

    #[test]
    fn a_line_far_away_or_several_are_not_believed_and_many_are() {
        let mut clock = Clock::default();
        admit(&mut clock, 100_000..101_000);
        for (strays, from) in [(1, 900_000), (1, 5), (15, 900_000), (15, 5_000_000_000), (15, 5)] {
            assert_eq!(believed(&admit(&mut clock, from..from + strays)), 0, "{strays} from {from}");
            assert_eq!(admit(&mut clock, [101_000]), [Belief::Yes]);
        }
        assert_eq!(covers(&clock), Some((100_000, 101_000)));
        assert_eq!(clock.doubts, Doubts { lines: 47, ahead: 31, jumps: 0 });
        assert_eq!(believed(&admit(&mut clock, 5..35)), 11);
        assert_eq!((covers(&clock), clock.doubts.jumps), (Some((24, 101_000)), 1));
    }

    #[test]
    fn lines_of_one_time_that_does_not_move_on_are_no_end_of_a_silence() {
        let mut clock = Clock::default();
        admit(&mut clock, 0..10);
        assert_eq!(believed(&admit(&mut clock, [900_000; 15])), 0);
        assert_eq!(admit(&mut clock, [10]), [Belief::Yes]);
        assert_eq!((covers(&clock), clock.doubts.lines), (Some((0, 10)), 15));
    }

    #[test]
    fn a_silence_is_believed_after_a_few_lines_and_from_then_on_at_once() {
        for (apart, lines) in [(25 * HOUR, 1), (25 * HOUR, 7), (7 * 24 * HOUR, 10), (31 * 24 * HOUR, 3)] {
            let mut clock = Clock::default();
            let times = (0..20).flat_map(|run| (0..lines).map(move |line| run * apart + line));
            let beliefs = admit(&mut clock, times);
            assert_eq!(beliefs.len() - believed(&beliefs), 2, "{lines} lines each {apart} s");
            assert_eq!(covers(&clock), Some((0, 19 * apart + lines - 1)));
            assert_eq!(clock.doubts, Doubts::default());
        }
    }

    #[test]
    fn after_a_silence_like_others_two_of_many_lines_are_enough() {
        let mut clock = Clock::default();
        let weekend = 62 * HOUR;
        let lost = |clock: &mut Clock, from: i64| {
            let beliefs = admit(clock, from..from + 1000);
            beliefs.len() - believed(&beliefs)
        };
        let lost: Vec<usize> = (0..4).map(|week| lost(&mut clock, week * weekend)).collect();
        assert_eq!((lost, clock.doubts), (vec![0, 19, 1, 1], Doubts::default()));
    }

    #[test]
    fn what_came_back_from_ahead_was_never_gone() {
        let mut clock = Clock::default();
        admit(&mut clock, 100_000..100_040);
        // Few lines came before, so that five that move on are taken for the end of a silence.
        assert_eq!(believed(&admit(&mut clock, 900_000..900_006)), 2);
        let beliefs = admit(&mut clock, 100_040..100_100);
        assert_eq!(beliefs.iter().position(|belief| *belief != Belief::No), Some(2));
        assert!(matches!(beliefs[2], Belief::Anew { .. }) && believed(&beliefs) == 58, "{beliefs:?}");
        assert_eq!(covers(&clock), Some((100_042, 100_099)));
    }

    #[test]
    fn a_clock_that_leaps_back_is_followed_when_many_lines_agree_however_far_apart() {
        for apart in [1, HOUR, 25 * HOUR] {
            let mut clock = Clock::default();
            let from = 1_000_000_000;
            let beliefs = admit(&mut clock, (0..100).map(|line| from + line * apart));
            assert!(believed(&beliefs) >= 98, "{apart}");
            let back = from - 10 * 24 * HOUR;
            let beliefs = admit(&mut clock, (0..40).map(|line| back + line * apart));
            assert_eq!(beliefs.iter().position(|belief| *belief == Belief::Yes), Some(19), "{apart}");
            assert_eq!((believed(&beliefs), clock.doubts.jumps), (21, 1), "{apart}");
            assert_eq!(covers(&clock), Some((from.min(back + 19 * apart), from + 99 * apart)));
        }
    }

    #[test]
    fn a_log_that_begins_in_the_future_or_before_its_clock_was_set_begins_anew() {
        let right = 1_800_000_000;
        for wrong in [4_000_000_000, 3] {
            let mut clock = Clock::default();
            admit(&mut clock, [wrong, wrong + 1]);
            let beliefs = admit(&mut clock, right..right + 100);
            assert_eq!(covers(&clock), Some((right + 19, right + 99)), "{wrong}");
            let not = (wrong * SECOND, (wrong + 1) * SECOND);
            assert_eq!((beliefs[18], beliefs[19], beliefs[20]), (Belief::No, Belief::Anew { not }, Belief::Yes));
            assert_eq!(clock.doubts.jumps, 1);
        }
    }

    #[test]
    fn times_without_a_year_go_on_over_new_year() {
        let day = 24 * HOUR;
        for (first, then) in [(365 * day - 100, 0), (180 * day, 180 * day + 100)] {
            let mut clock = Clock::default();
            let mut times = Vec::new();
            // The last line of the year comes once more, late.
            for second in (first..first + 100).chain(then..then + 100).chain([first + 99]) {
                let mut time = LogTime { nanoseconds: second * SECOND, dated: false };
                assert_eq!(clock.admit(&mut time), Belief::Yes, "{second}");
                times.push(time.nanoseconds / SECOND);
            }
            assert_eq!((times[100] - times[0], times[200]), (100, times[99]));
            assert_eq!((covers(&clock), clock.doubts), (Some((first, first + 199)), Doubts::default()));
        }
    }

    #[test]
    fn the_first_time_without_a_year_is_put_near_that_of_another_source() {
        let time = |day: i64| LogTime { nanoseconds: day * 24 * HOUR * SECOND, dated: false };
        let (mut clock, mut january) = (Clock::default(), time(2));
        clock.start_near(january, time(363).nanoseconds);
        assert_eq!((clock.admit(&mut january), january), (Belief::Yes, time(367)));
        let mut clock = Clock::default();
        let mut december = time(363);
        clock.start_near(december, time(2).nanoseconds);
        assert_eq!((clock.admit(&mut december), december), (Belief::Yes, time(-2)));
    }

    #[test]
    fn a_banner_of_another_form_does_not_decide_how_the_time_is_told() {
        for (banner, dated) in [(1, true), (3, true), (1, false), (3, false)] {
            let mut clock = Clock::default();
            for second in 0..banner {
                clock.admit(&mut LogTime { nanoseconds: second * SECOND, dated: !dated });
            }
            let beliefs: Vec<Belief> = (0..100)
                .map(|second| clock.admit(&mut LogTime { nanoseconds: (5000 + second) * SECOND, dated }))
                .collect();
            let anew = Belief::Anew { not: (0, (banner - 1) * SECOND) };
            let lines = 2 * (banner + 1);
            assert_eq!(beliefs.iter().position(|belief| *belief == anew), usize::try_from(lines).ok());
            assert_eq!((covers(&clock), clock.dated), (Some((5000 + lines, 5099)), dated));
            assert_eq!(clock.doubts, Doubts::default());
        }
    }

    #[test]
    fn some_lines_of_another_form_change_nothing() {
        let mut clock = Clock::default();
        for second in 0..300 {
            let mut time = LogTime { nanoseconds: second * SECOND, dated: second % 3 == 0 };
            assert_eq!(clock.admit(&mut time), Belief::Yes);
        }
        assert_eq!((clock.dated, covers(&clock), clock.doubts.lines), (true, Some((0, 297)), 200));
    }

    proptest! {
        #[test]
        fn what_is_believed_is_covered_and_no_time_is_too_much(
            times in proptest::collection::vec((any::<bool>(), any::<bool>(), any::<i64>(), 0_i64..7_000_000_000), 0..200)
        ) {
            let mut clock = Clock::default();
            for (dated, any, at, second) in times {
                let mut time = LogTime { nanoseconds: if any { at } else { second * SECOND }, dated };
                if clock.admit(&mut time) != Belief::No && time.dated == clock.dated {
                    let (first, last) = clock.covers.unwrap();
                    prop_assert!(first <= time.nanoseconds && time.nanoseconds <= last);
                }
            }
        }
    }
}
