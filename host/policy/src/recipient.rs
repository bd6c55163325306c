//! Addresses of mail, and whom the operator grants mail to: one address, or everybody of a domain.
//!
//! What is taken is narrower than what standards allow: no quoted names, no comments, no literal addresses, ASCII alone. So nothing that is
//! taken here can be read as another header, another recipient or another command, however it is put on the wire.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Longest address (RFC 5321, 4.5.3.1.3, without the angle brackets).
const MAX_ADDRESS_BYTES: usize = 254;

/// Longest name before the `@` (RFC 5321, 4.5.3.1.1).
const MAX_NAME_BYTES: usize = 64;

/// Longest label of a domain (RFC 1035, 2.3.4).
const MAX_LABEL_BYTES: usize = 63;

/// A text is no address, or no recipient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is {what}", what = if *pattern { "nobody to grant mail to; write \"ada@example.com\", or \"*@example.com\" for a domain" } else { "no address of mail; write for example \"ada@example.com\"" })]
pub struct RecipientError {
    text: String,
    pattern: bool,
}

/// An address of mail, such as `ada@example.com`: its domain is in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailAddress {
    text: String,
    /// Where the `@` is.
    at: usize,
}

impl MailAddress {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands after the `@`.
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }
}

impl FromStr for MailAddress {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        let wrong = || RecipientError { text: text.chars().take(MAX_ADDRESS_BYTES).collect(), pattern: false };
        let (name, domain) = text.split_once('@').ok_or_else(wrong)?;
        if text.len() > MAX_ADDRESS_BYTES || !is_name(name) || !is_domain(domain) {
            return Err(wrong());
        }
        Ok(Self { text: format!("{name}@{}", domain.to_ascii_lowercase()), at: name.len() })
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// RFC 5322's `dot-atom-text`.
fn is_name(name: &str) -> bool {
    let atom = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    // A `*` alone is the pattern, and nobody's name.
    name != "*" && name.len() <= MAX_NAME_BYTES && name.split('.').all(atom)
}

/// Two labels at least, or this machine: a name alone would be completed by whoever looks it up.
fn is_domain(domain: &str) -> bool {
    let label = |text: &str| {
        (1..=MAX_LABEL_BYTES).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-')
    };
    let last_is_a_number = domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    (domain.contains('.') || domain.eq_ignore_ascii_case("localhost"))
        && domain.split('.').all(label)
        && !last_is_a_number
}

/// Whom mail may go to: `ada@example.com`, or `*@example.com`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    /// Everybody whose address has this very domain, in lower case; not those of domains below it.
    Domain(String),
    /// One address.
    One(MailAddress),
}

impl Recipient {
    /// Whether mail may go to the address.
    pub fn allows(&self, address: &MailAddress) -> bool {
        match self {
            Self::One(one) => one == address,
            Self::Domain(domain) => address.domain() == domain,
        }
    }

    /// Whether everybody whom the other one means is meant by this one, too.
    pub fn covers(&self, other: &Self) -> bool {
        match other {
            Self::One(address) => self.allows(address),
            Self::Domain(_) => self == other,
        }
    }
}

impl FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        let wrong = || RecipientError { text: text.chars().take(MAX_ADDRESS_BYTES).collect(), pattern: true };
        match text.strip_prefix("*@") {
            Some(domain) if is_domain(domain) && text.len() <= MAX_ADDRESS_BYTES => {
                Ok(Self::Domain(domain.to_ascii_lowercase()))
            }
            Some(_) => Err(wrong()),
            None => text.parse().map(Self::One).map_err(|_| wrong()),
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(address) => address.fmt(f),
            Self::Domain(domain) => write!(f, "*@{domain}"),
        }
    }
}

macro_rules! as_text {
    ($($name:ident),+) => {
        $(impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        })+
    };
}

as_text!(MailAddress, Recipient);

/// Those of the first that no one of the others covers.
pub(crate) fn beyond<'a>(those: &'a [Recipient], others: &'a [Recipient]) -> impl Iterator<Item = &'a Recipient> {
    those.iter().filter(move |one| !others.iter().any(|other| other.covers(one)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recipient(text: &str) -> Recipient {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_plain_or_it_is_none() {
        for text in ["ada@example.com", "a.b+c@x-y.example", "ops@localhost", "o'neil@a.b.example"] {
            assert_eq!(text.parse::<MailAddress>().unwrap().as_str(), text);
        }
        assert_eq!("Ada@Example.COM".parse::<MailAddress>().unwrap().as_str(), "Ada@example.com");
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "ada@@example.com",
            "ada@example.com ",
            "ada b@example.com",
            "ada@exa\nmple.com",
            "ada\r\nBcc: eve@evil.example@example.com",
            "ada@example.com\r\nRCPT TO:<eve@evil.example>",
            "\"a b\"@example.com",
            "ada(x)@example.com",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "ada@-a.example",
            "ada@a..example",
            ".ada@example.com",
            "ada.@example.com",
            "Ada <ada@example.com>",
            "ada@example.com,eve@evil.example",
            "ädä@example.com",
            "ada@exämple.com",
            "*@example.com",
        ] {
            assert!(text.parse::<MailAddress>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_recipient_is_one_address_or_a_whole_domain_and_none_below_it() {
        let address = |text: &str| text.parse::<MailAddress>().unwrap();
        assert!(recipient("ada@example.com").allows(&address("ada@EXAMPLE.com")));
        assert!(!recipient("ada@example.com").allows(&address("Ada@example.com")), "a name is what its server says");
        assert!(recipient("*@example.com").allows(&address("eve@example.com")));
        for other in ["eve@a.example.com", "eve@notexample.com", "eve@example.com.evil.example"] {
            assert!(!recipient("*@example.com").allows(&address(other)), "{other}");
        }
        assert!(recipient("*@example.com").covers(&recipient("ada@example.com")));
        assert!(!recipient("ada@example.com").covers(&recipient("*@example.com")));
    }

    #[test]
    fn what_is_no_recipient_is_named_with_what_to_write() {
        for text in ["*", "*@*", "*@*.example.com", "a*@", "@", "*@com"] {
            let error = text.parse::<Recipient>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("\"*@example.com\" for a domain"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_taken_can_end_a_line_or_a_list(text in "\\PC{0,12}[a-z.@*<>,;: \\r\\n\"-]{0,12}") {
            if let Ok(address) = text.parse::<MailAddress>() {
                let odd = |c: char| c.is_control() || c.is_whitespace() || ",;:<>()[]\"\\".contains(c) || !c.is_ascii();
                prop_assert!(!address.as_str().contains(odd) && address.as_str().matches('@').count() == 1);
                prop_assert_eq!(address.as_str().parse::<MailAddress>().unwrap(), address);
            }
        }

        #[test]
        fn what_covers_allows_all_that_is_allowed(
            one in "(\\*|ada|eve)@(a|b)\\.example", other in "(\\*|ada|eve)@(a|b)\\.example",
            address in "(ada|eve|bob)@(a|b)\\.example"
        ) {
            let (one, other) = (recipient(&one), recipient(&other));
            let address: MailAddress = address.parse().unwrap();
            prop_assert!(!one.covers(&other) || !other.allows(&address) || one.allows(&address));
            prop_assert_eq!(one.to_string().parse::<Recipient>().unwrap(), one);
        }
    }
}
