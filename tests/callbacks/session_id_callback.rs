//! A `session_id_callback` of every form, registered or passed by name, is the one that runs.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::request::Parts;
use axum::routing::get;
use session_runtime::{
    SessionData, SessionError, SessionId, SessionLayer, SessionRequestExt, session, session_id_callback, standard,
};

use crate::support::Client;

type BoxFuture<'a, R> = Pin<Box<dyn Future<Output = R> + Send + 'a>>;

fn header<'r>(request: &'r Parts, name: &str) -> Option<&'r str> {
    request.headers.get(name)?.to_str().ok()
}

/// A data type, and the callback that is registered for it, which looks into a header of its own.
macro_rules! data {
    ($($data:ident)*) => {$(
        #[derive(Clone, Default)]
        struct $data;
    )*};
}

data!(Unregistered Sets SetsLater SetsByImpl SetsByBox Finds FindsOwned FindsId FindsLater FindsByImpl FindsByBox One Other);

#[session_id_callback(Sets)]
fn sets(request: &mut Parts) {
    let id = header(request, "x-sets").map(str::to_owned);
    request.set_session_id(id);
}

#[session_id_callback(SetsLater)]
async fn sets_later(request: &mut Parts) {
    tokio::task::yield_now().await;
    let id = header(request, "x-sets-later").map(str::to_owned);
    request.set_session_id(id);
}

#[expect(clippy::manual_async_fn, reason = "it is the form that is tested")]
#[session_id_callback(SetsByImpl)]
fn sets_by_impl(request: &mut Parts) -> impl Future<Output = ()> + Send {
    async {
        tokio::task::yield_now().await;
        let id = header(request, "x-sets-by-impl").map(str::to_owned);
        request.set_session_id(id);
    }
}

#[session_id_callback(SetsByBox)]
fn sets_by_box(request: &mut Parts) -> BoxFuture<'_, ()> {
    Box::pin(async {
        tokio::task::yield_now().await;
        let id = header(request, "x-sets-by-box").map(str::to_owned);
        request.set_session_id(id);
    })
}

#[session_id_callback(Finds)]
fn finds(request: &Parts) -> Option<&str> {
    header(request, "x-finds")
}

#[session_id_callback(FindsOwned)]
fn finds_owned(request: &Parts) -> Option<String> {
    header(request, "x-finds-owned").map(str::to_owned)
}

#[session_id_callback(FindsId)]
fn finds_id(request: &Parts) -> Option<SessionId> {
    SessionId::parse(header(request, "x-finds-id")?).ok()
}

#[session_id_callback(FindsLater)]
async fn finds_later(request: &Parts) -> Option<&str> {
    tokio::task::yield_now().await;
    header(request, "x-finds-later")
}

#[expect(clippy::manual_async_fn, reason = "it is the form that is tested")]
#[session_id_callback(FindsByImpl)]
fn finds_by_impl(request: &Parts) -> impl Future<Output = Option<String>> + Send {
    async {
        tokio::task::yield_now().await;
        header(request, "x-finds-by-impl").map(str::to_owned)
    }
}

#[session_id_callback(FindsByBox)]
fn finds_by_box(request: &Parts) -> BoxFuture<'_, Option<&str>> {
    Box::pin(async {
        tokio::task::yield_now().await;
        header(request, "x-finds-by-box")
    })
}

#[session_id_callback(One, Other)]
fn finds_for_two(request: &Parts) -> Option<&str> {
    header(request, "x-for-two")
}

/// Creates a session, and asks for it by each of these headers, the first of which is `cookie`: which of them is heard?
async fn heard<T: Clone + Send + Sync + 'static>(layer: SessionLayer<T>, headers: &[&str]) -> Vec<String> {
    async fn create<T: Clone + Send + Sync + 'static>(session: SessionData<T>) -> Result<(), SessionError> {
        session.update(|_| ()).await
    }
    async fn exists<T: Clone + Send + Sync + 'static>(session: Option<SessionData<T>>) -> &'static str {
        if session.is_some_and(|session| session.session_id().is_some()) { "yes" } else { "no" }
    }
    let app = Router::new().route("/", get(exists::<T>).post(create::<T>)).layer(layer);
    let mut client = Client::of(app);
    let id = client.post("/").await.id().unwrap().to_owned();
    let mut heard = Vec::new();
    for header in headers {
        let value = if *header == "cookie" { format!("SESSION_ID={id}") } else { id.clone() };
        let answer = client.request(Request::get("/").header(*header, value).body(Body::empty()).unwrap()).await;
        // The standard middleware creates a session where none is found.
        if answer.body == "yes" && answer.set_cookie().is_none() {
            heard.push((*header).to_owned());
        }
    }
    heard
}

const HEADERS: &[&str] = &[
    "cookie",
    "x-sets",
    "x-sets-later",
    "x-sets-by-impl",
    "x-sets-by-box",
    "x-finds",
    "x-finds-owned",
    "x-finds-id",
    "x-finds-later",
    "x-finds-by-impl",
    "x-finds-by-box",
    "x-for-two",
    "x-closure",
];

