//! Work that is done by its caller as long as that asks for the answer, and else in a task of its own.
//!
//! A task for each statement would cost a request that is alone another wake-up of a thread. But a caller may be gone before its work is done;
//! and it may live and not ask for the answer, since it is one of several futures that are polled in turns: then what its work has taken would
//! be kept from all others, which may be what it waits for itself. So those who wait in vain let all such work [go on](UnderWay::go_on).

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// How far work is.
#[derive(Debug, Clone)]
pub(super) struct Stage(Arc<AtomicU8>);

/// It waits for what it needs, and ends with its caller.
const WAITS: u8 = 0;
/// It goes on without its caller.
const HAS_BEGUN: u8 = 1;
/// So it does, and its caller is gone.
const IS_ALONE: u8 = 2;

impl Stage {
    /// From now on the work goes on without its caller.
    pub(super) fn begin(&self) {
        self.0.store(HAS_BEGUN, Ordering::Relaxed);
    }

    /// The work waits once more, unless its caller is gone.
    pub(super) fn wait_again(&self) -> bool {
        self.0.compare_exchange(HAS_BEGUN, WAITS, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The caller is gone; whether the work goes on.
    fn leave_alone(&self) -> bool {
        self.0.compare_exchange(HAS_BEGUN, IS_ALONE, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// The work that callers do themselves.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<Numbered>);

#[derive(Default)]
struct Numbered {
    next: u64,
    work: HashMap<u64, Arc<dyn GoesOn>>,
}

trait GoesOn: Send + Sync {
    /// Does the rest in a task, unless somebody is just about it.
    fn go_on(self: Arc<Self>);
}

impl UnderWay {
    /// The caller does this, as long as it asks for the answer.
    pub(super) fn by_caller<F: Future<Output: Send> + Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(Stage) -> F,
    ) -> HandOver<F> {
        let mut handed = by_caller(work);
        let mut numbered = locked(&self.0);
        let number = numbered.next;
        numbered.next += 1;
        numbered.work.insert(number, Arc::clone(&handed.common) as Arc<dyn GoesOn>);
        drop(numbered);
        handed.entered = Some((number, Arc::clone(self)));
        handed
    }

    /// All of it goes on, also if its callers do not ask for it.
    pub(super) fn go_on(&self) {
        let work: Vec<_> = locked(&self.0).work.values().cloned().collect();
        work.into_iter().for_each(GoesOn::go_on);
    }

    fn leave(&self, number: u64) {
        let left = locked(&self.0).work.remove(&number);
        drop(left);
    }
}

/// The caller does this, also while it keeps others waiting.
pub(super) fn by_caller<F: Future<Output: Send> + Send + 'static>(work: impl FnOnce(Stage) -> F) -> HandOver<F> {
    HandOver { common: Common::of(work), entered: None }
}

/// A task does this from its beginning.
pub(super) fn by_task<F: Future<Output: Send> + Send + 'static>(work: impl FnOnce(Stage) -> F) -> HandOver<F> {
    let common = Common::of(work);
    common.go_on_in_task(locked(&common.state));
    HandOver { common, entered: None }
}

/// What the caller and the task have in common.
struct Common<F: Future> {
    stage: Stage,
    /// A connection works as long as the runtime does that it was made in.
    runtime: Handle,
    state: Mutex<State<F>>,
}

struct State<F: Future> {
    /// Until it is done, or has panicked.
    work: Option<Pin<Box<F>>>,
    answer: Option<F::Output>,
    caller: Option<Waker>,
    /// A task does it, or is about to.
    is_in_task: bool,
    task: Option<AbortHandle>,
}

impl<F: Future<Output: Send> + Send + 'static> Common<F> {
    fn of(work: impl FnOnce(Stage) -> F) -> Arc<Self> {
        let stage = Stage(Arc::new(AtomicU8::new(WAITS)));
        let work = Some(Box::pin(work(stage.clone())));
        let begin = State { work, answer: None, caller: None, is_in_task: false, task: None };
        Arc::new(Self { stage, runtime: Handle::current(), state: Mutex::new(begin) })
    }

    fn go_on_in_task(self: &Arc<Self>, mut state: MutexGuard<'_, State<F>>) {
        if state.work.is_none() || state.is_in_task {
            return;
        }
        state.is_in_task = true;
        drop(state);
        // Not under the lock, which the task takes when it is dropped: immediately, where the runtime ends.
        let task = self.runtime.spawn(InTask(Arc::clone(self))).abort_handle();
        let mut state = locked(&self.state);
        if state.work.is_some() {
            state.task = Some(task);
            return;
        }
        drop(state);
        // Done, or given up meanwhile by its caller, which did not know the task.
        task.abort();
    }
}

impl<F: Future<Output: Send> + Send + 'static> GoesOn for Common<F> {
    fn go_on(self: Arc<Self>) {
        match self.state.try_lock() {
            Ok(state) => self.go_on_in_task(state),
            Err(TryLockError::Poisoned(state)) => self.go_on_in_task(state.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
    }
}

impl<F: Future> State<F> {
    /// Ready where there is nothing more to do.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // If it panics, it is gone.
        let Some(mut work) = self.work.take() else { return Poll::Ready(()) };
        match work.as_mut().poll(context) {
            Poll::Pending => {
                self.work = Some(work);
                Poll::Pending
            }
            Poll::Ready(answer) => {
                self.answer = Some(answer);
                Poll::Ready(())
            }
        }
    }
}

/// The caller's end of work.
pub(super) struct HandOver<F: Future<Output: Send> + Send + 'static> {
    common: Arc<Common<F>>,
    entered: Option<(u64, Arc<UnderWay>)>,
}

