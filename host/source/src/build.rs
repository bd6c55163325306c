//! The operator's build, in bubblewrap.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{ArtifactError, Store};

/// Why there is no build.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// bubblewrap is not there.
    #[error("bubblewrap is not installed, and builds run in nothing less; install the package `bubblewrap`")]
    Absent,
    /// bubblewrap may not do what it must.
    #[error(
        "bubblewrap is not permitted to make a sandbox here: {0}; allow unprivileged user namespaces (sysctl \
         kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0), or run outside of a container \
         that forbids them"
    )]
    NotPermitted(String),
    /// The command failed.
    #[error("`{command}` ended with {status}; its last output:\n{log}")]
    Failed {
        /// The command.
        command: String,
        /// Its exit code or signal, in words.
        status: String,
        /// The end of its output.
        log: String,
    },
    /// The command took too long.
    #[error("`{command}` took longer than {} s; give it more with [build] `timeout`. Its last output:\n{log}", limit.as_secs_f64())]
    OutOfTime {
        /// The command.
        command: String,
        /// The limit.
        limit: Duration,
        /// The end of its output.
        log: String,
    },
    /// An output is not there.
    #[error("the build made no `{0}`; correct [build] `outputs` or `prepared`")]
    NoOutput(String),
    /// The artifact is not kept.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A file or folder cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A command that runs on the unchanged base with network, once for each state of the lockfiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepare {
    /// The shell command.
    pub command: String,
    /// What it makes, relative to the project.
    pub makes: Vec<String>,
    /// What it depends on, relative to the project; what is not there is left out.
    pub lockfiles: Vec<String>,
}

/// How a tree becomes an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOptions {
    /// The shell command.
    pub command: String,
    /// What runs before it, where something does.
    pub prepare: Option<Prepare>,
    /// What becomes the artifact, relative to the project; empty: the whole tree.
    pub outputs: Vec<String>,
    /// Further folders of this machine that the commands may read.
    pub read_only: Vec<PathBuf>,
    /// Environment variables of the commands.
    pub env: BTreeMap<String, String>,
    /// Time that each command may take.
    pub timeout: Duration,
    /// Memory that each process of a command may take, in bytes.
    pub memory: u64,
}

/// An artifact that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its digest in the store.
    pub artifact: String,
    /// The end of the command's output, at most 64 KiB.
    pub log: String,
}

/// Builds trees.
#[derive(Clone, Debug)]
pub struct Builder {
    prepared: PathBuf,
}

/// Tries whether bubblewrap makes the sandbox that builds need.
///
/// # Errors
/// [`BuildError::Absent`] or [`BuildError::NotPermitted`], with the remedy.
pub fn probe() -> Result<(), BuildError> {
    unimplemented!()
}

impl Builder {
    /// With a folder in which the results of `prepare` are kept.
    ///
    /// # Errors
    /// As [`probe`]; and when the folder cannot be made.
    pub fn new(prepared: &Path) -> Result<Self, BuildError> {
        Ok(Self { prepared: prepared.to_owned() })
    }

    /// Builds the tree in a folder (which is changed by it) and keeps the artifact. `base` is the unchanged base's tree, on which
    /// `prepare` runs.
    ///
    /// # Errors
    /// When a command fails or an output is not there.
    pub fn build(&self, options: &BuildOptions, base: &Path, tree: &Path, store: &Store) -> Result<Built, BuildError> {
        let _ = (options, base, tree, store, &self.prepared);
        unimplemented!()
    }
}
