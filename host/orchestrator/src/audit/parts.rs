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

#[cfg(test)]
mod tests {
    use autodevops_journal::audit::Note;

    use super::{super::testing, *};

    fn call(operations: usize) -> Entry {
        Entry::Call(testing::call("check", (0..operations).map(|number| number.to_string())))
    }

    /// How many calls and operations there are in each part; none where it is not parted.
    fn parted(entries: Vec<Entry>) -> Option<[(u64, usize); 2]> {
        let count = |entries: Vec<Entry>| {
            let each = entries.iter().filter_map(|entry| match entry {
                Entry::Call(call) => Some((call.calls, call.operations.len())),
                Entry::Event(_) | Entry::Note(_) => None,
            });
            each.fold((0, 0), |(calls, all), (call, operations)| (calls + call, all + operations))
        };
        halves(entries).ok().map(|(first, rest)| [count(first), count(rest)])
    }

    #[test]
    fn what_is_parted_is_smaller_in_each_part_and_what_is_one_thing_is_not_parted() {
        assert_eq!(parted(vec![call(3), call(0), call(4)]), Some([(1, 3), (2, 4)]));
        assert_eq!(parted(vec![call(5)]), Some([(1, 2), (0, 3)]));
        assert_eq!(parted(vec![call(2)]), Some([(1, 1), (0, 1)]));
        assert_eq!((parted(vec![call(1)]), parted(vec![call(0)])), (None, None));
        let note = Entry::Note(Note { at_ns: 0, what: "x".into(), by: None, summary: String::new() });
        assert_eq!(halves(vec![note.clone()]).unwrap_err(), [note]);
    }
}
