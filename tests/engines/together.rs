//! Calls of Redis that are ready at the same time leave together, and are each answered as if alone.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{FutureExt, poll};
use session_runtime::SessionId;
use session_runtime::store::{Change, Created, Loaded, Record, RedisStore, Replaced, Rotated, Store, StoreError, Version};
use tokio::runtime::Builder;

use crate::app::{Counter, key, new_session};
use crate::proxy::Proxy;
use crate::servers;
use crate::wire;

async fn stored(store: &RedisStore, count: usize) -> Vec<(SessionId, Version)> {
    let ids = (0..count).map(|number| SessionId::parse(&format!("{number:040}")).unwrap());
    let mut sessions = Vec::new();
    for id in ids {
        let session = new_session(Counter::default(), Duration::from_secs(600), None);
        let Created::Created(version) = store.create(key(&id), session).await.unwrap() else { panic!("the server is new") };
        sessions.push((id, version));
    }
    sessions
}

async fn load(store: &RedisStore, id: &SessionId) -> Result<Loaded<Counter>, StoreError> {
    store.load(key(id)).await
}

async fn count(store: &RedisStore, id: &SessionId) -> u64 {
    match load(store, id).await {
        Ok(Loaded::Found(record)) => record.data.count,
        other => panic!("{other:?}"),
    }
}

async fn replace(store: &RedisStore, id: &SessionId, version: Version) -> Result<Replaced, StoreError> {
    store.replace(key(id), version, Change::new(Arc::new(Counter { count: 1, name: None }))).await
}

async fn rotate(store: &RedisStore, id: &SessionId, version: Version) -> Result<Rotated, StoreError> {
    let new = SessionId::parse(&"new".repeat(20)).unwrap();
    let limit = Duration::from_secs(600);
    let record = Record::new(Arc::new(Counter::default()), version, limit, limit, None, Duration::ZERO);
    store.rotate(key(id), key(&new), session_runtime::store::Rotation::new(record)).await
}

async fn reads(redis: &mut redis::aio::MultiplexedConnection) -> u64 {
    let stats: String = redis::cmd("INFO").arg("stats").query_async(redis).await.unwrap();
    stats.lines().find_map(|line| line.strip_prefix("total_reads_processed:")).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_hundred_calls_at_once_are_few_round_trips() {
    let server = servers::start_redis();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let sessions = stored(&store, 100).await;
    let mut redis = wire::redis(&server).await;
    let before = reads(&mut redis).await;
    let counts = join_all(sessions.iter().map(|(id, _)| count(&store, id))).await;
    assert_eq!(counts, [0; 100]);
    let replaced = join_all(sessions.iter().map(|(id, version)| replace(&store, id, *version))).await;
    assert!(replaced.iter().all(|replaced| matches!(replaced, Ok(Replaced::Replaced(_)))), "{replaced:?}");
    // The server reads 16 KiB at a time; asking is one more.
    let reads = reads(&mut redis).await - before;
    assert!(reads < 20, "{reads} reads for 200 calls");
    println!("Redis: {reads} reads for 200 calls that were made in two rounds of a hundred");
}

#[test]
fn each_thread_that_asks_has_a_connection_but_no_more_than_four_and_no_more_than_cores() {
    let server = servers::start_redis();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let id = SessionId::parse("0123456789abcdef0123456789abcdef").unwrap();
    let (proxy, store) = runtime.block_on(async {
        let proxy = Proxy::to(server.port()).await;
        let store = RedisStore::connect(&proxy.url(server.url(), server.port())).await.unwrap();
        load(&store, &id).await.unwrap();
        (proxy, store)
    });
    assert_eq!(proxy.connections(), 1, "the thread that connected has asked");
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| runtime.block_on(load(&store, &id)).unwrap());
        }
    });
    let cores = thread::available_parallelism().unwrap().get();
    assert_eq!(proxy.connections() as usize, cores.min(4));
}

