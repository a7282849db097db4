//! The statements, in the words of each database.
//!
//! Times are milliseconds since 1970 by the database's own clock, as integers, so that no time zone has a say. A row is a session;
//! with version [`MARK`] it is the mark of a rotation. It counts until `expires_at`. `sweep_at` is that, rounded up to an eighth of
//! the idle limit: it is indexed, and mostly stays as it is when a session is renewed, so that the renewal touches no index.
//!
//! A change is made at the instant at which its row is locked, not at that of its beginning: else one that has waited for the row would bring
//! back a session that has expired meanwhile.
//!
//! No two statements take as many parameters. Behind a pooler that mixes up what was prepared on its connections, a statement that
//! stands in for another is so an error, never a deletion. Those that are run most take no parameter that means nothing, since PostgreSQL puts a
//! step for it into the plan.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::table::Table;

/// The version of a row that is the mark of a rotation.
pub(super) const MARK: i64 = 0;

/// How long a mark stays, in milliseconds: [`ROTATION_MARK`](crate::store::ROTATION_MARK).
pub(super) const MARK_MILLIS: i64 = 30_000;

/// The absolute limit of a session without one: longer than the longest.
pub(super) const NEVER: i64 = 4_000_000_000_000_000;

/// The rows that one step of a sweep removes at most.
pub(super) const BATCH: i64 = 1000;

/// How long, in milliseconds, a change in PostgreSQL may have waited for its row and still trust the time that it saw before; see [`Sure`].
const TRUSTED_MILLIS: i64 = 1000;

/// What databases have different words for.
pub struct Syntax {
    /// Milliseconds since 1970, at this moment: where a statement has waited for a lock, after it has.
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
    /// Whether an `UPDATE` sees the time before it waits for its row, so that [`Sure`] is needed.
    pub(super) sees_time_first: bool,
    /// How a `SELECT` locks what it reads.
    pub(super) for_update: &'static str,
    /// How a transaction begins that sees what is committed when it looks.
    pub(super) begin: &'static str,
    /// What goes before the changes of a row that is there, at an `INSERT`.
    pub(super) on_conflict: &'static str,
    /// The first of these changes, of the version. Where another statement can have come between the look whether the new key is free
    /// and the `INSERT`, it is an error for every row but the old one, whose key it takes as one more parameter.
    pub(super) version_on_conflict: &'static str,
    /// The value that the `INSERT` had for a column, with `{}` for its name.
    pub(super) inserted: &'static str,
    /// The statement that removes a batch of expired rows; `{table}`, `{now}` and `{lock}` are put in. The first `?` means nothing
    /// and is 0, the second is the most that it removes.
    pub(super) sweep: &'static str,
}

/// A statement, and how many parameters it takes that mean nothing, so that it has a number of its own.
#[derive(Clone)]
pub(super) struct Sql {
    pub(super) text: SqlStr,
    pub(super) pads: usize,
}

/// A change of a row, as it is made as a rule, and as it is made where that is not sure of the time.
///
/// PostgreSQL evaluates an `UPDATE` before it waits for the row's lock. So the first form changes only what does not expire soon, and
/// fails where it comes to its end later than that (it divides by zero). The second one locks the row first, and is a fifth dearer.
pub(super) struct Sure {
    pub(super) first: Sql,
    pub(super) locked: Option<Sql>,
}

pub struct Statements {
    pub(super) table: Table,
    /// Fails unless the table is there with all its columns.
    pub(super) probe: SqlStr,
    /// Each fails unless that may be done with the table, and does nothing.
    pub(super) permitted: [(&'static str, SqlStr); 4],
    pub(super) create: Sql,
    pub(super) load: Sql,
    pub(super) replace: Sure,
    pub(super) replace_with_lifetime: Sql,
    pub(super) touch: Sure,
    pub(super) rotate: Sure,
    pub(super) delete: Sql,
    pub(super) forget_expired: Sql,
    pub(super) sweep: Sql,
    pub(super) owned: Owned,
    pub(super) shorten: Shorten,
}

/// Takes back what a clock that was set back has added to the sessions' lives, in SQLite.
///
/// It goes through the whole table. So it is looked first whether it is needed, which keeps nobody from changing sessions.
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "the servers' clocks are their own matter"))]
pub struct Shorten {
    pub(super) is_needed: Sql,
    pub(super) change: SqlStr,
}

