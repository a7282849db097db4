//! One lock for each session, for as long as somebody has it or waits for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::row::Place;

/// The locks that are in use: as many as there are changes under way, however many sessions there are.
#[derive(Default)]
pub(super) struct Locks {
    in_use: Mutex<HashMap<i128, Arc<tokio::sync::Mutex<()>>>>,
}

/// The lock of a session, or those of two, until it is dropped.
pub(super) struct Guard {
    /// Never read: it is there to be dropped.
    _held: Vec<Held>,
}

struct Held {
    locks: Arc<Locks>,
    key: i128,
    lock: Option<OwnedMutexGuard<()>>,
}

impl Locks {
    pub(super) async fn lock(self: &Arc<Self>, place: Place) -> Guard {
        Guard { _held: vec![self.take(place.id().0).await] }
    }

    /// The locks of two sessions, always in the same order, so that nobody waits for somebody who waits for him.
    pub(super) async fn lock_two(self: &Arc<Self>, one: Place, other: Place) -> Guard {
        let (one, other) = (one.id().0, other.id().0);
        let mut held = vec![self.take(one.min(other)).await];
        if one != other {
            held.push(self.take(one.max(other)).await);
        }
        Guard { _held: held }
    }

    async fn take(self: &Arc<Self>, key: i128) -> Held {
        let lock = Arc::clone(self.in_use().entry(key).or_default());
        // There before the wait, so that one who gives up waiting leaves nothing behind.
        let mut held = Held { locks: Arc::clone(self), key, lock: None };
        held.lock = Some(lock.lock_owned().await);
        held
    }

    fn in_use(&self) -> MutexGuard<'_, HashMap<i128, Arc<tokio::sync::Mutex<()>>>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.lock.take());
        if let Entry::Occupied(entry) = self.locks.in_use().entry(self.key)
            && Arc::strong_count(entry.get()) == 1
        {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_lock_is_had_by_one_at_a_time_and_leaves_nothing_behind() {
        let locks = Arc::new(Locks::default());
        let first = locks.take(1).await;
        let _other = locks.take(2).await;
        let waits = tokio::time::timeout(Duration::from_millis(10), locks.take(1)).await;
        assert!(waits.is_err());
        let waiting = tokio::spawn({
            let locks = Arc::clone(&locks);
            async move { drop(locks.take(1).await) }
        });
        tokio::task::yield_now().await;
        drop(first);
        waiting.await.unwrap();
        assert_eq!(locks.in_use().len(), 1);
    }

    #[tokio::test]
    async fn one_who_gives_up_last_leaves_nothing_behind() {
        let locks = Arc::new(Locks::default());
        let first = locks.take(1).await;
        let mut waiting = Box::pin(locks.take(1));
        assert!(futures_are_pending(&mut waiting).await);
        drop(first);
        drop(waiting);
        assert!(locks.in_use().is_empty());
    }

    async fn futures_are_pending<F: Future + Unpin>(future: &mut F) -> bool {
        tokio::time::timeout(Duration::from_millis(1), future).await.is_err()
    }
}
