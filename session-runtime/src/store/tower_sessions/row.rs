//! What a session is in a record of tower-sessions.
//!
//! The value [`TERMS`] says which version the session has and how long it lives; beside it lies its data. Times are milliseconds
//! since 1970.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record as Entry};
use tower_sessions_core::session_store::Error;

use crate::store::{Attributes, Key, Limits, NewLifetime, ROTATION_MARK, Record, SessionHandle, StoreError, Version};

/// The value of a record that says which version the session has and how long it lives.
const TERMS: &str = "session_runtime";

/// The value of a record that is the data, unless existing sessions have another.
const DATA: &str = "session";

/// What is no more than this is a difference between the clocks of two processes.
const SKEW: Duration = Duration::from_secs(1);

/// The records of a store.
pub(super) struct Rows<S> {
    pub(super) store: Arc<S>,
    data: Arc<str>,
    keeps_existing: bool,
}

/// Where a session lies in the store.
#[derive(Clone, Copy)]
pub(super) struct Place {
    id: Id,
    /// The hash of the layer's namespace and the id, where the record's id is the client's, as tower-sessions has it, rather than a hash.
    plain: Option<u128>,
}

/// What is found at a place.
pub(super) enum Found {
    Session(Entry, Terms),
    /// The mark of a rotation.
    Mark,
    /// What was a session or a mark.
    Expired,
    Nothing,
    /// A record that this place does not lead to.
    Other,
}

/// The version of a session, and how long it lives.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    version: u64,
    idle: u64,
    absolute_at: Option<u64>,
    created_at: u64,
    expires_at: u64,
    attributes: Attributes,
    /// When it was found that the session lives.
    read_at: u64,
    /// The record says that it lives longer than its limits allow: it was written when the clock was ahead.
    pub(super) is_too_long: bool,
}

impl<S: SessionStore> Rows<S> {
    pub(super) fn new(store: S) -> Self {
        Self { store: Arc::new(store), data: Arc::from(DATA), keeps_existing: false }
    }

    pub(super) fn keep_existing(&mut self, data: String) {
        self.data = Arc::from(data);
        self.keeps_existing = true;
    }

