//! Whether what is effective now is no more than what was answered.

use std::path::{Component, Path};

use crate::{
    Access, EffectiveCredential, EffectiveGrant, Limit, Preopen, difference::excess, recipient::beyond, words,
};

/// Whether a plugin may do no more by the one grant than by the other, which was answered for.
///
/// # Errors
/// Each excess, in words that follow on "It may now".
pub fn within(now: &EffectiveGrant, answered: &EffectiveGrant) -> Result<(), Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for ((is, what), (was, _)) in now.flags().into_iter().zip(answered.flags()) {
        if is && !was {
            found.push(what.to_owned());
        }
    }
    found.extend(now.http.iter().filter_map(|one| excess(one, &answered.http)).map(|one| words::send(&one)));
    found.extend(beyond(&now.mail, &answered.mail).map(|recipient| format!("send mail to {recipient}")));
    for (guest, preopen) in &now.files {
        match answered.files.get(guest) {
            None => found.push(folder(guest, preopen)),
            Some(known) => found.extend(folder_excess(guest, preopen, known)),
        }
    }
    found.extend(now.commands.difference(&answered.commands).map(|name| words::command(name)));
    for credential in &now.credentials {
        match answered.credentials.iter().find(|known| known.name == credential.name) {
            None => found.push(words::credential(
                &credential.name,
                &credential.origins,
                &credential.header,
                &credential.prefix,
            )),
            Some(known) => found.extend(credential_excess(credential, known)),
        }
    }
    for limit in Limit::ALL.iter().copied() {
        if now.limits.amount(limit) > answered.limits.amount(limit) {
            found.push(words::limit_words(&now.limits, limit, "answered", &answered.limits));
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

impl EffectiveGrant {
    fn flags(&self) -> [(bool, &'static str); 4] {
        [
            (self.clocks, words::CLOCKS),
            (self.random, words::RANDOM),
            (self.keyvalue, words::KEYVALUE),
            (self.local_target, words::LOCAL_TARGET),
        ]
    }
}

/// `read the folder /data, which is /srv/data`.
fn folder(guest: &str, preopen: &Preopen) -> String {
    let what = words::folder(guest, preopen.access);
    match &preopen.host {
        Some(host) => format!("{what}, which is {}", host.display()),
        None => what,
    }
}

fn folder_excess(guest: &str, now: &Preopen, answered: &Preopen) -> Option<String> {
    let host_fits = match (&now.host, &answered.host) {
        (None, None) => true,
        (Some(now), Some(answered)) => now == answered || is_below(now, answered),
        _ => false,
    };
    if host_fits && now.access <= answered.access {
        return None;
    }
    let was = match (&answered.host, answered.access) {
        (None, Access::ReadOnly) => "the run's own, to read".to_owned(),
        (None, Access::ReadWrite) => "the run's own".to_owned(),
        (Some(host), Access::ReadOnly) => format!("{}, to read", host.display()),
        (Some(host), Access::ReadWrite) => host.display().to_string(),
    };
    Some(format!("{} (answered: {was})", folder(guest, now)))
}

/// Whether the path is the folder or lies below it, by its name. A path that goes up lies nowhere.
pub(crate) fn is_below(path: &Path, folder: &Path) -> bool {
    let goes_up = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    path.starts_with(folder) && !goes_up(path) && !goes_up(folder)
}

fn credential_excess(now: &EffectiveCredential, answered: &EffectiveCredential) -> Vec<String> {
    let name = &now.name;
    let known = |origin: &&crate::Origin| answered.origins.iter().any(|known| known.covers(origin));
    let more: Vec<_> = now.origins.iter().filter(|origin| !known(origin)).collect();
    let mut found = Vec::new();
    if !more.is_empty() {
        found.push(format!("use the credential `{name}` for {}", words::list(more)));
    }
    if (&now.header, &now.prefix) != (&answered.header, &answered.prefix) {
        found.push(format!(
            "send the credential `{name}` as `{}: {}…` (answered: `{}: {}…`)",
            now.header, now.prefix, answered.header, answered.prefix
        ));
    }
    found
}

#[cfg(test)]
mod tests;
