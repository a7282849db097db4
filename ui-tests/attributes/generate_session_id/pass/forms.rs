//! Every documented form, and every place.
#![deny(warnings)]

use std::pin::Pin;

use session_runtime::{SessionId, generate_session_id, standard};

type BoxFuture<R> = Pin<Box<dyn Future<Output = R> + Send>>;

pub struct Visit;
pub struct Admin;

#[generate_session_id]
pub fn text() -> String {
    "id".repeat(50)
}

#[generate_session_id(Visit, Admin)]
pub async fn text_later() -> String {
    standard::generate_session_id().await
}

#[generate_session_id]
pub fn id() -> SessionId {
    SessionId::parse("id").unwrap()
}

#[generate_session_id]
pub async fn id_later() -> SessionId {
    id()
}

#[generate_session_id]
pub fn by_impl_future() -> impl Future<Output = String> {
    async { text() }
}

#[generate_session_id]
pub fn by_box_future() -> BoxFuture<SessionId> {
    Box::pin(async { id() })
}

#[generate_session_id]
#[deprecated]
#[must_use]
pub fn deprecated() -> std::string::String {
    text()
}

/// A function may have the name of what the generated code names.
#[generate_session_id]
pub fn function() -> String {
    text()
}

/// Types of one's own with the names of traits, and a trait with that of another.
pub mod called_as_traits {
    use std::pin::Pin;

    use session_runtime::generate_session_id;

    pub struct Visit;
    pub type ToString = String;
    pub type Display = Pin<Box<dyn std::future::Future<Output = ToString> + Send>>;

    pub trait Future: std::future::Future<Output = ToString> + Send {}

    impl<F: std::future::Future<Output = ToString> + Send> Future for F {}

    #[generate_session_id(Visit)]
    pub fn registered() -> ToString {
        "id".repeat(50)
    }

    #[generate_session_id]
    pub async fn later() -> self::ToString {
        registered()
    }

    #[generate_session_id]
    pub fn in_a_future() -> impl std::future::Future<Output = ToString> + Send {
        later()
    }

    #[generate_session_id]
    pub fn in_an_alias() -> Display {
        Box::pin(later())
    }

    #[generate_session_id]
    pub fn by_a_trait_of_ones_own() -> Pin<Box<dyn Future>> {
        Box::pin(later())
    }
}

/// A bound on a lifetime that no request has.
#[generate_session_id]
pub fn bounded<'a: 'static>() -> String
where
    'static: 'a,
{
    text()
}

fn main() {
    #[generate_session_id]
    fn local() -> String {
        text()
    }

    let _: fn() -> String = local;
}
