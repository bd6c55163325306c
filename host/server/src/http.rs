//! The HTTP API: the verbs of the control socket, the runs, and the pages of one-time links.
//!
//! Each but the last two takes `Authorization: Bearer TOKEN`. Bodies are JSON, and what stands in them may be absent, but for a complaint's
//! `text`.
//!
//! | request | what it gives or does |
//! |---|---|
//! | `GET /runs` | every run, newest first |
//! | `GET /runs/RUN` | one, with its events |
//! | `POST /runs/RUN/VERB` | speaks to a run: `{"reason":…}`; to approve or reject also `"question":N`, to approve `"bypass":true`, to extend `"by":"30m"` |
//! | `GET /metrics` | what all deploys came to, as Prometheus reads it |
//! | `POST /rollback/ENV` | goes back to the release before, or to that one: `{"to":RELEASE,"now":true,"reason":…}` |
//! | `POST /feedback` | takes in a complaint of one who uses the service: `{"text":…}`, `"service"`, `"from"`, and `"release"` or `"client"` |
//! | `GET /answer/LINK` | what the link would do: shows, changes nothing, so that no preview answers |
//! | `POST /answer/LINK` | does it, once |
//!
//! Plain HTTP, for this machine or a reverse proxy. Who speaks is known by their token, which may do what `[server.tokens]` says, or by the
//! link that they were sent.

mod pages;
mod redacted;
mod routes;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use autodevops_driver::log::Logged;
use autodevops_orchestrator::{aftermath::Aftermath, feedback::Complaint};
use autodevops_people::{LinkKey, Speaker};
use autodevops_pipeline::{Refused, Timestamp};
use autodevops_policy::redact::Redaction;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Semaphore,
    task::JoinHandle,
};
use tokio_io_timeout::TimeoutStream;

use crate::message::{Said, Sequel};

/// Connections that are open at once; further ones wait.
const CONNECTIONS: usize = 128;

/// The longest that a client may take for the head of a request.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// The longest that a request may take in all, its body included; and the longest that its answer may stand still for a client
/// that does not read it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest body that is read, in bytes.
const MAX_BODY_BYTES: usize = 64 << 10;

/// Why something is not told or not done.
#[derive(Debug, thiserror::Error)]
pub enum Unheard {
    /// The run, release or environment that it is about is not there, or several are meant.
    #[error("{0}")]
    Absent(String),
    /// What was sent cannot be meant.
    #[error("{0}")]
    Unfit(String),
    /// It does not fit how things stand.
    #[error("{0}")]
    Declined(String),
    /// The run does not take it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be tried.
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

/// How an environment is to go back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Back {
    /// The release; absent, the one before.
    pub to: Option<String>,
    /// Whether to go back at once though the rollback window is over.
    pub now: bool,
    /// Why.
    pub reason: String,
}

/// Knows the runs and speaks to them.
pub trait Office: Send + Sync + 'static {
    /// Every run, oldest first.
    fn all(&self) -> impl Future<Output = Result<Vec<Logged>, Unheard>> + Send;
    /// The run of this name, or the one whose name begins so.
    fn find(&self, run: &str) -> impl Future<Output = Result<Logged, Unheard>> + Send;
    /// What became of runs once they were over.
    fn aftermath(&self) -> impl Future<Output = Result<Aftermath, Unheard>> + Send;
    /// What all deploys and complaints came to, as OpenMetrics text.
    fn metrics(&self) -> impl Future<Output = Result<String, Unheard>> + Send;
    /// Says something to a run; what came of it, in words.
    fn say(&self, said: Said) -> impl Future<Output = Result<String, Unheard>> + Send;
    /// Does what is left to do about a run that is over; what came of it, in words.
    fn after(
        &self,
        by: String,
        run: String,
        sequel: Sequel,
        reason: String,
    ) -> impl Future<Output = Result<String, Unheard>> + Send;
    /// Has an environment go back to the release before, or to a named one; what came of it, in words.
    fn roll_back(
        &self,
        by: String,
        environment: String,
        back: Back,
    ) -> impl Future<Output = Result<String, Unheard>> + Send;
    /// Takes a complaint in that this one tells of; what came of it, in words.
    fn complain(&self, complaint: Complaint, by: String) -> impl Future<Output = Result<String, Unheard>> + Send;
}

/// What the API is opened with.
pub struct Api<O> {
    /// The runs.
    pub office: O,
    /// Who speaks by which token, and what they may do by it.
    pub tokens: BTreeMap<String, Speaker>,
    /// What signs links; absent, there are none.
    pub links: Option<LinkKey>,
    /// What is taken out of words before they leave the host.
    pub redaction: Redaction,
    /// The time.
    pub now: fn() -> Timestamp,
}

/// The open API; closed when it is dropped.
#[derive(Debug)]
pub struct HttpApi {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl HttpApi {
    /// Opens it.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub async fn open<O: Office>(listen: SocketAddr, api: Api<O>) -> io::Result<Self> {
        Self::open_within(listen, api, CONNECTIONS, HEAD_PATIENCE).await
    }

    /// The same for so many connections at once, and this patience with a head.
    async fn open_within<O: Office>(
        listen: SocketAddr,
        api: Api<O>,
        connections: usize,
        head_patience: Duration,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let api = Arc::new(api);
        let room = Arc::new(Semaphore::new(connections));
        let task = tokio::spawn(async move {
            loop {
                let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
                let stream = match listener.accept().await {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "the HTTP API does not accept");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        continue;
                    }
                };
                let api = Arc::clone(&api);
                tokio::spawn(async move {
                    if let Err(error) = converse(&api, stream, head_patience, PATIENCE).await {
                        tracing::debug!(%error, "a client of the HTTP API went away");
                    }
                    drop(place);
                });
            }
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Answers what comes over a connection, until it ends, or a head is not there in time, or an answer stands still for so long
/// because nobody reads it.
async fn converse<O: Office>(
    api: &Api<O>,
    stream: impl AsyncRead + AsyncWrite,
    head_patience: Duration,
    patience: Duration,
) -> Result<(), hyper::Error> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience));
    let service = service_fn(move |request| async move { Ok::<_, Infallible>(routes::answer(api, request).await) });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(head_patience).max_buf_size(MAX_BODY_BYTES);
    server.serve_connection(TokioIo::new(Box::pin(stream)), service).await
}

impl Drop for HttpApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}
