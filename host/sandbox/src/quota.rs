//! What is left of a call's limits, counted in one place by all that works for the call: the host functions, the streams
//! they handed out, the requests under way.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use autodevops_policy::{EffectiveGrant, Limit, Limits, Meter, OverLimit};

/// A call's limits and what was used of them.
pub struct Quota {
    plugin: Arc<str>,
    grant: Arc<EffectiveGrant>,
    meter: Meter,
    exceeded: OnceLock<Limit>,
    /// The limit that the host call under way went over, by its place in the list of all and one more; zero for none.
    gone_over: AtomicUsize,
}

impl Quota {
    pub fn new(plugin: Arc<str>, grant: Arc<EffectiveGrant>) -> Arc<Self> {
        Arc::new(Self {
            plugin,
            grant,
            meter: Meter::default(),
            exceeded: OnceLock::new(),
            gone_over: AtomicUsize::new(0),
        })
    }

    pub fn limits(&self) -> &Limits {
        &self.grant.limits
    }

    /// What is used now, and will not change with what is given back later.
    pub fn used(&self) -> Meter {
        self.meter.clone()
    }

    /// Counts an amount, or says that it goes over the limit; the first limit that was gone over is what the call's failure names.
    pub fn charge(&self, limit: Limit, amount: u64) -> Result<(), OverLimit> {
        if self.meter.charge(&self.grant.limits, limit, amount) {
            return Ok(());
        }
        Err(self.exceed(limit))
    }

    /// Counts an amount where it fits; one that does not is the caller's to drop, and no failure.
    pub fn charge_quietly(&self, limit: Limit, amount: u64) -> bool {
        self.meter.charge(&self.grant.limits, limit, amount)
    }

    /// Gives an amount back.
    pub fn release(&self, limit: Limit, amount: u64) {
        self.meter.release(limit, amount);
    }

    /// What is left of a limit.
    pub fn left(&self, limit: Limit) -> u64 {
        self.grant.limits.amount(limit).saturating_sub(self.meter.used(limit))
    }

    /// Notes that a limit was gone over which is not counted here, such as a list's length.
    pub fn exceed(&self, limit: Limit) -> OverLimit {
        // The first counts.
        let _ = self.gone_over.compare_exchange(0, limit as usize + 1, Relaxed, Relaxed);
        self.exceed_aside(limit)
    }

    /// Notes that a limit was gone over by what goes on beside the guest, and is no fault of the host call under way.
    pub fn exceed_aside(&self, limit: Limit) -> OverLimit {
        let _ = self.exceeded.set(limit);
        self.grant.limits.exceeded(&self.plugin, limit)
    }

    /// The limit that was gone over by the host call under way; forgotten here.
    pub fn take_gone_over(&self) -> Option<Limit> {
        // Mostly, there is none, and nothing to be written.
        if self.gone_over.load(Relaxed) == 0 {
            return None;
        }
        self.gone_over.swap(0, Relaxed).checked_sub(1).and_then(|place| Limit::ALL.get(place)).copied()
    }

    /// The first limit that was gone over.
    pub fn exceeded(&self) -> Option<OverLimit> {
        self.exceeded.get().map(|limit| self.grant.limits.exceeded(&self.plugin, *limit))
    }
}

/// An amount that was charged, given back when it is dropped.
pub struct Held {
    quota: Arc<Quota>,
    limit: Limit,
    amount: u64,
}

impl Held {
    /// For an amount that was charged.
    pub const fn charged(quota: Arc<Quota>, limit: Limit, amount: u64) -> Self {
        Self { quota, limit, amount }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.quota.release(self.limit, self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_call_went_over_is_told_once_and_what_goes_on_beside_it_is_not() {
        let quota = Quota::new("a".into(), Arc::new(EffectiveGrant::default()));
        for limit in Limit::ALL {
            quota.exceed_aside(*limit);
            assert_eq!(quota.take_gone_over(), None, "{limit}");
            quota.exceed(*limit);
            quota.exceed(Limit::Memory);
            assert_eq!(quota.take_gone_over(), Some(*limit));
            assert_eq!(quota.take_gone_over(), None, "{limit}");
        }
    }

    #[test]
    fn what_was_told_of_what_is_held_stays_when_it_is_given_back() {
        let quota = Quota::new("a".into(), Arc::new(EffectiveGrant::default()));
        quota.charge(Limit::OpenFiles, 3).unwrap();
        let held = Held::charged(Arc::clone(&quota), Limit::OpenFiles, 3);
        let told = quota.used();
        drop(held);
        assert_eq!((told.used(Limit::OpenFiles), quota.used().used(Limit::OpenFiles)), (3, 0));
    }

    #[test]
    fn the_first_limit_that_was_gone_over_is_remembered() {
        let limits = Limits { files: 1, host_calls: 1, ..Limits::default() };
        let grant = EffectiveGrant { limits, ..EffectiveGrant::default() };
        let quota = Quota::new("a".into(), Arc::new(grant));
        assert_eq!(quota.charge(Limit::Files, 1), Ok(()));
        assert_eq!(quota.exceeded(), None);
        assert_eq!(quota.left(Limit::Files), 0);
        assert!(!quota.charge_quietly(Limit::HostCalls, 2));
        assert_eq!(quota.exceeded(), None);
        assert!(quota.charge(Limit::Files, 1).is_err());
        assert!(quota.charge(Limit::HostCalls, 2).is_err());
        assert_eq!(quota.exceeded().unwrap().limit, Limit::Files);
        quota.release(Limit::Files, 1);
        assert_eq!(quota.charge(Limit::Files, 1), Ok(()));
    }
}
