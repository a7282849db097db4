//! A connection that many calls share, in a task of its own.
//!
//! The task connects, hands over what is asked, and reads the answers; the callers only wait, and may leave at any time. Since the connection
//! is moved by this task alone, it is known of each call whether anything of it has left: what has not may be sent on another connection.

use std::collections::VecDeque;
use std::future::{Future, poll_fn, ready};
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use redis::aio::ConnectionLike;
use redis::{RedisError, RedisResult, Value, cmd};
use tokio::sync::{oneshot, watch};
use tokio::task::yield_now;
use tokio::time::{Sleep, sleep, timeout};

use super::endpoint::{Endpoint, Link};
use super::health::Health;
use super::queue::{Answer, Ask, Asker, Batch};
use super::verdict::{Connection, Failed, verdict};

/// A connection that was idle for longer is asked whether it is still there, before anything leaves on it: a firewall may have forgotten it.
const IDLE: Duration = Duration::from_secs(2);

/// How long that may take.
const PING_TIMEOUT: Duration = Duration::from_millis(750);

/// A connection on which calls wait, and nothing came for so long, is compared with a new one. If that works, this one is dead.
const SILENCE: Duration = Duration::from_secs(1);

/// If nothing came for so long, it is dead in any case.
pub(super) const GIVE_UP: Duration = Duration::from_secs(5);

pub(super) struct Line {
    inbox: Mutex<Inbox>,
    /// Whether it takes no more calls.
    is_left: AtomicBool,
    /// Which generation of its server's lines it is of.
    pub(super) epoch: u64,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Connected,
    Over,
}

#[derive(Default)]
struct Inbox {
    /// The calls that wait for the next departure.
    calls: Vec<(Ask, Asker)>,
    /// The task, where it waits for calls.
    waker: Option<Waker>,
    /// Why it takes no more calls.
    left: Option<Failed>,
}

impl Inbox {
    /// Has the task called when there is something new.
    fn wakes(&mut self, cx: &Context<'_>) {
        if self.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
    }
}

impl Line {
    /// A line whose task begins now, in the runtime of the caller.
    pub(super) fn start(endpoint: &Arc<Endpoint>, health: &Arc<Health>, epoch: u64) -> Arc<Self> {
        let (is_left, state) = (AtomicBool::new(false), watch::Sender::new(State::Connecting));
        let line = Arc::new(Self { inbox: Mutex::default(), is_left, epoch, state });
        let task = Task { line: Arc::clone(&line), flights: VecDeque::new(), counts: None };
        tokio::spawn(task.run(Arc::clone(endpoint), Arc::clone(health)));
        line
    }

    /// Asks, together with what other tasks ask meanwhile. Whoever drops this leaves the others alone.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Answer, Failed> {
        let (asker, answer) = oneshot::channel();
        self.push(ask, asker)?;
        answer.await.unwrap_or_else(|_| Err(Failed::cut_off(closed("the connection's task is gone"))))
    }

    fn push(&self, ask: Ask, asker: Asker) -> Result<(), Failed> {
        let mut inbox = self.inbox();
        if let Some(left) = &inbox.left {
            return Err(left.clone());
        }
        inbox.calls.push((ask, asker));
        let waker = inbox.waker.take();
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    fn inbox(&self) -> std::sync::MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another line is to be taken in its place.
    pub(super) fn is_left(&self) -> bool {
        self.is_left.load(Ordering::Acquire)
    }

    /// Takes no more calls, and returns those that have not left. Those that have get their answers yet.
    pub(super) fn leave(&self, why: &Failed) {
        let failed = why.of_those_behind();
        for (_, asker) in self.stop(&failed, true) {
            let _ = asker.send(Err(failed.clone()));
        }
    }

    /// Takes no more calls; those that are waiting still leave.
    pub(super) fn close(&self, why: &RedisError) {
        self.stop(&Failed::unreachable(why.clone()), false);
    }

    fn stop(&self, left: &Failed, with_calls: bool) -> Vec<(Ask, Asker)> {
        self.is_left.store(true, Ordering::Release);
        let mut inbox = self.inbox();
        inbox.left.get_or_insert_with(|| left.clone());
        let calls = if with_calls { mem::take(&mut inbox.calls) } else { Vec::new() };
        let waker = inbox.waker.take();
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
        calls
    }

    /// Until its connection is made; or why it is not.
    pub(super) async fn connected(&self) -> Result<(), Failed> {
        let _ = self.state.subscribe().wait_for(|state| *state != State::Connecting).await;
        self.inbox().left.clone().map_or(Ok(()), Err)
    }

    /// Until its connection is closed. It is at last some seconds after it takes no more calls, unless nobody drives its runtime.
    pub(super) async fn ended(&self) {
        let _ = self.state.subscribe().wait_for(|state| *state == State::Over).await;
    }
}

