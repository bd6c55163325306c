//! Outgoing HTTP of plugins: to granted origins only, to the address that was checked, without redirects.
//!
//! Order of things: the origin is matched (`policy`), the name is looked up once, every address of the answer is judged,
//! one of them is connected to, and only then does TLS see the name. Nothing is looked up a second time.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use autodevops_policy::{
    EffectiveGrant, Operation,
    address::{AddressKind, classify},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use wasmtime_wasi_http::{Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

use crate::authority::Authority;

/// Longest time for a connection to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// Longest time to the first byte of an answer.
const FIRST_BYTE: Duration = Duration::from_secs(60);

/// Most bytes of one answer.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

type Done = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = Result<(http::Response<WasiBody>, Done), Error>;

/// Decides about a call's requests and sends them.
pub struct HttpGate {
    pub authority: Authority,
    pub grant: Arc<EffectiveGrant>,
}

/// Headers that only the host sets: those of a connection, and those that carry credentials.
fn forbidden(name: &http::HeaderName) -> bool {
    wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS.contains(name)
        || [http::header::AUTHORIZATION, http::header::COOKIE].contains(name)
        || name.as_str() == "x-api-key"
}

impl WasiHttpHooks for HttpGate {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(forbidden)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Done,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let url = url::Url::parse(&request.uri().to_string());
        let target = url.as_ref().map_or_else(|_| request.uri().to_string(), url::Url::to_string);
        if let Err(denial) =
            self.authority.authorize(Operation::Http { method: request.method().to_string(), url: target })
        {
            tracing::debug!(%denial, "request refused");
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        if matches!(*request.method(), http::Method::CONNECT | http::Method::TRACE) {
            return Box::new(async { Err(Error::HttpRequestMethodInvalid) });
        }
        let Ok(url) = url else { return Box::new(async { Err(Error::HttpRequestUriInvalid) }) };
        let grant = Arc::clone(&self.grant);
        Box::new(async move {
            let addresses = addresses(&url).await?;
            let allowed = allowed(&grant, &url, &addresses)?;
            send(request, &url, allowed, options.unwrap_or_default()).await
        })
    }
}

/// The addresses of a URL's host, looked up once.
async fn addresses(url: &url::Url) -> Result<Vec<SocketAddr>, Error> {
    let port = url.port_or_known_default().ok_or(Error::HttpRequestUriInvalid)?;
    match url.host().ok_or(Error::HttpRequestUriInvalid)? {
        url::Host::Ipv4(address) => Ok(vec![SocketAddr::new(IpAddr::V4(address), port)]),
        url::Host::Ipv6(address) => Ok(vec![SocketAddr::new(IpAddr::V6(address), port)]),
        url::Host::Domain(name) => {
            let found = tokio::time::timeout(CONNECT, tokio::net::lookup_host((name, port)))
                .await
                .map_err(|_| Error::DnsTimeout)?
                .map_err(|error| Error::DnsError { rcode: Some(error.to_string()), info_code: None })?;
            Ok(found.collect())
        }
    }
}

/// The addresses that may be connected to: public ones; and this machine or a private network only where the operator
/// granted that very host, as a literal address or as `localhost`. One bad address in an answer spoils it.
fn allowed<'a>(grant: &EffectiveGrant, url: &url::Url, addresses: &'a [SocketAddr]) -> Result<&'a [SocketAddr], Error> {
    if addresses.is_empty() {
        return Err(Error::DestinationNotFound);
    }
    let named = match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(_) => true,
        None => false,
    };
    let granted_as_such = named && grant.http.iter().any(|origin| origin.allows(url));
    for address in addresses {
        let fits = match classify(address.ip()) {
            AddressKind::Public => true,
            AddressKind::Loopback | AddressKind::Private | AddressKind::SharedNat => granted_as_such,
            AddressKind::LinkLocal | AddressKind::Metadata | AddressKind::Multicast | AddressKind::Special => false,
        };
        if !fits {
            return Err(Error::DestinationIpProhibited);
        }
    }
    Ok(addresses)
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(url: &url::Url, addresses: &[SocketAddr]) -> Result<Box<dyn Stream>, Error> {
    let stream = TcpStream::connect(addresses).await.map_err(Error::Connect)?;
    stream.set_nodelay(true).map_err(Error::Connect)?;
    if url.scheme() != "https" {
        return Ok(Box::new(stream));
    }
    let host = url.host_str().ok_or(Error::HttpRequestUriInvalid)?;
    let name = rustls::pki_types::ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|_| Error::TlsCertificateError)?;
    let connector = tokio_rustls::TlsConnector::from(tls()?);
    Ok(Box::new(connector.connect(name, stream).await.map_err(Error::Tls)?))
}

