//! Sessions in a table of a SQL database. One engine for all of them; what differs is a [`Dialect`].

#[cfg(feature = "mysql")]
mod mysql;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod primitives;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statements;
mod sweeper;
mod table;
#[cfg(feature = "sqlite")]
mod turns;

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlStr;

use self::primitives::{Bind, Row};
use self::statements::{MARK, NEVER, Statements, Syntax};
use self::sweeper::Sweep;
use self::table::Table;
use super::encoding::{Encoded, or_undecodable};
use super::{Change, Created, Key, Limits, Loaded, NewSession, Record, Replaced, Rotated, Rotation, Store, StoreError, Version};

pub(super) use table::is_table;

#[cfg(feature = "mysql")]
pub use mysql::{MySql, MySqlStore};
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresStore};
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteStore};

/// How a store in a SQL database is set up.
#[derive(Debug, Clone)]
pub struct SqlOptions {
    table: String,
    sweep_every: Duration,
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), allow(dead_code, reason = "SQLite has one writer"))]
    max_connections: u32,
}

impl SqlOptions {
    /// The options unless others are given.
    #[must_use]
    pub fn new() -> Self {
        Self { table: "session_runtime".to_owned(), sweep_every: Duration::from_secs(60), max_connections: 10 }
    }

    /// The table that keeps the sessions; defaults to `session_runtime`. It is created where it is missing. Layers may share a table:
    /// their [namespaces](super::Namespace) keep their sessions apart.
    ///
    /// A name is 1 to 48 ASCII letters, digits and `_`, not beginning with a digit; `schema.name` where the database has schemas.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }

    /// How often expired sessions are removed from the table, by whichever of the processes that share it comes first; 60 seconds
    /// unless given. They are absent from the instant they expire; this is about the room they take.
    #[must_use]
    pub fn sweep_every(mut self, interval: Duration) -> Self {
        self.sweep_every = interval;
        self
    }

    /// The most connections that the store opens to a server; 10 unless given. A pool of your own has its own limit.
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections;
        self
    }
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// What a SQL store keeps its bytes in.
pub struct Sql<D> {
    inner: Arc<Inner<D>>,
}

struct Inner<D> {
    database: D,
    statements: Statements,
}

