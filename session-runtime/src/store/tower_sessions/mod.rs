//! Sessions in any store that was written for tower-sessions.
//!
//! 1. Its trait reads, writes and deletes whole records, and has no compare-and-swap. So each change here is a read, a check and a
//!    write, one after the other for each session, by a lock that the session has while somebody changes it ([`locks`](crate::locks)).
//! 2. A read shares that lock with other reads, since a read can write: a cache that does not have the record fills itself with
//!    what the store had a moment ago.
//! 3. A step that has begun is carried to its end also when its caller gives up: only then may the next one begin, so that no
//!    write is on its way when a session is deleted.
//! 4. What a session needs beyond its data lies in its record ([`row`]).
//!
//! All that is for one process; what it cannot do for several, [`TowerSessionsStore`] says.

mod row;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_core::Serialize;
use serde_core::de::DeserializeOwned;
use serde_json::Value;
use tower_sessions_core::session::Record as Entry;
use tower_sessions_core::{ExpiredDeletion, SessionStore};

use self::row::{Found, Place, Rows, Terms};
use super::encoding::{NOT_FINITE, or_undecodable};
use super::finite::is_finite;
use super::{
    Attributes, Change, Created, Key, Limits, Loaded, NewLifetime, NewSession, Replaced, Rotated, Rotation, Store, StoreError,
    Version,
};
use crate::locks::{self, ALL, Locks};
use crate::log;

/// Sessions in a store that was written for tower-sessions: any `SessionStore` of `tower-sessions-core` 0.14, which is what its Redis,
/// sqlx, moka, `DynamoDB` and libSQL stores are written for.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use session_runtime::{session, store::TowerSessionsStore};
/// use tower_sessions_memory_store::MemoryStore;
///
/// #[derive(Clone, Default, Serialize, Deserialize)]
/// struct Visit { pages: u32 }
///
/// let layer = session!(<Visit>, store = TowerSessionsStore::new(MemoryStore::default()));
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(|| async {})).layer(layer);
/// ```
///
/// It is for a store that this crate has no other for, and for moving from tower-sessions. Redis and the SQL databases are
/// served better by their own stores here, which keep every law among many processes, in fewer calls.
///
/// # What it keeps, and what it cannot
///
/// **Within one process every law holds.** The calls that change a session follow one another and wait for those that read it (a
/// `CachingSessionStore` that is being filled would keep what another call deletes); each is carried to its end, also when its
/// caller has given up, and one that the store does not answer for 30 seconds is given up.
///
/// A rotation writes the session under its new id, which nobody knows yet, and then commits by marking the old one.
///
/// **Among several processes these do not hold**, because the trait has no compare-and-swap and its `save` writes whatever was
/// there before:
///
/// - *No lost update*: of two processes that change a session at the same moment, one may undo the other's change.
/// - *Delete wins*: a change in one process that was on its way when another deleted the session may bring it back, unless the
///   store's `save` writes only what is there (its Redis store's does).
/// - *One commit point of rotation*: two processes that rotate a session at once may each succeed, under two new ids.
///
/// It does not keep who its sessions belong to, for which that trait has no place: a layer with the option `owner` refuses it. Limits of one session
/// ([`set_lifetime`](crate::SessionData::set_lifetime)) are kept.
///
/// *Creating never overwrites* holds among processes as far as the store's `create` inserts only what is absent; those that come with
/// tower-sessions do, a store that leaves `create` out does not. A `CachingSessionStore` in several processes shows each the past:
/// a session deleted in one stays alive in the others' caches. Send a client always to the same process, or take another store.
///
/// # What lies in a record
///
/// The value `session` is the data, as JSON; `session_runtime` is the version, the limits and the time of creation. Other values stay
/// as they are. The record's id is the beginning of a SHA-256 hash of the layer's namespace and the session's id, 128 bits as the trait
/// has it. Its `expiry_date` is the second
/// in which the session expires, or the next; the session itself expires on the millisecond, by the clock of the process. Where that was
/// set back, a session's life is shortened to its limits when it is read next. The
/// trait's dates end with the year 9999, and so do limits (those of its MySQL store end in 2038).
///
/// # Calls
///
/// Of the other store's operations, some of which are several statements: 1 for a read, 2 for a change, a touch, a deletion and a new
/// session, 4 for a rotation.
pub struct TowerSessionsStore<S> {
    rows: Rows<S>,
    locks: Arc<Locks<i128>>,
}

/// How long a call of the other store may take before the session's lock is given to the next.
const GIVE_UP: Duration = Duration::from_secs(30);

