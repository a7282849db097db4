//! The laws of a store as checks that run against any.
//!
//! [`conformance`] is what a user calls. [`checks`] is the table of the checks; they are in files by what they are about, each
//! a function that is given a [`Bench`](bench::Bench) and says what it found.

mod bench;
mod changing;
mod checks;
mod clock;
mod creating;
mod data;
mod deleting;
mod expiring;
mod failing;
mod keeping;
mod owning;
mod report;
mod rotating;
mod sessions;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use self::bench::{Bench, Fault, Handle, Verdict};
use self::checks::{Check, SLOW};
use self::clock::{Clock, Clocks, Pace};
pub use self::data::ConformanceData;
pub use self::report::{Checked, Outcome, Report};
use crate::SessionId;
use crate::store::{AnyStore, ErasedStore, Key, Namespace, ROTATION_MARK, Store};

/// How often a check is tried before it is said that it cannot be decided. The limits that it waits for grow threefold each time, to
/// three minutes in the end, or to nine times the first one, if the store is that slow.
const ATTEMPTS: u32 = 7;
const LAST_UNIT: Duration = Duration::from_secs(180);

/// Checks that a store keeps the laws ([how to write one](crate::store::writing)). Awaiting it runs every check and panics with
/// the [`Report`] where a law is broken: it names each one, and says what the store did and what it should have done.
///
/// `open` opens a store at a place of its own: it is given a name that it was not given before (a letter, then up to 40 lowercase
/// letters, digits and `_`), for the table, the key prefix or the file of that store. A store in memory is a new one each
/// time and ignores the name. `open` is called about a hundred times; a store that it gave is dropped when its check is done.
///
/// ```
/// use session_runtime::store::MemoryStore;
/// use session_runtime::testing::conformance;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// conformance(async |_| MemoryStore::<String>::new()).await;
/// # }
/// ```
///
/// A store that processes share is opened by name, and says so:
///
/// ```no_run
/// # #[cfg(feature = "redis")] async fn check() {
/// use session_runtime::store::RedisStore;
/// use session_runtime::testing::conformance;
///
/// conformance::<String, _>(async |place| {
///     RedisStore::connect("redis://127.0.0.1/").await.unwrap().key_prefix(place)
/// })
/// .shared()
/// .await;
/// # }
/// ```
///
/// The data is a `String` or a `Vec<u8>`, or another [`ConformanceData`]; a store that takes several is told which by
/// `conformance::<String, _>(..)`.
///
/// # Time
///
/// It waits for limits to end: three seconds for a store in memory, five to fifteen with a database on the same machine. A store
/// that goes by tokio's clock may be checked with that paused (`#[tokio::test(start_paused = true)]`), which hits the instant of
/// expiry exactly, and waits for nothing.
///
/// A slow store, or a slow machine, breaks no law. The checks only take longer: they make some 3500 calls, most of them one after the
/// other.
///
/// - That a session is missing counts against the store only if its limit was not over when the answer came. That it is still there
///   counts only if its limit was over before the call was made. If the clock cannot tell, the check runs again with limits three
///   times as long, up to seven times. The first limits leave room for 16 calls, by what a few calls took at the start.
/// - A call hangs if it is not answered within two minutes, or within a hundred times what a call took at the start, if that is longer.
/// - An error that comes after a long wait counts only if it comes each time that the check runs: on a slow machine a store may give
///   up waiting.
/// - If a few calls take longer than three minutes, or longer than the 30 seconds for which the mark of a rotation stays, a check may
///   tell nothing. Its outcome is [`Undecided`](Outcome::Undecided), which the report shows; it is not a panic.
pub fn conformance<'a, T, S>(open: impl AsyncFn(&str) -> S + 'a) -> Conformance<'a, T>
where
    T: ConformanceData,
    S: Store<T>,
{
    let open = Rc::new(open);
    Conformance {
        open: Box::new(move |place| {
            let open = Rc::clone(&open);
            Box::pin(async move { AnyStore::new(open(&place).await).into_erased() })
        }),
        is_shared: false,
        is_slow: false,
        two_steps: false,
        failing: None,
        undecodable: None,
        only: None,
        skipped: Vec::new(),
    }
}

