//! A server that ends its connections, or takes no changes any more, behind an address that stays: the program goes on without a restart.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use session_runtime::SessionId;
use session_runtime::store::{
    AnyStore, Change, Created, Credentials, Loaded, MySqlStore, PostgresStore, Record, Replaced, Rotated, SqlOptions, Store,
};
use sqlx::{AssertSqlSafe, MySqlPool, PgPool};

use crate::app::{Counter, connect, key, new_session};
use crate::proxy::Proxy;
use crate::servers;

const HOUR: Duration = Duration::from_secs(3600);

/// How soon a store has found its server again, however the machine is loaded beside it. What it takes as a rule is printed.
const RECOVERY: Duration = Duration::from_secs(30);

pub fn new_id() -> SessionId {
    SessionId::parse(&format!("{:032x}", rand::random::<u128>())).unwrap()
}

pub fn counter(count: u64) -> Counter {
    Counter { count, name: None }
}

pub async fn create(store: &AnyStore<Counter>, id: &SessionId) {
    assert!(matches!(store.create(key(id), new_session(counter(1), HOUR, None)).await, Ok(Created::Created(_))));
}

pub async fn found(store: &AnyStore<Counter>, id: &SessionId) -> Record<Counter> {
    match store.load(key(id)).await {
        Ok(Loaded::Found(record)) => record,
        other => panic!("it is there: {other:?}"),
    }
}

/// Every kind of change, each of which has to succeed at the first try.
async fn changes(store: &AnyStore<Counter>, name: &str, mut before_each: impl AsyncFnMut()) {
    let (first, second) = (new_id(), new_id());
    before_each().await;
    create(store, &first).await;
    let record = found(store, &first).await;
    before_each().await;
    let replaced = store.replace(key(&first), record.version, Change::new(counter(2).into())).await;
    assert!(matches!(replaced, Ok(Replaced::Replaced(_))), "{name}: {replaced:?}");
    before_each().await;
    assert!(matches!(store.touch(key(&first)).await, Ok(true)), "{name}");
    let record = found(store, &first).await;
    before_each().await;
    let rotated = store.rotate(key(&first), key(&second), session_runtime::store::Rotation::new(record)).await;
    assert!(matches!(rotated, Ok(Rotated::Rotated(_))), "{name}: {rotated:?}");
    before_each().await;
    assert!(matches!(store.delete(key(&second)).await, Ok(true)), "{name}");
}

