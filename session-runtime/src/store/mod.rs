//! Where sessions are kept: the [`Store`] trait, and the stores that come with the crate.
//!
//! A store has seven operations, each one atomic step. The session system calls them so that the laws hold:
//!
//! 1. creating inserts where the key is absent, and never overwrites;
//! 2. a change replaces the data only at the version that was read (compare-and-swap), or, for `set`, whatever is there, but
//!    never brings back what is gone;
//! 3. a rotation moves the session to its new key in one commit and leaves a mark at the old key for
//!    [`ROTATION_MARK`];
//! 4. the store's clock decides what is expired, and at the instant of expiry a session is expired.
//!
//! [`writing`] says how to write one.

mod connect;
#[cfg(feature = "_encoding")]
mod encoding;
#[cfg(feature = "_encoding")]
mod finite;
mod key;
mod memory;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "_sql")]
mod sql;
#[cfg(feature = "tower-sessions")]
mod tower_sessions;
mod word;

#[doc = include_str!("../../docs/writing_a_store.md")]
pub mod writing {}

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::maybe_ready::MaybeReady;

#[cfg(feature = "redis")]
pub use self::redis::{Redis, RedisStore};
pub use connect::{ConnectError, connect};
#[cfg(feature = "_encoding")]
pub use encoding::{Encoded, OnUndecodable};
pub(crate) use key::KeptHash;
pub use key::{HashSecret, Key};
pub use memory::MemoryStore;
#[cfg(feature = "mysql")]
pub use sql::{MySql, MySqlStore};
#[cfg(feature = "postgres")]
pub use sql::{Postgres, PostgresStore};
#[cfg(feature = "_sql")]
pub use sql::{Sql, SqlOptions};
#[cfg(feature = "sqlite")]
pub use sql::{Sqlite, SqliteStore};
#[cfg(feature = "tower-sessions")]
pub use tower_sessions::TowerSessionsStore;

/// How long a request that carries a just-rotated id is told apart from one with an unknown id.
pub const ROTATION_MARK: Duration = Duration::from_secs(30);

/// The answer of a store's operation: ready at once, or a boxed future.
pub type StoreFuture<'a, R> = MaybeReady<'a, Result<R, StoreError>>;

/// A place that keeps sessions with data of type `T`.
///
/// Implement it for the `T` you keep: a store of bytes implements `Store<Vec<u8>>`. Every operation is one atomic step, as seen
/// by all the processes that share the store. A session that is expired is absent in every operation. [`writing`] says how to
/// write one, and [`conformance`](crate::testing::conformance) checks it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store of sessions whose data is `{T}`",
    label = "not a `Store<{T}>`",
    note = "a store is `MemoryStore`, an engine's (`RedisStore`, `SqliteStore`, `PostgresStore`, `MySqlStore`, each behind a feature), what `store::connect(url).await?` gives, an `Arc` of one of these, or a type of your own that implements `store::Store`"
)]
pub trait Store<T>: Send + Sync + 'static {
    /// Inserts a new session where the key is absent. A key that carries the mark of a rotation is not absent.
    fn create<'a>(&'a self, key: Key<'a>, session: NewSession<T>) -> StoreFuture<'a, Created>;

    /// Reads a session. Reading does not renew it.
    fn load<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, Loaded<T>>;

    /// Replaces the data of a session that is there, at the `expected` version or, with `None`, at whichever it has, and renews
    /// its idle limit. Never creates.
    fn replace<'a>(&'a self, key: Key<'a>, expected: Option<Version>, data: Arc<T>) -> StoreFuture<'a, Replaced>;

    /// Renews the idle limit of a session that is there; `false` where there is none. Leaves the version as it is.
    fn touch<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool>;

    /// Moves the session that was read as `session` to the key `new`, in one commit, and leaves a mark at `old` for
    /// [`ROTATION_MARK`]. It must still be at the version of `session`; its data become those of `session`, which the caller may
    /// have changed. Its creation time and its limits stay; the idle limit is renewed.
    ///
    /// A store that reaches both keys in one step goes by the limits that it holds. The limits in `session` are for those that
    /// cannot, such as a cluster that keeps the keys on different nodes: the caller takes from `absolute_in` the time that has
    /// passed since it read the session.
    fn rotate<'a>(&'a self, old: Key<'a>, new: Key<'a>, session: Record<T>) -> StoreFuture<'a, Rotated>;

    /// Deletes a session; `false` where there was none. The mark of a rotation stays.
    fn delete<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool>;

    /// Whether every operation but [`sweep`](Self::sweep) answers at once, with [`MaybeReady::ready`]; `false` unless the store
    /// says so. The session system then needs no future around it.
    fn answers_at_once(&self) -> bool {
        false
    }

    /// Removes what expired, in steps that hold up no other operation, and says how many sessions went. Stores whose engine
    /// expires by itself keep the default, which removes nothing.
    fn sweep(&self) -> StoreFuture<'_, u64> {
        MaybeReady::ready(Ok(0))
    }
}

impl<T> fmt::Debug for dyn Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store(..)")
    }
}

/// What a store is given to keep under a new key.
#[derive(Debug)]
#[non_exhaustive]
pub struct NewSession<T> {
    /// The data.
    pub data: Arc<T>,
    /// How long the session may live.
    pub limits: Limits,
}