/// A database: its words for what SQL leaves open, and its ways to run a statement.
pub trait Dialect: Send + Sync + 'static {
    /// The store's name.
    const NAME: &'static str;
    const SYNTAX: Syntax;

    /// Creates the table where it is missing, also when many processes do so at once.
    fn create_table(&self, table: &Table) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Runs a statement; the number of rows it changed.
    fn execute(&self, sql: &SqlStr, binds: &[Bind<'_>]) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Runs a statement that changes a row at most and gives its new version.
    fn change(&self, sql: &SqlStr, binds: &[Bind<'_>]) -> impl Future<Output = sqlx::Result<Option<i64>>> + Send;

    /// Reads a row.
    fn read(&self, sql: &SqlStr, binds: &[Bind<'_>]) -> impl Future<Output = sqlx::Result<Option<Row>>> + Send;

    /// Runs `batch` again and again, until it removes less than `full` rows, unless another process is at it; the number of rows
    /// that went.
    fn sweep(&self, table: &Table, batch: &SqlStr, full: u64) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Closes the connections that the store made itself.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

impl<D: Dialect> Sql<D> {
    /// Sets the table up and starts the sweeping.
    async fn open(database: D, options: SqlOptions) -> Result<Encoded<Self>, StoreError> {
        let table = Table::parse(&options.table)?;
        let statements = Statements::new(&D::SYNTAX, table);
        if database.execute(&statements.probe, &[]).await.is_err() {
            database.create_table(&statements.table).await.map_err(unavailable)?;
            database.execute(&statements.probe, &[]).await.map_err(unavailable)?;
        }
        let inner = Arc::new(Inner { database, statements });
        sweeper::start(Arc::downgrade(&inner), options.sweep_every);
        Ok(Encoded::new(Self { inner }))
    }
}

impl<D> Clone for Sql<D> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<D> fmt::Debug for Sql<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sql").field("table", &self.inner.statements.table).finish_non_exhaustive()
    }
}

impl<D: Dialect> Store<Vec<u8>> for Sql<D> {
    async fn create(&self, key: Key<'_>, session: NewSession<Vec<u8>>) -> Result<Created, StoreError> {
        self.inner.create(&key.sha256(), session).await.map_err(unavailable)
    }

    async fn load(&self, key: Key<'_>) -> Result<Loaded<Vec<u8>>, StoreError> {
        let row = self.inner.load(&key.sha256()).await.map_err(unavailable)?;
        or_undecodable(row.map_or(Ok(Loaded::Missing), loaded))
    }

    async fn replace(&self, key: Key<'_>, expected: Version, change: Change<Vec<u8>>) -> Result<Replaced, StoreError> {
        self.inner.replace(&key.sha256(), expected, &change.data).await.map_err(unavailable)
    }

    async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.inner.touch(&key.sha256()).await.map_err(unavailable)
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, rotation: Rotation<Vec<u8>>) -> Result<Rotated, StoreError> {
        let session = rotation.session;
        self.inner.rotate(&old.sha256(), &new.sha256(), session.version, &session.data).await.map_err(unavailable)
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.inner.delete(&key.sha256()).await.map_err(unavailable)
    }

    fn name(&self) -> &'static str {
        D::NAME
    }

    async fn sweep(&self) -> Result<u64, StoreError> {
        self.inner.sweep().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.database.close().await;
        Ok(())
    }
}

/// The rows that one step of a sweep removes.
const BATCH: u64 = 1000;

impl<D: Dialect> Sweep for Inner<D> {
    async fn sweep(&self) -> Result<u64, StoreError> {
        self.database.sweep(&self.statements.table, &self.statements.sweep, BATCH).await.map_err(unavailable)
    }
}

impl<D: Dialect> Inner<D> {
    async fn create(&self, id: &[u8], session: NewSession<Vec<u8>>) -> sqlx::Result<Created> {
        let version = first_version();
        let Limits { idle, absolute, .. } = session.limits;
        let (idle, absolute) = (millis(idle), absolute.map_or(NEVER, millis));
        let (life, bucket) = (idle.min(absolute), idle / 8 + 1);
        let binds = [
            Bind::Bytes(id),
            Bind::Int(version),
            Bind::Int(idle),
            Bind::Int(absolute),
            Bind::Int(life),
            Bind::Int(life),
            Bind::Int(bucket),
            Bind::Int(bucket),
            Bind::Bytes(&session.data),
        ];
        if self.inserts(&self.statements.create, &binds, id).await?.is_some() {
            return Ok(Created::Created(to_version(version)));
        }
        Ok(Created::Exists)
    }

    async fn load(&self, id: &[u8]) -> sqlx::Result<Option<Row>> {
        let binds = [Bind::Bytes(id)];
        match self.database.read(&self.statements.load, &binds).await {
            // Reading again does no harm, and the connection may just have been a stale one.
            Err(error) if is_connection_lost(&error) => self.database.read(&self.statements.load, &binds).await,
            row => row,
        }
    }

    async fn replace(&self, id: &[u8], expected: Version, data: &[u8]) -> sqlx::Result<Replaced> {
        let binds = [Bind::Bytes(data), Bind::Bytes(id), Bind::Int(from_version(expected))];
        let changed = retry(|| self.database.change(&self.statements.replace, &binds)).await?;
        match changed {
            Some(version) => Ok(Replaced::Replaced(to_version(version))),
            None if self.version(id).await?.is_some() => Ok(Replaced::Conflict),
            None => Ok(Replaced::Missing),
        }
    }

    async fn touch(&self, id: &[u8]) -> sqlx::Result<bool> {
        let binds = [Bind::Bytes(id)];
        Ok(retry(|| self.database.execute(&self.statements.touch, &binds)).await? > 0)
    }

    async fn rotate(&self, old: &[u8], new: &[u8], expected: Version, data: &[u8]) -> sqlx::Result<Rotated> {
        let expected = from_version(expected);
        let binds = if D::SYNTAX.changes_in_with {
            vec![Bind::Bytes(old), Bind::Int(expected), Bind::Bytes(new), Bind::Int(expected + 1), Bind::Bytes(data)]
        } else {
            vec![Bind::Bytes(new), Bind::Bytes(data), Bind::Bytes(old), Bind::Int(expected), Bind::Bytes(new)]
        };
        let moved = async || match self.inserts(&self.statements.rotate, &binds, new).await {
            // Whether it was done stands at the new key, which nobody else knows.
            Err(error) if is_connection_lost(&error) => match self.version(new).await {
                Ok(Some(_)) => Ok(Some(1)),
                _ => Err(error),
            },
            rows => rows,
        };
        if moved().await?.is_some_and(|rows| rows > 0) {
            return Ok(Rotated::Rotated(to_version(expected + 1)));
        }
        match self.version(old).await? {
            None => Ok(Rotated::Missing),
            Some(version) if version != expected => Ok(Rotated::Conflict),
            // Only the new key can have been in the way: a session, or one that has expired and not been swept.
            Some(_) if self.forget_expired(new).await? && moved().await?.is_some_and(|rows| rows > 0) => {
                Ok(Rotated::Rotated(to_version(expected + 1)))
            }
            Some(_) => Ok(Rotated::Exists),
        }
    }

    async fn delete(&self, id: &[u8]) -> sqlx::Result<bool> {
        let binds = [Bind::Bytes(id)];
        Ok(retry(|| self.database.execute(&self.statements.delete, &binds)).await? > 0)
    }

    /// Runs a statement that inserts a row at `id`; `None` where the key is taken. What has expired there makes room.
    async fn inserts(&self, sql: &SqlStr, binds: &[Bind<'_>], id: &[u8]) -> sqlx::Result<Option<u64>> {
        loop {
            match retry(|| self.database.execute(sql, binds)).await {
                Err(error) if is_taken(&error) => {
                    if !self.forget_expired(id).await? {
                        return Ok(None);
                    }
                }
                rows => return rows.map(Some),
            }
        }
    }

    async fn forget_expired(&self, id: &[u8]) -> sqlx::Result<bool> {
        Ok(self.database.execute(&self.statements.forget_expired, &[Bind::Bytes(id)]).await? > 0)
    }

    /// The version of the session that is there, if one is.
    async fn version(&self, id: &[u8]) -> sqlx::Result<Option<i64>> {
        let row = self.database.read(&self.statements.load, &[Bind::Bytes(id)]).await?;
        Ok(row.filter(|row| row.version != MARK && row.expires_at > row.now).map(|row| row.version))
    }
}

fn loaded(row: Row) -> Result<Loaded<Vec<u8>>, StoreError> {
    if row.expires_at <= row.now {
        return Ok(Loaded::Missing);
    }
    if row.version == MARK {
        return Ok(Loaded::JustRotated);
    }
    let version = to_version(row.version);
    // No change would find such a version, and no database could add such an idle limit to its time. No absolute limit is `now + NEVER`.
    if from_version(version) != row.version || !(0..=MAX_MILLIS).contains(&row.idle) || row.absolute_at < 0 {
        return Err(StoreError::data("another program's row is stored under the session's key: choose another table"));
    }
    let millis = |number: i64| Duration::from_millis(u64::try_from(number).unwrap_or(0));
    let until = |time: i64| millis(time.saturating_sub(row.now));
    Ok(Loaded::Found(Record::new(
        Arc::new(row.data),
        version,
        millis(row.idle),
        until(row.expires_at),
        (row.absolute_at < NEVER).then(|| until(row.absolute_at)),
        millis(row.now.saturating_sub(row.created_at)),
    )))
}

/// What a URL says of how to connect.
pub(super) fn read_url<O: FromStr<Err = sqlx::Error>>(url: &str) -> Result<O, StoreError> {
    url.parse().map_err(|error: sqlx::Error| {
        let said = error.to_string();
        // It quotes what it does not know, which may be more than the one value where a `&` is missing.
        let name = ["ssl_mode", "mode", "cache", "immutable"].into_iter().find(|name| said.ends_with(&format!(" for `{name}`")));
        match name {
            Some(name) => StoreError::unavailable(format!("the URL has a value for `{name}` that there is not")),
            None if said.contains(['"', '`']) => StoreError::unavailable("the URL has a parameter that there is not"),
            None => StoreError::unavailable(error),
        }
    })
}

/// Runs a statement again that the database undid because others were in its way, which it asks for.
async fn retry<R, F: Future<Output = sqlx::Result<R>>>(mut run: impl FnMut() -> F) -> sqlx::Result<R> {
    loop {
        match run().await {
            Err(sqlx::Error::Database(error)) if was_undone(error.code().as_deref()) => {}
            result => return result,
        }
    }
}

/// A deadlock or a failed serialization, by its SQLSTATE (40P01 is PostgreSQL's).
fn was_undone(code: Option<&str>) -> bool {
    matches!(code, Some("40001" | "40P01"))
}

fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

fn is_connection_lost(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_)) || error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("57P01"))
}

