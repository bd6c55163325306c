//! One file that is read as it grows: which file it is, how far it was read, and whether it was written anew.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

/// Bytes of a file's beginning by which it is known again.
const HEAD_BYTES: u64 = 256;

/// More than what file systems' clocks go on by at once.
const TICK: Duration = Duration::from_millis(50);

/// Which file it is, by whatever name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The device that it lies on.
    pub device: u64,
    /// Its number there; reused for another file once it was deleted.
    pub inode: u64,
}

impl Identity {
    /// Identity of the file that was asked about.
    pub fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// The beginning of a file, at most 256 bytes, as a hash (FNV-1a): a file whose identity is the same and whose beginning is
/// not was deleted and its inode reused, or was truncated and written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Bytes that were hashed.
    pub length: u64,
    /// Their hash.
    pub hash: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self { length: 0, hash: 0xcbf2_9ce4_8422_2325 }
    }
}

impl Head {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().take(usize::try_from(HEAD_BYTES - self.length).unwrap_or_default()) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            self.length += 1;
        }
    }

    /// The beginning of an open file, at most `length` bytes.
    fn read(file: &File, length: u64) -> io::Result<Self> {
        let mut bytes = [0; HEAD_BYTES as usize];
        let mut head = Self::default();
        let length = length.min(HEAD_BYTES);
        while head.length < length {
            let wanted = bytes.get_mut(..usize::try_from(length - head.length).unwrap_or_default()).unwrap_or_default();
            let read = file.read_at(wanted, head.length)?;
            if read == 0 {
                break;
            }
            head.add(wanted.get(..read).unwrap_or_default());
        }
        Ok(head)
    }

    /// Whether the file begins so.
    pub fn is_of(&self, file: &File) -> io::Result<bool> {
        Ok(Self::read(file, self.length)? == *self)
    }
}

/// How far a file was read: what is kept over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which file.
    pub identity: Identity,
    /// Bytes that were read.
    pub offset: u64,
    /// How it begins.
    pub head: Head,
    /// Whether what was read of the log so far, in this file or before it, ends with a line's end.
    pub ends_line: bool,
}

/// An open file that is read as it grows.
#[derive(Debug)]
pub struct Tail {
    file: File,
    position: Position,
    /// Size and time of change when its head was last compared.
    compared: Option<(u64, SystemTime)>,
}

impl Tail {
    /// Opens a file at its start.
    ///
    /// # Errors
    /// When it cannot be opened, or is no regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(not_a_file());
        }
        let identity = Identity::of(&metadata);
        let position = Position { identity, offset: 0, head: Head::default(), ends_line: true };
        Ok(Self { file, position, compared: None })
    }

    /// The same file at its present end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn at_end(mut self) -> io::Result<Self> {
        let length = self.file.metadata()?.len();
        self.position.head = Head::read(&self.file, length)?;
        self.position.offset = length;
        let mut last = [b'\n'];
        if length > 0 {
            self.file.read_at(&mut last, length - 1)?;
        }
        self.position.ends_line = last == *b"\n";
        Ok(self)
    }

    /// The same file where it was left; none when it is not the one that was left there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn at(mut self, position: &Position) -> io::Result<Option<Self>> {
        let is_it = self.position.identity == position.identity && self.begins_as(position)?;
        self.position = *position;
        Ok(is_it.then_some(self))
    }

    /// The file as a copy of the one that was left there; none when it is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn at_in_copy(mut self, position: &Position) -> io::Result<Option<Self>> {
        let is_copy = position.head.length > 0
            && self.file.metadata()?.len() >= position.offset
            && self.position.identity != position.identity
            && position.head.is_of(&self.file)?;
        self.position = Position { identity: self.position.identity, ..*position };
        Ok(is_copy.then_some(self))
    }

    fn begins_as(&self, position: &Position) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() >= position.offset && position.head.is_of(&self.file)?)
    }

    /// How far it was read.
    pub const fn position(&self) -> &Position {
        &self.position
    }

    /// When it was last written to, where that is known.
    pub fn modified(&self) -> Option<SystemTime> {
        self.file.metadata().and_then(|metadata| metadata.modified()).ok()
    }

    /// Bytes that were not read yet.
    pub fn unread(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len().saturating_sub(self.position.offset))
    }

    /// Whether the file was truncated since it was read, even if it has grown beyond that since. Its head is read only when
    /// its size or its time have changed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn was_written_anew(&mut self) -> io::Result<bool> {
        let now = self.file.metadata()?;
        if now.len() < self.position.offset {
            return Ok(true);
        }
        let seen = now.modified().ok().map(|modified| (now.len(), modified));
        if seen.is_some() && seen == self.compared {
            return Ok(false);
        }
        let is_same = self.position.head.is_of(&self.file)?;
        // A write in the same tick of the file system's clock as this look would leave both as they are.
        self.compared = seen.filter(|(_, modified)| modified.elapsed().is_ok_and(|since| since > TICK));
        Ok(!is_same)
    }

    /// Whether the metadata is of this file as it was when its head was last compared, and all of that was read.
    pub fn is_read(&self, metadata: &Metadata) -> bool {
        let Some((length, modified)) = self.compared else { return false };
        length == self.position.offset
            && length == metadata.len()
            && metadata.modified().is_ok_and(|now| now == modified)
            && Identity::of(metadata) == self.position.identity
    }

    /// Goes back to the start.
    pub fn rewind(&mut self) {
        self.position = Position { offset: 0, head: Head::default(), ..self.position };
        self.compared = None;
    }

    /// Says whether what was read of the log before this file ended with a line's end.
    pub fn follow_on(&mut self, ends_line: bool) {
        if self.position.offset == 0 {
            self.position.ends_line = ends_line;
        }
    }

    /// Reads what is new, at most so many bytes; empty at the file's end. Where the file before it ended within a line, a
    /// line's end comes first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let unread = usize::try_from(self.unread()).unwrap_or(usize::MAX);
        if self.position.offset == 0 && !self.position.ends_line && unread > 0 && most > 0 {
            self.position.ends_line = true;
            return Ok(vec![b'\n']);
        }
        let mut bytes = vec![0; most.min(unread)];
        let read = loop {
            match self.file.read_at(&mut bytes, self.position.offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        bytes.truncate(read);
        if self.position.head.length == self.position.offset {
            self.position.head.add(&bytes);
        }
        self.position.offset += read as u64;
        if let Some(last) = bytes.last() {
            self.position.ends_line = *last == b'\n';
        }
        Ok(bytes)
    }
}

/// The trouble with a folder, a socket or a pipe where a log should be.
pub fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")
}
