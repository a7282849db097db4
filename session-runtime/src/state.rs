//! What one layer knows of one request: the session it carries, what was done with it, and which cookie that owes the client.

use std::any::{Any, TypeId, type_name};
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::mem;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http::HeaderMap;
use http::request::Parts;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::callback::MiddlewareKind;
use crate::cookie;
use crate::error::SessionError;
use crate::few::Few;
use crate::id::SessionId;
use crate::layer::{Config, OnStoreError};
use crate::locks::{ALL, Place};
use crate::maybe_ready::MaybeReady;
use crate::request::{Carried, Found, LayerState, SessionRequestExt, SetId, layer_state};
use crate::response;
use crate::shared_id::SharedId;
use crate::store::{Created, Loaded, NewSession, Record, Replaced, Rotated, Store, StoreError, StoreFuture, Version};
use crate::transport::Transport;

/// How many new ids are tried where each one is taken.
const NEW_ID_TRIES: usize = 8;

pub(crate) struct State<T> {
    pub(crate) config: Arc<Config<T>>,
    outer: Option<Arc<dyn LayerState>>,
    depth: u32,
    pub(crate) transport: Transport,
    /// What `session_id()` shows of `Progress::fetched`.
    shown: OnceLock<Box<Found>>,
    progress: Mutex<Progress<T>>,
    /// Told when a reservation ends.
    released: Notify,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Progress<T> {
    /// What the standard callback found, when it was first needed.
    fetched: Option<Found>,
    pub(crate) stage: Stage<T>,
    /// Ids that lead to the stage's session as well: those it was rotated away from, or that did not exist before it was created.
    aliases: Few<SharedId>,
    /// The request carries no id, and the stage is what that means.
    none_is_alias: bool,
    /// The id that `create_session` gave without storing anything.
    withheld: Option<SharedId>,
    /// A change creates the session where there is none.
    pub(crate) lazy: bool,
    /// The response's head has left.
    head_left: bool,
    /// The session was read or changed.
    pub(crate) used: bool,
    /// A step is under way that will owe the client a cookie.
    reserved: bool,
    /// Somebody waits for that.
    awaited: bool,
    pub(crate) owed: Owed,
    /// `add_session_id` has put the cookie into the response.
    pub(crate) added: bool,
    failed: Option<Box<SessionError>>,
}

pub(crate) enum Stage<T> {
    Unread,
    Absent(Absence),
    Present(Present<T>),
    Destroyed,
}

/// Why a request has no session.
#[derive(Clone)]
pub(crate) enum Absence {
    /// It carries no id, or one that the store does not hold.
    Unknown,
    /// It carries an id that another request has just rotated away: nothing is created for it.
    JustRotated,
    /// The store is down, and the layer lets the request go on without a session.
    StoreDown(SessionError),
}

pub(crate) struct Present<T> {
    pub(crate) id: SharedId,
    pub(crate) record: Record<T>,
    /// When its absolute limit is over.
    absolute_at: Option<Instant>,
    /// The client keeps the id in the cookie; else it came from elsewhere, and no cookie is sent for it.
    pub(crate) by_cookie: bool,
    /// It was created in this request, so the client does not have the id yet.
    fresh: bool,
}

/// What the response's cookie has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owed {
    Nothing,
    /// The stage's id is new.
    Set,
    /// The stage's id is as it was, but its `Max-Age` moved: to be sent only if the session is still there.
    Renew,
    Remove,
}

/// The id that a request carries for one session.
pub(crate) enum Looked {
    One {
        id: Option<SharedId>,
        in_cookie: bool,
    },
    /// The cookie stands more than once.
    Several,
}

/// What is known of a session without asking the store.
enum Known<T> {
    Is(Read<T>),
    /// It was read long ago, under this id.
    Stale(SharedId),
    Not,
}

/// The answer of a future that has it when it is asked once.
fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// What a change starts from.
struct Base<T> {
    id: SharedId,
    data: Arc<T>,
    version: Version,
}

pub(crate) type Reading<'a, T> = MaybeReady<'a, Result<Read<T>, SessionError>>;

/// What reading a session gives.
pub(crate) enum Read<T> {
    Session(Arc<T>),
    Nothing(Absence),
    Destroyed,
}

