//! A plugin that may send requests is told of what went wrong without secrets and personal data; one that may not is told all of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use autodevops_product_tests::{copied_plugin, shop::Shop};
use serde_json::Value;

/// What is taken out here: a word that stands in the shop's errors, and in its code.
const REDACTION: &str = "[redaction]\npatterns = { place = \"country\" }\n\n[stages]\n";

/// What a check told of a run's change, which it was told to say what it was given.
fn told(events: &[Value], plugin: &str) -> String {
    let reviewed = events.iter().find(|event| event["type"] == "reviewed").expect("it was reviewed");
    let reports = reviewed["reports"].as_array().unwrap();
    let report =
        reports.iter().find(|named| named["plugin"] == plugin).unwrap_or_else(|| panic!("{plugin}: {reports:?}"));
    report["report"]["summary"].as_str().unwrap().to_owned()
}

#[test]
fn a_check_that_may_send_requests_sees_no_more_than_it_may_send_on() {
    let plugins = tempfile::tempdir().unwrap();
    let table = |name: &str, grant: &str| {
        let path = copied_plugin("probe", plugins.path(), name, "");
        format!(
            "[plugins.{name}]\npath = \"{}\"\nconfig = {{ act = \"evidence\" }}\ngrant = {{ {grant} }}\n\n",
            path.display()
        )
    };
    let tables = table("teller", "http = [\"http://127.0.0.1:9\"]") + &table("keeper", "clocks = true");
    let mut shop = Shop::open_with_errors(&[
        ("[stages]\n", REDACTION),
        ("\"security-scan\"]", "\"security-scan\", \"teller\", \"keeper\"]"),
        ("[plugins.local.grant]", &format!("{tables}[plugins.local.grant]")),
    ]);
    shop.expect(0, &["run"]);
    shop.stop_clients();
    let events = shop.events();
    // A fix's edits are code, which is in the folders that a check is given.
    let words = |plugin: &str| {
        told(&events, plugin).split_once(" / [").map(|(words, edits)| (words.to_owned(), edits.to_owned()))
    };
    let ((teller, its_edits), (keeper, edits)) = (words("teller").unwrap(), words("keeper").unwrap());
    assert_eq!(its_edits, edits);
    assert!(keeper.contains("(reading 'country')"), "{keeper}");
    assert!(teller.contains("(reading '[redacted:place]')") && !teller.contains("country"), "{teller}");
    assert_eq!(keeper.replace("country", "[redacted:place]"), teller, "it is told the same else");

    let branch = shop.last_run()["branch"].as_str().unwrap().to_owned();
    let message = shop.git(&["log", "-1", "--format=%B", &branch]);
    assert!(!message.contains("country"), "{message}");
}

#[test]
fn an_analyzer_that_may_send_requests_reads_redacted_logs() {
    let plugins = tempfile::tempdir().unwrap();
    let asks = "[[permissions]]\nask = \"http\"\norigins = [\"https://model.example\"]\nreason = \"It asks what a line means.\"\n";
    let path = copied_plugin("log-analyzer", plugins.path(), "log-analyzer", asks);
    let granted = "[plugins.log-analyzer.grant]\nkeyvalue = true\n";
    let table = format!(
        "[plugins.log-analyzer]\npath = \"{}\"\n\n{granted}http = [\"https://model.example\"]\n",
        path.display()
    );
    let mut shop = Shop::open_with_errors(&[("[stages]\n", REDACTION), (granted, &table)]);
    // What it makes of the issue is another matter.
    shop.call(&["run"]);
    shop.stop_clients();
    let events = shop.events();
    let issue = &events.iter().find(|event| event["type"] == "started").unwrap()["issue"];
    assert!(issue["message"].as_str().unwrap().contains("(reading '[redacted:place]')"), "{issue}");
    assert!(!issue.to_string().contains("country"), "{issue}");
    assert!(!issue["evidence"].as_array().unwrap().is_empty(), "{issue}");
}
