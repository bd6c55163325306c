//! Why a message did not come to the server, and whether another try may do.

use std::{error::Error, io};

use lettre::transport::smtp;

/// What of the operator's settings is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A certificate authority is none.
    #[error("a certificate authority is no PEM text: {0}")]
    Authority(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Why the server does not have a message. No text of it holds the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// It was not reached, did not answer, or asked for patience: another try may do.
    #[error("the mail server is away: {reason}")]
    Away {
        /// In words.
        reason: String,
        /// Its answer, such as 451.
        status: Option<u16>,
    },
    /// It will not have the message, or a recipient of it; another try would end so, too.
    #[error("the mail server refuses it: {reason}")]
    Refused {
        /// In words.
        reason: String,
        /// Its answer, such as 550.
        status: Option<u16>,
    },
    /// The operator's settings do not fit the server: what it offers, its certificate, or how the host logs in.
    #[error("[mail] does not fit its server: {0}")]
    Settings(String),
    /// It cannot be put as a message.
    #[error("this is no message: {0}")]
    Message(String),
}

impl MailError {
    /// What an answer of the server, or the lack of one, means at this step.
    pub(crate) fn of(error: &smtp::Error, step: &str) -> Self {
        let reason = format!("{step}: {}", shown(error));
        let status = error.status().map(u16::from);
        if is_distrusted(error) || error.is_tls() || error.is_client() {
            return Self::Settings(reason);
        }
        if error.is_permanent() { Self::Refused { reason, status } } else { Self::Away { reason, status } }
    }

    /// The same without a secret, should a server have said it back.
    pub(crate) fn without(self, secrets: &[&str]) -> Self {
        let clean = |mut text: String| {
            for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
                text = text.replace(secret, "[secret]");
            }
            text
        };
        match self {
            Self::Away { reason, status } => Self::Away { reason: clean(reason), status },
            Self::Refused { reason, status } => Self::Refused { reason: clean(reason), status },
            Self::Settings(reason) => Self::Settings(clean(reason)),
            Self::Message(reason) => Self::Message(clean(reason)),
        }
    }
}

/// Most characters of a server's answer that an error shows.
const SHOWN: usize = 200;

/// The error in one line.
fn shown(error: &smtp::Error) -> String {
    let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

/// Whether the server's certificate is none that is trusted.
fn is_distrusted(error: &smtp::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        let within = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = within.and_then(|within| within.downcast_ref::<rustls::Error>());
        if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        source = cause.source();
    }
    false
}
