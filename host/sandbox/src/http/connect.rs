//! Connections: to an address that was judged, with TLS that sees the name that was asked for.

use std::{net::SocketAddr, sync::Arc};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use url::Url;
use wasmtime_wasi_http::Error;

use super::{
    resolve::{Resolver, SystemResolver},
    trust::Trust,
};

/// How requests find and trust their servers; the same for all plugins.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// Who looks names up; none, and the operating system does.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// Certificate authorities that are trusted besides those of this machine: PEM texts, each with one certificate or more.
    pub certificate_authorities: Vec<Vec<u8>>,
}

/// What connections are made with.
pub struct Network {
    pub resolver: Arc<dyn Resolver>,
    trust: Trust,
}

impl Network {
    /// # Errors
    /// What is wrong with a certificate authority.
    pub fn new(options: &HttpOptions) -> Result<Self, String> {
        let trust = Trust::new(&options.certificate_authorities)?;
        let resolver = options.resolver.clone().unwrap_or_else(|| Arc::new(SystemResolver::default()));
        Ok(Self { resolver, trust })
    }
}

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to the first of the addresses that takes one. Nothing is looked up here.
pub async fn connect(network: &Network, url: &Url, addresses: &[SocketAddr]) -> Result<Box<dyn Stream>, Error> {
    let stream = TcpStream::connect(addresses).await.map_err(Error::Connect)?;
    stream.set_nodelay(true).map_err(Error::Connect)?;
    if url.scheme() != "https" {
        return Ok(Box::new(stream));
    }
    let host = url.host_str().ok_or(Error::HttpRequestUriInvalid)?;
    let name =
        ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| Error::TlsCertificateError)?;
    let connector = tokio_rustls::TlsConnector::from(network.trust.tls().ok_or(Error::ConfigurationError)?);
    let stream = connector.connect(name, stream).await.map_err(|error| {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match cause {
            Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
            Some(rustls::Error::AlertReceived(alert)) => {
                Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: Some(format!("{alert:?}")) }
            }
            _ => Error::TlsProtocolError,
        }
    })?;
    Ok(Box::new(stream))
}
