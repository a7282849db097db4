//! A small store that keeps the laws, and makes one mistake where it is told to.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use session_runtime::SessionId;
use session_runtime::WhenFull;
use session_runtime::store::{
    Attributes, Belonging, Change, Created, HashSecret, Key, Limits, Listed, Loaded, Namespace, NewLifetime, NewSession, Origin,
    Owner, ROTATION_MARK, Record, Replaced, Rotated, Rotation, SessionHandle, Store, StoreError, Version, Which,
};
use tokio::task::yield_now;
use tokio::time::Instant;

/// What stores get wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    Nothing,
    CreateOverwrites,
    CreateRepeats,
    CreateInTwoSteps,
    CreateIgnoresTheAbsoluteLimit,
    VisitsTakeEachOthersPlace,
    AgeIsUnknown,
    AgeCountsFromTheLastChange,
    AgeCountsFromTheLastRotation,
    SaveIsAnUpsert,
    SaveReturnsFromTheDead,
    SaveIgnoresThatNothingWasThere,
    LastWriteWins,
    CompareThenWrite,
    SavingSendsAgain,
    LimitRevertsOnSave,
    VersionIsAHashOfTheData,
    VersionStartsAnewOnRotation,
    TouchChangesTheVersion,
    TouchCreates,
    TouchRevivesWhatExpired,
    TouchDoesNotRenew,
    LoadRenews,
    DeleteAlwaysSaysTrue,
    DeleteTakesTheMark,
    CacheIsFilledDuringADelete,
    CacheIsFilledDuringASet,
    CacheIsFilledDuringARotation,
    CacheOfAnotherProcess,
    LockIsLeftBehind,
    ValidAtTheInstant,
    AbsoluteLimitCountsFromTheLastUse,
    AbsoluteLimitIsLate,
    ExpiredKeyStaysTaken,
    WholeSeconds,
    ZeroIsEndless,
    LimitsOverflow,
    RotationDeletesFirst,
    RotationInsertsFirst,
    RotationKeepsTheOldKey,
    RotationLeavesNoMark,
    RotationCreates,
    RotationIgnoresTheVersion,
    RotationOverwrites,
    RotationComparesFirst,
    SaveReplacesTheMark,
    MarkGoesWithItsSession,
    MarkStays,
    MarkIsShort,
    SweepIsHoursAhead,
    SweepTakesMarks,
    DataEndsAtNul,
    DataIsTrimmed,
    DataIsCut,
    KeyIgnoresCase,
    KeyIsCut,
    KeyIgnoresTheNamespace,
    OnePlaceForAll,
    UndecodableIsAnError,
    UndecodableIsMissing,
    UndecodableIsNotDeleted,
    OutageIsNoSession,
    AttributesAreLostOnAChange,
    AttributesAreLostOnRotation,
    LifetimeIsNotTaken,
    LifetimeCountsFromTheChange,
    LifetimeRevertsOnRotation,
    RotationLeavesTheOldEntry,
    RotationKeepsTheOwner,
    ListIgnoresTheNamespace,
    DeletedStaysListed,
    ExpiredStaysListed,
    ExpiredTakesAPlace,
    ListRenews,
    ListForgetsTheLastUse,
    EndIgnoresTheOwner,
    EndMissesOneOfAll,
    EndReadsTheListFirst,
    LimitIsCountedFirst,
    LimitIsIgnoredByRotation,
    TheLeastUsedGoes,
    ReplaceListedRenews,
    ReplaceListedIgnoresTheVersion,
}

use Mistake as M;

pub struct Model {
    rows: Arc<Mutex<Rows>>,
    cache: Mutex<HashMap<u128, Row>>,
    mistake: Mistake,
}

#[derive(Default)]
struct Rows {
    map: HashMap<u128, Row>,
    /// The lock that a mistaken store takes, and what it sends again.
    locked: bool,
    again: Vec<(u128, Arc<String>)>,
    last_visit: Option<u128>,
    /// Entries of lists that a mistaken store leaves behind.
    left: Vec<(u128, Row)>,
}

#[derive(Clone)]
struct Row {
    /// A mark has none.
    data: Option<Arc<String>>,
    version: u64,
    limits: Limits,
    created_at: Instant,
    absolute_at: Option<Instant>,
    expires_at: Option<Instant>,
    used_at: Instant,
    attributes: Option<Arc<Attributes>>,
    owner: Option<u128>,
}

impl Row {
    fn handle(&self) -> SessionHandle {
        let handle = self.attributes.as_ref().and_then(|attributes| attributes.handle);
        handle.unwrap_or_else(|| SessionHandle::from_u64(0))
    }

