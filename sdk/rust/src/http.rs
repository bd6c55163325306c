//! Outgoing HTTP, for plugins that were granted the origin; each request blocks until its answer is there.
//!
//! Redirects are not followed. Headers that carry credentials are set by the host alone.
//!
//! ```no_run
//! use autodevops_sdk::{Result, http::Request};
//!
//! fn status() -> Result<u16> {
//!     let answer = Request::post("https://hooks.example.com/deploys", r#"{"text":"done"}"#)
//!         .header("content-type", "application/json")
//!         .send()?;
//!     Ok(answer.status)
//! }
//! ```

use std::time::Duration;

use crate::{
    Error, Result,
    bindings::http::wasi::{
        http::{
            outgoing_handler,
            types::{
                ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
            },
        },
        io::streams::{InputStream, StreamError},
    },
};

/// Longest wait for a connection, and for the first byte of an answer, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of an answer, unless told otherwise.
const MAX_BYTES: usize = 16 << 20;

/// How much one write to a body may hold; the contract's `blocking-write-and-flush` takes no more.
const WRITE_BYTES: usize = 4096;

/// How much is read at once.
const READ_BYTES: u64 = 64 << 10;

/// A request that was not sent yet.
#[derive(Clone, Debug)]
pub struct Request {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Duration,
    max_bytes: usize,
}

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status, such as 200.
    pub status: u16,
    /// Names, in lowercase, and values, in the order in which they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }
}

impl Request {
    fn new(method: &'static str, url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        let (headers, timeout, max_bytes) = (Vec::new(), TIMEOUT, MAX_BYTES);
        Self { method, url: url.into(), headers, body: body.into(), timeout, max_bytes }
    }

    /// A `GET` of the URL.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url, Vec::new())
    }

    /// A `POST` of the body to the URL.
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", url, body)
    }

    /// A `PUT` of the body to the URL.
    pub fn put(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self::new("PUT", url, body)
    }

    /// A `DELETE` of the URL.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url, Vec::new())
    }

    /// A `PATCH` of the URL by the body.
    pub fn patch(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self::new("PATCH", url, body)
    }

    /// Adds a header; the same name twice sends two.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Longest wait for the connection, and again for the answer's first byte: 30 s unless set. What bounds the whole of the
    /// answer is the time that the call has.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Most bytes that the answer's body may have: 16 MiB unless set.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sends the request and waits for the whole answer. A status such as 500 is an answer too.
    ///
    /// # Errors
    /// `invalid-input` for a URL or a header that is none, `denied` when the host does not let the request out,
    /// `unavailable` when no whole answer came.
    pub fn send(&self) -> Result<Response> {
        let (scheme, authority, path) = parts(&self.url)?;
        let headers: Vec<(String, Vec<u8>)> =
            self.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
        let headers = Fields::from_list(&headers).map_err(|error| {
            Error::wrong_input(format!("a header of the request to {} is not taken: {error}", self.url))
        })?;
        let wrong = |part: &str| Error::wrong_input(format!("{:?} has no valid {part}", self.url));
        let request = OutgoingRequest::new(headers);
        let method = match self.method {
            "GET" => Method::Get,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            _ => Method::Patch,
        };
        request.set_method(&method).map_err(|()| wrong("method"))?;
        request.set_scheme(Some(&scheme)).map_err(|()| wrong("scheme"))?;
        request.set_authority(Some(authority)).map_err(|()| wrong("host"))?;
        request.set_path_with_query(Some(&path)).map_err(|()| wrong("path"))?;
        let body = request.body().map_err(|()| Error::failure("the request has no body to write to"))?;
        let options = RequestOptions::new();
        let nanoseconds = u64::try_from(self.timeout.as_nanos()).unwrap_or(u64::MAX);
        // A host that cannot hold one of these says so; then its own hold.
        let _ = options.set_connect_timeout(Some(nanoseconds));
        let _ = options.set_first_byte_timeout(Some(nanoseconds));
        let future = outgoing_handler::handle(request, Some(options)).map_err(|code| self.refused(&code))?;
        self.write(body)?;
        let pollable = future.subscribe();
        pollable.block();
        drop(pollable);
        let response = future
            .get()
            .and_then(std::result::Result::ok)
            .ok_or_else(|| Error::failure("the host gave no answer to a request that was done"))?
            .map_err(|code| self.refused(&code))?;
        self.read(&response)
    }

    fn write(&self, body: OutgoingBody) -> Result<()> {
        if !self.body.is_empty() {
            let stream = body.write().map_err(|()| Error::failure("the request's body cannot be written"))?;
            for part in self.body.chunks(WRITE_BYTES) {
                // A server may answer before it read everything: then its answer counts, not this.
                if stream.blocking_write_and_flush(part).is_err() {
                    break;
                }
            }
        }
        OutgoingBody::finish(body, None).map_err(|code| self.refused(&code))
    }

    fn read(&self, response: &IncomingResponse) -> Result<Response> {
        let status = response.status();
        let headers =
            response.headers().entries().into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let incoming = response.consume().map_err(|()| Error::failure("the answer's body cannot be read"))?;
        let stream = incoming.stream().map_err(|()| Error::failure("the answer's body cannot be read"))?;
        let body = self.drain(&stream)?;
        Ok(Response { status, headers, body })
    }

    fn drain(&self, stream: &InputStream) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            match stream.blocking_read(READ_BYTES) {
                Ok(bytes) if body.len() + bytes.len() > self.max_bytes => {
                    return Err(Error::no_answer(format!(
                        "the answer of {} has more than {} bytes, the most that is taken",
                        self.url, self.max_bytes
                    )));
                }
                Ok(bytes) => body.extend_from_slice(&bytes),
                Err(StreamError::Closed) => return Ok(body),
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(Error::no_answer(format!(
                        "{} broke off its answer: {}",
                        self.url,
                        error.to_debug_string()
                    )));
                }
            }
        }
    }

    /// The host's error, in the contract's cases.
    fn refused(&self, code: &ErrorCode) -> Error {
        let error = match code {
            ErrorCode::HttpRequestDenied => Error::not_granted(format!("a request to {} is not granted", self.url)),
            ErrorCode::DestinationIpProhibited => Error::not_granted(format!(
                "{} leads to an address of this machine or a private network, which is granted only as a literal address",
                self.url
            )),
            ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestMethodInvalid => {
                Error::wrong_input(format!("{:?} cannot be asked: {}", self.url, words(code)))
            }
            _ => Error::no_answer(format!("{} did not answer: {}", self.url, words(code))),
        };
        error.with("url", &self.url)
    }
}

