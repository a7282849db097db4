//! The one error type of the session system, and what each error answers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use crate::log;

/// Why the session system could not do what was asked.
///
/// As a response it has the status that is named at each variant. In a build with debug assertions the text is the whole message, which names types
/// and callbacks; in a release build it is the short text of the status, such as `Service Unavailable`. The log has all of it, with the chain of
/// causes, once a second for each cause. The response carries the error as an extension
/// (`response.extensions().get::<SessionError>()`), for middlewares of your own; the option `error_response` makes your own answer of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SessionError {
    /// The request has no session: it carried no id, one that the store does not hold, or one that was destroyed or expired
    /// meanwhile. 401, with `WWW-Authenticate`. The document's `SessionNotExists`.
    ///
    /// Ask the user to log in again; a handler that works without a session takes `Option<SessionData<T>>`.
    NotExists,
    /// Other requests were changing the session, until `store_timeout` was over: each time this one tried to, or while it waited
    /// for its turn. 409; nothing was written. Try again.
    Conflict,
    /// The request carries an id that another request has just replaced by a new one, which the client's next try will carry. 409, with
    /// `Retry-After: 1`; nothing was written. Try again.
    JustRotated,
    /// The request comes from another site, and carries no session cookie, which the browser may be holding back (`SameSite`). 403; nothing
    /// was written. Change the session on a request that your own pages cause; a login ([`rotate_with`](crate::SessionData::rotate_with)) works.
    CrossSite,
    /// The user did not prove who they are within this time: by a login, or by [`SessionData::confirm`](crate::SessionData::confirm). 401, with
    /// `WWW-Authenticate` (RFC 9470). Ask for the password again, and call `confirm`.
    NotFresh {
        /// Within which time they have to have proved it.
        max_age: Duration,
    },
    /// The owner has as many sessions as the option `owner_limit` allows, and `when_full` says `Refuse`. 409; nothing was stored. Ask the user to log
    /// out elsewhere.
    TooManySessions,
    /// A change of the data makes the session somebody else's, which gives it a new id, and the client would not get to know it: the id came from elsewhere
    /// than the cookie, or it is [`Sessions::update_each`](crate::Sessions::update_each) that changes it. 500; nothing was written. Use
    /// [`rotate_with`](crate::SessionData::rotate_with), and send [`session_id`](crate::SessionData::session_id) to the client.
    OwnerChange,
    /// The layer does not know who its sessions belong to. 500. Register a function with `#[session_owner(T)]`, or give the option `owner`.
    MissingOwner {
        /// The data type of the layer.
        data: &'static str,
    },
    /// The store does not keep who its sessions belong to. 500. Take another store, or leave the owner out.
    NoOwners,
    /// The head of the response has left, or the request was given up, as by a client that hangs up, while a task of it goes on: a cookie cannot be
    /// set any more, so creating and rotating a session is over. Nothing was stored. 500. Do it before the response is returned.
    ResponseStarted,
    /// The store cannot be reached or failed. 503. Try again later; the cause is in `source()` and in the log.
    StoreUnavailable(StoreError),
    /// The store did not answer within `store_timeout`. 503. A change that was under way is done once or not at all.
    StoreTimeout,
    /// The store holds as many sessions as it may. 503. Raise the store's limit, or use the lazy middleware, which stores no
    /// session for a visitor who needs none.
    StoreFull,
    /// The session's data cannot be encoded or decoded. 500; nothing was written. The cause is in `source()`.
    Data(StoreError),
    /// The router has no session layer for this data type. 500. Add `.layer(session!(<T>))` around the route.
    MissingLayer {
        /// The data type whose layer is missing.
        data: &'static str,
    },
    /// Two session layers around one route use the same cookie. 500. Give one of them another `cookie_name`.
    DuplicateCookie {
        /// The data type of the outer layer.
        outer: &'static str,
        /// The data type of the inner layer.
        inner: &'static str,
    },
    /// A callback panicked. 500; nothing was stored. The panic is in the log.
    CallbackPanicked {
        /// The callback's path.
        callback: &'static str,
    },
    /// The generator returned a text that is no valid session id. 500; nothing was stored.
    InvalidId {
        /// The callback's path.
        callback: &'static str,
    },
    /// The generator returned an id that could carry fewer than 64 bits of entropy (OWASP). 500; nothing was stored. Make the ids
    /// longer, or of more kinds of characters.
    WeakId {
        /// The callback's path.
        callback: &'static str,
    },
    /// The generator returned, time after time, ids that are taken. 500; nothing was stored. Its ids are not random.
    RepeatedId {
        /// The callback's path.
        callback: &'static str,
    },
}

