//! The two files beside the journal: the key that authenticates seals, and the head, which names the last one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{AuditError, chain::Head};

/// The key's file: 32 random bytes that only its owner may read.
pub const KEY_FILE: &str = "audit.key";

/// The head's file: the last seal's number and hash, and a code that shows that the host wrote them.
pub const HEAD_FILE: &str = "audit.head";

/// Bytes of one line of the head's file, its end included: room for the largest number.
const LINE_BYTES: usize = 160;

/// The key, made where there is none.
pub fn host_key(folder: &Path) -> Result<[u8; 32], AuditError> {
    if let Some(key) = read_key(folder)? {
        return Ok(key);
    }
    let path = folder.join(KEY_FILE);
    let failed = |error: io::Error| key_error(&path, error.to_string());
    let mut key = [0; 32];
    File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut key)).map_err(failed)?;
    let mut file = private(folder).map_err(failed)?;
    file.write_all(&key).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(key),
        // Another process was first: its key holds.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            read_key(folder)?.ok_or_else(|| key_error(&path, "it comes and goes".to_owned()))
        }
        Err(error) => Err(failed(error.error)),
    }
}

/// The key; none where there is none yet.
pub fn read_key(folder: &Path) -> Result<Option<[u8; 32]>, AuditError> {
    let path = folder.join(KEY_FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(key_error(&path, error.to_string())),
    };
    let mode = fs::metadata(&path).map_err(|error| key_error(&path, error.to_string()))?.mode();
    if mode & 0o077 != 0 {
        let reason = "other users may read or write it, so that it proves nothing; take it from them with chmod 600";
        return Err(key_error(&path, reason.to_owned()));
    }
    let length = bytes.len();
    let key = bytes.try_into().map_err(|_| {
        let reason = format!("it has {length} bytes instead of 32; put it back from a backup, or move it away");
        key_error(&path, reason)
    })?;
    Ok(Some(key))
}

/// The head as it was noted last; none where there is none, or none that was written with the key.
pub fn head(folder: &Path, key: &[u8; 32]) -> Result<Option<Head>, AuditError> {
    let path = folder.join(HEAD_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => return Ok(None),
        Err(error) => return Err(AuditError::Head { path, reason: error.to_string() }),
    };
    Ok(text.lines().filter_map(|line| told(line, key)).max_by_key(|head| head.seals))
}

/// The head that a line tells, if it was written with the key.
fn told(line: &str, key: &[u8; 32]) -> Option<Head> {
    let (head, mac) = line.trim().split_once(' ')?;
    let head: Head = head.parse().ok()?;
    // `blake3::Hash` compares in constant time.
    (head.mac(key) == blake3::Hash::from_hex(mac).ok()?).then_some(head)
}

/// Notes the head. Two lines take turns and are written over: at any moment one of them is whole, a full disk takes it too, and it is
/// not waited for the disk. Where power is lost before it was written, the journal is ahead, which is no break.
pub fn note(folder: &Path, key: &[u8; 32], head: Head) -> Result<(), AuditError> {
    let path = folder.join(HEAD_FILE);
    let failed = |error: io::Error| AuditError::Head { path: path.clone(), reason: error.to_string() };
    let line = format!("{:<width$}\n", format!("{head} {}", head.mac(key).to_hex()), width = LINE_BYTES - 1);
    let file = match OpenOptions::new().write(true).open(&path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    let there = file.filter(|file| file.metadata().is_ok_and(|file| file.len() == 2 * LINE_BYTES as u64));
    if let Some(file) = there {
        let place = (head.seals % 2) * LINE_BYTES as u64;
        return file.write_all_at(line.as_bytes(), place).map_err(failed);
    }
    let mut file = private(folder).map_err(failed)?;
    file.write_all(line.repeat(2).as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn private(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".audit-")
        .make_in(folder, |path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path))
}

fn key_error(path: &Path, reason: String) -> AuditError {
    AuditError::Key { path: PathBuf::from(path), reason }
}
