//! The engine's built-in functions for what runs beside each other: sets to wait for, streams, futures, subtasks, yielding. The
//! JavaScript engine of the plugins needs some of them, so any component can have them. No host function is asked there, so
//! what bounds them is the engine: handles, time, stacks.

use autodevops_policy::Limit;
use autodevops_sandbox::SandboxOptions;

use crate::{
    around,
    case::{Case, Ending, ms},
    component::Wat,
    run::options,
};

/// The types that the built-ins are of, and a lifted function for those that need one.
const TYPES: &str = "(type $stream (stream u8)) (type $future (future u8))";

/// Each built-in that the engine offers: its name and signature, and what it is.
const BUILT_INS: &[(&str, &str)] = &[
    ("set-new (result i32)", "(canon waitable-set.new)"),
    ("set-wait (param i32 i32) (result i32)", "(canon waitable-set.wait (memory $memory))"),
    ("set-poll (param i32 i32) (result i32)", "(canon waitable-set.poll (memory $memory))"),
    ("set-drop (param i32)", "(canon waitable-set.drop)"),
    ("join (param i32 i32)", "(canon waitable.join)"),
    ("stream-new (result i64)", "(canon stream.new $stream)"),
    ("stream-read (param i32 i32 i32) (result i32)", "(canon stream.read $stream async (memory $memory))"),
    ("stream-write (param i32 i32 i32) (result i32)", "(canon stream.write $stream async (memory $memory))"),
    ("stream-cancel-read (param i32) (result i32)", "(canon stream.cancel-read $stream)"),
    ("stream-cancel-write (param i32) (result i32)", "(canon stream.cancel-write $stream)"),
    ("stream-drop-readable (param i32)", "(canon stream.drop-readable $stream)"),
    ("stream-drop-writable (param i32)", "(canon stream.drop-writable $stream)"),
    ("future-new (result i64)", "(canon future.new $future)"),
    ("future-read (param i32 i32) (result i32)", "(canon future.read $future async (memory $memory))"),
    ("future-write (param i32 i32) (result i32)", "(canon future.write $future async (memory $memory))"),
    ("future-cancel-read (param i32) (result i32)", "(canon future.cancel-read $future)"),
    ("future-cancel-write (param i32) (result i32)", "(canon future.cancel-write $future)"),
    ("future-drop-readable (param i32)", "(canon future.drop-readable $future)"),
    ("future-drop-writable (param i32)", "(canon future.drop-writable $future)"),
    ("subtask-drop (param i32)", "(canon subtask.drop)"),
    ("subtask-cancel (param i32) (result i32)", "(canon subtask.cancel)"),
    ("task-return", "(canon task.return)"),
    ("task-cancel", "(canon task.cancel)"),
    ("context-get (result i32)", "(canon context.get i32 0)"),
    ("context-set (param i32)", "(canon context.set i32 0)"),
    ("yield (result i32)", "(canon thread.yield)"),
    ("backpressure-inc", "(canon backpressure.inc)"),
    ("backpressure-dec", "(canon backpressure.dec)"),
];

/// The reading end of a stream or a future that was just made, and the writing end.
const ENDS: &str = "(local $ends i64) (local $reads i32) (local $writes i32)";

/// What the engine says to a call that is not asynchronous and would wait.
const WAITS_NOT: &str = "cannot block a synchronous task";

/// Takes the ends apart.
fn ends(new: &str) -> String {
    format!(
        "(local.set $ends (call ${new}))
         (local.set $reads (i32.wrap_i64 (local.get $ends)))
         (local.set $writes (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))"
    )
}

/// All of them.
pub fn cases() -> Vec<Case> {
    [floods(), loops(), misuse(), stacks(), refused()].into_iter().flatten().collect()
}

/// A check with the built-ins that it calls.
fn guest(run: &str) -> Wat {
    let calls = |named: &str| {
        let name = named.split(' ').next().unwrap_or(named);
        [" ", ")"].iter().any(|end| run.contains(&format!("(call ${name}{end}")))
    };
    let called: Vec<(&str, &str)> = BUILT_INS.iter().copied().filter(|(named, _)| calls(named)).collect();
    Wat::check(run).around(TYPES, &called)
}

