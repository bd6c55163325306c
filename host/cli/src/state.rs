//! `autodevops state`: snapshots of the service's data.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Result, bail};
use autodevops_orchestrator::{
    by_hand::known,
    data::{self, Snapshot, Verified},
    project::Project,
};
use autodevops_pipeline::Timestamp;
use autodevops_server::Request;

use crate::{
    arguments::StateVerb,
    gc::size,
    output::{self, Format, Usage},
    people, project,
    runs::day,
};

pub async fn run(verb: StateVerb, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    match verb {
        StateVerb::List { environment } => {
            let all = data::list(&project, &named(&project, environment)?).await?;
            match format {
                Format::Json => output::json(&all)?,
                Format::Text if all.is_empty() => output::text("there is no snapshot yet\n")?,
                Format::Text => output::text(&all.iter().map(|one| format!("{}\n", line(one))).collect::<String>())?,
            }
            Ok(ExitCode::SUCCESS)
        }
        StateVerb::Verify { snapshot, environment } => {
            let all = data::verify(&project, &named(&project, environment)?, snapshot.as_deref()).await?;
            match format {
                Format::Json => output::json(&all)?,
                Format::Text => output::text(&verified(&all))?,
            }
            Ok(if all.iter().all(|one| one.fault.is_none()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        StateVerb::Snapshot { environment } => {
            let environment = named(&project, environment)?;
            people::say(Request::Snapshot { environment }, config, format).await
        }
        StateVerb::Restore { snapshot, environment, yes } => {
            let environment = named(&project, environment)?;
            if !yes {
                sure(&environment, &snapshot)?;
            }
            people::say(Request::Restore { environment, snapshot }, config, format).await
        }
    }
}

/// The environment that is named, or production.
fn named(project: &Project, environment: Option<String>) -> Result<String> {
    let environment = environment.unwrap_or_else(|| project.config.rollout.environment.clone());
    known(project, &environment)?;
    Ok(environment)
}

fn line(one: &Snapshot) -> String {
    let Snapshot { guard, snapshot } = one;
    format!("{}  {:<9} {guard}  {}", day(Timestamp(snapshot.taken)), size(snapshot.bytes).to_string(), snapshot.id)
}

fn verified(all: &[Verified]) -> String {
    let tell = |one: &Verified| match &one.fault {
        None => format!("whole   {}\n", line(&one.of)),
        Some(fault) => format!("BROKEN  {}: {}\n", line(&one.of), output::clean(fault)),
    };
    all.iter().map(tell).collect()
}

/// Asks on the terminal; without one, `--yes` is the answer.
fn sure(environment: &str, snapshot: &str) -> Result<()> {
    if !io::stdin().is_terminal() {
        bail!(Usage(format!(
            "to go back to {snapshot} loses what was written to the data of {environment} since; say that it is meant with --yes"
        )));
    }
    output::note(&format!(
        "what was written to the data of {environment} since {snapshot} was taken is lost to the service"
    ));
    eprint!("Go back to it? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was changed"),
    }
}

#[cfg(test)]
mod tests {
    use autodevops_model::SnapshotInfo;

    use super::*;

    #[test]
    fn a_snapshot_is_told_with_its_time_its_size_and_what_is_wrong() {
        let snapshot = SnapshotInfo { id: "r1-abc".into(), taken: 1_764_000_000_000_000_000, bytes: 3 << 20 };
        let of = Snapshot { guard: "state-sqlite".into(), snapshot };
        let all =
            [Verified { of: of.clone(), fault: None }, Verified { of, fault: Some("its file\x1b is gone".into()) }];
        let text = verified(&all);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("whole   ") && lines[0].ends_with("3 MiB     state-sqlite  r1-abc"), "{text}");
        assert!(lines[1].starts_with("BROKEN  ") && lines[1].ends_with("is gone") && !text.contains('\x1b'), "{text}");
    }
}
