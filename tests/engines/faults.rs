//! What a program sees of a server that fails, and what is left of its sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use session_runtime::SessionId;
use session_runtime::store::{AnyStore, Key, Loaded, Record, Rotated, Store};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::app::{Counter, Process, STORE_TIMEOUT, connect, hold, key, new_session, serve, serve_within, until};
use crate::engine::{self, Engine};
use crate::proxy::Proxy;
use crate::servers::{self, Server};
use crate::wire::Client;

/// That an answer is bounded by a `store_timeout` of at most [`STORE_TIMEOUT`]: by how much exactly, depends on the machine, and is
/// tested where time does not (`tests/laws/outage.rs`).
const BOUND: Duration = Duration::from_secs(30);

/// Runs a check with each engine that is reached over a network, on the servers that the tests share, side by side.
async fn with_each(check: impl AsyncFn(Engine, u16)) {
    let engines = [
        (engine::redis(), servers::redis().port()),
        (engine::postgres(), servers::postgres().port()),
        (engine::mariadb(), servers::mariadb().port()),
    ];
    join_all(engines.map(|(engine, port)| check(engine, port))).await;
}

/// Runs a check with each of these servers, side by side, as the check's own.
async fn with_own(servers: impl IntoIterator<Item = fn() -> Server>, check: impl AsyncFn(String, Server)) {
    let check = &check;
    join_all(servers.into_iter().map(|start| async move {
        let server = tokio::task::spawn_blocking(start).await.unwrap();
        check(scheme(server.url()).to_owned(), server).await;
    }))
    .await;
}

fn redis_that_keeps() -> Server {
    servers::start_redis_with(&["--appendonly", "yes"])
}

