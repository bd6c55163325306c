//! What was told, by the keys of the newest notifications.

use autodevops_sdk::{Result, keyvalue::Bucket};

/// The one entry of the bucket.
const ENTRY: &str = "keys";

/// Keys that are remembered: far more than are asked again.
const REMEMBERED: usize = 500;

/// The store of what was told.
pub struct Told {
    bucket: Bucket,
    keys: Vec<String>,
}

impl Told {
    /// Reads what is remembered.
    pub fn open() -> Result<Self> {
        let bucket = Bucket::open("told")?;
        let keys =
            bucket.get(ENTRY)?.map(|bytes| serde_json::from_slice(&bytes).unwrap_or_default()).unwrap_or_default();
        Ok(Self { bucket, keys })
    }

    /// Whether it was told.
    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known == key)
    }

    /// Remembers that it was.
    pub fn keep(&mut self, key: String) -> Result<()> {
        remember(&mut self.keys, key);
        self.bucket.set(ENTRY, &autodevops_sdk::encode(&self.keys)?)
    }
}

fn remember(keys: &mut Vec<String>, key: String) {
    keys.push(key);
    let over = keys.len().saturating_sub(REMEMBERED);
    keys.drain(..over);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered() {
        let mut keys = Vec::new();
        (0..REMEMBERED + 2).for_each(|n| remember(&mut keys, n.to_string()));
        assert_eq!((keys.len(), keys[0].as_str(), keys.last().unwrap().as_str()), (REMEMBERED, "2", "501"));
    }
}
