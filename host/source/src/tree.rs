//! What a tree of git holds of the project.

use std::{collections::BTreeMap, ffi::OsStr};

use crate::{ObjectId, Repository, SourceError, git::text};

/// The kinds of entry that git knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Executable,
    Link,
    Submodule,
}

impl Kind {
    fn of(mode: &str) -> Option<Self> {
        match mode {
            "100644" | "100664" => Some(Self::File),
            "100755" => Some(Self::Executable),
            "120000" => Some(Self::Link),
            "160000" => Some(Self::Submodule),
            _ => None,
        }
    }

    /// The mode in git's index.
    pub const fn mode(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Link => "120000",
            Self::Submodule => "160000",
        }
    }
}

/// One entry that is no folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    pub id: ObjectId,
}

/// All entries by their path in the project.
pub type Entries = BTreeMap<String, Entry>;

impl Repository {
    /// The project's entries in a commit or tree.
    pub(crate) fn entries(&self, commit_or_tree: &ObjectId) -> Result<Entries, SourceError> {
        let root = self.project_tree(commit_or_tree)?;
        let arguments = ["ls-tree", "-r", "-z", "--full-tree", root.as_str()].map(OsStr::new);
        let listed = self.objects.run(&[], &arguments, None)?;
        let mut entries = Entries::new();
        for record in listed.split(|byte| *byte == 0).filter(|record| !record.is_empty()) {
            let odd = || SourceError::Failed {
                command: "ls-tree".into(),
                reason: format!("it lists {:?}, which is not taken", String::from_utf8_lossy(record)),
            };
            let record = std::str::from_utf8(record).map_err(|_| odd())?;
            let (meta, path) = record.split_once('\t').ok_or_else(odd)?;
            let mut meta = meta.split(' ');
            let kind = meta.next().and_then(Kind::of).ok_or_else(odd)?;
            let id = meta.nth(1).ok_or_else(odd)?.parse()?;
            // A tree made by hand may hold what git itself would never check out.
            if path.split('/').any(|part| matches!(part, "" | "." | "..") || part.eq_ignore_ascii_case(".git")) {
                return Err(odd());
            }
            if entries.insert(path.to_owned(), Entry { kind, id }).is_some() {
                return Err(odd());
            }
        }
        Ok(entries)
    }

    /// The tree of the project's folder.
    fn project_tree(&self, commit_or_tree: &ObjectId) -> Result<ObjectId, SourceError> {
        let root = self.objects.ask(&["rev-parse", "--verify", "--quiet", &format!("{commit_or_tree}^{{tree}}")])?;
        if root.code != Some(0) {
            return Err(SourceError::NoCommit(commit_or_tree.to_string()));
        }
        let root = text(&root.stdout);
        if self.prefix.is_empty() {
            return root.parse();
        }
        let prefix = self.prefix.trim_end_matches('/');
        let inner = self.objects.ask(&["rev-parse", "--verify", "--quiet", &format!("{root}:{prefix}")])?;
        let none = || SourceError::NoProject { commit: commit_or_tree.to_string(), prefix: prefix.to_owned() };
        let inner: ObjectId = text(&inner.stdout).parse().map_err(|_| none())?;
        if self.objects.text(&["cat-file", "-t", inner.as_str()])? == "tree" { Ok(inner) } else { Err(none()) }
    }

    /// The bytes of a file.
    pub(crate) fn blob(&self, id: &ObjectId) -> Result<Vec<u8>, SourceError> {
        self.objects.run(&[], &["cat-file", "blob", id.as_str()].map(OsStr::new), None)
    }
}
