//! One memory budget over all linear memories and tables of an instance, and how many of them there may be.

use std::{collections::BTreeSet, sync::Arc};

use autodevops_policy::{Limit, Limits};
use wasmtime::ResourceLimiter;

use crate::{
    quota::Quota,
    replay::{Tape, lock},
};

/// Bytes that one element of a table is counted as: what the engine keeps for a function reference.
const TABLE_ELEMENT_BYTES: usize = 8;

/// Denied growths that are kept: a machine without memory denies them all.
const MAX_DENIED: usize = 100_000;

/// Counts what an instance's memories and tables grow to, together.
pub struct MemoryBudget {
    quota: Arc<Quota>,
    /// Bytes and table elements of the growth that was allowed last, given back if the engine then fails to do it.
    pending: (u64, u64),
    /// How often something was to grow.
    growths: u64,
    /// Growths that the operating system denied.
    denied: Vec<u64>,
    /// Growths that it denied when the call was recorded, which is replayed now.
    deny: BTreeSet<u64>,
}

impl MemoryBudget {
    /// A budget within a call's limits.
    pub const fn new(quota: Arc<Quota>) -> Self {
        Self { quota, pending: (0, 0), growths: 0, denied: Vec::new(), deny: BTreeSet::new() }
    }

    /// Denies in a replay what was denied in the recorded call.
    pub fn replays(&mut self, tape: &Tape) {
        if let Some(player) = tape.player() {
            self.deny.clone_from(lock(player).denied_growths());
        }
    }

    /// Growths that the operating system denied since this was asked last, by their numbers.
    pub fn take_denied(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.denied)
    }

    fn grow(&mut self, bytes: usize, elements: usize) -> bool {
        let (bytes, elements) = (bytes as u64, elements as u64);
        self.pending = (0, 0);
        self.growths = self.growths.saturating_add(1);
        if self.deny.contains(&self.growths) {
            return false;
        }
        // A guest may go on without what it asked for; only a call that fails afterwards names the limit.
        if self.quota.charge(Limit::Memory, bytes).is_err() {
            return false;
        }
        if self.quota.charge(Limit::TableElements, elements).is_err() {
            self.quota.release(Limit::Memory, bytes);
            return false;
        }
        self.pending = (bytes, elements);
        true
    }

    fn refund(&mut self) {
        if self.pending != (0, 0) && self.denied.len() < MAX_DENIED {
            self.denied.push(self.growths);
        }
        let (bytes, elements) = std::mem::take(&mut self.pending);
        self.quota.release(Limit::Memory, bytes);
        self.quota.release(Limit::TableElements, elements);
    }

    fn limits(&self) -> &Limits {
        self.quota.limits()
    }
}

impl ResourceLimiter for MemoryBudget {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.pending = (0, 0);
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current), 0))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refund();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.pending = (0, 0);
            return Ok(false);
        }
        let elements = desired.saturating_sub(current);
        Ok(self.grow(elements.saturating_mul(TABLE_ELEMENT_BYTES), elements))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refund();
        Ok(())
    }

    fn instances(&self) -> usize {
        self.limits().instances as usize
    }

    fn tables(&self) -> usize {
        self.limits().tables as usize
    }

    fn memories(&self) -> usize {
        self.limits().memories as usize
    }
}

#[cfg(test)]
mod tests {
    use autodevops_policy::{Bytes, EffectiveGrant};

    use super::*;

    fn budget(limits: Limits) -> MemoryBudget {
        let grant = EffectiveGrant { limits, ..EffectiveGrant::default() };
        MemoryBudget::new(Quota::new("a".into(), Arc::new(grant)))
    }

    #[test]
    fn memories_and_tables_share_one_budget() {
        let mut budget = budget(Limits { memory: Bytes(1000), ..Limits::default() });
        assert!(budget.memory_growing(0, 600, None).unwrap());
        assert!(budget.table_growing(0, 40, None).unwrap());
        assert_eq!(budget.quota.exceeded(), None);
        assert!(!budget.memory_growing(0, 100, None).unwrap());
        assert_eq!(budget.quota.exceeded().unwrap().limit, Limit::Memory);
    }

    #[test]
    fn all_tables_together_have_so_many_elements() {
        let mut budget = budget(Limits { table_elements: 50, ..Limits::default() });
        assert!(budget.table_growing(0, 30, None).unwrap());
        assert!(!budget.table_growing(0, 30, None).unwrap());
        assert_eq!(budget.quota.exceeded().unwrap().limit, Limit::TableElements);
        assert!(budget.table_growing(30, 50, None).unwrap());
    }

    #[test]
    fn a_growth_that_the_engine_could_not_do_is_given_back() {
        let mut budget = budget(Limits { memory: Bytes(1000), ..Limits::default() });
        assert!(budget.memory_growing(0, 900, None).unwrap());
        budget.memory_grow_failed(wasmtime::Error::msg("no address space")).unwrap();
        assert!(budget.memory_growing(0, 900, None).unwrap());
    }
}
