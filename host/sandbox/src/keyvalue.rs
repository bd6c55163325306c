//! `wasi:keyvalue/store`: a plugin's own durable store. Writes are kept aside during the call and committed only when it
//! succeeds.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::Arc,
};

use autodevops_policy::{Limit, Limits};

/// A write: bucket and key, and the value, or none to remove the key.
pub type Write = ((String, String), Option<Vec<u8>>);

/// Keys that one call of `list-keys` gives at most.
const KEYS_PER_PAGE: usize = 1000;

/// Listings that can be gone on with at once; it bounds what is remembered of them.
const MAX_LISTINGS: usize = 64;

/// What a plugin may keep, over all its buckets and calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Keys.
    pub entries: u64,
    /// Bytes of keys and values together.
    pub bytes: u64,
}

impl Kept {
    /// As its limits have it.
    pub fn most(limits: &Limits) -> Self {
        Self { entries: limits.amount(Limit::KeyvalueKeptEntries), bytes: limits.amount(Limit::KeyvalueKeptBytes) }
    }
}

/// Why nothing of what a call wrote is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// The plugin would keep more keys than it may.
    #[error("too many keys would be kept")]
    TooManyEntries,
    /// It would keep more bytes than it may.
    #[error("too many bytes would be kept")]
    TooManyBytes,
    /// It cannot be written: a full disk.
    #[error("{0}")]
    Failed(String),
}

/// Where values are kept. Implemented above this room; every plugin sees its own only.
pub trait KeyValueStore: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn get(&self, plugin: &str, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String>;

    /// The keys of a bucket in the order of their bytes: those after this one, or from the first on; the first `limit` of them, or
    /// all where there are fewer.
    ///
    /// # Errors
    /// Why they cannot be read, in words.
    fn keys(&self, plugin: &str, bucket: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, String>;

    /// Writes all or nothing, where the plugin keeps no more than this after it. Called on a thread that may wait for a disk.
    ///
    /// # Errors
    /// [`NotKept`]; nothing was written then.
    fn commit(&self, plugin: &str, writes: &[Write], most: Kept) -> Result<(), NotKept>;
}

/// Where a listing goes on: its bucket, how many keys it gave, and the last of them.
struct Listing {
    bucket: String,
    given: u64,
    last: String,
}

/// The store as one call sees it: what is kept, and over it what the call wrote.
pub struct Overlay {
    store: Option<Arc<dyn KeyValueStore>>,
    plugin: Arc<str>,
    pending: BTreeMap<(String, String), Option<Vec<u8>>>,
    listings: VecDeque<Listing>,
}

/// Some of a bucket's keys.
pub struct Page {
    pub keys: Vec<String>,
    /// What the next page is asked for with; none after the last one.
    pub cursor: Option<u64>,
}

impl Overlay {
    pub fn new(store: Option<Arc<dyn KeyValueStore>>, plugin: Arc<str>) -> Self {
        Self { store, plugin, pending: BTreeMap::new(), listings: VecDeque::new() }
    }

    fn store(&self) -> Result<&Arc<dyn KeyValueStore>, String> {
        self.store.as_ref().ok_or_else(|| "there is no key-value store here".to_owned())
    }

    pub fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, String> {
        match self.pending.get(&(bucket.to_owned(), key.to_owned())) {
            Some(value) => Ok(value.clone()),
            None => self.store()?.get(&self.plugin, bucket, key),
        }
    }

    pub fn set(&mut self, bucket: &str, key: String, value: Option<Vec<u8>>) -> Result<(), String> {
        self.store()?;
        self.pending.insert((bucket.to_owned(), key), value);
        Ok(())
    }

    /// A page of a bucket's keys: the first, or the one that a page of this call gave the cursor of. A guest's cursor is a number,
    /// so that the key it stands for is remembered here.
    pub fn page(&mut self, bucket: &str, cursor: Option<u64>) -> Result<Page, String> {
        let given = cursor.unwrap_or(0);
        let listing = |listing: &&Listing| listing.bucket == bucket && listing.given == given;
        let after = match self.listings.iter().rev().find(listing) {
            Some(listing) => Some(listing.last.as_str()),
            None if given == 0 => None,
            None => return Err(format!("no listing of this call goes on at {given}; list from the start")),
        };
        let mut keys = self.keys(bucket, after, KEYS_PER_PAGE + 1)?;
        let is_last = keys.len() <= KEYS_PER_PAGE;
        keys.truncate(KEYS_PER_PAGE);
        let (Some(last), false) = (keys.last().cloned(), is_last) else { return Ok(Page { keys, cursor: None }) };
        let given = given.saturating_add(keys.len() as u64);
        // The same place is remembered once, however often it is come to.
        self.listings.retain(|listing| listing.bucket != bucket || listing.given != given);
        if self.listings.len() >= MAX_LISTINGS {
            self.listings.pop_front();
        }
        self.listings.push_back(Listing { bucket: bucket.to_owned(), given, last });
        Ok(Page { keys, cursor: Some(given) })
    }

    /// The keys as the call sees them, in order, from this one on and no more than so many, of which there is one at least. Of what
    /// is kept, no more is read than that, and what the call removed.
    fn keys(&self, bucket: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, String> {
        let mut written = self.written(bucket, after).peekable();
        let mut after = after.map(str::to_owned);
        let mut keys = Vec::new();
        loop {
            let stored = self.store()?.keys(&self.plugin, bucket, after.as_deref(), limit)?;
            let is_last = stored.len() < limit;
            after = stored.last().cloned();
            for key in stored {
                while keys.len() < limit
                    && let Some((name, is_set)) = written.next_if(|(name, _)| *name < key.as_str())
                {
                    keys.extend(is_set.then(|| name.to_owned()));
                }
                if keys.len() >= limit {
                    return Ok(keys);
                }
                if written.next_if(|(name, _)| *name == key).is_none_or(|(_, is_set)| is_set) {
                    keys.push(key);
                }
            }
            if is_last || keys.len() >= limit {
                let left = limit.saturating_sub(keys.len());
                keys.extend(written.filter(|(_, is_set)| *is_set).map(|(name, _)| name.to_owned()).take(left));
                return Ok(keys);
            }
        }
    }

    /// The keys of a bucket that the call wrote, in order, after this one, and whether they have a value now.
    fn written(&self, bucket: &str, after: Option<&str>) -> impl Iterator<Item = (&str, bool)> {
        let place = (bucket.to_owned(), after.unwrap_or_default().to_owned());
        let from = if after.is_some() { Bound::Excluded(place) } else { Bound::Included(place) };
        self.pending
            .range((from, Bound::Unbounded))
            .take_while(move |((of, _), _)| of == bucket)
            .map(|((_, key), value)| (key.as_str(), value.is_some()))
    }

    /// Makes the call's writes durable, on a thread that may wait for the disk: it is the host's time, and nobody else's call waits.
    pub async fn commit(&mut self, most: Kept) -> Result<(), NotKept> {
        let writes: Vec<Write> = std::mem::take(&mut self.pending).into_iter().collect();
        if writes.is_empty() {
            return Ok(());
        }
        let store = Arc::clone(self.store().map_err(NotKept::Failed)?);
        let plugin = Arc::clone(&self.plugin);
        let committed = tokio::task::spawn_blocking(move || store.commit(&plugin, &writes, most)).await;
        committed.unwrap_or_else(|error| Err(NotKept::Failed(error.to_string())))
    }
}

#[cfg(test)]
mod tests;
