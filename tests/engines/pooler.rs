//! PgBouncer between a store and PostgreSQL.

use std::time::{Duration, Instant};

use session_runtime::store::{Loaded, PostgresStore, SqlOptions, Store, connect as open};
use sqlx::postgres::PgPoolOptions;

use crate::app::{Counter, connect, key};
use crate::conformance::postgres_at;
use crate::failover::{create, found, new_id};
use crate::servers::{self, Server};

async fn bouncer(postgres: &Server, settings: &str) -> Server {
    let (port, settings) = (postgres.port(), settings.to_owned());
    tokio::task::spawn_blocking(move || servers::start_pgbouncer(port, &settings)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_session_mode_a_store_works() {
    for settings in ["pool_mode = session", "pool_mode = session\nignore_startup_parameters = options, extra_float_digits"] {
        let postgres = servers::start_postgres();
        let pooler = bouncer(&postgres, settings).await;
        let store = connect(pooler.url()).await;
        let id = new_id();
        create(&store, &id).await;
        assert_eq!(found(&store, &id).await.data.count, 1);
        assert!(store.touch(key(&id)).await.unwrap());
        assert!(store.delete(key(&id)).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_transaction_mode_a_store_is_refused_with_what_to_do() {
    for settings in [
        "pool_mode = transaction",
        "pool_mode = transaction\nserver_round_robin = 1",
        "pool_mode = transaction\nignore_startup_parameters = options, extra_float_digits",
    ] {
        let keeps_none = if servers::pgbouncer_keeps_statements() { "max_prepared_statements = 0" } else { "" };
        let settings = format!("{settings}\n{keeps_none}");
        let postgres = servers::start_postgres();
        let pooler = bouncer(&postgres, &settings).await;
        let error = open::<Counter>(pooler.url()).await.map(drop).unwrap_err().to_string();
        assert!(error.contains("session mode") && error.contains("max_prepared_statements"), "{settings}: {error}");
        let pool = PgPoolOptions::new()
            .connect_lazy_with(pooler.url().parse::<sqlx::postgres::PgConnectOptions>().unwrap().extra_float_digits(None));
        let error = PostgresStore::from_pool(pool, SqlOptions::new()).await.map(drop).unwrap_err();
        assert!(format!("{error:?}").contains("session mode"), "{settings}: {error:?}");
    }
}

/// Debian 12 has an older one: it is run where `TEST_PGBOUNCER` names a newer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_transaction_mode_a_pooler_that_keeps_prepared_statements_keeps_the_laws() {
    if !servers::pgbouncer_keeps_statements() {
        return;
    }
    for settings in [
        "pool_mode = transaction\nmax_prepared_statements = 100",
        "pool_mode = transaction\nmax_prepared_statements = 100\nserver_round_robin = 1",
    ] {
        let postgres = servers::start_postgres();
        let pooler = bouncer(&postgres, &format!("{settings}\ndefault_pool_size = 4")).await;
        postgres_at(pooler.url().to_owned().leak()).await;
    }
}

/// The store believes to be alone with its server, and then the pooler's mode is another: no statement runs as another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_pooler_mixes_statements_up_all_the_same_no_session_ends_that_is_only_read() {
    const READ: usize = 20;
    const ROUNDS: usize = 60;
    let postgres = servers::start_postgres();
    let pooler = bouncer(&postgres, "pool_mode = session\ndefault_pool_size = 4").await;
    let settings = SqlOptions::new().max_connections(4);
    let store = PostgresStore::connect_with(pooler.url(), settings).await.unwrap();
    let store: session_runtime::store::AnyStore<Counter> = session_runtime::store::AnyStore::new(store);
    servers::reload_pgbouncer(&pooler, "pool_mode = transaction\ndefault_pool_size = 4");
    let direct = connect(postgres.url()).await;
    let read: Vec<_> = (0..READ).map(|_| new_id()).collect();
    for id in &read {
        create(&direct, id).await;
    }
    let (mut answered, mut errors) = (0, 0);
    let start = Instant::now();
    for _ in 0..ROUNDS {
        let gone = [new_id(), new_id(), new_id(), new_id()];
        for id in &gone {
            create(&direct, id).await;
        }
        let reads = futures_util::future::join_all(read.iter().map(|id| store.load(key(id))));
        let logouts = futures_util::future::join_all(gone.iter().map(|id| store.delete(key(id))));
        let (reads, _) = tokio::join!(reads, logouts);
        for loaded in reads {
            match loaded {
                Ok(Loaded::Found(_)) => answered += 1,
                Ok(other) => panic!("a session that lives is not found: {other:?}"),
                Err(_) => errors += 1,
            }
        }
        assert!(start.elapsed() < Duration::from_secs(300), "it hangs");
    }
    println!("{answered} reads were answered, {errors} were errors");
    for id in &read {
        assert_eq!(found(&direct, id).await.data.count, 1, "it was only read");
    }
}
