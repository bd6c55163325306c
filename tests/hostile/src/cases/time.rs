//! Endless loops, in every place where a guest's code runs, and sleeps beyond the deadline.

use std::time::Duration;

use autodevops_policy::{Limit, Span};

use crate::{
    call::Function,
    case::{Case, Ending, Guest, ms},
    component::{RUN, Wat, append},
};
use autodevops_model::Stage;

const LOOP: &str = "(loop $on (br $on))";

/// A place where guest code runs, and a guest that loops there.
fn places() -> Vec<(&'static str, Guest, Function)> {
    let analyzer = "autodevops:stages/analyzer@0.1.0";
    let drop = Wat::stage(
        Stage::Analyzer,
        &format!(
            "(func (export \"{analyzer}#[constructor]session\") (param i32 i32 i32) (result i32)
                 (call $resource-new_session (i32.const 8)))
             (func (export \"{analyzer}#[method]session.push\") (param i32 i32 i32 i32 i32) (result i32)
                 (call $resource-drop_session (call $resource-new_session (i32.const 16))) (call $passed))
             (func (export \"{analyzer}#[dtor]session\") (param i32) {LOOP})"
        ),
    )
    .import(&format!("[export]{analyzer}"), "[resource-new]session (param i32) (result i32)")
    .import(&format!("[export]{analyzer}"), "[resource-drop]session (param i32)");
    let honest = Wat::check("(call $passed)");
    vec![
        ("in its function", Wat::check(&format!("{LOOP} (unreachable)")).into(), Function::Check),
        (
            "of calls, one after the other",
            Wat::check("(loop $on (call $nothing) (br $on)) (unreachable)").with("(func $nothing)").into(),
            Function::Check,
        ),
        (
            "in a start function",
            honest.clone().with(&format!("(func $start {LOOP}) (start $start)")).into(),
            Function::Check,
        ),
        (
            "in the start function of a module beside it",
            append(&honest.build(), &[(&format!("(module (func $start {LOOP}) (start $start))"), 1)]).into(),
            Function::Check,
        ),
        (
            "in an initializer",
            honest.clone().with(&format!("(func (export \"_initialize\") {LOOP})")).into(),
            Function::Check,
        ),
        (
            "in `realloc`, for its arguments",
            honest.clone().realloc(&format!("{LOOP} (unreachable)")).into(),
            Function::Check,
        ),
        (
            "in `realloc`, for what the host answers",
            Wat::check("(call $get-random-bytes (i64.const 1000) (i32.const 2048)) (call $passed)")
                .import("wasi:random/random", "get-random-bytes")
                // The arguments are lowered first: only what comes later loops.
                .realloc(&format!("(if (i32.eq (local.get 3) (i32.const 1000)) (then {LOOP})) (i32.const 65536)"))
                .into(),
            Function::Check,
        ),
        ("in `drop`, the destructor of its resource", drop.into(), Function::Analyze),
        (
            "in a post-return function",
            honest.with(&format!("(func (export \"cabi_post_{RUN}\") (param i32) {LOOP})")).into(),
            Function::Check,
        ),
        ("in Rust", "probe".into(), Function::Check),
    ]
}

/// All of them.
pub fn cases() -> Vec<Case> {
    let loops = places().into_iter().flat_map(|(place, guest, function)| {
        // Each limit is the other's proof: with the one raised, the call ends by the other.
        let computing = Case::new(
            format!("an endless loop {place}, against the time to compute"),
            "limits/guest-time",
            guest.clone(),
            Ending::Over(Limit::GuestTime),
        )
        .held(|terms| terms.limits().guest_time = ms(100))
        .raised(|terms| terms.limits().wall_time = ms(200), Ending::Over(Limit::WallTime));
        let clock = Case::new(
            format!("an endless loop {place}, against the clock"),
            "limits/wall-time",
            guest,
            Ending::Over(Limit::WallTime),
        )
        .held(|terms| terms.limits().wall_time = ms(100))
        .raised(|terms| terms.limits().guest_time = ms(200), Ending::Over(Limit::GuestTime));
        [computing, clock].map(|case| {
            case.calling(function).given(|terms| {
                terms.config.insert("act".into(), "loop".into());
                terms.config.insert("argument".into(), String::new());
            })
        })
    });
    loops.chain(sleeps()).collect()
}

/// Waiting is no computing: only the clock ends it.
fn sleeps() -> Vec<Case> {
    let poll = "(i32.store (i32.const 2048) (call $subscribe-duration (i64.const 300_000_000)))
                (call $poll (i32.const 2048) (i32.const 1) (i32.const 2056)) (call $passed)";
    let block = "(call $method_pollable.block (call $subscribe-duration (i64.const 300_000_000))) (call $passed)";
    let clock = "wasi:clocks/monotonic-clock";
    let guests = [
        ("a sleep in `poll`", Wat::check(poll).import(clock, "subscribe-duration").import("wasi:io/poll", "poll")),
        (
            "a sleep in `block`",
            Wat::check(block).import(clock, "subscribe-duration").import("wasi:io/poll", "[method]pollable.block"),
        ),
    ];
    guests
        .into_iter()
        .map(|(name, guest)| {
            Case::new(format!("{name}, beyond the deadline"), "limits/wall-time", guest, Ending::Over(Limit::WallTime))
                .given(|terms| terms.grant.clocks = true)
                .held(|terms| terms.limits().wall_time = ms(100))
                .raised(|terms| terms.limits().wall_time = Span(Duration::from_secs(60)), Ending::Says("done".into()))
        })
        .collect()
}
