//! HTTP over a real socket, byte by byte.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One request on one connection; what came back until the server closed it.
pub async fn exchange(address: &str, method: &str, path: &str, cookie: &str) -> String {
    let headers = if cookie.is_empty() { String::new() } else { format!("cookie: {cookie}\r\n") };
    exchange_with(address, method, path, &headers).await
}

/// The same with headers of the caller's, each with its line end.
pub async fn exchange_with(address: &str, method: &str, path: &str, headers: &str) -> String {
    exchange_body(address, method, path, headers, "").await
}

/// The same with a body.
pub async fn exchange_body(address: &str, method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A handler that panics closes the connection without a word.
    let _ = socket.read_to_string(&mut answer).await;
    answer
}