/// The longest limit, some 30 000 years.
const MAX_MILLIS: i64 = 1_000_000_000_000_000;

/// Whole milliseconds, rounded up so that no limit becomes none.
fn millis(limit: Duration) -> i64 {
    i64::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(MAX_MILLIS).min(MAX_MILLIS)
}

/// Versions start anywhere, so that a session does not have those of one that had its key before.
fn first_version() -> i64 {
    rand::random_range(1..1 << 40)
}

fn to_version(version: i64) -> Version {
    Version(version.unsigned_abs())
}

/// A number that no session has, where the version is none of this store's.
fn from_version(version: Version) -> i64 {
    i64::try_from(version.0).ok().filter(|version| *version > MARK && *version < i64::MAX).unwrap_or(-2)
}

/// What a database says is told, except where it is about a value, which it may quote (SQLSTATE classes 22 and 23).
fn unavailable(error: sqlx::Error) -> StoreError {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
        Some(code) if code.starts_with("22") || code.starts_with("23") => {
            StoreError::unavailable(format!("the database answered with SQLSTATE {code}"))
        }
        _ => StoreError::unavailable(error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::for_all;
    #[cfg(feature = "sqlite")]
    use crate::random::for_fewer;
    #[cfg(feature = "sqlite")]
    use crate::store::{Namespace, Origin};

    fn row(version: i64, idle: i64, absolute_at: i64, expires_at: i64, now: i64) -> Row {
        Row { version, idle, absolute_at, created_at: 0, expires_at, now, data: vec![1, 2] }
    }

    /// Numbers of a row, as this store writes them, and at which arithmetic ends.
    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![
            8 => 0..=MAX_MILLIS,
            2 => prop::sample::select(vec![i64::MIN, -2, -1, 0, 1, NEVER - 1, NEVER, NEVER + 1, i64::MAX - 1, i64::MAX]),
            1 => any::<i64>(),
        ]
    }

    #[test]
    fn whatever_stands_in_a_row_is_a_session_that_can_be_changed_or_an_error() {
        let numbers = (number(), number(), number(), number(), number(), number());
        for_all(numbers, |(version, idle, absolute_at, created_at, expires_at, now)| {
            let row = Row { created_at, ..row(version, idle, absolute_at, expires_at, now) };
            let Ok(Loaded::Found(record)) = loaded(row) else { return };
            assert!(version != MARK && now < expires_at);
            assert_eq!(from_version(record.version), version, "the version that a change expects");
            assert_eq!(record.idle.as_millis(), u128::try_from(idle).unwrap());
            let until = |time: i64| Duration::from_millis(u64::try_from(i128::from(time) - i128::from(now)).unwrap_or(0));
            let nearest = |left: Duration| left.min(Duration::from_millis(i64::MAX.unsigned_abs()));
            assert_eq!(record.expires_in, nearest(until(expires_at)));
            assert_eq!(record.absolute_in, (absolute_at < NEVER).then(|| nearest(until(absolute_at))));
            let age = u64::try_from(i128::from(now) - i128::from(created_at)).unwrap_or(0);
            assert_eq!(record.age, nearest(Duration::from_millis(age)));
        });
    }

    #[test]
    fn an_absolute_limit_that_is_over_leaves_no_time() {
        let Ok(Loaded::Found(record)) = loaded(row(1, 1, 1, 1_000_001, 1_000_000)) else { panic!("it has not expired") };
        assert_eq!(record.absolute_in, Some(Duration::ZERO));
    }

    #[test]
    fn a_session_without_an_absolute_limit_has_none() {
        // As it is written: the limit is added to the time of the database.
        let Ok(Loaded::Found(record)) = loaded(row(1, 1, 1_000 + NEVER, 1_001, 1_000)) else { panic!("it has not expired") };
        assert_eq!(record.absolute_in, None);
    }

    #[test]
    fn a_row_that_this_store_cannot_have_written_is_an_error() {
        for (version, idle, absolute_at) in
            [(-3, 1, NEVER), (i64::MAX, 1, NEVER), (1, -1, NEVER), (1, i64::MAX, NEVER), (1, 1, -1)]
        {
            assert!(
                matches!(loaded(row(version, idle, absolute_at, 9, 1)), Err(StoreError::Data(_))),
                "{version} {idle} {absolute_at}"
            );
        }
    }

    /// What SQLite keeps in any column, whatever type that has.
    #[cfg(feature = "sqlite")]
    #[derive(Debug, Clone)]
    enum Cell {
        Integer(i64),
        Real(f64),
        Text(String),
        Blob(Vec<u8>),
    }

    #[cfg(feature = "sqlite")]
    fn cell() -> impl Strategy<Value = Cell> {
        prop_oneof![
            12 => number().prop_map(Cell::Integer),
            1 => any::<f64>().prop_map(Cell::Real),
            1 => any::<String>().prop_map(Cell::Text),
            1 => proptest::collection::vec(any::<u8>(), 0..9).prop_map(Cell::Blob),
        ]
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn whatever_lies_in_a_table_every_operation_answers() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (pool, store) = runtime.block_on(async {
            let pool =
                sqlx::pool::PoolOptions::<sqlx::Sqlite>::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
            (pool.clone(), SqliteStore::from_pool(pool, SqlOptions::new()).await.unwrap())
        });
        let [id, other] = ["one", "other"].map(|id| crate::SessionId::parse(id).unwrap());
        let namespace = Namespace::new("sid");
        let [key, other] = [&id, &other].map(|id| Key::new(&namespace, id));
        let fill = async |cells: &[Cell; 7]| {
            let insert =
                sqlx::query("INSERT OR REPLACE INTO session_runtime VALUES (?, ?, ?, ?, ?, ?, ?, ?)").bind(key.sha256().to_vec());
            let insert = cells.iter().fold(insert, |insert, cell| match cell.clone() {
                Cell::Integer(number) => insert.bind(number),
                // SQLite makes NULL of a NaN, which no column takes.
                Cell::Real(number) => insert.bind(if number.is_nan() { 0.5 } else { number }),
                Cell::Text(text) => insert.bind(text),
                Cell::Blob(bytes) => insert.bind(bytes),
            });
            insert.execute(&pool).await.unwrap();
        };
        let data = prop_oneof![3 => Just(Cell::Blob(b"7".to_vec())), 1 => cell()];
        for_fewer((cell(), cell(), cell(), cell(), cell(), cell(), data), |(a, b, c, d, e, f, data)| {
            let cells = [a, b, c, d, e, f, data];
            runtime.block_on(async {
                sqlx::query("DELETE FROM session_runtime").execute(&pool).await.unwrap();
                fill(&cells).await;
                let loaded: Result<Loaded<u32>, _> = store.load(key).await;
                if let Ok(Loaded::Found(record)) = loaded {
                    let replaced = Store::<u32>::replace(&store, key, record.version, Change::new(Arc::new(8))).await;
                    assert!(matches!(replaced, Ok(Replaced::Replaced(version)) if version > record.version), "{replaced:?}");
                    fill(&cells).await;
                    let rotated = store.rotate(key, other, Rotation::new(record)).await;
                    assert!(matches!(rotated, Ok(Rotated::Rotated(_))), "{rotated:?}");
                } else {
                    // Errors or not: it is the answers that count, and that the store goes on.
                    let record = Record::new(Arc::new(7), Version(1), Duration::MAX, Duration::MAX, None, Duration::ZERO);
                    let _ = (store.rotate(key, other, Rotation::new(record)).await, fill(&cells).await);
                }
                let _ = (Store::<u32>::replace(&store, key, Version(1), Change::new(Arc::new(8))).await, fill(&cells).await);
                let _ = (Store::<u32>::touch(&store, key).await, fill(&cells).await);
                let _ = (Store::<u32>::delete(&store, key).await, Store::<u32>::sweep(&store).await);
            });
        });
        let session = NewSession::new(Arc::new(7_u32), Limits::new(Duration::MAX, None), Origin::Change);
        let created = runtime.block_on(store.create(other, session));
        assert!(matches!(created, Ok(Created::Created(_) | Created::Exists)), "{created:?}");
        let loaded: Result<Loaded<u32>, _> = runtime.block_on(store.load(other));
        assert!(matches!(loaded, Ok(Loaded::Found(_) | Loaded::JustRotated)), "{loaded:?}");
    }
}
