//! Owners in Redis, as two processes see them that share a server: limits and ends beside everything that may be under way.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use session_runtime::store::{
    Attributes, Belonging, Change, Created, Loaded, Namespace, NewSession, Owner, OwnerLimit, RedisStore, Replaced, Rotated,
    Rotation, SessionHandle, Store, StoreError, WhenFull, Which,
};
use session_runtime::{OwnerId, SessionId};
use tokio::time::timeout;

use crate::app::{Counter, STORE_TIMEOUT, key, new_session};
use crate::cluster::{id_on, master_of};
use crate::redis_as_run::{info, redis_server, tell};
use crate::servers::{self, Server};
use crate::wire;

const HOUR: Duration = Duration::from_secs(3600);

fn new_id() -> SessionId {
    SessionId::parse(&format!("{:032x}", rand::random::<u128>())).unwrap()
}

fn owner(user: &impl OwnerId) -> Owner {
    Owner::new(&Namespace::new("engines"), user)
}

fn attributes(handle: SessionHandle) -> Option<Arc<Attributes>> {
    let mut attributes = Attributes::new();
    (attributes.handle, attributes.proven) = (Some(handle), Some(Duration::ZERO));
    Some(Arc::new(attributes))
}

fn owned(owner: &Owner, handle: SessionHandle, idle: Duration, limit: Option<OwnerLimit>) -> NewSession<Counter> {
    let mut session = new_session(Counter::default(), idle, None);
    session.attributes = attributes(handle);
    let mut belonging = Belonging::new(owner.clone());
    belonging.limit = limit;
    session.owner = Some(Box::new(belonging));
    session
}

async fn create(store: &RedisStore, owner: &Owner) -> (SessionId, SessionHandle) {
    let (id, handle) = (new_id(), SessionHandle::random());
    let created = store.create(key(&id), owned(owner, handle, HOUR, None)).await.unwrap();
    assert!(matches!(created, Created::Created(_)), "{created:?}");
    (id, handle)
}

async fn is_live(store: &RedisStore, id: &SessionId) -> bool {
    let loaded: Loaded<Counter> = store.load(key(id)).await.unwrap();
    matches!(loaded, Loaded::Found(_))
}

/// Moves a session as a login does; the new id, if it went.
async fn rotate(
    store: &RedisStore,
    id: &SessionId,
    to: Option<(&Owner, SessionHandle, Option<OwnerLimit>)>,
) -> Option<SessionId> {
    let new = new_id();
    let Loaded::Found(record) = Store::<Counter>::load(store, key(id)).await.unwrap() else { return None };
    let mut rotation = Rotation::new(record);
    rotation.session.attributes = to.and_then(|(_, handle, _)| attributes(handle));
    rotation.owner = to.map(|(owner, _, limit)| {
        let mut belonging = Belonging::new(owner.clone());
        belonging.limit = limit;
        Box::new(belonging)
    });
    match store.rotate(key(id), key(&new), rotation).await.unwrap() {
        Rotated::Rotated(_) => Some(new),
        Rotated::TooMany | Rotated::Missing | Rotated::Conflict => None,
        other @ Rotated::Exists => panic!("the key is free: {other:?}"),
    }
}

async fn shown(store: &RedisStore, owner: &Owner) -> BTreeSet<SessionHandle> {
    let listed = Store::<Counter>::list(store, owner).await.unwrap();
    listed.iter().map(|listed| listed.handle).collect()
}

async fn two_on(server: &Server) -> [RedisStore; 2] {
    [RedisStore::connect(server.url()).await.unwrap(), RedisStore::connect(server.url()).await.unwrap()]
}

