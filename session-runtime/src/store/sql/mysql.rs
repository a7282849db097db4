//! MariaDB and MySQL.

use sqlx::mysql::{MySqlConnectOptions, MySqlPool};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::pool::Connections;
use super::primitives::{Bind, bound, primitives};
use super::statements::Syntax;
use super::table::Table;
use super::{Dialect, Sql, SqlOptions, read_url, unavailable};
use crate::store::{Encoded, StoreError};

/// Sessions in a table of a MariaDB (10.5 or later) or MySQL (8.0 or later) database, with the InnoDB engine.
///
/// ```no_run
/// use session_runtime::store::MySqlStore;
///
/// # async fn connect() -> Result<(), session_runtime::store::StoreError> {
/// let store = MySqlStore::connect("mysql://shop:password@localhost/shop").await?;
/// # Ok(()) }
/// ```
///
/// - **Calls:** every operation is one statement, prepared once a connection, and one round trip; one that is refused, because
///   another was first, takes a second to learn why.
/// - **On a crash** of the program or the server every change that was acknowledged is there, as
///   `innodb_flush_log_at_trx_commit` says; it is 1 unless you change it. A replica that takes over may lack the last changes.
/// - **Expiry:** by the database's clock, to the millisecond, whatever the time zones and their changes of the clock.
/// - **Accounts** of MySQL that use `caching_sha2_password` need TLS (feature `tls`) or a socket.
pub type MySqlStore = Encoded<Sql<MySql>>;

/// What [`MySqlStore`] talks to.
pub struct MySql {
    connections: Connections<sqlx::MySql>,
}

impl MySqlStore {
    /// Connects to a database: `mysql://user:password@host:port/database`.
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
        let connect: MySqlConnectOptions = read_url(url.as_ref())?;
        let connections = Connections::own(connect, options.max_connections).await.map_err(unavailable)?;
        Sql::open(MySql { connections }, options).await
    }

    /// Keeps sessions in the database of a pool. The pool tests each connection when it is given back, which is one round trip
    /// more, and unless told otherwise ([`test_before_acquire`](sqlx::pool::PoolOptions::test_before_acquire)) also before it gives
    /// it out. A store that connects by itself does without.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the table is missing and cannot be created, or its name is not a valid one.
    pub async fn from_pool(pool: MySqlPool, options: SqlOptions) -> Result<Self, StoreError> {
        Sql::open(MySql { connections: Connections::given(pool) }, options).await
    }
}

impl Dialect for MySql {
    const NAME: &'static str = "MySqlStore";
    const SYNTAX: Syntax = Syntax {
        // UNIX_TIMESTAMP() has no fractions, and of a local time it would be ambiguous when the clocks go back.
        now: "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000",
        now_for_index: "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000",
        least: "least",
        divide: "DIV",
        quote: '`',
        numbered: false,
        changes_in_with: false,
        // It tells the client the number along with the rows it changed.
        next_version: "LAST_INSERT_ID(version + 1)",
        returning_version: "",
        for_update: " FOR UPDATE",
        on_conflict: "ON DUPLICATE KEY UPDATE",
        inserted: "VALUES({})",
        sweep: "DELETE FROM {table} WHERE sweep_at <= {now} ORDER BY sweep_at LIMIT 1000",
    };

    primitives!(execute: connections, read: connections, close: connections);

    async fn change(&self, sql: &SqlStr, binds: &[Bind<'_>]) -> sqlx::Result<Option<i64>> {
        let mut lease = self.connections.take().await?;
        let result = bound(sql, binds).execute(lease.connection()).await;
        let done = lease.end(result)?;
        Ok((done.rows_affected() > 0).then_some(done.last_insert_id().cast_signed()))
    }

    async fn create_table(&self, table: &Table) -> sqlx::Result<()> {
        let (name, index) = (table.quoted('`'), table.index('`'));
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {name} (id BINARY(32) NOT NULL PRIMARY KEY, version BIGINT NOT NULL, idle BIGINT NOT NULL, \
             absolute_at BIGINT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, sweep_at BIGINT NOT NULL, data LONGBLOB NOT NULL, \
             INDEX {index} (sweep_at)) ENGINE = InnoDB"
        );
        let mut lease = self.connections.take().await?;
        let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(lease.connection()).await;
        lease.end(result).map(drop)
    }

    /// The lock is the connection's: without an end to its lease that is closed, and the lock goes with it, also when the sweep is
    /// given up.
    async fn sweep(&self, table: &Table, batch: &SqlStr, full: u64) -> sqlx::Result<u64> {
        let mut lease = self.connections.take().await?;
        let connection = lease.connection();
        let lock = format!("SELECT GET_LOCK(CONCAT('session ', MD5(CONCAT(DATABASE(), ' {table:?}'))), 0)");
        let turn: Option<i64> = sqlx::query_scalar(AssertSqlSafe(lock).into_sql_str()).fetch_one(&mut *connection).await?;
        let mut gone = 0;
        while turn == Some(1) {
            let rows = bound(batch, &[]).execute(&mut *connection).await?.rows_affected();
            gone += rows;
            if rows < full {
                break;
            }
        }
        Ok(gone)
    }
}
