//! Streams, polls and errors: what is read and written through handles that were acquired before.

use autodevops_policy::{Denial, Limit};
use bytes::Bytes;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamError, StreamResult};
use wasmtime_wasi_io::{
    bindings::wasi::io::{error, poll, streams},
    streams::Error,
};

use super::{Guarded, refuse::refuse};
use crate::replay::{dropped, through};

const STREAMS: &str = "wasi:io/streams";
const POLL: &str = "wasi:io/poll";
const ERROR: &str = "wasi:io/error";

impl poll::Host for Guarded<'_> {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        refuse!(self.using(POLL, "poll"));
        // Each of the list is kept until one is ready. More than there are handles is no list of what one waits for.
        let quota = self.0.authority().quota();
        if pollables.len() as u64 > quota.limits().amount(Limit::Resources) {
            return Err(Denial::from(quota.exceed(Limit::Resources)).into());
        }
        through!(
            self,
            "wasi:io/poll poll",
            (pollables),
            poll::Host::poll(self.table(), pollables).await,
            otherwise | _asked | u32::try_from(pollables.len()).map(|all| (0..all).collect()).map_err(Into::into)
        )
    }
}

impl poll::HostPollable for Guarded<'_> {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        refuse!(self.using(POLL, "[method]pollable.block"));
        through!(
            self,
            "wasi:io/poll [method]pollable.block",
            (pollable),
            poll::HostPollable::block(self.table(), pollable).await,
            otherwise | _asked | Ok(())
        )
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        refuse!(self.using(POLL, "[method]pollable.ready"));
        through!(
            self,
            "wasi:io/poll [method]pollable.ready",
            (pollable),
            poll::HostPollable::ready(self.table(), pollable).await,
            otherwise | _asked | Ok(true)
        )
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        refuse!(self.using(POLL, "[resource-drop]pollable"));
        dropped!(
            self,
            "wasi:io/poll [resource-drop]pollable",
            pollable,
            poll::HostPollable::drop(self.table(), pollable)
        )
    }
}

impl error::Host for Guarded<'_> {}

impl error::HostError for Guarded<'_> {
    fn to_debug_string(&mut self, error: Resource<Error>) -> wasmtime::Result<String> {
        refuse!(self.using(ERROR, "[method]error.to-debug-string"));
        through!(
            self,
            "wasi:io/error [method]error.to-debug-string",
            (error),
            error::HostError::to_debug_string(self.table(), error)
        )
    }

    fn drop(&mut self, error: Resource<Error>) -> wasmtime::Result<()> {
        refuse!(self.using(ERROR, "[resource-drop]error"));
        dropped!(self, "wasi:io/error [resource-drop]error", error, error::HostError::drop(self.table(), error))
    }
}

impl streams::Host for Guarded<'_> {
    fn convert_stream_error(&mut self, error: StreamError) -> wasmtime::Result<streams::StreamError> {
        let converted = streams::Host::convert_stream_error(self.table(), error);
        if let Ok(streams::StreamError::LastOperationFailed(handle)) = &converted {
            // It has its number from a handle that is gone.
            self.forget(handle);
        }
        converted
    }
}

/// Functions that are counted and go on to `wasmtime-wasi-io`, with their names in the contract, and those that pass bytes without the
/// guest's having them, with how many.
macro_rules! forward {
    (async fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty, $label:literal by $trait:path
        $(, passes |$done:ident| $bytes:expr)?) => {
        async fn $name(&mut self, $($argument: $type),*) -> $result {
            refuse!(self.using(STREAMS, $label));
            let answer = through!(self, concat!("wasi:io/streams ", $label), ($($argument),*),
                <ResourceTable as $trait>::$name(self.table(), $($argument),*).await);
            $(if let Ok($done) = &answer { self.moved($bytes); })?
            answer
        }
    };
    (fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty, $label:literal by $trait:path
        $(, passes |$done:ident| $bytes:expr)?) => {
        fn $name(&mut self, $($argument: $type),*) -> $result {
            refuse!(self.using(STREAMS, $label));
            let answer = through!(self, concat!("wasi:io/streams ", $label), ($($argument),*),
                <ResourceTable as $trait>::$name(self.table(), $($argument),*));
            $(if let Ok($done) = &answer { self.moved($bytes); })?
            answer
        }
    };
}

type Input = Resource<DynInputStream>;
type Output = Resource<DynOutputStream>;

/// What a stream takes at once in a replay by a changed component, which may write more than was recorded.
const WRITABLE_IN_REPLAY: u64 = 4096;

