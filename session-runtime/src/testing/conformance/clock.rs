//! What the clock proves, and how long to wait for a store.
//!
//! A store acts at some moment between a call and its answer; only the clock around the call tells when. So:
//!
//! 1. That a session, or a mark, has to be there is held against a store only if it was so for certain, however late the store
//!    looked: the clock after the answer shows less than its time, counted from before the call that began it.
//! 2. That it has to be gone is asked only when it is so for certain: its time is over, counted from after the answer.
//! 3. What cannot be told is [`TooSlow`](super::bench::Fault::TooSlow), and is tried again with longer limits.
//!
//! [`Clock`] keeps, for each session of a check, the two ends that follow.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{self, Instant};

use super::data::ConformanceData;
use crate::SessionId;
use crate::store::{
    Change, Created, ErasedStore, Key, Limits, Namespace, NewSession, Origin, ROTATION_MARK, StoreError, Version,
};

/// How exactly a store is expected to tell the time that is left.
pub(super) const STEP: Duration = Duration::from_millis(20);

/// The clocks of two machines differ by less than a thousandth of the time that passes.
const DRIFT: u32 = 1000;

/// The first limit that is waited for, unless the store is slow. A quarter of it is a whole number of steps, because a store may round a
/// limit up to one.
const UNIT: Duration = Duration::from_millis(240);

/// So many calls one after the other a limit that is waited for leaves room for.
const CALLS: u32 = 16;

/// How long a call may take, at least, before it is said to hang.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
const PATIENCE_IN_CALLS: u32 = 100;

/// Patience is lost in steps, so that a process or a machine that was stopped for long has lost only one of them.
const STEPS_OF_PATIENCE: u32 = 60;

/// How fast a store answers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// What most calls need at most.
    call: Duration,
    /// Whether tokio's clock is paused, by which the store then goes, too.
    is_paused: bool,
}

impl Pace {
    /// Calls a store a few times.
    pub(super) async fn of<T: ConformanceData>(store: Arc<dyn ErasedStore<T>>) -> Self {
        let pace = Self { call: Duration::ZERO, is_paused: is_paused() };
        // In a task, because it may panic. What it does wrong is for the checks to say.
        let calls = tokio::spawn(async move {
            let mut took = Vec::new();
            for _ in 0..4 {
                if pace.patiently(PATIENCE, time_calls(&store, &mut took)).await.is_err() {
                    break;
                }
            }
            took
        });
        let mut took = calls.await.unwrap_or_default();
        took.sort_unstable();
        // The slowest ones do not count: some connect, and some meet a moment in which the machine does something else.
        Self { call: took.get(took.len() * 3 / 4).copied().unwrap_or_default(), ..pace }
    }

    /// A limit that is long enough for the store to answer a few times, and short enough to wait for.
    pub(super) fn unit(self) -> Duration {
        let units = (self.call * CALLS).as_millis().div_ceil(UNIT.as_millis()).max(1);
        UNIT * u32::try_from(units).unwrap_or(u32::MAX)
    }

    /// How long a call that was stopped on its way may be in the way of another, before it goes on: long enough for the other one
    /// to be done, and shorter than a store waits at most for what is in its way.
    pub(super) fn hold(self) -> Duration {
        (self.call * 2).clamp(STEP, 25 * STEP)
    }

    /// Whether a call took so long that the store may have given it up, as it may where it waits in vain.
    pub(super) fn is_long(self, took: Duration) -> bool {
        took >= (self.call * 2).max(5 * STEP)
    }

    /// The answer of a call, or how long it was waited for.
    pub(super) async fn patiently<F: Future>(self, least: Duration, call: F) -> Result<F::Output, Duration> {
        let patience = least.max(self.call * PATIENCE_IN_CALLS);
        let mut call = pin!(call);
        for _ in 0..STEPS_OF_PATIENCE {
            if let Ok(answer) = time::timeout(patience / STEPS_OF_PATIENCE, call.as_mut()).await {
                return Ok(answer);
            }
        }
        Err(patience)
    }
}

