//! Why git, or a proposed change, is refused.

use std::path::PathBuf;

use autodevops_policy::{PathError, edits::EditError};

/// How many paths a message names.
const SHOWN: usize = 5;

/// Why the source could not be read, or a change not be made. Nothing of the operator's was touched.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no git, or it is too old.
    #[error("git {found}; install git 2.38 or newer")]
    Git {
        /// What was found instead.
        found: String,
    },
    /// The folder is in no repository.
    #[error("{} is not in a git repository; make one with `git init`, commit the project, and try again", .0.display())]
    NotARepository(PathBuf),
    /// The repository has no files.
    #[error("the git repository of {} is bare; use a clone that has the project's files", .0.display())]
    Bare(PathBuf),
    /// git does not trust the folder.
    #[error("the git repository of {} belongs to another user; run autodevops as its owner", .0.display())]
    NotOurs(PathBuf),
    /// There is no commit.
    #[error("the branch `{0}` has no commit; commit the project first")]
    NoCommits(String),
    /// HEAD is at no branch.
    #[error("HEAD is detached at {0}; check out a branch first")]
    Detached(String),
    /// There are changes that are not committed.
    #[error("the project has changes that are not committed: {}; commit or stash them first", listed(.0))]
    Dirty(Vec<String>),
    /// There is no such commit.
    #[error("the repository has no commit {0}; fetch it, or name another")]
    NoCommit(String),
    /// The commit lacks the project's folder.
    #[error("commit {commit} has no folder `{prefix}`")]
    NoProject {
        /// The commit.
        commit: String,
        /// The project's folder in the repository.
        prefix: String,
    },
    /// A symbolic link leaves the project.
    #[error("`{path}` is a symbolic link to {target:?}, which is outside the project; replace it by a file")]
    LinkOut {
        /// The link.
        path: String,
        /// What it says.
        target: String,
    },
    /// A submodule.
    #[error("`{0}` is a submodule, which is neither exported nor changed; put its files into the repository")]
    Submodule(String),
    /// A path that is not taken.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The change of a file is refused.
    #[error("the change of `{path}` is refused: {reason}")]
    Change {
        /// The file.
        path: String,
        /// Why.
        reason: Refusal,
    },
    /// The change as a whole is refused.
    #[error("the change has {what}, at most {limit} are taken")]
    TooLarge {
        /// How much it has.
        what: String,
        /// The limit.
        limit: String,
    },
    /// Nothing would differ.
    #[error("the change changes nothing")]
    NoChange,
    /// The branch is somebody else's.
    #[error(
        "the branch `{branch}` is there already, at {at}, with another content; look at it, then delete it with \
         `git branch -D {branch}`, or merge it"
    )]
    BranchTaken {
        /// The branch.
        branch: String,
        /// Its commit.
        at: String,
    },
    /// It does not merge.
    #[error("the fix of {base} does not merge into `{branch}`: it conflicts in {}; the service's source has moved on, deploy it first", listed(.paths))]
    Conflict {
        /// The commit that was fixed.
        base: String,
        /// The branch that was tried.
        branch: String,
        /// The files.
        paths: Vec<String>,
    },
    /// Two commits do not merge.
    #[error("{one} and {other} do not merge: they conflict in {}", listed(.paths))]
    Apart {
        /// One of them.
        one: String,
        /// The other.
        other: String,
        /// The files.
        paths: Vec<String>,
    },
    /// The author is none.
    #[error("{0:?} is no author; write `Name <address>`")]
    Author(String),
    /// A reference that git does not take.
    #[error("git takes no branch named `{0}`")]
    BranchName(String),
    /// git failed otherwise.
    #[error("`git {command}` failed: {reason}")]
    Failed {
        /// The command's name.
        command: String,
        /// What it said.
        reason: String,
    },
    /// A file or folder cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Why the change of one file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The edit does not fit the file.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// There is a second edit.
    #[error("it is changed twice; put all of its changes into one edit")]
    Twice,
    /// A part of the path is no folder.
    #[error("`{0}` on its way is not a folder")]
    NotAFolder(String),
    /// It is a symbolic link, or on the way there is one.
    #[error("`{0}` is a symbolic link; name the file itself")]
    Link(String),
    /// It is a folder.
    #[error("it is a folder")]
    Folder,
    /// It is to be made, and exists.
    #[error("it is to be made, and exists already")]
    Exists,
    /// It is to be changed, and is not there.
    #[error("it is not there")]
    Missing,
    /// It lacks the hash of what it was made for.
    #[error("it lacks the SHA-256 of the file that it was made for")]
    NoBase,
    /// It has a hash, of a file that is to be made.
    #[error("it is to be made, and yet has the SHA-256 of a file before it")]
    NeedlessBase,
}

fn listed(paths: &[String]) -> String {
    let mut text = paths.iter().take(SHOWN).map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    if let Some(more) = paths.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> SourceError {
    let path = path.into();
    move |source| SourceError::File { path, source }
}
