//! What a request carries: the session ids, kept per session layer, and the cookies.

use std::any::{Any, TypeId};
use std::str;
use std::sync::Arc;

use http::request::Parts;
use http::{Extensions, HeaderMap, Request};

use crate::cookie;
use crate::few::Few;
use crate::id::{IntoSessionId, SessionId};
use crate::maybe_ready::MaybeReady;
use crate::shared_id::SharedId;

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
        if let Some(set) = carried.set(carried.depth()) {
            return set.as_deref();
        }
        match carried.current.as_ref()?.auto_fetched(self.headers())? {
            Found::One(id) => Some(id),
            Found::Nothing | Found::Several(_) => None,
        }
    }

    /// Sets the id that the request carries for its session: a [`SessionId`], `String` or `&str`, or an `Option` of these. What is
    /// no valid id counts as none.
    fn set_session_id(&mut self, id: impl IntoSessionId)
    where
        Self: Sized,
    {
        Carried::of(self.extensions_mut()).put(id.into_session_id().map(|id| SharedId::new(&id)));
    }

    /// The value of the first cookie of this exact name, as it stands in the request; `None` also where it is not UTF-8.
    fn cookie<'a>(&'a self, name: &str) -> Option<&'a str> {
        // No cookie has such a name, but a pair without one (`=x`) would be taken for the cookie of the empty name.
        if name.is_empty() || name.contains('=') {
            return None;
        }
        cookie::values(self.headers(), name).next().and_then(|value| str::from_utf8(value).ok())
    }
}

impl SessionRequestExt for Parts {}
impl<B> SessionRequestExt for Request<B> {}

mod sealed {
    use super::{Extensions, HeaderMap, Parts, Request};

    pub trait Head {
        fn headers(&self) -> &HeaderMap;
        fn extensions(&self) -> &Extensions;
        fn extensions_mut(&mut self) -> &mut Extensions;
    }

    impl Head for Parts {
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

/// What was set for a layer: an id, or that there is none.
pub(crate) type SetId = Option<SharedId>;

/// The one extension that sessions put into a request: the innermost layer's state, which leads to the outer ones', and the ids
/// that were set, per layer.
#[derive(Clone, Default)]
pub(crate) struct Carried {
    pub(crate) current: Option<Arc<dyn LayerState>>,
    set: Few<(u32, SetId)>,
}

impl Carried {
    pub(crate) fn of(extensions: &mut Extensions) -> &mut Self {
        extensions.get_or_insert_default()
    }

    /// What a request carries that has entered its first layer.
    pub(crate) const fn by(state: Arc<dyn LayerState>) -> Self {
        Self { current: Some(state), set: Few::new() }
    }

    /// The layer whose id is meant; 0 where there is none yet.
    pub(crate) fn depth(&self) -> u32 {
        self.current.as_ref().map_or(0, |state| state.depth())
    }

    /// What was set for the layer at `depth`.
    pub(crate) fn set(&self, depth: u32) -> Option<&SetId> {
        self.set.iter().find(|(at, _)| *at == depth).map(|(_, id)| id)
    }

    /// Sets the id for the current layer.
    pub(crate) fn put(&mut self, id: SetId) {
        self.put_at(self.depth(), id);
    }

    /// Sets the id for the layer at `depth`.
    pub(crate) fn put_at(&mut self, depth: u32, id: SetId) {
        self.take_at(depth);
        self.set.push((depth, id));
    }

    fn take_at(&mut self, depth: u32) {
        self.set.retain(|(at, _)| *at != depth);
    }

    /// Undoes what was set for the current layer.
    pub(crate) fn restore(&mut self, before: Option<SetId>) {
        if let Some(id) = before {
            self.put(id);
        } else {
            self.take_at(self.depth());
        }
    }

