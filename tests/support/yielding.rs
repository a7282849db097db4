//! A store that makes its caller wait before and after each step, as one behind a network does.

use std::future::{Future, poll_fn};
use std::mem;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use session_runtime::store::{
    Change, Created, Key, Listed, Loaded, NewSession, Owner, Replaced, Rotated, Rotation, SessionHandle, Store, StoreError,
    Version, Which,
};

pub struct Yielding<S> {
    store: Arc<S>,
    ways: Arc<Ways>,
    bound: Duration,
}

/// How long a call is on its way there, and its answer on its way back. No time is a turn for the other tasks.
type Ways = dyn Fn() -> (Duration, Duration) + Send + Sync;

impl<S> Clone for Yielding<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), ways: Arc::clone(&self.ways), bound: self.bound }
    }
}

impl<S> Yielding<S> {
    pub fn new(store: S) -> Self {
        Self::sharing(Arc::new(store))
    }

    pub fn sharing(store: Arc<S>) -> Self {
        Self { store, ways: Arc::new(|| (Duration::ZERO, Duration::ZERO)), bound: Duration::MAX }
    }

    /// Each step takes that long, half of it on the way there and half on the way back.
    pub fn with_round_trip(store: S, time: Duration) -> Self {
        Self::with_ways(store, move || (time / 2, time / 2))
    }

    /// Each step takes the two times that `ways` gives, before it and after it.
    pub fn with_ways(store: S, ways: impl Fn() -> (Duration, Duration) + Send + Sync + 'static) -> Self {
        Self { store: Arc::new(store), ways: Arc::new(ways), bound: Duration::MAX }
    }

    /// A call that is not done by then fails.
    pub fn giving_up_after(self, bound: Duration) -> Self {
        Self { bound, ..self }
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

async fn way(time: Duration) {
    if time.is_zero() {
        step().await;
    } else {
        tokio::time::sleep(time).await;
    }
}

impl<S> Yielding<S> {
    async fn slowly<R>(&self, call: impl Future<Output = Result<R, StoreError>> + Send) -> Result<R, StoreError>
    where
        S: Send + Sync,
        R: Send,
    {
        let call = async {
            let (there, back) = (self.ways)();
            way(there).await;
            let result = call.await;
            way(back).await;
            result
        };
        if self.bound == Duration::MAX {
            return call.await;
        }
        let answer = tokio::time::timeout(self.bound, call).await;
        answer.unwrap_or_else(|_| Err(StoreError::unavailable("nothing came for too long")))
    }
}

impl<T: Send + Sync + 'static, S: Store<T>> Store<T> for Yielding<S> {
    async fn create(&self, key: Key<'_>, session: NewSession<T>) -> Result<Created, StoreError> {
        self.slowly(self.store.create(key, session)).await
    }

    async fn load(&self, key: Key<'_>) -> Result<Loaded<T>, StoreError> {
        self.slowly(self.store.load(key)).await
    }

    async fn replace(&self, key: Key<'_>, expected: Version, change: Change<T>) -> Result<Replaced, StoreError> {
        self.slowly(self.store.replace(key, expected, change)).await
    }

    async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.slowly(self.store.touch(key)).await
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, session: Rotation<T>) -> Result<Rotated, StoreError> {
        self.slowly(self.store.rotate(old, new, session)).await
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.slowly(self.store.delete(key)).await
    }

    fn keeps_owners(&self) -> bool {
        self.store.keeps_owners()
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Listed<T>>, StoreError> {
        self.slowly(self.store.list(owner)).await
    }

    async fn end(&self, owner: &Owner, which: Which) -> Result<u64, StoreError> {
        self.slowly(self.store.end(owner, which)).await
    }

    async fn replace_listed(
        &self,
        owner: &Owner,
        handle: SessionHandle,
        expected: Version,
        change: Change<T>,
    ) -> Result<Replaced, StoreError> {
        self.slowly(self.store.replace_listed(owner, handle, expected, change)).await
    }

    async fn count(&self, owner: &Owner) -> Result<u64, StoreError> {
        self.slowly(self.store.count(owner)).await
    }

    async fn sweep(&self) -> Result<u64, StoreError> {
        self.slowly(self.store.sweep()).await
    }
}
