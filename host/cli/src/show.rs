//! `autodevops show`: a run from its beginning on, with its rollout drawn, and each decision with the rule and the numbers behind it.

mod chart;
mod reasons;

use std::{path::Path, process::ExitCode};

use anyhow::{Context, Result};
use autodevops_orchestrator::{controller::named, log::Logged};
use autodevops_record::rollout;
use serde_json::json;

use crate::{
    output::{self, Format, Style, clean, cut},
    progress::clock,
    project,
    runs::{day, state, summary},
    story,
};

/// `autodevops show`.
pub fn run(run: &str, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let name = named(&project, run)?;
    let logged = project.log.read(&name)?.context("the run is not in the journal any more")?;
    if format == Format::Json {
        output::json(&json!({ "run": summary(&logged.run), "events": logged.events }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let before = before(&name).filter(|before| named(&project, before).is_ok());
    output::text(&text(&logged, before.as_deref(), Style::stdout()))?;
    Ok(ExitCode::SUCCESS)
}

fn text(logged: &Logged, before: Option<&str>, style: Style) -> String {
    let run = &logged.run;
    let mut text = format!("{} {}\n", style.bold(run.id()), clean(&state(run)));
    if let Some(before) = before {
        text.push_str(&format!("the same fault as in run {before}\n"));
    }
    text.push_str(&format!("started {}\n\n", day(run.started_at())));
    let mut reasons = reasons::Reasons::default();
    for event in &logged.events {
        let why = reasons.of(&event.event);
        let Some(telling) = story::event(&event.event) else { continue };
        text.push_str(&format!("{} {}\n", style.dim(&clock(event.at.0)), cut(&telling.line, 600)));
        for under in telling.under.iter().chain(&why) {
            text.push_str(&format!("          {}\n", style.dim(&cut(under, 400))));
        }
    }
    // Events that are a run were read already.
    if let Ok(Some(rollout)) = rollout(&logged.events) {
        text.push_str(&format!("\n{}", chart::drawn(&rollout, run.plan(), style)));
    }
    if let Some(gate) = run.gate() {
        text.push_str(&format!(
            "\nwaits for a person until {}: {}\n  autodevops approve {id}\n  autodevops reject {id}\n",
            day(gate.until),
            clean(&gate.reason),
            id = run.id()
        ));
    }
    if let Some(hold) = run.on_hold() {
        let why = if hold.reason.is_empty() { String::new() } else { format!(": {}", hold.reason) };
        text.push_str(&format!(
            "\non hold by {} since {}{}\n  autodevops resume {}\n",
            clean(&hold.by),
            day(hold.since),
            clean(&why),
            run.id()
        ));
    }
    if let Some(branch) = run.branch() {
        text.push_str(&format!("\nthe change: git show {branch}\n"));
    }
    text
}

/// The run for the same fault before this one: names end in a number that grows.
fn before(name: &str) -> Option<String> {
    let (start, number) = name.rsplit_once('-')?;
    let number: u64 = number.parse().ok()?;
    (number > 1).then(|| format!("{start}-{}", number - 1))
}

#[cfg(test)]
mod tests;
