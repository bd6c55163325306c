//! A proposed change, and what it touches.

use serde::{Deserialize, Serialize};

/// One replacement in one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TextEdit {
    /// Byte offset of the first byte that is replaced, in the file as it was.
    pub start: u64,
    /// Byte offset after the last byte that is replaced; equal to `start` for an insertion.
    pub end: u64,
    /// What is put there.
    pub replacement: String,
}

/// What happens to one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileChange {
    /// The file is made; it must not exist.
    Create(String),
    /// Parts of the file are replaced; edits must not overlap.
    Modify(Vec<TextEdit>),
    /// The file is removed.
    Delete,
}

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Edit {
    /// Path relative to the project's root, with `/` between its parts; never absolute, never with `..`.
    pub path: String,
    /// SHA-256 of the file that the edit was made for, in lowercase hex; absent when the file is made.
    pub base_sha256: Option<String>,
    /// What happens to it.
    pub change: FileChange,
}

/// A file with a test, to be added to the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TestFile {
    /// Path relative to the project's root.
    pub path: String,
    /// The whole text of the file.
    pub content: String,
}

/// How risky a change is thought to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// A guard or a default; nothing else behaves differently.
    Low,
    /// Behaviour changes in the place that failed.
    Medium,
    /// Behaviour changes elsewhere too.
    High,
}

/// How to undo a fix when it turns out wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RollbackPlan {
    /// What to do, for a person.
    pub summary: String,
    /// Whether going back to the release before is enough.
    pub previous_release_suffices: bool,
    /// State that the change writes and that must survive going back, such as a table's name.
    pub state: Vec<String>,
}

/// A proposed change that should end an issue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fix {
    /// One line for a person, in the imperative, as a commit's subject.
    pub title: String,
    /// Why the fault happened.
    pub root_cause: String,
    /// How sure the generator is that this ends the issue, from 0 to 1.
    pub confidence: f64,
    /// How risky the change is.
    pub risk: Risk,
    /// What changes, at most one edit for each path.
    pub edits: Vec<Edit>,
    /// Tests that fail before the change and pass after it.
    pub tests: Vec<TestFile>,
    /// How to undo it.
    pub rollback: RollbackPlan,
}

/// What a fix generator came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proposal {
    /// A change.
    Fix(Fix),
    /// No change, and the reason, for a person.
    None(String),
}
