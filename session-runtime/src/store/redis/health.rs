//! What is told of a server: to the caller, and to the log when it goes away and when it is back.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::RedisError;

use super::row::foreign;
use super::verdict::{Failed, Ran};
use crate::log::Chain;
use crate::store::StoreError;

pub(super) struct Health {
    server: String,
    is_away: AtomicBool,
}

impl Health {
    pub(super) const fn of(server: String) -> Self {
        Self { server, is_away: AtomicBool::new(false) }
    }

    pub(super) fn is_away(&self, error: &RedisError) {
        if !self.is_away.swap(true, Ordering::Relaxed) {
            tracing::warn!(engine = "Redis", server = self.server, cause = told(error), "the session store's server is away");
        }
    }

    pub(super) fn is_back(&self) {
        if self.is_away.load(Ordering::Relaxed) && self.is_away.swap(false, Ordering::Relaxed) {
            tracing::info!(engine = "Redis", server = self.server, "the session store's server is back");
        }
    }
}

/// Of what a server says only the code is told, such as `OOM` or `NOPERM`: the rest may quote the command.
fn told(error: &RedisError) -> String {
    match error.code() {
        Some(code) => format!("the Redis server answered {code}"),
        None => Chain(error).to_string(),
    }
}

/// What the caller is told.
pub(super) fn store_error(failed: &Failed) -> StoreError {
    match failed.verdict.ran {
        Ran::NotOnThisData => foreign(),
        // A change may have been made.
        Ran::Perhaps => StoreError::unavailable(format!("{}; whether it was done is not known", told(&failed.error))),
        Ran::No => StoreError::unavailable(told(&failed.error)),
    }
}
