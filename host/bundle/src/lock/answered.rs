//! Whether what was answered still holds: the component is the one that it was answered for, and it can do no more now.

use std::{collections::BTreeMap, fmt};

use autodevops_policy::{
    Asked, Credential, Difference, EffectiveGrant, Manifest, Permission, PermissionKind, difference, effective, within,
};

use super::{Answer, Digest, LockFile};

/// Why a plugin needs an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody answered yet.
    Never,
    /// It is another component than the one that was answered for.
    Component {
        /// The version that was answered for.
        version: String,
        /// Its component.
        digest: Digest,
    },
    /// It may do more now than was answered: its manifest asks for more, or the operator grants more.
    Wider(Vec<String>),
}

/// A plugin that does not run until an operator answers what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedsAnswer {
    /// The plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Its component.
    pub digest: Digest,
    /// Why.
    pub reason: Reason,
    /// What it asks for that was not asked for before, or more of it; in words that follow on "it asks to".
    pub new: Vec<String>,
}

impl fmt::Display for NeedsAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, version, digest, reason, new } = self;
        match reason {
            Reason::Never => {
                write!(f, "plugin `{plugin}` {version} asks to {}, and nobody answered yet", new.join("; "))
            }
            Reason::Component { version: before, digest: old } => {
                write!(f, "plugin `{plugin}` {version} is another component ({}) than ", digest.short())?;
                write!(f, "the one that was granted ({before}, {})", old.short())?;
                match new.as_slice() {
                    [] => f.write_str("; it asks for nothing new"),
                    new => write!(f, "; new is that it asks to {}", new.join("; ")),
                }
            }
            Reason::Wider(more) => {
                write!(f, "plugin `{plugin}` {version} may do more now than was answered: {}", more.join("; "))
            }
        }
    }
}

impl LockFile {
    /// Whether the plugin needs an answer before it runs: it asks for something, and the answer that is here is missing, is for
    /// another component, or is for less than what would be effective now.
    pub fn needs_answer(
        &self,
        plugin: &str,
        version: &str,
        digest: Digest,
        asked: &Asked,
        effective: &EffectiveGrant,
    ) -> Option<NeedsAnswer> {
        if asked.is_nothing() {
            return None;
        }
        let needs = |reason, before: &Asked| {
            let Difference { mut new, widened, .. } = difference(before, asked);
            new.extend(widened);
            Some(NeedsAnswer { plugin: plugin.to_owned(), version: version.to_owned(), digest, reason, new })
        };
        let Some(answer) = self.answer(plugin) else { return needs(Reason::Never, &Asked::default()) };
        if answer.digest != digest {
            return needs(Reason::Component { version: answer.version.clone(), digest: answer.digest }, &answer.asked);
        }
        match within(effective, &answer.effective()) {
            Ok(()) => None,
            Err(more) => needs(Reason::Wider(more), &answer.asked),
        }
    }
}

impl Answer {
    /// What the plugin could do by this answer.
    pub fn effective(&self) -> EffectiveGrant {
        effective(&manifest_of(&self.name, &self.version, &self.asked), &self.granted)
    }
}

/// A manifest that asks for this, with no reasons: what an answer is about, for the functions that compare grants with manifests.
pub(super) fn manifest_of(name: &str, version: &str, asked: &Asked) -> Manifest {
    let permission = |ask| Permission {
        ask,
        reason: String::new(),
        guest: None,
        access: None,
        origins: vec![],
        methods: None,
        command: None,
    };
    let flags = [
        (asked.clocks, PermissionKind::Clocks),
        (asked.random, PermissionKind::Random),
        (asked.keyvalue, PermissionKind::Keyvalue),
        (asked.local_target, PermissionKind::LocalTarget),
        (asked.mail, PermissionKind::Mail),
    ];
    let flags = flags.into_iter().filter(|(asked, _)| *asked).map(|(_, kind)| permission(kind));
    let files = asked.files.iter().map(|(guest, access)| Permission {
        guest: Some(guest.clone()),
        access: Some(*access),
        ..permission(PermissionKind::Files)
    });
    let commands = asked
        .commands
        .iter()
        .map(|name| Permission { command: Some(name.clone()), ..permission(PermissionKind::Command) });
    let http = asked.http.iter().map(|destination| Permission {
        origins: vec![destination.origin.clone()],
        methods: Some(destination.methods),
        ..permission(PermissionKind::Http)
    });
    let credentials = asked.credentials.iter().map(|(name, asked)| Credential {
        name: name.clone(),
        origins: asked.origins.clone(),
        header: asked.header.clone(),
        prefix: Some(asked.prefix.clone()),
        optional: false,
        reason: String::new(),
    });
    Manifest {
        name: name.to_owned(),
        version: version.to_owned(),
        description: String::new(),
        publisher: None,
        component: None,
        stages: Vec::new(),
        permissions: files.chain(http).chain(commands).chain(flags).collect(),
        credentials: credentials.collect(),
        metrics: Vec::new(),
        limits: asked.limits(),
        config: BTreeMap::new(),
    }
}