impl<T: Clone + Send + Sync + 'static> State<T> {
    /// The state of a request that enters the layer.
    pub(crate) fn enter(config: &Arc<Config<T>>, request: &mut Request) -> Result<Arc<Self>, SessionError> {
        let transport = Transport::of(request.headers(), request.uri());
        let state = Arc::new(Self::new(config, transport, None));
        match request.extensions_mut().insert(Carried::by(Arc::clone(&state) as Arc<dyn LayerState>)) {
            None => Ok(state),
            Some(carried) => Self::enter_within(config, carried, request),
        }
    }

    /// The same where the request carries something already: it has passed other layers, or was given an id before any.
    #[cold]
    fn enter_within(config: &Arc<Config<T>>, mut carried: Carried, request: &mut Request) -> Result<Arc<Self>, SessionError> {
        let mut at = carried.current.as_ref();
        while let Some(state) = at {
            if state.cookie_name() == config.cookie.name() {
                let (outer, inner) = (state.data_type_name(), type_name::<T>());
                return Err(SessionError::DuplicateCookie { outer, inner });
            }
            at = state.outer();
        }
        let transport = Transport::of(request.headers(), request.uri());
        let state = Arc::new(Self::new(config, transport, carried.current.clone()));
        carried.enter(Arc::clone(&state) as Arc<dyn LayerState>);
        request.extensions_mut().insert(carried);
        Ok(state)
    }

    fn new(config: &Arc<Config<T>>, transport: Transport, outer: Option<Arc<dyn LayerState>>) -> Self {
        Self {
            config: Arc::clone(config),
            depth: outer.as_ref().map_or(0, |outer| outer.depth()) + 1,
            outer,
            transport,
            shown: OnceLock::new(),
            progress: Mutex::new(Progress {
                fetched: None,
                stage: Stage::Unread,
                aliases: Few::new(),
                none_is_alias: false,
                withheld: None,
                lazy: matches!(config.middleware.0, MiddlewareKind::Lazy),
                head_left: false,
                used: false,
                reserved: false,
                awaited: false,
                owed: Owed::Nothing,
                added: false,
                failed: None,
            }),
            released: Notify::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Progress<T>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The standard callback is the layer's, and the standard middlewares run it: so it runs when its answer is first needed.
    pub(crate) fn fetches_by_itself(&self) -> bool {
        self.config.at_once.fetches
    }

    /// The middleware has nothing to do before the handler.
    pub(crate) fn starts_at_once(&self) -> bool {
        self.config.at_once.starts
    }

    /// The state of the layer of this data type around the handler of a request, and the id that the request carries for it.
    pub(crate) fn of(request: &impl SessionRequestExt) -> Result<(Arc<Self>, Looked), SessionError> {
        let carried = request.extensions().get::<Carried>();
        let state =
            carried.and_then(|carried| Self::among(carried)).ok_or(SessionError::MissingLayer { data: type_name::<T>() })?;
        let set = carried.and_then(|carried| carried.set(state.depth));
        let looked = state.look_at(set, request.headers());
        Ok((state, looked))
    }

    pub(crate) fn among(carried: &Carried) -> Option<Arc<Self>> {
        layer_state(carried, TypeId::of::<T>()).and_then(|state| Arc::clone(state).into_any().downcast().ok())
    }

    /// The id that `request` carries for this session.
    pub(crate) fn look(&self, request: &impl SessionRequestExt) -> Looked {
        let set = request.extensions().get::<Carried>().and_then(|carried| carried.set(self.depth));
        self.look_at(set, request.headers())
    }

    fn look_at(&self, set: Option<&SetId>, headers: &HeaderMap) -> Looked {
        if let Some(id) = set {
            let is_it = |id: &SharedId| cookie::values(headers, self.config.cookie.name()).any(|value| value == id.as_bytes());
            return Looked::One { id: id.clone(), in_cookie: id.as_ref().is_none_or(is_it) };
        }
        if !self.fetches_by_itself() {
            return Looked::One { id: None, in_cookie: true };
        }
        match self.lock().fetched(headers, &self.config) {
            Found::One(id) => Looked::One { id: Some(id.clone()), in_cookie: true },
            Found::Several(_) => Looked::Several,
            Found::Nothing => {
                self.transport.note(headers);
                Looked::One { id: None, in_cookie: true }
            }
        }
    }

    /// Where the cookie stands more than once, the request carries from now on the id that counts.
    pub(crate) fn settle_id(&self, looked: &Looked, parts: &mut Parts) {
        if matches!(looked, Looked::Several)
            && let Stage::Present(present) = &self.lock().stage
        {
            Carried::of(&mut parts.extensions).put_at(self.depth, Some(present.id.clone()));
        }
    }

    /// The id of a request that has just entered, found by a callback that answers at once; `None` where the callback does not,
    /// and is still to be run.
    pub(crate) fn find_at_once(&self, request: Request) -> (Request, Option<Result<(), SessionError>>) {
        if self.fetches_by_itself() {
            return (request, Some(Ok(())));
        }
        let callback = &self.config.session_id;
        if !callback.answers_at_once() {
            return (request, None);
        }
        let (mut parts, body) = request.into_parts();
        let found = callback.call(&mut parts).try_now().ok();
        (Request::from_parts(parts, body), found)
    }

    /// The standard middleware's part before the handler and after the id was found, where all of it can be done at once; `None`
    /// where it cannot. What was read by then is known, and is not read again.
    pub(crate) fn drive_at_once(&self, request: &mut Request) -> Option<Result<(), SessionError>> {
        if !self.config.at_once.store {
            return None;
        }
        let looked = self.look(request);
        match self.read(&looked).try_now().ok()? {
            Ok(Read::Session(_)) => Some(Ok(())),
            Ok(Read::Nothing(Absence::Unknown)) if self.config.at_once.creates => {
                match now(self.create(Arc::clone(&self.config.default_data), OnlyIf::Absent))? {
                    // The middleware knows what `on_store_error` makes of it.
                    Err(error) if error.is_outage() => None,
                    created => Some(created.map(|id| Carried::of(request.extensions_mut()).put(id))),
                }
            }
            Ok(Read::Nothing(_) | Read::Destroyed) => None,
            Err(error) => Some(Err(error)),
        }
    }

    pub(crate) fn fail(&self, error: SessionError) {
        self.lock().failed = Some(Box::new(error));
    }

    pub(crate) fn failure(&self) -> Option<SessionError> {
        self.lock().failed.as_deref().cloned()
    }

    /// Reads the session that the request carries; from the store once a request, until the response has started.
    pub(crate) fn read<'a>(&'a self, looked: &'a Looked) -> Reading<'a, T> {
        let Looked::One { id, in_cookie } = looked else {
            return MaybeReady::boxed(self.read_what_counts());
        };
        if !self.begins() {
            match self.known(id.as_ref()) {
                Err(error) => return MaybeReady::ready(Err(error)),
                Ok(Known::Is(read)) => return MaybeReady::ready(Ok(read)),
                Ok(Known::Stale(id)) => return MaybeReady::boxed(async move { self.read_anew(&id, *in_cookie).await }),
                Ok(Known::Not) => {}
            }
        }
        let Some(id) = id else {
            let mut progress = self.lock();
            progress.arrive(None, Stage::Absent(Absence::Unknown));
            return MaybeReady::ready(Ok(progress.read()));
        };
        match self.config.store.load(id.key()).try_now() {
            Ok(loaded) => self.loaded(id, *in_cookie, loaded.map_err(SessionError::from)),
            Err(loading) => MaybeReady::boxed(async move {
                let loaded = self.bounded(loading).await;
                self.loaded(id, *in_cookie, loaded).await
            }),
        }
    }

    fn loaded<'a>(&'a self, id: &SharedId, in_cookie: bool, loaded: Result<Loaded<T>, SessionError>) -> Reading<'a, T> {
        let record = match loaded {
            Ok(Loaded::Found(record)) => record,
            other => return MaybeReady::ready(self.not_loaded(id, in_cookie, other)),
        };
        let (data, touch_is_due) = (Arc::clone(&record.data), touch_is_due(&record));
        {
            let mut progress = self.lock();
            if !progress.arrive(Some(id), Stage::Present(Present::new(id.clone(), record, in_cookie, false))) {
                return MaybeReady::ready(Ok(progress.read()));
            }
        }
        if !touch_is_due {
            return MaybeReady::ready(Ok(Read::Session(data)));
        }
        if self.config.at_once.store && now(self.touch()).is_some() {
            return MaybeReady::ready(Ok(self.lock().read()));
        }
        MaybeReady::boxed(async {
            self.touch().await;
            Ok(self.lock().read())
        })
    }

    #[cold]
    fn not_loaded(
        &self,
        id: &SharedId,
        in_cookie: bool,
        loaded: Result<Loaded<T>, SessionError>,
    ) -> Result<Read<T>, SessionError> {
        let stage = self.found(id, in_cookie, loaded)?;
        let mut progress = self.lock();
        progress.arrive(Some(id), stage);
        Ok(progress.read())
    }

    /// Reads the session of a cookie that stands more than once.
    async fn read_what_counts(&self) -> Result<Read<T>, SessionError> {
        let ids = match &self.lock().fetched {
            Some(Found::Several(ids)) => ids.to_vec(),
            _ => Vec::new(),
        };
        match self.known(ids.first())? {
            Known::Is(read) => Ok(read),
            Known::Stale(id) => self.read_anew(&id, true).await,
            Known::Not => {
                self.read_several(&ids).await?;
                Ok(self.lock().read())
            }
        }
    }

    /// Reads once more what was read long ago.
    async fn read_anew(&self, id: &SharedId, in_cookie: bool) -> Result<Read<T>, SessionError> {
        let loaded = self.call(|store| store.load(id.key())).await;
        let stage = self.found(id, in_cookie, loaded)?;
        {
            let mut progress = self.lock();
            if progress.is_at(id) {
                match stage {
                    Stage::Present(_) => progress.stage = stage,
                    gone => progress.leave_to(gone),
                }
            }
            if !progress.touch_is_due() {
                return Ok(progress.read());
            }
        }
        self.touch().await;
        Ok(self.lock().read())
    }

    /// Nothing is known of the session yet, and it is to be read.
    fn begins(&self) -> bool {
        let mut progress = self.lock();
        progress.used = true;
        matches!(progress.stage, Stage::Unread) && progress.failed.is_none()
    }

    /// What is known of the session with this id without asking the store.
    fn known(&self, id: Option<&SharedId>) -> Result<Known<T>, SessionError> {
        let mut progress = self.lock();
        progress.used = true;
        match progress.failed.as_deref() {
            Some(error) => Err(error.clone()),
            None => Ok(progress.known(id)),
        }
    }

    /// What the store's answer means.
    fn found(&self, id: &SharedId, by_cookie: bool, loaded: Result<Loaded<T>, SessionError>) -> Result<Stage<T>, SessionError> {
        Ok(match loaded {
            Ok(Loaded::Found(record)) => Stage::Present(Present::new(id.clone(), record, by_cookie, false)),
            Ok(Loaded::Missing) => Stage::Absent(Absence::Unknown),
            Ok(Loaded::JustRotated) => Stage::Absent(Absence::JustRotated),
            Err(error) => Stage::Absent(self.goes_on(error)?),
        })
    }

    /// What `on_store_error` makes of an error: the request goes on without a session, or ends.
    fn goes_on(&self, error: SessionError) -> Result<Absence, SessionError> {
        if self.config.on_store_error == OnStoreError::Fail || !error.is_outage() {
            return Err(error);
        }
        tracing::warn!(%error, "the request goes on without its session");
        Ok(Absence::StoreDown(error))
    }

    /// Loads the ids of a cookie that stands more than once: the one that exists counts, and if more exist, none. Where none
    /// does, one that was just rotated away does, or that could not be looked for.
    async fn read_several(&self, ids: &[SharedId]) -> Result<Option<SharedId>, SessionError> {
        let mut counts = None;
        let mut several = false;
        for id in ids {
            let loaded = self.call(|store| store.load(id.key())).await;
            let stage = self.found(id, true, loaded)?;
            match (&stage, &counts) {
                (Stage::Present(_), Some((_, Stage::Present(_)))) => several = true,
                (Stage::Present(_), _) | (Stage::Absent(Absence::JustRotated | Absence::StoreDown(_)), None) => {
                    counts = Some((id.clone(), stage));
                }
                _ => {}
            }
        }
        let (id, stage) = match counts {
            Some((id, stage)) if !several => (Some(id), stage),
            _ => (None, Stage::Absent(Absence::Unknown)),
        };
        let due = {
            let mut progress = self.lock();
            // All of them lead to what was read.
            if !matches!(progress.known(ids.first()), Known::Not) || !progress.arrive(id.as_ref(), stage) {
                return Ok(progress.present_id().or_else(|| ids.first().cloned()));
            }
            for id in ids {
                progress.aliases.push(id.clone());
            }
            progress.touch_is_due()
        };
        if due {
            self.touch().await;
        }
        Ok(id)
    }

    /// Renews the idle limit of a session that was read. Where the client's cookie has to move with it, that waits for the
    /// response.
    async fn touch(&self) {
        let id = {
            let mut progress = self.lock();
            let Stage::Present(present) = &progress.stage else { return };
            if self.config.cookie.persistent && present.by_cookie && !progress.head_left {
                progress.owe(Owed::Renew);
                return;
            }
            present.id.clone()
        };
        match self.call(|store| store.touch(id.key())).await {
            Ok(true) => self.renewed(&id),
            Ok(false) => self.not_touched(&id).await,
            // The read was good; the next one tries again.
            Err(error) => tracing::warn!(%error, "a session's idle limit was not renewed"),
        }
    }

    /// The session that was read a moment ago is no longer there. Where another request has moved it to a new id, nothing is
    /// created for the old one.
    async fn not_touched(&self, id: &SharedId) {
        let absence = match self.call(|store| store.load(id.key())).await {
            Ok(Loaded::Missing) => Absence::Unknown,
            Ok(Loaded::JustRotated) => Absence::JustRotated,
            Ok(Loaded::Found(_)) | Err(_) => return,
        };
        // If it was another task of this request, that one knows the new id by then.
        if self.unreserved().await.is_err() {
            return;
        }
        let mut progress = self.lock();
        if progress.is_at(id) {
            progress.leave_to(Stage::Absent(absence));
        }
    }

    fn renewed(&self, id: &SharedId) {
        let mut progress = self.lock();
        if let Stage::Present(present) = &mut progress.stage
            && present.id == *id
        {
            present.record.absolute_in = present.absolute_left();
            present.record.expires_in = full_life(&present.record);
        }
    }

    /// Changes the session's data by compare-and-swap, and its id with it where `rotate` says so. Where there is none, the lazy
    /// middleware's is created.
    pub(crate) async fn change<R, E: From<SessionError>>(
        &self,
        rotate: Rotate,
        mut edit: impl FnMut(&Arc<T>) -> Result<(R, Arc<T>), E>,
    ) -> Result<R, E> {
        let mut retries = Retries::new(&self.config);
        loop {
            let Some(Base { id, data, version }) = self.base()? else {
                if rotate == Rotate::Only {
                    return Err(SessionError::NotExists.into());
                }
                let (result, data) = edit(&self.config.default_data)?;
                match self.create(data, OnlyIf::Absent).await? {
                    Some(_) => return Ok(result),
                    // Another task of this request has created it meanwhile.
                    None => continue,
                }
            };
            if retries.is_to_line_up(&id) {
                Box::pin(self.go_on(&mut retries, &id)).await?;
                continue;
            }
            let (result, data) = edit(&data)?;
            let done = if rotate == Rotate::No {
                self.replace(&id, Some(version), data).await?
            } else {
                self.rotate(&id, version, data).await?
            };
            match done {
                Done::Yes => {
                    retries.pass_on(|| self.base().ok().flatten().filter(|base| base.id == id));
                    return Ok(result);
                }
                Done::Moved => {}
                Done::Conflict => Box::pin(self.go_on(&mut retries, &id)).await?,
            }
        }
    }

    /// Waits until the session may be changed, and gets to know what it is then.
    async fn go_on(&self, retries: &mut Retries<'_, T>, id: &SharedId) -> Result<(), SessionError> {
        match retries.wait(id).await {
            Next::Reload => self.reload(id).await,
            Next::Known(Base { version, data, .. }) => {
                self.lock().replaced(id, version, data, false);
                Ok(())
            }
            Next::GiveUp => Err(SessionError::Conflict),
        }
    }

    /// Replaces the data, whichever it is.
    pub(crate) async fn set(&self, data: Arc<T>) -> Result<(), SessionError> {
        let mut retries = Retries::new(&self.config);
        loop {
            let Some(Base { id, .. }) = self.base()? else {
                match self.create(Arc::clone(&data), OnlyIf::Absent).await? {
                    Some(_) => return Ok(()),
                    None => continue,
                }
            };
            match self.replace(&id, None, Arc::clone(&data)).await? {
                Done::Yes => return Ok(()),
                Done::Moved => {}
                // Not what a store should say where any version will do.
                Done::Conflict => {
                    if matches!(Box::pin(retries.wait(&id)).await, Next::GiveUp) {
                        return Err(SessionError::Conflict);
                    }
                }
            }
        }
    }

    /// What a change starts from: the session as this request knows it, or `None` where the change is to create it.
    fn base(&self) -> Result<Option<Base<T>>, SessionError> {
        let progress = self.lock();
        if let Some(error) = progress.failed.as_deref() {
            return Err(error.clone());
        }
        match &progress.stage {
            Stage::Present(Present { id, record, .. }) => {
                Ok(Some(Base { id: id.clone(), data: Arc::clone(&record.data), version: record.version }))
            }
            Stage::Absent(Absence::StoreDown(error)) => Err(error.clone()),
            Stage::Absent(Absence::Unknown) if progress.lazy => Ok(None),
            Stage::Absent(_) | Stage::Destroyed | Stage::Unread => Err(SessionError::NotExists),
        }
    }

    async fn reload(&self, id: &SharedId) -> Result<(), SessionError> {
        match self.call(|store| store.load(id.key())).await? {
            Loaded::Found(record) => {
                let mut progress = self.lock();
                if let Stage::Present(present) = &mut progress.stage
                    && present.id == *id
                {
                    // If another task of this request has written meanwhile, the next try meets a conflict and comes back.
                    present.record = record;
                }
                Ok(())
            }
            Loaded::Missing | Loaded::JustRotated => self.moved_or_gone(id).await.map(drop),
        }
    }

    fn replace<'a>(
        &'a self,
        id: &'a SharedId,
        expected: Option<Version>,
        data: Arc<T>,
    ) -> MaybeReady<'a, Result<Done, SessionError>> {
        match self.config.store.replace(id.key(), expected, Arc::clone(&data)).try_now() {
            Ok(replaced) => self.replaced(id, data, replaced.map_err(SessionError::from)),
            Err(replacing) => MaybeReady::boxed(async move {
                let replaced = self.bounded(replacing).await;
                self.replaced(id, data, replaced).await
            }),
        }
    }

    fn replaced<'a>(
        &'a self,
        id: &'a SharedId,
        data: Arc<T>,
        replaced: Result<Replaced, SessionError>,
    ) -> MaybeReady<'a, Result<Done, SessionError>> {
        MaybeReady::ready(match replaced {
            Ok(Replaced::Replaced(version)) => {
                self.lock().replaced(id, version, data, self.config.cookie.persistent);
                Ok(Done::Yes)
            }
            Ok(Replaced::Conflict) => Ok(Done::Conflict),
            Ok(Replaced::Missing) => return MaybeReady::boxed(self.moved_or_gone(id)),
            Err(error) => Err(error),
        })
    }

    /// The store does not hold the session any more: another task of this request has rotated it, or it is gone for good.
    async fn moved_or_gone(&self, id: &SharedId) -> Result<Done, SessionError> {
        self.unreserved().await?;
        let mut progress = self.lock();
        match &progress.stage {
            Stage::Present(present) if present.id != *id => Ok(Done::Moved),
            Stage::Present(_) => {
                progress.leave_to(Stage::Destroyed);
                Err(SessionError::NotExists)
            }
            _ => Err(SessionError::NotExists),
        }
    }

    async fn rotate(&self, old: &SharedId, version: Version, data: Arc<T>) -> Result<Done, SessionError> {
        for _ in 0..NEW_ID_TRIES {
            let new = self.config.generate.call().await?;
            let _reservation = self.reserve().await?;
            let Some(moved) = self.lock().record_to_move(old, version, &data) else { return Ok(Done::Moved) };
            match self.call(|store| store.rotate(old.key(), new.key(), moved)).await? {
                Rotated::Rotated(version) => {
                    self.lock().rotated(old, new, version, data);
                    return Ok(Done::Yes);
                }
                Rotated::Conflict => return Ok(Done::Conflict),
                Rotated::Missing => {
                    let mut progress = self.lock();
                    if progress.is_at(old) {
                        progress.leave_to(Stage::Destroyed);
                    }
                    return Err(SessionError::NotExists);
                }
                Rotated::Exists => {}
            }
        }
        Err(SessionError::RepeatedId { callback: self.config.generate.name() })
    }

    /// Stores a new session of `data`; `None` where it is only for a request without one, and there is one by now.
    pub(crate) async fn create(&self, data: Arc<T>, only_if: OnlyIf) -> Result<Option<SharedId>, SessionError> {
        for _ in 0..NEW_ID_TRIES {
            let id = self.config.generate.call().await?;
            let _reservation = self.reserve().await?;
            {
                let mut progress = self.lock();
                match &progress.stage {
                    Stage::Absent(Absence::Unknown) | Stage::Unread => {}
                    Stage::Absent(_) if only_if == OnlyIf::Asked => return Ok(Some(progress.withhold(id))),
                    _ if only_if == OnlyIf::Absent => return Ok(None),
                    _ => {}
                }
            }
            let limits = self.config.limits;
            let session = NewSession::new(Arc::clone(&data), limits);
            let created = match self.call(|store| store.create(id.key(), session)).await {
                Err(error) if only_if == OnlyIf::Asked => {
                    let absence = self.goes_on(error)?;
                    let mut progress = self.lock();
                    progress.used = true;
                    progress.leave_to(Stage::Absent(absence));
                    return Ok(Some(progress.withhold(id)));
                }
                created => created?,
            };
            if let Created::Created(version) = created {
                let life = limits.absolute.map_or(limits.idle, |absolute| absolute.min(limits.idle));
                let record = Record::new(data, version, limits.idle, life, limits.absolute);
                let mut progress = self.lock();
                progress.used = true;
                progress.stage = Stage::Present(Present::new(id.clone(), record, true, true));
                if only_if == OnlyIf::Absent {
                    progress.owed = Owed::Set;
                }
                return Ok(Some(id));
            }
        }
        Err(SessionError::RepeatedId { callback: self.config.generate.name() })
    }

    pub(crate) async fn destroy(&self) -> Result<(), SessionError> {
        let mut client_has_it = false;
        loop {
            self.unreserved().await?;
            let id = {
                let mut progress = self.lock();
                progress.used = true;
                match &progress.stage {
                    Stage::Present(present) => {
                        client_has_it |= present.by_cookie && !present.fresh;
                        present.id.clone()
                    }
                    Stage::Absent(Absence::StoreDown(error)) => return Err(error.clone()),
                    _ => return Ok(()),
                }
            };
            let deleted = self.call(|store| store.delete(id.key())).await?;
            // Where there was nothing to delete, another request has ended the session, or has moved it to an id that this one
            // does not know: then it is still there.
            let rotated = !deleted && matches!(self.call(|store| store.load(id.key())).await?, Loaded::JustRotated);
            // If it was another task of this request that moved it, that one has said by then where to.
            self.unreserved().await?;
            let mut progress = self.lock();
            match &progress.stage {
                Stage::Present(present) if present.id != id => continue,
                Stage::Present(_) if rotated => {
                    progress.leave_to(Stage::Absent(Absence::JustRotated));
                    return Err(SessionError::Conflict);
                }
                Stage::Present(_) => {}
                // Another task of this request has seen that it is gone before the one that ended it could say so.
                _ if deleted => {}
                _ => return Ok(()),
            }
            progress.leave_to(Stage::Destroyed);
            if client_has_it || progress.added {
                progress.owed = Owed::Remove;
            }
            return Ok(());
        }
    }

    /// Waits until no other task of this request creates or rotates the session, and keeps others, and the response, from
    /// going ahead meanwhile.
    fn reserve(&self) -> MaybeReady<'_, Result<Reservation<'_, T>, SessionError>> {
        match self.try_reserve() {
            Ok(Some(reservation)) => MaybeReady::ready(Ok(reservation)),
            Err(error) => MaybeReady::ready(Err(error)),
            Ok(None) => MaybeReady::boxed(async {
                loop {
                    self.unreserved().await?;
                    if let Some(reservation) = self.try_reserve()? {
                        return Ok(reservation);
                    }
                }
            }),
        }
    }

    fn try_reserve(&self) -> Result<Option<Reservation<'_, T>>, SessionError> {
        let mut progress = self.lock();
        if progress.head_left {
            return Err(SessionError::ResponseStarted);
        }
        // Made where it is given: one that is dropped would end that of another.
        Ok((!mem::replace(&mut progress.reserved, true)).then(|| Reservation(self)))
    }

    /// Waits for the reservation to end.
    ///
    /// # Errors
    ///
    /// It took longer than `store_timeout`, and so than the call it is for: nobody goes on with it.
    async fn unreserved(&self) -> Result<(), SessionError> {
        loop {
            let released = self.released.notified();
            {
                let mut progress = self.lock();
                if !progress.reserved {
                    return Ok(());
                }
                progress.awaited = true;
            }
            if tokio::time::timeout(self.config.store_timeout, released).await.is_err() {
                return Err(SessionError::StoreTimeout);
            }
        }
    }

    /// Lets the response's head go, with what it owes the client, unless something has to be waited for first; `at_last` it
    /// waits for no reservation.
    pub(crate) fn try_leave(&self, response: &mut Response, at_last: bool) -> bool {
        let mut progress = self.lock();
        if progress.reserved && !at_last || progress.owed == Owed::Renew {
            return false;
        }
        progress.head_left = true;
        response::finish(self, &progress, response);
        true
    }

    /// Lets the response's head go when nothing is under way that owes it a cookie.
    pub(crate) async fn leave(&self, response: &mut Response) {
        let mut at_last = false;
        while !self.try_leave(response, at_last) {
            at_last = self.unreserved().await.is_err();
            self.renew().await;
        }
    }

    /// Touches the session whose cookie is to be renewed: another request may have rotated or destroyed it meanwhile, and then
    /// its id must not be sent again.
    async fn renew(&self) {
        let id = {
            let mut progress = self.lock();
            if progress.owed != Owed::Renew {
                return;
            }
            progress.owed = Owed::Nothing;
            let Stage::Present(present) = &progress.stage else { return };
            present.id.clone()
        };
        match self.call(|store| store.touch(id.key())).await {
            Ok(true) => {
                self.renewed(&id);
                let mut progress = self.lock();
                if progress.is_at(&id) && progress.owed == Owed::Nothing {
                    progress.owed = Owed::Set;
                }
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "a session's idle limit was not renewed"),
        }
    }

    /// A call of the store, bounded by `store_timeout`.
    fn call<'a, R: Send + 'a>(
        &'a self,
        call: impl FnOnce(&'a dyn Store<T>) -> StoreFuture<'a, R>,
    ) -> MaybeReady<'a, Result<R, SessionError>> {
        match call(&*self.config.store).try_now() {
            Ok(result) => MaybeReady::ready(result.map_err(SessionError::from)),
            Err(future) => MaybeReady::boxed(self.bounded(future)),
        }
    }

    async fn bounded<R>(&self, call: StoreFuture<'_, R>) -> Result<R, SessionError> {
        match tokio::time::timeout(self.config.store_timeout, call).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(SessionError::StoreTimeout),
        }
    }
}

