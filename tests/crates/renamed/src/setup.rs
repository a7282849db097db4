//! `session!` with every option.

use ::sessions::store::MemoryStore;
use ::sessions::{session, standard, SessionLayer};

use crate::renamed::{captures, Visit};

/// Every option.
pub fn every_option() -> SessionLayer<Visit> {
    session!(
        <Visit>,
        default_data = Visit,
        session_id_callback = captures,
        generate_session_id_callback = standard::generate_session_id,
        middleware = standard::lazy_session_middleware,
        owner = |_: &Visit| ::std::option::Option::None::<u64>,
        owner_limit = 5,
        when_full = Refuse,
        login_path = "/login",
        session_expire = 24h,
        absolute_expire = 30 * 1d,
        store = MemoryStore::new(),
        cookie_name = "visit",
        namespace = "shop",
        same_site = None,
        secure = true,
        path = "/shop",
        domain = "example.com",
        persistent = true,
        partitioned = true,
        store_timeout = 5,
        on_store_error = Anonymous,
        on_undecodable = Discard,
        error_response = |error: ::sessions::SessionError| error.status(),
    )
}

/// By the facade's path.
pub fn through_the_facade() -> SessionLayer<Visit> {
    ::facade::session::session!(Visit)
}
