//! What the operator allows, and what remains of it after the manifest is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    Ceilings, Credential, CredentialBinding, Destination, EffectiveCredential, Limits, Manifest, Permission,
    PermissionKind, Recipient, destination::reduced,
};

/// Whether a folder may be written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Files are read.
    #[default]
    ReadOnly,
    /// Files are read, written, made and removed.
    ReadWrite,
}

/// A folder of the host that a plugin sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Preopen {
    /// The folder on the host. `None` for the folders that a stage is given by the run: `/repo`, `/before`, `/after` and `/maps`.
    #[serde(default)]
    pub host: Option<PathBuf>,
    /// Whether it may be written to.
    #[serde(default)]
    pub access: Access,
}

/// The operator's `[plugins.NAME.grant]`. Nothing is granted by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Grant {
    /// Folders, by their path as the plugin sees them.
    pub files: BTreeMap<String, Preopen>,
    /// Where requests may go, and with which methods.
    pub http: Vec<Destination>,
    /// The clocks.
    pub clocks: bool,
    /// Randomness.
    pub random: bool,
    /// A durable store of its own.
    pub keyvalue: bool,
    /// The local target.
    pub local_target: bool,
    /// Commands of the operator, by their names in `[commands]`.
    pub commands: BTreeSet<String>,
    /// Whom mail may go to.
    pub mail: Vec<Recipient>,
    /// Where the credentials come from that the plugin asks for, by their names.
    pub credentials: BTreeMap<String, CredentialBinding>,
    /// Ceilings on what one call may use; for what is not named, the manifest's limits hold.
    pub limits: Ceilings,
}

/// What a plugin may do: never more than it asked for, never more than was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct EffectiveGrant {
    /// Folders, by guest path.
    pub files: BTreeMap<String, Preopen>,
    /// Where requests may go, and with which methods.
    pub http: Vec<Destination>,
    /// The clocks.
    pub clocks: bool,
    /// Randomness.
    pub random: bool,
    /// A durable store of its own.
    pub keyvalue: bool,
    /// The local target.
    pub local_target: bool,
    /// Commands of the operator, by their names.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub commands: BTreeSet<String>,
    /// Whom mail may go to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mail: Vec<Recipient>,
    /// What one call may use. Written are those that are not as usual.
    #[serde(serialize_with = "unusual")]
    pub limits: Limits,
    /// The credentials that were bound.
    pub credentials: Vec<EffectiveCredential>,
}

impl EffectiveGrant {
    /// Whether what the plugin is given can leave this machine by what it may do: in requests, or by mail.
    pub const fn sends(&self) -> bool {
        !self.http.is_empty() || !self.mail.is_empty()
    }
}

fn unusual<S: Serializer>(limits: &Limits, serializer: S) -> Result<S::Ok, S::Error> {
    limits.unusual().named(serializer)
}

/// The intersection of what the manifest asks for and what the operator grants.
pub fn effective(manifest: &Manifest, grant: &Grant) -> EffectiveGrant {
    let asks = |kind| manifest.permissions.iter().filter(move |permission| permission.ask == kind);
    let asked = |kind| asks(kind).next().is_some();
    let files = asks(PermissionKind::Files)
        .filter_map(|permission| {
            let guest = permission.guest.clone()?;
            let granted = grant.files.get(&guest)?;
            let access = granted.access.min(permission.access.unwrap_or_default());
            Some((guest, Preopen { host: granted.host.clone(), access }))
        })
        .collect();
    let asked_destinations = asks(PermissionKind::Http).flat_map(Permission::destinations);
    let http = asked_destinations
        .flat_map(|asked| grant.http.iter().filter_map(move |granted| asked.intersection(granted)).collect::<Vec<_>>());
    let credentials = manifest.credentials.iter().filter_map(|credential| {
        let binding = grant.credentials.get(&credential.name)?;
        Some(EffectiveCredential::of(credential, binding))
    });
    let commands = asks(PermissionKind::Command).filter_map(|permission| permission.command.as_ref());
    EffectiveGrant {
        files,
        http: reduced(http.collect()),
        clocks: grant.clocks && asked(PermissionKind::Clocks),
        random: grant.random && asked(PermissionKind::Random),
        keyvalue: grant.keyvalue && asked(PermissionKind::Keyvalue),
        local_target: grant.local_target && asked(PermissionKind::LocalTarget),
        commands: commands.filter(|name| grant.commands.contains(*name)).cloned().collect(),
        mail: if asked(PermissionKind::Mail) { grant.mail.clone() } else { Vec::new() },
        limits: manifest.limits.at_most(&grant.limits),
        credentials: credentials.collect(),
    }
}

