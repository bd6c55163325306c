//! The shop's data across a rollback: a snapshot before each release, asked about after it was taken back, and there again by a person's
//! word. Without `sqlite3` on this machine nothing can be shown; the tests say so, and pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::PathBuf, process::Command, time::Duration};

use autodevops_product_tests::{rollback::while_ordered, shop::Shop, skip};
use rusqlite::Connection;
use serde_json::Value;

/// The shop's database, and who guards it.
const GUARD: &str = r#"
[data]
preserve = true

[retention]
snapshots = "1ms"

[commands.sqlite-snapshot]
argv = ["sqlite3", "-readonly", "shop.db", ".timeout 5000", ".backup 'snapshots/{snapshot}.db'"]
folder = ".autodevops/data"
[commands.sqlite-check]
argv = ["sqlite3", "-readonly", "file:snapshots/{snapshot}.db?immutable=1", "PRAGMA integrity_check"]
folder = ".autodevops/data"
[commands.sqlite-restore]
argv = ["sqlite3", "shop.db", ".timeout 5000", ".restore 'snapshots/{snapshot}.db'"]
folder = ".autodevops/data"

[plugins.state-sqlite.grant]
files."/snapshots" = { host = ".autodevops/data/snapshots", access = "read-write" }
commands = ["sqlite-snapshot", "sqlite-check", "sqlite-restore"]
keyvalue = true
clocks = true

[plugins.local.grant]"#;

fn is_there() -> bool {
    let found = Command::new("sqlite3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        skip("`sqlite3` is not on this machine");
    }
    found
}

/// A shop with a database that is guarded, and further changes of its configuration.
fn guarded(more: &[(&str, &str)]) -> Shop {
    let mut changes = vec![
        ("health-checks = [\"error-rate\"]", "health-checks = [\"error-rate\"]\nstate-guards = [\"state-sqlite\"]"),
        ("[plugins.local.grant]", GUARD),
    ];
    changes.extend(more);
    let shop = Shop::open(&changes);
    fs::create_dir_all(shop.folder.join(".autodevops/data/snapshots")).unwrap();
    database(&shop).execute_batch("CREATE TABLE orders (name TEXT); INSERT INTO orders VALUES ('a'), ('b')").unwrap();
    shop
}

/// A guarded shop that serves, with errors in its log; its fixes are proposed by whoever fills in defaults, which is no cure. The step
/// that they fail at is long enough to be left by that alone, however slow the machine is.
fn badly_healed(more: &[(&str, &str)]) -> Shop {
    let generator = Shop::hasty_generator();
    let mut changes = vec![("{ traffic = \"5 %\", for = \"600ms\" }", "{ traffic = \"25 %\", for = \"10m\" }")];
    // The table stands in both changes.
    changes.extend(generator.iter().map(|(from, to)| (from.as_str(), to.as_str())));
    changes.extend(more);
    let mut shop = guarded(&changes);
    shop.deploy();
    shop.let_clients_in();
    shop.wait_for_errors();
    shop
}

/// One whose release failed in production and was taken back, and the run that asks whether its data is to go back, too.
fn taken_back(more: &[(&str, &str)]) -> (Shop, String) {
    let mut shop = badly_healed(more);
    shop.stop_clients();
    while_ordered(shop.production, || shop.expect(4, &["run", "--no-wait"]));
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    (shop, run)
}

fn path(shop: &Shop) -> PathBuf {
    shop.folder.join(".autodevops/data/shop.db")
}

fn database(shop: &Shop) -> Connection {
    Connection::open(path(shop)).unwrap()
}

fn orders(shop: &Shop) -> String {
    let all = "SELECT group_concat(name, ' ') FROM (SELECT name FROM orders ORDER BY name)";
    database(shop).query_row(all, [], |row| row.get::<_, Option<String>>(0)).unwrap().unwrap_or_default()
}

