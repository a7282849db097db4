//! A store that counts what is asked of it, and can be told to fail.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use session_runtime::MaybeReady;
use session_runtime::store::{
    Created, Key, Loaded, NewSession, Record, Replaced, Rotated, Store, StoreError, StoreFuture, Version,
};

/// Wraps a store, shared among clones.
pub struct Counting<S> {
    pub store: Arc<S>,
    calls: Arc<Mutex<Vec<&'static str>>>,
    down: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
}

impl<S> Clone for Counting<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            calls: Arc::clone(&self.calls),
            down: Arc::clone(&self.down),
            silent: Arc::clone(&self.silent),
        }
    }
}

impl<S> Counting<S> {
    pub fn new(store: S) -> Self {
        Self { store: Arc::new(store), calls: Arc::default(), down: Arc::default(), silent: Arc::default() }
    }

    /// The calls since the last time this was asked.
    pub fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Every call fails from now on, or works again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// No call is ever answered from now on, or they are again.
    pub fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    fn count<'a, R: Send + 'a>(&self, name: &'static str, call: impl FnOnce() -> StoreFuture<'a, R>) -> StoreFuture<'a, R> {
        self.calls.lock().unwrap().push(name);
        if self.down.load(Ordering::SeqCst) {
            return MaybeReady::ready(Err(StoreError::unavailable("the store is down")));
        }
        if self.silent.load(Ordering::SeqCst) {
            return MaybeReady::boxed(std::future::pending());
        }
        call()
    }
}

impl<S> fmt::Debug for Counting<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counting")
    }
}

impl<T: Send + Sync + 'static, S: Store<T>> Store<T> for Counting<S> {
    fn create<'a>(&'a self, key: Key<'a>, session: NewSession<T>) -> StoreFuture<'a, Created> {
        self.count("create", || self.store.create(key, session))
    }

    fn load<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, Loaded<T>> {
        self.count("load", || self.store.load(key))
    }

    fn replace<'a>(&'a self, key: Key<'a>, expected: Option<Version>, data: Arc<T>) -> StoreFuture<'a, Replaced> {
        self.count("replace", || self.store.replace(key, expected, data))
    }

    fn touch<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        self.count("touch", || self.store.touch(key))
    }

    fn rotate<'a>(&'a self, old: Key<'a>, new: Key<'a>, session: Record<T>) -> StoreFuture<'a, Rotated> {
        self.count("rotate", || self.store.rotate(old, new, session))
    }

    fn delete<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        self.count("delete", || self.store.delete(key))
    }

    fn answers_at_once(&self) -> bool {
        self.store.answers_at_once()
    }

    fn sweep(&self) -> StoreFuture<'_, u64> {
        self.store.sweep()
    }
}
