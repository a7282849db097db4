//! A store without its type, as a layer keeps it.
//!
//! [`Store`] is written as `async fn`s, which no trait object can have. [`ErasedStore`] is its twin with boxed futures, and this file is
//! the only place that boxes a store's future. A store that says it is [`IMMEDIATE`](Store::IMMEDIATE) is polled once instead, on the
//! stack, so that one in memory costs no allocation.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tracing::Instrument as _;
use tracing::instrument::Instrumented;

use super::hand_on::{as_it_is, hand_on};
use super::{
    Change, Created, Key, Listed, Loaded, NewSession, Owner, Replaced, Rotated, Rotation, SessionHandle, Store, StoreError,
    Version, Which,
};
use crate::maybe_ready::{MaybeReady, poll_immediate};

/// What a store answers.
pub(crate) type Answer<'a, R> = MaybeReady<'a, Result<R, StoreError>>;

/// [`Store`] as an object.
pub(crate) trait ErasedStore<T>: Send + Sync {
    fn is_immediate(&self) -> bool;
    fn name(&self) -> &'static str;
    fn create<'a>(&'a self, key: Key<'a>, session: NewSession<T>) -> Answer<'a, Created>;
    fn load<'a>(&'a self, key: Key<'a>) -> Answer<'a, Loaded<T>>;
    fn replace<'a>(&'a self, key: Key<'a>, expected: Version, change: Change<T>) -> Answer<'a, Replaced>;
    fn touch<'a>(&'a self, key: Key<'a>) -> Answer<'a, bool>;
    fn rotate<'a>(&'a self, old: Key<'a>, new: Key<'a>, rotation: Rotation<T>) -> Answer<'a, Rotated>;
    fn delete<'a>(&'a self, key: Key<'a>) -> Answer<'a, bool>;
    fn keeps_owners(&self) -> bool;
    fn list<'a>(&'a self, owner: &'a Owner) -> Answer<'a, Vec<Listed<T>>>;
    fn end<'a>(&'a self, owner: &'a Owner, which: Which) -> Answer<'a, u64>;
    fn replace_listed<'a>(
        &'a self,
        owner: &'a Owner,
        handle: SessionHandle,
        expected: Version,
        change: Change<T>,
    ) -> Answer<'a, Replaced>;
    fn count<'a>(&'a self, owner: &'a Owner) -> Answer<'a, u64>;
    fn sweep(&self) -> Answer<'_, u64>;
    fn close(&self) -> Answer<'_, ()>;
}

impl<T: 'static, S: Store<T>> ErasedStore<T> for S {
    fn is_immediate(&self) -> bool {
        S::IMMEDIATE
    }

    fn name(&self) -> &'static str {
        <S as Store<T>>::name(self)
    }

    fn create<'a>(&'a self, key: Key<'a>, session: NewSession<T>) -> Answer<'a, Created> {
        answer::<S, T, _>(self, "create", Store::create(self, key, session))
    }

    fn load<'a>(&'a self, key: Key<'a>) -> Answer<'a, Loaded<T>> {
        answer::<S, T, _>(self, "load", Store::load(self, key))
    }

    fn replace<'a>(&'a self, key: Key<'a>, expected: Version, change: Change<T>) -> Answer<'a, Replaced> {
        answer::<S, T, _>(self, "replace", Store::replace(self, key, expected, change))
    }

    fn touch<'a>(&'a self, key: Key<'a>) -> Answer<'a, bool> {
        answer::<S, T, _>(self, "touch", Store::touch(self, key))
    }

    fn rotate<'a>(&'a self, old: Key<'a>, new: Key<'a>, rotation: Rotation<T>) -> Answer<'a, Rotated> {
        answer::<S, T, _>(self, "rotate", Store::rotate(self, old, new, rotation))
    }

    fn delete<'a>(&'a self, key: Key<'a>) -> Answer<'a, bool> {
        answer::<S, T, _>(self, "delete", Store::delete(self, key))
    }

    fn keeps_owners(&self) -> bool {
        Store::keeps_owners(self)
    }

    fn list<'a>(&'a self, owner: &'a Owner) -> Answer<'a, Vec<Listed<T>>> {
        answer::<S, T, _>(self, "list", Store::list(self, owner))
    }

    fn end<'a>(&'a self, owner: &'a Owner, which: Which) -> Answer<'a, u64> {
        answer::<S, T, _>(self, "end", Store::end(self, owner, which))
    }

    fn replace_listed<'a>(
        &'a self,
        owner: &'a Owner,
        handle: SessionHandle,
        expected: Version,
        change: Change<T>,
    ) -> Answer<'a, Replaced> {
        answer::<S, T, _>(self, "replace_listed", Store::replace_listed(self, owner, handle, expected, change))
    }

    fn count<'a>(&'a self, owner: &'a Owner) -> Answer<'a, u64> {
        answer::<S, T, _>(self, "count", Store::count(self, owner))
    }

    fn sweep(&self) -> Answer<'_, u64> {
        MaybeReady::boxed(Store::sweep(self))
    }

    fn close(&self) -> Answer<'_, ()> {
        MaybeReady::boxed(Store::close(self))
    }
}