    /// When its user proved who they are.
    fn proven_at(&self) -> Instant {
        self.created_at + self.attributes.as_ref().and_then(|attributes| attributes.proven).unwrap_or_default()
    }

    fn is_over(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// What cannot be read as a text: where a row has it, the store says so.
const UNDECODABLE: &str = "\u{0}not a text";

/// The places that were opened, so that a second store at one has the same rows.
#[derive(Default)]
pub struct Places(Mutex<HashMap<String, Arc<Mutex<Rows>>>>);

impl Places {
    pub fn open(&self, place: &str, mistake: Mistake) -> Model {
        let place = if mistake == M::OnePlaceForAll { "one" } else { place };
        let rows = Arc::clone(self.0.lock().unwrap().entry(place.to_owned()).or_default());
        Model { rows, cache: Mutex::default(), mistake }
    }

    /// Puts a session whose data cannot be read at a key.
    pub fn put_undecodable(&self, place: &str, key: Key<'_>) {
        let model = self.open(place, M::Nothing);
        let name = model.name(key);
        model.step(|step| step.insert(name, &Arc::new(UNDECODABLE.to_owned()), Limits::new(Duration::MAX, None), 1));
    }
}

impl Model {
    fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    /// The way to where the rows are.
    async fn travel(&self) -> Result<(), StoreError> {
        yield_now().await;
        if self.makes(M::LockIsLeftBehind) {
            while std::mem::replace(&mut self.rows.lock().unwrap().locked, true) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            yield_now().await;
            self.rows.lock().unwrap().locked = false;
        }
        Ok(())
    }

    /// One step, alone with the rows.
    fn step<R>(&self, step: impl FnOnce(&mut Step<'_>) -> R) -> R {
        let mut rows = self.rows.lock().unwrap();
        step(&mut Step { rows: &mut rows, now: Instant::now(), mistake: self.mistake })
    }

    fn name(&self, key: Key<'_>) -> u128 {
        let name = hash(key);
        match self.mistake {
            M::KeyIgnoresCase => LOWER.get(&name).copied().unwrap_or(name),
            M::KeyIsCut => CUT.get(&name).copied().unwrap_or(name),
            M::KeyIgnoresTheNamespace => name.min(name ^ *BETWEEN_NAMESPACES),
            _ => name,
        }
    }

    async fn answer<R>(&self, run: impl Future<Output = R>) -> Result<R, StoreError> {
        self.travel().await?;
        let answer = run.await;
        yield_now().await;
        Ok(answer)
    }
}

/// Hashes show nobody an id, so the ids that are mistaken for others are known by theirs.
static SECRET: LazyLock<HashSecret> = LazyLock::new(HashSecret::random);

fn hash(key: Key<'_>) -> u128 {
    key.keyed_hash(&SECRET)
}

fn hash_of(text: &str) -> u128 {
    hash_in("conformance", text)
}

fn hash_in(namespace: &str, text: &str) -> u128 {
    hash(Key::new(&Namespace::new(namespace), &SessionId::parse(text).unwrap()))
}

/// What the hashes of one id in the kit's two namespaces differ by, whichever id it is.
static BETWEEN_NAMESPACES: LazyLock<u128> = LazyLock::new(|| hash_in("conformance", "a") ^ hash_in("conformance too", "a"));

static LOWER: LazyLock<HashMap<u128, u128>> = LazyLock::new(|| {
    ('A'..='Z').map(|letter| letter.to_string()).map(|text| (hash_of(&text), hash_of(&text.to_lowercase()))).collect()
});

static CUT: LazyLock<HashMap<u128, u128>> = LazyLock::new(|| {
    let start = "a".repeat(255);
    ["a", "b", "%"].map(|end| (hash_of(&format!("{start}{end}")), hash_of(&start))).into()
});

struct Step<'a> {
    rows: &'a mut Rows,
    now: Instant,
    mistake: Mistake,
}

impl Step<'_> {
    fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    /// The row at a key, session or mark, unless it is expired.
    fn row(&mut self, name: u128) -> Option<&mut Row> {
        let (now, mistake) = (self.now, self.mistake);
        self.rows.map.get_mut(&name).filter(|row| {
            row.expires_at.is_none_or(|at| match mistake {
                M::ValidAtTheInstant => now <= at,
                M::AbsoluteLimitIsLate if row.absolute_at == Some(at) => now <= at,
                _ => now < at,
            })
        })
    }

    fn session(&mut self, name: u128) -> Option<&mut Row> {
        self.row(name).filter(|row| row.data.is_some())
    }

    fn renew(&mut self, name: u128) {
        let (now, mistake) = (self.now, self.mistake);
        let Some(row) = self.rows.map.get_mut(&name) else { return };
        if mistake == M::AbsoluteLimitCountsFromTheLastUse {
            row.absolute_at = row.limits.absolute.and_then(|limit| now.checked_add(limit));
        }
        row.expires_at = earlier(end(now, row.limits.idle, mistake), row.absolute_at);
        row.used_at = now;
    }

    fn kept(&self, data: &Arc<String>) -> Arc<String> {
        match self.mistake {
            M::DataEndsAtNul => Arc::new(data.split('\0').next().unwrap_or_default().to_owned()),
            M::DataIsTrimmed => Arc::new(data.trim_end().to_owned()),
            M::DataIsCut => Arc::new(data.chars().take(65_535).collect()),
            _ => Arc::clone(data),
        }
    }

    fn first_version(&self, data: &str) -> u64 {
        if self.makes(M::VersionIsAHashOfTheData) { data.len() as u64 } else { 1 }
    }

    fn insert(&mut self, name: u128, data: &Arc<String>, limits: Limits, version: u64) {
        let absolute = limits.absolute.filter(|_| !self.makes(M::CreateIgnoresTheAbsoluteLimit));
        let absolute_at = absolute.and_then(|limit| end(self.now, limit, self.mistake));
        let row = Row {
            data: Some(self.kept(data)),
            version,
            limits,
            created_at: self.now,
            absolute_at,
            expires_at: None,
            used_at: self.now,
            attributes: None,
            owner: None,
        };
        self.rows.map.insert(name, row);
        self.renew(name);
    }

    fn create(&mut self, name: u128, session: &NewSession<String>) -> Created {
        let version = self.first_version(&session.data);
        let repeats =
            self.makes(M::CreateRepeats) && self.session(name).is_some_and(|row| row.data.as_ref() == Some(&session.data));
        let taken = match self.mistake {
            M::CreateOverwrites => self.row(name).is_some_and(|row| row.data.is_none()),
            M::ExpiredKeyStaysTaken => self.rows.map.contains_key(&name),
            _ => self.row(name).is_some() && !repeats,
        };
        if taken {
            return Created::Exists;
        }
        let version = if repeats { version + 100 } else { version };
        if self.makes(M::VisitsTakeEachOthersPlace)
            && session.origin == Origin::Visit
            && let Some(last) = self.rows.last_visit.replace(name)
        {
            self.rows.map.remove(&last);
        }
        if let Some(belonging) = &session.owner
            && !self.make_room(belonging)
        {
            return Created::TooMany;
        }
        self.insert(name, &session.data, session.limits, version);
        self.own(name, session.attributes.clone(), session.owner.as_deref());
        Created::Created(Version(version))
    }

    fn own(&mut self, name: u128, attributes: Option<Arc<Attributes>>, owner: Option<&Belonging>) {
        let owner = owner.map(|belonging| self.owner(&belonging.owner));
        let Some(row) = self.rows.map.get_mut(&name) else { return };
        (row.attributes, row.owner) = (attributes, owner);
    }

    fn owner(&self, owner: &Owner) -> u128 {
        if self.makes(M::ListIgnoresTheNamespace) { 7 } else { owner.keyed_hash(&SECRET) }
    }

    /// The names of the sessions of an owner.
    fn names_of(&self, owner: u128) -> Vec<u128> {
        let is_there = |row: &Row| !row.is_over(self.now) || self.makes(M::ExpiredStaysListed);
        let own = self.rows.map.iter().filter(|(_, row)| row.data.is_some() && row.owner == Some(owner) && is_there(row));
        own.map(|(name, _)| *name).collect()
    }

    /// Sees to it that an owner may have one more session; `false` if that is refused.
    fn make_room(&mut self, belonging: &Belonging) -> bool {
        let Some(limit) = belonging.limit else { return true };
        let owner = self.owner(&belonging.owner);
        let mut names = self.names_of(owner);
        if self.makes(M::ExpiredTakesAPlace) {
            names = self.rows.map.iter().filter(|(_, row)| row.owner == Some(owner)).map(|(name, _)| *name).collect();
        }
        let surplus = (names.len() + 1).saturating_sub(limit.sessions.get() as usize);
        if surplus > 0 && limit.when_full == WhenFull::Refuse {
            return false;
        }
        names.sort_by_key(|name| {
            let row = &self.rows.map[name];
            if self.makes(M::TheLeastUsedGoes) { row.used_at } else { row.proven_at() }
        });
        for name in &names[..surplus] {
            self.rows.map.remove(name);
        }
        true
    }

    fn replace(&mut self, name: u128, expected: Option<Version>, data: &Arc<String>) -> Replaced {
        let revives = match self.mistake {
            M::SaveIsAnUpsert => !self.rows.map.contains_key(&name),
            M::SaveReplacesTheMark => self.row(name).is_some_and(|row| row.data.is_none()),
            M::SaveReturnsFromTheDead if expected.is_some_and(|version| version.0 > 0) => !self.rows.map.contains_key(&name),
            _ => false,
        };
        if revives {
            self.insert(name, data, Limits::new(Duration::from_secs(3600), None), 1);
            return Replaced::Replaced(Version(1));
        }
        let (hashes, last_wins) = (self.makes(M::VersionIsAHashOfTheData), self.makes(M::LastWriteWins));
        let created_now = self.makes(M::AgeCountsFromTheLastChange).then_some(self.now);
        let (kept, reverts) = (self.kept(data), self.makes(M::LimitRevertsOnSave));
        let (claims, loses) = (self.makes(M::SaveIgnoresThatNothingWasThere), self.makes(M::AttributesAreLostOnAChange));
        let Some(row) = self.session(name) else {
            return if claims { Replaced::Replaced(Version(1)) } else { Replaced::Missing };
        };
        if !last_wins && expected.is_some_and(|expected| expected.0 != row.version) {
            return Replaced::Conflict;
        }
        row.version = if hashes { data.len() as u64 } else { row.version + 1 };
        row.data = Some(kept);
        if loses {
            row.attributes = None;
        }
        row.created_at = created_now.unwrap_or(row.created_at);
        if reverts {
            row.limits = Limits::new(Duration::from_secs(24 * 3600), row.limits.absolute);
        }
        let version = Version(row.version);
        self.renew(name);
        Replaced::Replaced(version)
    }

    /// Of a session that was just replaced.
    fn set_lifetime(&mut self, name: u128, lifetime: &NewLifetime) {
        let (mistake, is_mistaken) = (self.mistake, self.makes(M::LifetimeIsNotTaken));
        let (now, counts_from_the_change) = (self.now, self.makes(M::LifetimeCountsFromTheChange));
        let Some(row) = self.rows.map.get_mut(&name) else { return };
        row.attributes.clone_from(&lifetime.attributes);
        if !is_mistaken {
            row.limits = lifetime.limits;
            let from = if counts_from_the_change { now } else { row.created_at };
            row.absolute_at = lifetime.limits.absolute.and_then(|limit| end(from, limit, mistake));
        }
        self.renew(name);
    }

    fn touch(&mut self, name: u128) -> bool {
        if self.makes(M::TouchCreates) && !self.rows.map.contains_key(&name) {
            self.insert(name, &Arc::default(), Limits::new(Duration::from_secs(3600), None), 1);
            return true;
        }
        let there = if self.makes(M::TouchRevivesWhatExpired) {
            self.rows.map.get(&name).is_some_and(|row| row.data.is_some())
        } else {
            self.session(name).is_some()
        };
        if there && self.makes(M::TouchChangesTheVersion) {
            self.rows.map.get_mut(&name).unwrap().version += 1;
        }
        if there && !self.makes(M::TouchDoesNotRenew) {
            self.renew(name);
        }
        there
    }

    /// Why a session cannot be rotated, if it cannot.
    fn refuses_rotation(&mut self, old: u128, new: u128, rotation: &Rotation<String>) -> Option<Rotated> {
        let session = &rotation.session;
        let (any_version, overwrites) = (self.makes(M::RotationIgnoresTheVersion), self.makes(M::RotationOverwrites));
        let Some(row) = self.session(old) else { return Some(Rotated::Missing) };
        if !any_version && row.version != session.version.0 {
            return Some(Rotated::Conflict);
        }
        (!overwrites && self.row(new).is_some()).then_some(Rotated::Exists)
    }

    fn has_room(&mut self, rotation: &Rotation<String>) -> bool {
        let ignores = self.makes(M::LimitIsIgnoredByRotation);
        rotation.owner.as_deref().filter(|_| !ignores).is_none_or(|belonging| self.make_room(belonging))
    }

    fn put_new(&mut self, old: &Row, new: u128, rotation: &Rotation<String>) -> Version {
        let data = &rotation.session.data;
        let version = match self.mistake {
            M::VersionIsAHashOfTheData => data.len() as u64,
            M::VersionStartsAnewOnRotation => 1,
            _ => old.version + 1,
        };
        let created_at = if self.makes(M::AgeCountsFromTheLastRotation) { self.now } else { old.created_at };
        let mut row = Row { data: Some(self.kept(data)), version, created_at, ..old.clone() };
        if self.makes(M::RotationLeavesTheOldEntry) && row.owner.is_some() {
            self.rows.left.push((row.owner.unwrap_or_default(), row.clone()));
        }
        if self.makes(M::LifetimeRevertsOnRotation) {
            row.limits = Limits::new(Duration::from_secs(24 * 3600), None);
        }
        self.rows.map.insert(new, row);
        let loses = self.makes(M::AttributesAreLostOnRotation);
        let attributes = rotation.session.attributes.clone().filter(|_| !loses);
        if !self.makes(M::RotationKeepsTheOwner) {
            self.own(new, attributes, rotation.owner.as_deref());
        }
        self.renew(new);
        Version(version)
    }

    fn leave_old(&mut self, old: u128) {
        let Some(mut row) = self.rows.map.remove(&old) else { return };
        let time = match self.mistake {
            M::RotationLeavesNoMark => return,
            M::MarkGoesWithItsSession => row.limits.idle.min(ROTATION_MARK),
            M::MarkStays => ROTATION_MARK * 2,
            M::MarkIsShort => ROTATION_MARK / 2,
            _ => ROTATION_MARK,
        };
        row.data = None;
        row.expires_at = Some(self.now + time);
        self.rows.map.insert(old, row);
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// When a limit is over; `None` where it is too long to tell.
fn end(now: Instant, limit: Duration, mistake: Mistake) -> Option<Instant> {
    match mistake {
        M::WholeSeconds => now.checked_add(Duration::from_secs(limit.as_secs())),
        M::ZeroIsEndless if limit.as_millis() == 0 => None,
        M::LimitsOverflow => Some(now + limit),
        _ => now.checked_add(limit),
    }
}

fn left(now: Instant, at: Option<Instant>) -> Duration {
    at.map_or(Duration::MAX, |at| at.saturating_duration_since(now))
}

/// On its way, a call is sent again when it is dropped.
struct SentAgain<'a>(&'a Model, Option<(u128, Arc<String>)>);

impl Drop for SentAgain<'_> {
    fn drop(&mut self) {
        self.0.rows.lock().unwrap().again.extend(self.1.take());
    }
}

impl Store<String> for Model {
    async fn create(&self, key: Key<'_>, session: NewSession<String>) -> Result<Created, StoreError> {
        let name = self.name(key);
        self.answer(async move {
            if self.makes(M::CreateInTwoSteps) {
                let empty = NewSession::new(Arc::default(), session.limits, session.origin);
                let created = self.step(|step| step.create(name, &empty));
                yield_now().await;
                if created != Created::Exists {
                    self.step(|step| step.insert(name, &session.data, session.limits, 1));
                }
                return created;
            }
            if let Some(belonging) = session.owner.as_deref()
                && self.makes(M::LimitIsCountedFirst)
            {
                let most = belonging.limit.map_or(usize::MAX, |limit| limit.sessions.get() as usize);
                if self.step(|step| step.names_of(step.owner(&belonging.owner)).len()) < most {
                    yield_now().await;
                    let unlimited = Belonging::new(belonging.owner.clone());
                    let mut session = session;
                    session.owner = Some(Box::new(unlimited));
                    return self.step(|step| step.create(name, &session));
                }
            }
            self.step(|step| step.create(name, &session))
        })
        .await
    }

