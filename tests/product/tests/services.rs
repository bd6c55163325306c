//! Two services behind the real front door: in one run, promoted together or not at all; in two runs, side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use autodevops_product_tests::{
    clients::{Clients, get},
    process::{Program, until},
    shop::{Shop, copy, free_port},
};
use serde_json::Value;

/// The longest that two runs may take, one after the other, on a machine that builds at the same time.
const LONG: Duration = Duration::from_secs(240);

/// The shop, and its code a second time as the service `desk`. A change of the code is nobody's own, and so about both.
struct Pair {
    shop: Shop,
    desk: u16,
}

/// The address in a line `listen = "…"` of the section.
fn address(text: &str, section: &str) -> String {
    let rest = text.split_once(section).unwrap().1;
    rest.split_once("listen = \"").unwrap().1.split_once('"').unwrap().0.to_owned()
}

impl Pair {
    fn open(changes: &[(String, String)]) -> Self {
        Self::set_up(changes, false)
    }

    /// The code of each in a folder of its own.
    fn apart(changes: &[(String, String)]) -> Self {
        Self::set_up(changes, true)
    }

    fn set_up(changes: &[(String, String)], apart: bool) -> Self {
        let (desk, desk_staging) = (free_port(), free_port());
        let shop = Shop::open_as(|mut text| {
            for (section, port) in [("[environments.staging]", desk_staging), ("[environments.production]", desk)] {
                let address = address(&text, section);
                let both = format!("listen = {{ shop = \"{address}\", desk = \"127.0.0.1:{port}\" }}");
                text = text.replace(&format!("listen = \"{address}\""), &both);
            }
            let service = "kind = \"functions\"\npublic = \"public\"\nfunctions = \"functions/index.js\"\n";
            let one = format!("[service]\nname = \"shop\"\n{service}");
            assert!(text.contains(&one), "{text}");
            let of = |name: &str| {
                let folder = if apart { format!("\"{name}/") } else { "\"".to_owned() };
                let service = service.replace("\"public\"", &format!("{folder}public\""));
                let service = service.replace("\"functions/", &format!("{folder}functions/"));
                format!("[[services]]\nname = \"{name}\"\npaths = [\"{name}\"]\n{service}")
            };
            text = text.replace(&one, &format!("{}\n{}ready = \"/api/nothing\"\n", of("shop"), of("desk")));
            for (from, to) in [
                ("logs/production.log\"]", "logs/production-*.log\"]"),
                ("environment = \"production\"\n", "environment = \"\"\n"),
            ] {
                assert!(text.contains(from), "{text}");
                text = text.replace(from, to);
            }
            for (from, to) in changes {
                assert!(text.contains(from), "{from} is not in the configuration:\n{text}");
                text = text.replace(from, to);
            }
            text
        });
        if apart {
            for folder in ["public", "functions"] {
                copy(&shop.folder.join(folder), &shop.folder.join("desk").join(folder));
                fs::create_dir_all(shop.folder.join("shop")).unwrap();
                fs::rename(shop.folder.join(folder), shop.folder.join("shop").join(folder)).unwrap();
            }
            shop.check_in("Give each a folder");
        }
        let called = shop.expect(0, &["deploy"]);
        assert!(called.stdout.contains("production of shop serves release shop-"), "{called}");
        assert!(called.stdout.contains("production of desk serves release desk-"), "{called}");
        Self { shop, desk }
    }

    fn wait_for_errors(&self) {
        self.wait_for_errors_of("desk");
    }

    fn wait_for_errors_of(&self, service: &str) {
        let log = self.shop.folder.join(format!(".autodevops/logs/production-{service}.log"));
        until("errors are in the log", Duration::from_secs(20), || {
            fs::read_to_string(&log).is_ok_and(|log| log.matches("TypeError").count() >= 10)
        });
    }

