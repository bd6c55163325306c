//! The service, its logs and its environments.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use autodevops_policy::{Bytes, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::Build;

/// What is watched and healed.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Service {
    /// Its name: 1 to 64 of `a-z`, `0-9` and `-`, starting with a letter.
    pub name: String,
    /// Files and folders that are its own, such as `services/cart`, relative to the project: a change of them is released by this
    /// service alone, and a change of what is no service's own by all. For `[[services]]`.
    #[serde(default)]
    pub paths: Vec<String>,
    /// How a commit becomes its artifact, where it is not by `[build]`. For `[[services]]`.
    #[serde(default)]
    pub build: Option<Build>,
    /// What a release of it is.
    pub kind: ServiceKind,
    /// Folder of static files, relative to the project. For `files` and `functions`.
    #[serde(default)]
    pub public: Option<String>,
    /// The module that exports the functions, relative to the project. For `functions`.
    #[serde(default)]
    pub functions: Option<String>,
    /// The program and its arguments, started in the release's folder. For `command`.
    #[serde(default)]
    pub command: Vec<String>,
    /// Environment variables of the command; nothing else is passed on.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// A path that answers below 500, within 5 s, once a release is ready and for as long as it can serve, such as `/health`: it is asked
    /// every 5 s, and a release that misses three in a row is held for broken. Absent: `/` is asked, and only at the start and when it
    /// gains traffic.
    #[serde(default)]
    pub ready: Option<String>,
    /// Time that one request may take. For `functions`. `30s` when absent.
    #[serde(default)]
    #[schemars(with = "Option<crate::schema::SpanText>")]
    pub wall_time: Option<Span>,
    /// Memory that one request (`functions`, `256 MiB` when absent) or each process (`command`, `2 GiB` when absent) may take.
    #[serde(default)]
    #[schemars(with = "Option<crate::schema::BytesText>")]
    pub memory: Option<Bytes>,
    /// Processes and threads that a release may have, together. For `command`. 1024 when absent.
    #[serde(default)]
    pub processes: Option<u32>,
}

/// What a release is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    /// Static files.
    Files,
    /// JavaScript functions of the `onRequest` shape, each request in a sandbox, and static files beside them.
    Functions,
    /// The operator's own program, in bubblewrap.
    Command,
}

/// Endings of files that rotation has compressed.
const ARCHIVES: [&str; 7] = ["gz", "zst", "xz", "bz2", "lz4", "zip", "Z"];

/// Whether a log of this name was compressed: then it holds nothing new, and no lines.
pub fn is_archive(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|ending| ARCHIVES.contains(&ending))
}

/// Where faults are seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Logs {
    /// Log files, or patterns such as `logs/*.log`. `serve` follows them, and `run` reads them.
    #[serde(default)]
    pub watch: Vec<PathBuf>,
    /// Folder in which the service's minified scripts and their source maps lie, such as `dist`. The analyzer reads it, so that faults are told
    /// by the files, lines and functions that were written, and are the same ones in the next release.
    #[serde(default)]
    pub source_maps: Option<PathBuf>,
}

/// One environment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EnvironmentSettings {
    /// Address at which its front door listens, such as `127.0.0.1:8080`; of several services, the address of each by its name.
    #[schemars(with = "crate::schema::ListenShape")]
    pub listen: Listen,
}

/// Where an environment listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// There.
    At(SocketAddr),
    /// Each service at an address of its own.
    Each(BTreeMap<String, SocketAddr>),
}

impl Listen {
    /// Where that service listens.
    pub fn of(&self, service: &str) -> Option<SocketAddr> {
        match self {
            Self::At(address) => Some(*address),
            Self::Each(each) => each.get(service).copied(),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> de::Visitor<'de> for Shape {
            type Value = Listen;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as \"127.0.0.1:8080\", or a table with the address of each service")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Listen, E> {
                parsed(text).map(Listen::At)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Listen, A::Error> {
                let mut each = BTreeMap::new();
                while let Some((service, text)) = map.next_entry::<String, String>()? {
                    each.insert(service, parsed(&text)?);
                }
                Ok(Listen::Each(each))
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

pub(crate) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parsed(&String::deserialize(deserializer)?)
}

fn parsed<E: de::Error>(text: &str) -> Result<SocketAddr, E> {
    text.parse().map_err(|_| {
        E::custom(format!("{text:?} is no address with a port; write for example \"127.0.0.1:8080\" or \"[::1]:8080\""))
    })
}