/// The host's error for a person; the rarer ones by the name that the standard gives them.
fn words(code: &ErrorCode) -> String {
    let words = match code {
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => "its name was not found",
        ErrorCode::ConnectionRefused => "the connection was refused",
        ErrorCode::ConnectionTimeout => "no connection was made in time",
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => "no answer came in time",
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => "the connection was closed too early",
        ErrorCode::TlsCertificateError => "its certificate is not trusted",
        ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => "it does not speak TLS as it should",
        ErrorCode::HttpProtocolError => "its answer is no HTTP",
        other => return format!("{other:?}").replace("ErrorCode::", ""),
    };
    words.to_owned()
}

/// Scheme, authority, and path with query of a URL. The host judges each of them once more.
fn parts(url: &str) -> Result<(Scheme, &str, String)> {
    let wrong = |what: &str| Error::wrong_input(format!("{url:?} is no address for a request: {what}"));
    let (scheme, rest) =
        url.split_once("://").ok_or_else(|| wrong("write for example `https://api.example.com/v1`"))?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err(wrong("only `https` and `http` are spoken")),
    };
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.is_empty() {
        return Err(wrong("it names no host"));
    }
    if authority.contains('@') {
        return Err(wrong("it names a user; credentials are the host's to add"));
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok((scheme, authority, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (url, authority, path) in [
            ("http://127.0.0.1:9100/metrics", "127.0.0.1:9100", "/metrics"),
            ("HTTPS://api.example.com", "api.example.com", "/"),
            ("https://api.example.com?q=1#top", "api.example.com", "/?q=1"),
            ("http://[::1]:80/a?b=/c", "[::1]:80", "/a?b=/c"),
        ] {
            let (_, found, rest) = parts(url).unwrap();
            assert_eq!((found, rest.as_str()), (authority, path), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for (url, text) in [
            ("metrics", "write for example"),
            ("ftp://a.example", "only `https` and `http`"),
            ("http:///metrics", "names no host"),
            ("https://user:word@a.example", "names a user"),
        ] {
            let error = parts(url).unwrap_err();
            assert!(error.message().contains(text) && matches!(error, Error::InvalidInput(_)), "{}", error.message());
        }
    }

    #[test]
    fn a_header_is_found_in_any_case() {
        let headers = vec![("content-type".to_owned(), b"text/plain".to_vec())];
        let response = Response { status: 200, headers, body: Vec::new() };
        assert_eq!(response.header("Content-Type"), Some("text/plain"));
        assert_eq!(response.header("etag"), None);
    }
}
