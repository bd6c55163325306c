//! What must hold for any bytes whatever. Called by `fuzz/`, and by this crate's tests with the seeds there and mutations of them.
//!
//! Each function panics where its invariant does not hold, and returns in silence where the bytes are nothing that it is about.

use std::{
    fmt::{Debug, Display},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Component, Path},
    str::FromStr,
};

use serde::{Serialize, de::DeserializeOwned};
use url::{Host, Url};

use crate::{
    Asked, Bytes, EffectiveGrant, Grant, Manifest, Method, Operation, Origin, Percent, PermissionCeilings, ProjectPath,
    Span,
    address::{AddressKind, classify},
    check_grant, difference, effective, missing, strict_toml, within, words,
};

/// A target's name, which is its folder's in `fuzz/corpus`, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("origins", origins),
    ("hosts", hosts),
    ("paths", paths),
    ("addresses", addresses),
    ("manifests", manifests),
    ("locks", locks),
    ("quantities", quantities),
];

/// Reads a value from its own text.
fn is_read_back<T: Display + FromStr + PartialEq + Debug>(value: &T) {
    let shown = value.to_string();
    assert_eq!(shown.parse::<T>().ok().as_ref(), Some(value), "{shown:?} is read as another");
}

/// Reads a value from what it is stored as.
fn is_stored<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let stored = serde_json::to_value(value).map_err(|error| error.to_string());
    let read = stored.and_then(|stored| serde_json::from_value::<T>(stored).map_err(|error| error.to_string()));
    assert_eq!(read.as_ref(), Ok(value), "stored and read as another");
}

/// Lines: two patterns, then URLs. A pattern is read back as itself; what it allows leads to its own host, port, scheme and below
/// its path; what one covers, it allows; the intersection of both allows what both allow.
pub fn origins(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let Some(Ok(one)) = lines.next().map(str::parse::<Origin>) else { return };
    is_read_back(&one);
    assert!(one.covers(&one), "{one} does not cover itself");
    let urls: Vec<Url> = lines.clone().filter_map(|line| Url::parse(line).ok()).collect();
    for url in urls.iter().filter(|url| one.allows(url)) {
        leads_where_it_says(&one, url);
    }
    let Some(Ok(other)) = lines.next().map(str::parse::<Origin>) else { return };
    let both = one.intersection(&other);
    assert_eq!(both, other.intersection(&one), "{one} and {other}");
    if let Some(both) = &both {
        is_read_back(both);
        assert!(one.covers(both) && other.covers(both), "{one} and {other} meet in {both}");
    }
    let named = one.any_host().is_none() && other.any_host().is_none();
    for url in urls.iter().filter(|_| named) {
        let by_both = one.allows(url) && other.allows(url);
        assert_eq!(both.as_ref().is_some_and(|both| both.allows(url)), by_both, "{one} and {other} for {url}");
        assert!(!one.covers(&other) || !other.allows(url) || one.allows(url), "{one} covers {other}, and not {url}");
    }
}

/// By the pattern's text alone, in another way than the decision is made.
fn leads_where_it_says(origin: &Origin, url: &Url) {
    let shown = origin.to_string();
    let (scheme, rest) = shown.split_once("://").unwrap_or_default();
    let (authority, prefix) = rest.split_once('/').unwrap_or_default();
    let (host, port) = authority.rsplit_once(':').unwrap_or_default();
    assert_eq!(url.scheme(), scheme, "{shown} allows {url}");
    assert_eq!(url.port_or_known_default().map(|port| port.to_string()).as_deref(), Some(port), "{shown} allows {url}");
    let to = url.host_str().unwrap_or_default();
    let same = match host.strip_prefix("*.") {
        None => to == host,
        Some(name) => to.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == name),
    };
    assert!(same, "{shown} allows {url}");
    let path = format!("{}/", url.path());
    assert!(path.starts_with(&format!("/{prefix}")), "{shown} allows {url}");
    // However often a server decodes it, it does not go up.
    let mut decoded = url.path().to_owned();
    for _ in 0..4 {
        assert!(!decoded.split(['/', '\\']).any(|part| part == ".."), "{shown} allows {url}");
        decoded = percent_encoding::percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
    }
    assert!(url.username().is_empty() && url.password().is_none(), "{shown} allows {url}");
}

