//! The state folder of a project: what is in it, and who holds it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The folder that keeps all that outlives a process: journal, artifacts, logs, sockets. Only its owner reads it.
#[derive(Clone, Debug)]
pub struct StateFolder(PathBuf);

/// The right to drive runs, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

/// Another process holds the state.
#[derive(Debug, thiserror::Error)]
#[error(
    "the state folder {folder} is held by another autodevops{}; it drives the runs: use `autodevops runs`, `approve` and the like, or end it",
    pid.map_or(String::new(), |pid| format!(" (process {pid})"))
)]
pub struct Held {
    /// The folder.
    pub folder: PathBuf,
    /// The process that holds it, where it is known.
    pub pid: Option<u32>,
}

impl StateFolder {
    /// Opens the folder, making it where it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &Path) -> Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(path).with_context(|| format!("the state folder {} cannot be made", path.display()))?;
        let path = path.canonicalize().with_context(|| format!("the state folder {}", path.display()))?;
        for name in ["logs", "work"] {
            builder.create(path.join(name)).with_context(|| format!("the state folder {}", path.display()))?;
        }
        // Nothing in it belongs into a repository.
        let ignore = path.join(".gitignore");
        if !ignore.exists() {
            fs::write(&ignore, "*\n").with_context(|| format!("{} cannot be written", ignore.display()))?;
        }
        Ok(Self(path))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The journal's file.
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal.db")
    }

    /// Folder of artifacts.
    pub fn artifacts(&self) -> PathBuf {
        self.0.join("artifacts")
    }

    /// Folder of prepared dependencies.
    pub fn prepared(&self) -> PathBuf {
        self.0.join("prepared")
    }

    /// Folder of the front door.
    pub fn edge(&self) -> PathBuf {
        self.0.join("edge")
    }

    /// The file that an environment's releases write to.
    pub fn log(&self, environment: &str) -> PathBuf {
        self.0.join("logs").join(format!("{environment}.log"))
    }

    /// Folder for a run's working trees.
    pub fn work(&self, run: &str) -> PathBuf {
        self.0.join("work").join(run)
    }

    /// The socket on which the holder of the state listens.
    pub fn control_socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// Takes the right to drive runs.
    ///
    /// # Errors
    /// [`Held`] when another process has it.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.0.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("{} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The number is for people only; a file that cannot be read just leaves it out.
                drop(file.read_to_string(&mut text));
                return Err(Held { folder: self.0.clone(), pid: text.trim().parse().ok() }.into());
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
            }
        }
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()))?;
        Ok(Lock(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_holds_the_state_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("a/b")).unwrap();
        let lock = state.lock().unwrap();
        let error = state.lock().unwrap_err();
        assert!(error.is::<Held>());
        assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
        drop(lock);
        state.lock().unwrap();
    }

    #[test]
    fn the_folder_is_its_owners_and_no_part_of_a_repository() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("state")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(state.path()).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(fs::read_to_string(state.path().join(".gitignore")).unwrap(), "*\n");
    }

    #[test]
    fn each_thing_has_a_place_of_its_own_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(folder.path()).unwrap();
        let places = [
            (state.journal(), "journal.db"),
            (state.artifacts(), "artifacts"),
            (state.prepared(), "prepared"),
            (state.edge(), "edge"),
            (state.log("production"), "logs/production.log"),
            (state.work("a-1"), "work/a-1"),
            (state.control_socket(), "control.sock"),
        ];
        for (path, expected) in places {
            assert_eq!(path.strip_prefix(state.path()).unwrap(), Path::new(expected));
        }
    }
}
