//! The deployment record of a project: what the runs in its journal amount to, and what was kept of deploys by hand and of runs that
//! are not in the journal any more.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use autodevops_record::{Attempt, Complaint, Entry, of_run, settled};

use crate::{feedback::Feedback, log::RunLog};

/// What the facts are named that keep entries; the name of what they are of follows.
const FACT: &str = "record/";

/// The record. Runs are folded once for each state that they are seen in.
pub struct Records {
    log: RunLog,
    /// By run: how many events were folded, and what they came to.
    folded: Mutex<BTreeMap<String, (u64, Vec<Attempt>)>>,
}

impl Records {
    /// Of the runs in this log.
    pub fn new(log: RunLog) -> Self {
        Self { log, folded: Mutex::default() }
    }

    /// Keeps entries for good, in place of those that were kept under the name before: of a run that is about to be forgotten, or of
    /// something that a person did.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn keep(&self, name: &str, entries: &[Entry]) -> Result<()> {
        Ok(self.log.journal().put_fact(&format!("{FACT}{name}"), &serde_json::to_vec(entries)?)?)
    }

    /// The attempts of a run, as far as it is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_run(&self, run: &str) -> Result<Vec<Attempt>> {
        let Some(logged) = self.log.read(run)? else { return Ok(Vec::new()) };
        of_run(&logged.events).with_context(|| format!("run {run} cannot be followed"))
    }

    /// All attempts, oldest first. A run that cannot be read is left out with a warning: it must not hide the others.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn attempts(&self) -> Result<Vec<Attempt>> {
        let journal = self.log.journal();
        let mut kept: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for (fact, value) in journal.facts(FACT)? {
            let name = fact.strip_prefix(FACT).unwrap_or(&fact);
            kept.insert(name.to_owned(), serde_json::from_slice(&value).with_context(|| format!("the fact {fact}"))?);
        }
        let mut folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = journal.runs()?;
        folded.retain(|name, _| runs.iter().any(|run| run.run == *name));
        let mut entries = Vec::new();
        for run in &runs {
            // Kept already, and about to be forgotten.
            if kept.contains_key(&run.run) {
                continue;
            }
            if folded.get(&run.run).is_none_or(|(version, _)| *version != run.version) {
                match self.of_run(&run.run) {
                    Ok(attempts) => drop(folded.insert(run.run.clone(), (run.version, attempts))),
                    Err(error) => {
                        tracing::warn!("a run is left out: {error:#}");
                        continue;
                    }
                }
            }
            let attempts = folded.get(&run.run).map_or(&[][..], |(_, attempts)| attempts);
            entries.extend(attempts.iter().cloned().map(|attempt| Entry::Attempt(Box::new(attempt))));
        }
        Ok(settled(kept.into_values().flatten().chain(entries)))
    }

    /// What those who use the service complained of.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn complaints(&self) -> Result<Vec<Complaint>> {
        let times = Feedback::new(self.log.journal()).times()?;
        Ok(times.into_iter().map(|(service, at)| Complaint { service, at }).collect())
    }
}

#[cfg(test)]
mod tests {
    use autodevops_journal::Journal;
    use autodevops_record::{By, Ending, testing::Story};

    use super::*;

    fn records() -> (tempfile::TempDir, RunLog, Records) {
        let folder = tempfile::tempdir().unwrap();
        let log = RunLog::new(Journal::open(folder.path().join("journal.db")).unwrap());
        (folder, log.clone(), Records::new(log))
    }

    #[test]
    fn a_run_is_counted_as_far_as_it_is_and_once_where_it_is_kept_too() {
        let (_folder, log, records) = records();
        let events = Story::healed();
        let (begun, rest) = events.split_at(events.len() / 2);
        let version = log.append("62e23fd1-1", 0, begun, &[]).unwrap();
        let production = |records: &Records| {
            let attempts = records.attempts().unwrap();
            assert_eq!(attempts.len(), 2);
            attempts.into_iter().find(|attempt| attempt.production).unwrap()
        };
        assert_eq!(production(&records).ending, None);
        log.append("62e23fd1-1", version, rest, &[]).unwrap();
        let done = production(&records);
        assert_eq!(done.ending, Some(Ending::Kept));
        assert_eq!(production(&records), done, "from what was folded before");

        let entries: Vec<Entry> =
            records.of_run("62e23fd1-1").unwrap().into_iter().map(|one| Entry::Attempt(Box::new(one))).collect();
        records.keep("62e23fd1-1", &entries).unwrap();
        assert_eq!(production(&records), done, "once");
    }

    #[test]
    fn of_a_run_whose_events_are_forgotten_nothing_is_held_in_memory() {
        let (_folder, log, records) = records();
        let audit = crate::audit::Audit::new(log.journal().clone());
        for run in ["a-1", "b-1"] {
            let version = log.append(run, 0, &Story { run: run.into(), ..Story::default() }.events(), &[]).unwrap();
            audit.let_go(run, "finished", version, true);
        }
        let held = || records.folded.lock().unwrap().keys().cloned().collect::<Vec<_>>();
        let before = records.attempts().unwrap().len();
        assert_eq!(held(), ["a-1", "b-1"]);
        audit.forget("a-1", "it is old").unwrap();
        assert_eq!((records.attempts().unwrap().len(), held()), (before / 2, vec!["b-1".to_owned()]));
    }

    #[test]
    fn what_a_person_did_is_kept_and_counted() {
        let (_folder, log, records) = records();
        let person = |name: &str| {
            let at = autodevops_record::testing::BEGIN;
            let attempt = Attempt::begun("shop", "production", true, By::Person(name.into()), at);
            Entry::Attempt(Box::new(Attempt { ended: Some(at), ending: Some(Ending::Kept), ..attempt }))
        };
        records.keep("by-hand-1", &[person("ada")]).unwrap();
        records.keep("by-hand-2", &[person("bob")]).unwrap();
        records.keep("by-hand-2", &[person("eve")]).unwrap();
        let by: Vec<By> = Records::new(log).attempts().unwrap().into_iter().map(|attempt| attempt.by).collect();
        assert_eq!(by, [By::Person("ada".into()), By::Person("eve".into())]);
    }

    #[test]
    fn complaints_are_told_by_their_services_and_times() {
        let (_folder, log, records) = records();
        let said = crate::feedback::Complaint { text: "it fails".into(), ..crate::feedback::Complaint::default() };
        let at = autodevops_record::testing::BEGIN;
        Feedback::new(log.journal()).take(said, &["shop"], "ada", at).unwrap();
        assert_eq!(records.complaints().unwrap(), [Complaint { service: "shop".into(), at }]);
    }
}
