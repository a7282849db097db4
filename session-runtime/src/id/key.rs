//! The name a session goes by in a store: hashes of its namespace and its id.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rand::RngExt;

use super::session_id::SessionId;
use crate::word::Word;

/// What keeps the sessions of one layer apart from those of others in the same store. It is made once for a layer.
///
/// The layer's option `namespace` names it, which defaults to the cookie's name. Two layers with one namespace and one store share
/// their sessions.
///
/// ```
/// use session_runtime::SessionId;
/// use session_runtime::store::{HashSecret, Key, Namespace};
///
/// let (shop, admin) = (Namespace::new("shop"), Namespace::new("admin"));
/// let id = SessionId::parse("rZ8kQ2vX")?;
/// let secret = HashSecret::random();
/// assert_ne!(Key::new(&shop, &id).keyed_hash(&secret), Key::new(&admin, &id).keyed_hash(&secret));
/// # Ok::<(), session_runtime::InvalidSessionId>(())
/// ```
pub struct Namespace {
    name: Box<str>,
    /// Tells it from others beside a kept hash. It comes again after 2^32 namespaces, and a kept hash lives as long as a request.
    number: u32,
    /// The hash of the name that the layer's store made, so that a request makes none.
    kept: KeptHash,
}

impl Namespace {
    /// The namespace of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { name: name.into().into_boxed_str(), number, kept: KeptHash::default() }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespace").field(&self.name).finish()
    }
}

/// The name a session goes by in a store. It is made from the layer's namespace and the session's id, which it shows to nobody: a
/// store sees hashes of them.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) id: &'a SessionId,
    kept: Option<&'a KeptHash>,
}

impl<'a> Key<'a> {
    /// The key of the session with this id in a namespace.
    #[must_use]
    pub const fn new(namespace: &'a Namespace, id: &'a SessionId) -> Self {
        Self { namespace, id, kept: None }
    }

    /// The same with a place for the hash of the id, for a request that calls a store more than once.
    pub(crate) const fn keeping(namespace: &'a Namespace, id: &'a SessionId, hash: &'a KeptHash) -> Self {
        Self { namespace, id, kept: Some(hash) }
    }

    /// A keyed hash of the namespace and the id, for stores of one process, which make the secret when they are made.
    ///
    /// Two sessions, whichever their ids and namespaces are, have the same hash with a probability of about 2^-120, over the choice of
    /// the secret: so the hash serves as the session's identity, and nobody can choose ids that meet in one place of a table. It takes
    /// the same time for all ids of a length.
    #[must_use]
    pub fn keyed_hash(self, secret: &HashSecret) -> u128 {
        match self.kept {
            Some(kept) => kept.get_or(secret.number_with(self.namespace.number), || self.new_hash(secret)),
            None => self.new_hash(secret),
        }
    }

    /// Each half of the hash of an id is as good as uniform, and depends on other keys than that of a namespace. So the hashes of two ids
    /// differ by what those of two namespaces do with no more than the probability of a collision, and for one id in two namespaces the
    /// hashes are the same only if the namespaces' are.
    #[inline(never)]
    fn new_hash(self, secret: &HashSecret) -> u128 {
        let namespace = self.namespace.kept.get_or(secret.number_with(0), || secret.hash_namespace(&self.namespace.name));
        secret.hash(self.id) ^ namespace
    }

    /// The SHA-256 hash of the namespace and the id, for stores that processes share: what they keep tells nobody an id.
    ///
    /// What is hashed is the length of the namespace in bytes, as 8 bytes beginning with the lowest, then the namespace, then the id.
    #[cfg(feature = "_encoding")]
    #[must_use]
    pub fn sha256(self) -> [u8; 32] {
        use sha2::{Digest, Sha256};

        let namespace = self.namespace.name.as_bytes();
        // The length comes first: else a namespace and an id could be read as a longer namespace and the rest of the id.
        let length = (namespace.len() as u64).to_le_bytes();
        Sha256::new().chain_update(length).chain_update(namespace).chain_update(self.id.as_str()).finalize().into()
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.namespace.name == other.namespace.name
    }
}

impl Eq for Key<'_> {}

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The bytes that one step of the hash takes in.
const BLOCK: usize = 16;
const BLOCKS: usize = SessionId::MAX_LEN / BLOCK;

/// What makes [`Key::keyed_hash`] a store's own: a secret for as long as the store lives.
///
/// The hash is NH (UMAC; RFC 4418, section 5.2) over words of 64 bits, twice, the second time with the key moved on by one block
/// (section 5.2.1). Each sum of 128 bits is then brought down to 64 by a multiply-shift that is strongly universal (Dietzfelbinger,
/// 1996), so that no part of the hash is less even than another. Where one id is a block longer, the product of that block makes
/// the difference. Each half of the hash is the same for two ids with a probability below 2^-61; the halves depend on each other
/// only by the blocks of the key that they share.
///
/// Namespaces and owners, which are of any length, are hashed by the standard library's keyed hash, twice, with keys of their own.
pub struct HashSecret {
    /// Tells it from others beside a kept hash. It comes again after 2^31 stores.
    number: u32,
    blocks: [[u64; 2]; BLOCKS + 1],
    shift: [[u128; 3]; 2],
    namespaces: [RandomState; 2],
}

