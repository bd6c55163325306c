//! How a call's time is divided between the guest's own code and the host.
//!
//! It is read twice in each host call, by the processor's own counter where that can be relied on: asking the system took longer
//! than all else that is done about a host call.

use std::time::Duration;

use quanta::Instant;

/// How long the guest's own code runs, and each host call.
pub struct GuestClock {
    started: Instant,
    running_since: Option<Instant>,
    in_host_since: Option<Instant>,
    guest: Duration,
}

impl GuestClock {
    pub fn new() -> Self {
        Self { started: Instant::now(), running_since: None, in_host_since: None, guest: Duration::ZERO }
    }

    /// The guest's code starts or goes on; for how long the host had it.
    pub fn resume(&mut self, now: Instant) -> Duration {
        self.running_since = Some(now);
        self.in_host_since.take().map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// The guest's code stops for the host; how long since the call's start.
    pub fn pause(&mut self, now: Instant) -> Duration {
        if let Some(since) = self.running_since.take() {
            self.guest = self.guest.saturating_add(now.saturating_duration_since(since));
        }
        self.in_host_since = Some(now);
        now.saturating_duration_since(self.started)
    }

    /// The guest's own time so far.
    pub const fn guest(&self) -> Duration {
        self.guest
    }

    /// A new call of the same instance starts now.
    pub fn restart(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guests_time_does_not_hold_the_hosts() {
        let mut clock = GuestClock::new();
        let start = clock.started;
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        clock.resume(at(10));
        assert_eq!(clock.pause(at(15)), Duration::from_millis(15));
        assert_eq!(clock.resume(at(100)), Duration::from_millis(85));
        clock.pause(at(101));
        assert_eq!(clock.guest(), Duration::from_millis(6));
    }
}
