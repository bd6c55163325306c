//! An environment's record on disk: written whole to a file beside it, synced, then renamed over it.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{EdgeError, record::Record};

/// Where an environment's record is.
#[derive(Clone, Debug)]
pub struct Store(PathBuf);

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
        tokio::task::spawn_blocking(move || write(&path, &bytes)).await.map_err(io::Error::other)?
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

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
