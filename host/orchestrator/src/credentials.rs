//! The credentials of a project's plugins: bound by the operator, and known to be there before a run needs them.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use autodevops_credentials::Credentials;
use autodevops_policy::missing;
use autodevops_sandbox::HttpOptions;

use crate::{catalog::Catalog, project::Project, sandbox, usage::Usage};

/// The credentials that the operator's `[plugins.X.grant.credentials.NAME]`, or answers to `autodevops plugin grant`, bind.
/// Token endpoints are trusted as the servers of plugins' requests are.
///
/// # Errors
/// When a certificate authority is none.
pub fn bound(catalog: &Catalog, http: &HttpOptions) -> Result<Credentials> {
    let bindings = catalog.grants().into_iter().flat_map(|(plugin, grant)| {
        let bindings = grant.credentials.iter();
        bindings.map(move |(credential, binding)| ((plugin.to_owned(), credential.clone()), binding.clone()))
    });
    Ok(Credentials::new(bindings.collect(), sandbox::trust(&http.certificate_authorities)?))
}

impl Project {
    /// Refuses to start where a plugin that a stage names asks for a credential that is not bound, or is bound to what gives none:
    /// better now than by an answer of 401 when the run is half done.
    ///
    /// # Errors
    /// The first that is missing or cannot be used: its plugin, its binding, what is wrong with it, and the remedy.
    pub async fn check_credentials(&self) -> Result<()> {
        self.check_credentials_of(self.stage_plugins().map(|(name, _)| name).collect()).await?;
        self.check_mail().await
    }

    /// The same of the deploy target alone: what a person does by hand must not fail for what only a run needs.
    ///
    /// # Errors
    /// As [`check_credentials`](Self::check_credentials).
    pub async fn check_target_credentials(&self) -> Result<()> {
        self.check_credentials_of(BTreeSet::from([&self.config.stages.deploy_target])).await
    }

    async fn check_credentials_of(&self, plugins: BTreeSet<&String>) -> Result<()> {
        for name in plugins {
            let manifest = self.plugins.open(name)?.manifest;
            let plugin = &manifest.name;
            let grant = self.plugins.catalog().grant(plugin);
            if let Some(credential) = missing(&manifest, &grant).first() {
                let (name, reason) = (&credential.name, &credential.reason);
                // A table in the configuration would stand for all that was answered.
                let how = if self.plugins.catalog().is_configured(plugin) {
                    format!("bind it with [plugins.{plugin}.grant.credentials.{name}], for example `env = \"NAME\"`")
                } else {
                    format!("say where it comes from with `autodevops plugin grant {plugin}`")
                };
                bail!(Usage(format!(
                    "plugin `{plugin}` asks for the credential `{name}` ({reason}), which is bound to nothing; {how}"
                )));
            }
            let bound = manifest.credentials.iter().filter(|one| grant.credentials.contains_key(&one.name));
            for credential in bound {
                self.credentials.check(plugin, &credential.name).await?;
            }
        }
        Ok(())
    }
}
