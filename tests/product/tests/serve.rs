//! Watching without end: new errors are healed without being asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, time::Duration};

use autodevops_product_tests::{process::until, shop::Shop};
use rustix::process::Signal;

/// The longest that anything may take to happen.
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn new_errors_are_healed_without_being_asked_also_after_the_log_was_put_aside() {
    let mut shop = Shop::open(&[]);
    shop.deploy();
    let old = shop.serving().unwrap();
    let mut program = shop.start(&["serve"]);
    program.wait_for_text("watching", LIMIT);
    // As logrotate does: what was read is put aside before anything is wrong in it, and a new file follows.
    let log = shop.log();
    fs::write(&log, "2026-01-01T00:00:00.000Z INFO nothing is wrong\n").unwrap();
    fs::rename(&log, log.with_extension("log.1")).unwrap();
    // And whoever was writing goes on behind where it was.
    fs::write(&log, vec![0; 70_000]).unwrap();
    shop.let_clients_in();
    program.wait_for("a run begins", LIMIT, |event| event["type"] == "started");
    let ended = program.wait_for("the run ends", LIMIT, |event| event["type"] == "finished");
    assert_eq!(ended["outcome"], "healed", "{ended}");
    until("the fix serves", LIMIT, || shop.serving().is_some_and(|release| release != old));
    assert_eq!(shop.json(&["runs"]).as_array().unwrap().len(), 1);

    let held = shop.expect(1, &["run"]);
    assert!(held.stderr.contains(&format!("(process {})", program.pid())), "{held}");
    program.signal(Signal::TERM);
    let called = program.wait(LIMIT);
    assert_eq!(called.code, Some(0), "{called}");
    for told in ["is not read as it is: ", " zero bytes"] {
        assert!(called.stderr.contains(told), "{called}");
    }
    assert!(shop.serving().is_some(), "what serves goes on without it");
    shop.count_clients();
    // The next one knows what was done.
    assert_eq!(shop.json(&["run"])["outcome"], "nothing-to-do");
}
