//! Puts sessions into a layer's store, and reads them back.

use std::sync::Arc;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Response};

use crate::cookie;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::layer::SessionLayer;
use crate::store::{Created, Key, Loaded, NewSession, Origin};

/// A session that a test put into a layer's store.
#[derive(Debug, Clone)]
pub struct SeededSession {
    id: SessionId,
    cookie: HeaderValue,
}

impl SeededSession {
    /// The session's id.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.id
    }

    /// The `Cookie` header to send.
    #[must_use]
    pub const fn cookie(&self) -> &HeaderValue {
        &self.cookie
    }
}

/// Puts a session of `data` into the store of `layer`, as if a client had been given it.
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use session_runtime::{SessionData, session, testing};
/// use tower::ServiceExt;
///
/// #[derive(Clone, Default)]
/// struct Visit { name: String }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), session_runtime::SessionError> {
/// let layer = session!(<Visit>);
/// let app: Router = Router::new()
///     .route("/", get(async |session: SessionData<Visit>| session.name.clone()))
///     .layer(layer.clone());
///
/// let seeded = testing::seed(&layer, Visit { name: "Ada".into() }).await?;
/// let request = Request::get("/").header("cookie", seeded.cookie()).body(Body::empty()).unwrap();
/// let body = app.oneshot(request).await.unwrap().into_body();
/// assert_eq!(axum::body::to_bytes(body, 100).await.unwrap(), "Ada");
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Those of [`Session::create_session`](crate::Session::create_session).
pub async fn seed<T: Clone + Send + Sync + 'static>(layer: &SessionLayer<T>, data: T) -> Result<SeededSession, SessionError> {
    let setup = &layer.config().setup;
    let data = Arc::new(data);
    loop {
        let id = setup.generate.call().await?;
        let session = NewSession::new(Arc::clone(&data), setup.policy.limits, Origin::Change);
        if let Created::Created(_) = setup.store.create(Key::new(&setup.namespace, &id), session).await? {
            let cookie = format!("{}={}", setup.cookie.name(), id.as_str());
            let callback = setup.generate.name();
            let mut cookie = HeaderValue::try_from(cookie).map_err(|_| SessionError::InvalidId { callback })?;
            cookie.set_sensitive(true);
            return Ok(SeededSession { id: *id, cookie });
        }
    }
}

/// What tells [`read`] which session is meant.
pub trait NamesSession: sealed::Names {}

impl<N: sealed::Names> NamesSession for N {}

mod sealed {
    use super::SessionId;

    pub trait Names {
        /// The id, where the session's cookie has this name.
        fn id(&self, cookie_name: &str) -> Option<SessionId>;
    }
}

impl sealed::Names for SessionId {
    fn id(&self, _: &str) -> Option<SessionId> {
        Some(*self)
    }
}

impl sealed::Names for SeededSession {
    fn id(&self, _: &str) -> Option<SessionId> {
        Some(self.id)
    }
}

/// A `Cookie` header, or a `Set-Cookie` header.
impl sealed::Names for HeaderValue {
    fn id(&self, cookie_name: &str) -> Option<SessionId> {
        let headers = HeaderMap::from_iter([(COOKIE, self.clone())]);
        let value = cookie::values(&headers, cookie_name).next()?;
        SessionId::parse(std::str::from_utf8(cookie::unquoted(value)).ok()?).ok()
    }
}

/// A response that sets the session's cookie.
impl<B> sealed::Names for Response<B> {
    fn id(&self, cookie_name: &str) -> Option<SessionId> {
        self.headers().get_all(SET_COOKIE).iter().find_map(|cookie| cookie.id(cookie_name))
    }
}

/// What the store of `layer` holds for a session, to check what a handler has written; `None` if there is no such session. It reads the store and
/// renews nothing. One store call.
///
/// The session is the one that a response sets the cookie of, or that a `Cookie` header, a [`SeededSession`] or a [`SessionId`] names.
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::post};
/// use session_runtime::{SessionData, SessionError, session, standard, testing};
/// use tower::ServiceExt;
///
/// #[derive(Clone, Default)]
/// struct Visit { user: Option<u64> }
///
/// async fn log_in(session: SessionData<Visit>) -> Result<(), SessionError> {
///     session.rotate_with(|visit| visit.user = Some(7)).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
/// let layer = session!(<Visit>, middleware = standard::lazy_session_middleware);
/// let app: Router = Router::new().route("/log-in", post(log_in)).layer(layer.clone());
///
/// let response = app.oneshot(Request::post("/log-in").body(Body::empty()).unwrap()).await.unwrap();
/// let session = testing::read(&layer, &response).await?.expect("it is logged in");
/// assert_eq!(session.user, Some(7));
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// The store's; [`SessionError::Data`] if the data cannot be read.
pub async fn read<T: Clone + Send + Sync + 'static>(
    layer: &SessionLayer<T>,
    session: &impl NamesSession,
) -> Result<Option<Arc<T>>, SessionError> {
    let setup = &layer.config().setup;
    let Some(id) = session.id(setup.cookie.name()) else { return Ok(None) };
    match setup.store.load(Key::new(&setup.namespace, &id)).await? {
        Loaded::Found(record) => Ok(Some(record.data)),
        Loaded::Undecodable(error) => Err(error.into()),
        Loaded::Missing | Loaded::JustRotated => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session;

    #[derive(Clone, Default)]
    struct Visit {
        pages: u32,
    }

    #[tokio::test]
    async fn a_session_is_read_by_whatever_names_it() {
        let layer = session!(<Visit>, cookie_name = "sid");
        let seeded = seed(&layer, Visit { pages: 3 }).await.unwrap();
        let set = HeaderValue::from_str(&format!("sid=\"{}\"; Path=/; HttpOnly", seeded.id().as_str())).unwrap();
        let mut response = Response::new(());
        response.headers_mut().append(SET_COOKIE, HeaderValue::from_static("other=1"));
        response.headers_mut().append(SET_COOKIE, set.clone());
        let pages = |visit: Result<Option<Arc<Visit>>, SessionError>| visit.unwrap().map(|visit| visit.pages);
        assert_eq!(pages(read(&layer, &seeded).await), Some(3));
        assert_eq!(pages(read(&layer, seeded.id()).await), Some(3));
        assert_eq!(pages(read(&layer, seeded.cookie()).await), Some(3));
        assert_eq!(pages(read(&layer, &set).await), Some(3));
        assert_eq!(pages(read(&layer, &response).await), Some(3));
        // Of another layer, of another cookie, and of none.
        assert_eq!(pages(read(&session!(<Visit>, cookie_name = "sid"), &seeded).await), None);
        assert_eq!(pages(read(&layer, &HeaderValue::from_static("other=1")).await), None);
        assert_eq!(pages(read(&layer, &Response::new(())).await), None);
    }
}