    pub(super) fn place(&self, key: Key<'_>) -> Place {
        let [hash @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = key.sha256();
        if self.keeps_existing
            && let Ok(id) = key.id.as_str().parse()
        {
            return Place { id, plain: Some(u128::from_le_bytes(hash)) };
        }
        Place { id: Id(i128::from_le_bytes(hash)), plain: None }
    }

    pub(super) async fn find(&self, place: Place) -> Result<Found, StoreError> {
        match self.store.load(&place.id).await {
            Ok(Some(entry)) => Ok(self.read(place, entry)),
            Ok(None) => Ok(Found::Nothing),
            Err(error) => Err(place.failed(&error)),
        }
    }

    fn read(&self, place: Place, entry: Entry) -> Found {
        let Some(terms) = entry.data.get(TERMS) else {
            return self.read_existing(place, entry);
        };
        // Else whoever reads a hash in the store could send it as an id, and an id of one layer would be one of another.
        if terms.get("plain").map(Value::as_str) != place.plain_text().as_deref().map(Some) {
            return Found::Other;
        }
        let Some(expires_at) = number(terms, "expires_at") else { return Found::Other };
        let read_at = now();
        if expires_at <= read_at {
            return Found::Expired;
        }
        if flag(terms, "rotated") {
            // It is so much longer only where the clock was set back, and a little where the machine that made it has another clock.
            let is_over = expires_at - read_at > millis(ROTATION_MARK * 2);
            return if is_over { Found::Expired } else { Found::Mark };
        }
        match (number(terms, "version"), number(terms, "idle")) {
            (Some(version), Some(idle)) => {
                let created_at = number(terms, "created_at").unwrap_or(read_at);
                let absolute_at = number(terms, "absolute_at");
                let terms = Terms {
                    version,
                    idle,
                    absolute_at,
                    created_at,
                    expires_at,
                    attributes: attributes(terms),
                    read_at,
                    is_too_long: false,
                };
                let terms = terms.shortened();
                if terms.expires_at > read_at { Found::Session(entry, terms) } else { Found::Expired }
            }
            _ => Found::Other,
        }
    }

    /// A session that tower-sessions made: it has no version yet, nobody knows its age, and its end is its absolute limit.
    fn read_existing(&self, place: Place, entry: Entry) -> Found {
        if place.plain.is_none() || !entry.data.contains_key(&*self.data) {
            return Found::Other;
        }
        let expires_at = u64::try_from(entry.expiry_date.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
        let read_at = now();
        if expires_at <= read_at {
            return Found::Expired;
        }
        let idle = expires_at - read_at;
        let (absolute_at, attributes) = (Some(expires_at), Attributes::new());
        let terms =
            Terms { version: 0, idle, absolute_at, created_at: read_at, expires_at, attributes, read_at, is_too_long: false };
        Found::Session(entry, terms)
    }

    pub(super) fn take_data(&self, entry: &mut Entry) -> Option<Value> {
        entry.data.remove(&*self.data)
    }

    /// Writes a session into a record, with new data or those that it has.
    pub(super) fn put(&self, entry: &mut Entry, place: Place, terms: Terms, data: Option<Value>) {
        let mut value = Map::new();
        value.insert("version".to_owned(), terms.version.into());
        value.insert("idle".to_owned(), terms.idle.into());
        value.insert("absolute_at".to_owned(), terms.absolute_at.into());
        value.insert("created_at".to_owned(), terms.created_at.into());
        let Attributes { handle, proven, persistent } = terms.attributes;
        let fields = [
            ("handle", handle.map(|handle| handle.to_string().into())),
            ("proven", proven.map(|age| whole_millis(age).into())),
            ("persistent", persistent.map(Into::into)),
        ];
        value.extend(fields.into_iter().filter_map(|(name, field): (_, Option<Value>)| Some((name.to_owned(), field?))));
        write_terms(entry, place, value, terms.expires_at);
        if let Some(data) = data {
            entry.data.insert((*self.data).to_owned(), data);
        }
    }

    pub(super) fn entry(&self, place: Place, terms: Terms, data: Value) -> Entry {
        let mut entry = Entry { id: place.id, data: HashMap::new(), expiry_date: SystemTime::UNIX_EPOCH.into() };
        self.put(&mut entry, place, terms, Some(data));
        entry
    }

    /// Inserts a record where there is none, or none that counts.
    pub(super) async fn insert(&self, place: Place, mut entry: Entry) -> Result<bool, StoreError> {
        match self.find(place).await? {
            Found::Session(..) | Found::Mark | Found::Other => return Ok(false),
            Found::Expired => self.delete(place).await?,
            Found::Nothing => {}
        }
        if self.create(place, &mut entry).await? {
            return Ok(true);
        }
        // Something is in the way that cannot be read: a record that expired and was not swept, or one of this moment.
        if !matches!(self.find(place).await?, Found::Nothing | Found::Expired) {
            return Ok(false);
        }
        self.delete(place).await?;
        self.create(place, &mut entry).await
    }

    /// A store that finds the id taken stores the record under another, which nobody asked for.
    async fn create(&self, place: Place, entry: &mut Entry) -> Result<bool, StoreError> {
        self.store.create(entry).await.map_err(|error| place.failed(&error))?;
        if entry.id == place.id {
            return Ok(true);
        }
        let elsewhere = std::mem::replace(&mut entry.id, place.id);
        self.store.delete(&elsewhere).await.map_err(|error| place.failed(&error))?;
        Ok(false)
    }

    pub(super) async fn save(&self, place: Place, entry: &Entry) -> Result<(), StoreError> {
        self.store.save(entry).await.map_err(|error| place.failed(&error))
    }

    pub(super) async fn delete(&self, place: Place) -> Result<(), StoreError> {
        self.store.delete(&place.id).await.map_err(|error| place.failed(&error))
    }
}

/// Makes a record the mark of a rotation.
pub(super) fn mark(entry: &mut Entry, place: Place) {
    entry.data.clear();
    let value = Map::from_iter([("rotated".to_owned(), true.into())]);
    write_terms(entry, place, value, now() + millis(ROTATION_MARK));
}

impl<S> Clone for Rows<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), data: Arc::clone(&self.data), keeps_existing: self.keeps_existing }
    }
}

impl Place {
    pub(super) const fn id(self) -> Id {
        self.id
    }

    pub(super) fn plain_text(self) -> Option<String> {
        self.plain.map(|hash| format!("{hash:032x}"))
    }

    /// What a store says is told, unless it may quote the data or an id.
    fn failed(self, error: &Error) -> StoreError {
        match error {
            Error::Encode(_) => StoreError::data("the store for tower-sessions could not encode a record"),
            Error::Decode(_) => StoreError::data("the store for tower-sessions could not decode a record"),
            Error::Backend(_) if self.plain.is_some() => StoreError::unavailable("the store for tower-sessions failed"),
            Error::Backend(said) => StoreError::unavailable(said.as_str()),
        }
    }
}

