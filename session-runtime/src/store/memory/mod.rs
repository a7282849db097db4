//! The store in memory: one process, no serialization, gone with the process.
//!
//! 1. Sessions lie in shards, each with a lock of its own that is held for one step and never across an await; an operation
//!    takes one lock, a rotation two, in the order of the shards.
//! 2. A shard is found by a keyed hash of the id, so nobody can choose ids that meet in one shard.
//! 3. What expired is absent at once, and leaves memory by a task that the store starts itself ([`sweeper`]).
//! 4. Which sessions an owner has is kept beside the shards ([`owners`]), so that nothing looks through them.
//! 5. A store that is full makes room by what expired, then by what only a visit created and nobody changed since, or else refuses.

mod clock;
mod extras;
mod name;
mod owners;
mod padded;
mod schedule;
mod shard;
mod sweeper;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::{Future, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use clock::{Clock, FOREVER};
use extras::Extra;
use name::{Name, OwnerHash};
use owners::{Entered, Entry, Owners};
use padded::Padded;
use shard::{Shard, Slot};
use sweeper::{Gone, Sweeper, Swept};

use super::{
    Attributes, Belonging, Change, Created, HashSecret, Key, Limits, Listed, Loaded, NewLifetime, NewSession, Origin, Owner,
    OwnerLimit, ROTATION_MARK, Record, Replaced, Rotated, Rotation, SessionHandle, Store, StoreError, Version, Which,
};

/// How many sessions a store keeps unless told otherwise.
const DEFAULT_MAX_SESSIONS: usize = 1_000_000;

/// The shards of the smallest and of the largest store. A shard holds a few thousand sessions, so that its growth, the
/// longest step under its lock, stays far below a millisecond.
const MIN_SHARDS: usize = 64;
const MAX_SHARDS: usize = 4096;
const SESSIONS_PER_SHARD: usize = 4096;

/// The shards that are looked at in a row where nothing is due.
const SHARDS_IN_A_ROW: usize = 64;

/// The shards that a full store compares to find the session that goes.
const WINDOW: usize = MIN_SHARDS;

/// The marks of rotations that even the smallest store keeps. They are not sessions and do not count as such; a store keeps
/// this many, or as many as it may keep sessions, and beyond that a rotation leaves none.
const MIN_MARKS: usize = 1 << 16;

/// Keeps the sessions of one process in its memory, as `T`, without serializing it.
///
/// Reading a session clones an [`Arc`] and allocates nothing. What expired leaves memory by itself, soon after: an eighth of its
/// idle limit later, at least a quarter of a second and at most half a minute. That is the work of a task which the first
/// session starts on the tokio runtime it is created in; where there is none, call [`sweep`](Store::sweep).
///
/// A store holds at most 1 000 000 sessions unless told otherwise, so that a flood of requests without a cookie cannot exhaust
/// memory. When it is full, a new session takes the place of one that expired, or else of one that only a visit created
/// ([`Origin::Visit`]) and that was never changed or rotated since, the oldest first (among many shards, the oldest of 64 of them).
/// A session that a change created, or that was changed or rotated since, is never given up: if there is no other, creating fails with
/// [`StoreError::Full`], which answers 503.
///
/// A clone shares the sessions of the original. The sessions end with the last clone, and with the process.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use session_runtime::store::MemoryStore;
///
/// let store = MemoryStore::<String>::bounded(10_000);
/// assert!(store.is_empty());
/// ```
pub struct MemoryStore<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    secret: HashSecret,
    clock: Clock,
    max_sessions: usize,
    max_marks: usize,
    sweeper: Arc<Sweeper>,
    shards: Box<[Padded<Mutex<Shard<T>>>]>,
    owners: Owners,
    counts: Padded<Counts>,
}

/// An owner, what a session is called in the owner's list, and how many the owner may have.
type Belongs = (OwnerHash, SessionHandle, Option<OwnerLimit>);

