//! What no single value shows: whether the values fit each other. Every problem is found in one go.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path},
    time::Duration,
};

use autodevops_policy::{ProjectPath, Span, strict_toml::nearest};

use crate::{
    Config, MetricTrigger, ServiceKind, Threshold,
    delivery::PLACEHOLDERS,
    place::{Part, Problem},
};

/// Metrics that the host and the shipped health checks know.
const METRICS: [&str; 2] = ["error-rate", "latency"];

/// Folders that a run gives to plugins.
const RUN_FOLDERS: [&str; 3] = ["/repo", "/before", "/after"];

#[derive(Default)]
struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, path: impl IntoIterator<Item = Part>, message: impl Into<String>) {
        self.0.push(Problem { path: path.into_iter().collect(), message: message.into() });
    }
}

macro_rules! at {
    ($($part:expr),+ $(,)?) => { [$(Part::from($part)),+] };
}

/// Everything that is wrong.
pub fn problems(config: &Config) -> Vec<Problem> {
    let mut found = Found::default();
    service(config, &mut found);
    logs(config, &mut found);
    git(config, &mut found);
    build(config, &mut found);
    environments(config, &mut found);
    stages(config, &mut found);
    times(config, &mut found);
    steps(config, &mut found);
    triggers(config, &mut found);
    approval(config, &mut found);
    plugins(config, &mut found);
    found.0
}

fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

const NAME: &str = "use 1 to 64 of a-z, 0-9 and -, starting with a letter";

fn inside(path: &str, at: &[Part], found: &mut Found) {
    if path == "." {
        return;
    }
    if let Err(error) = ProjectPath::new(path) {
        found.add(at.iter().cloned(), error.to_string());
    }
}

fn env(env: &BTreeMap<String, String>, table: &str, found: &mut Found) {
    for name in env.keys() {
        if name.is_empty() || name.contains(['=', '\0']) {
            found.add(at![table, "env", name.as_str()], format!("{name:?} is no name of an environment variable"));
        }
    }
}

fn service(config: &Config, found: &mut Found) {
    let service = &config.service;
    if !is_name(&service.name) {
        found.add(at!["service", "name"], format!("the name {:?} is not taken; {NAME}", service.name));
    }
    for (key, path) in [("public", &service.public), ("functions", &service.functions)] {
        if let Some(path) = path {
            inside(path, &at!["service", key], found);
        }
    }
    let kind = match service.kind {
        ServiceKind::Files => "files",
        ServiceKind::Functions => "functions",
        ServiceKind::Command => "command",
    };
    let needed = match service.kind {
        ServiceKind::Files => ("public", service.public.is_none(), "public = \"public\""),
        ServiceKind::Functions => ("functions", service.functions.is_none(), "functions = \"functions/index.js\""),
        ServiceKind::Command => ("command", service.command.is_empty(), "command = [\"node\", \"server.js\"]"),
    };
    if let (key, true, example) = needed {
        let message = format!("a service of the kind `{kind}` lacks `{key}`; write for example `{example}`");
        found.add(at!["service", "kind"], message);
    }
    let functions = service.kind == ServiceKind::Functions;
    let command = service.kind == ServiceKind::Command;
    for (key, given, used, by) in [
        ("public", service.public.is_some(), !command, "`files` or `functions`"),
        ("functions", service.functions.is_some(), functions, "`functions`"),
        ("wall-time", service.wall_time.is_some(), functions, "`functions`"),
        ("memory", service.memory.is_some(), functions, "`functions`"),
        ("command", !service.command.is_empty(), command, "`command`"),
        ("env", !service.env.is_empty(), command, "`command`"),
    ] {
        if given && !used {
            found.add(
                at!["service", key],
                format!("`{key}` is for a service of the kind {by}, this one is `{kind}`; remove it or change `kind`"),
            );
        }
    }
    if let Some(path) = &service.ready
        && !path.starts_with('/')
    {
        found.add(at!["service", "ready"], format!("the path {path:?} is not one; write for example \"/health\""));
    }
    if service.command.first().is_some_and(|program| program.trim().is_empty()) {
        found.add(at!["service", "command"], "the program is empty; write for example [\"node\", \"server.js\"]");
    }
    env(&service.env, "service", found);
}

