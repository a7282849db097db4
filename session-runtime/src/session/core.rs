//! What one request may do with its session, and what its response then owes the client.
//!
//! ```text
//!            read: it is there
//!   Unread ───────────────────────────────▶ Live ◀──┐ replaced, rotated, touched, reloaded
//!     │                                      ▲ │ └──┘
//!     │ read: it is not, or does not count   │ │
//!     ▼                    created           │ │ deleted, or another request ended it
//!   Absent ──────────────────────────────────┘ ▼
//!     └──────────────── destroyed ──────────▶ Ended
//! ```
//!
//! This file decides and does nothing: it has no store, no lock and no clock, and awaits nothing. A method is an event, and its small result says
//! what the [driver](super::driver) has to do next. Creating and rotating are exclusive, because each owes the client a cookie: such a step begins and ends,
//! and between the two the other tasks of the request, and its response, wait.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::{OnStoreError, OnUndecodable};
use crate::error::SessionError;
use crate::id::{SessionId, SharedId};
use crate::inline_vec::InlineVec;
use crate::request::CarriedId;
use crate::store::{Attributes, Belonging, Limits, Loaded, Origin, Record, Rotation, SessionHandle, Version};

/// The most ids of one request that are looked up in the store.
pub(crate) const MOST_LOOKED_UP: usize = 8;

/// The options of a layer that decide.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) limits: Limits,
    pub(crate) persistent: bool,
    pub(crate) on_store_error: OnStoreError,
    pub(crate) on_undecodable: OnUndecodable,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Core<T> {
    /// The id that came, once it was looked for.
    came: Option<CarriedId>,
    phase: Phase<T>,
    /// Ids that mean the session of the phase as well: those that it was rotated away from, those that the store did not hold when it was created.
    aliases: InlineVec<SharedId>,
    /// A request without an id means it as well.
    none_is_alias: bool,
    lazy: bool,
    head_sent: bool,
    used: bool,
    /// A step is under way that will owe the client a cookie.
    exclusive: bool,
    cookie: CookieChange,
    /// `add_session_id` has put the cookie into the response.
    added: bool,
    /// An inner layer has refused the request.
    refused: bool,
    rare: Option<Box<Rare>>,
}

/// What few requests need.
#[derive(Default)]
struct Rare {
    /// The cookie that is owed for a session that the request has left for another one.
    left: Option<Owed>,
    /// Sessions that the request's cookies name beside the one of the phase. Logging in and logging out end them.
    named: InlineVec<SharedId>,
    /// What is kept beside the data when the rotation under way is done.
    after_rotation: Option<Arc<Attributes>>,
    failed: Option<SessionError>,
    /// The cookie has another id than the one that came, and is not read: it may be that of a session.
    cookie_is_unread: bool,
    /// Another request has just given the client a new id in the place of the one that came.
    cookie_is_replaced: bool,
}

/// A session whose id is owed to the client.
struct Owed {
    id: SharedId,
    expires_in: Duration,
    persistent: Option<bool>,
}

enum Phase<T> {
    Unread,
    Absent(Absence),
    Live(Live<T>),
    Ended,
}

/// Why a request has no session.
#[derive(Debug, Clone)]
enum Absence {
    /// No id came, or one that the store does not hold, or one whose data is discarded.
    Unknown,
    /// The id that came has just been rotated away by another request (law 6).
    JustRotated,
    /// No cookie came, but the browser may be holding it back (law 15).
    Withheld,
    /// Several sessions came, or too many ids to look them up (law 5), or none by an id from elsewhere, and the cookie has another id, which is not read.
    Ambiguous,
    /// The store is down, and the layer lets the request go on without a session (law 11).
    StoreDown(SessionError),
}

struct Live<T> {
    id: SharedId,
    record: Record<T>,
    /// The client keeps the id in the cookie. If the id came from elsewhere, no cookie is sent for it.
    by_cookie: bool,
    /// It was created in this request.
    is_new: bool,
    /// The client does not have the id yet.
    undisclosed: bool,
}

/// What the response has to do to the client's cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CookieChange {
    Unchanged,
    /// `add_session_id` has put it into the response.
    Added,
    /// The id is new.
    Set,
    /// The same, and the request has left the session for another one since.
    SetLeft,
    /// The id is as it was, but `Max-Age` moves, if the session is still there when the response leaves.
    Refresh,
    Remove,
}

/// What a request sees of its session.
pub(crate) enum View<T> {
    Live(Arc<T>),
    /// There is no session. The request reads the default data.
    Default,
    None,
}

/// How a look-up goes on.
pub(crate) enum Read<'a, T> {
    Done(View<T>),
    Load(&'a SharedId),
    /// At the same time.
    LoadEach(&'a [SharedId]),
    /// It was read long ago.
    Reload(SharedId),
}

pub(crate) enum AfterLoad<T> {
    Done(View<T>),
    /// A tenth of the idle limit has passed: it is to be renewed.
    Touch(SharedId),
}

/// How a session was found to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    Missing,
    JustRotated,
    /// It is there, but its data is taken for none.
    Discarded,
}

/// Which change is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// Of the data.
    Edit,
    /// Of the id.
    Rotate,
    /// Of both, by one who has proved who he is.
    LogIn,
    /// Of the id, by one who has proved again who he is.
    Confirm,
}

/// Whom a change leaves the session to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnerStep {
    /// Whoever it belongs to, or nobody.
    Same,
    Nobody,
    /// Somebody else.
    New,
    /// Whoever it belongs to, in whose list it is from now on: it was stored before the layer knew owners.
    Listed,
}

/// What a change begins with.
pub(crate) enum BeginChange<T> {
    /// There is no session, and the change creates it.
    Create(Create),
    /// The session, as the request knows it.
    From(Base<T>),
}

/// What a change starts from.
pub(crate) struct Base<T> {
    pub(crate) id: SharedId,
    pub(crate) data: Arc<T>,
    pub(crate) version: Version,
}

