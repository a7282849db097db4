//! What an error means: one table for the three databases, and whatever decides by an error asks it.
//!
//! Three questions: has the statement run, can the connection be used again, and what is to be done. "Certainly not" is said only of
//! what the server itself refused or undid. Where something between the program and the server may have spoken, such as a pooler that lost its
//! server, or where the answer did not come, it may have run.

use std::io::ErrorKind;

use sqlx::Error;

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) ran: Ran,
    pub(super) connection: Connection,
    pub(super) meaning: Meaning,
}

/// Whether the statement has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// Certainly not: it was refused, undone, or never sent.
    No,
    /// It may have.
    Maybe,
}

/// What is left of the connection; the later, the less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Connection {
    /// It goes on.
    Sound,
    /// It ends.
    Over,
    /// It ends, and so do those that are idle: what ended it is the server's end or role, not this one connection's.
    AllOver,
}

/// What the error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The key is taken.
    Taken,
    /// The database undid it because others were in its way, and asks for it to be run again.
    Undone,
    /// A PostgreSQL statement says by this error that it has waited too long to be sure of the time.
    Waited,
    /// A pooler has sent it to a connection that knows another statement by its name, or none.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "the table is one"))]
    MixedUp,
    /// Another process has the SQLite file.
    Busy,
    /// It took too long, and was ended at the server.
    Slow,
    /// It is larger than the server takes.
    TooLarge,
    /// A value is wrong, which the database may quote.
    Data,
    /// There is no room.
    Full,
    /// The server, or the file, takes no changes: it is a replica, or was made read-only.
    ReadOnly,
    /// The account, the privileges or the table is wrong.
    Denied,
    /// Anything else.
    Other,
}

use Connection::{AllOver, Over, Sound};
use Meaning::{Busy, Data, Denied, Full, MixedUp, Other, ReadOnly, Slow, Taken, TooLarge, Undone, Waited};
use Ran::{Maybe, No};

const fn verdict(ran: Ran, connection: Connection, meaning: Meaning) -> Verdict {
    Verdict { ran, connection, meaning }
}

/// An error as the table reads it.
#[derive(Debug, Clone, Copy)]
enum Seen<'a> {
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "its errors come with its feature"))]
    Postgres {
        state: &'a str,
        severity: Severity,
    },
    #[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "its errors come with its feature"))]
    MySql {
        number: u16,
        state: &'a str,
    },
    Sqlite {
        code: u32,
    },
    Io(ErrorKind),
    /// No connection was to be had, or what was to be sent could not be made.
    NotSent,
    /// The server did what it was asked, and its answer is not what was expected.
    Answered,
    /// The conversation with the server broke off, or anything else.
    Broken,
}

/// How serious PostgreSQL takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "the table is one"))]
enum Severity {
    Error,
    Fatal,
    Panic,
}

#[cfg(feature = "postgres")]
impl Severity {
    const fn of(said: sqlx::postgres::PgSeverity) -> Self {
        match said {
            sqlx::postgres::PgSeverity::Panic => Self::Panic,
            sqlx::postgres::PgSeverity::Fatal => Self::Fatal,
            _ => Self::Error,
        }
    }
}

impl Verdict {
    /// What `error` means.
    pub(super) fn of(error: &Error) -> Self {
        looked_at(error, judge)
    }

    /// What is left of the connection where `ROLLBACK` or `RELEASE_LOCK` failed: the transaction may still be open, and the lock be kept, whatever
    /// the error is.
    pub(super) fn of_letting_go(error: &Error) -> Connection {
        looked_at(error, |seen| match (seen, judge(seen).connection) {
            // SQLite has ended it by itself where the disk was full, for one, and says by this that there is none.
            (Seen::Sqlite { code: 1 }, connection) => connection,
            (_, Sound) => Over,
            (_, connection) => connection,
        })
    }

    /// Whether a pooler says that it does not hand a parameter on that a connection is to begin with. `PgBouncer` says so with a general code:
    /// "unsupported startup parameter".
    #[cfg(feature = "postgres")]
    pub(super) fn refuses_parameters(error: &Error) -> bool {
        error.as_database_error().is_some_and(|error| error.message().contains("startup parameter"))
    }

    /// Whether the statement is to be sent once more, on a new connection. What may have run is sent again only where that is
    /// `harmless`.
    pub(super) fn asks_for_another_connection(self, harmless: bool) -> bool {
        self.connection != Sound && self.meaning != TooLarge && (self.ran == No || harmless)
    }
}

