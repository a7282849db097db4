//! The extractor that handlers use.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use crate::error::SessionError;
use crate::id::SessionId;
use crate::state::{Read, Rotate, Stage, State};

/// The session's data in a handler: the document's `Depends(session.get_data)`.
///
/// It derefs to the data as it was when the handler was called. Every change reaches the store before it returns, so nothing that
/// happens to the response later undoes it.
///
/// Extracting it costs one store call, none where the middleware has read the session already; one more where the session was
/// not used for a tenth of its idle limit, which is renewed then. Where there is no session it rejects with
/// [`SessionError::NotExists`] (401); under the lazy middleware it gives the default data instead. `Option<SessionData<T>>` is
/// `None` where no session exists; `Result<SessionData<T>, SessionError>` extracts, too.
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
    state: Arc<State<T>>,
    data: Arc<T>,
}

impl<T: Clone + Send + Sync + 'static> SessionData<T> {
    /// Changes the data, and returns what the closure does. One store call, two more for each conflict.
    ///
    /// It is compare-and-swap: where another request has changed the session meanwhile, it is loaded anew and the closure runs
    /// again, on the new data, until `store_timeout` is over. So the closure must not give away what it captures: write
    /// `visit.name.clone_from(&name)`, not `visit.name = name`. Under the lazy middleware the first change creates the session.
    ///
    /// Changes that meet conflicts over a session wait in line, in each layer: a hundred at once cost some two store calls each.
    ///
    /// # Errors
    ///
    /// [`SessionError::NotExists`] where the session was destroyed or expired meanwhile, [`SessionError::Conflict`] where others
    /// changed it each time, [`SessionError::ResponseStarted`] where it would have to be created, the store's. Nothing is
    /// written then.
    pub async fn update<R>(&self, mut change: impl FnMut(&mut T) -> R) -> Result<R, SessionError> {
        self.state.change(Rotate::No, |data| edited(data, |data| Ok(change(data)))).await
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
        self.state.change(Rotate::No, |data| edited(data, &mut change)).await
    }

    /// Replaces the data, whichever it is. One store call. Of concurrent replacements the last wins. Under the lazy middleware it
    /// creates the session where there is none.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update), but for `Conflict`.
    pub async fn set(&self, data: T) -> Result<(), SessionError> {
        self.state.set(Arc::new(data)).await
    }

    /// The session's id by now; `None` where there is no session.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        match &self.state.lock().stage {
            Stage::Present(present) => Some(*present.id),
            _ => None,
        }
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
        self.state.change(Rotate::Only, |data| Ok(((), Arc::clone(data)))).await
    }

    /// Changes the data and gives the session a new id, in one commit: a login. It costs as [`rotate`](Self::rotate); under the lazy
    /// middleware it creates the session where there is none.
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
        self.state.change(Rotate::Too, |data| edited(data, |data| Ok(change(data)))).await
    }

    /// Ends the session: a logout. One store call. The store's data goes, and the client is told to forget the cookie. Without
    /// a session it does nothing. Later changes in this request answer [`SessionError::NotExists`].
    ///
    /// # Errors
    ///
    /// The store's; [`SessionError::Conflict`] where another request has just given the session a new id, which the client's
    /// next try will carry. The session is still there then.
    pub async fn destroy(&self) -> Result<(), SessionError> {
        self.state.destroy().await
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
        Self { state: Arc::clone(&self.state), data: Arc::clone(&self.data) }
    }
}

impl<T: fmt::Debug> fmt::Debug for SessionData<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionData").field(&self.data).finish()
    }
}

impl<T: Clone + Send + Sync + 'static, S: Send + Sync> FromRequestParts<S> for SessionData<T> {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        let (state, looked) = State::of(parts)?;
        let read = match state.read(&looked).try_now() {
            Ok(read) => read?,
            Err(reading) => reading.await?,
        };
        let data = state.data(read)?;
        state.settle_id(&looked, parts);
        Ok(Self { state, data })
    }
}

impl<T: Clone + Send + Sync + 'static, S: Send + Sync> OptionalFromRequestParts<S> for SessionData<T> {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, SessionError> {
        let (state, looked) = State::of(parts)?;
        let read = match state.read(&looked).try_now() {
            Ok(read) => read?,
            Err(reading) => reading.await?,
        };
        state.settle_id(&looked, parts);
        Ok(match read {
            Read::Session(data) => Some(Self { state, data }),
            Read::Nothing(_) | Read::Destroyed => None,
        })
    }
}
