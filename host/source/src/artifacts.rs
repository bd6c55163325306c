//! Artifacts: folders by the digest of what is in them.
//!
//! The digest is the SHA-256 of a canonical listing: each file's path, whether it is executable, and its SHA-256, or a link's
//! target, sorted by path. Times, owners and empty folders are not part of it.

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};

use crate::{
    files::{Found, Node, create, open, walk},
    links::leaving,
};

/// What one artifact may have at most: bytes (2 GiB).
const MAX_BYTES: u64 = 2 << 30;

/// What one artifact may have at most: files and links.
const MAX_FILES: usize = 200_000;

/// What a process that was killed left behind is removed after so long.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// Where artifacts are made before they have their name.
const INCOMING: &str = "incoming";

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
    #[error("the artifact {digest} in {} is damaged; build its commit again", path.display())]
    Damaged {
        /// What it should be.
        digest: String,
        /// Where it is.
        path: PathBuf,
    },
    /// It is empty.
    #[error("{} has no file, so there is nothing to release", .0.display())]
    Empty(PathBuf),
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
    /// It is no file, folder or link, or its name is no text.
    #[error("{} cannot be part of an artifact: it is no file, folder or symbolic link with a UTF-8 name", .0.display())]
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

pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> ArtifactError {
    let path = path.into();
    move |source| ArtifactError::File { path, source }
}

/// Artifacts in a folder, each under its digest.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    max_bytes: u64,
    max_files: usize,
}

impl Store {
    /// Opens the store in a folder, which is made.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self, ArtifactError> {
        let incoming = folder.join(INCOMING);
        fs::create_dir_all(&incoming).map_err(file(&incoming))?;
        let folder = fs::canonicalize(folder).map_err(file(folder))?;
        remove_stale(&folder.join(INCOMING));
        Ok(Self { folder, max_bytes: MAX_BYTES, max_files: MAX_FILES })
    }

    /// The same, with other bounds on an artifact.
    #[must_use]
    pub const fn bounded(mut self, max_bytes: u64, max_files: usize) -> Self {
        self.max_bytes = max_bytes;
        self.max_files = max_files;
        self
    }

    /// Keeps a copy of a folder; gives its digest, `sha256:` and 64 hex digits. The copy is on the disk when this returns.
    ///
    /// # Errors
    /// When it is too large, has something that no artifact has, or cannot be written.
    pub fn put(&self, folder: &Path) -> Result<String, ArtifactError> {
        let incoming = self.folder.join(INCOMING);
        let copy = tempfile::tempdir_in(&incoming).map_err(file(&incoming))?;
        let content = copy.path().join("content");
        fs::create_dir(&content).map_err(file(&content))?;
        let hex = self.read(folder, Some(&content))?;
        let kept = self.folder.join(&hex);
        for attempt in [false, true] {
            match fs::rename(&content, &kept) {
                Ok(()) => {
                    sync(&self.folder)?;
                    break;
                }
                Err(error)
                    if !attempt && matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) =>
                {
                    if self.read(&kept, None).is_ok_and(|found| found == hex) {
                        break;
                    }
                    // What is kept there is not what it was: this copy takes its place.
                    fs::rename(&kept, copy.path().join("damaged")).map_err(file(&kept))?;
                }
                Err(error) => return Err(file(&kept)(error)),
            }
        }
        Ok(format!("sha256:{hex}"))
    }

    /// The artifact's folder, compared with its digest.
    ///
    /// # Errors
    /// When it is not there or not what it was.
    pub fn get(&self, digest: &str) -> Result<PathBuf, ArtifactError> {
        let hex = hex_of(digest)?;
        let path = self.folder.join(hex);
        if !path.is_dir() {
            return Err(ArtifactError::Missing(digest.to_owned()));
        }
        match self.read(&path, None) {
            Ok(found) if found == hex => Ok(path),
            Err(error @ ArtifactError::File { .. }) => Err(error),
            _ => Err(ArtifactError::Damaged { digest: digest.to_owned(), path }),
        }
    }

    /// Whether the artifact is there; its content is not looked at.
    pub fn exists(&self, digest: &str) -> bool {
        hex_of(digest).is_ok_and(|hex| self.folder.join(hex).is_dir())
    }

    /// The folder's digest in hex; copied on the way, where `into` names a folder.
    fn read(&self, folder: &Path, into: Option<&Path>) -> Result<String, ArtifactError> {
        let too_large = |limit: String| ArtifactError::TooLarge { path: folder.to_owned(), limit };
        let (mut listing, mut bytes) = (Sha256::new(), 0);
        listing.update("autodevops artifact 1\0");
        let found = walk(folder, self.max_files).map_err(|error| match error {
            crate::files::WalkError::TooMany => too_large(format!("{} files", self.max_files)),
            crate::files::WalkError::Special(path) => ArtifactError::Special(path),
            crate::files::WalkError::File(path, source) => ArtifactError::File { path, source },
        })?;
        let links: BTreeMap<String, String> = found.links();
        if let Some((path, target)) = leaving(&links) {
            return Err(ArtifactError::LinkOut { path: folder.join(path), target: target.to_owned() });
        }
        if found.0.is_empty() {
            return Err(ArtifactError::Empty(folder.to_owned()));
        }
        for (path, node) in &found.0 {
            let copy = into.map(|into| into.join(path));
            let (kind, content) = match node {
                Node::File { executable } => {
                    let left = self.max_bytes - bytes;
                    let (hash, size) = read_file(&folder.join(path), *executable, copy.as_deref(), left)?;
                    bytes += size;
                    if bytes > self.max_bytes {
                        return Err(too_large(format!("{} bytes", self.max_bytes)));
                    }
                    (if *executable { "executable" } else { "file" }, hash)
                }
                Node::Link(target) => {
                    if let Some(copy) = copy {
                        make_parent(&copy)?;
                        symlink(target, &copy).map_err(file(&copy))?;
                    }
                    ("link", target.clone())
                }
            };
            for part in [kind, path, content.as_str()] {
                listing.update(part);
                listing.update("\0");
            }
        }
        if let Some(into) = into {
            sync_folders(into, &found)?;
        }
        Ok(format!("{:x}", listing.finalize()))
    }
}

