//! The connections of a store, and what goes on over them.
//!
//! - **Begun work is the store's.** Connecting, and a statement that was sent, go on in tasks of their own where the caller gives up, and keep the
//!   place of their connection until the server has answered. So there is a connection for the next caller, there are never more connections
//!   than places, at the server either, and no statement is left alone half-way.
//! - **Who waits for a place gets one**, also where callers that have one live and do not ask for their answers ([`hand_over`](crate::store::hand_over)).
//! - **What is several statements under a lock is a task from its beginning.** Else a caller that lives and does not ask for the answer would keep the
//!   lock, at the server, from everybody.
//! - **An error is judged** by [`Verdict`]: whether its connection, or all of them, are over, and whether the statement is sent once more, on
//!   a new connection.
//! - **While a server does not answer**, connecting is tried once a second, beside the attempts that hang. So few places are taken
//!   when it is back.
//!
//! A store that connects by itself keeps its connections here: sqlx's pool tests each one with one more round trip, before it is given out or
//! after it is given back.

use std::future::Future;
use std::io;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions as _, Connection as _, Database, Error, Pool, Result};
use tokio::runtime::{self, Handle};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::options::Login;
use super::verdict::{Connection, Verdict};
use crate::locks::Place;
use crate::log::Chain;
use crate::store::hand_over::{Stage, UnderWay, by_task};

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// While attempts to connect hang, this long after the last one began another one does.
const PACE: Duration = Duration::from_secs(1);

/// Whoever waits this long for a place lets those go on that have one and are not asked for their answers.
const HELD_UP: Duration = Duration::from_millis(100);

/// A connection that was idle this long is tested before it is used: the server may have gone meanwhile.
const TEST_AFTER: Duration = Duration::from_secs(1);

/// How long such a test, or a goodbye, may take.
const TEST_TIMEOUT: Duration = Duration::from_secs(1);

/// How much longer than a statement may take it is waited for the server's word that it has ended it. In MySQL, waits for locks end after
/// whole seconds.
#[cfg_attr(not(any(feature = "mysql", feature = "postgres")), allow(dead_code, reason = "SQLite is no server"))]
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// How long a statement may take on a connection of a pool, whose server has not been told a limit.
#[cfg_attr(not(any(feature = "mysql", feature = "postgres")), allow(dead_code, reason = "SQLite is no server"))]
pub(super) const PATIENCE_WITH_A_POOL: Duration = Duration::from_secs(30);

/// A database, as far as connections to it differ.
pub(super) trait Engine: Database<Connection: Send> {
    /// What a store depends on: it is set, or refused where it is not so, on each new connection.
    type Terms: Send + Sync + 'static;

    /// The options of a connection with the user and password of this moment.
    fn log_in(options: Options<Self>, user: Option<&str>, password: &str) -> Options<Self>;

    /// Sets what the store depends on, and fails where that cannot be had.
    fn agree(connection: &mut Self::Connection, terms: &Self::Terms) -> impl Future<Output = Result<()>> + Send;

    /// Why the connections are over, where that can be told without asking them.
    fn are_over(_: &Self::Terms, _now: Instant) -> Option<Error> {
        None
    }

    /// Why there is no connection, in words that say what to do.
    fn explain(error: Error) -> Error {
        error
    }
}

pub(super) type Options<D> = <<D as Database>::Connection as sqlx::Connection>::Options;

/// What is done with a connection: a statement, as a rule.
pub(super) trait Work<D: Engine>: Clone + Send + Sync + 'static {
    type Answer: Send + 'static;

    /// Whether it is several statements that keep others waiting until the last one: a transaction, for one. It bounds each by
    /// [`bounded`], since the whole may take longer.
    const HOLDS_LOCK: bool = false;

    /// Waits until no work of this process is under way that it would wait for at the server, where it would have a connection meanwhile.
    /// Asked only where it holds a lock.
    fn line(&self) -> impl Future<Output = Option<Line>> + Send {
        async { None }
    }

    fn run(self, connection: &mut InUse<D>) -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// The first place in a line, as long as it is there.
pub(super) type Line = Place<[u8; 32]>;

