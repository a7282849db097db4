//! When the task that sweeps does so next, and whether there is one. Both are one word: with a word for each, a thread that creates a
//! session between the changes of the two would start a task whose time is then overwritten.
//!
//! When a task ends, what is due stays in memory until the next session is created. That session starts another task, which looks at all
//! of them first.

use std::sync::atomic::{AtomicU64, Ordering};

use super::clock::FOREVER;
use crate::word::Word;

/// When the next sweep is, by the store's clock, or one of the following.
pub(super) struct Schedule<W = AtomicU64>(W);

/// No task runs. Every session is due before this, so that the next one that is created comes to start a task.
const NO_TASK: u64 = FOREVER;
/// A task runs, and knows of no session.
const NOTHING_DUE: u64 = FOREVER - 1;
/// A task is about to look at all sessions, or there will never be one again. No session is due before this, so that none asks.
const AT_ONCE: u64 = 0;

/// What is to be done so that a sweep is in time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Start a task.
    Start,
    /// Wake the task.
    Wake,
    /// Nothing: there is no task, and none can be started.
    Nothing,
}

impl<W: Word> Default for Schedule<W> {
    fn default() -> Self {
        Self(W::new(NO_TASK))
    }
}

impl<W: Word> Schedule<W> {
    /// Whether the next sweep comes too late for what is due then.
    pub(super) fn is_later_than(&self, due: u64) -> bool {
        due < self.0.load(Ordering::Relaxed)
    }

    /// Asks for a sweep at `due`: by a new task if there is none and the caller `can_start` one. If it cannot, nothing changes: even for a
    /// moment it must not look as if there were a task, because another thread that can start one would not.
    pub(super) fn ask(&self, due: u64, can_start: bool) -> Asked {
        let mut next = self.next();
        loop {
            let (new, asked) = match next {
                NO_TASK if can_start => (AT_ONCE, Asked::Start),
                NO_TASK => return Asked::Nothing,
                _ => (next.min(due), Asked::Wake),
            };
            match self.0.compare_exchange(next, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return asked,
                Err(other) => next = other,
            }
        }
    }

    /// When the task is to sweep.
    pub(super) fn next(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// The task sweeps, by a future that says when the next sweep is due. A session that is created meanwhile is seen by that future,
    /// or it asks: it would do neither if its time could be overwritten after it asked.
    pub(super) async fn keep(&self, sweep: impl Future<Output = u64>) {
        // Here and below an exchange where a store would do: the model checker lets a store of one thread come between the load and the
        // store of another one's exchange, which no processor does.
        self.0.swap(NOTHING_DUE, Ordering::AcqRel);
        let next = sweep.await;
        self.0.fetch_min(next, Ordering::AcqRel);
    }

    /// The task has ended.
    pub(super) fn end(&self) {
        self.0.swap(NO_TASK, Ordering::AcqRel);
    }

    /// The task has ended, and another one would fare no better.
    pub(super) fn give_up(&self) {
        self.0.swap(AT_ONCE, Ordering::AcqRel);
    }
}

/// A model checker runs the threads of a test in every order of their steps. With three threads there are too many orders: of those, it
/// tries the ones in which a thread is interrupted at most twice. `LOOM_MAX_PREEMPTIONS=200` makes it try all, in some minutes.
#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Mutex as PlainMutex;
    use std::task::{Context, Poll, Waker};

    use loom::model::Builder;
    use loom::sync::atomic::{AtomicBool, AtomicU64};
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    use super::*;

    /// A store of one session a shard, or none: when each is due; and its task.
    struct Store {
        schedule: Schedule<AtomicU64>,
        shards: Vec<Mutex<u64>>,
        /// The task is to look at the schedule once more before it sleeps on.
        woken: AtomicBool,
        /// Until when the task sleeps; `None` where there is none.
        asleep: PlainMutex<Option<u64>>,
    }

    /// All that is due until then has expired.
    const NOW: u64 = 5;

    impl Store {
        /// Without a task.
        fn new(shards: &[u64]) -> Self {
            Self {
                schedule: Schedule::default(),
                shards: shards.iter().map(|due| Mutex::new(*due)).collect(),
                woken: AtomicBool::new(false),
                asleep: PlainMutex::new(None),
            }
        }

        /// With a task that sleeps until the first session is due.
        fn with_task(shards: &[u64]) -> Self {
            let store = Self::new(shards);
            assert_eq!(store.schedule.ask(NOW, true), Asked::Start);
            store.run(0);
            store
        }

        /// A session is created in a runtime.
        fn create(&self, shard: usize, due: u64) {
            self.create_where(shard, due, true);
        }

        /// A session is created where no task can be started.
        fn create_outside(&self, shard: usize, due: u64) {
            self.create_where(shard, due, false);
        }

