//! A stream whose bytes are counted against a limit of the call.

use std::sync::Arc;

use autodevops_policy::{Denial, Limit};
use bytes::Bytes;
use wasmtime::component::{Resource, ResourceTableError};
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::{Guarded, refuse::refuse};
use crate::quota::Quota;

/// An output stream of a file or of a request's body.
pub struct MeteredOutput {
    inner: DynOutputStream,
    quota: Arc<Quota>,
    limit: Limit,
}

impl MeteredOutput {
    fn charge(&self, bytes: usize) -> Result<(), Denial> {
        Ok(self.quota.charge(self.limit, bytes as u64)?)
    }
}

impl Guarded<'_> {
    /// Puts a stream that counts in the place of one that does not; what the one belongs to, the other belongs to.
    pub(super) fn metered(
        &mut self,
        stream: Resource<DynOutputStream>,
        limit: Limit,
    ) -> Result<Resource<DynOutputStream>, ResourceTableError> {
        let quota = self.0.authority().quota();
        let place = self.table().get_mut(&stream)?;
        let inner = std::mem::replace(place, Box::new(ClosedOutput));
        *place = Box::new(MeteredOutput { inner, quota, limit });
        Ok(stream)
    }
}

/// Stands in for a stream while it is moved.
struct ClosedOutput;

#[async_trait::async_trait]
impl Pollable for ClosedOutput {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for ClosedOutput {
    fn write(&mut self, _: Bytes) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Err(StreamError::Closed)
    }
}

#[async_trait::async_trait]
impl Pollable for MeteredOutput {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl OutputStream for MeteredOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        refuse!(self.charge(bytes.len()));
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        refuse!(self.charge(bytes.len()));
        self.inner.blocking_write_and_flush(bytes).await
    }

    fn write_zeroes(&mut self, count: usize) -> StreamResult<()> {
        refuse!(self.charge(count));
        self.inner.write_zeroes(count)
    }

    async fn write_ready(&mut self) -> StreamResult<usize> {
        self.inner.write_ready().await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
