//! One memory budget over all linear memories and tables of an instance.

use wasmtime::ResourceLimiter;

/// Bytes that one element of a table is counted as: what the engine keeps for a function reference.
const TABLE_ELEMENT_BYTES: usize = 8;

/// Counts what an instance's memories and tables grow to, together.
pub struct MemoryBudget {
    limit: usize,
    used: usize,
    /// Bytes of the growth that was allowed last, given back if the engine then fails to do it.
    pending: usize,
    exceeded: bool,
}

impl MemoryBudget {
    /// A budget of so many bytes.
    pub const fn new(limit: usize) -> Self {
        Self { limit, used: 0, pending: 0, exceeded: false }
    }

    /// Whether a growth was refused.
    pub const fn exceeded(&self) -> bool {
        self.exceeded
    }

    fn grow(&mut self, bytes: usize) -> bool {
        match self.used.checked_add(bytes) {
            Some(used) if used <= self.limit => {
                self.used = used;
                self.pending = bytes;
                true
            }
            _ => {
                self.pending = 0;
                self.exceeded = true;
                false
            }
        }
    }

    fn refund(&mut self) {
        self.used = self.used.saturating_sub(self.pending);
        self.pending = 0;
        self.exceeded = true;
    }
}

impl ResourceLimiter for MemoryBudget {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.pending = 0;
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refund();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.pending = 0;
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES)))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refund();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_share_one_budget() {
        let mut budget = MemoryBudget::new(1000);
        assert!(budget.memory_growing(0, 600, None).unwrap());
        assert!(budget.table_growing(0, 40, None).unwrap());
        assert!(!budget.memory_growing(0, 100, None).unwrap());
        assert!(budget.exceeded());
    }

    #[test]
    fn a_growth_that_the_engine_could_not_do_is_given_back() {
        let mut budget = MemoryBudget::new(1000);
        assert!(budget.memory_growing(0, 900, None).unwrap());
        budget.memory_grow_failed(wasmtime::Error::msg("no address space")).unwrap();
        assert!(budget.memory_growing(0, 900, None).unwrap());
    }
}
