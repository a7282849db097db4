//! Where sessions are kept: the [`Store`] trait, and the stores that come with the crate.
//!
//! A store has seven operations, each one atomic step, and five more if it keeps who its sessions belong to. The session system calls them so that
//! the laws hold:
//!
//! 1. creating inserts where the key is absent, and never overwrites;
//! 2. a change replaces the data only at the version that was read (compare-and-swap), and never brings back what is gone;
//! 3. a rotation moves the session to its new key in one commit and leaves a mark at the old key for
//!    [`ROTATION_MARK`];
//! 4. the store's clock decides what is expired, and at the instant of expiry a session is expired;
//! 5. a key binds the layer's [`Namespace`] to the id: an id of one layer is unknown to another, also in one store;
//! 6. the owner of a session changes in the step that changes its row, so that a list of an owner's sessions is exact, and what was ended is
//!    ended.
//!
//! [`writing`] says how to write one.

mod connect;
#[cfg(feature = "_encoding")]
mod encoding;
mod erased;
#[cfg(feature = "_encoding")]
mod finite;

mod hand_on;
#[cfg(any(feature = "_sql", feature = "redis"))]
#[cfg_attr(not(feature = "_sql"), allow(dead_code, reason = "only SQL's connections are had by one caller alone"))]
mod hand_over;
mod memory;
mod percent;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "_sql")]
mod sql;
#[cfg(feature = "tower-sessions")]
mod tower_sessions;

#[doc = include_str!("../../docs/writing_a_store.md")]
pub mod writing {}

use std::future::{Future, ready};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

#[cfg(feature = "redis")]
pub use self::redis::{Redis, RedisCredentials, RedisOptions, RedisStore};
pub use crate::config::WhenFull;
pub use crate::error::StoreError;
pub use connect::{ConnectError, connect};
#[cfg(feature = "_encoding")]
pub use encoding::Encoded;
pub use erased::AnyStore;
pub(crate) use erased::{Answer, ErasedStore, Traced};

pub use crate::id::{HashSecret, Key, Namespace};
pub use crate::owner::{Owner, SessionHandle};
pub use memory::MemoryStore;
#[cfg(feature = "_sql")]
pub use sql::{Credentials, Sql, SqlOptions};
#[cfg(feature = "mysql")]
pub use sql::{MySql, MySqlStore};
#[cfg(feature = "postgres")]
pub use sql::{Postgres, PostgresStore};
#[cfg(feature = "sqlite")]
pub use sql::{Sqlite, SqliteStore};
#[cfg(feature = "tower-sessions")]
pub use tower_sessions::TowerSessionsStore;

/// How long a request that carries a just-rotated id is told apart from one with an unknown id.
pub const ROTATION_MARK: Duration = Duration::from_secs(30);