/// More of them at once than there may be handles.
fn floods() -> Vec<Case> {
    let flood = |name: &str, act: &str| {
        let run = format!(
            "(local $n i32) (local $set i32) {ENDS}
             (loop $next
                {act}
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $n) (i32.const 500))))
             (call $passed)"
        );
        Case::new(name, "limits/resources", guest(&run), Ending::Over(Limit::Resources))
            .held(|terms| terms.limits().resources = 100)
            .raised(|_| {}, Ending::Says("done".into()))
    };
    vec![
        flood("a flood of its own streams", "(drop (call $stream-new))"),
        flood("a flood of its own futures", "(drop (call $future-new))"),
        flood(
            "a flood of streams that are written to and nobody reads",
            &format!(
                "{} (drop (call $stream-write (local.get $writes) (i32.const 0) (i32.const 65536)))",
                ends("stream-new")
            ),
        ),
        flood(
            "a flood of futures that wait in one set",
            &format!(
                "(if (i32.eqz (local.get $n)) (then (local.set $set (call $set-new))))
                 {}
                 (drop (call $future-read (local.get $reads) (i32.const 0)))
                 (call $join (local.get $reads) (local.get $set))",
                ends("future-new")
            ),
        ),
    ]
}

/// The same again and again, for ever: what a built-in takes is no more than time.
fn loops() -> Vec<Case> {
    let looping = |name: &str, before: &str, act: &str| {
        let run = format!("{ENDS} (local $set i32) {before} (loop $on {act} (br $on)) (unreachable)");
        Case::new(name, "limits/guest-time", guest(&run), Ending::Over(Limit::GuestTime))
            .held(|terms| terms.limits().guest_time = ms(50))
            .raised(|terms| terms.limits().wall_time = ms(100), Ending::Over(Limit::WallTime))
    };
    vec![
        looping(
            "a poll of an empty set, for ever",
            "(local.set $set (call $set-new))",
            "(drop (call $set-poll (local.get $set) (i32.const 0)))",
        ),
        looping("sets to wait for, made and dropped for ever", "", "(call $set-drop (call $set-new))"),
        looping("a yield to nobody, for ever", "", "(drop (call $yield))"),
        looping(
            "streams that are made and dropped for ever",
            "",
            &format!(
                "{} (call $stream-drop-readable (local.get $reads)) (call $stream-drop-writable (local.get $writes))",
                ends("stream-new")
            ),
        ),
        looping(
            "a stream that is written to and read from for ever",
            &format!(
                "{} (local.set $set (call $set-new)) (call $join (local.get $writes) (local.get $set))",
                ends("stream-new")
            ),
            // That it was written is an event, which is to be fetched before more is written.
            "(drop (call $stream-write (local.get $writes) (i32.const 0) (i32.const 65536)))
             (drop (call $stream-read (local.get $reads) (i32.const 65536) (i32.const 65536)))
             (drop (call $set-poll (local.get $set) (i32.const 0)))",
        ),
        looping(
            "futures that are made and dropped for ever",
            "",
            &format!(
                "{} (call $future-drop-readable (local.get $reads))
                 (drop (call $future-write (local.get $writes) (i32.const 0)))
                 (call $future-drop-writable (local.get $writes))",
                ends("future-new")
            ),
        ),
        looping("backpressure, up and down for ever", "", "(call $backpressure-inc) (call $backpressure-dec)"),
        looping("its context, set and looked at for ever", "", "(call $context-set (call $context-get))"),
    ]
}

