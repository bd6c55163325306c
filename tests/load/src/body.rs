//! Bodies that come in parts, over a time.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// A body that is sent.
pub type Body = BoxBody<Bytes, Infallible>;

/// A body that is there at once.
pub fn whole(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed()
}

/// A body of so many equal parts, one after each pause; its length is said before where `told`.
pub struct Parts {
    part: Bytes,
    left: u64,
    pause: Option<Interval>,
    told: bool,
}

impl Parts {
    /// So many parts of so many bytes. Must be called on a runtime where there is a pause.
    pub fn new(count: u64, bytes: usize, pause: Duration, told: bool) -> Self {
        let pause = (!pause.is_zero()).then(|| {
            let mut pause = interval(pause);
            pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pause
        });
        Self { part: vec![b'x'; bytes].into(), left: count, pause, told }
    }
}

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.poll_tick(cx));
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(self.part.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        match self.told {
            true => SizeHint::with_exact(self.left.saturating_mul(self.part.len() as u64)),
            false => SizeHint::default(),
        }
    }
}
