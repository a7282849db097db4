//! What cannot be seen from outside the store: memory, the sweep, the bound, the structure under random operations.

use std::sync::atomic::AtomicBool;
use std::sync::{LazyLock, Weak};
use std::time::Duration;

use tokio::time;

use super::*;
use crate::SessionId;
use crate::store::Namespace;

const HOUR: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(200);
/// An hour without the short time.
const ALMOST: Duration = Duration::from_millis(3_599_800);

static NAMESPACE: LazyLock<Namespace> = LazyLock::new(|| Namespace::new("sid"));

fn id(number: usize) -> SessionId {
    SessionId::parse(&format!("session-{number}")).unwrap()
}

fn key(id: &SessionId) -> Key<'_> {
    Key::new(&NAMESPACE, id)
}

fn visit<T>(data: T, idle: Duration) -> NewSession<T> {
    NewSession::new(Arc::new(data), Limits::new(idle, None), Origin::Visit)
}

/// As only a visit does.
fn create<T: Send + Sync + 'static>(store: &MemoryStore<T>, number: usize, data: T, idle: Duration) -> Created {
    try_create(store, number, visit(data, idle)).unwrap()
}

fn try_create<T: Send + Sync + 'static>(
    store: &MemoryStore<T>,
    number: usize,
    session: NewSession<T>,
) -> Result<Created, StoreError> {
    store.inner.create(key(&id(number)), session)
}

/// As a change does.
fn create_by_change(store: &MemoryStore<usize>, number: usize) -> Result<Created, StoreError> {
    try_create(store, number, NewSession::new(Arc::new(number), Limits::new(HOUR, None), Origin::Change))
}

fn found<T: Send + Sync + 'static>(store: &MemoryStore<T>, number: usize) -> Record<T> {
    let Loaded::Found(record) = store.inner.load(key(&id(number))) else { panic!("not there") };
    record
}

fn change(store: &MemoryStore<usize>, number: usize) {
    let replaced = store.inner.replace(key(&id(number)), found(store, number).version, Change::new(Arc::new(number)));
    assert!(matches!(replaced, Replaced::Replaced(_)));
}

fn rotate(store: &MemoryStore<usize>, from: usize, to: usize) {
    let rotated = store.inner.rotate(key(&id(from)), key(&id(to)), Rotation::new(found(store, from)));
    assert!(matches!(rotated, Rotated::Rotated(_)));
}

fn exists(store: &MemoryStore<usize>, number: usize) -> bool {
    matches!(store.inner.load(key(&id(number))), Loaded::Found(_))
}

fn record<T>(version: Version, data: T) -> Record<T> {
    Record::new(Arc::new(data), version, HOUR, HOUR, None, Duration::ZERO)
}

/// What a shard's lists say of each other.
fn assert_whole<T>(store: &MemoryStore<T>) {
    for shard in &store.inner.shards {
        shard.0.lock().unwrap().assert_whole();
    }
}

#[test]
fn a_slot_takes_one_cache_line() {
    assert_eq!(size_of::<Slot<String>>(), 64);
    assert!(size_of::<Padded<Mutex<Shard<String>>>>() <= 128);
}