    async fn load(&self, key: Key<'_>) -> Result<Loaded<String>, StoreError> {
        let name = self.name(key);
        let loaded = self.answer(async move {
            let caches = matches!(
                self.mistake,
                M::CacheIsFilledDuringADelete
                    | M::CacheIsFilledDuringASet
                    | M::CacheIsFilledDuringARotation
                    | M::CacheOfAnotherProcess
            );
            let cached = self.cache.lock().unwrap().get(&name).filter(|_| caches).cloned();
            let (now, row) = self.step(|step| {
                let row = step.row(name).cloned();
                if step.makes(M::LoadRenews) && step.session(name).is_some() {
                    step.renew(name);
                }
                (step.now, row)
            });
            let Some(row) = cached.or(row) else { return Loaded::Missing };
            if caches && row.data.is_some() {
                yield_now().await;
                let keeps = match self.step(|step| step.row(name).map(|now| (now.data.is_some(), now.version))) {
                    None => self.makes(M::CacheIsFilledDuringADelete),
                    Some((false, _)) => self.makes(M::CacheIsFilledDuringARotation),
                    Some((true, version)) if version == row.version => self.makes(M::CacheIsFilledDuringADelete),
                    Some((true, _)) => self.makes(M::CacheIsFilledDuringASet),
                };
                if keeps || self.makes(M::CacheOfAnotherProcess) {
                    self.cache.lock().unwrap().insert(name, row.clone());
                }
            }
            let Some(data) = row.data else { return Loaded::JustRotated };
            let absolute_in = row.limits.absolute.filter(|_| !self.makes(M::CreateIgnoresTheAbsoluteLimit));
            let absolute_in = absolute_in.map(|_| left(now, row.absolute_at));
            if *data == UNDECODABLE {
                return Loaded::Undecodable(StoreError::data("it is not a text"));
            }
            let age = if self.makes(M::AgeIsUnknown) { Duration::ZERO } else { now.saturating_duration_since(row.created_at) };
            let (version, expires_in) = (Version(row.version), left(now, row.expires_at));
            let mut record = Record::new(data, version, row.limits.idle, expires_in, absolute_in, age);
            record.attributes = row.attributes;
            Loaded::Found(record)
        });
        match loaded.await? {
            Loaded::Undecodable(error) if self.makes(M::UndecodableIsAnError) => Err(error),
            Loaded::Undecodable(_) if self.makes(M::UndecodableIsMissing) => Ok(Loaded::Missing),
            loaded => Ok(loaded),
        }
    }

