//! Tokens: long random texts, of which only a hash is kept.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// What every token starts with, so that scanners for secrets know one when they see it.
const PREFIX: &str = "autodevops_";

/// Random bytes of a token: so many that a fast hash suffices, since there is nothing to guess.
const BYTES: usize = 32;

/// How a hash is written.
const SCHEME: &str = "sha256:";

/// The system gives no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub struct NoRandomness(String);

/// A new token; shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// One that nobody can guess.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new() -> Result<Self, NoRandomness> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|error| NoRandomness(error.to_string()))?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The text that a speaker sends.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What is kept of a token: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash([u8; 32]);

/// A text that is no hash of a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no hash of a token; make one with `autodevops token NAME`, which writes `sha256:` and 64 digits")]
pub struct BadHash;

impl TokenHash {
    /// Of what a speaker sent.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Whether this is the token's. Hashes are compared, so that the time it takes says nothing of the token.
    pub fn is_of(&self, text: &str) -> bool {
        *self == Self::of(text)
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TokenHash {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Self, BadHash> {
        let digits = text.strip_prefix(SCHEME).filter(|digits| digits.len() == 64).ok_or(BadHash)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| BadHash)?;
            *byte = u8::from_str_radix(pair, 16).ok().filter(|_| !pair.starts_with('+')).ok_or(BadHash)?;
        }
        Ok(Self(bytes))
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for TokenHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash_and_no_other_is() {
        let (token, other) = (Token::new().unwrap(), Token::new().unwrap());
        assert_ne!(token, other);
        assert!(token.text().len() > 40 && token.text().starts_with("autodevops_"));
        let kept: TokenHash = token.hash().to_string().parse().unwrap();
        assert!(kept.is_of(token.text()));
        assert!(!kept.is_of(other.text()) && !kept.is_of("") && !kept.is_of(&token.text()[1..]));
        assert!(!format!("{token:?}").contains(token.text()));
    }

    #[test]
    fn the_hash_is_the_one_that_other_tools_make() {
        // `printf abc | sha256sum`; FIPS 180-2, appendix B.1.
        let hash = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(TokenHash::of("abc").to_string(), hash);
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let good = TokenHash::of("a").to_string();
        for bad in ["", "sha256:", "abc", &good[7..], &good[..70], &format!("{good}0"), &good.replace('a', "+")] {
            assert_eq!(bad.parse::<TokenHash>(), Err(BadHash), "{bad}");
        }
        assert_eq!(format!("sha256:{}", "é".repeat(32)).parse::<TokenHash>(), Err(BadHash));
    }
}
