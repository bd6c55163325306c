//! HTTP/1.1 on an address, within bounds.

use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::body::AnswerBody;

/// A request's line and headers may take so much.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// How long a client may take to send them, and how long a connection may lie idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections at a time, where the system allows as many files.
const MAX_CONNECTIONS: usize = 4096;
/// Files kept for everything else.
const OTHER_FILES: u64 = 256;

/// How many connections there may be at a time. More wait until one ends.
#[derive(Debug)]
pub struct Connections(Arc<Semaphore>);

impl Default for Connections {
    /// A bound for an address that few use.
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(64)))
    }
}

impl Connections {
    /// As many as this process may have open, a file to the client and one to the release each.
    pub fn most() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let files = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
        let files = files.unwrap_or(u64::MAX).saturating_sub(OTHER_FILES) / 2;
        Self(Arc::new(Semaphore::new(usize::try_from(files).unwrap_or(usize::MAX).clamp(16, MAX_CONNECTIONS))))
    }
}

/// Answers requests until `ended`; then answers what is being answered, at most for `drain`.
pub async fn serve<A, F>(
    listener: TcpListener,
    connections: Arc<Connections>,
    drain: Duration,
    ended: impl Future<Output = ()>,
    answer: A,
) where
    A: Fn(SocketAddr, Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<AnswerBody>> + Send + 'static,
{
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    let graceful = GracefulShutdown::new();
    let mut ended = std::pin::pin!(ended);
    loop {
        let accepted = async {
            let permit = Arc::clone(&connections.0).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut ended => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                // Out of files, most likely: it would fail again at once.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Only a matter of speed.
        let _ = stream.set_nodelay(true);
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let answered = answer(peer, request);
            async move { Ok::<_, Infallible>(answered.await) }
        });
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections are cut off: they did not end in time");
    }
}
