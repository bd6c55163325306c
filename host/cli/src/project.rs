//! Finding and opening the project that a verb is about.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use autodevops_config::FILE;
use autodevops_orchestrator::project::Project;

use crate::{compile, output::Usage};

/// The configuration's file: the one named, or the nearest `autodevops.toml`, here or in a folder above.
pub fn file(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(file) = named {
        return Ok(if file.is_dir() { file.join(FILE) } else { file.to_owned() });
    }
    let here = std::env::current_dir().context("this folder")?;
    let found = here.ancestors().map(|folder| folder.join(FILE)).find(|file| file.is_file());
    found.ok_or_else(|| {
        Usage(format!(
            "there is no {FILE} in {} or above; write one with `autodevops init`, or name yours with --config",
            here.display()
        ))
        .into()
    })
}

/// Opens the project.
pub fn open(named: Option<&Path>) -> Result<Arc<Project>> {
    Project::open(&file(named)?, compile::compiler())
}
