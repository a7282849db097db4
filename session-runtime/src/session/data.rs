//! The extractor that handlers use.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use serde_core::{Serialize, Serializer};
use tokio::time::Instant;

use super::core::{ChangeKind, View};
use super::driver::Driver;
use super::lifetime::Lifetime;
use super::owners::{Ends, SessionInfo};
use crate::error::SessionError;
use crate::id::SessionId;
use crate::owner::SessionHandle;
use crate::request::Carried;

/// The session's data in a handler: the document's `Depends(session.get_data)`.
///
/// It derefs to the data as it was when the handler was called. Every change reaches the store before it returns, so nothing that
/// happens to the response later undoes it.
///
/// Extracting it costs one store call, none where the middleware has read the session already; one more where the session was
/// not used for a tenth of its idle limit, which is renewed then. `Option<SessionData<T>>` is `None` if no session exists;
/// `Result<SessionData<T>, SessionError>` extracts, too.
///
/// If there is no session, it rejects with [`SessionError::NotExists`] (401); under the lazy middleware it gives the default data instead. It also gives
/// the default data, creates nothing and sends no cookie, if the client may well have a session that this request does not show: if the
/// id that came was replaced by a new one less than 30 seconds ago, if the request comes from another site without the cookie, and if
/// the cookie names several sessions.
///
/// ```
/// use axum::{Router, extract::Path, routing::{get, post}};
/// use session_runtime::{SessionData, SessionError, session, standard};
///
/// #[derive(Clone, Default)]
/// struct Visit { name: String, pages: u32 }
///
/// async fn page(session: SessionData<Visit>) -> Result<String, SessionError> {
///     let pages = session.update(|visit| { visit.pages += 1; visit.pages }).await?;
///     Ok(format!("{}: {pages}", session.name))
/// }
///
/// async fn rename(session: SessionData<Visit>, Path(name): Path<String>) -> Result<(), SessionError> {
///     // The closure may run again after a conflict, so it does not give `name` away.
///     session.update(|visit| visit.name.clone_from(&name)).await
/// }
///
/// let app: Router = Router::new()
///     .route("/", get(page))
///     .route("/{name}", post(rename))
///     .layer(session!(<Visit>, middleware = standard::lazy_session_middleware));
/// ```
pub struct SessionData<T> {
    driver: Arc<Driver<T>>,
    data: Arc<T>,
}

