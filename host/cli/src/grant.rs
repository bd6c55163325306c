//! `autodevops plugin grant`: what plugins ask for is shown, answered, and stored in `autodevops.lock`.

mod dialogue;
mod question;
mod show;

use std::{collections::BTreeSet, io::IsTerminal, path::Path, process::ExitCode};

use anyhow::{Result, bail};
use autodevops_bundle::lock::{Digest, LOCK, LockFile};
use autodevops_config::Config;
use autodevops_orchestrator::catalog::Catalog;
pub use dialogue::Console;
use dialogue::Person;
pub use question::{Given, Question};
use serde_json::{Value, json};

use crate::{
    arguments::GrantOptions,
    output::{self, Format, Usage},
    project,
};

pub fn run(options: &GrantOptions, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let file = project::file(config)?;
    let config = Config::load(&file)?;
    let catalog = Catalog::of_project(&config, &file)?;
    let questions = questions(&catalog, &names(options, &config))?;
    if let (Some(digest), [question]) = (&options.digest, questions.as_slice()) {
        same_component(question, digest, &catalog)?;
    }
    // All plugins are asked about where something is open; those that are named, in any case.
    let (open, settled): (Vec<Question>, Vec<Question>) =
        questions.into_iter().partition(|question| question.is_open() || !options.all && question.asks_anything());
    let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && format == Format::Text;
    let mut told = Vec::new();
    if options.yes {
        told = grant_at_once(&catalog, open)?;
    } else if interactive {
        let mut person = Console;
        for question in open {
            let Some(given) = question.ask(&mut person)? else {
                person.say(&format!("nothing is stored for `{}`\n", question.name()))?;
                continue;
            };
            question.check(&given, &catalog)?;
            store(&catalog, &[(&question, &given)])?;
            person.say(&format!("stored in {LOCK}; check it in\n"))?;
            told.push((question, Some(given)));
        }
    } else if open.iter().any(Question::is_open) || !options.all && !open.is_empty() {
        bail!(Usage(refusal(&catalog, &open)));
    }
    let forgotten = if options.all { forget_others(&catalog, &config)? } else { Vec::new() };
    told.extend(settled.into_iter().map(|question| (question, None)));
    match format {
        Format::Json => output::json(&json!({
            "plugins": told.iter().map(|(question, given)| question.json(given.as_ref())).collect::<Vec<Value>>(),
            "forgotten": forgotten,
        }))?,
        Format::Text => {
            for (question, given) in &told {
                // What a person was asked was shown with the question.
                if !interactive || options.yes || given.is_none() {
                    output::text(&question.told(given.as_ref()))?;
                }
            }
            for name in &forgotten {
                output::text(&format!("{name}: no stage names it any more; its answer is taken out of {LOCK}\n"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The plugins that are asked about.
fn names(options: &GrantOptions, config: &Config) -> Vec<String> {
    if options.all {
        let mut names: Vec<String> = Vec::new();
        for (_, name) in config.plugins_of_stages() {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        return names;
    }
    options.plugins.clone()
}

/// What there is to ask, each plugin once; a configuration that grants what is not asked for is wrong usage.
fn questions(catalog: &Catalog, names: &[String]) -> Result<Vec<Question>> {
    let mut questions: Vec<Question> = Vec::new();
    for name in names {
        let question = Question::about(catalog, name)?;
        match questions.iter().find(|other| other.name() == question.name()) {
            None => questions.push(question),
            Some(other) if other.digest() == question.digest() => {}
            Some(other) => bail!(Usage(format!(
                "{} and {} are both the plugin `{}`, and only one of them can be granted by that name; rename one",
                other.folder().display(),
                question.folder().display(),
                question.name()
            ))),
        }
    }
    Ok(questions)
}

fn same_component(question: &Question, wanted: &str, catalog: &Catalog) -> Result<()> {
    let wanted: Digest = wanted.parse().map_err(|error| Usage(format!("--digest: {error}")))?;
    if wanted != question.digest() {
        bail!(Usage(format!(
            "plugin `{name}` in {folder} is the component {is}, not {wanted}: it is another one than was looked at; see what it \
             asks for with `autodevops plugin inspect {name}{option}`, then grant that",
            name = question.name(),
            folder = question.folder().display(),
            is = question.digest(),
            option = catalog.option(),
        )));
    }
    Ok(())
}

/// Grants all of them what they ask for, within what the configuration says; none, where one of them needs more than a yes.
pub fn grant_at_once(catalog: &Catalog, questions: Vec<Question>) -> Result<Vec<(Question, Option<Given>)>> {
    let (mut given, mut faults) = (Vec::new(), Vec::new());
    for question in questions {
        match question.yes() {
            Ok(one) => match question.check(&one, catalog) {
                Ok(()) => given.push((question, one)),
                Err(Usage(fault)) => faults.push(fault),
            },
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        bail!(Usage(faults.join("\n")));
    }
    store(catalog, &given.iter().map(|(question, given)| (question, given)).collect::<Vec<_>>())?;
    Ok(given.into_iter().map(|(question, given)| (question, Some(given))).collect())
}

/// Puts answers into the lock file, all of them or none.
fn store(catalog: &Catalog, given: &[(&Question, &Given)]) -> Result<()> {
    let Some(folder) = catalog.project_folder() else { return Ok(()) };
    LockFile::update(folder, |lock| {
        for (question, given) in given {
            match question.answer(given, folder) {
                Some(answer) => lock.put(answer),
                None => lock.forget(question.name()),
            }
        }
    })?;
    Ok(())
}

/// Takes out what was answered about plugins that neither a stage nor a table of the configuration names.
fn forget_others(catalog: &Catalog, config: &Config) -> Result<Vec<String>> {
    let mut used: BTreeSet<String> = config.plugins.keys().cloned().collect();
    for (_, name) in config.plugins_of_stages() {
        used.insert(catalog.open(name)?.manifest.name);
    }
    let others: Vec<String> = catalog.answered_for_nothing(&used).into_iter().map(str::to_owned).collect();
    if let (Some(folder), false) = (catalog.project_folder(), others.is_empty()) {
        LockFile::update(folder, |lock| others.iter().for_each(|name| lock.forget(name)))?;
    }
    Ok(others)
}

/// Why nothing was asked, and what to run instead.
fn refusal(catalog: &Catalog, open: &[Question]) -> String {
    let mut text = String::from(
        "this asks questions, and standard input and output are no terminal; run it in one, or look at what is asked for and \
         grant all of it with",
    );
    for question in open {
        let (name, digest) = (question.named(), question.digest());
        text.push_str(&format!("\n  autodevops plugin grant {name} --yes --digest {digest}{}", catalog.option()));
    }
    text.push_str("\nWhat is asked for:");
    for question in open {
        text.push_str(&format!("\n{}", question.summary()));
    }
    text
}
