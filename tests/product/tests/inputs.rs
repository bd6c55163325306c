//! What `autodevops analyze` reads: logs as they are and compressed, of a certain time, and as they grow.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use autodevops_product_tests::{
    autodevops, minified_builds as builds, plugin_folder,
    process::{Called, call, kill, until},
    shop::Shop,
};
use flate2::{Compression, write::GzEncoder};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// The longest that a command may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Lines of a failure.
const LINES: u64 = 3;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn add(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = autodevops();
        command.arg("analyze").args(arguments).current_dir(self.0.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Called {
        call(self.command(arguments), LIMIT)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let called = self.run(&[arguments, &["--format", "json"]].concat());
        assert_eq!(called.code, Some(0), "{called}");
        serde_json::from_str(&called.stdout).unwrap()
    }
}

/// A request, and its failure with a stack trace, in minute `n`.
fn failure(n: u64) -> String {
    format!(
        "2026-11-23T10:{n:02}:00Z INFO order {n}\n2026-11-23T10:{n:02}:01Z ERROR TypeError: x is undefined\n    at total (lib/order.js:12:7)\n"
    )
}

fn failures(count: u64) -> String {
    (0..count).map(failure).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_compressed_log_says_what_it_says_unpacked() {
    let folder = Folder::new();
    let text = failures(6);
    let (first, second) = text.split_at(300);
    folder.write("app.log", &text);
    folder.write("app.log.gz", gzip(&text));
    folder.write("app.log.zst", zstd::encode_all(text.as_bytes(), 3).unwrap());
    folder.write("two.gz", [gzip(first), gzip(second)].concat());
    let plain = folder.json(&["app.log"]);
    assert_eq!(plain["issues"][0]["count"], 6);
    assert_eq!(plain["skipped"], Value::Array(Vec::new()));
    for name in ["app.log.gz", "app.log.zst", "two.gz"] {
        let read = folder.json(&[name]);
        assert_eq!(read["sources"][0]["bytes"], text.len() as u64, "{name}");
        assert_eq!(
            (&read["issues"][0]["count"], read["issues"].as_array().unwrap().len()),
            (&Value::from(6), 1),
            "{name}"
        );
        let mut command = folder.command(&["-", "--format", "json"]);
        command.stdin(File::open(folder.path(name)).unwrap());
        let called = call(command, LIMIT);
        let read: Value = serde_json::from_str(&called.stdout).unwrap_or_else(|_| panic!("{called}"));
        assert_eq!(read["sources"][0]["bytes"], text.len() as u64, "{name} on standard input");
    }
}

#[test]
fn what_was_not_read_is_told_in_every_format_and_by_the_exit_code() {
    let folder = Folder::new();
    let numbers: String = (0..40_000_u64).map(|n| format!("{}\n", n.wrapping_mul(2_654_435_761))).collect();
    let whole = gzip(&(failures(6) + &numbers));
    folder.write("cut.gz", &whole[..whole.len() / 2]);
    let called = folder.run(&["cut.gz"]);
    assert_eq!(called.code, Some(1), "{called}");
    let told = "its gzip archive ends in the middle";
    assert!(
        called.stdout.contains("TypeError") && called.stdout.contains(&format!("\nskipped: cut.gz: {told}")),
        "{called}"
    );
    let called = folder.run(&["cut.gz", "--format", "json"]);
    let read: Value = serde_json::from_str(&called.stdout).unwrap();
    assert!(read["skipped"][0]["trouble"].as_str().unwrap().starts_with(told), "{called}");
    let called = folder.run(&["cut.gz", "--format", "sarif"]);
    let log: Value = serde_json::from_str(&called.stdout).unwrap();
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert!(invocation["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap().starts_with(told));

    folder.write("odd.log", [failure(1).as_bytes(), &[b'x'; 100_000], b"\n", &[0; 4096], b"Gr\xfc\xdfe\n"].concat());
    let called = folder.run(&["odd.log"]);
    let line = "skipped: odd.log: 1 lines cut at 64 KiB, 2 bytes that are no UTF-8, 4096 zero bytes\n";
    assert!(called.code == Some(0) && called.stdout.ends_with(line), "{called}");

    folder.write("app.log.xz", b"\xfd7zXZ\0\0\0");
    let called = folder.run(&["app.log.xz"]);
    assert_eq!(called.code, Some(2), "{called}");
    assert!(called.stderr.contains("`xz -dc app.log.xz | autodevops analyze -`"), "{called}");
}

#[test]
fn only_lines_of_the_time_that_is_asked_for_count() {
    let folder = Folder::new();
    folder.write("app.log", failures(60));
    let count = |arguments: &[&str]| {
        let read = folder.json(&[&["app.log"], arguments].concat());
        let lines: Vec<u64> = read["issues"][0]["evidence"]
            .as_array()
            .map(|lines| lines.iter().map(|line| line["line"].as_u64().unwrap()).collect())
            .unwrap_or_default();
        (read["issues"][0]["count"].as_u64().unwrap_or(0), lines.first().copied())
    };
    assert_eq!(count(&[]), (60, Some(2)));
    assert_eq!(count(&["--since", "2026-11-23T10:20:00Z"]), (40, Some(20 * LINES + 2)));
    assert_eq!(
        count(&["--since", "2026-11-23T12:20:00+02:00", "--until", "2026-11-23 10:30"]),
        (10, Some(20 * LINES + 2))
    );
    assert_eq!(count(&["--until", "2026-11-23"]), (0, None));
    for (arguments, told) in [
        (["--since", "noon"], "write for example `2026-11-20T10:00:00Z`"),
        (["--until", "2026-11-23 25:00"], "is no moment"),
    ] {
        let called = folder.run(&[&["app.log"], &arguments[..]].concat());
        assert!(called.code == Some(2) && called.stderr.contains(told), "{called}");
    }
    let called = folder.run(&["app.log", "--since", "2026-11-24", "--until", "2026-11-23"]);
    assert!(called.code == Some(2) && called.stderr.contains("--since is later than --until"), "{called}");
}

/// A log of an hour that is large enough to be read by an instance of its own, of long lines that say nothing; and for its second half
/// what `fault` gives in each minute.
fn large(fault: impl Fn(u32) -> String) -> String {
    const BYTES: usize = 64 << 20;
    const LINES_A_MINUTE: usize = 600;
    let filler = "x".repeat(BYTES / 60 / LINES_A_MINUTE);
    let mut text = String::new();
    for minute in 0..60 {
        for n in 0..LINES_A_MINUTE {
            text += &format!("2026-11-23T10:{minute:02}:{:02}.{:03}Z INFO {filler}\n", n / 10, n % 10 * 100);
        }
        text += &if minute < 30 { String::new() } else { fault(minute) };
    }
    text
}

#[test]
fn large_logs_are_read_side_by_side_and_a_request_that_fails_in_both_is_one_issue() {
    let folder = Folder::new();
    let fault = |of: &'static str, said: &'static str| {
        move |minute: u32| {
            format!("2026-11-23T10:{minute:02}:59.950Z ERROR {said} {of}=7f3a9c{minute:02}\n{}", failure(minute.into()))
        }
    };
    let (gateway, orders) =
        (large(fault("request_id", "upstream gave no answer")), large(fault("traceId", "order could not be stored")));
    folder.write("gateway.log", &gateway);
    folder.write("orders.log.gz", gzip(&orders));
    folder.write("small.log", failures(3));
    let read = folder.json(&["gateway.log", "orders.log.gz", "small.log"]);
    let bytes: Vec<(&str, u64)> = read["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| (source["source"].as_str().unwrap(), source["bytes"].as_u64().unwrap()))
        .collect();
    let small = failures(3).len() as u64;
    assert_eq!(
        bytes,
        [("gateway.log", gateway.len() as u64), ("orders.log.gz", orders.len() as u64), ("small.log", small)]
    );
    let issues = read["issues"].as_array().unwrap();
    // The same fault in all three counts once, with all its events.
    let same: Vec<&Value> = issues.iter().filter(|issue| issue["exception"] == "TypeError").collect();
    assert!(same.len() == 1 && same[0]["count"] == 30 + 30 + 3, "{same:?}");
    // What one request says in both is one issue, though each was read by an instance of its own.
    let joined: Vec<&Value> =
        issues.iter().filter(|issue| issue["title"].as_str().unwrap().contains("no answer")).collect();
    assert_eq!(joined.len(), 1, "{issues:#?}");
    assert_eq!(joined[0]["related"][0]["source"], "orders.log.gz", "{joined:#?}");
    assert!(!issues.iter().any(|issue| issue["title"].as_str().unwrap().contains("not be stored")), "{issues:#?}");
}

#[test]
fn an_analyzer_that_joins_nothing_is_given_all_logs_one_after_the_other() {
    let folder = Folder::new();
    let plugin = plugin_folder("line-counter").path;
    for name in ["b.log", "a.log"] {
        folder.write(name, large(|_| String::new()));
    }
    folder.write("small.log", failures(1));
    let read = folder.json(&["--plugin", plugin.to_str().unwrap(), "b.log", "small.log", "a.log"]);
    assert_eq!(read["issues"][0]["title"], "36000 lines of b.log, 3 lines of small.log, 36000 lines of a.log");
}

#[test]
fn the_projects_configuration_says_what_is_no_issue() {
    let grant = "[plugins.log-analyzer.grant]";
    let ignores = format!("[plugins.log-analyzer.config]\nignore = [\"TypeError\"]\n\n{grant}");
    let shop = Shop::open(&[(grant, &ignores)]);
    let log = shop.folder.join("orders.log");
    fs::write(&log, failures(9) + "2026-11-23T11:00:00Z ERROR the ledger is closed\n").unwrap();
    let found = shop.json(&["analyze", log.to_str().unwrap()]);
    let titles: Vec<&str> =
        found["issues"].as_array().unwrap().iter().map(|issue| issue["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["the ledger is closed"]);
    fs::write(shop.folder.join("autodevops.toml"), "shop = 1\n").unwrap();
    let mut unnamed = autodevops();
    unnamed.args(["analyze", "orders.log"]).current_dir(&shop.folder);
    let called = call(unnamed, LIMIT);
    assert!(called.code == Some(0) && called.stdout.contains("TypeError"), "{called}");
    assert!(called.stderr.contains("is not heeded") && called.stderr.contains("unknown key `shop`"), "{called}");
}

#[test]
fn each_line_is_told_its_group() {
    let folder = Folder::new();
    let text: String =
        (0..20).map(|n| format!("10:00:{n:02} user {n} logged in\n10:00:{n:02} \"disk\" is full\n")).collect();
    folder.write("app.log", text.trim_end());
    folder.write("app.log.gz", gzip(&text));
    for name in ["app.log", "app.log.gz"] {
        let called = folder.run(&["--groups", name]);
        assert_eq!(called.code, Some(0), "{called}");
        let mut rows = called.stdout.lines();
        assert_eq!(rows.next(), Some("line,group,template"));
        let rows: Vec<(usize, &str, &str)> = rows
            .map(|row| {
                let mut fields = row.splitn(3, ',');
                (fields.next().unwrap().parse().unwrap(), fields.next().unwrap(), fields.next().unwrap())
            })
            .collect();
        assert_eq!(rows.len(), 40);
        for (index, (line, group, template)) in rows.iter().enumerate() {
            let (_, like, _) = rows[index % 2];
            assert_eq!((*line, *group), (index + 1, like), "lines that differ by values alone are of one group");
            let wanted = ["\"<*> user <*> logged in\"", "\"<*> \"\"disk\"\" is full\""][index % 2];
            assert!(template.ends_with(&wanted[5..]), "{template}");
        }
        assert_ne!(rows[0].1, rows[1].1);
    }
    let called = folder.run(&["--groups", "app.log", "app.log.gz"]);
    assert!(called.code == Some(2) && called.stderr.contains("name one"), "{called}");
    let whole = gzip(&(0..20_000).map(|n| format!("took {n} ms\n")).collect::<String>());
    folder.write("cut.gz", &whole[..whole.len() / 2]);
    let called = folder.run(&["--groups", "cut.gz"]);
    assert_eq!(called.code, Some(1), "{called}");
    assert!(called.stdout.lines().count() > 5000, "{called}");
    assert!(called.stderr.contains("cut.gz was not read to its end"), "{called}");
}

#[test]
fn a_fault_in_minified_scripts_is_told_by_what_was_written_and_is_known_again_in_the_next_release() {
    let folder = Folder::new();
    let issue = |build: &str, arguments: &[&str]| {
        folder.write("shop.log", fs::read(builds().join(build).join("shop.log")).unwrap());
        folder.json(&[&["shop.log"], arguments].concat())["issues"][0].clone()
    };
    let told = |build: &str| {
        let dist = folder.path("dist");
        fs::create_dir_all(&dist).unwrap();
        for name in ["main.min.js", "main.min.js.map"] {
            fs::copy(builds().join(build).join("dist").join(name), dist.join(name)).unwrap();
        }
        issue(build, &["--source-maps", "."])
    };
    let (one, two) = (told("one"), told("two"));
    assert_eq!(one["fingerprint"], two["fingerprint"]);
    for issue in [&one, &two] {
        assert_eq!((&issue["stack"][0]["function"], &issue["stack"][0]["line"]), (&"toCents".into(), &4.into()));
        assert_eq!(issue["location"]["path"], "src/money.js");
        let evidence = issue["evidence"][1]["text"].as_str().unwrap();
        assert!(
            evidence.contains("/dist/main.min.js:1:") && evidence.ends_with(" → toCents (src/money.js:4:11)"),
            "{evidence}"
        );
    }
    assert_eq!(issue("one", &[])["location"]["path"], "dist/main.min.js");
    let called = folder.run(&["shop.log", "--source-maps", "gone"]);
    assert!(called.code == Some(2) && called.stderr.contains("the source maps gone: No such file"), "{called}");
}

#[test]
fn a_broken_source_map_is_told_of_and_ends_no_analysis() {
    let folder = Folder::new();
    folder.write("shop.log", fs::read(builds().join("one/shop.log")).unwrap());
    fs::create_dir(folder.path("dist")).unwrap();
    folder.write("dist/main.min.js.map", r#"{"version": 3, "mappings": "AAAA"}"#);
    let called = folder.run(&["shop.log", "--source-maps", "dist", "--format", "json"]);
    let read: Value = serde_json::from_str(&called.stdout).unwrap_or_else(|_| panic!("{called}"));
    assert_eq!(
        (called.code, &read["issues"][0]["location"]["path"]),
        (Some(0), &"dist/main.min.js".into()),
        "{called}"
    );
    let note = "the source map main.min.js.map names a source or a name that it does not have";
    assert!(called.stderr.contains(note), "{called}");
}

/// `analyze --watch`, which writes to a file so that it can be read while it runs.
struct Watch {
    child: Child,
    output: PathBuf,
}

impl Watch {
    fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let output = folder.path("output");
        let mut command = folder.command(&[&["--watch"], arguments].concat());
        let child = command.stdout(File::create(&output).unwrap()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, output }
    }

    /// The last analysis that was shown.
    fn last(&self) -> Value {
        let text = fs::read_to_string(&self.output).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().last().map_or(Value::Null, |line| serde_json::from_str(line).unwrap())
    }

    fn until_count(&self, count: u64) {
        until(&format!("{count} failures are shown"), LIMIT, || self.last()["issues"][0]["count"] == count);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_watch_goes_on_over_rotation_truncation_and_new_files_and_ends_with_all_of_it() {
    let folder = Folder::new();
    folder.write("old.log.gz", gzip(&failures(2)));
    folder.write("a.log.1.gz", gzip(&failures(9)));
    folder.add("a.log", &failure(2));
    let mut watch = Watch::start(&folder, &["--format", "json", "old.log.gz", "*.log*"]);
    watch.until_count(3);
    folder.add("a.log", &failure(3));
    watch.until_count(4);
    fs::rename(folder.path("a.log"), folder.path("a.log.2")).unwrap();
    folder.add("a.log.2", &failure(4));
    folder.add("a.log", &failure(5));
    folder.add("b.log", &failure(6));
    watch.until_count(7);
    folder.write("b.log", "");
    folder.add("b.log", &failure(7));
    watch.until_count(8);
    // What comes last is in the last list.
    folder.add("b.log", &failure(8));
    kill(watch.child.id(), Signal::INT);
    assert_eq!(watch.child.wait().unwrap().code(), Some(0));
    assert_eq!(watch.last()["issues"][0]["count"], 9);
    let sources = watch.last()["sources"].clone();
    let names: Vec<&str> =
        sources.as_array().unwrap().iter().map(|source| source["source"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.log", "b.log", "old.log.gz"]);
}

/// A command on a terminal of its own, by `script` of util-linux: what it shows there goes to a file.
struct OnTerminal {
    child: Child,
    output: PathBuf,
}

impl OnTerminal {
    fn start(folder: &Folder, command: &Command) -> Self {
        let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''"));
        let words: Vec<String> = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
        let output = folder.path("screen");
        let mut script = Command::new("script");
        script.args([
            "--quiet",
            "--flush",
            "--return",
            "--command",
            &format!("stty rows 24 cols 80 && exec {}", words.join(" ")),
            "/dev/null",
        ]);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        script.current_dir(folder.0.path()).stdin(Stdio::piped()).stderr(Stdio::null());
        Self { child: script.stdout(File::create(&output).unwrap()).spawn().unwrap(), output }
    }

    /// The lists that were shown, each over the one before.
    fn lists(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&fs::read(&self.output).unwrap()).into_owned();
        text.split("\x1b[H\x1b[J").skip(1).map(str::to_owned).collect()
    }

    /// Types, as at a keyboard.
    fn types(&mut self, keys: &[u8]) {
        let keyboard = self.child.stdin.as_mut().unwrap();
        keyboard.write_all(keys).unwrap();
        keyboard.flush().unwrap();
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_watch_on_a_terminal_shows_each_list_over_the_one_before_until_it_is_interrupted() {
    let folder = Folder::new();
    folder.add("app.log", &failure(1));
    let mut terminal = OnTerminal::start(&folder, &folder.command(&["--watch", "app.log"]));
    until("the first list", LIMIT, || terminal.lists().len() == 1 && terminal.lists()[0].ends_with("\r\n"));
    assert!(terminal.lists()[0].contains("TypeError"), "{:?}", terminal.lists());
    folder.add("app.log", &failures(5));
    until("another list", LIMIT, || terminal.lists().len() == 2 && terminal.lists()[1].ends_with("\r\n"));
    let lists = terminal.lists();
    assert_ne!(lists[0], lists[1]);
    assert!(
        lists.iter().all(|list| list.matches("TypeError").count() == 1 + list.matches("ERROR TypeError").count()),
        "{lists:?}"
    );
    // An empty line is no other list.
    folder.add("app.log", "\n");
    terminal.types(b"\x03");
    let mut ended = None;
    until("the end", LIMIT, || {
        ended = terminal.child.try_wait().unwrap();
        ended.is_some()
    });
    assert_eq!(ended.and_then(|status| status.code()), Some(0), "{:?}", terminal.lists());
    for list in terminal.lists() {
        assert!(list.lines().all(|line| line.trim_end().chars().count() <= 80), "{list:?}");
    }
}

#[test]
fn a_watch_is_refused_what_it_cannot_follow_or_show() {
    let folder = Folder::new();
    folder.write("app.log", failure(1));
    for (arguments, told) in [
        (&["-"][..], "standard input has an end"),
        (&["."], "is a folder"),
        (&["app.log", "--format", "sarif"], "--format text or --format json"),
        (&["app.log", "--groups"], "cannot be used with"),
        (&["[a"], "cannot be followed"),
    ] {
        let called = folder.run(&[&["--watch"], arguments].concat());
        assert!(called.code == Some(2) && called.stderr.contains(told), "{called}");
    }
}
