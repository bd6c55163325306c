//! `autodevops show`: a run from its beginning on, with its rollout drawn, and each decision with the rule and the numbers behind it.

mod chart;
mod reasons;

use std::{path::Path, process::ExitCode};

use anyhow::{Context, Result, bail};
use autodevops_model::Shares;
use autodevops_orchestrator::{aftermath::Aftermath, clock::now, controller::named, log::Logged};
use autodevops_pipeline::{Environment, Member, Run, Timestamp};
use autodevops_record::rollouts;
use autodevops_server::{needed, summary};
use serde_json::json;

use crate::{
    moment::moment,
    output::{self, Format, Style, Usage, clean, cut},
    progress::clock,
    project,
    runs::{became, day, state},
    story,
};

/// `autodevops show`.
pub fn run(run: &str, at: Option<&str>, config: Option<&Path>, format: Format) -> Result<ExitCode> {
    let project = project::open(config)?;
    let name = named(&project, run)?;
    let mut logged = project.log.read(&name)?.context("the run is not in the journal any more")?;
    let at = at.map(|at| moment(at, now()).map(whole)).transpose()?;
    if let Some(at) = at {
        logged = as_it_was(&logged, at, now())?;
    }
    let aftermath = Aftermath::read(&project)?;
    let mut after = aftermath.of(&logged.run);
    // What came later is not known then.
    if let Some(at) = at {
        after.undoing = after.undoing.filter(|undoing| undoing.at <= at);
        after.gone_back.retain(|gone| gone.at <= at);
    }
    if format == Format::Json {
        let mut shown = json!({ "run": summary(&logged.run, &after), "events": logged.events });
        if let (Some(at), Some(shown)) = (at, shown.as_object_mut()) {
            shown.insert("at".to_owned(), json!(at));
        }
        output::json(&shown)?;
        return Ok(ExitCode::SUCCESS);
    }
    let before = before(&name).filter(|before| named(&project, before).is_ok());
    let mut text = text(&logged, at, before.as_deref(), Style::stdout());
    text.extend(became(&after).into_iter().map(|line| format!("{line}\n")));
    output::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Times are shown without a fraction: what is shown as of a second is in it.
const fn whole(at: Timestamp) -> Timestamp {
    const SECOND: i64 = 1_000_000_000;
    if at.0 % SECOND == 0 { Timestamp(at.0.saturating_add(SECOND - 1)) } else { at }
}

/// The run as it was at a moment that it had reached.
fn as_it_was(logged: &Logged, at: Timestamp, now: Timestamp) -> Result<Logged> {
    let run = &logged.run;
    if at > whole(now) {
        bail!(Usage(format!("{} is still to come; leave --at out to see run {} as it is", day(at), run.id())));
    }
    let started = day(run.started_at());
    let before = || Usage(format!("run {} started at {started}, which is after {}", run.id(), day(at)));
    Ok(logged.at(at).ok_or_else(before)?)
}

/// What serves, by the run's account.
fn traffic(run: &Run) -> String {
    let served = |member: &Member| {
        let place = member.place(Environment::Production);
        match member.traffic(Environment::Production) {
            [] => format!("nothing served in {place}"),
            splits => format!("{place} served {}", Shares(splits)),
        }
    };
    run.members().map(served).collect::<Vec<_>>().join("; ")
}

fn text(logged: &Logged, at: Option<Timestamp>, before: Option<&str>, style: Style) -> String {
    let run = &logged.run;
    let mut text = format!("{} {}\n", style.bold(run.id()), clean(&state(run)));
    if let Some(at) = at {
        text.push_str(&format!("as it was at {}; {}\n", day(at), clean(&traffic(run))));
    }
    if let Some(before) = before {
        text.push_str(&format!("the same fault as in run {before}\n"));
    }
    text.push_str(&format!("started {}\n\n", day(run.started_at())));
    let mut reasons = reasons::Reasons::default();
    // The run as it was with each event.
    let mut then: Option<Run> = None;
    for event in &logged.events {
        match &mut then {
            Some(then) => then.apply(event),
            none => *none = Run::start(event).ok(),
        }
        let why = reasons.of(&event.event);
        let Some(telling) = story::event(&event.event, then.as_ref().unwrap_or(run)) else { continue };
        text.push_str(&format!("{} {}\n", style.dim(&clock(event.at.0)), cut(&telling.line, 600)));
        for under in telling.under.iter().chain(&why) {
            text.push_str(&format!("          {}\n", style.dim(&cut(under, 400))));
        }
    }
    // Events that are a run were read already.
    for rollout in rollouts(&logged.events).unwrap_or_default() {
        text.push_str(&format!("\n{}", chart::drawn(&rollout, run.plan(), style)));
    }
    if let (Some(gate), Some(_)) = (run.gate(), at) {
        text.push_str(&format!("\nwaited for a person until {}: {}\n", day(gate.until), clean(&gate.reason)));
    } else if let Some(gate) = run.gate() {
        text.push_str(&format!(
            "\nwaits for a person until {}: {}\n  autodevops approve {id} --question {number}\n  autodevops reject {id} --question {number}\n",
            day(gate.until),
            clean(&gate.reason),
            id = run.id(),
            number = gate.number
        ));
    }
    if at.is_none() && run.outcome().is_none() {
        text.push_str(&alarmed(run));
    }
    if let Some(hold) = run.on_hold() {
        let why = if hold.reason.is_empty() { String::new() } else { format!(": {}", hold.reason) };
        text.push_str(&format!(
            "\non hold by {} since {}{}\n  autodevops resume {}\n",
            clean(&hold.by),
            day(hold.since),
            clean(&why),
            run.id()
        ));
    }
    if let Some(branch) = run.branch() {
        text.push_str(&format!("\nthe change: git show {branch}\n"));
    }
    text
}

/// What people are needed for beside what they are asked, who was told, and who has it in hand.
fn alarmed(run: &Run) -> String {
    let Some(alarm) = run.alarm() else { return String::new() };
    let why = match needed(run) {
        Some(alarm) => format!("\npeople are needed since {}: {}\n", day(alarm.since), clean(&alarm.reason)),
        None => String::new(),
    };
    let told = match (alarm.told, run.plan().escalation.len()) {
        (_, 0) => String::new(),
        (told, levels) => format!(", {told} of {levels} levels of the escalation were told"),
    };
    match &alarm.acknowledged {
        Some(by) => format!("{why}  {} has it in hand{told}\n", clean(by)),
        None => format!("{why}  nobody has it in hand{told}: autodevops ack {}\n", run.id()),
    }
}

/// The run for the same fault before this one: names end in a number that grows.
fn before(name: &str) -> Option<String> {
    let (start, number) = name.rsplit_once('-')?;
    let number: u64 = number.parse().ok()?;
    (number > 1).then(|| format!("{start}-{}", number - 1))
}

#[cfg(test)]
mod tests;