    /// The two runs that heal the fault of the code, oldest first, once both have. A slow machine may give reason for others.
    fn two_runs(&self, serving: &mut Program) -> [Value; 2] {
        for _ in 0..2 {
            let healed = |event: &Value| event["type"] == "finished" && event["outcome"] == "healed";
            serving.wait_for("two runs had healed the fault", LONG, healed);
        }
        let runs = self.shop.json(&["runs"]);
        let healed = |run: &&Value| run["outcome"] == "healed";
        let mut runs: Vec<Value> = runs.as_array().unwrap().iter().filter(healed).cloned().collect();
        runs.sort_by_key(|run| run["started"].as_i64());
        runs.try_into().unwrap()
    }

    /// The events of a run, with their times.
    fn told(&self, run: &Value) -> Vec<(i64, Value)> {
        let shown = self.shop.json(&["show", run["run"].as_str().unwrap()]);
        let events = shown["events"].as_array().unwrap();
        events.iter().map(|event| (event["at"].as_i64().unwrap(), event["event"].clone())).collect()
    }

    /// Shares of a service's production as `release percent`, highest first.
    fn shares(&self, service: &str) -> Vec<(String, u64)> {
        let status = self.shop.json(&["edge", "status"]);
        let splits = &status["environments"][format!("production-{service}")]["traffic"]["splits"];
        let share = |split: &Value| (split["release"].as_str().unwrap().to_owned(), split["percent"].as_u64().unwrap());
        splits.as_array().unwrap().iter().map(share).collect()
    }

    /// The candidate's shares of a service's production, in the order in which they were set.
    fn moves(&self, service: &str, old: &str) -> Vec<u64> {
        let of = |event: &Value| {
            let is =
                event["type"] == "traffic-set" && event["environment"] == "production" && event["service"] == service;
            let splits = event["splits"].as_array().filter(|_| is)?;
            let new = splits.iter().filter(|split| split["release"] != old);
            Some(new.map(|split| split["percent"].as_u64().unwrap()).sum())
        };
        self.shop.events().iter().filter_map(of).collect()
    }
}

/// Clients who ask for the page alone, which no change of the code breaks.
struct Lookers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<u64>>,
}

impl Lookers {
    fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let look = move |stop: Arc<AtomicBool>| {
            let mut failed = 0;
            while !stop.load(Ordering::Relaxed) {
                let ok =
                    get(port, "/").is_ok_and(|answer| answer.lines().next().is_some_and(|line| line.contains(" 200")));
                failed += u64::from(!ok);
                std::thread::sleep(Duration::from_millis(10));
            }
            failed
        };
        let threads = (0..2).map(|_| Arc::clone(&stop)).map(|stop| std::thread::spawn(move || look(stop))).collect();
        Self { stop, threads }
    }

    /// Sends them home; how many of their requests failed.
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    }
}

#[test]
fn a_good_pair_is_promoted_together_and_taken_back_together() {
    let pair = Pair::open(&[]);
    let old = [pair.shares("shop"), pair.shares("desk")].map(|shares| shares[0].0.clone());
    let clients = [Clients::start(pair.shop.production), Clients::start(pair.desk)];
    pair.wait_for_errors();
    let called = pair.shop.expect(0, &["run"]);
    assert!(called.stdout.contains("healed"), "{called}");
    for clients in clients {
        let report = clients.stop();
        assert_eq!(report.total.deploy_errors, 0, "{:?}", report.deploy_error_causes);
    }
    let run = pair.shop.last_run();
    assert_eq!((run["outcome"].as_str(), &run["release"]), (Some("healed"), &Value::Null), "{run}");
    let services = run["services"].as_array().unwrap();
    for (one, (name, old)) in services.iter().zip(["shop", "desk"].iter().zip(&old)) {
        let release = one["release"]["id"].as_str().unwrap();
        assert!(one["service"] == **name && release.starts_with(&format!("{name}-")) && release != old, "{one}");
        assert_eq!(pair.shares(name), [(release.to_owned(), 100)]);
        assert_eq!(pair.moves(name, old), [5, 100]);
    }
    let shown = pair.shop.expect(0, &["show", run["run"].as_str().unwrap()]).stdout;
    assert!(
        shown.contains("traffic of production of shop: ") && shown.contains("traffic of production of desk, a column")
    );
    let metrics = pair.shop.expect(0, &["metrics", "--environment", "production"]).stdout;
    assert!(metrics.contains("shop in production") && metrics.contains("desk in production"), "{metrics}");

    let back = pair.shop.expect(0, &["rollback", "production"]).stdout;
    for (name, old) in ["shop", "desk"].iter().zip(&old) {
        assert!(back.contains(&format!("production of {name} serves {old} again")), "{back}");
        assert_eq!(pair.shares(name), [(old.clone(), 100)]);
    }
}

