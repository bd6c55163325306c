//! What came of replays, as a table or as JSON.

use anyhow::Result;
use autodevops_sandbox::replay::{FunctionReplay, Match, Outcome, Recording, Replay};
use serde_json::{Value, json};

use super::{Done, difference};
use crate::output::{self, Format, Style, clean, columns, cut};

/// Columns of the calls' names.
const NAME_COLUMNS: usize = 40;

/// Columns of an outcome.
const OUTCOME_COLUMNS: usize = 34;

/// Shows all; `changed` says that the component may be another than the recorded one.
pub fn all(all: &[Done], changed: bool, format: Format) -> Result<()> {
    if format == Format::Json {
        return output::json(&all.iter().map(entry).collect::<Vec<_>>());
    }
    let style = Style::stdout();
    let head = format!(
        "{:<NAME_COLUMNS$} {:>6} {:<OUTCOME_COLUMNS$} {:<OUTCOME_COLUMNS$} result",
        "call", "host", "recorded", "replayed"
    );
    let mut text = format!("{}\n", style.dim(&head));
    let (mut calls, mut same) = (0, 0);
    for done in all {
        match &done.result {
            Ok((recording, replay)) => {
                for function in &replay.functions {
                    calls += 1;
                    same += usize::from(is_same(&function.result));
                    text.push_str(&rows(recording, replay, function, changed, style));
                }
            }
            Err(error) => {
                calls += 1;
                text.push_str(&format!("{}\n", style.bad(&clean(error))));
            }
        }
    }
    text.push_str(&format!("{calls} calls, {same} same, {} not\n", calls - same));
    output::text(&text)
}

const fn is_same(result: &Match) -> bool {
    matches!(result, Match::Same | Match::SameSoFar)
}

fn rows(recording: &Recording, replay: &Replay, function: &FunctionReplay, changed: bool, style: Style) -> String {
    let name = format!("{} {} {}", recording.header.stage, recording.header.plugin, function.function);
    let shown = |outcome: &Option<Outcome>| cut(&outcome_text(outcome.as_ref()), OUTCOME_COLUMNS);
    let (word, more) = told(&function.result);
    let word = if is_same(&function.result) { style.good(word) } else { style.bad(word) };
    let mut text = format!(
        "{:<NAME_COLUMNS$} {:>6} {:<OUTCOME_COLUMNS$} {:<OUTCOME_COLUMNS$} {word}\n",
        cut(&clean(&name), NAME_COLUMNS),
        function.host_calls,
        shown(&function.recorded),
        shown(&function.replayed)
    );
    let mut under = |line: &str| text.push_str(&format!("  {}\n", style.dim(&cut(line, columns() - 2))));
    if let Some(more) = more {
        under(&more);
    }
    let is_other = replay.component != recording.header.component;
    if let Some(strayed) = function.strayed.as_ref().filter(|_| changed && is_other) {
        under(&format!("it goes another way: {strayed}"));
    }
    if function.result == Match::Differs {
        differences(function).iter().for_each(|line| under(line));
    }
    let last_words = function.stderr.trim();
    if !is_same(&function.result) && !last_words.is_empty() {
        under("its last words:");
        last_words.lines().for_each(under);
    }
    text
}

fn told(result: &Match) -> (&'static str, Option<String>) {
    match result {
        Match::Same => ("same", None),
        Match::SameSoFar => {
            ("same", Some("up to its last host call: its time was out, or the host could not go on".to_owned()))
        }
        Match::Parted(parted) => ("parted", Some(parted.to_string())),
        Match::Differs => ("differs", None),
        Match::NotReplayable(reason) => ("not replayable", Some(reason.clone())),
    }
}

fn outcome_text(outcome: Option<&Outcome>) -> String {
    match outcome {
        None => "-".to_owned(),
        Some(Outcome::Output(text)) if text == "null" => "done".to_owned(),
        Some(Outcome::Output(text)) => text.clone(),
        Some(Outcome::Failure { text, .. }) => format!("failed: {text}"),
    }
}

/// Where the outcomes differ.
fn differences(function: &FunctionReplay) -> Vec<String> {
    match (&function.recorded, &function.replayed) {
        (Some(before), Some(after)) => difference::lines(&value(before), &value(after)),
        _ => Vec::new(),
    }
}

fn value(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Output(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
        Outcome::Failure { text, .. } => json!({ "failure": text }),
    }
}

fn entry(done: &Done) -> Value {
    let file = done.file.display().to_string();
    match &done.result {
        Err(error) => json!({ "file": file, "error": error }),
        Ok((recording, replay)) => {
            let header = &recording.header;
            json!({
                "file": file,
                "recording": recording.digest,
                "run": header.run,
                "stage": header.stage,
                "plugin": header.plugin,
                "started": header.started,
                "component": { "recorded": header.component, "replayed": replay.component },
                "functions": replay.functions.iter().map(function).collect::<Vec<_>>(),
            })
        }
    }
}

fn function(function: &FunctionReplay) -> Value {
    let (result, reason) = told(&function.result);
    let parted = match &function.result {
        Match::Parted(parted) => Some(parted),
        _ => function.strayed.as_ref(),
    };
    json!({
        "function": function.function,
        "host-calls": function.host_calls,
        "recorded": function.recorded.as_ref().map(value),
        "replayed": function.replayed.as_ref().map(value),
        "result": result,
        "reason": reason,
        "parted": parted.map(|at| json!({ "host-call": at.call, "expected": at.expected, "found": at.found })),
        "differences": differences(function),
        "stderr": function.stderr,
    })
}
