//! A store that makes its caller wait before and after each step, as one behind a network does.

use std::future::{Future, poll_fn};
use std::mem;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use session_runtime::MaybeReady;
use session_runtime::store::{Created, Key, Loaded, NewSession, Record, Replaced, Rotated, Store, StoreFuture, Version};

#[derive(Clone)]
pub struct Yielding<S>(Arc<S>, Duration);

impl<S> Yielding<S> {
    pub fn new(store: S) -> Self {
        Self::sharing(Arc::new(store))
    }

    pub fn sharing(store: Arc<S>) -> Self {
        Self(store, Duration::ZERO)
    }

    /// Each step takes that long, half of it on the way there and half on the way back.
    pub fn with_round_trip(store: S, time: Duration) -> Self {
        Self(Arc::new(store), time)
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

async fn half(time: Duration) {
    if time.is_zero() {
        step().await;
    } else {
        tokio::time::sleep(time / 2).await;
    }
}

fn slowly<'a, R: Send + 'a>(time: Duration, call: impl FnOnce() -> StoreFuture<'a, R> + Send + 'a) -> StoreFuture<'a, R> {
    MaybeReady::boxed(async move {
        half(time).await;
        let result = call().await;
        half(time).await;
        result
    })
}

impl<T: Send + Sync + 'static, S: Store<T>> Store<T> for Yielding<S> {
    fn create<'a>(&'a self, key: Key<'a>, session: NewSession<T>) -> StoreFuture<'a, Created> {
        slowly(self.1, move || self.0.create(key, session))
    }

    fn load<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, Loaded<T>> {
        slowly(self.1, move || self.0.load(key))
    }

    fn replace<'a>(&'a self, key: Key<'a>, expected: Option<Version>, data: Arc<T>) -> StoreFuture<'a, Replaced> {
        slowly(self.1, move || self.0.replace(key, expected, data))
    }

    fn touch<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        slowly(self.1, move || self.0.touch(key))
    }

    fn rotate<'a>(&'a self, old: Key<'a>, new: Key<'a>, session: Record<T>) -> StoreFuture<'a, Rotated> {
        slowly(self.1, move || self.0.rotate(old, new, session))
    }

    fn delete<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        slowly(self.1, move || self.0.delete(key))
    }
}
