//! The host's own trace: on stderr, and never with what passes between a plugin and the host.

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::filter_fn,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    registry,
    util::SubscriberInitExt as _,
};

use crate::output;

/// The engine's own crates, which trace each host call with its arguments and its answer: headers, bodies, files.
const ENGINE: &str = "wasmtime";

/// The trace goes to stderr: warnings, or what `RUST_LOG` names; `-v` tells more.
pub fn to_stderr(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let asked =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("warn,autodevops={level}")));
    subscriber(asked, std::io::stderr, output::Style::stderr().is_coloured()).init();
}

fn subscriber<W>(asked: EnvFilter, writer: W, colours: bool) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(colours).with_target(false);
    registry().with(asked).with(lines.with_filter(filter_fn(is_written)))
}

/// Whether a line may be written, whoever asks for it: the engine's are only down to `debug`.
fn is_written(about: &Metadata<'_>) -> bool {
    !(about.target().starts_with(ENGINE) && *about.level() == Level::TRACE)
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_passes_between_a_plugin_and_the_host_is_never_written_whatever_is_asked_for() {
        for asked in ["trace", "wasmtime_wasi_http=trace", "wasmtime_wasi_http::p2::bindings=trace,autodevops=trace"] {
            let lines = Lines::default();
            let writer = lines.clone();
            let subscriber = subscriber(EnvFilter::new(asked), move || writer.clone(), false);
            tracing::subscriber::with_default(subscriber, || {
                tracing::trace!(target: "wasmtime_wasi_http::p2::bindings", "authorization: s3cr3t");
                tracing::trace!(target: "wasmtime_wasi::p2::bindings", "read: s3cr3t");
                let span = tracing::trace_span!(target: "wasmtime_wasi_http::p2::bindings", "call", value = "s3cr3t");
                span.in_scope(|| tracing::trace!(target: "autodevops_sandbox", "the host's own"));
                tracing::debug!(target: "wasmtime_wasi_http::p2::bindings", "at debug");
            });
            let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
            assert!(!written.contains("s3cr3t"), "{asked}: {written}");
            assert!(written.contains("at debug"), "{asked}: {written}");
            assert_eq!(
                written.contains("the host's own"),
                asked.contains("autodevops") || asked == "trace",
                "{asked}: {written}"
            );
        }
    }
}
