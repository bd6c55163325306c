//! Bodies on their way through: never held whole.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::release::Exchange;

/// A request's body, as it comes from the client. Until it is first read it can be given to another release.
#[derive(Debug)]
pub struct Upload {
    began: Instant,
    body: Mutex<Option<Incoming>>,
    is_empty: bool,
    hint: SizeHint,
    /// When it last moved, in milliseconds since it began; 0 until then.
    moved_ms: AtomicU64,
}

impl Upload {
    /// Takes a body.
    pub fn new(body: Incoming) -> Arc<Self> {
        let (is_empty, hint) = (body.is_end_stream(), body.size_hint());
        let body = Mutex::new(Some(body));
        Arc::new(Self { began: Instant::now(), body, is_empty, hint, moved_ms: AtomicU64::new(0) })
    }

    /// Whether there is no body.
    pub const fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Whether nothing of it was read yet.
    pub fn is_untouched(&self) -> bool {
        self.is_empty || self.body.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// When it last moved, or began.
    pub fn last_moved(&self) -> Instant {
        self.began + Duration::from_millis(self.moved_ms.load(Ordering::Relaxed))
    }

    /// The body of one attempt.
    pub fn attempt(self: &Arc<Self>) -> RequestBody {
        RequestBody { upload: Some(Arc::clone(self)), taken: None }
    }

    fn moved(&self) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_ms.store(ms, Ordering::Relaxed);
    }
}

/// The body of one attempt to forward a request.
#[derive(Debug)]
pub struct RequestBody {
    upload: Option<Arc<Upload>>,
    taken: Option<Incoming>,
}

impl RequestBody {
    /// No body.
    pub const fn empty() -> Self {
        Self { upload: None, taken: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let Some(upload) = &this.upload else { return Poll::Ready(None) };
        if this.taken.is_none() {
            this.taken = upload.body.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        let Some(body) = &mut this.taken else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        upload.moved();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match (&self.taken, &self.upload) {
            (Some(body), _) => body.is_end_stream(),
            (None, Some(upload)) => upload.is_empty,
            (None, None) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.taken, &self.upload) {
            (Some(body), _) => body.size_hint(),
            (None, Some(upload)) => upload.hint,
            (None, None) => SizeHint::with_exact(0),
        }
    }
}

/// An answer's body.
#[derive(Debug)]
pub enum AnswerBody {
    /// A release's, with what is to be counted when it ends.
    Release(Incoming, Exchange),
    /// The front door's own.
    Own(Full<Bytes>),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Release(body, exchange) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                if let Some(Err(_)) = &frame {
                    exchange.cut_off();
                }
                Poll::Ready(frame)
            }
            Self::Own(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Release(body, _) => body.is_end_stream(),
            Self::Own(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Release(body, _) => body.size_hint(),
            Self::Own(body) => body.size_hint(),
        }
    }
}
