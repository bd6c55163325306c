//! The local target's front door.

use std::{net::SocketAddr, time::Duration};

use autodevops_policy::{Bytes, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::service::address;

/// The local target's front door.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Edge {
    /// Address at which its counters are read, such as `127.0.0.1:9100`; absent, they are not served.
    #[serde(deserialize_with = "some_address")]
    #[schemars(with = "Option<String>")]
    pub metrics: Option<SocketAddr>,
    /// For how long a candidate keeps its share when nobody renews it.
    #[schemars(with = "crate::schema::SpanText")]
    pub lease: Span,
    /// For how long a release without traffic may finish its requests, and what was upgraded, such as a WebSocket.
    #[schemars(with = "crate::schema::SpanText")]
    pub drain: Span,
    /// For how long a release may take to get ready; it has no traffic before.
    #[schemars(with = "crate::schema::SpanText")]
    pub ready_timeout: Span,
    /// For how long a release may take to begin an answer; 504 after that.
    #[schemars(with = "crate::schema::SpanText")]
    pub answer_timeout: Span,
    /// For how long a client may take to send a request's line and headers, and a connection may lie idle.
    #[schemars(with = "crate::schema::SpanText")]
    pub header_timeout: Span,
    /// For how long a body, in either direction, or an upgraded connection may stand still.
    #[schemars(with = "crate::schema::SpanText")]
    pub idle_timeout: Span,
    /// How much of a request's body comes in a second at least, over half a minute; 408 below that. `0 B`: there is no least.
    #[schemars(with = "crate::schema::BytesText")]
    pub min_upload: Bytes,
    /// Size of a request's line and headers, from 8 KiB to 1 MiB; 431 above that.
    #[schemars(with = "crate::schema::BytesText")]
    pub max_header: Bytes,
    /// A header whose value names the client, so that it stays with its release; a cookie does where it is missing.
    pub client_header: Option<String>,
    /// What takes a request to the candidate. Absent, no request can ask for that.
    pub testers: Option<Testers>,
}

/// What a request says to be answered by the candidate, whatever its share.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Testers {
    /// The header that may say it.
    #[serde(default)]
    pub header: Option<String>,
    /// The cookie that may say it.
    #[serde(default)]
    pub cookie: Option<String>,
    /// What it says: at least 8 letters, digits or `-._~`. Who can read it can be a tester.
    pub value: String,
}

impl Default for Edge {
    fn default() -> Self {
        let seconds = |count| Span(Duration::from_secs(count));
        Self {
            metrics: None,
            lease: seconds(60),
            drain: seconds(30),
            ready_timeout: seconds(30),
            answer_timeout: seconds(60),
            header_timeout: seconds(60),
            idle_timeout: seconds(300),
            min_upload: Bytes(100),
            max_header: Bytes(64 << 10),
            client_header: None,
            testers: None,
        }
    }
}

pub(crate) fn some_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    address(deserializer).map(Some)
}
