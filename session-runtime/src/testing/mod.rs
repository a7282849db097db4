//! For tests: of handlers that use sessions ([`seed`]), and of stores ([`conformance`]).

mod conformance;

use std::sync::Arc;

use http::HeaderValue;

use crate::error::SessionError;
use crate::id::SessionId;
use crate::layer::SessionLayer;
use crate::store::{Created, Key, NewSession, Origin};

pub use conformance::{Checked, Conformance, ConformanceData, Outcome, Report, conformance};

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
