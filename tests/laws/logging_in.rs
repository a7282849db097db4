//! Whoever logs in proves who he is, so it works: twice at once, again with an old cookie, and with several.

use std::time::Duration;

use axum::http::StatusCode;

use crate::support::Client;
use crate::support::visit::{Pause, client, lazy, router_with, standard};

/// Both requests have read the guest's session before either logs in.
#[tokio::test]
async fn two_clicks_on_log_in_both_end_logged_in() {
    for (builder, store) in [lazy(), standard()] {
        let pause = Pause::default();
        let mut first = Client::of(router_with(builder, pause.clone()));
        first.post("/add").await;
        let guest = first.clone();
        let mut second = first.clone();
        let slow = tokio::spawn(async move {
            let answer = second.post("/slow/login").await;
            (answer, second)
        });
        pause.arrived.notified().await;
        assert_eq!(first.post("/login/ada").await.status, StatusCode::OK);
        pause.go_on.notify_one();
        let (answer, mut second) = slow.await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.id().is_some());
        assert_eq!(first.get("/read").await.body, "ada 1", "the guest's session has become that of the first login");
        assert_eq!(second.get("/read").await.body, "slow 0", "the second is new");
        assert_eq!(guest.clone().get("/read").await.body, " 0", "the guest's id is dead");
        assert_eq!(store.store.len(), 2);
    }
}

/// The answer of the first login was lost, so the client has only the old cookie.
#[tokio::test(start_paused = true)]
async fn a_login_that_is_repeated_with_the_old_cookie_works() {
    for (builder, _) in [lazy(), standard()] {
        let mut guest = client(builder);
        guest.post("/add").await;
        assert_eq!(guest.clone().post("/login/lost").await.status, StatusCode::OK);
        for _ in 0..2 {
            let mut again = guest.clone();
            let answer = again.post("/login/ada").await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(answer.id().is_some());
            assert_eq!(again.get("/read").await.body, "ada 0");
            tokio::time::advance(Duration::from_secs(10)).await;
        }
    }
}

/// Else a request in parallel would overwrite the new cookie.
#[tokio::test(start_paused = true)]
async fn for_30_s_after_a_rotation_a_page_with_the_old_cookie_reads_as_a_visitors_and_changes_nothing() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = client(builder);
        client.post("/add").await;
        let old = client.clone();
        client.post("/rotate").await;
        for seconds in [0, 10, 19] {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            let answer = old.clone().get("/read").await;
            assert_eq!((answer.status, &*answer.body, answer.set_cookie()), (StatusCode::OK, " 0", None), "after {seconds} s");
            for path in ["/add", "/set/x", "/rotate", "/logout"] {
                let answer = old.clone().post(path).await;
                assert_eq!((answer.status, answer.set_cookie()), (StatusCode::CONFLICT, None), "{path}");
                assert_eq!(answer.header("retry-after"), Some("1"), "{path}");
            }
        }
        assert_eq!(store.store.len(), 1);
        assert_eq!(client.get("/read").await.body, " 1");
    }
}
