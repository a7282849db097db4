//! Which sessions an owner has.
//!
//! 1. Of the sessions that are there none is missing here. What is here and not there any more, because it has expired for example, is seen by
//!    looking there; it is taken out when the session leaves memory.
//! 2. The locks of this index are the innermost: they are taken while a shard of sessions is locked, and none is locked under them.
//! 3. To end a session, its entry is marked first. A rotation that finds the mark moves nothing. So whoever ends a session finds it under the name that
//!    the entry has, whatever was under way.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::slice;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::name::{IsHash, Name, OwnerHash};
use super::padded::Padded;
use crate::config::WhenFull;
use crate::store::{OwnerLimit, SessionHandle, Which};

/// A session in the list of its owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) handle: SessionHandle,
    /// When its user last proved who they are, by the store's clock.
    pub(super) proven: u64,
    /// Somebody ends it.
    pub(super) is_ending: bool,
}

/// What became of a session that was to enter an owner's list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// It is there, and these are to be ended for it.
    Ending(Vec<Entry>),
    /// The owner has as many as allowed.
    TooMany,
}

type Lists = HashMap<OwnerHash, List, BuildHasherDefault<IsHash>>;

/// The sessions of an owner, who has one as a rule.
enum List {
    One(Entry),
    Many(Vec<Entry>),
}

pub(super) struct Owners(Box<[Padded<Mutex<Lists>>]>);

/// As many as there are shards in the smallest store.
const PARTS: usize = 64;

impl Default for Owners {
    fn default() -> Self {
        Self((0..PARTS).map(|_| Padded::default()).collect())
    }
}

impl Owners {
    fn lists(&self, owner: OwnerHash) -> MutexGuard<'_, Lists> {
        self.0[Self::part(owner)].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    const fn part(owner: OwnerHash) -> usize {
        owner.part() % PARTS
    }

    /// The sessions of an owner.
    pub(super) fn entries(&self, owner: OwnerHash) -> Vec<Entry> {
        self.lists(owner).get(&owner).map(|list| list.entries().to_vec()).unwrap_or_default()
    }

    /// The session of an owner that has this handle, unless somebody ends it.
    pub(super) fn entry(&self, owner: OwnerHash, handle: SessionHandle) -> Option<Entry> {
        let lists = self.lists(owner);
        lists.get(&owner)?.entries().iter().find(|entry| entry.handle == handle && !entry.is_ending).copied()
    }

    pub(super) fn enter(&self, owner: OwnerHash, entry: Entry, limit: Option<OwnerLimit>) -> Entered {
        enter(&mut self.lists(owner), owner, entry, limit)
    }

    /// The session of an owner goes by a new name; `false` if somebody ends it.
    pub(super) fn rename(&self, owner: OwnerHash, entry: Entry) -> bool {
        match find(&mut self.lists(owner), owner, entry.handle) {
            Some(known) if known.is_ending => false,
            Some(known) => {
                *known = entry;
                true
            }
            None => true,
        }
    }

    /// The session leaves one owner's list and enters another's; `None` if somebody ends it.
    pub(super) fn hand_over(
        &self,
        (from, left): (OwnerHash, SessionHandle),
        (to, entry): (OwnerHash, Entry),
        limit: Option<OwnerLimit>,
    ) -> Option<Entered> {
        let (mut giving, mut other) = self.lists_of_both(from, to);
        if find(&mut giving, from, left).is_some_and(|known| known.is_ending) {
            return None;
        }
        let entered = enter(other.as_mut().unwrap_or(&mut giving), to, entry, limit);
        if entered != Entered::TooMany {
            remove(&mut giving, from, |known| known.handle == left);
        }
        Some(entered)
    }

    /// The session leaves its owner's list and belongs to nobody; `false` if somebody ends it.
    pub(super) fn leave(&self, owner: OwnerHash, handle: SessionHandle) -> bool {
        let mut lists = self.lists(owner);
        if find(&mut lists, owner, handle).is_some_and(|known| known.is_ending) {
            return false;
        }
        remove(&mut lists, owner, |known| known.handle == handle);
        true
    }