/// A read that is tried again may go on another thread, and a change is not tried again at all.
#[test]
fn a_connection_that_breaks_takes_those_of_the_other_threads_with_it() {
    let server = servers::start_redis();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let id = SessionId::parse("0123456789abcdef0123456789abcdef").unwrap();
    let (proxy, store) = runtime.block_on(async {
        let proxy = Proxy::to(server.port()).await;
        (proxy.clone(), RedisStore::connect(&proxy.url(server.url(), server.port())).await.unwrap())
    });
    let on_eight_threads = |call: &(dyn Fn() + Sync)| {
        thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(call))));
    };
    on_eight_threads(&|| drop(runtime.block_on(load(&store, &id)).unwrap()));
    proxy.cut();
    // Whatever this one is told, it notices.
    let _ = runtime.block_on(load(&store, &id));
    on_eight_threads(&|| assert_eq!(runtime.block_on(replace(&store, &id, Version(1))).unwrap(), Replaced::Missing));
}

#[tokio::test]
async fn a_call_that_fails_fails_alone() {
    let server = servers::start_redis();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let sessions = stored(&store, 1).await;
    let mut redis = wire::redis(&server).await;
    // Another program's list is where the first session was.
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut redis).await.unwrap();
    redis::cmd("DEL").arg(&keys[0]).exec_async(&mut redis).await.unwrap();
    redis::cmd("RPUSH").arg(&keys[0]).arg("x").exec_async(&mut redis).await.unwrap();
    let (broken, version) = &sessions[0];
    let id = SessionId::parse(&"other".repeat(20)).unwrap();
    let session = new_session(Counter::default(), Duration::from_secs(600), None);
    let Created::Created(own) = store.create(key(&id), session).await.unwrap() else { panic!("it is new") };
    // Some are answered NOSCRIPT, and are sent again.
    redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut redis).await.unwrap();
    let (before, no_rotation, no_change, changed, after) = tokio::join!(
        count(&store, &id),
        rotate(&store, broken, *version),
        replace(&store, broken, *version),
        replace(&store, &id, own),
        count(&store, &id),
    );
    assert_eq!((before, after), (0, 0), "they left before the change was made");
    assert!(no_rotation.is_err(), "{no_rotation:?}");
    assert!(no_change.is_err(), "{no_change:?}");
    assert!(matches!(changed, Ok(Replaced::Replaced(_))), "{changed:?}");
    assert_eq!(count(&store, &id).await, 1);
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_the_others_alone() {
    let server = servers::start_redis();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let sessions = stored(&store, 3).await;
    for turns in 0..6 {
        let [mut first, mut second, mut third] = [0, 1, 2].map(|at| Box::pin(count(&store, &sessions[at].0)));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        // The one that set them off, and another.
        drop(first);
        drop(third);
        assert_eq!(second.await, 0, "after {turns} turns");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_tells_every_change_and_repeats_every_read() {
    const CALLS: usize = 20;
    let server = servers::start_redis();
    let proxy = Proxy::to(server.port()).await;
    let store = RedisStore::connect(proxy.url(server.url(), server.port())).await.unwrap();
    let sessions = stored(&store, CALLS).await;
    replace(&store, &sessions[0].0, Version(0)).await.unwrap();
    proxy.swallow_the_next_answer();
    let counts = join_all(sessions.iter().map(|(id, _)| count(&store, id))).await;
    assert_eq!(counts, [0; CALLS]);
    proxy.swallow_the_next_answer();
    let replaced = join_all(sessions.iter().map(|(id, version)| replace(&store, id, *version))).await;
    assert!(replaced.iter().all(Result::is_err), "{replaced:?}");
    let counts = join_all(sessions.iter().map(|(id, _)| count(&store, id))).await;
    assert_eq!(counts, [1; CALLS], "the server had them");
    assert_eq!(proxy.connections(), 3, "one for all in place of each that broke");
}

#[test]
fn a_store_outlives_the_runtime_in_which_its_calls_waited() {
    let server = servers::start_redis();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let (store, sessions) = first.block_on(async {
        let store = RedisStore::connect(server.url()).await.unwrap();
        let sessions = stored(&store, 1).await;
        (store, sessions)
    });
    let mut waiting = Box::pin(count(&store, &sessions[0].0));
    first.block_on(async { assert!(poll!(&mut waiting).is_pending()) });
    drop(first);
    runtime().block_on(async {
        assert_eq!(count(&store, &sessions[0].0).await, 0, "another call");
        assert_eq!(waiting.await, 0, "the call that was left behind is made again");
        assert!(load(&store, &sessions[0].0).now_or_never().is_none());
    });
}

/// What another program may have put where a session is: shorter and longer than a header, with and without numbers in it.
fn foreign_values() -> Vec<Vec<u8>> {
    let (digits, spaces) = ("0".repeat(80), " ".repeat(80));
    let mut values: Vec<Vec<u8>> =
        ["", "x", &"x".repeat(80), &"\0".repeat(300), &digits, &spaces, "{\"count\":1}"].map(|text| text.into()).to_vec();
    values.push(vec![0xff; 100]);
    // One field of a header at a time.
    for (field, text) in (0..5).flat_map(|field| {
        ["                ", "nan             ", "inf             ", "9999999999999999", "-1              "]
            .map(|text| (field, text))
    }) {
        let mut value = digits.clone();
        value.replace_range(16 * field..16 * field + 16, text);
        values.push(value.into_bytes());
    }
    values
}

#[tokio::test]
async fn a_value_of_another_program_is_an_error_of_its_own_call_alone() {
    let server = servers::start_redis();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let mut redis = wire::redis(&server).await;
    for value in foreign_values() {
        let () = redis::cmd("FLUSHALL").query_async(&mut redis).await.unwrap();
        let id = SessionId::parse("foreign").unwrap();
        let session = new_session(Counter::default(), Duration::from_secs(600), None);
        let Created::Created(version) = store.create(key(&id), session).await.unwrap() else { panic!("the server is empty") };
        let [name]: [String; 1] = redis::cmd("KEYS").arg("*").query_async(&mut redis).await.unwrap();
        let others = stored(&store, 2).await;
        let () = redis::cmd("SET").arg(&name).arg(&value).query_async(&mut redis).await.unwrap();

        let shown = String::from_utf8_lossy(&value);
        let at_once = [(&others[0].0, others[0].1), (&id, version), (&others[1].0, others[1].1)];
        let replaced = join_all(at_once.map(|(id, version)| replace(&store, id, version))).await;
        let [before, _, after] = replaced.try_into().expect("three answers");
        for other in [before, after] {
            assert!(matches!(other, Ok(Replaced::Replaced(_))), "beside {shown:?}: {other:?}");
        }
        // What leaves alone is answered, too, and no call after it is given another one's answer.
        let _ = (load(&store, &id).await, replace(&store, &id, Version(0)).await);
        let _ = (Store::<Counter>::touch(&store, key(&id)).await, rotate(&store, &id, Version(0)).await);
        let _ = Store::<Counter>::delete(&store, key(&id)).await;
        assert_eq!(count(&store, &others[1].0).await, 1, "after {shown:?}");
    }
}

#[tokio::test]
async fn a_header_without_numbers_is_told_as_another_programs() {
    let server = servers::start_redis();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let mut redis = wire::redis(&server).await;
    let sessions = stored(&store, 1).await;
    let [name]: [String; 1] = redis::cmd("KEYS").arg("*").query_async(&mut redis).await.unwrap();
    let () = redis::cmd("SET").arg(&name).arg("x".repeat(100)).query_async(&mut redis).await.unwrap();
    let (id, version) = &sessions[0];
    assert!(matches!(load(&store, id).await, Ok(Loaded::Undecodable(StoreError::Data(_)))));
    let replaced = replace(&store, id, *version).await;
    assert!(matches!(replaced, Err(StoreError::Data(_))), "{replaced:?}");
}