fn scheme(url: &str) -> &str {
    url.split(':').next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_costs_503_within_the_bound_and_is_found_again_when_it_is_back() {
    async fn check(name: String, mut server: Server) {
        let store = connect(server.url()).await;
        let mut client = Client::to(&serve(store.clone()).await).await;
        assert_eq!(client.post("/add").await.body, "1", "{name}");
        let mut bounded = client.sibling(&serve_within(STORE_TIMEOUT, store).await).await;
        tokio::task::block_in_place(|| server.stop());
        let mut slowest = Duration::ZERO;
        for _ in 0..5 {
            for (method, path) in [("GET", "/"), ("POST", "/add"), ("POST", "/rotate")] {
                let start = Instant::now();
                let answer = bounded.send(method, path).await.unwrap();
                assert_eq!(answer.status, 503, "{name} {path}");
                slowest = slowest.max(start.elapsed());
            }
        }
        assert!(slowest < BOUND, "{name}: {slowest:?}");
        tokio::task::block_in_place(|| server.start_again());
        let start = Instant::now();
        until(&format!("{name} is not found again"), async || bounded.get("/").await.status == 200).await;
        let recovery = start.elapsed();
        assert_eq!(client.post("/add").await.body, "2", "{name}");
        println!("{name}: down, the slowest 503 after {slowest:.1?}; found again {recovery:.1?} after it was back");
    }
    with_own([redis_that_keeps, servers::start_postgres, servers::start_mariadb], check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_accepts_and_never_answers_is_bounded_and_left_for_a_new_connection() {
    async fn check(engine: Engine, port: u16) {
        let name = engine.name;
        let proxy = Proxy::to(port).await;
        let store = connect(&proxy.url(&engine.url, port)).await;
        let mut client = Client::to(&serve(store.clone()).await).await;
        assert_eq!(client.post("/add").await.body, "1", "{name}");
        let mut bounded = client.sibling(&serve_within(STORE_TIMEOUT, store).await).await;
        proxy.go_silent();
        let mut slowest = Duration::ZERO;
        for _ in 0..3 {
            let start = Instant::now();
            assert_eq!(bounded.get("/").await.status, 503, "{name}");
            slowest = slowest.max(start.elapsed());
        }
        assert!(slowest < BOUND, "{name}: {slowest:?}");
        // The connections of that time stay dead; new ones work.
        proxy.speak_again();
        let start = Instant::now();
        until(&format!("{name} is not found again"), async || bounded.get("/").await.status == 200).await;
        let recovery = start.elapsed();
        assert_eq!(client.post("/add").await.body, "2", "{name}");
        println!("{name}: silent, the slowest 503 after {slowest:.1?}; found again after {recovery:.1?}");
    }
    with_each(check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_answer_is_lost_is_done_once_and_the_caller_is_told_that_it_is_not_known() {
    async fn check(engine: Engine, port: u16) {
        let name = engine.name;
        let proxy = Proxy::to(port).await;
        let address = serve(connect(&proxy.url(&engine.url, port)).await).await;
        let mut client = Client::to(&address).await;
        client.post("/add").await;
        assert_eq!(client.post("/add").await.body, "2", "{name}");
        let (mut held, path, hold) = (client.sibling(&address).await, format!("/held/{name}"), hold(name));
        let change = tokio::spawn(async move { held.post(&path).await });
        hold.is_there.notified().await;
        proxy.swallow_the_next_answer();
        hold.go_on.notify_one();
        let answer = change.await.unwrap();
        assert_eq!(answer.status, 503, "{name}: {}", answer.body);
        assert_eq!(client.get("/").await.body, "3", "{name}: the server had it");
        assert_eq!(client.post("/add").await.body, "4", "{name}");
    }
    with_each(check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_gives_its_rotation_up_leaves_the_client_with_an_id_that_works() {
    async fn check(engine: Engine, port: u16) {
        let name = engine.name;
        let proxy = Proxy::to(port).await;
        let mut client = Client::to(&serve(connect(&proxy.url(&engine.url, port)).await).await).await;
        for count in 1..=5 {
            assert_eq!(client.post("/add").await.body, count.to_string(), "{name}");
            // It reads first. On a machine that stalls it is given up then; else when the rotation is under way.
            proxy.hold_back(Duration::from_millis(100));
            assert_eq!(client.post("/rotate/within/150").await.status, 200, "{name}");
            proxy.hold_back(Duration::ZERO);
            assert_eq!(client.get("/").await.body, count.to_string(), "{name}");
        }
    }
    with_each(check).await;
}

async fn found(store: &AnyStore<Counter>, key: Key<'_>) -> Record<Counter> {
    match store.load(key).await.unwrap() {
        Loaded::Found(record) => record,
        other => panic!("it is there: {other:?}"),
    }
}

/// The client has to learn its new id: the old one does not work any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_whose_answer_is_lost_is_looked_up() {
    async fn check(engine: Engine, port: u16) {
        let name = engine.name;
        let proxy = Proxy::to(port).await;
        let store = connect(&proxy.url(&engine.url, port)).await;
        for count in 0..5 {
            let ids: [SessionId; 4] =
                std::array::from_fn(|_| SessionId::parse(&format!("{:032x}", rand::random::<u128>())).unwrap());
            let [first, old, new, last] = ids.each_ref().map(key);
            let session = new_session(Counter { count, name: None }, Duration::from_secs(3600), None);
            store.create(first, session).await.unwrap();
            // Once, so that the statement is known to the connection.
            store.rotate(first, old, session_runtime::store::Rotation::new(found(&store, first).await)).await.unwrap();
            let record = found(&store, old).await;
            proxy.swallow_the_next_answer();
            let rotated = store.rotate(old, new, session_runtime::store::Rotation::new(record)).await;
            let Ok(Rotated::Rotated(version)) = rotated else { panic!("{name}: {rotated:?}") };
            let moved = found(&store, new).await;
            assert_eq!((moved.data.count, moved.version), (count, version), "{name}");
            assert!(matches!(store.load(old).await.unwrap(), Loaded::JustRotated), "{name}");
            proxy.cut();
            let rotated = store.rotate(new, last, session_runtime::store::Rotation::new(moved)).await;
            // Where the store saw that the connection was gone, it took another.
            let now_at = if rotated.is_ok() { last } else { new };
            assert_eq!(found(&store, now_at).await.data.count, count, "{name}: {rotated:?}");
        }
    }
    with_each(check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_under_load_lose_no_acknowledged_change() {
    async fn check(engine: Engine, port: u16) {
        const CLIENTS: u64 = 8;
        const REQUESTS: u64 = 100;
        const CUTS: u64 = 10;
        let name = engine.name;
        let proxy = Proxy::to(port).await;
        let address = serve(connect(&proxy.url(&engine.url, port)).await).await;
        let mut first = Client::to(&address).await;
        first.post("/add").await;
        let (mut tasks, answered) = (Vec::new(), Arc::new(AtomicU64::new(0)));
        for _ in 0..CLIENTS {
            let (mut client, answered) = (first.sibling(&address).await, Arc::clone(&answered));
            tasks.push(tokio::spawn(async move {
                let (mut done, mut unknown) = (0, 0);
                for _ in 0..REQUESTS {
                    match client.post("/add").await.status {
                        200 => done += 1,
                        503 => unknown += 1,
                        409 => {}
                        status => panic!("{status}"),
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                (done, unknown)
            }));
        }
        for cut in 1..=CUTS {
            let so_far = async || answered.load(Ordering::SeqCst) >= cut * CLIENTS * REQUESTS / (CUTS + 1);
            until(&format!("{name}: the load stands still"), so_far).await;
            proxy.cut();
        }
        let (mut done, mut unknown) = (1, 0);
        for task in tasks {
            let (more, lost) = task.await.unwrap();
            (done, unknown) = (done + more, unknown + lost);
        }
        // Every connection that is idle now is a broken one, and a read finds its way all the same.
        proxy.cut();
        let count: u64 = first.get("/").await.body.parse().unwrap();
        assert!((done..=done + unknown).contains(&count), "{name}: {done} acknowledged, {unknown} not known, {count} there");
        println!("{name}: cut {CUTS} times: {done} acknowledged, {unknown} answered 503, {count} there");
    }
    with_each(check).await;
}

/// Adds from eight clients until the process is killed, as a power failure of the program would; what was acknowledged.
async fn kill_amid_updates(store: &str) -> (u64, u64, String) {
    let mut process = tokio::task::block_in_place(|| Process::start(store));
    let mut first = Client::to(&process.address).await;
    first.post("/add").await;
    let (mut tasks, so_far) = (Vec::new(), Arc::new(AtomicU64::new(0)));
    for _ in 0..8 {
        let (mut client, so_far) = (first.sibling(&process.address).await, Arc::clone(&so_far));
        tasks.push(tokio::spawn(async move {
            let mut acknowledged = 0;
            while let Some(answer) = client.send("POST", "/add").await {
                acknowledged += u64::from(answer.status == 200);
                so_far.fetch_add(1, Ordering::SeqCst);
            }
            acknowledged
        }));
    }
    until("the load stands still", async || so_far.load(Ordering::SeqCst) >= 300).await;
    process.kill();
    let mut acknowledged = 1;
    for task in tasks {
        acknowledged += task.await.unwrap();
    }
    let process = tokio::task::block_in_place(|| Process::start(store));
    let count = first.sibling(&process.address).await.get("/").await.body;
    (acknowledged, acknowledged + 8, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_killed_amid_updates_loses_none_that_it_acknowledged() {
    for engine in engine::all() {
        let (acknowledged, at_most, count) = kill_amid_updates(&engine.url).await;
        let count: u64 = count.parse().unwrap();
        assert!((acknowledged..=at_most).contains(&count), "{engine:?}: {acknowledged} acknowledged, {count} there");
        println!("{engine:?}: killed after {acknowledged} acknowledged updates: {count} there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_server_that_is_killed_amid_updates_loses_none_that_it_acknowledged() {
    async fn check(name: String, mut server: Server) {
        let address = serve(connect(server.url()).await).await;
        let mut first = Client::to(&address).await;
        first.post("/add").await;
        let (mut client, so_far) = (first.sibling(&address).await, Arc::new(AtomicU64::new(1)));
        let writer = tokio::spawn({
            let so_far = Arc::clone(&so_far);
            async move {
                while client.post("/add").await.status == 200 {
                    so_far.fetch_add(1, Ordering::SeqCst);
                }
                so_far.load(Ordering::SeqCst)
            }
        });
        until("the load stands still", async || so_far.load(Ordering::SeqCst) >= 100).await;
        tokio::task::block_in_place(|| server.kill());
        let acknowledged: u64 = writer.await.unwrap();
        tokio::task::block_in_place(|| server.start_again());
        let count: u64 = first.get("/").await.body.parse().unwrap();
        assert!((acknowledged..=acknowledged + 1).contains(&count), "{name}: {acknowledged} acknowledged, {count} there");
        println!("{name}: its server killed after {acknowledged} acknowledged updates: {count} there");
    }
    with_own([servers::start_postgres, servers::start_mariadb], check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_or_read_only_sqlite_file_answers_changes_503_and_still_reads() {
    use session_runtime::store::{SqlOptions, SqliteStore};

    let folder = servers::temporary_folder("sqlite");
    let options = SqliteConnectOptions::new().filename(folder.join("sessions.db"));
    let pool = SqlitePoolOptions::new().connect_with(options.clone().create_if_missing(true)).await.unwrap();
    let store = SqliteStore::from_pool(pool, SqlOptions::new()).await.unwrap();
    let mut client = Client::to(&serve(AnyStore::new(store)).await).await;
    assert_eq!(client.post("/add").await.body, "1");

    for options in [options.clone().pragma("max_page_count", "1"), options.read_only(true)] {
        let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
        let store = SqliteStore::from_pool(pool, SqlOptions::new()).await.unwrap();
        let mut client = client.sibling(&serve(AnyStore::new(store)).await).await;
        assert_eq!(client.get("/").await.body, "1");
        let long = format!("/name/{}", "x".repeat(30_000));
        assert_eq!(client.post(&long).await.status, 503);
        assert_eq!(client.get("/").await.body, "1", "the session is as it was");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
