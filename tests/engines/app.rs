//! The program whose sessions the tests look at: a counter, served over HTTP, in this process or in one of its own.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use session_runtime::store::{self, AnyStore, Key, Limits, Namespace, NewSession, Origin};
use session_runtime::{SessionData, SessionError, SessionId, SessionLayer, standard};
use tokio::sync::Notify;

/// The environment variable that names the store of a process of its own.
const STORE: &str = "ENGINES_APP_STORE";

/// The one that says, in milliseconds, how long its sessions live unused.
pub const IDLE: &str = "ENGINES_APP_IDLE";

/// The one that makes it serve the site of [`owners`](crate::owners) instead, and says what becomes of one session too many.
pub const OWNERS: &str = "ENGINES_APP_OWNERS";

/// How long sessions live unused, unless told otherwise.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    pub count: u64,
    pub name: Option<String>,
}

type Session = SessionData<Counter>;

/// How long a store may take, unless told otherwise; and how long tests wait for what comes by itself. It is long enough for every
/// machine, however busy, so that a test fails by this only where something hangs.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How long a store may take where a test is about one that does not answer: as users have it.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// Waits until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How often a test does what it does in every run, or where `LONG_RUN` is set.
pub fn usually(usual: u32, in_a_long_run: u32) -> u32 {
    if std::env::var_os("LONG_RUN").is_some() { in_a_long_run } else { usual }
}

/// The key by which the counter's layer, which has the default name of the cookie, keeps the session with this id.
pub fn key(id: &SessionId) -> Key<'_> {
    static NAMESPACE: LazyLock<Namespace> = LazyLock::new(|| Namespace::new("SESSION_ID"));
    Key::new(&NAMESPACE, id)
}

/// A session that a change creates.
pub fn new_session(data: impl Into<Arc<Counter>>, idle: Duration, absolute: Option<Duration>) -> NewSession<Counter> {
    NewSession::new(data.into(), Limits::new(idle, absolute), Origin::Change)
}

pub async fn connect(url: &str) -> AnyStore<Counter> {
    store::connect(url).await.unwrap_or_else(|error| panic!("{error}"))
}

pub fn router(store: AnyStore<Counter>) -> Router {
    router_for(store, PATIENCE, DAY)
}

/// The counter, whose sessions live for `idle` unused.
pub fn router_for(store: AnyStore<Counter>, store_timeout: Duration, idle: Duration) -> Router {
    let layer = SessionLayer::<Counter>::builder()
        .store(store)
        .secure(false)
        .session_expire(idle)
        .store_timeout(store_timeout)
        .middleware(standard::lazy_session_middleware)
        .build()
        .unwrap();
    Router::new()
        .route("/", get(async |session: Session| session.count.to_string()))
        .route("/add", post(add))
        .route("/name/{name}", post(name))
        .route("/slow/{millis}", post(slow))
        .route("/held/{name}", post(held))
        .route("/rotate", post(async |session: Session| session.rotate().await))
        .route("/rotate/within/{millis}", post(rotate_within))
        .route("/logout", post(log_out))
        .route("/clock", get(clock))
        .layer(layer)
}

async fn add(session: Session) -> Result<String, SessionError> {
    session
        .update(|counter| {
            counter.count += 1;
            counter.count.to_string()
        })
        .await
}

async fn name(session: Session, Path(name): Path<String>) -> Result<(), SessionError> {
    session.set(Counter { count: session.count, name: Some(name) }).await
}

/// Adds one a while after the session was read.
async fn slow(session: Session, Path(millis): Path<u64>) -> Result<String, SessionError> {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    add(session).await
}

/// Where a request waits between reading its session and changing it: it says that it is there, and goes on when it is let.
#[derive(Default)]
pub struct Hold {
    pub is_there: Notify,
    pub go_on: Notify,
}

/// That of the requests to `/held/{name}` in this process.
pub fn hold(name: &str) -> Arc<Hold> {
    static HOLDS: LazyLock<Mutex<HashMap<String, Arc<Hold>>>> = LazyLock::new(Mutex::default);
    Arc::clone(HOLDS.lock().unwrap().entry(name.to_owned()).or_default())
}

/// Adds one when it is let, after the session was read.
async fn held(session: Session, Path(name): Path<String>) -> Result<String, SessionError> {
    let hold = hold(&name);
    hold.is_there.notify_one();
    hold.go_on.notified().await;
    add(session).await
}

/// Answers after this time, whatever has become of it.
async fn rotate_within(session: Session, Path(millis): Path<u64>) {
    let _ = tokio::time::timeout(Duration::from_millis(millis), session.rotate()).await;
}

async fn log_out(session: Session) -> Result<StatusCode, SessionError> {
    session.destroy().await.map(|()| StatusCode::OK)
}

/// The seconds since 1970, as this process sees them.
async fn clock() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs().to_string()
}

/// Serves the counter in this process; the address.
pub async fn serve(store: AnyStore<Counter>) -> String {
    serve_router(router(store)).await
}

/// The same, for a store that may take so long.
pub async fn serve_within(store_timeout: Duration, store: AnyStore<Counter>) -> String {
    serve_router(router_for(store, store_timeout, DAY)).await
}

pub async fn serve_router(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// The counter in a process of its own, which ends when this is dropped.
pub struct Process {
    child: Child,
    /// Stays open: the harness that runs the process says after a minute that it runs, and ends where nobody hears it.
    _output: Lines<BufReader<ChildStdout>>,
    pub address: String,
}

impl Process {
    pub fn start(store: &str) -> Self {
        Self::start_with(store, [])
    }

    /// Starts it with further environment variables.
    pub fn start_with<'a>(store: &str, environment: impl IntoIterator<Item = (&'a str, &'a std::path::Path)>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.envs(environment);
        Self::run(command, store)
    }

    /// Starts it by way of `command`, which may set more, such as another clock.
    pub fn run(mut command: Command, store: &str) -> Self {
        command.args(["--exact", "app::process", "--ignored", "--nocapture"]).env(STORE, store);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut addresses =
            output.by_ref().map_while(Result::ok).filter_map(|line| Some(line.split_once("serving at ")?.1.to_owned()));
        let address = addresses.next().expect("the process says where it serves");
        Self { child, _output: output, address }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, as a power failure would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    /// It ends by itself once its input is closed, and so does what was started around it, which takes away what it left lying about.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if start.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What a process of its own runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other tests run it, as a process of its own"]
async fn process() {
    let Ok(url) = std::env::var(STORE) else { return };
    let idle = std::env::var(IDLE).map_or(DAY, |millis| Duration::from_millis(millis.parse().unwrap()));
    let router = match std::env::var(OWNERS) {
        Ok(when_full) => crate::owners::router(store::connect(&url).await.unwrap(), &when_full),
        Err(_) => router_for(connect(&url).await, PATIENCE, idle),
    };
    println!("serving at {}", serve_router(router).await);
    // Ends with the process that started it, whose end closes this input.
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await.unwrap();
    std::process::exit(0);
}