async fn of_fifty_logins_five_live(stores: &[RedisStore; 2]) {
    const MOST: usize = 5;
    for round in 0..8_u64 {
        let user = owner(&(round + 1000));
        let when_full = if round % 2 == 0 { WhenFull::EndOldest } else { WhenFull::Refuse };
        let limit = Some(OwnerLimit::new(NonZeroU32::new(5).unwrap(), when_full));
        let logins = (0..50_usize).map(|number| {
            let (store, user) = (&stores[number % 2], &user);
            async move {
                let id = new_id();
                let handle = SessionHandle::random();
                if number % 4 < 2 {
                    let created = store.create(key(&id), owned(user, handle, HOUR, limit)).await.unwrap();
                    return matches!(created, Created::Created(_)).then_some(id);
                }
                store.create(key(&id), new_session(Counter::default(), HOUR, None)).await.unwrap();
                rotate(store, &id, Some((user, handle, limit))).await
            }
        });
        let made: Vec<_> = join_all(logins).await.into_iter().flatten().collect();
        assert_eq!(made.len(), if when_full == WhenFull::Refuse { MOST } else { 50 }, "{when_full:?}");
        let live = join_all(made.iter().map(|id| is_live(&stores[0], id))).await;
        assert_eq!(live.iter().filter(|live| **live).count(), MOST, "{when_full:?}");
        assert_eq!(Store::<Counter>::count(&stores[1], &user).await.unwrap(), MOST as u64);
        assert_eq!(shown(&stores[1], &user).await.len(), MOST);
    }
}

