//! The memory store is bounded: a flood of visitors without cookies does not exhaust memory, nor push out sessions in use.

use axum::http::StatusCode;
use session_runtime::store::MemoryStore;
use session_runtime::{SessionLayer, standard};
use std::sync::Arc;

use crate::support::Client;
use crate::support::visit::{Visit, router};

const BOUND: usize = 100;

fn client() -> (Client, Arc<MemoryStore<Visit>>) {
    let store = Arc::new(MemoryStore::bounded(BOUND));
    let builder = SessionLayer::<Visit>::builder().default_data(Visit::default()).store(Arc::clone(&store));
    (Client::of(router(builder)), store)
}

#[tokio::test]
async fn sessions_that_were_never_changed_go_first() {
    let (visitor, store) = client();
    let mut users: Vec<_> = (0..BOUND / 2).map(|_| visitor.clone()).collect();
    for user in &mut users {
        user.post("/add").await;
    }
    for _ in 0..BOUND * 10 {
        assert_eq!(visitor.clone().get("/untouched").await.status, StatusCode::OK);
        assert!(store.len() <= BOUND);
    }
    for user in &mut users {
        assert_eq!(user.get("/read").await.body, " 1");
    }
}

/// A router whose sessions changes create, and one whose sessions visits create, in one store.
fn changes_and_visits() -> (Client, Client, Arc<MemoryStore<Visit>>) {
    let (visitor, store) = client();
    let builder = SessionLayer::<Visit>::builder().default_data(Visit::default()).store(Arc::clone(&store));
    (Client::of(router(builder.middleware(standard::lazy_session_middleware))), visitor, store)
}

#[tokio::test]
async fn a_session_that_a_change_created_outlives_a_flood_of_visits() {
    let (user, visitor, store) = changes_and_visits();
    let mut users: Vec<_> = (0..BOUND / 2).map(|_| user.clone()).collect();
    for (number, user) in users.iter_mut().enumerate() {
        let path = ["/add", "/set/ada", "/login/ada"][number % 3];
        assert_eq!(user.post(path).await.status, StatusCode::OK);
    }
    for _ in 0..BOUND * 10 {
        assert_eq!(visitor.clone().get("/untouched").await.status, StatusCode::OK);
        assert!(store.len() <= BOUND);
    }
    for (number, user) in users.iter_mut().enumerate() {
        assert_eq!(user.get("/read").await.body, [" 1", "ada 0", "ada 0"][number % 3]);
    }
}

#[tokio::test]
async fn a_flood_of_changes_takes_the_place_of_visits_alone() {
    let (user, visitor, store) = changes_and_visits();
    for _ in 0..BOUND {
        visitor.clone().get("/untouched").await;
    }
    let mut users: Vec<_> = (0..BOUND).map(|_| user.clone()).collect();
    for user in &mut users {
        assert_eq!(user.post("/set/ada").await.status, StatusCode::OK);
    }
    assert_eq!(user.clone().post("/set/ada").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(visitor.clone().get("/untouched").await.status, StatusCode::SERVICE_UNAVAILABLE);
    for user in &mut users {
        assert_eq!(user.get("/read").await.body, "ada 0");
    }
    assert_eq!(store.len(), BOUND);
}

#[tokio::test]
async fn where_all_sessions_are_in_use_creating_answers_503() {
    let (visitor, store) = client();
    let mut users: Vec<_> = (0..BOUND).map(|_| visitor.clone()).collect();
    for user in &mut users {
        assert_eq!(user.post("/add").await.status, StatusCode::OK);
    }
    let answer = visitor.clone().post("/add").await;
    assert_eq!((answer.status, answer.set_cookie()), (StatusCode::SERVICE_UNAVAILABLE, None));
    assert!(answer.body.contains("full"), "{}", answer.body);
    for user in &mut users {
        assert_eq!(user.post("/add").await.body, "2");
    }
    users[0].post("/logout").await;
    assert_eq!(visitor.clone().post("/add").await.status, StatusCode::OK);
    assert_eq!(store.len(), BOUND);
}
