//! The release is compared with a fresh baseline: the stable release, started with it and of its size. It is gone when the run is over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use autodevops_product_tests::{process::until, shop::Shop};
use serde_json::Value;

const FRESH: (&str, &str) = ("max-extensions = 20", "max-extensions = 20\nbaseline = \"fresh\"");

/// A release must not be worse than its baseline, so that no step is passed before that one has had requests, too.
const COMPARED: (&str, &str) = (
    "{ metric = \"error-rate\", above = \"5 %\" }",
    "{ metric = \"error-rate\", above = \"5 %\" }, { metric = \"error-rate\", worse-by = \"20 %\", min-samples = 5 }",
);

/// The releases that run in production, by the front door's word.
fn running(shop: &Shop) -> Vec<String> {
    let status = shop.json(&["edge", "status"]);
    let releases = status["environments"]["production"]["releases"].as_array().unwrap().clone();
    releases.iter().map(|release| release["release"]["id"].as_str().unwrap().to_owned()).collect()
}

/// Shares of production that the run asked for, as `release percent`.
fn shared(events: &[Value]) -> Vec<Vec<(String, u64)>> {
    let set = events.iter().filter(|event| event["type"] == "traffic-set" && event["environment"] == "production");
    let share = |split: &Value| (split["release"].as_str().unwrap().to_owned(), split["percent"].as_u64().unwrap());
    set.map(|event| event["splits"].as_array().unwrap().iter().map(share).collect()).collect()
}

/// That nothing but the releases that are needed runs, after the baseline was drained.
fn is_gone(shop: &Shop, baseline: &str) {
    until("the fresh baseline is stopped", Duration::from_secs(20), || !running(shop).iter().any(|id| id == baseline));
}

#[test]
fn a_release_is_compared_with_a_fresh_baseline_which_is_gone_when_it_is_promoted() {
    let mut shop = Shop::open_with_errors(&[FRESH, COMPARED]);
    let old = shop.serving().unwrap();
    let called = shop.expect(0, &["run"]);
    assert!(called.stdout.contains("healed"), "{called}");
    let fixed = shop.serving().unwrap();
    let baseline = format!("{fixed}-baseline");
    let events = shop.events();
    let small = [(old.clone(), 90), (baseline.clone(), 5), (fixed.clone(), 5)];
    assert_eq!(shared(&events), [small.to_vec(), vec![(fixed.clone(), 100)]]);
    let deployed = events.iter().find(|event| event["type"] == "baseline-deployed").unwrap();
    let release = &deployed["deployment"]["release"];
    assert_eq!(release["id"], baseline.as_str());
    let live = events[0]["live"][0]["production"].clone();
    assert_eq!((&release["artifact"], &release["commit"]), (&live["artifact"], &live["commit"]), "it is what serves");

    // All three are told apart by the front door, and the verdict is come to by the fresh one.
    let measured = events.iter().filter(|event| event["type"] == "measured");
    let samples: Vec<Value> = measured.flat_map(|event| event["samples"].as_array().unwrap().clone()).collect();
    let seen = |release: &str| {
        let of = |sample: &Value| {
            let measurements = sample["measurements"].as_array().unwrap().clone();
            let all = measurements.into_iter().filter(|one| one["release"] == release && one["metric"] == "error-rate");
            all.map(|one| one["observation"]["rate"]["total"].as_u64().unwrap()).max()
        };
        samples.iter().filter(|sample| sample["source"] == "edge").filter_map(of).max().unwrap_or(0)
    };
    assert!(seen(&baseline) > 0 && seen(&fixed) > 0, "{} {}", seen(&baseline), seen(&fixed));
    assert!(seen(&old) > seen(&baseline), "stable kept the rest: {} {}", seen(&old), seen(&baseline));
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    let text = shop.expect(0, &["show", &run]).stdout;
    assert!(text.contains(&format!("is started anew as {baseline}, to compare with")), "{text}");
    assert!(text.contains(&format!("up to 33 % it was started anew as {baseline}")), "{text}");
    let said = format!("the baseline is `{baseline}`, started with the release and of its size");
    let judged = || events.iter().filter(|event| event["type"] == "judged");
    let words = judged().flat_map(|event| {
        let others = event["others"].as_array().into_iter().flatten();
        std::iter::once(&event["verdict"]).chain(others).filter_map(|verdict| verdict["words"].as_str())
    });
    let words: Vec<&str> = words.collect();
    assert!(words.iter().any(|words| words.ends_with(&said)), "{words:?}");

    is_gone(&shop, &baseline);
    shop.count_clients();
}

#[test]
fn a_release_that_is_taken_back_leaves_no_fresh_baseline_and_stable_has_all_traffic() {
    let changes = Shop::hasty_generator();
    let mut changes: Vec<(&str, &str)> = changes.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    changes.push(FRESH);
    let mut shop = Shop::open_with_errors(&changes);
    let old = shop.serving().unwrap();
    let called = shop.expect(3, &["run"]);
    assert!(called.stdout.contains("rolled back"), "{called}");
    assert_eq!(shop.shares(), [(old.clone(), 100)]);
    let events = shop.events();
    let shared = shared(&events);
    let [small, back] = shared.as_slice() else { panic!("{shared:?}") };
    assert_eq!((small.len(), back.as_slice()), (3, &[(old, 100)][..]));
    is_gone(&shop, &small[1].0);
    shop.count_clients();
}
