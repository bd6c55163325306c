//! What a guest gives back and what it is given: too much, or no valid value.

use autodevops_policy::{Bytes, Limit};

use super::record::not_asked;
use crate::{
    case::{Case, Ending},
    component::Wat,
};

/// All of them.
pub fn cases() -> Vec<Case> {
    large_results().into_iter().chain(large_arguments()).chain(texts()).chain(values()).chain(pointers()).collect()
}

/// A check whose report is the prelude's, with these bytes written over it: address, and a 32-bit number.
fn report(words: &[(u32, u32)]) -> Wat {
    let stores: String =
        words.iter().map(|(at, word)| format!("(i32.store (i32.const {at}) (i32.const {word}))")).collect();
    Wat::check(&format!("{stores} (call $passed)"))
}

/// Where the parts of the report are: its tag, its outcome, its summary and its list of findings.
const TAG: u32 = 1024;
const OUTCOME: u32 = 1028;
const SUMMARY: u32 = 1032;
const SUMMARY_LENGTH: u32 = 1036;
const FINDINGS: u32 = 1040;
const FINDINGS_LENGTH: u32 = 1044;
/// Where nothing is, below what the host asks for.
const FREE: u32 = 8192;
const METRICS: u32 = 1048;
const METRICS_LENGTH: u32 = 1052;

fn large_results() -> Vec<Case> {
    let large = "(memory (export \"memory\") 500)";
    let findings = |count: u32| report(&[(FINDINGS, 131_072), (FINDINGS_LENGTH, count)]).memory(large);
    // Each of 10,000 findings says the same 4 KiB: 40 MiB for the host out of half a megabyte of the guest.
    let shared = Wat::check(
        "(local $at i32)
         (local.set $at (i32.const 131072))
         (loop $next
            (i32.store offset=12 (local.get $at) (i32.const 4096))
            (i32.store offset=16 (local.get $at) (i32.const 4096))
            (local.set $at (i32.add (local.get $at) (i32.const 52)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 651072))))
         (i32.store (i32.const 1040) (i32.const 131072))
         (i32.store (i32.const 1044) (i32.const 10000))
         (call $passed)",
    )
    .memory(large);
    vec![
        Case::new(
            "a text of 12 MiB",
            "limits/string-length",
            report(&[(SUMMARY, 131072), (SUMMARY_LENGTH, 12 << 20)]).memory(large),
            Ending::Over(Limit::StringLength),
        )
        .raised(|terms| terms.limits().string_length = Bytes(16 << 20), Ending::Ends),
        Case::new(
            "a text of 20 MiB",
            "limits/output",
            report(&[(SUMMARY, 131072), (SUMMARY_LENGTH, 20 << 20)]).memory(large),
            Ending::Over(Limit::Output),
        )
        .given(|terms| terms.limits().string_length = Bytes(64 << 20))
        .raised(|terms| terms.limits().output = Bytes(64 << 20), Ending::Ends),
        Case::new(
            "a list of 150,000 entries",
            "limits/list-length",
            findings(150_000),
            Ending::Over(Limit::ListLength),
        )
        .given(|terms| terms.limits().output = Bytes(64 << 20))
        .raised(|terms| terms.limits().list_length = 200_000, Ending::Ends),
        Case::new("a list of 500,000 entries", "limits/output", findings(500_000), Ending::Over(Limit::Output))
            .given(|terms| terms.limits().list_length = 1_000_000)
            .raised(|terms| terms.limits().output = Bytes(128 << 20), Ending::Ends),
        Case::new("a list whose entries are all one large text", "limits/output", shared, Ending::Over(Limit::Output))
            .raised(|terms| terms.limits().output = Bytes(128 << 20), Ending::Ends),
        Case::new("a hundred megabytes, in Rust", "limits/output", "probe", Ending::Over(Limit::Output))
            .given(|terms| {
                terms.limits().memory = Bytes(512 << 20);
                terms.limits().string_length = Bytes(256 << 20);
                terms.config.insert("act".into(), "output".into());
                terms.config.insert("argument".into(), String::new());
            })
            .raised(|terms| terms.limits().output = Bytes(256 << 20), Ending::Ends),
    ]
}

