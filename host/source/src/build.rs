//! The operator's build, in bubblewrap.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use autodevops_bubblewrap::{Limits, Refused, outside};
use sha2::{Digest, Sha256};

use crate::{
    ArtifactError, Store,
    bubblewrap::Sandboxed,
    files::{copy, inside, open},
};

/// Why there is no build.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no sandbox to build in.
    #[error(transparent)]
    Refused(#[from] Refused),
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
    /// What each command may take.
    pub limits: Limits,
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

impl Builder {
    /// With a folder in which the results of `prepare` are kept.
    ///
    /// # Errors
    /// When there is no sandbox to build in; and when the folder cannot be made.
    pub fn new(prepared: &Path) -> Result<Self, BuildError> {
        outside()?;
        fs::create_dir_all(prepared).map_err(failed(prepared))?;
        Ok(Self { prepared: prepared.to_owned() })
    }

    /// Builds the tree in a folder (which is changed by it) and keeps the artifact. `base` is the unchanged base's tree, on which
    /// `prepare` runs.
    ///
    /// # Errors
    /// When a command fails or an output is not there.
    pub fn build(&self, options: &BuildOptions, base: &Path, tree: &Path, store: &Store) -> Result<Built, BuildError> {
        if let Some(prepare) = &options.prepare {
            let prepared = self.prepare(options, prepare, base)?;
            for made in &prepare.makes {
                let to = tree.join(made);
                make_parent(&to)?;
                copy(&prepared.join(made), &to).map_err(|(path, source)| BuildError::File { path, source })?;
            }
        }
        let log = options.sandboxed(&options.command, tree, false).run()?;
        if options.outputs.is_empty() {
            return Ok(Built { artifact: store.put(tree)?, log });
        }
        let parent = tree.parent().unwrap_or(tree);
        let gathered = tempfile::tempdir_in(parent).map_err(failed(parent))?;
        gather(tree, &options.outputs, gathered.path())?;
        Ok(Built { artifact: store.put(gathered.path())?, log })
    }

    /// The folder with what `prepare` makes of the base: kept from before, or made now.
    fn prepare(&self, options: &BuildOptions, prepare: &Prepare, base: &Path) -> Result<PathBuf, BuildError> {
        let kept = self.prepared.join(key(prepare, base)?);
        if kept.is_dir() {
            return Ok(kept);
        }
        let work = tempfile::tempdir_in(&self.prepared).map_err(failed(&self.prepared))?;
        let (tree, made) = (work.path().join("tree"), work.path().join("made"));
        copy(base, &tree).map_err(|(path, source)| BuildError::File { path, source })?;
        options.sandboxed(&prepare.command, &tree, true).run()?;
        fs::create_dir(&made).map_err(failed(&made))?;
        gather(&tree, &prepare.makes, &made)?;
        match fs::rename(&made, &kept) {
            // Another build of the same base was faster.
            Err(_) if kept.is_dir() => Ok(kept),
            Err(error) => Err(failed(&kept)(error)),
            Ok(()) => Ok(kept),
        }
    }
}

impl BuildOptions {
    fn sandboxed<'a>(&'a self, command: &'a str, tree: &'a Path, network: bool) -> Sandboxed<'a> {
        Sandboxed {
            command,
            tree,
            network,
            read_only: &self.read_only,
            env: &self.env,
            timeout: self.timeout,
            limits: self.limits,
        }
    }
}

/// Moves what was made out of the tree; nothing is reached through a link.
fn gather(tree: &Path, paths: &[String], into: &Path) -> Result<(), BuildError> {
    for path in paths {
        let from = inside(tree, path).ok_or_else(|| BuildError::NoOutput(path.clone()))?;
        let to = into.join(path);
        make_parent(&to)?;
        fs::rename(&from, &to).map_err(failed(&from))?;
    }
    Ok(())
}

/// Hash of all that the result of `prepare` depends on.
fn key(prepare: &Prepare, base: &Path) -> Result<String, BuildError> {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    add(prepare.command.as_bytes());
    for made in &prepare.makes {
        add(made.as_bytes());
    }
    for name in &prepare.lockfiles {
        let Some(path) = inside(base, name) else { continue };
        let mut bytes = Vec::new();
        open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(failed(&path))?;
        add(name.as_bytes());
        add(&bytes);
    }
    Ok(format!("{:x}", hash.finalize()))
}

fn make_parent(path: &Path) -> Result<(), BuildError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(failed(parent))
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::File { path, source }
}

#[cfg(test)]
mod tests;
