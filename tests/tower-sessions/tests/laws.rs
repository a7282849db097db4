//! The laws, by the operations of a store, in one process.

use std::sync::Arc;
use std::time::Duration;

use session_runtime::SessionId;
use session_runtime::store::{
    Created, Key, Limits, Loaded, NewSession, Record, Replaced, Rotated, Store, TowerSessionsStore, Version,
};
use tower_sessions::SessionStore;

mod stores;

const HOUR: Duration = Duration::from_secs(3600);

/// What the tests keep.
type Data = serde_json::Value;

fn id(name: &str) -> SessionId {
    SessionId::parse(&format!("{name}-{}", "x".repeat(40))).unwrap()
}

fn data(value: impl Into<Data>) -> Arc<Data> {
    Arc::new(value.into())
}

fn hour() -> Limits {
    Limits::new(HOUR, None)
}

/// A store with a short hand.
struct Hand<S>(TowerSessionsStore<S>);

impl<S: SessionStore> Hand<S> {
    fn over(store: S) -> Self {
        Self(TowerSessionsStore::new(store))
    }

    async fn create(&self, id: &SessionId, value: impl Into<Data>, limits: Limits) -> Created {
        self.0.create(Key::of(id), NewSession::new(data(value), limits)).await.unwrap()
    }

    async fn load(&self, id: &SessionId) -> Loaded<Data> {
        self.0.load(Key::of(id)).await.unwrap()
    }

    async fn record(&self, id: &SessionId) -> Record<Data> {
        match self.load(id).await {
            Loaded::Found(record) => record,
            other => panic!("{other:?}"),
        }
    }

    async fn is_missing(&self, id: &SessionId) -> bool {
        matches!(self.load(id).await, Loaded::Missing)
    }

    async fn replace(&self, id: &SessionId, expected: Option<Version>, value: impl Into<Data>) -> Replaced {
        self.0.replace(Key::of(id), expected, data(value)).await.unwrap()
    }

    async fn touch(&self, id: &SessionId) -> bool {
        Store::<Data>::touch(&self.0, Key::of(id)).await.unwrap()
    }

    async fn rotate(&self, old: &SessionId, new: &SessionId, session: Record<Data>) -> Rotated {
        self.0.rotate(Key::of(old), Key::of(new), session).await.unwrap()
    }

