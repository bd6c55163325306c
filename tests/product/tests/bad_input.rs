//! Logs and plugins that are not what they are said to be: read as far as they can be, or refused with what is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::Path, time::Duration};

use autodevops_product_tests::{
    autodevops,
    process::{Called, call},
};
use serde_json::Value;

/// The longest that a command may take.
const LIMIT: Duration = Duration::from_secs(60);

const ERROR: &str = "2026-11-24T22:00:00.000Z ERROR TypeError: Cannot read properties of undefined (reading 'country')\n    \
                     at vatRate (functions/lib/pricing.js:54:41)\n";

fn run(arguments: &[&str]) -> Called {
    let mut command = autodevops();
    command.args(arguments);
    call(command, LIMIT)
}

/// What `analyze` finds in a log of these bytes.
fn issues(bytes: &[u8]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    fs::write(&log, bytes).unwrap();
    let called = run(&["analyze", log.to_str().unwrap(), "--format", "json"]);
    assert_eq!(called.code, Some(0), "{called}");
    let analysis: Value = serde_json::from_str(&called.stdout).unwrap();
    assert_eq!(analysis["sources"][0]["bytes"], bytes.len() as u64, "all of it was read");
    analysis["issues"].as_array().unwrap().clone()
}

#[test]
fn an_empty_log_has_no_issues_and_a_missing_one_is_named() {
    assert!(issues(b"").is_empty());
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("none.log");
    let called = run(&["analyze", log.to_str().unwrap()]);
    assert_eq!(called.code, Some(2), "{called}");
    assert!(called.stderr.contains("none.log") && called.stderr.contains("No such file"), "{called}");
    let called = run(&["analyze", folder.path().to_str().unwrap()]);
    assert_eq!(called.code, Some(2), "{called}");
    assert!(called.stderr.contains("is a folder; name the log files in it"), "{called}");
}

#[test]
fn an_error_is_found_among_noise_strange_line_ends_and_bytes_that_are_no_text() {
    // The same bytes each time, of all values.
    let mut state = 1_u32;
    let mut noise = vec![0_u8; 300_000];
    for byte in &mut noise {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = state.to_be_bytes()[0];
    }
    issues(&noise);
    noise.push(b'\n');
    noise.extend(ERROR.bytes());
    let found = issues(&noise);
    assert!(found.iter().any(|issue| issue["exception"] == "TypeError"), "{found:#?}");

    let windows = ERROR.replace('\n', "\r\n").repeat(3);
    let plain = ERROR.repeat(3);
    let (windows, plain) = (issues(windows.as_bytes()), issues(plain.as_bytes()));
    assert_eq!(windows.len(), 1, "{windows:#?}");
    assert_eq!(windows[0]["fingerprint"], plain[0]["fingerprint"]);
    assert_eq!((windows[0]["count"].as_u64(), &windows[0]["location"]), (Some(3), &plain[0]["location"]));

    let mut broken = b"2026-11-24T22:00:00.000Z INFO caf\xe9 \xff\xfe \xed\xa0\x80\n".to_vec();
    broken.extend(ERROR.bytes());
    assert_eq!(issues(&broken)[0]["exception"], "TypeError");
}

#[test]
fn a_line_of_fifty_megabytes_is_read_past() {
    let mut long = vec![b'x'; 50 << 20];
    long.push(b'\n');
    long.extend(ERROR.bytes());
    let found = issues(&long);
    assert!(found.iter().any(|issue| issue["exception"] == "TypeError"), "{found:#?}");
    let sizes = found.iter().map(|issue| issue.to_string().len());
    assert!(sizes.sum::<usize>() < 100_000, "what is kept of a line is bounded");
}

fn inspect(folder: &Path, component: &[u8], manifest: &str) -> String {
    let plugin = folder.join("odd");
    fs::create_dir_all(&plugin).unwrap();
    fs::write(plugin.join("odd.wasm"), component).unwrap();
    fs::write(plugin.join("plugin.toml"), manifest).unwrap();
    let called = run(&["plugin", "inspect", plugin.to_str().unwrap()]);
    assert_ne!(called.code, Some(0), "{called}");
    called.stderr
}

#[test]
fn what_is_no_plugin_is_refused_with_the_reason() {
    const MANIFEST: &str = "name = \"odd\"\nversion = \"0.1.0\"\ndescription = \"x\"\nstages = [\"check\"]\n";
    let folder = tempfile::tempdir().unwrap();
    let core = wat::parse_str("(module)").unwrap();
    let text = inspect(folder.path(), &core, MANIFEST);
    assert!(text.contains("core module") && text.contains("wasm32-wasip2"), "{text}");
    let text = inspect(folder.path(), b"#!/bin/sh\n", MANIFEST);
    assert!(text.contains("odd") && text.contains("WebAssembly"), "{text}");
    let text = inspect(folder.path(), b"", MANIFEST);
    assert!(text.contains("empty"), "{text}");
    let text = inspect(folder.path(), &core, &MANIFEST.replace("stages", "stage"));
    assert!(text.contains("plugin.toml") && text.contains("`stages`"), "{text}");
    let text = inspect(folder.path(), &core, &MANIFEST.replace("check", "chek"));
    assert!(text.contains("chek") && text.contains("check"), "{text}");
    let called = run(&["plugin", "inspect", "no-such-plugin"]);
    assert_ne!(called.code, Some(0), "{called}");
    assert!(
        called.stderr.contains("there is no plugin `no-such-plugin`") && called.stderr.contains("log-analyzer"),
        "{called}"
    );
}