/// What a new session begins with, as its request keeps it.
pub(crate) struct Begun<T> {
    pub(crate) data: Arc<T>,
    pub(crate) limits: Limits,
    pub(crate) attributes: Option<Arc<Attributes>>,
}

/// Who asks for a new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Create {
    /// `create_session`. The cookie is sent by `add_session_id`.
    Asked,
    /// The standard middleware.
    Visit,
    /// The first change of a request that has none.
    Edit,
    LogIn,
}

pub(crate) enum BeginCreate {
    Insert,
    /// These are to be ended before (law 5).
    After(InlineVec<SharedId>),
    /// Nothing is to be stored, and the client is not to get the id.
    Withhold,
    /// Another task of the request has created it.
    Exists,
    Busy,
}

pub(crate) enum BeginRotate {
    /// By [`Core::rotation`].
    Move,
    /// These are to be ended before (law 5).
    After(InlineVec<SharedId>),
    IdChanged,
    Busy,
}

pub(crate) enum BeginLimit {
    /// With this beside its data.
    Set(Option<Arc<Attributes>>),
    IdChanged,
    Busy,
}

pub(crate) enum BeginDestroy {
    /// `in_cookie`: the client has the id in its cookie.
    Delete {
        ids: InlineVec<SharedId>,
        in_cookie: bool,
    },
    Done,
}

/// What became of the sessions that were to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deleted {
    None,
    /// At least one was there.
    Some,
    /// One goes by an id that this request does not know.
    JustRotated,
    /// One goes by an id that this request does not know, and at least one other was there.
    SomeAndJustRotated,
}

impl Deleted {
    /// Of several.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, one) | (one, Self::None) => one,
            (one, other) if one == other => one,
            _ => Self::SomeAndJustRotated,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterDelete {
    Done,
    /// Another task of the request has given the session a new id.
    Again,
}

/// How the response's head leaves.
pub(crate) enum Depart {
    Busy,
    /// The session is to be touched first. Another request may have ended it, and then its id must not be sent again.
    Refresh(SharedId),
    /// The request was refused: the session that was created for it is to be deleted.
    Undo(SharedId),
    Go(Departing),
}

/// What the response owes the client.
pub(crate) struct Departing {
    /// The session was read or changed.
    pub(crate) used: bool,
    /// `add_session_id` has added a cookie.
    pub(crate) added: bool,
    pub(crate) cookie: SendCookie,
}

pub(crate) enum SendCookie {
    None,
    /// With how long it outlives the browser, if it does.
    Set(SharedId, Option<Duration>),
    Remove,
}

impl<T> Core<T> {
    pub(crate) const fn new(lazy: bool) -> Self {
        Self {
            came: None,
            phase: Phase::Unread,
            aliases: InlineVec::new(),
            none_is_alias: false,
            lazy,
            head_sent: false,
            used: false,
            exclusive: false,
            cookie: CookieChange::Unchanged,
            added: false,
            refused: false,
            rare: None,
        }
    }

    /// The request is refused: what was created for it is undone, and it gets no cookie.
    pub(crate) const fn refuse(&mut self) {
        self.refused = true;
    }

    /// The id that came is not that in the cookie. A new session's cookie would take that one's place.
    #[cold]
    pub(crate) fn leave_cookie_unread(&mut self) {
        self.rare().cookie_is_unread = true;
    }

    fn is_cookie_unread(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.cookie_is_unread)
    }