/// A place that keeps sessions with data of type `T`.
///
/// Implement it for the `T` you keep: a store of bytes implements `Store<Vec<u8>>`. Its methods are written as `async fn`s. Every
/// operation is one atomic step, as seen by all the processes that share the store. A session that is expired is absent in every
/// operation. [`writing`] says how to write one, and [`conformance`](crate::testing::conformance) checks it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store of sessions whose data is `{T}`",
    label = "not a `Store<{T}>`",
    note = "a store is `MemoryStore`, an engine's (`RedisStore`, `SqliteStore`, `PostgresStore`, `MySqlStore`, each behind a feature), what `store::connect(url).await?` gives, an `Arc` of one of these, or a type of your own that implements `store::Store`"
)]
pub trait Store<T>: Send + Sync + 'static {
    /// No operation but [`sweep`](Self::sweep) and [`close`](Self::close) ever waits, so none needs a boxed future. Defaults to
    /// `false`.
    ///
    /// The session system polls an operation of such a store once. If it is not ready then, the answer is
    /// [`StoreError::Unavailable`], which names the store.
    const IMMEDIATE: bool = false;

    /// Inserts a new session where the key is absent. A key that carries the mark of a rotation is not absent.
    fn create(&self, key: Key<'_>, session: NewSession<T>) -> impl Future<Output = Result<Created, StoreError>> + Send;

    /// Reads a session. Reading does not renew it.
    fn load(&self, key: Key<'_>) -> impl Future<Output = Result<Loaded<T>, StoreError>> + Send;

    /// Replaces the data of a session that is there, at the `expected` version, and renews its idle limit. Never creates.
    fn replace(
        &self,
        key: Key<'_>,
        expected: Version,
        change: Change<T>,
    ) -> impl Future<Output = Result<Replaced, StoreError>> + Send;

    /// Renews the idle limit of a session that is there; `false` where there is none. Leaves the version as it is.
    fn touch(&self, key: Key<'_>) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Moves the session that was read as `rotation.session` to the key `new`, in one commit, and leaves a mark at `old` for
    /// [`ROTATION_MARK`]. It must still be at the version of `session`; its data and attributes become those of `session`, which the caller
    /// may have changed, and its owner becomes `rotation.owner`. Its creation time and its limits stay; the idle limit is renewed.
    ///
    /// A store that reaches both keys in one step goes by the limits that it holds. The limits and the age in `session` are
    /// for stores that cannot, such as a cluster that keeps the keys on different nodes: they are those of the time when it was read, and
    /// [`Record::at_present`] gives those of now.
    fn rotate(
        &self,
        old: Key<'_>,
        new: Key<'_>,
        rotation: Rotation<T>,
    ) -> impl Future<Output = Result<Rotated, StoreError>> + Send;

    /// Deletes a session; `false` where there was none. The mark of a rotation stays.
    fn delete(&self, key: Key<'_>) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes what expired, in steps that hold up no other operation, and says how many sessions went. Stores whose engine
    /// expires by itself keep the default, which removes nothing.
    fn sweep(&self) -> impl Future<Output = Result<u64, StoreError>> + Send {
        ready(Ok(0))
    }

    /// Whether the store keeps who its sessions belong to, and so has the four operations below. Defaults to `false`.
    fn keeps_owners(&self) -> bool {
        false
    }

    /// The sessions of an owner: those that are there, and no others. It renews none. In no particular order.
    ///
    /// By default, and where the store keeps no owners, [`StoreError::NoOwners`].
    fn list(&self, owner: &Owner) -> impl Future<Output = Result<Vec<Listed<T>>, StoreError>> + Send {
        let _ = owner;
        async { Err(StoreError::NoOwners) }
    }

    /// Deletes sessions of an owner, and says how many were there. When it has answered, none of them is there that was there when it was called, under
    /// whichever key: a rotation that was under way moves nothing any more, or what it moved is deleted.
    ///
    /// By default, and where the store keeps no owners, [`StoreError::NoOwners`].
    fn end(&self, owner: &Owner, which: Which) -> impl Future<Output = Result<u64, StoreError>> + Send {
        let _ = (owner, which);
        ready(Err(StoreError::NoOwners))
    }

    /// Replaces the data of the session of an owner that has this handle, at the `expected` version, under whichever key it is. Unlike
    /// [`replace`](Self::replace) it does not renew the session, since it is not its user who changes it. The change has no lifetime.
    ///
    /// By default, and where the store keeps no owners, [`StoreError::NoOwners`].
    fn replace_listed(
        &self,
        owner: &Owner,
        handle: SessionHandle,
        expected: Version,
        change: Change<T>,
    ) -> impl Future<Output = Result<Replaced, StoreError>> + Send {
        let _ = (owner, handle, expected, change);
        ready(Err(StoreError::NoOwners))
    }

    /// How many sessions of an owner are there.
    ///
    /// By default, and where the store keeps no owners, [`StoreError::NoOwners`].
    fn count(&self, owner: &Owner) -> impl Future<Output = Result<u64, StoreError>> + Send {
        let _ = owner;
        ready(Err(StoreError::NoOwners))
    }

    /// What the store is called in logs and traces; the path of its type unless it says otherwise.
    fn name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Writes out and closes what the store has open, such as connections; afterwards its operations may fail. By default there is
    /// nothing to close.
    fn close(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        ready(Ok(()))
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
    /// What created the session.
    pub origin: Origin,
    /// What is kept beside the data, as it is.
    pub attributes: Option<Arc<Attributes>>,
    /// Who it belongs to. It is `None` for stores that [keep no owners](Store::keeps_owners).
    pub owner: Option<Box<Belonging>>,
}

impl<T> NewSession<T> {
    /// A session of `data` that lives within `limits`, and what created it.
    #[must_use]
    pub const fn new(data: Arc<T>, limits: Limits, origin: Origin) -> Self {
        Self { data, limits, origin, attributes: None, owner: None }
    }
}

/// What created a session. A bounded store that is full gives up sessions of visits before those of changes, so that a flood of
/// visitors does not log users out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Only a visit: the standard middleware creates a session for every visitor.
    Visit,
    /// A change of its data, or a login.
    Change,
}

/// What a change makes of a session. Its owner stays, and what is kept beside the data.
#[derive(Debug)]
#[non_exhaustive]
pub struct Change<T> {
    /// The new data.
    pub data: Arc<T>,
    /// How long it may live from now on, if that changes.
    pub lifetime: Option<Box<NewLifetime>>,
}

impl<T> Change<T> {
    /// A change to `data`, and of nothing else.
    #[must_use]
    pub const fn new(data: Arc<T>) -> Self {
        Self { data, lifetime: None }
    }
}

/// How long a session may live from now on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewLifetime {
    /// The limits. The absolute one counts from the creation of the session.
    pub limits: Limits,
    /// What is kept beside the data from now on, as it is.
    pub attributes: Option<Arc<Attributes>>,
}

impl NewLifetime {
    /// These limits, and what is kept beside the data.
    #[must_use]
    pub const fn new(limits: Limits, attributes: Option<Arc<Attributes>>) -> Self {
        Self { limits, attributes }
    }
}

/// What a rotation makes of a session.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rotation<T> {
    /// The session as it was read, with the data and the attributes that it has from now on.
    pub session: Record<T>,
    /// Who it belongs to from now on. It is `None` for stores that [keep no owners](Store::keeps_owners).
    pub owner: Option<Box<Belonging>>,
}

impl<T> Rotation<T> {
    /// A rotation of what was read as `session`, which belongs to nobody.
    #[must_use]
    pub const fn new(session: Record<T>) -> Self {
        Self { session, owner: None }
    }
}

/// What a store keeps beside the data of few sessions, as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Attributes {
    /// What it is called in the list of its owner's sessions. Every session with an owner has one, and no other.
    pub handle: Option<SessionHandle>,
    /// Its age when its user last proved who they are.
    pub proven: Option<Duration>,
    /// Whether its cookie outlives the browser, if that is not as the layer says.
    pub persistent: Option<bool>,
}

