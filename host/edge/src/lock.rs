//! One front door for each state folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::EdgeError;

/// How often a lock that is held is tried again, and the pause before.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(5);

/// Held while a front door runs; the system lets go of it when the process ends, however it ends, or the last that it was
/// handed to.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes the lock and writes this process's id into it.
    ///
    /// # Errors
    /// [`EdgeError::Running`] names the process that holds it.
    pub fn take(state: &Path) -> Result<Self, EdgeError> {
        let path = path(state);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(EdgeError::file(&path))?;
        // Who only asks for the holder has a share in the lock for a moment.
        let mut taken = file.try_lock();
        for _ in 0..ATTEMPTS {
            if taken.is_ok() {
                break;
            }
            std::thread::sleep(PAUSE);
            taken = file.try_lock();
        }
        match taken {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = read_pid(&mut file).map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
                return Err(EdgeError::Running { state: state.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(EdgeError::file(&path)(error)),
        }
        let lock = Self(file);
        lock.sign(state)?;
        Ok(lock)
    }

    /// The lock of a front door that hands over, which stays locked.
    pub fn adopt(file: OwnedFd) -> Self {
        Self(file.into())
    }

    /// Lets go of it, for every process that has it.
    pub fn release(&self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the lock is let go of by the process's end only");
        }
    }

    /// Writes this process's id into it.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn sign(&self, state: &Path) -> Result<(), EdgeError> {
        let mut file = &self.0;
        let written =
            file.rewind().and_then(|()| file.set_len(0)).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(EdgeError::file(&path(state)))
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The process that holds the lock; none when nothing does. A process that has not written its id yet is 0.
pub fn holder(state: &Path) -> io::Result<Option<u32>> {
    let mut file = match File::open(path(state)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read_pid(&mut file).unwrap_or(0))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn path(state: &Path) -> PathBuf {
    state.join("edge.lock")
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_front_door_of_a_state_is_refused_by_the_process_of_the_first() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(holder(state.path()).unwrap(), None);
        let lock = Lock::take(state.path()).unwrap();
        let me = std::process::id();
        assert_eq!(holder(state.path()).unwrap(), Some(me));
        let error = Lock::take(state.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("(process {me})")) && error.contains("autodevops edge stop"), "{error}");
        // One that was handed over stays locked when the first is gone.
        let second = Lock::adopt(lock.as_fd().try_clone_to_owned().unwrap());
        drop(lock);
        assert_eq!(holder(state.path()).unwrap(), Some(me));
        second.sign(state.path()).unwrap();
        second.release();
        assert_eq!(holder(state.path()).unwrap(), None);
        Lock::take(state.path()).unwrap();
    }
}
