//! The audit of real runs: every call and every decision is on record, and whatever is changed afterwards is found and named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    collections::BTreeSet,
    fs,
    future::Future,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::Duration,
};

use autodevops_model::CheckInput;
use autodevops_product_tests::{Probe, shop::Shop};
use autodevops_sandbox::{CallContext, CallReport, Observer};
use rusqlite::Connection;
use serde_json::Value;

/// The longest that anything may take to happen.
const LIMIT: Duration = Duration::from_secs(30);

fn state(shop: &Shop, name: &str) -> PathBuf {
    shop.folder.join(".autodevops").join(name)
}

fn records(shop: &Shop, arguments: &[&str]) -> Vec<Value> {
    let mut all = vec!["audit"];
    all.extend(arguments);
    shop.json(&all)["records"].as_array().unwrap().clone()
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

/// Changes the journal as someone would who can write its file, sees what is found, and puts it back.
fn tampered(shop: &Shop, change: &str) -> String {
    let journal = state(shop, "journal.db");
    let whole = fs::read(&journal).unwrap();
    let connection = Connection::open(&journal).unwrap();
    connection.execute_batch(change).unwrap();
    assert!(connection.total_changes() > 0, "{change} changed nothing");
    drop(connection);
    let called = shop.expect(1, &["audit", "--verify"]);
    let shown = shop.call(&["audit", "--verify", "--format", "json"]);
    assert_eq!(shown.code, Some(1), "{shown}");
    assert_eq!(serde_json::from_str::<Value>(&shown.stdout).unwrap()["unbroken"], false);
    assert!(!journal.with_extension("db-wal").exists(), "nobody has the journal open");
    fs::write(&journal, whole).unwrap();
    called.stderr
}

#[test]
fn a_healed_run_is_on_record_and_whatever_is_changed_is_found_and_named() {
    let mut shop = Shop::open_with_errors(&[]);
    shop.expect(0, &["run"]);
    shop.count_clients();
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    let all = records(&shop, &[&run]);

    // Every event is pointed to, in order, and those that decided say what.
    let events = shop.events();
    let kinds: Vec<&str> = events.iter().map(|event| text(event, "type")).collect();
    let recorded: Vec<&Value> = all.iter().filter(|record| record["kind"] == "event").collect();
    assert_eq!(recorded.iter().map(|record| text(record, "operation")).collect::<Vec<_>>(), kinds);
    for kind in ["reviewed", "checked", "safety-checked", "traffic-set", "step-passed", "rollback-checked", "finished"]
    {
        let record = recorded.iter().find(|record| record["operation"] == kind).unwrap_or_else(|| panic!("no {kind}"));
        assert!(record["decision"].is_string() && text(record, "event-digest").starts_with("blake3:"), "{record}");
    }
    assert_eq!(recorded.last().unwrap()["decision"], "healed");
    // Every plugin's calls, in the run's stages, with what they touched.
    let calls: BTreeSet<(&str, &str, &str)> = all
        .iter()
        .filter(|record| record["kind"] == "call")
        .map(|record| (text(record, "stage"), text(record, "plugin"), text(record, "function")))
        .collect();
    for call in [
        ("fix", "fix-recipes", "propose"),
        ("fix", "local", "describe"),
        ("fix", "local", "live"),
        ("staging-deploy", "local", "deploy"),
        ("rollout", "local", "set_traffic"),
    ] {
        assert!(calls.contains(&call), "no {call:?} in {calls:#?}");
    }
    let in_stage = |stage: &str| calls.iter().filter(|call| call.0 == stage).count();
    assert!(in_stage("checks") > 0 && in_stage("code-review") > 0, "{calls:#?}");
    for record in all.iter().filter(|record| record["plugin"].is_string()) {
        assert_eq!(text(record, "digest").len(), "blake3:".len() + 64, "{record}");
        assert!(record["duration-ns"].is_u64() && record["bytes"].is_u64(), "{record}");
    }
    let opened = |record: &&Value| record["operation"] == "open" && record["plugin"] == "fix-recipes";
    assert!(all.iter().filter(opened).any(|record| text(record, "summary").contains("pricing.js")), "{all:#?}");

    // For people, and in part.
    let shown = shop.expect(0, &["audit", &run]).stdout;
    assert!(shown.contains("fix-recipes fix-generator/propose blake3:") && shown.contains("read"), "{shown}");
    assert!(shown.contains("finished healed"), "{shown}");
    let part = records(&shop, &[&run, "--plugin", "local", "--stage", "rollout"]);
    assert!(!part.is_empty() && part.iter().all(|r| r["plugin"] == "local" && r["stage"] == "rollout"), "{part:#?}");
    assert!(records(&shop, &[&run, "--denied"]).iter().all(|record| record["decision"] == "denied"));
    let lines = shop.expect(0, &["audit", &run, "--all"]).stdout.lines().count();
    assert_eq!(lines, all.len() + 1, "a line for each, below the heading");
    let list = shop.expect(0, &["audit"]).stdout;
    assert!(list.contains(&run) && list.contains("by-hand-1") && list.contains("watch"), "{list}");
    let deployed = records(&shop, &["by-hand-1"]);
    assert!(deployed.iter().any(|record| record["by"].is_string() && record["kind"] == "note"), "{deployed:#?}");
    assert!(deployed.iter().any(|record| record["function"] == "set_traffic"), "{deployed:#?}");
    let called = shop.expect(2, &["audit", "wacht"]);
    assert!(called.stderr.contains("there is no run `wacht` on record; did you mean `watch`?"), "{called}");

    // Proven, by a key and a head that are their owner's alone.
    let verified = shop.expect(0, &["audit", "--verify"]).stdout;
    assert!(verified.contains(": unbroken") && !verified.contains("not sealed"), "{verified}");
    for name in ["audit.key", "audit.head"] {
        assert_eq!(fs::metadata(state(&shop, name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let head = shop.expect(0, &["audit", "--head"]).stdout.trim().to_owned();
    shop.expect(0, &["audit", "--verify", "--expect", &head]);
    let called = shop.expect(2, &["audit", "--verify", "--expect", "17"]);
    assert!(called.stderr.contains("`17` is no head of an audit"), "{called}");
    let longer = format!("9999:{}", head.split_once(':').unwrap().1);
    let called = shop.expect(1, &["audit", "--verify", "--expect", &longer]);
    assert!(called.stderr.contains("missing of 9999 that were expected"), "{called}");

    let last: u64 = head.split_once(':').unwrap().0.parse().unwrap();
    let sealed = |stage: &str| all.iter().find(|record| record["stage"] == stage).unwrap()["seal"].as_u64().unwrap();
    let (fix, rollout) = (sealed("fix"), sealed("rollout"));
    let byte = "entries = CAST(substr(entries, 1, 20) || char(unicode(substr(entries, 21, 1)) + 1) || substr(entries, 22) AS BLOB)";
    let event = |kind: &str| {
        recorded.iter().find(|record| record["operation"] == kind).unwrap()["event-sequence"].as_u64().unwrap()
    };
    let (checked, set) = (event("checked"), event("traffic-set"));
    for (change, found) in [
        (
            format!("UPDATE seals SET {byte} WHERE sequence = {fix}"),
            format!("seal {fix} (run {run}, stage fix): it was changed"),
        ),
        (format!("DELETE FROM seals WHERE sequence = {rollout}"), format!("seal {rollout}: it is missing")),
        (format!("DELETE FROM seals WHERE sequence = {last}"), format!("seal {last}: it is missing of {last}")),
        (
            format!(
                "UPDATE seals SET sequence = -1 WHERE sequence = {fix};
                 UPDATE seals SET sequence = {fix} WHERE sequence = {rollout};
                 UPDATE seals SET sequence = {rollout} WHERE sequence = -1"
            ),
            format!("seal {fix} (run {run}, stage rollout): it was changed"),
        ),
        (
            format!("UPDATE events SET event = replace(event, 'passed', 'failed') WHERE sequence = {checked}"),
            format!("event {checked} (checked,"),
        ),
        (format!("DELETE FROM events WHERE sequence = {set}"), format!("event {set} (traffic-set,")),
    ] {
        let told = tampered(&shop, &change);
        assert!(told.contains("the audit is broken at seal ") && told.contains(&found), "{change}: {told}");
    }
    let after = format!(
        "INSERT INTO events (run, version, at_ns, event) SELECT run, version + 1, at_ns, event FROM events
         WHERE run = '{run}' ORDER BY version DESC LIMIT 1"
    );
    let told = tampered(&shop, &after);
    assert!(told.contains(&format!("run {run} has 1 events that were put after its end")), "{told}");
    shop.expect(0, &["audit", "--verify"]);
}

#[test]
fn a_run_under_way_can_be_verified_and_one_whose_host_was_killed_says_so() {
    let mut shop = Shop::open_with_errors(&[("for = \"600ms\"", "for = \"30s\"")]);
    let mut program = shop.start(&["run"]);
    program.wait_for("5 %", LIMIT, |event| event["type"] == "step-entered" && event["percent"] == 5);
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    for _ in 0..5 {
        let verified = shop.expect(0, &["audit", "--verify"]).stdout;
        assert!(verified.contains(": unbroken") && verified.contains("not sealed yet"), "{verified}");
    }
    assert!(records(&shop, &[&run]).iter().any(|record| record["stage"] == "checks"));
    program.kill();
    shop.expect(0, &["audit", "--verify"]);
    shop.expect(0, &["abort", &run, "--reason", "enough"]);
    shop.stop_clients();
    assert_eq!(shop.last_run()["outcome"], "aborted");
    let all = records(&shop, &[&run]);
    let ended: Vec<&Value> = all.iter().filter(|record| record["operation"] == "host-ended").collect();
    assert_eq!(ended.len(), 1, "{ended:#?}");
    assert!(text(ended[0], "summary").contains("the host ended during stage rollout"), "{ended:#?}");
    let asked = all.iter().find(|record| record["operation"] == "abort-requested").unwrap();
    assert!(asked["by"].is_string() && asked["summary"] == "enough", "{asked}");
    assert!(all.iter().any(|record| record["operation"] == "finished" && record["decision"] == "aborted"));
    let verified = shop.expect(0, &["audit", "--verify"]).stdout;
    assert!(!verified.contains("not sealed"), "{verified}");
}

#[derive(Default)]
struct Reports(Mutex<Vec<CallReport>>);

impl Observer for Reports {
    fn finished(&self, report: CallReport) {
        self.0.lock().unwrap().push(report);
    }
}

#[tokio::test]
async fn a_call_that_the_host_gives_up_is_on_record_with_what_it_did_until_then() {
    let reports = Arc::new(Reports::default());
    let context = CallContext { run: "r".into(), observer: Some(reports.clone()), ..CallContext::default() };
    let plugin = Probe::new().plugin("loop", "");
    let input = CheckInput { changed: vec![], tests: vec![], fix: None, issue: None, url: None };
    {
        let mut call = pin!(plugin.check(&context, input));
        // It waits for its turn, then loops, and lets others have theirs from time to time.
        for _ in 0..5 {
            assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert!(reports.0.lock().unwrap().is_empty());
    }
    let reports = reports.0.lock().unwrap();
    let [report] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!(report.failure.as_deref(), Some("the host gave the call up before it ended"));
    assert!(report.records.iter().any(|record| record.operation == "config"), "{report:?}");
}
