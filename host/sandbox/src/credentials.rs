//! Credentials: a plugin names them, the operator binds them, the host puts them on the wire. No guest ever sees one.

use std::fmt;

/// A secret's bytes. Neither shown nor compared; overwritten when dropped.
#[derive(Clone)]
pub struct Secret(zeroize::Zeroizing<String>);

impl Secret {
    /// Takes a secret over.
    pub fn new(text: String) -> Self {
        Self(zeroize::Zeroizing::new(text))
    }

    /// The secret itself, for the wire and for finding it in what must not hold it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where the operator's credentials come from. Implemented above this room.
#[async_trait::async_trait]
pub trait CredentialSource: Send + Sync {
    /// The current value of a plugin's credential.
    ///
    /// # Errors
    /// Why there is none, in words that hold nothing of it.
    async fn secret(&self, plugin: &str, credential: &str) -> Result<Secret, String>;
}
