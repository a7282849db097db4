//! Redis as it is run: failover, idle connections that end, firewalls, slow connecting, passwords that change, a server that is full.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use session_runtime::SessionId;
use session_runtime::store::{
    AnyStore, Change, Created, Key, Loaded, Record, RedisCredentials, RedisOptions, RedisStore, Replaced, Store, StoreError,
    connect as open,
};

use crate::app::{Counter, STORE_TIMEOUT, connect, key, new_session, serve, serve_within, until};
use crate::detour::Detour;
use crate::log::log_everything;
use crate::servers::{self, Server};
use crate::wire::{self, Client};

const HOUR: Duration = Duration::from_secs(3600);

/// How long it may take until a store serves again where its server does, by [`Undisturbed`].
const RECOVERY: Duration = Duration::from_secs(3);

/// The time since its start, but for that in which the machine stood still or did other work: what short sleeps took too long.
pub struct Undisturbed {
    start: Instant,
    lost: Arc<Mutex<Duration>>,
    watch: tokio::task::JoinHandle<()>,
}

impl Undisturbed {
    pub fn start() -> Self {
        const NAP: Duration = Duration::from_millis(10);
        let lost = Arc::new(Mutex::new(Duration::ZERO));
        let of_watch = Arc::clone(&lost);
        let watch = tokio::spawn(async move {
            loop {
                let start = Instant::now();
                tokio::time::sleep(NAP).await;
                *of_watch.lock().unwrap() += start.elapsed().saturating_sub(NAP);
            }
        });
        Self { start: Instant::now(), lost, watch }
    }

    pub fn elapsed(&self) -> Duration {
        self.start.elapsed().saturating_sub(*self.lost.lock().unwrap())
    }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn new_id() -> SessionId {
    SessionId::parse(&format!("{:032x}", rand::random::<u128>())).unwrap()
}

fn counter(count: u64) -> Counter {
    Counter { count, name: None }
}

async fn found(store: &AnyStore<Counter>, key: Key<'_>) -> Record<Counter> {
    match store.load(key).await.unwrap() {
        Loaded::Found(record) => record,
        other => panic!("it is there: {other:?}"),
    }
}

pub async fn redis_server(options: &'static [&'static str]) -> Server {
    tokio::task::spawn_blocking(move || servers::start_redis_with(options)).await.unwrap()
}

/// What a server is told, or asked for.
pub async fn tell(server: &Server, command: &str) -> redis::Value {
    let mut words = command.split(' ');
    let mut told = redis::cmd(words.next().unwrap());
    words.for_each(|word| {
        told.arg(word);
    });
    told.query_async(&mut wire::redis(server).await).await.unwrap_or_else(|error| panic!("{command}: {error}"))
}

pub async fn info(server: &Server, section: &str, name: &str) -> String {
    let redis::Value::BulkString(said) = tell(server, &format!("INFO {section}")).await else { panic!("it tells") };
    let said = String::from_utf8(said).unwrap();
    said.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap_or_else(|| panic!("{name}: {said}")).to_owned()
}

