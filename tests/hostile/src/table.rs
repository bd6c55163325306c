//! The outcomes as people and machines read them.

use std::fmt::Write as _;

use crate::run::Outcome;

/// Widest outcome that is shown.
const OUTCOME_WIDTH: usize = 90;

/// A table, and a last line that counts.
pub fn text(outcomes: &[Outcome]) -> String {
    let width = |of: fn(&Outcome) -> usize, head: usize| outcomes.iter().map(of).max().unwrap_or(0).max(head);
    let case = width(|outcome| outcome.case.chars().count(), 4);
    let promise = width(|outcome| outcome.promise.len(), 7);
    let mut text = String::new();
    let mut line = |held: &str, name: &str, promised: &str, milliseconds: &str, outcome: &str| {
        let written = writeln!(text, "{held:<4}  {name:<case$}  {promised:<promise$}  {milliseconds:>6}  {outcome}");
        written.expect("text grows");
    };
    line("", "case", "promise", "ms", "outcome");
    for outcome in outcomes {
        let held = if outcome.held { "held" } else { "FAIL" };
        let said = outcome.outcome.lines().next().unwrap_or_default();
        let shown: String = match outcome.held && said.chars().count() > OUTCOME_WIDTH {
            true => said.chars().take(OUTCOME_WIDTH - 1).chain(['…']).collect(),
            false => said.to_owned(),
        };
        line(held, &outcome.case, outcome.promise, &outcome.milliseconds.to_string(), &shown);
    }
    text.push_str(&last_line(outcomes));
    text
}

/// `N cases, N held, N honest calls lost`.
pub fn last_line(outcomes: &[Outcome]) -> String {
    let held = outcomes.iter().filter(|outcome| outcome.held).count();
    let lost: u64 = outcomes.iter().map(|outcome| outcome.lost).sum();
    format!("{} cases, {held} held, {lost} honest calls lost", outcomes.len())
}

/// All as JSON.
pub fn json(outcomes: &[Outcome]) -> serde_json::Value {
    let held = outcomes.iter().filter(|outcome| outcome.held).count();
    let lost: u64 = outcomes.iter().map(|outcome| outcome.lost).sum();
    serde_json::json!({ "cases": outcomes, "count": outcomes.len(), "held": held, "honest-calls-lost": lost })
}
