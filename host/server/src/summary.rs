//! A run in a few values, as `runs` lists it and the API tells it.

use autodevops_orchestrator::{aftermath::After, revert::Undoing};
use autodevops_pipeline::{Alarm, Environment, Member, Outcome, Run};
use serde_json::{Value, json};

/// The run in a few values, with what became of it once it was over.
pub fn summary(run: &Run, After { undoing, gone_back }: &After<'_>) -> Value {
    let (outcome, reason) = match run.outcome() {
        None => (None, None),
        Some(outcome) => (Some(outcome_name(outcome)), Some(outcome.to_string())),
    };
    // What there may be several of is in the list of services.
    let alone = run.members().next().filter(|_| run.members().count() == 1);
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
        "release": alone.and_then(Member::release),
        "services": run.members().map(service).collect::<Vec<_>>(),
        "waits-for": run.gate().map(|gate| &gate.reason).or_else(|| needed(run).map(|alarm| &alarm.reason)),
        "needed": needed(run).map(|alarm| &alarm.reason),
        "question": run.gate().map(|gate| gate.number),
        "awaits": run.awaited(),
        "on-hold-by": run.on_hold().map(|hold| &hold.by),
        "in-hand-of": run.alarm().and_then(|alarm| alarm.acknowledged.as_ref()),
        "follows": run.former().map(|former| &former.run),
        "retried-by": run.former().and_then(|former| former.retry.as_ref()).map(|retry| &retry.by),
        "gone-back": gone_back,
        "revert-branch": undoing.and_then(Undoing::branch),
        "not-reverted": undoing.and_then(Undoing::why_not),
        "frozen-until": run.frozen().map(|(until, _)| until),
    })
}

/// What people are needed for that they are asked no question about: they are told until one of them has it in hand.
pub fn needed(run: &Run) -> Option<&Alarm> {
    run.alarm_beside().filter(|_| run.outcome().is_none())
}

/// A service's candidate, and its share of production.
fn service(member: &Member) -> Value {
    json!({
        "service": member.name(),
        "release": member.release(),
        "production-percent": member.share(Environment::Production),
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
