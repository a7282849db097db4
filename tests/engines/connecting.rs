//! What `store::connect` says of a URL that it cannot open.

use std::time::{Duration, Instant};

use session_runtime::store::{ConnectError, connect};

use crate::app::Counter;

async fn refused(url: &str) -> ConnectError {
    connect::<Counter>(url).await.unwrap_err()
}

#[tokio::test]
async fn an_unknown_scheme_is_told_with_those_that_there_are() {
    let said = refused("mongodb://user:secret@host/").await.to_string();
    assert!(said.contains("\"mongodb\"") && said.contains("redis://") && !said.contains("secret"), "{said}");
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn a_missing_feature_is_named() {
    let said = refused("rediss://user:secret@host/").await.to_string();
    assert!(said.contains("feature `tls`") && !said.contains("secret"), "{said}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once_and_without_the_password() {
    for scheme in ["redis", "redis+cluster", "postgres", "mysql"] {
        let start = Instant::now();
        let said = refused(&format!("{scheme}://user:secret@127.0.0.1:1/db")).await.to_string();
        assert!(!said.contains("secret"), "{said}");
        // Who tries again and again does so for 30 s, as the pools of sqlx do unless told otherwise.
        assert!(start.elapsed() < Duration::from_secs(20), "{scheme}: {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_table_name_that_could_be_more_than_a_name_is_refused() {
    for name in ["a;drop", "a\"b", "1a"] {
        assert!(refused(&format!("sqlite::memory:?table={name}")).await.to_string().contains("not a name for a table"));
    }
}
