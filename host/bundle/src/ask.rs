//! What a plugin asks for, one thing at a time, and what a yes to it needs beyond that.

use std::path::PathBuf;

use autodevops_policy::{
    Access, Asked, CredentialBinding, Destination, EffectiveGrant, Grant, Limit, Limits, Manifest, PermissionKind,
    Preopen, RUN_FOLDERS, words,
};

/// One thing that a plugin asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// In words that follow on "it asks to": `read the folder /repo`.
    pub words: String,
    /// Why, by the plugin's own word; limits have no reason.
    pub reason: Option<String>,
    /// What it is.
    pub what: Wanted,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A folder that the run gives.
    RunFolder {
        /// Its path as the plugin sees it.
        guest: String,
        /// Whether it is written to.
        access: Access,
    },
    /// A folder of this machine, which the operator names.
    Folder {
        /// Its path as the plugin sees it.
        guest: String,
        /// Whether it is written to.
        access: Access,
    },
    /// Requests.
    Requests(Vec<Destination>),
    /// The clocks.
    Clocks,
    /// Randomness.
    Random,
    /// A durable store of its own.
    Keyvalue,
    /// The local target.
    LocalTarget,
    /// A command of the operator, by its name in `[commands]`.
    Command(String),
    /// Mail, to people whom the operator names.
    Mail,
    /// A credential of that name on its requests, which it may be able to do without.
    Credential {
        /// Its name.
        name: String,
        /// Whether the plugin does without it.
        optional: bool,
    },
    /// A limit above the usual one.
    Limit(Limit),
}

/// What the manifest asks for, in its order; credentials and limits last.
pub fn asks(manifest: &Manifest) -> Vec<Ask> {
    let permissions = manifest.permissions.iter().map(|permission| match permission.ask {
        PermissionKind::Files => {
            let (guest, access) = (permission.guest.clone().unwrap_or_default(), permission.access.unwrap_or_default());
            if RUN_FOLDERS.contains(&guest.as_str()) {
                Wanted::RunFolder { guest, access }
            } else {
                Wanted::Folder { guest, access }
            }
        }
        PermissionKind::Http => Wanted::Requests(permission.destinations().collect()),
        PermissionKind::Clocks => Wanted::Clocks,
        PermissionKind::Random => Wanted::Random,
        PermissionKind::Keyvalue => Wanted::Keyvalue,
        PermissionKind::LocalTarget => Wanted::LocalTarget,
        PermissionKind::Command => Wanted::Command(permission.command.clone().unwrap_or_default()),
        PermissionKind::Mail => Wanted::Mail,
    });
    let credentials = manifest.credentials.iter().map(|credential| {
        let name = credential.name.clone();
        Wanted::Credential { name, optional: credential.optional }
    });
    let (raised, usual) = (Asked::of(manifest).limits(), Limits::default());
    let limits = Limit::ALL.iter().filter(|limit| raised.amount(**limit) > usual.amount(**limit)).copied();
    let wanted = permissions.chain(credentials).chain(limits.map(Wanted::Limit));
    // The words are in the same order.
    words(manifest)
        .into_iter()
        .zip(wanted)
        .map(|(said, what)| Ask { words: said.what, reason: said.reason, what })
        .collect()
}

/// Everything that is asked for, granted as it is asked for. What a plain yes does not say is taken as it was granted before.
///
/// # Errors
/// What nobody said yet.
pub fn grant_all<'a>(asks: &'a [Ask], before: Option<&Grant>) -> Result<Grant, Vec<&'a Ask>> {
    let (mut grant, mut open) = (Grant::default(), Vec::new());
    for ask in asks {
        let said = ask.what.needs_more() && before.is_some_and(|before| ask.what.grant_again(before, &mut grant));
        if ask.what.needs_more() && !said {
            open.push(ask);
        }
        ask.what.grant(&mut grant);
    }
    if open.is_empty() { Ok(grant) } else { Err(open) }
}

impl Wanted {
    /// Whether a yes needs something beyond it: which folder, which host, where from.
    pub fn needs_more(&self) -> bool {
        match self {
            Self::Folder { .. } | Self::Mail => true,
            Self::Credential { optional, .. } => !optional,
            Self::Requests(destinations) => destinations.iter().any(leaves_host_open),
            _ => false,
        }
    }

    /// How an operator grants it in `[plugins.NAME.grant]`; what is in capitals is theirs to fill in.
    pub fn key(&self) -> String {
        match self {
            Self::RunFolder { guest, access: Access::ReadOnly } => format!("files.\"{guest}\" = {{}}"),
            Self::RunFolder { guest, .. } => format!("files.\"{guest}\" = {{ access = \"read-write\" }}"),
            Self::Folder { guest, access: Access::ReadOnly } => {
                format!("files.\"{guest}\" = {{ host = \"FOLDER\" }}")
            }
            Self::Folder { guest, .. } => {
                format!("files.\"{guest}\" = {{ host = \"FOLDER\", access = \"read-write\" }}")
            }
            Self::Requests(destinations) => {
                let origins = destinations.iter().map(|destination| {
                    format!("\"{}\"", destination.origin.to_string().replacen("://*/", "://HOST:PORT/", 1))
                });
                format!("http = [{}]", origins.collect::<Vec<_>>().join(", "))
            }
            Self::Clocks => "clocks = true".to_owned(),
            Self::Random => "random = true".to_owned(),
            Self::Keyvalue => "keyvalue = true".to_owned(),
            Self::LocalTarget => "local-target = true".to_owned(),
            Self::Command(name) => format!("commands = [\"{name}\"]"),
            Self::Mail => "mail = [\"NAME@DOMAIN\"]".to_owned(),
            Self::Credential { name, .. } => format!("credentials.{name} = {{ env = \"VARIABLE\" }}"),
            Self::Limit(limit) => format!("limits.{limit} = …"),
        }
    }