/// Reads an error of sqlx.
fn looked_at<R>(error: &Error, look: impl FnOnce(Seen<'_>) -> R) -> R {
    match error {
        Error::Database(database) => {
            let state = database.code().unwrap_or_default();
            #[cfg(feature = "postgres")]
            if let Some(error) = database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                return look(Seen::Postgres { state: &state, severity: Severity::of(error.severity()) });
            }
            #[cfg(feature = "mysql")]
            if let Some(error) = database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
                return look(Seen::MySql { number: error.number(), state: &state });
            }
            match state.parse() {
                Ok(code) => look(Seen::Sqlite { code }),
                Err(_) => look(Seen::Broken),
            }
        }
        Error::Io(error) => look(Seen::Io(error.kind())),
        Error::PoolTimedOut
        | Error::PoolClosed
        | Error::Configuration(_)
        | Error::InvalidArgument(_)
        | Error::Encode(_)
        | Error::TypeNotFound { .. } => look(Seen::NotSent),
        Error::RowNotFound
        | Error::ColumnIndexOutOfBounds { .. }
        | Error::ColumnNotFound(_)
        | Error::ColumnDecode { .. }
        | Error::Decode(_) => look(Seen::Answered),
        _ => look(Seen::Broken),
    }
}

fn judge(seen: Seen<'_>) -> Verdict {
    match seen {
        Seen::Postgres { state, severity } => postgres(state, severity),
        Seen::MySql { number, state } => mysql(number, state),
        Seen::Sqlite { code } => sqlite(code),
        Seen::Io(kind) => io(kind),
        Seen::NotSent => verdict(No, Sound, Other),
        Seen::Answered => verdict(Maybe, Sound, Other),
        Seen::Broken => verdict(Maybe, AllOver, Other),
    }
}

/// By SQLSTATE. Every statement is a transaction of its own, so that one that an `ERROR` or a `FATAL` of the server ends is undone.
#[allow(clippy::match_same_arms, reason = "each line has its own reason")]
fn postgres(state: &str, severity: Severity) -> Verdict {
    if severity == Severity::Panic {
        return verdict(Maybe, AllOver, Other);
    }
    let ended = if severity == Severity::Fatal { AllOver } else { Sound };
    match state {
        // It is not there, or there already.
        "26000" | "34000" | "42P05" => verdict(No, AllOver, MixedUp),
        // The table has changed under a statement that was prepared.
        "0A000" => verdict(No, AllOver, Other),
        "25006" => verdict(No, AllOver, ReadOnly),
        // Told to end by an operator, or by its own idleness; not yet up, or its database is gone.
        "57P01" | "57P03" | "57P04" | "57P05" | "25P03" => verdict(No, AllOver, Other),
        // A server process has crashed. It may have been this one's, after its commit.
        "57P02" => verdict(Maybe, AllOver, Other),
        // A value too few or too many: this is not the statement that was meant.
        "08P01" if severity == Severity::Error => verdict(No, AllOver, MixedUp),
        "25001" | "25P01" | "25P02" => verdict(No, Over, Other),
        "40001" | "40P01" => verdict(No, ended, Undone),
        "40003" => verdict(Maybe, AllOver, Other),
        "55P03" | "57014" => verdict(No, ended, Slow),
        "22012" => verdict(No, ended, Waited),
        "23505" => verdict(No, ended, Taken),
        "53100" => verdict(No, ended, Full),
        "54000" => verdict(No, ended, TooLarge),
        "3D000" | "3F000" => verdict(No, AllOver, Denied),
        _ => match (state.get(..2).unwrap_or_default(), severity) {
            ("08", _) => verdict(Maybe, AllOver, Other),
            ("22" | "23", _) => verdict(No, ended, Data),
            ("28", _) => verdict(No, AllOver, Denied),
            ("42", _) => verdict(No, ended, Denied),
            ("53", _) => verdict(No, ended, Other),
            (_, Severity::Error) => verdict(No, Sound, Other),
            // Poolers say what befell them by a FATAL, too.
            _ => verdict(Maybe, AllOver, Other),
        },
    }
}

