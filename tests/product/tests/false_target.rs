//! A deploy target that lies misleads nobody: nothing is promoted by its word, and people are told what is not as it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use autodevops_product_tests::{copied_plugin, shop::Shop};
use serde_json::Value;

/// A shop with errors whose target lies so about production, and what serves there.
fn shop_with(lie: &str) -> (Shop, String) {
    let plugins = tempfile::tempdir().unwrap();
    let path = copied_plugin("false-target", plugins.path(), "local", "");
    let table = format!(
        "[plugins.local]\npath = \"{}\"\nconfig = {{ lie = \"{lie}\" }}\n\n[plugins.local.grant]\nkeyvalue = true",
        path.display()
    );
    let mut shop = Shop::open(&[("[plugins.local.grant]", &table)]);
    drop(plugins.keep());
    shop.deploy();
    shop.let_clients_in();
    shop.wait_for_errors();
    let old = shop.serving().unwrap();
    (shop, old)
}

#[test]
fn of_a_target_that_says_that_it_moved_traffic_and_moved_none_nothing_is_promoted() {
    let (shop, old) = shop_with("does-nothing");
    let called = shop.call(&["run", "--no-wait"]);
    assert_eq!(called.code, Some(3), "{called}");
    let said = "the deploy target `local` says that production serves ";
    let really =
        format!(", and the front door serves {old} 100 %: the target does not do what it says; put the plugin right");
    assert!(called.stdout.contains(said) && called.stdout.contains(&really), "{called}");
    let moved = |event: &&Value| event["type"] == "traffic-set" && event["environment"] == "production";
    let shares: Vec<Value> = shop.events().iter().filter(moved).map(|event| event["splits"].clone()).collect();
    assert_eq!(shares, [serde_json::json!([{ "percent": 100, "release": old }])], "only that it is all stable's");
    assert_eq!(shop.shares(), [(old, 100)]);
}

#[test]
fn a_target_that_moved_traffic_and_says_that_it_did_not_has_the_run_held() {
    let (shop, old) = shop_with("says-old");
    let called = shop.call(&["run", "--no-wait"]);
    assert_eq!(called.code, Some(4), "a person is asked: {called}");
    let said = format!("production serves {old} 100 % where this run left ");
    assert!(called.stdout.contains(&said) && called.stdout.contains("waits for a person"), "{called}");
    let events = shop.events();
    assert!(!events.iter().any(|event| event["type"] == "finished"), "{called}");
}
