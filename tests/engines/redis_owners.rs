//! Owners in Redis, as two processes see them that share a server: limits and ends beside everything that may be under way.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, join, join_all, select};
use session_runtime::store::{
    Attributes, Belonging, Change, Created, Loaded, Namespace, NewSession, Owner, OwnerLimit, Record, RedisStore, Replaced,
    Rotated, Rotation, SessionHandle, Store, StoreError, WhenFull, Which,
};
use session_runtime::{OwnerId, SessionId};
use tokio::time::timeout;

use crate::app::{Counter, STORE_TIMEOUT, key, new_session, usually};
use crate::cluster::{id_on, master_of};
use crate::gates::{Gates, dies_after};
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

/// What makes a session that of this owner, under this handle.
fn rotation(record: Record<Counter>, to: Option<(&Owner, SessionHandle, Option<OwnerLimit>)>) -> Rotation<Counter> {
    let mut rotation = Rotation::new(record);
    rotation.session.attributes = to.and_then(|(_, handle, _)| attributes(handle));
    rotation.owner = to.map(|(owner, _, limit)| {
        let mut belonging = Belonging::new(owner.clone());
        belonging.limit = limit;
        Box::new(belonging)
    });
    rotation
}

/// Moves a session as a login does; the new id, if it went.
async fn rotate(
    store: &RedisStore,
    id: &SessionId,
    to: Option<(&Owner, SessionHandle, Option<OwnerLimit>)>,
) -> Option<SessionId> {
    let new = new_id();
    let Loaded::Found(record) = Store::<Counter>::load(store, key(id)).await.unwrap() else { return None };
    match store.rotate(key(id), key(&new), rotation(record, to)).await.unwrap() {
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
    what_is_ended_is_gone_whatever_is_under_way(&two_on(servers::redis()).await, u64::from(usually(300, 1000))).await;
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
    what_is_ended_is_gone_whatever_is_under_way(&two_on_the_cluster("ended:").await, u64::from(usually(300, 1000))).await;
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

const STEPS: [Step; 8] =
    [Step::Create, Step::LogIn, Step::LogInAtTheLimit, Step::Rotate, Step::HandOver, Step::LogOut, Step::Delete, Step::End];

/// Users, and the keys at which sessions may be when a step has begun.
#[derive(Clone)]
struct Subject {
    users: [Owner; 2],
    /// Those that have an owner where they are there.
    owned: Vec<SessionId>,
    /// Of these one is there, whatever becomes of the step.
    moving: Option<[SessionId; 2]>,
    step: Step,
    handles: [SessionHandle; 2],
}

impl Subject {
    /// What there is before the step.
    async fn new(store: &RedisStore, step: Step) -> Self {
        let users = [(); 2].map(|()| owner(&rand::random::<u128>()));
        let (guest, new) = (new_id(), new_id());
        let (known, handle) = create(store, &users[0]).await;
        let (owned, moving) = match step {
            Step::Create => (vec![known, new], None),
            Step::LogIn | Step::LogInAtTheLimit => {
                store.create(key(&guest), new_session(Counter::default(), HOUR, None)).await.unwrap();
                (vec![known, new], Some([guest, new]))
            }
            Step::Rotate | Step::HandOver => (vec![known, new], Some([known, new])),
            Step::LogOut => (vec![known], Some([known, new])),
            Step::Delete => (vec![known], None),
            Step::End => (vec![known, create(store, &users[0]).await.0], None),
        };
        Self { users, owned, moving, step, handles: [handle, SessionHandle::random()] }
    }

    async fn goes_through(self, store: &RedisStore) {
        let ([user, other], [handle, new_handle]) = (&self.users, self.handles);
        let only_one = Some(OwnerLimit::new(NonZeroU32::MIN, WhenFull::EndOldest));
        let to = match self.step {
            Step::Create => {
                drop(store.create(key(&self.owned[1]), owned(user, new_handle, HOUR, None)).await);
                return;
            }
            Step::Delete => {
                drop(Store::<Counter>::delete(store, key(&self.owned[0])).await);
                return;
            }
            Step::End => {
                drop(Store::<Counter>::end(store, user, Which::All).await);
                return;
            }
            Step::LogIn => Some((user, new_handle, None)),
            Step::LogInAtTheLimit => Some((user, new_handle, only_one)),
            Step::Rotate => Some((user, handle, None)),
            Step::HandOver => Some((other, new_handle, None)),
            Step::LogOut => None,
        };
        let [old, new] = self.moving.expect("it is a rotation");
        let Loaded::Found(record) = Store::<Counter>::load(store, key(&old)).await.unwrap() else { panic!("it is there") };
        drop(store.rotate(key(&old), key(&new), rotation(record, to)).await);
    }

    /// How many answers come before those of the step.
    fn before(&self) -> u64 {
        u64::from(self.moving.is_some())
    }

    async fn live(&self, store: &RedisStore) -> usize {
        let live = join_all(self.owned.iter().map(|id| is_live(store, id))).await;
        live.iter().filter(|live| **live).count()
    }

    async fn entries(&self, prefix: &str) -> Vec<String> {
        [entries_of(prefix, &self.users[0]).await, entries_of(prefix, &self.users[1]).await].concat()
    }

    /// Whether the lists have what is there and nothing else, nothing is half done, and what moved is at one key. No list is looked at by a store, which would do what was left.
    async fn is_whole(&self, prefix: &str, store: &RedisStore) -> bool {
        let (entries, live) = (self.entries(prefix).await, self.live(store).await);
        let is_at_one_key = match &self.moving {
            Some([one, other]) => is_live(store, one).await != is_live(store, other).await,
            None => true,
        };
        let is_ended = !matches!(self.step, Step::Delete | Step::End) || live == 0;
        let is_done = |entry: &String| entry.len() == 59 && entry.ends_with('l');
        entries.len() == live && entries.iter().all(is_done) && is_at_one_key && is_ended
    }

    async fn number_shown(&self, store: &RedisStore) -> usize {
        shown(store, &self.users[0]).await.len() + shown(store, &self.users[1]).await.len()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_next_does_what_a_process_left_undone_that_died_between_any_two_steps() {
    const PREFIX: &str = "crash:";
    let [store, looking] = two_on_the_cluster(PREFIX).await;
    // The nodes know all scripts: each step is one answer.
    of_fifty_logins_five_live(&[store.clone(), looking.clone()]).await;
    let mut left = Vec::new();
    for step in STEPS {
        let mut crashes = 0;
        for answers in 0..32 {
            let subject = Subject::new(&store, step).await;
            let (of_process, answers_to_it) = (subject.clone(), subject.before() + answers);
            if !dies_after(answers_to_it, PREFIX, async move |store: &RedisStore| of_process.goes_through(store).await).await {
                break;
            }
            left.push((format!("{step:?}, dead after {answers} answers"), subject));
            crashes = answers + 1;
        }
        println!("{step:?}: {crashes} steps");
        assert!((1..32).contains(&crashes), "{step:?}");
    }
    for (what, subject) in &left {
        let most = if matches!(subject.step, Step::Create | Step::LogIn | Step::End) { 2 } else { 1 };
        assert!(subject.number_shown(&looking).await <= most, "{what}");
    }
    // After the bound that the docs state.
    tokio::time::sleep(Duration::from_secs(12)).await;
    for (what, subject) in &left {
        let (shown, live) = (subject.number_shown(&looking).await, subject.live(&looking).await);
        assert_eq!(shown, live, "{what}");
        let entries = subject.entries(PREFIX).await;
        assert_eq!(entries.len(), shown, "{what}: the list has what is there and nothing else: {entries:?}");
        let mut ended = 0;
        for user in &subject.users {
            ended += Store::<Counter>::end(&looking, user, Which::All).await.unwrap();
        }
        assert_eq!(ended, shown as u64, "{what}");
    }
}

/// What a caller does that gives up.
#[derive(Debug, Clone, Copy)]
enum GivesUp {
    /// It does not wait any more.
    Drops,
    /// It lives, and never asks for the answer.
    DoesNotPoll,
}

// With one thread a store has one connection to each node, so that there is no other answer.
#[tokio::test]
async fn a_step_in_a_cluster_leaves_no_ghost_where_its_caller_gives_up_after_any_answer() {
    const PREFIX: &str = "dropped:";
    let [store, looking] = two_on_the_cluster(PREFIX).await;
    // The nodes know all scripts: each step is one answer.
    of_fifty_logins_five_live(&[store.clone(), looking.clone()]).await;
    let gates = Gates::to(servers::redis_cluster()).await;
    let gated = gates.store(PREFIX).await;
    let mut failed = Vec::new();
    for (step, how) in STEPS.into_iter().flat_map(|step| [(step, GivesUp::Drops), (step, GivesUp::DoesNotPoll)]) {
        // A deletion is one step where the session has no owner; that it has one, the answer tells.
        if matches!((step, how), (Step::Delete, GivesUp::DoesNotPoll)) {
            continue;
        }
        let mut given_up = 0;
        'answers: for answers in 0..32 {
            let subject = Subject::new(&store, step).await;
            gates.let_through(subject.before() + answers);
            let mut work = Box::pin(subject.clone().goes_through(&gated));
            let is_held = matches!(select(work.as_mut(), std::pin::pin!(gates.held())).await, Either::Right(_));
            let kept = match how {
                GivesUp::Drops => {
                    drop(work);
                    None
                }
                GivesUp::DoesNotPoll => Some(work),
            };
            gates.open();
            if !is_held {
                break;
            }
            given_up += 1;
            let start = std::time::Instant::now();
            while !subject.is_whole(PREFIX, &looking).await {
                if start.elapsed() > GHOSTLY {
                    failed.push(format!("{step:?}, {how:?} after {answers} answers: {:?}", subject.entries(PREFIX).await));
                    break 'answers;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(subject.number_shown(&looking).await, subject.live(&looking).await);
            drop(kept);
        }
        println!("{step:?}: {how:?} after each of {given_up} answers");
        assert!((1..32).contains(&given_up), "{step:?}");
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// What is not whole after so long stays so: what goes on needs milliseconds.
const GHOSTLY: Duration = Duration::from_secs(10);

#[tokio::test]
async fn what_was_begun_in_a_cluster_ends_before_a_store_is_closed() {
    const PREFIX: &str = "closed:";
    let [store, looking] = two_on_the_cluster(PREFIX).await;
    of_fifty_logins_five_live(&[store.clone(), looking.clone()]).await;
    let gates = Gates::to(servers::redis_cluster()).await;
    for answers in 0..4 {
        let gated = gates.store(PREFIX).await;
        let subject = Subject::new(&store, Step::Rotate).await;
        gates.let_through(subject.before() + answers);
        let (of_task, rotating) = (gated.clone(), subject.clone());
        let rotating = tokio::spawn(async move { rotating.goes_through(&of_task).await });
        gates.held().await;
        let closing = tokio::spawn(async move { Store::<Counter>::close(&gated).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        gates.open();
        rotating.await.unwrap();
        closing.await.unwrap().unwrap();
        assert!(subject.is_whole(PREFIX, &looking).await, "after {answers} answers: {:?}", subject.entries(PREFIX).await);
        assert!(is_live(&looking, &subject.owned[1]).await, "it was not given up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_ended_in_a_cluster_while_a_process_moved_it_that_died_does_not_show() {
    const PREFIX: &str = "overtaken:";
    let [store, looking] = two_on_the_cluster(PREFIX).await;
    // The nodes know all scripts: each step is one answer.
    of_fifty_logins_five_live(&[store.clone(), looking.clone()]).await;
    // Side by side: it shows what it promises for 30 s after the end.
    let crashes = (0..12).map(async |answers| {
        let subject = Subject::new(&store, Step::HandOver).await;
        let (of_process, answers_to_it) = (subject.clone(), subject.before() + answers);
        let died = dies_after(answers_to_it, PREFIX, async move |store: &RedisStore| of_process.goes_through(store).await).await;
        let ([user, other], what) = (&subject.users, format!("dead after {answers} answers"));
        let ended = Store::<Counter>::end(&looking, user, Which::All).await.unwrap();
        assert_eq!(shown(&looking, other).await.len() as u64, 1 - ended, "{what}");
        // After the bound that the docs state.
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert_eq!(shown(&looking, other).await.len() as u64, 1 - ended, "{what}, later");
        assert_eq!(entries_of(PREFIX, other).await.len() as u64, 1 - ended, "{what}");
        assert_eq!(is_live(&looking, &subject.owned[1]).await, ended == 0, "{what}");
        (died, ended)
    });
    let crashes = join_all(crashes).await;
    println!("{crashes:?}");
    assert!(crashes.contains(&(true, 1)) && crashes.contains(&(true, 0)), "{crashes:?}");
    assert_eq!(crashes.last(), Some(&(false, 0)), "{crashes:?}");
}

/// Takes a key of the cluster away, wherever it is.
async fn take_away(key: &str) {
    for master in servers::redis_cluster().masters() {
        // The other nodes send away who asks.
        let _: Result<u64, _> = redis::cmd("DEL").arg(key).query_async(&mut wire::redis(master).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_in_a_cluster_whose_process_died_takes_no_change_from_the_one_that_was_done() {
    const PREFIX: &str = "given-up:";
    let [store, looking] = two_on_the_cluster(PREFIX).await;
    // The nodes know all scripts: each step is one answer.
    of_fifty_logins_five_live(&[store.clone(), looking.clone()]).await;
    let mut written = 0;
    for answers in 0..32 {
        let subject = Subject::new(&store, Step::Rotate).await;
        let ([user, _], [handle, _], [old, given_up]) = (&subject.users, subject.handles, subject.moving.unwrap());
        let (of_process, answers_to_it) = (subject.clone(), subject.before() + answers);
        if !dies_after(answers_to_it, PREFIX, async move |store: &RedisStore| of_process.goes_through(store).await).await {
            break;
        }
        let Some(new) = rotate(&store, &old, Some((user, handle, None))).await else { continue };
        written += usize::from(is_live(&store, &given_up).await);
        let Loaded::Found(record) = Store::<Counter>::load(&store, key(&new)).await.unwrap() else { panic!("it is there") };
        let change = Change::new(Arc::new(Counter { count: 5, name: None }));
        let replaced = looking.replace_listed(user, handle, record.version, change).await.unwrap();
        assert!(matches!(replaced, Replaced::Replaced(_)), "dead after {answers} answers: {replaced:?}");
        let Loaded::Found(record) = Store::<Counter>::load(&store, key(&new)).await.unwrap() else { panic!("it is there") };
        assert_eq!(record.data.count, 5, "dead after {answers} answers");
        // As it is 30 s later.
        let hash: String = key(&old).sha256().iter().map(|byte| format!("{byte:02x}")).collect();
        take_away(&format!("{PREFIX}{hash}")).await;
        crate::app::until("the list has the session alone", async || {
            shown(&looking, user).await == BTreeSet::from([handle]) && entries_of(PREFIX, user).await.len() == 1
        })
        .await;
        assert!(!is_live(&store, &given_up).await && is_live(&store, &new).await, "dead after {answers} answers");
    }
    assert!(written > 0, "none died after its row was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_a_cluster_finds_the_session_among_rotations_whose_processes_died() {
    const PREFIX: &str = "between:";
    let [store, looking] = two_on_the_cluster(PREFIX).await;
    // The nodes know all scripts: each step is one answer.
    of_fifty_logins_five_live(&[store.clone(), looking.clone()]).await;
    let subject = Subject::new(&store, Step::Rotate).await;
    let ([user, _], [handle, _], [old, given_up]) = (&subject.users, subject.handles, subject.moving.unwrap());
    // One dies when its row is written, and has not left the old key.
    let of_process = subject.clone();
    let work = async move |store: &RedisStore| of_process.goes_through(store).await;
    assert!(dies_after(subject.before() + 1, PREFIX, work).await);
    assert!(is_live(&looking, &old).await && is_live(&looking, &given_up).await);
    // Another one has left it, and has not told the list.
    let new = new_id();
    let of_process = Subject { moving: Some([old, new]), ..subject.clone() };
    let work = async move |store: &RedisStore| of_process.goes_through(store).await;
    assert!(dies_after(subject.before() + 2, PREFIX, work).await);
    assert!(!is_live(&looking, &old).await && is_live(&looking, &new).await);
    assert_eq!(entries_of(PREFIX, user).await.len(), 3);
    let Loaded::Found(record) = Store::<Counter>::load(&store, key(&new)).await.unwrap() else { panic!("it is there") };
    let change = Change::new(Arc::new(Counter { count: 5, name: None }));
    let replaced = looking.replace_listed(user, handle, record.version, change).await.unwrap();
    assert!(matches!(replaced, Replaced::Replaced(_)), "{replaced:?}");
    let Loaded::Found(record) = Store::<Counter>::load(&store, key(&new)).await.unwrap() else { panic!("it is there") };
    assert_eq!(record.data.count, 5);
}

/// The number of the master of the cluster that has the list of an owner, and ids of sessions that others have.
async fn apart<const N: usize>(user: &Owner) -> (usize, [SessionId; N]) {
    let cluster = servers::redis_cluster();
    let hash: String = user.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
    let node = master_of(cluster, &format!("session:owner:{hash}")).await;
    let mut ids = [new_id(); N];
    for id in &mut ids {
        *id = id_on(cluster, |master| master != node).await;
    }
    (node, ids)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_to_a_session_in_a_cluster_does_not_wait_for_the_node_of_its_list() {
    let gates = Gates::to(servers::redis_cluster()).await;
    let (store, user) = (gates.store("session:").await, owner(&rand::random::<u128>()));
    let (node, [deleted, left, new, used]) = apart(&user).await;
    for (id, idle) in [(deleted, HOUR), (left, HOUR), (used, Duration::from_secs(6))] {
        store.create(key(&id), owned(&user, SessionHandle::random(), idle, None)).await.unwrap();
    }
    let Loaded::Found(record) = Store::<Counter>::load(&store, key(&left)).await.unwrap() else { panic!("it is there") };
    gates.deafen(node);
    // Each twelve seconds the list is to hear of it.
    while !gates.is_unheard() {
        let done = timeout(STORE_TIMEOUT, Store::<Counter>::touch(&store, key(&used))).await;
        assert!(matches!(done, Ok(Ok(true))), "a touch: {done:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let done = timeout(STORE_TIMEOUT, Store::<Counter>::delete(&store, key(&deleted))).await;
    assert!(matches!(done, Ok(Ok(true))), "a logout: {done:?}");
    let done = timeout(STORE_TIMEOUT, store.rotate(key(&left), key(&new), Rotation::new(record))).await;
    assert!(matches!(done, Ok(Ok(Rotated::Rotated(_)))), "a change of owner: {done:?}");
    assert!(!is_live(&store, &deleted).await && !is_live(&store, &left).await && is_live(&store, &new).await);
}

#[tokio::test]
async fn a_list_in_a_cluster_that_hears_of_a_session_when_that_is_gone_does_not_count_it() {
    let [store, _] = two_on_the_cluster("session:").await;
    let gates = Gates::to(servers::redis_cluster()).await;
    let (gated, user) = (gates.store("session:").await, owner(&rand::random::<u128>()));
    let (node, [id, next]) = apart(&user).await;
    let limit = Some(OwnerLimit::new(NonZeroU32::MIN, WhenFull::Refuse));
    let idle = Duration::from_secs(4);
    store.create(key(&id), owned(&user, SessionHandle::random(), idle, limit)).await.unwrap();
    gates.deafen(node);
    // Each eight seconds the list is to hear of it.
    while !gates.is_unheard() {
        assert!(Store::<Counter>::touch(&gated, key(&id)).await.unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // It is ended by way of another process.
    assert!(Store::<Counter>::delete(&store, key(&id)).await.unwrap());
    assert_eq!(entries_of("session:", &user).await, Vec::<String>::new());
    gates.hears_again();
    crate::app::until("the list hears", async || entries_of("session:", &user).await.len() == 1).await;
    let created = store.create(key(&next), owned(&user, SessionHandle::random(), HOUR, limit)).await.unwrap();
    assert!(matches!(created, Created::Created(_)), "{created:?}");
}

// With one thread a store has one connection to each node.
#[tokio::test]
async fn a_rotation_in_a_cluster_that_is_refused_takes_its_row_back_although_a_connection_ends() {
    let [store, _] = two_on_the_cluster("session:").await;
    let gates = Gates::to(servers::redis_cluster()).await;
    let (gated, user) = (gates.store("session:").await, owner(&rand::random::<u128>()));
    let (list, [old]) = apart(&user).await;
    let old_on = master_of(servers::redis_cluster(), &row_key_of(&old)).await;
    let new_on = 3 - list - old_on;
    let (new, handle) = (id_on(servers::redis_cluster(), |master| master == new_on).await, SessionHandle::random());
    store.create(key(&old), owned(&user, handle, HOUR, None)).await.unwrap();
    let Loaded::Found(stale) = Store::<Counter>::load(&store, key(&old)).await.unwrap() else { panic!("it is there") };
    store.replace(key(&old), stale.version, Change::new(Arc::new(Counter::default()))).await.unwrap();
    gates.let_through(0);
    let rotating = gated.rotate(key(&old), key(&new), rotation(stale, Some((&user, handle, None))));
    let losing = async {
        // Each answer alone, until the row is there.
        while !is_live(&store, &new).await {
            gates.held().await;
            gates.let_through(1);
        }
        gates.deafen(new_on);
        gates.open();
        // That it is taken back.
        gates.unheard().await;
        gates.cuts_off();
    };
    let (rotated, ()) = join(rotating, losing).await;
    assert!(matches!(rotated, Ok(Rotated::Conflict)), "{rotated:?}");
    crate::app::until("its row is taken back, and left the list", async || {
        !is_live(&store, &new).await && entries_of("session:", &user).await.len() == 1
    })
    .await;
    assert!(is_live(&store, &old).await);
}

/// The key of a session on the cluster, of a store with the default prefix.
fn row_key_of(id: &SessionId) -> String {
    let hash: String = key(id).sha256().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("session:{hash}")
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
    let new = rotate(&store, &moved, None).await.expect("it is moved");
    assert!(!is_live(&store, &moved).await && is_live(&store, &new).await);
    tell(&server, "ACL SETUSER app +hget -hdel").await;
    assert!(Store::<Counter>::delete(&store, key(&id)).await.unwrap());
    assert!(!is_live(&store, &id).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_in_no_list_is_not_written() {
    let server = redis_server(&[]).await;
    tell(&server, "ACL SETUSER app on >secret ~* +@all").await;
    let store = RedisStore::connect(server.url_as("app:secret")).await.unwrap();
    let (user, guest) = (owner(&7), new_id());
    store.create(key(&guest), new_session(Counter::default(), HOUR, None)).await.unwrap();
    tell(&server, "ACL SETUSER app -hset").await;
    let refused = new_id();
    store.create(key(&refused), owned(&user, SessionHandle::random(), HOUR, None)).await.unwrap_err();
    assert!(!is_live(&store, &refused).await);
    // Nor is it moved.
    let Loaded::Found(record) = Store::<Counter>::load(&store, key(&guest)).await.unwrap() else { panic!("it is there") };
    let rotated = store.rotate(key(&guest), key(&refused), rotation(record, Some((&user, SessionHandle::random(), None)))).await;
    assert!(rotated.is_err(), "{rotated:?}");
    assert!(is_live(&store, &guest).await && !is_live(&store, &refused).await);
}

/// What the list of an owner has on the cluster, without the names.
async fn entries_of(prefix: &str, owner: &Owner) -> Vec<String> {
    let hash: String = owner.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut entries = Vec::new();
    for master in servers::redis_cluster().masters() {
        // The other nodes send away who asks.
        let answer = redis::cmd("HVALS").arg(format!("{prefix}owner:{hash}")).query_async(&mut wire::redis(master).await).await;
        entries.extend(answer.unwrap_or_else(|_| Vec::<String>::new()));
    }
    entries
}

/// What a server has been asked for, all together.
async fn commands(server: &Server) -> u64 {
    info(server, "stats", "total_commands_processed").await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_costs_the_same_beside_many_sessions_of_others() {
    let server = redis_server(&[]).await;
    let store = RedisStore::connect(server.url()).await.unwrap();
    let mut costs = Vec::new();
    let many = u64::from(usually(10_000, 1_000_000));
    for others in [0, 100, many] {
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
    println!("commands, the script's own among them, to end three sessions beside none, 100 and {many} others: {costs:?}");
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
    let (user, other) = (owner(&7), owner(&9));
    let create_short = async || {
        let session = owned(&other, SessionHandle::random(), Duration::from_millis(1), None);
        store.create(key(&new_id()), session).await.unwrap();
    };
    for _ in 0..60 {
        create_short().await;
    }
    // After those, which take their time on a machine that stalls.
    let (idle, start) = (Duration::from_secs(4), std::time::Instant::now());
    let (id, handle) = (new_id(), SessionHandle::random());
    store.create(key(&id), owned(&user, handle, idle, None)).await.unwrap();
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
    while start.elapsed() < Duration::from_secs(24) {
        is_used().await;
    }
    // It was told of 44 s at first, and has heard since.
    let (list, port, left) = list_of(PREFIX, &user).await.unwrap();
    assert!(left > 26_000, "{left}");
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
    assert!(entries_of(PREFIX, &other).await.len() <= 20, "what went long ago is not there any more");
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
