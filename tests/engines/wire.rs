//! A client over a real socket, which keeps its connection and its cookie; and one of a Redis server.

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::app::PATIENCE;
use crate::servers::Server;

/// A connection to a Redis server, for the test itself.
pub async fn redis(server: &Server) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    redis::Client::open(server.url()).unwrap().get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

pub struct Client {
    stream: BufReader<TcpStream>,
    pub cookie: Option<String>,
    /// That of the cookie which the last answer set, in seconds.
    pub max_age: Option<u64>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Client {
    pub async fn to(address: &str) -> Self {
        Self { stream: BufReader::new(TcpStream::connect(address).await.unwrap()), cookie: None, max_age: None }
    }

    /// Another client with this one's cookie, of this address or of another process's.
    pub async fn sibling(&self, address: &str) -> Self {
        Self { cookie: self.cookie.clone(), ..Self::to(address).await }
    }

    /// The id in its cookie.
    pub fn id(&self) -> &str {
        self.cookie.as_deref().and_then(|cookie| cookie.split_once('=')).expect("it has a session").1
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path).await.expect("the server answers")
    }

    pub async fn post(&mut self, path: &str) -> Answer {
        self.send("POST", path).await.expect("the server answers")
    }

    /// `None` where the connection ends before the answer.
    pub async fn send(&mut self, method: &str, path: &str) -> Option<Answer> {
        self.send_form(method, path, "").await
    }

    /// The same, with the fields of a form.
    pub async fn send_form(&mut self, method: &str, path: &str, fields: &str) -> Option<Answer> {
        let cookie = self.cookie.as_ref().map(|cookie| format!("cookie: {cookie}\r\n")).unwrap_or_default();
        let length = fields.len();
        let form = format!("content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n");
        let request = format!("{method} {path} HTTP/1.1\r\nhost: example.com\r\n{form}{cookie}\r\n{fields}");
        self.stream.get_mut().write_all(request.as_bytes()).await.ok()?;
        self.max_age = None;
        let status = self.line().await?.split(' ').nth(1)?.parse().ok()?;
        let mut length = 0;
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(": ") else { break };
            match name {
                "content-length" => length = value.parse().ok()?,
                "set-cookie" => self.take_cookie(value),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(Answer { status, body: String::from_utf8(body).ok()? })
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.stream.read_line(&mut line).await.ok()? > 0).then(|| line.trim_end().to_owned())
    }

    fn take_cookie(&mut self, value: &str) {
        let removed = value.contains("Max-Age=0");
        let age = value.split("; ").find_map(|attribute| attribute.strip_prefix("Max-Age="));
        self.max_age = age.and_then(|age| age.parse().ok());
        let pair = value.split(';').next().unwrap_or_default().to_owned();
        self.cookie = (!removed).then_some(pair);
    }
}
