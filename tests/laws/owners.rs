//! Laws 17 to 20: whose sessions there are, what ends them, how many there may be, and what a change of owner does.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use session_runtime::store::{
    Created, Key, Loaded, MemoryStore, NewSession, Replaced, Rotated, Rotation, Store, StoreError, Version,
};
use session_runtime::{
    Given, Lifetime, OnStoreError, OwnerId, Session, SessionData, SessionError, SessionHandle, SessionLayer, SessionLayerBuilder,
    SessionOwner, SessionRequestExt, Sessions, WhenFull, session_owner, standard,
};
use tokio::task::JoinSet;

use crate::support::Client;
use crate::support::counting::Counting;
use crate::support::visit::Pause;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Visit {
    user: Option<u64>,
    role: String,
    pages: u64,
}

#[session_owner(Visit)]
fn owner(visit: &Visit) -> Option<u64> {
    visit.user
}

type Kept = Counting<MemoryStore<Visit>>;
type Builder = SessionLayerBuilder<Visit, Given<Visit>>;
type Visitor = SessionData<Visit>;
type Answer<R> = Result<R, SessionError>;

const HOUR: Duration = Duration::from_secs(3600);

fn standard() -> (Builder, Kept) {
    let store = Counting::new(MemoryStore::new());
    let builder = SessionLayer::<Visit>::builder().default_data(Visit::default()).store(store.clone());
    (builder.owner(owner), store)
}

fn lazy() -> (Builder, Kept) {
    let (builder, store) = standard();
    (builder.middleware(standard::lazy_session_middleware), store)
}

async fn login(session: Visitor, Path(user): Path<u64>) -> Answer<()> {
    session.rotate_with(|visit| visit.user = Some(user)).await
}

async fn update(session: Visitor, Path(user): Path<u64>) -> Answer<()> {
    session.update(|visit| visit.user = Some(user)).await
}

async fn try_update(session: Visitor, Path(user): Path<u64>) -> Answer<()> {
    session
        .try_update(|visit| {
            visit.user = Some(user);
            Ok(())
        })
        .await
}

async fn set(session: Visitor, Path(user): Path<u64>) -> Answer<()> {
    session.set(Visit { user: Some(user), ..Visit::clone(&session) }).await
}

async fn replace(session: Session<Visit>, Path(user): Path<u64>, request: Request) -> Answer<()> {
    let visit = session.get_data(&request).await?;
    session.update_session(&request, Visit { user: Some(user), ..Visit::clone(&visit) }).await
}

async fn forget(session: Visitor) -> Answer<()> {
    session.update(|visit| visit.user = None).await
}

async fn add(session: Visitor) -> Answer<String> {
    session.update(|visit| visit.pages += 1).await?;
    Ok(String::new())
}

async fn read(session: Visitor) -> String {
    format!("{:?} {:?} {}", session.user, session.role, session.pages)
}

/// The handles, the one that was used last first; the request's own with a star.
async fn list(session: Visitor) -> Answer<String> {
    let shown = session.list().await?.into_iter().map(|info| {
        assert!(info.data().user == session.user && info.created_at() <= info.last_used_at() + Duration::from_millis(1));
        format!("{}{}", info.handle(), if info.is_current() { "*" } else { "" })
    });
    Ok(shown.collect::<Vec<_>>().join(" "))
}

async fn end(session: Visitor, Path(handle): Path<SessionHandle>) -> Response {
    match session.end(&handle).await {
        Ok(true) => StatusCode::OK.into_response(),
        Ok(false) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => error.into_response(),
    }
}

async fn slow(pause: &Pause, then: impl Future<Output = Answer<()>>) -> Answer<()> {
    pause.here().await;
    then.await
}

fn router(builder: Builder) -> Router {
    router_with(builder, Pause::default())
}

fn router_with(builder: Builder, pause: Pause) -> Router {
    router_of(builder.build().unwrap(), pause)
}