/// What is passed to the guest, and to the host by it.
fn large_arguments() -> Vec<Case> {
    let honest = Wat::check("(call $passed)");
    // One list of 3840 fields, each of the same 8 KiB.
    let log = Wat::check(
        "(local $at i32)
         (local.set $at (i32.const 69632))
         (loop $next
            (i32.store offset=4 (local.get $at) (i32.const 4096))
            (i32.store offset=12 (local.get $at) (i32.const 4096))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 131072))))
         (call $write (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 69632) (i32.const 3840))
         (call $passed)",
    )
    .import("autodevops:host/log", "write");
    let key = Wat::check("(call $get (i32.const 131072) (i32.const 20000000) (i32.const 2048)) (call $passed)")
        .import("wasi:config/store", "get")
        .memory("(memory (export \"memory\") 400)");
    vec![
        Case::new("arguments of 2 MiB", "limits/input", honest, Ending::Over(Limit::Input))
            .given(|terms| terms.input.changed = vec!["x".repeat(1 << 20), "y".repeat(1 << 20)])
            .held(|terms| terms.limits().input = Bytes(1 << 20))
            .raised(|_| {}, Ending::Says("done".into())),
        Case::new("30 MiB to the host, in one list of lists", "limits/output", log, Ending::Over(Limit::Output))
            .and(not_asked(Limit::Output))
            .raised(|terms| terms.limits().output = Bytes(128 << 20), Ending::Says("done".into())),
        Case::new("20 MB to the host, in one text", "limits/output", key, Ending::Over(Limit::Output))
            .and(not_asked(Limit::Output))
            .raised(|terms| terms.limits().output = Bytes(128 << 20), Ending::Says("done".into())),
    ]
}

/// Texts that are none.
fn texts() -> Vec<Case> {
    [
        ("a text with a byte that is in no text", "\\ff\\41\\42\\43"),
        ("a text that ends inside a character", "ABC\\c3"),
        ("a text with an overlong form of `/`", "A\\c0\\afB"),
        ("a text with half a surrogate pair", "\\ed\\a0\\80A"),
        ("a text with a character beyond the last one", "\\f4\\90\\80\\80"),
    ]
    .into_iter()
    .map(|(name, bytes)| {
        let guest = |bytes: &str| {
            Wat::check("(call $say (i32.const 4096) (i32.const 4))")
                .with(&format!("(data (i32.const 4096) \"{bytes}\")"))
        };
        Case::new(name, "output/valid", guest(bytes), Ending::BadOutput("utf-8")).mended(guest("text"))
    })
    .chain([Case::new(
        "a text to the host with a byte that is in no text",
        "output/valid",
        Wat::check("(call $get (i32.const 4096) (i32.const 4) (i32.const 2048)) (call $passed)")
            .import("wasi:config/store", "get")
            .with("(data (i32.const 4096) \"\\ff\\ff\\ff\\ff\")"),
        Ending::Traps("utf-8"),
    )
    .mended(
        Wat::check("(call $get (i32.const 4096) (i32.const 4) (i32.const 2048)) (call $passed)")
            .import("wasi:config/store", "get")
            .with("(data (i32.const 4096) \"name\")"),
    )])
    .collect()
}

/// Discriminants that stand for nothing.
fn values() -> Vec<Case> {
    let finding = |at: u32, byte: u32| report(&[(FINDINGS, FREE), (FINDINGS_LENGTH, 1), (FREE + at, byte)]);
    vec![
        Case::new(
            "a result that is neither good nor bad",
            "output/valid",
            report(&[(TAG, 2)]),
            Ending::BadOutput("discriminant"),
        )
        .mended(report(&[(TAG, 0)])),
        Case::new(
            "an outcome that there is not",
            "output/valid",
            report(&[(OUTCOME, 3)]),
            Ending::BadOutput("discriminant"),
        )
        .mended(report(&[(OUTCOME, 2)])),
        Case::new(
            "an error of no kind",
            "output/valid",
            report(&[(TAG, 1), (OUTCOME, 5)]),
            Ending::BadOutput("discriminant"),
        )
        .mended(report(&[(TAG, 0), (OUTCOME, 1)])),
        Case::new("a severity that there is not", "output/valid", finding(8, 200), Ending::BadOutput("discriminant"))
            .mended(finding(8, 3)),
        Case::new(
            "an option that is neither there nor not",
            "output/valid",
            finding(28, 2),
            Ending::BadOutput("discriminant"),
        )
        .mended(finding(28, 0)),
        Case::new(
            "a level of the log that there is not",
            "output/valid",
            Wat::check(&log_at(9)).import("autodevops:host/log", "write"),
            Ending::Traps("discriminant"),
        )
        .mended(Wat::check(&log_at(2)).import("autodevops:host/log", "write")),
    ]
}

