//! The cookie appears more than once: of one that exists, one that was planted, or two that both exist, since its domain was changed.

use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use session_runtime::store::MemoryStore;
use session_runtime::{Session, SessionData, SessionError, SessionLayer, SessionRequestExt, standard as middlewares};

use crate::support::Client;
use crate::support::counting::Counting;
use crate::support::visit::{Builder, Store, Visit, lazy, router, standard};
use crate::support::yielding::Yielding;

/// Clients with a live session each, and one that has the cookies of all of them.
async fn with_two(builder: Builder) -> (Vec<Client>, Client) {
    let mut one = Client::of(router(builder));
    let mut other = one.clone();
    one.post("/login/one").await;
    other.post("/login/other").await;
    let cookies = [&one, &other].map(|client| client.cookie.clone().unwrap()).join("; ");
    let both = one.with_cookie(cookies);
    (vec![one, other], both)
}

fn sessions(store: &Store) -> usize {
    store.store.len()
}

#[tokio::test]
async fn of_two_sessions_none_counts_for_reading_and_nothing_is_created_or_sent() {
    for (builder, store) in [lazy(), standard()] {
        let (_, both) = with_two(builder).await;
        let answer = both.clone().get("/read").await;
        assert_eq!((answer.status, &*answer.body, answer.set_cookie()), (StatusCode::OK, " 0", None));
        let answer = both.clone().post("/add").await;
        assert_eq!((answer.status, answer.set_cookie()), (StatusCode::UNAUTHORIZED, None));
        assert_eq!(sessions(&store), 2);
    }
}

#[tokio::test]
async fn logging_in_with_two_sessions_makes_one_new_one_and_ends_those() {
    for (builder, store) in [lazy(), standard()] {
        let (others, mut both) = with_two(builder).await;
        let answer = both.post("/login/ada").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.id().is_some());
        assert_eq!(both.get("/read").await.body, "ada 0");
        for mut other in others {
            assert_eq!(other.get("/read").await.body, " 0");
        }
        assert!(sessions(&store) <= 3);
    }
}

#[tokio::test]
async fn logging_out_with_two_sessions_ends_both_and_removes_the_cookie() {
    for (builder, store) in [lazy(), standard()] {
        let (_, mut both) = with_two(builder).await;
        let answer = both.post("/logout").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=0")));
        assert_eq!(sessions(&store), 0);
    }
}

#[tokio::test]
async fn a_cookie_that_was_planted_beside_the_real_one_changes_nothing() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = Client::of(router(builder));
        client.post("/login/ada").await;
        let real = client.cookie.clone().unwrap();
        for cookies in [format!("{real}; SESSION_ID=planted"), format!("SESSION_ID=planted; {real}")] {
            let mut client = client.with_cookie(cookies);
            assert_eq!(client.get("/read").await.body, "ada 0");
        }
        let mut client = client.with_cookie(format!("SESSION_ID=planted; {real}"));
        let answer = client.post("/logout").await;
        assert!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=0")));
        assert_eq!(sessions(&store), 0);
    }
}

#[tokio::test]
async fn of_nine_cookies_none_is_looked_up_and_all_are_ended_at_a_logout() {
    let (builder, store) = lazy();
    let mut one = Client::of(router(builder));
    let mut cookies = Vec::new();
    for _ in 0..9 {
        one.cookie = None;
        one.post("/login/ada").await;
        cookies.push(one.cookie.clone().unwrap());
    }
    let mut all = one.with_cookie(cookies.join("; "));
    store.take();
    let answer = all.clone().get("/read").await;
    assert_eq!((&*answer.body, answer.set_cookie()), (" 0", None));
    assert!(store.take().is_empty());
    assert_eq!(all.post("/logout").await.status, StatusCode::OK);
    assert_eq!(sessions(&store), 0);
}

#[tokio::test(start_paused = true)]
async fn eight_look_ups_share_one_store_timeout() {
    for count in [8, 9] {
        let store = Counting::new(Yielding::new(MemoryStore::new()));
        store.set_silent(true);
        let builder = SessionLayer::<Visit>::builder().default_data(Visit::default()).store(store);
        let builder = builder.middleware(middlewares::lazy_session_middleware);
        let cookies: Vec<_> = (0..count).map(|number| format!("SESSION_ID=id-{number}")).collect();
        let client = Client::of(router(builder)).with_cookie(cookies.join("; "));
        let start = tokio::time::Instant::now();
        let status = client.clone().get("/read").await.status;
        if count == 8 {
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(start.elapsed().as_millis() / 10, 200, "2 s, unless the layer says otherwise");
        } else {
            assert_eq!((status, start.elapsed().as_millis()), (StatusCode::OK, 0));
        }
    }
}

