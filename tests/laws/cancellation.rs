//! A request that is dropped at any of its awaits leaves the store in one of the two states, and harms nobody else.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use session_runtime::SessionLayer;
use session_runtime::standard;
use session_runtime::store::MemoryStore;
use tower::ServiceExt;

use crate::support::Client;
use crate::support::visit::{self, Visit};
use crate::support::yielding::Yielding;

fn app(store: &Arc<MemoryStore<Visit>>, lazily: bool) -> Router {
    let builder = SessionLayer::<Visit>::builder().default_data(Visit::default()).store(Yielding::sharing(Arc::clone(store)));
    visit::router(if lazily { builder.middleware(standard::lazy_session_middleware) } else { builder })
}

/// Polls the request `polls` times, and drops it. Whether it was done by then.
fn poll_and_drop(app: &Router, request: Request<Body>, polls: usize) -> bool {
    let mut response = pin!(app.clone().oneshot(request));
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).any(|_| matches!(response.as_mut().poll(&mut context), Poll::Ready(_)))
}

async fn cookie_of(app: &Router) -> String {
    let mut client = Client::of(app.clone());
    client.post("/name/before").await;
    client.cookie.unwrap()
}

/// The request as it was, or as it is when done: nothing between.
#[tokio::test]
async fn a_change_that_is_dropped_at_any_poll_is_done_or_not() {
    for lazily in [true, false] {
        for (path, after) in [("/add", "before 1"), ("/set/after", "after 0")] {
            let mut seen = [false; 2];
            for polls in 1.. {
                let store = Arc::new(MemoryStore::new());
                let app = app(&store, lazily);
                let cookie = cookie_of(&app).await;
                let request = Request::post(path).header("cookie", &cookie).body(Body::empty()).unwrap();
                let done = poll_and_drop(&app, request, polls);
                let read = Client::of(app).with_cookie(cookie).get("/read").await.body;
                assert!(read == "before 0" || read == after, "{path} after {polls} polls: {read}");
                seen[usize::from(read == after)] = true;
                assert_eq!(store.len(), 1);
                assert!(!done || read == after);
                if done {
                    break;
                }
            }
            assert_eq!(seen, [true, true]);
        }
    }
}

#[tokio::test]
async fn a_rotation_that_is_dropped_at_any_poll_leaves_one_session_under_one_id() {
    for path in ["/rotate", "/login/after"] {
        let mut seen = [false; 2];
        for polls in 1.. {
            let store = Arc::new(MemoryStore::new());
            let app = app(&store, true);
            let cookie = cookie_of(&app).await;
            let request = Request::post(path).header("cookie", &cookie).body(Body::empty()).unwrap();
            let done = poll_and_drop(&app, request, polls);
            assert_eq!(store.len(), 1, "{path} after {polls} polls");
            let read = Client::of(app).with_cookie(cookie).get("/read").await.body;
            assert!(read == "before 0" || read == " 0", "{path} after {polls} polls: {read}");
            seen[usize::from(read == " 0")] = true;
            assert!(!done || read == " 0");
            if done {
                break;
            }
        }
        assert_eq!(seen, [true, true]);
    }
}

#[tokio::test]
async fn a_logout_that_is_dropped_at_any_poll_is_done_or_not() {
    for polls in 1.. {
        let store = Arc::new(MemoryStore::new());
        let app = app(&store, true);
        let cookie = cookie_of(&app).await;
        let request = Request::post("/logout").header("cookie", &cookie).body(Body::empty()).unwrap();
        let done = poll_and_drop(&app, request, polls);
        let read = Client::of(app).with_cookie(cookie).get("/read").await.body;
        assert!(read == "before 0" || (read == " 0" && store.is_empty()), "after {polls} polls: {read}");
        if done {
            assert_eq!(read, " 0");
            break;
        }
    }
}

#[tokio::test]
async fn a_new_session_that_is_dropped_at_any_poll_leaves_at_most_its_row() {
    for lazily in [true, false] {
        for polls in 1.. {
            let store = Arc::new(MemoryStore::new());
            let app = app(&store, lazily);
            let done = poll_and_drop(&app, Request::post("/add").body(Body::empty()).unwrap(), polls);
            assert!(store.len() <= 1);
            // Nothing of the request is kept, once what it had begun has seen that it is in vain: the only handles on the store are the test's and the layer's.
            drop(app);
            tokio::task::yield_now().await;
            assert_eq!(Arc::strong_count(&store), 1, "after {polls} polls");
            if done {
                assert_eq!(store.len(), 1);
                break;
            }
        }
    }
}