impl SessionError {
    /// The store is down or slow.
    pub(crate) const fn is_outage(&self) -> bool {
        matches!(self, Self::StoreUnavailable(StoreError::Unavailable(_)) | Self::StoreTimeout)
    }

    /// What the client is told: what to do, in a build for those who write the program; else nothing of the program.
    fn text(&self, is_for_developers: bool) -> Cow<'static, str> {
        if is_for_developers {
            return Cow::Owned(self.to_string());
        }
        Cow::Borrowed(self.status().canonical_reason().unwrap_or_default())
    }

    /// What the client has to do (RFC 9110, section 11.6.1; RFC 9470, section 3).
    fn challenge(&self) -> HeaderValue {
        let Self::NotFresh { max_age } = self else { return HeaderValue::from_static("Cookie realm=\"session\"") };
        let seconds = max_age.as_secs();
        let text = format!("Cookie realm=\"session\", error=\"insufficient_user_authentication\", max_age=\"{seconds}\"");
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("Cookie realm=\"session\""))
    }

    /// The status that it answers.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotExists | Self::NotFresh { .. } => StatusCode::UNAUTHORIZED,
            Self::Conflict | Self::JustRotated | Self::TooManySessions => StatusCode::CONFLICT,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::StoreUnavailable(_) | Self::StoreTimeout | Self::StoreFull => StatusCode::SERVICE_UNAVAILABLE,
            Self::ResponseStarted
            | Self::OwnerChange
            | Self::MissingOwner { .. }
            | Self::NoOwners
            | Self::Data(_)
            | Self::MissingLayer { .. }
            | Self::DuplicateCookie { .. }
            | Self::CallbackPanicked { .. }
            | Self::InvalidId { .. }
            | Self::WeakId { .. }
            | Self::RepeatedId { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotExists => f.write_str("there is no session: log in, or send the session's cookie"),
            Self::Conflict => f.write_str("the session was changed by other requests meanwhile: try again"),
            Self::JustRotated => f.write_str("the session has just got a new id, and this request carries the old one: try again"),
            Self::CrossSite => f.write_str(
                "the request comes from another site without the session's cookie, which the browser may be holding back: change the session from a page of this site",
            ),
            Self::ResponseStarted => f.write_str(
                "the response has started, so no session cookie can be set: create or rotate the session before the response is returned",
            ),
            Self::StoreUnavailable(_) => f.write_str("the session store cannot be reached or failed: try again later"),
            Self::StoreTimeout => f.write_str("the session store did not answer in time: try again later"),
            Self::StoreFull => f.write_str("the session store is full: try again later"),
            Self::Data(_) => f.write_str("the session's data cannot be encoded or decoded"),
            Self::NotFresh { max_age } => {
                write!(f, "the user has to prove who they are again, as they did not within {max_age:?}: then call `confirm`")
            }
            Self::TooManySessions => f.write_str("the user has as many sessions as `owner_limit` allows: log out elsewhere"),
            Self::OwnerChange => f.write_str(
                "a change gives the session to another owner, and so a new id, which its client would not get to know: in the user's own request use `rotate_with`, and send `session_id()`; `update_each` leaves the owner as it is",
            ),
            Self::MissingOwner { data } => write!(
                f,
                "it is not known who the sessions with `{data}` belong to: register a function with `#[session_owner({data})]`"
            ),
            Self::NoOwners => f.write_str("the layer's store does not keep who its sessions belong to: take another store"),
            Self::MissingLayer { data } => write!(
                f,
                "there is no session layer for `{data}` around this route: add `.layer(session!(<{data}>))` to the router"
            ),
            Self::DuplicateCookie { outer, inner } if outer == inner => write!(
                f,
                "two different session layers for `{outer}` are around this route: make one, and give clones of it to both routers"
            ),
            Self::DuplicateCookie { outer, inner } => write!(
                f,
                "the session layers for `{outer}` and `{inner}` use the same cookie: give one of them another `cookie_name`"
            ),
            Self::CallbackPanicked { callback } => write!(f, "the callback `{callback}` panicked"),
            Self::InvalidId { callback } => {
                write!(f, "the callback `{callback}` returned an id that is not 1 to 256 cookie octets (RFC 6265)")
            }
            Self::WeakId { callback } => write!(
                f,
                "the callback `{callback}` returned an id that can carry fewer than 64 bits of entropy (OWASP): make it longer"
            ),
            Self::RepeatedId { callback } => {
                write!(f, "the callback `{callback}` returned ids that are taken, time after time: make them random")
            }
        }
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::StoreUnavailable(error) | Self::Data(error) => Some(error),
            _ => None,
        }
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::StoreFull,
            StoreError::NoOwners => Self::NoOwners,
            StoreError::Data(_) => Self::Data(error),
            StoreError::Unavailable(_) => Self::StoreUnavailable(error),
        }
    }
}

impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        let status = self.status();
        match &self {
            // Said where it was waited for, with the store and the operation.
            Self::StoreTimeout => {}
            error if status.is_server_error() => log::error(error, "a request failed for its session"),
            error => tracing::debug!(%error, "a request was refused its session"),
        }
        let mut response = (status, self.text(cfg!(debug_assertions))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, self.challenge());
        }
        if matches!(self, Self::JustRotated) {
            response.headers_mut().insert(RETRY_AFTER, const { HeaderValue::from_static("1") });
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Why [`SessionLayerBuilder::build`](crate::SessionLayerBuilder::build) refused its options. `session!` answers the same
/// mistakes when it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigError {
    option: &'static str,
    problem: &'static str,
}

impl ConfigError {
    pub(crate) const fn new(option: &'static str, problem: &'static str) -> Self {
        Self { option, problem }
    }

    /// The option that is wrong, by its name in `session!`.
    #[must_use]
    pub const fn option(&self) -> &'static str {
        self.option
    }

    /// What is wrong with it, as the rest of a sentence that starts with its name.
    pub(crate) const fn problem(&self) -> &'static str {
        self.problem
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.option, self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// Why a store could not answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be reached, or failed: the session system answers 503.
    Unavailable(Arc<dyn std::error::Error + Send + Sync>),
    /// The store holds as many sessions as it may: the session system answers 503.
    Full,
    /// The store does not keep who its sessions belong to: the session system answers 500.
    NoOwners,
    /// The data cannot be encoded or decoded: the session system answers 500.
    Data(Arc<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// The store cannot be reached, or failed.
    pub fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(Arc::from(error.into()))
    }

    /// The data cannot be encoded or decoded.
    pub fn data(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Data(Arc::from(error.into()))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(_) => f.write_str("the session store cannot be reached or failed"),
            Self::Full => f.write_str("the session store is full"),
            Self::NoOwners => f.write_str("the session store does not keep who its sessions belong to"),
            Self::Data(_) => f.write_str("the session's data cannot be encoded or decoded"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(error) | Self::Data(error) => Some(error.as_ref()),
            Self::Full | Self::NoOwners => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_build_tells_the_client_nothing_of_the_program() {
        let data = "shop::Visit";
        for (error, short) in [
            (SessionError::NotExists, "Unauthorized"),
            (SessionError::JustRotated, "Conflict"),
            (SessionError::CrossSite, "Forbidden"),
            (SessionError::MissingLayer { data }, "Internal Server Error"),
            (SessionError::DuplicateCookie { outer: data, inner: data }, "Internal Server Error"),
            (SessionError::CallbackPanicked { callback: "shop::find" }, "Internal Server Error"),
            (SessionError::StoreTimeout, "Service Unavailable"),
        ] {
            assert_eq!(error.text(false), short);
            assert_eq!(error.text(true), error.to_string());
            assert_ne!(error.text(true), short);
        }
    }
}
