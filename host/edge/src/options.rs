//! How a front door is set up, and why it does not start.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use http::{HeaderName, HeaderValue};

/// How a front door is set up.
#[derive(Clone, Debug)]
pub struct EdgeOptions {
    /// Folder of its state, sockets and lock; made where it does not exist.
    pub state: PathBuf,
    /// Where `/metrics` answers with Prometheus text.
    pub metrics: Option<SocketAddr>,
    /// The environments, by name: at most 64 of `a-z`, `0-9`, `-`.
    pub environments: BTreeMap<String, EnvironmentOptions>,
    /// Program and leading arguments that serve a release's files and functions, such as `autodevops worker`.
    pub worker: Vec<OsString>,
    /// How long a candidate keeps its share without being renewed.
    pub lease: Duration,
    /// How long requests that are being answered may take to end when a release is stopped.
    pub drain: Duration,
    /// How long a release may take to answer its readiness probe.
    pub ready_timeout: Duration,
    /// How long another front door that takes over may take to serve once this one changes nothing more for it; then that
    /// one is ended, and this one goes on.
    pub takeover: Duration,
    /// What bounds every connection.
    pub limits: Limits,
    /// How it is told who asks.
    pub sorting: Sorting,
    /// The file that this process's standard output and error go to, where they go to one: at 64 MiB it becomes
    /// `<log>.1` and a new one begins.
    pub own_log: Option<PathBuf>,
}

impl EdgeOptions {
    /// Options with the usual times: a lease of 60 s, 30 s to drain, 30 s to get ready, 10 s to take over.
    pub fn new(state: impl Into<PathBuf>, worker: Vec<OsString>) -> Self {
        Self {
            state: state.into(),
            metrics: None,
            environments: BTreeMap::new(),
            worker,
            lease: Duration::from_secs(60),
            drain: Duration::from_secs(30),
            ready_timeout: Duration::from_secs(30),
            takeover: Duration::from_secs(10),
            limits: Limits::default(),
            sorting: Sorting::default(),
            own_log: None,
        }
    }
}

/// What bounds every connection, so that a client that is slow or greedy holds little and not for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a client may take to send a request's line and headers, and how long a connection may lie idle between
    /// requests. It is closed then.
    pub head_time: Duration,
    /// How much a request's line and headers may take, in bytes; what is read at once may go beyond. More is answered
    /// with 431.
    pub head_bytes: usize,
    /// How long a body may stand still: a request's that the client does not send (answered with 408), an answer's that
    /// the release does not go on with or the client does not read, and a connection that was upgraded, such as a
    /// WebSocket. It is cut off then.
    pub idle: Duration,
    /// How fast a request's body comes at least; one that comes slower is answered with 408. It is looked at as it is sent on: a release
    /// that reads slowly holds its clients up, and must read so fast, too.
    pub upload: LeastPace,
    /// How long a release may take to begin its answer, after the request's body last moved; answered with 504.
    pub answer_time: Duration,
}

/// The least that comes of something, over some time: whose line is gone for a moment has the rest of it to make up for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeastPace {
    /// Bytes; zero for no least.
    pub bytes: u64,
    /// In each stretch of so long.
    pub within: Duration,
}

impl Default for Limits {
    /// 60 s and 64 KiB for a head, 5 minutes for what stands still, 100 bytes a second for an upload, 60 s for an answer.
    fn default() -> Self {
        Self {
            head_time: Duration::from_secs(60),
            head_bytes: 64 << 10,
            idle: Duration::from_secs(300),
            upload: LeastPace { bytes: 3000, within: Duration::from_secs(30) },
            answer_time: Duration::from_secs(60),
        }
    }
}

/// How it is told who asks.
#[derive(Clone, Debug, Default)]
pub struct Sorting {
    /// A header whose value names the client, such as a user's id that a proxy in front sets: the same value stays with
    /// the same release. Requests without it are told apart by the front door's cookie, as all are when this is not set.
    pub client_header: Option<HeaderName>,
    /// What takes a request to the candidate, whatever its share; without it, no request can ask for that.
    pub testers: Option<Testers>,
}

/// What a tester's request says to be answered by the candidate. It is counted apart, as it is no part of the split, and
/// the release does not see it.
#[derive(Clone, Debug)]
pub struct Testers {
    /// The header that may say it.
    pub header: Option<HeaderName>,
    /// The cookie that may say it.
    pub cookie: Option<String>,
    /// What it says: who knows it is a tester.
    pub value: HeaderValue,
}

/// How an environment is set up.
#[derive(Clone, Debug)]
pub struct EnvironmentOptions {
    /// Where its traffic comes in.
    pub listen: SocketAddr,
    /// The file to which its releases' output is appended; at 64 MiB it becomes `<log>.1` and a new one begins.
    pub log: PathBuf,
    /// The path that a release answers with a status below 500 when it is ready.
    pub probe: String,
    /// How often a release that is up is asked for that path again, and how long such a probe may take, though 5 s at most; without, it is
    /// not asked again. After three misses in a row [`ReleaseStatus::probe_fails`](crate::ReleaseStatus::probe_fails) says so.
    pub probe_again: Option<Duration>,
    /// Further arguments of the worker that serves its releases.
    pub worker: Vec<OsString>,
}

impl EnvironmentOptions {
    /// An environment whose releases are ready when they answer `/` below 500, and are not probed after that.
    pub fn new(listen: SocketAddr, log: impl Into<PathBuf>) -> Self {
        Self { listen, log: log.into(), probe: "/".into(), probe_again: None, worker: Vec::new() }
    }
}

/// Why the front door does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// Another one serves the same state.
    #[error(
        "a front door already serves {state} (process {pid}); stop it with `autodevops edge stop`, or use another state \
         folder"
    )]
    Running {
        /// The state folder.
        state: PathBuf,
        /// Its process, `unknown` where it did not say.
        pid: String,
    },
    /// An address cannot be listened on.
    #[error("{what} cannot listen on {address}: {source}; {remedy}")]
    Listen {
        /// Who wants to listen: an environment, or the metrics.
        what: String,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// A file or folder of the state cannot be used.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A state file is not what this version wrote.
    #[error("{path} is not a state of this version: {reason}; move it away to begin with nothing deployed")]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It could not take over from the front door that serves, which goes on.
    #[error("nothing was taken over: {0}")]
    Handover(String),
    /// A name or value in the options is not taken.
    #[error("{0}")]
    Options(String),
}

impl EdgeError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}