/// Whether what may have been done may be done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It may: it reads, or renews.
    Harmless,
    /// It may not.
    Never,
}

pub(super) struct Connections<D: Engine>(Arc<Shared<D>>);

struct Shared<D: Engine> {
    source: Source<D>,
    places: Arc<Semaphore>,
    limit: u32,
    /// How long a statement may take until the server counts as silent. Slower ones it ends by itself before.
    patience: Duration,
    /// The last that was heard is that the server is not to be had.
    is_away: AtomicBool,
    under_way: Arc<UnderWay>,
}

enum Source<D: Engine> {
    Own(Own<D>),
    Given(Pool<D>, Mutex<u64>),
}

/// Connections that the store makes.
struct Own<D: Engine> {
    options: Options<D>,
    login: Option<Login>,
    terms: D::Terms,
    state: Mutex<State<D>>,
    /// A connection was given back, or an attempt to make one has ended.
    news: Notify,
}

struct State<D: Engine> {
    idle: Vec<Idle<D>>,
    /// Counts the times that all connections were over: one of an earlier time is not used again.
    era: u64,
    /// The attempts to connect that are under way, and when the newest began.
    attempts: u32,
    newest: Instant,
    /// The last attempt to end was a success.
    is_trusted: bool,
}

struct Idle<D: Engine> {
    connection: D::Connection,
    since: Instant,
    /// Its socket works as long as the runtime does that it was made in.
    runtime: runtime::Id,
}

/// Where the next connection comes from.
enum Next<D: Engine> {
    Ready(D::Connection, u64),
    Test(D::Connection, u64, Attempt<D>),
    Connect(Attempt<D>),
    Wait,
}

impl<D: Engine> Connections<D> {
    /// Up to `limit` connections, made when they are needed; the first one now, to know that it can be.
    pub(super) async fn own(
        options: Options<D>,
        login: Option<Login>,
        terms: D::Terms,
        limit: u32,
        patience: Duration,
    ) -> Result<Self> {
        let state = State { idle: Vec::new(), era: 0, attempts: 0, newest: Instant::now(), is_trusted: true };
        let options = options.disable_statement_logging();
        let source = Source::Own(Own { options, login, terms, state: Mutex::new(state), news: Notify::new() });
        let connections = Self::new(source, limit, patience);
        connections.take().await?;
        Ok(connections)
    }

    /// The connections of a pool that is there already.
    pub(super) fn given(pool: Pool<D>, patience: Duration) -> Self {
        let limit = pool.options().get_max_connections();
        Self::new(Source::Given(pool, Mutex::new(0)), limit, patience)
    }

    fn new(source: Source<D>, limit: u32, patience: Duration) -> Self {
        let limit = limit.max(1);
        let places = Arc::new(Semaphore::new(limit as usize));
        Self(Arc::new(Shared { source, places, limit, patience, is_away: AtomicBool::new(false), under_way: Arc::default() }))
    }

    /// What new connections have to agree to, where the store makes them.
    #[cfg_attr(not(any(feature = "mysql", feature = "postgres")), allow(dead_code, reason = "SQLite is no server"))]
    pub(super) fn terms(&self) -> Option<&D::Terms> {
        match &self.0.source {
            Source::Own(own) => Some(&own.terms),
            Source::Given(..) => None,
        }
    }

    /// Does the work, once more on a new connection where that is right.
    pub(super) async fn call<W: Work<D>>(&self, work: W, again: Again) -> Result<W::Answer> {
        let connections = self.clone();
        let work = move |stage| async move { connections.work(work, again, stage).await };
        let answer = if W::HOLDS_LOCK { by_task(work).await } else { self.0.under_way.by_caller(work).await };
        answer.unwrap_or_else(broken)
    }

    async fn work<W: Work<D>>(&self, work: W, again: Again, stage: Stage) -> Result<W::Answer> {
        let _line = if W::HOLDS_LOCK { work.line().await } else { None };
        let lease = self.take().await?;
        stage.begin();
        let answer = lease.run(work.clone()).await;
        let Err(error) = &answer else { return answer };
        if !Verdict::of(error).asks_for_another_connection(again == Again::Harmless) {
            return answer;
        }
        // Nor does it begin a second time where its caller is gone.
        if !stage.wait_again() {
            return answer;
        }
        let lease = self.take().await?;
        stage.begin();
        lease.run(work).await
    }

