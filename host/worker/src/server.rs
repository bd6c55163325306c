//! The server on the release's socket.

use std::{collections::BTreeMap, convert::Infallible, io::Write, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
};
use serde_json::Value;
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    ERROR_HEADER, WorkerError, WorkerOptions, file, files,
    functions::{self, Functions},
};

/// Largest body of a request.
const MAX_BODY_BYTES: usize = 8 << 20;

/// What serves.
struct Release {
    public: Option<PathBuf>,
    functions: Option<Functions>,
}

/// Serves the release until the process is told to end; requests that are being answered then are answered.
///
/// # Errors
/// When the functions cannot be loaded or the socket cannot be served.
pub async fn serve(options: WorkerOptions) -> Result<(), WorkerError> {
    let functions = match &options.functions {
        Some(entry) => Some(Functions::load(&options, entry).await?),
        None => None,
    };
    let public = options.public.as_ref().map(|public| options.root.join(public));
    let release = Arc::new(Release { public, functions });
    if options.socket.exists() {
        std::fs::remove_file(&options.socket).map_err(file(&options.socket))?;
    }
    let listener = UnixListener::bind(&options.socket).map_err(file(&options.socket))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(file(&options.socket))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(file(&options.socket))?;
    let server = auto::Builder::new(TokioExecutor::new());
    let graceful = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    continue;
                }
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        let release = Arc::clone(&release);
        let service = service_fn(move |request| {
            let release = Arc::clone(&release);
            async move { Ok::<_, Infallible>(release.answer(request).await) }
        });
        let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection ended early");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

impl Release {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        if let Some(functions) = &self.functions {
            let (name, rest) = match path.trim_start_matches('/').split_once('/') {
                Some((name, rest)) => (name, format!("/{rest}")),
                None => (path.trim_start_matches('/'), "/".to_owned()),
            };
            if functions.names().iter().any(|known| known == name) {
                return call(functions, name, rest, request).await;
            }
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "files are read with GET\n");
        }
        let found = self.public.as_ref().and_then(|public| files::find(public, &path));
        let Some(found) = found else { return text(StatusCode::NOT_FOUND, "there is nothing here\n") };
        match tokio::fs::read(&found).await {
            Ok(bytes) => {
                let kind = mime_guess::from_path(&found).first_or_octet_stream();
                let body = if *request.method() == Method::HEAD { Bytes::new() } else { Bytes::from(bytes) };
                let mut response = Response::new(Full::new(body));
                if let Ok(kind) = kind.as_ref().parse() {
                    response.headers_mut().insert(header::CONTENT_TYPE, kind);
                }
                response
            }
            Err(error) => {
                tracing::error!(%error, file = %found.display(), "a file cannot be read");
                text(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n")
            }
        }
    }
}

async fn call(functions: &Functions, name: &str, path: String, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large, or was cut off\n"),
    };
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &parts.headers {
        let value = latin(value.as_bytes());
        headers.entry(name.as_str().to_owned()).and_modify(|all| *all = format!("{all}, {value}")).or_insert(value);
    }
    let answer = functions
        .call(&functions::Request {
            function: name.to_owned(),
            method: parts.method.to_string(),
            path,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            original_url: parts.uri.to_string(),
            headers,
            body: latin(&body),
        })
        .await;
    write_output(&answer.output);
    if let Some(failed) = &answer.failed {
        write_failure(name, failed);
        let mut response = text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n");
        response.headers_mut().insert(ERROR_HEADER, header::HeaderValue::from_static("application"));
        return response;
    }
    respond(&answer, parts.method == Method::HEAD)
}

/// The application's answer; what HTTP does not take of it is an error of the application.
fn respond(answer: &functions::Answer, head: bool) -> Response<Full<Bytes>> {
    let bytes: Option<Vec<u8>> = answer.body.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        let values = match value {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        for value in values {
            // The length and the way of transfer are the server's to say.
            if !matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection") {
                builder = builder.header(name, value.as_str().unwrap_or_default());
            }
        }
    }
    if answer.status >= 500 {
        // What it answers with by its own decision is as much its error as what it throws.
        builder = builder.header(ERROR_HEADER, "application");
    }
    let body = if head { Bytes::new() } else { Bytes::from(bytes.unwrap_or_default()) };
    builder.body(Full::new(body)).unwrap_or_else(|error| {
        write_failure("answer", &format!("Error: the answer is not valid HTTP: {error}"));
        let mut response = text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n");
        response.headers_mut().insert(ERROR_HEADER, header::HeaderValue::from_static("application"));
        response
    })
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Console lines, with their time as the platform's log would have it.
fn write_output(output: &[(String, String)]) {
    for (stream, line) in output {
        let (level, line) = (if stream == "stderr" { "WARN" } else { "INFO" }, line.trim_end());
        let record = format!("{} {level} {line}\n", timestamp());
        // A log that cannot be written to must not fail a request.
        drop(if stream == "stderr" {
            std::io::stderr().write_all(record.as_bytes())
        } else {
            std::io::stdout().write_all(record.as_bytes())
        });
    }
}

fn write_failure(function: &str, failed: &str) {
    let record = format!("{} ERROR {function}: {failed}\n", timestamp());
    drop(std::io::stderr().write_all(record.as_bytes()));
}

/// Now, as `2026-11-23T10:00:00.123Z`.
fn timestamp() -> String {
    let now = time::OffsetDateTime::now_utc();
    let millisecond = now.millisecond();
    let (date, time) = (now.date(), now.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{millisecond:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_5xx_that_the_application_decides_on_is_its_error() {
        for (status, is_marked) in [(200, false), (404, false), (500, true), (503, true)] {
            let answer: functions::Answer = serde_json::from_value(serde_json::json!({ "status": status })).unwrap();
            assert_eq!(respond(&answer, false).headers().contains_key(ERROR_HEADER), is_marked, "{status}");
        }
    }
}
