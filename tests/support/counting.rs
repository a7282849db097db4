//! A store that counts what is asked of it, and can be told to fail.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use session_runtime::store::{
    Change, Created, Key, Listed, Loaded, NewSession, Owner, Replaced, Rotated, Rotation, SessionHandle, Store, StoreError,
    Version, Which,
};

/// Wraps a store, shared among clones.
pub struct Counting<S> {
    pub store: Arc<S>,
    calls: Arc<Mutex<Vec<&'static str>>>,
    down: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
    unreadable: Arc<AtomicBool>,
    /// Tells its errors from those of others: the log has a line a second for each.
    number: u32,
}

impl<S> Clone for Counting<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            calls: Arc::clone(&self.calls),
            down: Arc::clone(&self.down),
            silent: Arc::clone(&self.silent),
            unreadable: Arc::clone(&self.unreadable),
            number: self.number,
        }
    }
}

impl<S> Counting<S> {
    pub fn new(store: S) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        Self {
            store: Arc::new(store),
            calls: Arc::default(),
            down: Arc::default(),
            silent: Arc::default(),
            unreadable: Arc::default(),
            number: NEXT.fetch_add(1, Ordering::SeqCst),
        }
    }

    /// The calls since the last time this was asked.
    pub fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Every call fails from now on, or works again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// No call is ever answered from now on, or they are again. Not for a store that says that it never waits.
    pub fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    /// The data of what is stored cannot be read from now on, as if a program with another type had written it, or can again.
    pub fn set_unreadable(&self, unreadable: bool) {
        self.unreadable.store(unreadable, Ordering::SeqCst);
    }

    /// What stands before a call.
    async fn begin(&self, name: &'static str) -> Result<(), StoreError> {
        self.calls.lock().unwrap().push(name);
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable(format!("store {} is down", self.number)));
        }
        if self.silent.load(Ordering::SeqCst) {
            std::future::pending().await
        }
        Ok(())
    }
}

impl<S> fmt::Debug for Counting<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counting")
    }
}

impl<T: Send + Sync + 'static, S: Store<T>> Store<T> for Counting<S> {
    const IMMEDIATE: bool = S::IMMEDIATE;

    async fn create(&self, key: Key<'_>, session: NewSession<T>) -> Result<Created, StoreError> {
        self.begin("create").await?;
        self.store.create(key, session).await
    }

    async fn load(&self, key: Key<'_>) -> Result<Loaded<T>, StoreError> {
        self.begin("load").await?;
        Ok(match self.store.load(key).await? {
            Loaded::Found(_) if self.unreadable.load(Ordering::SeqCst) => {
                Loaded::Undecodable(StoreError::data(format!("what store {} holds cannot be read", self.number)))
            }
            loaded => loaded,
        })
    }

    async fn replace(&self, key: Key<'_>, expected: Version, change: Change<T>) -> Result<Replaced, StoreError> {
        self.begin("replace").await?;
        self.store.replace(key, expected, change).await
    }

    async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.begin("touch").await?;
        self.store.touch(key).await
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, session: Rotation<T>) -> Result<Rotated, StoreError> {
        self.begin("rotate").await?;
        self.store.rotate(old, new, session).await
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.begin("delete").await?;
        self.store.delete(key).await
    }

    fn keeps_owners(&self) -> bool {
        self.store.keeps_owners()
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Listed<T>>, StoreError> {
        self.begin("list").await?;
        self.store.list(owner).await
    }

    async fn end(&self, owner: &Owner, which: Which) -> Result<u64, StoreError> {
        self.begin("end").await?;
        self.store.end(owner, which).await
    }

    async fn replace_listed(
        &self,
        owner: &Owner,
        handle: SessionHandle,
        expected: Version,
        change: Change<T>,
    ) -> Result<Replaced, StoreError> {
        self.begin("replace_listed").await?;
        self.store.replace_listed(owner, handle, expected, change).await
    }

    async fn count(&self, owner: &Owner) -> Result<u64, StoreError> {
        self.begin("count").await?;
        self.store.count(owner).await
    }

    async fn sweep(&self) -> Result<u64, StoreError> {
        self.store.sweep().await
    }
}
