//! Where requests may go, and with which methods: an origin alone, or `{ origin = "…", methods = ["GET"] }`.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use url::Url;

use crate::{Method, Methods, Origin, OriginError};

/// An origin, and the methods of requests to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// Scheme, host, port and path prefix.
    pub origin: Origin,
    /// Never empty where it was read.
    pub methods: Methods,
}

impl Destination {
    /// Whether requests of some method may be sent to the URL.
    pub fn allows(&self, url: &Url) -> bool {
        self.origin.allows(url)
    }

    /// Whether a request may be sent.
    pub fn allows_request(&self, method: Method, url: &Url) -> bool {
        self.methods.contains(method) && self.allows(url)
    }

    /// Whether every request that the other one allows is allowed by this one too.
    pub fn covers(&self, other: &Self) -> bool {
        self.methods.covers(other.methods) && self.origin.covers(&other.origin)
    }

    /// What both allow; none where that is nothing.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let methods = self.methods.and(other.methods);
        let origin = self.origin.intersection(&other.origin)?;
        (!methods.is_empty()).then_some(Self { origin, methods })
    }
}

/// The least list of destinations that allows what the list allows: sorted, without those that another one covers.
pub(crate) fn reduced(mut destinations: Vec<Destination>) -> Vec<Destination> {
    destinations.sort();
    destinations.dedup();
    let all = destinations.clone();
    destinations.retain(|one| !all.iter().any(|other| other != one && other.covers(one)));
    destinations
}

impl From<Origin> for Destination {
    fn from(origin: Origin) -> Self {
        Self { origin, methods: Methods::ALL }
    }
}

impl FromStr for Destination {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        text.parse::<Origin>().map(Self::from)
    }
}

impl fmt::Display for Destination {
    /// In words: `GET and POST requests to https://api.example.com:443/v1/`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.methods.is_all() {
            write!(f, "{} ", self.methods)?;
        }
        match self.origin.any_host() {
            Some(scheme) => {
                write!(f, "requests to any {scheme} host that you name")?;
                if self.origin.path() == "/" { Ok(()) } else { write!(f, ", below {}", self.origin.path()) }
            }
            None => write!(f, "requests to {}", self.origin),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    origin: Origin,
    #[serde(default)]
    methods: Methods,
}

impl Serialize for Destination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { origin, methods } = self.clone();
        if methods.is_all() { origin.serialize(serializer) } else { Table { origin, methods }.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not an untagged enum, which would keep the reason of an error for itself.
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Destination;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an origin such as \"https://api.example.com\", or { origin = \"…\", methods = [\"GET\"] }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Destination, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Destination, A::Error> {
                let Table { origin, methods } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Destination { origin, methods })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(json: serde_json::Value) -> Result<Destination, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_destination_is_an_origin_or_a_table_and_is_written_as_it_was() {
        for json in [
            serde_json::json!("https://a.example:443/"),
            serde_json::json!({ "origin": "https://a.example:443/v1/", "methods": ["GET", "POST"] }),
        ] {
            let read = destination(json.clone()).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), json);
        }
        let all = destination(serde_json::json!({ "origin": "https://a.example" })).unwrap();
        assert_eq!(all, "https://a.example".parse().unwrap());
    }

    #[test]
    fn what_is_wrong_with_a_destination_is_told_as_such() {
        for (json, text) in [
            (serde_json::json!("ftp://a.example"), "has the scheme `ftp`"),
            (serde_json::json!({ "origin": "a" }), "is not an origin"),
            (serde_json::json!({ "origin": "https://a.example", "methods": ["CONNECT"] }), "unknown variant `CONNECT`"),
            (serde_json::json!({ "origin": "https://a.example", "methods": [] }), "`methods` is empty"),
            (serde_json::json!({ "origin": "https://a.example", "method": ["GET"] }), "unknown field `method`"),
            (serde_json::json!({ "methods": ["GET"] }), "missing field `origin`"),
            (serde_json::json!(7), "expected an origin such as"),
        ] {
            let error = destination(json).unwrap_err();
            assert!(error.contains(text), "{error}\nlacks: {text}");
        }
    }

    #[test]
    fn a_request_needs_both_its_method_and_its_url_allowed() {
        let get = destination(serde_json::json!({ "origin": "https://a.example/v1", "methods": ["GET"] })).unwrap();
        let url = |text: &str| Url::parse(text).unwrap();
        assert!(get.allows_request(Method::Get, &url("https://a.example/v1/x")));
        assert!(!get.allows_request(Method::Post, &url("https://a.example/v1/x")));
        assert!(!get.allows_request(Method::Get, &url("https://a.example/v2")));
    }

    #[test]
    fn what_another_one_covers_is_left_out() {
        let list = ["https://a.example/v1", "https://a.example", "https://b.example", "https://a.example"];
        let list = reduced(list.iter().map(|text| text.parse().unwrap()).collect());
        assert_eq!(list, ["https://a.example", "https://b.example"].map(|text| text.parse().unwrap()));
    }
}
