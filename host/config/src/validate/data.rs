//! The service's data, and the operator's commands.

use autodevops_policy::{command::placeholders, strict_toml::nearest};

use super::{Found, NAME, Part, env, is_name};
use crate::Config;

pub fn problems(config: &Config, found: &mut Found) {
    if config.data.preserve && config.stages.state_guards.is_empty() {
        let message = "nothing keeps the data: no plugin is named for [stages] `state-guards`; name one such as \"state-sqlite\", \
                       or set `preserve = false`";
        found.add(at!["data", "preserve"], message);
    }
    commands(config, found);
    for (plugin, settings) in &config.plugins {
        let granted = settings.grant.iter().flat_map(|grant| &grant.commands);
        for name in granted.filter(|name| !config.commands.contains_key(*name)) {
            let hint = match nearest(name, config.commands.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write [commands.{name}] with its `argv`"),
            };
            let at = at!["plugins", plugin.as_str(), "grant", "commands"];
            found.add(at, format!("there is no command `{name}` to be granted; {hint}"));
        }
    }
}

fn commands(config: &Config, found: &mut Found) {
    for (name, command) in &config.commands {
        let at = |key: &'static str| at!["commands", name.as_str(), key];
        if !is_name(name) {
            found.add(at!["commands", name.as_str()], format!("the name {name:?} is not taken; {NAME}"));
        }
        match command.argv.split_first() {
            None => found
                .add(at("argv"), "it is empty; write for example [\"pg_dump\", \"--file={snapshot}.dump\", \"shop\"]"),
            Some((program, _)) if program.trim().is_empty() => {
                found.add(at("argv"), "the program is empty; write for example [\"pg_dump\", \"shop\"]");
            }
            Some((program, _)) if !placeholders(std::slice::from_ref(program)).is_empty() => {
                found.add(at("argv"), format!("a plugin would say which program is run: {program:?}; write its name"));
            }
            Some(_) => {}
        }
        if command.argv.iter().any(|argument| argument.contains('\0')) {
            found.add(at("argv"), "an argument has a zero byte, which no program is given; remove it");
        }
        if command.timeout.0.is_zero() {
            found.add(at("timeout"), "a time of zero ends it before it begins; write for example \"10m\"");
        }
        env(&command.env, &at("env"), found);
        for (index, variable) in command.pass_env.iter().enumerate() {
            if variable.is_empty() || variable.contains(['=', '\0']) {
                let at = at!["commands", name.as_str(), "pass-env", index];
                found.add(at, format!("{variable:?} is no name of an environment variable"));
            }
        }
    }
}
