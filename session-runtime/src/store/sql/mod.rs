//! Sessions in a table of a SQL database. One engine for all of them; what differs is a [`Dialect`].

#[cfg(feature = "sqlite")]
mod file;
#[cfg(feature = "mysql")]
mod mysql;
mod options;
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
mod url;
mod verdict;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::SqlStr;

use self::pool::Again;
use self::primitives::{Admit, Admitted, Lines, Row, Statement, Value};
use self::statements::{BATCH, MARK, NEVER, Shorten, Sql as Text, Statements, Sure, Syntax};
use self::sweeper::Sweep;
use self::table::Table;
use self::verdict::{Meaning, Ran, Verdict};
use super::encoding::{Encoded, or_undecodable};
use super::{
    Attributes, Belonging, Change, Created, Key, Limits, Listed, Loaded, NewLifetime, NewSession, Owner, OwnerLimit, Record,
    Replaced, Rotated, Rotation, SessionHandle, Store, StoreError, Version, Which,
};

pub(super) use table::is_table;
#[cfg(test)]
#[allow(unused_imports, reason = "the tests of each engine read its own")]
pub(super) use url::{MYSQL, POSTGRES, SQLITE, read_url};

#[cfg(feature = "mysql")]
pub use mysql::{MySql, MySqlStore};
pub use options::{Credentials, SqlOptions};
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresStore};
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteStore};

/// What a SQL store keeps its bytes in.
pub struct Sql<D> {
    inner: Arc<Inner<D>>,
}

struct Inner<D> {
    database: D,
    statements: Statements,
    /// The rows that the next step of a sweep removes at most.
    batch: AtomicI64,
    /// The logins within a limit.
    lines: Arc<Lines>,
}

/// A database: its words for what SQL leaves open, and its ways to run a statement.
pub trait Dialect: Send + Sync + 'static {
    /// The store's name.
    const NAME: &'static str;
    const SYNTAX: Syntax;

    /// Creates the table where it is missing, also when many processes do so at once.
    fn create_table(&self, table: &Table) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Runs a statement that is one of this program alone; it does nothing.
    fn try_out(&self, sql: &SqlStr) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// From now on each new connection is tried out by one of these statements that changes nothing.
    fn rely_on(&self, statements: &Statements);

    /// Runs a statement; the number of rows it changed.
    fn execute(&self, statement: Statement, again: Again) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Runs a statement that changes a row at most and gives its new version.
    fn change(&self, statement: Statement) -> impl Future<Output = sqlx::Result<Option<i64>>> + Send;

    /// Reads a row.
    fn read(&self, statement: Statement) -> impl Future<Output = sqlx::Result<Option<Row>>> + Send;

    /// Reads a number, if there is one, as it is committed at this moment.
    fn number(&self, statement: Statement) -> impl Future<Output = sqlx::Result<Option<i64>>> + Send;

    /// Reads rows, as they are committed at this moment.
    fn list(&self, statement: Statement) -> impl Future<Output = sqlx::Result<Vec<Row>>> + Send;

    /// Gives an owner one session more, within a limit.
    fn admit(&self, admit: Admit) -> impl Future<Output = sqlx::Result<Admitted>> + Send;

    /// Removes a batch of expired rows, unless another process is at it; the number of rows that went.
    fn sweep(&self, table: &Table, batch: Statement) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Takes back what a clock that was set back has added to the sessions' lives, where the clock is the machine's own.
    fn shorten(&self, shorten: &Shorten) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// The most bytes of data that the database takes, and what sets that limit.
    fn largest(&self) -> (u64, &'static str);

    /// Waits for what was begun, and closes the connections that the store made itself.
    fn close(&self) -> impl Future<Output = sqlx::Result<()>> + Send;
}