impl<T> Progress<T> {
    fn fetched(&mut self, headers: &HeaderMap, config: &Config<T>) -> &Found {
        self.fetched.get_or_insert_with(|| Found::in_cookies(headers, config.cookie.name()))
    }

    /// What was read becomes the stage; `false` where another task of this request has read it meanwhile: what that one made of
    /// it counts.
    fn arrive(&mut self, id: Option<&SharedId>, stage: Stage<T>) -> bool {
        if !matches!(self.stage, Stage::Unread) && !self.make_way(id) {
            return false;
        }
        self.none_is_alias = id.is_none();
        self.aliases.clear();
        if let (Some(id), Stage::Absent(_)) = (id, &stage) {
            self.aliases.push(id.clone());
        }
        self.stage = stage;
        true
    }

    /// Gives the stage up for another session, whose id the client is not to get for this one's.
    #[cold]
    fn make_way(&mut self, id: Option<&SharedId>) -> bool {
        let is_another = matches!(self.known(id), Known::Not);
        if is_another && self.owed != Owed::Remove {
            self.owed = Owed::Nothing;
        }
        is_another
    }

    /// Keeps the id from the client: nothing is stored under it.
    fn withhold(&mut self, id: SharedId) -> SharedId {
        self.aliases.push(id.clone());
        self.withheld = Some(id.clone());
        id
    }

