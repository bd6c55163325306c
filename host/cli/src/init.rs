//! `autodevops init`: a first configuration.

use std::{io::Write, process::ExitCode};

use anyhow::{Context, Result, bail};
use autodevops_config::{FILE, template_for};
use autodevops_orchestrator::state::StateFolder;

use crate::{
    arguments::Init,
    output::{self, Format, Usage},
};

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
    match format {
        Format::Json => output::json(&serde_json::json!({ "file": file, "schema": schema }))?,
        Format::Text => output::text(&format!(
            "wrote {}\nLook through it and check it in, then: `autodevops doctor`, `autodevops deploy`, `autodevops run`.\n",
            file.display()
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}
