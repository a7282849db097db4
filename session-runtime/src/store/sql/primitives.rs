//! Running a statement on a connection.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::{Database, Encode, SqlStr, Type};

use super::statements::Sql;

/// A value for a parameter.
#[derive(Clone)]
pub enum Value {
    Int(i64),
    Id([u8; 32]),
    Data(Arc<Vec<u8>>),
}

/// A statement with its values.
#[derive(Clone)]
pub struct Statement {
    sql: SqlStr,
    values: Arc<[Value]>,
}

impl Statement {
    pub(super) fn new<const N: usize>(sql: &Sql, values: [Value; N]) -> Self {
        let pads = std::iter::repeat_n(Value::Int(0), sql.pads);
        Self { sql: sql.text.clone(), values: values.into_iter().chain(pads).collect() }
    }

    /// As the database takes it.
    pub(super) fn bound<'q, D>(&'q self) -> Query<'q, D, D::Arguments>
    where
        D: Database,
        i64: Encode<'q, D> + Type<D>,
        &'q [u8]: Encode<'q, D> + Type<D>,
    {
        self.values.iter().fold(sqlx::query(self.sql.clone()), |query, value| match value {
            Value::Int(number) => query.bind(*number),
            Value::Id(id) => query.bind(id.as_slice()),
            Value::Data(data) => query.bind(data.as_slice()),
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

            async fn run(self, connection: &mut <$database as sqlx::Database>::Connection) -> sqlx::Result<u64> {
                self.0.bound::<$database>().execute(connection).await.map(|done| done.rows_affected())
            }
        }
    };
    (@Script $database:ty) => {
        impl crate::store::sql::pool::Work<$database> for crate::store::sql::primitives::Script {
            type Answer = ();

            async fn run(self, connection: &mut <$database as sqlx::Database>::Connection) -> sqlx::Result<()> {
                sqlx::raw_sql(self.0).execute(connection).await.map(drop)
            }
        }
    };
    (@Change $database:ty) => {
        impl crate::store::sql::pool::Work<$database> for crate::store::sql::primitives::Change {
            type Answer = Option<i64>;

            async fn run(self, connection: &mut <$database as sqlx::Database>::Connection) -> sqlx::Result<Option<i64>> {
                use sqlx::Row as _;

                // To the end, not to the first row: the commit comes after it, and may fail.
                let rows = self.0.bound::<$database>().fetch_all(connection).await?;
                rows.first().map(|row| row.try_get(0)).transpose()
            }
        }
    };
    (@Read $database:ty) => {
        impl crate::store::sql::pool::Work<$database> for crate::store::sql::primitives::Read {
            type Answer = Option<crate::store::sql::primitives::Row>;

            async fn run(self, connection: &mut <$database as sqlx::Database>::Connection) -> sqlx::Result<Self::Answer> {
                use sqlx::Row as _;

                let Some(row) = self.0.bound::<$database>().fetch_optional(connection).await? else { return Ok(None) };
                Ok(Some(crate::store::sql::primitives::Row {
                    version: row.try_get(0)?,
                    idle: row.try_get(1)?,
                    absolute_at: row.try_get(2)?,
                    created_at: row.try_get(3)?,
                    expires_at: row.try_get(4)?,
                    now: row.try_get(5)?,
                    data: row.try_get(6)?,
                }))
            }
        }
    };
}
pub(super) use works;