    fn touch_is_due(&self) -> bool {
        self.stage.touch_is_due()
    }

    /// The data of the session with this id were replaced.
    fn replaced(&mut self, id: &SharedId, version: Version, data: Arc<T>, persistent: bool) {
        let renew = persistent && !self.head_left;
        if let Stage::Present(present) = &mut self.stage
            && present.id == *id
            && present.record.version <= version
        {
            present.renew(version, data);
            if renew && present.by_cookie {
                self.owe(Owed::Renew);
            }
        }
    }

    /// The session as it is to be moved, where it has this id.
    fn record_to_move(&self, id: &SharedId, version: Version, data: &Arc<T>) -> Option<Record<T>> {
        match &self.stage {
            Stage::Present(present) if present.id == *id => {
                let absolute_in = present.absolute_left();
                Some(Record { data: Arc::clone(data), version, absolute_in, ..present.record })
            }
            _ => None,
        }
    }

    /// The session has got a new id.
    fn rotated(&mut self, old: &SharedId, new: SharedId, version: Version, data: Arc<T>) {
        self.aliases.push(old.clone());
        if let Stage::Present(present) = &mut self.stage
            && present.id == *old
        {
            present.id = new;
            present.renew(version, data);
            if present.by_cookie {
                self.owed = Owed::Set;
            }
        }
    }