fn log_at(level: u32) -> String {
    format!("(call $write (i32.const {level}) {} (i32.const 0)) (call $passed)", "(i32.const 0)".repeat(5))
}

/// Pointers to where nothing is.
fn pointers() -> Vec<Case> {
    let bad = |name: &str, guest: Wat, part: &'static str, mended: Wat| {
        Case::new(name, "output/valid", guest, Ending::BadOutput(part)).mended(mended)
    };
    let good = || Wat::check("(call $passed)");
    let u32_max = u32::MAX;
    vec![
        bad(
            "a text beyond the memory's end",
            report(&[(SUMMARY, 200_000)]),
            "out of bounds",
            report(&[(SUMMARY, 100_000)]),
        ),
        bad(
            "a text that ends beyond the memory",
            report(&[(SUMMARY_LENGTH, 200_000)]),
            "out of bounds",
            report(&[(SUMMARY_LENGTH, 2)]),
        ),
        bad(
            "a text whose end is beyond all addresses",
            report(&[(SUMMARY, u32_max - 1), (SUMMARY_LENGTH, 4)]),
            "out of bounds",
            good(),
        ),
        bad(
            "a list beyond the memory's end",
            report(&[(FINDINGS, 200_000), (FINDINGS_LENGTH, 1)]),
            "out of bounds",
            report(&[(FINDINGS, FREE), (FINDINGS_LENGTH, 1)]),
        ),
        bad(
            "a list whose size is beyond all addresses",
            report(&[(FINDINGS, FREE), (FINDINGS_LENGTH, u32_max)]),
            "out of bounds",
            report(&[(FINDINGS, FREE), (FINDINGS_LENGTH, 2)]),
        ),
        bad(
            "a list at an odd address",
            report(&[(METRICS, FREE + 1), (METRICS_LENGTH, 1)]),
            "aligned",
            report(&[(METRICS, FREE + 8), (METRICS_LENGTH, 1)]),
        ),
        bad("a result at an odd address", Wat::check("(i32.const 1025)"), "aligned", good()),
        bad("a result beyond the memory's end", Wat::check("(i32.const 0x7ffffff0)"), "out of bounds", good()),
        bad(
            "room beyond the memory's end, for its arguments",
            good().realloc("(i32.const 0x7ffffff0)"),
            "beyond end of memory",
            good(),
        ),
        bad("room at an odd address, for its arguments", good().realloc("(i32.const 4097)"), "aligned", good()),
        Case::new(
            "room beyond the memory's end, for the host's answer",
            "output/valid",
            Wat::check("(call $get-random-bytes (i64.const 1000) (i32.const 2048)) (call $passed)")
                .import("wasi:random/random", "get-random-bytes")
                .realloc("(select (i32.const 0x7ffffff0) (i32.const 65536) (i32.eq (local.get 3) (i32.const 1000)))"),
            Ending::Traps("beyond end of memory"),
        )
        .mended(
            Wat::check("(call $get-random-bytes (i64.const 1000) (i32.const 2048)) (call $passed)")
                .import("wasi:random/random", "get-random-bytes"),
        ),
        Case::new(
            "a place for the host's answer that is beyond the memory's end",
            "output/valid",
            Wat::check("(call $get-all (i32.const 0x7ffffff0)) (call $passed)").import("wasi:config/store", "get-all"),
            Ending::Traps("out of bounds"),
        )
        .mended(Wat::check("(call $get-all (i32.const 2048)) (call $passed)").import("wasi:config/store", "get-all")),
        Case::new(
            "a list to the host that is beyond the memory's end",
            "output/valid",
            Wat::check("(call $poll (i32.const 200000) (i32.const 3) (i32.const 2048)) (call $passed)")
                .import("wasi:io/poll", "poll"),
            Ending::Traps("out of bounds"),
        )
        .mended(good()),
    ]
}