impl<D: Dialect> Sql<D> {
    /// Sets the table up, tries out what is needed, and starts the sweeping.
    async fn open(database: D, options: SqlOptions) -> Result<Encoded<Self>, StoreError> {
        let table = Table::parse(&options.table)?;
        let statements = Statements::new(&D::SYNTAX, table);
        if let Err(missing) = database.try_out(&statements.probe).await {
            if let Err(error) = database.create_table(&statements.table).await {
                // Where the account may not create it, or there is another table of its name, what is missing tells more.
                let told = if matches!(Verdict::of(&error).meaning, Meaning::Denied | Meaning::Other) { missing } else { error };
                let problem = "has not the columns of this release, or is missing and was not created";
                return Err(not_usable(&statements.table, problem, told));
            }
            let problem = "has not the columns of this release, or may not be read";
            database.try_out(&statements.probe).await.map_err(|error| not_usable(&statements.table, problem, error))?;
        }
        for (privilege, statement) in &statements.permitted {
            let Err(error) = database.try_out(statement).await else { continue };
            let problem = match Verdict::of(&error).meaning {
                Meaning::ReadOnly => "cannot be changed: the server is a replica, or was made read-only",
                Meaning::Denied => match *privilege {
                    "INSERT" => "cannot be used: its account lacks the privilege INSERT",
                    "UPDATE" => "cannot be used: its account lacks the privilege UPDATE",
                    "DELETE" => "cannot be used: its account lacks the privilege DELETE",
                    _ => "cannot be used: its account lacks the privilege SELECT",
                },
                _ => "cannot be changed",
            };
            return Err(not_usable(&statements.table, problem, error));
        }
        database.rely_on(&statements);
        let inner = Arc::new(Inner { database, statements, batch: AtomicI64::new(BATCH), lines: Arc::default() });
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
        self.inner.fits(&session.data)?;
        self.inner.create(key.sha256(), session).await.map_err(failed)
    }

    async fn load(&self, key: Key<'_>) -> Result<Loaded<Vec<u8>>, StoreError> {
        let row = self.inner.load(key.sha256()).await.map_err(failed)?;
        or_undecodable(row.map_or(Ok(Loaded::Missing), loaded))
    }

    async fn replace(&self, key: Key<'_>, expected: Version, change: Change<Vec<u8>>) -> Result<Replaced, StoreError> {
        self.inner.fits(&change.data)?;
        let id = key.sha256();
        match change.lifetime {
            None => self.inner.replace(id, expected, change.data).await.map_err(failed),
            Some(lifetime) => self.inner.replace_with_lifetime(id, expected, change.data, &lifetime).await.map_err(failed),
        }
    }

    async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.inner.touch(key.sha256()).await.map_err(failed)
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, rotation: Rotation<Vec<u8>>) -> Result<Rotated, StoreError> {
        self.inner.fits(&rotation.session.data)?;
        self.inner.rotate(old.sha256(), new.sha256(), rotation).await.map_err(failed)
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.inner.delete(key.sha256()).await.map_err(failed)
    }

    fn keeps_owners(&self) -> bool {
        true
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Listed<Vec<u8>>>, StoreError> {
        let rows = self.inner.list(owner.sha256()).await.map_err(failed)?;
        Ok(rows.into_iter().map(listed).collect())
    }

    async fn end(&self, owner: &Owner, which: Which) -> Result<u64, StoreError> {
        self.inner.end(owner.sha256(), which).await.map_err(failed)
    }

    async fn replace_listed(
        &self,
        owner: &Owner,
        handle: SessionHandle,
        expected: Version,
        change: Change<Vec<u8>>,
    ) -> Result<Replaced, StoreError> {
        self.inner.fits(&change.data)?;
        self.inner.replace_listed(owner.sha256(), handle, expected, change.data).await.map_err(failed)
    }

    async fn count(&self, owner: &Owner) -> Result<u64, StoreError> {
        let statement = Statement::new(&self.inner.statements.owned.count, [Value::Id(owner.sha256())]);
        let count = self.inner.number(statement).await.map_err(failed)?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    fn name(&self) -> &'static str {
        D::NAME
    }

    async fn sweep(&self) -> Result<u64, StoreError> {
        self.inner.sweep().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.database.close().await.map_err(failed)
    }
}

