//! The three roles a function can have.

/// What a callback does for the session system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    SessionId,
    Generate,
    Middleware,
}

/// One argument of a callback's documented signature.
pub(super) struct Argument {
    /// How it stands in the signature.
    pub(super) written: &'static str,
    pub(super) bound: Bound,
}

/// A trait of the runtime that the compiler is asked about; a variant has the trait's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    TakesRequest,
    TakesSession,
    TakesWholeRequest,
    TakesNext,
    SetsId,
    FindsId,
    GeneratesId,
    Responds,
}

impl Role {
    pub(super) const ALL: [Self; 3] = [Self::SessionId, Self::Generate, Self::Middleware];

    /// The attribute's name.
    pub(super) const fn attribute(self) -> &'static str {
        match self {
            Self::SessionId => "session_id_callback",
            Self::Generate => "generate_session_id",
            Self::Middleware => "session_middleware",
        }
    }

    /// What messages call the function.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::SessionId => "a session id callback",
            Self::Generate => "a generator of session ids",
            Self::Middleware => "a session middleware",
        }
    }

    /// The documented signature.
    pub(super) const fn signature(self) -> &'static str {
        match self {
            Self::SessionId => {
                "`fn(request: &mut Parts)`, which sets the id itself, or `fn(request: &Parts) -> Option<R>`, which only finds it; \
                 sync or async"
            }
            Self::Generate => "`fn() -> String` or `fn() -> SessionId`; sync or async",
            Self::Middleware => {
                "`fn(session_system: Session<T>, request: Request, next: Next) -> R`, where `R: IntoResponse`; sync or async"
            }
        }
    }

    pub(super) const fn arguments(self) -> &'static [Argument] {
        match self {
            Self::SessionId => &[Argument { written: "request: &mut Parts", bound: Bound::TakesRequest }],
            Self::Generate => &[],
            Self::Middleware => &[
                Argument { written: "session_system: Session<T>", bound: Bound::TakesSession },
                Argument { written: "request: Request", bound: Bound::TakesWholeRequest },
                Argument { written: "next: Next", bound: Bound::TakesNext },
            ],
        }
    }
}
