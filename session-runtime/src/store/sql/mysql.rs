//! MariaDB and MySQL.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPool};
use sqlx::{AssertSqlSafe, Error, Result, Row as _, SqlSafeStr, SqlStr};

use super::options::SqlOptions;
use super::pool::{Again, Connections, Engine, GRACE, InUse, Options, PATIENCE_WITH_A_POOL, Work, bounded};
use super::primitives::{Admit, Admitted, Change, Execute, List, Number, Read, Row, Script, Statement, works};
use super::statements::{Shorten, Statements, Syntax};
use super::table::Table;
use super::url::{self, read_url};
use super::verdict::{Connection, Verdict};
use super::{Dialect, Sql, failed};
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
/// - **Owners:** a column with an index, which changes with its row. A login within an `owner_limit` is a transaction;
///   [Choosing an engine](crate::choosing_an_engine#calls-and-latency) says how many statements each call is.
/// - **On a crash** of the program or the server every change that was acknowledged is there, as
///   `innodb_flush_log_at_trx_commit` says; it is 1 unless you change it. A replica that takes over may lack the last changes.
/// - **Expiry:** by the database's clock, to the millisecond, whatever the time zones and their changes of the clock.
/// - **What it needs:** `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the table, and to create it, where it is missing, `CREATE` and `INDEX`. The
///   server must take changes: one that is `read_only` is refused, when the store is opened and on each new connection.
/// - **The binary log:** an `owner_limit` needs `binlog_format` to be `ROW` or `MIXED`, if there is a binary log. With `STATEMENT` the server
///   refuses every login within a limit (error 1665), since such a login reads what others have committed.
/// - **Accounts** of MySQL that use `caching_sha2_password`, as they do unless told otherwise since 8.0, need TLS (feature `tls`) or a socket. The
///   error says so where they have neither.
pub type MySqlStore = Encoded<Sql<MySql>>;

/// What [`MySqlStore`] talks to.
pub struct MySql {
    connections: Connections<sqlx::MySql>,
    /// `max_allowed_packet`, where the connections are a pool's.
    packet: Option<u64>,
}

impl MySqlStore {
    /// Connects to a database: `mysql://user:password@host:port/database`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the URL is not of that form, the database does not answer within 5 seconds, or the table
    /// is missing and may not be created.
    pub async fn connect(url: impl AsRef<str>) -> std::result::Result<Self, StoreError> {
        Self::connect_with(url, SqlOptions::new()).await
    }

    /// Connects as [`connect`](Self::connect) does, with options.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect), and where the table's name is not a valid one.
    pub async fn connect_with(url: impl AsRef<str>, options: SqlOptions) -> std::result::Result<Self, StoreError> {
        options.check()?;
        let connect: MySqlConnectOptions = read_url(url.as_ref(), url::MYSQL)?;
        let (limit, login) = (options.statement_timeout, options.login.clone());
        let patience = limit.saturating_add(GRACE);
        let terms = Terms { settings: settings(limit), probe: OnceLock::new(), packet: AtomicU64::new(u64::MAX) };
        let connections = Connections::own(connect, login, terms, options.max_connections, patience).await.map_err(failed)?;
        connections.call(Facts, Again::Harmless).await.map_err(failed)?.check()?;
        Sql::open(MySql { connections, packet: None }, options).await
    }

    /// Keeps sessions in the database of a pool. The pool tests each connection when it is given back, which is one round trip
    /// more, and unless told otherwise ([`test_before_acquire`](sqlx::pool::PoolOptions::test_before_acquire)) also before it gives
    /// it out. A store that connects by itself does without. What the store sets on connections of its own, such as a limit to
    /// the time of a statement, is left to the pool, and a pool whose connections have `autocommit` off is refused. It is sqlx 0.9's pool, the
    /// version that this crate depends on.
    ///
    /// A handler that holds a connection of the same pool while it changes its session needs two of them: where all are held by such
    /// handlers, none goes on. Give the store a pool of its own, or let the connection go first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the table is missing and cannot be created, or its name is not a valid one, and where `autocommit` is
    /// off.
    pub async fn from_pool(pool: MySqlPool, options: SqlOptions) -> std::result::Result<Self, StoreError> {
        options.check()?;
        let connections = Connections::given(pool, PATIENCE_WITH_A_POOL);
        let facts = connections.call(Facts, Again::Harmless).await.map_err(failed)?;
        facts.check()?;
        Sql::open(MySql { connections, packet: Some(facts.packet) }, options).await
    }
}

/// What new connections are told, and tried out by.
pub(super) struct Terms {
    settings: SqlStr,
    probe: OnceLock<SqlStr>,
    /// `max_allowed_packet`, as the server said last.
    packet: AtomicU64,
}

fn whole_seconds(limit: Duration) -> u64 {
    let begun = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
    begun.max(1)
}

/// What the store depends on. MySQL has no limit to the time of a change, but to its waits for locks; what is in the comment only MariaDB reads.
fn settings(limit: Duration) -> SqlStr {
    let (locks, statement) = (whole_seconds(limit), limit.as_secs_f64());
    let sql = format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
         SET SESSION autocommit = 1, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = {locks}, \
         lock_wait_timeout = {locks} /*M!100100 , max_statement_time = {statement:.3} */; \
         SELECT CAST(@@max_allowed_packet AS SIGNED)"
    );
    AssertSqlSafe(sql).into_sql_str()
}