async fn what_is_ended_is_gone_whatever_is_under_way(stores: &[RedisStore; 2], rounds: u64) {
    let (mut moved, mut changed) = (0, 0);
    for round in 0..rounds {
        let user = owner(&(round + 100_000));
        let (id, handle) = create(&stores[0], &user).await;
        let (other, _) = create(&stores[1], &user).await;
        let rotating = async {
            let mut ids = vec![id];
            while let Some(new) = rotate(&stores[1], ids.last().unwrap(), Some((&user, handle, None))).await {
                ids.push(new);
            }
            ids
        };
        let replacing = async {
            let mut replaced = 0;
            loop {
                let Loaded::Found(record) = Store::<Counter>::load(&stores[1], key(&other)).await.unwrap() else {
                    return replaced;
                };
                match stores[1].replace(key(&other), record.version, Change::new(Arc::new(Counter::default()))).await.unwrap() {
                    Replaced::Replaced(_) => replaced += 1,
                    Replaced::Missing => return replaced,
                    Replaced::Conflict => panic!("nobody else changes it"),
                }
            }
        };
        let ending = async {
            for _ in 0..round % 7 {
                tokio::task::yield_now().await;
                shown(&stores[0], &user).await;
            }
            Store::<Counter>::end(&stores[0], &user, Which::All).await.unwrap()
        };
        let (ended, (ids, replaced)) = join(ending, join(rotating, replacing)).await;
        assert_eq!(ended, 2, "round {round}: both were there");
        for id in ids.iter().chain([&other]) {
            assert!(!is_live(&stores[1], id).await, "round {round}: it was ended");
        }
        assert_eq!(shown(&stores[1], &user).await.len(), 0, "round {round}");
        moved += ids.len() - 1;
        changed += replaced;
    }
    println!("{rounds} rounds: {moved} rotations and {changed} changes beside the ends");
    assert!(moved > 0 && changed > 0, "something was under way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_logins_at_once_by_two_processes_as_many_live_as_allowed_in_redis() {
    of_fifty_logins_five_live(&two_on(servers::redis()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ended_in_redis_is_gone_whatever_is_under_way() {
    what_is_ended_is_gone_whatever_is_under_way(&two_on(servers::redis()).await, 300).await;
}

async fn two_on_the_cluster(prefix: &str) -> [RedisStore; 2] {
    let open = async |node: usize| {
        let url = servers::redis_cluster().nodes[node].url().to_owned();
        RedisStore::connect_cluster([url]).await.unwrap().key_prefix(prefix)
    };
    [open(0).await, open(4).await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_logins_at_once_by_two_processes_as_many_live_as_allowed_in_a_cluster() {
    of_fifty_logins_five_live(&two_on_the_cluster("fifty:").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ended_in_a_cluster_is_gone_whatever_is_under_way() {
    what_is_ended_is_gone_whatever_is_under_way(&two_on_the_cluster("ended:").await, 300).await;
}

/// Goes on with it for so many answers of the cluster, and then no more: as a process does that dies. What it has sent is done.
async fn die_after<R>(steps: usize, work: impl Future<Output = R>) -> bool {
    let mut work = std::pin::pin!(work);
    for _ in 0..steps {
        if futures_util::poll!(work.as_mut()).is_ready() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Create,
    LogIn,
    LogInAtTheLimit,
    Rotate,
    HandOver,
    LogOut,
    Delete,
    End,
}

/// A user, whose sessions may be under these keys.
struct Left {
    what: String,
    users: [Owner; 2],
    ids: Vec<SessionId>,
}

async fn left_undone(store: &RedisStore, step: Step, steps: usize) -> Option<Left> {
    let users = [(); 2].map(|()| owner(&rand::random::<u128>()));
    let [user, other] = &users;
    let (new, handle) = (new_id(), SessionHandle::random());
    let limit = Some(OwnerLimit::new(NonZeroU32::MIN, WhenFull::EndOldest));
    let mut ids = vec![new];
    let move_to = async |id: &SessionId, to: Option<(&Owner, SessionHandle, Option<OwnerLimit>)>| {
        let Loaded::Found(record) = Store::<Counter>::load(store, key(id)).await.unwrap() else { panic!("it is there") };
        let mut rotation = Rotation::new(record);
        rotation.session.attributes = to.and_then(|(_, handle, _)| attributes(handle));
        rotation.owner = to.map(|(owner, _, limit)| {
            let mut belonging = Belonging::new(owner.clone());
            belonging.limit = limit;
            Box::new(belonging)
        });
        die_after(steps, store.rotate(key(id), key(&new), rotation)).await
    };
    let died = match step {
        Step::Create => die_after(steps, store.create(key(&new), owned(user, handle, HOUR, None))).await,
        Step::LogIn | Step::LogInAtTheLimit => {
            let (guest, limit) = (new_id(), if matches!(step, Step::LogIn) { None } else { limit });
            store.create(key(&guest), new_session(Counter::default(), HOUR, None)).await.unwrap();
            ids.push(create(store, user).await.0);
            move_to(&guest, Some((user, handle, limit))).await
        }
        _ => {
            let (id, known) = create(store, user).await;
            ids.push(id);
            match step {
                Step::Rotate => move_to(&id, Some((user, known, None))).await,
                Step::HandOver => move_to(&id, Some((other, handle, None))).await,
                Step::LogOut => move_to(&id, None).await,
                Step::Delete => die_after(steps, Store::<Counter>::delete(store, key(&id))).await,
                _ => {
                    ids.push(create(store, user).await.0);
                    die_after(steps, Store::<Counter>::end(store, user, Which::All)).await
                }
            }
        }
    };
    died.then(|| Left { what: format!("{step:?}, dead after {steps} steps"), users, ids })
}

async fn number_shown(store: &RedisStore, users: &[Owner; 2]) -> usize {
    shown(store, &users[0]).await.len() + shown(store, &users[1]).await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_next_does_what_a_process_left_undone_that_died_between_any_two_steps() {
    const PREFIX: &str = "crash:";
    let [store, looking] = two_on_the_cluster(PREFIX).await;
    // The nodes know all scripts: each step is one answer.
    of_fifty_logins_five_live(&[store.clone(), looking.clone()]).await;
    let all =
        [Step::Create, Step::LogIn, Step::LogInAtTheLimit, Step::Rotate, Step::HandOver, Step::LogOut, Step::Delete, Step::End];
    let mut left = Vec::new();
    for step in all {
        let mut crashes = 0;
        for steps in 1..32 {
            match left_undone(&store, step, steps).await {
                Some(undone) => left.push((step, undone)),
                None => break,
            }
            crashes = steps;
        }
        println!("{step:?}: {crashes} steps");
        assert!((1..31).contains(&crashes), "{step:?}");
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    for (step, Left { what, users, .. }) in &left {
        let most = if matches!(step, Step::LogIn | Step::End) { 2 } else { 1 };
        assert!(number_shown(&looking, users).await <= most, "{what}");
    }
    // After the bound that the docs state.
    tokio::time::sleep(Duration::from_secs(12)).await;
    for (_, Left { what, users, ids }) in &left {
        let shown = number_shown(&looking, users).await;
        let live = join_all(ids.iter().map(|id| is_live(&looking, id))).await;
        let live = live.iter().filter(|live| **live).count();
        // After a log-out that was done, nobody's session is there.
        let logged_out = usize::from(what.starts_with("LogOut") && live > shown);
        assert_eq!(shown + logged_out, live, "{what}");
        let mut entries = 0;
        for user in users {
            entries += entries_of(PREFIX, user).await;
        }
        assert_eq!(entries, shown as u64, "{what}: the list has what is there and nothing else");
        let mut ended = 0;
        for user in users {
            ended += Store::<Counter>::end(&looking, user, Which::All).await.unwrap();
        }
        assert_eq!(ended, shown as u64, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_ended_in_a_cluster_while_a_process_moved_it_that_died_does_not_show() {
    const PREFIX: &str = "overtaken:";
    let [store, looking] = two_on_the_cluster(PREFIX).await;
    // The nodes know all scripts: each step is one answer.
    of_fifty_logins_five_live(&[store.clone(), looking.clone()]).await;
    let mut left = Vec::new();
    for steps in 1..32 {
        let [user, other] = [(); 2].map(|()| owner(&rand::random::<u128>()));
        let ((old, _), new) = (create(&store, &user).await, new_id());
        let Loaded::Found(record) = Store::<Counter>::load(&store, key(&old)).await.unwrap() else { panic!("it is there") };
        let mut rotation = Rotation::new(record);
        rotation.session.attributes = attributes(SessionHandle::random());
        rotation.owner = Some(Box::new(Belonging::new(other.clone())));
        let died = die_after(steps, store.rotate(key(&old), key(&new), rotation)).await;
        // What it has sent is done.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let ended = Store::<Counter>::end(&looking, &user, Which::All).await.unwrap();
        left.push((format!("dead after {steps} steps"), ended, other, new));
        if !died {
            break;
        }
    }
    let ended: Vec<_> = left.iter().map(|(_, ended, ..)| *ended).collect();
    println!("{ended:?}");
    assert!(ended.contains(&1) && ended.last() == Some(&0), "{ended:?}");
    for (what, ended, other, _) in &left {
        assert_eq!(shown(&looking, other).await.len() as u64, 1 - ended, "{what}");
    }
    // After the bound that the docs state.
    tokio::time::sleep(Duration::from_secs(12)).await;
    for (what, ended, other, new) in &left {
        assert_eq!(shown(&looking, other).await.len() as u64, 1 - ended, "{what}, later");
        assert_eq!(entries_of(PREFIX, other).await, 1 - ended, "{what}");
        assert_eq!(is_live(&looking, new).await, *ended == 0, "{what}");
    }
}

/// Takes a key of the cluster away, wherever it is.
async fn take_away(key: &str) {
    for master in servers::redis_cluster().masters() {
        // The other nodes send away who asks.
        let _: Result<u64, _> = redis::cmd("DEL").arg(key).query_async(&mut wire::redis(master).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_in_a_cluster_that_was_given_up_takes_no_change_from_the_one_that_was_done() {
    const PREFIX: &str = "given-up:";
    let [store, looking] = two_on_the_cluster(PREFIX).await;
    // The nodes know all scripts: each step is one answer.
    of_fifty_logins_five_live(&[store.clone(), looking.clone()]).await;
    let mut written = 0;
    for steps in 1..32 {
        let user = owner(&rand::random::<u128>());
        let ((old, handle), given_up) = (create(&store, &user).await, new_id());
        let Loaded::Found(record) = Store::<Counter>::load(&store, key(&old)).await.unwrap() else { panic!("it is there") };
        let mut rotation = Rotation::new(record);
        rotation.session.attributes = attributes(handle);
        rotation.owner = Some(Box::new(Belonging::new(user.clone())));
        if !die_after(steps, store.rotate(key(&old), key(&given_up), rotation)).await {
            break;
        }
        // What it has sent is done.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let Some(new) = rotate(&store, &old, Some((&user, handle, None))).await else { continue };
        written += usize::from(is_live(&store, &given_up).await);
        let Loaded::Found(record) = Store::<Counter>::load(&store, key(&new)).await.unwrap() else { panic!("it is there") };
        let change = Change::new(Arc::new(Counter { count: 5, name: None }));
        let replaced = looking.replace_listed(&user, handle, record.version, change).await.unwrap();
        assert!(matches!(replaced, Replaced::Replaced(_)), "given up after {steps} steps: {replaced:?}");
        let Loaded::Found(record) = Store::<Counter>::load(&store, key(&new)).await.unwrap() else { panic!("it is there") };
        assert_eq!(record.data.count, 5, "given up after {steps} steps");
        // As it is 30 s later.
        let hash: String = key(&old).sha256().iter().map(|byte| format!("{byte:02x}")).collect();
        take_away(&format!("{PREFIX}{hash}")).await;
        crate::app::until("the list has the session alone", async || {
            shown(&looking, &user).await == BTreeSet::from([handle]) && entries_of(PREFIX, &user).await == 1
        })
        .await;
        assert!(!is_live(&store, &given_up).await && is_live(&store, &new).await, "given up after {steps} steps");
    }
    assert!(written > 0, "none was given up after its row was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_to_a_session_in_a_cluster_does_not_wait_for_the_node_of_its_list() {
    // So long nobody takes over.
    let cluster = tokio::task::block_in_place(|| servers::start_redis_cluster(Duration::from_secs(60)));
    let store = RedisStore::connect_cluster([cluster.nodes[0].url()]).await.unwrap();
    let user = owner(&7);
    let hash: String = user.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
    let node = master_of(&cluster, &format!("session:owner:{hash}")).await;
    let elsewhere = async || id_on(&cluster, |master| master != node).await;
    let [deleted, left, new, used] = [elsewhere().await, elsewhere().await, elsewhere().await, elsewhere().await];
    let idle = Duration::from_secs(4);
    for (id, idle) in [(deleted, HOUR), (left, HOUR), (used, idle)] {
        store.create(key(&id), owned(&user, SessionHandle::random(), idle, None)).await.unwrap();
    }
    let Loaded::Found(record) = Store::<Counter>::load(&store, key(&left)).await.unwrap() else { panic!("it is there") };
    cluster.nodes[node].falls_silent();
    let done = timeout(STORE_TIMEOUT, Store::<Counter>::delete(&store, key(&deleted))).await;
    assert!(matches!(done, Ok(Ok(true))), "a logout: {done:?}");
    let done = timeout(STORE_TIMEOUT, store.rotate(key(&left), key(&new), Rotation::new(record))).await;
    assert!(matches!(done, Ok(Ok(Rotated::Rotated(_)))), "a change of owner: {done:?}");
    assert!(!is_live(&store, &deleted).await && !is_live(&store, &left).await && is_live(&store, &new).await);
    // Each eight seconds the list is to hear of it.
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(9) {
        let done = timeout(STORE_TIMEOUT, Store::<Counter>::touch(&store, key(&used))).await;
        assert!(matches!(done, Ok(Ok(true))), "a touch: {done:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_list_refuses_is_no_error_of_the_change_that_was_made() {
    let server = redis_server(&[]).await;
    tell(&server, "ACL SETUSER app on >secret ~* +@all").await;
    let store = RedisStore::connect(server.url_as("app:secret")).await.unwrap();
    let (user, guest) = (owner(&7), new_id());
    let ((id, _), (moved, _)) = (create(&store, &user).await, create(&store, &user).await);
    store.create(key(&guest), new_session(Counter::default(), HOUR, None)).await.unwrap();
    tell(&server, &format!("DEL {}", list_key(&server).await)).await;
    tell(&server, "ACL SETUSER app -hset").await;
    for count in 1..5 {
        let change = async |id: &SessionId| {
            let Loaded::Found(record) = Store::<Counter>::load(&store, key(id)).await.unwrap() else { panic!("it is there") };
            store.replace(key(id), record.version, Change::new(Arc::new(Counter { count, name: None }))).await
        };
        let (of_user, of_guest) = join(change(&id), change(&guest)).await;
        assert!(matches!(of_user, Ok(Replaced::Replaced(_))), "{of_user:?}");
        assert!(matches!(of_guest, Ok(Replaced::Replaced(_))), "{of_guest:?}");
        assert!(Store::<Counter>::touch(&store, key(&id)).await.unwrap());
    }
    // A rotation that takes a session out of a list which cannot be looked at is done, and says so.
    tell(&server, "ACL SETUSER app +hset -hget").await;
    assert!(rotate(&store, &moved, None).await.is_some());
    tell(&server, "ACL SETUSER app +hget -hset").await;
    // What would be in no list is not written.
    let refused = new_id();
    store.create(key(&refused), owned(&user, SessionHandle::random(), HOUR, None)).await.unwrap_err();
    assert!(!is_live(&store, &refused).await);
    assert!(Store::<Counter>::delete(&store, key(&id)).await.unwrap());
}

/// How many sessions the list of an owner has on the cluster.
async fn entries_of(prefix: &str, owner: &Owner) -> u64 {
    let hash: String = owner.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut entries = 0;
    for master in servers::redis_cluster().masters() {
        let answer = redis::cmd("HLEN").arg(format!("{prefix}owner:{hash}")).query_async(&mut wire::redis(master).await).await;
        entries += answer.unwrap_or(0_u64);
    }
    entries
}

/// What a server has been asked for, all together.
async fn commands(server: &Server) -> u64 {
    info(server, "stats", "total_commands_processed").await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_costs_the_same_beside_ten_thousand_sessions_of_others() {
    let server = redis_server(&[]).await;
    let store = RedisStore::connect(server.url()).await.unwrap();
    let mut costs = Vec::new();
    for others in [0, 100, 10_000_u64] {
        for chunk in (0..others).collect::<Vec<_>>().chunks(500) {
            let users: Vec<_> = chunk.iter().map(owner).collect();
            join_all(users.iter().map(|user| create(&store, user))).await;
        }
        let user = owner(&"ada");
        for _ in 0..3 {
            create(&store, &user).await;
        }
        // Both know the scripts.
        for _ in 0..2 {
            Store::<Counter>::end(&store, &user, Which::One(SessionHandle::random())).await.unwrap();
        }
        let before = commands(&server).await;
        assert_eq!(Store::<Counter>::end(&store, &user, Which::All).await.unwrap(), 3);
        costs.push(commands(&server).await - before);
    }
    println!("commands, the script's own among them, to end three sessions beside none, 100 and 10 000 others: {costs:?}");
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_on_the_server_shows_an_id_or_an_owner_and_nothing_stays() {
    let server = redis_server(&[]).await;
    let store = RedisStore::connect(server.url()).await.unwrap();
    let name = "ada@example.com".to_owned();
    let user = owner(&name);
    let (id, handle) = (new_id(), SessionHandle::random());
    let short = Duration::from_millis(1500);
    store.create(key(&id), owned(&user, handle, short, None)).await.unwrap();
    let new = rotate(&store, &id, Some((&user, handle, None))).await.unwrap();
    let mut redis = wire::redis(&server).await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut redis).await.unwrap();
    assert_eq!(keys.len(), 3, "a session, a mark and a list: {keys:?}");
    for key in keys {
        let held = if key.contains("owner:") {
            tell(&server, &format!("HGETALL {key}")).await
        } else {
            tell(&server, &format!("GET {key}")).await
        };
        let text = format!("{key} {held:?} {}", String::from_utf8_lossy(&flat(held.clone())));
        for secret in [id.as_str(), new.as_str(), &name] {
            assert!(!text.contains(secret), "{text}");
        }
        let redis::Value::Int(left) = tell(&server, &format!("PTTL {key}")).await else { panic!("it tells") };
        assert!(left > 0, "{key} never goes");
    }
    let dead = async || matches!(tell(&server, "DBSIZE").await, redis::Value::Int(..=1));
    crate::app::until("the session and its list have gone", dead).await;
}

fn flat(value: redis::Value) -> Vec<u8> {
    match value {
        redis::Value::BulkString(text) => text,
        redis::Value::Array(parts) => parts.into_iter().flat_map(flat).collect(),
        redis::Value::Map(pairs) => pairs.into_iter().flat_map(|(name, value)| [flat(name), flat(value)].concat()).collect(),
        _ => Vec::new(),
    }
}

/// The milliseconds until a key goes.
async fn left(server: &Server, key: &str) -> i64 {
    let redis::Value::Int(left) = tell(server, &format!("PTTL {key}")).await else { panic!("it tells") };
    left
}

/// The key of the one session that there is.
async fn row_key(server: &Server) -> String {
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut wire::redis(server).await).await.unwrap();
    keys.into_iter().find(|key| !key.contains("owner:")).expect("there is one")
}

/// The key of the one list that there is.
async fn list_key(server: &Server) -> String {
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*owner:*").query_async(&mut wire::redis(server).await).await.unwrap();
    keys.pop().expect("there is one")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_outlives_what_is_in_it_and_does_not_fill_with_what_is_gone() {
    let server = redis_server(&[]).await;
    let store = RedisStore::connect(server.url()).await.unwrap();
    let user = owner(&7);
    let (idle, start) = (Duration::from_secs(4), std::time::Instant::now());
    let (id, handle) = (new_id(), SessionHandle::random());
    store.create(key(&id), owned(&user, handle, idle, None)).await.unwrap();
    // The list was told of 8 s at first. By touching and by replacing.
    let mut uses = 0;
    while start.elapsed() < Duration::from_secs(10) {
        let Loaded::Found(record) = Store::<Counter>::load(&store, key(&id)).await.unwrap() else { panic!("it is used") };
        if uses % 2 == 0 {
            assert!(Store::<Counter>::touch(&store, key(&id)).await.unwrap());
        } else {
            store.replace(key(&id), record.version, Change::new(Arc::new(Counter::default()))).await.unwrap();
        }
        uses += 1;
        // The list before the row, so that no pause between the two is a false alarm.
        let list = left(&server, &list_key(&server).await).await;
        let row = left(&server, &row_key(&server).await).await;
        assert!(list >= row, "the list goes in {list} ms and what is in it in {row} ms");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(shown(&store, &user).await, BTreeSet::from([handle]));
    // A server whose memory is full may have evicted it; what is used is in it again.
    for by_touch in [true, false] {
        tell(&server, &format!("DEL {}", list_key(&server).await)).await;
        assert_eq!(shown(&store, &user).await, BTreeSet::new());
        if by_touch {
            assert!(Store::<Counter>::touch(&store, key(&id)).await.unwrap());
        } else {
            let Loaded::Found(record) = Store::<Counter>::load(&store, key(&id)).await.unwrap() else { panic!("it is there") };
            store.replace(key(&id), record.version, Change::new(Arc::new(Counter::default()))).await.unwrap();
        }
        assert_eq!(shown(&store, &user).await, BTreeSet::from([handle]));
        let redis::Value::Int(left) = tell(&server, &format!("PTTL {}", list_key(&server).await)).await else {
            panic!("it tells")
        };
        assert!(left > 4_000, "{left}");
    }
    // Nobody looks at the list while its sessions expire, one after the other.
    for _ in 0..200 {
        store.create(key(&new_id()), owned(&user, SessionHandle::random(), Duration::from_millis(1), None)).await.unwrap();
    }
    let redis::Value::Int(entries) = tell(&server, &format!("HLEN {}", list_key(&server).await)).await else {
        panic!("it tells")
    };
    assert!(entries < 20, "{entries} entries of one session");
}

/// The list of an owner on the cluster: its key, the port of its node, and the milliseconds until it goes.
async fn list_of(prefix: &str, owner: &Owner) -> Option<(String, u16, i64)> {
    let hash: String = owner.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{prefix}owner:{hash}");
    for master in servers::redis_cluster().masters() {
        // The other nodes send away who asks.
        let left: Result<i64, _> = redis::cmd("PTTL").arg(&list).query_async(&mut wire::redis(master).await).await;
        if let Ok(left @ 0..) = left {
            return Some((list, master.port(), left));
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_in_a_cluster_outlives_what_is_in_it_goes_after_it_and_comes_back_if_it_was_lost() {
    const PREFIX: &str = "outlives:";
    let [store, _] = two_on_the_cluster(PREFIX).await;
    let user = owner(&7);
    let (idle, start) = (Duration::from_secs(2), std::time::Instant::now());
    let (id, handle) = (new_id(), SessionHandle::random());
    store.create(key(&id), owned(&user, handle, idle, None)).await.unwrap();
    let other = owner(&9);
    let create_short = async || {
        let session = owned(&other, SessionHandle::random(), Duration::from_millis(1), None);
        store.create(key(&new_id()), session).await.unwrap();
    };
    for _ in 0..60 {
        create_short().await;
    }
    let mut uses = 0;
    // By touching and by replacing.
    let mut is_used = async || {
        let Loaded::Found(record) = Store::<Counter>::load(&store, key(&id)).await.unwrap() else { panic!("it is used") };
        if uses % 2 == 0 {
            assert!(Store::<Counter>::touch(&store, key(&id)).await.unwrap());
        } else {
            store.replace(key(&id), record.version, Change::new(Arc::new(Counter::default()))).await.unwrap();
        }
        uses += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    while start.elapsed() < Duration::from_secs(12) {
        is_used().await;
    }
    // It was told of 32 s at first, and has heard since.
    let (list, port, left) = list_of(PREFIX, &user).await.unwrap();
    assert!(left > 23_000, "{left}");
    let master = servers::redis_cluster().masters().iter().find(|master| master.port() == port).unwrap();
    tell(master, &format!("DEL {list}")).await;
    assert_eq!(shown(&store, &user).await, BTreeSet::new());
    crate::app::until("it is listed again", async || {
        is_used().await;
        shown(&store, &user).await == BTreeSet::from([handle])
    })
    .await;
    // Nobody has looked at the other's list.
    for _ in 0..20 {
        create_short().await;
    }
    assert!(entries_of(PREFIX, &other).await <= 20, "what went long ago is not there any more");
    let gone = async || list_of(PREFIX, &user).await.is_none();
    crate::app::until("its list has gone after it", gone).await;
    assert!(!is_live(&store, &id).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_layout_shared_with_fastapi_keeps_no_owners_and_says_so() {
    let store = RedisStore::connect(servers::redis().url()).await.unwrap().fastapi_compatible();
    assert!(!Store::<Counter>::keeps_owners(&store));
    let listed = Store::<Counter>::list(&store, &owner(&7)).await;
    assert!(matches!(listed, Err(StoreError::NoOwners)), "{listed:?}");
}
