//! The connections to one process of a release.

use std::{
    future::Future,
    io,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::net::UnixStream;
use tower_service::Service;

/// How long a connection is kept for the next request. Servers close idle ones too, Node's after 5 s and some after 2
/// s; a request that meets the close fails, so they must not come first. A new one costs little.
const IDLE: Duration = Duration::from_secs(1);
/// Idle connections that are kept.
const MAX_IDLE: usize = 64;
/// How long connecting may take; it waits only where a process has stopped accepting.
const CONNECT: Duration = Duration::from_secs(5);

/// Sends requests to a socket, whatever host they name.
pub type Upstream<B> = Client<Connector, B>;

/// A pool of connections to the socket.
pub fn upstream<B>(socket: PathBuf) -> Upstream<B>
where
    B: hyper::body::Body + Send,
    B::Data: Send,
{
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE)
        .set_host(false)
        .build(Connector(Arc::new(socket)))
}

/// Connects to the socket.
#[derive(Clone, Debug)]
pub struct Connector(Arc<PathBuf>);

impl Service<Uri> for Connector {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let socket = Arc::clone(&self.0);
        Box::pin(async move {
            let connected = tokio::time::timeout(CONNECT, UnixStream::connect(&*socket)).await;
            connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(TokioIo::new)
        })
    }
}