fn logs(config: &Config, found: &mut Found) {
    for (index, path) in config.logs.watch.iter().enumerate() {
        let at = at!["logs", "watch", index];
        if path.as_os_str().is_empty() {
            found.add(
                at,
                "an empty path; name a log file such as \"logs/app.log\", or a pattern such as \"logs/*.log\"",
            );
        } else if let Err(error) = glob::Pattern::new(&path.to_string_lossy()) {
            found.add(at, format!("{path:?} is no pattern: {error}; a bracket stands for itself as `[[]`"));
        }
    }
    if config.state.as_os_str().is_empty() {
        found.add(at!["state"], "an empty path; name a folder such as \".autodevops\"");
    }
}

fn git(config: &Config, found: &mut Found) {
    let git = &config.git;
    let author = git.author.split_once('<').and_then(|(name, rest)| Some((name.trim(), rest.strip_suffix('>')?)));
    let bad = |text: &str| text.is_empty() || text.contains(['<', '>']) || text.contains(char::is_control);
    if author.is_none_or(|(name, address)| bad(name) || bad(address)) {
        let message = format!(
            "the author {:?} is not one; write for example \"AutoDevOps <autodevops@example.com>\"",
            git.author
        );
        found.add(at!["git", "author"], message);
    }
    if git.message.trim().is_empty() {
        found.add(at!["git", "message"], "the message is empty; write for example \"{title}\"");
    }
    for part in git.message.split('{').skip(1) {
        let Some((name, _)) = part.split_once('}') else { continue };
        if !PLACEHOLDERS.contains(&name) {
            let hint = match nearest(name, PLACEHOLDERS) {
                Some(near) => format!("did you mean `{{{near}}}`?"),
                None => format!("known are {}", PLACEHOLDERS.map(|name| format!("`{{{name}}}`")).join(", ")),
            };
            found.add(at!["git", "message"], format!("unknown placeholder `{{{name}}}`; {hint}"));
        }
    }
    let prefix = &git.branch_prefix;
    let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\@{".contains(c);
    let parts = prefix.split('/').collect::<Vec<_>>();
    let (last, folders) = parts.split_last().map_or(("", [].as_slice()), |(last, folders)| (*last, folders));
    let bad_part = |part: &str| part.starts_with('.') || part.ends_with('.') || part.ends_with(".lock");
    if prefix.is_empty()
        || prefix.contains(odd)
        || prefix.contains("..")
        || prefix.starts_with('-')
        || folders.iter().any(|part| part.is_empty() || bad_part(part))
        || bad_part(last)
    {
        let message =
            format!("git takes no branch named {prefix:?} and a fingerprint; write for example \"autodevops/\"");
        found.add(at!["git", "branch-prefix"], message);
    }
}

fn build(config: &Config, found: &mut Found) {
    let Some(build) = &config.build else { return };
    if build.command.trim().is_empty() {
        found.add(
            at!["build", "command"],
            "the command is empty; write one such as \"npm run build\", or remove [build]",
        );
    }
    for (key, paths) in [("prepared", &build.prepared), ("lockfiles", &build.lockfiles), ("outputs", &build.outputs)] {
        for (index, path) in paths.iter().enumerate() {
            inside(path, &at!["build", key, index], found);
        }
    }
    match &build.prepare {
        Some(command) if command.trim().is_empty() => {
            found.add(at!["build", "prepare"], "the command is empty; write one such as \"npm ci\", or remove it");
        }
        Some(_) if build.prepared.is_empty() => found.add(
            at!["build", "prepare"],
            "what `prepare` makes is not named and would be lost; write for example `prepared = [\"node_modules\"]`",
        ),
        None if !build.prepared.is_empty() => found.add(
            at!["build", "prepared"],
            "`prepared` is what `prepare` makes, and there is no `prepare`; write one, or remove it",
        ),
        _ => {}
    }
    for (index, path) in build.read_only.iter().enumerate() {
        if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) || path == Path::new("/") {
            let message =
                format!("{path:?} is not taken; name an absolute folder below the root, such as \"/opt/node\"");
            found.add(at!["build", "read-only", index], message);
        }
    }
    if build.memory.0 < 16 << 20 {
        found
            .add(at!["build", "memory"], format!("{} is too little for a command; give at least 16 MiB", build.memory));
    }
    env(&build.env, "build", found);
}

