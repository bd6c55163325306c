//! What is done about a run that is over: it is tried again by a person's word alone, and a release that served for long is not left
//! without a second thought.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use autodevops_product_tests::{process::until, shop::Shop};
use rustix::process::Signal;
use serde_json::Value;

/// The longest that anything may take to happen.
const LIMIT: Duration = Duration::from_secs(60);

fn run_name(shop: &Shop) -> String {
    shop.last_run()["run"].as_str().unwrap().to_owned()
}

fn of_kind(shop: &Shop, kind: &str) -> Value {
    let events = shop.events();
    events.iter().find(|event| event["type"] == kind).cloned().unwrap_or_else(|| panic!("no {kind}: {events:?}"))
}

#[test]
fn what_was_aborted_is_tried_again_with_the_same_fix_by_a_persons_word_alone() {
    let shop = Shop::open_with_errors(&[("required = false", "required = true\ntimeout = \"1h\"")]);
    shop.expect(4, &["run", "--no-wait"]);
    let first = run_name(&shop);
    let called = shop.expect(1, &["retry", &first, "--reason", "again"]);
    assert!(called.stderr.contains(&format!("run {first} is not over")), "{called}");
    shop.expect(0, &["abort", &first, "--reason", "not today"]);
    let fix = of_kind(&shop, "fix-proposed");
    assert_eq!(shop.json(&["run"])["outcome"], "nothing-to-do");
    shop.expect(2, &["retry", &first]);
    let called = shop.expect(2, &["retry", "nosuchrun", "--reason", "again"]);
    assert!(called.stderr.contains("there is no run `nosuchrun`"), "{called}");

    let called = shop.expect(0, &["retry", &first, "--reason", "tomorrow it is"]);
    let second = run_name(&shop);
    assert_ne!(second, first);
    assert!(called.stdout.contains(&format!("run {second} tries again what run {first} tried")), "{called}");
    assert_eq!(shop.last_run()["follows"], first.as_str());
    assert!(shop.last_run()["retried-by"].is_string());
    let called = shop.expect(1, &["retry", &first, "--reason", "twice"]);
    assert!(called.stderr.contains(&format!("run {second} came after it")), "{called}");
    shop.expect(4, &["run", "--no-wait"]);
    assert_eq!(of_kind(&shop, "fix-proposed"), fix);
    shop.expect(0, &["approve", &second]);
    shop.expect(0, &["run"]);
    assert_eq!(shop.last_run()["outcome"], "healed");
    let called = shop.expect(1, &["retry", &second, "--reason", "once more"]);
    assert!(called.stderr.contains("healed its issue"), "{called}");
    let shown = shop.expect(0, &["show", &second]);
    assert!(shown.stdout.contains(&format!("has run {first} tried again")), "{shown}");
}

#[test]
fn nothing_is_tried_again_without_a_person_however_often_the_fault_is_seen() {
    let mut shop = Shop::open_with_errors(&[("required = false", "required = true\ntimeout = \"1h\"")]);
    shop.expect(4, &["run", "--no-wait"]);
    let first = run_name(&shop);
    shop.expect(0, &["abort", &first, "--reason", "not today"]);
    let program = shop.start(&["serve"]);
    let errors = || std::fs::read_to_string(shop.log()).map_or(0, |log| log.matches("TypeError").count());
    let before = errors();
    until("the fault is seen many times more", LIMIT, || errors() > before + 50);
    // As often as the logs are looked at meanwhile.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(shop.json(&["runs"]).as_array().unwrap().len(), 1, "nobody asked for another try");
    shop.expect(0, &["retry", &first, "--reason", "tomorrow it is"]);
    until("a person has it tried again", LIMIT, || shop.json(&["runs"]).as_array().unwrap().len() == 2);
    assert!(shop.last_run()["retried-by"].is_string());
    program.signal(Signal::INT);
    program.wait(LIMIT);
    shop.stop_clients();
}

#[test]
fn what_had_to_be_taken_back_asks_a_person_before_it_goes_to_production_again() {
    let changes = Shop::hasty_generator();
    let changes: Vec<(&str, &str)> = changes.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let shop = Shop::open_with_errors(&changes);
    let old = shop.serving().unwrap();
    shop.expect(3, &["run"]);
    let first = run_name(&shop);
    shop.expect(0, &["retry", &first, "--reason", "it was the network"]);
    // No approval is required by the configuration.
    shop.expect(4, &["run", "--no-wait"]);
    let waits = shop.last_run()["waits-for"].as_str().unwrap().to_owned();
    assert!(waits.contains(&format!("the release of run {first}, for the same fault, was taken back")), "{waits}");
    assert_eq!(shop.shares(), [(old, 100)]);
}

