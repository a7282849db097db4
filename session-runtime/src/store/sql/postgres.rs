//! PostgreSQL.

use std::ops::DerefMut;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Result, SqlSafeStr, SqlStr};
use tokio::time::timeout;

use super::options::SqlOptions;
use super::pool::{Again, Connections, Engine, GRACE, InUse, Options, PATIENCE_WITH_A_POOL, Work};
use super::primitives::{Admit, Admitted, Change, Execute, List, Number, Read, Row, Script, Statement, works};
use super::statements::{Shorten, Statements, Syntax};
use super::table::Table;
use super::url::{self, read_url};
use super::verdict::{Meaning, Verdict};
use super::{Dialect, Sql, failed};
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
///   another was first, takes a second to learn why. A change of a session that has less than a second left to live takes three.
/// - **Owners:** a column with an index, which changes with its row. A login within an `owner_limit` is a transaction;
///   [Choosing an engine](crate::choosing_an_engine#calls-and-latency) says how many statements each call is.
/// - **On a crash** of the program or the server every change that was acknowledged is there, as `synchronous_commit` and
///   `fsync` say; both are on unless you turn them off. A replica that takes over may lack the last changes, unless it is
///   synchronous.
/// - **Expiry:** by the database's clock, to the millisecond, whatever the time zones.
/// - **What it needs:** `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the table, and to create it, where it is missing, `CREATE` on its schema.
///   The server must take changes: a replica is refused, when the store is opened and on each new connection.
/// - **Behind a pooler** such as `PgBouncer`: in session mode, or with one that knows prepared statements, as `PgBouncer` does from 1.21 on with
///   `max_prepared_statements`. Another one is refused.
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
        let connect: PgConnectOptions = read_url(url.as_ref(), url::POSTGRES)?;
        let connections = own(connect, &options).await?;
        Sql::open(Postgres { connections }, options).await
    }

    /// Keeps sessions in the database of a pool. The pool tests each connection when it is given back, which is one round trip
    /// more, and unless told otherwise ([`test_before_acquire`](sqlx::pool::PoolOptions::test_before_acquire)) also before it gives
    /// it out. A store that connects by itself does without. What the store tells the server on connections of its own, such as a limit to
    /// the time of a statement, is left to the pool: set `statement_timeout` for the account. It is sqlx 0.9's pool, the version that this
    /// crate depends on.
    ///
    /// A handler that holds a connection of the same pool while it changes its session needs two of them: where all are held by such
    /// handlers, none goes on. Give the store a pool of its own, or let the connection go first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the table is missing and cannot be created, or its name is not a valid one, and where a pooler mixes up
    /// prepared statements.
    pub async fn from_pool(pool: PgPool, options: SqlOptions) -> std::result::Result<Self, StoreError> {
        options.check()?;
        let is_shared = pool.options().get_max_connections() > 1;
        if is_shared && !keeps_statements(|| Box::pin(pool.acquire()), PoolConnection::close_on_drop).await.map_err(failed)? {
            return Err(StoreError::unavailable(MIXED_UP));
        }
        Sql::open(Postgres { connections: Connections::given(pool, PATIENCE_WITH_A_POOL) }, options).await
    }
}

/// What only a server itself is told at the start of a connection: a pooler refuses the startup parameter `options`, or leaves it out.
const DIRECT: &str = "session_runtime.direct";

const MIXED_UP: &str = "a pooler between the program and PostgreSQL gives each transaction another connection, and does not know prepared \
    statements: use its session mode (PgBouncer: `pool_mode = session`), or PgBouncer 1.21 or later with `max_prepared_statements`";

