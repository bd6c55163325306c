//! What is recorded, and how it is packed into a seal.

use std::{borrow::Cow, collections::BTreeMap, io::Read};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeTuple};

use super::AuditError;

/// The largest seal, as JSON (64 MiB).
pub const MAX_SEAL_BYTES: usize = 64 << 20;

/// How hard it is compressed: as little as possible, which makes a tenth of it.
const LEVEL: i32 = 1;

/// The name of the event by which a run ends: nothing follows it.
pub const FINISHED: &str = "finished";

/// One thing that is on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// A plugin was called, and asked the host for things.
    Call(Call),
    /// Something happened in the run, and is in its events.
    Event(EventRecord),
    /// Something that is in no run's events.
    Note(Note),
}

impl Entry {
    /// How many records it is: a call is one, and each of its operations.
    pub fn records(&self) -> u64 {
        match self {
            Self::Call(call) => 1 + call.operations.len() as u64,
            Self::Event(_) | Self::Note(_) => 1,
        }
    }
}

/// One call of a plugin, or several in succession that did the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Call {
    /// The plugin.
    pub plugin: String,
    /// Digest of its component, `blake3:` and 64 hex digits.
    pub digest: String,
    /// The stage that it was called as, such as `check`; none for a script.
    pub interface: Option<Cow<'static, str>>,
    /// The function.
    pub function: Cow<'static, str>,
    /// How many calls these are; 0 where it goes on with the call before it, which was too large for one seal.
    pub calls: u64,
    /// When the first began, in nanoseconds since 1970.
    pub at_ns: u64,
    /// How long they took.
    pub wall_ns: u64,
    /// How long the plugin's own code ran.
    pub guest_ns: u64,
    /// How it failed; none when it gave a result.
    pub failure: Option<String>,
    /// What it asked the host for, oldest first.
    pub operations: Vec<Operation>,
    /// Further operations, of which there is only the number: in seals that were made when not all of them were kept.
    #[serde(default, skip_serializing_if = "none")]
    pub further: u64,
    /// What it used of its limits at its end, by the limit's key; what is not used is left out.
    pub used: BTreeMap<Cow<'static, str>, u64>,
    /// Digest of the recording of it, `blake3:` and 64 hex digits; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn none(number: &u64) -> bool {
    *number == 0
}

/// One operation of a plugin. In JSON it is a list, in the order of the fields: there are many.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Operation {
    /// Its name, such as `http`.
    pub operation: Cow<'static, str>,
    /// What it was about, without anything secret.
    pub summary: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// From the start of the call, in nanoseconds.
    pub at_ns: u64,
    /// How long the host took over it, in nanoseconds.
    pub duration_ns: u64,
    /// Bytes that were passed.
    pub bytes: u64,
    /// How often it was done.
    pub count: u64,
    /// Why it was refused; none where it was allowed, and in seals that were made before this was told.
    #[serde(default)]
    pub reason: Option<String>,
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(7 + usize::from(self.reason.is_some()))?;
        tuple.serialize_element(&self.operation)?;
        tuple.serialize_element(&self.summary)?;
        tuple.serialize_element(&self.allowed)?;
        tuple.serialize_element(&self.at_ns)?;
        tuple.serialize_element(&self.duration_ns)?;
        tuple.serialize_element(&self.bytes)?;
        tuple.serialize_element(&self.count)?;
        if let Some(reason) = &self.reason {
            tuple.serialize_element(reason)?;
        }
        tuple.end()
    }
}

/// An event of the run, by its place and the digest of what is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EventRecord {
    /// Its place in the journal.
    pub sequence: u64,
    /// Its place among the run's events.
    pub version: u64,
    /// When, in nanoseconds since 1970.
    pub at_ns: u64,
    /// Its name, such as `judged`.
    pub event: String,
    /// Of the event as it is stored ([`event_digest`](super::event_digest)), `blake3:` and 64 hex digits.
    pub digest: String,
    /// What was decided, such as `passed` or `approved`; none where nothing was.
    pub decision: Option<String>,
    /// Who decided, where it was a person.
    pub by: Option<String>,
    /// The decision in words.
    pub summary: String,
}

/// Something that is in no run's events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Note {
    /// When, in nanoseconds since 1970.
    pub at_ns: u64,
    /// What it is, such as `host-ended`.
    pub what: String,
    /// Who did it, where it was a person.
    pub by: Option<String>,
    /// In words.
    pub summary: String,
}

/// As it is stored: JSON, compressed.
pub fn pack(entries: &[Entry]) -> Result<Vec<u8>, AuditError> {
    // Records are text and numbers, which JSON always takes.
    let json = serde_json::to_vec(entries).unwrap_or_default();
    if json.len() > MAX_SEAL_BYTES {
        return Err(AuditError::TooLarge { bytes: json.len() });
    }
    // Compressing in memory fails only where there is none.
    zstd::bulk::compress(&json, LEVEL).map_err(|_| AuditError::TooLarge { bytes: json.len() })
}

/// What was stored; or why it cannot be read.
pub fn unpack(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let reader = zstd::stream::read::Decoder::new(bytes).map_err(|error| error.to_string())?;
    let mut json = Vec::new();
    reader.take(MAX_SEAL_BYTES as u64 + 1).read_to_end(&mut json).map_err(|error| error.to_string())?;
    if json.len() > MAX_SEAL_BYTES {
        return Err(format!("it is larger than {MAX_SEAL_BYTES} bytes"));
    }
    serde_json::from_slice(&json).map_err(|error| error.to_string())
}
