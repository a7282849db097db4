//! A shard: a hash table of slots, and those of visits, which were never changed, linked in order of creation.
//!
//! What few sessions have beside what a slot has room for lies beside the table.
//!
//! A slot fills one cache line and lies in the table itself, at the place that its name says or the next free one after it: so
//! an operation waits for one line of the table, where an index beside the slots would make it wait for three.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::clock::{self, FOREVER};
use super::extras::{Extra, Extras};
use super::name::Name;
use crate::store::Limits;

/// The most sessions of a store: a position is 32 bits, and there may be as many marks as sessions.
pub(super) const MAX_SLOTS: usize = (u32::MAX / 2) as usize;

/// The slots that one step of a sweep looks at.
const STEP: usize = 256;

/// The neighbour of the first and of the last slot in the list of visits.
const END: u32 = u32::MAX;
/// The neighbour of a slot that is not in that list.
const UNLISTED: u32 = u32::MAX - 1;
/// The older neighbour of a slot that is not in that list and has something beside it, whose number stands where its newer neighbour would.
const WITH_EXTRA: u32 = u32::MAX - 2;

/// The length of the first table of a shard.
const MIN_LENGTH: usize = 16;

/// The bounds of how long what expired may stay in memory.
const MIN_LINGER: u64 = 250_000_000;
const MAX_LINGER: u64 = 30_000_000_000;

/// A session, the mark of one that was rotated away, or nothing.
#[repr(align(64))]
pub(super) struct Slot<T> {
    name: Name,
    /// The data; a mark has none.
    pub(super) data: Option<Arc<T>>,
    /// The instant of creation, and 1 more for each change: a session cannot be changed once a nanosecond, so that this tells both, and
    /// the slot has no place for two.
    pub(super) version: u64,
    /// The idle limit.
    pub(super) idle: u64,
    /// The instant of expiry; 0 where there is nothing.
    pub(super) expires: u64,
    /// The instant of the absolute limit.
    pub(super) absolute: u64,
    older: u32,
    newer: u32,
}

impl<T> Slot<T> {
    const VACANT: Self =
        Self { name: Name([0; 2]), data: None, version: 0, idle: 0, expires: 0, absolute: 0, older: UNLISTED, newer: UNLISTED };

    pub(super) const fn name(&self) -> Name {
        self.name
    }

    /// It has an [`Extra`].
    pub(super) const fn has_extra(&self) -> bool {
        self.older == WITH_EXTRA
    }

    const fn is_vacant(&self) -> bool {
        self.expires == 0
    }

    /// A new session, with a version that its [shard gives](Shard::next_version).
    pub(super) fn session(name: Name, data: Arc<T>, version: u64, now: u64, idle: Duration, absolute: Option<Duration>) -> Self {
        let absolute = absolute_end(now, absolute);
        let mut slot = Self {
            name,
            data: Some(data),
            version,
            idle: clock::nanos(idle),
            expires: 0,
            absolute,
            older: UNLISTED,
            newer: UNLISTED,
        };
        slot.renew(now);
        slot
    }

    /// The session was created at `created`, and has these limits from now on.
    pub(super) fn limit(&mut self, limits: Limits, created: u64) {
        self.idle = clock::nanos(limits.idle);
        self.absolute = absolute_end(created, limits.absolute);
    }

    /// This session under its new name. The slot itself is left without one, to become a mark or to be removed.
    pub(super) fn moved_to(&self, name: Name, data: Arc<T>, now: u64) -> Self {
        let mut moved = Self { name, data: Some(data), version: self.version + 1, older: UNLISTED, newer: UNLISTED, ..*self };
        moved.renew(now);
        moved
    }

    pub(super) fn renew(&mut self, now: u64) {
        self.expires = now.saturating_add(self.idle).min(self.absolute).max(1);
    }

    /// When it is time to sweep the slot out, if it is not renewed.
    pub(super) fn due(&self) -> u64 {
        self.expires.saturating_add((self.idle / 8).clamp(MIN_LINGER, MAX_LINGER))
    }
}

fn absolute_end(created: u64, limit: Option<Duration>) -> u64 {
    limit.map_or(FOREVER, |limit| created.saturating_add(clock::nanos(limit)).min(FOREVER - 1))
}

pub(super) struct Shard<T> {
    /// The table, at most three quarters full.
    slots: Vec<Slot<T>>,
    /// The slots that are not vacant.
    filled: usize,
    /// The ends of the list of visits.
    oldest: u32,
    newest: u32,
    /// No slot expires before this, unless a sweep is under way.
    earliest: u64,
    /// No slot is due before this, unless a sweep is under way.
    due: u64,
    /// The slots that the sweep under way has yet to look at; 0 between sweeps.
    unswept: usize,
    /// The highest version of a session that is or was here.
    highest: u64,
    beside: Box<Beside>,
}

