//! Who speaks by a token, and what they may do by it: a token that a form or a monitor has is no one's who may approve.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Deserializer, de};

use crate::TokenHash;

/// What can be done by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum May {
    /// Say what is to become of runs and releases: approve, abort, roll back and the like.
    Steer,
    /// See the runs.
    Read,
    /// Tell of complaints.
    Feedback,
    /// Read what deploys came to.
    Metrics,
}

impl May {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Steer, Self::Read, Self::Feedback, Self::Metrics];

    /// The name, as in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Steer => "steer",
            Self::Read => "read",
            Self::Feedback => "feedback",
            Self::Metrics => "metrics",
        }
    }
}

/// Who speaks by a token: written as its hash alone, they may do everything; as `{ hash = …, may = […] }`, that alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// What is kept of the token.
    pub hash: TokenHash,
    /// What they may do.
    pub may: BTreeSet<May>,
}

impl From<TokenHash> for Speaker {
    fn from(hash: TokenHash) -> Self {
        Self { hash, may: BTreeSet::from(May::ALL) }
    }
}

impl<'de> Deserialize<'de> for Speaker {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        struct Table {
            hash: TokenHash,
            may: BTreeSet<May>,
        }
        struct Shape;
        impl<'de> de::Visitor<'de> for Shape {
            type Value = Speaker;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the hash of a token, or a table with its `hash` and what it `may` do")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Speaker, E> {
                text.parse::<TokenHash>().map(Speaker::from).map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Speaker, A::Error> {
                let Table { hash, may } = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Speaker { hash, may })
            }
        }
        deserializer.deserialize_any(Shape)
    }
}
