//! What logs are read from: files and standard input, as they are or compressed, in constant memory.
//!
//! What a file is, its first bytes say and not its name. An archive is unpacked as it is read; one that ends too early, is damaged
//! or grows beyond all measure is read up to there, and the rest is told of.

mod sieve;
mod sieves;
mod unpack;

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    path::Path,
};

pub use sieve::{Amiss, LINE_BYTES, Sieve};
pub use sieves::Sieves;
use unpack::{Packing, Unpacked};

use crate::{analysis::STDIN, usage::Usage};

/// Bytes by which a file is known for what it is.
const MAGIC_BYTES: usize = 6;
/// How many times the size of its archive a log usually has.
const USUAL_GROWTH: u64 = 10;

/// A log that is read from its beginning to its end.
pub struct Input {
    from: Unpacked,
    /// Bytes of the file; of standard input, a pipe and the like they are not known.
    file_bytes: u64,
}

/// Why a log was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The archive is not whole.
    #[error(
        "its {packing} archive ends in the middle, {after} bytes into the log: it was copied before it was finished, or cut; copy it anew"
    )]
    Ends {
        /// How it is compressed.
        packing: &'static str,
        /// Bytes that were read of the log.
        after: u64,
    },
    /// The archive holds something else than it should.
    #[error("its {packing} archive is damaged, {after} bytes into the log ({source}); copy it anew")]
    Damaged {
        /// How it is compressed.
        packing: &'static str,
        /// Bytes that were read of the log.
        after: u64,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The archive is made to fill whatever it is unpacked to.
    #[error(
        "its {packing} archive grows to more than {times} times its size, which no log does; {after} bytes of it were read. \
         Where it is to be read all the same, unpack it yourself and give what comes of it to standard input"
    )]
    Grows {
        /// How it is compressed.
        packing: &'static str,
        /// The most that an archive may grow.
        times: u64,
        /// Bytes that were read of the log.
        after: u64,
    },
    /// The file or the pipe cannot be read.
    #[error("it cannot be read further than {after} bytes: {source}")]
    Unreadable {
        /// Bytes that were read of the log.
        after: u64,
        /// Why.
        source: io::Error,
    },
}

impl Input {
    /// Opens a file, or standard input for `-`.
    ///
    /// # Errors
    /// [`Usage`], when it cannot be opened, is a folder, or is compressed or encoded in a way that is not read.
    pub fn open(path: &Path) -> Result<Self, Usage> {
        let name = path.display();
        if path == Path::new(STDIN) {
            return Self::of(io::stdin(), "standard input", "");
        }
        let file = File::open(path).map_err(|error| Usage(format!("{name} cannot be opened: {error}")))?;
        let metadata = file.metadata().ok();
        if metadata.as_ref().is_some_and(Metadata::is_dir) {
            return Err(Usage(format!("{name} is a folder; name the log files in it")));
        }
        let name = name.to_string();
        let file_bytes = metadata.filter(Metadata::is_file).map_or(0, |metadata| metadata.len());
        Ok(Self { file_bytes, ..Self::of(file, &name, &name)? })
    }

    /// About how many bytes the log has, by the size of its file; 0 where that does not say.
    pub fn about_bytes(&self) -> u64 {
        match self.from.packing() {
            Packing::None => self.file_bytes,
            Packing::Gzip | Packing::Zstd => self.file_bytes.saturating_mul(USUAL_GROWTH),
        }
    }

    /// Whether the file holds its log compressed, so that it grows no more.
    ///
    /// # Errors
    /// [`Usage`], as [`Self::open`].
    pub fn is_packed(path: &Path) -> Result<bool, Usage> {
        // What is not there yet, or is a pipe that another waits to write to, is none.
        if !path.is_file() {
            return Ok(false);
        }
        Self::open(path).map(|input| input.from.packing() != Packing::None)
    }

    /// Reads on from any source of bytes; `file` names it in what is said to unpack it.
    fn of(mut from: impl Read + Send + 'static, name: &str, file: &str) -> Result<Self, Usage> {
        let mut magic = Vec::new();
        let read = from.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut magic);
        read.map_err(|error| Usage(format!("{name} cannot be read: {error}")))?;
        let packing = Packing::of(&magic).map_err(|foreign| Usage(foreign.remedy(name, file)))?;
        let all = io::Cursor::new(magic).chain(from);
        let from = Unpacked::new(packing, all).map_err(|error| Usage(format!("{name} cannot be unpacked: {error}")))?;
        Ok(Self { from, file_bytes: 0 })
    }

    /// Bytes of the file that were read, which are fewer than those of the log where it is compressed.
    pub fn taken(&self) -> u64 {
        self.from.taken()
    }

    /// Reads what comes next of the log, at most as much as there is room for; 0 at its end.
    ///
    /// # Errors
    /// When it cannot be read to its end.
    pub fn read(&mut self, part: &mut [u8]) -> Result<usize, Broken> {
        self.from.read(part)
    }
}

#[cfg(test)]
mod tests;
