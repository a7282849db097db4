//! Does what [`core`](super::core) decides: calls the store, waits, tries again. It holds the lock for one expression, and never across an await (law 12).

use std::any::{Any, type_name};
use std::error::Error;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use futures_util::future::join_all;
use http::request::Parts;
use http::{HeaderMap, Method};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;

use super::core::{
    AfterDelete, AfterLoad, Base, BeginChange, BeginCreate, BeginDestroy, BeginRotate, Begun, ChangeKind, Core, Create, Deleted,
    Depart, Departing, OwnerStep, Policy, Read, View, how_gone,
};
use super::departure;
use super::retries::{Lines, Next, Retries};
use crate::config::{OnStoreError, OnUndecodable};
use crate::cookie::{self, CookieTemplate, SameSite};
use crate::error::SessionError;
use crate::id::{GenerateCallback, Key, Namespace, SessionId, SharedId};
use crate::inline_vec::InlineVec;
use crate::log;
use crate::maybe_ready::{MaybeReady, poll_immediate};
use crate::owner::{Owner, OwnerBytes, OwnerOf, SessionHandle};
use crate::request::{Carried, CarriedId, EnteredLayer, SessionIdCallback, SessionRequestExt};
use crate::store::{
    Answer, Attributes, Belonging, Change, Created, ErasedStore, Limits, Loaded, NewSession, OwnerLimit, Replaced, Rotated,
    Rotation, Traced,
};
use crate::to_its_end::ToItsEnd;
use crate::transport::Transport;

/// How many new ids are tried if each one is taken.
const NEW_ID_TRIES: usize = 8;

/// The application's own answer of an error.
pub(crate) type ErrorResponse = Box<dyn Fn(SessionError) -> Response + Send + Sync>;

/// What a layer was set up with.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Setup<T> {
    pub(crate) default_data: Arc<T>,
    pub(crate) session_id: SessionIdCallback,
    pub(crate) generate: GenerateCallback,
    pub(crate) policy: Policy,
    pub(crate) store: Arc<dyn ErasedStore<T>>,
    /// The same store.
    pub(crate) traced_store: Traced<T>,
    pub(crate) namespace: Namespace,
    pub(crate) cookie: CookieTemplate,
    pub(crate) same_site: SameSite,
    pub(crate) store_timeout: Duration,
    pub(crate) error_response: Option<ErrorResponse>,
    pub(crate) owner: Option<OwnerOf<T>>,
    pub(crate) owner_limit: Option<OwnerLimit>,
    pub(crate) login_path: Option<Box<str>>,
    /// The standard callback is the layer's, and a standard middleware runs it: so it looks when the id is first needed.
    pub(crate) looks_when_needed: bool,
    /// Neither the store nor the generator ever waits.
    pub(crate) begins_immediately: bool,
    /// The layer's middleware is the lazy one.
    pub(crate) lazy: bool,
    /// The middleware has nothing to do before the handler.
    pub(crate) starts_immediately: bool,
    /// The changes of a session that met a conflict.
    pub(crate) lines: Arc<Lines<T>>,
}

impl<T> Setup<T> {
    /// If `response` answers an error, it becomes the application's own answer of it.
    #[cold]
    pub(crate) fn answer_by_own(&self, response: &mut Response) {
        if let Some(error_response) = &self.error_response
            && let Some(error) = response.extensions_mut().remove::<SessionError>()
        {
            let answered = std::mem::replace(response, error_response(error));
            departure::keep(answered.headers(), response.headers_mut());
            // It may have been made of the error's own response. No other layer answers it again.
            response.extensions_mut().remove::<SessionError>();
        }
    }
}

impl<T: Send + Sync + 'static> Setup<T> {
    /// Who a session is to belong to. The limit is not asked of one that its owner has already.
    fn belonging(&self, owner: &OwnerBytes, step: OwnerStep) -> Result<Box<Belonging>, SessionError> {
        let mut belonging = Belonging::new(self.named(owner)?);
        if step == OwnerStep::New {
            belonging.limit = self.owner_limit;
        }
        Ok(Box::new(belonging))
    }

    /// What a new session with this data has beside it, if that is anything.
    #[inline]
    fn beginning(&self, data: &T, own: Option<&OwnLimits>) -> Result<Option<Box<Beginning>>, SessionError> {
        if self.owner.is_none() && own.is_none() { Ok(None) } else { self.beginning_by_owner(data, own) }
    }

    #[cold]
    fn beginning_by_owner(&self, data: &T, own: Option<&OwnLimits>) -> Result<Option<Box<Beginning>>, SessionError> {
        let owner = self.owner.as_ref().and_then(|owner| owner.of(data));
        let owner = owner.map(|owner| self.belonging(&owner, OwnerStep::New)).transpose()?;
        let mut attributes = Attributes { persistent: own.and_then(|own| own.persistent), ..Attributes::new() };
        if owner.is_some() {
            (attributes.handle, attributes.proven) = (Some(SessionHandle::random()), Some(Duration::ZERO));
        }
        let attributes = (attributes != Attributes::new()).then(|| Arc::new(attributes));
        Ok(Some(Box::new(Beginning { limits: own.map_or(self.policy.limits, |own| own.limits), attributes, owner })))
    }

    /// A call of the store, bounded by `store_timeout`, and what comes of its answer.
    #[inline]
    pub(super) fn call_then<'a, R: Send + 'a, S: Send + 'a>(
        &'a self,
        operation: &'static str,
        call: impl FnOnce(&'a dyn ErasedStore<T>) -> Answer<'a, R>,
        next: impl FnOnce(Result<R, SessionError>) -> MaybeReady<'a, S> + Send + 'a,
    ) -> MaybeReady<'a, S> {
        match call(self.seen_store()).try_now() {
            Ok(answer) => next(answer.map_err(SessionError::from)),
            Err(calling) => MaybeReady::boxed(async move { next(self.bounded(operation, calling).await).await }),
        }
    }

    async fn bounded<R>(&self, operation: &'static str, calling: Answer<'_, R>) -> Result<R, SessionError> {
        let after = self.store_timeout;
        if let Ok(answer) = tokio::time::timeout(after, calling).await {
            return Ok(answer?);
        }
        let no_answer = NoAnswer { store: self.store.name(), operation, after };
        log::error(&no_answer, "the session store did not answer in time");
        Err(SessionError::StoreTimeout)
    }

    #[inline]
    fn seen_store(&self) -> &dyn ErasedStore<T> {
        if is_traced() { &self.traced_store } else { &*self.store }
    }

    /// The name of an owner in the store.
    pub(super) fn named(&self, owner: &OwnerBytes) -> Result<Owner, SessionError> {
        if !self.store.keeps_owners() {
            return Err(SessionError::NoOwners);
        }
        Ok(Owner::of(&self.namespace, owner))
    }

    /// The name of the owner of a session with this data, if it has one.
    pub(crate) fn owner_of(&self, data: &T) -> Result<Option<Owner>, SessionError> {
        self.owner.as_ref().and_then(|owner| owner.of(data)).map(|owner| self.named(&owner)).transpose()
    }
}

