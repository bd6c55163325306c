//! The project's files of a commit or tree, as plain files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, symlink},
    path::Path,
    thread,
};

use crate::{
    ObjectId, Repository, SourceError,
    error::file,
    links::leaving,
    tree::{Entries, Kind},
};

/// The longest target of a link, as on Linux.
const MAX_TARGET_BYTES: u64 = 4096;

impl Repository {
    /// Writes the project's files, as a commit or a tree (of [`crate::Proposed`]) has them, into a folder, which is made and must
    /// be empty. Bytes are git's own: no filter, no end-of-line conversion. Links that leave the project are refused.
    ///
    /// # Errors
    /// When something is refused or cannot be written; the folder may hold a part then, and is to be removed.
    pub fn export(&self, commit_or_tree: &ObjectId, into: &Path) -> Result<(), SourceError> {
        let entries = self.entries(commit_or_tree)?;
        if let Some((path, _)) = entries.iter().find(|(_, entry)| entry.kind == Kind::Submodule) {
            return Err(SourceError::Submodule(path.clone()));
        }
        let links = self.links(&entries)?;
        if let Some((path, target)) = leaving(&links) {
            return Err(SourceError::LinkOut { path: path.to_owned(), target: target.to_owned() });
        }
        fs::create_dir_all(into).map_err(file(into))?;
        if fs::read_dir(into).map_err(file(into))?.next().is_some() {
            return Err(file(into)(ErrorKind::DirectoryNotEmpty.into()));
        }
        let folders: BTreeSet<&str> =
            entries.keys().filter_map(|path| path.rsplit_once('/')).map(|(folder, _)| folder).collect();
        for folder in folders {
            fs::create_dir_all(into.join(folder)).map_err(file(into.join(folder)))?;
        }
        self.write_files(&entries, into)?;
        // Last, so that nothing is ever written through one.
        for (path, target) in &links {
            symlink(target, into.join(path)).map_err(file(into.join(path)))?;
        }
        Ok(())
    }

    /// The targets of all links.
    fn links(&self, entries: &Entries) -> Result<BTreeMap<String, String>, SourceError> {
        let mut links = BTreeMap::new();
        for (path, entry) in entries.iter().filter(|(_, entry)| entry.kind == Kind::Link) {
            let size = self.objects.text(&["cat-file", "-s", entry.id.as_str()])?;
            let odd = |target: String| SourceError::LinkOut { path: path.clone(), target };
            if size.parse::<u64>().is_ok_and(|size| size > MAX_TARGET_BYTES) {
                return Err(odd("…".into()));
            }
            let target = String::from_utf8(self.blob(&entry.id)?).map_err(|_| odd("…".into()))?;
            if target.contains('\0') {
                return Err(odd(target));
            }
            links.insert(path.clone(), target);
        }
        Ok(links)
    }

    /// Streams all files out of one git, in constant memory.
    fn write_files(&self, entries: &Entries, into: &Path) -> Result<(), SourceError> {
        let files: Vec<_> =
            entries.iter().filter(|(_, entry)| matches!(entry.kind, Kind::File | Kind::Executable)).collect();
        let broken = |reason: String| SourceError::Failed { command: "cat-file --batch".into(), reason };
        let mut child = self.objects.start(&["cat-file", "--batch"])?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let result = thread::scope(|scope| {
            let files = &files;
            scope.spawn(move || {
                let mut pipe = BufWriter::new(stdin?);
                // A git that ends early is noticed by what it does not give.
                files.iter().try_for_each(|(_, entry)| writeln!(pipe, "{}", entry.id)).ok()
            });
            let mut from = BufReader::new(stdout.ok_or_else(|| broken("it has no output".into()))?);
            for (path, entry) in files {
                let mut header = String::new();
                from.read_line(&mut header).map_err(|error| broken(error.to_string()))?;
                let size = header
                    .trim_end()
                    .strip_prefix(entry.id.as_str())
                    .and_then(|rest| rest.strip_prefix(" blob "))
                    .and_then(|size| size.parse::<u64>().ok())
                    .ok_or_else(|| broken(format!("`{path}` is {header:?}")))?;
                write_file(&mut from, size, entry.kind, &into.join(path))?;
                // A line feed follows each object.
                from.read_exact(&mut [0]).map_err(|error| broken(error.to_string()))?;
            }
            Ok(())
        });
        if result.is_err() {
            // It may have ended by itself.
            let _ = child.kill();
        }
        child.wait().map_err(|error| broken(error.to_string()))?;
        result
    }
}

fn write_file(from: &mut impl Read, size: u64, kind: Kind, path: &Path) -> Result<(), SourceError> {
    let mode = if kind == Kind::Executable { 0o755 } else { 0o644 };
    let mut out = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(file(path))?;
    let copied = std::io::copy(&mut from.take(size), &mut out).map_err(file(path))?;
    if copied == size { Ok(()) } else { Err(file(path)(ErrorKind::UnexpectedEof.into())) }
}