fn router_of(layer: SessionLayer<Visit>, pause: Pause) -> Router {
    Router::new()
        .route("/read", get(read))
        .route("/add", post(add))
        .route("/login/{user}", post(login))
        .route("/update/{user}", post(update))
        .route("/try/{user}", post(try_update))
        .route("/set/{user}", post(set))
        .route("/replace/{user}", post(replace))
        .route("/forget", post(forget))
        .route("/list", get(list))
        .route("/end/{handle}", post(end))
        .route("/end-others", post(async |session: Visitor| session.end_others().await.map(|ended| ended.to_string())))
        .route("/end-all", post(async |session: Visitor| session.end_all().await.map(|ended| ended.to_string())))
        .route("/confirm", post(async |session: Visitor| session.confirm().await))
        .route("/rotate", post(async |session: Visitor| session.rotate().await))
        .route("/logout", post(async |session: Visitor| session.destroy().await))
        .route("/fresh/{seconds}", get(fresh))
        .route("/remember", post(remember))
        .route("/short", post(short))
        .route("/left", get(async |session: Visitor| format!("{:?}", session.expires_in().map(|left| left.as_secs()))))
        .route("/me", get(async |user: SessionOwner<Visit>| user.to_string()))
        .route("/maybe", get(async |user: Option<SessionOwner<Visit>>| format!("{:?}", user.map(SessionOwner::into_inner))))
        .route("/role/{user}/{role}", post(take_role))
        .route(
            "/slow/add",
            post(async |State(pause): State<Pause>, session: Visitor| {
                slow(&pause, session.update(|visit| visit.pages += 1)).await
            }),
        )
        .route(
            "/slow/end-others",
            post(async |State(pause): State<Pause>, session: Visitor| {
                slow(&pause, async { session.end_others().await.map(drop) }).await
            }),
        )
        .route(
            "/slow/end-all",
            post(async |State(pause): State<Pause>, session: Visitor| {
                slow(&pause, async { session.end_all().await.map(drop) }).await
            }),
        )
        .route("/slow/rotate", post(async |State(pause): State<Pause>, session: Visitor| slow(&pause, session.rotate()).await))
        .with_state(pause)
        .layer(layer)
}

async fn fresh(session: Visitor, Path(seconds): Path<u64>) -> Answer<()> {
    session.require_fresh(Duration::from_secs(seconds))
}

async fn remember(session: Visitor) -> Answer<()> {
    session.set_lifetime(Lifetime::idle(100 * HOUR).persistent(true)).await
}

async fn short(session: Visitor) -> Answer<()> {
    session.set_lifetime(Lifetime::idle(HOUR / 2).persistent(false)).await
}

async fn take_role(sessions: Sessions<Visit>, Path((user, role)): Path<(u64, String)>) -> Answer<String> {
    sessions.update_each(user, |visit| visit.role.clone_from(&role)).await.map(|changed| changed.to_string())
}

async fn logged_in(app: &Router, user: u64) -> Client {
    let mut client = Client::of(app.clone());
    assert_eq!(client.post(&format!("/login/{user}")).await.status, StatusCode::OK);
    client
}

async fn handles(client: &mut Client) -> Vec<String> {
    let answer = client.get("/list").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body.split_whitespace().map(str::to_owned).collect()
}

