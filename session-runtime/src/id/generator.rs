//! How a new id is made, as a layer runs it: the erased type of the `generate_session_id` callbacks, and the standard one.

use std::any::type_name;
use std::array;

use rand::{Rng as _, RngExt as _};

use super::shared::SharedId;
use crate::error::SessionError;
use crate::maybe_ready::MaybeReady;

/// A new id, kept once: ids are large, and futures that hold them would be.
pub type Generated<'a> = MaybeReady<'a, Result<SharedId, SessionError>>;

/// How a new session id is made, as the layer runs it.
pub struct GenerateCallback {
    name: &'static str,
    run: Run,
    /// It is a sync function, or the standard one.
    immediate: bool,
}

enum Run {
    Standard,
    /// A registered function: nothing is allocated for it.
    Function(fn(Ask<'_>) -> Generated<'static>),
    Passed(Box<dyn RunGenerate>),
}

/// What a function that an attribute registered is asked: its kind is known only where it is named.
pub enum Ask<'a> {
    /// To make an id.
    Make,
    /// Whether it is a sync function.
    IsImmediate(&'a mut bool),
}

/// A callback that was passed by name.
pub(crate) trait RunGenerate: Send + Sync {
    fn run(&self) -> Generated<'_>;
}

impl GenerateCallback {
    /// `standard::generate_session_id`.
    pub(crate) const fn standard() -> Self {
        Self { name: "session_runtime::standard::generate_session_id", run: Run::Standard, immediate: true }
    }

    /// What an attribute registers; `run` calls `run_generate` with the function.
    #[must_use]
    pub fn registered<F>(_function: &F, run: fn(Ask<'_>) -> Generated<'static>) -> Self {
        let mut immediate = false;
        drop(run(Ask::IsImmediate(&mut immediate)));
        Self { name: type_name::<F>(), run: Run::Function(run), immediate }
    }

    pub(crate) fn passed<F>(callback: impl RunGenerate + 'static, immediate: bool) -> Self {
        Self { name: type_name::<F>(), run: Run::Passed(Box::new(callback)), immediate }
    }

    /// Whether [`call`](Self::call) always gives what is ready: it is a sync function, or the standard one.
    pub(crate) const fn is_immediate(&self) -> bool {
        self.immediate
    }

    #[cfg(test)]
    pub(crate) const fn is_standard(&self) -> bool {
        matches!(self.run, Run::Standard)
    }

    #[cfg(test)]
    pub(crate) const fn is_function(&self) -> bool {
        matches!(self.run, Run::Function(_))
    }

    /// The callback's path, for errors.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// A new id, valid and of 64 bits or more. A panic is `CallbackPanicked`, else `InvalidId` or `WeakId`.
    pub(crate) fn call(&self) -> Generated<'_> {
        match &self.run {
            Run::Standard => MaybeReady::ready(Ok(SharedId::of_valid(&random_id()))),
            Run::Function(run) => run(Ask::Make),
            Run::Passed(callback) => callback.run(),
        }
    }
}

const LEN: usize = 100;
const BASE: u16 = 62;
const PAIRS: u16 = BASE * BASE;

/// The text of a standard id: 100 characters of `[A-Za-z0-9]`.
///
/// A random number of 16 bits is taken as a fraction, of which two digits in base 62 are read. No step depends on what the digits are, so that the
/// time it takes tells nothing, and many numbers take each step at once.
pub(crate) fn random_id() -> [u8; LEN] {
    /// A few more than are needed, so that no number is left over when they are taken by eight.
    const NUMBERS: usize = (LEN / 2).next_multiple_of(8);

    let mut rng = rand::rng();
    let mut random = [0; 2 * NUMBERS];
    rng.fill_bytes(&mut random);
    let mut numbers = [0; NUMBERS];
    for (number, bytes) in numbers.iter_mut().zip(random.as_chunks().0) {
        *number = u16::from_le_bytes(*bytes);
    }
    if numbers.iter().fold(false, |any, &number| any | is_unfair(number)) {
        for number in &mut numbers {
            while is_unfair(*number) {
                *number = rng.random();
            }
        }
    }
    let mut text = [[0; NUMBERS]; 2];
    let [firsts, seconds] = &mut text;
    for ((number, first), second) in numbers.iter().zip(firsts).zip(seconds) {
        let (digit, rest) = next_digit(*number);
        (*first, *second) = (digit, next_digit(rest).0);
    }
    for character in text.as_flattened_mut() {
        *character = to_character(*character);
    }
    array::from_fn(|place| text.as_flattened()[place])
}

/// Numbers that would make some pairs of digits likelier than others (Lemire, 2019): 188 of 65536.
const fn is_unfair(number: u16) -> bool {
    number.wrapping_mul(PAIRS) < PAIRS.wrapping_neg() % PAIRS
}

/// The first digit of a fraction of 2^16, and what is left of it.
#[expect(clippy::cast_possible_truncation, reason = "less than 62, and the low half")]
const fn next_digit(fraction: u16) -> (u8, u16) {
    let product = fraction as u32 * BASE as u32;
    ((product >> 16) as u8, product as u16)
}

/// Without a table, since the time to read one may depend on the place.
const fn to_character(digit: u8) -> u8 {
    let beyond_upper = if digit < 26 { 0 } else { b'a' - b'Z' - 1 };
    let beyond_letters = if digit < 52 { 0 } else { b'z' + 1 - b'0' };
    (b'A' + digit + beyond_upper).wrapping_sub(beyond_letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_ids_are_100_letters_and_digits_each_as_likely_as_the_others() {
        let mut counts = [0_u32; 256];
        for _ in 0..2_000 {
            for byte in random_id() {
                assert!(byte.is_ascii_alphanumeric());
                counts[usize::from(byte)] += 1;
            }
        }
        // 200 000 characters, 3226 of each expected, with a standard deviation of 56.
        for byte in (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9') {
            let count = counts[usize::from(byte)];
            assert!((2_850..3_600).contains(&count), "{byte}: {count}");
        }
    }

    #[test]
    fn each_pair_of_digits_comes_from_as_many_numbers() {
        let mut counts = [[0_u32; 62]; 62];
        for number in (0..=u16::MAX).filter(|&number| !is_unfair(number)) {
            let (first, rest) = next_digit(number);
            counts[usize::from(first)][usize::from(next_digit(rest).0)] += 1;
        }
        assert!(counts.as_flattened().iter().all(|&count| count == 17));
    }

    #[test]
    fn the_digits_are_the_letters_and_the_digits() {
        let all: Vec<u8> = (0..62).map(to_character).collect();
        assert_eq!(all, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    }

    #[test]
    fn standard_ids_do_not_repeat() {
        let ids: std::collections::HashSet<_> = (0..10_000).map(|_| random_id()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
