//! `autodevops init`: a first configuration.

use std::{collections::BTreeSet, io::Write, path::Path, process::ExitCode};

use anyhow::{Context, Result, bail};
use autodevops_bundle::lock::LOCK;
use autodevops_config::{Config, FILE, template_for};
use autodevops_orchestrator::{catalog::Catalog, state::StateFolder};

use crate::{
    arguments::Init,
    grant::{Given, Question, grant_at_once},
    output::{self, Format, Usage, clean},
};

/// A plugin, and what it was given.
struct Pinned(Question, Option<Given>);

impl Pinned {
    fn told(&self) -> String {
        self.0.told(self.1.as_ref())
    }

    fn json(&self) -> serde_json::Value {
        self.0.json(self.1.as_ref())
    }
}

/// Grants the plugins that the stages name what the new configuration says: whoever writes it by `init` is its operator. A plugin
/// that is not there, or asks for what the configuration does not answer, is told of and left.
fn pin(file: &Path) -> Result<Vec<Result<Pinned, String>>> {
    let config = Config::load(file)?;
    let catalog = Catalog::of_project(&config, file)?;
    let mut pinned = Vec::new();
    let mut seen = BTreeSet::new();
    for (_, name) in config.plugins_of_stages() {
        if !seen.insert(name) {
            continue;
        }
        let one = Question::about(&catalog, name).and_then(|question| grant_at_once(&catalog, vec![question]));
        match one {
            Ok(given) => pinned.extend(given.into_iter().map(|(question, given)| Ok(Pinned(question, given)))),
            Err(error) => pinned.push(Err(format!("{name} is not granted: {error}"))),
        }
    }
    Ok(pinned)
}

pub fn run(options: &Init, format: Format) -> Result<ExitCode> {
    if !options.folder.is_dir() {
        bail!(Usage(format!("{} is no folder", options.folder.display())));
    }
    let file = options.folder.join(FILE);
    let text = template_for(&options.folder);
    let mut open = std::fs::OpenOptions::new();
    open.write(true);
    if options.force {
        open.create(true).truncate(true);
    } else {
        open.create_new(true);
    }
    match open.open(&file) {
        Ok(mut opened) => opened.write_all(text.as_bytes()).with_context(|| file.display().to_string())?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!(Usage(format!("{} is there already; replace it with --force", file.display())));
        }
        Err(error) => return Err(error).with_context(|| file.display().to_string()),
    }
    // Beside the journal to come: the schema that the file's first line names, for editors.
    let state = StateFolder::open(&options.folder.join(".autodevops"))?;
    let schema = state.path().join("autodevops.schema.json");
    std::fs::write(&schema, format!("{:#}\n", autodevops_config::schema()))
        .with_context(|| schema.display().to_string())?;
    let pinned = pin(&file)?;
    match format {
        Format::Json => output::json(&serde_json::json!({
            "file": file,
            "schema": schema,
            "plugins": pinned.iter().filter_map(|pinned| pinned.as_ref().ok()).map(Pinned::json).collect::<Vec<_>>(),
            "missing": pinned.iter().filter_map(|pinned| pinned.as_ref().err()).collect::<Vec<_>>(),
        }))?,
        Format::Text => {
            output::text(&format!("wrote {}\n", file.display()))?;
            for pinned in &pinned {
                match pinned {
                    Ok(pinned) => output::text(&pinned.told())?,
                    Err(missing) => output::text(&format!("{}\n", clean(missing)))?,
                }
            }
            output::text(&format!(
                "The grants are stored in {LOCK}, for these components; change them with `autodevops plugin grant`.\n\
                 Look through both files and check them in, then: `autodevops doctor`, `autodevops deploy`, `autodevops run`.\n"
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
