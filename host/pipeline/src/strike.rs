//! Bad windows in a row: one may be chance, and windows that have a moment in common are one. Each rule has its own row, of each service.

use autodevops_model::{Outcome, Window};

use crate::{Timestamp, Verdict};

/// How often in a row a rule was crossed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    /// The service, as events call it; empty where the project has one.
    pub service: String,
    /// The rule, as its verdicts name it.
    pub rule: String,
    /// How many bad windows there were in a row.
    pub windows: u32,
    /// When the last of them ended: the next begins then at the earliest.
    pub until: Timestamp,
}

impl Strike {
    /// How many bad windows in a row a rule has with this one, whose `strikes` were before; and when the last of them ended.
    pub(crate) fn with(strikes: &[Self], rule: &str, window: Option<&Window>) -> (u32, Timestamp) {
        let end = window.map(|window| Timestamp(window.end));
        let Some(before) = strikes.iter().find(|strike| strike.rule == rule) else {
            return (1, end.unwrap_or_default());
        };
        // Events of before may not say which window it was.
        let follows = window.is_none_or(|window| window.start >= before.until.0);
        let until = end.filter(|_| follows).unwrap_or(before.until);
        (before.windows.saturating_add(u32::from(follows)), until)
    }

    /// Takes in the verdicts of one judgement, the worst first: what is crossed is counted, and what is not any more begins anew. What was not
    /// seen takes back nothing.
    pub(crate) fn take_in<'a>(strikes: &mut Vec<Self>, verdicts: impl Iterator<Item = &'a Verdict>) {
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for verdict in verdicts.filter(|verdict| !verdict.dry_run) {
            let of = (verdict.service.as_str(), verdict.rule.as_str());
            // One rule may have two windows: the worse of them counts.
            if seen.contains(&of) {
                continue;
            }
            seen.push(of);
            let at = strikes.iter().position(|strike| (strike.service.as_str(), strike.rule.as_str()) == of);
            match (verdict.outcome, at) {
                (Outcome::Failed, at) => {
                    let before = at.map(|at| strikes.remove(at));
                    let (windows, until) = Self::with(before.as_slice(), of.1, verdict.window.as_ref());
                    strikes.push(Self { service: of.0.to_owned(), rule: of.1.to_owned(), windows, until });
                }
                (Outcome::Inconclusive, _) if verdict.window.is_none() => {}
                (Outcome::Inconclusive | Outcome::Passed, Some(at)) => drop(strikes.remove(at)),
                (Outcome::Inconclusive | Outcome::Passed, None) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(service: &str, rule: &str, outcome: Outcome, window: Option<(i64, i64)>) -> Verdict {
        Verdict {
            service: service.into(),
            outcome,
            rule: rule.into(),
            words: String::new(),
            numbers: Vec::new(),
            window: window.map(|(start, end)| Window { start, end }),
            method: None,
            dry_run: false,
        }
    }

    /// What is counted after these judgements, one after the other.
    fn counted(judgements: &[&[Verdict]]) -> Vec<(String, String, u32, i64)> {
        let mut strikes = Vec::new();
        for verdicts in judgements {
            Strike::take_in(&mut strikes, verdicts.iter());
        }
        strikes.into_iter().map(|strike| (strike.service, strike.rule, strike.windows, strike.until.0)).collect()
    }

    fn bad(rule: &str, start: i64, end: i64) -> Verdict {
        verdict("", rule, Outcome::Failed, Some((start, end)))
    }

    fn row(rule: &str, windows: u32, until: i64) -> (String, String, u32, i64) {
        (String::new(), rule.to_owned(), windows, until)
    }

    #[test]
    fn windows_that_share_a_moment_are_one_and_one_that_begins_where_the_last_ended_is_the_next() {
        assert_eq!(counted(&[&[bad("a", 0, 5)]]), [row("a", 1, 5)]);
        assert_eq!(counted(&[&[bad("a", 0, 5)], &[bad("a", 1, 6)]]), [row("a", 1, 5)], "it ended at 5 still");
        assert_eq!(counted(&[&[bad("a", 0, 5)], &[bad("a", 0, 10)]]), [row("a", 1, 5)], "the whole is no second one");
        assert_eq!(counted(&[&[bad("a", 0, 5)], &[bad("a", 5, 6)]]), [row("a", 2, 6)]);
        assert_eq!(counted(&[&[bad("a", 0, 5)], &[bad("a", 4, 9)], &[bad("a", 9, 12)]]), [row("a", 2, 12)]);
    }

    #[test]
    fn each_rule_of_each_service_has_a_row_of_its_own() {
        let of = |service, rule| verdict(service, rule, Outcome::Failed, Some((0, 5)));
        let other = |service, rule| verdict(service, rule, Outcome::Failed, Some((5, 9)));
        let all = counted(&[&[of("cart", "a")], &[other("shop", "a"), other("cart", "b")]]);
        assert!(all.iter().all(|(.., windows, _)| *windows == 1) && all.len() == 3, "{all:?}");
        let dry = Verdict { dry_run: true, ..bad("a", 0, 5) };
        assert_eq!(counted(&[&[dry]]), []);
    }

    #[test]
    fn what_was_seen_to_be_good_begins_anew_and_what_was_not_seen_takes_back_nothing() {
        for outcome in [Outcome::Passed, Outcome::Inconclusive] {
            assert_eq!(counted(&[&[bad("a", 0, 5)], &[verdict("", "a", outcome, Some((5, 9)))]]), []);
        }
        let unseen = verdict("", "a", Outcome::Inconclusive, None);
        assert_eq!(counted(&[&[bad("a", 0, 5)], &[unseen], &[bad("b", 5, 9)]]), [row("a", 1, 5), row("b", 1, 9)]);
        let both = [bad("a", 5, 9), verdict("", "a", Outcome::Passed, Some((0, 9)))];
        assert_eq!(counted(&[&[bad("a", 0, 5)], &both]), [row("a", 2, 9)], "the worse of one rule's windows counts");
    }
}
