use std::{collections::BTreeSet, time::Duration};

use autodevops_model::Severity;
use autodevops_pipeline::{Decision, Direction, NoData, Plan, Rule};
use autodevops_policy::{Access, Bytes, Limits, Span};

use super::*;

mod template;

const LEAST: &str = r#"
[service]
name = "shop"
kind = "functions"
functions = "functions/index.js"

[environments]
staging.listen = "127.0.0.1:8081"
production.listen = "127.0.0.1:8080"
"#;

fn parse(more: &str) -> Config {
    Config::parse(&format!("{LEAST}{more}"), "autodevops.toml").unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_is_not_said_is_as_the_founding_document_has_it() {
    let mut expected = Plan::defaults("shop");
    expected.review = vec!["code-review".into(), "security-scan".into()];
    expected.checks = vec!["js-checks".into()];
    expected.approval.author = "AutoDevOps <autodevops@localhost>".into();
    assert_eq!(parse("").plan(), expected);
}

#[test]
fn what_is_said_is_in_the_plan() {
    let config = parse(
        r#"
[staging]
environment = "production"
soak = "2s"
health-checks = ["staging-rate"]

[rollout]
environment = "staging"
interval = "500ms"
min-samples = 7
steps = [{ traffic = "10 %", for = "4s" }, { traffic = "100 %", for = "3s" }]
monitoring = "5s"
max-extensions = 1
custom-metrics = ["lag", "misses", "sales"]
triggers = [
  { metric = "error-rate", above = "2.5 %", window = "1m", critical = false },
  { metric = "latency", above = "250ms", quantile = 0.99 },
  { metric = "lag", worse-by = "30 %", direction = "decrease", effect = "10ms", min-samples = 90, critical = false, weight = 3 },
  { metric = "sales", below = "2 %", window = "3s", dry-run = true, no-data = "fail" },
  { metric = "misses", above = "60 %", critical = false },
]
hard-trip = { rate = "40 %", min-samples = 4 }
decision = { sequential-up-to = "10 %", alpha = "1 %", beta = "10 %", window-alpha = "100 %", bad-windows = 3, min-score = "75 %" }

[approval]
required = false
approvers = ["ann", "bob"]
count = 2
excluded = ["eve", "author"]
timeout = "1h"
emergency-bypass = true

[[escalation]]
after = "5m"
notifiers = ["c"]

[[escalation]]
after = "30m"
notifiers = ["e", "f"]

[[escalation]]
after = "3h"
notifiers = ["g"]

[checks]
min-coverage = "80 %"

[stages]
review = []
checks = ["a"]
automated-tests = ["b"]
notifiers = ["c"]
test-generators = ["d"]

[retries]
count = 9
after = "1s"

[build]
command = "make"
"#,
    );
    let plan = config.plan();
    assert_eq!((plan.staging.as_str(), plan.production.as_str()), ("production", "staging"));
    assert_eq!((plan.soak, plan.interval, plan.monitoring).2, Duration::from_secs(5));
    assert_eq!((plan.soak, plan.interval), (Duration::from_secs(2), Duration::from_millis(500)));
    assert_eq!(
        plan.steps.iter().map(|step| (step.percent, step.duration.as_secs())).collect::<Vec<_>>(),
        [(10, 4), (100, 3)]
    );
    let rules: Vec<_> = plan.triggers.iter().map(|trigger| (trigger.rule, trigger.window.as_secs())).collect();
    assert_eq!(
        rules,
        [
            (Rule::RateAbove(0.025), 60),
            (Rule::QuantileAbove { quantile: 0.99, seconds: 0.25 }, 300),
            (Rule::WorseBy { ratio: 0.3, quantile: None }, 300),
            (Rule::RateBelow(0.02), 3),
            // What is no failure trips nothing, and may be allowed more than a hard trip allows.
            (Rule::RateAbove(0.6), 300),
        ]
    );
    assert_eq!(plan.triggers.iter().map(|trigger| trigger.min_samples).collect::<Vec<_>>(), [7, 7, 90, 7, 7]);
    assert_eq!(
        plan.triggers.iter().map(|trigger| trigger.critical).collect::<Vec<_>>(),
        [false, true, false, true, false]
    );
    let [first, _, lag, sales, _] = plan.triggers.as_slice() else { panic!() };
    assert_eq!((lag.direction, lag.effect, lag.weight), (Direction::Decrease, Some(0.01), 3.0));
    assert_eq!((first.direction, first.effect, first.weight), (Direction::Increase, None, 1.0));
    assert_eq!((sales.dry_run, sales.no_data), (true, NoData::Fail));
    assert_eq!((first.dry_run, first.no_data), (false, NoData::Inconclusive));
    let decision =
        Decision { sequential_up_to: 10, alpha: 0.01, beta: 0.1, window_alpha: 1.0, bad_windows: 3, min_score: 0.75 };
    assert_eq!(plan.decision, decision);
    assert_eq!((plan.hard_trip.rate, plan.hard_trip.min_samples), (0.4, 4));
    assert!(!plan.approval.required && plan.approval.emergency_bypass);
    assert_eq!((plan.approval.approvers.len(), plan.approval.count, plan.approval.timeout.as_secs()), (2, 2, 3600));
    assert_eq!((plan.approval.excluded.len(), plan.approval.author.as_str()), (2, "AutoDevOps <autodevops@localhost>"));
    let levels: Vec<_> = plan.escalation.iter().map(|level| (level.after.as_secs(), level.notifiers.len())).collect();
    // The last one is for what has no end as a question has.
    assert_eq!(levels, [(300, 1), (1800, 2), (10_800, 1)]);
    let notifiers = |(stage, name)| (stage == "notifiers").then_some(name);
    assert_eq!(
        config.plugins_of_stages().into_iter().filter_map(notifiers).collect::<Vec<_>>(),
        ["c", "c", "e", "f", "g"]
    );
    assert_eq!(plan.min_coverage, Some(0.8));
    assert!(plan.review.is_empty() && plan.test_generators && plan.build);
    assert_eq!((plan.checks, plan.automated, plan.notifiers), (vec!["a".into()], vec!["b".into()], vec!["c".into()]));
    assert_eq!((plan.max_extensions, plan.retries, plan.retry_after), (1, 9, Duration::from_secs(1)));
    assert_eq!(config.staging.health_checks, ["staging-rate"]);
}

#[test]
fn relative_paths_are_relative_to_the_files_folder() {
    let folder = tempfile::Builder::new().prefix("a[b]").tempdir().unwrap();
    let path = folder.path().join(FILE);
    let more = r#"
[logs]
watch = ["logs/*.log", "/var/log/app.log"]

[plugins.a]
path = "../a"
grant.files."/data" = { host = "data", access = "read-write" }
grant.files."/repo" = {}
"#;
    fs::write(&path, format!("{LEAST}{more}")).unwrap();
    let config = Config::load(&path).unwrap();
    let folder = folder.path().canonicalize().unwrap();
    assert_eq!(config.folder, folder);
    assert_eq!(config.state, folder.join(".autodevops"));
    let escaped = PathBuf::from(folder.to_str().unwrap().replace("[b]", "[[]b[]]"));
    assert_eq!(config.logs.watch, [escaped.join("logs/*.log"), "/var/log/app.log".into()]);
    let plugin = &config.plugins["a"];
    assert_eq!(plugin.path, Some(folder.join("../a")));
    let files = &plugin.grant.as_ref().unwrap().files;
    let data = &files["/data"];
    assert_eq!((data.host.clone(), data.access), (Some(folder.join("data")), Access::ReadWrite));
    assert_eq!(files["/repo"].host, None);
}

#[test]
fn folders_and_ceilings_are_compared_without_links_and_files_of_credentials_are_relative_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    fs::create_dir(folder.join("real")).unwrap();
    std::os::unix::fs::symlink("real", folder.join("link")).unwrap();
    std::os::unix::fs::symlink("/etc", folder.join("real/out")).unwrap();
    let more = r#"
[ceilings]
files = ["link", "../other/new"]
read-write = ["/srv"]

[sandbox]
certificate-authorities = ["ca.pem"]

[plugins.a.grant]
files."/a" = { host = "link/data" }
files."/b" = { host = "real/out" }
files."/c" = { host = "real/../real" }
credentials.key = { file = "key" }
credentials.firebase = { google-service-account = "firebase.json", scopes = ["s"] }
credentials.other = { file = "/etc/key" }
"#;
    fs::write(folder.join(FILE), format!("{LEAST}{more}")).unwrap();
    let config = Config::load(&folder.join(FILE)).unwrap();
    let grant = config.plugins["a"].grant.as_ref().unwrap();
    let host = |guest: &str| grant.files[guest].host.clone().unwrap();
    assert_eq!(host("/a"), folder.join("real/data"));
    assert_eq!(host("/b"), Path::new("/etc"));
    assert_eq!(host("/c"), folder.join("real"));
    assert_eq!(grant.credentials["key"].file, Some(folder.join("key")));
    assert_eq!(grant.credentials["other"].file, Some("/etc/key".into()));
    assert_eq!(grant.credentials["firebase"].google_service_account, Some(folder.join("firebase.json")));
    assert_eq!(config.sandbox.certificate_authorities, [folder.join("ca.pem")]);
    assert_eq!(config.ceilings.files.unwrap()[0], folder.join("real"));
    assert_eq!(config.ceilings.read_write, Some(vec!["/srv".into()]));
}