    /// Marks sessions of an owner, which are to be ended now.
    pub(super) fn begin_to_end(&self, owner: OwnerHash, which: Which) -> Vec<Entry> {
        let mut lists = self.lists(owner);
        let entries = lists.get_mut(&owner).into_iter().flat_map(List::entries_mut);
        entries
            .filter(|entry| which.has(entry.handle))
            .map(|entry| {
                entry.is_ending = true;
                *entry
            })
            .collect()
    }

    /// The session that went by this name is gone.
    pub(super) fn remove(&self, owner: OwnerHash, handle: SessionHandle, name: Name) {
        remove(&mut self.lists(owner), owner, |known| known.handle == handle && known.name == name);
    }

    /// These sessions are gone.
    pub(super) fn remove_all(&self, owner: OwnerHash, mut entries: Vec<Entry>) {
        entries.sort_unstable_by_key(|entry| entry.handle);
        let is_one = |known: &Entry| {
            let found = entries.binary_search_by_key(&known.handle, |entry| entry.handle);
            found.is_ok_and(|at| entries[at].name == known.name)
        };
        remove(&mut self.lists(owner), owner, is_one);
    }

    /// The lists of both, those of the lower part locked first.
    fn lists_of_both(&self, one: OwnerHash, other: OwnerHash) -> (MutexGuard<'_, Lists>, Option<MutexGuard<'_, Lists>>) {
        if Self::part(one) == Self::part(other) {
            return (self.lists(one), None);
        }
        if Self::part(one) < Self::part(other) {
            let lower = self.lists(one);
            return (lower, Some(self.lists(other)));
        }
        let lower = self.lists(other);
        (self.lists(one), Some(lower))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|lists| lists.0.lock().unwrap().values().map(|list| list.entries().len()).sum::<usize>()).sum()
    }
}

fn find(lists: &mut Lists, owner: OwnerHash, handle: SessionHandle) -> Option<&mut Entry> {
    lists.get_mut(&owner)?.entries_mut().iter_mut().find(|entry| entry.handle == handle)
}

fn enter(lists: &mut Lists, owner: OwnerHash, entry: Entry, limit: Option<OwnerLimit>) -> Entered {
    let entries = lists.get_mut(&owner).map(List::entries_mut).unwrap_or_default();
    let mut ending = Vec::new();
    if let Some(OwnerLimit { sessions, when_full, .. }) = limit {
        let most = usize::try_from(sessions.get()).unwrap_or(usize::MAX);
        let count = entries.iter().filter(|entry| !entry.is_ending).count();
        let surplus = (count + 1).saturating_sub(most);
        if surplus > 0 && when_full == WhenFull::Refuse {
            return Entered::TooMany;
        }
        for _ in 0..surplus {
            let oldest = entries.iter_mut().filter(|entry| !entry.is_ending).min_by_key(|entry| entry.proven);
            if let Some(oldest) = oldest {
                oldest.is_ending = true;
                ending.push(*oldest);
            }
        }
    }
    lists.entry(owner).and_modify(|list| list.push(entry)).or_insert(List::One(entry));
    Entered::Ending(ending)
}

fn remove(lists: &mut Lists, owner: OwnerHash, is_it: impl Fn(&Entry) -> bool) {
    if lists.get_mut(&owner).is_some_and(|list| !list.keep(|entry| !is_it(entry))) {
        lists.remove(&owner);
    }
}

impl List {
    fn entries(&self) -> &[Entry] {
        match self {
            Self::One(entry) => slice::from_ref(entry),
            Self::Many(entries) => entries,
        }
    }

    fn entries_mut(&mut self) -> &mut [Entry] {
        match self {
            Self::One(entry) => slice::from_mut(entry),
            Self::Many(entries) => entries,
        }
    }

    fn push(&mut self, entry: Entry) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, entry]),
            Self::Many(entries) => entries.push(entry),
        }
    }

    /// Keeps some of them; whether any are left.
    fn keep(&mut self, is_kept: impl Fn(&Entry) -> bool) -> bool {
        match self {
            Self::One(entry) => is_kept(entry),
            Self::Many(entries) => {
                entries.retain(is_kept);
                if entries.capacity() > 4 * entries.len() {
                    entries.shrink_to(2 * entries.len());
                }
                match entries[..] {
                    [] => false,
                    [entry] => {
                        *self = Self::One(entry);
                        true
                    }
                    _ => true,
                }
            }
        }
    }
}
