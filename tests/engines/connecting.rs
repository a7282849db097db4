//! What `store::connect` says of a URL that it cannot open.

use std::time::{Duration, Instant};

use session_runtime::store::{ConnectError, connect};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

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

/// What MySQL says to a client without TLS whose account has the authentication that it has had unless told otherwise since 8.0.
async fn say_that_the_password_is_to_be_encrypted(listener: TcpListener) {
    const PLUGIN: &[u8] = b"caching_sha2_password\0";
    // Protocol 41, secure connection, authentication by plugins: but not TLS.
    const CAPABILITIES: u32 = 1 | 8 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;
    const FULL_AUTHENTICATION: [u8; 2] = [1, 4];

    let packet = |number: u8, payload: &[u8]| [&[u8::try_from(payload.len()).unwrap(), 0, 0, number], payload].concat();
    let [low, high] = [CAPABILITIES & 0xffff, CAPABILITIES >> 16].map(|half| u16::try_from(half).unwrap().to_le_bytes());
    let greeting = [
        &[10][..],
        b"8.4.0\0",
        &[1, 0, 0, 0],
        b"12345678\0",
        &low,
        &[45, 2, 0],
        &high,
        &[21],
        &[0; 10],
        b"123456789012\0",
        PLUGIN,
    ];
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        client.write_all(&packet(0, &greeting.concat())).await.unwrap();
        let mut answer = [0; 1024];
        if client.read(&mut answer).await.unwrap() > 0 {
            client.write_all(&packet(2, &FULL_AUTHENTICATION)).await.unwrap();
            // It asks for the server's key.
            if client.read(&mut answer).await.unwrap() > 0 {
                client.write_all(&packet(4, b"\x01a key")).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn an_account_of_mysql_whose_password_is_not_sent_in_the_clear_is_told_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mysql://app:secret@{}/app", listener.local_addr().unwrap());
    let server = tokio::spawn(say_that_the_password_is_to_be_encrypted(listener));
    let said = refused(&url).await.to_string();
    let what_to_do = if cfg!(feature = "tls") { "the server offers no TLS" } else { "feature `tls` of session-runtime" };
    assert!(said.contains(what_to_do) && said.contains("caching_sha2_password") && !said.contains("secret"), "{said}");
    server.abort();
}
