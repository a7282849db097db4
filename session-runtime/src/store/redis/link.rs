//! The connection to the server or the cluster.

use std::num::NonZero;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use super::queue::{Answer, Ask, Queue};
use super::row::foreign;
use super::scripts::{By, Replacement};
use crate::store::StoreError;

/// How long making a connection may take. It is less than the session layer waits, so that the request that finds the server
/// gone hears of it.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long an answer may take, for callers that set no bound themselves.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// As many calls given up, with no answer between them on their connections, and those count as dead.
const UNANSWERED: u32 = 3;

/// Connecting anew to a cluster, after a call that was given up, waits for this long after it was last done.
const RENEWAL_PAUSE: Duration = Duration::from_secs(3);

/// The way to the server, or to a cluster's: connections that all calls share.
#[derive(Clone)]
pub(super) enum Link {
    Single(Arc<Single>),
    Cluster(Arc<Cluster>),
}

impl Link {
    pub(super) async fn single(url: &str) -> Result<Self, StoreError> {
        let client = client(url)?;
        let single = Single::new(client);
        single.place().line().connection(&single.client).await.map_err(unavailable)?;
        Ok(Self::Single(Arc::new(single)))
    }

    pub(super) async fn cluster(nodes: Vec<String>) -> Result<Self, StoreError> {
        let client = cluster_client(nodes)?;
        let connection = client.get_async_connection().await.map_err(unavailable)?;
        Ok(Self::Cluster(Arc::new(Cluster { client, connection: RwLock::new(connection), renewed: Mutex::default() })))
    }

    pub(super) const fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Runs a script once. Where the answer is lost, so is the knowledge whether it ran.
    pub(super) async fn once(&self, call: impl Fn(By) -> Cmd + Sync) -> Result<Value, StoreError> {
        self.run(&call).await.map_err(unavailable)
    }

    /// Runs a script that may run twice: it is tried again once when the connection turns out to be broken.
    pub(super) async fn repeatable(&self, call: impl Fn(By) -> Cmd + Sync) -> Result<Value, StoreError> {
        match self.run(&call).await {
            Err(error) if error.is_connection_dropped() => Box::pin(self.run(&call)).await,
            result => result,
        }
        .map_err(unavailable)
    }

    /// Runs a script by its hash, or sends it where the server does not know it; it does from then on.
    pub(super) async fn run(&self, call: &(impl Fn(By) -> Cmd + Sync)) -> RedisResult<Value> {
        match self.send(call(By::Hash)).await {
            Err(error) if is_no_script(&error) => Box::pin(self.send(call(By::Source))).await,
            result => result,
        }
    }

    /// Replaces a session, once. One command of a server may do that for many calls.
    pub(super) async fn change(&self, change: Replacement) -> Result<Value, StoreError> {
        let alone = |by| Replacement::command(by, slice::from_ref(&change));
        let answer = match self {
            Self::Single(single) => match single.ask(Ask::Change(change.clone())).await {
                Ok(answer) => return Ok(answer.value),
                Err(error) if is_no_script(&error) => Box::pin(self.send(alone(By::Source))).await,
                Err(error) => Err(error),
            },
            Self::Cluster(_) => Box::pin(self.run(&alone)).await,
        };
        match answer.map_err(unavailable)? {
            Value::Array(mut answers) if answers.len() == 1 => answers.remove(0).extract_error().map_err(unavailable),
            other => Ok(other),
        }
    }

    async fn send(&self, command: Cmd) -> RedisResult<Value> {
        match self {
            Self::Single(single) => single.ask(Ask::Alone(command)).await.map(|answer| answer.value),
            Self::Cluster(cluster) => Box::pin(cluster.send(&command)).await.and_then(Value::extract_error),
        }
    }
}

/// The client of a server's URL.
pub(in crate::store) fn client(url: &str) -> Result<Client, StoreError> {
    Client::open(url).map_err(|error| unreadable(&error))
}

/// The client of the URLs of some of a cluster's nodes.
pub(in crate::store) fn cluster_client(nodes: Vec<String>) -> Result<ClusterClient, StoreError> {
    ClusterClient::builder(nodes)
        .connection_timeout(CONNECT_TIMEOUT)
        .response_timeout(RESPONSE_TIMEOUT)
        .build()
        .map_err(|error| unreadable(&error))
}

/// What is wrong with a URL. The value that is wrong is not told: where a `&` is missing there is more in it.
fn unreadable(error: &RedisError) -> StoreError {
    let said = error.to_string();
    let detail = error.detail().map(|detail| format!(": {detail}"));
    StoreError::unavailable(detail.and_then(|detail| said.strip_suffix(&*detail)).unwrap_or(&said))
}

fn is_no_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// A server, and the lines to it of this moment. A thread always takes the same one.
pub(super) struct Single {
    client: Client,
    places: Box<[Place]>,
}

/// More connections than this make more work for the server, and no answer sooner.
const MAX_LINES: usize = 4;

