//! A shop of its own for a test: the sample's files in a git repository, its front door and its clients; nothing of it is left.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    clients::{Clients, get},
    process::{Called, Program, call, end_all_of, until},
};

/// The longest that any one command may take.
const LIMIT: Duration = Duration::from_secs(180);

/// Shop, front door and clients of one test.
pub struct Shop {
    parent: TempDir,
    /// The project's folder.
    pub folder: PathBuf,
    /// Production's port on 127.0.0.1.
    pub production: u16,
    /// Staging's port.
    pub staging: u16,
    clients: Option<Clients>,
}

impl Shop {
    /// One whose durations are short, with further changes of its configuration, as pairs of what is written and what replaces it.
    pub fn open(changes: &[(&str, &str)]) -> Self {
        Self::set_up(|text| shortened(text, changes))
    }

    /// One whose durations are short, with its configuration made another by this.
    pub fn open_as(change: impl FnOnce(String) -> String) -> Self {
        Self::set_up(|text| change(shortened(text, &[])))
    }

    /// One as it is shown: with the sample's own durations.
    pub fn open_as_shown() -> Self {
        Self::set_up(|text| text)
    }

    fn set_up(change: impl FnOnce(String) -> String) -> Self {
        // Sockets have short paths, and the build folder may be deep.
        let parent = tempfile::Builder::new().prefix("shop-").tempdir_in("/tmp").unwrap();
        let folder = parent.path().join("shop");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../shop"), &folder);
        let [production, staging, metrics] = [free_port(), free_port(), free_port()];
        let config = folder.join("autodevops.toml");
        let mut text = fs::read_to_string(&config).unwrap();
        for (name, value) in [
            ("PRODUCTION_PORT", production.to_string().as_str()),
            ("STAGING_PORT", &staging.to_string()),
            ("METRICS_PORT", &metrics.to_string()),
            ("FIX_GENERATOR", "fix-recipes"),
        ] {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        fs::write(&config, change(text)).unwrap();
        fs::write(folder.join(".gitignore"), ".autodevops\n").unwrap();
        let shop = Self { parent, folder, production, staging, clients: None };
        shop.git(&["init", "--quiet", "--initial-branch=main"]);
        shop.grant();
        shop.check_in("Open the shop");
        shop
    }

    /// One that serves, whose clients come, and in whose log errors are.
    pub fn open_with_errors(changes: &[(&str, &str)]) -> Self {
        let mut shop = Self::open(changes);
        shop.deploy();
        shop.let_clients_in();
        shop.wait_for_errors();
        shop
    }

    /// What lets `fill-defaults` propose fixes, a plugin that lies outside of the product's folder.
    pub fn hasty_generator() -> [(String, String); 2] {
        let path = crate::target().join("test-plugins/fill-defaults");
        let table = format!(
            "[plugins.fill-defaults]\npath = \"{}\"\n[plugins.fill-defaults.grant]\nfiles.\"/repo\" = {{}}\n\n\
             [plugins.local.grant]",
            path.display()
        );
        [
            ("fix-generators = [\"fix-recipes\"]".into(), "fix-generators = [\"fill-defaults\"]".into()),
            ("[plugins.local.grant]".into(), table),
        ]
    }

    /// The program, told of this project.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = crate::autodevops();
        command.arg("--config").arg(self.folder.join("autodevops.toml")).args(arguments);
        command.stdin(Stdio::null()).current_dir(&self.folder);
        command
    }

    /// Runs the program to its end.
    pub fn call(&self, arguments: &[&str]) -> Called {
        call(self.command(arguments), LIMIT)
    }

    /// Runs the program to its end, which must have this exit code.
    pub fn expect(&self, code: i32, arguments: &[&str]) -> Called {
        let called = self.call(arguments);
        assert_eq!(called.code, Some(code), "`autodevops {}`: {called}", arguments.join(" "));
        called
    }

