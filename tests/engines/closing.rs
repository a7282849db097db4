//! A store that is closed has no connection any more, and every call of it is an error.

use std::time::Duration;

use session_runtime::SessionId;
use session_runtime::store::{AnyStore, Change, Loaded, Replaced, Store, StoreError};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection, MySqlPool};

use crate::app::{Counter, connect, key, new_session, until};
use crate::engine;
use crate::failover::{counter, create, found, new_id};
use crate::log::log_everything;
use crate::proxy::Proxy;
use crate::servers;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_a_database_that_is_closed_takes_no_more_calls_and_others_go_on() {
    for engine in [engine::sqlite(), engine::postgres(), engine::mariadb()] {
        let (store, other) = (connect(&engine.url).await, connect(&engine.url).await);
        let id = SessionId::parse(&"closing".repeat(8)).unwrap();
        store.create(key(&id), new_session(Counter::default(), Duration::from_secs(3600), None)).await.unwrap();
        // A store that is closed already is closed.
        for _ in 0..2 {
            store.close().await.unwrap();
        }
        let loaded = store.load(key(&id)).await;
        assert!(matches!(loaded, Err(StoreError::Unavailable(_))), "{engine:?}: {loaded:?}");
        let loaded = other.load(key(&id)).await;
        assert!(matches!(loaded, Ok(Loaded::Found(_))), "{engine:?}: {loaded:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_of_a_sqlite_store_that_is_closed_is_whole_by_itself() {
    let engine = engine::sqlite();
    let store = connect(&engine.url).await;
    let id = new_id();
    create(&store, &id).await;
    store.close().await.unwrap();
    let file = engine.url.strip_prefix("sqlite://").unwrap();
    let copy = format!("{file}.copy");
    std::fs::copy(file, &copy).unwrap();
    assert_eq!(found(&connect(&format!("sqlite://{copy}")).await, &id).await.data.count, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_ends_before_a_store_is_closed() {
    let engine = engine::mariadb();
    let store = connect(&engine.url).await;
    let id = new_id();
    create(&store, &id).await;
    let record = found(&store, &id).await;
    let mut holder = MySqlConnection::connect(engine.url.split('?').next().unwrap()).await.unwrap();
    let hold = AssertSqlSafe(format!("BEGIN; SELECT id FROM {} FOR UPDATE", engine.table()));
    sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
    let change = store.replace(key(&id), record.version, Change::new(counter(9).into()));
    assert!(tokio::time::timeout(Duration::from_millis(300), change).await.is_err(), "the request gives up");
    let closing = tokio::spawn(async move { store.close().await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!closing.is_finished());
    sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    closing.await.unwrap().unwrap();
    assert_eq!(found(&connect(&engine.url).await, &id).await.data.count, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_hears_a_goodbye_from_every_connection() {
    let server = servers::start_mariadb();
    let pool = MySqlPool::connect(server.url()).await.unwrap();
    let aborted = async || {
        let row: (String, String) = sqlx::query_as("SHOW GLOBAL STATUS LIKE 'Aborted_clients'").fetch_one(&pool).await.unwrap();
        row.1.parse::<u64>().unwrap()
    };
    let before = aborted().await;
    let sweeping = connect(server.url()).await;
    for _ in 0..5 {
        sweeping.sweep().await.unwrap();
    }
    let (closed, dropped) = (connect(server.url()).await, connect(server.url()).await);
    let id = new_id();
    for store in [&sweeping, &closed, &dropped] {
        futures_util::future::join_all((0..10).map(|_| store.load(key(&id)))).await;
    }
    closed.close().await.unwrap();
    drop(dropped);
    let connections = async || {
        let row: (String, String) = sqlx::query_as("SHOW GLOBAL STATUS LIKE 'Threads_connected'").fetch_one(&pool).await.unwrap();
        row.1.parse::<u64>().unwrap()
    };
    until("connections stay", async || connections().await <= 11 + u64::from(pool.size())).await;
    assert_eq!(aborted().await, before, "{}", server.log());
}

/// As in several `#[tokio::test]`s that share a store in a `static`.
#[test]
fn the_first_call_in_a_new_runtime_works() {
    for engine in [engine::sqlite(), engine::postgres(), engine::mariadb()] {
        let in_a_runtime = |test: &mut dyn FnMut(&tokio::runtime::Runtime)| {
            test(&tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
        };
        let mut store: Option<AnyStore<Counter>> = None;
        let id = new_id();
        in_a_runtime(&mut |runtime| {
            runtime.block_on(async {
                let opened = connect(&engine.url).await;
                create(&opened, &id).await;
                futures_util::future::join_all((0..10).map(|_| opened.load(key(&id)))).await;
                store = Some(opened);
            });
        });
        let store = store.unwrap();
        for round in 2..5 {
            in_a_runtime(&mut |runtime| {
                runtime.block_on(async {
                    if round == 3 {
                        create(&store, &new_id()).await;
                    }
                    let record = found(&store, &id).await;
                    let replaced = store.replace(key(&id), record.version, Change::new(counter(round).into())).await;
                    assert!(matches!(replaced, Ok(Replaced::Replaced(_))), "{engine:?}, {round}: {replaced:?}");
                });
            });
        }
    }
}

#[tokio::test]
async fn the_log_says_once_that_a_store_has_lost_its_server_and_once_that_it_has_it_again() {
    let (log, _guard) = log_everything();
    let server = servers::postgres();
    let engine = engine::postgres();
    let proxy = Proxy::to(server.port()).await;
    let store = connect(&proxy.url(&engine.url, server.port())).await;
    let id = new_id();
    create(&store, &id).await;
    proxy.move_to(1);
    proxy.cut();
    for _ in 0..5 {
        assert!(store.load(key(&id)).await.is_err());
    }
    proxy.move_to(server.port());
    for _ in 0..5 {
        found(&store, &id).await;
    }
    let text = log.text();
    let lines = |words: &str| text.lines().filter(|line| line.contains(words)).collect::<Vec<_>>();
    let (lost, again) = (lines("has lost its server"), lines("has its server again"));
    assert!(lost.len() == 1 && again.len() == 1, "{lost:?} {again:?}");
    assert!(lost[0].contains("WARN") && lost[0].contains("PostgreSQL") && lost[0].contains("error="), "{lost:?}");
    assert!(again[0].contains("INFO"), "{again:?}");
    assert!(!text.contains(id.as_str()));
}