macro_rules! assert_heard {
    ($header:literal, <$data:ty> $($options:tt)*) => {
        for lazy in [false, true] {
            let layer = if lazy {
                session!(<$data>, middleware = standard::lazy_session_middleware $($options)*)
            } else {
                session!(<$data>, middleware = standard::session_middleware $($options)*)
            };
            assert_eq!(heard(layer, HEADERS).await, [$header], "{} {lazy}", stringify!($data $($options)*));
        }
    };
}

#[tokio::test]
async fn the_registered_callback_is_the_one_that_runs_whatever_its_form() {
    assert_heard!("x-sets", <Sets>);
    assert_heard!("x-sets-later", <SetsLater>);
    assert_heard!("x-sets-by-impl", <SetsByImpl>);
    assert_heard!("x-sets-by-box", <SetsByBox>);
    assert_heard!("x-finds", <Finds>);
    assert_heard!("x-finds-owned", <FindsOwned>);
    assert_heard!("x-finds-id", <FindsId>);
    assert_heard!("x-finds-later", <FindsLater>);
    assert_heard!("x-finds-by-impl", <FindsByImpl>);
    assert_heard!("x-finds-by-box", <FindsByBox>);
}

#[tokio::test]
async fn one_callback_may_be_registered_for_several_data_types() {
    assert_heard!("x-for-two", <One>);
    assert_heard!("x-for-two", <Other>);
}

#[tokio::test]
async fn without_a_registration_the_standard_callback_runs() {
    assert_heard!("cookie", <Unregistered>);
}

#[tokio::test]
async fn a_callback_that_is_passed_by_name_wins_over_the_registered_one() {
    assert_heard!("x-finds", <Sets>, session_id_callback = finds);
    assert_heard!("x-sets-later", <Sets>, session_id_callback = sets_later);
    assert_heard!("cookie", <Sets>, session_id_callback = standard::fetch_session_id);
}

#[tokio::test]
async fn closures_are_callbacks_too_also_those_that_capture() {
    let name = Arc::<str>::from("x-closure");
    assert_heard!("x-closure", <Unregistered>, session_id_callback = {
        let name = Arc::clone(&name);
        move |request: &Parts| header(request, &name).map(str::to_owned)
    });
    assert_heard!("x-closure", <Unregistered>, session_id_callback = async |request: &mut Parts| {
        tokio::task::yield_now().await;
        let id = header(request, "x-closure").map(str::to_owned);
        request.set_session_id(id);
    });
}

#[tokio::test]
async fn a_function_may_be_registered_inside_of_another() {
    #[derive(Clone, Default)]
    struct Local;

    #[session_id_callback(Local)]
    fn local(request: &Parts) -> Option<&str> {
        header(request, "x-closure")
    }

    assert_heard!("x-closure", <Local>);
}

#[tokio::test]
async fn what_a_callback_finds_and_is_no_valid_id_counts_as_none() {
    async fn exists(session: Option<SessionData<Finds>>) -> &'static str {
        if session.is_some() { "yes" } else { "no" }
    }
    let layer = session!(<Finds>, middleware = standard::lazy_session_middleware);
    let client = Client::of(Router::new().route("/", get(exists)).layer(layer));
    for id in ["", "two words", "semi;colon", "com,ma", &"x".repeat(257)] {
        let answer = client.request(Request::get("/").header("x-finds", id).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.body, "no", "{id}");
    }
}

/// What it had set by then counts for nothing, and the session stays as it is.
#[tokio::test]
async fn a_callback_that_panics_answers_500_and_neither_the_handler_nor_the_store_hears_of_it() {
    use crate::support::counting::Counting;
    use crate::support::visit::{self, Visit};
    use crate::support::yielding::Yielding;
    use session_runtime::store::MemoryStore;

    fn panicking(request: &mut Parts) {
        let id = header(request, "x-id").map(str::to_owned);
        request.set_session_id(id);
        assert!(header(request, "x-panic").is_none(), "as the test wants");
    }

    async fn check(builder: visit::Builder, store: impl Fn() -> Vec<&'static str>, add: impl Fn(&str, bool) -> Request<Body>) {
        let client = Client::of(visit::router(builder.session_id_callback(panicking)));
        let id = client.request(add("none", false)).await.id().unwrap().to_owned();
        store();
        let answer = client.request(add(&id, true)).await;
        assert_eq!((answer.status.as_u16(), answer.set_cookie()), (500, None));
        assert!(answer.body.contains("panicking"), "{}", answer.body);
        assert!(!answer.body.contains(&id));
        assert!(store().is_empty());
        assert_eq!(client.request(add(&id, false)).await.body, "2");
    }

    let add = |id: &str, panics: bool| {
        let request = Request::post("/add").header("x-id", id);
        let request = if panics { request.header("x-panic", "") } else { request };
        request.body(Body::empty()).unwrap()
    };
    for builder in [visit::lazy, visit::standard] {
        let (at_once, counted) = builder();
        check(at_once, || counted.take(), add).await;
        let counted = Counting::new(Yielding::new(MemoryStore::<Visit>::new()));
        check(builder().0.store(counted.clone()), || counted.take(), add).await;
        check(builder().0.store(MemoryStore::<Visit>::new()), Vec::new, add).await;
    }
}
