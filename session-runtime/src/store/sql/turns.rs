//! Turns with a SQLite file, which has one writer at a time.
//!
//! SQLite has no queue for those who wait: each looks now and then whether the file is free, less often the longer it waits. Where
//! a sync takes long and one process has its next change ready whenever the last one is done, the file is free for moments only,
//! and the others look in vain until their time is over. So a process here looks each millisecond, and one that has had the file
//! for a while leaves it free for long enough to be seen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnection;
use sqlx::{Error, Result, Sqlite};
use tokio::time::sleep;

use super::pool::{Connections, Lease};

/// How long a change waits for those of other processes.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long one process may change the file without a pause, unless it has met others.
const TURN_ALONE: Duration = Duration::from_millis(50);

/// The same where it has, within [`MEMORY`].
const TURN: Duration = Duration::from_millis(10);

/// How long a process that had to wait for others reckons with them.
const MEMORY: Duration = Duration::from_secs(1);

/// The pause after a turn: enough for those who wait to look, to read what the turn has changed and to change it in their turn.
const PAUSE: Duration = Duration::from_millis(3);

/// How often those who wait look.
const LOOK: Duration = Duration::from_millis(1);

/// The connections for changes.
pub(super) struct Turns {
    connections: Connections<Sqlite>,
    /// Where they are used in turns with other processes.
    turn: Option<Arc<Mutex<Turn>>>,
}

struct Turn {
    /// When this process's turn began, or will.
    begin: Instant,
    /// When its last change was done.
    end: Instant,
    /// When it last had to wait for another.
    met: Option<Instant>,
}

impl Turns {
    /// One connection, which SQLite must not let wait by itself.
    pub(super) fn with_others(connection: Connections<Sqlite>) -> Self {
        let now = Instant::now();
        let turn = Turn { begin: now, end: now, met: None };
        Self { connections: connection, turn: Some(Arc::new(Mutex::new(turn))) }
    }

    /// Connections that take no turns: SQLite lets them wait as it was told, or there is nobody to wait for.
    pub(super) const fn alone(connections: Connections<Sqlite>) -> Self {
        Self { connections, turn: None }
    }

    /// Closes the connections, when no change has them any more.
    pub(super) async fn close(&self) {
        self.connections.close().await;
    }

    /// A connection for one change.
    pub(super) async fn take(&self) -> Result<Change> {
        let lease = until_not_busy(|| self.connections.take()).await?;
        let turn = self.turn.clone();
        let pause = turn.as_deref().map_or(Duration::ZERO, |turn| with(turn, |turn| turn.pause(Instant::now())));
        if !pause.is_zero() {
            sleep(pause).await;
        }
        Ok(Change { lease, turn, patience: None })
    }
}

impl Turn {
    /// What is left of the pause that is due at `now`.
    fn pause(&mut self, now: Instant) -> Duration {
        if now >= self.end + PAUSE {
            self.begin = now;
        } else if self.end >= self.begin + self.length(now) {
            self.begin = self.end + PAUSE;
        }
        self.begin.saturating_duration_since(now)
    }

    fn length(&self, now: Instant) -> Duration {
        if self.met.is_some_and(|met| now < met + MEMORY) { TURN } else { TURN_ALONE }
    }

    /// Another has the file; this process's turn begins when it finds it free.
    fn meet(&mut self, now: Instant) {
        self.begin = now;
        self.met = Some(now);
    }
}

/// A change of the file.
pub(super) struct Change {
    lease: Lease<Sqlite>,
    turn: Option<Arc<Mutex<Turn>>>,
    patience: Option<Instant>,
}

impl Change {
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        self.lease.connection()
    }

    /// Whether the statement has to run again, because it was another process's turn; waits a little first.
    pub(super) async fn is_to_wait(&mut self, error: Option<&Error>) -> bool {
        let Some(turn) = &self.turn else { return false };
        let now = Instant::now();
        if !error.is_some_and(is_busy) || now > *self.patience.get_or_insert(now + PATIENCE) {
            return false;
        }
        sleep(LOOK).await;
        with(turn, |turn| turn.meet(Instant::now()));
        true
    }

    /// Gives the connection back.
    pub(super) fn end<R>(self, result: Result<R>) -> Result<R> {
        if let Some(turn) = &self.turn {
            with(turn, |turn| turn.end = Instant::now());
        }
        self.lease.end(result)
    }
}

fn with<R>(turn: &Mutex<Turn>, run: impl FnOnce(&mut Turn) -> R) -> R {
    run(&mut turn.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Opens a file when it is not busy. Going into WAL mode needs the file alone, and SQLite does not wait for that: where processes
/// start together, all but one are told that it is busy.
pub(super) async fn until_not_busy<R, F: Future<Output = Result<R>>>(mut open: impl FnMut() -> F) -> Result<R> {
    let start = Instant::now();
    loop {
        match open().await {
            Err(error) if is_busy(&error) && start.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(rand::random_range(5..50))).await;
            }
            result => return result,
        }
    }
}

/// `SQLITE_BUSY`, alone or with what keeps it busy in the higher bits.
fn is_busy(error: &Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xFF == 5)
}
