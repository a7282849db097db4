//! The laws of a request, over HTTP: one module a promise. `cargo test --test laws delete_wins` runs one of them.

mod cancellation;
mod cross_site;
mod delete_wins;
mod error_response;
mod expiry;
mod flood;
mod interleavings;
mod kinds;
mod log;
mod logging_in;
mod no_lost_update;
mod outage;
mod over_the_wire;
mod owners;
mod rotation;
mod same_layer;
mod secrets;
mod set_cookie;
mod several_sessions;
mod store_calls;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod two_cookies;
mod undecodable;
mod unknown_ids;
