//! Watching a service's logs: what is new is given to the analyzer, and how far it came survives the process.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use anyhow::{Context, Result, bail};
use autodevops_journal::Journal;
use autodevops_model::Issue;
use autodevops_policy::redact::{RedactedLines, Redaction};
use autodevops_sandbox::{CallContext, Plugin};

use crate::{
    analysis::Reader,
    audit::{Audit, WATCH},
    follow::{Chunk, FollowState, Follower},
    input::Input,
    usage::Usage,
};

/// Bytes that are read from the logs at once.
const BUDGET_BYTES: usize = 4 << 20;

/// How far the followed files were read.
const OFFSETS: &str = "watch/offsets";

/// What the analyzer knew when they were read so far.
const CHECKPOINT: &str = "watch/checkpoint";

/// What was read of lines that were not finished, and is not told yet.
const HELD: &str = "watch/held";

/// The watched logs of a project, and what was found in them so far.
pub struct Watch {
    journal: Journal,
    audit: Arc<Audit>,
    follower: Follower,
    analyzer: Plugin,
    context: CallContext,
    reader: Reader,
    /// What takes secrets and personal data out of the logs; none where the analyzer can send nothing on.
    lines: Option<RedactedLines>,
    /// What was made durable last: a failed reader goes on from it.
    checkpoint: Option<Vec<u8>>,
    unsaved: bool,
}

impl Watch {
    /// Goes on where the process before stopped, or starts at the beginning of every log. `context` is what the analyzer's sessions are given;
    /// one that may send requests or mail is given the logs redacted.
    ///
    /// # Errors
    /// When the analyzer does not start, or a log is an archive.
    pub async fn open(
        journal: Journal,
        audit: Arc<Audit>,
        context: CallContext,
        analyzer: Plugin,
        logs: &[PathBuf],
        redaction: &Redaction,
    ) -> Result<Self> {
        for log in logs {
            if Input::is_packed(log)? {
                let told = "it is compressed, and grows no more; watch the log itself, and read this once with `autodevops analyze`";
                bail!(Usage(format!("the watched log {}: {told}", log.display())));
            }
        }
        let state = match journal.get_fact(OFFSETS)? {
            Some(bytes) => serde_json::from_slice::<FollowState>(&bytes).context("the followed logs' offsets")?,
            None => FollowState::default(),
        };
        let checkpoint = journal.get_fact(CHECKPOINT)?;
        let reader = match Reader::open(analyzer.clone(), context.clone(), checkpoint.as_deref()).await {
            Ok(mut reader) => match reader.issues().await {
                Ok(_) => Some(reader),
                Err(error) if checkpoint.is_some() => {
                    tracing::warn!("the logs are read anew from their beginning: {error:#}");
                    None
                }
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        };
        let held = journal.get_fact(HELD)?.filter(|_| reader.is_some());
        let (reader, state, checkpoint) = match reader {
            Some(reader) => (reader, state, checkpoint),
            None => (Reader::open(analyzer.clone(), context.clone(), None).await?, FollowState::default(), None),
        };
        let held: BTreeMap<String, Vec<u8>> = match held {
            Some(bytes) => serde_json::from_slice(&bytes).context("the followed logs' unfinished lines")?,
            None => BTreeMap::new(),
        };
        let lines = analyzer.grant().sends().then(|| RedactedLines::new(redaction.clone(), held));
        let follower = Follower::resume(logs, state)?;
        Ok(Self { journal, audit, follower, analyzer, context, reader, lines, checkpoint, unsaved: false })
    }

    /// Reads what is new in the logs; whether there was anything. A part at which the analyzer fails is left out, and so is what it
    /// learned since it was saved: whoever can write to a log must not be able to end the watch.
    ///
    /// # Errors
    /// When the analyzer does not start again.
    pub async fn poll(&mut self) -> Result<bool> {
        let mut any = false;
        loop {
            let chunks = self.follower.poll(BUDGET_BYTES)?;
            if chunks.is_empty() {
                return Ok(any);
            }
            any = true;
            self.unsaved = true;
            for mut chunk in chunks {
                if let Some(lines) = &mut self.lines {
                    chunk.bytes = lines.take(&chunk.source, &chunk.bytes);
                }
                if chunk.bytes.is_empty() {
                    continue;
                }
                if let Err(error) = self.reader.push(&chunk.source, &chunk.bytes).await {
                    self.go_on_without(&chunk, &error).await?;
                }
            }
        }
    }

    async fn go_on_without(&mut self, chunk: &Chunk, error: &anyhow::Error) -> Result<()> {
        tracing::warn!(
            source = chunk.source,
            bytes = chunk.bytes.len(),
            "the analyzer failed at a part of a log, which is left out: {error:#}"
        );
        let checkpoint = self.checkpoint.as_deref();
        self.reader = Reader::open(self.analyzer.clone(), self.context.clone(), checkpoint).await?;
        Ok(())
    }

    /// The issues so far, as the analyzer ranked them.
    ///
    /// # Errors
    /// When the analyzer fails.
    pub async fn issues(&mut self) -> Result<Vec<Issue>> {
        self.reader.issues().await
    }

    /// Makes durable how far the logs were read, together with what was found in them.
    ///
    /// # Errors
    /// When the analyzer fails or the journal cannot be written; the state before stays then.
    pub async fn save(&mut self) -> Result<()> {
        if !self.unsaved {
            return Ok(());
        }
        let checkpoint = self.reader.checkpoint().await?;
        let offsets = serde_json::to_vec(&self.follower.state())?;
        let none = BTreeMap::new();
        let held = serde_json::to_vec(self.lines.as_ref().map_or(&none, RedactedLines::held))?;
        self.journal.put_many(&[(OFFSETS, &offsets), (CHECKPOINT, &checkpoint), (HELD, &held)])?;
        self.checkpoint = Some(checkpoint);
        self.unsaved = false;
        self.audit.seal(WATCH, WATCH, 0);
        Ok(())
    }
}