fn environments(config: &Config, found: &mut Found) {
    for name in config.environments.keys() {
        if !is_name(name) {
            found.add(at!["environments", name.as_str()], format!("the name {name:?} is not taken; {NAME}"));
        }
    }
    let (staging, production) = (&config.staging.environment, &config.rollout.environment);
    for (table, name) in [("staging", staging), ("rollout", production)] {
        if !config.environments.contains_key(name) {
            let known = config.environments.keys().map(String::as_str);
            let hint = match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write it: [environments.{name}] with `listen`"),
            };
            let at = at![table, "environment"];
            found.add(at, format!("[{table}] needs the environment `{name}`, and [environments] has none; {hint}"));
        }
    }
    if staging == production {
        let message = format!(
            "staging and production are both `{production}`; a release must be tried apart from the one that serves: \
             name two environments"
        );
        found.add(at!["staging", "environment"], message);
    }
    let mut taken: BTreeMap<_, String> = BTreeMap::new();
    let mut take = |address: std::net::SocketAddr, what: String, at: Vec<Part>, found: &mut Found| {
        // Port 0 is a free one of the system's choice.
        if address.port() == 0 {
            return;
        }
        if let Some(other) = taken.get(&address) {
            found.add(at, format!("{what} and {other} are both at {address}; give each a port of its own"));
        } else {
            taken.insert(address, what);
        }
    };
    for (name, settings) in &config.environments {
        let at = at!["environments", name.as_str(), "listen"].to_vec();
        take(settings.listen, format!("`{name}`"), at, found);
    }
    if let Some(metrics) = config.edge.metrics {
        take(metrics, "the counters".into(), at!["edge", "metrics"].to_vec(), found);
    }
}

fn stages(config: &Config, found: &mut Found) {
    let staging = config.staging.health_checks.iter().map(String::as_str).collect();
    let named = config.stages.named().into_iter().map(|(key, names)| ("stages", key, names));
    for (table, key, names) in named.chain([("staging", "health-checks", staging)]) {
        let list = !matches!(key, "analyzer" | "deploy-target");
        let mut seen = BTreeSet::new();
        for (index, name) in names.into_iter().enumerate() {
            let mut at = at![table, key].to_vec();
            if list {
                at.push(index.into());
            }
            if name.trim().is_empty() {
                let remedy = if list { "name a plugin, or remove the entry" } else { "name a plugin" };
                found.add(at, format!("`{key}` has an empty name; {remedy}"));
            } else if !name.contains('/') && !is_name(name) {
                found.add(at, format!("no plugin is named {name:?}; {NAME}, or a path with a `/`"));
            } else if !seen.insert(name) {
                found.add(at, format!("`{name}` is named twice for `{key}`; remove one"));
            }
        }
    }
    if config.stages.fix_generators.is_empty() {
        found.add(at!["stages", "fix-generators"], "no plugin proposes fixes; name one such as \"fix-recipes\"");
    }
    if config.stages.health_checks.is_empty() {
        let message = "nothing measures production, and no evidence never promotes; name one such as \"error-rate\"";
        found.add(at!["stages", "health-checks"], message);
    }
}

/// Spans that must not be zero.
fn times(config: &Config, found: &mut Found) {
    let mut check = |table: &str, key: &str, span: Span| {
        if span.0 == Duration::ZERO {
            found.add(at![table, key], format!("`{key}` is zero; write how long, for example `10m`"));
        }
    };
    check("staging", "soak", config.staging.soak);
    check("rollout", "interval", config.rollout.interval);
    check("rollout", "monitoring", config.rollout.monitoring);
    check("approval", "timeout", config.approval.timeout);
    check("edge", "lease", config.edge.lease);
    check("retries", "after", config.retries.after);
    if let Some(build) = &config.build {
        check("build", "timeout", build.timeout);
    }
    if let Some(span) = config.service.wall_time {
        check("service", "wall-time", span);
    }
    if let Some(span) = config.limits.wall_time {
        check("limits", "wall-time", span);
    }
    let (lease, interval) = (config.edge.lease, config.rollout.interval);
    if lease.0 != Duration::ZERO && interval.0 >= lease.0 {
        found.add(
            at!["rollout", "interval"],
            format!(
                "a share is renewed with each measurement, every {interval}, but lapses after {lease}; \
                 measure more often, or make [edge] `lease` longer"
            ),
        );
    }
}

