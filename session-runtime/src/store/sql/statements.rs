//! The statements, in the words of each database.
//!
//! Times are milliseconds since 1970 by the database's own clock, as integers, so that no time zone has a say. A row is a session;
//! with version [`MARK`] it is the mark of a rotation. It counts until `expires_at`. `sweep_at` is that, rounded up to an eighth of
//! the idle limit: it is indexed, and mostly stays as it is when a session is renewed, so that the renewal touches no index.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::table::Table;

/// The version of a row that is the mark of a rotation.
pub(super) const MARK: i64 = 0;

/// How long a mark stays, in milliseconds: [`ROTATION_MARK`](crate::store::ROTATION_MARK).
pub(super) const MARK_MILLIS: i64 = 30_000;

/// The absolute limit of a session without one: longer than the longest.
pub(super) const NEVER: i64 = 4_000_000_000_000_000;

/// What databases have different words for.
pub struct Syntax {
    /// Milliseconds since 1970, at this moment.
    pub(super) now: &'static str,
    /// The same, at the beginning of the statement, where the database needs that to use an index.
    pub(super) now_for_index: &'static str,
    /// The function that gives the smaller of two numbers.
    pub(super) least: &'static str,
    /// The operator that divides integers.
    pub(super) divide: &'static str,
    /// What stands around a name.
    pub(super) quote: char,
    /// Whether a parameter is `$1` rather than `?`.
    pub(super) numbered: bool,
    /// Whether `WITH` may change rows.
    pub(super) changes_in_with: bool,
    /// The new version of the row that an `UPDATE` changes.
    pub(super) next_version: &'static str,
    /// How an `UPDATE` gives it back.
    pub(super) returning_version: &'static str,
    /// How a `SELECT` locks what it reads.
    pub(super) for_update: &'static str,
    /// What goes before the changes of a row that is there, at an `INSERT`.
    pub(super) on_conflict: &'static str,
    /// The value that the `INSERT` had for a column, with `{}` for its name.
    pub(super) inserted: &'static str,
    /// The statement that removes a batch of expired rows; `{table}`, `{now}` and `{lock}` are put in.
    pub(super) sweep: &'static str,
}

pub(super) struct Statements {
    pub(super) table: Table,
    /// Fails unless the table is there with all its columns.
    pub(super) probe: SqlStr,
    pub(super) create: SqlStr,
    pub(super) load: SqlStr,
    pub(super) replace: SqlStr,
    pub(super) touch: SqlStr,
    pub(super) rotate: SqlStr,
    pub(super) delete: SqlStr,
    pub(super) forget_expired: SqlStr,
    pub(super) sweep: SqlStr,
}

impl Statements {
    pub(super) fn new(syntax: &Syntax, table: Table) -> Self {
        let write = Writer { syntax, table: table.quoted(syntax.quote) };
        Self {
            probe: write.probe(),
            create: write.create(),
            load: write.load(),
            replace: write.replace(),
            touch: write.touch(),
            rotate: if syntax.changes_in_with { write.rotate_in_with() } else { write.rotate_by_insert() },
            delete: write.delete(),
            forget_expired: write.forget_expired(),
            sweep: write.sweep(table.lock()),
            table,
        }
    }
}

const COLUMNS: &str = "id, version, idle, absolute_at, created_at, expires_at, sweep_at, data";

struct Writer<'a> {
    syntax: &'a Syntax,
    table: String,
}

