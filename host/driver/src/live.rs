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

    /// The release that was live before the current one: the newest other.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn before(&self, environment: &str) -> Result<Option<Release>> {
        let history = self.history(environment)?;
        let current = history.first().map(|live| live.release.id.clone());
        Ok(history.into_iter().map(|live| live.release).find(|release| Some(&release.id) != current.as_ref()))
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
        assert_eq!((live.current("p").unwrap(), live.before("p").unwrap()), (Some(release("b")), Some(release("c"))));
    }
}