/// What a connection is like.
#[derive(Clone)]
struct Facts;

struct Found {
    commits_by_itself: bool,
    sees_time_pass: bool,
    packet: u64,
}

impl Found {
    fn check(&self) -> std::result::Result<(), StoreError> {
        if !self.commits_by_itself {
            return Err(StoreError::unavailable(
                "`autocommit` is off on the pool's connections, so that no change would be committed: set `autocommit = 1` in its `after_connect`",
            ));
        }
        if !self.sees_time_pass {
            return Err(StoreError::unavailable(
                "the server runs with `sysdate-is-now`, so that a change that has waited for a lock could bring an expired session back",
            ));
        }
        Ok(())
    }
}

impl Work<sqlx::MySql> for Facts {
    type Answer = Found;

    async fn run(self, connection: &mut InUse<sqlx::MySql>) -> Result<Found> {
        let sql = "SELECT CAST(@@autocommit AS SIGNED), CAST(@@max_allowed_packet AS SIGNED), CAST(SLEEP(0.002) AS SIGNED), \
                   CAST(TIMESTAMPDIFF(MICROSECOND, NOW(6), SYSDATE(6)) AS SIGNED)";
        let row = sqlx::raw_sql(sql).fetch_one(&mut **connection).await?;
        Ok(Found {
            commits_by_itself: row.try_get::<i64, _>(0)? == 1,
            packet: row.try_get::<i64, _>(1)?.unsigned_abs(),
            sees_time_pass: row.try_get::<i64, _>(3)? != 0,
        })
    }
}

impl Engine for sqlx::MySql {
    type Terms = Terms;

    fn log_in(options: Options<Self>, user: Option<&str>, password: &str) -> Options<Self> {
        let options = options.password(password);
        match user {
            Some(user) => options.username(user),
            None => options,
        }
    }

    async fn agree(connection: &mut MySqlConnection, terms: &Terms) -> Result<()> {
        let row = sqlx::raw_sql(terms.settings.clone()).fetch_one(&mut *connection).await?;
        terms.packet.store(row.try_get::<i64, _>(0)?.unsigned_abs(), Ordering::Relaxed);
        match terms.probe.get() {
            Some(sql) => sqlx::raw_sql(sql.clone()).execute(connection).await.map(drop),
            None => Ok(()),
        }
    }

    fn explain(error: Error) -> Error {
        match error {
            // The library names features of its own.
            Error::Configuration(why) if why.to_string().contains("RSA auth") => Error::Configuration(ONLY_ENCRYPTED.into()),
            error => error,
        }
    }
}

/// The library can do without TLS what it needs for such a password, with a crate that leaks the key to those who can measure the time it takes
/// (RUSTSEC-2023-0071).
const ONLY_ENCRYPTED: &str = if cfg!(feature = "tls") {
    "this account's password is sent over TLS or a socket only (`caching_sha2_password`, the default of MySQL since 8.0), and the server offers no TLS"
} else {
    "this account's password is sent over TLS or a socket only (`caching_sha2_password`, the default of MySQL since 8.0): turn on the feature `tls` of \
     session-runtime"
};

works!(sqlx::MySql: Execute, Read, Number, List, Admit, Script);

/// Reads what is committed, whatever the connections of a pool would see. Those that the store makes see nothing else.
#[derive(Clone)]
struct Committed<W> {
    is_pools: bool,
    read: W,
}

impl<W: Work<sqlx::MySql>> Work<sqlx::MySql> for Committed<W> {
    type Answer = W::Answer;

    async fn run(self, connection: &mut InUse<sqlx::MySql>) -> Result<W::Answer> {
        if self.is_pools {
            sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED").execute(&mut **connection).await?;
        }
        self.read.run(connection).await
    }
}

impl MySql {
    const fn committed<W>(&self, read: W) -> Committed<W> {
        Committed { is_pools: self.packet.is_some(), read }
    }
}

impl Work<sqlx::MySql> for Change {
    type Answer = Option<i64>;

    async fn run(self, connection: &mut InUse<sqlx::MySql>) -> Result<Option<i64>> {
        let done = self.0.bound::<sqlx::MySql>().execute(&mut **connection).await?;
        Ok((done.rows_affected() > 0).then_some(done.last_insert_id().cast_signed()))
    }
}

/// Sweeps a batch, if no other process is at it. The lock is the connection's, and goes before that is given back.
#[derive(Clone)]
struct Sweep {
    table: String,
    batch: Statement,
}

impl Work<sqlx::MySql> for Sweep {
    type Answer = u64;

    const HOLDS_LOCK: bool = true;