impl<T: Clone + Send + Sync + 'static> SessionData<T> {
    /// Changes the data, and returns what the closure does. One store call, two more for each conflict, and with the option `persistent` one
    /// more when the response leaves, by which the cookie moves with the limit.
    ///
    /// It is compare-and-swap: where another request has changed the session meanwhile, it is loaded anew and the closure runs
    /// again, on the new data, until `store_timeout` is over. So the closure must not give away what it captures: write
    /// `visit.name.clone_from(&name)`, not `visit.name = name`. Under the lazy middleware the first change creates the session.
    ///
    /// If the change makes the session somebody else's ([`owner`](crate::SessionLayerBuilder::owner)), it also gives it a new id, as [`rotate`](Self::rotate) does.
    ///
    /// Changes that meet conflicts over a session wait in line, in each layer: a hundred at once cost some two store calls each.
    ///
    /// # Errors
    ///
    /// [`SessionError::NotExists`] if there is no session, or it was destroyed or has expired since it was read;
    /// [`SessionError::JustRotated`] if another request has just given it a new id; [`SessionError::CrossSite`] if the browser may be holding
    /// the cookie back; [`SessionError::Conflict`] if others changed it each time; [`SessionError::ResponseStarted`] if it would have to be
    /// created, or gets another owner; the store's. If it gets another owner, also [`SessionError::TooManySessions`], and
    /// [`SessionError::OwnerChange`] if the id came from elsewhere than the cookie. Nothing is written then.
    pub async fn update<R>(&self, mut change: impl FnMut(&mut T) -> R) -> Result<R, SessionError> {
        self.driver.change(ChangeKind::Edit, |data| edited(data, |data| Ok(change(data)))).await
    }

    /// Changes the data if the closure says `Ok`; with an `Err`, which is returned, nothing is written. Otherwise as
    /// [`update`](Self::update).
    ///
    /// ```
    /// # use session_runtime::{SessionData, SessionError};
    /// # #[derive(Clone, Default)] struct Account { balance: u64 }
    /// enum PayError { TooPoor, Session(SessionError) }
    ///
    /// impl From<SessionError> for PayError {
    ///     fn from(error: SessionError) -> Self { Self::Session(error) }
    /// }
    ///
    /// async fn pay(session: SessionData<Account>) -> Result<u64, PayError> {
    ///     session.try_update(|account| {
    ///         account.balance = account.balance.checked_sub(10).ok_or(PayError::TooPoor)?;
    ///         Ok(account.balance)
    ///     }).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The closure's, and those of [`update`](Self::update), which the closure's error type takes in.
    pub async fn try_update<R, E: From<SessionError>>(&self, mut change: impl FnMut(&mut T) -> Result<R, E>) -> Result<R, E> {
        self.driver.change(ChangeKind::Edit, |data| edited(data, &mut change)).await
    }

    /// Replaces the data, whichever it is. One store call, and two more for each conflict. Of concurrent replacements the last wins. Under
    /// the lazy middleware it creates the session where there is none.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub async fn set(&self, data: T) -> Result<(), SessionError> {
        let data = Arc::new(data);
        self.driver.change(ChangeKind::Edit, |_| Ok(((), Arc::clone(&data)))).await
    }

    /// The session's id by now; `None` where there is no session.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.driver.core().id().map(|id| **id)
    }

    /// Gives the session a new id, and ends the old one at once. One store call (two on Redis Cluster), two more for each
    /// conflict.
    ///
    /// Do it whenever what the user may do grows: at login (with [`rotate_with`](Self::rotate_with)), at a change of password or
    /// of role (OWASP, session fixation).
    ///
    /// # Errors
    ///
    /// [`SessionError::NotExists`] where there is no session; those of [`update`](Self::update);
    /// [`SessionError::ResponseStarted`] where the response's head has left. The old id stays then, unless the store rotated the
    /// session and its answer was lost ([`SessionError::StoreTimeout`] or `StoreUnavailable`): then the user has to log in again.
    /// Where a connection broke before the answer, Redis and the SQL databases are asked whether the new id is there by now (one
    /// store call more), which leaves servers that do not come back in time, and Redis Cluster.
    pub async fn rotate(&self) -> Result<(), SessionError> {
        self.driver.change(ChangeKind::Rotate, |data| Ok(((), Arc::clone(data)))).await
    }

    /// Changes the data and gives the session a new id, in one commit: a login. It costs as [`rotate`](Self::rotate); if there is no session, it
    /// creates one.
    ///
    /// Whoever logs in has proved who he is, so it also works where other changes are refused. It then makes a new session from the default data:
    ///
    /// - if another request has given the session a new id, or has ended it: a double click on "log in", or a login that is repeated because
    ///   its answer was lost, ends logged in;
    /// - if the request comes from another site, and the browser may be holding the cookie back: the return from an identity provider;
    /// - if the cookie names several sessions, which it ends: one store call more for each.
    ///
    /// ```
    /// # use session_runtime::{SessionData, SessionError};
    /// # #[derive(Clone, Default)] struct Visit { user: Option<u64> }
    /// async fn log_in(session: SessionData<Visit>) -> Result<(), SessionError> {
    ///     let user = 7; // after the password was checked
    ///     session.rotate_with(|visit| visit.user = Some(user)).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`rotate`](Self::rotate).
    pub async fn rotate_with<R>(&self, mut change: impl FnMut(&mut T) -> R) -> Result<R, SessionError> {
        self.driver.change(ChangeKind::LogIn, |data| edited(data, |data| Ok(change(data)))).await
    }

    /// What is there now, which renews the session as any read does: for streams, websockets and long polls, where the data that this derefs to is
    /// old. One store call, and one more if a tenth of the idle limit has passed.
    ///
    /// # Errors
    ///
    /// [`SessionError::NotExists`] if the session has ended since it was read; if another request has given it a new id,
    /// [`SessionError::JustRotated`], or `NotExists` when the response has started. It is never the default data then. The store's.
    pub async fn latest(&self) -> Result<Arc<T>, SessionError> {
        self.driver.data(self.driver.latest(true).await?)
    }

    /// What is there now, without renewing the session: for polls that the user does not cause. Otherwise as [`latest`](Self::latest).
    ///
    /// # Errors
    ///
    /// As [`latest`](Self::latest).
    pub async fn peek(&self) -> Result<Arc<T>, SessionError> {
        self.driver.data(self.driver.latest(false).await?)
    }

    /// Whether the session was created in this request. No store call.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.driver.core().is_new()
    }

    /// When the session was created, by the store's clock; `None` if there is no session. No store call.
    #[must_use]
    pub fn created_at(&self) -> Option<SystemTime> {
        let (age, _) = self.driver.core().times(Instant::now())?;
        SystemTime::now().checked_sub(age)
    }

    /// The time until the session expires unless it is used again; `None` if there is no session. No store call.
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        self.driver.core().times(Instant::now()).map(|(_, left)| left)
    }

    /// The sessions of this session's owner, the one that was used last first: for a page of a user's devices. Nobody's session has none. One store call,
    /// which renews nothing; after the response's head has left one more, which looks whether this session is still there. What it shows of a session holds no id.
    ///
    /// A session that was stored before the layer knew owners is not among them. It is from its next new id on, which its next change gives it if the id
    /// came from the cookie.
    ///
    /// # Errors
    ///
    /// [`SessionError::MissingOwner`] if the layer does not know who its sessions belong to; [`SessionError::NoOwners`] if its store does not keep it;
    /// [`SessionError::NotExists`] if the session has ended, or the cookie names several; [`SessionError::JustRotated`] and [`SessionError::CrossSite`] as for a change; the store's.
    pub async fn list(&self) -> Result<Vec<SessionInfo<T>>, SessionError> {
        self.driver.list().await
    }

    /// Ends the session of this session's owner that has this handle; `false` if the owner has none. If it is this session, the client is told to forget
    /// the cookie. It costs as [`list`](Self::list).
    ///
    /// When it has returned, the session does not answer any more, in no process, whatever was under way.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn end(&self, handle: &SessionHandle) -> Result<bool, SessionError> {
        Ok(self.driver.end(Ends::One(*handle)).await? > 0)
    }

    /// Ends all other sessions of this session's owner, and says how many there were: after a change of password. It is as final as [`end`](Self::end), and costs
    /// the same; one store call more if this session was stored before the layer knew owners.
    ///
    /// It goes by what this request read of its session. If a long time may have passed since, such as that of a slow upload, this session may have been
    /// ended by another: [`rotate`](Self::rotate) fails then, and takes the session from whoever else has its cookie.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn end_others(&self) -> Result<u64, SessionError> {
        self.driver.end(Ends::Others).await
    }

    /// Ends all sessions of this session's owner, this one, too, and says how many there were. The client is told to forget the cookie. It costs as
    /// [`end_others`](Self::end_others), and is as final.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn end_all(&self) -> Result<u64, SessionError> {
        self.driver.end(Ends::All).await
    }

    /// Gives this session limits of its own: "remember me". They stay with it through every change and rotation, and the cookie's `Max-Age` says the same as
    /// the store. One store call, two more for each conflict. If there is no session, it is created as by [`update`](Self::update). A limit of zero ends it immediately.
    ///
    /// A response of another request that read the session before may still move the cookie by the limit that it had. It is right again when it is sent the next
    /// time: with the session's next change if the cookie is to outlive the browser, else with its next new id.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update); [`SessionError::ResponseStarted`] if the response's head has left and the cookie outlives the browser, or did.
    pub async fn set_lifetime(&self, lifetime: Lifetime) -> Result<(), SessionError> {
        self.driver.set_lifetime(lifetime).await
    }

    /// Notes that the user has just proved again who they are, for [`require_fresh`](Self::require_fresh), and gives the session a new id in the same
    /// commit. Call it after the password was checked. It costs as [`rotate`](Self::rotate). If the id came from elsewhere than the cookie, send
    /// [`session_id`](Self::session_id) to the client.
    ///
    /// # Errors
    ///
    /// As [`rotate`](Self::rotate).
    pub async fn confirm(&self) -> Result<(), SessionError> {
        self.driver.change(ChangeKind::Confirm, |data| Ok(((), Arc::clone(data)))).await
    }

    /// Demands that the user has proved who they are within `max_age`, by a login or by [`confirm`](Self::confirm): before a change of password, say. Reading and
    /// changing the session do not count. No store call.
    ///
    /// A login is a change of the data by which a session of nobody, or of somebody else, gets its owner, and every
    /// [`rotate_with`](Self::rotate_with) of a session that has one. The time is that of the store.
    ///
    /// ```
    /// use std::time::Duration;
    /// use session_runtime::{SessionData, SessionError};
    ///
    /// # #[derive(Clone, Default)] struct Visit { user: Option<u64> }
    /// async fn change_password(session: SessionData<Visit>) -> Result<(), SessionError> {
    ///     session.require_fresh(Duration::from_secs(5 * 60))?;
    ///     session.rotate().await?; // not in a session that was ended meanwhile
    ///     // Change it, and then:
    ///     session.end_others().await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError::NotFresh`], which answers 401 and says `max_age` (RFC 9470).
    pub fn require_fresh(&self, max_age: Duration) -> Result<(), SessionError> {
        self.driver.require_fresh(max_age)
    }

    /// Ends the session: a logout. One store call. The store's data goes, and the client is told to forget the cookie. If the cookie names
    /// several sessions, it ends all of them, with one store call each. If the session of the cookie is gone already, only the cookie is
    /// removed; without a cookie it does nothing. Later changes in this request answer [`SessionError::NotExists`].
    ///
    /// # Errors
    ///
    /// The store's; [`SessionError::JustRotated`] if another request has just given the session a new id, which the client's next try
    /// will carry; [`SessionError::CrossSite`] if the browser may be holding the cookie back. The session is still there then.
    pub async fn destroy(&self) -> Result<(), SessionError> {
        self.driver.destroy(None).await
    }
}