/// What lies beside the table.
#[derive(Default)]
struct Beside {
    extras: Extras,
    /// Those of sessions that are gone and whose owners do not know it yet.
    left: Vec<(Name, Extra)>,
}

impl Beside {
    #[cold]
    fn leave(&mut self, name: Name, number: u32) {
        if let Some(extra) = self.extras.remove(number) {
            self.left.push((name, extra));
        }
    }
}

impl<T> Default for Shard<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            filled: 0,
            oldest: END,
            newest: END,
            earliest: FOREVER,
            due: FOREVER,
            unswept: 0,
            highest: 0,
            beside: Box::default(),
        }
    }
}

impl<T> Shard<T> {
    /// The session or mark of a name, unless it is expired.
    pub(super) fn present(&self, name: Name, now: u64) -> Option<&Slot<T>> {
        self.find(name).map(|position| &self.slots[position]).filter(|slot| now < slot.expires)
    }

    pub(super) fn is_taken(&self, name: Name, now: u64) -> bool {
        self.present(name, now).is_some()
    }

    /// The position of a name's session, unless it is expired. It is good until something is inserted or removed.
    pub(super) fn find_session(&self, name: Name, now: u64) -> Option<usize> {
        self.find(name).filter(|&position| {
            let slot = &self.slots[position];
            slot.data.is_some() && now < slot.expires
        })
    }

    pub(super) fn slot(&mut self, position: usize) -> &mut Slot<T> {
        &mut self.slots[position]
    }

    pub(super) fn extra_at(&self, position: usize) -> Option<&Extra> {
        self.extra(&self.slots[position])
    }

    pub(super) fn extra(&self, slot: &Slot<T>) -> Option<&Extra> {
        if slot.has_extra() { self.beside.extras.get(slot.newer) } else { None }
    }

    /// Gives a session something beside its slot, or takes it.
    pub(super) fn set_extra(&mut self, position: usize, extra: Option<Extra>) {
        self.unlist(position);
        drop(self.take_extra(position));
        if let Some(extra) = extra {
            let slot = &mut self.slots[position];
            (slot.older, slot.newer) = (WITH_EXTRA, self.beside.extras.insert(extra));
        }
    }

    /// Takes what a session has beside its slot.
    pub(super) fn take_extra(&mut self, position: usize) -> Option<Extra> {
        let slot = &mut self.slots[position];
        if !slot.has_extra() {
            return None;
        }
        let number = slot.newer;
        (slot.older, slot.newer) = (UNLISTED, UNLISTED);
        self.beside.extras.remove(number)
    }

    /// What sessions had that are gone.
    pub(super) fn take_left(&mut self) -> Vec<(Name, Extra)> {
        mem::take(&mut self.beside.left)
    }

    /// The session is used.
    pub(super) fn renew(&mut self, position: usize, now: u64) {
        let slot = &mut self.slots[position];
        slot.renew(now);
        if slot.has_extra()
            && let Some(extra) = self.beside.extras.get_mut(slot.newer)
        {
            extra.used = now;
        }
    }

    /// Puts a slot under its name, and gives back what expired there.
    ///
    /// # Errors
    ///
    /// The slot itself, where its name is taken.
    pub(super) fn insert(&mut self, slot: Slot<T>, now: u64) -> Result<Option<Slot<T>>, Slot<T>> {
        self.put(slot, now).map(|(_, removed)| removed)
    }

    /// The same for one with something beside its slot.
    pub(super) fn insert_with(&mut self, slot: Slot<T>, extra: Option<Extra>, now: u64) -> Result<Option<Slot<T>>, Slot<T>> {
        let (position, removed) = self.put(slot, now)?;
        self.set_extra(position, extra);
        Ok(removed)
    }

    /// The version of a session that is created now. No session here ever had it or a higher one: so no change that was meant for one
    /// that is gone fits its successor under the same name, and those of visits are in the order of creation.
    pub(super) fn next_version(&mut self, now: u64) -> u64 {
        self.highest = now.max(self.highest + 1);
        self.highest
    }

    /// A change has given this version to a session that is here or comes here.
    pub(super) fn has_given(&mut self, version: u64) {
        self.highest = self.highest.max(version);
    }