fn own(handles: &[String]) -> String {
    let own = handles.iter().find_map(|handle| handle.strip_suffix('*'));
    own.expect("the request's own session is listed").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_list_shows_an_owners_sessions_the_one_used_last_first_and_no_id() {
    let app = router(lazy().0);
    let mut first = logged_in(&app, 7).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let mut second = logged_in(&app, 7).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let mut other = logged_in(&app, 8).await;
    let listed = handles(&mut second).await;
    assert_eq!(listed.len(), 2);
    assert!(listed[0].ends_with('*'), "{listed:?}");
    assert_eq!(handles(&mut other).await.len(), 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    first.post("/add").await;
    let again = handles(&mut first).await;
    assert_eq!(own(&again), listed[1]);
    assert!(again[0].ends_with('*'), "it was used last: {again:?}");
    // It keeps its name when its id changes.
    first.post("/rotate").await;
    assert_eq!(own(&handles(&mut first).await), listed[1]);
    let page = first.get("/list").await.body;
    for client in [&first, &second] {
        let id = client.cookie.as_deref().and_then(|cookie| cookie.split_once('=')).unwrap().1;
        assert!(!page.contains(id));
    }
    // A guest has none.
    assert_eq!(handles(&mut Client::of(app)).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_session_that_is_ended_by_its_owner_is_gone_and_another_owner_cannot_end_it() {
    let app = router(lazy().0);
    let (mut laptop, mut phone, mut thief) = (logged_in(&app, 7).await, logged_in(&app, 7).await, logged_in(&app, 8).await);
    let handle = own(&handles(&mut phone).await);
    assert_eq!(thief.post(&format!("/end/{handle}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(phone.get("/read").await.body, "Some(7) \"\" 0");
    assert_eq!(laptop.post(&format!("/end/{handle}")).await.status, StatusCode::OK);
    assert_eq!(laptop.post(&format!("/end/{handle}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(phone.post("/rotate").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(handles(&mut laptop).await.len(), 1);
    // The own one, by its handle: the client is told.
    let own_handle = own(&handles(&mut laptop).await);
    let answer = laptop.post(&format!("/end/{own_handle}")).await;
    assert!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=0")), "{:?}", answer.headers);
    assert_eq!(laptop.cookie, None);
}

#[tokio::test]
async fn the_others_or_all_sessions_of_an_owner_are_ended_and_nobody_elses() {
    let (builder, store) = lazy();
    let app = router(builder);
    let mut clients = [logged_in(&app, 7).await, logged_in(&app, 7).await, logged_in(&app, 7).await];
    let mut other = logged_in(&app, 8).await;
    store.take();
    let answer = clients[0].post("/end-others").await;
    assert_eq!((answer.body.as_str(), answer.set_cookie()), ("2", None));
    assert_eq!(store.take(), ["load", "end"]);
    assert_eq!(clients[0].get("/me").await.body, "7");
    assert_eq!(clients[1].get("/me").await.status, StatusCode::UNAUTHORIZED);
    let answer = clients[0].post("/end-all").await;
    assert_eq!(answer.body, "1");
    assert!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=0")));
    assert_eq!(other.get("/me").await.body, "8");
    assert_eq!(store.store.len(), 1);
}

#[tokio::test]
async fn nothing_that_was_under_way_survives_the_end_of_all() {
    for path in ["/slow/add", "/slow/rotate"] {
        let pause = Pause::default();
        let (builder, store) = lazy();
        let app = router_with(builder, pause.clone());
        let (mut laptop, mut phone) = (logged_in(&app, 7).await, logged_in(&app, 7).await);
        let late = tokio::spawn(async move { (phone.post(path).await.status, phone) });
        pause.arrived.notified().await;
        assert_eq!(laptop.post("/end-all").await.body, "2");
        pause.go_on.notify_one();
        let (status, mut phone) = late.await.unwrap();
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(phone.get("/me").await.status, StatusCode::UNAUTHORIZED);
        assert!(store.store.is_empty());
        // A login after that is not ended.
        assert_eq!(logged_in(&app, 7).await.get("/me").await.body, "7");
    }
}

#[tokio::test]
async fn a_change_of_owner_is_a_rotation_whatever_makes_it() {
    for (path, builder) in
        ["/update/7", "/try/7", "/set/7", "/replace/7"].into_iter().flat_map(|path| [(path, lazy().0), (path, standard().0)])
    {
        let app = router(builder);
        let mut client = Client::of(app.clone());
        client.post("/add").await;
        let guest = client.clone();
        let answer = client.post(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        assert!(answer.set_cookie().is_some() && client.cookie != guest.cookie, "{path}");
        assert_eq!(client.get("/read").await.body, "Some(7) \"\" 1");
        // The old id is the attacker's who planted it (session fixation).
        assert_eq!(guest.send_as_it_is(Method::GET, "/read").await.body, "None \"\" 0", "{path}");
        // The same owner again changes nothing of the id.
        let again = client.post(path).await;
        assert_eq!((again.status, again.set_cookie()), (StatusCode::OK, None), "{path}");
        // Another one, and nobody.
        let before = client.cookie.clone();
        assert!(client.post(&path.replace('7', "8")).await.set_cookie().is_some(), "{path}");
        assert!(client.cookie != before);
        let before = client.cookie.clone();
        assert!(client.post("/forget").await.set_cookie().is_some());
        assert!(client.cookie != before);
        assert_eq!(client.get("/read").await.body, "None \"\" 1");
    }
}

/// The id comes in a header, whose client does not get to know a new one.
fn by_header(builder: Builder) -> Builder {
    builder.session_id_callback(|parts: &mut axum::http::request::Parts| {
        let id = parts.headers.get("x-session").and_then(|id| id.to_str().ok()).map(str::to_owned);
        parts.set_session_id(id);
    })
}

async fn send_by_header(client: &Client, method: Method, path: &str, id: &str) -> crate::support::Answer {
    let request = Request::builder().method(method).uri(path).header("host", "example.com").header("x-session", id);
    client.request(request.body(axum::body::Body::empty()).unwrap()).await
}

fn id_of(client: &Client) -> String {
    client.cookie.as_deref().and_then(|cookie| cookie.split_once('=')).unwrap().1.to_owned()
}

#[tokio::test]
async fn a_change_of_owner_that_the_client_would_not_get_to_know_is_refused() {
    let (builder, _) = lazy();
    let app = router(by_header(builder));
    let mut client = Client::of(app.clone());
    client.post("/add").await;
    let id = id_of(&client);
    let send = async |method, path: &str, id: &str| send_by_header(&client, method, path, id).await;
    for path in ["/update/7", "/set/7"] {
        let answer = send(Method::POST, path, &id).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.body.contains("rotate_with"), "{}", answer.body);
    }
    assert_eq!(send(Method::GET, "/read", &id).await.body, "None \"\" 1", "nothing was written");
    assert_eq!(send(Method::POST, "/login/7", &id).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_change_of_owner_after_the_heads_departure_stores_nothing() {
    let (builder, store) = lazy();
    let (send, mut answers) = tokio::sync::mpsc::channel(1);
    let app = Router::new()
        .route("/add", post(add))
        .route("/read", get(read))
        .route(
            "/stream",
            get(async move |session: Visitor| {
                tokio::spawn(async move {
                    // When the head has left: until then it works.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let late = session.update(|visit| visit.user = Some(7)).await;
                    let edit = session.update(|visit| visit.pages += 1).await;
                    let _ = send.send((late, edit)).await;
                });
            }),
        )
        .layer(builder.build().unwrap());
    let mut client = Client::of(app);
    client.post("/add").await;
    client.get("/stream").await;
    let (late, edit) = answers.recv().await.unwrap();
    assert!(matches!(late, Err(SessionError::ResponseStarted)), "{late:?}");
    assert!(edit.is_ok());
    assert_eq!(client.get("/read").await.body, "None \"\" 2");
    assert_eq!(store.store.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_logins_at_once_leave_as_many_sessions_as_allowed() {
    for when_full in [WhenFull::EndOldest, WhenFull::Refuse] {
        let app = router(lazy().0.owner_limit(5).when_full(when_full));
        let mut logins: JoinSet<_> = (0..50)
            .map(|number| {
                let mut client = Client::of(app.clone());
                async move {
                    // Half of them are guests before.
                    if number % 2 == 0 {
                        client.post("/add").await;
                    }
                    (client.post("/login/7").await.status, client)
                }
            })
            .collect();
        let (mut succeeded, mut live) = (0, 0);
        let mut clients = Vec::new();
        while let Some(login) = logins.join_next().await {
            let (status, client) = login.unwrap();
            assert!(status == StatusCode::OK || status == StatusCode::CONFLICT && when_full == WhenFull::Refuse, "{status}");
            succeeded += usize::from(status == StatusCode::OK);
            clients.push(client);
        }
        for client in &mut clients {
            live += usize::from(client.get("/me").await.status == StatusCode::OK);
        }
        assert_eq!(live, 5, "{when_full:?}");
        assert_eq!(succeeded, if when_full == WhenFull::Refuse { 5 } else { 50 });
        // Another user is not concerned.
        assert_eq!(logged_in(&app, 8).await.get("/me").await.body, "8");
    }
}

#[tokio::test]
async fn a_login_that_is_refused_leaves_the_guest_a_guest() {
    let app = router(lazy().0.owner_limit(1).when_full(WhenFull::Refuse));
    logged_in(&app, 7).await;
    let mut guest = Client::of(app);
    guest.post("/add").await;
    let answer = guest.post("/login/7").await;
    assert_eq!((answer.status, answer.set_cookie()), (StatusCode::CONFLICT, None));
    assert_eq!(guest.get("/read").await.body, "None \"\" 1");
    assert_eq!(guest.post("/login/8").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_gone_in_every_session_at_once() {
    let (builder, store) = lazy();
    let layer = builder.build().unwrap();
    let app = router_of(layer.clone(), Pause::default());
    let (mut laptop, mut phone, mut other) = (logged_in(&app, 7).await, logged_in(&app, 7).await, logged_in(&app, 8).await);
    assert_eq!(laptop.post("/role/7/admin").await.body, "2");
    assert_eq!(phone.get("/read").await.body, "Some(7) \"admin\" 0");
    store.take();
    // Also outside of a request.
    let sessions = layer.sessions();
    assert_eq!(sessions.update_each(7, |visit| visit.role.clear()).await.unwrap(), 2);
    assert_eq!(store.take(), ["list", "replace_listed", "replace_listed"]);
    for client in [&mut laptop, &mut phone] {
        assert_eq!(client.get("/read").await.body, "Some(7) \"\" 0");
    }
    assert_eq!(other.get("/read").await.body, "Some(8) \"\" 0");
    assert!(matches!(sessions.update_each(7, |visit| visit.user = Some(8)).await, Err(SessionError::OwnerChange)));
    assert_eq!(sessions.count(7_u32).await.unwrap(), 2);
    assert_eq!(sessions.list(&7_u64).await.unwrap().len(), 2);
    let handle = sessions.list(7).await.unwrap()[0].handle();
    assert!(!sessions.end(8, &handle).await.unwrap() && sessions.end(7, &handle).await.unwrap());
    assert_eq!(sessions.end_all(7).await.unwrap(), 1);
    assert_eq!(sessions.end_all(9).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_remembered_session_has_limits_of_its_own_through_changes_and_rotations() {
    let (builder, _) = lazy();
    let app = router(builder.session_expire(HOUR).absolute_expire(2 * HOUR));
    let (mut remembered, mut short) = (logged_in(&app, 7).await, logged_in(&app, 7).await);
    let answer = remembered.post("/remember").await;
    assert!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=360000")), "{:?}", answer.headers);
    assert_eq!(short.post("/add").await.set_cookie(), None);
    for _ in 0..10 {
        remembered.post("/add").await;
    }
    let answer = remembered.post("/rotate").await;
    assert!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=360000")), "{:?}", answer.headers);
    tokio::time::advance(50 * HOUR).await;
    assert_eq!(short.get("/me").await.status, StatusCode::UNAUTHORIZED);
    // Half of its own limit has passed: a read renews it, and the cookie moves with it.
    let answer = remembered.get("/left").await;
    assert_eq!(answer.body, "Some(180000)");
    assert!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=360000")), "{:?}", answer.headers);
    tokio::time::advance(99 * HOUR).await;
    assert_eq!(remembered.get("/me").await.body, "7");
    // And back.
    let answer = remembered.post("/short").await;
    assert!(answer.set_cookie().is_some_and(|cookie| !cookie.contains("Max-Age")), "{:?}", answer.headers);
    assert_eq!(remembered.post("/add").await.set_cookie(), None);
    // The client has nothing to learn of it.
    assert_eq!(remembered.post("/short").await.set_cookie(), None);
    tokio::time::advance(HOUR / 2).await;
    assert_eq!(remembered.get("/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(start_paused = true)]
async fn only_a_login_and_a_confirmation_make_a_session_fresh() {
    let app = router(lazy().0);
    let mut client = Client::of(app);
    client.post("/add").await;
    assert_eq!(client.get("/fresh/300").await.status, StatusCode::UNAUTHORIZED, "a guest proved nothing");
    tokio::time::advance(Duration::from_secs(1000)).await;
    client.post("/login/7").await;
    assert_eq!(client.get("/fresh/0").await.status, StatusCode::OK);
    tokio::time::advance(Duration::from_secs(301)).await;
    client.get("/read").await;
    client.post("/add").await;
    client.post("/rotate").await;
    let answer = client.get("/fresh/300").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains("error=\"insufficient_user_authentication\"") && challenge.contains("max_age=\"300\""),
        "{challenge}"
    );
    assert_eq!(client.get("/fresh/301").await.status, StatusCode::OK);
    let before = client.cookie.clone();
    assert_eq!(client.post("/confirm").await.status, StatusCode::OK);
    assert!(client.cookie != before);
    assert_eq!(client.get("/fresh/0").await.status, StatusCode::OK);
    // Whoever is nobody again proved nothing.
    client.post("/forget").await;
    assert_eq!(client.get("/fresh/300").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn two_confirmations_at_once_leave_one_id() {
    let (builder, store) = lazy();
    let app = router(builder);
    let client = logged_in(&app, 7).await;
    let (mut one, mut other) = (client.clone(), client.clone());
    let answers = tokio::join!(one.post("/confirm"), other.post("/confirm"));
    let statuses = [answers.0.status, answers.1.status];
    assert!(statuses.contains(&StatusCode::OK), "{statuses:?}");
    assert_eq!(store.store.len(), 1);
    let mut renewed = 0;
    for (mut confirmed, status) in [one, other].into_iter().zip(statuses) {
        // Who was confirmed has the new id; who was refused keeps the old one, for a moment.
        assert_eq!(status == StatusCode::OK, confirmed.cookie != client.cookie);
        if status == StatusCode::OK {
            renewed += 1;
            assert_eq!(confirmed.get("/me").await.body, "7");
        }
    }
    assert_eq!(renewed, 1);
}

#[tokio::test]
async fn who_is_logged_in_is_an_extractor_that_sends_browsers_to_the_login_page() {
    let app = router(lazy().0.login_path("/login"));
    let mut client = Client::of(app.clone());
    assert_eq!(client.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(client.get("/maybe").await.body, "None");
    let browser = |path: &str| {
        let request = Request::builder().uri(path).header("host", "example.com").header("sec-fetch-mode", "navigate");
        client.request(request.body(axum::body::Body::empty()).unwrap())
    };
    let answer = browser("/me?tab=2").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.headers["location"], "/login?next=/me%3Ftab%3D2");
    client.post("/login/7").await;
    assert_eq!(client.get("/me").await.body, "7");
    assert_eq!(client.get("/maybe").await.body, "Some(7)");
    // In a nested router it is the page that the browser asked for.
    let nested = Router::new().nest("/shop", app);
    let request = Request::builder().uri("/shop/me").header("host", "example.com").header("sec-fetch-mode", "navigate");
    let answer = Client::of(nested).request(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(answer.headers["location"], "/login?next=/shop/me");
    // As a guard.
    let guarded = Router::new()
        .route("/", get(async || "inside"))
        .route_layer(axum::middleware::from_extractor::<SessionOwner<Visit>>())
        .route("/login/{user}", post(login))
        .layer(lazy().0.build().unwrap());
    let mut client = Client::of(guarded);
    assert_eq!(client.get("/").await.status, StatusCode::UNAUTHORIZED);
    client.post("/login/7").await;
    assert_eq!(client.get("/").await.body, "inside");
}

#[tokio::test]
async fn what_an_owner_costs_in_store_calls() {
    let (builder, store) = lazy();
    let app = router(builder.owner_limit(5));
    let mut client = Client::of(app.clone());
    client.post("/login/7").await;
    assert_eq!(store.take(), ["create"]);
    client.post("/update/7").await;
    assert_eq!(store.take(), ["load", "replace"]);
    client.post("/update/8").await;
    assert_eq!(store.take(), ["load", "rotate"]);
    client.post("/confirm").await;
    assert_eq!(store.take(), ["load", "rotate"]);
    client.post("/remember").await;
    assert_eq!(store.take(), ["load", "replace"]);
    client.get("/list").await;
    assert_eq!(store.take(), ["load", "list"]);
    client.get("/fresh/9").await;
    assert_eq!(store.take(), ["load"]);
}

#[tokio::test]
async fn without_an_owner_nothing_is_listed_and_without_a_function_that_is_said() {
    let (builder, _) = lazy();
    let app = router(builder);
    let mut guest = Client::of(app);
    guest.post("/add").await;
    assert_eq!(guest.post("/end-all").await.body, "0");
    assert_eq!(guest.get("/read").await.status, StatusCode::OK);
    let builder = SessionLayer::<Visit>::builder().default_data(Visit::default());
    let app = router(builder.middleware(standard::lazy_session_middleware));
    let answer = logged_in(&app, 7).await.get("/list").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.body.contains("#[session_owner("), "{}", answer.body);
}

/// A store that was written before there were owners.
struct Old(MemoryStore<Visit>);

impl Store<Visit> for Old {
    async fn create(&self, key: Key<'_>, session: NewSession<Visit>) -> Result<Created, StoreError> {
        self.0.create(key, session).await
    }

    async fn load(&self, key: Key<'_>) -> Result<Loaded<Visit>, StoreError> {
        self.0.load(key).await
    }

    async fn replace(
        &self,
        key: Key<'_>,
        expected: Version,
        change: session_runtime::store::Change<Visit>,
    ) -> Result<Replaced, StoreError> {
        self.0.replace(key, expected, change).await
    }

    async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.0.touch(key).await
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, rotation: Rotation<Visit>) -> Result<Rotated, StoreError> {
        self.0.rotate(old, new, rotation).await
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.0.delete(key).await
    }
}

#[test]
fn a_layer_refuses_what_its_store_cannot_keep_and_what_makes_no_sense() {
    let builder = || SessionLayer::<Visit>::builder().default_data(Visit::default());
    let owned = || builder().owner(|visit: &Visit| visit.user);
    for (refused, option) in [
        (owned().store(Old(MemoryStore::new())).build(), "owner"),
        (owned().owner_limit(0).build(), "owner_limit"),
        (builder().owner_limit(1).build(), "owner_limit"),
        (owned().login_path("//example.com").build(), "login_path"),
        (owned().login_path("login").build(), "login_path"),
    ] {
        assert_eq!(refused.err().map(|error| error.option()), Some(option));
    }
}

/// A session of 7 that was stored before the layer knew owners, and the layer that knows them.
async fn stored_before(options: impl FnOnce(Builder) -> Builder) -> (Router, Client, Kept) {
    stored_before_with(options, Pause::default()).await
}

async fn stored_before_with(options: impl FnOnce(Builder) -> Builder, pause: Pause) -> (Router, Client, Kept) {
    let store = Counting::new(MemoryStore::new());
    let layer = || {
        let builder = SessionLayer::<Visit>::builder().default_data(Visit::default()).store(store.clone());
        builder.middleware(standard::lazy_session_middleware)
    };
    let client = logged_in(&router(layer()), 7).await;
    let app = router_with(options(layer().owner(owner)), pause);
    let client = Client::of(app.clone()).with_cookie(client.cookie.unwrap());
    (app, client, store)
}

#[tokio::test]
async fn a_session_that_was_stored_before_there_were_owners_is_listed_from_its_next_change() {
    for full in [false, true] {
        let (app, mut old, store) = stored_before(|builder| builder.owner_limit(1).when_full(WhenFull::Refuse)).await;
        assert_eq!(old.get("/me").await.body, "7");
        assert_eq!(handles(&mut old).await.len(), 0);
        let others = if full { vec![logged_in(&app, 7).await] } else { Vec::new() };
        store.take();
        // Its user is logged in already: no limit refuses that, and nothing is proved by it.
        assert!(old.post("/add").await.set_cookie().is_some(), "it gets a new id");
        assert_eq!(store.take(), ["load", "rotate"]);
        assert_eq!(old.get("/fresh/300").await.status, StatusCode::UNAUTHORIZED);
        let listed = handles(&mut old).await;
        assert_eq!(listed.len(), 1 + others.len());
        assert_eq!(old.post("/add").await.set_cookie(), None);
        assert_eq!(old.get("/read").await.body, "Some(7) \"\" 2");
        assert_eq!(own(&handles(&mut old).await), own(&listed));
    }
}

/// What its client would not get to know, it does not get.
#[tokio::test]
async fn a_session_that_was_stored_before_there_were_owners_is_changed_under_its_id_where_the_client_cannot_be_told_of_another() {
    let (app, old, store) = stored_before(by_header).await;
    let id = id_of(&old);
    store.take();
    assert_eq!(send_by_header(&old, Method::POST, "/add", &id).await.status, StatusCode::OK);
    assert_eq!(store.take(), ["load", "replace"]);
    assert_eq!(send_by_header(&old, Method::GET, "/read", &id).await.body, "Some(7) \"\" 1");
    assert_eq!(send_by_header(&old, Method::POST, "/update/8", &id).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    // Explicitly it works, and then it is listed.
    let new = id_of(&logged_in(&app, 7).await);
    assert_eq!(send_by_header(&old, Method::POST, "/rotate", &id).await.status, StatusCode::OK);
    let listed = send_by_header(&old, Method::GET, "/list", &new).await.body;
    assert_eq!(listed.split_whitespace().count(), 2);
}

/// The other gives the session a new id, under which it is listed and this request does not know it.
#[tokio::test]
async fn whoever_ends_sessions_in_one_that_another_request_has_listed_meanwhile_ends_nothing_and_says_so() {
    for path in ["/slow/end-others", "/slow/end-all"] {
        let pause = Pause::default();
        let (app, mut old, _) = stored_before_with(|builder| builder, pause.clone()).await;
        let mut new = logged_in(&app, 7).await;
        let before = old.clone();
        let ending = tokio::spawn(async move { before.send_as_it_is(Method::POST, path).await });
        pause.arrived.notified().await;
        assert_eq!(old.post("/add").await.status, StatusCode::OK);
        pause.go_on.notify_one();
        assert_eq!(ending.await.unwrap().status, StatusCode::CONFLICT, "{path}");
        assert_eq!((old.get("/me").await.body, new.get("/me").await.body), ("7".to_owned(), "7".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_session_that_was_stored_before_there_were_owners_is_one_of_its_owners_for_whoever_ends_them_in_it() {
    for (path, ended, is_left) in [("/end-others", "1", true), ("/end-all", "2", false)] {
        let (app, mut old, _) = stored_before(|builder| builder).await;
        let (mut new, mut stranger) = (logged_in(&app, 7).await, logged_in(&app, 8).await);
        let answer = old.post(path).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, ended), "{path}");
        assert_eq!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=0")), !is_left);
        assert_eq!(new.get("/me").await.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(stranger.get("/me").await.body, "8");
        assert_eq!(old.get("/me").await.status.is_success(), is_left, "{path}");
    }
}

/// "Log out everywhere" must not say that it was done where it was not.
#[tokio::test]
async fn a_request_that_does_not_know_its_own_session_ends_and_lists_nothing_and_says_so() {
    let (builder, store) = lazy();
    let app = router(builder.on_store_error(OnStoreError::Anonymous));
    let (mut laptop, mut phone) = (logged_in(&app, 7).await, logged_in(&app, 7).await);
    let before = laptop.clone();
    laptop.post("/rotate").await;
    let from_elsewhere = async |path: &str| {
        let request = Request::builder().method(Method::POST).uri(path).header("host", "example.com");
        let request = request.header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate");
        Client::of(app.clone()).request(request.body(axum::body::Body::empty()).unwrap()).await
    };
    let handle = own(&handles(&mut phone).await);
    for path in ["/end-all", "/end-others", &format!("/end/{handle}")] {
        assert_eq!(before.send_as_it_is(Method::POST, path).await.status, StatusCode::CONFLICT, "{path}: just rotated");
        assert_eq!(from_elsewhere(path).await.status, StatusCode::FORBIDDEN, "{path}: withheld");
        store.set_down(true);
        assert_eq!(phone.send_as_it_is(Method::POST, path).await.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: down");
        store.set_down(false);
    }
    assert_eq!(before.send_as_it_is(Method::GET, "/list").await.status, StatusCode::CONFLICT);
    assert_eq!(handles(&mut laptop).await.len(), 2);
    assert_eq!(phone.get("/me").await.body, "7");
}

/// Else it would take as long as the store's timeout for each of them.
#[tokio::test]
async fn a_change_of_all_sessions_ends_with_the_store() {
    let (builder, store) = lazy();
    let layer = builder.build().unwrap();
    let app = router_of(layer.clone(), Pause::default());
    for _ in 0..3 {
        logged_in(&app, 7).await;
    }
    store.take();
    let sessions = layer.sessions();
    let taken = sessions.update_each(7, |visit| {
        store.set_down(true);
        visit.role.clear();
    });
    assert!(matches!(taken.await, Err(error) if error.status() == StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(store.take(), ["list", "replace_listed"]);
}

/// The role must be gone wherever it can be.
#[tokio::test]
async fn a_change_of_all_sessions_goes_on_after_one_that_fails() {
    for failing in 0..3 {
        let (builder, _) = lazy();
        let layer = builder.build().unwrap();
        let app = router_of(layer.clone(), Pause::default());
        let mut clients = Vec::new();
        for number in 0..3 {
            let mut client = logged_in(&app, 7).await;
            if number == failing {
                client.post("/add").await;
            }
            clients.push(client);
        }
        let sessions = layer.sessions();
        let taken = sessions.update_each(7, |visit| {
            visit.role = "guest".to_owned();
            // One that the application does not get right.
            visit.user = Some(if visit.pages == 1 { 8 } else { 7 });
        });
        assert!(matches!(taken.await, Err(SessionError::OwnerChange)));
        for (number, client) in clients.iter_mut().enumerate() {
            let expected = if number == failing { "Some(7) \"\" 1" } else { "Some(7) \"guest\" 0" };
            assert_eq!(client.get("/read").await.body, expected, "{failing} {number}");
        }
    }
}

/// An owner of several parts, as an application has them.
struct Tenant(&'static str, u64);

impl OwnerId for Tenant {
    fn write(&self, owner: &mut session_runtime::OwnerBytes) {
        self.0.write(owner);
        self.1.write(owner);
    }
}

#[tokio::test]
async fn an_owner_of_ones_own_type_is_told_by_all_its_parts() {
    let store = MemoryStore::new();
    let layer = SessionLayer::<Visit>::builder()
        .default_data(Visit::default())
        .store(store)
        .middleware(standard::lazy_session_middleware)
        .owner(|visit: &Visit| visit.user.map(|user| Tenant("shop", user)))
        .build()
        .unwrap();
    let app = router_of(layer.clone(), Pause::default());
    logged_in(&app, 7).await;
    let sessions = layer.sessions();
    assert_eq!(sessions.count(Tenant("shop", 7)).await.unwrap(), 1);
    for other in [Tenant("shop", 8), Tenant("blog", 7)] {
        assert_eq!(sessions.count(other).await.unwrap(), 0);
    }
}

/// Whoever is sent to the login page loses his work.
#[tokio::test]
async fn a_guard_sends_nobody_to_the_login_page_for_an_outage() {
    for answer in [OnStoreError::Fail, OnStoreError::Anonymous] {
        for (builder, store) in [standard(), lazy()] {
            let layer = builder.on_store_error(answer).login_path("/login").build().unwrap();
            let handler = async |user: SessionOwner<Visit>| user.to_string();
            let app = Router::new().route("/me", get(handler)).route("/login/{user}", post(login)).layer(layer);
            let mut client = Client::of(app);
            client.post("/login/7").await;
            let open = async || {
                let request = axum::http::Request::get("/me").header("sec-fetch-mode", "navigate");
                client
                    .request(request.header("cookie", client.cookie.as_ref().unwrap()).body(axum::body::Body::empty()).unwrap())
                    .await
            };
            store.set_down(true);
            let answer = open().await;
            assert_eq!((answer.status, answer.header("location")), (StatusCode::SERVICE_UNAVAILABLE, None));
            store.set_down(false);
            assert_eq!(open().await.body, "7");
        }
    }
}
