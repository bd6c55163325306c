//! The time, for the core that has none of its own.

use std::{
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use autodevops_driver::{
    clock::{Falls, Steady},
    parts::{Clock, Later},
};
use autodevops_pipeline::Timestamp;

/// This process's time, which never goes back.
static STEADY: LazyLock<(Steady, Instant)> = LazyLock::new(|| (Steady::default(), Instant::now()));

/// Now.
pub fn now() -> Timestamp {
    let (steady, begun) = &*STEADY;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    steady.read(Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)), begun.elapsed())
}

/// Time is never before this moment from now on: it was told as past.
pub fn not_before(moment: Timestamp) {
    let (steady, begun) = &*STEADY;
    steady.not_before(moment, begun.elapsed());
}

/// This machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> Timestamp {
        now()
    }

    fn falls(&self) -> Falls {
        // What the clock does now counts, too.
        now();
        STEADY.0.falls()
    }

    fn not_before(&self, moment: Timestamp) {
        not_before(moment);
    }

    fn sleep(&self, span: Duration) -> Later<'_, ()> {
        Box::pin(tokio::time::sleep(span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_from_what_was_told_as_past_and_the_machines_clock_counts_as_behind() {
        let told = now().after(Duration::from_millis(1500));
        HostClock.not_before(told);
        assert!(HostClock.now() >= told);
        let falls = HostClock.falls();
        assert!(falls.times > 0 && falls.behind > Duration::from_secs(1), "{falls:?}");
    }
}
