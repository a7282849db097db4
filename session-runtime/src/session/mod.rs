//! The session system as handlers and middlewares see it.

pub(crate) mod core;
mod data;
mod departure;
pub(crate) mod driver;
mod lifetime;
mod owner;
mod owners;
pub(crate) mod retries;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request};
use axum::response::Response;
use http::Extensions;
use http::request::Parts;

use self::core::{ChangeKind, Create, View};
use self::driver::Driver;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::request::{Carried, CarriedId, EnteredLayer, SessionRequestExt};

pub use data::SessionData;
pub use lifetime::Lifetime;
pub use owner::{SessionOwner, SessionOwnerRejection, next_path};
pub use owners::{SessionInfo, Sessions};

/// The session system of one request: what the document calls `Session`.
///
/// The layer hands it to the [`session_middleware`](macro@crate::session_middleware); handlers take it as an extractor, where
/// [`SessionData`] is not enough. It is cheap to clone, and bound to the request that it was handed out for.
///
/// The methods that take a request read the id that it carries
/// ([`session_id`](SessionRequestExt::session_id)); they take a [`Request`] or its [`Parts`], and their futures are `Send`.
///
/// ```
/// use axum::{Router, extract::Request, middleware::Next, response::{IntoResponse, Response}, routing::get};
/// use session_runtime::{Session, SessionError, SessionRequestExt, session, session_middleware};
///
/// #[derive(Clone, Default)]
/// struct Visit;
///
/// // The document's middleware, by hand.
/// #[session_middleware]
/// async fn middleware(session_system: Session<Visit>, mut request: Request, next: Next) -> Result<Response, SessionError> {
///     let mut created = None;
///     session_system.fetch_session_id(&mut request).await;
///     if !session_system.session_exists(&request).await? {
///         let id = session_system.create_session().await?;
///         request.set_session_id(id);
///         created = Some(id);
///     }
///     let mut response = next.run(request).await;
///     if let Some(id) = created {
///         response = session_system.add_session_id(response, &id);
///     }
///     Ok(response)
/// }
///
/// let app: Router = Router::new().route("/", get(|| async {})).layer(session!(<Visit>, middleware = middleware));
/// ```
pub struct Session<T>(pub(crate) Arc<Driver<T>>);

