//! What is too large for one seal, in two: by its entries, or a call by its operations. Nothing is left out.

use std::collections::BTreeMap;

use autodevops_journal::audit::{Call, Entry};

/// Two parts of what is to be sealed, in order, each smaller; or, where it is a single record, that record back.
pub fn halves(mut entries: Vec<Entry>) -> Result<(Vec<Entry>, Vec<Entry>), Vec<Entry>> {
    if entries.len() > 1 {
        let rest = entries.split_off(entries.len() / 2);
        return Ok((entries, rest));
    }
    match entries.pop() {
        Some(Entry::Call(call)) if call.operations.len() > 1 => {
            let (first, rest) = halves_of(call);
            Ok((vec![Entry::Call(first)], vec![Entry::Call(rest)]))
        }
        other => Err(other.into_iter().collect()),
    }
}

/// The rest goes on with the call: it is no call more, and what the whole one took and came to stands in the first.
fn halves_of(mut call: Call) -> (Call, Call) {
    let rest = Call {
        plugin: call.plugin.clone(),
        digest: call.digest.clone(),
        interface: call.interface.clone(),
        function: call.function.clone(),
        calls: 0,
        at_ns: call.at_ns,
        wall_ns: 0,
        guest_ns: 0,
        failure: None,
        operations: call.operations.split_off(call.operations.len() / 2),
        further: 0,
        used: BTreeMap::new(),
        recording: call.recording.clone(),
    };
    (call, rest)
}
