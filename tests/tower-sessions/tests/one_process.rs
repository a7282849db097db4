//! What one process keeps beyond the conformance kit: calls that are given up, slow ones, and what expired long ago.

use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use session_runtime::SessionId;
use session_runtime::store::{
    Change, Created, Key, Limits, Loaded, Namespace, NewSession, Origin, Record, Replaced, Rotated, Store, StoreError,
    TowerSessionsStore, Version,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower_sessions::{CachingSessionStore, SessionStore};
use tower_sessions_moka_store::MokaStore;

use self::stores::Gate;

mod stores;

const HOUR: Duration = Duration::from_secs(3600);

fn id(number: u32) -> SessionId {
    SessionId::parse(&format!("{number:064}-x")).unwrap()
}

fn key(id: &SessionId) -> Key<'_> {
    static NAMESPACE: LazyLock<Namespace> = LazyLock::new(|| Namespace::new("sid"));
    Key::new(&NAMESPACE, id)
}

fn new_session<T>(data: T, idle: Duration) -> NewSession<T> {
    NewSession::new(Arc::new(data), Limits::new(idle, None), Origin::Change)
}

/// A store of numbers.
struct Numbers<S>(TowerSessionsStore<S>);

impl<S: SessionStore> Numbers<S> {
    fn over(store: S) -> Self {
        Self(TowerSessionsStore::new(store))
    }

    async fn create(&self, id: &SessionId, number: u32, idle: Duration) -> Created {
        self.0.create(key(id), new_session(number, idle)).await.unwrap()
    }

    async fn load(&self, id: &SessionId) -> Option<u32> {
        match self.0.load(key(id)).await.unwrap() {
            Loaded::Found(record) => Some(*record.data),
            _ => None,
        }
    }

    async fn replace(&self, id: &SessionId, number: u32) -> Replaced {
        let Loaded::<u32>::Found(record) = self.0.load(key(id)).await.unwrap() else { return Replaced::Missing };
        self.0.replace(key(id), record.version, Change::new(Arc::new(number))).await.unwrap()
    }

    async fn rotate(&self, old: &SessionId, new: &SessionId, version: Version, number: u32) -> Rotated {
        let session = Record::new(Arc::new(number), version, HOUR, HOUR, None, Duration::ZERO);
        self.0.rotate(key(old), key(new), session_runtime::store::Rotation::new(session)).await.unwrap()
    }

    async fn delete(&self, id: &SessionId) -> bool {
        Store::<u32>::delete(&self.0, key(id)).await.unwrap()
    }
}