/// The file's hash in hex and its size, which is one more than `left` at most; copied on the way.
fn read_file(path: &Path, executable: bool, copy: Option<&Path>, left: u64) -> Result<(String, u64), ArtifactError> {
    let mut from = open(path).map_err(file(path))?.take(left.saturating_add(1));
    let mut to = match copy {
        Some(copy) => {
            make_parent(copy)?;
            Some((create(copy).map_err(file(copy))?, copy))
        }
        None => None,
    };
    let (mut hash, mut size, mut part) = (Sha256::new(), 0, vec![0; 64 << 10]);
    loop {
        let length = match from.read(&mut part) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(file(path)(error)),
        };
        let bytes = part.get(..length).unwrap_or_default();
        hash.update(bytes);
        size += length as u64;
        if let Some((to, copy)) = &mut to {
            to.write_all(bytes).map_err(file(*copy))?;
        }
    }
    if let Some((to, copy)) = to {
        // Nobody changes a release by mistake.
        let mode = if executable { 0o555 } else { 0o444 };
        to.set_permissions(Permissions::from_mode(mode)).and_then(|()| to.sync_all()).map_err(file(copy))?;
    }
    Ok((format!("{:x}", hash.finalize()), size))
}

fn make_parent(path: &Path) -> Result<(), ArtifactError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(file(parent))
}

fn sync_folders(root: &Path, found: &Found) -> Result<(), ArtifactError> {
    for folder in found.folders() {
        sync(&root.join(folder))?;
    }
    sync(root)
}

fn sync(folder: &Path) -> Result<(), ArtifactError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(file(folder))
}

fn hex_of(digest: &str) -> Result<&str, ArtifactError> {
    let hex = digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64);
    hex.filter(|hex| hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
        .ok_or_else(|| ArtifactError::Digest(digest.chars().take(100).collect()))
}

/// Best effort: what cannot be removed now is removed another time.
fn remove_stale(incoming: &Path) {
    for entry in fs::read_dir(incoming).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        if age.is_some_and(|age| age > STALE) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests;
