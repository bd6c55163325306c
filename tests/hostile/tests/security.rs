//! `SECURITY.md` names a test for each promise: the names are those of tests that there are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeSet, fs, path::PathBuf};

use autodevops_hostile::cases;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What stands between backquotes in the last column of each row of the table.
fn named() -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| **"));
    let names = rows.map(|row| row.trim_end_matches(" |").rsplit(" | ").next().unwrap());
    names.map(|column| column.split('`').skip(1).step_by(2).map(str::to_owned).collect()).collect()
}

#[test]
fn every_promise_of_the_security_page_names_what_shows_it_and_it_is_there() {
    let promises: BTreeSet<&str> = cases::all().iter().map(|case| case.promise).collect();
    let rows = named();
    assert!(rows.len() >= 15, "{rows:?}");
    for row in rows {
        assert!(!row.is_empty(), "a promise without a test");
        let mut file = String::new();
        for (at, name) in row.iter().enumerate() {
            if name.ends_with(".rs") {
                // That there is a file proves nothing: the test in it does.
                let next = row.get(at + 1).map_or("", String::as_str);
                file = fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(is_test(&file, next), "{name} is named without a test of it");
            } else if root().join(name).is_dir() {
                file.clear();
            } else if name.contains('_') {
                assert!(is_test(&file, name), "{name} is no test of the file before it");
            } else {
                assert!(promises.iter().any(|promise| promise.starts_with(name.as_str())), "no case proves {name}");
            }
        }
    }
}

#[test]
fn every_case_proves_a_promise_of_the_security_page() {
    let named: BTreeSet<String> = named().into_iter().flatten().collect();
    for case in cases::all() {
        let found = named.iter().any(|name| case.promise.starts_with(name.as_str()));
        assert!(found, "{} proves {}, which SECURITY.md does not name", case.name, case.promise);
    }
}

/// Whether a file has a test of that name: its attribute stands right above, with nothing but further attributes between.
fn is_test(file: &str, name: &str) -> bool {
    let lines: Vec<&str> = file.lines().map(str::trim).collect();
    let declares = |line: &str| line.trim_start_matches("async ").starts_with(&format!("fn {name}("));
    lines.iter().enumerate().filter(|(_, line)| declares(line)).any(|(at, _)| {
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        let mut is_one = false;
        for line in above {
            if line.starts_with("#[ignore") {
                return false;
            }
            is_one |= *line == "#[test]" || line.starts_with("#[tokio::test");
        }
        is_one
    })
}

#[test]
fn only_what_is_run_as_a_test_counts_as_one() {
    let file = "#[test]\nfn a() {}\nfn b() {}\n#[tokio::test]\n// why\nasync fn c() {}\n#[ignore]\nfn d() {}\n\
                #[test]\n#[ignore = \"slow\"]\nfn e() {}\n#[ignore]\n#[tokio::test]\nasync fn f() {}";
    let named = ["a", "b", "c", "d", "e", "f"].map(|name| is_test(file, name));
    assert_eq!(named, [true, false, true, false, false, false]);
}
