//! The sessions of an owner: listed, ended, changed (laws 17 and 18).

use std::any::type_name;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::FromRequestParts;
use http::request::Parts;
use tokio::time::Instant;

use super::core::ChangeKind;
use super::driver::{Called, Driver, Setup};
use crate::config::OnUndecodable;
use crate::error::SessionError;
use crate::log;
use crate::maybe_ready::MaybeReady;
use crate::owner::{Owner, OwnerBytes, OwnerId, SessionHandle};
use crate::request::Carried;
use crate::store::{Answer, Change, ErasedStore, Listed, Record, Replaced, StoreError, Which};

/// A session in the list of its owner's. It shows neither the session's id nor a hash of it.
pub struct SessionInfo<T> {
    handle: SessionHandle,
    data: Arc<T>,
    created_at: SystemTime,
    last_used_at: SystemTime,
    expires_in: Duration,
    is_current: bool,
}

impl<T> SessionInfo<T> {
    /// What it is called, in a page or a URL.
    #[must_use]
    pub const fn handle(&self) -> SessionHandle {
        self.handle
    }

    /// Its data.
    #[must_use]
    pub fn data(&self) -> &T {
        &self.data
    }

    /// When it was created, by the store's clock.
    #[must_use]
    pub const fn created_at(&self) -> SystemTime {
        self.created_at
    }

    /// When it was last used, by the store's clock. A use that changes nothing is noted once in a tenth of the idle limit.
    #[must_use]
    pub const fn last_used_at(&self) -> SystemTime {
        self.last_used_at
    }

    /// The time until it expires unless it is used again.
    #[must_use]
    pub const fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// Whether it is the session of the request that asks.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.is_current
    }

    fn new(handle: SessionHandle, record: Record<T>, unused: Duration, is_current: bool) -> Self {
        let now = SystemTime::now();
        let before = |passed| now.checked_sub(passed).unwrap_or(SystemTime::UNIX_EPOCH);
        Self {
            handle,
            data: record.data,
            created_at: before(record.age),
            last_used_at: before(unused),
            expires_in: record.expires_in,
            is_current,
        }
    }
}

impl<T> Clone for SessionInfo<T> {
    fn clone(&self) -> Self {
        Self { data: Arc::clone(&self.data), ..*self }
    }
}

impl<T: fmt::Debug> fmt::Debug for SessionInfo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionInfo")
            .field("handle", &self.handle)
            .field("data", &self.data)
            .field("created_at", &self.created_at)
            .field("last_used_at", &self.last_used_at)
            .field("expires_in", &self.expires_in)
            .field("is_current", &self.is_current)
            .finish()
    }
}

/// The sessions of any owner, also outside of a request: for an administrator's page, a job that runs at night, a change of password by mail.
///
/// It comes from [`SessionLayer::sessions`](crate::SessionLayer::sessions), and is an extractor under the layer.
///
/// ```
/// use session_runtime::{SessionError, Sessions};
///
/// #[derive(Clone, Default)]
/// struct Visit { user: Option<u64>, admin: bool }
///
/// async fn take_admin_away(sessions: &Sessions<Visit>, user: u64) -> Result<u64, SessionError> {
///     sessions.update_each(user, |visit| visit.admin = false).await
/// }
/// ```
///
/// # Errors
///
/// Each method fails with [`SessionError::MissingOwner`] if the layer does not know who its sessions belong to, with [`SessionError::NoOwners`] if its store
/// does not keep it, and with the store's errors.
pub struct Sessions<T> {
    setup: Arc<Setup<T>>,
}