impl HashSecret {
    /// A secret from a strong generator.
    #[must_use]
    pub fn random() -> Self {
        Self::of(&mut rand::rng())
    }

    fn of(random: &mut impl RngExt) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed) | 1 << 31,
            blocks: random.random(),
            shift: random.random(),
            namespaces: [RandomState::new(), RandomState::new()],
        }
    }

    /// What tells a hash by this secret in a namespace from all others; neither of the two that are no such number.
    const fn number_with(&self, namespace: u32) -> u64 {
        (self.number as u64) << 32 | namespace as u64
    }

    #[cold]
    fn hash_namespace(&self, name: &str) -> u128 {
        self.hash_bytes(name.as_bytes())
    }

    /// For what is no id, and may have any length.
    pub(crate) fn hash_bytes(&self, bytes: &[u8]) -> u128 {
        let [first, second] = [0, 1].map(|half: usize| self.namespaces[half].hash_one(bytes));
        u128::from(first) << 64 | u128::from(second)
    }

    fn hash(&self, id: &SessionId) -> u128 {
        let (mut first, mut second) = (0_u128, 0_u128);
        for (block, keys) in id.blocks().iter().zip(self.blocks.windows(2)) {
            let words = block.as_chunks().0;
            let (low, high) = (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]));
            first = first.wrapping_add(product(low, high, keys[0]));
            second = second.wrapping_add(product(low, high, keys[1]));
        }
        let [first, second] = [shift(first, &self.shift[0]), shift(second, &self.shift[1])];
        u128::from(first) << 64 | u128::from(second)
    }
}

const fn product(low: u64, high: u64, key: [u64; 2]) -> u128 {
    (low.wrapping_add(key[0]) as u128) * (high.wrapping_add(key[1]) as u128)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
const fn shift(sum: u128, [low, high, all]: &[u128; 3]) -> u64 {
    let low = low.wrapping_mul(sum as u64 as u128);
    let high = high.wrapping_mul(sum >> 64);
    (low.wrapping_add(high).wrapping_add(*all) >> 64) as u64
}

/// [`HashSecret::random`].
impl Default for HashSecret {
    fn default() -> Self {
        Self::random()
    }
}

impl fmt::Debug for HashSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashSecret(..)")
    }
}

/// The hash of one id or one namespace that the first store to be asked has made, which is usually the only one; that of an id for the
/// namespace that was asked for, which is usually the only one as well.
#[derive(Default)]
pub(crate) struct KeptHash<W = AtomicU64> {
    /// The number of the secret and the namespace that it is of, or that there is none yet, or that one is being written.
    secret: W,
    halves: [W; 2],
}

impl KeptHash {
    const NONE: u64 = 0;
    const TAKEN: u64 = 1;
}