    /// Runs the program, whose result is JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.extend(["--format", "json"]);
        let called = self.expect(0, &all);
        serde_json::from_str(&called.stdout).unwrap_or_else(|error| panic!("{error}: {called}"))
    }

    /// Starts the program; events come one by one.
    pub fn start(&self, arguments: &[&str]) -> Program {
        let mut all = arguments.to_vec();
        all.extend(["--format", "json"]);
        Program::start(self.command(&all))
    }

    /// Answers what the plugins ask for, as an operator does who looked at it: with what the configuration says.
    pub fn grant(&self) {
        self.expect(0, &["plugin", "grant", "--all", "--yes"]);
    }

    /// Puts what is checked in live.
    pub fn deploy(&self) {
        self.expect(0, &["deploy"]);
    }

    /// Lets clients in: some hundred, who remember their cookies.
    pub fn let_clients_in(&mut self) {
        self.clients = Some(Clients::start(self.production));
    }

    /// Waits until enough requests failed for a run to begin.
    pub fn wait_for_errors(&self) {
        until("errors are in the log", Duration::from_secs(20), || {
            fs::read_to_string(self.log()).is_ok_and(|log| log.matches("TypeError").count() >= 10)
        });
    }

    /// Sends the clients home and sees that no request failed but by the shop's own code; how many there were.
    pub fn count_clients(&mut self) -> autodevops_load::Report {
        let report = self.clients.take().expect("clients were let in").stop();
        assert_eq!(report.total.deploy_errors, 0, "{:?} {:?}", report.deploy_error_causes, report.total);
        assert!(report.total.requests > 50, "{:?}", report.total);
        report
    }

    /// Sends the clients home, whatever they saw.
    pub fn stop_clients(&mut self) -> autodevops_load::Report {
        self.clients.take().expect("clients were let in").stop()
    }

    /// Production's log.
    pub fn log(&self) -> PathBuf {
        self.folder.join(".autodevops/logs/production.log")
    }

    /// The release that answers a new client, by the answer's header.
    pub fn serving(&self) -> Option<String> {
        let answer = get(self.production, "/").ok()?;
        let head = answer.split("\r\n\r\n").next()?;
        let mut lines = head.lines();
        if !lines.next()?.contains(" 200") {
            return None;
        }
        lines.find_map(|line| line.strip_prefix("x-autodevops-release: ").map(str::to_owned))
    }

    /// Production's shares as `release percent` by the front door's word, highest first.
    pub fn shares(&self) -> Vec<(String, u64)> {
        let status = self.json(&["edge", "status"]);
        let splits = status["environments"]["production"]["traffic"]["splits"].as_array().unwrap().clone();
        splits.iter().map(|s| (s["release"].as_str().unwrap().to_owned(), s["percent"].as_u64().unwrap())).collect()
    }

    /// The newest run as `runs` lists it.
    pub fn last_run(&self) -> Value {
        self.json(&["runs"])[0].clone()
    }

    /// The newest run's events, as `show` tells them.
    pub fn events(&self) -> Vec<Value> {
        let run = self.last_run()["run"].as_str().unwrap().to_owned();
        let shown = self.json(&["show", &run]);
        shown["events"].as_array().unwrap().iter().map(|event| event["event"].clone()).collect()
    }

    /// Runs git in the project; what it wrote.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.folder, arguments)
    }

    /// Checks everything in.
    pub fn check_in(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(self.clients.take());
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.join(".autodevops/logs/edge.log")).unwrap_or_default();
            eprintln!("the front door's log:\n{log}");
        }
        if self.folder.join(".autodevops/edge").is_dir() {
            let stopped = call(self.command(&["edge", "stop"]), LIMIT);
            if stopped.code != Some(0) {
                eprintln!("the front door was not stopped: {stopped}");
            }
        }
        let left = end_all_of(self.parent.path());
        if left > 0 {
            eprintln!("{left} processes were left of the shop");
        }
    }
}

/// The configuration with durations of a test, and further changes.
fn shortened(text: String, changes: &[(&str, &str)]) -> String {
    let (from, rest) = text.split_once("steps = [").unwrap();
    let steps = "{ traffic = \"5 %\", for = \"600ms\" }, { traffic = \"100 %\", for = \"500ms\" }";
    let rest = rest.split_once("\n]\n").unwrap().1;
    // Milliseconds say nothing on a machine that builds and tests at the same time.
    let triggers = "triggers = [{ metric = \"error-rate\", above = \"5 %\" }]";
    // A small step is taken for good with the fewest requests: what it takes to be sure is tested elsewhere.
    let decision = "decision = { beta = \"45 %\" }";
    let mut text = format!("{from}max-extensions = 20\n{triggers}\n{decision}\nsteps = [{steps}]\n{rest}");
    let short = [
        ("soak = \"2s\"", "soak = \"300ms\""),
        ("interval = \"500ms\"", "interval = \"100ms\""),
        ("min-samples = 20", "min-samples = 5"),
        ("monitoring = \"3s\"", "monitoring = \"500ms\""),
        ("[edge]\n", "[edge]\ndrain = \"1s\"\n"),
    ];
    for (from, to) in short.iter().chain(changes) {
        assert!(text.contains(from), "{from} is not in the configuration:\n{text}");
        text = text.replace(from, to);
    }
    text
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command
        .args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"])
        .args(["-c", "user.name=Shop", "-c", "user.email=shop@localhost"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let called = call(command, LIMIT);
    assert_eq!(called.code, Some(0), "git {}: {called}", arguments.join(" "));
    called.stdout
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// A port that nothing listens on, below those that the kernel gives to connections by itself.
pub fn free_port() -> u16 {
    const FIRST: u16 = 21_000;
    const COUNT: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    for _ in 0..COUNT {
        let port = FIRST + (begin + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