    /// A connection beside these, for the caller alone.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "only PostgreSQL has poolers that mix statements up"))]
    pub(super) async fn one_more(&self) -> Result<Box<D::Connection>> {
        match &self.0.source {
            Source::Own(own) => bounded(CONNECT_TIMEOUT, own.connect()).await.map(Box::new),
            Source::Given(..) => Err(Error::PoolClosed),
        }
    }

    /// Waits for what was begun, and closes the connections that the store made. From then on there is none to take.
    pub(super) async fn close(&self) {
        // Fails where they are closed already.
        let Ok(_all) = self.places(self.0.limit).await else { return };
        self.0.places.close();
        if let Source::Own(own) = &self.0.source {
            let idle = mem::take(&mut own.state().idle);
            goodbye_to::<D>(idle.into_iter().map(|idle| idle.connection).collect()).await;
        }
    }

    /// Places of connections. Those who have them let go of them, also where nobody asks for the answers to what they do.
    async fn places(&self, number: u32) -> Result<OwnedSemaphorePermit> {
        let places = Arc::clone(&self.0.places);
        if let Ok(places) = Arc::clone(&places).try_acquire_many_owned(number) {
            return Ok(places);
        }
        let mut places = pin!(places.acquire_many_owned(number));
        loop {
            match timeout(HELD_UP, &mut places).await {
                Ok(places) => return places.map_err(|_| Error::PoolClosed),
                Err(_) => self.0.under_way.go_on(),
            }
        }
    }

    /// A connection that is there, or a new one. Its place is waited for here, and goes back where the caller gives up.
    async fn take(&self) -> Result<Lease<D>> {
        let mut place = self.places(1).await?;
        let shared = Arc::clone(&self.0);
        let own = match &self.0.source {
            Source::Given(pool, era) => {
                let (pool, era) = (pool.clone(), *locked(era));
                let acquired = move |stage: Stage| async move {
                    stage.begin();
                    let connection = shared.noted(pool.acquire().await)?;
                    let held = Held::Given(Lent { connection, goes_back: false });
                    Ok(Lease { held: Some(held), era, shared, place: Some(place) })
                };
                return self.0.under_way.by_caller(acquired).await.unwrap_or_else(broken);
            }
            Source::Own(own) => own,
        };
        let here = Handle::current().id();
        loop {
            let shared = Arc::clone(&shared);
            match Shared::next(&self.0, own, here) {
                Next::Ready(connection, era) => return Ok(Lease::own(connection, here, era, shared, place)),
                Next::Test(connection, era, attempt) => {
                    match begin(shared.test((connection, era), attempt, here, place)).await? {
                        Tested::Sound(lease) => return Ok(lease),
                        Tested::Gone(kept) => place = kept,
                    }
                }
                Next::Connect(attempt) => return begin(shared.connect(attempt, here, place)).await,
                Next::Wait => drop(timeout(PACE / 20, own.news.notified()).await),
            }
        }
    }
}

impl<D: Engine> Clone for Connections<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Engine> Shared<D> {
    fn next(shared: &Arc<Self>, own: &Own<D>, here: runtime::Id) -> Next<D> {
        let now = Instant::now();
        if let Some(error) = D::are_over(&own.terms, now) {
            shared.all_over(shared.era(), &error);
        }
        let mut state = own.state();
        if let Some(at) = state.idle.iter().rposition(|idle| idle.runtime == here) {
            let idle = state.idle.remove(at);
            if now.saturating_duration_since(idle.since) < TEST_AFTER {
                return Next::Ready(idle.connection, state.era);
            }
            return Next::Test(idle.connection, state.era, Attempt::begin(shared, &mut state, now));
        }
        if state.attempts > 0 {
            let hangs = now.saturating_duration_since(state.newest) >= PACE;
            if hangs {
                state.is_trusted = false;
            }
            if !state.is_trusted && !hangs {
                return Next::Wait;
            }
        }
        // In place of one that cannot be used here, so that there are never more than places.
        let instead_of = state.idle.pop();
        let attempt = Attempt::begin(shared, &mut state, now);
        drop(state);
        say_goodbye::<D>(instead_of.into_iter().map(|idle| idle.connection).collect());
        Next::Connect(attempt)
    }

