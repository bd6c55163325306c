//! Mail, as the sandbox offers it to a plugin that was granted people to write to. Implemented above this room.

use std::time::Instant;

use autodevops_model::StageError;
use autodevops_policy::MailAddress;

/// A message whose recipients were each granted, and whose subject is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The plugin that sends it.
    pub plugin: String,
    /// The plugin's own name for it: the same again has the same `Message-ID`.
    pub key: String,
    /// Whom it goes to; never nobody.
    pub to: Vec<MailAddress>,
    /// One line.
    pub subject: String,
    /// What it says, as plain text.
    pub text: String,
    /// The same as HTML, where there is one.
    pub html: Option<String>,
}

/// The operator's mail server.
#[async_trait::async_trait]
pub trait Mailer: Send + Sync {
    /// Hands the message to the server, for all of its recipients or for none; gives up at the deadline.
    async fn send(&self, message: Message, deadline: Instant) -> Result<(), StageError>;
}