/// Opens as many connections as the store may have, and knows their statements.
pub async fn fill(store: &AnyStore<Counter>, id: &SessionId) {
    for _ in 0..3 {
        join_all((0..10).map(|_| store.load(key(id)))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_idle_connections_that_postgres_ends_cost_no_request() {
    let server = servers::start_postgres();
    let store = connect(&format!("{}?application_name=sessions", server.url())).await;
    let pool = PgPool::connect(server.url()).await.unwrap();
    let id = new_id();
    create(&store, &id).await;
    let connections = async || {
        let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sessions'";
        sqlx::query_scalar::<_, i64>(left).fetch_one(&pool).await.unwrap()
    };
    let end_all = async || {
        // A read that is quickly answered leaves its connection to the next one, so they are held up until there are enough.
        let mut lock = pool.begin().await.unwrap();
        sqlx::query("LOCK TABLE session_runtime IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
        let release = async {
            let begun = Instant::now();
            while connections().await < 10 && begun.elapsed() < RECOVERY {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            lock.commit().await.unwrap();
        };
        tokio::join!(join_all((0..10).map(|_| store.load(key(&id)))), release);
        fill(&store, &id).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sessions'";
        let ended = sqlx::query_scalar::<_, bool>(end).fetch_all(&pool).await.unwrap().len();
        let begun = Instant::now();
        while connections().await > 0 {
            assert!(begun.elapsed() < RECOVERY, "the server does not end its connections");
        }
        ended
    };
    assert_eq!(end_all().await, 10, "the store has its ten connections");
    for read in 0..20 {
        let loaded = store.load(key(&id)).await;
        assert!(matches!(loaded, Ok(Loaded::Found(_))), "the read {read} after the end: {loaded:?}");
    }
    changes(&store, "PostgreSQL", async || {
        assert!(end_all().await > 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_idle_connections_that_mariadb_ends_cost_no_read_and_no_change_when_it_is_noticed() {
    let server = servers::start_mariadb();
    let store = connect(server.url()).await;
    let pool = MySqlPool::connect(server.url()).await.unwrap();
    let id = new_id();
    create(&store, &id).await;
    let end_all = async || {
        fill(&store, &id).await;
        let ids: Vec<i64> = sqlx::query_scalar(
            "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE user = 'app' AND info IS NULL AND id <> CONNECTION_ID()",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        for id in &ids {
            // The pool's own may be among them.
            let _ = sqlx::raw_sql(AssertSqlSafe(format!("KILL {id}"))).execute(&pool).await;
        }
        ids.len()
    };
    assert!(end_all().await >= 10, "the store has its ten connections");
    for read in 0..20 {
        let loaded = store.load(key(&id)).await;
        assert!(matches!(loaded, Ok(Loaded::Found(_))), "the read {read} after the end: {loaded:?}");
    }
    changes(&store, "MariaDB", async || {
        end_all().await;
        // What was idle for a second is tested before it is used.
        tokio::time::sleep(Duration::from_millis(1100)).await;
    })
    .await;
}

/// Changes until one succeeds again; how long that took.
async fn recovers(store: &AnyStore<Counter>, name: &str) -> Duration {
    let start = Instant::now();
    loop {
        match store.create(key(&new_id()), new_session(counter(1), HOUR, None)).await {
            Ok(_) => break,
            Err(error) => assert!(start.elapsed() < RECOVERY, "{name}: {error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("{name}: changes again after {:.1?}", start.elapsed());
    start.elapsed()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_made_read_only_is_named_and_found_again_when_it_takes_changes() {
    let server = servers::start_postgres();
    let store = connect(server.url()).await;
    let id = new_id();
    create(&store, &id).await;
    fill(&store, &id).await;
    let pool = PgPool::connect(server.url()).await.unwrap();
    let set = async |value: &str| {
        let sql = AssertSqlSafe(format!("ALTER SYSTEM SET default_transaction_read_only = {value}"));
        // In a transaction of its own, which may write.
        sqlx::raw_sql("SET default_transaction_read_only = off").execute(&pool).await.unwrap();
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
        sqlx::raw_sql("SELECT pg_reload_conf()").execute(&pool).await.unwrap();
    };
    set("on").await;
    let start = Instant::now();
    let error = loop {
        let created = store.create(key(&new_id()), new_session(counter(1), HOUR, None)).await;
        match created {
            Err(error) => break error,
            Ok(_) => assert!(start.elapsed() < RECOVERY, "the setting has no effect"),
        }
    };
    assert!(chain(&error).contains("read-only"), "{}", chain(&error));
    let refused = session_runtime::store::connect::<Counter>(server.url()).await.unwrap_err().to_string();
    assert!(refused.contains("replica") && refused.contains("read-only"), "{refused}");
    set("off").await;
    recovers(&store, "PostgreSQL, read-only for a while").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_primary_that_becomes_a_replica_behind_one_address_is_left_for_the_new_one() {
    let (old, new) = (servers::start_postgres(), servers::start_postgres());
    let proxy = Proxy::to(old.port()).await;
    let url = proxy.url(old.url(), old.port());
    // The same table is on both.
    connect(new.url()).await;
    let store = connect(&url).await;
    let id = new_id();
    create(&store, &id).await;
    fill(&store, &id).await;
    let pool = PgPool::connect(old.url()).await.unwrap();
    sqlx::raw_sql("ALTER SYSTEM SET default_transaction_read_only = on").execute(&pool).await.unwrap();
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(&pool).await.unwrap();
    proxy.move_to(new.port());
    recovers(&store, "PostgreSQL, another primary").await;
    // From then on no connection of the old one is used.
    for _ in 0..20 {
        create(&store, &new_id()).await;
    }
    let loaded = store.load(key(&id)).await;
    assert!(matches!(loaded, Ok(Loaded::Missing)), "it is the new server that is read: {loaded:?}");
}

/// An account that is only allowed what the docs say; the URL of its database.
pub async fn mariadb_account(pool: &MySqlPool, url: &str, name: &str, grants: &str) -> String {
    for sql in [format!("CREATE USER {name}@'%' IDENTIFIED BY 'first'"), format!("GRANT {grants} TO {name}@'%'")] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.unwrap();
    }
    url.replace("app:app@", &format!("{name}:first@"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mariadb_that_is_made_read_only_is_named_and_found_again_when_it_takes_changes() {
    let server = servers::start_mariadb();
    connect(server.url()).await;
    let pool = MySqlPool::connect(server.url()).await.unwrap();
    let url = mariadb_account(&pool, server.url(), "shop", "SELECT, INSERT, UPDATE, DELETE ON app.session_runtime").await;
    let store = connect(&url).await;
    let id = new_id();
    create(&store, &id).await;
    fill(&store, &id).await;
    sqlx::raw_sql("SET GLOBAL read_only = 1").execute(&pool).await.unwrap();
    let error = store.create(key(&new_id()), new_session(counter(1), HOUR, None)).await.unwrap_err();
    assert!(chain(&error).contains("read-only"), "{}", chain(&error));
    let refused = session_runtime::store::connect::<Counter>(&url).await.unwrap_err().to_string();
    assert!(refused.contains("replica") && refused.contains("read-only"), "{refused}");
    sqlx::raw_sql("SET GLOBAL read_only = 0").execute(&pool).await.unwrap();
    recovers(&store, "MariaDB, read-only for a while").await;
    // Behind one address, too.
    let new = servers::start_mariadb();
    connect(new.url()).await;
    let there = MySqlPool::connect(new.url()).await.unwrap();
    mariadb_account(&there, new.url(), "shop", "SELECT, INSERT, UPDATE, DELETE ON app.session_runtime").await;
    let proxy = Proxy::to(server.port()).await;
    let store = connect(&proxy.url(&url, server.port())).await;
    fill(&store, &id).await;
    sqlx::raw_sql("SET GLOBAL read_only = 1").execute(&pool).await.unwrap();
    proxy.move_to(new.port());
    recovers(&store, "MariaDB, another primary").await;
    let loaded = store.load(key(&id)).await;
    assert!(matches!(loaded, Ok(Loaded::Missing)), "it is the new server that is read: {loaded:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_changed_while_the_program_runs_is_asked_for_again() {
    use std::sync::{Arc, Mutex};

    let password = Arc::new(Mutex::new("first".to_owned()));
    let provider = {
        let password = Arc::clone(&password);
        move || {
            let password = password.lock().unwrap().clone();
            async move { Ok::<_, std::io::Error>(Credentials::password(password)) }
        }
    };
    let options = SqlOptions::new().credentials(provider);
    // MariaDB.
    let server = servers::start_mariadb();
    let pool = MySqlPool::connect(server.url()).await.unwrap();
    mariadb_account(&pool, server.url(), "shop", "ALL ON app.*").await;
    let url = server.url().replace("app:app@", "shop:wrong@");
    let store = AnyStore::new(MySqlStore::connect_with(&url, options.clone()).await.unwrap());
    let id = new_id();
    create(&store, &id).await;
    sqlx::raw_sql("ALTER USER shop@'%' IDENTIFIED BY 'second'").execute(&pool).await.unwrap();
    "second".clone_into(&mut password.lock().unwrap());
    let connections: Vec<i64> =
        sqlx::query_scalar("SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE user = 'shop'")
            .fetch_all(&pool)
            .await
            .unwrap();
    for connection in connections {
        sqlx::raw_sql(AssertSqlSafe(format!("KILL {connection}"))).execute(&pool).await.unwrap();
    }
    assert_eq!(found(&store, &id).await.data.count, 1, "MariaDB");
    // PostgreSQL.
    "first".clone_into(&mut password.lock().unwrap());
    let server = servers::start_postgres();
    let pool = PgPool::connect(server.url()).await.unwrap();
    sqlx::raw_sql("CREATE USER shop PASSWORD 'first'; GRANT ALL ON SCHEMA public TO shop").execute(&pool).await.unwrap();
    let rules = server.folder().join("data/pg_hba.conf");
    std::fs::write(rules, "host all app all trust\nhost all all all scram-sha-256\n").unwrap();
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(&pool).await.unwrap();
    let url = server.url().replace("app@", "shop:wrong@");
    let start = Instant::now();
    while PgPool::connect(&url).await.is_ok() {
        assert!(start.elapsed() < RECOVERY, "the rules have no effect");
    }
    let store = AnyStore::new(PostgresStore::connect_with(&url, options).await.unwrap());
    create(&store, &id).await;
    sqlx::raw_sql("ALTER USER shop PASSWORD 'second'").execute(&pool).await.unwrap();
    "second".clone_into(&mut password.lock().unwrap());
    sqlx::raw_sql("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'shop'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(found(&store, &id).await.data.count, 1, "PostgreSQL");
}