impl Statements {
    /// Fails unless a row may be changed, and changes none.
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), allow(dead_code, reason = "SQLite is no server"))]
    pub(super) const fn update(&self) -> &SqlStr {
        let [_, _, (_, update), _] = &self.permitted;
        update
    }

    pub(super) fn new(syntax: &Syntax, table: Table) -> Self {
        let write = Writer { syntax, table: table.quoted(syntax.quote) };
        let sure = |first: Sql, locked: Sql| Sure { first, locked: syntax.sees_time_first.then_some(locked) };
        Self {
            probe: write.probe(),
            permitted: write.permitted(),
            create: write.create(),
            load: write.load(),
            replace: sure(write.replace(), write.replace_locked()),
            replace_with_lifetime: write.replace_with_lifetime(),
            touch: sure(write.touch(), write.touch_locked()),
            rotate: sure(
                if syntax.changes_in_with { write.rotate_in_with() } else { write.rotate_by_insert() },
                write.rotate_locked(),
            ),
            delete: write.delete(),
            forget_expired: write.forget_expired(),
            sweep: write.sweep(table.lock()),
            owned: Owned {
                count: write.count(),
                list: write.list(),
                replace: write.replace_listed(),
                find: write.find(),
                has: write.has(),
                end: write.end(),
                end_expired: write.end_expired(),
                remaining: write.remaining(),
                fence: write.fence(),
                oldest: write.oldest(),
            },
            shorten: write.shorten(),
            table,
        }
    }
}

/// The statements about the sessions of an owner, which they find by the index on the column.
pub(super) struct Owned {
    pub(super) count: Sql,
    pub(super) list: Sql,
    pub(super) replace: Sql,
    /// The version of the session with this handle.
    pub(super) find: Sql,
    /// Whether the session under this key is the owner's.
    pub(super) has: Sql,
    pub(super) end: Sql,
    pub(super) end_expired: Sql,
    /// How many rows there are to end, expired ones too.
    pub(super) remaining: Sql,
    pub(super) fence: Sql,
    /// The keys of the owner's sessions and whether each lives, the one that was proven first at the beginning.
    pub(super) oldest: Sql,
}

const COLUMNS: &str =
    "id, version, idle, absolute_at, created_at, expires_at, sweep_at, data, used_at, handle, proven, persistent, owner";

/// Which of an owner's rows are meant: all, unless the first 0 says that it is the one with this handle, or the second that it is not.
const OF_OWNER: &str = "owner = ? AND (? = 1 OR handle = ?) AND (? = 1 OR handle <> ?)";

struct Writer<'a> {
    syntax: &'a Syntax,
    table: String,
}

