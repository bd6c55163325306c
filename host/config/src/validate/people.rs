//! Whether the people that are asked can answer, and those that are told can be.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use autodevops_people::{May, Speaker};
use autodevops_pipeline::AUTHOR;

use super::{Found, NAME, is_name};
use crate::{Config, place::Part};

pub fn problems(config: &Config, found: &mut Found) {
    approval(config, found);
    escalation(config, found);
    notifications(config, found);
    server(config, found);
}

fn approval(config: &Config, found: &mut Found) {
    let approval = &config.approval;
    if approval.timeout.0 == Duration::ZERO {
        found.add(at!["approval", "timeout"], "`timeout` is zero; write how long, for example `10m`");
    }
    for (key, names) in [("approvers", &approval.approvers), ("excluded", &approval.excluded)] {
        if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
            found.add(at!["approval", key], format!("someone is named twice in `{key}`; people are counted once"));
        }
        for (index, name) in names.iter().enumerate() {
            if name.trim().is_empty() {
                found.add(at!["approval", key, index], "an empty name; name a user, or remove the entry");
            }
        }
    }
    let rules = approval.rules(&config.git.author);
    let mut may = BTreeSet::new();
    for (index, name) in approval.approvers.iter().enumerate() {
        let at = at!["approval", "approvers", index];
        match rules.why_not(name, None) {
            _ if name == AUTHOR => found.add(
                at,
                "`author` stands for the author of the change and may not approve it; name a person, or let whoever is \
                 called so be named otherwise",
            ),
            Some(why) => {
                found.add(
                    at,
                    format!("`{name}` may not approve: {why}; take them out of `approvers`, or of `excluded`"),
                );
            }
            None => drop(may.insert(name)),
        }
    }
    if approval.count == 0 {
        let message = "`count` is zero; write at least 1, or `required = false`";
        found.add(at!["approval", "count"], message);
    }
    let count = usize::try_from(approval.count).unwrap_or(usize::MAX);
    // Also where no approval is required: people are asked where something speaks against a release. Where nobody is named then, whoever may
    // speak to the runs can answer, and how many those are is not known here.
    let is_known = approval.required || !approval.approvers.is_empty();
    if is_known && count > may.len().max(1) {
        let named = match may.len() {
            0 => "nobody is named who may approve, so that one approval is all there can be".to_owned(),
            1 => "only one approver is named who may approve".to_owned(),
            named => format!("only {named} approvers are named who may approve"),
        };
        let message = format!("{count} approvals are needed, and {named}; name more, or lower `count`");
        found.add(at!["approval", "count"], message);
    }
}

fn escalation(config: &Config, found: &mut Found) {
    let mut before = None;
    for (index, level) in config.escalation.iter().enumerate() {
        let after = level.after;
        if before.is_some_and(|before| after.0 <= before) {
            let message = format!("{after} is no later than the level before it; let the times grow");
            found.add(at!["escalation", index, "after"], message);
        }
        if level.notifiers.is_empty() {
            let message = "the level tells nobody; name a notifier, or remove the level";
            found.add(at!["escalation", index, "notifiers"], message);
        }
        for (place, name) in level.notifiers.iter().enumerate() {
            let at = at!["escalation", index, "notifiers", place];
            if !name.contains('/') && !is_name(name) {
                found.add(at, format!("no plugin is named {name:?}; {NAME}, or a path with a `/`"));
            } else if level.notifiers.iter().take(place).any(|other| other == name) {
                found.add(at, format!("`{name}` is named twice in one level; remove one"));
            }
        }
        before = Some(after.0);
    }
}

fn notifications(config: &Config, found: &mut Found) {
    if config.notifications.per_minute == 0 {
        let message = "`per-minute` is zero, so that nobody would be told anything; write at least 1";
        found.add(at!["notifications", "per-minute"], message);
    }
}

fn server(config: &Config, found: &mut Found) {
    let server = &config.server;
    if server.listen.is_none() {
        for (key, given) in [
            ("public-url", server.public_url.is_some()),
            ("tokens", !server.tokens.is_empty()),
            ("links", !server.links.is_empty()),
        ] {
            if given {
                let message =
                    format!("`{key}` is of no use without `listen`; write for example `listen = \"127.0.0.1:9181\"`");
                found.add(at!["server", key], message);
            }
        }
    }
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for (name, Speaker { hash, may }) in &server.tokens {
        let at = at!["server", "tokens", name.as_str()];
        if may.is_empty() {
            let known = May::ALL.map(|may| format!("\"{}\"", may.name())).join(", ");
            found.add(at.clone(), format!("the token of `{name}` may do nothing; write what it may: {known}"));
        }
        if name.trim().is_empty() {
            found.add(at, "a token of nobody; name who speaks by it");
        } else if let Some(other) = owners.insert(hash.to_string(), name) {
            found.add(
                at,
                format!("`{name}` and `{other}` have the same token; make one for each with `autodevops token`"),
            );
        }
    }
    let notifiers: BTreeSet<&str> = config
        .plugins_of_stages()
        .into_iter()
        .filter_map(|(stage, name)| (stage == "notifiers").then_some(name))
        .collect();
    for (notifier, speaker) in &server.links {
        let at = at!["server", "links", notifier.as_str()];
        if !notifiers.contains(notifier.as_str()) {
            let message =
                format!("no notifier is named `{notifier}`; name it in [stages] `notifiers`, or in an escalation");
            found.add(at, message);
        } else if speaker.trim().is_empty() {
            found.add(at, "nobody would speak by these links; name whoever reads what the notifier writes to");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_may_be_asked_where_nobody_is_named_and_no_approval_is_required() {
        let problems = |approval: &str| {
            let text = format!(
                "[service]\nname = \"shop\"\nkind = \"files\"\npublic = \"public\"\n\
                 [environments.staging]\nlisten = \"127.0.0.1:1\"\n[environments.production]\nlisten = \"127.0.0.1:2\"\n\
                 [approval]\ncount = 2\n{approval}"
            );
            Config::parse(&text, "autodevops.toml").map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(problems("required = false\napprovers = []\n"), Ok(()));
        let error = problems("required = true\napprovers = []\n").unwrap_err();
        assert!(error.contains("2 approvals are needed, and nobody is named who may approve"), "{error}");
        let error = problems("required = false\napprovers = [\"ann\"]\n").unwrap_err();
        assert!(error.contains("2 approvals are needed, and only one approver is named who may approve"), "{error}");
    }
}