impl<D: Dialect> Sweep for Inner<D> {
    /// Each batch is a call of its own, so that others have their turn in between. One that fails is a smaller one the next time: it may
    /// have taken longer than a statement may.
    async fn sweep(&self) -> Result<u64, StoreError> {
        self.database.shorten(&self.statements.shorten).await.map_err(failed)?;
        let mut gone = 0;
        loop {
            let batch = self.batch.load(Ordering::Relaxed);
            let statement = Statement::new(&self.statements.sweep, [0, batch].map(Value::Int));
            match self.database.sweep(&self.statements.table, statement).await {
                Ok(rows) => {
                    gone += rows;
                    self.batch.store((batch * 2).min(BATCH), Ordering::Relaxed);
                    if rows < batch.unsigned_abs() {
                        return Ok(gone);
                    }
                }
                Err(error) => {
                    self.batch.store((batch / 4).max(1), Ordering::Relaxed);
                    return Err(failed(error));
                }
            }
        }
    }
}

impl<D: Dialect> Inner<D> {
    async fn create(&self, id: [u8; 32], session: NewSession<Vec<u8>>) -> sqlx::Result<Created> {
        let version = first_version();
        let Limits { idle, absolute, .. } = session.limits;
        let (idle, absolute) = (millis(idle), absolute.map_or(NEVER, millis));
        let (life, bucket) = (idle.min(absolute), idle / 8 + 1);
        let [handle, proven, persistent, owner] = beside(session.attributes.as_deref(), session.owner.as_deref());
        let values = [
            Value::Id(id),
            Value::Int(version),
            Value::Int(idle),
            Value::Int(absolute),
            Value::Int(life),
            Value::Int(life),
            Value::Int(bucket),
            Value::Int(bucket),
            Value::Data(session.data),
            handle,
            proven,
            persistent,
            owner,
        ];
        let statement = Statement::new(&self.statements.create, values);
        if let Some(limited) = session.owner.as_deref().and_then(limited) {
            return match self.admit(&statement, id, limited).await {
                // Whether it was done stands at the key, which nobody else knows.
                Err(error) if Verdict::of(&error).ran == Ran::Maybe => match self.version(id).await {
                    Ok(Some(there)) if there == version => Ok(Created::Created(to_version(version))),
                    _ => Err(error),
                },
                Ok(Admitted::Rows(1..)) => Ok(Created::Created(to_version(version))),
                Ok(Admitted::Rows(0)) => Ok(Created::Exists),
                Ok(Admitted::TooMany) => Ok(Created::TooMany),
                Err(error) => Err(error),
            };
        }
        if self.inserts(&statement, id).await?.is_some() {
            return Ok(Created::Created(to_version(version)));
        }
        Ok(Created::Exists)
    }

    async fn load(&self, id: [u8; 32]) -> sqlx::Result<Option<Row>> {
        self.database.read(Statement::new(&self.statements.load, [Value::Id(id)])).await
    }

    async fn replace(&self, id: [u8; 32], expected: Version, data: Arc<Vec<u8>>) -> sqlx::Result<Replaced> {
        let expected = from_version(expected);
        let Sure { first, locked } = &self.statements.replace;
        let values = [Value::Data(data), Value::Id(id), Value::Int(expected)];
        let statement = Statement::new(first, values.clone());
        if let Some(version) = or_late(retry(|| self.database.change(statement.clone())).await)? {
            return Ok(Replaced::Replaced(to_version(version)));
        }
        match (self.version(id).await?, locked) {
            (None, _) => Ok(Replaced::Missing),
            (Some(version), Some(locked)) if version == expected => {
                let statement = Statement::new(locked, values);
                match retry(|| self.database.change(statement.clone())).await? {
                    Some(version) => Ok(Replaced::Replaced(to_version(version))),
                    None if self.version(id).await?.is_some() => Ok(Replaced::Conflict),
                    None => Ok(Replaced::Missing),
                }
            }
            (Some(_), _) => Ok(Replaced::Conflict),
        }
    }

