//! The one chokepoint: every acquisition by a plugin asks here first. Decided, counted, recorded, traced.

use autodevops_policy::{Denial, EffectiveGrant, Limit, Operation};

/// Most records that are kept of one call; further ones are counted only.
const MAX_RECORDS: usize = 10_000;

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What was asked for.
    pub operation: Operation,
    /// Whether it was allowed.
    pub allowed: bool,
}

/// Decides about one call's operations, and remembers them.
pub struct Authority {
    plugin: String,
    grant: std::sync::Arc<EffectiveGrant>,
    calls: u32,
    records: Vec<Record>,
    denied: Option<Denial>,
}

impl Authority {
    /// For one call of the plugin.
    pub fn new(plugin: String, grant: std::sync::Arc<EffectiveGrant>) -> Self {
        Self { plugin, grant, calls: 0, records: Vec::new(), denied: None }
    }

    /// Whether the operation may go on. Counted and recorded either way.
    ///
    /// # Errors
    /// The [`Denial`], which names the plugin, the thing and the key that grants it.
    pub fn authorize(&mut self, operation: Operation) -> Result<(), Denial> {
        self.calls = self.calls.saturating_add(1);
        let limit = self.grant.limits.host_calls;
        let decision = if self.calls > limit {
            Err(self.grant.limits.exceeded(&self.plugin, Limit::HostCalls).into())
        } else {
            self.grant.decide(&self.plugin, &operation)
        };
        let allowed = decision.is_ok();
        tracing::trace!(plugin = %self.plugin, operation = operation.name(), allowed, "host call");
        if let Err(denial) = &decision {
            self.denied = Some(denial.clone());
        }
        if self.records.len() < MAX_RECORDS {
            self.records.push(Record { operation, allowed });
        }
        decision
    }

    /// What was asked so far, oldest first.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What was refused last.
    pub const fn last_denial(&self) -> Option<&Denial> {
        self.denied.as_ref()
    }

    /// How often the host was asked.
    pub const fn calls(&self) -> u32 {
        self.calls
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use autodevops_policy::Limits;

    use super::*;

    fn authority(grant: EffectiveGrant) -> Authority {
        Authority::new("a".into(), Arc::new(grant))
    }

    #[test]
    fn nothing_is_allowed_by_default_and_each_denial_names_its_remedy() {
        let mut authority = authority(EffectiveGrant::default());
        for (operation, remedy) in [
            (Operation::Clock, "[plugins.a.grant] clocks = true"),
            (Operation::Random, "[plugins.a.grant] random = true"),
            (Operation::Environment, "[config]"),
            (Operation::Preopens, "files"),
            (Operation::Socket("TCP socket"), "http = "),
            (Operation::LocalTarget("set"), "local-target = true"),
        ] {
            let text = authority.authorize(operation.clone()).unwrap_err().to_string();
            assert!(text.contains(remedy), "{text}");
            assert_eq!(authority.records().last(), Some(&Record { operation, allowed: false }));
        }
    }

    #[test]
    fn what_is_granted_is_allowed_and_recorded() {
        let mut authority = authority(EffectiveGrant { clocks: true, ..EffectiveGrant::default() });
        assert_eq!(authority.authorize(Operation::Clock), Ok(()));
        assert_eq!(authority.records(), [Record { operation: Operation::Clock, allowed: true }]);
    }

    #[test]
    fn host_calls_beyond_the_limit_are_refused() {
        let limits = Limits { host_calls: 2, ..Limits::default() };
        let mut authority = authority(EffectiveGrant { limits, ..EffectiveGrant::default() });
        assert_eq!(authority.authorize(Operation::Log), Ok(()));
        assert_eq!(authority.authorize(Operation::Log), Ok(()));
        assert!(authority.authorize(Operation::Log).unwrap_err().limit() == Some(Limit::HostCalls));
    }
}