/// Calls that have left together.
struct Flight {
    batch: Batch,
    answers: Pin<Box<dyn Future<Output = RedisResult<Vec<Value>>> + Send>>,
    /// What had been written when they were handed over.
    written: u64,
    at: Instant,
}

/// What moves a line. If it is dropped before its end, as with its runtime, its calls are told.
struct Task {
    line: Arc<Line>,
    flights: VecDeque<Flight>,
    counts: Option<Arc<super::wire::Counts>>,
}

/// What a line has to do next.
enum Turn {
    /// There are calls that wait.
    Depart,
    /// The connection is over.
    Over(RedisError),
}

impl Task {
    async fn run(mut self, endpoint: Arc<Endpoint>, health: Arc<Health>) {
        let link = match connect(&self.line, &endpoint).await {
            Some(Ok(link)) => link,
            Some(Err(error)) => {
                health.is_away(&error);
                return self.end(&Failed::unreachable(error));
            }
            None => return self.end(&Failed::unsent(needless())),
        };
        health.is_back();
        self.line.state.send_replace(State::Connected);
        self.counts.clone_from(&link.counts);
        let mut watch = Watch::new(endpoint, health);
        let mut link = link;
        let error = loop {
            match poll_fn(|cx| self.turn(&mut link, &mut watch, cx)).await {
                Turn::Depart => {}
                Turn::Over(error) => break error,
            }
            // What other tasks ask in this turn leaves with it.
            yield_now().await;
            if self.flights.is_empty() && watch.heard.elapsed() > IDLE {
                match timeout(PING_TIMEOUT, link.call(&cmd("PING"))).await {
                    Ok(Err(error)) if verdict(&error).connection != Connection::Sound => break error,
                    Ok(_) => watch.heard = Instant::now(),
                    Err(_) => break silent(),
                }
            }
            // Nothing may be handed over to it then: whether that had left could not be told.
            if link.is_gone() {
                break closed("the server closed the connection");
            }
            self.depart(&link);
        };
        drop(link);
        self.end(&Failed::unsent(error));
    }

    fn turn(&mut self, link: &mut Link, watch: &mut Watch, cx: &mut Context<'_>) -> Poll<Turn> {
        if link.poll_over(cx) {
            return Poll::Ready(Turn::Over(self.answered(cx).unwrap_or_else(|| closed("the server closed the connection"))));
        }
        if let Some(error) = self.answered(cx) {
            return Poll::Ready(Turn::Over(error));
        }
        if let Some(since) = self.flights.front().map(|flight| flight.at) {
            if let Poll::Ready(error) = watch.poll_silent(self.counts.as_deref(), since, cx) {
                return Poll::Ready(Turn::Over(error));
            }
        } else {
            watch.comparison = None;
        }
        let mut inbox = self.line.inbox();
        if !inbox.calls.is_empty() {
            return Poll::Ready(Turn::Depart);
        }
        if inbox.left.is_some() && self.flights.is_empty() {
            drop(inbox);
            return Poll::Ready(Turn::Over(needless()));
        }
        inbox.wakes(cx);
        Poll::Pending
    }

    /// Hands out the answers that are there. Where the connection has failed, why.
    fn answered(&mut self, cx: &mut Context<'_>) -> Option<RedisError> {
        while let Some(flight) = self.flights.front_mut() {
            let Poll::Ready(answers) = flight.answers.as_mut().poll(cx) else { return None };
            let flight = self.flights.pop_front()?;
            match answers {
                Ok(answers) => flight.batch.answer(answers),
                Err(error) => {
                    self.fail(flight, &error);
                    return Some(error);
                }
            }
        }
        None
    }

