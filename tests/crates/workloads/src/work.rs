//! What is measured: six kinds of request, and the data that their sessions hold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The data of a session: about 105 bytes as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub user: u64,
    pub name: String,
    pub counters: [u32; 8],
}

/// What the handlers do with the data of a session.
pub trait Data: Clone + Default + Send + Sync + 'static {
    fn sample() -> Self;

    /// A change that a handler makes: one number.
    fn count(&mut self);

    /// What a handler reads.
    fn sum(&self) -> u64;

    /// How many times [`count`](Self::count) has changed [`sample`](Self::sample).
    fn counted(&self) -> u32;
}

impl Data for Account {
    fn sample() -> Self {
        Self {
            user: 1_234_567_890_123,
            name: "Ada Lovelace".to_owned(),
            counters: [1, 22, 333, 4444, 55_555, 666_666, 7_777_777, 88_888_888],
        }
    }

    fn count(&mut self) {
        self.counters[0] = self.counters[0].wrapping_add(1);
    }

    fn sum(&self) -> u64 {
        self.counters.iter().fold(self.user + self.name.len() as u64, |sum, counter| sum + u64::from(*counter))
    }

    fn counted(&self) -> u32 {
        self.counters[0].wrapping_sub(1)
    }
}

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// No cookie, and a handler that knows of no session.
    NoCookie,
    /// A session's cookie, and a handler that knows of no session.
    Untouched,
    /// A handler that reads the session.
    Read,
    /// A handler that reads the session and changes a number in it.
    Write,
    /// No cookie, and a handler that stores data.
    New,
    /// A handler that changes a number and gives the session a new id, which the next request carries.
    Rotate,
}

impl Work {
    pub const ALL: [Self; 6] = [Self::NoCookie, Self::Untouched, Self::Read, Self::Write, Self::New, Self::Rotate];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoCookie => "W1",
            Self::Untouched => "W2",
            Self::Read => "W3",
            Self::Write => "W4",
            Self::New => "W5",
            Self::Rotate => "W6",
        }
    }

    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NoCookie => "no cookie, untouched",
            Self::Untouched => "cookie, untouched",
            Self::Read => "read",
            Self::Write => "read and write",
            Self::New => "new session",
            Self::Rotate => "new id and write",
        }
    }

    pub const fn path(self) -> &'static str {
        match self {
            Self::NoCookie | Self::Untouched => "/untouched",
            Self::Read => "/read",
            Self::Write => "/write",
            Self::New => "/new",
            Self::Rotate => "/rotate",
        }
    }

    pub const fn sends_a_cookie(self) -> bool {
        !matches!(self, Self::NoCookie | Self::New)
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Work {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|work| work.name() == name).ok_or_else(|| format!("no work is called {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_about_105_bytes_of_json() {
        let json = serde_json::to_string(&Account::sample()).unwrap();
        assert!((100..=110).contains(&json.len()), "{} {json}", json.len());
    }
}
