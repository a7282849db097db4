//! Changes are compare-and-swap: N parallel requests that each add one add N.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use session_runtime::store::{MemoryStore, Store};
use session_runtime::{SessionData, SessionError, SessionLayer, standard};

use crate::support::Client;
use crate::support::counting::Counting;
use crate::support::visit::{self, Visit, client, lazy, standard};
use crate::support::yielding::Yielding;

const REQUESTS: u64 = 200;

async fn add_in_parallel(mut client: Client) -> Client {
    client.post("/add").await;
    let tasks: Vec<_> = (0..REQUESTS)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { client.post("/add").await.status })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), StatusCode::OK);
    }
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_requests_that_each_add_one_add_all() {
    for (builder, _) in [lazy(), standard()] {
        let mut client = add_in_parallel(client(builder)).await;
        assert_eq!(client.get("/read").await.body, format!(" {}", REQUESTS + 1));
    }
}

fn lazy_over<S: Store<Visit>>(store: S) -> visit::Builder {
    let builder = SessionLayer::<Visit>::builder().default_data(Visit::default());
    builder.middleware(standard::lazy_session_middleware).store(store)
}

/// Changes that met a conflict wait in line: each asks the store once more, however many they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_is_lost_over_a_store_that_keeps_its_callers_waiting() {
    let store = Counting::new(Yielding::new(MemoryStore::new()));
    let mut client = add_in_parallel(visit::client(lazy_over(store.clone()))).await;
    let calls = store.take().len();
    assert!(calls < 4 * REQUESTS as usize, "{calls} calls for {REQUESTS} changes");
    assert_eq!(client.get("/read").await.body, format!(" {}", REQUESTS + 1));
}

/// One change a round trip is what compare-and-swap allows at most.
#[tokio::test(start_paused = true)]
async fn changes_of_one_session_at_once_take_one_round_trip_each() {
    let round_trip = Duration::from_millis(8);
    let store = Yielding::with_round_trip(MemoryStore::new(), round_trip);
    let client = visit::client(lazy_over(store));
    let start = tokio::time::Instant::now();
    let mut client = add_in_parallel(client).await;
    let others = 4; // the creation, the reads, the first change, and the one read of those that it left behind
    let limit = round_trip * (REQUESTS as u32 + others);
    assert!(start.elapsed() <= limit, "{:?} and not {limit:?}", start.elapsed());
    assert_eq!(client.get("/read").await.body, format!(" {}", REQUESTS + 1));
}

