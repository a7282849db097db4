//! The callbacks: which functions are accepted, and what they become.
//!
//! A role has one file. In it stand the public trait that the builder and `session!` take (`Into..`), the trait that sorts the
//! functions of the documented forms by kind (`..Fn<Kind>`; the kind is inferred), and the erased type that the layer runs.
//!
//! 1. A callback that is sync answers at once and allocates nothing; an async one costs one boxed future a call.
//! 2. A callback that panics, when it is called or when its future is polled, is answered with an error that names it.
//! 3. The standard callbacks are recognised when they are passed by name, and then run inline.

mod generate;
mod guard;
mod middleware;
mod other_crates;
mod owner;
mod registered;
mod session_id;
mod signature;

use std::any::TypeId;

pub(crate) use middleware::{CustomMiddleware, Middleware, MiddlewareKind};

pub use generate::IntoGenerateCallback;
pub use middleware::IntoMiddleware;
pub use owner::IntoOwner;
pub use session_id::IntoSessionIdCallback;

/// What the attributes expand to.
pub(crate) mod expansion {
    pub use super::generate::{GenerateFn, run_generate};
    pub use super::middleware::{Middleware, MiddlewareFn, Run, run_middleware, runs};
    pub use super::other_crates::{
        As, Choose, Named, RegistersGenerate, RegistersMiddleware, RegistersOwner, RegistersSessionId, Which, own,
    };
    pub use super::owner::{owner_key, registered_owner};
    pub use std::borrow::ToOwned;
    pub use std::option::Option;

    pub use super::registered::{RegisteredGenerate, RegisteredMiddleware, RegisteredSessionId};
    pub use super::session_id::{SessionIdFn, run_session_id};
    pub use super::signature::*;
    pub use crate::id::GenerateCallback;
    pub use crate::owner::OwnerOf;
    pub use crate::owner::{OwnerOfUnknownType, RegisteredOwner, owned};
    pub use crate::request::SessionIdCallback;
}

/// Whether `F` is the type of the function `known`.
fn is_function<F: 'static, K: 'static>(_known: K) -> bool {
    TypeId::of::<F>() == TypeId::of::<K>()
}