impl<T> NewSession<T> {
    /// A session of `data` that lives within `limits`.
    #[must_use]
    pub const fn new(data: Arc<T>, limits: Limits) -> Self {
        Self { data, limits }
    }
}

/// How long a session may live. The limits are kept with the session: they stick to it through every change and rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Since it was last used.
    pub idle: Duration,
    /// Since it was created, if that is limited.
    pub absolute: Option<Duration>,
}

impl Limits {
    /// Limits of `idle` since the last use, and of `absolute`, if any, since creation.
    #[must_use]
    pub const fn new(idle: Duration, absolute: Option<Duration>) -> Self {
        Self { idle, absolute }
    }
}

/// A number that changes whenever the data does. A session starts with any number, and each change gives it one that it did not
/// have before; under one key it grows, so that the session system can tell newer from older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// What [`Store::create`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The session is stored, at this version.
    Created(Version),
    /// The key is taken; nothing changed.
    Exists,
}

/// What [`Store::load`] found.
#[derive(Debug)]
pub enum Loaded<T> {
    /// The session.
    Found(Record<T>),
    /// Nothing, or what is expired.
    Missing,
    /// Nothing but the mark that the session here moved to another key less than [`ROTATION_MARK`] ago.
    JustRotated,
}

/// A session as a store gives it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Record<T> {
    /// The data.
    pub data: Arc<T>,
    /// The version of the data, for the next change.
    pub version: Version,
    /// Its idle limit.
    pub idle: Duration,
    /// The time left until it expires unless it is used.
    pub expires_in: Duration,
    /// The time left until its absolute limit, if it has one.
    pub absolute_in: Option<Duration>,
}

impl<T> Record<T> {
    /// A session that was read.
    #[must_use]
    pub const fn new(
        data: Arc<T>,
        version: Version,
        idle: Duration,
        expires_in: Duration,
        absolute_in: Option<Duration>,
    ) -> Self {
        Self { data, version, idle, expires_in, absolute_in }
    }
}

impl<T> Clone for Record<T> {
    fn clone(&self) -> Self {
        Self { data: Arc::clone(&self.data), ..*self }
    }
}

/// What [`Store::replace`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// The data is stored, at this version.
    Replaced(Version),
    /// The session has another version; nothing changed.
    Conflict,
    /// There is no session; nothing changed.
    Missing,
}

/// What [`Store::rotate`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// The session goes by its new key, at this version.
    Rotated(Version),
    /// The session has another version; nothing changed.
    Conflict,
    /// There is no session under the old key; nothing changed.
    Missing,
    /// The new key is taken; nothing changed.
    Exists,
}

/// Why a store could not answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be reached, or failed: the session system answers 503.
    Unavailable(Arc<dyn std::error::Error + Send + Sync>),
    /// The store holds as many sessions as it may: the session system answers 503.
    Full,
    /// The data cannot be encoded or decoded: the session system answers 500.
    Data(Arc<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// The store cannot be reached, or failed.
    pub fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(Arc::from(error.into()))
    }

    /// The data cannot be encoded or decoded.
    pub fn data(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Data(Arc::from(error.into()))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(_) => f.write_str("the session store cannot be reached or failed"),
            Self::Full => f.write_str("the session store is full"),
            Self::Data(_) => f.write_str("the session's data cannot be encoded or decoded"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(error) | Self::Data(error) => Some(error.as_ref()),
            Self::Full => None,
        }
    }
}

/// What can serve as the store of sessions with data of type `T`: a [`Store`], alone or in an [`Arc`] that is shared.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store of sessions whose data is `{T}`",
    label = "not a `Store<{T}>`",
    note = "a store is `MemoryStore`, an engine's (`RedisStore`, `SqliteStore`, `PostgresStore`, `MySqlStore`, each behind a feature), what `store::connect(url).await?` gives, an `Arc` of one of these, or a type of your own that implements `store::Store`"
)]
pub trait IntoStore<T> {
    /// The store.
    fn into_store(self) -> Arc<dyn Store<T>>;
}

impl<T, S: Store<T>> IntoStore<T> for S {
    fn into_store(self) -> Arc<dyn Store<T>> {
        Arc::new(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: 'static, S: Store<T> + ?Sized> Store<T> for Arc<S> {
    fn create<'a>(&'a self, key: Key<'a>, session: NewSession<T>) -> StoreFuture<'a, Created> {
        (**self).create(key, session)
    }

    fn load<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, Loaded<T>> {
        (**self).load(key)
    }

    fn replace<'a>(&'a self, key: Key<'a>, expected: Option<Version>, data: Arc<T>) -> StoreFuture<'a, Replaced> {
        (**self).replace(key, expected, data)
    }

    fn touch<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        (**self).touch(key)
    }

    fn rotate<'a>(&'a self, old: Key<'a>, new: Key<'a>, session: Record<T>) -> StoreFuture<'a, Rotated> {
        (**self).rotate(old, new, session)
    }

    fn delete<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        (**self).delete(key)
    }

    fn answers_at_once(&self) -> bool {
        (**self).answers_at_once()
    }

    fn sweep(&self) -> StoreFuture<'_, u64> {
        (**self).sweep()
    }
}
