//! The run before, for the same fault: what a run must know of it.

use serde::{Deserialize, Serialize};

use crate::{Event, EventKind, Outcome, Run};

/// The run before for the same fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Former {
    /// Its name.
    pub run: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The last run for this fault whose release was taken back by itself, where none healed it since. What follows does not go to
    /// production without a person's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<String>,
    /// The person who has it tried again; absent, the fault came back, or was chosen anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// A person's word that something is to be tried again. Nobody else's is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Retry {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Event {
    /// The beginning of a run, which follows that one.
    #[must_use]
    pub fn following(mut self, after: Option<Former>) -> Self {
        if let EventKind::Started { former, .. } = &mut self.event {
            *former = after;
        }
        self
    }
}

impl Run {
    /// The run before for the same fault.
    pub const fn former(&self) -> Option<&Former> {
        self.former.as_ref()
    }

    /// Why a person must let this one into production, whatever the plan says: what was tried before had to be taken back.
    pub(crate) fn tried_before(&self) -> Option<String> {
        let before = self.former()?.rolled_back.as_ref()?;
        Some(format!("the release of run {before}, for the same fault, was taken back"))
    }
}
