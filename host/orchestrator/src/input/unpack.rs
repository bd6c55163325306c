//! Archives of one log, unpacked as they are read.

use std::{
    io::{self, BufReader, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;

use super::Broken;

/// Bytes of an archive that are read at once.
const ARCHIVE_BYTES: usize = 64 << 10;
/// How many times its size an archive may grow to. Logs grow 5 to 50 times, one line over and over some 200 times; what is made to
/// grow, more than 1,000 times.
const MAX_GROWTH: u64 = 500;
/// Bytes that any archive may grow to.
const FREE_BYTES: u64 = 64 << 20;
/// The greatest window that `zstd` uses unless it is told `--ultra` or `--long`, with room above it; as a power of two.
const MAX_WINDOW_LOG: u32 = 26;

/// How a log is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// It is not.
    None,
    /// One or more gzip members, RFC 1952.
    Gzip,
    /// One or more Zstandard frames, RFC 8878.
    Zstd,
}

/// Something that logs are kept in and that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    name: &'static str,
    /// The command that makes text of it.
    command: &'static str,
}

const FOREIGN: [(&[u8], Foreign); 6] = [
    (b"\xfd7zXZ\0", Foreign { name: "an xz archive", command: "xz -dc" }),
    (b"BZh", Foreign { name: "a bzip2 archive", command: "bzip2 -dc" }),
    (b"\x04\x22\x4d\x18", Foreign { name: "an lz4 archive", command: "lz4 -dc" }),
    (b"PK\x03\x04", Foreign { name: "a zip archive", command: "unzip -p" }),
    (b"\xff\xfe", Foreign { name: "UTF-16", command: "iconv -f UTF-16 -t UTF-8" }),
    (b"\xfe\xff", Foreign { name: "UTF-16", command: "iconv -f UTF-16 -t UTF-8" }),
];

impl Foreign {
    /// What it is, and what to do.
    pub fn remedy(self, name: &str, file: &str) -> String {
        let Self { name: what, command } = self;
        let file = if file.is_empty() { String::new() } else { format!(" {file}") };
        format!("{name} is {what}, which is not read; pipe the text in it: `{command}{file} | autodevops analyze -`")
    }
}

impl Packing {
    /// What begins so.
    ///
    /// # Errors
    /// When it is something that is not read.
    pub fn of(magic: &[u8]) -> Result<Self, Foreign> {
        match magic {
            [0x1f, 0x8b, 8, ..] => return Ok(Self::Gzip),
            // A frame, or one that is skipped, as parallel compressors write them first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => return Ok(Self::Zstd),
            _ => {}
        }
        match FOREIGN.iter().find(|(begin, _)| magic.starts_with(begin)) {
            // A line may begin with `BZh`; an archive goes on with its level.
            Some((b"BZh", _)) if !matches!(magic.get(3), Some(b'1'..=b'9')) => Ok(Self::None),
            Some((_, foreign)) => Err(*foreign),
            None => Ok(Self::None),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// The bytes of a log, whatever they are kept in.
pub struct Unpacked {
    packing: Packing,
    from: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
    given: u64,
}

impl Unpacked {
    /// Reads what is packed so.
    ///
    /// # Errors
    /// When there is no room for what unpacks it.
    pub fn new(packing: Packing, from: impl Read + Send + 'static) -> io::Result<Self> {
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted { from, taken: Arc::clone(&taken) };
        let from: Box<dyn Read + Send> = match packing {
            Packing::None => Box::new(counted),
            Packing::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(ARCHIVE_BYTES, counted))),
            Packing::Zstd => {
                let archive = BufReader::with_capacity(ARCHIVE_BYTES, counted);
                let mut frames = zstd::Decoder::with_buffer(archive)?;
                frames.window_log_max(MAX_WINDOW_LOG)?;
                Box::new(frames)
            }
        };
        Ok(Self { packing, from, taken, given: 0 })
    }

    /// How it is compressed.
    pub const fn packing(&self) -> Packing {
        self.packing
    }

    /// Bytes that were read of what it is kept in.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Reads what comes next; 0 at the end.
    ///
    /// # Errors
    /// When the archive is not whole, or no archive of a log.
    pub fn read(&mut self, part: &mut [u8]) -> Result<usize, Broken> {
        let (packing, after) = (self.packing.name(), self.given);
        let length = loop {
            match self.from.read(part) {
                Ok(length) => break length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) if self.packing == Packing::None => return Err(Broken::Unreadable { after, source }),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Broken::Ends { packing, after });
                }
                Err(source) => return Err(Broken::Damaged { packing, after, source }),
            }
        };
        self.given += length as u64;
        let most = self.taken().saturating_mul(MAX_GROWTH).max(FREE_BYTES);
        if self.packing != Packing::None && self.given > most {
            return Err(Broken::Grows { packing, times: MAX_GROWTH, after });
        }
        Ok(length)
    }
}

/// Counts what is read.
struct Counted<R> {
    from: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(part)?;
        self.taken.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
