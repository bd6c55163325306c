//! The verbs of `autodevops` that the demo uses, as an operator would, and what their ends mean.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use serde_json::Value;

use super::processes::{Interrupt, wait};
use crate::command::target;

/// How a run ended, by the exit code of `autodevops run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The issue is gone and the fix is live.
    Healed,
    /// Something failed before production was touched.
    Failed,
    /// The fix was taken back.
    RolledBack,
    /// A person is asked.
    Waiting,
}

impl Ending {
    /// The ending as the demo's report names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healed => "healed",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Waiting => "waiting",
        }
    }
}

/// The longest that a whole run may take.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// The longest that anything else may take.
const STEP_LIMIT: Duration = Duration::from_secs(60);

/// The command line of one project.
pub struct Cli<'a> {
    config: PathBuf,
    interrupt: &'a Interrupt,
}

impl<'a> Cli<'a> {
    /// For the project in this folder.
    pub fn new(project: &Path, interrupt: &'a Interrupt) -> Self {
        Self { config: project.join("autodevops.toml"), interrupt }
    }

    /// `autodevops deploy`: what is checked in goes to staging and production; the front door is started.
    pub fn deploy(&self) -> Result<()> {
        let (code, _) = self.call(&["deploy"], STEP_LIMIT)?;
        if code != 0 {
            bail!("`autodevops deploy` ended with exit code {code}; its output is above");
        }
        Ok(())
    }

    /// `autodevops run`: the worst issue in the watched logs, up to its end.
    pub fn run(&self) -> Result<Ending> {
        let (code, _) = self.call(&["run"], RUN_LIMIT)?;
        match code {
            0 => Ok(Ending::Healed),
            1 => Ok(Ending::Failed),
            3 => Ok(Ending::RolledBack),
            4 => Ok(Ending::Waiting),
            _ => bail!("`autodevops run` ended with exit code {code}; its output is above"),
        }
    }

    /// `autodevops replay` of the newest run: how long it takes to run its plugins' calls again, and whether the same comes of them.
    pub fn replay(&self) -> Result<(Duration, bool)> {
        let run = self.newest_run()?;
        let began = Instant::now();
        let (code, _) = self.call(&["replay", &run], STEP_LIMIT)?;
        Ok((began.elapsed(), code == 0))
    }

    /// By which method the newest run's release was judged to fail in the end, as `autodevops show` tells it: a bad window before may have
    /// been of another, and turned back nothing.
    pub fn failed_by(&self) -> Result<String> {
        let shown = self.quietly(&["show", &self.newest_run()?])?;
        let events = shown.get("events").and_then(Value::as_array).context("`autodevops show` tells no events")?;
        let judged = |event: &Value| event.pointer("/event/type").is_some_and(|kind| kind == "judged");
        let verdicts = events.iter().filter(|event| judged(event)).filter_map(|event| event.pointer("/event/verdict"));
        let failed = |verdict: &&Value| verdict.get("outcome").is_some_and(|outcome| outcome == "failed");
        let method = verdicts.rev().find(failed).and_then(|verdict| verdict.get("method")?.as_str());
        Ok(method.unwrap_or("no method").to_owned())
    }

    fn newest_run(&self) -> Result<String> {
        let runs = self.quietly(&["runs", "--top", "1"])?;
        runs.pointer("/0/run").and_then(Value::as_str).map(str::to_owned).context("there is no run")
    }

    /// What a verb tells as JSON, which is nothing for people to read.
    fn quietly(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.command(arguments).args(["--format", "json"]).output()?;
        let line = || format!("`autodevops {}`", arguments.join(" "));
        if !output.status.success() {
            bail!("{}: {}", line(), String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).with_context(line)
    }

    /// `autodevops edge stop`: ends the front door and its releases.
    pub fn stop_edge(&self) -> Result<()> {
        // Also after an interrupt: this is what cleans up.
        let mut child = self.command(&["edge", "stop"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        wait(&mut child, STEP_LIMIT, None)?;
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(target().join("debug/autodevops"));
        command.arg("--config").arg(&self.config).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs it, its output going line by line to standard error; its exit code, and what it wrote to standard output.
    fn call(&self, arguments: &[&str], limit: Duration) -> Result<(i32, String)> {
        let line = format!("autodevops {}", arguments.join(" "));
        eprintln!("  $ {line}");
        let mut command = self.command(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let written = std::thread::scope(|scope| {
            let written = scope.spawn(|| stdout.map(pass_on).unwrap_or_default());
            scope.spawn(|| stderr.map(pass_on));
            let status = wait(&mut child, limit, Some(self.interrupt)).with_context(|| format!("`{line}`"));
            (status, written.join().unwrap_or_default())
        });
        let status = written.0?;
        Ok((status.code().unwrap_or(-1), written.1))
    }
}

/// Passes a program's output on, each line marked as its own, and keeps it.
fn pass_on(stream: impl Read) -> String {
    let mut kept = String::new();
    for line in BufReader::new(stream).split(b'\n').map_while(std::result::Result::ok) {
        let line = String::from_utf8_lossy(&line);
        eprintln!("  | {}", line.trim_end());
        kept.push_str(&line);
        kept.push('\n');
    }
    kept
}
