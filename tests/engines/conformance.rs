//! Every engine's store keeps the laws, as two processes see it that share a server; and each says what is wrong when it is not there.

use session_runtime::store::{MySqlStore, PostgresStore, RedisStore, SqlOptions, SqliteStore};
use session_runtime::testing::conformance;
use sqlx::{AssertSqlSafe, Connection};

use crate::servers;

fn table(place: &str) -> SqlOptions {
    SqlOptions::new().table(place).max_connections(4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_the_laws() {
    let mut server = servers::start_redis();
    let failing = RedisStore::connect(server.url()).await.unwrap();
    tokio::task::block_in_place(|| server.stop());
    let url = servers::redis().url();
    conformance::<String, _>(async |place| RedisStore::connect(url).await.unwrap().key_prefix(place))
        .shared()
        .slow()
        .failing(failing)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_laws() {
    let folder = servers::temporary_folder("conformance");
    let failing = {
        let url = format!("sqlite://{}/failing.db", folder.display());
        let store = SqliteStore::connect_with(&url, table("gone")).await.unwrap();
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("DROP TABLE gone").execute(&mut connection).await.unwrap();
        store
    };
    let url = format!("sqlite://{}/sessions.db", folder.display());
    conformance::<String, _>(async |place| SqliteStore::connect_with(&url, table(place)).await.unwrap())
        .shared()
        .slow()
        .failing(failing)
        .await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_in_memory_keeps_the_laws() {
    conformance::<String, _>(async |_| SqliteStore::connect("sqlite::memory:").await.unwrap()).slow().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_laws() {
    let url = servers::postgres().url();
    let failing = PostgresStore::connect_with(url, table("conformance_gone")).await.unwrap();
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::query(AssertSqlSafe("DROP TABLE conformance_gone")).execute(&mut connection).await.unwrap();
    conformance::<String, _>(async |place| PostgresStore::connect_with(url, table(place)).await.unwrap())
        .shared()
        .slow()
        .failing(failing)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_keeps_the_laws() {
    let url = servers::mariadb().url();
    let failing = MySqlStore::connect_with(url, table("conformance_gone")).await.unwrap();
    let mut connection = sqlx::MySqlConnection::connect(url).await.unwrap();
    sqlx::query(AssertSqlSafe("DROP TABLE conformance_gone")).execute(&mut connection).await.unwrap();
    conformance::<String, _>(async |place| MySqlStore::connect_with(url, table(place)).await.unwrap())
        .shared()
        .slow()
        .failing(failing)
        .await;
}
