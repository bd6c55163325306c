//! Credentials: a manifest names them and the origins that they are for, the operator binds them, the host puts them on the wire.

use serde::{Deserialize, Serialize};

use crate::{CredentialBinding, Origin, manifest::is_name};

/// Headers that say how a request is carried, or where to: the host's own to set.
const CARRYING_HEADERS: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// The header of a credential that names none.
const DEFAULT_HEADER: &str = "authorization";

/// What stands before a credential in [`DEFAULT_HEADER`], where nothing else is said.
const DEFAULT_PREFIX: &str = "Bearer ";

/// Longest name and prefix of a header that are taken, in bytes.
const MAX_HEADER_BYTES: usize = 128;

/// What is wrong with a credential in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The name is not one.
    #[error("the credential's name {0:?} is not taken; use 1 to 64 of a-z, 0-9 and -, starting with a letter")]
    Name(String),
    /// Another one has the name.
    #[error("two credentials are named `{0}`; give each a name of its own")]
    Twice(String),
    /// Nobody can say why it is needed.
    #[error("the credential `{0}` has no reason; say in words why the plugin needs it")]
    NoReason(String),
    /// It is for nowhere.
    #[error("the credential `{0}` has no origins; name where it is sent, such as \"https://api.example.com\"")]
    NoOrigins(String),
    /// It is for everywhere.
    #[error("the credential `{0}` is for {1}, any host; a credential is for origins that are named")]
    AnyHost(String, String),
    /// It would be sent for all to read.
    #[error("the credential `{0}` is for {1}, where all on the way could read it; use https")]
    NotSecret(String, String),
    /// The header cannot carry it.
    #[error("the credential `{0}` has the header {1:?}; {2}")]
    Header(String, String, &'static str),
    /// What stands before it is no part of a header.
    #[error("the credential `{0}` has the prefix {1:?}; use up to 128 visible ASCII characters and spaces")]
    Prefix(String, String),
    /// Two would be sent at once.
    #[error(
        "the credentials `{one}` and `{other}` are both the header `{header}` of requests to {origin}; \
         name origins that do not overlap, or another header"
    )]
    Overlap {
        /// One.
        one: String,
        /// The other.
        other: String,
        /// The header.
        header: String,
        /// Where both would be sent.
        origin: String,
    },
}

/// A credential that a plugin asks to have put on its requests. The plugin never sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Credential {
    /// The name that the operator binds: 1 to 64 of `a-z`, `0-9` and `-`, starting with a letter.
    pub name: String,
    /// Where it may be sent.
    #[serde(default)]
    pub origins: Vec<Origin>,
    /// The header that carries it, in lower case.
    #[serde(default = "default_header")]
    pub header: String,
    /// What stands before it in the header; see [`Self::prefix`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Why, in words, for the operator who decides.
    #[serde(default)]
    pub reason: String,
    /// Whether the plugin does without it, where the operator binds none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

fn default_header() -> String {
    DEFAULT_HEADER.to_owned()
}

impl Credential {
    /// What stands before the credential in its header: what the manifest says, else `Bearer ` for `authorization` and nothing
    /// for any other header.
    pub fn prefix(&self) -> &str {
        let default = if self.header == DEFAULT_HEADER { DEFAULT_PREFIX } else { "" };
        self.prefix.as_deref().unwrap_or(default)
    }

    fn check(&self) -> Result<(), CredentialError> {
        let name = || self.name.clone();
        if !is_name(&self.name) {
            return Err(CredentialError::Name(name()));
        }
        if self.reason.trim().is_empty() {
            return Err(CredentialError::NoReason(name()));
        }
        if self.origins.is_empty() {
            return Err(CredentialError::NoOrigins(name()));
        }
        for origin in &self.origins {
            if origin.any_host().is_some() {
                return Err(CredentialError::AnyHost(name(), origin.to_string()));
            }
            if origin.scheme() != "https" && !origin.is_loopback() {
                return Err(CredentialError::NotSecret(name(), origin.to_string()));
            }
        }
        if let Some(fault) = header_fault(&self.header) {
            return Err(CredentialError::Header(name(), self.header.clone(), fault));
        }
        let visible = |c: char| c == ' ' || c.is_ascii_graphic();
        if let Some(prefix) = &self.prefix
            && (prefix.len() > MAX_HEADER_BYTES || !prefix.chars().all(visible))
        {
            return Err(CredentialError::Prefix(name(), prefix.clone()));
        }
        Ok(())
    }
}

/// What keeps a name from being that of a header which carries a credential.
fn header_fault(header: &str) -> Option<&'static str> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if header.is_empty() || header.len() > MAX_HEADER_BYTES || !header.chars().all(token) {
        return Some("that is no header's name; write for example \"x-api-key\"");
    }
    if header.chars().any(|c| c.is_ascii_uppercase()) {
        return Some("write it in lower case");
    }
    CARRYING_HEADERS
        .contains(&header)
        .then_some("it says how a request is carried and is the host's to set; use another")
}

/// Whether each credential is one, and no two would be the same header of one request.
pub(crate) fn check(credentials: &[Credential]) -> Result<(), CredentialError> {
    for (index, one) in credentials.iter().enumerate() {
        one.check()?;
        for other in credentials.iter().take(index) {
            if one.name == other.name {
                return Err(CredentialError::Twice(one.name.clone()));
            }
            let pairs = one.origins.iter().flat_map(|origin| other.origins.iter().map(move |other| (origin, other)));
            let shared = pairs.filter_map(|(origin, other)| origin.intersection(other)).next();
            if let Some(origin) = shared.filter(|_| one.header == other.header) {
                let (header, origin) = (one.header.clone(), origin.to_string());
                return Err(CredentialError::Overlap {
                    one: other.name.clone(),
                    other: one.name.clone(),
                    header,
                    origin,
                });
            }
        }
    }
    Ok(())
}

/// A credential that was asked for and bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EffectiveCredential {
    /// Its name.
    pub name: String,
    /// Where it is sent, and nowhere else: the manifest's origins within those that the operator names.
    pub origins: Vec<Origin>,
    /// The header that carries it, in lower case.
    pub header: String,
    /// What stands before it in the header.
    pub prefix: String,
}

impl EffectiveCredential {
    /// Whether it is put on a request for the URL.
    pub fn is_for(&self, url: &url::Url) -> bool {
        self.origins.iter().any(|origin| origin.allows(url))
    }

    /// Of what was asked for and bound, what remains.
    pub(crate) fn of(credential: &Credential, binding: &CredentialBinding) -> Self {
        let narrowed = |origin: &Origin| match binding.origins.as_slice() {
            [] => vec![origin.clone()],
            narrower => narrower.iter().filter_map(|narrower| narrower.intersection(origin)).collect(),
        };
        let mut origins: Vec<Origin> = credential.origins.iter().flat_map(narrowed).collect();
        origins.sort();
        origins.dedup();
        Self {
            name: credential.name.clone(),
            origins,
            header: credential.header.clone(),
            prefix: credential.prefix().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