/// What goes with a session that moves and has something beside its data.
struct Moving {
    extra: Option<Extra>,
    owner: Option<(OwnerHash, SessionHandle)>,
    /// What is to be ended when it has moved.
    ending: Vec<Entry>,
}

/// What every creation writes to; kept off the cache lines that every operation reads.
#[derive(Default)]
struct Counts {
    /// Sessions that are stored or about to be.
    sessions: AtomicUsize,
    /// Marks of rotations.
    marks: AtomicUsize,
    /// Where the next search for room begins.
    window: AtomicUsize,
}

impl<T> MemoryStore<T> {
    /// A store of at most 1 000 000 sessions.
    #[must_use]
    pub fn new() -> Self {
        Self::bounded(DEFAULT_MAX_SESSIONS)
    }

    /// A store of at most `max_sessions` sessions.
    ///
    /// A session takes 85 to 170 bytes beside its data (an `Arc<T>` and what `T` allocates), and one with an owner some 200 to 250 more.
    #[must_use]
    pub fn bounded(max_sessions: usize) -> Self {
        let shards = (max_sessions / SESSIONS_PER_SHARD).clamp(MIN_SHARDS, MAX_SHARDS).next_power_of_two();
        Self {
            inner: Arc::new(Inner {
                secret: HashSecret::random(),
                clock: Clock::start(),
                max_sessions: max_sessions.min(shard::MAX_SLOTS),
                max_marks: max_sessions.clamp(MIN_MARKS, shard::MAX_SLOTS),
                sweeper: Arc::default(),
                shards: (0..shards).map(|_| Padded::default()).collect(),
                owners: Owners::default(),
                counts: Padded::default(),
            }),
        }
    }

    /// A store that is bounded by memory alone (and by 2 147 483 647 sessions).
    ///
    /// Whoever can send requests can then fill the memory, unless something before the store limits how many sessions are
    /// created.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::bounded(usize::MAX)
    }

    /// How many sessions the store holds, counting those that expired and did not leave memory yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.counts.0.sessions.load(Ordering::Relaxed)
    }

    /// Whether the store holds no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Default for MemoryStore<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for MemoryStore<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> fmt::Debug for MemoryStore<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("sessions", &self.len()).field("max_sessions", &self.inner.max_sessions).finish()
    }
}

impl<T: Send + Sync + 'static> Store<T> for MemoryStore<T> {
    const IMMEDIATE: bool = true;

    fn create(&self, key: Key<'_>, session: NewSession<T>) -> impl Future<Output = Result<Created, StoreError>> + Send {
        ready(self.inner.create(key, session))
    }

    async fn load(&self, key: Key<'_>) -> Result<Loaded<T>, StoreError> {
        Ok(self.inner.load(key))
    }

    fn replace(
        &self,
        key: Key<'_>,
        expected: Version,
        change: Change<T>,
    ) -> impl Future<Output = Result<Replaced, StoreError>> + Send {
        ready(Ok(self.inner.replace(key, expected, change)))
    }

    async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
        Ok(self.inner.touch(key))
    }

    fn rotate(
        &self,
        old: Key<'_>,
        new: Key<'_>,
        rotation: Rotation<T>,
    ) -> impl Future<Output = Result<Rotated, StoreError>> + Send {
        ready(Ok(self.inner.rotate(old, new, rotation)))
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        Ok(self.inner.delete(key))
    }

    fn keeps_owners(&self) -> bool {
        true
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Listed<T>>, StoreError> {
        Ok(self.inner.list(self.inner.owner(owner)))
    }

    async fn end(&self, owner: &Owner, which: Which) -> Result<u64, StoreError> {
        let owner = self.inner.owner(owner);
        Ok(self.inner.end(owner, self.inner.owners.begin_to_end(owner, which)))
    }

    async fn replace_listed(
        &self,
        owner: &Owner,
        handle: SessionHandle,
        expected: Version,
        change: Change<T>,
    ) -> Result<Replaced, StoreError> {
        Ok(self.inner.replace_listed(self.inner.owner(owner), handle, expected, change))
    }

    async fn count(&self, owner: &Owner) -> Result<u64, StoreError> {
        let owner = self.inner.owner(owner);
        let entries = self.inner.owners.entries(owner);
        Ok(entries.into_iter().filter_map(|entry| self.inner.follow(owner, entry, |_, _, _| ())).count() as u64)
    }

    fn name(&self) -> &'static str {
        "MemoryStore"
    }

    async fn sweep(&self) -> Result<u64, StoreError> {
        Ok(sweeper::sweep(|| Some(&*self.inner), |store, start, gone| store.sweep_step(start, Shard::expects_expired, gone))
            .await
            .sessions)
    }
}

