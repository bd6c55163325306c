//! The time, for the core that has none of its own.

use std::time::{SystemTime, UNIX_EPOCH};

use autodevops_pipeline::Timestamp;

/// Now.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
