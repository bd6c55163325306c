//! Where outgoing HTTP may go: `https://api.example.com/v1`, `http://127.0.0.1:8080`, `https://*.example.com`.
//!
//! A manifest that leaves the host to the operator asks for `http://*`: any host and port, which allows nothing by itself and
//! covers whatever origin of that scheme the operator names.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use serde::{Deserialize, Serialize};
use url::Url;

/// A pattern that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It is no URL.
    #[error("{0:?} is not an origin: {1}; write for example `https://api.example.com`")]
    NotUrl(String, String),
    /// Only two schemes are spoken.
    #[error("{0:?} has the scheme `{1}`; only `https` and `http` are taken")]
    Scheme(String, String),
    /// Everything at once.
    #[error(
        "`*` is everything, which nobody can judge; name each origin, such as `https://api.example.com`, or leave the host to \
         the operator with `https://*`"
    )]
    Everything,
    /// A `*` where none may be.
    #[error(
        "{0:?} has a `*` that is not the first label before a name of two labels or more; write for example \
         `https://*.example.com`"
    )]
    Wildcard(String),
    /// A part that says nothing about where a request goes.
    #[error("{0:?} has {1}; an origin is a scheme, a host, a port and a path")]
    Extra(String, &'static str),
}

/// How much of a host's name a pattern leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Open {
    /// Nothing.
    No,
    /// The first label.
    Label,
    /// The host and the port: for the other side to name.
    Host,
}

/// Scheme, host, port and path prefix that requests may be sent to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    scheme: String,
    /// The host, or what follows `*.`; empty for any host.
    host: String,
    open: Open,
    port: u16,
    /// Ends with `/`.
    path: String,
}

impl Origin {
    /// Whether a request for the URL may be sent by this grant. A path prefix holds whole segments. A pattern for any host
    /// allows nothing: somebody has to name one. Neither does any pattern allow a URL that carries a user or a password.
    pub fn allows(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let host_fits = match self.open {
            Open::No => host == self.host,
            Open::Label => self.is_label_of(host),
            Open::Host => false,
        };
        let path = url.path();
        host_fits
            && url.scheme() == self.scheme
            && url.port_or_known_default() == Some(self.port)
            && url.username().is_empty()
            && url.password().is_none()
            && (path.starts_with(&self.path) || self.path.strip_suffix('/') == Some(path))
            && !hidden_dots(path)
    }

    /// Whether every URL that `other` allows is allowed by this one too.
    pub fn covers(&self, other: &Self) -> bool {
        self.intersection(other).as_ref() == Some(other)
    }

    /// The URLs that both allow; none where there are none. A pattern for any host takes what the other one names.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let (wide, narrow) = if self.open >= other.open { (self, other) } else { (other, self) };
        let hosts_meet = match (wide.open, narrow.open) {
            (Open::Host, _) => true,
            (Open::Label, Open::No) => wide.port == narrow.port && wide.is_label_of(&narrow.host),
            _ => wide.port == narrow.port && wide.host == narrow.host,
        };
        let path = if self.path.starts_with(&other.path) { &self.path } else { &other.path };
        let paths_meet = path.starts_with(&self.path) && path.starts_with(&other.path);
        (hosts_meet && paths_meet && self.scheme == other.scheme).then(|| Self { path: path.clone(), ..narrow.clone() })
    }

    /// Whether some URL is meant by both; a pattern for any host means every one.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.intersection(other).is_some()
    }

    /// The scheme of a pattern that leaves the host open; none where a host, or a part of its name, is named.
    pub fn any_host(&self) -> Option<&str> {
        (self.open == Open::Host).then_some(self.scheme.as_str())
    }

    /// The scheme: `https` or `http`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The path prefix, with a `/` at its end.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it names this machine itself: `localhost`, 127.0.0.0/8 or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.as_str();
        let literal = host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
        self.open == Open::No && (host == "localhost" || host == "[::1]" || literal)
    }

    /// Whether the host is one label before this pattern's.
    fn is_label_of(&self, host: &str) -> bool {
        host.strip_suffix(self.host.as_str())
            .and_then(|rest| rest.strip_suffix('.'))
            .is_some_and(|label| !label.is_empty() && !label.contains('.'))
    }
}

/// How often a path may be percent-encoded over: more is written by nobody, and each time is looked through.
const ENCODINGS: usize = 8;