impl<T: Send + Sync + 'static> Inner<T> {
    fn create(self: &Arc<Self>, key: Key<'_>, session: NewSession<T>) -> Result<Created, StoreError> {
        let name = self.name(key);
        if !self.reserve(name)? {
            return Ok(Created::Exists);
        }
        if session.owner.is_some() || session.attributes.is_some() {
            return Ok(self.create_with_extra(name, session));
        }
        let Limits { idle, absolute } = session.limits;

        let mut shard = self.lock(name);
        let now = self.clock.now();
        let version = shard.next_version(now);
        let slot = Slot::session(name, session.data, version, now, idle, absolute);
        let inserted = match session.origin {
            Origin::Visit => shard.insert_visit(slot, now),
            Origin::Change => shard.insert(slot, now),
        };
        let due = shard.due();
        drop(shard);

        let Ok(removed) = inserted else {
            self.release(1);
            return Ok(Created::Exists);
        };
        self.account(removed.as_ref());
        self.expect_expiry(due);
        Ok(Created::Created(Version(version)))
    }

    /// Room for it is reserved.
    #[cold]
    fn create_with_extra(self: &Arc<Self>, name: Name, session: NewSession<T>) -> Created {
        let NewSession { data, limits: Limits { idle, absolute }, attributes, owner, .. } = session;
        let owner = owner.map(|belonging| self.belonging(&belonging, attributes.as_deref()));
        if let Some((owner, _, Some(_))) = owner {
            self.forget_dead(owner);
        }
        let mut shard = self.lock(name);
        let now = self.clock.now();
        if shard.is_taken(name, now) {
            drop(shard);
            self.release(1);
            return Created::Exists;
        }
        let version = shard.next_version(now);
        let mut ending = Vec::new();
        if let Some((owner, handle, limit)) = owner {
            let proven = proven_at(version, attributes.as_deref());
            match self.owners.enter(owner, Entry { name, handle, proven, is_ending: false }, limit) {
                Entered::Ending(entries) => ending = entries,
                Entered::TooMany => {
                    drop(shard);
                    self.release(1);
                    return Created::TooMany;
                }
            }
        }
        let extra = Extra { attributes, owner: owner.map(|(owner, handle, _)| (owner, handle)), used: now };
        let slot = Slot::session(name, data, version, now, idle, absolute);
        // It is not taken.
        let removed = shard.insert_with(slot, Some(extra), now).ok().flatten();
        let due = shard.due();
        drop(shard);
        self.account(removed.as_ref());
        if let Some((owner, ..)) = owner {
            self.end(owner, ending);
        }
        self.expect_expiry(due);
        Created::Created(Version(version))
    }

    fn load(&self, key: Key<'_>) -> Loaded<T> {
        let name = self.name(key);
        let at = Instant::now();
        let now = self.clock.at(at);
        let shard = self.lock(name);
        let Some(slot) = shard.present(name, now) else { return Loaded::Missing };
        let Some(data) = slot.data.as_ref() else { return Loaded::JustRotated };
        let data = Arc::clone(data);
        let (version, idle, expires, absolute) = (slot.version, slot.idle, slot.expires, slot.absolute);
        let attributes = shard.extra(slot).and_then(|extra| extra.attributes.clone());
        drop(shard);

        let absolute_in = (absolute != FOREVER).then(|| Duration::from_nanos(absolute - now));
        let expires_in = Duration::from_nanos(expires - now);
        let age = Duration::from_nanos(now.saturating_sub(version));
        let idle = clock::duration(idle);
        Loaded::Found(Record { data, version: Version(version), idle, expires_in, absolute_in, age, attributes, at })
    }

    fn replace(self: &Arc<Self>, key: Key<'_>, expected: Version, change: Change<T>) -> Replaced {
        let name = self.name(key);
        let mut shard = self.lock(name);
        let now = self.clock.now();
        let Some(position) = shard.find_session(name, now) else { return Replaced::Missing };
        let slot = shard.slot(position);
        if expected.0 != slot.version {
            return Replaced::Conflict;
        }
        slot.version += 1;
        slot.renew(now);
        let version = slot.version;
        let before = slot.data.replace(change.data);
        if slot.has_extra() || change.lifetime.is_some() {
            set_lifetime(&mut shard, position, change.lifetime.as_deref(), now);
        } else {
            shard.unlist(position);
        }
        shard.has_given(version);
        // It may expire sooner than before.
        let due = change.lifetime.map(|_| shard.due());
        // What the data does when it is dropped is the user's; it must not happen under the lock.
        drop(shard);
        drop(before);
        if let Some(due) = due {
            self.expect_expiry(due);
        }
        Replaced::Replaced(Version(version))
    }

    fn touch(&self, key: Key<'_>) -> bool {
        let name = self.name(key);
        let mut shard = self.lock(name);
        let now = self.clock.now();
        let Some(position) = shard.find_session(name, now) else { return false };
        shard.renew(position, now);
        true
    }

    fn rotate(self: &Arc<Self>, old: Key<'_>, new: Key<'_>, rotation: Rotation<T>) -> Rotated {
        let (old, new) = (self.name(old), self.name(new));
        if rotation.owner.is_some() || rotation.session.attributes.is_some() {
            return self.rotate_with_extra(old, new, rotation);
        }
        let (mut from, mut other) = self.lock_both(old, new);
        let now = self.clock.now();
        let Some(position) = from.find_session(old, now) else { return Rotated::Missing };
        let slot = from.slot(position);
        if slot.version != rotation.session.version.0 {
            return Rotated::Conflict;
        }
        if slot.has_extra() {
            drop((from, other));
            return self.rotate_with_extra(old, new, rotation);
        }
        let moved = slot.moved_to(new, rotation.session.data, now);
        let version = moved.version;
        let to = other.as_mut().unwrap_or(&mut from);
        to.has_given(version);
        let removed = match to.insert(moved, now) {
            Ok(removed) => removed,
            Err(moved) => {
                drop((from, other));
                drop(moved);
                return Rotated::Exists;
            }
        };
        let due = to.due();
        // What came into the same shard may have moved it.
        let position = if other.is_some() { Some(position) } else { from.find_session(old, now) };
        let before = position.and_then(|position| self.rotate_away(&mut from, position, now));
        let due = due.min(from.due());
        drop((from, other));
        drop(before);

        self.account(removed.as_ref());
        self.expect_expiry(due);
        Rotated::Rotated(Version(version))
    }

    /// The same for a session that has something beside its data, or is to have it.
    #[cold]
    fn rotate_with_extra(self: &Arc<Self>, old: Name, new: Name, rotation: Rotation<T>) -> Rotated {
        let Rotation { session, owner } = rotation;
        if let Some(belonging) = owner.as_ref().filter(|belonging| belonging.limit.is_some()) {
            self.forget_dead(self.owner(&belonging.owner));
        }
        let (mut from, mut other) = self.lock_both(old, new);
        let now = self.clock.now();
        let Some(position) = from.find_session(old, now) else { return Rotated::Missing };
        if from.slot(position).version != session.version.0 {
            return Rotated::Conflict;
        }
        let begun = self.begin_to_move(&mut from, position, other.as_deref(), new, (owner, session.attributes, now));
        let Moving { extra, owner, ending } = match begun {
            Ok(moving) => moving,
            Err(answer) => return answer,
        };
        let moved = from.slot(position).moved_to(new, session.data, now);
        let version = moved.version;
        let to = other.as_mut().unwrap_or(&mut from);
        to.has_given(version);
        // It is not taken.
        let removed = to.insert_with(moved, extra, now).ok().flatten();
        let due = to.due();
        // What came into the same shard may have moved it.
        let position = if other.is_some() { Some(position) } else { from.find_session(old, now) };
        let before = position.and_then(|position| self.rotate_away(&mut from, position, now));
        let due = due.min(from.due());
        drop((from, other));
        drop(before);

        self.account(removed.as_ref());
        if let Some((owner, _)) = owner {
            self.end(owner, ending);
        }
        self.expect_expiry(due);
        Rotated::Rotated(Version(version))
    }

    /// A session moves that has something beside its data, or is to have it.
    fn begin_to_move(
        &self,
        from: &mut Shard<T>,
        position: usize,
        to: Option<&Shard<T>>,
        new: Name,
        (owner, attributes, now): (Option<Box<Belonging>>, Option<Arc<Attributes>>, u64),
    ) -> Result<Moving, Rotated> {
        if to.unwrap_or(from).is_taken(new, now) {
            return Err(Rotated::Exists);
        }
        let owner = owner.map(|belonging| self.belonging(&belonging, attributes.as_deref()));
        let before = from.extra_at(position).and_then(|extra| extra.owner);
        let proven = proven_at(from.slot(position).version, attributes.as_deref());
        let ending = match self.move_entry(before, owner, new, proven) {
            Some(Entered::Ending(entries)) => entries,
            Some(Entered::TooMany) => return Err(Rotated::TooMany),
            // Somebody ends it.
            None => return Err(Rotated::Missing),
        };
        drop(from.take_extra(position));
        let owner = owner.map(|(owner, handle, _)| (owner, handle));
        let extra = (attributes.is_some() || owner.is_some()).then_some(Extra { attributes, owner, used: now });
        Ok(Moving { extra, owner, ending })
    }

    /// A session moves from one owner's list to another's, or within one; `None` if somebody ends it.
    fn move_entry(
        &self,
        from: Option<(OwnerHash, SessionHandle)>,
        to: Option<Belongs>,
        name: Name,
        proven: u64,
    ) -> Option<Entered> {
        let entered = || Entered::Ending(Vec::new());
        let entry = |handle| Entry { name, handle, proven, is_ending: false };
        match (from, to) {
            (None, None) => Some(entered()),
            (None, Some((owner, handle, limit))) => Some(self.owners.enter(owner, entry(handle), limit)),
            (Some((owner, handle)), None) => self.owners.leave(owner, handle).then(entered),
            (Some(from), Some((owner, handle, _))) if from == (owner, handle) => {
                self.owners.rename(owner, entry(handle)).then(entered)
            }
            (Some(from), Some((owner, handle, limit))) => {
                let limit = limit.filter(|_| from.0 != owner);
                self.owners.hand_over(from, (owner, entry(handle)), limit)
            }
        }
    }

    /// Leaves a mark where a session was, or nothing where there are marks enough, and gives back its data.
    #[expect(clippy::inline_always, reason = "nearly every rotation calls it from one place")]
    #[inline(always)]
    fn rotate_away(&self, shard: &mut Shard<T>, position: usize, now: u64) -> Option<Arc<T>> {
        if self.reserve_mark() {
            shard.leave_mark(position, now.saturating_add(clock::nanos(ROTATION_MARK)))
        } else {
            shard.remove(position).data
        }
    }

    fn delete(&self, key: Key<'_>) -> bool {
        let name = self.name(key);
        let mut shard = self.lock(name);
        let now = self.clock.now();
        let Some(position) = shard.find_session(name, now) else { return false };
        let removed = shard.remove(position);
        drop(shard);
        self.account(Some(&removed));
        true
    }

    // Owners.

    fn owner(&self, owner: &Owner) -> OwnerHash {
        OwnerHash::new(owner.keyed_hash(&self.secret))
    }

    /// The owner, what the session is called in the owner's list, and how many the owner may have.
    fn belonging(&self, belonging: &Belonging, attributes: Option<&Attributes>) -> Belongs {
        let handle = attributes.and_then(|attributes| attributes.handle).unwrap_or_else(SessionHandle::random);
        (self.owner(&belonging.owner), handle, belonging.limit)
    }

    /// Looks at a session of an owner, if it is there.
    fn visit<R>(&self, owner: OwnerHash, entry: Entry, look: impl FnOnce(&mut Shard<T>, usize, u64) -> R) -> Option<R> {
        let mut shard = self.lock(entry.name);
        let now = self.clock.now();
        let position = shard.find_session(entry.name, now)?;
        let is_it = shard.extra_at(position).is_some_and(|extra| extra.owner == Some((owner, entry.handle)));
        is_it.then(|| look(&mut shard, position, now))
    }

    fn list(&self, owner: OwnerHash) -> Vec<Listed<T>> {
        let entries = self.owners.entries(owner).into_iter().filter(|entry| !entry.is_ending);
        let listed = |entry: Entry| {
            let (record, unused) = self.follow(owner, entry, |shard, position, now| listed(shard, position, now))??;
            Some(Listed::new(entry.handle, Ok(record), unused))
        };
        entries.filter_map(listed).collect()
    }

    /// Looks at a session of an owner's list, also if it moves meanwhile; `None` if it is gone.
    fn follow<R>(&self, owner: OwnerHash, mut entry: Entry, look: impl Fn(&mut Shard<T>, usize, u64) -> R) -> Option<R> {
        loop {
            if let Some(seen) = self.visit(owner, entry, &look) {
                return Some(seen);
            }
            let known = self.owners.entry(owner, entry.handle)?;
            if known.name == entry.name {
                return None;
            }
            entry = known;
        }
    }

    /// Ends sessions whose entries are marked.
    fn end(&self, owner: OwnerHash, entries: Vec<Entry>) -> u64 {
        let end = |entry: &Entry| {
            self.visit(owner, *entry, |shard, position, _| {
                // Its entry goes with all the others'.
                drop(shard.take_extra(position));
                shard.remove(position)
            })
        };
        let removed = entries.iter().filter_map(end).collect();
        self.owners.remove_all(owner, entries);
        self.discard(removed)
    }

    fn replace_listed(&self, owner: OwnerHash, handle: SessionHandle, expected: Version, change: Change<T>) -> Replaced {
        let Some(mut entry) = self.owners.entry(owner, handle) else { return Replaced::Missing };
        let mut change = Some(change);
        loop {
            let replaced = self.visit(owner, entry, |shard, position, _| {
                let slot = shard.slot(position);
                if expected.0 != slot.version {
                    return (Replaced::Conflict, None);
                }
                let Some(change) = change.take() else { return (Replaced::Conflict, None) };
                slot.version += 1;
                let version = slot.version;
                let before = slot.data.replace(change.data);
                shard.has_given(version);
                (Replaced::Replaced(Version(version)), before)
            });
            if let Some((replaced, before)) = replaced {
                drop(before);
                return replaced;
            }
            // It has moved since, or is gone.
            match self.owners.entry(owner, handle) {
                Some(known) if known.name != entry.name => entry = known,
                _ => return Replaced::Missing,
            }
        }
    }

    /// Takes out of an owner's list what has expired, so that it does not count against a limit.
    fn forget_dead(&self, owner: OwnerHash) {
        for entry in self.owners.entries(owner) {
            let is_there = self.visit(owner, entry, |_, _, _| ()).is_some();
            // One that has moved since goes by another name.
            if !is_there && !entry.is_ending {
                self.owners.remove(owner, entry.handle, entry.name);
            }
        }
    }

    /// Tells the owners of sessions that are gone.
    #[cold]
    fn tell_owners(&self, name: Name) {
        let left = self.lock(name).take_left();
        for (name, extra) in left {
            if let Some((owner, handle)) = extra.owner {
                self.owners.remove(owner, handle, name);
            }
        }
    }

    /// Counts one session more, making room for it where the store is full; `false` where the key is taken, for which nothing
    /// must go.
    fn reserve(&self, name: Name) -> Result<bool, StoreError> {
        let sessions = &self.counts.0.sessions;
        let room = |count| (count < self.max_sessions).then_some(count + 1);
        while sessions.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            if self.lock(name).is_taken(name, self.clock.now()) {
                return Ok(false);
            }
            if !self.make_room() {
                return Err(StoreError::Full);
            }
        }
        Ok(true)
    }

    /// Removes what expired, or else the oldest session that only a visit created; `false` where there is neither.
    #[cold]
    fn make_room(&self) -> bool {
        let start = self.counts.0.window.fetch_add(WINDOW, Ordering::Relaxed);
        let windows = self.shards.len() / WINDOW;
        (0..windows).any(|window| self.make_room_in(start + window * WINDOW))
    }

    fn make_room_in(&self, start: usize) -> bool {
        let mut oldest = None;
        for position in start..start + WINDOW {
            let mut shard = self.shard(position);
            let now = self.clock.now();
            let mut expired = Vec::new();
            if shard.expects_expired(now) {
                shard.sweep(now, &mut expired);
            }
            if let Some(order) = shard.oldest_visit() {
                oldest = oldest.min(Some((order, position))).or(Some((order, position)));
            }
            drop(shard);
            if self.discard(expired) > 0 {
                return true;
            }
        }
        let Some((_, position)) = oldest else { return false };
        let removed = self.shard(position).remove_oldest_visit();
        self.account(removed.as_ref());
        // Another request may have taken or changed it meanwhile; then there is another place to look, or room already.
        true
    }

    /// Looks for a shard that is due, and takes one step there; says where to go on.
    fn sweep_step(&self, start: usize, is_due: fn(&Shard<T>, u64) -> bool, gone: &mut Gone) -> Option<usize> {
        let end = self.shards.len().min(start + SHARDS_IN_A_ROW);
        for position in start..end {
            let mut shard = self.shard(position);
            let now = self.clock.now();
            if is_due(&shard, now) {
                let mut expired = Vec::new();
                let unfinished = shard.sweep(now, &mut expired);
                if !unfinished {
                    gone.next = gone.next.min(shard.due());
                }
                drop(shard);
                gone.sessions += self.discard(expired);
                return Some(position + usize::from(!unfinished));
            }
            gone.next = gone.next.min(shard.due());
        }
        (end < self.shards.len()).then_some(end)
    }

    /// Drops what was taken out of a shard, outside its lock, and says how many sessions these were. A panic of one's data keeps none of the others.
    fn discard(&self, slots: Vec<Slot<T>>) -> u64 {
        let mut sessions = 0;
        for slot in slots {
            sessions += u64::from(slot.data.is_some());
            self.account(Some(&slot));
            sweeper::survive(|| drop(slot));
        }
        sessions
    }

    fn account(&self, removed: Option<&Slot<T>>) {
        if let Some(slot) = removed
            && slot.has_extra()
        {
            self.tell_owners(slot.name());
        }
        match removed {
            Some(Slot { data: Some(_), .. }) => self.release(1),
            Some(Slot { data: None, .. }) => {
                self.counts.0.marks.fetch_sub(1, Ordering::Relaxed);
            }
            None => {}
        }
    }

    fn release(&self, sessions: usize) {
        self.counts.0.sessions.fetch_sub(sessions, Ordering::Relaxed);
    }

    fn reserve_mark(&self) -> bool {
        let room = |count| (count < self.max_marks).then_some(count + 1);
        self.counts.0.marks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }

    fn expect_expiry(self: &Arc<Self>, due: u64) {
        if self.sweeper.is_later_than(due) {
            sweeper::wake(self, due);
        }
    }
}

