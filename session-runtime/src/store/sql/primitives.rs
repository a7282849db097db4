//! Running a statement on a connection of the pool.

use sqlx::query::Query;
use sqlx::{Database, Encode, SqlStr, Type};

/// A value for a parameter.
#[derive(Clone, Copy)]
pub enum Bind<'a> {
    Int(i64),
    Bytes(&'a [u8]),
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

/// The statement with its parameters.
pub(super) fn bound<'q, D>(sql: &SqlStr, binds: &[Bind<'q>]) -> Query<'q, D, D::Arguments>
where
    D: Database,
    i64: Encode<'q, D> + Type<D>,
    &'q [u8]: Encode<'q, D> + Type<D>,
{
    binds.iter().fold(sqlx::query(sql.clone()), |query, bind| match *bind {
        Bind::Int(number) => query.bind(number),
        Bind::Bytes(bytes) => query.bind(bytes),
    })
}

/// The ways to run a statement, which differ between databases in their types alone: each named way on a connection of the field
/// that is named with it.
macro_rules! primitives {
    ($($way:ident: $connections:ident),+) => {
        $(crate::store::sql::primitives::primitives!(@$way $connections);)+
    };
    (@execute $connections:ident) => {
        async fn execute(&self, sql: &sqlx::SqlStr, binds: &[crate::store::sql::Bind<'_>]) -> sqlx::Result<u64> {
            let mut lease = self.$connections.take().await?;
            let result = crate::store::sql::primitives::bound(sql, binds).execute(lease.connection()).await;
            lease.end(result).map(|done| done.rows_affected())
        }
    };
    (@close $connections:ident) => {
        async fn close(&self) {
            self.$connections.close().await;
        }
    };
    (@change $connections:ident) => {
        async fn change(&self, sql: &sqlx::SqlStr, binds: &[crate::store::sql::Bind<'_>]) -> sqlx::Result<Option<i64>> {
            use sqlx::Row as _;

            let mut lease = self.$connections.take().await?;
            // To the end, not to the first row: the commit comes after it, and may fail.
            let result = crate::store::sql::primitives::bound(sql, binds).fetch_all(lease.connection()).await;
            lease.end(result)?.first().map(|row| row.try_get(0)).transpose()
        }
    };
    (@read $connections:ident) => {
        async fn read(
            &self,
            sql: &sqlx::SqlStr,
            binds: &[crate::store::sql::Bind<'_>],
        ) -> sqlx::Result<Option<crate::store::sql::Row>> {
            use sqlx::Row as _;

            let mut lease = self.$connections.take().await?;
            let result = crate::store::sql::primitives::bound(sql, binds).fetch_optional(lease.connection()).await;
            let Some(row) = lease.end(result)? else { return Ok(None) };
            Ok(Some(crate::store::sql::Row {
                version: row.try_get(0)?,
                idle: row.try_get(1)?,
                absolute_at: row.try_get(2)?,
                created_at: row.try_get(3)?,
                expires_at: row.try_get(4)?,
                now: row.try_get(5)?,
                data: row.try_get(6)?,
            }))
        }
    };
}
pub(super) use primitives;
