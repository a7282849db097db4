//! A store that is closed has no connection any more, and every call of it is an error.

use std::time::Duration;

use session_runtime::SessionId;
use session_runtime::store::{Loaded, Store, StoreError};

use crate::app::{Counter, connect, key, new_session};
use crate::engine;

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
