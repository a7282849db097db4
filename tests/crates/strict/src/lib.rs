//! The macros under every lint, and beside other attributes.
#![forbid(unsafe_code, deprecated_in_future, non_ascii_idents)]
#![deny(warnings, future_incompatible, nonstandard_style, rust_2018_idioms, rust_2021_compatibility, rust_2024_compatibility)]
#![deny(missing_docs, single_use_lifetimes, unreachable_pub, unused, unused_qualifications, clippy::all, clippy::pedantic)]
#![deny(clippy::let_underscore_must_use)]

use axum::Router;
use session_runtime::session;

pub mod generate;
pub mod middleware;
pub mod owner;
pub mod session_id;
pub mod setup;

/// The data of one session.
#[derive(Debug, Clone, Default)]
pub struct Visit;

/// The data of another.
#[derive(Debug, Clone, Default)]
pub struct Admin;

/// A router with both sessions.
pub fn app(router: Router) -> Router {
    router.layer(session!(<Visit>, session_expire = 30m)).layer(session!(
        <Admin>,
        cookie_name = "__Host-admin",
        same_site = Strict,
        session_id_callback = session_id::checked,
    ))
}
