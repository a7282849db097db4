//! A store that makes its caller wait before and after each step, as one behind a network does.

use std::future::{Future, poll_fn};
use std::mem;
use std::sync::Arc;
use std::task::Poll;

use session_runtime::MaybeReady;
use session_runtime::store::{Created, Key, Loaded, NewSession, Record, Replaced, Rotated, Store, StoreFuture, Version};

#[derive(Clone)]
pub struct Yielding<S>(pub Arc<S>);

impl<S> Yielding<S> {
    pub fn new(store: S) -> Self {
        Self(Arc::new(store))
    }
}

/// Lets the other tasks run, whoever polls them.
pub fn step() -> impl Future<Output = ()> {
    let mut is_second = false;
    poll_fn(move |context| {
        if mem::replace(&mut is_second, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

fn slowly<'a, R: Send + 'a>(call: impl FnOnce() -> StoreFuture<'a, R> + Send + 'a) -> StoreFuture<'a, R> {
    MaybeReady::boxed(async move {
        step().await;
        let result = call().await;
        step().await;
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
