//! Follows logs as they grow, over rotation, truncation and restarts, without losing or repeating a byte.
//!
//! Files are polled: one look at each file's metadata, and reads of what is new. (A thousand quiet files cost a few milliseconds a
//! poll; what the kernel would notify of is lost on network file systems, and is not told where it overflows.) A log is known by its
//! path, a file by its device, inode and beginning. Where a path names another file than before, the old one is read to its end (which
//! is waited for during one poll more, as writers keep it open for a while), then those that it was rotated to in between, then the new
//! one. A file that ends within a line is followed by a line's end, so that its last line does not run into the next file's first.

mod siblings;
mod source;
mod tail;

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    io,
    path::{Path, PathBuf},
};

use autodevops_config::is_archive;
use glob::{MatchOptions, Pattern, PatternError};
use rustix::process::{Resource, getrlimit};
use serde::{Deserialize, Serialize};
use source::{Others, Source};
pub use tail::{Head, Identity, Position};

/// Bytes that are read of one source before it is another's turn.
const TURN_BYTES: usize = 64 << 10;
/// Most logs that are followed at once, as many as analyzers keep apart.
const MAX_SOURCES: usize = 2000;
/// Each log takes an open file, of which so many are left to all else that this process does.
const OTHER_FILES: u64 = 200;
/// Files that are done with whose positions are kept, so that they are not read again under another name.
const MAX_LEFT: usize = 2000;

/// As shells match: `*` stops at a slash, and at a leading dot.
const MATCH: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Where to begin in a file that is there when following begins for the first time. Files that come later are read from
/// their beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// At its first byte.
    #[default]
    Beginning,
    /// Behind its last byte.
    End,
}

/// Bytes of one log, which may begin and end within a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The log's path.
    pub source: String,
    /// What was written to it.
    pub bytes: Vec<u8>,
}

/// How far every log was read: to be kept together with what was made of the chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FollowState {
    /// The paths and patterns that were watched.
    pub watched: Vec<String>,
    /// How far each log was read, by its path.
    pub sources: BTreeMap<String, Position>,
    /// How far files were read that were rotated away; the oldest first.
    pub left: Vec<Position>,
}

/// What became of a watched log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SourceStatus {
    /// Its path.
    pub source: String,
    /// Bytes that were read of the file that is read now.
    pub offset: u64,
    /// Bytes of that file that are still to be read.
    pub unread: u64,
    /// Whether there is no such file now.
    pub waiting: bool,
    /// Why it cannot be read, where it cannot.
    pub trouble: Option<String>,
}

/// A path or pattern that logs cannot be followed by.
#[derive(Debug, thiserror::Error)]
#[error(
    "the pattern '{pattern}' cannot be followed: {source}; correct it, or put special characters in brackets, as in [*]"
)]
pub struct FollowError {
    pattern: String,
    source: PatternError,
}

/// One path or pattern of the operator's.
#[derive(Clone, Debug)]
enum Watched {
    Path(PathBuf),
    Pattern(Pattern),
}

impl Watched {
    fn new(path: &Path, name: &str) -> Result<Self, FollowError> {
        if !name.contains(['*', '?', '[']) {
            return Ok(Self::Path(path.to_owned()));
        }
        let wrong = |source| FollowError { pattern: name.to_owned(), source };
        Pattern::new(name).map(Self::Pattern).map_err(wrong)
    }

    fn includes(&self, path: &Path) -> bool {
        match self {
            Self::Path(watched) => watched == path,
            Self::Pattern(pattern) => pattern.matches_path_with(path, MATCH),
        }
    }
}

/// Follows logs. See the module.
#[derive(Debug)]
pub struct Follower {
    watched: Vec<(Watched, Start)>,
    names: Vec<String>,
    /// Which of them were watched before a restart.
    known: Vec<bool>,
    sources: BTreeMap<PathBuf, Source>,
    left: VecDeque<Position>,
    /// The source whose turn it is.
    turn: Option<PathBuf>,
    /// Most logs that are followed.
    most: usize,
    /// Logs beyond that.
    left_out: usize,
    /// Archives that patterns match.
    archives: BTreeSet<PathBuf>,
    /// Folders that could not be looked into.
    troubles: BTreeMap<PathBuf, String>,
    /// Files that are there at the first poll begin where the operator wants.
    polled: bool,
}

impl Follower {
    /// Follows the logs that the paths name or the patterns (`/var/log/shop/*.log`) match, now or later, from their
    /// beginnings. A pattern matches neither compressed files nor those that rotation has named after another that is watched
    /// (`app.log.1`).
    ///
    /// # Errors
    /// When a pattern is wrong.
    pub fn new<P: AsRef<Path>>(paths: &[P]) -> Result<Self, FollowError> {
        Self::resume(paths, FollowState::default())
    }