    /// Whether a connection that was idle is there still. Where it is gone, so are those that were idle with it.
    async fn test(
        self: Arc<Self>,
        (mut connection, era): (D::Connection, u64),
        mut attempt: Attempt<D>,
        here: runtime::Id,
        place: OwnedSemaphorePermit,
    ) -> Result<Tested<D>> {
        if let Err(error) = bounded(TEST_TIMEOUT, connection.ping()).await {
            say_goodbye::<D>(vec![connection]);
            self.all_over(era, &error);
            return Ok(Tested::Gone(place));
        }
        attempt.is_success = true;
        Ok(Tested::Sound(Lease::own(connection, here, era, self, place)))
    }

    async fn connect(
        self: Arc<Self>,
        mut attempt: Attempt<D>,
        here: runtime::Id,
        place: OwnedSemaphorePermit,
    ) -> Result<Lease<D>> {
        let Source::Own(own) = &self.source else { return Err(Error::PoolClosed) };
        let era = self.era();
        let connection = self.noted(bounded(CONNECT_TIMEOUT, own.connect()).await)?;
        attempt.is_success = true;
        Ok(Lease::own(connection, here, era, self, place))
    }

    /// Ends the connections that are idle, and those in use when they come back. What befell one of an earlier time says nothing of those that
    /// were made since.
    fn all_over(&self, era: u64, error: &Error) {
        match &self.source {
            Source::Own(own) => {
                let mut state = own.state();
                if state.era != era {
                    return;
                }
                state.era += 1;
                state.is_trusted = false;
                let idle = mem::take(&mut state.idle);
                drop(state);
                say_goodbye::<D>(idle.into_iter().map(|idle| idle.connection).collect());
            }
            Source::Given(pool, now) => {
                let mut now = locked(now);
                if *now != era {
                    return;
                }
                *now += 1;
                drop(now);
                while let Some(mut connection) = pool.try_acquire() {
                    connection.close_on_drop();
                }
            }
        }
        self.went_away(error);
    }

    fn era(&self) -> u64 {
        match &self.source {
            Source::Own(own) => own.state().era,
            Source::Given(_, era) => *locked(era),
        }
    }

    /// What a result says of the server's being there.
    fn noted<R>(&self, result: Result<R>) -> Result<R> {
        match &result {
            Ok(_) => self.came_back(),
            Err(error) if Verdict::of(error).connection != Connection::Sound => self.went_away(error),
            // A pool that others have emptied, for one.
            Err(_) => {}
        }
        result
    }

    fn went_away(&self, error: &Error) {
        if !self.is_away.swap(true, Ordering::Relaxed) {
            tracing::warn!(engine = <D as Database>::NAME, error = %Chain(error), "the session store has lost its server");
        }
    }

    fn came_back(&self) {
        if self.is_away.load(Ordering::Relaxed) && self.is_away.swap(false, Ordering::Relaxed) {
            tracing::info!(engine = <D as Database>::NAME, "the session store has its server again");
        }
    }
}

impl<D: Engine> Drop for Shared<D> {
    fn drop(&mut self) {
        if let Source::Own(own) = &mut self.source {
            let state = own.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            say_goodbye::<D>(mem::take(&mut state.idle).into_iter().map(|idle| idle.connection).collect());
        }
    }
}

impl<D: Engine> Own<D> {
    async fn connect(&self) -> Result<D::Connection> {
        let mut options = self.options.clone();
        if let Some(login) = &self.login {
            let credentials = login.credentials().await.map_err(Error::Configuration)?;
            options = D::log_in(options, credentials.user.as_deref(), &credentials.password);
        }
        let mut connection = options.connect().await.map_err(D::explain)?;
        D::agree(&mut connection, &self.terms).await?;
        Ok(connection)
    }

    fn state(&self) -> MutexGuard<'_, State<D>> {
        locked(&self.state)
    }
}

