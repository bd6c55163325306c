//! What property tests are made of: few names, so that what is asked, granted and requested often meets.

use std::collections::BTreeSet;

use proptest::{collection, option, prelude::*, sample::select};
use url::Url;

use crate::{
    Access, Bytes, Credential, CredentialBinding, Destination, EffectiveGrant, Grant, Limits, Manifest, Method,
    Methods, Origin, Permission, PermissionKind, Preopen, effective,
};

/// The plugin that asks for one of each.
pub fn asks() -> Manifest {
    Manifest::parse(include_str!("testing/asks.toml"), "plugin.toml").unwrap()
}

pub fn origin() -> impl Strategy<Value = Origin> {
    let hosts = ["a.example", "b.a.example", "*.a.example", "*.b.a.example", "127.0.0.1", "*"];
    let (ports, paths) = (["", ":8443"], ["", "/v1", "/v1/x", "/v2"]);
    (select(&["http", "https"][..]), select(hosts.to_vec()), select(ports.to_vec()), select(paths.to_vec())).prop_map(
        |(scheme, host, port, path)| {
            let port = if host == "*" { "" } else { port };
            format!("{scheme}://{host}{port}{path}").parse().unwrap()
        },
    )
}

pub fn methods() -> impl Strategy<Value = Methods> {
    prop_oneof![Just(Methods::ALL), collection::vec(select(&Method::ALL[..]), 1..4).prop_map(Methods::from_iter)]
}

pub fn destination() -> impl Strategy<Value = Destination> {
    (origin(), methods()).prop_map(|(origin, methods)| Destination { origin, methods })
}

pub fn url() -> impl Strategy<Value = Url> {
    let hosts = ["a.example", "b.a.example", "c.b.a.example", "127.0.0.1", "evil.example"];
    let paths = ["", "/v1", "/v1/", "/v1/x/y", "/v10", "/v1/%2e%2e%2fv2", "/v2?q"];
    (select(&["http", "https"][..]), select(hosts.to_vec()), select(&["", ":8443"][..]), select(paths.to_vec()))
        .prop_map(|(scheme, host, port, path)| format!("{scheme}://{host}{port}{path}").parse().unwrap())
}

pub fn method() -> impl Strategy<Value = Method> {
    select(&Method::ALL[..])
}

fn limits() -> impl Strategy<Value = Limits> {
    (select(&[1u64, 256, 1024][..]), select(&[1u32, 1000, 5000][..])).prop_map(|(memory, http_requests)| Limits {
        memory: Bytes(memory << 20),
        http_requests,
        ..Limits::default()
    })
}

fn access() -> impl Strategy<Value = Access> {
    select(&[Access::ReadOnly, Access::ReadWrite][..])
}

const GUESTS: [&str; 3] = ["/repo", "/data", "/data/x"];
const FLAGS: [PermissionKind; 5] = [
    PermissionKind::Clocks,
    PermissionKind::Random,
    PermissionKind::Keyvalue,
    PermissionKind::LocalTarget,
    PermissionKind::Mail,
];
const CREDENTIALS: [&str; 2] = ["one", "other"];

fn commands() -> impl Strategy<Value = BTreeSet<&'static str>> {
    collection::btree_set(select(&["dump", "restore", "check"][..]), 0..3)
}

/// Manifests that are valid but for credentials that overlap.
pub fn manifest() -> impl Strategy<Value = Manifest> {
    let ask = |ask| Permission {
        ask,
        reason: "x".into(),
        guest: None,
        access: None,
        origins: Vec::new(),
        methods: None,
        command: None,
    };
    let files = collection::btree_map(select(&GUESTS[..]), access(), 0..3);
    let http = collection::vec((collection::vec(origin(), 1..3), option::of(methods())), 0..3);
    let flags = any::<[bool; 5]>();
    let credential = |name: &'static str| {
        let header = select(&["authorization", "x-api-key"][..]);
        option::of((collection::vec(origin(), 1..3), header)).prop_map(move |asked| {
            asked.map(|(origins, header)| Credential {
                name: name.into(),
                origins,
                header: header.into(),
                prefix: None,
                reason: "x".into(),
                optional: false,
            })
        })
    };
    let [one, other] = CREDENTIALS;
    (files, http, flags, commands(), credential(one), credential(other), limits()).prop_map(
        move |(files, http, flags, commands, one, other, limits)| {
            let mut permissions = Vec::new();
            for (guest, access) in files {
                permissions.push(Permission {
                    guest: Some(guest.into()),
                    access: Some(access),
                    ..ask(PermissionKind::Files)
                });
            }
            for (origins, methods) in http {
                permissions.push(Permission { origins, methods, ..ask(PermissionKind::Http) });
            }
            permissions.extend(
                commands
                    .into_iter()
                    .map(|name| Permission { command: Some(name.into()), ..ask(PermissionKind::Command) }),
            );
            permissions.extend(FLAGS.into_iter().zip(flags).filter(|(_, asked)| *asked).map(|(kind, _)| ask(kind)));
            let text = "name = \"a\"\nversion = \"0.1.0\"\ndescription = \"x\"\nstages = [\"check\"]";
            let credentials = one.into_iter().chain(other).collect();
            Manifest { permissions, credentials, limits, ..Manifest::parse(text, "plugin.toml").unwrap() }
        },
    )
}

pub fn grant() -> impl Strategy<Value = Grant> {
    let host = select(&[None, Some("/srv"), Some("/srv/data"), Some("/srv/../etc")][..]);
    let preopen = (host, access()).prop_map(|(host, access)| Preopen { host: host.map(Into::into), access });
    let files = collection::btree_map(select(&GUESTS[..]).prop_map(str::to_owned), preopen, 0..3);
    let binding = collection::vec(origin(), 0..2).prop_map(|origins| CredentialBinding {
        env: Some("A".into()),
        origins,
        ..CredentialBinding::default()
    });
    let credentials = collection::btree_map(select(&CREDENTIALS[..]).prop_map(str::to_owned), binding, 0..3);
    let limits = option::of(select(&[1u64, 512][..]));
    let recipient = select(&["ada@a.example", "*@a.example", "*@b.example"][..]).prop_map(|text| text.parse().unwrap());
    let mail = collection::vec(recipient, 0..3);
    (files, collection::vec(destination(), 0..4), any::<[bool; 4]>(), commands(), mail, credentials, limits).prop_map(
        |(files, http, [clocks, random, keyvalue, local_target], commands, mail, credentials, memory)| {
            let commands = commands.into_iter().map(str::to_owned).collect();
            let limits = crate::Ceilings { memory: memory.map(|mib| Bytes(mib << 20)), ..crate::Ceilings::default() };
            Grant { files, http, clocks, random, keyvalue, local_target, commands, mail, credentials, limits }
        },
    )
}

pub fn effective_grant() -> impl Strategy<Value = EffectiveGrant> {
    (manifest(), grant()).prop_map(|(manifest, grant)| effective(&manifest, &grant))
}

/// Whether a pattern means the URL: any host of its scheme, where it leaves it open.
pub fn means(origin: &Origin, url: &Url) -> bool {
    match origin.any_host() {
        None => origin.allows(url),
        Some(scheme) => {
            let named = format!("{scheme}://{}{}", url.authority(), origin.path()).parse::<Origin>();
            named.is_ok_and(|named| named.allows(url))
        }
    }
}
