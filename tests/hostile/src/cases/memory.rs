//! Memories and tables that grow: one, many, and by way of the host.

use autodevops_policy::{Bytes, Limit};

use crate::{
    case::{Case, Ending},
    component::Wat,
};

/// All of them.
pub fn cases() -> Vec<Case> {
    let grow = "(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then (unreachable))) (call $passed)";
    vec![
        Case::new("a memory that grows at once", "limits/memory", Wat::check(grow), Ending::Over(Limit::Memory))
            .held(|terms| terms.limits().memory = Bytes(4 << 20))
            .raised(|_| {}, Ending::Says("done".into())),
    ]
}
