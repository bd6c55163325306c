//! What a version of a plugin asks for, without its reasons: what an operator's answer is about, and is stored with it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Access, Ceilings, Destination, Limits, Manifest, Origin, Permission, PermissionKind, destination::reduced,
};

/// What a manifest asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Asked {
    /// The clocks.
    pub clocks: bool,
    /// Randomness.
    pub random: bool,
    /// A durable store of its own.
    pub keyvalue: bool,
    /// The local target.
    pub local_target: bool,
    /// Mail, to people whom the operator names.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mail: bool,
    /// Where requests go, and with which methods.
    pub http: Vec<Destination>,
    /// Folders, by their path as the plugin sees them.
    pub files: BTreeMap<String, Access>,
    /// Commands of the operator, by their names.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub commands: BTreeSet<String>,
    /// Credentials, by their names.
    pub credentials: BTreeMap<String, AskedCredential>,
    /// Limits that lie above the usual ones.
    #[serde(serialize_with = "Ceilings::named")]
    pub limits: Ceilings,
}

/// A credential that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AskedCredential {
    /// Where it is sent.
    pub origins: Vec<Origin>,
    /// The header that carries it, in lower case.
    pub header: String,
    /// What stands before it in the header.
    pub prefix: String,
}

impl Asked {
    /// What the manifest asks for.
    pub fn of(manifest: &Manifest) -> Self {
        let asks = |kind| manifest.permissions.iter().filter(move |permission| permission.ask == kind);
        let asked = |kind| asks(kind).next().is_some();
        let folder = |permission: &Permission| Some((permission.guest.clone()?, permission.access.unwrap_or_default()));
        let credentials = manifest.credentials.iter().map(|credential| {
            let mut origins = credential.origins.clone();
            origins.sort();
            origins.dedup();
            let prefix = credential.prefix().to_owned();
            (credential.name.clone(), AskedCredential { origins, header: credential.header.clone(), prefix })
        });
        Self {
            clocks: asked(PermissionKind::Clocks),
            random: asked(PermissionKind::Random),
            keyvalue: asked(PermissionKind::Keyvalue),
            local_target: asked(PermissionKind::LocalTarget),
            mail: asked(PermissionKind::Mail),
            http: reduced(asks(PermissionKind::Http).flat_map(Permission::destinations).collect()),
            files: asks(PermissionKind::Files).filter_map(folder).collect(),
            commands: asks(PermissionKind::Command).filter_map(|permission| permission.command.clone()).collect(),
            credentials: credentials.collect(),
            limits: manifest.limits.raised(),
        }
    }

    /// Whether nothing is asked for: no permission, no credential, no limit above the usual one. Such a plugin needs no answer.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The limits of a call: those that are raised, and the usual ones.
    pub fn limits(&self) -> Limits {
        Limits::default().with(&self.limits)
    }

    /// The permissions that are a word each, whether they are asked for, and what they are for a person.
    pub(crate) const fn flags(&self) -> [(bool, &'static str, &'static str); 5] {
        use crate::words::{CLOCKS, KEYVALUE, LOCAL_TARGET, MAIL, RANDOM};
        [
            (self.clocks, "clocks", CLOCKS),
            (self.random, "random", RANDOM),
            (self.keyvalue, "keyvalue", KEYVALUE),
            (self.local_target, "local-target", LOCAL_TARGET),
            (self.mail, "mail", MAIL),
        ]
    }
}
