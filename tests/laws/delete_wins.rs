//! Nothing that was in flight brings a destroyed session back.

use axum::http::StatusCode;
use axum::http::request::Parts;

use session_runtime::SessionRequestExt;

use crate::support::Client;
use crate::support::visit::{Builder, Pause, client, lazy, router_with, standard};

/// A slow request of each kind is under way while the user logs out.
#[tokio::test]
async fn a_destroyed_session_stays_destroyed() {
    for (name, make) in [("lazy", lazy as fn() -> _), ("standard", standard)] {
        for slow_path in ["/slow/add", "/slow/set", "/slow/rotate"] {
            let (builder, store) = make();
            let pause = Pause::default();
            let mut client = Client::of(router_with(builder, pause.clone()));
            client.post("/add").await;
            let before_logout = client.clone();

            let mut slow = client.clone();
            let slow = tokio::spawn(async move { slow.post(slow_path).await });
            pause.arrived.notified().await;
            assert_eq!(client.post("/logout").await.status, StatusCode::OK);
            assert_eq!(client.cookie, None, "the logout removes the cookie");
            pause.go_on.notify_one();

            let answer = slow.await.unwrap();
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name} {slow_path}");
            assert!(answer.headers.contains_key("www-authenticate"));
            assert_eq!(answer.set_cookie(), None, "{name} {slow_path}");
            assert_eq!(store.store.len(), 0, "{name} {slow_path}");
            assert_eq!(before_logout.clone().get("/read").await.body, " 0");
        }
    }
}

#[tokio::test]
async fn after_a_logout_the_old_cookie_gets_a_session_under_another_id() {
    let (builder, _) = lazy();
    let mut client = client(builder);
    let old = client.post("/add").await.id().unwrap().to_owned();
    let mut kept = client.clone();
    client.post("/logout").await;
    let new = kept.post("/add").await;
    assert_eq!(new.body, "1");
    assert_ne!(new.id().unwrap(), old);
}

#[tokio::test]
async fn changes_after_destroy_in_one_request_answer_not_exists() {
    use crate::support::visit::Visit;
    use axum::Router;
    use axum::routing::post;
    use session_runtime::{SessionData, SessionError};

    for (builder, store) in [lazy(), standard()] {
        let app = Router::new()
            .route("/add", post(async |session: SessionData<Visit>| crate::support::visit::add(&session).await))
            .route(
                "/end",
                post(async |session: SessionData<Visit>| {
                    session.destroy().await.unwrap();
                    let update = session.update(|visit| visit.count += 1).await;
                    let set = session.set(Visit::default()).await;
                    let rotate = session.rotate().await;
                    let login = session.rotate_with(|visit| visit.count += 1).await;
                    for result in [update, set, rotate, login] {
                        assert!(matches!(result, Err(SessionError::NotExists)), "{result:?}");
                    }
                    assert_eq!(session.session_id(), None);
                    session.destroy().await.unwrap();
                }),
            )
            .layer(builder.build().unwrap());
        let mut client = Client::of(app);
        client.post("/add").await;
        let answer = client.post("/end").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.set_cookie().unwrap().contains("Max-Age=0"));
        assert_eq!(store.store.len(), 0);
    }
}

#[tokio::test]
async fn a_logout_that_fails_leaves_the_session_and_says_so() {
    let (builder, store) = lazy();
    let pause = Pause::default();
    let mut client = Client::of(router_with(builder, pause.clone()));
    client.post("/add").await;
    let mut slow = client.clone();
    let slow = tokio::spawn(async move { slow.post("/slow/logout").await });
    pause.arrived.notified().await;
    store.set_down(true);
    pause.go_on.notify_one();
    let answer = slow.await.unwrap();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.set_cookie(), None);
    store.set_down(false);
    assert_eq!(client.get("/read").await.body, " 1");
}

/// A logout under an id that another request has just rotated away does not end the session, so it does not say that it did.
#[tokio::test]
async fn a_logout_that_a_rotation_overtakes_says_so() {
    let (builder, store) = lazy();
    let pause = Pause::default();
    let mut client = Client::of(router_with(builder, pause.clone()));
    client.post("/add").await;
    let mut slow = client.clone();
    let slow = tokio::spawn(async move { slow.post("/slow/logout").await });
    pause.arrived.notified().await;
    client.post("/rotate").await;
    pause.go_on.notify_one();
    let answer = slow.await.unwrap();
    assert_eq!((answer.status, answer.set_cookie()), (StatusCode::CONFLICT, None));
    assert_eq!(client.post("/logout").await.status, StatusCode::OK);
    assert!(store.store.is_empty());
}

/// A logout that finds the session gone already has nothing left to do.
#[tokio::test]
async fn two_parallel_logouts_both_succeed() {
    let (builder, store) = lazy();
    let pause = Pause::default();
    let mut client = Client::of(router_with(builder, pause.clone()));
    client.post("/add").await;
    let mut slow = client.clone();
    let slow = tokio::spawn(async move { slow.post("/slow/logout").await });
    pause.arrived.notified().await;
    client.post("/logout").await;
    pause.go_on.notify_one();
    assert_eq!(slow.await.unwrap().status, StatusCode::OK);
    assert!(store.store.is_empty());
}

/// Whoever logs out means it, and the browser would send the cookie for ever.
#[tokio::test]
async fn a_logout_removes_the_cookie_also_of_a_session_that_is_gone() {
    let by_callback =
        |builder: Builder| builder.session_id_callback(|request: &Parts| request.cookie("SESSION_ID").map(str::to_owned));
    for (is_by_callback, (builder, store)) in [(false, lazy()), (false, standard()), (true, lazy()), (true, standard())] {
        let mut client = client(if is_by_callback { by_callback(builder) } else { builder });
        client.post("/add").await;
        let other = client.clone();
        client.post("/logout").await;
        let cookie = other.cookie.clone().unwrap();
        for cookies in [cookie.clone(), format!("{cookie}; SESSION_ID=planted")] {
            let answer = other.with_cookie(cookies).post("/logout").await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=0")), "{:?}", answer.headers);
        }
        let mut nobody = other.clone();
        nobody.cookie = None;
        assert_eq!(nobody.post("/logout").await.set_cookie(), None, "nothing to remove");
        assert!(store.store.is_empty());
    }
}
