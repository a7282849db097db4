//! SQLite.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Result, SqlSafeStr, SqlStr};
use tokio::sync::Mutex;

use super::file::{At, File};
use super::options::SqlOptions;
use super::pool::{Again, Connections, Engine, Options};
use super::primitives::{Admit, Admitted, Change, Execute, List, Number, Read, Row, Script, Statement, works};
use super::statements::{Shorten, Statements, Syntax};
use super::table::Table;
use super::turns::{Turns, until_not_busy};
use super::url::{self, read_url};
use super::verdict::{Meaning, Verdict};
use super::{Dialect, Sql};
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
/// - **Owners:** a column with an index, which changes with its row. A login within an `owner_limit` is a transaction;
///   [Choosing an engine](crate::choosing_an_engine#calls-and-latency) says how many statements each call is.
/// - **Several processes** take turns: one that has changed the file for 50 ms, or for 10 ms where it has met others, leaves it free
///   for 3 ms, so that none starves on a disk that syncs slowly. A change waits up to [`SqlOptions::statement_timeout`], opening the file
///   up to 10 seconds for each of its steps. A pool of your own takes no turns: its changes wait as long as its
///   `busy_timeout` says, and on a slow disk some may wait in vain.
/// - **A file that is moved, removed or replaced** is noticed within a second, on systems of the Unix kind; the store goes on with what is there,
///   or with a new file. (Not one that the URL names by a URI, `sqlite:file:..`.)
/// - **On a crash** of the program or the machine every change that was acknowledged is there: the file is in WAL mode with
///   `synchronous = FULL`, which costs a sync of the disk for each change. [`from_pool`](Self::from_pool) takes your own choice:
///   with `NORMAL` a power failure, though not a crash of the program, may undo the last changes, a logout among them.
/// - **Expiry:** by the machine's clock, to the millisecond. Where that was set back, the next sweep shortens the sessions' lives to their
///   limits from then on.
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

/// Writes the log of changes back to the file, as far as nobody reads it: what the file has room for already can be changed on a full
/// disk, too.
const WRITE_BACK: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// SQLite always answers, if the disk does; how long it waits for others it was told.
const PATIENCE: Duration = Duration::from_secs(600);

impl SqliteStore {
    /// Opens a file, and creates it where it is missing: `sqlite:///absolute/path`, `sqlite://relative/path`, or
    /// `sqlite::memory:` for a database that goes with the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the URL is none of these or the file cannot be opened.
    pub async fn connect(url: impl AsRef<str>) -> std::result::Result<Self, StoreError> {
        Self::connect_with(url, SqlOptions::new()).await
    }

    /// Opens a file as [`connect`](Self::connect) does, with options.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect), and where the table's name is not a valid one.
    pub async fn connect_with(url: impl AsRef<str>, options: SqlOptions) -> std::result::Result<Self, StoreError> {
        options.check()?;
        let url = url.as_ref();
        let connect: SqliteConnectOptions = read_url(url, url::SQLITE)?;
        let limit = options.statement_timeout;
        let connect = connect
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(limit);
        let file = connect.get_filename().display().to_string();
        let path = path(&connect).filter(|_| !is_in_memory(url));
        let connect = match &path {
            Some(path) => connect.filename(path),
            None => connect,
        };
        let at = path.map(At::path);
        let here = || at.clone().map(File::new);
        let not_opened = |error: sqlx::Error| StoreError::unavailable(format!("the file {file:?} cannot be opened: {error}"));
        // Changes wait in turns, not inside SQLite.
        let changes = connect.clone().busy_timeout(Duration::ZERO);
        let changes =
            until_not_busy(|| Connections::own(changes.clone(), None, here(), 1, PATIENCE)).await.map_err(not_opened)?;
        let database = if is_in_memory(url) {
            let anchor = Mutex::new(connect.connect().await.map_err(not_opened)?);
            Sqlite { changes: Turns::alone(changes.clone()), reads: changes, _anchor: Some(anchor) }
        } else {
            let reads = Connections::own(connect, None, here(), READERS, PATIENCE).await.map_err(not_opened)?;
            Sqlite { changes: Turns::with_others(changes, limit), reads, _anchor: None }
        };
        Sql::open(database, options).await
    }

    /// Keeps sessions in a database that is open already, with the durability that the pool was given. WAL mode is recommended.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the table cannot be created, or its name is not a valid one.
    pub async fn from_pool(pool: SqlitePool, options: SqlOptions) -> std::result::Result<Self, StoreError> {
        options.check()?;
        let connections = Connections::given(pool, PATIENCE);
        Sql::open(Sqlite { changes: Turns::alone(connections.clone()), reads: connections, _anchor: None }, options).await
    }
}

/// The data is last: what stands behind it in a row is found only by way of all its pages.
fn creation(table: &Table) -> String {
    let (name, sweep_at, owner) = (table.quoted('"'), table.index("sweep_at", '"'), table.index("owner", '"'));
    format!(
        "CREATE TABLE IF NOT EXISTS {name} (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, idle INTEGER NOT NULL, \
         absolute_at INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, sweep_at INTEGER NOT NULL, \
         used_at INTEGER NOT NULL, handle INTEGER, proven INTEGER, persistent INTEGER, owner BLOB, data BLOB NOT NULL); \
         CREATE INDEX IF NOT EXISTS {sweep_at} ON {name} (sweep_at); \
         CREATE INDEX IF NOT EXISTS {owner} ON {name} (owner) WHERE owner IS NOT NULL"
    )
}

