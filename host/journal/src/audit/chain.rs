//! The chain: what a seal's hash is taken over, and what authenticates it.

use std::{fmt, str::FromStr};

use rusqlite::{Connection, params};

use crate::signed;

/// What the first seal names as the one before it.
pub const START: [u8; 32] = [0; 32];

/// First bytes of what is hashed, so that no hash of one kind is taken for another.
const SEAL: &[u8] = b"autodevops audit seal 1\0";
const HEAD: &[u8] = b"autodevops audit head 1\0";
const EVENT: &[u8] = b"autodevops audit event 1\0";

/// The chain up to some seal: how many there are, and the hash of the last. As text, `NUMBER:HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the last seal.
    pub seals: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Head {
    /// Says, to those who know the key, that the host made this seal.
    pub fn mac(&self, key: &[u8; 32]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(HEAD).update(&self.seals.to_le_bytes()).update(&self.hash);
        hasher.finalize()
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seals, blake3::Hash::from_bytes(self.hash).to_hex())
    }
}

/// A text that is no [`Head`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no head of an audit; it looks like `17:` and 64 hex digits, as `autodevops audit --head` shows it")]
pub struct BadHead(String);

impl FromStr for Head {
    type Err = BadHead;

    fn from_str(text: &str) -> Result<Self, BadHead> {
        let bad = || BadHead(text.to_owned());
        let (seals, hash) = text.trim().split_once(':').ok_or_else(bad)?;
        let hash = *blake3::Hash::from_hex(hash).map_err(|_| bad())?.as_bytes();
        Ok(Self { seals: seals.parse().map_err(|_| bad())?, hash })
    }
}

/// Digest of an event as it is stored, with its place: `blake3:` and 64 hex digits.
pub fn event_digest(sequence: u64, run: &str, version: u64, at_ns: u64, text: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(EVENT).update(&sequence.to_le_bytes());
    sized(&mut hasher, run.as_bytes());
    hasher.update(&version.to_le_bytes()).update(&at_ns.to_le_bytes());
    sized(&mut hasher, text.as_bytes());
    format!("blake3:{}", hasher.finalize().to_hex())
}

/// With their length before them, so that no two rows give the same bytes.
fn sized(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
}

/// A seal as it is stored.
pub struct Row {
    pub sequence: u64,
    pub run: String,
    pub stage: String,
    pub version: u64,
    pub at_ns: u64,
    pub records: u64,
    pub entries: Vec<u8>,
    pub previous: Vec<u8>,
    pub hash: Vec<u8>,
    pub mac: Vec<u8>,
}

/// A number that the host wrote is never negative; one that is was written by someone else, and is taken for none of the host's.
pub fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// All columns of the seals of which the condition holds, in their order.
pub fn select(condition: &str) -> String {
    format!(
        "SELECT sequence, run, stage, version, at_ns, records, entries, previous, hash, mac FROM seals
        WHERE {condition} ORDER BY sequence"
    )
}

impl Row {
    pub fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            sequence: number(row.get(0)?),
            run: row.get(1)?,
            stage: row.get(2)?,
            version: number(row.get(3)?),
            at_ns: number(row.get(4)?),
            records: number(row.get(5)?),
            entries: row.get(6)?,
            previous: row.get(7)?,
            hash: row.get(8)?,
            mac: row.get(9)?,
        })
    }

    pub fn insert(&self, connection: &Connection) -> rusqlite::Result<usize> {
        let sql = "INSERT INTO seals (sequence, run, stage, version, at_ns, records, entries, previous, hash, mac)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let Self { sequence, run, stage, version, at_ns, records, entries, previous, hash, mac } = self;
        connection.prepare_cached(sql)?.execute(params![
            signed(*sequence),
            run,
            stage,
            signed(*version),
            signed(*at_ns),
            signed(*records),
            entries,
            previous,
            hash,
            mac
        ])
    }

    /// The hash of all that the row says, the hash of the row before it included.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(SEAL);
        sized(&mut hasher, &self.previous);
        hasher.update(&self.sequence.to_le_bytes());
        sized(&mut hasher, self.run.as_bytes());
        sized(&mut hasher, self.stage.as_bytes());
        for value in [self.version, self.at_ns, self.records] {
            hasher.update(&value.to_le_bytes());
        }
        sized(&mut hasher, &self.entries);
        *hasher.finalize().as_bytes()
    }
}
