//! One request and its response, as they are counted: bytes on the wire, times, and which limit ended them.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Instant,
};

use autodevops_policy::Limit;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wasmtime_wasi_http::Error;

use crate::{authority::Outcome, quota::Quota};

/// What is known of one request.
pub struct Exchange {
    quota: Arc<Quota>,
    over: OnceLock<Limit>,
    outcome: Arc<Outcome>,
    started: Instant,
}

impl Exchange {
    pub fn new(quota: Arc<Quota>, outcome: Arc<Outcome>) -> Arc<Self> {
        Arc::new(Self { quota, over: OnceLock::new(), outcome, started: Instant::now() })
    }

    pub fn quota(&self) -> &Quota {
        &self.quota
    }

    /// The response's headers are there.
    pub fn answered(&self, status: u16) {
        self.outcome.answered(status);
    }

    /// Nothing more is waited for.
    pub fn finished(&self) {
        self.outcome.lasted(self.started.elapsed());
    }

    /// Notes that the request ended by one of the call's limits; which error it has by that.
    pub fn exceed(&self, limit: Limit) -> Error {
        self.quota.exceed(limit);
        let _ = self.over.set(limit);
        self.error_of(limit)
    }

    /// The error by the limit that ended the request, if one did.
    pub fn ended(&self) -> Option<Error> {
        self.over.get().map(|limit| self.error_of(*limit))
    }

    fn error_of(&self, limit: Limit) -> Error {
        let allowed = Some(self.quota.limits().amount(limit));
        match limit {
            Limit::HttpSent => Error::HttpRequestBodySize(allowed),
            Limit::HttpReceived => Error::HttpResponseBodySize(allowed),
            Limit::HttpConnect => Error::ConnectionTimeout,
            Limit::HttpFirstByte | Limit::HttpTotal => Error::HttpResponseTimeout,
            Limit::HttpConcurrent => Error::ConnectionLimitReached,
            _ => Error::HttpRequestDenied,
        }
    }

    fn count(&self, limit: Limit, bytes: usize) -> io::Result<()> {
        if self.quota.charge_quietly(limit, bytes as u64) {
            self.outcome.passed(bytes as u64);
            self.finished();
            return Ok(());
        }
        Err(io::Error::other(self.exceed(limit)))
    }
}

/// A place among the requests that are under way at once; given back when it is dropped.
pub struct Slot(Arc<Quota>);

impl Slot {
    /// For a request that was counted.
    pub const fn charged(quota: Arc<Quota>) -> Self {
        Self(quota)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.release(Limit::HttpConcurrent, 1);
    }
}

/// A connection whose bytes are counted as they pass, headers and framing included.
pub struct Metered<S> {
    stream: S,
    exchange: Arc<Exchange>,
}

impl<S> Metered<S> {
    pub const fn new(stream: S, exchange: Arc<Exchange>) -> Self {
        Self { stream, exchange }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len().saturating_sub(before);
        Poll::Ready(self.exchange.count(Limit::HttpReceived, read).inspect_err(|_| buffer.set_filled(before)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // No more than may be sent goes out: what does not fit is found before it is written, not after.
        let quota = &self.exchange.quota;
        if quota.left(Limit::HttpSent) < bytes.len() as u64 {
            return Poll::Ready(Err(io::Error::other(self.exchange.exceed(Limit::HttpSent))));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        Poll::Ready(self.exchange.count(Limit::HttpSent, written).map(|()| written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
