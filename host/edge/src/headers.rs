//! Headers on their way through.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers that belong to one connection (RFC 9110, section 7.6.1), besides those that `connection` names.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Takes out what belongs to one connection only.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let mut named: Vec<HeaderName> = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        let names = value.to_str().unwrap_or_default().split(',').map(str::trim);
        // What most of them say names no other header.
        let names =
            names.filter(|name| !name.eq_ignore_ascii_case("keep-alive") && !name.eq_ignore_ascii_case("close"));
        named.extend(names.filter_map(|name| name.parse().ok()));
    }
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// The protocol that a request asks for in place of HTTP, or that an answer agrees to. HTTP/2 is a mere offer, which may
/// be passed over.
pub fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_meant = headers.get_all(header::CONNECTION).into_iter().any(|value| {
        value.to_str().unwrap_or_default().split(',').any(|name| name.trim().eq_ignore_ascii_case("upgrade"))
    });
    let protocol = headers.get(header::UPGRADE)?;
    (is_meant && !protocol.as_bytes().eq_ignore_ascii_case(b"h2c")).then(|| protocol.clone())
}

/// Says that the protocol changes.
pub fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

/// Says who asked for what; `address` is the peer's. What the request says of that itself is believed from this machine
/// only, where a proxy that ends TLS may stand in front.
pub fn forwarded(headers: &mut HeaderMap, peer: SocketAddr, address: &HeaderValue) {
    if !peer.ip().to_canonical().is_loopback() {
        for name in [FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO] {
            headers.remove(name);
        }
    }
    let mut all: Vec<&str> = headers.get_all(FORWARDED_FOR).into_iter().filter_map(|v| v.to_str().ok()).collect();
    let value = if all.is_empty() {
        Some(address.clone())
    } else {
        all.extend(address.to_str());
        HeaderValue::from_str(&all.join(", ")).ok()
    };
    if let Some(value) = value {
        headers.insert(FORWARDED_FOR, value);
    }
    if let (false, Some(host)) = (headers.contains_key(FORWARDED_HOST), headers.get(header::HOST).cloned()) {
        headers.insert(FORWARDED_HOST, host);
    }
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let parse = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        pairs.iter().map(parse).collect()
    }

    #[test]
    fn what_belongs_to_one_connection_does_not_go_through() {
        let mut map = headers(&[
            ("connection", "keep-alive, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("accept", "*/*")]));
    }

    #[test]
    fn only_this_machine_is_believed_about_who_asked() {
        let sent = [("host", "shop.example"), ("x-forwarded-for", "10.0.0.1"), ("x-forwarded-proto", "https")];
        for (peer, address, by, proto) in [
            ("127.0.0.1:9", "127.0.0.1", "10.0.0.1, 127.0.0.1", "https"),
            ("[::ffff:192.0.2.7]:9", "192.0.2.7", "192.0.2.7", "http"),
        ] {
            let mut map = headers(&sent);
            forwarded(&mut map, peer.parse().unwrap(), &HeaderValue::from_static(address));
            let values = [FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST].map(|name| map[name].to_str().unwrap());
            assert_eq!(values, [by, proto, "shop.example"]);
        }
    }

    #[test]
    fn a_websocket_is_asked_for_by_both_headers_and_an_offer_of_http_2_is_passed_over() {
        for (sent, asked) in [
            (&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")][..], Some("websocket")),
            (&[("upgrade", "websocket")], None),
            (&[("connection", "upgrade"), ("upgrade", "h2c")], None),
            (&[("connection", "upgrade")], None),
        ] {
            assert_eq!(upgrade(&headers(sent)), asked.map(HeaderValue::from_static), "{sent:?}");
        }
    }
}