    async fn replace_with_lifetime(
        &self,
        id: [u8; 32],
        expected: Version,
        data: Arc<Vec<u8>>,
        NewLifetime { limits, attributes }: &NewLifetime,
    ) -> sqlx::Result<Replaced> {
        let expected = Value::Int(from_version(expected));
        let (idle, absolute) = (millis(limits.idle), limits.absolute.map_or(NEVER, millis));
        let bucket = Value::Int(idle / 8 + 1);
        let (id_value, idle, absolute) = (Value::Id(id), Value::Int(idle), Value::Int(absolute));
        let [handle, proven, persistent, _] = beside(attributes.as_deref(), None);
        let changes = [
            Value::Data(data),
            idle.clone(),
            absolute.clone(),
            idle.clone(),
            absolute.clone(),
            idle,
            absolute,
            bucket.clone(),
            bucket,
            handle,
            proven,
            persistent,
        ];
        // Where the row is locked first, its key comes first.
        let (first, last) = if D::SYNTAX.sees_time_first { (Some(id_value), None) } else { (None, Some(id_value)) };
        let values = first.into_iter().chain(changes).chain(last).chain([expected]);
        let statement = Statement::new(&self.statements.replace_with_lifetime, values);
        match retry(|| self.database.change(statement.clone())).await? {
            Some(version) => Ok(Replaced::Replaced(to_version(version))),
            None if self.version(id).await?.is_some() => Ok(Replaced::Conflict),
            None => Ok(Replaced::Missing),
        }
    }

    async fn touch(&self, id: [u8; 32]) -> sqlx::Result<bool> {
        let Sure { first, locked } = &self.statements.touch;
        let statement = Statement::new(first, [Value::Id(id)]);
        let rows = retry(|| self.database.execute(statement.clone(), Again::Harmless)).await;
        if or_late(rows.map(Some))?.is_some_and(|rows| rows > 0) {
            return Ok(true);
        }
        match locked {
            Some(locked) if self.version(id).await?.is_some() => {
                let statement = Statement::new(locked, [Value::Id(id)]);
                Ok(retry(|| self.database.execute(statement.clone(), Again::Harmless)).await? > 0)
            }
            _ => Ok(false),
        }
    }

    async fn rotate(&self, old: [u8; 32], new: [u8; 32], rotation: Rotation<Vec<u8>>) -> sqlx::Result<Rotated> {
        let Rotation { session, owner } = rotation;
        let expected = from_version(session.version);
        let Sure { first, locked } = &self.statements.rotate;
        let [handle, proven, persistent, owner_id] = beside(session.attributes.as_deref(), owner.as_deref());
        let after = [Value::Data(session.data), handle, proven, persistent, owner_id];
        let statement = |sql: &Text| {
            let (after, [old, new]) = (after.clone(), [old, new].map(Value::Id));
            if D::SYNTAX.changes_in_with {
                let before = [old, Value::Int(expected), new, Value::Int(expected + 1)];
                return Statement::new(sql, before.into_iter().chain(after));
            }
            // Twice more where the statement makes sure itself that no other row is in its way.
            let again = D::SYNTAX.version_on_conflict.contains('?').then(|| old.clone());
            let condition = [old, Value::Int(expected), new.clone()];
            Statement::new(sql, [new].into_iter().chain(after).chain(condition).chain(again))
        };
        let mut limited = owner.as_deref().and_then(limited);
        // The owner of what lies under a key does not change as long as it does. So what is the owner's already needs no look at the others.
        if let Some((owner, _)) = limited {
            let statement = Statement::new(&self.statements.owned.has, [Value::Id(old), Value::Id(owner)]);
            if self.number(statement).await?.is_some_and(|sessions| sessions > 0) {
                limited = None;
            }
        }
        let mut moved = self.moves(&statement(first), new, limited).await?;
        if moved == Admitted::Rows(0) {
            match self.version(old).await? {
                None => return Ok(Rotated::Missing),
                Some(version) if version != expected => return Ok(Rotated::Conflict),
                // The new key was in the way: a session, or one that has expired and not been swept. Or the first form was not sure of
                // the time.
                Some(_) => self.forget_expired(new).await?,
            };
            moved = self.moves(&statement(locked.as_ref().unwrap_or(first)), new, limited).await?;
        }
        let refused = match moved {
            Admitted::Rows(1..) => return Ok(Rotated::Rotated(to_version(expected + 1))),
            Admitted::Rows(0) => Rotated::Exists,
            Admitted::TooMany => Rotated::TooMany,
        };
        match self.version(old).await? {
            None => Ok(Rotated::Missing),
            Some(version) if version != expected => Ok(Rotated::Conflict),
            Some(_) => Ok(refused),
        }
    }

