//! Connections that change their protocol, such as WebSockets: carried in both directions until one side ends.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{listener::Visitor, release::Exchange};

/// Carries what the client and the release say, once both have changed their protocol. It counts as a request that the
/// release is answering, so that the release is not stopped before it ends or the time to drain is over.
pub async fn carry(client: OnUpgrade, release: OnUpgrade, idle: Duration, exchange: Exchange, visitor: Arc<Visitor>) {
    let ended = async {
        let (client, release) = tokio::try_join!(client, release).map_err(io::Error::other)?;
        let moved = Arc::new(Moved { began: Instant::now(), ms: AtomicU64::new(0) });
        let mut client = Watched { inner: TokioIo::new(client), moved: Arc::clone(&moved) };
        let mut release = TokioIo::new(release);
        tokio::select! {
            copied = tokio::io::copy_bidirectional(&mut client, &mut release) => copied.map(drop),
            () = moved.stands_still(idle) => Err(io::ErrorKind::TimedOut.into()),
        }
    };
    if let Err(error) = ended.await {
        tracing::debug!(%error, "an upgraded connection ended early");
    }
    drop((exchange, visitor));
}

/// When something last moved.
struct Moved {
    began: Instant,
    ms: AtomicU64,
}

impl Moved {
    fn now(&self) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ms.store(ms, Ordering::Relaxed);
    }

    /// Returns when nothing moved for so long.
    async fn stands_still(&self, limit: Duration) {
        loop {
            let until = self.began + Duration::from_millis(self.ms.load(Ordering::Relaxed)) + limit;
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until.into()).await;
        }
    }
}

/// Notes when something moves. One side is enough: what comes from the other goes through it.
struct Watched<T> {
    inner: T,
    moved: Arc<Moved>,
}

impl<T> Watched<T> {
    fn note<R>(&self, result: Poll<R>) -> Poll<R> {
        if result.is_ready() {
            self.moved.now();
        }
        result
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.note(result)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.note(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.note(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing to write is no movement.
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.note(result)
    }
}