/// The session is used, and may live so long from now on.
#[cold]
fn set_lifetime<T>(shard: &mut Shard<T>, position: usize, lifetime: Option<&NewLifetime>, now: u64) {
    let Some(NewLifetime { limits, attributes }) = lifetime else { return shard.renew(position, now) };
    let slot = shard.slot(position);
    let created = slot.version;
    slot.limit(*limits, created);
    let owner = shard.extra_at(position).and_then(|extra| extra.owner);
    let attributes = attributes.clone();
    shard.set_extra(position, (owner.is_some() || attributes.is_some()).then_some(Extra { attributes, owner, used: now }));
    shard.slot(position).renew(now);
    shard.expect(position);
}

/// When its user last proved who they are, of a session that was created then.
fn proven_at(created: u64, attributes: Option<&Attributes>) -> u64 {
    let proven = attributes.and_then(|attributes| attributes.proven);
    created.saturating_add(proven.map_or(0, clock::nanos))
}

/// The session as it is listed, and the time since it was last used.
fn listed<T>(shard: &mut Shard<T>, position: usize, now: u64) -> Option<(Record<T>, Duration)> {
    let (attributes, used) = shard.extra_at(position).map(|extra| (extra.attributes.clone(), extra.used))?;
    let slot = shard.slot(position);
    let data = Arc::clone(slot.data.as_ref()?);
    let absolute_in = (slot.absolute != FOREVER).then(|| Duration::from_nanos(slot.absolute.saturating_sub(now)));
    let expires_in = Duration::from_nanos(slot.expires.saturating_sub(now));
    let age = Duration::from_nanos(now.saturating_sub(slot.version));
    let mut record = Record::new(data, Version(slot.version), clock::duration(slot.idle), expires_in, absolute_in, age);
    record.attributes = attributes;
    Some((record, Duration::from_nanos(now.saturating_sub(used))))
}

