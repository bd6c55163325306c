//! One watched log: the file that it is now, and those that it was before it was rotated.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Start, siblings,
    tail::{Identity, Position, Tail, not_a_file},
};

/// Polls after which a file that was deleted, and did not grow, is closed, so that its space is freed.
const PATIENCE_POLLS: u32 = 60;

/// What a source needs to know of the others.
pub trait Others {
    /// Whether another source reads the file now.
    fn hold(&self, identity: Identity) -> bool;
    /// How far a file was read that no source reads any more.
    fn left(&self, identity: Identity) -> Option<Position>;
}

/// One watched log.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    /// Where to begin when a file is first seen.
    start: Start,
    /// How far it was read before a restart, until that is found again.
    resumed: Option<Position>,
    tail: Option<Tail>,
    /// The path names another file than is read.
    rotated: bool,
    /// The end of a rotated file was reached, one poll ago.
    drained: bool,
    /// What was read ends with a line's end.
    ends_line: bool,
    /// Polls since the path named no file, nor grew what is read.
    gone: u32,
    /// The path names no file.
    missing: bool,
    /// Nothing was written since it was read to its end.
    quiet: bool,
    trouble: Option<String>,
}

impl Source {
    /// A source that is not open yet.
    pub fn new(path: PathBuf, start: Start, resumed: Option<Position>) -> Self {
        Self {
            path,
            start,
            resumed,
            tail: None,
            rotated: false,
            drained: false,
            ends_line: true,
            gone: 0,
            missing: true,
            quiet: false,
            trouble: None,
        }
    }

    /// The path that is watched.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that is read now.
    pub fn identity(&self) -> Option<Identity> {
        self.tail.as_ref().map(|tail| tail.position().identity)
    }

    /// How far it was read.
    pub fn position(&self) -> Option<Position> {
        self.tail.as_ref().map(|tail| *tail.position()).or(self.resumed)
    }

    /// Bytes of the open file that were not read yet.
    pub fn unread(&self) -> u64 {
        self.tail.as_ref().map_or(0, Tail::unread)
    }

    /// Why it cannot be read.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Whether the path names no file now.
    pub const fn is_missing(&self) -> bool {
        self.missing
    }

    /// Whether there is nothing to read, nor a place to go on from.
    pub fn is_gone(&self) -> bool {
        self.missing && self.tail.is_none() && self.resumed.is_none()
    }

    /// Looks whether the path names the file that is read, and nothing was written to it since it was read to its end.
    pub fn look_is_quiet(&mut self) -> bool {
        let is_settled = self.trouble.is_none() && !self.missing && !self.rotated;
        self.quiet = match &self.tail {
            Some(tail) if is_settled => fs::metadata(&self.path).is_ok_and(|metadata| tail.is_read(&metadata)),
            _ => false,
        };
        self.quiet
    }

    /// Whether there was nothing new at the last look.
    pub const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Looks at what became of the file; gives the position in one that is done with.
    ///
    /// # Errors
    /// When there are too many open files, which is no trouble of this one.
    pub fn refresh(&mut self, others: &impl Others) -> io::Result<Option<Position>> {
        match self.look(others) {
            Err(error) if is_exhausted(&error) => Err(error),
            Err(error) => {
                self.note(Some(error.to_string()));
                Ok(None)
            }
            Ok(done) => {
                self.note(None);
                Ok(done)
            }
        }
    }