/// One layer's part in one request.
pub(crate) struct Driver<T> {
    pub(crate) setup: Arc<Setup<T>>,
    outer: Option<Arc<dyn EnteredLayer>>,
    depth: u32,
    transport: Transport,
    core: Mutex<Core<T>>,
    /// What few requests need. Boxed: a driver of more than 240 bytes costs more to move into its `Arc`.
    seldom: OnceLock<Box<Seldom>>,
}

#[derive(Default)]
struct Seldom {
    /// What `session_id()` shows of the id that came.
    shown: OnceLock<CarriedId>,
    /// Told when an exclusive step ends, if somebody waits for that.
    released: Notify,
}

/// What became of a write.
enum WriteOutcome {
    Committed,
    Conflict,
    /// Another task of the request has given the session a new id.
    IdChanged,
    /// The store does not hold it any more.
    Gone,
}

/// How a rotation begins.
enum RotateStart<'a> {
    /// Another step is under way that owes the client a cookie.
    Busy,
    /// These are to be ended before.
    After(InlineVec<SharedId>),
    IdChanged,
    Done(Rotated),
    Waits(Called<'a, Rotated>),
}

/// How the creation of a session begins.
enum CreateStart<'a> {
    /// Another step is under way that owes the client a cookie.
    Busy,
    /// These are to be ended before.
    After(InlineVec<SharedId>),
    /// Nothing is to be stored, and the client is not to get the id.
    Withheld,
    /// Another task of the request has created it.
    Exists,
    Started(Called<'a, Created>),
}

/// What a new session has beside its data.
struct Beginning {
    limits: Limits,
    attributes: Option<Arc<Attributes>>,
    owner: Option<Box<Belonging>>,
}

/// What one session has of its own.
pub(crate) struct OwnLimits {
    pub(super) limits: Limits,
    pub(super) persistent: Option<bool>,
}

pub(super) type Called<'a, R> = MaybeReady<'a, Result<R, SessionError>>;

type Viewed<'a, T> = MaybeReady<'a, Result<View<T>, SessionError>>;

