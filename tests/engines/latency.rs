//! How long a store's operations take beside each other. A figure for the docs, not a promise:
//! `cargo test --features all-stores --test engines -- latency --ignored --nocapture`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_runtime::SessionId;
use session_runtime::store::{AnyStore, Change, Loaded, MemoryStore, Replaced, Store};
use sqlx::{Executor, MySqlPool};

use crate::app::{Counter, connect, key, new_session};
use crate::servers;

const TIMES: usize = 1000;

struct Figures {
    name: &'static str,
    read: Duration,
    change: Duration,
}

/// The time that a tenth of the operations stay below, one after the other: the rest waited for the machine.
async fn measure(name: &'static str, store: AnyStore<Counter>) -> Figures {
    let id = SessionId::parse(&"latency".repeat(10)).unwrap();
    let data = Arc::new(Counter { count: 1, name: Some("x".repeat(200)) });
    store.create(key(&id), new_session(Arc::clone(&data), Duration::from_secs(3600), None)).await.unwrap();
    let (mut reads, mut changes) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let start = Instant::now();
        let Loaded::Found(record) = store.load(key(&id)).await.unwrap() else { panic!("{name}") };
        reads.push(start.elapsed());
        let start = Instant::now();
        let replaced = store.replace(key(&id), record.version, Change::new(Arc::clone(&data))).await.unwrap();
        changes.push(start.elapsed());
        assert!(matches!(replaced, Replaced::Replaced(_)), "{name}");
    }
    let tenth = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[TIMES / 10]
    };
    Figures { name, read: tenth(reads), change: tenth(changes) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures"]
async fn of_a_read_and_a_change_in_each_engine() {
    let (redis, always) =
        (servers::start_redis(), servers::start_redis_with(&["--appendonly", "yes", "--appendfsync", "always"]));
    let postgres = servers::start_postgres_with(&["-c", "fsync=on"]);
    let mariadb = servers::start_mariadb();
    let pool = MySqlPool::connect(mariadb.url()).await.unwrap();
    pool.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1").await.unwrap();
    // On a disk, which the temporary folder need not be.
    let file = format!("{}/latency.db", env!("CARGO_TARGET_TMPDIR"));
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{file}{suffix}"));
    }
    let figures = [
        measure("Redis", connect(redis.url()).await).await,
        measure("Redis, appendfsync always", connect(always.url()).await).await,
        measure("memory", AnyStore::new(MemoryStore::new())).await,
        measure("SQLite", connect(&format!("sqlite://{file}")).await).await,
        measure("PostgreSQL", connect(postgres.url()).await).await,
        measure("MariaDB", connect(mariadb.url()).await).await,
    ];
    let unit = figures[0].read.as_secs_f64();
    for Figures { name, read, change } in figures {
        let ratio = |time: Duration| time.as_secs_f64() / unit;
        println!("{name}: read {read:?} ({:.3}), change {change:?} ({:.3})", ratio(read), ratio(change));
    }
}