    async fn replace(&self, key: Key<'_>, expected: Version, change: Change<String>) -> Result<Replaced, StoreError> {
        let name = self.name(key);
        self.answer(async move {
            self.cache.lock().unwrap().remove(&name);
            let (mut expected, data) = (Some(expected), change.data);
            if self.makes(M::CompareThenWrite) {
                let there = self.step(|step| step.session(name).map(|row| row.version));
                if there.is_some_and(|version| Some(Version(version)) != expected) {
                    return Replaced::Conflict;
                }
                yield_now().await;
                expected = None;
            }
            let replaced = self.step(|step| {
                let replaced = step.replace(name, expected, &data);
                if let (Replaced::Replaced(_), Some(lifetime)) = (replaced, &change.lifetime) {
                    step.set_lifetime(name, lifetime);
                }
                replaced
            });
            if self.makes(M::SavingSendsAgain) {
                let again = std::mem::take(&mut self.rows.lock().unwrap().again);
                for (name, data) in again {
                    self.step(|step| step.replace(name, None, &data));
                }
                let mut sent = SentAgain(self, Some((name, data)));
                yield_now().await;
                sent.1 = None;
            }
            replaced
        })
        .await
    }

    async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
        let name = self.name(key);
        self.answer(async move { self.step(|step| step.touch(name)) }).await
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, rotation: Rotation<String>) -> Result<Rotated, StoreError> {
        let (old, new) = (self.name(old), self.name(new));
        self.answer(async move {
            let session = &rotation.session;
            self.cache.lock().unwrap().remove(&old);
            let refused = self.step(|step| step.refuses_rotation(old, new, &rotation));
            if self.makes(M::RotationCreates) && refused == Some(Rotated::Missing) && self.step(|step| step.row(old).is_none()) {
                self.step(|step| step.insert(new, &session.data, Limits::new(session.idle, None), 9));
                return Rotated::Rotated(Version(9));
            }
            if matches!(self.mistake, M::RotationComparesFirst) && refused.is_none() {
                let row = self.step(|step| step.session(old).cloned());
                yield_now().await;
                return self.step(|step| {
                    step.leave_old(old);
                    row.map_or(Rotated::Missing, |row| Rotated::Rotated(step.put_new(&row, new, &rotation)))
                });
            }
            if let Some(refused) = refused {
                return refused;
            }
            let Some(row) = self.step(|step| step.session(old).cloned()) else { return Rotated::Missing };
            match self.mistake {
                M::RotationDeletesFirst => {
                    self.step(|step| step.leave_old(old));
                    yield_now().await;
                    Rotated::Rotated(self.step(|step| step.put_new(&row, new, &rotation)))
                }
                M::RotationInsertsFirst => {
                    let version = self.step(|step| step.put_new(&row, new, &rotation));
                    yield_now().await;
                    self.step(|step| step.leave_old(old));
                    Rotated::Rotated(version)
                }
                M::RotationKeepsTheOldKey => Rotated::Rotated(self.step(|step| step.put_new(&row, new, &rotation))),
                _ => self.step(|step| match step.refuses_rotation(old, new, &rotation) {
                    Some(refused) => refused,
                    None if !step.has_room(&rotation) => Rotated::TooMany,
                    None => {
                        step.leave_old(old);
                        Rotated::Rotated(step.put_new(&row, new, &rotation))
                    }
                }),
            }
        })
        .await
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        let name = self.name(key);
        self.answer(async move {
            self.cache.lock().unwrap().remove(&name);
            self.step(|step| {
                let takes = match step.mistake {
                    M::DeleteTakesTheMark => step.row(name).is_some(),
                    M::UndecodableIsNotDeleted => {
                        step.session(name).is_some_and(|row| row.data.as_deref().is_some_and(|data| data != UNDECODABLE))
                    }
                    _ => step.session(name).is_some(),
                };
                if takes {
                    step.rows.map.remove(&name);
                }
                takes || step.makes(M::DeleteAlwaysSaysTrue)
            })
        })
        .await
    }

