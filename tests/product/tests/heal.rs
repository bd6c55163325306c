//! The whole loop: what was broken serves again, the operator's checkout is as it was, and a bad fix is caught early.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeMap, fs, path::Path};

use autodevops_product_tests::shop::Shop;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Every file below a folder with its bytes, but for the state and git's own.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.extend((name != ".git" && name != ".autodevops").then_some(path));
            } else {
                all.insert(name, fs::read(path).unwrap());
            }
        }
    }
    for name in [".git/HEAD", ".git/index", ".git/config"] {
        all.insert(name.to_owned(), fs::read(folder.join(name)).unwrap());
    }
    all
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[test]
fn errors_in_the_log_are_healed_on_a_branch_of_its_own_and_in_production() {
    let mut shop = Shop::open_with_errors(&[]);
    let before = files(&shop.folder);
    let main = shop.git(&["rev-parse", "main"]);
    let old = shop.serving().unwrap();

    let called = shop.expect(0, &["run"]);
    assert!(called.stdout.contains("healed"), "{called}");
    assert!(!called.stderr.contains("WARN"), "nothing is wrong with the sample: {called}");

    let run = shop.last_run();
    assert_eq!((run["outcome"].as_str(), run["stage"].as_str()), (Some("healed"), Some("finished")), "{run}");
    let branch = run["branch"].as_str().unwrap();
    assert_eq!(branch, format!("autodevops/{}", run["fingerprint"].as_str().unwrap()));
    assert_eq!(shop.git(&["rev-parse", branch]).trim(), run["commit"].as_str().unwrap());
    assert_eq!(shop.git(&["rev-parse", &format!("{branch}~1")]), main, "one commit, on the live one");
    let changed = shop.git(&["diff", "--name-status", "main", branch]);
    assert!(changed.contains("M\tfunctions/lib/pricing.js"), "{changed}");
    assert!(changed.lines().any(|line| line.starts_with(['A', 'M']) && line.contains("test")), "{changed}");

    assert_eq!(files(&shop.folder), before, "the checkout is as it was, byte for byte");
    assert_eq!(shop.git(&["status", "--porcelain=v2", "--branch"]).matches("\n").count(), 2);
    assert_eq!(shop.git(&["rev-parse", "HEAD", "main"]), format!("{main}{main}"));
    assert_eq!(shop.git(&["for-each-ref", "--format=%(refname)"]).lines().count(), 2, "no other refs");

    let fixed = run["release"]["id"].as_str().unwrap();
    assert_ne!(fixed, old);
    assert_eq!(shop.serving().as_deref(), Some(fixed));
    assert_eq!(shop.shares(), [(fixed.to_owned(), 100)]);
    // The clients before had both; those from now on must see no error at all.
    let during = shop.count_clients();
    assert!(during.total.client_errors > 0, "{:?}", during.total);
    let seen = during.releases[fixed].clone();
    assert!(seen.requests > 0 && seen.client_errors == 0, "{:?}", during.releases);

    let events = shop.events();
    let order = ["started", "fix-proposed", "reviewed", "checked", "committed", "built", "deployed", "finished"];
    let mut at = 0;
    for kind in kinds(&events) {
        at += usize::from(order.get(at) == Some(&kind));
    }
    assert_eq!(at, order.len(), "{:?}", kinds(&events));
    let text = shop.expect(0, &["show", run["run"].as_str().unwrap()]).stdout;
    assert!(text.contains("fix-recipes proposes") && text.contains("healed"), "{text}");
    assert!(shop.expect(0, &["runs"]).stdout.contains("healed"));
    shows_it_as_it_was(&shop, run["run"].as_str().unwrap());

    let again = shop.json(&["run"]);
    assert_eq!(again["outcome"], "nothing-to-do");
    assert!(shop.expect(0, &["run"]).stdout.contains("no issue in the watched logs needs a run"));
    assert_eq!(shop.json(&["runs"]).as_array().unwrap().len(), 1);
}