impl<T: Clone + Send + Sync + 'static> Driver<T> {
    /// The part of this layer in a request that enters it; `None` if the request has entered the same layer before.
    pub(crate) fn enter(setup: &Arc<Setup<T>>, request: &mut Request) -> Result<Option<Arc<Self>>, SessionError> {
        let transport = Transport::of(request.headers(), request.uri());
        let driver = Arc::new(Self::new(setup, transport, None));
        match request.extensions_mut().insert(Carried::by(Arc::clone(&driver) as Arc<dyn EnteredLayer>)) {
            None => Ok(Some(driver)),
            Some(carried) => Self::enter_within(setup, carried, request),
        }
    }

    /// The same if the request carries something already: it has entered other layers, or was given an id before any.
    #[cold]
    fn enter_within(
        setup: &Arc<Setup<T>>,
        mut carried: Carried,
        request: &mut Request,
    ) -> Result<Option<Arc<Self>>, SessionError> {
        if carried.layers().any(|layer| layer.identity() == identity(setup)) {
            request.extensions_mut().insert(carried);
            return Ok(None);
        }
        if let Some(other) = carried.layers().find(|layer| layer.cookie_name() == setup.cookie.name()) {
            let (outer, inner) = (other.data_type_name(), type_name::<T>());
            carried.layers().for_each(|layer| layer.refuse());
            return Err(SessionError::DuplicateCookie { outer, inner });
        }
        let transport = Transport::of(request.headers(), request.uri());
        let driver = Arc::new(Self::new(setup, transport, carried.current.clone()));
        carried.enter(Arc::clone(&driver) as Arc<dyn EnteredLayer>);
        request.extensions_mut().insert(carried);
        Ok(Some(driver))
    }

    fn new(setup: &Arc<Setup<T>>, transport: Transport, outer: Option<Arc<dyn EnteredLayer>>) -> Self {
        Self {
            setup: Arc::clone(setup),
            depth: outer.as_ref().map_or(0, |outer| outer.depth()) + 1,
            outer,
            transport,
            core: Mutex::new(Core::new(setup.lazy)),
            seldom: OnceLock::new(),
        }
    }

    /// The part in a request of the innermost layer for `T`.
    pub(crate) fn of(carried: Option<&Carried>) -> Result<Arc<Self>, SessionError> {
        // Not by `layers`, since nearly always it is the first.
        let innermost = carried.and_then(|carried| carried.current.as_ref()).and_then(Self::from_layer);
        match innermost {
            Some(driver) => Ok(driver),
            None => Self::among(carried),
        }
    }

    fn seldom(&self) -> &Seldom {
        self.seldom.get_or_init(Box::default)
    }

    fn from_layer(layer: &Arc<dyn EnteredLayer>) -> Option<Arc<Self>> {
        Arc::clone(layer).into_any().downcast().ok()
    }

    #[cold]
    fn among(carried: Option<&Carried>) -> Result<Arc<Self>, SessionError> {
        carried
            .and_then(|carried| carried.layers().find_map(Self::from_layer))
            .ok_or(SessionError::MissingLayer { data: type_name::<T>() })
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core<T>> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn key<'a>(&'a self, id: &'a SharedId) -> Key<'a> {
        id.key(&self.setup.namespace)
    }

    // Looking at a request.

    /// The id of a request that has just entered, by a callback that never waits; `None` if the callback is still to be run.
    pub(crate) fn find_immediately(&self, request: Request) -> (Request, Option<Result<(), SessionError>>) {
        if self.setup.looks_when_needed {
            return (request, Some(Ok(())));
        }
        let callback = &self.setup.session_id;
        if !callback.is_immediate() {
            return (request, None);
        }
        let (mut parts, body) = request.into_parts();
        let found = callback.call(&mut parts).try_now().ok();
        (Request::from_parts(parts, body), found)
    }

    /// What `request` carries for this session.
    pub(crate) fn look(&self, request: &impl SessionRequestExt) -> CarriedId {
        self.look_at(request.extensions().get::<Carried>(), request)
    }

    /// The same if what the request carries is at hand.
    pub(crate) fn look_at(&self, carried: Option<&Carried>, request: &impl SessionRequestExt) -> CarriedId {
        match carried.and_then(|carried| carried.set(self.depth)) {
            None if self.setup.looks_when_needed => self.find(request.method(), request.headers()),
            None | Some(CarriedId::None) => self.none(request.method(), request.headers()),
            Some(CarriedId::One { id, .. }) => {
                let (mut by_cookie, mut beside_others, mut is_unread) = (false, false, false);
                for value in cookie::values(request.headers(), self.setup.cookie.name()).map(cookie::unquoted) {
                    if value == id.as_bytes() {
                        by_cookie = true;
                    } else if SessionId::is_valid(value) {
                        beside_others = true;
                        // A signed cookie, for one, has more in it than the id.
                        is_unread |= !cookie::is_in(id.as_bytes(), value);
                    }
                }
                if by_cookie && beside_others {
                    // Whichever of them a callback has taken, the one that exists counts (law 5).
                    return CarriedId::in_cookies(request.headers(), self.setup.cookie.name());
                }
                if is_unread {
                    self.core().leave_cookie_unread();
                }
                CarriedId::One { id: id.clone(), by_cookie }
            }
            Some(other) => other.clone(),
        }
    }

    #[inline]
    fn find(&self, method: &Method, headers: &HeaderMap) -> CarriedId {
        let look = || {
            let carried = CarriedId::in_cookies(headers, self.setup.cookie.name());
            if matches!(carried, CarriedId::None) {
                self.transport.note(headers);
                return carried.or_withheld(method, headers, self.setup.same_site);
            }
            carried
        };
        self.core().came(look).clone()
    }

    /// What it means that a callback has found no id.
    fn none(&self, method: &Method, headers: &HeaderMap) -> CarriedId {
        self.transport.note(headers);
        let carried = CarriedId::None.or_withheld(method, headers, self.setup.same_site);
        if matches!(carried, CarriedId::Withheld) && cookie::values(headers, self.setup.cookie.name()).next().is_some() {
            return CarriedId::None;
        }
        carried
    }

    /// If the cookie appears more than once, the request carries from now on the id that counts.
    pub(crate) fn settle_id(&self, carried: &CarriedId, parts: &mut Parts) {
        if matches!(carried, CarriedId::Ambiguous(_))
            && let Some(id) = self.core().id()
        {
            Carried::of(&mut parts.extensions).put_at(self.depth, CarriedId::One { id: id.clone(), by_cookie: true });
        }
    }

    // Reading.

    /// Reads the session that the request carries; from the store once a request, until the response has started.
    pub(crate) fn read<'a>(&'a self, carried: &'a CarriedId) -> Viewed<'a, T> {
        let read = self.core().read(carried);
        match read {
            Ok(Read::Done(view)) => MaybeReady::ready(Ok(view)),
            Ok(Read::Load(id)) => {
                self.call_then("load", |store| store.load(self.key(id)), move |loaded| self.loaded(carried, loaded))
            }
            Ok(Read::LoadEach(ids)) => MaybeReady::boxed(self.load_each(carried, ids)),
            Ok(Read::Reload(id)) => MaybeReady::boxed(self.reload(id, true)),
            Err(error) => MaybeReady::ready(Err(error)),
        }
    }

    fn loaded<'a>(&'a self, carried: &'a CarriedId, loaded: Result<Loaded<T>, SessionError>) -> Viewed<'a, T> {
        if !matches!(loaded, Ok(Loaded::Found(_))) {
            self.tell(&loaded);
        }
        let step = self.core().loaded(&self.setup.policy, carried, loaded);
        match step {
            Ok(AfterLoad::Done(view)) => MaybeReady::ready(Ok(view)),
            other => self.after_load(other),
        }
    }

    fn after_load(&self, step: Result<AfterLoad<T>, SessionError>) -> Viewed<'_, T> {
        match step {
            Ok(AfterLoad::Done(view)) => MaybeReady::ready(Ok(view)),
            Ok(AfterLoad::Touch(id)) => self.touch(id).then(|()| MaybeReady::ready(Ok(self.core().view()))),
            Err(error) => MaybeReady::ready(Err(error)),
        }
    }

    /// Side by side, so that all of them share one `store_timeout` (law 5).
    async fn load_each(&self, carried: &CarriedId, ids: &[SharedId]) -> Result<View<T>, SessionError> {
        let loaded = join_all(ids.iter().map(|id| self.call("load", |store| store.load(self.key(id))))).await;
        for loaded in &loaded {
            self.tell(loaded);
        }
        let step = self.core().loaded_each(&self.setup.policy, carried, loaded);
        self.after_load(step).await
    }

    /// Reads what is there now, and renews it if `renew` says so.
    async fn reload(&self, id: SharedId, renew: bool) -> Result<View<T>, SessionError> {
        match self.call("load", |store| store.load(self.key(&id))).await? {
            Loaded::Found(record) if renew => {
                let step = self.core().reloaded(&self.setup.policy, &id, record);
                return self.after_load(Ok(step)).await;
            }
            Loaded::Found(record) => drop(self.core().learn(&id, record)),
            other => {
                let gone = how_gone(&self.setup.policy, other)?;
                // If it was another task of this request that moved it, that one has said by then where to.
                self.idle().await?;
                self.core().ended(&id, gone);
            }
        }
        Ok(self.core().view())
    }

    /// What is there now.
    pub(crate) async fn latest(&self, renew: bool) -> Result<View<T>, SessionError> {
        let id = self.core().id().cloned();
        let Some(id) = id else { return Ok(self.core().view()) };
        self.reload(id, renew).await?;
        self.core().view_again()
    }

    fn touch(&self, id: SharedId) -> MaybeReady<'_, ()> {
        let touch = |id: SharedId| async move {
            match self.call("touch", |store| store.touch(self.key(&id))).await {
                Ok(true) => self.core().touched(Instant::now, &id),
                Ok(false) => self.look_for(&id).await,
                // The read was good; the next one tries again.
                Err(error) => log::warn(&error, "a session's idle limit was not renewed"),
            }
        };
        if self.setup.store.is_immediate() && poll_immediate(touch(id.clone())).is_some() {
            return MaybeReady::ready(());
        }
        MaybeReady::boxed(touch(id))
    }

    /// The session that was read a moment ago is no longer there. If another request has given it a new id, nothing is created for the old one.
    async fn look_for(&self, id: &SharedId) {
        if let Ok(other @ (Loaded::Missing | Loaded::JustRotated)) = self.call("load", |store| store.load(self.key(id))).await {
            // The read was good.
            let _ = self.gone(id, other).await;
        }
    }

    async fn gone(&self, id: &SharedId, loaded: Loaded<T>) -> Result<(), SessionError> {
        let gone = how_gone(&self.setup.policy, loaded)?;
        // If it was another task of this request that moved it, that one has said by then where to.
        self.idle().await?;
        self.core().gone(id, gone);
        Ok(())
    }

    /// Says in the log what the request does not answer.
    #[cold]
    fn tell(&self, loaded: &Result<Loaded<T>, SessionError>) {
        match loaded {
            Ok(Loaded::Missing) => self.note("a request carries an id that the store does not hold"),
            Ok(Loaded::JustRotated) => self.note("a request carries an id that another request has just replaced"),
            Ok(Loaded::Undecodable(error)) if self.setup.policy.on_undecodable == OnUndecodable::Discard => {
                log::warn(error, "a stored session cannot be read and is taken for none");
            }
            Err(error) if self.setup.policy.on_store_error == OnStoreError::Anonymous && error.is_outage() => {
                log::warn(error, "the request goes on without its session");
            }
            _ => {}
        }
    }

    // Changing.

    /// Changes the session's data by compare-and-swap, and its id with it if `kind` says so. If there is none, the change may create it.
    pub(crate) async fn change<R, E: From<SessionError>>(
        self: &Arc<Self>,
        kind: ChangeKind,
        mut edit: impl FnMut(&Arc<T>) -> Result<(R, Arc<T>), E>,
    ) -> Result<R, E> {
        let mut retries = Retries::new();
        loop {
            let begin = self.core().begin_change(kind)?;
            let base = match begin {
                BeginChange::From(base) => base,
                BeginChange::Create(create) => {
                    let (result, data) = edit(&self.setup.default_data)?;
                    match self.create(create, data, None).await? {
                        Some(_) => return Ok(result),
                        // Another task of this request was faster.
                        None => continue,
                    }
                }
            };
            if retries.is_to_line_up(&self.setup.lines, &base.id) {
                Box::pin(self.retry(&mut retries, &base.id, kind)).await?;
                continue;
            }
            let (result, data) = edit(&base.data)?;
            let (step, owner) = self.owner_step(kind, &base, &data)?;
            let outcome = if kind == ChangeKind::Edit && step == OwnerStep::Same {
                self.replace(&base, data).await?
            } else {
                self.rotate((kind, step), owner, &base, data).await?
            };
            match outcome {
                WriteOutcome::Committed => {
                    retries.pass_on(&base.id, || self.core().known(&base.id));
                    return Ok(result);
                }
                WriteOutcome::IdChanged => {}
                WriteOutcome::Conflict => Box::pin(self.retry(&mut retries, &base.id, kind)).await?,
                WriteOutcome::Gone => Box::pin(self.lost(&base.id, kind)).await?,
            }
        }
    }

    /// Whom a change leaves the session to (law 19), and, for a rotation, who that is.
    #[inline]
    fn owner_step(
        &self,
        kind: ChangeKind,
        base: &Base<T>,
        data: &T,
    ) -> Result<(OwnerStep, Option<Box<Belonging>>), SessionError> {
        match &self.setup.owner {
            None => Ok((OwnerStep::Same, None)),
            Some(owner) => self.owner_step_by(owner, kind, base, data),
        }
    }

    #[cold]
    fn owner_step_by(
        &self,
        owner: &OwnerOf<T>,
        kind: ChangeKind,
        base: &Base<T>,
        data: &T,
    ) -> Result<(OwnerStep, Option<Box<Belonging>>), SessionError> {
        let (before, after) = (owner.of(&base.data), owner.of(data));
        let step = self.core().owner_step(kind, after.is_some(), before == after);
        if kind == ChangeKind::Edit && step == OwnerStep::Same {
            return Ok((step, None));
        }
        Ok((step, after.map(|owner| self.setup.belonging(&owner, step)).transpose()?))
    }

    /// Waits until the session may be changed, and gets to know what it is then.
    pub(super) async fn retry(&self, retries: &mut Retries<T>, id: &SharedId, kind: ChangeKind) -> Result<(), SessionError> {
        match retries.wait(&self.setup.lines, self.setup.store_timeout, id).await {
            Next::GiveUp => return Err(SessionError::Conflict),
            Next::Known(record) => drop(self.core().learn(id, record)),
            Next::Reload => match self.call("load", |store| store.load(self.key(id))).await? {
                Loaded::Found(record) => drop(self.core().learn(id, record)),
                other => self.lose(id, other, kind).await?,
            },
        }
        Ok(())
    }

    /// The store did not hold the session any more when it was to be changed.
    pub(super) async fn lost(&self, id: &SharedId, kind: ChangeKind) -> Result<(), SessionError> {
        let loaded = self.call("load", |store| store.load(self.key(id))).await?;
        self.lose(id, loaded, kind).await
    }

    async fn lose(&self, id: &SharedId, loaded: Loaded<T>, kind: ChangeKind) -> Result<(), SessionError> {
        let gone = how_gone(&self.setup.policy, loaded)?;
        // If it was another task of this request that moved it, that one has said by then where to.
        self.idle().await?;
        self.core().lost(id, gone, kind)
    }

    fn replace<'a>(&'a self, base: &'a Base<T>, data: Arc<T>) -> MaybeReady<'a, Result<WriteOutcome, SessionError>> {
        let change = Change::new(Arc::clone(&data));
        self.call_then(
            "replace",
            |store| store.replace(self.key(&base.id), base.version, change),
            move |replaced| {
                MaybeReady::ready(replaced.map(|replaced| match replaced {
                    Replaced::Replaced(version) => {
                        self.core().replaced(&self.setup.policy, Instant::now, &base.id, version, data);
                        WriteOutcome::Committed
                    }
                    Replaced::Conflict => WriteOutcome::Conflict,
                    Replaced::Missing => WriteOutcome::Gone,
                }))
            },
        )
    }

    async fn rotate(
        self: &Arc<Self>,
        how: (ChangeKind, OwnerStep),
        owner: Option<Box<Belonging>>,
        base: &Base<T>,
        data: Arc<T>,
    ) -> Result<WriteOutcome, SessionError> {
        for _ in 0..NEW_ID_TRIES {
            let new = self.setup.generate.call().await?;
            let started = loop {
                let before = match self.start_rotate(how, owner.as_deref(), base, &new, &data)? {
                    RotateStart::Done(rotated) => break Ok(rotated),
                    RotateStart::Waits(rotating) => break Err(rotating),
                    RotateStart::IdChanged => return Ok(WriteOutcome::IdChanged),
                    RotateStart::After(ids) => Some(ids),
                    RotateStart::Busy => None,
                };
                self.prepare(before).await?;
            };
            // Awaited here, where the future keeps nothing else of the step.
            let rotated = match started {
                Ok(rotated) => rotated,
                Err(rotating) => rotating.await?,
            };
            match rotated {
                Rotated::Rotated(_) => {
                    self.note("a session has got a new id");
                    return Ok(WriteOutcome::Committed);
                }
                Rotated::Conflict => return Ok(WriteOutcome::Conflict),
                Rotated::Missing => return Ok(WriteOutcome::Gone),
                Rotated::TooMany => return Err(SessionError::TooManySessions),
                Rotated::Exists => {}
            }
        }
        Err(SessionError::RepeatedId { callback: self.setup.generate.name() })
    }

    fn start_rotate<'a>(
        self: &'a Arc<Self>,
        (kind, step): (ChangeKind, OwnerStep),
        owner: Option<&Belonging>,
        base: &'a Base<T>,
        new: &'a SharedId,
        data: &'a Arc<T>,
    ) -> Result<RotateStart<'a>, SessionError> {
        // Before the lock is held: it asks a generator.
        let handle = matches!(step, OwnerStep::New | OwnerStep::Listed).then(SessionHandle::random);
        let mut core = self.core();
        match core.begin_rotate(kind, base)? {
            BeginRotate::Busy => return Ok(RotateStart::Busy),
            BeginRotate::IdChanged => return Ok(RotateStart::IdChanged),
            BeginRotate::After(ids) => return Ok(RotateStart::After(ids)),
            BeginRotate::Move => {}
        }
        let Some(rotation) = core.rotation(Instant::now, (kind, step, handle), base, data, owner.cloned().map(Box::new)) else {
            core.end_exclusive();
            return Ok(RotateStart::IdChanged);
        };
        drop(core);
        if !self.setup.begins_immediately && !self.setup.store.is_immediate() {
            return Ok(RotateStart::Waits(self.rotate_to_its_end(step == OwnerStep::New, base, new, rotation, data)));
        }
        let exclusive = Exclusive(self);
        match self.call("rotate", |store| store.rotate(self.key(&base.id), self.key(new), rotation)).try_now() {
            Ok(rotated) => Ok(RotateStart::Done(exclusive.rotated(&base.id, new, rotated?, data))),
            Err(rotating) => {
                Ok(RotateStart::Waits(MaybeReady::boxed(
                    async move { Ok(exclusive.rotated(&base.id, new, rotating.await?, data)) },
                )))
            }
        }
    }

    /// One that `is_login` and too late for the response ends the session, as [`create_to_its_end`](Self::create_to_its_end) does.
    #[cold]
    #[inline(never)]
    fn rotate_to_its_end<'a>(
        self: &Arc<Self>,
        is_login: bool,
        base: &Base<T>,
        new: &SharedId,
        rotation: Rotation<T>,
        data: &Arc<T>,
    ) -> Called<'a, Rotated> {
        let (driver, old, new, data) = (Arc::clone(self), base.id.clone(), new.clone(), Arc::clone(data));
        self.to_its_end(is_login, async move {
            let exclusive = Exclusive(&driver);
            let rotated = driver.call("rotate", |store| store.rotate(driver.key(&old), driver.key(&new), rotation)).await?;
            if is_login && matches!(rotated, Rotated::Rotated(_)) {
                driver.undo_if_late(&new).await?;
            }
            Ok(exclusive.rotated(&old, &new, rotated, &data))
        })
    }

    /// Stores a new session of `data`, with limits of its own if there are any; `None` if another task of the request has created one.
    pub(crate) async fn create(
        self: &Arc<Self>,
        create: Create,
        data: Arc<T>,
        own: Option<&OwnLimits>,
    ) -> Result<Option<SharedId>, SessionError> {
        let beginning = self.setup.beginning(&data, own)?;
        for _ in 0..NEW_ID_TRIES {
            let id = self.setup.generate.call().await?;
            let creating = loop {
                let before = match self.start_create(create, &id, &data, beginning.as_deref())? {
                    CreateStart::Started(creating) => break creating,
                    CreateStart::Withheld => return Ok(Some(id.clone())),
                    CreateStart::Exists => return Ok(None),
                    CreateStart::After(ids) => Some(ids),
                    CreateStart::Busy => None,
                };
                self.prepare(before).await?;
            };
            match creating.await {
                Ok(Created::Created(_)) => self.note("a session was created"),
                Ok(Created::Exists) => continue,
                Ok(Created::TooMany) => return Err(SessionError::TooManySessions),
                Err(error) if create.is_visit() => self.core().not_created(&self.setup.policy, id.clone(), error)?,
                Err(error) => return Err(error),
            }
            return Ok(Some(id));
        }
        Err(SessionError::RepeatedId { callback: self.setup.generate.name() })
    }

    fn start_create<'a>(
        self: &'a Arc<Self>,
        create: Create,
        id: &'a SharedId,
        data: &Arc<T>,
        beginning: Option<&Beginning>,
    ) -> Result<CreateStart<'a>, SessionError> {
        let step = self.core().begin_create(create)?;
        Ok(match step {
            BeginCreate::Busy => CreateStart::Busy,
            BeginCreate::Exists => CreateStart::Exists,
            BeginCreate::Withhold => {
                self.core().withhold(id.clone());
                CreateStart::Withheld
            }
            BeginCreate::After(ids) => CreateStart::After(ids),
            BeginCreate::Insert => {
                let mut session = NewSession::new(Arc::clone(data), self.setup.policy.limits, create.origin());
                if let Some(Beginning { limits, attributes, owner }) = beginning {
                    (session.limits, session.attributes, session.owner) = (*limits, attributes.clone(), owner.clone());
                }
                let begun = Begun { data: Arc::clone(data), limits: session.limits, attributes: session.attributes.clone() };
                if !self.setup.begins_immediately && !self.setup.store.is_immediate() {
                    return Ok(CreateStart::Started(self.create_to_its_end(create, id, session, begun)));
                }
                let exclusive = Exclusive(self);
                CreateStart::Started(self.call_then(
                    "create",
                    |store| store.create(self.key(id), session),
                    move |created| MaybeReady::ready(created.map(|created| exclusive.created(create, id, created, begun))),
                ))
            }
        })
    }

    /// A session that is too late for the response is ended again if it has an owner, of whose sessions it would be one: nobody knows its id.
    #[cold]
    #[inline(never)]
    fn create_to_its_end<'a>(
        self: &Arc<Self>,
        create: Create,
        id: &SharedId,
        session: NewSession<T>,
        begun: Begun<T>,
    ) -> Called<'a, Created> {
        let (driver, id, is_owned) = (Arc::clone(self), id.clone(), session.owner.is_some());
        self.to_its_end(is_owned, async move {
            let exclusive = Exclusive(&driver);
            let created = driver.call("create", |store| store.create(driver.key(&id), session)).await?;
            if is_owned && matches!(created, Created::Created(_)) {
                driver.undo_if_late(&id).await?;
            }
            Ok(exclusive.created(create, &id, created, begun))
        })
    }

    /// If the task that makes a step is given up, as by a handler's own time limit, and the response is not, the step goes on: nobody else could tell the
    /// client what it has to know. With `if_late` it goes on even if the response is given up too.
    pub(super) fn to_its_end<'a, R: Send + 'static>(
        self: &Arc<Self>,
        if_late: bool,
        step: impl Future<Output = Result<R, SessionError>> + Send + 'static,
    ) -> Called<'a, R> {
        let driver = Arc::clone(self);
        MaybeReady::boxed(ToItsEnd::new(step, move || !if_late && driver.core().is_late()))
    }

    /// What a step that owes the client a cookie waits for: that another one ends, or that these sessions are ended.
    fn prepare(&self, ids: Option<InlineVec<SharedId>>) -> MaybeReady<'_, Result<(), SessionError>> {
        let Some(ids) = ids else { return self.idle() };
        MaybeReady::boxed(async move {
            self.delete_each(&ids).await?;
            self.core().ended_named();
            Ok(())
        })
    }

    // Ending.

    /// Ends the session that the request has read; with `carried`, the one that it means.
    pub(crate) async fn destroy(&self, carried: Option<&CarriedId>) -> Result<(), SessionError> {
        let mut client_has_it = false;
        loop {
            self.idle().await?;
            let begin = self.core().begin_destroy(carried)?;
            let BeginDestroy::Delete { ids, in_cookie } = begin else { return Ok(()) };
            client_has_it |= in_cookie;
            let deleted = self.delete_each(&ids).await?;
            // If it was another task of this request that moved it, that one has said by then where to.
            self.idle().await?;
            if self.core().deleted(&ids, client_has_it, deleted)? == AfterDelete::Done {
                if deleted != Deleted::None {
                    self.note("a session was ended");
                }
                return Ok(());
            }
        }
    }

    async fn delete_each(&self, ids: &InlineVec<SharedId>) -> Result<Deleted, SessionError> {
        let mut all = Deleted::None;
        for deleted in join_all(ids.iter().map(|id| self.delete(id))).await {
            all = all.and(deleted?);
        }
        Ok(all)
    }

    async fn delete(&self, id: &SharedId) -> Result<Deleted, SessionError> {
        if self.call("delete", |store| store.delete(self.key(id))).await? {
            return Ok(Deleted::Some);
        }
        // Another request has ended it, or has given it an id that this one does not know: then it is still there.
        let loaded = self.call("load", |store| store.load(self.key(id))).await?;
        Ok(if matches!(loaded, Loaded::JustRotated) { Deleted::JustRotated } else { Deleted::None })
    }

    /// Ends a session of an owner if the response cannot tell its id any more.
    async fn undo_if_late(&self, id: &SharedId) -> Result<(), SessionError> {
        if !self.core().is_late() {
            return Ok(());
        }
        self.undo(id).await;
        Err(SessionError::ResponseStarted)
    }

    /// Ends a session of which the client does not get to know.
    async fn undo(&self, id: &SharedId) {
        if let Err(error) = self.delete(id).await {
            log::warn(&error, "a session that was created for a request that was then refused or given up is left to expire");
        }
    }

    // Leaving.

    /// Lets the response's head go, if it has to wait for nothing.
    #[inline]
    pub(crate) fn try_depart(&self, response: &mut Response) -> Result<(), Depart> {
        if self.setup.error_response.is_some() {
            self.setup.answer_by_own(response);
        }
        let without_cookie = self.core().depart_without_cookie();
        match without_cookie {
            Some(false) => Ok(()),
            Some(true) => {
                departure::vary(response.headers_mut());
                Ok(())
            }
            None => self.try_depart_with_cookie(response),
        }
    }

    fn try_depart_with_cookie(&self, response: &mut Response) -> Result<(), Depart> {
        let depart = self.core().depart(&self.setup.policy, false);
        let Depart::Go(departing) = depart else { return Err(depart) };
        self.write(&departing, response);
        Ok(())
    }

    fn write(&self, departing: &Departing, response: &mut Response) {
        departure::write(departing, &self.setup.cookie, &self.transport, response);
    }

    /// Lets the response's head go after what it waits for, of which `depart` is the first.
    pub(crate) async fn depart(&self, mut depart: Depart, response: &mut Response) {
        let mut now_or_never = false;
        loop {
            match depart {
                Depart::Go(departing) => return self.write(&departing, response),
                Depart::Busy => now_or_never = self.idle().await.is_err(),
                Depart::Refresh(id) => match self.call("touch", |store| store.touch(self.key(&id))).await {
                    Ok(true) => self.core().refreshed(Instant::now, &id),
                    Ok(false) => {}
                    Err(error) => log::warn(&error, "a session's idle limit was not renewed"),
                },
                Depart::Undo(id) => self.undo(&id).await,
            }
            depart = self.core().depart(&self.setup.policy, now_or_never);
        }
    }

    /// Adds the cookie of `id`, or of the id that the session has by now.
    pub(crate) fn add(&self, response: &mut Response, id: &SessionId) {
        let mut core = self.core();
        let Some((id, max_age)) = core.add(&self.setup.policy, id) else { return };
        let again = core.added();
        drop(core);
        departure::add(&id, max_age, again, &self.setup.cookie, &self.transport, response);
    }

    // Waiting.

    /// Waits until no exclusive step is under way.
    ///
    /// # Errors
    ///
    /// It took longer than `store_timeout`, and so than the call it is for: nobody goes on with it.
    pub(super) fn idle(&self) -> MaybeReady<'_, Result<(), SessionError>> {
        if !self.core().is_exclusive() {
            return MaybeReady::ready(Ok(()));
        }
        MaybeReady::boxed(async {
            loop {
                let released = self.seldom().released.notified();
                if !self.core().is_exclusive() {
                    return Ok(());
                }
                if tokio::time::timeout(self.setup.store_timeout, released).await.is_err() {
                    log::warn(&SessionError::StoreTimeout, "a task waited in vain for another task of its request");
                    return Err(SessionError::StoreTimeout);
                }
            }
        })
    }

    /// A call of the store, bounded by `store_timeout`.
    pub(super) fn call<'a, R: Send + 'a>(
        &'a self,
        operation: &'static str,
        call: impl FnOnce(&'a dyn ErasedStore<T>) -> Answer<'a, R>,
    ) -> Called<'a, R> {
        self.call_then(operation, call, MaybeReady::ready)
    }

    /// A call of the store, bounded by `store_timeout`, and what comes of its answer.
    #[inline]
    fn call_then<'a, R: Send + 'a, S: Send + 'a>(
        &'a self,
        operation: &'static str,
        call: impl FnOnce(&'a dyn ErasedStore<T>) -> Answer<'a, R>,
        next: impl FnOnce(Result<R, SessionError>) -> MaybeReady<'a, S> + Send + 'a,
    ) -> MaybeReady<'a, S> {
        self.setup.call_then(operation, call, next)
    }

    /// Tells whoever looks at what happens. Ids are told to nobody (law 10).
    #[inline]
    fn note(&self, what: &'static str) {
        if is_traced() {
            self.note_traced(what);
        }
    }

    #[cold]
    fn note_traced(&self, what: &'static str) {
        tracing::debug!(cookie = self.setup.cookie.name(), data = type_name::<T>(), "{what}");
    }
}

