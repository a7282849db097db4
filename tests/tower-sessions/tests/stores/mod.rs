//! The stores of tower-sessions that the tests go through, and stores that are slow to write and to read.
#![allow(dead_code)] // each test file uses what it needs

use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
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

/// How long a store takes: each time, or only at first.
#[derive(Debug, Clone)]
pub struct Takes(Arc<Mutex<Duration>>, bool);

impl Takes {
    pub fn always(time: Duration) -> Self {
        Self(Arc::new(Mutex::new(time)), true)
    }

    pub fn at_first(time: Duration) -> Self {
        Self(Arc::new(Mutex::new(time)), false)
    }

    async fn pass(&self) {
        let time = {
            let mut time = self.0.lock().unwrap();
            if self.1 { *time } else { mem::take(&mut *time) }
        };
        tokio::time::sleep(time).await;
    }
}

/// A store whose writes take a while, as those of a server that is busy do.
#[derive(Debug, Clone)]
pub struct SlowToWrite<S>(pub S, pub Takes);

#[async_trait]
impl<S: SessionStore + Clone> SessionStore for SlowToWrite<S> {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.0.create(record).await
    }

    /// Goes on when nobody waits for it any more, as a statement that a server has been sent does.
    async fn save(&self, record: &Record) -> Result<()> {
        let (Self(store, takes), record) = (self.clone(), record.clone());
        let write = async move {
            takes.pass().await;
            store.save(&record).await
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

/// A store whose answers to reads take a while on their way.
#[derive(Debug)]
pub struct SlowToRead<S>(pub S, pub Takes);

#[async_trait]
impl<S: SessionStore> SessionStore for SlowToRead<S> {
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
