//! Headers on their way through.

use std::net::{IpAddr, SocketAddr};

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
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// Whether a request asks for another protocol that cannot be given. HTTP/2 is a mere offer, which may be passed over.
pub fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.get_all(header::UPGRADE).into_iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"h2c"))
}

/// Says who asked for what. What the request says of that itself is believed from this machine only, where a proxy that
/// ends TLS may stand in front.
pub fn forwarded(headers: &mut HeaderMap, peer: SocketAddr) {
    let trusted = peer.ip().to_canonical().is_loopback();
    if !trusted {
        for name in [FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO] {
            headers.remove(name);
        }
    }
    let address: IpAddr = peer.ip().to_canonical();
    let before: Vec<&str> =
        headers.get_all(FORWARDED_FOR).into_iter().filter_map(|value| value.to_str().ok()).collect();
    let all = before.into_iter().map(str::to_owned).chain([address.to_string()]).collect::<Vec<_>>().join(", ");
    if let Ok(value) = HeaderValue::from_str(&all) {
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
        for (peer, by, proto) in
            [("127.0.0.1:9", "10.0.0.1, 127.0.0.1", "https"), ("[::ffff:192.0.2.7]:9", "192.0.2.7", "http")]
        {
            let mut map = headers(&sent);
            forwarded(&mut map, peer.parse().unwrap());
            let values = [FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST].map(|name| map[name].to_str().unwrap());
            assert_eq!(values, [by, proto, "shop.example"]);
        }
    }

    #[test]
    fn an_offer_of_http_2_is_passed_over_and_a_websocket_is_not() {
        assert!(!wants_upgrade(&headers(&[("upgrade", "h2c")])));
        assert!(wants_upgrade(&headers(&[("upgrade", "websocket")])));
    }
}
