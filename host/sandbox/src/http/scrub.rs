//! Keeps a call's secrets out of what a guest is given and out of what is kept of the call.
//!
//! Promised for a secret's exact bytes, wherever a stream is cut. Looked for besides, because servers echo them: its base64
//! (both alphabets, at any offset), its percent-encoding, its form in a JSON text, and what a `Basic` credential decodes to.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use memchr::memmem;
use zeroize::Zeroizing;

use crate::credentials::Secret;

/// Shortest text that is looked for: a shorter one is found where nobody put it.
pub const SHORTEST_SECRET_BYTES: usize = 8;

/// What stands in for each byte of a secret; so many that lengths stay as they were announced.
const MASK: u8 = b'*';

type Needles = Vec<Zeroizing<Vec<u8>>>;

/// The secrets that were used in one call. Clones share them.
#[derive(Clone, Default)]
pub struct Scrubber(Arc<RwLock<Arc<Needles>>>);

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scrubber({} forms)", self.needles().len())
    }
}

impl Scrubber {
    /// Has a secret looked for from now on. `prefix` is what stands before it in its header, such as `Bearer `.
    pub fn add(&self, secret: &Secret, prefix: &str) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let text = secret.reveal();
        if held.iter().any(|needle| needle.as_slice() == text.as_bytes()) {
            return;
        }
        let mut needles = Needles::clone(&held);
        for form in forms(text, prefix) {
            if form.len() >= SHORTEST_SECRET_BYTES && !needles.contains(&form) {
                needles.push(form);
            }
        }
        *held = Arc::new(needles);
    }

    /// Whether no secret was used.
    pub fn is_empty(&self) -> bool {
        self.needles().is_empty()
    }

    /// The text with every secret replaced by stars, as long as it was.
    pub fn scrub(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        if !self.scrub_bytes(&mut bytes) {
            return text.to_owned();
        }
        // Secrets are ASCII, and so is the mask: what was a text still is.
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Replaces every secret by stars. Whether there was one.
    pub fn scrub_bytes(&self, bytes: &mut [u8]) -> bool {
        let needles = self.needles();
        if needles.is_empty() {
            return false;
        }
        let raw = Zeroizing::new(bytes.to_vec());
        mask(&raw, bytes, &needles)
    }

    /// Whether a header's name, which is written in lowercase, holds a secret.
    pub fn is_in_name(&self, name: &str) -> bool {
        self.needles().iter().any(|needle| memmem::find(name.as_bytes(), &needle.to_ascii_lowercase()).is_some())
    }

    fn needles(&self) -> Arc<Needles> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Masks in `out` what is found in `raw`, which is the same text before anything was masked: occurrences may overlap.
fn mask(raw: &[u8], out: &mut [u8], needles: &Needles) -> bool {
    let mut any = false;
    for needle in needles {
        let finder = memmem::Finder::new(needle.as_slice());
        let mut from = 0;
        while let Some(found) = raw.get(from..).and_then(|rest| finder.find(rest)) {
            let start = from + found;
            if let Some(place) = out.get_mut(start..start + needle.len()) {
                place.fill(MASK);
                any = true;
            }
            from = start + 1;
        }
    }
    any
}

/// The ways in which a secret may come back.
fn forms(secret: &str, prefix: &str) -> Needles {
    let mut forms = Needles::new();
    let mut push = |bytes: Vec<u8>| forms.push(Zeroizing::new(bytes));
    push(secret.as_bytes().to_vec());
    let basic = prefix.trim().eq_ignore_ascii_case("basic");
    let decoded = basic.then(|| STANDARD.decode(secret).ok()).flatten().map(Zeroizing::new);
    if let Some(decoded) = &decoded {
        push(decoded.to_vec());
        if let Some(colon) = decoded.iter().position(|byte| *byte == b':') {
            push(decoded.get(colon + 1..).unwrap_or_default().to_vec());
        }
    }
    for offset in 0..3 {
        push(base64_at(&STANDARD_NO_PAD, secret, offset));
        push(base64_at(&URL_SAFE_NO_PAD, secret, offset));
    }
    let percent = |upper: bool| {
        secret.bytes().fold(Vec::new(), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(byte);
            } else {
                out.extend(if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") }.into_bytes());
            }
            out
        })
    };
    push(percent(true));
    push(percent(false));
    let json = secret.replace('\\', "\\\\").replace('"', "\\\"");
    push(json.replace('/', "\\/").into_bytes());
    push(json.into_bytes());
    forms
}

/// The characters of base64 that stand for the secret alone, where `offset` bytes of a group are before it.
fn base64_at(engine: &impl base64::Engine, secret: &str, offset: usize) -> Vec<u8> {
    let mut bytes = Zeroizing::new(vec![0; offset]);
    bytes.extend_from_slice(secret.as_bytes());
    let text = Zeroizing::new(engine.encode(&*bytes).into_bytes());
    let first = (offset * 8).div_ceil(6);
    let end = bytes.len() * 8 / 6;
    text.get(first..end).unwrap_or_default().to_vec()
}

/// Scrubs a body as it comes in. As many bytes at its end as the beginning of a secret may have are held back until more is known:
/// always as many, whatever they are. Were only what does begin a secret held back, a guest could send guesses through a server
/// of its own and read the secret, byte by byte, off what comes late.
pub struct StreamScrubber {
    scrubber: Scrubber,
    raw: Zeroizing<Vec<u8>>,
    out: Vec<u8>,
}

