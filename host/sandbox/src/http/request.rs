//! What a guest asks for, before it is sent: what is judged is what goes on the wire.

use http::{HeaderName, HeaderValue, Method, Version, header};
use url::Url;
use wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS;

use crate::refusal::Refusal;

/// Headers that only the host sets, those of the connection apart: who is asked, how the message is framed, who asks. And those by
/// which many servers take another method, path or host than the one that was judged.
const HOSTS_OWN: &[&str] = &[
    "authorization",
    "cookie",
    "expect",
    "forwarded",
    "te",
    "trailer",
    "x-api-key",
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-rewrite-url",
];

/// What the names of such headers begin with.
const HOSTS_OWN_FAMILIES: &[&str] = &["proxy-", "x-forwarded-", "x-original-"];

/// A header's name as it may be read: servers that hand headers on as variables tell neither `_` from `-` nor the case.
pub fn as_read(name: &str) -> String {
    name.replace('_', "-").to_ascii_lowercase()
}

/// Whether a guest may not set a header.
pub fn is_hosts_own(name: &HeaderName) -> bool {
    let name_as_read = as_read(name.as_str());
    DEFAULT_FORBIDDEN_HEADERS.iter().any(|own| *own == name_as_read.as_str())
        || HOSTS_OWN.contains(&name_as_read.as_str())
        || HOSTS_OWN_FAMILIES.iter().any(|family| name_as_read.starts_with(family))
}

/// The URL of a request.
///
/// # Errors
/// When it has none, names no host, or a user: credentials are the host's to add.
pub fn url_of<B>(request: &http::Request<B>) -> Result<Url, Refusal> {
    let uri = request.uri();
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    if authority.is_empty() || authority.contains('@') {
        return Err(Refusal::Url);
    }
    let url = Url::parse(&uri.to_string()).map_err(|_| Refusal::Url)?;
    let plain = url.username().is_empty() && url.password().is_none();
    if plain && matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(Refusal::Url) }
}

/// Whether a method is one that asks for something else than a document: a tunnel, an echo of the request.
pub fn is_refused(method: &Method) -> bool {
    ["CONNECT", "TRACE", "TRACK", "PRI"].iter().any(|refused| method.as_str().eq_ignore_ascii_case(refused))
}

/// Makes a request ready for the wire: its path and its host are those of the URL that was judged, dot segments resolved.
///
/// # Errors
/// When a header is there that is the host's to set.
pub fn prepare<B>(
    request: &mut http::Request<B>,
    url: &Url,
    forbidden: impl Fn(&HeaderName) -> bool,
) -> Result<(), Refusal> {
    if request.headers().keys().any(forbidden) || request.headers().get_all(header::CONTENT_LENGTH).iter().count() > 1 {
        return Err(Refusal::Header);
    }
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    *request.uri_mut() = path.parse().map_err(|_| Refusal::Url)?;
    let host = url.host_str().ok_or(Refusal::Url)?;
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let host = HeaderValue::from_str(&host).map_err(|_| Refusal::Url)?;
    request.headers_mut().insert(header::HOST, host);
    *request.version_mut() = Version::HTTP_11;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> http::Request<()> {
        http::Request::builder().uri(uri).body(()).unwrap()
    }

    #[test]
    fn what_was_judged_is_what_is_sent() {
        for (uri, judged, path, host) in [
            ("http://a.example/x/../y?q=1", "http://a.example/y?q=1", "/y?q=1", "a.example"),
            ("http://a.example/x/%2e%2e/y", "http://a.example/y", "/y", "a.example"),
            ("http://a.example/x\\..\\y", "http://a.example/y", "/y", "a.example"),
            ("http://A.Example:80", "http://a.example/", "/", "a.example"),
            ("https://a.example:8443//b", "https://a.example:8443//b", "//b", "a.example:8443"),
            ("http://0x7f.1/", "http://127.0.0.1/", "/", "127.0.0.1"),
            ("http://2130706433/", "http://127.0.0.1/", "/", "127.0.0.1"),
            ("http://[0:0:0:0:0:ffff:7f00:1]:8080/", "http://[::ffff:7f00:1]:8080/", "/", "[::ffff:7f00:1]:8080"),
        ] {
            let Ok(mut request) = http::Request::builder().uri(uri).body(()) else {
                continue;
            };
            let url = url_of(&request).unwrap();
            assert_eq!(url.as_str(), judged, "{uri}");
            prepare(&mut request, &url, is_hosts_own).unwrap();
            assert_eq!(request.uri(), path, "{uri}");
            assert_eq!(request.headers()[header::HOST], host, "{uri}");
        }
    }

    #[test]
    fn a_url_without_a_host_or_with_a_user_is_refused() {
        for uri in ["/path", "http://me@a.example/", "http://me:word@a.example/", "http://a.example@b.example/"] {
            assert!(url_of(&request(uri)).is_err(), "{uri}");
        }
    }

    #[test]
    fn headers_that_frame_a_message_or_carry_credentials_are_the_hosts_to_set() {
        let own = "authorization connection cookie expect forwarded host http2-settings keep-alive proxy-authenticate \
                   proxy-authorization proxy-connection proxy-anything te trailer transfer-encoding upgrade x-api-key \
                   x-forwarded-host x-forwarded-for x-original-url x-rewrite-url x-http-method-override \
                   x-http-method x-method-override x-host transfer_encoding x_forwarded_host";
        for name in own.split_whitespace() {
            let name: HeaderName = name.parse().unwrap();
            assert!(is_hosts_own(&name), "{name}");
            let mut asked = request("http://a.example/");
            let url = url_of(&asked).unwrap();
            asked.headers_mut().insert(&name, HeaderValue::from_static("x"));
            assert!(prepare(&mut asked, &url, is_hosts_own).is_err(), "{name}");
        }
        for name in ["accept", "content-length", "content-type", "user-agent", "if-match"] {
            assert!(!is_hosts_own(&name.parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn tunnels_and_echoes_are_refused_in_any_case() {
        for method in ["CONNECT", "connect", "TRACE", "Trace", "TRACK", "PRI"] {
            assert!(is_refused(&Method::from_bytes(method.as_bytes()).unwrap()), "{method}");
        }
        assert!(!is_refused(&Method::GET));
    }
}