/// Whether tokio's clock stands still while the machine's goes on.
fn is_paused() -> bool {
    let (paused, runs) = (Instant::now(), std::time::Instant::now());
    while runs.elapsed() < Duration::from_micros(20) {
        std::hint::spin_loop();
    }
    Instant::now() == paused
}

async fn time_calls<T: ConformanceData>(store: &Arc<dyn ErasedStore<T>>, took: &mut Vec<Duration>) -> Result<(), StoreError> {
    let (namespace, id) = (Namespace::new("conformance"), super::sessions::fresh_id());
    let (key, data) = (Key::new(&namespace, &id), || Arc::new(T::of_text("data")));
    let mut begun = Instant::now();
    let mut took = |()| {
        took.push(begun.elapsed());
        begun = Instant::now();
    };
    let created = store.create(key, NewSession::new(data(), super::sessions::LONG, Origin::Change)).await;
    let version = if let Created::Created(version) = created? { version } else { Version(0) };
    took(());
    store.load(key).await.map(drop).map(&mut took)?;
    store.replace(key, version, Change::new(data())).await.map(drop).map(&mut took)?;
    store.delete(key).await.map(drop).map(&mut took)
}

/// The clock around one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) begun: Instant,
    pub(super) answered: Instant,
}

impl Call {
    pub(super) fn took(self) -> Duration {
        self.answered - self.begun
    }
}

/// A moment; `None` is never.
type Moment = Option<Instant>;

fn first(one: Moment, other: Moment) -> Moment {
    [one, other].into_iter().flatten().min()
}

fn last(one: Moment, other: Moment) -> Moment {
    one.zip(other).map(|(one, other)| one.max(other))
}

/// Something comes to its end not before the one moment and not after the other.
#[derive(Debug, Clone, Copy)]
struct End {
    earliest: Moment,
    latest: Moment,
}

impl End {
    const NEVER: Self = Self { earliest: None, latest: None };

    /// The end of a time that began during a call.
    fn of(limit: Duration, call: Call) -> Self {
        Self { earliest: Some(call.begun), latest: Some(call.answered) }.and_then(limit)
    }

    /// The end of a time that begins here.
    fn and_then(self, limit: Duration) -> Self {
        let later = |moment: Moment| moment.and_then(|at| at.checked_add(limit));
        Self { earliest: later(self.earliest), latest: later(self.latest) }
    }

    fn or(self, other: Self) -> Self {
        Self { earliest: first(self.earliest, other.earliest), latest: first(self.latest, other.latest) }
    }
}

/// What is known of a session.
#[derive(Debug, Clone, Copy)]
struct Life {
    /// It was created not before the one moment and not after the other.
    born: End,
    idle: Duration,
    absolute: End,
    end: End,
}

#[derive(Debug, Default, Clone, Copy)]
struct Known {
    session: Option<Life>,
    mark: Option<End>,
}

/// What the clock around the calls of one check proves of its sessions. Of those that it does not know, it is certain that they
/// are there: they belong to checks that stop calls, and live long.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) pace: Pace,
    start: Instant,
    known: Mutex<HashMap<SessionId, Known>>,
}

impl Clock {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, start: Instant::now(), known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SessionId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn created(&self, id: &SessionId, limits: Limits, call: Call) {
        let absolute = limits.absolute.map_or(End::NEVER, |limit| End::of(limit, call));
        let born = End::of(Duration::ZERO, call);
        let life = Life { born, idle: limits.idle, absolute, end: End::of(limits.idle, call).or(absolute) };
        self.known().entry(*id).or_default().session = Some(life);
    }

    pub(super) fn renewed(&self, id: &SessionId, call: Call) {
        if let Some(life) = self.known().get_mut(id).and_then(|known| known.session.as_mut()) {
            let end = End::of(life.idle, call).or(life.absolute);
            // Others may renew it at the same time.
            life.end = End { earliest: last(life.end.earliest, end.earliest), latest: last(life.end.latest, end.latest) };
        }
    }