/// A host as a text: what a resolver would take for an address in an odd form is never left as a name, and a pattern for the
/// host means that very host.
pub fn hosts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(url) = Url::parse(&format!("http://{}/", text.trim())) else { return };
    if let Some(Host::Domain(name)) = url.host() {
        let last = name.strip_suffix('.').unwrap_or(name).rsplit('.').next().unwrap_or_default();
        let digits = |text: &str, radix| text.chars().all(|c| c.is_digit(radix));
        let number =
            (!last.is_empty() && digits(last, 10)) || last.strip_prefix("0x").is_some_and(|hex| digits(hex, 16));
        assert!(!number, "{name} would be looked up as an address");
        assert!(name.parse::<IpAddr>().is_err(), "{name} is an address");
    }
    // As a pattern, a `*` says something else.
    if url.host_str().is_some_and(|host| host.contains('*')) {
        return;
    }
    let Ok(origin) = url.origin().ascii_serialization().parse::<Origin>() else { return };
    is_read_back(&origin);
    let plain = url.username().is_empty() && url.password().is_none();
    let root = url.path() == "/";
    assert!(!plain || !root || origin.allows(&url), "{origin} does not allow {url}");
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.octets().first() == Some(&127),
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    assert_eq!(origin.is_loopback(), loopback, "{origin}");
}

/// A path that is taken stays below the root, outside of the repository's own files, and is read back as itself.
pub fn paths(bytes: &[u8]) {
    let Ok(path) = ProjectPath::new(String::from_utf8_lossy(bytes)) else { return };
    let text = path.as_str();
    let parts: Vec<Component<'_>> = Path::new(text).components().collect();
    assert!(parts.iter().all(|part| matches!(part, Component::Normal(_))), "{text:?}");
    assert!(Path::new("/root").join(text).starts_with("/root"), "{text:?}");
    assert_eq!(parts.len(), text.split('/').count(), "{text:?} has parts that are none");
    assert!(!text.contains(['\0', '\n', '\\']) && text.len() <= 4096 && !text.is_empty(), "{text:?}");
    assert!(!text.split('/').any(|part| part.eq_ignore_ascii_case(".git")), "{text:?}");
    is_stored(&path);
}

/// Blocks of addresses and what they are, by the registries of IANA: the first that holds an address tells.
const BLOCKS: [(&str, AddressKind); 39] = {
    use AddressKind::{LinkLocal, Loopback, Metadata, Multicast, Private, Public, SharedNat, Special};
    [
        ("100.100.100.200/32", Metadata),
        ("168.63.129.16/32", Metadata),
        ("0.0.0.0/8", Special),
        ("10.0.0.0/8", Private),
        ("100.64.0.0/10", SharedNat),
        ("127.0.0.0/8", Loopback),
        ("169.254.0.0/16", LinkLocal),
        ("172.16.0.0/12", Private),
        ("192.0.0.0/24", Special),
        ("192.0.2.0/24", Special),
        ("192.88.99.0/24", Special),
        ("192.168.0.0/16", Private),
        ("198.18.0.0/15", Special),
        ("198.51.100.0/24", Special),
        ("203.0.113.0/24", Special),
        ("224.0.0.0/4", Multicast),
        ("255.255.255.255/32", Multicast),
        ("240.0.0.0/4", Special),
        ("0.0.0.0/0", Public),
        ("::/128", Special),
        ("::1/128", Loopback),
        ("fd00:ec2::254/128", Metadata),
        ("fd20:ce::254/128", Metadata),
        ("64:ff9b:1::/48", Private),
        ("fc00::/7", Private),
        ("fe80::/10", LinkLocal),
        ("fec0::/10", Private),
        ("ff00::/8", Multicast),
        ("2001:db8::/32", Special),
        // Teredo is judged by what is inside; the rest of the IETF's block is for protocols.
        ("2001::/32", Public),
        ("2001::/23", Special),
        ("3fff::/20", Special),
        // 6to4, NAT64, mapped and compatible addresses are judged by what is inside.
        ("2002::/16", Public),
        ("2000::/3", Public),
        ("64:ff9b::/96", Public),
        ("::ffff:0.0.0.0/96", Public),
        ("::/96", Public),
        ("100::/64", Special),
        ("::/0", Special),
    ]
};

