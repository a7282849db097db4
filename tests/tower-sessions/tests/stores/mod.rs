//! The stores of tower-sessions that the tests go through, and stores whose writes or reads are held.
#![allow(dead_code)] // each test file uses what it needs

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::Result;
use tower_sessions::{CachingSessionStore, MemoryStore, SessionStore};
use tower_sessions_moka_store::MokaStore;
use tower_sessions_sqlx_store::SqliteStore;
use tower_sessions_sqlx_store::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

/// Runs a check with each store, named.
#[macro_export]
macro_rules! with_each_store {
    ($check:expr) => {{
        $check("memory", tower_sessions::MemoryStore::default()).await;
        $check("moka", tower_sessions_moka_store::MokaStore::new(None)).await;
        $check("sqlite", $crate::stores::sqlite().await).await;
        $check("moka before sqlite", $crate::stores::cached().await).await;
    }};
}

pub fn memory() -> MemoryStore {
    MemoryStore::default()
}

pub async fn cached() -> CachingSessionStore<MokaStore, SqliteStore> {
    CachingSessionStore::new(MokaStore::new(None), sqlite().await)
}

/// A store in a file of its own, in cargo's folder for that.
pub async fn sqlite() -> SqliteStore {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let file = format!("{}/{}-{number}.db", env!("CARGO_TARGET_TMPDIR"), env!("CARGO_CRATE_NAME"));
    let _ = std::fs::remove_file(&file);
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true).busy_timeout(Duration::from_secs(20));
    let store = SqliteStore::new(SqlitePoolOptions::new().max_connections(4).connect_with(options).await.unwrap());
    store.migrate().await.unwrap();
    store
}

/// Where calls of a store are held: they say that they are there, and go on when they are let.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Held>);

#[derive(Debug)]
struct Held {
    /// How many have come, how many of them may go on, and how many are done.
    come: watch::Sender<usize>,
    may_go_on: watch::Sender<usize>,
    done: watch::Sender<usize>,
}

impl Gate {
    /// All calls are held until they are let go on.
    pub fn new() -> Self {
        let count = || watch::Sender::new(0);
        Self(Arc::new(Held { come: count(), may_go_on: count(), done: count() }))
    }

    async fn pass(&self) {
        let mut number = 0;
        self.0.come.send_modify(|come| {
            *come += 1;
            number = *come;
        });
        self.0.may_go_on.subscribe().wait_for(|may| *may >= number).await.unwrap();
    }

    fn end(&self) {
        self.0.done.send_modify(|done| *done += 1);
    }

    /// Waits until so many calls have come.
    pub async fn have_come(&self, calls: usize) {
        self.0.come.subscribe().wait_for(|come| *come >= calls).await.unwrap();
    }

    /// Lets the first `calls` go on.
    pub fn let_go_on(&self, calls: usize) {
        self.0.may_go_on.send_modify(|may| *may = calls);
    }

    /// Waits until so many are done.
    pub async fn are_done(&self, calls: usize) {
        self.0.done.subscribe().wait_for(|done| *done >= calls).await.unwrap();
    }
}

/// A store whose writes are held, as those are that a server which is busy has been sent.
#[derive(Debug, Clone)]
pub struct HeldWrites<S>(pub S, pub Gate);

#[async_trait]
impl<S: SessionStore + Clone> SessionStore for HeldWrites<S> {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.0.create(record).await
    }

    /// Goes on when nobody waits for it any more, as a statement that a server has been sent does.
    async fn save(&self, record: &Record) -> Result<()> {
        let (Self(store, gate), record) = (self.clone(), record.clone());
        let write = async move {
            gate.pass().await;
            let saved = store.save(&record).await;
            gate.end();
            saved
        };
        tokio::spawn(write).await.unwrap()
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.0.load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.0.delete(id).await
    }
}

/// A store whose answers to reads are held on their way.
#[derive(Debug)]
pub struct HeldReads<S>(pub S, pub Gate);

#[async_trait]
impl<S: SessionStore> SessionStore for HeldReads<S> {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.0.create(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.0.save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let found = self.0.load(id).await;
        self.1.pass().await;
        found
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.0.delete(id).await
    }
}
