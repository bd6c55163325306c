//! Handles: too many, of another kind, after their end; and the engine's own functions, called where they must not be.

use autodevops_model::Stage;
use autodevops_policy::Limit;

use super::record::refused;
use crate::{
    call::Function,
    case::{Case, Ending},
    component::{RUN, Wat},
};

const CLOCK: &str = "wasi:clocks/monotonic-clock";
const POLL: &str = "wasi:io/poll";

/// All of them.
pub fn cases() -> Vec<Case> {
    floods().into_iter().chain(misuse()).chain(reentry()).collect()
}

/// Does it 500 times.
fn often(act: &str) -> String {
    format!(
        "(local $n i32)
         (loop $next
            {act}
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $n) (i32.const 500))))
         (call $passed)"
    )
}

/// More handles at once than there may be. The one too many is on record as refused, where the host was asked for it.
fn floods() -> Vec<Case> {
    const OVER: &str = "over limits.resources";
    let flood = |name: &str, guest: Wat| {
        Case::new(name, "limits/resources", guest, Ending::Over(Limit::Resources))
            .given(|terms| terms.grant.clocks = true)
            .held(|terms| terms.limits().resources = 100)
            .raised(|_| {}, Ending::Says("done".into()))
    };
    let analyzer = "autodevops:stages/analyzer@0.1.0";
    let own = Wat::stage(
        Stage::Analyzer,
        &format!(
            "(func (export \"{analyzer}#[constructor]session\") (param i32 i32 i32) (result i32)
                 (local $n i32)
                 (loop $next
                    (drop (call $resource-new_session (i32.const 8)))
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $n) (i32.const 500))))
                 (call $resource-new_session (i32.const 8)))
             (func (export \"{analyzer}#[method]session.push\") (param i32 i32 i32 i32 i32) (result i32) (call $passed))"
        ),
    )
    .import(&format!("[export]{analyzer}"), "[resource-new]session (param i32) (result i32)");
    vec![
        flood(
            "a flood of timers",
            Wat::check(&often("(drop (call $subscribe-duration (i64.const 0)))")).import(CLOCK, "subscribe-duration"),
        )
        .and(refused("clock", "", OVER, 1)),
        flood(
            "a flood of timers that never end",
            Wat::check(&often("(drop (call $subscribe-instant (i64.const -1)))")).import(CLOCK, "subscribe-instant"),
        )
        .and(refused("clock", "", OVER, 1)),
        flood(
            "a flood of streams",
            Wat::check(&often("(drop (call $get-stdout))")).import("wasi:cli/stdout", "get-stdout"),
        )
        .and(refused("stdio", "stdout", OVER, 1)),
        flood(
            "a flood of headers",
            Wat::check(&often("(drop (call $constructor_fields))")).import("wasi:http/types", "[constructor]fields"),
        )
        .and(refused("use", "wasi:http/types [constructor]fields", OVER, 1)),
        flood(
            "a flood of options for requests",
            Wat::check(&often("(drop (call $constructor_request-options))"))
                .import("wasi:http/types", "[constructor]request-options"),
        )
        .and(refused("use", "wasi:http/types [constructor]request-options", OVER, 1)),
        flood(
            "a flood of networks",
            Wat::check(&often("(drop (call $instance-network))"))
                .import("wasi:sockets/instance-network", "instance-network"),
        ),
        flood(
            "a flood of sets to wait for",
            Wat::check(&often("(drop (call $waitable-set-new))")).import("$root", "[waitable-set-new] (result i32)"),
        ),
        Case::new("a flood of its own resources", "limits/resources", own, Ending::Over(Limit::Resources))
            .calling(Function::Analyze)
            .held(|terms| terms.limits().resources = 100)
            .raised(|_| {}, Ending::Traps("unreachable")),
    ]
}