/// An attempt to connect that is under way.
struct Attempt<D: Engine> {
    shared: Arc<Shared<D>>,
    is_success: bool,
}

impl<D: Engine> Attempt<D> {
    fn begin(shared: &Arc<Shared<D>>, state: &mut State<D>, now: Instant) -> Self {
        state.attempts += 1;
        state.newest = now;
        Self { shared: Arc::clone(shared), is_success: false }
    }
}

impl<D: Engine> Drop for Attempt<D> {
    fn drop(&mut self) {
        let Source::Own(own) = &self.shared.source else { return };
        let mut state = own.state();
        state.attempts -= 1;
        state.is_trusted = self.is_success;
        drop(state);
        own.news.notify_waiters();
    }
}

/// A connection with its place. One that is dropped before it was used goes back.
struct Lease<D: Engine> {
    held: Option<Held<D>>,
    era: u64,
    shared: Arc<Shared<D>>,
    /// Goes back after the connection did.
    place: Option<OwnedSemaphorePermit>,
}

/// A connection that was tested; the place of one that is gone.
enum Tested<D: Engine> {
    Sound(Lease<D>),
    Gone(OwnedSemaphorePermit),
}

enum Held<D: Engine> {
    Own(D::Connection, runtime::Id),
    Given(Lent<D>),
}

/// A connection of a pool. It ends, unless it is said that it goes back: work that panics may leave anything behind.
struct Lent<D: Engine> {
    connection: PoolConnection<D>,
    goes_back: bool,
}

impl<D: Engine> Drop for Lent<D> {
    fn drop(&mut self) {
        if !self.goes_back {
            self.connection.close_on_drop();
        }
    }
}

/// A connection, while work has it.
pub(super) struct InUse<D: Engine> {
    held: Held<D>,
    patience: Duration,
    /// What befell it beside the answer of the work, and what is left of it.
    spoilt: Option<(Connection, Error)>,
}

impl<D: Engine> InUse<D> {
    /// How long the server may be silent about one statement.
    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// What is left of it after this work is no more than this, whatever that answers.
    pub(super) fn spoil(&mut self, left: Connection, error: Error) {
        if left > self.spoilt.as_ref().map_or(Connection::Sound, |(left, _)| *left) {
            self.spoilt = Some((left, error));
        }
    }

    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only with a file is more done after it"))]
    pub(super) const fn is_spoilt(&self) -> bool {
        self.spoilt.is_some()
    }
}

impl<D: Engine> Deref for InUse<D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        match &self.held {
            Held::Own(connection, _) => connection,
            Held::Given(lent) => &lent.connection,
        }
    }
}

impl<D: Engine> DerefMut for InUse<D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        match &mut self.held {
            Held::Own(connection, _) => connection,
            Held::Given(lent) => &mut lent.connection,
        }
    }
}

impl<D: Engine> Lease<D> {
    fn own(connection: D::Connection, here: runtime::Id, era: u64, shared: Arc<Shared<D>>, place: OwnedSemaphorePermit) -> Self {
        Self { held: Some(Held::Own(connection, here)), era, shared, place: Some(place) }
    }

    /// Does the work to its end, whether or not the caller waits for it.
    async fn run<W: Work<D>>(mut self, work: W) -> Result<W::Answer> {
        let Some(held) = self.held.take() else { return Err(Error::PoolClosed) };
        let mut connection = InUse { held, patience: self.shared.patience, spoilt: None };
        let answer = if W::HOLDS_LOCK {
            work.run(&mut connection).await
        } else {
            bounded(self.shared.patience, work.run(&mut connection)).await
        };
        let InUse { held, spoilt, .. } = connection;
        let of_answer = answer.as_ref().err().map(|error| (Verdict::of(error).connection, error));
        let beside = spoilt.as_ref().map(|(left, error)| (*left, error));
        match [of_answer, beside].into_iter().flatten().max_by_key(|(left, _)| *left) {
            None | Some((Connection::Sound, _)) => {
                self.shared.came_back();
                self.give_back(held);
            }
            Some((Connection::Over, _)) => Self::end(held),
            Some((Connection::AllOver, error)) => {
                Self::end(held);
                self.shared.all_over(self.era, error);
            }
        }
        answer
    }

