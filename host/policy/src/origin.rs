//! Where outgoing HTTP may go: `https://api.example.com/v1`, `http://127.0.0.1:8080`, `https://*.example.com`.
//!
//! A manifest that leaves the host to the operator asks for `http://*`: any host and port, which allows nothing by itself and
//! covers whatever origin of that scheme the operator names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// A pattern that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It is no URL.
    #[error("{0:?} is not an origin: {1}; write for example `https://api.example.com`")]
    NotUrl(String, String),
    /// Only two schemes are spoken.
    #[error("{0:?} has the scheme `{1}`; only `https` and `http` are taken")]
    Scheme(String, String),
    /// A `*` where none may be.
    #[error("{0:?} has a `*` that is not the first label of a name; write for example `https://*.example.com`")]
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
    /// allows nothing: somebody has to name one.
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
            && (path.starts_with(&self.path) || self.path.strip_suffix('/') == Some(path))
            && !encoded_dots(path)
    }

    /// Whether every URL that `other` allows is allowed by this one too.
    pub fn covers(&self, other: &Self) -> bool {
        let same_port = self.port == other.port;
        let host_and_port = match (self.open, other.open) {
            (Open::Host, _) => true,
            (Open::Label, Open::No) => same_port && self.is_label_of(&other.host),
            (open, other_open) => same_port && open == other_open && self.host == other.host,
        };
        host_and_port && self.scheme == other.scheme && other.path.starts_with(&self.path)
    }

    /// Whether the host is one label before this pattern's.
    fn is_label_of(&self, host: &str) -> bool {
        host.strip_suffix(self.host.as_str())
            .and_then(|rest| rest.strip_suffix('.'))
            .is_some_and(|label| !label.is_empty() && !label.contains('.'))
    }
}

/// A dot segment that a server may decode and a prefix match does not see. (`url` resolves `%2e%2e` itself, not `%2f`.)
fn encoded_dots(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    lower.contains("..%2f") || lower.contains("%2f..") || lower.contains("..%5c") || lower.contains("%5c..")
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        // `*` is no host character for the parser: a label that is one stands in for it.
        const ANY: &str = "any-label--";
        let any_host = text.split_once("://*").is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('/'));
        if text.matches('*').count() > usize::from(any_host || text.contains("://*.")) {
            return Err(OriginError::Wildcard(text.into()));
        }
        let url = Url::parse(&text.replacen("://*", &format!("://{ANY}"), 1))
            .map_err(|error| OriginError::NotUrl(text.into(), error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OriginError::Scheme(text.into(), url.scheme().into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::Extra(text.into(), "a user"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(OriginError::Extra(text.into(), "a query or a fragment"));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => format!("[{address}]"),
            None => return Err(OriginError::NotUrl(text.into(), "it names no host".into())),
        };
        let (host, open) = match host.strip_prefix(ANY).and_then(|rest| rest.strip_prefix('.')) {
            _ if any_host => (String::new(), Open::Host),
            Some(rest) if rest.contains('.') => (rest.to_owned(), Open::Label),
            Some(_) => return Err(OriginError::Wildcard(text.into())),
            None => (host, Open::No),
        };
        let mut path = url.path().to_owned();
        if !path.ends_with('/') {
            path.push('/');
        }
        Ok(Self {
            scheme: url.scheme().into(),
            host,
            open,
            port: url.port_or_known_default().unwrap_or_default(),
            path,
        })
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
        ] {
            assert!(!allows(origin, url), "{url}");
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
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<Origin>();
        }
    }
}