/// One task of a request that gives up while it creates or rotates the session does not block the others, or the response.
#[tokio::test]
async fn a_task_that_gives_up_does_not_hold_up_the_rest_of_its_request() {
    use axum::routing::post;
    use session_runtime::{SessionData, SessionError};

    for polls in 1..12 {
        let store = Arc::new(MemoryStore::new());
        let handler = async move |session: SessionData<Visit>| -> Result<String, SessionError> {
            {
                let mut given_up = pin!(session.update(|visit| visit.count += 1));
                let mut context = Context::from_waker(Waker::noop());
                for _ in 0..polls {
                    if given_up.as_mut().poll(&mut context).is_ready() {
                        break;
                    }
                }
            }
            session.update(|visit| visit.name.push('x')).await?;
            session.rotate().await?;
            Ok(format!("{:?}", session.session_id().is_some()))
        };
        let app = Router::new().route("/", post(handler)).layer(
            SessionLayer::<Visit>::builder()
                .middleware(standard::lazy_session_middleware)
                .store(Yielding::sharing(Arc::clone(&store)))
                .build()
                .unwrap(),
        );
        let answer = Client::of(app).post("/").await;
        assert_eq!(answer.body, "true", "after {polls} polls");
        assert!(answer.id().is_some());
    }
}

