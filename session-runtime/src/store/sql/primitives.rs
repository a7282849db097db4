//! Running a statement on a connection.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::{Database, Encode, SqlStr, Type};

use super::pool::Line;
use super::statements::Sql;
use crate::locks::{self, Locks};
use crate::store::{OwnerLimit, WhenFull};

/// A value for a parameter.
#[derive(Clone)]
pub enum Value {
    Int(i64),
    Id([u8; 32]),
    Data(Arc<Vec<u8>>),
    IntOrNull(Option<i64>),
    IdOrNull(Option<[u8; 32]>),
}

/// A statement with its values.
#[derive(Clone)]
pub struct Statement {
    sql: SqlStr,
    values: Arc<[Value]>,
}

impl Statement {
    pub(super) fn new(sql: &Sql, values: impl IntoIterator<Item = Value>) -> Self {
        let pads = std::iter::repeat_n(Value::Int(0), sql.pads);
        Self { sql: sql.text.clone(), values: values.into_iter().chain(pads).collect() }
    }

    /// As the database takes it.
    pub(super) fn bound<'q, D>(&'q self) -> Query<'q, D, D::Arguments>
    where
        D: Database,
        i64: Encode<'q, D> + Type<D>,
        &'q [u8]: Encode<'q, D> + Type<D>,
        Option<i64>: Encode<'q, D> + Type<D>,
        Option<&'q [u8]>: Encode<'q, D> + Type<D>,
    {
        self.values.iter().fold(sqlx::query(self.sql.clone()), |query, value| match value {
            Value::Int(number) => query.bind(*number),
            Value::Id(id) => query.bind(id.as_slice()),
            Value::Data(data) => query.bind(data.as_slice()),
            Value::IntOrNull(number) => query.bind(*number),
            Value::IdOrNull(id) => query.bind(id.as_ref().map(<[u8; 32]>::as_slice)),
        })
    }
}

/// A row as [`Statements::load`](super::Statements) reads it, and the time at which it did.
pub struct Row {
    pub(super) version: i64,
    pub(super) idle: i64,
    pub(super) absolute_at: i64,
    pub(super) created_at: i64,
    pub(super) expires_at: i64,
    pub(super) now: i64,
    pub(super) data: Vec<u8>,
    pub(super) used_at: i64,
    pub(super) handle: Option<i64>,
    pub(super) proven: Option<i64>,
    pub(super) persistent: Option<i64>,
}

/// Runs a statement; the number of rows it changed.
#[derive(Clone)]
pub(super) struct Execute(pub(super) Statement);

/// Runs a statement that changes a row at most; its new version.
#[derive(Clone)]
pub(super) struct Change(pub(super) Statement);

/// Reads a row.
#[derive(Clone)]
pub(super) struct Read(pub(super) Statement);

/// Reads a number, if there is one.
#[derive(Clone)]
pub(super) struct Number(pub(super) Statement);

/// Reads rows.
#[derive(Clone)]
pub(super) struct List(pub(super) Statement);

/// Gives an owner one session more, within a limit, in one transaction.
///
/// Whoever does so for an owner writes the same row first, the fence, so that one does so at a time. Others only take sessions from the
/// owner meanwhile, or move them to other keys, one for one.
#[derive(Clone)]
pub struct Admit {
    pub(super) begin: &'static str,
    pub(super) fence: Statement,
    pub(super) oldest: Statement,
    pub(super) end_expired: Statement,
    pub(super) delete: Sql,
    /// The statement that inserts the session.
    pub(super) insert: Statement,
    pub(super) limit: OwnerLimit,
    pub(super) owner: [u8; 32],
    /// Where those of this process wait for each other: one that waits at the fence has a connection meanwhile.
    pub(super) lines: Arc<Lines>,
}

/// The lines of the owners who get sessions at this moment.
pub(super) type Lines = Locks<[u8; 32]>;

/// What became of a session that was to be an owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// The statement changed so many rows.
    Rows(u64),
    /// The owner has as many sessions as allowed.
    TooMany,
}