impl<S: SessionStore> TowerSessionsStore<S> {
    /// Keeps sessions in `store`.
    ///
    /// All the sessions of a process that share a `store` have to share this, or a clone of it: its locks are what keeps the laws.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { rows: Rows::new(store), locks: Arc::default() }
    }

    /// Also takes the sessions that tower-sessions has made: those whose value `key` is the data, which stays under that key. Give
    /// the layer the cookie's name that tower-sessions used, which is `id` unless it was set.
    ///
    /// Such a session ends when tower-sessions would have ended it, used or not, since the record does not say how often its
    /// date was moved. Rotating it, as a login does, gives it an id of this crate's and keeps that end.
    ///
    /// The ids of such sessions stand in the store as they are, as tower-sessions keeps them, until they are rotated: whoever reads
    /// the store can use them. That is over when the last of them has expired; take this out then.
    ///
    /// Nor does a record of tower-sessions say when its session was created, or which layer it is of. Its age is counted from its first
    /// change or touch here. Until then every layer that uses this store and whose data type fits reads it; from then on it is that
    /// layer's.
    ///
    /// ```
    /// use session_runtime::store::TowerSessionsStore;
    /// use tower_sessions_memory_store::MemoryStore;
    ///
    /// // Where handlers of tower-sessions did `session.insert("visit", Visit { .. })`.
    /// let store = TowerSessionsStore::new(MemoryStore::default()).keep_existing("visit");
    /// ```
    #[must_use]
    pub fn keep_existing(mut self, key: impl Into<String>) -> Self {
        self.rows.keep_existing(key.into());
        self
    }

    /// Removes expired sessions every `interval` for as long as the store is there, by the store's own `delete_expired`. One that
    /// fails does not end it. For stores that do not expire by themselves; call it in a tokio runtime.
    ///
    /// That of its Postgres store compares with the local time of the database's session as if it were UTC: where the
    /// database's time zone is ahead of UTC expired rows stay longer, and where it is behind live sessions are deleted. Keep the
    /// database in UTC.
    #[must_use]
    pub fn sweep_every(self, interval: Duration) -> Self
    where
        S: ExpiredDeletion,
    {
        tokio::spawn(sweep(Arc::downgrade(&self.rows.store), interval));
        self
    }

    /// Runs a step for a session to its end, also when the caller gives up.
    async fn to_its_end<R, F>(&self, guard: Guard, step: impl FnOnce(Rows<S>) -> F) -> Result<R, StoreError>
    where
        R: Send + 'static,
        F: Future<Output = Result<R, StoreError>> + Send + 'static,
    {
        let step = step(self.rows.clone());
        let task = tokio::spawn(async move {
            let _guard = guard;
            tokio::time::timeout(GIVE_UP, step).await
        });
        match task.await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(StoreError::unavailable("the store for tower-sessions has not answered for 30 seconds")),
            Err(_) => Err(StoreError::unavailable("the store for tower-sessions panicked")),
        }
    }
}

async fn sweep<S: ExpiredDeletion>(store: Weak<S>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(store) = store.upgrade() else { return };
        if let Err(error) = store.delete_expired().await {
            log::warn(&error, "sweeping expired sessions failed; it is tried again");
        }
    }
}

impl<S> Clone for TowerSessionsStore<S> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), locks: Arc::clone(&self.locks) }
    }
}

impl<S> fmt::Debug for TowerSessionsStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TowerSessionsStore").finish_non_exhaustive()
    }
}

impl<S, T> Store<T> for TowerSessionsStore<S>
where
    S: SessionStore,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    async fn create(&self, key: Key<'_>, session: NewSession<T>) -> Result<Created, StoreError> {
        let (place, data) = (self.rows.place(key), encode(&*session.data)?);
        let guard = self.lock(place).await;
        let terms = (session.limits, session.attributes.as_deref().copied().unwrap_or_default());
        self.to_its_end(guard, move |rows| create(rows, place, data, terms)).await
    }

    async fn load(&self, key: Key<'_>) -> Result<Loaded<T>, StoreError> {
        let place = self.rows.place(key);
        let guard = self.share(place).await;
        let found = self.to_its_end(guard, |rows| async move { rows.find(place).await }).await;
        if let Ok(Found::Session(_, Terms { is_too_long: true, .. })) = found {
            let guard = self.lock(place).await;
            if let Err(error) = self.to_its_end(guard, |rows| touch(rows, place)).await {
                log::warn(&error, "a session that was stored when the clock was ahead was not shortened to its limits");
            }
        }
        or_undecodable(found.and_then(|found| match found {
            Found::Session(mut entry, terms) => decode(self.rows.take_data(&mut entry), &terms),
            Found::Mark => Ok(Loaded::JustRotated),
            Found::Expired | Found::Nothing | Found::Other => Ok(Loaded::Missing),
        }))
    }

    async fn replace(&self, key: Key<'_>, expected: Version, change: Change<T>) -> Result<Replaced, StoreError> {
        let (place, data) = (self.rows.place(key), encode(&*change.data)?);
        let guard = self.lock(place).await;
        self.to_its_end(guard, |rows| replace(rows, place, expected, (data, change.lifetime))).await
    }

    async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
        let place = self.rows.place(key);
        let guard = self.lock(place).await;
        self.to_its_end(guard, |rows| touch(rows, place)).await
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, rotation: Rotation<T>) -> Result<Rotated, StoreError> {
        let session = rotation.session;
        let (old, new, data) = (self.rows.place(old), self.rows.place(new), encode(&*session.data)?);
        let guard = self.lock_two(old, new).await;
        let attributes = session.attributes.as_deref().copied().unwrap_or_default();
        self.to_its_end(guard, move |rows| rotate(rows, old, new, session.version, (data, attributes))).await
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        let place = self.rows.place(key);
        let guard = self.lock(place).await;
        self.to_its_end(guard, |rows| delete(rows, place)).await
    }

    fn name(&self) -> &'static str {
        "TowerSessionsStore"
    }
}

