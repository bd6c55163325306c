//! What the guard works with: the operator's commands, the folder of the snapshots, the store, the clock.

use std::{fs, io::Read, time::SystemTime};

use autodevops_sdk::{
    Error, Result,
    command::{self, Completed},
    keyvalue::Bucket,
};

/// The world, narrow enough to be made up in a test.
pub trait World {
    /// Runs a command of the operator's to its end.
    ///
    /// # Errors
    /// When it cannot be run, or takes too long.
    fn run(&self, name: &str, fills: &[(String, String)]) -> Result<Completed>;

    /// What was kept of an environment.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn kept(&self, environment: &str) -> Result<Option<Vec<u8>>>;

    /// Keeps it.
    ///
    /// # Errors
    /// When the store cannot be used.
    fn keep(&self, environment: &str, bytes: &[u8]) -> Result<()>;

    /// A file's size and so many of its first bytes; none where it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    fn look(&self, file: &str, first: usize) -> Result<Option<(u64, Vec<u8>)>>;

    /// A file, from its beginning on.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn open(&self, file: &str) -> Result<impl Read>;

    /// Removes a file; one that is not there is removed already.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove(&self, file: &str) -> Result<()>;

    /// Nanoseconds since 1970.
    ///
    /// # Errors
    /// When the clock tells no such time.
    fn now(&self) -> Result<i64>;
}

/// What a plugin is granted.
pub struct Plugins;

impl World for Plugins {
    fn run(&self, name: &str, fills: &[(String, String)]) -> Result<Completed> {
        command::run(name, fills)
    }

    fn kept(&self, environment: &str) -> Result<Option<Vec<u8>>> {
        Bucket::open("snapshots")?.get(environment)
    }

    fn keep(&self, environment: &str, bytes: &[u8]) -> Result<()> {
        Bucket::open("snapshots")?.set(environment, bytes)
    }

    fn look(&self, file: &str, first: usize) -> Result<Option<(u64, Vec<u8>)>> {
        let opened = match fs::File::open(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // A folder that is not granted looks like one that is empty.
                return match fs::metadata("/snapshots") {
                    Ok(_) => Ok(None),
                    Err(error) => Err(Error::not_granted(format!("the folder /snapshots is not granted: {error}"))),
                };
            }
            opened => opened?,
        };
        let bytes = opened.metadata()?.len();
        let mut start = Vec::new();
        opened.take(first as u64).read_to_end(&mut start)?;
        Ok(Some((bytes, start)))
    }

    fn open(&self, file: &str) -> Result<impl Read> {
        Ok(fs::File::open(file)?)
    }

    fn remove(&self, file: &str) -> Result<()> {
        match fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn now(&self) -> Result<i64> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).map_err(|_| Error::failure("the clock is far in the future"))
    }
}