fn steps(config: &Config, found: &mut Found) {
    let steps = &config.rollout.steps;
    let Some(last) = steps.last() else {
        found.add(at!["rollout", "steps"], "there is no step; write at least `{ traffic = \"100 %\", for = \"1h\" }`");
        return;
    };
    let mut before: Option<f64> = None;
    for (index, step) in steps.iter().enumerate() {
        let value = step.traffic.value();
        let at = at!["rollout", "steps", index, "traffic"];
        if value.fract() != 0.0 || value < 1.0 {
            found.add(at, format!("{} is no share for a step; use a whole number from 1 % to 100 %", step.traffic));
        } else if let Some(before) = before.filter(|before| value <= *before) {
            let message = format!(
                "the share goes from {before} % to {}; each step must have more than the one before",
                step.traffic
            );
            found.add(at, message);
        }
        before = Some(value);
        if step.r#for.0 == Duration::ZERO {
            let message = "the step takes no time, so nothing is seen in it; write how long, for example `10m`";
            found.add(at!["rollout", "steps", index, "for"], message);
        }
    }
    if last.traffic.value() < 100.0 {
        let message = format!(
            "the last step has {}; it must have 100 %, or the release would never serve everyone",
            last.traffic
        );
        found.add(at!["rollout", "steps", steps.len() - 1, "traffic"], message);
    }
}

fn triggers(config: &Config, found: &mut Found) {
    let rollout = &config.rollout;
    for (index, name) in rollout.custom_metrics.iter().enumerate() {
        if !is_name(name) {
            found.add(at!["rollout", "custom-metrics", index], format!("no metric is named {name:?}; {NAME}"));
        }
    }
    if rollout.triggers.is_empty() {
        let message = "no trigger would ever turn a release back; write one, or remove `triggers` for the defaults";
        found.add(at!["rollout", "triggers"], message);
    }
    for (key, count) in [("min-samples", rollout.min_samples), ("hard-trip", rollout.hard_trip.min_samples)] {
        if count == 0 {
            let mut at = at!["rollout", key].to_vec();
            if key == "hard-trip" {
                at.push("min-samples".into());
            }
            found.add(at, "`min-samples` is zero, so that nothing at all would decide; write at least 1");
        }
    }
    if rollout.hard_trip.rate.value() <= 0.0 {
        let message = "a release would be turned back without a single failure; write for example \"50 %\"";
        found.add(at!["rollout", "hard-trip", "rate"], message);
    }
    let mut seen: Vec<&MetricTrigger> = Vec::new();
    for (index, trigger) in rollout.triggers.iter().enumerate() {
        one_trigger(config, index, trigger, found);
        let same = |other: &&MetricTrigger| {
            other.metric == trigger.metric
                && other.window == trigger.window
                && other.quantile == trigger.quantile
                && other.above.is_some() == trigger.above.is_some()
                && other.worse_by.is_some() == trigger.worse_by.is_some()
        };
        if seen.iter().any(same) {
            let message =
                format!("a second trigger on `{}` of the same kind over {}; keep one", trigger.metric, trigger.window);
            found.add(at!["rollout", "triggers", index, "metric"], message);
        }
        seen.push(trigger);
    }
}

