//! A state guard: keyed and fenced, as the contract wants it, around data that each release which has production's traffic writes to.

use std::collections::BTreeMap;

use autodevops_model::{ErrorKind, Since, SnapshotInfo, StageError};

use crate::stock::error;

/// Who keeps the data.
pub const KEEPER: &str = "keeper";

/// The data, as the number of its last write, and its snapshots.
#[derive(Default)]
pub struct Keeper {
    /// The data now.
    pub data: i64,
    fence: u64,
    /// By the keys that took them, with what they hold.
    taken: BTreeMap<String, (SnapshotInfo, i64)>,
    /// Keys that went back.
    pub restored: Vec<String>,
}

impl Keeper {
    /// Takes a snapshot; the one that the key took before.
    pub fn snapshot(&mut self, key: &str, at: i64) -> SnapshotInfo {
        let (number, data) = (self.taken.len(), self.data);
        let take = || (SnapshotInfo { id: format!("snapshot-{number}"), taken: at, bytes: 1 }, data);
        self.taken.entry(key.to_owned()).or_insert_with(take).0.clone()
    }

    /// Whether the data is as it was in a snapshot.
    pub fn since(&self, id: &str) -> Since {
        match self.taken.values().find(|(info, _)| info.id == id) {
            Some((_, data)) if *data == self.data => Since::Unchanged,
            Some((_, data)) => Since::Changed(format!("write {data} was the last, and now write {} is", self.data)),
            None => Since::Unknown("there is no such snapshot".to_owned()),
        }
    }

    /// Goes back to a snapshot, once for each key.
    pub fn restore(&mut self, key: &str, fence: u64, id: &str) -> Result<(), StageError> {
        if fence < self.fence {
            return Err(error(ErrorKind::Denied, "the fence is below the highest seen"));
        }
        self.fence = fence;
        let found = self.taken.values().find(|(info, _)| info.id == id);
        let Some((_, data)) = found else { return Err(error(ErrorKind::InvalidInput, "there is no such snapshot")) };
        if !self.restored.iter().any(|known| known == key) {
            self.data = *data;
            self.restored.push(key.to_owned());
        }
        Ok(())
    }
}
