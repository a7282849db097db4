//! Turns with a SQLite file, which has one writer at a time.
//!
//! SQLite has no queue for those who wait: each looks now and then whether the file is free, less often the longer it waits. Where
//! a sync takes long and one process has its next change ready whenever the last one is done, the file is free for moments only,
//! and the others look in vain until their time is over. So a process here looks each millisecond, and one that has had the file
//! for a while leaves it free for long enough to be seen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{Error, Result, Sqlite};
use tokio::time::sleep;

use super::pool::{Again, Connections, Engine, InUse, Line, Work, bounded};
use super::verdict::{Meaning, Verdict};

/// How long each step of opening a file waits for other processes, which may be as many as start together.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// How long a change waits for those of other processes.
    patience: Duration,
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
    pub(super) fn with_others(connection: Connections<Sqlite>, patience: Duration) -> Self {
        let now = Instant::now();
        let turn = Turn { begin: now, end: now, met: None };
        Self { connections: connection, turn: Some(Arc::new(Mutex::new(turn))), patience }
    }

    /// Connections that take no turns: SQLite lets them wait as it was told, or there is nobody to wait for.
    pub(super) const fn alone(connections: Connections<Sqlite>) -> Self {
        Self { connections, turn: None, patience: Duration::ZERO }
    }

    /// What the connections are made by.
    pub(super) fn terms(&self) -> Option<&<Sqlite as Engine>::Terms> {
        self.connections.terms()
    }

    /// Closes the connections, when no change has them any more.
    pub(super) async fn close(&self) {
        self.connections.close().await;
    }

    /// Makes a change in this process's turn.
    pub(super) async fn call<W: Work<Sqlite>>(&self, work: W, again: Again) -> Result<W::Answer> {
        self.connections.call(InTurn { turn: self.turn.clone(), patience: self.patience, work }, again).await
    }
}

/// A change that waits for this process's turn.
#[derive(Clone)]
struct InTurn<W> {
    turn: Option<Arc<Mutex<Turn>>>,
    patience: Duration,
    work: W,
}

impl<W: Work<Sqlite>> Work<Sqlite> for InTurn<W> {
    type Answer = W::Answer;

    const HOLDS_LOCK: bool = W::HOLDS_LOCK;

    async fn line(&self) -> Option<Line> {
        self.work.line().await
    }

    async fn run(self, connection: &mut InUse<Sqlite>) -> Result<W::Answer> {
        let Some(turn) = self.turn else { return make_room(connection, self.work).await };
        let pause = with(&turn, |turn| turn.pause(Instant::now()));
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let begin = Instant::now();
        let answer = loop {
            let answer = make_room(connection, self.work.clone()).await;
            if !answer.as_ref().is_err_and(is_busy) || connection.is_spoilt() || begin.elapsed() > self.patience {
                break answer;
            }
            sleep(LOOK).await;
            with(&turn, |turn| turn.meet(Instant::now()));
        };
        with(&turn, |turn| turn.end = Instant::now());
        answer
    }
}

/// Makes a change; where the disk is full, once more after the log of changes was written back to the file, so that it has room again
/// where it is. A change that makes the file no longer, such as that of a logout, is possible so.
async fn make_room<W: Work<Sqlite>>(connection: &mut InUse<Sqlite>, work: W) -> Result<W::Answer> {
    let patience = connection.patience();
    let answer = work.clone().run(connection).await;
    if connection.is_spoilt() || !answer.as_ref().is_err_and(|error| Verdict::of(error).meaning == Meaning::Full) {
        return answer;
    }
    let write_back = sqlx::raw_sql("PRAGMA wal_checkpoint(RESTART)").execute(&mut **connection);
    if let Err(error) = bounded(patience, write_back).await {
        connection.spoil(Verdict::of(&error).connection, error);
    }
    if connection.is_spoilt() {
        return answer;
    }
    work.run(connection).await
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

fn with<R>(turn: &Mutex<Turn>, run: impl FnOnce(&mut Turn) -> R) -> R {
    run(&mut turn.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Makes a step of opening a file when it is not busy. Where processes start together, all but one are told that it is: going into WAL mode needs the
/// file alone, and SQLite does not wait for that.
pub(super) async fn until_not_busy<R, F: Future<Output = Result<R>>>(mut step: impl FnMut() -> F) -> Result<R> {
    let start = Instant::now();
    loop {
        match step().await {
            Err(error) if is_busy(&error) && start.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(rand::random_range(5..50))).await;
            }
            result => return result,
        }
    }
}

fn is_busy(error: &Error) -> bool {
    Verdict::of(error).meaning == Meaning::Busy
}