/// Where the file is, also if the program goes elsewhere; nothing for the names that SQLite takes for something else than a path.
fn path(connect: &SqliteConnectOptions) -> Option<PathBuf> {
    let name = connect.get_filename();
    let is_uri = name.as_os_str().as_encoded_bytes().starts_with(b"file:");
    // One that is no UTF-8 cannot be opened.
    std::path::absolute(name).ok().filter(|path| !is_uri && path.to_str().is_some())
}

fn is_in_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}

impl Engine for sqlx::Sqlite {
    /// Nothing for a database in memory, and for one whose path only SQLite knows.
    type Terms = Option<File>;

    /// There is nobody to log in to.
    fn log_in(options: Options<Self>, _: Option<&str>, _: &str) -> Options<Self> {
        options
    }

    async fn agree(connection: &mut SqliteConnection, file: &Option<File>) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        if let Some(table) = file.table.get() {
            sqlx::raw_sql(table.clone()).execute(connection).await?;
        }
        file.was_opened();
        Ok(())
    }

    fn are_over(file: &Option<File>, now: Instant) -> Option<sqlx::Error> {
        file.as_ref()?.was_moved(now)
    }
}

works!(sqlx::Sqlite: Execute, Change, Read, Number, List, Admit, Script);

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
        sees_time_first: false,
        for_update: "",
        begin: "BEGIN IMMEDIATE",
        on_conflict: "ON CONFLICT (id) DO UPDATE SET",
        version_on_conflict: "version = excluded.version",
        inserted: "excluded.{}",
        sweep: "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE sweep_at <= {now} AND ? = 0 LIMIT ?)",
    };

    async fn execute(&self, statement: Statement, again: Again) -> Result<u64> {
        self.changes.call(Execute(statement), again).await
    }

    async fn change(&self, statement: Statement) -> Result<Option<i64>> {
        self.changes.call(Change(statement), Again::Never).await
    }

    async fn read(&self, statement: Statement) -> Result<Option<Row>> {
        self.reads.call(Read(statement), Again::Harmless).await
    }

    async fn number(&self, statement: Statement) -> Result<Option<i64>> {
        self.reads.call(Number(statement), Again::Harmless).await
    }

    async fn list(&self, statement: Statement) -> Result<Vec<Row>> {
        self.reads.call(List(statement), Again::Harmless).await
    }

    async fn admit(&self, admit: Admit) -> Result<Admitted> {
        self.changes.call(admit, Again::Never).await
    }

    /// A file that may only be read is opened for reading.
    async fn try_out(&self, sql: &SqlStr) -> Result<()> {
        match until_not_busy(|| self.changes.call(Script(sql.clone()), Again::Harmless)).await {
            Err(error) if Verdict::of(&error).meaning == Meaning::ReadOnly => Ok(()),
            result => result,
        }
    }

    fn rely_on(&self, statements: &Statements) {
        for file in [self.changes.terms(), self.reads.terms()].into_iter().flatten().flatten() {
            file.table.get_or_init(|| AssertSqlSafe(creation(&statements.table)).into_sql_str());
        }
    }

    async fn create_table(&self, table: &Table) -> sqlx::Result<()> {
        let sql = AssertSqlSafe(format!("{}; {WRITE_BACK}", creation(table))).into_sql_str();
        until_not_busy(|| self.changes.call(Script(sql.clone()), Again::Harmless)).await
    }

    /// The file has one writer at a time anyway; between two batches others have their turn.
    async fn sweep(&self, _: &Table, batch: Statement) -> Result<u64> {
        self.execute(batch, Again::Harmless).await
    }

    async fn shorten(&self, Shorten { is_needed, change }: &Shorten) -> Result<()> {
        if self.number(Statement::new(is_needed, [])).await? == Some(1) {
            self.changes.call(Script(change.clone()), Again::Harmless).await?;
        }
        self.changes.call(Script(WRITE_BACK.into_sql_str()), Again::Harmless).await
    }

    fn largest(&self) -> (u64, &'static str) {
        // As SQLite is built here, less what is beside the data.
        (1_000_000_000 - (1 << 16), "`SQLITE_MAX_LENGTH`")
    }

    /// Writes the log of changes back to the file, so that this alone is whole; where another process reads, as much as it leaves.
    async fn close(&self) -> Result<()> {
        let written = self.changes.call(Script("PRAGMA wal_checkpoint(TRUNCATE)".into_sql_str()), Again::Harmless).await;
        self.reads.close().await;
        self.changes.close().await;
        match written {
            // It was closed before.
            Err(sqlx::Error::PoolClosed) => Ok(()),
            written => written,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_uri_and_a_database_in_memory_are_what_sqlite_takes_them_for() {
        let file = std::env::temp_dir().join(format!("session-runtime-{:016x}", rand::random::<u64>()));
        let uri = format!("sqlite:file:{}", file.display());
        for url in ["sqlite::memory:", "sqlite://?mode=memory", &*uri] {
            let opened = SqliteStore::connect(url).await;
            let store = opened.unwrap_or_else(|error| panic!("{url}: {error:?}"));
            crate::store::Store::<String>::close(&store).await.unwrap();
        }
        std::fs::remove_file(file).unwrap();
    }
}
