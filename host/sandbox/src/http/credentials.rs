//! The credentials of a call: put on the wire for their own origins, and known to nobody else.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use autodevops_policy::{EffectiveCredential, EffectiveGrant};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::{task::JoinSet, time::timeout};
use url::Url;

use super::{
    request::{as_read, is_hosts_own},
    scrub::{SHORTEST_SECRET_BYTES, Scrubber},
};
use crate::{credentials::CredentialSource, refusal::Refusal};

/// A call waits no longer for its credentials before it begins; one that is slow to be had is looked for beside it.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// No look goes on for longer, the call over or not; longer than any source takes by itself.
const LONGEST_LOOK: Duration = Duration::from_secs(60);

/// What one call may have put on the wire.
pub struct Vault {
    plugin: Arc<str>,
    grant: Arc<EffectiveGrant>,
    source: Option<Arc<dyn CredentialSource>>,
    scrubber: Scrubber,
    missing: OnceLock<String>,
}

/// Headers with credentials for one request.
pub struct Revealed(Vec<(HeaderName, HeaderValue)>);

impl Vault {
    pub fn new(plugin: Arc<str>, grant: Arc<EffectiveGrant>, source: Option<Arc<dyn CredentialSource>>) -> Self {
        Self { plugin, grant, source, scrubber: Scrubber::default(), missing: OnceLock::new() }
    }

    pub const fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// The plugin.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Has all of the plugin's credentials looked for from now on, before it can use one: what it is given may hold one, too. All at
    /// once, and waited for at most so long: one that is slow keeps no other from being known, and is known when it is there. One that is
    /// not to be had harms nothing before it is needed, and is asked for again then.
    pub async fn load(self: &Arc<Self>, most: Duration) {
        let mut looks = JoinSet::new();
        for credential in &self.grant.credentials {
            let (vault, credential) = (Arc::clone(self), credential.clone());
            looks.spawn(async move { timeout(LONGEST_LOOK, vault.look(&credential)).await });
        }
        let all = async { while looks.join_next().await.is_some() {} };
        if timeout(most.min(FIRST_LOOK), all).await.is_err() {
            tracing::warn!(plugin = &*self.plugin, "its credentials are slow to be had; the call begins meanwhile");
            looks.detach_all();
        }
    }

    async fn look(&self, credential: &EffectiveCredential) {
        let Some(source) = &self.source else { return };
        match source.secret(&self.plugin, &credential.name).await {
            Ok(secret) => self.scrubber.add(&secret, &credential.prefix),
            Err(reason) => {
                tracing::debug!(plugin = &*self.plugin, credential = credential.name, reason, "not to be had yet");
            }
        }
    }

    /// Whether there is anything to [`load`](Self::load).
    pub fn is_bound(&self) -> bool {
        self.source.is_some() && !self.grant.credentials.is_empty()
    }

    /// Why a credential was not to be had, the first time.
    pub fn missing(&self) -> Option<&str> {
        self.missing.get().map(String::as_str)
    }

    /// Whether the guest may not set a header, for any host: those of its own credentials among them.
    pub fn forbids(&self, name: &HeaderName) -> bool {
        let name_as_read = as_read(name.as_str());
        let own = self.grant.credentials.iter().any(|credential| as_read(&credential.header) == name_as_read);
        own || is_hosts_own(name)
    }

    /// The credentials whose origins the URL lies in, as they are now. Each is looked for in all that comes back from now on.
    ///
    /// # Errors
    /// When one is not to be had: the request is not sent without.
    pub async fn reveal(&self, url: &Url) -> Result<Revealed, Refusal> {
        let mut headers = Vec::new();
        for credential in &self.grant.credentials {
            if !credential.is_for(url) {
                continue;
            }
            let (name, value) =
                self.header(&credential.name, &credential.header, &credential.prefix).await.map_err(|reason| {
                    tracing::warn!(plugin = &*self.plugin, credential = credential.name, reason, "no credential");
                    let reason = format!("credential `{}` of plugin `{}`: {reason}", credential.name, self.plugin);
                    let _ = self.missing.set(reason);
                    Refusal::Credential(credential.name.clone())
                })?;
            headers.push((name, value));
        }
        Ok(Revealed(headers))
    }

    async fn header(&self, credential: &str, header: &str, prefix: &str) -> Result<(HeaderName, HeaderValue), String> {
        let source = self.source.as_ref().ok_or("this host has no credentials")?;
        let secret = source.secret(&self.plugin, credential).await?;
        if secret.reveal().len() < SHORTEST_SECRET_BYTES {
            return Err(format!("it is shorter than {SHORTEST_SECRET_BYTES} characters"));
        }
        let name = header.parse().map_err(|_| format!("{header:?} is no header's name"))?;
        let text = zeroize::Zeroizing::new(format!("{prefix}{}", secret.reveal()));
        let mut value = HeaderValue::from_str(&text).map_err(|_| "it holds characters that no header can have")?;
        value.set_sensitive(true);
        self.scrubber.add(&secret, prefix);
        Ok((name, value))
    }
}

impl Revealed {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets the headers; and asks for a response in which an echo can be found.
    pub fn put_into(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.insert(name, value.clone());
        }
        if !self.is_empty() {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
    }
}
