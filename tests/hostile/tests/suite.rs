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

#[test]
fn every_limit_has_a_case_and_no_two_cases_have_one_name() {
    let cases = cases::all();
    for limit in Limit::ALL {
        let promise = format!("limits/{limit}");
        assert!(cases.iter().any(|case| case.promise == promise), "no case goes against limits.{limit}");
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
    assert!(said.trim_end().ends_with("7 calls, 0 honest calls lost"), "{said}");
}

#[test]
fn a_file_that_is_no_component_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.wasm");
    let wrong = [
        (b"#!/bin/sh\n".to_vec(), "does not start as WebAssembly does"),
        (wat::parse_str("(module)").unwrap(), "it is a core module"),
        (wat::parse_str("(component)").unwrap(), "exports no stage that could be called"),
    ];
    for (bytes, part) in wrong {
        std::fs::write(&path, bytes).unwrap();
        let output = hostile(&["--wasm", path.to_str().unwrap()]);
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains(part), "{}", text(&output.stderr));
    }
    let output = hostile(&["--wasm", "/no/such/file.wasm"]);
    assert!(text(&output.stderr).contains("cannot read /no/such/file.wasm"), "{}", text(&output.stderr));
}