/// The checks of one kind of store, to be awaited; made by [`conformance`].
#[must_use = "the checks run when they are awaited"]
pub struct Conformance<'a, T> {
    open: Box<Open<'a, T>>,
    is_shared: bool,
    is_slow: bool,
    two_steps: bool,
    failing: Option<Arc<dyn ErasedStore<T>>>,
    undecodable: Option<Box<Put<'a>>>,
    only: Option<&'static str>,
    skipped: Vec<(&'static str, String)>,
}

type Open<'a, T> = dyn Fn(String) -> Pin<Box<dyn Future<Output = Arc<dyn ErasedStore<T>>> + 'a>> + 'a;
type Put<'a> = dyn Fn(String, Arc<Namespace>, SessionId) -> Pin<Box<dyn Future<Output = ()> + 'a>> + 'a;

impl<'a, T: ConformanceData> Conformance<'a, T> {
    /// Two stores that are opened at one place have the same sessions, as two processes would that share them: half of the calls
    /// then go through a second store. Otherwise the store itself takes its part.
    pub const fn shared(mut self) -> Self {
        self.is_shared = true;
        self
    }

    /// Runs the checks too that take long: 30 seconds, for the mark of a rotation to go.
    pub const fn slow(mut self) -> Self {
        self.is_slow = true;
        self
    }

    /// The store rotates in two steps, because the keys may be on different machines, or because its engine has no step for both:
    /// the row of the new key, which nobody knows yet, is written before the commit. A rotation that is stopped between them may
    /// leave it there.
    pub const fn rotates_in_two_steps(mut self) -> Self {
        self.two_steps = true;
        self
    }

    /// A store of the same kind whose every call fails, because its server was stopped, say, for the check that failing is an
    /// error, comes in time and shows no id.
    pub fn failing(mut self, store: impl Store<T>) -> Self {
        self.failing = Some(AnyStore::new(store).into_erased());
        self
    }

