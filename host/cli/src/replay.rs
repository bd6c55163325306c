//! `autodevops replay` and `autodevops plugin test`: recorded calls, run again.

mod difference;
mod show;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use autodevops_model::Stage;
use autodevops_orchestrator::{
    controller::named,
    plugins::PluginSet,
    project::Project,
    recordings::{RecordingStore, export},
};
use autodevops_sandbox::{
    Sandbox,
    replay::{Order, Outcome, Recording, RecordingError, Replay},
};
use serde::Deserialize;

use crate::{
    arguments,
    output::{self, Format, Usage},
    project,
};

/// One recording that was replayed, or that could not be.
struct Done {
    file: PathBuf,
    result: Result<(Recording, Replay), String>,
}

impl Done {
    fn is_same(&self) -> bool {
        self.result.as_ref().is_ok_and(|(_, replay)| replay.is_same())
    }
}

/// `autodevops replay`.
pub async fn run(options: &arguments::Replay, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let recordings = chosen(&project, options)?;
    if let Some(folder) = &options.export {
        let written = export(&recordings, folder)?;
        let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        match format {
            Format::Json => output::json(&names)?,
            Format::Text => output::text(&format!("{}\n", names.join("\n")))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let with = options.with.as_ref().map(|path| component(&project.plugins, path)).transpose()?;
    let sandbox = project.plugins.sandbox();
    let mut all = Vec::new();
    for file in recordings {
        let result = match Recording::open(&file) {
            Ok(recording) => replayed(&project.recordings, sandbox, recording, with.as_deref()).await,
            Err(error) => Err(error.to_string()),
        };
        all.push(Done { file, result });
    }
    show::all(&all, with.is_some(), format)?;
    Ok(if all.iter().all(Done::is_same) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn replayed(
    store: &RecordingStore,
    sandbox: &Sandbox,
    recording: Recording,
    with: Option<&[u8]>,
) -> Result<(Recording, Replay), String> {
    let kept = match with {
        Some(_) => Vec::new(),
        None => store.components().read(&recording.header.component).map_err(|error| format!("{error:#}"))?,
    };
    let replay = recording.replay(sandbox, with.unwrap_or(&kept)).await.map_err(|error| error.to_string())?;
    Ok((recording, replay))
}

/// The recordings that are asked for.
fn chosen(project: &Project, options: &arguments::Replay) -> Result<Vec<PathBuf>> {
    // The watch is no run, and has recordings of its own.
    let run = match project.recordings.of_run(&options.run) {
        Ok(found) if !found.is_empty() => options.run.clone(),
        _ => named(project, &options.run)?,
    };
    let all = project.recordings.of_run(&run)?;
    if all.is_empty() {
        bail!(Usage(format!("run {run} has no recordings; runs are recorded when `enabled` in [recording] is true")));
    }
    let stage: Option<Stage> = match &options.stage {
        None => None,
        Some(name) => Some(name.parse().map_err(|error| Usage(format!("{error}")))?),
    };
    let (total, mut chosen) = (all.len(), Vec::new());
    for path in all {
        // One that cannot be read is told of by the replay.
        let fits = Recording::open(&path).map_or(true, |recording| {
            let header = recording.header;
            stage.is_none_or(|stage| header.stage == stage)
                && options.plugin.as_ref().is_none_or(|plugin| header.plugin == *plugin)
        });
        if fits {
            chosen.push(path);
        }
    }
    if chosen.is_empty() {
        bail!(Usage(format!("none of the {total} recordings of run {run} is of that stage and plugin")));
    }
    Ok(chosen)
}

/// The component in a file, or in a plugin's folder.
fn component(plugins: &PluginSet, path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        // By its path, never by a name.
        return Ok(plugins.open(&format!("{}/", path.display()))?.component);
    }
    fs::read(path).map_err(|error| Usage(format!("--with {}: {error}", path.display())).into())
}

/// What `--update` keeps beside a recording: what is expected of the plugin from now on.
#[derive(Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Expected {
    /// Digest of the recording.
    recording: String,
    /// What comes of each function.
    outcomes: Vec<Outcome>,
}

/// `autodevops plugin test`.
pub async fn test(plugins: &PluginSet, options: &arguments::PluginTest, format: Format) -> Result<ExitCode> {
    let folder = plugins.open(options.plugin.as_deref().unwrap_or("./"))?;
    let mut all = Vec::new();
    for file in &options.recording {
        let result = match Recording::open(file) {
            Ok(recording) => tested(plugins, &folder.component, file, recording, options.update).await,
            Err(error @ RecordingError::Read { .. }) => bail!(Usage(error.to_string())),
            Err(error) => Err(error.to_string()),
        };
        all.push(Done { file: file.clone(), result });
    }
    show::all(&all, true, format)?;
    Ok(if all.iter().all(Done::is_same) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn tested(
    plugins: &PluginSet,
    component: &[u8],
    file: &Path,
    recording: Recording,
    update: bool,
) -> Result<(Recording, Replay), String> {
    let beside = file.with_extension("expected.json");
    // What matters is what comes of it, not in which order it asks.
    let replay = recording.replay_in(Order::Matching, plugins.sandbox(), component).await;
    let mut replay = replay.map_err(|error| error.to_string())?;
    if update {
        let outcomes = replay.functions.iter().filter_map(|function| function.replayed.clone()).collect();
        let expected = Expected { recording: recording.digest.clone(), outcomes };
        let text = serde_json::to_string_pretty(&expected).map_err(|error| error.to_string())?;
        fs::write(&beside, text + "\n").map_err(|error| format!("{}: {error}", beside.display()))?;
    }
    if let Some(expected) = expected(&beside, &recording).map_err(|error| format!("{error:#}"))? {
        replay.expect(&expected.outcomes);
    }
    Ok((recording, replay))
}

fn expected(beside: &Path, recording: &Recording) -> Result<Option<Expected>> {
    let text = match fs::read_to_string(beside) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| beside.display().to_string())?,
    };
    let expected: Expected = serde_json::from_str(&text)
        .with_context(|| format!("{} is not what --update writes; write it anew with --update", beside.display()))?;
    if expected.recording != recording.digest {
        bail!("{} is of another recording; write it anew with --update", beside.display());
    }
    Ok(Some(expected))
}
