//! The HTTP API: where it listens, who speaks to it, and how much people are told.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use autodevops_people::Speaker;
use autodevops_policy::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::edge::some_address;

/// The HTTP API of the process that drives the runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Server {
    /// Address at which it listens, such as `127.0.0.1:9181`; absent, there is none. It speaks plain HTTP: what goes beyond this machine
    /// goes through a reverse proxy with TLS.
    #[serde(deserialize_with = "some_address")]
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
    /// Where people reach it, such as `https://ops.example.com`: links begin so. `http://` and `listen` when absent.
    #[serde(deserialize_with = "some_base")]
    #[schemars(with = "Option<String>")]
    pub public_url: Option<String>,
    /// Who speaks by which token: names, each with what `autodevops token NAME` writes: a hash, whose token may do everything, or a table
    /// with the hash and what the token `may` do, such as `["feedback"]`.
    #[schemars(with = "BTreeMap<String, crate::schema::TokenShape>")]
    pub tokens: BTreeMap<String, Speaker>,
    /// Which notifiers carry one-time links, and who is taken to speak by them: whoever reads what the notifier writes to.
    pub links: BTreeMap<String, String>,
}

impl Server {
    /// What links begin with: no slash at its end.
    pub fn base(&self) -> Option<String> {
        let own = || self.listen.map(|address| format!("http://{address}"));
        self.public_url.clone().or_else(own)
    }
}

fn some_base<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bad = || {
        de::Error::custom(format!("{text:?} is no address of a server; write for example \"https://ops.example.com\""))
    };
    let url = url::Url::parse(&text).map_err(|_| bad())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || !plain || url.fragment().is_some() {
        return Err(bad());
    }
    Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
}

/// How much people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Notifications {
    /// The most that one notifier is given in a minute; what is more waits.
    pub per_minute: u32,
    /// Within this time a notifier is not given the same text about the same run again, unless an answer is asked for.
    #[schemars(with = "crate::schema::SpanText")]
    pub repeat_after: Span,
}

impl Default for Notifications {
    fn default() -> Self {
        Self { per_minute: 20, repeat_after: Span(Duration::from_secs(600)) }
    }
}