impl<T: Clone + Send + Sync + 'static> Sessions<T> {
    pub(crate) const fn of(setup: Arc<Setup<T>>) -> Self {
        Self { setup }
    }

    /// The sessions of `owner`, the one that was used last first. It renews none of them. One store call.
    ///
    /// A session whose data cannot be read is left out, which the log tells; [`end_all`](Self::end_all) and [`count`](Self::count) count it.
    ///
    /// # Errors
    ///
    /// See [`Sessions`].
    pub async fn list(&self, owner: impl OwnerId + Send) -> Result<Vec<SessionInfo<T>>, SessionError> {
        let owner = self.setup.name_of(owner)?;
        self.setup.list(&owner, None).await
    }

    /// Ends the session of `owner` that has this handle; `false` if there is none. One store call.
    ///
    /// When it has returned, the session does not answer any more, in no process, whatever was under way.
    ///
    /// # Errors
    ///
    /// See [`Sessions`].
    pub async fn end(&self, owner: impl OwnerId + Send, handle: &SessionHandle) -> Result<bool, SessionError> {
        let owner = self.setup.name_of(owner)?;
        Ok(self.setup.end(&owner, Which::One(*handle)).await? > 0)
    }

    /// Ends all sessions of `owner`, and says how many there were. One store call, whatever else the store holds.
    ///
    /// When it has returned, none of the sessions that were listed when it was called answers any more, in no process, whatever was under way. One that is
    /// created after that lives; so does one that was stored before the layer knew owners, until it is listed.
    ///
    /// # Errors
    ///
    /// See [`Sessions`].
    pub async fn end_all(&self, owner: impl OwnerId + Send) -> Result<u64, SessionError> {
        let owner = self.setup.name_of(owner)?;
        self.setup.end(&owner, Which::All).await
    }

    /// How many sessions `owner` has. One store call.
    ///
    /// # Errors
    ///
    /// See [`Sessions`].
    pub async fn count(&self, owner: impl OwnerId + Send) -> Result<u64, SessionError> {
        let owner = self.setup.name_of(owner)?;
        self.setup.ask("count", |store| store.count(&owner)).await
    }

    /// Changes the data of each session of `owner`, and says how many there were: a role that is taken away is gone in all of a user's sessions at once.
    /// One store call, and one for each session; two more for each conflict.
    ///
    /// As with [`SessionData::update`](crate::SessionData::update), the closure runs again after a conflict. It renews none of the sessions. A request that replaces the whole data
    /// afterwards, by `set`, with what it read before, brings back what was there; so does a login that is under way with what it read before.
    ///
    /// If it fails for one session, the others are changed nevertheless.
    ///
    /// # Errors
    ///
    /// [`SessionError::OwnerChange`] if the change makes a session somebody else's; [`SessionError::Conflict`] if others changed one of them each time, until
    /// `store_timeout` was over; [`SessionError::Data`] if the data of one cannot be read (with
    /// [`OnUndecodable::Discard`] such a session is left as it is). See also [`Sessions`].
    pub async fn update_each(
        &self,
        owner: impl OwnerId + Send,
        mut change: impl FnMut(&mut T) + Send,
    ) -> Result<u64, SessionError> {
        let owner = self.setup.name_of(owner)?;
        self.setup.update_each(&owner, &mut change).await
    }
}

impl<T> Clone for Sessions<T> {
    fn clone(&self) -> Self {
        Self { setup: Arc::clone(&self.setup) }
    }
}

impl<T> fmt::Debug for Sessions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl<T: Clone + Send + Sync + 'static, S: Send + Sync> FromRequestParts<S> for Sessions<T> {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        Ok(Self::of(Arc::clone(&Driver::<T>::of(parts.extensions.get::<Carried>())?.setup)))
    }
}

impl<T: Clone + Send + Sync + 'static> Setup<T> {
    /// The name of an owner that was given.
    fn name_of(&self, owner: impl OwnerId) -> Result<Owner, SessionError> {
        self.require_owner()?;
        self.named(&OwnerBytes::of(&owner))
    }

    fn require_owner(&self) -> Result<(), SessionError> {
        if self.owner.is_some() { Ok(()) } else { Err(SessionError::MissingOwner { data: type_name::<T>() }) }
    }

    fn ask<'a, R: Send + 'a>(
        &'a self,
        operation: &'static str,
        call: impl FnOnce(&'a dyn ErasedStore<T>) -> Answer<'a, R>,
    ) -> Called<'a, R> {
        self.call_then(operation, call, MaybeReady::ready)
    }

    async fn list(&self, owner: &Owner, current: Option<SessionHandle>) -> Result<Vec<SessionInfo<T>>, SessionError> {
        let mut listed = self.ask("list", |store| store.list(owner)).await?;
        listed.sort_by_key(|listed| (listed.unused, listed.handle));
        let shown = listed.into_iter().filter_map(|Listed { handle, session, unused }| match session {
            Ok(record) => Some(SessionInfo::new(handle, record, unused, current == Some(handle))),
            Err(error) => {
                log::warn(&error, "a session is left out of its owner's list, since it cannot be read");
                None
            }
        });
        Ok(shown.collect())
    }

    async fn end(&self, owner: &Owner, which: Which) -> Result<u64, SessionError> {
        self.ask("end", |store| store.end(owner, which)).await
    }

    /// Goes on after an error, which it gives at the end: a role that is taken away is not to stay because of one session. Only a store that fails would
    /// fail for the others, too, and each would take `store_timeout`.
    async fn update_each(&self, owner: &Owner, change: &mut (impl FnMut(&mut T) + Send)) -> Result<u64, SessionError> {
        let (mut changed, mut failed) = (0, None);
        for Listed { handle, session, .. } in self.ask("list", |store| store.list(owner)).await? {
            let updated = match session {
                Ok(record) => self.update_listed(owner, handle, record, change).await,
                Err(error) => self.unreadable(error),
            };
            match updated {
                Ok(is_changed) => changed += u64::from(is_changed),
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(changed), Err)
    }

    /// A session of an owner that cannot be read is left as it is.
    fn unreadable(&self, error: StoreError) -> Result<bool, SessionError> {
        if self.policy.on_undecodable == OnUndecodable::Fail {
            return Err(error.into());
        }
        log::warn(&error, "a session is left as it is, since it cannot be read");
        Ok(false)
    }

    /// Changes one session of an owner by compare-and-swap; `false` if it has ended.
    async fn update_listed(
        &self,
        owner: &Owner,
        handle: SessionHandle,
        mut record: Record<T>,
        change: &mut (impl FnMut(&mut T) + Send),
    ) -> Result<bool, SessionError> {
        let began = Instant::now();
        loop {
            let mut data = T::clone(&record.data);
            change(&mut data);
            if self.owner_of(&data)?.as_ref() != Some(owner) {
                return Err(SessionError::OwnerChange);
            }
            let change = Change::new(Arc::new(data));
            match self.ask("replace_listed", |store| store.replace_listed(owner, handle, record.version, change)).await? {
                Replaced::Replaced(_) => return Ok(true),
                Replaced::Missing => return Ok(false),
                Replaced::Conflict if began.elapsed() >= self.store_timeout => return Err(SessionError::Conflict),
                Replaced::Conflict => {}
            }
            let listed = self.ask("list", |store| store.list(owner)).await?;
            match listed.into_iter().find(|listed| listed.handle == handle) {
                Some(Listed { session: Ok(newer), .. }) => record = newer,
                Some(Listed { session: Err(error), .. }) => return self.unreadable(error),
                None => return Ok(false),
            }
        }
    }
}

