//! The questions that a person is asked, one permission at a time. No is what silence means.

use std::{
    io::{BufRead, Write},
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use autodevops_bundle::ask::{Ask, Wanted};
use autodevops_policy::{Access, CredentialBinding, Destination, Grant, Origin, Recipient};

use super::question::{Given, Question, Word};
use crate::output::clean;

/// Whoever answers: a person at a terminal, or a test.
pub trait Person {
    /// Shows something.
    ///
    /// # Errors
    /// When it cannot be shown.
    fn say(&mut self, text: &str) -> Result<()>;

    /// Asks something; none when nobody answers any more.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn answer(&mut self, question: &str) -> Result<Option<String>>;
}

/// The person at the terminal.
pub struct Console;

impl Person for Console {
    fn say(&mut self, text: &str) -> Result<()> {
        crate::output::text(&clean(text))
    }

    fn answer(&mut self, question: &str) -> Result<Option<String>> {
        crate::output::text(&format!("{} ", clean(question)))?;
        std::io::stdout().flush()?;
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line)?;
        Ok((read > 0).then_some(line))
    }
}

/// Asks all there is to ask about a plugin; none where nothing is to be stored.
pub fn ask(question: &Question, person: &mut dyn Person) -> Result<Option<Given>> {
    if question.asks.is_empty() {
        return Ok(None);
    }
    let (given, last) = if let Some(grant) = &question.standing.configured {
        let given = Given { grant: grant.clone(), word: Word::Configuration };
        (given, "Pin this component with what autodevops.toml grants?")
    } else {
        let mut grant = Grant::default();
        for ask in &question.asks {
            one(question.name(), ask, question.granted_before(), &mut grant, person)?;
        }
        let given = Given { grant, word: Word::Person };
        person.say(&question.granted_text(&given))?;
        (given, "Store this answer in autodevops.lock?")
    };
    Ok(if yes(person, last, false)? { Some(given) } else { None })
}

fn one(plugin: &str, ask: &Ask, before: Option<&Grant>, grant: &mut Grant, person: &mut dyn Person) -> Result<()> {
    person.say(&format!("\n{}\n", ask.words))?;
    if let Some(reason) = &ask.reason {
        person.say(&format!("  {reason}\n"))?;
    }
    if let Wanted::Limit(_) = &ask.what {
        person.say(LIMIT)?;
    }
    // What was granted before and is still asked for is granted again by an empty line.
    let mut again = grant.clone();
    let known = before.is_some_and(|before| ask.what.grant_again(before, &mut again));
    if known && ask.what.needs_more() && yes(person, "  Grant it as before?", true)? {
        *grant = again;
        return Ok(());
    }
    match &ask.what {
        Wanted::Folder { access, .. } => folder(ask, *access, grant, person),
        Wanted::Requests(destinations) if ask.what.needs_more() => hosts(destinations, grant, person),
        Wanted::Mail => recipients(grant, person),
        Wanted::Credential { optional, .. } => credential(plugin, ask, *optional, grant, person),
        _ => {
            if yes(person, "  Grant it?", known)? {
                ask.what.grant(grant);
            } else {
                ask.what.refuse(grant);
            }
            Ok(())
        }
    }
}

fn folder(ask: &Ask, access: Access, grant: &mut Grant, person: &mut dyn Person) -> Result<()> {
    loop {
        let line = line(person, "  Which folder of this machine? (empty: none)")?;
        if line.is_empty() {
            return Ok(());
        }
        let host = match Path::new(&line).canonicalize() {
            Ok(host) if host.is_dir() => host,
            Ok(_) => {
                person.say(&format!("  {line} is no folder\n"))?;
                continue;
            }
            Err(error) => {
                person.say(&format!("  {line}: {error}\n"))?;
                continue;
            }
        };
        let access = match access {
            Access::ReadWrite if yes(person, "  May it write there, too?", false)? => Access::ReadWrite,
            _ => Access::ReadOnly,
        };
        ask.what.grant_folder(host, access, grant);
        return Ok(());
    }
}

fn hosts(asked: &[Destination], grant: &mut Grant, person: &mut dyn Person) -> Result<()> {
    loop {
        let line = line(
            person,
            "  To which origins, such as http://127.0.0.1:9100? (several with spaces between; empty: none)",
        )?;
        let named: Result<Vec<Destination>, String> = line.split_whitespace().map(|text| within(text, asked)).collect();
        match named {
            Ok(named) => {
                grant.http.extend(named);
                return Ok(());
            }
            Err(fault) => person.say(&format!("  {fault}\n"))?,
        }
    }
}

