//! The git repository of a project, and where it stands.

use std::{
    ffi::OsStr,
    fmt, fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use tempfile::TempDir;

use crate::{
    SourceError,
    error::file,
    git::{Git, check_version, text},
};

/// Name of a git object: 40 or 64 lowercase hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(String);

impl ObjectId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectId {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if hex && matches!(text.len(), 40 | 64) {
            return Ok(Self(text.to_owned()));
        }
        Err(SourceError::NoCommit(text.chars().take(100).collect()))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a repository stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The commit.
    pub commit: ObjectId,
    /// The branch that is checked out, such as `main`.
    pub branch: String,
}

/// The git repository of a project; the project may be a folder in it.
#[derive(Debug)]
pub struct Repository {
    /// The project's folder.
    folder: PathBuf,
    /// The project's folder in the repository, `` or `a/b/`.
    pub(crate) prefix: String,
    /// The repository as it is: for references, HEAD and the working tree's state.
    real: Git,
    /// The repository's objects, seen from a repository of our own without configuration: for everything else.
    pub(crate) objects: Git,
    /// Where the repository of our own is.
    pub(crate) scratch: TempDir,
    /// Folders of the project that are not looked at for changes.
    aside: Vec<String>,
}

impl Repository {
    /// Finds the repository of a project's folder.
    ///
    /// # Errors
    /// When there is no usable git, or the folder is in no repository with files.
    pub fn open(folder: &Path) -> Result<Self, SourceError> {
        let folder = fs::canonicalize(folder).map_err(file(folder))?;
        let finder = Git::at(&folder, Vec::new());
        check_version(&finder)?;
        let bare = finder.ask(&["rev-parse", "--is-bare-repository"])?;
        if bare.code != Some(0) {
            let dubious = bare.stderr.contains("dubious ownership");
            return Err(if dubious { SourceError::NotOurs(folder) } else { SourceError::NotARepository(folder) });
        }
        let inside = finder.ask(&["rev-parse", "--is-inside-work-tree"])?;
        if text(&bare.stdout) == "true" || text(&inside.stdout) != "true" {
            return Err(SourceError::Bare(folder));
        }
        let path = |what: &[&str]| -> Result<PathBuf, SourceError> {
            let arguments = [&["rev-parse", "--path-format=absolute"], what].concat();
            Ok(finder.text(&arguments)?.into())
        };
        let (top, git_dir) = (path(&["--show-toplevel"])?, path(&["--git-dir"])?);
        let objects = path(&["--git-path", "objects"])?;
        let shallow = path(&["--git-path", "shallow"])?;
        let prefix = finder.text(&["rev-parse", "--show-prefix"])?;
        let format = finder.text(&["rev-parse", "--show-object-format"])?;
        let scratch = scratch(&format, &shallow)?;
        Ok(Self {
            real: Git::at(&top, vec![("GIT_DIR", git_dir), ("GIT_WORK_TREE", top.clone())]),
            objects: Git::at(
                scratch.path(),
                vec![("GIT_DIR", scratch.path().to_owned()), ("GIT_OBJECT_DIRECTORY", objects)],
            ),
            folder,
            prefix,
            scratch,
            aside: Vec::new(),
        })
    }

    /// The same, but changes in this folder (the state's) do not make the project dirty.
    #[must_use]
    pub fn without(mut self, folder: &Path) -> Self {
        let folder = self.folder.join(folder);
        let folder = fs::canonicalize(&folder).unwrap_or(folder);
        if let Ok(inside) = folder.strip_prefix(&self.folder) {
            self.aside.push(format!("{}{}", self.prefix, inside.display()));
        }
        self
    }

    /// The project's folder, absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the repository stands; everything of the project is committed.
    ///
    /// # Errors
    /// When HEAD is at no branch or no commit, or the project has changes that are not committed.
    pub fn head(&self) -> Result<Head, SourceError> {
        let head = self.position()?;
        let changed = self.changes()?;
        if changed.is_empty() { Ok(head) } else { Err(SourceError::Dirty(changed)) }
    }

    /// HEAD's branch and commit, whatever is not committed.
    pub(crate) fn position(&self) -> Result<Head, SourceError> {
        let branch = self.real.ask(&["symbolic-ref", "--quiet", "HEAD"])?;
        let commit = self.real.ask(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
        let (branch, commit) = (text(&branch.stdout), text(&commit.stdout));
        let Some(branch) = branch.strip_prefix("refs/heads/") else {
            return Err(SourceError::Detached(if commit.is_empty() { branch } else { commit }));
        };
        if commit.is_empty() {
            return Err(SourceError::NoCommits(branch.to_owned()));
        }
        Ok(Head { commit: commit.parse()?, branch: branch.to_owned() })
    }

    /// Paths of the project that differ from HEAD, untracked ones too.
    fn changes(&self) -> Result<Vec<String>, SourceError> {
        let mut arguments: Vec<String> = self.without_filters()?;
        if let Some(excludes) = user_excludes() {
            arguments.extend(["-c".into(), format!("core.excludesFile={}", excludes.display())]);
        }
        let status =
            ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=dirty", "--no-renames"];
        arguments.extend(status.map(String::from));
        arguments.extend(["--".into(), format!(":(top,literal){}", self.prefix)]);
        arguments.extend(self.aside.iter().map(|folder| format!(":(top,literal,exclude){folder}")));
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let listed = self.real.run(&[], &arguments, None)?;
        let lines = listed.split(|byte| *byte == 0).filter_map(|line| line.get(3..));
        Ok(lines.map(|path| String::from_utf8_lossy(path).into_owned()).collect())
    }

    /// Arguments that turn off every filter that the repository's configuration names: git would run its command to compare files.
    fn without_filters(&self) -> Result<Vec<String>, SourceError> {
        let listed = self.real.ask(&["config", "--null", "--name-only", "--get-regexp", "^filter\\..*"])?;
        let mut arguments = Vec::new();
        for name in listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let name = String::from_utf8_lossy(name);
            let value = if name.ends_with(".required") { "false" } else { "" };
            arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        Ok(arguments)
    }

    /// The commit of that name, which must be there.
    ///
    /// # Errors
    /// When the repository does not have it.
    pub fn commit_of(&self, name: &str) -> Result<ObjectId, SourceError> {
        let id: ObjectId = name.parse()?;
        let kind = self.objects.ask(&["cat-file", "-t", id.as_str()])?;
        if text(&kind.stdout) == "commit" { Ok(id) } else { Err(SourceError::NoCommit(name.to_owned())) }
    }

    /// When the commit was made: seconds since 1970-01-01T00:00:00Z, by its own word.
    ///
    /// # Errors
    /// When the repository does not have it.
    pub fn committed_at(&self, commit: &ObjectId) -> Result<i64, SourceError> {
        let time = self.objects.text(&["show", "-s", "--no-show-signature", "--format=%ct", commit.as_str()])?;
        time.parse().map_err(|_| SourceError::NoCommit(commit.to_string()))
    }

    /// The project's paths that differ between two commits, sorted.
    ///
    /// # Errors
    /// When the repository does not have them.
    pub fn changed_between(&self, one: &ObjectId, other: &ObjectId) -> Result<Vec<String>, SourceError> {
        let arguments = ["diff-tree", "-r", "--no-renames", "--name-only", "-z", one.as_str(), other.as_str()];
        let found = self.objects.ask(&arguments)?;
        if found.code != Some(0) {
            return Err(SourceError::Failed { command: "diff-tree".into(), reason: found.stderr });
        }
        let paths = found.stdout.split(|byte| *byte == 0).map(|path| String::from_utf8_lossy(path).into_owned());
        let inside = paths.filter_map(|path| path.strip_prefix(&self.prefix).map(str::to_owned));
        Ok(inside.filter(|path| !path.is_empty()).collect())
    }

    /// What the reference names, if it is there.
    pub(crate) fn reference(&self, name: &str) -> Result<Option<ObjectId>, SourceError> {
        let found = self.real.ask(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])?;
        let found = text(&found.stdout);
        if found.is_empty() { Ok(None) } else { Ok(Some(found.parse()?)) }
    }

    /// Sets a reference, if it is what it was thought to be: the old commit, or not there.
    pub(crate) fn set_reference(&self, name: &str, new: &ObjectId, old: Option<&ObjectId>) -> Result<(), SourceError> {
        let nothing = "0".repeat(new.as_str().len());
        let old = old.map_or(nothing.as_str(), ObjectId::as_str);
        let message = "autodevops: a change";
        self.real.text(&["update-ref", "-m", message, name, new.as_str(), old]).map(drop)
    }
}

/// A repository of our own, without configuration, over the other's objects.
fn scratch(format: &str, shallow: &Path) -> Result<TempDir, SourceError> {
    let scratch = tempfile::Builder::new().prefix("autodevops-git-").tempdir().map_err(file(std::env::temp_dir()))?;
    let at = |name: &str| scratch.path().join(name);
    let config = match format {
        "sha1" => "[core]\n\trepositoryformatversion = 0\n\tbare = true\n".to_owned(),
        other => {
            format!("[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = {other}\n")
        }
    };
    for folder in ["refs", "objects"] {
        fs::create_dir(at(folder)).map_err(file(at(folder)))?;
    }
    fs::write(at("config"), config).map_err(file(at("config")))?;
    fs::write(at("HEAD"), "ref: refs/heads/none\n").map_err(file(at("HEAD")))?;
    if shallow.is_file() {
        fs::copy(shallow, at("shallow")).map_err(file(shallow))?;
    }
    Ok(scratch)
}

/// The file of what the user ignores in every repository: named in the user's own configuration, or in its usual place.
fn user_excludes() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from)?;
    let named = std::process::Command::new("git")
        .args(["config", "--global", "--type=path", "--get", "core.excludesFile"])
        .stderr(std::process::Stdio::null())
        .output()
        .ok()
        .map(|output| text(&output.stdout))
        .filter(|path| !path.is_empty());
    let usual = || {
        let base = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        base.unwrap_or_else(|| home.join(".config")).join("git/ignore")
    };
    Some(named.map_or_else(usual, PathBuf::from)).filter(|path| path.is_file())
}