    /// Runs a statement that rotates to the key `new`.
    async fn moves(&self, statement: &Statement, new: [u8; 32], limited: Option<Limited>) -> sqlx::Result<Admitted> {
        let moved = match limited {
            None => self.inserts(statement, new).await.map(|rows| Admitted::Rows(rows.unwrap_or(0))),
            Some(limited) => self.admit(statement, new, limited).await,
        };
        match or_late(moved.map(Some)) {
            // Whether it was done stands at the new key, which nobody else knows.
            Err(error) if Verdict::of(&error).ran == Ran::Maybe => match self.version(new).await {
                Ok(Some(_)) => Ok(Admitted::Rows(1)),
                _ => Err(error),
            },
            moved => Ok(moved?.unwrap_or(Admitted::Rows(0))),
        }
    }

    /// Runs a statement that inserts a row at `id` as one session more of an owner; no rows where the key is taken.
    async fn admit(&self, insert: &Statement, id: [u8; 32], (owner, limit): Limited) -> sqlx::Result<Admitted> {
        let Statements { delete, owned, .. } = &self.statements;
        let admit = Admit {
            begin: D::SYNTAX.begin,
            fence: Statement::new(&owned.fence, [Value::Id(fence(owner))]),
            oldest: Statement::new(&owned.oldest, [Value::Id(owner)]),
            end_expired: Statement::new(&owned.end_expired, of_owner(owner, Which::All)),
            delete: delete.clone(),
            insert: insert.clone(),
            limit,
            owner,
            lines: Arc::clone(&self.lines),
        };
        loop {
            match retry(|| self.database.admit(admit.clone())).await {
                Err(error) if Verdict::of(&error).meaning == Meaning::Taken => {
                    if !self.forget_expired(id).await? {
                        return Ok(Admitted::Rows(0));
                    }
                }
                admitted => return admitted,
            }
        }
    }

    async fn list(&self, owner: [u8; 32]) -> sqlx::Result<Vec<Row>> {
        let statement = Statement::new(&self.statements.owned.list, [Value::Id(owner)]);
        retry(|| self.database.list(statement.clone())).await
    }

    async fn number(&self, statement: Statement) -> sqlx::Result<Option<i64>> {
        retry(|| self.database.number(statement.clone())).await
    }

    /// Deletes until none is left that was committed when it was looked for.
    ///
    /// A rotation that is under way has locked the row under its old key. The deletion waits for it there, and may then miss the row under the
    /// new key, which was not there when it began. But it is committed by then, so that the look that follows sees it. Where that sees none, no
    /// rotation is under way either: what it moves would be seen under the old key. Rotations need do nothing for this.
    async fn end(&self, owner: [u8; 32], which: Which) -> sqlx::Result<u64> {
        let statements = &self.statements.owned;
        let [end, end_expired, remaining] = [&statements.end, &statements.end_expired, &statements.remaining]
            .map(|statement| Statement::new(statement, of_owner(owner, which)));
        let mut ended = 0;
        loop {
            ended += retry(|| self.database.execute(end.clone(), Again::Never)).await?;
            if self.number(remaining.clone()).await?.unwrap_or(0) == 0 {
                return Ok(ended);
            }
            // They do not count, but one may be about to be renewed.
            retry(|| self.database.execute(end_expired.clone(), Again::Never)).await?;
        }
    }

    async fn replace_listed(
        &self,
        owner: [u8; 32],
        handle: SessionHandle,
        expected: Version,
        data: Arc<Vec<u8>>,
    ) -> sqlx::Result<Replaced> {
        let (owner, handle) = (Value::Id(owner), Value::Int(handle.to_u64().cast_signed()));
        let values = [Value::Data(data), owner.clone(), handle.clone(), Value::Int(from_version(expected))];
        let statement = Statement::new(&self.statements.owned.replace, values);
        if let Some(version) = retry(|| self.database.change(statement.clone())).await? {
            return Ok(Replaced::Replaced(to_version(version)));
        }
        let found = self.number(Statement::new(&self.statements.owned.find, [owner, handle])).await?;
        Ok(if found.is_some() { Replaced::Conflict } else { Replaced::Missing })
    }

