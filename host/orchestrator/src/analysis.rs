//! Reading logs through an analyzer: part by part, in constant memory.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use autodevops_model::{Grouped, Issue, LineGroup};
use autodevops_sandbox::{AnalyzerSession, CallContext, Plugin};
use serde::Serialize;

use crate::usage::Usage;

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

    async fn renew(&mut self) -> Result<()> {
        let checkpoint = self.session.checkpoint().await?;
        self.session = self.plugin.analyze(&self.context, Some(&checkpoint)).await?;
        self.since_checkpoint = 0;
        self.opened = Instant::now();
        Ok(())
    }
}

/// Reads whole files (or standard input, `-`) and gives the issues in them. `progress` is told how many bytes were read.
///
/// # Errors
/// When a file cannot be read, or the analyzer fails.
pub async fn analyze_files(plugin: Plugin, files: &[PathBuf], mut progress: impl FnMut(u64)) -> Result<Analysis> {
    let mut inputs = Vec::new();
    for file in files {
        inputs.push((file.display().to_string(), open(file)?));
    }
    let context = CallContext { run: "analyze".to_owned(), ..CallContext::default() };
    let mut reader = Reader::open(plugin, context, None).await?;
    let mut part = vec![0; PART_BYTES];
    let mut sources = Vec::new();
    for (source, mut input) in inputs {
        let mut bytes = 0;
        loop {
            let length = match input.read(&mut part) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).with_context(|| format!("{source} cannot be read")),
            };
            reader.push(&source, part.get(..length).unwrap_or_default()).await?;
            bytes += length as u64;
            progress(length as u64);
        }
        sources.push(SourceRead { source, bytes });
    }
    let issues = reader.issues().await?;
    Ok(Analysis { issues, sources })
}

pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>> {
    if path == Path::new(STDIN) {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).map_err(|error| Usage(format!("{} cannot be opened: {error}", path.display())))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        bail!(Usage(format!("{} is a folder; name the log files in it", path.display())));
    }
    Ok(Box::new(file))
}
