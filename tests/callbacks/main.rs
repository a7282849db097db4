//! What the macros declare, as it runs: the callbacks of each role and the options of `session!`.

mod generate_session_id;
mod session_id_callback;
mod session_middleware;
mod setup_options;
mod setup_registered;
#[path = "../support/mod.rs"]
mod support;
