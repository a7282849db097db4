//! A generator of every form, registered or passed by name, is the one that runs; what it returns is checked.

use std::pin::Pin;

use axum::Router;
use axum::routing::post;
use session_runtime::{SessionData, SessionError, SessionId, SessionLayer, generate_session_id, session, standard};

use crate::support::Client;

type BoxFuture<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// As many letters as 64 bits need, and a number that makes the id new: with a prefix that says who made it.
fn id(prefix: &str) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{prefix}.{:032}", NEXT.fetch_add(1, Ordering::Relaxed))
}

macro_rules! data {
    ($($data:ident)*) => {$(
        #[derive(Clone, Default)]
        struct $data;
    )*};
}

data!(Unregistered Text TextLater Id IdLater ByImpl ByBox One Other Empty Words Long Short Digits);

#[generate_session_id(Text)]
fn text() -> String {
    id("text")
}

#[generate_session_id(TextLater)]
async fn text_later() -> String {
    tokio::task::yield_now().await;
    id("text-later")
}

#[generate_session_id(Id)]
fn typed() -> SessionId {
    SessionId::parse(&id("typed")).unwrap()
}

#[generate_session_id(IdLater)]
async fn typed_later() -> SessionId {
    tokio::task::yield_now().await;
    SessionId::parse(&id("typed-later")).unwrap()
}

#[expect(clippy::manual_async_fn, reason = "it is the form that is tested")]
#[generate_session_id(ByImpl)]
fn by_impl() -> impl Future<Output = String> + Send {
    async {
        tokio::task::yield_now().await;
        id("by-impl")
    }
}

#[generate_session_id(ByBox)]
fn by_box() -> BoxFuture<String> {
    Box::pin(async {
        tokio::task::yield_now().await;
        id("by-box")
    })
}

#[generate_session_id(One, Other)]
fn for_two() -> String {
    id("for-two")
}

/// The id of a new session, by the part before the dot; or the error's text.
async fn made<T: Clone + Send + Sync + 'static>(layer: SessionLayer<T>) -> String {
    async fn create<T: Clone + Send + Sync + 'static>(session: SessionData<T>) -> Result<(), SessionError> {
        session.update(|_| ()).await
    }
    let app = Router::new().route("/", post(create::<T>)).layer(layer);
    let answer = Client::of(app).post("/").await;
    match answer.id() {
        Some(id) => id.split('.').next().unwrap().to_owned(),
        None => answer.body,
    }
}

macro_rules! made {
    ($($options:tt)*) => {
        made(session!($($options)*)).await
    };
}

#[tokio::test]
async fn the_registered_generator_is_the_one_that_runs_whatever_its_form() {
    assert_eq!(made!(<Text>), "text");
    assert_eq!(made!(<TextLater>), "text-later");
    assert_eq!(made!(<Id>), "typed");
    assert_eq!(made!(<IdLater>), "typed-later");
    assert_eq!(made!(<ByImpl>), "by-impl");
    assert_eq!(made!(<ByBox>), "by-box");
    assert_eq!(made!(<Text>, middleware = standard::lazy_session_middleware), "text");
}

#[tokio::test]
async fn one_generator_may_be_registered_for_several_data_types() {
    assert_eq!(made!(<One>), "for-two");
    assert_eq!(made!(<Other>), "for-two");
}

#[tokio::test]
async fn without_a_registration_the_standard_generator_runs() {
    let id = made!(<Unregistered>);
    assert!(id.len() == 100 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
}

#[tokio::test]
async fn a_generator_that_is_passed_by_name_wins_over_the_registered_one() {
    assert_eq!(made!(<Text>, generate_session_id_callback = typed_later), "typed-later");
    assert_eq!(made!(<Text>, generate_session_id_callback = standard::generate_session_id).len(), 100);
}

#[tokio::test]
async fn closures_are_generators_too_also_those_that_capture() {
    let prefix = String::from("captured");
    assert_eq!(made!(<Unregistered>, generate_session_id_callback = move || id(&prefix)), "captured");
    assert_eq!(made!(<Unregistered>, generate_session_id_callback = async || id("async")), "async");
}

#[generate_session_id(Empty)]
fn empty() -> String {
    String::new()
}

#[generate_session_id(Words)]
async fn two_words() -> String {
    format!("{} {}", id("two"), id("words"))
}

#[generate_session_id(Long)]
fn too_long() -> String {
    id("long").repeat(8)
}

#[generate_session_id(Short)]
fn too_short() -> SessionId {
    SessionId::parse("abcdefghij").unwrap()
}

#[generate_session_id(Digits)]
async fn too_few_digits() -> String {
    "1234567890123456789".to_owned()
}

#[tokio::test]
async fn what_is_no_valid_id_or_a_weak_one_is_refused_by_the_generators_name() {
    assert!(made!(<Empty>).contains("generate_session_id::empty` returned an id that is not 1 to 256 cookie octets"));
    assert!(made!(<Words>).contains("generate_session_id::two_words` returned an id that is not"));
    assert!(made!(<Long>).contains("generate_session_id::too_long` returned an id that is not"));
    assert!(made!(<Short>).contains("generate_session_id::too_short` returned an id that can carry fewer than 64 bits"));
    assert!(made!(<Digits>).contains("generate_session_id::too_few_digits` returned an id that can carry fewer than 64 bits"));
}
