//! One-time links: what someone may answer, signed by this host. That one was used is for the run's record to say.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// Longest link that is looked at, in bytes.
const MAX_BYTES: usize = 4096;

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Lets the run go on.
    Approve,
    /// Refuses what the run asks for.
    Reject,
    /// Says that one has it in hand.
    Ack,
}

impl Action {
    /// The action's name, as in its JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Ack => "ack",
        }
    }
}

/// What a link says, all of it signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Claim {
    /// The run.
    pub run: String,
    /// Which of the run's questions it answers.
    pub asked: u32,
    /// What it does.
    pub action: Action,
    /// Who is taken to speak.
    pub by: String,
    /// Until when it is taken: nanoseconds since 1970-01-01T00:00:00Z.
    pub until: i64,
    /// What makes it unlike every other.
    pub nonce: String,
}

/// Why a link is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// Its signature is not this host's, or it is none.
    #[error("this link was not made by this host, or was changed on its way; use the newest one that you were sent")]
    NotOurs,
    /// Its time is over.
    #[error("the time to answer by this link is over; nothing was changed: see `autodevops show {run}`")]
    Expired {
        /// The run.
        run: String,
    },
}

/// Signs links, and knows its own. The signature is a keyed BLAKE3 hash, as the audit's is.
#[derive(Clone)]
pub struct LinkKey([u8; 32]);

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

impl LinkKey {
    /// From 32 bytes that this host alone knows; another key is derived from them for links.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(blake3::derive_key("autodevops one-time links 2026-11", secret))
    }

    /// The claim as a text that fits into a URL.
    pub fn sign(&self, claim: &Claim) -> String {
        let json = serde_json::to_vec(claim).unwrap_or_default();
        let signature = blake3::keyed_hash(&self.0, &json);
        format!("{}.{}", URL_SAFE_NO_PAD.encode(json), URL_SAFE_NO_PAD.encode(signature.as_bytes()))
    }

    /// What the text claims, if this host signed it and its time is not over.
    ///
    /// # Errors
    /// [`BadLink`].
    pub fn read(&self, text: &str, now: i64) -> Result<Claim, BadLink> {
        let parts = text.split_once('.').filter(|_| text.len() <= MAX_BYTES).ok_or(BadLink::NotOurs)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| BadLink::NotOurs);
        let (json, signature) = (decode(parts.0)?, decode(parts.1)?);
        let signature: [u8; 32] = signature.try_into().map_err(|_| BadLink::NotOurs)?;
        // `blake3::Hash` compares in constant time.
        if blake3::keyed_hash(&self.0, &json) != blake3::Hash::from_bytes(signature) {
            return Err(BadLink::NotOurs);
        }
        let claim: Claim = serde_json::from_slice(&json).map_err(|_| BadLink::NotOurs)?;
        if claim.until <= now { Err(BadLink::Expired { run: claim.run }) } else { Ok(claim) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim() -> Claim {
        Claim {
            run: "62e23fd1-1".into(),
            asked: 1,
            action: Action::Approve,
            by: "ada".into(),
            until: 100,
            nonce: "1/notify-webhook".into(),
        }
    }

    #[test]
    fn a_link_says_what_was_signed_until_its_time_is_over() {
        let key = LinkKey::new(&[7; 32]);
        let text = key.sign(&claim());
        assert_eq!(key.read(&text, 99), Ok(claim()));
        assert_eq!(key.read(&text, 100), Err(BadLink::Expired { run: "62e23fd1-1".into() }));
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)), "{text}");
    }

    #[test]
    fn another_hosts_link_is_not_taken() {
        let text = LinkKey::new(&[8; 32]).sign(&claim());
        assert_eq!(LinkKey::new(&[7; 32]).read(&text, 0), Err(BadLink::NotOurs));
    }

    #[test]
    fn a_claim_with_another_ones_signature_is_not_taken() {
        let key = LinkKey::new(&[7; 32]);
        let good = key.sign(&claim());
        let signature = good.split_once('.').unwrap().1;
        for changed in [
            Claim { run: "other-1".into(), ..claim() },
            Claim { asked: 2, ..claim() },
            Claim { action: Action::Reject, ..claim() },
            Claim { by: "mallory".into(), ..claim() },
            Claim { until: 1000, ..claim() },
            Claim { nonce: "2".into(), ..claim() },
        ] {
            let json = key.sign(&changed);
            let forged = format!("{}.{signature}", json.split_once('.').unwrap().0);
            assert_eq!(key.read(&forged, 0), Err(BadLink::NotOurs), "{changed:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_but_a_signed_one_is_taken(text in ".{0,200}", at in 0_usize..200, byte in any::<u8>()) {
            let key = LinkKey::new(&[7; 32]);
            prop_assert_eq!(key.read(&text, 0), Err(BadLink::NotOurs));
            let good = key.sign(&claim());
            let mut bytes = good.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(changed) = String::from_utf8(bytes) && changed != good {
                prop_assert_eq!(key.read(&changed, 0), Err(BadLink::NotOurs));
            }
        }
    }
}
