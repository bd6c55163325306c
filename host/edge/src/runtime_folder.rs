//! The folder of the releases' sockets.

use std::{
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use crate::EdgeError;

/// Longest folder of the releases' sockets, in bytes: a socket's path has at most 107, and the process, a number and a name
/// are added.
const MAX_FOLDER_BYTES: usize = 72;

/// A folder of this process that only its user may enter; removed when this is dropped.
#[derive(Debug)]
pub struct RuntimeFolder(PathBuf);

impl RuntimeFolder {
    /// Makes it: in the state folder, or, where that has a long name, in a short one named after it. What front doors left
    /// there that have ended is removed, unless one is still ending.
    ///
    /// # Errors
    /// When it cannot be made, or is someone else's.
    pub fn make(state: &Path, is_shared: bool) -> Result<Self, EdgeError> {
        let mut all = state.join("sockets");
        if all.as_os_str().len() > MAX_FOLDER_BYTES {
            let short = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
            let short = short.filter(|path| path.is_absolute() && path.as_os_str().len() < MAX_FOLDER_BYTES / 2);
            let digest = blake3::hash(state.as_os_str().as_bytes()).to_hex();
            let digest = digest.get(..16).unwrap_or_default();
            all = short.unwrap_or_else(|| "/tmp".into()).join(format!("autodevops-{digest}"));
        }
        // The lock is held, so what lies there is of front doors that have ended. Someone else's folder cannot be removed.
        if !is_shared
            && let Err(error) = std::fs::remove_dir_all(&all)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(EdgeError::file(&all)(error));
        }
        match std::fs::DirBuilder::new().mode(0o700).create(&all) {
            Err(error) if !(is_shared && error.kind() == io::ErrorKind::AlreadyExists) => {
                return Err(EdgeError::file(&all)(error));
            }
            _ => {}
        }
        let metadata = std::fs::symlink_metadata(&all).map_err(EdgeError::file(&all))?;
        let is_ours = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
        if !is_ours || metadata.permissions().mode() & 0o077 != 0 {
            return Err(EdgeError::file(&all)(io::ErrorKind::PermissionDenied.into()));
        }
        let own = all.join(std::process::id().to_string());
        std::fs::DirBuilder::new().mode(0o700).create(&own).map_err(EdgeError::file(&own))?;
        Ok(Self(own))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for RuntimeFolder {
    fn drop(&mut self) {
        // Another front door may use what they lie in.
        drop(std::fs::remove_dir_all(&self.0));
        if let Some(all) = self.0.parent() {
            drop(std::fs::remove_dir(all));
        }
    }
}
