//! Sessions of different data types live on one router without shadowing each other.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use session_runtime::{Session, SessionData, SessionError, SessionLayer, SessionRequestExt, standard};

use crate::support::Client;

#[derive(Clone, Default)]
struct Visitor {
    pages: u32,
}

#[derive(Clone, Default)]
struct Admin {
    actions: u32,
}

fn visitor() -> SessionLayer<Visitor> {
    SessionLayer::builder().cookie_name("V").middleware(standard::lazy_session_middleware).build().unwrap()
}

fn admin() -> SessionLayer<Admin> {
    SessionLayer::builder().cookie_name("A").middleware(standard::lazy_session_middleware).build().unwrap()
}

async fn both(visitor: SessionData<Visitor>, admin: SessionData<Admin>) -> Result<String, SessionError> {
    let pages = visitor.update(|visitor| {
        visitor.pages += 1;
        visitor.pages
    });
    let actions = admin.update(|admin| {
        admin.actions += 10;
        admin.actions
    });
    Ok(format!("{} {}", pages.await?, actions.await?))
}

fn routes() -> Router {
    Router::new()
        .route("/both", post(both))
        .route("/visitor", get(async |visitor: SessionData<Visitor>| visitor.pages.to_string()))
        .route("/admin", get(async |admin: SessionData<Admin>| admin.actions.to_string()))
        .route("/admin/logout", post(async |admin: SessionData<Admin>| admin.destroy().await))
}

fn cookies_of(answer: &crate::support::Answer) -> String {
    let pairs = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().split(';').next().unwrap());
    pairs.collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn two_sessions_are_kept_apart_in_either_order_of_their_layers() {
    for app in [routes().layer(visitor()).layer(admin()), routes().layer(admin()).layer(visitor())] {
        let client = Client::of(app);
        let first = client.request(Request::post("/both").body(Body::empty()).unwrap()).await;
        assert_eq!(first.body, "1 10");
        let cookies = cookies_of(&first);
        assert!(cookies.contains("V=") && cookies.contains("A="), "{cookies}");
        let mut client = client.with_cookie(cookies);
        assert_eq!(client.send_as_it_is("POST".parse().unwrap(), "/both").await.body, "2 20");
        let gone = client.send_as_it_is("POST".parse().unwrap(), "/admin/logout").await;
        assert!(gone.set_cookie().unwrap().starts_with("A=;"));
        assert_eq!(client.get("/visitor").await.body, "2");
        assert_eq!(client.get("/admin").await.body, "0");
    }
}

#[tokio::test]
async fn layers_may_be_nested_and_merged() {
    let inner = Router::new().route("/both", post(both)).layer(admin());
    let app = Router::new()
        .nest("/deep", inner)
        .merge(Router::new().route("/visitor", get(async |visitor: SessionData<Visitor>| visitor.pages.to_string())))
        .layer(visitor());
    let client = Client::of(app);
    let first = client.request(Request::post("/deep/both").body(Body::empty()).unwrap()).await;
    assert_eq!(first.body, "1 10");
    assert_eq!(client.with_cookie(cookies_of(&first)).get("/visitor").await.body, "1");
}

#[tokio::test]
async fn a_missing_layer_answers_500_naming_it() {
    let mut client = Client::of(routes().layer(visitor()));
    let answer = client.get("/admin").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.body.contains(concat!("session!(<", module_path!(), "::Admin>)")), "{}", answer.body);
}

#[tokio::test]
async fn two_layers_with_one_cookie_name_answer_500_naming_both() {
    let same = SessionLayer::<Admin>::builder().cookie_name("V").build().unwrap();
    let mut client = Client::of(routes().layer(visitor()).layer(same));
    let answer = client.get("/visitor").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.body.contains("several_sessions::Admin") && answer.body.contains("several_sessions::Visitor"));
}

