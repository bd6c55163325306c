//! Why a decision was taken: the rule and the numbers that it rests on.

use autodevops_model::Outcome;
use autodevops_pipeline::{EventKind, Method, Verdict};

use crate::progress::clock;

/// Follows a run's events, and says under each decision what was judged before it.
#[derive(Default)]
pub struct Reasons {
    /// What was judged in this decision, what decided being the first.
    judged: Vec<Verdict>,
    /// What the other triggers said of the step when it was watched longer.
    said: Vec<Verdict>,
}

impl Reasons {
    /// What the event rests on; nothing for what is no decision.
    pub fn of(&mut self, event: &EventKind) -> Vec<String> {
        match event {
            EventKind::StepEntered { .. } => {
                self.judged.clear();
                self.said.clear();
                Vec::new()
            }
            EventKind::Judged { verdict, others } => {
                self.judged = std::iter::once(verdict).chain(others).cloned().collect();
                if verdict.outcome == Outcome::Failed { numbers(verdict) } else { Vec::new() }
            }
            EventKind::SafetyChecked { verdict, .. }
            | EventKind::Reviewed { verdict, .. }
            | EventKind::Checked { verdict, .. }
            | EventKind::AutomatedTested { verdict, .. } => rule(verdict),
            EventKind::StepExtended { .. } => self.extended(),
            EventKind::StepPassed { .. } | EventKind::Held { .. } => self.told(),
            EventKind::TurnedBack { .. } => {
                // A person's word, or nobody's, ends a run as well: then nothing was judged just before.
                self.told()
            }
            EventKind::RollbackChecked { .. } => Vec::new(),
            EventKind::StableLooked { verdict } => rule(verdict),
            _ => {
                self.judged.clear();
                Vec::new()
            }
        }
    }

    /// The same of a step that is watched longer: the other triggers say once what they go on to say with other numbers.
    fn extended(&mut self) -> Vec<String> {
        let is_same = |one: &Verdict, other: &Verdict| {
            (&one.service, &one.rule, one.outcome, one.dry_run)
                == (&other.service, &other.rule, other.outcome, other.dry_run)
        };
        let others: Vec<Verdict> = self.judged.iter().skip(1).cloned().collect();
        let said = std::mem::replace(&mut self.said, others);
        let mut rank = 0;
        self.judged.retain(|verdict| {
            rank += 1;
            rank == 1 || !said.iter().any(|before| is_same(before, verdict))
        });
        self.told()
    }

    /// What the decision rests on that was taken by what was judged just before: what decided, and what the other triggers say.
    fn told(&mut self) -> Vec<String> {
        let judged = std::mem::take(&mut self.judged);
        let Some((verdict, others)) = judged.split_first() else { return Vec::new() };
        let mut lines = rule(verdict);
        // Of every other rule the words say which bad window it is.
        let at_once = matches!(verdict.method, Some(Method::Sprt | Method::HardTrip));
        if at_once && verdict.outcome == Outcome::Failed {
            lines.push("this rule decides at once: it needs no second bad window".to_owned());
        }
        lines.extend(others.iter().map(|other| match other.dry_run {
            true => format!("dry run, decides nothing: {}", other.told()),
            false => format!("also: {}", other.told()),
        }));
        lines
    }
}

fn rule(verdict: &Verdict) -> Vec<String> {
    let outcome = match verdict.outcome {
        Outcome::Passed => "not crossed",
        Outcome::Failed => "crossed",
        Outcome::Inconclusive => "not decided",
    };
    // What was not measured needs no rule beside its words.
    let rule = verdict.window.is_some().then(|| format!("rule: {}: {outcome}", verdict.rule));
    rule.into_iter().chain(numbers(verdict)).collect()
}

fn numbers(verdict: &Verdict) -> Vec<String> {
    let shown = |(name, value): &(String, f64)| format!("{name} {}", number(*value));
    let mut parts: Vec<String> = verdict.numbers.iter().map(shown).collect();
    if let Some(window) = &verdict.window {
        parts.push(format!("from {} to {}", clock(window.start), clock(window.end)));
    }
    if parts.is_empty() { Vec::new() } else { vec![format!("numbers: {}", parts.join(", "))] }
}

/// Whole numbers as they are, others in four digits that matter.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let digits = 3 - value.abs().log10().floor().clamp(-9.0, 3.0) as i32;
    let text = format!("{value:.*}", usize::try_from(digits).unwrap_or(0));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_the_digits_that_matter() {
        for (value, text) in [
            (0.0, "0"),
            (439.0, "439"),
            (0.05, "0.05"),
            (0.012_345_6, "0.01235"),
            (-2.326_347, "-2.326"),
            (1234.56, "1235"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
