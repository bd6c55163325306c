//! What language models are asked is capped by the day, at every stage that may ask one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use autodevops_product_tests::{copied_plugin, shop::Shop};

#[test]
fn a_check_that_may_ask_a_model_is_not_asked_once_the_tokens_of_a_day_are_used_and_no_run_starts() {
    let plugins = tempfile::tempdir().unwrap();
    let reviewers = ["first", "second", "third"];
    let table = |name: &&str| {
        let path = copied_plugin("probe", plugins.path(), name, "");
        format!(
            "[plugins.{name}]\npath = \"{}\"\nconfig = {{ act = \"use-tokens\", argument = \"200 400\" }}\n\
             grant = {{ http = [\"http://127.0.0.1:9\"] }}\n\n",
            path.display()
        )
    };
    let tables: String = reviewers.iter().map(table).collect();
    let named = reviewers.map(|name| format!("\"{name}\"")).join(", ");
    let mut shop = Shop::open_with_errors(&[
        ("[stages]\n", "[loop]\ntokens-a-day = 1000\n\n[stages]\n"),
        ("\"security-scan\"]", &format!("\"security-scan\", {named}]")),
        ("[plugins.local.grant]", &format!("{tables}[plugins.local.grant]")),
    ]);
    let called = shop.call(&["run", "--no-wait"]);
    shop.stop_clients();
    let events = shop.events();
    let reviewed = events.iter().find(|event| event["type"] == "reviewed").unwrap_or_else(|| panic!("{called}"));
    let outcomes: Vec<(&str, &str)> = reviewed["reports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|named| (named["plugin"].as_str().unwrap(), named["report"]["outcome"].as_str().unwrap()))
        .collect();
    let others = [("first", "passed"), ("second", "passed"), ("third", "inconclusive")];
    assert!(outcomes.ends_with(&others), "{outcomes:?}");
    let third = reviewed["reports"].as_array().unwrap().last().unwrap()["report"]["summary"].as_str().unwrap();
    let told = "it was not asked: 1200 tokens of language models were there within 24 hours, and [loop] tokens-a-day allows 1000";
    assert!(third.starts_with(told), "{third}");
    assert!(called.code != Some(0), "nobody can say that the change is in order: {called}");

    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    shop.call(&["abort", &run, "--reason", "enough"]);
    shop.call(&["run"]);
    let issue = shop.last_run()["fingerprint"].as_str().unwrap().to_owned();
    let called = shop.expect(4, &["run", "--issue", &issue]);
    assert!(called.stderr.contains("tokens-a-day allows 1000; the next may come in"), "{called}");
}
