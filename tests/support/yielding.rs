//! A store that makes its caller wait before and after each step, as one behind a network does.

use std::sync::Arc;

use session_runtime::MaybeReady;
use session_runtime::store::{Created, Key, Loaded, NewSession, Record, Replaced, Rotated, Store, StoreFuture, Version};
use tokio::task::yield_now;

#[derive(Clone)]
pub struct Yielding<S>(pub Arc<S>);

impl<S> Yielding<S> {
    pub fn new(store: S) -> Self {
        Self(Arc::new(store))
    }
}

fn slowly<'a, R: Send + 'a>(call: impl FnOnce() -> StoreFuture<'a, R> + Send + 'a) -> StoreFuture<'a, R> {
    MaybeReady::boxed(async move {
        yield_now().await;
        let result = call().await;
        yield_now().await;
        result
    })
}

impl<T: Send + Sync + 'static, S: Store<T>> Store<T> for Yielding<S> {
    fn create<'a>(&'a self, key: Key<'a>, session: NewSession<T>) -> StoreFuture<'a, Created> {
        slowly(move || self.0.create(key, session))
    }

    fn load<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, Loaded<T>> {
        slowly(move || self.0.load(key))
    }

    fn replace<'a>(&'a self, key: Key<'a>, expected: Option<Version>, data: Arc<T>) -> StoreFuture<'a, Replaced> {
        slowly(move || self.0.replace(key, expected, data))
    }

    fn touch<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        slowly(move || self.0.touch(key))
    }

    fn rotate<'a>(&'a self, old: Key<'a>, new: Key<'a>, session: Record<T>) -> StoreFuture<'a, Rotated> {
        slowly(move || self.0.rotate(old, new, session))
    }

    fn delete<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        slowly(move || self.0.delete(key))
    }
}