impl Writer<'_> {
    fn probe(&self) -> SqlStr {
        self.finish(format!("SELECT {COLUMNS} FROM {} WHERE 1 = 0", self.table))
    }

    fn create(&self) -> SqlStr {
        let Syntax { now, divide, .. } = self.syntax;
        self.finish(format!(
            "INSERT INTO {} ({COLUMNS}) VALUES (?, ?, ?, {now} + ?, {now}, {now} + ?, (({now} + ?) {divide} ? + 1) * ?, ?)",
            self.table
        ))
    }

    fn load(&self) -> SqlStr {
        let now = self.syntax.now;
        self.finish(format!(
            "SELECT version, idle, absolute_at, created_at, expires_at, {now}, data FROM {} WHERE id = ?",
            self.table
        ))
    }

    fn replace(&self) -> SqlStr {
        let Syntax { next_version, returning_version, .. } = self.syntax;
        self.finish(format!(
            "UPDATE {} SET version = {next_version}, data = ?, {} WHERE id = ? AND {} AND version = ?{returning_version}",
            self.table,
            self.renewed(),
            self.is_session(),
        ))
    }

    fn touch(&self) -> SqlStr {
        self.finish(format!("UPDATE {} SET {} WHERE id = ? AND {}", self.table, self.renewed(), self.is_session()))
    }

    /// Rotates in one statement: marks the old row and inserts the new one for each row that it marked, which is one or none.
    fn rotate_in_with(&self) -> SqlStr {
        let Self { syntax: Syntax { now, .. }, table } = self;
        let is_session = self.is_session();
        let (expires_at, sweep_at) = (self.expires_at(), self.sweep_at());
        self.finish(format!(
            "WITH moved AS (UPDATE {table} SET version = {MARK}, data = '', expires_at = {now} + {MARK_MILLIS}, \
             sweep_at = {now} + {MARK_MILLIS} WHERE id = ? AND version = ? AND {is_session} RETURNING idle, absolute_at, created_at) \
             INSERT INTO {table} ({COLUMNS}) SELECT ?, ?, idle, absolute_at, created_at, {expires_at}, {sweep_at}, ? FROM moved"
        ))
    }

    /// Rotates in one statement: inserts the new row, and the old one once more, which turns that into the mark.
    fn rotate_by_insert(&self) -> SqlStr {
        let Self { syntax: Syntax { now, for_update, on_conflict, .. }, table } = self;
        let is_session = self.is_session();
        let (expires_at, sweep_at) = (self.expires_at(), self.sweep_at());
        let changes = ["version", "expires_at", "sweep_at", "data"]
            .map(|column| format!("{column} = {}", self.syntax.inserted.replace("{}", column)))
            .join(", ");
        self.finish(format!(
            "INSERT INTO {table} ({COLUMNS}) SELECT \
             CASE WHEN moves = 1 THEN ? ELSE id END, \
             CASE WHEN moves = 1 THEN version + 1 ELSE {MARK} END, idle, absolute_at, created_at, \
             CASE WHEN moves = 1 THEN {expires_at} ELSE {now} + {MARK_MILLIS} END, \
             CASE WHEN moves = 1 THEN {sweep_at} ELSE {now} + {MARK_MILLIS} END, \
             CASE WHEN moves = 1 THEN ? ELSE X'' END \
             FROM {table} CROSS JOIN (SELECT 0 AS moves UNION ALL SELECT 1) AS twice \
             WHERE id = ? AND version = ? AND {is_session} \
             AND NOT EXISTS (SELECT 1 FROM {table} AS taken WHERE taken.id = ?){for_update} {on_conflict} {changes}"
        ))
    }

    fn delete(&self) -> SqlStr {
        self.finish(format!("DELETE FROM {} WHERE id = ? AND {}", self.table, self.is_session()))
    }

    fn forget_expired(&self) -> SqlStr {
        self.finish(format!("DELETE FROM {} WHERE id = ? AND expires_at <= {}", self.table, self.syntax.now))
    }

    fn sweep(&self, lock: i64) -> SqlStr {
        let Syntax { sweep, now_for_index, .. } = self.syntax;
        let sql = sweep.replace("{now}", now_for_index).replace("{lock}", &lock.to_string()).replace("{table}", &self.table);
        self.finish(sql)
    }

    /// A condition: the row is a session, and it has not expired.
    fn is_session(&self) -> String {
        format!("version <> {MARK} AND expires_at > {}", self.syntax.now)
    }

    /// The changes that renew the idle limit.
    fn renewed(&self) -> String {
        format!("expires_at = {}, sweep_at = {}", self.expires_at(), self.sweep_at())
    }

    fn expires_at(&self) -> String {
        let Syntax { now, least, .. } = self.syntax;
        format!("{least}({now} + idle, absolute_at)")
    }

    fn sweep_at(&self) -> String {
        let divide = self.syntax.divide;
        let bucket = format!("(idle {divide} 8 + 1)");
        format!("({} {divide} {bucket} + 1) * {bucket}", self.expires_at())
    }

    /// The name of the table is the one part that comes from outside, and it is checked.
    fn finish(&self, sql: String) -> SqlStr {
        let sql = if self.syntax.numbered { numbered(&sql) } else { sql };
        AssertSqlSafe(std::sync::Arc::<str>::from(sql)).into_sql_str()
    }
}

/// Turns each `?` into `$1`, `$2` and so on.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.zip(1..).fold(first, |sql, (part, number)| format!("{sql}${number}{part}"))
}