impl<F: Future<Output: Send> + Send + 'static> Future for HandOver<F> {
    /// Nothing where the work has panicked, or the runtime of its task has ended.
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let mut state = locked(&self.common.state);
        let is_done = if state.is_in_task { state.work.is_none() } else { state.poll(context).is_ready() };
        if is_done {
            return Poll::Ready(state.answer.take());
        }
        let waker = context.waker();
        if !state.caller.as_ref().is_some_and(|caller| caller.will_wake(waker)) {
            state.caller = Some(waker.clone());
        }
        Poll::Pending
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for HandOver<F> {
    fn drop(&mut self) {
        if let Some((number, under_way)) = self.entered.take() {
            under_way.leave(number);
        }
        let mut state = locked(&self.common.state);
        if state.work.is_none() {
            return;
        }
        if self.common.stage.leave_alone() {
            self.common.go_on_in_task(state);
            return;
        }
        let (work, task) = (state.work.take(), state.task.take());
        drop(state);
        drop(work);
        if let Some(task) = task {
            task.abort();
        }
    }
}

/// The end of a task. It wakes the caller when it is done, and also where it panics or its runtime ends.
struct InTask<F: Future>(Arc<Common<F>>);

impl<F: Future> Future for InTask<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        locked(&self.0.state).poll(context)
    }
}

