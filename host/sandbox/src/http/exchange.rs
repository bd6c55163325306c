//! One request and its response, as they are counted: bytes on the wire, times, and which limit ended them.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use autodevops_policy::Limit;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wasmtime_wasi_http::Error;

use crate::{
    outcome::Outcome,
    quota::{Held, Quota},
    refusal::Refusal,
};

/// What is known of one request.
pub struct Exchange {
    quota: Arc<Quota>,
    outcome: Arc<Outcome>,
    started: Instant,
}

impl Exchange {
    pub fn new(quota: Arc<Quota>, outcome: Arc<Outcome>) -> Arc<Self> {
        Arc::new(Self { quota, outcome, started: Instant::now() })
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
        self.quota.exceed_aside(limit);
        self.refuse(Refusal::Over(limit))
    }

    /// Notes, for its record as well, that the host goes no further with the request; which error it has by that.
    pub fn refuse(&self, refusal: Refusal) -> Error {
        let error = self.error_of(&refusal);
        self.outcome.refuse(refusal);
        error
    }

    /// The error by which the host ended the request, if it did.
    pub fn ended(&self) -> Option<Error> {
        self.outcome.refused().map(|refusal| self.error_of(refusal))
    }

    fn error_of(&self, refusal: &Refusal) -> Error {
        let allowed = |limit: Limit| Some(self.quota.limits().amount(limit));
        match refusal {
            Refusal::Over(limit @ Limit::HttpSent) => Error::HttpRequestBodySize(allowed(*limit)),
            Refusal::Over(limit @ Limit::HttpReceived) => Error::HttpResponseBodySize(allowed(*limit)),
            Refusal::Over(Limit::HttpConnect) => Error::ConnectionTimeout,
            Refusal::Over(Limit::HttpFirstByte | Limit::HttpTotal) | Refusal::Cut => Error::HttpResponseTimeout,
            Refusal::Over(Limit::HttpConcurrent) => Error::ConnectionLimitReached,
            Refusal::Method => Error::HttpRequestMethodInvalid,
            Refusal::Url => Error::HttpRequestUriInvalid,
            Refusal::Address(_) => Error::DestinationIpProhibited,
            Refusal::Credential(_) => Error::ConfigurationError,
            Refusal::Coding(name) => Error::HttpResponseContentCoding(name.clone()),
            Refusal::Protocol => Error::HttpUpgradeFailed,
            Refusal::NotGranted
            | Refusal::Over(_)
            | Refusal::NotPermitted
            | Refusal::TooLong
            | Refusal::Header
            | Refusal::Fill
            | Refusal::Subject => Error::HttpRequestDenied,
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

/// A place among the requests that are under way at once; given back when the last of what goes on for the request is dropped.
#[derive(Clone)]
pub struct Slot {
    _held: Arc<Held>,
}

impl Slot {
    /// For a request that was counted.
    pub fn charged(quota: Arc<Quota>) -> Self {
        Self { _held: Arc::new(Held::charged(quota, Limit::HttpConcurrent, 1)) }
    }
}

/// A request's body on its way out. It has its part of the request's place: a server that answers early does not make room for another
/// while the first is still sent.
pub struct Outgoing<B> {
    body: B,
    slot: Option<Slot>,
}

impl<B> Outgoing<B> {
    pub const fn new(body: B, slot: Slot) -> Self {
        Self { body, slot: Some(slot) }
    }
}

impl<B: Body + Unpin> Body for Outgoing<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) || self.body.is_end_stream() {
            self.slot = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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