impl Attributes {
    /// None of them.
    #[must_use]
    pub const fn new() -> Self {
        Self { handle: None, proven: None, persistent: None }
    }
}

/// Who a session is to belong to from now on, and how many sessions the owner may have.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Belonging {
    /// The owner.
    pub owner: Owner,
    /// How many sessions the owner may have with this one, if that is limited. It counts if the owner did not have this session before.
    pub limit: Option<OwnerLimit>,
}

impl Belonging {
    /// It belongs to `owner`, who may have any number of sessions.
    #[must_use]
    pub const fn new(owner: Owner) -> Self {
        Self { owner, limit: None }
    }
}

/// How many sessions an owner may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnerLimit {
    /// At most.
    pub sessions: NonZeroU32,
    /// What becomes of one more.
    pub when_full: WhenFull,
}

impl OwnerLimit {
    /// At most `sessions`, and what becomes of one more.
    #[must_use]
    pub const fn new(sessions: NonZeroU32, when_full: WhenFull) -> Self {
        Self { sessions, when_full }
    }
}

/// Which sessions of an owner are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one with this handle.
    One(SessionHandle),
    /// All but the one with this handle.
    Others(SessionHandle),
    /// All.
    All,
}

impl Which {
    /// Whether it is one of them.
    #[must_use]
    pub fn has(self, handle: SessionHandle) -> bool {
        match self {
            Self::One(one) => one == handle,
            Self::Others(one) => one != handle,
            Self::All => true,
        }
    }
}

/// A session in the list of its owner's.
#[derive(Debug)]
#[non_exhaustive]
pub struct Listed<T> {
    /// What it is called.
    pub handle: SessionHandle,
    /// The session, or a [`StoreError::Data`] if it cannot be read as `T`.
    pub session: Result<Record<T>, StoreError>,
    /// The time since it was last used, by the store's clock.
    pub unused: Duration,
}

impl<T> Listed<T> {
    /// The session with this handle, and the time since it was last used.
    #[must_use]
    pub const fn new(handle: SessionHandle, session: Result<Record<T>, StoreError>, unused: Duration) -> Self {
        Self { handle, session, unused }
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
    /// The owner has as many sessions as allowed, by [`WhenFull::Refuse`]; nothing changed.
    TooMany,
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
    /// What lies there cannot be read as `T`. The reason is a [`StoreError::Data`], which quotes nothing of the data. The layer's
    /// option `on_undecodable` says what becomes of it.
    Undecodable(StoreError),
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
    /// The time since it was created, by the store's clock. Changes and rotations leave the creation where it was.
    pub age: Duration,
    /// What is kept beside the data.
    pub attributes: Option<Arc<Attributes>>,
    /// When these times were right.
    pub(crate) at: Instant,
}

impl<T> Record<T> {
    /// A session that was read just now.
    #[must_use]
    pub fn new(
        data: Arc<T>,
        version: Version,
        idle: Duration,
        expires_in: Duration,
        absolute_in: Option<Duration>,
        age: Duration,
    ) -> Self {
        Self { data, version, idle, expires_in, absolute_in, age, attributes: None, at: Instant::now() }
    }

    /// The same session with its times as they are now: it was read some time ago.
    #[must_use]
    pub fn at_present(mut self) -> Self {
        self.let_pass(Instant::now());
        self
    }

    /// Makes its times those of `now`.
    pub(crate) fn let_pass(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        self.absolute_in = self.absolute_in.map(|left| left.saturating_sub(passed));
        self.expires_in = self.expires_in.saturating_sub(passed);
        self.age = self.age.saturating_add(passed);
        self.at = now;
    }
}

impl<T> Clone for Record<T> {
    fn clone(&self) -> Self {
        Self { data: Arc::clone(&self.data), attributes: self.attributes.clone(), ..*self }
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
    /// The owner has as many sessions as allowed, by [`WhenFull::Refuse`]; nothing changed.
    TooMany,
}