/// What a session that is let in waits for.
pub(super) enum Step {
    /// What has expired, but is there, goes.
    Forget,
    /// These go for it.
    Delete(Vec<Statement>),
    Refuse,
    Insert,
}

impl Admit {
    /// Waits for its turn in this process.
    pub(super) async fn line(&self) -> Line {
        let line = self.lines.place(self.owner);
        line.take(locks::ALL).await;
        line
    }

    /// What is to be done where the owner has these sessions; a 0 says that one has expired.
    ///
    /// An expired one is not just left out: a statement under way may be about to renew it.
    pub(super) fn step(&self, rows: &[(Vec<u8>, i64)]) -> Step {
        if rows.iter().any(|(_, lives)| *lives == 0) {
            return Step::Forget;
        }
        let most = usize::try_from(self.limit.sessions.get()).unwrap_or(usize::MAX);
        match (rows.len() + 1).saturating_sub(most) {
            0 => Step::Insert,
            _ if self.limit.when_full == WhenFull::Refuse => Step::Refuse,
            surplus => {
                let ids = rows.iter().take(surplus).filter_map(|(id, _)| id.as_slice().try_into().ok());
                Step::Delete(ids.map(|id| Statement::new(&self.delete, [Value::Id(id)])).collect())
            }
        }
    }
}

/// Runs the statements of a text, one after the other.
#[derive(Clone)]
pub(super) struct Script(pub(super) SqlStr);

