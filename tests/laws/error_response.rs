//! `error_response`: an application's own answer of an error, wherever the error comes from.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use session_runtime::standard::lazy_session_middleware;
use session_runtime::{OnStoreError, SessionData, SessionError, SessionLayer, session};

use crate::support::Client;
use crate::support::visit::{Visit, client, lazy, standard};

fn page(error: SessionError) -> impl IntoResponse {
    (error.status(), Html(format!("<h1>our page: {}</h1>", error.status().as_u16())))
}

#[tokio::test]
async fn what_the_library_answers_by_itself_is_the_applications_page() {
    for (builder, store) in [lazy(), standard()] {
        let mut client = client(builder.error_response(page));
        client.post("/add").await;
        store.set_down(true);
        for path in ["/add", "/rotate", "/logout"] {
            let answer = client.post(path).await;
            assert_eq!((answer.status, &*answer.body), (StatusCode::SERVICE_UNAVAILABLE, "<h1>our page: 503</h1>"), "{path}");
            assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        }
    }
}

#[tokio::test]
async fn what_a_handler_returns_is_the_applications_page_and_the_cookie_stays_on_it() {
    async fn refuses(session: SessionData<Visit>) -> Result<(), SessionError> {
        session.rotate_with(|visit| visit.count += 1).await?;
        Err(SessionError::NotExists)
    }
    let layer = session!(<Visit>, error_response = page);
    let mut client = Client::of(Router::new().route("/", post(refuses)).layer(layer));
    let answer = client.post("/").await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::UNAUTHORIZED, "<h1>our page: 401</h1>"));
    assert!(answer.id().is_some());
    assert_eq!(answer.header("www-authenticate"), None);
}

#[tokio::test]
async fn an_error_of_the_applications_own_that_holds_ours_is_answered_too() {
    enum Failed {
        Session(SessionError),
    }
    impl From<SessionError> for Failed {
        fn from(error: SessionError) -> Self {
            Self::Session(error)
        }
    }
    impl IntoResponse for Failed {
        fn into_response(self) -> Response {
            let Self::Session(error) = self;
            error.into_response()
        }
    }
    async fn fails(session: SessionData<Visit>) -> Result<(), Failed> {
        Ok(session.destroy().await.and(Err(SessionError::NotExists))?)
    }
    let app = Router::new().route("/", post(fails)).layer(session!(<Visit>, error_response = page));
    assert_eq!(Client::of(app).post("/").await.body, "<h1>our page: 401</h1>");
}

#[tokio::test]
async fn two_layers_that_cannot_go_together_are_answered_by_the_inner_one_or_the_outer_one() {
    #[derive(Clone, Default)]
    struct Other;

    for (inner_answers, outer_answers) in [(true, false), (false, true), (true, true)] {
        let inner = SessionLayer::<Visit>::builder();
        let inner = if inner_answers { inner.error_response(page) } else { inner };
        let outer = SessionLayer::<Other>::builder();
        let outer = if outer_answers { outer.error_response(page) } else { outer };
        let app = Router::new().route("/", get(|| async {})).layer(inner.build().unwrap()).layer(outer.build().unwrap());
        assert_eq!(Client::of(app).get("/").await.body, "<h1>our page: 500</h1>", "{inner_answers} {outer_answers}");
    }
}

#[tokio::test]
async fn of_two_layers_the_inner_one_answers_and_the_outer_one_leaves_it() {
    #[derive(Clone, Default)]
    struct Other;

    let ours = |error: SessionError| ([(header::SERVER, "inner")], error);
    let inner = session!(<Visit>, middleware = lazy_session_middleware, error_response = ours);
    let outer = session!(<Other>, middleware = lazy_session_middleware, cookie_name = "other", error_response = page);
    let app = Router::new().route("/", post(async || SessionError::NotExists)).layer(inner).layer(outer);
    let answer = Client::of(app).post("/").await;
    assert_eq!((answer.status, answer.header("server")), (StatusCode::UNAUTHORIZED, Some("inner")));
    assert!(!answer.body.contains("our page"));
}

#[tokio::test]
async fn a_response_that_is_no_error_of_ours_stays_as_it_is() {
    let (builder, store) = lazy();
    let mut client = client(builder.error_response(page).on_store_error(OnStoreError::Anonymous));
    assert_eq!(client.post("/add").await.status, StatusCode::OK);
    store.set_down(true);
    assert_eq!(client.get("/read").await.body, " 0");
    let app = Router::new()
        .route("/", get(|| async { (StatusCode::UNAUTHORIZED, "theirs") }))
        .layer(session!(<Visit>, error_response = page));
    assert_eq!(Client::of(app).get("/").await.body, "theirs");
}

#[tokio::test]
async fn a_middleware_of_ones_own_finds_the_error_in_the_response() {
    async fn counts(request: axum::extract::Request, next: Next) -> Response {
        let mut response = next.run(request).await;
        if matches!(response.extensions().get(), Some(SessionError::NotExists)) {
            response.headers_mut().insert("x-no-session", "1".parse().unwrap());
        }
        response
    }
    let app = Router::new().route("/", post(async || SessionError::NotExists)).layer(session!(<Visit>)).layer(from_fn(counts));
    assert_eq!(Client::of(app).post("/").await.header("x-no-session"), Some("1"));
}

#[tokio::test]
async fn the_cookies_of_other_layers_and_of_the_application_stay_on_the_page() {
    #[derive(Clone, Default)]
    struct Admin;

    async fn logs_in_and_fails(admin: SessionData<Admin>) -> Result<(), SessionError> {
        admin.rotate_with(|_| ()).await?;
        Err(SessionError::NotExists)
    }
    fn cached(error: SessionError) -> impl IntoResponse {
        (error.status(), [(header::CACHE_CONTROL, "public, max-age=60")], "our page")
    }
    let inner = session!(<Admin>, middleware = lazy_session_middleware, cookie_name = "admin");
    let outer = session!(<Visit>, middleware = lazy_session_middleware, error_response = cached);
    let app = Router::new().route("/", post(logs_in_and_fails)).layer(inner).layer(outer);
    let answer = Client::of(app).post("/").await;
    assert_eq!(answer.body, "our page");
    assert!(answer.set_cookie().is_some_and(|cookie| cookie.starts_with("admin=")));
    assert_eq!((answer.header("vary"), answer.header("cache-control")), (Some("cookie"), Some("no-store")));
}
