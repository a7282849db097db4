//! A load generator: HTTP/1.1 over connections that are kept.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use workloads::Work;

pub const CONNECTIONS: usize = 32;

/// The sessions that a connection has for itself.
const SESSIONS: usize = 32;

/// Connections to one app, with the sessions that they made.
pub struct Load {
    connections: Vec<Connection>,
}

impl Load {
    /// Connects, and makes the sessions.
    pub async fn on(port: &str) -> Result<Self, String> {
        let address = format!("127.0.0.1:{port}");
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let connection = Connection::open(&address).await.map_err(|error| format!("port {port}: {error}"))?;
            connections.push(connection);
        }
        Ok(Self { connections })
    }

    /// Sends requests from all connections at once, and says how many, and how long that took.
    pub async fn send(&mut self, work: Work, time: Duration) -> (f64, Duration) {
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for mut connection in self.connections.drain(..) {
            tasks.spawn(async move {
                let mut sent = 0_u64;
                while start.elapsed() < time {
                    connection.send_next(work).await;
                    sent += 1;
                }
                (connection, sent)
            });
        }
        let mut sent = 0;
        while let Some(task) = tasks.join_next().await {
            let (connection, of_one) = task.expect("no panic");
            self.connections.push(connection);
            sent += of_one;
        }
        (sent as f64, start.elapsed())
    }

    pub async fn one_after_the_other(&mut self, work: Work, count: u64) {
        for _ in 0..count {
            self.connections[0].send_next(work).await;
        }
    }
}

struct Connection {
    stream: TcpStream,
    cookies: Vec<String>,
    next: usize,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self { stream, cookies: Vec::new(), next: 0, buffer: Vec::with_capacity(4096) };
        for _ in 0..SESSIONS {
            let head = connection.send(Work::New.path(), "").await?;
            connection.cookies.push(cookie_of(&head).unwrap_or_else(|| "a=b".to_owned()));
        }
        Ok(connection)
    }

    /// # Panics
    ///
    /// When the app does not answer, or answers an error.
    async fn send_next(&mut self, work: Work) {
        self.next = (self.next + 1) % self.cookies.len();
        let cookie = std::mem::take(&mut self.cookies[self.next]);
        let answer = self.send(work.path(), &cookie).await;
        self.cookies[self.next] = cookie;
        answer.expect("the app answers");
    }

    /// Sends a request, and gives the head of the answer.
    async fn send(&mut self, path: &str, cookie: &str) -> std::io::Result<String> {
        let line = if cookie.is_empty() { String::new() } else { format!("cookie: {cookie}\r\n") };
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{line}\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::Error::other("the connection was closed"));
            }
            let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&self.buffer[..end]);
            let length = head.lines().find_map(|line| value(line, "content-length")).and_then(|length| length.parse().ok());
            if self.buffer.len() < end + 4 + length.unwrap_or(0) {
                continue;
            }
            if !head.starts_with("HTTP/1.1 200") {
                return Err(std::io::Error::other(head.into_owned()));
            }
            return Ok(head.into_owned());
        }
    }
}

fn cookie_of(head: &str) -> Option<String> {
    let pairs = head.lines().filter_map(|line| value(line, "set-cookie")).filter_map(|cookie| cookie.split(';').next());
    pairs.filter(|pair| !pair.ends_with('=')).map(str::to_owned).next()
}

fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = line.split_once(':')?;
    key.eq_ignore_ascii_case(name).then(|| value.trim())
}
