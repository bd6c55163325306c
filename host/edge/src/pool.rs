//! The connections to one process of a release.
//!
//! Each lane keeps its own, so that a connection is driven by the thread that uses it and none is waited for.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::{Request, StatusCode, header};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::body::RequestBody;

/// How long a connection is kept for the next request. Servers close idle ones too, Node's after 5 s and some after 2
/// s; a request that meets the close fails, so they must not come first. A new one costs little.
const IDLE: Duration = Duration::from_secs(1);
/// Idle connections that a lane keeps.
const MAX_IDLE: usize = 64;
/// How long connecting may take; it waits only where a process has stopped accepting.
const CONNECT: Duration = Duration::from_secs(5);

/// The connections to a socket.
#[derive(Debug)]
pub struct Pool {
    socket: PathBuf,
    /// The idle ones of each lane, used last at the end.
    idle: Box<[Mutex<Vec<Idle>>]>,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

/// A connection that is in use.
#[derive(Debug)]
pub struct Connection {
    /// Sends the request.
    pub sender: SendRequest<RequestBody>,
    /// Whether it carried a request before: the other side may be closing it just now.
    pub is_used: bool,
    pool: Arc<Pool>,
    lane: usize,
}

impl Pool {
    /// No connection yet.
    pub fn new(socket: PathBuf, lanes: usize) -> Arc<Self> {
        Arc::new(Self { socket, idle: (0..lanes).map(|_| Mutex::default()).collect() })
    }

    /// The socket that the process listens on.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// A connection that takes a request now: an idle one of the lane, or a new one. Must be called on that lane.
    ///
    /// # Errors
    /// When the process does not accept one.
    pub async fn connection(self: &Arc<Self>, lane: usize) -> io::Result<Connection> {
        loop {
            let Some(mut sender) = self.take(lane) else { break };
            // It carries nothing, so this waits for nothing but the word that the other side closed it.
            if sender.is_ready() || sender.ready().await.is_ok() {
                return Ok(Connection { sender, is_used: true, pool: Arc::clone(self), lane });
            }
        }
        // In a box, as it is large and rare: a request's own future is moved for each request.
        let sender = Box::pin(connect(&self.socket)).await?;
        Ok(Connection { sender, is_used: false, pool: Arc::clone(self), lane })
    }

    fn take(&self, lane: usize) -> Option<SendRequest<RequestBody>> {
        let mut idle = self.idle(lane)?;
        let Idle { sender, since } = idle.pop()?;
        if since.elapsed() < IDLE {
            return Some(sender);
        }
        // The others were used before that.
        idle.clear();
        None
    }

    fn keep(&self, lane: usize, sender: SendRequest<RequestBody>) {
        let Some(mut idle) = self.idle(lane) else { return };
        let now = Instant::now();
        if idle.first().is_some_and(|oldest| now.saturating_duration_since(oldest.since) >= IDLE) {
            idle.retain(|idle| now.saturating_duration_since(idle.since) < IDLE);
        }
        if idle.len() < MAX_IDLE {
            idle.push(Idle { sender, since: now });
        }
    }

    fn idle(&self, lane: usize) -> Option<MutexGuard<'_, Vec<Idle>>> {
        Some(self.idle.get(lane)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Connection {
    /// Keeps it for the next request; its answer was read to the end, and its request sent.
    pub fn keep(self) {
        if !self.sender.is_closed() {
            self.pool.keep(self.lane, self.sender);
        }
    }
}

async fn connect(socket: &Path) -> io::Result<SendRequest<RequestBody>> {
    let connected = tokio::time::timeout(CONNECT, UnixStream::connect(socket)).await;
    let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        // Who sent the request is told of its failure.
        drop(connection.with_upgrades().await);
    });
    Ok(sender)
}

/// What became of a probe.
#[derive(Debug)]
pub enum Probe {
    /// It was answered.
    Status(StatusCode),
    /// Nobody listens.
    Unconnected,
    /// What came is no answer.
    Broken(hyper::Error),
    /// Nothing came in time.
    Silent,
    /// The path is not one.
    NoPath,
}

impl Probe {
    /// Whether it shows that the release can answer requests.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Status(status) if !status.is_server_error())
    }
}

/// Asks for a path over a connection of its own, and waits for the answer at most so long.
pub async fn probe(socket: &Path, path: &str, limit: Duration) -> Probe {
    let Ok(request) = Request::get(path).header(header::HOST, "localhost").body(RequestBody::default()) else {
        return Probe::NoPath;
    };
    let asked = async {
        let Ok(mut sender) = connect(socket).await else { return Probe::Unconnected };
        match sender.send_request(request).await {
            Ok(answer) => Probe::Status(answer.status()),
            Err(error) => Probe::Broken(error),
        }
    };
    tokio::time::timeout(limit, asked).await.unwrap_or(Probe::Silent)
}