/// Built-ins called where they must not be, or with what is no handle of theirs.
fn misuse() -> Vec<Case> {
    let mended = || guest("(call $set-drop (call $set-new)) (call $passed)");
    let case = |name: &str, act: &str, part: &'static str| {
        let run = format!("{ENDS} (local $n i32) {act} (call $passed)");
        Case::new(name, "handles/unforgeable", guest(&run), Ending::Traps(part)).mended(mended())
    };
    vec![
        case(
            "a wait for nothing that never ends, in a call that may not wait",
            "(drop (call $set-wait (call $set-new) (i32.const 0)))",
            WAITS_NOT,
        ),
        case("a result that is given by another way", "(call $task-return)", "task.return"),
        case("a task that is cancelled by itself", "(call $task-cancel)", "task.cancel"),
        case("the end of a subtask that was never begun", "(call $subtask-drop (i32.const 1))", "unknown handle index"),
        case(
            "the cancelling of a subtask, in a call that may not wait for it",
            "(drop (call $subtask-cancel (i32.const 1)))",
            WAITS_NOT,
        ),
        case(
            "the cancelling of a read of a stream, in a call that may not wait for it",
            &format!(
                "{} (drop (call $stream-read (local.get $reads) (i32.const 0) (i32.const 1)))
                 (drop (call $stream-cancel-read (local.get $reads)))",
                ends("stream-new")
            ),
            WAITS_NOT,
        ),
        case(
            "the cancelling of a write of a stream, in a call that may not wait for it",
            &format!(
                "{} (drop (call $stream-write (local.get $writes) (i32.const 0) (i32.const 1)))
                 (drop (call $stream-cancel-write (local.get $writes)))",
                ends("stream-new")
            ),
            WAITS_NOT,
        ),
        case(
            "the cancelling of a read of a future, in a call that may not wait for it",
            &format!(
                "{} (drop (call $future-read (local.get $reads) (i32.const 0)))
                 (drop (call $future-cancel-read (local.get $reads)))",
                ends("future-new")
            ),
            WAITS_NOT,
        ),
        case(
            "the cancelling of a write of a future, in a call that may not wait for it",
            &format!(
                "{} (drop (call $future-write (local.get $writes) (i32.const 0)))
                 (drop (call $future-cancel-write (local.get $writes)))",
                ends("future-new")
            ),
            WAITS_NOT,
        ),
        case(
            "more backpressure than can be counted",
            "(loop $more
                (call $backpressure-inc)
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $n) (i32.const 70000))))",
            "backpressure",
        ),
        case("less backpressure than none", "(call $backpressure-dec)", "backpressure"),
        case(
            "a stream that is read from by its writing end",
            &format!(
                "{} (drop (call $stream-read (local.get $writes) (i32.const 0) (i32.const 1)))",
                ends("stream-new")
            ),
            "cannot have concurrent operations",
        ),
        case(
            "a stream's bytes, put beyond the memory",
            &format!(
                "{} (drop (call $stream-read (local.get $reads) (i32.const -8) (i32.const 16)))",
                ends("stream-new")
            ),
            "pointer out of bounds of memory",
        ),
        case(
            "more of a stream's bytes than there is memory",
            &format!(
                "{} (drop (call $stream-write (local.get $writes) (i32.const 0) (i32.const 0xfffffff)))",
                ends("stream-new")
            ),
            "pointer out of bounds of memory",
        ),
        case(
            "a future that is dropped before it is written",
            &format!("{} (call $future-drop-writable (local.get $writes))", ends("future-new")),
            "cannot drop future write end",
        ),
        case(
            "a set that is dropped twice",
            "(local.set $n (call $set-new)) (call $set-drop (local.get $n)) (call $set-drop (local.get $n))",
            "unknown handle index",
        ),
    ]
}

/// A part that waits for ever for nothing when its function is called.
const WAITS: &str = r#"
    (component $waits
        (core module $memory-module (memory (export "m") 1))
        (core instance $memories (instantiate $memory-module))
        (alias core export $memories "m" (core memory $m))
        (core func $new (canon waitable-set.new))
        (core func $wait (canon waitable-set.wait (memory $m)))
        (core module $module
            (import "" "new" (func $new (result i32)))
            (import "" "wait" (func $wait (param i32 i32) (result i32)))
            (func (export "f") (result i32) (call $wait (call $new) (i32.const 0))))
        (core instance $instance (instantiate $module
            (with "" (instance (export "new" (func $new)) (export "wait" (func $wait))))))
        (func (export "f") async (result u32) (canon lift (core func $instance "f"))))"#;

