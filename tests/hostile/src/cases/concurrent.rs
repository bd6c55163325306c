//! The limits of every call, on the engine that offers the built-ins for what runs beside each other: a component has itself put there
//! by naming one of them.

use autodevops_policy::{Bytes, Limit, Limits};

use crate::{
    case::{Case, Ending, ms},
    component::{RUN, Wat},
};

/// Sets some of a call's limits.
type Set = fn(&mut Limits);

/// All of them.
pub fn cases() -> Vec<Case> {
    let there = |guest: Wat| guest.around("", &[("backpressure-inc", "(canon backpressure.inc)")]);
    let check = |run: &str| there(Wat::check(run));
    let case = |name: &str, limit: (&'static str, Limit), guest: Wat, held: Set, raised: Set, then: Ending| {
        let (promise, limit) = limit;
        Case::new(format!("{name}, on the engine with concurrency"), promise, guest, Ending::Over(limit))
            .held(move |terms| held(terms.limits()))
            .raised(move |terms| raised(terms.limits()), then)
    };
    let done = || Ending::Says("done".into());
    let on = "(loop $on (br $on)) (unreachable)";
    let grow = |what: &str| format!("(if (i32.eq ({what}) (i32.const -1)) (then (unreachable))) (call $passed)");
    vec![
        case(
            "an endless loop against the time to compute",
            ("limits/guest-time", Limit::GuestTime),
            check(on),
            |limits| limits.guest_time = ms(100),
            |limits| limits.wall_time = ms(200),
            Ending::Over(Limit::WallTime),
        ),
        case(
            "an endless loop against the clock",
            ("limits/wall-time", Limit::WallTime),
            check(on),
            |limits| limits.wall_time = ms(100),
            |limits| limits.guest_time = ms(200),
            Ending::Over(Limit::GuestTime),
        ),
        case(
            "an endless loop in a post-return function",
            ("limits/guest-time", Limit::GuestTime),
            there(
                Wat::check("(call $passed)")
                    .with(&format!("(func (export \"cabi_post_{RUN}\") (param i32) (loop $on (br $on)))")),
            ),
            |limits| limits.guest_time = ms(100),
            |limits| limits.wall_time = ms(200),
            Ending::Over(Limit::WallTime),
        ),
        case(
            "a memory that grows",
            ("limits/memory", Limit::Memory),
            check(&grow("memory.grow (i32.const 100)")),
            |limits| limits.memory = Bytes(4 << 20),
            |_| {},
            done(),
        ),
        case(
            "a table that grows",
            ("limits/table-elements", Limit::TableElements),
            there(Wat::check(&grow("table.grow $t (ref.null func) (i32.const 5000)")).with("(table $t 0 funcref)")),
            |limits| limits.table_elements = 1000,
            |limits| limits.table_elements = 100_000,
            done(),
        ),
    ]
}