impl<W: Word> KeptHash<W> {
    /// The hash of this number: the one that is kept, or else what `hash` makes.
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
    fn get_or(&self, secret: u64, hash: impl FnOnce() -> u128) -> u128 {
        let [high, low] = &self.halves;
        if self.secret.load(Ordering::Acquire) == secret {
            return u128::from(high.load(Ordering::Relaxed)) << 64 | u128::from(low.load(Ordering::Relaxed));
        }
        let hash = hash();
        if self.secret.compare_exchange(KeptHash::NONE, KeptHash::TAKEN, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            high.store((hash >> 64) as u64, Ordering::Relaxed);
            low.store(hash as u64, Ordering::Relaxed);
            self.secret.store(secret, Ordering::Release);
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn id(text: &str) -> SessionId {
        SessionId::parse(text).unwrap()
    }

    fn hash(secret: &HashSecret, text: &str) -> u128 {
        hash_in("sid", secret, text)
    }

    fn hash_in(namespace: &str, secret: &HashSecret, text: &str) -> u128 {
        Key::new(&Namespace::new(namespace), &id(text)).keyed_hash(secret)
    }

    #[test]
    fn ids_that_differ_in_one_character_or_in_length_have_different_hashes() {
        let secret = HashSecret::random();
        let mut hashes = HashSet::new();
        let mut count = 0;
        for length in 1..=256 {
            let text = "a".repeat(length);
            for at in 0..=length {
                let mut changed = text.clone().into_bytes();
                if let Some(byte) = changed.get_mut(at) {
                    *byte = b'b';
                }
                hashes.insert(hash(&secret, std::str::from_utf8(&changed).unwrap()));
                count += 1;
            }
        }
        assert_eq!(hashes.len(), count);
    }

    #[test]
    fn both_halves_of_the_hashes_of_similar_ids_are_spread_evenly() {
        let ids: Vec<_> = (0..64_000).map(|number| id(&format!("session-{number}"))).collect();
        let namespace = Namespace::new("sid");
        let is_even = |seed: u64| {
            let secret = HashSecret::of(&mut StdRng::seed_from_u64(seed));
            let mut counts = [[0_u32; 64]; 4];
            for id in &ids {
                let hash = Key::new(&namespace, id).keyed_hash(&secret);
                for (counts, shift) in counts.iter_mut().zip([0, 58, 64, 122]) {
                    counts[usize::try_from(hash >> shift & 63).unwrap()] += 1;
                }
            }
            // 1000 expected in each of the 64 places.
            counts.iter().flatten().all(|&count| (500..2000).contains(&count))
        };
        // Over all secrets they are; for a few, a hash that is no better than universal spreads such a set less evenly than chance would.
        let uneven = (0..24).filter(|&seed| !is_even(seed)).count();
        assert!(uneven <= 1, "by {uneven} of 24 secrets");
    }

    #[test]
    fn another_secret_gives_other_hashes() {
        let [one, other] = [HashSecret::random(), HashSecret::random()];
        assert_eq!(hash(&one, "abc"), hash(&one, "abc"));
        assert_ne!(hash(&one, "abc"), hash(&other, "abc"));
    }

    #[test]
    fn a_kept_hash_is_given_to_the_store_that_made_it_and_to_no_other() {
        let (namespace, id, kept) = (Namespace::new("sid"), id("abc"), KeptHash::default());
        let [one, other] = [HashSecret::random(), HashSecret::random()];
        for _ in 0..2 {
            for secret in [&one, &other] {
                assert_eq!(Key::keeping(&namespace, &id, &kept).keyed_hash(secret), hash(secret, "abc"));
            }
        }
    }

    #[test]
    fn a_kept_hash_is_given_to_its_namespace_and_to_no_other() {
        let (id, kept, secret) = (id("abc"), KeptHash::default(), HashSecret::random());
        for namespace in ["shop", "admin", "", "shop"] {
            let hash = Key::keeping(&Namespace::new(namespace), &id, &kept).keyed_hash(&secret);
            assert_eq!(hash, hash_in(namespace, &secret, "abc"));
        }
    }

    /// Namespaces and ids of which some are the same text in a row.
    const PAIRS: [(&str, &str); 6] =
        [("", "ab"), ("a", "b"), ("b", "a"), ("ab", "c"), ("a", "bc"), ("a name that is longer than a block of the hash", "b")];

    #[test]
    fn namespaces_have_hashes_of_their_own() {
        let secret = HashSecret::random();
        let hashes: HashSet<_> = PAIRS.iter().map(|(namespace, id)| hash_in(namespace, &secret, id)).collect();
        assert_eq!(hashes.len(), PAIRS.len());
        // Of no two ids the hashes differ as those of two namespaces do.
        let differences: HashSet<_> =
            PAIRS.iter().map(|(_, id)| hash_in("one", &secret, id) ^ hash_in("two", &secret, id)).collect();
        assert_eq!(differences.len(), 1);
        assert!(!differences.contains(&(hash(&secret, "ab") ^ hash(&secret, "bc"))));
    }

    #[cfg(feature = "_encoding")]
    #[test]
    fn a_namespace_and_an_id_are_told_apart_in_what_is_hashed() {
        let sha256 = |(namespace, text): (&str, &str)| Key::new(&Namespace::new(namespace), &id(text)).sha256();
        assert_eq!(PAIRS.map(sha256).into_iter().collect::<HashSet<_>>().len(), PAIRS.len());
    }

    /// By a model checker, in every order of the threads' steps; with three threads, in those that interrupt one at most three times.
    #[test]
    fn whoever_asks_at_the_same_time_gets_a_whole_hash_of_its_own_secret() {
        // No two halves are alike, so that one of the other hash, or one that is not written yet, does not go unseen.
        const STORES: [(u64, u128); 2] = [(KeptHash::TAKEN + 1, 2 << 64 | 3), (KeptHash::TAKEN + 2, 4 << 64 | 5)];

        let ask = |kept: &KeptHash<loom::sync::atomic::AtomicU64>, (number, hash)| {
            assert_eq!(kept.get_or(number, || hash), hash);
        };
        // The store that each thread asks for.
        for stores in [vec![0, 0], vec![0, 1], vec![0, 0, 1]] {
            let mut model = loom::model::Builder::new();
            if stores.len() > 2 {
                model.preemption_bound.get_or_insert(3);
            }
            model.check(move || {
                let kept = loom::sync::Arc::new(KeptHash::default());
                let start = |store: &usize| {
                    let (kept, store) = (loom::sync::Arc::clone(&kept), STORES[*store]);
                    loom::thread::spawn(move || ask(&kept, store))
                };
                let threads: Vec<_> = stores[1..].iter().map(start).collect();
                ask(&kept, STORES[stores[0]]);
                for thread in threads {
                    thread.join().unwrap();
                }
                // What is kept then is whole, too.
                for store in STORES {
                    ask(&kept, store);
                }
            });
        }
    }
}
