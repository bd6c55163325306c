//! `autodevops runs`: which runs there are.

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use autodevops_orchestrator::{
    aftermath::{After, Aftermath, GoneBack},
    limits::{LoopState, Queued},
    log::Logged,
    revert::Undoing,
};
use autodevops_pipeline::{Alarm, Outcome, Run, Timestamp};
use autodevops_server::{needed, outcome_name, summary};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    arguments::Runs,
    output::{self, Format, Style, clean, cut},
    pause::said,
    progress::clock,
    project,
};

/// `autodevops runs`.
pub fn list(options: &Runs, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let mut all = project.log.all()?;
    all.reverse();
    let total = all.len();
    if options.top > 0 {
        all.truncate(options.top);
    }
    let state = LoopState::new(&project.journal);
    let (paused, queue) = (state.paused()?, state.queue()?);
    let aftermath = Aftermath::read(&project)?;
    if format == Format::Json {
        let runs = all.iter().map(|Logged { run, .. }| summary(run, &aftermath.of(run)));
        let list: Vec<Value> = runs.chain(queue.iter().map(waiting)).collect();
        output::json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let style = Style::stdout();
    if let Some(paused) = paused {
        output::text(&format!("{}\n", style.bad(&format!("no run starts: {}", said(&paused)))))?;
    }
    for Queued { fingerprint, title } in &queue {
        let start = cut(&fingerprint.chars().take(8).collect::<String>(), 8);
        output::text(&format!(
            "{start:<14} {:<20} {} {}\n",
            "",
            style.bold(&format!("{:<18}", "queued")),
            cut(title, 70)
        ))?;
    }
    for Logged { run, .. } in &all {
        let after = aftermath.of(run);
        let shown = padded(style, run, !after.gone_back.is_empty());
        output::text(&format!(
            "{:<14} {} {shown} {}\n",
            run.id(),
            style.dim(&day(run.started_at())),
            cut(&run.issue().title, 70)
        ))?;
        for line in below(run).into_iter().chain(became(&after)) {
            output::text(&format!("{:<14} {}\n", "", style.dim(&line)))?;
        }
    }
    match (total, total - all.len()) {
        (0, _) => output::text("no runs yet\n")?,
        (_, 0) => {}
        (_, more) => output::text(&format!("{more} older ones; see them with --top 0\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What a run that is not over waits for, and what people can do about it.
pub fn below(run: &Run) -> Vec<String> {
    let (id, mut lines) = (run.id(), Vec::new());
    if run.outcome().is_some() {
        return lines;
    }
    if let Some(of) = run.awaited() {
        lines.push(format!("for {}", cut(&of.to_string(), 100)));
    }
    if let Some((until, reason)) = run.frozen().filter(|_| run.gate().is_none()) {
        let why = if reason.is_empty() { String::new() } else { format!(": {}", cut(reason, 100)) };
        lines.push(format!("for a freeze that ends {}{why}", day(*until)));
    }
    if let Some(gate) = run.gate() {
        let answer = format!("autodevops approve {id} --question {number}, or reject", number = gate.number);
        lines.push(format!("{}: {answer}", cut(&gate.reason, 100)));
    }
    match needed(run) {
        Some(Alarm { reason, acknowledged: None, .. }) => {
            lines.push(format!("{}: autodevops ack {id}", cut(reason, 100)))
        }
        Some(Alarm { reason, acknowledged: Some(by), .. }) => {
            lines.push(format!("{}: {} has it in hand", cut(reason, 100), cut(by, 40)));
        }
        None => {}
    }
    lines
}

/// What became of a run once it was over.
pub fn became(after: &After<'_>) -> Vec<String> {
    after.gone_back.iter().map(gone_back).chain(after.undoing.map(in_git)).collect()
}

fn gone_back(GoneBack { service, by, at, reason }: &GoneBack<'_>) -> String {
    let of = if service.is_empty() { String::new() } else { format!(" of {service}") };
    let why = if reason.is_empty() { String::new() } else { format!(": {}", cut(reason, 200)) };
    format!("its release{of} was gone back from at {} by {}{why}", day(*at), cut(by, 40))
}

/// What came of undoing in git what a run committed.
fn in_git(undoing: &Undoing) -> String {
    match undoing.why_not() {
        Some(why) => clean(&why),
        None => format!("undone in git on the branch {}", clean(undoing.branch().unwrap_or_default())),
    }
}

/// An issue that waits for its run, among runs.
fn waiting(queued: &Queued) -> Value {
    json!({ "run": null, "stage": "queued", "fingerprint": queued.fingerprint, "title": queued.title })
}

/// Where a run is, or how it ended.
pub fn state(run: &Run) -> String {
    match (run.outcome(), run.on_hold(), run.gate()) {
        (Some(outcome), ..) => outcome.to_string(),
        (None, Some(hold), _) => format!("{}, on hold by {}", run.stage().name(), hold.by),
        (None, None, Some(_)) => "waits for a person".to_owned(),
        (None, None, None) if is_unheeded(run) => format!("{}, needs a person", run.stage().name()),
        (None, None, None) if run.frozen().is_some() => "waits for the end of a freeze".to_owned(),
        (None, None, None) => match run.awaited() {
            Some(of) => format!("waits for {of}"),
            None => run.stage().name().to_owned(),
        },
    }
}

/// Whether people are needed, and none of them has it in hand.
fn is_unheeded(run: &Run) -> bool {
    needed(run).is_some_and(|alarm| alarm.acknowledged.is_none())
}

fn padded(style: Style, run: &Run, gone_back: bool) -> String {
    let short = match (run.outcome(), run.on_hold(), run.gate()) {
        (Some(Outcome::Healed), ..) if gone_back => "healed, taken back",
        (Some(outcome), ..) => outcome_name(outcome),
        (None, Some(_), _) => "on-hold",
        (None, None, Some(_)) => "waiting",
        (None, None, None) if is_unheeded(run) => "needs a person",
        (None, None, None) if run.frozen().is_some() => "frozen",
        (None, None, None) if run.awaited().is_some() => "waiting for a run",
        (None, None, None) => run.stage().name(),
    };
    let text = format!("{short:<18}");
    match run.outcome() {
        Some(Outcome::Healed) if !gone_back => style.good(&text),
        Some(_) => style.bad(&text),
        None => style.bold(&text),
    }
}

/// Day and time, in UTC.
pub fn day(at: Timestamp) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!("{} {}", time.date(), clock(at.0))
}