impl Single {
    fn new(client: Client) -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        Self { client, places: (0..threads.min(MAX_LINES)).map(|_| Place::default()).collect() }
    }

    /// Asks what may be asked twice; tried again as [`Link::repeatable`] is.
    pub(super) async fn read(&self, ask: impl Fn() -> Ask + Sync) -> Result<Answer, StoreError> {
        match self.ask(ask()).await {
            Err(error) if error.is_connection_dropped() => Box::pin(self.ask(ask())).await,
            result => result,
        }
        .map_err(unavailable)
    }

    async fn ask(&self, ask: Ask) -> RedisResult<Answer> {
        let place = self.place();
        let line = place.line();
        let connection = line.connection(&self.client).await?;
        let waiting = Waiting { single: self, place, line: &line, answered: false };
        let result = line.queue.ask(connection, ask).await;
        waiting.end(&result);
        result
    }

    fn place(&self) -> &Place {
        &self.places[number_of_this_thread() % self.places.len()]
    }

    /// Leaves a line that broke, and the others with it: what broke one has broken those that were there, and a call that is tried again
    /// on another thread would take one of them.
    fn leave_broken_lines(&self, place: &Place, broken: &Arc<Line>) {
        if place.leave(broken) {
            for other in self.places.iter().filter(|other| !ptr::eq(*other, place)) {
                other.leave(&other.line());
            }
        }
    }

    /// Leaves the lines on which calls were given up, if those calls are enough.
    fn leave_silent_lines(&self) {
        let mut silent: Vec<_> = self.places.iter().map(|place| (place, place.line())).collect();
        silent.retain(|(_, line)| line.unanswered() > 0);
        if silent.iter().map(|(_, line)| line.unanswered()).sum::<u32>() >= UNANSWERED {
            for (place, line) in &silent {
                place.leave(line);
            }
        }
    }
}

fn number_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}

/// Where the line is that some of the threads take.
#[derive(Default)]
struct Place(RwLock<Arc<Line>>);

impl Place {
    fn line(&self) -> Arc<Line> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the next call connect anew, unless another call has seen to it already; whether it was this one.
    fn leave(&self, left: &Arc<Line>) -> bool {
        let mut line = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_there = Arc::ptr_eq(&line, left);
        if is_there {
            *line = Arc::default();
        }
        is_there
    }
}

/// A connection that is made by the first call that needs it.
#[derive(Default)]
struct Line {
    connection: OnceCell<MultiplexedConnection>,
    queue: Arc<Queue>,
    unanswered: AtomicU32,
}

impl Line {
    fn unanswered(&self) -> u32 {
        self.unanswered.load(Ordering::Relaxed)
    }

    async fn connection(&self, client: &Client) -> RedisResult<&MultiplexedConnection> {
        match self.connection.get() {
            Some(connection) => Ok(connection),
            None => Box::pin(self.connection.get_or_try_init(|| connect(client))).await,
        }
    }
}

async fn connect(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(Some(RESPONSE_TIMEOUT));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// A call under way. If it is dropped before the end, its caller gave it up: it timed out, or the client hung up.
struct Waiting<'a> {
    single: &'a Single,
    place: &'a Place,
    line: &'a Arc<Line>,
    answered: bool,
}

impl Waiting<'_> {
    fn end(mut self, result: &RedisResult<Answer>) {
        self.answered = true;
        match result {
            Err(error) if error.is_io_error() || error.is_unrecoverable_error() => {
                self.single.leave_broken_lines(self.place, self.line);
            }
            _ => self.line.unanswered.store(0, Ordering::Relaxed),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.line.unanswered.fetch_add(1, Ordering::Relaxed);
            self.single.leave_silent_lines();
        }
    }
}

/// A cluster, and the connections to its nodes of this moment. They are made anew by the client where they break, but not where a
/// node falls silent: calls that are given up tell of that.
pub(super) struct Cluster {
    client: ClusterClient,
    connection: RwLock<ClusterConnection>,
    /// When they were last made anew.
    renewed: Mutex<Option<Instant>>,
}

impl Cluster {
    async fn send(self: &Arc<Self>, command: &Cmd) -> RedisResult<Value> {
        let mut connection = self.connection.read().unwrap_or_else(PoisonError::into_inner).clone();
        let asking = Asking { cluster: self, answered: false };
        let result = connection.req_packed_command(command).await;
        asking.end(&result);
        result
    }

    /// Connects anew in the background; the calls to the nodes that answer go on meanwhile.
    fn renew(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        if renewed.is_some_and(|last| last.elapsed() < RENEWAL_PAUSE) {
            return;
        }
        *renewed = Some(Instant::now());
        let cluster = Arc::clone(self);
        runtime.spawn(async move {
            if let Ok(connection) = cluster.client.get_async_connection().await {
                *cluster.connection.write().unwrap_or_else(PoisonError::into_inner) = connection;
            }
        });
    }
}

/// A call to a cluster under way, as [`Waiting`] is one to a server.
struct Asking<'a> {
    cluster: &'a Arc<Cluster>,
    answered: bool,
}

impl Asking<'_> {
    fn end(mut self, result: &RedisResult<Value>) {
        self.answered = !matches!(result, Err(error) if error.is_timeout());
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.cluster.renew();
        }
    }
}

/// Of what a server says only the code is told, such as `OOM` or `NOPERM`: the rest may quote the command.
pub(super) fn unavailable(error: RedisError) -> StoreError {
    match error.code() {
        // By `change.lua`.
        Some("FOREIGN") => foreign(),
        Some(code) => StoreError::unavailable(format!("the Redis server answered {code}")),
        None => StoreError::unavailable(error),
    }
}