    fn known(&self, id: Option<&SharedId>) -> Known<T> {
        let means_the_stage = match id {
            None => self.none_is_alias,
            Some(id) => self.is_at(id) || self.aliases.iter().any(|alias| alias == id),
        };
        match &self.stage {
            Stage::Unread => Known::Not,
            _ if !means_the_stage => Known::Not,
            // The rest of the response may take long: what was read is not what is there any more.
            Stage::Present(present) if self.head_left => Known::Stale(present.id.clone()),
            _ => Known::Is(self.read()),
        }
    }

    fn read(&self) -> Read<T> {
        self.stage.read()
    }

    fn present_id(&self) -> Option<SharedId> {
        match &self.stage {
            Stage::Present(present) => Some(present.id.clone()),
            _ => None,
        }
    }

    fn is_at(&self, id: &SharedId) -> bool {
        matches!(&self.stage, Stage::Present(present) if present.id == *id)
    }

    /// The session of the stage is no more, whichever of its ids is asked for; and nothing is owed for it.
    fn leave_to(&mut self, stage: Stage<T>) {
        if let Stage::Present(present) = &self.stage {
            self.aliases.push(present.id.clone());
        }
        self.stage = stage;
        self.owed = Owed::Nothing;
    }

    fn owe(&mut self, owed: Owed) {
        if self.owed == Owed::Nothing {
            self.owed = owed;
        }
    }