/// Whether somebody may look at what happens: the cheapest question there is, asked before any other.
#[inline]
fn is_traced() -> bool {
    LevelFilter::current() >= LevelFilter::DEBUG
}

#[derive(Debug)]
struct NoAnswer {
    store: &'static str,
    operation: &'static str,
    after: Duration,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` did not answer `{}` within {:?}", self.store, self.operation, self.after)
    }
}

impl Error for NoAnswer {}

fn identity<T>(setup: &Arc<Setup<T>>) -> *const () {
    Arc::as_ptr(setup).cast()
}

impl<T: Clone + Send + Sync + 'static> EnteredLayer for Driver<T> {
    fn depth(&self) -> u32 {
        self.depth
    }

    fn outer(&self) -> Option<&Arc<dyn EnteredLayer>> {
        self.outer.as_ref()
    }

    fn cookie_name(&self) -> &str {
        self.setup.cookie.name()
    }

    fn data_type_name(&self) -> &'static str {
        type_name::<T>()
    }

    fn identity(&self) -> *const () {
        identity(&self.setup)
    }

    fn found(&self, method: &Method, headers: &HeaderMap) -> Option<&CarriedId> {
        self.setup.looks_when_needed.then(|| self.seldom().shown.get_or_init(|| self.find(method, headers)))
    }

    fn settle<'a>(&'a self, carried: &'a CarriedId) -> MaybeReady<'a, CarriedId> {
        self.read(carried).then(|read| {
            let mut core = self.core();
            match read {
                // Logging out needs none of it to be read (law 14).
                Ok(_) | Err(SessionError::Data(_)) => {}
                Err(error) => core.fail(error),
            }
            MaybeReady::ready(match core.id() {
                Some(id) => CarriedId::One { id: id.clone(), by_cookie: true },
                None => carried.clone(),
            })
        })
    }

    fn leave_cookie_unread(&self) {
        self.core().leave_cookie_unread();
    }

    fn refuse(&self) {
        self.core().refuse();
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// The response that is on its way. If it is given up, as by a client that hangs up, a task of the request that goes on can send no cookie any more.
pub(crate) struct Leaving<T>(pub(crate) Arc<Driver<T>>);

impl<T> Drop for Leaving<T> {
    #[inline]
    fn drop(&mut self) {
        // Mostly nobody else is there. If the head has left, that is known already.
        if Arc::strong_count(&self.0) > 1 {
            self.0.give_up();
        }
    }
}

impl<T> Driver<T> {
    #[cold]
    #[inline(never)]
    fn give_up(&self) {
        self.core.lock().unwrap_or_else(PoisonError::into_inner).give_up();
    }
}

pub(super) struct Exclusive<'a, T>(pub(super) &'a Driver<T>);

impl<T: Clone + Send + Sync + 'static> Exclusive<'_, T> {
    /// The step was a rotation, to which the store has answered.
    fn rotated(self, old: &SharedId, new: &SharedId, rotated: Rotated, data: &Arc<T>) -> Rotated {
        if let Rotated::Rotated(version) = rotated {
            let mut core = self.0.core();
            core.rotated(Instant::now, old, new.clone(), version, Arc::clone(data));
            self.end(core);
            mem::forget(self);
        }
        rotated
    }

    /// The step was a creation, to which the store has answered.
    fn created(self, create: Create, id: &SharedId, created: Created, begun: Begun<T>) -> Created {
        if let Created::Created(version) = created {
            let mut core = self.0.core();
            core.created(create, id.clone(), version, begun);
            self.end(core);
            mem::forget(self);
        }
        created
    }
}

impl<T> Exclusive<'_, T> {
    fn end(&self, mut core: MutexGuard<'_, Core<T>>) {
        core.end_exclusive();
        drop(core);
        if let Some(seldom) = self.0.seldom.get() {
            seldom.released.notify_waiters();
        }
    }
}

impl<T> Drop for Exclusive<'_, T> {
    fn drop(&mut self) {
        self.end(self.0.core.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
