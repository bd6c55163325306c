//! A clock that never goes back, from one that may.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use autodevops_pipeline::Timestamp;

/// The wall clock may be behind by so much: it is being slewed.
const SLACK: Duration = Duration::from_secs(1);

/// Makes the wall clock's readings one time that only grows. Where the wall clock is set back, time goes on from the last reading at
/// the monotonic clock's pace, until the wall clock is ahead again: what was to take a minute takes a minute, and a rollback's next
/// try comes when it was meant to. Where it is set forward, time is that later time.
#[derive(Debug, Default)]
pub struct Steady(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    /// What was read last, and when by the monotonic clock.
    reading: Option<(Timestamp, Duration)>,
    /// Whether the wall clock is known to be behind.
    told: bool,
    falls: Falls,
}

/// How often the wall clock fell behind. Whoever knows the number of before sees whether it did since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Falls {
    /// So often.
    pub times: u64,
    /// By how much the last time.
    pub behind: Duration,
}

impl Last {
    /// Whether it is to be said that the wall clock is so far behind: once, until it is not any more.
    fn is_to_be_told(&mut self, behind: Duration) -> bool {
        let was_told = std::mem::replace(&mut self.told, behind > SLACK);
        self.told && !was_told
    }
}

impl Steady {
    /// The time, by a wall clock and a monotonic clock that were read together.
    pub fn read(&self, wall: Timestamp, monotonic: Duration) -> Timestamp {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let least = last.reading.map(|(reading, at)| reading.after(monotonic.saturating_sub(at)));
        let now = least.map_or(wall, |least| least.max(wall));
        last.reading = Some((now, monotonic));
        let behind = u64::try_from(now.0.saturating_sub(wall.0)).map_or(Duration::ZERO, Duration::from_nanos);
        if last.is_to_be_told(behind) {
            last.falls = Falls { times: last.falls.times + 1, behind };
            // There may be no run under way that has it on record.
            let seconds = behind.as_secs();
            tracing::warn!("this machine's clock is {seconds} s behind what it told before; set it right");
        }
        now
    }

    /// How often the wall clock was found to be behind so far.
    pub fn falls(&self) -> Falls {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).falls
    }

    /// Time is never before this moment from now on: the last that a host before this one put on record.
    pub fn not_before(&self, moment: Timestamp, monotonic: Duration) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = last.reading.map(|(reading, at)| reading.after(monotonic.saturating_sub(at)));
        if reading.is_none_or(|reading| reading < moment) {
            last.reading = Some((moment, monotonic));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(steady: &Steady, wall: i64, monotonic: u64) -> i64 {
        steady.read(Timestamp(wall), Duration::from_nanos(monotonic)).0
    }

    #[test]
    fn time_follows_the_wall_clock_while_that_goes_forward() {
        let steady = Steady::default();
        let readings = [(100, 0), (105, 5), (1_000, 6), (1_000, 6)].map(|(wall, at)| read(&steady, wall, at));
        assert_eq!(readings, [100, 105, 1_000, 1_000]);
    }

    #[test]
    fn time_goes_on_at_its_pace_while_the_wall_clock_is_behind() {
        let steady = Steady::default();
        let readings = [(100, 0), (40, 10), (60, 30), (200, 35)].map(|(wall, at)| read(&steady, wall, at));
        assert_eq!(readings, [100, 110, 130, 200]);
    }

    #[test]
    fn that_the_wall_clock_is_behind_is_said_once_each_time() {
        let mut last = Last::default();
        let told = [0, 1000, 1001, 5000, 1000, 1001, 900_000]
            .map(|milliseconds| last.is_to_be_told(Duration::from_millis(milliseconds)));
        assert_eq!(told, [false, false, true, false, false, true, false]);
    }

    #[test]
    fn that_the_wall_clock_fell_behind_is_counted_once_each_time_but_for_a_little() {
        let second = 1_000_000_000;
        let steady = Steady::default();
        read(&steady, 100 * second, 0);
        read(&steady, 99 * second + second / 2, 1);
        assert_eq!(steady.falls(), Falls::default(), "it is being slewed");
        read(&steady, 40 * second, 2);
        read(&steady, 41 * second, 3);
        let first = Falls { times: 1, behind: Duration::from_nanos(60_000_000_002) };
        assert_eq!((steady.falls(), steady.falls()), (first, first), "whoever asks");
        read(&steady, 200 * second, 4);
        read(&steady, 150 * second, 5);
        assert_eq!((steady.falls().times, steady.falls().behind.as_secs()), (2, 50));
    }

    #[test]
    fn time_goes_on_from_what_is_on_record() {
        let steady = Steady::default();
        steady.not_before(Timestamp(500), Duration::from_nanos(7));
        assert_eq!(read(&steady, 100, 17), 510);
        steady.not_before(Timestamp(300), Duration::from_nanos(18));
        assert_eq!(read(&steady, 100, 20), 513);
        assert_eq!(read(&steady, 900, 30), 900);
        // A record that is ahead of what was read by now.
        steady.not_before(Timestamp(1000), Duration::from_nanos(31));
        assert_eq!(read(&steady, 100, 41), 1010);
    }
}