/// The ways to run a statement, which differ between databases in their types alone.
macro_rules! works {
    ($database:ty: $($way:ident),+) => {
        $(crate::store::sql::primitives::works!(@$way $database);)+
    };
    (@Execute $database:ty) => {
        impl crate::store::sql::pool::Work<$database> for crate::store::sql::primitives::Execute {
            type Answer = u64;

            async fn run(self, connection: &mut crate::store::sql::pool::InUse<$database>) -> sqlx::Result<u64> {
                self.0.bound::<$database>().execute(&mut **connection).await.map(|done| done.rows_affected())
            }
        }
    };
    (@Script $database:ty) => {
        impl crate::store::sql::pool::Work<$database> for crate::store::sql::primitives::Script {
            type Answer = ();

            async fn run(self, connection: &mut crate::store::sql::pool::InUse<$database>) -> sqlx::Result<()> {
                sqlx::raw_sql(self.0).execute(&mut **connection).await.map(drop)
            }
        }
    };
    (@Change $database:ty) => {
        impl crate::store::sql::pool::Work<$database> for crate::store::sql::primitives::Change {
            type Answer = Option<i64>;

            async fn run(self, connection: &mut crate::store::sql::pool::InUse<$database>) -> sqlx::Result<Option<i64>> {
                use sqlx::Row as _;

                // To the end, not to the first row: the commit comes after it, and may fail.
                let rows = self.0.bound::<$database>().fetch_all(&mut **connection).await?;
                rows.first().map(|row| row.try_get(0)).transpose()
            }
        }
    };
    (@Read $database:ty) => {
        impl crate::store::sql::pool::Work<$database> for crate::store::sql::primitives::Read {
            type Answer = Option<crate::store::sql::primitives::Row>;

            async fn run(self, connection: &mut crate::store::sql::pool::InUse<$database>) -> sqlx::Result<Self::Answer> {
                let row = self.0.bound::<$database>().fetch_optional(&mut **connection).await?;
                row.as_ref().map(|row| crate::store::sql::primitives::works!(@row row)).transpose()
            }
        }
    };
    (@Number $database:ty) => {
        impl crate::store::sql::pool::Work<$database> for crate::store::sql::primitives::Number {
            type Answer = Option<i64>;

            async fn run(self, connection: &mut crate::store::sql::pool::InUse<$database>) -> sqlx::Result<Option<i64>> {
                use sqlx::Row as _;

                let row = self.0.bound::<$database>().fetch_optional(&mut **connection).await?;
                row.map(|row| row.try_get(0)).transpose()
            }
        }
    };
    (@List $database:ty) => {
        impl crate::store::sql::pool::Work<$database> for crate::store::sql::primitives::List {
            type Answer = Vec<crate::store::sql::primitives::Row>;

            async fn run(self, connection: &mut crate::store::sql::pool::InUse<$database>) -> sqlx::Result<Self::Answer> {
                let rows = self.0.bound::<$database>().fetch_all(&mut **connection).await?;
                rows.iter().map(|row| crate::store::sql::primitives::works!(@row row)).collect()
            }
        }
    };
    (@Admit $database:ty) => {
        impl crate::store::sql::pool::Work<$database> for crate::store::sql::primitives::Admit {
            type Answer = crate::store::sql::primitives::Admitted;

            const HOLDS_LOCK: bool = true;

            async fn line(&self) -> Option<crate::store::sql::pool::Line> {
                Some(self.line().await)
            }

            async fn run(self, connection: &mut crate::store::sql::pool::InUse<$database>) -> sqlx::Result<Self::Answer> {
                use crate::store::sql::pool::{InUse, bounded};
                use crate::store::sql::primitives::{Admit, Admitted, Statement, Step};
                use crate::store::sql::verdict::{Connection, Verdict};

                async fn execute(statement: &Statement, connection: &mut InUse<$database>) -> sqlx::Result<u64> {
                    let patience = connection.patience();
                    bounded(patience, statement.bound::<$database>().execute(&mut **connection)).await.map(|done| done.rows_affected())
                }

                async fn say(text: &'static str, connection: &mut InUse<$database>) -> sqlx::Result<()> {
                    let patience = connection.patience();
                    bounded(patience, sqlx::raw_sql(text).execute(&mut **connection)).await.map(drop)
                }

                async fn steps(admit: Admit, connection: &mut InUse<$database>) -> sqlx::Result<Admitted> {
                    use sqlx::Row as _;

                    execute(&admit.fence, connection).await?;
                    loop {
                        let patience = connection.patience();
                        let rows = bounded(patience, admit.oldest.bound::<$database>().fetch_all(&mut **connection)).await?;
                        let rows: Vec<(Vec<u8>, i64)> =
                            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<sqlx::Result<_>>()?;
                        match admit.step(&rows) {
                            Step::Forget => {
                                execute(&admit.end_expired, connection).await?;
                            }
                            Step::Refuse => return Ok(Admitted::TooMany),
                            Step::Insert => break,
                            Step::Delete(statements) => {
                                let mut have_gone = true;
                                for statement in statements {
                                    have_gone &= execute(&statement, connection).await? > 0;
                                }
                                // Else one goes by another key by now, or has expired.
                                if have_gone {
                                    break;
                                }
                            }
                        }
                    }
                    execute(&admit.insert, connection).await.map(Admitted::Rows)
                }

                say(self.begin, connection).await?;
                let answer = match steps(self, connection).await {
                    Ok(Admitted::Rows(rows @ 1..)) => match say("COMMIT", connection).await {
                        Ok(()) => return Ok(Admitted::Rows(rows)),
                        Err(error) => Err(error),
                    },
                    answer => answer,
                };
                if answer.as_ref().is_err_and(|error| Verdict::of(error).connection != Connection::Sound) {
                    return answer;
                }
                // Nobody goes on in the transaction. And what became of it, the answer says, not this error.
                if let Err(error) = say("ROLLBACK", connection).await {
                    connection.spoil(Verdict::of_letting_go(&error), error);
                }
                answer
            }
        }
    };
    (@row $row:expr) => {
        (|| {
            use sqlx::Row as _;

            Ok(crate::store::sql::primitives::Row {
                version: $row.try_get(0)?,
                idle: $row.try_get(1)?,
                absolute_at: $row.try_get(2)?,
                created_at: $row.try_get(3)?,
                expires_at: $row.try_get(4)?,
                now: $row.try_get(5)?,
                data: $row.try_get(6)?,
                used_at: $row.try_get(7)?,
                handle: $row.try_get(8)?,
                proven: $row.try_get(9)?,
                persistent: $row.try_get(10)?,
            })
        })()
    };
}
pub(super) use works;
