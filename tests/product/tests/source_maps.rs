//! `[logs] source-maps` in a project: a run is about the code that was written, not about what a minifier made of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, time::Duration};

use autodevops_product_tests::{
    minified_builds,
    shop::{Shop, copy},
};
use rustix::process::Signal;
use serde_json::Value;

/// The longest that anything may take to happen.
const LIMIT: Duration = Duration::from_secs(30);

/// Where the first frame of an issue's stack is, and where the issue is.
fn places(issue: &Value) -> [&Value; 3] {
    [&issue["stack"][0]["function"], &issue["stack"][0]["line"], &issue["location"]["path"]]
}

#[test]
fn a_run_is_about_what_was_written_whether_it_was_asked_for_or_began_by_itself() {
    let shop = Shop::open(&[
        ("watch = [\".autodevops/logs/production.log\"]", "watch = [\"web.log\"]\nsource-maps = \"dist\""),
        ("[plugins.log-analyzer.grant]\n", "[plugins.log-analyzer.grant]\nfiles.\"/maps\" = {}\n"),
    ]);
    copy(&minified_builds().join("one/dist"), &shop.folder.join("dist"));
    fs::write(shop.folder.join(".gitignore"), ".autodevops\nweb.log\n").unwrap();
    shop.check_in("Build");
    shop.deploy();
    let log = fs::read_to_string(minified_builds().join("one/shop.log")).unwrap();
    let written: [&Value; 3] = [&"toCents".into(), &4.into(), &"src/money.js".into()];

    fs::write(shop.folder.join("web.log"), &log).unwrap();
    // Nobody knows a fix for it: it is handed to a person.
    shop.expect(1, &["run"]);
    let events = shop.events();
    let started = events.iter().find(|event| event["type"] == "started").unwrap();
    assert_eq!(places(&started["issue"]), written, "{started:#}");

    let mut serve = shop.start(&["serve"]);
    serve.wait_for_text("watching", LIMIT);
    let other = log.replace("RangeError: no price", "TypeError: no amount");
    fs::write(shop.folder.join("web.log"), format!("{log}{other}")).unwrap();
    let started = serve.wait_for("a run begins", LIMIT, |event| event["type"] == "started");
    assert_eq!(started["issue"]["exception"], "TypeError");
    assert_eq!(places(&started["issue"]), written, "{started:#}");
    serve.wait_for("the run ends", LIMIT, |event| event["type"] == "finished");
    serve.signal(Signal::TERM);
    assert_eq!(serve.wait(LIMIT).code, Some(0));
}

#[test]
fn source_maps_that_the_analyzer_may_not_read_are_told_of_before_anything_runs() {
    let shop = Shop::open(&[(
        "watch = [\".autodevops/logs/production.log\"]",
        "watch = [\".autodevops/logs/production.log\"]\nsource-maps = \"public\"",
    )]);
    shop.deploy();
    let called = shop.expect(2, &["run"]);
    assert!(called.stderr.contains("may not read source maps") && called.stderr.contains("/maps"), "{called}");
}
