//! Complaints of those who use the service: on record at any time, and so many turn a release back that is being rolled out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs::OpenOptions, io::Write, time::Duration};

use autodevops_edge::release_log;
use autodevops_product_tests::shop::Shop;

/// The longest that anything may take to happen.
const LIMIT: Duration = Duration::from_secs(120);

fn with_complaints() -> Shop {
    let triggers = "triggers = [{ metric = \"error-rate\", above = \"5 %\" }]";
    let more = "triggers = [{ metric = \"error-rate\", above = \"5 %\" }, { metric = \"complaints\", at-least = 3, window = \"10m\" }]";
    Shop::open_with_errors(&[("for = \"600ms\"", "for = \"60s\""), (triggers, more)])
}

#[test]
fn three_people_who_complain_turn_a_release_back_at_its_smallest_step() {
    let shop = with_complaints();
    let old = shop.serving().unwrap();
    let complain =
        |from: &str| shop.expect(0, &["feedback", "--service", "shop", "--from", from, "the cart is empty"]).stdout;
    // Before there is a release to speak against it is on record only.
    assert!(complain("amy").contains("complaint 1 about shop is taken in"));
    let mut program = shop.start(&["run"]);
    program.wait_for("5 %", LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 5);
    assert_eq!(complain("amy"), "complaint 2 about shop is taken in\n");
    assert_eq!(complain("amy"), "complaint 3 about shop is taken in\n");
    assert_eq!(complain("bob"), "complaint 4 about shop is taken in\n");
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    assert_eq!(complain("cyd"), format!("complaint 5 about shop is taken in; run {run} takes its release back\n"));
    let called = program.wait(LIMIT);
    assert_eq!(called.code, Some(3), "{called}");
    assert!(called.stdout.contains("complaints of 3 people or more within 10 min"), "{called}");
    assert_eq!(shop.shares(), [(old, 100)]);
    let shown = shop.expect(0, &["show", &run]).stdout;
    assert!(shown.contains("complaint: the cart is empty"), "{shown}");
    assert!(shown.contains("counted: complaints at least 3 in 10 min"), "{shown}");
    let satisfaction = &shop.json(&["metrics", "--environment", "production"])["groups"][0]["satisfaction"];
    assert!(satisfaction.is_object(), "{satisfaction}");
}

#[test]
fn complaints_that_nobody_drives_a_run_to_hear_turn_it_back_too() {
    let shop = with_complaints();
    let old = shop.serving().unwrap();
    let mut program = shop.start(&["run"]);
    program.wait_for("5 %", LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 5);
    drop(program);
    for from in ["amy", "bob"] {
        shop.expect(0, &["feedback", "--from", from, "no"]);
    }
    let said = shop.expect(0, &["feedback", "--from", "cyd", "no"]).stdout;
    assert!(said.contains("takes its release back") && said.contains("rolled back"), "{said}");
    assert_eq!(shop.shares(), [(old, 100)]);
    assert_eq!(shop.last_run()["outcome"], "rolled-back");
}

#[test]
fn complaints_of_clients_count_against_the_release_that_answers_them() {
    let shop = with_complaints();
    let old = shop.serving().unwrap();
    let mut program = shop.start(&["run"]);
    program.wait_for("5 %", LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 5);
    let new = shop.shares().into_iter().find(|(release, _)| *release != old).unwrap().0;
    let nobody = shop.expect(2, &["feedback", "--client", "ann", "no"]).stderr;
    assert!(nobody.contains("`ann` names no client; give the value of the cookie `autodevops-client`"), "{nobody}");
    let (mut of_old, mut of_new) = (0, 0);
    for client in 0..2000 {
        let said = shop.expect(0, &["feedback", "--client", &format!("{client:016x}"), "the cart is empty"]).stdout;
        of_old += usize::from(said.contains(&format!("about shop, release {old}, is taken in")));
        of_new += usize::from(said.contains(&format!("about shop, release {new}, is taken in")));
        if said.contains("takes its release back") {
            break;
        }
    }
    assert_eq!(of_new, 3, "and {of_old} of clients whom the stable release answers");
    assert!(of_old > 0, "of twenty clients nineteen are answered by the stable release");
    let called = program.wait(LIMIT);
    assert_eq!(called.code, Some(3), "{called}");
    assert!(called.stdout.contains("since it has traffic; 3 turn it back") && !called.stdout.contains("is not known"));
    assert_eq!(shop.shares(), [(old, 100)]);
}

#[test]
fn a_critical_error_of_the_stable_release_turns_nothing_back_and_one_of_the_candidate_does() {
    let triggers = "triggers = [{ metric = \"error-rate\", above = \"5 %\" }]";
    let more = "triggers = [{ metric = \"error-rate\", above = \"5 %\" }, { metric = \"critical-errors\", at-least = 1, window = \"10m\" }]";
    let shop = Shop::open_with_errors(&[("for = \"600ms\"", "for = \"60s\""), (triggers, more)]);
    let old = shop.serving().unwrap();
    let mut program = shop.start(&["run"]);
    program.wait_for("5 %", LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 5);
    let new = shop.shares().into_iter().find(|(release, _)| *release != old).unwrap().0;
    let writes = |release: &str, line: &str| {
        for log in [release_log(&shop.log(), release), shop.log()] {
            writeln!(OpenOptions::new().append(true).open(log).unwrap(), "{line}").unwrap();
        }
    };
    writes(&old, "FATAL the ledger of payments is corrupt");
    writes(&new, "FATAL no route to the warehouse");
    let called = program.wait(LIMIT);
    assert_eq!(called.code, Some(3), "{called}");
    assert!(called.stdout.contains("a new critical error: ") && !called.stdout.contains("is not known"), "{called}");
    assert_eq!(shop.shares(), [(old, 100)]);
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    let shown = shop.expect(0, &["show", &run]).stdout;
    assert!(shown.contains(&format!("critical error about {new}: ")) && shown.contains("warehouse"), "{shown}");
    assert!(!shown.contains("ledger"), "{shown}");
}

#[test]
fn what_cannot_be_meant_is_wrong_usage() {
    let shop = Shop::open(&[]);
    for (arguments, expected) in [
        (&["feedback", " "][..], "a complaint needs a text; say what is wrong"),
        (&["feedback", "--service", "shpo", "no"], "there is no service `shpo` here; did you mean `shop`?"),
        (
            &["feedback", "--release", "r9", "no"],
            "no release `r9` serves or served; leave it out where it is not known",
        ),
    ] {
        let called = shop.expect(2, arguments);
        assert!(called.stderr.contains(expected), "{called}");
    }
}
