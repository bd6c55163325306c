//! Calls as they are on record.

use std::{borrow::Cow, collections::BTreeMap};

use autodevops_journal::audit::{Call, Operation};

/// A call of a plugin that opened these, one after the other.
pub(super) fn call(function: &'static str, paths: impl Iterator<Item = String>) -> Call {
    let operation = |summary: String| Operation {
        operation: Cow::Borrowed("open"),
        summary,
        allowed: true,
        at_ns: 0,
        duration_ns: 1,
        bytes: 1,
        count: 1,
        reason: None,
    };
    Call {
        plugin: "a".into(),
        digest: "blake3:00".into(),
        interface: None,
        function: Cow::Borrowed(function),
        calls: 1,
        at_ns: 0,
        wall_ns: 1,
        guest_ns: 1,
        failure: None,
        operations: paths.map(operation).collect(),
        further: 0,
        used: BTreeMap::new(),
        recording: None,
    }
}
