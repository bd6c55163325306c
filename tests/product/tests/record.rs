//! The loop as its operator keeps it: paused and resumed, told of what it did, cleared of what nobody needs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use autodevops_product_tests::shop::Shop;
use serde_json::Value;

fn group<'a>(metrics: &'a Value, environment: &str) -> &'a Value {
    let groups = metrics["groups"].as_array().unwrap();
    groups.iter().find(|group| group["environment"] == environment).unwrap_or_else(|| panic!("{metrics:#}"))
}

#[test]
fn a_paused_loop_starts_nothing_and_what_was_deployed_is_on_record_until_nobody_needs_it() {
    let retention = "[retention]\nartifacts = \"0s\"\n\n[plugins.local.grant]";
    let mut shop = Shop::open_with_errors(&[("[plugins.local.grant]", retention)]);

    shop.expect(0, &["pause", "--reason", "an audit"]);
    let again = shop.expect(0, &["pause", "--reason", "something else"]).stdout;
    assert!(
        again.starts_with("no runs start already: paused by ") && again.contains(": an audit; that stands"),
        "{again}"
    );
    let called = shop.expect(4, &["run"]);
    assert!(called.stderr.contains("an audit") && called.stderr.contains("`autodevops resume`"), "{called}");
    assert_eq!(shop.json(&["runs"]).as_array().unwrap().len(), 0, "nothing was begun");
    assert!(shop.expect(0, &["runs"]).stdout.contains("no run starts: paused by"));
    let doctor = shop.call(&["doctor"]).stdout;
    assert!(doctor.lines().any(|line| line.starts_with("absent  loop") && line.contains("an audit")), "{doctor}");
    assert!(shop.expect(0, &["resume"]).stdout.contains("runs start again"));

    shop.expect(0, &["run"]);
    let run = shop.last_run();
    assert_eq!(run["outcome"], "healed");
    let run = run["run"].as_str().unwrap();
    let shown = shop.expect(0, &["show", run]).stdout;
    for part in ["traffic of production, a column is", "candidate fails", "rule: error-rate above", "numbers: events"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }

    let metrics = shop.json(&["metrics"]);
    let production = group(&metrics, "production");
    // The first deploy, by hand, and the run's.
    assert_eq!((&production["success"]["of"], &production["success"]["total"]), (&2.into(), &2.into()));
    assert_eq!(production["dora"]["lead-time"]["count"], 2);
    assert_eq!(production["dora"]["time-to-restore"]["count"], 1);
    assert_eq!(production["satisfaction"], Value::Null);
    let rate = &production["performance"]["error-rate"];
    assert!(rate["before"].as_f64().unwrap() > rate["after"].as_f64().unwrap(), "{metrics:#}");
    assert!(shop.expect(0, &["metrics"]).stdout.contains("no complaints were taken in"));
    let called = shop.expect(2, &["metrics", "--environment", "produktion"]);
    assert!(called.stderr.contains("did you mean `production`?"), "{called}");
    shop.expect(2, &["metrics", "--since", "someday"]);
    let text = shop.expect(0, &["metrics", "--prometheus"]).stdout;
    assert!(text.contains("environment=\"production\",outcome=\"kept\"} 2\n"), "{text}");

    // What serves and what can be gone back to stays; a third release makes the first one nobody's.
    assert_eq!(shop.json(&["gc", "--dry-run"])["freed"], Value::Array(Vec::new()));
    fs::write(shop.folder.join("public/new.html"), "new\n").unwrap();
    shop.check_in("A page");
    shop.deploy();
    let freed = shop.json(&["gc", "--dry-run"])["freed"].clone();
    assert_eq!((freed.as_array().unwrap().len(), &freed[0]["what"]), (1, &"artifact".into()), "{freed:#}");
    assert_eq!(shop.json(&["gc"])["freed"], freed);
    assert_eq!(shop.json(&["gc"])["freed"], Value::Array(Vec::new()));
    let healed = shop.last_run()["release"]["id"].as_str().unwrap().to_owned();
    shop.expect(0, &["rollback", "production"]);
    assert_eq!(shop.serving(), Some(healed));
    let production = group(&shop.json(&["metrics"]), "production").clone();
    assert_eq!((&production["success"]["of"], &production["rollback"]["of"]), (&2.into(), &1.into()));
    shop.stop_clients();
}