/// TLS with the certificates that this machine trusts.
fn tls() -> Result<Arc<rustls::ClientConfig>, Error> {
    static CONFIG: OnceLock<Option<Arc<rustls::ClientConfig>>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let mut roots = rustls::RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Some(Arc::new(config))
    });
    config.clone().ok_or(Error::ConfigurationError)
}

async fn send(
    mut request: http::Request<WasiBody>,
    url: &url::Url,
    addresses: &[SocketAddr],
    options: RequestOptions,
) -> Answer {
    let within = |asked: Option<Duration>, most: Duration| asked.map_or(most, |asked| asked.min(most));
    let connecting = within(options.connect_timeout, CONNECT);
    let stream =
        tokio::time::timeout(connecting, connect(url, addresses)).await.map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // On the wire a request names its path; the host is in its header.
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
    *request.uri_mut() = path.parse().map_err(|_| Error::HttpRequestUriInvalid)?;
    // Aborted when it is dropped: with the call, or with the body.
    let driver = wasmtime_wasi::runtime::spawn(connection);
    let waiting = within(options.first_byte_timeout, FIRST_BYTE);
    let answer = tokio::time::timeout(waiting, sender.send_request(request)).await;
    let response = answer.map_err(|_| Error::ConnectionReadTimeout)??;
    let response = response.map(|body| {
        Limited::new(body, MAX_RESPONSE_BYTES)
            .map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(error) => Error::Hyper(*error),
                Err(_) => Error::HttpResponseBodySize(Some(MAX_RESPONSE_BYTES as u64)),
            })
            .map_frame(|frame: hyper::body::Frame<Bytes>| frame)
            .boxed_unsync()
    });
    let done: Done = Box::new(async move { driver.await.map_err(Error::Hyper) });
    Ok((response, done))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(origins: &[&str]) -> EffectiveGrant {
        EffectiveGrant { http: origins.iter().map(|text| text.parse().unwrap()).collect(), ..EffectiveGrant::default() }
    }

    fn judge(origins: &[&str], url: &str, addresses: &[&str]) -> bool {
        let addresses: Vec<SocketAddr> =
            addresses.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 80)).collect();
        allowed(&grant(origins), &url.parse().unwrap(), &addresses).is_ok()
    }

    #[test]
    fn a_name_never_leads_to_a_private_address() {
        let origins = ["https://api.example.com"];
        assert!(judge(&origins, "https://api.example.com/", &["93.184.216.34"]));
        for private in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "100.64.0.1"] {
            assert!(!judge(&origins, "https://api.example.com/", &[private]), "{private}");
            assert!(!judge(&origins, "https://api.example.com/", &["93.184.216.34", private]), "{private}");
        }
    }

    #[test]
    fn loopback_is_reached_only_when_granted_as_such() {
        assert!(judge(&["http://127.0.0.1:80"], "http://127.0.0.1/", &["127.0.0.1"]));
        assert!(judge(&["http://localhost:80"], "http://localhost/", &["127.0.0.1"]));
        assert!(!judge(&["http://169.254.169.254"], "http://169.254.169.254/", &["169.254.169.254"]));
    }

    #[test]
    fn headers_with_credentials_are_the_hosts_to_set() {
        for name in ["authorization", "cookie", "x-api-key", "host"] {
            assert!(forbidden(&http::HeaderName::from_static(name)), "{name}");
        }
        assert!(!forbidden(&http::HeaderName::from_static("accept")));
    }
}