#[tokio::test]
async fn expired_data_leaves_memory_by_itself() {
    let store = MemoryStore::new();
    let data = Arc::new(1);
    let kept: Weak<i32> = Arc::downgrade(&data);
    store.inner.create(key(&id(0)), NewSession::new(data, Limits::new(SHORT, None), Origin::Visit)).unwrap();
    time::sleep(Duration::from_secs(1)).await;
    assert_eq!((kept.strong_count(), store.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_short_limit_is_swept_in_time_beside_long_ones() {
    let store = MemoryStore::new();
    create(&store, 0, 0, 24 * HOUR);
    time::sleep(HOUR).await;
    create(&store, 1, 1, SHORT);
    time::sleep(Duration::from_secs(1)).await;
    assert_eq!(store.len(), 1);
    time::sleep(23 * HOUR + Duration::from_secs(31)).await;
    assert_eq!(store.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_renewed_session_is_swept_when_its_new_limit_is_over() {
    let store = MemoryStore::new();
    create(&store, 0, 0, HOUR);
    time::sleep(ALMOST).await;
    assert!(store.inner.touch(key(&id(0))));
    time::sleep(ALMOST).await;
    assert_eq!(store.len(), 1);
    time::sleep(SHORT + Duration::from_secs(31)).await;
    assert_eq!(store.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_lifetime_is_made_shorter_is_swept_in_time() {
    let store = MemoryStore::new();
    for number in 0..3 {
        create(&store, number, number, 24 * HOUR);
    }
    time::sleep(HOUR).await;
    let lifetime = Some(Box::new(NewLifetime::new(Limits::new(SHORT, None), None)));
    let shorter = Change { data: Arc::new(7), lifetime };
    let replaced = store.inner.replace(key(&id(1)), found(&store, 1).version, shorter);
    assert!(matches!(replaced, Replaced::Replaced(_)));
    assert_whole(&store);
    time::sleep(Duration::from_secs(1)).await;
    assert_eq!((store.len(), exists(&store, 0), exists(&store, 2)), (2, true, true));
    assert_whole(&store);
}

#[tokio::test(start_paused = true)]
async fn the_mark_of_a_rotation_leaves_memory_too() {
    let store = MemoryStore::new();
    let Created::Created(version) = create(&store, 0, 0, 24 * HOUR) else { panic!("taken") };
    let rotated = store.inner.rotate(key(&id(0)), key(&id(1)), Rotation::new(record(version, 1)));
    assert!(matches!(rotated, Rotated::Rotated(_)));
    assert_eq!(store.inner.counts.0.marks.load(Ordering::Relaxed), 1);
    time::sleep(ROTATION_MARK + Duration::from_secs(1)).await;
    assert_eq!(store.inner.counts.0.marks.load(Ordering::Relaxed), 0);
    assert_eq!(store.len(), 1);
}

#[test]
fn the_sweep_goes_on_in_the_next_runtime_when_one_ends() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let store = MemoryStore::new();
    create(&store, 0, 0, SHORT); // in no runtime at all
    runtime().block_on(async { create(&store, 1, 1, SHORT) });
    runtime().block_on(async {
        create(&store, 2, 2, SHORT);
        time::sleep(Duration::from_secs(1)).await;
    });
    assert_eq!(store.len(), 0);
}

#[test]
fn the_task_of_the_next_runtime_sweeps_what_an_earlier_one_left() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let store = MemoryStore::new();
    runtime().block_on(async { create(&store, 0, 0, SHORT) });
    create(&store, 1, 1, SHORT); // in no runtime at all
    runtime().block_on(async {
        create(&store, 2, 2, 24 * HOUR);
        time::sleep(Duration::from_secs(1)).await;
    });
    assert_eq!(store.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_created_outside_of_the_runtime_is_swept_by_its_task() {
    let store = MemoryStore::new();
    create(&store, 0, 0, 24 * HOUR);
    time::sleep(HOUR).await;
    std::thread::scope(|scope| scope.spawn(|| create(&store, 1, 1, SHORT)).join()).unwrap();
    time::sleep(Duration::from_secs(1)).await;
    assert_eq!(store.len(), 1);
}

#[tokio::test]
async fn a_panic_while_expired_data_is_dropped_ends_no_sweep() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let store = MemoryStore::new();
    for round in 0..2 {
        for number in 0..10 {
            create(&store, number, Bomb, SHORT);
        }
        // Each panic is reported, which takes as long as the machine takes.
        let begun = time::Instant::now();
        while !store.is_empty() && begun.elapsed() < Duration::from_secs(60) {
            time::sleep(Duration::from_millis(50)).await;
        }
        let left = store.len();
        if left > 0 {
            // Dropped while this test panics, they would abort it.
            std::mem::forget(store);
            panic!("round {round}: {left} are left");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_store() {
    let store = MemoryStore::new();
    create(&store, 0, 0, HOUR);
    tokio::task::yield_now().await;
    let sweeper = Arc::downgrade(&store.inner.sweeper);
    assert_eq!(sweeper.strong_count(), 2);
    drop(store);
    time::sleep(Duration::from_millis(1)).await;
    assert_eq!(sweeper.strong_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_store_drops_the_oldest_session_that_only_a_visit_created() {
    let store = MemoryStore::bounded(5);
    for number in 0..4 {
        create(&store, number, number, HOUR);
        // Shards are compared by the clock.
        time::advance(SHORT).await;
    }
    create_by_change(&store, 4).unwrap();
    change(&store, 0);
    rotate(&store, 1, 9);
    for number in 5..7 {
        create(&store, number, number, HOUR);
        time::advance(SHORT).await;
    }
    let left: Vec<_> = (0..10).filter(|&number| exists(&store, number)).collect();
    assert_eq!(left, [0, 4, 5, 6, 9]);
    assert_eq!(store.len(), 5);
    assert_whole(&store);
}

#[test]
fn a_flood_of_visits_takes_no_session_that_a_change_created() {
    let store = MemoryStore::bounded(100);
    for number in 0..10 {
        create_by_change(&store, number).unwrap();
    }
    for number in 10..5000 {
        create(&store, number, number, HOUR);
    }
    assert!((0..10).all(|number| exists(&store, number)));
    assert_eq!(store.len(), 100);
}

#[test]
fn a_flood_of_changes_is_refused_when_the_store_is_full_of_them() {
    let store = MemoryStore::bounded(100);
    for number in 0..50 {
        create(&store, number, number, HOUR);
    }
    for number in 50..150 {
        create_by_change(&store, number).unwrap();
    }
    for number in 150..160 {
        assert!(matches!(create_by_change(&store, number), Err(StoreError::Full)));
        assert!(matches!(try_create(&store, number, visit(number, HOUR)), Err(StoreError::Full)));
    }
    assert!((50..150).all(|number| exists(&store, number)));
}

#[tokio::test(start_paused = true)]
async fn a_session_tells_its_age_through_changes_and_rotations() {
    let store = MemoryStore::new();
    time::advance(SHORT).await;
    create(&store, 0, 0, HOUR);
    assert_eq!(found(&store, 0).age, Duration::ZERO);
    time::advance(SHORT).await;
    change(&store, 0);
    rotate(&store, 0, 1);
    time::advance(SHORT).await;
    // It is short by a nanosecond for each change.
    assert_eq!(found(&store, 1).age + Duration::from_nanos(2), 2 * SHORT);
}

/// The clock stands still, so that nothing but the versions tells the sessions apart.
#[tokio::test(start_paused = true)]
async fn a_version_of_a_session_that_is_gone_is_not_given_to_its_successor() {
    let store = MemoryStore::new();
    let mut versions = std::collections::HashSet::new();
    for _ in 0..10 {
        create(&store, 0, 0, HOUR);
        for _ in 0..10 {
            assert!(versions.insert(found(&store, 0).version));
            change(&store, 0);
        }
        assert!(versions.insert(found(&store, 0).version));
        assert!(store.inner.delete(key(&id(0))));
    }
    // The successor of one that came from another key.
    create(&store, 0, 0, HOUR);
    for _ in 0..100 {
        change(&store, 0);
    }
    rotate(&store, 0, 1);
    let moved = found(&store, 1).version;
    assert!(store.inner.delete(key(&id(1))));
    create(&store, 1, 1, HOUR);
    assert!(found(&store, 1).version > moved);
}

#[tokio::test(start_paused = true)]
async fn a_full_store_drops_what_expired_before_what_was_never_changed() {
    let store = MemoryStore::bounded(2);
    create(&store, 0, 0, HOUR);
    create(&store, 1, 1, SHORT);
    change(&store, 1);
    time::advance(SHORT).await;
    create(&store, 2, 2, HOUR);
    assert!(exists(&store, 0) && exists(&store, 2));
}

#[test]
fn a_store_full_of_changed_sessions_refuses_and_takes_one_again_when_another_goes() {
    let store = MemoryStore::bounded(2);
    for number in 0..2 {
        create(&store, number, number, HOUR);
        change(&store, number);
    }
    assert!(matches!(try_create(&store, 2, visit(2, HOUR)), Err(StoreError::Full)));
    assert!(matches!(try_create(&store, 1, visit(1, HOUR)), Ok(Created::Exists)));
    assert!(store.inner.delete(key(&id(0))));
    assert!(matches!(try_create(&store, 2, visit(2, HOUR)), Ok(Created::Created(_))));
    assert_eq!(store.len(), 2);
}

#[test]
fn a_taken_key_costs_a_full_store_no_session() {
    let store = MemoryStore::bounded(1);
    create(&store, 0, 0, HOUR);
    assert_eq!(create(&store, 0, 1, HOUR), Created::Exists);
    assert_eq!(store.len(), 1);
}

#[test]
fn a_full_store_still_rotates() {
    let store = MemoryStore::bounded(1);
    let mut versions = Vec::new();
    let Created::Created(version) = create(&store, 0, 0, HOUR) else { panic!("taken") };
    versions.push(version);
    for number in 0..10 {
        let rotated = store.inner.rotate(key(&id(number)), key(&id(number + 1)), Rotation::new(record(versions[number], number)));
        let Rotated::Rotated(version) = rotated else { panic!("{rotated:?}") };
        versions.push(version);
    }
    assert_eq!(store.len(), 1);
}

#[test]
fn a_flood_of_creations_stays_within_the_bound_on_all_threads() {
    let store = MemoryStore::bounded(1000);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..5000 {
                    create(store, thread * 5000 + number, number, HOUR);
                    assert!(store.len() <= 1000);
                }
            });
        }
    });
    let slots: usize = store.inner.shards.iter().map(|shard| shard.0.lock().unwrap().len()).sum();
    assert_eq!((slots, store.len()), (1000, 1000));
    assert_whole(&store);
}

type Step<T> = fn(&MemoryStore<T>, Key<'_>, Record<T>);

#[test]
fn rotations_between_two_shards_in_both_directions_do_not_wait_for_each_other() {
    let store = MemoryStore::unbounded();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                let base = thread * 100_000;
                let Created::Created(mut version) = create(store, base, 0, HOUR) else { panic!("taken") };
                for number in base..base + 5000 {
                    let rotated =
                        store.inner.rotate(key(&id(number)), key(&id(number + 1)), Rotation::new(record(version, number)));
                    let Rotated::Rotated(next) = rotated else { panic!("{rotated:?}") };
                    version = next;
                }
            });
        }
    });
    assert_eq!(store.len(), 4);
    assert_whole(&store);
}

#[test]
fn user_data_is_dropped_outside_the_lock() {
    struct Reenters(MemoryStore<Self>, Arc<AtomicBool>);
    impl Drop for Reenters {
        fn drop(&mut self) {
            // Would wait for itself if the shard were locked.
            self.0.inner.delete(key(&id(0)));
            self.1.store(true, Ordering::Relaxed);
        }
    }
    let store = MemoryStore::new();
    let fresh = |dropped: &Arc<AtomicBool>| Arc::new(Reenters(store.clone(), Arc::clone(dropped)));
    let steps: [Step<Reenters>; 3] = [
        |store, key, record| {
            assert!(matches!(store.inner.replace(key, record.version, Change::new(record.data)), Replaced::Replaced(_)));
        },
        |store, key, _| {
            assert!(store.inner.delete(key));
        },
        |store, from, record| {
            assert!(matches!(store.inner.rotate(from, key(&id(1)), Rotation::new(record)), Rotated::Rotated(_)));
        },
    ];
    for step in steps {
        let dropped = Arc::default();
        let session = NewSession::new(fresh(&dropped), Limits::new(HOUR, None), Origin::Visit);
        let Created::Created(version) = store.inner.create(key(&id(0)), session).unwrap() else { panic!("taken") };
        let record = Record::new(fresh(&Arc::default()), version, HOUR, HOUR, None, Duration::ZERO);
        step(&store, key(&id(0)), record);
        assert!(dropped.load(Ordering::Relaxed));
        store.inner.delete(key(&id(0)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_lists_stay_whole_through_random_operations() {
    let store = MemoryStore::bounded(300);
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    for step in 0..50_000 {
        let session = id(random(600));
        let at = key(&session);
        match random(7) {
            0 | 1 => {
                let limits = Limits::new(Duration::from_millis(1 + random(400) as u64), None);
                let origin = if random(4) == 0 { Origin::Change } else { Origin::Visit };
                store.inner.create(at, NewSession::new(Arc::new(step), limits, origin)).ok();
            }
            2 => {
                let Loaded::Found(record) = store.inner.load(at) else { continue };
                assert!(matches!(store.inner.replace(at, record.version, Change::new(Arc::new(step))), Replaced::Replaced(_)));
            }
            3 => {
                store.inner.touch(at);
            }
            4 => {
                store.inner.delete(at);
            }
            5 => {
                let Loaded::Found(record) = store.inner.load(at) else { continue };
                store.inner.rotate(at, key(&id(random(600))), Rotation::new(record));
            }
            _ => {
                time::advance(Duration::from_millis(random(10) as u64)).await;
                if random(50) == 0 {
                    store.sweep().await.unwrap();
                }
            }
        }
        if step % 100 == 0 {
            assert_whole(&store);
        }
    }
    time::advance(HOUR).await;
    store.sweep().await.unwrap();
    assert_eq!((store.len(), store.inner.counts.0.marks.load(Ordering::Relaxed)), (0, 0));
    assert!(store.inner.shards.iter().all(|shard| shard.0.lock().unwrap().len() == 0));
}

#[tokio::test(start_paused = true)]
async fn memory_is_given_back_when_most_sessions_expired() {
    let store = MemoryStore::bounded(100_000);
    for number in 0..100_000 {
        create(&store, number, number, if number % 100 == 0 { 24 * HOUR } else { HOUR });
    }
    let before: usize = store.inner.shards.iter().map(|shard| shard.0.lock().unwrap().capacity()).sum();
    time::sleep(2 * HOUR).await;
    let after: usize = store.inner.shards.iter().map(|shard| shard.0.lock().unwrap().capacity()).sum();
    assert_eq!(store.len(), 1000);
    assert!(before >= 100_000 && after < 10_000, "{before} {after}");
    assert_whole(&store);
}

/// What each owner has, in a model without locks.
#[derive(Default)]
struct Owned {
    /// By the number of the session: its owner and handle.
    sessions: std::collections::HashMap<usize, (u32, SessionHandle)>,
}

fn belonging(namespace: &Namespace, owner: Option<u32>) -> Option<Box<Belonging>> {
    owner.map(|owner| Box::new(Belonging::new(Owner::new(namespace, &owner))))
}

fn with_handle(handle: SessionHandle) -> Arc<Attributes> {
    Arc::new(Attributes { handle: Some(handle), ..Attributes::new() })
}

#[tokio::test(start_paused = true)]
async fn the_lists_of_owners_are_those_of_a_model_after_any_steps() {
    let namespace = Namespace::new("owners");
    let (store, mut model) = (MemoryStore::<usize>::bounded(100), Owned::default());
    let mut next = 0;
    for step in 0..20_000_u32 {
        let random = |below: usize| rand::random_range(0..below);
        let owner = Some(u32::try_from(random(5)).unwrap()).filter(|owner| *owner > 0);
        let handle = SessionHandle::random();
        let some = model.sessions.keys().copied().nth(random(model.sessions.len().max(1)));
        match (random(6), some) {
            (0 | 1, _) if model.sessions.len() < 40 => {
                let mut session = NewSession::new(Arc::new(next), Limits::new(HOUR, None), Origin::Change);
                session.owner = belonging(&namespace, owner);
                session.attributes = owner.map(|_| with_handle(handle));
                assert!(matches!(try_create(&store, next, session), Ok(Created::Created(_))));
                if let Some(owner) = owner {
                    model.sessions.insert(next, (owner, handle));
                } else {
                    assert!(store.inner.delete(key(&id(next))));
                }
                next += 1;
            }
            (2, Some(number)) => {
                let mut rotation = Rotation::new(found(&store, number));
                // The same owner, another one, or nobody.
                let (before, kept) = model.sessions.remove(&number).unwrap();
                let to = [Some((before, kept)), owner.map(|owner| (owner, handle)), None][random(3)];
                rotation.owner = belonging(&namespace, to.map(|(owner, _)| owner));
                rotation.session.attributes = to.map(|(_, handle)| with_handle(handle));
                let rotated = store.inner.rotate(key(&id(number)), key(&id(next)), rotation);
                assert!(matches!(rotated, Rotated::Rotated(_)), "{rotated:?}");
                if let Some(to) = to {
                    model.sessions.insert(next, to);
                } else {
                    assert!(store.inner.delete(key(&id(next))));
                }
                next += 1;
            }
            (3, Some(number)) => {
                change(&store, number);
                assert!(store.inner.touch(key(&id(number))));
            }
            (4, Some(number)) => {
                assert!(store.inner.delete(key(&id(number))));
                model.sessions.remove(&number);
            }
            (5, Some(number)) if step % 7 == 0 => {
                let (owner, handle) = model.sessions[&number];
                let which = [Which::One(handle), Which::Others(handle), Which::All][random(3)];
                let ended = Store::end(&store, &Owner::new(&namespace, &owner), which).await.unwrap();
                let before = model.sessions.len();
                model.sessions.retain(|_, (other, handle)| *other != owner || !which.has(*handle));
                assert_eq!(usize::try_from(ended).unwrap(), before - model.sessions.len());
            }
            _ => {}
        }
        if step % 50 == 0 {
            for owner in 1..5 {
                let listed = Store::list(&store, &Owner::new(&namespace, &owner)).await.unwrap();
                let mut listed: Vec<_> = listed.into_iter().map(|listed| listed.handle).collect();
                let mut wanted: Vec<_> =
                    model.sessions.values().filter(|(of, _)| *of == owner).map(|(_, handle)| *handle).collect();
                listed.sort_unstable();
                wanted.sort_unstable();
                assert_eq!(listed, wanted, "step {step}");
            }
            assert_whole(&store);
        }
    }
    assert_eq!(store.inner.owners.len(), model.sessions.len(), "no entry is left of what is gone");
}

#[tokio::test(start_paused = true)]
async fn what_expired_leaves_the_lists_of_its_owner() {
    let namespace = Namespace::new("owners");
    let store = MemoryStore::<usize>::new();
    for number in 0..100 {
        let mut session = NewSession::new(Arc::new(number), Limits::new(SHORT, None), Origin::Change);
        session.owner = belonging(&namespace, Some(7));
        session.attributes = Some(with_handle(SessionHandle::random()));
        assert!(matches!(try_create(&store, number, session), Ok(Created::Created(_))));
    }
    assert_eq!(store.inner.owners.len(), 100);
    time::sleep(HOUR).await;
    assert_eq!((store.len(), store.inner.owners.len()), (0, 0));
}
