//! A git repository in a folder of its own.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use autodevops_model::{Edit, FileChange, TestFile, TextEdit};
use autodevops_source::{ObjectId, Repository, SourceError};
use sha2::{Digest, Sha256};

pub struct Fixture {
    pub folder: tempfile::TempDir,
}

pub const INDEX_JS: &str = "exports.a = 1;\nexports.b = 2;\n";

impl Fixture {
    /// With `src/index.js` and `README.md`, committed on `main`.
    pub fn new() -> Self {
        let fixture = Self::empty();
        fixture.write("src/index.js", INDEX_JS);
        fixture.write("README.md", "# Shop\n");
        fixture.commit("Start");
        fixture
    }

    pub fn empty() -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap() };
        fixture.git(&["init", "-q", "-b", "main"]);
        fixture
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .args(["-c", "user.name=Tester", "-c", "user.email=t@localhost"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub fn commit(&self, message: &str) -> ObjectId {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--no-verify", "-m", message]);
        self.at_head()
    }

    pub fn at_head(&self) -> ObjectId {
        self.git(&["rev-parse", "HEAD"]).parse().unwrap()
    }

    pub fn open(&self) -> Repository {
        Repository::open(self.path()).unwrap()
    }

    pub fn head(&self) -> Result<autodevops_source::Head, SourceError> {
        self.open().head()
    }

    /// Every file of the operator's, `.git` too, but for objects, the fix's own branch, and its reflog.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut todo = vec![self.path().to_owned()];
        while let Some(folder) = todo.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let relative = path.strip_prefix(self.path()).unwrap().to_owned();
                if relative == Path::new(".git/objects")
                    || relative.components().any(|part| part.as_os_str() == "autodevops")
                {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    todo.push(path);
                } else if path.is_symlink() {
                    files.insert(relative, fs::read_link(path).unwrap().into_os_string().into_encoded_bytes());
                } else {
                    files.insert(relative, fs::read(path).unwrap());
                }
            }
        }
        files
    }
}

pub fn sha256(text: impl AsRef<[u8]>) -> String {
    format!("{:x}", Sha256::digest(text))
}

/// Replaces bytes of a file whose content is known.
pub fn modify(path: &str, base: &str, start: u64, end: u64, replacement: &str) -> Edit {
    let edit = TextEdit { start, end, replacement: replacement.to_owned() };
    Edit { path: path.into(), base_sha256: Some(sha256(base)), change: FileChange::Modify(vec![edit]) }
}

pub fn create(path: &str, content: &str) -> Edit {
    Edit { path: path.into(), base_sha256: None, change: FileChange::Create(content.into()) }
}

pub fn delete(path: &str, base: &str) -> Edit {
    Edit { path: path.into(), base_sha256: Some(sha256(base)), change: FileChange::Delete }
}

/// `exports.a = 1` becomes `exports.a = 3`.
pub fn fix() -> Edit {
    modify("src/index.js", INDEX_JS, 12, 13, "3")
}

pub fn test_file() -> TestFile {
    TestFile { path: "test/fix.test.js".into(), content: "// tested\n".into() }
}

/// Makes a commit by plumbing from lines of `git mktree`, for what git itself would not add.
pub fn by_hand(fixture: &Fixture, entries: &[(&str, &str, &str)]) -> ObjectId {
    let mut lines = String::new();
    for (mode, id, name) in entries {
        let kind = match *mode {
            "040000" => "tree",
            "160000" => "commit",
            _ => "blob",
        };
        lines.push_str(&format!("{mode} {kind} {id}\t{name}\n"));
    }
    let tree = with_input(fixture, &["mktree", "--missing"], &lines);
    fixture.git(&["commit-tree", &tree, "-m", "by hand"]).parse().unwrap()
}

pub fn blob(fixture: &Fixture, content: &str) -> String {
    with_input(fixture, &["hash-object", "-w", "--stdin"], content)
}

fn with_input(fixture: &Fixture, arguments: &[&str], input: &str) -> String {
    use std::io::Write;
    let mut child = Command::new("git")
        .current_dir(fixture.path())
        .args(arguments.iter().map(OsStr::new))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
