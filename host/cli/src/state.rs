//! `autodevops state`: snapshots of the service's data.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Result, bail};
use autodevops_model::Since;
use autodevops_orchestrator::{
    by_hand::known,
    data::{self, Snapshot, Verified},
    project::Project,
};
use autodevops_pipeline::Timestamp;
use autodevops_policy::Bytes;
use autodevops_server::Request;

use crate::{
    arguments::StateVerb,
    output::{self, Format},
    people, project,
    runs::day,
};

/// What is said of snapshots where there are none.
const NONE: &str = "there is no snapshot yet\n";

pub async fn run(verb: StateVerb, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    match verb {
        StateVerb::List { environment } => {
            let all = data::list(&project, &named(&project, environment)?).await?;
            match format {
                Format::Json => output::json(&all)?,
                Format::Text if all.is_empty() => output::text(NONE)?,
                Format::Text => output::text(&all.iter().map(|one| format!("{}\n", line(one))).collect::<String>())?,
            }
            Ok(ExitCode::SUCCESS)
        }
        StateVerb::Verify { snapshot, environment } => {
            let environment = named(&project, environment)?;
            let all = data::verify(&project, &environment, snapshot.as_deref()).await?;
            match format {
                Format::Json => output::json(&all)?,
                Format::Text if all.is_empty() => output::text(NONE)?,
                Format::Text => output::text(&verified(&all))?,
            }
            let must_be_there = project.config.data.preserve && environment == project.config.rollout.environment;
            let is_well = all.iter().all(|one| one.fault.is_none()) && !(all.is_empty() && must_be_there);
            Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        StateVerb::Snapshot { environment } => {
            let environment = named(&project, environment)?;
            people::say(Request::Snapshot { environment }, config, format).await
        }
        StateVerb::Restore { snapshot, environment, yes } => {
            let environment = named(&project, environment)?;
            let overwrite = yes || sure(&project, &environment, &snapshot).await?;
            people::say(Request::Restore { environment, snapshot, overwrite }, config, format).await
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
    format!(
        "{}  {:<9} {guard}  {}",
        day(Timestamp(snapshot.taken)),
        Bytes(snapshot.bytes).rounded().to_string(),
        snapshot.id
    )
}

fn verified(all: &[Verified]) -> String {
    let tell = |one: &Verified| match (&one.fault, &one.since) {
        (None, None) => format!("whole   {}\n", line(&one.of)),
        (None, Some(since)) => format!("whole   {}: {}\n", line(&one.of), output::clean(&since.to_string())),
        (Some(fault), _) => format!("BROKEN  {}: {}\n", line(&one.of), output::clean(fault)),
    };
    all.iter().map(tell).collect()
}

/// Whether what was written since may be lost: asks on the terminal, where anything was. Without one, `--yes` is the answer, and whoever
/// does not give it loses nothing.
async fn sure(project: &Project, environment: &str, snapshot: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    let since = data::since(project, environment, snapshot).await?;
    if since == Since::Unchanged {
        return Ok(false);
    }
    output::note(&format!("to go back to {snapshot} loses what was written to the data of {environment}: {since}"));
    eprint!("Go back to it? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(true),
        _ => bail!("nothing was changed"),
    }
}

#[cfg(test)]
mod tests {
    use autodevops_model::SnapshotInfo;

    use super::*;

    #[test]
    fn a_snapshot_is_told_with_its_time_its_size_what_is_wrong_and_whether_it_is_as_the_data_is() {
        let snapshot = SnapshotInfo { id: "r1-abc".into(), taken: 1_764_000_000_000_000_000, bytes: 3 << 20 };
        let of = Snapshot { guard: "state-sqlite".into(), snapshot };
        let looked_at =
            |fault: Option<&str>, since| Verified { of: of.clone(), fault: fault.map(str::to_owned), since };
        let all = [
            looked_at(None, None),
            looked_at(Some("its file\x1b is gone"), None),
            looked_at(None, Some(Since::Unchanged)),
            looked_at(None, Some(Since::Changed("it\x1b grew".into()))),
            looked_at(None, Some(Since::Unknown("database is locked".into()))),
        ];
        let text = verified(&all);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("whole   ") && lines[0].ends_with("3 MiB     state-sqlite  r1-abc"), "{text}");
        assert!(lines[1].starts_with("BROKEN  ") && lines[1].ends_with("is gone") && !text.contains('\x1b'), "{text}");
        let ends = [
            "r1-abc: nothing was written since",
            "grew",
            "r1-abc: whether it was written to since is not known: database is locked",
        ];
        assert!(
            lines[2..].iter().zip(ends).all(|(line, end)| line.starts_with("whole ") && line.ends_with(end)),
            "{text}"
        );
    }
}
