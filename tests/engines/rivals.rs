//! A rotation and a creation at one key: one of them wins, at every level of isolation.

use std::time::Duration;

use session_runtime::store::{AnyStore, Created, Loaded, MySqlStore, PostgresStore, Rotated, SqlOptions, Store};
use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;

use crate::app::{Counter, key, new_session, usually};
use crate::failover::{counter, create, found, new_id};
use crate::servers;

async fn one_wins(name: &str, store: &AnyStore<Counter>) {
    let (mut rotations, mut creations) = (0, 0);
    for round in 0..usually(50, 5000) {
        let (old, new) = (new_id(), new_id());
        create(store, &old).await;
        let record = found(store, &old).await;
        let (rotated, created) = tokio::join!(
            async {
                // One time the one is a little ahead, one time the other.
                tokio::time::sleep(Duration::from_micros(u64::from(round % 4) * 200)).await;
                store.rotate(key(&old), key(&new), session_runtime::store::Rotation::new(record)).await.unwrap()
            },
            async {
                tokio::time::sleep(Duration::from_micros(u64::from(round / 4 % 4) * 200)).await;
                store.create(key(&new), new_session(counter(7), Duration::from_secs(3600), None)).await.unwrap()
            },
        );
        let there = found(store, &new).await.data.count;
        match (rotated, created) {
            (Rotated::Rotated(_), Created::Exists) => {
                rotations += 1;
                assert_eq!(there, 1, "{name}, round {round}");
                assert!(matches!(store.load(key(&old)).await, Ok(Loaded::JustRotated)), "{name}, round {round}");
            }
            (Rotated::Exists, Created::Created(_)) => {
                creations += 1;
                assert_eq!(there, 7, "{name}, round {round}");
                assert_eq!(found(store, &old).await.data.count, 1, "{name}, round {round}: it is where it was");
            }
            both => panic!("{name}, round {round}: {both:?}"),
        }
    }
    println!("{name}: {rotations} rotations and {creations} creations were first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_rotation_and_a_creation_at_one_key_one_wins_in_postgres_at_every_level() {
    for level in ["read committed", "repeatable read", "serializable"] {
        let set = format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}");
        let pool = PgPoolOptions::new().max_connections(2).after_connect(move |connection, _| {
            let set = AssertSqlSafe(set.clone());
            Box::pin(async move { sqlx::raw_sql(set).execute(connection).await.map(drop) })
        });
        let pool = pool.connect(servers::postgres().url()).await.unwrap();
        let options = SqlOptions::new().table("rivals");
        one_wins(level, &AnyStore::new(PostgresStore::from_pool(pool, options).await.unwrap())).await;
    }
    let options = SqlOptions::new().table("rivals");
    let own = PostgresStore::connect_with(servers::postgres().url(), options).await.unwrap();
    one_wins("PostgreSQL, the store's own connections", &AnyStore::new(own)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_rotation_and_a_creation_at_one_key_one_wins_in_mariadb_at_every_level() {
    for level in ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let set = format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}");
        let pool = MySqlPoolOptions::new().max_connections(2).after_connect(move |connection, _| {
            let set = AssertSqlSafe(set.clone());
            Box::pin(async move { sqlx::raw_sql(set).execute(connection).await.map(drop) })
        });
        let pool = pool.connect(servers::mariadb().url()).await.unwrap();
        let options = SqlOptions::new().table("rivals");
        one_wins(level, &AnyStore::new(MySqlStore::from_pool(pool, options).await.unwrap())).await;
    }
    let options = SqlOptions::new().table("rivals");
    let own = MySqlStore::connect_with(servers::mariadb().url(), options).await.unwrap();
    one_wins("MariaDB, the store's own connections", &AnyStore::new(own)).await;
}
