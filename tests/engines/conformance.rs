//! Every engine's store keeps the laws, as two processes see it that share a server; and it says what is wrong when that is not there.

use std::sync::Arc;
use std::time::Duration;

use session_runtime::store::{
    Created, Key, Limits, MySqlStore, NewSession, Origin, PostgresStore, RedisStore, SqlOptions, SqliteStore, Store,
};
use session_runtime::testing::{Conformance, conformance};
use sqlx::Connection;

use crate::{cluster, fastapi, servers};

type Checks = Conformance<'static, String>;

/// Puts a session there whose data is no text.
pub async fn put_a_number(store: &impl Store<u32>, key: Key<'_>) {
    let session = NewSession::new(Arc::new(7), Limits::new(Duration::from_secs(3600), None), Origin::Change);
    assert!(matches!(store.create(key, session).await, Ok(Created::Created(_))));
}

fn table(place: &str) -> SqlOptions {
    SqlOptions::new().table(place).max_connections(4)
}

fn redis() -> Checks {
    let url = servers::redis().url();
    let open = async move |place: &str| RedisStore::connect(url).await.unwrap().key_prefix(place);
    conformance(open).shared().undecodable(async move |place, key| put_a_number(&open(place).await, key).await)
}

fn sqlite() -> Checks {
    // In the folder of a server, which is removed when the tests are over.
    let url = format!("sqlite://{}/conformance.db", servers::redis().folder().display());
    let open = async move |place: &str| SqliteStore::connect_with(&url, table(place)).await.unwrap();
    let (open, other) = (open.clone(), open);
    conformance(open).shared().undecodable(async move |place, key| put_a_number(&other(place).await, key).await)
}

fn sqlite_in_memory() -> Checks {
    conformance(async |_| SqliteStore::connect("sqlite::memory:").await.unwrap())
}

fn postgres() -> Checks {
    postgres_at(servers::postgres().url())
}

pub fn postgres_at(url: &'static str) -> Checks {
    let open = async move |place: &str| PostgresStore::connect_with(url, table(place)).await.unwrap();
    conformance(open).shared().undecodable(async move |place, key| put_a_number(&open(place).await, key).await)
}

fn mariadb() -> Checks {
    let url = servers::mariadb().url();
    let open = async move |place: &str| MySqlStore::connect_with(url, table(place)).await.unwrap();
    conformance(open).shared().undecodable(async move |place, key| put_a_number(&open(place).await, key).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_the_laws() {
    let mut server = servers::start_redis();
    let failing = RedisStore::connect(server.url()).await.unwrap();
    tokio::task::block_in_place(|| server.stop());
    redis().failing(failing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_laws() {
    let url = format!("sqlite://{}/gone.db", servers::redis().folder().display());
    let failing = SqliteStore::connect_with(&url, table("gone")).await.unwrap();
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("DROP TABLE gone").execute(&mut connection).await.unwrap();
    sqlite().failing(failing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_in_memory_keeps_the_laws() {
    sqlite_in_memory().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_laws() {
    let failing = PostgresStore::connect_with(servers::postgres().url(), table("gone")).await.unwrap();
    let mut connection = sqlx::PgConnection::connect(servers::postgres().url()).await.unwrap();
    sqlx::query("DROP TABLE gone").execute(&mut connection).await.unwrap();
    postgres().failing(failing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_keeps_the_laws() {
    let failing = MySqlStore::connect_with(servers::mariadb().url(), table("gone")).await.unwrap();
    let mut connection = sqlx::MySqlConnection::connect(servers::mariadb().url()).await.unwrap();
    sqlx::query("DROP TABLE gone").execute(&mut connection).await.unwrap();
    mariadb().failing(failing).await;
}

/// All engines wait at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mark_of_a_rotation_goes_after_30_s_in_conformance() {
    fn only(checks: Conformance<'_, String>) -> Conformance<'_, String> {
        checks.only("a_mark_goes_after_30_s").slow()
    }
    let shared_with_fastapi = servers::start_redis();
    let shared_with_fastapi = only(fastapi::laws(&shared_with_fastapi));
    let (redis, cluster, sqlite) = (only(redis()), only(cluster::laws()), only(sqlite()));
    tokio::join!(redis, cluster, shared_with_fastapi, sqlite, only(postgres()), only(mariadb()));
}
