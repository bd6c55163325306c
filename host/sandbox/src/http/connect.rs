//! Connections: to an address that was judged, with TLS that sees the name that was asked for.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use url::Url;
use wasmtime_wasi_http::Error;

use super::resolve::{Resolver, SystemResolver};

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
    authorities: Vec<CertificateDer<'static>>,
    /// Made when it is first needed: reading what a machine trusts takes milliseconds.
    tls: OnceLock<Option<Arc<ClientConfig>>>,
}

impl Network {
    /// # Errors
    /// What is wrong with a certificate authority.
    pub fn new(options: &HttpOptions) -> Result<Self, String> {
        let mut authorities = Vec::new();
        for pem in &options.certificate_authorities {
            let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
            let read = read.map_err(|error| format!("a certificate authority is no PEM text: {error}"))?;
            if read.is_empty() {
                return Err("a certificate authority's file holds no certificate".into());
            }
            for certificate in &read {
                let added = RootCertStore::empty().add(certificate.clone());
                added.map_err(|error| format!("a certificate authority is not one: {error}"))?;
            }
            authorities.extend(read);
        }
        let resolver = options.resolver.clone().unwrap_or_else(|| Arc::new(SystemResolver::default()));
        Ok(Self { resolver, authorities, tls: OnceLock::new() })
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, Error> {
        let config = self.tls.get_or_init(|| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots.add_parsable_certificates(self.authorities.iter().cloned());
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
            let mut config = builder.with_root_certificates(roots).with_no_client_auth();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Some(Arc::new(config))
        });
        config.clone().ok_or(Error::ConfigurationError)
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
    let connector = tokio_rustls::TlsConnector::from(network.tls()?);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_authority_that_is_none_is_refused() {
        for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let options = HttpOptions { certificate_authorities: vec![pem.into()], ..HttpOptions::default() };
            assert!(Network::new(&options).is_err(), "{pem:?}");
        }
    }
}
