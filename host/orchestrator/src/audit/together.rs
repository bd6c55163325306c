//! Calls that are made again and again, such as those that read the watched logs, as one record.

use autodevops_journal::audit::Call;

/// So many different operations are kept of such calls; further ones are counted.
const MAX_OPERATIONS: usize = 1000;

/// Whether the calls are of one function of one component, and both gave a result.
pub fn same(one: &Call, other: &Call) -> bool {
    let of = |call: &Call| call.failure.is_none();
    one.digest == other.digest && one.plugin == other.plugin && one.function == other.function && of(one) && of(other)
}

/// Adds a call to those before it; gives how many operations there are more.
pub fn add(before: &mut Call, call: Call) -> usize {
    before.calls = before.calls.saturating_add(call.calls);
    before.wall_ns = before.wall_ns.saturating_add(call.wall_ns);
    before.guest_ns = before.guest_ns.saturating_add(call.guest_ns);
    before.further = before.further.saturating_add(call.further);
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
        });
        if let Some(known) = known {
            known.count = known.count.saturating_add(operation.count);
            known.bytes = known.bytes.saturating_add(operation.bytes);
            known.duration_ns = known.duration_ns.saturating_add(operation.duration_ns);
        } else if before.operations.len() < MAX_OPERATIONS {
            before.operations.push(operation);
            more += 1;
        } else {
            before.further = before.further.saturating_add(operation.count);
        }
    }
    more
}
