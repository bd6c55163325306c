//! What is said over the control socket: one line of JSON asks, one line answers.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use autodevops_model::{Bucket, Release, Split, StageError, Window};
use serde::{Deserialize, Serialize};

/// How the answer to a call begins that cannot be read; why follows. Every version says it so.
pub(crate) const NOT_UNDERSTOOD: &str = "the call is not understood: ";

/// Longest line that is taken, in bytes.
pub(crate) const MAX_LINE_BYTES: u64 = 1 << 20;

/// Upper bounds of the latency histogram's buckets, in seconds; the last bucket has none.
pub const LATENCY_BOUNDS_SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

/// Buckets of the latency histogram; the last has no bound.
pub const BUCKETS: usize = LATENCY_BOUNDS_SECONDS.len() + 1;

/// How a release is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RunSpec {
    /// Static files.
    Files {
        /// The folder of files, below the root.
        public: String,
    },
    /// JavaScript functions in the sandbox, with static files where there are some.
    Functions {
        /// The folder of static files, below the root.
        public: Option<String>,
        /// The module that exports the functions, below the root.
        entry: String,
    },
    /// The operator's command, in bubblewrap: no network, no home, no other process in sight. The release is read-only
    /// in `/app`, which is the working folder; `/tmp` is the command's own. It must listen on the Unix socket whose
    /// path the environment variable `SOCKET` gives, and speak HTTP/1.1 there.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// Its environment, besides `PATH`, `HOME`, `TMPDIR` and `SOCKET`.
        env: BTreeMap<String, String>,
        /// Further files and folders that it may read, such as `/opt/node`; `/usr` and what of `/etc` is public are
        /// there.
        read: Vec<PathBuf>,
        /// What it may take.
        #[serde(default)]
        limits: CommandLimits,
    },
}

/// What a release's command may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CommandLimits {
    /// Memory that each of its processes may allocate, in bytes.
    pub memory: u64,
    /// Its processes and threads, together.
    pub processes: u64,
}

impl Default for CommandLimits {
    /// 2 GiB, and 1024: room for any server, and an end for one that runs away.
    fn default() -> Self {
        Self { memory: 2 << 30, processes: 1024 }
    }
}

/// What is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Start {
    /// The environment.
    pub environment: String,
    /// Makes the call repeatable: the same key twice has one effect.
    pub key: String,
    /// The caller's fence.
    pub fence: u64,
    /// The release.
    pub release: Release,
    /// The folder of the release's files; they must stay until the release is stopped.
    pub root: PathBuf,
    /// How it is run.
    pub run: RunSpec,
}

/// What serves an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrafficState {
    /// Shares, highest first; releases without one are left out.
    pub splits: Vec<Split>,
    /// The highest fence seen.
    pub fence: u64,
    /// The release whose share was 100 % last.
    pub stable: Option<Release>,
    /// Until when the shares hold without being renewed, in nanoseconds since 1970-01-01T00:00:00Z; absent when one
    /// release has all of the traffic.
    pub lease_until: Option<i64>,
    /// When traffic returned to the stable release because nobody renewed the shares, in the same unit; absent once
    /// shares were set again.
    pub returned_at: Option<i64>,
    /// Since when nobody renewed the shares and they stay as they are all the same, in the same unit: the stable release does not
    /// answer, and another one does. Absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_since: Option<i64>,
}

/// What a release's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It does not answer its probe yet.
    Starting,
    /// It answers.
    Up,
    /// It ended by itself, or never got ready, and will be started again after a pause.
    Down,
    /// It is being stopped, or was.
    Stopped,
}

/// A release that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReleaseStatus {
    /// The release.
    pub release: Release,
    /// What its process does.
    pub phase: Phase,
    /// Its process, while there is one.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u64,
    /// Whether it ended by itself three times in a row without having been up for half a minute.
    pub crash_loop: bool,
    /// Whether it missed three probes in a row since it is up, and answered none after them. Where a release is not probed any more once it
    /// is up, this is never so; nor is it for a front door that does not know of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub probe_fails: bool,
    /// Its share of the traffic, in per cent.
    pub percent: u8,
    /// The address at which it alone answers.
    pub url: String,
}

/// An environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EnvironmentStatus {
    /// Where its traffic comes in.
    pub listen: SocketAddr,
    /// What serves it; absent when nothing was ever deployed.
    pub traffic: Option<TrafficState>,
    /// The releases that were started and not stopped.
    pub releases: Vec<ReleaseStatus>,
}

/// The front door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// Where the metrics are.
    pub metrics: Option<SocketAddr>,
    /// The environments, by name.
    pub environments: BTreeMap<String, EnvironmentStatus>,
}

/// Counts of requests. A later front door may tell a host more than that knows of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sample {
    /// Requests that were answered, or failed.
    pub requests: u64,
    /// Those that were answered with 5xx, or not at all.
    pub errors: u64,
    /// Errors without what a few clients see more than all others; see [`of_many`](crate::clients::of_many). Where there were more than
    /// 4096, the last stand for all. (Its name between front doors and hosts is that of a simpler rule before.)
    #[serde(rename = "errors-capped")]
    pub errors_of_many: u64,
    /// How many times more those vary than they would if requests failed independently of whose they are: the design effect by client, see
    /// [`OfMany::design_effect`](crate::clients::OfMany::design_effect). Absent where they are as good as independent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design_effect: Option<f64>,
    /// How many took at most so long as each of [`LATENCY_BOUNDS_SECONDS`], from the request's head to the answer's;
    /// the last count, without a bound, is of all.
    pub latency: Vec<u64>,
    /// How many times more these vary than they would if requests took long independently of whose they are; see
    /// [`latency_effects`](crate::clients::latency_effects). Empty where they are as good as independent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency_effects: Vec<f64>,
}

impl Sample {
    /// The latencies as cumulative buckets, in seconds.
    pub fn buckets(&self) -> Vec<Bucket> {
        let bounds = LATENCY_BOUNDS_SECONDS.into_iter().chain([f64::INFINITY]);
        bounds.zip(&self.latency).map(|(le, count)| Bucket { le, count: *count }).collect()
    }
}

/// What was observed of one release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Observed {
    /// The release.
    pub release: String,
    /// The window that the counts really cover: whole intervals inside the one asked for (0.1 s within the last minute,
    /// 1 s within 15 minutes, 10 s within 6 hours), no earlier than the release was started by this process. Empty when
    /// they cover nothing.
    pub window: Window,
    /// Requests that came in at the environment's address.
    pub traffic: Sample,
    /// Requests that came in at the release's own address.
    pub preview: Sample,
}

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Call {
    Status,
    Start(Start),
    Find {
        environment: String,
        key: String,
    },
    Stop {
        environment: String,
        key: String,
        fence: u64,
        release: String,
    },
    SetTraffic {
        environment: String,
        key: String,
        fence: u64,
        splits: Vec<Split>,
    },
    Traffic {
        environment: String,
    },
    Renew {
        environment: String,
        fence: u64,
    },
    Url {
        environment: String,
        release: String,
    },
    Observe {
        environment: String,
        release: String,
        window: Window,
    },
    Answering {
        environment: String,
        client: String,
    },
    Shutdown,
    /// Begins what [`handover`](crate::handover) says.
    TakeOver,
}

/// What is answered.
pub(crate) type Answer = Result<serde_json::Value, StageError>;
