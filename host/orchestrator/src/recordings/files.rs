//! Files that are written aside and renamed when they are whole.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

/// A file that is to have this name in the folder when it is whole, and is removed where it is not kept. Its name until then begins
/// with a dot and is no other's, whichever process made that.
pub fn begin(folder: &Path, name: &str) -> io::Result<NamedTempFile> {
    Builder::new().prefix(".").suffix(&format!("-{name}")).tempfile_in(folder)
}

/// Removes the files in a folder that were begun and will never be whole.
pub fn remove_begun(folder: &Path) -> io::Result<()> {
    for path in entries(folder)? {
        if file_name(&path).starts_with('.') && path.symlink_metadata()?.is_file() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Those in each folder of a folder.
pub fn remove_begun_below(folder: &Path) -> io::Result<()> {
    entries(folder)?.iter().filter(|path| path.is_dir()).try_for_each(|path| remove_begun(path))
}

/// What is in a folder; nothing where there is none.
pub fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
    }
}

/// The last part of a path.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Makes a folder that only its owner reads.
pub fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
