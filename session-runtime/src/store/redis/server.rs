//! A server, and the lines to it of this moment. A thread always takes the same one of its runtime.

use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;
use redis::RedisError;
use tokio::runtime::{Handle, Id};
use tokio::time::timeout;

use super::endpoint::Endpoint;
use super::health::Health;
use super::line::{GIVE_UP, Line};
use super::queue::{Answer, Ask};
use super::verdict::{Connection, Failed};

/// More connections than this make more work for the server, and no answer sooner.
const MAX_LINES: usize = 4;

/// What was begun ends before that, in a runtime that somebody drives.
const CLOSE_TIMEOUT: Duration = GIVE_UP.saturating_add(Duration::from_secs(1));

pub(super) struct Server {
    endpoint: Arc<Endpoint>,
    health: Arc<Health>,
    places: Box<[Place]>,
    /// Counts the times that all lines were left.
    epoch: AtomicU64,
    is_closed: AtomicBool,
}

impl Server {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        let health = Arc::new(Health::of(endpoint.to_string()));
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let places = (0..threads.min(MAX_LINES)).map(|_| Place::default()).collect();
        Self { endpoint: Arc::new(endpoint), health, places, epoch: AtomicU64::new(0), is_closed: AtomicBool::new(false) }
    }

    pub(super) fn name(&self) -> String {
        self.endpoint.to_string()
    }

    /// Makes the connection that this thread will use.
    pub(super) async fn connect(&self) -> Result<(), Failed> {
        self.line_at(self.place())?.connected().await
    }

    /// Asks. What certainly did not run, or may run twice, is asked once more on a new connection where the first one turned out to be over.
    pub(super) async fn ask(&self, ask: impl Fn() -> Ask, may_run_twice: bool) -> Result<Answer, Failed> {
        match self.try_to(ask()).await {
            Err(failed) if failed.verdict.again(may_run_twice) => Box::pin(self.try_to(ask())).await,
            result => result,
        }
    }

    async fn try_to(&self, ask: Ask) -> Result<Answer, Failed> {
        let line = self.line_at(self.place())?;
        let result = line.ask(ask).await;
        if let Err(failed) = &result {
            self.hear(&line, failed);
        }
        result
    }

    /// Leaves the lines that an error says are over.
    #[cold]
    fn hear(&self, line: &Line, failed: &Failed) {
        match failed.verdict.connection {
            Connection::Sound => {}
            Connection::Over => line.leave(failed),
            Connection::AllOver => {
                line.leave(failed);
                // Once: those that were made since are not the ones that it speaks of.
                if self.epoch.compare_exchange(line.epoch, line.epoch + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                    self.each(|other| other.leave(failed));
                }
            }
        }
    }

    fn each(&self, mut act: impl FnMut(&Arc<Line>)) {
        for place in &self.places {
            place.0.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|(_, line)| act(line));
        }
    }

    fn line_at(&self, place: &Place) -> Result<Arc<Line>, Failed> {
        let runtime = Handle::current().id();
        if let Some(line) = place.line(runtime) {
            return Ok(line);
        }
        let mut lines = place.0.write().unwrap_or_else(PoisonError::into_inner);
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Failed::unreachable(closed()));
        }
        lines.retain(|(_, line)| !line.is_left());
        // Another thread was ahead.
        if let Some((_, line)) = lines.iter().find(|(of, _)| *of == runtime) {
            return Ok(Arc::clone(line));
        }
        let line = Line::start(&self.endpoint, &self.health, self.epoch.load(Ordering::Acquire));
        lines.push((runtime, Arc::clone(&line)));
        Ok(line)
    }

    fn place(&self) -> &Place {
        &self.places[number_of_this_thread() % self.places.len()]
    }

    /// Takes no more calls, and waits for those that were begun.
    pub(super) async fn close(&self) {
        let mut lines = Vec::new();
        self.stop(|line| lines.push(Arc::clone(line)));
        let _ = timeout(CLOSE_TIMEOUT, join_all(lines.iter().map(|line| line.ended()))).await;
    }

    fn stop(&self, mut see: impl FnMut(&Arc<Line>)) {
        self.is_closed.store(true, Ordering::Release);
        self.each(|line| {
            line.close(&closed());
            see(line);
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(|_| {});
    }
}

fn closed() -> RedisError {
    io::Error::new(io::ErrorKind::NotConnected, "the session store is closed").into()
}

fn number_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}

/// The lines that some of the threads take: one for each runtime, since a task ends with its runtime.
#[derive(Default)]
struct Place(RwLock<Vec<(Id, Arc<Line>)>>);

impl Place {
    fn line(&self, runtime: Id) -> Option<Arc<Line>> {
        let lines = self.0.read().unwrap_or_else(PoisonError::into_inner);
        lines.iter().find(|(of, line)| *of == runtime && !line.is_left()).map(|(_, line)| Arc::clone(line))
    }
}

#[cfg(test)]
mod tests {
    use redis::cmd;
    use tokio::io::AsyncWriteExt;
    use tokio::time::sleep;

    use super::super::tests::{answer, fine, listen, ok, server_at};
    use super::*;

    #[tokio::test]
    async fn a_connection_that_ends_with_the_answer_of_whether_it_is_there_costs_no_call() {
        let at = listen(async |stream, _| {
            let mut stream = answer(stream, |name| ok().filter(|_| name != "PING")).await;
            // The client reads both at the same time: it runs on this thread.
            stream.write_all(b"+PONG\r\n").await.unwrap();
        })
        .await;
        let server = server_at(at);
        fine(server.ask(|| Ask::Alone(cmd("CHANGE")), false).await);
        let line = server.line_at(server.place()).unwrap();
        sleep(Duration::from_millis(2100)).await;
        let failed = line.ask(Ask::Alone(cmd("CHANGE"))).await.map(|answer| answer.value).unwrap_err();
        assert!(failed.verdict.again(false), "{failed:?}");
        assert!(failed.error.to_string().contains("the server closed the connection"), "{failed:?}");
        fine(server.ask(|| Ask::Alone(cmd("CHANGE")), false).await);
    }
}
