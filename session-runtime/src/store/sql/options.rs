//! How a store in a SQL database is set up.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::store::StoreError;

/// The longest limit to the time of a statement that every database takes: PostgreSQL keeps it as a number of milliseconds in 32 bits.
const LONGEST: Duration = Duration::from_millis(i32::MAX.unsigned_abs() as u64);

/// How a store in a SQL database is set up.
#[derive(Debug, Clone)]
pub struct SqlOptions {
    pub(super) table: String,
    pub(super) sweep_every: Duration,
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), allow(dead_code, reason = "SQLite has one writer"))]
    pub(super) max_connections: u32,
    pub(super) statement_timeout: Duration,
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), allow(dead_code, reason = "SQLite has no accounts"))]
    pub(super) login: Option<Login>,
}

impl SqlOptions {
    /// The options unless others are given.
    #[must_use]
    pub fn new() -> Self {
        Self {
            table: "session_runtime".to_owned(),
            sweep_every: Duration::from_secs(60),
            max_connections: 10,
            statement_timeout: Duration::from_millis(2500),
            login: None,
        }
    }

    /// The table that keeps the sessions; defaults to `session_runtime`. It is created where it is missing. Layers may share a table:
    /// their [namespaces](crate::store::Namespace) keep their sessions apart.
    ///
    /// A name is 1 to 48 ASCII letters, digits and `_`, not beginning with a digit; `schema.name` where the database has schemas.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }

    /// How often expired sessions are removed from the table, by whichever of the processes that share it comes first; defaults to 60
    /// seconds, and must be more than zero. They are absent from the instant they expire; this is about the room they take.
    #[must_use]
    pub fn sweep_every(mut self, interval: Duration) -> Self {
        self.sweep_every = interval;
        self
    }

    /// The most connections that the store opens to a server; defaults to 10. A pool of your own has its own limit.
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections;
        self
    }

    /// How long a statement may take, waiting for locks included, before the server ends it; defaults to 2.5 seconds, a little more than
    /// `store_timeout`. Raise it together with `store_timeout`. A limit of more than 24 days is one of 24 days.
    ///
    /// The server is told on each connection that the store makes (`statement_timeout` in PostgreSQL; `max_statement_time` and the waits for
    /// locks in MariaDB and MySQL). A server that has not answered a second after that counts as gone, and the connection with it. For a
    /// SQLite file, this is how long a change waits for those of other processes.
    #[must_use]
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.statement_timeout = limit.min(LONGEST);
        self
    }

    /// Where the user's name and password come from; defaults to the URL. The closure is asked for each new connection, so that a password
    /// may change while the program runs.
    ///
    /// ```
    /// use session_runtime::store::{Credentials, SqlOptions};
    ///
    /// let options = SqlOptions::new().credentials(|| async {
    ///     let password = tokio::fs::read_to_string("/run/secrets/database").await?;
    ///     Ok::<_, std::io::Error>(Credentials::password(password.trim()))
    /// });
    /// ```
    #[must_use]
    pub fn credentials<F, A, E>(mut self, provider: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.login = Some(Login(Arc::new(move || {
            let answer = provider();
            Box::pin(async move { answer.await.map_err(Into::into) })
        })));
        self
    }

    /// Refuses what cannot be kept.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.sweep_every.is_zero() {
            return Err(StoreError::unavailable(
                "`sweep_every` is zero: expired sessions can be swept every second, but not all the time",
            ));
        }
        if self.statement_timeout < Duration::from_millis(1) {
            return Err(StoreError::unavailable(
                "`statement_timeout` is less than a millisecond: no statement would come to its end",
            ));
        }
        Ok(())
    }
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// What a store logs in to its server with.
#[derive(Clone)]
#[non_exhaustive]
pub struct Credentials {
    /// The user's name; `None` is that in the URL.
    pub user: Option<String>,
    /// The password.
    pub password: String,
}

impl Credentials {
    /// A password, for the user in the URL.
    pub fn password(password: impl Into<String>) -> Self {
        Self { user: None, password: password.into() }
    }

    /// The same for another user.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Credentials, Box<dyn Error + Send + Sync>>> + Send>>;

/// Gives the credentials for a new connection.
#[derive(Clone)]
pub(super) struct Login(Arc<dyn Fn() -> Answer + Send + Sync>);

impl Login {
    pub(super) fn credentials(&self) -> Answer {
        (self.0)()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}
