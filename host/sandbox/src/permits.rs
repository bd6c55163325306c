//! Who may have a call running: so many for all plugins together, and no plugin more than its share, so that a flood of one
//! plugin's calls never keeps another's from starting.

use std::time::Duration;

use crate::shares::{Place, Shares, Taken};

/// The right to have one call running.
#[derive(Debug)]
pub struct CallPermit {
    _place: Place,
}

/// There was none within the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// The plugin's own calls take its share.
    #[error(
        "one plugin may have {0} calls at once, and its other calls took them all; raise [sandbox] calls-of-one-plugin"
    )]
    Share(u32),
    /// Calls of several plugins take all there is.
    #[error("{0} calls may run at once, and others took them all; raise [sandbox] concurrent-calls")]
    All(u32),
}

/// What one call takes of the pool, in memories or pairs of tables. A component with more counts as several calls.
pub const PARTS_PER_CALL: u32 = 4;

/// How many parts a call takes of a component that has so many memories and tables.
pub fn parts_of_call(memories: u32, tables: u32) -> u32 {
    PARTS_PER_CALL.max(memories).max(tables.div_ceil(2))
}

/// The calls of all plugins on one engine, counted in parts of the pool that their instances come from.
pub struct CallPermits {
    parts: Shares,
    calls: u32,
    share: u32,
}

impl CallPermits {
    /// So many calls at once, and so many of one plugin; both at least one, and the share at most all.
    pub fn new(calls: u32, share: u32) -> Self {
        let calls = calls.clamp(1, u32::MAX / PARTS_PER_CALL);
        let share = share.clamp(1, calls);
        Self { parts: Shares::new(parts_of(calls), parts_of(share)), calls, share }
    }

    /// A permit for a call of this plugin, waited for at most so long. Whoever waits for the plugin's own share takes nothing
    /// from the others.
    ///
    /// # Errors
    /// [`Busy`], when there was none in time.
    pub async fn acquire(&self, plugin: &str, parts: u32, most: Duration) -> Result<CallPermit, Busy> {
        // One call there may always be; the pool has room for it, see `engine`.
        let parts = parts.min(self.share.saturating_mul(PARTS_PER_CALL));
        let place = self.parts.acquire(plugin, parts, most).await.map_err(|taken| match taken {
            Taken::Share => Busy::Share(self.share),
            Taken::All => Busy::All(self.calls),
        })?;
        Ok(CallPermit { _place: place })
    }
}

const fn parts_of(calls: u32) -> usize {
    calls as usize * PARTS_PER_CALL as usize
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_plugin_that_holds_its_share_keeps_no_other_from_starting() {
        let permits = CallPermits::new(4, 2);
        let (_a, _b) = (
            permits.acquire("flood", PARTS_PER_CALL, LONG).await.unwrap(),
            permits.acquire("flood", PARTS_PER_CALL, LONG).await.unwrap(),
        );
        assert_eq!(permits.acquire("flood", PARTS_PER_CALL, Duration::ZERO).await.unwrap_err(), Busy::Share(2));
        permits.acquire("other", PARTS_PER_CALL, Duration::ZERO).await.unwrap();
    }

    #[tokio::test]
    async fn those_who_wait_for_their_share_hold_nothing_of_the_whole() {
        let permits = Arc::new(CallPermits::new(2, 1));
        let first = permits.acquire("flood", PARTS_PER_CALL, LONG).await.unwrap();
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let permits = Arc::clone(&permits);
                tokio::spawn(async move { permits.acquire("flood", PARTS_PER_CALL, LONG).await })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(permits.acquire("other", PARTS_PER_CALL, Duration::ZERO).await.unwrap());
        drop(first);
        for task in waiting {
            drop(task.await.unwrap().unwrap());
        }
    }

    #[tokio::test]
    async fn a_component_of_many_parts_counts_as_several_calls() {
        let permits = CallPermits::new(8, 4);
        assert_eq!((parts_of_call(1, 1), parts_of_call(9, 0), parts_of_call(0, 23)), (4, 9, 12));
        let _held = permits.acquire("wide", parts_of_call(9, 0), LONG).await.unwrap();
        assert_eq!(permits.acquire("wide", parts_of_call(9, 0), Duration::ZERO).await.unwrap_err(), Busy::Share(4));
        let _other = permits.acquire("wide", PARTS_PER_CALL, Duration::ZERO).await.unwrap();
        let huge = permits.acquire("huge", 100, Duration::ZERO).await;
        assert!(huge.is_ok(), "one call there may always be");
    }

    #[tokio::test]
    async fn when_all_are_in_use_it_is_said_after_the_wait() {
        let permits = CallPermits::new(2, 1);
        let _held = (
            permits.acquire("a", PARTS_PER_CALL, LONG).await.unwrap(),
            permits.acquire("b", PARTS_PER_CALL, LONG).await.unwrap(),
        );
        let busy = permits.acquire("c", PARTS_PER_CALL, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(busy, Busy::All(2));
        assert!(busy.to_string().contains("[sandbox] concurrent-calls"));
    }

    #[tokio::test]
    async fn there_is_always_one_call_to_be_had_and_no_share_is_above_the_whole() {
        drop(CallPermits::new(0, 0).acquire("a", PARTS_PER_CALL, Duration::ZERO).await.unwrap());
        let permits = CallPermits::new(1, 9);
        let _held = permits.acquire("a", PARTS_PER_CALL, Duration::ZERO).await.unwrap();
        assert_eq!(permits.acquire("a", PARTS_PER_CALL, Duration::ZERO).await.unwrap_err(), Busy::Share(1));
    }
}
