//! `autodevops edge`: the front door of the local target.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, Result};
use autodevops_edge::{EnvironmentStatus, Phase};
use autodevops_orchestrator::{front_door, project::Project};

use crate::{
    arguments::EdgeVerb,
    output::{self, Format, Style},
    project,
};

pub async fn run(verb: EdgeVerb, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    match verb {
        EdgeVerb::Serve { detach, take_over } => {
            if detach {
                // A session of its own: what ends the terminal's programs does not end what serves.
                rustix::process::setsid().context("the terminal cannot be let go of")?;
            }
            let options = front_door::options(&project, detach)?;
            drop(project);
            if take_over {
                autodevops_edge::take_over(options).await?;
            } else {
                autodevops_edge::serve(options).await?;
            }
        }
        EdgeVerb::Start => {
            let started = front_door::ensure(&project).await?;
            say(format, if started { "the front door serves" } else { "the front door serves already" })?;
        }
        EdgeVerb::Upgrade => {
            front_door::upgrade(&project).await?;
            say(format, "another front door serves; the one before ends when it has answered what it is answering")?;
        }
        EdgeVerb::Stop => {
            if project.edge.running().context("the front door's lock")?.is_none() {
                say(format, "no front door runs")?;
            } else {
                project.edge.shutdown().await?;
                say(format, "the front door has ended, and its releases with it")?;
            }
        }
        EdgeVerb::Status => status(&project, format).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn say(format: Format, text: &str) -> Result<()> {
    match format {
        Format::Json => output::json(&serde_json::json!({ "done": text })),
        Format::Text => output::text(&format!("{text}\n")),
    }
}

async fn status(project: &Project, format: Format) -> Result<()> {
    let status = project.edge.status().await?;
    if format == Format::Json {
        return output::json(&status);
    }
    let style = Style::stdout();
    let metrics = status.metrics.map_or(String::new(), |address| format!(", counters at http://{address}/metrics"));
    output::text(&format!("process {}{metrics}\n", status.pid))?;
    for (name, environment) in &status.environments {
        output::text(&format!("{} at http://{}/\n", style.bold(name), environment.listen))?;
        output::text(&releases(environment))?;
    }
    Ok(())
}

fn releases(environment: &EnvironmentStatus) -> String {
    if environment.releases.is_empty() {
        return "  nothing was deployed yet\n".to_owned();
    }
    let stable = environment.traffic.as_ref().and_then(|traffic| traffic.stable.as_ref());
    let mut text = String::new();
    if environment.traffic.as_ref().is_some_and(|traffic| traffic.kept_since.is_some()) {
        text.push_str(
            "  nobody renewed the shares, and the stable release does not answer: they stay as they are until it does\n",
        );
    }
    for release in &environment.releases {
        let phase = match release.phase {
            Phase::Starting => "starting",
            Phase::Up => "up",
            Phase::Down => "down",
            Phase::Stopped => "stopped",
        };
        let is_stable = stable.is_some_and(|stable| stable.id == release.release.id);
        let mut notes = Vec::new();
        if is_stable {
            notes.push("stable".to_owned());
        }
        if release.crash_loop {
            notes.push("crashes again and again".to_owned());
        }
        if release.probe_fails {
            notes.push("does not answer its probe".to_owned());
        }
        if release.restarts > 0 {
            notes.push(format!("started again {} times", release.restarts));
        }
        text.push_str(&format!(
            "  {:>3} %  {:<22} {phase:<9} {}  {}\n",
            release.percent,
            release.release.id,
            release.url,
            notes.join(", ")
        ));
    }
    text
}
