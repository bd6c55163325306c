//! Commands that explain decisions before there is one: `verdict` judges counts by hand, `rollout plan` rehearses rollouts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::Path, time::Duration};

use autodevops_product_tests::{
    autodevops,
    process::{Called, call},
    shop::Shop,
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

fn explained(folder: &Path, arguments: &[&str]) -> Called {
    let mut command = autodevops();
    command.current_dir(folder).args(arguments);
    call(command, LIMIT)
}

fn json(called: &Called) -> Value {
    serde_json::from_str(&called.stdout).unwrap_or_else(|error| panic!("{error}: {called}"))
}

#[test]
fn counts_are_judged_without_any_project_and_scripts_read_the_verdict_and_its_rule() {
    let nowhere = tempfile::tempdir().unwrap();
    let explain = |more: &[&str], counts: &str| {
        let arguments = ["verdict", "--metric", "error-rate", "--format", "json"];
        let called = explained(nowhere.path(), &[&arguments, more, &[counts]].concat());
        assert_eq!(called.code, Some(0), "{called}");
        json(&called)
    };
    let judged = |more: &[&str], counts: &str| explain(&[&["--threshold", "5 %"], more].concat(), counts);
    for (counts, verdict) in [
        ("11/100", "fail"),
        ("37/500", "fail"),
        ("10/100", "inconclusive"),
        ("36/500", "inconclusive"),
        ("0/500", "pass"),
    ] {
        let told = judged(&[], counts);
        assert_eq!((&told["verdict"], &told["rule"]), (&json!(verdict), &json!("wilson")), "{counts}");
        assert_eq!(told["what"], "error-rate above 5.0 %");
        assert!(told["in-a-rollout"].as_str().unwrap().contains("2 bad windows in a row"), "{told}");
        let (events, total) = counts.split_once('/').unwrap();
        let numbers = &told["numbers"];
        assert_eq!(
            (numbers["events"].as_f64(), numbers["requests"].as_f64()),
            (events.parse().ok(), total.parse().ok())
        );
        assert!(numbers["lower-bound"].as_f64() < numbers["upper-bound"].as_f64(), "{told}");
    }
    let few = judged(&[], "3/5");
    assert_eq!((&few["verdict"], &few["rule"]), (&json!("inconclusive"), &json!("min-samples")));
    assert!(few["words"].as_str().unwrap().contains("5 requests, of 20"), "{few}");
    let sequential = judged(&["--rule", "sprt"], "12/100");
    assert_eq!((&sequential["verdict"], &sequential["rule"]), (&json!("fail"), &json!("sprt")), "{sequential}");
    let compared = explain(&["--rule", "two-proportions", "--baseline", "20/1000"], "60/1000");
    assert_eq!((&compared["verdict"], &compared["rule"]), (&json!("fail"), &json!("two-proportions")), "{compared}");
}

#[test]
fn a_script_that_asks_for_it_has_the_verdict_as_the_exit_code() {
    let nowhere = tempfile::tempdir().unwrap();
    for (counts, code) in [("0/500", 0), ("37/500", 1), ("3/5", 4)] {
        let called = explained(nowhere.path(), &["verdict", "--threshold", "5 %", "--exit-code", counts]);
        assert_eq!(called.code, Some(code), "{counts}: {called}");
    }
}

#[test]
fn a_metric_is_one_that_is_known_or_one_of_the_project() {
    let shop = Shop::open(&[]);
    let verdict = ["verdict", "--metric", "checkouts", "--threshold", "5 %", "0/500"];
    let called = shop.expect(2, &verdict);
    assert!(called.stderr.contains("unknown metric `checkouts`"), "{called}");
    let shop = Shop::open(&[("[rollout]\n", "[rollout]\ncustom-metrics = [\"checkouts\"]\n")]);
    let called = shop.expect(0, &verdict);
    assert!(called.stdout.contains("pass by wilson: checkouts above 5.0 %"), "{called}");
}

#[test]
fn rollouts_are_rehearsed_by_a_projects_configuration_alike_for_one_seed() {
    let shop = Shop::open(&[]);
    let rates = ["--metric-rate", "error-rate=2 %", "--metric-rate", "error-rate=50 %"];
    let plan = |seed: &str, more: &[&str]| {
        let arguments = ["rollout", "plan", "--traffic", "20/s", "--rehearsals", "20", "--seed", seed];
        shop.expect(0, &[&arguments[..], &rates, more].concat())
    };
    let text = plan("7", &[]).stdout;
    assert_eq!(text, plan("7", &[]).stdout);
    assert_ne!(text, plan("8", &[]).stdout);
    assert!(text.contains("0.0 % is 15.0 % at most"), "{text}");
    let lines = json(&plan("7", &["--format", "json"]));
    let [good, bad] = lines.as_array().unwrap().as_slice() else { panic!("{lines}") };
    let keys: Vec<&str> = good.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec![
        "requests-per-second",
        "metric",
        "share",
        "good",
        "promoted",
        "turned-back",
        "person-asked",
        "wrong",
        "seconds-to-decide",
        "failed-before-rollback",
        "seconds",
    ];
    expected.sort_unstable();
    assert_eq!(
        {
            let mut keys = keys;
            keys.sort_unstable();
            keys
        },
        expected
    );
    assert_eq!((&good["good"], &bad["good"]), (&json!(true), &json!(false)));
    assert_eq!(good["wrong"], json!(0.0));
    assert!(bad["failed-before-rollback"][0].as_u64().unwrap() > 0, "{bad}");
}

#[test]
fn rollouts_with_clients_and_those_of_another_target_are_rehearsed_as_they_would_be() {
    let shop = Shop::open(&[]);
    let plan = |shop: &Shop, code: i32, more: &[&str]| {
        let arguments =
            ["rollout", "plan", "--traffic", "10/s", "--metric-rate", "error-rate=2 %", "--rehearsals", "5"];
        shop.expect(code, &[&arguments[..], more].concat())
    };
    let head = |called: &Called| called.stdout.lines().next().unwrap_or_default().to_owned();
    let clients = ["--clients", "200", "--failing-clients", "2 %"];
    let rehearsed = plan(&shop, 0, &clients);
    assert!(head(&rehearsed).contains("; 200 clients, who stay with a release, 2 % of whom see nothing but errors;"));
    assert!(head(&rehearsed).ends_with("; glances every 250ms"), "{rehearsed}");
    let json = json(&plan(&shop, 0, &[&clients[..], &["--format", "json"]].concat()));
    assert_eq!(json[0]["wrong"], json!(0.0), "{json}");
    plan(&shop, 2, &["--failing-clients", "2 %"]);
    let refused = plan(&shop, 2, &["--clients", "200", "--traffic", "5000/s"]);
    assert!(refused.stderr.contains("give 1000/s at most"), "{refused}");
    let file = shop.folder.join("autodevops.toml");
    let text = fs::read_to_string(&file).unwrap();
    let elsewhere = text.replace("deploy-target = \"local\"", "deploy-target = \"my-cloud\"");
    assert_ne!(elsewhere, text);
    fs::write(file, elsewhere).unwrap();
    let rehearsed = plan(&shop, 0, &[]);
    assert!(head(&rehearsed).contains("; no glances: `my-cloud` has no front door of this host;"), "{rehearsed}");
}
