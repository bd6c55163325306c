//! Watching a service's logs: what is new is given to the analyzer, and how far it came survives the process.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use autodevops_model::{Issue, Stage};
use autodevops_policy::redact::RedactedLines;
use autodevops_sandbox::{CallContext, Plugin};

use crate::{
    analysis::Reader,
    audit::WATCH,
    follow::{Chunk, FollowState, Follower},
    input::{Input, Sieves},
    project::Project,
    usage::Usage,
};

/// The most bytes that are read from the logs at once: what was read is given to the analyzer before anything else is looked at.
const MOST_BYTES: usize = 4 << 20;

/// So many are read at once in any case, and no more by an analyzer that may ask a language model: what was read is given to it, also when it
/// has used up the last token meanwhile.
const LEAST_BYTES: usize = 64 << 10;

/// How long the logs are read before whoever asked for it has their turn: what they have to see to waits for no log, however long or quickly
/// written.
const TURN: Duration = Duration::from_secs(1);

/// How far the followed files were read.
const OFFSETS: &str = "watch/offsets";

/// What the analyzer knew when they were read so far.
const CHECKPOINT: &str = "watch/checkpoint";

/// What was read of lines that were not finished, and is not told yet.
const HELD: &str = "watch/held";

/// What was read of the logs in one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// There was nothing new.
    Nothing,
    /// The analyzer may not be called now: what is new waits.
    Refused,
    /// All that was new.
    All,
    /// As much as there was time for: there may be more, which the next turn reads.
    Part,
}

impl Read {
    /// Whether anything was read.
    pub const fn is_new(self) -> bool {
        matches!(self, Self::All | Self::Part)
    }
}

/// The watched logs of a project, and what was found in them so far.
pub struct Watch {
    project: Arc<Project>,
    follower: Follower,
    sieves: Sieves,
    analyzer: Plugin,
    context: CallContext,
    /// None until the analyzer may be called for the first time.
    reader: Option<Reader>,
    /// What it found when it was asked last, where there are times at which it must not be.
    found: Vec<Issue>,
    /// Whether it was told that the analyzer is not called for now.
    is_told: bool,
    /// What takes secrets and personal data out of the logs; none where the analyzer can send nothing on.
    lines: Option<RedactedLines>,
    /// What was made durable last: a failed reader goes on from it.
    checkpoint: Option<Vec<u8>>,
    unsaved: bool,
    /// Bytes that are read at once: as many as take the analyzer a part of a turn.
    budget: usize,
}

impl Watch {
    /// Goes on where the process before stopped, or starts at the beginning of every log. One that may send requests or mail is given the logs
    /// redacted.
    ///
    /// # Errors
    /// When no logs are watched, the analyzer does not start, or a log is an archive.
    pub async fn open(project: &Arc<Project>) -> Result<Self> {
        let logs = &project.config.logs.watch;
        if logs.is_empty() {
            bail!(Usage("no logs are watched; name them in [logs] `watch`".to_owned()));
        }
        for log in logs {
            if Input::is_packed(log)? {
                let told = "it is compressed, and grows no more; watch the log itself, and read this once with `autodevops analyze`";
                bail!(Usage(format!("the watched log {}: {told}", log.display())));
            }
        }
        let analyzer = project.plugins.for_stage(&project.config.stages.analyzer, Stage::Analyzer)?;
        let maps = project.source_maps()?;
        let mounts = maps.map(|maps| maps.mount(&analyzer)).transpose()?.into_iter().collect();
        let context = project.context(WATCH, mounts);
        let checkpoint = project.journal.get_fact(CHECKPOINT)?;
        let mut watch = Self {
            project: Arc::clone(project),
            follower: Follower::resume(logs, FollowState::default())?,
            sieves: Sieves::default(),
            analyzer,
            context,
            reader: None,
            found: Vec::new(),
            is_told: false,
            lines: None,
            checkpoint,
            unsaved: false,
            budget: LEAST_BYTES,
        };
        watch.reader().await?;
        Ok(watch)
    }

    /// Why the analyzer is not called now, where it may ask a language model.
    ///
    /// # Errors
    /// As [`Project::may_call`].
    pub fn may_read(&self) -> Result<()> {
        self.project.may_call(&self.analyzer, Stage::Analyzer)
    }

    /// The analyzer, which is started where it was not; none where it must not be called now. Nothing is read then, and so nothing is lost.
    async fn reader(&mut self) -> Result<Option<&mut Reader>> {
        if let Err(refused) = self.may_read() {
            if !std::mem::replace(&mut self.is_told, true) {
                tracing::warn!("the logs are not read for now: {refused:#}");
            }
            return Ok(None);
        }
        self.is_told = false;
        if self.reader.is_none() {
            self.reader = Some(self.start().await?);
        }
        Ok(self.reader.as_mut())
    }

    /// The analyzer as it was when it was saved, and the logs where they were read up to then; from their beginning, where there is nothing
    /// that it goes on from.
    async fn start(&mut self) -> Result<Reader> {
        let mut reader = Reader::open(self.analyzer.clone(), self.context.clone(), self.checkpoint.as_deref()).await?;
        let knows = match reader.issues().await {
            Ok(_) => true,
            Err(error) if self.checkpoint.is_some() => {
                tracing::warn!("the logs are read anew from their beginning: {error:#}");
                false
            }
            Err(error) => return Err(error),
        };
        let journal = &self.project.journal;
        let held: BTreeMap<String, Vec<u8>> = match journal.get_fact(HELD)?.filter(|_| knows) {
            Some(bytes) => serde_json::from_slice(&bytes).context("the followed logs' unfinished lines")?,
            None => BTreeMap::new(),
        };
        let state = match journal.get_fact(OFFSETS)?.filter(|_| knows) {
            Some(bytes) => serde_json::from_slice::<FollowState>(&bytes).context("the followed logs' offsets")?,
            None => FollowState::default(),
        };
        let redaction = &self.project.redaction;
        self.lines = self.analyzer.grant().sends().then(|| RedactedLines::new(redaction.clone(), held));
        self.follower = Follower::resume(&self.project.config.logs.watch, state)?;
        self.sieves = Sieves::default();
        if knows {
            return Ok(reader);
        }
        self.checkpoint = None;
        Reader::open(self.analyzer.clone(), self.context.clone(), None).await
    }

