//! The program of the suite, as `cargo xtask hostile` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::{Command, Output};

use autodevops_hostile::{cases, component::Wat};
use autodevops_policy::Limit;

fn hostile(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_autodevops-hostile"))
        .args(arguments)
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("the suite's program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The limits of `[sandbox]` that a guest can go against: all guests', whatever one was granted.
const OF_ALL: [&str; 4] = ["limits/stack", "sandbox/component-size", "sandbox/compile-time", "sandbox/compile-memory"];

/// Fewest cases: that many are not lost by a list that is no longer asked.
const FEWEST: usize = 80;

#[test]
fn every_limit_has_a_case_and_no_two_cases_have_one_name() {
    let cases = cases::all();
    assert!(cases.len() >= FEWEST, "only {} cases", cases.len());
    let of_calls = Limit::ALL.iter().map(|limit| format!("limits/{limit}"));
    for promise in of_calls.chain(OF_ALL.map(str::to_owned)) {
        assert!(cases.iter().any(|case| case.promise == promise), "no case goes against {promise}");
    }
    for case in &cases {
        assert!(!case.fails.is_vague() && !case.then.is_vague(), "{} ends for any reason", case.name);
    }
    let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        assert_ne!(pair[0], pair[1]);
    }
}

#[test]
fn a_part_of_the_cases_is_run_by_name_and_told_of_as_json() {
    let output = hostile(&["--only", "limits/random-bytes", "--format", "json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told["count"], told["held"]);
    assert_eq!(told["honest-calls-lost"], 0);
    assert!(told["cases"][0]["honest"].as_u64().unwrap() >= 4, "{told}");
    let output = hostile(&["--only", "no such case"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("no case has `no such case`"), "{}", text(&output.stderr));
}

#[test]
fn any_component_is_put_through_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("looping.wasm");
    std::fs::write(&path, Wat::check("(loop $on (br $on)) (unreachable)").build()).unwrap();
    let output = hostile(&["--wasm", path.to_str().unwrap()]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(said.contains("raise `limits.guest-time`") && said.contains("raise `limits.wall-time`"), "{said}");
    assert!(said.trim_end().ends_with("30 calls, 0 honest calls lost"), "{said}");
}

/// What the program says of a file that it cannot put through anything.
fn refusal(path: &std::path::Path) -> String {
    let output = hostile(&["--wasm", path.to_str().unwrap()]);
    assert!(!output.status.success() && output.stdout.is_empty(), "{}", text(&output.stdout));
    text(&output.stderr)
}

#[test]
fn a_file_that_is_no_component_is_an_error_that_names_it_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Wat::check("(call $passed)").build();
    let wrong = [
        ("empty", Vec::new(), "the file is empty"),
        ("script", b"#!/bin/sh\n".to_vec(), "does not start as WebAssembly does"),
        ("text", b"(component)".to_vec(), "it is WebAssembly text; make a binary of it"),
        ("module", wat::parse_str("(module)").unwrap(), "it is a core module"),
        ("cut", whole[..whole.len() / 2].to_vec(), "is cut off or damaged"),
        ("cut-in-its-head", whole[..6].to_vec(), "version of the binary format that is not known"),
        ("no-stage", wat::parse_str("(component)").unwrap(), "exports no stage that could be called, but nothing"),
    ];
    for (name, bytes, part) in wrong {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let said = refusal(&path);
        assert!(said.contains(part) && said.contains(path.to_str().unwrap()), "{name}: {said}");
    }
}

#[test]
fn what_is_no_file_is_an_error_that_names_it_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let said = refusal(folder.path());
    assert!(said.contains("is a folder; name the component's file in it"), "{said}");
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let said = refusal(&pipe);
    assert!(said.contains("is no regular file"), "{said}");
    let said = refusal(std::path::Path::new("/dev/zero"));
    assert!(said.contains("/dev/zero is no regular file"), "{said}");
    let said = refusal(std::path::Path::new("/no/such/file.wasm"));
    assert!(said.contains("cannot read /no/such/file.wasm"), "{said}");
    // Larger than a component may be, with nothing in it: it takes no room.
    let huge = folder.path().join("huge");
    std::fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    let head = std::fs::OpenOptions::new().write(true).open(&huge).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&head, b"\0asm\x0d\0\x01\0", 0).unwrap();
    let said = refusal(&huge);
    assert!(said.contains("raise [sandbox] component-size"), "{said}");
}
