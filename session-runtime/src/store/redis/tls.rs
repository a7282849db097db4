//! TLS: whom to trust, and who we are.

#[cfg(feature = "tls")]
use std::io;
#[cfg(feature = "tls")]
use std::sync::Arc;

#[cfg(feature = "tls")]
use rustls::pki_types::pem::PemObject;
#[cfg(feature = "tls")]
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
#[cfg(feature = "tls")]
use rustls::{ClientConfig, RootCertStore};

use crate::store::StoreError;

/// Certificates as PEM texts.
#[derive(Clone, Default)]
pub(super) struct Certificates {
    /// The authorities to trust, in place of the system's.
    pub(super) authorities: Option<Vec<u8>>,
    /// The certificate, with its chain, and the key that the client shows.
    pub(super) client: Option<(Vec<u8>, Vec<u8>)>,
}

impl Certificates {
    pub(super) const fn is_none(&self) -> bool {
        self.authorities.is_none() && self.client.is_none()
    }
}

/// How TLS is spoken to every server of a store.
#[derive(Clone)]
pub(super) struct Tls {
    #[cfg(feature = "tls")]
    connector: tokio_rustls::TlsConnector,
}

#[cfg(feature = "tls")]
impl Tls {
    pub(super) fn new(certificates: &Certificates) -> Result<Self, StoreError> {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().map_err(StoreError::unavailable)?;
        let config = config.with_root_certificates(roots(certificates.authorities.as_deref())?);
        let config = match &certificates.client {
            None => config.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = pem(chain, "client's certificate")?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| unreadable("client's key"))?;
                config.with_client_auth_cert(chain, key).map_err(StoreError::unavailable)?
            }
        };
        Ok(Self { connector: tokio_rustls::TlsConnector::from(Arc::new(config)) })
    }

    pub(super) async fn over(
        &self,
        stream: tokio::net::TcpStream,
        host: &str,
    ) -> io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        self.connector.connect(name, stream).await
    }
}

#[cfg(feature = "tls")]
fn roots(authorities: Option<&[u8]>) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    if let Some(authorities) = authorities {
        for authority in pem(authorities, "authority's certificate")? {
            roots.add(authority).map_err(StoreError::unavailable)?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    // Some of the system's may be unreadable; without any, the error of the first connection would not say why.
    if let (true, Some(error)) = (found.certs.is_empty(), found.errors.into_iter().next()) {
        return Err(StoreError::unavailable(error));
    }
    roots.add_parsable_certificates(found.certs);
    Ok(roots)
}

#[cfg(feature = "tls")]
fn pem(text: &[u8], of: &str) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    certificates.ok().filter(|certificates| !certificates.is_empty()).ok_or_else(|| unreadable(of))
}

#[cfg(feature = "tls")]
fn unreadable(what: &str) -> StoreError {
    StoreError::unavailable(format!("the {what} for TLS is not in PEM"))
}

#[cfg(not(feature = "tls"))]
impl Tls {
    pub(super) fn new(_: &Certificates) -> Result<Self, StoreError> {
        Err(StoreError::unavailable("TLS takes the feature `tls` of session-runtime, which is not enabled"))
    }

    #[allow(clippy::unused_async, reason = "it is one with the feature")]
    pub(super) async fn over(&self, stream: tokio::net::TcpStream, _: &str) -> std::io::Result<tokio::net::TcpStream> {
        Ok(stream)
    }
}
