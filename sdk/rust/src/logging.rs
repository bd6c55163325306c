//! The `log` crate's records, sent to the host.

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::bindings::base::autodevops::host::log as host;

struct HostLog;

static HOST_LOG: HostLog = HostLog;

/// Sends what the plugin logs to the host, from here on. Does nothing when it is so already.
pub fn start() {
    if log::set_logger(&HOST_LOG).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

impl Log for HostLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Error => host::Level::Error,
            Level::Warn => host::Level::Warn,
            Level::Info => host::Level::Info,
            Level::Debug => host::Level::Debug,
            Level::Trace => host::Level::Trace,
        };
        host::write(level, record.target(), &record.args().to_string(), &[]);
    }

    fn flush(&self) {}
}