    fn is_cookie_replaced(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.cookie_is_replaced)
    }

    /// From now on a change creates the session if there is none.
    pub(crate) const fn make_lazy(&mut self) {
        self.lazy = true;
    }

    /// Everything that needs the session answers `error` from now on.
    pub(crate) fn fail(&mut self, error: SessionError) {
        self.rare().failed = Some(error);
    }

    #[inline]
    pub(crate) fn failure(&self) -> Result<(), SessionError> {
        match self.rare.as_deref() {
            Some(Rare { failed: Some(error), .. }) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn named(&self) -> Option<InlineVec<SharedId>> {
        self.rare.as_ref().filter(|rare| !rare.named.is_empty()).map(|rare| rare.named.clone())
    }

    fn name(&mut self, ids: &[SharedId]) {
        if !ids.is_empty() || self.rare.is_some() {
            self.rare().named = ids.iter().cloned().collect();
        }
    }

    // Reading.

    /// The id that came, for which `look` looks once a request.
    pub(crate) fn came(&mut self, look: impl FnOnce() -> CarriedId) -> &CarriedId {
        self.came.get_or_insert_with(look)
    }

    /// The request reads the session that `carried` means.
    pub(crate) fn read<'a>(&mut self, carried: &'a CarriedId) -> Result<Read<'a, T>, SessionError> {
        self.used = true;
        self.failure()?;
        if !matches!(self.phase, Phase::Unread) && self.is_meant_by(carried) {
            return Ok(match &self.phase {
                // The rest of the response may take long: what was read is no longer what is there.
                Phase::Live(live) if self.head_sent => Read::Reload(live.id.clone()),
                _ => Read::Done(self.view()),
            });
        }
        let absence = match carried {
            CarriedId::One { id, .. } => return Ok(Read::Load(id)),
            CarriedId::Ambiguous(ids) if ids.len() <= MOST_LOOKED_UP => return Ok(Read::LoadEach(ids)),
            CarriedId::Ambiguous(_) => Absence::Ambiguous,
            CarriedId::Withheld => Absence::Withheld,
            CarriedId::None if self.is_cookie_unread() => Absence::Ambiguous,
            CarriedId::None if matches!(self.phase, Phase::Unread) => {
                (self.phase, self.none_is_alias) = (Phase::Absent(Absence::Unknown), true);
                return Ok(Read::Done(self.view()));
            }
            CarriedId::None => Absence::Unknown,
        };
        let named = if matches!(absence, Absence::Ambiguous) { carried.ids() } else { &[] };
        self.arrive(carried, Phase::Absent(absence), named);
        Ok(Read::Done(self.view()))
    }

    /// The session was read under its id.
    pub(crate) fn loaded(
        &mut self,
        policy: &Policy,
        carried: &CarriedId,
        loaded: Result<Loaded<T>, SessionError>,
    ) -> Result<AfterLoad<T>, SessionError> {
        let CarriedId::One { id, by_cookie } = carried else { return Ok(AfterLoad::Done(self.view())) };
        match loaded {
            Ok(Loaded::Found(record)) => {
                let touch_is_due = touch_is_due(&record);
                let view = View::Live(Arc::clone(&record.data));
                let phase = Phase::Live(Live::read(id.clone(), record, *by_cookie));
                if matches!(self.phase, Phase::Unread) && !touch_is_due {
                    self.phase = phase;
                    return Ok(AfterLoad::Done(view));
                }
                let arrived = self.arrive(carried, phase, &[]);
                Ok(self.after_load(policy, arrived))
            }
            other => {
                let (mut absence, discarded) = absence(policy, other)?;
                if matches!(absence, Absence::Unknown) && !*by_cookie && self.is_cookie_unread() {
                    absence = Absence::Ambiguous;
                }
                let named = if discarded { carried.ids() } else { &[] };
                self.arrive(carried, self.without(absence), named);
                Ok(AfterLoad::Done(self.view()))
            }
        }
    }

    /// All the ids that the cookies have were read. The one that exists counts, and if several exist, none (law 5).
    pub(crate) fn loaded_each(
        &mut self,
        policy: &Policy,
        carried: &CarriedId,
        loaded: Vec<Result<Loaded<T>, SessionError>>,
    ) -> Result<AfterLoad<T>, SessionError> {
        let mut live = None;
        let mut why = Absence::Unknown;
        let mut named = Vec::new();
        for (id, loaded) in carried.ids().iter().zip(loaded) {
            match loaded {
                Ok(Loaded::Found(record)) => {
                    named.push(id.clone());
                    live = Some((id.clone(), record));
                }
                other => match absence(policy, other)? {
                    (_, true) => named.push(id.clone()),
                    (Absence::Unknown, _) => {}
                    // What an outage hides may be the session (law 11).
                    _ if matches!(why, Absence::StoreDown(_)) => {}
                    (absence, _) => why = absence,
                },
            }
        }
        let phase = match (live, &named[..]) {
            _ if matches!(why, Absence::StoreDown(_)) => self.without(why),
            (_, [_, _, ..]) => self.without(Absence::Ambiguous),
            (Some((id, record)), _) => {
                named.clear();
                Phase::Live(Live::read(id, record, true))
            }
            (None, _) => self.without(why),
        };
        let arrived = self.arrive(carried, phase, &named);
        Ok(self.after_load(policy, arrived))
    }

    /// The phase of a request whose id leads to no session. A stream never falls back to the default data (law 6).
    fn without(&self, absence: Absence) -> Phase<T> {
        match absence {
            Absence::Unknown | Absence::JustRotated if self.head_sent => Phase::Ended,
            absence => Phase::Absent(absence),
        }
    }

    fn after_load(&mut self, policy: &Policy, arrived: bool) -> AfterLoad<T> {
        let Phase::Live(live) = &self.phase else { return AfterLoad::Done(self.view()) };
        // If another task of the request was faster, it also renews.
        if !arrived || !touch_is_due(&live.record) {
            return AfterLoad::Done(self.view());
        }
        let id = live.id.clone();
        let may_expire = live.record.expires_in < full_life(&live.record) / 2;
        if is_persistent(policy, live.record.attributes.as_deref()) && live.by_cookie && !self.head_sent {
            // The client's cookie has to move with the limit, so this waits for the response, if the session does not expire before.
            self.owe(CookieChange::Refresh);
            if !may_expire {
                return AfterLoad::Done(self.view());
            }
        }
        AfterLoad::Touch(id)
    }

    /// The session was read again.
    pub(crate) fn reloaded(&mut self, policy: &Policy, id: &SharedId, record: Record<T>) -> AfterLoad<T> {
        let arrived = self.learn(id, record);
        self.after_load(policy, arrived)
    }

    /// What is stored under `id`, unless the request knows something newer: what it has just written itself, for example.
    pub(crate) fn learn(&mut self, id: &SharedId, record: Record<T>) -> bool {
        match &mut self.phase {
            Phase::Live(live) if live.id == *id && live.record.version <= record.version => {
                live.record = record;
                true
            }
            _ => false,
        }
    }

    /// The idle limit was renewed.
    pub(crate) fn touched(&mut self, now: impl FnOnce() -> Instant, id: &SharedId) {
        if let Phase::Live(live) = &mut self.phase
            && live.id == *id
        {
            renew(&mut live.record, self.head_sent, now);
        }
    }

    /// Reading found that the session with this id is not there any more.
    pub(crate) fn gone(&mut self, id: &SharedId, gone: Gone) {
        if !self.is_at(id) {
            return;
        }
        self.leave(id, gone, Phase::Absent(Absence::Unknown));
    }

    /// Reading it again found that the session with this id is not there any more: it never falls back to the default data (law 6).
    pub(crate) fn ended(&mut self, id: &SharedId, gone: Gone) {
        if self.is_at(id) {
            self.leave(id, gone, Phase::Ended);
        }
    }

    fn leave(&mut self, id: &SharedId, gone: Gone, otherwise: Phase<T>) {
        self.leave_to(match gone {
            _ if self.head_sent => Phase::Ended,
            Gone::JustRotated => Phase::Absent(Absence::JustRotated),
            Gone::Missing | Gone::Discarded => otherwise,
        });
        if gone == Gone::Discarded {
            self.name(std::slice::from_ref(id));
        }
    }

    pub(crate) fn view(&self) -> View<T> {
        match &self.phase {
            Phase::Live(live) => View::Live(Arc::clone(&live.record.data)),
            Phase::Absent(Absence::Unknown) if !self.lazy => View::None,
            Phase::Unread | Phase::Ended => View::None,
            Phase::Absent(_) => View::Default,
        }
    }

    /// What a request sees that has read its session again.
    pub(crate) fn view_again(&self) -> Result<View<T>, SessionError> {
        match (&self.phase, self.begin_change(ChangeKind::Rotate)) {
            (Phase::Live(_), _) => Ok(self.view()),
            (_, Err(error)) => Err(error),
            (_, Ok(_)) => Err(SessionError::NotExists),
        }
    }

    // Changing.

    /// What `change` starts from.
    #[inline]
    pub(crate) fn begin_change(&self, change: ChangeKind) -> Result<BeginChange<T>, SessionError> {
        self.failure()?;
        match (&self.phase, change) {
            (Phase::Live(live), _) => Ok(BeginChange::From(live.base())),
            (Phase::Absent(Absence::StoreDown(error)), _) => Err(error.clone()),
            (Phase::Absent(_), ChangeKind::LogIn) => Ok(BeginChange::Create(Create::LogIn)),
            (Phase::Absent(Absence::Unknown), ChangeKind::Edit) if self.lazy => Ok(BeginChange::Create(Create::Edit)),
            (Phase::Absent(Absence::JustRotated), _) => Err(SessionError::JustRotated),
            (Phase::Absent(Absence::Withheld), _) => Err(SessionError::CrossSite),
            (Phase::Absent(_) | Phase::Unread | Phase::Ended, _) => Err(SessionError::NotExists),
        }
    }

    /// The data of the session with this id was replaced.
    pub(crate) fn replaced(
        &mut self,
        policy: &Policy,
        now: impl FnOnce() -> Instant,
        id: &SharedId,
        version: Version,
        data: Arc<T>,
    ) {
        let by_cookie = self.changed(now, id, version, data);
        if by_cookie && !self.head_sent && self.is_persistent(policy) {
            self.owe(CookieChange::Refresh);
        }
    }

    /// The session is to have limits of its own. After `Set` the step is under way, until [`end_exclusive`](Self::end_exclusive).
    ///
    /// # Errors
    ///
    /// The cookie would have to be sent again, and the head has left.
    pub(crate) fn begin_limit(
        &mut self,
        policy: &Policy,
        base: &Base<T>,
        persistent: Option<bool>,
    ) -> Result<BeginLimit, SessionError> {
        if self.exclusive {
            return Ok(BeginLimit::Busy);
        }
        let Phase::Live(live) = &self.phase else { return Ok(BeginLimit::IdChanged) };
        if live.id != base.id {
            return Ok(BeginLimit::IdChanged);
        }
        let after = Attributes { persistent, ..self.attributes() };
        let outlives_the_browser = is_persistent(policy, Some(&after)) || self.is_persistent(policy);
        if self.head_sent && live.by_cookie && outlives_the_browser {
            return Err(SessionError::ResponseStarted);
        }
        self.exclusive = true;
        Ok(BeginLimit::Set((after != Attributes::new()).then(|| Arc::new(after))))
    }

    /// The session with this id has limits and attributes of its own from now on.
    pub(crate) fn limited(
        &mut self,
        policy: &Policy,
        now: impl FnOnce() -> Instant,
        id: &SharedId,
        version: Version,
        data: Arc<T>,
        (limits, attributes): (Limits, Option<Arc<Attributes>>),
    ) {
        let Phase::Live(live) = &mut self.phase else { return };
        if live.id != *id {
            return;
        }
        let mut outlives_the_browser = is_persistent(policy, attributes.as_deref());
        if live.record.version <= version {
            outlives_the_browser |= is_persistent(policy, live.record.attributes.as_deref());
            let now = now();
            live.record.let_pass(now);
            live.record.idle = limits.idle;
            live.record.absolute_in = limits.absolute.map(|limit| limit.saturating_sub(live.record.age));
            live.record.attributes = attributes;
            live.change(self.head_sent, || now, version, data);
        } else {
            // Another task has read it by now, with its new limits.
            outlives_the_browser = true;
        }
        if live.by_cookie && !self.head_sent && outlives_the_browser {
            self.cookie = CookieChange::Set;
        }
    }

    #[inline]
    fn is_persistent(&self, policy: &Policy) -> bool {
        match &self.phase {
            Phase::Live(live) => is_persistent(policy, live.record.attributes.as_deref()),
            _ => policy.persistent,
        }
    }

    /// The session with this id was changed; `true` if the cookie has the id.
    pub(crate) fn changed(&mut self, now: impl FnOnce() -> Instant, id: &SharedId, version: Version, data: Arc<T>) -> bool {
        match &mut self.phase {
            Phase::Live(live) if live.id == *id && live.record.version <= version => {
                live.change(self.head_sent, now, version, data);
                live.by_cookie
            }
            _ => false,
        }
    }

    /// A change found that the session with this id is not there any more: nothing brings it back (law 3). `Ok` if it goes on, under another id
    /// or with a session of its own.
    pub(crate) fn lost(&mut self, id: &SharedId, gone: Gone, change: ChangeKind) -> Result<(), SessionError> {
        match &self.phase {
            Phase::Live(live) if live.id != *id => return Ok(()),
            Phase::Live(_) => {}
            _ => return self.begin_change(change).map(drop),
        }
        let otherwise = if change == ChangeKind::LogIn { Phase::Absent(Absence::Unknown) } else { Phase::Ended };
        self.leave(id, gone, otherwise);
        self.begin_change(change).map(drop)
    }

    /// Whom a change leaves the session to (law 19): whether it belongs to somebody then, and whether that is who it belonged to before.
    pub(crate) fn owner_step(&self, kind: ChangeKind, belongs: bool, is_same: bool) -> OwnerStep {
        let is_listed = self.attributes().handle.is_some();
        match (belongs, is_same) {
            (false, _) if is_listed => OwnerStep::Nobody,
            (false, _) => OwnerStep::Same,
            (true, false) => OwnerStep::New,
            (true, true) if is_listed => OwnerStep::Same,
            // It is listed with its next new id, which the client has to get to know.
            (true, true) if kind == ChangeKind::Edit && !self.tells_the_client() => OwnerStep::Same,
            (true, true) => OwnerStep::Listed,
        }
    }

    /// Whether the client gets to know a new id.
    pub(crate) fn tells_the_client(&self) -> bool {
        matches!(&self.phase, Phase::Live(live) if live.by_cookie && !self.head_sent)
    }

    // Steps that owe the client a cookie.

    /// The exclusive step is over.
    pub(crate) const fn end_exclusive(&mut self) {
        self.exclusive = false;
    }

    pub(crate) const fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// After `Insert` the step is under way, until [`end_exclusive`](Self::end_exclusive).
    pub(crate) fn begin_create(&mut self, create: Create) -> Result<BeginCreate, SessionError> {
        if self.head_sent {
            return Err(SessionError::ResponseStarted);
        }
        if self.exclusive {
            return Ok(BeginCreate::Busy);
        }
        match (&self.phase, create) {
            (Phase::Absent(Absence::Unknown) | Phase::Unread, Create::Asked | Create::Visit | Create::Edit)
            | (Phase::Live(_) | Phase::Ended, Create::Asked) => {}
            (Phase::Absent(_), Create::Asked) => return Ok(BeginCreate::Withhold),
            (Phase::Absent(Absence::StoreDown(error)), Create::LogIn) => return Err(error.clone()),
            (Phase::Absent(_), Create::LogIn) => {
                if let Some(named) = self.named() {
                    return Ok(BeginCreate::After(named));
                }
                if matches!(self.phase, Phase::Absent(Absence::JustRotated)) {
                    self.rare().cookie_is_replaced = true;
                }
            }
            (_, Create::Visit | Create::Edit | Create::LogIn) => return Ok(BeginCreate::Exists),
        }
        self.exclusive = true;
        Ok(BeginCreate::Insert)
    }

    /// The other sessions that the cookies named were ended.
    pub(crate) fn ended_named(&mut self) {
        self.name(&[]);
    }

    /// Keeps the id from the client: nothing is stored under it.
    pub(crate) fn withhold(&mut self, id: SharedId) {
        self.aliases.push(id);
    }

    /// The session that a visit was to create could not be stored. The request goes on without it if the layer says so.
    pub(crate) fn not_created(&mut self, policy: &Policy, id: SharedId, error: SessionError) -> Result<(), SessionError> {
        let why = store_failed(policy, error)?;
        self.used = true;
        self.leave_to(Phase::Absent(why));
        self.withhold(id);
        Ok(())
    }

    /// The session was created.
    pub(crate) fn created(&mut self, create: Create, id: SharedId, version: Version, begun: Begun<T>) {
        let Begun { data, limits: Limits { idle, absolute }, attributes } = begun;
        let mut record = Record::new(data, version, idle, capped(idle, absolute), absolute, Duration::ZERO);
        record.attributes = attributes;
        self.used = true;
        self.phase = Phase::Live(Live { id, record, by_cookie: true, is_new: true, undisclosed: true });
        if create != Create::Asked {
            self.cookie = CookieChange::Set;
        }
    }

    /// The session is to get a new id. After `Move` the step is under way, until [`end_exclusive`](Self::end_exclusive).
    pub(crate) fn begin_rotate(&mut self, kind: ChangeKind, base: &Base<T>) -> Result<BeginRotate, SessionError> {
        if self.head_sent {
            return Err(SessionError::ResponseStarted);
        }
        if self.exclusive {
            return Ok(BeginRotate::Busy);
        }
        let Phase::Live(live) = &self.phase else { return Ok(BeginRotate::IdChanged) };
        if live.id != base.id {
            return Ok(BeginRotate::IdChanged);
        }
        if kind == ChangeKind::LogIn
            && let Some(named) = self.named()
        {
            return Ok(BeginRotate::After(named));
        }
        // The client would not get to know the id.
        if kind == ChangeKind::Edit && !live.by_cookie {
            return Err(SessionError::OwnerChange);
        }
        self.exclusive = true;
        Ok(BeginRotate::Move)
    }

    /// What the rotation that has begun makes of the session: it gets `data`, and belongs to `owner`.
    #[inline]
    pub(crate) fn rotation(
        &mut self,
        now: impl FnOnce() -> Instant,
        (kind, step, handle): (ChangeKind, OwnerStep, Option<SessionHandle>),
        base: &Base<T>,
        data: &Arc<T>,
        owner: Option<Box<Belonging>>,
    ) -> Option<Rotation<T>> {
        let Phase::Live(Live { record, .. }) = &self.phase else { return None };
        let mut rotation =
            Rotation { session: Record { data: Arc::clone(data), version: base.version, attributes: None, ..*record }, owner };
        if record.attributes.is_some() || step != OwnerStep::Same || kind == ChangeKind::Confirm {
            let before = record.attributes.as_deref().copied().unwrap_or_default();
            rotation.session.let_pass(now());
            let after = attributes_after(before, kind, step, rotation.session.age, handle);
            rotation.session.attributes.clone_from(&after);
            self.rare().after_rotation = after;
        } else if let Some(rare) = &mut self.rare {
            // Of a rotation that failed.
            rare.after_rotation = None;
        }
        Some(rotation)
    }

    /// The session has got a new id.
    pub(crate) fn rotated(
        &mut self,
        now: impl FnOnce() -> Instant,
        old: &SharedId,
        new: SharedId,
        version: Version,
        data: Arc<T>,
    ) {
        if let Phase::Live(live) = &mut self.phase
            && live.id == *old
        {
            live.id = new;
            if let Some(rare) = &mut self.rare {
                live.record.attributes = rare.after_rotation.take();
            }
            live.change(self.head_sent, now, version, data);
            if live.by_cookie {
                self.cookie = CookieChange::Set;
            }
            self.aliases.push(old.clone());
        }
    }

    // Ending.

    /// Which sessions are to be deleted; with `carried`, those that it means, without having read them.
    pub(crate) fn begin_destroy(&mut self, carried: Option<&CarriedId>) -> Result<BeginDestroy, SessionError> {
        self.used = true;
        self.failure()?;
        if let Some(carried) = carried
            && (matches!(self.phase, Phase::Unread) || !self.is_meant_by(carried))
        {
            let in_cookie = !matches!(carried, CarriedId::One { by_cookie: false, .. });
            return match carried {
                CarriedId::None => Ok(BeginDestroy::Done),
                CarriedId::Withheld => Err(SessionError::CrossSite),
                _ => Ok(BeginDestroy::Delete { ids: carried.ids().iter().cloned().collect(), in_cookie }),
            };
        }
        match &self.phase {
            Phase::Live(live) => {
                let named = self.named();
                let in_cookie = self.client_has_one(live) || named.is_some();
                let ids = std::iter::once(&live.id).chain(named.iter().flat_map(InlineVec::iter)).cloned().collect();
                Ok(BeginDestroy::Delete { ids, in_cookie })
            }
            Phase::Absent(Absence::StoreDown(error)) => Err(error.clone()),
            Phase::Absent(Absence::JustRotated) => Err(SessionError::JustRotated),
            Phase::Absent(Absence::Withheld) => Err(SessionError::CrossSite),
            Phase::Absent(Absence::Unknown) if self.named().is_none() => {
                if self.is_cookie_dead() && !self.head_sent {
                    self.cookie = CookieChange::Remove;
                }
                Ok(BeginDestroy::Done)
            }
            Phase::Absent(_) | Phase::Unread | Phase::Ended => {
                Ok(self.named().map_or(BeginDestroy::Done, |ids| BeginDestroy::Delete { ids, in_cookie: true }))
            }
        }
    }

    /// The client's cookie has the session's id, or one that leads to none.
    fn client_has_one(&self, live: &Live<T>) -> bool {
        if live.undisclosed { self.is_cookie_dead() } else { live.by_cookie }
    }

    /// Nothing goes by the id that came, if it is that which was read, and the client would send it for ever.
    fn is_cookie_dead(&self) -> bool {
        !self.is_cookie_replaced() && self.came.as_ref().is_some_and(|came| came.is_by_cookie() && self.is_meant_by(came))
    }

    /// The sessions with these ids were deleted.
    pub(crate) fn deleted(
        &mut self,
        ids: &InlineVec<SharedId>,
        in_cookie: bool,
        deleted: Deleted,
    ) -> Result<AfterDelete, SessionError> {
        let is_among = |id: &SharedId| ids.iter().any(|deleted| deleted == id);
        let deleted = match (deleted, &self.phase) {
            // Of several that were not read, the one that exists counts (law 5).
            (Deleted::SomeAndJustRotated, Phase::Unread) => Deleted::Some,
            (Deleted::SomeAndJustRotated, _) => Deleted::JustRotated,
            (deleted, _) => deleted,
        };
        match &self.phase {
            Phase::Live(live) if !is_among(&live.id) => {
                if self.aliases.iter().any(is_among) {
                    return Ok(AfterDelete::Again);
                }
                // It was another session, which the request does not go on with.
                if deleted == Deleted::JustRotated {
                    return Err(SessionError::JustRotated);
                }
                if in_cookie && !live.by_cookie {
                    self.cookie = CookieChange::Remove;
                }
                return Ok(AfterDelete::Done);
            }
            _ if deleted == Deleted::JustRotated => {
                self.leave_to(Phase::Absent(Absence::JustRotated));
                return Err(SessionError::JustRotated);
            }
            // Another task of the request has ended it and said so.
            Phase::Ended if deleted == Deleted::None => return Ok(AfterDelete::Done),
            _ => {}
        }
        for id in ids.iter() {
            self.aliases.push(id.clone());
        }
        self.name(&[]);
        self.leave_to(Phase::Ended);
        if in_cookie || self.added {
            self.cookie = CookieChange::Remove;
        }
        Ok(AfterDelete::Done)
    }

    /// The owner has ended the session that has this handle, whatever its id is.
    pub(crate) fn ended_by_owner(&mut self, handle: SessionHandle) {
        let Phase::Live(live) = &self.phase else { return };
        if live.record.attributes.as_ref().and_then(|attributes| attributes.handle) != Some(handle) {
            return;
        }
        let client_has_it = self.client_has_one(live) || self.added;
        self.leave_to(Phase::Ended);
        if client_has_it && !self.head_sent {
            self.cookie = CookieChange::Remove;
        }
    }

    // Leaving.

    /// No response will leave: what needs a cookie is as late as after one.
    pub(crate) const fn give_up(&mut self) {
        self.head_sent = true;
    }

    /// The response's head leaves if it owes the client no cookie and waits for nobody; whether the session was read or changed.
    pub(crate) fn depart_without_cookie(&mut self) -> Option<bool> {
        let leaves = self.cookie == CookieChange::Unchanged && !self.exclusive && !self.refused;
        leaves.then(|| {
            self.head_sent = true;
            self.used
        })
    }

    /// The response's head wants to leave; with `now_or_never` it waits for nobody.
    pub(crate) fn depart(&mut self, policy: &Policy, now_or_never: bool) -> Depart {
        if self.exclusive && !now_or_never {
            return Depart::Busy;
        }
        if self.refused {
            self.cookie = CookieChange::Unchanged;
            if let Phase::Live(Live { id, undisclosed: true, .. }) = &self.phase {
                let id = id.clone();
                self.leave_to(Phase::Ended);
                return Depart::Undo(id);
            }
        }
        if self.cookie == CookieChange::Refresh {
            self.cookie = self.nothing_owed();
            if let Phase::Live(live) = &self.phase {
                return Depart::Refresh(live.id.clone());
            }
        }
        self.head_sent = true;
        let cookie = match (self.cookie, &self.phase) {
            (CookieChange::Set, Phase::Live(live)) => SendCookie::Set(live.id.clone(), live.max_age(policy)),
            (CookieChange::SetLeft, _) => match self.rare().left.take() {
                Some(Owed { id, expires_in, persistent }) => {
                    SendCookie::Set(id, persistent.unwrap_or(policy.persistent).then_some(expires_in))
                }
                None => SendCookie::None,
            },
            (CookieChange::Remove, _) => SendCookie::Remove,
            _ => SendCookie::None,
        };
        Depart::Go(Departing { used: self.used, added: self.added, cookie })
    }

    /// The session was touched for the response.
    pub(crate) fn refreshed(&mut self, now: impl FnOnce() -> Instant, id: &SharedId) {
        self.touched(now, id);
        if self.is_at(id) {
            self.owe(CookieChange::Set);
        }
    }

    /// The id to send when `id` is to be added to the response, and how long it outlives the browser: the id that the session has by now, if it has one.
    pub(crate) fn add(&mut self, policy: &Policy, id: &SessionId) -> Option<(SessionId, Option<Duration>)> {
        let is_it = |known: &SharedId| **known == *id;
        let is_alias = self.aliases.iter().any(is_it);
        let found = match &self.phase {
            _ if self.refused => return None,
            Phase::Live(live) if is_it(&live.id) || is_alias => (*live.id, live.max_age(policy)),
            Phase::Ended | Phase::Absent(_) if is_alias => return None,
            Phase::Live(live) => (*id, live.max_age(policy)),
            _ => (*id, policy.persistent.then_some(policy.limits.idle)),
        };
        Some(found)
    }

    /// A cookie was added.
    pub(crate) const fn added(&mut self) -> bool {
        self.cookie = CookieChange::Added;
        mem::replace(&mut self.added, true)
    }

    // Looking.

    /// The session's id by now.
    pub(crate) fn id(&self) -> Option<&SharedId> {
        match &self.phase {
            Phase::Live(live) => Some(&live.id),
            _ => None,
        }
    }

    /// It was created in this request.
    pub(crate) const fn is_new(&self) -> bool {
        matches!(&self.phase, Phase::Live(live) if live.is_new)
    }

    /// The time since the session was created, and until it expires, which may be later by the time that this request has taken before it last used it.
    pub(crate) fn times(&self, now: Instant) -> Option<(Duration, Duration)> {
        match &self.phase {
            Phase::Live(live) => {
                let passed = now.saturating_duration_since(live.record.at);
                Some((live.record.age.saturating_add(passed), live.record.expires_in.saturating_sub(passed)))
            }
            _ => None,
        }
    }

    pub(crate) fn attributes(&self) -> Attributes {
        match &self.phase {
            Phase::Live(live) => live.record.attributes.as_deref().copied().unwrap_or_default(),
            _ => Attributes::new(),
        }
    }

    /// The store is down, and the layer lets the request go on without a session.
    pub(crate) fn outage(&self) -> Option<SessionError> {
        match &self.phase {
            Phase::Absent(Absence::StoreDown(error)) => Some(error.clone()),
            _ => None,
        }
    }

    /// The session whose owner's list the request asks for; nothing if it has none.
    ///
    /// # Errors
    ///
    /// There may be one that the request does not see, or there is none any more: what is to be ended would not be.
    pub(crate) fn own(&self) -> Result<Option<(&Arc<T>, Attributes)>, SessionError> {
        self.failure()?;
        match &self.phase {
            Phase::Live(live) => Ok(Some((&live.record.data, self.attributes()))),
            // Nobody can tell whose it is that cannot be read.
            Phase::Absent(Absence::Unknown) if self.named().is_some() => Err(SessionError::NotExists),
            Phase::Absent(Absence::Unknown) => Ok(None),
            Phase::Absent(Absence::StoreDown(error)) => Err(error.clone()),
            Phase::Absent(Absence::JustRotated) => Err(SessionError::JustRotated),
            Phase::Absent(Absence::Withheld) => Err(SessionError::CrossSite),
            Phase::Absent(Absence::Ambiguous) | Phase::Unread | Phase::Ended => Err(SessionError::NotExists),
        }
    }

    /// The session with this id, for another request that waits to change it.
    pub(crate) fn known(&self, id: &SharedId) -> Option<Record<T>> {
        match &self.phase {
            Phase::Live(live) if live.id == *id => Some(live.record.clone()),
            _ => None,
        }
    }

    /// The response's head has left.
    pub(crate) const fn is_late(&self) -> bool {
        self.head_sent
    }

    /// The time since the session's user proved who they are.
    pub(crate) fn proven_for(&self, now: Instant) -> Option<Duration> {
        let (age, _) = self.times(now)?;
        Some(age.saturating_sub(self.attributes().proven?))
    }

    /// What was read becomes the phase, unless another task of the request was faster: then what that one made of it counts.
    fn arrive(&mut self, carried: &CarriedId, phase: Phase<T>, named: &[SharedId]) -> bool {
        if !matches!(self.phase, Phase::Unread) && !self.make_way(carried) {
            return false;
        }
        self.none_is_alias = matches!(carried, CarriedId::None | CarriedId::Withheld);
        self.aliases.clear();
        if !matches!((carried, &phase), (CarriedId::One { .. }, Phase::Live(_))) {
            carried.ids().iter().for_each(|id| self.aliases.push(id.clone()));
        }
        self.name(named);
        if self.came.is_none() && carried.is_by_cookie() {
            // A callback has found it.
            self.came = Some(carried.clone());
        }
        self.phase = phase;
        true
    }

    /// Gives the phase up for another session, whose cookie is not this one's.
    #[cold]
    fn make_way(&mut self, carried: &CarriedId) -> bool {
        let is_another = !self.is_meant_by(carried);
        if !is_another {
            return false;
        }
        if let (CookieChange::Set, Phase::Live(live)) = (self.cookie, &self.phase) {
            let persistent = live.record.attributes.as_ref().and_then(|attributes| attributes.persistent);
            self.rare().left = Some(Owed { id: live.id.clone(), expires_in: live.record.expires_in, persistent });
            self.cookie = CookieChange::SetLeft;
        } else if !matches!(self.cookie, CookieChange::Remove | CookieChange::SetLeft) {
            self.cookie = self.nothing_owed();
        }
        true
    }

    fn is_meant_by(&self, carried: &CarriedId) -> bool {
        match carried {
            CarriedId::None | CarriedId::Withheld => self.none_is_alias,
            _ => carried.ids().first().is_some_and(|id| self.is_at(id) || self.aliases.iter().any(|alias| alias == id)),
        }
    }

    fn is_at(&self, id: &SharedId) -> bool {
        self.id().is_some_and(|at| at == id)
    }

    /// The session is no more, whichever of its ids is asked for, and nothing is owed for it.
    fn leave_to(&mut self, phase: Phase<T>) {
        if let Phase::Live(live) = &self.phase {
            self.aliases.push(live.id.clone());
        }
        self.phase = phase;
        self.cookie = self.nothing_owed();
    }

    fn owe(&mut self, change: CookieChange) {
        if matches!(self.cookie, CookieChange::Unchanged | CookieChange::Added) {
            self.cookie = change;
        }
    }

    /// Nothing is owed, or nothing any more.
    const fn nothing_owed(&self) -> CookieChange {
        if self.added { CookieChange::Added } else { CookieChange::Unchanged }
    }
}

