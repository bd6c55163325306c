//! What the operator lets nobody grant, whatever a plugin asks for and whoever answers: `[ceilings]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    Access, Destination, EffectiveGrant, Recipient, difference::excess, recipient::beyond, within::is_below, words,
};

/// What any plugin may at most be granted. What is not named has no ceiling. ([`Ceilings`](crate::Ceilings) are those on what a
/// call may use.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PermissionCeilings {
    /// Where requests may go, and with which methods; a pattern for any host stands for every host of its scheme.
    pub http: Option<Vec<Destination>>,
    /// Folders of this machine; those that plugins see are one of them or lie below. Compared by name: whoever reads the
    /// configuration resolves links. The folders that a run gives are no part of this.
    pub files: Option<Vec<PathBuf>>,
    /// The same, for folders that plugins may write to. Of those that a run gives, none may be written to under it.
    pub read_write: Option<Vec<PathBuf>>,
    /// Whom mail may go to.
    pub mail: Option<Vec<Recipient>>,
    /// Whether the clocks may be granted.
    pub clocks: bool,
    /// Whether randomness may be granted.
    pub random: bool,
    /// Whether a durable store may be granted.
    pub keyvalue: bool,
    /// Whether the local target may be granted.
    pub local_target: bool,
    /// Whether commands of the operator may be granted.
    pub commands: bool,
    /// Whether credentials may be bound.
    pub credentials: bool,
}

impl Default for PermissionCeilings {
    fn default() -> Self {
        Self {
            http: None,
            files: None,
            read_write: None,
            mail: None,
            clocks: true,
            random: true,
            keyvalue: true,
            local_target: true,
            commands: true,
            credentials: true,
        }
    }
}

/// A grant goes beyond the operator's ceilings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "plugin `{plugin}` is granted more than the operator's ceilings allow: {}; narrow its grant, or raise the ceiling",
    excesses.join("; ")
)]
pub struct CeilingError {
    /// The plugin.
    pub plugin: String,
    /// Each excess: the ceiling's key and what it does not include. Never empty.
    pub excesses: Vec<String>,
}

impl PermissionCeilings {
    /// Whether a plugin's effective grant keeps to the ceilings.
    ///
    /// # Errors
    /// [`CeilingError`] names the plugin and each ceiling that it goes beyond.
    pub fn check(&self, plugin: &str, grant: &EffectiveGrant) -> Result<(), CeilingError> {
        let mut excesses: Vec<String> = Vec::new();
        for (allowed, granted, key) in [
            (self.clocks, grant.clocks, "clocks"),
            (self.random, grant.random, "random"),
            (self.keyvalue, grant.keyvalue, "keyvalue"),
            (self.local_target, grant.local_target, "local-target"),
        ] {
            if granted && !allowed {
                excesses.push(format!("[ceilings] {key} is false"));
            }
        }
        if !self.commands && !grant.commands.is_empty() {
            let names = grant.commands.iter().map(|name| format!("`{name}`"));
            excesses.push(format!("[ceilings] commands is false, and it has {}", words::list(names)));
        }
        if !self.credentials && !grant.credentials.is_empty() {
            let names = grant.credentials.iter().map(|credential| format!("`{}`", credential.name));
            excesses.push(format!("[ceilings] credentials is false, and it has {}", words::list(names)));
        }
        for more in self.http.iter().flat_map(|most| grant.http.iter().filter_map(|one| excess(one, most))) {
            excesses.push(format!("[ceilings] http does not include {more}"));
        }
        for more in self.mail.iter().flat_map(|most| beyond(&grant.mail, most)) {
            excesses.push(format!("[ceilings] mail does not include {more}"));
        }
        for (guest, preopen) in &grant.files {
            if let (Some(folders), Some(host)) = (&self.files, &preopen.host)
                && !folders.iter().any(|folder| is_below(host, folder))
            {
                excesses
                    .push(format!("[ceilings] files does not include {}, which it sees as {guest}", host.display()));
            }
            let Some(folders) = self.read_write.as_ref().filter(|_| preopen.access == Access::ReadWrite) else {
                continue;
            };
            match &preopen.host {
                Some(host) if folders.iter().any(|folder| is_below(host, folder)) => {}
                Some(host) => excesses.push(format!(
                    "[ceilings] read-write does not include {}, which it sees as {guest}",
                    host.display()
                )),
                None => excesses.push(format!("[ceilings] read-write does not include the run's own {guest}")),
            }
        }
        if excesses.is_empty() { Ok(()) } else { Err(CeilingError { plugin: plugin.to_owned(), excesses }) }
    }
}

#[cfg(test)]
mod tests;
