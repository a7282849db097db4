//! Calls that are ready at the same time leave together: one write and one read of the connection for all of them, and one command
//! for all that read and one for all that replace.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, Pipeline, RedisResult, Value, cmd};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::scripts::{By, Change};

/// What a call asks for.
pub(super) enum Ask {
    /// What is kept at this key.
    Read(String),
    Change(Change),
    Alone(Cmd),
}

/// A server's answer to one call.
pub(super) struct Answer {
    pub(super) value: Value,
    /// For what was read, the server's clock just after it, in milliseconds; else 0.
    pub(super) now: u64,
}

type Asker = oneshot::Sender<RedisResult<Answer>>;

/// The calls that wait for the next departure. Where there is one, a departure is under way to take it.
#[derive(Default)]
pub(super) struct Queue(Mutex<Vec<(Ask, Asker)>>);

impl Queue {
    /// Asks, together with what other tasks ask meanwhile. Whoever drops this leaves the others alone.
    pub(super) async fn ask(self: &Arc<Self>, on: &MultiplexedConnection, ask: Ask) -> RedisResult<Answer> {
        let (asker, answer) = oneshot::channel();
        if self.push(ask, asker) {
            tokio::spawn(depart(Departure { queue: Arc::clone(self), left: false }, on.clone()));
        }
        answer.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()))
    }

    /// Whether it is the first.
    fn push(&self, ask: Ask, asker: Asker) -> bool {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push((ask, asker));
        calls.len() == 1
    }

    fn take(&self) -> Vec<(Ask, Asker)> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Takes the calls that are queued, also if it is dropped before, as when its runtime ends: then they fail, and the next call starts
/// another one.
struct Departure {
    queue: Arc<Queue>,
    left: bool,
}

impl Departure {
    fn calls(mut self) -> Vec<(Ask, Asker)> {
        self.left = true;
        self.queue.take()
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        if !self.left {
            drop(self.queue.take());
        }
    }
}

/// Sends what is queued when the tasks that can run now have run. It does not wait for the answers to earlier departures.
async fn depart(departure: Departure, mut connection: MultiplexedConnection) {
    // Once for the tasks that can run, and once for those that the network has woken meanwhile.
    yield_now().await;
    yield_now().await;
    let mut batch = Batch::default();
    for (ask, asker) in departure.calls() {
        if !asker.is_closed() {
            batch.add(ask, asker);
        }
    }
    let pipeline = batch.commands();
    if !pipeline.is_empty() {
        let answers = connection.send_packed_commands(&pipeline, 0, pipeline.len()).await;
        batch.answer(answers);
    }
}

/// The calls of one departure, by what they ask for.
#[derive(Default)]
struct Batch {
    alone: (Vec<Cmd>, Vec<Asker>),
    changes: (Vec<Change>, Vec<Asker>),
    reads: (Vec<String>, Vec<Asker>),
}

impl Batch {
    fn add(&mut self, ask: Ask, asker: Asker) {
        let askers = match ask {
            Ask::Alone(command) => {
                self.alone.0.push(command);
                &mut self.alone.1
            }
            Ask::Change(change) => {
                self.changes.0.push(change);
                &mut self.changes.1
            }
            Ask::Read(key) => {
                self.reads.0.push(key);
                &mut self.reads.1
            }
        };
        askers.push(asker);
    }

    fn commands(&mut self) -> Pipeline {
        let mut commands = Pipeline::with_capacity(self.alone.0.len() + 3);
        for command in self.alone.0.drain(..) {
            commands.add_command(command);
        }
        if !self.changes.0.is_empty() {
            commands.add_command(Change::command(By::Hash, &self.changes.0));
        }
        if !self.reads.0.is_empty() {
            // Where a key holds no string, which this store never made, there is no session.
            commands.cmd("MGET").arg(&self.reads.0);
            // Last, so that a time that is left is told too short rather than too long.
            commands.add_command(cmd("TIME"));
        }
        commands
    }

    /// Hands the answers out, which are in the order of the commands.
    fn answer(self, answers: RedisResult<Vec<Value>>) {
        let mut answers = match answers {
            Ok(answers) => answers.into_iter().map(Value::extract_error),
            Err(error) => {
                let all = [self.alone.1, self.changes.1, self.reads.1].into_iter().flatten();
                return all.for_each(|asker| tell(asker, Err(error.clone()), 0));
            }
        };
        for (asker, answer) in self.alone.1.into_iter().zip(&mut answers) {
            tell(asker, answer, 0);
        }
        if !self.changes.1.is_empty() {
            deal(self.changes.1, answers.next(), Ok(0));
        }
        if !self.reads.1.is_empty() {
            let (values, now) = (answers.next(), answers.next());
            deal(self.reads.1, values, now.unwrap_or_else(|| Err(unexpected())).and_then(clock));
        }
    }
}

/// Hands out the answers to a command that is of several calls.
fn deal(askers: Vec<Asker>, answers: Option<RedisResult<Value>>, now: RedisResult<u64>) {
    let answers = match (answers, now) {
        (Some(Ok(Value::Array(answers))), Ok(now)) if answers.len() == askers.len() => Ok((answers, now)),
        (Some(Err(error)), _) | (_, Err(error)) => Err(error),
        _ => Err(unexpected()),
    };
    match answers {
        Ok((answers, now)) => {
            for (asker, answer) in askers.into_iter().zip(answers) {
                tell(asker, answer.extract_error(), now);
            }
        }
        Err(error) => askers.into_iter().for_each(|asker| tell(asker, Err(error.clone()), 0)),
    }
}

fn tell(asker: Asker, answer: RedisResult<Value>, now: u64) {
    // Nobody listens where the caller gave up.
    let _ = asker.send(answer.map(|value| Answer { value, now }));
}

/// The answer to `TIME`, in milliseconds.
fn clock(answer: Value) -> RedisResult<u64> {
    let (seconds, micros): (u64, u64) = redis::from_redis_value(answer)?;
    Ok(seconds * 1000 + micros / 1000)
}

fn unexpected() -> redis::RedisError {
    (ErrorKind::UnexpectedReturnType, "the server did not answer every part of a command").into()
}
