//! Gates before the masters of a cluster: answers are counted, and held back from one of them on; or what a node is asked is held back. So a test can end what
//! goes on between any two steps.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, join, select};
use session_runtime::store::RedisStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::servers::{self, Cluster};

#[derive(Clone)]
pub struct Gates(Arc<State>);

struct State {
    /// The port of each master, and that of its gate.
    ports: Vec<(u16, u16)>,
    now: watch::Sender<Now>,
}

#[derive(Default)]
struct Now {
    /// How many answers still come through. All, if there is no number.
    answers: Option<u64>,
    is_held: bool,
    /// The number of the master that hears nothing, and how often it was not heard.
    deaf: Option<usize>,
    unheard: u64,
    connections: u64,
    /// Counts the times that the connections to each were cut.
    cuts: [u64; 3],
}

impl Gates {
    pub async fn to(cluster: &Cluster) -> Self {
        let (mut ports, mut listeners) = (Vec::new(), Vec::new());
        for master in cluster.masters() {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            ports.push((master.port(), listener.local_addr().unwrap().port()));
            listeners.push(listener);
        }
        let state = Arc::new(State { ports, now: watch::Sender::default() });
        for (node, listener) in listeners.into_iter().enumerate() {
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    state.now.send_modify(|now| now.connections += 1);
                    let state = Arc::clone(&state);
                    tokio::spawn(async move {
                        carry(client, node, &state).await;
                        state.now.send_modify(|now| now.connections -= 1);
                    });
                }
            });
        }
        Self(state)
    }

    /// A store whose way to each master leads through its gate.
    pub async fn store(&self, prefix: &str) -> RedisStore {
        let url = format!("redis://127.0.0.1:{}/", self.0.ports[0].1);
        RedisStore::connect_cluster([url]).await.unwrap().key_prefix(prefix)
    }

    /// From now on so many answers come through, those that were held back first, and the others are held back.
    pub fn let_through(&self, answers: u64) {
        self.0.now.send_modify(|now| (now.answers, now.is_held) = (Some(answers), false));
    }

    /// All answers come through, and those that were held back.
    pub fn open(&self) {
        self.0.now.send_modify(|now| (now.answers, now.is_held) = (None, false));
    }

    /// Until an answer is held back.
    pub async fn held(&self) {
        self.wait(|now| now.is_held).await;
    }

    /// A master hears nothing of what it is asked from now on.
    pub fn deafen(&self, node: usize) {
        self.0.now.send_modify(|now| (now.deaf, now.unheard) = (Some(node), 0));
    }

    /// Until it was not heard by the master that hears nothing.
    pub async fn unheard(&self) {
        self.wait(|now| now.unheard > 0).await;
    }

    pub fn is_unheard(&self) -> bool {
        self.0.now.borrow().unheard > 0
    }

    /// It hears everything again, and what it was asked.
    pub fn hears_again(&self) {
        self.0.now.send_modify(|now| now.deaf = None);
    }

    /// It never hears what it was asked: the connections to it end, and new ones work.
    pub fn cuts_off(&self) {
        self.0.now.send_modify(|now| {
            if let Some(node) = now.deaf.take() {
                now.cuts[node] += 1;
            }
        });
    }

    /// Until no connection is left, and all is done that came by one.
    async fn left(&self) {
        self.wait(|now| now.connections == 0).await;
    }

    async fn wait(&self, is_so: impl FnMut(&Now) -> bool) {
        self.0.now.subscribe().wait_for(is_so).await.unwrap();
    }
}

impl State {
    /// Whether the next answer comes through.
    fn lets_through(&self) -> bool {
        let mut comes_through = true;
        self.now.send_modify(|now| match &mut now.answers {
            None => {}
            Some(0) => (now.is_held, comes_through) = (true, false),
            Some(left) => *left -= 1,
        });
        comes_through
    }
}

async fn carry(client: TcpStream, node: usize, state: &State) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", state.ports[node].0)).await else { return };
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let is_left = watch::Sender::new(false);
    let mut now = state.now.subscribe();
    let cuts = now.borrow().cuts[node];
    let carried =
        join(requests(from_client, to_server, (node, cuts), state, &is_left), answers(from_server, to_client, state, &is_left));
    tokio::select! {
        _ = now.wait_for(|now| now.cuts[node] > cuts) => {}
        _ = carried => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    (node, cuts): (usize, u64),
    state: &State,
    is_left: &watch::Sender<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if state.now.borrow().deaf == Some(node) {
            state.now.send_modify(|now| now.unheard += 1);
            if state.now.subscribe().wait_for(|now| now.deaf != Some(node)).await.unwrap().cuts[node] > cuts {
                return;
            }
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    is_left.send_replace(true);
    // The server does what it was asked, and ends the connection then.
    let _ = to.shutdown().await;
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, is_left: &watch::Sender<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let mut answer = buffer[..length].to_vec();
        // What `CLUSTER SLOTS` says leads to the gates.
        for (port, gate) in &state.ports {
            answer = replaced(&answer, format!(":{port}\r\n").as_bytes(), format!(":{gate}\r\n").as_bytes());
        }
        while !state.lets_through() {
            let (mut now, mut left) = (state.now.subscribe(), is_left.subscribe());
            let (more, left) = (now.wait_for(|now| now.answers != Some(0)), left.wait_for(|left| *left));
            if let Either::Right(_) = select(pin!(more), pin!(left)).await {
                break;
            }
        }
        let _ = to.write_all(&answer).await;
    }
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut rest = text;
    let mut result = Vec::with_capacity(text.len());
    while let Some(at) = rest.windows(from.len()).position(|part| part == from) {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    result.extend_from_slice(rest);
    result
}

/// Does the work on the cluster that the tests share in a runtime of its own, and ends that when so many answers have come, as a process ends that dies:
/// what it has sent is done, and nothing more. Whether it was not done with its work.
pub async fn dies_after<R>(answers: u64, prefix: &str, work: impl AsyncFnOnce(&RedisStore) -> R + Send + 'static) -> bool {
    let gates = Gates::to(servers::redis_cluster()).await;
    let (of_process, prefix) = (gates.clone(), prefix.to_owned());
    let process = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let died = runtime.block_on(async {
            let store = of_process.store(&prefix).await;
            of_process.let_through(answers);
            let (work, held) = (pin!(work(&store)), pin!(of_process.held()));
            matches!(select(work, held).await, Either::Right(_))
        });
        runtime.shutdown_background();
        died
    });
    let died = process.await.unwrap();
    gates.left().await;
    died
}
