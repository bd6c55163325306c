//! What a plugin asks for, in words for the person who decides. Each phrase follows on "It asks to".

use std::fmt::Display;

use crate::{
    Access, Destination, Limit, Limits, Manifest, Origin, Permission, PermissionKind, asked::Asked, text::one_line,
};

pub(crate) const CLOCKS: &str = "read the clocks";
pub(crate) const RANDOM: &str = "use randomness";
pub(crate) const KEYVALUE: &str = "keep keys and values of its own from one call to the next";
pub(crate) const LOCAL_TARGET: &str = "start and stop releases on this machine, and set their shares of its traffic";
pub(crate) const MAIL: &str = "send mail to people whom you name";

/// One thing that a plugin asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedWords {
    /// What, such as `read the folder /repo`.
    pub what: String,
    /// Why, by the plugin's own word; none for limits, which have no reason in a manifest.
    pub reason: Option<String>,
}

/// What the manifest asks for: its permissions in its order, its credentials, and its limits that lie above the usual ones.
pub fn words(manifest: &Manifest) -> Vec<AskedWords> {
    let permissions = manifest.permissions.iter().map(|permission| AskedWords {
        what: permission_words(permission),
        reason: Some(one_line(&permission.reason)),
    });
    let credentials = manifest.credentials.iter().map(|asked| AskedWords {
        what: credential(&asked.name, &asked.origins, &asked.header, asked.prefix()),
        reason: Some(one_line(&asked.reason)),
    });
    let raised = Asked::of(manifest).limits();
    let limits = Limit::ALL.iter().filter(|limit| raised.amount(**limit) > Limits::default().amount(**limit));
    let limits = limits
        .map(|limit| AskedWords { what: limit_words(&raised, *limit, "usual", &Limits::default()), reason: None });
    permissions.chain(credentials).chain(limits).collect()
}

fn permission_words(permission: &Permission) -> String {
    match permission.ask {
        PermissionKind::Files => {
            folder(permission.guest.as_deref().unwrap_or_default(), permission.access.unwrap_or_default())
        }
        PermissionKind::Http => format!("send {}", list(permission.destinations())),
        PermissionKind::Clocks => CLOCKS.to_owned(),
        PermissionKind::Random => RANDOM.to_owned(),
        PermissionKind::Keyvalue => KEYVALUE.to_owned(),
        PermissionKind::LocalTarget => LOCAL_TARGET.to_owned(),
        PermissionKind::Command => command(permission.command.as_deref().unwrap_or_default()),
        PermissionKind::Mail => MAIL.to_owned(),
    }
}

/// `read the folder /repo`.
pub(crate) fn folder(guest: &str, access: Access) -> String {
    match access {
        Access::ReadOnly => format!("read the folder {guest}"),
        Access::ReadWrite => format!("read and write the folder {guest}"),
    }
}

/// ``run your command `dump`, as [commands.dump] has it``.
pub(crate) fn command(name: &str) -> String {
    format!("run your command `{name}`, as [commands.{name}] has it")
}

/// `send GET requests to https://api.example.com:443/`.
pub(crate) fn send(destination: &Destination) -> String {
    format!("send {destination}")
}

/// ``use the credential `token` for https://api.example.com:443/ (sent as `authorization: Bearer …`, never seen by the plugin)``.
pub(crate) fn credential(name: &str, origins: &[Origin], header: &str, prefix: &str) -> String {
    let to = list(origins);
    format!("use the credential `{name}` for {to} (sent as `{header}: {prefix}…`, never seen by the plugin)")
}

/// `use up to 2 GiB of memory (usual: 256 MiB)`.
pub(crate) fn limit_words(now: &Limits, limit: Limit, than: &str, other: &Limits) -> String {
    format!("use up to {} {} ({than}: {})", now.text(limit), limit.what(), other.text(limit))
}

/// `a, b and c`.
pub(crate) fn list(items: impl IntoIterator<Item: Display>) -> String {
    let texts: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match texts.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_said_in_words() {
        let text = r#"
name = "firebase"
version = "0.1.0"
description = "Deploys."
stages = ["deploy-target"]

[[permissions]]
ask = "http"
origins = ["https://api.example.com/v1"]
methods = ["POST", "GET"]
reason = "Releases are sent there."

[[permissions]]
ask = "http"
origins = ["https://*.example.com", "http://*", "https://*/metrics"]
reason = "Counters."

[[permissions]]
ask = "files"
guest = "/data"
access = "read-write"
reason = "Cache."

[[permissions]]
ask = "files"
guest = "/repo"
reason = "Sources."

[[permissions]]
ask = "local-target"
reason = "Local."

[[permissions]]
ask = "command"
command = "dump"
reason = "Dumps."

[[permissions]]
ask = "mail"
reason = "News."

[[credentials]]
name = "firebase"
origins = ["https://a.example", "https://b.example/v1"]
reason = "Deploying needs one."

[[credentials]]
name = "key"
origins = ["https://c.example"]
header = "x-api-key"
reason = "Key."

[limits]
memory = "2 GiB"
wall-time = "5m"
stdout = "1 B"
http-requests = 5000
"#;
        let words = words(&Manifest::parse(text, "plugin.toml").unwrap());
        let lines: Vec<String> =
            words.iter().map(|word| format!("{}: {}", word.what, word.reason.as_deref().unwrap_or("-"))).collect();
        assert_eq!(
            lines,
            [
                "send GET and POST requests to https://api.example.com:443/v1/: Releases are sent there.",
                "send requests to https://*.example.com:443/, requests to any http host that you name and requests to any \
                 https host that you name, below /metrics/: Counters.",
                "read and write the folder /data: Cache.",
                "read the folder /repo: Sources.",
                "start and stop releases on this machine, and set their shares of its traffic: Local.",
                "run your command `dump`, as [commands.dump] has it: Dumps.",
                "send mail to people whom you name: News.",
                "use the credential `firebase` for https://a.example:443/ and https://b.example:443/v1/ (sent as \
                 `authorization: Bearer …`, never seen by the plugin): Deploying needs one.",
                "use the credential `key` for https://c.example:443/ (sent as `x-api-key: …`, never seen by the plugin): Key.",
                "use up to 5m on the clock (usual: 30s): -",
                "use up to 2 GiB of memory (usual: 256 MiB): -",
                "use up to 5000 requests (usual: 1000): -",
            ]
        );
    }
}
