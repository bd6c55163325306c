//! A proposed change as a tree of git.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
};

use autodevops_model::{Edit, FileChange, TestFile};
use autodevops_policy::{
    ProjectPath,
    edits::{apply, check_base},
};
use sha2::{Digest, Sha256};

use crate::{
    ObjectId, Refusal, Repository, SourceError,
    error::file,
    git::text,
    tree::{Entries, Entry, Kind},
};

/// Most files that one change may touch.
const MAX_FILES: usize = 200;

/// Most bytes that all files of one change may have afterwards (8 MiB).
const MAX_BYTES: usize = 8 << 20;

/// What happens to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It has other bytes.
    Modified,
    /// It is gone.
    Deleted,
}

/// A path that a change touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedPath {
    /// The path, relative to the project.
    pub path: String,
    /// What happens to it.
    pub kind: ChangeKind,
}

/// A change that git holds as a tree, with no commit yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The commit that it was made for.
    pub base: ObjectId,
    /// The tree of the whole repository after it.
    pub tree: ObjectId,
    /// What it touches, sorted by path.
    pub changed: Vec<ChangedPath>,
}

/// What a file is to be: its kind and bytes; nothing: it is removed.
type After = Option<(Kind, Vec<u8>)>;

/// What a path of the project is to be in the index; nothing: it is removed.
pub(crate) struct IndexLine {
    pub(crate) path: String,
    pub(crate) entry: Option<(Kind, ObjectId)>,
}

impl Repository {
    /// Applies edits and adds tests to the project as it is in a commit. Nothing is committed, no file of the operator's touched.
    ///
    /// # Errors
    /// When any part of it is refused, and why.
    pub fn propose(&self, base: &ObjectId, edits: &[Edit], tests: &[TestFile]) -> Result<Proposed, SourceError> {
        if edits.len() + tests.len() > MAX_FILES {
            let what = format!("{} files", edits.len() + tests.len());
            return Err(SourceError::TooLarge { what, limit: MAX_FILES.to_string() });
        }
        let entries = self.entries(base)?;
        let folders = folders_of(entries.keys().map(String::as_str));
        let mut after: BTreeMap<String, After> = BTreeMap::new();
        for edit in edits {
            let path = ProjectPath::new(&edit.path)?;
            let refused = |reason| SourceError::Change { path: edit.path.clone(), reason };
            if after.contains_key(path.as_str()) {
                return Err(refused(Refusal::Twice));
            }
            let entry = place(path.as_str(), &entries, &folders)?;
            after.insert(edit.path.clone(), self.edited(edit, entry)?);
        }
        for test in tests {
            let path = ProjectPath::new(&test.path)?;
            let refused = |reason| SourceError::Change { path: test.path.clone(), reason };
            if after.contains_key(path.as_str()) {
                return Err(refused(Refusal::Twice));
            }
            match place(path.as_str(), &entries, &folders)? {
                None => {
                    after.insert(test.path.clone(), Some((Kind::File, test.content.clone().into_bytes())));
                }
                // The test that a fix brings may be there from an earlier one.
                Some(entry) if self.blob(&entry.id)? == test.content.as_bytes() => {}
                Some(_) => return Err(refused(Refusal::Exists)),
            }
        }
        bounded(&after)?;
        apart(&after)?;
        self.build_tree(base, &entries, after)
    }

    /// What the edit makes of its file.
    fn edited(&self, edit: &Edit, entry: Option<&Entry>) -> Result<After, SourceError> {
        let refused = |reason| SourceError::Change { path: edit.path.clone(), reason };
        let base = |entry: &Entry| {
            let bytes = self.blob(&entry.id)?;
            let expected = edit.base_sha256.as_deref().ok_or_else(|| refused(Refusal::NoBase))?;
            check_base(expected, &format!("{:x}", Sha256::digest(&bytes))).map_err(|error| refused(error.into()))?;
            Ok::<_, SourceError>(bytes)
        };
        match (&edit.change, entry) {
            (FileChange::Create(_), Some(_)) => Err(refused(Refusal::Exists)),
            (FileChange::Create(_), None) if edit.base_sha256.is_some() => Err(refused(Refusal::NeedlessBase)),
            (FileChange::Create(content), None) => Ok(Some((Kind::File, content.clone().into_bytes()))),
            (FileChange::Modify(_) | FileChange::Delete, None) => Err(refused(Refusal::Missing)),
            (FileChange::Modify(edits), Some(entry)) => {
                let text = apply(&base(entry)?, edits).map_err(|error| refused(error.into()))?;
                Ok(Some((entry.kind, text.into_bytes())))
            }
            (FileChange::Delete, Some(entry)) => base(entry).map(|_| None),
        }
    }