    fn give_back(&self, held: Held<D>) {
        match (held, &self.shared.source) {
            (Held::Own(connection, runtime), Source::Own(own)) => {
                let mut state = own.state();
                if state.era == self.era && !self.shared.places.is_closed() {
                    state.idle.push(Idle { connection, since: Instant::now(), runtime });
                    drop(state);
                    own.news.notify_one();
                } else {
                    drop(state);
                    say_goodbye::<D>(vec![connection]);
                }
            }
            (Held::Given(mut lent), _) => lent.goes_back = self.era == self.shared.era(),
            (held @ Held::Own(..), _) => Self::end(held),
        }
    }

    fn end(held: Held<D>) {
        match held {
            Held::Own(connection, _) => say_goodbye::<D>(vec![connection]),
            Held::Given(lent) => drop(lent),
        }
    }
}

impl<D: Engine> Drop for Lease<D> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.give_back(held);
        }
        drop(self.place.take());
    }
}

/// Does what outlives its caller in a task of its own.
async fn begin<R: Send + 'static>(work: impl Future<Output = Result<R>> + Send + 'static) -> Result<R> {
    tokio::spawn(work).await.unwrap_or_else(|_| broken())
}

fn broken<R>() -> Result<R> {
    Err(Error::Io(io::Error::other("the task that talked to the database ended before it was done")))
}

/// What is silent for longer than this counts as gone.
pub(super) async fn bounded<R>(limit: Duration, run: impl Future<Output = Result<R>>) -> Result<R> {
    let silent = || {
        let said = format!("the database did not answer within {} ms", limit.as_millis());
        Err(Error::Io(io::Error::new(io::ErrorKind::TimedOut, said)))
    };
    timeout(limit, run).await.unwrap_or_else(|_| silent())
}

/// Tells the server that these connections end, so that its log has no complaint; nobody waits for it.
fn say_goodbye<D: Engine>(connections: Vec<D::Connection>) {
    if connections.is_empty() {
        return;
    }
    // Where no runtime is left, they just end.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(goodbye_to::<D>(connections));
    }
}

async fn goodbye_to<D: Engine>(connections: Vec<D::Connection>) {
    for connection in connections {
        // A server that does not hear it notices by itself.
        let _ = bounded(TEST_TIMEOUT, connection.close()).await;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests {
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    use super::*;

    /// Begins a transaction, and panics.
    #[derive(Clone)]
    struct Panics;

    impl Work<sqlx::Sqlite> for Panics {
        type Answer = ();

        async fn run(self, connection: &mut InUse<sqlx::Sqlite>) -> Result<()> {
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut **connection).await?;
            panic!("work that panics, as this test has it");
        }
    }

    #[tokio::test]
    async fn a_connection_in_whose_use_something_panicked_does_not_go_back_to_its_pool() {
        let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
        let connections = Connections::given(pool.clone(), CONNECT_TIMEOUT);
        let panicked = tokio::spawn(async move { connections.call(Panics, Again::Never).await }).await;
        assert!(panicked.unwrap_err().is_panic());
        sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK").execute(&pool).await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_is_tested_while_all_of_its_time_are_over_is_not_kept() {
        let options = SqliteConnectOptions::new().in_memory(true);
        let connections: Connections<sqlx::Sqlite> = Connections::own(options, None, None, 2, CONNECT_TIMEOUT).await.unwrap();
        let shared = &connections.0;
        let Source::Own(own) = &shared.source else { panic!("they are the store's") };
        let since = Instant::now().checked_sub(2 * TEST_AFTER).unwrap();
        own.state().idle.iter_mut().for_each(|idle| idle.since = since);
        let here = Handle::current().id();
        let Next::Test(connection, era, attempt) = Shared::next(shared, own, here) else { panic!("it was idle for long") };
        shared.all_over(era, &Error::WorkerCrashed);
        let place = Arc::clone(&shared.places).acquire_owned().await.unwrap();
        let tested = Arc::clone(shared).test((connection, era), attempt, here, place).await.unwrap();
        drop(tested);
        assert!(own.state().idle.is_empty());
    }
}
