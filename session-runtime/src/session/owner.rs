//! The extractor of who is logged in, which guards routes.

use std::fmt;
use std::ops::Deref;

use axum::extract::{FromRequestParts, OptionalFromRequestParts, OriginalUri};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};

use super::core::View;
use super::data::SessionData;
use crate::config::is_local_path;
use crate::error::SessionError;
use crate::owner::{OwnerId, RegisteredOwner};

/// Who is logged in: what the function says that `#[session_owner(T)]` registers. That one counts also where the layer has another by `owner = ..`.
///
/// It derefs to the owner. Without one it rejects with 401. If the layer has a `login_path`, and it is a browser that goes to a page by GET, it answers 303
/// instead, to the login page, with the page it wanted as `?next=`, which is a path of this site ([`next_path`] reads it again). `Option<SessionOwner<T>>` is
/// `None` if nobody is logged in. While the store is down it rejects with 503, also where `on_store_error` lets requests go on without a session: nobody is
/// sent to the login page for an outage.
///
/// It costs what extracting [`SessionData`] costs.
///
/// As an argument of a handler it gives the owner; with [`axum::middleware::from_extractor`] it guards a router:
///
/// ```
/// use axum::{Router, middleware::from_extractor, routing::get};
/// use session_runtime::{SessionOwner, session, session_owner, standard};
///
/// #[derive(Clone, Default)]
/// struct Visit { user: Option<u64> }
///
/// #[session_owner(Visit)]
/// fn owner(visit: &Visit) -> Option<u64> { visit.user }
///
/// async fn me(user: SessionOwner<Visit>) -> String { format!("user {}", *user) }
///
/// let app: Router = Router::new()
///     .route("/me", get(me))
///     .route_layer(from_extractor::<SessionOwner<Visit>>())
///     .layer(session!(<Visit>, middleware = standard::lazy_session_middleware, login_path = "/login"));
/// ```
pub struct SessionOwner<T: RegisteredOwner>(T::Owner);

impl<T: RegisteredOwner> SessionOwner<T> {
    /// The owner.
    #[must_use]
    pub fn into_inner(self) -> T::Owner {
        self.0
    }
}

impl<T: RegisteredOwner> Deref for SessionOwner<T> {
    type Target = T::Owner;

    fn deref(&self) -> &T::Owner {
        &self.0
    }
}

impl<T: RegisteredOwner> Clone for SessionOwner<T>
where
    T::Owner: Clone,
{
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: RegisteredOwner> fmt::Debug for SessionOwner<T>
where
    T::Owner: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionOwner").field(&self.0).finish()
    }
}

/// Why there is no [`SessionOwner`].
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionOwnerRejection {
    /// Nobody is logged in ([`SessionError::NotExists`]), or the session could not be read.
    Failed(SessionError),
    /// Nobody is logged in, and the browser is sent there.
    LogIn(String),
}

impl IntoResponse for SessionOwnerRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Failed(error) => error.into_response(),
            Self::LogIn(to) => Redirect::to(&to).into_response(),
        }
    }
}

impl fmt::Display for SessionOwnerRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::LogIn(_) => f.write_str("nobody is logged in: the browser is sent to the login page"),
        }
    }
}

impl std::error::Error for SessionOwnerRejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::LogIn(_) => None,
        }
    }
}

impl<T, S> FromRequestParts<S> for SessionOwner<T>
where
    T: RegisteredOwner<Owner: OwnerId> + Clone + Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = SessionOwnerRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionOwnerRejection> {
        let (driver, view) = SessionData::<T>::read(parts).await.map_err(SessionOwnerRejection::Failed)?;
        if let Some(owner) = owner_of(&view) {
            return Ok(owner);
        }
        // Whoever is logged in is not to log in again because of an outage.
        if let Some(error) = driver.core().outage() {
            return Err(SessionOwnerRejection::Failed(error));
        }
        Err(match &driver.setup.login_path {
            Some(path) if is_navigation(&parts.method, &parts.headers) => SessionOwnerRejection::LogIn(login_uri(path, parts)),
            _ => SessionOwnerRejection::Failed(SessionError::NotExists),
        })
    }
}