impl Guarded<'_> {
    /// Counts what was written.
    fn wrote(&mut self, written: StreamResult<()>, bytes: usize) -> StreamResult<()> {
        if written.is_ok() {
            self.passes(bytes);
        }
        written
    }

    /// Counts what was moved, skipped or filled in by the host.
    fn moved(&mut self, bytes: u64) {
        self.passes(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    /// Counts what was read.
    fn read(&mut self, read: StreamResult<Vec<u8>>) -> StreamResult<Vec<u8>> {
        if let Ok(bytes) = &read {
            self.passes(bytes.len());
        }
        read
    }

    /// Writes to the plugin's own output in a replay too, for whoever looks for its last words.
    fn echo(&mut self, stream: &Output, bytes: &[u8]) {
        if self.is_real_in_replay(stream)
            && let Ok(stream) = self.table().get_mut(stream)
        {
            // What the guest is answered is in the recording.
            let _ = stream.write(Bytes::copy_from_slice(bytes));
        }
    }
}

impl streams::HostInputStream for Guarded<'_> {
    fn read(&mut self, stream: Input, len: u64) -> StreamResult<Vec<u8>> {
        refuse!(self.using(STREAMS, "[method]input-stream.read"));
        let read = through!(
            self,
            "wasi:io/streams [method]input-stream.read",
            (stream, len),
            streams::HostInputStream::read(self.table(), stream, len)
        );
        self.read(read)
    }

    async fn blocking_read(&mut self, stream: Input, len: u64) -> StreamResult<Vec<u8>> {
        refuse!(self.using(STREAMS, "[method]input-stream.blocking-read"));
        let read = through!(
            self,
            "wasi:io/streams [method]input-stream.blocking-read",
            (stream, len),
            streams::HostInputStream::blocking_read(self.table(), stream, len).await
        );
        self.read(read)
    }

    forward!(fn skip(stream: Input, len: u64) -> StreamResult<u64>, "[method]input-stream.skip" by streams::HostInputStream, passes |skipped| *skipped);
    forward!(async fn blocking_skip(stream: Input, len: u64) -> StreamResult<u64>,
        "[method]input-stream.blocking-skip" by streams::HostInputStream, passes |skipped| *skipped);
    fn subscribe(&mut self, stream: Input) -> wasmtime::Result<Resource<DynPollable>> {
        refuse!(self.using(STREAMS, "[method]input-stream.subscribe"));
        through!(
            self,
            "wasi:io/streams [method]input-stream.subscribe",
            (stream),
            streams::HostInputStream::subscribe(self.table(), stream),
            otherwise | asked | self.stand_in(&asked)
        )
    }

    async fn drop(&mut self, stream: Input) -> wasmtime::Result<()> {
        refuse!(self.using(STREAMS, "[resource-drop]input-stream"));
        dropped!(
            self,
            "wasi:io/streams [resource-drop]input-stream",
            stream,
            streams::HostInputStream::drop(self.table(), stream).await
        )
    }
}

impl streams::HostOutputStream for Guarded<'_> {
    fn write(&mut self, stream: Output, bytes: Vec<u8>) -> StreamResult<()> {
        refuse!(self.using(STREAMS, "[method]output-stream.write"));
        let length = bytes.len();
        self.echo(&stream, &bytes);
        let written = through!(
            self,
            "wasi:io/streams [method]output-stream.write",
            (stream, bytes),
            streams::HostOutputStream::write(self.table(), stream, bytes),
            otherwise | _asked | Ok(())
        );
        self.wrote(written, length)
    }

    async fn blocking_write_and_flush(&mut self, stream: Output, bytes: Vec<u8>) -> StreamResult<()> {
        refuse!(self.using(STREAMS, "[method]output-stream.blocking-write-and-flush"));
        let length = bytes.len();
        self.echo(&stream, &bytes);
        let written = through!(
            self,
            "wasi:io/streams [method]output-stream.blocking-write-and-flush",
            (stream, bytes),
            streams::HostOutputStream::blocking_write_and_flush(self.table(), stream, bytes).await,
            otherwise | _asked | Ok(())
        );
        self.wrote(written, length)
    }

    fn check_write(&mut self, stream: Output) -> StreamResult<u64> {
        refuse!(self.using(STREAMS, "[method]output-stream.check-write"));
        through!(
            self,
            "wasi:io/streams [method]output-stream.check-write",
            (stream),
            streams::HostOutputStream::check_write(self.table(), stream),
            otherwise | _asked | Ok(WRITABLE_IN_REPLAY)
        )
    }

    forward!(async fn blocking_write_zeroes_and_flush(stream: Output, len: u64) -> StreamResult<()>,
        "[method]output-stream.blocking-write-zeroes-and-flush" by streams::HostOutputStream, passes |_done| len);
    forward!(fn write_zeroes(stream: Output, len: u64) -> StreamResult<()>,
        "[method]output-stream.write-zeroes" by streams::HostOutputStream, passes |_done| len);
    forward!(fn flush(stream: Output) -> StreamResult<()>, "[method]output-stream.flush" by streams::HostOutputStream);
    forward!(async fn blocking_flush(stream: Output) -> StreamResult<()>,
        "[method]output-stream.blocking-flush" by streams::HostOutputStream);
    forward!(fn splice(to: Output, from: Input, len: u64) -> StreamResult<u64>,
        "[method]output-stream.splice" by streams::HostOutputStream, passes |moved| *moved);
    forward!(async fn blocking_splice(to: Output, from: Input, len: u64) -> StreamResult<u64>,
        "[method]output-stream.blocking-splice" by streams::HostOutputStream, passes |moved| *moved);
    fn subscribe(&mut self, stream: Output) -> wasmtime::Result<Resource<DynPollable>> {
        refuse!(self.using(STREAMS, "[method]output-stream.subscribe"));
        through!(
            self,
            "wasi:io/streams [method]output-stream.subscribe",
            (stream),
            streams::HostOutputStream::subscribe(self.table(), stream),
            otherwise | asked | self.stand_in(&asked)
        )
    }

    async fn drop(&mut self, stream: Output) -> wasmtime::Result<()> {
        refuse!(self.using(STREAMS, "[resource-drop]output-stream"));
        dropped!(
            self,
            "wasi:io/streams [resource-drop]output-stream",
            stream,
            streams::HostOutputStream::drop(self.table(), stream).await
        )
    }
}
