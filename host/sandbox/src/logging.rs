//! `autodevops:host/log`: a plugin's lines in the host's trace, with the plugin, the run and the stage, within a quota.

use std::sync::Arc;

use autodevops_model::Stage;
use autodevops_policy::{Limit, text::escape};

use crate::{bindings::base::autodevops::host::log::Level, guest::Labels, http::Scrubber, quota::Quota};

/// Bytes that each field of a record takes besides its name and value: `name="value" `.
const FIELD_BYTES: usize = 4;

/// What is left of a call's lines and bytes.
pub struct LogQuota {
    quota: Arc<Quota>,
    scrubber: Scrubber,
    dropped: u64,
}

impl LogQuota {
    pub const fn new(quota: Arc<Quota>, scrubber: Scrubber) -> Self {
        Self { quota, scrubber, dropped: 0 }
    }

    /// Writes a record. Nothing in it can forge another line.
    ///
    /// # Errors
    /// The limit into which it does not fit any more. It is dropped, and counted.
    pub fn write(
        &mut self,
        labels: &Labels,
        level: Level,
        target: &str,
        message: &str,
        fields: &[(String, String)],
    ) -> Result<(), Limit> {
        let size = target.len()
            + message.len()
            + fields.iter().map(|(name, value)| name.len() + value.len() + FIELD_BYTES).sum::<usize>();
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        let over = if self.quota.left(Limit::LogLines) == 0 {
            Some(Limit::LogLines)
        } else {
            (!self.quota.charge_quietly(Limit::LogBytes, size)).then_some(Limit::LogBytes)
        };
        if let Some(limit) = over {
            self.dropped = self.dropped.saturating_add(1);
            return Err(limit);
        }
        self.quota.charge_quietly(Limit::LogLines, 1);
        let wanted = match level {
            Level::Trace => tracing::enabled!(tracing::Level::TRACE),
            Level::Debug => tracing::enabled!(tracing::Level::DEBUG),
            Level::Info => tracing::enabled!(tracing::Level::INFO),
            Level::Warn => tracing::enabled!(tracing::Level::WARN),
            Level::Error => tracing::enabled!(tracing::Level::ERROR),
        };
        if !wanted {
            return Ok(());
        }
        let (plugin, run) = (&*labels.plugin, &*labels.run);
        let stage = labels.stage.map_or("", Stage::name);
        let one_line = |text: &str| one_line(&self.scrubber.scrub(text));
        let (target, message) = (one_line(target), one_line(message));
        let fields = fields
            .iter()
            .map(|(name, value)| format!("{}={:?}", one_line(name), one_line(value)))
            .collect::<Vec<_>>()
            .join(" ");
        match level {
            Level::Trace => tracing::trace!(plugin, run, stage, target, fields, "{message}"),
            Level::Debug => tracing::debug!(plugin, run, stage, target, fields, "{message}"),
            Level::Info => tracing::info!(plugin, run, stage, target, fields, "{message}"),
            Level::Warn => tracing::warn!(plugin, run, stage, target, fields, "{message}"),
            Level::Error => tracing::error!(plugin, run, stage, target, fields, "{message}"),
        }
        Ok(())
    }

    /// How many records did not fit since this was asked last.
    pub const fn take_dropped(&mut self) -> u64 {
        std::mem::replace(&mut self.dropped, 0)
    }
}

fn one_line(text: &str) -> String {
    escape(text).replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use autodevops_policy::{Bytes, EffectiveGrant, Limits};

    use super::*;

    fn labels() -> Labels {
        Labels { plugin: "a".into(), run: "r".into(), stage: Some(Stage::Check) }
    }

    #[test]
    fn lines_and_bytes_beyond_the_limit_are_counted_not_written() {
        let limits = Limits { log_lines: 2, log_bytes: Bytes(100), ..Limits::default() };
        let grant = EffectiveGrant { limits, ..EffectiveGrant::default() };
        let mut quota = LogQuota::new(Quota::new("a".into(), Arc::new(grant)), Scrubber::default());
        assert_eq!(quota.write(&labels(), Level::Info, "t", &"x".repeat(200), &[]), Err(Limit::LogBytes));
        assert_eq!(quota.take_dropped(), 1);
        for fits in [Ok(()), Ok(()), Err(Limit::LogLines)] {
            assert_eq!(quota.write(&labels(), Level::Info, "t", "short", &[]), fits);
        }
        assert_eq!(quota.take_dropped(), 1);
    }

    #[test]
    fn fields_with_nothing_in_them_take_room_as_well() {
        let limits = Limits { log_bytes: Bytes(1000), ..Limits::default() };
        let grant = EffectiveGrant { limits, ..EffectiveGrant::default() };
        let mut quota = LogQuota::new(Quota::new("a".into(), Arc::new(grant)), Scrubber::default());
        let fields = vec![(String::new(), String::new()); 200];
        assert_eq!(quota.write(&labels(), Level::Info, "t", "message", &fields), Ok(()));
        assert_eq!(quota.write(&labels(), Level::Info, "t", "message", &fields), Err(Limit::LogBytes));
        assert_eq!(quota.take_dropped(), 1);
    }

    #[test]
    fn a_message_stays_one_line() {
        assert_eq!(one_line("a\nERROR forged\x1b[2J"), "a\\nERROR forged\\u{1b}[2J");
    }
}
