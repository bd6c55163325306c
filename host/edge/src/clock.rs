//! The front door's time, which never goes back: what is counted after the machine's clock was set back lies after what was counted before.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Instant, SystemTime},
};

/// This process's time, and since when its monotonic clock counts.
static CLOCK: LazyLock<(Ahead, Instant)> = LazyLock::new(|| (Ahead::default(), Instant::now()));

/// Now, in nanoseconds since 1970-01-01T00:00:00Z. Where the machine's clock is set back, time goes on at the monotonic clock's pace until
/// that has caught up.
pub fn now() -> i64 {
    let (ahead, _) = &*CLOCK;
    ahead.read(wall(), monotonic())
}

/// Time is never before this moment from now on: it is on record as past.
pub fn not_before(moment: i64) {
    let (ahead, _) = &*CLOCK;
    ahead.not_before(moment, monotonic());
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn monotonic() -> i64 {
    i64::try_from(CLOCK.1.elapsed().as_nanos()).unwrap_or(i64::MAX)
}

/// By how much the wall clock was ahead of the monotonic one at most, in nanoseconds: a number alone, since each request asks for the time.
#[derive(Debug)]
struct Ahead(AtomicI64);

impl Default for Ahead {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Ahead {
    /// The time by both clocks, which were read together.
    fn read(&self, wall: i64, monotonic: i64) -> i64 {
        let ahead = wall.saturating_sub(monotonic);
        monotonic.saturating_add(self.0.fetch_max(ahead, Ordering::Relaxed).max(ahead))
    }

    fn not_before(&self, moment: i64, monotonic: i64) {
        self.0.fetch_max(moment.saturating_sub(monotonic), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use autodevops_model::Window;

    use super::*;
    use crate::{
        assign::ClientId,
        stats::{Class, Source, Stats},
    };

    #[test]
    fn time_goes_on_at_its_pace_while_the_wall_clock_is_behind_and_then_follows_it() {
        let ahead = Ahead::default();
        let readings = [(100, 0), (105, 5), (40, 10), (60, 30), (200, 35), (201, 36)];
        assert_eq!(readings.map(|(wall, at)| ahead.read(wall, at)), [100, 105, 110, 130, 200, 201]);
    }

    #[test]
    fn time_goes_on_from_what_is_on_record() {
        let ahead = Ahead::default();
        ahead.not_before(500, 7);
        assert_eq!(ahead.read(100, 17), 510);
        ahead.not_before(300, 18);
        assert_eq!((ahead.read(100, 20), ahead.read(900, 30)), (513, 900));
    }

    #[test]
    fn what_is_counted_after_the_clock_was_set_back_is_seen_at_once() {
        let ahead = Ahead::default();
        let at = |wall: i64, monotonic: i64| ahead.read(wall * 1_000_000_000, monotonic * 1_000_000_000);
        let begun = at(10_000, 0);
        let stats = Stats::new(begun);
        let count = |now: i64| stats.count(Source::Traffic, Class::Error, Duration::ZERO, ClientId(1), now);
        count(at(10_001, 1));
        // An hour back.
        count(at(6_405, 5));
        let now = at(6_406, 6);
        let seen = |start: i64| stats.observe("r", &Window { start, end: now }, now).traffic.errors;
        assert_eq!((seen(begun), seen(begun + 3_000_000_000)), (2, 1));
    }

    #[test]
    fn now_is_what_the_machine_says() {
        let (before, now, after) = (wall(), now(), wall());
        assert!(before <= now && now <= after.max(now), "{before} {now} {after}");
        assert!(super::now() >= now);
    }
}
