//! One message to one server, step by step, each in what is left of the time. However little a server says at a time, all of it together
//! has to come before the deadline: then the connection is closed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use autodevops_policy::MailAddress;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use lettre::transport::smtp::{
    Error,
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, TlsParameters},
    commands::{Data, Mail, Rcpt},
    extension::ClientId,
};
use tokio::time::timeout_at;
use zeroize::Zeroizing;

use crate::{MailError, Security, Settings, letter::address};

/// How the host logs in.
pub struct Login {
    user: String,
    password: Zeroizing<String>,
}

impl Login {
    pub const fn new(user: String, password: Zeroizing<String>) -> Self {
        Self { user, password }
    }

    /// The password as it may come back in an answer.
    fn secrets(&self) -> [Zeroizing<String>; 3] {
        let plain = Zeroizing::new(format!("\0{}\0{}", self.user, self.password.as_str()));
        [
            self.password.clone(),
            Zeroizing::new(BASE64_STANDARD.encode(self.password.as_str())),
            Zeroizing::new(BASE64_STANDARD.encode(plain.as_str())),
        ]
    }
}

/// What one conversation is held with.
pub struct Conversation {
    pub settings: Arc<Settings>,
    pub tls: Option<TlsParameters>,
    pub login: Option<Login>,
    pub deadline: Instant,
}

impl Conversation {
    /// Hands the message over, for all recipients or none.
    pub async fn hand_over(&self, to: &[MailAddress], message: &[u8]) -> Result<(), MailError> {
        let secrets = self.login.as_ref().map(Login::secrets);
        let secrets: Vec<&str> = secrets.iter().flatten().map(|secret| secret.as_str()).collect();
        self.steps(to, message).await.map_err(|error| error.without(&secrets))
    }

    async fn steps(&self, to: &[MailAddress], message: &[u8]) -> Result<(), MailError> {
        let settings = &*self.settings;
        let hello = ClientId::Domain(settings.from.domain().to_owned());
        let server = (settings.host.as_str(), settings.port);
        let from_the_start = self.tls.clone().filter(|_| settings.security == Security::Tls);
        let connecting = AsyncSmtpConnection::connect_tokio1(server, None, &hello, from_the_start, None);
        let mut connection = self.step(&format!("{}:{}", settings.host, settings.port), connecting).await?;
        let result = self.speak(&mut connection, &hello, to, message).await;
        // What became of the message is known; a server that says no good-bye changes nothing of it.
        drop(timeout_at(self.within(GOODBYE), connection.abort()).await);
        result
    }

    async fn speak(
        &self,
        connection: &mut AsyncSmtpConnection,
        hello: &ClientId,
        to: &[MailAddress],
        message: &[u8],
    ) -> Result<(), MailError> {
        let settings = &*self.settings;
        if let (Security::StartTls, Some(tls)) = (settings.security, &self.tls) {
            self.step("STARTTLS", connection.starttls(tls.clone(), hello)).await?;
        }
        if let Some(Login { user, password }) = &self.login {
            let credentials = Credentials::new(user.clone(), password.as_str().to_owned());
            let logged_in =
                self.step("logging in", connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials));
            logged_in.await.map_err(|error| match error {
                // Not the message's fault, and not its recipients'.
                MailError::Refused { reason, .. } => MailError::Settings(reason),
                other => other,
            })?;
        }
        let from = Mail::new(Some(address(&settings.from)?), Vec::new());
        self.step(&format!("from {}", settings.from), connection.command(from)).await?;
        for recipient in to {
            let to = Rcpt::new(address(recipient)?, Vec::new());
            self.step(&format!("to {recipient}"), connection.command(to)).await?;
        }
        self.step("the text", connection.command(Data)).await?;
        // From here on the server may have it.
        self.step("the text", connection.message(message)).await?;
        Ok(())
    }

    /// Takes a step, in what is left of the time, at most as long as the server is waited for.
    async fn step<T>(&self, what: &str, taken: impl Future<Output = Result<T, Error>>) -> Result<T, MailError> {
        match timeout_at(self.within(self.settings.timeout), taken).await {
            Ok(answer) => answer.map_err(|error| MailError::of(&error, what)),
            Err(_) => Err(MailError::Away { reason: format!("{what}: it did not answer in time"), status: None }),
        }
    }

    /// So long from now, and no longer than somebody waits.
    fn within(&self, time: Duration) -> tokio::time::Instant {
        self.deadline.min(Instant::now() + time).into()
    }
}

/// Longest wait for a server's good-bye.
const GOODBYE: Duration = Duration::from_secs(1);