/// Functions of a component's parts that are begun beside each other and wait: each keeps a stack, of which all calls together have
/// so many. On an engine that is small, so that what one call takes is missed by the others.
fn stacks() -> Vec<Case> {
    let case = |name: &str, guest: Vec<u8>| {
        Case::new(name, "sandbox/stacks", guest, Ending::Traps("of its functions were under way at once")).given(
            |terms| {
                terms.engine = Some(SandboxOptions { concurrent_calls: 4, ..options().expect("there is a cache") });
            },
        )
    };
    vec![
        case("fifteen functions of its parts, begun beside each other, that wait for ever", waiting(15))
            .mended(waiting(3))
            .raised(|_| {}, Ending::Says("done".into())),
    ]
}

/// A guest that begins the functions of so many parts, each of which waits for ever.
fn waiting(parts: usize) -> Vec<u8> {
    let mut text = WAITS.to_owned();
    for part in 0..parts {
        text.push_str(&format!(
            "(instance $part-{part} (instantiate $waits)) (alias export $part-{part} \"f\" (func $wait-{part}))"
        ));
    }
    beginning((0..parts).map(|part| format!("wait-{part}")).collect(), &text)
}

/// A guest that begins these functions of the parts, and says `done` when they are under way.
fn beginning(functions: Vec<String>, parts: &str) -> Vec<u8> {
    let (mut text, mut run, mut lowered) = (String::new(), String::new(), Vec::new());
    for function in &functions {
        text.push_str(&format!("(import \"{function}\" (func ${function} async (result u32)))"));
        run.push_str(&format!("(drop (call $begin-{function} (i32.const 4096)))"));
        lowered.push((
            format!("begin-{function} (param i32) (result i32)"),
            format!("(canon lower (func ${function}) async (memory $memory))"),
        ));
    }
    let lowered: Vec<(&str, &str)> = lowered.iter().map(|(name, is)| (name.as_str(), is.as_str())).collect();
    let guest = Wat::check(&format!("{run} (call $passed)")).around(&text, &lowered).build();
    let functions: Vec<(String, String)> = functions.into_iter().map(|name| (name.clone(), name)).collect();
    around::beside(&guest, "autodevops:stages/check@0.1.0", parts, &functions)
}

