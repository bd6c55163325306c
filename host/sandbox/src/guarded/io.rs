//! Streams, polls and errors: what is read and written through handles that were acquired before.

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamError, StreamResult};
use wasmtime_wasi_io::{
    bindings::wasi::io::{error, poll, streams},
    streams::Error,
};

use super::{Guarded, refuse::refuse};

const STREAMS: &str = "wasi:io/streams";
const POLL: &str = "wasi:io/poll";
const ERROR: &str = "wasi:io/error";

impl poll::Host for Guarded<'_> {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        refuse!(self.using(POLL, "poll"));
        poll::Host::poll(self.table(), pollables).await
    }
}

impl poll::HostPollable for Guarded<'_> {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        refuse!(self.using(POLL, "[method]pollable.block"));
        poll::HostPollable::block(self.table(), pollable).await
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        refuse!(self.using(POLL, "[method]pollable.ready"));
        poll::HostPollable::ready(self.table(), pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        refuse!(self.using(POLL, "[resource-drop]pollable"));
        poll::HostPollable::drop(self.table(), pollable)
    }
}

impl error::Host for Guarded<'_> {}

impl error::HostError for Guarded<'_> {
    fn to_debug_string(&mut self, error: Resource<Error>) -> wasmtime::Result<String> {
        refuse!(self.using(ERROR, "[method]error.to-debug-string"));
        error::HostError::to_debug_string(self.table(), error)
    }

    fn drop(&mut self, error: Resource<Error>) -> wasmtime::Result<()> {
        refuse!(self.using(ERROR, "[resource-drop]error"));
        error::HostError::drop(self.table(), error)
    }
}

impl streams::Host for Guarded<'_> {
    fn convert_stream_error(&mut self, error: StreamError) -> wasmtime::Result<streams::StreamError> {
        streams::Host::convert_stream_error(self.table(), error)
    }
}

/// Functions that are counted and go on to `wasmtime-wasi-io`, with their names in the contract.
macro_rules! forward {
    (async fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty, $label:literal by $trait:path) => {
        async fn $name(&mut self, $($argument: $type),*) -> $result {
            refuse!(self.using(STREAMS, $label));
            <ResourceTable as $trait>::$name(self.table(), $($argument),*).await
        }
    };
    (fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty, $label:literal by $trait:path) => {
        fn $name(&mut self, $($argument: $type),*) -> $result {
            refuse!(self.using(STREAMS, $label));
            <ResourceTable as $trait>::$name(self.table(), $($argument),*)
        }
    };
}

type Input = Resource<DynInputStream>;
type Output = Resource<DynOutputStream>;

impl streams::HostInputStream for Guarded<'_> {
    fn read(&mut self, stream: Input, len: u64) -> StreamResult<Vec<u8>> {
        refuse!(self.using(STREAMS, "[method]input-stream.read"));
        let bytes = streams::HostInputStream::read(self.table(), stream, len)?;
        self.passes(bytes.len());
        Ok(bytes)
    }

    async fn blocking_read(&mut self, stream: Input, len: u64) -> StreamResult<Vec<u8>> {
        refuse!(self.using(STREAMS, "[method]input-stream.blocking-read"));
        let bytes = streams::HostInputStream::blocking_read(self.table(), stream, len).await?;
        self.passes(bytes.len());
        Ok(bytes)
    }

    forward!(fn skip(stream: Input, len: u64) -> StreamResult<u64>, "[method]input-stream.skip" by streams::HostInputStream);
    forward!(async fn blocking_skip(stream: Input, len: u64) -> StreamResult<u64>,
        "[method]input-stream.blocking-skip" by streams::HostInputStream);
    forward!(fn subscribe(stream: Input) -> wasmtime::Result<Resource<DynPollable>>,
        "[method]input-stream.subscribe" by streams::HostInputStream);
    forward!(async fn drop(stream: Input) -> wasmtime::Result<()>, "[resource-drop]input-stream" by streams::HostInputStream);
}

impl streams::HostOutputStream for Guarded<'_> {
    fn write(&mut self, stream: Output, bytes: Vec<u8>) -> StreamResult<()> {
        refuse!(self.using(STREAMS, "[method]output-stream.write"));
        self.passes(bytes.len());
        streams::HostOutputStream::write(self.table(), stream, bytes)
    }

    async fn blocking_write_and_flush(&mut self, stream: Output, bytes: Vec<u8>) -> StreamResult<()> {
        refuse!(self.using(STREAMS, "[method]output-stream.blocking-write-and-flush"));
        self.passes(bytes.len());
        streams::HostOutputStream::blocking_write_and_flush(self.table(), stream, bytes).await
    }

    forward!(fn check_write(stream: Output) -> StreamResult<u64>,
        "[method]output-stream.check-write" by streams::HostOutputStream);
    forward!(async fn blocking_write_zeroes_and_flush(stream: Output, len: u64) -> StreamResult<()>,
        "[method]output-stream.blocking-write-zeroes-and-flush" by streams::HostOutputStream);
    forward!(fn write_zeroes(stream: Output, len: u64) -> StreamResult<()>,
        "[method]output-stream.write-zeroes" by streams::HostOutputStream);
    forward!(fn flush(stream: Output) -> StreamResult<()>, "[method]output-stream.flush" by streams::HostOutputStream);
    forward!(async fn blocking_flush(stream: Output) -> StreamResult<()>,
        "[method]output-stream.blocking-flush" by streams::HostOutputStream);
    forward!(fn splice(to: Output, from: Input, len: u64) -> StreamResult<u64>,
        "[method]output-stream.splice" by streams::HostOutputStream);
    forward!(async fn blocking_splice(to: Output, from: Input, len: u64) -> StreamResult<u64>,
        "[method]output-stream.blocking-splice" by streams::HostOutputStream);
    forward!(fn subscribe(stream: Output) -> wasmtime::Result<Resource<DynPollable>>,
        "[method]output-stream.subscribe" by streams::HostOutputStream);
    forward!(async fn drop(stream: Output) -> wasmtime::Result<()>,
        "[resource-drop]output-stream" by streams::HostOutputStream);
}