impl Create {
    pub(crate) const fn is_visit(self) -> bool {
        matches!(self, Self::Asked | Self::Visit)
    }

    pub(crate) const fn origin(self) -> Origin {
        if self.is_visit() { Origin::Visit } else { Origin::Change }
    }
}

impl<T> Live<T> {
    const fn read(id: SharedId, record: Record<T>, by_cookie: bool) -> Self {
        Self { id, record, by_cookie, is_new: false, undisclosed: false }
    }

    fn base(&self) -> Base<T> {
        Base { id: self.id.clone(), data: Arc::clone(&self.record.data), version: self.record.version }
    }

    /// How long the cookie outlives the browser, if it does.
    #[inline]
    fn max_age(&self, policy: &Policy) -> Option<Duration> {
        is_persistent(policy, self.record.attributes.as_deref()).then_some(self.record.expires_in)
    }

    /// The data was changed, which uses the session.
    #[inline]
    fn change(&mut self, is_late: bool, now: impl FnOnce() -> Instant, version: Version, data: Arc<T>) {
        renew(&mut self.record, is_late, now);
        (self.record.version, self.record.data) = (version, data);
    }
}

/// What is kept beside the data after a rotation, of a session of this age.
fn attributes_after(
    before: Attributes,
    kind: ChangeKind,
    step: OwnerStep,
    age: Duration,
    handle: Option<SessionHandle>,
) -> Option<Arc<Attributes>> {
    let mut after = before;
    match step {
        OwnerStep::Same => {}
        OwnerStep::Nobody => (after.handle, after.proven) = (None, None),
        OwnerStep::New => (after.handle, after.proven) = (handle, Some(age)),
        OwnerStep::Listed => after.handle = handle,
    }
    // A rotation proves nothing.
    let proves = kind == ChangeKind::Confirm || kind == ChangeKind::LogIn && after.handle.is_some();
    if proves {
        after.proven = Some(age);
    }
    (after != Attributes::new()).then(|| Arc::new(after))
}