/// Polls a call once, or boxes it.
fn answer<'a, S, T, R>(
    store: &'a S,
    operation: &'static str,
    call: impl Future<Output = Result<R, StoreError>> + Send + 'a,
) -> Answer<'a, R>
where
    S: Store<T>,
    T: 'static,
    R: 'a,
{
    if S::IMMEDIATE {
        return MaybeReady::ready(answer_immediately::<S, T, R>(store, operation, call));
    }
    MaybeReady::boxed(answer_later::<S, T, R>(store, operation, call))
}

async fn answer_later<S, T, R>(
    store: &S,
    operation: &'static str,
    call: impl Future<Output = Result<R, StoreError>>,
) -> Result<R, StoreError>
where
    S: Store<T>,
{
    let mut answer = call.await;
    if let Err(error) = &mut answer {
        add_call(store.name(), operation, error);
    }
    answer
}

#[inline]
fn answer_immediately<S, T, R>(
    store: &S,
    operation: &'static str,
    call: impl Future<Output = Result<R, StoreError>>,
) -> Result<R, StoreError>
where
    S: Store<T>,
{
    let mut answer = poll_immediate(call).unwrap_or_else(|| Err(waits(store.name())));
    // In its place: most answers are large to be moved, and nearly none is an error.
    if let Err(error) = &mut answer {
        add_call(store.name(), operation, error);
    }
    answer
}

#[cold]
fn waits(store: &str) -> StoreError {
    StoreError::unavailable(format!("`{store}` waits, although it says by `Store::IMMEDIATE` that it never does"))
}

/// Adds the store and the operation to the causes of an error.
#[cold]
fn add_call(store: &'static str, operation: &'static str, error: &mut StoreError) {
    if let StoreError::Unavailable(cause) = error {
        *error = StoreError::unavailable(FailedCall { store, operation, cause: Arc::clone(cause) });
    }
}

#[derive(Debug)]
struct FailedCall {
    store: &'static str,
    operation: &'static str,
    cause: Arc<dyn Error + Send + Sync>,
}

impl fmt::Display for FailedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed at `{}`", self.store, self.operation)
    }
}

impl Error for FailedCall {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

/// A store each of whose calls is a span, for when somebody looks at what happens.
pub(crate) struct Traced<T>(pub(crate) Arc<dyn ErasedStore<T>>);

impl<T> Traced<T> {
    fn in_a_span<F: Future>(&self, operation: &'static str, call: F) -> Instrumented<F> {
        call.instrument(tracing::debug_span!("session_store", store = self.0.name(), operation))
    }
}

impl<T: Send + Sync + 'static> Store<T> for Traced<T> {
    hand_on!(self => self.0, by Self::in_a_span);
}

/// A store of any kind, for programs that choose it when they start. [`connect`](super::connect) gives one.
///
/// A clone shares the sessions of the original. A layer that is given one keeps it as it is.
///
/// ```
/// use session_runtime::store::{AnyStore, MemoryStore};
///
/// fn choose(small: bool) -> AnyStore<String> {
///     if small { AnyStore::new(MemoryStore::bounded(1000)) } else { AnyStore::new(MemoryStore::new()) }
/// }
/// ```
pub struct AnyStore<T>(Arc<dyn ErasedStore<T>>);