/// Whether a block, such as `10.0.0.0/8`, holds the address.
fn holds(block: &str, address: IpAddr) -> bool {
    let Some((base, length)) = block.split_once('/') else { return false };
    let (Ok(base), Ok(length)) = (base.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => (base.to_bits() ^ address.to_bits()).leading_zeros() >= length,
        (IpAddr::V6(base), IpAddr::V6(address)) => (base.to_bits() ^ address.to_bits()).leading_zeros() >= length,
        _ => false,
    }
}

/// The IPv4 addresses that are inside of an IPv6 one, by the bits that the standards name.
fn inside(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let bits = address.to_bits();
    let at = |shift: u32| Ipv4Addr::from_bits(u32::try_from((bits >> shift) & 0xffff_ffff).unwrap_or_default());
    let is_in = |block: &str| holds(block, address.into());
    let mut found = Vec::new();
    let number_of_its_own = is_in("::/128") || is_in("::1/128");
    if (is_in("::/96") && !number_of_its_own) || is_in("::ffff:0.0.0.0/96") || is_in("64:ff9b::/96") {
        found.push(at(0));
    }
    if is_in("64:ff9b:1::/48") {
        found.push(at(0));
        if (bits >> 32) & 0xffff_ffff_ffff != 0 {
            let (high, low) = ((bits >> 64) & 0xffff, (bits >> 40) & 0xffff);
            found.push(Ipv4Addr::from_bits(u32::try_from((high << 16) | low).unwrap_or_default()));
        }
    }
    if is_in("2002::/16") {
        found.push(at(80));
    }
    if is_in("2001::/32") {
        found.push(Ipv4Addr::from_bits(!at(0).to_bits()));
    }
    if matches!((bits >> 32) & 0xffff_ffff, 0x0000_5efe | 0x0200_5efe) {
        found.push(at(0));
    }
    found
}

const fn strictness(kind: AddressKind) -> u8 {
    match kind {
        AddressKind::Public => 0,
        AddressKind::Loopback | AddressKind::Private | AddressKind::SharedNat => 1,
        AddressKind::LinkLocal | AddressKind::Metadata | AddressKind::Multicast | AddressKind::Special => 2,
    }
}

/// 4 or 16 bytes, or an address as a text: the kind is the one by the registries' blocks, and no less strict than that of any
/// IPv4 address inside.
pub fn addresses(bytes: &[u8]) {
    let address = match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
        (Ok(octets), _) => IpAddr::from(octets),
        (_, Ok(octets)) => IpAddr::from(octets),
        _ => {
            let Ok(address) = String::from_utf8_lossy(bytes).trim().parse() else { return };
            address
        }
    };
    let by_blocks = |address: IpAddr| {
        BLOCKS.iter().find(|(block, _)| holds(block, address)).map_or(AddressKind::Special, |(_, kind)| *kind)
    };
    let judged = classify(address);
    let inner: Vec<AddressKind> = match address {
        IpAddr::V4(_) => Vec::new(),
        IpAddr::V6(address) => inside(address).into_iter().map(|inner| by_blocks(inner.into())).collect(),
    };
    let expected = inner.iter().copied().chain([by_blocks(address)]).map(strictness).max().unwrap_or_default();
    assert_eq!(strictness(judged), expected, "{address} is judged {judged:?}");
    if inner.is_empty() {
        assert_eq!(judged, by_blocks(address), "{address}");
    }
}

