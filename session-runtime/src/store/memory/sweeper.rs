//! The task that takes what expired out of memory.
//!
//! 1. A session starts it: where none runs, or the runtime it ran on has ended, the next session that is created starts another, which
//!    looks at all shards first.
//! 2. It sleeps until the first shard is due, and wakes earlier for a session with a shorter limit.
//! 3. It works in steps of a few hundred slots, one lock at a time, and lets others run between them.
//! 4. It holds no store while it sleeps, and ends when the store is dropped. A panic while expired data is dropped ends nothing.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task;
use tokio::time::{self, Instant};

use super::clock::FOREVER;
use super::schedule::{Asked, Schedule};

/// The least time between two sweeps.
const PAUSE: Duration = Duration::from_millis(100);

/// A store as its task sees it.
pub(super) trait Swept: Send + Sync + 'static {
    fn sweeper(&self) -> &Arc<Sweeper>;

    /// This time of the store by the runtime's clock; `None` if it never comes.
    fn instant(&self, time: u64) -> Option<Instant>;

    /// Takes one step in the first place from `start` on where something is due; says where to go on.
    fn sweep_step(&self, start: usize, gone: &mut Gone) -> Option<usize>;
}

/// What a store and its task share; the task must not keep the store alive.
#[derive(Default)]
pub(super) struct Sweeper {
    schedule: Schedule,
    woken: Notify,
}

impl Sweeper {
    /// Whether the next sweep comes too late for what is due then.
    pub(super) fn is_later_than(&self, due: u64) -> bool {
        self.schedule.is_later_than(due)
    }

    /// The store is gone.
    pub(super) fn end(&self) {
        self.woken.notify_one();
    }
}

/// Sees to it that a task runs, and sweeps as early as this.
#[cold]
pub(super) fn wake<S: Swept>(store: &Arc<S>, due: u64) {
    let sweeper = store.sweeper();
    let runtime = Handle::try_current();
    match (sweeper.schedule.ask(due, runtime.is_ok()), runtime) {
        (Asked::Start, Ok(runtime)) => {
            let running = Running(Arc::clone(sweeper));
            runtime.spawn(run(Arc::downgrade(store), running));
        }
        (Asked::Wake, _) => sweeper.woken.notify_one(),
        _ => {}
    }
}

/// Says that the task runs, for as long as it does.
struct Running(Arc<Sweeper>);

impl Drop for Running {
    fn drop(&mut self) {
        let schedule = &self.0.schedule;
        if thread::panicking() {
            // A runtime without timers panics where the task would sleep: another task would fare no better.
            schedule.give_up();
        } else {
            schedule.end();
        }
    }
}

async fn run<S: Swept>(store: Weak<S>, running: Running) {
    let Sweeper { schedule, woken } = &*running.0;
    let mut last = Instant::now();
    loop {
        let Some(next) = store.upgrade().map(|store| store.instant(schedule.next())) else { return };
        let woken = woken.notified();
        let Some(next) = next else {
            woken.await;
            continue;
        };
        if time::timeout_at(next.max(last + PAUSE), woken).await.is_err() {
            schedule
                .keep(async { sweep(|| store.upgrade(), |store, start, gone| store.sweep_step(start, gone)).await.next })
                .await;
            last = Instant::now();
        }
    }
}

/// What a sweep took out.
pub(super) struct Gone {
    /// How many sessions went.
    pub(super) sessions: u64,
    /// When the next sweep is due.
    pub(super) next: u64,
}

/// Sweeps by `step`, which says where to go on, for as long as there is a store.
pub(super) async fn sweep<S>(store: impl Fn() -> Option<S>, step: impl Fn(&S, usize, &mut Gone) -> Option<usize>) -> Gone {
    let mut gone = Gone { sessions: 0, next: FOREVER };
    let mut position = 0;
    while let Some(next) = store().and_then(|store| step(&store, position, &mut gone)) {
        position = next;
        task::yield_now().await;
    }
    gone
}

/// Runs what may panic, and goes on. The panic hook has reported it.
pub(super) fn survive(action: impl FnOnce()) {
    let _ = panic::catch_unwind(AssertUnwindSafe(action));
}
