//! `session!` with every option.

use std::time::Duration;

use axum::http::StatusCode;
use session_runtime::store::{MemoryStore, StoreError};
use session_runtime::{SessionError, SessionLayer, session, standard};

use crate::{Visit, owner, session_id};

/// The cookie's name.
pub const NAME: &str = "visit";

async fn connect() -> Result<MemoryStore<Visit>, StoreError> {
    std::future::ready(Ok(MemoryStore::new())).await
}

/// A page of the application's own.
fn answer(error: SessionError) -> (StatusCode, SessionError) {
    (error.status(), error)
}

/// Every option; a store that is awaited and may fail. The future is `Send`.
///
/// # Errors
///
/// Where there is no store.
pub async fn every_option() -> Result<SessionLayer<Visit>, StoreError> {
    Ok(session!(
        <Visit>,
        store = connect().await?,
        default_data = Visit,
        session_id_callback = session_id::checked,
        generate_session_id_callback = standard::generate_session_id,
        middleware = standard::lazy_session_middleware,
        owner = owner::checked,
        owner_limit = 5,
        when_full = refuse,
        login_path = "/login",
        session_expire = 7 * 24h,
        absolute_expire = Duration::from_secs(30d),
        cookie_name = NAME,
        namespace = "shop",
        same_site = None,
        secure = true,
        path = concat!("/", "shop"),
        domain = "example.com",
        persistent = !cfg!(test),
        partitioned = true,
        store_timeout = Duration::from_millis(500),
        on_store_error = anonymous,
        on_undecodable = discard,
        error_response = answer,
    ))
}

/// Its future can be sent to another thread.
pub fn is_send() -> impl Future<Output = Result<SessionLayer<Visit>, StoreError>> + Send {
    every_option()
}

/// Names of the generated code that the user has too.
pub fn names_of_its_own() -> SessionLayer<Visit> {
    let (start, data, middleware) = (Visit, MemoryStore::new(), standard::session_middleware);
    session!(<Visit>, middleware = middleware, default_data = start, store = data)
}

/// In a generic function.
pub fn generic<T: Clone + Default + Send + Sync + 'static>() -> SessionLayer<T> {
    session!(T, session_expire = 30m)
}

macro_rules! layer_of {
    ($data:ty, $expire:expr, $site:ident, $name:literal) => {
        session!(<$data>, session_expire = $expire, same_site = $site, cookie_name = $name)
    };
}

/// From another macro.
pub fn from_a_macro() -> SessionLayer<Vec<Visit>> {
    layer_of!(Vec<Visit>, 60 * 60, Strict, "visits")
}