/// What is locked while a step runs; never looked at, but dropped.
type Guard = Vec<locks::Place<i128>>;

impl<S> TowerSessionsStore<S> {
    /// For reading.
    async fn share(&self, place: Place) -> Guard {
        vec![self.taken(place.id().0, 1).await]
    }

    /// For changing the session.
    async fn lock(&self, place: Place) -> Guard {
        vec![self.taken(place.id().0, ALL).await]
    }

    /// The locks of two sessions, always in the same order, so that nobody waits for somebody who waits for him.
    async fn lock_two(&self, one: Place, other: Place) -> Guard {
        let (one, other) = (one.id().0, other.id().0);
        let mut held = vec![self.taken(one.min(other), ALL).await];
        if one != other {
            held.push(self.taken(one.max(other), ALL).await);
        }
        held
    }

    async fn taken(&self, key: i128, shares: u32) -> locks::Place<i128> {
        let place = self.locks.place(key);
        place.take(shares).await;
        place
    }
}

fn decode<T: DeserializeOwned>(data: Option<Value>, terms: &Terms) -> Result<Loaded<T>, StoreError> {
    match data.map(serde_json::from_value) {
        Some(Ok(data)) => Ok(Loaded::Found(terms.record(Arc::new(data)))),
        // What serde says may quote the data.
        Some(Err(_)) | None => Err(StoreError::data("a value or field of another type than expected, or a field missing")),
    }
}

fn encode<T: Serialize + DeserializeOwned>(data: &T) -> Result<Value, StoreError> {
    let value = serde_json::to_value(data).map_err(StoreError::data)?;
    // JSON writes a number that it does not have as `null`: in an `Option` that would be read as `None`.
    if holds_null(&value) && !is_finite(data) {
        return Err(StoreError::data(NOT_FINITE));
    }
    // Else the session would be lost: it could be neither read nor changed. What serde says may quote the data.
    T::deserialize(&value)
        .map_err(|_| StoreError::data("the data would not be read back: its type writes what it does not read"))?;
    Ok(value)
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(holds_null),
        Value::Object(fields) => fields.values().any(holds_null),
        _ => false,
    }
}

async fn create<S: SessionStore>(
    rows: Rows<S>,
    place: Place,
    data: Value,
    (limits, attributes): (Limits, Attributes),
) -> Result<Created, StoreError> {
    let terms = Terms::new(limits, attributes);
    let entry = rows.entry(place, terms, data);
    Ok(if rows.insert(place, entry).await? { Created::Created(terms.version()) } else { Created::Exists })
}

async fn replace<S: SessionStore>(
    rows: Rows<S>,
    place: Place,
    expected: Version,
    (data, lifetime): (Value, Option<Box<NewLifetime>>),
) -> Result<Replaced, StoreError> {
    let Found::Session(mut entry, terms) = rows.find(place).await? else { return Ok(Replaced::Missing) };
    if expected != terms.version() {
        return Ok(Replaced::Conflict);
    }
    let changed = terms.with_lifetime(lifetime.as_deref()).renewed().changed();
    rows.put(&mut entry, place, changed, Some(data));
    rows.save(place, &entry).await?;
    Ok(Replaced::Replaced(changed.version()))
}

async fn touch<S: SessionStore>(rows: Rows<S>, place: Place) -> Result<bool, StoreError> {
    let Found::Session(mut entry, terms) = rows.find(place).await? else { return Ok(false) };
    rows.put(&mut entry, place, terms.renewed(), None);
    rows.save(place, &entry).await?;
    Ok(true)
}

/// Writes the new record, of which nobody knows yet, then the mark over the old one, which is the commit. What fails between the
/// two leaves a record that nobody can ask for, and that expires.
async fn rotate<S: SessionStore>(
    rows: Rows<S>,
    old: Place,
    new: Place,
    expected: Version,
    (data, attributes): (Value, Attributes),
) -> Result<Rotated, StoreError> {
    let Found::Session(mut entry, terms) = rows.find(old).await? else { return Ok(Rotated::Missing) };
    if expected != terms.version() {
        return Ok(Rotated::Conflict);
    }
    let changed = terms.with_attributes(attributes).renewed().changed();
    let mut moved = Entry { id: new.id(), data: mem::take(&mut entry.data), expiry_date: entry.expiry_date };
    rows.put(&mut moved, new, changed, Some(data));
    if !rows.insert(new, moved).await? {
        return Ok(Rotated::Exists);
    }
    row::mark(&mut entry, old);
    rows.save(old, &entry).await?;
    Ok(Rotated::Rotated(changed.version()))
}

async fn delete<S: SessionStore>(rows: Rows<S>, place: Place) -> Result<bool, StoreError> {
    let Found::Session(..) = rows.find(place).await? else { return Ok(false) };
    rows.delete(place).await?;
    Ok(true)
}
