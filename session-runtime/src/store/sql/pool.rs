//! The connections of a store.
//!
//! A store that connects by itself keeps them in a pool of its own: sqlx's tests each connection with one more round trip, before
//! it is given out or after it is given back.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions, Connection, Database, Pool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::is_connection_lost;

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that was idle this long is tested before it is used: the server may have gone meanwhile.
const TEST_AFTER: Duration = Duration::from_secs(1);

/// How long such a test may take.
const TEST_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Connections<D: Database>(Source<D>);

enum Source<D: Database> {
    Own(Arc<Own<D>>),
    Given(Pool<D>),
}

/// Connections that the store made.
pub(super) struct Own<D: Database> {
    options: <D::Connection as Connection>::Options,
    limit: u32,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<(D::Connection, Instant)>>,
}

impl<D: Database> Connections<D> {
    /// Up to `limit` connections, made when they are needed; the first one now, to know that it can be.
    pub(super) async fn own(options: <D::Connection as Connection>::Options, limit: u32) -> sqlx::Result<Self> {
        let options = options.disable_statement_logging();
        let limit = limit.max(1);
        let places = Arc::new(Semaphore::new(limit as usize));
        let connections = Self(Source::Own(Arc::new(Own { options, limit, places, idle: Mutex::default() })));
        connections.take().await?.end(Ok(()))?;
        Ok(connections)
    }

    /// The connections of a pool that is there already.
    pub(super) const fn given(pool: Pool<D>) -> Self {
        Self(Source::Given(pool))
    }

    /// Closes the connections that the store made, when no statement has them any more. From then on there is none to take.
    pub(super) async fn close(&self) {
        let Source::Own(own) = &self.0 else { return };
        // Fails where they are closed already.
        let Ok(_all) = own.places.acquire_many(own.limit).await else { return };
        own.places.close();
        let idle = mem::take(&mut *own.idle());
        for (connection, _) in idle {
            // What cannot be told that this is the end hears it when the connection goes.
            let _ = connection.close().await;
        }
    }

    /// A connection for one statement.
    pub(super) async fn take(&self) -> sqlx::Result<Lease<D>> {
        match &self.0 {
            Source::Own(own) => Own::take(own).await,
            Source::Given(pool) => Ok(Lease::Given(Given { connection: pool.acquire().await?, ended: false })),
        }
    }
}

impl<D: Database> Clone for Connections<D> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Source::Own(own) => Source::Own(Arc::clone(own)),
            Source::Given(pool) => Source::Given(pool.clone()),
        })
    }
}

impl<D: Database> Own<D> {
    async fn take(self: &Arc<Self>) -> sqlx::Result<Lease<D>> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let connection = match self.pop_sound().await {
            Some(connection) => connection,
            None => bounded(CONNECT_TIMEOUT, self.options.connect()).await?,
        };
        Ok(Lease::Own { connection, place, own: Arc::clone(self) })
    }

    /// A connection that is there, and tested unless it was just used.
    async fn pop_sound(&self) -> Option<D::Connection> {
        let (mut connection, since) = self.idle().pop()?;
        if since.elapsed() < TEST_AFTER || bounded(TEST_TIMEOUT, connection.ping()).await.is_ok() {
            return Some(connection);
        }
        self.forget_idle();
        None
    }

    /// What broke a connection broke the others that were idle then, and they are not all tested before they are used.
    fn forget_idle(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(D::Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn bounded<R>(limit: Duration, run: impl Future<Output = sqlx::Result<R>>) -> sqlx::Result<R> {
    tokio::time::timeout(limit, run).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// A connection for one statement. Unless that comes to its [`end`](Self::end) the connection is closed: an answer that nobody
/// waits for may be on its way.
pub(super) enum Lease<D: Database> {
    Own { connection: D::Connection, place: OwnedSemaphorePermit, own: Arc<Own<D>> },
    Given(Given<D>),
}

impl<D: Database> Lease<D> {
    pub(super) fn connection(&mut self) -> &mut D::Connection {
        match self {
            Self::Own { connection, .. } => connection,
            Self::Given(given) => &mut given.connection,
        }
    }

    /// Gives the connection back, if the statement's result shows that it came to an end.
    pub(super) fn end<R>(self, result: sqlx::Result<R>) -> sqlx::Result<R> {
        let is_sound = match &result {
            Ok(_) => true,
            Err(error) => matches!(error, sqlx::Error::Database(_)) && !is_connection_lost(error),
        };
        match self {
            Self::Own { connection, place, own } if is_sound => {
                own.idle().push((connection, Instant::now()));
                drop(place);
            }
            Self::Own { own, .. } => own.forget_idle(),
            Self::Given(mut given) => given.ended = is_sound,
        }
        result
    }
}

/// A connection of a pool that is not the store's.
pub(super) struct Given<D: Database> {
    connection: PoolConnection<D>,
    ended: bool,
}

impl<D: Database> Drop for Given<D> {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}
