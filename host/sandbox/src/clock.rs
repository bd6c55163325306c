//! How a call's time is divided between the guest's own code and the host.
//!
//! It is read twice in each host call, by the processor's own counter where that can be relied on: asking the system took longer
//! than all else that is done about a host call.

use std::{sync::LazyLock, time::Duration};

use quanta::Clock;

/// The clock of this machine; setting it right takes a moment, once.
static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::new);

/// Sets the clock right now, so that no call has to wait for it.
pub fn set_right() {
    LazyLock::force(&CLOCK);
}

/// How long the guest's own code runs, and each host call. A moment is what the counter shows: only what is told is made a time of.
pub struct GuestClock {
    clock: &'static Clock,
    started: u64,
    running_since: Option<u64>,
    in_host_since: Option<u64>,
    /// What the counter went on by while the guest's code ran.
    guest: u64,
}

impl GuestClock {
    pub fn new() -> Self {
        let clock = LazyLock::force(&CLOCK);
        Self { clock, started: clock.raw(), running_since: None, in_host_since: None, guest: 0 }
    }

    /// This moment.
    pub fn now(&self) -> u64 {
        self.clock.raw()
    }

    /// The guest's code starts or goes on; for how long the host had it.
    pub fn resume(&mut self, now: u64) -> Duration {
        self.running_since = Some(now);
        self.in_host_since.take().map_or(Duration::ZERO, |since| self.clock.delta(since, now))
    }

    /// The guest's code stops for the host; how long since the call's start.
    pub fn pause(&mut self, now: u64) -> Duration {
        if let Some(since) = self.running_since.take() {
            self.guest = self.guest.saturating_add(now.saturating_sub(since));
        }
        self.in_host_since = Some(now);
        self.clock.delta(self.started, now)
    }

    /// The guest's own time so far.
    pub fn guest(&self) -> Duration {
        self.clock.delta(0, self.guest)
    }

    /// A new call of the same instance starts now.
    pub fn restart(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the counter goes on by in 1 ms, or nearly.
    fn millisecond(clock: &Clock) -> u64 {
        1_000_000_000_000 / clock.delta_as_nanos(0, 1_000_000)
    }

    #[test]
    fn the_guests_time_does_not_hold_the_hosts() {
        let mut clock = GuestClock::new();
        let (start, one) = (clock.started, millisecond(clock.clock));
        let at = |milliseconds: u64| start + milliseconds * one;
        let near = |time: Duration, milliseconds: u64| {
            time.abs_diff(Duration::from_millis(milliseconds)) < Duration::from_micros(10)
        };
        clock.resume(at(10));
        assert!(near(clock.pause(at(15)), 15));
        assert!(near(clock.resume(at(100)), 85));
        clock.pause(at(101));
        assert!(near(clock.guest(), 6), "{:?}", clock.guest());
    }

    #[test]
    fn time_that_seems_to_go_back_is_none() {
        let mut clock = GuestClock::new();
        clock.resume(clock.started + 100);
        assert_eq!(clock.pause(clock.started + 50), clock.clock.delta(0, 50));
        assert_eq!(clock.guest(), Duration::ZERO);
    }
}
