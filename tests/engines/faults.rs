//! What a program sees of a server that fails, and what is left of its sessions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_runtime::SessionId;
use session_runtime::store::{Key, Limits, Loaded, NewSession, Record, Rotated, Store};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::app::{Counter, Process, STORE_TIMEOUT, connect, serve};
use crate::engine;
use crate::proxy::Proxy;
use crate::servers::{self, Server};
use crate::wire::Client;

/// What a bounded answer may take beyond the store's timeout.
const MARGIN: Duration = Duration::from_millis(700);

fn networked() -> [Server; 3] {
    [servers::start_redis_with(&["--appendonly", "yes"]), servers::start_postgres(), servers::start_mariadb()]
}

fn scheme(url: &str) -> &str {
    url.split(':').next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_costs_503_within_the_bound_and_is_found_again_when_it_is_back() {
    for mut server in networked() {
        let name = scheme(server.url()).to_owned();
        let mut client = Client::to(&serve(connect(server.url()).await).await).await;
        assert_eq!(client.post("/add").await.body, "1", "{name}");
        tokio::task::block_in_place(|| server.stop());
        let mut slowest = Duration::ZERO;
        for _ in 0..5 {
            for (method, path) in [("GET", "/"), ("POST", "/add"), ("POST", "/rotate")] {
                let start = Instant::now();
                let answer = client.send(method, path).await.unwrap();
                assert_eq!(answer.status, 503, "{name} {path}");
                slowest = slowest.max(start.elapsed());
            }
        }
        assert!(slowest < STORE_TIMEOUT + MARGIN, "{name}: {slowest:?}");
        tokio::task::block_in_place(|| server.start_again());
        let start = Instant::now();
        while client.get("/").await.status != 200 {
            assert!(start.elapsed() < STORE_TIMEOUT, "{name} is not found again");
        }
        let recovery = start.elapsed();
        assert_eq!(client.post("/add").await.body, "2", "{name}");
        println!("{name}: down, the slowest 503 after {slowest:.1?}; found again {recovery:.1?} after it was back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_accepts_and_never_answers_is_bounded_and_left_for_a_new_connection() {
    for server in networked() {
        let name = scheme(server.url()).to_owned();
        let proxy = Proxy::to(server.port()).await;
        let address = serve(connect(&proxy.url(server.url(), server.port())).await).await;
        let mut client = Client::to(&address).await;
        assert_eq!(client.post("/add").await.body, "1", "{name}");
        proxy.go_silent();
        let mut slowest = Duration::ZERO;
        for _ in 0..3 {
            let start = Instant::now();
            assert_eq!(client.get("/").await.status, 503, "{name}");
            slowest = slowest.max(start.elapsed());
        }
        assert!(slowest < STORE_TIMEOUT + MARGIN, "{name}: {slowest:?}");
        // The connections of that time stay dead; new ones work.
        proxy.speak_again();
        let start = Instant::now();
        while client.get("/").await.status != 200 {
            assert!(start.elapsed() < 2 * STORE_TIMEOUT, "{name} is not found again");
        }
        let recovery = start.elapsed();
        assert_eq!(client.post("/add").await.body, "2", "{name}");
        println!("{name}: silent, the slowest 503 after {slowest:.1?}; found again after {recovery:.1?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_answer_is_lost_is_done_once_and_the_caller_is_told_that_it_is_not_known() {
    for server in networked() {
        let name = scheme(server.url()).to_owned();
        let proxy = Proxy::to(server.port()).await;
        let address = serve(connect(&proxy.url(server.url(), server.port())).await).await;
        let mut client = Client::to(&address).await;
        client.post("/add").await;
        assert_eq!(client.post("/add").await.body, "2", "{name}");
        let mut slow = client.sibling(&address).await;
        // The session is read before the cut, and changed after it.
        let change = tokio::spawn(async move { slow.post("/slow/300").await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        proxy.swallow_the_next_answer();
        let answer = change.await.unwrap();
        assert_eq!(answer.status, 503, "{name}: {}", answer.body);
        assert_eq!(client.get("/").await.body, "3", "{name}: the server had it");
        assert_eq!(client.post("/add").await.body, "4", "{name}");
    }
}

async fn found(store: &dyn Store<Counter>, key: Key<'_>) -> Record<Counter> {
    match store.load(key).await.unwrap() {
        Loaded::Found(record) => record,
        other => panic!("it is there: {other:?}"),
    }
}

/// The client has to learn its new id: the old one does not work any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_whose_answer_is_lost_is_looked_up() {
    for server in networked() {
        let name = scheme(server.url()).to_owned();
        let proxy = Proxy::to(server.port()).await;
        let store = connect(&proxy.url(server.url(), server.port())).await;
        for count in 0..5 {
            let ids: [SessionId; 4] =
                std::array::from_fn(|_| SessionId::parse(&format!("{:032x}", rand::random::<u128>())).unwrap());
            let [first, old, new, last] = ids.each_ref().map(Key::of);
            let session = NewSession::new(Arc::new(Counter { count, name: None }), Limits::new(Duration::from_secs(60), None));
            store.create(first, session).await.unwrap();
            // Once, so that the statement is known to the connection.
            store.rotate(first, old, found(&*store, first).await).await.unwrap();
            let record = found(&*store, old).await;
            proxy.swallow_the_next_answer();
            let rotated = store.rotate(old, new, record).await;
            let Ok(Rotated::Rotated(version)) = rotated else { panic!("{name}: {rotated:?}") };
            let moved = found(&*store, new).await;
            assert_eq!((moved.data.count, moved.version), (count, version), "{name}");
            assert!(matches!(store.load(old).await.unwrap(), Loaded::JustRotated), "{name}");
            proxy.cut();
            let rotated = store.rotate(new, last, moved).await;
            // Where the store saw that the connection was gone, it took another.
            let now_at = if rotated.is_ok() { last } else { new };
            assert_eq!(found(&*store, now_at).await.data.count, count, "{name}: {rotated:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_under_load_lose_no_acknowledged_change() {
    for server in networked() {
        let name = scheme(server.url()).to_owned();
        let proxy = Proxy::to(server.port()).await;
        let address = serve(connect(&proxy.url(server.url(), server.port())).await).await;
        let mut first = Client::to(&address).await;
        first.post("/add").await;
        let mut tasks = Vec::new();
        for _ in 0..8 {
            let mut client = first.sibling(&address).await;
            tasks.push(tokio::spawn(async move {
                let (mut done, mut unknown) = (0, 0);
                for _ in 0..100 {
                    match client.post("/add").await.status {
                        200 => done += 1,
                        503 => unknown += 1,
                        409 => {}
                        status => panic!("{status}"),
                    }
                }
                (done, unknown)
            }));
        }
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(50)).await;
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
        println!("{name}: cut 10 times: {done} acknowledged, {unknown} answered 503, {count} there");
    }
}

/// Adds from eight clients until the process is killed, as a power failure of the program would; what was acknowledged.
async fn kill_amid_updates(store: &str) -> (u64, u64, String) {
    let mut process = tokio::task::block_in_place(|| Process::start(store));
    let mut first = Client::to(&process.address).await;
    first.post("/add").await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let mut client = first.sibling(&process.address).await;
        tasks.push(tokio::spawn(async move {
            let mut acknowledged = 0;
            while let Some(answer) = client.send("POST", "/add").await {
                acknowledged += u64::from(answer.status == 200);
            }
            acknowledged
        }));
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
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
    for mut server in [servers::start_postgres(), servers::start_mariadb()] {
        let name = scheme(server.url()).to_owned();
        let address = serve(connect(server.url()).await).await;
        let mut first = Client::to(&address).await;
        first.post("/add").await;
        let mut client = first.sibling(&address).await;
        let writer = tokio::spawn(async move {
            let mut acknowledged = 1;
            while client.post("/add").await.status == 200 {
                acknowledged += 1;
            }
            acknowledged
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        tokio::task::block_in_place(|| server.kill());
        let acknowledged: u64 = writer.await.unwrap();
        tokio::task::block_in_place(|| server.start_again());
        let count: u64 = first.get("/").await.body.parse().unwrap();
        assert!((acknowledged..=acknowledged + 1).contains(&count), "{name}: {acknowledged} acknowledged, {count} there");
        println!("{name}: its server killed after {acknowledged} acknowledged updates: {count} there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_or_read_only_sqlite_file_answers_changes_503_and_still_reads() {
    use session_runtime::store::{SqlOptions, SqliteStore};

    let folder = servers::temporary_folder("sqlite");
    let options = SqliteConnectOptions::new().filename(folder.join("sessions.db"));
    let pool = SqlitePoolOptions::new().connect_with(options.clone().create_if_missing(true)).await.unwrap();
    let store = SqliteStore::from_pool(pool, SqlOptions::new()).await.unwrap();
    let mut client = Client::to(&serve(std::sync::Arc::new(store)).await).await;
    assert_eq!(client.post("/add").await.body, "1");

    for options in [options.clone().pragma("max_page_count", "1"), options.read_only(true)] {
        let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
        let store = SqliteStore::from_pool(pool, SqlOptions::new()).await.unwrap();
        let mut client = client.sibling(&serve(std::sync::Arc::new(store)).await).await;
        assert_eq!(client.get("/").await.body, "1");
        let long = format!("/name/{}", "x".repeat(30_000));
        assert_eq!(client.post(&long).await.status, 503);
        assert_eq!(client.get("/").await.body, "1", "the session is as it was");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
