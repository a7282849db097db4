//! The routers that are compared: each has the same handlers, written as that library's users write them.

mod axum_session;
mod tower_sessions;

use std::fmt;
use std::str::FromStr;

use axum::Router;
use workloads::Subject;

pub use axum_session::over_redis as axum_session_over_redis;
pub use tower_sessions::{over_redis as tower_sessions_over_redis, reclaiming_moka};

/// What is compared in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contender {
    /// A router without sessions, or this library.
    Own(Subject),
    TowerSessions,
    TowerSessionsMoka,
    AxumSession,
}

pub const BARE: Contender = Contender::Own(Subject::Bare);
pub const NOOP: Contender = Contender::Own(Subject::Noop);
pub const HAND_OVER: Contender = Contender::Own(Subject::HandOver);
pub const LAZY: Contender = Contender::Own(Subject::Lazy);
pub const STANDARD: Contender = Contender::Own(Subject::Standard);

impl Contender {
    pub const ALL: [Self; 12] = [
        BARE,
        NOOP,
        HAND_OVER,
        LAZY,
        Self::Own(Subject::LazyRegistered),
        Self::Own(Subject::LazyNamed),
        STANDARD,
        Self::Own(Subject::StandardRegistered),
        Self::Own(Subject::StandardNamed),
        Self::TowerSessions,
        Self::TowerSessionsMoka,
        Self::AxumSession,
    ];

    pub const PEERS: [Self; 3] = [Self::TowerSessions, Self::TowerSessionsMoka, Self::AxumSession];

    /// Those that are told apart where the callbacks make no difference.
    pub const MAIN: [Self; 7] = [BARE, NOOP, LAZY, STANDARD, Self::TowerSessions, Self::TowerSessionsMoka, Self::AxumSession];

    /// The name in tables and arguments.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own(subject) => subject.name(),
            Self::TowerSessions => "tower-sessions",
            Self::TowerSessionsMoka => "tower-sessions-moka",
            Self::AxumSession => "axum_session",
        }
    }

    /// What is behind the name, and where it does less or more than the others.
    pub const fn note(self) -> &'static str {
        match self {
            Self::Own(Subject::Bare) => "W0: the router alone, with handlers that know of no session.",
            Self::Own(Subject::Noop) => "W0i: the same with a layer that hands every request on.",
            Self::Own(Subject::HandOver) => {
                "What axum costs any library of sessions: a layer puts one `Arc` into the request's extensions, the handler's \
                 extractor takes it, and the response gets `Vary` (W3, W4), `Set-Cookie` and `Cache-Control` (W5, W6), with values that \
                 are constant. No cookie is read, there is no id and no store."
            }
            Self::Own(Subject::Lazy) => {
                "`session!(<T>, middleware = lazy_session_middleware)`: ids of 100 characters from a strong generator, \
                 idle limit of 24 h that reading renews, every write in the store before the handler goes on."
            }
            Self::Own(Subject::LazyRegistered) => {
                "The same with a user's `session_id_callback` and `generate_session_id` (32 hexadecimal digits), \
                 registered by their attributes: shorter ids, and the callback runs on every request."
            }
            Self::Own(Subject::LazyNamed) => "The same two functions, given to the builder by name.",
            Self::Own(Subject::Standard) => {
                "`session!(<T>)`: more work than the others, a session for every request that has none (W1), and a look-up on \
                 every request (W2)."
            }
            Self::Own(Subject::StandardRegistered | Subject::StandardNamed) => "The standard middleware with those callbacks.",
            Self::TowerSessions => {
                "0.15 with `MemoryStore` and `Expiry::OnInactivity` of 24 h. Ids of 128 bits. Less: reading does not renew a session, \
                 what expired is never removed, writes go to the store only when the response is ready (last writer wins)."
            }
            Self::TowerSessionsMoka => {
                "0.14, the newest that `tower-sessions-moka-store` 0.15 is made for. As above, but what expired is removed; the cache may \
                 evict live sessions when it is full (here it never is)."
            }
            Self::AxumSession => {
                "0.22 with `SessionNullPool` and its default configuration. UUIDs, not signed (no key is set). Less: values change in place, \
                 without a version; W6 renews the id at the end of the request. More: a session and two `Set-Cookie` on every response, a \
                 hash of the client's address and agent on every request."
            }
        }
    }

    /// A router with a store of its own. Its state is given here, or axum would apply its layers anew on every request.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn router(self) -> Router {
        self.router_for(None)
    }

    /// The same with room for more sessions than the store of this library takes by default.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn router_for(self, sessions: impl Into<Option<usize>>) -> Router {
        match self {
            Self::Own(subject) => {
                return sessions.into().map_or_else(|| subject.router(), |sessions| subject.router_for(sessions));
            }
            Self::TowerSessions => tower_sessions::memory(),
            Self::TowerSessionsMoka => tower_sessions::moka(),
            Self::AxumSession => axum_session::memory(),
        }
        .with_state(())
    }

    pub fn has_sessions(self) -> bool {
        !matches!(self, Self::Own(subject) if !subject.has_sessions())
    }

    pub const fn is_a_peer(self) -> bool {
        !matches!(self, Self::Own(_))
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|contender| contender.name() == name).ok_or_else(|| format!("no contender is called {name}"))
    }
}