fn one_trigger(config: &Config, index: usize, trigger: &MetricTrigger, found: &mut Found) {
    let at = |key: &str| at!["rollout", "triggers", index, key];
    let custom = &config.rollout.custom_metrics;
    let known = || METRICS.into_iter().chain(custom.iter().map(String::as_str));
    let metric = trigger.metric.as_str();
    if !known().any(|name| name == metric) {
        let hint = match nearest(metric, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}; name others in `custom-metrics`", known().collect::<Vec<_>>().join(", ")),
        };
        found.add(at("metric"), format!("unknown metric `{metric}`; {hint}"));
    }
    match (&trigger.above, &trigger.worse_by) {
        (None, None) => found.add(
            at("metric"),
            format!("the trigger on `{metric}` says nothing; write `above = \"5 %\"`, `above = \"2s\"` or `worse-by = \"20 %\"`"),
        ),
        (Some(_), Some(_)) => {
            found.add(at("worse-by"), "`above` and `worse-by` are two rules; write two triggers");
        }
        (Some(Threshold::Time(_)), None) if metric == "error-rate" => {
            found.add(at("above"), "`error-rate` is a share, not a time; write for example \"5 %\"");
        }
        (Some(Threshold::Share(_)), None) if metric == "latency" => {
            found.add(at("above"), "`latency` is a time, not a share; write for example \"2s\"");
        }
        (Some(Threshold::Share(share)), None) if share.value() >= 100.0 => {
            found.add(at("above"), "nothing is above 100 %; write less, for example \"5 %\"");
        }
        (Some(Threshold::Time(span)), None) if span.0 == Duration::ZERO => {
            found.add(at("above"), "`above` is zero; write how long, for example `2s`");
        }
        _ => {}
    }
    if trigger.window.0 == Duration::ZERO {
        found.add(at("window"), "`window` is zero; write how long, for example `5m`");
    }
    if let Some(quantile) = trigger.quantile {
        if !(quantile > 0.0 && quantile < 1.0) {
            found.add(at("quantile"), format!("{quantile} is no quantile; write one between 0 and 1, such as 0.95"));
        } else if metric == "error-rate" || matches!(trigger.above, Some(Threshold::Share(_))) {
            found.add(at("quantile"), "a rate has no quantiles; remove it");
        }
    }
}

fn approval(config: &Config, found: &mut Found) {
    let approval = &config.approval;
    let approvers: BTreeSet<&str> = approval.approvers.iter().map(String::as_str).collect();
    if approvers.len() < approval.approvers.len() {
        found.add(at!["approval", "approvers"], "someone is named twice; approvers are counted once");
    }
    for (index, name) in approval.approvers.iter().enumerate() {
        if name.trim().is_empty() {
            found.add(at!["approval", "approvers", index], "an empty name; name a user, or remove the entry");
        }
    }
    if approval.count == 0 {
        let message = "`count` is zero; write at least 1, or `required = false`";
        found.add(at!["approval", "count"], message);
    }
    let count = usize::try_from(approval.count).unwrap_or(usize::MAX);
    if approval.required && count > approvers.len().max(1) {
        let named = approvers.len();
        let message =
            format!("{count} approvals are needed, and only {named} approvers are named; name more, or lower `count`");
        found.add(at!["approval", "count"], message);
    }
}

fn plugins(config: &Config, found: &mut Found) {
    for (name, settings) in &config.plugins {
        let name = name.as_str();
        if !is_name(name) {
            found.add(at!["plugins", name], format!("no plugin is named {name:?}; {NAME}"));
        }
        if settings.path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            found.add(at!["plugins", name, "path"], "an empty path; name the plugin's folder, or remove it");
        }
        for (guest, preopen) in &settings.grant.files {
            let at = at!["plugins", name, "grant", "files", guest.as_str()];
            let parts = guest.strip_prefix('/').map(|rest| rest.split('/'));
            if parts.is_none_or(|mut parts| parts.any(|part| matches!(part, "" | "." | ".."))) {
                found.add(at, format!("{guest:?} is no path as a plugin sees it; write for example \"/repo\""));
            } else if preopen.host.is_none() && !RUN_FOLDERS.contains(&guest.as_str()) {
                let message = format!(
                    "which folder of this machine is {guest:?}? Write `host`; only {} are given by the run",
                    RUN_FOLDERS.join(", ")
                );
                found.add(at, message);
            } else if preopen.host.is_some() && RUN_FOLDERS.contains(&guest.as_str()) {
                found.add(at, format!("{guest:?} is given by the run; remove `host`, or choose another path for it"));
            }
        }
    }
}
