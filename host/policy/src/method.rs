//! Methods of requests. `CONNECT` and `TRACE` are none: what they do is not a request to an origin.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A method that a request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Reads the headers only.
    Head,
    /// Sends.
    Post,
    /// Puts in place.
    Put,
    /// Changes in part.
    Patch,
    /// Removes.
    Delete,
    /// Asks what may be done.
    Options,
}

impl Method {
    /// Every method, in the order in which they are shown.
    pub const ALL: [Self; 7] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options];

    /// The method as it is sent.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that is no method which a request may have. Methods are told apart by case: `get` is another than `GET`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no method that is taken; known are GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS")]
pub struct MethodError(pub String);

impl FromStr for Method {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        Self::ALL.into_iter().find(|method| method.name() == text).ok_or_else(|| MethodError(text.to_owned()))
    }
}

/// A set of methods. Where a file names none, all are meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Methods(u8);

impl Methods {
    /// Every method.
    pub const ALL: Self = Self((1 << Method::ALL.len()) - 1);

    /// No method.
    pub const NONE: Self = Self(0);

    /// Whether it is every method.
    pub fn is_all(&self) -> bool {
        *self == Self::ALL
    }

    /// Whether it is no method.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the method is one of them.
    pub const fn contains(self, method: Method) -> bool {
        self.0 & method.bit() != 0
    }

    /// Whether all of the others are among them.
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not among the others.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The methods, in the order in which they are shown.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(move |method| self.contains(*method))
    }
}

impl Default for Methods {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromIterator<Method> for Methods {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        Self(methods.into_iter().fold(0, |bits, method| bits | method.bit()))
    }
}

impl fmt::Display for Methods {
    /// In words: `GET, HEAD and POST`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Method::name).collect();
        match names.split_last() {
            None => f.write_str("no method"),
            Some((last, [])) => f.write_str(last),
            Some((last, before)) => write!(f, "{} and {last}", before.join(", ")),
        }
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Methods {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Methods {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let methods: Self = Vec::<Method>::deserialize(deserializer)?.into_iter().collect();
        if methods.is_empty() {
            return Err(de::Error::custom("`methods` is empty; name at least one, or leave it out for all"));
        }
        Ok(methods)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn methods_are_shown_in_words() {
        let methods = |names: &[&str]| names.iter().map(|name| name.parse::<Method>().unwrap()).collect::<Methods>();
        assert_eq!(methods(&["GET"]).to_string(), "GET");
        assert_eq!(methods(&["POST", "GET", "POST"]).to_string(), "GET and POST");
        assert_eq!(Methods::ALL.to_string(), "GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS");
    }

    #[test]
    fn no_other_method_is_taken() {
        for text in ["CONNECT", "TRACE", "get", "", "GET ", "G\u{0}ET", "PROPFIND"] {
            assert!(text.parse::<Method>().is_err(), "{text:?}");
            assert!(serde_json::from_value::<Methods>(vec![text].into()).is_err(), "{text:?}");
        }
        let error = serde_json::from_str::<Methods>("[]").unwrap_err().to_string();
        assert!(error.contains("name at least one"), "{error}");
    }

    proptest! {
        #[test]
        fn sets_of_methods_are_sets(a in 0u8..128, b in 0u8..128) {
            let (a, b) = (Methods(a), Methods(b));
            for method in Method::ALL {
                prop_assert_eq!(a.and(b).contains(method), a.contains(method) && b.contains(method));
                prop_assert_eq!(a.or(b).contains(method), a.contains(method) || b.contains(method));
                prop_assert_eq!(a.without(b).contains(method), a.contains(method) && !b.contains(method));
            }
            prop_assert_eq!(a.covers(b), b.iter().all(|method| a.contains(method)));
            prop_assert_eq!(a.iter().collect::<Methods>(), a);
        }
    }
}