/// What the engine does not do: it is refused before anything of it runs.
fn refused() -> Vec<Case> {
    let case = |name: &str, text: &str, is: &str, part: &'static str| {
        let guest = Wat::check("(call $passed)").around(&format!("{TYPES} {text} (core func $refused {is})"), &[]);
        Case::new(name, "load/known-features", guest, Ending::NotLoaded(part)).mended(Wat::check("(call $passed)"))
    };
    let threading = "requires the component model threading feature";
    let table = "(core type $start (func (param i32)))
        (core module $with-table (table (export \"t\") 1 funcref)) (core instance $with-table (instantiate $with-table))
        (alias core export $with-table \"t\" (core table $t))";
    let errors = "requires the component model error-context feature";
    let shared = "requires the shared-everything-threads proposal";
    vec![
        case("a thread's number", "", "(canon thread.index)", threading),
        case("a thread of its own", table, "(canon thread.new-indirect $start (core table $t))", threading),
        case("a thread that goes on later", "", "(canon thread.resume-later)", threading),
        case("a thread that waits", "", "(canon thread.suspend)", threading),
        case("a thread that waits for another", "", "(canon thread.suspend-then-resume)", threading),
        case("a thread that makes way for another", "", "(canon thread.yield-then-resume)", threading),
        case("a thread that waits after another's turn", "", "(canon thread.suspend-then-promote)", threading),
        case("a thread that makes way after another's turn", "", "(canon thread.yield-then-promote)", threading),
        case(
            "a thread with shared memory",
            "(core type $start (func (param i32)))",
            "(canon thread.spawn-ref $start)",
            shared,
        ),
        case(
            "a thread with shared memory, by a table",
            table,
            "(canon thread.spawn-indirect $start (core table $t))",
            shared,
        ),
        case("the number of the machine's processors", "", "(canon thread.available_parallelism)", shared),
        case("an error with a context", "", "(canon error-context.new (memory $memory))", errors),
        case(
            "the text of an error's context",
            "(core module $with-realloc (func (export \"r\") (param i32 i32 i32 i32) (result i32) (unreachable)))
             (core instance $with-realloc (instantiate $with-realloc))
             (alias core export $with-realloc \"r\" (core func $r))",
            "(canon error-context.debug-message (memory $memory) (realloc $r))",
            errors,
        ),
        case("the end of an error's context", "", "(canon error-context.drop)", errors),
        case(
            "a read that waits",
            "",
            "(canon stream.read $stream (memory $memory))",
            "requires the component model more async builtins feature",
        ),
        case(
            "a function that keeps its stack while it waits",
            "(core module $stackful (func (export \"f\"))) (core instance $stackful (instantiate $stackful))
             (func $lifted async (canon lift (core func $stackful \"f\") async))",
            "(canon thread.yield)",
            "requires the component model async stackful feature",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use wasmparser::{CanonicalFunction, Parser, Payload};

    use super::*;
    use crate::case::Guest;

    /// The built-ins by their names in the binary format's reader: a list, and which of them a function is. One that the reader
    /// learns of later does not compile until it stands here.
    macro_rules! kinds {
        ($($kind:ident)*) => {
            const KINDS: &[&str] = &[$(stringify!($kind)),*];

            fn kind(function: &CanonicalFunction) -> Option<&'static str> {
                match function {
                    $(CanonicalFunction::$kind { .. } => Some(stringify!($kind)),)*
                    // Every component has these.
                    CanonicalFunction::Lift { .. }
                    | CanonicalFunction::Lower { .. }
                    | CanonicalFunction::ResourceNew { .. }
                    | CanonicalFunction::ResourceDrop { .. }
                    | CanonicalFunction::ResourceRep { .. } => None,
                }
            }
        };
    }

    kinds! {
        ThreadSpawnRef ThreadSpawnIndirect ThreadAvailableParallelism BackpressureInc BackpressureDec
        TaskReturn TaskCancel ContextGet ContextSet ThreadYield
        SubtaskDrop SubtaskCancel StreamNew StreamRead StreamWrite
        StreamCancelRead StreamCancelWrite StreamDropReadable StreamDropWritable FutureNew
        FutureRead FutureWrite FutureCancelRead FutureCancelWrite FutureDropReadable
        FutureDropWritable ErrorContextNew ErrorContextDebugMessage ErrorContextDrop WaitableSetNew
        WaitableSetWait WaitableSetPoll WaitableSetDrop WaitableJoin ThreadIndex
        ThreadNewIndirect ThreadResumeLater ThreadSuspend ThreadSuspendThenResume ThreadYieldThenResume
        ThreadSuspendThenPromote ThreadYieldThenPromote
    }

    fn kinds_of(case: &Case) -> Vec<&'static str> {
        let Guest::Component(bytes) = &case.guest else { return Vec::new() };
        let payloads = Parser::new(0).parse_all(bytes).map(|payload| payload.expect("the component is well-formed"));
        payloads
            .filter_map(|payload| match payload {
                Payload::ComponentCanonicalSection(section) => Some(section),
                _ => None,
            })
            .flatten()
            .filter_map(|function| kind(&function.expect("the section is well-formed")))
            .collect()
    }

    #[test]
    fn every_built_in_has_a_guest_that_is_refused_it_or_calls_it() {
        let found: BTreeSet<&str> = cases().iter().flat_map(kinds_of).collect();
        assert_eq!(found, KINDS.iter().copied().collect());
    }
}
