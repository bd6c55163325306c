//! Which release answers a client: by the client's id and the shares alone, so that nothing is kept per client.
//!
//! Weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005): the release
//! with the highest `-percent / ln(u)` wins, where `u` is a hash of client and release, uniform in (0, 1). Each release
//! gets its share of the clients; when a share grows against the others, the only clients that move are those that it
//! gains. Since the release's name is hashed too, it is not always the same people who meet a candidate first.

use std::hash::{BuildHasher, Hasher, RandomState};

use autodevops_model::Split;
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};

use crate::CLIENT_COOKIE;

/// A client's random id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(pub u64);

impl ClientId {
    /// A new id. It is no secret: it only spreads clients.
    pub fn random() -> Self {
        // A state has keys of its own, taken from the system's source of randomness.
        Self(RandomState::new().build_hasher().finish())
    }

    /// The id in a request's cookies.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == CLIENT_COOKIE)?;
        Self::parse(value)
    }

    /// The id that a cookie's value is.
    pub fn parse(value: &str) -> Option<Self> {
        let valid = value.len() == 16 && value.bytes().all(|b| b.is_ascii_hexdigit());
        valid.then(|| u64::from_str_radix(value, 16).ok().map(Self)).flatten()
    }

    /// The cookie that a client is given.
    pub fn cookie(self) -> Option<HeaderValue> {
        // 30 days, so that a rollout of hours finds people where it left them.
        let text = format!("{CLIENT_COOKIE}={:016x}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax", self.0);
        HeaderValue::from_str(&text).ok()
    }
}

/// Takes a cookie that is the front door's own out of a request's cookies.
pub fn strip_cookie(headers: &mut HeaderMap, own: &str) {
    let is_own = |pair: &str| pair.trim().split_once('=').is_some_and(|(name, _)| name == own);
    let mut cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    if !cookies.any(|value| value.split(';').any(is_own)) {
        return;
    }
    let mut kept: Vec<HeaderValue> = Vec::new();
    for value in headers.get_all(header::COOKIE) {
        let Ok(text) = value.to_str() else {
            kept.push(value.clone());
            continue;
        };
        if !text.split(';').any(is_own) {
            kept.push(value.clone());
            continue;
        }
        let rest: Vec<&str> = text.split(';').map(str::trim).filter(|pair| !is_own(pair)).collect();
        if let (false, Ok(value)) = (rest.is_empty(), HeaderValue::from_str(&rest.join("; "))) {
            kept.push(value);
        }
    }
    headers.remove(header::COOKIE);
    for value in kept {
        headers.append(header::COOKIE, value);
    }
}

/// The place in `splits` of the release that answers the client; none when nothing has a share.
pub fn assign(client: ClientId, splits: &[Split]) -> Option<usize> {
    let mut with_share = splits.iter().enumerate().filter(|(_, split)| split.percent > 0);
    match (with_share.next(), with_share.next()) {
        (None, _) => return None,
        // No need to compute when there is no choice.
        (Some((only, _)), None) => return Some(only),
        _ => {}
    }
    let scores = splits.iter().map(|split| score(client, split));
    scores.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(index, _)| index)
}

fn score(client: ClientId, split: &Split) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&client.0.to_le_bytes());
    hasher.update(split.release.as_bytes());
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    // 53 bits fit a float exactly; the half keeps it off 0 and 1.
    let uniform = ((u64::from_le_bytes(first) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(split.percent) / uniform.ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn splits(shares: &[u8]) -> Vec<Split> {
        shares.iter().enumerate().map(|(n, percent)| Split { release: format!("r-{n}"), percent: *percent }).collect()
    }

    fn clients() -> impl Iterator<Item = ClientId> {
        (0..20_000u64).map(|n| ClientId(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    #[test]
    fn releases_get_their_share_of_the_clients() {
        for shares in [&[95u8, 5][..], &[75, 25], &[50, 50], &[60, 30, 10], &[0, 100]] {
            let splits = splits(shares);
            let mut counts = vec![0u32; shares.len()];
            clients().for_each(|client| counts[assign(client, &splits).unwrap()] += 1);
            for (count, share) in counts.iter().zip(shares) {
                let percent = f64::from(*count) / 200.0;
                // Five standard deviations of a binomial count of 20,000.
                let p = f64::from(*share) / 100.0;
                let tolerance = 500.0 * (p * (1.0 - p) / 20_000.0).sqrt() + 1e-9;
                assert!((percent - f64::from(*share)).abs() <= tolerance, "{shares:?}: {counts:?}");
            }
        }
    }

    #[test]
    fn a_growing_share_moves_only_the_clients_that_it_gains() {
        let steps = [splits(&[95, 5]), splits(&[75, 25]), splits(&[50, 50]), splits(&[0, 100])];
        for pair in steps.windows(2) {
            for client in clients() {
                let (before, after) = (assign(client, &pair[0]), assign(client, &pair[1]));
                assert!(before == after || (before, after) == (Some(0), Some(1)));
            }
        }
    }

    #[test]
    fn nothing_answers_when_nothing_has_a_share() {
        assert_eq!(assign(ClientId(1), &[]), None);
        assert_eq!(assign(ClientId(1), &splits(&[0, 0])), None);
    }

    #[test]
    fn an_id_comes_back_from_its_cookie_and_nothing_else_is_taken() {
        let id = ClientId::random();
        let cookie = id.cookie().unwrap();
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; {pair}").parse().unwrap());
        assert_eq!(ClientId::of(&headers), Some(id));
        for bad in ["", "xyz", "+123456789abcdef", "00000000000000000"] {
            headers.insert(header::COOKIE, format!("{CLIENT_COOKIE}={bad}").parse().unwrap());
            assert_eq!(ClientId::of(&headers), None, "{bad}");
        }
    }

    #[test]
    fn the_application_does_not_see_the_front_doors_cookie() {
        for (before, after) in [
            ("a=b; autodevops-client=0; c=d", Some("a=b; c=d")),
            ("autodevops-client=0", None),
            ("a=b;c=d", Some("a=b;c=d")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, before.parse().unwrap());
            strip_cookie(&mut headers, CLIENT_COOKIE);
            assert_eq!(headers.get(header::COOKIE).map(|value| value.to_str().unwrap()), after);
        }
    }

    proptest! {
        #[test]
        fn the_order_of_the_splits_does_not_matter(client: u64, a in 0u8..=100, b in 0u8..=100) {
            let mut splits = splits(&[a, b, 100 - a.min(100)]);
            let release =
                |splits: &[Split]| assign(ClientId(client), splits).map(|index| splits[index].release.clone());
            let before = release(&splits);
            splits.reverse();
            prop_assert_eq!(before, release(&splits));
        }
    }
}
