//! Where a log went when it was rotated: the files beside it.

use std::{
    cmp::Reverse,
    collections::HashSet,
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use autodevops_config::is_archive;

use super::tail::{Identity, Position, Tail};

/// Most files of a folder that are looked at.
const MAX_FILES: usize = 10_000;

/// A file beside a log.
struct Sibling {
    path: PathBuf,
    name: String,
    identity: Identity,
    modified: Option<SystemTime>,
}

/// Whether `path` is named as one of the logs is when it was rotated, by adding to its name: `app.log.1`, `app.log-20261123`.
pub fn is_rotated_of(path: &Path, logs: &HashSet<&Path>) -> bool {
    let Some((folder, name)) = path.parent().zip(path.file_name()) else { return false };
    let name = name.as_encoded_bytes();
    let ends = name.iter().enumerate().filter(|(at, byte)| matches!(byte, b'.' | b'-' | b'_') && at + 1 < name.len());
    let mut before = ends.filter_map(|(at, _)| name.get(..at)).filter(|name| !name.is_empty());
    before.any(|name| logs.contains(folder.join(OsStr::from_bytes(name)).as_path()))
}

/// The file that was left at a position, by whatever name it lies beside the log.
pub fn find(log: &Path, position: &Position) -> Option<Tail> {
    let found = siblings(log, |_| true).into_iter().filter(|sibling| sibling.identity == position.identity);
    found.filter_map(|sibling| Tail::open(&sibling.path).ok()?.at(position).ok()?).next()
}

/// A copy that rotation made of the file that was left at a position before it truncated it, which may hold what was not read yet.
pub fn find_copy(log: &Path, position: &Position) -> Option<Tail> {
    let mut rotated = siblings(log, |name| is_rotation_of(name, log));
    rotated.sort_by_key(|sibling| Reverse(sibling.modified));
    rotated.iter().filter_map(|sibling| Tail::open(&sibling.path).ok()?.at_in_copy(position).ok()?).next()
}

/// The file that the log was after `old`, and before what it is now, where it was rotated more than once. Files that are
/// `held` are read by others; those that were `left` where they were have been read.
pub fn next(
    log: &Path,
    old: &Tail,
    held: impl Fn(Identity) -> bool,
    left: impl Fn(Identity) -> Option<Position>,
) -> Option<Tail> {
    let rotated = siblings(log, |name| is_rotation_of(name, log));
    let written = old.modified()?;
    // Where the old file was renamed to something else, or is gone, there is no name to compare with.
    let old_name = rotated.iter().find(|sibling| sibling.identity == old.position().identity);
    let old_name = old_name.map(|old| old.name.clone());
    let old_number = old_name.as_deref().and_then(|name| number(name, log));
    let is_newer = |sibling: &Sibling| {
        let Some(modified) = sibling.modified else { return false };
        match (old_number, number(&sibling.name, log), &old_name) {
            // The higher its number, the older a file is.
            (Some(old), Some(number), _) => number < old && modified >= written,
            // A number elsewhere in the name may go up or down, a date goes up.
            (_, _, Some(old)) => (modified, &sibling.name) > (written, old),
            _ => modified > written,
        }
    };
    let mut newer: Vec<Sibling> =
        rotated.into_iter().filter(|sibling| !held(sibling.identity) && is_newer(sibling)).collect();
    newer.sort_by(|a, b| {
        let numbers = number(&a.name, log).zip(number(&b.name, log));
        match numbers {
            Some((a, b)) => b.cmp(&a),
            None => a.modified.cmp(&b.modified).then_with(|| a.name.cmp(&b.name)),
        }
    });
    // An inode may be another file's by now.
    let was_read = |sibling: &Sibling| {
        let left = left(sibling.identity)?;
        Tail::open(&sibling.path).ok()?.at(&left).ok()?
    };
    newer.iter().filter(|sibling| was_read(sibling).is_none()).find_map(|sibling| Tail::open(&sibling.path).ok())
}

/// The files beside the log with a name that is wanted: only these are looked at, for folders of thousands.
fn siblings(log: &Path, wanted: impl Fn(&str) -> bool) -> Vec<Sibling> {
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let sibling = |entry: fs::DirEntry| {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if is_archive(&path) || !wanted(&name) {
            return None;
        }
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some(Sibling { path, name, identity: Identity::of(&metadata), modified: metadata.modified().ok() })
    };
    entries.flatten().take(MAX_FILES).filter_map(sibling).collect()
}

/// Whether the name says that the file was the log: `app.log.1`, `app-20261123.log`, `app.1.log`.
fn is_rotation_of(name: &str, log: &Path) -> bool {
    let part = |part: Option<&OsStr>| part.and_then(OsStr::to_str).unwrap_or_default().to_owned();
    let (whole, stem, ending) = (part(log.file_name()), part(log.file_stem()), part(log.extension()));
    let behind = name.strip_prefix(&whole).filter(|_| !whole.is_empty());
    let middle = name.strip_prefix(&stem).and_then(|rest| rest.strip_suffix(&format!(".{ending}")));
    let in_the_middle = middle
        .is_some_and(|middle| matches!(middle.as_bytes(), [b'.' | b'-' | b'_', digit, ..] if digit.is_ascii_digit()));
    behind.is_some_and(|behind| matches!(behind.as_bytes(), [b'.' | b'-' | b'_', _, ..]))
        || (!ending.is_empty() && in_the_middle)
}

/// The number that rotation added to the log's name.
fn number(name: &str, log: &Path) -> Option<u32> {
    let log = log.file_name()?.to_str()?;
    name.strip_prefix(log)?.strip_prefix('.')?.parse().ok()
}