/// The credentials that the manifest asks for, cannot do without, and the operator has not bound.
pub fn missing<'a>(manifest: &'a Manifest, grant: &Grant) -> Vec<&'a Credential> {
    let needed = manifest.credentials.iter().filter(|credential| !credential.optional);
    needed.filter(|credential| !grant.credentials.contains_key(&credential.name)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Permission, testing};

    fn manifest(permissions: Vec<Permission>) -> Manifest {
        let text = "name = \"a\"\nversion = \"0.1.0\"\ndescription = \"x\"\nstages = [\"check\"]";
        Manifest { permissions, ..Manifest::parse(text, "plugin.toml").unwrap() }
    }

    fn ask(kind: PermissionKind) -> Permission {
        Permission {
            ask: kind,
            reason: "x".into(),
            guest: None,
            access: None,
            origins: Vec::new(),
            methods: None,
            command: None,
        }
    }

    #[test]
    fn a_folder_is_written_to_only_when_asked_and_granted() {
        for (asked, granted, effective_access) in [
            (Access::ReadOnly, Access::ReadWrite, Access::ReadOnly),
            (Access::ReadWrite, Access::ReadOnly, Access::ReadOnly),
            (Access::ReadWrite, Access::ReadWrite, Access::ReadWrite),
        ] {
            let permission =
                Permission { guest: Some("/data".into()), access: Some(asked), ..ask(PermissionKind::Files) };
            let preopen = Preopen { host: Some("/srv/data".into()), access: granted };
            let grant = Grant { files: [("/data".to_owned(), preopen)].into(), ..Grant::default() };
            assert_eq!(effective(&manifest(vec![permission]), &grant).files["/data"].access, effective_access);
        }
    }

    #[test]
    fn mail_goes_to_those_who_were_granted_and_only_where_it_was_asked_for() {
        let grant = Grant { mail: vec!["*@example.com".parse().unwrap()], ..Grant::default() };
        assert_eq!(effective(&manifest(vec![ask(PermissionKind::Mail)]), &grant).mail, grant.mail);
        assert_eq!(effective(&manifest(Vec::new()), &grant).mail, []);
    }

    #[test]
    fn who_may_send_requests_or_mail_may_send_on_what_it_is_given() {
        let sends = |grant: EffectiveGrant| grant.sends();
        assert!(!sends(EffectiveGrant { keyvalue: true, clocks: true, ..EffectiveGrant::default() }));
        assert!(sends(EffectiveGrant {
            http: vec!["https://a.example".parse().unwrap()],
            ..EffectiveGrant::default()
        }));
        assert!(sends(EffectiveGrant { mail: vec!["*@example.com".parse().unwrap()], ..EffectiveGrant::default() }));
    }

    #[test]
    fn the_narrower_origin_holds() {
        let permission =
            Permission { origins: vec!["https://*.example.com".parse().unwrap()], ..ask(PermissionKind::Http) };
        let grant = Grant {
            http: vec!["https://api.example.com/v1".parse().unwrap(), "https://other.example".parse().unwrap()],
            ..Grant::default()
        };
        let effective = effective(&manifest(vec![permission]), &grant);
        assert_eq!(effective.http, ["https://api.example.com/v1".parse().unwrap()]);
    }

    #[test]
    fn a_command_is_run_that_was_both_asked_for_and_granted() {
        let command = |name: &str| Permission { command: Some(name.into()), ..ask(PermissionKind::Command) };
        let grant = Grant { commands: ["dump".into(), "drop".into()].into(), ..Grant::default() };
        let effective = effective(&manifest(vec![command("dump"), command("restore")]), &grant);
        assert_eq!(effective.commands, ["dump".to_owned()].into());
    }

    const KINDS: [PermissionKind; 4] =
        [PermissionKind::Clocks, PermissionKind::Random, PermissionKind::Keyvalue, PermissionKind::LocalTarget];

    proptest! {
        #[test]
        fn nothing_is_effective_that_was_not_both_asked_and_granted(asked: [bool; 4], granted: [bool; 4]) {
            let permissions = KINDS.iter().zip(asked).filter(|(_, asked)| *asked).map(|(kind, _)| ask(*kind)).collect();
            let [clocks, random, keyvalue, local_target] = granted;
            let grant = Grant { clocks, random, keyvalue, local_target, ..Grant::default() };
            let effective = effective(&manifest(permissions), &grant);
            let held = [effective.clocks, effective.random, effective.keyvalue, effective.local_target];
            for index in 0..4 {
                prop_assert_eq!(held[index], asked[index] && granted[index]);
            }
        }

        #[test]
        fn a_request_is_allowed_when_it_was_asked_for_and_granted_and_somebody_named_its_host(
            manifest in testing::manifest(), grant in testing::grant(), method in testing::method(), url in testing::url()
        ) {
            let asked: Vec<Destination> = manifest.permissions.iter().flat_map(Permission::destinations).collect();
            let both = asked.iter().flat_map(|asked| grant.http.iter().map(move |granted| (asked, granted)));
            let expected = both.into_iter().any(|(asked, granted)| {
                let is_meant = |one: &Destination| one.methods.contains(method) && testing::means(&one.origin, &url);
                let named = asked.origin.any_host().is_none() || granted.origin.any_host().is_none();
                named && is_meant(asked) && is_meant(granted)
            });
            let operation = crate::Operation::Http { method: method.name().into(), url: url.to_string() };
            prop_assert_eq!(effective(&manifest, &grant).decide("a", &operation).is_ok(), expected);
        }

        #[test]
        fn a_credential_goes_nowhere_that_was_not_both_asked_for_and_granted(
            manifest in testing::manifest(), grant in testing::grant(), url in testing::url()
        ) {
            for credential in effective(&manifest, &grant).credentials.iter().filter(|one| one.is_for(&url)) {
                let asked = manifest.credentials.iter().find(|asked| asked.name == credential.name).unwrap();
                prop_assert!(asked.origins.iter().any(|origin| testing::means(origin, &url)));
                let narrowed = &grant.credentials[&credential.name].origins;
                prop_assert!(narrowed.is_empty() || narrowed.iter().any(|origin| testing::means(origin, &url)));
            }
        }
    }
}