#[test]
fn a_release_that_served_for_longer_than_the_window_is_left_at_once_only_where_that_is_said() {
    let shop =
        Shop::open_with_errors(&[("monitoring = \"500ms\"", "monitoring = \"500ms\"\nrollback-window = \"1ms\"")]);
    let old = shop.serving().unwrap();
    shop.expect(0, &["run"]);
    let new = shop.serving().unwrap();
    let called = shop.expect(1, &["rollback", "production"]);
    assert!(called.stderr.contains("`rollback-window` (1ms)") && called.stderr.contains("`--now`"), "{called}");
    assert_eq!(shop.serving().as_ref(), Some(&new));
    shop.expect(0, &["rollback", "production", "--now", "--reason", "odd orders"]);
    assert_eq!(shop.serving(), Some(old));
    // What was gone back from is nothing to go back to.
    let called = shop.expect(1, &["rollback", "production", "--now"]);
    assert!(called.stderr.contains("was gone back from") && called.stderr.contains(&new), "{called}");
}

#[test]
fn what_is_taken_back_is_undone_in_git_on_a_branch_and_the_checkout_stays_as_it_is() {
    let shop = Shop::open(&[]);
    shop.deploy();
    let good = shop.serving().unwrap();
    let page = shop.folder.join("public/index.html");
    let before = std::fs::read_to_string(&page).unwrap();
    std::fs::write(&page, format!("{before}\n<!-- worse -->\n")).unwrap();
    shop.check_in("Make it worse");
    shop.deploy();
    let bad = shop.serving().unwrap();
    let head = shop.git(&["rev-parse", "HEAD"]);
    let called = shop.expect(1, &["revert", &bad, "--reason", "too early"]);
    assert!(called.stderr.contains("serves production; go back first"), "{called}");
    let called = shop.expect(0, &["rollback", "production", "--reason", "it is worse"]);
    assert_eq!(shop.serving().as_ref(), Some(&good));
    let branch = format!("autodevops/revert-{}", &head[..10]);
    assert!(called.stdout.contains(&format!("is undone on the branch `{branch}`")), "{called}");
    assert_eq!(shop.git(&["rev-parse", "HEAD"]), head);
    assert_eq!(shop.git(&["status", "--porcelain"]), "");
    let message = shop.git(&["log", "-1", "--format=%B", &branch]);
    assert!(message.contains("it is worse") && message.contains(head.trim()), "{message}");
    let called = shop.expect(1, &["revert", &bad, "--reason", "again"]);
    assert!(called.stderr.contains(&format!("is undone on `{branch}` already")), "{called}");
    shop.git(&["merge", "--quiet", &branch]);
    assert_eq!(std::fs::read_to_string(&page).unwrap(), before);
    // A fix whose branch was never merged has nothing to be reverted.
    let called = shop.expect(2, &["revert", "r-17", "--reason", "x"]);
    assert!(called.stderr.contains("there is no run `r-17`"), "{called}");
}

#[test]
fn whoever_serves_takes_up_what_is_tried_again_and_goes_forward_when_told() {
    // The last step is long, too: how a slow machine serves is not what is looked at.
    let [first, last] = ["600ms", "500ms"].map(|short| format!("for = \"{short}\""));
    let (asked, long) = ("required = true\ntimeout = \"1h\"", "for = \"10m\"");
    let mut shop = Shop::open(&[("required = false", asked), (&first, long), (&last, long)]);
    shop.deploy();
    let old = shop.serving().unwrap();
    let mut program = shop.start(&["serve"]);
    program.wait_for_text("watching", LIMIT);
    shop.let_clients_in();
    program.wait_for("a person is asked", LIMIT, |event| event["type"] == "approval-asked");
    let first = run_name(&shop);
    shop.expect(0, &["abort", &first, "--reason", "not now"]);
    program.wait_for("the run ends", LIMIT, |event| event["type"] == "finished");
    shop.expect(0, &["retry", &first, "--reason", "now"]);
    program.wait_for("it is tried again", LIMIT, |event| {
        event["type"] == "started"
            && event["former"]["run"] == first.as_str()
            && event["former"]["retry"]["reason"] == "now"
    });
    program.wait_for("a person is asked", LIMIT, |event| event["type"] == "approval-asked");
    let second = run_name(&shop);
    let called = shop.expect(1, &["roll-forward", &second, "--reason", "early"]);
    assert!(called.stderr.contains("has no part of production's traffic that could grow"), "{called}");
    shop.expect(0, &["approve", &second]);
    program.wait_for("the first step", LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 5);
    let called = shop.expect(0, &["roll-forward", &second, "--reason", "the old one is worse"]);
    assert!(called.stdout.contains("goes forward"), "{called}");
    until("the fix has all of production", LIMIT, || shop.shares().len() == 1 && shop.shares()[0].0 != old);
    program.wait_for("it is watched", LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 100);
    shop.expect(0, &["abort", &second, "--reason", "enough"]);
    program.wait_for("the run ends", LIMIT, |event| event["type"] == "finished");
    program.signal(Signal::TERM);
    program.wait(LIMIT);
    shop.stop_clients();
}
