//! A fresh sandboxed call, beside the bare engine's and a process.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Result, anyhow};
use autodevops_model::CheckInput;
use autodevops_sandbox::CallContext;

use crate::{
    place::Place,
    raw::{self, RawCheck},
    report::{Report, median, microseconds},
};

/// Rounds, in each of which every side has its turn.
const ROUNDS: usize = 20;

/// Calls of one turn.
const CALLS: usize = 200;

/// Processes of one turn.
const PROCESSES: usize = 10;

/// 1 KiB of paths.
fn paths() -> Vec<String> {
    (0..16).map(|index| format!("functions/lib/{index:0>50}")).collect()
}

/// One check: 1 KiB in, one log line.
pub async fn measure(place: &Place, report: &mut Report) -> Result<()> {
    if !report.wants("call") {
        return Ok(());
    }
    let sandbox = place.sandbox()?;
    let check = place.plugin(&sandbox, "echo-check")?;
    let bare = RawCheck::new(sandbox.engine(), &place.plugin_folder("echo-check")?.component)
        .map_err(|error| anyhow!("{error:#}"))?;
    let input = CheckInput { changed: paths(), tests: vec![], fix: None, issue: None, url: None };
    let raw_input = raw::CheckInput { changed: paths(), tests: vec![], fix: None, issue: None, url: None };
    let context = CallContext { run: "bench".to_owned(), ..CallContext::default() };

    let (mut calls, mut raw_calls, mut processes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        for _ in 0..CALLS {
            let input = input.clone();
            let begun = Instant::now();
            check.check(&context, input).await?;
            calls.push(microseconds(begun.elapsed()));
        }
        for _ in 0..CALLS {
            let begun = Instant::now();
            bare.call(&raw_input).await.map_err(|error| anyhow!("{error:#}"))?;
            raw_calls.push(microseconds(begun.elapsed()));
        }
        for _ in 0..PROCESSES {
            let mut command = Command::new("/bin/true");
            command.stdin(Stdio::null()).stdout(Stdio::null());
            let begun = Instant::now();
            command.status()?;
            processes.push(microseconds(begun.elapsed()));
        }
        if round == 0 {
            // The first round warms up.
            (calls, raw_calls, processes) = (Vec::new(), Vec::new(), Vec::new());
        }
    }
    let (call, raw, process) = (median(&mut calls), median(&mut raw_calls), median(&mut processes));
    report.add("sandboxed call, fresh", call, "µs", Some("at most 25"));
    report.add("bare engine, same component", raw, "µs", None);
    report.add("sandboxed call / bare engine", call / raw, "times", Some("at most 2"));
    report.add("process /bin/true", process, "µs", None);
    report.add("process / sandboxed call", process / call, "times", Some("at least 30"));
    Ok(())
}