    /// A session has other limits since a call, by which it is renewed; the absolute one counts from its creation.
    pub(super) fn limited(&self, id: &SessionId, limits: Limits, call: Call) {
        if let Some(life) = self.known().get_mut(id).and_then(|known| known.session.as_mut()) {
            let absolute = limits.absolute.map_or(End::NEVER, |limit| life.born.and_then(limit));
            let end = End::of(limits.idle, call).or(absolute);
            *life = Life { idle: limits.idle, absolute, end, ..*life };
        }
    }

    /// A rotation begins, whose answer may never come.
    pub(super) fn rotates(&self, old: &SessionId, begun: Instant) {
        let call = Call { begun, answered: begun };
        self.known().entry(*old).or_default().mark.get_or_insert(End { latest: None, ..End::of(ROTATION_MARK, call) });
    }

    /// The session that was read by the call `read` has moved.
    pub(super) fn rotated(&self, old: &SessionId, new: &SessionId, read: Call, call: Call) {
        let mut known = self.known();
        let from = known.entry(*old).or_default();
        if let Some(mark) = &mut from.mark {
            mark.latest = End::of(ROTATION_MARK, call).latest;
        }
        let Some(life) = from.session else { return };
        // A store may count the absolute limit and the age again from what was read, in steps of its clock, and take the ways of that
        // call off.
        let counted_again = |end: End| End {
            earliest: end.earliest.and_then(|at| at.checked_sub(3 * read.took())),
            latest: end.latest.and_then(|at| at.checked_add(read.took() + call.took() + STEP)),
        };
        let (born, absolute) = (counted_again(life.born), counted_again(life.absolute));
        let moved = Life { born, idle: life.idle, absolute, end: End::of(life.idle, call).or(absolute) };
        known.entry(*new).or_default().session = Some(moved);
    }

    /// How much another clock may have run ahead of this one, or stayed behind it, by a moment.
    fn drift(&self, at: Instant) -> Duration {
        if self.pace.is_paused { Duration::ZERO } else { at.saturating_duration_since(self.start) / DRIFT }
    }

    /// Whether a time is for certain not over.
    fn lasts(&self, end: End, now: Instant) -> bool {
        end.earliest.is_none_or(|end| now + STEP + self.drift(now) < end)
    }

    /// Whether a session is for certain there, as far as its limits go.
    pub(super) fn is_there(&self, id: &SessionId) -> bool {
        let known = self.known().get(id).and_then(|known| known.session);
        known.is_none_or(|life| self.lasts(life.end, Instant::now()))
    }

    /// Whether the mark of a rotation is for certain there, if that was made.
    pub(super) fn is_marked(&self, old: &SessionId) -> bool {
        self.is_marked_for(old, Duration::ZERO)
    }

    /// Whether it will be so some time from now.
    pub(super) fn is_marked_for(&self, old: &SessionId, time: Duration) -> bool {
        let known = self.known().get(old).and_then(|known| known.mark);
        known.is_none_or(|mark| self.lasts(mark, Instant::now() + time))
    }

    /// When a session comes to its end, at the earliest and at the latest.
    pub(super) fn ends(&self, id: &SessionId) -> (Instant, Instant) {
        let known = self.known().get(id).and_then(|known| known.session);
        known.and_then(|life| life.end.earliest.zip(life.end.latest)).expect("the checks wait for sessions that end")
    }

    /// Waits until a session is gone for certain.
    pub(super) async fn over(&self, id: &SessionId) {
        let (_, end) = self.ends(id);
        time::sleep_until(end + self.drift(end)).await;
    }

    /// Waits until a mark is gone for certain.
    pub(super) async fn mark_over(&self, old: &SessionId) {
        let known = self.known().get(old).and_then(|known| known.mark);
        let end = known.and_then(|mark| mark.latest).expect("the check waits for the mark of a rotation that was made");
        time::sleep_until(end + self.drift(end)).await;
    }

    /// Whether the time until its end that a store tells of a session is what it can be.
    pub(super) fn fits_the_end(&self, id: &SessionId, told: Duration, call: Call) -> bool {
        let known = self.known().get(id).and_then(|known| known.session);
        known.is_some_and(|life| self.fits(life.end, told, call, Duration::ZERO))
    }

