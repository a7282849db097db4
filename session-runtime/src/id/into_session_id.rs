//! What may be given as a session id.

use super::session_id::SessionId;
use super::shared::SharedId;

/// What may be given as a session id: a [`SessionId`], a `String`, a `&str`, or an `Option` of these.
///
/// A text that is no valid id counts as none.
pub trait IntoSessionId {
    /// The id, or `None` where there is no valid one.
    fn into_session_id(self) -> Option<SessionId>;

    /// The same, written where a request keeps it: ids are large to be moved.
    #[doc(hidden)]
    fn into_shared_id(self) -> Option<SharedId>
    where
        Self: Sized,
    {
        self.into_session_id().map(|id| SharedId::new(&id))
    }

    /// The same; a text that is no valid id is shown to `refused`.
    #[doc(hidden)]
    fn into_shared_id_or(self, refused: impl FnOnce(&[u8])) -> Option<SharedId>
    where
        Self: Sized,
    {
        let _ = refused;
        self.into_shared_id()
    }
}

impl IntoSessionId for SessionId {
    fn into_session_id(self) -> Option<SessionId> {
        Some(self)
    }
}

impl IntoSessionId for &SessionId {
    fn into_session_id(self) -> Option<SessionId> {
        Some(*self)
    }
}

impl IntoSessionId for &str {
    fn into_session_id(self) -> Option<SessionId> {
        SessionId::parse(self).ok()
    }

    fn into_shared_id(self) -> Option<SharedId> {
        SharedId::parse(self.as_bytes())
    }

    fn into_shared_id_or(self, refused: impl FnOnce(&[u8])) -> Option<SharedId> {
        let id = SharedId::parse(self.as_bytes());
        if id.is_none() {
            refused(self.as_bytes());
        }
        id
    }
}

impl IntoSessionId for String {
    fn into_session_id(self) -> Option<SessionId> {
        SessionId::parse(&self).ok()
    }

    fn into_shared_id(self) -> Option<SharedId> {
        SharedId::parse(self.as_bytes())
    }

    fn into_shared_id_or(self, refused: impl FnOnce(&[u8])) -> Option<SharedId> {
        self.as_str().into_shared_id_or(refused)
    }
}

impl IntoSessionId for &String {
    fn into_session_id(self) -> Option<SessionId> {
        SessionId::parse(self).ok()
    }

    fn into_shared_id(self) -> Option<SharedId> {
        SharedId::parse(self.as_bytes())
    }

    fn into_shared_id_or(self, refused: impl FnOnce(&[u8])) -> Option<SharedId> {
        self.as_str().into_shared_id_or(refused)
    }
}

impl<I: IntoSessionId> IntoSessionId for Option<I> {
    fn into_session_id(self) -> Option<SessionId> {
        self.and_then(I::into_session_id)
    }

    fn into_shared_id(self) -> Option<SharedId> {
        self.and_then(I::into_shared_id)
    }

    fn into_shared_id_or(self, refused: impl FnOnce(&[u8])) -> Option<SharedId> {
        self.and_then(|id| id.into_shared_id_or(refused))
    }
}
