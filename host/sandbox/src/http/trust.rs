//! Whose certificates connections trust: the authorities of this machine, and the operator's own.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Whom connections trust.
#[derive(Debug, Default)]
pub struct Trust {
    authorities: Vec<CertificateDer<'static>>,
    /// Made when it is first needed: reading what a machine trusts takes milliseconds.
    tls: OnceLock<Option<Arc<ClientConfig>>>,
}

impl Trust {
    /// With these certificate authorities besides those of this machine: PEM texts, each with one certificate or more.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn new(certificate_authorities: &[Vec<u8>]) -> Result<Self, String> {
        let mut authorities = Vec::new();
        for pem in certificate_authorities {
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
        Ok(Self { authorities, tls: OnceLock::new() })
    }

    /// How HTTP/1.1 is spoken over TLS; none where this build's TLS cannot be set up.
    pub fn tls(&self) -> Option<Arc<ClientConfig>> {
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
        config.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_authority_that_is_none_is_refused() {
        for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(Trust::new(&[pem.into()]).is_err(), "{pem:?}");
        }
    }
}
