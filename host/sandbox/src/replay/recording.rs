//! A recording that was read.

use std::path::Path;

use super::{
    format::{self, Header, RecordingError},
    player::{Contents, Function},
};

/// A recording, whole and as it was written.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Which call it is of.
    pub header: Header,
    /// Digest of the whole, `blake3:` and 64 hex digits.
    pub digest: String,
    pub(super) contents: Contents,
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Self::read(&name, &bytes),
            Err(source) => Err(RecordingError::Read { path: name, source }),
        }
    }

    /// Reads a recording; `path` is its name in errors.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub fn read(path: &str, bytes: &[u8]) -> Result<Self, RecordingError> {
        let (header, frames, digest) = format::read(path, bytes)?;
        let damaged = |what| RecordingError::Damaged { path: path.to_owned(), what };
        let contents = Contents::of(frames).map_err(damaged)?;
        Ok(Self { header, digest, contents })
    }

    /// How many host calls are in it.
    pub const fn host_calls(&self) -> usize {
        self.contents.calls.len()
    }

    /// Where it outgrew its bound, the bytes that there were and that there might have been: it cannot be replayed.
    pub const fn outgrown(&self) -> Option<(u64, u64)> {
        self.contents.outgrown
    }

    pub(super) fn functions(&self) -> &[Function] {
        &self.contents.functions
    }
}
