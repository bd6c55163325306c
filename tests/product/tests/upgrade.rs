//! Another version is installed while a run is under way: it goes on as it began, and nobody who goes back waits for an answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::Path, process::Command, time::Duration};

use autodevops_product_tests::{
    change_component, copied_plugin,
    process::{Program, kill, until},
    shop::Shop,
    target,
};
use rustix::process::Signal;
use serde_json::Value;

/// The longest that anything may take to happen.
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_run_goes_on_with_the_components_that_were_granted_and_another_waits_for_an_answer() {
    let plugins = tempfile::tempdir().unwrap();
    let names = ["local", "js-checks", "error-rate"];
    let own = names.map(|name| copied_plugin(name, plugins.path(), name, ""));
    let mut changes = vec![("required = false".to_owned(), "required = true".to_owned())];
    for (name, path) in names.iter().zip(&own) {
        let grant = format!("[plugins.{name}.grant]");
        changes.push((grant.clone(), format!("[plugins.{name}]\npath = \"{}\"\n\n{grant}", path.display())));
    }
    let changes: Vec<(&str, &str)> = changes.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let mut shop = Shop::open_with_errors(&changes);
    let old = shop.serving().unwrap();
    shop.expect(4, &["run", "--no-wait"]);
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    shop.expect(0, &["approve", &run]);

    own.iter().for_each(|plugin| change_component(plugin));
    let called = shop.expect(0, &["run"]);
    // Its checks are over.
    for name in ["local", "error-rate"] {
        assert!(
            called.stderr.contains(&format!("plugin `{name}` is used as the component that was granted")),
            "{called}"
        );
    }
    assert!(called.stderr.contains("goes on with the components that were granted, and no other begins"), "{called}");
    assert_eq!(shop.last_run()["outcome"], "healed");
    let fixed = shop.serving().unwrap();
    assert_ne!(fixed, old);

    for verb in [&["run"][..], &["serve"], &["deploy"]] {
        let called = shop.expect(2, verb);
        assert!(called.stderr.contains("plugin `local` 0.1.0 is another component"), "{called}");
    }
    let called = shop.expect(0, &["rollback", "production"]);
    assert!(called.stderr.contains("plugin `local` is used as the component that was granted"), "{called}");
    assert_eq!(shop.serving(), Some(old));
    shop.stop_clients();
}

/// The shop's command line, by a program that lies elsewhere.
fn by(program: &Path, shop: &Shop, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    let told = shop.command(arguments);
    command.args(told.get_args()).current_dir(&shop.folder).env("AUTODEVOPS_PLUGINS", target().join("plugins"));
    command.env("XDG_CACHE_HOME", target().join("test-cache")).env("NO_COLOR", "1");
    command
}

#[test]
fn a_host_whose_program_was_replaced_starts_its_front_door_again() {
    let mut shop = Shop::open_with_errors(&[
        ("for = \"600ms\"", "for = \"4s\""),
        ("state = ", "retries.after = \"200ms\"\nstate = "),
    ]);
    let installed = shop.folder.parent().unwrap().join("bin/autodevops");
    fs::create_dir(installed.parent().unwrap()).unwrap();
    let built = target().join("debug/autodevops");
    fs::copy(&built, &installed).unwrap();
    let mut program = Program::start(by(&installed, &shop, &["run", "--format", "json"]));
    program.wait_for("5 %", LIMIT, |event| {
        event["type"] == "step-entered" && event["environment"] == "production" && event["percent"] == 5
    });
    // As packages do it: another file has the name from one moment to the next. It starts nothing.
    let next = installed.with_extension("new");
    fs::write(&next, "#!/bin/false\n").unwrap();
    fs::set_permissions(&next, fs::metadata(&built).unwrap().permissions()).unwrap();
    fs::rename(&next, &installed).unwrap();

    let door = shop.json(&["edge", "status"])["pid"].as_u64().unwrap();
    kill(u32::try_from(door).unwrap(), Signal::KILL);
    until("another front door serves", LIMIT, || {
        let called = shop.call(&["edge", "status", "--format", "json"]);
        let status: Option<Value> = serde_json::from_str(&called.stdout).ok();
        status.is_some_and(|status| status["pid"].as_u64() != Some(door))
    });
    until("production serves again", LIMIT, || shop.serving().is_some());
    let called = program.wait(Duration::from_secs(60));
    shop.stop_clients();
    let run = shop.last_run();
    assert!(run["outcome"].is_string(), "{called}");
    let serves = if called.code == Some(0) { run["release"]["id"].as_str().map(str::to_owned) } else { shop.serving() };
    assert_eq!(shop.serving(), serves, "{called}");
}
