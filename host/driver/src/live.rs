//! What serves each environment, as far as this host knows, and what served before.

use anyhow::Result;
use autodevops_journal::{Journal, JournalError};
use autodevops_model::Release;
use autodevops_pipeline::Timestamp;
use serde::{Deserialize, Serialize};

/// Releases that are remembered of each environment.
const REMEMBERED: usize = 50;

/// Who made a release live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// `autodevops deploy`, by this user.
    Deploy(String),
    /// A run.
    Run(String),
    /// `autodevops rollback`, by this user.
    Rollback(String),
}

/// A release that was live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WasLive {
    /// The release.
    pub release: Release,
    /// Since when.
    pub since: Timestamp,
    /// Who made it live.
    pub by: Origin,
}

/// The record of what was live.
pub struct Live<'a>(&'a Journal);

impl<'a> Live<'a> {
    /// In this journal.
    pub const fn new(journal: &'a Journal) -> Self {
        Self(journal)
    }

    /// What was live in the environment, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn history(&self, environment: &str) -> Result<Vec<WasLive>> {
        Ok(self.kept(&fact(environment))?)
    }

    /// What is live in the environment, as far as this host knows.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn current(&self, environment: &str) -> Result<Option<Release>> {
        Ok(self.history(environment)?.into_iter().next().map(|live| live.release))
    }

    /// The release that a rollback goes to: the one that the current one took the place of. A release that was gone back from is none to
    /// go back to, however lately it was live.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn before(&self, environment: &str) -> Result<Option<Release>> {
        Ok(self.line(environment)?.into_iter().rev().nth(1))
    }

    /// The releases that led to the current one, oldest first, and that one; those that were gone back from are not among them.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn line(&self, environment: &str) -> Result<Vec<Release>> {
        let history = self.history(environment)?;
        Ok(line(&history).into_iter().map(|was| was.release.clone()).collect())
    }

    /// Notes that the release is live; nothing changes where it is known to be.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn set(&self, environment: &str, live: WasLive) -> Result<()> {
        if let Some((name, value)) = self.next(environment, live)? {
            self.0.put_fact(&name, &value)?;
        }
        Ok(())
    }

    /// The fact that is to be written for the release to be live; none where it is known to be.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn next(&self, environment: &str, live: WasLive) -> Result<Option<(String, Vec<u8>)>, JournalError> {
        let name = fact(environment);
        let mut history = self.kept(&name)?;
        if history.first().is_some_and(|before| before.release == live.release) {
            return Ok(None);
        }
        history.insert(0, live);
        history.truncate(REMEMBERED);
        let value = serde_json::to_vec(&history).map_err(|error| self.damaged(&name, &error))?;
        Ok(Some((name, value)))
    }

    fn kept(&self, name: &str) -> Result<Vec<WasLive>, JournalError> {
        let Some(bytes) = self.0.get_fact(name)? else { return Ok(Vec::new()) };
        serde_json::from_slice(&bytes).map_err(|error| self.damaged(name, &error))
    }

    fn damaged(&self, name: &str, error: &serde_json::Error) -> JournalError {
        JournalError::Damaged { path: self.0.path().to_path_buf(), what: format!("the fact {name}: {error}") }
    }
}

/// The releases that led to the current one, oldest first. To return to one of them is to leave all that came after it.
fn line(history: &[WasLive]) -> Vec<&WasLive> {
    let mut line: Vec<&WasLive> = Vec::new();
    for was in history.iter().rev() {
        if let Some(place) = line.iter().position(|before| before.release == was.release) {
            line.truncate(place);
        }
        line.push(was);
    }
    line
}

fn fact(environment: &str) -> String {
    format!("live/{environment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(id: &str) -> Release {
        Release { id: id.into(), artifact: "sha256:0".into(), commit: "0".repeat(40) }
    }

    fn was(id: &str, by: &Origin, since: i64) -> WasLive {
        WasLive { release: release(id), since: Timestamp(since), by: by.clone() }
    }

    #[test]
    fn what_was_live_is_known_newest_first_and_environments_are_apart() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal.db")).unwrap();
        let live = Live::new(&journal);
        assert_eq!((live.current("p").unwrap(), live.before("p").unwrap()), (None, None));
        let by = Origin::Run("r".into());
        for (at, id) in ["a", "b", "b", "c"].into_iter().enumerate() {
            live.set("p", was(id, &by, at as i64)).unwrap();
        }
        assert_eq!(live.current("p").unwrap(), Some(release("c")));
        assert_eq!(live.before("p").unwrap(), Some(release("b")));
        assert_eq!(live.history("p").unwrap().len(), 3);
        assert_eq!(live.history("p").unwrap()[1].since, Timestamp(1));
        assert_eq!(live.current("s").unwrap(), None);
        live.set("p", was("b", &Origin::Rollback("ada".into()), 9)).unwrap();
        assert_eq!((live.current("p").unwrap(), live.before("p").unwrap()), (Some(release("b")), Some(release("a"))));
    }

    fn history(ids: &[&str]) -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal.db")).unwrap();
        for (at, id) in ids.iter().enumerate() {
            Live::new(&journal).set("p", was(id, &Origin::Rollback("ada".into()), at as i64)).unwrap();
        }
        (folder, journal)
    }

    #[test]
    fn a_rollback_never_goes_to_a_release_that_was_gone_back_from() {
        for (ids, before) in [
            (&["a"][..], None),
            (&["a", "b"], Some("a")),
            (&["a", "b", "a"], None),
            (&["a", "b", "c", "b"], Some("a")),
            (&["a", "b", "c", "a"], None),
            (&["a", "b", "a", "c"], Some("a")),
            (&["a", "b", "a", "b", "c"], Some("b")),
            (&["a", "b", "c", "a", "c"], Some("a")),
        ] {
            let (_folder, journal) = history(ids);
            assert_eq!(Live::new(&journal).before("p").unwrap(), before.map(release), "{ids:?}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn one_rollback_after_the_other_ends_and_visits_nothing_twice(ids in proptest::collection::vec("[a-f]", 1..20)) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let (_folder, journal) = history(&ids);
            let live = Live::new(&journal);
            let mut visited = vec![live.current("p").unwrap().unwrap()];
            while let Some(before) = live.before("p").unwrap() {
                proptest::prop_assert!(!visited.contains(&before), "{} again after {:?}", before.id, visited);
                let at = 100 + visited.len() as i64;
                live.set("p", was(&before.id, &Origin::Rollback("ada".into()), at)).unwrap();
                visited.push(before);
            }
        }
    }
}