    async fn delete(&self, id: &SessionId) -> bool {
        Store::<Data>::delete(&self.0, Key::of(id)).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_changes_lose_none() {
    async fn check<S: SessionStore>(name: &str, store: S) {
        let hand = Arc::new(Hand::over(store));
        hand.create(&id("a"), 0, hour()).await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let hand = Arc::clone(&hand);
                tokio::spawn(async move {
                    for _ in 0..50 {
                        loop {
                            let record = hand.record(&id("a")).await;
                            let next = record.data.as_u64().unwrap() + 1;
                            if let Replaced::Replaced(_) = hand.replace(&id("a"), Some(record.version), next).await {
                                break;
                            }
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*hand.record(&id("a")).await.data, 400, "{name}");
    }
    with_each_store!(check);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creating_never_overwrites() {
    async fn check<S: SessionStore>(name: &str, store: S) {
        let hand = Arc::new(Hand::over(store));
        assert!(matches!(hand.create(&id("a"), 1, hour()).await, Created::Created(_)), "{name}");
        assert_eq!(hand.create(&id("a"), 2, hour()).await, Created::Exists, "{name}");
        assert_eq!(*hand.record(&id("a")).await.data, 1, "{name}");
        let tasks: Vec<_> = (0..10)
            .map(|number| {
                let hand = Arc::clone(&hand);
                tokio::spawn(async move { hand.create(&id("b"), number, hour()).await != Created::Exists })
            })
            .collect();
        let mut created = 0;
        for task in tasks {
            created += usize::from(task.await.unwrap());
        }
        assert_eq!(created, 1, "{name}");
    }
    with_each_store!(check);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_version_is_a_conflict_and_what_is_gone_stays_gone() {
    async fn check<S: SessionStore>(name: &str, store: S) {
        let hand = Hand::over(store);
        let Created::Created(first) = hand.create(&id("a"), 1, hour()).await else { panic!("{name}") };
        let Replaced::Replaced(second) = hand.replace(&id("a"), Some(first), 2).await else { panic!("{name}") };
        assert_ne!(first, second, "{name}");
        assert_eq!(hand.replace(&id("a"), Some(first), 3).await, Replaced::Conflict, "{name}");
        assert!(hand.touch(&id("a")).await, "{name}");
        assert_eq!(hand.record(&id("a")).await.version, second, "{name}: a touch is no change");
        let record = hand.record(&id("a")).await;
        assert!(hand.delete(&id("a")).await, "{name}");
        assert!(!hand.delete(&id("a")).await, "{name}: nothing more to delete");
        assert_eq!(hand.replace(&id("a"), Some(second), 4).await, Replaced::Missing, "{name}");
        assert_eq!(hand.replace(&id("a"), None, 4).await, Replaced::Missing, "{name}");
        assert!(!hand.touch(&id("a")).await, "{name}");
        assert_eq!(hand.rotate(&id("a"), &id("b"), record).await, Rotated::Missing, "{name}");
        assert!(hand.is_missing(&id("a")).await && hand.is_missing(&id("b")).await, "{name}");
    }
    with_each_store!(check);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_moves_the_session_and_leaves_a_mark() {
    async fn check<S: SessionStore>(name: &str, store: S) {
        let hand = Hand::over(store);
        hand.create(&id("a"), 1, Limits::new(HOUR, Some(2 * HOUR))).await;
        hand.create(&id("taken"), 9, hour()).await;
        let stale = hand.record(&id("a")).await;
        hand.replace(&id("a"), None, 2).await;
        assert_eq!(hand.rotate(&id("a"), &id("b"), stale).await, Rotated::Conflict, "{name}");
        let record = hand.record(&id("a")).await;
        assert_eq!(hand.rotate(&id("a"), &id("taken"), record.clone()).await, Rotated::Exists, "{name}");
        assert_eq!(*hand.record(&id("taken")).await.data, 9, "{name}");
        let mut login = record;
        login.data = data("logged in");
        assert!(matches!(hand.rotate(&id("a"), &id("b"), login).await, Rotated::Rotated(_)), "{name}");
        assert!(matches!(hand.load(&id("a")).await, Loaded::JustRotated), "{name}");
        let moved = hand.record(&id("b")).await;
        assert_eq!(*moved.data, "logged in", "{name}");
        assert!(moved.absolute_in.is_some_and(|left| left > HOUR && left <= 2 * HOUR), "{name}");
        assert!(!hand.delete(&id("a")).await, "{name}: the mark is no session");
        assert_eq!(hand.replace(&id("a"), None, 3).await, Replaced::Missing, "{name}");
        assert_eq!(hand.create(&id("a"), 3, hour()).await, Created::Exists, "{name}: the mark stays");
    }
    with_each_store!(check);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_rotations_at_once_one_succeeds() {
    async fn check<S: SessionStore>(name: &str, store: S) {
        let hand = Arc::new(Hand::over(store));
        hand.create(&id("a"), 1, hour()).await;
        let record = hand.record(&id("a")).await;
        let tasks: Vec<_> = (0..10)
            .map(|number| {
                let (hand, record) = (Arc::clone(&hand), record.clone());
                tokio::spawn(async move { hand.rotate(&id("a"), &id(&format!("new{number}")), record).await })
            })
            .collect();
        let mut rotated = 0;
        for task in tasks {
            rotated += usize::from(matches!(task.await.unwrap(), Rotated::Rotated(_)));
        }
        let mut alive = 0;
        for number in 0..10 {
            alive += usize::from(!hand.is_missing(&id(&format!("new{number}"))).await);
        }
        assert_eq!((rotated, alive), (1, 1), "{name}");
    }
    with_each_store!(check);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_end_a_session_on_the_millisecond_and_make_room() {
    async fn check<S: SessionStore>(name: &str, store: S) {
        let hand = Hand::over(store);
        hand.create(&id("idle"), 1, Limits::new(Duration::from_secs(1), None)).await;
        hand.create(&id("absolute"), 1, Limits::new(HOUR, Some(Duration::from_secs(3)))).await;
        hand.create(&id("huge"), 1, Limits::new(Duration::MAX, Some(Duration::MAX))).await;
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            assert!(hand.touch(&id("idle")).await, "{name}: used in time");
        }
        let left = hand.record(&id("absolute")).await.expires_in;
        assert!(left <= Duration::from_millis(1400), "{name}: {left:?}");
        tokio::time::sleep(left).await;
        assert!(hand.is_missing(&id("absolute")).await, "{name}: at its instant it is over");
        assert!(hand.is_missing(&id("idle")).await, "{name}");
        assert!(!hand.touch(&id("idle")).await, "{name}");
        assert_eq!(hand.replace(&id("idle"), None, 2).await, Replaced::Missing, "{name}");
        assert!(matches!(hand.create(&id("idle"), 3, hour()).await, Created::Created(_)), "{name}: its place is free");
        assert_eq!(*hand.record(&id("idle")).await.data, 3, "{name}");
        assert_eq!(*hand.record(&id("huge")).await.data, 1, "{name}");
        // Seconds later the store itself takes the record for expired, which still lies there.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(matches!(hand.create(&id("absolute"), 4, hour()).await, Created::Created(_)), "{name}: its place is free");
        assert_eq!(*hand.record(&id("absolute")).await.data, 4, "{name}");
    }
    with_each_store!(check);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_come_back_as_they_were() {
    async fn check<S: SessionStore>(name: &str, store: S) {
        let hand = Hand::over(store);
        let values = [
            Data::Null,
            serde_json::json!({"session_runtime": {"rotated": true}, "session": [0.1, -0.0, 1e300, u64::MAX, i64::MIN]}),
            serde_json::json!("\0\u{1f980}\"'\\;--"),
            serde_json::json!("x".repeat(1 << 20)),
        ];
        for (number, value) in values.into_iter().enumerate() {
            let id = id(&format!("value{number}"));
            hand.create(&id, value.clone(), hour()).await;
            assert_eq!(*hand.record(&id).await.data, value, "{name}");
            hand.replace(&id, None, value.clone()).await;
            assert_eq!(*hand.record(&id).await.data, value, "{name}");
        }
    }
    with_each_store!(check);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_its_caller_gave_up_does_not_come_after_a_deletion() {
    async fn check<S: SessionStore + Clone>(name: &str, store: S) {
        let hand = Hand::over(stores::SlowToWrite(store, Duration::from_millis(100)));
        for number in 0..5 {
            let id = id(&format!("given-up{number}"));
            hand.create(&id, 1, hour()).await;
            let change = tokio::time::timeout(Duration::from_millis(30), hand.replace(&id, None, 2)).await;
            assert!(change.is_err(), "{name}: it is under way");
            assert!(hand.delete(&id).await, "{name}");
            tokio::time::sleep(Duration::from_millis(150)).await;
            assert!(hand.is_missing(&id).await, "{name}: it is back");
        }
    }
    with_each_store!(check);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_slow_to_write_holds_up_no_other() {
    let hand = Arc::new(Hand::over(stores::SlowToWrite(stores::memory(), Duration::from_millis(300))));
    for number in 0..200 {
        hand.create(&id(&number.to_string()), 1, hour()).await;
    }
    let start = std::time::Instant::now();
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let hand = Arc::clone(&hand);
            tokio::spawn(async move { hand.replace(&id(&number.to_string()), None, 2).await })
        })
        .collect();
    for task in tasks {
        assert!(matches!(task.await.unwrap(), Replaced::Replaced(_)));
    }
    assert!(start.elapsed() < Duration::from_secs(2), "one after the other they take 60 s: {:?}", start.elapsed());
}
