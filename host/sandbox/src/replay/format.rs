//! A recording as bytes: what stands where, how it is written while the call runs, and how it is read back.
//!
//! ```text
//! "adrecord" version:u32 length:u32 header(JSON)   readable without unpacking
//! zstd( frame* )                                   what was passed, what the host answered, what came of it
//! unpacked:u64 BLAKE3(all before):32 "end\n"       a file that is cut off or changed is found
//! ```

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use autodevops_model::Stage;
use autodevops_policy::EffectiveGrant;
use serde::{Deserialize, Serialize};

/// Version of the format that is written. One that is newer than this is refused.
pub const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"adrecord";
const END: &[u8; 4] = b"end\n";
const TRAILER_BYTES: usize = size_of::<u64>() + blake3::OUT_LEN + END.len();

/// Where the header begins: after the magic, the version and its own length.
const HEADER_AT: usize = MAGIC.len() + 2 * size_of::<u32>();

/// Longest header.
const MAX_HEADER_BYTES: u32 = 4 << 20;

/// What is unpacked at most: what one call may hold by any configuration, and what is passed to it.
pub const MAX_UNPACKED_BYTES: u64 = 1 << 30;

/// Fast, and small enough: host calls repeat themselves.
const LEVEL: i32 = 1;

/// Which call was recorded, of which component, with what it might do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Header {
    /// The run, as the call's context named it.
    pub run: String,
    /// The plugin.
    pub plugin: String,
    /// Digest of the component, `blake3:` and 64 hex digits.
    pub component: String,
    /// The stage.
    pub stage: Stage,
    /// The stage's function; `session` for a session of an analyzer, whose calls are one recording.
    pub function: String,
    /// When it began, in nanoseconds since 1970.
    pub started: u64,
    /// What the plugin could do; the folders of the host are left out.
    pub grant: EffectiveGrant,
    /// The plugin's configuration.
    pub config: Vec<(String, String)>,
}

impl Header {
    /// Reads a file's header alone.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub fn of(path: &Path) -> Result<Self, RecordingError> {
        let name = path.display().to_string();
        let start = || -> io::Result<Vec<u8>> {
            let (mut file, mut bytes) = (File::open(path)?, Vec::new());
            Read::by_ref(&mut file).take(HEADER_AT as u64).read_to_end(&mut bytes)?;
            let length = bytes.last_chunk().map_or(0, |length| u32::from_le_bytes(*length).min(MAX_HEADER_BYTES));
            file.take(length.into()).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = start().map_err(|source| RecordingError::Read { path: name.clone(), source })?;
        read_header(&name, &bytes).map(|(header, _)| header)
    }
}

/// What came of one function that was called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// What it gave: JSON.
    Output(String),
    /// How it failed.
    Failure {
        /// The kind of failure.
        kind: FailureKind,
        /// In words.
        text: String,
    },
}

/// Kinds of failure, as far as a replay has to tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The call's time ran out, or the host could not go on: another day it may be otherwise.
    Circumstances,
    /// The plugin's own doing: the same every time.
    Plugin,
}

/// One part of a recording.
#[derive(Debug, Serialize, Deserialize)]
pub enum Frame {
    /// A function is called. For an analyzer's session there are several.
    Begin {
        /// The function.
        function: String,
        /// Its arguments: JSON.
        input: String,
        /// Its argument that is bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The next number for host functions stands for this one.
    Name(String),
    /// The guest called the host.
    HostCall {
        /// The host function's number.
        function: u32,
        /// Digest of what it was given.
        question: u64,
        /// What it was about, for people: a path, a key.
        about: String,
        /// What it gave back.
        #[serde(with = "serde_bytes")]
        answer: Vec<u8>,
    },
    /// The operating system had no memory for the growth with this number.
    GrowthDenied(u64),
    /// What came of the function.
    End(Outcome),
    /// The recording outgrew its bound, and holds no host calls.
    Outgrown {
        /// Bytes that there were.
        bytes: u64,
        /// Bytes that there may be.
        limit: u64,
    },
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file itself.
    #[error("the recording {path} cannot be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Something else.
    #[error(
        "{path} is no recording of autodevops; recordings are made by runs, and written to a folder by `autodevops replay RUN --export DIR`"
    )]
    NotOne {
        /// The file.
        path: String,
    },
    /// Another version wrote it.
    #[error(
        "the recording {path} has version {version} of the format, this program reads up to {FORMAT}; replay it with the newer program that made it"
    )]
    Version {
        /// The file.
        path: String,
        /// Its version.
        version: u32,
    },
    /// It has no end.
    #[error("the recording {path} is cut off: its end is missing; take the whole file, or record the run again")]
    CutOff {
        /// The file.
        path: String,
    },
    /// Its bytes are not those that were written.
    #[error("the recording {path} was changed or damaged: {what}; take it from a copy, or record the run again")]
    Damaged {
        /// The file.
        path: String,
        /// What does not fit.
        what: String,
    },
}

