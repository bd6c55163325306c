//! What is kept of an environment on disk: its record, written whole to a file beside it, synced, then renamed over it;
//! and what was counted, which is not waited for.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{EdgeError, record::Record, stats::Counted};

/// Where an environment's record is, and what was counted of its releases.
#[derive(Clone, Debug)]
pub struct Store(PathBuf);

/// What was counted of an environment's releases, by release.
pub type Counters = BTreeMap<String, Counted>;

impl Store {
    /// The record of an environment in a state folder.
    pub fn new(state: &Path, environment: &str) -> Self {
        Self(state.join(format!("{environment}.json")))
    }

    /// Reads it; an empty one where there is none.
    pub fn load(&self) -> Result<Record, EdgeError> {
        let bytes = match std::fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Record::default()),
            Err(error) => return Err(EdgeError::file(&self.0)(error)),
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| EdgeError::State { path: self.0.clone(), reason: error.to_string() })
    }

    /// Writes it; it is on disk when this returns.
    pub async fn save(&self, record: &Record) -> io::Result<()> {
        let bytes = serde_json::to_vec(record)?;
        let path = self.0.clone();
        tokio::task::spawn_blocking(move || write(&path, &bytes, true)).await.map_err(io::Error::other)?
    }

    /// Reads what was counted. Nothing is decided on it alone, so what cannot be read is as if nothing was counted.
    pub fn counters(&self) -> Counters {
        let path = self.counters_path();
        let read = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Counters::default(),
            read => read.and_then(|bytes| Ok(serde_json::from_slice(&bytes)?)),
        };
        read.unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "what was counted before is lost");
            Counters::default()
        })
    }

    /// Keeps what was counted over the end of this process, though not over that of the machine.
    pub async fn save_counters(&self, counters: Counters) -> io::Result<()> {
        let path = self.counters_path();
        let written = move || write(&path, &serde_json::to_vec(&counters)?, false);
        tokio::task::spawn_blocking(written).await.map_err(io::Error::other)?
    }

    fn counters_path(&self) -> PathBuf {
        self.0.with_extension("counters")
    }
}

fn write(path: &Path, bytes: &[u8], is_synced: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    if is_synced {
        file.as_file().sync_all()?;
    }
    file.persist(path).map_err(|error| error.error)?;
    if is_synced { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Stats;

    #[tokio::test]
    async fn what_was_counted_comes_back_and_damage_is_no_hindrance() {
        let state = tempfile::tempdir().unwrap();
        let store = Store::new(state.path(), "production");
        assert!(store.counters().is_empty());
        store.save_counters([("r-1".to_owned(), Stats::new(7).counted())].into()).await.unwrap();
        assert_eq!(store.counters().keys().collect::<Vec<_>>(), ["r-1"]);
        std::fs::write(state.path().join("production.counters"), "{").unwrap();
        assert!(store.counters().is_empty());
    }

    #[tokio::test]
    async fn a_record_comes_back_as_it_was_saved_and_damage_is_told() {
        let state = tempfile::tempdir().unwrap();
        let store = Store::new(state.path(), "production");
        assert_eq!(store.load().unwrap(), Record::default());
        let mut record = Record::default();
        record.fence(7).unwrap();
        store.save(&record).await.unwrap();
        assert_eq!(store.load().unwrap(), record);
        std::fs::write(state.path().join("production.json"), "{\"fence\":").unwrap();
        let error = store.load().unwrap_err().to_string();
        assert!(error.contains("production.json is not a state of this version"), "{error}");
    }
}
