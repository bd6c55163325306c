//! Records one call while it runs: packed into a file as it comes, within bounds.

use std::{
    collections::HashMap,
    fs::File,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    format::{Frame, Header, Outcome, Writer},
    question::Identities,
};
use crate::http::Scrubber;

/// Keeps a finished recording: its file, and its digest.
pub type Keep = Box<dyn FnOnce(File, &str) -> io::Result<()> + Send + Sync>;

/// Where one call's recording goes, and how long it may get.
pub struct Blank {
    /// An empty file of its own, which nobody takes for a recording yet.
    pub file: File,
    /// Bytes that the call may fill, before they are packed.
    pub per_call: u64,
    /// Bytes that all calls of the run may still fill together, before they are packed.
    pub left_in_run: Arc<AtomicU64>,
    /// Keeps the recording.
    pub keep: Keep,
}

/// Where recordings are kept. Implemented above this room.
pub trait Recordings: Send + Sync {
    /// A call begins. None, where it is not to be recorded.
    ///
    /// # Errors
    /// When there is no file for it.
    fn begin(&self, header: &Header) -> io::Result<Option<Blank>>;
}

/// Records one call. What goes wrong with it is told once and harms nothing but the recording.
pub struct Recorder {
    plugin: String,
    writer: Option<Writer>,
    keep: Option<Keep>,
    names: Vec<&'static str>,
    per_call: u64,
    left_in_run: Arc<AtomicU64>,
    /// Bytes so far, unpacked, whether they were written or not.
    bytes: u64,
    /// The bound that was gone over.
    outgrown: Option<u64>,
    /// The call's secrets, which are kept out of it.
    scrubber: Scrubber,
    /// What each handle stands for.
    pub identities: Identities,
}

impl Recorder {
    /// Begins where there is a place for it.
    pub fn begin(recordings: &dyn Recordings, header: &Header, scrubber: Scrubber) -> Option<Self> {
        let begun = recordings.begin(header).and_then(|blank| {
            let Some(Blank { file, per_call, left_in_run, keep }) = blank else { return Ok(None) };
            Ok(Some((Writer::new(file, header)?, per_call, left_in_run, keep)))
        });
        let plugin = header.plugin.clone();
        match begun {
            Ok(Some((writer, per_call, left_in_run, keep))) => Some(Self {
                plugin,
                writer: Some(writer),
                keep: Some(keep),
                names: Vec::new(),
                per_call,
                left_in_run,
                bytes: 0,
                outgrown: None,
                scrubber,
                identities: HashMap::new(),
            }),
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(%error, plugin, "the call is not recorded");
                None
            }
        }
    }

    /// A function is called.
    pub fn function(&mut self, function: &str, input: String, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        self.scrubber.scrub_bytes(&mut bytes);
        let input = self.scrubber.scrub(&input);
        self.add(&Frame::Begin { function: function.to_owned(), input, bytes });
    }

    /// The guest called the host, which answered.
    pub fn host_call(&mut self, function: &'static str, question: u64, about: String, mut answer: Vec<u8>) {
        // A secret's bytes are one run in an answer, and each is replaced by one: lengths stay as they are.
        self.scrubber.scrub_bytes(&mut answer);
        let about = self.scrubber.scrub(&about);
        let known = self.names.iter().position(|name| std::ptr::eq(*name, function) || *name == function);
        let number = known.unwrap_or_else(|| {
            self.names.push(function);
            self.add(&Frame::Name(function.to_owned()));
            self.names.len() - 1
        });
        let function = u32::try_from(number).unwrap_or(u32::MAX);
        self.add(&Frame::HostCall { function, question, about, answer });
    }

    /// There was no memory for the growth with this number.
    pub fn growth_denied(&mut self, number: u64) {
        self.add(&Frame::GrowthDenied(number));
    }

    /// What came of the function.
    pub fn outcome(&mut self, outcome: Outcome) {
        let frame = Frame::End(match outcome {
            Outcome::Output(text) => Outcome::Output(self.scrubber.scrub(&text)),
            Outcome::Failure { kind, text } => Outcome::Failure { kind, text: self.scrubber.scrub(&text) },
        });
        if self.outgrown.is_some() { self.write(&frame) } else { self.add(&frame) }
    }

    /// Ends the recording; its digest, where there is one.
    pub fn finish(&mut self) -> Option<String> {
        if let Some(limit) = self.outgrown.take() {
            self.write(&Frame::Outgrown { bytes: self.bytes, limit });
        }
        let (writer, keep) = (self.writer.take()?, self.keep.take()?);
        let kept = writer.finish().and_then(|(file, digest)| keep(file, &digest).map(|()| digest));
        kept.inspect_err(|error| self.lost(error)).ok()
    }

    /// Adds a frame, as long as there is room.
    fn add(&mut self, frame: &Frame) {
        let size = size(frame);
        self.bytes = self.bytes.saturating_add(size);
        if self.outgrown.is_some() {
            return;
        }
        let fits = |left: u64| left.checked_sub(size);
        if self.bytes > self.per_call {
            self.outgrow(self.per_call);
        } else if self.left_in_run.fetch_update(Relaxed, Relaxed, fits).is_err() {
            self.outgrow(self.bytes.saturating_sub(size));
        } else {
            self.write(frame);
        }
    }

    /// What is written so far is of no use without its end.
    fn outgrow(&mut self, limit: u64) {
        self.outgrown = Some(limit);
        self.identities = HashMap::new();
        if let Some(writer) = self.writer.take() {
            match writer.start_again() {
                Ok(writer) => self.writer = Some(writer),
                Err(error) => self.lost(&error),
            }
        }
    }

    fn write(&mut self, frame: &Frame) {
        let Some(writer) = &mut self.writer else { return };
        if let Err(error) = writer.add(frame) {
            self.writer = None;
            self.lost(&error);
        }
    }

    fn lost(&self, error: &io::Error) {
        tracing::warn!(%error, plugin = self.plugin, "the call's recording is lost");
    }
}

/// A session's recording ends when the session is dropped; so does that of a call that was given up.
impl Drop for Recorder {
    fn drop(&mut self) {
        self.finish();
    }
}

/// About what a frame takes, unpacked.
fn size(frame: &Frame) -> u64 {
    const FIXED: usize = 16;
    let own = match frame {
        Frame::Begin { function, input, bytes } => function.len() + input.len() + bytes.len(),
        Frame::Name(name) => name.len(),
        Frame::HostCall { about, answer, .. } => about.len() + answer.len(),
        Frame::End(Outcome::Output(text) | Outcome::Failure { text, .. }) => text.len(),
        Frame::GrowthDenied(_) | Frame::Outgrown { .. } => 0,
    };
    own.saturating_add(FIXED) as u64
}