    /// Grants as much of it as a yes says.
    pub fn grant(&self, grant: &mut Grant) {
        match self {
            Self::RunFolder { guest, access } => {
                grant.files.insert(guest.clone(), Preopen { host: None, access: *access });
            }
            Self::Requests(destinations) => {
                grant.http.extend(destinations.iter().filter(|one| !leaves_host_open(one)).cloned());
            }
            Self::Clocks => grant.clocks = true,
            Self::Random => grant.random = true,
            Self::Keyvalue => grant.keyvalue = true,
            Self::LocalTarget => grant.local_target = true,
            Self::Command(name) => {
                grant.commands.insert(name.clone());
            }
            // As the manifest says, where the grant says nothing.
            Self::Limit(_) | Self::Folder { .. } | Self::Mail | Self::Credential { .. } => {}
        }
    }

    /// Does not grant it. Only a limit has to be told so.
    pub fn refuse(&self, grant: &mut Grant) {
        if let Self::Limit(limit) = self {
            grant.limits = grant.limits.and(&Limits::default().only(*limit));
        }
    }

    /// Grants the folder of this machine.
    pub fn grant_folder(&self, host: PathBuf, access: Access, grant: &mut Grant) {
        if let Self::Folder { guest, .. } = self {
            grant.files.insert(guest.clone(), Preopen { host: Some(host), access });
        }
    }

    /// Has the credential come from there.
    pub fn bind(&self, binding: CredentialBinding, grant: &mut Grant) {
        if let Self::Credential { name, .. } = self {
            grant.credentials.insert(name.clone(), binding);
        }
    }

    /// Grants what was granted of it before; whether anything was.
    pub fn grant_again(&self, before: &Grant, grant: &mut Grant) -> bool {
        match self {
            Self::RunFolder { guest, access } | Self::Folder { guest, access } => {
                let Some(preopen) = before.files.get(guest) else { return false };
                let access = preopen.access.min(*access);
                grant.files.insert(guest.clone(), Preopen { host: preopen.host.clone(), access });
                true
            }
            Self::Requests(asked) => {
                let again = asked
                    .iter()
                    .flat_map(|asked| before.http.iter().filter_map(move |granted| asked.intersection(granted)));
                let again: Vec<Destination> = again.collect();
                let any = !again.is_empty();
                grant.http.extend(again);
                any
            }
            Self::Clocks => take(before.clocks, &mut grant.clocks),
            Self::Random => take(before.random, &mut grant.random),
            Self::Keyvalue => take(before.keyvalue, &mut grant.keyvalue),
            Self::LocalTarget => take(before.local_target, &mut grant.local_target),
            Self::Command(name) => {
                let granted = before.commands.contains(name);
                if granted {
                    grant.commands.insert(name.clone());
                }
                granted
            }
            Self::Mail => {
                grant.mail.extend(before.mail.iter().cloned());
                !before.mail.is_empty()
            }
            Self::Credential { name, .. } => {
                let Some(binding) = before.credentials.get(name) else { return false };
                grant.credentials.insert(name.clone(), binding.clone());
                true
            }
            // It was asked for, and the answer before says nothing against it.
            Self::Limit(limit) => !before.limits.names(*limit),
        }
    }

    /// What of it is granted, in words; none where nothing is.
    pub fn granted(&self, words: &str, effective: &EffectiveGrant) -> Option<String> {
        let yes = |granted: bool| granted.then(|| words.to_owned());
        match self {
            Self::RunFolder { guest, .. } | Self::Folder { guest, .. } => effective.files.get(guest).map(|preopen| {
                let verb = if preopen.access == Access::ReadWrite { "read and write" } else { "read" };
                match &preopen.host {
                    Some(host) => format!("{verb} the folder {guest}, which is {}", host.display()),
                    None => format!("{verb} the folder {guest}"),
                }
            }),
            Self::Requests(asked) => {
                let granted = effective.http.iter().filter(|granted| asked.iter().any(|asked| asked.covers(granted)));
                let granted: Vec<String> = granted.map(ToString::to_string).collect();
                (!granted.is_empty()).then(|| format!("send {}", granted.join(" and ")))
            }
            Self::Clocks => yes(effective.clocks),
            Self::Random => yes(effective.random),
            Self::Keyvalue => yes(effective.keyvalue),
            Self::LocalTarget => yes(effective.local_target),
            Self::Command(name) => yes(effective.commands.contains(name)),
            Self::Mail => {
                let to: Vec<String> = effective.mail.iter().map(ToString::to_string).collect();
                (!to.is_empty()).then(|| format!("send mail to {}", to.join(" and ")))
            }
            Self::Credential { name, .. } => yes(effective.credentials.iter().any(|granted| granted.name == *name)),
            Self::Limit(limit) => {
                let raised = effective.limits.amount(*limit) > Limits::default().amount(*limit);
                raised.then(|| format!("use up to {} {}", effective.limits.text(*limit), limit.what()))
            }
        }
    }
}

fn leaves_host_open(destination: &Destination) -> bool {
    destination.origin.any_host().is_some()
}

const fn take(before: bool, granted: &mut bool) -> bool {
    *granted |= before;
    before
}
