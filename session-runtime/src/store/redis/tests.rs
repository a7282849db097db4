//! Servers of the tests' own, which answer as no real one could be made to, and what a store's connections make of that.

use std::fmt::Write as _;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use redis::{Cmd, RedisConnectionInfo, Value, cmd};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use super::cluster::Cluster;
use super::endpoint::{Common, Endpoint, of_url};
use super::health::Health;
use super::line::Line;
use super::probe::Probe;
use super::queue::{Answer, Ask};
use super::server::Server;
use super::tls::Certificates;
use super::verdict::{Connection, Failed, Ran};
use super::wire::Address;

/// A server whose connections are served by `serve`, side by side, each with its number.
pub(super) async fn listen<F>(serve: impl Fn(TcpStream, u64) -> F + Send + Sync + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let socket = TcpSocket::new_v4().unwrap();
    // What is not read yet waits at the client.
    socket.set_recv_buffer_size(64 << 10).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(64).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            tokio::spawn(serve(listener.accept().await.unwrap().0, number));
        }
    });
    address
}

/// An address at which nobody listens.
async fn dead() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

pub(super) fn common() -> Common {
    of_url("redis://127.0.0.1", None, &Certificates::default()).unwrap().1
}

fn address(at: SocketAddr) -> Address {
    Address::Tcp(at.ip().to_string(), at.port())
}

/// A store's way to a server.
pub(super) fn server_at(at: SocketAddr) -> Server {
    Server::new(Endpoint::at(address(at), common(), None))
}

/// Answers each command by what `reply` says to its name, and after what time, until it says nothing.
pub(super) async fn answer(stream: TcpStream, mut reply: impl FnMut(&str) -> Option<(String, Duration)> + Send) -> TcpStream {
    let mut stream = BufReader::new(stream);
    while let Some(name) = command(&mut stream).await {
        let Some((said, after)) = reply(&name) else { break };
        sleep(after).await;
        stream.write_all(said.as_bytes()).await.unwrap();
    }
    stream.into_inner()
}

/// A server that answers all by `+OK`.
async fn listen_and_say_ok() -> SocketAddr {
    listen(async |stream, _| drop(answer(stream, |_| ok()).await)).await
}

/// The name of the next command.
async fn command(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let count = number(stream).await?;
    let mut name = None;
    for _ in 0..count {
        let mut word = vec![0; number(stream).await? + 2];
        let parts = word.len().div_ceil(1 << 20);
        for (part, bytes) in word.chunks_mut(1 << 20).enumerate() {
            stream.read_exact(bytes).await.ok()?;
            // What is long comes slowly, but for what the client's machine sends when the client has written all.
            if part + 16 < parts {
                sleep(Duration::from_millis(100)).await;
            }
        }
        word.truncate(word.len() - 2);
        name.get_or_insert_with(|| String::from_utf8(word).unwrap());
    }
    name
}

async fn number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.get(1..)?.trim_end().parse().ok()
}

#[allow(clippy::unnecessary_wraps, reason = "it is what a server says that may also say nothing")]
pub(super) fn ok() -> Option<(String, Duration)> {
    says("+OK")
}

#[allow(clippy::unnecessary_wraps, reason = "it is what a server says that may also say nothing")]
fn says(line: &str) -> Option<(String, Duration)> {
    Some((format!("{line}\r\n"), Duration::ZERO))
}

pub(super) fn fine(answer: Result<Answer, Failed>) {
    assert_eq!(answer.unwrap().value, Value::Okay);
}

fn change() -> Ask {
    Ask::Alone(cmd("CHANGE"))
}

/// Longer than a connection is idle before it is asked whether it is there.
const IDLE: Duration = Duration::from_millis(2100);

#[tokio::test]
async fn a_connection_that_says_while_it_is_idle_that_it_is_of_no_use_costs_no_call() {
    let at = listen(async |stream, number| {
        let mut is_known = true;
        let reply = |name: &str| match name {
            "PING" if number == 0 => {
                is_known = false;
                says("-NOAUTH Authentication required.")
            }
            "CHANGE" if !is_known => says("-ERR this must not be asked here any more"),
            _ => ok(),
        };
        answer(stream, reply).await;
    })
    .await;
    let server = server_at(at);
    fine(server.ask(change, false).await);
    sleep(IDLE).await;
    fine(server.ask(change, false).await);
}