/// Whether the session's cookie outlives the browser.
#[inline]
fn is_persistent(policy: &Policy, attributes: Option<&Attributes>) -> bool {
    attributes.and_then(|attributes| attributes.persistent).unwrap_or(policy.persistent)
}

/// The session was used. Its end moves only within its absolute limit, so only that takes the time, and a response that has started, which may
/// last.
#[inline]
fn renew<T>(record: &mut Record<T>, is_late: bool, now: impl FnOnce() -> Instant) {
    if is_late || record.absolute_in.is_some() {
        record.let_pass(now());
    }
    record.expires_in = full_life(record);
}

/// Why there is no session, and whether one is there whose data is discarded.
fn absence<T>(policy: &Policy, loaded: Result<Loaded<T>, SessionError>) -> Result<(Absence, bool), SessionError> {
    match loaded {
        Ok(Loaded::Undecodable(error)) if policy.on_undecodable == OnUndecodable::Fail => Err(SessionError::from(error)),
        Ok(Loaded::Undecodable(_)) => Ok((Absence::Unknown, true)),
        Ok(Loaded::JustRotated) => Ok((Absence::JustRotated, false)),
        Ok(_) => Ok((Absence::Unknown, false)),
        Err(error) => Ok((store_failed(policy, error)?, false)),
    }
}

