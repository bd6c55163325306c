//! What became of issues before, and which of them deserve a run by themselves. The journal tells it; of runs whose events are forgotten it
//! stays a fact beside them: to try again is a person's word, however long ago it was.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use autodevops_journal::Journal;
use autodevops_model::Issue;
use autodevops_pipeline::{Former, Outcome, Retry, Run, Timestamp};
use serde::{Deserialize, Serialize};

/// What became of issues whose runs are forgotten, a fact each, by their fingerprints.
const FACTS: &str = "handled/";

/// A fault seen so soon after its fix was live everywhere may still be the release before, draining.
pub(crate) const SETTLE: Duration = Duration::from_secs(60);

/// What became of an issue before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Handled {
    pub(crate) run: String,
    /// None while the run is under way.
    pub(crate) outcome: Option<Outcome>,
    started: Timestamp,
    at: Timestamp,
    /// How often the issue had been seen when the run started.
    count: u64,
    /// The last run whose release was taken back, where none healed the issue since.
    rolled_back: Option<String>,
}

impl Handled {
    /// What became of issues by what was kept of runs that are forgotten, by their fingerprints.
    ///
    /// # Errors
    /// When the journal cannot be read, or a fact is damaged: then it is not known what may be begun.
    pub(crate) fn kept(journal: &Journal) -> Result<BTreeMap<String, Self>> {
        let read = |(name, value): (String, Vec<u8>)| {
            let fingerprint = name.strip_prefix(FACTS).unwrap_or_default().to_owned();
            let handled = serde_json::from_slice(&value).with_context(|| format!("the fact {name}"))?;
            Ok((fingerprint, handled))
        };
        journal.facts(FACTS)?.into_iter().map(read).collect()
    }

    /// Keeps what is known of an issue: the run's events are about to be forgotten.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(crate) fn keep(&self, journal: &Journal, fingerprint: &str) -> Result<()> {
        Ok(journal.put_fact(&format!("{FACTS}{fingerprint}"), &serde_json::to_vec(self)?)?)
    }

    /// Takes in what became of an issue by this run, unless a later one is known.
    pub(crate) fn note(known: &mut BTreeMap<String, Self>, run: &Run) {
        let fingerprint = &run.issue().fingerprint;
        let before = known.get(fingerprint);
        if before.is_none_or(|before| before.started <= run.started_at()) {
            let by = Self::by(run, before);
            known.insert(fingerprint.clone(), by);
        }
    }

    /// By this run, and by what came before it.
    fn by(run: &Run, before: Option<&Self>) -> Self {
        let earlier = before.and_then(|before| before.rolled_back.clone());
        let rolled_back = match run.outcome() {
            Some(Outcome::RolledBack { .. }) => Some(run.id().to_owned()),
            Some(Outcome::Healed) => None,
            Some(Outcome::Aborted { .. } | Outcome::HandedOver { .. }) | None => earlier,
        };
        Self {
            run: run.id().to_owned(),
            outcome: run.outcome().cloned(),
            started: run.started_at(),
            at: run.last_event_at(),
            count: run.issue().count,
            rolled_back,
        }
    }

    /// As the next run for the issue knows it; none while this one is under way.
    pub(crate) fn former(&self, retry: Option<Retry>) -> Option<Former> {
        let (run, outcome) = (self.run.clone(), self.outcome.clone()?);
        Some(Former { run, outcome, rolled_back: self.rolled_back.clone(), retry })
    }

    /// Whether an issue that was fixed is seen again: a fault after its fix was everywhere. One that was not fixed waits for a person.
    pub(crate) fn came_back(&self, issue: &Issue) -> bool {
        if self.outcome != Some(Outcome::Healed) {
            return false;
        }
        match issue.last_seen {
            Some(last) => last > self.at.after(SETTLE).0,
            None => issue.count > self.count.saturating_mul(2),
        }
    }

    /// Whether an issue was seen only while a release was out that was taken back: then it is most likely that release's own, and gone
    /// with it. One that goes on is seen later, too.
    pub(crate) fn is_of_taken_back(&self, issue: &Issue) -> bool {
        let Some(Outcome::RolledBack { .. } | Outcome::Aborted { .. }) = self.outcome else { return false };
        let (Some(first), Some(last)) = (issue.first_seen, issue.last_seen) else { return false };
        self.started.0 <= first && last <= self.at.after(SETTLE).0
    }
}

#[cfg(test)]
mod tests {
    use autodevops_model::{IssueKind, Severity};

    use super::*;

    fn issue(first: i64, last: i64) -> Issue {
        Issue {
            message: "x".into(),
            count: 3,
            first_seen: Some(first),
            last_seen: Some(last),
            ..Issue::new("f00d", IssueKind::Exception, Severity::Error, "TypeError")
        }
    }

    fn handled(outcome: Option<Outcome>) -> Handled {
        let (started, at) = (Timestamp(100), Timestamp(200));
        Handled { run: "r".into(), outcome, started, at, count: 1, rolled_back: None }
    }

    fn rolled_back() -> Option<Outcome> {
        Some(Outcome::RolledBack { reason: "errors".into() })
    }

    #[test]
    fn a_fault_seen_only_while_a_release_was_out_that_was_taken_back_is_that_releases() {
        let of = |outcome, first, last| handled(outcome).is_of_taken_back(&issue(first, last));
        assert!(of(rolled_back(), 120, 190));
        assert!(!of(rolled_back(), 90, 190), "it was there before");
        assert!(!of(rolled_back(), 120, Timestamp(200).after(SETTLE).0 + 1), "it is there still");
        assert!(!of(Some(Outcome::Healed), 120, 190));
        assert!(!of(None, 120, 190));
    }

    #[test]
    fn only_what_was_healed_and_came_back_has_another_run_by_itself() {
        let reason = || "why".to_owned();
        let late = Timestamp(200).after(SETTLE).0 + 1;
        assert!(handled(Some(Outcome::Healed)).came_back(&issue(1, late)));
        assert!(!handled(Some(Outcome::Healed)).came_back(&issue(1, 200)), "the release before may still be draining");
        let healed = handled(Some(Outcome::Healed));
        assert!(!healed.came_back(&issue(1, late - 1)), "only just still draining");
        let untimed = |count| Issue { last_seen: None, count, ..issue(1, 1) };
        assert!(!healed.came_back(&untimed(2)) && healed.came_back(&untimed(3)), "more than twice as often as before");
        for outcome in [
            rolled_back(),
            Some(Outcome::Aborted { reason: reason() }),
            Some(Outcome::HandedOver { reason: reason() }),
            None,
        ] {
            assert!(!handled(outcome).came_back(&issue(1, late)), "to try again is a person's word");
        }
    }

    #[test]
    fn the_next_run_knows_the_one_before_once_that_is_over() {
        assert_eq!(handled(None).former(None), None);
        let mut before = handled(Some(Outcome::Aborted { reason: "no answer".into() }));
        before.rolled_back = Some("q".into());
        let former = before.former(None).unwrap();
        assert_eq!((former.run.as_str(), former.rolled_back.as_deref()), ("r", Some("q")));
    }
}
