//! The lock file on disk: read whole, and replaced whole.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::{LOCK, LockFile, LockFileError};

/// Largest file that is read: some thousand plugins.
pub const MAX_BYTES: u64 = 8 << 20;

/// As files that are checked in have it; the user's mask still lowers it.
const MODE: u32 = 0o644;

impl LockFile {
    /// Reads the file; one that is not there has no answers.
    ///
    /// # Errors
    /// [`LockFileError`], which names the file and what is wrong.
    pub fn read(path: &Path) -> Result<Self, LockFileError> {
        let failed = |source| LockFileError::Read { path: path.to_owned(), source };
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(failed(io::Error::other("it is no file"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(error)),
        }
        let mut text = String::new();
        File::open(path).map_err(failed)?.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_BYTES {
            return Err(LockFileError::TooLarge { path: path.to_owned() });
        }
        Ok(Self::parse(&text, &path.display().to_string())?)
    }

    /// Changes the lock file of a project's folder: reads it, has `change` change it, and puts the result in its place. Two
    /// who do that at once do it one after the other; a machine that stops in between has the file before or the file after.
    ///
    /// # Errors
    /// [`LockFileError`]; the file is as it was then.
    pub fn update(folder: &Path, change: impl FnOnce(&mut Self)) -> Result<Self, LockFileError> {
        let path = folder.join(LOCK);
        let failed = |source| LockFileError::Write { path: path.clone(), source };
        let directory = File::open(folder).map_err(failed)?;
        directory.lock().map_err(failed)?;
        let before = Self::read(&path)?;
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(after);
        }
        let text = after.to_text()?;
        // What would not be read again must not be in the place of what can be.
        if let Err(error) = Self::parse(&text, LOCK) {
            return Err(LockFileError::Unwritable(error.to_string()));
        }
        let mut new = tempfile::Builder::new()
            .prefix(".autodevops.lock-")
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(folder)
            .map_err(failed)?;
        if let Ok(old) = fs::metadata(&path) {
            new.as_file().set_permissions(old.permissions()).map_err(failed)?;
        }
        new.write_all(text.as_bytes()).map_err(failed)?;
        new.as_file().sync_all().map_err(failed)?;
        new.persist(&path).map_err(|error| failed(error.error))?;
        directory.sync_all().map_err(failed)?;
        Ok(after)
    }
}