    fn keeps_owners(&self) -> bool {
        true
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Listed<String>>, StoreError> {
        self.answer(async move {
            self.step(|step| {
                let (now, owner) = (step.now, step.owner(owner));
                let mut rows: Vec<Row> = step.names_of(owner).into_iter().map(|name| step.rows.map[&name].clone()).collect();
                rows.extend(step.rows.left.iter().filter(|(left, _)| *left == owner).map(|(_, row)| row.clone()));
                if step.makes(M::ListRenews) {
                    step.names_of(owner).into_iter().for_each(|name| step.renew(name));
                }
                let forgets = step.makes(M::ListForgetsTheLastUse);
                rows.into_iter().map(|row| listed(row, now, forgets)).collect()
            })
        })
        .await
    }

    async fn end(&self, owner: &Owner, which: Which) -> Result<u64, StoreError> {
        self.answer(async move {
            let of_any = |step: &mut Step<'_>| {
                let names: Vec<u128> =
                    step.rows.map.iter().filter(|(_, row)| row.owner.is_some()).map(|(name, _)| *name).collect();
                names
            };
            let names = self.step(|step| match step.mistake {
                M::EndIgnoresTheOwner => of_any(step),
                _ => step.names_of(step.owner(owner)),
            });
            if self.makes(M::EndReadsTheListFirst) {
                yield_now().await;
            }
            self.step(|step| {
                let names = match step.mistake {
                    M::EndIgnoresTheOwner | M::EndReadsTheListFirst => names,
                    _ => step.names_of(step.owner(owner)),
                };
                let mut names = names;
                names.retain(|name| step.session(*name).is_some_and(|row| which.has(row.handle())));
                if step.makes(M::EndMissesOneOfAll) && names.len() > 1 {
                    names.pop();
                }
                for name in &names {
                    let row = step.rows.map.remove(name);
                    if step.makes(M::DeletedStaysListed) {
                        step.rows.left.extend(row.map(|row| (row.owner.unwrap_or_default(), row)));
                    }
                }
                names.len() as u64
            })
        })
        .await
    }

