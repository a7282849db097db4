//! SQLite.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Row as _, SqlSafeStr, SqlStr};
use tokio::sync::Mutex;

use super::pool::Connections;
use super::primitives::{Bind, bound, primitives};
use super::statements::Syntax;
use super::table::Table;
use super::turns::{PATIENCE, Turns, until_not_busy};
use super::{Dialect, Sql, SqlOptions, read_url, unavailable};
use crate::store::{Encoded, StoreError};

/// Sessions in a SQLite file, for one machine: many processes may share it.
///
/// ```no_run
/// use session_runtime::store::SqliteStore;
///
/// # async fn connect() -> Result<(), session_runtime::store::StoreError> {
/// let store = SqliteStore::connect("sqlite:///var/lib/shop/sessions.db").await?;
/// # Ok(()) }
/// ```
///
/// - **Calls:** every operation is one statement. Reads go on side by side; the changes of a process queue for one connection.
/// - **Several processes** take turns: one that has changed the file for 50 ms, or for 10 ms where it has met others, leaves it free
///   for 3 ms, so that none starves on a disk that syncs slowly. A change waits up to 5 seconds, and as a rule `store_timeout` ends
///   it before. A pool of your own takes no turns: its changes wait as long as its
///   `busy_timeout` says, and on a slow disk some may wait in vain.
/// - **On a crash** of the program or the machine every change that was acknowledged is there: the file is in WAL mode with
///   `synchronous = FULL`, which costs a sync of the disk for each change. [`from_pool`](Self::from_pool) takes your own choice:
///   with `NORMAL` a power failure, though not a crash of the program, may undo the last changes, a logout among them.
/// - **Expiry:** by the machine's clock, to the millisecond.
pub type SqliteStore = Encoded<Sql<Sqlite>>;

/// What [`SqliteStore`] talks to.
pub struct Sqlite {
    changes: Turns,
    reads: Connections<sqlx::Sqlite>,
    /// Keeps a database in memory alive while no other connection is open.
    _anchor: Option<Mutex<SqliteConnection>>,
}

/// The connections of a process that read.
const READERS: u32 = 4;

impl SqliteStore {
    /// Opens a file, and creates it where it is missing: `sqlite:///absolute/path`, `sqlite://relative/path`, or
    /// `sqlite::memory:` for a database that goes with the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the URL is none of these or the file cannot be opened.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, StoreError> {
        Self::connect_with(url, SqlOptions::new()).await
    }

    /// Opens a file as [`connect`](Self::connect) does, with options.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect), and where the table's name is not a valid one.
    pub async fn connect_with(url: impl AsRef<str>, options: SqlOptions) -> Result<Self, StoreError> {
        let url = url.as_ref();
        let connect: SqliteConnectOptions = read_url(url)?;
        let connect = connect
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE);
        // Changes wait in turns, not inside SQLite.
        let changes =
            until_not_busy(|| Connections::own(connect.clone().busy_timeout(Duration::ZERO), 1)).await.map_err(unavailable)?;
        let database = if is_in_memory(url) {
            let anchor = Mutex::new(connect.connect().await.map_err(unavailable)?);
            Sqlite { changes: Turns::alone(changes.clone()), reads: changes, _anchor: Some(anchor) }
        } else {
            let reads = Connections::own(connect, READERS).await.map_err(unavailable)?;
            Sqlite { changes: Turns::with_others(changes), reads, _anchor: None }
        };
        Sql::open(database, options).await
    }

    /// Keeps sessions in a database that is open already, with the durability that the pool was given. WAL mode is recommended.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the table cannot be created, or its name is not a valid one.
    pub async fn from_pool(pool: SqlitePool, options: SqlOptions) -> Result<Self, StoreError> {
        let connections = Connections::given(pool);
        Sql::open(Sqlite { changes: Turns::alone(connections.clone()), reads: connections, _anchor: None }, options).await
    }
}

fn is_in_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}

impl Dialect for Sqlite {
    const NAME: &'static str = "SqliteStore";
    const SYNTAX: Syntax = Syntax {
        now: "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)",
        now_for_index: "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)",
        least: "min",
        divide: "/",
        quote: '"',
        numbered: false,
        changes_in_with: false,
        next_version: "version + 1",
        returning_version: " RETURNING version",
        for_update: "",
        on_conflict: "ON CONFLICT (id) DO UPDATE SET",
        inserted: "excluded.{}",
        sweep: "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE sweep_at <= {now} LIMIT 1000)",
    };

    primitives!(read: reads);

    async fn execute(&self, sql: &SqlStr, binds: &[Bind<'_>]) -> sqlx::Result<u64> {
        let mut change = self.changes.take().await?;
        let result = loop {
            let result = bound(sql, binds).execute(change.connection()).await;
            if !change.is_to_wait(result.as_ref().err()).await {
                break result;
            }
        };
        change.end(result).map(|done| done.rows_affected())
    }

    async fn change(&self, sql: &SqlStr, binds: &[Bind<'_>]) -> sqlx::Result<Option<i64>> {
        let mut change = self.changes.take().await?;
        let result = loop {
            // To the end, not to the first row: the commit comes after it, and may fail.
            let result = bound(sql, binds).fetch_all(change.connection()).await;
            if !change.is_to_wait(result.as_ref().err()).await {
                break result;
            }
        };
        change.end(result)?.first().map(|row| row.try_get(0)).transpose()
    }

    async fn create_table(&self, table: &Table) -> sqlx::Result<()> {
        let (name, index) = (table.quoted('"'), table.index('"'));
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {name} (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, idle INTEGER NOT NULL, \
             absolute_at INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, sweep_at INTEGER NOT NULL, data BLOB NOT NULL); \
             CREATE INDEX IF NOT EXISTS {index} ON {name} (sweep_at)"
        );
        let sql = AssertSqlSafe(sql).into_sql_str();
        let mut change = self.changes.take().await?;
        let result = loop {
            let result = sqlx::raw_sql(sql.clone()).execute(change.connection()).await;
            if !change.is_to_wait(result.as_ref().err()).await {
                break result;
            }
        };
        change.end(result).map(drop)
    }

    async fn close(&self) {
        self.reads.close().await;
        self.changes.close().await;
    }

    /// The file has one writer at a time anyway; between two batches others have their turn.
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