/// Nor does one that was left half done, and is kept: after `store_timeout` the others are answered.
#[tokio::test(start_paused = true)]
async fn a_change_that_is_left_half_done_holds_nobody_up_for_ever() {
    use std::time::Duration;

    use axum::http::StatusCode;
    use axum::routing::post;
    use session_runtime::{SessionData, SessionError};

    fn poll_once(future: impl Future + Send + 'static) {
        let mut kept = Box::pin(future);
        assert!(kept.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        // As one would be that the response's body is to go on with.
        std::mem::forget(kept);
    }

    let store = Yielding::new(MemoryStore::new());
    let app = Router::new()
        .route(
            "/and-respond",
            post(async |session: SessionData<Visit>| poll_once(async move { session.update(|visit| visit.count += 1).await })),
        )
        .route(
            "/and-login",
            post(async |session: SessionData<Visit>| -> Result<(), SessionError> {
                let first = session.clone();
                poll_once(async move { first.update(|visit| visit.count += 1).await });
                session.rotate_with(|visit| visit.count += 1).await
            }),
        )
        .layer(SessionLayer::<Visit>::builder().middleware(standard::lazy_session_middleware).store(store).build().unwrap());
    let mut client = Client::of(app);
    for (path, status) in [("/and-respond", StatusCode::OK), ("/and-login", StatusCode::SERVICE_UNAVAILABLE)] {
        let answer = tokio::time::timeout(Duration::from_secs(10), client.post(path)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{path} hangs"));
        assert_eq!((answer.status, answer.set_cookie()), (status, None), "{path}");
    }
}

/// A time limit inside of the layer gives the handler up and not the response, which tells the client what it has to know, however far the store was.
mod a_handler_that_is_given_up {
    use std::time::Duration;

    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::middleware::{Next, from_fn};
    use axum::response::{IntoResponse, Response};
    use axum::routing::{get, post};
    use session_runtime::{Lifetime, SessionData, WhenFull};

    use super::*;

    type Session = SessionData<Visit>;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    async fn limited(request: Request, next: Next) -> Response {
        let response = tokio::time::timeout(Duration::from_millis(100), next.run(request)).await;
        response.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
    }

    /// A store behind a network; what `late` is called is done after this time.
    fn client_where<Fut>(
        lazily: bool,
        before: u64,
        late: impl Fn(Session) -> Fut + Clone + Send + Sync + 'static,
    ) -> (Client, Arc<MemoryStore<Visit>>)
    where
        Fut: Future<Output: IntoResponse> + Send,
    {
        let store = Arc::new(MemoryStore::new());
        let slow = Yielding::with_ways(Arc::clone(&store), || (Duration::from_millis(20), Duration::from_millis(20)));
        let builder = SessionLayer::<Visit>::builder().store(slow);
        let builder = builder.owner(|visit: &Visit| (!visit.name.is_empty()).then(|| visit.name.clone()));
        let builder = builder.owner_limit(1).when_full(WhenFull::Refuse);
        let builder = if lazily { builder.middleware(standard::lazy_session_middleware) } else { builder };
        let handler = move |session: Session| {
            let late = late.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(before)).await;
                late(session).await
            }
        };
        let app = Router::new()
            .route("/late", post(handler))
            .route("/add", post(async |session: Session| session.update(|visit| visit.count += 1).await))
            .route("/login", post(async |session: Session| session.rotate_with(|visit| visit.name = "ada".to_owned()).await))
            .route("/left", get(async |session: Session| session.expires_in().unwrap_or_default().as_secs().to_string()))
            .route("/", get(async |session: Session| session.count.to_string()))
            .layer(from_fn(limited))
            .layer(builder.build().unwrap());
        (Client::of(app), store)
    }

    /// For each of these times, so that the limit ends the handler in each step of the store.
    fn times() -> impl Iterator<Item = u64> {
        (0..150).step_by(10)
    }

    #[tokio::test(start_paused = true)]
    async fn while_it_rotates_leaves_the_client_with_the_session() {
        for (lazily, before) in [true, false].into_iter().flat_map(|lazily| times().map(move |before| (lazily, before))) {
            let rotate = async |session: Session| session.rotate_with(|visit| visit.count += 1).await;
            let (mut client, store) = client_where(lazily, before, rotate);
            client.post("/add").await;
            client.post("/late").await;
            let read = client.get("/").await.body;
            assert!(read == "1" || read == "2", "{read:?} after {before} ms");
            assert_eq!(store.len(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_it_creates_leaves_no_session_that_its_client_does_not_know() {
        for (by_lifetime, before) in [true, false].into_iter().flat_map(|by| times().map(move |before| (by, before))) {
            let create = move |session: Session| async move {
                if by_lifetime {
                    session.set_lifetime(Lifetime::idle(DAY)).await
                } else {
                    session.update(|visit| visit.count = 1).await
                }
            };
            let (mut client, store) = client_where(true, before, create);
            client.post("/late").await;
            tokio::time::sleep(DAY / 24).await;
            assert_eq!(store.len(), usize::from(client.cookie.is_some()), "{by_lifetime}: after {before} ms");
        }
    }

    /// Else nobody has the session, and it takes a place of its owner's.
    #[tokio::test(start_paused = true)]
    async fn while_it_logs_in_may_do_it_again() {
        for before in times() {
            let log_in = async |session: Session| session.rotate_with(|visit| visit.name = "ada".to_owned()).await;
            let (mut client, store) = client_where(true, before, log_in);
            client.post("/late").await;
            let answer = client.post("/login").await;
            assert_eq!(answer.status, StatusCode::OK, "{before} ms: {}", answer.body);
            assert_eq!(store.len(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_it_remembers_the_session_leaves_the_cookie_as_the_store_has_it() {
        for (lazily, before) in [true, false].into_iter().flat_map(|lazily| times().map(move |before| (lazily, before))) {
            let remember = async |session: Session| session.set_lifetime(Lifetime::idle(30 * DAY).persistent(true)).await;
            let (mut client, _) = client_where(lazily, before, remember);
            client.post("/add").await;
            let answer = client.post("/late").await;
            let is_told = answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=2592000"));
            let left: u64 = client.get("/left").await.body.parse().unwrap();
            assert_eq!(is_told, left > DAY.as_secs(), "{before} ms: {left}");
        }
    }
}

/// A browser gives up the first request of a double click on "log in". The session that it was to create has no place among its owner's: nobody has its id.
#[tokio::test(start_paused = true)]
async fn a_login_whose_client_hangs_up_while_it_creates_leaves_no_session_of_its_owner() {
    use std::time::Duration;

    use axum::routing::post;
    use session_runtime::SessionData;

    for hangs_up in (0..70).step_by(10) {
        let store = Arc::new(MemoryStore::new());
        let slow = Yielding::with_ways(Arc::clone(&store), || (Duration::from_millis(20), Duration::from_millis(20)));
        let builder = SessionLayer::<Visit>::builder().store(slow).middleware(standard::lazy_session_middleware);
        let log_in = async |session: SessionData<Visit>| session.update(|visit| visit.count = 1).await;
        let layer = builder.owner(|visit: &Visit| (visit.count > 0).then_some(7)).build().unwrap();
        let mut client = Client::of(Router::new().route("/", post(log_in)).layer(layer));
        let answered = tokio::time::timeout(Duration::from_millis(hangs_up), client.post("/")).await.is_ok();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(store.len(), usize::from(answered), "after {hangs_up} ms");
    }
}

/// The same of a visitor who has a session already, as under the standard middleware.
#[tokio::test(start_paused = true)]
async fn a_login_whose_client_hangs_up_while_it_rotates_leaves_no_session_of_its_owner() {
    use std::time::Duration;

    use axum::http::StatusCode;
    use axum::routing::post;
    use session_runtime::{SessionData, WhenFull};

    for hangs_up in (0..110).step_by(10) {
        let store = Arc::new(MemoryStore::new());
        let slow = Yielding::with_ways(Arc::clone(&store), || (Duration::from_millis(20), Duration::from_millis(20)));
        let builder = SessionLayer::<Visit>::builder().store(slow);
        let builder = builder.owner(|visit: &Visit| (!visit.name.is_empty()).then(|| visit.name.clone()));
        let builder = builder.owner_limit(1).when_full(WhenFull::Refuse);
        let log_in = async |session: SessionData<Visit>| session.rotate_with(|visit| visit.name = "ada".to_owned()).await;
        let app = Router::new().route("/", post(async || "")).route("/login", post(log_in)).layer(builder.build().unwrap());
        let mut client = Client::of(app);
        client.post("/").await;
        let mut again = client.clone();
        let answered = tokio::time::timeout(Duration::from_millis(hangs_up), client.post("/login")).await.is_ok();
        tokio::time::sleep(Duration::from_secs(1)).await;
        if !answered {
            let answer = again.post("/login").await;
            assert_eq!(answer.status, StatusCode::OK, "after {hangs_up} ms: {}", answer.body);
            assert_eq!(store.len(), 1);
        }
    }
}

/// A client that hangs up, or a time limit outside of the layer: nobody gets the cookie of what a task of the request does afterwards.
#[tokio::test(start_paused = true)]
async fn a_task_that_outlives_its_request_neither_creates_nor_rotates_and_may_change_and_end() {
    use std::time::Duration;

    use axum::extract::Path;
    use axum::routing::post;
    use session_runtime::{SessionData, SessionError};

    const LONG: Duration = Duration::from_secs(60);

    async fn later(session: SessionData<Visit>, Path(what): Path<String>) -> Result<(), SessionError> {
        let task = async move {
            tokio::time::sleep(LONG).await;
            match &*what {
                "rotate" => session.rotate_with(|visit| visit.name.push('x')).await,
                "add" => session.update(|visit| visit.count += 1).await,
                _ => session.destroy().await,
            }
        };
        tokio::spawn(task).await.unwrap()
    }

    async fn middleware_of_ones_own(
        session: session_runtime::Session<Visit>,
        request: axum::extract::Request,
        next: axum::middleware::Next,
    ) -> axum::response::Response {
        standard::lazy_session_middleware(session, request, next).await
    }

    let memory = |store: &Arc<MemoryStore<Visit>>| SessionLayer::<Visit>::builder().store(Arc::clone(store));
    let slow = |store: &Arc<MemoryStore<Visit>>| SessionLayer::<Visit>::builder().store(Yielding::sharing(Arc::clone(store)));
    for kind in 0..5 {
        let store = Arc::new(MemoryStore::new());
        let layer = match kind {
            0 => memory(&store).middleware(standard::lazy_session_middleware),
            1 => memory(&store),
            2 => slow(&store).middleware(standard::lazy_session_middleware),
            3 => slow(&store),
            _ => memory(&store).middleware(middleware_of_ones_own),
        };
        let add = async |session: SessionData<Visit>| session.update(|visit| visit.count += 1).await;
        let read = async |session: SessionData<Visit>| format!("{}{}", session.name, session.count);
        let app = Router::new()
            .route("/later/{what}", post(later))
            .route("/", axum::routing::get(read).post(add))
            .layer(layer.build().unwrap());
        let mut client = Client::of(app);
        client.post("/").await;
        let hang_up = async |client: &Client, what: &str| {
            let client = client.clone();
            let path = format!("/later/{what}");
            assert!(tokio::time::timeout(LONG / 2, client.clone().post(&path)).await.is_err());
            tokio::time::sleep(LONG).await;
        };
        hang_up(&client, "rotate").await;
        assert_eq!(client.get("/").await.body, "1", "{kind}");
        hang_up(&client, "add").await;
        assert_eq!(client.get("/").await.body, "2", "{kind}");
        hang_up(&client, "logout").await;
        assert_eq!(store.len(), 0);
        if kind != 1 && kind != 3 {
            hang_up(&client, "add").await;
            assert_eq!(store.len(), 0, "{kind}");
        }
    }
}
