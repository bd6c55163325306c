//! The services, and how each is built.

use std::{
    collections::BTreeSet,
    path::{Component, Path},
};

use autodevops_policy::{Bytes, strict_toml::nearest};

use super::{Found, NAME, Part, env, inside, is_name};
use crate::{Build, Config, Listen, Service, ServiceKind};

/// The longest name of one of several services: an environment's name and parts of digests come beside it.
const LONGEST: usize = 40;

pub fn problems(config: &Config, found: &mut Found) {
    match (&config.service, config.services.as_slice()) {
        (None, []) => found.add(
            at!["service"],
            "the key `service` is missing; write [service] with its `name` and `kind`, or [[services]] for several",
        ),
        (Some(_), [_, ..]) => {
            let message = "there are [service] and [[services]]; write the first as one of the [[services]] too";
            found.add(at!["service"], message);
        }
        (Some(only), []) => {
            service(only, &at!["service"], found);
            alone(only, found);
        }
        (None, several) => {
            for (index, one) in several.iter().enumerate() {
                service(one, &at!["services", index], found);
            }
            together(config, several, found);
        }
    }
    if let Some(settings) = &config.build {
        build(settings, &at!["build"], found);
    }
    listens(config, found);
}

/// What only one of several services has.
fn alone(service: &Service, found: &mut Found) {
    if !service.paths.is_empty() {
        let message = "all files are the only service's own; remove `paths`, or write [[services]] for several";
        found.add(at!["service", "paths"], message);
    }
    if service.build.is_some() {
        found.add(at!["service", "build"], "the only service is built by [build]; write that in place of it");
    }
}

/// What several services must be beside each other.
fn together(config: &Config, services: &[Service], found: &mut Found) {
    let mut seen = BTreeSet::new();
    for (index, service) in services.iter().enumerate() {
        let name = service.name.as_str();
        if !seen.insert(name) {
            let message = format!("two services are named `{name}`; give each a name of its own");
            found.add(at!["services", index, "name"], message);
        }
        if name.len() > LONGEST {
            let message =
                format!("the name `{name}` is too long for one of several services; use {LONGEST} letters at most");
            found.add(at!["services", index, "name"], message);
        }
        for (nth, path) in service.paths.iter().enumerate() {
            inside(path.trim_end_matches('/'), &at!["services", index, "paths", nth], found);
        }
        if service.paths.is_empty() && services.len() > 1 {
            let message = format!(
                "it is not said which files are the own of `{name}`; write for example `paths = [\"services/{name}\"]`"
            );
            found.add(at!["services", index, "paths"], message);
        }
        if let Some(own) = &service.build {
            build(own, &at!["services", index, "build"], found);
        }
    }
    if config.build.is_some() && services.iter().all(|service| service.build.is_some()) {
        found.add(at!["build"], "every service has a build of its own, so that this one is never used; remove it");
    }
    for environment in config.environments.keys() {
        for (index, service) in services.iter().enumerate() {
            let place = config.place_name(service, environment);
            if !is_name(&place) {
                let message = format!("`{place}` is no name that the target takes; {NAME}: shorten the service's name");
                found.add(at!["services", index, "name"], message);
            }
        }
    }
}

/// Each service listens somewhere in each environment.
fn listens(config: &Config, found: &mut Found) {
    let names: Vec<&str> = config.services().iter().map(|service| service.name.as_str()).collect();
    for (environment, settings) in &config.environments {
        let at = at!["environments", environment.as_str(), "listen"];
        match (&settings.listen, config.has_service_list()) {
            (Listen::At(_), false) => {}
            (Listen::At(_), true) => {
                let each: Vec<String> =
                    names.iter().zip(8080..).map(|(name, port)| format!("{name} = \"127.0.0.1:{port}\"")).collect();
                let message =
                    format!("each of the [[services]] listens for itself; write `listen = {{ {} }}`", each.join(", "));
                found.add(at, message);
            }
            (Listen::Each(_), false) => {
                found.add(at, "there is one service; write one address, such as `listen = \"127.0.0.1:8080\"`");
            }
            (Listen::Each(each), true) => {
                for unknown in each.keys().filter(|name| !names.contains(&name.as_str())) {
                    let hint = match nearest(unknown, names.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("there are {}", names.join(", ")),
                    };
                    let at = at!["environments", environment.as_str(), "listen", unknown.as_str()];
                    found.add(at, format!("there is no service `{unknown}`; {hint}"));
                }
                let missing: Vec<&str> = names.iter().copied().filter(|name| !each.contains_key(*name)).collect();
                if !missing.is_empty() {
                    let message = format!(
                        "it is not said where {} listens in `{environment}`; give an address of each service",
                        missing.join(", ")
                    );
                    found.add(at, message);
                }
            }
        }
    }
}