impl<T, S> OptionalFromRequestParts<S> for SessionOwner<T>
where
    T: RegisteredOwner<Owner: OwnerId> + Clone + Send + Sync + 'static,
    S: Send + Sync,
{
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, SessionError> {
        let (_, view) = SessionData::<T>::read(parts).await?;
        Ok(owner_of(&view))
    }
}

fn owner_of<T: RegisteredOwner>(view: &View<T>) -> Option<SessionOwner<T>> {
    match view {
        View::Live(data) => data.owner().map(SessionOwner),
        View::Default | View::None => None,
    }
}

/// A browser goes to a page. Old ones do not say so, but that they want a page (Fetch Metadata; RFC 9110, section 12.5.1).
fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    let says = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let wants_a_page = || says(header::ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/html"));
    matches!(*method, Method::GET | Method::HEAD) && says("sec-fetch-mode").map_or_else(wants_a_page, |mode| mode == "navigate")
}

fn login_uri(login_path: &str, parts: &Parts) -> String {
    // What the client asked for, not what a nested router sees of it.
    let uri: &Uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
    let wanted = uri.path_and_query().map_or("/", |wanted| wanted.as_str());
    let separator = if login_path.contains('?') { '&' } else { '?' };
    if !is_local_path(wanted) {
        return login_path.to_owned();
    }
    let mut to = format!("{login_path}{separator}next=");
    for byte in wanted.bytes() {
        // What a query's value may have as it is (WHATWG URL, section 5.2).
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => to.push(char::from(byte)),
            byte => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                to.extend(['%', char::from(HEX[usize::from(byte >> 4)]), char::from(HEX[usize::from(byte & 15)])]);
            }
        }
    }
    to
}

/// Where to send a browser after the login: `next`, as [`SessionOwner`] gave it to the login page, if it is a path of this site, else `/`.
///
/// Anybody can make a link to the login page with a `next` of their own. One that leads to another site would make users trust that site (CWE-601). What is
/// read of the query has to be percent-decoded, as axum's `Query` does.
///
/// ```
/// use session_runtime::next_path;
///
/// assert_eq!(next_path("/account?tab=2"), "/account?tab=2");
/// for elsewhere in ["https://example.com", "//example.com", "/\\example.com", "/\t/example.com", "javascript:alert(1)", ""] {
///     assert_eq!(next_path(elsewhere), "/");
/// }
/// ```
#[must_use]
pub const fn next_path(next: &str) -> &str {
    if is_local_path(next) { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(uri: &str) -> Parts {
        Request::get(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_login_page_gets_the_wanted_page_if_it_is_of_this_site() {
        for (login_path, wanted, to) in [
            ("/login", "/account", "/login?next=/account"),
            ("/login", "/a%20b?x=1&y=%2F", "/login?next=/a%2520b%3Fx%3D1%26y%3D%252F"),
            ("/login?by=mail", "/", "/login?by=mail&next=/"),
            ("/login", "//example.com/", "/login"),
        ] {
            assert_eq!(login_uri(login_path, &parts(wanted)), to);
        }
    }

    #[test]
    fn only_a_browser_that_goes_to_a_page_is_sent_to_the_login_page() {
        for (method, headers, is_one) in [
            (Method::GET, &[("sec-fetch-mode", "navigate")][..], true),
            (Method::GET, &[("sec-fetch-mode", "cors"), ("accept", "text/html")], false),
            (Method::GET, &[("accept", "text/html,application/xhtml+xml")], true),
            (Method::GET, &[("accept", "application/json")], false),
            (Method::GET, &[], false),
            (Method::POST, &[("sec-fetch-mode", "navigate")], false),
        ] {
            let headers: HeaderMap =
                headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            assert_eq!(is_navigation(&method, &headers), is_one, "{method} {headers:?}");
        }
    }
}
