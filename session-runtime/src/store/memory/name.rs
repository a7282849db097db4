//! What sessions and owners go by inside the store: keyed hashes.

use std::hash::Hasher;

/// What a session goes by inside the store: the keyed hash of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name(pub(super) [u64; 2]);

impl Name {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
    pub(super) const fn new(hash: u128) -> Self {
        Self([(hash >> 64) as u64, hash as u64])
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low bits are as random as the others")]
    pub(super) const fn shard(self) -> usize {
        self.0[0] as usize
    }

    /// Where the name belongs in a table of this length. The last places are nobody's: those go there whose places are taken.
    #[expect(clippy::cast_possible_truncation, reason = "less than the length, which is a usize")]
    pub(super) const fn home(self, length: usize) -> usize {
        let places = length - length / 16;
        ((self.0[1] as u128 * places as u128) >> 64) as usize
    }
}

/// The keyed hash of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct OwnerHash([u64; 2]);

impl OwnerHash {
    pub(super) const fn new(hash: u128) -> Self {
        Self(Name::new(hash).0)
    }

    /// A number of which any part may be used.
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are as random as the others")]
    pub(super) const fn part(self) -> usize {
        self.0[0] as usize
    }
}

/// What is hashed is a hash already.
#[derive(Default)]
pub(super) struct IsHash(u64);

impl Hasher for IsHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut whole = [0; 8];
            whole[..word.len()].copy_from_slice(word);
            self.write_u64(u64::from_le_bytes(whole));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }
}
