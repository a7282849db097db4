//! No cookie is not yet no session: a browser holds the cookie back from requests that other sites cause.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use session_runtime::SameSite;

use crate::support::visit::{Builder, client, lazy, standard};
use crate::support::{Answer, Client};

/// What a browser sends along.
struct From {
    mode: &'static str,
    dest: &'static str,
}

const LINK: From = From { mode: "navigate", dest: "document" };
const SCRIPT: From = From { mode: "cors", dest: "empty" };

async fn send(client: &Client, method: Method, path: &str, from: &From) -> Answer {
    let request = Request::builder().method(method).uri(path).header("host", "example.com");
    let request = request.header("sec-fetch-site", "cross-site");
    let request = request.header("sec-fetch-mode", from.mode).header("sec-fetch-dest", from.dest);
    client.request(request.body(Body::empty()).unwrap()).await
}

fn both() -> [(Builder, crate::support::visit::Store); 2] {
    [lazy(), standard()]
}

/// A form post from elsewhere, as Apple's and Entra's logins are, to which Lax sends no cookie; and whatever comes to a strict one.
#[tokio::test]
async fn a_request_from_elsewhere_without_the_cookie_reads_as_a_visitors_and_creates_nothing() {
    for (same_site, method, from) in [
        (SameSite::Lax, Method::POST, LINK),
        (SameSite::Lax, Method::GET, SCRIPT),
        (SameSite::Strict, Method::GET, LINK),
        (SameSite::Strict, Method::POST, LINK),
    ] {
        for (builder, store) in both() {
            let client = client(builder.same_site(same_site));
            if method == Method::GET {
                let answer = send(&client, Method::GET, "/read", &from).await;
                assert_eq!((answer.status, &*answer.body, answer.set_cookie()), (StatusCode::OK, " 0", None));
                let answer = send(&client, Method::GET, "/untouched", &from).await;
                assert_eq!((answer.status, answer.set_cookie()), (StatusCode::OK, None));
            } else {
                for path in ["/add", "/set/x", "/rotate", "/logout"] {
                    let answer = send(&client, Method::POST, path, &from).await;
                    assert_eq!((answer.status, answer.set_cookie()), (StatusCode::FORBIDDEN, None), "{path}");
                }
            }
            assert_eq!(store.store.len(), 0);
            assert!(store.take().is_empty());
        }
    }
}

#[tokio::test]
async fn a_login_from_elsewhere_makes_a_session() {
    for (builder, _) in both() {
        let mut client = client(builder);
        let answer = send(&client, Method::POST, "/login/ada", &LINK).await;
        assert_eq!(answer.status, StatusCode::OK);
        client.cookie = Some(format!("SESSION_ID={}", answer.id().unwrap()));
        assert_eq!(client.get("/read").await.body, "ada 0");
    }
}

#[tokio::test]
async fn a_link_to_a_lax_cookie_is_a_visit_like_any_other_and_so_is_what_none_allows() {
    for (same_site, from) in [(SameSite::Lax, LINK), (SameSite::None, SCRIPT)] {
        let (builder, store) = standard();
        let client = client(builder.same_site(same_site));
        let answer = send(&client, Method::GET, "/read", &from).await;
        assert!(answer.id().is_some());
        assert_eq!(store.store.len(), 1);
    }
}

#[tokio::test]
async fn a_request_from_elsewhere_with_the_cookie_has_its_session() {
    let (builder, _) = lazy();
    let mut client = client(builder);
    client.post("/login/ada").await;
    let request = Request::builder().method(Method::POST).uri("/add").header("host", "example.com");
    let request = request.header("sec-fetch-site", "cross-site").header("cookie", client.cookie.clone().unwrap());
    assert_eq!(client.request(request.body(Body::empty()).unwrap()).await.body, "1");
}