impl<T: Send + Sync + 'static> Swept for Inner<T> {
    fn sweeper(&self) -> &Arc<Sweeper> {
        &self.sweeper
    }

    fn instant(&self, time: u64) -> Option<Instant> {
        self.clock.instant(time)
    }

    fn sweep_step(&self, start: usize, gone: &mut Gone) -> Option<usize> {
        self.sweep_step(start, Shard::is_due, gone)
    }
}

impl<T> Inner<T> {
    fn name(&self, key: Key<'_>) -> Name {
        Name::new(key.keyed_hash(&self.secret))
    }

    fn lock(&self, name: Name) -> MutexGuard<'_, Shard<T>> {
        self.shard(name.shard())
    }

    /// The shard at a position, counted around.
    fn shard(&self, position: usize) -> MutexGuard<'_, Shard<T>> {
        let position = position & (self.shards.len() - 1);
        // No user code runs under the lock, so a shard is whole even if its holder panicked (out of memory, say).
        self.shards[position].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shard of the first name, and that of the second if it is another one. The lower is locked first, so that no two
    /// rotations wait for each other.
    #[expect(clippy::inline_always, reason = "nearly every rotation calls it from one place")]
    #[inline(always)]
    fn lock_both(&self, first: Name, second: Name) -> (MutexGuard<'_, Shard<T>>, Option<MutexGuard<'_, Shard<T>>>) {
        let mask = self.shards.len() - 1;
        let (first, second) = (first.shard() & mask, second.shard() & mask);
        if first == second {
            return (self.shard(first), None);
        }
        if first < second {
            let lower = self.shard(first);
            return (lower, Some(self.shard(second)));
        }
        let lower = self.shard(second);
        (self.shard(first), Some(lower))
    }
}

impl<T> Drop for Inner<T> {
    fn drop(&mut self) {
        self.sweeper.end();
    }
}