#[test]
fn a_file_that_is_not_there_is_told_with_the_remedy() {
    let error = Config::load(Path::new("/nonexistent/autodevops.toml")).unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no /nonexistent/autodevops.toml; write one with `autodevops init`, or name yours with `--config`"
    );
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let text = format!("{LEAST}[staging]\nsoak = \"0s\"\n[rollout]\nsteps = []\n").replace("\"shop\"", "\"Shop\"");
    let error = Config::parse(&text, "c.toml").unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().map(|line| line.split_once(": ").unwrap().0).collect();
    assert_eq!(lines, ["c.toml:3:8", "c.toml:11:8", "c.toml:13:9"]);
}

#[test]
fn a_ceiling_lowers_only_the_limits_that_it_names() {
    let ceilings = parse("[limits]\nmemory = \"1 MiB\"\nlog-lines = 3\n").limits;
    let asked = Limits { wall_time: Span(Duration::from_secs(900)), ..Limits::default() };
    let held = asked.at_most(&ceilings);
    assert_eq!(held, Limits { memory: Bytes(1 << 20), log_lines: 3, ..asked });
}

#[test]
fn a_message_is_filled_in_once() {
    let git = Git { message: "{title} ({fingerprint})\n{root-cause} {run} {".into(), ..Git::default() };
    let message = Message { title: "a {run}", root_cause: "{title}", fingerprint: "f", run: "r" };
    assert_eq!(git.message(message), "a {run} (f)\n{title} r {");
}