    async fn replace_listed(
        &self,
        owner: &Owner,
        handle: SessionHandle,
        expected: Version,
        change: Change<String>,
    ) -> Result<Replaced, StoreError> {
        self.answer(async move {
            self.step(|step| {
                let names = step.names_of(step.owner(owner));
                let Some(name) = names.into_iter().find(|name| step.rows.map[name].handle() == handle) else {
                    return Replaced::Missing;
                };
                let (used_at, expires_at) = (step.rows.map[&name].used_at, step.rows.map[&name].expires_at);
                let expected = Some(expected).filter(|_| !step.makes(M::ReplaceListedIgnoresTheVersion));
                let replaced = step.replace(name, expected, &change.data);
                let renews = step.makes(M::ReplaceListedRenews);
                if let Some(row) = step.rows.map.get_mut(&name)
                    && !renews
                {
                    (row.used_at, row.expires_at) = (used_at, expires_at);
                }
                replaced
            })
        })
        .await
    }

    async fn count(&self, owner: &Owner) -> Result<u64, StoreError> {
        self.answer(async move { self.step(|step| step.names_of(step.owner(owner)).len() as u64) }).await
    }

    async fn sweep(&self) -> Result<u64, StoreError> {
        self.answer(async move {
            self.step(|step| {
                let ahead = if step.makes(M::SweepIsHoursAhead) { Duration::from_secs(13 * 3600) } else { Duration::ZERO };
                let (now, takes_marks) = (step.now + ahead, step.makes(M::SweepTakesMarks));
                let before = step.rows.map.values().filter(|row| row.data.is_some()).count();
                step.rows.map.retain(|_, row| row.expires_at.is_none_or(|at| now < at) && !(takes_marks && row.data.is_none()));
                (before - step.rows.map.values().filter(|row| row.data.is_some()).count()) as u64
            })
        })
        .await
    }
}

