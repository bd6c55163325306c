//! The one chokepoint: every acquisition by a plugin asks here first. Decided, counted, recorded, traced.

use autodevops_policy::EffectiveGrant;

/// Most records that are kept of one call; further ones are counted only.
const MAX_RECORDS: usize = 10_000;

/// Something that a plugin asks the host for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The wall clock or the monotonic clock.
    Clock,
    /// Random bytes.
    Random,
    /// Environment variables or arguments.
    Environment,
    /// The list of preopened folders.
    Preopens,
    /// A file or folder below a preopen, by path.
    Open(String),
    /// A socket or a look-up of a name, by kind.
    Socket(&'static str),
    /// The plugin's own configuration.
    Config,
    /// A line into the host's log.
    Log,
    /// The local target, by function.
    LocalTarget(&'static str),
    /// A request, by URL.
    Http(String),
    /// The plugin's own store, by bucket.
    KeyValue(String),
}

impl Operation {
    /// A short name for the record.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Environment => "environment",
            Self::Preopens => "preopens",
            Self::Open(_) => "open",
            Self::Socket(_) => "socket",
            Self::Config => "config",
            Self::Log => "log",
            Self::LocalTarget(_) => "local-target",
            Self::Http(_) => "http",
            Self::KeyValue(_) => "keyvalue",
        }
    }
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What was asked for.
    pub operation: Operation,
    /// Whether it was allowed.
    pub allowed: bool,
}

/// A refusal. As an error of a host call that cannot say no by itself, it ends the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The operator has not granted it.
    #[error("plugin `{plugin}` asked for {what}, which it was not granted; grant it with {remedy}")]
    NotGranted {
        /// The plugin.
        plugin: String,
        /// What was asked for, in words.
        what: String,
        /// The key that grants it.
        remedy: String,
    },
    /// The call asked the host more often than it may.
    #[error("plugin `{plugin}` made more than {limit} host calls; raise `limits.host-calls` if it needs them")]
    HostCalls {
        /// The plugin.
        plugin: String,
        /// How many it may make.
        limit: u32,
    },
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
            Err(Denial::HostCalls { plugin: self.plugin.clone(), limit })
        } else {
            self.decide(&operation)
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

    fn decide(&self, operation: &Operation) -> Result<(), Denial> {
        let (granted, what, key) = match operation {
            Operation::Clock => (self.grant.clocks, "the clock".to_owned(), "clocks = true"),
            Operation::Random => (self.grant.random, "randomness".to_owned(), "random = true"),
            // Never granted: what a plugin needs to know is in its configuration.
            Operation::Environment => (false, "the environment".to_owned(), "a key of [config] instead"),
            Operation::Preopens => (!self.grant.files.is_empty(), "files".to_owned(), "files.\"/PATH\" = { … }"),
            // Only reachable through a preopen, whose folder and access are held by its descriptor.
            Operation::Open(_) | Operation::Config | Operation::Log => return Ok(()),
            Operation::Socket(kind) => (false, format!("a {kind}"), "http = [\"https://…\"] instead"),
            Operation::LocalTarget(function) => {
                (self.grant.local_target, format!("the local target ({function})"), "local-target = true")
            }
            Operation::KeyValue(_) => (self.grant.keyvalue, "a key-value store".to_owned(), "keyvalue = true"),
            Operation::Http(target) => {
                let granted =
                    url::Url::parse(target).is_ok_and(|url| self.grant.http.iter().any(|origin| origin.allows(&url)));
                (granted, target.clone(), "http = [\"SCHEME://HOST:PORT\"], and its manifest must ask for it")
            }
        };
        if granted {
            return Ok(());
        }
        let remedy = format!("[plugins.{}.grant] {key}", self.plugin);
        Err(Denial::NotGranted { plugin: self.plugin.clone(), what, remedy })
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
        assert!(matches!(authority.authorize(Operation::Log), Err(Denial::HostCalls { limit: 2, .. })));
    }
}
