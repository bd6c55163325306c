//! Where the operator's credentials come from: a variable of the environment, a file, a command's output, or a token for a
//! Google service account. What is read here goes to the sandbox, which puts it on the wire; no error shows any of it.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod command;
mod file;
mod google;
mod post;
mod text;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use autodevops_policy::{BindingSource, CredentialBinding};
use autodevops_sandbox::{CredentialSource, Secret, Trust};

use crate::{command::Output, google::Account, text::Fault};

/// What failed is tried again after so long: a program or an endpoint that gives no credential holds up one call, not all that follow.
const NEXT_TRY: Duration = Duration::from_secs(15);

/// A credential that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin `{plugin}`: the credential `{credential}` cannot be used: {reason}")]
pub struct Unusable {
    /// The plugin.
    pub plugin: String,
    /// The credential, by the name that the manifest gives it.
    pub credential: String,
    /// How it is bound, what is wrong with that, and what to do.
    pub reason: String,
}

/// How one credential is found.
enum Source {
    Environment(String),
    File(std::path::PathBuf),
    Command(Output),
    Google(Box<Account>),
    /// The binding says nothing that could be followed.
    Wrong(String),
}

/// The operator's credentials, by plugin and name. Values are read when they are needed, and again when they may have changed.
#[derive(Default)]
pub struct Credentials {
    bound: BTreeMap<(String, String), Source>,
}

impl Credentials {
    /// With these bindings, by plugin and name, and whom token endpoints' certificates are trusted from. Nothing is read yet.
    pub fn new(bindings: BTreeMap<(String, String), CredentialBinding>, trust: Trust) -> Self {
        let trust = Arc::new(trust);
        let source = |(key, binding): ((String, String), CredentialBinding)| {
            let (plugin, credential) = &key;
            let source = match binding.source(plugin, credential) {
                Ok(BindingSource::Env(name)) => Source::Environment(name.to_owned()),
                Ok(BindingSource::File(path)) => Source::File(path.clone()),
                Ok(BindingSource::Command(command)) => Source::Command(Output::of(command.to_vec())),
                Ok(BindingSource::GoogleServiceAccount { key, scopes }) => {
                    Source::Google(Box::new(Account::new(key.clone(), scopes.to_vec(), Arc::clone(&trust))))
                }
                Err(error) => Source::Wrong(error.to_string()),
            };
            (key, source)
        };
        Self { bound: bindings.into_iter().map(source).collect() }
    }

    /// Whether a credential can be used now: its value is read as it would be for a request.
    ///
    /// # Errors
    /// [`Unusable`], which names the plugin, the credential, its binding and the remedy.
    pub async fn check(&self, plugin: &str, credential: &str) -> Result<(), Unusable> {
        let checked = self.find(plugin, credential).await.map(drop);
        checked.map_err(|reason| Unusable { plugin: plugin.to_owned(), credential: credential.to_owned(), reason })
    }

    /// The names of a plugin's credentials that are bound.
    pub fn of_plugin<'a>(&'a self, plugin: &'a str) -> impl Iterator<Item = &'a str> {
        self.bound.keys().filter(move |(name, _)| name == plugin).map(|(_, credential)| credential.as_str())
    }

    async fn find(&self, plugin: &str, credential: &str) -> Result<Secret, String> {
        let source = self.bound.get(&(plugin.to_owned(), credential.to_owned())).ok_or_else(|| {
            format!(
                "it is bound to nothing; bind it with [plugins.{plugin}.grant.credentials.{credential}], for example \
                 `env = \"NAME\"`"
            )
        })?;
        source.read().await
    }
}

#[async_trait::async_trait]
impl CredentialSource for Credentials {
    async fn secret(&self, plugin: &str, credential: &str) -> Result<Secret, String> {
        self.find(plugin, credential).await
    }
}

impl Source {
    async fn read(&self) -> Result<Secret, String> {
        let (bound, read) = match self {
            Self::Environment(name) => (format!("the environment variable {name}"), environment(name)),
            Self::File(path) => (format!("the file {}", path.display()), file::secret(path).await),
            Self::Command(output) => (format!("the output of `{}`", output.program()), output.secret().await),
            Self::Google(account) => {
                (format!("the Google service account in {}", account.key().display()), account.token().await)
            }
            Self::Wrong(reason) => return Err(reason.clone()),
        };
        read.map_err(|Fault { what, remedy }| format!("it is bound to {bound}, {what}; {remedy}"))
    }
}

fn environment(name: &str) -> Result<Secret, Fault> {
    match std::env::var(name) {
        Ok(value) => text::secret(value.into()),
        Err(std::env::VarError::NotPresent) => {
            Err(Fault::new("which is not set", "set it for this host, or bind the credential to something else"))
        }
        Err(std::env::VarError::NotUnicode(_)) => Err(Fault::new("which is no text", "set it to the credential alone")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(name: &str, binding: CredentialBinding) -> Credentials {
        Credentials::new([(("a".to_owned(), name.to_owned()), binding)].into(), Trust::default())
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_named_with_its_binding_and_a_remedy() {
        let nothing = Credentials::default().check("a", "token").await.unwrap_err().to_string();
        assert!(nothing.starts_with("plugin `a`: the credential `token` cannot be used: it is bound to nothing;"));
        assert!(nothing.contains("[plugins.a.grant.credentials.token]"), "{nothing}");
        let env = CredentialBinding { env: Some("AUTODEVOPS_NO_SUCH_VARIABLE".into()), ..CredentialBinding::default() };
        let unset = bound("token", env).check("a", "token").await.unwrap_err().to_string();
        assert!(
            unset.contains("the environment variable AUTODEVOPS_NO_SUCH_VARIABLE, which is not set; set it"),
            "{unset}"
        );
        let both = CredentialBinding { env: Some("A".into()), file: Some("/b".into()), ..CredentialBinding::default() };
        let both = bound("token", both).check("a", "token").await.unwrap_err().to_string();
        assert!(both.contains("exactly one of"), "{both}");
    }

    #[tokio::test]
    async fn a_variable_of_the_environment_is_taken_as_it_is() {
        // Cargo sets it for every test.
        let env = CredentialBinding { env: Some("CARGO_PKG_NAME".into()), ..CredentialBinding::default() };
        let credentials = bound("token", env);
        assert_eq!(credentials.secret("a", "token").await.unwrap().reveal(), "autodevops-credentials");
        assert!(credentials.secret("b", "token").await.is_err(), "another plugin has nothing of it");
        assert_eq!(credentials.of_plugin("a").collect::<Vec<_>>(), ["token"]);
    }
}
