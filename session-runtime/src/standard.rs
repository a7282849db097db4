//! The standard implementations of the three callbacks, with the document's names, and the lazy middleware beside them.
//!
//! | callback | does | costs |
//! | --- | --- | --- |
//! | [`fetch_session_id`] | takes the id from the cookie, unless one is set already | nothing; a store call for each id if the cookie appears more than once with different ids |
//! | [`generate_session_id`] | 100 characters of `[A-Za-z0-9]`, 595 bits | nothing |
//! | [`session_middleware`] | creates a session for a request that has none | a store call for every request, two where it carries an id that is not there; a row for every visitor |
//! | [`lazy_session_middleware`] | leaves that to the first change | nothing, until a handler wants the session |

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;

use crate::error::SessionError;
use crate::id::{SharedId, random_id};
use crate::request::{self, Carried, CarriedId};
use crate::session::Session;
use crate::session::core::{Create, View};
use crate::session::driver::Driver;

/// Takes the session id from the cookie, unless one is set already.
///
/// The cookie is the layer's, or `SESSION_ID` if there is no layer. If the cookie appears more than once with different ids, it costs a store call for
/// each, side by side: the id that exists counts, and if several exist, or more than 8 came, none does. What is not a valid id counts as none.
///
/// ```
/// use session_runtime::{session_id_callback, standard, SessionRequestExt};
/// use axum::http::request::Parts;
///
/// /// The `Authorization` header first, then the cookie.
/// #[session_id_callback]
/// async fn bearer_or_cookie(request: &mut Parts) {
///     let header = request.headers.get("authorization").and_then(|value| value.to_str().ok());
///     if let Some(token) = header.and_then(|value| value.strip_prefix("Bearer ")) {
///         let token = token.to_owned();
///         request.set_session_id(token);
///     }
///     standard::fetch_session_id(request).await;
/// }
/// ```
pub async fn fetch_session_id(request: &mut Parts) {
    request::fetch_session_id(request).await;
}

/// A new session id: 100 characters of `[A-Za-z0-9]`, 595 bits, from a generator that is seeded by the operating system
/// (`ChaCha`, as strong as the system's own).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let id = session_runtime::standard::generate_session_id().await;
/// assert_eq!(id.len(), 100);
/// # }
/// ```
pub async fn generate_session_id() -> String {
    random_id().into_iter().map(char::from).collect()
}

/// Creates a session for every request that has none, and adds its cookie to the response: the document's middleware.
///
/// A row is stored for every visitor, bot, 404 and preflight under the layer. Choose [`lazy_session_middleware`] unless every
/// visitor needs a session from the first request on.
///
/// A request costs one store call, which the handler's read shares; a new session one, two if the request carried an id that is
/// not there. Where the store fails, the answer is the error's, and the handler does not run.
///
/// ```
/// use session_runtime::{session, standard};
/// #[derive(Clone, Default)]
/// struct Visit;
/// let layer = session!(<Visit>, middleware = standard::session_middleware); // as without the option
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(|| async {})).layer(layer);
/// ```
pub async fn session_middleware<T: Clone + Send + Sync + 'static>(
    session_system: Session<T>,
    mut request: Request,
    next: Next,
) -> Response {
    session_system.fetch_session_id(&mut request).await;
    let created = match begin(&session_system.0, &mut request).await.or_else(unless_unreadable) {
        Ok(created) => created,
        Err(error) => return error.into_response(),
    };
    let response = next.run(request).await;
    match created {
        Some(id) => session_system.add_session_id(response, &id),
        None => response,
    }
}

/// What the standard middleware does before the handler, once the id is found. The cookie of what it creates is owed by the response.
pub(crate) async fn begin<T>(driver: &Arc<Driver<T>>, request: &mut Request) -> Result<Option<SharedId>, SessionError>
where
    T: Clone + Send + Sync + 'static,
{
    let carried = driver.look(request);
    let view = match driver.read(&carried).try_now() {
        Ok(view) => view?,
        Err(reading) => reading.await?,
    };
    match view {
        // Nothing is created for a visitor who reads the default data: the client may have a session that this request does not know.
        View::Live(_) | View::Default => Ok(None),
        View::None => {
            let created = driver.create(Create::Visit, Arc::clone(&driver.setup.default_data), None).await?;
            if let Some(id) = &created {
                let id = CarriedId::One { id: id.clone(), by_cookie: false };
                Carried::of(request.extensions_mut()).put(id);
            }
            Ok(created)
        }
    }
}

/// The handler may be the one that logs out, which needs nothing of the session to be read (law 14).
#[cold]
pub(crate) fn unless_unreadable<R: Default>(error: SessionError) -> Result<R, SessionError> {
    match error {
        SessionError::Data(_) => Ok(R::default()),
        error => Err(error),
    }
}

/// Leaves the session alone until a handler wants it: no cookie, no row and no store call before.
///
/// A handler that reads a session which does not exist gets the default data; the first change creates it, and its cookie is
/// added to the response by itself. Called from a middleware of one's own, it makes that one lazy.
///
/// ```
/// use session_runtime::{session, standard};
/// #[derive(Clone, Default)]
/// struct Visit;
/// let layer = session!(<Visit>, middleware = standard::lazy_session_middleware);
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(|| async {})).layer(layer);
/// ```
pub async fn lazy_session_middleware<T: Clone + Send + Sync + 'static>(
    session_system: Session<T>,
    mut request: Request,
    next: Next,
) -> Response {
    session_system.make_lazy();
    session_system.fetch_session_id(&mut request).await;
    match session_system.failure() {
        Err(error) => error.into_response(),
        Ok(()) => next.run(request).await,
    }
}