#[test]
fn a_freeze_is_one_for_each_range_of_days_and_ends_on_the_day_after_where_it_must() {
    let config = parse(
        r#"
[loop]
freeze = [
  { days = "Fri-sun", from = "16:00", to = "08:00", time-zone = "Europe/Berlin", reason = "weekend" },
  { days = "tue, thu" },
]
"#,
    );
    let freezes: Vec<_> = config.plan().freeze.iter().map(|one| (one.first, one.last, one.from, one.to)).collect();
    assert_eq!(freezes, [(4, 6, 960, 480), (1, 1, 0, 1440), (3, 3, 0, 1440)]);
    assert_eq!(config.plan().freeze[0].time_zone, "Europe/Berlin");
    assert_eq!(config.plan().freeze[1].time_zone, "UTC");
}

#[test]
fn what_is_redacted_is_what_is_standard_and_what_is_added() {
    let config = parse("[redaction]\nkeep = [\"email\"]\npatterns = { customer = \"C-[0-9]+\" }\n");
    let redaction = config.redaction.redaction().unwrap();
    assert_eq!(redaction.text("C-17 a@b.example 203.0.113.7"), "[redacted:customer] a@b.example [redacted:ip-address]");
}

#[test]
fn who_speaks_over_http_is_read_and_links_begin_where_people_reach_it() {
    let hash = autodevops_people::TokenHash::of("x").to_string();
    let text = format!(
        "[stages]\nnotifiers = [\"chat\"]\n[server]\nlisten = \"127.0.0.1:9181\"\ntokens.ada = \"{hash}\"\nlinks.chat = \"ops\"\n"
    );
    let config = parse(&text);
    assert!(config.server.tokens["ada"].hash.is_of("x") && config.server.tokens["ada"].may.len() == 4);
    assert_eq!(config.speakers(), BTreeSet::from(["ada", "ops"]));
    assert_eq!(config.server.base().as_deref(), Some("http://127.0.0.1:9181"));
    let config = parse(&format!("{text}public-url = \"https://ops.example.com/autodevops/\"\n"));
    assert_eq!(config.server.base().as_deref(), Some("https://ops.example.com/autodevops"));
    assert_eq!(parse("").server.base(), None);
    let form = format!(
        "{text}tokens.form = {{ hash = \"{}\", may = [\"feedback\"] }}\n",
        "sha256:".to_owned() + &"1".repeat(64)
    );
    let config = parse(&form);
    assert_eq!(config.server.tokens["form"].may, BTreeSet::from([autodevops_people::May::Feedback]));
    assert_eq!(config.speakers(), BTreeSet::from(["ada", "ops"]), "who only tells of complaints steers nothing");
    let told = parse("[notifications]\nper-minute = 3\nrepeat-after = \"1h\"\n").notifications;
    assert_eq!((told.per_minute, told.repeat_after), (3, Span(Duration::from_secs(3600))));
}