fn listed(row: Row, now: Instant, forgets: bool) -> Listed<String> {
    let handle = row.handle();
    let unused = if forgets { Duration::ZERO } else { now.saturating_duration_since(row.used_at) };
    let (age, expires_in) = (now.saturating_duration_since(row.created_at), left(now, row.expires_at));
    let absolute_in = row.limits.absolute.map(|_| left(now, row.absolute_at));
    let data = row.data.unwrap_or_default();
    let mut record = Record::new(data, Version(row.version), row.limits.idle, expires_in, absolute_in, age);
    record.attributes = row.attributes;
    Listed::new(handle, Ok(record), unused)
}

/// A store whose server is gone, and which says so unless it is mistaken.
pub struct Gone(pub Mistake);

impl Gone {
    fn answer<R>(&self, nothing: R) -> Result<R, StoreError> {
        match self.0 {
            M::OutageIsNoSession => Ok(nothing),
            _ => Err(StoreError::unavailable("connection refused")),
        }
    }
}

impl Store<String> for Gone {
    async fn create(&self, _: Key<'_>, _: NewSession<String>) -> Result<Created, StoreError> {
        self.answer(Created::Exists)
    }

    async fn load(&self, _: Key<'_>) -> Result<Loaded<String>, StoreError> {
        self.answer(Loaded::Missing)
    }

