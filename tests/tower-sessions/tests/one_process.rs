//! What one process keeps beyond the conformance kit: calls that are given up, slow ones, and what expired long ago.

use std::sync::Arc;
use std::time::Duration;

use session_runtime::SessionId;
use session_runtime::store::{Created, Key, Limits, Loaded, NewSession, Replaced, Store, TowerSessionsStore};
use tower_sessions::SessionStore;

mod stores;

const HOUR: Duration = Duration::from_secs(3600);

fn id(number: u32) -> SessionId {
    SessionId::parse(&format!("{number:064}-x")).unwrap()
}

/// A store of numbers.
struct Numbers<S>(TowerSessionsStore<S>);

impl<S: SessionStore> Numbers<S> {
    fn over(store: S) -> Self {
        Self(TowerSessionsStore::new(store))
    }

    async fn create(&self, id: &SessionId, number: u32, idle: Duration) -> Created {
        self.0.create(Key::of(id), NewSession::new(Arc::new(number), Limits::new(idle, None))).await.unwrap()
    }

    async fn load(&self, id: &SessionId) -> Option<u32> {
        match self.0.load(Key::of(id)).await.unwrap() {
            Loaded::Found(record) => Some(*record.data),
            _ => None,
        }
    }

    async fn replace(&self, id: &SessionId, number: u32) -> Replaced {
        self.0.replace(Key::of(id), None, Arc::new(number)).await.unwrap()
    }

    async fn delete(&self, id: &SessionId) -> bool {
        Store::<u32>::delete(&self.0, Key::of(id)).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_its_caller_gave_up_does_not_come_after_a_deletion() {
    async fn check<S: SessionStore + Clone>(name: &str, store: S) {
        let numbers = Numbers::over(stores::SlowToWrite(store, Duration::from_millis(100)));
        for number in 0..5 {
            let id = id(number);
            numbers.create(&id, 1, HOUR).await;
            let change = tokio::time::timeout(Duration::from_millis(30), numbers.replace(&id, 2)).await;
            assert!(change.is_err(), "{name}: it is under way");
            assert!(numbers.delete(&id).await, "{name}");
            tokio::time::sleep(Duration::from_millis(150)).await;
            assert_eq!(numbers.load(&id).await, None, "{name}: it is back");
        }
    }
    with_each_store!(check);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_slow_to_write_holds_up_no_other() {
    let numbers = Arc::new(Numbers::over(stores::SlowToWrite(stores::memory(), Duration::from_millis(300))));
    for number in 0..200 {
        numbers.create(&id(number), 1, HOUR).await;
    }
    let start = std::time::Instant::now();
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let numbers = Arc::clone(&numbers);
            tokio::spawn(async move { numbers.replace(&id(number), 2).await })
        })
        .collect();
    for task in tasks {
        assert!(matches!(task.await.unwrap(), Replaced::Replaced(_)));
    }
    assert!(start.elapsed() < Duration::from_secs(2), "one after the other they take 60 s: {:?}", start.elapsed());
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
