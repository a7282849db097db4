//! A proxy between a store and its server: it counts round trips, and it can go silent or cut.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, watch};

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
    /// The milliseconds for which each answer is held back.
    holds_back: AtomicU64,
    /// What begins that, once it was heard, and for how long each is held back then.
    slow_from: Mutex<Option<(&'static [u8], Duration)>>,
    refused: Mutex<Vec<Refused>>,
    /// Counts the times that all connections were cut.
    cuts: watch::Sender<u32>,
}

/// What is answered here, in the server's place.
struct Refused {
    said: &'static [u8],
    answer: Vec<u8>,
    times: u32,
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
            holds_back: AtomicU64::new(0),
            slow_from: Mutex::default(),
            refused: Mutex::default(),
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

    /// Answers what has these bytes in it, which the server does not hear of.
    pub fn refuse(&self, said: &'static [u8], answer: Vec<u8>) {
        self.state.refused.lock().unwrap().push(Refused { said, answer, times: 0 });
    }

    /// From now on the server hears everything again; how often each of what was refused was said.
    pub fn refuse_nothing(&self) -> Vec<u32> {
        std::mem::take(&mut *self.state.refused.lock().unwrap()).into_iter().map(|refused| refused.times).collect()
    }

    /// Each answer comes so much later.
    pub fn hold_back(&self, time: Duration) {
        self.state.holds_back.store(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Each answer comes so much later once the server was told what has these bytes in it, the answer to that included.
    pub fn hold_back_from(&self, said: &'static [u8], time: Duration) {
        *self.state.slow_from.lock().unwrap() = Some((said, time));
    }

    /// Whether answers come later now.
    pub fn holds_back(&self) -> bool {
        self.state.holds_back.load(Ordering::SeqCst) > 0
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
    let to_client = AsyncMutex::new(to_client);
    tokio::select! {
        () = requests((from_client, &to_client), to_server, &state, &dead, &client_spoke) => {}
        () = answers(from_server, &to_client, &state, &dead, &client_spoke) => {}
        _ = cuts.changed() => {}
    }
}

async fn requests(
    (mut from, back): (OwnedReadHalf, &AsyncMutex<OwnedWriteHalf>),
    mut to: OwnedWriteHalf,
    state: &State,
    dead: &AtomicBool,
    client_spoke: &AtomicBool,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if !client_spoke.swap(true, Ordering::SeqCst) {
            state.trips.fetch_add(1, Ordering::SeqCst);
        }
        if state.silent.load(Ordering::SeqCst) {
            dead.store(true, Ordering::SeqCst);
        }
        if let Some(answer) = refused(state, &buffer[..length]) {
            if back.lock().await.write_all(&answer).await.is_err() {
                return;
            }
            continue;
        }
        slow_down(state, &buffer[..length]);
        if !dead.load(Ordering::SeqCst) && to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

fn slow_down(state: &State, heard: &[u8]) {
    let mut slow_from = state.slow_from.lock().unwrap();
    if let Some((_, time)) = slow_from.take_if(|(said, _)| has(heard, said)) {
        state.holds_back.store(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

fn has(heard: &[u8], said: &[u8]) -> bool {
    heard.windows(said.len()).any(|part| part == said)
}

fn refused(state: &State, heard: &[u8]) -> Option<Vec<u8>> {
    let mut refused = state.refused.lock().unwrap();
    let refused = refused.iter_mut().find(|refused| has(heard, refused.said))?;
    refused.times += 1;
    Some(refused.answer.clone())
}

async fn answers(
    mut from: OwnedReadHalf,
    to: &AsyncMutex<OwnedWriteHalf>,
    state: &State,
    dead: &AtomicBool,
    client_spoke: &AtomicBool,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        client_spoke.store(false, Ordering::SeqCst);
        let count = |left: u64| (left < u64::MAX).then(|| left.checked_sub(1).unwrap_or(u64::MAX));
        if state.answers_before_cut.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count) == Ok(0) {
            return;
        }
        let holds_back = state.holds_back.load(Ordering::SeqCst);
        if holds_back > 0 {
            tokio::time::sleep(Duration::from_millis(holds_back)).await;
        }
        if !dead.load(Ordering::SeqCst) && to.lock().await.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// PostgreSQL's answer to a simple query: an error, in a transaction that goes on.
pub fn postgres_error(state: &str) -> Vec<u8> {
    let fields = format!("SERROR\0VERROR\0C{state}\0Mrefused on the way\0\0");
    let length = u32::try_from(4 + fields.len()).unwrap().to_be_bytes();
    [b"E", &length[..], fields.as_bytes(), b"Z", &5_u32.to_be_bytes(), b"T"].concat()
}

/// MariaDB's answer to a command: an error.
pub fn mariadb_error(number: u16) -> Vec<u8> {
    let told = [&[0xFF][..], &number.to_le_bytes(), b"#HY000refused on the way"].concat();
    [&u32::try_from(told.len()).unwrap().to_le_bytes()[..3], &[1], &told].concat()
}