/// A manifest, and after a line of `---` a grant. What is read is stored and read back; what is asked for is said in words; what
/// is effective is within itself and no more than the most that can be granted; nothing differs from itself.
pub fn manifests(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (manifest, grant) = text.split_once("\n---\n").unwrap_or((&text, ""));
    let Ok(manifest) = Manifest::parse(manifest, "plugin.toml") else { return };
    is_stored(&manifest);
    let asked = Asked::of(&manifest);
    is_stored(&asked);
    assert_eq!(words(&manifest).is_empty(), asked.is_nothing(), "what is asked for is said in words");
    assert!(difference(&asked, &asked).is_none(), "nothing differs from itself");
    let first = difference(&Asked::default(), &asked);
    assert!(first.asks_for_more() != asked.is_nothing() && first.gone.is_empty(), "all is new at first");
    let none = effective(&manifest, &Grant::default());
    assert!(
        within(&none, &EffectiveGrant { limits: manifest.limits, ..EffectiveGrant::default() }).is_ok(),
        "by default"
    );
    let Ok(grant) = strict_toml::parse::<Grant>(grant, "grant.toml") else { return };
    is_stored(&grant);
    let held = effective(&manifest, &grant);
    is_stored(&held);
    assert_eq!(within(&held, &held), Ok(()), "within itself");
    let kinds = [(held.clocks, grant.clocks, asked.clocks), (held.random, grant.random, asked.random)];
    assert!(kinds.iter().all(|(held, granted, asked)| *held == (*granted && *asked)), "granted and asked for");
    let fits = check_grant(&manifest, &grant).is_ok();
    assert!(!fits || held.files == grant.files, "each folder that fits has its effect");
    assert_eq!(
        held.credentials.len() + missing(&manifest, &grant).len(),
        manifest.credentials.len(),
        "bound or missing"
    );
    for credential in &held.credentials {
        let asked = asked.credentials.get(&credential.name);
        let known = |origin: &Origin| asked.is_some_and(|asked| asked.origins.iter().any(|asked| asked.covers(origin)));
        assert!(credential.origins.iter().all(known), "`{}` goes where it was asked for", credential.name);
    }
}

/// What a lock file holds of a plugin: what was asked, or what was answered. What is read is stored and read back, and keeps to
/// itself; and whatever it allows, the ceiling that is made of it allows too.
pub fn locks(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(asked) = strict_toml::parse::<Asked>(&text, "autodevops.lock") {
        is_stored(&asked);
        assert!(difference(&asked, &asked).is_none(), "nothing differs from itself");
        let _ = asked.limits();
    }
    let Ok(grant) = strict_toml::parse::<EffectiveGrant>(&text, "autodevops.lock") else { return };
    is_stored(&grant);
    let nothing = EffectiveGrant { limits: grant.limits, ..EffectiveGrant::default() };
    assert_eq!(within(&nothing, &grant), Ok(()), "nothing is within anything");
    let ceilings = PermissionCeilings { http: Some(grant.http.clone()), ..PermissionCeilings::default() };
    assert!(ceilings.check("a", &grant).is_ok(), "the ceiling that is made of it");
    for destination in grant.http.iter().filter(|one| one.origin.any_host().is_none()) {
        let url = destination.origin.to_string().replacen("://*.", "://label.", 1);
        for method in Method::ALL {
            let allowed =
                grant.decide("a", &Operation::Http { method: method.name().into(), url: url.clone() }).is_ok();
            assert!(allowed || !destination.methods.contains(method), "{method} {url}");
        }
        for method in ["CONNECT", "TRACE", "get", ""] {
            let operation = Operation::Http { method: method.into(), url: url.clone() };
            assert!(grant.decide("a", &operation).is_err(), "{method} {url}");
        }
    }
}

/// A quantity that is read is shown as a text that is read as the same.
pub fn quantities(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(span) = text.parse::<Span>() {
        is_read_back(&span);
        is_stored(&span);
    }
    if let Ok(percent) = text.parse::<Percent>() {
        is_read_back(&percent);
        assert!((0.0..=1.0).contains(&percent.ratio()), "{percent}");
    }
    if let Ok(bytes) = text.parse::<Bytes>() {
        is_read_back(&bytes);
        is_stored(&bytes);
    }
}
