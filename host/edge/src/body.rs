//! Bodies on their way through: never held whole, never waited for without end.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use crate::{LeastPace, pool::Connection, release::Exchange};

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection failed.
    #[error(transparent)]
    Connection(#[from] hyper::Error),
    /// Nothing of it came for too long.
    #[error("nothing came for {0:?}")]
    Idle(Duration),
    /// It came so slowly that it was held up for its own sake.
    #[error("less than {0} bytes came in {1:?}")]
    Slow(u64, Duration),
}

/// Bounds the time in which nothing of a body comes. It costs nothing while something does.
#[derive(Debug)]
struct Patience {
    limit: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    const fn new(limit: Duration) -> Self {
        Self { limit, waiting: None }
    }

    fn poll(&mut self, body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyError::Idle(limit))))
    }
}

/// The least that a request's body must come at, so that no client holds a connection by a byte now and then.
#[derive(Debug)]
struct Pace {
    least: LeastPace,
    began: Duration,
    came: u64,
}

impl Pace {
    const fn new(least: LeastPace) -> Self {
        Self { least, began: Duration::ZERO, came: 0 }
    }

    /// So many bytes more came, so long after the body began; or it is too slow.
    fn moved(&mut self, bytes: u64, at: Duration) -> Result<(), BodyError> {
        self.came = self.came.saturating_add(bytes);
        let LeastPace { bytes, within } = self.least;
        if at.saturating_sub(self.began) < within {
            return Ok(());
        }
        let came = std::mem::take(&mut self.came);
        self.began = at;
        if came < bytes { Err(BodyError::Slow(bytes, within)) } else { Ok(()) }
    }
}

/// How far a request's body has come; shared with who waits for the answer.
#[derive(Debug)]
pub struct Upload {
    began: Instant,
    /// When it last moved, in milliseconds since it began.
    moved_ms: AtomicU64,
    is_stalled: AtomicBool,
    is_through: AtomicBool,
}

impl Upload {
    /// When it last moved, or began.
    pub fn last_moved(&self) -> Instant {
        self.began + Duration::from_millis(self.moved_ms.load(Ordering::Relaxed))
    }

    /// Whether the client stopped sending it.
    pub fn is_stalled(&self) -> bool {
        self.is_stalled.load(Ordering::Relaxed)
    }

    /// Whether all of it was sent on.
    pub fn is_through(&self) -> bool {
        self.is_through.load(Ordering::Relaxed)
    }
}

/// A request's body, as it comes from the client.
#[derive(Debug, Default)]
pub struct RequestBody(Option<Coming>);

#[derive(Debug)]
struct Coming {
    body: Incoming,
    patience: Patience,
    pace: Pace,
    upload: Arc<Upload>,
}

impl RequestBody {
    /// Takes a body; `idle` is the longest that nothing of it may come, and it comes at the least pace. An empty one costs
    /// nothing.
    pub fn new(body: Incoming, idle: Duration, least: LeastPace) -> (Self, Option<Arc<Upload>>) {
        if body.is_end_stream() {
            return (Self::default(), None);
        }
        let upload = Arc::new(Upload {
            began: Instant::now(),
            moved_ms: AtomicU64::new(0),
            is_stalled: AtomicBool::new(false),
            is_through: AtomicBool::new(false),
        });
        let (patience, pace) = (Patience::new(idle), Pace::new(least));
        let coming = Coming { body, patience, pace, upload: Arc::clone(&upload) };
        (Self(Some(coming)), Some(upload))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(Coming { body, patience, pace, upload }) = &mut self.0 else { return Poll::Ready(None) };
        let mut frame = ready!(patience.poll(body, cx));
        let at = upload.began.elapsed();
        if let Some(Ok(came)) = &frame
            && !body.is_end_stream()
        {
            let bytes = came.data_ref().map_or(0, |data| data.len() as u64);
            if let Err(slow) = pace.moved(bytes, at) {
                frame = Some(Err(slow));
            }
        }
        let ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        upload.moved_ms.store(ms, Ordering::Relaxed);
        match &frame {
            Some(Err(BodyError::Idle(_) | BodyError::Slow(..))) => upload.is_stalled.store(true, Ordering::Relaxed),
            Some(Err(BodyError::Connection(_))) => {}
            Some(Ok(_)) if !body.is_end_stream() => {}
            Some(Ok(_)) | None => upload.is_through.store(true, Ordering::Relaxed),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|coming| coming.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |coming| coming.body.size_hint())
    }
}

/// An answer's body.
#[derive(Debug)]
pub enum AnswerBody {
    /// A release's.
    Release(Going),
    /// The front door's own.
    Own(Full<Bytes>),
}

/// A release's answer on its way to the client.
#[derive(Debug)]
pub struct Going {
    body: Incoming,
    patience: Patience,
    is_through: bool,
    /// Counted when this is dropped.
    exchange: Exchange,
    /// Kept for the next request when all went through.
    connection: Option<Connection>,
}

impl AnswerBody {
    /// A release's; `idle` is the longest that nothing of it may come. The connection is kept afterwards where there is
    /// one.
    pub const fn release(body: Incoming, idle: Duration, exchange: Exchange, connection: Option<Connection>) -> Self {
        Self::Release(Going { body, patience: Patience::new(idle), is_through: false, exchange, connection })
    }

    /// The front door's own.
    pub fn own(text: impl Into<Bytes>) -> Self {
        Self::Own(Full::new(text.into()))
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if (self.is_through || self.body.is_end_stream())
            && let Some(connection) = self.connection.take()
        {
            connection.keep();
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Release(Going { body, patience, is_through, exchange, .. }) => {
                let frame = ready!(patience.poll(body, cx));
                match &frame {
                    None => *is_through = true,
                    Some(Err(_)) => exchange.cut_off(),
                    Some(Ok(_)) => {}
                }
                Poll::Ready(frame)
            }
            Self::Own(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Release(going) => going.body.is_end_stream(),
            Self::Own(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Release(going) => going.body.size_hint(),
            Self::Own(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_drips_is_too_slow_and_one_that_stands_still_for_a_while_may_make_up_for_it() {
        let seconds = Duration::from_secs;
        // A byte every ten seconds.
        let least = |bytes| LeastPace { bytes, within: seconds(30) };
        let mut drips = Pace::new(least(3000));
        let all: Vec<bool> = (0..4).map(|n| drips.moved(1, seconds(10 * n)).is_ok()).collect();
        assert_eq!(all, [true, true, true, false]);
        // Nothing for 25 seconds, then all at once; and so on at the pace of a slow line.
        let mut late = Pace::new(least(3000));
        assert!(late.moved(0, seconds(25)).is_ok() && late.moved(3000, seconds(31)).is_ok());
        assert!((0..20).all(|n| late.moved(500, seconds(31 + 5 * n)).is_ok()));
        assert!((0..100).all(|n| Pace::new(least(0)).moved(0, seconds(60 * n)).is_ok()), "none is asked for");
    }
}