    /// The id to send where `id` is to be added to the response: the one the session has by now, if it has one.
    pub(crate) fn id_to_add(&self, id: &SessionId) -> Option<SessionId> {
        let is_it = |known: &SharedId| **known == *id;
        if self.withheld.as_ref().is_some_and(is_it) {
            return None;
        }
        match &self.stage {
            Stage::Present(present) if is_it(&present.id) || self.aliases.iter().any(is_it) => Some(*present.id),
            Stage::Destroyed if self.aliases.iter().any(is_it) => None,
            _ => Some(*id),
        }
    }
}

impl<T> Stage<T> {
    fn read(&self) -> Read<T> {
        match self {
            Self::Present(present) => Read::Session(Arc::clone(&present.record.data)),
            Self::Absent(absence) => Read::Nothing(absence.clone()),
            Self::Unread => Read::Nothing(Absence::Unknown),
            Self::Destroyed => Read::Destroyed,
        }
    }

    fn touch_is_due(&self) -> bool {
        matches!(self, Self::Present(present) if touch_is_due(&present.record))
    }
}

impl<T> Present<T> {
    fn new(id: SharedId, record: Record<T>, by_cookie: bool, fresh: bool) -> Self {
        let absolute_at = record.absolute_in.and_then(|left| Instant::now().checked_add(left));
        Self { id, record, absolute_at, by_cookie, fresh }
    }

