//! What is remembered of an environment.

use autodevops_sdk::types::SnapshotInfo;
use serde::{Deserialize, Serialize};

/// Keys of restores that are remembered: far more than are asked again.
const REMEMBERED: usize = 100;

/// A snapshot that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    key: String,
    id: String,
    taken: i64,
    pub bytes: u64,
}

impl Snapshot {
    pub fn info(&self) -> SnapshotInfo {
        SnapshotInfo { id: self.id.clone(), taken: self.taken, bytes: self.bytes }
    }
}

/// The snapshots of an environment, and what was gone back to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The highest fence that something was gone back with.
    pub fence: u64,
    snapshots: Vec<Snapshot>,
    restored: Vec<String>,
}

impl Kept {
    pub fn by_key(&self, key: &str) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.key == key)
    }

    pub fn by_id(&self, id: &str) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.id == id)
    }

    pub fn add(&mut self, key: &str, info: &SnapshotInfo) {
        let SnapshotInfo { id, taken, bytes } = info.clone();
        self.snapshots.push(Snapshot { key: key.to_owned(), id, taken, bytes });
    }

    /// Forgets a snapshot; whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        let before = self.snapshots.len();
        self.snapshots.retain(|snapshot| snapshot.id != id);
        self.snapshots.len() < before
    }

    pub fn infos(&self) -> Vec<SnapshotInfo> {
        let mut infos: Vec<SnapshotInfo> = self.snapshots.iter().map(Snapshot::info).collect();
        infos.sort_by_key(|info| info.taken);
        infos
    }

    pub fn restored(&self, key: &str) -> bool {
        self.restored.iter().any(|known| known == key)
    }

    pub fn went_back(&mut self, key: &str, fence: u64) {
        self.fence = self.fence.max(fence);
        self.restored.push(key.to_owned());
        let over = self.restored.len().saturating_sub(REMEMBERED);
        self.restored.drain(..over);
    }
}
