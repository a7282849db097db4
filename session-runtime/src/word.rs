//! An atomic word: the standard library's, or in tests the model checker's ([loom](https://docs.rs/loom)), which tries every order of
//! the threads' steps and every value that a load may give.
//!
//! What threads hand over without a lock is generic over this trait, so that the model checker runs the very code of the program.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is used of [`AtomicU64`].
pub(crate) trait Word {
    fn new(value: u64) -> Self;
    fn load(&self, order: Ordering) -> u64;
    fn store(&self, value: u64, order: Ordering);
    fn swap(&self, value: u64, order: Ordering) -> u64;
    fn compare_exchange(&self, current: u64, new: u64, success: Ordering, failure: Ordering) -> Result<u64, u64>;
    fn fetch_min(&self, value: u64, order: Ordering) -> u64;
}

macro_rules! word {
    ($word:ty) => {
        impl Word for $word {
            #[inline]
            fn new(value: u64) -> Self {
                Self::new(value)
            }

            #[inline]
            fn load(&self, order: Ordering) -> u64 {
                self.load(order)
            }

            #[inline]
            fn store(&self, value: u64, order: Ordering) {
                self.store(value, order);
            }

            #[inline]
            fn swap(&self, value: u64, order: Ordering) -> u64 {
                self.swap(value, order)
            }

            #[inline]
            fn compare_exchange(&self, current: u64, new: u64, success: Ordering, failure: Ordering) -> Result<u64, u64> {
                self.compare_exchange(current, new, success, failure)
            }

            #[inline]
            fn fetch_min(&self, value: u64, order: Ordering) -> u64 {
                self.fetch_min(value, order)
            }
        }
    };
}

word!(AtomicU64);
#[cfg(test)]
word!(loom::sync::atomic::AtomicU64);