    async fn run(self, connection: &mut InUse<sqlx::MySql>) -> Result<u64> {
        let patience = connection.patience();
        // The name of a lock has at most 64 characters. MySQL 9.7 has no MD5().
        let name = format!("CONCAT('session ', LEFT(SHA2(CONCAT(DATABASE(), ' {}'), 256), 40))", self.table);
        let lock = AssertSqlSafe(format!("SELECT CAST(GET_LOCK({name}, 0) AS SIGNED)"));
        let turn = bounded(patience, sqlx::raw_sql(lock).fetch_one(&mut **connection)).await?;
        if turn.try_get::<Option<i64>, _>(0)? != Some(1) {
            return Ok(0);
        }
        let rows = bounded(patience, self.batch.bound::<sqlx::MySql>().execute(&mut **connection)).await;
        // The lock goes with its connection, too.
        if rows.as_ref().is_err_and(|error| Verdict::of(error).connection != Connection::Sound) {
            return rows.map(|done| done.rows_affected());
        }
        let unlock = AssertSqlSafe(format!("DO RELEASE_LOCK({name})"));
        if let Err(error) = bounded(patience, sqlx::raw_sql(unlock).execute(&mut **connection)).await {
            connection.spoil(Verdict::of_letting_go(&error), error);
        }
        rows.map(|done| done.rows_affected())
    }
}

impl Dialect for MySql {
    const NAME: &'static str = "MySqlStore";
    const SYNTAX: Syntax = Syntax {
        // UNIX_TIMESTAMP() has no fractions, and of a local time it would be ambiguous when the clocks go back.
        // That is the time of the statement's beginning, and SYSDATE() the present one, in local time.
        now: "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) + TIMESTAMPDIFF(MICROSECOND, NOW(6), SYSDATE(6))) DIV 1000",
        now_for_index: "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000",
        least: "least",
        divide: "DIV",
        quote: '`',
        numbered: false,
        changes_in_with: false,
        // It tells the client the number along with the rows it changed.
        next_version: "LAST_INSERT_ID(version + 1)",
        returning_version: "",
        sees_time_first: false,
        for_update: " FOR UPDATE",
        begin: "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION",
        on_conflict: "ON DUPLICATE KEY UPDATE",
        // With less isolation than the store asks for, the new key may have been taken since it was looked at. The number is too large.
        version_on_conflict: "version = IF({table}.id = ?{pads}, VALUES(version), {table}.version + 9223372036854775807 + 1)",
        inserted: "VALUES({})",
        sweep: "DELETE FROM {table} WHERE sweep_at <= {now} AND ? = 0 ORDER BY sweep_at LIMIT ?",
    };

    async fn create_table(&self, table: &Table) -> Result<()> {
        let (name, sweep_at, owner) = (table.quoted('`'), table.index("sweep_at", '`'), table.index("owner", '`'));
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {name} (id BINARY(32) NOT NULL PRIMARY KEY, version BIGINT NOT NULL, idle BIGINT NOT NULL, \
             absolute_at BIGINT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, sweep_at BIGINT NOT NULL, data LONGBLOB NOT NULL, \
             used_at BIGINT NOT NULL, handle BIGINT, proven BIGINT, persistent BIGINT, owner BINARY(32), \
             INDEX {sweep_at} (sweep_at), INDEX {owner} (owner)) ENGINE = InnoDB"
        );
        self.connections.call(Script(AssertSqlSafe(sql).into_sql_str()), Again::Harmless).await
    }

    async fn try_out(&self, sql: &SqlStr) -> Result<()> {
        self.connections.call(Script(sql.clone()), Again::Harmless).await
    }

    fn rely_on(&self, statements: &Statements) {
        if let Some(terms) = self.connections.terms() {
            terms.probe.get_or_init(|| statements.update().clone());
        }
    }

    async fn execute(&self, statement: Statement, again: Again) -> Result<u64> {
        self.connections.call(Execute(statement), again).await
    }

    async fn change(&self, statement: Statement) -> Result<Option<i64>> {
        self.connections.call(Change(statement), Again::Never).await
    }

    async fn read(&self, statement: Statement) -> Result<Option<Row>> {
        self.connections.call(Read(statement), Again::Harmless).await
    }

    async fn number(&self, statement: Statement) -> Result<Option<i64>> {
        self.connections.call(self.committed(Number(statement)), Again::Harmless).await
    }

    async fn list(&self, statement: Statement) -> Result<Vec<Row>> {
        self.connections.call(self.committed(List(statement)), Again::Harmless).await
    }

    async fn admit(&self, admit: Admit) -> Result<Admitted> {
        self.connections.call(admit, Again::Never).await
    }

    async fn sweep(&self, table: &Table, batch: Statement) -> Result<u64> {
        self.connections.call(Sweep { table: format!("{table:?}"), batch }, Again::Harmless).await
    }

    async fn shorten(&self, _: &Shorten) -> Result<()> {
        Ok(())
    }

    /// A packet has to hold what is beside the data, too.
    fn largest(&self) -> (u64, &'static str) {
        const BESIDE: u64 = 1024;

        let packet = self.connections.terms().map(|terms| terms.packet.load(Ordering::Relaxed)).or(self.packet);
        (packet.unwrap_or(u64::MAX).saturating_sub(BESIDE), "`max_allowed_packet`")
    }

    async fn close(&self) -> Result<()> {
        self.connections.close().await;
        Ok(())
    }
}