/// Writes one recording, packed as it comes, so that it takes little memory however long it gets.
pub struct Writer {
    encoder: zstd::stream::write::Encoder<'static, Hashed>,
    head: Vec<u8>,
    unpacked: u64,
    frame: Vec<u8>,
}

/// A file, and the digest of what was written to it.
struct Hashed {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Writer {
    /// Begins a recording in an empty file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn new(file: File, header: &Header) -> io::Result<Self> {
        let text = serde_json::to_vec(header)?;
        let length = u32::try_from(text.len()).ok().filter(|length| *length <= MAX_HEADER_BYTES);
        let length = length.ok_or_else(|| io::Error::other("the call's configuration is too long to be recorded"))?;
        let mut head = Vec::with_capacity(MAGIC.len() + 2 * size_of::<u32>() + text.len());
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&FORMAT.to_le_bytes());
        head.extend_from_slice(&length.to_le_bytes());
        head.extend_from_slice(&text);
        let encoder = begin(BufWriter::new(file), &head)?;
        Ok(Self { encoder, head, unpacked: 0, frame: Vec::new() })
    }

    /// Adds a frame; gives the bytes that there are now, unpacked.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, frame: &Frame) -> io::Result<u64> {
        self.frame.clear();
        let bytes = postcard::to_extend(frame, std::mem::take(&mut self.frame)).map_err(io::Error::other)?;
        let length = u32::try_from(bytes.len()).map_err(|_| io::Error::other("a host call has more than 4 GiB"))?;
        self.encoder.write_all(&length.to_le_bytes())?;
        self.encoder.write_all(&bytes)?;
        self.unpacked = self.unpacked.saturating_add(u64::from(length)).saturating_add(size_of::<u32>() as u64);
        self.frame = bytes;
        Ok(self.unpacked)
    }

    /// Forgets all frames, and begins again behind the header.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn start_again(self) -> io::Result<Self> {
        let Hashed { file, .. } = self.encoder.finish()?;
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        let encoder = begin(BufWriter::new(file), &self.head)?;
        Ok(Self { encoder, head: self.head, unpacked: 0, frame: self.frame })
    }

    /// Writes the end mark; gives the file and the recording's digest.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(self) -> io::Result<(File, String)> {
        let mut hashed = self.encoder.finish()?;
        hashed.write_all(&self.unpacked.to_le_bytes())?;
        let digest = hashed.hasher.finalize();
        hashed.file.write_all(digest.as_bytes())?;
        hashed.file.write_all(END)?;
        let file = hashed.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((file, format!("blake3:{}", digest.to_hex())))
    }
}

fn begin(file: BufWriter<File>, head: &[u8]) -> io::Result<zstd::stream::write::Encoder<'static, Hashed>> {
    let mut hashed = Hashed { file, hasher: blake3::Hasher::new() };
    hashed.write_all(head)?;
    zstd::stream::write::Encoder::new(hashed, LEVEL)
}

/// Reads the header alone, and sees that the file is of a version that is known.
///
/// # Errors
/// [`RecordingError`].
pub fn read_header(path: &str, bytes: &[u8]) -> Result<(Header, usize), RecordingError> {
    let damaged = |what: String| RecordingError::Damaged { path: path.to_owned(), what };
    let cut_off = || RecordingError::CutOff { path: path.to_owned() };
    let (magic, rest) = bytes.split_at_checked(MAGIC.len()).unwrap_or((bytes, &[]));
    if magic != MAGIC {
        let begun = !magic.is_empty() && MAGIC.starts_with(magic);
        return Err(if begun { cut_off() } else { RecordingError::NotOne { path: path.to_owned() } });
    }
    let (version, rest) = rest.split_first_chunk().ok_or_else(cut_off)?;
    let version = u32::from_le_bytes(*version);
    if version > FORMAT {
        return Err(RecordingError::Version { path: path.to_owned(), version });
    }
    let (length, rest) = rest.split_first_chunk().ok_or_else(cut_off)?;
    let length = u32::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES {
        return Err(damaged("its header says that it is longer than any".to_owned()));
    }
    let text = rest.get(..length as usize).ok_or_else(cut_off)?;
    let header = serde_json::from_slice(text).map_err(|error| damaged(format!("its header: {error}")))?;
    Ok((header, bytes.len() - rest.len() + length as usize))
}

