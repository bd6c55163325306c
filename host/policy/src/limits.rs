//! What one call of a plugin may use. Every limit has a default, and a test in the sandbox proves that it bites.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Bytes, Span};

/// What one call may use. A manifest may ask for more than the defaults, the operator's ceilings stand above both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Limits {
    /// Time on the clock from the start of the call to its end, host calls included.
    pub wall_time: Span,
    /// All linear memories and tables of the instance together.
    pub memory: Bytes,
    /// What the call may give back, and what any one host call may be given.
    pub output: Bytes,
    /// Lines written to `autodevops:host/log`.
    pub log_lines: u32,
    /// Bytes written to `autodevops:host/log`.
    pub log_bytes: Bytes,
    /// Host calls that acquire something: files opened, requests sent, clocks subscribed to.
    pub host_calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_time: Span(Duration::from_secs(30)),
            memory: Bytes(256 << 20),
            output: Bytes(16 << 20),
            log_lines: 1000,
            log_bytes: Bytes(1 << 20),
            host_calls: 100_000,
        }
    }
}

impl Limits {
    /// Each limit at most the ceiling's.
    #[must_use]
    pub fn at_most(self, ceiling: Self) -> Self {
        Self {
            wall_time: self.wall_time.min(ceiling.wall_time),
            memory: self.memory.min(ceiling.memory),
            output: self.output.min(ceiling.output),
            log_lines: self.log_lines.min(ceiling.log_lines),
            log_bytes: self.log_bytes.min(ceiling.log_bytes),
            host_calls: self.host_calls.min(ceiling.host_calls),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_lowers_only_what_is_above_it() {
        let asked = Limits { memory: Bytes(1 << 30), log_lines: 10, ..Limits::default() };
        let held = asked.at_most(Limits::default());
        assert_eq!(held.memory, Limits::default().memory);
        assert_eq!(held.log_lines, 10);
    }
}