/// They stop waiting in line and try for themselves.
#[tokio::test(start_paused = true)]
async fn a_change_that_nobody_polls_holds_up_no_other_of_its_session() {
    let pause = visit::Pause::default();
    let pause_in_handler = pause.clone();
    let add_late = async move |session: SessionData<Visit>| -> Result<(), SessionError> {
        pause_in_handler.here().await;
        let mut change = Box::pin(session.update(|visit| visit.count += 1));
        // It meets a conflict, gets in line, and has not yet read the session anew.
        for _ in 0..4 {
            assert!(poll_once(&mut change).await.is_none());
        }
        pause_in_handler.here().await;
        change.await
    };
    let app = Router::new()
        .route("/add-late", post(add_late))
        .route("/add", post(async |session: SessionData<Visit>| visit::add(&session).await))
        .route("/read", post(async |session: SessionData<Visit>| session.count.to_string()))
        .layer(lazy_over(Yielding::new(MemoryStore::new())).build().unwrap());
    let mut client = Client::of(app);
    client.post("/add").await;
    let mut late = client.clone();
    let late = tokio::spawn(async move { late.post("/add-late").await.status });
    pause.arrived.notified().await;
    client.post("/add").await;
    pause.go_on.notify_one();
    pause.arrived.notified().await;
    assert_eq!(client.post("/add").await.status, StatusCode::OK);
    pause.go_on.notify_one();
    assert_eq!(late.await.unwrap(), StatusCode::OK);
    assert_eq!(client.post("/read").await.body, "4");
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|context| match Pin::new(&mut *future).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn parallel_changes_of_different_fields_are_all_kept() {
    let (builder, _) = lazy();
    let pause = visit::Pause::default();
    let mut client = Client::of(visit::router_with(builder, pause.clone()));
    client.post("/name/ada").await;
    let slow = client.clone();
    let slow = tokio::spawn(async move { slow.clone().post("/slow/add").await.status });
    pause.arrived.notified().await;
    client.post("/name/grace").await;
    pause.go_on.notify_one();
    assert_eq!(slow.await.unwrap(), StatusCode::OK);
    assert_eq!(client.get("/read").await.body, "grace 1");
}

/// A login that races a change keeps both, whichever comes first.
#[tokio::test]
async fn a_rotation_with_a_change_loses_no_update() {
    let pause = visit::Pause::default();
    let pause_in_handler = pause.clone();
    let runs = Arc::new(AtomicU32::new(0));
    let runs_in_handler = Arc::clone(&runs);
    let login = async move |session: SessionData<Visit>| -> Result<(), SessionError> {
        pause_in_handler.here().await;
        session
            .rotate_with(|visit| {
                runs_in_handler.fetch_add(1, Ordering::SeqCst);
                visit.name = "ada".to_owned();
            })
            .await
    };
    let (builder, _) = lazy();
    let app = Router::new()
        .route("/login", post(login))
        .route("/add", post(async |session: SessionData<Visit>| visit::add(&session).await))
        .route("/read", post(async |session: SessionData<Visit>| format!("{} {}", session.name, session.count)))
        .layer(builder.build().unwrap());
    let mut client = Client::of(app);
    client.post("/add").await;
    let mut slow = client.clone();
    let slow = tokio::spawn(async move {
        let status = slow.post("/login").await.status;
        (status, slow)
    });
    pause.arrived.notified().await;
    client.post("/add").await;
    pause.go_on.notify_one();
    let (status, mut logged_in) = slow.await.unwrap();
    assert_eq!(status, StatusCode::OK);
    assert_eq!(runs.load(Ordering::SeqCst), 2, "the closure runs again on the new data");
    assert_eq!(logged_in.post("/read").await.body, "ada 2");
}

/// Two tasks of one request that change a session which does not exist yet make one session with both changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_first_changes_of_one_request_make_one_session() {
    let store = Counting::new(Yielding::new(MemoryStore::new()));
    let app = Router::new()
        .route(
            "/both",
            post(async |session: SessionData<Visit>| -> Result<(), SessionError> {
                let (one, two) =
                    tokio::join!(session.update(|visit| visit.count += 1), session.update(|visit| visit.name.push('x')));
                one.and(two)
            }),
        )
        .route("/read", post(async |session: SessionData<Visit>| format!("{} {}", session.name, session.count)))
        .layer(
            SessionLayer::<Visit>::builder().middleware(standard::lazy_session_middleware).store(store.clone()).build().unwrap(),
        );
    let mut client = Client::of(app);
    assert_eq!(client.post("/both").await.status, StatusCode::OK);
    assert_eq!(store.take().iter().filter(|call| **call == "create").count(), 1);
    assert_eq!(client.post("/read").await.body, "x 1");
}

/// Where others change the session each time, the change gives up after `store_timeout`, and has written nothing.
#[tokio::test(start_paused = true)]
async fn endless_conflicts_end_in_409_with_nothing_written() {
    use session_runtime::store::*;

    struct AlwaysConflicting(MemoryStore<Visit>);
    impl Store<Visit> for AlwaysConflicting {
        async fn create(&self, key: Key<'_>, session: NewSession<Visit>) -> Result<Created, StoreError> {
            self.0.create(key, session).await
        }
        async fn load(&self, key: Key<'_>) -> Result<Loaded<Visit>, StoreError> {
            self.0.load(key).await
        }
        async fn replace(&self, _: Key<'_>, _: Version, _: Change<Visit>) -> Result<Replaced, StoreError> {
            Ok(Replaced::Conflict)
        }
        async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
            self.0.touch(key).await
        }
        async fn rotate(&self, _: Key<'_>, _: Key<'_>, _: Rotation<Visit>) -> Result<Rotated, StoreError> {
            Ok(Rotated::Conflict)
        }
        async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
            self.0.delete(key).await
        }
    }

    let (builder, _) = lazy();
    let builder = builder.store(AlwaysConflicting(MemoryStore::new())).store_timeout(Duration::from_millis(200));
    let mut client = visit::client(builder);
    client.post("/add").await;
    for path in ["/add", "/set/ada", "/rotate", "/login/ada"] {
        let start = tokio::time::Instant::now();
        assert_eq!(client.post(path).await.status, StatusCode::CONFLICT, "{path}");
        assert!((200..=205).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    }
    assert_eq!(client.get("/read").await.body, " 1");
}

/// Of concurrent replacements the last wins.
#[tokio::test]
async fn set_replaces_whichever_data_is_there() {
    let (builder, _) = lazy();
    let pause = visit::Pause::default();
    let mut client = Client::of(visit::router_with(builder, pause.clone()));
    client.post("/add").await;
    let mut slow = client.clone();
    let slow = tokio::spawn(async move { slow.post("/slow/set").await.status });
    pause.arrived.notified().await;
    client.post("/add").await;
    pause.go_on.notify_one();
    assert_eq!(slow.await.unwrap(), StatusCode::OK);
    assert_eq!(client.get("/read").await.body, "set 100");
}
