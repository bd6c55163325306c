//! Paths inside a project, as plugins name them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest path that is taken, in bytes.
const MAX_BYTES: usize = 4096;

/// A path that is not inside the project.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is nothing in it.
    #[error("the path is empty; name a file relative to the project's root")]
    Empty,
    /// It starts at the file system's root.
    #[error("the path {0:?} is absolute; name it relative to the project's root")]
    Absolute(String),
    /// One of its parts is `.`, `..` or empty.
    #[error("the path {0:?} has the part {1:?}; write it without")]
    Part(String, String),
    /// It has a character that paths in a project do not have.
    #[error("the path {0:?} has the character {1:?}, which is not taken")]
    Character(String, char),
    /// It is longer than 4096 bytes.
    #[error("the path is {0} bytes long; at most 4096 are taken")]
    TooLong(usize),
    /// It lies where the version control keeps its own files.
    #[error("the path {0:?} is inside `.git`, which no change may touch")]
    Repository(String),
}

/// A path relative to a project's root that cannot leave it: parts between single `/`, none of them `.`, `..` or `.git`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectPath(String);

impl ProjectPath {
    /// Takes the path if it stays inside.
    ///
    /// # Errors
    /// [`PathError`] says what is wrong with it.
    pub fn new(path: impl Into<String>) -> Result<Self, PathError> {
        let path = path.into();
        if path.is_empty() {
            return Err(PathError::Empty);
        }
        if path.len() > MAX_BYTES {
            return Err(PathError::TooLong(path.len()));
        }
        if path.starts_with('/') {
            return Err(PathError::Absolute(path));
        }
        if let Some(character) = path.chars().find(|c| c.is_control() || *c == '\\') {
            return Err(PathError::Character(path, character));
        }
        let bad = path.split('/').find(|part| matches!(*part, "" | "." | "..")).map(str::to_owned);
        if let Some(part) = bad {
            return Err(PathError::Part(path, part));
        }
        if path.split('/').any(|part| part.eq_ignore_ascii_case(".git")) {
            return Err(PathError::Repository(path));
        }
        Ok(Self(path))
    }

    /// The path, with `/` between its parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProjectPath {
    type Error = PathError;

    fn try_from(path: String) -> Result<Self, PathError> {
        Self::new(path)
    }
}

impl From<ProjectPath> for String {
    fn from(path: ProjectPath) -> Self {
        path.0
    }
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_that_leave_the_project_are_refused_with_the_reason() {
        for (path, reason) in [
            ("", "is empty"),
            ("/etc/passwd", "is absolute"),
            ("../x", "has the part \"..\""),
            ("a/../../x", "has the part \"..\""),
            ("a//b", "has the part \"\""),
            ("./a", "has the part \".\""),
            ("a\\b", "has the character '\\\\'"),
            ("a\0b", "has the character '\\0'"),
            (".git/hooks/pre-commit", "inside `.git`"),
            ("sub/.GIT/config", "inside `.git`"),
        ] {
            let error = ProjectPath::new(path).unwrap_err().to_string();
            assert!(error.contains(reason), "{path}: {error}");
        }
        assert!(ProjectPath::new("a/".repeat(3000)).unwrap_err().to_string().contains("6000 bytes"));
    }

    proptest! {
        #[test]
        fn a_taken_path_never_leaves_the_root(path in "[a-z./\\\\]{0,20}|\\PC{0,20}") {
            if let Ok(path) = ProjectPath::new(path) {
                prop_assert!(Path::new(path.as_str()).components().all(|part| matches!(part, Component::Normal(_))));
            }
        }
    }
}
