//! Which scripts' maps are looked for: a log may be made to name a new script in each line.
//!
//! It is a part of what is saved, so that a frame is told the same whenever that was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bytes::hash;

/// Most scripts whose maps are looked for.
pub const MAX_SCRIPTS: usize = 500;
/// A script that no frame named in so many records makes room for another, as those of old releases do.
const RECORDS: u64 = 10_000;

/// The scripts whose maps are looked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Looked {
    /// Records so far.
    records: u64,
    /// By the scripts' names, as hashes: the last record that named it.
    named: BTreeMap<u64, u64>,
}

impl Looked {
    /// Says that another record comes.
    pub fn next_record(&mut self) {
        self.records += 1;
    }

    /// Whether the script's map is looked for.
    pub fn takes(&mut self, script: &str) -> bool {
        let script = hash(script.as_bytes());
        if let Some(named) = self.named.get_mut(&script) {
            *named = self.records;
            return true;
        }
        if self.named.len() >= MAX_SCRIPTS {
            let oldest = self.named.iter().min_by_key(|(_, named)| **named).map(|(script, named)| (*script, *named));
            let Some((oldest, _)) = oldest.filter(|(_, named)| named.saturating_add(RECORDS) <= self.records) else {
                return false;
            };
            self.named.remove(&oldest);
        }
        self.named.insert(script, self.records);
        true
    }
}
