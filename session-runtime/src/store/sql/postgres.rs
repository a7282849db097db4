//! PostgreSQL.

use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{AssertSqlSafe, SqlStr};

use super::pool::Connections;
use super::primitives::primitives;
use super::statements::Syntax;
use super::table::Table;
use super::{Dialect, Sql, SqlOptions, read_url, unavailable};
use crate::store::{Encoded, StoreError};

/// Sessions in a table of a PostgreSQL database (12 or later).
///
/// ```no_run
/// use session_runtime::store::PostgresStore;
///
/// # async fn connect() -> Result<(), session_runtime::store::StoreError> {
/// let store = PostgresStore::connect("postgres://shop@localhost/shop").await?;
/// # Ok(()) }
/// ```
///
/// - **Calls:** every operation is one statement, prepared once a connection, and one round trip; one that is refused, because
///   another was first, takes a second to learn why.
/// - **On a crash** of the program or the server every change that was acknowledged is there, as `synchronous_commit` and
///   `fsync` say; both are on unless you turn them off. A replica that takes over may lack the last changes, unless it is
///   synchronous.
/// - **Expiry:** by the database's clock, to the millisecond, whatever the time zones.
/// - **Room:** pages are filled to 80 %, and renewing a session mostly changes no indexed column, so that its new version goes
///   beside the old one without work on the index (a heap-only tuple).
pub type PostgresStore = Encoded<Sql<Postgres>>;

/// What [`PostgresStore`] talks to.
pub struct Postgres {
    connections: Connections<sqlx::Postgres>,
}

impl PostgresStore {
    /// Connects to a database: `postgres://user:password@host:port/database`, with the parameters of `libpq`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the URL is not of that form, the database does not answer within 5 seconds, or the table
    /// is missing and may not be created.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, StoreError> {
        Self::connect_with(url, SqlOptions::new()).await
    }

    /// Connects as [`connect`](Self::connect) does, with options.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect), and where the table's name is not a valid one.
    pub async fn connect_with(url: impl AsRef<str>, options: SqlOptions) -> Result<Self, StoreError> {
        let connect: PgConnectOptions = read_url(url.as_ref())?;
        let connections = Connections::own(connect, options.max_connections).await.map_err(unavailable)?;
        Sql::open(Postgres { connections }, options).await
    }

    /// Keeps sessions in the database of a pool. The pool tests each connection when it is given back, which is one round trip
    /// more, and unless told otherwise ([`test_before_acquire`](sqlx::pool::PoolOptions::test_before_acquire)) also before it gives
    /// it out. A store that connects by itself does without.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the table is missing and cannot be created, or its name is not a valid one.
    pub async fn from_pool(pool: PgPool, options: SqlOptions) -> Result<Self, StoreError> {
        Sql::open(Postgres { connections: Connections::given(pool) }, options).await
    }
}

impl Dialect for Postgres {
    const NAME: &'static str = "PostgresStore";
    const SYNTAX: Syntax = Syntax {
        now: "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
        now_for_index: "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint",
        least: "least",
        divide: "/",
        quote: '"',
        numbered: true,
        changes_in_with: true,
        next_version: "version + 1",
        returning_version: " RETURNING version",
        for_update: "",
        on_conflict: "",
        inserted: "",
        sweep: "WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock({lock}) AS mine), \
                gone AS (SELECT id FROM {table} WHERE (SELECT mine FROM turn) AND sweep_at <= {now} \
                LIMIT 1000 FOR UPDATE SKIP LOCKED) \
                DELETE FROM {table} WHERE id IN (SELECT id FROM gone)",
    };

    primitives!(execute: connections, change: connections, read: connections, close: connections);

    /// Statements that are sent together are one transaction. The lock makes processes that start together take turns, which
    /// `IF NOT EXISTS` alone does not.
    async fn create_table(&self, table: &Table) -> sqlx::Result<()> {
        let (name, index, lock) = (table.quoted('"'), table.index('"'), table.lock());
        let sql = format!(
            "SELECT pg_advisory_xact_lock({lock}); \
             CREATE TABLE IF NOT EXISTS {name} (id bytea NOT NULL PRIMARY KEY, version bigint NOT NULL, idle bigint NOT NULL, \
             absolute_at bigint NOT NULL, created_at bigint NOT NULL, expires_at bigint NOT NULL, sweep_at bigint NOT NULL, data bytea NOT NULL) \
             WITH (fillfactor = 80); \
             CREATE INDEX IF NOT EXISTS {index} ON {name} (sweep_at)"
        );
        let mut lease = self.connections.take().await?;
        let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(lease.connection()).await;
        lease.end(result).map(drop)
    }

    /// Each batch takes the lock for itself: a process that finds it taken is done.
    async fn sweep(&self, _: &Table, batch: &SqlStr, full: u64) -> sqlx::Result<u64> {
        let mut gone = 0;
        loop {
            let rows = self.execute(batch, &[]).await?;
            gone += rows;
            if rows < full {
                return Ok(gone);
            }
        }
    }
}
