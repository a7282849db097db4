//! An id that the store does not hold is never adopted, and creating never overwrites.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::{Request, StatusCode};

use crate::support::visit::{client, lazy, standard};

const CHOSEN: &str = "chosenbytheattackerchosenbytheattacker";

#[tokio::test]
async fn an_id_that_a_client_made_up_is_never_adopted() {
    for (builder, store) in [lazy(), standard()] {
        let client = client(builder);
        for path in ["/add", "/set/x", "/login/x"] {
            let answer = client.with_cookie(format!("SESSION_ID={CHOSEN}")).post(path).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_ne!(answer.id().unwrap(), CHOSEN);
            let again = client.with_cookie(format!("SESSION_ID={CHOSEN}")).get("/read").await;
            assert_eq!(again.body, " 0", "{path}");
        }
        store.take();
    }
}

/// The usual way to fixate: end the session, then start one in the same request or with the same cookie.
#[tokio::test]
async fn an_id_that_was_destroyed_is_never_used_again() {
    let (builder, _) = lazy();
    let mut client = client(builder);
    let id = client.post("/add").await.id().unwrap().to_owned();
    client.post("/logout").await;
    for _ in 0..3 {
        let answer = client.with_cookie(format!("SESSION_ID={id}")).post("/add").await;
        assert_ne!(answer.id().unwrap(), id);
        assert_eq!(answer.body, "1");
    }
}

#[tokio::test]
async fn of_two_cookies_the_one_that_exists_counts_and_of_two_that_exist_none() {
    for (builder, store) in [lazy(), standard()] {
        let client = client(builder);
        let (mut one, mut two) = (client.clone(), client.clone());
        one.post("/add").await;
        two.post("/add").await;
        let (one, two) = (one.cookie.unwrap(), two.cookie.unwrap());
        let read = async |cookie: String| client.with_cookie(cookie).get("/read").await.body;
        assert_eq!(read(format!("{one}; SESSION_ID={CHOSEN}")).await, " 1");
        assert_eq!(read(format!("SESSION_ID={CHOSEN}; {one}")).await, " 1");
        assert_eq!(read(format!("SESSION_ID=a; SESSION_ID=b; SESSION_ID=c; {one}")).await, " 1");
        assert_eq!(read(format!("SESSION_ID=not valid; {one}")).await, " 1");
        assert_eq!(read(format!("{one}; {two}")).await, " 0");
        // A change goes to the one that exists.
        let answer = client.with_cookie(format!("SESSION_ID={CHOSEN}; {two}")).post("/add").await;
        assert_eq!((answer.body.as_str(), answer.set_cookie()), ("2", None));
        store.take();
    }
}

/// HTTP/2 may split the cookies over several headers.
#[tokio::test]
async fn the_cookie_is_found_in_whichever_header_it_stands() {
    for (builder, _) in [lazy(), standard()] {
        let mut client = client(builder);
        client.post("/name/mine").await;
        let mine = client.cookie.clone().unwrap();
        let planted = format!("SESSION_ID={CHOSEN}");
        for headers in [
            vec![("cookie", "theme=dark"), ("cookie", &mine)],
            vec![("cookie", &mine), ("cookie", "theme=dark")],
            vec![("accept", "a"), ("accept", "b"), ("cookie", &mine)],
            vec![("cookie", &planted), ("x", "a"), ("x", "b"), ("cookie", &mine), ("cookie", &mine)],
        ] {
            let request = headers.iter().fold(Request::get("/read"), |request, (name, value)| request.header(*name, *value));
            let answer = client.request(request.body(Body::empty()).unwrap()).await;
            assert_eq!((answer.body.as_str(), answer.set_cookie()), ("mine 0", None), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn creating_never_overwrites_and_takes_a_new_id_on_a_collision() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    /// Each id twice.
    fn generate() -> String {
        format!("{:032}abc", CALLS.fetch_add(1, Ordering::SeqCst) / 2)
    }

    let (builder, store) = lazy();
    let client = client(builder.generate_session_id_callback(generate));
    let (mut one, mut two) = (client.clone(), client.clone());
    one.post("/name/one").await;
    store.take();
    two.post("/name/two").await;
    assert_eq!(store.take(), ["create", "create"]);
    assert_eq!(one.get("/read").await.body, "one 0");
    assert_eq!(two.get("/read").await.body, "two 0");
    store.take();
    one.post("/rotate").await;
    assert_eq!(store.take(), ["load", "rotate", "rotate"], "the id of `two` is taken");
    assert_eq!(one.get("/read").await.body, "one 0");
    assert_eq!(two.get("/read").await.body, "two 0");
}

#[tokio::test]
async fn a_generator_that_repeats_itself_answers_500_and_overwrites_nothing() {
    let (builder, store) = lazy();
    let client = client(builder.generate_session_id_callback(|| "x".repeat(64)));
    let mut first = client.clone();
    first.post("/name/first").await;
    let answer = client.clone().post("/name/second").await;
    assert_eq!((answer.status, answer.set_cookie()), (StatusCode::INTERNAL_SERVER_ERROR, None));
    assert!(!answer.body.contains("xxxx"));
    assert_eq!(first.post("/rotate").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(first.get("/read").await.body, "first 0");
    assert_eq!(store.store.len(), 1);
}

#[tokio::test]
async fn a_generator_whose_ids_are_weak_or_invalid_answers_500_and_stores_nothing() {
    for weak in ["", "not valid", "12345678", "0123456789abcde", "abcdefghij"] {
        let (builder, store) = lazy();
        let answer = client(builder.generate_session_id_callback(move || weak.to_owned())).post("/add").await;
        assert_eq!((answer.status, answer.set_cookie()), (StatusCode::INTERNAL_SERVER_ERROR, None), "{weak}");
        assert!(answer.body.contains("unknown_ids::"), "the error names the callback: {}", answer.body);
        assert!(weak.is_empty() || !answer.body.contains(weak), "{}", answer.body);
        assert!(store.take().is_empty());
    }
}
