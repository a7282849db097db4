//! The maps, each with the least code around it that a store needs: the keyed hash, the clock, a version, limits.

use std::hash::{BuildHasher, Hasher};
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use session_runtime::store::{
    Change, Created, HashSecret, Key, Limits, Loaded, MemoryStore, Namespace, NewSession, Origin, Record, Replaced, Store,
    Version,
};
use tokio::time::Instant;

use crate::Visit;

/// The answer of a store that never waits.
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

/// The namespace of all ids here.
pub static NAMESPACE: LazyLock<Namespace> = LazyLock::new(|| Namespace::new("SESSION_ID"));

/// What is measured: the operations that every request has.
pub trait Sessions: Send + Sync {
    /// Inserts where the key is absent.
    fn create(&self, key: Key<'_>, data: Arc<Visit>) -> bool;
    /// Reads, unless it is expired.
    fn load(&self, key: Key<'_>) -> Option<Record<Visit>>;
    /// Replaces what is there and not expired, and renews it; the memory store reads its version first, as a request does.
    fn replace(&self, key: Key<'_>, data: Arc<Visit>) -> bool;
    /// Deletes.
    fn delete(&self, key: Key<'_>) -> bool;
}

pub const CANDIDATES: [&str; 7] = ["(hash and clock alone)", "MemoryStore", "dashmap", "scc", "papaya", "quick_cache", "moka"];

pub fn open(name: &str) -> Arc<dyn Sessions> {
    match name {
        "MemoryStore" => Arc::new(MemoryStore::new()),
        "MemoryStore, unbounded" => Arc::new(MemoryStore::unbounded()),
        "dashmap" => Arc::new(Clocked::new(dashmap::DashMap::<u128, Entry, Keyed>::with_hasher(Keyed))),
        "scc" => Arc::new(Clocked::new(scc::HashMap::<u128, Entry, Keyed>::with_hasher(Keyed))),
        "papaya" => Arc::new(Clocked::new(papaya::HashMap::<u128, Entry, Keyed>::with_hasher(Keyed))),
        "quick_cache" => {
            let weighter = quick_cache::UnitWeighter;
            let life = quick_cache::sync::DefaultLifecycle::default();
            Arc::new(Clocked::new(quick_cache::sync::Cache::with(20_000_000, 20_000_000, weighter, Keyed, life)))
        }
        "moka" => Arc::new(Clocked::new(moka::sync::Cache::builder().max_capacity(20_000_000).build_with_hasher(Keyed))),
        _ => Arc::new(Clocked::new(())),
    }
}

const HOUR: u64 = 3_600_000_000_000;

impl Sessions for MemoryStore<Visit> {
    fn create(&self, key: Key<'_>, data: Arc<Visit>) -> bool {
        let session = NewSession::new(data, Limits::new(Duration::from_nanos(HOUR), None), Origin::Change);
        matches!(now(Store::create(self, key, session)), Ok(Created::Created(_)))
    }

    fn load(&self, key: Key<'_>) -> Option<Record<Visit>> {
        match now(Store::load(self, key)) {
            Ok(Loaded::Found(record)) => Some(record),
            _ => None,
        }
    }

    fn replace(&self, key: Key<'_>, data: Arc<Visit>) -> bool {
        let Some(record) = Sessions::load(self, key) else { return false };
        matches!(now(Store::replace(self, key, record.version, Change::new(data))), Ok(Replaced::Replaced(_)))
    }

    fn delete(&self, key: Key<'_>) -> bool {
        matches!(now(Store::delete(self, key)), Ok(true))
    }
}

/// A session in a candidate.
#[derive(Clone)]
struct Entry {
    data: Arc<Visit>,
    version: u64,
    idle: u64,
    expires: u64,
    absolute: u64,
}

impl Entry {
    fn record(&self, now: u64) -> Option<Record<Visit>> {
        let expires_in = Duration::from_nanos(self.expires.checked_sub(now)?);
        let absolute_in = (self.absolute != u64::MAX).then(|| Duration::from_nanos(self.absolute - now));
        let idle = Duration::from_nanos(self.idle);
        Some(Record::new(Arc::clone(&self.data), Version(self.version), idle, expires_in, absolute_in, Duration::ZERO))
    }

    fn change(&mut self, data: Arc<Visit>, now: u64) -> Option<Arc<Visit>> {
        (now < self.expires).then(|| {
            self.version += 1;
            self.expires = (now + self.idle).min(self.absolute);
            std::mem::replace(&mut self.data, data)
        })
    }
}

/// What a candidate adds to the hash and the clock.
trait Map: Send + Sync {
    fn create(&self, key: u128, entry: Entry) -> bool;
    fn load(&self, key: u128, now: u64) -> Option<Record<Visit>>;
    fn replace(&self, key: u128, data: Arc<Visit>, now: u64) -> bool;
    fn delete(&self, key: u128) -> bool;
}

struct Clocked<M> {
    secret: HashSecret,
    started: Instant,
    map: M,
}

impl<M> Clocked<M> {
    fn new(map: M) -> Self {
        Self { secret: HashSecret::random(), started: Instant::now(), map }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl<M: Map> Sessions for Clocked<M> {
    fn create(&self, key: Key<'_>, data: Arc<Visit>) -> bool {
        let entry = Entry { data, version: 0, idle: HOUR, expires: self.now() + HOUR, absolute: u64::MAX };
        self.map.create(key.keyed_hash(&self.secret), entry)
    }

    fn load(&self, key: Key<'_>) -> Option<Record<Visit>> {
        self.map.load(key.keyed_hash(&self.secret), self.now())
    }

    fn replace(&self, key: Key<'_>, data: Arc<Visit>) -> bool {
        self.map.replace(key.keyed_hash(&self.secret), data, self.now())
    }

    fn delete(&self, key: Key<'_>) -> bool {
        self.map.delete(key.keyed_hash(&self.secret))
    }
}

/// The keys are keyed hashes already; hashing them again would be work for nothing.
#[derive(Clone, Copy, Default)]
struct Keyed;

#[derive(Default)]
struct Half(u64);

impl BuildHasher for Keyed {
    type Hasher = Half;

    fn build_hasher(&self) -> Half {
        Half::default()
    }
}

impl Hasher for Half {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    #[expect(clippy::cast_possible_truncation, reason = "half of it is random enough")]
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Map for () {
    fn create(&self, _: u128, _: Entry) -> bool {
        true
    }

    fn load(&self, key: u128, now: u64) -> Option<Record<Visit>> {
        std::hint::black_box((key, now));
        None
    }

    fn replace(&self, key: u128, _: Arc<Visit>, now: u64) -> bool {
        std::hint::black_box((key, now));
        true
    }

    fn delete(&self, key: u128) -> bool {
        std::hint::black_box(key);
        true
    }
}

impl Map for dashmap::DashMap<u128, Entry, Keyed> {
    fn create(&self, key: u128, entry: Entry) -> bool {
        match self.entry(key) {
            dashmap::Entry::Vacant(vacant) => drop(vacant.insert(entry)),
            dashmap::Entry::Occupied(_) => return false,
        }
        true
    }

    fn load(&self, key: u128, now: u64) -> Option<Record<Visit>> {
        self.get(&key)?.record(now)
    }

    fn replace(&self, key: u128, data: Arc<Visit>, now: u64) -> bool {
        self.get_mut(&key).and_then(|mut entry| entry.change(data, now)).is_some()
    }

    fn delete(&self, key: u128) -> bool {
        self.remove(&key).is_some()
    }
}

impl Map for scc::HashMap<u128, Entry, Keyed> {
    fn create(&self, key: u128, entry: Entry) -> bool {
        self.insert_sync(key, entry).is_ok()
    }

    fn load(&self, key: u128, now: u64) -> Option<Record<Visit>> {
        self.read_sync(&key, |_, entry| entry.record(now))?
    }

    fn replace(&self, key: u128, data: Arc<Visit>, now: u64) -> bool {
        self.update_sync(&key, |_, entry| entry.change(data, now)).flatten().is_some()
    }

    fn delete(&self, key: u128) -> bool {
        self.remove_sync(&key).is_some()
    }
}

impl Map for papaya::HashMap<u128, Entry, Keyed> {
    fn create(&self, key: u128, entry: Entry) -> bool {
        self.pin().try_insert(key, entry).is_ok()
    }

    fn load(&self, key: u128, now: u64) -> Option<Record<Visit>> {
        self.pin().get(&key)?.record(now)
    }

    fn replace(&self, key: u128, data: Arc<Visit>, now: u64) -> bool {
        let changed = |entry: &Entry| {
            let mut entry = entry.clone();
            entry.change(Arc::clone(&data), now);
            entry
        };
        self.pin().update(key, changed).is_some()
    }

    fn delete(&self, key: u128) -> bool {
        self.pin().remove(&key).is_some()
    }
}

/// Its replacing is not atomic here: a cache has no compare-and-swap that leaves the entry in place.
impl Map for quick_cache::sync::Cache<u128, Entry, quick_cache::UnitWeighter, Keyed> {
    fn create(&self, key: u128, entry: Entry) -> bool {
        self.insert(key, entry);
        true
    }

    fn load(&self, key: u128, now: u64) -> Option<Record<Visit>> {
        self.get(&key)?.record(now)
    }

    fn replace(&self, key: u128, data: Arc<Visit>, now: u64) -> bool {
        let Some(mut entry) = self.get(&key) else { return false };
        entry.change(data, now);
        self.insert(key, entry);
        true
    }

    fn delete(&self, key: u128) -> bool {
        self.remove(&key).is_some()
    }
}

/// Nor is it here.
impl Map for moka::sync::Cache<u128, Entry, Keyed> {
    fn create(&self, key: u128, entry: Entry) -> bool {
        self.insert(key, entry);
        true
    }

    fn load(&self, key: u128, now: u64) -> Option<Record<Visit>> {
        self.get(&key)?.record(now)
    }

    fn replace(&self, key: u128, data: Arc<Visit>, now: u64) -> bool {
        let Some(mut entry) = self.get(&key) else { return false };
        entry.change(data, now);
        self.insert(key, entry);
        true
    }

    fn delete(&self, key: u128) -> bool {
        self.remove(&key).is_some()
    }
}