    async fn delete(&self, id: [u8; 32]) -> sqlx::Result<bool> {
        let statement = Statement::new(&self.statements.delete, [Value::Id(id)]);
        Ok(retry(|| self.database.execute(statement.clone(), Again::Never)).await? > 0)
    }

    /// Runs a statement that inserts a row at `id`; `None` where the key is taken. What has expired there makes room.
    async fn inserts(&self, statement: &Statement, id: [u8; 32]) -> sqlx::Result<Option<u64>> {
        loop {
            match retry(|| self.database.execute(statement.clone(), Again::Never)).await {
                Err(error) if Verdict::of(&error).meaning == Meaning::Taken => {
                    if !self.forget_expired(id).await? {
                        return Ok(None);
                    }
                }
                rows => return rows.map(Some),
            }
        }
    }

    async fn forget_expired(&self, id: [u8; 32]) -> sqlx::Result<bool> {
        let statement = Statement::new(&self.statements.forget_expired, [Value::Id(id)]);
        Ok(self.database.execute(statement, Again::Harmless).await? > 0)
    }

    /// The version of the session that is there, if one is.
    async fn version(&self, id: [u8; 32]) -> sqlx::Result<Option<i64>> {
        let row = self.load(id).await?;
        Ok(row.filter(|row| row.version != MARK && row.expires_at > row.now).map(|row| row.version))
    }

    /// What the database does not take is not sent.
    fn fits(&self, data: &[u8]) -> Result<(), StoreError> {
        let (limit, name) = self.database.largest();
        if data.len() as u64 > limit {
            let size = data.len();
            return Err(StoreError::data(format!(
                "the data is too large: it has {size} bytes as JSON, and the database takes {limit} at most ({name})"
            )));
        }
        Ok(())
    }
}

fn loaded(row: Row) -> Result<Loaded<Vec<u8>>, StoreError> {
    if row.expires_at <= row.now {
        return Ok(Loaded::Missing);
    }
    if row.version == MARK {
        return Ok(Loaded::JustRotated);
    }
    record(row).map(Loaded::Found)
}

/// The session of a row, which has not expired.
fn record(row: Row) -> Result<Record<Vec<u8>>, StoreError> {
    let version = to_version(row.version);
    // No change would find such a version, and no database could add such an idle limit to its time. No absolute limit is `now + NEVER`.
    if from_version(version) != row.version || !(0..=MAX_MILLIS).contains(&row.idle) || row.absolute_at < 0 {
        return Err(StoreError::data("another program's row is stored under the session's key: choose another table"));
    }
    let millis = from_millis;
    let until = |time: i64| millis(time.saturating_sub(row.now));
    let attributes = Attributes {
        handle: row.handle.map(|number| SessionHandle::from_u64(number.cast_unsigned())),
        proven: row.proven.map(millis),
        persistent: row.persistent.map(|number| number != 0),
    };
    let mut record = Record::new(
        Arc::new(row.data),
        version,
        millis(row.idle),
        // Longer than the idle limit it is only where the clock was set back.
        until(row.expires_at).min(millis(row.idle)),
        (row.absolute_at < NEVER).then(|| until(row.absolute_at)),
        millis(row.now.saturating_sub(row.created_at)),
    );
    record.attributes = (attributes != Attributes::new()).then(|| Arc::new(attributes));
    Ok(record)
}

/// A session as its row has it, in a list.
fn listed(row: Row) -> Listed<Vec<u8>> {
    let handle = SessionHandle::from_u64(row.handle.unwrap_or(0).cast_unsigned());
    let unused = from_millis(row.now.saturating_sub(row.used_at));
    Listed::new(handle, record(row), unused)
}

/// The values of what is kept beside the data: the handle, the age at the last proof, whether the cookie is persistent, and the owner.
fn beside(attributes: Option<&Attributes>, owner: Option<&Belonging>) -> [Value; 4] {
    let Attributes { handle, proven, persistent } = attributes.copied().unwrap_or_default();
    let handle = handle.or_else(|| owner.map(|_| SessionHandle::random()));
    // Not rounded up: the proof would be later than it was.
    let proven = proven.map(|age| i64::try_from(age.as_millis()).unwrap_or(MAX_MILLIS).min(MAX_MILLIS));
    [
        Value::IntOrNull(handle.map(|handle| handle.to_u64().cast_signed())),
        Value::IntOrNull(proven),
        Value::IntOrNull(persistent.map(i64::from)),
        Value::IdOrNull(owner.map(|belonging| belonging.owner.sha256())),
    ]
}

