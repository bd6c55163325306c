//! A deploy target that lies misleads nobody: nothing is promoted by its word, and people are told what is not as it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use autodevops_product_tests::{copied_plugin, process::Called, shop::Shop};
use serde_json::Value;

/// The longest that a run may take to see that something is wrong.
const LIMIT: Duration = Duration::from_secs(180);

/// A shop with errors whose target lies so, and what became of a run in it.
fn run_with(lie: &str) -> (Shop, String, Called) {
    let plugins = tempfile::tempdir().unwrap();
    let path = copied_plugin("false-target", plugins.path(), "local", "");
    let table = format!(
        "[plugins.local]\npath = \"{}\"\nconfig = {{ lie = \"{lie}\" }}\n\n[plugins.local.grant]\nkeyvalue = true",
        path.display()
    );
    let shop = Shop::open_with_errors(&[("[plugins.local.grant]", &table)]);
    let old = shop.serving().unwrap();
    let called = shop.call(&["run", "--no-wait"]);
    (shop, old, called)
}

fn of_type<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == name).collect()
}

#[test]
fn of_a_target_that_moves_no_traffic_and_says_that_it_did_nothing_is_promoted() {
    let (shop, old, called) = run_with("does-nothing");
    println!("{called}");
    let events = shop.events();
    for event in &events {
        println!("{}", event.to_string().chars().take(300).collect::<String>());
    }
    assert_eq!(shop.shares(), [(old, 100)]);
    assert_eq!(called.code, Some(4), "a person is asked: {called}");
    assert_eq!(of_type(&events, "step-passed").iter().filter(|event| event["environment"] == "production").count(), 0);
}

#[test]
fn a_target_that_says_the_old_shares_after_it_moved_traffic_is_held() {
    let (shop, old, called) = run_with("says-old");
    println!("{called}");
    let events = shop.events();
    for event in &events {
        println!("{}", event.to_string().chars().take(300).collect::<String>());
    }
    println!("{:?} {old}", shop.shares());
    assert_eq!(called.code, Some(4), "a person is asked: {called}");
}
