//! A load generator: HTTP/1.1 over connections that are kept.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use workloads::Work;

pub const CONNECTIONS: usize = 64;

/// The sessions that a connection has for itself.
const SESSIONS: usize = 16;

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

/// The requests of one session, made once.
struct Requests {
    read: Vec<u8>,
    write: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    sessions: Vec<Requests>,
    next: usize,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self { stream, sessions: Vec::new(), next: 0, buffer: Vec::with_capacity(4096) };
        for _ in 0..SESSIONS {
            exchange(&mut connection.stream, &request(Work::New, "a=b"), &mut connection.buffer).await?;
            let cookie = cookie_of(&String::from_utf8_lossy(&connection.buffer)).unwrap_or_else(|| "a=b".to_owned());
            let requests = Requests { read: request(Work::Read, &cookie), write: request(Work::Write, &cookie) };
            connection.sessions.push(requests);
        }
        Ok(connection)
    }

    /// # Panics
    ///
    /// When the app does not answer, or answers an error.
    async fn send_next(&mut self, work: Work) {
        self.next = (self.next + 1) % self.sessions.len();
        let requests = &self.sessions[self.next];
        let request = if work == Work::Read { &requests.read } else { &requests.write };
        exchange(&mut self.stream, request, &mut self.buffer).await.expect("the app answers");
    }
}

fn request(work: Work, cookie: &str) -> Vec<u8> {
    format!("GET {} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: {cookie}\r\n\r\n", work.path()).into_bytes()
}

/// Sends a request, and reads the answer to its end.
async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> io::Result<()> {
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::Error::other("the connection was closed"));
        }
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = str::from_utf8(&buffer[..end]).map_err(io::Error::other)?;
        let length = head.lines().find_map(|line| value(line, "content-length")).and_then(|length| length.parse().ok());
        if buffer.len() < end + 4 + length.unwrap_or(0) {
            continue;
        }
        let succeeded = head.starts_with("HTTP/1.1 200");
        return if succeeded { Ok(()) } else { Err(io::Error::other(head.to_owned())) };
    }
}

fn cookie_of(head: &str) -> Option<String> {
    let cookies = head.lines().filter_map(|line| value(line, "set-cookie"));
    let mut pairs = cookies.filter_map(|cookie| cookie.split(';').next());
    pairs.find(|pair| !pair.ends_with('=')).map(str::to_owned)
}

fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = line.split_once(':')?;
    key.eq_ignore_ascii_case(name).then(|| value.trim())
}