impl<F: Future> Drop for InTask<F> {
    fn drop(&mut self) {
        let mut state = locked(&self.0.state);
        let (work, caller) = (state.work.take(), state.caller.take());
        drop(state);
        drop(work);
        if let Some(caller) = caller {
            caller.wake();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use futures_util::poll;
    use tokio::runtime::Builder;
    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Work that waits for the first, begins, waits for the second, and says that it is done.
    #[derive(Clone, Default)]
    struct Steps(Arc<[Notify; 2]>, Arc<AtomicBool>);

    impl Steps {
        async fn work(self, stage: Stage) -> u32 {
            self.0[0].notified().await;
            stage.begin();
            self.0[1].notified().await;
            self.1.store(true, Ordering::SeqCst);
            7
        }

        async fn is_done(&self) -> bool {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            self.1.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn who_is_asked_for_the_answer_does_the_work() {
        let (under_way, steps) = (Arc::new(UnderWay::default()), Steps::default());
        let mut answer = Box::pin(under_way.by_caller(|stage| steps.clone().work(stage)));
        assert!(poll!(&mut answer).is_pending());
        steps.0.iter().for_each(Notify::notify_one);
        assert!(!steps.is_done().await, "nobody asked");
        assert_eq!(poll!(&mut answer), Poll::Ready(Some(7)));
        drop(answer);
        assert!(locked(&under_way.0).work.is_empty());
    }

    #[tokio::test]
    async fn what_has_begun_goes_on_without_its_caller_and_what_has_not_ends() {
        for has_begun in [false, true] {
            for in_task in [false, true] {
                let (under_way, steps) = (Arc::new(UnderWay::default()), Steps::default());
                let work = |stage| steps.clone().work(stage);
                let mut answer = Box::pin(if in_task { by_task(work) } else { under_way.by_caller(work) });
                if has_begun {
                    steps.0[0].notify_one();
                }
                assert!(poll!(&mut answer).is_pending() && !steps.is_done().await);
                drop(answer);
                steps.0.iter().for_each(Notify::notify_one);
                assert_eq!(steps.is_done().await, has_begun, "in a task: {in_task}");
                // Nobody keeps it.
                assert_eq!(Arc::strong_count(&steps.1), 1);
                assert!(locked(&under_way.0).work.is_empty());
            }
        }
    }

    #[tokio::test]
    async fn what_waits_again_ends_with_its_caller_and_does_not_wait_where_that_is_gone() {
        let (under_way, steps) = (Arc::new(UnderWay::default()), Steps::default());
        let work = |stage: Stage| {
            let steps = steps.clone();
            async move {
                steps.clone().work(stage.clone()).await;
                assert!(stage.wait_again());
                steps.work(stage).await
            }
        };
        let mut answer = Box::pin(under_way.by_caller(work));
        steps.0.iter().for_each(Notify::notify_one);
        assert!(poll!(&mut answer).is_pending() && steps.is_done().await);
        drop(answer);
        assert_eq!(Arc::strong_count(&steps.1), 1);

        let alone = Arc::new(Mutex::new(None));
        let work = |stage: Stage| {
            let (steps, alone) = (steps.clone(), Arc::clone(&alone));
            async move {
                steps.work(stage.clone()).await;
                *locked(&alone) = Some(stage.wait_again());
            }
        };
        let mut answer = Box::pin(under_way.by_caller(work));
        steps.0[0].notify_one();
        assert!(poll!(&mut answer).is_pending());
        drop(answer);
        steps.0[1].notify_one();
        assert!(steps.is_done().await);
        assert_eq!(*locked(&alone), Some(false));
    }

    #[tokio::test]
    async fn what_others_wait_for_goes_on_where_nobody_asks_and_its_caller_gets_the_answer() {
        let (under_way, steps) = (Arc::new(UnderWay::default()), Steps::default());
        let mut held_up = Box::pin(under_way.by_caller(|stage| steps.clone().work(stage)));
        let other = Steps::default();
        let waits = tokio::spawn(under_way.by_caller(|stage| other.clone().work(stage)));
        assert!(poll!(&mut held_up).is_pending() && !other.is_done().await);
        under_way.go_on();
        under_way.go_on();
        for steps in [&steps, &other] {
            steps.0.iter().for_each(Notify::notify_one);
            assert!(steps.is_done().await);
        }
        // This one was waiting all the time, and hears of it.
        assert_eq!(timeout(LONG, waits).await.unwrap().unwrap(), Some(7));
        assert_eq!(held_up.await, Some(7));
        assert!(locked(&under_way.0).work.is_empty());
    }

    /// As whoever waits for a place does.
    #[tokio::test]
    async fn work_may_let_all_others_go_on() {
        let under_way = Arc::new(UnderWay::default());
        let all = Arc::clone(&under_way);
        let work = |_| async move {
            all.go_on();
            tokio::task::yield_now().await;
            all.go_on();
            7
        };
        assert_eq!(timeout(LONG, under_way.by_caller(work)).await.unwrap(), Some(7));
    }

    #[tokio::test]
    async fn a_panic_in_a_task_is_no_answer() {
        let answer = by_task(|_| async { panic!("work that panics, as this test has it") });
        let answer: Option<()> = timeout(LONG, answer).await.unwrap();
        assert_eq!(answer, None);
    }

    #[test]
    fn a_runtime_ends_while_callers_wait_for_what_has_begun() {
        for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
            let (ended, hears) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let runtime = builder.worker_threads(1).build().unwrap();
                let begun = Arc::new(Notify::new());
                let to_begin = Arc::clone(&begun);
                runtime.spawn(async move {
                    let under_way = Arc::new(UnderWay::default());
                    let work = |stage: Stage| async move {
                        stage.begin();
                        to_begin.notify_one();
                        std::future::pending::<()>().await;
                    };
                    under_way.by_caller(work).await
                });
                runtime.block_on(begun.notified());
                drop(runtime);
                ended.send(()).unwrap();
            });
            assert!(hears.recv_timeout(LONG).is_ok(), "it waits for itself");
        }
    }

    #[test]
    fn the_end_of_a_runtime_is_no_answer() {
        let runtime = || Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (one, other) = (runtime(), runtime());
        let steps = Steps::default();
        let inside = one.enter();
        let answer = by_task(|stage| steps.clone().work(stage));
        drop(inside);
        let waits = other.spawn(async move { timeout(LONG, answer).await });
        one.shutdown_background();
        assert_eq!(other.block_on(waits).unwrap(), Ok(None));
    }
}