#[test]
fn a_bad_one_turns_both_back() {
    let changes = Shop::hasty_generator();
    let pair = Pair::open(&changes);
    let old = [pair.shares("shop"), pair.shares("desk")].map(|shares| shares[0].0.clone());
    // Whoever only looks at the shop sees nothing of the fault; at the desk people order.
    let (lookers, clients) = (Lookers::start(pair.shop.production), Clients::start(pair.desk));
    pair.wait_for_errors();
    let called = pair.shop.expect(3, &["run"]);
    assert!(called.stdout.contains("rolled back"), "{called}");
    assert_eq!(lookers.stop(), 0, "nobody's request failed by the deploy");
    clients.stop();
    let run = pair.shop.last_run();
    let reason = run["reason"].as_str().unwrap();
    assert!(run["outcome"] == "rolled-back" && reason.contains(" %: desk: "), "{run}");
    for (name, old) in ["shop", "desk"].iter().zip(&old) {
        assert_eq!(pair.shares(name), [(old.clone(), 100)], "{name}");
        let moves = pair.moves(name, old);
        assert_eq!((moves.first(), moves.last()), (Some(&5), Some(&0)), "{name} went forward and back: {moves:?}");
    }
}

#[test]
fn a_deploy_by_hand_is_of_both_or_of_none() {
    let pair = Pair::open(&[]);
    let old = [pair.shares("shop"), pair.shares("desk")];
    // The desk's next release does not come up: what answers it is gone. The shop's does.
    let config = pair.shop.folder.join("autodevops.toml");
    let text = fs::read_to_string(&config).unwrap();
    let (before, desk) = text.split_once("name = \"desk\"").unwrap();
    let desk = desk.replacen("functions/index.js", "desk/index.js", 1);
    fs::write(&config, format!("{before}name = \"desk\"{desk}")).unwrap();
    fs::create_dir(pair.shop.folder.join("desk")).unwrap();
    fs::write(pair.shop.folder.join("desk/index.js"), "throw new Error(\"there is no desk\");\n").unwrap();
    pair.shop.check_in("Close the desk");
    let called = pair.shop.expect(1, &["deploy", "--to", "production"]);
    assert!(called.stderr.contains("production-desk"), "{called}");
    assert_eq!([pair.shares("shop"), pair.shares("desk")], old);
    let status = pair.shop.json(&["edge", "status"]);
    let releases = status["environments"]["production-shop"]["releases"].as_array().unwrap();
    assert_eq!(releases.len(), 2, "the shop's new release came up, and was taken back: {status}");
}

/// What both have in production from the first move of its traffic to the end of the run.
fn rollout(events: &[(i64, Value)]) -> (i64, i64) {
    let moves = |event: &Value| event["type"] == "traffic-set" && event["environment"] == "production";
    let begin = events.iter().find(|(_, event)| moves(event)).unwrap().0;
    (begin, events.last().unwrap().0)
}

fn of_kind<'a>(events: &'a [(i64, Value)], kind: &str) -> Vec<&'a Value> {
    events.iter().map(|(_, event)| event).filter(|event| event["type"] == kind).collect()
}