#[tokio::test]
async fn what_waits_for_a_connection_that_is_left_hears_no_more_than_the_one_that_was_refused() {
    for (said, connection) in [
        ("NOREPLICAS Not enough good replicas to write.", Connection::Over),
        ("READONLY You can't write against a read only replica.", Connection::AllOver),
    ] {
        // Nothing leaves: it never answers what a new connection asks.
        let at = listen(async |_stream, _| pending::<()>().await).await;
        let endpoint = Arc::new(Endpoint::at(address(at), common(), None));
        let line = Line::start(&endpoint, &Arc::new(Health::of(String::new())), 0);
        let refused = redis::parse_redis_value(format!("-{said}\r\n").as_bytes()).unwrap().extract_error().unwrap_err();
        let (waiting, ()) = join(line.ask(change()), async { line.leave(&Failed::from(refused)) }).await;
        let failed = waiting.map(|answer| answer.value).unwrap_err();
        assert_eq!((failed.verdict.ran, failed.verdict.connection), (Ran::No, connection), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_goes_on_is_no_silence() {
    let at = listen_and_say_ok().await;
    let server = server_at(at);
    fine(server.ask(change, false).await);
    let data = "x".repeat(48 << 20);
    let start = Instant::now();
    let mut long = cmd("CHANGE");
    long.arg(data);
    fine(server.ask(|| Ask::Alone(long.clone()), false).await);
    assert!(start.elapsed() > Duration::from_secs(2), "it was long");
}

#[tokio::test]
async fn closing_does_not_wait_for_a_connection_that_nobody_waits_for() {
    let at = listen(async |stream, _| {
        let _open = stream;
        pending::<()>().await;
    })
    .await;
    let server = server_at(at);
    assert!(timeout(Duration::from_millis(50), server.ask(change, false)).await.is_err(), "it gives up");
    timeout(Duration::from_secs(5), server.close()).await.expect("nothing is under way");
}

#[test]
fn closing_does_not_wait_for_a_runtime_that_nobody_drives() {
    let serving = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let at = serving.block_on(listen_and_say_ok());
    let [asking, closing] = [(); 2].map(|()| Builder::new_current_thread().enable_all().build().unwrap());
    let server = server_at(at);
    asking.block_on(async { fine(server.ask(change, false).await) });
    closing.block_on(async { timeout(Duration::from_secs(40), server.close()).await.expect("it ends") });
}

/// A node of a cluster, and what it says.
struct Node {
    at: SocketAddr,
    says: Arc<Says>,
}

#[derive(Default)]
struct Says {
    /// How it answers: [`SERVES`], or another.
    how: AtomicU8,
    /// The answer to `CLUSTER SLOTS`, and how long that takes.
    slots: Mutex<(String, Duration)>,
    looks: AtomicU64,
}

const SERVES: u8 = 0;
/// It refuses all, at once.
const LOADS: u8 = 1;
/// It serves who asks for the slots, and ends the connection with whoever asks for anything else.
const CUTS: u8 = 2;
/// It ends every connection.
const ENDS: u8 = 3;

impl Node {
    async fn start() -> Self {
        let says = Arc::new(Says::default());
        let of_this = Arc::clone(&says);
        let at = listen(move |stream, _| {
            let says = Arc::clone(&of_this);
            async move { drop(answer(stream, |name| says.answer(name)).await) }
        })
        .await;
        Self { at, says }
    }

    fn is_now(&self, how: u8) {
        self.says.how.store(how, Ordering::SeqCst);
    }

    /// What it says of the slots from now on: the last one of each range and its node.
    fn knows(&self, ranges: &[(u16, &Self)], after: Duration) {
        let mut said = format!("*{}\r\n", ranges.len());
        let mut first = 0;
        for (last, node) in ranges {
            let port = node.at.port();
            write!(said, "*3\r\n:{first}\r\n:{last}\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n").unwrap();
            first = last + 1;
        }
        *self.says.slots.lock().unwrap() = (said, after);
    }

    fn looks(&self) -> u64 {
        self.says.looks.load(Ordering::SeqCst)
    }
}

impl Says {
    fn answer(&self, name: &str) -> Option<(String, Duration)> {
        let is_look = name == "CLUSTER";
        if is_look {
            self.looks.fetch_add(1, Ordering::SeqCst);
        }
        match self.how.load(Ordering::SeqCst) {
            LOADS => says("-LOADING Redis is loading the dataset in memory"),
            CUTS if name == "EVALSHA" => None,
            ENDS => None,
            _ if is_look => Some(self.slots.lock().unwrap().clone()),
            _ => ok(),
        }
    }
}

fn script() -> Cmd {
    let mut command = cmd("EVALSHA");
    command.arg("f00").arg(1).arg("key");
    command
}

/// So often the nodes of a cluster may be asked for the slots in this time.
fn looks_in(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap() / 50 + 2
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_of_a_cluster_are_not_asked_by_each_call_who_has_which_slot() {
    for how in [LOADS, CUTS] {
        let node = Node::start().await;
        node.knows(&[(16383, &node)], Duration::ZERO);
        let (cluster, _) = Cluster::connect(vec![address(node.at)], common()).await.unwrap();
        assert_eq!(cluster.send(script, true).await.unwrap(), Value::Okay);
        let (before, start) = (node.looks(), Instant::now());
        node.is_now(how);
        for _ in 0..3 {
            for result in join_all((0..50).map(|_| cluster.send(script, true))).await {
                result.unwrap_err();
            }
        }
        let looks = node.looks() - before;
        println!("150 calls that fail: {looks} looks in {:?}", start.elapsed());
        // Each refusal is asked once more.
        assert!(looks <= 2 * looks_in(start.elapsed()), "{how}: {looks} looks in {:?}", start.elapsed());
        node.is_now(SERVES);
        assert_eq!(cluster.send(script, true).await.unwrap(), Value::Okay, "{how}: it is back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_a_cluster_that_still_names_who_has_failed_is_not_believed_before_the_others_are_heard() {
    let [old, stale, fresh, new] = [Node::start().await, Node::start().await, Node::start().await, Node::start().await];
    let before = [(16381, &old), (16382, &stale), (16383, &fresh)];
    for node in [&old, &stale, &fresh, &new] {
        node.knows(&before, Duration::ZERO);
    }
    let (cluster, _) = Cluster::connect(vec![address(old.at)], common()).await.unwrap();
    assert_eq!(cluster.send(script, true).await.unwrap(), Value::Okay);
    old.is_now(ENDS);
    for node in [&fresh, &new] {
        node.knows(&[(16381, &new), (16382, &stale), (16383, &fresh)], Duration::from_millis(100));
    }
    let mut answers = Vec::new();
    // Once, but for a machine that stands still meanwhile.
    for _ in 0..5 {
        answers.push(cluster.send(script, true).await);
    }
    assert!(answers.iter().any(Result::is_ok), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_that_still_names_who_has_failed_is_not_the_only_one_that_is_heard() {
    let new = listen_and_say_ok().await;
    let mut sentinels = Vec::new();
    for (known, after) in [(dead().await, 0), (new, 100)] {
        let said = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{}\r\n", known.port().to_string().len(), known.port());
        let said = Arc::new(said);
        let at = listen(move |stream, _| {
            let said = Arc::clone(&said);
            async move {
                let reply = |name: &str| match name {
                    "SENTINEL" => Some(((*said).clone(), Duration::from_millis(after))),
                    _ => ok(),
                };
                drop(answer(stream, reply).await);
            }
        });
        sentinels.push(address(at.await));
    }
    let (settings, probe) = (RedisConnectionInfo::default(), Probe::of("a:", false));
    let server = Server::new(Endpoint::behind_sentinels(sentinels, "shop".to_owned(), settings, common(), probe));
    server.connect().await.unwrap();
    fine(server.ask(change, false).await);
}
