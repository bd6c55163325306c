//! Reading logs through an analyzer: part by part, in constant memory.

mod files;

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use autodevops_model::{ErrorKind, Grouped, Issue, LineGroup};
use autodevops_sandbox::{AnalyzerSession, CallContext, CallFailure, MountedFolder, Plugin};
pub use files::analyze_files;
use serde::Serialize;

use crate::input::{Amiss, Input, Sieve};

/// Bytes that are given to the analyzer at once.
pub(crate) const PART_BYTES: usize = 256 << 10;

/// An instance is made anew after so many bytes.
const CHECKPOINT_BYTES: u64 = 64 << 20;

/// An instance is made anew after so much time.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(60);

/// The name by which standard input is asked for, and called.
pub const STDIN: &str = "-";

/// What an analyzer made of a set of logs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Analysis {
    /// What was found, as the analyzer ranked it.
    pub issues: Vec<Issue>,
    /// What was read.
    pub sources: Vec<SourceRead>,
    /// What of it was not read as it is; empty where all of it was.
    pub skipped: Vec<Skipped>,
}

impl Analysis {
    /// Whether a log was not read to its end.
    pub fn is_partial(&self) -> bool {
        self.skipped.iter().any(|skipped| skipped.trouble.is_some())
    }
}

/// One log that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SourceRead {
    /// Its name.
    pub source: String,
    /// How much of it, in bytes.
    pub bytes: u64,
}

