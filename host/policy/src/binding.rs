//! Where the operator has a credential come from.

use std::{fmt, path::PathBuf};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::Origin;

/// The keys that say where a credential comes from.
const SOURCES: [&str; 4] = ["env", "file", "command", "google-service-account"];

/// How the operator binds a credential: `[plugins.PLUGIN.grant.credentials.NAME]`. Exactly one of the four sources is named;
/// [`Self::source`] tells which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default, remote = "Self")]
pub struct CredentialBinding {
    /// The environment variable of the host that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The file that holds it; readable by its owner alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The program, with its arguments, that prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The JSON key file of a Google service account, whose access token it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub google_service_account: Option<PathBuf>,
    /// For a Google service account: what the token is for, such as `https://www.googleapis.com/auth/firebase`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Narrows the manifest's origins; empty: all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
}

impl Serialize for CredentialBinding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for CredentialBinding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A text where the table is expected is most likely the credential itself, which no error shows.
        struct Table;

        impl<'de> Visitor<'de> for Table {
            type Value = CredentialBinding;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table such as { env = \"API_TOKEN\" }")
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<CredentialBinding, E> {
                Err(E::custom(
                    "a credential is never written here; say where it comes from, such as { env = \"API_TOKEN\" }",
                ))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CredentialBinding, A::Error> {
                CredentialBinding::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(Table)
    }
}

/// Where a credential comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingSource<'a> {
    /// A variable of the host's environment.
    Env(&'a str),
    /// The whole of a file, without white space at its ends.
    File(&'a PathBuf),
    /// What a program prints, without white space at its ends. Never empty.
    Command(&'a [String]),
    /// An access token for a Google service account.
    GoogleServiceAccount {
        /// The JSON key file.
        key: &'a PathBuf,
        /// Never empty.
        scopes: &'a [String],
    },
}

/// Why a binding binds nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// It names no source, or more than one.
    #[error(
        "plugin `{plugin}`: the credential `{credential}` is bound {how}; name exactly one of `env`, `file`, `command` and \
         `google-service-account`"
    )]
    Sources {
        /// The plugin.
        plugin: String,
        /// The credential.
        credential: String,
        /// `to nothing`, or by which.
        how: String,
    },
    /// A value of it is none.
    #[error("plugin `{plugin}`: the credential `{credential}`: {fault}")]
    Value {
        /// The plugin.
        plugin: String,
        /// The credential.
        credential: String,
        /// What is wrong, and what to write.
        fault: &'static str,
    },
}

impl BindingError {
    /// What is wrong, without whose credential it is.
    pub fn fault(&self) -> String {
        match self {
            Self::Sources { how, .. } => {
                format!("it is bound {how}; name exactly one of `env`, `file`, `command` and `google-service-account`")
            }
            Self::Value { fault, .. } => (*fault).to_owned(),
        }
    }
}

impl CredentialBinding {
    /// Where the credential comes from; `plugin` and `credential` are the names for errors.
    ///
    /// # Errors
    /// When not exactly one source is named, or its value is empty.
    pub fn source(&self, plugin: &str, credential: &str) -> Result<BindingSource<'_>, BindingError> {
        let named =
            [self.env.is_some(), self.file.is_some(), self.command.is_some(), self.google_service_account.is_some()];
        let keys: Vec<String> =
            SOURCES.iter().zip(named).filter(|(_, named)| *named).map(|(key, _)| format!("`{key}`")).collect();
        let value = |fault| BindingError::Value { plugin: plugin.to_owned(), credential: credential.to_owned(), fault };
        if !self.scopes.is_empty() && self.google_service_account.is_none() {
            return Err(value("`scopes` are a Google service account's; remove them"));
        }
        match self {
            Self { env: Some(name), file: None, command: None, google_service_account: None, .. } => {
                if name.is_empty() || name.contains(['=', '\0']) {
                    return Err(value("`env` is no name of an environment variable; write for example \"API_TOKEN\""));
                }
                Ok(BindingSource::Env(name))
            }
            Self { env: None, file: Some(path), command: None, google_service_account: None, .. } => {
                if path.as_os_str().is_empty() {
                    return Err(value("`file` is empty; name the file that holds it"));
                }
                Ok(BindingSource::File(path))
            }
            Self { env: None, file: None, command: Some(command), google_service_account: None, .. } => {
                if command.first().is_none_or(|program| program.trim().is_empty()) {
                    return Err(value("`command` is empty; write for example [\"pass\", \"show\", \"api-token\"]"));
                }
                Ok(BindingSource::Command(command))
            }
            Self { env: None, file: None, command: None, google_service_account: Some(key), scopes, .. } => {
                if key.as_os_str().is_empty() {
                    return Err(value("`google-service-account` is empty; name the account's JSON key file"));
                }
                if scopes.is_empty() || scopes.iter().any(|scope| scope.trim().is_empty()) {
                    return Err(value(
                        "a Google service account needs `scopes`; write for example \
                         [\"https://www.googleapis.com/auth/firebase\"]",
                    ));
                }
                Ok(BindingSource::GoogleServiceAccount { key, scopes })
            }
            _ => Err(BindingError::Sources {
                plugin: plugin.to_owned(),
                credential: credential.to_owned(),
                how: if keys.is_empty() { "to nothing".to_owned() } else { format!("by {}", keys.join(" and ")) },
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(text: &str) -> CredentialBinding {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_binding_names_exactly_one_source() {
        for (text, source) in [
            ("env = \"TOKEN\"", BindingSource::Env("TOKEN")),
            ("file = \"/k\"", BindingSource::File(&"/k".into())),
            ("command = [\"pass\", \"x\"]", BindingSource::Command(&["pass".into(), "x".into()])),
            (
                "google-service-account = \"/k\"\nscopes = [\"s\"]",
                BindingSource::GoogleServiceAccount { key: &"/k".into(), scopes: &["s".into()] },
            ),
        ] {
            assert_eq!(binding(text).source("p", "c").unwrap(), source);
        }
        for (text, fault) in [
            (
                "",
                "plugin `p`: the credential `c` is bound to nothing; name exactly one of `env`, `file`, `command` and",
            ),
            (
                "env = \"A\"\nfile = \"b\"",
                "plugin `p`: the credential `c` is bound by `env` and `file`; name exactly one",
            ),
            ("origins = [\"https://a.example\"]", "is bound to nothing"),
            ("env = \"\"", "`env` is no name"),
            ("env = \"A=B\"", "`env` is no name"),
            ("file = \"\"", "`file` is empty"),
            ("command = []", "`command` is empty"),
            ("command = [\" \"]", "`command` is empty"),
            ("google-service-account = \"k\"", "needs `scopes`"),
            ("google-service-account = \"k\"\nscopes = [\"\"]", "needs `scopes`"),
            ("google-service-account = \"\"\nscopes = [\"s\"]", "name the account's JSON key file"),
            ("env = \"A\"\nscopes = [\"s\"]", "`scopes` are a Google service account's"),
        ] {
            let error = binding(text).source("p", "c").unwrap_err().to_string();
            assert!(error.contains(fault), "{error}\nlacks: {fault}");
        }
    }

    #[test]
    fn a_credential_in_the_place_of_its_binding_is_in_no_error() {
        for text in
            ["credentials.a = \"hunter2\"", "credentials.a = [\"hunter2\"]", "credentials.a = { env = [\"hunter2\"] }"]
        {
            let error = crate::strict_toml::parse::<crate::Grant>(text, "a.toml").unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
