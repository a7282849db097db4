//! Expired sessions leave the table, whatever goes wrong meanwhile; renewing one mostly touches no index.

use std::time::{Duration, Instant};

use session_runtime::store::{PostgresStore, SqlOptions};
use sqlx::PgPool;

use crate::app::{Counter, serve_router};
use crate::servers;
use crate::wire::Client;

async fn app(store: PostgresStore, expire: Duration) -> Client {
    let layer = session_runtime::SessionLayer::<Counter>::builder().store(store).secure(false).session_expire(expire);
    let add = async |session: session_runtime::SessionData<Counter>| session.update(|counter| counter.count += 1).await;
    let router = axum::Router::new().route("/add", axum::routing::post(add)).layer(layer.build().unwrap());
    Client::to(&serve_router(router).await).await
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn rows(pool: &PgPool, count: &'static str) -> i64 {
    sqlx::query_scalar(count).fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_that_fails_does_not_end_the_sweeping() {
    let pool = PgPool::connect(servers::postgres().url()).await.unwrap();
    let options = SqlOptions::new().table("swept").sweep_every(Duration::from_millis(100));
    let store = PostgresStore::connect_with(servers::postgres().url(), options).await.unwrap();
    let mut client = app(store, Duration::from_millis(500)).await;
    for _ in 0..5 {
        client.cookie = None;
        client.post("/add").await;
    }
    assert_eq!(rows(&pool, "SELECT count(*) FROM swept").await, 5);
    sqlx::query("ALTER TABLE swept RENAME TO hidden").execute(&pool).await.unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(rows(&pool, "SELECT count(*) FROM hidden").await, 5);
    sqlx::query("ALTER TABLE hidden RENAME TO swept").execute(&pool).await.unwrap();
    until("the rows stay", async || rows(&pool, "SELECT count(*) FROM swept").await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_in_ten_changes_of_a_session_touch_no_index() {
    let pool = PgPool::connect(servers::postgres().url()).await.unwrap();
    let options = SqlOptions::new().table("hot");
    let store = PostgresStore::connect_with(servers::postgres().url(), options).await.unwrap();
    let mut client = app(store, Duration::from_secs(24 * 60 * 60)).await;
    for _ in 0..201 {
        assert_eq!(client.post("/add").await.status, 200);
    }
    let updates = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'hot'";
    until("the statistics do not come", async || rows(&pool, updates).await >= 200).await;
    let hot = rows(&pool, "SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'hot'").await;
    println!("of 200 changes {hot} touched no index");
    assert!(hot >= 180, "{hot}");
}