#[tokio::test]
async fn a_value_in_double_quotes_is_that_value() {
    let (builder, _) = lazy();
    let mut client = Client::of(router(builder));
    client.post("/login/ada").await;
    let (name, id) = client.cookie.clone().unwrap().split_once('=').map(|(name, id)| (name.to_owned(), id.to_owned())).unwrap();
    assert_eq!(client.with_cookie(format!("$Version=1; {name}=\"{id}\"; $Path=\"/\"")).get("/read").await.body, "ada 0");
    assert_eq!(client.with_cookie(format!("{name}=\"{id}")).get("/read").await.body, " 0");
}

/// The documented callback, which takes the first cookie.
fn first_cookie(request: &Parts) -> Option<&str> {
    request.cookie("SESSION_ID")
}

#[tokio::test]
async fn a_callback_that_takes_the_first_cookie_finds_the_one_that_exists() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = Client::of(router(builder.session_id_callback(first_cookie)));
        client.post("/login/ada").await;
        let real = client.cookie.clone().unwrap();
        let mut client = client.with_cookie(format!("SESSION_ID=planted; {real}"));
        let answer = client.get("/read").await;
        assert_eq!((&*answer.body, answer.set_cookie()), ("ada 0", None));
        let quoted = format!("SESSION_ID=\"{}\"", real.split_once('=').unwrap().1);
        assert_eq!(client.with_cookie(quoted).get("/read").await.body, "ada 0");
        assert_eq!(client.post("/logout").await.status, StatusCode::OK);
        assert_eq!(sessions(&store), 0);
    }
}

#[tokio::test]
async fn ending_another_session_of_the_user_leaves_the_one_of_the_request() {
    async fn end_other(session: SessionData<Visit>, system: Session<Visit>, mut parts: Parts) -> Result<String, SessionError> {
        session.rotate().await?;
        let other = parts.headers["x-other"].to_str().unwrap().to_owned();
        parts.set_session_id(other);
        system.destroy(&parts).await?;
        session.update(|visit| visit.count += 1).await?;
        Ok(session.latest().await?.count.to_string())
    }
    for (builder, store) in [lazy(), standard()] {
        let layer = builder.build().unwrap();
        let app = Router::new()
            .route("/login", post(async |session: SessionData<Visit>| session.rotate_with(|visit| visit.count = 1).await))
            .route("/read", get(async |session: SessionData<Visit>| session.count.to_string()))
            .route("/end-other", post(end_other))
            .layer(layer);
        let mut phone = Client::of(app.clone());
        let id = phone.post("/login").await.id().unwrap().to_owned();
        let mut laptop = Client::of(app);
        laptop.post("/login").await;
        let request = Request::post("/end-other").header("cookie", laptop.cookie.clone().unwrap()).header("x-other", id);
        let answer = laptop.request(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "2"));
        let id = answer.id().expect("the new id of its own session");
        assert_eq!(laptop.with_cookie(format!("SESSION_ID={id}")).get("/read").await.body, "2");
        assert_eq!(sessions(&store), 1, "the other one is gone, and its mark does not count");
    }
}

/// What is no id does not hide the one that is, also from a callback that takes the first.
#[tokio::test]
async fn a_value_that_is_no_id_before_the_real_one_changes_nothing() {
    fn set_first_cookie(request: &mut Parts) {
        if let Some(id) = request.cookie("SESSION_ID").map(str::to_owned) {
            request.set_session_id(id);
        }
    }

    let found = [lazy(), standard()].map(|(builder, store)| (builder.session_id_callback(first_cookie), store));
    let set = [lazy(), standard()].map(|(builder, store)| (builder.session_id_callback(set_first_cookie), store));
    for (builder, store) in found.into_iter().chain(set) {
        let mut client = Client::of(router(builder));
        client.post("/login/ada").await;
        let real = client.cookie.clone().unwrap();
        for planted in ["", "a b", "\"\"", "%00,"] {
            let mut client = client.with_cookie(format!("SESSION_ID={planted}; {real}"));
            assert_eq!(client.get("/read").await.body, "ada 0", "{planted}");
        }
        assert_eq!(store.store.len(), 1);
    }
}

/// One that was left under another path, and has just been rotated away.
#[tokio::test]
async fn logging_out_with_a_just_rotated_cookie_beside_the_live_one_ends_that_without_reading_either() {
    use axum::Router;
    use axum::extract::Request;
    use axum::routing::post;
    use session_runtime::Session;

    for (builder, store) in [lazy(), standard()] {
        let layer = builder.build().unwrap();
        let destroy = async |session: Session<Visit>, request: Request| session.destroy(&request).await;
        let login = async |session: session_runtime::SessionData<Visit>| session.rotate_with(|visit| visit.count += 1).await;
        let mut client = Client::of(Router::new().route("/destroy", post(destroy)).route("/login", post(login)).layer(layer));
        client.post("/login").await;
        let old = client.cookie.clone().unwrap();
        client.post("/login").await;
        let mut client = client.with_cookie(format!("{old}; {}", client.cookie.as_ref().unwrap()));
        let answer = client.post("/destroy").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=0")));
        assert_eq!(sessions(&store), 0);
    }
}