    /// Sends what waits. It does not wait for the answers to what left before.
    fn depart(&mut self, link: &Link) {
        let mut batch = Batch::default();
        for (ask, asker) in mem::take(&mut self.line.inbox().calls) {
            if !asker.is_closed() {
                batch.add(ask, asker);
            }
        }
        let commands = batch.commands();
        if commands.is_empty() {
            return;
        }
        let mut redis = link.redis.clone();
        let answers = Box::pin(async move { redis.req_packed_commands(&commands, 0, commands.len()).await });
        let written = self.counts.as_ref().map_or(0, |counts| counts.written());
        self.flights.push_back(Flight { batch, answers, written, at: Instant::now() });
        // It is handed over when it is first asked for, which comes next: only the first of the line is.
        if let Some(flight) = self.flights.back_mut() {
            let mut nobody = Context::from_waker(Waker::noop());
            if let Poll::Ready(answers) = flight.answers.as_mut().poll(&mut nobody) {
                // The connection ended just now. It must not be asked twice for the same.
                flight.answers = Box::pin(ready(answers));
            }
        }
    }

    /// Tells the calls of a flight that the connection has failed.
    fn fail(&self, flight: Flight, error: &RedisError) {
        let nothing_left = self.counts.as_ref().is_some_and(|counts| counts.written() == flight.written);
        let failed = if nothing_left { Failed::unsent(error.clone()) } else { Failed::cut_off(error.clone()) };
        flight.batch.fail(&failed);
    }

    fn end(&mut self, unsent: &Failed) {
        for (_, asker) in self.line.stop(unsent, true) {
            let _ = asker.send(Err(unsent.clone()));
        }
        for flight in mem::take(&mut self.flights) {
            self.fail(flight, &unsent.error);
        }
        self.line.state.send_replace(State::Over);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.end(&Failed::unsent(closed("the runtime of the connection has ended")));
    }
}

/// Connects; or not, where the line is left and nobody waits for it any more.
async fn connect(line: &Line, endpoint: &Endpoint) -> Option<RedisResult<Link>> {
    let mut connecting = pin!(endpoint.connect());
    poll_fn(|cx| {
        let mut inbox = line.inbox();
        if inbox.left.is_some() {
            inbox.calls.retain_mut(|(_, asker)| asker.poll_closed(cx).is_pending());
            if inbox.calls.is_empty() {
                return Poll::Ready(None);
            }
        }
        inbox.wakes(cx);
        drop(inbox);
        connecting.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Whether anything is heard of the server.
struct Watch {
    endpoint: Arc<Endpoint>,
    health: Arc<Health>,
    /// When something was last heard of it, and how much by then.
    heard: Instant,
    count: u64,
    timer: Pin<Box<Sleep>>,
    is_set: bool,
    /// Another connection, to compare with.
    comparison: Option<Pin<Box<dyn Future<Output = RedisResult<()>> + Send>>>,
}

impl Watch {
    fn new(endpoint: Arc<Endpoint>, health: Arc<Health>) -> Self {
        let timer = Box::pin(sleep(SILENCE));
        Self { endpoint, health, heard: Instant::now(), count: 0, timer, is_set: false, comparison: None }
    }

    /// Whether the connection, on which calls have been waiting `since` then, is dead.
    fn poll_silent(&mut self, counts: Option<&super::wire::Counts>, since: Instant, cx: &mut Context<'_>) -> Poll<RedisError> {
        if let Some(count) = counts.map(super::wire::Counts::heard)
            && mem::replace(&mut self.count, count) != count
        {
            self.heard = Instant::now();
            self.comparison = None;
        }
        if !self.is_set {
            self.timer.as_mut().reset(tokio::time::Instant::now() + SILENCE);
            self.is_set = true;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let silence = self.heard.max(since).elapsed();
            if silence >= GIVE_UP {
                self.health.is_away(&silent());
                return Poll::Ready(silent());
            }
            if silence >= SILENCE && self.comparison.is_none() && counts.is_some() {
                let endpoint = Arc::clone(&self.endpoint);
                self.comparison = Some(Box::pin(async move { endpoint.connect().await.map(drop) }));
            }
            let until = if silence >= SILENCE { GIVE_UP } else { SILENCE };
            let next = until.saturating_sub(silence).min(SILENCE);
            self.timer.as_mut().reset(tokio::time::Instant::now() + next.max(Duration::from_millis(1)));
        }
        if let Some(comparison) = &mut self.comparison
            && let Poll::Ready(result) = comparison.as_mut().poll(cx)
        {
            self.comparison = None;
            if result.is_ok() {
                return Poll::Ready(silent());
            }
        }
        Poll::Pending
    }
}

fn needless() -> RedisError {
    closed("the connection is not needed any more")
}

fn closed(why: &'static str) -> RedisError {
    io::Error::new(io::ErrorKind::ConnectionAborted, why).into()
}

fn silent() -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, "the server does not answer").into()
}