    /// Whether the time until its absolute limit that a store tells of a session is what it can be.
    pub(super) fn fits_the_absolute_limit(&self, id: &SessionId, told: Option<Duration>, call: Call) -> bool {
        let known = self.known().get(id).and_then(|known| known.session);
        known.is_some_and(|life| match told {
            // The ways of the call may be taken off, for the rotation that may follow.
            Some(told) => life.absolute.latest.is_some() && self.fits(life.absolute, told, call, 2 * call.took()),
            None => life.absolute.latest.is_none(),
        })
    }

    /// Whether the time since its creation that a store tells of a session is what it can be.
    pub(super) fn fits_the_age(&self, id: &SessionId, told: Duration, call: Call) -> bool {
        let slack = STEP + self.drift(call.answered);
        let known = self.known().get(id).and_then(|known| known.session);
        known.is_some_and(|Life { born, .. }| {
            born.earliest.is_none_or(|born| told <= call.answered.saturating_duration_since(born) + slack)
                && born.latest.is_none_or(|born| told + slack >= call.begun.saturating_duration_since(born))
        })
    }

    fn fits(&self, end: End, told: Duration, call: Call, less: Duration) -> bool {
        let slack = STEP + self.drift(call.answered);
        end.latest.is_none_or(|end| told <= end.saturating_duration_since(call.begun) + slack)
            && end.earliest.is_none_or(|end| told + less + slack >= end.saturating_duration_since(call.answered))
    }
}

/// The two clocks of a machine. They part where the time is set, or where the machine sleeps while a server elsewhere does not: then
/// the one does not tell what the other has done.
pub(super) struct Clocks {
    wall: SystemTime,
    steady: std::time::Instant,
}

impl Clocks {
    pub(super) fn now() -> Self {
        Self { wall: SystemTime::now(), steady: std::time::Instant::now() }
    }

    pub(super) fn have_parted(&self) -> bool {
        let (wall, steady) = (self.wall.elapsed(), self.steady.elapsed());
        wall.map_or(true, |wall| are_apart(wall, steady))
    }
}

