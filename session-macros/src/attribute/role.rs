//! The roles a function can have.

/// What a callback does for the session system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    SessionId,
    Generate,
    Middleware,
    Owner,
}

/// One argument of a callback's documented signature.
pub(super) struct Argument {
    /// The name in the signature.
    pub(super) name: &'static str,
    /// The last segment of the type's path; of the data, which may be called anything, what no segment is.
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
    TakesData,
    SetsId,
    FindsId,
    GeneratesId,
    Responds,
    FindsOwner,
}

impl Bound {
    /// The trait's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TakesRequest => "TakesRequest",
            Self::TakesSession => "TakesSession",
            Self::TakesWholeRequest => "TakesWholeRequest",
            Self::TakesNext => "TakesNext",
            Self::TakesData => "TakesData",
            Self::SetsId => "SetsId",
            Self::FindsId => "FindsId",
            Self::GeneratesId => "GeneratesId",
            Self::Responds => "Responds",
            Self::FindsOwner => "FindsOwner",
        }
    }
}

impl Role {
    pub(super) const ALL: [Self; 4] = [Self::SessionId, Self::Generate, Self::Middleware, Self::Owner];

    /// The attribute's name.
    pub(super) const fn attribute(self) -> &'static str {
        match self {
            Self::SessionId => "session_id_callback",
            Self::Generate => "generate_session_id",
            Self::Middleware => "session_middleware",
            Self::Owner => "session_owner",
        }
    }

    /// The option of `session!` that takes the function by name.
    pub(super) const fn option(self) -> &'static str {
        match self {
            Self::SessionId => "session_id_callback",
            Self::Generate => "generate_session_id_callback",
            Self::Middleware => "middleware",
            Self::Owner => "owner",
        }
    }

    /// What messages call the function.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::SessionId => "a session id callback",
            Self::Generate => "a generator of session ids",
            Self::Middleware => "a session middleware",
            Self::Owner => "a session owner function",
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
            Self::Owner => {
                "`fn(data: &T) -> Option<O>`, where `O` is an integer, `&str`, `String`, `[u8; 16]` or a type that implements `OwnerId`; \
                 pure and sync"
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
            Self::Owner => &[Argument { name: "data", segment: "&T", bound: Bound::TakesData }],
        }
    }
}
