//! The routers that are compared: each has the same handlers, written as that library's users write them.

mod nothing;
mod ours;
mod tower_sessions;

use std::fmt;
use std::str::FromStr;

use axum::Router;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contender {
    /// W0: the router alone.
    Bare,
    /// W0i: with a layer that does nothing.
    Noop,
    Lazy,
    Standard,
    TowerSessions,
}

impl Contender {
    pub const ALL: [Self; 5] = [Self::Bare, Self::Noop, Self::Lazy, Self::Standard, Self::TowerSessions];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Noop => "noop",
            Self::Lazy => "lazy",
            Self::Standard => "standard",
            Self::TowerSessions => "tower-sessions",
        }
    }

    /// A router with a store of its own. Its state is given here, or axum would apply its layers anew on every request.
    pub fn router(self) -> Router {
        match self {
            Self::Bare => nothing::bare(),
            Self::Noop => nothing::noop(),
            Self::Lazy => ours::lazy(),
            Self::Standard => ours::standard(),
            Self::TowerSessions => tower_sessions::router(),
        }
        .with_state(())
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|contender| contender.name() == name).ok_or_else(|| format!("no contender is called {name}"))
    }
}