impl<T: 'static> AnyStore<T> {
    /// This store, without its type. An `AnyStore` stays as it is.
    pub fn new(store: impl Store<T>) -> Self {
        let store = Arc::new(store);
        let any: Arc<dyn Any + Send + Sync> = Arc::clone(&store) as _;
        any.downcast::<Self>().map_or_else(|_| Self(store), |any_store| Self::clone(&any_store))
    }

    pub(crate) fn into_erased(self) -> Arc<dyn ErasedStore<T>> {
        self.0
    }

    pub(crate) fn keeps_owners(&self) -> bool {
        self.0.keeps_owners()
    }

    /// Writes out and closes what the store has open, as [`Store::close`] does.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where that fails.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.0.close().await
    }
}

impl<T> Clone for AnyStore<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for AnyStore<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyStore(..)")
    }
}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> Store<T> for AnyStore<T> {
    hand_on!(self => self.0, by as_it_is);
}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static, S: Store<T>> Store<T> for Arc<S> {
    const IMMEDIATE: bool = S::IMMEDIATE;

    hand_on!(self => **self, by as_it_is);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SessionId;
    use crate::store::{Limits, MemoryStore, Namespace, Origin};

    /// Says that it never waits, and does.
    struct Waits;

    impl Store<u32> for Waits {
        const IMMEDIATE: bool = true;

        async fn create(&self, _: Key<'_>, _: NewSession<u32>) -> Result<Created, StoreError> {
            std::future::pending().await
        }

        async fn load(&self, _: Key<'_>) -> Result<Loaded<u32>, StoreError> {
            std::future::pending().await
        }

        async fn replace(&self, _: Key<'_>, _: Version, _: Change<u32>) -> Result<Replaced, StoreError> {
            std::future::pending().await
        }

        async fn touch(&self, _: Key<'_>) -> Result<bool, StoreError> {
            std::future::pending().await
        }

        async fn rotate(&self, _: Key<'_>, _: Key<'_>, _: Rotation<u32>) -> Result<Rotated, StoreError> {
            std::future::pending().await
        }

        async fn delete(&self, _: Key<'_>) -> Result<bool, StoreError> {
            std::future::pending().await
        }
    }

    #[test]
    fn a_store_that_waits_although_it_says_it_never_does_is_named() {
        let (namespace, id) = (Namespace::new("sid"), SessionId::parse("abc").unwrap());
        let store = AnyStore::new(Waits).into_erased();
        let answer = store.load(Key::new(&namespace, &id)).try_now().expect("it is not waited for");
        let Err(StoreError::Unavailable(said)) = answer else { panic!("{answer:?}") };
        assert!(said.to_string().contains("tests::Waits"), "{said}");
    }

    #[test]
    fn a_store_is_erased_once() {
        let erased = AnyStore::new(MemoryStore::<u32>::new());
        let again = AnyStore::new(erased.clone());
        assert!(Arc::ptr_eq(&erased.0, &again.0));
        let shared = Arc::new(MemoryStore::<u32>::new());
        let (erased, weak) = (AnyStore::new(Arc::clone(&shared)), Arc::downgrade(&shared));
        assert!(erased.0.is_immediate() && weak.strong_count() == 2);
    }

    #[tokio::test]
    async fn an_erased_store_answers_as_the_one_within() {
        let (namespace, id) = (Namespace::new("sid"), SessionId::parse("abc").unwrap());
        let key = Key::new(&namespace, &id);
        let store = AnyStore::new(MemoryStore::<u32>::new());
        let session = NewSession::new(Arc::new(1), Limits::new(std::time::Duration::MAX, None), Origin::Change);
        assert!(matches!(Store::create(&store, key, session).await, Ok(Created::Created(_))));
        assert!(matches!(Store::load(&store, key).await, Ok(Loaded::Found(record)) if *record.data == 1));
        assert!(matches!(Store::delete(&store, key).await, Ok(true)));
        assert!(matches!(store.close().await, Ok(())));
    }
}
