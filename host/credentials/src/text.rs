//! What a credential may look like: visible text of one line, long enough to be found again where it must not be.

use autodevops_sandbox::Secret;
use zeroize::Zeroizing;

/// Shortest credential: a shorter one cannot be told from other text, so it could not be kept out of logs.
const SHORTEST: usize = 8;

/// Longest credential; a header takes no more.
const LONGEST: usize = 16 << 10;

/// Why a binding gives no credential: read after what it is bound to. Holds nothing of the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub what: String,
    pub remedy: String,
}

impl Fault {
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

/// The text as a credential.
pub fn secret(text: Zeroizing<String>) -> Result<Secret, Fault> {
    let alone = "put the credential there and nothing else";
    if text.trim().is_empty() {
        return Err(Fault::new("which is empty", "put the credential there"));
    }
    if text.len() < SHORTEST {
        let what = format!("which holds fewer than {SHORTEST} characters, too few to be kept out of logs");
        return Err(Fault::new(what, "use a longer credential"));
    }
    if text.len() > LONGEST {
        return Err(Fault::new(format!("which holds more than the {LONGEST} bytes that a header takes"), alone));
    }
    if text.trim().len() != text.len() {
        return Err(Fault::new("which begins or ends with white space", alone));
    }
    if text.contains(['\n', '\r']) {
        return Err(Fault::new("which holds more than one line", alone));
    }
    if !text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Err(Fault::new("which holds characters that no header can have", alone));
    }
    Ok(Secret::new(text.as_str().to_owned()))
}

/// What a file or a program gave, without white space at its ends.
pub fn of_bytes(bytes: &Zeroizing<Vec<u8>>) -> Result<Secret, Fault> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| Fault::new("which is no text", "put the credential there as text"))?;
    secret(Zeroizing::new(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_header_takes_or_no_log_could_be_kept_clean_of_is_refused() {
        for (text, fault) in [
            ("", "empty"),
            (" \n", "empty"),
            ("short", "fewer than 8"),
            ("two\nlines-of-it", "more than one line"),
            ("smuggled\r\nx-a: 1", "more than one line"),
            ("null\0terminated", "no header can have"),
            ("esc\x1b[2Japed-text", "no header can have"),
            ("schlüsselwort", "no header can have"),
            (" leading-space", "white space"),
        ] {
            let found = secret(text.to_owned().into()).unwrap_err();
            assert!(found.what.contains(fault), "{text:?}: {}", found.what);
            assert!(text.trim().is_empty() || !format!("{found:?}").contains(text.trim()));
        }
        assert!(secret("x".repeat(LONGEST + 1).into()).is_err());
        assert_eq!(secret("me and my word".to_owned().into()).unwrap().reveal(), "me and my word");
        assert_eq!(of_bytes(&b"a-credential\n".to_vec().into()).unwrap().reveal(), "a-credential");
    }
}