/// In a callback and in a middleware the id is that of the session it runs for; in a handler, the innermost layer's.
#[tokio::test]
async fn ids_are_kept_per_session() {
    async fn visitor_middleware(session_system: Session<Visitor>, mut request: Request, next: Next) -> Response {
        assert_eq!(request.session_id(), None);
        session_system.fetch_session_id(&mut request).await;
        assert_eq!(request.session_id().unwrap().as_str(), "visitors-id");
        next.run(request).await
    }
    async fn admin_middleware(session_system: Session<Admin>, mut request: Request, next: Next) -> Response {
        assert_eq!(request.session_id(), None, "the outer session's id is not this one's");
        session_system.fetch_session_id(&mut request).await;
        assert_eq!(request.session_id().unwrap().as_str(), "admins-id");
        request.set_session_id("admins-other-id");
        next.run(request).await
    }
    /// From a handler under both layers, `fetch_session_id` of the outer session runs its callback for its own id.
    async fn handler(
        State(()): State<()>,
        outer: Session<Visitor>,
        inner: Session<Admin>,
        mut request: Request,
    ) -> Result<String, SessionError> {
        let innermost = request.session_id().unwrap().as_str().to_owned();
        outer.fetch_session_id(&mut request).await;
        assert_eq!(request.session_id().unwrap().as_str(), innermost);
        assert!(!outer.session_exists(&request).await? && !inner.session_exists(&request).await?);
        Ok(innermost)
    }
    let find = |name: &'static str| move |request: &Parts| request.cookie(name).map(str::to_owned);
    let app = Router::new()
        .route("/", get(handler))
        .with_state(())
        .layer(
            SessionLayer::<Admin>::builder()
                .cookie_name("A")
                .session_id_callback(find("A"))
                .middleware(admin_middleware)
                .build()
                .unwrap(),
        )
        .layer(
            SessionLayer::<Visitor>::builder()
                .cookie_name("V")
                .session_id_callback(find("V"))
                .middleware(visitor_middleware)
                .build()
                .unwrap(),
        );
    let answer = Client::of(app).with_cookie("V=visitors-id; A=admins-id").get("/").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "admins-other-id"));
}

/// An id that was set before the layer is left alone, as the document's standard callback does.
#[tokio::test]
async fn an_id_that_is_set_already_is_left_alone() {
    let set = axum::middleware::from_fn(async |mut request: Request, next: Next| {
        if let Some(id) = request.headers().get("x-id").and_then(|value| value.to_str().ok()).map(str::to_owned) {
            request.set_session_id(id);
        }
        next.run(request).await
    });
    let app = routes().layer(visitor()).layer(admin()).layer(set.clone());
    let client = Client::of(app);
    let first = client.request(Request::post("/both").body(Body::empty()).unwrap()).await;
    let id = cookies_of(&first).split("; ").find_map(|pair| pair.strip_prefix("A=").map(str::to_owned)).unwrap();
    let request = Request::get("/admin").header("x-id", &id).header("cookie", "A=another").body(Body::empty()).unwrap();
    assert_eq!(client.request(request).await.body, "10");
}

#[tokio::test]
async fn fetch_session_id_panicking_or_cancelled_leaves_the_request_as_it_was() {
    async fn stuck(request: &mut Parts) {
        request.set_session_id("from-the-callback");
        std::future::pending::<()>().await;
    }
    async fn panicking(request: &mut Parts) {
        request.set_session_id("from-the-callback");
        tokio::task::yield_now().await;
        panic!("as the test wants");
    }
    async fn middleware(session_system: Session<Visitor>, mut request: Request, next: Next) -> Response {
        request.set_session_id("before");
        {
            let fetching = session_system.fetch_session_id(&mut request);
            let _ = tokio::time::timeout(std::time::Duration::from_millis(20), fetching).await;
        }
        assert_eq!(request.session_id().unwrap().as_str(), "before");
        assert_eq!(request.uri().path(), "/");
        assert_eq!(request.headers()["x-test"], "kept");
        next.run(request).await
    }
    let app = |layer: SessionLayer<Visitor>| Router::new().route("/", post(async |body: String| body)).layer(layer);
    let builder = || SessionLayer::<Visitor>::builder().middleware(middleware);
    for app in [
        app(builder().session_id_callback(stuck).build().unwrap()),
        app(builder().session_id_callback(panicking).build().unwrap()),
    ] {
        let request = Request::post("/").header("x-test", "kept").body(Body::from("the body")).unwrap();
        assert_eq!(Client::of(app).request(request).await.body, "the body");
    }
}