    /// Makes `state` the innermost layer's. An id that was set before there was any layer becomes that of the outermost one.
    pub(crate) fn enter(&mut self, state: Arc<dyn LayerState>) {
        if self.current.is_none() {
            self.set.for_each_mut(|(depth, _)| *depth = state.depth());
        }
        self.current = Some(state);
    }
}

/// The ids that the standard `session_id_callback` finds in the cookies.
#[derive(Clone)]
pub(crate) enum Found {
    Nothing,
    One(SharedId),
    /// The cookie stands more than once, with different ids: the one that exists counts.
    #[expect(clippy::box_collection, reason = "it is rare, and the others are small")]
    Several(Box<Vec<SharedId>>),
}

/// The most ids of one request that are looked up in the store.
const MOST_LOOKED_UP: usize = 8;

impl Found {
    pub(crate) fn in_cookies(headers: &HeaderMap, name: &str) -> Self {
        let mut found = Self::Nothing;
        for header in cookie::cookie_headers(headers) {
            for value in cookie::Values::of(header, name) {
                if let Some(id) = SharedId::parse(value) {
                    found.add(id);
                }
            }
        }
        found
    }

    fn add(&mut self, id: SharedId) {
        match self {
            Self::Nothing => *self = Self::One(id),
            Self::One(first) if *first == id => {}
            Self::One(first) => *self = Self::Several(Box::new(vec![first.clone(), id])),
            Self::Several(ids) => {
                if ids.len() < MOST_LOOKED_UP && !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
    }
}

/// A layer's state for one request, without its data type.
pub(crate) trait LayerState: Send + Sync + 'static {
    /// 1 for the outermost layer.
    fn depth(&self) -> u32;
    fn outer(&self) -> Option<&Arc<dyn LayerState>>;
    fn cookie_name(&self) -> &str;
    fn data_type(&self) -> TypeId;
    fn data_type_name(&self) -> &'static str;
    /// What the standard callback finds, where it is the layer's and needs no call: found when first asked for.
    fn auto_fetched(&self, headers: &HeaderMap) -> Option<&Found>;
    /// Of several ids the one that counts.
    fn pick<'a>(&'a self, ids: &'a [SharedId]) -> MaybeReady<'a, SetId>;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// The state of the innermost layer whose data type is `data`.
pub(crate) fn layer_state(carried: &Carried, data: TypeId) -> Option<&Arc<dyn LayerState>> {
    let mut at = carried.current.as_ref();
    while let Some(state) = at {
        if state.data_type() == data {
            return Some(state);
        }
        at = state.outer();
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::cookie::tests::{expected, headers};
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
            let first = expected(&headers, &name).first().and_then(|value| str::from_utf8(value).ok());
            assert_eq!(request.cookie(&name), first);
        });
    }

    #[test]
    fn a_pair_without_a_name_is_no_cookie() {
        let request = Request::builder().header("cookie", "=").body(()).unwrap();
        assert_eq!(request.cookie(""), None);
    }

    #[test]
    fn the_ids_in_the_cookies_are_the_valid_ones_each_once_and_eight_at_most() {
        let many = vec("[a-c]{1,2}|[a-z;, ]{0,9}", 0..30).prop_map(|values| {
            let pairs: Vec<_> = values.iter().map(|value| format!("sid={value}; ")).collect();
            HeaderMap::from_iter([(http::header::COOKIE, pairs.concat().parse().unwrap())])
        });
        for_all(prop_oneof![headers(Just("sid".to_owned())), many], |headers| {
            let mut ids: Vec<&[u8]> = Vec::new();
            for value in expected(&headers, "sid") {
                if SessionId::is_valid(value) && !ids.contains(&value) {
                    ids.push(value);
                }
            }
            ids.truncate(MOST_LOOKED_UP);
            let found = match Found::in_cookies(&headers, "sid") {
                Found::Nothing => vec![],
                Found::One(id) => vec![id],
                Found::Several(ids) => {
                    assert!(ids.len() > 1);
                    *ids
                }
            };
            assert_eq!(found.iter().map(|id| id.as_bytes()).collect::<Vec<_>>(), ids);
        });
    }
}