impl StreamScrubber {
    /// With the secrets of a call, those that are used later included.
    pub fn new(scrubber: Scrubber) -> Self {
        Self { scrubber, raw: Zeroizing::default(), out: Vec::new() }
    }

    /// What may be given away after a further part has come; may be empty.
    pub fn push(&mut self, part: Bytes) -> Bytes {
        let needles = self.scrubber.needles();
        if needles.is_empty() && self.raw.is_empty() {
            return part;
        }
        self.raw.extend_from_slice(&part);
        self.out.extend_from_slice(&part);
        mask(&self.raw, &mut self.out, &needles);
        let free = self.raw.len().saturating_sub(held_back(&needles));
        self.raw.drain(..free);
        self.out.drain(..free).collect::<Vec<u8>>().into()
    }

    /// The rest, when no more comes.
    pub fn finish(&mut self) -> Bytes {
        self.raw.clear();
        std::mem::take(&mut self.out).into()
    }
}

/// Bytes at the end of what came that are held back: one less than the longest form has.
fn held_back(needles: &Needles) -> usize {
    needles.iter().map(|needle| needle.len()).max().unwrap_or_default().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scrubber(secret: &str, prefix: &str) -> Scrubber {
        let scrubber = Scrubber::default();
        scrubber.add(&Secret::new(secret.into()), prefix);
        scrubber
    }

    fn streamed(scrubber: &Scrubber, parts: &[&[u8]]) -> Vec<u8> {
        let mut stream = StreamScrubber::new(scrubber.clone());
        let mut out = Vec::new();
        for part in parts {
            out.extend_from_slice(&stream.push(Bytes::copy_from_slice(part)));
        }
        out.extend_from_slice(&stream.finish());
        out
    }

    #[test]
    fn a_secret_is_masked_wherever_a_stream_is_cut() {
        let secret = "s3cr3t-t0ken";
        let scrubber = scrubber(secret, "Bearer ");
        let text = format!("before {secret}{secret} between {secret}");
        let masked = text.replace(secret, &"*".repeat(secret.len()));
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let bytes = text.as_bytes();
                let parts = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(String::from_utf8(streamed(&scrubber, &parts)).unwrap(), masked, "{first} {second}");
            }
        }
    }

    #[test]
    fn other_forms_of_a_secret_are_masked_too() {
        let secret = "a/very+secret\"token";
        let scrubber = scrubber(secret, "Bearer ");
        for offset in 0..3 {
            for rest in 0..3 {
                let whole = format!("{}{secret}{}", "x".repeat(offset), "y".repeat(rest));
                for encoded in [STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
                    let scrubbed = scrubber.scrub(&encoded);
                    assert!(scrubbed.contains(&"*".repeat(secret.len())), "{encoded} {scrubbed}");
                    assert_eq!(scrubbed.len(), encoded.len());
                }
            }
        }
        for form in ["a%2Fvery%2Bsecret%22token", "a%2fvery%2bsecret%22token", "a/very+secret\\\"token"] {
            assert_eq!(scrubber.scrub(form), "*".repeat(form.len()));
        }
        assert_eq!(scrubber.scrub("a/very+other"), "a/very+other");
    }

    #[test]
    fn a_basic_credential_is_known_by_its_password_too() {
        let scrubber = scrubber(&STANDARD.encode("me:open sesame"), "Basic ");
        assert_eq!(scrubber.scrub("it was open sesame!"), "it was ***********!");
    }

    #[test]
    fn how_much_is_held_back_tells_nothing_of_the_secret() {
        let came = |guess: &str| {
            let mut stream = StreamScrubber::new(scrubber("s3cr3t-t0ken", "Bearer "));
            let parts = ["some text ", guess, "", "and more of it"];
            parts.map(|part| stream.push(Bytes::copy_from_slice(part.as_bytes())).len())
        };
        for guess in ["s", "s3", "s3cr3t-t0ke", "czNjcjN0"] {
            let other = "x".repeat(guess.len());
            assert_eq!(came(guess), came(&other), "{guess}");
        }
    }

    #[test]
    fn what_was_held_back_comes_at_the_end() {
        let scrubber = scrubber("s3cr3t-t0ken", "");
        assert_eq!(streamed(&scrubber, &[b"a", b"bc", b"s3cr3t-t0ke"]), b"abcs3cr3t-t0ke");
        assert_eq!(streamed(&scrubber, &[b"a s3cr3t-", b"t0ken"]), b"a ************");
    }

    #[test]
    fn a_secret_is_shown_in_no_debug_output() {
        assert!(!format!("{:?}", scrubber("s3cr3t-t0ken", "")).contains("s3cr3t"));
    }

    proptest! {
        #[test]
        fn no_part_of_an_overlapping_secret_is_left(
            secret in "[ab]{8,10}", text in "[ab]{0,60}", cuts in prop::collection::vec(0usize..60, 0..5)
        ) {
            let scrubber = scrubber(&secret, "");
            let mut expected = text.clone().into_bytes();
            for start in 0..text.len() {
                if text[start..].starts_with(&secret) {
                    expected[start..start + secret.len()].fill(b'*');
                }
            }
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.push(0);
            cuts.push(text.len());
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            prop_assert_eq!(streamed(&scrubber, &parts), expected.clone());
            prop_assert_eq!(scrubber.scrub(&text).into_bytes(), expected);
        }
    }
}
