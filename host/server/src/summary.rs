//! A run in a few values, as `runs` lists it and the API tells it.

use autodevops_pipeline::{Outcome, Run};
use serde_json::{Value, json};

/// The run in a few values.
pub fn summary(run: &Run) -> Value {
    let (outcome, reason) = match run.outcome() {
        None => (None, None),
        Some(outcome) => (Some(outcome_name(outcome)), Some(outcome.to_string())),
    };
    json!({
        "run": run.id(),
        "stage": run.stage().name(),
        "outcome": outcome,
        "reason": reason,
        "fingerprint": run.issue().fingerprint,
        "title": run.issue().title,
        "started": run.started_at(),
        "last-event": run.last_event_at(),
        "branch": run.branch(),
        "commit": run.commit(),
        "release": run.release(),
        "waits-for": run.gate().map(|gate| &gate.reason),
        "on-hold-by": run.on_hold().map(|hold| &hold.by),
        "in-hand-of": run.alarm().and_then(|alarm| alarm.acknowledged.as_ref()),
        "follows": run.former().map(|former| &former.run),
        "retried-by": run.former().and_then(|former| former.retry.as_ref()).map(|retry| &retry.by),
        "frozen-until": run.frozen().map(|(until, _)| until),
    })
}

/// The outcome's name, in kebab-case.
pub const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Healed => "healed",
        Outcome::RolledBack { .. } => "rolled-back",
        Outcome::Aborted { .. } => "aborted",
        Outcome::HandedOver { .. } => "handed-over",
    }
}
