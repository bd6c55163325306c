//! The operator's mail: through which server plugins that were granted people to write to do so, and from whom.

use std::{net::IpAddr, path::Path, str::FromStr, time::Duration};

use autodevops_policy::{CredentialBinding, MailAddress, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

/// The mail server that `notify-email`, and any other plugin that is granted `mail`, sends through.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MailSettings {
    /// The server, such as `smtp.example.com`, with a port where it is not the usual one of `security`.
    #[schemars(with = "String")]
    pub server: MailServer,
    /// How it is spoken to: `tls` (port 465), `starttls` (587), or `none` (25), which is for a server on this machine.
    #[serde(default)]
    pub security: MailSecurity,
    /// Whom mail is from.
    #[schemars(with = "String")]
    pub from: MailAddress,
    /// The same for people. `AutoDevOps` when absent.
    #[serde(default = "default_name")]
    pub from_name: String,
    /// As whom the host logs in; absent, and it does not.
    #[serde(default)]
    pub user: Option<String>,
    /// Where the password of `user` comes from, such as `{ env = "SMTP_PASSWORD" }`.
    #[serde(default)]
    #[schemars(with = "Option<crate::schema::PasswordTable>")]
    pub password: Option<CredentialBinding>,
    /// Longest wait for each answer of the server; the whole is bounded by the plugin's `limits.wall-time`.
    #[serde(default = "default_timeout")]
    #[schemars(with = "crate::schema::SpanText")]
    pub timeout: Span,
}

fn default_name() -> String {
    "AutoDevOps".to_owned()
}

const fn default_timeout() -> Span {
    Span(Duration::from_secs(20))
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MailSecurity {
    /// TLS from the first byte.
    #[default]
    Tls,
    /// TLS after `STARTTLS`; a server that does not offer it is not spoken to.
    Starttls,
    /// None: for a server on this machine only.
    None,
}

impl MailSecurity {
    /// The usual port (RFC 8314, RFC 5321).
    pub const fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}

/// A server's name or address, and its port where one is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    /// Name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

impl MailServer {
    /// Whether it is this machine: `localhost`, or a loopback address.
    pub fn is_this_machine(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for MailServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "{text:?} is no mail server; write its name, such as \"smtp.example.com\" or \"smtp.example.com:2525\""
            )
        };
        // Whoever reads URLs leaves white space and control characters out.
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(bad());
        }
        // Not one of the schemes that URLs have rules for: a port is kept as it is written.
        let url = url::Url::parse(&format!("smtp://{text}")).map_err(|_| bad())?;
        let plain = url.username().is_empty() && url.password().is_none() && url.path().is_empty();
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(bad)?;
        let named = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'));
        if !plain || !named || url.query().is_some() || url.fragment().is_some() || url.port() == Some(0) {
            return Err(bad());
        }
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port: url.port() })
    }
}

impl<'de> Deserialize<'de> for MailServer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl MailSettings {
    pub(crate) fn resolve(&mut self, folder: &Path) {
        let files = self.password.iter_mut().filter_map(|binding| binding.file.as_mut());
        files.for_each(|path| *path = folder.join(&*path));
    }

    /// The port that is written, or the usual one.
    pub fn port(&self) -> u16 {
        self.server.port.unwrap_or(self.security.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_name_or_an_address_with_a_port_or_without() {
        for (text, host, port) in [
            ("smtp.example.com", "smtp.example.com", None),
            ("smtp.example.com:2525", "smtp.example.com", Some(2525)),
            ("127.0.0.1:25", "127.0.0.1", Some(25)),
            ("[::1]:25", "::1", Some(25)),
            ("localhost", "localhost", None),
        ] {
            assert_eq!(text.parse(), Ok(MailServer { host: host.into(), port }), "{text}");
        }
        for text in [
            "",
            ":25",
            "a b",
            "smtp.example.com:0",
            "smtp.example.com:99999",
            "smtp://smtp.example.com",
            "ops@smtp.example.com",
            "smtp.example.com/x",
            "smtp.example.com?x",
            "smtp.example.com\r\nEHLO",
        ] {
            let error = text.parse::<MailServer>().unwrap_err();
            assert!(error.contains("smtp.example.com:2525"), "{text:?}: {error}");
        }
    }
}
