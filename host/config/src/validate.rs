//! What no single value shows: whether the values fit each other. Every problem is found in one go.

use std::collections::{BTreeMap, BTreeSet};

use autodevops_policy::{ProjectPath, strict_toml::nearest};

use crate::{
    Config, Listen,
    delivery::PLACEHOLDERS,
    is_archive,
    place::{Part, Problem},
};

macro_rules! at {
    ($($part:expr),+ $(,)?) => { [$(Part::from($part)),+] };
}

mod data;
mod edge;
mod loop_rules;
mod mail;
mod people;
mod rollout;
mod sandbox;
mod services;
mod triggers;

#[derive(Default)]
struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, path: impl IntoIterator<Item = Part>, message: impl Into<String>) {
        self.0.push(Problem { path: path.into_iter().collect(), message: message.into() });
    }
}

/// Everything that is wrong.
pub fn problems(config: &Config) -> Vec<Problem> {
    let mut found = Found::default();
    services::problems(config, &mut found);
    logs(config, &mut found);
    git(config, &mut found);
    environments(config, &mut found);
    edge::problems(config, &mut found);
    stages(config, &mut found);
    rollout::problems(config, &mut found);
    people::problems(config, &mut found);
    mail::problems(config, &mut found);
    triggers::problems(config, &mut found);
    sandbox::problems(config, &mut found);
    data::problems(config, &mut found);
    loop_rules::problems(config, &mut found);
    found.0
}

fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// What is wrong with environment variables, which stand at this place of the file.
fn env(env: &BTreeMap<String, String>, table: &[Part], found: &mut Found) {
    for name in env.keys() {
        if name.is_empty() || name.contains(['=', '\0']) {
            let at = [table, &at![name.as_str()]].concat();
            found.add(at, format!("{name:?} is no name of an environment variable"));
        }
    }
}

const NAME: &str = "use 1 to 64 of a-z, 0-9 and -, starting with a letter";

fn inside(path: &str, at: &[Part], found: &mut Found) {
    if let Err(error) = ProjectPath::new(path) {
        found.add(at.iter().cloned(), error.to_string());
    }
}

fn logs(config: &Config, found: &mut Found) {
    for (index, path) in config.logs.watch.iter().enumerate() {
        let at = at!["logs", "watch", index];
        if path.as_os_str().is_empty() {
            found.add(
                at,
                "an empty path; name a log file such as \"logs/app.log\", or a pattern such as \"logs/*.log\"",
            );
        } else if !path.to_string_lossy().contains(['*', '?', '[']) && is_archive(path) {
            let says = format!(
                "{path:?} is an archive, which grows no more; name the log itself, and read what is in the archive once with `autodevops analyze {}`",
                path.display()
            );
            found.add(at, says);
        } else if let Err(error) = glob::Pattern::new(&path.to_string_lossy()) {
            found.add(at, format!("{path:?} is no pattern: {error}; a bracket stands for itself as `[[]`"));
        }
    }
    if config.logs.source_maps.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
        let says = "an empty path; name the folder in which scripts and their source maps lie, such as \"dist\", or leave the key out";
        found.add(at!["logs", "source-maps"], says);
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
        match &settings.listen {
            Listen::At(address) => {
                let at = at!["environments", name.as_str(), "listen"].to_vec();
                take(*address, format!("`{name}`"), at, found);
            }
            Listen::Each(each) => {
                for (service, address) in each {
                    let at = at!["environments", name.as_str(), "listen", service.as_str()].to_vec();
                    take(*address, format!("`{service}` in `{name}`"), at, found);
                }
            }
        }
    }
    if let Some(listen) = config.server.listen {
        take(listen, "the HTTP API".into(), at!["server", "listen"].to_vec(), found);
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
