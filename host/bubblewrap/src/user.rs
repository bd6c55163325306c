//! As whom sandboxes run, seen from outside, and whether there can be any.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, lchown},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use rustix::process::geteuid;

use crate::{Limits, NOBODY, Refused, Sandbox};

/// The user that a sandbox's processes are for the rest of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// Ours. Inside it is nobody all the same.
    Same,
    /// Nobody: we are root, which may become another user.
    Nobody,
}

impl Outside {
    /// The owner of what the sandbox is to write to.
    fn owner(self) -> u32 {
        match self {
            Self::Same => geteuid().as_raw(),
            Self::Nobody => NOBODY,
        }
    }
}

/// Tries whether bubblewrap makes sandboxes here, once for the process where it does.
///
/// # Errors
/// [`Refused`], with the remedy.
pub fn outside() -> Result<Outside, Refused> {
    static KNOWN: OnceLock<Outside> = OnceLock::new();
    if let Some(known) = KNOWN.get() {
        return Ok(*known);
    }
    probe().map(|found| *KNOWN.get_or_init(|| found))
}

/// Tries it now. Where root cannot become another user, as in a container that maps a single one, it is itself root of nothing more.
///
/// # Errors
/// [`Refused`], with the remedy.
pub fn probe() -> Result<Outside, Refused> {
    if geteuid().is_root() && tried(Outside::Nobody).is_ok() {
        return Ok(Outside::Nobody);
    }
    tried(Outside::Same).map(|()| Outside::Same)
}

fn tried(outside: Outside) -> Result<(), Refused> {
    let env = BTreeMap::new();
    let sandbox = Sandbox {
        hostname: "probe",
        network: false,
        public: &[],
        mounts: Vec::new(),
        folder: Path::new("/"),
        env: &env,
        limits: Limits { memory: 1 << 30, processes: 64 },
    };
    let output = sandbox.command(outside, &["true"]).output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Refused::Absent,
        _ => Refused::NotPermitted(error.to_string()),
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Refused::NotPermitted(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// Makes the sandbox's user the owner of everything in a tree, as whom alone it may write there: root has no right of root's in a
/// sandbox. A file with a second name elsewhere stays as it is. Nothing is done where we are not root, whose trees are the user's.
///
/// # Errors
/// When a file cannot be read or given away, with its path.
pub fn give(tree: &Path, outside: Outside) -> Result<(), (PathBuf, io::Error)> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let user = outside.owner();
    let mut todo = vec![tree.to_owned()];
    while let Some(path) = todo.pop() {
        let at = |error| (path.clone(), error);
        let metadata = fs::symlink_metadata(&path).map_err(at)?;
        if metadata.is_dir() {
            for entry in fs::read_dir(&path).map_err(at)? {
                todo.push(entry.map_err(at)?.path());
            }
        } else if metadata.nlink() > 1 {
            continue;
        }
        lchown(&path, Some(user), Some(user)).map_err(at)?;
    }
    Ok(())
}
