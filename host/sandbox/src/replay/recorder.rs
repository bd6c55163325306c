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
    /// Bytes that it has of those of the run.
    held: u64,
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
    pub fn begin(recordings: &dyn Recordings, mut header: Header, scrubber: Scrubber) -> Option<Self> {
        for (name, value) in &mut header.config {
            (*name, *value) = (scrubber.scrub(name), scrubber.scrub(value));
        }
        let begun = recordings.begin(&header).and_then(|blank| {
            let Some(Blank { file, per_call, left_in_run, keep }) = blank else { return Ok(None) };
            Ok(Some((Writer::new(file, &header)?, per_call, left_in_run, keep)))
        });
        let plugin = header.plugin;
        match begun {
            Ok(Some((writer, per_call, left_in_run, keep))) => Some(Self {
                plugin,
                writer: Some(writer),
                keep: Some(keep),
                names: Vec::new(),
                per_call,
                left_in_run,
                held: 0,
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
        if self.outgrown.is_none() {
            self.add(&frame);
        }
        // How it ended is told of a recording that outgrew its bound as well, as long as the run has room for that.
        if self.outgrown.is_some() && self.take(size(&frame)) {
            self.write(&frame);
        }
    }

    /// Ends the recording; its digest, where there is one.
    pub fn finish(&mut self) -> Option<String> {
        if let Some(limit) = self.outgrown.take() {
            self.write(&Frame::Outgrown { bytes: self.bytes, limit });
        }
        let (writer, keep) = (self.writer.take()?, self.keep.take()?);
        let kept = writer.finish().and_then(|(file, digest)| keep(file, &digest).map(|()| digest));
        match kept {
            Ok(digest) => Some(digest),
            Err(error) => {
                self.lost(&error);
                None
            }
        }
    }

    /// Adds a frame, as long as there is room.
    fn add(&mut self, frame: &Frame) {
        let size = size(frame);
        self.bytes = self.bytes.saturating_add(size);
        if self.outgrown.is_some() || self.writer.is_none() {
            return;
        }
        if self.bytes > self.per_call {
            self.outgrow(self.per_call);
        } else if self.take(size) {
            self.write(frame);
        } else {
            self.outgrow(self.bytes.saturating_sub(size));
        }
    }

    /// Takes bytes of those that the calls of the run have together, where so many are left.
    fn take(&mut self, bytes: u64) -> bool {
        let taken = self.left_in_run.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes)).is_ok();
        if taken {
            self.held = self.held.saturating_add(bytes);
        }
        taken
    }

    /// Gives the run back what it has of its bytes: what they were for is gone.
    fn give_back(&mut self) {
        self.left_in_run.fetch_add(std::mem::take(&mut self.held), Relaxed);
    }

    /// What is written so far is of no use without its end.
    fn outgrow(&mut self, limit: u64) {
        self.outgrown = Some(limit);
        self.identities = HashMap::new();
        self.give_back();
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

    fn lost(&mut self, error: &io::Error) {
        self.give_back();
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

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Seek as _},
        sync::Mutex,
    };

    use autodevops_model::Stage;
    use autodevops_policy::EffectiveGrant;

    use super::*;
    use crate::{credentials::Secret, replay::format};

    /// Recordings of one run, kept in memory.
    struct Run {
        left: Arc<AtomicU64>,
        per_call: u64,
        kept: Arc<Mutex<Vec<File>>>,
        keeps: bool,
    }

    impl Run {
        fn new(left: u64, per_call: u64) -> Self {
            Self { left: Arc::new(left.into()), per_call, kept: Arc::default(), keeps: true }
        }

        fn left(&self) -> u64 {
            self.left.load(Relaxed)
        }

        fn recorder(&self, scrubber: Scrubber) -> Recorder {
            let header = Header {
                run: "r".into(),
                plugin: "a".into(),
                component: "blake3:00".into(),
                stage: Stage::Check,
                function: "check".into(),
                started: 1,
                grant: EffectiveGrant::default(),
                config: vec![("url".into(), "https://me:s3cr3t-t0ken@a.example".into())],
            };
            Recorder::begin(self, header, scrubber).unwrap()
        }

        /// What was kept last, unpacked, as text.
        fn last(&self) -> String {
            let mut file = self.kept.lock().unwrap().pop().unwrap();
            let mut packed = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut packed).unwrap();
            let (header, frames, _) = format::read("a recording", &packed).unwrap();
            let shown = frames.iter().map(|frame| match frame {
                Frame::Begin { bytes, .. } | Frame::HostCall { answer: bytes, .. } => {
                    format!("{frame:?} {}", String::from_utf8_lossy(bytes))
                }
                frame => format!("{frame:?}"),
            });
            format!("{header:?} {}", shown.collect::<Vec<_>>().join(" "))
        }
    }

    impl Recordings for Run {
        fn begin(&self, _: &Header) -> io::Result<Option<Blank>> {
            let (kept, keeps) = (Arc::clone(&self.kept), self.keeps);
            let keep = Box::new(move |file: File, _: &str| {
                kept.lock().unwrap().push(file);
                if keeps { Ok(()) } else { Err(io::Error::other("the disk is full")) }
            });
            let left_in_run = Arc::clone(&self.left);
            Ok(Some(Blank { file: tempfile::tempfile()?, per_call: self.per_call, left_in_run, keep }))
        }
    }

    #[test]
    fn what_a_recording_outgrew_is_given_back_to_the_run() {
        let run = Run::new(10_000, 3_000);
        let mut recorder = run.recorder(Scrubber::default());
        recorder.function("check", "x".repeat(2_000), &[]);
        assert!(run.left() < 8_000);
        recorder.host_call("f", 1, "y".repeat(2_000), Vec::new());
        assert_eq!(run.left(), 10_000, "all of it");
        recorder.host_call("f", 1, "y".repeat(2_000), Vec::new());
        assert_eq!(run.left(), 10_000, "nothing is written any more");
        recorder.outcome(Outcome::Output("done".into()));
        recorder.finish().unwrap();
        let text = run.last();
        assert!(text.contains("Outgrown") && text.contains("done") && !text.contains("yyy"), "{text}");
        assert!((9_900..10_000).contains(&run.left()), "its end is counted: {}", run.left());
    }

    #[test]
    fn a_recording_that_the_run_has_no_room_for_leaves_it_to_others() {
        let run = Run::new(3_000, 1 << 20);
        let mut greedy = run.recorder(Scrubber::default());
        greedy.function("check", "x".repeat(2_500), &[]);
        greedy.host_call("f", 1, "y".repeat(2_500), Vec::new());
        assert_eq!(run.left(), 3_000);
        let mut modest = run.recorder(Scrubber::default());
        modest.function("check", "x".repeat(2_500), &[]);
        modest.finish().unwrap();
        assert!(run.last().contains("xxx"));
        // No room for an end, either: the recording is there, and is none that can be replayed.
        greedy.outcome(Outcome::Output("z".repeat(2_000)));
        greedy.finish().unwrap();
        let text = run.last();
        assert!(text.contains("Outgrown") && !text.contains("zzz"), "{text}");
    }

    #[test]
    fn a_recording_that_is_lost_takes_nothing_from_the_run() {
        let run = Run { keeps: false, ..Run::new(10_000, 5_000) };
        let mut recorder = run.recorder(Scrubber::default());
        recorder.function("check", "x".repeat(2_000), &[]);
        assert_eq!(recorder.finish(), None);
        assert_eq!(run.left(), 10_000);
    }

    #[test]
    fn no_secret_of_the_call_is_in_its_recording() {
        let scrubber = Scrubber::default();
        scrubber.add(&Secret::new("s3cr3t-t0ken".into()), "Bearer ");
        let run = Run::new(10_000, 10_000);
        let mut recorder = run.recorder(scrubber);
        recorder.function("check", "[\"s3cr3t-t0ken\"]".into(), b"s3cr3t-t0ken");
        recorder.host_call("f", 1, "GET /s3cr3t-t0ken".into(), b"s3cr3t-t0ken".to_vec());
        recorder.outcome(Outcome::Output("s3cr3t-t0ken".into()));
        recorder.finish().unwrap();
        let text = run.last();
        assert!(!text.contains("s3cr3t") && text.contains("https://me:************@a.example"), "{text}");
    }
}