/// By number, since most have the SQLSTATE HY000. A statement that the server answers by an error is undone: every one commits by itself.
#[allow(clippy::match_same_arms, reason = "each line has its own reason")]
fn mysql(number: u16, state: &str) -> Verdict {
    match number {
        1022 | 1062 | 1169 | 1586 => verdict(No, Sound, Taken),
        // How the statement that rotates says that the new key is taken.
        1690 => verdict(No, Sound, Taken),
        // A deadlock; a record that has changed since a snapshot (MariaDB 11.6).
        1020 | 1213 => verdict(No, Sound, Undone),
        // A lock was not to be had in time; the statement took too long (MariaDB, MySQL); an operator has ended it.
        1205 | 1317 | 1969 | 3024 => verdict(No, Sound, Slow),
        // Read-only, offline, or not yet a member of its cluster (Galera).
        1047 | 1290 | 1792 | 1836 | 3032 => verdict(No, AllOver, ReadOnly),
        // It goes down.
        1053 => verdict(No, AllOver, Other),
        // A statement that is not known, or has to be prepared again.
        1243 | 1615 => verdict(No, AllOver, Other),
        // Closed for its idleness (MySQL).
        4031 => verdict(No, AllOver, Other),
        // The connection was ended, or broke. Proxies say so of the connection behind them, after the statement went through it.
        1077..=1079 | 1156..=1161 | 1927 | 2006 | 2013 | 2055 => verdict(Maybe, AllOver, Other),
        1153 | 1301 => verdict(No, Over, TooLarge),
        1118 | 1406 => verdict(No, Sound, TooLarge),
        1021 | 1114 => verdict(No, Sound, Full),
        // Too many connections, of all or of the account.
        1040 | 1203 | 1226 => verdict(No, Over, Other),
        // The host, the account, its password or the database.
        1044 | 1045 | 1049 | 1129 | 1130 | 1698 | 1820 | 1862 | 3118 | 4151 => verdict(No, AllOver, Denied),
        // A privilege, a table or a column.
        1054 | 1142 | 1143 | 1146 | 1227 | 1370 => verdict(No, Sound, Denied),
        // A commit that failed: on one node of several it may stand on others.
        1180 => verdict(Maybe, Sound, Other),
        _ => match state.get(..2).unwrap_or_default() {
            "08" => verdict(Maybe, AllOver, Other),
            "22" | "23" => verdict(No, Sound, Data),
            "28" => verdict(No, AllOver, Denied),
            // The numbers of proxies.
            _ if number >= 9000 => verdict(Maybe, AllOver, Other),
            _ => verdict(No, Sound, Other),
        },
    }
}

/// By result code, with more about it in the higher bits.
#[allow(clippy::match_same_arms, reason = "each line has its own reason")]
fn sqlite(code: u32) -> Verdict {
    match code & 0xFF {
        5 | 6 | 15 => verdict(No, Sound, Busy),
        8 => verdict(No, AllOver, ReadOnly),
        // The file is damaged, cannot be opened, or is none.
        11 | 14 | 26 => verdict(No, AllOver, Other),
        13 => verdict(No, Sound, Full),
        17 | 21 => verdict(No, Over, Other),
        18 => verdict(No, Sound, TooLarge),
        // The primary key or another unique index.
        19 if matches!(code, 1555 | 2067 | 2579) => verdict(No, Sound, Taken),
        19 | 20 => verdict(No, Sound, Data),
        3 | 23 => verdict(No, Sound, Denied),
        // No memory, interrupted, and no such table or column.
        1 | 7 | 9 => verdict(No, Sound, Other),
        // Such as 10: where a sync fails, what was written may be there all the same.
        _ => verdict(Maybe, AllOver, Other),
    }
}

