//! What a request carries: the session ids, kept per session layer, and the cookies.

mod carried;
mod carried_id;
mod finder;

use std::str;

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request};

use crate::cookie;
use crate::id::{IntoSessionId, SessionId};

pub(crate) use carried::{Carried, EnteredLayer, given};
pub(crate) use carried_id::CarriedId;
pub use finder::SessionIdCallback;
pub(crate) use finder::{Ask, Done, RunSessionId, fetch_session_id};

/// What sessions add to a request, whole ([`Request`]) or its head ([`Parts`]).
///
/// Where several session layers are around a route, the id is that of the session which a callback or middleware runs for; in a
/// handler, that of the innermost layer. [`Session<T>`](crate::Session) and [`SessionData<T>`](crate::SessionData) are exact.
///
/// ```
/// use axum::http::Request;
/// use session_runtime::SessionRequestExt;
///
/// let mut request = Request::builder().header("cookie", "theme=dark; SESSION_ID=abc").body(()).unwrap();
/// assert_eq!(request.cookie("theme"), Some("dark"));
/// assert_eq!(request.session_id(), None); // no session layer, and none set
///
/// request.set_session_id("rZ8kQ2vX");
/// assert_eq!(request.session_id().map(|id| id.as_str()), Some("rZ8kQ2vX"));
/// request.set_session_id("not valid");
/// assert_eq!(request.session_id(), None);
/// ```
pub trait SessionRequestExt: sealed::Head {
    /// The id that the request carries for its session: one that was set, or else what the layer's
    /// `session_id_callback` found. It is not yet known whether the store holds it.
    fn session_id(&self) -> Option<&SessionId> {
        let carried = self.extensions().get::<Carried>()?;
        let id = match carried.set(carried.depth()) {
            Some(set) => set,
            None => carried.current.as_ref()?.found(self.method(), self.headers())?,
        };
        id.one().map(|id| &**id)
    }

    /// Sets the id that the request carries for its session: a [`SessionId`], `String` or `&str`, or an `Option` of these. What is
    /// no valid id counts as none.
    fn set_session_id(&mut self, id: impl IntoSessionId)
    where
        Self: Sized,
    {
        let id = given(id, self.extensions(), self.headers());
        Carried::of(self.extensions_mut()).put(id);
    }

    /// The value of the first cookie of this exact name, without the one pair of double quotes that it may be in (RFC 6265, section
    /// 4.1.1); `None` also where it is not UTF-8.
    fn cookie<'a>(&'a self, name: &str) -> Option<&'a str> {
        // No cookie has such a name, but a pair without one (`=x`) would be taken for the cookie of the empty name.
        if name.is_empty() || name.contains('=') {
            return None;
        }
        cookie::values(self.headers(), name).next().and_then(|value| str::from_utf8(cookie::unquoted(value)).ok())
    }
}

impl SessionRequestExt for Parts {}
impl<B> SessionRequestExt for Request<B> {}

mod sealed {
    use super::{Extensions, HeaderMap, Method, Parts, Request};

    pub trait Head {
        fn method(&self) -> &Method;
        fn headers(&self) -> &HeaderMap;
        fn extensions(&self) -> &Extensions;
        fn extensions_mut(&mut self) -> &mut Extensions;
    }

    impl Head for Parts {
        fn method(&self) -> &Method {
            &self.method
        }

        fn headers(&self) -> &HeaderMap {
            &self.headers
        }

        fn extensions(&self) -> &Extensions {
            &self.extensions
        }

        fn extensions_mut(&mut self) -> &mut Extensions {
            &mut self.extensions
        }
    }

    impl<B> Head for Request<B> {
        fn method(&self) -> &Method {
            Request::method(self)
        }

        fn headers(&self) -> &HeaderMap {
            Request::headers(self)
        }

        fn extensions(&self) -> &Extensions {
            Request::extensions(self)
        }

        fn extensions_mut(&mut self) -> &mut Extensions {
            Request::extensions_mut(self)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cookie::header::tests::{expected, headers};
    use crate::random::for_all;

    /// Names of cookies, and what is none.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![Just("sid".to_owned()), "[a-z]?[=; \t\"]?[a-z]?", any::<String>()]
    }

    #[test]
    fn a_cookie_is_the_first_of_its_name_whatever_is_asked_for() {
        // Of its header there is nothing but what a header can hold.
        let of = |name: &str| name.chars().filter(|char| !char.is_ascii_control()).collect::<String>();
        let inputs = name().prop_flat_map(move |name| (headers(Just(of(&name))), Just(name)));
        for_all(inputs, |(headers, name)| {
            let mut request = Request::new(());
            *request.headers_mut() = headers.clone();
            let first = expected(&headers, &name).first().and_then(|value| str::from_utf8(cookie::unquoted(value)).ok());
            assert_eq!(request.cookie(&name), first);
        });
    }

    #[test]
    fn a_value_in_quotes_is_what_stands_in_them() {
        let request = Request::builder().header("cookie", "a=\"1\"; b=\"\"; c=\"; d=x\"y\"").body(()).unwrap();
        assert_eq!(["a", "b", "c", "d"].map(|name| request.cookie(name)), [Some("1"), Some(""), Some("\""), Some("x\"y\"")]);
    }

    #[test]
    fn a_pair_without_a_name_is_no_cookie() {
        let request = Request::builder().header("cookie", "=").body(()).unwrap();
        assert_eq!(request.cookie(""), None);
    }
}