/// What of one log was not read, or not as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Skipped {
    /// The log's name.
    pub source: String,
    /// What is no text in it.
    #[serde(flatten)]
    pub amiss: Amiss,
    /// Why it was not read to its end.
    pub trouble: Option<String>,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amiss = (self.amiss != Amiss::default()).then(|| self.amiss.to_string());
        let parts = [self.trouble.clone(), amiss];
        write!(f, "{}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// A reader of logs that keeps one instance at a time, checkpointed and made anew at intervals.
pub struct Reader {
    plugin: Plugin,
    context: CallContext,
    session: AnalyzerSession,
    since_checkpoint: u64,
    opened: Instant,
}

impl Reader {
    /// A new reader, or one that goes on from a checkpoint.
    ///
    /// # Errors
    /// When the analyzer's instance does not come up.
    pub async fn open(plugin: Plugin, context: CallContext, checkpoint: Option<&[u8]>) -> Result<Self> {
        let session = plugin.analyze(&context, checkpoint).await?;
        Ok(Self { plugin, context, session, since_checkpoint: 0, opened: Instant::now() })
    }

    /// Adds bytes of a source.
    ///
    /// # Errors
    /// When the analyzer fails.
    pub async fn push(&mut self, source: &str, bytes: &[u8]) -> Result<()> {
        self.session.push(source, bytes).await?;
        self.read(bytes).await
    }

    /// Adds bytes of a source, and tells the group of each line that they finish.
    ///
    /// # Errors
    /// When the analyzer fails, or tells no groups.
    pub async fn push_grouped(&mut self, source: &str, bytes: &[u8]) -> Result<Grouped> {
        let grouped = self.session.push_grouped(source, bytes).await?;
        self.read(bytes).await?;
        Ok(grouped)
    }

    /// What all numbers of groups stand for that are still in use.
    ///
    /// # Errors
    /// When the analyzer fails, or tells no groups.
    pub async fn groups(&mut self) -> Result<Vec<LineGroup>> {
        Ok(self.session.groups().await?)
    }

    async fn read(&mut self, bytes: &[u8]) -> Result<()> {
        self.since_checkpoint += bytes.len() as u64;
        if self.since_checkpoint >= CHECKPOINT_BYTES || self.opened.elapsed() >= CHECKPOINT_AFTER {
            self.renew().await?;
        }
        Ok(())
    }

    /// The issues so far.
    ///
    /// # Errors
    /// When the analyzer fails.
    pub async fn issues(&mut self) -> Result<Vec<Issue>> {
        Ok(self.session.issues().await?)
    }

    /// What is needed to go on later.
    ///
    /// # Errors
    /// When the analyzer fails.
    pub async fn checkpoint(&mut self) -> Result<Vec<u8>> {
        Ok(self.session.checkpoint().await?)
    }

    /// Takes in what another reader of the same analyzer made of other sources, by its checkpoint. False where the analyzer cannot;
    /// this reader is of no further use then.
    ///
    /// # Errors
    /// When the analyzer fails.
    pub async fn join(&mut self, checkpoint: &[u8]) -> Result<bool> {
        match self.session.join(checkpoint).await {
            Ok(()) => Ok(true),
            Err(error) => match &error.failure {
                CallFailure::Refused(refused) if refused.kind == ErrorKind::Unsupported => Ok(false),
                _ => Err(error.into()),
            },
        }
    }

    async fn renew(&mut self) -> Result<()> {
        let checkpoint = self.session.checkpoint().await?;
        self.session = self.plugin.analyze(&self.context, Some(&checkpoint)).await?;
        self.since_checkpoint = 0;
        self.opened = Instant::now();
        Ok(())
    }
}

/// A reader that keeps account of what it was given, and of what was amiss with it.
pub struct Account {
    reader: Reader,
    sources: BTreeMap<String, Source>,
    /// Room for what is left of a part.
    room: Vec<u8>,
}

/// What an account came to, for another to take in.
pub struct Part {
    checkpoint: Vec<u8>,
    sources: BTreeMap<String, Source>,
}

#[derive(Default)]
struct Source {
    bytes: u64,
    sieve: Sieve,
    trouble: Option<String>,
}

impl Account {
    /// Of nothing yet, with an analyzer that is given these folders.
    ///
    /// # Errors
    /// When the analyzer's instance does not come up.
    pub async fn open(plugin: Plugin, mounts: Vec<MountedFolder>) -> Result<Self> {
        let context = CallContext { run: "analyze".to_owned(), mounts, ..CallContext::default() };
        Ok(Self { reader: Reader::open(plugin, context, None).await?, sources: BTreeMap::new(), room: Vec::new() })
    }

    /// Adds bytes of a source.
    ///
    /// # Errors
    /// When the analyzer fails.
    pub async fn push(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut room = std::mem::take(&mut self.room);
        let source = self.source(name);
        source.bytes += bytes.len() as u64;
        let text = source.sieve.sift(bytes, &mut room);
        if !text.is_empty() {
            self.reader.push(name, text).await?;
        }
        self.room = room;
        Ok(())
    }

    /// Reads a log to its end, or to where it breaks. `progress` is told how many bytes of the file were read.
    ///
    /// # Errors
    /// When the analyzer fails.
    pub async fn read(&mut self, name: &str, mut input: Input, mut progress: impl FnMut(u64)) -> Result<()> {
        let mut part = vec![0; PART_BYTES];
        let mut taken = 0;
        self.source(name);
        loop {
            match input.read(&mut part) {
                Ok(0) => return Ok(()),
                Ok(length) => self.push(name, part.get(..length).unwrap_or_default()).await?,
                Err(broken) => {
                    self.trouble(name, Some(broken.to_string()));
                    return Ok(());
                }
            }
            progress(input.taken() - taken);
            taken = input.taken();
        }
    }

    /// Says why a source is not read to its end; none where it is.
    pub fn trouble(&mut self, name: &str, trouble: Option<String>) {
        self.source(name).trouble = trouble;
    }

    /// Whether anything was read of the source.
    pub fn has_read(&self, name: &str) -> bool {
        self.sources.get(name).is_some_and(|source| source.bytes > 0)
    }

    /// What was found so far, and in what.
    ///
    /// # Errors
    /// When the analyzer fails.
    pub async fn analysis(&mut self) -> Result<Analysis> {
        let issues = self.reader.issues().await?;
        let read = |(name, source): (&String, &Source)| SourceRead { source: name.clone(), bytes: source.bytes };
        let skipped = |(name, source): (&String, &Source)| {
            let (amiss, trouble) = (source.sieve.amiss(), source.trouble.clone());
            (amiss != Amiss::default() || trouble.is_some()).then(|| Skipped { source: name.clone(), amiss, trouble })
        };
        Ok(Analysis {
            issues,
            sources: self.sources.iter().map(read).collect(),
            skipped: self.sources.iter().filter_map(skipped).collect(),
        })
    }

    /// What it came to.
    ///
    /// # Errors
    /// When the analyzer fails.
    pub async fn into_part(mut self) -> Result<Part> {
        Ok(Part { checkpoint: self.reader.checkpoint().await?, sources: self.sources })
    }

    /// Takes in what came of other sources.
    ///
    /// # Errors
    /// When the analyzer fails, or cannot.
    pub async fn join(&mut self, part: Part) -> Result<()> {
        ensure!(self.reader.join(&part.checkpoint).await?, "the analyzer joins no sources that were read side by side");
        self.sources.extend(part.sources);
        Ok(())
    }

    fn source(&mut self, name: &str) -> &mut Source {
        self.sources.entry(name.to_owned()).or_default()
    }
}