    /// The time left until the absolute limit.
    fn absolute_left(&self) -> Option<Duration> {
        self.absolute_at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// The data were changed, which renews the session.
    fn renew(&mut self, version: Version, data: Arc<T>) {
        let absolute_in = self.absolute_left();
        let expires_in = absolute_in.map_or(self.record.idle, |absolute| absolute.min(self.record.idle));
        self.record = Record { data, version, expires_in, absolute_in, ..self.record };
    }
}

impl<T: Clone + Send + Sync + 'static> LayerState for State<T> {
    fn depth(&self) -> u32 {
        self.depth
    }

    fn outer(&self) -> Option<&Arc<dyn LayerState>> {
        self.outer.as_ref()
    }

    fn cookie_name(&self) -> &str {
        self.config.cookie.name()
    }

    fn data_type(&self) -> TypeId {
        TypeId::of::<T>()
    }

    fn data_type_name(&self) -> &'static str {
        type_name::<T>()
    }

    fn auto_fetched(&self, headers: &HeaderMap) -> Option<&Found> {
        let show = || Box::new(self.lock().fetched(headers, &self.config).clone());
        self.fetches_by_itself().then(|| &**self.shown.get_or_init(show))
    }

    fn pick<'a>(&'a self, ids: &'a [SharedId]) -> MaybeReady<'a, Option<SharedId>> {
        MaybeReady::boxed(async {
            self.read_several(ids).await.unwrap_or_else(|error| {
                self.fail(error);
                None
            })
        })
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

struct Reservation<'a, T>(&'a State<T>);