    fn look(&mut self, others: &impl Others) -> io::Result<Option<Position>> {
        let found = match fs::metadata(&self.path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        self.missing = found.is_none();
        if found.as_ref().is_some_and(|metadata| !metadata.is_file()) {
            return Err(not_a_file());
        }
        let identity = found.as_ref().map(Identity::of);
        if self.tail.is_none() {
            self.open(identity, others)?;
        }
        let Some(tail) = &mut self.tail else { return Ok(None) };
        if tail.was_written_anew()? {
            self.begin_anew();
        }
        let held = self.identity();
        self.rotated = identity.is_some() && identity != held;
        if identity.is_none() {
            return Ok(self.wait());
        }
        self.gone = 0;
        if self.rotated && self.drained && self.unread() == 0 { self.switch(others) } else { Ok(None) }
    }

    /// Opens the file for the first time, or where it was left before a restart.
    fn open(&mut self, identity: Option<Identity>, others: &impl Others) -> io::Result<()> {
        if let Some(position) = self.resumed {
            let here = identity == Some(position.identity);
            let same =
                if here { Tail::open(&self.path)?.at(&position)? } else { siblings::find(&self.path, &position) };
            let found = same.or_else(|| siblings::find_copy(&self.path, &position));
            if found.is_none() {
                if identity.is_none() {
                    return Ok(());
                }
                tracing::warn!(
                    "the log {} was replaced, and the file that was read before is not beside it: what was written to that since is not read",
                    self.path.display()
                );
                self.start = Start::Beginning;
                self.ends_line = position.ends_line;
            }
            self.tail = found;
            self.resumed = None;
        }
        if let Some(identity) = identity.filter(|identity| self.tail.is_none() && !others.hold(*identity)) {
            let mut tail = reopen(&self.path, others.left(identity))?;
            tail.follow_on(self.ends_line);
            self.tail = Some(match self.start {
                Start::End if tail.position().offset == 0 => tail.at_end()?,
                _ => tail,
            });
        }
        // What comes later is new.
        self.start = Start::Beginning;
        Ok(())
    }

    /// The file was truncated. What was not read of it may be in a copy.
    fn begin_anew(&mut self) {
        let Some(tail) = &mut self.tail else { return };
        match siblings::find_copy(&self.path, tail.position()) {
            Some(copy) => self.tail = Some(copy),
            None => tail.rewind(),
        }
        self.drained = false;
    }

    /// Goes on from a file that was read to its end to the one that came after it.
    fn switch(&mut self, others: &impl Others) -> io::Result<Option<Position>> {
        let Some(old) = &self.tail else { return Ok(None) };
        let now = Identity::of(&fs::metadata(&self.path)?);
        let held = |identity| identity == now || others.hold(identity);
        let mut next = match siblings::next(&self.path, old, held, |identity| others.left(identity)) {
            Some(next) => next,
            None if others.hold(now) => return Ok(None),
            None => reopen(&self.path, others.left(now))?,
        };
        let done = *old.position();
        self.rotated = next.position().identity != now;
        next.follow_on(done.ends_line);
        self.drained = false;
        self.tail = Some(next);
        Ok(Some(done))
    }

    /// The path names no file: what is open may still grow, and be rotated to another name.
    fn wait(&mut self) -> Option<Position> {
        self.gone = if self.unread() > 0 { 0 } else { self.gone + 1 };
        if self.gone <= PATIENCE_POLLS {
            return None;
        }
        let done = self.tail.take().map(|tail| *tail.position());
        self.ends_line = done.is_none_or(|done| done.ends_line);
        self.gone = 0;
        done
    }

    /// Reads what is new, at most so many bytes; empty when there is nothing new.
    pub fn read(&mut self, most: usize) -> Vec<u8> {
        let Some(tail) = &mut self.tail else { return Vec::new() };
        match tail.read(most) {
            Ok(bytes) => {
                self.drained = self.rotated && bytes.is_empty();
                bytes
            }
            Err(error) => {
                self.note(Some(error.to_string()));
                Vec::new()
            }
        }
    }

    /// Tells of a trouble when it begins and when it ends.
    fn note(&mut self, trouble: Option<String>) {
        if trouble == self.trouble {
            return;
        }
        let path = self.path.display();
        match &trouble {
            Some(trouble) => tracing::warn!("the log {path} cannot be read: {trouble}; it is tried again"),
            None => tracing::info!("the log {path} can be read again"),
        }
        self.trouble = trouble;
    }
}

/// Opens a file where it was left; at its start when it was not read before.
fn reopen(path: &Path, left: Option<Position>) -> io::Result<Tail> {
    let known = match left {
        Some(left) => Tail::open(path)?.at(&left)?,
        None => None,
    };
    known.map_or_else(|| Tail::open(path), Ok)
}

/// `ENFILE`, `EMFILE`: the machine or this process has too many open files.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}