/// A new visitor's first change, a login, a change and a read, all of which must be 200.
async fn is_served(client: &mut Client, address: &str, when: &str) {
    let mut visitor = Client::to(address).await;
    let answer = visitor.post("/add").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "1"), "{when}: a new visitor");
    for path in ["/rotate", "/add"] {
        let answer = client.post(path).await;
        assert_eq!(answer.status, 200, "{when}: {path}: {}", answer.body);
    }
    assert_eq!(client.get("/").await.status, 200, "{when}: a read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_becomes_a_replica_behind_its_address_is_left_for_the_one_that_is_there_now() {
    let (old, new) = (redis_server(&[]).await, redis_server(&["--repl-diskless-sync-delay", "0"]).await);
    tell(&new, &format!("REPLICAOF 127.0.0.1 {}", old.port())).await;
    until("they replicate", async || info(&new, "replication", "master_link_status").await == "up").await;
    let detour = Detour::to(old.port()).await;
    let address = serve_within(STORE_TIMEOUT, connect(&detour.url()).await).await;
    let mut client = Client::to(&address).await;
    for count in 1..=4 {
        assert_eq!(client.post("/add").await.body, count.to_string());
    }
    // As `WAIT`: the new primary has it.
    until("it has come over", async || matches!(tell(&new, "DBSIZE").await, redis::Value::Int(1..))).await;
    tell(&new, "REPLICAOF NO ONE").await;
    tell(&old, &format!("REPLICAOF 127.0.0.1 {}", new.port())).await;
    let answer = client.post("/add").await;
    assert_eq!(answer.status, 503, "the address is still the old one's: {}", answer.body);
    let answer = client.get("/").await;
    assert_eq!(answer.status, 503, "and a replica may be behind: {}", answer.body);
    detour.move_to(new.port());
    let start = Undisturbed::start();
    until("a change is served", async || client.post("/add").await.status == 200).await;
    assert!(start.elapsed() < RECOVERY, "{:?}", start.elapsed());
    is_served(&mut client, &address, "afterwards").await;
    // And where the address has moved before anybody noticed, nobody does: the change did not run.
    tell(&old, "REPLICAOF NO ONE").await;
    tell(&new, &format!("REPLICAOF 127.0.0.1 {}", old.port())).await;
    detour.move_to(old.port());
    let mut visitor = Client::to(&address).await;
    assert_eq!(visitor.post("/add").await.status, 200, "a new session");
    assert_eq!(visitor.post("/add").await.body, "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_closed_cost_no_request() {
    let server = redis_server(&[]).await;
    let address = serve_within(STORE_TIMEOUT, connect(server.url()).await).await;
    let mut client = Client::to(&address).await;
    client.post("/add").await;
    for _ in 0..10 {
        tell(&server, "CLIENT KILL TYPE normal SKIPME yes").await;
        until("they are gone", async || info(&server, "clients", "connected_clients").await == "1").await;
        // The store hears of it as soon as its machine does.
        tokio::time::sleep(Duration::from_millis(50)).await;
        is_served(&mut client, &address, "killed").await;
    }
    tell(&server, "CONFIG SET timeout 3").await;
    is_served(&mut client, &address, "before").await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    is_served(&mut client, &address, "idle").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_firewall_that_forgets_a_connection_costs_one_request_at_most_and_none_when_it_was_idle() {
    let server = redis_server(&[]).await;
    let detour = Detour::to(server.port()).await;
    let address = serve_within(STORE_TIMEOUT, connect(&detour.url()).await).await;
    let mut client = Client::to(&address).await;
    client.post("/add").await;
    is_served(&mut client, &address, "before").await;
    detour.forget();
    tokio::time::sleep(Duration::from_secs(4)).await;
    is_served(&mut client, &address, "after it was idle").await;
    detour.forget();
    // It cannot be known whether this one was made.
    let mut visitor = Client::to(&address).await;
    visitor.post("/add").await;
    is_served(&mut client, &address, "the one after it").await;
    detour.forget();
    assert_eq!(client.get("/").await.status, 200, "a read is asked again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connecting_that_takes_longer_than_a_call_may_succeeds_for_a_later_request() {
    let (server, cluster) = (redis_server(&[]).await, tokio::task::block_in_place(servers::start_redis_cluster_of_one));
    for (server, scheme) in [(&server, "redis"), (&cluster, "redis+cluster")] {
        let detour = Detour::to(server.port()).await;
        if scheme == "redis+cluster" {
            tell(server, &format!("CONFIG SET cluster-announce-port {}", detour.port)).await;
        }
        let url = detour.url().replace("redis:", &format!("{scheme}:"));
        let address = serve_within(STORE_TIMEOUT, connect(&url).await).await;
        let mut client = Client::to(&address).await;
        assert_eq!(client.post("/add").await.body, "1", "{scheme}");
        detour.delay(Duration::from_secs(3));
        tell(server, "CLIENT KILL TYPE normal SKIPME yes").await;
        let start = Undisturbed::start();
        until(&format!("{scheme}: nobody waits for it"), async || client.post("/add").await.status == 200).await;
        assert!(start.elapsed() < Duration::from_secs(3) + RECOVERY, "{scheme}: {:?}", start.elapsed());
        // A store that is opened waits for it, too.
        let mut client = client.sibling(&serve(connect(&url).await).await).await;
        assert_eq!(client.post("/add").await.status, 200, "{scheme}");
    }
}

/// A cluster of one node behind a proxy, and a store by way of it and one that goes there itself.
async fn cluster_behind_a_proxy() -> (Server, Detour, AnyStore<Counter>, AnyStore<Counter>) {
    let server = tokio::task::spawn_blocking(servers::start_redis_cluster_of_one).await.unwrap();
    let detour = Detour::to(server.port()).await;
    let direct = connect(&server.url().replace("redis:", "redis+cluster:")).await;
    tell(&server, &format!("CONFIG SET cluster-announce-port {}", detour.port)).await;
    let store = connect(&detour.url().replace("redis:", "redis+cluster:")).await;
    (server, detour, store, direct)
}

// With one thread there is one connection, also for a rotation, which is a task of its own: so the next answer is that to what is asked.
#[tokio::test]
async fn in_a_cluster_a_change_whose_answer_is_lost_is_not_made_again_after_anothers() {
    let (_server, detour, store, direct) = cluster_behind_a_proxy().await;
    // Each script is known.
    for _ in 0..2 {
        let [one, other] = [new_id(), new_id()];
        store.create(key(&one), new_session(counter(1), HOUR, None)).await.unwrap();
        let version = found(&store, key(&one)).await.version;
        store.replace(key(&one), version, Change::new(Arc::new(counter(2)))).await.unwrap();
        store
            .rotate(key(&one), key(&other), session_runtime::store::Rotation::new(found(&store, key(&one)).await))
            .await
            .unwrap();
        assert!(store.touch(key(&other)).await.unwrap());
        assert!(store.delete(key(&other)).await.unwrap());
    }
    let [id, new] = [new_id(), new_id()];
    let create = async || store.create(key(&id), new_session(counter(1), HOUR, None)).await.map(drop);
    // Connects, so that the answer that is swallowed is the next call's.
    let connected = async || assert!(matches!(store.load(key(&new_id())).await, Ok(Loaded::Missing)));
    connected().await;
    // What is done, what another does before the client hears that its connection is over, and whether that stays.
    let swallow = detour.swallow_the_next_answer();
    let (created, ()) = tokio::join!(create(), async {
        swallow.answered.notified().await;
        assert!(direct.delete(key(&id)).await.unwrap(), "it was created");
        swallow.cut.notify_one();
    });
    assert!(matches!(created, Err(StoreError::Unavailable(_))), "create: {created:?}");
    assert!(matches!(direct.load(key(&id)).await.unwrap(), Loaded::Missing), "it is not created again");

    direct.create(key(&id), new_session(counter(1), HOUR, None)).await.unwrap();
    let version = found(&direct, key(&id)).await.version;
    connected().await;
    let swallow = detour.swallow_the_next_answer();
    let (replaced, ()) = tokio::join!(store.replace(key(&id), version, Change::new(Arc::new(counter(2)))), async {
        swallow.answered.notified().await;
        let record = found(&direct, key(&id)).await;
        assert_eq!(record.data.count, 2, "it was made");
        let replaced = direct.replace(key(&id), record.version, Change::new(Arc::new(counter(10)))).await.unwrap();
        assert!(matches!(replaced, Replaced::Replaced(_)));
        swallow.cut.notify_one();
    });
    assert!(matches!(replaced, Err(StoreError::Unavailable(_))), "replace: {replaced:?}");
    assert_eq!(found(&direct, key(&id)).await.data.count, 10);

    connected().await;
    let swallow = detour.swallow_the_next_answer();
    let (touched, ()) = tokio::join!(store.touch(key(&id)), async {
        swallow.answered.notified().await;
        swallow.cut.notify_one();
    });
    assert!(matches!(touched, Ok(true)), "a touch is repeated: {touched:?}");
    connected().await;
    let swallow = detour.swallow_the_next_answer();
    let (read, ()) = tokio::join!(store.load(key(&id)), async {
        swallow.answered.notified().await;
        swallow.cut.notify_one();
    });
    assert!(matches!(read, Ok(Loaded::Found(_))), "a read is repeated: {read:?}");

    // The first of its two calls, which creates.
    connected().await;
    let swallow = detour.swallow_the_next_answer();
    let record = found_past(&direct, &id).await;
    let (rotated, ()) = tokio::join!(store.rotate(key(&id), key(&new), session_runtime::store::Rotation::new(record)), async {
        swallow.answered.notified().await;
        assert!(direct.delete(key(&new)).await.unwrap(), "it was created");
        swallow.cut.notify_one();
    });
    assert!(matches!(rotated, Err(StoreError::Unavailable(_))), "rotate: {rotated:?}");
    assert!(matches!(direct.load(key(&new)).await.unwrap(), Loaded::Missing));

    connected().await;
    let swallow = detour.swallow_the_next_answer();
    let (deleted, ()) = tokio::join!(store.delete(key(&id)), async {
        swallow.answered.notified().await;
        assert!(matches!(direct.load(key(&id)).await.unwrap(), Loaded::Missing), "it was deleted");
        direct.create(key(&id), new_session(counter(5), HOUR, None)).await.unwrap();
        swallow.cut.notify_one();
    });
    assert!(matches!(deleted, Err(StoreError::Unavailable(_))), "delete: {deleted:?}");
    assert_eq!(found(&direct, key(&id)).await.data.count, 5);
}

async fn found_past(store: &AnyStore<Counter>, id: &SessionId) -> Record<Counter> {
    found(store, key(id)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cluster_connections_that_the_server_closed_cost_no_request() {
    let (server, _detour, store, _) = cluster_behind_a_proxy().await;
    let address = serve_within(STORE_TIMEOUT, store).await;
    let mut client = Client::to(&address).await;
    client.post("/add").await;
    for _ in 0..5 {
        tell(&server, "CLIENT KILL TYPE normal SKIPME yes").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        is_served(&mut client, &address, "killed").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_hang_up_cost_no_connection() {
    let (server, _detour, in_cluster, _) = cluster_behind_a_proxy().await;
    let single = redis_server(&[]).await;
    for (server, store) in [(&single, connect(single.url()).await), (&server, in_cluster)] {
        let id = new_id();
        store.create(key(&id), new_session(counter(1), HOUR, None)).await.unwrap();
        let read = async |patience: Option<Duration>| {
            let load = tokio::spawn({
                let (store, id) = (store.clone(), id);
                async move { store.load(key(&id)).await.map(drop) }
            });
            match patience {
                Some(patience) => {
                    tokio::time::sleep(patience).await;
                    load.abort();
                }
                None => load.await.unwrap().unwrap(),
            }
        };
        // Every connection is made.
        for _ in 0..100 {
            read(None).await;
        }
        let before = info(server, "stats", "total_connections_received").await.parse::<u64>().unwrap();
        for number in 0..300 {
            read(Some(Duration::from_micros(number))).await;
        }
        read(None).await;
        let after = info(server, "stats", "total_connections_received").await.parse::<u64>().unwrap();
        // The test's own one, that asks.
        assert_eq!(after - before, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_with_braces_is_unknown_in_a_cluster_that_is_shared_with_fastapi() {
    let cluster = servers::redis_cluster();
    let store = connect(&format!("{}?fastapi_compatible=true", cluster.url())).await;
    let address = serve(store).await;
    for id in ["{a}0123456789abcdef0123456789abcdef", "0123456789abcdef{}0123456789abcdef", "0123456789abcdef}0123{456789abcdef"]
    {
        let mut client = Client::to(&address).await;
        client.cookie = Some(format!("SESSION_ID={id}"));
        let answer = client.get("/").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "0"), "{id}");
        let answer = client.post("/add").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "1"), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_is_too_large_is_told_so_with_the_size_and_the_limit_and_costs_nobody_else() {
    let server = redis_server(&["--proto-max-bulk-len", "1mb"]).await;
    let store = connect(server.url()).await;
    let ids: Vec<_> = (0..6).map(|_| new_id()).collect();
    for id in &ids {
        store.create(key(id), new_session(counter(1), HOUR, None)).await.unwrap();
    }
    let before = info(&server, "stats", "total_connections_received").await.parse::<u64>().unwrap();
    let mut calls = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        let name = (number == 2).then(|| "x".repeat(2 << 20));
        let (store, id, version) = (store.clone(), *id, found(&store, key(id)).await.version);
        calls.push(tokio::spawn(async move {
            store.replace(key(&id), version, Change::new(Arc::new(Counter { count: 2, name }))).await
        }));
    }
    for (number, call) in calls.into_iter().enumerate() {
        let replaced = call.await.unwrap();
        if number == 2 {
            let Err(error @ StoreError::Data(_)) = replaced else { panic!("{replaced:?}") };
            let said = format!("{error:?} {error}");
            assert!(said.contains("too large") && said.contains("1048576") && said.contains("2097269"), "{said}");
        } else {
            assert!(matches!(replaced, Ok(Replaced::Replaced(_))), "{replaced:?}");
        }
    }
    let large = Counter { count: 1, name: Some("x".repeat(2 << 20)) };
    let created = store.create(key(&new_id()), new_session(large.clone(), HOUR, None)).await;
    assert!(matches!(created, Err(StoreError::Data(_))), "{created:?}");
    let mut record = found(&store, key(&ids[0])).await;
    record.data = Arc::new(large);
    let rotated = store.rotate(key(&ids[0]), key(&new_id()), session_runtime::store::Rotation::new(record)).await;
    assert!(matches!(rotated, Err(StoreError::Data(_))), "{rotated:?}");
    let after = info(&server, "stats", "total_connections_received").await.parse::<u64>().unwrap();
    assert!(after - before < 6, "no connection was lost");
    let store = connect(&format!("{}?protocol=3", server.url())).await;
    let large = Counter { count: 1, name: Some("x".repeat(2 << 20)) };
    let created = store.create(key(&new_id()), new_session(large, HOUR, None)).await;
    assert!(matches!(created, Err(StoreError::Data(_))), "with RESP3: {created:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_departure_one_key_of_another_type_or_with_foreign_bytes_is_its_own_error() {
    let server = redis_server(&[]).await;
    let store = connect(server.url()).await;
    let ids: Vec<_> = (0..8).map(|_| new_id()).collect();
    let mut names = Vec::new();
    for id in &ids {
        let before: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut wire::redis(&server).await).await.unwrap();
        store.create(key(id), new_session(counter(1), HOUR, None)).await.unwrap();
        let after: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut wire::redis(&server).await).await.unwrap();
        names.push(after.into_iter().find(|name| !before.contains(name)).unwrap());
    }
    let mut versions = Vec::new();
    for id in &ids {
        versions.push(found(&store, key(id)).await.version);
    }
    tell(&server, &format!("DEL {}", names[2])).await;
    tell(&server, &format!("RPUSH {} a", names[2])).await;
    tell(&server, &format!("SET {} {}", names[5], "z".repeat(100))).await;
    // Several times, since not all calls leave together.
    for _ in 0..5 {
        let mut calls = Vec::new();
        for (number, id) in ids.iter().enumerate() {
            let (store, id, version) = (store.clone(), *id, versions[number]);
            calls.push(tokio::spawn(async move {
                let replaced = store.replace(key(&id), version, Change::new(Arc::new(counter(2)))).await;
                (replaced, store.touch(key(&id)).await, store.load(key(&id)).await)
            }));
        }
        for (number, call) in calls.into_iter().enumerate() {
            let (replaced, touched, loaded) = call.await.unwrap();
            if number == 2 || number == 5 {
                assert!(matches!(replaced, Err(StoreError::Data(_))), "{number}: {replaced:?}");
                assert!(matches!(touched, Err(StoreError::Data(_))), "{number}: {touched:?}");
                assert!(matches!(loaded, Ok(Loaded::Missing | Loaded::Undecodable(_))), "{number}: {loaded:?}");
            } else {
                let Ok(Replaced::Replaced(version)) = replaced else { panic!("{number}: {replaced:?}") };
                versions[number] = version;
                assert!(matches!((touched, loaded), (Ok(true), Ok(Loaded::Found(_)))), "{number}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_redis_ends_no_session_that_is_used_and_lets_users_log_out() {
    let server = redis_server(&[]).await;
    for query in ["", "?fastapi_compatible=true"] {
        tell(&server, "CONFIG SET maxmemory 0").await;
        let store = connect(&format!("{}{query}", server.url())).await;
        let [used, left] = [new_id(), new_id()];
        let idle = Duration::from_secs(20);
        for id in [&used, &left] {
            store.create(key(id), new_session(counter(1), idle, None)).await.unwrap();
        }
        tell(&server, "CONFIG SET maxmemory 1").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = found(&store, key(&used)).await.expires_in;
        assert!(store.touch(key(&used)).await.unwrap(), "{query}");
        let after = found(&store, key(&used)).await.expires_in;
        assert!(after > before + Duration::from_secs(1), "{query}: it is renewed: {before:?}, {after:?}");
        let refused = store.create(key(&new_id()), new_session(counter(1), idle, None)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{query}: {refused:?}");
        assert!(refused.unwrap_err().to_string().len() < 500);
        assert!(store.delete(key(&left)).await.unwrap(), "{query}: a logout");
        assert!(matches!(store.load(key(&left)).await.unwrap(), Loaded::Missing), "{query}");
        // What connects while it is full works as well.
        let other = connect(&format!("{}{query}", server.url())).await;
        assert!(other.touch(key(&used)).await.unwrap(), "{query}");
    }
}

/// The users' own tests share a store, and each has a runtime, which ends with it.
#[test]
fn a_store_works_in_one_runtime_after_another_and_in_several_at_once() {
    fn run(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    }
    let (single, cluster) = (servers::start_redis(), servers::start_redis_cluster_of_one());
    for url in [single.url().to_owned(), cluster.url().replace("redis:", "redis+cluster:")] {
        let store: OnceLock<AnyStore<Counter>> = OnceLock::new();
        run(async { assert!(store.set(connect(&url).await).is_ok()) });
        let store = store.get().unwrap();
        for _ in 0..10 {
            run(async {
                let id = new_id();
                assert!(matches!(store.create(key(&id), new_session(counter(1), HOUR, None)).await, Ok(Created::Created(_))));
                assert!(store.delete(key(&id)).await.unwrap());
            });
        }
        // One that ends takes nothing of the others along.
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                run(async {
                    let id = new_id();
                    store.create(key(&id), new_session(counter(1), HOUR, None)).await.unwrap();
                    let mut version = found(store, key(&id)).await.version;
                    while !stop.load(Ordering::SeqCst) {
                        let replaced = store.replace(key(&id), version, Change::new(Arc::new(counter(1)))).await;
                        let Ok(Replaced::Replaced(next)) = replaced else { panic!("{replaced:?}") };
                        version = next;
                    }
                });
            });
            for _ in 0..50 {
                run(async { assert!(matches!(store.load(key(&new_id())).await, Ok(Loaded::Missing))) });
            }
            stop.store(true, Ordering::SeqCst);
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_closed_has_ended_what_was_begun_and_takes_no_more() {
    let (server, _detour, in_cluster, _) = cluster_behind_a_proxy().await;
    let single = redis_server(&[]).await;
    for (server, store) in [(&single, connect(single.url()).await), (&server, in_cluster)] {
        let ids: Vec<_> = (0..20).map(|_| new_id()).collect();
        let calls: Vec<_> = ids
            .iter()
            .map(|id| {
                let (store, id) = (store.clone(), *id);
                tokio::spawn(async move { store.create(key(&id), new_session(counter(1), HOUR, None)).await })
            })
            .collect();
        tokio::task::yield_now().await;
        for _ in 0..2 {
            store.close().await.unwrap();
        }
        for call in calls {
            let created = call.await.unwrap();
            assert!(created.is_ok() || created.is_err_and(|error| format!("{error:?}").contains("closed")));
        }
        let loaded = store.load(key(&ids[0])).await;
        assert!(matches!(loaded, Err(StoreError::Unavailable(_))), "{loaded:?}");
        until("its connections are gone", async || {
            info(server, "clients", "connected_clients").await.parse::<u32>().unwrap() <= 2
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_was_rotated_is_asked_for_anew() {
    let server = redis_server(&[]).await;
    tell(&server, "ACL SETUSER app on >one ~* +@all").await;
    let password = Arc::new(Mutex::new("one"));
    let options = RedisOptions::new().credentials({
        let password = Arc::clone(&password);
        move || {
            let password = *password.lock().unwrap();
            async move { Ok(RedisCredentials::new("app", password)) }
        }
    });
    let stores = [
        RedisStore::connect_with(server.url(), options.clone()).await.unwrap(),
        RedisStore::from_client(redis::Client::open(server.url()).unwrap(), options).await.unwrap(),
    ];
    let mut served = Vec::new();
    for store in stores {
        let address = serve_within(STORE_TIMEOUT, AnyStore::new(store)).await;
        let mut client = Client::to(&address).await;
        client.post("/add").await;
        served.push((address, client));
    }
    for new in ["two", "three"] {
        tell(&server, &format!("ACL SETUSER app resetpass >{new}")).await;
        *password.lock().unwrap() = new;
        // As an operator ends what the old one opened.
        tell(&server, "CLIENT KILL USER app").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        for (address, client) in &mut served {
            is_served(client, address, new).await;
        }
    }
    *password.lock().unwrap() = "one";
    let said = RedisStore::connect_with(server.url_as("app:one"), RedisOptions::new()).await.unwrap_err();
    assert!(format!("{said:?}").contains("authentication"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_over_a_client_of_the_users_finds_its_server_again() {
    let server = redis_server(&[]).await;
    tell(&server, "ACL SETUSER app on >secret ~* +@all").await;
    let client = redis::Client::open(server.url_as("app:secret")).unwrap();
    let store = RedisStore::from_client(client, RedisOptions::new().key_prefix("theirs:")).await.unwrap();
    let address = serve_within(STORE_TIMEOUT, AnyStore::new(store)).await;
    let mut client = Client::to(&address).await;
    client.post("/add").await;
    tell(&server, "CLIENT KILL USER app").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    is_served(&mut client, &address, "killed").await;
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut wire::redis(&server).await).await.unwrap();
    assert!(names.iter().all(|name| name.starts_with("theirs:")), "{names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_are_asked_who_the_primary_is() {
    let (mut old, new) = (redis_server(&[]).await, redis_server(&["--repl-diskless-sync-delay", "0"]).await);
    tell(&new, &format!("REPLICAOF 127.0.0.1 {}", old.port())).await;
    until("they replicate", async || info(&new, "replication", "master_link_status").await == "up").await;
    let sentinel = tokio::task::block_in_place(|| servers::start_redis_sentinel(&old));
    let knows_it =
        async || matches!(tell(&sentinel, "SENTINEL REPLICAS shop").await, redis::Value::Array(replicas) if !replicas.is_empty());
    until("the sentinel knows the replica", knows_it).await;
    // The first of them is gone.
    let url = format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{}/shop", sentinel.port());
    let said = refused(&url.replace("/shop", "/other")).await;
    assert!(said.contains("no sentinel knows"), "{said}");
    let said = refused(&url.replace("/shop", "/")).await;
    assert!(said.contains("names the primary"), "{said}");
    let address = serve_within(STORE_TIMEOUT, connect(&format!("{url}/0?key_prefix=mine:")).await).await;
    let mut client = Client::to(&address).await;
    for count in 1..=4 {
        assert_eq!(client.post("/add").await.body, count.to_string());
    }
    until("it has come over", async || matches!(tell(&new, "DBSIZE").await, redis::Value::Int(1..))).await;
    tokio::task::block_in_place(|| old.kill());
    let promoted = redis::Client::open(new.url()).unwrap();
    // Who promotes it ends its connections.
    let is_primary = async || {
        let Ok(mut connection) = promoted.get_multiplexed_async_connection().await else { return false };
        let said: Result<String, _> = redis::cmd("INFO").arg("replication").query_async(&mut connection).await;
        said.is_ok_and(|said| said.contains("role:master"))
    };
    until("the replica takes over", is_primary).await;
    let start = Undisturbed::start();
    until("it is found", async || client.post("/add").await.status == 200).await;
    assert!(start.elapsed() < RECOVERY, "{:?}", start.elapsed());
    is_served(&mut client, &address, "after the failover").await;
}

#[tokio::test]
async fn the_log_tells_once_when_the_server_goes_away_and_once_when_it_is_back() {
    let (log, _guard) = log_everything();
    let mut server = redis_server(&[]).await;
    let store = connect(server.url()).await;
    let id = new_id();
    store.create(key(&id), new_session(counter(1), HOUR, None)).await.unwrap();
    assert!(!log.text().contains("session store's server"), "{}", log.text());
    server.stop();
    for _ in 0..20 {
        store.load(key(&id)).await.unwrap_err();
    }
    server.start_again();
    until("it is found", async || store.load(key(&id)).await.is_ok()).await;
    let text = log.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("the session store's server")).collect();
    let [away, back] = lines[..] else { panic!("{lines:?}") };
    for part in ["WARN", "is away", "Redis", "refused", &server.port().to_string()] {
        assert!(away.contains(part), "{part}: {away}");
    }
    assert!(back.contains("INFO") && back.contains("is back") && back.contains("Redis"), "{back}");
    assert!(!text.contains(id.as_str()));
}

/// What `open` says of a URL that it refuses.
async fn refused(url: &str) -> String {
    open::<Counter>(url).await.map(drop).expect_err(url).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_connected_to_is_probed_and_the_error_says_what_it_is() {
    let (server, replica) = (redis_server(&[]).await, redis_server(&[]).await);
    tell(&replica, &format!("REPLICAOF 127.0.0.1 {}", server.port())).await;
    until("they replicate", async || info(&replica, "replication", "master_link_status").await == "up").await;
    let said = refused(replica.url()).await;
    assert!(said.contains("replica") && said.contains(&format!("127.0.0.1:{}", replica.port())), "{said}");

    let cluster = tokio::task::block_in_place(servers::start_redis_cluster_of_one);
    let said = refused(cluster.url()).await;
    assert!(said.contains("redis+cluster://"), "{said}");
    let said = refused(servers::redis_cluster().nodes[1].url()).await;
    assert!(said.contains("redis+cluster://"), "{said}");
    // A cluster that is down is one all the same.
    tell(&cluster, "CLUSTER DELSLOTS 5").await;
    let is_down = async || {
        let redis::Value::BulkString(said) = tell(&cluster, "CLUSTER INFO").await else { panic!("it tells") };
        String::from_utf8(said).unwrap().contains("cluster_state:fail")
    };
    until("it is down", is_down).await;
    let said = refused(&cluster.url().replace("redis:", "redis+cluster:")).await;
    assert!(said.contains("CLUSTERDOWN") && !said.contains("connect by"), "{said}");

    tell(&server, "ACL SETUSER noscripts on >pw ~* +@all -@scripting").await;
    let with = |account: &str, server: &Server| server.url_as(account);
    let said = refused(&with("noscripts:pw", &server)).await;
    assert!(said.to_lowercase().contains("evalsha") && said.contains("noscripts") && !said.contains("pw"), "{said}");
    tell(&server, "ACL SETUSER nodel on >pw ~* +@all -del").await;
    let said = refused(&with("nodel:pw", &server)).await;
    assert!(said.contains("DEL"), "{said}");
    tell(&server, "ACL SETUSER nokeys on >pw ~other:* +@all").await;
    let said = refused(&format!("{}?key_prefix=mine:", with("nokeys:pw", &server))).await;
    assert!(said.contains("keys") && said.contains("mine:"), "{said}");
    let said = refused(&with("nobody:pw", &server)).await;
    assert!(said.contains("authentication") && !said.contains("pw@"), "{said}");
}

/// As the page "Choosing an engine" says.
const MINIMAL: &str = "+evalsha +eval +mget +get +getrange +set +setrange +del +exists +pexpireat +pttl +persist +hget +hgetall +hset +hdel +hrandfield +time +ping";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_permissions_that_the_docs_name_are_all_that_is_needed() {
    let docs = include_str!("../../session-runtime/docs/choosing_an_engine.md");
    assert!(docs.contains(MINIMAL) && docs.contains("+cluster|slots +asking"), "the docs name them");
    let single = redis_server(&[]).await;
    let cluster = tokio::task::block_in_place(servers::start_redis_cluster_of_one);
    let url =
        |server: &Server, scheme: &str, query: &str| format!("{}{query}", server.url_as("app:secret").replace("redis:", scheme));
    tell(&single, &format!("ACL SETUSER app on >secret ~session:* {MINIMAL}")).await;
    tell(&cluster, &format!("ACL SETUSER app on >secret ~session:* {MINIMAL} +cluster|slots +asking")).await;
    for url in [
        url(&single, "redis:", ""),
        url(&single, "redis:", "?fastapi_compatible=true"),
        url(&cluster, "redis+cluster:", ""),
        url(&cluster, "redis+cluster:", "?fastapi_compatible=true"),
    ] {
        let address = serve(connect(&url).await).await;
        let mut client = Client::to(&address).await;
        for (method, path) in
            [("POST", "/add"), ("GET", "/"), ("POST", "/name/a"), ("POST", "/rotate"), ("POST", "/add"), ("POST", "/logout")]
        {
            let answer = client.send(method, path).await.unwrap();
            assert_eq!(answer.status, 200, "{url} {path}: {}", answer.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_are_decoded_and_those_that_are_not_known_are_refused_with_what_was_meant() {
    let server = redis_server(&[]).await;
    let store = connect(&format!("{}?key_prefix=caf%C3%A9%26co%3A", server.url())).await;
    store.create(key(&new_id()), new_session(counter(1), HOUR, None)).await.unwrap();
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut wire::redis(&server).await).await.unwrap();
    assert!(names[0].starts_with("café&co:"), "{names:?}");
    for (query, meant) in
        [("key_prefx=a:", "key_prefix"), ("fastapi_compatibel=true", "fastapi_compatible"), ("protocl=3", "protocol")]
    {
        let said = refused(&format!("{}?{query}", server.url())).await;
        assert!(said.contains("did you mean") && said.contains(meant), "{said}");
    }
    let said = refused(&format!("{}?whatever=1", server.url())).await;
    assert!(said.contains("whatever") && !said.contains("did you mean"), "{said}");
}
