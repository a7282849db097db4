//! A proxy between a store and its server: it counts round trips, and it can go silent or cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone)]
pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    /// The server of new connections.
    port: AtomicU16,
    /// The milliseconds before a new connection goes on to the server.
    delay: AtomicU64,
    /// Times that the client spoke after the server did.
    trips: AtomicU64,
    connections: AtomicU32,
    silent: AtomicBool,
    /// The answers that are still let through, before the connection is cut.
    answers_before_cut: AtomicU64,
    /// Counts the times that all connections were cut.
    cuts: watch::Sender<u32>,
}

impl Proxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(State {
            port: AtomicU16::new(port),
            delay: AtomicU64::new(0),
            trips: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            silent: AtomicBool::new(false),
            answers_before_cut: AtomicU64::new(u64::MAX),
            cuts: watch::Sender::new(0),
        });
        let proxy = Self { port: listener.local_addr().unwrap().port(), state };
        let state = Arc::clone(&proxy.state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, Arc::clone(&state)));
            }
        });
        proxy
    }

    /// The same URL, by way of the proxy.
    pub fn url(&self, url: &str, port: u16) -> String {
        url.replace(&format!(":{port}"), &format!(":{}", self.port))
    }

    /// The round trips since it was asked last.
    pub fn trips(&self) -> u64 {
        self.state.trips.swap(0, Ordering::SeqCst)
    }

    /// The connections that it has accepted.
    pub fn connections(&self) -> u32 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// From now on it accepts and reads, on connections old and new, and nothing goes either way.
    pub fn go_silent(&self) {
        self.state.silent.store(true, Ordering::SeqCst);
    }

    /// New connections work again; those that fell silent stay so.
    pub fn speak_again(&self) {
        self.state.silent.store(false, Ordering::SeqCst);
    }

    /// New connections go to another server; those that are open stay open.
    pub fn move_to(&self, port: u16) {
        self.state.port.store(port, Ordering::SeqCst);
    }

    /// A new connection is accepted, and goes on to the server after this time.
    pub fn delay(&self, time: Duration) {
        self.state.delay.store(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Lets the server have the next request, and cuts the connection instead of giving its answer back.
    pub fn swallow_the_next_answer(&self) {
        self.swallow_the_answer_after(0);
    }

    /// The same with the answer that follows so many.
    pub fn swallow_the_answer_after(&self, answers: u64) {
        self.state.answers_before_cut.store(answers, Ordering::SeqCst);
    }
}

async fn carry(client: TcpStream, state: Arc<State>) {
    state.connections.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(state.delay.load(Ordering::SeqCst))).await;
    let port = state.port.load(Ordering::SeqCst);
    let Ok(server) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await else { return };
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let mut cuts = state.cuts.subscribe();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // A connection that was silent once is dead, as one whose packets a firewall drops.
    let dead = AtomicBool::new(false);
    let client_spoke = AtomicBool::new(false);
    tokio::select! {
        () = requests(from_client, to_server, &state, &dead, &client_spoke) => {}
        () = answers(from_server, to_client, &state, &dead, &client_spoke) => {}
        _ = cuts.changed() => {}
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, dead: &AtomicBool, client_spoke: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if !client_spoke.swap(true, Ordering::SeqCst) {
            state.trips.fetch_add(1, Ordering::SeqCst);
        }
        if state.silent.load(Ordering::SeqCst) {
            dead.store(true, Ordering::SeqCst);
        }
        if !dead.load(Ordering::SeqCst) && to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, dead: &AtomicBool, client_spoke: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        client_spoke.store(false, Ordering::SeqCst);
        let count = |left: u64| (left < u64::MAX).then(|| left.checked_sub(1).unwrap_or(u64::MAX));
        if state.answers_before_cut.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count) == Ok(0) {
            return;
        }
        if !dead.load(Ordering::SeqCst) && to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