    /// Writes the files into git and makes the tree, by an index of its own.
    fn build_tree(
        &self,
        base: &ObjectId,
        entries: &Entries,
        after: BTreeMap<String, After>,
    ) -> Result<Proposed, SourceError> {
        let mut lines = Vec::new();
        let mut changed = Vec::new();
        for (path, made) in after {
            let before = entries.get(&path);
            let entry = match made {
                Some((kind, bytes)) => {
                    let arguments = ["hash-object", "-w", "--no-filters", "--stdin"].map(OsStr::new);
                    let id: ObjectId = text(&self.objects.run(&[], &arguments, Some(&bytes))?).parse()?;
                    if before.is_some_and(|before| before.id == id) {
                        continue;
                    }
                    let kind_of_change = if before.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
                    changed.push(ChangedPath { path: path.clone(), kind: kind_of_change });
                    Some((kind, id))
                }
                None => {
                    changed.push(ChangedPath { path: path.clone(), kind: ChangeKind::Deleted });
                    None
                }
            };
            lines.push(IndexLine { path, entry });
        }
        self.indexed(base, &lines, changed)
    }

    /// Makes the tree of a commit with these entries of the project in it, by an index of its own.
    pub(crate) fn indexed(
        &self,
        base: &ObjectId,
        lines: &[IndexLine],
        changed: Vec<ChangedPath>,
    ) -> Result<Proposed, SourceError> {
        let folder = tempfile::tempdir_in(self.scratch.path()).map_err(file(self.scratch.path()))?;
        let index = folder.path().join("index");
        let with_index = [("GIT_INDEX_FILE", index.as_os_str())];
        self.objects.run(&with_index, &["read-tree", base.as_str()].map(OsStr::new), None)?;
        let nothing = "0".repeat(base.as_str().len());
        let line = |line: &IndexLine| match &line.entry {
            Some((kind, id)) => format!("{} {id}\t{}{}\0", kind.mode(), self.prefix, line.path),
            None => format!("0 {nothing}\t{}{}\0", self.prefix, line.path),
        };
        let lines: String = lines.iter().map(line).collect();
        if changed.is_empty() {
            return Err(SourceError::NoChange);
        }
        self.objects.run(
            &with_index,
            &["update-index", "-z", "--index-info"].map(OsStr::new),
            Some(lines.as_bytes()),
        )?;
        let tree = text(&self.objects.run(&with_index, &["write-tree"].map(OsStr::new), None)?).parse()?;
        Ok(Proposed { base: base.clone(), tree, changed })
    }

    /// The change as a unified diff, for a person.
    ///
    /// # Errors
    /// When git cannot read it.
    pub fn diff(&self, proposed: &Proposed) -> Result<String, SourceError> {
        let (base, tree) = (proposed.base.as_str(), proposed.tree.as_str());
        let mut arguments = vec!["diff-tree", "-p", "--no-color", "--no-renames", "--no-ext-diff", "--no-textconv"];
        let relative = format!("--relative={}", self.prefix);
        if !self.prefix.is_empty() {
            arguments.push(&relative);
        }
        arguments.extend([base, tree]);
        self.objects.text(&arguments)
    }
}

/// All folders on the way to the paths.
fn folders_of<'a>(paths: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    paths.flat_map(ancestors).collect()
}

/// `a`, `a/b` for `a/b/c`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}

/// The file at the path, if there is one; the path leads through folders only, and to no folder.
fn place<'a>(path: &str, entries: &'a Entries, folders: &BTreeSet<&str>) -> Result<Option<&'a Entry>, SourceError> {
    let refused = |reason| SourceError::Change { path: path.to_owned(), reason };
    for folder in ancestors(path) {
        match entries.get(folder).map(|entry| entry.kind) {
            None => {}
            Some(Kind::Submodule) => return Err(SourceError::Submodule(folder.to_owned())),
            Some(Kind::Link) => return Err(refused(Refusal::Link(folder.to_owned()))),
            Some(_) => return Err(refused(Refusal::NotAFolder(folder.to_owned()))),
        }
    }
    if folders.contains(path) {
        return Err(refused(Refusal::Folder));
    }
    let entry = entries.get(path);
    match entry.map(|entry| entry.kind) {
        Some(Kind::Submodule) => Err(SourceError::Submodule(path.to_owned())),
        Some(Kind::Link) => Err(refused(Refusal::Link(path.to_owned()))),
        _ => Ok(entry),
    }
}

fn bounded(after: &BTreeMap<String, After>) -> Result<(), SourceError> {
    let bytes: usize = after.values().flatten().map(|(_, bytes)| bytes.len()).sum();
    if bytes > MAX_BYTES {
        let what = format!("{bytes} bytes in the files it writes");
        return Err(SourceError::TooLarge { what, limit: MAX_BYTES.to_string() });
    }
    Ok(())
}

/// Refuses a change in which one path is a folder on the way to another.
fn apart(after: &BTreeMap<String, After>) -> Result<(), SourceError> {
    for path in after.keys() {
        if let Some(folder) = ancestors(path).find(|folder| after.contains_key(*folder)) {
            let reason = Refusal::NotAFolder(folder.to_owned());
            return Err(SourceError::Change { path: path.clone(), reason });
        }
    }
    Ok(())
}