/// Handles that are used as what they are not.
fn misuse() -> Vec<Case> {
    let timer = "(local $timer i32) (local.set $timer (call $subscribe-duration (i64.const 0)))";
    let guest = |run: &str| {
        Wat::check(run)
            .import(CLOCK, "subscribe-duration")
            .import(POLL, "[method]pollable.block")
            .import(POLL, "[resource-drop]pollable")
            .import(POLL, "poll")
            .import("wasi:cli/stdout", "get-stdout")
            .import("wasi:io/streams", "[method]output-stream.subscribe")
            .import("wasi:io/streams", "[resource-drop]output-stream")
    };
    let good = || guest(&format!("{timer} (call $method_pollable.block (local.get $timer)) (call $passed)"));
    let case = |name: &str, run: &str, part: &'static str| {
        Case::new(name, "handles/unforgeable", guest(run), Ending::Traps(part))
            .given(|terms| terms.grant.clocks = true)
            .mended(good())
    };
    vec![
        case(
            "a handle used after its end",
            &format!(
                "{timer} (call $resource-drop_pollable (local.get $timer))
                 (call $method_pollable.block (local.get $timer)) (call $passed)"
            ),
            "unknown handle index",
        ),
        case(
            "a handle ended twice",
            &format!(
                "{timer} (call $resource-drop_pollable (local.get $timer))
                 (call $resource-drop_pollable (local.get $timer)) (call $passed)"
            ),
            "unknown handle index",
        ),
        case(
            "a handle that was never given",
            "(call $method_pollable.block (i32.const 12345)) (call $passed)",
            "unknown handle index",
        ),
        case("a handle of zero", "(call $method_pollable.block (i32.const 0)) (call $passed)", "unknown handle index"),
        case(
            "a handle beyond all numbers",
            "(call $method_pollable.block (i32.const -1)) (call $passed)",
            "unknown handle index",
        ),
        case(
            "a handle of another kind",
            "(call $method_pollable.block (call $get-stdout)) (call $passed)",
            "handle index",
        ),
        case(
            "the end of a stream that is still waited for",
            "(local $out i32) (local.set $out (call $get-stdout))
             (drop (call $method_output-stream.subscribe (local.get $out)))
             (call $resource-drop_output-stream (local.get $out)) (call $passed)",
            "children",
        ),
        case(
            "a list of handles, one of which was never given",
            &format!(
                "{timer} (i32.store (i32.const 4096) (local.get $timer)) (i32.store (i32.const 4100) (i32.const 77))
                 (call $poll (i32.const 4096) (i32.const 2) (i32.const 2048)) (call $passed)"
            ),
            "unknown handle index",
        ),
        case(
            "a wait for nothing",
            "(call $poll (i32.const 4096) (i32.const 0) (i32.const 2048)) (call $passed)",
            "empty",
        ),
    ]
}

/// Calls from where none may be made.
fn reentry() -> Vec<Case> {
    let random = "wasi:random/random";
    let good = || Wat::check("(call $passed)");
    let seen = "(drop (call $get-random-u64))";
    vec![
        Case::new(
            "a call of the host from `realloc`",
            "handles/no-reentry",
            good().realloc(&format!("{seen} (i32.const 65536)")).import(random, "get-random-u64"),
            Ending::Traps("cannot leave component instance"),
        )
        .mended(good()),
        Case::new(
            "a call of the host from a post-return function",
            "handles/no-reentry",
            good()
                .with(&format!("(func (export \"cabi_post_{RUN}\") (param i32) {seen})"))
                .import(random, "get-random-u64"),
            Ending::Traps("cannot leave component instance"),
        )
        .mended(good().with(&format!("(func (export \"cabi_post_{RUN}\") (param i32))"))),
        Case::new(
            "a trap in a post-return function",
            "handles/no-reentry",
            good().with(&format!("(func (export \"cabi_post_{RUN}\") (param i32) (unreachable))")),
            Ending::Traps("unreachable"),
        )
        .mended(good().with(&format!("(func (export \"cabi_post_{RUN}\") (param i32))"))),
        Case::new(
            "a trap in a start function",
            "handles/no-reentry",
            good().with("(func $start (unreachable)) (start $start)"),
            Ending::Traps("unreachable"),
        )
        .mended(good().with("(func $start) (start $start)")),
        Case::new(
            "a division by zero",
            "handles/no-reentry",
            Wat::check("(i32.div_u (i32.const 1024) (i32.const 0))"),
            Ending::Traps("divide by zero"),
        )
        .mended(Wat::check("(i32.div_u (i32.const 1024) (i32.const 1))")),
        Case::new(
            "an access beyond its memory",
            "handles/no-reentry",
            Wat::check("(drop (i32.load (i32.const 0x7ffffff0))) (call $passed)"),
            Ending::Traps("out of bounds"),
        )
        .mended(Wat::check("(drop (i32.load (i32.const 16))) (call $passed)")),
        Case::new(
            "a call through a table with another type",
            "handles/no-reentry",
            Wat::check("(call_indirect (type $f) (i32.const 0)) (call $passed)")
                .with("(type $f (func)) (table 1 funcref) (elem (i32.const 0) $passed)"),
            Ending::Traps("indirect call"),
        )
        .mended(
            Wat::check("(call_indirect (type $f) (i32.const 0)) (call $passed)")
                .with("(type $f (func)) (table 1 funcref) (elem (i32.const 0) $nothing) (func $nothing)"),
        ),
    ]
}