    /// Reads what is new in the logs, for about a second. A part at which the analyzer fails is left out, and so is what it learned since it
    /// was saved: whoever can write to a log must not be able to end the watch.
    ///
    /// # Errors
    /// When the analyzer does not start again.
    pub async fn poll(&mut self) -> Result<Read> {
        let turn = Instant::now();
        let mut any = false;
        loop {
            let refused = self.reader().await?.is_none();
            let chunks = if refused { Vec::new() } else { self.follower.poll(self.budget)? };
            if chunks.is_empty() {
                return Ok(match any {
                    // What was read before it was refused may be a part.
                    true if refused => Read::Part,
                    true => Read::All,
                    false if refused => Read::Refused,
                    false => Read::Nothing,
                });
            }
            any = true;
            self.unsaved = true;
            let began = Instant::now();
            self.read(chunks).await?;
            self.budget = self.next_budget(began.elapsed());
            if turn.elapsed() >= TURN {
                return Ok(Read::Part);
            }
        }
    }

    /// How many bytes are read at once after those that took so long.
    fn next_budget(&self, took: Duration) -> usize {
        let asks = !self.analyzer.grant().http.is_empty();
        budget(self.budget, took).min(if asks { LEAST_BYTES } else { MOST_BYTES })
    }

    /// Gives the analyzer what was read.
    async fn read(&mut self, chunks: Vec<Chunk>) -> Result<()> {
        for mut chunk in chunks {
            let amiss;
            (chunk.bytes, amiss) = self.sieves.sift(&chunk.source, chunk.bytes);
            if let Some(amiss) = amiss {
                tracing::warn!(source = chunk.source, "a watched log is not read as it is: {amiss}");
            }
            if let Some(lines) = &mut self.lines {
                chunk.bytes = lines.take(&chunk.source, &chunk.bytes);
            }
            if chunk.bytes.is_empty() {
                continue;
            }
            let Some(reader) = &mut self.reader else { continue };
            if let Err(error) = reader.push(&chunk.source, &chunk.bytes).await {
                self.go_on_without(&chunk, &error).await?;
            }
        }
        Ok(())
    }

    async fn go_on_without(&mut self, chunk: &Chunk, error: &anyhow::Error) -> Result<()> {
        tracing::warn!(
            source = chunk.source,
            bytes = chunk.bytes.len(),
            "the analyzer failed at a part of a log, which is left out: {error:#}"
        );
        let checkpoint = self.checkpoint.as_deref();
        self.reader = Some(Reader::open(self.analyzer.clone(), self.context.clone(), checkpoint).await?);
        Ok(())
    }

    /// The issues so far, as the analyzer ranked them; those that it told last, where it must not be called now.
    ///
    /// # Errors
    /// When the analyzer fails.
    pub async fn issues(&mut self) -> Result<Vec<Issue>> {
        match self.reader().await? {
            Some(reader) => {
                let found = reader.issues().await?;
                if !self.analyzer.grant().http.is_empty() {
                    self.found.clone_from(&found);
                }
                Ok(found)
            }
            None => Ok(self.found.clone()),
        }
    }

    /// Has the analyzer be started anew the next time that it is asked, from what it knew when it was saved.
    pub fn begin_anew(&mut self) {
        self.reader = None;
    }

    /// Makes durable how far the logs were read, together with what was found in them: also where the analyzer must not be called
    /// now, or what was read would have to be read, and paid for, once more.
    ///
    /// # Errors
    /// When the analyzer fails or the journal cannot be written; the state before stays then.
    pub async fn save(&mut self) -> Result<()> {
        if !self.unsaved {
            return Ok(());
        }
        let Some(reader) = &mut self.reader else { return Ok(()) };
        let checkpoint = reader.checkpoint().await?;
        let offsets = serde_json::to_vec(&self.follower.state())?;
        let none = BTreeMap::new();
        let held = serde_json::to_vec(self.lines.as_ref().map_or(&none, RedactedLines::held))?;
        self.project.journal.put_many(&[(OFFSETS, &offsets), (CHECKPOINT, &checkpoint), (HELD, &held)])?;
        self.checkpoint = Some(checkpoint);
        self.unsaved = false;
        // Names with a day in them would be kept for ever.
        let followed = self.follower.followed();
        self.sieves.keep(|source| followed.contains(source));
        self.project.audit.seal(WATCH, WATCH, 0);
        Ok(())
    }
}

/// How many bytes are read at once where so many took so long: twice as many after those that took little of a turn, fewer after those that
/// took more than one.
fn budget(bytes: usize, took: Duration) -> usize {
    let next = match took {
        took if took > TURN => bytes / 4,
        took if took < TURN / 8 => bytes.saturating_mul(2),
        _ => bytes,
    };
    next.clamp(LEAST_BYTES, MOST_BYTES)
}

#[cfg(test)]
mod tests;
