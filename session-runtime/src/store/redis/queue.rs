//! Calls that are ready at the same time leave together: one write and one read of the connection for all of them.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value, cmd};
use tokio::sync::oneshot;
use tokio::task::yield_now;

/// A server's answer to one call.
pub(super) struct Answer {
    pub(super) value: Value,
    /// The server's clock, in milliseconds, after the call; 0 unless the call asked for it.
    pub(super) now: u64,
}

struct Call {
    command: Cmd,
    asks_the_clock: bool,
    answer: oneshot::Sender<RedisResult<Answer>>,
}

/// The calls that wait for the next departure. Where there is one, a departure is under way to take it.
#[derive(Default)]
pub(super) struct Queue(Mutex<Vec<Call>>);

impl Queue {
    /// Sends a command with all those that other tasks ask for meanwhile. Whoever drops this leaves the others alone.
    pub(super) async fn send(self: &Arc<Self>, on: &MultiplexedConnection, command: Cmd, asks_the_clock: bool) -> RedisResult<Answer> {
        let (answer, answered) = oneshot::channel();
        if self.push(Call { command, asks_the_clock, answer }) {
            tokio::spawn(depart(Departure { queue: Arc::clone(self), left: false }, on.clone()));
        }
        answered.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()))
    }

    /// Whether it is the first.
    fn push(&self, call: Call) -> bool {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(call);
        calls.len() == 1
    }

    fn take(&self) -> Vec<Call> {
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
    fn calls(mut self) -> Vec<Call> {
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
    yield_now().await;
    let mut calls = departure.calls();
    calls.retain(|call| !call.answer.is_closed());
    let mut pipeline = Pipeline::with_capacity(calls.len() + 1);
    let mut asks_the_clock = false;
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        asks_the_clock |= call.asks_the_clock;
        pipeline.add_command(call.command);
        answers.push((call.answer, call.asks_the_clock));
    }
    if answers.is_empty() {
        return;
    }
    // Last, so that a time that is left is told too short rather than too long.
    if asks_the_clock {
        pipeline.add_command(cmd("TIME"));
    }
    let mut values = match connection.send_packed_commands(&pipeline, 0, pipeline.len()).await {
        Ok(values) => values,
        Err(error) => return answers.into_iter().for_each(|(answer, _)| drop(answer.send(Err(error.clone())))),
    };
    let now = if asks_the_clock { values.pop().map_or_else(|| Err(no_clock()), clock) } else { Ok(0) };
    for ((answer, asked), value) in answers.into_iter().zip(values) {
        let now = if asked { now.clone() } else { Ok(0) };
        let result = value.extract_error().and_then(|value| Ok(Answer { value, now: now? }));
        // Nobody listens where the caller gave up.
        let _ = answer.send(result);
    }
}

/// The answer to `TIME`, in milliseconds.
fn clock(answer: Value) -> RedisResult<u64> {
    let (seconds, micros): (u64, u64) = redis::from_redis_value(answer.extract_error()?)?;
    Ok(seconds * 1000 + micros / 1000)
}

fn no_clock() -> RedisError {
    (ErrorKind::UnexpectedReturnType, "the server did not tell its time").into()
}