/// What is wrong with one service, which stands at this place of the file.
fn service(service: &Service, table: &[Part], found: &mut Found) {
    let at = |key: &str| [table, &at![key]].concat();
    if !is_name(&service.name) {
        found.add(at("name"), format!("the name {:?} is not taken; {NAME}", service.name));
    }
    for (key, path) in [("public", &service.public), ("functions", &service.functions)] {
        // The project itself may be the folder of static files.
        if let Some(path) = path.as_deref().filter(|path| (key, *path) != ("public", ".")) {
            inside(path, &at(key), found);
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
        found.add(at("kind"), message);
    }
    let functions = service.kind == ServiceKind::Functions;
    let command = service.kind == ServiceKind::Command;
    for (key, given, used, by) in [
        ("public", service.public.is_some(), !command, "`files` or `functions`"),
        ("functions", service.functions.is_some(), functions, "`functions`"),
        ("wall-time", service.wall_time.is_some(), functions, "`functions`"),
        ("memory", service.memory.is_some(), functions || command, "`functions` or `command`"),
        ("processes", service.processes.is_some(), command, "`command`"),
        ("command", !service.command.is_empty(), command, "`command`"),
        ("env", !service.env.is_empty(), command, "`command`"),
    ] {
        if given && !used {
            found.add(
                at(key),
                format!("`{key}` is for a service of the kind {by}, this one is `{kind}`; remove it or change `kind`"),
            );
        }
    }
    if let Some(path) = &service.ready
        && !path.starts_with('/')
    {
        found.add(at("ready"), format!("the path {path:?} is not one; write for example \"/health\""));
    }
    if service.command.first().is_some_and(|program| program.trim().is_empty()) {
        found.add(at("command"), "the program is empty; write for example [\"node\", \"server.js\"]");
    }
    if command {
        let (memory, processes) = (service.memory, service.processes);
        taken_by_command(memory.unwrap_or(LEAST_MEMORY), processes.unwrap_or(LEAST_PROCESSES), table, found);
    }
    env(&service.env, &at("env"), found);
}

/// What a command cannot do without: a shell and the program, in bubblewrap.
const LEAST_MEMORY: Bytes = Bytes(16 << 20);
const LEAST_PROCESSES: u32 = 4;

fn taken_by_command(memory: Bytes, processes: u32, table: &[Part], found: &mut Found) {
    if memory < LEAST_MEMORY {
        found.add(
            [table, &at!["memory"]].concat(),
            format!("{memory} is too little for a command; give at least {LEAST_MEMORY}"),
        );
    }
    if processes < LEAST_PROCESSES {
        let message = format!("{processes} is too few for a command; give at least {LEAST_PROCESSES}");
        found.add([table, &at!["processes"]].concat(), message);
    }
}

/// What is wrong with a build, which stands at this place of the file.
fn build(build: &Build, table: &[Part], found: &mut Found) {
    let at = |key: &str| [table, &at![key]].concat();
    let nth = |key: &str, index: usize| [table, &at![key, index]].concat();
    if build.command.trim().is_empty() {
        found.add(at("command"), "the command is empty; write one such as \"npm run build\", or remove [build]");
    }
    for (key, paths) in [("prepared", &build.prepared), ("lockfiles", &build.lockfiles), ("outputs", &build.outputs)] {
        for (index, path) in paths.iter().enumerate() {
            inside(path, &nth(key, index), found);
        }
    }
    match &build.prepare {
        Some(command) if command.trim().is_empty() => {
            found.add(at("prepare"), "the command is empty; write one such as \"npm ci\", or remove it");
        }
        Some(_) if build.prepared.is_empty() => found.add(
            at("prepare"),
            "what `prepare` makes is not named and would be lost; write for example `prepared = [\"node_modules\"]`",
        ),
        None if !build.prepared.is_empty() => found.add(
            at("prepared"),
            "`prepared` is what `prepare` makes, and there is no `prepare`; write one, or remove it",
        ),
        _ => {}
    }
    for (index, path) in build.read_only.iter().enumerate() {
        if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) || path == Path::new("/") {
            let message =
                format!("{path:?} is not taken; name an absolute folder below the root, such as \"/opt/node\"");
            found.add(nth("read-only", index), message);
        }
    }
    taken_by_command(build.memory, build.processes, table, found);
    env(&build.env, &at("env"), found);
}
