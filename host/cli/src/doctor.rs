//! `autodevops doctor`: what this machine has of what a run needs.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Result, bail};
use autodevops_bubblewrap::Outside;
use autodevops_orchestrator::{
    catalog::Catalog,
    clock::now,
    data,
    follow::Follower,
    limits::{self, LoopState},
    plugins::{PluginSet, cache_folder},
    project::Project,
};
use autodevops_pipeline::Timestamp;
use serde::Serialize;

use crate::{
    compile,
    output::{self, Format},
    project,
    runs::day,
};

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    name: &'static str,
    ok: bool,
    /// Whether runs need it, or only some do.
    required: bool,
    says: String,
}

pub async fn run(config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let mut findings = vec![sandbox(), plugins(), git()];
    match (project::file(config), config) {
        (Ok(file), _) => findings.extend(of_project(&file).await),
        (Err(error), Some(_)) => return Err(error),
        (Err(_), None) => findings.push(bubblewrap(false)),
    }
    once(&mut findings);
    let well = findings.iter().all(|finding| finding.ok || !finding.required);
    match format {
        Format::Json => output::json(&findings)?,
        Format::Text => {
            for finding in &findings {
                let mark = match (finding.ok, finding.required) {
                    (true, _) => "ok     ",
                    (false, true) => "MISSING",
                    (false, false) => "absent ",
                };
                output::text(&format!("{mark} {:<12} {}\n", finding.name, finding.says))?;
            }
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells each trouble where it is found first, and refers to that where something else fails for the same.
fn once(findings: &mut [Finding]) {
    let mut told: Vec<(&'static str, String)> = Vec::new();
    for finding in findings.iter_mut().filter(|finding| !finding.ok && !finding.says.is_empty()) {
        match told.iter().find(|(_, says)| finding.says.contains(says)) {
            Some((name, says)) => finding.says = finding.says.replace(says, &format!("see `{name}` above")),
            None => told.push((finding.name, finding.says.clone())),
        }
    }
}

/// What a project needs beyond the machine.
async fn of_project(file: &Path) -> Vec<Finding> {
    let found = |name, required, result: Result<String>| {
        let (ok, says) = match result {
            Ok(says) => (true, says),
            Err(error) => (false, format!("{error:#}")),
        };
        Finding { name, ok, required, says }
    };
    let project = match project::open(Some(file)) {
        Ok(project) => project,
        Err(error) => return vec![found("project", true, Err(error)), bubblewrap(false)],
    };
    let config = &project.config;
    let in_bubblewrap = config.needs_bubblewrap();
    let serves = async {
        let status = project.edge.status().await?;
        let environments: Vec<String> = status
            .environments
            .iter()
            .map(|(name, environment)| {
                let stable = environment.traffic.as_ref().and_then(|traffic| traffic.stable.as_ref());
                format!("{name} {}", stable.map_or("nothing yet", |release| &release.id))
            })
            .collect();
        anyhow::Ok(format!("process {}: {}", status.pid, environments.join(", ")))
    };
    vec![
        found("project", true, Ok(format!("{} is in order", file.display()))),
        found("grants", true, grants(&project)),
        found("stages", true, project.check_plugins().map(|()| "every plugin that is named can be loaded".to_owned())),
        found(
            "credentials",
            true,
            project.check_credentials().await.map(|()| "every credential that is asked for can be used".to_owned()),
        ),
        found(
            "repository",
            true,
            project.repository().and_then(|repository| Ok(repository.head()?)).map(|head| {
                format!("on branch {} at {}", head.branch, head.commit.as_str().chars().take(10).collect::<String>())
            }),
        ),
        found("data", config.data.preserve, guarded(&project).await),
        found("loop", false, looping(&project)),
        found("target", true, able(&project).await),
        found("people", true, people(&project)),
        found("notices", false, told(&project)),
        found("logs", false, logs(&project)),
        found("front door", false, if project.is_local() { serves.await } else { Ok("not needed".to_owned()) }),
        bubblewrap(in_bubblewrap),
    ]
}

/// What of the plugins' requests was answered, plugin by plugin.
fn grants(project: &Project) -> Result<String> {
    project.check_answers()?;
    let catalog = project.plugins.catalog();
    let mut told = Vec::new();
    for (_, name) in project.config.plugins_of_stages() {
        let folder = catalog.open(name)?;
        let line = format!("{} {}", folder.manifest.name, catalog.standing(&folder)?.state());
        if !told.contains(&line) {
            told.push(line);
        }
    }
    Ok(told.join(", "))
}

/// Who keeps production's data, and what of it.
async fn guarded(project: &Project) -> Result<String> {
    let config = &project.config;
    if config.stages.state_guards.is_empty() {
        return Ok("no plugin keeps any: a release that is taken back leaves it as it is".to_owned());
    }
    project.check_commands()?;
    let all = data::list(project, &config.rollout.environment).await?;
    let guards = config.stages.state_guards.join(", ");
    let newest = all.last().map_or("no snapshot yet".to_owned(), |newest| {
        format!("{} snapshots, the newest of {}", all.len(), day(Timestamp(newest.snapshot.taken)))
    });
    let must = if config.data.preserve { "no release without one" } else { "a release may go without" };
    Ok(format!("{guards}: {newest}; {must}"))
}

/// Whether runs start now.
fn looping(project: &Project) -> Result<String> {
    limits::may_start(project, now())?;
    let waiting = LoopState::new(&project.journal).queue()?.len();
    let frozen = project.config.plan().freeze.iter().filter_map(|freeze| freeze.until(now())).max();
    let frozen = frozen.map_or(String::new(), |until| format!("; none begins with production until {}", day(until)));
    Ok(format!("runs start; {waiting} issues wait for theirs{frozen}"))
}

/// Who is waited for, and by what they speak.
fn people(project: &Project) -> Result<String> {
    project.check_people()?;
    let approval = &project.config.approval;
    let approvers = match &approval.approvers[..] {
        [] if approval.required => {
            "whoever may speak to the runs may approve; name people in [approval] `approvers` to have it be them alone"
                .to_owned()
        }
        [] => "whoever may speak to the runs may approve".to_owned(),
        named => format!("{} of {} may approve", approval.count, named.join(", ")),
    };
    let server = match project.config.server.listen {
        Some(listen) => format!("HTTP at {listen}, {} tokens", project.config.server.tokens.len()),
        None => "no HTTP API".to_owned(),
    };
    Ok(format!("{approvers}; {server}"))
}

/// What the deploy target can do of what is asked of it.
async fn able(project: &Project) -> Result<String> {
    let target = project.target_capabilities().await?;
    project.check_target(&target)?;
    let can = [
        (target.split_traffic, "splits traffic"),
        (target.fresh_baseline, "starts a fresh baseline"),
        (target.keeps_state, "keeps data across releases"),
        (target.fenced, "refuses a host that was replaced"),
    ];
    let can: Vec<&str> = can.into_iter().filter(|(can, _)| *can).map(|(_, what)| what).collect();
    let name = &project.config.stages.deploy_target;
    Ok(match can.as_slice() {
        [] => format!("`{name}` moves all traffic at once, and does what is asked of it"),
        can => format!("`{name}` {}", can.join(", ")),
    })
}

/// Who tells people of what a run asks and comes to.
fn told(project: &Project) -> Result<String> {
    let config = &project.config;
    if config.stages.notifiers.is_empty() {
        let silence = match config.approval.required {
            true => format!("; a run that asks ends after {} without an answer", config.approval.timeout),
            false => String::new(),
        };
        bail!(
            "nobody is told: what a run asks stands in `autodevops runs` alone{silence}; name notifiers in [stages] `notifiers`"
        );
    }
    Ok(format!("told by {}", config.stages.notifiers.join(", ")))
}

/// The watched logs that are there; their source maps must be.
fn logs(project: &Project) -> Result<String> {
    project.source_maps()?;
    let mut follower = Follower::new(&project.config.logs.watch)?;
    follower.poll(1)?;
    let mut there = Vec::new();
    for status in follower.status() {
        match status.trouble {
            Some(trouble) => anyhow::bail!("{}: {trouble}", status.source),
            None if status.waiting => {}
            None => there.push(status.source),
        }
    }
    anyhow::ensure!(!there.is_empty(), "none of the watched logs is there yet");
    Ok(there.join(", "))
}

fn sandbox() -> Finding {
    let cache = cache_folder().map_or("no cache folder".to_owned(), |path| path.display().to_string());
    let (ok, says) = match PluginSet::new(Catalog::by_hand(), Default::default(), compile::services()) {
        Ok(_) => (true, format!("the engine starts; compiled components are kept in {cache}")),
        Err(error) => (false, format!("{error:#}")),
    };
    Finding { name: "sandbox", ok, required: true, says }
}

fn plugins() -> Finding {
    let names = PluginSet::new(Catalog::by_hand(), Default::default(), compile::services())
        .map(|plugins| plugins.folders().names())
        .unwrap_or_default();
    let says = if names.is_empty() {
        "no plugins were found; name their folder in AUTODEVOPS_PLUGINS".to_owned()
    } else {
        names.join(", ")
    };
    Finding { name: "plugins", ok: !names.is_empty(), required: true, says }
}

fn git() -> Finding {
    let (ok, says) = answer("git", &["--version"], "install git: fixes are committed to branches of the repository");
    Finding { name: "git", ok, required: true, says }
}

fn bubblewrap(required: bool) -> Finding {
    let confined = "builds and command releases can be confined";
    let (ok, says) = match autodevops_bubblewrap::probe() {
        Ok(Outside::Same) if rustix::process::geteuid().is_root() => (
            true,
            format!(
                "{confined}, but the system may not hold them to a number of processes; run autodevops as another user than root"
            ),
        ),
        Ok(_) => (true, confined.to_owned()),
        Err(error) => (false, error.to_string()),
    };
    Finding { name: "bubblewrap", ok, required, says }
}

fn answer(program: &str, arguments: &[&str], remedy: &str) -> (bool, String) {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => (true, String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => (false, format!("{}; {remedy}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => (false, format!("{error}; {remedy}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_lack_is_told_once() {
        let lacks = "`local` asks for what nobody answered:\n  `autodevops plugin grant local`";
        let found = |name, ok, says: &str| Finding { name, ok, required: true, says: says.to_owned() };
        let mut all = [
            found("git", true, "2.40"),
            found("grants", false, lacks),
            found("stages", false, lacks),
            found("target", false, &format!("[stages] deploy-target: {lacks}")),
            found("logs", false, "none is there"),
        ];
        once(&mut all);
        let says: Vec<&str> = all.iter().map(|finding| finding.says.as_str()).collect();
        let refers = "see `grants` above";
        assert_eq!(says, ["2.40", lacks, refers, &format!("[stages] deploy-target: {refers}"), "none is there"]);
    }
}
