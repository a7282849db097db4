//! What a request carries of sessions, as one extension.

use std::any::Any;
use std::sync::Arc;

use http::{Extensions, HeaderMap, Method};

use super::carried_id::CarriedId;
use crate::cookie;
use crate::id::{IntoSessionId, SessionId};
use crate::inline_vec::InlineVec;
use crate::maybe_ready::MaybeReady;

/// One layer's part in a request, without its data type.
pub(crate) trait EnteredLayer: Send + Sync + 'static {
    /// 1 for the outermost layer.
    fn depth(&self) -> u32;
    fn outer(&self) -> Option<&Arc<dyn EnteredLayer>>;
    fn cookie_name(&self) -> &str;
    fn data_type_name(&self) -> &'static str;
    /// Which layer it is. Clones are the same one.
    fn identity(&self) -> *const ();
    /// What the standard callback finds, if it is the layer's. It looks when it is first asked.
    fn found(&self, method: &Method, headers: &HeaderMap) -> Option<&CarriedId>;
    /// Reads which of several ids counts.
    fn settle<'a>(&'a self, carried: &'a CarriedId) -> MaybeReady<'a, CarriedId>;
    /// What came as the id is not in the cookie, which has an id, too.
    fn leave_cookie_unread(&self);
    /// The request is refused: what was created for it is to be undone, and it gets no cookie.
    fn refuse(&self);
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// The innermost layer, which leads to the outer ones, and the ids that were set for each.
#[derive(Clone, Default)]
pub(crate) struct Carried {
    pub(crate) current: Option<Arc<dyn EnteredLayer>>,
    set: InlineVec<(u32, CarriedId)>,
}

impl Carried {
    pub(crate) fn of(extensions: &mut Extensions) -> &mut Self {
        extensions.get_or_insert_default()
    }

    /// What a request carries that has entered its first layer.
    pub(crate) const fn by(layer: Arc<dyn EnteredLayer>) -> Self {
        Self { current: Some(layer), set: InlineVec::new() }
    }

    /// The layer whose id is meant; 0 if there is none yet.
    pub(crate) fn depth(&self) -> u32 {
        self.current.as_ref().map_or(0, |layer| layer.depth())
    }

    /// The layers of the request, the innermost first.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &Arc<dyn EnteredLayer>> {
        std::iter::successors(self.current.as_ref(), |layer| layer.outer())
    }

    /// What was set for the layer at `depth`.
    #[inline]
    pub(crate) fn set(&self, depth: u32) -> Option<&CarriedId> {
        self.set.iter().find(|(at, _)| *at == depth).map(|(_, id)| id)
    }

    /// Sets the id for the current layer.
    pub(crate) fn put(&mut self, id: CarriedId) {
        self.put_at(self.depth(), id);
    }

    /// Sets the id for the layer at `depth`.
    pub(crate) fn put_at(&mut self, depth: u32, id: CarriedId) {
        self.take_at(depth);
        self.set.push((depth, id));
    }

    fn take_at(&mut self, depth: u32) {
        self.set.retain(|(at, _)| *at != depth);
    }

    /// Undoes what was set for the current layer.
    pub(crate) fn restore(&mut self, before: Option<CarriedId>) {
        if let Some(id) = before {
            self.put(id);
        } else {
            self.take_at(self.depth());
        }
    }

    /// Makes `layer` the innermost one. An id that was set before there was any layer becomes that of the outermost one.
    pub(crate) fn enter(&mut self, layer: Arc<dyn EnteredLayer>) {
        if self.current.is_none() {
            self.set.for_each_mut(|(depth, _)| *depth = layer.depth());
        }
        self.current = Some(layer);
    }
}

/// What a callback has found, or a middleware has set. Whether the cookie has it shows only where it is looked at. If it is a value of the cookie that is no
/// id, another of its values may be (law 5).
#[inline]
pub(crate) fn given(given: impl IntoSessionId, extensions: &Extensions, headers: &HeaderMap) -> CarriedId {
    let mut is_in_cookie = false;
    match given.into_shared_id_or(|refused| is_in_cookie = is_in_cookie_of(refused, extensions, headers)) {
        Some(id) => CarriedId::One { id, by_cookie: false },
        None if is_in_cookie => in_cookies(extensions, headers),
        None => CarriedId::None,
    }
}

/// Whether what was taken for an id is a value of the cookie. If it came from elsewhere, and the cookie has an id, the layer gets to know that.
#[cold]
fn is_in_cookie_of(refused: &[u8], extensions: &Extensions, headers: &HeaderMap) -> bool {
    let Some(layer) = current(extensions) else { return false };
    let values = || cookie::values(headers, layer.cookie_name());
    let is_in_cookie = values().any(|value| cookie::unquoted(value) == refused || cookie::is_in(refused, value));
    if !is_in_cookie && values().map(cookie::unquoted).any(SessionId::is_valid) {
        layer.leave_cookie_unread();
    }
    is_in_cookie
}

#[cold]
fn in_cookies(extensions: &Extensions, headers: &HeaderMap) -> CarriedId {
    current(extensions).map_or(CarriedId::None, |layer| CarriedId::in_cookies(headers, layer.cookie_name()))
}

fn current(extensions: &Extensions) -> Option<&Arc<dyn EnteredLayer>> {
    extensions.get::<Carried>()?.current.as_ref()
}
