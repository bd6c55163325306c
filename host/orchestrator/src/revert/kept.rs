//! What came of undoing in git what was taken back, on record by the commit: a run is over before, so that its events do not have it.

use std::collections::BTreeMap;

use anyhow::Result;
use autodevops_journal::Journal;
use autodevops_model::{Notification, Severity};
use autodevops_pipeline::{Run, Timestamp};
use serde::{Deserialize, Serialize};

use super::short;

/// What the facts are named that keep it; the commit follows.
const FACTS: &str = "undone/";

/// So many files are named to people.
const NAMED: usize = 5;

/// What came of undoing a change in git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Undoing {
    /// What was to be undone, in words.
    pub what: String,
    /// What `autodevops revert` knows it by: a run or a release.
    pub subject: String,
    /// The commit that was to be undone.
    pub commit: String,
    /// What came of it.
    pub came: Came,
    /// When.
    pub at: Timestamp,
    /// The notifiers that are to tell people of it still.
    #[serde(default)]
    pub untold: Vec<String>,
    /// So often these were tried in vain.
    #[serde(default)]
    pub tried: u32,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    /// It is undone on this branch, for a person to merge.
    Branch(String),
    /// Later changes build upon it in these files: a person has to undo it.
    Conflict(Vec<String>),
    /// It could not be tried: why, in words.
    Failed(String),
}

impl Undoing {
    /// The branch on which it is undone.
    pub fn branch(&self) -> Option<&str> {
        match &self.came {
            Came::Branch(branch) => Some(branch),
            Came::Conflict(_) | Came::Failed(_) => None,
        }
    }

    /// Why it is not undone, and what to do about it, in words.
    pub fn why_not(&self) -> Option<String> {
        let Self { what, subject, commit, .. } = self;
        let commit = short(commit);
        match &self.came {
            Came::Branch(_) => None,
            Came::Conflict(paths) => Some(format!(
                "{what} cannot be undone by itself: later changes build upon it in {}; revert it by hand with `git revert {commit}`",
                some(paths)
            )),
            Came::Failed(why) => Some(format!(
                "{what} is not undone in git: {why}; once that is mended, do it with `autodevops revert {subject}`"
            )),
        }
    }

    /// What people are told: the next deploy brings back what was taken back.
    pub fn words(&self) -> String {
        match (&self.came, self.why_not()) {
            (Came::Branch(branch), _) => format!(
                "{} is undone on the branch `{branch}`: merge it, or the next deploy brings it back",
                short(&self.commit)
            ),
            (_, why) => format!("{}, or the next deploy brings it back", why.unwrap_or_default()),
        }
    }

    /// The same as what a notifier is given. What is to be done by hand matters more than what is to be merged.
    pub fn notification(&self, project: &str, stage: &str) -> Notification {
        let (severity, what) = match self.came {
            Came::Branch(_) => (Severity::Warning, "undone in git, and not merged"),
            Came::Conflict(_) | Came::Failed(_) => (Severity::Error, "not undone in git"),
        };
        Notification {
            run: self.subject.clone(),
            stage: stage.to_owned(),
            severity,
            title: format!("{project}: {what}: {}", self.what),
            body: self.words(),
            links: Vec::new(),
            at: self.at.0,
        }
    }

    /// Puts it on record, in the place of what came of it before.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub(super) fn keep(&self, journal: &Journal) -> Result<()> {
        Ok(journal.put_fact(&format!("{FACTS}{}", self.commit), &serde_json::to_vec(self)?)?)
    }
}

/// What came of undoing changes, by their commits. What a later AutoDevOps wrote that this one does not know is left out.
///
/// # Errors
/// When the journal cannot be read.
pub fn undone(journal: &Journal) -> Result<BTreeMap<String, Undoing>> {
    let read = |(name, value): (String, Vec<u8>)| {
        let read = serde_json::from_slice(&value);
        let undoing: Undoing =
            read.inspect_err(|error| tracing::warn!("the fact {name} is not known: {error}")).ok()?;
        Some((undoing.commit.clone(), undoing))
    };
    Ok(journal.facts(FACTS)?.into_iter().filter_map(read).collect())
}

/// The files, as far as people read on.
fn some(paths: &[String]) -> String {
    let mut named = paths.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if let more @ 1.. = paths.len().saturating_sub(NAMED) {
        named.push_str(&format!(" and {more} more"));
    }
    named
}

/// What came of undoing what a run committed.
pub fn came_of<'a>(undone: &'a BTreeMap<String, Undoing>, run: &Run) -> Option<&'a Undoing> {
    undone.get(run.commit()?)
}
