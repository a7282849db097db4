//! Expiry is the server's: idle and absolute limits hold whatever the cookie says.

use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::advance;

use crate::support::visit::{client, lazy, standard};

#[tokio::test(start_paused = true)]
async fn a_session_expires_at_the_very_instant_of_its_idle_limit() {
    for limit in [Duration::from_millis(300), Duration::from_secs(90)] {
        let (builder, _) = lazy();
        let mut client = client(builder.session_expire(limit));
        client.post("/add").await;
        advance(limit - Duration::from_millis(1)).await;
        assert_eq!(client.get("/read").await.body, " 1", "1 ms before {limit:?}");
        advance(limit).await;
        assert_eq!(client.get("/read").await.body, " 0", "at {limit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn reading_counts_as_use() {
    for (builder, _) in [lazy(), standard()] {
        let mut client = client(builder.session_expire(100_u64));
        client.post("/add").await;
        for _ in 0..10 {
            advance(Duration::from_secs(60)).await;
            assert_eq!(client.get("/read").await.body, " 1");
        }
        advance(Duration::from_secs(100)).await;
        assert_ne!(client.get("/read").await.body, " 1");
    }
}

/// Requests that are too close together for a touch do not add up to an expiry.
#[tokio::test(start_paused = true)]
async fn a_throttled_touch_does_not_let_a_used_session_expire() {
    let (builder, _) = lazy();
    let mut client = client(builder.session_expire(100_u64));
    client.post("/add").await;
    for _ in 0..100 {
        advance(Duration::from_secs(7)).await;
        assert_eq!(client.get("/read").await.body, " 1");
    }
}

#[tokio::test(start_paused = true)]
async fn the_absolute_limit_holds_through_use_change_and_rotation() {
    for path in ["/add", "/rotate", "/login/ada", "/set/ada"] {
        let (builder, _) = lazy();
        let mut client = client(builder.session_expire(100_u64).absolute_expire(1000_u64));
        client.post("/add").await;
        for _ in 0..19 {
            advance(Duration::from_secs(50)).await;
            assert_eq!(client.post(path).await.status, StatusCode::OK);
        }
        advance(Duration::from_secs(49)).await;
        assert_ne!(client.get("/read").await.body, " 0", "{path}: 1 s before the limit");
        advance(Duration::from_secs(1)).await;
        assert_eq!(client.get("/read").await.body, " 0", "{path}: at the limit");
    }
}

#[tokio::test(start_paused = true)]
async fn an_expired_session_is_not_revived_by_a_change_under_way() {
    let (builder, _) = lazy();
    let pause = crate::support::visit::Pause::default();
    let mut client =
        crate::support::Client::of(crate::support::visit::router_with(builder.session_expire(100_u64), pause.clone()));
    for path in ["/slow/add", "/slow/set", "/slow/rotate"] {
        client.post("/add").await;
        let mut slow = client.clone();
        let slow = tokio::spawn(async move { slow.post(path).await });
        pause.arrived.notified().await;
        advance(Duration::from_secs(100)).await;
        pause.go_on.notify_one();
        let answer = slow.await.unwrap();
        assert_eq!((answer.status, answer.set_cookie()), (StatusCode::UNAUTHORIZED, None), "{path}");
        assert_eq!(client.get("/read").await.body, " 0", "{path}");
    }
}

#[tokio::test]
async fn huge_durations_saturate() {
    let (builder, _) = lazy();
    let builder = builder.session_expire(Duration::MAX).absolute_expire(Duration::MAX).persistent(true);
    let mut client = client(builder);
    let answer = client.post("/add").await;
    assert!(answer.set_cookie().unwrap().ends_with("; Max-Age=34560000"), "{:?}", answer.set_cookie());
    assert_eq!(client.post("/add").await.body, "2");
    assert_eq!(client.post("/rotate").await.status, StatusCode::OK);
    assert_eq!(client.get("/read").await.body, " 2");
}

#[tokio::test(start_paused = true)]
async fn a_persistent_cookie_moves_with_the_session() {
    let (builder, store) = lazy();
    let mut client = client(builder.session_expire(1000_u64).persistent(true));
    assert!(client.post("/add").await.set_cookie().unwrap().ends_with("; Max-Age=1000"));
    advance(Duration::from_secs(50)).await;
    assert_eq!(client.get("/read").await.set_cookie(), None, "no touch is due");
    advance(Duration::from_secs(50)).await;
    store.take();
    let answer = client.get("/read").await;
    assert!(answer.set_cookie().unwrap().ends_with("; Max-Age=1000"));
    assert_eq!(store.take(), ["load", "touch"]);
    // A change renews the session, so the cookie moves with it.
    advance(Duration::from_secs(50)).await;
    assert!(client.post("/add").await.set_cookie().unwrap().ends_with("; Max-Age=1000"));
}

#[tokio::test(start_paused = true)]
async fn the_cookie_of_a_session_near_its_absolute_limit_does_not_outlive_it() {
    let (builder, _) = lazy();
    let mut client = client(builder.session_expire(100_u64).absolute_expire(150_u64).persistent(true));
    assert!(client.post("/add").await.set_cookie().unwrap().ends_with("; Max-Age=100"));
    advance(Duration::from_secs(90)).await;
    assert!(client.get("/read").await.set_cookie().unwrap().ends_with("; Max-Age=60"));
    assert!(client.post("/rotate").await.set_cookie().unwrap().ends_with("; Max-Age=60"));
}

#[tokio::test(start_paused = true)]
async fn expired_sessions_leave_memory_by_themselves() {
    let limit = Duration::from_secs(3600);
    let (builder, store) = lazy();
    let client = client(builder.session_expire(limit));
    for _ in 0..100 {
        client.clone().post("/add").await;
    }
    advance(limit - Duration::from_secs(1)).await;
    assert_eq!(store.store.len(), 100);
    advance(Duration::from_secs(1)).await;
    // The docs promise half a minute. Nothing else wakes the task that sweeps: the time that passes meanwhile is its own.
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert!(store.store.is_empty(), "{} sessions are still in memory", store.store.len());
}

/// Another deployment: nodes with the old limits and with the new ones may serve one session in turn.
#[tokio::test(start_paused = true)]
async fn a_session_keeps_the_limits_that_it_was_created_with_when_the_layers_change() {
    use std::sync::Arc;

    use session_runtime::SessionLayer;
    use session_runtime::store::MemoryStore;

    use crate::support::visit::Visit;

    const HOUR: Duration = Duration::from_secs(60 * 60);
    let store = Arc::new(MemoryStore::<Visit>::new());
    let node = |idle| {
        client(SessionLayer::<Visit>::builder().default_data(Visit::default()).store(Arc::clone(&store)).session_expire(idle))
    };
    let mut old = node(2 * HOUR);
    old.post("/add").await;
    let mut new = node(HOUR).with_cookie(old.cookie.clone().unwrap());
    new.post("/add").await;
    advance(HOUR + HOUR / 2).await;
    assert_eq!(new.get("/read").await.body, " 2");
    advance(2 * HOUR).await;
    assert_eq!(new.get("/read").await.body, " 0");
    let answer = new.post("/add").await;
    assert_eq!(answer.body, "1");
    advance(HOUR).await;
    assert_eq!(new.get("/read").await.body, " 0");
}
