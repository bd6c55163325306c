//! Whatever is killed, and whenever: the run comes to its end, production answers all the while, and nothing is done twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use autodevops_product_tests::{
    killed::{self, Killed},
    process::{Called, kill, until},
    shop::Shop,
};
use rustix::process::Signal;
use serde_json::Value;

/// The longest that anything may take to happen.
const LIMIT: Duration = Duration::from_secs(20);

/// What is told apart when it is decided whether to kill: kind, environment, and the candidate's share.
fn label(event: &Value) -> String {
    let mut label = event["type"].as_str().unwrap().to_owned();
    if let Some(environment) = event["environment"].as_str() {
        label = format!("{label} {environment}");
    }
    let candidate = event["splits"].as_array().and_then(|splits| splits.last()).map(|split| &split["percent"]);
    if let Some(percent) = event["percent"].as_u64().or_else(|| candidate?.as_u64()) {
        label = format!("{label} {percent}");
    }
    label
}

fn is_step(event: &Value, percent: u64) -> bool {
    event["type"] == "step-entered" && event["environment"] == "production" && event["percent"] == percent
}

/// Sees that every release was deployed and started once, and every effect intended once.
fn done_once(shop: &Shop) {
    let events = shop.events();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for event in &events {
        let once = match event["type"].as_str().unwrap() {
            "started" | "fix-proposed" | "committed" | "built" | "finished" => label(event),
            "deployed" | "traffic-set" => label(event),
            "effect-intended" => format!("intended {}", event["key"]),
            _ => continue,
        };
        *counts.entry(once).or_default() += 1;
    }
    assert!(counts.values().all(|count| *count == 1), "{counts:#?}");
    assert_eq!(counts.keys().filter(|name| name.starts_with("deployed")).count(), 2, "{counts:#?}");
    let branch = shop.last_run()["branch"].as_str().unwrap().to_owned();
    assert_eq!(shop.git(&["rev-list", "--count", &format!("main..{branch}")]).trim(), "1");
    let status = shop.json(&["edge", "status"]);
    for (name, environment) in status["environments"].as_object().unwrap() {
        let releases = environment["releases"].as_array().unwrap();
        let ids: BTreeSet<&str> = releases.iter().map(|release| release["release"]["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), releases.len(), "{name}: {environment}");
        assert!(releases.iter().all(|release| release["restarts"] == 0), "{name}: {environment}");
    }
}

fn healed(shop: &Shop) {
    let run = shop.last_run();
    assert_eq!(run["outcome"], "healed", "{run}");
    assert_eq!(shop.serving().as_deref(), run["release"]["id"].as_str());
    assert_eq!(shop.json(&["runs"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_host_killed_at_every_kind_of_event_of_one_run_heals_it_all_the_same() {
    let mut shop = Shop::open_with_errors(&[]);
    let mut killed = BTreeSet::new();
    loop {
        let mut program = shop.start(&["run"]);
        let mut ended = true;
        while let Some(event) = program.next_event(LIMIT) {
            // Watching is many events of few kinds; each kind is killed once, like all others.
            if event["type"] != "resumed" && event["type"] != "finished" && killed.insert(label(&event)) {
                ended = false;
                break;
            }
        }
        if ended {
            let called = program.wait(LIMIT);
            assert_eq!(called.code, Some(0), "{called}");
            break;
        }
        program.kill();
        assert!(killed.len() < 60, "it gets nowhere: {killed:?}");
    }
    healed(&shop);
    done_once(&shop);
    shop.count_clients();
    let wanted = [
        "started",
        "fix-proposed",
        "reviewed",
        "checked",
        "committed",
        "built",
        "deployed staging",
        "traffic-set staging 100",
        "deployed production",
        "traffic-set production 5",
        "step-passed production 5",
        "traffic-set production 100",
        "rollback-checked",
    ];
    let missing: Vec<&&str> = wanted.iter().filter(|label| !killed.contains(**label)).collect();
    // Which of the intents it is varies: what follows is quick.
    assert!(killed.iter().any(|label| label.starts_with("effect-intended")), "{killed:#?}");
    assert!(missing.is_empty(), "never killed at {missing:?}, but at {killed:#?}");
}

/// How often the host is killed at random moments.
const KILLS: usize = 50;

/// Within what a host carries on, in the middle. It is a bound for a busy machine and an unoptimized build, which something that waits or
/// repeats work breaks; the benchmark holds it, and the longest of all, to a second.
const CARRIES_ON: Duration = Duration::from_secs(4);

/// Rollouts that it takes at most to kill so often. One does, unless the machine is slow.
const ROLLOUTS: usize = 5;

#[test]
fn a_host_killed_at_fifty_random_moments_of_rollouts_goes_on_each_time_and_no_client_notices() {
    let mut all = Killed::default();
    for _ in 0..ROLLOUTS {
        let mut shop = killed::shop();
        let killed = killed::at_random_moments(&shop, KILLS - all.times);
        let called = shop.start(&["run"]).wait(Duration::from_secs(120));
        assert_eq!(called.code, Some(0), "killed {} times: {called}", killed.times);
        healed(&shop);
        done_once(&shop);
        each_step_once(&shop);
        shop.count_clients();
        all.add(killed);
        if all.times == KILLS {
            break;
        }
    }
    let Killed { times, carried_on } = &all;
    assert_eq!(*times, KILLS, "{ROLLOUTS} rollouts were over too soon: they are too short to try this");
    assert!(carried_on.len() >= times / 5, "it went on only {} times", carried_on.len());
    let (median, longest) = (all.median(), all.longest());
    eprintln!(
        "killed {times} times; went on {} times, after {median:?} in the middle, {longest:?} at most",
        carried_on.len()
    );
    assert!(median < CARRIES_ON, "to carry on took {median:?} in the middle: {carried_on:?}");
}

/// Sees that the steps in production were taken in their order, none of them twice.
fn each_step_once(shop: &Shop) {
    let steps: Vec<String> = shop.events().iter().map(label).filter(|label| label.starts_with("step-")).collect();
    let production: Vec<&str> = steps
        .iter()
        .map(String::as_str)
        .filter(|label| label.contains(" production ") && !label.contains("extended"))
        .collect();
    let wanted = [5, 50, 100, 100]
        .map(|percent| [format!("step-entered production {percent}"), format!("step-passed production {percent}")]);
    assert_eq!(production, wanted.concat(), "no step is repeated or skipped");
}

#[test]
fn a_front_door_killed_at_the_smallest_step_serves_again_and_the_run_ends() {
    let mut shop = Shop::open_with_errors(&[
        ("for = \"600ms\"", "for = \"2s\""),
        ("state = ", "retries.after = \"200ms\"\nstate = "),
    ]);
    let old = shop.serving().unwrap();
    let mut program = shop.start(&["run"]);
    program.wait_for("5 %", LIMIT, |event| is_step(event, 5));
    let door = shop.json(&["edge", "status"])["pid"].as_u64().unwrap();
    kill(u32::try_from(door).unwrap(), Signal::KILL);
    // The run starts it again; nobody else does.
    let status = || shop.call(&["edge", "status", "--format", "json"]);
    let other = |called: &Called| {
        serde_json::from_str::<Value>(&called.stdout).is_ok_and(|status| status["pid"].as_u64() != Some(door))
    };
    until("another front door serves", LIMIT, || other(&status()));
    until("production serves again", LIMIT, || shop.serving().is_some());
    let called = program.wait(Duration::from_secs(40));
    shop.stop_clients();
    let run = shop.last_run();
    let fixed = run["release"]["id"].as_str().unwrap().to_owned();
    match called.code {
        Some(0) => assert_eq!(shop.shares(), [(fixed, 100)], "{called}"),
        _ => {
            assert!(run["outcome"].is_string(), "{called}");
            assert_eq!(shop.shares(), [(old, 100)], "{called}");
        }
    }
}

#[test]
fn the_front_door_is_upgraded_in_the_middle_of_a_rollout_and_no_client_notices() {
    let mut shop = Shop::open_with_errors(&[("for = \"600ms\"", "for = \"2s\"")]);
    let mut program = shop.start(&["run"]);
    program.wait_for("5 %", LIMIT, |event| is_step(event, 5));
    let door = || shop.json(&["edge", "status"])["pid"].as_u64().unwrap();
    let before = door();
    shop.expect(0, &["edge", "upgrade"]);
    assert_ne!(door(), before);
    let called = program.wait(Duration::from_secs(40));
    assert_eq!(called.code, Some(0), "{called}");
    healed(&shop);
    done_once(&shop);
    shop.count_clients();
}

#[test]
fn without_its_host_a_candidate_loses_its_traffic_when_its_lease_ends() {
    let mut shop =
        Shop::open_with_errors(&[("for = \"600ms\"", "for = \"5s\""), ("[edge]\n", "[edge]\nlease = \"2s\"\n")]);
    let old = shop.serving().unwrap();
    let mut program = shop.start(&["run"]);
    program.wait_for("5 %", LIMIT, |event| is_step(event, 5));
    assert_eq!(shop.shares().len(), 2);
    program.kill();
    let killed = Instant::now();
    until("traffic is back", Duration::from_secs(6), || shop.shares() == [(old.clone(), 100)]);
    assert!(killed.elapsed() < Duration::from_secs(5), "it took {:?}", killed.elapsed());
    // The run goes on: it must not trust shares that do not hold any more.
    let called = shop.call(&["run"]);
    shop.count_clients();
    let events = shop.events();
    let run = shop.last_run();
    eprintln!("{called}");
    match called.code {
        Some(0) => {
            let fixed = run["release"]["id"].as_str().unwrap().to_owned();
            assert_eq!(shop.shares(), [(fixed, 100)]);
            let again = events.iter().filter(|event| label(event) == "traffic-set production 5").count();
            assert_eq!(again, 2, "the step was taken anew: {events:#?}");
        }
        _ => assert_eq!(shop.shares(), [(old, 100)], "{called}"),
    }
}
