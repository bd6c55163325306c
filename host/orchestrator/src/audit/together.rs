//! Calls that are made again and again, such as those that read the watched logs, as one record.

use autodevops_journal::audit::Call;

/// So many different operations are looked through for each of a further call's; beyond that it begins another record, so that none of
/// them is lost.
const MAX_OPERATIONS: usize = 1000;

/// Whether the further call can be added: it is of the same function of the same component, both gave a result, neither has a recording
/// of its own, and there is room.
pub fn same(before: &Call, further: &Call) -> bool {
    before.digest == further.digest
        && before.plugin == further.plugin
        && before.function == further.function
        && before.failure.is_none()
        && further.failure.is_none()
        && before.recording.is_none()
        && further.recording.is_none()
        && before.operations.len() + further.operations.len() <= MAX_OPERATIONS
}

/// Adds a call to those before it; gives how many operations there are more.
pub fn add(before: &mut Call, call: Call) -> usize {
    before.calls = before.calls.saturating_add(call.calls);
    before.wall_ns = before.wall_ns.saturating_add(call.wall_ns);
    before.guest_ns = before.guest_ns.saturating_add(call.guest_ns);
    for (limit, used) in call.used {
        let most = before.used.entry(limit).or_default();
        *most = used.max(*most);
    }
    let mut more = 0;
    for operation in call.operations {
        let known = before.operations.iter_mut().find(|known| {
            known.operation == operation.operation
                && known.summary == operation.summary
                && known.allowed == operation.allowed
                && known.reason == operation.reason
        });
        if let Some(known) = known {
            known.count = known.count.saturating_add(operation.count);
            known.bytes = known.bytes.saturating_add(operation.bytes);
            known.duration_ns = known.duration_ns.saturating_add(operation.duration_ns);
        } else {
            before.operations.push(operation);
            more += 1;
        }
    }
    more
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{super::testing, *};

    fn call(paths: impl Iterator<Item = String>) -> Call {
        testing::call("push", paths)
    }

    #[test]
    fn what_is_equal_is_one_record_and_what_has_no_room_begins_another() {
        let mut before = call((0..MAX_OPERATIONS - 1).map(|n| format!("f{n}")));
        let again = call(["f0".to_owned()].into_iter());
        assert!(same(&before, &again));
        assert_eq!(add(&mut before, again), 0);
        assert_eq!((before.operations[0].count, before.calls), (2, 2));
        let new = call(["new".to_owned()].into_iter());
        assert!(same(&before, &new));
        assert_eq!(add(&mut before, new), 1);
        assert!(!same(&before, &call(["one more".to_owned()].into_iter())));
        assert!(same(&before, &call(std::iter::empty())));
    }

    #[test]
    fn calls_of_another_component_or_function_and_failed_ones_are_records_of_their_own() {
        let plain = call(std::iter::empty());
        for other in [
            Call { digest: "blake3:01".into(), ..plain.clone() },
            Call { plugin: "b".into(), ..plain.clone() },
            Call { function: Cow::Borrowed("issues"), ..plain.clone() },
        ] {
            assert!(!same(&plain, &other) && !same(&other, &plain) && same(&other, &other), "{other:?}");
        }
        let failed = Call { failure: Some("it trapped".into()), ..plain.clone() };
        assert!(!same(&plain, &failed) && !same(&failed, &plain) && !same(&failed, &failed));
    }

    #[test]
    fn a_call_with_a_recording_is_a_record_of_its_own() {
        let plain = call(std::iter::empty());
        let recorded = Call { recording: Some("blake3:01".into()), ..plain.clone() };
        assert!(!same(&plain, &recorded) && !same(&recorded, &plain) && same(&plain, &plain));
    }
}
