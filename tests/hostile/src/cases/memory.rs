//! Memories and tables that grow: one, many, and by way of the host; and calls that nest too deep.

use autodevops_policy::{Bytes, Limit};
use autodevops_sandbox::SandboxOptions;

use crate::{
    case::{Case, Ending, Guest},
    component::{Wat, append},
    run::options,
};

/// All of them.
pub fn cases() -> Vec<Case> {
    memories().into_iter().chain(tables()).chain(counts()).chain(recursion()).collect()
}

/// A guest that needs more than 4 MiB of memory, and less than 64.
fn greedy(name: &str, guest: impl Into<Guest>) -> Case {
    Case::new(name, "limits/memory", guest, Ending::Over(Limit::Memory))
        .held(|terms| terms.limits().memory = Bytes(4 << 20))
        .raised(|_| {}, Ending::Says("done".into()))
}

/// Grows a memory or a table by so much, or traps.
fn grow(what: &str, by: &str) -> String {
    format!("(if (i32.eq ({what} {by}) (i32.const -1)) (then (unreachable)))")
}

fn memories() -> Vec<Case> {
    let honest = || Wat::check("(call $passed)");
    let pages = "(local $n i32)
        (loop $more
            (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $n) (i32.const 100))))
        (call $passed)";
    let grows = format!("(module (memory 1) (func $start {}) (start $start))", grow("memory.grow", "(i32.const 10)"));
    // Slowly: the engine's own end of a memory, 4 GiB of addresses, is to be further away than the next look at the guest's time.
    let endless = "(local $n i32)
        (loop $more
            (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable)))
            (local.set $n (i32.const 50000))
            (loop $wait (br_if $wait (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (br $more))
        (unreachable)";
    vec![
        greedy("a memory that grows at once", Wat::check(&(grow("memory.grow", "(i32.const 100)") + "(call $passed)"))),
        greedy("a memory that grows page by page", Wat::check(pages)),
        greedy("a memory that is large from the start", honest().memory("(memory (export \"memory\") 100)")),
        greedy("ten memories that grow in turn", append(&honest().build(), &[(&grows, 10)])),
        greedy("ten memories that are large together", append(&honest().build(), &[("(module (memory 10))", 10)])),
        greedy(
            "a memory that grows in a start function",
            honest().with(&format!("(func $start {}) (start $start)", grow("memory.grow", "(i32.const 100)"))),
        ),
        greedy(
            "a memory that grows in `realloc`, for the host's answer",
            Wat::check("(call $get-random-bytes (i64.const 1000) (i32.const 2048)) (call $passed)")
                .import("wasi:random/random", "get-random-bytes")
                .realloc(&format!(
                    "(if (i32.eq (local.get 3) (i32.const 1000)) (then {})) (i32.const 65536)",
                    grow("memory.grow", "(i32.const 100)")
                )),
        ),
        Case::new("memory without end", "limits/memory", Wat::check(endless), Ending::Over(Limit::Memory)).raised(
            |terms| {
                terms.limits().memory = Bytes(8 << 30);
                terms.limits().guest_time = crate::case::ms(0);
            },
            Ending::Over(Limit::GuestTime),
        ),
        Case::new("memory without end, in Rust", "limits/memory", "probe", Ending::Over(Limit::Memory))
            .given(|terms| {
                terms.config.insert("act".into(), "allocate".into());
                terms.config.insert("argument".into(), String::new());
            })
            .raised(
                |terms| {
                    terms.limits().memory = Bytes(1 << 30);
                    terms.limits().guest_time = crate::case::ms(50);
                },
                Ending::Over(Limit::GuestTime),
            ),
    ]
}

fn tables() -> Vec<Case> {
    let table = "(table $t 0 funcref)";
    let grown = |by: u32| {
        Wat::check(&(grow("table.grow $t (ref.null func)", &format!("(i32.const {by})")) + "(call $passed)"))
            .with(table)
    };
    let honest = || Wat::check("(call $passed)");
    let elements = |name: &str, guest: Guest| {
        Case::new(name, "limits/table-elements", guest, Ending::Over(Limit::TableElements))
            .held(|terms| terms.limits().table_elements = 1000)
            .raised(|terms| terms.limits().table_elements = 100_000, Ending::Says("done".into()))
    };
    vec![
        elements("a table that grows at once", grown(5000).into()),
        elements("a table that is large from the start", honest().with("(table 5000 funcref)").into()),
        elements(
            "ten modules with a table each",
            append(&honest().build(), &[("(module (table 500 funcref))", 10)]).into(),
        ),
        Case::new("a table that takes all memory", "limits/memory", grown(600_000), Ending::Over(Limit::Memory))
            .held(|terms| terms.limits().memory = Bytes(4 << 20))
            .raised(|_| {}, Ending::Says("done".into())),
    ]
}

/// How many memories, tables and instances there are, whatever their size.
fn counts() -> Vec<Case> {
    let honest = Wat::check("(call $passed)").build();
    let part = |module: &str| append(&honest, &[(module, 12)]);
    vec![
        Case::new("twelve memories", "limits/memories", part("(module (memory 0))"), Ending::Over(Limit::Memories))
            .held(|terms| terms.limits().memories = 5)
            .raised(|_| {}, Ending::Says("done".into())),
        Case::new(
            "twelve memories of one module",
            "limits/memories",
            append(&honest, &[(&format!("(module {})", "(memory 0)".repeat(12)), 1)]),
            Ending::Over(Limit::Memories),
        )
        .held(|terms| terms.limits().memories = 5)
        .raised(|_| {}, Ending::Says("done".into())),
        Case::new("twelve tables", "limits/tables", part("(module (table 0 funcref))"), Ending::Over(Limit::Tables))
            .held(|terms| terms.limits().tables = 5)
            .raised(|_| {}, Ending::Says("done".into())),
        Case::new("twelve core instances", "limits/instances", part("(module)"), Ending::Over(Limit::Instances))
            .held(|terms| terms.limits().instances = 5)
            .raised(|_| {}, Ending::Says("done".into())),
    ]
}

/// The stack is the engine's: raised for an engine of its own.
fn recursion() -> Vec<Case> {
    // 30,000 frames of some hundred bytes: too many for 256 KiB of stack, few for 16 MiB.
    let locals = |count: usize| {
        let declared = "(local i64)".repeat(count);
        let used: String =
            (1..=count).map(|index| format!("(local.set {index} (i64.load (i32.const {})))", index * 8)).collect();
        let summed: String = (1..=count).map(|index| format!("(local.get {index}) i64.add ")).collect();
        format!(
            "(func $deep (param i32) (result i64) {declared} {used}
                (if (i32.eqz (local.get 0)) (then (return (i64.const 0))))
                (call $deep (i32.sub (local.get 0) (i32.const 1))) {summed})"
        )
    };
    let deep = |depth: u32, count: usize| {
        Wat::check(&format!("(drop (call $deep (i32.const {depth}))) (call $passed)")).with(&locals(count))
    };
    let indirect = Wat::check("(drop (call_indirect (type $f) (i32.const 30000) (i32.const 0))) (call $passed)").with(
        "(type $f (func (param i32) (result i32)))
         (table 1 funcref) (elem (i32.const 0) $again)
         (func $again (type $f)
            (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
            (i32.add (local.get 0)
                (call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))))",
    );
    [
        ("recursion", deep(30_000, 4)),
        ("recursion with large frames", deep(3000, 100)),
        ("recursion by way of a table", indirect),
        (
            "recursion in a start function",
            Wat::check("(call $passed)")
                .with(&locals(4))
                .with("(func $start (drop (call $deep (i32.const 30000)))) (start $start)"),
        ),
    ]
    .into_iter()
    .map(|(name, guest)| {
        let engine = |stack: u64| SandboxOptions {
            stack: Bytes(stack),
            concurrent_calls: 4,
            ..options().expect("there is a cache")
        };
        Case::new(name, "limits/stack", guest, Ending::OverStack)
            .held(move |terms| terms.engine = Some(engine(256 << 10)))
            .raised(move |terms| terms.engine = Some(engine(16 << 20)), Ending::Says("done".into()))
    })
    .collect()
}
