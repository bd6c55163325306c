//! Mail by SMTP, through the operator's server and from the operator's address. Who may be written to, and how much, is decided above.
//!
//! ```text
//! Transport::send ── letter (headers by lettre, one Message-ID for a key) ── conversation (step by step, until the deadline)
//! ```
//!
//! A message that nobody waits for any more goes no further than the step it is at: its connection is closed, and its place is another's.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod conversation;
mod error;
mod letter;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use autodevops_policy::MailAddress;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use tokio::{sync::Semaphore, time::timeout_at};
use zeroize::Zeroizing;

pub use error::{MailError, SettingsError};
pub use letter::Letter;

use crate::conversation::{Conversation, Login};

/// Conversations with the server at once.
const CONVERSATIONS: usize = 4;

/// How the way to the server is kept from being read and changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte, as on port 465 (RFC 8314).
    Tls,
    /// TLS after `STARTTLS`, as on port 587; a server that does not offer it is not spoken to.
    StartTls,
    /// None at all.
    Plain,
}

/// The operator's mail.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's name or address, to which its certificate must belong.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub security: Security,
    /// Whom mail is from.
    pub from: MailAddress,
    /// The same for people, without control characters.
    pub from_name: String,
    /// As whom the host logs in; none, and it does not.
    pub user: Option<String>,
    /// Longest wait for each of the server's answers.
    pub timeout: Duration,
    /// Certificate authorities that are trusted besides those of this machine: PEM texts.
    pub certificate_authorities: Vec<Vec<u8>>,
}

/// A way to the operator's server. Each message has a connection of its own.
pub struct Transport {
    settings: Arc<Settings>,
    tls: Option<TlsParameters>,
    places: Semaphore,
}

impl Transport {
    /// Speaks to nobody yet.
    ///
    /// # Errors
    /// What of the settings is none.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let tls = match settings.security {
            Security::Plain => None,
            Security::Tls | Security::StartTls => Some(parameters(&settings)?),
        };
        Ok(Self { settings: Arc::new(settings), tls, places: Semaphore::new(CONVERSATIONS) })
    }

    /// As whom the host logs in.
    pub fn user(&self) -> Option<&str> {
        self.settings.user.as_deref()
    }

    /// Hands the letter to the server, for all of its recipients or for none. After the deadline nobody waits, and no further step is taken:
    /// whether a server that was just given the text still delivers it, nobody knows.
    ///
    /// # Errors
    /// [`MailError`], which tells whether another try may do.
    pub async fn send(
        &self,
        letter: &Letter,
        password: Option<Zeroizing<String>>,
        deadline: Instant,
    ) -> Result<(), MailError> {
        let message = letter.message(&self.settings.from, &self.settings.from_name)?;
        let login = match (&self.settings.user, password) {
            (Some(user), Some(password)) => Some(Login::new(user.clone(), password)),
            _ => None,
        };
        let late = || MailError::Away { reason: "it did not answer in time".to_owned(), status: None };
        let place = timeout_at(deadline.into(), self.places.acquire());
        let _until_done = place.await.map_err(|_| late())?.map_err(|_| late())?;
        let conversation =
            Conversation { settings: Arc::clone(&self.settings), tls: self.tls.clone(), login, deadline };
        conversation.hand_over(&letter.to, &message).await
    }
}

fn parameters(settings: &Settings) -> Result<TlsParameters, SettingsError> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    for pem in &settings.certificate_authorities {
        let authority = Certificate::from_pem(pem).map_err(|error| SettingsError::Authority(error.to_string()))?;
        builder = builder.add_root_certificate(authority);
    }
    builder.build().map_err(|error| SettingsError::Tls(error.to_string()))
}