fn edited<T: Clone, R, E>(data: &Arc<T>, change: impl FnOnce(&mut T) -> Result<R, E>) -> Result<(R, Arc<T>), E> {
    let mut new = T::clone(data);
    let result = change(&mut new)?;
    Ok((result, Arc::new(new)))
}

impl<T> Deref for SessionData<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

impl<T> Clone for SessionData<T> {
    fn clone(&self) -> Self {
        Self { driver: Arc::clone(&self.driver), data: Arc::clone(&self.data) }
    }
}

impl<T: fmt::Debug> fmt::Debug for SessionData<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionData").field(&self.data).finish()
    }
}

impl<T: Clone + Send + Sync + 'static> SessionData<T> {
    /// The session that the request carries, as it is read.
    pub(super) async fn read(parts: &mut Parts) -> Result<(Arc<Driver<T>>, View<T>), SessionError> {
        let carried = parts.extensions.get::<Carried>();
        let driver = Driver::<T>::of(carried)?;
        let carried = driver.look_at(carried, parts);
        let view = match driver.read(&carried).try_now() {
            Ok(view) => view?,
            Err(reading) => reading.await?,
        };
        driver.settle_id(&carried, parts);
        Ok((driver, view))
    }
}

impl<T: Clone + Send + Sync + 'static, S: Send + Sync> FromRequestParts<S> for SessionData<T> {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        let (driver, view) = Self::read(parts).await?;
        let data = driver.data(view)?;
        Ok(Self { driver, data })
    }
}

impl<T: Clone + Send + Sync + 'static, S: Send + Sync> OptionalFromRequestParts<S> for SessionData<T> {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, SessionError> {
        let (driver, view) = Self::read(parts).await?;
        Ok(match view {
            View::Live(data) => Some(Self { driver, data }),
            View::Default | View::None => None,
        })
    }
}

/// As the data.
impl<T: Serialize> Serialize for SessionData<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.data.serialize(serializer)
    }
}
