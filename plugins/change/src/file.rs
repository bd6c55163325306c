//! Files of a change, before and after.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use autodevops_sdk::{Error, Result};

use crate::Lines;

/// A longer file is not looked at: it was made by a machine, and a check has to end.
pub const MAX_FILE_BYTES: u64 = 2 << 20;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text. Bytes that are no UTF-8 in it are replaced.
    Text(String),
    /// Something that is no text.
    Binary,
    /// More than [`MAX_FILE_BYTES`]: so many.
    Huge(u64),
    /// A link or something else that is no file.
    NoFile,
}

impl Content {
    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A file of the change.
#[derive(Clone, Debug)]
pub struct File {
    /// Path relative to the project's root.
    pub path: String,
    /// What it held; none when it is new.
    pub before: Option<Content>,
    /// What it holds; none when it was removed.
    pub after: Option<Content>,
}

impl File {
    /// The text before; empty when there was none.
    pub fn old_text(&self) -> &str {
        self.before.as_ref().and_then(Content::text).unwrap_or_default()
    }

    /// The text after; empty when there is none.
    pub fn new_text(&self) -> &str {
        self.after.as_ref().and_then(Content::text).unwrap_or_default()
    }

    /// Which lines were added and removed.
    pub fn lines(&self) -> Lines {
        Lines::between(self.old_text(), self.new_text())
    }

    /// The file's name without its folders.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Why the file cannot be looked at, where that is so.
    pub fn obstacle(&self) -> Option<String> {
        match self.after.as_ref()? {
            Content::Text(_) => None,
            Content::Binary => Some("it is no text".to_owned()),
            Content::Huge(bytes) => Some(format!("it has {bytes} bytes, more than {MAX_FILE_BYTES}")),
            Content::NoFile => Some("it is a link or another thing that is no file".to_owned()),
        }
    }
}

/// The two folders that a check is given.
#[derive(Clone, Debug)]
pub struct Roots {
    before: PathBuf,
    after: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self::new("/before", "/after")
    }
}

impl Roots {
    /// Other folders than `/before` and `/after`, for tests.
    pub fn new(before: impl Into<PathBuf>, after: impl Into<PathBuf>) -> Self {
        Self { before: before.into(), after: after.into() }
    }

    /// The file of a path.
    ///
    /// # Errors
    /// `denied` when the folders were not granted, `failed` when the file cannot be read.
    pub fn file(&self, path: &str) -> Result<File> {
        let read = |root: &Path| {
            read(&root.join(path)).map_err(|error| match Error::from(error) {
                Error::Denied(_) => Error::not_granted(format!(
                    "{path} cannot be read in {0}; grant files.\"{0}\" = {{}} to the plugin",
                    root.display()
                )),
                other => Error::failure(format!("{path} cannot be read in {}: {}", root.display(), other.message())),
            })
        };
        Ok(File { path: path.to_owned(), before: read(&self.before)?, after: read(&self.after)? })
    }

    /// All files of the paths. That the folders are there is made sure of: with neither, every file would seem removed.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub fn files(&self, paths: &[String]) -> Result<Vec<File>> {
        for root in [&self.before, &self.after] {
            if let Err(error) = fs::metadata(root) {
                return Err(Error::not_granted(format!(
                    "the folder {0} is not there: {error}; grant files.\"{0}\" = {{}} to the plugin",
                    root.display()
                )));
            }
        }
        paths.iter().map(|path| self.file(path)).collect()
    }
}

fn read(path: &Path) -> io::Result<Option<Content>> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if !metadata.is_file() {
        return Ok(Some(Content::NoFile));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Ok(Some(Content::Huge(metadata.len())));
    }
    let bytes = fs::read(path)?;
    // As git tells them apart, and text in two-byte units besides, which no rule would find anything in.
    Ok(Some(if bytes.iter().take(8000).any(|byte| *byte == 0) {
        Content::Binary
    } else {
        Content::Text(String::from_utf8_lossy(&bytes).into_owned())
    }))
}

/// Whether a file holds tests, by the habits of JavaScript, Python, Go, Rust, Ruby and the JVM.
pub fn is_test(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.split('.').next().unwrap_or_default();
    let in_folder = folders.split('/').any(|part| matches!(part, "test" | "tests" | "__tests__" | "spec" | "e2e"));
    in_folder
        || name.contains(".test.")
        || name.contains(".spec.")
        || stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_spec")
        || (name.ends_with(".java") || name.ends_with(".kt")) && (stem.ends_with("Test") || stem.ends_with("Tests"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_came_went_and_changed_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (before, after) = (folder.path().join("before"), folder.path().join("after"));
        for (path, text) in
            [("before/gone.js", "a"), ("before/a.js", "a\nb\n"), ("after/a.js", "a\nc\n"), ("after/new.js", "n")]
        {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(after.join("logo.png"), b"\x89PNG\0\0").unwrap();
        fs::write(after.join("huge.txt"), vec![b'a'; MAX_FILE_BYTES as usize + 1]).unwrap();
        let roots = Roots::new(before, after);
        let file = |path: &str| roots.file(path).unwrap();
        assert!(file("gone.js").after.is_none());
        assert!(file("new.js").before.is_none());
        assert!(file("a.js/below").after.is_none());
        assert_eq!(file("a.js").lines().added, [2].into());
        assert_eq!(file("logo.png").after, Some(Content::Binary));
        assert_eq!(file("huge.txt").after, Some(Content::Huge(MAX_FILE_BYTES + 1)));
        assert!(file("huge.txt").obstacle().unwrap().contains("2097153 bytes"));
    }

    #[test]
    fn a_folder_that_was_not_granted_is_denied_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let roots = Roots::new(folder.path(), "/nowhere/after");
        let error = roots.files(&["a".into()]).unwrap_err();
        assert!(matches!(error, Error::Denied(_)) && error.message().contains("/nowhere/after"), "{}", error.message());
    }

    #[test]
    fn tests_are_known_by_their_place_or_name() {
        for path in
            ["src/a.test.js", "a.spec.ts", "test/a.js", "x/__tests__/a.js", "test_a.py", "a_test.go", "ATest.java"]
        {
            assert!(is_test(path), "{path}");
        }
        for path in ["src/a.js", "src/latest.js", "contest/a.js", "src/testing.js", "testament.md"] {
            assert!(!is_test(path), "{path}");
        }
    }
}