        fn create_where(&self, shard: usize, due: u64, can_start: bool) {
            let mut shard = self.shards[shard].lock().unwrap();
            *shard = due.min(*shard);
            drop(shard);
            if self.schedule.is_later_than(due) {
                match self.schedule.ask(due, can_start) {
                    Asked::Start => self.run(0),
                    Asked::Wake => {
                        self.woken.swap(true, Ordering::AcqRel);
                    }
                    Asked::Nothing => assert!(!can_start),
                }
            }
        }

        /// The task: sweeps when that is due, and so many times more, and then sleeps.
        fn run(&self, sweeps: usize) {
            let mut left = sweeps;
            loop {
                let next = self.schedule.next();
                if self.woken.swap(false, Ordering::AcqRel) {
                    continue;
                }
                if next > NOW {
                    if left == 0 {
                        *self.asleep.lock().unwrap() = Some(next);
                        return;
                    }
                    left -= 1;
                }
                at_once(self.schedule.keep(async { self.sweep() }));
            }
        }

        /// One shard after the other; says when the first is due.
        fn sweep(&self) -> u64 {
            let dues = self.shards.iter().map(|shard| {
                let mut due = shard.lock().unwrap();
                if *due <= NOW {
                    *due = FOREVER;
                }
                *due
            });
            dues.fold(FOREVER, u64::min)
        }

        /// The task's runtime ends.
        fn end(&self) {
            *self.asleep.lock().unwrap() = None;
            self.schedule.end();
        }

        /// What has to hold when all has come to rest: each session is swept in time, or the next one that is created sees to it.
        fn check(&self) {
            let Some(mut until) = *self.asleep.lock().unwrap() else {
                assert!(self.schedule.is_later_than(NOTHING_DUE), "no task runs, and the next session starts none");
                return;
            };
            if self.woken.load(Ordering::Acquire) {
                until = self.schedule.next();
            }
            for shard in &self.shards {
                let due = *shard.lock().unwrap();
                assert!(until <= due, "the task sleeps until {until} where a session is due at {due}");
            }
        }
    }

    fn at_once<R>(future: impl Future<Output = R>) -> R {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("it waits"),
        }
    }

    type Step = fn(&Store);

    /// Takes these steps at the same time, and checks the store then.
    fn in_every_order<const OTHERS: usize>(store: fn() -> Store, step: Step, others: [Step; OTHERS]) {
        let mut model = Builder::new();
        if OTHERS > 1 {
            model.preemption_bound.get_or_insert(2);
        }
        model.check(move || {
            let store = Arc::new(store());
            let others = others.map(|step| {
                let store = Arc::clone(&store);
                thread::spawn(move || step(&store))
            });
            step(&store);
            for thread in others {
                thread.join().unwrap();
            }
            store.check();
            // The next session sees to what is there already, too.
            store.create(0, 30);
            store.check();
        });
    }

    #[test]
    fn a_session_that_is_created_while_the_task_ends_is_swept_in_time() {
        in_every_order(|| Store::with_task(&[40]), Store::end, [|store| store.create(0, 10)]);
    }

    #[test]
    fn sessions_that_are_created_while_the_task_ends_are_swept_in_time() {
        let creations: [Step; 2] = [|store| store.create(0, 10), |store| store.create(1, 20)];
        in_every_order(|| Store::with_task(&[40, 50]), Store::end, creations);
    }

    #[test]
    fn a_session_that_is_created_while_the_task_sweeps_is_swept_in_time() {
        in_every_order(|| Store::with_task(&[40, 50]), |store| store.run(1), [|store| store.create(0, 10)]);
        in_every_order(|| Store::with_task(&[40, 50]), |store| store.run(1), [|store| store.create(1, 10)]);
    }

    #[test]
    fn sessions_that_are_created_while_the_task_sweeps_are_swept_in_time() {
        let creations: [Step; 2] = [|store| store.create(0, 10), |store| store.create(1, 9)];
        in_every_order(|| Store::with_task(&[40, 50]), |store| store.run(1), creations);
    }

    #[test]
    fn a_session_that_is_created_while_the_task_sweeps_and_ends_is_swept_in_time() {
        let sweep_and_end: Step = |store| {
            store.run(1);
            store.end();
        };
        in_every_order(|| Store::with_task(&[40]), sweep_and_end, [|store| store.create(0, 10)]);
    }

    #[test]
    fn one_of_the_sessions_that_are_created_first_starts_the_task() {
        in_every_order(|| Store::new(&[FOREVER]), |store| store.create(0, 10), [|store| store.create(0, 20)]);
    }

    #[test]
    fn a_session_that_is_created_outside_of_a_runtime_is_in_nobodys_way() {
        in_every_order(|| Store::new(&[FOREVER]), |store| store.create(0, 20), [|store| store.create_outside(0, 10)]);
        in_every_order(|| Store::with_task(&[40]), Store::end, [|store| store.create_outside(0, 10)]);
    }
}
