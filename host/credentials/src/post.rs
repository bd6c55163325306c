//! One form sent to a token endpoint, over TLS or to this machine; bounded in time and size, redirects not followed.

use std::{net::IpAddr, time::Duration};

use autodevops_sandbox::Trust;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::{CertificateError, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use url::{Host, Url};
use zeroize::Zeroizing;

/// Longest time for all of it.
const LONGEST: Duration = Duration::from_secs(10);

/// Largest response.
const MAX_BYTES: usize = 64 << 10;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Whether nobody on the way can read what is sent there.
pub fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

/// The status and the body of an answer.
type Answer = (http::StatusCode, Zeroizing<Vec<u8>>);

/// Why there is no answer, in words that hold nothing of what was sent.
#[derive(Debug)]
pub enum NoAnswer {
    /// Nobody who is trusted has signed its certificate.
    Untrusted(String),
    /// Anything else.
    Other(String),
}

impl From<String> for NoAnswer {
    fn from(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl From<&str> for NoAnswer {
    fn from(reason: &str) -> Self {
        Self::Other(reason.to_owned())
    }
}

/// Sends a form, and gives what is answered.
///
/// # Errors
/// Why there is no answer.
pub async fn form(url: &Url, form: Zeroizing<String>, trust: &Trust) -> Result<Answer, NoAnswer> {
    let sent = tokio::time::timeout(LONGEST, send(url, form, trust)).await;
    sent.unwrap_or_else(|_| Err(format!("it did not answer within {} s", LONGEST.as_secs()).into()))
}

async fn send(url: &Url, form: Zeroizing<String>, trust: &Trust) -> Result<Answer, NoAnswer> {
    let host = url.host_str().ok_or("it names no host")?;
    let port = url.port_or_known_default().ok_or("it names no port")?;
    let plain = host.trim_matches(['[', ']']);
    let stream = TcpStream::connect((plain, port)).await.map_err(|error| format!("no connection: {error}"))?;
    let stream: Box<dyn Stream> = if url.scheme() == "https" {
        let name = ServerName::try_from(plain.to_owned()).map_err(|_| "its host is no name for a certificate")?;
        let connector = tokio_rustls::TlsConnector::from(trust.tls().ok_or("TLS cannot be set up")?);
        Box::new(connector.connect(name, stream).await.map_err(no_tls)?)
    } else {
        Box::new(stream)
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(words)?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let request = http::Request::post(path)
        .header(http::header::HOST, authority)
        .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(http::header::ACCEPT, "application/json")
        .body(Full::new(Bytes::from(form.as_bytes().to_vec())))
        .map_err(|_| "it is no address for a request")?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(words)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|_| format!("its answer was cut off, or larger than {MAX_BYTES} bytes"))?;
        Ok((status, Zeroizing::new(body.to_bytes().to_vec())))
    };
    // Both on this task: when nobody waits any longer, the connection is closed.
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => {
            drop(ended);
            exchange.await
        }
    }
}

fn no_tls(error: std::io::Error) -> NoAnswer {
    let reason = format!("no TLS: {error}");
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => NoAnswer::Untrusted(reason),
        _ => NoAnswer::Other(reason),
    }
}

fn words(error: hyper::Error) -> String {
    let what = if error.is_parse() { "its answer is no HTTP" } else { "the connection was closed too early" };
    what.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_with_a_signature_goes_out_by_tls_or_to_this_machine_only() {
        for (url, safe) in [
            ("https://oauth2.googleapis.com/token", true),
            ("http://127.0.0.1:8080/token", true),
            ("http://[::1]:8080/token", true),
            ("http://localhost/token", true),
            ("http://oauth2.googleapis.com/token", false),
            ("http://localhost.evil.example/token", false),
            ("http://10.0.0.1/token", false),
            ("ftp://127.0.0.1/token", false),
        ] {
            assert_eq!(is_safe(&url.parse().unwrap()), safe, "{url}");
        }
    }
}
