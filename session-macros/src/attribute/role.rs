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
    /// The name in the signature.
    pub(super) name: &'static str,
    /// The last segment of the type's path.
    pub(super) segment: &'static str,
    pub(super) bound: Bound,
}

/// A trait of the runtime that the compiler is asked about.
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

impl Bound {
    /// The trait's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TakesRequest => "TakesRequest",
            Self::TakesSession => "TakesSession",
            Self::TakesWholeRequest => "TakesWholeRequest",
            Self::TakesNext => "TakesNext",
            Self::SetsId => "SetsId",
            Self::FindsId => "FindsId",
            Self::GeneratesId => "GeneratesId",
            Self::Responds => "Responds",
        }
    }
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

    /// The option of `session!` that takes the function by name.
    pub(super) const fn option(self) -> &'static str {
        match self {
            Self::SessionId => "session_id_callback",
            Self::Generate => "generate_session_id_callback",
            Self::Middleware => "middleware",
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
            Self::SessionId => &[Argument { name: "request", segment: "Parts", bound: Bound::TakesRequest }],
            Self::Generate => &[],
            Self::Middleware => &[
                Argument { name: "session_system", segment: "Session", bound: Bound::TakesSession },
                Argument { name: "request", segment: "Request", bound: Bound::TakesWholeRequest },
                Argument { name: "next", segment: "Next", bound: Bound::TakesNext },
            ],
        }
    }
}
