//! Expired sessions leave the table, whatever goes wrong meanwhile; renewing one mostly touches no index.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use session_runtime::store::{AnyStore, MySqlStore, PostgresStore, SqlOptions, SqliteStore, Store};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, MySqlPool, PgPool, SqliteConnection};

use crate::app::{Counter, connect, key, serve, until};
use crate::engine::{self, Engine};
use crate::failover::{create, new_id};
use crate::proxy::{self, Proxy};
use crate::servers;
use crate::wire::Client;

async fn rows(pool: &PgPool, count: &'static str) -> i64 {
    sqlx::query_scalar(count).fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_that_fails_does_not_end_the_sweeping() {
    let pool = PgPool::connect(servers::postgres().url()).await.unwrap();
    let options = SqlOptions::new().table("swept").sweep_every(Duration::from_millis(100));
    let store = PostgresStore::connect_with(servers::postgres().url(), options).await.unwrap();
    let mut client = Client::to(&serve(AnyStore::new(store)).await).await;
    for _ in 0..5 {
        client.cookie = None;
        assert_eq!(client.post("/add").await.status, 200);
    }
    sqlx::query("ALTER TABLE swept RENAME TO hidden").execute(&pool).await.unwrap();
    let hidden = Engine { name: "PostgreSQL", url: format!("{}?table=hidden", servers::postgres().url()) };
    hidden.let_pass(client.id(), Duration::from_secs(48 * 60 * 60)).await;
    let failures = || servers::postgres().log().matches("relation \"swept\" does not exist").count();
    let before = failures();
    until("nothing is swept", async || failures() >= before + 2).await;
    assert_eq!(rows(&pool, "SELECT count(*) FROM hidden").await, 5);
    sqlx::query("ALTER TABLE hidden RENAME TO swept").execute(&pool).await.unwrap();
    until("the rows stay", async || rows(&pool, "SELECT count(*) FROM swept").await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_in_ten_changes_of_a_session_touch_no_index() {
    let pool = PgPool::connect(servers::postgres().url()).await.unwrap();
    let options = SqlOptions::new().table("hot");
    let store = PostgresStore::connect_with(servers::postgres().url(), options).await.unwrap();
    let mut client = Client::to(&serve(AnyStore::new(store)).await).await;
    for _ in 0..201 {
        assert_eq!(client.post("/add").await.status, 200);
    }
    // A connection tells what it has counted when it ends; while it is there, ten seconds later.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%\"hot\"%' AND pid <> pg_backend_pid()";
    sqlx::query(end).execute(&pool).await.unwrap();
    let updates = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'hot'";
    until("the statistics do not come", async || rows(&pool, updates).await >= 200).await;
    let hot = rows(&pool, "SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'hot'").await;
    println!("of 200 changes {hot} touched no index");
    assert!(hot >= 180, "{hot}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_that_hangs_does_not_end_the_sweeping() {
    let pool = PgPool::connect(servers::postgres().url()).await.unwrap();
    let limit = Duration::from_millis(300);
    let options = SqlOptions::new().table("hanging").sweep_every(Duration::from_millis(100)).statement_timeout(limit);
    let store = PostgresStore::connect_with(servers::postgres().url(), options).await.unwrap();
    let _store: AnyStore<Counter> = AnyStore::new(store);
    let row = "INSERT INTO hanging SELECT sha256('1'), 1, 1, 1, 1, 1, 1, '', 1";
    let mut holder = PgConnection::connect(servers::postgres().url()).await.unwrap();
    let mut locked = holder.begin().await.unwrap();
    sqlx::query("LOCK TABLE hanging IN ACCESS EXCLUSIVE MODE").execute(&mut *locked).await.unwrap();
    sqlx::query(row).execute(&mut *locked).await.unwrap();
    let ended = || servers::postgres().log().matches("canceling statement due to statement timeout").count();
    let before = ended();
    until("no sweep hangs", async || ended() >= before + 2).await;
    locked.commit().await.unwrap();
    until("the row stays", async || rows(&pool, "SELECT count(*) FROM hanging").await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_takes_a_connection_for_one_batch_at_a_time() {
    let server = servers::mariadb();
    let pool = MySqlPool::connect(server.url()).await.unwrap();
    let options = SqlOptions::new().table("batches").max_connections(1);
    let store: AnyStore<Counter> = AnyStore::new(MySqlStore::connect_with(server.url(), options).await.unwrap());
    sqlx::query(
        "INSERT INTO batches SELECT UNHEX(SHA2(seq, 256)), 1, 1, 1, 1, 1, 1, '', 1, NULL, NULL, NULL, NULL FROM seq_1_to_20000",
    )
    .execute(&pool)
    .await
    .unwrap();
    let reads = async {
        let mut reads = 0;
        while sqlx::query_scalar::<_, i64>("SELECT CAST(COUNT(*) AS SIGNED) FROM batches").fetch_one(&pool).await.unwrap() > 0 {
            store.load(key(&new_id())).await.unwrap();
            reads += 1;
        }
        reads
    };
    let (swept, reads) = tokio::join!(store.sweep(), reads);
    assert_eq!(swept.unwrap(), 20_000);
    assert!(reads > 3, "{reads} reads came in between");
}

/// To look for what a clock that was set back has done, a sweep goes through the whole table; nobody waits for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_a_large_sqlite_table_leaves_the_file_to_others() {
    let engine = engine::sqlite();
    let store: AnyStore<Counter> = AnyStore::new(SqliteStore::connect(&engine.url).await.unwrap());
    let options: SqliteConnectOptions = engine.url.parse().unwrap();
    let mut other = options.busy_timeout(Duration::ZERO).connect().await.unwrap();
    let fill = "INSERT INTO session_runtime \
                (id, version, idle, absolute_at, created_at, expires_at, sweep_at, data, used_at, handle, proven, persistent, owner) \
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000), \
                at(now) AS (SELECT 1000 * CAST(strftime('%s', 'now') AS INTEGER)) \
                SELECT randomblob(32), 1, 86400000, now + 4000000000000000, now, now + 86400000, now + 86400000, '7', now, \
                NULL, NULL, NULL, NULL FROM n, at";
    sqlx::raw_sql(fill).execute(&mut other).await.unwrap();
    let is_over = AtomicBool::new(false);
    let sweep = async {
        for _ in 0..20 {
            store.sweep().await.unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
    };
    let look = async {
        let (mut free, mut taken) = (0, 0);
        while !is_over.load(Ordering::SeqCst) {
            match sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK").execute(&mut other).await {
                Ok(_) => free += 1,
                Err(_) => taken += 1,
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (free, taken)
    };
    let ((), (free, taken)) = tokio::join!(sweep, look);
    println!("of {} looks {taken} found the file taken", free + taken);
    assert!(taken < free, "{taken} of {}", free + taken);
}

/// SQLite comes to what stands behind the data of a row by way of the pages of the data.
#[tokio::test]
async fn to_look_at_the_times_in_a_sqlite_table_no_data_is_read() {
    let engine = engine::sqlite();
    let _store: AnyStore<Counter> = connect(&engine.url).await;
    let mut connection = SqliteConnection::connect(&engine.url).await.unwrap();
    let columns = "SELECT name FROM pragma_table_info('session_runtime') ORDER BY cid";
    let columns: Vec<String> = sqlx::query_scalar(columns).fetch_all(&mut connection).await.unwrap();
    assert_eq!(columns.last().map(String::as_str), Some("data"), "{columns:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_that_cannot_let_go_of_its_turn_ends_its_connection() {
    let (engine, port) = (engine::mariadb(), servers::mariadb().port());
    let proxy = Proxy::to(port).await;
    let (store, other) = (connect(&proxy.url(&engine.url, port)).await, connect(&engine.url).await);
    let pool = MySqlPool::connect(servers::mariadb().url()).await.unwrap();
    let left = format!("SELECT COUNT(*) FROM {}", engine.table());
    let left = async || sqlx::query_scalar::<_, i64>(AssertSqlSafe(left.clone())).fetch_one(&pool).await.unwrap();
    create(&store, &new_id()).await;
    engine.let_pass("", Duration::from_secs(7200)).await;
    proxy.refuse(b"DO RELEASE_LOCK", proxy::mariadb_error(1317));
    assert_eq!(store.sweep().await.unwrap(), 1, "it has swept");
    assert_eq!(proxy.refuse_nothing(), [1]);
    create(&store, &new_id()).await;
    engine.let_pass("", Duration::from_secs(7200)).await;
    until("nobody else can sweep", async || {
        other.sweep().await.unwrap();
        left().await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_that_is_not_answered_asks_no_more_of_its_connection() {
    let (engine, port) = (engine::mariadb(), servers::mariadb().port());
    let proxy = Proxy::to(port).await;
    let url = proxy.url(engine.url.split('?').next().unwrap(), port);
    let options = SqlOptions::new().table(engine.table()).statement_timeout(Duration::from_secs(2));
    let store: AnyStore<Counter> = AnyStore::new(MySqlStore::connect_with(url, options).await.unwrap());
    // The answer comes a second after the store's patience with a statement, which is a second longer than that of the server.
    proxy.hold_back_from(b"WHERE sweep_at <=", Duration::from_secs(4));
    proxy.refuse(b"DO RELEASE_LOCK", proxy::mariadb_error(1317));
    let swept = store.sweep().await;
    assert!(proxy.holds_back(), "nothing was swept: {swept:?}");
    assert_eq!(proxy.refuse_nothing(), [0], "the lock goes with the connection");
}