impl<T> Drop for Reservation<'_, T> {
    fn drop(&mut self) {
        let mut progress = self.0.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.reserved = false;
        if mem::take(&mut progress.awaited) {
            drop(progress);
            self.0.released.notify_waiters();
        }
    }
}

/// Whether a change moves the session to a new id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotate {
    No,
    /// With the change, in one commit.
    Too,
    /// It is all that is asked, so it creates nothing.
    Only,
}

/// When a session is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnlyIf {
    /// Where the request has none: a change under the lazy middleware. The cookie is sent by itself.
    Absent,
    /// `create_session` asks for it. The cookie is sent by `add_session_id`.
    Asked,
}

enum Done {
    Yes,
    Conflict,
    /// The session has another id by now: try with that.
    Moved,
}

/// The line of the changes of one session that met a conflict, and of those that came since.
pub(crate) struct Line<T> {
    turns: u64,
    /// What the one whose turn it was made of the session, for the next.
    left: Option<Base<T>>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { turns: 0, left: None }
    }
}

/// The tries of a change that meets conflicts. It gets in line with the others of this layer that did, so that the one whose turn
/// it is has only other processes to meet. Of those one succeeds each time, so it tries again at once: who waited longer the more
/// often it failed would fail ever more. What meets conflicts even so does not spin: it waits a little, until the time is over.
struct Retries<'a, T> {
    config: &'a Config<T>,
    deadline: Option<Instant>,
    count: u32,
    line: InLine<T>,
}

enum InLine<T> {
    NotYet,
    /// Until this is dropped it is this change's turn.
    Turn(Place<u64, Line<T>>),
    /// One turn takes so long that its change may not be at work on it: then each tries for itself.
    Left,
}

/// What a change goes on from.
enum Next<T> {
    Reload,
    Known(Base<T>),
    /// The time is over.
    GiveUp,
}

impl<'a, T> Retries<'a, T> {
    const AT_ONCE: u32 = 64;
    const LONGEST_WAIT: Duration = Duration::from_millis(2);

    const fn new(config: &'a Config<T>) -> Self {
        Self { config, deadline: None, count: 0, line: InLine::NotYet }
    }

    /// Others wait in line to change the session, and this change does not yet.
    fn is_to_line_up(&self, id: &SharedId) -> bool {
        matches!(self.line, InLine::NotYet) && self.config.lines.is_in_use(|| Self::line_of(id))
    }

    fn line_of(id: &SharedId) -> u64 {
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        HASHER.hash_one(id.as_bytes())
    }

    async fn wait(&mut self, id: &SharedId) -> Next<T> {
        let now = Instant::now();
        let limit = self.config.store_timeout;
        let deadline = *self.deadline.get_or_insert_with(|| now.checked_add(limit).unwrap_or(now));
        if matches!(self.line, InLine::NotYet) {
            return self.line_up(id, deadline).await;
        }
        if now >= deadline {
            return Next::GiveUp;
        }
        self.count += 1;
        if self.count <= Self::AT_ONCE {
            tokio::task::yield_now().await;
        } else {
            let wait = Self::LONGEST_WAIT.mul_f64(rand::random());
            tokio::time::sleep(wait.min(deadline - now)).await;
        }
        Next::Reload
    }

    async fn line_up(&mut self, id: &SharedId, deadline: Instant) -> Next<T> {
        let place = self.config.lines.place(Self::line_of(id));
        let mut turns = place.value().turns;
        {
            let mut turn = pin!(place.take(ALL));
            while tokio::time::timeout(self.config.store_timeout / 2, turn.as_mut()).await.is_err() {
                if Instant::now() >= deadline {
                    return Next::GiveUp;
                }
                if place.value().turns == turns {
                    self.line = InLine::Left;
                    return Next::Reload;
                }
                turns = place.value().turns;
            }
        }
        let left = {
            let mut line = place.value();
            line.turns += 1;
            line.left.take()
        };
        self.line = InLine::Turn(place);
        // Another session's, where the hashes are the same.
        left.filter(|left| left.id == *id).map_or(Next::Reload, Next::Known)
    }

    /// Tells the next in line what has become of the session, unless other processes will have changed it by then.
    fn pass_on(&self, base: impl FnOnce() -> Option<Base<T>>) {
        if let InLine::Turn(place) = &self.line
            && self.count == 0
        {
            place.value().left = base();
        }
    }
}

/// The time until a session expires that was used just now.
fn full_life<T>(record: &Record<T>) -> Duration {
    record.absolute_in.map_or(record.idle, |absolute| absolute.min(record.idle))
}

/// A tenth of the idle limit has passed since it was last renewed, and renewing it would help.
fn touch_is_due<T>(record: &Record<T>) -> bool {
    // Mostly it is far from due, which whole seconds tell.
    if record.absolute_in.is_none() && record.expires_in.as_secs() / 9 > record.idle.as_secs() / 10 {
        return false;
    }
    full_life(record).saturating_sub(record.expires_in) >= record.idle / 10
}

impl SessionError {
    fn is_outage(&self) -> bool {
        matches!(self, Self::StoreUnavailable(StoreError::Unavailable(_)) | Self::StoreTimeout)
    }
}
