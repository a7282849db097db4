//! One lock for each session, for as long as somebody has it or waits for it: readers share it, whoever changes the session has it
//! alone. Who waits is served in turn. What goes from one to the next lies in the lock.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

/// The locks that are in use: at most as many as there are calls under way, however many sessions there are.
pub(crate) struct Locks<K, V = ()> {
    in_use: Mutex<InUse<K, V>>,
    /// How many there are, to be seen without the mutex.
    count: AtomicUsize,
}

/// The locks, each with the number of its places.
type InUse<K, V> = HashMap<K, (usize, Arc<Lock<V>>)>;

/// The shares that a lock has: those who read take one each, who changes the session takes them all.
pub(crate) const ALL: u32 = 1 << 20;

struct Lock<V> {
    shares: Semaphore,
    value: Mutex<V>,
}

/// A place in the line for a lock, and then shares of it, until it is dropped.
pub(crate) struct Place<K: Copy + Eq + Hash, V = ()> {
    locks: Arc<Locks<K, V>>,
    key: K,
    lock: Arc<Lock<V>>,
    has: AtomicU32,
}

impl<K, V> Default for Locks<K, V> {
    fn default() -> Self {
        Self { in_use: Mutex::default(), count: AtomicUsize::new(0) }
    }
}

impl<K: Copy + Eq + Hash, V: Default> Locks<K, V> {
    /// Gets the lock of `key` ready to be [taken](Place::take).
    pub(crate) fn place(self: &Arc<Self>, key: K) -> Place<K, V> {
        let mut in_use = self.in_use();
        let new = || Arc::new(Lock { shares: Semaphore::new(ALL as usize), value: Mutex::default() });
        let (places, lock) = in_use.entry(key).or_insert_with(|| (0, new()));
        *places += 1;
        let lock = Arc::clone(lock);
        self.count.store(in_use.len(), Ordering::Relaxed);
        Place { locks: Arc::clone(self), key, lock, has: AtomicU32::new(0) }
    }
}

impl<K: Copy + Eq + Hash, V> Locks<K, V> {
    /// Whether somebody has the lock of `key`, or waits for it.
    pub(crate) fn is_in_use(&self, key: impl FnOnce() -> K) -> bool {
        self.count.load(Ordering::Relaxed) > 0 && self.in_use().contains_key(&key())
    }

    fn in_use(&self) -> MutexGuard<'_, InUse<K, V>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash, V> Place<K, V> {
    /// Waits for that many shares of the lock.
    pub(crate) async fn take(&self, shares: u32) {
        // It is never closed.
        if let Ok(permit) = self.lock.shares.acquire_many(shares).await {
            permit.forget();
            self.has.store(shares, Ordering::Relaxed);
        }
    }

    /// What lies in the lock, for those who wait for it too.
    pub(crate) fn value(&self) -> MutexGuard<'_, V> {
        self.lock.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash, V> Drop for Place<K, V> {
    fn drop(&mut self) {
        self.lock.shares.add_permits(self.has.load(Ordering::Relaxed) as usize);
        let mut in_use = self.locks.in_use();
        if let Entry::Occupied(mut entry) = in_use.entry(self.key) {
            entry.get_mut().0 -= 1;
            if entry.get().0 == 0 {
                entry.remove();
            }
        }
        self.locks.count.store(in_use.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn taken(locks: &Arc<Locks<u64>>, key: u64, shares: u32) -> Place<u64> {
        let place = locks.place(key);
        place.take(shares).await;
        place
    }

    #[tokio::test]
    async fn a_lock_is_had_by_one_at_a_time_and_leaves_nothing_behind() {
        let locks = Arc::new(Locks::<u64>::default());
        let first = taken(&locks, 1, ALL).await;
        let _other = taken(&locks, 2, ALL).await;
        let waits = tokio::time::timeout(Duration::from_millis(10), taken(&locks, 1, ALL)).await;
        assert!(waits.is_err());
        let waiting = tokio::spawn({
            let locks = Arc::clone(&locks);
            async move { drop(taken(&locks, 1, ALL).await) }
        });
        tokio::task::yield_now().await;
        drop(first);
        waiting.await.unwrap();
        assert_eq!(locks.in_use().len(), 1);
    }

    #[tokio::test]
    async fn readers_share_a_lock_and_wait_for_who_has_it_alone() {
        let locks = Arc::new(Locks::<u64>::default());
        let (first, second) = (taken(&locks, 1, 1).await, taken(&locks, 1, 1).await);
        let mut alone = Box::pin(taken(&locks, 1, ALL));
        assert!(futures_are_pending(&mut alone).await);
        let mut third = Box::pin(taken(&locks, 1, 1));
        assert!(futures_are_pending(&mut third).await, "in turn, else a session that is read all the time never changes");
        drop((first, second));
        drop(alone.await);
        drop(third.await);
        assert!(locks.in_use().is_empty());
    }

    #[test]
    fn those_who_leave_at_the_same_time_leave_nothing_behind() {
        let locks = Arc::new(Locks::<u64>::default());
        for _ in 0..20 {
            let places: [Vec<_>; 2] = std::array::from_fn(|_| (0..10_000).map(|key| locks.place(key)).collect());
            std::thread::scope(|scope| places.into_iter().for_each(|places| drop(scope.spawn(|| drop(places)))));
            assert!(locks.in_use().is_empty());
        }
    }

    #[tokio::test]
    async fn one_who_gives_up_last_leaves_nothing_behind() {
        let locks = Arc::new(Locks::<u64>::default());
        let first = taken(&locks, 1, ALL).await;
        let mut waiting = Box::pin(taken(&locks, 1, ALL));
        assert!(futures_are_pending(&mut waiting).await);
        drop(first);
        drop(waiting);
        assert!(locks.in_use().is_empty());
    }

    async fn futures_are_pending<F: Future + Unpin>(future: &mut F) -> bool {
        tokio::time::timeout(Duration::from_millis(1), future).await.is_err()
    }
}