fn are_apart(wall: Duration, steady: Duration) -> bool {
    wall.abs_diff(steady) > STEP + steady / (DRIFT / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::conformance::sessions::fresh_id;

    const LIMIT: Duration = Duration::from_secs(1);

    /// A clock that knows of a session, which was made by a call of that long.
    async fn clock(takes: Duration, absolute: Option<Duration>) -> (Clock, SessionId, Call) {
        let (clock, id, begun) = (Clock::new(Pace { is_paused: is_paused(), ..Pace::default() }), fresh_id(), Instant::now());
        time::sleep(takes).await;
        let call = Call { begun, answered: Instant::now() };
        clock.created(&id, Limits::new(LIMIT, absolute), call);
        (clock, id, call)
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_certain_from_before_its_call_and_over_from_after_the_answer() {
        let (clock, id, call) = clock(LIMIT / 4, None).await;
        assert_eq!(clock.ends(&id), (call.begun + LIMIT, call.answered + LIMIT));
        time::sleep_until(call.begun + LIMIT - 2 * STEP).await;
        assert!(clock.is_there(&id));
        time::sleep_until(call.begun + LIMIT - STEP).await;
        assert!(!clock.is_there(&id));
        clock.over(&id).await;
        assert_eq!(Instant::now(), call.answered + LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn use_renews_a_session_no_further_than_its_absolute_limit() {
        let (clock, id, call) = clock(LIMIT / 4, Some(LIMIT * 3 / 2)).await;
        time::sleep_until(call.begun + LIMIT / 2).await;
        let touch = Call { begun: Instant::now(), answered: Instant::now() };
        clock.renewed(&id, touch);
        assert_eq!(clock.ends(&id), (call.begun + LIMIT * 3 / 2, touch.answered + LIMIT));
        let read = Call { begun: Instant::now(), answered: Instant::now() + LIMIT / 100 };
        let (new, rotation) = (fresh_id(), Call { begun: read.answered, answered: read.answered + LIMIT / 2 });
        clock.rotates(&id, rotation.begun);
        clock.rotated(&id, &new, read, rotation);
        let earliest = call.begun + LIMIT * 3 / 2 - 3 * read.took();
        assert_eq!(clock.ends(&new), (earliest, rotation.answered + LIMIT));
    }

    #[tokio::test(start_paused = true)]
    async fn new_limits_count_from_the_call_and_from_the_creation() {
        let (clock, id, made) = clock(LIMIT / 4, None).await;
        time::sleep_until(made.begun + LIMIT / 2).await;
        let call = Call { begun: Instant::now(), answered: Instant::now() + LIMIT / 4 };
        clock.limited(&id, Limits::new(LIMIT * 2, Some(LIMIT * 9)), call);
        assert_eq!(clock.ends(&id), (call.begun + LIMIT * 2, call.answered + LIMIT * 2));
        clock.limited(&id, Limits::new(LIMIT * 9, Some(LIMIT * 3)), call);
        assert_eq!(clock.ends(&id), (made.begun + LIMIT * 3, made.answered + LIMIT * 3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_is_what_is_left_whenever_the_store_looked() {
        let (clock, id, made) = clock(LIMIT / 4, None).await;
        time::sleep(LIMIT / 4).await;
        let load = Call { begun: Instant::now(), answered: Instant::now() + LIMIT / 8 };
        let (least, most) = (made.begun + LIMIT - load.answered, made.answered + LIMIT - load.begun);
        let less = |steps| least.saturating_sub(steps * STEP);
        for (told, fits) in [(less(1), true), (less(2), false), (most + STEP, true), (most + 2 * STEP, false)] {
            assert_eq!(clock.fits_the_end(&id, told, load), fits, "{told:?}");
        }
        assert!(clock.fits_the_absolute_limit(&id, None, load) && !clock.fits_the_absolute_limit(&id, Some(most), load));
    }

    #[tokio::test(start_paused = true)]
    async fn a_mark_counts_from_the_first_rotation_that_may_have_left_it() {
        let (clock, id, _) = clock(Duration::ZERO, None).await;
        let first = Instant::now();
        clock.rotates(&id, first);
        time::sleep(LIMIT).await;
        clock.rotates(&id, Instant::now());
        assert!(clock.is_marked(&id) && clock.is_marked_for(&id, ROTATION_MARK / 2));
        time::sleep_until(first + ROTATION_MARK).await;
        assert!(!clock.is_marked(&id) && clock.is_marked(&fresh_id()));
    }

    #[tokio::test]
    async fn clocks_drift_apart_unless_there_is_only_one() {
        let (clock, id, _) = clock(Duration::ZERO, None).await;
        assert!(!clock.pace.is_paused && clock.drift(clock.ends(&id).1) >= LIMIT / DRIFT);
        time::pause();
        assert!(is_paused());
    }

    #[test]
    fn limits_and_patience_grow_with_what_a_call_takes() {
        let pace = |millis| Pace { call: Duration::from_millis(millis), is_paused: false };
        assert_eq!([0, 1, 15, 16, 200].map(|millis| pace(millis).unit()), [1, 1, 1, 2, 14].map(|units| units * UNIT));
        assert_eq!([0, 20, 1000].map(|millis| pace(millis).hold()), [20, 40, 500].map(Duration::from_millis));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_later_for_a_slow_store() {
        for (call, ends) in [(Duration::ZERO, PATIENCE), (Duration::from_secs(2), Duration::from_secs(200))] {
            let (pace, start) = (Pace { call, is_paused: true }, Instant::now());
            assert_eq!(pace.patiently(PATIENCE, std::future::pending::<()>()).await, Err(ends));
            assert!(start.elapsed() >= ends && start.elapsed() < ends + Duration::from_millis(100));
        }
    }

    #[test]
    fn clocks_are_apart_when_one_of_them_was_set() {
        let minute = Duration::from_secs(60);
        assert!(!are_apart(minute, minute) && !are_apart(minute, minute + STEP));
        assert!(
            are_apart(minute, minute * 2)
                && are_apart(2 * minute, minute)
                && are_apart(Duration::from_millis(50), Duration::ZERO)
        );
    }
}
