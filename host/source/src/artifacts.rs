//! Artifacts: folders by the digest of what is in them.

use std::path::{Path, PathBuf};

/// Why an artifact is not kept or found.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The digest is none.
    #[error("{0:?} is no digest; it is `sha256:` and 64 hex digits")]
    Digest(String),
    /// It is not there.
    #[error("there is no artifact {0}; build its commit again")]
    Missing(String),
    /// It is not what it was.
    #[error("the artifact {digest} in {} is damaged; remove that folder and build its commit again", path.display())]
    Damaged {
        /// What it should be.
        digest: String,
        /// Where it is.
        path: PathBuf,
    },
    /// It is too large.
    #[error("{} has more than {limit}; name what belongs to a release in [build] `outputs`", path.display())]
    TooLarge {
        /// The folder.
        path: PathBuf,
        /// The limit.
        limit: String,
    },
    /// A link leaves the folder.
    #[error("{} is a symbolic link to {target:?}, which is outside the artifact; replace it by a file", path.display())]
    LinkOut {
        /// The link.
        path: PathBuf,
        /// What it says.
        target: String,
    },
    /// It is no file, folder or link.
    #[error("{} is no file, folder or symbolic link, and cannot be part of an artifact", .0.display())]
    Special(PathBuf),
    /// A file or folder cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Artifacts in a folder, each under its digest.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens the store in a folder, which is made.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self, ArtifactError> {
        Ok(Self { folder: folder.to_owned() })
    }

    /// Keeps a copy of a folder; gives its digest, `sha256:` and 64 hex digits.
    ///
    /// # Errors
    /// When it is too large, has something that no artifact has, or cannot be written.
    pub fn put(&self, folder: &Path) -> Result<String, ArtifactError> {
        let _ = folder;
        unimplemented!()
    }

    /// The artifact's folder, compared with its digest.
    ///
    /// # Errors
    /// When it is not there or not what it was.
    pub fn get(&self, digest: &str) -> Result<PathBuf, ArtifactError> {
        let _ = (digest, &self.folder);
        unimplemented!()
    }

    /// Whether the artifact is there; its content is not looked at.
    pub fn exists(&self, digest: &str) -> bool {
        let _ = digest;
        unimplemented!()
    }
}
