//! The name a session goes by in a store: hashes of its id.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::word::Word;
use crate::SessionId;

/// The name a session goes by in a store. It is made from the id, which it shows to nobody: a store sees hashes of it.
#[derive(Clone, Copy)]
pub struct Key<'a>(pub(super) &'a SessionId, Option<&'a KeptHash>);

impl<'a> Key<'a> {
    /// The key of the session with this id.
    #[must_use]
    pub const fn of(id: &'a SessionId) -> Self {
        Self(id, None)
    }

    /// The same with a place for its hash, for a request that calls a store more than once.
    pub(crate) const fn keeping(id: &'a SessionId, hash: &'a KeptHash) -> Self {
        Self(id, Some(hash))
    }

    /// A keyed hash of the id, for stores of one process, which make the secret when they are made.
    ///
    /// Two ids, whichever they are, have the same hash with a probability of about 2^-120, over the choice of the secret: so
    /// the hash serves as the session's identity, and nobody can choose ids that meet in one place of a table. It takes the same
    /// time for all ids of a length.
    #[must_use]
    pub fn keyed_hash(self, secret: &HashSecret) -> u128 {
        match self.1 {
            Some(kept) => kept.get_or(secret.number, || secret.hash(self.0)),
            None => secret.hash(self.0),
        }
    }

    /// The SHA-256 hash of the id, for stores that processes share: what they keep tells nobody an id.
    #[cfg(feature = "_encoding")]
    #[must_use]
    pub fn sha256(self) -> [u8; 32] {
        use sha2::{Digest, Sha256};

        Sha256::digest(self.0.as_str()).into()
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
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
pub struct HashSecret {
    number: u64,
    blocks: [[u64; 2]; BLOCKS + 1],
    shift: [[u128; 3]; 2],
}

impl HashSecret {
    /// A secret from a strong generator.
    #[must_use]
    pub fn random() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(KeptHash::TAKEN + 1);

        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), blocks: rand::random(), shift: rand::random() }
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

/// The hash of one id that the first store to be asked has made, which is usually the only one.
#[derive(Default)]
pub(crate) struct KeptHash<W = AtomicU64> {
    /// The number of the secret that made it, or that there is none yet, or that one is being written.
    secret: W,
    halves: [W; 2],
}

impl KeptHash {
    const NONE: u64 = 0;
    const TAKEN: u64 = 1;
}

impl<W: Word> KeptHash<W> {
    /// The hash with the secret of this number: the one that is kept, or else what `hash` makes.
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

    use super::*;

    fn id(text: &str) -> SessionId {
        SessionId::parse(text).unwrap()
    }

    fn hash(secret: &HashSecret, text: &str) -> u128 {
        Key::of(&id(text)).keyed_hash(secret)
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
        let secret = HashSecret::random();
        let mut counts = [[0_u32; 64]; 4];
        for number in 0..64_000 {
            let hash = hash(&secret, &format!("session-{number}"));
            for (counts, shift) in counts.iter_mut().zip([0, 58, 64, 122]) {
                counts[usize::try_from(hash >> shift & 63).unwrap()] += 1;
            }
        }
        // 1000 expected in each of the 64 places. With a hash that is no better than universal, a place may be off by more than
        // chance would have it; one that is twice as full would be a fault.
        assert!(counts.iter().flatten().all(|&count| (500..2000).contains(&count)), "{counts:?}");
    }

    #[test]
    fn another_secret_gives_other_hashes() {
        let [one, other] = [HashSecret::random(), HashSecret::random()];
        assert_eq!(hash(&one, "abc"), hash(&one, "abc"));
        assert_ne!(hash(&one, "abc"), hash(&other, "abc"));
    }

    #[test]
    fn a_kept_hash_is_given_to_the_store_that_made_it_and_to_no_other() {
        let (id, kept) = (id("abc"), KeptHash::default());
        let [one, other] = [HashSecret::random(), HashSecret::random()];
        for _ in 0..2 {
            for secret in [&one, &other] {
                assert_eq!(Key::keeping(&id, &kept).keyed_hash(secret), Key::of(&id).keyed_hash(secret));
            }
        }
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
