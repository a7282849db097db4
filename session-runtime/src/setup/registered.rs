//! The callbacks where none is given by name: those that an attribute registered for the data type, else the standard ones.
//!
//! `(&&data).__session_id_callback()` takes the implementation for `&Data<T>` where its bound holds, else the one for `Data<T>`.
//! (The method takes `&self`, hence one `&` more.)

use crate::callback::Middleware;
use crate::callback::expansion::{RegisteredGenerate, RegisteredMiddleware, RegisteredSessionId};
use crate::id::GenerateCallback;
use crate::request::SessionIdCallback;
use crate::setup::data::Data;

/// A registered `session_id_callback`.
pub trait FindSessionId {
    /// The callback that is registered.
    fn __session_id_callback(&self) -> SessionIdCallback;
}

impl<T: RegisteredSessionId> FindSessionId for &Data<T> {
    fn __session_id_callback(&self) -> SessionIdCallback {
        T::register::<()>()
    }
}

/// A registered `generate_session_id_callback`.
pub trait FindGenerate {
    /// The callback that is registered.
    fn __generate_session_id_callback(&self) -> GenerateCallback;
}

impl<T: RegisteredGenerate> FindGenerate for &Data<T> {
    fn __generate_session_id_callback(&self) -> GenerateCallback {
        T::register::<()>()
    }
}

/// A registered `middleware`.
pub trait FindMiddleware<T> {
    /// The middleware that is registered.
    fn __middleware(&self) -> Middleware<T>;
}

impl<T: RegisteredMiddleware> FindMiddleware<T> for &Data<T> {
    fn __middleware(&self) -> Middleware<T> {
        T::register::<()>()
    }
}

/// The standard callbacks.
pub trait Standard<T> {
    /// `standard::fetch_session_id`.
    fn __session_id_callback(&self) -> SessionIdCallback;
    /// `standard::generate_session_id`.
    fn __generate_session_id_callback(&self) -> GenerateCallback;
    /// `standard::session_middleware`.
    fn __middleware(&self) -> Middleware<T>;
}

impl<T> Standard<T> for Data<T> {
    fn __session_id_callback(&self) -> SessionIdCallback {
        SessionIdCallback::standard()
    }

    fn __generate_session_id_callback(&self) -> GenerateCallback {
        GenerateCallback::standard()
    }

    fn __middleware(&self) -> Middleware<T> {
        Middleware::standard()
    }
}
