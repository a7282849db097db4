//! Registration: what an attribute that names a data type implements for it, and `session!` finds on it.
//!
//! One impl a role and data type, so two registrations of one role for one type do not compile; and the data type must be local
//! to the crate that registers, as for every foreign trait. The type parameter is what the questions about the signature are asked of
//! (`signature`).

use crate::callback::Middleware;
use crate::id::GenerateCallback;
use crate::request::SessionIdCallback;

/// Implemented by `#[session_id_callback(T)]` for `T`.
pub trait RegisteredSessionId {
    /// The callback that is registered.
    #[doc(hidden)]
    fn register<Callback>() -> SessionIdCallback;
}

/// Implemented by `#[generate_session_id(T)]` for `T`.
pub trait RegisteredGenerate {
    /// The callback that is registered.
    #[doc(hidden)]
    fn register<Callback>() -> GenerateCallback;
}

/// Implemented by `#[session_middleware(T)]` for `T`.
pub trait RegisteredMiddleware: Sized {
    /// The middleware that is registered.
    #[doc(hidden)]
    fn register<Callback>() -> Middleware<Self>;
}