    /// Puts data that cannot be read as `T` into a store, for the check that reading them is an answer: `put` is given the name of
    /// a place, where a store is open, and a key. A store of bytes that serde writes can be given a session of another type there.
    pub fn undecodable(mut self, put: impl AsyncFn(&str, Key<'_>) + 'a) -> Self {
        let put = Rc::new(put);
        self.undecodable = Some(Box::new(move |place, namespace, id| {
            let put = Rc::clone(&put);
            Box::pin(async move { put(&place, Key::new(&namespace, &id)).await })
        }));
        self
    }

    /// Runs one check alone, while a store is made to keep its law.
    ///
    /// # Panics
    ///
    /// Where no check has this name.
    pub fn only(mut self, check: &str) -> Self {
        self.only = Some(self::name::<T>(check));
        self
    }

    /// Leaves a check out. The report says so, with the reason.
    ///
    /// # Panics
    ///
    /// Where no check has this name.
    pub fn skip(mut self, check: &str, reason: impl Into<String>) -> Self {
        self.skipped.push((self::name::<T>(check), reason.into()));
        self
    }

    /// Runs every check and gives what they found, whether laws are broken or not.
    pub async fn report(&self) -> Report {
        let (mut checks, mut pace, mut keeps_owners) = (Vec::new(), None, None);
        for check in checks::all::<T>().into_iter().filter(|check| self.only.is_none_or(|only| only == check.name)) {
            if checks::OF_OWNERS.contains(&check.name) && keeps_owners.is_none() {
                keeps_owners = Some((self.open)(place()).await.keeps_owners());
            }
            let reason = self.why_not(check.name).or_else(|| {
                let is_of_owners = checks::OF_OWNERS.contains(&check.name) && keeps_owners == Some(false);
                is_of_owners.then(|| "the store does not keep who its sessions belong to".to_owned())
            });
            let outcome = if let Some(reason) = reason {
                Outcome::NotRun(reason)
            } else {
                let pace = match pace {
                    Some(pace) => pace,
                    None => *pace.insert(Pace::of((self.open)(place()).await).await),
                };
                self.outcome(&check, pace).await
            };
            checks.push(Checked { name: check.name, law: check.law, outcome });
        }
        Report { checks }
    }

    fn why_not(&self, name: &str) -> Option<String> {
        let skipped = self.skipped.iter().find(|(skipped, _)| *skipped == name).map(|(_, reason)| reason.clone());
        let slow = SLOW.iter().filter(|_| !self.is_slow).find(|(slow, _)| *slow == name);
        let needs = match name {
            "errors_show_no_id" if self.failing.is_none() => Some(
                "it takes a store that fails; `failing(store)` gives it one. No error of the other checks showed an id".into(),
            ),
            UNDECODABLE if self.undecodable.is_none() => {
                Some("it takes data that cannot be read; `undecodable(put)` gives it some".into())
            }
            _ => None,
        };
        skipped.or_else(|| slow.map(|(_, reason)| (*reason).to_owned())).or(needs)
    }

    async fn outcome(&self, check: &Check<T>, pace: Pace) -> Outcome {
        let (first, last) = (pace.unit(), LAST_UNIT.max(pace.unit() * 9));
        let units = (0..ATTEMPTS).map(|attempt| first * 3_u32.pow(attempt)).take_while(|unit| *unit <= last);
        let mut fails_each_time = true;
        let mut why = String::new();
        for unit in units {
            match self.attempt(check, self.bench(check, pace, unit).await).await {
                Ok(()) => return Outcome::Kept,
                Err(Fault::Broken(what)) => return Outcome::Broken(what),
                Err(Fault::Doubtful(what)) => why = what,
                Err(Fault::TooSlow) => {
                    fails_each_time = false;
                    why = format!(
                        "a few calls took longer than a session lives that is waited for, {unit:?} in the end, or than the mark of a \
                         rotation stays, {ROTATION_MARK:?}"
                    );
                }
            }
        }
        if fails_each_time {
            return Outcome::Broken(why);
        }
        Outcome::Undecided(format!("the store, or this machine, is too slow: {why}"))
    }

    async fn attempt(&self, check: &Check<T>, bench: Bench<T>) -> Verdict {
        let clocks = Clocks::now();
        let verdict = tokio::spawn((check.run)(bench)).await.unwrap_or_else(|panic| Err(bench::panicked(panic)));
        match verdict {
            Err(Fault::Broken(what)) if clocks.have_parted() => Err(Fault::Doubtful(what)),
            verdict => verdict,
        }
    }

    async fn bench(&self, check: &Check<T>, pace: Pace, unit: Duration) -> Bench<T> {
        let here = self::place();
        let store = (self.open)(here.clone()).await;
        let twin = if self.is_shared { (self.open)(here.clone()).await } else { Arc::clone(&store) };
        let apart = (self.open)(self::place()).await;
        let [namespace, other] = ["conformance", "conformance too"].map(|name| Arc::new(Namespace::new(name)));
        let clock = Arc::new(Clock::new(pace));
        let handle = |store| Handle { store, namespace: Arc::clone(&namespace), clock: Arc::clone(&clock) };
        let elsewhere = |store| Handle { clock: Arc::new(Clock::new(pace)), ..handle(store) };
        let undecodable = match &self.undecodable {
            Some(put) if check.name == UNDECODABLE => {
                let id = sessions::fresh_id();
                put(here, Arc::clone(&namespace), id).await;
                Some(id)
            }
            _ => None,
        };
        Bench {
            other_namespace: Handle { namespace: other, ..elsewhere(Arc::clone(&store)) },
            undecodable,
            store: handle(store),
            twin: handle(twin),
            apart: elsewhere(apart),
            failing: self.failing.clone().map(elsewhere),
            two_steps: self.two_steps,
            unit,
        }
    }
}

/// The check that needs data which cannot be read.
const UNDECODABLE: &str = "what_cannot_be_read_is_an_answer";

/// The name of a check, if there is one.
fn name<T: ConformanceData>(check: &str) -> &'static str {
    let name = checks::all::<T>().into_iter().map(|known| known.name).find(|name| *name == check);
    name.unwrap_or_else(|| panic!("there is no check with the name {check:?}"))
}

/// A name that nobody used before.
fn place() -> String {
    format!("conformance_{:016x}", rand::random::<u64>())
}

impl<'a, T: ConformanceData> IntoFuture for Conformance<'a, T> {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.report().await.assert() })
    }
}

impl<T> fmt::Debug for Conformance<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance").field("shared", &self.is_shared).field("slow", &self.is_slow).finish_non_exhaustive()
    }
}