/// How a session was found to be gone that was there when the request read it.
pub(crate) fn how_gone<T>(policy: &Policy, loaded: Loaded<T>) -> Result<Gone, SessionError> {
    match loaded {
        Loaded::JustRotated => Ok(Gone::JustRotated),
        Loaded::Undecodable(error) if policy.on_undecodable == OnUndecodable::Fail => Err(error.into()),
        Loaded::Undecodable(_) => Ok(Gone::Discarded),
        _ => Ok(Gone::Missing),
    }
}

/// What `on_store_error` makes of an error (law 11): the request goes on without a session, or ends.
fn store_failed(policy: &Policy, error: SessionError) -> Result<Absence, SessionError> {
    if policy.on_store_error == OnStoreError::Anonymous && error.is_outage() { Ok(Absence::StoreDown(error)) } else { Err(error) }
}

fn capped(idle: Duration, absolute: Option<Duration>) -> Duration {
    absolute.map_or(idle, |absolute| absolute.min(idle))
}

/// The time until a session expires that was used just now.
fn full_life<T>(record: &Record<T>) -> Duration {
    capped(record.idle, record.absolute_in)
}

/// A tenth of the idle limit has passed since the session was last renewed, and renewing it would help.
#[inline]
fn touch_is_due<T>(record: &Record<T>) -> bool {
    // Mostly it is far from due, which whole seconds tell.
    if record.absolute_in.is_none() && record.expires_in.as_secs() / 9 > record.idle.as_secs() / 10 {
        return false;
    }
    full_life(record).saturating_sub(record.expires_in) >= record.idle / 10
}

#[cfg(test)]
mod tests;