/// An owner who may have so many sessions.
type Limited = ([u8; 32], OwnerLimit);

fn limited(belonging: &Belonging) -> Option<Limited> {
    belonging.limit.map(|limit| (belonging.owner.sha256(), limit))
}

/// The key of an owner's fence. It is a hash, as those of sessions, and of what none of these is made of.
fn fence(owner: [u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update("fence").chain_update(owner).finalize().into()
}

/// Which of an owner's rows are meant, as the statements take it.
fn of_owner(owner: [u8; 32], which: Which) -> [Value; 5] {
    let (is_any, handle, is_any_other) = match which {
        Which::One(one) => (0, one.to_u64(), 1),
        Which::Others(one) => (1, one.to_u64(), 0),
        Which::All => (1, 0, 1),
    };
    let handle = Value::Int(handle.cast_signed());
    [Value::Id(owner), Value::Int(is_any), handle.clone(), Value::Int(is_any_other), handle]
}

/// What the first form of a change did; nothing, where it was not sure of the time.
fn or_late<R>(result: sqlx::Result<Option<R>>) -> sqlx::Result<Option<R>> {
    match result {
        Err(error) if Verdict::of(&error).meaning == Meaning::Waited => Ok(None),
        result => result,
    }
}

/// Runs a statement again that the database undid because others were in its way, which it asks for.
async fn retry<R, F: Future<Output = sqlx::Result<R>>>(mut run: impl FnMut() -> F) -> sqlx::Result<R> {
    loop {
        match run().await {
            Err(error) if Verdict::of(&error).meaning == Meaning::Undone => {}
            result => return result,
        }
    }
}

/// The longest limit, some 30 000 years.
const MAX_MILLIS: i64 = 1_000_000_000_000_000;

fn from_millis(number: i64) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}

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

/// What a database says is told, except where it is about a value, which it may quote.
fn failed(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match Verdict::of(&error).meaning {
        Meaning::Data | Meaning::Taken | Meaning::Waited => {
            StoreError::unavailable(format!("the database answered with the code {}", code.unwrap_or_default()))
        }
        Meaning::TooLarge => StoreError::data(format!("the data is too large for the database: {error}")),
        _ => StoreError::unavailable(error),
    }
}

/// Why a store was not opened.
fn not_usable(table: &Table, problem: &'static str, error: sqlx::Error) -> StoreError {
    StoreError::unavailable(Problem { said: format!("the table `{table:?}` {problem}"), error })
}

/// What is wrong, in words of the store's own, and what the database said.
#[derive(Debug)]
struct Problem {
    said: String,
    error: sqlx::Error,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.said, self.error)
    }
}