    /// The same for a session that only a visit created, the newest of those.
    pub(super) fn insert_visit(&mut self, slot: Slot<T>, now: u64) -> Result<Option<Slot<T>>, Slot<T>> {
        let (position, removed) = self.put(slot, now)?;
        self.list(position);
        Ok(removed)
    }

    fn put(&mut self, slot: Slot<T>, now: u64) -> Result<(usize, Option<Slot<T>>), Slot<T>> {
        if 4 * (self.filled + 1) > 3 * self.slots.len() {
            self.resize((2 * self.slots.len()).max(MIN_LENGTH));
        }
        let position = self.room_for(slot.name);
        let there = &self.slots[position];
        if now < there.expires {
            return Err(slot);
        }
        let removed = if there.is_vacant() {
            self.filled += 1;
            None
        } else {
            Some(self.take(position))
        };
        self.expect_new(&slot);
        self.slots[position] = slot;
        Ok((position, removed))
    }

    /// Turns a session that has nothing beside its slot any more into the mark that it was rotated away, and gives back its data.
    #[expect(clippy::inline_always, reason = "nearly every rotation calls it from one place")]
    #[inline(always)]
    pub(super) fn leave_mark(&mut self, position: usize, expires: u64) -> Option<Arc<T>> {
        self.unlist(position);
        let mark = Slot { name: self.slots[position].name, expires, absolute: expires, ..Slot::VACANT };
        self.expect_new(&mark);
        mem::replace(&mut self.slots[position], mark).data
    }

    pub(super) fn remove(&mut self, position: usize) -> Slot<T> {
        let removed = self.take(position);
        self.filled -= 1;
        self.close_gap(position);
        removed
    }

    /// Takes out what is in a slot, which is vacant then.
    fn take(&mut self, position: usize) -> Slot<T> {
        self.unlist(position);
        let slot = mem::replace(&mut self.slots[position], Slot::VACANT);
        if slot.has_extra() {
            self.beside.leave(slot.name, slot.newer);
        }
        slot
    }

    /// Moves up what stands behind a gap for want of a place before it, so that a search may end at a vacant slot.
    fn close_gap(&mut self, mut gap: usize) {
        let length = self.slots.len();
        for position in gap + 1..length {
            let slot = &self.slots[position];
            if slot.is_vacant() {
                break;
            }
            if slot.name.home(length) <= gap {
                self.slots.swap(gap, position);
                self.relink(gap);
                gap = position;
            }
        }
    }

    /// Tells its neighbours in the list where a slot that moved is now.
    fn relink(&mut self, position: usize) {
        let slot = &self.slots[position];
        let (older, newer) = (slot.older, slot.newer);
        if !matches!(older, UNLISTED | WITH_EXTRA) {
            self.link(older, link_to(position));
            self.link(link_to(position), newer);
        }
    }

    /// Makes a table of this length, which must have room for all.
    fn resize(&mut self, length: usize) {
        let mut before = mem::take(&mut self.slots);
        self.slots.resize_with(length, || Slot::VACANT);
        let mut next = mem::replace(&mut self.oldest, END);
        self.newest = END;
        while let Some(listed) = before.get_mut(next as usize) {
            let slot = mem::replace(listed, Slot::VACANT);
            next = slot.newer;
            let position = self.settle(slot);
            self.list(position);
        }
        for slot in before.into_iter().filter(|slot| !slot.is_vacant()) {
            self.settle(slot);
        }
        if self.unswept > 0 {
            self.unswept = self.slots.len();
        }
    }

    fn settle(&mut self, slot: Slot<T>) -> usize {
        let position = self.room_for(slot.name);
        self.slots[position] = slot;
        position
    }

    /// The position of a name, or of the vacant slot that it gets, for which the table grows if it must.
    fn room_for(&mut self, name: Name) -> usize {
        loop {
            if let Some(position) = self.search(name) {
                return position;
            }
            self.resize(2 * self.slots.len());
        }
    }

    /// Enters the newest session of all in the list of visits.
    fn list(&mut self, position: usize) {
        self.link(self.newest, link_to(position));
        self.link(link_to(position), END);
    }

    /// Takes a slot off the list of visits, if it is there.
    pub(super) fn unlist(&mut self, position: usize) {
        let slot = self.slot(position);
        let (older, newer) = (slot.older, slot.newer);
        if matches!(older, UNLISTED | WITH_EXTRA) {
            return;
        }
        (slot.older, slot.newer) = (UNLISTED, UNLISTED);
        self.link(older, newer);
    }

