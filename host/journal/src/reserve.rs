//! Room on the disk that is kept for what must be written on a full one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
};

use crate::{Journal, JournalError};

/// What is kept, in bytes (4 MiB): the end of thousands of runs.
pub const RESERVE_BYTES: u64 = 4 << 20;

/// What is freed at once, in bytes. Others on the disk, such as logs, take what is free; they must not get all of it by one call.
const PIECE_BYTES: u64 = 256 << 10;

impl Journal {
    /// Takes the reserve, where it is not whole: a file beside the journal that holds nothing but room.
    ///
    /// # Errors
    /// When there is no room for it; what is there of it stays.
    pub fn keep_reserve(&self) -> Result<(), JournalError> {
        let path = self.reserve();
        self.fill().map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                JournalError::Full { path: self.path().to_path_buf() }
            }
            _ => JournalError::Open { path, reason: error.to_string() },
        })
    }

    /// Frees a piece of the reserve; whether there was any.
    ///
    /// # Errors
    /// When the file cannot be cut.
    pub fn free_reserve(&self) -> Result<bool, JournalError> {
        let path = self.reserve();
        let cut = || -> io::Result<bool> {
            let file = match OpenOptions::new().write(true).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            };
            let bytes = file.metadata()?.len();
            if bytes == 0 {
                return Ok(false);
            }
            file.set_len(bytes.saturating_sub(PIECE_BYTES))?;
            // Some file systems give the room back only then.
            file.sync_all()?;
            Ok(true)
        };
        cut().map_err(|error| JournalError::Open { path: path.clone(), reason: error.to_string() })
    }

    fn reserve(&self) -> PathBuf {
        let mut name = self.path().as_os_str().to_owned();
        name.push(".reserve");
        PathBuf::from(name)
    }

    fn fill(&self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file: File = options.open(self.reserve())?;
        let bytes = file.metadata()?.len();
        if bytes >= RESERVE_BYTES {
            return Ok(());
        }
        // What a file system can compress, or leave out as zeros, would keep no room.
        let mut noise = blake3::Hasher::new().update(&bytes.to_le_bytes()).finalize_xof();
        let mut piece = vec![0; usize::try_from(PIECE_BYTES).unwrap_or(0)];
        let mut left = RESERVE_BYTES - bytes;
        while left > 0 {
            noise.fill(&mut piece);
            let size = left.min(PIECE_BYTES);
            file.write_all(piece.get(..usize::try_from(size).unwrap_or(0)).unwrap_or_default())?;
            left -= size;
        }
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_freed_piece_by_piece_and_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal.db")).unwrap();
        assert!(!journal.free_reserve().unwrap(), "nothing is kept yet");
        let size = || std::fs::metadata(folder.path().join("journal.db.reserve")).unwrap().len();
        journal.keep_reserve().unwrap();
        assert_eq!(size(), RESERVE_BYTES);
        assert!(journal.free_reserve().unwrap());
        assert_eq!(size(), RESERVE_BYTES - PIECE_BYTES);
        journal.keep_reserve().unwrap();
        assert_eq!(size(), RESERVE_BYTES);
        let pieces = (0..).take_while(|_| journal.free_reserve().unwrap()).count() as u64;
        assert_eq!((pieces, size()), (RESERVE_BYTES / PIECE_BYTES, 0));
    }
}