impl Terms {
    /// Those of a new session.
    pub(super) fn new(limits: Limits, attributes: Attributes) -> Self {
        let read_at = now();
        let absolute_at = limits.absolute.map(|absolute| read_at + millis(absolute));
        // Versions start anywhere, so that a session does not have those of one that had its key before.
        let version = rand::random_range(1..1 << 40);
        let idle = millis(limits.idle);
        Self { version, idle, absolute_at, created_at: read_at, expires_at: 0, attributes, read_at, is_too_long: false }.renewed()
    }

    /// With the idle limit from now on.
    pub(super) fn renewed(self) -> Self {
        let idle_at = now().saturating_add(self.idle);
        Self { expires_at: self.absolute_at.map_or(idle_at, |absolute| absolute.min(idle_at)), ..self }
    }

    /// Without what a clock that was ahead, and was set right since, has added to the session's life.
    fn shortened(self) -> Self {
        let Self { idle, expires_at, created_at, read_at, .. } = self;
        let ahead = created_at.saturating_sub(read_at);
        let absolute_at = self.absolute_at.map(|absolute| absolute.saturating_sub(ahead));
        let longest = absolute_at.unwrap_or(u64::MAX).min(read_at.saturating_add(idle));
        let is_too_long = ahead.max(expires_at.saturating_sub(longest)) > millis(SKEW);
        let mut attributes = self.attributes;
        if is_too_long {
            let age = Duration::from_millis(read_at.saturating_sub(created_at));
            attributes.proven = attributes.proven.map(|proven| proven.min(age));
        }
        Self {
            expires_at: expires_at.min(longest),
            absolute_at,
            created_at: created_at.min(read_at),
            attributes,
            is_too_long,
            ..self
        }
    }

    pub(super) const fn with_attributes(self, attributes: Attributes) -> Self {
        Self { attributes, ..self }
    }

    /// With other limits, if there are any.
    pub(super) fn with_lifetime(self, lifetime: Option<&NewLifetime>) -> Self {
        let Some(NewLifetime { limits, attributes }) = lifetime else { return self };
        let absolute_at = limits.absolute.map(|absolute| self.created_at.saturating_add(millis(absolute)));
        let attributes = attributes.as_deref().copied().unwrap_or_default();
        Self { idle: millis(limits.idle), absolute_at, attributes, ..self }
    }

    /// For other data.
    pub(super) const fn changed(self) -> Self {
        Self { version: self.version.wrapping_add(1), ..self }
    }

    pub(super) const fn version(self) -> Version {
        Version(self.version)
    }

    /// The session as it is given to the caller.
    pub(super) fn record<T>(&self, data: Arc<T>) -> Record<T> {
        let until = |time: u64| Duration::from_millis(time.saturating_sub(self.read_at));
        let idle = Duration::from_millis(self.idle);
        let age = Duration::from_millis(self.read_at.saturating_sub(self.created_at));
        let mut record = Record::new(data, self.version(), idle, until(self.expires_at), self.absolute_at.map(until), age);
        record.attributes = (self.attributes != Attributes::new()).then(|| Arc::new(self.attributes));
        record
    }
}

fn write_terms(entry: &mut Entry, place: Place, mut terms: Map<String, Value>, expires_at: u64) {
    terms.insert("expires_at".to_owned(), expires_at.into());
    if let Some(plain) = place.plain_text() {
        terms.insert("plain".to_owned(), plain.into());
    }
    entry.data.insert(TERMS.to_owned(), Value::Object(terms));
    // Whole seconds: some stores cut the rest off, others compare dates as text, where a fraction comes before none.
    let seconds = expires_at.div_ceil(1000).min(LAST_SECOND);
    entry.expiry_date = (SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).into();
}

/// The end of the year 9999, which is that of the dates.
const LAST_SECOND: u64 = 253_402_300_799;

/// The longest limit, some 30 000 years.
const MAX_MILLIS: u64 = 1_000_000_000_000_000;

/// Whole milliseconds, rounded up so that no limit becomes none.
fn millis(limit: Duration) -> u64 {
    u64::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(MAX_MILLIS).min(MAX_MILLIS)
}

/// Whole milliseconds of a time that has passed.
fn whole_millis(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(MAX_MILLIS).min(MAX_MILLIS)
}

fn attributes(terms: &Value) -> Attributes {
    Attributes {
        handle: terms.get("handle").and_then(Value::as_str).and_then(|text| text.parse::<SessionHandle>().ok()),
        proven: number(terms, "proven").map(Duration::from_millis),
        persistent: terms.get("persistent").and_then(Value::as_bool),
    }
}

/// By the clock of this process; a clock before 1970 stands at 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(MAX_MILLIS)
}

fn number(terms: &Value, name: &str) -> Option<u64> {
    terms.get(name)?.as_u64()
}

fn flag(terms: &Value, name: &str) -> bool {
    terms.get(name).and_then(Value::as_bool).unwrap_or(false)
}