/// Dot segments that a server may see and a prefix match does not. (`url` resolves `%2e%2e` between slashes itself, neither
/// `..%2f`, nor what was encoded twice, nor the `..;` that some servers cut at its semicolon.) What is encoded so often that
/// nobody would look through it counts as one.
fn hidden_dots(path: &str) -> bool {
    let mut path = path.as_bytes().to_vec();
    for _ in 0..=ENCODINGS {
        let dots = |segment: &[u8]| matches!(segment, b".." | [b'.', b'.', b';', ..]);
        if path.split(|byte| matches!(byte, b'/' | b'\\')).any(dots) {
            return true;
        }
        let decoded: Vec<u8> = percent_encoding::percent_decode(&path).collect();
        if decoded.len() == path.len() {
            return false;
        }
        path = decoded;
    }
    true
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        // A label that stands in for the `*` before the name.
        const LABEL: &str = "any-label--";
        let wildcard = || OriginError::Wildcard(text.into());
        if text.trim() == "*" {
            return Err(OriginError::Everything);
        }
        let (before, after) = text.split_once("://").unwrap_or((text, ""));
        let follows_scheme = before.trim_start().chars().all(|c| c.is_ascii_alphanumeric());
        let (open, named) = match after.strip_prefix('*') {
            _ if !follows_scheme => (Open::No, text.to_owned()),
            None => (Open::No, text.to_owned()),
            Some(rest) if rest.is_empty() || rest.starts_with('/') => (Open::Host, format!("{before}://{LABEL}{rest}")),
            Some(rest) if rest.starts_with('.') => (Open::Label, format!("{before}://{LABEL}{rest}")),
            Some(_) => return Err(wildcard()),
        };
        if named.contains('*') {
            return Err(wildcard());
        }
        let url = Url::parse(&named).map_err(|error| OriginError::NotUrl(text.into(), error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OriginError::Scheme(text.into(), url.scheme().into()));
        }
        if !follows_scheme {
            return Err(OriginError::NotUrl(text.into(), "its scheme is not followed by `://`".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::Extra(text.into(), "a user"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(OriginError::Extra(text.into(), "a query or a fragment"));
        }
        // As URLs have it, which is not how the standard library writes every address.
        let host =
            url.host_str().ok_or_else(|| OriginError::NotUrl(text.into(), "it names no host".into()))?.to_owned();
        let host = match open {
            Open::Host => String::new(),
            // `%2a` is a `*` by now, and would be read back as one.
            Open::No if host.contains('*') => return Err(wildcard()),
            Open::No => host,
            Open::Label => {
                let rest = host.strip_prefix(LABEL).and_then(|rest| rest.strip_prefix('.')).ok_or_else(wildcard)?;
                if rest.split('.').count() < 2 || rest.split('.').any(str::is_empty) || rest.contains('*') {
                    return Err(wildcard());
                }
                rest.to_owned()
            }
        };
        let mut path = url.path().to_owned();
        if !path.ends_with('/') {
            path.push('/');
        }
        if hidden_dots(&path) {
            return Err(OriginError::Extra(text.into(), "a `..` in its path"));
        }
        let port = url.port_or_known_default().unwrap_or_default();
        Ok(Self { scheme: url.scheme().into(), host, open, port, path })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, path, .. } = self;
        match self.open {
            Open::No => write!(f, "{scheme}://{host}:{port}{path}"),
            Open::Label => write!(f, "{scheme}://*.{host}:{port}{path}"),
            Open::Host => write!(f, "{scheme}://*{path}"),
        }
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allows(origin: &str, url: &str) -> bool {
        origin.parse::<Origin>().unwrap().allows(&Url::parse(url).unwrap())
    }

    #[test]
    fn scheme_host_port_and_path_must_all_fit() {
        let origin = "https://api.example.com/v1";
        for url in ["https://api.example.com/v1", "https://api.example.com/v1/x?q=1", "https://API.example.com:443/v1/"]
        {
            assert!(allows(origin, url), "{url}");
        }
        for url in [
            "http://api.example.com/v1",
            "https://api.example.com:8443/v1",
            "https://api.example.com/v10",
            "https://api.example.com/v1/../v2",
            "https://api.example.com/v1/%2e%2e/v2",
            "https://api.example.com/v1/..%2fv2",
            "https://evil.example/v1",
            "https://api.example.com.evil.example/v1",
            "https://api.example.com@evil.example/v1",
            "https://user:pass@api.example.com/v1",
            "https://api.example.com./v1",
            "https://api.example.com/v1/%2e%2e%2fv2",
            "https://api.example.com/v1/%252e%252e/v2",
            "https://api.example.com/v1/..;/v2",
            "https://api.example.com/v1/..%5cv2",
        ] {
            assert!(!allows(origin, url), "{url}");
        }
    }

    #[test]
    fn a_path_that_is_encoded_over_and_over_is_refused_and_not_looked_through_to_its_end() {
        let encoded = |times: usize| format!("https://api.example.com/v1/%{}41", "25".repeat(times));
        for (times, allowed) in [(0, true), (1, true), (7, true), (8, false), (30_000, false)] {
            assert_eq!(allows("https://api.example.com/v1", &encoded(times)), allowed, "{times}");
        }
    }

    #[test]
    fn a_star_stands_for_exactly_one_label() {
        assert!(allows("https://*.example.com", "https://a.example.com/"));
        for url in
            ["https://example.com/", "https://a.b.example.com/", "https://aexample.com/", "https://.example.com/"]
        {
            assert!(Url::parse(url).is_err() || !allows("https://*.example.com", url), "{url}");
        }
    }

    #[test]
    fn patterns_that_say_too_much_are_refused() {
        for text in [
            "*",
            "https://*:8080",
            "https://*a.example.com",
            "https://%2a.example.com",
            "https://*.com.",
            "https://*..com",
            "https://*.127.0.0.1",
            "https://a.b/://*",
            "https:/a.b:8/://*",
            "https:a.b",
            "https://a.b/*",
            "https://*.a.b/%2e%2e%2fc",
            "https:*.example.com",
            "https://*.example.com@evil.example",
            "https://*/*",
            "https://*.com",
            "https://a.*.com",
            "ftp://a.example",
            "https://u@a.example",
            "https://a.example?x",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_label_that_looks_like_the_parsers_own_is_a_name() {
        let named: Origin = "https://any-label--.example.com".parse().unwrap();
        assert_eq!(named.to_string(), "https://any-label--.example.com:443/");
        assert!(!named.allows(&Url::parse("https://a.example.com/").unwrap()));
    }

    #[test]
    fn everything_at_once_is_refused_with_what_to_write() {
        let error = "*".parse::<Origin>().unwrap_err().to_string();
        assert!(error.contains("name each origin") && error.contains("`https://*`"), "{error}");
    }

    #[test]
    fn odd_forms_of_an_address_are_that_address() {
        for text in [
            "http://0x7f.1",
            "http://2130706433",
            "http://127.1",
            "http://0177.0.0.1",
            "http://127.0.0.1.",
            "http://①②⑦.1",
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!(origin, "http://127.0.0.1".parse().unwrap(), "{text}");
            assert!(origin.is_loopback(), "{text}");
            assert!(allows("http://127.0.0.1", text), "{text}");
            assert!(!allows("http://*.0.1.example", text), "{text}");
        }
        assert!(!"http://127.0.0.1.example.com".parse::<Origin>().unwrap().is_loopback());
        assert!("http://[0:0::1]".parse::<Origin>().unwrap().is_loopback());
        assert!(allows("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]/"));
        assert!("http://localhost:1".parse::<Origin>().unwrap().is_loopback());
    }

    #[test]
    fn an_intersection_is_the_narrower_in_every_part() {
        for (a, b, both) in [
            ("https://*.a.example", "https://x.a.example", Some("https://x.a.example")),
            ("https://*.a.example/v1", "https://x.a.example", Some("https://x.a.example/v1")),
            ("https://*", "https://x.a.example:8443/v1", Some("https://x.a.example:8443/v1")),
            ("https://*/v1", "https://*.a.example", Some("https://*.a.example/v1")),
            ("https://a.example/v1", "https://a.example/v10", None),
            ("https://a.example", "http://a.example:443", None),
            ("https://*.a.example", "https://x.y.a.example", None),
            ("https://*.a.example", "https://*.b.example", None),
        ] {
            let (a, b): (Origin, Origin) = (a.parse().unwrap(), b.parse().unwrap());
            let both = both.map(|text| text.parse::<Origin>().unwrap());
            assert_eq!((a.intersection(&b), b.intersection(&a)), (both.clone(), both), "{a} {b}");
        }
    }

    #[test]
    fn any_host_covers_what_is_named_and_allows_nothing_itself() {
        let any: Origin = "http://*".parse().unwrap();
        for named in ["http://127.0.0.1:9100", "http://*.example.com/metrics", "http://[::1]:80", "http://*/metrics"] {
            let named: Origin = named.parse().unwrap();
            assert!(any.covers(&named), "{named}");
            assert_eq!(named.covers(&any), named == any, "{named}");
        }
        assert!(!any.covers(&"https://a.example.com".parse().unwrap()));
        assert!(!"http://*/metrics".parse::<Origin>().unwrap().covers(&"http://a.example/other".parse().unwrap()));
        for url in ["http://127.0.0.1/", "http://a.example/", "http://any-label--/"] {
            assert!(!allows("http://*", url), "{url}");
        }
        assert_eq!(any.to_string(), "http://*/");
        assert_eq!(any.to_string().parse::<Origin>().unwrap(), any);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back_as_the_same(
            host in "[a-z]{1,8}(\\.[a-z]{2,5}){1,2}", any: bool, port in 1u16.., path in "(/[a-z]{1,4}){0,3}"
        ) {
            let origin: Origin = format!("https://{}{host}:{port}{path}", if any { "*." } else { "" }).parse().unwrap();
            prop_assert_eq!(origin.to_string().parse::<Origin>().unwrap(), origin);
        }

        #[test]
        fn an_intersection_allows_what_both_allow(
            a in crate::testing::origin(), b in crate::testing::origin(), url in crate::testing::url()
        ) {
            let both = a.intersection(&b);
            prop_assert_eq!(&both, &b.intersection(&a));
            if a.any_host().is_none() && b.any_host().is_none() {
                prop_assert_eq!(both.as_ref().is_some_and(|both| both.allows(&url)), a.allows(&url) && b.allows(&url));
            }
            if let Some(both) = both {
                prop_assert!(a.covers(&both) && b.covers(&both));
            }
            prop_assert!(a.covers(&a));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<Origin>();
        }
    }
}