/// What a request's own session is in its owner's list.
enum Own {
    Listed(Owner, SessionHandle),
    /// It was stored before the layer knew owners.
    Unlisted(Owner),
    Nobody,
}

/// Which sessions of its owner a request's own one ends.
pub(super) enum Ends {
    One(SessionHandle),
    Others,
    All,
}

impl<T: Clone + Send + Sync + 'static> Driver<T> {
    /// Waits for the steps of other tasks of this request, and says whose session this is by then.
    async fn own(&self) -> Result<Own, SessionError> {
        self.setup.require_owner()?;
        self.idle().await?;
        let is_late = self.core().is_late();
        if is_late {
            // What was read is long ago: nobody acts for an owner by a session that has ended (law 6).
            self.latest(false).await?;
        }
        let own = self.core().own()?.map(|(data, attributes)| (Arc::clone(data), attributes.handle));
        let Some((data, handle)) = own else { return Ok(Own::Nobody) };
        Ok(match (self.setup.owner_of(&data)?, handle) {
            (Some(owner), Some(handle)) => Own::Listed(owner, handle),
            (Some(owner), None) => Own::Unlisted(owner),
            (None, _) => Own::Nobody,
        })
    }

    pub(super) async fn list(&self) -> Result<Vec<SessionInfo<T>>, SessionError> {
        match self.own().await? {
            Own::Listed(owner, handle) => self.setup.list(&owner, Some(handle)).await,
            Own::Unlisted(owner) => self.setup.list(&owner, None).await,
            Own::Nobody => Ok(Vec::new()),
        }
    }

    /// Ends sessions of this session's owner. If it is one of them, the client is told to forget the cookie.
    pub(super) async fn end(self: &Arc<Self>, which: Ends) -> Result<u64, SessionError> {
        let mut own = self.own().await?;
        if matches!((&own, &which), (Own::Unlisted(_), Ends::Others | Ends::All)) && self.core().tells_the_client() {
            // Another request may list it meanwhile, under an id that this one does not know: it would be another, and not be ended by its id.
            self.change(ChangeKind::Rotate, |data| Ok::<_, SessionError>(((), Arc::clone(data)))).await?;
            own = self.own().await?;
        }
        let (owner, handle) = match own {
            Own::Listed(owner, handle) => (owner, Some(handle)),
            Own::Unlisted(owner) => (owner, None),
            Own::Nobody => return Ok(0),
        };
        let listed = match (&which, handle) {
            (Ends::One(handle), _) => Which::One(*handle),
            (Ends::Others, Some(own)) => Which::Others(own),
            (Ends::Others, None) | (Ends::All, _) => Which::All,
        };
        let ended = self.setup.end(&owner, listed).await?;
        match (which, handle) {
            (_, Some(own)) if listed.has(own) => {
                self.idle().await?;
                self.core().ended_by_owner(own);
            }
            (Ends::All, None) => {
                self.destroy(None).await?;
                return Ok(ended + 1);
            }
            _ => {}
        }
        Ok(ended)
    }

    /// # Errors
    ///
    /// [`SessionError::NotFresh`] if the session's user did not prove who they are within `max_age`.
    pub(super) fn require_fresh(&self, max_age: Duration) -> Result<(), SessionError> {
        let is_fresh = self.core().proven_for(Instant::now()).is_some_and(|passed| passed <= max_age);
        if is_fresh { Ok(()) } else { Err(SessionError::NotFresh { max_age }) }
    }
}
