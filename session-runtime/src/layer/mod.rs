//! The layer that gives a router its sessions.

mod builder;
mod service;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::IntoResponse;
use tower::{Layer, Service};

use crate::callback::{GenerateCallback, Middleware, MiddlewareKind, SessionIdCallback};
use crate::cookie::CookieTemplate;
use crate::locks::Locks;
use crate::state::Line;
use crate::store::{Limits, Store};

pub use builder::{DefaultData, DefaultOf, Given, IntoDuration, SessionLayerBuilder};
pub use service::{ResponseFuture, SessionService};

/// What a request gets whose session cannot be read because the store is down or slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStoreError {
    /// 503.
    #[default]
    Fail,
    /// The request goes on as one without a session: it reads the default data, its changes answer 503, it gets no cookie, and
    /// the client keeps the one it has. For pages that are worth showing to a user who looks logged out meanwhile.
    Anonymous,
}

/// What a layer was set up with.
pub(crate) struct Config<T> {
    pub(crate) default_data: Arc<T>,
    pub(crate) session_id: SessionIdCallback,
    pub(crate) generate: GenerateCallback,
    pub(crate) middleware: Middleware<T>,
    pub(crate) limits: Limits,
    pub(crate) store: Arc<dyn Store<T>>,
    pub(crate) at_once: AtOnce,
    pub(crate) cookie: CookieTemplate,
    pub(crate) store_timeout: Duration,
    pub(crate) on_store_error: OnStoreError,
    /// The changes of a session that met a conflict, and those that came since, one after the other. By a hash of the id.
    pub(crate) lines: Arc<Locks<u64, Line<T>>>,
}

/// What a layer does without waiting, so that it needs no future of its own around the handler's.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct AtOnce {
    /// The store answers.
    pub(crate) store: bool,
    /// The id is found when it is needed: the standard callback, which a standard middleware runs.
    pub(crate) fetches: bool,
    /// The middleware, which is the lazy one, has nothing to do before the handler.
    pub(crate) starts: bool,
    /// A session is created.
    pub(crate) creates: bool,
}

impl AtOnce {
    pub(crate) fn of<T: 'static>(
        session_id: &SessionIdCallback,
        generate: &GenerateCallback,
        middleware: &Middleware<T>,
        store: &dyn Store<T>,
    ) -> Self {
        let store = store.answers_at_once();
        let fetches = session_id.is_standard() && !matches!(middleware.0, MiddlewareKind::Custom(_));
        let starts = fetches && matches!(middleware.0, MiddlewareKind::Lazy);
        Self { store, fetches, starts, creates: store && generate.answers_at_once() }
    }
}

/// Gives the routes that it is around sessions with data of type `T`.
///
/// [`session!`](crate::session!) makes one in a line; [`builder`](Self::builder) from values that are known only when the program
/// runs. Its clones share the store. Several layers of different data types, with different cookie names, may be around one route.
#[must_use = "a session layer does nothing until it is given to `Router::layer`"]
pub struct SessionLayer<T>(Arc<Config<T>>);

impl<T: Clone + Send + Sync + 'static> SessionLayer<T> {
    /// Sets the layer up from values that are known only when the program runs.
    pub fn builder() -> SessionLayerBuilder<T> {
        SessionLayerBuilder::new()
    }

    pub(crate) fn new(config: Config<T>) -> Self {
        Self(Arc::new(config))
    }

    pub(crate) fn config(&self) -> &Config<T> {
        &self.0
    }
}

impl<T> Clone for SessionLayer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for SessionLayer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").field("cookie", &self.0.cookie.name()).finish_non_exhaustive()
    }
}

impl<T, S> Layer<S> for SessionLayer<T>
where
    T: Clone + Send + Sync + 'static,
    S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Service = SessionService<S, T>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(Arc::clone(&self.0), inner)
    }
}
