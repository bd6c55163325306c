//! The outcomes as people and machines read them.

use std::fmt::Write as _;

use crate::{any::Ended, run::Outcome, stress::Stress};

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

/// How each call of a component ended.
pub fn of_any(all: &[Ended]) -> String {
    let width = all.iter().map(|ended| ended.function.len()).max().unwrap_or(0).max(8);
    let mut text = format!("{:<width$}  {:<28}  {:>6}  {:<7}  outcome\n", "function", "limits", "ms", "honest");
    for ended in all {
        let honest = if ended.honest { "served" } else { "LOST" };
        let said = ended.outcome.lines().next().unwrap_or_default();
        let written = writeln!(
            text,
            "{:<width$}  {:<28}  {:>6}  {honest:<7}  {said}",
            ended.function, ended.limits, ended.milliseconds
        );
        written.expect("text grows");
    }
    let lost = all.iter().filter(|ended| !ended.honest).count();
    write!(text, "{} calls, {lost} honest calls lost", all.len()).expect("text grows");
    text
}

/// What a stress came to, in words.
pub fn of_stress(stress: &Stress) -> String {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let milliseconds = |microseconds: u64| microseconds as f64 / 1000.0;
    let mut text = format!(
        "{} s: {} hostile calls ended, {} of them otherwise than alone\n\
         {} kinds of them, {} of which never ended\n\
         {} honest calls ended; 99 of 100 took at most {:.1} ms, on an idle engine {:.1} ms, beside fair tasks {:.1} ms\n\
         resident memory: {:.0} MiB when settled, {:.0} MiB at the end ({:+.1} %)\n",
        stress.seconds,
        stress.hostile,
        stress.otherwise,
        stress.kinds,
        stress.missing.len(),
        stress.honest,
        milliseconds(stress.honest_p99_microseconds),
        milliseconds(stress.idle_p99_microseconds),
        milliseconds(stress.beside_p99_microseconds),
        mebibytes(stress.resident_settled),
        mebibytes(stress.resident_end),
        stress.growth_percent(),
    );
    if let Some(wrong) = &stress.wrong {
        writeln!(text, "the first that was lost: {wrong}").expect("text grows");
    }
    for fault in stress.faults() {
        writeln!(text, "FAIL  {fault}").expect("text grows");
    }
    write!(text, "{} honest calls lost", stress.lost).expect("text grows");
    text
}