impl<T: Clone + Send + Sync + 'static> Session<T> {
    /// Runs the layer's `session_id_callback` on the request.
    ///
    /// Cancelled or panicking, it leaves the request with its body and the id that it had. A callback that panics makes
    /// [`session_exists`](Self::session_exists) and all that needs the session answer
    /// [`SessionError::CallbackPanicked`]. No store call, unless the cookie stands more than once with different ids.
    pub async fn fetch_session_id(&self, request: &mut Request) {
        if self.0.setup.looks_when_needed {
            return;
        }
        let mut head = Head::take(request, Arc::clone(&self.0) as Arc<dyn EnteredLayer>);
        let result = self.0.setup.session_id.call(&mut head.parts).await;
        match result {
            Ok(()) => head.keep_id = true,
            Err(error) => self.0.core().fail(error),
        }
    }

    /// Whether the store holds the session that the request carries. One store call a request, which the handler's read shares.
    ///
    /// # Errors
    ///
    /// The store's; [`SessionError::CallbackPanicked`] where the `session_id_callback` did.
    pub fn session_exists<R: SessionRequestExt>(
        &self,
        request: &R,
    ) -> impl Future<Output = Result<bool, SessionError>> + Send + use<T, R> {
        let (driver, carried) = (Arc::clone(&self.0), self.0.look(request));
        async move { Ok(matches!(driver.read(&carried).await?, View::Live(_))) }
    }

    /// Stores a new session of the default data, under a new id. One store call, one more for each id that is taken.
    ///
    /// The id is for [`set_session_id`](SessionRequestExt::set_session_id) and [`add_session_id`](Self::add_session_id). Ask
    /// [`session_exists`](Self::session_exists) before: then nothing is stored for a request whose id another one rotated away less than 30 seconds
    /// ago, or whose cookie the browser may be holding back, and `add_session_id` adds no cookie, since that would overwrite the user's own. The same
    /// goes where the store is down and `on_store_error` lets the request go on without a session.
    ///
    /// # Errors
    ///
    /// The store's; the generator's ([`SessionError::CallbackPanicked`], [`InvalidId`](SessionError::InvalidId),
    /// [`WeakId`](SessionError::WeakId), [`RepeatedId`](SessionError::RepeatedId));
    /// [`SessionError::ResponseStarted`]. Nothing is stored then.
    pub async fn create_session(&self) -> Result<SessionId, SessionError> {
        let data = Arc::clone(&self.0.setup.default_data);
        match self.0.create(Create::Asked, data, None).await? {
            Some(id) => Ok(*id),
            None => Err(SessionError::NotExists),
        }
    }

    /// Adds the session's cookie to the response. No store call.
    ///
    /// Such a response is not for a shared cache: a `Cache-Control` of the handler stays only if it says `private` or `no-store`; any other becomes
    /// `no-store` (RFC 9111, section 5.2.2). If the session was rotated in this request, the cookie has the new id. If it was destroyed, or `id` is known
    /// to lead to no session, none is added.
    #[must_use]
    pub fn add_session_id(&self, mut response: Response, id: &SessionId) -> Response {
        self.0.add(&mut response, id);
        response
    }

    /// Replaces the data of the session that the request carries. Two store calls, one if it was read before. Of concurrent
    /// replacements the last wins; [`SessionData::update`] is the one that never loses.
    ///
    /// # Errors
    ///
    /// [`SessionError::NotExists`] if there is no session, except under the lazy middleware, which creates it, or
    /// [`ResponseStarted`](SessionError::ResponseStarted) if it cannot any more; [`JustRotated`](SessionError::JustRotated) and
    /// [`CrossSite`](SessionError::CrossSite) as for [`SessionData::update`]; [`Conflict`](SessionError::Conflict) if others changed it
    /// each time; the store's.
    pub fn update_session<R: SessionRequestExt>(
        &self,
        request: &R,
        data: T,
    ) -> impl Future<Output = Result<(), SessionError>> + Send + use<T, R> {
        let (driver, carried) = (Arc::clone(&self.0), self.0.look(request));
        async move {
            driver.read(&carried).await?;
            let data = Arc::new(data);
            driver.change(ChangeKind::Edit, |_| Ok(((), Arc::clone(&data)))).await
        }
    }

    /// The data of the session that the request carries. One store call a request, until the response has started; then one a
    /// call, so that a stream or a websocket sees what is there.
    ///
    /// # Errors
    ///
    /// [`SessionError::NotExists`] if there is no session, except under the lazy middleware, which gives the default data; the store's. Under
    /// every middleware it is the default data if the client may have a session that this request does not know: its id has just been replaced,
    /// the browser may be holding the cookie back, or the cookie names several.
    pub fn get_data<R: SessionRequestExt>(
        &self,
        request: &R,
    ) -> impl Future<Output = Result<Arc<T>, SessionError>> + Send + use<T, R> {
        let (driver, carried) = (Arc::clone(&self.0), self.0.look(request));
        async move { driver.data(driver.read(&carried).await?) }
    }

    /// Ends the session that the request carries, without reading it: also one whose data cannot be read. If the cookie names several sessions, it ends
    /// all of them. The client is told to forget the cookie. One store call for each session, and one more for each that is not there.
    ///
    /// # Errors
    ///
    /// [`SessionError::JustRotated`] if another request has just given the session a new id, which the client's next try will carry;
    /// [`SessionError::CrossSite`] if the browser may be holding the cookie back; the store's.
    pub fn destroy<R: SessionRequestExt>(
        &self,
        request: &R,
    ) -> impl Future<Output = Result<(), SessionError>> + Send + use<T, R> {
        let (driver, carried) = (Arc::clone(&self.0), self.0.look(request));
        async move { driver.destroy(Some(&carried)).await }
    }

    pub(crate) fn make_lazy(&self) {
        self.0.core().make_lazy();
    }

    pub(crate) fn failure(&self) -> Result<(), SessionError> {
        self.0.core().failure()
    }

    /// The session system that the innermost layer for `T` put there.
    pub(crate) fn of(extensions: &Extensions) -> Result<Self, SessionError> {
        Driver::of(extensions.get::<Carried>()).map(Self)
    }
}

impl<T: Clone + Send + Sync + 'static> Driver<T> {
    /// The data that a handler gets.
    pub(crate) fn data(&self, view: View<T>) -> Result<Arc<T>, SessionError> {
        match view {
            View::Live(data) => Ok(data),
            View::Default => Ok(Arc::clone(&self.setup.default_data)),
            View::None => Err(SessionError::NotExists),
        }
    }
}

impl<T> Clone for Session<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl<T: Clone + Send + Sync + 'static, S: Send + Sync> FromRequestParts<S> for Session<T> {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        Self::of(&parts.extensions)
    }
}

impl<T: Clone + Send + Sync + 'static, S: Send + Sync> OptionalFromRequestParts<S> for Session<T> {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, SessionError> {
        Ok(Self::of(&parts.extensions).ok())
    }
}

/// A request's head, taken out of it for the `session_id_callback`: however that ends, it goes back, and if it did not end well, with
/// the id that it had.
struct Head<'a> {
    request: &'a mut Request,
    parts: Parts,
    body: Body,
    inner: Option<Arc<dyn EnteredLayer>>,
    id_before: Option<CarriedId>,
    keep_id: bool,
}

impl<'a> Head<'a> {
    /// `layer` becomes the one whose id is meant.
    fn take(request: &'a mut Request, layer: Arc<dyn EnteredLayer>) -> Self {
        let (mut parts, body) = std::mem::take(request).into_parts();
        let carried = Carried::of(&mut parts.extensions);
        let inner = carried.current.replace(layer);
        let id_before = carried.set(carried.depth()).cloned();
        Self { request, parts, body, inner, id_before, keep_id: false }
    }
}

impl Drop for Head<'_> {
    fn drop(&mut self) {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        std::mem::swap(&mut parts, &mut self.parts);
        let carried = Carried::of(&mut parts.extensions);
        if !self.keep_id {
            carried.restore(self.id_before.take());
        }
        carried.current = self.inner.take();
        *self.request = Request::from_parts(parts, std::mem::take(&mut self.body));
    }
}
