//! Who asks: which client it is, and whether it is a tester.

use http::{HeaderMap, HeaderValue, header};

use crate::{Sorting, Testers, assign::ClientId};

/// What is known of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The client.
    pub client: ClientId,
    /// Whether it is to be given its id in a cookie.
    pub is_new: bool,
    /// Whether it asks to be answered by the candidate, and may.
    pub is_tester: bool,
}

impl Sorting {
    /// Who asks. What only the front door is to see is taken out of the headers.
    pub fn asker(&self, headers: &mut HeaderMap) -> Asker {
        let is_tester = self.testers.as_ref().is_some_and(|testers| testers.take(headers));
        let named = self.client_header.as_ref().and_then(|name| headers.get(name)).map(named);
        let known = named.or_else(|| ClientId::of(headers));
        crate::assign::strip_cookie(headers, crate::CLIENT_COOKIE);
        Asker { client: known.unwrap_or_else(ClientId::random), is_new: known.is_none(), is_tester }
    }

    /// The client that a text names: the value of the header where one names clients, or of the cookie.
    ///
    /// # Errors
    /// Why it is none, with the remedy.
    pub fn client(&self, text: &str) -> Result<ClientId, String> {
        let text = text.trim();
        let cookie = text.strip_prefix(crate::CLIENT_COOKIE).and_then(|rest| rest.strip_prefix('='));
        match (&self.client_header, cookie) {
            (Some(_), None) => HeaderValue::from_str(text).ok().filter(|_| !text.is_empty()).map(|value| named(&value)),
            _ => ClientId::parse(cookie.unwrap_or(text)),
        }
        .ok_or_else(|| {
            let cookie = crate::CLIENT_COOKIE;
            format!(
                "`{text}` names no client; give the value of the cookie `{cookie}`, which has 16 hexadecimal digits"
            )
        })
    }
}

/// The client that a header's value names: the same on every machine and in every version.
fn named(value: &HeaderValue) -> ClientId {
    let mut first = [0; 8];
    let mut hasher = blake3::Hasher::new();
    hasher.update(value.as_bytes()).finalize_xof().fill(&mut first);
    ClientId(u64::from_le_bytes(first))
}

impl Testers {
    /// Whether a tester asks; what it says for that is taken out, whoever said it.
    fn take(&self, headers: &mut HeaderMap) -> bool {
        let by_header = self.header.as_ref().and_then(|name| headers.remove(name));
        let mut is_tester = by_header.is_some_and(|value| self.is_right(value.as_bytes()));
        if let Some(name) = &self.cookie {
            let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
            let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
            is_tester |= pairs.any(|(cookie, value)| cookie == name && self.is_right(value.as_bytes()));
            crate::assign::strip_cookie(headers, name);
        }
        is_tester
    }

    /// Compared by digest, which takes as long for a value that is nearly right.
    fn is_right(&self, value: &[u8]) -> bool {
        blake3::hash(value) == blake3::hash(self.value.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_client_is_named_by_the_header_and_by_its_cookie_where_that_is_missing() {
        let sorting = Sorting { client_header: Some(HeaderName::from_static("x-user")), testers: None };
        let asker = |pairs: &[(&str, &str)]| sorting.asker(&mut headers(pairs));
        let cookie = ("cookie", "autodevops-client=00000000000000ff");
        let (ann, bob) = (asker(&[("x-user", "ann"), cookie]), asker(&[("x-user", "bob")]));
        assert_eq!(ann, asker(&[("x-user", "ann")]));
        assert!(ann.client != bob.client && !ann.is_new && !bob.is_new);
        assert_eq!(asker(&[cookie]), Asker { client: ClientId(255), is_new: false, is_tester: false });
        assert!(asker(&[]).is_new);
        // Where the header is not set up it names nobody.
        assert!(Sorting::default().asker(&mut headers(&[("x-user", "ann")])).is_new);
    }

    #[test]
    fn a_client_is_found_by_what_its_requests_say() {
        let plain = Sorting::default();
        for text in ["00000000000000ff", " autodevops-client=00000000000000ff "] {
            assert_eq!(plain.client(text), Ok(ClientId(255)), "{text}");
        }
        for text in ["", "ff", "ann", "000000000000000g"] {
            assert!(plain.client(text).unwrap_err().contains("the value of the cookie `autodevops-client`"), "{text}");
        }
        let by_header = Sorting { client_header: Some(HeaderName::from_static("x-user")), testers: None };
        let asked = by_header.asker(&mut headers(&[("x-user", "00000000000000ff")])).client;
        assert_eq!(by_header.client("00000000000000ff"), Ok(asked), "it is the header's value");
        assert_eq!(by_header.client("autodevops-client=00000000000000ff"), Ok(ClientId(255)));
        assert!(by_header.client(" ").is_err());
    }

    #[test]
    fn only_who_knows_the_value_is_a_tester_and_the_release_does_not_see_it() {
        let testers = Testers {
            header: Some(HeaderName::from_static("x-preview")),
            cookie: Some("preview".into()),
            value: HeaderValue::from_static("open-sesame"),
        };
        let sorting = Sorting { client_header: None, testers: Some(testers) };
        for (sent, is_tester) in [
            (&[("x-preview", "open-sesame")][..], true),
            (&[("x-preview", "open")], false),
            (&[("cookie", "a=b; preview=open-sesame")], true),
            (&[("cookie", "preview=open; a=b")], false),
            (&[("cookie", "a=b")], false),
        ] {
            let mut sent = headers(sent);
            let has_cookie = sent.contains_key("cookie");
            assert_eq!(sorting.asker(&mut sent).is_tester, is_tester, "{sent:?}");
            assert_eq!(sent, if has_cookie { headers(&[("cookie", "a=b")]) } else { HeaderMap::new() });
        }
        let mut sent = headers(&[("x-preview", "open-sesame")]);
        assert!(!Sorting::default().asker(&mut sent).is_tester && sent.contains_key("x-preview"));
    }
}
