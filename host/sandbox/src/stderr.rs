//! What a guest writes to stdout and stderr: the last part is kept, writing never blocks, and ends the call beyond its limit.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use autodevops_policy::{Denial, Limit, text::escape};
use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError, StreamResult},
};

use crate::quota::Quota;

/// Bytes of a call's output that are kept.
pub const KEPT_BYTES: usize = 16 << 10;

/// Most bytes that the guest may write at once.
const WRITE_BYTES: usize = 64 << 10;

/// The last [`KEPT_BYTES`] that were written. Clones share one.
#[derive(Clone, Default)]
pub struct Tail(Arc<Mutex<Vec<u8>>>);

impl Tail {
    /// What was written last, as text, with control characters other than line ends and tabs escaped.
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        escape(&String::from_utf8_lossy(&bytes))
    }

    fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = bytes.get(bytes.len().saturating_sub(KEPT_BYTES)..).unwrap_or_default();
        let excess = (kept.len() + new.len()).saturating_sub(KEPT_BYTES);
        let excess = excess.min(kept.len());
        kept.drain(..excess);
        kept.extend_from_slice(new);
    }
}

impl Tail {
    /// A stream into it, whose bytes are counted against a limit of the call.
    pub fn stream(&self, quota: &Arc<Quota>, limit: Limit) -> Stdio {
        Stdio { tail: self.clone(), quota: Arc::clone(quota), limit }
    }
}

/// Standard output or error of a guest.
#[derive(Clone)]
pub struct Stdio {
    tail: Tail,
    quota: Arc<Quota>,
    limit: Limit,
}

impl IsTerminal for Stdio {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdio {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Stdio {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.quota
            .charge(self.limit, bytes.len() as u64)
            .map_err(|over| StreamError::Trap(Denial::from(over).into()))?;
        self.tail.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[async_trait::async_trait]
impl Pollable for Stdio {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Stdio {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        if let Err(over) = self.quota.charge(self.limit, bytes.len() as u64) {
            return Poll::Ready(Err(std::io::Error::other(over)));
        }
        self.tail.add(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_of_more_than_fits() {
        let tail = Tail::default();
        for index in 0..5000 {
            tail.add(format!("line {index}\n").as_bytes());
        }
        let text = tail.text();
        assert_eq!(text.len(), KEPT_BYTES);
        assert!(text.ends_with("line 4999\n"));
        tail.add(&[b'x'; KEPT_BYTES * 2]);
        assert_eq!(tail.text(), "x".repeat(KEPT_BYTES));
    }

    #[test]
    fn escape_sequences_are_shown_not_sent() {
        let tail = Tail::default();
        tail.add(b"a\x1b[2Jb\rc\nd");
        assert_eq!(tail.text(), "a\\u{1b}[2Jb\\u{d}c\nd");
    }
}