impl std::error::Error for Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::statements::Owned;
    use super::*;
    use crate::random::for_all;
    #[cfg(feature = "sqlite")]
    use crate::random::for_fewer;
    #[cfg(feature = "sqlite")]
    use crate::store::{Namespace, Origin, WhenFull};

    fn row(version: i64, idle: i64, absolute_at: i64, expires_at: i64, now: i64) -> Row {
        let data = vec![1, 2];
        Row {
            version,
            idle,
            absolute_at,
            created_at: 0,
            expires_at,
            now,
            data,
            used_at: 0,
            handle: None,
            proven: None,
            persistent: None,
        }
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
            assert_eq!(record.expires_in, nearest(until(expires_at)).min(record.idle));
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

    /// The number of parameters of each statement of a store that is given some.
    fn parameters<D: Dialect>() -> Vec<usize> {
        let statements = Statements::new(&D::SYNTAX, Table::parse("visits").unwrap());
        let Statements { create, load, replace, replace_with_lifetime, touch, rotate, delete, forget_expired, sweep, .. } =
            &statements;
        let Owned { count, list, replace: replace_listed, find, has, end, end_expired, remaining, fence, oldest } =
            &statements.owned;
        let owned = [count, list, replace_listed, find, has, end, end_expired, remaining, fence, oldest];
        let changes = [replace, touch, rotate];
        let locked = changes.into_iter().filter_map(|change| change.locked.as_ref());
        let all = [create, load, replace_with_lifetime, delete, forget_expired, sweep]
            .into_iter()
            .chain(owned)
            .chain(changes.map(|change| &change.first))
            .chain(locked);
        let count = |text: &str| {
            let numbered = (1..40).filter(|number| text.contains(&format!("${number}"))).count();
            numbered.max(text.matches('?').count())
        };
        all.map(|sql| count(sql.text.as_str())).collect()
    }

    #[test]
    fn no_two_statements_take_as_many_parameters() {
        let all = [
            #[cfg(feature = "postgres")]
            ("PostgreSQL", parameters::<Postgres>()),
            #[cfg(feature = "mysql")]
            ("MySQL", parameters::<MySql>()),
            #[cfg(feature = "sqlite")]
            ("SQLite", parameters::<Sqlite>()),
        ];
        for (name, mut parameters) in all {
            let count = parameters.len();
            parameters.sort_unstable();
            parameters.dedup();
            assert_eq!(parameters.len(), count, "{name}: {parameters:?}");
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
        let ids = ["one", "other", "third"].map(|id| crate::SessionId::parse(id).unwrap());
        let namespace = Namespace::new("sid");
        let [key, other, third] = [0, 1, 2].map(|number| Key::new(&namespace, &ids[number]));
        let owner = Owner::new(&namespace, &7);
        let fill = async |cells: &[Cell; 11]| {
            let insert = "INSERT OR REPLACE INTO session_runtime (id, version, idle, absolute_at, created_at, expires_at, sweep_at, data, \
                          used_at, handle, proven, persistent, owner) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
            let insert = sqlx::query(insert).bind(key.sha256().to_vec());
            let insert = cells.iter().fold(insert, |insert, cell| match cell.clone() {
                Cell::Integer(number) => insert.bind(number),
                // SQLite makes NULL of a NaN, which no column takes.
                Cell::Real(number) => insert.bind(if number.is_nan() { 0.5 } else { number }),
                Cell::Text(text) => insert.bind(text),
                Cell::Blob(bytes) => insert.bind(bytes),
            });
            insert.bind(owner.sha256().to_vec()).execute(&pool).await.unwrap();
        };
        let limit = Some(OwnerLimit::new(std::num::NonZeroU32::MIN, WhenFull::EndOldest));
        let data = prop_oneof![3 => Just(Cell::Blob(b"7".to_vec())), 1 => cell()];
        let numbers = (cell(), cell(), cell(), cell(), cell(), cell());
        let beside = (cell(), cell(), cell(), cell());
        for_fewer((numbers, data, beside), |((a, b, c, d, e, f), data, (h, i, j, k))| {
            let cells = [a, b, c, d, e, f, data, h, i, j, k];
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
                let _ = (Store::<u32>::delete(&store, key).await, fill(&cells).await);
                let _ = (Store::<u32>::list(&store, &owner).await, Store::<u32>::count(&store, &owner).await);
                let mut session = NewSession::new(Arc::new(7_u32), Limits::new(Duration::MAX, None), Origin::Change);
                session.owner = Some(Box::new(Belonging { owner: owner.clone(), limit }));
                let _ = (store.create(third, session).await, fill(&cells).await);
                let ended = Store::<u32>::end(&store, &owner, Which::All).await;
                assert!(ended.is_ok(), "{ended:?}");
                assert_eq!(Store::<u32>::count(&store, &owner).await.unwrap(), 0);
                let _ = Store::<u32>::sweep(&store).await;
            });
        });
        let session = NewSession::new(Arc::new(7_u32), Limits::new(Duration::MAX, None), Origin::Change);
        let created = runtime.block_on(store.create(other, session));
        assert!(matches!(created, Ok(Created::Created(_) | Created::Exists)), "{created:?}");
        let loaded: Result<Loaded<u32>, _> = runtime.block_on(store.load(other));
        assert!(matches!(loaded, Ok(Loaded::Found(_) | Loaded::JustRotated)), "{loaded:?}");
    }
}
