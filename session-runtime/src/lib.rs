//! Server-side sessions for axum, declared with attributes.
//!
//! A session is data of yours, a plain struct, that the server keeps for a client between requests. The client holds nothing but a random id,
//! in a cookie. [`session!`] makes the layer that does it, in one line:
//!
//! ```
//! use axum::{Router, routing::get};
//! use session_runtime::{SessionData, SessionError, session};
//!
//! #[derive(Clone, Default)]
//! struct Visit {
//!     pages: u32,
//! }
//!
//! async fn page(session: SessionData<Visit>) -> Result<String, SessionError> {
//!     let pages = session.update(|visit| { visit.pages += 1; visit.pages }).await?;
//!     Ok(format!("page {pages}"))
//! }
//!
//! let app: Router = Router::new().route("/", get(page)).layer(session!(<Visit>));
//! ```
//!
//! # In a handler
//!
//! [`SessionData<T>`] derefs to the data. [`update`](SessionData::update) changes it and loses no other request's change;
//! [`set`](SessionData::set) replaces it; [`rotate_with`](SessionData::rotate_with) changes it and gives the session a new id, in one step: a
//! login; [`destroy`](SessionData::destroy) ends it: a logout. Each is done when it returns: nothing is saved at the end of the request, so nothing
//! that happens later in the request undoes it or loses it.
//!
//! `Option<SessionData<T>>` is for handlers that work without a session, `Result<SessionData<T>, SessionError>` for those that answer errors
//! in their own way. [`Session<T>`] is the session system itself, as the document has it: that of Python's `fastapi-framework`, on whose session
//! system this one is modelled.
//!
//! # Which middleware
//!
//! | | [`standard::session_middleware`] | [`standard::lazy_session_middleware`] |
//! | --- | --- | --- |
//! | a session is created | at the first request | at the first change |
//! | a visitor who changes nothing | a row and a cookie | nothing |
//! | a request that leaves the session alone | 1 store call | none |
//! | a handler that reads it | no further call | 1 |
//! | reading where there is no session | cannot happen | the default data |
//!
//! The standard one is the document's, and what [`session!`] takes unless told otherwise. Take the lazy one, unless every visitor needs a
//! session from the first request on: bots, 404s and preflights under the layer are visitors, too.
//!
//! # What a request costs
//!
//! | | store calls |
//! | --- | --- |
//! | session left alone, lazy middleware | 0 |
//! | id that is not valid | 0 |
//! | read | 1, and 1 more when a tenth of the idle limit has passed since the session was last renewed |
//! | read and change | 2, and 2 more for each conflict |
//! | new session | 1, or 2 if the request carried an id that the store does not hold |
//! | change of id | 1 beyond the load, or 2 on Redis Cluster |
//! | logout | 1 beyond the load |
//!
//! # The three callbacks
//!
//! [`session_id_callback`](macro@session_id_callback) says where the id is in a request, [`generate_session_id`](macro@generate_session_id) what a new one is,
//! [`session_middleware`](macro@session_middleware) drives the session. Each attribute checks a plain function, sync or async, and, where it names a data
//! type, registers it for [`session!`]. What they replace is in [`standard`].
//!
//! # How to
//!
//! [`guide`] has a page each on [logging in and out](guide::logging_in_and_out), [guards and extractors of your own](guide::guards),
//! [streams and websockets](guide::streams_and_websockets), [changing the data type](guide::changing_the_data_type) and
//! [tests of handlers](guide::testing_handlers).
//!
//! # Where sessions are kept
//!
//! In memory unless told otherwise: [`store::MemoryStore`]. [`store`] lists the others, and says how to write one;
//! [`choosing_an_engine`] compares them. [`migrating_from_tower_sessions`] is for those who come from there.
//!
//! # Security
//!
//! [`security`] says what is kept here, and what stays with you.

// On docs.rs each item says which feature it takes.
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as session_runtime;

mod callback;
mod config;
mod cookie;
mod error;
mod id;
mod inline_vec;
mod layer;
mod locks;
mod log;
mod maybe_ready;
mod owner;
#[cfg(test)]
mod random;
mod request;
mod session;
mod setup;
pub mod standard;
pub mod store;
pub mod testing;
mod to_its_end;
mod transport;
mod word;

#[doc = include_str!("../docs/security.md")]
pub mod security {}

/// How to do what most programs with sessions do.
pub mod guide {
    #[doc = include_str!("../docs/guide/logging_in_and_out.md")]
    pub mod logging_in_and_out {}

    #[doc = include_str!("../docs/guide/guards.md")]
    pub mod guards {}

    #[doc = include_str!("../docs/guide/streams_and_websockets.md")]
    pub mod streams_and_websockets {}

    #[doc = include_str!("../docs/guide/changing_the_data_type.md")]
    pub mod changing_the_data_type {}

    #[doc = include_str!("../docs/guide/testing_handlers.md")]
    pub mod testing_handlers {}
}

#[doc = include_str!("../docs/choosing_an_engine.md")]
pub mod choosing_an_engine {}

#[doc = include_str!("../docs/migrating_from_tower_sessions.md")]
pub mod migrating_from_tower_sessions {}

/// What the macros expand to. Not for use by hand; it changes without notice.
#[doc(hidden)]
pub mod macro_support {
    pub use crate::callback::expansion::*;
    pub use crate::setup::expansion::*;
}

/// What the attributes register for a data type: the compiler names these where nothing is registered, or something is twice.
pub mod registered {
    pub use crate::callback::expansion::{
        RegisteredGenerate as GenerateSessionId, RegisteredMiddleware as SessionMiddleware, RegisteredOwner as SessionOwner,
        RegisteredSessionId as SessionIdCallback,
    };
}

pub use callback::{IntoGenerateCallback, IntoMiddleware, IntoOwner, IntoSessionIdCallback};
pub use config::{OnStoreError, OnUndecodable, WhenFull};
pub use cookie::SameSite;
pub use error::{ConfigError, SessionError};
pub use id::{IntoSessionId, InvalidSessionId, SessionId};
pub use layer::{DefaultData, DefaultOf, Given, IntoDuration, ResponseFuture, SessionLayer, SessionLayerBuilder, SessionService};
pub use owner::{InvalidHandle, OwnerBytes, OwnerId, SessionHandle};
pub use request::SessionRequestExt;
pub use session::{Lifetime, Session, SessionData, SessionInfo, SessionOwner, SessionOwnerRejection, Sessions, next_path};

#[doc = include_str!("../docs/generate_session_id.md")]
#[doc(inline)]
pub use session_macros::generate_session_id;
#[doc = include_str!("../docs/session_id_callback.md")]
#[doc(inline)]
pub use session_macros::session_id_callback;
#[doc = include_str!("../docs/session_middleware.md")]
#[doc(inline)]
pub use session_macros::session_middleware;
#[doc = include_str!("../docs/session_owner.md")]
#[doc(inline)]
pub use session_macros::session_owner;

// The README's examples are tests, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