    /// Goes on where a follower was, after a restart.
    ///
    /// # Errors
    /// When a pattern is wrong.
    pub fn resume<P: AsRef<Path>>(paths: &[P], state: FollowState) -> Result<Self, FollowError> {
        let names: Vec<String> = paths.iter().map(|path| path.as_ref().to_string_lossy().into_owned()).collect();
        let mut watched = Vec::new();
        for (path, name) in paths.iter().zip(&names) {
            watched.push((Watched::new(path.as_ref(), name)?, Start::Beginning));
        }
        let mut follower = Self {
            watched,
            known: names.iter().map(|name| state.watched.contains(name)).collect(),
            names,
            sources: BTreeMap::new(),
            left: state.left.into(),
            turn: None,
            most: most_sources(),
            left_out: 0,
            archives: BTreeSet::new(),
            troubles: BTreeMap::new(),
            polled: false,
        };
        for (path, position) in state.sources {
            let path = PathBuf::from(path);
            if follower.watched.iter().any(|(watched, _)| watched.includes(&path)) {
                follower.sources.insert(path.clone(), Source::new(path, Start::Beginning, Some(position)));
            } else {
                follower.leave(position);
            }
        }
        Ok(follower)
    }

    /// Where files begin that are there at the first poll, of paths and patterns that were not watched before.
    #[must_use]
    pub fn with_start(mut self, start: Start) -> Self {
        for ((_, of), known) in self.watched.iter_mut().zip(&self.known) {
            *of = if *known { Start::Beginning } else { start };
        }
        self
    }

    /// Reads what is new, at most `budget` bytes, from each log in turn, without waiting for more. A log that cannot be read
    /// is told of once in the log of this program, and in [`Follower::status`]; the others go on.
    ///
    /// # Errors
    /// When no file can be opened any more, since this process or the machine has too many open; nothing was read then.
    pub fn poll(&mut self, budget: usize) -> io::Result<Vec<Chunk>> {
        self.discover();
        self.refresh()?;
        let from = self.turn.take().unwrap_or_default();
        let in_turn = self.sources.range(from.clone()..).chain(self.sources.range(..from));
        let mut turns: VecDeque<PathBuf> =
            in_turn.filter(|(_, source)| !source.is_quiet()).map(|(path, _)| path.clone()).collect();
        let mut left = budget;
        let mut chunks: Vec<Chunk> = Vec::new();
        while left > 0 {
            let Some(path) = turns.pop_front() else { break };
            let Some(source) = self.sources.get_mut(&path) else { continue };
            let bytes = source.read(left.min(TURN_BYTES));
            if !bytes.is_empty() {
                left = left.saturating_sub(bytes.len());
                chunks.push(Chunk { source: path.to_string_lossy().into_owned(), bytes });
                turns.push_back(path);
            }
        }
        self.turn = turns.pop_front();
        Ok(chunks)
    }

    /// How far every log was read by the chunks that were given so far.
    pub fn state(&self) -> FollowState {
        let position = |source: &Source| Some((source.path().to_string_lossy().into_owned(), source.position()?));
        FollowState {
            watched: self.names.clone(),
            sources: self.sources.values().filter_map(position).collect(),
            left: self.left.iter().copied().collect(),
        }
    }

