//! The routers without sessions, and those of this library.

use std::fmt;
use std::str::FromStr;

use axum::Router;
use session_runtime::store::Store;

use crate::nothing;
use crate::ours::{self, Room};
use crate::work::Account;

/// A router without sessions, or with those of this library and its memory store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// W0: the router alone.
    Bare,
    /// W0i: with a layer that does nothing.
    Noop,
    /// With a layer that hands an `Arc` to the handlers and adds the headers of a session, and does nothing else.
    HandOver,
    Lazy,
    /// With callbacks of the user's, registered by their attributes.
    LazyRegistered,
    /// With the same callbacks, given to the builder by name.
    LazyNamed,
    Standard,
    StandardRegistered,
    StandardNamed,
}

impl Subject {
    pub const ALL: [Self; 9] = [
        Self::Bare,
        Self::Noop,
        Self::HandOver,
        Self::Lazy,
        Self::LazyRegistered,
        Self::LazyNamed,
        Self::Standard,
        Self::StandardRegistered,
        Self::StandardNamed,
    ];

    /// The name in tables and arguments.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Noop => "noop",
            Self::HandOver => "hand-over",
            Self::Lazy => "lazy",
            Self::LazyRegistered => "lazy-registered",
            Self::LazyNamed => "lazy-named",
            Self::Standard => "standard",
            Self::StandardRegistered => "standard-registered",
            Self::StandardNamed => "standard-named",
        }
    }

    /// A router with a store of its own, as a user has it.
    pub fn router(self) -> Router {
        self.router_with(Room::Default)
    }

    /// The same with a store for so many sessions.
    pub fn router_for(self, sessions: usize) -> Router {
        self.router_with(Room::For(sessions))
    }

    /// Its state is given here, or axum would apply its layers anew on every request.
    fn router_with(self, room: Room) -> Router {
        match self {
            Self::Bare => nothing::bare(),
            Self::Noop => nothing::noop(),
            Self::HandOver => nothing::hand_over(),
            Self::Lazy => ours::lazy(room),
            Self::LazyRegistered => ours::lazy_registered(room),
            Self::LazyNamed => ours::lazy_named(room),
            Self::Standard => ours::standard(room),
            Self::StandardRegistered => ours::standard_registered(room),
            Self::StandardNamed => ours::standard_named(room),
        }
        .with_state(())
    }

    /// The lazy one, over a store that the caller made.
    pub fn lazy_over(store: impl Store<Account>) -> Router {
        ours::lazy_over(store).with_state(())
    }

    /// Whether it has sessions at all.
    pub const fn has_sessions(self) -> bool {
        !matches!(self, Self::Bare | Self::Noop | Self::HandOver)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|subject| subject.name() == name).ok_or_else(|| format!("no router is called {name}"))
    }
}
