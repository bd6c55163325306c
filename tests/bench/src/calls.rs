//! A fresh sandboxed call, beside the bare engine's and a process; many at once; and what one host call costs.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use anyhow::{Result, anyhow};
use autodevops_journal::Journal;
use autodevops_model::CheckInput;
use autodevops_orchestrator::audit::Audit;
use autodevops_sandbox::{CallContext, Observer, Plugin};

use crate::{
    place::Place,
    raw::{self, RawCheck},
    report::{Report, Target, median, microseconds, percentile},
};

/// Rounds, in each of which every side has its turn.
const ROUNDS: usize = 20;

/// Calls of one turn.
const CALLS: usize = 200;

/// Processes of one turn.
const PROCESSES: usize = 10;

/// Calls at once, and how many of each in turn.
const AT_ONCE: usize = 64;

/// Host calls of one call, where their cost is measured.
const HOST_CALLS: usize = 10_000;

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
    let folder = tempfile::tempdir()?;
    let audit = Arc::new(Audit::new(Journal::open(folder.path().join("journal.db"))?));
    let observer: Arc<dyn Observer> = Arc::<Audit>::clone(&audit);
    let bare = RawCheck::new(sandbox.engine(), &place.plugin_folder("echo-check")?.component)
        .map_err(|error| anyhow!("{error:#}"))?;
    let input = CheckInput { changed: paths(), tests: vec![], fix: None, issue: None, url: None };
    let raw_input = raw::CheckInput { changed: paths(), tests: vec![], fix: None, issue: None, url: None };
    let context = CallContext { run: "bench".to_owned(), observer: Some(observer), ..CallContext::default() };

    let (mut calls, mut raw_calls, mut processes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        for _ in 0..CALLS {
            let input = input.clone();
            let begun = Instant::now();
            check.check(&context, input).await?;
            calls.push(microseconds(begun.elapsed()));
        }
        // As at the end of a stage.
        audit.seal("bench", "bench", 0);
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
    report.add("sandboxed call, fresh, audited", call, "µs", Some(Target::AtMost(20.0)));
    report.add("bare engine, same component", raw, "µs", None);
    report.add("sandboxed call / bare engine", call / raw, "times", Some(Target::AtMost(1.5)));
    report.add("process /bin/true", process, "µs", None);
    report.add("process / sandboxed call", process / call, "times", Some(Target::AtLeast(30.0)));
    at_once(&check, &context, report).await?;
    host_calls(&check, &bare, &context, report).await
}

/// How long calls take while many are made at once.
async fn at_once(check: &Plugin, context: &CallContext, report: &mut Report) -> Result<()> {
    let mut tasks = Vec::new();
    for _ in 0..AT_ONCE {
        let (check, context) = (check.clone(), context.clone());
        tasks.push(tokio::spawn(async move {
            let mut took = Vec::new();
            for _ in 0..CALLS {
                let input = CheckInput { changed: paths(), tests: vec![], fix: None, issue: None, url: None };
                let begun = Instant::now();
                check.check(&context, input).await?;
                took.push(microseconds(begun.elapsed()));
                tokio::task::yield_now().await;
            }
            anyhow::Ok(took)
        }));
    }
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await??);
    }
    report.add("sandboxed call, 64 at once, p99", percentile(&mut took, 0.99), "µs", Some(Target::AtMost(100.0)));
    Ok(())
}

/// What the chokepoint adds to a host call: the difference to the bare engine's, over many calls of the clock.
async fn host_calls(check: &Plugin, bare: &RawCheck, context: &CallContext, report: &mut Report) -> Result<()> {
    let tests = vec![String::new(); HOST_CALLS];
    let (mut guarded, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let input = CheckInput { changed: paths(), tests: tests.clone(), fix: None, issue: None, url: None };
        let begun = Instant::now();
        check.check(context, input).await?;
        guarded.push(microseconds(begun.elapsed()));
        let input = raw::CheckInput { changed: paths(), tests: tests.clone(), fix: None, issue: None, url: None };
        let begun = Instant::now();
        bare.call(&input).await.map_err(|error| anyhow!("{error:#}"))?;
        plain.push(microseconds(begun.elapsed()));
    }
    let (guarded, plain) = (median(&mut guarded), median(&mut plain));
    let each = (guarded - plain) * 1000.0 / HOST_CALLS as f64;
    report.add("chokepoint, each host call", each, "ns", Some(Target::AtMost(200.0)));
    Ok(())
}