impl Writer<'_> {
    fn probe(&self) -> SqlStr {
        self.text(format!("SELECT {COLUMNS} FROM {} WHERE 1 = 0", self.table))
    }

    fn permitted(&self) -> [(&'static str, SqlStr); 4] {
        let table = &self.table;
        [
            ("SELECT", self.probe()),
            ("INSERT", self.text(format!("INSERT INTO {table} ({COLUMNS}) SELECT {COLUMNS} FROM {table} WHERE 1 = 0"))),
            ("UPDATE", self.text(format!("UPDATE {table} SET version = version WHERE 1 = 0"))),
            ("DELETE", self.text(format!("DELETE FROM {table} WHERE 1 = 0"))),
        ]
    }

    /// 13 parameters.
    fn create(&self) -> Sql {
        let Syntax { now, divide, .. } = self.syntax;
        self.finish(
            &format!(
                "INSERT INTO {} ({COLUMNS}) VALUES \
                 (?, ?, ?, {now} + ?, {now}, {now} + ?, (({now} + ?) {divide} ? + 1) * ?, ?, {now}, ?, ?, ?, ?)",
                self.table
            ),
            0,
        )
    }

    /// 1.
    fn load(&self) -> Sql {
        self.finish(&format!("{} WHERE id = ?", self.read()), 0)
    }

    /// As [`Row`](super::primitives::Row) has them.
    fn read(&self) -> String {
        let now = self.syntax.now_for_index;
        format!(
            "SELECT version, idle, absolute_at, created_at, expires_at, {now}, data, used_at, handle, proven, persistent FROM {}",
            self.table
        )
    }

    /// 3.
    fn replace(&self) -> Sql {
        let Syntax { next_version, returning_version, .. } = self.syntax;
        self.finish(
            &format!(
                "UPDATE {} SET version = {next_version}, data = ?, {} WHERE id = ? AND {} AND version = ?{returning_version}{}",
                self.table,
                self.renewed(),
                self.is_session_for_long(),
                self.or_too_late(),
            ),
            0,
        )
    }

    /// 10.
    fn replace_locked(&self) -> Sql {
        let Self { syntax: Syntax { next_version, returning_version, .. }, table } = self;
        let (here, renewed, is_session) = (self.locked("$2"), self.renewed(), self.is_session_here());
        self.finish(
            &format!(
                "{here} UPDATE {table} SET version = {next_version}, data = $1, {renewed} FROM here \
                 WHERE id = at AND {is_session} AND found = $3{{pads}}{returning_version}"
            ),
            7,
        )
    }

    /// Replaces the data and the limits, and what is kept beside the data. It is seldom, so that where an `UPDATE` sees the time first, it
    /// locks the row always. 17.
    fn replace_with_lifetime(&self) -> Sql {
        let Self { syntax: Syntax { now, least, divide, next_version, returning_version, sees_time_first, .. }, table } = self;
        let expires_at = format!("{least}({now} + ?, created_at + ?)");
        let (before, from, condition) = if *sees_time_first {
            let condition = format!("id = at AND {} AND found = ?", self.is_session_here());
            (format!("{} ", self.locked("?")), " FROM here", condition)
        } else {
            (String::new(), "", format!("id = ? AND {} AND version = ?", self.is_session()))
        };
        self.finish(
            &format!(
                "{before}UPDATE {table} SET version = {next_version}, data = ?, idle = ?, absolute_at = created_at + ?, \
                 expires_at = {expires_at}, sweep_at = ({expires_at} {divide} ? + 1) * ?, used_at = {now}, \
                 handle = ?, proven = ?, persistent = ?{from} WHERE {condition}{{pads}}{returning_version}"
            ),
            3,
        )
    }

    /// 6.
    fn touch(&self) -> Sql {
        let too_late = self.or_too_late();
        let returning = if too_late.is_empty() { "" } else { " RETURNING version" };
        let (renewed, is_session) = (self.renewed(), self.is_session_for_long());
        self.finish(&format!("UPDATE {} SET {renewed} WHERE id = ? AND {is_session}{{pads}}{returning}{too_late}", self.table), 5)
    }

    /// 11.
    fn touch_locked(&self) -> Sql {
        let (here, renewed, is_session) = (self.locked("$1"), self.renewed(), self.is_session_here());
        self.finish(&format!("{here} UPDATE {} SET {renewed} FROM here WHERE id = at AND {is_session}{{pads}}", self.table), 10)
    }

    /// Rotates in one statement: marks the old row and inserts the new one for each row that it marked, which is one or none. 9.
    fn rotate_in_with(&self) -> Sql {
        let (is_session, too_late) = (self.is_session_for_long(), self.or_too_late());
        self.finish(
            &self.move_row(
                "WITH",
                &format!("id = ? AND version = ? AND {is_session}"),
                &format!("idle{too_late} AS idle"),
                "",
                ["?"; 7],
            ),
            0,
        )
    }

    /// 16.
    fn rotate_locked(&self) -> Sql {
        let (here, is_session) = (self.locked("$1"), self.is_session_here());
        let condition = format!("id = at AND found = $2 AND {is_session}");
        let values = ["$3", "$4", "$5", "$6", "$7", "$8", "$9"];
        self.finish(&self.move_row(&format!("{here},"), &condition, "idle", " FROM here", values), 7)
    }

    fn move_row(&self, with: &str, condition: &str, idle: &str, from: &str, values: [&str; 7]) -> String {
        let Self { syntax: Syntax { now, .. }, table } = self;
        let [new, version, data, handle, proven, persistent, owner] = values;
        let (expires_at, sweep_at) = (self.expires_at(), self.sweep_at());
        format!(
            "{with} moved AS (UPDATE {table} SET version = {MARK}, data = '', expires_at = {now} + {MARK_MILLIS}, \
             sweep_at = {now} + {MARK_MILLIS}, handle = NULL, proven = NULL, persistent = NULL, owner = NULL{from} \
             WHERE {condition} RETURNING {idle}, absolute_at, created_at) \
             INSERT INTO {table} ({COLUMNS}) SELECT {new}, {version}, idle, absolute_at, created_at, {expires_at}, {sweep_at}, {data}, \
             {now}, {handle}, {proven}, {persistent}, {owner} FROM moved WHERE 1 = 1{{pads}}"
        )
    }

    /// Rotates in one statement: inserts the new row, and the old one once more, which turns that into the mark. 9 or 10.
    fn rotate_by_insert(&self) -> Sql {
        let Self { syntax: Syntax { now, for_update, on_conflict, version_on_conflict, .. }, table } = self;
        let is_session = self.is_session();
        let (expires_at, sweep_at) = (self.expires_at(), self.sweep_at());
        let changes = ["expires_at", "sweep_at", "data", "handle", "proven", "persistent", "owner"]
            .map(|column| format!("{column} = {}", self.syntax.inserted.replace("{}", column)))
            .join(", ");
        let version = version_on_conflict.replace("{table}", table);
        // A mark has none of these; the database knows by it of what type the parameter is. MySQL cuts long data off where it does not know that.
        let of_new = |column: &str| format!("CASE WHEN moves = 1 THEN ? ELSE NULLIF({column}, {column}) END");
        let (number, id) = (of_new("idle"), of_new("id"));
        // After the last parameter.
        let pads = if version.contains("{pads}") { "" } else { "{pads}" };
        self.finish(
            &format!(
                "INSERT INTO {table} ({COLUMNS}) SELECT \
                 CASE WHEN moves = 1 THEN ? ELSE id END, \
                 CASE WHEN moves = 1 THEN version + 1 ELSE {MARK} END, idle, absolute_at, created_at, \
                 CASE WHEN moves = 1 THEN {expires_at} ELSE {now} + {MARK_MILLIS} END, \
                 CASE WHEN moves = 1 THEN {sweep_at} ELSE {now} + {MARK_MILLIS} END, \
                 CASE moves WHEN 1 THEN ? WHEN 0 THEN X'' ELSE data END, {now}, {number}, {number}, {number}, {id} \
                 FROM {table} AS moving CROSS JOIN (SELECT 0 AS moves UNION ALL SELECT 1) AS twice \
                 WHERE id = ? AND version = ? AND {is_session} \
                 AND NOT EXISTS (SELECT 1 FROM {table} AS taken WHERE taken.id = ?){pads}{for_update} \
                 {on_conflict} {version}, {changes}"
            ),
            0,
        )
    }

    /// 4.
    fn delete(&self) -> Sql {
        self.finish(&format!("DELETE FROM {} WHERE id = ? AND {}{{pads}}", self.table, self.is_session()), 3)
    }

    /// 5.
    fn forget_expired(&self) -> Sql {
        self.finish(&format!("DELETE FROM {} WHERE id = ? AND expires_at <= {}{{pads}}", self.table, self.syntax.now), 4)
    }

    /// 2, the first of which means nothing.
    fn sweep(&self, lock: i64) -> Sql {
        let Syntax { sweep, now_for_index, .. } = self.syntax;
        let sql = sweep.replace("{now}", now_for_index).replace("{lock}", &lock.to_string()).replace("{table}", &self.table);
        self.finish(&sql, 0)
    }

    /// 7.
    fn count(&self) -> Sql {
        self.finish(&format!("SELECT count(*) FROM {} WHERE owner = ? AND {}{{pads}}", self.table, self.is_session()), 6)
    }

    /// 8.
    fn list(&self) -> Sql {
        self.finish(&format!("{} WHERE owner = ? AND {}{{pads}}", self.read(), self.is_session()), 7)
    }

    /// It renews nothing, so that it brings nothing back where it has waited for the row. 14.
    fn replace_listed(&self) -> Sql {
        let Self { syntax: Syntax { next_version, returning_version, .. }, table } = self;
        let is_session = self.is_session();
        self.finish(
            &format!(
                "UPDATE {table} SET version = {next_version}, data = ? \
                 WHERE owner = ? AND handle = ? AND version = ? AND {is_session}{{pads}}{returning_version}"
            ),
            10,
        )
    }

    /// 12.
    fn find(&self) -> Sql {
        let is_session = self.is_session();
        self.finish(&format!("SELECT version FROM {} WHERE owner = ? AND handle = ? AND {is_session}{{pads}}", self.table), 10)
    }

    /// 23.
    fn has(&self) -> Sql {
        let is_session = self.is_session();
        self.finish(&format!("SELECT count(*) FROM {} WHERE id = ? AND owner = ? AND {is_session}{{pads}}", self.table), 21)
    }

    /// 18.
    fn end(&self) -> Sql {
        let now = self.syntax.now;
        self.finish(&format!("DELETE FROM {} WHERE {OF_OWNER} AND expires_at > {now}{{pads}}", self.table), 13)
    }

    /// 19.
    fn end_expired(&self) -> Sql {
        let now = self.syntax.now;
        self.finish(&format!("DELETE FROM {} WHERE {OF_OWNER} AND expires_at <= {now}{{pads}}", self.table), 14)
    }

    /// 20.
    fn remaining(&self) -> Sql {
        self.finish(&format!("SELECT count(*) FROM {} WHERE {OF_OWNER}{{pads}}", self.table), 15)
    }

    /// A row that nobody reads. Who writes it waits for the transaction of whoever has written it before. As a mark it is swept. 21.
    fn fence(&self) -> Sql {
        let Self { syntax: Syntax { now, on_conflict, inserted, .. }, table } = self;
        let expires_at = inserted.replace("{}", "expires_at");
        let until = format!("{now} + {MARK_MILLIS}");
        self.finish(
            &format!(
                "INSERT INTO {table} ({COLUMNS}) \
                 SELECT ?, {MARK}, 0, 0, {now}, {until}, {until}, '', {now}, NULL, NULL, NULL, NULL \
                 FROM (SELECT 1 AS one) AS fence WHERE 1 = 1{{pads}} \
                 {on_conflict} expires_at = {expires_at}, sweep_at = {expires_at}"
            ),
            20,
        )
    }

    /// 22.
    fn oldest(&self) -> Sql {
        let now = self.syntax.now;
        // A number of the type that a column has, which every database gives back as the same.
        let lives = format!("CASE WHEN expires_at > {now} THEN 1 ELSE 0 END + 0 * idle");
        let sql = format!(
            "SELECT id, {lives} FROM {} WHERE owner = ? AND version <> {MARK}{{pads}} \
             ORDER BY created_at + coalesce(proven, 0), id",
            self.table
        );
        self.finish(&sql, 21)
    }

    /// A session is as old as it was, but for one that was created after the present time: that one is new. What it was allowed it is allowed from now on.
    fn shorten(&self) -> Shorten {
        let Self { syntax: Syntax { now, least, .. }, table } = self;
        let expires_at = format!("{least}(expires_at, {now} + idle, {now} + absolute_at - created_at)");
        // One that was used since has its idle limit from the present time, and the rest from before. No proof is NULL, in every sum too.
        let condition = format!(
            "version <> {MARK} AND (expires_at > {now} + idle OR used_at > {now} OR created_at > {now} OR created_at + proven > {now})"
        );
        let is_needed = self.text(format!("SELECT EXISTS(SELECT 1 FROM {table} WHERE {condition})"));
        let change = self.text(format!(
            "UPDATE {table} SET expires_at = {expires_at}, sweep_at = {expires_at}, \
             absolute_at = {least}(absolute_at, {now} + absolute_at - created_at), created_at = {least}(created_at, {now}), \
             used_at = {least}(used_at, {now}), \
             proven = {least}(proven, CASE WHEN created_at > {now} THEN 0 ELSE {now} - created_at END) \
             WHERE {condition}"
        ));
        Shorten { is_needed: Sql { text: is_needed, pads: 0 }, change }
    }

    /// A condition: the row is a session, and it has not expired.
    fn is_session(&self) -> String {
        format!("version <> {MARK} AND expires_at > {}", self.syntax.now)
    }

    /// The same, and where that is needed, it does not expire before [`or_too_late`](Self::or_too_late) would notice.
    fn is_session_for_long(&self) -> String {
        if self.syntax.sees_time_first {
            return format!("{} + {TRUSTED_MILLIS}", self.is_session());
        }
        self.is_session()
    }

    /// Divides what is before it by zero, if the statement has been under way for too long.
    fn or_too_late(&self) -> String {
        if !self.syntax.sees_time_first {
            return String::new();
        }
        format!(" / (clock_timestamp() < statement_timestamp() + interval '{TRUSTED_MILLIS} ms')::int")
    }

    /// The row under the key that is this parameter, locked, as `here`.
    fn locked(&self, id: &str) -> String {
        format!(
            "WITH here AS MATERIALIZED (SELECT id AS at, version AS found, expires_at AS ends FROM {} WHERE id = {id} FOR UPDATE)",
            self.table
        )
    }

    fn is_session_here(&self) -> String {
        format!("found <> {MARK} AND ends > {}", self.syntax.now)
    }

    /// The changes that renew the idle limit.
    fn renewed(&self) -> String {
        format!("expires_at = {}, sweep_at = {}, used_at = {}", self.expires_at(), self.sweep_at(), self.syntax.now)
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

    /// The statement, with so many parameters of no meaning.
    fn finish(&self, sql: &str, pads: usize) -> Sql {
        let padding = if sql.contains('$') {
            // Those that are numbered already are followed by these.
            let given = (1..40).take_while(|number| sql.contains(&format!("${number}"))).count();
            (given + 1..=given + pads).fold(String::new(), |text, number| format!("{text} AND ${number} = 0"))
        } else {
            " AND ? = 0".repeat(pads)
        };
        let sql = sql.replace("{pads}", &padding);
        Sql { text: self.text(sql), pads }
    }

    /// The name of the table is the one part that comes from outside, and it is checked.
    fn text(&self, sql: String) -> SqlStr {
        let sql = if self.syntax.numbered { numbered(&sql) } else { sql };
        AssertSqlSafe(Arc::<str>::from(sql)).into_sql_str()
    }
}

/// Turns each `?` into `$1`, `$2` and so on.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.zip(1..).fold(first, |sql, (part, number)| format!("{sql}${number}{part}"))
}