const SEVERAL: &str = r#"
[[services]]
name = "cart"
kind = "files"
public = "services/cart"
paths = ["services/cart"]
build = { command = "make cart" }

[[services]]
name = "shop"
kind = "command"
command = ["./shop"]
paths = ["services/shop", "shop.json"]

[build]
command = "make"

[environments.staging]
listen = { cart = "127.0.0.1:8181", shop = "127.0.0.1:8182" }
[environments.production]
listen = { shop = "127.0.0.1:8082", cart = "127.0.0.1:8081" }
"#;

#[test]
fn several_services_have_places_builds_and_files_of_their_own() {
    let config = Config::parse(SEVERAL, "c.toml").unwrap_or_else(|error| panic!("{error}"));
    let plan = config.plan();
    assert_eq!(plan.service, "cart, shop");
    let planned: Vec<(&str, usize, &str)> =
        plan.services.iter().map(|one| (one.name.as_str(), one.paths.len(), one.production.as_str())).collect();
    assert_eq!(planned, [("cart", 1, "production-cart"), ("shop", 2, "production-shop")]);
    let places = config.places_of("production");
    let listens: Vec<(String, u16)> = places.iter().map(|place| (place.name.clone(), place.listen.port())).collect();
    assert_eq!(listens, [("production-cart".to_owned(), 8081), ("production-shop".to_owned(), 8082)]);
    let built: Vec<&str> = config.services().iter().map(|one| config.build_of(one).unwrap().command.as_str()).collect();
    assert_eq!(built, ["make cart", "make"]);
    assert_eq!(config.places().len(), 4);
    plan.validate().unwrap();
}

#[test]
fn one_service_is_known_to_the_target_by_its_environment_alone() {
    let config = parse("");
    let plan = config.plan();
    assert_eq!((plan.services.len(), plan.services[0].production.as_str()), (1, "production"));
    assert_eq!(config.service_of("").unwrap().name, "shop");
    assert_eq!(config.places().iter().map(|place| place.name.as_str()).collect::<Vec<_>>(), ["production", "staging"]);
}