/// The store's own connections, with what they depend on told at their start, or through a pooler that keeps prepared statements apart.
async fn own(connect: PgConnectOptions, options: &SqlOptions) -> std::result::Result<Connections<sqlx::Postgres>, StoreError> {
    // Not needed, and one more startup parameter that poolers refuse.
    let connect = connect.extra_float_digits(None);
    let limit = options.statement_timeout.as_millis().to_string();
    let told = connect.clone().options([
        ("statement_timeout", limit.as_str()),
        ("default_transaction_isolation", "read committed"),
        (DIRECT, "on"),
    ]);
    match connections(told, options).await {
        Ok(direct) if direct.call(IsDirect, Again::Harmless).await.map_err(failed)? => return Ok(direct),
        Ok(_) => {}
        Err(error) if Verdict::refuses_parameters(&error) => {}
        Err(error) => return Err(failed(error)),
    }
    let pooled = connections(connect, options).await.map_err(failed)?;
    let keeps = keeps_statements(|| Box::pin(pooled.one_more()), |_| {}).await.map_err(failed)?;
    if keeps { Ok(pooled) } else { Err(StoreError::unavailable(MIXED_UP)) }
}

async fn connections(connect: PgConnectOptions, options: &SqlOptions) -> Result<Connections<sqlx::Postgres>> {
    let patience = options.statement_timeout.saturating_add(GRACE);
    Connections::own(connect, options.login.clone(), OnceLock::new(), options.max_connections, patience).await
}

/// Whether this is a connection to the server itself.
#[derive(Clone)]
struct IsDirect;

impl Work<sqlx::Postgres> for IsDirect {
    type Answer = bool;

    async fn run(self, connection: &mut InUse<sqlx::Postgres>) -> Result<bool> {
        let sql = AssertSqlSafe(format!("SELECT coalesce(current_setting('{DIRECT}', true), '') = 'on'"));
        let rows = sqlx::raw_sql(sql).fetch_one(&mut **connection).await?;
        sqlx::Row::try_get(&rows, 0)
    }
}

/// Whether what one connection has prepared is there when it is used again, though other connections have a transaction meanwhile. Each of these
/// takes the server's connection that was last let go of, where a pooler shares them out. None of these is used again, which `end` sees to: whoever
/// got one whose transaction was not ended, since this look failed or was given up, would commit nothing.
async fn keeps_statements<'a, C>(connect: impl Fn() -> BoxFuture<'a, Result<C>>, end: impl Fn(&mut C)) -> Result<bool>
where
    C: DerefMut<Target = PgConnection>,
{
    /// How long a pooler is waited for that has no connection left.
    const PATIENCE: Duration = Duration::from_secs(1);

    // Another number each time, so that what an earlier look has left behind is not taken for this one's.
    let number: i64 = rand::random_range(0..1 << 40);
    let mut one = connect().await?;
    let mut keeps = answers(&mut one, number).await?;
    let mut others = Vec::new();
    for _ in 0..3 {
        let Ok(Ok(mut other)) = timeout(PATIENCE, connect()).await else { break };
        end(&mut other);
        let Ok(begun) = timeout(PATIENCE, sqlx::raw_sql("BEGIN").execute(&mut *other)).await else { break };
        begun?;
        others.push(other);
        match timeout(PATIENCE, answers(&mut one, number)).await {
            Ok(answer) => keeps &= answer?,
            Err(_) => break,
        }
        if !keeps {
            break;
        }
    }
    for mut other in others {
        let _ = timeout(PATIENCE, sqlx::raw_sql("ROLLBACK").execute(&mut *other)).await;
    }
    Ok(keeps)
}

/// Whether a statement of `number`, prepared once a connection, is that statement.
async fn answers(one: &mut PgConnection, number: i64) -> Result<bool> {
    /// More than any statement of a store takes, so that none of these is taken for it.
    const PARAMETERS: i64 = 30;

    let others = (2..=PARAMETERS).fold(String::new(), |sum, number| format!("{sum} + 0 * ${number}::bigint"));
    let sql = AssertSqlSafe(format!("SELECT $1::bigint + {number}{others}"));
    let query = (1..=PARAMETERS).fold(sqlx::query_scalar::<_, i64>(sql), |query, _| query.bind(1_i64));
    match query.fetch_one(one).await {
        Ok(sum) => Ok(sum == number + 1),
        Err(error) if Verdict::of(&error).meaning == Meaning::MixedUp => Ok(false),
        Err(error) => Err(error),
    }
}

impl Engine for sqlx::Postgres {
    /// What new connections are tried out by.
    type Terms = OnceLock<SqlStr>;

    fn log_in(options: Options<Self>, user: Option<&str>, password: &str) -> Options<Self> {
        let options = options.password(password);
        match user {
            Some(user) => options.username(user),
            None => options,
        }
    }

