//! Folders of files, read without ever following a link.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

/// Something that is no folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A file.
    File { executable: bool },
    /// A symbolic link, with its target.
    Link(String),
}

/// All files and links below a folder, by their path in it.
pub struct Found(pub BTreeMap<String, Node>);

impl Found {
    pub fn links(&self) -> BTreeMap<String, String> {
        let links = self.0.iter().filter_map(|(path, node)| match node {
            Node::Link(target) => Some((path.clone(), target.clone())),
            Node::File { .. } => None,
        });
        links.collect()
    }

    /// Folders that hold something, the deepest last.
    pub fn folders(&self) -> BTreeSet<&str> {
        self.0.keys().flat_map(|path| path.match_indices('/').filter_map(|(at, _)| path.get(..at))).collect()
    }
}

/// Why a folder is not read.
pub enum WalkError {
    TooMany,
    Special(PathBuf),
    File(PathBuf, io::Error),
}

/// Finds everything below a folder, at most `max` files and links.
pub fn walk(folder: &Path, max: usize) -> Result<Found, WalkError> {
    let mut found = BTreeMap::new();
    let mut todo = vec![String::new()];
    while let Some(prefix) = todo.pop() {
        let at = folder.join(&prefix);
        let failed = |error| WalkError::File(at.clone(), error);
        for entry in fs::read_dir(&at).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let special = || WalkError::Special(entry.path());
            let name = entry.file_name().into_string().map_err(|_| special())?;
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let metadata = fs::symlink_metadata(entry.path()).map_err(|error| WalkError::File(entry.path(), error))?;
            let node = if metadata.is_dir() {
                todo.push(path);
                continue;
            } else if metadata.is_symlink() {
                let target = fs::read_link(entry.path()).map_err(|error| WalkError::File(entry.path(), error))?;
                Node::Link(target.into_os_string().into_string().map_err(|_| special())?)
            } else if metadata.is_file() {
                Node::File { executable: metadata.permissions().mode() & 0o100 != 0 }
            } else {
                return Err(special());
            };
            found.insert(path, node);
            if found.len() > max {
                return Err(WalkError::TooMany);
            }
        }
    }
    Ok(Found(found))
}

/// Opens a file to read, if it is one: no link, and nothing that waits for another end.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Makes a file that must not be there.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)
}

/// Copies a file, a link or a folder with all that is in it; the place must be free.
pub fn copy(from: &Path, to: &Path) -> Result<(), (PathBuf, io::Error)> {
    let mut todo = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = todo.pop() {
        let failed = |error| (from.clone(), error);
        let metadata = fs::symlink_metadata(&from).map_err(failed)?;
        if metadata.is_dir() {
            fs::create_dir(&to).map_err(|error| (to.clone(), error))?;
            for entry in fs::read_dir(&from).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name();
                todo.push((from.join(&name), to.join(&name)));
            }
        } else if metadata.is_symlink() {
            let target = fs::read_link(&from).map_err(failed)?;
            symlink(target, &to).map_err(|error| (to.clone(), error))?;
        } else {
            let mut source = open(&from).map_err(failed)?;
            let mut copy = create(&to).map_err(|error| (to.clone(), error))?;
            io::copy(&mut source, &mut copy).map_err(|error| (to.clone(), error))?;
            let mode = metadata.permissions().mode() & 0o777 | 0o600;
            copy.set_permissions(Permissions::from_mode(mode)).map_err(|error| (to.clone(), error))?;
        }
    }
    Ok(())
}

/// The path below the root, if it is there and no part on the way to it is a link.
pub fn inside(root: &Path, path: &str) -> Option<PathBuf> {
    let mut at = root.to_owned();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." || !fs::symlink_metadata(&at).ok()?.is_dir() {
            return None;
        }
        at.push(part);
    }
    fs::symlink_metadata(&at).ok()?;
    Some(at)
}