    async fn replace(&self, _: Key<'_>, _: Version, _: Change<String>) -> Result<Replaced, StoreError> {
        self.answer(Replaced::Missing)
    }

    async fn touch(&self, _: Key<'_>) -> Result<bool, StoreError> {
        self.answer(false)
    }

    async fn rotate(&self, _: Key<'_>, _: Key<'_>, _: Rotation<String>) -> Result<Rotated, StoreError> {
        self.answer(Rotated::Missing)
    }

    async fn delete(&self, _: Key<'_>) -> Result<bool, StoreError> {
        self.answer(false)
    }
}

/// A store of bytes that keeps them as text.
pub struct AsText(pub Model);

impl Store<Vec<u8>> for AsText {
    async fn create(&self, key: Key<'_>, session: NewSession<Vec<u8>>) -> Result<Created, StoreError> {
        let mut as_text = NewSession::new(text(&session.data), session.limits, session.origin);
        (as_text.attributes, as_text.owner) = (session.attributes, session.owner);
        self.0.create(key, as_text).await
    }

    async fn load(&self, key: Key<'_>) -> Result<Loaded<Vec<u8>>, StoreError> {
        Ok(match self.0.load(key).await? {
            Loaded::Found(record) => Loaded::Found(with_data(&record, Arc::new(record.data.as_bytes().to_vec()))),
            Loaded::Missing => Loaded::Missing,
            Loaded::JustRotated => Loaded::JustRotated,
            Loaded::Undecodable(error) => Loaded::Undecodable(error),
        })
    }

    async fn replace(&self, key: Key<'_>, expected: Version, change: Change<Vec<u8>>) -> Result<Replaced, StoreError> {
        let mut as_text = Change::new(text(&change.data));
        as_text.lifetime = change.lifetime;
        self.0.replace(key, expected, as_text).await
    }

    async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.0.touch(key).await
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, rotation: Rotation<Vec<u8>>) -> Result<Rotated, StoreError> {
        let mut as_text = Rotation::new(with_data(&rotation.session, text(&rotation.session.data)));
        as_text.owner = rotation.owner;
        self.0.rotate(old, new, as_text).await
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.0.delete(key).await
    }
}

fn text(bytes: &[u8]) -> Arc<String> {
    Arc::new(String::from_utf8_lossy(bytes).into_owned())
}

fn with_data<A, B>(record: &Record<A>, data: Arc<B>) -> Record<B> {
    let mut with_data = Record::new(data, record.version, record.idle, record.expires_in, record.absolute_in, record.age);
    with_data.attributes.clone_from(&record.attributes);
    with_data
}
