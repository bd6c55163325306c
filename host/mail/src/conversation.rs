//! One message to one server, step by step: each is taken only while somebody waits, and has what is left of the time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use autodevops_policy::MailAddress;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    client::{SmtpConnection, TlsParameters},
    commands::{Data, Mail, Rcpt},
    extension::ClientId,
};
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
    pub given_up: Arc<AtomicBool>,
}

impl Conversation {
    /// Hands the message over, for all recipients or none.
    pub fn hand_over(&self, to: &[MailAddress], message: &[u8]) -> Result<(), MailError> {
        let secrets = self.login.as_ref().map(Login::secrets);
        let secrets: Vec<&str> = secrets.iter().flatten().map(|secret| secret.as_str()).collect();
        self.steps(to, message).map_err(|error| error.without(&secrets))
    }

    fn steps(&self, to: &[MailAddress], message: &[u8]) -> Result<(), MailError> {
        let settings = &*self.settings;
        let hello = ClientId::Domain(settings.from.domain().to_owned());
        let server = (settings.host.as_str(), settings.port);
        let from_the_start = self.tls.as_ref().filter(|_| settings.security == Security::Tls);
        let wait = self.left()?;
        let mut connection = SmtpConnection::connect(server, Some(wait), &hello, from_the_start, None)
            .map_err(|error| MailError::of(&error, &format!("{}:{}", settings.host, settings.port)))?;
        let result = self.speak(&mut connection, &hello, to, message);
        // What became of the message is known; a server that says no good-bye changes nothing of it.
        if connection.set_timeout(Some(GOODBYE)).is_ok() {
            connection.abort();
        }
        result
    }

    fn speak(
        &self,
        connection: &mut SmtpConnection,
        hello: &ClientId,
        to: &[MailAddress],
        message: &[u8],
    ) -> Result<(), MailError> {
        let settings = &*self.settings;
        if let (Security::StartTls, Some(tls)) = (settings.security, &self.tls) {
            self.step(connection)?;
            connection.starttls(tls, hello).map_err(|error| MailError::of(&error, "STARTTLS"))?;
        }
        if let Some(Login { user, password }) = &self.login {
            self.step(connection)?;
            let credentials = Credentials::new(user.clone(), password.as_str().to_owned());
            let logged_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
            logged_in.map_err(|error| match MailError::of(&error, "logging in") {
                // Not the message's fault, and not its recipients'.
                MailError::Refused { reason, .. } => MailError::Settings(reason),
                other => other,
            })?;
        }
        self.step(connection)?;
        let from = address(&settings.from)?;
        connection
            .command(Mail::new(Some(from), Vec::new()))
            .map_err(|error| MailError::of(&error, &format!("from {}", settings.from)))?;
        for recipient in to {
            self.step(connection)?;
            connection
                .command(Rcpt::new(address(recipient)?, Vec::new()))
                .map_err(|error| MailError::of(&error, &format!("to {recipient}")))?;
        }
        self.step(connection)?;
        connection.command(Data).map_err(|error| MailError::of(&error, "the text"))?;
        // From here on the server may have it.
        self.step(connection)?;
        connection.message(message).map_err(|error| MailError::of(&error, "the text"))?;
        Ok(())
    }

    /// Another step may be taken, in what is left of the time.
    fn step(&self, connection: &mut SmtpConnection) -> Result<(), MailError> {
        let wait = self.left()?;
        let set = connection.set_timeout(Some(wait));
        set.map_err(|error| MailError::Away { reason: error.to_string(), status: None })
    }

    /// What is left of the time, at most as long as the server is waited for.
    fn left(&self) -> Result<Duration, MailError> {
        let late = || MailError::Away { reason: "nobody waits any more".to_owned(), status: None };
        if self.given_up.load(Relaxed) {
            return Err(late());
        }
        let left = self.deadline.saturating_duration_since(Instant::now()).min(self.settings.timeout);
        // None would be for ever.
        if left < LEAST { Err(late()) } else { Ok(left) }
    }
}

/// Longest wait for a server's good-bye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Less than this is no time: the system takes zero for none, and rounds.
const LEAST: Duration = Duration::from_millis(1);
