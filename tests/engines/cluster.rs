//! A Redis Cluster of three masters and three replicas.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use session_runtime::SessionId;
use session_runtime::store::{Created, Loaded, RedisOptions, RedisStore, Rotated, Store};
use session_runtime::testing::{Conformance, conformance};

use crate::app::{Counter, PATIENCE, STORE_TIMEOUT, connect, key, new_session, serve, serve_within, until};
use crate::conformance::put_a_number;
use crate::engine;
use crate::redis_as_run::tell;
use crate::servers::{self, Cluster, Server};
use crate::wire::{self, Client};

/// That an answer is bounded by [`STORE_TIMEOUT`]: by how much exactly, depends on the machine.
const BOUND: Duration = Duration::from_secs(30);

/// A life that is longer than any of these tests.
const HOUR: Duration = Duration::from_secs(3600);

/// What the masters have been asked for with this command since they started or were told to forget.
async fn calls(cluster: &Cluster, command: &str) -> u64 {
    let mut calls = 0;
    for master in cluster.masters() {
        let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut wire::redis(master).await).await.unwrap();
        let name = format!("cmdstat_{command}:calls=");
        let line = stats.lines().find_map(|line| line.strip_prefix(&name));
        calls += line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap());
    }
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_is_two_calls_in_a_cluster_and_every_other_operation_one() {
    let cluster = tokio::task::block_in_place(|| servers::start_redis_cluster(Duration::from_secs(15)));
    let address = serve(connect(&cluster.url()).await).await;
    // Sends each script to each node.
    for _ in 0..30 {
        let mut client = Client::to(&address).await;
        for path in ["/add", "/add", "/rotate", "/logout"] {
            assert_eq!(client.post(path).await.status, 200, "{path}");
        }
    }
    let mut client = Client::to(&address).await;
    let mut before = calls(&cluster, "evalsha").await;
    let sources = calls(&cluster, "eval").await;
    let mut count = async |method: &str, path: &str| {
        assert_eq!(client.send(method, path).await.unwrap().status, 200, "{path}");
        let after = calls(&cluster, "evalsha").await;
        after - std::mem::replace(&mut before, after)
    };
    assert_eq!(count("GET", "/").await, 0, "no session, no call");
    assert_eq!(count("POST", "/add").await, 1, "a new session");
    assert_eq!(count("GET", "/").await, 1, "a read");
    assert_eq!(count("POST", "/add").await, 2, "a read and a change");
    assert_eq!(count("POST", "/rotate").await, 3, "a read and a rotation");
    assert_eq!(count("POST", "/logout").await, 2, "a read and a deletion");
    assert_eq!(calls(&cluster, "eval").await, sources, "no script was sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_live_in_a_cluster_as_anywhere_else_in_either_layout() {
    for url in [engine::redis_cluster().url, format!("{}?fastapi_compatible=true", servers::redis_cluster().url())] {
        let address = serve(connect(&url).await).await;
        for _ in 0..20 {
            let mut client = Client::to(&address).await;
            assert_eq!(client.get("/").await.body, "0");
            assert_eq!(client.post("/add").await.body, "1");
            let mut old = client.sibling(&address).await;
            assert_eq!(client.post("/rotate").await.status, 200);
            assert_ne!(client.cookie, old.cookie);
            assert_eq!(client.post("/add").await.body, "2", "the new id has the session");
            assert_eq!(old.get("/").await.body, "0", "the old id has none");
            let mut late = client.sibling(&address).await;
            assert_eq!(client.post("/logout").await.status, 200);
            assert_eq!(late.get("/").await.body, "0", "it is gone");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_spread_over_the_nodes() {
    let address = serve(connect(&engine::redis_cluster().url).await).await;
    let mut client = Client::to(&address).await;
    for _ in 0..30 {
        client.cookie = None;
        client.post("/add").await;
    }
    for master in servers::redis_cluster().masters() {
        let keys: u64 = redis::cmd("DBSIZE").query_async(&mut wire::redis(master).await).await.unwrap();
        assert!(keys > 0, "the node at {} has none", master.port());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_takes_every_acknowledged_update_with_it() {
    const ROUNDS: usize = 50;
    const WRITERS: usize = 4;
    let address = serve(connect(&engine::redis_cluster().url).await).await;
    let mut updates = 0;
    for _ in 0..ROUNDS {
        let mut user = Client::to(&address).await;
        user.post("/name/ada").await;
        let mut writers = Vec::new();
        for _ in 0..WRITERS {
            let mut writer = user.sibling(&address).await;
            writers.push(tokio::spawn(async move {
                let mut acknowledged = 0;
                while writer.post("/add").await.status == 200 {
                    acknowledged += 1;
                }
                acknowledged
            }));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(user.post("/rotate").await.status, 200);
        let mut acknowledged: u64 = 0;
        for writer in writers {
            acknowledged += writer.await.unwrap();
        }
        assert_eq!(user.get("/").await.body, acknowledged.to_string());
        updates += acknowledged;
    }
    println!("{ROUNDS} rotations under {WRITERS} writers: all of {updates} acknowledged updates came along");
    assert!(updates > 0);
}

/// What the clients are told while a master goes and its replica takes over, and tell.
#[derive(Default)]
struct Course {
    failed: OnceLock<Instant>,
    taken_over: AtomicBool,
    stop: AtomicBool,
    /// How many had an answer 503 since it failed, and how many a change acknowledged since it was replaced.
    hit: AtomicUsize,
    served: AtomicUsize,
}

/// What a client saw.
#[derive(Default)]
struct Seen {
    acknowledged: u64,
    refused: u64,
    /// Acknowledged, and not there any more.
    lost: u64,
    slowest: Duration,
    /// From the failure to the last answer that was none.
    outage: Duration,
}

/// Adds to a session of its own, which has `expected` minus one, until it is told to stop.
async fn load(mut client: Client, mut expected: u64, course: Arc<Course>) -> Seen {
    let (mut seen, mut is_served) = (Seen::default(), false);
    while !course.stop.load(Ordering::SeqCst) {
        let (start, taken_over) = (Instant::now(), course.taken_over.load(Ordering::SeqCst));
        let answer = client.post("/add").await;
        seen.slowest = seen.slowest.max(start.elapsed());
        if answer.status == 200 {
            seen.acknowledged += 1;
            let count: u64 = answer.body.parse().unwrap();
            // It may be more, where a change was made whose answer was lost.
            seen.lost += u64::saturating_sub(expected, count);
            expected = count + 1;
            if taken_over && !std::mem::replace(&mut is_served, true) {
                course.served.fetch_add(1, Ordering::SeqCst);
            }
            continue;
        }
        assert_eq!(answer.status, 503, "{}", answer.body);
        if let Some(failed) = course.failed.get() {
            seen.outage = failed.elapsed();
            course.hit.fetch_add(usize::from(seen.refused == 0), Ordering::SeqCst);
            seen.refused += 1;
        }
    }
    seen
}

const NODE_TIMEOUT: Duration = Duration::from_secs(2);

async fn is_master(node: &mut redis::aio::MultiplexedConnection) -> bool {
    let said: String = redis::cmd("INFO").arg("replication").query_async(node).await.unwrap();
    said.contains("role:master")
}

fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The number of the master of a cluster that has this key, as the tests' clusters are made.
pub async fn master_of(cluster: &Cluster, key: &str) -> usize {
    let mut node = wire::redis(&cluster.nodes[0]).await;
    let slot: usize = redis::cmd("CLUSTER").arg("KEYSLOT").arg(key).query_async(&mut node).await.unwrap();
    let masters = cluster.masters().len();
    (0..masters).rfind(|master| 16384 * master / masters <= slot).unwrap()
}

/// A new id whose session is on one of these masters.
pub async fn id_on(cluster: &Cluster, is_one: impl Fn(usize) -> bool) -> SessionId {
    loop {
        let id = SessionId::parse(&format!("{:032x}", rand::random::<u128>())).unwrap();
        let hash: String = key(&id).sha256().iter().map(|byte| format!("{byte:02x}")).collect();
        if is_one(master_of(cluster, &format!("session:{hash}")).await) {
            return id;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_connected_to_where_a_primary_is_away_and_each_that_answers_is_probed() {
    // So long nobody takes over.
    let cluster = tokio::task::block_in_place(|| servers::start_redis_cluster(Duration::from_secs(60)));
    for (number, master) in cluster.masters().iter().enumerate() {
        let but = if number == 2 { " -del" } else { "" };
        tell(master, &format!("ACL SETUSER app on >secret ~* +@all{but}")).await;
    }
    let url = cluster.nodes[0].url_as("app:secret").replace("redis:", "redis+cluster:");
    let said = session_runtime::store::connect::<Counter>(&url).await.unwrap_err().to_string();
    let port = cluster.nodes[2].port().to_string();
    assert!(said.contains("may not run DEL") && said.contains(&port), "{said}");
    tell(&cluster.nodes[2], "ACL SETUSER app +del").await;
    connect(&url).await;
    cluster.nodes[1].signal("KILL");
    // All keys with such a prefix are on one node.
    for node in 0..3 {
        let mut prefix = String::new();
        for number in 0.. {
            prefix = format!("{{shop{number}}}:");
            if master_of(&cluster, &prefix).await == node {
                break;
            }
        }
        let options = RedisOptions::new().key_prefix(prefix);
        let opened = RedisStore::connect_cluster_with([cluster.nodes[0].url_as("app:secret")], options).await;
        assert_eq!(opened.is_ok(), node != 1, "on {node}: {opened:?}");
    }
    let store = connect(&url).await;
    for node in [0, 2] {
        let (id, session) = (id_on(&cluster, |master| master == node).await, new_session(Counter::default(), HOUR, None));
        assert!(matches!(store.create(key(&id), session).await, Ok(Created::Created(_))));
        assert!(matches!(store.load(key(&id)).await, Ok(Loaded::Found(_))));
    }
    let id = id_on(&cluster, |master| master == 1).await;
    assert!(store.load(key(&id)).await.is_err());
}

/// Waits until the replica of a node that failed is a master; otherwise what every node that is left said of it is shown.
async fn takes_over(cluster: &Cluster, failed: usize, replica: &mut redis::aio::MultiplexedConnection) {
    let start = Instant::now();
    while !is_master(replica).await {
        if start.elapsed() > PATIENCE {
            let logs = cluster.nodes.iter().enumerate().filter(|(number, _)| *number != failed).map(|(number, node)| {
                let log = node.log();
                let tail: Vec<_> = log.lines().rev().take(15).collect();
                format!("node {number}:\n{}\n", tail.into_iter().rev().collect::<Vec<_>>().join("\n"))
            });
            panic!("the replica of node {failed} does not take over\n{}", logs.collect::<String>());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_master_fails(how: &str, fail: impl FnOnce(&Server)) {
    const CLIENTS: usize = 16;
    let cluster = tokio::task::block_in_place(|| servers::start_redis_cluster(NODE_TIMEOUT));
    let store = connect(&cluster.url()).await;
    let (address, bounded) = (serve(store.clone()).await, serve_within(STORE_TIMEOUT, store).await);
    let (course, mut tasks) = (Arc::new(Course::default()), Vec::new());
    for _ in 0..CLIENTS {
        let mut client = Client::to(&address).await;
        for count in 1..=20 {
            assert_eq!(client.post("/add").await.body, count.to_string(), "nothing is refused before");
        }
        tasks.push(tokio::spawn(load(client.sibling(&bounded).await, 21, Arc::clone(&course))));
    }
    let mut keys = Vec::new();
    for master in cluster.masters() {
        keys.push(redis::cmd("DBSIZE").query_async::<u64>(&mut wire::redis(master).await).await.unwrap());
    }
    let most = keys.iter().max().unwrap();
    let node = keys.iter().position(|keys| keys == most).unwrap();
    let mut replica = wire::redis(&cluster.nodes[cluster.masters().len() + node]).await;
    course.failed.set(Instant::now()).unwrap();
    fail(&cluster.nodes[node]);
    until("nothing is refused", async || course.hit.load(Ordering::SeqCst) > 0).await;
    takes_over(&cluster, node, &mut replica).await;
    course.taken_over.store(true, Ordering::SeqCst);
    until("the replica is not found", async || course.served.load(Ordering::SeqCst) == CLIENTS).await;
    course.stop.store(true, Ordering::SeqCst);
    let mut all = Seen::default();
    for task in tasks {
        let seen = task.await.unwrap();
        all.acknowledged += seen.acknowledged;
        all.refused += seen.refused;
        all.lost += seen.lost;
        all.slowest = all.slowest.max(seen.slowest);
        all.outage = all.outage.max(seen.outage);
    }
    println!(
        "Redis Cluster, a master {how}, node timeout {NODE_TIMEOUT:?}: {} updates acknowledged, {} of them lost; {} answers \
         503 to {} of {CLIENTS} clients, the slowest answer after {:.1?}, the last 503 {:.1?} after it was gone",
        all.acknowledged,
        all.lost,
        all.refused,
        course.hit.load(Ordering::SeqCst),
        all.slowest,
        all.outage
    );
    assert!(all.slowest < BOUND, "{:?}", all.slowest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_killed_under_load_costs_503_within_the_bound_until_its_replica_takes_over() {
    a_master_fails("killed", |master| master.signal("KILL")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_falls_silent_under_load_costs_503_within_the_bound_until_its_replica_takes_over() {
    a_master_fails("silent", Server::falls_silent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_fails_before_its_commit_leaves_the_session_under_its_old_id() {
    let cluster = tokio::task::block_in_place(|| servers::start_redis_cluster(NODE_TIMEOUT));
    let store = connect(&cluster.url()).await;
    let [old, new] = ["old", "new"].map(|name| SessionId::parse(&name.repeat(20)).unwrap());
    let session = new_session(Counter { count: 7, name: None }, HOUR, None);
    assert!(matches!(store.create(key(&old), session).await.unwrap(), Created::Created(_)));
    let Loaded::Found(record) = store.load(key(&old)).await.unwrap() else { panic!("it was just created") };
    // The new key is written on one node; the other one, where the old key is, is gone.
    let mut nodes = Vec::new();
    for master in cluster.masters() {
        nodes.push(redis::cmd("DBSIZE").query_async::<u64>(&mut wire::redis(master).await).await.unwrap());
    }
    let node = nodes.iter().position(|keys| *keys == 1).expect("one node has it");
    // A node that dies before its replica has what it wrote takes that with it.
    let mut replica = wire::redis(&cluster.nodes[cluster.masters().len() + node]).await;
    while redis::cmd("DBSIZE").query_async::<u64>(&mut replica).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    cluster.nodes[node].signal("KILL");
    let rotation =
        tokio::time::timeout(STORE_TIMEOUT, store.rotate(key(&old), key(&new), session_runtime::store::Rotation::new(record)))
            .await;
    assert!(!matches!(rotation, Ok(Ok(_))), "{rotation:?}");
    takes_over(&cluster, node, &mut replica).await;
    let start = Instant::now();
    let record = loop {
        // Not within the store's timeout: on a slow machine finding the replica takes longer, and who gives it up begins it again.
        match tokio::time::timeout(PATIENCE, store.load(key(&old))).await.expect("an answer") {
            Ok(Loaded::Found(record)) => break record,
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                let waited = start.elapsed();
                assert!(waited < BOUND, "the replica took over {waited:?} ago and is not found: {error:?}: {}", causes(&error));
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(record.data.count, 7);
    let newer = SessionId::parse(&"newer".repeat(20)).unwrap();
    let rotation = store.rotate(key(&old), key(&newer), session_runtime::store::Rotation::new(record)).await.unwrap();
    assert!(matches!(rotation, Rotated::Rotated(_)), "{rotation:?}");
    assert!(matches!(store.load(key(&old)).await.unwrap(), Loaded::JustRotated));
    assert!(matches!(store.load(key(&newer)).await.unwrap(), Loaded::Found(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_keeps_the_laws() {
    laws().failing(gone().await).await;
}

/// The checks of the cluster that the tests share.
pub fn laws() -> Conformance<'static, String> {
    let nodes = [0, 4].map(|node| servers::redis_cluster().nodes[node].url());
    let open = async move |place: &str| RedisStore::connect_cluster(nodes).await.unwrap().key_prefix(place);
    conformance(open)
        .shared()
        .rotates_in_two_steps()
        .undecodable(async move |place, key| put_a_number(&open(place).await, key).await)
}

/// A store whose cluster is no more.
async fn gone() -> RedisStore {
    let node = tokio::task::block_in_place(servers::start_redis_cluster_of_one);
    RedisStore::connect_cluster([node.url()]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_rotated_at_its_absolute_limit_does_not_become_endless() {
    let store = connect(&engine::redis_cluster().url).await;
    let [old, new] = ["old", "new"].map(|name| SessionId::parse(&name.repeat(20)).unwrap());
    store.create(key(&old), new_session(Counter::default(), HOUR, Some(HOUR))).await.unwrap();
    let Loaded::Found(mut record) = store.load(key(&old)).await.unwrap() else { panic!("it was just created") };
    record.absolute_in = Some(Duration::ZERO);
    let rotation = store.rotate(key(&old), key(&new), session_runtime::store::Rotation::new(record)).await.unwrap();
    assert!(matches!(rotation, Rotated::Rotated(_)), "{rotation:?}");
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(matches!(store.load(key(&new)).await.unwrap(), Loaded::Missing));
}