    async fn agree(connection: &mut PgConnection, terms: &Self::Terms) -> Result<()> {
        match terms.get() {
            Some(sql) => sqlx::raw_sql(sql.clone()).execute(connection).await.map(drop),
            None => Ok(()),
        }
    }
}

works!(sqlx::Postgres: Execute, Change, Read, Number, List, Admit, Script);

impl Dialect for Postgres {
    const NAME: &'static str = "PostgresStore";
    const SYNTAX: Syntax = Syntax {
        // Not `extract`, which gives a `numeric` from PostgreSQL 14 on: its arithmetic is slower.
        now: "floor(date_part('epoch', clock_timestamp()) * 1000)::bigint",
        now_for_index: "floor(date_part('epoch', statement_timestamp()) * 1000)::bigint",
        least: "least",
        divide: "/",
        quote: '"',
        numbered: true,
        changes_in_with: true,
        next_version: "version + 1",
        returning_version: " RETURNING version",
        sees_time_first: true,
        for_update: "",
        begin: "BEGIN ISOLATION LEVEL READ COMMITTED",
        on_conflict: "ON CONFLICT (id) DO UPDATE SET",
        version_on_conflict: "",
        inserted: "excluded.{}",
        sweep: "WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock({lock}) AS mine), \
                gone AS (SELECT id FROM {table} WHERE (SELECT mine FROM turn) AND sweep_at <= {now} AND ? = 0 \
                LIMIT ? FOR UPDATE SKIP LOCKED) \
                DELETE FROM {table} WHERE id IN (SELECT id FROM gone)",
    };

    /// Statements that are sent together are one transaction. The lock makes processes that start together take turns, which
    /// `IF NOT EXISTS` alone does not.
    async fn create_table(&self, table: &Table) -> Result<()> {
        let (name, lock) = (table.quoted('"'), table.lock());
        let (sweep_at, owner) = (table.index("sweep_at", '"'), table.index("owner", '"'));
        let sql = format!(
            "SELECT pg_advisory_xact_lock({lock}); \
             CREATE TABLE IF NOT EXISTS {name} (id bytea NOT NULL PRIMARY KEY, version bigint NOT NULL, idle bigint NOT NULL, \
             absolute_at bigint NOT NULL, created_at bigint NOT NULL, expires_at bigint NOT NULL, sweep_at bigint NOT NULL, data bytea NOT NULL, \
             used_at bigint NOT NULL, handle bigint, proven bigint, persistent bigint, owner bytea) WITH (fillfactor = 80); \
             CREATE INDEX IF NOT EXISTS {sweep_at} ON {name} (sweep_at); \
             CREATE INDEX IF NOT EXISTS {owner} ON {name} (owner) WHERE owner IS NOT NULL"
        );
        self.connections.call(Script(AssertSqlSafe(sql).into_sql_str()), Again::Harmless).await
    }

    async fn try_out(&self, sql: &SqlStr) -> Result<()> {
        self.connections.call(Script(sql.clone()), Again::Harmless).await
    }

    fn rely_on(&self, statements: &Statements) {
        if let Some(terms) = self.connections.terms() {
            terms.get_or_init(|| statements.update().clone());
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
        self.connections.call(Number(statement), Again::Harmless).await
    }

    async fn list(&self, statement: Statement) -> Result<Vec<Row>> {
        self.connections.call(List(statement), Again::Harmless).await
    }

    async fn admit(&self, admit: Admit) -> Result<Admitted> {
        self.connections.call(admit, Again::Never).await
    }

    /// Each batch takes the lock for itself: a process that finds it taken is done.
    async fn sweep(&self, _: &Table, batch: Statement) -> Result<u64> {
        self.execute(batch, Again::Harmless).await
    }

    async fn shorten(&self, _: &Shorten) -> Result<()> {
        Ok(())
    }

    /// A value has a gigabyte at most, and so has the message that brings it.
    fn largest(&self) -> (u64, &'static str) {
        ((1 << 30) - (1 << 16), "a value in PostgreSQL")
    }

    async fn close(&self) -> Result<()> {
        self.connections.close().await;
        Ok(())
    }
}