#[test]
fn two_faults_of_two_services_are_healed_side_by_side() {
    // Long enough that the second begins before the first has ended, on a slow machine, too.
    let pair = Pair::apart(&[("for = \"600ms\"".into(), "for = \"12s\"".into())]);
    // Two front doors' worth of clients beside two builds: as many as a slow machine serves meanwhile.
    let clients = [pair.shop.production, pair.desk].map(|port| Clients::at_rate(port, 50));
    ["shop", "desk"].iter().for_each(|service| pair.wait_for_errors_of(service));
    let mut serving = pair.shop.start(&["serve"]);
    let runs = pair.two_runs(&mut serving);
    let mut healed: Vec<&str> = Vec::new();
    for run in &runs {
        let services = run["services"].as_array().unwrap();
        assert!(run["outcome"] == "healed" && services.len() == 1, "{run}");
        let (name, release) = (services[0]["service"].as_str().unwrap(), run["release"]["id"].as_str().unwrap());
        healed.push(name);
        assert_eq!(pair.shares(name), [(release.to_owned(), 100)]);
    }
    healed.sort_unstable();
    assert_eq!(healed, ["desk", "shop"]);
    let events = runs.each_ref().map(|run| pair.told(run));
    let [first, second] = events.each_ref().map(|events| rollout(events));
    assert!(first.0 < second.1 && second.0 < first.1, "one after the other: {first:?}, {second:?}");
    for (events, other) in events.iter().zip(["shop", "desk"]) {
        let services = &of_kind(events, "services-claimed")[0]["services"];
        assert!(services.as_array().unwrap().len() == 1, "{services} beside {other}");
        assert!(of_kind(events, "services-awaited").is_empty() && of_kind(events, "begun-anew").is_empty());
    }
    for clients in clients {
        let report = clients.stop();
        assert_eq!(report.total.deploy_errors, 0, "{:?}", report.deploy_error_causes);
    }
    drop(serving);
    // What serves comes from two commits now, neither of which has the other in its past: the next run starts from a merge of both.
    let commits = runs.each_ref().map(|run| run["commit"].as_str().unwrap());
    assert!(commits.iter().all(|commit| pair.shop.git(&["merge-base", commits[0], commits[1]]).trim() != *commit));
}

/// The run, as the list has it, that releases this service alone.
fn run_of(pair: &Pair, service: &str) -> Value {
    let runs = pair.shop.json(&["runs"]);
    let of = |run: &&Value| {
        let services = run["services"].as_array().unwrap();
        services.len() == 1 && services[0]["service"] == service
    };
    runs.as_array().unwrap().iter().find(of).unwrap_or_else(|| panic!("no run of {service}: {runs}")).clone()
}

/// The releases that these events bring somewhere or give traffic, and the release that served before is not told apart.
fn releases(events: &[(i64, Value)]) -> Vec<String> {
    let named = |event: &Value| match event["type"].as_str().unwrap() {
        "deployed" | "baseline-deployed" => vec![event["deployment"]["release"]["id"].as_str().unwrap().to_owned()],
        "traffic-set" => {
            let splits = event["splits"].as_array().unwrap().iter();
            splits.map(|split| split["release"].as_str().unwrap().to_owned()).collect()
        }
        _ => Vec::new(),
    };
    events.iter().flat_map(|(_, event)| named(event)).collect()
}

