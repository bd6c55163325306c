//! What passes through the pipes between the host and its compiler. Both are the same program, so there is no version: a digest
//! of the engine tells whether they are.

use std::{
    hash::{Hash, Hasher},
    io::{self, Read, Write},
};

use wasmtime::Engine;

/// Bytes of the digest of an engine.
pub const DIGEST_BYTES: usize = 32;

/// Bytes before an answer's payload.
pub const ANSWER_HEADER_BYTES: usize = 9;

/// Most bytes of a reason.
pub const REASON_BYTES: u64 = 16 << 10;

/// A component to compile: digest of the engine, length in eight bytes, component.
pub struct Request<'a> {
    pub engine: [u8; DIGEST_BYTES],
    pub component: &'a [u8],
}

impl Request<'_> {
    /// What stands before the component.
    pub fn header(&self) -> Vec<u8> {
        let mut header = self.engine.to_vec();
        header.extend((self.component.len() as u64).to_le_bytes());
        header
    }
}

/// Reads a request: the digest and the component. One that is cut short is an error: the host is gone.
pub fn read_request(input: &mut impl Read) -> io::Result<([u8; DIGEST_BYTES], Vec<u8>)> {
    let (mut engine, mut length) = ([0; DIGEST_BYTES], [0; 8]);
    input.read_exact(&mut engine)?;
    input.read_exact(&mut length)?;
    let length = usize::try_from(u64::from_le_bytes(length)).map_err(io::Error::other)?;
    let mut component = Vec::new();
    component.try_reserve_exact(length)?;
    input.take(length as u64).read_to_end(&mut component)?;
    if component.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((engine, component))
}

/// The kinds of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Machine code.
    MachineCode = 1,
    /// Why the component is not taken.
    Refused = 2,
    /// There was not enough memory; the payload says for what.
    Memory = 3,
    /// The compiler is not the host's; the payload says how.
    Unfit = 4,
}

impl Kind {
    const ALL: [Self; 4] = [Self::MachineCode, Self::Refused, Self::Memory, Self::Unfit];
}

/// Writes an answer: kind, length in eight bytes, payload.
pub fn write_answer(output: &mut impl Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    output.write_all(&[kind as u8])?;
    output.write_all(&(payload.len() as u64).to_le_bytes())?;
    output.write_all(payload)?;
    output.flush()
}

/// The kind of an answer and the length of its payload; none when this is no answer.
pub fn answer_header(bytes: [u8; ANSWER_HEADER_BYTES]) -> Option<(Kind, u64)> {
    let [kind, length @ ..] = bytes;
    let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind)?;
    Some((kind, u64::from_le_bytes(length)))
}

/// A digest over all of an engine that its machine code depends on; equal in every process of one program.
pub fn engine_digest(engine: &Engine) -> [u8; DIGEST_BYTES] {
    let mut hasher = DigestHasher(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.update(env!("CARGO_PKG_VERSION").as_bytes());
    *hasher.0.finalize().as_bytes()
}

/// A `std` hasher whose digest does not depend on the process.
struct DigestHasher(blake3::Hasher);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        let digest = self.0.finalize();
        digest.as_bytes().iter().take(8).fold(0, |value, byte| (value << 8) | u64::from(*byte))
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_over_whole_or_not_at_all() {
        let request = Request { engine: [7; DIGEST_BYTES], component: b"component" };
        let mut bytes = request.header();
        bytes.extend(request.component);
        let (engine, component) = read_request(&mut &bytes[..]).unwrap();
        assert_eq!((engine, &component[..]), ([7; DIGEST_BYTES], &b"component"[..]));
        for length in 0..bytes.len() {
            assert!(read_request(&mut &bytes[..length]).is_err(), "cut after {length} bytes");
        }
    }

    #[test]
    fn a_length_beyond_all_memory_is_an_error_and_no_abort() {
        let mut bytes = vec![0; DIGEST_BYTES];
        bytes.extend(u64::MAX.to_le_bytes());
        assert!(read_request(&mut &bytes[..]).is_err());
    }

    #[test]
    fn an_answer_of_an_unknown_kind_is_none() {
        let mut bytes = Vec::new();
        write_answer(&mut bytes, Kind::Refused, b"why").unwrap();
        let header: [u8; ANSWER_HEADER_BYTES] = bytes[..ANSWER_HEADER_BYTES].try_into().unwrap();
        assert_eq!(answer_header(header), Some((Kind::Refused, 3)));
        assert_eq!(answer_header([9; ANSWER_HEADER_BYTES]), None);
    }
}