/// Reads a whole recording, compared with its digest.
///
/// # Errors
/// [`RecordingError`].
pub fn read(path: &str, bytes: &[u8]) -> Result<(Header, Vec<Frame>, String), RecordingError> {
    let damaged = |what: String| RecordingError::Damaged { path: path.to_owned(), what };
    let cut_off = || RecordingError::CutOff { path: path.to_owned() };
    let (header, start) = read_header(path, bytes)?;
    let end = bytes.len().checked_sub(TRAILER_BYTES).filter(|end| *end >= start).ok_or_else(cut_off)?;
    let (packed, trailer) = (bytes.get(start..end).unwrap_or_default(), bytes.get(end..).unwrap_or_default());
    let (unpacked, rest) = trailer.split_first_chunk::<8>().ok_or_else(cut_off)?;
    let (digest, mark) = rest.split_first_chunk::<{ blake3::OUT_LEN }>().ok_or_else(cut_off)?;
    if mark != END {
        return Err(cut_off());
    }
    let found = blake3::hash(bytes.get(..end + size_of::<u64>()).unwrap_or_default());
    if found != blake3::Hash::from_bytes(*digest) {
        return Err(damaged("its checksum is another".to_owned()));
    }
    let unpacked = u64::from_le_bytes(*unpacked);
    if unpacked > MAX_UNPACKED_BYTES {
        return Err(damaged(format!("it unpacks to {unpacked} bytes, more than any call's recording may have")));
    }
    let decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(|error| damaged(error.to_string()))?;
    let mut input = decoder.take(unpacked);
    let mut frames = Vec::new();
    let mut left = unpacked;
    let mut frame = Vec::new();
    while left > 0 {
        let mut length = [0; 4];
        input.read_exact(&mut length).map_err(|error| damaged(error.to_string()))?;
        let length = u32::from_le_bytes(length);
        left = left
            .checked_sub(u64::from(length) + size_of::<u32>() as u64)
            .ok_or_else(|| damaged("a host call is longer than the whole".to_owned()))?;
        frame.resize(length as usize, 0);
        input.read_exact(&mut frame).map_err(|error| damaged(error.to_string()))?;
        frames.push(postcard::from_bytes(&frame).map_err(|error| damaged(error.to_string()))?);
    }
    Ok((header, frames, format!("blake3:{}", found.to_hex())))
}

/// The bytes that a recording has unpacked, as its end says; none where it has no end.
pub fn unpacked_bytes(file: &mut File) -> Option<u64> {
    file.seek(SeekFrom::End(-i64::try_from(TRAILER_BYTES).ok()?)).ok()?;
    let mut trailer = [0; TRAILER_BYTES];
    file.read_exact(&mut trailer).ok()?;
    let (bytes, rest) = trailer.split_first_chunk()?;
    rest.ends_with(END).then(|| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        Header {
            run: "run-1".into(),
            plugin: "p".into(),
            component: "blake3:00".into(),
            stage: Stage::Check,
            function: "check".into(),
            started: 1,
            grant: EffectiveGrant::default(),
            config: vec![("key".into(), "value".into())],
        }
    }

    fn written(frames: &[Frame]) -> (Vec<u8>, String) {
        let mut writer = Writer::new(tempfile::tempfile().unwrap(), &header()).unwrap();
        for frame in frames {
            writer.add(frame).unwrap();
        }
        let (mut file, digest) = writer.finish().unwrap();
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        (bytes, digest)
    }

    fn call(question: u64, answer: Vec<u8>) -> Frame {
        Frame::HostCall { function: 0, question, about: "ä".into(), answer }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(answers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..20)) {
            let frames: Vec<Frame> = answers.into_iter().zip(0..).map(|(answer, question)| call(question, answer)).collect();
            let (bytes, digest) = written(&frames);
            let (read_header, read_frames, read_digest) = read("r", &bytes).unwrap();
            prop_assert_eq!(read_header, header());
            prop_assert_eq!(read_digest, digest);
            prop_assert_eq!(format!("{read_frames:?}"), format!("{frames:?}"));
        }

        #[test]
        fn bytes_of_anybody_are_refused_and_break_nothing(mut bytes in prop::collection::vec(any::<u8>(), 0..500), magic: bool) {
            if magic {
                bytes.splice(0..0, *MAGIC);
            }
            prop_assert!(read("r", &bytes).is_err());
        }
    }

    #[test]
    fn what_a_recording_unpacks_to_is_told_by_its_end() {
        let frames = [call(0, vec![0; 100_000])];
        let (bytes, _) = written(&frames);
        assert!(bytes.len() < 10_000, "it is packed: {}", bytes.len());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        assert!((100_000..100_100).contains(&unpacked_bytes(&mut file).unwrap()));
        file.set_len(bytes.len() as u64 / 2).unwrap();
        assert_eq!(unpacked_bytes(&mut file), None);
    }

    #[test]
    fn frames_before_a_new_start_are_forgotten() {
        let mut writer = Writer::new(tempfile::tempfile().unwrap(), &header()).unwrap();
        writer.add(&call(0, vec![1; 300_000])).unwrap();
        writer = writer.start_again().unwrap();
        writer.add(&Frame::Outgrown { bytes: 300_000, limit: 1 }).unwrap();
        let (mut file, _) = writer.finish().unwrap();
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        let (_, frames, _) = read("r", &bytes).unwrap();
        assert!(matches!(frames.as_slice(), [Frame::Outgrown { bytes: 300_000, limit: 1 }]), "{frames:?}");
    }
}
