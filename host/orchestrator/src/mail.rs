//! The operator's mail, as plugins are given it: through the server of `[mail]`, with its password at hand for each message.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, Result, bail};
use autodevops_config::{Config, MailSecurity, MailSettings};
use autodevops_credentials::Credentials;
use autodevops_mail::{Letter, MailError, Security, Settings, Transport};
use autodevops_model::{ErrorInfo, ErrorKind, StageError};
use autodevops_policy::PermissionKind;
use autodevops_sandbox::{CredentialSource as _, Mailer, Message};

use crate::{project::Project, sandbox, usage::Usage};

/// Whose the password is, and what it is called, among credentials.
const PASSWORD: (&str, &str) = ("mail", "password");

/// The operator's mail server.
pub struct Post {
    transport: Transport,
    password: Credentials,
}

impl Post {
    /// As the configuration has it; none where it has none.
    ///
    /// # Errors
    /// When TLS cannot be set up, or a file with certificate authorities cannot be read.
    pub fn of(config: &Config) -> Result<Option<Arc<Self>>> {
        let Some(mail) = &config.mail else { return Ok(None) };
        let certificate_authorities = sandbox::certificate_authorities(&config.sandbox)?;
        let trust = sandbox::trust(&certificate_authorities)?;
        let transport = Transport::new(settings(mail, certificate_authorities)).context("[mail] cannot be used")?;
        let (owner, name) = PASSWORD;
        let bindings = mail.password.clone().map(|binding| ((owner.to_owned(), name.to_owned()), binding));
        Ok(Some(Arc::new(Self { transport, password: Credentials::new(bindings.into_iter().collect(), trust) })))
    }

    async fn password(&self) -> Result<Option<zeroize::Zeroizing<String>>, String> {
        if self.transport.user().is_none() {
            return Ok(None);
        }
        let (owner, name) = PASSWORD;
        let secret = self.password.secret(owner, name).await.map_err(|reason| format!("[mail] password: {reason}"))?;
        Ok(Some(secret.reveal().to_owned().into()))
    }
}

fn settings(mail: &MailSettings, certificate_authorities: Vec<Vec<u8>>) -> Settings {
    Settings {
        host: mail.server.host.clone(),
        port: mail.port(),
        security: match mail.security {
            MailSecurity::Tls => Security::Tls,
            MailSecurity::Starttls => Security::StartTls,
            MailSecurity::None => Security::Plain,
        },
        from: mail.from.clone(),
        from_name: mail.from_name.clone(),
        user: mail.user.clone(),
        timeout: mail.timeout.0,
        certificate_authorities,
    }
}

#[async_trait::async_trait]
impl Mailer for Post {
    async fn send(&self, message: Message, deadline: Instant) -> Result<(), StageError> {
        let password = self.password().await.map_err(|reason| error(ErrorKind::Failed, reason, None))?;
        let Message { plugin, key, to, subject, text, html } = message;
        let letter = Letter { key: (plugin, key), to, subject, text, html };
        self.transport.send(&letter, password, deadline).await.map_err(|fault| {
            let (kind, status) = match &fault {
                MailError::Away { status, .. } => (ErrorKind::Unavailable, *status),
                MailError::Refused { status, .. } => (ErrorKind::InvalidInput, *status),
                MailError::Message(_) => (ErrorKind::InvalidInput, None),
                MailError::Settings(_) => (ErrorKind::Failed, None),
            };
            error(kind, fault.to_string(), status)
        })
    }
}

fn error(kind: ErrorKind, message: String, status: Option<u16>) -> StageError {
    let details = status.map(|status| ("status".to_owned(), status.to_string())).into_iter().collect();
    StageError { kind, info: ErrorInfo { message, details } }
}

impl Project {
    /// Refuses to start where a plugin that a stage names was granted people to write to, and there is no server to write through, or its
    /// password is not to be had: better now than when there is something to tell.
    ///
    /// # Errors
    /// Which plugin it is, what is wrong, and the remedy.
    pub(crate) async fn check_mail(&self) -> Result<()> {
        let writes = |name: &str| -> Result<bool> {
            let manifest = self.plugins.open(name)?.manifest;
            let asks = manifest.permissions.iter().any(|permission| permission.ask == PermissionKind::Mail);
            Ok(asks && !self.plugins.catalog().grant(&manifest.name).mail.is_empty())
        };
        for (name, _) in self.stage_plugins() {
            if !writes(name)? {
                continue;
            }
            let Some(post) = &self.mail else {
                bail!(Usage(format!(
                    "plugin `{name}` was granted people to write to, and there is no mail server; name it in [mail], for example \
                     `server = \"smtp.example.com\"` and `from = \"autodevops@example.com\"`"
                )));
            };
            post.password().await.map_err(Usage)?;
        }
        Ok(())
    }
}