fn recipients(grant: &mut Grant, person: &mut dyn Person) -> Result<()> {
    loop {
        let line = line(
            person,
            "  To whom, such as ada@example.com, or *@example.com? (several with spaces between; empty: nobody)",
        )?;
        let named: Result<Vec<Recipient>, _> = line.split_whitespace().map(str::parse).collect();
        match named {
            Ok(named) => {
                grant.mail.extend(named);
                return Ok(());
            }
            Err(fault) => person.say(&format!("  {fault}\n"))?,
        }
    }
}

/// The origin, which the plugin asks for.
fn within(text: &str, asked: &[Destination]) -> Result<Destination, String> {
    let origin: Origin = text.parse().map_err(|error| format!("{error}"))?;
    if origin.any_host().is_some() {
        return Err(format!("{text} names no host"));
    }
    let named = asked.iter().find_map(|asked| asked.intersection(&origin.clone().into()));
    named.ok_or_else(|| format!("the plugin does not ask to send requests to {text}"))
}

/// What a limit is: there is no reason for it in a manifest, and without it nothing more can be reached.
const LIMIT: &str =
    "  This opens nothing. Without it the usual limit holds, and a call of the plugin that goes beyond it fails.\n";

const SOURCES: &str = "  Where does it come from?\n    env VARIABLE, file PATH, command PROGRAM ARGUMENT…, or google-service-account PATH SCOPE…\n";

fn credential(plugin: &str, ask: &Ask, optional: bool, grant: &mut Grant, person: &mut dyn Person) -> Result<()> {
    person.say(SOURCES)?;
    loop {
        let line = line(person, "  From (empty: from nowhere yet)")?;
        if matches!(line.as_str(), "" | "none" | "nowhere") && optional {
            return person.say("  The plugin does without it.\n");
        }
        if matches!(line.as_str(), "" | "none" | "nowhere") {
            return person.say(&format!(
                "  Until it comes from somewhere, `autodevops run` and `serve` do not start with this plugin. Say where with\n    \
                 autodevops plugin grant {plugin}\n"
            ));
        }
        match binding(&line) {
            Ok(binding) => {
                ask.what.bind(binding, grant);
                return Ok(());
            }
            Err(fault) => person.say(&format!("  {fault}\n"))?,
        }
    }
}

fn binding(line: &str) -> Result<CredentialBinding, String> {
    let mut words = line.split_whitespace().map(str::to_owned);
    let source = words.next().unwrap_or_default();
    let rest: Vec<String> = words.collect();
    let path = |text: &str| {
        let path = PathBuf::from(text);
        std::path::absolute(&path).unwrap_or(path)
    };
    let binding = match (source.as_str(), rest.as_slice()) {
        ("env", [name]) => CredentialBinding { env: Some(name.clone()), ..CredentialBinding::default() },
        ("file", [file]) => CredentialBinding { file: Some(path(file)), ..CredentialBinding::default() },
        ("command", [_, ..]) => CredentialBinding { command: Some(rest), ..CredentialBinding::default() },
        ("google-service-account", [file, scopes @ ..]) => CredentialBinding {
            google_service_account: Some(path(file)),
            scopes: scopes.to_vec(),
            ..CredentialBinding::default()
        },
        _ => return Err("write for example `env API_TOKEN` or `file /etc/autodevops/api-token`".to_owned()),
    };
    binding.source("it", "it").map(|_| ()).map_err(|error| error.to_string())?;
    Ok(binding)
}

fn yes(person: &mut dyn Person, question: &str, default: bool) -> Result<bool> {
    loop {
        let choice = if default { "[Y/n]" } else { "[y/N]" };
        match line(person, &format!("{question} {choice}"))?.to_lowercase().as_str() {
            "" => return Ok(default),
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => person.say("  answer y or n\n")?,
        }
    }
}

fn line(person: &mut dyn Person, question: &str) -> Result<String> {
    match person.answer(question)? {
        Some(line) => Ok(line.trim().to_owned()),
        None => bail!("nobody answers any more; nothing more is stored"),
    }
}

#[cfg(test)]
mod tests;
