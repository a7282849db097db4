//! What a Redis store is told when it is opened, beside its URL.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::tls::Certificates;
use crate::store::StoreError;

/// Options of a [`RedisStore`](super::RedisStore), beside its URL.
///
/// ```no_run
/// use session_runtime::store::{RedisCredentials, RedisOptions, RedisStore, StoreError};
///
/// # async fn connect() -> Result<(), StoreError> {
/// let options = RedisOptions::new().key_prefix("shop:").credentials(|| async {
///     // Asked for each new connection, so that a password that was rotated is known.
///     let password = std::fs::read_to_string("/run/secrets/redis").map_err(StoreError::unavailable)?;
///     Ok(RedisCredentials::new("app", password.trim()))
/// });
/// let store = RedisStore::connect_with("rediss://db.example.com/", options).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct RedisOptions {
    pub(super) key_prefix: Option<String>,
    pub(super) credentials: Option<Provider>,
    pub(super) certificates: Certificates,
}

impl RedisOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the keys begin with; defaults to `session:`.
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.key_prefix = Some(prefix.into());
        self
    }

    /// Asks `provider` for the user and the password of each new connection, in place of those in the URL. A connection that is there
    /// stays; when the server ends it or does not know its user any more, the next one asks again.
    pub fn credentials<F, R>(mut self, provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<RedisCredentials, StoreError>> + Send + 'static,
    {
        self.credentials = Some(Provider(Arc::new(move || Box::pin(provider()))));
        self
    }

    /// Trusts the authorities of these certificates, as PEM, in place of the system's. For TLS.
    pub fn tls_authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.authorities = Some(pem.into());
        self
    }

    /// Shows the server this certificate, with its chain, and its key, as PEM. For TLS.
    pub fn tls_client(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.certificates.client = Some((certificate.into(), key.into()));
        self
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions").field("key_prefix", &self.key_prefix).finish_non_exhaustive()
    }
}

type Credentials = Pin<Box<dyn Future<Output = Result<RedisCredentials, StoreError>> + Send>>;

#[derive(Clone)]
pub(super) struct Provider(Arc<dyn Fn() -> Credentials + Send + Sync>);

impl Provider {
    pub(super) fn ask(&self) -> Credentials {
        (self.0)()
    }
}

/// A user of a Redis server and the password; [`RedisOptions::credentials`] gives one.
#[derive(Clone)]
pub struct RedisCredentials {
    pub(super) user: Option<String>,
    pub(super) password: String,
}

impl RedisCredentials {
    /// A user and the password.
    #[must_use]
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: Some(user.into()), password: password.into() }
    }

    /// The password of the default user (`requirepass`).
    #[must_use]
    pub fn password(password: impl Into<String>) -> Self {
        Self { user: None, password: password.into() }
    }
}

impl fmt::Debug for RedisCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCredentials").field("user", &self.user).finish_non_exhaustive()
    }
}
