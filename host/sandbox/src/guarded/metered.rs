//! Streams that count: their bytes against a limit of the call, and themselves among its open files.

use std::sync::Arc;

use autodevops_policy::{Denial, Limit};
use bytes::Bytes;
use wasmtime::component::{Resource, ResourceTableError};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

use super::{Guarded, refuse::refuse};
use crate::quota::{Held, Quota};

/// An output stream of a file or of a request's body.
pub struct MeteredOutput {
    inner: DynOutputStream,
    quota: Arc<Quota>,
    limit: Limit,
    _open: Option<Held>,
}

/// An input stream of a file. It keeps the file open when its descriptor is gone, and what was read ahead.
struct FileInput {
    inner: DynInputStream,
    _open: Held,
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
        open: Option<Held>,
    ) -> Result<Resource<DynOutputStream>, ResourceTableError> {
        let quota = self.0.authority().quota();
        let place = self.table().get_mut(&stream)?;
        let inner = std::mem::replace(place, Box::new(ClosedOutput));
        *place = Box::new(MeteredOutput { inner, quota, limit, _open: open });
        Ok(stream)
    }

    /// Puts a stream that counts as an open file in the place of one that does not.
    pub(super) fn file_input(
        &mut self,
        stream: Resource<DynInputStream>,
        open: Held,
    ) -> Result<Resource<DynInputStream>, ResourceTableError> {
        let place = self.table().get_mut(&stream)?;
        let inner = std::mem::replace(place, Box::new(ClosedInput));
        *place = Box::new(FileInput { inner, _open: open });
        Ok(stream)
    }
}

#[async_trait::async_trait]
impl Pollable for FileInput {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl InputStream for FileInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.read(size)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.blocking_read(size).await
    }

    fn skip(&mut self, bytes: usize) -> StreamResult<usize> {
        self.inner.skip(bytes)
    }

    async fn blocking_skip(&mut self, bytes: usize) -> StreamResult<usize> {
        self.inner.blocking_skip(bytes).await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

/// Stands in for a stream while it is moved.
struct ClosedInput;

#[async_trait::async_trait]
impl Pollable for ClosedInput {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl InputStream for ClosedInput {
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        Err(StreamError::Closed)
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
