//! A whole run's calls are run again when nothing of what they saw is left; an author tries a changed plugin on them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::PathBuf};

use autodevops_product_tests::{plugin_folder, shop::Shop};
use serde_json::Value;

/// What each call's functions came to, by stage and plugin.
fn results(replayed: &Value) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for call in replayed.as_array().unwrap() {
        let text = |key: &str| call[key].as_str().unwrap_or_default().to_owned();
        for function in call["functions"].as_array().unwrap() {
            all.push((text("stage"), text("plugin"), function["result"].as_str().unwrap().to_owned()));
        }
    }
    all
}

#[test]
fn a_healed_run_is_replayed_offline_and_tries_a_changed_plugin() {
    let mut shop = Shop::open_with_errors(&[]);
    shop.expect(0, &["run"]);
    shop.stop_clients();
    // The front door, the releases and the working trees are gone.
    shop.expect(0, &["edge", "stop"]);
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();

    let all = results(&shop.json(&["replay", &run]));
    assert!(all.iter().all(|(_, _, result)| result == "same"), "{all:?}");
    for stage in ["fix-generator", "check", "deploy-target", "health-check"] {
        assert!(all.iter().any(|(of, _, _)| of == stage), "{stage}: {all:?}");
    }
    let text = shop.expect(0, &["replay", &run]).stdout;
    assert!(text.ends_with(&format!("{} calls, {} same, 0 not\n", all.len(), all.len())), "{text}");
    let checks = results(&shop.json(&["replay", &run, "check"]));
    assert!(!checks.is_empty() && checks.iter().all(|(stage, _, _)| stage == "check"), "{checks:?}");

    a_changed_plugin(&shop, &run);
    recordings_as_files(&shop, &run);
    a_recording_cut_in_half(&shop, &run);

    let called = shop.expect(2, &["replay", "no-such-run"]);
    assert!(called.stderr.contains("no-such-run"), "{called}");
    let called = shop.expect(2, &["replay", &run, "tester"]);
    assert!(called.stderr.contains("unknown stage `tester`"), "{called}");
    let called = shop.expect(2, &["replay", &run, "notifier"]);
    assert!(called.stderr.contains("none of the"), "{called}");
}

fn a_changed_plugin(shop: &Shop, run: &str) {
    let other = plugin_folder("fill-defaults").path;
    let arguments = ["replay", run, "fix-generator", "--with", other.to_str().unwrap()];
    let called = shop.expect(1, &arguments);
    assert!(called.stdout.contains("it goes another way: at host call"), "{called}");
    let replayed = shop.call(&[&arguments[..], &["--format", "json"]].concat());
    let replayed: Value = serde_json::from_str(&replayed.stdout).unwrap();
    let component = &replayed[0]["component"];
    assert_ne!(component["recorded"], component["replayed"]);
    assert_ne!(replayed[0]["functions"][0]["result"], "same");
    // A component alone, as it is built, is as good as its folder.
    let built = other.join("fill-defaults.wasm");
    let by_file = shop.expect(1, &["replay", run, "fix-generator", "--with", built.to_str().unwrap()]);
    assert_eq!(by_file.stdout, called.stdout);
    let called = shop.expect(2, &["replay", run, "fix-generator", "--with", "no-such.wasm"]);
    assert!(called.stderr.contains("--with no-such.wasm: No such file"), "{called}");
    let no_component = shop.folder.join("autodevops.toml");
    let called = shop.expect(1, &["replay", run, "fix-generator", "--with", no_component.to_str().unwrap()]);
    assert!(called.stdout.contains("this is not a WebAssembly component"), "{called}");
    // A component without the stage is told of, and nothing else.
    let check = plugin_folder("echo-check").path;
    let called = shop.expect(1, &["replay", run, "fix-generator", "--with", check.to_str().unwrap()]);
    assert!(called.stdout.contains("its component exports check"), "{called}");
}

fn recordings_as_files(shop: &Shop, run: &str) {
    let folder = shop.folder.parent().unwrap().join("fixtures");
    let to = folder.to_str().unwrap();
    let written = shop.json(&["replay", run, "fix-generator", "--export", to]);
    let fixture = written[0].as_str().unwrap();
    assert!(fixture.ends_with(&format!("{run}-fix-generator-1.recording")), "{fixture}");
    shop.expect(0, &["plugin", "test", "fix-recipes", "--recording", fixture]);
    let other = plugin_folder("fill-defaults").path;
    let test = ["plugin", "test", other.to_str().unwrap(), "--recording", fixture];
    shop.expect(1, &test);
    shop.expect(0, &[&test[..], &["--update"]].concat());
    shop.expect(0, &test);
    let called = shop.expect(1, &["plugin", "test", "fix-recipes", "--recording", fixture]);
    assert!(called.stdout.contains("->"), "what differs is shown: {called}");
    let called = shop.expect(2, &["plugin", "test", "fix-recipes", "--recording", "no-such-file"]);
    assert!(called.stderr.contains("no-such-file cannot be read"), "{called}");
}

fn a_recording_cut_in_half(shop: &Shop, run: &str) {
    let folder = shop.folder.join(".autodevops/recordings").join(run);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let whole = fs::read(&files[0]).unwrap();
    fs::write(&files[0], &whole[..whole.len() / 2]).unwrap();
    let called = shop.expect(1, &["replay", run]);
    assert!(called.stdout.contains("is cut off: its end is missing"), "{called}");
    assert!(called.stdout.ends_with(", 1 not\n"), "the others are not harmed: {called}");
    let called = shop.expect(1, &["plugin", "test", "fix-recipes", "--recording", files[0].to_str().unwrap()]);
    assert!(called.stdout.contains("is cut off"), "{called}");
    fs::write(&files[0], whole).unwrap();
    shop.expect(0, &["replay", run]);
}