    /// The logs that are followed.
    pub fn followed(&self) -> BTreeSet<String> {
        self.sources.keys().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    /// What became of each log, and of each folder that could not be looked into.
    pub fn status(&self) -> Vec<SourceStatus> {
        let of_source = |source: &Source| SourceStatus {
            source: source.path().to_string_lossy().into_owned(),
            offset: source.position().map_or(0, |position| position.offset),
            unread: source.unread(),
            waiting: source.is_missing(),
            trouble: source.trouble().map(str::to_owned),
        };
        let of_folder = |(folder, trouble): (&PathBuf, &String)| SourceStatus {
            source: folder.to_string_lossy().into_owned(),
            offset: 0,
            unread: 0,
            waiting: true,
            trouble: Some(trouble.clone()),
        };
        self.sources.values().map(of_source).chain(self.troubles.iter().map(of_folder)).collect()
    }

    /// Logs that are not followed, since there are too many.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// Archives that the patterns match and that are not read: what is in them was read before they were made, unless nothing followed
    /// it then.
    pub fn archives(&self) -> impl Iterator<Item = &Path> {
        self.archives.iter().map(PathBuf::as_path)
    }

    /// Says once of each archive that it is not read.
    fn tell_of(&mut self, archives: BTreeSet<PathBuf>) {
        let mut new = archives.difference(&self.archives);
        if let Some(first) = new.next() {
            let others = match new.count() {
                0 => String::new(),
                others => format!(" and {others} more like it"),
            };
            tracing::warn!(
                "{}{others} is not followed, since an archive grows no more: a log that was followed before it was compressed is read \
                 already; read others by `autodevops analyze`",
                first.display()
            );
        }
        self.archives = archives;
    }

    /// Finds logs that were not there before.
    fn discover(&mut self) {
        let mut found: BTreeMap<PathBuf, (Start, bool)> = BTreeMap::new();
        let (mut troubles, mut archives) = (BTreeMap::new(), BTreeSet::new());
        for (watched, start) in &self.watched {
            let start = if self.polled { Start::Beginning } else { *start };
            match watched {
                Watched::Path(path) => drop(found.insert(path.clone(), (start, true))),
                Watched::Pattern(pattern) => {
                    for path in glob::glob_with(pattern.as_str(), MATCH).into_iter().flatten() {
                        match path {
                            Ok(path) if is_archive(&path) => drop(archives.insert(path)),
                            Ok(path) => drop(found.entry(path).or_insert((start, false))),
                            Err(error) => drop(troubles.insert(error.path().to_owned(), error.error().to_string())),
                        }
                    }
                }
            }
        }
        self.polled = true;
        for (folder, trouble) in troubles.iter().filter(|(folder, _)| !self.troubles.contains_key(*folder)) {
            tracing::warn!("logs in {} cannot be looked for: {trouble}", folder.display());
        }
        self.troubles = troubles;
        self.tell_of(archives);
        let names: HashSet<&Path> = found.keys().map(PathBuf::as_path).collect();
        let held = OnceCell::new();
        let is_free = |path: &Path| {
            let identities = held.get_or_init(|| self.identities());
            path.metadata().is_ok_and(|file| file.is_file() && !identities.contains(&Identity::of(&file)))
        };
        let new = found.iter().filter(|(path, (_, named))| {
            !self.sources.contains_key(*path) && (*named || (!siblings::is_rotated_of(path, &names) && is_free(path)))
        });
        let new: Vec<(PathBuf, Start)> = new.map(|(path, (start, _))| (path.clone(), *start)).collect();
        let room = self.most.saturating_sub(self.sources.len());
        let left_out = new.len().saturating_sub(room);
        if left_out > self.left_out {
            tracing::warn!(
                "{left_out} logs are not followed, since {} are followed already; watch fewer, or let this process open more files",
                self.most
            );
        }
        self.left_out = left_out;
        for (path, start) in new.into_iter().take(room) {
            self.sources.insert(path.clone(), Source::new(path, start, None));
        }
    }

    /// The files that are read, or will be where they were left.
    fn identities(&self) -> HashSet<Identity> {
        let of = |source: &Source| Some(source.identity().unwrap_or(source.position()?.identity));
        self.sources.values().filter_map(of).collect()
    }

    /// Looks at what became of each file.
    fn refresh(&mut self) -> io::Result<()> {
        // Most logs are quiet most of the time, which one look at each tells.
        let changed =
            self.sources.iter_mut().filter_map(|(path, source)| (!source.look_is_quiet()).then(|| path.clone()));
        let changed: Vec<PathBuf> = changed.collect();
        for path in changed {
            let Some(mut source) = self.sources.remove(&path) else { continue };
            let refreshed = source.refresh(&Rest { sources: &self.sources, left: &self.left });
            let named =
                self.watched.iter().any(|(watched, _)| matches!(watched, Watched::Path(named) if *named == path));
            if named || !source.is_gone() {
                self.sources.insert(path, source);
            }
            if let Some(done) = refreshed? {
                self.leave(done);
            }
        }
        Ok(())
    }

    /// Remembers how far a file was read that no source reads any more.
    fn leave(&mut self, position: Position) {
        self.left.retain(|left| left.identity != position.identity);
        self.left.push_back(position);
        if self.left.len() > MAX_LEFT {
            self.left.pop_front();
        }
    }
}

/// Most logs that are followed: fewer where this process may not open so many files.
fn most_sources() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX).clamp(1, MAX_SOURCES)
}

/// What a source is told of the others.
struct Rest<'a> {
    sources: &'a BTreeMap<PathBuf, Source>,
    left: &'a VecDeque<Position>,
}

impl Others for Rest<'_> {
    fn hold(&self, identity: Identity) -> bool {
        self.sources.values().any(|source| source.identity() == Some(identity))
    }

    fn left(&self, identity: Identity) -> Option<Position> {
        self.left.iter().find(|left| left.identity == identity).copied()
    }
}

#[cfg(test)]
mod tests;
