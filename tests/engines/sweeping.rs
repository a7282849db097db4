//! Expired sessions leave the table, whatever goes wrong meanwhile; renewing one mostly touches no index.

use std::time::Duration;

use session_runtime::store::{AnyStore, MySqlStore, PostgresStore, SqlOptions, Store};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, MySqlPool, PgPool};

use crate::app::{Counter, key, serve, until};
use crate::engine::Engine;
use crate::failover::new_id;
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
