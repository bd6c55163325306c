//! `autodevops pause` and `resume`: whether runs start. It is a fact in the journal: whoever drives runs asks before each.

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use autodevops_orchestrator::{
    clock::now,
    limits::{LoopState, Paused},
};
use autodevops_server::this_user;

use crate::{
    output::{self, Format, cut},
    project,
    runs::day,
};

/// `autodevops pause`.
pub fn pause(reason: &str, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let paused = Paused { by: this_user().name, reason: reason.to_owned(), since: now() };
    let before = LoopState::new(&project.journal).pause(&paused)?;
    let text = match &before {
        Some(before) => {
            let kept = if reason.trim().is_empty() { "" } else { "; that stands, and your reason is not recorded" };
            format!("no runs start already: {}{kept}. Let them start again with `autodevops resume`", said(before))
        }
        None => "no more runs start; those under way go on. Let them start again with `autodevops resume`".to_owned(),
    };
    told(Some(before.as_ref().unwrap_or(&paused)), &text, format)
}

/// `autodevops resume`.
pub fn resume(config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let text = match LoopState::new(&project.journal).resume(&this_user().name, now())? {
        Some(before) => format!("runs start again; {}", said(&before)),
        None => "the loop was not paused".to_owned(),
    };
    told(None, &text, format)
}

/// Who paused the loop, since when and why.
pub fn said(paused: &Paused) -> String {
    let reason = if paused.reason.is_empty() { String::new() } else { format!(": {}", cut(&paused.reason, 200)) };
    format!("paused by {} since {}{reason}", cut(&paused.by, 60), day(paused.since))
}

fn told(paused: Option<&Paused>, text: &str, format: Format) -> Result<ExitCode> {
    match format {
        Format::Json => output::json(&serde_json::json!({ "paused": paused, "done": text }))?,
        Format::Text => output::text(&format!("{text}\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}
