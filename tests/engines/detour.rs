//! A proxy whose target moves, which forgets connections as a firewall does, which is slow to connect, or which swallows an answer and waits.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

#[derive(Clone)]
pub struct Detour {
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    target: AtomicU16,
    /// How long a new connection waits before anything is carried.
    delay: AtomicU64,
    connections: AtomicU32,
    /// Connections with a lower number are forgotten.
    forgotten: AtomicU32,
    swallows: Mutex<Option<Arc<Swallow>>>,
}

/// An answer that the client does not get.
#[derive(Default)]
pub struct Swallow {
    /// The server has answered: what was asked for was done.
    pub answered: Notify,
    /// Cuts the connection.
    pub cut: Notify,
}

impl Detour {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let detour = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        detour.move_to(port);
        let state = Arc::clone(&detour.state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = state.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(carry(client, number, Arc::clone(&state)));
            }
        });
        detour
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// New connections go there; those that are there stay where they are.
    pub fn move_to(&self, port: u16) {
        self.state.target.store(port, Ordering::SeqCst);
    }

    pub fn delay(&self, delay: Duration) {
        self.state.delay.store(delay.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }

    /// The connections of now stay open, and nothing goes either way on them any more. New ones work.
    pub fn forget(&self) {
        self.state.forgotten.store(self.connections(), Ordering::SeqCst);
    }

    /// Those that it has accepted.
    pub fn connections(&self) -> u32 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Lets the server have what comes next, and keeps the answer to it.
    pub fn swallow_the_next_answer(&self) -> Arc<Swallow> {
        let swallow = Arc::new(Swallow::default());
        *self.state.swallows.lock().unwrap() = Some(Arc::clone(&swallow));
        swallow
    }
}

async fn carry(client: TcpStream, number: u32, state: Arc<State>) {
    tokio::time::sleep(Duration::from_millis(state.delay.load(Ordering::SeqCst))).await;
    let Ok(server) = TcpStream::connect(("127.0.0.1", state.target.load(Ordering::SeqCst))).await else { return };
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let is_forgotten = || number < state.forgotten.load(Ordering::SeqCst);
    let requests = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            if !is_forgotten() && to_server.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    let answers = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            let swallow = state.swallows.lock().unwrap().take();
            if let Some(swallow) = swallow {
                swallow.answered.notify_one();
                swallow.cut.notified().await;
                return;
            }
            if !is_forgotten() && to_client.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
        // The server has ended it, and a firewall that forgot it does not tell.
        if is_forgotten() {
            std::future::pending().await
        }
    };
    tokio::select! {
        () = requests => {}
        () = answers => {}
    }
}