#[test]
fn of_two_runs_whose_host_is_killed_while_both_are_out_one_is_taken_back_and_the_other_heals() {
    let mut changes = Shop::hasty_generator().to_vec();
    changes.push(("for = \"600ms\"".into(), "for = \"10m\"".into()));
    let pair = Pair::apart(&changes);
    let services = ["shop", "desk"];
    let old = services.map(|service| pair.shares(service)[0].0.clone());
    for (port, service) in [(pair.shop.production, "shop"), (pair.desk, "desk")] {
        let clients = Clients::start(port);
        pair.wait_for_errors_of(service);
        clients.stop();
    }
    let lookers = [Lookers::start(pair.shop.production), Lookers::start(pair.desk)];
    let mut serving = pair.shop.start(&["serve"]);
    for _ in services {
        serving.wait_for("both are out", LONG, |event| {
            event["type"] == "step-entered" && event["environment"] == "production" && event["percent"] == 5
        });
    }
    assert!(serving.kill());
    let mut serving = pair.shop.start(&["serve"]);
    for _ in services {
        serving.wait_for("both are found as they were left", LONG, |event| event["type"] == "compared");
    }
    // Nobody orders at the shop, and so nobody sees there what is wrong with its release, too.
    let clients = Clients::start(pair.desk);
    let taken_back = serving.wait_for("the desk's is taken back", LONG, |event| event["type"] == "finished");
    assert_eq!(
        taken_back["outcome"]["rolled-back"]["reason"].as_str().map(|reason| reason.contains(" at 5 %")),
        Some(true),
        "{taken_back}"
    );
    clients.stop();
    let [shop, desk] = services.map(|service| run_of(&pair, service));
    assert_eq!((&desk["outcome"], &shop["outcome"]), (&"rolled-back".into(), &Value::Null), "{desk}\n{shop}");
    assert_eq!(pair.shares("desk"), [(old[1].clone(), 100)]);
    pair.shop.expect(0, &["skip", shop["run"].as_str().unwrap(), "--reason", "it is well"]);
    serving.wait_for("the shop's heals", LONG, |event| event["type"] == "finished" && event["outcome"] == "healed");
    assert_eq!(lookers.map(Lookers::stop), [0, 0], "nobody's request failed by any of it");
    drop(serving);
    let [shop, desk] = services.map(|service| run_of(&pair, service));
    let candidates = [&shop, &desk].map(|run| run["release"]["id"].as_str().unwrap().to_owned());
    assert_eq!(pair.shares("shop"), [(candidates[0].clone(), 100)]);
    assert_eq!(pair.shares("desk"), [(old[1].clone(), 100)]);
    for ((run, service), (own, old)) in [&shop, &desk].into_iter().zip(services).zip(candidates.iter().zip(&old)) {
        let events = pair.told(run);
        assert_eq!(of_kind(&events, "resumed").len(), 1, "each goes on once");
        assert!(of_kind(&events, "diverged").is_empty() && of_kind(&events, "begun-anew").is_empty());
        for release in releases(&events) {
            assert!(
                release == *own || release == *old,
                "{service} was given {release}, and its own are {own} and {old}"
            );
        }
    }
}

#[test]
fn a_run_whose_fix_touches_a_service_of_another_run_waits_for_it_and_says_so() {
    let both = |name: &str| (format!("paths = [\"{name}\"]"), "paths = [\"shop\", \"desk\"]".to_owned());
    let long = ("for = \"600ms\"".to_owned(), "for = \"8s\"".to_owned());
    let pair = Pair::apart(&[both("shop"), both("desk"), long]);
    let clients = [Clients::start(pair.shop.production), Clients::start(pair.desk)];
    ["shop", "desk"].iter().for_each(|service| pair.wait_for_errors_of(service));
    let mut serving = pair.shop.start(&["serve"]);
    let waits = serving.wait_for("a run waited", LONG, |event| event["type"] == "services-awaited");
    let of = waits["of"]["run"].as_str().unwrap();
    let runs = pair.shop.json(&["runs"]);
    let waiting = runs.as_array().unwrap().iter().find(|run| run["awaits"]["run"] == of).unwrap();
    let name = waiting["run"].as_str().unwrap();
    let said = format!("waits for run {of}, which releases desk, shop");
    assert!(pair.shop.expect(0, &["show", name]).stdout.contains(&said), "{waiting}");
    assert!(pair.shop.expect(0, &["runs"]).stdout.contains(&format!("for run {of}, which releases desk, shop")));
    let runs = pair.two_runs(&mut serving);
    let order = runs.each_ref().map(|run| run["run"].as_str().unwrap() == name);
    let [first, second] = if order[0] { [&runs[1], &runs[0]] } else { [&runs[0], &runs[1]] };
    assert_eq!((first["run"].as_str(), second["run"].as_str()), (Some(of), Some(name)));
    for run in [first, second] {
        assert!(run["outcome"] == "healed" && run["services"].as_array().unwrap().len() == 2, "{run}");
    }
    let (first, second) = (pair.told(first), pair.told(second));
    assert!(rollout(&second).0 > rollout(&first).1, "one rollout of a service at a time");
    let anew = of_kind(&second, "begun-anew");
    assert!(anew.len() == 1 && anew[0]["reason"].as_str().unwrap().contains("serves"), "{anew:?}");
    assert_eq!(of_kind(&second, "fix-proposed").len(), 2, "its fix is of what the other released");
    clients.into_iter().for_each(|clients| drop(clients.stop()));
    drop(serving);
}