/// Runs what has to wait for a call that is held. It is given the time to come first, if it does not wait; then the call goes on.
async fn overtaking<R>(gate: &Gate, call: usize, later: impl Future<Output = R>) -> R {
    let mut later = pin!(later);
    let early = timeout(Duration::from_millis(100), &mut later).await;
    gate.let_go_on(call);
    match early {
        Ok(done) => done,
        Err(_) => later.await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_its_caller_gave_up_does_not_come_after_a_deletion() {
    async fn check<S: SessionStore + Clone>(name: &str, store: S) {
        let gate = Gate::new();
        let numbers = Numbers::over(stores::HeldWrites(store, gate.clone()));
        for number in 0..5 {
            let (id, call) = (id(number), number as usize + 1);
            numbers.create(&id, 1, HOUR).await;
            tokio::select! {
                changed = numbers.replace(&id, 2) => panic!("{name}: it is under way, and is {changed:?}"),
                () = gate.have_come(call) => {}
            }
            assert!(overtaking(&gate, call, numbers.delete(&id)).await, "{name}");
            gate.are_done(call).await;
            assert_eq!(numbers.load(&id).await, None, "{name}: it is back");
        }
    }
    with_each_store!(check);
}

/// A session that lies in the store and not yet in the cache before it, as after a restart, and of which somebody has begun a read:
/// the store has answered, and the answer is on its way to the cache.
struct Filling<S> {
    id: SessionId,
    version: Version,
    numbers: Arc<Numbers<S>>,
    load: JoinHandle<Option<u32>>,
    gate: Gate,
}

async fn filling_a_cache() -> Filling<impl SessionStore> {
    let (id, store, gate) = (id(0), stores::memory(), Gate::new());
    let Created::Created(version) = Numbers::over(store.clone()).create(&id, 1, HOUR).await else { panic!("it is new") };
    let held = stores::HeldReads(store, gate.clone());
    let numbers = Arc::new(Numbers::over(CachingSessionStore::new(MokaStore::new(None), held)));
    let load = tokio::spawn({
        let (numbers, id) = (Arc::clone(&numbers), id.clone());
        async move { numbers.load(&id).await }
    });
    gate.have_come(1).await;
    Filling { id, version, numbers, load, gate }
}

/// Every call that comes from now on goes on.
const ALL: usize = usize::MAX;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_is_filled_while_a_session_is_deleted_does_not_keep_it() {
    let Filling { id, numbers, load, gate, .. } = filling_a_cache().await;
    assert!(overtaking(&gate, ALL, numbers.delete(&id)).await);
    load.await.unwrap();
    assert_eq!(numbers.load(&id).await, None, "it is back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_is_filled_while_a_session_changes_loses_no_change() {
    let Filling { id, numbers, load, gate, .. } = filling_a_cache().await;
    assert!(matches!(overtaking(&gate, ALL, numbers.replace(&id, 2)).await, Replaced::Replaced(_)));
    load.await.unwrap();
    assert_eq!(numbers.load(&id).await, Some(2), "it is as it was before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_is_filled_while_a_session_is_rotated_does_not_keep_its_old_id() {
    let Filling { id: old, version, numbers, load, gate } = filling_a_cache().await;
    let new = id(1);
    assert!(matches!(overtaking(&gate, ALL, numbers.rotate(&old, &new, version, 2)).await, Rotated::Rotated(_)));
    load.await.unwrap();
    assert_eq!(numbers.load(&old).await, None, "it answers by its old id");
    assert_eq!(numbers.load(&new).await, Some(2));
}

/// The cache is a server, and what it was sent it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_whose_filling_was_given_up_does_not_keep_what_was_deleted() {
    let (id, store, gate) = (id(0), stores::memory(), Gate::new());
    Numbers::over(store.clone()).create(&id, 1, HOUR).await;
    let cache = stores::HeldWrites(MokaStore::new(None), gate.clone());
    let numbers = Numbers::over(CachingSessionStore::new(cache, store));
    tokio::select! {
        loaded = numbers.load(&id) => panic!("it is under way, and is {loaded:?}"),
        () = gate.have_come(1) => {}
    }
    assert!(overtaking(&gate, ALL, numbers.delete(&id)).await);
    gate.are_done(1).await;
    assert_eq!(numbers.load(&id).await, None, "it is back");
}

/// Longer than any machine takes: what is not there by then hangs.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_of_one_session_wait_for_no_other() {
    const LOADS: usize = 50;
    let (store, gate) = (stores::memory(), Gate::new());
    Numbers::over(store.clone()).create(&id(0), 1, HOUR).await;
    let numbers = Arc::new(Numbers::over(stores::HeldReads(store, gate.clone())));
    let loads: Vec<_> = (0..LOADS)
        .map(|_| {
            let numbers = Arc::clone(&numbers);
            tokio::spawn(async move { numbers.load(&id(0)).await })
        })
        .collect();
    timeout(PATIENCE, gate.have_come(LOADS)).await.expect("all of them are in the store");
    gate.let_go_on(LOADS);
    for load in loads {
        assert_eq!(load.await.unwrap(), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_slow_to_write_holds_up_no_other() {
    const SESSIONS: u32 = 200;
    let gate = Gate::new();
    let numbers = Arc::new(Numbers::over(stores::HeldWrites(stores::memory(), gate.clone())));
    for number in 0..SESSIONS {
        numbers.create(&id(number), 1, HOUR).await;
    }
    let tasks: Vec<_> = (0..SESSIONS)
        .map(|number| {
            let numbers = Arc::clone(&numbers);
            tokio::spawn(async move { numbers.replace(&id(number), 2).await })
        })
        .collect();
    timeout(PATIENCE, gate.have_come(SESSIONS as usize)).await.expect("all of them are in the store");
    gate.let_go_on(SESSIONS as usize);
    for task in tasks {
        assert!(matches!(task.await.unwrap(), Replaced::Replaced(_)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_expired_and_was_not_swept_is_in_nobodys_way() {
    async fn check<S: SessionStore>(name: &str, store: S) {
        let numbers = Numbers::over(store);
        numbers.create(&id(0), 1, Duration::from_millis(1)).await;
        // Now the store itself takes it for expired as well: it still lies there, and cannot be read.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(matches!(numbers.create(&id(0), 2, HOUR).await, Created::Created(_)), "{name}");
        assert_eq!(numbers.load(&id(0)).await, Some(2), "{name}");
    }
    with_each_store!(check);
}

#[tokio::test]
async fn a_number_that_json_does_not_have_is_refused() {
    let store = TowerSessionsStore::new(stores::memory());
    let session = new_session(Some(f64::NAN), HOUR);
    assert!(matches!(store.create(key(&id(0)), session).await, Err(StoreError::Data(_))), "it would be read as none");
    let session = new_session((None::<String>, vec![f64::NAN]), HOUR);
    assert!(matches!(store.create(key(&id(1)), session).await, Err(StoreError::Data(_))));
}