/// A moment in the middle of the run, and one before it.
fn shows_it_as_it_was(shop: &Shop, run: &str) {
    let whole = shop.json(&["show", run]);
    let events = whole["events"].as_array().unwrap();
    let committed = events.iter().position(|event| event["event"]["type"] == "committed").unwrap();
    let at = events[committed]["at"].as_i64().unwrap();
    let moment = OffsetDateTime::from_unix_timestamp_nanos(at.into()).unwrap().format(&Rfc3339).unwrap();
    let then = shop.json(&["show", run, "--at", &moment]);
    assert_eq!((&then["at"], then["run"]["outcome"].as_str()), (&json!(at), None), "{then}");
    let until = events.iter().filter(|event| event["at"].as_i64().unwrap() <= at).count();
    assert_eq!(then["events"].as_array().unwrap()[..], events[..until]);
    let text = shop.expect(0, &["show", run, "--at", &moment]).stdout;
    assert!(text.contains("as it was at ") && !text.contains("healed"), "{text}");
    assert!(shop.expect(0, &["show", run, "--at", "now"]).stdout.contains("healed"));
    let before = shop.expect(2, &["show", run, "--at", "1d ago"]);
    assert!(before.stderr.contains(&format!("run {run} started at ")), "{before}");
}

#[test]
fn a_fix_that_breaks_production_is_caught_at_the_smallest_step_and_taken_back() {
    let changes = Shop::hasty_generator();
    let changes: Vec<(&str, &str)> = changes.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let mut shop = Shop::open_with_errors(&changes);
    let old = shop.serving().unwrap();
    let called = shop.expect(3, &["run"]);
    assert!(called.stdout.contains("rolled back"), "{called}");
    assert_eq!(shop.shares(), [(old.clone(), 100)]);
    assert_eq!(shop.serving(), Some(old));
    let events = shop.events();
    let most = events.iter().filter(|event| event["type"] == "step-entered" && event["environment"] == "production");
    assert!(most.clone().count() == 1 && most.clone().all(|event| event["percent"] == 5), "{:?}", kinds(&events));
    assert!(kinds(&events).contains(&"rolled-back"));
    let failed = events.iter().filter(|event| event["type"] == "judged" && event["verdict"]["outcome"] == "failed");
    let methods: Vec<&Value> = failed.map(|event| &event["verdict"]["method"]).collect();
    // One bad window of another rule may come before it, and turns back nothing.
    assert_eq!(methods.last().and_then(|method| method.as_str()), Some("sprt"), "it decides with the fewest clients");
    assert_eq!(shop.last_run()["outcome"], "rolled-back");
    shop.count_clients();
    // It is a person's turn now: the same fix would fail the same way.
    assert_eq!(shop.json(&["run"])["outcome"], "nothing-to-do");
}

#[test]
fn between_two_measurements_the_front_door_is_looked_at_many_times_a_second() {
    let changes = Shop::hasty_generator();
    let mut changes: Vec<(&str, &str)> = changes.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    changes.extend([("interval = \"100ms\"", "interval = \"25s\""), ("for = \"600ms\"", "for = \"10m\"")]);
    let shop = Shop::open_with_errors(&changes);
    let old = shop.serving().unwrap();
    shop.expect(3, &["run"]);
    assert_eq!(shop.shares(), [(old, 100)]);
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    let events = shop.json(&["show", &run])["events"].as_array().unwrap().clone();
    let at = |kind: &str| {
        let is = |event: &&Value| event["event"]["type"] == kind && event["event"]["environment"] != "staging";
        events
            .iter()
            .rev()
            .find(is)
            .and_then(|event| event["at"].as_i64())
            .unwrap_or_else(|| panic!("no {kind}: {events:?}"))
    };
    let seconds = |from: &str, to: &str| (at(to) - at(from)) as f64 / 1e9;
    // The measurement would have come after twenty-five seconds.
    assert!(seconds("step-entered", "judged") < 20.0, "{}", seconds("step-entered", "judged"));
    assert!(seconds("judged", "rolled-back") < 5.0, "{}", seconds("judged", "rolled-back"));
    println!("from the glance to the rollback: {:.3} s", seconds("judged", "rolled-back"));
}
