//! A release that has all of the traffic fails, and the one before does not run any more: that is asked before traffic is moved, and people
//! are told at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::PathBuf, time::Duration};

use autodevops_product_tests::{
    process::{kill, until},
    rollback::while_ordered,
    shop::Shop,
};
use rustix::process::Signal;
use serde_json::Value;

/// The longest that anything may take to happen.
const LIMIT: Duration = Duration::from_secs(60);

/// Nothing is moved before the release has everything, and then it is watched for as long as a person may need.
const CHANGES: [(&str, &str); 2] =
    [("{ traffic = \"5 %\", for = \"600ms\" }, ", ""), ("for = \"500ms\"", "for = \"10m\"")];

/// A release of production, by the front door's word.
fn release(shop: &Shop, id: &str) -> Value {
    let status = shop.json(&["edge", "status"]);
    let releases = status["environments"]["production"]["releases"].as_array().unwrap().clone();
    releases.into_iter().find(|release| release["release"]["id"] == id).unwrap()
}

/// Where a release's files are.
fn files(shop: &Shop, release: &Value) -> PathBuf {
    let artifact = release["release"]["artifact"].as_str().unwrap();
    let folder = shop.folder.join(".autodevops/artifacts").join(artifact.rsplit(':').next().unwrap());
    assert!(folder.is_dir(), "{}", folder.display());
    folder
}

#[test]
fn a_release_that_fails_stays_where_the_one_before_is_down_until_a_person_says_otherwise_and_a_refusal_is_told_at_once()
{
    let hasty = Shop::hasty_generator();
    let hasty = hasty.iter().map(|(from, to)| (from.as_str(), to.as_str()));
    let mut shop = Shop::open_with_errors(&CHANGES.into_iter().chain(hasty).collect::<Vec<_>>());
    shop.stop_clients();
    let old = shop.serving().unwrap();
    let mut program = shop.start(&["run"]);
    program.wait_for("all of it", LIMIT, |event| {
        event["type"] == "step-entered" && event["environment"] == "production" && event["percent"] == 100
    });
    let new = shop.serving().unwrap();
    assert_ne!(new, old);
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();

    // The one before ends, and cannot be started again.
    let before = release(&shop, &old);
    let (files, away) = (files(&shop, &before), shop.folder.join(".autodevops/away"));
    fs::rename(&files, &away).unwrap();
    kill(before["pid"].as_u64().unwrap().try_into().unwrap(), Signal::KILL);
    until("it ends again and again", LIMIT, || release(&shop, &old)["crash-loop"] == true);

    let (held, _) = while_ordered(shop.production, || {
        program.wait_for("people are asked", LIMIT, |event| event["type"] == "approval-asked")
    });
    let reason = held["reason"].as_str().unwrap();
    assert!(reason.starts_with("production at 100 %: "), "{reason}");
    let words = format!(
        "traffic does not go back to `{old}`, which is broken itself (hard trip: the release ends by itself again and again): approve to \
         stay with the release, reject to go back all the same"
    );
    assert!(reason.contains(&words), "{reason}");
    assert_eq!(shop.shares(), [(new, 100)]);
    let shown = shop.expect(0, &["show", &run]).stdout;
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains(&words), "{shown}");

    // A person goes back all the same. The front door refuses what does not answer, and that is told with the first refusal.
    shop.expect(0, &["reject", &run, "--reason", "it was no better"]);
    let held = program.wait_for("the refusal is told", LIMIT, |event| event["type"] == "held");
    let reason = held["reason"].as_str().unwrap();
    assert!(reason.starts_with("going back failed once and is tried on: failed: "), "{reason}");
    assert!(reason.contains(&format!("the release `{old}` of production does not answer now")), "{reason}");
    fs::rename(&away, &files).unwrap();
    let called = program.wait(2 * LIMIT);
    assert_eq!(called.code, Some(1), "{called}");
    assert_eq!(shop.shares(), [(old, 100)]);
}