fn ids(shop: &Shop) -> Vec<String> {
    let all = shop.json(&["state", "list"]);
    all.as_array().unwrap().iter().map(|one| one["snapshot"]["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_deploy_takes_a_snapshot_and_is_refused_where_it_must_and_cannot() {
    if !is_there() {
        return;
    }
    let shop = guarded(&[]);
    // A check every night does not pass on nothing.
    let called = shop.expect(1, &["state", "verify"]);
    assert_eq!(called.stdout, "there is no snapshot yet\n");
    let called = shop.expect(0, &["deploy"]);
    assert!(called.stdout.contains("of production is taken by state-sqlite"), "{called}");
    let [first] = &ids(&shop)[..] else { panic!("{:?}", ids(&shop)) };
    let called = shop.expect(0, &["state", "verify"]);
    let unchanged = format!("{first}: nothing was written since\n");
    assert!(called.stdout.starts_with("whole ") && called.stdout.ends_with(&unchanged), "{called}");
    let called = shop.call(&["doctor"]);
    assert!(called.stdout.contains("ok      data         state-sqlite: 1 snapshots, the newest of"), "{called}");
    // What is not there cannot be kept.
    fs::rename(path(&shop), path(&shop).with_extension("away")).unwrap();
    let serving = shop.serving();
    fs::write(shop.folder.join("public/new.txt"), "new").unwrap();
    shop.check_in("Another release");
    let called = shop.expect(1, &["deploy", "--to", "production"]);
    assert!(called.stderr.contains("must be preserved ([data] `preserve`)"), "{called}");
    assert!(called.stderr.contains("the command `sqlite-snapshot` ended with 1"), "{called}");
    assert!(serving.is_some() && shop.serving() == serving, "{serving:?}");
    // Where it need not, that is told and goes by.
    let config = shop.folder.join("autodevops.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("preserve = true", "preserve = false")).unwrap();
    shop.check_in("Let it go");
    let called = shop.expect(0, &["deploy", "--to", "production"]);
    assert!(called.stderr.contains("`state-sqlite` took no snapshot of production"), "{called}");
    assert_ne!(shop.serving(), serving);
    // A snapshot that changed is not gone back to.
    fs::rename(path(&shop).with_extension("away"), path(&shop)).unwrap();
    fs::write(shop.folder.join(format!(".autodevops/data/snapshots/{first}.db")), "SQLite").unwrap();
    let called = shop.expect(1, &["state", "verify"]);
    assert!(called.stdout.starts_with("BROKEN ") && called.stdout.contains("has 6 bytes, and had"), "{called}");
    let called = shop.expect(1, &["state", "restore", first, "--yes"]);
    assert!(called.stderr.contains("is not gone back to: its file"), "{called}");
    assert_eq!(orders(&shop), "a b");
    // By hand, one is taken and gone back to.
    shop.expect(0, &["state", "snapshot"]);
    let last = ids(&shop).pop().unwrap();
    database(&shop).execute_batch("DELETE FROM orders").unwrap();
    // What was written since is named, and lost by nobody's oversight.
    let verified = shop.json(&["state", "verify", &last]);
    assert_eq!(
        (&verified[0]["fault"], &verified[0]["since"]["is"]),
        (&Value::Null, &Value::from("changed")),
        "{verified}"
    );
    let all = ids(&shop);
    let called = shop.expect(2, &["state", "restore", &last]);
    let words = format!("the data of production does not go back to {last}: it was written to since: ");
    assert!(called.stderr.contains(&words) && called.stderr.contains("meant with --yes"), "{called}");
    assert_eq!((orders(&shop), ids(&shop)), (String::new(), all));
    let called = shop.expect(0, &["state", "restore", &last, "--yes"]);
    assert!(called.stdout.contains("it was written to since: "), "{called}");
    assert_eq!(orders(&shop), "a b");
    // Where there is nothing to lose nobody need say so.
    let called = shop.expect(0, &["state", "restore", &last]);
    assert!(called.stdout.contains("nothing was written since"), "{called}");
    assert_eq!(orders(&shop), "a b");
    let called = shop.expect(2, &["state", "restore", "nothing", "--yes"]);
    assert!(called.stderr.contains("has no snapshot `nothing`"), "{called}");
}

#[test]
fn a_project_whose_data_nobody_keeps_is_refused_before_anything_starts() {
    let shop = Shop::open(&[]);
    let config = shop.folder.join("autodevops.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n[data]\npreserve = true\n")).unwrap();
    let called = shop.expect(2, &["deploy"]);
    assert!(
        called.stderr.contains("nothing keeps the data: no plugin is named for [stages] `state-guards`"),
        "{called}"
    );
    fs::write(&config, text).unwrap();
}

#[test]
fn a_release_is_taken_back_and_its_data_by_a_persons_word() {
    if !is_there() {
        return;
    }
    let mut shop = badly_healed(&[]);
    let old = shop.serving().unwrap();
    let called = shop.expect(4, &["run", "--no-wait"]);
    let run = shop.last_run()["run"].as_str().unwrap().to_owned();
    // Traffic went back first, and people are asked for the rest.
    assert_eq!(shop.shares(), [(old.clone(), 100)]);
    assert!(
        called.stdout.contains("Shall the data go back, too") && called.stdout.contains("loses what was written since"),
        "{called}"
    );
    let events = shop.events();
    let kind =
        |wanted: &str| events.iter().position(|event| event["type"] == wanted).unwrap_or_else(|| panic!("no {wanted}"));
    assert!(kind("snapshot-taken") < kind("rolled-back") && kind("rolled-back") < kind("turned-back") + events.len());
    let taken = events[kind("snapshot-taken")]["snapshot"]["id"].as_str().unwrap().to_owned();
    assert!(taken.starts_with(&run), "{taken}");
    // What the release did to it.
    database(&shop).execute_batch("DELETE FROM orders; INSERT INTO orders VALUES ('wrong')").unwrap();
    let called = shop.expect(1, &["state", "restore", &taken, "--yes"]);
    assert!(called.stderr.contains(&format!("run {run} is not over")), "{called}");
    shop.expect(0, &["approve", &run, "--reason", "the orders are gone"]);
    shop.expect(3, &["run"]);
    assert_eq!(orders(&shop), "a b");
    let restored: Vec<Value> = shop.events().into_iter().filter(|event| event["type"] == "data-restored").collect();
    assert_eq!((restored.len(), restored[0]["snapshot"].as_str()), (1, Some(taken.as_str())));
    assert_eq!(restored[0]["since"]["is"], "changed", "{restored:?}");
    let shown = shop.expect(0, &["show", &run]).stdout;
    assert!(shown.contains(&format!("production's data is as it was in snapshot {taken} of state-sqlite")), "{shown}");
    shop.count_clients();
    // What was there until then is not lost for good.
    let before = restored[0]["before"]["id"].as_str().unwrap();
    shop.expect(0, &["state", "restore", before, "--yes"]);
    assert_eq!(orders(&shop), "wrong");
    // What is old goes, but for the newest.
    let all = ids(&shop);
    let freed = shop.json(&["gc", "--dry-run"]);
    assert_eq!(ids(&shop), all);
    assert!(freed["freed"].as_array().unwrap().iter().any(|one| one["what"] == "snapshot"), "{freed}");
    shop.expect(0, &["gc"]);
    assert_eq!(ids(&shop), [all.last().unwrap().clone()]);
    let files = fs::read_dir(shop.folder.join(".autodevops/data/snapshots")).unwrap().count();
    assert_eq!(files, 1);
}

#[test]
fn data_that_cannot_be_kept_as_it_is_does_not_go_back_in_a_run_and_a_person_is_told() {
    if !is_there() {
        return;
    }
    let (shop, run) = taken_back(&[]);
    // Others go on writing, and what they wrote can be read no more.
    fs::write(path(&shop), "no database").unwrap();
    shop.expect(0, &["approve", &run, "--reason", "the orders are gone"]);
    shop.expect(3, &["run"]);
    assert_eq!(fs::read_to_string(path(&shop)).unwrap(), "no database");
    assert!(shop.events().iter().all(|event| event["type"] != "data-restored"));
    let shown = shop.expect(0, &["show", &run]).stdout;
    assert!(shown.contains("what is there now cannot be kept, and going back would lose it"), "{shown}");
    // By hand it goes back all the same: whoever says so has looked.
    let taken = shop.events().into_iter().find(|event| event["type"] == "snapshot-taken").unwrap();
    fs::remove_file(path(&shop)).unwrap();
    shop.expect(0, &["state", "restore", taken["snapshot"]["id"].as_str().unwrap(), "--yes"]);
    assert_eq!(orders(&shop), "a b");
}

#[test]
fn what_others_write_between_two_tries_of_going_back_is_kept_as_well() {
    if !is_there() {
        return;
    }
    let (shop, run) = taken_back(&[
        ("\".timeout 5000\", \".restore", "\".timeout 100\", \".restore"),
        ("state = ", "retries.after = \"500ms\"\nstate = "),
    ]);
    database(&shop).execute_batch("DELETE FROM orders; INSERT INTO orders VALUES ('wrong')").unwrap();
    shop.expect(0, &["approve", &run, "--reason", "the orders are gone"]);
    // Somebody is about to write: what is there can be read and copied, and not be written over.
    let other = database(&shop);
    other.execute_batch("BEGIN IMMEDIATE; INSERT INTO orders VALUES ('late')").unwrap();
    let mut program = shop.start(&["run"]);
    program.wait_for("a try failed", Duration::from_secs(60), |event| {
        event["type"] == "effect-failed" && event["key"].as_str().is_some_and(|key| key.contains("/restore/"))
    });
    other.execute_batch("COMMIT").unwrap();
    let called = program.wait(Duration::from_secs(60));
    assert_eq!(called.code, Some(3), "{called}");
    assert_eq!(orders(&shop), "a b");
    let restored = shop.events().into_iter().find(|event| event["type"] == "data-restored").unwrap();
    shop.expect(0, &["state", "restore", restored["before"]["id"].as_str().unwrap(), "--yes"]);
    assert_eq!(orders(&shop), "late wrong");
}
