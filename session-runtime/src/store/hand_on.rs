//! The operations of a store that hands them on to another one.

/// The call as it is: nothing is done around it.
pub(super) const fn as_it_is<S: ?Sized, F>(_: &S, _: &'static str, call: F) -> F {
    call
}

/// All operations: to the store `$inner`, each call by the function `$around`, which is given the store that hands on and the operation's name.
macro_rules! hand_on {
    ($this:ident => $inner:expr, by $around:expr) => {
        async fn create(&$this, key: Key<'_>, session: NewSession<T>) -> Result<Created, StoreError> {
            $around($this, "create", ($inner).create(key, session)).await
        }

        async fn replace(&$this, key: Key<'_>, expected: Version, change: Change<T>) -> Result<Replaced, StoreError> {
            $around($this, "replace", ($inner).replace(key, expected, change)).await
        }

        async fn rotate(&$this, old: Key<'_>, new: Key<'_>, rotation: Rotation<T>) -> Result<Rotated, StoreError> {
            $around($this, "rotate", ($inner).rotate(old, new, rotation)).await
        }

        async fn replace_listed(
            &$this,
            owner: &Owner,
            handle: SessionHandle,
            expected: Version,
            change: Change<T>,
        ) -> Result<Replaced, StoreError> {
            $around($this, "replace_listed", ($inner).replace_listed(owner, handle, expected, change)).await
        }

        async fn load(&$this, key: Key<'_>) -> Result<Loaded<T>, StoreError> {
            $around($this, "load", ($inner).load(key)).await
        }

        async fn list(&$this, owner: &Owner) -> Result<Vec<Listed<T>>, StoreError> {
            $around($this, "list", ($inner).list(owner)).await
        }

        $crate::store::hand_on::hand_on_without_data! { $this => $inner, by $around }
    };
}
pub(super) use hand_on;

/// The operations that neither give nor take data.
macro_rules! hand_on_without_data {
    ($this:ident => $inner:expr, by $around:expr) => {
        async fn touch(&$this, key: Key<'_>) -> Result<bool, StoreError> {
            $around($this, "touch", ($inner).touch(key)).await
        }

        async fn delete(&$this, key: Key<'_>) -> Result<bool, StoreError> {
            $around($this, "delete", ($inner).delete(key)).await
        }

        fn keeps_owners(&$this) -> bool {
            ($inner).keeps_owners()
        }

        async fn end(&$this, owner: &Owner, which: Which) -> Result<u64, StoreError> {
            $around($this, "end", ($inner).end(owner, which)).await
        }

        async fn count(&$this, owner: &Owner) -> Result<u64, StoreError> {
            $around($this, "count", ($inner).count(owner)).await
        }

        async fn sweep(&$this) -> Result<u64, StoreError> {
            $around($this, "sweep", ($inner).sweep()).await
        }

        fn name(&$this) -> &'static str {
            ($inner).name()
        }

        async fn close(&$this) -> Result<(), StoreError> {
            $around($this, "close", ($inner).close()).await
        }
    };
}
pub(super) use hand_on_without_data;