    /// Makes two slots neighbours in the list, either of which may be its end.
    fn link(&mut self, older: u32, newer: u32) {
        match older {
            END => self.oldest = newer,
            older => self.slot(older as usize).newer = newer,
        }
        match newer {
            END => self.newest = older,
            newer => self.slot(newer as usize).older = older,
        }
    }

    /// When the oldest session was created that only a visit created.
    pub(super) fn oldest_visit(&self) -> Option<u64> {
        self.slots.get(self.oldest as usize).map(|slot| slot.version)
    }

    pub(super) fn remove_oldest_visit(&mut self) -> Option<Slot<T>> {
        (self.oldest != END).then(|| self.remove(self.oldest as usize))
    }

    /// Whether something may have expired.
    pub(super) fn expects_expired(&self, now: u64) -> bool {
        self.unswept > 0 || self.earliest <= now
    }

    /// Whether it is time for a sweep.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.unswept > 0 || self.due <= now
    }

    /// When it will be time for a sweep.
    pub(super) const fn due(&self) -> u64 {
        self.due
    }

    /// Looks at the next few slots, from the last to the first, and moves what expired into `expired`; `true` while there are
    /// more to look at. Slots that move meanwhile move towards those that are still to be looked at.
    pub(super) fn sweep(&mut self, now: u64, expired: &mut Vec<Slot<T>>) -> bool {
        if self.unswept == 0 {
            (self.unswept, self.earliest, self.due) = (self.slots.len(), FOREVER, FOREVER);
        }
        let end = self.unswept;
        let start = end.saturating_sub(STEP);
        for position in (start..end).rev() {
            let slot = &self.slots[position];
            if slot.is_vacant() {
                continue;
            }
            if slot.expires <= now {
                expired.push(self.remove(position));
            } else {
                self.earliest = self.earliest.min(slot.expires);
                self.due = self.due.min(slot.due());
            }
        }
        self.unswept = start;
        if start == 0 {
            self.give_memory_back();
        }
        start > 0
    }

    /// Notes when a slot expires whose end has come closer.
    pub(super) fn expect(&mut self, position: usize) {
        let slot = &self.slots[position];
        (self.earliest, self.due) = (self.earliest.min(slot.expires), self.due.min(slot.due()));
    }

    /// Notes when a slot expires that is about to be filled.
    fn expect_new(&mut self, slot: &Slot<T>) {
        self.earliest = self.earliest.min(slot.expires);
        self.due = self.due.min(slot.due());
    }

    fn give_memory_back(&mut self) {
        if self.filled == 0 {
            self.slots = Vec::new();
        } else if self.slots.len() > 4 * (self.filled + MIN_LENGTH) {
            self.resize(2 * self.filled + MIN_LENGTH);
        }
    }

    fn find(&self, name: Name) -> Option<usize> {
        self.search(name).filter(|&position| !self.slots[position].is_vacant())
    }

    /// The position of a name, or else of the vacant slot that it would get; none where the table ends before either.
    fn search(&self, name: Name) -> Option<usize> {
        let home = name.home(self.slots.len());
        let found = self.slots.get(home..)?.iter().position(|slot| slot.name == name || slot.is_vacant())?;
        Some(home + found)
    }
}

/// A position as the list of visits keeps it.
#[expect(clippy::cast_possible_truncation, reason = "a shard holds a small part of the slots, of which 32 bits count all")]
const fn link_to(position: usize) -> u32 {
    position as u32
}

#[cfg(test)]
impl<T> Shard<T> {
    pub(super) fn len(&self) -> usize {
        self.filled
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn assert_whole(&self) {
        let (mut listed, mut older, mut created) = (0, END, None);
        let mut next = self.oldest;
        while next != END {
            let slot = &self.slots[next as usize];
            assert!(slot.older == older && slot.data.is_some() && created < Some(slot.version));
            (listed, older, created, next) = (listed + 1, next, Some(slot.version), slot.newer);
        }
        assert_eq!(self.newest, older);
        assert_eq!(listed, self.slots.iter().filter(|slot| !matches!(slot.older, UNLISTED | WITH_EXTRA)).count());
        assert_eq!(self.beside.extras.len(), self.slots.iter().filter(|slot| slot.has_extra()).count());
        assert!(self.beside.left.is_empty());
        assert_eq!(self.filled, self.slots.iter().filter(|slot| !slot.is_vacant()).count());
        for (position, slot) in self.slots.iter().enumerate().filter(|(_, slot)| !slot.is_vacant()) {
            assert_eq!(self.find(slot.name), Some(position));
            assert!(self.unswept > 0 || (self.earliest <= slot.expires && self.due <= slot.due()));
        }
    }
}
