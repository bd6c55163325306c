//! An idle server's memory.

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Result;

use crate::{
    place::Place,
    process::Server,
    report::{Report, Target, median},
};

const NAME: &str = "autodevops serve, idle, resident";
const TARGET: Option<Target> = Some(Target::Under(80.0));

/// The longest that it may take to answer.
const READY: Duration = Duration::from_secs(60);

/// Looks at its memory, and the time between them.
const LOOKS: usize = 10;
const BETWEEN: Duration = Duration::from_millis(200);

/// Resident memory of `autodevops serve` with nothing to do.
pub fn measure(place: &Place, project: Option<&Path>, report: &mut Report) -> Result<()> {
    if !report.wants(NAME) {
        return Ok(());
    }
    let Some(project) = project else {
        report.skip(NAME, "MB", TARGET, "no --project was given".to_owned());
        return Ok(());
    };
    let command = |arguments: &[&str]| -> Result<Command> {
        let mut command = place.program()?;
        command.arg("--config").arg(project.join("autodevops.toml")).args(arguments).stdin(Stdio::null());
        Ok(command)
    };
    let said = project.join("serve.stderr");
    let mut serve = command(&["serve"])?;
    let mut server = Server(serve.stdout(Stdio::null()).stderr(File::create(&said)?).spawn()?);
    // What it says when its plugins are loaded and the logs are open.
    let watches =
        || std::fs::read_to_string(&said).is_ok_and(|text| text.lines().any(|line| line.starts_with("watching")));
    let answers = server.wait_until(READY, watches)?;
    let mut looks = Vec::new();
    if answers {
        for _ in 0..LOOKS {
            std::thread::sleep(BETWEEN);
            // None once it ended.
            looks.extend(server.resident().ok().map(|bytes| bytes as f64 / 1e6));
        }
    }
    if looks.len() == LOOKS {
        report.add(NAME, median(&mut looks), "MB", TARGET);
    } else {
        let text = std::fs::read_to_string(&said).unwrap_or_default();
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it did not answer");
        report.skip(NAME, "MB", TARGET, last.to_owned());
    }
    server.end()?;
    // The front door is a process of its own, in case it was started.
    command(&["edge", "stop"])?.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    Ok(())
}