fn io(kind: ErrorKind) -> Verdict {
    match kind {
        // Nobody was there to send it to; or the pipe was broken when it was about to be written, and a part of a statement is none.
        ErrorKind::ConnectionRefused
        | ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::AddrNotAvailable
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NotConnected
        | ErrorKind::BrokenPipe => verdict(No, AllOver, Other),
        _ => verdict(Maybe, AllOver, Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_by_sqlstate() {
        use Severity::{Error, Fatal, Panic};
        for (states, severity, expected) in [
            (&["08000", "08001", "08003", "08004", "08006", "08P01", "08007"][..], Fatal, verdict(Maybe, AllOver, Other)),
            (&["08000", "08006", "08007"], Error, verdict(Maybe, AllOver, Other)),
            (&["08P01"], Error, verdict(No, AllOver, MixedUp)),
            (&["57P01", "57P03", "57P04", "57P05", "25P03"], Fatal, verdict(No, AllOver, Other)),
            (&["57P02"], Fatal, verdict(Maybe, AllOver, Other)),
            (&["57P02"], Error, verdict(Maybe, AllOver, Other)),
            (&["25006"], Error, verdict(No, AllOver, ReadOnly)),
            (&["25006"], Fatal, verdict(No, AllOver, ReadOnly)),
            (&["26000", "34000", "42P05"], Error, verdict(No, AllOver, MixedUp)),
            (&["0A000"], Error, verdict(No, AllOver, Other)),
            (&["25001", "25P01", "25P02"], Error, verdict(No, Over, Other)),
            (&["40001", "40P01"], Error, verdict(No, Sound, Undone)),
            (&["40001"], Fatal, verdict(No, AllOver, Undone)),
            (&["40003"], Error, verdict(Maybe, AllOver, Other)),
            (&["40002", "55000", "58030", "XX000", "P0001", "", "9", "ä"], Error, verdict(No, Sound, Other)),
            (&["55P03", "57014"], Error, verdict(No, Sound, Slow)),
            (&["57014"], Fatal, verdict(No, AllOver, Slow)),
            (&["53000", "53200", "53300", "53400"], Error, verdict(No, Sound, Other)),
            (&["53300"], Fatal, verdict(No, AllOver, Other)),
            (&["53100"], Error, verdict(No, Sound, Full)),
            (&["53100"], Fatal, verdict(No, AllOver, Full)),
            (&["54000"], Error, verdict(No, Sound, TooLarge)),
            (&["54000"], Fatal, verdict(No, AllOver, TooLarge)),
            (&["22001", "22003", "22P02", "22P03", "23502", "23514"], Error, verdict(No, Sound, Data)),
            (&["22003"], Fatal, verdict(No, AllOver, Data)),
            (&["22012"], Error, verdict(No, Sound, Waited)),
            (&["22012"], Fatal, verdict(No, AllOver, Waited)),
            (&["23505"], Error, verdict(No, Sound, Taken)),
            (&["23505"], Fatal, verdict(No, AllOver, Taken)),
            (&["42501", "42P01", "42703", "42601"], Error, verdict(No, Sound, Denied)),
            (&["42501"], Fatal, verdict(No, AllOver, Denied)),
            (&["28000", "28P01", "3D000", "3F000"], Fatal, verdict(No, AllOver, Denied)),
            (&["28000", "3D000"], Error, verdict(No, AllOver, Denied)),
            (&["XX000", "55000", "P0001", ""], Fatal, verdict(Maybe, AllOver, Other)),
            (&["57P01", "25006", "40001", "XX000", "23505"], Panic, verdict(Maybe, AllOver, Other)),
        ] {
            for state in states {
                assert_eq!(judge(Seen::Postgres { state, severity }), expected, "{state:?} {severity:?}");
            }
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn postgres_says_how_serious_it_is() {
        use sqlx::postgres::PgSeverity;
        for (said, severity) in [
            (PgSeverity::Panic, Severity::Panic),
            (PgSeverity::Fatal, Severity::Fatal),
            (PgSeverity::Error, Severity::Error),
            (PgSeverity::Warning, Severity::Error),
        ] {
            assert_eq!(Severity::of(said), severity, "{said:?}");
        }
    }

    #[test]
    fn mysql_by_number() {
        for (numbers, state, expected) in [
            (&[1022, 1062, 1169, 1586][..], "23000", verdict(No, Sound, Taken)),
            (&[1690], "22003", verdict(No, Sound, Taken)),
            (&[1020], "HY000", verdict(No, Sound, Undone)),
            (&[1213], "40001", verdict(No, Sound, Undone)),
            (&[1205, 1969, 3024], "HY000", verdict(No, Sound, Slow)),
            (&[1317], "70100", verdict(No, Sound, Slow)),
            (&[1047], "08S01", verdict(No, AllOver, ReadOnly)),
            (&[1290, 1836, 3032], "HY000", verdict(No, AllOver, ReadOnly)),
            (&[1792], "25006", verdict(No, AllOver, ReadOnly)),
            (&[1053], "08S01", verdict(No, AllOver, Other)),
            (&[1243, 1615, 4031], "HY000", verdict(No, AllOver, Other)),
            (&[1077, 1078, 1079, 2006, 2013, 2055], "HY000", verdict(Maybe, AllOver, Other)),
            (&[1156, 1157, 1158, 1159, 1160, 1161], "08S01", verdict(Maybe, AllOver, Other)),
            (&[1927], "70100", verdict(Maybe, AllOver, Other)),
            (&[1153], "08S01", verdict(No, Over, TooLarge)),
            (&[1301], "HY000", verdict(No, Over, TooLarge)),
            (&[1118], "42000", verdict(No, Sound, TooLarge)),
            (&[1406], "22001", verdict(No, Sound, TooLarge)),
            (&[1021, 1114], "HY000", verdict(No, Sound, Full)),
            (&[1040], "08004", verdict(No, Over, Other)),
            (&[1203, 1226], "42000", verdict(No, Over, Other)),
            (&[1044, 1049], "42000", verdict(No, AllOver, Denied)),
            (&[1045, 1698], "28000", verdict(No, AllOver, Denied)),
            (&[1129, 1130, 1820, 1862, 3118, 4151], "HY000", verdict(No, AllOver, Denied)),
            (&[3118, 1], "28000", verdict(No, AllOver, Denied)),
            (&[1054, 1142, 1143, 1146, 1227, 1370], "42000", verdict(No, Sound, Denied)),
            (&[1180], "HY000", verdict(Maybe, Sound, Other)),
            (&[1042, 1043], "08S01", verdict(Maybe, AllOver, Other)),
            (&[1264, 1366], "22007", verdict(No, Sound, Data)),
            (&[1048, 1452], "23000", verdict(No, Sound, Data)),
            (&[9000, 9001, 9006], "HY000", verdict(Maybe, AllOver, Other)),
            (&[1030, 1105, 1223, 8999], "HY000", verdict(No, Sound, Other)),
            (&[1105], "", verdict(No, Sound, Other)),
        ] {
            for &number in numbers {
                assert_eq!(judge(Seen::MySql { number, state }), expected, "{number} {state}");
            }
        }
    }

    #[test]
    fn sqlite_by_result_code() {
        for (codes, expected) in [
            // BUSY, BUSY_RECOVERY, BUSY_SNAPSHOT; LOCKED, LOCKED_SHAREDCACHE; PROTOCOL
            (&[5, 261, 517, 6, 262, 15][..], verdict(No, Sound, Busy)),
            // READONLY, READONLY_DBMOVED
            (&[8, 1032], verdict(No, AllOver, ReadOnly)),
            // IOERR, IOERR_WRITE, IOERR_FSYNC
            (&[10, 778, 1034], verdict(Maybe, AllOver, Other)),
            // CORRUPT, CANTOPEN, NOTADB
            (&[11, 14, 526, 26], verdict(No, AllOver, Other)),
            (&[13], verdict(No, Sound, Full)),
            // SCHEMA, MISUSE
            (&[17, 21], verdict(No, Over, Other)),
            (&[18], verdict(No, Sound, TooLarge)),
            // CONSTRAINT_PRIMARYKEY, _UNIQUE, _ROWID
            (&[1555, 2067, 2579], verdict(No, Sound, Taken)),
            // CONSTRAINT_NOTNULL; MISMATCH
            (&[19, 1299, 20], verdict(No, Sound, Data)),
            // PERM, AUTH
            (&[3, 23], verdict(No, Sound, Denied)),
            // ERROR, NOMEM, INTERRUPT
            (&[1, 7, 9], verdict(No, Sound, Other)),
            // INTERNAL, ABORT, EMPTY, NOLFS
            (&[2, 4, 16, 22, 99], verdict(Maybe, AllOver, Other)),
        ] {
            for &code in codes {
                assert_eq!(judge(Seen::Sqlite { code }), expected, "{code}");
            }
        }
    }

    #[test]
    fn what_is_no_error_of_the_database() {
        let io = |kind: ErrorKind| Verdict::of(&Error::Io(kind.into()));
        for kind in [
            ErrorKind::ConnectionRefused,
            ErrorKind::NotFound,
            ErrorKind::PermissionDenied,
            ErrorKind::AddrNotAvailable,
            ErrorKind::HostUnreachable,
            ErrorKind::NetworkUnreachable,
            ErrorKind::NotConnected,
            ErrorKind::BrokenPipe,
        ] {
            assert_eq!(io(kind), verdict(No, AllOver, Other), "{kind:?}");
        }
        for kind in [ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted, ErrorKind::UnexpectedEof, ErrorKind::TimedOut] {
            assert_eq!(io(kind), verdict(Maybe, AllOver, Other), "{kind:?}");
        }
        for (error, expected) in [
            (Error::PoolTimedOut, verdict(No, Sound, Other)),
            (Error::PoolClosed, verdict(No, Sound, Other)),
            (Error::InvalidArgument(String::new()), verdict(No, Sound, Other)),
            (Error::Configuration("".into()), verdict(No, Sound, Other)),
            (Error::Encode("".into()), verdict(No, Sound, Other)),
            (Error::TypeNotFound { type_name: String::new() }, verdict(No, Sound, Other)),
            (Error::RowNotFound, verdict(Maybe, Sound, Other)),
            (Error::Decode("".into()), verdict(Maybe, Sound, Other)),
            (Error::ColumnNotFound(String::new()), verdict(Maybe, Sound, Other)),
            (Error::ColumnDecode { index: String::new(), source: "".into() }, verdict(Maybe, Sound, Other)),
            (Error::ColumnIndexOutOfBounds { index: 1, len: 0 }, verdict(Maybe, Sound, Other)),
            (Error::Protocol(String::new()), verdict(Maybe, AllOver, Other)),
            (Error::Tls("".into()), verdict(Maybe, AllOver, Other)),
            (Error::WorkerCrashed, verdict(Maybe, AllOver, Other)),
            (Error::BeginFailed, verdict(Maybe, AllOver, Other)),
        ] {
            assert_eq!(Verdict::of(&error), expected, "{error:?}");
        }
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn an_error_of_sqlite_is_judged_by_its_code() {
        use sqlx::Connection as _;

        let mut connection = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
        for (sql, expected) in [
            ("SELECT 1 FROM missing", verdict(No, Sound, Other)),
            (
                "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO t VALUES (1, 1), (1, 1)",
                verdict(No, Sound, Taken),
            ),
            ("INSERT INTO t VALUES (2, NULL)", verdict(No, Sound, Data)),
            ("PRAGMA query_only = 1; INSERT INTO t VALUES (2, 2)", verdict(No, AllOver, ReadOnly)),
        ] {
            let error = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap_err();
            assert_eq!(Verdict::of(&error), expected, "{sql}: {error:?}");
        }
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn a_transaction_whose_end_fails_ends_with_its_connection_unless_there_is_none() {
        use sqlx::Connection as _;

        let mut connection = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let none = sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.unwrap_err();
        assert_eq!(Verdict::of_letting_go(&none), Sound, "{none:?}");
        for (error, left) in [
            (Error::Decode("".into()), Over),
            (Error::PoolClosed, Over),
            (Error::WorkerCrashed, AllOver),
            (Error::Io(ErrorKind::TimedOut.into()), AllOver),
        ] {
            assert_eq!(Verdict::of_letting_go(&error), left, "{error:?}");
        }
    }

    #[cfg(feature = "postgres")]
    #[derive(Debug)]
    struct Said(&'static str);

    #[cfg(feature = "postgres")]
    impl std::fmt::Display for Said {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    #[cfg(feature = "postgres")]
    impl std::error::Error for Said {}

    #[cfg(feature = "postgres")]
    impl sqlx::error::DatabaseError for Said {
        fn message(&self) -> &str {
            self.0
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_pooler_that_hands_no_parameter_on_says_so_in_words() {
        for (error, refuses) in [
            (Error::Database(Box::new(Said("unsupported startup parameter: default_transaction_read_only"))), true),
            (Error::Database(Box::new(Said("unsupported startup parameter in options: search_path"))), true),
            (Error::Database(Box::new(Said("server login failed"))), false),
            (Error::Protocol("unsupported startup parameter".into()), false),
        ] {
            assert_eq!(Verdict::refuses_parameters(&error), refuses, "{error:?}");
        }
    }

    #[test]
    fn of_two_verdicts_on_a_connection_the_worse_one_counts() {
        assert!(Sound < Over && Over < AllOver);
    }

    #[test]
    fn only_what_certainly_did_not_run_or_is_harmless_is_sent_again_and_only_where_the_connection_was_to_blame() {
        for (given, harmless, again) in [
            (verdict(No, AllOver, Other), false, true),
            (verdict(No, Over, Other), false, true),
            (verdict(No, AllOver, ReadOnly), false, true),
            (verdict(No, Sound, Slow), false, false),
            (verdict(No, Sound, Other), true, false),
            (verdict(Maybe, AllOver, Other), false, false),
            (verdict(Maybe, AllOver, Other), true, true),
            (verdict(Maybe, Sound, Other), true, false),
            (verdict(No, Over, TooLarge), false, false),
            (verdict(No, Over, TooLarge), true, false),
        ] {
            assert_eq!(given.asks_for_another_connection(harmless), again, "{given:?} {harmless}");
        }
    }
}
