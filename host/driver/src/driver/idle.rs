//! A core that gives nothing to do and nothing to wait for, again and again, is at fault; its driver does not spin for that.

use std::time::Duration;

use super::NAP;

/// So often in a row it is asked again at once: what it waited for may have come just then.
const AT_ONCE: u32 = 3;
/// The first pause after that; each is twice the one before.
const FIRST: Duration = Duration::from_millis(10);

/// How often in a row the core gave nothing to wait for, and nothing came of asking again.
#[derive(Debug, Default)]
pub(super) struct Idle(u32);

impl Idle {
    /// How long to wait before it is asked again, where it gave nothing once more.
    pub(super) fn pause(&mut self, run: &str) -> Duration {
        self.0 = self.0.saturating_add(1);
        let Some(pauses) = self.0.checked_sub(AT_ONCE + 1) else { return Duration::ZERO };
        if pauses == 0 {
            tracing::warn!(
                "run {run} has nothing to do and nothing to wait for, which it never should; it is asked again, ever more rarely"
            );
        }
        FIRST.saturating_mul(1_u32.checked_shl(pauses).unwrap_or(u32::MAX)).min(NAP)
    }

    /// There was something again.
    pub(super) const fn is_over(&mut self) {
        self.0 = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_there_was_something_again_it_is_asked_at_once_as_before() {
        let mut idle = Idle::default();
        for _ in 0..2 {
            let pauses: Vec<Duration> = (0..5).map(|_| idle.pause("a")).collect();
            assert_eq!(pauses, [Duration::ZERO, Duration::ZERO, Duration::ZERO, FIRST, FIRST * 2]);
            idle.is_over();
        }
    }
}
