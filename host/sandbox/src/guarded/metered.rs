//! A stream whose bytes are counted against a limit of the call.

use std::sync::Arc;

use autodevops_policy::{Denial, Limit};
use bytes::Bytes;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamResult};

use super::refuse::refuse;
use crate::quota::Quota;

/// An output stream of a file.
pub struct MeteredOutput {
    inner: DynOutputStream,
    quota: Arc<Quota>,
    limit: Limit,
}

impl MeteredOutput {
    pub fn new(inner: DynOutputStream, quota: Arc<Quota>, limit: Limit) -> DynOutputStream {
        Box::new(Self { inner, quota, limit })
    }

    fn charge(&self, bytes: usize) -> Result<(), Denial> {
        Ok(self.quota.charge(self.limit, bytes as u64)?)
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
