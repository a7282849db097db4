//! What a request costs in store calls, exactly.

use std::time::Duration;

use crate::support::visit::{client, lazy, standard};

#[tokio::test]
async fn an_untouched_request_under_the_lazy_middleware_costs_nothing() {
    let (builder, store) = lazy();
    let mut client = client(builder);
    client.get("/untouched").await;
    assert!(store.take().is_empty());
    client.post("/add").await;
    store.take();
    let answer = client.get("/untouched").await;
    assert!(store.take().is_empty());
    assert_eq!(answer.set_cookie(), None);
    assert_eq!(answer.header("vary"), None);
}

#[tokio::test]
async fn a_malformed_id_is_not_looked_up() {
    let (builder, store) = lazy();
    let client = client(builder);
    for id in ["", "a b", "a\"b", "a\\b", &"x".repeat(257), "é"] {
        let answer = client.with_cookie(format!("SESSION_ID={id}")).get("/read").await;
        assert_eq!(answer.body, " 0");
        assert!(store.take().is_empty(), "{id}");
    }
}

#[tokio::test]
async fn a_read_costs_one_call() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = client(builder);
        client.post("/add").await;
        store.take();
        assert_eq!(client.get("/read").await.body, " 1");
        assert_eq!(store.take(), ["load"]);
    }
}

#[tokio::test]
async fn a_change_costs_two_calls() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = client(builder);
        client.post("/add").await;
        for path in ["/add", "/name/ada", "/set/bob"] {
            store.take();
            client.post(path).await;
            assert_eq!(store.take(), ["load", "replace"], "{path}");
        }
    }
}

#[tokio::test]
async fn a_new_session_costs_one_call_and_two_where_an_unknown_id_came() {
    let (builder, store) = lazy();
    let mut client = client(builder);
    client.post("/add").await;
    assert_eq!(store.take(), ["create"]);
    client.with_cookie("SESSION_ID=unknownbutwellformed").post("/add").await;
    assert_eq!(store.take(), ["load", "create"]);

    let (builder, store) = standard();
    let mut client = crate::support::visit::client(builder);
    client.get("/untouched").await;
    assert_eq!(store.take(), ["create"]);
    client.get("/read").await;
    assert_eq!(store.take(), ["load"]);
    client.with_cookie("SESSION_ID=unknownbutwellformed").get("/read").await;
    assert_eq!(store.take(), ["load", "create"]);
}

#[tokio::test]
async fn a_rotation_costs_one_call_beyond_the_load() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = client(builder);
        client.post("/add").await;
        for path in ["/rotate", "/login/ada"] {
            store.take();
            client.post(path).await;
            assert_eq!(store.take(), ["load", "rotate"], "{path}");
        }
        client.post("/logout").await;
        assert_eq!(store.take(), ["load", "delete"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_touch_is_written_at_most_once_in_a_tenth_of_the_idle_limit() {
    let (builder, store) = lazy();
    let mut client = client(builder.session_expire(1000_u64));
    client.post("/add").await;
    store.take();
    let mut touches = 0;
    for second in 1..=100_u64 {
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(client.get("/read").await.body, " 1");
        let calls = store.take();
        if second % 10 == 0 {
            assert_eq!(calls, ["load", "touch"], "{second}");
            touches += 1;
        } else {
            assert_eq!(calls, ["load"], "{second}");
        }
    }
    assert_eq!(touches, 10);
}

#[tokio::test(start_paused = true)]
async fn a_change_renews_the_session_so_no_touch_is_due() {
    let (builder, store) = lazy();
    let mut client = client(builder.session_expire(1000_u64));
    client.post("/add").await;
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(90)).await;
        store.take();
        client.post("/add").await;
        assert_eq!(store.take(), ["load", "replace"]);
    }
}

#[tokio::test]
async fn a_cookie_that_stands_twice_costs_one_more_call() {
    let (builder, store) = lazy();
    let mut client = client(builder);
    client.post("/add").await;
    let real = client.cookie.clone().unwrap();
    store.take();
    let answer = client.with_cookie(format!("{real}; SESSION_ID=plantedplantedplanted")).get("/read").await;
    assert_eq!(answer.body, " 1");
    assert_eq!(store.take(), ["load", "load"]);
    // The same value twice is one id.
    assert_eq!(client.with_cookie(format!("{real}; {real}")).get("/read").await.body, " 1");
    assert_eq!(store.take(), ["load"]);
}
