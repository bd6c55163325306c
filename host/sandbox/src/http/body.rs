//! A response's headers and body on their way to the guest: scrubbed, bounded in time, and whole or an error.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::{Body, Frame, Incoming};
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

use super::{
    exchange::{Exchange, Slot},
    scrub::{Scrubber, StreamScrubber},
};

/// Largest header section of a response, in bytes.
pub const HEADER_SECTION_BYTES: usize = 64 << 10;

/// Masks secrets in header values; a header whose name holds one is dropped.
pub fn scrub_headers(headers: &mut HeaderMap, scrubber: &Scrubber) {
    if scrubber.is_empty() {
        return;
    }
    let named: Vec<HeaderName> = headers.keys().filter(|name| scrubber.is_in_name(name.as_str())).cloned().collect();
    for name in named {
        headers.remove(name);
    }
    for value in headers.values_mut() {
        let mut bytes = value.as_bytes().to_vec();
        if scrubber.scrub_bytes(&mut bytes) {
            // Stars for visible characters: what was a header's value still is.
            *value = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static("*"));
        }
    }
}

/// What the guest reads.
pub struct Received {
    body: Incoming,
    exchange: Arc<Exchange>,
    scrubber: Scrubber,
    stream: StreamScrubber,
    /// What is to be given next, when the body itself has ended.
    rest: VecDeque<Frame<Bytes>>,
    ended: bool,
    /// The longest that the guest wants to wait between two parts.
    between: Option<(Duration, Pin<Box<Sleep>>)>,
    /// Its place among the requests under way.
    slot: Option<Slot>,
}

impl Received {
    pub fn new(
        body: Incoming,
        exchange: Arc<Exchange>,
        scrubber: Scrubber,
        between: Option<Duration>,
        slot: Slot,
    ) -> Self {
        let between = between.map(|between| (between, Box::pin(tokio::time::sleep(between))));
        let stream = StreamScrubber::new(scrubber.clone());
        Self { body, exchange, scrubber, stream, rest: VecDeque::new(), ended: false, between, slot: Some(slot) }
    }

    /// No more comes: the rest that was held back, then the trailers.
    fn end(&mut self, trailers: Option<HeaderMap>) {
        self.ended = true;
        self.slot = None;
        let rest = self.stream.finish();
        if !rest.is_empty() {
            self.rest.push_back(Frame::data(rest));
        }
        if let Some(mut trailers) = trailers {
            scrub_headers(&mut trailers, &self.scrubber);
            self.rest.push_back(Frame::trailers(trailers));
        }
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.ended = true;
        self.slot = None;
        Poll::Ready(Some(Err(self.exchange.ended().unwrap_or(error))))
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        loop {
            if this.ended {
                return Poll::Ready(this.rest.pop_front().map(Ok));
            }
            let frame = match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let waited = this.between.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready());
                    return if waited { this.fail(Error::ConnectionReadTimeout) } else { Poll::Pending };
                }
            };
            if let Some((between, sleep)) = &mut this.between {
                sleep.as_mut().reset(Instant::now() + *between);
            }
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        let data = this.stream.push(data);
                        if !data.is_empty() {
                            return Poll::Ready(Some(Ok(Frame::data(data))));
                        }
                    }
                    Err(frame) => this.end(frame.into_trailers().ok()),
                },
                Some(Err(error)) => return this.fail(error_of(&error)),
                // A connection that was closed for a limit ends its body as if it were whole.
                None if this.exchange.ended().is_some() => return this.fail(Error::HttpResponseIncomplete),
                None => this.end(None),
            }
        }
    }
}

/// An error of the connection, in the contract's words. Nothing of what was sent or received is in it.
pub fn error_of(error: &hyper::Error) -> Error {
    tracing::debug!(%error, "a request failed");
    if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(u32::try_from(HEADER_SECTION_BYTES).ok())
    } else if error.is_parse() {
        Error::HttpProtocolError
    } else if error.is_incomplete_message() {
        Error::HttpResponseIncomplete
    } else if error.is_timeout() {
        Error::HttpResponseTimeout
    } else if error.is_user() || error.is_body_write_aborted() {
        // The guest did not write what it had announced.
        Error::HttpRequestBodySize(None)
    } else {
        Error::ConnectionTerminated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;

    #[test]
    fn no_header_shows_a_secret_in_its_value_or_its_name() {
        let scrubber = Scrubber::default();
        scrubber.add(&Secret::new("S3cr3t-T0ken".into()), "");
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("it was S3cr3t-T0ken."));
        headers.insert("x-s3cr3t-t0ken", HeaderValue::from_static("1"));
        headers.insert("x-other", HeaderValue::from_static("other"));
        scrub_headers(&mut headers, &scrubber);
        assert_eq!(headers["x-echo"], "it was ************.");
        assert_eq!(headers["x-other"], "other");
        assert_eq!(headers.len(), 2);
    }
}
